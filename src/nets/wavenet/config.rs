//! What a WaveNet was made for: everything about it that its weights do not show.

use serde::{Deserialize, Serialize};

use super::mu_law;
use crate::{Error, Result, kernels::elementwise::mixture::MOST_MIXTURES};

/// The name of an instrument in both languages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instrument {
    /// In English.
    pub en: String,
    /// In Chinese.
    pub zh: String,
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
    pub harmonics: usize,
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
        2 * self.harmonics
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
            && self.harmonics <= 32
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
