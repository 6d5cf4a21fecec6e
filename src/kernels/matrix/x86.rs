//! The instruction sets of x86-64: AVX2, and VNNI on the same 32-byte vectors.
//!
//! AVX2 multiplies with `vpmaddubsw`: unsigned codes times signed activations, pairs added in 16 bits. With activations
//! of at most 127 the sum of all eight quads of 4-bit codes still fits (8 · 2 · 15 · 127), of four quads of 5-bit codes,
//! of two of 6-bit codes; eight bits are multiplied by magnitude, their sign moved to the activation. One `vpmaddwd` per
//! sum widens it to 32 bits and applies the integer scale of a sub-block. VNNI's `vpdpbusd` adds four products in 32 bits
//! at once. The sums are the same whole numbers, so both give the same bits.

use std::arch::x86_64::*;

use super::{
    activations::Activations,
    isa::Isa,
    layout::{ROWS, Shape},
    wide,
};
use crate::formats::gguf::GgmlType;

/// Defines the products of an instruction set.
macro_rules! entry {
    ($(#[$meta:meta])* $name:ident, $features:literal, $isa:ty) => {
        $(#[$meta])*
        ///
        /// # Safety
        /// The processor must have these instructions.
        #[target_feature(enable = $features)]
        pub unsafe fn $name(
            dtype: GgmlType,
            shape: Shape,
            weights: &[u8],
            acts: &Activations,
            out: &mut [[f32; ROWS]],
            panel: &mut Vec<u8>,
        ) {
            // SAFETY: this function is compiled for the set, and the processor has it.
            unsafe { wide::dot_groups::<$isa>(dtype, shape, weights, acts, out, panel) };
        }
    };
}

entry!(
    /// `out[group][token]` for the groups of `weights`, with AVX2, FMA and F16C.
    avx2, "avx2,fma,f16c", Avx2
);
entry!(
    /// The same with AVX-512 VNNI on 32-byte vectors.
    avx512_vnni, "avx2,fma,f16c,avx512vnni,avx512vl", Vnni<Avx512>
);
entry!(
    /// The same with AVX-VNNI, for processors without AVX-512.
    avx_vnni, "avx2,fma,f16c,avxvnni", Vnni<AvxVnni>
);
#[cfg(test)]
entry!(
    /// The VNNI code with its one instruction made of AVX2's, so that it can be tested on any processor.
    imitated_vnni, "avx2,fma,f16c", Vnni<Imitated>
);

/// Four activations, in every lane.
///
/// # Safety
/// 4 readable bytes.
#[inline(always)]
unsafe fn four(x: *const i8) -> __m256i {
    // SAFETY: as the caller promises.
    unsafe { _mm256_set1_epi32(x.cast::<i32>().read_unaligned()) }
}

/// What both sets do alike.
macro_rules! common {
    () => {
        type Codes = __m256i;
        type Ints = __m256i;
        type Floats = __m256;

        #[inline(always)]
        unsafe fn load(from: *const u8) -> __m256i {
            // SAFETY: as the trait's caller promises, here and below.
            unsafe { _mm256_loadu_si256(from.cast()) }
        }
        #[inline(always)]
        unsafe fn store(codes: __m256i, to: *mut u8) {
            // SAFETY: as above.
            unsafe { _mm256_storeu_si256(to.cast(), codes) }
        }
        #[inline(always)]
        unsafe fn mask(mask: u8) -> __m256i {
            // SAFETY: as above.
            unsafe { _mm256_set1_epi8(mask.cast_signed()) }
        }
        #[inline(always)]
        unsafe fn and(a: __m256i, b: __m256i) -> __m256i {
            // SAFETY: as above.
            unsafe { _mm256_and_si256(a, b) }
        }
        #[inline(always)]
        unsafe fn or(a: __m256i, b: __m256i) -> __m256i {
            // SAFETY: as above.
            unsafe { _mm256_or_si256(a, b) }
        }
        #[inline(always)]
        unsafe fn up<const BY: i32>(codes: __m256i) -> __m256i {
            // SAFETY: as above.
            unsafe { _mm256_slli_epi16::<BY>(codes) }
        }
        #[inline(always)]
        unsafe fn down<const BY: i32>(codes: __m256i) -> __m256i {
            // SAFETY: as above.
            unsafe { _mm256_srli_epi16::<BY>(codes) }
        }
        #[inline(always)]
        unsafe fn floats(from: *const u8) -> __m256 {
            // SAFETY: as above.
            unsafe { _mm256_loadu_ps(from.cast()) }
        }
        #[inline(always)]
        unsafe fn halves(from: *const u8) -> __m256 {
            // SAFETY: as above.
            unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from.cast())) }
        }
        #[inline(always)]
        unsafe fn brains(from: *const u8) -> __m256 {
            // SAFETY: as above.
            unsafe {
                let wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.cast()));
                _mm256_castsi256_ps(_mm256_slli_epi32::<16>(wide))
            }
        }
        #[inline(always)]
        unsafe fn store_floats(floats: __m256, to: *mut f32) {
            // SAFETY: as above.
            unsafe { _mm256_storeu_ps(to, floats) }
        }
        #[inline(always)]
        unsafe fn splat(x: f32) -> __m256 {
            // SAFETY: as above.
            unsafe { _mm256_set1_ps(x) }
        }
        #[inline(always)]
        unsafe fn add(a: __m256, b: __m256) -> __m256 {
            // SAFETY: as above.
            unsafe { _mm256_add_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn mul(a: __m256, b: __m256) -> __m256 {
            // SAFETY: as above.
            unsafe { _mm256_mul_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn mul_add(a: __m256, b: __m256, c: __m256) -> __m256 {
            // SAFETY: as above.
            unsafe { _mm256_fmadd_ps(a, b, c) }
        }
        #[inline(always)]
        unsafe fn negated_mul_add(a: __m256, b: __m256, c: __m256) -> __m256 {
            // SAFETY: as above.
            unsafe { _mm256_fnmadd_ps(a, b, c) }
        }
        #[inline(always)]
        unsafe fn zero() -> __m256i {
            // SAFETY: as above.
            unsafe { _mm256_setzero_si256() }
        }
        #[inline(always)]
        unsafe fn add_ints(a: __m256i, b: __m256i) -> __m256i {
            // SAFETY: as above.
            unsafe { _mm256_add_epi32(a, b) }
        }
        #[inline(always)]
        unsafe fn sub_scaled<const N: i32>(a: __m256i, x: __m256i) -> __m256i {
            // SAFETY: as above.
            unsafe { _mm256_sub_epi32(a, _mm256_slli_epi32::<N>(x)) }
        }
        #[inline(always)]
        unsafe fn splat_int(x: i32) -> __m256i {
            // SAFETY: as above.
            unsafe { _mm256_set1_epi32(x) }
        }
        #[inline(always)]
        unsafe fn to_floats(ints: __m256i) -> __m256 {
            // SAFETY: as above.
            unsafe { _mm256_cvtepi32_ps(ints) }
        }
        /// The factors are pairs of 16-bit numbers; `vpmaddwd` multiplies and adds them.
        #[inline(always)]
        unsafe fn offset(other: __m256i, sums: *const i16) -> __m256i {
            // SAFETY: as above: two sums.
            unsafe { _mm256_madd_epi16(other, four(sums.cast())) }
        }
        #[inline(always)]
        unsafe fn ask_for(at: *const u8) {
            // SAFETY: an address that cannot be read is ignored by the processor.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
        }
    };
}

/// AVX2 with FMA and F16C.
pub enum Avx2 {}

impl Avx2 {
    /// The products of quad `index`, pairs added in 16 bits.
    ///
    /// # Safety
    /// 32 activations at `x`.
    #[inline(always)]
    unsafe fn product(codes: __m256i, x: *const i8, index: usize) -> __m256i {
        // SAFETY: as the caller promises.
        unsafe { _mm256_maddubs_epi16(codes, four(x.add(4 * index))) }
    }

    /// The products of two quads.
    ///
    /// # Safety
    /// As above.
    #[inline(always)]
    unsafe fn two(quads: &[__m256i; 8], x: *const i8, index: usize) -> __m256i {
        // SAFETY: as the caller promises.
        unsafe {
            _mm256_add_epi16(Self::product(quads[index], x, index), Self::product(quads[index + 1], x, index + 1))
        }
    }

    /// The products of four quads.
    ///
    /// # Safety
    /// As above.
    #[inline(always)]
    unsafe fn half(quads: &[__m256i; 8], x: *const i8, index: usize) -> __m256i {
        // SAFETY: as the caller promises.
        unsafe { _mm256_add_epi16(Self::two(quads, x, index), Self::two(quads, x, index + 2)) }
    }

    /// A block with 16-bit factors, twice the same in each lane.
    ///
    /// # Safety
    /// As above.
    #[inline(always)]
    unsafe fn dot<const BITS: usize, const SAME: bool>(
        quads: &[__m256i; 8],
        x: *const i8,
        first: __m256i,
        second: __m256i,
    ) -> __m256i {
        // SAFETY: as the caller promises.
        unsafe {
            match BITS {
                2..=4 if SAME => {
                    _mm256_madd_epi16(_mm256_add_epi16(Self::half(quads, x, 0), Self::half(quads, x, 4)), first)
                }
                2..=5 => _mm256_add_epi32(
                    _mm256_madd_epi16(Self::half(quads, x, 0), first),
                    _mm256_madd_epi16(Self::half(quads, x, 4), second),
                ),
                6 => {
                    let low = _mm256_add_epi32(
                        _mm256_madd_epi16(Self::two(quads, x, 0), first),
                        _mm256_madd_epi16(Self::two(quads, x, 2), first),
                    );
                    let high = _mm256_add_epi32(
                        _mm256_madd_epi16(Self::two(quads, x, 4), second),
                        _mm256_madd_epi16(Self::two(quads, x, 6), second),
                    );
                    _mm256_add_epi32(low, high)
                }
                _ => {
                    let (middle, mut sum) = (_mm256_set1_epi8(-128), _mm256_setzero_si256());
                    for (index, codes) in quads.iter().enumerate() {
                        let weight = _mm256_xor_si256(*codes, middle);
                        // |w| · (x with the sign of w): at most 128 · 127 twice.
                        let x = _mm256_sign_epi8(four(x.add(4 * index)), weight);
                        let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(weight), x);
                        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, first));
                    }
                    sum
                }
            }
        }
    }
}

