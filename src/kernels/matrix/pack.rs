//! From the rows of a GGUF tensor to the interleaved layout, without changing a single weight.

use super::layout::{BLOCK, CODES, HALVES, ROWS, SUPER, Shape, planes_bytes, scales_bytes};
use crate::formats::gguf::GgmlType;

/// One row's part of a unit, taken apart: 32 columns of a block type, 256 of a K type.
struct Parts {
    codes: [u8; SUPER],
    /// Half floats.
    scale: [u8; 2],
    min: [u8; 2],
    /// Of the sub-blocks.
    scales: [i8; 16],
    mins: [i8; 16],
}

impl Parts {
    const ZERO: Self = Self { codes: [0; SUPER], scale: [0; 2], min: [0; 2], scales: [0; 16], mins: [0; 16] };
}

/// Packs up to eight rows into `out`. `rows` are their stored bytes, `out` is the group.
pub fn pack_group(dtype: GgmlType, shape: Shape, rows: &[&[u8]], out: &mut [u8]) {
    match shape {
        Shape::Float { bytes } => pack_floats(rows, bytes, out),
        Shape::Block { .. } | Shape::Super { .. } => pack_codes(dtype, shape, rows, out),
    }
}

fn pack_floats(rows: &[&[u8]], bytes: usize, out: &mut [u8]) {
    for (index, row) in rows.iter().enumerate() {
        for (column, value) in row.chunks_exact(bytes).enumerate() {
            let at = (column * ROWS + index) * bytes;
            out[at..at + bytes].copy_from_slice(value);
        }
    }
}

fn pack_codes(dtype: GgmlType, shape: Shape, rows: &[&[u8]], out: &mut [u8]) {
    let stored = dtype.type_bytes();
    let mut parts = [Parts::ZERO; ROWS];
    for (unit, out) in out.chunks_exact_mut(shape.unit_bytes()).enumerate() {
        for (row, parts) in rows.iter().zip(&mut parts) {
            take_apart(dtype, &row[unit * stored..(unit + 1) * stored], parts);
        }
        match shape {
            Shape::Block { bits, min } => {
                let (head, planes) = out.split_at_mut(out.len() - planes_bytes(bits));
                put_halves(&parts, min, head);
                put_planes(bits, &parts, 0, planes);
            }
            Shape::Super { bits, sub, min } => {
                let (head, rest) = out.split_at_mut(if min { 2 * HALVES } else { HALVES });
                put_halves(&parts, min, head);
                let (scales, rest) = rest.split_at_mut(scales_bytes(sub));
                put_scales(&parts, |parts| &parts.scales, scales);
                let (mins, planes) = rest.split_at_mut(if min { scales_bytes(sub) } else { 0 });
                put_scales(&parts, |parts| &parts.mins, mins);
                for (block, planes) in planes.chunks_exact_mut(planes_bytes(bits)).enumerate() {
                    put_planes(bits, &parts, block * BLOCK, planes);
                }
            }
            Shape::Float { .. } => {}
        }
    }
}

fn put_halves(parts: &[Parts; ROWS], min: bool, out: &mut [u8]) {
    for (row, parts) in parts.iter().enumerate() {
        out[2 * row..2 * row + 2].copy_from_slice(&parts.scale);
        if min {
            out[HALVES + 2 * row..HALVES + 2 * row + 2].copy_from_slice(&parts.min);
        }
    }
}

/// Pairs of sub-blocks: for each row the even one, then the odd one.
fn put_scales(parts: &[Parts; ROWS], which: impl Fn(&Parts) -> &[i8; 16], out: &mut [u8]) {
    for (pair, out) in out.chunks_exact_mut(2 * ROWS).enumerate() {
        for (parts, out) in parts.iter().zip(out.chunks_exact_mut(2)) {
            out[0] = which(parts)[2 * pair].cast_unsigned();
            out[1] = which(parts)[2 * pair + 1].cast_unsigned();
        }
    }
}

