//! What a WaveNet was made for: everything about it that its weights do not show.

use serde::{Deserialize, Serialize};

use super::mu_law;
use crate::{Error, Result, kernels::elementwise::mixture::MOST_MIXTURES};

/// What a network plays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instrument {
    /// Its name in English.
    pub en: String,
    /// Its name in Chinese.
    pub zh: String,
    /// Octaves from the key's frequency up to that of the lowest partial: −1 for an organ with a stop that sounds an octave
    /// below its keys.
    #[serde(default, skip_serializing_if = "is_nought")]
    pub octave: i8,
}

impl Instrument {
    /// An instrument whose lowest partial has the key's frequency.
    pub fn new(en: impl Into<String>, zh: impl Into<String>) -> Self {
        Self { en: en.into(), zh: zh.into(), octave: 0 }
    }

    /// The frequency of its lowest partial, in hertz, when a key is played, as MIDI numbers them, in equal temperament
    /// (A4 = 440 Hz).
    pub(crate) fn lowest_hz(&self, key: u8) -> f64 {
        440.0 * 2.0_f64.powf((f64::from(key) - 69.0) / 12.0 + f64::from(self.octave))
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_nought(octave: &i8) -> bool {
    *octave == 0
}

/// The harmonics of the lowest partial whose phases the network is told at every sample.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a number of harmonics, or a list of their numbers")]
pub enum Harmonics {
    /// The first so many, whatever their frequency.
    First(u16),
    /// These; those that are not below half the sample rate are zero.
    Of(Vec<u16>),
}

/// Harmonics in a fast condition at most, and the highest.
const MOST_HARMONICS: usize = 32;
const HIGHEST_HARMONIC: u16 = 512;

impl Harmonics {
    /// How many.
    pub fn count(&self) -> usize {
        match self {
            Self::First(count) => usize::from(*count),
            Self::Of(numbers) => numbers.len(),
        }
    }

    /// The number of each.
    pub fn numbers(&self) -> impl Iterator<Item = u16> + '_ {
        let (first, listed) = match self {
            Self::First(count) => (*count, &[][..]),
            Self::Of(numbers) => (0, &numbers[..]),
        };
        (1..=first).chain(listed.iter().copied())
    }

    /// Whether a network could have them: in rising order.
    fn is_sound(&self) -> bool {
        let rising = |numbers: &[u16]| numbers.first() != Some(&0) && numbers.is_sorted_by(|a, b| a < b);
        let listed = match self {
            Self::First(_) => true,
            Self::Of(numbers) => rising(numbers) && numbers.last().is_none_or(|last| *last <= HIGHEST_HARMONIC),
        };
        self.count() <= MOST_HARMONICS && listed
    }
}

/// The configuration, as it is kept in the metadata of the weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WaveNetConfig {
    /// Samples a second.
    pub sample_rate_hz: u32,
    /// Samples between the two taps of each layer.
    pub dilations: Vec<usize>,
    /// Samples that share a slow condition.
    pub frame_samples: usize,
    /// Of `x[t] − a · x[t − 1]`, the signal whose samples are classes: a, 0 for none.
    pub pre_emphasis: f32,
    /// What it plays.
    pub instruments: Vec<Instrument>,
    /// The lowest key, as MIDI numbers them (60 is C4).
    pub lowest_key: u8,
    /// Keys from there up.
    pub keys: u8,
    /// Harmonics in the fast condition.
    pub harmonics: Harmonics,
    /// The condition falls as `exp(−age / τ)` after the onset, for each of these τ, in seconds.
    pub onset_decays_s: Vec<f32>,
    /// The same after the release.
    pub release_decays_s: Vec<f32>,
    /// Logistic distributions that samples of sixteen bits are drawn from; 0 when they are drawn from µ-law classes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub mixtures: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl WaveNetConfig {
    /// Numbers that go into the slow condition: instrument and key one-hot, velocity, height, onset, gate, release.
    pub fn features(&self) -> usize {
        self.instruments.len() + usize::from(self.keys) + 3 + self.onset_decays_s.len() + self.release_decays_s.len()
    }

    /// Numbers of the fast condition: sine and cosine of every harmonic.
    pub fn fast(&self) -> usize {
        2 * self.harmonics.count()
    }

    /// Numbers that the network gives for each sample: logits of the classes, or logits of the weights, means and log
    /// scales of a mixture.
    pub fn outputs(&self) -> usize {
        if self.mixtures == 0 { mu_law::CLASSES } else { 3 * self.mixtures }
    }

    /// Samples that the network looks back.
    pub fn receptive_field(&self) -> usize {
        self.dilations.iter().sum::<usize>() + 1
    }

    /// # Errors
    /// When a number is none that a network could have.
    pub(super) fn check(&self) -> Result<()> {
        if self.is_sound() { Ok(()) } else { Err(senseless()) }
    }

    /// Whether every number is one that a network could have.
    pub(crate) fn is_sound(&self) -> bool {
        let decays = self.onset_decays_s.iter().chain(&self.release_decays_s);
        (8_000..=96_000).contains(&self.sample_rate_hz)
            && (1..=256).contains(&self.dilations.len())
            && self.dilations.iter().all(|dilation| (1..=1 << 16).contains(dilation))
            // Blocks of generation lie whole inside a frame.
            && (8..=4_096).contains(&self.frame_samples)
            && self.frame_samples.is_multiple_of(8)
            && (0.0..1.0).contains(&self.pre_emphasis)
            && (1..=256).contains(&self.instruments.len())
            && self.keys > 0
            && u16::from(self.lowest_key) + u16::from(self.keys) <= 128
            && self.harmonics.is_sound()
            && self.instruments.iter().all(|instrument| (-4..=4).contains(&instrument.octave))
            && self.mixtures <= MOST_MIXTURES
            && self.onset_decays_s.len() + self.release_decays_s.len() <= 64
            && decays.into_iter().all(|decay| (1e-4..=100.0).contains(decay))
    }
}

fn senseless() -> Error {
    Error::new(
        "The configuration in this model makes no sense; download or train it again.",
        "该模型中的配置无效，请重新下载或训练。",
    )
}
