//! Products in plain Rust, and the reading of single rows. Also the definition that the other levels are
//! tested against: the same integers, the same order of the floating-point sums.

use half::{bf16, f16};

use super::{
    activations::Activations,
    layout::{BLOCK, CODES, HALVES, ROWS, SUPER, Shape, planes_bytes, scales_bytes},
};
use crate::formats::gguf::GgmlType;

/// `out[group][token][row]` of some groups, all tokens.
pub fn dot_groups(
    dtype: GgmlType,
    shape: Shape,
    weights: &[u8],
    acts: &Activations,
    out: &mut [[f32; ROWS]],
    _: &mut Vec<u8>,
) {
    let bytes = acts.columns / shape.unit() * shape.unit_bytes();
    for (group, out) in weights.chunks_exact(bytes).zip(out.chunks_exact_mut(acts.tokens)) {
        dot_group(dtype, shape, group, acts, out);
    }
}

fn dot_group(dtype: GgmlType, shape: Shape, group: &[u8], acts: &Activations, out: &mut [[f32; ROWS]]) {
    out.fill([0.0; ROWS]);
    match shape {
        Shape::Block { bits, min } => dot_blocks(bits, min, group, acts, out),
        Shape::Super { bits, sub, min } => dot_supers(bits, sub, min, group, acts, out),
        Shape::Float { bytes } => dot_floats(dtype, bytes, group, acts, out),
    }
}

/// A half float of a row out of eight.
fn half_of(bytes: &[u8], row: usize) -> f32 {
    f16::from_le_bytes([bytes[2 * row], bytes[2 * row + 1]]).to_f32()
}

fn halves(bytes: &[u8]) -> [f32; ROWS] {
    std::array::from_fn(|row| half_of(bytes, row))
}

/// The codes of a block of eight rows.
fn unpack(bits: usize, planes: &[u8]) -> [u8; CODES] {
    let four = |at: usize| planes[at % (CODES / 2)] >> (4 * (at / (CODES / 2))) & 15;
    let two = |plane: &[u8], at: usize| plane[at / 128 * 32 + at % 32] >> (2 * (at / 32 % 4)) & 3;
    let one = |plane: &[u8], at: usize| plane[at % 32] >> (at / 32) & 1;
    match bits {
        2 => std::array::from_fn(|at| two(planes, at)),
        3 => std::array::from_fn(|at| two(planes, at) | one(&planes[64..], at) << 2),
        4 => std::array::from_fn(four),
        5 => std::array::from_fn(|at| four(at) | one(&planes[128..], at) << 4),
        6 => std::array::from_fn(|at| four(at) | two(&planes[128..], at) << 4),
        _ => std::array::from_fn(|at| planes[at]),
    }
}

/// Integer products of `columns` (a range of the block's 32, whole quads), for each row.
fn sums(codes: &[u8; CODES], x: &[i8], columns: std::ops::Range<usize>) -> [i32; ROWS] {
    let mut sums = [0; ROWS];
    for quad in columns.start / 4..columns.end / 4 {
        let x: [i32; 4] = std::array::from_fn(|c| i32::from(x[4 * quad + c]));
        for (row, sum) in sums.iter_mut().enumerate() {
            let at = 32 * quad + 4 * row;
            *sum += (0..4).map(|c| i32::from(codes[at + c]) * x[c]).sum::<i32>();
        }
    }
    sums
}

fn dot_blocks(bits: usize, min: bool, group: &[u8], acts: &Activations, out: &mut [[f32; ROWS]]) {
    let unit = Shape::Block { bits, min }.unit_bytes();
    let blocks = acts.columns / BLOCK;
    let zero = if min { 0 } else { 1 << (bits - 1) };
    for (block, bytes) in group.chunks_exact(unit).enumerate() {
        let (scale, mins) = (halves(bytes), if min { halves(&bytes[HALVES..]) } else { [0.0; ROWS] });
        let codes = unpack(bits, &bytes[unit - planes_bytes(bits)..]);
        for (token, out) in out.iter_mut().enumerate() {
            let at = acts.place(token, block, blocks);
            let sums = sums(&codes, &acts.blocks.q[at * BLOCK..], 0..BLOCK);
            for row in 0..ROWS {
                let sum = sums[row] - zero * acts.blocks.sum[at];
                out[row] += sum as f32 * (scale[row] * acts.blocks.scale[at]);
                if min {
                    out[row] += mins[row] * acts.blocks.scaled_sum[at];
                }
            }
        }
    }
}

/// The integer scale of a sub-block, by row and index.
fn scale_of(scales: &[u8], row: usize, sub: usize) -> i32 {
    i32::from(scales[sub / 2 * 2 * ROWS + 2 * row + sub % 2].cast_signed())
}

