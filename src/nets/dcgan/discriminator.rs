//! From pictures to how real they look.

use candle_core::{Result as TensorResult, Tensor};

use super::{DcganConfig, Tensors, shaped};
use crate::{
    Result,
    kernels::{
        conv::{ConvOptions, conv2d},
        elementwise::Activation,
    },
};

const SLOPE: f32 = 0.2;
/// Pictures that are compared with each other.
const GROUP: usize = 8;

/// The discriminator.
pub struct Discriminator {
    layers: Vec<(Tensor, Tensor)>,
    score: Tensor,
    class: Option<Tensor>,
}

impl Discriminator {
    /// Of weights as [`DcganConfig::discriminator_weights`] names them.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
    pub fn new(config: &DcganConfig, tensors: &Tensors) -> Result<Self> {
        let mut all = Vec::new();
        for (name, shape, _) in config.discriminator_weights() {
            all.push((name.clone(), shaped(tensors, &name, &shape)?));
        }
        let mut take = |name: &str| all.iter().position(|(other, _)| other == name).map(|at| all.swap_remove(at).1);
        let class = take("class.weight");
        let score = take("score.weight");
        let layers = (0..config.widths.len())
            .filter_map(|layer| take(&format!("layers.{layer}.weight")).zip(take(&format!("layers.{layer}.bias"))))
            .collect();
        let score = score.ok_or_else(|| crate::Error::new("There is no score.", "缺少打分层。"))?;
        Ok(Self { layers, score, class })
    }

    /// Pictures (N, channels, side, side) in −1..1 with their classes, one-hot (N, classes), to scores (N, 1): above 0 when
    /// they look real. Neighbours in the batch are seen together, eight at a time: how much they differ tells whether they
    /// come from a generator that always draws the same (minibatch deviation, Karras et al., 2018).
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn forward(&self, pictures: &Tensor, classes: Option<&Tensor>) -> TensorResult<Tensor> {
        let mut x = pictures.clone();
        for (weight, bias) in &self.layers {
            x = conv2d(&x, weight, Some(bias), &ConvOptions::new(2, 1), Activation::LeakyRelu(SLOPE))?;
        }
        let deviation = deviation(&x)?;
        let score = Tensor::cat(&[&x.flatten_from(1)?, &deviation], 1)?.matmul(&self.score.t()?)?;
        let (Some(weight), Some(classes)) = (&self.class, classes) else { return Ok(score) };
        // (N, width)
        let seen = x.flatten_from(2)?.mean(2)?;
        score + (classes.matmul(weight)? * seen)?.sum_keepdim(1)?
    }
}

/// The mean deviation of features (N, C, 4, 4) within each group, for each of its pictures: (N, 1).
fn deviation(x: &Tensor) -> TensorResult<Tensor> {
    let n = x.dim(0)?;
    let group = (1..=GROUP.min(n)).rev().find(|group| n.is_multiple_of(*group)).unwrap_or(1);
    let x = x.flatten_from(1)?.reshape((n / group, group, ()))?;
    let apart = x.broadcast_sub(&x.mean_keepdim(1)?)?;
    let deviation = (apart.sqr()?.mean(1)? + 1e-8)?.sqrt()?.mean_keepdim(1)?;
    deviation.unsqueeze(1)?.broadcast_as((n / group, group, 1))?.reshape((n, 1))
}
