//! The window as a program: wires pages to the engine, keeps settings and documents, and executes commands.
//!
//! ```text
//! pages ── Action, Command ──▶ execute ── UiCommand ──▶ engine
//!                                                     events, once a frame ──▶ State ──▶ pages
//! ```

mod actions;
mod conversations;
mod events;
mod fallback_fonts;
mod gallery;
mod generation;
mod library;
mod link;
mod open;
mod own_tasks;
mod paint;
mod settings;
mod sound;
mod takes;
mod tasks;
mod teach;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use egui::{Context, Ui, ViewportCommand};

pub use link::EngineLink;
pub use open::run;

use crate::{
    Error, Lang,
    document::GenerationId,
    engine::{Job, JobKind, ModelNames, Progress, SavedSound, ToExport, ToFilm, UiCommand, Unit},
    files, folders,
    generate::{
        audio::{Drawing, Step},
        image::Picture,
    },
    recipe::ImageRecipe,
    ui::{
        Command, fonts,
        preferences::{Preferences, WindowPlace},
        settings as settings_page, shell,
        sound::takes::Take,
        state::{Page, State, Work},
        status, text, theme, toasts, write,
    },
};

/// How long settings and documents wait before they are saved.
const SAVE_AFTER_MS: u64 = 1000;

/// What a job is for.
#[derive(Clone, Debug, PartialEq)]
enum Purpose {
    ListModels,
    OpenModel { path: PathBuf },
    Write { owner: String, chatting: bool, generation: GenerationId },
    CountTokens { owner: String },
    PickModel,
    PickText,
    PickSave { document: String },
    ReadText,
    SaveFile { document: String },
    KeepDocument { id: String },
    KeepSettings,
    RemoveDocument,
    ReadLibrary,
    CopyTasks { path: PathBuf },
    PickChat { chat: String },
    SaveChat { chat: String, path: PathBuf },
    KeepTake { id: u64 },
    ReadTakes,
    ShowTake { id: u64 },
    CompareTake { id: u64 },
    ImportTake,
    ChangeTake { id: u64, step: Box<Step> },
    SealTake,
    MoveTake,
    KeepMarks,
    PickTake,
    PickCapture,
    OpenCapture { quiet: bool },
    PickSound { sound: Box<SavedSound> },
    SaveSound,
    PickPicture { picture: Box<Picture>, recipe: Box<ImageRecipe> },
    SavePicture { path: PathBuf },
    PickFilm { film: Box<ToFilm> },
    PickLarge { from: PathBuf },
    PickExport { export: Box<ToExport> },
    PickPhotograph,
}

/// Where things are kept; `None` keeps nothing.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// The settings file.
    pub settings: Option<PathBuf>,
    /// The folder for the library, unless the settings name another one.
    pub library: Option<PathBuf>,
    /// The folder for sheets that are carried out of the window; what is older than a day goes.
    pub carried: Option<PathBuf>,
}

impl Places {
    /// The usual places of this account.
    pub fn usual() -> Self {
        Self {
            settings: folders::config().map(|folder| settings::path_in(&folder)),
            library: folders::data().map(|folder| folder.join("library")),
            carried: folders::cache().map(|folder| folder.join("carried")),
        }
    }
}

/// What the program runs on; tests put scripted parts in.
pub struct Setup {
    /// The engine.
    pub link: Box<dyn EngineLink>,
    /// Where things are kept.
    pub places: Places,
    /// The language of the system.
    pub system_lang: Lang,
    /// Milliseconds since 1970.
    pub clock: fn() -> u64,
    /// Memory of this process in bytes, where the system tells.
    pub memory: fn() -> Option<u64>,
    /// Whether to look for faces of the system.
    pub system_fonts: bool,
}

