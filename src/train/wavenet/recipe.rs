//! What a WaveNet is trained on, how large it is, and for how long.

use serde::Deserialize;

use crate::{
    Error, Result,
    nets::wavenet::{Instrument, WaveNetConfig},
};

/// The recipe, as its TOML file has it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaveNetRecipe {
    /// The model's name: its file is `NAME.safetensors`.
    pub name: String,
    /// Of the first weights and of what is drawn at each step.
    pub seed: u64,
    /// The notes.
    pub notes: NotesRecipe,
    /// The network.
    pub network: NetworkRecipe,
    /// The steps.
    pub training: StepsRecipe,
}

/// Notes rendered from a soundfont: every instrument, key and velocity once.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotesRecipe {
    /// The instruments, in the order of the model's.
    pub instruments: Vec<Program>,
    /// The lowest key, as MIDI numbers them.
    pub lowest_key: u8,
    /// Keys from there up.
    pub keys: u8,
    /// How hard each key is struck.
    pub velocities: Vec<u8>,
    /// How long keys are held, in seconds; keys and velocities take turns.
    pub holds_s: Vec<f64>,
    /// How long each note is, its release included, in seconds.
    pub length_s: f64,
    /// One note in so many is kept aside to measure with.
    pub held_out: usize,
}

/// An instrument of a soundfont.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// Its number among General MIDI's, from 0.
    pub program: u8,
    /// Its name in English.
    pub en: String,
    /// Its name in Chinese.
    pub zh: String,
}

/// The network.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkRecipe {
    pub sample_rate_hz: u32,
    /// Layers; the dilation doubles from 1 in each, and starts again after `cycle`.
    pub layers: usize,
    pub cycle: usize,
    /// Residual channels.
    pub channels: usize,
    /// Skip channels.
    pub skip: usize,
    /// Between the features of a note and the slow condition.
    pub condition_hidden: usize,
    /// The slow condition.
    pub condition: usize,
    /// Harmonics in the fast condition.
    pub harmonics: usize,
    /// Samples that share a slow condition.
    pub frame_samples: usize,
    pub pre_emphasis: f32,
    pub onset_decays_s: Vec<f32>,
    pub release_decays_s: Vec<f32>,
}

/// The steps.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepsRecipe {
    pub steps: u64,
    /// Of Adam.
    pub learning_rate: f64,
    /// From this step on the learning rate falls, evenly, to a thirtieth at the end.
    pub fall_from: u64,
    /// Share of the averaged weights that stays at each step.
    pub average: f64,
    /// Crops from anywhere in a note: how many, of how many samples, and how many of these only warm the network up.
    pub crops: Crops,
    /// Crops from the onset of a note, taken at every `onset_every`-th step instead.
    pub onset_crops: Crops,
    pub onset_every: u64,
    /// Steps between checkpoints, each with a sample and a measurement on the notes kept aside.
    pub checkpoint_every: u64,
}

/// Parts of notes that a step learns from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crops {
    pub count: usize,
    pub samples: usize,
    pub warm_up: usize,
}

impl WaveNetRecipe {
    /// The configuration of the network.
    pub fn config(&self) -> WaveNetConfig {
        let (notes, network) = (&self.notes, &self.network);
        let name = |program: &Program| Instrument { en: program.en.clone(), zh: program.zh.clone() };
        WaveNetConfig {
            sample_rate_hz: network.sample_rate_hz,
            dilations: (0..network.layers).map(|layer| 1 << (layer % network.cycle.clamp(1, 16))).collect(),
            frame_samples: network.frame_samples,
            pre_emphasis: network.pre_emphasis,
            instruments: notes.instruments.iter().map(name).collect(),
            lowest_key: notes.lowest_key,
            keys: notes.keys,
            harmonics: network.harmonics,
            onset_decays_s: network.onset_decays_s.clone(),
            release_decays_s: network.release_decays_s.clone(),
        }
    }

    /// Samples of a note.
    pub(super) fn note_samples(&self) -> usize {
        (self.notes.length_s * f64::from(self.network.sample_rate_hz)) as usize
    }

    /// # Errors
    /// When it asks for something that makes no sense; the error says which part.
    pub(in crate::train) fn check(&self) -> Result<()> {
        let (notes, network, steps) = (&self.notes, &self.network, &self.training);
        let fits = |part: &str, is: bool| {
            if is {
                return Ok(());
            }
            Err(Error::new(
                format!("“{part}” in the recipe makes no sense; compare it with one beside a bundled model."),
                format!("训练配方中的“{part}”无效；请与内置模型旁的配方对照。"),
            ))
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        fits("name", !self.name.is_empty() && self.name.len() <= 64 && self.name.chars().all(plain))?;
        fits(
            "notes.velocities",
            !notes.velocities.is_empty() && notes.velocities.iter().all(|v| (1..=127).contains(v)),
        )?;
        fits("notes.length_s", (0.1..=60.0).contains(&notes.length_s))?;
        let held = |hold: &f64| *hold > 0.0 && *hold <= notes.length_s;
        fits("notes.holds_s", !notes.holds_s.is_empty() && notes.holds_s.iter().all(held))?;
        fits("notes.held_out", notes.held_out >= 2)?;
        fits("network.cycle", (1..=16).contains(&network.cycle))?;
        // Generation works on eight channels at a time.
        fits("network.channels", network.channels.is_multiple_of(8))?;
        fits("network.skip", network.skip.is_multiple_of(8))?;
        for (part, size) in [
            ("network.channels", network.channels),
            ("network.skip", network.skip),
            ("network.condition_hidden", network.condition_hidden),
            ("network.condition", network.condition),
        ] {
            fits(part, (1..=4_096).contains(&size))?;
        }
        fits("network.layers", (1..=256).contains(&network.layers))?;
        fits("network", self.config().is_sound() && network.sample_rate_hz <= 48_000)?;
        fits("training.steps", steps.steps > 0 && steps.checkpoint_every > 0 && steps.onset_every > 0)?;
        fits("training.learning_rate", steps.learning_rate > 0.0 && steps.learning_rate < 1.0)?;
        fits("training.average", (0.0..1.0).contains(&steps.average))?;
        for (part, crops) in [("training.crops", steps.crops), ("training.onset_crops", steps.onset_crops)] {
            let inside = crops.warm_up < crops.samples && crops.samples <= self.note_samples();
            fits(part, (1..=1_024).contains(&crops.count) && inside)?;
        }
        Ok(())
    }
}
