//! The jobs that are queued or running, and their cancel flags.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{Job, UiCommand, lock};

/// A command on its way to a worker.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) job: Job,
    pub(super) command: UiCommand,
    /// Set when the user wants it to stop.
    pub(super) cancel: Arc<AtomicBool>,
}

/// The cancel flags of all jobs that have not ended, so that cancelling never waits in a queue.
#[derive(Default)]
pub(super) struct Jobs {
    pub(super) flags: Mutex<HashMap<Job, Arc<AtomicBool>>>,
}

impl Jobs {
    pub(super) fn admit(&self, command: UiCommand) -> Ticket {
        let job = command.job();
        let cancel = Arc::new(AtomicBool::new(false));
        // What a person has written must reach the disk, whatever else is being stopped.
        let is_kept = matches!(
            command,
            UiCommand::WriteFiles { .. }
                | UiCommand::SaveText { .. }
                | UiCommand::SaveSound { .. }
                | UiCommand::SealTake { .. }
                | UiCommand::MarkTakes { .. }
                | UiCommand::MoveFiles { .. }
                | UiCommand::RemoveFiles { .. }
        );
        if !is_kept {
            lock(&self.flags).insert(job, cancel.clone());
        }
        Ticket { job, command, cancel }
    }

    pub(super) fn leave(&self, job: Job) {
        lock(&self.flags).remove(&job);
    }

    pub(super) fn cancel(&self, job: Job) {
        if let Some(flag) = lock(&self.flags).get(&job) {
            flag.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn cancel_all(&self) {
        for flag in lock(&self.flags).values() {
            flag.store(true, Ordering::Relaxed);
        }
    }
}
