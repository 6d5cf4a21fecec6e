//! What a step learns from.

use candle_core::{Device, Result, Tensor};

use super::{Crops, Note};
use crate::{
    kernels::elementwise::mixture::STEPS,
    nets::wavenet::{Condition, WaveNetConfig, fast_at, mu_law},
    random::Rng,
};

/// Share of the crops whose past is a little wrong, and by how many classes at most (standard deviation).
const BLURRED: f64 = 0.45;
const BLUR: f64 = 12.0;
/// Share of the crops whose past is another one altogether, in part or from end to end.
const LOST: f64 = 0.35;

/// A part of a note, which begins at a frame.
#[derive(Clone, Copy)]
pub(super) struct Crop<'a> {
    pub note: &'a Note,
    pub start: usize,
}

/// The tensors of some crops.
pub(super) struct Batch {
    /// Samples before each moment (N, T): classes as u32, values as f32.
    pub before: Tensor,
    /// Samples at each moment (N, T), likewise.
    pub now: Tensor,
    /// What the slow condition is made of (N · frames, features).
    pub features: Tensor,
    /// The fast condition (N, fast, T).
    pub fast: Tensor,
}

impl Batch {
    /// The crops, of `samples` samples each. With `noise` the past that the network sees is often not the true one, so
    /// that it learns to come back from its own mistakes when it generates (as LPCNet does: Valin and Skoglund 2019).
    pub fn new(
        crops: &[Crop<'_>],
        samples: usize,
        (config, condition): (&WaveNetConfig, &Condition),
        mut noise: Option<&mut Rng>,
    ) -> Result<Self> {
        let (n, fast, scale) = (crops.len(), config.fast(), Scale::of(config));
        let (mut before, mut now) = (Vec::with_capacity(n * samples), Vec::with_capacity(n * samples));
        let (mut features, mut phases, mut moment) = (Vec::new(), vec![0.0; n * fast * samples], Vec::new());
        for (crop, phases) in crops.iter().zip(phases.chunks_mut((fast * samples).max(1))) {
            let Crop { note, start } = *crop;
            let levels = &note.levels;
            let at = before.len();
            before.push(start.checked_sub(1).map_or(scale.silence(), |before| levels[before]));
            before.extend_from_slice(&levels[start..start + samples - 1]);
            now.extend_from_slice(&levels[start..start + samples]);
            if let Some(rng) = noise.as_deref_mut() {
                disturb(&mut before[at..], scale, rng);
            }
            let frame = start / config.frame_samples;
            for index in 0..samples.div_ceil(config.frame_samples) {
                let (strike, age) = note.at(frame + index);
                features.extend(condition.features(strike.tone, age, Some(strike.released)));
            }
            for t in 0..samples {
                moment.clear();
                let (at, within) = ((start + t) / config.frame_samples, (start + t) % config.frame_samples);
                match note.phases.get(at) {
                    Some(phase) => {
                        let turns = f64::from(phase.hz) * within as f64 / f64::from(config.sample_rate_hz);
                        fast_at(phase.turns + turns, config.harmonics, &mut moment);
                    }
                    None => {
                        let (strike, age) = note.at(at);
                        condition.fast(strike.tone, age * config.frame_samples + within, &mut moment);
                    }
                }
                for (row, value) in moment.iter().enumerate() {
                    phases[row * samples + t] = *value;
                }
            }
        }
        let device = &Device::Cpu;
        let rows = features.len() / config.features();
        Ok(Self {
            before: scale.tensor(&before, (n, samples))?,
            now: scale.tensor(&now, (n, samples))?,
            features: Tensor::from_vec(features, (rows, config.features()), device)?,
            fast: Tensor::from_vec(phases, (n, fast, samples), device)?,
        })
    }
}

/// What levels of samples mean.
#[derive(Clone, Copy)]
enum Scale {
    Classes,
    Values,
}

impl Scale {
    fn of(config: &WaveNetConfig) -> Self {
        if config.mixtures == 0 { Self::Classes } else { Self::Values }
    }

    fn silence(self) -> i16 {
        match self {
            Self::Classes => mu_law::SILENCE as i16,
            Self::Values => 0,
        }
    }

    /// Where a level lies among the µ-law classes.
    fn place(self, level: i16) -> f64 {
        match self {
            Self::Classes => f64::from(level),
            Self::Values => f64::from(mu_law::place(f32::from(level) / STEPS)),
        }
    }

    /// The level at a place among the classes.
    fn level(self, place: f64) -> i16 {
        match self {
            Self::Classes => place.round().clamp(0.0, mu_law::CLASSES as f64 - 1.0) as i16,
            Self::Values => (mu_law::sample_at(place as f32) * STEPS).round() as i16,
        }
    }

    fn tensor(self, levels: &[i16], shape: (usize, usize)) -> Result<Tensor> {
        match self {
            Self::Classes => {
                // Classes are not negative.
                let classes: Vec<u32> = levels.iter().map(|level| u32::from(level.unsigned_abs())).collect();
                Tensor::from_vec(classes, shape, &Device::Cpu)
            }
            Self::Values => {
                let values: Vec<f32> = levels.iter().map(|level| f32::from(*level) / STEPS).collect();
                Tensor::from_vec(values, shape, &Device::Cpu)
            }
        }
    }
}

/// Makes the past less certain, or another.
fn disturb(past: &mut [i16], scale: Scale, rng: &mut Rng) {
    let silence = scale.place(scale.silence());
    let kind = rng.uniform();
    if kind < BLURRED {
        let deviation = 0.3 + BLUR * rng.uniform() * rng.uniform();
        past.iter_mut().for_each(|past| *past = scale.level(scale.place(*past) + rng.normal() * deviation));
    } else if kind < BLURRED + LOST {
        let (a, b) = (rng.below(past.len()), rng.below(past.len()));
        let part = if rng.uniform() < 0.5 { 0..past.len() } else { a.min(b)..a.max(b) };
        let (gain, deviation) = (1.3 * rng.uniform(), 60.0 * rng.uniform());
        // Now and then far from silence, where a generator that has run away finds itself.
        let shift = if rng.uniform() < 0.3 { 200.0 * (rng.uniform() - 0.5) } else { 0.0 };
        for past in &mut past[part] {
            *past = scale.level(silence + shift + (scale.place(*past) - silence) * gain + rng.normal() * deviation);
        }
    }
}

/// Crops from anywhere in the notes, or from their onsets; every place, or every onset, is as likely as the others.
pub(super) fn draw<'a>(notes: &'a [Note], crops: Crops, onset: bool, frame: usize, rng: &mut Rng) -> Vec<Crop<'a>> {
    let places = |note: &Note| (note.levels.len() - crops.samples) / frame + 1;
    let count = |note: &Note| if onset { note.strikes.len() } else { places(note) };
    let all = notes.iter().map(count).sum::<usize>().max(1);
    let crop = |_| {
        let mut place = rng.below(all);
        for note in notes {
            let own = count(note);
            if place < own {
                // What begins too near to the end is heard from a little before.
                let begins = if onset { note.strikes[place].onset.min(places(note) - 1) } else { place };
                return Some(Crop { note, start: begins * frame });
            }
            place -= own;
        }
        None
    };
    (0..crops.count).filter_map(crop).collect()
}
