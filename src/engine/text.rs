//! The text worker: opens models and writes with them, one job after the other.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crossbeam_channel::{Receiver, Sender};

use super::{
    Event, Job, JobKind, Outcome, TextModelInfo, TokenCounter, UiCommand, Unit,
    count::CountQueue,
    jobs::{Jobs, Ticket},
    outbox::{Outbox, TokenStream},
    progress::{Meter, ProgressCell},
};
use crate::{
    Error, Result, crash,
    generate::{StopReason, TextOutcome, TextProgress, TextRequest},
};

/// Opens text models: the real ones, or a test's.
pub trait TextBackend: Send {
    /// Opens a model; `progress` takes bytes read and bytes in all.
    ///
    /// # Errors
    /// When it cannot be run, or `cancel` was set meanwhile.
    fn open(
        &mut self,
        name: &str,
        path: &Path,
        progress: &mut dyn FnMut(u64, u64),
        cancel: &AtomicBool,
    ) -> Result<OpenText>;
}

/// A text model that is ready to write.
pub struct OpenText {
    /// What the window shows of it.
    pub info: TextModelInfo,
    /// Writes with it.
    pub writer: Box<dyn TextWriting>,
    /// Counts its tokens, on another thread.
    pub counter: Arc<dyn TokenCounter>,
}

/// Writes text; used from one thread.
pub trait TextWriting: Send {
    /// Answers a request, telling `on` each step; ends within one token once `cancel` is set.
    ///
    /// # Errors
    /// When the request cannot be met.
    fn write(
        &mut self,
        request: &TextRequest,
        cancel: &AtomicBool,
        on: &mut dyn FnMut(TextProgress),
    ) -> Result<TextOutcome>;
}

/// The model of the worker.
enum Loaded {
    Nothing,
    Model(OpenText),
    /// A job panicked in its writer, which may be in any state; the next job opens it afresh.
    Broken {
        name: String,
        path: PathBuf,
    },
}

pub(super) struct Worker {
    outbox: Outbox,
    jobs: Arc<Jobs>,
    progress: Arc<ProgressCell>,
    backend: Box<dyn TextBackend>,
    count: Arc<CountQueue>,
    hash: Sender<PathBuf>,
    loaded: Loaded,
}

