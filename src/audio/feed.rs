//! The callback's side: frames out of the ring, volume, a soft limit, and silence without a click when nothing is there.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
};

use rtrb::Consumer;

/// Below this the limiter leaves samples as they are.
const KNEE: f32 = 0.8;
/// How long a change of volume, a pause and a starvation take to fade, in seconds.
const FADE_S: f32 = 0.005;

/// What both sides of the queue share.
#[derive(Debug)]
pub struct Controls {
    volume: AtomicU32,
    paused: AtomicBool,
    complete: AtomicBool,
    underruns: AtomicU64,
    played: AtomicU64,
}

impl Default for Controls {
    fn default() -> Self {
        Self {
            volume: AtomicU32::new(1.0_f32.to_bits()),
            paused: AtomicBool::new(true),
            complete: AtomicBool::new(false),
            underruns: AtomicU64::new(0),
            played: AtomicU64::new(0),
        }
    }
}

impl Controls {
    /// Sets the gain, 0..=4; 1 leaves samples as they are.
    pub fn set_volume(&self, gain: f32) {
        let gain = if gain.is_finite() { gain.clamp(0.0, 4.0) } else { 1.0 };
        self.volume.store(gain.to_bits(), Ordering::Relaxed);
    }

    /// Stops taking frames, with a short fade, or goes on.
    pub fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::Release);
    }

    /// Whether frames are being taken.
    pub fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Acquire)
    }

    /// Says that nothing more comes, so that the end is not taken for a starvation.
    pub fn set_complete(&self, complete: bool) {
        self.complete.store(complete, Ordering::Release);
    }

    /// How often the device asked for frames that were not there yet.
    pub fn underruns(&self) -> u64 {
        self.underruns.load(Ordering::Relaxed)
    }

    /// Frames of ours that were handed to devices.
    pub fn played_frames(&self) -> u64 {
        self.played.load(Ordering::Relaxed)
    }
}

/// Lives in the device's callback.
#[derive(Debug)]
pub struct Feed {
    frames: Consumer<f32>,
    controls: Arc<Controls>,
    channels: usize,
    /// The gain as it is now, on its way to the one asked for.
    gain: f32,
    gain_step: f32,
    /// The last sample, which fades out when nothing follows.
    last: f32,
    decay: f32,
    starving: bool,
    begun: bool,
}

impl Feed {
    pub(super) fn new(frames: Consumer<f32>, controls: Arc<Controls>, format: super::Format) -> Self {
        let fade_frames = (format.sample_rate_hz as f32 * FADE_S).max(1.0);
        Self {
            frames,
            controls,
            channels: format.channels.max(1),
            gain: 0.0,
            gain_step: 1.0 / fade_frames,
            last: 0.0,
            // To a thousandth within the fade.
            decay: (0.001_f32.ln() / fade_frames).exp(),
            starving: false,
            begun: false,
        }
    }

    /// Frames that wait.
    pub(super) fn waiting(&self) -> usize {
        self.frames.slots()
    }

    /// Fills `out`, interleaved, every channel of a frame alike. Neither locks nor allocates.
    pub fn fill(&mut self, out: &mut [f32]) {
        let wanted = f32::from_bits(self.controls.volume.load(Ordering::Relaxed));
        let paused = self.controls.is_paused();
        let target = if paused { 0.0 } else { wanted };
        let mut played = 0;
        for frame in out.chunks_mut(self.channels) {
            if !self.begun {
                // The first sound is not faded in: it would lose its attack.
                self.gain = target;
            }
            let far = target - self.gain;
            self.gain += far.clamp(-self.gain_step, self.gain_step);
            let sample = if paused && self.gain <= 0.0 { None } else { self.frames.pop().ok() };
            let value = match sample {
                Some(sample) => {
                    played += 1;
                    (self.begun, self.starving) = (true, false);
                    self.last = limited(sample * self.gain);
                    self.last
                }
                None => {
                    if self.begun && !self.starving && !paused {
                        self.starving = true;
                        if !self.controls.complete.load(Ordering::Acquire) {
                            self.controls.underruns.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    self.last *= self.decay;
                    self.last
                }
            };
            frame.fill(value);
        }
        self.controls.played.fetch_add(played, Ordering::Relaxed);
    }
}

/// A sample within -1..1: as it is up to the knee, bent smoothly above it.
fn limited(sample: f32) -> f32 {
    if sample.is_nan() {
        return 0.0;
    }
    let (size, room) = (sample.abs(), 1.0 - KNEE);
    if size <= KNEE { sample } else { (KNEE + room * ((size - KNEE) / room).tanh()).copysign(sample) }
}

#[cfg(test)]
mod tests {
    use super::limited;

    #[test]
    fn the_limiter_leaves_quiet_sound_alone_and_never_clips() {
        assert_eq!([limited(0.5), limited(-0.8), limited(f32::NAN)], [0.5, -0.8, 0.0]);
        let bent: Vec<f32> = (0..400).map(|step| limited(step as f32 * 0.01)).collect();
        assert!(bent.windows(2).all(|pair| pair[0] <= pair[1]));
        assert!(bent.iter().all(|sample| *sample <= 1.0));
        assert!((limited(0.81) - 0.81).abs() < 1e-3);
        assert_eq!(limited(f32::NEG_INFINITY), -1.0);
    }
}
