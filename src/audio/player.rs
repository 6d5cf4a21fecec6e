//! The maker's side: takes samples at the model's rate, and keeps a device supplied with them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rtrb::{Producer, RingBuffer};

use super::{Controls, Converter, Feed, Format, Sound, Stream, USUAL_FRAMES};
use crate::{Error, Result};

/// Between looks at a full queue.
const PAUSE: Duration = Duration::from_millis(2);
/// Between attempts to open a device anew.
const RETRY: Duration = Duration::from_millis(500);
/// A device that takes nothing for this long while it should has stalled.
const STALLED: Duration = Duration::from_secs(5);
/// The most of the queue that must be full after starvations.
const MOST: f32 = 0.5;

/// Plays mono sound on a device.
pub struct Player {
    sound: Arc<dyn Sound>,
    output: Option<String>,
    source_rate_hz: u32,
    /// What may wait in the queue, in seconds: later changes are heard after it.
    latency_s: f32,
    controls: Arc<Controls>,
    device: Option<Open>,
    /// Frames that the device asks for at a time.
    frames: u32,
    /// When a lost device was last asked for.
    asked: Instant,
    watch: Watch,
    /// Whether a device was lost since [`Self::tend`] told of it.
    has_gone: bool,
}

/// A device that is open.
struct Open {
    stream: Box<dyn Stream>,
    queue: Producer<f32>,
    converter: Converter,
    format: Format,
    /// Converted frames for which the queue had no room.
    ready: Vec<f32>,
    /// Frames that went into the queue.
    pushed: u64,
}

impl Open {
    /// Frames below which the device may rightly wait for more.
    fn cushion(&self, controls: &Controls) -> usize {
        if controls.is_complete() { 0 } else { (controls.most_s() * self.format.sample_rate_hz as f32) as usize }
    }
}

impl Player {
    /// Opens a device, the default one without an id, for sound of `source_rate_hz`. At most `latency_s` of it waits in
    /// the queue; playing begins when `preroll_s` of it does, or when it is [completed](Self::complete), and
    /// goes on after a starvation when [somewhat more](Controls::set_cushion) does.
    ///
    /// # Errors
    /// When there is no device that can be used.
    pub fn open(
        sound: Arc<dyn Sound>,
        output: Option<&str>,
        source_rate_hz: u32,
        latency_s: f32,
        preroll_s: f32,
    ) -> Result<Self> {
        Self::open_with(sound, output, source_rate_hz, (latency_s, preroll_s), USUAL_FRAMES)
    }

