//! The loops of quantised products, written once over [`Isa`].
//!
//! One token streams the packed weights. Several tokens unpack a few groups of rows once into a panel and multiply it
//! with a tile of tokens after the other. Both call the same functions in the same order for each number. Functions
//! are inlined into the entry of their instruction set and use no closures: those would be compiled without it.

use super::{
    activations::{Activations, TILE},
    isa::Isa,
    layout::{BLOCK, CODES, HALVES, ROWS, SUPER, Shape, planes_bytes, scales_bytes},
};
use crate::formats::gguf::GgmlType;

/// Bytes of a vector of codes.
const VECTOR: usize = 32;
/// How far ahead of the arithmetic weights are asked for: about what arrives in the time that memory takes to answer.
const AHEAD: usize = 2048;

/// `out[group][token]` for the groups of `weights`.
///
/// # Safety
/// As for [`Isa`].
#[inline(always)]
pub unsafe fn dot_groups<I: Isa>(
    dtype: GgmlType,
    shape: Shape,
    weights: &[u8],
    acts: &Activations,
    out: &mut [[f32; ROWS]],
    panel: &mut Vec<u8>,
) {
    // SAFETY: as the caller promises.
    unsafe {
        match shape {
            Shape::Block { bits: 4, min: false } => blocks::<I, 4, false>(weights, acts, out, panel),
            Shape::Block { bits: 4, min: true } => blocks::<I, 4, true>(weights, acts, out, panel),
            Shape::Block { bits: 5, min: false } => blocks::<I, 5, false>(weights, acts, out, panel),
            Shape::Block { bits: 5, min: true } => blocks::<I, 5, true>(weights, acts, out, panel),
            Shape::Block { .. } => blocks::<I, 8, false>(weights, acts, out, panel),
            Shape::Super { bits: 2, .. } => supers::<I, 2, 16, true>(weights, acts, out, panel),
            Shape::Super { bits: 3, .. } => supers::<I, 3, 16, false>(weights, acts, out, panel),
            Shape::Super { bits: 4, .. } => supers::<I, 4, 32, true>(weights, acts, out, panel),
            Shape::Super { bits: 5, .. } => supers::<I, 5, 32, true>(weights, acts, out, panel),
            Shape::Super { .. } => supers::<I, 6, 16, false>(weights, acts, out, panel),
            Shape::Float { .. } => match dtype {
                GgmlType::F16 => floats::<I, 2, false>(weights, acts, out),
                GgmlType::BF16 => floats::<I, 2, true>(weights, acts, out),
                _ => floats::<I, 4, false>(weights, acts, out),
            },
        }
    }
}

/// Asks for the lines of `bytes` bytes, some way ahead.
#[inline(always)]
unsafe fn ask_ahead<I: Isa>(from: *const u8, bytes: usize) {
    for line in 0..bytes.div_ceil(64) {
        // SAFETY: any address may be asked for.
        unsafe { I::ask_for(from.wrapping_add(AHEAD + 64 * line)) };
    }
}

/// The codes of a block, a vector a quad.
///
/// # Safety
/// `planes` must be the planes of a block.
#[inline(always)]
unsafe fn unpack<I: Isa, const BITS: usize>(planes: *const u8) -> [I::Codes; 8] {
    // SAFETY: all reads lie in the planes.
    unsafe {
        match BITS {
            2 => unpack_two::<I>(planes),
            3 => {
                let low = unpack_two::<I>(planes);
                let one = I::load(planes.add(2 * VECTOR));
                let bit = I::mask(4);
                [
                    I::or(low[0], I::and(I::up::<2>(one), bit)),
                    I::or(low[1], I::and(I::up::<1>(one), bit)),
                    I::or(low[2], I::and(one, bit)),
                    I::or(low[3], I::and(I::down::<1>(one), bit)),
                    I::or(low[4], I::and(I::down::<2>(one), bit)),
                    I::or(low[5], I::and(I::down::<3>(one), bit)),
                    I::or(low[6], I::and(I::down::<4>(one), bit)),
                    I::or(low[7], I::and(I::down::<5>(one), bit)),
                ]
            }
            4 => unpack_four::<I>(planes),
            5 => {
                let low = unpack_four::<I>(planes);
                let one = I::load(planes.add(4 * VECTOR));
                let bit = I::mask(16);
                [
                    I::or(low[0], I::and(I::up::<4>(one), bit)),
                    I::or(low[1], I::and(I::up::<3>(one), bit)),
                    I::or(low[2], I::and(I::up::<2>(one), bit)),
                    I::or(low[3], I::and(I::up::<1>(one), bit)),
                    I::or(low[4], I::and(one, bit)),
                    I::or(low[5], I::and(I::down::<1>(one), bit)),
                    I::or(low[6], I::and(I::down::<2>(one), bit)),
                    I::or(low[7], I::and(I::down::<3>(one), bit)),
                ]
            }
            6 => {
                let low = unpack_four::<I>(planes);
                let (a, b) = (I::load(planes.add(4 * VECTOR)), I::load(planes.add(5 * VECTOR)));
                let bits = I::mask(48);
                [
                    I::or(low[0], I::and(I::up::<4>(a), bits)),
                    I::or(low[1], I::and(I::up::<2>(a), bits)),
                    I::or(low[2], I::and(a, bits)),
                    I::or(low[3], I::and(I::down::<2>(a), bits)),
                    I::or(low[4], I::and(I::up::<4>(b), bits)),
                    I::or(low[5], I::and(I::up::<2>(b), bits)),
                    I::or(low[6], I::and(b, bits)),
                    I::or(low[7], I::and(I::down::<2>(b), bits)),
                ]
            }
            _ => load_quads::<I>(planes),
        }
    }
}

