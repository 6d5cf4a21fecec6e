//! The sizes of an R3GAN.

use super::Tensors;
use crate::{
    Error, Result,
    nets::dcgan::{ClassName, classes_of},
};

/// The mean square gain of a leaky ReLU of slope 0.2.
const GAIN: f64 = 1.386_750_490_563_073;
/// More stages than memory has room for: 4 · 2⁸ = 1024 pixels.
const MOST_STAGES: usize = 9;

/// The sizes, and the names of the classes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct R3ganConfig {
    /// Numbers of the latent vector, without the class.
    pub latent: usize,
    /// Channels of a picture: 1 is grey, 3 colour.
    pub channels: usize,
    /// Channels at 4 × 4, 8 × 8 and so on up to the picture's size.
    pub widths: Vec<usize>,
    /// Residual blocks of each stage.
    pub blocks: usize,
    /// Channels inside a block, of those around it.
    pub expansion: usize,
    /// Channels of a group of the 3 × 3 convolutions.
    pub group: usize,
    /// Numbers that a class becomes.
    pub embedding: usize,
    /// None when there are no classes.
    pub classes: Vec<ClassName>,
}

/// Names, shapes, and the standard deviations that weights begin with; without one they begin with 1.
pub(super) type Weights = Vec<(String, Vec<usize>, Option<f64>)>;

impl R3ganConfig {
    /// Width and height of a picture in pixels.
    pub fn side(&self) -> usize {
        2 << self.widths.len()
    }

    /// Numbers that go into the first layer: the latent vector and what the class becomes.
    pub fn inputs(&self) -> usize {
        self.latent + if self.classes.is_empty() { 0 } else { self.embedding }
    }

    /// Groups of a block's 3 × 3 convolution between stages of `width` channels.
    pub fn groups(&self, width: usize) -> usize {
        (width * self.expansion / self.group.max(1)).max(1)
    }

    /// Whether the sizes fit together.
    pub fn is_whole(&self) -> bool {
        let fits = |width: &usize| *width > 0 && (width * self.expansion).is_multiple_of(self.groups(*width));
        (1..=MOST_STAGES).contains(&self.widths.len())
            && self.widths.iter().all(fits)
            && self.blocks > 0
            && self.expansion > 0
            && self.group > 0
    }

    /// Numbers that the critic's last layer makes.
    pub(super) fn outputs(&self) -> usize {
        if self.classes.is_empty() { 1 } else { self.embedding }
    }

    pub(super) fn block(&self, stage: usize, layer: usize) -> String {
        format!("MainLayers.{stage}.Layers.{layer}")
    }

    /// Whether tensors look like such a generator's.
    pub fn fits(tensors: &Tensors) -> bool {
        tensors.get("MainLayers.0.Layers.0.Basis").is_some_and(|basis| basis.rank() == 3)
    }

    /// The sizes found in a generator's tensors; `metadata` is what the file says beside them, as a DCGAN's does.
    ///
    /// # Errors
    /// When they are no such generator's.
    pub fn of_tensors(tensors: &Tensors, metadata: Option<&str>) -> Result<Self> {
        let dims = |name: &str| tensors.get(name).map(|tensor| tensor.dims().to_vec()).ok_or_else(foreign);
        let four = |name: &str| <[usize; 4]>::try_from(dims(name)?).map_err(|_| foreign());
        let two = |name: &str| <[usize; 2]>::try_from(dims(name)?).map_err(|_| foreign());
        let [_, inputs] = two("MainLayers.0.Layers.0.LinearLayer.weight")?;
        let (embedding, count) = match tensors.contains_key("EmbeddingLayer.weight") {
            true => two("EmbeddingLayer.weight").map(|[embedding, classes]| (embedding, classes))?,
            false => (0, 0),
        };
        let mut classes = classes_of(metadata)?;
        if classes.len() != count {
            let name = |class: usize| ClassName { en: format!("{class}"), zh: format!("{class}") };
            classes = (0..count.min(10_000)).map(name).collect();
        }
        let widen = |stage: usize, layer: usize| format!("MainLayers.{stage}.Layers.{layer}.LinearLayer1.Layer.weight");
        let mut widths = Vec::new();
        while widths.len() < MOST_STAGES && tensors.contains_key(&widen(widths.len(), 1)) {
            widths.push(four(&widen(widths.len(), 1))?[1]);
        }
        let blocks = (1..).take_while(|layer| tensors.contains_key(&widen(0, *layer))).count();
        let [expanded, width, ..] = four(&widen(0, 1))?;
        let [_, group, ..] = four("MainLayers.0.Layers.1.LinearLayer2.Layer.weight")?;
        let [channels, ..] = four("AggregationLayer.Layer.weight")?;
        let config = Self {
            latent: inputs.checked_sub(embedding).filter(|latent| *latent > 0).ok_or_else(foreign)?,
            channels,
            widths,
            blocks,
            expansion: expanded / width.max(1),
            group,
            embedding,
            classes,
        };
        if !config.is_whole() || !matches!(channels, 1 | 3) {
            return Err(foreign());
        }
        Ok(config)
    }

