//! What the network is told about the note it plays.

use std::f64::consts::TAU;

use super::{Harmonics, WaveNetConfig};

/// A note as the network is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tone {
    /// Index into the instruments.
    pub instrument: usize,
    /// The key as MIDI numbers it.
    pub key: u8,
    /// How hard it is struck, 0..=127.
    pub velocity: u8,
}

/// Computes conditions.
#[derive(Debug)]
pub struct Condition {
    config: WaveNetConfig,
    /// From features to hidden numbers, and from those to the slow condition.
    layers: [Dense; 2],
}

impl Condition {
    /// Weights (hidden, features), (hidden), (slow, hidden) and (slow); their lengths are checked by whoever reads them.
    pub(super) fn new(config: WaveNetConfig, weights: [Vec<f32>; 4]) -> Self {
        let [weight0, bias0, weight1, bias1] = weights;
        Self { config, layers: [Dense::new(&weight0, bias0), Dense::new(&weight1, bias1)] }
    }

    /// The slow condition of frame number `frame` after the onset; `released` is the number of the first frame after the
    /// release, when it is over.
    pub fn slow(&self, tone: Tone, frame: usize, released: Option<usize>) -> Vec<f32> {
        let features = self.features(tone, frame, released);
        let [first, second] = &self.layers;
        second.apply(&first.apply(&features))
    }

    /// What the network is told of frame number `frame`, before its layers make the slow condition of it:
    /// [`WaveNetConfig::features`] numbers.
    pub(crate) fn features(&self, tone: Tone, frame: usize, released: Option<usize>) -> Vec<f32> {
        let config = &self.config;
        let one_hot = |index: usize, len: usize| (0..len).map(move |i| f32::from(u8::from(i == index)));
        let key = usize::from(tone.key.saturating_sub(config.lowest_key).min(config.keys - 1));
        let mut features = Vec::with_capacity(config.features());
        features.extend(one_hot(tone.instrument, config.instruments.len()));
        features.extend(one_hot(key, config.keys.into()));
        features.push(f32::from(tone.velocity.min(127)) / 127.0);
        let middle = f32::from(config.keys - 1) / 2.0;
        features.push((key as f32 - middle) / middle.max(1.0));
        let seconds = |frames: usize| (frames * config.frame_samples) as f64 / f64::from(config.sample_rate_hz);
        let fallen = |age_s: f64, decays: &[f32]| -> Vec<f32> {
            decays.iter().map(|decay| (-age_s / f64::from(*decay)).exp() as f32).collect()
        };
        features.extend(fallen(seconds(frame), &config.onset_decays_s));
        match released.and_then(|released| frame.checked_sub(released)) {
            None => {
                features.push(1.0);
                features.extend(config.release_decays_s.iter().map(|_| 0.0));
            }
            Some(age) => {
                features.push(0.0);
                features.extend(fallen(seconds(age), &config.release_decays_s));
            }
        }
        features
    }

    /// Appends the fast condition of sample number `time` after the onset: sine and cosine of each harmonic's phase, of
    /// the lowest partial's frequency in equal temperament (A4 = 440 Hz).
    pub fn fast(&self, tone: Tone, time: usize, to: &mut Vec<f32>) {
        let config = &self.config;
        let rate = f64::from(config.sample_rate_hz);
        let lowest_hz = match config.instruments.get(tone.instrument) {
            Some(instrument) => instrument.lowest_hz(tone.key),
            None => return to.resize(to.len() + config.fast(), 0.0),
        };
        let turns = |harmonic: u16| lowest_hz * f64::from(harmonic) * time as f64 / rate;
        append(&config.harmonics, lowest_hz / rate, turns, to);
    }

    /// Appends the fast condition where the lowest partial has turned so often since the onset, at so many hertz.
    pub(crate) fn fast_at(&self, turns: f64, hz: f32, to: &mut Vec<f32>) {
        let per_sample = f64::from(hz) / f64::from(self.config.sample_rate_hz);
        append(&self.config.harmonics, per_sample, |harmonic| turns * f64::from(harmonic), to);
    }
}

/// Sine and cosine of each harmonic, which has turned as `turns` has it; the lowest turns `per_sample` times a sample.
fn append(harmonics: &Harmonics, per_sample: f64, turns: impl Fn(u16) -> f64, to: &mut Vec<f32>) {
    for harmonic in harmonics.numbers() {
        if matches!(harmonics, Harmonics::Of(_)) && f64::from(harmonic) * per_sample >= 0.5 {
            to.extend([0.0; 2]);
            continue;
        }
        let (sin, cos) = (TAU * turns(harmonic).fract()).sin_cos();
        to.extend([sin as f32, cos as f32]);
    }
}

/// `tanh(weight · x + bias)`
#[derive(Debug)]
struct Dense {
    /// (inputs, outputs): the outputs of a column are summed side by side, each in the order of its inputs.
    columns: Vec<f32>,
    bias: Vec<f32>,
}

impl Dense {
    /// Of a weight (outputs, inputs).
    fn new(weight: &[f32], bias: Vec<f32>) -> Self {
        let inputs = weight.len() / bias.len().max(1);
        let columns = (0..inputs).flat_map(|input| weight.iter().skip(input).step_by(inputs).copied()).collect();
        Self { columns, bias }
    }

    fn apply(&self, x: &[f32]) -> Vec<f32> {
        let mut sums = vec![0.0; self.bias.len()];
        // Of instruments and keys all but one are zero.
        for (column, x) in self.columns.chunks_exact(self.bias.len().max(1)).zip(x).filter(|(_, x)| **x != 0.0) {
            sums.iter_mut().zip(column).for_each(|(sum, weight)| *sum += weight * x);
        }
        sums.iter_mut().zip(&self.bias).for_each(|(sum, bias)| *sum = (*sum + bias).tanh());
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Rng;

    #[test]
    fn a_layer_gives_the_very_numbers_of_plain_rows() {
        let mut rng = Rng::at(3, 0);
        for (outputs, inputs) in [(1, 1), (5, 3), (96, 67), (33, 128)] {
            let mut numbers = |count: usize| (0..count).map(|_| rng.normal() as f32).collect::<Vec<_>>();
            let (weight, bias) = (numbers(outputs * inputs), numbers(outputs));
            let mut x = numbers(inputs);
            x.iter_mut().step_by(3).for_each(|x| *x = 0.0);
            let plain = |(row, bias): (&[f32], &f32)| {
                let sum: f32 = row.iter().zip(&x).map(|(weight, x)| weight * x).sum();
                (sum + bias).tanh()
            };
            let want: Vec<f32> = weight.chunks_exact(inputs).zip(&bias).map(plain).collect();
            assert_eq!(Dense::new(&weight, bias).apply(&x), want, "{outputs} of {inputs}");
        }
    }
}