/// # Safety
/// Two vectors of two-bit planes.
#[inline(always)]
unsafe fn unpack_two<I: Isa>(planes: *const u8) -> [I::Codes; 8] {
    // SAFETY: as the caller promises.
    unsafe {
        let (a, b, three) = (I::load(planes), I::load(planes.add(VECTOR)), I::mask(3));
        [
            I::and(a, three),
            I::and(I::down::<2>(a), three),
            I::and(I::down::<4>(a), three),
            I::and(I::down::<6>(a), three),
            I::and(b, three),
            I::and(I::down::<2>(b), three),
            I::and(I::down::<4>(b), three),
            I::and(I::down::<6>(b), three),
        ]
    }
}

/// # Safety
/// Four vectors of four-bit planes.
#[inline(always)]
unsafe fn unpack_four<I: Isa>(planes: *const u8) -> [I::Codes; 8] {
    // SAFETY: as the caller promises.
    unsafe {
        let nibble = I::mask(15);
        let mut quads = [nibble; 8];
        for quad in 0..4 {
            let both = I::load(planes.add(VECTOR * quad));
            quads[quad] = I::and(both, nibble);
            quads[quad + 4] = I::and(I::down::<4>(both), nibble);
        }
        quads
    }
}

/// # Safety
/// Eight vectors.
#[inline(always)]
unsafe fn load_quads<I: Isa>(codes: *const u8) -> [I::Codes; 8] {
    // SAFETY: as the caller promises.
    unsafe {
        let mut quads = [I::load(codes); 8];
        for (quad, codes_of) in quads.iter_mut().enumerate().skip(1) {
            *codes_of = I::load(codes.add(VECTOR * quad));
        }
        quads
    }
}

/// # Safety
/// Eight vectors.
#[inline(always)]
unsafe fn store_quads<I: Isa>(quads: [I::Codes; 8], to: *mut u8) {
    for (quad, codes) in quads.into_iter().enumerate() {
        // SAFETY: as the caller promises.
        unsafe { I::store(codes, to.add(quad * VECTOR)) };
    }
}

/// The scales and the minima of eight rows.
type Head<I> = (<I as Isa>::Floats, <I as Isa>::Floats);

/// The scales, minima and codes of a packed block.
///
/// # Safety
/// `bytes` must be a block of a group.
#[inline(always)]
unsafe fn block_of<I: Isa, const BITS: usize, const MIN: bool>(bytes: *const u8) -> (Head<I>, [I::Codes; 8]) {
    // SAFETY: all of it lies in the block.
    unsafe {
        let scale = I::halves(bytes);
        let min = if MIN { I::halves(bytes.add(HALVES)) } else { scale };
        ((scale, min), unpack::<I, BITS>(bytes.add(if MIN { 2 * HALVES } else { HALVES })))
    }
}