/// Why a job ended early.
enum End {
    Failed(Error),
    Cancelled,
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Worker {
    pub(super) fn new(
        outbox: Outbox,
        jobs: Arc<Jobs>,
        progress: Arc<ProgressCell>,
        backend: Box<dyn TextBackend>,
        count: Arc<CountQueue>,
        hash: Sender<PathBuf>,
    ) -> Self {
        Self { outbox, jobs, progress, backend, count, hash, loaded: Loaded::Nothing }
    }

    pub(super) fn run(mut self, queue: &Receiver<Ticket>) {
        for ticket in queue {
            let (job, cancel) = (ticket.job, ticket.cancel.clone());
            let ended = if cancel.load(Ordering::Relaxed) { Err(End::Cancelled) } else { self.work(ticket) };
            let outcome = match ended {
                Ok(()) => Outcome::Finished,
                // What a stopped job complains about is no failure.
                Err(_) if cancel.load(Ordering::Relaxed) => Outcome::Cancelled,
                Err(End::Cancelled) => Outcome::Cancelled,
                Err(End::Failed(error)) => Outcome::Failed(error),
            };
            self.jobs.leave(job);
            self.outbox.ended(job, outcome);
        }
        self.put(Loaded::Nothing);
    }

    fn work(&mut self, ticket: Ticket) -> Result<(), End> {
        let Ticket { job, command, cancel } = ticket;
        match command {
            UiCommand::OpenTextModel { name, path, .. } => {
                let kind = JobKind::OpenModel;
                self.outbox.send(Event::Started { job, kind });
                let model = self.open(job, kind, &name, &path, &cancel)?;
                let info = model.info.clone();
                self.use_model(model);
                let wants_hash = info.sha256.is_empty();
                self.outbox.send(Event::TextModelOpened { job, info: Box::new(info) });
                if wants_hash {
                    // Fails only when the engine closes.
                    let _ = self.hash.send(path);
                }
                Ok(())
            }
            UiCommand::GenerateText { request, .. } => {
                self.outbox.send(Event::Started { job, kind: JobKind::GenerateText });
                self.mend(job, &cancel)?;
                self.generate(job, &request, &cancel)
            }
            // `Engine::send` hands over no other commands.
            _ => Err(End::Cancelled),
        }
    }

    fn open(&mut self, job: Job, kind: JobKind, name: &str, path: &Path, cancel: &AtomicBool) -> Result<OpenText, End> {
        let mut meter = Meter::new(&self.progress, job, kind, Unit::Bytes);
        let mut stream = TokenStream::new(&self.outbox, job);
        let mut progress = |done, total| {
            meter.set(Unit::Bytes, done, total);
            stream.progressed();
        };
        let opened = catch_unwind(AssertUnwindSafe(|| self.backend.open(name, path, &mut progress, cancel)));
        match opened {
            Ok(Ok(model)) if cancel.load(Ordering::Relaxed) => {
                drop_quietly(model);
                Err(End::Cancelled)
            }
            Ok(opened) => Ok(opened?),
            Err(payload) => Err(End::Failed(crash::caught(("opening the model", "打开模型"), payload))),
        }
    }

    /// Opens the model again if a panic has spoilt it.
    fn mend(&mut self, job: Job, cancel: &AtomicBool) -> Result<(), End> {
        if let Loaded::Broken { name, path } = &self.loaded {
            let (name, path) = (name.clone(), path.clone());
            let model = self.open(job, JobKind::GenerateText, &name, &path, cancel)?;
            self.use_model(model);
        }
        Ok(())
    }

    fn generate(&mut self, job: Job, request: &TextRequest, cancel: &AtomicBool) -> Result<(), End> {
        let Loaded::Model(model) = &mut self.loaded else {
            return Err(End::Failed(Error::new(
                "No text model is open; open one on the Models page first.",
                "尚未打开文本模型，请先在“模型”页打开一个。",
            )));
        };
        let mut meter = Meter::new(&self.progress, job, JobKind::GenerateText, Unit::PromptTokens);
        let mut stream = TokenStream::new(&self.outbox, job);
        let (mut written, most) = (0, request.max_tokens as u64);
        let mut on = |step| match step {
            TextProgress::Context(report) => self.outbox.send(Event::TextContext { job, report }),
            TextProgress::Prefill { done, total } => {
                meter.set(Unit::PromptTokens, done as u64, total as u64);
                stream.progressed();
            }
            TextProgress::Token(token) => {
                written += 1;
                meter.set(Unit::Tokens, written, most);
                stream.push(token);
            }
        };
        let ended = catch_unwind(AssertUnwindSafe(|| model.writer.write(request, cancel, &mut on)));
        // Whatever happened, the tokens that were made are shown.
        stream.finish();
        match ended {
            Ok(Ok(outcome)) => {
                let is_cancelled = outcome.stop_reason == StopReason::Cancelled;
                self.outbox.send(Event::TextDone { job, outcome: Box::new(outcome) });
                if is_cancelled { Err(End::Cancelled) } else { Ok(()) }
            }
            Ok(Err(error)) => Err(End::Failed(error)),
            Err(payload) => {
                let broken = Loaded::Broken { name: model.info.name.clone(), path: model.info.path.clone() };
                drop(meter);
                self.put(broken);
                Err(End::Failed(crash::caught(("writing", "写作"), payload)))
            }
        }
    }

    fn use_model(&mut self, model: OpenText) {
        self.count.set_counter(model.counter.clone());
        self.put(Loaded::Model(model));
    }

    fn put(&mut self, loaded: Loaded) {
        drop_quietly(std::mem::replace(&mut self.loaded, loaded));
    }
}

/// Drops what may be in any state, and so may panic once more.
fn drop_quietly<T>(value: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        // The hook has logged it; the sentence about it has been told with the first panic.
        let _ = crash::caught(("closing the model", "关闭模型"), payload);
    }
}
