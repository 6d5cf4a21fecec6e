//! WaveNet (van den Oord et al. 2016): a network that gives the probabilities of the next sample from those before it.
//!
//! Samples are µ-law classes of the pre-emphasised signal, or sixteen bits of it that are drawn from a mixture of logistic
//! distributions (van den Oord et al. 2018). The condition has a slow part, computed once a frame from what
//! is being played, and a fast part, the phases of some of the note's harmonics at every sample (as neural source-filter
//! models have it: Wang et al. 2019). [`WaveNet::forward`] is the parallel form, for training and for checking;
//! [`WaveNet::generator`] packs the weights for one sample at a time.

mod condition;
mod config;
pub mod mu_law;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Tensor};

pub use condition::{Condition, Tone};
pub use config::{Harmonics, Instrument, WaveNetConfig};

use crate::{
    Error, Result,
    kernels::{
        Level,
        conv::{ConvOptions, GatedLayer, conv1d, gated_stack},
        elementwise::Activation,
        wavenet::{self, LayerWeights, NetWeights, Network, Precision, Sizes},
    },
};

/// The name of the metadata entry that holds the configuration as JSON.
pub const METADATA: &str = "atelier.wavenet";

/// The most numbers that a voice may remember: 64 MiB.
const MOST_REMEMBERED: usize = 1 << 24;

/// The longest configuration, in bytes.
const MOST_METADATA: usize = 1 << 18;

/// How the sample before enters the first layer.
enum Entry {
    /// (classes, channels): a row for each class.
    Classes(Tensor),
    /// Weight and bias (channels) of the sample's value.
    Value(Tensor, Tensor),
}

/// The network in its parallel form.
pub struct WaveNet {
    config: WaveNetConfig,
    sizes: Sizes,
    condition: Condition,
    condition_layers: [(Tensor, Tensor); 2], // (hidden, features) and (slow, hidden), with their biases
    entry: Entry,
    layers: Vec<GatedLayer>,
    head: [(Tensor, Tensor); 2], // (skip, skip, 1) and (classes, skip, 1), with their biases
}

impl WaveNet {
    /// The network of a state dict: `embedding.weight` (classes, channels), or `input.{weight,bias}` (channels) of a network
    /// with mixtures; `condition.{0,2}.{weight,bias}`, the layers
    /// that make the slow condition; `layers.{i}.{tap,condition,mix,skip}.weight` and `.bias`; `head.{0,2}.{weight,bias}`.
    ///
    /// # Errors
    /// When the configuration makes no sense, or weights are missing or do not fit it.
    pub fn new(config: WaveNetConfig, tensors: &HashMap<String, Tensor>) -> Result<Self> {
        config.check()?;
        let get = |name: &str| -> Result<Tensor> {
            let found = tensors.get(name).ok_or_else(|| missing(name))?;
            found.to_dtype(DType::F32).and_then(|t| t.contiguous()).map_err(|why| failed(&why))
        };
        let shaped = |name: &str, shape: &[usize]| -> Result<Tensor> {
            let tensor = get(name)?;
            if tensor.elem_count() != shape.iter().product::<usize>() {
                return Err(misfit(name, tensor.dims(), shape));
            }
            tensor.reshape(shape).map_err(|why| failed(&why))
        };
        let (entry, channels) = if config.mixtures == 0 {
            let embedding = get("embedding.weight")?;
            let &[classes, channels] = embedding.dims() else {
                return Err(misfit("embedding.weight", embedding.dims(), &[]));
            };
            if classes != mu_law::CLASSES || channels == 0 {
                return Err(misfit("embedding.weight", embedding.dims(), &[mu_law::CLASSES, channels.max(1)]));
            }
            (Entry::Classes(embedding), channels)
        } else {
            let bias = get("input.bias")?;
            let channels = bias.elem_count();
            (Entry::Value(shaped("input.weight", &[channels])?, shaped("input.bias", &[channels])?), channels)
        };
        // What every voice remembers must be of a sensible size, whatever the file claims.
        let most = MOST_REMEMBERED / config.receptive_field();
        if channels == 0 || channels > most {
            return Err(misfit("layers.0.mix.weight", &[channels, channels], &[most, most]));
        }
        let outputs = config.outputs();
        let skip = get("head.0.bias")?.elem_count();
        let hidden = get("condition.0.bias")?.elem_count();
        let slow = get("condition.2.bias")?.elem_count();
        let numbers =
            |tensor: Tensor| tensor.flatten_all().and_then(|t| t.to_vec1::<f32>()).map_err(|why| failed(&why));
        let condition_layers = [
            (shaped("condition.0.weight", &[hidden, config.features()])?, get("condition.0.bias")?),
            (shaped("condition.2.weight", &[slow, hidden])?, get("condition.2.bias")?),
        ];
        let [(weight0, bias0), (weight1, bias1)] = condition_layers.clone();
        let condition =
            Condition::new(config.clone(), [numbers(weight0)?, numbers(bias0)?, numbers(weight1)?, numbers(bias1)?]);
        let fast = config.fast();
        let mut layers = Vec::with_capacity(config.dilations.len());
        for (index, &dilation) in config.dilations.iter().enumerate() {
            let named = |part: &str, shape: &[usize]| shaped(&format!("layers.{index}.{part}"), shape);
            layers.push(GatedLayer {
                tap_weight: named("tap.weight", &[2 * channels, channels, 2])?,
                tap_bias: named("tap.bias", &[2 * channels])?,
                condition_weight: Some(named("condition.weight", &[2 * channels, slow + fast])?),
                mix_weight: named("mix.weight", &[channels, channels])?,
                mix_bias: named("mix.bias", &[channels])?,
                skip: Some((named("skip.weight", &[skip, channels])?, named("skip.bias", &[skip])?)),
                dilation,
            });
        }
        let head = [
            (shaped("head.0.weight", &[skip, skip, 1])?, get("head.0.bias")?),
            (shaped("head.2.weight", &[outputs, skip, 1])?, shaped("head.2.bias", &[outputs])?),
        ];
        let sizes = Sizes {
            channels,
            skip,
            // The steps work on eight at a time.
            outputs: outputs.next_multiple_of(8),
            entry: if config.mixtures == 0 { wavenet::Entry::Classes } else { wavenet::Entry::Value },
            slow_condition: slow,
            fast_condition: fast,
            dilations: config.dilations.clone(),
        };
        Ok(Self { config, sizes, condition, condition_layers, entry, layers, head })
    }

