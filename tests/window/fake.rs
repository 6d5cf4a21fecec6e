//! A scripted engine: answers what every start asks for, keeps what it was asked, and says what a test has it say.

#![allow(dead_code, reason = "each test says only a part of it")]

use std::{
    collections::{HashMap, VecDeque},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use atelier::{
    Result,
    app::EngineLink,
    audio::Clip,
    catalogue::Model,
    engine::{
        CaptureInfo, Event, GalleryPort, Job, JobKind, Outcome, PaintPort, Progress, SoundPort, TakeFile, TeachPort,
        TextModelInfo, UiCommand, Unit,
    },
    generate::{ContextReport, Likely, Prompt, StopReason, TextOutcome, TextRequest, TextToken},
    recipe::{Origin, Recipe, RecordingRecipe, SoundRecipe, Source},
};

/// What test and window share.
#[derive(Default)]
pub struct Script {
    events: VecDeque<Event>,
    /// The library's files.
    pub library: Vec<Vec<u8>>,
    /// Generations that were asked for.
    pub asked: Vec<(Job, TextRequest)>,
    /// Files that were written.
    pub written: Vec<(PathBuf, Vec<u8>)>,
    /// Files that were removed.
    pub removed: Vec<PathBuf>,
    /// What was said about takes.
    pub marked: Vec<std::collections::BTreeMap<String, atelier::engine::TakeMark>>,
    /// Files that were moved, from where to where.
    pub moved: Vec<(PathBuf, PathBuf)>,
    /// The takes in the library, and what sound files hold.
    pub takes: Vec<TakeFile>,
    pub sounds: HashMap<PathBuf, (Clip, SoundRecipe)>,
    /// Files that the pointer carried out of the window.
    pub carried: Vec<PathBuf>,
    /// Jobs that were cancelled.
    pub cancelled: Vec<Job>,
    /// What dialogs answer.
    pub pick: Option<PathBuf>,
    /// What a text file holds.
    pub text: String,
    /// Opening any other model than the bundled one fails with this.
    pub refuse: Option<atelier::Error>,
    /// Files are not written: the disk is full.
    pub disk_full: bool,
    /// The painter, the gallery and the synthesiser, where a test plays them.
    pub paint: Option<PaintPort>,
    /// The teacher.
    pub teach: Option<TeachPort>,
    pub gallery: Option<GalleryPort>,
    pub sound: Option<SoundPort>,
    progress: Option<Progress>,
}

/// The window's end.
#[derive(Clone, Default)]
pub struct Fake(pub Arc<Mutex<Script>>);

pub const BUNDLED: &str = "/models/text/SmolLM2-135M-Instruct.Q4_1.gguf";

impl Fake {
    pub fn script<T>(&self, with: impl FnOnce(&mut Script) -> T) -> T {
        with(&mut self.0.lock().expect("nobody panicked"))
    }

    /// The latest generation writes these words, one token each.
    pub fn write(&self, words: &[&str]) {
        self.script(|script| {
            let (job, request) = script.asked.last().cloned().expect("a generation was asked for");
            script.progress = Some(Progress {
                job,
                kind: JobKind::GenerateText,
                done: words.len() as u64,
                total: request.max_tokens as u64,
                unit: Unit::Tokens,
                per_second: 192.0,
            });
            let tokens = words.iter().map(|word| token(word)).collect();
            script.events.push_back(Event::TextTokens { job, tokens });
        });
    }

    /// The latest generation reads its prompt: this many tokens of it.
    pub fn read_context(&self, report: ContextReport) {
        self.script(|script| {
            let job = script.asked.last().expect("a generation was asked for").0;
            script.events.push_back(Event::TextContext { job, report });
        });
    }

    /// The latest generation ends, having written `text`.
    pub fn end(&self, text: &str, outcome: Outcome) {
        self.end_because(text, outcome, StopReason::EndOfText);
    }

    /// The same, for a reason.
    pub fn end_because(&self, text: &str, outcome: Outcome, stop_reason: StopReason) {
        self.script(|script| {
            let (job, request) = script.asked.last().cloned().expect("a generation was asked for");
            script.progress = None;
            if !matches!(outcome, Outcome::Failed(_)) {
                let done = TextOutcome {
                    text: text.to_owned(),
                    tokens: Vec::new(),
                    prompt_tokens: 12,
                    sent: request,
                    stop_reason,
                    prefill_s: 0.1,
                    prefill_tokens: 12,
                    decode_s: 0.1,
                };
                script.events.push_back(Event::TextDone { job, outcome: Box::new(done) });
            }
            script.events.push_back(Event::Ended { job, outcome });
        });
    }

    /// What the latest generation was asked.
    pub fn request(&self) -> TextRequest {
        self.script(|script| script.asked.last().expect("a generation was asked for").1.clone())
    }

    /// The raw prompt of the latest generation.
    pub fn raw_prompt(&self) -> String {
        match self.request().prompt {
            Prompt::Raw(text) => text,
            Prompt::Chat(messages) => panic!("a conversation: {messages:?}"),
        }
    }
}

pub fn token(word: &str) -> TextToken {
    let id = word.bytes().fold(7_u32, |id, byte| id.wrapping_mul(31).wrapping_add(u32::from(byte)));
    let other = |i: u32, text: &str, probability| Likely { id: id.wrapping_add(i), text: text.to_owned(), probability };
    let likely = vec![
        other(0, word, 0.41),
        other(1, " return", 0.22),
        other(2, " the", 0.09),
        other(3, " we", 0.06),
        other(4, " leave", 0.04),
    ];
    TextToken { id, text: word.to_owned(), probability: 0.41, likely }
}

pub fn info(path: &Path) -> TextModelInfo {
    let bundled = path == Path::new(BUNDLED);
    TextModelInfo {
        name: path.file_name().expect("a file").to_string_lossy().into_owned(),
        path: path.to_owned(),
        family: if bundled { "llama" } else { "qwen2" }.to_owned(),
        quantisation: if bundled { "Q4_1" } else { "Q4_K_M" }.to_owned(),
        size_bytes: if bundled { 98_362_432 } else { 491_400_064 },
        sha256: "ab".repeat(32),
        context_tokens: if bundled { 8192 } else { 32_768 },
        chats: true,
        memory_bytes: 412_000_000,
    }
}

pub fn bundled() -> Model {
    Model {
        name: "SmolLM2-135M-Instruct.Q4_1.gguf".to_owned(),
        title: String::new(),
        title_zh: String::new(),
        kind: "text",
        words: Vec::new(),
        classes: Vec::new(),
        family: "llama".to_owned(),
        quantisation: "Q4_1".to_owned(),
        parameters: 134_515_008,
        licence: "Apache-2.0".to_owned(),
        licence_text: "Apache License, Version 2.0".to_owned(),
        size_bytes: 98_362_432,
        memory_bytes: 287_000_000,
        source: "HuggingFaceTB/SmolLM2-135M-Instruct".to_owned(),
        path: BUNDLED.into(),
        bundled: true,
        unusable: None,
    }
}

/// Models that draw, enlarge and play.
pub fn drawing() -> Model {
    Model {
        name: "tianshu".to_owned(),
        title: "Tianshu".to_owned(),
        title_zh: "天书".to_owned(),
        kind: "image",
        classes: vec![("Sans".to_owned(), "黑体".to_owned()), ("Serif".to_owned(), "宋体".to_owned())],
        family: "dcgan".to_owned(),
        quantisation: "BF16".to_owned(),
        parameters: 1_600_000,
        licence: "MIT".to_owned(),
        licence_text: "MIT".to_owned(),
        size_bytes: 3_200_000,
        memory_bytes: 80_000_000,
        source: "characters of open fonts".to_owned(),
        path: "/models/image/tianshu.safetensors".into(),
        ..bundled()
    }
}

pub fn drawing_eyes() -> Model {
    Model {
        name: "eyes".to_owned(),
        title: "Eyes".to_owned(),
        title_zh: "眼睛".to_owned(),
        words: vec!["眼睛".to_owned()],
        classes: vec![("Blue".to_owned(), "蓝".to_owned()), ("Brown".to_owned(), "棕".to_owned())],
        path: "/models/image/eyes.safetensors".into(),
        source: "eyes in paintings".to_owned(),
        size_bytes: 25_845_384,
        parameters: 12_921_601,
        ..drawing()
    }
}

pub fn enlarging() -> Model {
    Model {
        name: "realesrgan-x4plus".to_owned(),
        title: "Real-ESRGAN ×4".to_owned(),
        title_zh: String::new(),
        kind: "upscale",
        family: "rrdb".to_owned(),
        quantisation: "F16".to_owned(),
        licence: "BSD-3-Clause".to_owned(),
        path: "/models/upscale/realesrgan-x4plus.safetensors".into(),
        source: "Real-ESRGAN".to_owned(),
        size_bytes: 33_488_772,
        parameters: 16_697_987,
        memory_bytes: 780_000_000,
        ..drawing()
    }
}

pub fn playing() -> Model {
    Model {
        name: "notes".to_owned(),
        title: String::new(),
        title_zh: String::new(),
        kind: "audio",
        family: "wavenet".to_owned(),
        path: "/models/audio/notes.safetensors".into(),
        source: "notes of a soundfont".to_owned(),
        size_bytes: 600_000,
        parameters: 300_000,
        ..drawing()
    }
}

fn opened(path: &Path, refuse: Option<&atelier::Error>) -> Model {
    Model {
        name: path.file_name().expect("a file").to_string_lossy().into_owned(),
        family: "qwen2".to_owned(),
        quantisation: "Q4_K_M".to_owned(),
        parameters: 494_032_768,
        licence: String::new(),
        licence_text: String::new(),
        size_bytes: 491_400_064,
        memory_bytes: 780_000_000,
        source: String::new(),
        path: path.to_owned(),
        bundled: false,
        unusable: refuse.cloned(),
        ..bundled()
    }
}

impl EngineLink for Fake {
    fn can_carry(&self) -> bool {
        true
    }

    fn carry(&self, file: PathBuf) {
        self.0.lock().expect("nobody panicked").carried.push(file);
    }

    fn send(&mut self, command: UiCommand) -> Result<()> {
        let mut script = self.0.lock().expect("nobody panicked");
        let job = command.job();
        let mut outcome = Outcome::Finished;
        match command {
            UiCommand::ListModels { opened: paths, .. } => {
                let refuse = script.refuse.clone();
                let mut models = vec![bundled(), drawing_eyes(), drawing(), playing(), enlarging()];
                models.extend(paths.iter().map(|path| opened(path, refuse.as_ref())));
                script.events.push_back(Event::ModelsListed { job, models });
            }
            UiCommand::OpenTextModel { path, .. } => {
                match script.refuse.clone().filter(|_| path != Path::new(BUNDLED)) {
                    Some(why) => outcome = Outcome::Failed(why),
                    None => script.events.push_back(Event::TextModelOpened { job, info: Box::new(info(&path)) }),
                }
            }
            UiCommand::ReadLibrary { .. } => {
                let file = |(at, bytes): (usize, &Vec<u8>)| (format!("/library/{at}.json").into(), bytes.clone());
                let documents = script.library.iter().enumerate().map(file).collect();
                script.events.push_back(Event::LibraryRead { job, documents, damaged: Vec::new() });
            }
            UiCommand::CountTokens { slot, text, .. } => {
                let tokens = text.len().div_ceil(4);
                script.events.push_back(Event::TokensCounted { job, slot, tokens });
            }
            UiCommand::GenerateText { request, .. } => {
                script.asked.push((job, *request));
                script.events.push_back(Event::Started { job, kind: JobKind::GenerateText });
                return Ok(());
            }
            UiCommand::PickFile { .. } | UiCommand::PickSave { .. } => {
                let path = script.pick.clone();
                script.events.push_back(Event::Picked { job, path });
            }
            UiCommand::ReadText { path, .. } => {
                let text = script.text.clone();
                script.events.push_back(Event::TextRead { job, path, text, sha256: String::new() });
            }
            UiCommand::WriteFiles { files, .. } if script.disk_full => {
                let why = std::io::Error::from(std::io::ErrorKind::StorageFull);
                outcome = Outcome::Failed(atelier::Error::file(("save", "保存"), &files[0].0, &why));
            }
            UiCommand::SaveText { path, text, recipe, .. } => {
                let recipe = Recipe::of_text(&text, *recipe);
                let (bytes, sha256) = (recipe.to_json().expect("JSON"), recipe.sha256);
                script.written.extend([(Recipe::beside(&path), bytes), (path.clone(), text.into())]);
                script.events.push_back(Event::TextSaved { job, path, sha256 });
            }
            UiCommand::SaveSound { path, sound, .. } => {
                let recipe = Recipe::of_sound(&sound.clip.samples, sound.recipe);
                let rate = sound.clip.sample_rate_hz;
                let bytes = recipe.to_wav(&sound.clip.samples, rate, sound.depth).expect("WAV");
                script.written.push((path.clone(), bytes));
                script.events.push_back(Event::SoundSaved { job, path });
            }
            UiCommand::WriteFiles { files, .. } => {
                script.written.extend(files);
                script.events.push_back(Event::FilesWritten { job });
            }
            UiCommand::MoveFiles { moves, .. } => {
                script.moved.extend(moves);
                script.events.push_back(Event::FilesMoved { job });
            }
            UiCommand::MarkTakes { marks, .. } => script.marked.push(marks),
            UiCommand::ReadTakes { .. } => {
                let takes = script.takes.clone();
                script.events.push_back(Event::TakesRead { job, takes });
            }
            UiCommand::OpenTake { path, rate_hz, .. } => match script.sounds.get(&path).cloned() {
                Some((clip, recipe)) => {
                    let sample_rate_hz = rate_hz.unwrap_or(clip.sample_rate_hz);
                    let clip = Arc::new(Clip { samples: clip.samples, sample_rate_hz });
                    script.events.push_back(Event::TakeOpened { job, path, clip, recipe: Box::new(recipe) });
                }
                None => outcome = Outcome::Failed(atelier::Error::new("There is no such file.", "没有这个文件。")),
            },
            UiCommand::ChangeTake { clip, step, .. } => {
                let changed = step.apply(&clip, &mut |_| true).expect("it can be done").expect("to the end");
                script.events.push_back(Event::TakeChanged { job, clip: Arc::new(changed) });
            }
            UiCommand::SealTake { path, clip, .. } => {
                let sha256 = atelier::recipe::sha256_of_samples(&clip.samples);
                let source = Source { origin: Origin::Input, file: "take.wav".to_owned(), sha256 };
                let (sample_rate_hz, steps) = (clip.sample_rate_hz, Vec::new());
                let recipe = SoundRecipe::Recorded(RecordingRecipe { source, sample_rate_hz, steps });
                script.events.push_back(Event::TakeSealed { job, path, recipe: Box::new(recipe) });
            }
            UiCommand::OpenCapture { path, .. } => {
                let capture =
                    CaptureInfo { path, name: "Deluxe".to_owned(), sha256: "ef".repeat(32), has_loudness: true };
                script.events.push_back(Event::CaptureOpened { job, capture: Box::new(capture) });
            }
            UiCommand::RemoveFiles { files, .. } => {
                script.removed.extend(files);
                script.events.push_back(Event::FilesRemoved { job });
            }
        }
        script.events.push_back(Event::Ended { job, outcome });
        Ok(())
    }

    fn cancel(&mut self, job: Job) {
        self.script(|script| script.cancelled.push(job));
    }

    fn paint(&self) -> Option<PaintPort> {
        self.script(|script| script.paint.clone())
    }

    fn teach(&self) -> Option<TeachPort> {
        self.script(|script| script.teach.clone())
    }

    fn gallery(&self) -> Option<GalleryPort> {
        self.script(|script| script.gallery.clone())
    }

    fn sound(&self) -> Option<SoundPort> {
        self.script(|script| script.sound.clone())
    }

    fn events(&mut self) -> Vec<Event> {
        self.script(|script| script.events.drain(..).collect())
    }

    fn progress(&self) -> Option<Progress> {
        self.script(|script| script.progress)
    }
}
