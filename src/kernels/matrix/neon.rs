//! The instruction set of 64-bit ARM: NEON with the dot products of Armv8.2 (`sdot`), on pairs of 16-byte vectors.
//!
//! `sdot` multiplies signed bytes, and codes of up to six bits are none too large for that; the middle of eight-bit
//! codes is taken off before the product. It and the conversion of half floats are written as assembly, since the
//! compiler does not offer their intrinsics yet.

use std::arch::{aarch64::*, asm};

use super::{
    activations::Activations,
    isa::Isa,
    layout::{ROWS, Shape},
    wide,
};
use crate::formats::gguf::GgmlType;

/// `out[group][token]` for the groups of `weights`.
///
/// # Safety
/// The processor must have NEON and its dot products.
#[target_feature(enable = "neon,dotprod")]
pub unsafe fn neon(
    dtype: GgmlType,
    shape: Shape,
    weights: &[u8],
    acts: &Activations,
    out: &mut [[f32; ROWS]],
    panel: &mut Vec<u8>,
) {
    // SAFETY: this function is compiled for the set, and the processor has it.
    unsafe { wide::dot_groups::<Neon>(dtype, shape, weights, acts, out, panel) };
}

/// NEON with dot products.
pub enum Neon {}

/// Four activations, in every lane.
///
/// # Safety
/// 4 readable bytes.
#[inline(always)]
unsafe fn four(x: *const i8) -> int8x16_t {
    // SAFETY: as the caller promises.
    unsafe { vreinterpretq_s8_s32(vdupq_n_s32(x.cast::<i32>().read_unaligned())) }
}

/// `sums + Σ codes · x` over the four bytes of each lane.
///
/// # Safety
/// The processor must have dot products.
#[inline(always)]
unsafe fn sdot(sums: int32x4_t, codes: int8x16_t, x: int8x16_t) -> int32x4_t {
    let out: int32x4_t;
    // SAFETY: registers alone.
    unsafe {
        asm!(
            "sdot {sums:v}.4s, {codes:v}.16b, {x:v}.16b",
            sums = inlateout(vreg) sums => out,
            codes = in(vreg) codes,
            x = in(vreg) x,
            options(pure, nomem, nostack)
        );
    }
    out
}

impl Neon {
    /// Four quads from `index`.
    ///
    /// # Safety
    /// 32 activations at `x`.
    #[inline(always)]
    unsafe fn half<const BITS: usize>(quads: &[[uint8x16_t; 2]; 8], x: *const i8, index: usize) -> [int32x4_t; 2] {
        // SAFETY: as the caller promises.
        unsafe {
            let mut sums = [vdupq_n_s32(0); 2];
            for quad in index..index + 4 {
                let x = four(x.add(4 * quad));
                for (sum, codes) in sums.iter_mut().zip(quads[quad]) {
                    let codes = if BITS == 8 { veorq_u8(codes, vdupq_n_u8(0x80)) } else { codes };
                    *sum = sdot(*sum, vreinterpretq_s8_u8(codes), x);
                }
            }
            sums
        }
    }

    /// Two vectors of whole numbers as bytes.
    ///
    /// # Safety
    /// As for [`Isa`].
    #[inline(always)]
    unsafe fn bytes(low: int32x4_t, high: int32x4_t) -> [uint8x16_t; 2] {
        // SAFETY: as the caller promises.
        unsafe { [vreinterpretq_u8_s32(low), vreinterpretq_u8_s32(high)] }
    }
}