    /// What it was made for.
    pub fn config(&self) -> &WaveNetConfig {
        &self.config
    }

    /// Its channels, skip channels, outputs and dilations.
    pub fn sizes(&self) -> &Sizes {
        &self.sizes
    }

    /// What computes its condition.
    pub fn condition(&self) -> &Condition {
        &self.condition
    }

    /// Number of weights.
    pub fn parameters(tensors: &HashMap<String, Tensor>) -> u64 {
        tensors.values().map(|tensor| tensor.elem_count() as u64).sum()
    }

    /// The slow condition (frames, slow) of features (frames, features), as [`Condition::slow`] has it; gradients pass
    /// through this one.
    ///
    /// # Errors
    /// When the shapes do not fit together.
    pub fn slow_condition(&self, features: &Tensor) -> candle_core::Result<Tensor> {
        let layer = |x: &Tensor, (weight, bias): &(Tensor, Tensor)| x.matmul(&weight.t()?)?.broadcast_add(bias)?.tanh();
        layer(&layer(features, &self.condition_layers[0])?, &self.condition_layers[1])
    }

    /// Outputs (N, [`WaveNetConfig::outputs`], T) for the sample at each moment, from the samples one moment before (N, T),
    /// classes as u32 or values as f32, and the condition (N, slow + fast, T). Nothing comes before the first moment.
    ///
    /// # Errors
    /// When the shapes do not fit together.
    pub fn forward(&self, before: &Tensor, condition: &Tensor) -> candle_core::Result<Tensor> {
        let (n, time) = before.dims2()?;
        let (channels, skip) = (self.sizes.channels, self.sizes.skip);
        let x = match &self.entry {
            Entry::Classes(rows) => {
                let x = rows.index_select(&before.flatten_all()?, 0)?.reshape((n, time, channels))?;
                x.transpose(1, 2)?.contiguous()?
            }
            Entry::Value(weight, bias) => {
                let [weight, bias] = [weight, bias].map(|part| part.reshape((1, channels, 1)));
                before.unsqueeze(1)?.broadcast_mul(&weight?)?.broadcast_add(&bias?)?
            }
        };
        let y = gated_stack(&x, &self.layers, Some(condition))?.narrow(1, channels, skip)?.contiguous()?.relu()?;
        let options = ConvOptions::default();
        let y = conv1d(&y, &self.head[0].0, Some(&self.head[0].1), &options, Activation::None)?.relu()?;
        conv1d(&y, &self.head[1].0, Some(&self.head[1].1), &options, Activation::None)
    }

