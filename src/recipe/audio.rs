//! The recipe of a sound, kept inside its file.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{FORMAT, ModelRef, Recipe, Work};
use crate::{
    Result,
    formats::{
        audio::{Container, Sound},
        flac,
        hash::sha256_of_parts,
        wav::{self, Depth},
    },
    generate::audio::{AudioRequest, Step},
};

/// The most steps of a recipe.
const MOST_STEPS: usize = 10_000;

/// A sound: the model that made it, what it was asked, and what was done to it then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AudioRecipe {
    /// The model that ran.
    pub model: ModelRef,
    /// What it was asked, exactly.
    pub request: AudioRequest,
    /// Samples a second.
    pub sample_rate_hz: u32,
    /// What was done to it then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
}

/// A sound that no model made: a recording, and what was done to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordingRecipe {
    /// Where it came from.
    pub source: Source,
    /// Samples a second.
    pub sample_rate_hz: u32,
    /// What was done to it then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
}

/// A recording as it was before anything was done to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// How it came into the studio.
    pub origin: Origin,
    /// The name of the file that holds it, in the same folder as whatever was made of it.
    pub file: String,
    /// SHA-256 of its samples as 32-bit floats.
    pub sha256: String,
}

/// How a recording came into the studio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// From a microphone or another input.
    Input,
    /// From a file.
    File,
}

/// What a take was made from.
#[derive(Clone, Debug, PartialEq)]
pub enum SoundRecipe {
    /// A model made it.
    Made(AudioRecipe),
    /// It was recorded or opened.
    Recorded(RecordingRecipe),
}

impl SoundRecipe {
    /// What was done to it since.
    pub fn steps(&self) -> &[Step] {
        match self {
            Self::Made(recipe) => &recipe.steps,
            Self::Recorded(recipe) => &recipe.steps,
        }
    }

    /// Samples a second.
    pub fn sample_rate_hz(&self) -> u32 {
        match self {
            Self::Made(recipe) => recipe.sample_rate_hz,
            Self::Recorded(recipe) => recipe.sample_rate_hz,
        }
    }

    /// The same with these steps.
    #[must_use]
    pub fn with_steps(&self, steps: Vec<Step>) -> Self {
        match self.clone() {
            Self::Made(recipe) => Self::Made(AudioRecipe { steps, ..recipe }),
            Self::Recorded(recipe) => Self::Recorded(RecordingRecipe { steps, ..recipe }),
        }
    }

    /// The recipe of a sound's file, if it is one.
    pub fn of(work: Work) -> Option<Self> {
        match work {
            Work::Audio(recipe) => Some(Self::Made(recipe)),
            Work::Recording(recipe) => Some(Self::Recorded(recipe)),
            Work::Text(_) | Work::Image(_) => None,
        }
    }
}

impl From<SoundRecipe> for Work {
    fn from(recipe: SoundRecipe) -> Self {
        match recipe {
            SoundRecipe::Made(recipe) => Self::Audio(recipe),
            SoundRecipe::Recorded(recipe) => Self::Recording(recipe),
        }
    }
}

impl AudioRecipe {
    /// What makes no sense in it, if anything.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        check(self.sample_rate_hz, &self.steps)?;
        self.request.check().map_err(|_| "its request makes no sense")
    }
}

impl RecordingRecipe {
    /// What makes no sense in it, if anything.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        check(self.sample_rate_hz, &self.steps)?;
        let plain = Path::new(&self.source.file).file_name().is_some_and(|name| name == self.source.file.as_str());
        if plain { Ok(()) } else { Err("its source is not in the same folder") }
    }
}

fn check(sample_rate_hz: u32, steps: &[Step]) -> Result<(), &'static str> {
    if !(1..=1_000_000).contains(&sample_rate_hz) {
        return Err("its sound has no rate");
    }
    if steps.len() > MOST_STEPS || steps.iter().any(|step| step.check().is_err()) {
        return Err("what was done to it makes no sense");
    }
    Ok(())
}

/// What a WAV or FLAC holds for the studio.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// The file itself.
    pub file: Sound,
    /// The studio's own recipe, or why it cannot be used; `None` when there is none.
    pub recipe: Option<Result<Recipe>>,
}

/// Reads a WAV or FLAC and the recipe inside.
///
/// # Errors
/// When it is none, or not whole. A damaged recipe is told in the result, for the sound is still good.
pub fn recording(bytes: &[u8], path: &Path) -> Result<Recording> {
    let file = if flac::is_flac(bytes) { flac::read(bytes)? } else { wav::read(bytes)? };
    let recipe = file.comment.as_deref().and_then(|text| own_recipe(text, path));
    Ok(Recording { file, recipe })
}

/// The studio's own recipe in the comment of a sound file, or why it cannot be used; `None` when there is none.
pub fn own_recipe(comment: &str, path: &Path) -> Option<Result<Recipe>> {
    is_ours(comment).then(|| Recipe::parse(comment, path))
}

/// What the comment of a sound file tells of how it was made, if it is a recipe.
pub fn sound_recipe(comment: &str, path: &Path) -> Option<SoundRecipe> {
    SoundRecipe::of(own_recipe(comment, path)?.ok()?.work)
}

/// Whether a comment is a recipe of the studio's: other programs leave comments too.
fn is_ours(comment: &str) -> bool {
    comment.trim_start().starts_with('{') && comment.contains("\"atelier\"")
}

