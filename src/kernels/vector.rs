//! Eight `f32` lanes at a time, written once and compiled for each instruction set.
//!
//! A kernel is a function generic over [`Vector`]; [`vectorised!`](crate::kernels::vectorised) makes the copy for
//! every [`Level`](crate::kernels::level::Level) and picks one at run time. The portable lanes are plain arrays that
//! the compiler turns into whatever the baseline has (NEON on aarch64, SSE2 on x86-64).
#![allow(unsafe_code)]

/// Lanes in every [`Vector`].
pub(crate) const LANES: usize = 8;

/// Eight lanes of `f32`.
///
/// # Safety
/// The functions of an implementation may only run on a processor that has its instructions; kernels see to that by
/// being entered through `vectorised!` and `widened!` alone.
#[allow(dead_code)]
pub(crate) unsafe trait Vector: Copy {
    /// Eight pairs of 16-bit whole numbers.
    type Pairs: Copy;
    /// Eight 32-bit whole numbers.
    type Wholes: Copy;

    fn splat(value: f32) -> Self;
    /// # Safety
    /// Eight floats must be readable at `from`.
    unsafe fn load(from: *const f32) -> Self;
    /// Eight pairs of 16-bit floats with the exponent of 32-bit ones: those in the high halves, those in the low halves.
    ///
    /// # Safety
    /// Eight numbers must be readable at `from`.
    unsafe fn load_bfloat16_pairs(from: *const u32) -> [Self; 2];
    /// # Safety
    /// Eight floats must be writable at `to`.
    unsafe fn store(self, to: *mut f32);
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    fn max(self, other: Self) -> Self;
    fn min(self, other: Self) -> Self;
    fn sqrt(self) -> Self;
    fn round(self) -> Self;
    /// `self × factor + term`, rounded once where the processor can.
    fn mul_add(self, factor: Self, term: Self) -> Self;
    /// Lane by lane: `positive` where `self > 0`, else `otherwise`.
    fn select_positive(self, positive: Self, otherwise: Self) -> Self;
    /// `2^self` for whole numbers in −126 ..= 127.
    fn power_of_two(self) -> Self;
    /// Swaps rows and columns of an 8 × 8 block.
    fn transpose(block: [Self; 8]) -> [Self; 8];

    /// The nearest whole numbers, of two the even one. Each must be one that 16 bits hold.
    ///
    /// # Safety
    /// Eight numbers must be writable at `to`.
    unsafe fn store_short(self, to: *mut i16);
    /// Sixteen bytes, widened.
    ///
    /// # Safety
    /// As many must be readable at `from`.
    unsafe fn widen_pairs(from: *const i8) -> Self::Pairs;
    /// The same pair eight times.
    ///
    /// # Safety
    /// Two numbers must be readable at `from`.
    unsafe fn splat_pair(from: *const i16) -> Self::Pairs;
    fn no_wholes() -> Self::Wholes;
    /// Lane by lane `sums + a₀ · b₀ + a₁ · b₁`, which 32 bits must hold.
    fn add_products(sums: Self::Wholes, a: Self::Pairs, b: Self::Pairs) -> Self::Wholes;
    fn from_wholes(wholes: Self::Wholes) -> Self;

    fn zero() -> Self {
        Self::splat(0.0)
    }

    /// The sum of the lanes, pairwise.
    #[inline(always)]
    fn sum(self) -> f32 {
        let l = self.to_array();
        ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]))
    }

    /// The largest lane.
    #[inline(always)]
    fn largest(self) -> f32 {
        self.to_array().into_iter().fold(f32::NEG_INFINITY, f32::max)
    }

    #[inline(always)]
    fn to_array(self) -> [f32; LANES] {
        let mut lanes = [0.0; LANES];
        // SAFETY: the array holds eight floats.
        unsafe { self.store(lanes.as_mut_ptr()) };
        lanes
    }

    /// The first lanes of `from`, the others `fill`.
    #[inline(always)]
    fn load_part(from: &[f32], fill: f32) -> Self {
        let mut lanes = [fill; LANES];
        for (lane, value) in lanes.iter_mut().zip(from) {
            *lane = *value;
        }
        // SAFETY: the array holds eight floats.
        unsafe { Self::load(lanes.as_ptr()) }
    }

    /// The first `count` lanes.
    ///
    /// # Safety
    /// `count` is eight at most, and as many floats must be writable at `to`.
    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, count: usize) {
        // SAFETY: the array holds eight floats; the caller vouches for the rest.
        unsafe { to.copy_from_nonoverlapping(self.to_array().as_ptr(), count) };
    }

    /// As many lanes as `to` holds.
    #[inline(always)]
    fn store_part(self, to: &mut [f32]) {
        for (to, lane) in to.iter_mut().zip(self.to_array()) {
            *to = lane;
        }
    }
}

