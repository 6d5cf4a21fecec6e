//! What the user has set, and keeps from one start to the next.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::theme::ThemeChoice;
use crate::{
    Lang,
    formats::wav::Depth,
    generate::{
        TextRequest,
        audio::{Drawing, USUAL_NOISE, USUAL_TEMPERATURE},
        sampler::{Preset as Character, SamplerSettings},
    },
};

/// Everything that is kept in the settings file. Fields that a file lacks take their defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Preferences {
    /// The language of the interface.
    pub language: LanguageChoice,
    /// Dark or light.
    pub theme: ThemeChoice,
    /// Size of the interface; 1 is normal.
    pub scale: f32,
    /// Threads that models compute with, from the next start on; 0 takes one for each core.
    pub threads: usize,
    /// Tokens of context to use; 0 lets the model choose.
    pub context_tokens: usize,
    /// Where documents are kept, if not in the usual folder.
    pub library: Option<PathBuf>,
    /// The model used last; `None` is the one that ships with the studio.
    pub model: Option<PathBuf>,
    /// Models that were opened from this computer, latest first.
    pub opened_models: Vec<PathBuf>,
    /// How the next text is made.
    pub writing: Writing,
    /// How the next pictures are made.
    pub painting: Painting,
    /// How the next sound is made.
    pub sound: SoundPreferences,
    /// The user's own presets.
    pub presets: Vec<Preset>,
    /// Whether the list of documents is shown.
    pub documents_shown: bool,
    /// Whether the inspector is shown.
    pub inspector_shown: bool,
    /// Whether the advanced settings are unfolded.
    pub advanced_shown: bool,
    /// Whether conversations are shown, not documents.
    pub chatting: bool,
    /// The document shown last.
    pub document: Option<String>,
    /// The conversation shown last.
    pub chat: Option<String>,
    /// Where documents were saved as files, by their ids.
    pub files: BTreeMap<String, PathBuf>,
    /// The SHA-256 of those files as they were when they were opened or saved.
    pub saved: BTreeMap<String, String>,
    /// The window's place.
    pub window: WindowPlace,
}

/// Where the window was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WindowPlace {
    /// Left and top, in points.
    pub position: Option<[f32; 2]>,
    /// Width and height, in points.
    pub size: Option<[f32; 2]>,
    /// Whether it filled the screen.
    pub maximized: bool,
}

impl Default for Preferences {
    fn default() -> Self {
        Self {
            language: LanguageChoice::default(),
            theme: ThemeChoice::default(),
            scale: 1.0,
            threads: 0,
            context_tokens: 0,
            library: None,
            model: None,
            opened_models: Vec::new(),
            writing: Writing::default(),
            painting: Painting::default(),
            sound: SoundPreferences::default(),
            presets: Vec::new(),
            documents_shown: true,
            inspector_shown: true,
            advanced_shown: false,
            chatting: false,
            document: None,
            chat: None,
            files: BTreeMap::new(),
            saved: BTreeMap::new(),
            window: WindowPlace::default(),
        }
    }
}

impl Preferences {
    /// How samples of sound are drawn.
    pub fn drawing(&self) -> Drawing {
        Drawing { temperature: self.sound.temperature, noise: self.sound.noise, seed: self.writing.seed }
    }

    /// The steps of the interface's size.
    pub const SCALES: [f32; 7] = [0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0];

    /// The file at `path` is now the one of this document, and of no other.
    pub fn belongs_to(&mut self, document: String, path: PathBuf, sha256: String) {
        self.files.retain(|id, kept| *kept != path || *id == document);
        self.saved.insert(document.clone(), sha256);
        self.files.insert(document, path);
        self.saved.retain(|id, _| self.files.contains_key(id));
    }

    /// Values that no control could have set are put right.
    pub fn made_sane(mut self) -> Self {
        let scale = if self.scale.is_finite() { self.scale } else { 1.0 };
        self.scale = scale.clamp(Self::SCALES[0], Self::SCALES[Self::SCALES.len() - 1]);
        self.threads = self.threads.min(MOST_THREADS);
        self.writing.length = self.writing.length.clamp(1, MAX_LENGTH);
        self.painting = self.painting.made_sane();
        self.sound = self.sound.made_sane();
        let sane = |value: &f32| value.is_finite();
        let place = &mut self.window;
        place.position = place.position.filter(|at| at.iter().all(sane));
        place.size = place.size.filter(|size| size.iter().all(|side| sane(side) && (200.0..20_000.0).contains(side)));
        self
    }
}

/// The most threads that the menu offers.
pub const MOST_THREADS: usize = 16;

/// The longest text that the length slider asks for.
pub const MAX_LENGTH: usize = 2000;

/// Which language the user wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LanguageChoice {
    /// As the system says.
    #[default]
    Auto,
    /// Always English.
    English,
    /// Always 简体中文.
    Chinese,
}

