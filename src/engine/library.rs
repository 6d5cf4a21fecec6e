//! The library folder: the documents that are kept without being asked to.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, SystemTime},
};

use crate::{Error, Result};

/// A document larger than this is called damaged instead of filling the memory. JSON writes a control character as six
/// bytes, so any text that can be opened fits, with room for what models write into it.
const DOCUMENT_LIMIT_BYTES: u64 = (6 + 1) * super::io::TEXT_LIMIT_BYTES;
/// All documents together.
const LIBRARY_LIMIT_BYTES: u64 = 2 * DOCUMENT_LIMIT_BYTES;
/// A temporary file that has not been touched for this long is what a killed program left.
const STALE: Duration = Duration::from_hours(1);

/// What the folder holds.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Found {
    /// Newest first.
    pub(super) documents: Vec<(PathBuf, Vec<u8>)>,
    pub(super) damaged: Vec<PathBuf>,
}

/// Reads every file of the folder but hidden ones; a folder that is not there is empty. `None` when cancelled.
pub(super) fn read(folder: &Path, cancel: &AtomicBool) -> Result<Option<Found>> {
    let refused = |why: std::io::Error| Error::file(("read", "读取"), folder, &why);
    let entries = match fs::read_dir(folder) {
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(Some(Found::default())),
        entries => entries.map_err(refused)?,
    };
    let mut documents = Vec::new();
    for entry in entries {
        let entry = entry.map_err(refused)?;
        let Ok(meta) = entry.metadata() else { continue };
        let changed = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(b".") {
            remove_stale(&entry.path(), changed);
        } else if meta.is_file() {
            documents.push((changed, entry.path(), meta.len()));
        }
    }
    // The name decides between files of one moment, so that the order is always the same.
    documents.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));

    let (mut found, mut room) = (Found::default(), LIBRARY_LIMIT_BYTES);
    for (_, path, size_bytes) in documents {
        if cancel.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let bytes = if size_bytes <= room.min(DOCUMENT_LIMIT_BYTES) { fs::read(&path).ok() } else { None };
        match bytes {
            Some(bytes) => {
                room -= size_bytes;
                found.documents.push((path, bytes));
            }
            None => found.damaged.push(path),
        }
    }
    Ok(Some(found))
}

/// Removes what `files::write_whole` leaves when the program is killed in it.
fn remove_stale(path: &Path, changed: SystemTime) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_ours = name.starts_with(".atelier-") && name.ends_with(".tmp");
    if is_ours && changed.elapsed().is_ok_and(|age| age > STALE) {
        // Best effort: it is in nobody's way.
        let _ = fs::remove_file(path);
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests put damaged files in place")]
mod tests {
    use super::*;

    static GO: AtomicBool = AtomicBool::new(false);

    fn aged(path: &Path, hours: u64) {
        let time = SystemTime::now() - Duration::from_hours(hours);
        fs::File::options().write(true).open(path).and_then(|file| file.set_modified(time)).expect("set the time");
    }

    #[test]
    fn documents_come_newest_first_without_leftovers() {
        let dir = tempfile::tempdir().expect("temporary folder");
        for (name, hours) in
            [("old", 30), ("new", 10), ("middle", 20), (".atelier-1-0.tmp", 5), (".atelier-1-1.tmp", 0)]
        {
            fs::write(dir.path().join(name), name).expect("write");
            aged(&dir.path().join(name), hours);
        }
        fs::create_dir(dir.path().join("folder")).expect("folder");
        let found = read(dir.path(), &GO).expect("read").expect("not cancelled");
        let read: Vec<&[u8]> = found.documents.iter().map(|(_, bytes)| bytes.as_slice()).collect();
        assert_eq!(read, [&b"new"[..], b"middle", b"old"]);
        assert!(found.damaged.is_empty());
        assert!(!dir.path().join(".atelier-1-0.tmp").exists(), "left over");
        assert!(dir.path().join(".atelier-1-1.tmp").exists(), "may be in use");
    }

    #[test]
    fn a_huge_file_is_named_and_the_rest_is_read() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let huge = dir.path().join("huge");
        fs::File::create(&huge).and_then(|file| file.set_len(3 << 30)).expect("sparse file");
        let small = dir.path().join("small");
        fs::write(&small, "small").expect("write");
        let found = read(dir.path(), &GO).expect("read").expect("not cancelled");
        assert_eq!(found, Found { documents: vec![(small, b"small".to_vec())], damaged: vec![huge] });
    }

    #[test]
    fn no_folder_is_an_empty_library_and_a_file_is_none() {
        let dir = tempfile::tempdir().expect("temporary folder");
        assert_eq!(read(&dir.path().join("none"), &GO).expect("read"), Some(Found::default()));
        fs::write(dir.path().join("file"), "x").expect("write");
        let error = read(&dir.path().join("file"), &GO).expect_err("not a folder");
        assert!(error.to_string().starts_with("Could not read"), "{error}");
    }

    #[test]
    fn a_cancelled_reading_gives_nothing() {
        let dir = tempfile::tempdir().expect("temporary folder");
        fs::write(dir.path().join("a"), "a").expect("write");
        assert_eq!(read(dir.path(), &AtomicBool::new(true)).expect("read"), None);
    }
}