/// One or two [`Vector`]s side by side: what the registers of an instruction set hold. For loops of loads and fused
/// multiply-adds that gain from registers of sixteen lanes; [`widened!`](crate::kernels::exec::widened) enters them.
///
/// # Safety
/// As for [`Vector`].
pub(crate) unsafe trait Wide: Copy {
    type Part: Vector;
    const LANES: usize;

    fn zero() -> Self;
    fn splat(value: f32) -> Self;
    /// # Safety
    /// As many floats as there are lanes must be readable at `from`.
    unsafe fn load(from: *const f32) -> Self;
    /// # Safety
    /// As many floats as there are lanes must be writable at `to`.
    unsafe fn store(self, to: *mut f32);
    /// `self × factor + term`, rounded once where the processor can.
    fn mul_add(self, factor: Self, term: Self) -> Self;
    /// The lanes, eight by eight; of eight lanes the second part means nothing.
    fn parts(self) -> [Self::Part; 2];
    /// The sum of the lanes.
    fn sum(self) -> f32;
}

// SAFETY: the vector's own instructions.
unsafe impl<V: Vector> Wide for V {
    type Part = V;
    const LANES: usize = LANES;

    #[inline(always)]
    fn zero() -> Self {
        <V as Vector>::zero()
    }
    #[inline(always)]
    fn splat(value: f32) -> Self {
        <V as Vector>::splat(value)
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller vouches for eight floats.
        unsafe { <V as Vector>::load(from) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller vouches for eight floats.
        unsafe { <V as Vector>::store(self, to) };
    }
    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        <V as Vector>::mul_add(self, factor, term)
    }
    #[inline(always)]
    fn parts(self) -> [V; 2] {
        [self; 2]
    }
    #[inline(always)]
    fn sum(self) -> f32 {
        <V as Vector>::sum(self)
    }
}

/// Lanes of the [`Wide`] that a level has.
pub(crate) fn lanes(level: super::Level) -> usize {
    if level >= super::Level::Avx512 { 2 * LANES } else { LANES }
}

/// Plain arrays: correct everywhere.
#[derive(Clone, Copy)]
pub(crate) struct Portable([f32; LANES]);

impl Portable {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }
}

// SAFETY: uses no instruction beyond the baseline.
unsafe impl Vector for Portable {
    type Pairs = [i16; 2 * LANES];
    type Wholes = [i32; LANES];

