//! The sizes of a PSGAN.

use std::collections::HashMap;

use candle_core::Tensor;

use super::MARGIN;
use crate::{
    Error, Result,
    nets::dcgan::{ClassName, DcganConfig},
};

/// The sizes, and the names of the classes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PsganConfig {
    /// Numbers of local noise in each cell.
    pub local: usize,
    /// Waves by which a texture repeats.
    pub periodic: usize,
    /// Channels of a picture: 1 is grey, 3 colour.
    pub channels: usize,
    /// Channels of the layers at a cell's size, half of it and so on; a pixel is half of the last.
    pub widths: Vec<usize>,
    /// None when there are no classes.
    pub classes: Vec<ClassName>,
}

impl PsganConfig {
    /// Width and height of a cell in pixels.
    pub fn cell(&self) -> usize {
        1 << self.widths.len()
    }

    /// Numbers in each cell of the generator's map.
    pub fn inputs(&self) -> usize {
        self.local + self.periodic + self.classes.len()
    }

    /// Numbers, without the class, that a picture of `side` pixels is trained on: local noise and phases.
    pub fn numbers(&self, side: usize) -> usize {
        let cells = side / self.cell() + MARGIN;
        self.local * cells * cells + self.periodic
    }

    /// The layers, which are a DCGAN's.
    pub(super) fn layers(&self) -> DcganConfig {
        DcganConfig {
            latent: self.local + self.periodic,
            channels: self.channels,
            widths: self.widths.clone(),
            classes: self.classes.clone(),
        }
    }

    pub(super) fn waves_of(&self, tensors: &HashMap<String, Tensor>) -> Result<Tensor> {
        let shape = [self.classes.len().max(1), 2 * self.periodic];
        match tensors.get("waves") {
            Some(waves) if waves.dims() == shape => Ok(waves.clone()),
            _ => Err(foreign()),
        }
    }

    /// Whether tensors look like a PSGAN generator's.
    pub fn fits(tensors: &HashMap<String, Tensor>) -> bool {
        tensors.contains_key("waves") && DcganConfig::fits(tensors)
    }

    /// The sizes found in a generator's tensors; `metadata` is what the file says
    /// beside them, as a DCGAN's does.
    ///
    /// # Errors
    /// When they are no PSGAN generator's.
    pub fn of_tensors(tensors: &HashMap<String, Tensor>, metadata: Option<&str>) -> Result<Self> {
        let waves = tensors.get("waves").ok_or_else(foreign)?;
        let &[rows, columns] = waves.dims() else { return Err(foreign()) };
        let layers = DcganConfig::of_tensors(tensors, metadata)?;
        let DcganConfig { latent, channels, widths, classes } = layers;
        let periodic = columns / 2;
        if columns % 2 != 0 || rows != classes.len().max(1) || periodic >= latent {
            return Err(foreign());
        }
        Ok(Self { local: latent - periodic, periodic, channels, widths, classes })
    }

    /// Every weight of the generator with its shape and the standard deviation that it begins with; scales of norms,
    /// which begin with 1, have none.
    pub fn generator_weights(&self) -> Vec<(String, Vec<usize>, Option<f64>)> {
        let mut weights = self.layers().generator_weights();
        weights.push(("waves".to_owned(), vec![self.classes.len().max(1), 2 * self.periodic], Some(1.0)));
        weights
    }
}

fn foreign() -> Error {
    Error::new(
        "These weights are of no PSGAN generator; choose another file.",
        "这些权重不是 PSGAN 生成器，请另选文件。",
    )
}
