//! An input being recorded, or played through the capture of an amplifier.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use super::{FRAME, Mode, Result, Worker};
use crate::{
    Error,
    audio::{Converter, Player, Recorder, USUAL_FRAMES},
    engine::sound::SoundActivity,
    formats::wav_stream::Growing,
    generate::amp::{Amp, AmpSettings, LiveAmp},
};

/// What may wait to be recorded, in seconds: disks may pause.
const RECORD_QUEUE_S: f32 = 10.0;
/// Samples read at a time.
const RECORD_PIECE: usize = 4_096;
/// Between two looks at an input that is recorded.
const RECORD_PAUSE: Duration = Duration::from_millis(10);
/// Frames that devices give and take at a time while somebody plays through a capture.
const AMP_FRAMES: u32 = 128;
/// What may wait to be played through the capture, in seconds.
const AMP_QUEUE_S: f32 = 0.2;
/// What waits for the output before it begins to play and after a gap, in seconds, and the most: what would wait longer is
/// let go, so that the delay does not grow.
const AMP_WAITS_S: f32 = 0.012;
const AMP_MOST_S: f32 = 0.05;
/// Nothing must wait before it is heard: what is played is answered at once, gap or not.
pub(super) const CUSHION_S: (f32, f32) = (0.0, 0.0);
/// Between two looks at an input that is played.
const AMP_PAUSE: Duration = Duration::from_micros(500);

/// An input that is recorded.
pub(super) struct Recording {
    recorder: Recorder,
    file: Option<Growing>,
    path: Option<PathBuf>,
}

/// An input that is played through a capture.
pub(super) struct Through {
    recorder: Recorder,
    amp: LiveAmp,
    there: Converter,
    back: Converter,
    /// Samples on their way, kept so that none are allocated anew.
    input: Vec<f32>,
    captured: Vec<f32>,
    output: Vec<f32>,
    /// What the output had played before.
    before: u64,
    shown: Instant,
}

impl Through {
    pub fn overruns(&self) -> u64 {
        self.recorder.meter().overruns()
    }

    pub fn set(&mut self, settings: &AmpSettings) -> Result<()> {
        self.amp.set(settings)
    }
}

impl Worker {
    pub(super) fn record(&mut self, to: Option<PathBuf>) -> Result<()> {
        self.stop();
        let recorder = Recorder::open(&*self.parts.sound, self.input.as_deref(), USUAL_FRAMES, RECORD_QUEUE_S)?;
        let rate = recorder.format().sample_rate_hz;
        let file = match &to {
            Some(path) => {
                if let Some(folder) = path.parent() {
                    fs::create_dir_all(folder).map_err(|why| Error::file(("make", "创建"), folder, &why))?;
                }
                Some(Growing::create(path, rate)?)
            }
            None => None,
        };
        self.begin(SoundActivity::Recording, None, rate);
        self.mode = Mode::Recording(Recording { recorder, file, path: to });
        Ok(())
    }

    pub(super) fn record_on(&mut self) -> Result<()> {
        let Mode::Recording(recording) = &mut self.mode else { return Ok(()) };
        let mut piece = Vec::with_capacity(RECORD_PIECE);
        recording.recorder.read(RECORD_PIECE, &mut piece);
        let (peak, overruns) = (recording.recorder.meter().take_peak(), recording.recorder.meter().overruns());
        let overruns = self.overruns + overruns;
        let kept = match &mut recording.file {
            Some(file) => file.push(&piece),
            None => Ok(()),
        };
        let lost = recording.recorder.is_lost();
        self.tape.extend_from_slice(&piece);
        let len = self.show(|state| {
            state.samples.follow(&self.tape);
            // Falls slowly, so that it can be read.
            state.input_peak = peak.max(state.input_peak * 0.9);
            state.overruns = overruns;
            state.samples.len()
        });
        self.heard(len);
        if let Err(why) = kept {
            self.stop();
            return Err(why);
        }
        if lost {
            self.stop();
            return Err(Error::new(
                "The input has gone; what was recorded until then was kept. Plug it in again, or choose another one.",
                "输入设备已断开，此前的录音已保存；请重新接入或另选设备。",
            ));
        }
        if piece.len() < RECORD_PIECE {
            thread::sleep(RECORD_PAUSE);
        }
        Ok(())
    }