    #[inline(always)]
    fn splat(value: f32) -> Self {
        Self([value; LANES])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller vouches for eight floats.
        Self(unsafe { from.cast::<[f32; LANES]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn load_bfloat16_pairs(from: *const u32) -> [Self; 2] {
        // SAFETY: the caller vouches for eight numbers.
        let pairs = unsafe { from.cast::<[u32; LANES]>().read_unaligned() };
        [Self(pairs.map(|pair| f32::from_bits(pair & 0xffff_0000))), Self(pairs.map(|pair| f32::from_bits(pair << 16)))]
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller vouches for eight floats.
        unsafe { to.cast::<[f32; LANES]>().write_unaligned(self.0) };
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        Self(self.0.map(f32::sqrt))
    }
    #[inline(always)]
    fn round(self) -> Self {
        Self(self.0.map(f32::round_ties_even))
    }
    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        // Without a fused instruction `f32::mul_add` is a slow library call.
        if cfg!(any(target_arch = "aarch64", target_feature = "fma")) {
            Self(std::array::from_fn(|i| self.0[i].mul_add(factor.0[i], term.0[i])))
        } else {
            Self(std::array::from_fn(|i| self.0[i] * factor.0[i] + term.0[i]))
        }
    }
    #[inline(always)]
    fn select_positive(self, positive: Self, otherwise: Self) -> Self {
        Self(std::array::from_fn(|i| if self.0[i] > 0.0 { positive.0[i] } else { otherwise.0[i] }))
    }
    #[inline(always)]
    fn power_of_two(self) -> Self {
        Self(self.0.map(|n| f32::from_bits(((n as i32 + 127) as u32) << 23)))
    }
    #[inline(always)]
    fn transpose(block: [Self; 8]) -> [Self; 8] {
        std::array::from_fn(|i| Self(std::array::from_fn(|j| block[j].0[i])))
    }
    #[inline(always)]
    unsafe fn store_short(self, to: *mut i16) {
        // SAFETY: the caller vouches for eight numbers.
        unsafe { to.cast::<[i16; LANES]>().write_unaligned(self.0.map(|x| x.round_ties_even() as i16)) };
    }
    #[inline(always)]
    unsafe fn widen_pairs(from: *const i8) -> Self::Pairs {
        // SAFETY: the caller vouches for sixteen bytes.
        unsafe { from.cast::<[i8; 2 * LANES]>().read_unaligned() }.map(i16::from)
    }
    #[inline(always)]
    unsafe fn splat_pair(from: *const i16) -> Self::Pairs {
        // SAFETY: the caller vouches for two numbers.
        let pair = unsafe { from.cast::<[i16; 2]>().read_unaligned() };
        std::array::from_fn(|i| pair[i % 2])
    }
    #[inline(always)]
    fn no_wholes() -> Self::Wholes {
        [0; LANES]
    }
    #[inline(always)]
    fn add_products(sums: Self::Wholes, a: Self::Pairs, b: Self::Pairs) -> Self::Wholes {
        let product = |i: usize| i32::from(a[i]) * i32::from(b[i]);
        std::array::from_fn(|i| sums[i].wrapping_add(product(2 * i).wrapping_add(product(2 * i + 1))))
    }
    #[inline(always)]
    fn from_wholes(wholes: Self::Wholes) -> Self {
        Self(wholes.map(|whole| whole as f32))
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Vector, Wide};

    /// 256-bit registers with fused multiply-add.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx2(__m256);

    macro_rules! lanes {
        ($($name:ident($($arg:ident),*) = $body:expr;)*) => {$(
            #[inline(always)]
            fn $name(self, $($arg: Self),*) -> Self {
                // SAFETY: the trait's contract: only entered on processors with AVX2 and FMA.
                Self(unsafe { $body(self.0, $($arg.0),*) })
            }
        )*};
    }

    // SAFETY: AVX, AVX2 and FMA instructions only, as `vectorised!` checks.
    unsafe impl Vector for Avx2 {
        type Pairs = __m256i;
        type Wholes = __m256i;

        lanes! {
            add(other) = _mm256_add_ps;
            sub(other) = _mm256_sub_ps;
            mul(other) = _mm256_mul_ps;
            div(other) = _mm256_div_ps;
            max(other) = _mm256_max_ps;
            min(other) = _mm256_min_ps;
            sqrt() = _mm256_sqrt_ps;
            round() = _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>;
            mul_add(factor, term) = _mm256_fmadd_ps;
        }
        #[inline(always)]
        fn splat(value: f32) -> Self {
            // SAFETY: the trait's contract.
            Self(unsafe { _mm256_set1_ps(value) })
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: the caller vouches for eight floats.
            Self(unsafe { _mm256_loadu_ps(from) })
        }
        #[inline(always)]
        unsafe fn load_bfloat16_pairs(from: *const u32) -> [Self; 2] {
            // SAFETY: the caller vouches for eight numbers.
            unsafe {
                let pairs = _mm256_loadu_si256(from.cast());
                let high = _mm256_and_si256(pairs, _mm256_set1_epi32(0xffff_0000_u32 as i32));
                [Self(_mm256_castsi256_ps(high)), Self(_mm256_castsi256_ps(_mm256_slli_epi32::<16>(pairs)))]
            }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: the caller vouches for eight floats.
            unsafe { _mm256_storeu_ps(to, self.0) };
        }
        #[inline(always)]
        fn select_positive(self, positive: Self, otherwise: Self) -> Self {
            // SAFETY: the trait's contract.
            Self(unsafe {
                _mm256_blendv_ps(otherwise.0, positive.0, _mm256_cmp_ps::<_CMP_GT_OQ>(self.0, _mm256_setzero_ps()))
            })
        }
        #[inline(always)]
        fn power_of_two(self) -> Self {
            // SAFETY: the trait's contract.
            Self(unsafe {
                let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(self.0), _mm256_set1_epi32(127));
                _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent))
            })
        }
        #[inline(always)]
        fn transpose(block: [Self; 8]) -> [Self; 8] {
            // SAFETY: the trait's contract.
            unsafe {
                let [r0, r1, r2, r3, r4, r5, r6, r7] = block;
                let (t0, t1) = (_mm256_unpacklo_ps(r0.0, r1.0), _mm256_unpackhi_ps(r0.0, r1.0));
                let (t2, t3) = (_mm256_unpacklo_ps(r2.0, r3.0), _mm256_unpackhi_ps(r2.0, r3.0));
                let (t4, t5) = (_mm256_unpacklo_ps(r4.0, r5.0), _mm256_unpackhi_ps(r4.0, r5.0));
                let (t6, t7) = (_mm256_unpacklo_ps(r6.0, r7.0), _mm256_unpackhi_ps(r6.0, r7.0));
                let u = [
                    _mm256_shuffle_ps::<0x44>(t0, t2),
                    _mm256_shuffle_ps::<0xEE>(t0, t2),
                    _mm256_shuffle_ps::<0x44>(t1, t3),
                    _mm256_shuffle_ps::<0xEE>(t1, t3),
                    _mm256_shuffle_ps::<0x44>(t4, t6),
                    _mm256_shuffle_ps::<0xEE>(t4, t6),
                    _mm256_shuffle_ps::<0x44>(t5, t7),
                    _mm256_shuffle_ps::<0xEE>(t5, t7),
                ];
                [
                    Self(_mm256_permute2f128_ps::<0x20>(u[0], u[4])),
                    Self(_mm256_permute2f128_ps::<0x20>(u[1], u[5])),
                    Self(_mm256_permute2f128_ps::<0x20>(u[2], u[6])),
                    Self(_mm256_permute2f128_ps::<0x20>(u[3], u[7])),
                    Self(_mm256_permute2f128_ps::<0x31>(u[0], u[4])),
                    Self(_mm256_permute2f128_ps::<0x31>(u[1], u[5])),
                    Self(_mm256_permute2f128_ps::<0x31>(u[2], u[6])),
                    Self(_mm256_permute2f128_ps::<0x31>(u[3], u[7])),
                ]
            }
        }
        #[inline(always)]
        fn sum(self) -> f32 {
            // SAFETY: the trait's contract. The order of the trait's own.
            unsafe {
                let four = _mm_add_ps(_mm256_castps256_ps128(self.0), _mm256_extractf128_ps::<1>(self.0));
                let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
                _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
            }
        }
        #[inline(always)]
        unsafe fn store_short(self, to: *mut i16) {
            // SAFETY: the trait's contract; the caller vouches for eight numbers.
            unsafe {
                let wide = _mm256_cvtps_epi32(self.0);
                let (low, high) = (_mm256_castsi256_si128(wide), _mm256_extracti128_si256::<1>(wide));
                _mm_storeu_si128(to.cast(), _mm_packs_epi32(low, high));
            }
        }
        #[inline(always)]
        unsafe fn widen_pairs(from: *const i8) -> __m256i {
            // SAFETY: the trait's contract; the caller vouches for sixteen bytes.
            unsafe { _mm256_cvtepi8_epi16(_mm_loadu_si128(from.cast())) }
        }
        #[inline(always)]
        unsafe fn splat_pair(from: *const i16) -> __m256i {
            // SAFETY: the trait's contract; the caller vouches for two numbers.
            unsafe { _mm256_set1_epi32(from.cast::<i32>().read_unaligned()) }
        }
        #[inline(always)]
        fn no_wholes() -> __m256i {
            // SAFETY: the trait's contract.
            unsafe { _mm256_setzero_si256() }
        }
        #[inline(always)]
        fn add_products(sums: __m256i, a: __m256i, b: __m256i) -> __m256i {
            // SAFETY: the trait's contract.
            unsafe { _mm256_add_epi32(sums, _mm256_madd_epi16(a, b)) }
        }
        #[inline(always)]
        fn from_wholes(wholes: __m256i) -> Self {
            // SAFETY: the trait's contract.
            Self(unsafe { _mm256_cvtepi32_ps(wholes) })
        }
    }

    /// 512-bit registers, for the loops that gain from them.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx512(__m512);

    // SAFETY: AVX-512 F and DQ instructions only, as `widened!` checks.
    unsafe impl Wide for Avx512 {
        type Part = Avx2;
        const LANES: usize = 16;

        #[inline(always)]
        fn zero() -> Self {
            // SAFETY: the trait's contract.
            Self(unsafe { _mm512_setzero_ps() })
        }
        #[inline(always)]
        fn splat(value: f32) -> Self {
            // SAFETY: the trait's contract.
            Self(unsafe { _mm512_set1_ps(value) })
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: the caller vouches for sixteen floats.
            Self(unsafe { _mm512_loadu_ps(from) })
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: the caller vouches for sixteen floats.
            unsafe { _mm512_storeu_ps(to, self.0) };
        }
        #[inline(always)]
        fn mul_add(self, factor: Self, term: Self) -> Self {
            // SAFETY: the trait's contract.
            Self(unsafe { _mm512_fmadd_ps(self.0, factor.0, term.0) })
        }
        #[inline(always)]
        fn parts(self) -> [Avx2; 2] {
            // SAFETY: the trait's contract.
            unsafe { [Avx2(_mm512_castps512_ps256(self.0)), Avx2(_mm512_extractf32x8_ps::<1>(self.0))] }
        }
        #[inline(always)]
        fn sum(self) -> f32 {
            let [low, high] = self.parts();
            Vector::sum(low.add(high))
        }
    }
}
