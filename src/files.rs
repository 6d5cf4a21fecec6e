//! Writing that never loses what was there: a temporary file beside the target, then a rename.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{Error, Result};

/// Replaces `path` with `bytes` in one step: readers see the old file or the new one, never half of one,
/// whatever happens to this process or the disk meanwhile.
///
/// # Errors
/// When the folder cannot be written or the disk is full; the old file is then still there.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = temporary_beside(path);
    let written = write_synced(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    written.map_err(|why| {
        // Best effort: the failure worth telling is the first one.
        let _ = fs::remove_file(&temporary);
        Error::file(("save", "保存"), path, &why)
    })
}

fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A name in the same folder (a rename must not cross file systems) that no other thread or process uses.
fn temporary_beside(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!(".atelier-{}-{count}.tmp", std::process::id());
    path.with_file_name(name)
}

/// `path`, or the first of `NAME 2.ENDING`, `NAME 3.ENDING`, … that is free.
pub fn free_path(path: &Path, is_free: impl Fn(&Path) -> bool) -> PathBuf {
    let numbered = |number: u32| {
        let mut name = path.file_stem().unwrap_or_default().to_owned();
        if number > 1 {
            name.push(format!(" {number}"));
        }
        if let Some(ending) = path.extension() {
            name.push(".");
            name.push(ending);
        }
        path.with_file_name(name)
    };
    (1..u32::MAX).map(numbered).find(|path| is_free(path)).unwrap_or_else(|| path.to_owned())
}

/// A text file as a string, with its encoding checked.
///
/// # Errors
/// When it cannot be read, is over `limit_bytes`, or is not UTF-8.
pub fn read_text(path: &Path, limit_bytes: u64) -> Result<String> {
    let doing = ("open", "打开");
    let meta = fs::metadata(path).map_err(|why| Error::file(doing, path, &why))?;
    let name = path.display();
    if meta.is_dir() {
        return Err(Error::new(
            format!("“{name}” is a folder; choose a text file."),
            format!("“{name}”是一个文件夹，请选择文本文件。"),
        ));
    }
    if meta.len() > limit_bytes {
        let (have, most) = (meta.len() >> 20, limit_bytes >> 20);
        return Err(Error::new(
            format!("“{name}” has {have} MB, more than the {most} MB a document may have; split it first."),
            format!("“{name}”有 {have} MB，超过文档上限 {most} MB，请先拆分。"),
        ));
    }
    let bytes = fs::read(path).map_err(|why| Error::file(doing, path, &why))?;
    let text = String::from_utf8(bytes).map_err(|_| {
        Error::new(
            format!("“{name}” is not UTF-8 text; save it as UTF-8 and open it again."),
            format!("“{name}”不是 UTF-8 文本，请另存为 UTF-8 后再打开。"),
        )
    })?;
    Ok(text.strip_prefix('\u{feff}').map_or(text.clone(), str::to_owned))
}

/// The bytes of a file.
///
/// # Errors
/// When it cannot be read or is over `limit_bytes`.
pub fn read_bytes(path: &Path, limit_bytes: u64) -> Result<Vec<u8>> {
    let failed = |why: std::io::Error| Error::file(("open", "打开"), path, &why);
    let meta = fs::metadata(path).map_err(failed)?;
    if meta.len() > limit_bytes {
        let (name, have, most) = (path.display(), meta.len() >> 20, limit_bytes >> 20);
        return Err(Error::new(
            format!("“{name}” has {have} MB, more than the {most} MB that can be opened."),
            format!("“{name}”有 {have} MB，超过可打开的上限 {most} MB。"),
        ));
    }
    fs::read(path).map_err(failed)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests put damaged files in place")]
mod tests {
    use super::*;

    #[test]
    fn replaces_whole_and_leaves_no_temporary() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("诗 é.md");
        write_whole(&path, b"old").expect("first write");
        write_whole(&path, b"new").expect("second write");
        assert_eq!(fs::read(&path).expect("read back"), b"new");
        assert_eq!(fs::read_dir(dir.path()).expect("list").count(), 1);
    }

    #[test]
    fn a_refused_write_keeps_the_old_file_and_says_what_to_do() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let target = dir.path().join("taken");
        fs::create_dir(&target).expect("folder in the way");
        fs::write(target.join("x"), b"x").expect("not empty");
        let error = write_whole(&target, b"new").expect_err("a folder cannot be replaced");
        assert!(error.text(Lang::En).starts_with("Could not save"), "{error}");
        assert!(target.join("x").exists());
        assert_eq!(fs::read_dir(dir.path()).expect("list").count(), 1);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_told_and_nothing_is_lost() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let refused = |path: &Path| {
            let error = write_whole(path, b"new").expect_err("it cannot be written there");
            assert!(
                error.text(Lang::En).starts_with("Could not save") && error.text(Lang::En).ends_with('.'),
                "{error}"
            );
        };
        let file = dir.path().join("file");
        fs::write(&file, "old").expect("write");
        refused(&file.join("a.md"));
        assert_eq!(fs::read(&file).expect("read"), b"old");
        refused(&dir.path().join("missing/a.md"));
        // Nobody, not even the administrator, makes files there.
        if cfg!(target_os = "linux") {
            refused(Path::new("/proc/a.md"));
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let locked = dir.path().join("locked");
            fs::create_dir(&locked).expect("folder");
            fs::write(locked.join("a.md"), "old").expect("write");
            fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).expect("lock it");
            // The administrator may write anywhere: then there is nothing to refuse.
            if fs::write(locked.join("probe"), "").is_err() {
                refused(&locked.join("a.md"));
                assert_eq!(fs::read(locked.join("a.md")).expect("read"), b"old");
            } else {
                let _ = writeln!(std::io::stderr(), "SKIPPED: a read-only folder is none for the administrator");
            }
            fs::set_permissions(&locked, fs::Permissions::from_mode(0o755)).expect("unlock it");
        }
    }

    #[test]
    fn text_must_be_utf8_and_small_enough() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("a.txt");
        fs::write(&path, "\u{feff}你好").expect("write");
        assert_eq!(read_text(&path, 100).expect("read"), "你好");
        assert!(read_text(&path, 3).expect_err("too big").to_string().contains("split"));
        fs::write(&path, [0xff, 0xfe, 0x00]).expect("write");
        assert!(read_text(&path, 100).expect_err("not text").to_string().contains("UTF-8"));
        assert!(read_text(dir.path(), 100).expect_err("folder").to_string().contains("folder"));
    }

    use crate::Lang;
}