// SAFETY: every function is made of NEON instructions and of `sdot`.
unsafe impl Isa for Neon {
    type Codes = [uint8x16_t; 2];
    type Ints = [int32x4_t; 2];
    type Floats = [float32x4_t; 2];
    const SIGNED_BYTES: bool = true;

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self::Codes {
        // SAFETY: as the trait's caller promises, here and below.
        unsafe { [vld1q_u8(from), vld1q_u8(from.add(16))] }
    }
    #[inline(always)]
    unsafe fn store(codes: Self::Codes, to: *mut u8) {
        // SAFETY: as above.
        unsafe {
            vst1q_u8(to, codes[0]);
            vst1q_u8(to.add(16), codes[1]);
        }
    }
    #[inline(always)]
    unsafe fn mask(mask: u8) -> Self::Codes {
        // SAFETY: as above.
        unsafe { [vdupq_n_u8(mask); 2] }
    }
    #[inline(always)]
    unsafe fn and(a: Self::Codes, b: Self::Codes) -> Self::Codes {
        // SAFETY: as above.
        unsafe { [vandq_u8(a[0], b[0]), vandq_u8(a[1], b[1])] }
    }
    #[inline(always)]
    unsafe fn or(a: Self::Codes, b: Self::Codes) -> Self::Codes {
        // SAFETY: as above.
        unsafe { [vorrq_u8(a[0], b[0]), vorrq_u8(a[1], b[1])] }
    }
    #[inline(always)]
    unsafe fn up<const BY: i32>(codes: Self::Codes) -> Self::Codes {
        // SAFETY: as above.
        unsafe { [vshlq_n_u8::<BY>(codes[0]), vshlq_n_u8::<BY>(codes[1])] }
    }
    #[inline(always)]
    unsafe fn down<const BY: i32>(codes: Self::Codes) -> Self::Codes {
        // SAFETY: as above.
        unsafe { [vshrq_n_u8::<BY>(codes[0]), vshrq_n_u8::<BY>(codes[1])] }
    }

