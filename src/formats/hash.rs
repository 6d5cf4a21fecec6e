//! The SHA-256 of a file, read as a stream.

use std::{fs::File, io::Read as _, path::Path};

use sha2::{Digest as _, Sha256};

use crate::{Error, Result};

/// The SHA-256 of the file at `path` in lower-case hex, or `None` when `go_on` said to stop.
///
/// `go_on` is called before every megabyte with the bytes read so far.
///
/// # Errors
/// When the file cannot be read.
pub fn sha256_of_file(path: &Path, mut go_on: impl FnMut(u64) -> bool) -> Result<Option<String>> {
    let failed = |why: std::io::Error| Error::file(("read", "读取"), path, &why);
    let mut file = File::open(path).map_err(failed)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut done = 0;
    loop {
        if !go_on(done) {
            return Ok(None);
        }
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(Some(hex(&digest.finalize()))),
            count => {
                digest.update(&buffer[..count]);
                done += count as u64;
            }
        }
    }
}

/// The SHA-256 of `bytes` in lower-case hex.
pub fn sha256_of_bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The SHA-256 of bytes that come in parts.
pub fn sha256_of_parts(parts: impl Iterator<Item = Vec<u8>>) -> String {
    let mut digest = Sha256::new();
    parts.for_each(|part| digest.update(&part));
    hex(&digest.finalize())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_hashes_as_its_bytes_do_and_can_be_stopped() {
        // FIPS 180-4's example "abc".
        assert_eq!(sha256_of_bytes(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("a");
        let bytes = vec![7; (2 << 20) + 5];
        crate::files::write_whole(&path, &bytes).expect("write");
        let mut seen = Vec::new();
        let hash = sha256_of_file(&path, |done| {
            seen.push(done);
            true
        });
        assert_eq!(hash.expect("read"), Some(sha256_of_bytes(&bytes)));
        assert_eq!(seen.last(), Some(&(bytes.len() as u64)));
        assert_eq!(sha256_of_file(&path, |done| done < (1 << 20)).expect("read"), None);
        assert!(sha256_of_file(&dir.path().join("b"), |_| true).is_err());
    }
}
