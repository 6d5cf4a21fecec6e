//! A sound system without a clock of its own: a device plays when it is told to, and records what it is told.

use std::sync::{Arc, Mutex, PoisonError};

use super::{DeviceInfo, Drain, DrainMaker, Feed, FeedMaker, Format, Sound, Stream};
use crate::{Error, Result};

/// A device that tests drive by hand.
#[derive(Clone, Debug)]
pub struct MockSound {
    format: Format,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    feed: Option<Feed>,
    /// How often it was opened; a stream of an earlier time is lost.
    opened: u64,
    unplugged: bool,
    drain: Option<Drain>,
    listened: u64,
}

impl MockSound {
    /// One device that takes this format.
    pub fn new(format: Format) -> Self {
        Self { format, state: Arc::default() }
    }

    /// Plays that many frames and returns them, interleaved: silence while nothing is open.
    pub fn advance(&self, frames: usize) -> Vec<f32> {
        let mut out = vec![0.0; frames * self.format.channels];
        if let Some(feed) = &mut self.lock().feed {
            feed.fill(&mut out);
        }
        out
    }

    /// Frames that wait to be played.
    pub fn waiting(&self) -> usize {
        self.lock().feed.as_ref().map_or(0, Feed::waiting)
    }

    /// Whether somebody plays on it.
    pub fn is_open(&self) -> bool {
        self.lock().feed.is_some()
    }

    /// Takes the device away, or brings it back.
    pub fn set_unplugged(&self, unplugged: bool) {
        let mut state = self.lock();
        state.unplugged = unplugged;
        if unplugged {
            (state.feed, state.drain) = (None, None);
        }
    }

    /// Records these frames, interleaved; `false` while nobody listens.
    pub fn record(&self, frames: &[f32]) -> bool {
        let mut state = self.lock();
        if let Some(drain) = &mut state.drain {
            drain.take(frames);
        }
        state.drain.is_some()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct MockStream {
    sound: MockSound,
    opened: u64,
}

impl Stream for MockStream {
    fn is_lost(&self) -> bool {
        let state = self.sound.lock();
        state.unplugged || state.opened != self.opened
    }
}

impl Drop for MockStream {
    fn drop(&mut self) {
        let mut state = self.sound.lock();
        if state.opened == self.opened {
            state.feed = None;
        }
    }
}

struct MockInput {
    sound: MockSound,
    listened: u64,
}

impl Stream for MockInput {
    fn is_lost(&self) -> bool {
        let state = self.sound.lock();
        state.unplugged || state.listened != self.listened
    }
}

impl Drop for MockInput {
    fn drop(&mut self) {
        let mut state = self.sound.lock();
        if state.listened == self.listened {
            state.drain = None;
        }
    }
}

impl Sound for MockSound {
    fn outputs(&self) -> Result<Vec<DeviceInfo>> {
        let one = DeviceInfo { id: "mock".to_owned(), name: "Mock".to_owned(), is_default: true };
        Ok(if self.lock().unplugged { Vec::new() } else { vec![one] })
    }

    fn open(&self, _output: Option<&str>, _frames: u32, feed: &mut FeedMaker<'_>) -> Result<Box<dyn Stream>> {
        let mut state = self.lock();
        if state.unplugged {
            return Err(Error::new("No device is plugged in.", "没有接入设备。"));
        }
        state.feed = Some(feed(self.format));
        state.opened += 1;
        Ok(Box::new(MockStream { sound: self.clone(), opened: state.opened }))
    }

    fn inputs(&self) -> Result<Vec<DeviceInfo>> {
        self.outputs()
    }

    fn listen(&self, _input: Option<&str>, _frames: u32, drain: &mut DrainMaker<'_>) -> Result<Box<dyn Stream>> {
        let mut state = self.lock();
        if state.unplugged {
            return Err(Error::new("No device is plugged in.", "没有接入设备。"));
        }
        state.drain = Some(drain(self.format));
        state.listened += 1;
        Ok(Box::new(MockInput { sound: self.clone(), listened: state.listened }))
    }
}
