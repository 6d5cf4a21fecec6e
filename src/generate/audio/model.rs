//! A model that makes sound, from its file.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{AudioRequest, Quantisation, Synth, synth::Performance};
use crate::{
    Error, Result,
    formats::{card::Card, hash::sha256_of_file, safetensors, weights},
    kernels::{
        Level,
        wavenet::{Network, Precision},
    },
    nets::wavenet::{Instrument, WaveNet, WaveNetConfig, config_of, mu_law},
};

/// What a model that makes sound is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioModelInfo {
    /// Bundled name or file name.
    pub name: String,
    /// The name as people write it; the same as `name` when its card gives none.
    pub title: String,
    /// Where its file lies.
    pub path: PathBuf,
    /// Samples a second.
    pub sample_rate_hz: u32,
    /// What it plays.
    pub instruments: Vec<Instrument>,
    /// The lowest key, as MIDI numbers them.
    pub lowest_key: u8,
    /// Keys from there up.
    pub keys: u8,
    /// Layers, channels and skip channels.
    pub sizes: [usize; 3],
    /// Number of weights.
    pub parameters: u64,
}

/// A network ready to generate.
pub(super) struct AudioNet {
    pub net: WaveNet,
    pub level: Level,
    /// Packed with the weights as they are stored, and with those of eight bits.
    generators: [Network; 2],
    /// The value of every class.
    pub values: Vec<f32>,
}

impl AudioNet {
    /// The network packed with these weights.
    pub fn generator(&self, weights: Quantisation) -> &Network {
        &self.generators[usize::from(weights == Quantisation::Int8)]
    }

    pub fn config(&self) -> &WaveNetConfig {
        self.net.config()
    }
}

/// A model that makes sound.
pub struct AudioModel {
    info: AudioModelInfo,
    net: Arc<AudioNet>,
    is_bfloat16: bool,
    sha256: OnceLock<String>,
}

impl AudioModel {
    /// Opens the weights at `path`: a safetensors file of a [`WaveNet`] with its configuration in the metadata.
    ///
    /// # Errors
    /// When the file cannot be read, or holds no such network.
    pub fn open(name: &str, path: &Path) -> Result<Self> {
        let (tensors, metadata) = safetensors::load_all(path)?;
        let config = config_of(&metadata)?;
        weights::check_finite(&tensors)?;
        let net = WaveNet::new(config, &tensors)?;
        let level = Level::current();
        // What the file stores in 16 bits is read in 16 bits: the same numbers, half the memory traffic.
        let is_bfloat16 = tensors.values().all(|tensor| tensor.dtype() == candle_core::DType::BF16);
        let stored = if is_bfloat16 { Precision::Bfloat16 } else { Precision::Full };
        let title = Card::beside(path).map(|card| card.title).filter(|title| !title.is_empty());
        let (config, sizes) = (net.config(), net.sizes());
        let info = AudioModelInfo {
            name: name.to_owned(),
            title: title.unwrap_or_else(|| name.to_owned()),
            path: path.to_owned(),
            sample_rate_hz: config.sample_rate_hz,
            instruments: config.instruments.clone(),
            lowest_key: config.lowest_key,
            keys: config.keys,
            sizes: [sizes.dilations.len(), sizes.channels, sizes.skip],
            parameters: WaveNet::parameters(&tensors),
        };
        let short = if net.config().mixtures == 0 { Precision::Int8 } else { stored };
        let generators = [net.generator(stored, level)?, net.generator(short, level)?];
        let values = (0..mu_law::CLASSES).map(mu_law::decode).collect();
        let net = Arc::new(AudioNet { net, level, generators, values });
        Ok(Self { info, net, is_bfloat16, sha256: OnceLock::new() })
    }

    /// What it is.
    pub fn info(&self) -> &AudioModelInfo {
        &self.info
    }

    /// The network's configuration.
    pub(super) fn config(&self) -> &WaveNetConfig {
        self.net.config()
    }

    /// Whether its weights are stored as bfloat16.
    pub fn is_bfloat16(&self) -> bool {
        self.is_bfloat16
    }

