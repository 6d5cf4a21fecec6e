//! What the window asks and what the engine answers.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use super::takes::{CaptureInfo, TakeFile, TakeMark};
use crate::{
    Error,
    audio::Clip,
    formats::wav::Depth,
    generate::{ContextReport, TextOutcome, TextRequest, TextToken, audio::Step},
    recipe::{SoundRecipe, TextRecipe},
};

/// The number of a job; the window counts them up.
pub type Job = u64;

/// What the window asks. Cancelling is not a command: it must not wait in a queue (`Engine::cancel`).
#[derive(Debug)]
pub enum UiCommand {
    /// Open a text model, and drop the one in use when this one is good.
    OpenTextModel { job: Job, name: String, path: PathBuf },
    /// Write.
    GenerateText { job: Job, request: Box<TextRequest> },
    /// How many tokens a text has for the open model: for the counters. A newer request of the same `slot` replaces one
    /// that waits; that one ends as cancelled, and so does one that comes before any model is open.
    CountTokens { job: Job, slot: u32, text: String },
    /// Ask for a file to open, off the window's thread.
    PickFile { job: Job, filter: FileFilter },
    /// Ask where to save.
    PickSave { job: Job, filter: FileFilter, suggested: String },
    /// Read a text file.
    ReadText { job: Job, path: PathBuf },
    /// Write files, each whole or not at all, in this order; missing folders are made. Cannot be cancelled.
    WriteFiles { job: Job, files: Vec<(PathBuf, Vec<u8>)> },
    /// Save a text and, before it, its recipe beside it. Models that the recipe names without a hash are hashed. A file
    /// that `guard` does not allow to be replaced stays as it is. Cannot be cancelled.
    SaveText { job: Job, path: PathBuf, text: String, recipe: Box<TextRecipe>, guard: Guard },
    /// Save a sound as a WAV or FLAC, by the ending, with its recipe inside. Cannot be cancelled.
    SaveSound { job: Job, path: PathBuf, sound: Box<SavedSound> },
    /// Delete files that are no longer needed; ones that are not there are passed over. Cannot be cancelled.
    RemoveFiles { job: Job, files: Vec<PathBuf> },
    /// Move files, in this order; missing folders are made. Cannot be cancelled.
    MoveFiles { job: Job, moves: Vec<(PathBuf, PathBuf)> },
    /// List the takes kept in a folder, newest first.
    ReadTakes { job: Job, folder: PathBuf },
    /// Read a sound file as a take, at its own rate or another one. A `foreign` one lies outside of the library: what it
    /// was made from may not be there.
    OpenTake { job: Job, path: PathBuf, rate_hz: Option<u32>, foreign: bool },
    /// Do something to a take.
    ChangeTake { job: Job, clip: Arc<Clip>, step: Box<Step> },
    /// Put the recipe into the file of a take that was recorded. Cannot be cancelled.
    SealTake { job: Job, path: PathBuf, clip: Arc<Clip> },
    /// Keep what the user has said about takes of this folder, by the names of their files; what is said about others
    /// stays. Cannot be cancelled.
    MarkTakes { job: Job, folder: PathBuf, marks: BTreeMap<String, TakeMark> },
    /// Look at the capture of an amplifier.
    OpenCapture { job: Job, path: PathBuf },
    /// List the documents kept in the library folder, newest first, as their raw bytes.
    ReadLibrary { job: Job, folder: PathBuf },
    /// List the models that are bundled or were opened before.
    ListModels { job: Job, opened: Vec<PathBuf> },
}

impl UiCommand {
    /// The job that the command starts.
    pub fn job(&self) -> Job {
        match self {
            Self::OpenTextModel { job, .. }
            | Self::GenerateText { job, .. }
            | Self::CountTokens { job, .. }
            | Self::PickFile { job, .. }
            | Self::PickSave { job, .. }
            | Self::ReadText { job, .. }
            | Self::WriteFiles { job, .. }
            | Self::SaveText { job, .. }
            | Self::SaveSound { job, .. }
            | Self::RemoveFiles { job, .. }
            | Self::MoveFiles { job, .. }
            | Self::ReadTakes { job, .. }
            | Self::OpenTake { job, .. }
            | Self::ChangeTake { job, .. }
            | Self::SealTake { job, .. }
            | Self::MarkTakes { job, .. }
            | Self::OpenCapture { job, .. }
            | Self::ReadLibrary { job, .. }
            | Self::ListModels { job, .. } => *job,
        }
    }
}

/// Which file a saved text may take the place of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guard {
    /// Any: the person was asked.
    Any,
    /// One with this SHA-256, or none.
    Same(String),
}

/// A sound to be saved.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedSound {
    /// The sound.
    pub clip: Arc<Clip>,
    /// How its samples are stored.
    pub depth: Depth,
    /// What made it.
    pub recipe: SoundRecipe,
}

