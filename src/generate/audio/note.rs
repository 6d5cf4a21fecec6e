//! What is asked of a model that makes sound.

use serde::{Deserialize, Serialize};

use super::Prime;
use crate::{
    Error, Result,
    kernels::{Level, wavenet::Choice},
};

/// A note. Times count samples from the beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// When it is struck.
    pub start: u64,
    /// How long it is held.
    pub length: u64,
    /// The key as MIDI numbers it; 60 is C4.
    pub key: u8,
    /// How hard it is struck, 1..=127.
    pub velocity: u8,
    /// Index into the model's instruments.
    pub instrument: u16,
}

/// Another way to draw samples, from a time on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// The sample from which it holds.
    pub start: u64,
    /// As [`AudioRequest::temperature`].
    pub temperature: f32,
    /// As [`AudioRequest::noise`].
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub noise: f32,
}

/// What a network's weights are while it plays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantisation {
    /// As the file stores them; what was played before there was a choice.
    #[default]
    Stored,
    /// Eight bits each, with a scale for every output: half as fast again with AVX2, and hardly another sound. A network
    /// with mixtures plays as it is stored all the same, as its outputs are values and not scores.
    Int8,
}

impl Quantisation {
    /// What is faster on this processor: without AVX2 eight bits are not.
    pub fn faster() -> Self {
        if Level::current() >= Level::Avx2 { Self::Int8 } else { Self::Stored }
    }

    fn is_stored(&self) -> bool {
        *self == Self::Stored
    }
}

/// A piece of sound: notes, and how their samples are drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AudioRequest {
    /// The notes in the order in which they are struck.
    pub notes: Vec<Note>,
    /// Samples to make; `None` goes on until the last note has died away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<u64>,
    /// Randomness: what logits are divided by; 0 always takes the likeliest class.
    pub temperature: f32,
    /// Only so many of the likeliest classes; 0 takes all.
    #[serde(default)]
    pub top_k: u32,
    /// Only the likeliest classes that together reach this probability; 1 takes all.
    #[serde(default = "one")]
    pub top_p: f32,
    /// How far samples stray from the mean of what the network expects: 1 as they are drawn, 0 not at all. Where a note
    /// begins they stray as they are drawn, and come nearer within 0.1 s. At temperature 0 it does nothing.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub noise: f32,
    /// What the random numbers come from.
    pub seed: u64,
    /// What the network's weights are.
    #[serde(default, skip_serializing_if = "Quantisation::is_stored")]
    pub weights: Quantisation,
    /// Where temperature and noise became others while it was played, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub turns: Vec<Turn>,
    /// The recording that the first note goes on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prime: Option<Box<Prime>>,
}

fn one() -> f32 {
    1.0
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_one(number: &f32) -> bool {
    *number == 1.0
}

/// How samples are drawn, from all classes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drawing {
    /// Randomness: what logits are divided by; 0 always takes the likeliest class.
    pub temperature: f32,
    /// As [`AudioRequest::noise`].
    pub noise: f32,
    /// What the random numbers come from.
    pub seed: u64,
}

impl Default for Drawing {
    fn default() -> Self {
        Self { temperature: USUAL_TEMPERATURE, noise: USUAL_NOISE, seed: 1 }
    }
}

/// What is usual for sound.
pub const USUAL_TEMPERATURE: f32 = 1.0;
/// What is usual for sound: enough that seeds differ.
pub const USUAL_NOISE: f32 = 0.1;

/// The longest piece: two hours at 48 kHz.
pub const MOST_SAMPLES: u64 = 2 * 3_600 * 48_000;
/// The most notes in a piece, and the most turns.
const MOST_NOTES: usize = 100_000;

impl AudioRequest {
    /// These notes until they have died away, drawn from all classes, with the weights that are faster here.
    pub fn new(notes: Vec<Note>, drawing: Drawing) -> Self {
        let (Drawing { temperature, noise, seed }, weights) = (drawing, Quantisation::faster());
        let (turns, samples, prime) = (Vec::new(), None, None);
        Self { notes, samples, temperature, top_k: 0, top_p: 1.0, noise, seed, weights, turns, prime }
    }

    /// How classes are drawn at first.
    pub fn choice(&self) -> Choice {
        let Self { temperature, top_p, noise, .. } = *self;
        Choice { temperature, top_k: self.top_k as usize, top_p, noise }
    }

    /// How they are drawn from a turn on.
    pub fn choice_from(&self, turn: &Turn) -> Choice {
        Choice { temperature: turn.temperature, noise: turn.noise, ..self.choice() }
    }

    /// When the last note is released.
    pub fn notes_end(&self) -> u64 {
        self.notes.iter().map(|note| note.start.saturating_add(note.length)).max().unwrap_or(0)
    }

    /// # Errors
    /// When it makes no sense for any model.
    pub fn check(&self) -> Result<()> {
        let turns = || self.turns.iter();
        let mut temperatures = turns().map(|turn| turn.temperature).chain([self.temperature]);
        let mut shares = turns().map(|turn| turn.noise).chain([self.top_p, self.noise]);
        if !temperatures.all(|number| (0.0..=10.0).contains(&number))
            || !shares.all(|share| (0.0..=1.0).contains(&share))
        {
            return Err(Error::new(
                "The temperature must be between 0 and 10, top-p and noise between 0 and 1; choose others.",
                "温度应在 0 到 10 之间，top-p 和噪声应在 0 到 1 之间，请重新选择。",
            ));
        }
        if self.notes.len().max(self.turns.len()) > MOST_NOTES
            || self.notes_end() > MOST_SAMPLES
            || self.samples.is_some_and(|samples| samples > MOST_SAMPLES)
        {
            return Err(Error::new(
                "The piece is longer than two hours or has more than 100,000 notes; split it.",
                "乐曲超过两小时或音符超过 100,000 个，请拆分。",
            ));
        }
        if !self.notes.is_sorted_by_key(|note| note.start) || !self.turns.is_sorted_by_key(|turn| turn.start) {
            return Err(Error::new(
                "The notes or turns are not in the order of time; sort them by their start.",
                "音符或变化没有按起始时间排列，请排序。",
            ));
        }
        Ok(())
    }
}