    #[inline(always)]
    unsafe fn floats(from: *const u8) -> Self::Floats {
        // SAFETY: as above.
        unsafe { [vreinterpretq_f32_u8(vld1q_u8(from)), vreinterpretq_f32_u8(vld1q_u8(from.add(16)))] }
    }
    #[inline(always)]
    unsafe fn halves(from: *const u8) -> Self::Floats {
        // SAFETY: as above; the assembly works on registers alone.
        unsafe {
            let halves = vld1q_u8(from);
            let (low, high): (float32x4_t, float32x4_t);
            asm!(
                "fcvtl {low:v}.4s, {halves:v}.4h",
                "fcvtl2 {high:v}.4s, {halves:v}.8h",
                low = out(vreg) low,
                high = lateout(vreg) high,
                halves = in(vreg) halves,
                options(pure, nomem, nostack)
            );
            [low, high]
        }
    }
    #[inline(always)]
    unsafe fn brains(from: *const u8) -> Self::Floats {
        // SAFETY: as above.
        unsafe {
            let brains = vreinterpretq_u16_u8(vld1q_u8(from));
            let low = vshll_n_u16::<16>(vget_low_u16(brains));
            let high = vshll_n_u16::<16>(vget_high_u16(brains));
            [vreinterpretq_f32_u32(low), vreinterpretq_f32_u32(high)]
        }
    }
    #[inline(always)]
    unsafe fn store_floats(floats: Self::Floats, to: *mut f32) {
        // SAFETY: as above.
        unsafe {
            vst1q_f32(to, floats[0]);
            vst1q_f32(to.add(4), floats[1]);
        }
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self::Floats {
        // SAFETY: as above.
        unsafe { [vdupq_n_f32(x); 2] }
    }
    #[inline(always)]
    unsafe fn add(a: Self::Floats, b: Self::Floats) -> Self::Floats {
        // SAFETY: as above.
        unsafe { [vaddq_f32(a[0], b[0]), vaddq_f32(a[1], b[1])] }
    }
    #[inline(always)]
    unsafe fn mul(a: Self::Floats, b: Self::Floats) -> Self::Floats {
        // SAFETY: as above.
        unsafe { [vmulq_f32(a[0], b[0]), vmulq_f32(a[1], b[1])] }
    }
    #[inline(always)]
    unsafe fn mul_add(a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats {
        // SAFETY: as above.
        unsafe { [vfmaq_f32(c[0], a[0], b[0]), vfmaq_f32(c[1], a[1], b[1])] }
    }
    #[inline(always)]
    unsafe fn negated_mul_add(a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats {
        // SAFETY: as above.
        unsafe { [vfmsq_f32(c[0], a[0], b[0]), vfmsq_f32(c[1], a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn zero() -> Self::Ints {
        // SAFETY: as above.
        unsafe { [vdupq_n_s32(0); 2] }
    }
    #[inline(always)]
    unsafe fn add_ints(a: Self::Ints, b: Self::Ints) -> Self::Ints {
        // SAFETY: as above.
        unsafe { [vaddq_s32(a[0], b[0]), vaddq_s32(a[1], b[1])] }
    }
    #[inline(always)]
    unsafe fn sub_scaled<const N: i32>(a: Self::Ints, x: Self::Ints) -> Self::Ints {
        // SAFETY: as above.
        unsafe { [vsubq_s32(a[0], vshlq_n_s32::<N>(x[0])), vsubq_s32(a[1], vshlq_n_s32::<N>(x[1]))] }
    }
    #[inline(always)]
    unsafe fn splat_int(x: i32) -> Self::Ints {
        // SAFETY: as above.
        unsafe { [vdupq_n_s32(x); 2] }
    }
    #[inline(always)]
    unsafe fn to_floats(ints: Self::Ints) -> Self::Floats {
        // SAFETY: as above.
        unsafe { [vcvtq_f32_s32(ints[0]), vcvtq_f32_s32(ints[1])] }
    }

    #[inline(always)]
    unsafe fn block_dot<const BITS: usize>(quads: &[Self::Codes; 8], x: *const i8) -> Self::Ints {
        // SAFETY: as above.
        unsafe { Self::add_ints(Self::half::<BITS>(quads, x, 0), Self::half::<BITS>(quads, x, 4)) }
    }

    /// The factors of the sums are 32-bit numbers, those of the activations' sums pairs of 16-bit ones.
    #[inline(always)]
    unsafe fn factors<const MIN: bool>(scales: *const u8, mins: *const u8) -> [Self::Codes; 3] {
        // SAFETY: as above: 16 bytes of each.
        unsafe {
            let scales = vreinterpretq_s8_u8(vld1q_u8(scales));
            let other = if MIN { vreinterpretq_s8_u8(vld1q_u8(mins)) } else { scales };
            let even = vmovl_s8(vget_low_s8(vuzp1q_s8(scales, scales)));
            let odd = vmovl_s8(vget_low_s8(vuzp2q_s8(scales, scales)));
            [
                Self::bytes(vmovl_s16(vget_low_s16(even)), vmovl_s16(vget_high_s16(even))),
                Self::bytes(vmovl_s16(vget_low_s16(odd)), vmovl_s16(vget_high_s16(odd))),
                [
                    vreinterpretq_u8_s16(vmovl_s8(vget_low_s8(other))),
                    vreinterpretq_u8_s16(vmovl_s8(vget_high_s8(other))),
                ],
            ]
        }
    }

    #[inline(always)]
    unsafe fn sub_dot<const BITS: usize, const SUB: usize>(
        quads: &[Self::Codes; 8],
        x: *const i8,
        first: Self::Codes,
        second: Self::Codes,
    ) -> Self::Ints {
        // SAFETY: as above.
        unsafe {
            let (mut low, mut high) = (Self::half::<BITS>(quads, x, 0), Self::half::<BITS>(quads, x, 4));
            for part in 0..2 {
                let (first, second) = (vreinterpretq_s32_u8(first[part]), vreinterpretq_s32_u8(second[part]));
                low[part] = vmulq_s32(low[part], first);
                high[part] = vmulq_s32(high[part], if SUB == 16 { second } else { first });
            }
            Self::add_ints(low, high)
        }
    }

    #[inline(always)]
    unsafe fn offset(other: Self::Codes, sums: *const i16) -> Self::Ints {
        // SAFETY: as above: two sums.
        unsafe {
            let pair = vreinterpretq_s16_s32(vdupq_n_s32(sums.cast::<i32>().read_unaligned()));
            let mut out = [vdupq_n_s32(0); 2];
            for (out, other) in out.iter_mut().zip(other) {
                let other = vreinterpretq_s16_u8(other);
                let low = vmull_s16(vget_low_s16(other), vget_low_s16(pair));
                let high = vmull_s16(vget_high_s16(other), vget_high_s16(pair));
                *out = vpaddq_s32(low, high);
            }
            out
        }
    }

    #[inline(always)]
    unsafe fn ask_for(at: *const u8) {
        // SAFETY: an address that cannot be read is ignored by the processor.
        unsafe { asm!("prfm pldl1keep, [{at}]", at = in(reg) at, options(readonly, nostack)) };
    }
}
