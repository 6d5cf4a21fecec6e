//! The recipe of a sound, kept inside its WAV.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{FORMAT, ModelRef, Recipe, Work};
use crate::{
    Result,
    formats::{
        hash::sha256_of_bytes,
        wav::{self, Depth, WavFile},
    },
    generate::audio::AudioRequest,
};

/// A sound: the model that made it, and what it was asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AudioRecipe {
    /// The model that ran.
    pub model: ModelRef,
    /// What it was asked, exactly.
    pub request: AudioRequest,
    /// Samples a second.
    pub sample_rate_hz: u32,
}

impl AudioRecipe {
    /// What makes no sense in it, if anything.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if !(1..=1_000_000).contains(&self.sample_rate_hz) {
            return Err("its sound has no rate");
        }
        self.request.check().map_err(|_| "its request makes no sense")
    }
}

/// What a WAV holds for the studio.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// The file itself.
    pub file: WavFile,
    /// The studio's own recipe, or why it cannot be used; `None` when there is none.
    pub recipe: Option<Result<Recipe>>,
}

/// Reads a WAV and the recipe inside.
///
/// # Errors
/// When it is no whole WAV. A damaged recipe is told in the result, for the sound is still good.
pub fn recording(bytes: &[u8], path: &Path) -> Result<Recording> {
    let file = wav::read(bytes)?;
    // Other programs leave comments too.
    let ours =
        file.comment.as_deref().filter(|text| text.trim_start().starts_with('{') && text.contains("\"atelier\""));
    let recipe = ours.map(|text| Recipe::parse(text, path));
    Ok(Recording { file, recipe })
}

/// The SHA-256 of samples, as 32-bit floats with the lowest byte first.
pub fn sha256_of_samples(samples: &[f32]) -> String {
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    sha256_of_bytes(&bytes)
}

impl Recipe {
    /// The recipe of `samples`, which `work` made.
    pub fn of_audio(samples: &[f32], work: AudioRecipe) -> Self {
        Self {
            format: FORMAT,
            atelier: env!("CARGO_PKG_VERSION").to_owned(),
            sha256: sha256_of_samples(samples),
            work: Work::Audio(work),
        }
    }

    /// The WAV of `samples` with this recipe and the label of generated sound inside.
    ///
    /// # Errors
    /// When it would be too large, or the recipe cannot be written.
    pub fn to_wav(&self, samples: &[f32], sample_rate_hz: u32, depth: Depth) -> Result<Vec<u8>> {
        let recipe = String::from_utf8(self.to_json()?).unwrap_or_default();
        wav::encode(samples, sample_rate_hz, depth, Some((recipe.trim_end(), &self.sha256)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::audio::Note;

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
            seed: u64::MAX,
        };
        let model = ModelRef { name: "notes".to_owned(), sha256: "00".to_owned() };
        let recipe = Recipe::of_audio(&samples, AudioRecipe { model, request, sample_rate_hz: 16_000 });
        let bytes = recipe.to_wav(&samples, 16_000, Depth::Float32).expect("WAV");
        let read = recording(&bytes, Path::new("a.wav")).expect("read");
        assert_eq!(read.file.samples, samples);
        assert_eq!(sha256_of_samples(&read.file.samples), recipe.sha256);
        assert_eq!(read.recipe, Some(Ok(recipe)));
        let other = wav::encode(&samples, 16_000, Depth::Int16, Some(("made by hand", ""))).expect("WAV");
        assert_eq!(recording(&other, Path::new("b.wav")).expect("read").recipe, None);
        let broken = wav::encode(&samples, 16_000, Depth::Int16, Some(("{\"atelier\": 1", ""))).expect("WAV");
        assert!(recording(&broken, Path::new("c.wav")).expect("read").recipe.expect("some").is_err());
    }
}
