//! What a step learns from.

use candle_core::{Device, Result, Tensor};

use super::{Crops, Note};
use crate::{
    kernels::elementwise::mixture::STEPS,
    nets::wavenet::{Condition, WaveNetConfig, mu_law},
    random::Rng,
};

/// Share of the crops whose past is a little wrong, and by how many classes at most (standard deviation).
const BLURRED: f64 = 0.25;
const BLUR: f64 = 12.0;
/// Share of the crops whose past is another one altogether, in part or from end to end.
const LOST: f64 = 0.2;
/// Share of the crops that something else sounds in the past of, as a generator's own mistakes do: a band of noise, narrow
/// or wide, at most as loud as the crop.
const STRAYED: f64 = 0.45;

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
                        condition.fast_at(phase.turns + turns, phase.hz, &mut moment);
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

    /// The value of a level, −1 to 1.
    fn value(self, level: i16) -> f64 {
        f64::from(mu_law::sample_at(self.place(level) as f32))
    }

    /// The level nearest to a value.
    fn nearest(self, value: f64) -> i16 {
        self.level(f64::from(mu_law::place(value as f32)))
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
    } else if kind < BLURRED + LOST + STRAYED {
        stray(past, scale, rng);
    }
}

/// Adds a band of noise, from a resonator of two poles at any frequency, and makes the past a little louder or softer.
fn stray(past: &mut [i16], scale: Scale, rng: &mut Rng) {
    let turn = std::f64::consts::TAU * 0.45 * 0.01_f64.powf(rng.uniform());
    let radius = 1.0 - 0.3 * 0.003_f64.powf(rng.uniform());
    let (a, b) = (2.0 * radius * turn.cos(), -radius * radius);
    let (mut last, mut before_last) = (0.0, 0.0);
    let noise: Vec<f64> = past
        .iter()
        .map(|_| {
            (last, before_last) = (a * last + b * before_last + rng.normal(), last);
            last
        })
        .collect();
    let power = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
    let loudness = power(&mut past.iter().map(|level| scale.value(*level)));
    let amount = (loudness / power(&mut noise.iter().copied()).max(1e-30)).sqrt() * rng.uniform() * rng.uniform();
    let gain = 0.8 + 0.4 * rng.uniform();
    for (past, noise) in past.iter_mut().zip(noise) {
        *past = scale.nearest(scale.value(*past) * gain + noise * amount);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strays_into_the_past_is_at_most_as_loud_as_it_and_leaves_silence_alone() {
        let mut rng = Rng::at(1, 0);
        for (scale, name) in [(Scale::Classes, "classes"), (Scale::Values, "values")] {
            let (mut loudest, mut softest) = (0.0_f64, f64::MAX);
            for _ in 0..50 {
                let silence = vec![scale.silence(); 400];
                let mut past = silence.clone();
                stray(&mut past, scale, &mut rng);
                let near = |level: &i16| (scale.place(*level) - scale.place(scale.silence())).abs() < 3.0;
                assert!(past.iter().all(near), "{name}");
                let tone: Vec<i16> = (0..400).map(|t| scale.nearest(0.3 * (f64::from(t) * 0.2).sin())).collect();
                let mut past = tone.clone();
                stray(&mut past, scale, &mut rng);
                let power = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>();
                let was = power(&mut tone.iter().map(|level| scale.value(*level)));
                let off = power(&mut tone.iter().zip(&past).map(|(a, b)| scale.value(*a) - scale.value(*b)));
                (loudest, softest) = (loudest.max(off / was), softest.min(off / was));
            }
            // The gain is another by a fifth at most.
            assert!(loudest < 1.5 && loudest > 0.1 && softest < 0.02, "{name}: {loudest} {softest}");
        }
    }
}
