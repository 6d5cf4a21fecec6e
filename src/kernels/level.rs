//! Which vector instructions the kernels use: the widest this processor has, unless the environment
//! variable `ATELIER_SIMD` asks for less.

use std::sync::OnceLock;

/// The environment variable that forces a level, for tests and for comparing.
pub const VARIABLE: &str = "ATELIER_SIMD";

/// A set of vector instructions that kernels are written for, narrowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Plain Rust, whatever the compiler makes of it.
    Portable,
    /// 64-bit ARM with NEON and its dot products (Armv8.2). Float kernels are the portable ones, which the compiler
    /// turns into NEON.
    Neon,
    /// x86-64 with AVX2, FMA and F16C.
    Avx2,
    /// AVX2 and VNNI on 32-byte vectors: AVX-512 VNNI with AVX-512 VL, or AVX-VNNI. Float kernels are those of AVX2.
    Vnni,
    /// What [`Level::Vnni`] is, and AVX-512 (F, BW, DQ, VL): matrix products and convolutions of floats take 64 bytes at a
    /// time.
    Avx512,
}

impl Level {
    /// Every level that kernels exist for.
    pub const ALL: [Self; 5] = [Self::Portable, Self::Neon, Self::Avx2, Self::Vnni, Self::Avx512];

    /// The name used in `ATELIER_SIMD`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Neon => "neon",
            Self::Avx2 => "avx2",
            Self::Vnni => "vnni",
            Self::Avx512 => "avx512",
        }
    }

    /// Whether this processor can run it.
    pub fn is_present(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "aarch64")]
            Self::Neon => std::arch::is_aarch64_feature_detected!("dotprod"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                std::arch::is_x86_feature_detected!("avx2")
                    && std::arch::is_x86_feature_detected!("fma")
                    && std::arch::is_x86_feature_detected!("f16c")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Vnni => {
                let wide = std::arch::is_x86_feature_detected!("avx512vnni")
                    && std::arch::is_x86_feature_detected!("avx512vl");
                Self::Avx2.is_present() && (wide || std::arch::is_x86_feature_detected!("avxvnni"))
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                Self::Vnni.is_present()
                    && std::arch::is_x86_feature_detected!("avx512f")
                    && std::arch::is_x86_feature_detected!("avx512bw")
                    && std::arch::is_x86_feature_detected!("avx512dq")
                    && std::arch::is_x86_feature_detected!("avx512vl")
            }
            _ => false,
        }
    }

    /// The levels that this processor can run, for tests that must cover each.
    pub fn present() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|level| level.is_present())
    }

    /// The level in use, decided once per process.
    pub fn current() -> Self {
        choice().level
    }
}

/// The decision and, where `ATELIER_SIMD` could not be obeyed, why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The level in use.
    pub level: Level,
    /// One sentence for the log when the variable asked for something else.
    pub note: Option<String>,
}

/// The choice made for this process.
pub fn choice() -> &'static Choice {
    static CHOICE: OnceLock<Choice> = OnceLock::new();
    CHOICE.get_or_init(|| choose(std::env::var(VARIABLE).ok().as_deref()))
}

fn choose(wish: Option<&str>) -> Choice {
    let widest = Level::present().max().unwrap_or(Level::Portable);
    let Some(wish) = wish.map(str::trim).filter(|wish| !wish.is_empty()) else {
        return Choice { level: widest, note: None };
    };
    match Level::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(wish)) {
        Some(level) if level.is_present() => Choice { level, note: None },
        Some(_) => Choice {
            level: widest,
            note: Some(format!("{VARIABLE}={wish}: this processor lacks it; using {}.", widest.name())),
        },
        None => {
            let names = Level::ALL.map(Level::name).join(", ");
            let note = format!("{VARIABLE}={wish} is not one of {names}; using {}.", widest.name());
            Choice { level: widest, note: Some(note) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_obeyed_or_explained() {
        let widest = Level::present().max().expect("portable is always there");
        assert_eq!(choose(None), Choice { level: widest, note: None });
        assert_eq!(choose(Some(" ")), Choice { level: widest, note: None });
        assert_eq!(choose(Some("Portable")), Choice { level: Level::Portable, note: None });
        let unknown = choose(Some("sse9"));
        assert_eq!(unknown.level, widest);
        assert!(unknown.note.is_some_and(|note| note.contains("sse9") && note.contains("portable")));
    }
}