/// One block of one token onto the row sums; `at` is its place among the activations.
///
/// # Safety
/// `at` must count blocks of the activations.
#[inline(always)]
unsafe fn add_block<I: Isa, const BITS: usize, const MIN: bool>(
    sums: I::Floats,
    quads: &[I::Codes; 8],
    (scale, min): Head<I>,
    acts: &Activations,
    at: usize,
) -> I::Floats {
    let codes = &acts.blocks;
    // SAFETY: `at` counts blocks of the activations, so all of these exist.
    unsafe {
        let mut dot = I::block_dot::<BITS>(quads, codes.q.as_ptr().add(at * BLOCK));
        if !(MIN || BITS == 8 && I::SIGNED_BYTES) {
            dot = minus_middle::<I, BITS>(dot, I::splat_int(*codes.sum.as_ptr().add(at)));
        }
        let scale = I::mul(scale, I::splat(*codes.scale.as_ptr().add(at)));
        let sums = I::mul_add(I::to_floats(dot), scale, sums);
        if MIN { I::mul_add(min, I::splat(*codes.scaled_sum.as_ptr().add(at)), sums) } else { sums }
    }
}

/// Half the range of the codes times the sums of the activations, taken off.
///
/// # Safety
/// As for [`Isa`].
#[inline(always)]
unsafe fn minus_middle<I: Isa, const BITS: usize>(dot: I::Ints, sums: I::Ints) -> I::Ints {
    // SAFETY: as the caller promises.
    unsafe {
        match BITS {
            3 => I::sub_scaled::<2>(dot, sums),
            4 => I::sub_scaled::<3>(dot, sums),
            5 => I::sub_scaled::<4>(dot, sums),
            6 => I::sub_scaled::<5>(dot, sums),
            _ => I::sub_scaled::<7>(dot, sums),
        }
    }
}

/// Runs `$tile` with as many tokens as a tile has, until all have been.
macro_rules! tiles {
    ($acts:ident, $groups:ident, $size:expr, $panel:ident, $out:ident, $tile:ident::<$($param:tt),*>) => {
        let mut token = 0;
        while token < $acts.tokens {
            let tile = TILE.min($acts.tokens - token);
            for group in 0..$groups {
                let panel = &$panel[group * $size..(group + 1) * $size];
                let out = &mut $out[group * $acts.tokens + token..group * $acts.tokens + token + tile];
                match tile {
                    1 => $tile::<$($param),*, 1>(panel, $acts, token, out),
                    2 => $tile::<$($param),*, 2>(panel, $acts, token, out),
                    3 => $tile::<$($param),*, 3>(panel, $acts, token, out),
                    _ => $tile::<$($param),*, TILE>(panel, $acts, token, out),
                }
            }
            token += tile;
        }
    };
}

/// # Safety
/// As for [`Isa`].
#[inline(always)]
unsafe fn blocks<I: Isa, const BITS: usize, const MIN: bool>(
    weights: &[u8],
    acts: &Activations,
    out: &mut [[f32; ROWS]],
    panel: &mut Vec<u8>,
) {
    let unit = const { Shape::Block { bits: BITS, min: MIN }.unit_bytes() };
    let count = acts.columns / BLOCK;
    let groups = weights.len() / (count * unit);
    assert!(acts.blocks.q.len() >= acts.tokens * acts.columns && out.len() == groups * acts.tokens);
    if acts.tokens == 1 {
        for (group, out) in weights.chunks_exact(count * unit).zip(out) {
            // SAFETY: `bytes` is a block of a group, `block` one of the token's; `out` holds eight floats.
            unsafe {
                let mut sums = I::splat(0.0);
                for (block, bytes) in group.chunks_exact(unit).enumerate() {
                    ask_ahead::<I>(bytes.as_ptr(), unit);
                    let (head, quads) = block_of::<I, BITS, MIN>(bytes.as_ptr());
                    sums = add_block::<I, BITS, MIN>(sums, &quads, head, acts, block);
                }
                I::store_floats(sums, out.as_mut_ptr());
            }
        }
        return;
    }
    // Unpacked: scales and minima as floats, a byte a code.
    let wide = 2 * VECTOR + CODES;
    panel.resize(groups * count * wide, 0);
    for (bytes, wide) in weights.chunks_exact(unit).zip(panel.chunks_exact_mut(wide)) {
        let wide = wide.as_mut_ptr();
        // SAFETY: `bytes` is a block of a group, `wide` has room for ten vectors.
        unsafe {
            let ((scale, min), quads) = block_of::<I, BITS, MIN>(bytes.as_ptr());
            I::store_floats(scale, wide.cast());
            I::store_floats(min, wide.add(VECTOR).cast());
            store_quads::<I>(quads, wide.add(2 * VECTOR));
        }
    }
    // SAFETY: panels and outputs are those of the groups and tokens.
    unsafe {
        tiles!(acts, groups, count * wide, panel, out, block_tile::<I, BITS, MIN>);
    }
}

