//! What the engine tells, once a frame.

use std::time::Duration;

use egui::Context;

use super::{App, Purpose, told};
use crate::{
    Error,
    engine::{Event, Guard, Job, Outcome, PaintInput, TextModelInfo, UiCommand},
    formats::audio::ENDINGS,
    generate::{TextOutcome, TextToken},
    ui::{Key, state::Page, toasts::Kind},
};

/// How long a text rests before its tokens are counted.
const COUNT_AFTER_MS: u64 = 350;

/// What is known about counting the tokens of what is shown.
#[derive(Debug, Default)]
pub(super) struct Counting {
    /// What was counted or is being counted: the document, its revision, the model.
    counted: Option<(String, u64, String)>,
    /// What is to be counted, and since when it rests.
    resting: Option<((String, u64, String), u64)>,
}

impl App {
    pub(super) fn drain_events(&mut self, ctx: &Context) {
        let events = self.link.as_mut().map(|link| link.events()).unwrap_or_default();
        // There may be more than one drain takes.
        if !events.is_empty() {
            ctx.request_repaint();
        }
        for event in events {
            self.take_event(ctx, event);
        }
    }

    fn take_event(&mut self, ctx: &Context, event: Event) {
        match event {
            Event::Started { .. } | Event::FilesRemoved { .. } | Event::FilesMoved { .. } => {}
            Event::FilesWritten { job } => self.picture_saved(job),
            Event::TextModelOpened { job, info } => self.model_opened(job, *info),
            Event::TextModelHashed { path, sha256 } => self.model_hashed(&path, &sha256),
            Event::TextContext { job, report } => {
                if let Some(Purpose::Write { owner, .. }) = self.jobs.get(&job) {
                    self.state.library.context = Some((owner.clone(), report));
                }
            }
            Event::TextTokens { job, tokens } => self.tokens_came(job, &tokens),
            Event::TextDone { job, outcome } => self.writing_done(job, &outcome),
            Event::TokensCounted { job, tokens, .. } => {
                if let Some(Purpose::CountTokens { owner }) = self.jobs.get(&job)
                    && owner == self.state.shown_id()
                {
                    self.state.library.tokens = Some(tokens);
                }
            }
            Event::Picked { job, path } => self.picked(job, path),
            Event::TextRead { path, text, sha256, .. } => self.open_text(path, &text, sha256),
            Event::TextSaved { job, path, sha256 } => self.text_saved(job, path, sha256),
            Event::TextNotSaved { job, path } => self.text_not_saved(job, &path),
            Event::SoundSaved { job, path } => self.sound_saved(job, &path),
            Event::TakesRead { takes, .. } => self.takes_read(takes),
            Event::TakeOpened { job, path, clip, recipe } => self.take_opened(job, &path, clip, *recipe),
            Event::TakeProgress { job, done } => self.take_done = Some((job, done)),
            Event::TakeChanged { job, clip } => self.take_changed(job, clip),
            Event::TakeSealed { path, recipe, .. } => self.take_sealed(path, *recipe),
            Event::CaptureOpened { job, capture } => self.capture_opened(job, *capture),
            Event::LibraryRead { documents, damaged, .. } => self.library_read(documents, &damaged),
            Event::ModelsListed { models, .. } => {
                self.state.models = Some(models);
                self.open_first_model();
                self.use_opened_weights();
            }
            Event::Ended { job, outcome } => self.ended(ctx, job, outcome),
        }
    }

    fn model_opened(&mut self, job: Job, info: TextModelInfo) {
        let bundled = self.state.models.iter().flatten().any(|model| model.bundled && model.path == info.path);
        let preferences = &mut self.state.preferences;
        preferences.model = (!bundled).then(|| info.path.clone());
        if !bundled {
            preferences.opened_models.retain(|path| *path != info.path);
            preferences.opened_models.insert(0, info.path.clone());
        }
        let listed = self.state.models.iter().flatten().any(|model| model.path == info.path);
        if !info.sha256.is_empty() {
            self.hashes.insert(info.path.clone(), info.sha256.clone());
        }
        self.state.model.open = Some(info);
        self.forget_count();
        if !listed {
            self.list_models();
        }
        if self.opens_another(job) {
            return;
        }
        self.state.model.opening = None;
        if std::mem::take(&mut self.state.write.waits_for_model) {
            self.generate();
        }
    }