/// The SHA-256 of samples, as 32-bit floats with the lowest byte first.
pub fn sha256_of_samples(samples: &[f32]) -> String {
    sha256_of_parts(samples.chunks(1 << 16).map(|part| part.iter().flat_map(|sample| sample.to_le_bytes()).collect()))
}

impl Recipe {
    /// The recipe of `samples`, which `work` made.
    pub fn of_audio(samples: &[f32], work: AudioRecipe) -> Self {
        Self::of_sound(samples, SoundRecipe::Made(work))
    }

    /// The recipe of `samples`, however they came to be.
    pub fn of_sound(samples: &[f32], work: SoundRecipe) -> Self {
        Self {
            format: FORMAT,
            atelier: env!("CARGO_PKG_VERSION").to_owned(),
            sha256: sha256_of_samples(samples),
            work: work.into(),
        }
    }

    /// The WAV of mono `samples` with this recipe inside.
    ///
    /// # Errors
    /// As [`Self::to_sound`].
    pub fn to_wav(&self, samples: &[f32], sample_rate_hz: u32, depth: Depth) -> Result<Vec<u8>> {
        self.to_sound(Container::Wav, samples, sample_rate_hz, depth)
    }

    /// A file of mono `samples` with this recipe inside, and the label of generated sound if a model made it.
    ///
    /// # Errors
    /// When it would be too large, or the recipe cannot be written.
    pub fn to_sound(&self, kind: Container, samples: &[f32], sample_rate_hz: u32, depth: Depth) -> Result<Vec<u8>> {
        let recipe = String::from_utf8(self.to_json()?).unwrap_or_default();
        let id = if matches!(self.work, Work::Recording(_)) { "" } else { &self.sha256 };
        kind.encode(samples, (sample_rate_hz, 1), depth, Some((recipe.trim_end(), id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::audio::{Edit, Note, Quantisation};

    #[test]
    fn a_recipe_travels_inside_its_sound() {
        let samples = [0.25_f32, -0.5, 1.0];
        let note = Note { start: 8, length: 16, key: 60, velocity: 90, instrument: 1 };
        let request = AudioRequest {
            notes: vec![note],
            samples: Some(3),
            temperature: 0.8,
            top_k: 0,
            top_p: 1.0,
            noise: 1.0,
            seed: u64::MAX,
            weights: Quantisation::default(),
            turns: Vec::new(),
            prime: None,
        };
        let model = ModelRef { name: "notes".to_owned(), sha256: "00".to_owned() };
        let made = AudioRecipe { model, request, sample_rate_hz: 16_000, steps: Vec::new() };
        let recipe = Recipe::of_audio(&samples, made.clone());
        // As it was written before takes could be edited.
        assert!(!String::from_utf8(recipe.to_json().expect("JSON")).expect("UTF-8").contains("steps"));
        let bytes = recipe.to_wav(&samples, 16_000, Depth::Float32).expect("WAV");
        let read = recording(&bytes, Path::new("a.wav")).expect("read");
        assert_eq!(read.file.samples, samples);
        assert_eq!(sha256_of_samples(&read.file.samples), recipe.sha256);
        let flac = recipe.to_sound(Container::Flac, &samples, 16_000, Depth::Int24).expect("FLAC");
        let small = recording(&flac, Path::new("a.flac")).expect("read");
        assert_eq!(small.file.samples, wav::as_stored(&samples, Depth::Int24));
        assert_eq!(small.recipe, Some(Ok(recipe.clone())));
        assert_eq!(read.recipe, Some(Ok(recipe)));
        assert!(bytes.windows(4).any(|part| part == b"AIGC"));
        let steps = vec![Step::Edit(Edit::Trim { start: 0, end: 2 })];
        let edited = Recipe::of_audio(&samples[..2], AudioRecipe { steps: steps.clone(), ..made });
        let bytes = edited.to_wav(&samples[..2], 16_000, Depth::Int24).expect("WAV");
        assert_eq!(recording(&bytes, Path::new("a.wav")).expect("read").recipe, Some(Ok(edited)));
        // What was recorded is not labelled as generated.
        let source = Source { origin: Origin::Input, file: "take-1.wav".to_owned(), sha256: "00".to_owned() };
        let recorded = RecordingRecipe { source: source.clone(), sample_rate_hz: 48_000, steps };
        let of = |recorded: RecordingRecipe| Recipe::of_sound(&samples, SoundRecipe::Recorded(recorded));
        let bytes = of(recorded.clone()).to_wav(&samples, 48_000, Depth::Float32).expect("WAV");
        assert!(!bytes.windows(4).any(|part| part == b"AIGC"));
        let read = recording(&bytes, Path::new("a.wav")).expect("read").recipe.expect("some").expect("a recipe");
        assert_eq!(SoundRecipe::of(read.work), Some(SoundRecipe::Recorded(recorded.clone())));
        let outside = Source { file: "../take-1.wav".to_owned(), ..source };
        let bytes = of(RecordingRecipe { source: outside, ..recorded }).to_wav(&samples, 48_000, Depth::Float32);
        assert!(recording(&bytes.expect("WAV"), Path::new("a.wav")).expect("read").recipe.expect("some").is_err());
        let other = wav::encode(&samples, (16_000, 1), Depth::Int16, Some(("made by hand", ""))).expect("WAV");
        assert_eq!(recording(&other, Path::new("b.wav")).expect("read").recipe, None);
        let broken = wav::encode(&samples, (16_000, 1), Depth::Int16, Some(("{\"atelier\": 1", ""))).expect("WAV");
        assert!(recording(&broken, Path::new("c.wav")).expect("read").recipe.expect("some").is_err());
    }
}
