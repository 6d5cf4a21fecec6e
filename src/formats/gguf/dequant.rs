//! Plain dequantisation: one readable definition of each block format, that faster kernels are tested against.
//!
//! The layouts are those of ggml's `ggml-common.h`. Integers are little-endian, `d` and `m` are a block's scale and
//! minimum as half floats, and a value is `d · q` or `d · q + m`.

use half::{bf16, f16};

use super::GgmlType;
use crate::{Error, Result};

/// Turns stored bytes into numbers: `bytes` must be exactly what `out.len()` values take in the format `dtype`.
///
/// # Errors
/// When the sizes do not match, or the format is one that is not supported ([`GgmlType::is_supported`]).
pub fn dequantize(dtype: GgmlType, bytes: &[u8], out: &mut [f32]) -> Result<()> {
    if !dtype.is_supported() {
        return Err(Error::new(
            format!("Weights stored as {dtype} cannot be used; get another quantisation, such as Q4_K_M or Q8_0."),
            format!("不支持 {dtype} 格式的权重，请换用其他量化版本，例如 Q4_K_M 或 Q8_0。"),
        ));
    }
    let (have, values) = (bytes.len(), out.len());
    if dtype.bytes_for(values) != Some(have) {
        return Err(Error::new(
            format!("{values} {dtype} values do not take {have} bytes; the file is damaged, fetch it again."),
            format!("{values} 个 {dtype} 数值与 {have} 字节不符，文件已损坏，请重新获取。"),
        ));
    }
    let block: fn(&[u8], &mut [f32]) = match dtype {
        GgmlType::F32 => |b, y| y[0] = f32::from_le_bytes([b[0], b[1], b[2], b[3]]),
        GgmlType::F16 => |b, y| y[0] = half_at(b, 0),
        GgmlType::BF16 => |b, y| y[0] = bf16::from_le_bytes([b[0], b[1]]).to_f32(),
        GgmlType::Q4_0 => q4_0,
        GgmlType::Q4_1 => q4_1,
        GgmlType::Q5_0 => q5_0,
        GgmlType::Q5_1 => q5_1,
        GgmlType::Q8_0 => q8_0,
        GgmlType::Q2_K => q2_k,
        GgmlType::Q3_K => q3_k,
        GgmlType::Q4_K => q4_k,
        GgmlType::Q5_K => q5_k,
        _ => q6_k,
    };
    for (b, y) in bytes.chunks_exact(dtype.type_bytes()).zip(out.chunks_exact_mut(dtype.block_size())) {
        block(b, y);
    }
    Ok(())
}

fn half_at(bytes: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}

/// `d`, 16 bytes of nibbles: low ones are values 0..16, high ones 16..32; q − 8.
fn q4_0(b: &[u8], y: &mut [f32]) {
    let d = half_at(b, 0);
    for j in 0..16 {
        y[j] = d * (i32::from(b[2 + j] & 15) - 8) as f32;
        y[j + 16] = d * (i32::from(b[2 + j] >> 4) - 8) as f32;
    }
}

/// `d`, `m`, 16 bytes of nibbles.
fn q4_1(b: &[u8], y: &mut [f32]) {
    let (d, m) = (half_at(b, 0), half_at(b, 2));
    for j in 0..16 {
        y[j] = d * f32::from(b[4 + j] & 15) + m;
        y[j + 16] = d * f32::from(b[4 + j] >> 4) + m;
    }
}

/// Bit 4 of the 32 values of a five-bit block, as 0 or 16.
fn fifth_bit(b: &[u8], at: usize, value: usize) -> u8 {
    (b[at + value / 8] >> (value % 8) & 1) << 4
}

/// `d`, 4 bytes of fifth bits, 16 bytes of nibbles; q − 16.
fn q5_0(b: &[u8], y: &mut [f32]) {
    let d = half_at(b, 0);
    for j in 0..16 {
        y[j] = d * (i32::from(b[6 + j] & 15 | fifth_bit(b, 2, j)) - 16) as f32;
        y[j + 16] = d * (i32::from(b[6 + j] >> 4 | fifth_bit(b, 2, j + 16)) - 16) as f32;
    }
}

/// `d`, `m`, 4 bytes of fifth bits, 16 bytes of nibbles.
fn q5_1(b: &[u8], y: &mut [f32]) {
    let (d, m) = (half_at(b, 0), half_at(b, 2));
    for j in 0..16 {
        y[j] = d * f32::from(b[8 + j] & 15 | fifth_bit(b, 4, j)) + m;
        y[j + 16] = d * f32::from(b[8 + j] >> 4 | fifth_bit(b, 4, j + 16)) + m;
    }
}

