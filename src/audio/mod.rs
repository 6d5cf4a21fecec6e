//! Playback and recording: a sound system behind a trait, lock-free queues to and from devices, rate conversion.
//!
//! ```text
//! worker ── Player::write (mono, the model's rate) ── Converter ── ring of frames ── Feed::fill ── device
//! worker ── Recorder::read (mono, the device's rate) ───────────── ring of frames ── Drain::take ── device
//! ```
//!
//! [`Feed::fill`] and [`Drain::take`] are all that runs in a device's callback: they move numbers out of a ring or into
//! one, and neither lock nor allocate (before the first of it, the callback's thread asks to [go ahead](go_ahead)).
//! Everything else happens on the thread that makes the sound. A device that disappears is opened again, or the default
//! one in its place; what is recorded is what was made, never what a device happened to play.

mod ahead;
mod convert;
mod drain;
mod feed;
mod local;
pub(crate) mod loudness;
mod midi;
mod mock;
pub(crate) mod pitch;
mod player;
mod recorder;
mod reel;
mod tape;
#[cfg(test)]
mod tests;

pub use ahead::go_ahead;
pub use convert::Converter;
pub use drain::{Drain, Meter};
pub use feed::{Controls, Feed};
pub use local::LocalSound;
pub use midi::{LocalMidi, Midi, MidiMessage, MidiStream, MockMidi, Pedal};
pub use mock::MockSound;
pub use player::Player;
pub use recorder::Recorder;
pub use reel::{Clip, Reel};
pub use tape::Tape;

use crate::Result;

/// What a device takes: interleaved frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// Frames a second.
    pub sample_rate_hz: u32,
    /// Samples a frame.
    pub channels: usize,
}

/// A device that sound can be played on, or recorded from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// What it is asked for by.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Whether it is the system's choice.
    pub is_default: bool,
}

/// Makes the callback's side for a device whose format is known now.
pub type FeedMaker<'a> = dyn FnMut(Format) -> Feed + 'a;

/// Makes the callback's side for an input whose format is known now.
pub type DrainMaker<'a> = dyn FnMut(Format) -> Drain + 'a;

/// Frames that a device asks for at once, or gives: systems left alone may take seconds.
pub const USUAL_FRAMES: u32 = 512;

/// A device that plays or records, until it is dropped.
pub trait Stream {
    /// Whether the device has gone, or has to be opened anew.
    fn is_lost(&self) -> bool;
}

/// The sound system of a computer, or one that tests drive by hand.
pub trait Sound: Send + Sync {
    /// The devices there are.
    ///
    /// # Errors
    /// When the system does not say.
    fn outputs(&self) -> Result<Vec<DeviceInfo>>;

    /// Opens the device with this id, or the default one, and starts to ask the feed for about so many frames at a time.
    /// A device that is not there any more is replaced by the default one.
    ///
    /// # Errors
    /// When there is no device, or none of its formats can be used.
    fn open(&self, output: Option<&str>, frames: u32, feed: &mut FeedMaker<'_>) -> Result<Box<dyn Stream>>;

    /// The inputs there are.
    ///
    /// # Errors
    /// When the system does not say.
    fn inputs(&self) -> Result<Vec<DeviceInfo>>;

    /// Opens the input with this id, or the default one, and starts to hand over about so many frames at a time.
    ///
    /// # Errors
    /// When there is no input, it may not be used, or none of its formats can be.
    fn listen(&self, input: Option<&str>, frames: u32, drain: &mut DrainMaker<'_>) -> Result<Box<dyn Stream>>;
}
