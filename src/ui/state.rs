//! What the window shows: plain data that pages draw and change. `app` fills it, and does what pages ask.

use std::{path::PathBuf, sync::Arc};

use super::{
    Command,
    command::Place,
    paint::PaintView,
    preferences::Preferences,
    sound::SoundView,
    text::{Key, t},
    toasts::Toasts,
    write::WriteView,
};
use crate::{
    Lang, catalogue,
    document::{Chat, Document, MessageId, TokenRef},
    engine::{
        ExportKind, FilmKind, GalleryInput, JobKind, MarkChange, PaintInput, Progress, SoundInput, TextModelInfo,
    },
    generate::{ContextReport, StopReason, audio::Step, image::ImageRequest},
};

/// A page of the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Page {
    /// Documents and conversations.
    #[default]
    Write,
    /// Pictures.
    Paint,
    /// Live and composed sound.
    Sound,
    /// The models on this computer.
    Models,
    /// Language, look, files.
    Settings,
}

/// Something that a page asks for and `app` does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A command.
    Do(Command),
    /// Show the document or conversation with this id.
    Show(String),
    /// Delete the document or conversation with this id.
    Delete(String),
    /// Use a model.
    UseModel(PathBuf),
    /// Take a model off the list; its file stays.
    ForgetModel(PathBuf),
    /// Write on from a token of the document with another in its place.
    Branch(TokenRef, u32),
    /// Answer anew from a token of the conversation.
    BranchReply(TokenRef, u32),
    /// Write on from an example.
    TryExample(String),
    /// Do a task.
    Task(TaskAction),
    /// Show where the tasks can be changed.
    EditTasks,
    /// Read the tasks again.
    ReadTasks,
    /// Send what is typed below the conversation.
    SendMessage,
    /// Say a message in other words and have it answered.
    EditMessage(MessageId, String),
    /// Answer a message of the user again.
    AnswerAgain(MessageId),
    /// Stop a job.
    Cancel,
    /// Make a new seed.
    NewSeed,
    /// Tell the synthesiser something.
    Sound(SoundInput),
    /// Do something with takes.
    Take(TakeAction),
    /// Tell the painter something.
    Paint(PaintInput),
    /// Draw pictures and keep them.
    Draw(Vec<ImageRequest>),
    /// Enlarge the chosen picture, or what the sliders make of it, with an upscaler (name and file).
    Enlarge((String, PathBuf), Option<ImageRequest>),
    /// Set what is drawn next as the chosen picture has it.
    UseSettings,
    /// Save the film of the path.
    SaveFilm(FilmKind),
    /// Do something with the textures that are taught.
    Teach(TeachAction),
    /// Tell the gallery something.
    Gallery(GalleryInput),
    /// Change the marks of kept pictures.
    Mark(Vec<PathBuf>, MarkChange),
    /// Move kept pictures to the bin.
    Bin(Vec<PathBuf>),
    /// Show what lies in the bin, or the gallery again.
    ShowBin(bool),
    /// Bring pictures back that lie in the bin.
    Unbin(Vec<PathBuf>),
    /// Remove pictures from the bin for good.
    Destroy(Vec<PathBuf>),
    /// Save pictures together, where the user says.
    Export(ExportKind, Vec<PathBuf>),
    /// Carry pictures out of the window with the pointer: one as it is, several as a sheet.
    Carry(Vec<PathBuf>),
}

/// Something to be done with the textures that are taught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TeachAction {
    /// Ask for a photograph.
    Add,
    /// Begin.
    Begin,
    /// End, and keep what was learnt.
    Finish,
    /// End, and keep nothing.
    Discard,
}

/// Something to be done with takes.
#[derive(Clone, Debug, PartialEq)]
pub enum TakeAction {
    /// Show the one with this number.
    Show(u64),
    /// Compare the one shown with another, or with none any more.
    Compare(Option<u64>),
    /// Do something to the one shown.
    Change(Arc<Step>),
    /// Mark one, or take the mark away.
    Star(u64, bool),
    /// Name one; with nothing it has no name of its own any more.
    Rename(u64, String),
    /// Move one to the bin.
    Bin(u64),
    /// Record a new one.
    Record,
    /// Choose a capture of an amplifier.
    OpenCapture,
}

/// A task to be done with the model.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskAction {
    /// The task's id.
    pub task: String,
    /// The style, the language or the brief, where the task takes one.
    pub detail: String,
}

/// A task as a chip.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskItem {
    /// Its id.
    pub id: String,
    /// Its name.
    pub en: String,
    /// Its name in Chinese.
    pub zh: String,
    /// What it does.
    pub tip_en: String,
    /// What it does, in Chinese.
    pub tip_zh: String,
    /// What it must be told.
    pub needs: Needs,
    /// Whether the user may answer in words of their own.
    pub own_words: bool,
}

/// What a task must be told.
#[derive(Clone, Debug, PartialEq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// What the text should be about.
    Brief,
    /// One of a few: what is told, its name, its name in Chinese.
    Choice(Vec<(String, String, String)>),
}

/// All that the window shows.
pub struct State {
    /// The language of the interface.
    pub lang: Lang,
    /// What the user has set.
    pub preferences: Preferences,
    /// The page shown.
    pub page: Page,
    /// Documents and conversations.
    pub library: Library,
    /// The Write page's own.
    pub write: WriteView,
    /// The Paint page's own.
    pub paint: PaintView,
    /// The Sound page's own.
    pub sound: SoundView,
    /// The model in use.
    pub model: ModelState,
    /// The models on this computer; `None` until they were listed.
    pub models: Option<Vec<catalogue::Model>>,
    /// What can be done with a selection.
    pub tasks: Vec<TaskItem>,
    /// Where the user's own tasks are, or would be.
    pub tasks_path: Option<PathBuf>,
    /// What the engine does.
    pub work: Option<Work>,
    /// Memory of this process in bytes, where the system tells.
    pub memory_bytes: Option<u64>,
    /// What failed, and what can be taken back.
    pub toasts: Toasts,
    /// Whether the sheet of shortcuts is open.
    pub sheet_open: bool,
    /// The folder of the library, to be shown.
    pub library_folder: PathBuf,
    /// Milliseconds since 1970, for what is written now.
    pub now_ms: u64,
    /// What pages asked for in this frame.
    pub asked: Vec<Action>,
}

