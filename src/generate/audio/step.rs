//! A step from one take to the next: an edit, or a way through an amplifier. A recipe lists them, so that they can be
//! taken again.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Edit;
use crate::{
    Error, Result,
    audio::Clip,
    formats::audio::Sound,
    generate::amp::{Amp, AmpSettings},
};

/// What was done to a take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Its samples were edited.
    Edit(Edit),
    /// It was played through the capture of an amplifier.
    Amp(AmpStep),
}

/// A way through an amplifier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AmpStep {
    /// The path of the `.nam` file.
    pub capture: String,
    /// SHA-256 of that file.
    pub sha256: String,
    /// In dB.
    pub input_gain_db: f64,
    /// In dB.
    pub output_gain_db: f64,
    /// Brought to the same loudness for every capture.
    #[serde(default)]
    pub normalise: bool,
}

impl AmpStep {
    /// The gains.
    pub fn settings(&self) -> AmpSettings {
        AmpSettings {
            input_gain_db: self.input_gain_db,
            output_gain_db: self.output_gain_db,
            normalise: self.normalise,
            input_level_dbu: None,
        }
    }
}

impl Step {
    /// # Errors
    /// When it makes no sense for any take.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::Edit(edit) => edit.check(),
            Self::Amp(AmpStep { input_gain_db: before, output_gain_db: after, .. }) => {
                // The same limits, and the same sentence.
                [*before, *after].into_iter().try_for_each(|db| Edit::Gain { start: 0, end: 1, db }.check())
            }
        }
    }

    /// The take after it. `progress` hears the share that is done and says whether to go on; `None` when it did not.
    ///
    /// # Errors
    /// When an edit does not fit the take, or the capture is missing or another one.
    pub fn apply(&self, clip: &Clip, progress: &mut dyn FnMut(f32) -> bool) -> Result<Option<Clip>> {
        let sample_rate_hz = clip.sample_rate_hz;
        let samples = match self {
            Self::Edit(edit) => Some(edit.apply(&clip.samples)?),
            Self::Amp(step) => {
                let path = PathBuf::from(&step.capture);
                let mut amp = Amp::open(&path, 1.0)?;
                if amp.sha256() != step.sha256 {
                    return Err(other_capture(&path, &step.sha256));
                }
                let recording =
                    Sound { sample_rate_hz, channels: 1, bits: 32, samples: clip.samples.to_vec(), comment: None };
                amp.run(&recording, &step.settings(), progress)?
            }
        };
        Ok(samples.map(|samples| Clip { samples: samples.into(), sample_rate_hz }))
    }

    /// All of `steps`, one after the other.
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub fn apply_all(steps: &[Self], clip: Clip, progress: &mut dyn FnMut(f32) -> bool) -> Result<Option<Clip>> {
        let mut now = clip;
        for step in steps {
            match step.apply(&now, progress)? {
                Some(next) => now = next,
                None => return Ok(None),
            }
        }
        Ok(Some(now))
    }
}

fn other_capture(path: &Path, wanted: &str) -> Error {
    let path = path.display();
    Error::new(
        format!("“{path}” is not the capture that this sound went through; put back the file with SHA-256 {wanted}."),
        format!("“{path}”不是此声音所用的放大器模型，请换回 SHA-256 为 {wanted} 的文件。"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_follow_each_other_and_captures_are_checked() {
        let capture = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/nam/wavenet.nam");
        let sha256 = Amp::open(&capture, 1.0).expect("an amplifier").sha256().to_owned();
        let samples: Vec<f32> = (0..4_000).map(|i| (i as f32 * 0.05).sin() * 0.2).collect();
        let clip = Clip { samples: samples.into(), sample_rate_hz: 16_000 };
        let amp = AmpStep {
            capture: capture.display().to_string(),
            sha256,
            input_gain_db: 6.0,
            output_gain_db: -3.0,
            normalise: false,
        };
        let steps = [Step::Amp(amp.clone()), Step::Edit(Edit::Trim { start: 1_000, end: 3_000 })];
        let json = serde_json::to_string(&steps).expect("JSON");
        assert_eq!(serde_json::from_str::<Vec<Step>>(&json).expect("reads"), steps);
        let out = Step::apply_all(&steps, clip.clone(), &mut |_| true).expect("runs").expect("to the end");
        assert_eq!((out.samples.len(), out.sample_rate_hz), (2_000, 16_000));
        assert_ne!(out.samples[..], clip.samples[1_000..3_000]);
        assert_eq!(Step::apply_all(&steps, clip.clone(), &mut |_| false).expect("stops"), None);
        let other = Step::Amp(AmpStep { sha256: "00".to_owned(), ..amp.clone() });
        let why = other.apply(&clip, &mut |_| true).expect_err("another capture");
        assert!(why.to_string().contains("SHA-256 00"), "{why}");
        assert!(Step::Amp(AmpStep { input_gain_db: f64::NAN, ..amp }).check().is_err());
    }
}