/// The program.
pub struct App {
    state: State,
    /// `None` once the window is closing.
    link: Option<Box<dyn EngineLink>>,
    places: Places,
    system_lang: Lang,
    clock: fn() -> u64,
    memory: fn() -> Option<u64>,
    next_job: Job,
    jobs: HashMap<Job, Purpose>,
    /// Jobs for the status bar, in the order they were sent.
    shown_jobs: Vec<(Job, JobKind, bool)>,
    keeping: library::Keeping,
    counting: events::Counting,
    /// The settings as their file holds them, and since when they differ.
    kept: Preferences,
    changed_ms: Option<u64>,
    memory_read_ms: u64,
    /// Weights that were opened and are to be used once the models are listed.
    opened_weights: Vec<PathBuf>,
    title: String,
    /// Hashes of models that were open, by their files.
    hashes: HashMap<PathBuf, String>,
    /// The sound worker has been told of a model.
    sound_opened: bool,
    /// Whether the Sound page was shown in the last frame.
    at_sound: bool,
    /// When the sound worker last heard that somebody is at the page.
    sound_ready: Option<Instant>,
    /// The instrument that controllers play and how samples are drawn, as the worker knows them, and the controller it
    /// listens to.
    told_voice: Option<(u16, Drawing)>,
    told_controller: Option<String>,
    /// When controllers were listed last.
    controllers_asked: Option<Instant>,
    /// The list of takes has been asked for.
    takes_asked: bool,
    /// Takes that were thrown away in this window.
    binned_takes: Vec<Take>,
    /// How much of what is done to a take is done.
    take_done: Option<(Job, f32)>,
    /// The painter has been told of a model.
    paint_opened: bool,
    /// The gallery has been told of its folder, and of what models are called.
    gallery_opened: bool,
    called: Vec<ModelNames>,
    tasks: Option<crate::generate::tasks::Tasks>,
    _fonts: Option<fallback_fonts::Search>,
}

impl App {
    /// The program in a window that has just opened. Models and documents come later, from the engine.
    pub fn new(ctx: &Context, setup: Setup) -> Self {
        fonts::install(ctx);
        theme::install(ctx);
        let now_ms = (setup.clock)();
        let loaded = setup.places.settings.as_deref().map(settings::load);
        let (preferences, damaged) = loaded.unwrap_or_default();
        let lang = preferences.language.resolve(setup.system_lang);
        let mut state = State::new(lang, preferences.clone(), now_ms);
        state.paint.carries = setup.link.can_carry();
        let folder = setup.places.settings.as_deref().and_then(Path::parent);
        state.tasks_path = folder.map(|folder| folder.join("tasks.toml"));
        let (tasks, wrong) = tasks::load(folder);
        state.tasks = tasks.as_ref().map(tasks::items).unwrap_or_default();
        if let Some(why) = wrong {
            state.toasts.error(why);
        }
        if let Some(why) = damaged {
            state.toasts.error(why);
        }
        // Another folder holds from the next start on: what is shown now belongs to this one.
        let library = preferences.library.clone().or(setup.places.library);
        let mut app = Self {
            state,
            link: Some(setup.link),
            places: Places { library, ..setup.places },
            system_lang: setup.system_lang,
            clock: setup.clock,
            memory: setup.memory,
            next_job: 1,
            jobs: HashMap::new(),
            shown_jobs: Vec::new(),
            keeping: library::Keeping::default(),
            counting: events::Counting::default(),
            kept: preferences,
            changed_ms: None,
            memory_read_ms: 0,
            opened_weights: Vec::new(),
            title: String::new(),
            hashes: HashMap::new(),
            sound_opened: false,
            at_sound: false,
            sound_ready: None,
            told_voice: None,
            told_controller: None,
            controllers_asked: None,
            takes_asked: false,
            binned_takes: Vec::new(),
            take_done: None,
            paint_opened: false,
            gallery_opened: false,
            called: Vec::new(),
            tasks,
            _fonts: setup.system_fonts.then(|| fallback_fonts::Search::begin(ctx.clone())),
        };
        app.apply_look(ctx);
        write::focus_work(&mut app.state);
        app.begin();
        app
    }

    /// What the window shows, for tests.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Asks the engine for what every start needs.
    fn begin(&mut self) {
        let opened = self.state.preferences.opened_models.clone();
        self.send(Purpose::ListModels, |job| UiCommand::ListModels { job, opened });
        if let Some(folder) = self.library_folder() {
            self.state.library_folder.clone_from(&folder);
            self.send(Purpose::ReadLibrary, |job| UiCommand::ReadLibrary { job, folder });
        }
    }

    fn library_folder(&self) -> Option<PathBuf> {
        self.places.library.clone()
    }