    /// Whether a model is still to be opened besides that of `job`: the one that was asked for last is the one wanted.
    fn opens_another(&self, job: Job) -> bool {
        self.jobs.iter().any(|(other, purpose)| *other != job && matches!(purpose, Purpose::OpenModel { .. }))
    }

    fn model_hashed(&mut self, path: &std::path::Path, sha256: &str) {
        if let Some(open) = self.state.model.open.as_mut().filter(|open| open.path == path) {
            open.sha256 = sha256.to_owned();
        }
        self.hashes.insert(path.to_owned(), sha256.to_owned());
    }

    fn tokens_came(&mut self, job: Job, tokens: &[TextToken]) {
        let Some(Purpose::Write { owner, chatting, generation }) = self.jobs.get(&job) else { return };
        let library = &mut self.state.library;
        if *chatting {
            if let Some(chat) = library.chats.iter_mut().find(|chat| chat.id() == owner) {
                chat.append_tokens(*generation, tokens);
            }
        } else if let Some(document) = library.documents.iter_mut().find(|document| document.id() == owner) {
            document.append_tokens(*generation, tokens);
        }
    }

    fn writing_done(&mut self, job: Job, outcome: &TextOutcome) {
        let Some(Purpose::Write { owner, chatting, generation }) = self.jobs.get(&job) else { return };
        let library = &mut self.state.library;
        if *chatting {
            if let Some(chat) = library.chats.iter_mut().find(|chat| chat.id() == owner) {
                chat.finish_generation(*generation, outcome);
            }
        } else if let Some(document) = library.documents.iter_mut().find(|document| document.id() == owner) {
            document.finish_generation(*generation, outcome);
        }
    }

    fn ended(&mut self, ctx: &Context, job: Job, outcome: Outcome) {
        self.shown_jobs.retain(|(shown, ..)| *shown != job);
        let Some(purpose) = self.jobs.remove(&job) else { return };
        ctx.request_repaint();
        match (&purpose, &outcome) {
            (Purpose::Write { owner, chatting, generation }, Outcome::Failed(_) | Outcome::Cancelled) => {
                // One that was taken back before its turn never said that it was done.
                let library = &mut self.state.library;
                if *chatting {
                    if let Some(chat) = library.chats.iter_mut().find(|chat| chat.id() == owner)
                        && chat.generation(*generation).is_some_and(crate::document::Generation::is_streaming)
                    {
                        chat.abandon_generation(*generation);
                    }
                } else if let Some(document) = library.documents.iter_mut().find(|document| document.id() == owner)
                    && document.generation(*generation).is_some_and(crate::document::Generation::is_streaming)
                {
                    document.abandon_generation(*generation);
                }
            }
            (Purpose::OpenModel { path }, Outcome::Failed(_) | Outcome::Cancelled) => {
                if !self.opens_another(job) {
                    self.state.model.opening = None;
                    self.state.write.waits_for_model = false;
                }
                if self.state.preferences.model.as_ref() == Some(path) {
                    // What was used last cannot be opened any more: the bundled model writes instead.
                    self.state.preferences.model = None;
                    if self.state.model.open.is_none() && matches!(outcome, Outcome::Failed(_)) {
                        self.open_first_model();
                    }
                }
            }
            (Purpose::KeepDocument { id }, Outcome::Failed(_)) => {
                let id = id.clone();
                self.not_kept(&id);
            }
            (Purpose::ChangeTake { .. }, _) => (self.state.sound.changing, self.take_done) = (false, None),
            // The list is read again: the recording itself is there.
            (Purpose::SealTake, Outcome::Failed(_)) => self.takes_asked = false,
            (Purpose::OpenCapture { quiet: true }, Outcome::Failed(_)) => {
                // It was moved since; the panel offers to open another one.
                self.state.preferences.sound.amp.capture = None;
                return;
            }
            (Purpose::CopyTasks { path }, Outcome::Finished) => self.tasks_are_at(path),
            (Purpose::SaveChat { chat, path }, Outcome::Finished) => self.chat_saved(chat, path.clone()),
            (Purpose::ListModels, Outcome::Failed(_)) if self.state.models.is_none() => {
                self.state.models = Some(Vec::new());
                self.state.write.waits_for_model = false;
            }
            _ => {}
        }
        if let Outcome::Failed(why) = outcome {
            self.state.toasts.error(why);
        }
    }