/// # Safety
/// As for [`Isa`]; `token` begins a tile of `TOKENS`.
#[inline(always)]
unsafe fn block_tile<I: Isa, const BITS: usize, const MIN: bool, const TOKENS: usize>(
    panel: &[u8],
    acts: &Activations,
    token: usize,
    out: &mut [[f32; ROWS]],
) {
    let first = token * (acts.columns / BLOCK);
    // SAFETY: `wide` holds ten vectors; the blocks of the tile lie side by side; `out` is one for each token.
    unsafe {
        let mut sums = [I::splat(0.0); TOKENS];
        for (block, wide) in panel.chunks_exact(2 * VECTOR + CODES).enumerate() {
            let wide = wide.as_ptr();
            let head = (I::floats(wide), I::floats(wide.add(VECTOR)));
            let quads = load_quads::<I>(wide.add(2 * VECTOR));
            for (index, sums) in sums.iter_mut().enumerate() {
                *sums = add_block::<I, BITS, MIN>(*sums, &quads, head, acts, first + block * TOKENS + index);
            }
        }
        for (sums, out) in sums.into_iter().zip(out) {
            I::store_floats(sums, out.as_mut_ptr());
        }
    }
}

/// Where the parts of an unpacked super-block are: two vectors of scales, three of factors for each pair of sub-blocks,
/// the codes.
const fn wide_super(sub: usize) -> usize {
    (2 + 3 * (SUPER / sub / 2)) * VECTOR + SUPER / BLOCK * CODES
}

/// The sums of the activations of a pair of sub-blocks.
///
/// # Safety
/// `at` must count super-blocks of the activations, `pair` the pairs of one.
#[inline(always)]
unsafe fn pair_of_sums<const SUB: usize>(acts: &Activations, at: usize, pair: usize) -> *const i16 {
    let sums = if SUB == 16 { &acts.supers.sums } else { &acts.supers.sums_of_32 };
    // SAFETY: as the caller promises.
    unsafe { sums.as_ptr().add(at * (SUPER / SUB) + 2 * pair) }
}

/// Adds the products of a super-block, given its integer sums, to the row sums.
///
/// # Safety
/// As for [`Isa`].
#[inline(always)]
unsafe fn finish<I: Isa, const BITS: usize, const MIN: bool>(
    sums: I::Floats,
    mut dot: I::Ints,
    offset: I::Ints,
    (scale, min): Head<I>,
    x_scale: f32,
) -> I::Floats {
    // SAFETY: as the caller promises.
    unsafe {
        let x_scale = I::splat(x_scale);
        if !MIN {
            dot = minus_middle::<I, BITS>(dot, offset);
        }
        let sums = I::mul_add(I::to_floats(dot), I::mul(scale, x_scale), sums);
        if MIN { I::negated_mul_add(I::to_floats(offset), I::mul(min, x_scale), sums) } else { sums }
    }
}

/// # Safety
/// As for [`Isa`].
#[inline(always)]
unsafe fn supers<I: Isa, const BITS: usize, const SUB: usize, const MIN: bool>(
    weights: &[u8],
    acts: &Activations,
    out: &mut [[f32; ROWS]],
    panel: &mut Vec<u8>,
) {
    let unit = const { Shape::Super { bits: BITS, sub: SUB, min: MIN }.unit_bytes() };
    let count = acts.columns / SUPER;
    let groups = weights.len() / (count * unit);
    assert!(acts.supers.q.len() >= acts.tokens * acts.columns && out.len() == groups * acts.tokens);
    if acts.tokens == 1 {
        for (group, out) in weights.chunks_exact(count * unit).zip(out) {
            // SAFETY: `bytes` is a super-block of a group, `block` one of the token's; `out` holds eight floats.
            unsafe {
                let mut sums = I::splat(0.0);
                for (block, bytes) in group.chunks_exact(unit).enumerate() {
                    sums = add_packed::<I, BITS, SUB, MIN>(sums, bytes.as_ptr(), acts, block);
                }
                I::store_floats(sums, out.as_mut_ptr());
            }
        }
        return;
    }
    let wide = const { wide_super(SUB) };
    panel.resize(groups * count * wide, 0);
    for (bytes, wide) in weights.chunks_exact(unit).zip(panel.chunks_exact_mut(wide)) {
        // SAFETY: `bytes` is a super-block of a group, `wide` has room for it unpacked.
        unsafe { widen::<I, BITS, SUB, MIN>(bytes.as_ptr(), wide.as_mut_ptr()) };
    }
    // SAFETY: panels and outputs are those of the groups and tokens.
    unsafe {
        tiles!(acts, groups, count * wide, panel, out, super_tile::<I, BITS, SUB, MIN>);
    }
}