    /// Sends a command under a new job; says so when the engine takes no more.
    fn send(&mut self, purpose: Purpose, command: impl FnOnce(Job) -> UiCommand) -> Option<Job> {
        let job = self.next_job;
        let sent = self.link.as_mut()?.send(command(job));
        self.next_job += 1;
        match sent {
            Ok(()) => {
                let kind = match purpose {
                    Purpose::Write { .. } => Some(JobKind::GenerateText),
                    Purpose::OpenModel { .. } => Some(JobKind::OpenModel),
                    Purpose::ChangeTake { .. } => Some(JobKind::Takes),
                    _ => None,
                };
                self.shown_jobs.extend(kind.map(|kind| (job, kind, false)));
                self.jobs.insert(job, purpose);
                Some(job)
            }
            Err(why) => {
                self.state.toasts.error(why);
                None
            }
        }
    }

    /// The job that the status bar shows: writing before anything else.
    fn shown_job(&self) -> Option<(Job, JobKind, bool)> {
        let writing = self.shown_jobs.iter().find(|(_, kind, _)| *kind == JobKind::GenerateText);
        writing.or(self.shown_jobs.first()).copied()
    }

    fn update_work(&mut self) {
        let progress = self.link.as_ref().and_then(|link| link.progress());
        let of_take = self.take_done.map(|(job, done)| Progress {
            job,
            kind: JobKind::Takes,
            done: (done * 1000.0) as u64,
            total: 1000,
            unit: Unit::Thousandths,
            per_second: 0.0,
        });
        self.state.work = self.shown_job().map(|(job, kind, stopping)| Work {
            kind,
            progress: [progress, of_take].into_iter().flatten().find(|progress| progress.job == job),
            stopping,
        });
    }

    /// Language, theme and size, as the settings have them now.
    fn apply_look(&mut self, ctx: &Context) {
        let Preferences { language, theme, scale, .. } = self.state.preferences;
        self.state.lang = language.resolve(self.system_lang);
        let wanted = egui::ThemePreference::from(theme);
        if ctx.options(|options| options.theme_preference != wanted || options.zoom_with_keyboard) {
            ctx.set_theme(wanted);
            ctx.options_mut(|options| options.zoom_with_keyboard = false);
        }
        if ctx.zoom_factor() != scale {
            ctx.set_zoom_factor(scale);
        }
    }

    /// Everything that is not drawing: events, keys, dropped files, saving.
    fn advance(&mut self, ctx: &Context) {
        self.state.now_ms = (self.clock)();
        self.drain_events(ctx);
        self.follow_painter();
        self.follow_teacher();
        self.follow_gallery();
        self.follow_sound(ctx);
        self.follow_takes();
        self.take_dropped(ctx);
        self.update_work();
        self.keep_documents(ctx);
        self.remember_window(ctx);
        self.keep_settings(ctx);
        self.count_tokens(ctx);
        self.read_memory();
        self.set_title(ctx);
    }

    fn draw(&mut self, ui: &mut Ui) {
        self.apply_look(ui.ctx());
        self.take_keys(ui.ctx());
        let state = &mut self.state;
        status::status_ui(ui, state);
        shell::rail_ui(ui, state);
        shell::header_ui(ui, state, |ui, state| {
            if state.page == Page::Write {
                write::controls_ui(ui, state);
            }
            if state.page == Page::Paint {
                crate::ui::paint::controls_ui(ui, state);
            }
            if state.page == Page::Sound {
                crate::ui::sound::controls_ui(ui, state);
            }
        });
        match state.page {
            Page::Write => write::write_ui(ui, state),
            Page::Paint => framed(ui, |ui| crate::ui::paint::paint_ui(ui, state)),
            Page::Sound => framed(ui, |ui| crate::ui::sound::sound_ui(ui, state)),
            Page::Models => framed(ui, |ui| crate::ui::models::models_ui(ui, state)),
            Page::Settings => framed(ui, |ui| settings_page::settings_ui(ui, state)),
        }
        shell::sheet_ui(ui, state);
        shell::drop_ui(ui, state);
        let offers = toasts::toasts_ui(ui, &mut state.toasts, state.lang);
        for offer in offers {
            self.take_offer(&offer);
        }
        let asked = std::mem::take(&mut self.state.asked);
        let acted = !asked.is_empty();
        for action in asked {
            self.execute(ui.ctx(), action);
        }
        self.apply_look(ui.ctx());
        if acted {
            self.update_work();
            ui.ctx().request_repaint();
        }
    }

