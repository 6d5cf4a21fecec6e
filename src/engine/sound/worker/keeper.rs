//! The thread that keeps what is played live: the one that makes it must not wait for a disk.

use std::{
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::super::SoundState;
use crate::{audio::Tape, engine::lock};

/// Pieces that wait for the disk at most: two minutes of sound, before the one that makes it waits too.
const WAITING: usize = 4_096;

/// Hands samples to the thread.
pub(super) struct Keeper {
    state: Arc<Mutex<SoundState>>,
    /// None when there is no thread to be had: samples are kept at once then, in memory.
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

enum Job {
    /// A take of this number and rate.
    Begin(u64, u32),
    Add(Vec<f32>),
    /// Says when all before it was done.
    Tell(Sender<()>),
}

impl Keeper {
    pub fn new(state: Arc<Mutex<SoundState>>) -> Self {
        let (sender, jobs) = bounded(WAITING);
        let shown = state.clone();
        let thread = thread::Builder::new().name("atelier-tape".to_owned()).spawn(move || keep(&jobs, &shown)).ok();
        Self { state, jobs: thread.is_some().then_some(sender), thread }
    }

    /// Begins a take that the state shows already.
    pub fn begin(&self, take: u64, sample_rate_hz: u32) {
        if let Some(jobs) = &self.jobs {
            let _ = jobs.send(Job::Begin(take, sample_rate_hz));
        }
    }

    /// Adds samples to the take.
    pub fn add(&self, mut samples: Vec<f32>) {
        match &self.jobs {
            Some(jobs) => drop(jobs.send(Job::Add(samples))),
            None => lock(&self.state).samples.append(&mut samples),
        }
    }

    /// Waits until all that was added is shown.
    pub fn finish(&self) {
        let (sender, told) = bounded(1);
        if let Some(jobs) = &self.jobs
            && jobs.send(Job::Tell(sender)).is_ok()
        {
            let _ = told.recv();
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn keep(jobs: &Receiver<Job>, state: &Mutex<SoundState>) {
    let (mut take, mut tape) = (0, Tape::default());
    for job in jobs {
        match job {
            Job::Begin(number, sample_rate_hz) => (take, tape) = (number, Tape::begin(sample_rate_hz)),
            Job::Add(samples) => {
                tape.extend_from_slice(&samples);
                // Written before anybody is made to wait.
                let mut state = lock(state);
                if state.take == take {
                    state.samples.follow(&tape);
                }
            }
            Job::Tell(sender) => drop(sender.send(())),
        }
    }
}
