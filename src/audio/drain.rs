//! The callback's side of recording: frames into the ring, how loud they were, and a count of what found no room.

use std::sync::{
    Arc,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

use rtrb::Producer;

/// What both sides of the queue share.
#[derive(Debug, Default)]
pub struct Meter {
    /// Bits of the highest absolute sample since it was looked at.
    peak: AtomicU32,
    overruns: AtomicU64,
    taken: AtomicU64,
}

impl Meter {
    /// The highest absolute sample since the last call.
    pub fn take_peak(&self) -> f32 {
        f32::from_bits(self.peak.swap(0, Ordering::Relaxed))
    }

    /// How often frames came that found no room.
    pub fn overruns(&self) -> u64 {
        self.overruns.load(Ordering::Relaxed)
    }

    /// Frames that came.
    pub fn taken_frames(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }
}

/// Lives in the device's callback.
#[derive(Debug)]
pub struct Drain {
    frames: Producer<f32>,
    meter: Arc<Meter>,
    channels: usize,
    /// Whether the last frames found no room.
    overflowing: bool,
}

impl Drain {
    pub(super) fn new(frames: Producer<f32>, meter: Arc<Meter>, format: super::Format) -> Self {
        Self { frames, meter, channels: format.channels.max(1), overflowing: false }
    }

    /// Takes interleaved frames, the mean of their channels. Neither locks nor allocates.
    pub fn take(&mut self, samples: &[f32]) {
        let (mut peak, mut lost) = (0.0_f32, false);
        for frame in samples.chunks_exact(self.channels) {
            let mean = frame.iter().sum::<f32>() / self.channels as f32;
            let sample = if mean.is_finite() { mean } else { 0.0 };
            peak = peak.max(sample.abs());
            lost |= self.frames.push(sample).is_err();
        }
        if lost && !self.overflowing {
            self.meter.overruns.fetch_add(1, Ordering::Relaxed);
        }
        self.overflowing = lost;
        // Of numbers that are not negative the bits are in the same order.
        self.meter.peak.fetch_max(peak.to_bits(), Ordering::Relaxed);
        self.meter.taken.fetch_add((samples.len() / self.channels) as u64, Ordering::Relaxed);
    }
}