// SAFETY: every function is made of instructions of AVX2, FMA and F16C.
unsafe impl Isa for Avx2 {
    common!();
    const SIGNED_BYTES: bool = true;

    #[inline(always)]
    unsafe fn block_dot<const BITS: usize>(quads: &[__m256i; 8], x: *const i8) -> __m256i {
        // SAFETY: as the trait's caller promises, here and below.
        unsafe {
            let ones = _mm256_set1_epi16(1);
            Self::dot::<BITS, true>(quads, x, ones, ones)
        }
    }

    #[inline(always)]
    unsafe fn factors<const MIN: bool>(scales: *const u8, mins: *const u8) -> [__m256i; 3] {
        // SAFETY: as above: 16 bytes of each.
        unsafe {
            let even = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 0, 1, 4, 5, 4, 5, 8, 9, 8, 9, 12, 13, 12, 13));
            let odd =
                _mm256_broadcastsi128_si256(_mm_setr_epi8(2, 3, 2, 3, 6, 7, 6, 7, 10, 11, 10, 11, 14, 15, 14, 15));
            let scales = _mm256_cvtepi8_epi16(_mm_loadu_si128(scales.cast()));
            let other = if MIN { _mm256_cvtepi8_epi16(_mm_loadu_si128(mins.cast())) } else { scales };
            [_mm256_shuffle_epi8(scales, even), _mm256_shuffle_epi8(scales, odd), other]
        }
    }

    #[inline(always)]
    unsafe fn sub_dot<const BITS: usize, const SUB: usize>(
        quads: &[__m256i; 8],
        x: *const i8,
        first: __m256i,
        second: __m256i,
    ) -> __m256i {
        // SAFETY: as above.
        unsafe {
            if SUB == 16 {
                Self::dot::<BITS, false>(quads, x, first, second)
            } else {
                Self::dot::<BITS, true>(quads, x, first, first)
            }
        }
    }
}

