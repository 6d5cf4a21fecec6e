//! The background threads: protocol, worker loops, cancel, panic isolation. Knows nothing of the window.
//!
//! ```text
//! window ── UiCommand ──▶ bounded queue a family ──▶ worker ── Event ──▶ bounded channel ──▶ window
//!        ── cancel ─────▶ atomic flag a job             └── Progress: one value, overwritten in place
//! ```
//!
//! | thread | does |
//! | --- | --- |
//! | `atelier-text` | opens text models and writes with them |
//! | `atelier-sound` | plays notes live, makes takes, feeds the device |
//! | `atelier-tape` | writes what is played live, for the sound thread, which waits for no disk |
//! | `atelier-wake` | wakes the window for the sound thread, which waits for nobody |
//! | `atelier-paint` | draws pictures and keeps them |
//! | `atelier-teach` | teaches textures from photographs |
//! | `atelier-gallery` | the index of kept pictures, their thumbnails, marks and bin, exports |
//! | `atelier-count` | counts tokens for the counters, also while text is being written |
//! | `atelier-takes` | lists, opens and changes takes |
//! | `atelier-io` | files and the library; hashes models while nothing else waits |
//! | `atelier-carry` | a file that the pointer carries out of the window, while it does |
//! | `atelier-dialogs` | file dialogs, which block for as long as a person thinks |
//!
//! A job that panics ends as [`Outcome::Failed`]; its worker and the jobs behind it live on.

mod carry;
mod count;
mod dialogs;
mod frames;
mod gallery;
mod io;
mod jobs;
mod library;
mod local;
mod outbox;
mod paint;
mod progress;
mod protocol;
mod sound;
mod takes;
mod teach;
mod text;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    thread::JoinHandle,
};

use crossbeam_channel::{Receiver, Sender, bounded};

pub use count::TokenCounter;
pub use dialogs::{Dialogs, Question, SystemDialogs};
pub use gallery::{
    Arrival, BIN, Entry, ExportKind, GalleryInput, GalleryPort, GalleryState, Kind, MOST_RATING, MOST_TAGS,
    Mark as PictureMark, MarkChange, Matcher, ModelNames, Ordered, Painted, Query, Sort, ToExport, tidy_tag,
};
pub use local::LocalModels;
pub use outbox::Waker;
pub use paint::{FilmKind, OpenImage, PaintInput, PaintPort, PaintState, ToEnlarge, ToFilm};
pub use protocol::{
    Event, FileFilter, Guard, Job, JobKind, Outcome, Progress, SavedSound, TextModelInfo, UiCommand, Unit,
};
pub use sound::{OpenAudio, Playback, SoundActivity, SoundInput, SoundPort, SoundState};
pub use takes::{CaptureInfo, MARKS, TakeFile, TakeKind, TakeMark};
pub use teach::{Looked, TeachInput, TeachPort, TeachState, Teaching, ToTeach};
pub use text::{OpenText, TextBackend, TextWriting};

use crate::{
    Error, Result,
    audio::{LocalMidi, LocalSound, Midi, Sound, go_ahead},
    catalogue,
    generate::{audio::AudioModel, image::ImageModel},
    kernels::{pool::Pool, priority, with_pool},
};
use count::CountQueue;
use frames::Frames;
use jobs::{Jobs, Ticket};
use outbox::Outbox;
use progress::ProgressCell;

/// Events that may wait for the window; more hold the worker up (and join tokens into longer runs).
const EVENT_CAPACITY: usize = 256;
/// Commands of one family that may wait.
const QUEUE_CAPACITY: usize = 64;

/// What the engine runs on; tests put scripted parts in.
pub struct Parts {
    /// Opens text models.
    pub text: Box<dyn TextBackend>,
    /// Asks for files.
    pub dialogs: Box<dyn Dialogs>,
    /// Plays sound, and records it.
    pub sound: Arc<dyn Sound>,
    /// Hears controllers.
    pub midi: Arc<dyn Midi>,
    /// Opens audio models.
    pub audio: OpenAudio,
    /// Opens image models.
    pub image: OpenImage,
    /// Lists the bundled models and these opened ones.
    pub list_models: fn(&[PathBuf]) -> Vec<catalogue::Model>,
}

/// The background threads. Dropping it cancels what runs, finishes the file writes that were accepted,
/// and joins every thread.
pub struct Engine {
    events: Option<Receiver<Event>>,
    lanes: Option<Lanes>,
    sound: Option<SoundPort>,
    paint: Option<PaintPort>,
    teach: Option<TeachPort>,
    gallery: Option<GalleryPort>,
    count: Arc<CountQueue>,
    jobs: Arc<Jobs>,
    progress: Arc<ProgressCell>,
    threads: Vec<JoinHandle<()>>,
}