/// Where the parts of a packed super-block begin.
struct Parts {
    scales: *const u8,
    mins: *const u8,
    planes: *const u8,
}

/// # Safety
/// `bytes` must be a super-block of a group.
#[inline(always)]
unsafe fn parts<const SUB: usize, const MIN: bool>(bytes: *const u8) -> Parts {
    // SAFETY: all of it lies in the super-block.
    unsafe {
        let scales = bytes.add(if MIN { 2 * HALVES } else { HALVES });
        let mins = scales.add(if MIN { scales_bytes(SUB) } else { 0 });
        Parts { scales, mins, planes: mins.add(scales_bytes(SUB)) }
    }
}

/// One packed super-block of one token onto the row sums.
///
/// # Safety
/// `bytes` must be a super-block of a group, `at` count super-blocks of the activations.
#[inline(always)]
unsafe fn add_packed<I: Isa, const BITS: usize, const SUB: usize, const MIN: bool>(
    sums: I::Floats,
    bytes: *const u8,
    acts: &Activations,
    at: usize,
) -> I::Floats {
    // SAFETY: all of it lies in the super-block and in the token's activations.
    unsafe {
        let scale = I::halves(bytes);
        let head = (scale, if MIN { I::halves(bytes.add(HALVES)) } else { scale });
        let Parts { scales, mins, planes } = parts::<SUB, MIN>(bytes);
        let x = acts.supers.q.as_ptr().add(at * SUPER);
        let (mut dot, mut offset) = (I::zero(), I::zero());
        for pair in 0..SUPER / SUB / 2 {
            let [even, odd, other] = I::factors::<MIN>(scales.add(16 * pair), mins.add(16 * pair));
            offset = I::add_ints(offset, I::offset(other, pair_of_sums::<SUB>(acts, at, pair)));
            // A pair of sub-blocks is a block of 32 columns or two.
            for half in 0..SUB / 16 {
                let block = pair * (SUB / 16) + half;
                let planes = planes.add(block * planes_bytes(BITS));
                ask_ahead::<I>(planes, planes_bytes(BITS));
                let quads = unpack::<I, BITS>(planes);
                let (first, second) = if SUB == 16 || half == 0 { (even, odd) } else { (odd, odd) };
                dot = I::add_ints(dot, I::sub_dot::<BITS, SUB>(&quads, x.add(block * BLOCK), first, second));
            }
        }
        finish::<I, BITS, MIN>(sums, dot, offset, head, *acts.supers.scale.as_ptr().add(at))
    }
}

/// Unpacks a super-block.
///
/// # Safety
/// `bytes` must be a super-block of a group, `wide` `wide_super` writable bytes.
#[inline(always)]
unsafe fn widen<I: Isa, const BITS: usize, const SUB: usize, const MIN: bool>(bytes: *const u8, wide: *mut u8) {
    // SAFETY: as the caller promises.
    unsafe {
        I::store_floats(I::halves(bytes), wide.cast());
        if MIN {
            I::store_floats(I::halves(bytes.add(HALVES)), wide.add(VECTOR).cast());
        }
        let Parts { scales, mins, planes } = parts::<SUB, MIN>(bytes);
        let pairs = SUPER / SUB / 2;
        for pair in 0..pairs {
            let three = I::factors::<MIN>(scales.add(16 * pair), mins.add(16 * pair));
            for (index, factor) in three.into_iter().enumerate() {
                I::store(factor, wide.add((2 + 3 * pair + index) * VECTOR));
            }
        }
        for block in 0..SUPER / BLOCK {
            let quads = unpack::<I, BITS>(planes.add(block * planes_bytes(BITS)));
            store_quads::<I>(quads, wide.add((2 + 3 * pairs + 8 * block) * VECTOR));
        }
    }
}