    /// The network packed for generating one sample at a time.
    ///
    /// # Errors
    /// When its sizes are none that can be generated with.
    pub fn generator(&self, precision: Precision, level: Level) -> Result<Network> {
        self.packed(precision, level).map_err(|why| failed(&why))
    }

    fn packed(&self, precision: Precision, level: Level) -> candle_core::Result<Network> {
        let flat = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
        let tap = |tensor: &Tensor, at: usize| flat(&tensor.narrow(2, at, 1)?.contiguous()?);
        let mut layers = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            let mut packed = LayerWeights {
                old_tap: tap(&layer.tap_weight, 0)?,
                new_tap: tap(&layer.tap_weight, 1)?,
                tap_bias: flat(&layer.tap_bias)?,
                mix: flat(&layer.mix_weight)?,
                mix_bias: flat(&layer.mix_bias)?,
                ..LayerWeights::default()
            };
            if let Some(condition) = &layer.condition_weight {
                packed.condition = flat(condition)?;
            }
            if let Some((weight, bias)) = &layer.skip {
                (packed.skip, packed.skip_bias) = (flat(weight)?, flat(bias)?);
            }
            layers.push(packed);
        }
        let [(head0, head0_bias), (head1, head1_bias)] = &self.head;
        let entry = match &self.entry {
            Entry::Classes(rows) => flat(rows)?,
            Entry::Value(weight, bias) => [flat(weight)?, flat(bias)?].concat(),
        };
        let filled = |mut values: Vec<f32>, each: usize| {
            values.resize(self.sizes.outputs * each, 0.0);
            values
        };
        let weights = NetWeights {
            entry,
            layers,
            head0: flat(head0)?,
            head0_bias: flat(head0_bias)?,
            head1: filled(flat(head1)?, self.sizes.skip),
            head1_bias: filled(flat(head1_bias)?, 1),
        };
        Network::new(self.sizes.clone(), &weights, precision, level)
    }
}

/// Reads the configuration out of a file's metadata.
///
/// # Errors
/// When there is none, or it makes no sense.
pub fn config_of(metadata: &BTreeMap<String, String>) -> Result<WaveNetConfig> {
    let Some(text) = metadata.get(METADATA) else {
        return Err(Error::new(
            "This file holds no WaveNet of Atelier; choose a model that makes sound.",
            "该文件不是 Atelier 的 WaveNet 模型，请选择能发声的模型。",
        ));
    };
    let damaged = |why: &dyn std::fmt::Display| {
        Error::new(
            format!("The configuration in this model is damaged ({why}); download or train it again."),
            format!("该模型中的配置已损坏（{why}），请重新下载或训练。"),
        )
    };
    if text.len() > MOST_METADATA {
        return Err(damaged(&format!("{} kB", text.len() / 1_000)));
    }
    let config: WaveNetConfig = serde_json::from_str(text).map_err(|why| damaged(&why))?;
    config.check()?;
    Ok(config)
}

fn missing(name: &str) -> Error {
    Error::new(
        format!("The weights have no “{name}”; they may be cut short, or of another network."),
        format!("权重中没有“{name}”；文件可能不完整，或属于其他网络。"),
    )
}

fn misfit(name: &str, found: &[usize], wanted: &[usize]) -> Error {
    Error::new(
        format!("“{name}” has the shape {found:?} where {wanted:?} belongs; the weights are of another network."),
        format!("“{name}”的形状为 {found:?}，应为 {wanted:?}；权重属于其他网络。"),
    )
}

/// What the tensor library said, as a sentence.
fn failed(why: &candle_core::Error) -> Error {
    let why = why.to_string();
    let why = why.lines().next().unwrap_or_default();
    Error::new(
        format!("The network cannot be run: {why}; check that the weights are whole."),
        format!("无法运行网络：{why}；请检查权重是否完整。"),
    )
}