/// An instruction that adds the products of four unsigned and four signed bytes to each 32-bit lane.
///
/// # Safety
/// As for [`Isa`].
pub unsafe trait Dpbusd {
    /// `sums + Σ codes · x`, lane by lane.
    ///
    /// # Safety
    /// As for [`Isa`].
    unsafe fn dpbusd(sums: __m256i, codes: __m256i, x: __m256i) -> __m256i;
}

/// AVX-512 VNNI with AVX-512 VL.
pub enum Avx512 {}
/// AVX-VNNI.
pub enum AvxVnni {}
/// Made of AVX2's instructions.
#[cfg(test)]
pub enum Imitated {}

// SAFETY: the instruction of its set.
unsafe impl Dpbusd for Avx512 {
    #[inline(always)]
    unsafe fn dpbusd(sums: __m256i, codes: __m256i, x: __m256i) -> __m256i {
        // SAFETY: as the caller promises.
        unsafe { _mm256_dpbusd_epi32(sums, codes, x) }
    }
}

// SAFETY: the instruction of its set.
unsafe impl Dpbusd for AvxVnni {
    #[inline(always)]
    unsafe fn dpbusd(sums: __m256i, codes: __m256i, x: __m256i) -> __m256i {
        // SAFETY: as the caller promises.
        unsafe { _mm256_dpbusd_avx_epi32(sums, codes, x) }
    }
}