/// `d`, 32 signed bytes.
fn q8_0(b: &[u8], y: &mut [f32]) {
    let d = half_at(b, 0);
    for (y, q) in y.iter_mut().zip(&b[2..]) {
        *y = d * f32::from(q.cast_signed());
    }
}

/// 16 bytes of (scale, minimum) nibbles, 64 bytes of 2-bit values, `d`, `dmin`; a scale serves 16 values.
fn q2_k(b: &[u8], y: &mut [f32]) {
    let (scales, qs) = (&b[..16], &b[16..80]);
    let (d, dmin) = (half_at(b, 80), half_at(b, 82));
    for (i, y) in y.iter_mut().enumerate() {
        // 128 values share 32 bytes: value i sits in bits 2·(i / 32) of byte i % 32.
        let q = qs[i / 128 * 32 + i % 32] >> (2 * (i % 128 / 32)) & 3;
        let scale = scales[i / 16];
        *y = d * f32::from(scale & 15) * f32::from(q) - dmin * f32::from(scale >> 4);
    }
}

/// 32 bytes of third bits (set: 0, clear: −4), 64 bytes of 2-bit values, 12 bytes of 16 six-bit scales (− 32), `d`.
fn q3_k(b: &[u8], y: &mut [f32]) {
    let (high, qs, packed) = (&b[..32], &b[32..96], &b[96..108]);
    let d = half_at(b, 108);
    for (i, y) in y.iter_mut().enumerate() {
        let s = i / 16;
        let low = if s < 8 { packed[s] & 15 } else { packed[s - 8] >> 4 };
        let scale = i32::from(low | (packed[8 + s % 4] >> (2 * (s / 4)) & 3) << 4) - 32;
        let q = i32::from(qs[i / 128 * 32 + i % 32] >> (2 * (i % 128 / 32)) & 3);
        let third = if high[i % 32] >> (i / 32) & 1 == 1 { 0 } else { 4 };
        *y = d * scale as f32 * (q - third) as f32;
    }
}

/// The `j`-th of eight (scale, minimum) pairs of six bits each in 12 bytes.
fn scale_and_min(packed: &[u8], j: usize) -> (f32, f32) {
    let (scale, min) = if j < 4 {
        (packed[j] & 63, packed[j + 4] & 63)
    } else {
        (packed[j + 4] & 15 | packed[j - 4] >> 6 << 4, packed[j + 4] >> 4 | packed[j] >> 6 << 4)
    };
    (f32::from(scale), f32::from(min))
}

/// `d`, `dmin`, 12 bytes of scales and minima, 128 bytes of nibbles; 64 values share 32 bytes.
fn q4_k(b: &[u8], y: &mut [f32]) {
    let (d, dmin) = (half_at(b, 0), half_at(b, 2));
    let (packed, qs) = (&b[4..16], &b[16..144]);
    for (i, y) in y.iter_mut().enumerate() {
        let (scale, min) = scale_and_min(packed, i / 32);
        let q = qs[i / 64 * 32 + i % 32] >> (4 * (i % 64 / 32)) & 15;
        *y = d * scale * f32::from(q) - dmin * min;
    }
}

/// As Q4_K with 32 bytes of fifth bits before the nibbles: bit `i / 32` of byte `i % 32`.
fn q5_k(b: &[u8], y: &mut [f32]) {
    let (d, dmin) = (half_at(b, 0), half_at(b, 2));
    let (packed, high, qs) = (&b[4..16], &b[16..48], &b[48..176]);
    for (i, y) in y.iter_mut().enumerate() {
        let (scale, min) = scale_and_min(packed, i / 32);
        let q = qs[i / 64 * 32 + i % 32] >> (4 * (i % 64 / 32)) & 15 | (high[i % 32] >> (i / 32) & 1) << 4;
        *y = d * scale * f32::from(q) - dmin * min;
    }
}

/// 128 bytes of low nibbles, 64 bytes of high bit pairs, 16 signed scales, `d`; q − 32. 128 values share 64 and 32 bytes.
fn q6_k(b: &[u8], y: &mut [f32]) {
    let (low, high, scales) = (&b[..128], &b[128..192], &b[192..208]);
    let d = half_at(b, 208);
    for (i, y) in y.iter_mut().enumerate() {
        let (half, in_half) = (i / 128, i % 128);
        let nibble = low[half * 64 + in_half % 64] >> (4 * (in_half / 64)) & 15;
        let pair = high[half * 32 + i % 32] >> (2 * (in_half / 32)) & 3;
        let q = i32::from(nibble | pair << 4) - 32;
        *y = d * f32::from(scales[i / 16].cast_signed()) * q as f32;
    }
}
