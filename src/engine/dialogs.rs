//! File dialogs, on a thread of their own: they last for as long as a person thinks.

use std::{
    ffi::{OsStr, OsString},
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake},
    thread::Thread,
    time::{Duration, Instant},
};

use crossbeam_channel::Receiver;

use super::{
    Event, FileFilter, Outcome, UiCommand,
    jobs::{Jobs, Ticket},
    outbox::Outbox,
};
use crate::{Error, Result, crash, files, formats::audio::ENDINGS};

/// How soon a cancelled dialog is let go.
const PATIENCE: Duration = Duration::from_millis(50);
/// No person closes a dialog this fast: none was shown.
const UNSEEN: Duration = Duration::from_millis(300);

/// What to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// A file to open.
    Open(FileFilter),
    /// A place to save, with a name suggested.
    Save(FileFilter, String),
}

/// Something that asks a person for a file.
pub trait Dialogs: Send {
    /// The answer; `None` when the dialog was closed or `cancel` set.
    ///
    /// # Errors
    /// When no dialog can be shown.
    fn ask(&mut self, question: Question, cancel: &AtomicBool) -> Result<Option<PathBuf>>;
}

pub(super) struct Worker {
    outbox: Outbox,
    jobs: Arc<Jobs>,
    dialogs: Box<dyn Dialogs>,
}

impl Worker {
    pub(super) fn new(outbox: Outbox, jobs: Arc<Jobs>, dialogs: Box<dyn Dialogs>) -> Self {
        Self { outbox, jobs, dialogs }
    }

    pub(super) fn run(mut self, queue: &Receiver<Ticket>) {
        for ticket in queue {
            let job = ticket.job;
            let outcome = self.answer(ticket);
            self.jobs.leave(job);
            self.outbox.ended(job, outcome);
        }
    }

    fn answer(&mut self, ticket: Ticket) -> Outcome {
        let Ticket { job, command, cancel } = ticket;
        let (question, suggested) = match command {
            UiCommand::PickFile { filter, .. } => (Question::Open(filter), None),
            UiCommand::PickSave { filter, suggested, .. } => {
                (Question::Save(filter, suggested.clone()), Some(suggested))
            }
            _ => return Outcome::Cancelled,
        };
        if cancel.load(Ordering::Relaxed) {
            return Outcome::Cancelled;
        }
        match catch_unwind(AssertUnwindSafe(|| self.dialogs.ask(question, &cancel))) {
            Ok(_) if cancel.load(Ordering::Relaxed) => Outcome::Cancelled,
            Ok(Ok(path)) => {
                let path = match suggested {
                    Some(suggested) => path.map(|path| with_ending(path, Path::new(&suggested))),
                    None => path,
                };
                self.outbox.send(Event::Picked { job, path });
                Outcome::Finished
            }
            Ok(Err(error)) => Outcome::Failed(error),
            Err(payload) => Outcome::Failed(crash::caught(("the file dialog", "文件对话框"), payload)),
        }
    }
}

/// The dialogs of the desktop.
#[derive(Debug, Default)]
pub struct SystemDialogs;

impl Dialogs for SystemDialogs {
    fn ask(&mut self, question: Question, cancel: &AtomicBool) -> Result<Option<PathBuf>> {
        let asked = Instant::now();
        let answer = match question {
            Question::Open(filter) => wait(dialog(filter).pick_file(), cancel),
            Question::Save(filter, name) => wait(dialog(filter).set_file_name(name).save_file(), cancel),
        };
        match answer {
            Some(Some(file)) => Ok(Some(file.path().to_owned())),
            // The dialog library answers the same when a person closed the dialog and when there is none to show.
            Some(None) if asked.elapsed() < UNSEEN && is_bare_desktop() => Err(Error::new(
                "This desktop has no file dialog; install zenity or xdg-desktop-portal, or drop the file on the window.",
                "此桌面没有文件对话框；请安装 zenity 或 xdg-desktop-portal，或将文件拖到窗口上。",
            )),
            Some(None) | None => Ok(None),
        }
    }
}

