//! Notes to learn from.

use std::{f64::consts::PI, fs, path::Path, sync::Arc};

use rustysynth::{SoundFont, Synthesizer, SynthesizerSettings};

use super::{WaveNetRecipe, harmonic::harmonic};
use crate::{
    Error, Result,
    kernels::elementwise::mixture::STEPS,
    nets::wavenet::{Tone, WaveNetConfig, mu_law},
};

/// The rate that soundfonts are rendered at, in hertz.
const RENDER_HZ: i32 = 48_000;
/// The largest soundfont that is read.
const MOST_BYTES: u64 = 2 << 30;
/// The loudest hundredth of a second of an instrument's notes, on average over its keys.
const LOUDNESS: f32 = 0.2;
/// Taps of the filter before decimation, per sample left out.
const TAPS: usize = 100;

/// A note or a recording of several: its samples, and what the network is told of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// Of which file it is, or which note: what has the same number is learnt from or kept aside together.
    pub source: usize,
    /// The notes in it, in the order of their onsets; at least one.
    pub strikes: Vec<Strike>,
    /// The phase of every frame; empty when keys are in equal temperament, as generated ones are.
    pub phases: Vec<Phase>,
    /// µ-law classes, or whole numbers of sixteen bits when they are drawn from mixtures.
    pub levels: Vec<i16>,
}

/// Where a note begins and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strike {
    /// The first frame.
    pub onset: usize,
    /// The first frame after the key is released, from the onset.
    pub released: usize,
    pub tone: Tone,
}

/// Where the fundamental of a note stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Phase {
    /// Turns from the onset to the frame's start.
    pub turns: f64,
    /// Turns a second, in this frame.
    pub hz: f32,
}

impl Note {
    /// A note of these samples, struck at the first.
    pub fn new(source: usize, tone: Tone, released: usize, samples: &[f32], config: &WaveNetConfig) -> Self {
        Self::of_recording(source, vec![Strike { onset: 0, released, tone }], Vec::new(), samples, config)
    }

    /// A recording: pre-emphasised, as the network takes it.
    pub fn of_recording(
        source: usize,
        strikes: Vec<Strike>,
        phases: Vec<Phase>,
        samples: &[f32],
        config: &WaveNetConfig,
    ) -> Self {
        let mut before = 0.0;
        let level = |sample: &f32| {
            let emphasised = sample - config.pre_emphasis * before;
            before = *sample;
            if config.mixtures == 0 {
                // Classes are below 256.
                mu_law::encode(emphasised) as i16
            } else {
                (emphasised.clamp(-1.0, 1.0) * STEPS).round() as i16
            }
        };
        Self { source, strikes, phases, levels: samples.iter().map(level).collect() }
    }

    /// The note at a frame, and the frame's number from its onset; before the first it is long over.
    pub(super) fn at(&self, frame: usize) -> (Strike, usize) {
        let next = self.strikes.partition_point(|strike| strike.onset <= frame);
        match (self.strikes.get(next.wrapping_sub(1)), self.strikes.first()) {
            (Some(strike), _) => (*strike, frame - strike.onset),
            (None, Some(first)) => (Strike { released: 0, ..*first }, LONG_AGO),
            (None, None) => (SILENCE, LONG_AGO),
        }
    }

    /// Where the parts begin that it is measured by, of so many samples: of a recording several, all over it.
    pub(super) fn measured(&self, samples: usize, frame: usize) -> Vec<usize> {
        let last = self.levels.len().saturating_sub(samples) / frame;
        let parts = if self.phases.is_empty() { 1 } else { MEASURED_PARTS.min(last + 1) };
        (0..parts).map(|part| last * part / (parts - 1).max(1) * frame).collect()
    }
}

/// The number of a frame that lies long after an onset.
const LONG_AGO: usize = 1 << 20;
/// What a recording without notes is.
const SILENCE: Strike = Strike { onset: 0, released: 0, tone: Tone { instrument: 0, key: 0, velocity: 0 } };
/// Parts of a recording that are measured.
const MEASURED_PARTS: usize = 4;

