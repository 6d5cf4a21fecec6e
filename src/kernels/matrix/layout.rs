//! The interleaved layout of packed matrices.
//!
//! Rows are taken eight at a time, a *group*; the last group of a matrix is filled up with zero rows. A
//! group holds the 32 columns of a block as eight *quads* of four columns: byte `32 q + 4 r + c` of the
//! unpacked codes is row `r`, column `4 q + c`. So one 32-byte vector holds four columns of all eight rows,
//! four bytes of activations are broadcast against it, and each 32-bit lane sums for one row: no horizontal
//! sums, and the codes of a quad are used for many tokens once they are unpacked.
//!
//! Codes are unsigned and split into bit planes, so that a type takes what it takes in the file:
//! - 4-bit plane (128 bytes): byte `32 j + i` holds byte `i` of quad `j` in its low and of quad `j + 4` in
//!   its high half;
//! - 2-bit plane (64 bytes): byte `32 j + i` holds byte `i` of quads `4 j … 4 j + 3`, lowest first;
//! - 1-bit plane (32 bytes): bit `q` of byte `i` belongs to byte `i` of quad `q`.
//!
//! Five bits are a 4-bit plane and a 1-bit plane above it, six a 4-bit and a 2-bit plane, three a 2-bit and
//! a 1-bit plane; eight bits are stored as they are.
//!
//! *Blocks* (Q4_0 … Q8_0), for each 32 columns: eight half-float scales, eight half-float minima where the
//! type has them, the planes. *Super-blocks* (K types), for each 256 columns: eight half-float scales, eight
//! half-float scales of the minima where the type has them, the integer scales of the sub-blocks in pairs
//! (row by row: that of the even, that of the odd one), the integer minima likewise, eight times the planes.
//! *Floats*: column by column the eight rows.

use crate::formats::gguf::GgmlType;

/// Rows in a group.
pub const ROWS: usize = 8;
/// Columns in a block.
pub const BLOCK: usize = 32;
/// Columns in a super-block.
pub const SUPER: usize = 256;
/// Bytes of the unpacked codes of a block of a group.
pub const CODES: usize = ROWS * BLOCK;
/// Bytes of eight half floats.
pub const HALVES: usize = ROWS * 2;

/// How a type is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `bits` a code, a scale for 32 columns; a minimum, or half the range is subtracted from each code.
    Block { bits: usize, min: bool },
    /// `bits` a code, an integer scale for `sub` columns, a scale for 256; minima likewise, or half the range.
    Super { bits: usize, sub: usize, min: bool },
    /// Floats of `bytes` bytes.
    Float { bytes: usize },
}

/// The layout of a type, or `None` for one that there are no kernels for.
pub fn shape(dtype: GgmlType) -> Option<Shape> {
    use GgmlType as T;
    Some(match dtype {
        T::Q4_0 => Shape::Block { bits: 4, min: false },
        T::Q4_1 => Shape::Block { bits: 4, min: true },
        T::Q5_0 => Shape::Block { bits: 5, min: false },
        T::Q5_1 => Shape::Block { bits: 5, min: true },
        T::Q8_0 => Shape::Block { bits: 8, min: false },
        T::Q2_K => Shape::Super { bits: 2, sub: 16, min: true },
        T::Q3_K => Shape::Super { bits: 3, sub: 16, min: false },
        T::Q4_K => Shape::Super { bits: 4, sub: 32, min: true },
        T::Q5_K => Shape::Super { bits: 5, sub: 32, min: true },
        T::Q6_K => Shape::Super { bits: 6, sub: 16, min: false },
        T::F32 => Shape::Float { bytes: 4 },
        T::F16 | T::BF16 => Shape::Float { bytes: 2 },
        _ => return None,
    })
}

/// Bytes of the planes of a block.
pub const fn planes_bytes(bits: usize) -> usize {
    bits * BLOCK
}

/// Bytes of the integer scales of a super-block.
pub const fn scales_bytes(sub: usize) -> usize {
    SUPER / sub * ROWS
}

impl Shape {
    /// Columns that are stored as a unit.
    pub fn unit(self) -> usize {
        match self {
            Self::Block { .. } => BLOCK,
            Self::Super { .. } => SUPER,
            Self::Float { .. } => 1,
        }
    }

    /// Bytes of a unit of a group.
    pub const fn unit_bytes(self) -> usize {
        match self {
            Self::Block { bits, min } => HALVES + if min { HALVES } else { 0 } + planes_bytes(bits),
            Self::Super { bits, sub, min } => {
                let head = HALVES + scales_bytes(sub);
                (if min { 2 * head } else { head }) + SUPER / BLOCK * planes_bytes(bits)
            }
            Self::Float { bytes } => ROWS * bytes,
        }
    }
}
