//! From latent vectors to pictures.

use candle_core::{Result as TensorResult, Tensor};

use super::{Block, R3ganConfig, Tensors, pointwise, shaped};
use crate::{Result, kernels::resample::upsample2d};

/// The generator.
pub struct Generator {
    /// What the picture begins with, 4 × 4, and the weights that latent numbers change it by.
    basis: Tensor, // (width, 4, 4)
    linear: Tensor, // (width, inputs)
    /// Of a generator that has classes.
    embedding: Option<Tensor>, // (embedding, classes)
    stages: Vec<Stage>,
    last: Tensor, // (channels, width, 1, 1)
    latent: usize,
}

struct Stage {
    /// To the stage's channels, where they are others than the last stage's.
    change: Option<Tensor>, // (width, before, 1, 1)
    blocks: Vec<Block>,
}

impl Generator {
    /// Of weights as [`R3ganConfig::generator_weights`] names them.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
    pub fn new(config: &R3ganConfig, tensors: &Tensors) -> Result<Self> {
        for (name, shape, _) in config.generator_weights() {
            shaped(tensors, &name, &shape)?;
        }
        let get = |name: String| tensors.get(&name).cloned();
        let stage = |(stage, width): (usize, &usize)| {
            let block = |block: usize| Block::new(tensors, &config.block(stage, block + 1), config, *width);
            Ok(Stage {
                change: get(format!("MainLayers.{stage}.Layers.0.LinearLayer.Layer.weight")).filter(|_| stage > 0),
                blocks: (0..config.blocks).map(block).collect::<Result<_>>()?,
            })
        };
        let [first, last] =
            [config.widths.first(), config.widths.last()].map(|width| width.copied().unwrap_or_default());
        Ok(Self {
            basis: shaped(tensors, "MainLayers.0.Layers.0.Basis", &[first, 4, 4])?,
            linear: shaped(tensors, "MainLayers.0.Layers.0.LinearLayer.weight", &[first, config.inputs()])?,
            embedding: get("EmbeddingLayer.weight".to_owned()).filter(|_| !config.classes.is_empty()),
            stages: config.widths.iter().enumerate().map(stage).collect::<Result<_>>()?,
            last: shaped(tensors, "AggregationLayer.Layer.weight", &[config.channels, last, 1, 1])?,
            latent: config.latent,
        })
    }

    /// (N, latent and classes, one-hot) to pictures (N, channels, side, side), about −1..1.
    ///
    /// # Errors
    /// When `z` has another shape.
    pub fn forward(&self, z: &Tensor) -> TensorResult<Tensor> {
        self.forward_with(z, |_, x| Ok(x))
    }

    /// The same, with a hand in it: `hand` gets what each stage makes, (N, channels, H, W), with the stage's number, and
    /// says what goes on.
    ///
    /// # Errors
    /// When `z` has another shape, or `hand` fails.
    pub fn forward_with(
        &self,
        z: &Tensor,
        mut hand: impl FnMut(usize, Tensor) -> TensorResult<Tensor>,
    ) -> TensorResult<Tensor> {
        let (n, inputs) = z.dims2()?;
        let mut numbers = z.narrow(1, 0, self.latent.min(inputs))?.contiguous()?;
        if let Some(embedding) = &self.embedding {
            let classes = z.narrow(1, self.latent, inputs - self.latent)?.contiguous()?;
            numbers = Tensor::cat(&[&numbers, &classes.matmul(&embedding.t()?)?], 1)?;
        }
        let scales = numbers.matmul(&self.linear.t()?)?.reshape((n, self.linear.dim(0)?, 1, 1))?;
        // (N, width, 4, 4)
        let mut x = scales.broadcast_mul(&self.basis.unsqueeze(0)?)?;
        for (index, stage) in self.stages.iter().enumerate() {
            if let Some(change) = &stage.change {
                x = pointwise(&x, change)?;
            }
            if index > 0 {
                x = upsample2d(&x)?;
            }
            for block in &stage.blocks {
                x = block.forward(&x)?;
            }
            x = hand(index, x)?;
        }
        pointwise(&x, &self.last)
    }
}