/// The planes of the 32 columns from `column`.
fn put_planes(bits: usize, parts: &[Parts; ROWS], column: usize, out: &mut [u8]) {
    let mut codes = [0_u8; CODES];
    for (row, parts) in parts.iter().enumerate() {
        for (quad, four) in parts.codes[column..column + BLOCK].as_chunks::<4>().0.iter().enumerate() {
            codes[32 * quad + 4 * row..32 * quad + 4 * row + 4].copy_from_slice(four);
        }
    }
    match bits {
        2 => put_two(&codes, 0, out),
        3 => {
            let (two, one) = out.split_at_mut(planes_bytes(2));
            put_two(&codes, 0, two);
            put_one(&codes, 2, one);
        }
        4 => put_four(&codes, out),
        5 => {
            let (four, one) = out.split_at_mut(planes_bytes(4));
            put_four(&codes, four);
            put_one(&codes, 4, one);
        }
        6 => {
            let (four, two) = out.split_at_mut(planes_bytes(4));
            put_four(&codes, four);
            put_two(&codes, 4, two);
        }
        _ => out.copy_from_slice(&codes),
    }
}

fn put_four(codes: &[u8; CODES], out: &mut [u8]) {
    let (low, high) = codes.split_at(CODES / 2);
    for ((out, low), high) in out.iter_mut().zip(low).zip(high) {
        *out = low & 15 | high << 4;
    }
}

/// Bits `shift` and `shift + 1` of each code.
fn put_two(codes: &[u8; CODES], shift: u32, out: &mut [u8]) {
    for (quads, out) in codes.chunks_exact(4 * 32).zip(out.chunks_exact_mut(32)) {
        for (i, out) in out.iter_mut().enumerate() {
            *out = (0..4).map(|quad| (quads[32 * quad + i] >> shift & 3) << (2 * quad)).sum();
        }
    }
}

/// Bit `shift` of each code.
fn put_one(codes: &[u8; CODES], shift: u32, out: &mut [u8]) {
    for (i, out) in out.iter_mut().enumerate() {
        *out = (0..8).map(|quad| (codes[32 * quad + i] >> shift & 1) << quad).sum();
    }
}

/// Reads one stored block; the layouts are those of ggml's `ggml-common.h`.
fn take_apart(dtype: GgmlType, b: &[u8], parts: &mut Parts) {
    match dtype {
        GgmlType::Q4_0 => {
            parts.scale = [b[0], b[1]];
            nibbles(&b[2..18], &mut parts.codes);
        }
        GgmlType::Q4_1 => {
            parts.scale = [b[0], b[1]];
            parts.min = [b[2], b[3]];
            nibbles(&b[4..20], &mut parts.codes);
        }
        GgmlType::Q5_0 => {
            parts.scale = [b[0], b[1]];
            nibbles(&b[6..22], &mut parts.codes);
            fifth_bits([b[2], b[3], b[4], b[5]], &mut parts.codes);
        }
        GgmlType::Q5_1 => {
            parts.scale = [b[0], b[1]];
            parts.min = [b[2], b[3]];
            nibbles(&b[8..24], &mut parts.codes);
            fifth_bits([b[4], b[5], b[6], b[7]], &mut parts.codes);
        }
        GgmlType::Q8_0 => {
            parts.scale = [b[0], b[1]];
            for (code, byte) in parts.codes.iter_mut().zip(&b[2..34]) {
                // From −128 … 127 to 0 … 255.
                *code = byte ^ 0x80;
            }
        }
        GgmlType::Q2_K => q2_k(b, parts),
        GgmlType::Q3_K => q3_k(b, parts),
        GgmlType::Q4_K => q4_k(b, parts),
        GgmlType::Q5_K => q5_k(b, parts),
        _ => q6_k(b, parts),
    }
}

fn nibbles(bytes: &[u8], codes: &mut [u8]) {
    for (i, byte) in bytes.iter().enumerate() {
        codes[i] = byte & 15;
        codes[i + bytes.len()] = byte >> 4;
    }
}

fn fifth_bits(bits: [u8; 4], codes: &mut [u8]) {
    let bits = u32::from_le_bytes(bits);
    for (i, code) in codes[..BLOCK].iter_mut().enumerate() {
        *code |= ((bits >> i & 1) as u8) << 4;
    }
}

