//! From latent vectors to pictures.

use candle_core::{Result as TensorResult, Tensor};

use super::{DcganConfig, Tensors, shaped, tensor};
use crate::{
    Result,
    kernels::{
        conv::{ConvOptions, ConvWeight, Weight as _, conv_transpose2d},
        elementwise::Activation,
        normalise::{Statistics, batch_norm},
    },
};

const EPSILON: f64 = 1e-5;

/// The generator, in training or in evaluation.
pub struct Generator {
    layers: Vec<Layer>,
}

struct Layer {
    weight: ConvWeight,
    /// Scale and shift of the norm; in evaluation they are in `weight` and `bias` already.
    norm: Option<(Tensor, Tensor)>,
    bias: Option<Tensor>,
    options: ConvOptions,
    activation: Activation,
}

impl Generator {
    /// In training, where norms use the statistics of a batch.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
    pub fn in_training(config: &DcganConfig, tensors: &Tensors) -> Result<Self> {
        let layers = config.generator_weights();
        let mut made = Vec::new();
        for (name, shape, _) in layers.iter().filter(|(_, shape, _)| shape.len() == 4) {
            let layer = made.len();
            let norm = (layer < config.widths.len())
                .then(|| {
                    let part = |part: &str| shaped(tensors, &format!("main.{}.{part}", 3 * layer + 1), &[shape[1]]);
                    Ok::<_, crate::Error>((part("weight")?, part("bias")?))
                })
                .transpose()?;
            made.push(Layer {
                weight: shaped(tensors, name, shape)?.into(),
                options: if layer == 0 { ConvOptions::new(1, 0) } else { ConvOptions::new(2, 1) },
                activation: if norm.is_some() { Activation::LeakyRelu(0.0) } else { Activation::Tanh },
                norm,
                bias: None,
            });
        }
        Ok(Self { layers: made })
    }

    /// In evaluation, where norms use the statistics that training left behind and become part of the convolutions.
    ///
    /// # Errors
    /// As [`Self::in_training`].
    pub fn new(config: &DcganConfig, tensors: &Tensors) -> Result<Self> {
        let mut generator = Self::in_training(config, tensors)?;
        for (index, layer) in generator.layers.iter_mut().enumerate() {
            let Some((scale, shift)) = layer.norm.take() else {
                let name = format!("main.{}.bias", 3 * index);
                layer.bias = tensors.contains_key(&name).then(|| tensor(tensors, &name).cloned()).transpose()?;
                layer.weight = ConvWeight::fixed(layer.weight.tensor()).map_err(|why| failed(&why))?;
                continue;
            };
            let channels = scale.dims();
            let running = |part: &str| shaped(tensors, &format!("main.{}.running_{part}", 3 * index + 1), channels);
            let (mean, variance) = (running("mean")?, running("var")?);
            // The convolution's own bias, of networks that have one beside the norm's.
            let own = tensors.get(&format!("main.{}.bias", 3 * index));
            let fold = || -> TensorResult<(ConvWeight, Tensor)> {
                let mean = own.map_or_else(|| Ok(mean.clone()), |own| &mean - own)?;
                let scale = (scale / (variance + EPSILON)?.sqrt()?)?;
                let bias = (&shift - (mean * &scale)?)?;
                let weight = layer.weight.tensor().broadcast_mul(&scale.reshape((1, scale.elem_count(), 1, 1))?)?;
                Ok((ConvWeight::fixed(&weight)?, bias))
            };
            let (weight, bias) = fold().map_err(|why| failed(&why))?;
            layer.weight = weight;
            layer.bias = Some(bias);
        }
        Ok(generator)
    }

    /// (N, inputs) to pictures (N, channels, side, side) in −1..1.
    ///
    /// # Errors
    /// When `z` has another shape.
    pub fn forward(&self, z: &Tensor) -> TensorResult<Tensor> {
        Ok(self.run(z)?.0)
    }

    /// The same, with a hand in it: `hand` gets what each layer but the last makes, (N, channels, H, W) before its
    /// activation, with the layer's number, and says what goes on.
    ///
    /// # Errors
    /// When `z` has another shape, or `hand` fails.
    pub fn forward_with(
        &self,
        z: &Tensor,
        mut hand: impl FnMut(usize, Tensor) -> TensorResult<Tensor>,
    ) -> TensorResult<Tensor> {
        let (n, inputs) = z.dims2()?;
        let mut x = z.reshape((n, inputs, 1, 1))?;
        for (index, layer) in self.layers.iter().enumerate() {
            let bias = layer.bias.as_ref();
            if index + 1 == self.layers.len() {
                return conv_transpose2d(&x, &layer.weight, bias, &layer.options, layer.activation);
            }
            let y = conv_transpose2d(&x, &layer.weight, bias, &layer.options, Activation::None)?;
            x = layer.activation.forward(&hand(index, y)?)?;
        }
        Ok(x)
    }

    /// The same in training, with the statistics of each norm.
    ///
    /// # Errors
    /// When `z` has another shape.
    pub fn run(&self, z: &Tensor) -> TensorResult<(Tensor, Vec<Statistics>)> {
        let (n, inputs) = z.dims2()?;
        self.run_map(&z.reshape((n, inputs, 1, 1))?)
    }

    /// The same generator run on maps: a first layer that only looks at whole surroundings, 4 × 4, makes 3 places less
    /// each way.
    #[must_use]
    pub(in crate::nets) fn on_maps(mut self) -> Self {
        if let Some(first) = self.layers.first_mut() {
            first.options = ConvOptions::new(1, 3);
        }
        self
    }

    /// Of maps (N, inputs, H, W), with the statistics of each norm.
    pub(in crate::nets) fn run_map(&self, x: &Tensor) -> TensorResult<(Tensor, Vec<Statistics>)> {
        let mut x = x.clone();
        let mut statistics = Vec::new();
        for layer in &self.layers {
            let bias = layer.bias.as_ref();
            match &layer.norm {
                None => x = conv_transpose2d(&x, &layer.weight, bias, &layer.options, layer.activation)?,
                Some((scale, shift)) => {
                    let y = conv_transpose2d(&x, &layer.weight, bias, &layer.options, Activation::None)?;
                    let (y, of_batch) = batch_norm(&y, scale, shift, EPSILON, layer.activation)?;
                    statistics.push(of_batch);
                    x = y;
                }
            }
        }
        Ok((x, statistics))
    }
}

fn failed(why: &candle_core::Error) -> crate::Error {
    crate::Error::new(why.to_string(), why.to_string())
}