    fn keep_settings(&mut self, ctx: &Context) {
        if self.state.preferences == self.kept {
            self.changed_ms = None;
            return;
        }
        let since = *self.changed_ms.get_or_insert(self.state.now_ms);
        let waited = self.state.now_ms.saturating_sub(since);
        if waited < SAVE_AFTER_MS {
            ctx.request_repaint_after(Duration::from_millis(SAVE_AFTER_MS - waited));
            return;
        }
        if let Some(path) = self.places.settings.clone() {
            let files = vec![(path, settings::to_bytes(&self.state.preferences))];
            if self.send(Purpose::KeepSettings, |job| UiCommand::WriteFiles { job, files }).is_none() {
                // The engine takes no more just now.
                self.changed_ms = Some(self.state.now_ms);
                return;
            }
        }
        self.kept = self.state.preferences.clone();
        self.changed_ms = None;
    }

    fn remember_window(&mut self, ctx: &Context) {
        let zoom = ctx.zoom_factor();
        let place = ctx.input(|input| {
            let view = input.viewport();
            let maximized = view.maximized.unwrap_or(false) || view.fullscreen.unwrap_or(false);
            let side = |rect: egui::Rect| [rect.width() * zoom, rect.height() * zoom];
            (maximized, view.outer_rect.map(|rect| [rect.left() * zoom, rect.top() * zoom]), view.inner_rect.map(side))
        });
        let (maximized, position, size) = place;
        let kept = &mut self.state.preferences.window;
        let rounded = |pair: [f32; 2]| pair.map(f32::round);
        *kept = match maximized {
            true => WindowPlace { maximized, ..*kept },
            false => WindowPlace {
                position: position.map(rounded).or(kept.position),
                size: size.map(rounded).or(kept.size),
                maximized,
            },
        };
    }

    fn read_memory(&mut self) {
        if self.state.now_ms.saturating_sub(self.memory_read_ms) >= 1000 {
            self.memory_read_ms = self.state.now_ms;
            self.state.memory_bytes = (self.memory)();
        }
    }

    fn set_title(&mut self, ctx: &Context) {
        let library = &self.state.library;
        let title = if self.state.preferences.chatting { library.chat().title() } else { library.document().title() };
        let title = if title.is_empty() { "Atelier".to_owned() } else { format!("{title} – Atelier") };
        if title != self.title {
            ctx.send_viewport_cmd(ViewportCommand::Title(title.clone()));
            self.title = title;
        }
    }

    /// The end: the engine finishes what it was given, then whatever is newer is written here.
    fn finish(&mut self) {
        self.link = None;
        self.list_taught();
        self.finish_documents();
        if let Some(path) = &self.places.settings
            && self.state.preferences != self.kept
        {
            // Nobody is left to read why it failed.
            let _ = write_making_folders(path, &settings::to_bytes(&self.state.preferences));
        }
    }
}

fn framed(ui: &mut Ui, page: impl FnOnce(&mut Ui)) {
    let fill = theme::palette(ui).background;
    egui::CentralPanel::no_frame().frame(egui::Frame::new().fill(fill)).show(ui, page);
}

fn write_making_folders(path: &Path, bytes: &[u8]) -> crate::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|why| Error::file(("save", "保存"), path, &why))?;
    }
    files::write_whole(path, bytes)
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &Context, _frame: &mut eframe::Frame) {
        self.advance(ctx);
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        self.draw(ui);
    }

    fn on_exit(&mut self, _gl: Option<&eframe::glow::Context>) {
        self.finish();
    }

    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        visuals.panel_fill.to_normalized_gamma_f32()
    }
}

/// The keys that are not for the page but for the whole window.
fn is_for_window(command: Command) -> bool {
    !matches!(command, Command::Undo | Command::Redo)
}

/// `{0}` and so on of a sentence, in both languages, as an [`Error`] is.
fn told(key: text::Key, values: &[&str]) -> Error {
    Error::new(text::fill(Lang::En, key, values), text::fill(Lang::Zh, key, values))
}