/// The queues, one a family: what waits in one never holds up another.
struct Lanes {
    text: Sender<Ticket>,
    io: Sender<Ticket>,
    dialogs: Sender<Ticket>,
    takes: Sender<Ticket>,
}

/// How the engine runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Threads that a model computes with; 0 takes one for each core.
    pub threads: usize,
}

impl Engine {
    /// Starts the engine of this computer: its models, its dialogs.
    ///
    /// # Errors
    /// As [`Self::with_parts`].
    pub fn start(waker: Waker, settings: Settings) -> Result<Self> {
        let threads = match settings.threads {
            0 => crate::kernels::pool::physical_cores(),
            threads => threads,
        };
        let text = Box::new(LocalModels { threads });
        let parts = Parts {
            text,
            dialogs: Box::new(SystemDialogs),
            sound: Arc::new(LocalSound),
            midi: Arc::new(LocalMidi),
            audio: Box::new(AudioModel::open),
            image: Box::new(move |name, path| ImageModel::open(name, path, threads)),
            list_models: catalogue::list,
        };
        Self::with_parts(waker, parts)
    }

    /// Starts the threads over these parts. `waker` is called, from any of them, when there is something new to see.
    ///
    /// # Errors
    /// When the system gives no more threads.
    pub fn with_parts(waker: Waker, parts: Parts) -> Result<Self> {
        let (event_sender, events) = bounded(EVENT_CAPACITY);
        let (text, text_queue) = bounded(QUEUE_CAPACITY);
        let (io, io_queue) = bounded(QUEUE_CAPACITY);
        let (dialogs, dialogs_queue) = bounded(QUEUE_CAPACITY);
        let (takes, takes_queue) = bounded(QUEUE_CAPACITY);
        let (hash, hash_queue) = bounded(1);
        let frames = Arc::new(Frames::default());
        // Waking the window may have to wait for it, which sound must not.
        let (bell, rung) = bounded(1);
        let ring: Waker = Arc::new(move || {
            // One that is on its way is enough.
            let _ = bell.try_send(());
        });
        let (sound, sound_parts) = sound::connect(parts.sound, parts.midi, parts.audio, ring, frames.clone());
        let wakes = waker.clone();
        let (gallery, gallery_parts) = gallery::connect(waker.clone());
        let (paint, paint_parts) = paint::connect(parts.image, gallery.sender(), waker.clone());
        let (teach, teach_parts) = teach::connect(waker.clone());
        let outbox = Outbox::new(event_sender, waker, frames);
        let jobs = Arc::new(Jobs::default());
        let progress = Arc::new(ProgressCell::default());
        let count = Arc::new(CountQueue::default());
        let mut engine = Self {
            events: Some(events),
            lanes: Some(Lanes { text, io, dialogs, takes }),
            sound: Some(sound),
            paint: Some(paint),
            teach: Some(teach),
            gallery: Some(gallery),
            count: count.clone(),
            jobs: jobs.clone(),
            progress: progress.clone(),
            threads: Vec::new(),
        };

        let worker = text::Worker::new(outbox.clone(), jobs.clone(), progress, parts.text, count.clone(), hash);
        engine.spawn_behind("atelier-text", move || worker.run(&text_queue))?;
        let worker = io::Worker::new(outbox.clone(), jobs.clone(), parts.list_models);
        engine.spawn("atelier-io", move || worker.run(&io_queue, &hash_queue))?;
        let worker = takes::Worker::new(outbox.clone(), jobs.clone());
        engine.spawn("atelier-takes", move || worker.run(&takes_queue))?;
        let worker = dialogs::Worker::new(outbox.clone(), jobs, parts.dialogs);
        engine.spawn("atelier-dialogs", move || worker.run(&dialogs_queue))?;
        engine.spawn("atelier-wake", move || {
            for () in rung {
                // A window that fails must not take the engine with it.
                let _ = catch_unwind(AssertUnwindSafe(|| wakes()));
            }
        })?;
        engine.spawn("atelier-sound", move || {
            go_ahead();
            with_pool(urgent_pool(), || sound::Worker::new(sound_parts).run());
        })?;
        engine.spawn_behind("atelier-paint", move || paint::Worker::new(paint_parts).run())?;
        engine.spawn_behind("atelier-teach", move || teach::Worker::new(teach_parts).run())?;
        engine.spawn_behind("atelier-gallery", move || gallery::Worker::new(gallery_parts).run())?;
        engine.spawn_behind("atelier-count", move || count.run(&outbox))?;
        Ok(engine)
    }

    /// Whether the pointer can carry files out of the window here.
    pub fn can_carry(&self) -> bool {
        carry::is_possible()
    }

