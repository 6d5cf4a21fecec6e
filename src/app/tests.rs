//! The window's logic without drawing it, over a link that answers nothing by itself.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use egui::Context;

use super::*;
use crate::{
    Result,
    document::{Chat, Document},
    engine::{Event, Outcome, Progress, TextModelInfo},
};

const NOW_MS: u64 = 1_795_000_000_000;

thread_local! {
    /// The clock of the test that runs on this thread.
    static CLOCK_MS: std::cell::Cell<u64> = const { std::cell::Cell::new(NOW_MS) };
}

/// What test and window share.
#[derive(Default)]
struct Script {
    commands: Vec<UiCommand>,
    events: VecDeque<Event>,
    /// The engine takes no more.
    full: bool,
}

#[derive(Clone, Default)]
struct Link(Arc<Mutex<Script>>);

impl Link {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().expect("nobody panicked")
    }
}

impl EngineLink for Link {
    fn send(&mut self, command: UiCommand) -> Result<()> {
        let mut script = self.script();
        if script.full {
            return Err(Error::new("Too much is waiting.", "等待的任务太多。"));
        }
        script.commands.push(command);
        Ok(())
    }

    fn cancel(&mut self, _job: Job) {}

    fn events(&mut self) -> Vec<Event> {
        self.script().events.drain(..).collect()
    }

    fn progress(&self) -> Option<Progress> {
        None
    }
}

/// The window, its context and the other end of its link.
struct Window {
    ctx: Context,
    app: App,
    link: Link,
}

impl Window {
    /// A window that has just opened; nothing was answered yet.
    fn new() -> Self {
        CLOCK_MS.set(NOW_MS);
        let (ctx, link) = (Context::default(), Link::default());
        let setup = Setup {
            link: Box::new(link.clone()),
            places: Places { settings: None, library: Some("/library".into()) },
            system_lang: Lang::En,
            clock: || CLOCK_MS.get(),
            memory: || None,
            system_fonts: false,
        };
        let app = App::new(&ctx, setup);
        Self { ctx, app, link }
    }

    /// A window with an empty library and a model.
    fn ready() -> Self {
        let mut window = Self::new();
        window.read_library(Vec::new());
        window.open_model("/models/a.gguf");
        window
    }

    /// The engine says these; the window takes them.
    fn say(&mut self, events: impl IntoIterator<Item = Event>) {
        self.link.script().events.extend(events);
        self.app.advance(&self.ctx);
    }

    fn wait(&mut self, ms: u64) {
        CLOCK_MS.set(CLOCK_MS.get() + ms);
        self.app.advance(&self.ctx);
    }

    /// Ends the newest job of this kind, after what it says.
    fn end(&mut self, is: impl Fn(&UiCommand) -> bool, say: impl FnOnce(Job) -> Vec<Event>, outcome: Outcome) {
        let job = self.sent(is).expect("it was sent").job();
        let mut events = say(job);
        events.push(Event::Ended { job, outcome });
        self.say(events);
    }

    /// Takes the newest command of this kind out of those that were sent.
    fn sent(&self, is: impl Fn(&UiCommand) -> bool) -> Option<UiCommand> {
        let mut script = self.link.script();
        let at = script.commands.iter().rposition(is)?;
        Some(script.commands.remove(at))
    }

    fn read_library(&mut self, items: Vec<Vec<u8>>) {
        let is = |command: &UiCommand| matches!(command, UiCommand::ReadLibrary { .. });
        let say = |job| vec![Event::LibraryRead { job, documents: items, damaged: Vec::new() }];
        self.end(is, say, Outcome::Finished);
    }

    fn open_model(&mut self, path: &str) {
        self.app.open_model(path.into());
        let is = |command: &UiCommand| matches!(command, UiCommand::OpenTextModel { .. });
        let say = |job| vec![Event::TextModelOpened { job, info: Box::new(info(Path::new(path))) }];
        self.end(is, say, Outcome::Finished);
    }

    fn document(&self) -> &Document {
        self.app.state.library.document()
    }

    fn type_text(&mut self, text: &str) {
        let now_ms = CLOCK_MS.get();
        let document = self.app.state.library.document_mut();
        let end = document.len();
        document.edit(end..end, text, now_ms);
    }

    /// Files of the library that were written, newest last.
    fn kept(&self) -> Vec<PathBuf> {
        let script = self.link.script();
        let files = script.commands.iter().filter_map(|command| match command {
            UiCommand::WriteFiles { files, .. } => Some(files.iter().map(|(path, _)| path.clone())),
            _ => None,
        });
        files.flatten().collect()
    }
}

fn info(path: &Path) -> TextModelInfo {
    TextModelInfo {
        name: path.file_name().expect("a file").to_string_lossy().into_owned(),
        path: path.to_owned(),
        family: "llama".to_owned(),
        quantisation: "Q4_1".to_owned(),
        size_bytes: 1,
        sha256: String::new(),
        context_tokens: 8192,
        chats: true,
        memory_bytes: 1,
    }
}

fn document(text: &str, days_ago: u64) -> Document {
    Document::from_text(text, NOW_MS - days_ago * 86_400_000)
}

#[test]
fn a_new_document_is_an_empty_one() {
    let mut window = Window::new();
    window.read_library(vec![document("Old words", 2).to_bytes(), document("", 1).to_bytes()]);
    assert_eq!(window.document().text(), "Old words");
    window.app.new_document();
    assert_eq!(window.document().text(), "", "not one of the library's");
    assert_eq!(window.app.state.library.documents.len(), 2, "the empty one is used again");
    window.type_text("word");
    window.app.state.library.document_mut().undo();
    window.app.new_document();
    assert_eq!(window.app.state.library.documents.len(), 3, "what was taken back can still come again");
}

#[test]
fn what_was_done_before_the_library_was_read_stays_shown() {
    let library = || vec![document("Old words", 1).to_bytes(), Chat::new(NOW_MS).to_bytes()];
    let mut window = Window::new();
    window.app.state.preferences.document = None;
    window.type_text("First keys");
    let last = document("Shown last", 2);
    window.app.state.preferences.document = Some(last.id().to_owned());
    window.read_library([library(), vec![last.to_bytes()]].concat());
    assert_eq!(window.document().text(), "First keys");
    assert_eq!(window.app.state.library.documents.len(), 3);

    let mut window = Window::new();
    window.app.open_text("/notes.md".into(), "From a file");
    window.read_library(library());
    assert_eq!(window.document().text(), "From a file");
    let texts: Vec<_> = window.app.state.library.documents.iter().map(Document::text).collect();
    assert_eq!(texts, ["From a file", "Old words"]);

    let mut window = Window::new();
    let last = document("Shown last", 2);
    window.app.state.preferences.document = Some(last.id().to_owned());
    window.read_library([library(), vec![last.to_bytes()]].concat());
    assert_eq!(window.document().text(), "Shown last", "nothing was done");
}

#[test]
fn documents_are_written_once_the_engine_takes_more() {
    let mut window = Window::ready();
    window.type_text("Not to be lost");
    window.link.script().full = true;
    window.wait(1);
    window.wait(1500);
    assert!(window.kept().is_empty());
    window.link.script().full = false;
    window.wait(1500);
    assert_eq!(window.kept().len(), 1);
    window.wait(60_000);
    assert_eq!(window.kept().len(), 1, "once is enough");
}
