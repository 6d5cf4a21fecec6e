//! Eight floats at a time: the few operations that the row kernels and attention are written in, once for
//! plain arrays and once for AVX registers.
#![allow(unsafe_code)]

/// Eight floats.
///
/// # Safety
/// Every function needs the instructions of its level; call them only where that level is present, from
/// functions compiled for it.
#[allow(clippy::missing_safety_doc)]
pub unsafe trait Lanes: Copy {
    /// All lanes `x`.
    unsafe fn splat(x: f32) -> Self;
    /// Eight floats from memory.
    unsafe fn load(from: *const f32) -> Self;
    /// Eight half floats from memory.
    unsafe fn load_half(from: *const u16) -> Self;
    /// Eight floats to memory.
    unsafe fn store(self, to: *mut f32);
    /// Eight half floats to memory, rounded to nearest even.
    unsafe fn store_half(self, to: *mut u16);
    /// Sum.
    unsafe fn add(self, other: Self) -> Self;
    /// Difference.
    unsafe fn sub(self, other: Self) -> Self;
    /// Product.
    unsafe fn mul(self, other: Self) -> Self;
    /// Quotient.
    unsafe fn div(self, other: Self) -> Self;
    /// `self · by + to`; rounded once where the instructions can.
    unsafe fn mul_add(self, by: Self, to: Self) -> Self;
    /// The larger.
    unsafe fn max(self, other: Self) -> Self;
    /// The smaller.
    unsafe fn min(self, other: Self) -> Self;
    /// `self · 2ⁿ` for lanes of `n` that are integers plus 1.5 · 2²³ (their low bits are the integer).
    unsafe fn times_power_of_two(self, n: Self) -> Self;
}

/// The lanes as an array.
///
/// # Safety
/// As for [`Lanes`].
#[inline(always)]
pub unsafe fn array<L: Lanes>(lanes: L) -> [f32; 8] {
    let mut out = [0.0; 8];
    // SAFETY: eight floats.
    unsafe { lanes.store(out.as_mut_ptr()) };
    out
}

/// The sum of the lanes, in pairs.
///
/// # Safety
/// As for [`Lanes`].
#[inline(always)]
pub unsafe fn sum<L: Lanes>(lanes: L) -> f32 {
    // SAFETY: as the caller promises.
    let x = unsafe { array(lanes) };
    ((x[0] + x[4]) + (x[2] + x[6])) + ((x[1] + x[5]) + (x[3] + x[7]))
}

/// The largest lane.
///
/// # Safety
/// As for [`Lanes`].
#[inline(always)]
pub unsafe fn largest<L: Lanes>(lanes: L) -> f32 {
    // SAFETY: as the caller promises.
    unsafe { array(lanes) }.into_iter().fold(f32::NEG_INFINITY, f32::max)
}

/// eˣ, within three units in the last place; x is held to −87 … 88, where the result is a normal number.
///
/// # Safety
/// As for [`Lanes`].
#[inline(always)]
pub unsafe fn exp<L: Lanes>(x: L) -> L {
    const ROUND: f32 = 12_582_912.0;
    // SAFETY: as the caller promises.
    unsafe {
        let x = x.max(L::splat(-87.0)).min(L::splat(88.0));
        // x = n ln 2 + r with |r| at most half of ln 2, which is taken off in two parts.
        let shifted = x.mul_add(L::splat(std::f32::consts::LOG2_E), L::splat(ROUND));
        let n = shifted.sub(L::splat(ROUND));
        let r = n.mul_add(L::splat(-0.693_359_4), x);
        let r = n.mul_add(L::splat(2.121_944_4e-4), r);
        // Cephes' polynomial for (eʳ − 1 − r) / r².
        let mut p = L::splat(1.987_569_1e-4);
        for c in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
            p = p.mul_add(r, L::splat(c));
        }
        let p = p.mul_add(r.mul(r), r).add(L::splat(1.0));
        p.times_power_of_two(shifted)
    }
}