    /// Lets the pointer, whose button is held over the window, carry this file to another program, where the desktop
    /// allows it (X11). The file may still be on its way to the disk.
    pub fn carry(&self, file: PathBuf) {
        carry::carry(file);
    }

    /// Starts a thread that computes: what is played and drawn goes before it, and before the pool that it is the first to
    /// use.
    fn spawn_behind(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<()> {
        self.spawn(name, move || {
            priority::stand_back();
            Pool::global();
            run();
        })
    }

    fn spawn(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<()> {
        let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(run);
        self.threads.push(spawned.map_err(|why| {
            Error::new(
                format!("Could not start a background thread: {why}; close other programs and start Atelier again."),
                format!("无法启动后台线程：{why}；请关闭其他程序后重新启动 Atelier。"),
            )
        })?);
        Ok(())
    }

    /// Hands a command to its worker; never waits.
    ///
    /// # Errors
    /// When too many commands of its family wait already; the command is then forgotten and no event will speak of it.
    pub fn send(&self, command: UiCommand) -> Result<()> {
        let Some(lanes) = &self.lanes else { return Err(busy()) };
        let lane = match &command {
            UiCommand::CountTokens { .. } => return self.count.push(command),
            UiCommand::OpenTextModel { .. } | UiCommand::GenerateText { .. } => &lanes.text,
            UiCommand::PickFile { .. } | UiCommand::PickSave { .. } => &lanes.dialogs,
            UiCommand::ReadText { .. }
            | UiCommand::WriteFiles { .. }
            | UiCommand::SaveText { .. }
            | UiCommand::SaveSound { .. }
            | UiCommand::RemoveFiles { .. }
            | UiCommand::MoveFiles { .. }
            | UiCommand::ReadLibrary { .. }
            | UiCommand::ListModels { .. } => &lanes.io,
            UiCommand::ReadTakes { .. }
            | UiCommand::OpenTake { .. }
            | UiCommand::ChangeTake { .. }
            | UiCommand::SealTake { .. }
            | UiCommand::MarkTakes { .. }
            | UiCommand::OpenCapture { .. } => &lanes.takes,
        };
        let ticket = self.jobs.admit(command);
        lane.try_send(ticket).map_err(|refused| {
            self.jobs.leave(refused.into_inner().job);
            busy()
        })
    }

    /// Stops a job within one token, or takes it back if its turn has not come. Files that are being written are
    /// finished.
    pub fn cancel(&self, job: Job) {
        self.jobs.cancel(job);
    }

    /// Stops every job, as [`Self::cancel`] does.
    pub fn cancel_all(&self) {
        self.jobs.cancel_all();
    }

    /// What has happened since the last call, in order; to be drained once a frame.
    ///
    /// At most as many events as the channel holds, so that a frame ends even while workers are faster than it.
    pub fn events(&self) -> impl Iterator<Item = Event> + '_ {
        self.events.iter().flat_map(|events| events.try_iter().take(EVENT_CAPACITY))
    }

    /// The synthesiser's keys and what it does.
    pub fn sound(&self) -> Option<&SoundPort> {
        self.sound.as_ref()
    }

    /// The painter.
    pub fn paint(&self) -> Option<&PaintPort> {
        self.paint.as_ref()
    }

    /// The teacher.
    pub fn teach(&self) -> Option<&TeachPort> {
        self.teach.as_ref()
    }

    /// The gallery.
    pub fn gallery(&self) -> Option<&GalleryPort> {
        self.gallery.as_ref()
    }

    /// How far the running text job is.
    pub fn progress(&self) -> Option<Progress> {
        self.progress.get()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // In this order: nothing new comes, what runs stops, workers that wait for room in the event channel are let
        // go, and only then are the threads waited for.
        self.lanes = None;
        self.sound = None;
        self.paint = None;
        self.teach = None;
        self.gallery = None;
        self.jobs.cancel_all();
        self.count.close();
        self.events = None;
        for thread in self.threads.drain(..) {
            // Workers catch the panics of their jobs; what is left has been logged by the hook.
            let _ = thread.join();
        }
    }
}

/// The threads that help to make sound. The pool of the process would keep it waiting: its workers stand back.
fn urgent_pool() -> &'static Pool {
    static URGENT: OnceLock<Pool> = OnceLock::new();
    URGENT.get_or_init(|| Pool::urgent(go_ahead))
}

fn busy() -> Error {
    Error::new(
        "Too much is waiting to be done; let some of it finish, or cancel it, and try again.",
        "等待处理的任务太多，请等待或取消一些后重试。",
    )
}

/// Locks what a panicking thread may have held: every value here is whole between statements.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
