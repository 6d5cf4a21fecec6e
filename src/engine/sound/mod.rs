//! The sound worker: a synthesiser that is played live, and takes that are heard while they are made.
//!
//! It is no queue of jobs: a key must sound within milliseconds of being struck. The window puts [`SoundInput`]s into a
//! bounded channel, the worker makes a few milliseconds of sound at a time, and what it does stands in a [`SoundState`],
//! overwritten in place, which the window reads once a frame.

mod take;
#[cfg(test)]
mod tests;
mod worker;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{Waker, lock};
use crate::{
    Error, Result,
    audio::{OutputInfo, Sound},
    generate::audio::{AudioModel, AudioModelInfo, AudioRequest},
};

pub(super) use worker::Worker;

/// Inputs that may wait; more are forgotten, as nobody plays so fast.
const INPUTS: usize = 1024;

/// What the sound worker is told.
#[derive(Clone, Debug, PartialEq)]
pub enum SoundInput {
    /// Use the model in this file, once something is to sound.
    Open { name: String, path: PathBuf },
    /// A key is struck; the first one begins a take with this temperature and seed.
    Strike { key: u8, velocity: u8, instrument: u16, temperature: f32, seed: u64 },
    /// A key is released.
    Release { key: u8 },
    /// Make a take, and play it while it is made.
    Make(Box<AudioRequest>),
    /// Play the take from this sample on.
    Play { from: usize },
    /// Stop playing, and making.
    Stop,
    /// Play at this gain, 0..=4; 1 leaves samples as they are.
    Volume(f32),
    /// Play on the device with this id, or the system's.
    Output(Option<String>),
    /// See which devices there are.
    ListOutputs,
}

/// What the sound worker does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SoundActivity {
    /// Nothing.
    #[default]
    Idle,
    /// A person plays.
    Live,
    /// A take is made, and played.
    Making,
    /// A take is played.
    Playing,
}

/// What the sound worker shows: the latest, overwritten in place.
#[derive(Clone, Debug, Default)]
pub struct SoundState {
    /// The model in use.
    pub model: Option<AudioModelInfo>,
    /// SHA-256 of its file.
    pub model_sha256: String,
    /// What it does.
    pub activity: SoundActivity,
    /// Counts the takes; another number is another take.
    pub take: u64,
    /// What the take is made from; of a live take, so far.
    pub request: Option<AudioRequest>,
    /// The samples of the take so far.
    pub samples: Vec<f32>,
    /// The sample that is heard now.
    pub position: usize,
    /// Gaps that were heard since the window opened.
    pub underruns: u64,
    /// From a key or click to the first sound, in milliseconds.
    pub first_sound_ms: Option<f32>,
    /// Seconds of sound made per second of work.
    pub real_time_factor: Option<f32>,
    /// The devices there are, once they were listed.
    pub outputs: Vec<OutputInfo>,
    /// What went wrong last, for the window to take.
    pub error: Option<Error>,
}

/// The window's side.
#[derive(Clone)]
pub struct SoundPort {
    inputs: Sender<SoundInput>,
    state: Arc<Mutex<SoundState>>,
}

impl SoundPort {
    /// A port whose inputs a test takes, and whose state it sets.
    pub fn scripted() -> (Self, Receiver<SoundInput>) {
        let (sender, inputs) = bounded(INPUTS);
        (Self { inputs: sender, state: Arc::default() }, inputs)
    }

    /// Tells the worker something; never waits.
    pub fn tell(&self, input: SoundInput) {
        let _ = self.inputs.try_send(input);
    }

    /// Looks at what the worker does.
    pub fn look<R>(&self, at: impl FnOnce(&mut SoundState) -> R) -> R {
        at(&mut lock(&self.state))
    }
}

/// Opens models: the real ones, or a test's.
pub type OpenAudio = Box<dyn Fn(&str, &std::path::Path) -> Result<AudioModel> + Send>;

/// The worker's side.
pub(super) struct Parts {
    pub inputs: Receiver<SoundInput>,
    pub state: Arc<Mutex<SoundState>>,
    pub sound: Arc<dyn Sound>,
    pub open: OpenAudio,
    pub waker: Waker,
}

/// Both sides.
pub(super) fn connect(sound: Arc<dyn Sound>, open: OpenAudio, waker: Waker) -> (SoundPort, Parts) {
    let (sender, inputs) = bounded(INPUTS);
    let state = Arc::new(Mutex::new(SoundState::default()));
    (SoundPort { inputs: sender, state: state.clone() }, Parts { inputs, state, sound, open, waker })
}
