//! IDX files, the form of MNIST and its kin: big-endian sizes, then bytes; packed with gzip or not.

use std::{io::Read as _, path::Path};

use flate2::read::GzDecoder;

use crate::{Error, Result, files};

/// The largest file that is read.
const MOST_FILE_BYTES: u64 = 1 << 30;
/// The most that one unpacks to.
const MOST_BYTES: u64 = 4 << 30;
/// The kind of numbers that is read: bytes.
const BYTES: u8 = 8;

/// Numbers of an IDX file: their sizes, the slowest first, and themselves.
pub(super) struct Idx {
    pub sizes: Vec<usize>,
    pub bytes: Vec<u8>,
}

/// Reads a file of bytes in `dimensions` dimensions.
pub(super) fn read(path: &Path, dimensions: usize) -> Result<Idx> {
    let packed = files::read_bytes(path, MOST_FILE_BYTES)?;
    let damaged = || {
        let name = path.display();
        Error::new(
            format!("“{name}” is no whole IDX file of bytes in {dimensions} dimensions; get it again."),
            format!("“{name}”不是完整的 {dimensions} 维 IDX 字节文件，请重新获取。"),
        )
    };
    let whole = if packed.starts_with(&[0x1F, 0x8B]) {
        let mut whole = Vec::new();
        GzDecoder::new(packed.as_slice()).take(MOST_BYTES).read_to_end(&mut whole).map_err(|_| damaged())?;
        whole
    } else {
        packed
    };
    let head = 4 + 4 * dimensions;
    if whole.len() < head || whole[..4] != [0, 0, BYTES, dimensions as u8] {
        return Err(damaged());
    }
    let sizes: Vec<usize> =
        whole[4..head].chunks_exact(4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize).collect();
    let all = sizes.iter().try_fold(1_usize, |all, size| all.checked_mul(*size));
    if all != Some(whole.len() - head) {
        return Err(damaged());
    }
    let mut bytes = whole;
    bytes.drain(..head);
    Ok(Idx { sizes, bytes })
}
