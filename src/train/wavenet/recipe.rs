//! What a WaveNet is trained on, how large it is, and for how long.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::{
    Error, Result,
    nets::wavenet::{Harmonics, Instrument, WaveNetConfig},
};

/// The longest part of a recording that a step learns from, in seconds.
const LONGEST_CROP_S: f64 = 60.0;

/// The recipe, as its TOML file has it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "AsWritten")]
pub struct WaveNetRecipe {
    /// The model's name: its file is `NAME.safetensors`.
    pub name: String,
    /// Of the first weights and of what is drawn at each step.
    pub seed: u64,
    /// What it learns from.
    pub data: DataRecipe,
    /// The network.
    pub network: NetworkRecipe,
    /// The steps.
    pub training: StepsRecipe,
}

/// The recipe with the two forms in which data are asked for: `[notes]`, or `[data]` with a kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AsWritten {
    name: String,
    seed: u64,
    notes: Option<NotesRecipe>,
    data: Option<DataRecipe>,
    network: NetworkRecipe,
    training: StepsRecipe,
}

impl TryFrom<AsWritten> for WaveNetRecipe {
    type Error = &'static str;

    fn try_from(written: AsWritten) -> std::result::Result<Self, Self::Error> {
        let AsWritten { name, seed, notes, data, network, training } = written;
        let data = match (notes, data) {
            (Some(notes), None) => DataRecipe::Notes(notes),
            (None, Some(data)) => data,
            _ => return Err("it wants either [notes] or [data]"),
        };
        Ok(Self { name, seed, data, network, training })
    }
}

/// What a WaveNet learns from.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum DataRecipe {
    /// Notes of a soundfont.
    Notes(NotesRecipe),
    /// A folder of recordings.
    Recordings(RecordingsRecipe),
}

/// Recordings in a folder; the folders in it are the classes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordingsRecipe {
    /// The lowest key, as MIDI numbers them.
    pub lowest_key: u8,
    /// Keys from there up: the range in which pitches are looked for.
    pub keys: u8,
    /// One file in so many is kept aside to measure with.
    pub held_out: usize,
    /// The classes in the order of the model's instruments, and what they are called. None: all folders, by their names.
    #[serde(default)]
    pub classes: Vec<ClassRecipe>,
    /// What the model's instruments are called, once the folder was read.
    #[serde(skip)]
    instruments: Vec<Instrument>,
}

/// A folder of recordings.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassRecipe {
    /// The name of the folder, or the class in a manifest.
    pub folder: String,
    /// Its name in English.
    pub en: String,
    /// Its name in Chinese.
    pub zh: String,
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
    /// Octaves from the key's frequency up to that of the lowest partial; 0 when left out.
    #[serde(default)]
    pub octave: i8,
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
    /// Harmonics in the fast condition: so many, or a list of their numbers.
    pub harmonics: Harmonics,
    /// Samples that share a slow condition.
    pub frame_samples: usize,
    pub pre_emphasis: f32,
    pub onset_decays_s: Vec<f32>,
    pub release_decays_s: Vec<f32>,
    /// Logistic distributions that samples of sixteen bits are drawn from; 0, or left out, for µ-law classes.
    #[serde(default)]
    pub mixtures: usize,
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
        let network = &self.network;
        let (instruments, lowest_key, keys) = match &self.data {
            DataRecipe::Notes(notes) => {
                let name = |program: &Program| Instrument {
                    octave: program.octave,
                    ..Instrument::new(&program.en, &program.zh)
                };
                (notes.instruments.iter().map(name).collect(), notes.lowest_key, notes.keys)
            }
            DataRecipe::Recordings(plan) => (plan.instruments.clone(), plan.lowest_key, plan.keys),
        };
        WaveNetConfig {
            sample_rate_hz: network.sample_rate_hz,
            dilations: (0..network.layers).map(|layer| 1 << (layer % network.cycle.clamp(1, 16))).collect(),
            frame_samples: network.frame_samples,
            pre_emphasis: network.pre_emphasis,
            instruments,
            lowest_key,
            keys,
            harmonics: network.harmonics.clone(),
            onset_decays_s: network.onset_decays_s.clone(),
            release_decays_s: network.release_decays_s.clone(),
            mixtures: network.mixtures,
        }
    }

    /// The plan for notes of a soundfont.
    pub(super) fn notes(&self) -> Result<&NotesRecipe> {
        match &self.data {
            DataRecipe::Notes(notes) => Ok(notes),
            DataRecipe::Recordings(_) => Err(Error::new(
                "The recipe is for a folder of recordings, not for a soundfont; give it one with --data.",
                "该训练配方用于录音文件夹而不是音色库；请用 --data 指定文件夹。",
            )),
        }
    }

    /// The plan for recordings.
    pub(super) fn recordings(&self) -> Result<&RecordingsRecipe> {
        match &self.data {
            DataRecipe::Recordings(plan) => Ok(plan),
            DataRecipe::Notes(_) => Err(Error::new(
                "The recipe is for a soundfont, not for recordings; give it an .sf2 file with --data.",
                "该训练配方用于音色库而不是录音；请用 --data 指定 .sf2 文件。",
            )),
        }
    }

    /// Calls the model's instruments by the classes that were found.
    pub(super) fn name_instruments(&mut self, names: Vec<Instrument>) {
        if let DataRecipe::Recordings(plan) = &mut self.data {
            plan.instruments = names;
        }
    }

    /// One recording or note in so many is kept aside.
    pub(super) fn held_out(&self) -> usize {
        match &self.data {
            DataRecipe::Notes(notes) => notes.held_out,
            DataRecipe::Recordings(plan) => plan.held_out,
        }
    }

    /// Samples of a note.
    pub(super) fn note_samples(&self) -> usize {
        let length_s = match &self.data {
            DataRecipe::Notes(notes) => notes.length_s,
            DataRecipe::Recordings(_) => LONGEST_CROP_S,
        };
        (length_s * f64::from(self.network.sample_rate_hz)) as usize
    }

    /// # Errors
    /// When it asks for something that makes no sense; the error says which part.
    pub(in crate::train) fn check(&self) -> Result<()> {
        let (network, steps) = (&self.network, &self.training);
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
        match &self.data {
            DataRecipe::Notes(notes) => {
                let struck = notes.velocities.iter().all(|v| (1..=127).contains(v));
                fits("notes.velocities", !notes.velocities.is_empty() && struck)?;
                fits("notes.length_s", (0.1..=60.0).contains(&notes.length_s))?;
                let held = |hold: &f64| *hold > 0.0 && *hold <= notes.length_s;
                fits("notes.holds_s", !notes.holds_s.is_empty() && notes.holds_s.iter().all(held))?;
                fits("notes.held_out", notes.held_out >= 2)?;
            }
            DataRecipe::Recordings(plan) => {
                fits("data.keys", plan.keys > 0 && u16::from(plan.lowest_key) + u16::from(plan.keys) <= 128)?;
                fits("data.held_out", plan.held_out >= 2)?;
                let folders: BTreeSet<&str> = plan.classes.iter().map(|class| class.folder.as_str()).collect();
                fits("data.classes", folders.len() == plan.classes.len() && folders.len() <= 256)?;
            }
        }
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
        let mut config = self.config();
        if matches!(self.data, DataRecipe::Recordings(_)) && config.instruments.is_empty() {
            // They are known when the folder is read.
            config.instruments.push(Instrument::new("", ""));
        }
        fits("network", config.is_sound() && network.sample_rate_hz <= 48_000)?;
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