// SAFETY: instructions of AVX2 alone.
#[cfg(test)]
unsafe impl Dpbusd for Imitated {
    #[inline(always)]
    unsafe fn dpbusd(sums: __m256i, codes: __m256i, x: __m256i) -> __m256i {
        // SAFETY: as the caller promises. Even and odd bytes widened to 16 bits, so that nothing saturates.
        unsafe {
            let low = _mm256_set1_epi16(255);
            let even =
                _mm256_madd_epi16(_mm256_and_si256(codes, low), _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(x)));
            let odd = _mm256_madd_epi16(_mm256_srli_epi16::<8>(codes), _mm256_srai_epi16::<8>(x));
            _mm256_add_epi32(sums, _mm256_add_epi32(even, odd))
        }
    }
}

/// VNNI on 32-byte vectors.
pub struct Vnni<D>(D);

impl<D: Dpbusd> Vnni<D> {
    /// Four quads from `index`.
    ///
    /// # Safety
    /// 32 activations at `x`.
    #[inline(always)]
    unsafe fn half(quads: &[__m256i; 8], x: *const i8, index: usize) -> __m256i {
        // SAFETY: as the caller promises. Two chains, for the latency of the instruction.
        unsafe {
            let zero = _mm256_setzero_si256();
            let a = D::dpbusd(zero, quads[index], four(x.add(4 * index)));
            let b = D::dpbusd(zero, quads[index + 1], four(x.add(4 * index + 4)));
            let a = D::dpbusd(a, quads[index + 2], four(x.add(4 * index + 8)));
            let b = D::dpbusd(b, quads[index + 3], four(x.add(4 * index + 12)));
            _mm256_add_epi32(a, b)
        }
    }
}

// SAFETY: every function is made of instructions of AVX2, FMA, F16C and of `D`.
unsafe impl<D: Dpbusd> Isa for Vnni<D> {
    common!();
    const SIGNED_BYTES: bool = false;

    #[inline(always)]
    unsafe fn block_dot<const BITS: usize>(quads: &[__m256i; 8], x: *const i8) -> __m256i {
        // SAFETY: as the trait's caller promises, here and below.
        unsafe { _mm256_add_epi32(Self::half(quads, x, 0), Self::half(quads, x, 4)) }
    }

    /// Factors of the sums are 32-bit numbers here.
    #[inline(always)]
    unsafe fn factors<const MIN: bool>(scales: *const u8, mins: *const u8) -> [__m256i; 3] {
        // SAFETY: as above: 16 bytes of each.
        unsafe {
            let pairs = _mm256_cvtepi8_epi16(_mm_loadu_si128(scales.cast()));
            let other = if MIN { _mm256_cvtepi8_epi16(_mm_loadu_si128(mins.cast())) } else { pairs };
            let even = _mm256_srai_epi32::<16>(_mm256_slli_epi32::<16>(pairs));
            [even, _mm256_srai_epi32::<16>(pairs), other]
        }
    }

    #[inline(always)]
    unsafe fn sub_dot<const BITS: usize, const SUB: usize>(
        quads: &[__m256i; 8],
        x: *const i8,
        first: __m256i,
        second: __m256i,
    ) -> __m256i {
        // SAFETY: as above.
        unsafe {
            if SUB == 16 {
                let low = _mm256_mullo_epi32(Self::half(quads, x, 0), first);
                let high = _mm256_mullo_epi32(Self::half(quads, x, 4), second);
                _mm256_add_epi32(low, high)
            } else {
                _mm256_mullo_epi32(Self::block_dot::<BITS>(quads, x), first)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{
        Level,
        matrix::tests::{for_each_type, sums_of},
    };

    #[test]
    fn vnni_adds_up_the_same_whole_numbers_as_avx2() {
        if !Level::Avx2.is_present() {
            eprintln!("SKIPPED: this processor has no AVX2");
            return;
        }
        for_each_type(&mut |matrix, acts| {
            // SAFETY: AVX2 is present.
            let (plain, imitated) = unsafe { (sums_of(matrix, acts, avx2), sums_of(matrix, acts, imitated_vnni)) };
            assert_eq!(plain, imitated);
        });
    }
}