/// Value `i` of each 128 sits in bits `2 (i / 32)` of byte `i % 32` of their 32 bytes.
fn two_bits(bytes: &[u8], codes: &mut [u8; SUPER]) {
    for (bytes, codes) in bytes.chunks_exact(32).zip(codes.chunks_exact_mut(128)) {
        for (shift, codes) in codes.chunks_exact_mut(32).enumerate() {
            for (code, byte) in codes.iter_mut().zip(bytes) {
                *code = byte >> (2 * shift) & 3;
            }
        }
    }
}

fn q2_k(b: &[u8], parts: &mut Parts) {
    for (i, byte) in b[..16].iter().enumerate() {
        parts.scales[i] = (byte & 15).cast_signed();
        parts.mins[i] = (byte >> 4).cast_signed();
    }
    two_bits(&b[16..80], &mut parts.codes);
    parts.scale = [b[80], b[81]];
    parts.min = [b[82], b[83]];
}

fn q3_k(b: &[u8], parts: &mut Parts) {
    two_bits(&b[32..96], &mut parts.codes);
    for (bit, codes) in parts.codes.chunks_exact_mut(32).enumerate() {
        for (code, byte) in codes.iter_mut().zip(&b[..32]) {
            *code |= (byte >> bit & 1) << 2;
        }
    }
    let packed = &b[96..108];
    for i in 0..16 {
        let low = packed[i % 8] >> (4 * (i / 8)) & 15;
        let high = packed[8 + i % 4] >> (2 * (i / 4)) & 3;
        parts.scales[i] = (low | high << 4).cast_signed() - 32;
    }
    parts.scale = [b[108], b[109]];
}

/// Eight six-bit scales and minima in twelve bytes.
fn scales_and_mins(packed: &[u8], parts: &mut Parts) {
    for i in 0..4 {
        parts.scales[i] = (packed[i] & 63).cast_signed();
        parts.mins[i] = (packed[i + 4] & 63).cast_signed();
        parts.scales[i + 4] = (packed[i + 8] & 15 | packed[i] >> 6 << 4).cast_signed();
        parts.mins[i + 4] = (packed[i + 8] >> 4 | packed[i + 4] >> 6 << 4).cast_signed();
    }
}

fn q4_k(b: &[u8], parts: &mut Parts) {
    parts.scale = [b[0], b[1]];
    parts.min = [b[2], b[3]];
    scales_and_mins(&b[4..16], parts);
    for (bytes, codes) in b[16..144].chunks_exact(32).zip(parts.codes.chunks_exact_mut(64)) {
        nibbles(bytes, codes);
    }
}

fn q5_k(b: &[u8], parts: &mut Parts) {
    parts.scale = [b[0], b[1]];
    parts.min = [b[2], b[3]];
    scales_and_mins(&b[4..16], parts);
    for (bytes, codes) in b[48..176].chunks_exact(32).zip(parts.codes.chunks_exact_mut(64)) {
        nibbles(bytes, codes);
    }
    for (bit, codes) in parts.codes.chunks_exact_mut(32).enumerate() {
        for (code, byte) in codes.iter_mut().zip(&b[16..48]) {
            *code |= (byte >> bit & 1) << 4;
        }
    }
}

fn q6_k(b: &[u8], parts: &mut Parts) {
    let halves = b[..128].chunks_exact(64).zip(b[128..192].chunks_exact(32));
    for ((low, high), codes) in halves.zip(parts.codes.chunks_exact_mut(128)) {
        nibbles(low, codes);
        for (shift, codes) in codes.chunks_exact_mut(32).enumerate() {
            for (code, byte) in codes.iter_mut().zip(high) {
                *code |= (byte >> (2 * shift) & 3) << 4;
            }
        }
    }
    for (scale, byte) in parts.scales.iter_mut().zip(&b[192..208]) {
        *scale = byte.cast_signed();
    }
    parts.scale = [b[208], b[209]];
}
