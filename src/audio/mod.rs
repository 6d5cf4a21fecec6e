//! Playback: a sound system behind a trait, a lock-free queue to the device, rate conversion on the way there.
//!
//! ```text
//! worker ── Player::write (mono, the model's rate) ── Converter ── ring of frames ── Feed::fill ── device
//! ```
//!
//! [`Feed::fill`] is all that runs in the device's callback: it takes numbers out of the ring, and neither locks nor
//! allocates. Everything else happens on the thread that makes the sound. A device that disappears is opened again, or
//! the default one in its place; what is recorded is what was made, never what a device happened to play.

mod convert;
mod feed;
mod local;
mod mock;
mod player;
#[cfg(test)]
mod tests;

pub use convert::Converter;
pub use feed::{Controls, Feed};
pub use local::LocalSound;
pub use mock::MockSound;
pub use player::Player;

use crate::Result;

/// What a device takes: interleaved frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// Frames a second.
    pub sample_rate_hz: u32,
    /// Samples a frame.
    pub channels: usize,
}

/// A device that sound can be played on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputInfo {
    /// What it is asked for by.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Whether it is the system's choice.
    pub is_default: bool,
}

/// Makes the callback's side for a device whose format is known now.
pub type FeedMaker<'a> = dyn FnMut(Format) -> Feed + 'a;

/// A device that plays, until it is dropped.
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
    fn outputs(&self) -> Result<Vec<OutputInfo>>;

    /// Opens the device with this id, or the default one, and starts to ask the feed for frames. A device that is not
    /// there any more is replaced by the default one.
    ///
    /// # Errors
    /// When there is no device, or none of its formats can be used.
    fn open(&self, output: Option<&str>, feed: &mut FeedMaker<'_>) -> Result<Box<dyn Stream>>;
}
