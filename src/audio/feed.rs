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

/// What must wait after a starvation at least, in seconds.
const LEAST_S: f32 = 0.01;

/// What both sides of the queue share.
#[derive(Debug)]
pub struct Controls {
    volume: AtomicU32,
    paused: AtomicBool,
    complete: AtomicBool,
    /// In seconds.
    cushion: AtomicU32,
    most: AtomicU32,
    /// Frames since the device was opened that nobody wants to hear.
    unwanted: AtomicU64,
    underruns: AtomicU64,
    played: AtomicU64,
}

impl Default for Controls {
    fn default() -> Self {
        Self {
            volume: AtomicU32::new(1.0_f32.to_bits()),
            paused: AtomicBool::new(false),
            complete: AtomicBool::new(false),
            cushion: AtomicU32::new(0),
            most: AtomicU32::new(0),
            unwanted: AtomicU64::new(0),
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

    /// What must wait before the first frame is taken, in seconds, unless nothing more comes. After every starvation it is
    /// twice as much, up to `most_s`, and half as much again after every end: a computer that is busy with something else
    /// causes one gap, not many.
    pub fn set_cushion(&self, first_s: f32, most_s: f32) {
        self.cushion.store(first_s.max(0.0).to_bits(), Ordering::Relaxed);
        self.most.store(most_s.max(first_s).max(0.0).to_bits(), Ordering::Relaxed);
    }

    /// Says that the first `frames` since the device was opened are not wanted any more: what is left of them fades out
    /// at once.
    pub(super) fn discard(&self, frames: u64) {
        self.unwanted.store(frames, Ordering::Release);
    }

    /// What must wait at most before a frame is taken, in seconds.
    pub(super) fn most_s(&self) -> f32 {
        f32::from_bits(self.most.load(Ordering::Relaxed))
    }

    /// Whether nothing more comes.
    pub(super) fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Acquire)
    }

    /// Says that nothing more comes, so that the end is not taken for a starvation.
    pub fn set_complete(&self, complete: bool) {
        self.complete.store(complete, Ordering::Release);
    }

    /// How often the device asked for frames that were not there yet.
    pub fn underruns(&self) -> u64 {
        self.underruns.load(Ordering::Relaxed)
    }

    /// Frames of ours that were handed to devices, without what faded out when nobody wanted to hear it any more.
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
    /// Frames taken from the queue, heard or not.
    taken: u64,
    /// Nothing is taken until a cushion waits.
    halted: bool,
    /// How often the cushion is doubled.
    doubled: u32,
    rate_hz: f32,
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
            taken: 0,
            halted: true,
            doubled: 0,
            rate_hz: format.sample_rate_hz as f32,
            begun: false,
        }
    }

    /// Frames that wait.
    pub(super) fn waiting(&self) -> usize {
        self.frames.slots()
    }

    /// Frames that must wait before any is taken.
    fn cushion(&self) -> usize {
        let [first, most] =
            [&self.controls.cushion, &self.controls.most].map(|of| f32::from_bits(of.load(Ordering::Relaxed)));
        let wanted = if self.doubled > 0 { first.max(LEAST_S) * (1 << self.doubled.min(16)) as f32 } else { first };
        ((wanted.min(most) * self.rate_hz) as usize).min(self.frames.buffer().capacity())
    }

    /// Fills `out`, interleaved, every channel of a frame alike. Neither locks nor allocates.
    pub fn fill(&mut self, out: &mut [f32]) {
        let wanted = f32::from_bits(self.controls.volume.load(Ordering::Relaxed));
        let (paused, unwanted) = (self.controls.is_paused(), self.controls.unwanted.load(Ordering::Acquire));
        if self.halted && self.taken >= unwanted {
            let (waiting, complete) = (self.waiting(), self.controls.complete.load(Ordering::Acquire));
            self.halted = waiting == 0 || (waiting < self.cushion() && !complete);
        }
        let mut played = 0;
        for frame in out.chunks_mut(self.channels) {
            let discarding = self.taken < unwanted;
            let target = if paused || discarding { 0.0 } else { wanted };
            if !self.begun {
                // The first sound is not faded in: it would lose its attack.
                self.gain = target;
            }
            let far = target - self.gain;
            self.gain += far.clamp(-self.gain_step, self.gain_step);
            if discarding && (self.gain <= 0.0 || self.halted) {
                self.drop_until(unwanted);
            }
            let sample = if self.halted || (paused && self.gain <= 0.0) { None } else { self.frames.pop().ok() };
            let value = match sample {
                Some(sample) => {
                    played += u64::from(!discarding);
                    self.taken += 1;
                    self.begun = true;
                    self.last = limited(sample * self.gain);
                    self.last
                }
                None => {
                    if !self.halted && !paused {
                        self.halt();
                    }
                    self.last *= self.decay;
                    self.last
                }
            };
            frame.fill(value);
        }
        self.controls.played.fetch_add(played, Ordering::Relaxed);
    }

    /// The queue is empty: by its end, or because the next frames are late.
    fn halt(&mut self) {
        self.halted = true;
        if self.controls.complete.load(Ordering::Acquire) {
            self.doubled = self.doubled.saturating_sub(1);
        } else {
            self.controls.underruns.fetch_add(1, Ordering::Relaxed);
            self.doubled += 1;
            // What comes next fades in: it has no attack here.
            self.gain = 0.0;
        }
    }

    /// Takes what nobody wants out of the queue; what follows begins anew.
    fn drop_until(&mut self, unwanted: u64) {
        let many = usize::try_from(unwanted - self.taken).unwrap_or(usize::MAX).min(self.waiting());
        if let Ok(chunk) = self.frames.read_chunk(many) {
            chunk.commit_all();
        }
        self.taken = unwanted;
        (self.halted, self.begun) = (true, false);
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
