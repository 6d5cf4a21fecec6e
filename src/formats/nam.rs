//! `.nam` files of NeuralAmpModeler: the JSON around a captured amplifier or pedal. What the configuration means is left
//! to the networks.

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{Error, Result};

/// The largest file that is read; captures have about 0.3 MB.
pub const MOST_BYTES: u64 = 64 << 20;

/// A capture: the name of an architecture, its configuration, and its weights.
#[derive(Clone, Debug, Deserialize)]
pub struct Capture {
    /// `WaveNet`, `LSTM`, `ConvNet`, `Linear` or `SlimmableContainer`.
    pub architecture: String,
    /// JSON that depends on the architecture; other captures may be in it.
    pub config: Box<RawValue>,
    /// All numbers of the network, in the order that its architecture reads them.
    #[serde(default)]
    pub weights: Vec<f32>,
    /// The rate that it was captured at, in Hz.
    #[serde(default)]
    pub sample_rate: Option<f64>,
    /// What is told about it.
    #[serde(default)]
    pub metadata: Option<Metadata>,
}

/// What a capture tells about itself; whatever has an unexpected type is left out.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Metadata {
    /// How loud its output is for the standard input, in dB.
    #[serde(deserialize_with = "lenient")]
    pub loudness: Option<f64>,
    /// The analogue level of a full-scale sine at the input of the gear when it was captured, in dBu.
    #[serde(deserialize_with = "lenient")]
    pub input_level_dbu: Option<f64>,
    /// The same for its output.
    #[serde(deserialize_with = "lenient")]
    pub output_level_dbu: Option<f64>,
    /// Its title.
    #[serde(deserialize_with = "lenient")]
    pub name: Option<String>,
    /// Who made it.
    #[serde(deserialize_with = "lenient")]
    pub modeled_by: Option<String>,
    /// The maker of what was captured.
    #[serde(deserialize_with = "lenient")]
    pub gear_make: Option<String>,
    /// Its model.
    #[serde(deserialize_with = "lenient")]
    pub gear_model: Option<String>,
}

/// A value, or nothing when it is of another type.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> std::result::Result<Option<T>, D::Error> {
    let value = Box::<RawValue>::deserialize(from)?;
    Ok(serde_json::from_str(value.get()).ok())
}

impl Capture {
    /// Reads a file.
    ///
    /// # Errors
    /// When it is no capture, or weights are not finite.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let capture: Self = serde_json::from_slice(bytes).map_err(|why| unreadable(&why))?;
        capture.check()?;
        Ok(capture)
    }

    /// Its configuration, and what is in it.
    ///
    /// # Errors
    /// When the JSON has another form.
    pub fn config<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(self.config.get()).map_err(|why| unreadable(&why))
    }

    /// Whether weights and rate can be used; for captures in a configuration too.
    ///
    /// # Errors
    /// When they cannot.
    pub fn check(&self) -> Result<()> {
        let rate = self.sample_rate.is_none_or(|rate| (1_000.0..=768_000.0).contains(&rate));
        if !rate || self.weights.iter().any(|weight| !weight.is_finite()) {
            return Err(Error::new(
                "The capture's weights or its sample rate are not usable numbers; download it again.",
                "此模型的权重或采样率不是可用的数值，请重新下载。",
            ));
        }
        Ok(())
    }
}

fn unreadable(why: &serde_json::Error) -> Error {
    Error::new(
        format!("This is no .nam capture that can be read ({why}); download it again."),
        format!("无法读取此 .nam 文件（{why}），请重新下载。"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"{"version": "0.5.4", "architecture": "LSTM", "config": {"hidden_size": 3}, "weights": [1, -2.5e-1],
        "sample_rate": 48000, "metadata": {"name": "箱头 É", "loudness": -18.5, "gear_make": 7, "input_level_dbu": null, "date": {"year": 2024}}}"#;

    #[test]
    fn a_capture_is_read_and_odd_metadata_left_out() {
        let capture = Capture::parse(SMALL.as_bytes()).expect("a capture");
        assert_eq!((capture.architecture.as_str(), capture.weights.as_slice()), ("LSTM", [1.0, -0.25].as_slice()));
        let metadata = capture.metadata.expect("metadata");
        assert_eq!((metadata.name.as_deref(), metadata.loudness), (Some("箱头 É"), Some(-18.5)));
        assert_eq!((metadata.gear_make, metadata.input_level_dbu), (None, None));
        let bare = Capture::parse(br#"{"architecture": "x", "config": {}, "metadata": null, "sample_rate": null}"#);
        assert!(bare.expect("a capture").weights.is_empty());
    }

    #[test]
    fn damaged_files_are_refused_in_a_sentence() {
        for cut in 0..SMALL.len() - 1 {
            assert!(Capture::parse(&SMALL.as_bytes()[..cut]).is_err(), "{cut}");
        }
        for (from, to) in [("-2.5e-1", "1e99"), ("48000", "3"), ("48000", "1e300"), ("-2.5e-1", "\"a\"")] {
            let why = Capture::parse(SMALL.replace(from, to).as_bytes()).expect_err("refused").to_string();
            assert!(why.contains("download it again"), "{why}");
        }
        let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
        for bad in [SMALL.replace("{\"hidden_size\": 3}", &deep), SMALL.replace("{\"year\": 2024}", &deep), deep] {
            let _ = Capture::parse(bad.as_bytes());
        }
    }
}