    /// The SHA-256 of its file in lower-case hex; read from the file the first time.
    ///
    /// # Errors
    /// When the file can no longer be read.
    pub fn sha256(&self) -> Result<&str> {
        if let Some(known) = self.sha256.get() {
            return Ok(known);
        }
        let hash = sha256_of_file(&self.info.path, |_| true)?.unwrap_or_default();
        Ok(self.sha256.get_or_init(|| hash))
    }

    /// The instrument that goes by `name`, in either language and any case, or its number.
    ///
    /// # Errors
    /// When there is none; the error lists them.
    pub fn instrument(&self, name: &str) -> Result<u16> {
        let wanted = name.trim().to_lowercase();
        let names = self.info.instruments.iter();
        let found = names.clone().position(|names| names.en.to_lowercase() == wanted || names.zh == wanted);
        let found = found.or_else(|| wanted.parse().ok().filter(|index| *index < self.info.instruments.len()));
        found.and_then(|index| u16::try_from(index).ok()).ok_or_else(|| {
            let en: Vec<&str> = names.clone().map(|names| names.en.as_str()).collect();
            let zh: Vec<&str> = names.map(|names| names.zh.as_str()).collect();
            Error::new(
                format!("“{}” has no instrument “{name}”; it plays {}.", self.info.title, en.join(", ")),
                format!("“{}”没有乐器“{name}”；可选：{}。", self.info.title, zh.join("、")),
            )
        })
    }

    /// # Errors
    /// When a request makes no sense for this model.
    pub fn check(&self, request: &AudioRequest) -> Result<()> {
        request.check()?;
        if let Some(prime) = &request.prime {
            prime.check(self.config(), &request.notes)?;
        }
        let AudioModelInfo { title, lowest_key, keys, instruments, .. } = &self.info;
        if self.net.config().mixtures > 0 && (request.top_k > 0 || request.top_p < 1.0) {
            return Err(Error::new(
                format!("“{title}” draws from distributions, not from classes; leave top-k and top-p out."),
                format!("“{title}”从连续分布而不是类别中采样，请不要使用 top-k 和 top-p。"),
            ));
        }
        for note in &request.notes {
            if usize::from(note.instrument) >= instruments.len() {
                return Err(self.instrument(&note.instrument.to_string()).err().unwrap_or_else(unknown_instrument));
            }
            if note.key < *lowest_key || note.key - lowest_key >= *keys {
                let (low, high) = (super::key_name(*lowest_key), super::key_name(lowest_key + keys - 1));
                let key = super::key_name(note.key);
                return Err(Error::new(
                    format!("“{title}” plays from {low} to {high}, so it has no {key}; choose notes in between."),
                    format!("“{title}”的音域为 {low} 到 {high}，没有 {key}；请选择音域内的音。"),
                ));
            }
        }
        Ok(())
    }

    /// A synthesiser to strike notes on, that draws as the request says.
    pub fn synth(&self, request: &AudioRequest) -> Synth {
        Synth::new(self.net.clone(), request)
    }

    /// Begins to play a request; blocks come from it one by one.
    ///
    /// # Errors
    /// When the request makes no sense for this model.
    pub fn perform(&self, request: &AudioRequest) -> Result<Performance> {
        self.check(request)?;
        Ok(Performance::new(self.synth(request), request.clone()))
    }

    /// Plays a request to its end and returns the samples. `None` when `cancel` was set before.
    ///
    /// # Errors
    /// When the request makes no sense for this model.
    pub fn play(&self, request: &AudioRequest, cancel: &AtomicBool) -> Result<Option<Vec<f32>>> {
        let mut performance = self.perform(request)?;
        let mut samples = Vec::new();
        while let Some(block) = performance.block() {
            if cancel.load(Ordering::Relaxed) {
                return Ok(None);
            }
            samples.extend_from_slice(&block);
        }
        if let Some(wanted) = request.samples {
            samples.truncate(usize::try_from(wanted).unwrap_or(usize::MAX));
        }
        Ok(Some(samples))
    }
}

fn unknown_instrument() -> Error {
    Error::new("There is no such instrument; choose another.", "没有这种乐器，请另选。")
}
