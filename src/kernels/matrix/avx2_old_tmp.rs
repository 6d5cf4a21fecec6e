//! Products with AVX2.
//!
//! The core is `vpmaddubsw`: unsigned codes times signed activations, pairs added in 16 bits. With
//! activations of at most 127 the sum of all eight quads of 4-bit codes still fits (8 · 2 · 15 · 127), of
//! four quads of 5-bit codes, of two of 6-bit codes; eight bits are multiplied as two halves of four. One
//! `vpmaddwd` per sum widens it to 32 bits and applies the integer scale of a sub-block.

use std::arch::x86_64::*;

use super::{
    activations::Activations,
    layout::{BLOCK, CODES, HALVES, ROWS, SUPER, Shape, planes_bytes, scales_bytes},
};
use crate::formats::gguf::GgmlType;

/// Tokens that are multiplied with unpacked codes at a time.
const TILE: usize = 4;
/// Bytes of a vector.
const VECTOR: usize = 32;

/// `out[group][token]` for the groups of `weights`.
///
/// # Safety
/// The processor must have AVX2, FMA and F16C.
#[target_feature(enable = "avx2,fma,f16c")]
pub unsafe fn dot_groups(
    dtype: GgmlType,
    shape: Shape,
    weights: &[u8],
    acts: &Activations,
    out: &mut [[f32; ROWS]],
    panel: &mut Vec<u8>,
) {
    match shape {
        Shape::Block { bits: 4, min: false } => blocks::<4, false>(weights, acts, out, panel),
        Shape::Block { bits: 4, min: true } => blocks::<4, true>(weights, acts, out, panel),
        Shape::Block { bits: 5, min: false } => blocks::<5, false>(weights, acts, out, panel),
        Shape::Block { bits: 5, min: true } => blocks::<5, true>(weights, acts, out, panel),
        Shape::Block { .. } => blocks::<8, false>(weights, acts, out, panel),
        Shape::Super { bits: 2, .. } => supers::<2, 16, true>(weights, acts, out, panel),
        Shape::Super { bits: 3, .. } => supers::<3, 16, false>(weights, acts, out, panel),
        Shape::Super { bits: 4, .. } => supers::<4, 32, true>(weights, acts, out, panel),
        Shape::Super { bits: 5, .. } => supers::<5, 32, true>(weights, acts, out, panel),
        Shape::Super { .. } => supers::<6, 16, false>(weights, acts, out, panel),
        Shape::Float { .. } => match dtype {
            GgmlType::F16 => floats::<2, false>(weights, acts, out),
            GgmlType::BF16 => floats::<2, true>(weights, acts, out),
            _ => floats::<4, false>(weights, acts, out),
        },
    }
}

/// # Safety
/// 32 readable bytes.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn load(bytes: *const u8) -> __m256i {
    // SAFETY: as the caller promises.
    unsafe { _mm256_loadu_si256(bytes.cast()) }
}

/// # Safety
/// 32 readable bytes.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn load_floats(bytes: *const u8) -> __m256 {
    // SAFETY: as the caller promises.
    unsafe { _mm256_loadu_ps(bytes.cast()) }
}

/// Eight half floats as floats.
///
/// # Safety
/// 16 readable bytes.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn load_halves(bytes: *const u8) -> __m256 {
    // SAFETY: as the caller promises.
    unsafe { _mm256_cvtph_ps(_mm_loadu_si128(bytes.cast())) }
}

/// How far ahead of the arithmetic weights are asked for: about what arrives in the time that memory takes to answer.
const AHEAD: usize = 2048;

/// Asks for the line `AHEAD` bytes from here. An address beyond the weights is ignored by the processor.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn ask_for(bytes: *const u8) {
    _mm_prefetch::<_MM_HINT_T0>(bytes.wrapping_add(AHEAD).cast());
}

/// Four activations, in every lane.
///
/// # Safety
/// 4 readable bytes.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn four(x: *const i8) -> __m256i {
    // SAFETY: as the caller promises.
    _mm256_set1_epi32(unsafe { x.cast::<i32>().read_unaligned() })
}

