//! Sound through a capture of an amplifier or pedal.

use std::path::Path;

use crate::{
    Error, Result, audio, files,
    formats::{
        audio::Sound,
        hash::sha256_of_bytes,
        nam::{self, Capture, Metadata},
    },
    nets::nam::Nam,
};

/// The loudness that captures are brought to when they are normalised, in dB, as NeuralAmpModeler does.
const NORMAL_LOUDNESS_DB: f64 = -18.0;
/// Frames between reports.
const PIECE: usize = 4_096;

/// What is done to the sound before and after the capture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AmpSettings {
    /// In dB.
    pub input_gain_db: f64,
    /// In dB.
    pub output_gain_db: f64,
    /// Bring the output to the same loudness for every capture.
    pub normalise: bool,
    /// The analogue level that full scale stands for in the recording, in dBu: the capture hears what the gear heard.
    pub input_level_dbu: Option<f64>,
}

/// An amplifier.
pub struct Amp {
    nam: Nam,
    metadata: Metadata,
    sha256: String,
}

impl Amp {
    /// Opens a `.nam` file; `size` 0..=1 picks a network where it holds several.
    ///
    /// # Errors
    /// When it cannot be read or is no capture that can be used.
    pub fn open(path: &Path, size: f64) -> Result<Self> {
        let bytes = files::read_bytes(path, nam::MOST_BYTES)?;
        let capture = Capture::parse(&bytes)?;
        let metadata = capture.metadata.clone().unwrap_or_default();
        Ok(Self { nam: Nam::new(&capture, size)?, metadata, sha256: sha256_of_bytes(&bytes) })
    }

    /// SHA-256 of its file.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// What it tells about itself.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The factors before and after the network.
    ///
    /// # Errors
    /// When the capture does not tell a level that is asked for.
    pub fn gains(&self, settings: &AmpSettings) -> Result<(f32, f32)> {
        let (mut before, mut after) = (settings.input_gain_db, settings.output_gain_db);
        if let Some(level) = settings.input_level_dbu {
            let captured = self.metadata.input_level_dbu.ok_or_else(|| {
                Error::new(
                    "The capture does not tell its input level; set the input gain by ear instead.",
                    "此模型未注明输入电平，请改用输入增益凭听感调节。",
                )
            })?;
            before += level - captured;
        }
        if settings.normalise {
            let loudness = self.metadata.loudness.ok_or_else(|| {
                Error::new(
                    "The capture does not tell its loudness; set the output gain by ear instead.",
                    "此模型未注明响度，请改用输出增益凭听感调节。",
                )
            })?;
            after += NORMAL_LOUDNESS_DB - loudness;
        }
        let factor = |db: f64| 10.0_f64.powf(db / 20.0) as f32;
        Ok((factor(before), factor(after)))
    }

    /// A recording through it: as many frames, at the same rate, each channel by itself. `progress` hears the share that is
    /// done and says whether to go on; `None` when it did not.
    ///
    /// # Errors
    /// When the rate cannot be converted, or the settings ask for what the capture does not tell.
    pub fn run(
        &mut self,
        recording: &Sound,
        settings: &AmpSettings,
        progress: &mut dyn FnMut(f32) -> bool,
    ) -> Result<Option<Vec<f32>>> {
        let (before, after) = self.gains(settings)?;
        let channels = usize::from(recording.channels);
        let frames = recording.samples.len() / channels;
        let mut out = vec![0.0; frames * channels];
        let mut sound = Vec::new();
        for channel in 0..channels {
            self.nam.reset();
            let mut there = audio::Converter::new(recording.sample_rate_hz, self.nam.sample_rate_hz())?;
            let mut back = audio::Converter::new(self.nam.sample_rate_hz(), recording.sample_rate_hz)?;
            let (mut piece, mut captured, mut at) = (Vec::with_capacity(PIECE), Vec::new(), 0);
            sound.clear();
            while at < frames {
                let next = (at + PIECE).min(frames);
                piece.clear();
                // What is not a number would stay in the network's memory for good.
                let sample = |frame: usize| recording.samples[frame * channels + channel] * before;
                piece.extend((at..next).map(sample).map(|sample| if sample.is_finite() { sample } else { 0.0 }));
                at = next;
                captured.clear();
                there.push(&piece, &mut captured)?;
                if at == frames {
                    there.finish(&mut captured)?;
                }
                self.nam.process(&mut captured);
                back.push(&captured, &mut sound)?;
                if !progress((channel * frames + at) as f32 / (channels * frames) as f32) {
                    return Ok(None);
                }
            }
            back.finish(&mut sound)?;
            for (frame, sample) in sound.iter().take(frames).enumerate() {
                out[frame * channels + channel] = sample * after;
            }
        }
        Ok(Some(out))
    }
}

/// An amplifier that somebody plays through: three stages, for a conversion of the rate may lie between them. Gains
/// change from block to block.
pub struct LiveAmp {
    amp: Amp,
    gains: (f32, f32),
}

impl LiveAmp {
    /// # Errors
    /// When the settings ask for what the capture does not tell.
    pub fn new(mut amp: Amp, settings: &AmpSettings) -> Result<Self> {
        let gains = amp.gains(settings)?;
        amp.nam.reset();
        Ok(Self { amp, gains })
    }

