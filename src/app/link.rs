//! The window's end of the engine: what `App` needs of it, so that tests can script the other end.

use std::path::PathBuf;

use crate::{
    Result,
    engine::{Engine, Event, GalleryPort, Job, PaintPort, Progress, SoundPort, TeachPort, UiCommand},
};

/// The engine, as the window sees it.
pub trait EngineLink {
    /// Hands a command over; never waits.
    ///
    /// # Errors
    /// When the engine takes no more.
    fn send(&mut self, command: UiCommand) -> Result<()>;

    /// Stops a job.
    fn cancel(&mut self, job: Job);

    /// What has happened since the last call.
    fn events(&mut self) -> Vec<Event>;

    /// How far the running job is.
    fn progress(&self) -> Option<Progress>;

    /// Whether the pointer can carry files out of the window.
    fn can_carry(&self) -> bool {
        false
    }

    /// Lets the pointer carry this file out of the window.
    fn carry(&self, file: PathBuf) {
        drop(file);
    }

    /// The synthesiser; `None` where nothing can sound.
    fn sound(&self) -> Option<SoundPort> {
        None
    }

    /// The painter; `None` where nothing can be drawn.
    fn paint(&self) -> Option<PaintPort> {
        None
    }

    /// The teacher; `None` where nothing can be taught.
    fn teach(&self) -> Option<TeachPort> {
        None
    }

    /// The gallery; `None` where nothing is kept.
    fn gallery(&self) -> Option<GalleryPort> {
        None
    }
}

impl EngineLink for Engine {
    fn send(&mut self, command: UiCommand) -> Result<()> {
        Self::send(self, command)
    }

    fn cancel(&mut self, job: Job) {
        Self::cancel(self, job);
    }

    fn events(&mut self) -> Vec<Event> {
        Self::events(self).collect()
    }

    fn progress(&self) -> Option<Progress> {
        Self::progress(self)
    }

    fn can_carry(&self) -> bool {
        Self::can_carry(self)
    }

    fn carry(&self, file: PathBuf) {
        Self::carry(self, file);
    }

    fn sound(&self) -> Option<SoundPort> {
        Self::sound(self).cloned()
    }

    fn paint(&self) -> Option<PaintPort> {
        Self::paint(self).cloned()
    }

    fn teach(&self) -> Option<TeachPort> {
        Self::teach(self).cloned()
    }

    fn gallery(&self) -> Option<GalleryPort> {
        Self::gallery(self).cloned()
    }
}