    /// Opens the model that was used last, or the one that came with the studio.
    fn open_first_model(&mut self) {
        if self.state.model.open.is_some() || self.state.model.opening.is_some() {
            return;
        }
        let last = self.state.preferences.model.clone();
        let bundled = || {
            let models = self.state.models.iter().flatten();
            let mut usable = models.filter(|model| model.bundled && model.kind == "text" && model.unusable.is_none());
            usable.next().map(|model| model.path.clone())
        };
        match last.or_else(bundled) {
            Some(path) => self.open_model(path),
            None if std::mem::take(&mut self.state.write.waits_for_model) => {
                self.state.toasts.add(Kind::Note, told(Key::FirstOpenModel, &[]), None);
            }
            None => {}
        }
    }

    /// Opens a model; the one in use stays until this one is good.
    pub(super) fn open_model(&mut self, path: std::path::PathBuf) {
        let listed =
            self.state.models.iter().flatten().find(|model| model.path == path).map(|model| model.name.clone());
        let file_name = || path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let name = listed.unwrap_or_else(file_name);
        let purpose = Purpose::OpenModel { path: path.clone() };
        let command_name = name.clone();
        if self.send(purpose, |job| UiCommand::OpenTextModel { job, name: command_name, path }).is_some() {
            self.state.model.opening = Some(name);
        }
    }

    /// Puts a file of weights on the list of models, to be used once it is known what it is.
    pub(super) fn open_weights(&mut self, path: std::path::PathBuf) {
        let opened = &mut self.state.preferences.opened_models;
        opened.retain(|known| *known != path);
        opened.insert(0, path.clone());
        self.opened_weights.push(path);
        self.list_models();
    }

    /// Uses weights that were opened and are listed now, each on the page that it is for.
    fn use_opened_weights(&mut self) {
        for path in std::mem::take(&mut self.opened_weights) {
            let listed = self.state.models.iter().flatten();
            let named_alike = |model: &&crate::catalogue::Model| model.path.file_name() == path.file_name();
            let found = listed.clone().find(|model| model.path == path);
            // One that was listed already may be listed under another spelling of its path.
            let found = found.or_else(|| listed.clone().find(named_alike)).cloned();
            match found {
                Some(model) => self.use_weights(model),
                // The list was asked for before it was opened.
                None => self.opened_weights.push(path),
            }
        }
    }

    fn use_weights(&mut self, model: crate::catalogue::Model) {
        let path = model.path;
        if let Some(why) = model.unusable {
            self.state.preferences.opened_models.retain(|opened| *opened != path);
            self.list_models();
            return self.state.toasts.error(why);
        }
        match model.kind {
            "image" => {
                self.state.page = Page::Paint;
                self.state.preferences.painting.model = Some(path.clone());
                self.tell_painter(PaintInput::Open { name: model.name, path });
            }
            "audio" => {
                self.state.page = Page::Sound;
                self.open_sound(model.name, path);
            }
            "text" => self.open_model(path),
            _ => {
                let name = model.name;
                self.state.toasts.add(Kind::Done, told(Key::EnlargesPictures, &[&name]), None);
            }
        }
    }

    pub(super) fn list_models(&mut self) {
        let opened = self.state.preferences.opened_models.clone();
        self.send(Purpose::ListModels, |job| UiCommand::ListModels { job, opened });
    }

    /// The tokens of what is shown are to be counted anew.
    pub(super) fn forget_count(&mut self) {
        self.state.library.tokens = None;
        self.counting = Counting::default();
    }