    /// The rate that [`Self::process`] takes.
    pub fn sample_rate_hz(&self) -> u32 {
        self.amp.nam.sample_rate_hz()
    }

    /// # Errors
    /// As [`Self::new`].
    pub fn set(&mut self, settings: &AmpSettings) -> Result<()> {
        self.gains = self.amp.gains(settings)?;
        Ok(())
    }

    /// The gain before the capture.
    pub fn prepare(&self, samples: &mut [f32]) {
        let before = self.gains.0;
        samples.iter_mut().for_each(|sample| {
            let louder = *sample * before;
            *sample = if louder.is_finite() { louder } else { 0.0 };
        });
    }

    /// The capture, in place.
    pub fn process(&mut self, samples: &mut [f32]) {
        self.amp.nam.process(samples);
    }

    /// The gain after it.
    pub fn finish(&self, samples: &mut [f32]) {
        samples.iter_mut().for_each(|sample| *sample *= self.gains.1);
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::formats::wav;

    fn fixture(name: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/nam").join(name)
    }

    fn recording() -> Sound {
        wav::read(&std::fs::read(fixture("in.wav")).expect("a fixture")).expect("a WAV")
    }

    fn decibels(of: &[f32], against: &[f32]) -> f64 {
        let power = |samples: &[f32]| samples.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
        10.0 * (power(of) / power(against)).log10()
    }

    fn run(amp: &mut Amp, recording: &Sound, settings: &AmpSettings) -> Vec<f32> {
        amp.run(recording, settings, &mut |_| true).expect("runs").expect("to the end")
    }

    #[test]
    fn rates_and_channels_stay_and_every_channel_is_by_itself() {
        let mut amp = Amp::open(&fixture("wavenet.nam"), 1.0).expect("an amplifier");
        let mono = recording();
        let plain = run(&mut amp, &mono, &AmpSettings::default());
        let silent_left = mono.samples.iter().flat_map(|sample| [0.0, *sample]).collect();
        let stereo = Sound { channels: 2, samples: silent_left, ..mono.clone() };
        let both = run(&mut amp, &stereo, &AmpSettings::default());
        let channel = |channel: usize| both.iter().skip(channel).step_by(2).copied().collect::<Vec<_>>();
        assert_eq!(channel(1), plain);
        assert!(channel(0).iter().all(|sample| (sample - both[0]).abs() < 1e-6));
        // At another rate it is the same sound, but for what the rate cannot hold.
        for rate in [44_100, 96_000] {
            let mut converter = audio::Converter::new(48_000, rate).expect("a converter");
            let mut samples = Vec::new();
            converter.push(&mono.samples, &mut samples).expect("converts");
            converter.finish(&mut samples).expect("converts");
            let other = Sound { sample_rate_hz: rate, samples, ..mono.clone() };
            let out = run(&mut amp, &other, &AmpSettings::default());
            assert_eq!(out.len(), other.samples.len());
            let mut converter = audio::Converter::new(rate, 48_000).expect("a converter");
            let mut back = Vec::new();
            converter.push(&out, &mut back).expect("converts");
            converter.finish(&mut back).expect("converts");
            let middle = 1_000..11_000;
            let difference: Vec<_> = middle.clone().map(|i| back[i] - plain[i]).collect();
            let ratio = decibels(&difference, &plain[middle]);
            assert!(ratio < -30.0, "{rate}: {ratio}");
        }
    }

    #[test]
    fn gains_are_decibels_and_levels_come_from_the_capture() {
        let mut amp = Amp::open(&fixture("wavenet.nam"), 1.0).expect("an amplifier");
        let plain = run(&mut amp, &recording(), &AmpSettings::default());
        let louder = AmpSettings { output_gain_db: 6.0, ..AmpSettings::default() };
        assert!((decibels(&run(&mut amp, &recording(), &louder), &plain) - 6.0).abs() < 1e-3);
        let normal = AmpSettings { normalise: true, ..AmpSettings::default() };
        assert!((decibels(&run(&mut amp, &recording(), &normal), &plain) - 2.020_028).abs() < 1e-3);
        let (before, _) = amp.gains(&AmpSettings { input_level_dbu: Some(12.3), ..normal.clone() }).expect("gains");
        assert!((before - 10.0_f32.powf(-6.0 / 20.0)).abs() < 1e-6);
        let silent = Amp::open(&fixture("wavenet_a1_standard.nam"), 1.0).expect("an amplifier");
        assert!(silent.gains(&normal).expect_err("unknown").to_string().contains("loudness"));
    }

    #[test]
    fn what_is_not_a_number_does_not_stay_and_a_run_can_be_stopped() {
        let mut amp = Amp::open(&fixture("lstm.nam"), 1.0).expect("an amplifier");
        let mut bad = recording();
        bad.samples[5] = f32::NAN;
        bad.samples[6] = f32::INFINITY;
        assert!(run(&mut amp, &bad, &AmpSettings::default()).iter().all(|sample| sample.is_finite()));
        assert_eq!(amp.run(&bad, &AmpSettings::default(), &mut |_| false).expect("stops"), None);
        let empty = Sound { samples: Vec::new(), ..bad };
        assert!(run(&mut amp, &empty, &AmpSettings::default()).is_empty());
    }
}
