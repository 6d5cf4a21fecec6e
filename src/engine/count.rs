//! Counting tokens, on a thread that writing does not hold up.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{Event, Job, Outcome, UiCommand, busy, lock, outbox::Outbox};
use crate::{Result, crash};

/// Requests that may wait; one a slot, and those they replaced until the worker has said so.
const CAPACITY: usize = 256;

/// Counts the tokens of a text for one model.
pub trait TokenCounter: Send + Sync {
    /// The number of tokens; `None` when `cancel` was set meanwhile.
    fn count(&self, text: &str, cancel: &AtomicBool) -> Option<usize>;
}

/// The texts to be counted, the newest of each slot, and the counter of the open model.
#[derive(Default)]
pub(super) struct CountQueue {
    state: Mutex<State>,
    bell: Condvar,
    closing: AtomicBool,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    replaced: Vec<Job>,
    counter: Option<Arc<dyn TokenCounter>>,
}

struct Waiting {
    job: Job,
    slot: u32,
    text: String,
}

impl CountQueue {
    /// Queues a [`UiCommand::CountTokens`] in the place of an older one of its slot.
    pub(super) fn push(&self, command: UiCommand) -> Result<()> {
        let UiCommand::CountTokens { job, slot, text } = command else { return Err(busy()) };
        let mut state = lock(&self.state);
        if state.waiting.len() + state.replaced.len() >= CAPACITY {
            return Err(busy());
        }
        let new = Waiting { job, slot, text };
        match state.waiting.iter_mut().find(|old| old.slot == slot) {
            Some(old) => {
                let old = std::mem::replace(old, new);
                state.replaced.push(old.job);
            }
            None => state.waiting.push_back(new),
        }
        drop(state);
        self.bell.notify_one();
        Ok(())
    }

    /// Counts for another model from now on.
    pub(super) fn set_counter(&self, counter: Arc<dyn TokenCounter>) {
        lock(&self.state).counter = Some(counter);
    }

    /// Lets the worker go.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
        // Taking the lock makes sure that the worker is either waiting, and hears the bell, or has yet to look at the flag.
        drop(lock(&self.state));
        self.bell.notify_all();
    }

    pub(super) fn run(&self, outbox: &Outbox) {
        while let Some((replaced, next)) = self.wait() {
            for job in replaced {
                outbox.ended(job, Outcome::Cancelled);
            }
            if let Some((waiting, counter)) = next {
                self.count(waiting, counter, outbox);
            }
        }
    }

    /// The next work; `None` when the engine closes.
    #[expect(clippy::type_complexity, reason = "taken apart where it is called")]
    fn wait(&self) -> Option<(Vec<Job>, Option<(Waiting, Option<Arc<dyn TokenCounter>>)>)> {
        let mut state = lock(&self.state);
        loop {
            if self.closing.load(Ordering::Relaxed) {
                return None;
            }
            if !state.replaced.is_empty() || !state.waiting.is_empty() {
                let replaced = std::mem::take(&mut state.replaced);
                let next = state.waiting.pop_front();
                let counter = state.counter.clone();
                return Some((replaced, next.map(|next| (next, counter))));
            }
            state = self.bell.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn count(&self, waiting: Waiting, counter: Option<Arc<dyn TokenCounter>>, outbox: &Outbox) {
        let Waiting { job, slot, text } = waiting;
        let counted = catch_unwind(AssertUnwindSafe(|| counter?.count(&text, &self.closing)));
        let outcome = match counted {
            Ok(Some(tokens)) => {
                outbox.send(Event::TokensCounted { job, slot, tokens });
                Outcome::Finished
            }
            Ok(None) => Outcome::Cancelled,
            Err(payload) => Outcome::Failed(crash::caught(("counting", "计数"), payload)),
        };
        outbox.ended(job, outcome);
    }
}
