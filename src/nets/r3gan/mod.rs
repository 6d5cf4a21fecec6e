//! A generator and a critic in the manner of R3GAN (Huang et al., "The GAN is dead; long live the GAN! A Modern GAN
//! Baseline", 2024): no norms; grouped residual blocks with inverted bottlenecks; resampling through [1, 2, 1]; and the
//! relativistic pairing loss with the penalties R1 and R2, which the trainer adds.
//!
//! Tensors have the names that the authors' code gives them: `MainLayers.{stage}.Layers.{layer}.…`, where a generator's
//! stage begins with its transition and a critic's ends with it.

mod chain;
mod config;
mod critic;
mod generator;
mod learn;
#[cfg(test)]
mod tests;

pub use chain::{Numbers, numbers, zeros};
pub use config::R3ganConfig;
pub use critic::Critic;
pub use generator::Generator;
pub use learn::{CriticPasses, GeneratorPasses};

use std::collections::HashMap;

use candle_core::{Result as TensorResult, Tensor};

use crate::{
    Error, Result,
    kernels::{
        conv::{ConvOptions, conv2d},
        elementwise::Activation,
    },
};

/// Tensors by name.
type Tensors = HashMap<String, Tensor>;

/// After every bias inside a block.
const ACTIVATION: Activation = Activation::LeakyRelu(0.2);

/// A residual block: 1 × 1 to more channels, 3 × 3 in groups, 1 × 1 back.
struct Block {
    widen: Tensor,       // (expanded, width, 1, 1)
    grouped: Tensor,     // (expanded, expanded / groups, 3, 3)
    narrow: Tensor,      // (width, expanded, 1, 1)
    biases: [Tensor; 2], // (expanded)
    groups: usize,
}

impl Block {
    fn new(tensors: &Tensors, name: &str, config: &R3ganConfig, width: usize) -> Result<Self> {
        let (expanded, groups) = (width * config.expansion, config.groups(width));
        let get = |part: &str, shape: &[usize]| shaped(tensors, &format!("{name}.{part}"), shape);
        Ok(Self {
            widen: get("LinearLayer1.Layer.weight", &[expanded, width, 1, 1])?,
            grouped: get("LinearLayer2.Layer.weight", &[expanded, expanded / groups, 3, 3])?,
            narrow: get("LinearLayer3.Layer.weight", &[width, expanded, 1, 1])?,
            biases: [get("NonLinearity1.Bias", &[expanded])?, get("NonLinearity2.Bias", &[expanded])?],
            groups,
        })
    }

    /// The same shape.
    fn forward(&self, x: &Tensor) -> TensorResult<Tensor> {
        let plain = ConvOptions::default();
        let y = conv2d(x, &self.widen, Some(&self.biases[0]), &plain, ACTIVATION)?;
        let y = conv2d(
            &y,
            &self.grouped,
            Some(&self.biases[1]),
            &ConvOptions::new(1, 1).with_groups(self.groups),
            ACTIVATION,
        )?;
        x + conv2d(&y, &self.narrow, None, &plain, Activation::None)?
    }
}

/// A convolution of 1 × 1 without a bias.
fn pointwise(x: &Tensor, weight: &Tensor) -> TensorResult<Tensor> {
    conv2d(x, weight, None, &ConvOptions::default(), Activation::None)
}

/// A tensor of this shape.
fn shaped(tensors: &Tensors, name: &str, shape: &[usize]) -> Result<Tensor> {
    match tensors.get(name) {
        Some(tensor) if tensor.dims() == shape => Ok(tensor.clone()),
        Some(tensor) => {
            let dims = tensor.dims();
            Err(Error::new(
                format!("“{name}” has the shape {dims:?} instead of {shape:?}; the weights are of another network."),
                format!("“{name}”的形状为 {dims:?}，应为 {shape:?}；权重属于其他网络。"),
            ))
        }
        None => Err(Error::new(
            format!("The weights have no “{name}”; they may be cut short, or of another network."),
            format!("权重中没有“{name}”；文件可能不完整，或属于其他网络。"),
        )),
    }
}