    /// Has the tokens of what is shown counted, once it rests.
    pub(super) fn count_tokens(&mut self, ctx: &Context) {
        let Some(model) = self.state.model.open.as_ref().map(|open| open.path.display().to_string()) else { return };
        let library = &self.state.library;
        let revision =
            if self.state.preferences.chatting { library.chat().revision() } else { library.document().revision() };
        let wanted = (self.state.shown_id().to_owned(), revision, model);
        if self.counting.counted.as_ref() == Some(&wanted) {
            return;
        }
        let now_ms = self.state.now_ms;
        let other = self.counting.counted.as_ref().is_none_or(|(id, ..)| *id != wanted.0);
        let since = match &self.counting.resting {
            Some((resting, since)) if *resting == wanted => *since,
            _ => now_ms,
        };
        self.counting.resting = Some((wanted.clone(), since));
        let waited = now_ms.saturating_sub(since);
        if waited < COUNT_AFTER_MS && !other {
            ctx.request_repaint_after(Duration::from_millis(COUNT_AFTER_MS - waited));
            return;
        }
        let text = if self.state.preferences.chatting {
            let chat = library.chat();
            chat.path().iter().filter_map(|id| chat.text(*id)).collect::<Vec<_>>().join("\n")
        } else {
            library.document().text().to_owned()
        };
        let owner = wanted.0.clone();
        self.counting.counted = Some(wanted);
        self.send(Purpose::CountTokens { owner }, |job| UiCommand::CountTokens { job, slot: 0, text });
    }

    fn picked(&mut self, job: Job, path: Option<std::path::PathBuf>) {
        let (Some(purpose), Some(path)) = (self.jobs.get(&job).cloned(), path) else { return };
        match purpose {
            Purpose::PickModel if open_kind(&path) == Some(OpenKind::Weights) => self.open_weights(path),
            Purpose::PickModel => self.open_model(path),
            Purpose::PickChat { chat } => self.save_chat_as(&chat, path),
            Purpose::PickText => {
                self.send(Purpose::ReadText, |job| UiCommand::ReadText { job, path });
            }
            Purpose::PickSave { document } => self.save_as(&document, path, Guard::Any),
            Purpose::PickTake => self.open_sound_file(path),
            Purpose::PickCapture => self.open_capture(path),
            Purpose::PickSound { sound } => self.sound_picked(path, sound),
            Purpose::PickPicture { picture, recipe } => self.picture_picked(path, &picture, *recipe),
            Purpose::PickFilm { film } => self.film_picked(path, *film),
            Purpose::PickLarge { from } => self.large_picked(from, path),
            Purpose::PickPhotograph => self.add_photograph(path),
            Purpose::PickExport { export } => self.export_picked(path, *export),
            _ => {}
        }
    }

    /// Files that were dropped on the window open where they belong.
    pub(super) fn take_dropped(&mut self, ctx: &Context) {
        let dropped = ctx.input(|input| input.raw.dropped_files.clone());
        for file in dropped {
            let path = file.path().to_owned();
            match open_kind(&path) {
                Some(OpenKind::Model) => self.open_model(path),
                Some(OpenKind::Weights) => self.open_weights(path),
                Some(OpenKind::Picture) if self.shows_teaching() => self.add_photograph(path),
                Some(OpenKind::Picture) => self.import_picture(path),
                Some(OpenKind::Sound) => self.open_sound_file(path),
                Some(OpenKind::Capture) => self.open_capture(path),
                Some(OpenKind::Text) => {
                    self.send(Purpose::ReadText, |job| UiCommand::ReadText { job, path });
                }
                None => {
                    let name = path.display();
                    self.state.toasts.error(Error::new(
                        format!("“{name}” is neither a model or capture, nor a picture, a sound (WAV, FLAC, Ogg Vorbis, MP3), nor a .md or .txt text; Atelier opens only those."),
                        format!("“{name}”既不是模型或图片，也不是声音（WAV、FLAC、Ogg Vorbis、MP3）、.md 或 .txt 文本，无法打开。"),
                    ));
                }
            }
        }
    }
}

/// What a file is opened as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OpenKind {
    /// A GGUF file.
    Model,
    /// Weights of a network that draws, enlarges or sounds.
    Weights,
    Picture,
    Sound,
    /// Of an amplifier.
    Capture,
    Text,
}

/// By its name.
pub(super) fn open_kind(path: &std::path::Path) -> Option<OpenKind> {
    let ending = path.extension()?.to_string_lossy().to_ascii_lowercase();
    match ending.as_str() {
        "gguf" => Some(OpenKind::Model),
        "safetensors" | "pth" | "pt" | "bin" | "tar" | "ckpt" => Some(OpenKind::Weights),
        "png" | "jpg" | "jpeg" | "webp" => Some(OpenKind::Picture),
        "nam" => Some(OpenKind::Capture),
        "md" | "markdown" | "txt" | "text" => Some(OpenKind::Text),
        sound if ENDINGS.contains(&sound) => Some(OpenKind::Sound),
        _ => None,
    }
}
