//! The engine over scripted parts: what a window would see of it.

mod endurance;
mod files;
mod real;
mod takes;
mod text;
mod traffic;

use std::{sync::Arc, time::Duration};

use crossbeam_channel::{Receiver, bounded};

use super::{
    Engine, Event, Guard, Job, Outcome, UiCommand,
    fake::{self, Traces},
};
use crate::generate::{Prompt, TextRequest};

/// Stands in for the window: sends commands, and drains events when it is woken.
struct Window {
    engine: Engine,
    woken: Receiver<()>,
    traces: Arc<Traces>,
    seen: Vec<Event>,
}

impl Window {
    fn new() -> Self {
        let (wake, woken) = bounded(1);
        let traces = Arc::new(Traces::default());
        let waker = Arc::new(move || {
            let _ = wake.try_send(());
        });
        let engine = Engine::with_parts(waker, fake::parts(&traces)).expect("threads");
        Self { engine, woken, traces, seen: Vec::new() }
    }

    fn with_model(name: &str) -> Self {
        let mut window = Self::new();
        window.open(0, name);
        assert_eq!(window.outcome(0), Outcome::Finished);
        window
    }

    fn open(&self, job: Job, name: &str) {
        self.send(UiCommand::OpenTextModel { job, name: name.to_owned(), path: "/nowhere".into() });
    }

    fn write(&self, job: Job, prompt: &str, max_tokens: usize) {
        self.send(writing(job, prompt, max_tokens));
    }

    fn send(&self, command: UiCommand) {
        self.engine.send(command).expect("room in the queue");
    }

    /// Drains events until one fits; fails the test rather than waiting for ever.
    fn until(&mut self, fits: impl Fn(&Event) -> bool) {
        loop {
            let before = self.seen.len();
            self.seen.extend(self.engine.events());
            if self.seen[before..].iter().any(&fits) {
                return;
            }
            if self.seen.len() == before {
                self.woken.recv_timeout(Duration::from_secs(60)).expect("an event");
            }
        }
    }

    /// Waits for the end of a job.
    fn outcome(&mut self, job: Job) -> Outcome {
        let ended = |event: &Event| matches!(event, Event::Ended { job: ended, .. } if *ended == job);
        if !self.seen.iter().any(ended) {
            self.until(ended);
        }
        let outcomes: Vec<_> = self.seen.iter().filter(|event| ended(event)).collect();
        match outcomes[..] {
            [Event::Ended { outcome, .. }] => outcome.clone(),
            _ => panic!("job {job} ended as {outcomes:?}"),
        }
    }

    /// The words streamed for a job.
    fn words(&self, job: Job) -> Vec<String> {
        let mut words = Vec::new();
        for event in &self.seen {
            if let Event::TextTokens { job: of, tokens } = event
                && *of == job
            {
                words.extend(tokens.iter().map(|token| token.text.clone()));
            }
        }
        words
    }

    /// Where in the events the first that fits stands.
    fn place(&self, fits: impl Fn(&Event) -> bool) -> Option<usize> {
        self.seen.iter().position(fits)
    }
}

fn writing(job: Job, prompt: &str, max_tokens: usize) -> UiCommand {
    let request = TextRequest { prompt: Prompt::Raw(prompt.to_owned()), max_tokens, ..TextRequest::default() };
    UiCommand::GenerateText { job, request: Box::new(request) }
}

fn failure(outcome: Outcome) -> String {
    match outcome {
        Outcome::Failed(error) => error.to_string(),
        other => panic!("ended as {other:?}"),
    }
}