impl LanguageChoice {
    /// The language, where the system's is `system`.
    pub fn resolve(self, system: Lang) -> Lang {
        match self {
            Self::Auto => system,
            Self::English => Lang::En,
            Self::Chinese => Lang::Zh,
        }
    }
}

/// How the next text is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Writing {
    /// How tokens are chosen.
    pub sampler: SamplerSettings,
    /// At most this many tokens.
    pub length: usize,
    /// The seed of the next text.
    pub seed: u64,
    /// Whether the seed stays as it is.
    pub keep_seed: bool,
    /// Where to stop.
    pub stop: Vec<String>,
    /// What must not appear.
    pub banned: Vec<String>,
    /// Go on where the model would end.
    pub ignore_eos: bool,
}

impl Default for Writing {
    fn default() -> Self {
        Self {
            sampler: Character::default().settings(),
            length: TextRequest::default().max_tokens,
            seed: 20_481,
            keep_seed: false,
            stop: Vec::new(),
            banned: Vec::new(),
            ignore_eos: false,
        }
    }
}

/// Seeds of pictures stay below this, so that they are easy to read and to type.
pub const MOST_SEED: u64 = 1_000_000;
/// The most pictures drawn at a time.
pub const MOST_PICTURES: usize = 96;

/// How the next pictures are made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Painting {
    /// The model used last; `None` is the one that ships with the studio.
    pub model: Option<PathBuf>,
    /// The class; `None` lets each seed choose.
    pub class: Option<u32>,
    /// Pictures at a time.
    pub count: usize,
    /// How far from the average picture.
    pub truncation: f32,
    /// The seed of the next picture.
    pub seed: u64,
    /// Width and height in pixels, of models that draw any size.
    pub size: [u32; 2],
    /// What the user calls the directions of models, by the SHA-256 of their files; empty strings where nothing.
    pub directions: BTreeMap<String, Vec<String>>,
}

impl Default for Painting {
    fn default() -> Self {
        Self {
            model: None,
            class: None,
            count: 24,
            truncation: 1.0,
            seed: 1,
            size: [512; 2],
            directions: BTreeMap::new(),
        }
    }
}

impl Painting {
    fn made_sane(mut self) -> Self {
        self.count = self.count.clamp(1, MOST_PICTURES);
        self.truncation = if self.truncation.is_finite() { self.truncation.clamp(0.1, 1.5) } else { 1.0 };
        self.seed %= MOST_SEED;
        self.size = self.size.map(|side| side.clamp(LEAST_SIZE, MOST_SIZE));
        self.directions.values_mut().flatten().for_each(|name| *name = direction_name(name));
        self
    }
}

/// A direction's name as it is kept: short, on one line.
pub fn direction_name(name: &str) -> String {
    let plain: String = name.trim().chars().filter(|c| !c.is_control()).take(24).collect();
    plain.trim().to_owned()
}

/// The smallest and the largest width and height of a texture that can be chosen, in pixels.
pub const LEAST_SIZE: u32 = 64;
/// See [`LEAST_SIZE`].
pub const MOST_SIZE: u32 = 4096;

/// The most takes that are made at a time.
pub const MOST_VARIATIONS: u8 = 8;

/// What a take is saved as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SavedAs {
    /// A WAV of 16-bit integers.
    Wav16,
    /// A WAV of 24-bit integers.
    #[default]
    Wav24,
    /// A WAV of 32-bit floats.
    Wav32,
    /// A FLAC of 16-bit integers.
    Flac16,
    /// A FLAC of 24-bit integers.
    Flac24,
}

impl SavedAs {
    /// All of them, as a menu has them.
    pub const ALL: [Self; 5] = [Self::Wav16, Self::Wav24, Self::Wav32, Self::Flac16, Self::Flac24];

    /// How its samples are stored.
    pub fn depth(self) -> Depth {
        match self {
            Self::Wav16 | Self::Flac16 => Depth::Int16,
            Self::Wav24 | Self::Flac24 => Depth::Int24,
            Self::Wav32 => Depth::Float32,
        }
    }

    /// How the names of such files end.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Wav16 | Self::Wav24 | Self::Wav32 => ".wav",
            Self::Flac16 | Self::Flac24 => ".flac",
        }
    }
}

/// How the next sound is made and played.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SoundPreferences {
    /// Index into the model's instruments.
    pub instrument: u16,
    /// How hard keys are struck, 1..=127.
    pub velocity: u8,
    /// Randomness.
    pub temperature: f32,
    /// How far samples stray from what the network expects, 0..=1.
    #[serde(default = "not_said")]
    pub noise: f32,
    /// Takes that are made at a time, with seeds one after the other.
    pub variations: u8,
    /// What takes are saved as.
    pub saved_as: SavedAs,
    /// The volume in decibels.
    pub volume_db: f32,
    /// The id of the device; `None` is the system's.
    pub output: Option<String>,
    /// The id of the input; `None` is the system's.
    pub input: Option<String>,
    /// The id of the MIDI controller that plays; `None` is none.
    pub controller: Option<String>,
    /// The lowest key that the computer's keyboard plays; a C.
    pub lowest_typed: u8,
    /// Whether the list of takes is shown.
    pub takes_shown: bool,
    /// The amplifier.
    pub amp: AmpPreferences,
}