/// # Safety
/// As for [`Isa`]; `token` begins a tile of `TOKENS`.
#[inline(always)]
unsafe fn super_tile<I: Isa, const BITS: usize, const SUB: usize, const MIN: bool, const TOKENS: usize>(
    panel: &[u8],
    acts: &Activations,
    token: usize,
    out: &mut [[f32; ROWS]],
) {
    let first = token * (acts.columns / SUPER);
    let pairs = SUPER / SUB / 2;
    // SAFETY: `wide` is an unpacked super-block; those of the tile lie side by side; `out` is one for each token.
    unsafe {
        let mut sums = [I::splat(0.0); TOKENS];
        for (index, wide) in panel.chunks_exact(const { wide_super(SUB) }).enumerate() {
            let wide = wide.as_ptr();
            let (mut dots, mut offsets) = ([I::zero(); TOKENS], [I::zero(); TOKENS]);
            let at = first + index * TOKENS;
            for pair in 0..pairs {
                let other = I::load(wide.add((4 + 3 * pair) * VECTOR));
                for (t, offset) in offsets.iter_mut().enumerate() {
                    *offset = I::add_ints(*offset, I::offset(other, pair_of_sums::<SUB>(acts, at + t, pair)));
                }
            }
            for block in 0..SUPER / BLOCK {
                let quads = load_quads::<I>(wide.add((2 + 3 * pairs + 8 * block) * VECTOR));
                // With sub-blocks of 32 columns the block has the even or the odd factors of its pair alone.
                let vector = if SUB == 16 { 2 + 3 * block } else { 2 + 3 * (block / 2) + block % 2 };
                let even = I::load(wide.add(vector * VECTOR));
                let odd = if SUB == 16 { I::load(wide.add((vector + 1) * VECTOR)) } else { even };
                for (t, dots) in dots.iter_mut().enumerate() {
                    let x = acts.supers.q.as_ptr().add((at + t) * SUPER + block * BLOCK);
                    *dots = I::add_ints(*dots, I::sub_dot::<BITS, SUB>(&quads, x, even, odd));
                }
            }
            let head = (I::floats(wide), I::floats(wide.add(VECTOR)));
            for (t, sums) in sums.iter_mut().enumerate() {
                let x_scale = *acts.supers.scale.as_ptr().add(at + t);
                *sums = finish::<I, BITS, MIN>(*sums, dots[t], offsets[t], head, x_scale);
            }
        }
        for (sums, out) in sums.into_iter().zip(out) {
            I::store_floats(sums, out.as_mut_ptr());
        }
    }
}

/// # Safety
/// As for [`Isa`].
#[inline(always)]
unsafe fn floats<I: Isa, const BYTES: usize, const BRAIN: bool>(
    weights: &[u8],
    acts: &Activations,
    out: &mut [[f32; ROWS]],
) {
    let group = acts.columns * ROWS * BYTES;
    assert!(acts.float.len() >= acts.tokens * acts.columns);
    for (weights, out) in weights.chunks_exact(group).zip(out.chunks_exact_mut(acts.tokens)) {
        for (index, out) in out.chunks_mut(2).enumerate() {
            let x = &acts.float[2 * index * acts.columns..];
            // SAFETY: as the caller promises.
            unsafe {
                match out {
                    [one] => float_tile::<I, BYTES, BRAIN, 1>(weights, x, acts.columns, std::slice::from_mut(one)),
                    two => float_tile::<I, BYTES, BRAIN, 2>(weights, x, acts.columns, two),
                }
            }
        }
    }
}

/// # Safety
/// As for [`Isa`].
#[inline(always)]
unsafe fn float_tile<I: Isa, const BYTES: usize, const BRAIN: bool, const TOKENS: usize>(
    weights: &[u8],
    x: &[f32],
    columns: usize,
    out: &mut [[f32; ROWS]],
) {
    assert!(x.len() >= TOKENS * columns && weights.len() == columns * ROWS * BYTES);
    // SAFETY: every column is one of the matrix and of each token; `out` holds eight floats a token.
    unsafe {
        let mut sums = [[I::splat(0.0); 4]; TOKENS];
        let mut column = 0;
        while column < columns {
            for part in 0..4.min(columns - column) {
                let bytes = weights.as_ptr().add((column + part) * ROWS * BYTES);
                let w = if BYTES == 4 {
                    I::floats(bytes)
                } else if BRAIN {
                    I::brains(bytes)
                } else {
                    I::halves(bytes)
                };
                for (token, sums) in sums.iter_mut().enumerate() {
                    let x = I::splat(*x.as_ptr().add(token * columns + column + part));
                    sums[part] = I::mul_add(w, x, sums[part]);
                }
            }
            column += 4;
        }
        for (sums, out) in sums.into_iter().zip(out) {
            let sum = I::add(I::add(sums[0], sums[1]), I::add(sums[2], sums[3]));
            I::store_floats(sum, out.as_mut_ptr());
        }
    }
}
