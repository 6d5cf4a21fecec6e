//! IDX files, the form of MNIST and its kin: big-endian sizes, then bytes; packed with gzip or not.

use std::{io::Read, path::Path};

use flate2::read::GzDecoder;

use crate::{Error, Result, files};

/// The largest file that is read.
const MOST_FILE_BYTES: u64 = 1 << 30;
/// The most that one unpacks to.
const MOST_BYTES: usize = 2 << 30;
/// The kind of numbers that is read: bytes.
const BYTES: u8 = 8;

/// Numbers of an IDX file: their sizes, the slowest first, and themselves.
pub struct Idx {
    /// Numbers along every dimension.
    pub sizes: Vec<usize>,
    /// The numbers.
    pub bytes: Vec<u8>,
}

/// Opens a file of bytes in `dimensions` dimensions.
///
/// # Errors
/// When it cannot be read, is no such file, or not whole.
pub fn open(path: &Path, dimensions: usize) -> Result<Idx> {
    let packed = files::read_bytes(path, MOST_FILE_BYTES)?;
    read(&packed, dimensions).ok_or_else(|| {
        let name = path.display();
        Error::new(
            format!("“{name}” is no whole IDX file of bytes in {dimensions} dimensions; get it again."),
            format!("“{name}”不是完整的 {dimensions} 维 IDX 字节文件，请重新获取。"),
        )
    })
}

/// Reads a file of bytes in `dimensions` dimensions; `None` when it is none or not whole.
pub fn read(packed: &[u8], dimensions: usize) -> Option<Idx> {
    let mut reader: Box<dyn Read + '_> = match packed.starts_with(&[0x1F, 0x8B]) {
        true => Box::new(GzDecoder::new(packed)),
        false => Box::new(packed),
    };
    let mut head = vec![0; 4 + 4 * dimensions];
    reader.read_exact(&mut head).ok()?;
    if head[..4] != [0, 0, BYTES, dimensions as u8] {
        return None;
    }
    let sizes: Vec<usize> =
        head[4..].chunks_exact(4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize).collect();
    let all = sizes.iter().try_fold(1_usize, |all, size| all.checked_mul(*size));
    let all = all.filter(|all| (1..=MOST_BYTES).contains(all))?;
    // No more is unpacked than the head says.
    let mut bytes = Vec::new();
    reader.take(all as u64 + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() == all).then_some(Idx { sizes, bytes })
}