/// Which files a dialog offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFilter {
    /// `.gguf`, `.safetensors`, PyTorch's
    Model,
    /// `.md`, `.txt`
    Text,
    /// Sounds that are read.
    Sound,
    /// `.wav`, `.flac`
    SavedSound,
    /// `.png`, `.webp`, `.jpg`, `.svg`
    Picture,
    /// Pictures that are read.
    Photograph,
    /// `.png`
    Png,
    /// `.gif`
    Gif,
    /// A name for a new folder.
    Folder,
    /// `.nam`
    Capture,
}

/// What the engine answers. Every job ends with exactly one [`Event::Ended`].
#[derive(Debug)]
pub enum Event {
    /// The job's turn has come; not sent for dialogs and counts, which the status bar does not show.
    Started { job: Job, kind: JobKind },
    /// A text model is open.
    TextModelOpened { job: Job, info: Box<TextModelInfo> },
    /// The hash of a model's file is known: some time after it was opened, of no job.
    TextModelHashed { path: PathBuf, sha256: String },
    /// What of the prompt was sent.
    TextContext { job: Job, report: ContextReport },
    /// More text.
    TextTokens { job: Job, tokens: Vec<TextToken> },
    /// The text is complete (also when it was cancelled); comes before `Ended`.
    TextDone { job: Job, outcome: Box<TextOutcome> },
    /// A count of tokens.
    TokensCounted { job: Job, slot: u32, tokens: usize },
    /// The dialog's answer; `None` when it was closed.
    Picked { job: Job, path: Option<PathBuf> },
    /// A text file's content, and the SHA-256 of the file.
    TextRead { job: Job, path: PathBuf, text: String, sha256: String },
    /// The text is on disk; the SHA-256 of its file.
    TextSaved { job: Job, path: PathBuf, sha256: String },
    /// The text was not saved: there is a file that must not be replaced.
    TextNotSaved { job: Job, path: PathBuf },
    /// The sound is on disk.
    SoundSaved { job: Job, path: PathBuf },
    /// The takes in the folder, newest first.
    TakesRead { job: Job, takes: Vec<TakeFile> },
    /// A sound file is read.
    TakeOpened { job: Job, path: PathBuf, clip: Arc<Clip>, recipe: Box<SoundRecipe> },
    /// How much of what is done to a take is done, 0..=1.
    TakeProgress { job: Job, done: f32 },
    /// The take after what was done to it.
    TakeChanged { job: Job, clip: Arc<Clip> },
    /// The recipe is in the file of a recording.
    TakeSealed { job: Job, path: PathBuf, recipe: Box<SoundRecipe> },
    /// A capture can be used.
    CaptureOpened { job: Job, capture: Box<CaptureInfo> },
    /// The files are moved.
    FilesMoved { job: Job },
    /// The files are on disk.
    FilesWritten { job: Job },
    /// The files are gone.
    FilesRemoved { job: Job },
    /// The documents in the library with their files, newest first; ones that could not be read are named in `damaged`.
    LibraryRead { job: Job, documents: Vec<(PathBuf, Vec<u8>)>, damaged: Vec<PathBuf> },
    /// The models.
    ModelsListed { job: Job, models: Vec<crate::catalogue::Model> },
    /// The job is over.
    Ended { job: Job, outcome: Outcome },
}

/// What a job does, for the status bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobKind {
    /// Opening a model.
    OpenModel,
    /// Generating text.
    GenerateText,
    /// Anything with files.
    Files,
    /// Anything with takes.
    Takes,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of it was done.
    Finished,
    /// The user stopped it.
    Cancelled,
    /// It could not be done.
    Failed(Error),
}

/// How far the running job is: the latest value, overwritten in place and read once a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// The job.
    pub job: Job,
    /// What it does.
    pub kind: JobKind,
    /// Units done.
    pub done: u64,
    /// Units in all; 0 when unknown.
    pub total: u64,
    /// The unit.
    pub unit: Unit,
    /// Units a second, over the last moments; 0 when not known yet.
    pub per_second: f32,
}

/// What progress counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes read from a file.
    Bytes,
    /// Prompt tokens read.
    PromptTokens,
    /// Tokens written.
    Tokens,
    /// Thousandths of the whole.
    Thousandths,
}

/// The open text model, for the window.
#[derive(Clone, Debug, PartialEq)]
pub struct TextModelInfo {
    /// Bundled name or file name.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// `llama`, `qwen2`, …
    pub family: String,
    /// What most weights are stored as, such as `Q4_1`.
    pub quantisation: String,
    /// Size of the file.
    pub size_bytes: u64,
    /// SHA-256 of the file in lower-case hex; empty until it has been computed.
    pub sha256: String,
    /// The longest context it was made for.
    pub context_tokens: usize,
    /// Whether it brings a chat template.
    pub chats: bool,
    /// Memory it takes, weights and cache.
    pub memory_bytes: u64,
}