/// The codes of a block, a vector a quad.
///
/// # Safety
/// `planes` must be the planes of a block.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn unpack<const BITS: usize>(planes: *const u8) -> [__m256i; 8] {
    let nibble = _mm256_set1_epi8(15);
    let mut quads = [_mm256_setzero_si256(); 8];
    // SAFETY: all reads lie in the planes.
    unsafe {
        match BITS {
            2 | 3 => {
                let three = _mm256_set1_epi8(3);
                for half in 0..2 {
                    let two = load(planes.add(VECTOR * half));
                    quads[4 * half] = _mm256_and_si256(two, three);
                    quads[4 * half + 1] = _mm256_and_si256(_mm256_srli_epi16::<2>(two), three);
                    quads[4 * half + 2] = _mm256_and_si256(_mm256_srli_epi16::<4>(two), three);
                    quads[4 * half + 3] = _mm256_and_si256(_mm256_srli_epi16::<6>(two), three);
                }
                if BITS == 3 {
                    let bit = _mm256_set1_epi8(4);
                    let one = load(planes.add(2 * VECTOR));
                    quads[0] = _mm256_or_si256(quads[0], _mm256_and_si256(_mm256_slli_epi16::<2>(one), bit));
                    quads[1] = _mm256_or_si256(quads[1], _mm256_and_si256(_mm256_slli_epi16::<1>(one), bit));
                    quads[2] = _mm256_or_si256(quads[2], _mm256_and_si256(one, bit));
                    quads[3] = _mm256_or_si256(quads[3], _mm256_and_si256(_mm256_srli_epi16::<1>(one), bit));
                    quads[4] = _mm256_or_si256(quads[4], _mm256_and_si256(_mm256_srli_epi16::<2>(one), bit));
                    quads[5] = _mm256_or_si256(quads[5], _mm256_and_si256(_mm256_srli_epi16::<3>(one), bit));
                    quads[6] = _mm256_or_si256(quads[6], _mm256_and_si256(_mm256_srli_epi16::<4>(one), bit));
                    quads[7] = _mm256_or_si256(quads[7], _mm256_and_si256(_mm256_srli_epi16::<5>(one), bit));
                }
            }
            8 => {
                for (quad, codes) in quads.iter_mut().enumerate() {
                    *codes = load(planes.add(VECTOR * quad));
                }
            }
            _ => {
                for quad in 0..4 {
                    let both = load(planes.add(VECTOR * quad));
                    quads[quad] = _mm256_and_si256(both, nibble);
                    quads[quad + 4] = _mm256_and_si256(_mm256_srli_epi16::<4>(both), nibble);
                }
                if BITS == 5 {
                    let bit = _mm256_set1_epi8(16);
                    let one = load(planes.add(4 * VECTOR));
                    quads[0] = _mm256_or_si256(quads[0], _mm256_and_si256(_mm256_slli_epi16::<4>(one), bit));
                    quads[1] = _mm256_or_si256(quads[1], _mm256_and_si256(_mm256_slli_epi16::<3>(one), bit));
                    quads[2] = _mm256_or_si256(quads[2], _mm256_and_si256(_mm256_slli_epi16::<2>(one), bit));
                    quads[3] = _mm256_or_si256(quads[3], _mm256_and_si256(_mm256_slli_epi16::<1>(one), bit));
                    quads[4] = _mm256_or_si256(quads[4], _mm256_and_si256(one, bit));
                    quads[5] = _mm256_or_si256(quads[5], _mm256_and_si256(_mm256_srli_epi16::<1>(one), bit));
                    quads[6] = _mm256_or_si256(quads[6], _mm256_and_si256(_mm256_srli_epi16::<2>(one), bit));
                    quads[7] = _mm256_or_si256(quads[7], _mm256_and_si256(_mm256_srli_epi16::<3>(one), bit));
                }
                if BITS == 6 {
                    let bits = _mm256_set1_epi8(48);
                    for half in 0..2 {
                        let two = load(planes.add(VECTOR * (4 + half)));
                        let high = [
                            _mm256_slli_epi16::<4>(two),
                            _mm256_slli_epi16::<2>(two),
                            two,
                            _mm256_srli_epi16::<2>(two),
                        ];
                        for (quad, high) in high.into_iter().enumerate() {
                            let low = quads[4 * half + quad];
                            quads[4 * half + quad] = _mm256_or_si256(low, _mm256_and_si256(high, bits));
                        }
                    }
                }
            }
        }
    }
    quads
}

