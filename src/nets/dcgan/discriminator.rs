//! From pictures to how real they look.

use candle_core::{Result as TensorResult, Tensor};

use super::{DcganConfig, Tensors, shaped, tensor};
use crate::{
    Error, Result,
    kernels::{
        conv::{ConvOptions, conv2d},
        elementwise::Activation,
        normalise::batch_norm,
    },
};

const ACTIVATION: Activation = Activation::LeakyRelu(0.2);
const EPSILON: f64 = 1e-5;

/// The discriminator, in training: its norms, in all layers but the first, use the statistics of the batch. Real pictures
/// and drawn ones should be batches of their own: a generator that always draws the same stands out then.
pub struct Discriminator {
    /// Weight, scale and shift of each layer; the first has no scale.
    layers: Vec<(Tensor, Option<Tensor>, Tensor)>,
    score: Tensor,
    class: Option<Tensor>,
}

impl Discriminator {
    /// Of weights as [`DcganConfig::discriminator_weights`] names them.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
    pub fn new(config: &DcganConfig, tensors: &Tensors) -> Result<Self> {
        for (name, shape, _) in &config.discriminator_weights() {
            shaped(tensors, name, shape)?;
        }
        let get = |name: String| tensor(tensors, &name).cloned();
        let layer = |layer: usize| {
            let scale = (layer > 0).then(|| get(format!("norms.{layer}.weight"))).transpose()?;
            Ok::<_, Error>((get(format!("layers.{layer}.weight"))?, scale, get(format!("norms.{layer}.bias"))?))
        };
        let layers = (0..config.widths.len()).map(layer).collect::<Result<_>>()?;
        let class = (!config.classes.is_empty()).then(|| get("class.weight".to_owned())).transpose()?;
        Ok(Self { layers, score: get("score.weight".to_owned())?, class })
    }

    /// Pictures (N, channels, side, side) in −1..1 with their classes, one-hot (N, classes), to scores (N, 1), logits of
    /// being real.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn forward(&self, pictures: &Tensor, classes: Option<&Tensor>) -> TensorResult<Tensor> {
        let x = self.features(pictures)?;
        let score = x.flatten_from(1)?.matmul(&self.score.t()?)?;
        match self.class_score(&x, classes)? {
            Some(of_class) => score + of_class,
            None => Ok(score),
        }
    }

    /// What the last layer sees: (N, width, side / 2ⁿ, side / 2ⁿ).
    fn features(&self, pictures: &Tensor) -> TensorResult<Tensor> {
        let (mut x, options) = (pictures.clone(), ConvOptions::new(2, 1));
        for (weight, scale, shift) in &self.layers {
            x = match scale {
                None => conv2d(&x, weight, Some(shift), &options, ACTIVATION)?,
                Some(scale) => {
                    let y = conv2d(&x, weight, None, &options, Activation::None)?;
                    batch_norm(&y, scale, shift, EPSILON, ACTIVATION)?.0
                }
            };
        }
        Ok(x)
    }

    /// How well features fit classes, one-hot: (N, 1).
    fn class_score(&self, x: &Tensor, classes: Option<&Tensor>) -> TensorResult<Option<Tensor>> {
        let (Some(weight), Some(classes)) = (&self.class, classes) else { return Ok(None) };
        // (N, width)
        let seen = x.flatten_from(2)?.mean(2)?;
        (classes.matmul(weight)? * seen)?.sum_keepdim(1).map(Some)
    }
}