    /// The same, on a device that asks for about so many frames at a time.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(
        sound: Arc<dyn Sound>,
        output: Option<&str>,
        source_rate_hz: u32,
        (latency_s, preroll_s): (f32, f32),
        frames: u32,
    ) -> Result<Self> {
        let mut player = Self {
            sound,
            output: output.map(str::to_owned),
            source_rate_hz,
            latency_s: latency_s.clamp(0.02, 30.0),
            controls: Arc::new(Controls::default()),
            device: None,
            frames,
            asked: Instant::now(),
            watch: Watch::new(),
            has_gone: false,
        };
        player.controls.set_cushion(preroll_s, preroll_s.max(MOST * player.latency_s));
        player.connect()?;
        Ok(player)
    }

    fn connect(&mut self) -> Result<()> {
        self.asked = Instant::now();
        let mut made = None;
        self.controls.discard(0);
        let (controls, latency_s) = (self.controls.clone(), self.latency_s);
        let stream = self.sound.open(self.output.as_deref(), self.frames, &mut |format| {
            let frames = (format.sample_rate_hz as f32 * latency_s).ceil() as usize;
            let (queue, taken) = RingBuffer::new(frames.max(64));
            made = Some((queue, format));
            Feed::new(taken, controls.clone(), format)
        })?;
        let Some((queue, format)) = made else {
            return Err(Error::new(
                "The sound device gave no format; choose another one.",
                "音频设备未提供格式，请另选设备。",
            ));
        };
        let converter = Converter::new(self.source_rate_hz, format.sample_rate_hz)?;
        self.device = Some(Open { stream, queue, converter, format, ready: Vec::new(), pushed: 0 });
        Ok(())
    }

    /// Samples a second of what is written.
    pub fn source_rate_hz(&self) -> u32 {
        self.source_rate_hz
    }

    /// Takes samples of another rate from now on; those that wait for the converter are let go.
    ///
    /// # Errors
    /// When the rate cannot be converted; the one before stays.
    pub fn set_source_rate(&mut self, rate_hz: u32) -> Result<()> {
        if rate_hz != self.source_rate_hz {
            if let Some(device) = &mut self.device {
                device.converter = Converter::new(rate_hz, device.format.sample_rate_hz)?;
            }
            self.source_rate_hz = rate_hz;
        }
        Ok(())
    }

    /// Frames that the device is asked to take at a time.
    pub fn frames(&self) -> u32 {
        self.frames
    }

    /// Whether a device is there.
    pub fn is_there(&self) -> bool {
        self.device.as_ref().is_some_and(|device| !device.stream.is_lost())
    }

    /// To be called now and then by whoever writes only while little waits: lets go of a device that is lost, or that
    /// takes nothing of what waits for it, and looks for one from time to time. `true` when it has just let go of one.
    pub fn tend(&mut self) -> bool {
        if let Some(device) = &self.device {
            let waiting = device.queue.buffer().capacity() - device.queue.slots();
            let should_take = waiting > device.cushion(&self.controls) && !self.controls.is_paused();
            if self.watch.has_stalled(if should_take { waiting } else { usize::MAX }) && should_take {
                self.lose();
            }
        }
        self.reconnect();
        // One that was found again at once needs no words.
        std::mem::take(&mut self.has_gone) && self.device.is_none()
    }

    fn lose(&mut self) {
        (self.device, self.has_gone) = (None, true);
    }

    /// Volume, pause, and what was played.
    pub fn controls(&self) -> &Arc<Controls> {
        &self.controls
    }

    /// What the device takes; `None` while there is none.
    pub fn format(&self) -> Option<Format> {
        self.device.as_ref().map(|device| device.format)
    }

    /// Plays `samples`, each in -1..1, after those before; waits while the queue is full. While no device is there the
    /// samples are passed over in the time they would have taken, and a device is looked for. `false` when it was
    /// cancelled before all were taken.
    ///
    /// # Errors
    /// When the rate cannot be converted.
    pub fn write(&mut self, samples: &[f32], cancel: &AtomicBool) -> Result<bool> {
        self.reconnect();
        let Some(device) = &mut self.device else {
            return Ok(wait(Duration::from_secs_f64(samples.len() as f64 / f64::from(self.source_rate_hz)), cancel));
        };
        self.controls.set_complete(false);
        device.converter.push(samples, &mut device.ready)?;
        self.hand_over(cancel)
    }

    /// How much sound waits in the queue, in seconds; 0 while there is no device.
    pub fn waiting_s(&self) -> f32 {
        let waiting = |device: &Open| (device.queue.buffer().capacity() - device.queue.slots()) as f32;
        self.device.as_ref().map_or(0.0, |device| waiting(device) / device.format.sample_rate_hz as f32)
    }

    /// Says that nothing follows for now: what is left is played, also of a pre-roll that was not reached, and an empty
    /// queue is no starvation. `false` when it was cancelled before the queue had room.
    ///
    /// # Errors
    /// When the rate cannot be converted.
    pub fn end(&mut self, cancel: &AtomicBool) -> Result<bool> {
        if let Some(device) = &mut self.device {
            device.converter.finish(&mut device.ready)?;
            device.converter = Converter::new(self.source_rate_hz, device.format.sample_rate_hz)?;
        }
        if !self.hand_over(cancel)? {
            return Ok(false);
        }
        self.controls.set_complete(true);
        Ok(true)
    }

    /// Says that nothing of what waits is to be heard any more: it fades out within milliseconds.
    ///
    /// # Errors
    /// When the rate cannot be converted.
    pub fn discard(&mut self) -> Result<()> {
        if let Some(device) = &mut self.device {
            device.converter = Converter::new(self.source_rate_hz, device.format.sample_rate_hz)?;
            device.ready.clear();
            self.controls.discard(device.pushed);
        }
        self.controls.set_complete(true);
        Ok(())
    }

    /// As [`Self::end`], and waits until the queue is empty. `false` when it was cancelled before.
    ///
    /// # Errors
    /// When the rate cannot be converted.
    pub fn complete(&mut self, cancel: &AtomicBool) -> Result<bool> {
        if !self.end(cancel)? {
            return Ok(false);
        }
        let mut watch = Watch::new();
        while let Some(device) = &self.device {
            let left = device.queue.buffer().capacity() - device.queue.slots();
            if left == 0 || device.stream.is_lost() || watch.has_stalled(left) {
                break;
            }
            if cancel.load(Ordering::Relaxed) {
                return Ok(false);
            }
            thread::sleep(PAUSE);
        }
        Ok(true)
    }

    /// Moves what is converted into the queue.
    fn hand_over(&mut self, cancel: &AtomicBool) -> Result<bool> {
        let mut watch = Watch::new();
        loop {
            let Some(device) = &mut self.device else { return Ok(true) };
            let room = device.queue.slots().min(device.ready.len());
            for sample in device.ready.drain(..room) {
                // There is room: this thread alone fills the queue.
                let _ = device.queue.push(sample);
            }
            device.pushed += room as u64;
            let waiting = device.queue.buffer().capacity() - device.queue.slots();
            if device.ready.is_empty() {
                return Ok(true);
            }
            if cancel.load(Ordering::Relaxed) {
                device.ready.clear();
                return Ok(false);
            }
            if device.stream.is_lost() || watch.has_stalled(waiting) {
                self.lose();
                return Ok(true);
            }
            thread::sleep(PAUSE);
        }
    }

    /// Lets go of a lost device and looks for one from time to time.
    fn reconnect(&mut self) {
        if self.device.as_ref().is_some_and(|device| device.stream.is_lost()) {
            self.lose();
        }
        if self.device.is_none() && self.asked.elapsed() >= RETRY {
            // Still none: the next attempt comes soon, and the sound itself is kept by whoever makes it.
            let _ = self.connect();
        }
    }
}

/// Notices a device that takes nothing.
#[derive(Debug)]
struct Watch {
    since: Instant,
    last: usize,
}

impl Watch {
    fn new() -> Self {
        Self { since: Instant::now(), last: usize::MAX }
    }

    fn has_stalled(&mut self, waiting: usize) -> bool {
        if waiting != self.last {
            *self = Self { since: Instant::now(), last: waiting };
        }
        self.since.elapsed() > STALLED
    }
}

/// Sleeps, unless it is cancelled.
fn wait(mut left: Duration, cancel: &AtomicBool) -> bool {
    while !left.is_zero() {
        if cancel.load(Ordering::Relaxed) {
            return false;
        }
        let part = left.min(Duration::from_millis(20));
        thread::sleep(part);
        left -= part;
    }
    true
}
