//! From pictures to how real they look.

use candle_core::{Result as TensorResult, Tensor};

use super::{Block, R3ganConfig, Tensors, pointwise, shaped};
use crate::{Result, kernels::resample::downsample2d};

/// The critic.
pub struct Critic {
    first: Tensor, // (width, channels, 1, 1)
    stages: Vec<Stage>,
    basis: Tensor,  // (width, 1, 4, 4)
    linear: Tensor, // (embedding or 1, width)
    /// Of a critic that has classes.
    embedding: Option<Tensor>, // (embedding, classes)
}

struct Stage {
    blocks: Vec<Block>,
    /// To the next stage's channels, where they are others.
    change: Option<Tensor>, // (after, width, 1, 1)
}

impl Critic {
    /// Of weights as [`R3ganConfig::critic_weights`] names them.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
    pub fn new(config: &R3ganConfig, tensors: &Tensors) -> Result<Self> {
        for (name, shape, _) in config.critic_weights() {
            shaped(tensors, &name, &shape)?;
        }
        let get = |name: String| tensors.get(&name).cloned();
        let last = config.widths.len().saturating_sub(1);
        let stage = |(stage, width): (usize, &usize)| {
            let block = |block: usize| Block::new(tensors, &config.block(stage, block), config, *width);
            let change = format!("MainLayers.{stage}.Layers.{}.LinearLayer.Layer.weight", config.blocks);
            Ok(Stage {
                blocks: (0..config.blocks).map(block).collect::<Result<_>>()?,
                change: get(change).filter(|_| stage < last),
            })
        };
        let widths: Vec<usize> = config.widths.iter().rev().copied().collect();
        let end = format!("MainLayers.{last}.Layers.{}", config.blocks);
        let [first, deepest] = [widths.first(), widths.last()].map(|width| width.copied().unwrap_or_default());
        Ok(Self {
            first: shaped(tensors, "ExtractionLayer.Layer.weight", &[first, config.channels, 1, 1])?,
            stages: widths.iter().enumerate().map(stage).collect::<Result<_>>()?,
            basis: shaped(tensors, &format!("{end}.Basis.weight"), &[deepest, 1, 4, 4])?,
            linear: shaped(tensors, &format!("{end}.LinearLayer.weight"), &[config.outputs(), deepest])?,
            embedding: get("EmbeddingLayer.weight".to_owned()).filter(|_| !config.classes.is_empty()),
        })
    }

    /// Pictures (N, channels, side, side) with their classes, one-hot (N, classes), to scores (N, 1).
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn forward(&self, pictures: &Tensor, classes: Option<&Tensor>) -> TensorResult<Tensor> {
        let mut x = pointwise(pictures, &self.first)?;
        for (index, stage) in self.stages.iter().enumerate() {
            for block in &stage.blocks {
                x = block.forward(&x)?;
            }
            if index + 1 < self.stages.len() {
                x = downsample2d(&x)?;
                if let Some(change) = &stage.change {
                    x = pointwise(&x, change)?;
                }
            }
        }
        // A weighted sum of each channel's 4 × 4.
        let basis = self.basis.flatten_from(1)?.unsqueeze(0)?;
        let seen = x.flatten_from(2)?.broadcast_mul(&basis)?.sum(2)?;
        let scores = seen.matmul(&self.linear.t()?)?;
        match (&self.embedding, classes) {
            (Some(embedding), Some(classes)) => (scores * classes.matmul(&embedding.t()?)?)?.sum_keepdim(1),
            _ => Ok(scores),
        }
    }
}