/// Renders the notes of a recipe from the soundfont at `path`; `progress` is told the share that is done, and stops the
/// work by returning false.
///
/// The reverberation and chorus are off, both channels are mixed, every instrument is made equally loud, and of each note
/// only its harmonics are kept, in sine phase, and how it begins: what the network is told determines harmonics, while the
/// noise of bow and breath would have to be learned as noise.
///
/// # Errors
/// When the file is no soundfont. `Ok(None)` when it was stopped.
pub fn render(path: &Path, recipe: &WaveNetRecipe, progress: &mut dyn FnMut(f64) -> bool) -> Result<Option<Vec<Note>>> {
    let config = recipe.config();
    let plan = recipe.notes()?;
    let font = Arc::new(open(path)?);
    let reduce = RENDER_HZ as usize / config.sample_rate_hz as usize;
    if reduce == 0 || !(RENDER_HZ as u32).is_multiple_of(config.sample_rate_hz) {
        return Err(Error::new(
            "Notes are rendered at 48000 Hz, so “sample_rate_hz” must divide that: 16000, 24000 or 48000.",
            "音符以 48000 Hz 渲染，“sample_rate_hz”须能整除它：16000、24000 或 48000。",
        ));
    }
    let filter = low_pass(reduce);
    let count = plan.instruments.len() * usize::from(plan.keys) * plan.velocities.len();
    let mut notes = Vec::with_capacity(count);
    for (instrument, program) in plan.instruments.iter().enumerate() {
        let mut rendered = Vec::new();
        for key in plan.lowest_key..plan.lowest_key + plan.keys {
            for (index, &velocity) in plan.velocities.iter().enumerate() {
                let hold_s = plan.holds_s[(usize::from(key) + index) % plan.holds_s.len()];
                let released = (hold_s * f64::from(config.sample_rate_hz)) as usize / config.frame_samples;
                let held = released * config.frame_samples * reduce;
                let sound = play(&font, (program.program, key, velocity), held, recipe.note_samples() * reduce)?;
                let tone = Tone { instrument, key, velocity };
                rendered.push((tone, released, decimate(&sound, &filter, reduce)));
            }
        }
        let loudness = level(&rendered, config.sample_rate_hz);
        for (tone, released, mut samples) in rendered {
            samples.iter_mut().for_each(|sample| *sample *= LOUDNESS / loudness.max(1e-6));
            let lowest_hz = config.instruments[instrument].lowest_hz(tone.key);
            let samples = harmonic(&samples, lowest_hz, config.sample_rate_hz);
            notes.push(Note::new(notes.len(), tone, released, &samples, &config));
            if !progress(notes.len() as f64 / count as f64) {
                return Ok(None);
            }
        }
    }
    Ok(Some(notes))
}

fn open(path: &Path) -> Result<SoundFont> {
    let meta = fs::metadata(path).map_err(|why| Error::file(("open", "打开"), path, &why))?;
    let refused = |why: String| {
        let name = path.display();
        Error::new(
            format!("“{name}” is no soundfont that can be read ({why}); choose an .sf2 file."),
            format!("“{name}”不是可读取的音色库（{why}），请选择 .sf2 文件。"),
        )
    };
    if !meta.is_file() || meta.len() > MOST_BYTES {
        return Err(refused(format!("{} MB", meta.len() >> 20)));
    }
    let bytes = fs::read(path).map_err(|why| Error::file(("open", "打开"), path, &why))?;
    SoundFont::new(&mut bytes.as_slice()).map_err(|why| refused(why.to_string()))
}

/// A note at [`RENDER_HZ`].
fn play(font: &Arc<SoundFont>, (program, key, velocity): (u8, u8, u8), held: usize, len: usize) -> Result<Vec<f32>> {
    let mut settings = SynthesizerSettings::new(RENDER_HZ);
    settings.enable_reverb_and_chorus = false;
    let mut synthesizer = Synthesizer::new(font, &settings).map_err(|why| {
        Error::new(
            format!("The soundfont cannot be played: {why}; choose another."),
            format!("无法演奏该音色库：{why}；请另选一个。"),
        )
    })?;
    let (mut left, mut right) = (vec![0.0; len], vec![0.0; len]);
    let held = held.min(len);
    synthesizer.process_midi_message(0, 0xC0, program.into(), 0);
    synthesizer.note_on(0, key.into(), velocity.into());
    synthesizer.render(&mut left[..held], &mut right[..held]);
    synthesizer.note_off(0, key.into());
    synthesizer.render(&mut left[held..], &mut right[held..]);
    Ok(left.iter().zip(&right).map(|(left, right)| 0.5 * (left + right)).collect())
}

/// The mean over the notes of their loudest hundredth of a second, or thereabouts.
fn level(notes: &[(Tone, usize, Vec<f32>)], sample_rate_hz: u32) -> f32 {
    let window = (sample_rate_hz / 32).max(1) as usize;
    let loudest = |samples: &Vec<f32>| {
        let power = |part: &[f32]| part.iter().map(|sample| sample * sample).sum::<f32>() / part.len() as f32;
        samples.chunks(window).map(power).fold(0.0, f32::max).sqrt()
    };
    notes.iter().map(|(_, _, samples)| loudest(samples)).sum::<f32>() / notes.len().max(1) as f32
}

/// A windowed sinc that keeps 95 % of what remains below half the lower rate.
fn low_pass(reduce: usize) -> Vec<f32> {
    let half = (TAPS * reduce / 2) as isize;
    let cut = 0.475 / reduce as f64;
    let taps = (-half..=half).map(|n| {
        let x = 2.0 * cut * n as f64;
        let sinc = if n == 0 { 1.0 } else { (PI * x).sin() / (PI * x) };
        // Blackman and Harris's window of four terms.
        let turn = PI * (n + half) as f64 / half as f64;
        let window = 0.35875 - 0.48829 * turn.cos() + 0.14128 * (2.0 * turn).cos() - 0.01168 * (3.0 * turn).cos();
        sinc * window
    });
    let taps: Vec<f64> = taps.collect();
    let sum: f64 = taps.iter().sum();
    taps.iter().map(|tap| (tap / sum) as f32).collect()
}

/// Every `reduce`-th sample of the filtered sound.
fn decimate(sound: &[f32], filter: &[f32], reduce: usize) -> Vec<f32> {
    if reduce == 1 {
        return sound.to_vec();
    }
    let half = filter.len() / 2;
    let mut padded = vec![0.0; sound.len() + 2 * half];
    padded[half..half + sound.len()].copy_from_slice(sound);
    let at = |start: usize| padded[start..start + filter.len()].iter().zip(filter).map(|(x, tap)| x * tap).sum();
    (0..sound.len()).step_by(reduce).map(at).collect()
}