    /// Ends the file; the window puts the recipe into it.
    pub(super) fn end_recording(&mut self, mut recording: Recording) {
        let mut rest = Vec::new();
        recording.recorder.read(usize::MAX, &mut rest);
        self.overruns += recording.recorder.meter().overruns();
        let ended = match recording.file {
            Some(mut file) => file.push(&rest).and_then(|()| file.end()),
            None => Ok(()),
        };
        self.tape.extend_from_slice(&rest);
        self.show(|state| {
            state.samples.follow(&self.tape);
            state.recorded = recording.path.filter(|_| ended.is_ok());
            if let Err(why) = ended {
                state.error = Some(why);
            }
        });
    }

    pub(super) fn amp(&mut self, capture: &Path, settings: &AmpSettings) -> Result<()> {
        self.stop();
        let amp = LiveAmp::new(Amp::open(capture, 1.0)?, settings)?;
        let recorder = Recorder::open(&*self.parts.sound, self.input.as_deref(), AMP_FRAMES, AMP_QUEUE_S)?;
        let rate = recorder.format().sample_rate_hz;
        let there = Converter::new(rate, amp.sample_rate_hz())?;
        let back = Converter::new(amp.sample_rate_hz(), rate)?;
        self.ready_player(rate, AMP_FRAMES, CUSHION_S);
        let Some(player) = &self.player else { return Ok(()) };
        let before = player.controls().played_frames();
        self.show(|state| (state.activity, state.input_peak) = (SoundActivity::Amp, 0.0));
        let (input, captured, output) = (Vec::new(), Vec::new(), Vec::new());
        let shown = Instant::now();
        let through = Through { recorder, amp, there, back, input, captured, output, before, shown };
        self.mode = Mode::Amp(Box::new(through));
        self.wake();
        Ok(())
    }

    pub(super) fn amp_on(&mut self) -> Result<()> {
        let waiting_s = self.player.as_ref().map_or(0.0, Player::waiting_s);
        let Mode::Amp(through) = &mut self.mode else { return Ok(()) };
        let rate = through.recorder.format().sample_rate_hz as f32;
        if through.recorder.is_lost() {
            self.stop();
            return Err(Error::new(
                "The input has gone; plug it in again, or choose another one.",
                "输入设备已断开；请重新接入或另选设备。",
            ));
        }
        let Through { recorder, amp, there, back, input, captured, output, before, .. } = &mut **through;
        input.clear();
        recorder.read(AMP_FRAMES as usize, input);
        if input.is_empty() {
            thread::sleep(AMP_PAUSE);
        } else {
            captured.clear();
            output.clear();
            amp.prepare(input);
            there.push(input, captured)?;
            amp.process(captured);
            back.push(captured, output)?;
            amp.finish(output);
            if waiting_s <= 0.0 {
                // A little silence ahead, so that the next block need not come to the moment.
                output.splice(0..0, std::iter::repeat_n(0.0, (AMP_WAITS_S * rate) as usize));
            }
            if let Some(player) = &mut self.player {
                // Until it begins, nobody hears what comes in.
                let begun = player.controls().played_frames() > *before;
                if waiting_s < if begun { AMP_MOST_S } else { AMP_WAITS_S } {
                    player.write(output, &self.never)?;
                } else {
                    self.overruns += u64::from(begun);
                }
            }
        }
        self.show_amp(waiting_s);
        Ok(())
    }

    fn show_amp(&mut self, waiting_s: f32) {
        let Mode::Amp(through) = &mut self.mode else { return };
        if through.shown.elapsed() < FRAME {
            return;
        }
        through.shown = Instant::now();
        let rate = through.recorder.format().sample_rate_hz as f32;
        // Two devices' blocks, and what waits between them.
        let waits_s = through.recorder.waiting() as f32 / rate + waiting_s + 2.0 * AMP_FRAMES as f32 / rate;
        let peak = through.recorder.meter().take_peak();
        let overruns = self.overruns + through.overruns();
        self.show(|state| {
            state.input_peak = peak.max(state.input_peak * 0.7);
            state.latency_ms = Some(waits_s * 1e3);
            state.overruns = overruns;
        });
        self.heard(0);
    }
}