    fn block_weights(&self, name: &str, width: usize, weights: &mut Weights) {
        let (expanded, inner) = (width * self.expansion, width * self.expansion / self.groups(width));
        // The variance of a sum of blocks stays that of one; the last layer begins with nothing.
        let blocks = (self.widths.len() * self.blocks) as f64;
        let gain = GAIN * blocks.powf(-0.25);
        let deviation = |inputs: usize| Some(gain / (inputs as f64).sqrt());
        weights.push((format!("{name}.LinearLayer1.Layer.weight"), vec![expanded, width, 1, 1], deviation(width)));
        weights.push((format!("{name}.NonLinearity1.Bias"), vec![expanded], Some(0.0)));
        let shape = vec![expanded, inner, 3, 3];
        weights.push((format!("{name}.LinearLayer2.Layer.weight"), shape, deviation(9 * inner)));
        weights.push((format!("{name}.NonLinearity2.Bias"), vec![expanded], Some(0.0)));
        weights.push((format!("{name}.LinearLayer3.Layer.weight"), vec![width, expanded, 1, 1], Some(0.0)));
    }

    /// Every weight of the generator with its shape and the standard deviation that it begins with.
    pub fn generator_weights(&self) -> Weights {
        let mut weights = Vec::new();
        let unit = |inputs: usize| Some(1.0 / (inputs as f64).sqrt());
        for (stage, width) in self.widths.iter().enumerate() {
            let begin = self.block(stage, 0);
            match stage.checked_sub(1).map(|before| self.widths[before]) {
                None => {
                    weights.push((format!("{begin}.Basis"), vec![*width, 4, 4], Some(1.0)));
                    let inputs = self.inputs();
                    weights.push((format!("{begin}.LinearLayer.weight"), vec![*width, inputs], unit(inputs)));
                }
                Some(before) if before != *width => {
                    let shape = vec![*width, before, 1, 1];
                    weights.push((format!("{begin}.LinearLayer.Layer.weight"), shape, unit(before)));
                }
                Some(_) => {}
            }
            for block in 0..self.blocks {
                self.block_weights(&self.block(stage, block + 1), *width, &mut weights);
            }
        }
        let last = self.widths.last().copied().unwrap_or_default();
        weights.push(("AggregationLayer.Layer.weight".to_owned(), vec![self.channels, last, 1, 1], unit(last)));
        self.embedding_weights(&mut weights);
        weights
    }

    /// The same of the critic.
    pub fn critic_weights(&self) -> Weights {
        let mut weights = Vec::new();
        let unit = |inputs: usize| Some(1.0 / (inputs as f64).sqrt());
        let widths: Vec<usize> = self.widths.iter().rev().copied().collect();
        let first = widths.first().copied().unwrap_or_default();
        let shape = vec![first, self.channels, 1, 1];
        weights.push(("ExtractionLayer.Layer.weight".to_owned(), shape, unit(self.channels)));
        for (stage, width) in widths.iter().enumerate() {
            for block in 0..self.blocks {
                self.block_weights(&self.block(stage, block), *width, &mut weights);
            }
            let end = self.block(stage, self.blocks);
            match widths.get(stage + 1) {
                None => {
                    weights.push((format!("{end}.Basis.weight"), vec![*width, 1, 4, 4], Some(0.25)));
                    weights.push((format!("{end}.LinearLayer.weight"), vec![self.outputs(), *width], unit(*width)));
                }
                Some(after) if after != width => {
                    let shape = vec![*after, *width, 1, 1];
                    weights.push((format!("{end}.LinearLayer.Layer.weight"), shape, unit(*width)));
                }
                Some(_) => {}
            }
        }
        self.embedding_weights(&mut weights);
        weights
    }

    fn embedding_weights(&self, weights: &mut Weights) {
        if !self.classes.is_empty() {
            let shape = vec![self.embedding, self.classes.len()];
            // Of a one-hot vector: the deviation of each number is that of the weight.
            weights.push(("EmbeddingLayer.weight".to_owned(), shape, Some(1.0)));
        }
    }
}

fn foreign() -> Error {
    Error::new(
        "These weights are of no R3GAN generator for grey or colour pictures; choose another file.",
        "这些权重不是输出灰度或彩色图片的 R3GAN 生成器，请另选文件。",
    )
}