fn dot_supers(bits: usize, sub: usize, min: bool, group: &[u8], acts: &Activations, out: &mut [[f32; ROWS]]) {
    let unit = Shape::Super { bits, sub, min }.unit_bytes();
    let count = acts.columns / SUPER;
    let zero = if min { 0 } else { 1 << (bits - 1) };
    for (block, bytes) in group.chunks_exact(unit).enumerate() {
        let (head, rest) = bytes.split_at(if min { 2 * HALVES } else { HALVES });
        let (scales, rest) = rest.split_at(scales_bytes(sub));
        let (mins, planes) = rest.split_at(if min { scales_bytes(sub) } else { 0 });
        let mut codes = planes.chunks_exact(planes_bytes(bits)).map(|planes| unpack(bits, planes));
        let codes: [_; SUPER / BLOCK] = std::array::from_fn(|_| codes.next().unwrap_or([0; CODES]));
        for (token, out) in out.iter_mut().enumerate() {
            let at = acts.place(token, block, count);
            let (x, x_sums) = (&acts.supers.q[at * SUPER..], &acts.supers.sums[at * 16..at * 16 + 16]);
            let (mut dot, mut offset) = ([0; ROWS], [0; ROWS]);
            for part in 0..SUPER / sub {
                let (block, first) = (part * sub / BLOCK, part * sub % BLOCK);
                let sums = sums(&codes[block], &x[block * BLOCK..], first..first + sub);
                let x_sum: i32 = x_sums[part * sub / 16..(part + 1) * sub / 16].iter().map(|s| i32::from(*s)).sum();
                for row in 0..ROWS {
                    let scale = scale_of(scales, row, part);
                    dot[row] += scale * (sums[row] - zero * x_sum);
                    if min {
                        offset[row] += scale_of(mins, row, part) * x_sum;
                    }
                }
            }
            for row in 0..ROWS {
                out[row] += dot[row] as f32 * (half_of(head, row) * acts.supers.scale[at]);
                if min {
                    out[row] -= offset[row] as f32 * (half_of(&head[HALVES..], row) * acts.supers.scale[at]);
                }
            }
        }
    }
}

/// A float of the group.
fn float_at(dtype: GgmlType, bytes: &[u8], index: usize) -> f32 {
    match dtype {
        GgmlType::F16 => half_of(bytes, index),
        GgmlType::BF16 => bf16::from_le_bytes([bytes[2 * index], bytes[2 * index + 1]]).to_f32(),
        _ => f32::from_le_bytes(std::array::from_fn(|i| bytes[4 * index + i])),
    }
}

/// Four sums, by column modulo four, added up in pairs at the end.
fn dot_floats(dtype: GgmlType, bytes: usize, group: &[u8], acts: &Activations, out: &mut [[f32; ROWS]]) {
    for (x, out) in acts.float.chunks_exact(acts.columns).zip(out) {
        let mut sums = [[0.0_f32; ROWS]; 4];
        for (column, (x, w)) in x.iter().zip(group.chunks_exact(ROWS * bytes)).enumerate() {
            for (row, sum) in sums[column % 4].iter_mut().enumerate() {
                *sum += float_at(dtype, w, row) * x;
            }
        }
        *out = std::array::from_fn(|row| (sums[0][row] + sums[1][row]) + (sums[2][row] + sums[3][row]));
    }
}

/// Row `row` of a group as numbers, exactly those of the file.
pub fn read_row(dtype: GgmlType, shape: Shape, group: &[u8], row: usize, out: &mut [f32]) {
    let unit = shape.unit_bytes();
    for (bytes, out) in group.chunks_exact(unit).zip(out.chunks_exact_mut(shape.unit())) {
        match shape {
            Shape::Float { .. } => out[0] = float_at(dtype, bytes, row),
            Shape::Block { bits, min } => {
                let codes = unpack(bits, &bytes[unit - planes_bytes(bits)..]);
                let scale = half_of(bytes, row);
                let zero = if min { 0 } else { 1 << (bits - 1) };
                for (column, out) in out.iter_mut().enumerate() {
                    let code = i32::from(codes[column / 4 * 32 + 4 * row + column % 4]) - zero;
                    *out = if min { scale * code as f32 + half_of(&bytes[HALVES..], row) } else { scale * code as f32 };
                }
            }
            Shape::Super { bits, sub, min } => read_super(bits, sub, min, bytes, row, out),
        }
    }
}

fn read_super(bits: usize, sub: usize, min: bool, bytes: &[u8], row: usize, out: &mut [f32]) {
    let (head, rest) = bytes.split_at(if min { 2 * HALVES } else { HALVES });
    let (scales, rest) = rest.split_at(scales_bytes(sub));
    let (mins, planes) = rest.split_at(if min { scales_bytes(sub) } else { 0 });
    let zero = if min { 0 } else { 1 << (bits - 1) };
    let blocks = planes.chunks_exact(planes_bytes(bits)).zip(out.chunks_exact_mut(BLOCK));
    for (block, (planes, out)) in blocks.enumerate() {
        let codes = unpack(bits, planes);
        for (column, out) in out.iter_mut().enumerate() {
            let part = (block * BLOCK + column) / sub;
            let code = i32::from(codes[column / 4 * 32 + 4 * row + column % 4]) - zero;
            *out = half_of(head, row) * scale_of(scales, row, part) as f32 * code as f32;
            if min {
                *out -= half_of(&head[HALVES..], row) * scale_of(mins, row, part) as f32;
            }
        }
    }
}
