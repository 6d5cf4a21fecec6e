//! What happens to the message of a panic: it goes to a log file in the data folder, never to the user.
//!
//! Whoever catches the panic (a worker, the command line) tells the user one sentence instead.

use std::{
    any::Any,
    backtrace::Backtrace,
    fs::{self, OpenOptions},
    io::Write as _,
    panic::{self, PanicHookInfo},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{Error, folders};

/// A log that has grown past this is started again.
const LOG_LIMIT_BYTES: u64 = 1 << 20;

/// Sends the details of every panic from now on to [`log_path`], and prints nothing.
pub fn install_hook() {
    panic::set_hook(Box::new(|info| {
        if let Some(path) = log_path() {
            // A panic while telling of a panic would abort: whatever fails here is let go.
            let _ = append(&path, &details(info));
        }
    }));
}

/// The log of panics, if this account has a folder for it.
pub fn log_path() -> Option<PathBuf> {
    Some(folders::data()?.join("log").join("crash.log"))
}

/// The sentence for a panic that was caught while `doing` something, such as `("writing", "写作")`.
///
/// The payload is not for the user (the log has it), but it must be dropped where its own `drop` cannot hurt.
pub fn caught(doing: (&str, &str), payload: Box<dyn Any + Send>) -> Error {
    // Dropping a payload runs code of whoever panicked; a second panic there ends here too.
    let _ = panic::catch_unwind(panic::AssertUnwindSafe(|| drop(payload)));
    let (en, zh) = (doing.0, doing.1);
    match log_path() {
        Some(path) => Error::new(
            format!(
                "A mistake in Atelier stopped {en}; try again, and if it happens again report it with “{}”.",
                path.display()
            ),
            format!("Atelier 的一个错误中断了{zh}；请重试，若再次发生，请附上“{}”反馈。", path.display()),
        ),
        None => Error::new(
            format!("A mistake in Atelier stopped {en}; try again, and report it if it happens again."),
            format!("Atelier 的一个错误中断了{zh}；请重试，若再次发生请反馈。"),
        ),
    }
}

fn details(info: &PanicHookInfo<'_>) -> String {
    let thread = std::thread::current();
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    format!(
        "atelier {} at {seconds} s, thread {:?}: {info}\n{}\n",
        env!("CARGO_PKG_VERSION"),
        thread.name().unwrap_or("unnamed"),
        Backtrace::force_capture()
    )
}

fn append(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let is_full = fs::metadata(path).is_ok_and(|meta| meta.len() > LOG_LIMIT_BYTES);
    let mut options = OpenOptions::new();
    if is_full {
        options.write(true).create(true).truncate(true);
    } else {
        options.append(true).create(true);
    }
    options.open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_starts_again_when_it_is_full() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("log").join("crash.log");
        append(&path, "one\n").expect("first");
        append(&path, "two\n").expect("second");
        assert_eq!(fs::read_to_string(&path).expect("read"), "one\ntwo\n");
        append(&path, &"x".repeat(LOG_LIMIT_BYTES as usize)).expect("fill");
        append(&path, "new\n").expect("after");
        assert_eq!(fs::read_to_string(&path).expect("read"), "new\n");
    }

    #[test]
    fn a_payload_that_panics_when_dropped_is_survived() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("again");
            }
        }
        let error = caught(("testing", "测试"), Box::new(Bomb));
        assert!(error.to_string().contains("stopped testing"), "{error}");
    }
}
