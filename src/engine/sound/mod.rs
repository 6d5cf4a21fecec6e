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
    ops::Range,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{Waker, frames::Frames, lock};
use crate::{
    Error, Result,
    audio::{Clip, DeviceInfo, Midi, MidiMessage, Sound, Tape},
    generate::{
        amp::AmpSettings,
        audio::{AudioModel, AudioModelInfo, AudioRequest, Drawing},
    },
};

pub(super) use worker::Worker;

/// Inputs that may wait; more are forgotten, as nobody plays so fast.
const INPUTS: usize = 1024;

/// What the sound worker is told.
#[derive(Clone, Debug, PartialEq)]
pub enum SoundInput {
    /// Use the model in this file, once something is to sound.
    Open { name: String, path: PathBuf },
    /// Somebody is about to be heard: open the device, which takes its time, if nothing sounds.
    Ready,
    /// A key is struck; the first one begins a take with this drawing.
    Strike { key: u8, velocity: u8, instrument: u16, drawing: Drawing },
    /// A key is released.
    Release { key: u8 },
    /// Make a take, and play it while it is made.
    Make(Box<AudioRequest>),
    /// Make a take that goes on from this one, before this sample, with the note that sounds there.
    Continue { clip: Arc<Clip>, to: usize, instrument: u16, velocity: u8, drawing: Drawing },
    /// Play finished takes.
    Play(Box<Playback>),
    /// Go on from this sample, while takes are played.
    Seek { to: usize },
    /// Go round in this range, or on to the end, while takes are played.
    Loop(Option<Range<usize>>),
    /// Of the two takes that are played, hear the second or the first.
    Switch { second: bool },
    /// Record from an input, into this file.
    Record { to: Option<PathBuf> },
    /// Play what comes from an input through the capture in this file, live.
    Amp { capture: PathBuf, settings: AmpSettings },
    /// Other gains, while an input is played through a capture.
    AmpGains(AmpSettings),
    /// Stop playing, making and recording.
    Stop,
    /// Play at this gain, 0..=4; 1 leaves samples as they are.
    Volume(f32),
    /// Play on the device with this id, or the system's.
    Output(Option<String>),
    /// See which devices there are.
    ListOutputs,
    /// Record from the device with this id, or the system's.
    Input(Option<String>),
    /// See which inputs there are.
    ListInputs,
    /// What keys of a controller sound like from now on, and how what is played live is drawn.
    Voice { instrument: u16, drawing: Drawing },
    /// Be played by the controller with this id, or by none.
    Midi(Option<String>),
    /// What that controller says.
    Played(MidiMessage),
    /// See which controllers there are.
    ListMidi,
}

/// Finished takes to be played.
#[derive(Clone, Debug, PartialEq)]
pub struct Playback {
    pub first: Arc<Clip>,
    /// Another one of the same rate, to switch to.
    pub second: Option<Arc<Clip>>,
    /// Whether the second one is heard.
    pub hears_second: bool,
    /// The sample to begin with.
    pub from: usize,
    /// Where to go round.
    pub range: Option<Range<usize>>,
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
    /// An input is recorded.
    Recording,
    /// An input is played through a capture.
    Amp,
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
    pub samples: Tape,
    /// Their rate.
    pub sample_rate_hz: u32,
    /// The file that the take was recorded into.
    pub recorded: Option<PathBuf>,
    /// The sample that is heard now, of the take or of what is played.
    pub position: usize,
    /// How loud the input is: its highest sample of late.
    pub input_peak: f32,
    /// From the input through the capture to the output, in milliseconds.
    pub latency_ms: Option<f32>,
    /// How often sound from the input was lost since the window opened.
    pub overruns: u64,
    /// Gaps that were heard since the window opened.
    pub underruns: u64,
    /// From a key or click to the first sound that the device took, in milliseconds.
    pub first_sound_ms: Option<f32>,
    /// Seconds of sound made per second of work.
    pub real_time_factor: Option<f32>,
    /// The devices there are, once they were listed.
    pub outputs: Vec<DeviceInfo>,
    /// The inputs there are, once they were listed.
    pub inputs: Vec<DeviceInfo>,
    /// The controllers there are, once they were listed.
    pub controllers: Option<Vec<DeviceInfo>>,
    /// The keys that a controller holds.
    pub played: Vec<u8>,
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
    pub midi: Arc<dyn Midi>,
    pub open: OpenAudio,
    pub waker: Waker,
    pub frames: Arc<Frames>,
}

/// Both sides.
pub(super) fn connect(
    sound: Arc<dyn Sound>,
    midi: Arc<dyn Midi>,
    open: OpenAudio,
    waker: Waker,
    frames: Arc<Frames>,
) -> (SoundPort, Parts) {
    let (sender, inputs) = bounded(INPUTS);
    let state = Arc::new(Mutex::new(SoundState::default()));
    (SoundPort { inputs: sender, state: state.clone() }, Parts { inputs, state, sound, midi, open, waker, frames })
}
