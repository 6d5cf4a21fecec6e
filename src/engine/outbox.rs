//! The workers' side of the event channel: nothing is lost, nobody is flooded, and a window that has gone holds nobody up.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Sender, TrySendError};

use super::{Event, Job, Outcome, frames::Frames};
use crate::generate::TextToken;

/// Tells the window that there is something to see; called from the engine's threads.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

/// Streaming wakes the window no more often than this: a frame of a 60 Hz screen.
const FRAME: Duration = Duration::from_millis(16);

#[derive(Clone)]
pub(super) struct Outbox {
    events: Sender<Event>,
    waker: Waker,
    frames: Arc<Frames>,
}

impl Outbox {
    pub(super) fn new(events: Sender<Event>, waker: Waker, frames: Arc<Frames>) -> Self {
        Self { events, waker, frames }
    }

    /// Queues an event, waiting for room if it must, and wakes the window.
    pub(super) fn send(&self, event: Event) {
        if let Err(TrySendError::Full(event)) = self.events.try_send(event) {
            self.wake();
            // Fails only when the window has gone; then nobody misses the event.
            let _ = self.events.send(event);
        }
        self.wake();
    }

    pub(super) fn ended(&self, job: Job, outcome: Outcome) {
        self.send(Event::Ended { job, outcome });
    }

    fn wake(&self) {
        // A window that fails must not take the engine with it.
        let _ = catch_unwind(AssertUnwindSafe(|| (self.waker)()));
    }
}

/// The tokens of one generation on their way to the window.
///
/// Tokens gather for up to a frame, or for as long as the channel is full; they are never dropped.
pub(super) struct TokenStream<'a> {
    outbox: &'a Outbox,
    job: Job,
    waiting: Vec<TextToken>,
    woken: Option<Instant>,
}

impl<'a> TokenStream<'a> {
    pub(super) fn new(outbox: &'a Outbox, job: Job) -> Self {
        Self { outbox, job, waiting: Vec::new(), woken: None }
    }

    pub(super) fn push(&mut self, token: TextToken) {
        self.waiting.push(token);
        if !self.frame_is_due() {
            return;
        }
        let tokens = std::mem::take(&mut self.waiting);
        let event = Event::TextTokens { job: self.job, tokens };
        if let Err(TrySendError::Full(Event::TextTokens { tokens, .. })) = self.outbox.events.try_send(event) {
            self.waiting = tokens;
        }
        self.wake();
    }

    /// Wakes the window for a new value of the progress, if it has not been woken within this frame.
    pub(super) fn progressed(&mut self) {
        if self.frame_is_due() {
            self.wake();
        }
    }

    /// Sends what is left, waiting for room.
    pub(super) fn finish(self) {
        if !self.waiting.is_empty() {
            self.outbox.send(Event::TextTokens { job: self.job, tokens: self.waiting });
        }
    }

    fn frame_is_due(&self) -> bool {
        self.woken.is_none_or(|at| at.elapsed() >= self.outbox.frames.gap(FRAME))
    }

    fn wake(&mut self) {
        self.woken = Some(Instant::now());
        self.outbox.wake();
    }
}
