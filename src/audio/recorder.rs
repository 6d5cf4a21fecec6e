//! The listener's side: takes what an input gave out of the ring.

use std::sync::Arc;

use rtrb::{Consumer, RingBuffer};

use super::{Drain, Format, Meter, Sound, Stream};
use crate::{Error, Result};

/// Records mono sound from an input.
pub struct Recorder {
    stream: Box<dyn Stream>,
    frames: Consumer<f32>,
    meter: Arc<Meter>,
    format: Format,
}

impl Recorder {
    /// Opens an input, the default one without an id, that gives about `frames` at a time. At most `latency_s` of sound
    /// waits to be read.
    ///
    /// # Errors
    /// When there is no input that can be used.
    pub fn open(sound: &dyn Sound, input: Option<&str>, frames: u32, latency_s: f32) -> Result<Self> {
        let (mut made, meter) = (None, Arc::new(Meter::default()));
        let shared = meter.clone();
        let stream = sound.listen(input, frames, &mut |format| {
            let room = (format.sample_rate_hz as f32 * latency_s.clamp(0.02, 60.0)).ceil() as usize;
            let (given, taken) = RingBuffer::new(room.max(64));
            made = Some((taken, format));
            Drain::new(given, shared.clone(), format)
        })?;
        let Some((frames, format)) = made else {
            return Err(Error::new("The input gave no format; choose another one.", "输入设备未提供格式，请另选。"));
        };
        Ok(Self { stream, frames, meter, format })
    }

    /// What the input gives.
    pub fn format(&self) -> Format {
        self.format
    }

    /// How loud it is, and what was lost.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Appends what has come, at most so many frames.
    pub fn read(&mut self, most: usize, out: &mut Vec<f32>) {
        for _ in 0..most.min(self.frames.slots()) {
            out.extend(self.frames.pop().ok());
        }
    }

    /// Frames that wait to be read.
    pub fn waiting(&self) -> usize {
        self.frames.slots()
    }

    /// Whether the input has gone.
    pub fn is_lost(&self) -> bool {
        self.stream.is_lost()
    }
}