/// The amplifier that takes and inputs are run through.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AmpPreferences {
    /// The capture used last.
    pub capture: Option<PathBuf>,
    /// The gain before it, in dB.
    pub input_gain_db: f64,
    /// The gain after it, in dB.
    pub output_gain_db: f64,
    /// Whether all captures are brought to one loudness.
    pub normalise: bool,
}

/// In a file of the time when nothing but the temperature was there to calm the network.
fn not_said() -> f32 {
    f32::NAN
}

impl Default for SoundPreferences {
    fn default() -> Self {
        Self {
            instrument: 0,
            velocity: 90,
            temperature: USUAL_TEMPERATURE,
            noise: USUAL_NOISE,
            variations: 1,
            saved_as: SavedAs::default(),
            volume_db: 0.0,
            output: None,
            input: None,
            controller: None,
            lowest_typed: 60,
            takes_shown: true,
            amp: AmpPreferences::default(),
        }
    }
}

impl SoundPreferences {
    /// The volume as a factor.
    pub fn gain(&self) -> f32 {
        10.0_f32.powf(self.volume_db / 20.0)
    }

    fn made_sane(mut self) -> Self {
        let or = |value: f32, usual: f32| if value.is_finite() { value } else { usual };
        self.velocity = self.velocity.clamp(1, 127);
        if self.noise.is_nan() {
            self.temperature = USUAL_TEMPERATURE;
        }
        self.temperature = or(self.temperature, USUAL_TEMPERATURE).clamp(0.0, 1.2);
        self.noise = or(self.noise, USUAL_NOISE).clamp(0.0, 1.0);
        self.variations = self.variations.clamp(1, MOST_VARIATIONS);
        self.volume_db = or(self.volume_db, 0.0).clamp(-40.0, 6.0);
        self.lowest_typed = self.lowest_typed.clamp(24, 96) / 12 * 12;
        for gain_db in [&mut self.amp.input_gain_db, &mut self.amp.output_gain_db] {
            *gain_db = if gain_db.is_finite() { gain_db.clamp(-24.0, 24.0) } else { 0.0 };
        }
        self
    }
}

/// A preset of the user's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preset {
    /// Its name.
    pub name: String,
    /// How tokens are chosen.
    pub sampler: SamplerSettings,
}

/// The preset of the studio's own that `sampler` is, if it is one.
pub fn character_of(sampler: &SamplerSettings) -> Option<Character> {
    Character::ALL.into_iter().find(|character| character.settings() == *sampler)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_holes_takes_the_defaults() {
        let read: Preferences = serde_json::from_str(r#"{"theme":"dark","writing":{"length":99}}"#).expect("JSON");
        assert_eq!(read.theme, ThemeChoice::Dark);
        assert_eq!(read.writing.length, 99);
        assert_eq!(read.writing.sampler, Character::Balanced.settings());
        assert!(read.inspector_shown);
    }

    #[test]
    fn nonsense_is_put_right() {
        let bad = Preferences {
            scale: f32::NAN,
            writing: Writing { length: 0, ..Writing::default() },
            window: WindowPlace { position: Some([f32::INFINITY, 0.0]), size: Some([5.0, 5.0]), maximized: false },
            ..Preferences::default()
        };
        let sane = bad.made_sane();
        assert_eq!((sane.scale, sane.writing.length), (1.0, 1));
        assert_eq!(sane.window, WindowPlace::default());
    }

    #[test]
    fn the_temperature_of_a_time_without_noise_is_not_kept() {
        let sound = |text: &str| {
            let read: Preferences = serde_json::from_str(text).expect("JSON");
            let sound = read.made_sane().sound;
            (sound.velocity, sound.temperature, sound.noise)
        };
        assert_eq!(sound(r#"{"sound":{"velocity":70,"temperature":0.6}}"#), (70, USUAL_TEMPERATURE, USUAL_NOISE));
        assert_eq!(sound(r#"{"sound":{"temperature":0.6,"noise":0.3}}"#), (90, 0.6, 0.3));
    }

    #[test]
    fn each_character_is_recognised() {
        for character in Character::ALL {
            assert_eq!(character_of(&character.settings()), Some(character));
        }
        let other = SamplerSettings { temperature: 0.81, ..SamplerSettings::default() };
        assert_eq!(character_of(&other), None);
    }
}