/// The model in use.
#[derive(Clone, Debug, Default)]
pub struct ModelState {
    /// The open model.
    pub open: Option<TextModelInfo>,
    /// The name of one that is being opened.
    pub opening: Option<String>,
}

impl ModelState {
    /// Whether text can be generated now.
    pub fn is_ready(&self) -> bool {
        self.open.is_some() && self.opening.is_none()
    }
}

/// What the engine does, for the status bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Work {
    /// What.
    pub kind: JobKind,
    /// How far, once it is known.
    pub progress: Option<Progress>,
    /// Whether it was told to stop.
    pub stopping: bool,
}

/// The documents and conversations, newest first. There is always at least one of each.
#[derive(Debug)]
pub struct Library {
    /// The documents.
    pub documents: Vec<Document>,
    /// The conversations.
    pub chats: Vec<Chat>,
    /// The document shown.
    pub document: usize,
    /// The conversation shown.
    pub chat: usize,
    /// What of the document's text the model read last, and the document's id.
    pub context: Option<(String, ContextReport)>,
    /// Tokens in the shown document or conversation, once counted.
    pub tokens: Option<usize>,
}

impl Library {
    /// One empty document and one empty conversation.
    pub fn new(now_ms: u64) -> Self {
        Self {
            documents: vec![Document::new(now_ms)],
            chats: vec![Chat::new(now_ms)],
            document: 0,
            chat: 0,
            context: None,
            tokens: None,
        }
    }

    /// The document shown.
    pub fn document(&self) -> &Document {
        &self.documents[self.document]
    }

    /// The document shown, to be changed.
    pub fn document_mut(&mut self) -> &mut Document {
        &mut self.documents[self.document]
    }

    /// The conversation shown.
    pub fn chat(&self) -> &Chat {
        &self.chats[self.chat]
    }

    /// The conversation shown, to be changed.
    pub fn chat_mut(&mut self) -> &mut Chat {
        &mut self.chats[self.chat]
    }
}

/// Why a text ended, in words; without a reason it failed.
pub fn why_ended(reason: Option<StopReason>) -> Key {
    match reason {
        Some(StopReason::EndOfText) => Key::EndedByModel,
        Some(StopReason::StopString) => Key::EndedByStop,
        Some(StopReason::MaxTokens) => Key::EndedByLength,
        Some(StopReason::ContextFull) => Key::EndedByContext,
        Some(StopReason::Banned) => Key::EndedByBan,
        Some(StopReason::Cancelled) => Key::EndedByUser,
        None => Key::EndedByFailure,
    }
}

impl State {
    /// A window that has just opened.
    pub fn new(lang: Lang, preferences: Preferences, now_ms: u64) -> Self {
        Self {
            lang,
            preferences,
            page: Page::default(),
            library: Library::new(now_ms),
            write: WriteView::default(),
            paint: PaintView::default(),
            sound: SoundView::default(),
            model: ModelState::default(),
            models: None,
            tasks: Vec::new(),
            tasks_path: None,
            work: None,
            memory_bytes: None,
            toasts: Toasts::default(),
            sheet_open: false,
            library_folder: PathBuf::new(),
            now_ms,
            asked: Vec::new(),
        }
    }

    /// Why the newest text of what is shown ended, while nothing was written since; `None` while it is being written.
    pub fn ended(&self) -> Option<Key> {
        let generation = if self.preferences.chatting {
            let chat = self.library.chat();
            let last = chat.path().last().and_then(|id| chat.view(*id)).and_then(|view| view.generation);
            chat.generation(last?)?
        } else {
            let document = self.library.document();
            let newest = document.variants().into_iter().find(|variant| variant.is_current)?;
            document.generation(newest.generation).filter(|_| newest.node == document.current_node())?
        };
        (!generation.is_streaming()).then(|| why_ended(generation.stop_reason))
    }

    /// What `key` says.
    pub fn t(&self, key: Key) -> &'static str {
        t(self.lang, key)
    }

    /// Asks `app` to do something.
    pub fn ask(&mut self, action: Action) {
        self.asked.push(action);
    }

    /// Asks for a command.
    pub fn command(&mut self, command: Command) {
        self.asked.push(Action::Do(command));
    }

    /// Whether a command means something where the window is now.
    pub fn applies(&self, command: Command) -> bool {
        match command.place() {
            Place::Anywhere => true,
            Place::Write => self.page == Page::Write,
            Place::Work => matches!(self.page, Page::Write | Page::Paint | Page::Sound),
            Place::Lists => matches!(self.page, Page::Write | Page::Sound),
            Place::Notebook => self.page == Page::Write && !self.preferences.chatting,
            Place::Changes => self.page == Page::Sound || (self.page == Page::Write && !self.preferences.chatting),
        }
    }

    /// Whether text is being generated.
    pub fn is_writing(&self) -> bool {
        self.work.is_some_and(|work| work.kind == JobKind::GenerateText)
    }

    /// The id of what is shown on the Write page.
    pub fn shown_id(&self) -> &str {
        if self.preferences.chatting { self.library.chat().id() } else { self.library.document().id() }
    }
}