// SAFETY: plain Rust runs everywhere.
unsafe impl Lanes for [f32; 8] {
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        [x; 8]
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: as the caller promises.
        unsafe { from.cast::<Self>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn load_half(from: *const u16) -> Self {
        // SAFETY: as the caller promises.
        let halves = unsafe { from.cast::<[u16; 8]>().read_unaligned() };
        halves.map(|half| half::f16::from_bits(half).to_f32())
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: as the caller promises.
        unsafe { to.cast::<Self>().write_unaligned(self) }
    }
    #[inline(always)]
    unsafe fn store_half(self, to: *mut u16) {
        // SAFETY: as the caller promises.
        unsafe { to.cast::<[u16; 8]>().write_unaligned(self.map(|x| half::f16::from_f32(x).to_bits())) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] + other[i])
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] - other[i])
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] * other[i])
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] / other[i])
    }
    #[inline(always)]
    unsafe fn mul_add(self, by: Self, to: Self) -> Self {
        std::array::from_fn(|i| self[i] * by[i] + to[i])
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        std::array::from_fn(|i| if self[i] > other[i] { self[i] } else { other[i] })
    }
    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        std::array::from_fn(|i| if self[i] < other[i] { self[i] } else { other[i] })
    }
    #[inline(always)]
    unsafe fn times_power_of_two(self, n: Self) -> Self {
        std::array::from_fn(|i| f32::from_bits(self[i].to_bits().wrapping_add(n[i].to_bits() << 23)))
    }
}

#[cfg(target_arch = "x86_64")]
mod avx {
    use std::arch::x86_64::*;

    use super::Lanes;

    // SAFETY: every function is an instruction of AVX2, FMA or F16C.
    #[allow(unused_unsafe)]
    unsafe impl Lanes for __m256 {
        #[inline(always)]
        unsafe fn splat(x: f32) -> Self {
            // SAFETY: the level is present, here and below.
            unsafe { _mm256_set1_ps(x) }
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: as the caller promises.
            unsafe { _mm256_loadu_ps(from) }
        }
        #[inline(always)]
        unsafe fn load_half(from: *const u16) -> Self {
            // SAFETY: as the caller promises.
            unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from.cast())) }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: as the caller promises.
            unsafe { _mm256_storeu_ps(to, self) }
        }
        #[inline(always)]
        unsafe fn store_half(self, to: *mut u16) {
            // SAFETY: as the caller promises.
            unsafe { _mm_storeu_si128(to.cast(), _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(self)) }
        }
        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            // SAFETY: the level is present.
            unsafe { _mm256_add_ps(self, other) }
        }
        #[inline(always)]
        unsafe fn sub(self, other: Self) -> Self {
            // SAFETY: the level is present.
            unsafe { _mm256_sub_ps(self, other) }
        }
        #[inline(always)]
        unsafe fn mul(self, other: Self) -> Self {
            // SAFETY: the level is present.
            unsafe { _mm256_mul_ps(self, other) }
        }
        #[inline(always)]
        unsafe fn div(self, other: Self) -> Self {
            // SAFETY: the level is present.
            unsafe { _mm256_div_ps(self, other) }
        }
        #[inline(always)]
        unsafe fn mul_add(self, by: Self, to: Self) -> Self {
            // SAFETY: the level is present.
            unsafe { _mm256_fmadd_ps(self, by, to) }
        }
        #[inline(always)]
        unsafe fn max(self, other: Self) -> Self {
            // SAFETY: the level is present.
            unsafe { _mm256_max_ps(self, other) }
        }
        #[inline(always)]
        unsafe fn min(self, other: Self) -> Self {
            // SAFETY: the level is present.
            unsafe { _mm256_min_ps(self, other) }
        }
        #[inline(always)]
        unsafe fn times_power_of_two(self, n: Self) -> Self {
            // SAFETY: the level is present.
            unsafe {
                let exponent = _mm256_slli_epi32::<23>(_mm256_castps_si256(n));
                _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(self), exponent))
            }
        }
    }
}

/// Calls `body::<L>(args)` with the lanes of a level, compiled for its instructions.
macro_rules! at_level {
    ($level:expr, $body:ident($($arg:ident: $type:ty),* $(,)?) $(-> $result:ty)?) => {{
        #[cfg(target_arch = "x86_64")]
        if $level >= $crate::kernels::Level::Avx2 {
            #[target_feature(enable = "avx2,fma,f16c")]
            fn wide($($arg: $type),*) $(-> $result)? {
                // SAFETY: this function is compiled for the level.
                unsafe { $body::<std::arch::x86_64::__m256>($($arg),*) }
            }
            // SAFETY: the level is present.
            return unsafe { wide($($arg),*) };
        }
        let _ = $level;
        // SAFETY: arrays work everywhere.
        unsafe { $body::<[f32; 8]>($($arg),*) }
    }};
}
pub(super) use at_level;