/// A file that is called without an ending gets that of the suggested name. The dialog did not ask whether a file of that
/// name may be replaced, so it is another name where there is one.
fn with_ending(path: PathBuf, suggested: &Path) -> PathBuf {
    // “Draft 1.2” has none: endings begin with a letter and are of letters and digits.
    let is_ending = |ending: &OsStr| {
        let ending = ending.to_string_lossy();
        ending.starts_with(|c: char| c.is_ascii_alphabetic()) && ending.chars().all(|c| c.is_ascii_alphanumeric())
    };
    match (path.file_name(), suggested.extension()) {
        (Some(name), Some(ending)) if !path.extension().is_some_and(is_ending) => {
            let mut name = match name.to_str() {
                Some(name) => OsString::from(name.trim_end_matches('.')),
                None => name.to_owned(),
            };
            name.push(".");
            name.push(ending);
            files::free_path(&path.with_file_name(name), |path| !path.exists())
        }
        _ => path,
    }
}

fn dialog(filter: FileFilter) -> rfd::AsyncFileDialog {
    let dialog = rfd::AsyncFileDialog::new();
    match filter {
        FileFilter::Model => dialog.add_filter(
            "GGUF, safetensors, PyTorch",
            &["gguf", "GGUF", "safetensors", "pth", "pt", "bin", "tar", "ckpt"],
        ),
        FileFilter::Sound => {
            let upper = ENDINGS.map(str::to_uppercase);
            let endings: Vec<_> = ENDINGS.into_iter().chain(upper.iter().map(String::as_str)).collect();
            dialog.add_filter("WAV, FLAC, Ogg Vorbis, MP3", &endings)
        }
        FileFilter::SavedSound => dialog.add_filter("WAV, FLAC", &["wav", "WAV", "flac", "FLAC"]),
        FileFilter::Picture => dialog.add_filter("PNG, WebP, JPEG, SVG", &["png", "PNG", "webp", "jpg", "jpeg", "svg"]),
        FileFilter::Photograph => {
            dialog.add_filter("PNG, JPEG, WebP", &["png", "PNG", "jpg", "JPG", "jpeg", "JPEG", "webp", "WEBP"])
        }
        FileFilter::Png => dialog.add_filter("PNG", &["png", "PNG"]),
        FileFilter::Gif => dialog.add_filter("GIF", &["gif", "GIF"]),
        FileFilter::Folder => dialog,
        FileFilter::Capture => dialog.add_filter("NeuralAmpModeler", &["nam", "NAM"]),
        FileFilter::Text => dialog.add_filter("Markdown, TXT", &["md", "txt", "markdown"]),
    }
}

/// Whether the fallback of the dialog library is missing too.
fn is_bare_desktop() -> bool {
    cfg!(target_os = "linux")
        && std::env::var_os("PATH")
            .is_none_or(|path| !std::env::split_paths(&path).any(|folder| folder.join("zenity").is_file()))
}

/// Runs a future on this thread until it is ready, or `None` once `cancel` is set.
fn wait<T>(future: impl Future<Output = T>, cancel: &AtomicBool) -> Option<T> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(answer) = future.as_mut().poll(&mut context) {
            return Some(answer);
        }
        if cancel.load(Ordering::Relaxed) {
            return None;
        }
        std::thread::park_timeout(PATIENCE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ending_that_is_added_replaces_no_file() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let ended = |name: &str, suggested: &str| with_ending(dir.path().join(name), Path::new(suggested));
        assert_eq!(ended("我的", "take.wav"), dir.path().join("我的.wav"));
        files::write_whole(&dir.path().join("mine.wav"), b"x").expect("written");
        assert_eq!(ended("mine", "take.wav"), dir.path().join("mine 2.wav"));
        assert_eq!(ended("mine.wav", "take.wav"), dir.path().join("mine.wav"), "the dialog asked about this one");
        assert_eq!(ended("mine.flac", "take.wav"), dir.path().join("mine.flac"));
        assert_eq!(ended("Draft 1.2", "Draft.md"), dir.path().join("Draft 1.2.md"));
        assert_eq!(ended("我.的歌", "take.wav"), dir.path().join("我.的歌.wav"));
        assert_eq!(ended("this.", "take.wav"), dir.path().join("this.wav"));
        assert_eq!(ended("data", "folder"), dir.path().join("data"));
    }

    #[test]
    fn an_answer_is_waited_for_and_a_cancel_heard() {
        let cancel = AtomicBool::new(false);
        assert_eq!(wait(std::future::ready(3), &cancel), Some(3));
        std::thread::scope(|scope| {
            scope.spawn(|| cancel.store(true, Ordering::Relaxed));
            assert_eq!(wait(std::future::pending::<u8>(), &cancel), None);
        });
    }
}
