//! The DCGAN of `atelier bench conv --all` (Radford et al. 2016): 64 × 64 images, 64 base channels, batch 64.

use candle_core::{Result, Tensor, Var};

use super::bench_conv::{Numbers, median_ms};
use crate::kernels::{
    conv::{ConvOptions, ConvWeight, Weight, conv_transpose2d, conv2d},
    elementwise::Activation,
    normalise::{Statistics, batch_norm},
    optim::{Adam, AdamSettings},
};

const BATCH: usize = 64;
const BASE: usize = 64;
const LATENT: usize = 100;
const EPSILON: f64 = 1e-5;

/// A convolution without bias and, in the middle of the network, a batch norm.
struct Layer {
    weight: Var,
    norm: Option<(Var, Var)>,
    options: ConvOptions,
    activation: Activation,
}

impl Layer {
    /// The weight times the norm's scale and the norm's shift, for evaluation with a mean of 0 and a variance of 1.
    fn folded(&self, transposed: bool) -> Result<(ConvWeight, Option<Tensor>)> {
        let weight = self.weight.as_detached_tensor();
        let Some((scale, shift)) = &self.norm else {
            return Ok((ConvWeight::fixed(&weight)?, None));
        };
        let scale = (scale.as_detached_tensor() / (1.0 + EPSILON).sqrt())?;
        let dims = if transposed { (1, scale.elem_count(), 1, 1) } else { (scale.elem_count(), 1, 1, 1) };
        let weight = weight.broadcast_mul(&scale.reshape(dims)?)?;
        Ok((ConvWeight::fixed(&weight)?, Some(shift.as_detached_tensor())))
    }
}

/// Layers one after another: a generator of transposed convolutions or a discriminator of plain ones.
struct Network {
    layers: Vec<Layer>,
    transposed: bool,
}

impl Network {
    fn generator(numbers: &mut Numbers) -> Result<Self> {
        let widths = [LATENT, 8 * BASE, 4 * BASE, 2 * BASE, BASE, 3];
        Self::new(numbers, &widths, true, |layer| match layer {
            0 => (ConvOptions::new(1, 0), Activation::LeakyRelu(0.0)),
            4 => (ConvOptions::new(2, 1), Activation::Tanh),
            _ => (ConvOptions::new(2, 1), Activation::LeakyRelu(0.0)),
        })
    }

    fn discriminator(numbers: &mut Numbers) -> Result<Self> {
        let widths = [3, BASE, 2 * BASE, 4 * BASE, 8 * BASE, 1];
        Self::new(numbers, &widths, false, |layer| match layer {
            4 => (ConvOptions::new(1, 0), Activation::None),
            _ => (ConvOptions::new(2, 1), Activation::LeakyRelu(0.2)),
        })
    }

    fn new(
        numbers: &mut Numbers,
        widths: &[usize],
        transposed: bool,
        of: impl Fn(usize) -> (ConvOptions, Activation),
    ) -> Result<Self> {
        let mut layers = Vec::new();
        for (index, pair) in widths.windows(2).enumerate() {
            let (options, activation) = of(index);
            let last = index + 2 == widths.len();
            let dims = if transposed { [pair[0], pair[1], 4, 4] } else { [pair[1], pair[0], 4, 4] };
            let ones = Tensor::ones(pair[1], candle_core::DType::F32, &candle_core::Device::Cpu)?;
            let norm = (!last && (transposed || index > 0))
                .then(|| {
                    Ok::<_, candle_core::Error>((Var::from_tensor(&ones)?, Var::from_tensor(&ones.zeros_like()?)?))
                })
                .transpose()?;
            layers.push(Layer { weight: numbers.weight(&dims)?, norm, options, activation });
        }
        Ok(Self { layers, transposed })
    }

    fn variables(&self) -> Vec<Var> {
        let of = |layer: &Layer| {
            let norm = layer.norm.iter().flat_map(|(scale, shift)| [scale.clone(), shift.clone()]);
            std::iter::once(layer.weight.clone()).chain(norm).collect::<Vec<_>>()
        };
        self.layers.iter().flat_map(of).collect()
    }

    fn convolve(
        &self,
        x: &Tensor,
        layer: &Layer,
        w: &impl Weight,
        b: Option<&Tensor>,
        f: Activation,
    ) -> Result<Tensor> {
        if self.transposed { conv_transpose2d(x, w, b, &layer.options, f) } else { conv2d(x, w, b, &layer.options, f) }
    }

    /// In training: norms by the statistics of the batch, which a trainer would average. `frozen` when only what runs
    /// before it is trained.
    fn forward(&self, x: &Tensor, frozen: bool, statistics: &mut Vec<Statistics>) -> Result<Tensor> {
        let read = |var: &Var| if frozen { var.as_detached_tensor() } else { var.as_tensor().clone() };
        self.layers.iter().try_fold(x.clone(), |x, layer| {
            let weight = read(&layer.weight);
            let Some((scale, shift)) = &layer.norm else {
                return self.convolve(&x, layer, &weight, None, layer.activation);
            };
            let y = self.convolve(&x, layer, &weight, None, Activation::None)?;
            let (y, of_batch) = batch_norm(&y, &read(scale), &read(shift), EPSILON, layer.activation)?;
            statistics.push(of_batch);
            Ok(y)
        })
    }
}

/// `−log σ(x)` or `−log (1 − σ(x))`, the mean.
fn cross_entropy(logits: &Tensor, real: bool) -> Result<Tensor> {
    let x = if real { logits.neg()? } else { logits.clone() };
    // log (1 + eˣ) without overflow.
    (x.relu()? + (x.abs()?.neg()?.exp()? + 1.0)?.log()?)?.mean_all()
}

/// Milliseconds of a training step of both networks, and of the generator in evaluation.
pub(super) fn measure(numbers: &mut Numbers, runs: usize) -> Result<(f64, f64)> {
    let (generator, discriminator) = (Network::generator(numbers)?, Network::discriminator(numbers)?);
    let settings = AdamSettings { learning_rate: 2e-4, beta1: 0.5, weight_decay: 0.0, ..AdamSettings::default() };
    let mut to_make = Adam::new(generator.variables(), settings)?;
    let mut to_tell = Adam::new(discriminator.variables(), settings)?;
    let images = numbers.tensor(&[BATCH, 3, 64, 64], 1.0)?;
    let noise = numbers.tensor(&[BATCH, LATENT, 1, 1], 1.0)?;
    let step = || {
        let mut seen = Vec::new();
        let made = generator.forward(&noise, false, &mut seen)?;
        let real = cross_entropy(&discriminator.forward(&images, false, &mut seen)?, true)?;
        let fake = cross_entropy(&discriminator.forward(&made.detach(), false, &mut seen)?, false)?;
        to_tell.step(&(real + fake)?.backward()?)?;
        let fooled = cross_entropy(&discriminator.forward(&made, true, &mut seen)?, true)?;
        to_make.step(&fooled.backward()?)
    };
    let step_ms = median_ms(runs, step)?;
    let folded: Vec<_> = generator.layers.iter().map(|layer| layer.folded(true)).collect::<Result<_>>()?;
    let inference_ms = median_ms(runs, || {
        generator.layers.iter().zip(&folded).try_fold(noise.clone(), |x, (layer, (weight, bias))| {
            generator.convolve(&x, layer, weight, bias.as_ref(), layer.activation)
        })
    })?;
    Ok((step_ms, inference_ms))
}