/// Sum of products of a block, for each row: the first four quads times `first`, the others times `second`
/// (16-bit factors); `SAME` says that the two are equal.
///
/// # Safety
/// 32 activations at `x`.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn dot<const BITS: usize, const SAME: bool>(
    quads: &[__m256i; 8],
    x: *const i8,
    first: __m256i,
    second: __m256i,
) -> __m256i {
    // SAFETY: `quad` is below eight.
    let product = |quad: usize, codes: __m256i| unsafe { _mm256_maddubs_epi16(codes, four(x.add(4 * quad))) };
    let quad = |index: usize| product(index, quads[index]);
    let pair = |index: usize| _mm256_add_epi16(quad(index), quad(index + 1));
    match BITS {
        2..=4 if SAME => {
            let low = _mm256_add_epi16(pair(0), pair(2));
            let high = _mm256_add_epi16(pair(4), pair(6));
            _mm256_madd_epi16(_mm256_add_epi16(low, high), first)
        }
        2..=5 => {
            let low = _mm256_madd_epi16(_mm256_add_epi16(pair(0), pair(2)), first);
            let high = _mm256_madd_epi16(_mm256_add_epi16(pair(4), pair(6)), second);
            _mm256_add_epi32(low, high)
        }
        6 => {
            let low = _mm256_add_epi32(_mm256_madd_epi16(pair(0), first), _mm256_madd_epi16(pair(2), first));
            let high = _mm256_add_epi32(_mm256_madd_epi16(pair(4), second), _mm256_madd_epi16(pair(6), second));
            _mm256_add_epi32(low, high)
        }
        _ => {
            let nibble = _mm256_set1_epi8(15);
            let (mut low, mut high) = (_mm256_setzero_si256(), _mm256_setzero_si256());
            for (index, codes) in quads.iter().enumerate() {
                low = _mm256_add_epi16(low, product(index, _mm256_and_si256(*codes, nibble)));
                let upper = _mm256_and_si256(_mm256_srli_epi16::<4>(*codes), nibble);
                high = _mm256_add_epi16(high, product(index, upper));
            }
            let sixteen = _mm256_slli_epi16::<4>(first);
            _mm256_add_epi32(_mm256_madd_epi16(low, first), _mm256_madd_epi16(high, sixteen))
        }
    }
}

/// One block of one token onto the row sums.
///
/// # Safety
/// `token` must point at the activations of this block.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn add_block<const BITS: usize, const MIN: bool>(
    sums: __m256,
    quads: &[__m256i; 8],
    (scale, min): (__m256, __m256),
    acts: &Activations,
    at: usize,
) -> __m256 {
    let ones = _mm256_set1_epi16(1);
    let codes = &acts.blocks;
    // SAFETY: `at` counts blocks of the activations, so all of these exist.
    unsafe {
        let mut dot = dot::<BITS, true>(quads, codes.q.as_ptr().add(at * BLOCK), ones, ones);
        if !MIN {
            let sum = _mm256_set1_epi32(*codes.sum.get_unchecked(at));
            dot = _mm256_sub_epi32(dot, _mm256_sll_epi32(sum, _mm_cvtsi32_si128(BITS as i32 - 1)));
        }
        let scale = _mm256_mul_ps(scale, _mm256_set1_ps(*codes.scale.get_unchecked(at)));
        let sums = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), scale, sums);
        if MIN { _mm256_fmadd_ps(min, _mm256_set1_ps(*codes.scaled_sum.get_unchecked(at)), sums) } else { sums }
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn blocks<const BITS: usize, const MIN: bool>(
    weights: &[u8],
    acts: &Activations,
    out: &mut [[f32; ROWS]],
    panel: &mut Vec<u8>,
) {
    let unit = const { Shape::Block { bits: BITS, min: MIN }.unit_bytes() };
    let count = acts.columns / BLOCK;
    let groups = weights.chunks_exact(count * unit);
    assert!(acts.blocks.q.len() >= acts.tokens * acts.columns && out.len() == groups.len() * acts.tokens);
    if acts.tokens == 1 {
        for (group, out) in groups.zip(out) {
            let mut sums = _mm256_setzero_ps();
            for (block, bytes) in group.chunks_exact(unit).enumerate() {
                for line in 0..unit.div_ceil(64) {
                    ask_for(bytes.as_ptr().wrapping_add(64 * line));
                }
                // SAFETY: `bytes` is a block of a group; `block` one of the token's.
                unsafe {
                    let (head, quads) = block_of::<BITS, MIN>(bytes.as_ptr());
                    sums = add_block::<BITS, MIN>(sums, &quads, head, acts, block);
                }
            }
            // SAFETY: eight floats.
            unsafe { _mm256_storeu_ps(out.as_mut_ptr(), sums) };
        }
        return;
    }
    // Unpacked: scales and minima as floats, a byte a code.
    let wide = 2 * VECTOR + CODES;
    panel.resize(groups.len() * count * wide, 0);
    for (bytes, wide) in weights.chunks_exact(unit).zip(panel.chunks_exact_mut(wide)) {
        // SAFETY: `bytes` is a block of a group, `wide` has room for ten vectors.
        unsafe {
            let ((scale, min), quads) = block_of::<BITS, MIN>(bytes.as_ptr());
            _mm256_storeu_ps(wide.as_mut_ptr().cast(), scale);
            _mm256_storeu_ps(wide.as_mut_ptr().add(VECTOR).cast(), min);
            for (quad, codes) in quads.into_iter().enumerate() {
                _mm256_storeu_si256(wide.as_mut_ptr().add((2 + quad) * VECTOR).cast(), codes);
            }
        }
    }
    let groups = groups.len();
    let mut token = 0;
    while token < acts.tokens {
        let tile = TILE.min(acts.tokens - token);
        for group in 0..groups {
            let panel = &panel[group * count * wide..(group + 1) * count * wide];
            let out = &mut out[group * acts.tokens + token..group * acts.tokens + token + tile];
            match tile {
                1 => block_tile::<BITS, MIN, 1>(panel, acts, token, out),
                2 => block_tile::<BITS, MIN, 2>(panel, acts, token, out),
                3 => block_tile::<BITS, MIN, 3>(panel, acts, token, out),
                _ => block_tile::<BITS, MIN, TILE>(panel, acts, token, out),
            }
        }
        token += tile;
    }
}

