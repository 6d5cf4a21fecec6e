//! From textures to how real each patch looks.

use std::collections::HashMap;

use candle_core::{Result as TensorResult, Tensor};

use super::PsganConfig;
use crate::{
    Result,
    kernels::{
        conv::{ConvOptions, conv2d},
        elementwise::Activation,
    },
    nets::dcgan::Discriminator,
};

/// The critic, in training: a DCGAN's discriminator with a score for each patch.
pub struct Critic {
    layers: Discriminator,
    score: Tensor, // (1, width, 4, 4)
}

impl Critic {
    /// Of weights as [`PsganConfig::critic_weights`] names them.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
    pub fn new(config: &PsganConfig, tensors: &HashMap<String, Tensor>) -> Result<Self> {
        let (layers, score) = Discriminator::with_score(&config.layers(), tensors, &config.critic_weights())?;
        Ok(Self { layers, score })
    }

    /// Pictures (N, channels, H, W) in −1..1 with their classes, one-hot (N, classes), to scores (N, 1, h, w), logits of
    /// patches being real; the class is judged by the whole.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn forward(&self, pictures: &Tensor, classes: Option<&Tensor>) -> TensorResult<Tensor> {
        let features = self.layers.features(pictures)?;
        let scores = conv2d(&features, &self.score, None, &ConvOptions::default(), Activation::None)?;
        match self.layers.class_score(&features, classes)? {
            // (N, 1)
            Some(score) => scores.broadcast_add(&score.unsqueeze(2)?.unsqueeze(3)?),
            None => Ok(scores),
        }
    }
}