/// The scales, minima and codes of a packed block.
///
/// # Safety
/// `bytes` must be a block of a group.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn block_of<const BITS: usize, const MIN: bool>(bytes: *const u8) -> ((__m256, __m256), [__m256i; 8]) {
    // SAFETY: all of it lies in the block.
    unsafe {
        let scale = load_halves(bytes);
        let min = if MIN { load_halves(bytes.add(HALVES)) } else { _mm256_setzero_ps() };
        ((scale, min), unpack::<BITS>(bytes.add(if MIN { 2 * HALVES } else { HALVES })))
    }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn block_tile<const BITS: usize, const MIN: bool, const TOKENS: usize>(
    panel: &[u8],
    acts: &Activations,
    token: usize,
    out: &mut [[f32; ROWS]],
) {
    let count = acts.columns / BLOCK;
    let mut sums = [_mm256_setzero_ps(); TOKENS];
    for (block, wide) in panel.chunks_exact(2 * VECTOR + CODES).enumerate() {
        // SAFETY: `wide` holds ten vectors; the blocks of the tokens exist.
        unsafe {
            let wide = wide.as_ptr();
            let head = (load_floats(wide), load_floats(wide.add(VECTOR)));
            let quads: [__m256i; 8] = unpack::<8>(wide.add(2 * VECTOR));
            for (index, sums) in sums.iter_mut().enumerate() {
                *sums = add_block::<BITS, MIN>(*sums, &quads, head, acts, (token + index) * count + block);
            }
        }
    }
    for (sums, out) in sums.into_iter().zip(out) {
        // SAFETY: eight floats.
        unsafe { _mm256_storeu_ps(out.as_mut_ptr(), sums) };
    }
}

/// Where the parts of an unpacked super-block are: two vectors of scales, three for each pair of sub-blocks
/// (the factors of the even one, of the odd one, and those of the sums of activations), the codes.
const fn wide_super(sub: usize) -> usize {
    (2 + 3 * (SUPER / sub / 2)) * VECTOR + SUPER / BLOCK * CODES
}

/// The factors of a pair of sub-blocks as 16-bit numbers: twice the even scale in each lane, twice the odd
/// one, and what the sums of activations are multiplied with.
///
/// # Safety
/// 16 readable bytes of scales, and of minima if there are any.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn factors<const MIN: bool>(scales: *const u8, mins: *const u8) -> [__m256i; 3] {
    let even = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 0, 1, 4, 5, 4, 5, 8, 9, 8, 9, 12, 13, 12, 13));
    let odd = _mm256_broadcastsi128_si256(_mm_setr_epi8(2, 3, 2, 3, 6, 7, 6, 7, 10, 11, 10, 11, 14, 15, 14, 15));
    // SAFETY: as the caller promises.
    let (scales, mins) = unsafe {
        let scales = _mm256_cvtepi8_epi16(_mm_loadu_si128(scales.cast()));
        (scales, if MIN { _mm256_cvtepi8_epi16(_mm_loadu_si128(mins.cast())) } else { scales })
    };
    [_mm256_shuffle_epi8(scales, even), _mm256_shuffle_epi8(scales, odd), mins]
}

/// The sums of the activations of a pair of sub-blocks, in every lane.
///
/// # Safety
/// `at` must count super-blocks of the activations, `pair` the pairs of one.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn pair_of_sums<const SUB: usize>(acts: &Activations, at: usize, pair: usize) -> __m256i {
    let sums = if SUB == 16 { &acts.supers.sums } else { &acts.supers.sums_of_32 };
    // SAFETY: as the caller promises.
    unsafe { four(sums.as_ptr().add(at * (SUPER / SUB) + 2 * pair).cast()) }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn supers<const BITS: usize, const SUB: usize, const MIN: bool>(
    weights: &[u8],
    acts: &Activations,
    out: &mut [[f32; ROWS]],
    panel: &mut Vec<u8>,
) {
    let unit = const { Shape::Super { bits: BITS, sub: SUB, min: MIN }.unit_bytes() };
    let count = acts.columns / SUPER;
    let groups = weights.chunks_exact(count * unit);
    assert!(acts.supers.q.len() >= acts.tokens * acts.columns && out.len() == groups.len() * acts.tokens);
    if acts.tokens == 1 {
        for (group, out) in groups.zip(out) {
            let mut sums = _mm256_setzero_ps();
            for (block, bytes) in group.chunks_exact(unit).enumerate() {
                // SAFETY: `bytes` is a super-block of a group; `block` one of the token's.
                unsafe { sums = add_packed::<BITS, SUB, MIN>(sums, bytes.as_ptr(), acts, block) };
            }
            // SAFETY: eight floats.
            unsafe { _mm256_storeu_ps(out.as_mut_ptr(), sums) };
        }
        return;
    }
    let wide = const { wide_super(SUB) };
    panel.resize(groups.len() * count * wide, 0);
    for (bytes, wide) in weights.chunks_exact(unit).zip(panel.chunks_exact_mut(wide)) {
        // SAFETY: `bytes` is a super-block of a group, `wide` has room for it unpacked.
        unsafe { widen::<BITS, SUB, MIN>(bytes.as_ptr(), wide.as_mut_ptr()) };
    }
    let groups = groups.len();
    let mut token = 0;
    while token < acts.tokens {
        let tile = TILE.min(acts.tokens - token);
        for group in 0..groups {
            let panel = &panel[group * count * wide..(group + 1) * count * wide];
            let out = &mut out[group * acts.tokens + token..group * acts.tokens + token + tile];
            match tile {
                1 => super_tile::<BITS, SUB, MIN, 1>(panel, acts, token, out),
                2 => super_tile::<BITS, SUB, MIN, 2>(panel, acts, token, out),
                3 => super_tile::<BITS, SUB, MIN, 3>(panel, acts, token, out),
                _ => super_tile::<BITS, SUB, MIN, TILE>(panel, acts, token, out),
            }
        }
        token += tile;
    }
}

/// Adds the products of a super-block, given its integer sums, to the row sums.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn finish<const BITS: usize, const MIN: bool>(
    sums: __m256,
    mut dot: __m256i,
    offset: __m256i,
    (scale, min): (__m256, __m256),
    x_scale: f32,
) -> __m256 {
    let x_scale = _mm256_set1_ps(x_scale);
    if !MIN {
        dot = _mm256_sub_epi32(dot, _mm256_sll_epi32(offset, _mm_cvtsi32_si128(BITS as i32 - 1)));
    }
    let sums = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), _mm256_mul_ps(scale, x_scale), sums);
    if MIN { _mm256_fnmadd_ps(_mm256_cvtepi32_ps(offset), _mm256_mul_ps(min, x_scale), sums) } else { sums }
}

/// One packed super-block of one token onto the row sums.
///
/// # Safety
/// `bytes` must be a super-block of a group, `at` count super-blocks of the activations.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn add_packed<const BITS: usize, const SUB: usize, const MIN: bool>(
    sums: __m256,
    bytes: *const u8,
    acts: &Activations,
    at: usize,
) -> __m256 {
    // SAFETY: all of it lies in the super-block and in the token's activations.
    unsafe {
        let head = if MIN {
            (load_halves(bytes), load_halves(bytes.add(HALVES)))
        } else {
            (load_halves(bytes), _mm256_setzero_ps())
        };
        let scales = bytes.add(if MIN { 2 * HALVES } else { HALVES });
        let mins = scales.add(if MIN { scales_bytes(SUB) } else { 0 });
        let planes = mins.add(scales_bytes(SUB));
        let x = acts.supers.q.as_ptr().add(at * SUPER);
        let (mut dot_sum, mut offset) = (_mm256_setzero_si256(), _mm256_setzero_si256());
        for pair in 0..SUPER / SUB / 2 {
            let [even, odd, other] = factors::<MIN>(scales.add(16 * pair), mins.add(16 * pair));
            offset = _mm256_add_epi32(offset, _mm256_madd_epi16(other, pair_of_sums::<SUB>(acts, at, pair)));
            if SUB == 16 {
                let planes = planes.add(pair * planes_bytes(BITS));
                for line in 0..planes_bytes(BITS).div_ceil(64) {
                    ask_for(planes.wrapping_add(64 * line));
                }
                let quads = unpack::<BITS>(planes);
                dot_sum = _mm256_add_epi32(dot_sum, dot::<BITS, false>(&quads, x.add(pair * BLOCK), even, odd));
            } else {
                for (half, factor) in [even, odd].into_iter().enumerate() {
                    let block = 2 * pair + half;
                    let planes = planes.add(block * planes_bytes(BITS));
                    for line in 0..planes_bytes(BITS).div_ceil(64) {
                        ask_for(planes.wrapping_add(64 * line));
                    }
                    let quads = unpack::<BITS>(planes);
                    dot_sum =
                        _mm256_add_epi32(dot_sum, dot::<BITS, true>(&quads, x.add(block * BLOCK), factor, factor));
                }
            }
        }
        finish::<BITS, MIN>(sums, dot_sum, offset, head, *acts.supers.scale.get_unchecked(at))
    }
}

/// Unpacks a super-block.
///
/// # Safety
/// `bytes` must be a super-block of a group, `wide` `wide_super` writable bytes.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn widen<const BITS: usize, const SUB: usize, const MIN: bool>(bytes: *const u8, wide: *mut u8) {
    // SAFETY: as the caller promises.
    unsafe {
        let put = |index: usize, vector: __m256i| _mm256_storeu_si256(wide.add(index * VECTOR).cast(), vector);
        put(0, _mm256_castps_si256(load_halves(bytes)));
        if MIN {
            put(1, _mm256_castps_si256(load_halves(bytes.add(HALVES))));
        }
        let scales = bytes.add(if MIN { 2 * HALVES } else { HALVES });
        let mins = scales.add(if MIN { scales_bytes(SUB) } else { 0 });
        let planes = mins.add(scales_bytes(SUB));
        let pairs = SUPER / SUB / 2;
        for pair in 0..pairs {
            let three = factors::<MIN>(scales.add(16 * pair), mins.add(16 * pair));
            for (index, factor) in three.into_iter().enumerate() {
                put(2 + 3 * pair + index, factor);
            }
        }
        for block in 0..SUPER / BLOCK {
            let quads = unpack::<BITS>(planes.add(block * planes_bytes(BITS)));
            for (quad, codes) in quads.into_iter().enumerate() {
                put(2 + 3 * pairs + 8 * block + quad, codes);
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn super_tile<const BITS: usize, const SUB: usize, const MIN: bool, const TOKENS: usize>(
    panel: &[u8],
    acts: &Activations,
    token: usize,
    out: &mut [[f32; ROWS]],
) {
    let count = acts.columns / SUPER;
    let pairs = SUPER / SUB / 2;
    let mut sums = [_mm256_setzero_ps(); TOKENS];
    for (index, wide) in panel.chunks_exact(const { wide_super(SUB) }).enumerate() {
        let wide = wide.as_ptr();
        let (mut dots, mut offsets) = ([_mm256_setzero_si256(); TOKENS], [_mm256_setzero_si256(); TOKENS]);
        // SAFETY: `wide` is an unpacked super-block; the super-blocks of the tokens exist.
        unsafe {
            let get = |vector: usize| load(wide.add(vector * VECTOR));
            for pair in 0..pairs {
                let other = get(4 + 3 * pair);
                for (t, offset) in offsets.iter_mut().enumerate() {
                    let x = pair_of_sums::<SUB>(acts, (token + t) * count + index, pair);
                    *offset = _mm256_add_epi32(*offset, _mm256_madd_epi16(other, x));
                }
            }
            for block in 0..SUPER / BLOCK {
                let quads: [__m256i; 8] = unpack::<8>(wide.add((2 + 3 * pairs + 8 * block) * VECTOR));
                for (t, dots) in dots.iter_mut().enumerate() {
                    let x = acts.supers.q.as_ptr().add(((token + t) * count + index) * SUPER + block * BLOCK);
                    let dot = if SUB == 16 {
                        dot::<BITS, false>(&quads, x, get(2 + 3 * block), get(3 + 3 * block))
                    } else {
                        let factor = get(2 + 3 * (block / 2) + block % 2);
                        dot::<BITS, true>(&quads, x, factor, factor)
                    };
                    *dots = _mm256_add_epi32(*dots, dot);
                }
            }
            let head = (_mm256_castsi256_ps(get(0)), _mm256_castsi256_ps(get(1)));
            for (t, sums) in sums.iter_mut().enumerate() {
                let x_scale = *acts.supers.scale.get_unchecked((token + t) * count + index);
                *sums = finish::<BITS, MIN>(*sums, dots[t], offsets[t], head, x_scale);
            }
        }
    }
    for (sums, out) in sums.into_iter().zip(out) {
        // SAFETY: eight floats.
        unsafe { _mm256_storeu_ps(out.as_mut_ptr(), sums) };
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn floats<const BYTES: usize, const BRAIN: bool>(weights: &[u8], acts: &Activations, out: &mut [[f32; ROWS]]) {
    let group = acts.columns * ROWS * BYTES;
    assert!(acts.float.len() >= acts.tokens * acts.columns);
    for (weights, out) in weights.chunks_exact(group).zip(out.chunks_exact_mut(acts.tokens)) {
        for (index, out) in out.chunks_mut(2).enumerate() {
            let x = &acts.float[2 * index * acts.columns..];
            match out {
                [one] => float_tile::<BYTES, BRAIN, 1>(weights, x, acts.columns, std::slice::from_mut(one)),
                two => float_tile::<BYTES, BRAIN, 2>(weights, x, acts.columns, two),
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn float_tile<const BYTES: usize, const BRAIN: bool, const TOKENS: usize>(
    weights: &[u8],
    x: &[f32],
    columns: usize,
    out: &mut [[f32; ROWS]],
) {
    assert!(x.len() >= TOKENS * columns && weights.len() == columns * ROWS * BYTES);
    let mut sums = [[_mm256_setzero_ps(); 4]; TOKENS];
    let mut column = 0;
    while column < columns {
        for part in 0..4.min(columns - column) {
            // SAFETY: the column is one of the matrix and of each token.
            unsafe {
                let bytes = weights.as_ptr().add((column + part) * ROWS * BYTES);
                let w = if BYTES == 4 {
                    load_floats(bytes)
                } else if BRAIN {
                    let wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(bytes.cast()));
                    _mm256_castsi256_ps(_mm256_slli_epi32::<16>(wide))
                } else {
                    load_halves(bytes)
                };
                for (token, sums) in sums.iter_mut().enumerate() {
                    let x = _mm256_set1_ps(*x.get_unchecked(token * columns + column + part));
                    sums[part] = _mm256_fmadd_ps(w, x, sums[part]);
                }
            }
        }
        column += 4;
    }
    for (sums, out) in sums.into_iter().zip(out) {
        let sum = _mm256_add_ps(_mm256_add_ps(sums[0], sums[1]), _mm256_add_ps(sums[2], sums[3]));
        // SAFETY: eight floats.
        unsafe { _mm256_storeu_ps(out.as_mut_ptr(), sum) };
    }
}
