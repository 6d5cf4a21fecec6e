//! The generator of PSGAN (Bergmann et al., "Learning Texture Manifolds with the Periodic Spatial GAN", 2017):
//! convolutions alone, from a map of noise to a texture of any size. [`train::texture`](crate::train::texture) teaches it.
//!
//! Each place of the map, a *cell*, becomes 2ⁿ × 2ⁿ pixels. It holds local noise, the class (one-hot, here in the place
//! of the paper's global noise), and sines along learnt wave vectors, by which textures repeat. The generator is a
//! [DCGAN's](super::dcgan) run on a map; its tensors have the same names, and `waves` (classes or 1, 2 · periodic) holds
//! the wave vectors in radians a cell, all horizontal parts before the vertical ones.

mod config;
#[cfg(test)]
mod tests;

pub use config::PsganConfig;

use std::{collections::HashMap, f32::consts::TAU};

use candle_core::{DType, Device, Result as TensorResult, Tensor};

use super::dcgan;
use crate::{Result, kernels::normalise::Statistics};

/// Cells that the map needs beyond those of the picture: the first layer looks at 4 × 4.
pub const MARGIN: usize = 3;
/// Cells around a part of a picture beyond which nothing changes it.
pub const REACH: usize = 2;

/// From maps of noise to textures.
pub struct Generator {
    config: PsganConfig,
    layers: dcgan::Generator,
    waves: Tensor, // (classes or 1, 2 · periodic)
}

impl Generator {
    /// In training, where norms use the statistics of a batch.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
    pub fn in_training(config: &PsganConfig, tensors: &HashMap<String, Tensor>) -> Result<Self> {
        let layers = dcgan::Generator::in_training(&config.layers(), tensors)?.on_maps();
        Ok(Self { config: config.clone(), layers, waves: config.waves_of(tensors)? })
    }

    /// In evaluation, where norms use the statistics that training left behind.
    ///
    /// # Errors
    /// As [`Self::in_training`].
    pub fn new(config: &PsganConfig, tensors: &HashMap<String, Tensor>) -> Result<Self> {
        let layers = dcgan::Generator::new(&config.layers(), tensors)?.on_maps();
        Ok(Self { config: config.clone(), layers, waves: config.waves_of(tensors)? })
    }

    /// Textures (N, channels, side, side) of rows of numbers (N, [`PsganConfig::numbers`] and classes) in training, with
    /// the statistics of each norm: first local noise, a map after the other, then phases in turns, then the class.
    ///
    /// # Errors
    /// When `z` has another shape.
    pub fn run(&self, z: &Tensor, side: usize) -> TensorResult<(Tensor, Vec<Statistics>)> {
        let PsganConfig { local, periodic, .. } = self.config;
        let (n, cells) = (z.dim(0)?, side / self.config.cell() + MARGIN);
        let noise = z.narrow(1, 0, local * cells * cells)?.reshape((n, local, cells, cells))?;
        let mut maps = vec![noise];
        let classes = self.config.classes.len();
        let rest = local * cells * cells + periodic;
        let class = (classes > 0).then(|| z.narrow(1, rest, classes)).transpose()?;
        if periodic > 0 {
            let turns = z.narrow(1, local * cells * cells, periodic)?;
            let waves = match &class {
                Some(class) => class.contiguous()?.matmul(&self.waves)?,
                None => self.waves.broadcast_as((n, 2 * periodic))?,
            };
            let across = Tensor::arange(0_u32, cells as u32, &Device::Cpu)?.to_dtype(DType::F32)?;
            let part = |from: usize, shape: (usize, usize, usize, usize)| -> TensorResult<Tensor> {
                waves.narrow(1, from, periodic)?.reshape((n, periodic, 1, 1))?.broadcast_mul(&across.reshape(shape)?)
            };
            let phases = (turns * f64::from(TAU))?.reshape((n, periodic, 1, 1))?;
            let angles = part(0, (1, 1, 1, cells))?.broadcast_add(&part(periodic, (1, 1, cells, 1))?)?;
            maps.push(angles.broadcast_add(&phases)?.sin()?);
        }
        if let Some(class) = class {
            maps.push(class.reshape((n, classes, 1, 1))?.broadcast_as((n, classes, cells, cells))?.contiguous()?);
        }
        // (N, inputs, cells, cells)
        self.layers.run_map(&Tensor::cat(&maps, 1)?)
    }

    /// A part of a texture that repeats after `whole` (horizontal, vertical) cells: those from `from`, `size` many, as
    /// planes (1, channels, size[1] · cell, size[0] · cell) in −1..1. `noise` holds `local` maps of the whole and
    /// `turns` the phases of the waves, which are bent to fit the whole.
    ///
    /// # Errors
    /// When numbers are missing.
    pub fn part(
        &self,
        whole: [usize; 2],
        from: [usize; 2],
        size: [usize; 2],
        given: &Given<'_>,
    ) -> TensorResult<Tensor> {
        let PsganConfig { local, periodic, ref classes, .. } = self.config;
        let [wide, high] = [0, 1].map(|axis| size[axis] + 2 * REACH + MARGIN);
        // Where a cell of the part lies in the whole.
        let place = |axis: usize, at: usize| (from[axis] + at + 2 * whole[axis] * REACH - REACH) % whole[axis];
        let mut map = Vec::with_capacity(self.config.inputs() * wide * high);
        for channel in 0..local {
            for y in 0..high {
                let row = (channel * whole[1] + place(1, y)) * whole[0];
                map.extend((0..wide).map(|x| given.noise[row + place(0, x)]));
            }
        }
        let waves = self.waves.get(given.class.unwrap_or(0))?.to_vec1::<f32>()?;
        for wave in 0..periodic {
            // Whole turns along each side, so that the last cell leads to the first again.
            let turns = |axis: usize| (waves[axis * periodic + wave] * whole[axis] as f32 / TAU).round() as f64;
            let [across, down] = [turns(0), turns(1)];
            for y in 0..high {
                for x in 0..wide {
                    let along = across * place(0, x) as f64 / whole[0] as f64
                        + down * place(1, y) as f64 / whole[1] as f64
                        + f64::from(given.turns[wave]);
                    map.push((along * f64::from(TAU)).sin() as f32);
                }
            }
        }
        for class in 0..classes.len() {
            map.extend(std::iter::repeat_n(f32::from(u8::from(given.class == Some(class))), wide * high));
        }
        let map = Tensor::from_vec(map, (1, self.config.inputs(), high, wide), &Device::Cpu)?;
        let (drawn, cell) = (self.layers.run_map(&map)?.0, self.config.cell());
        drawn.narrow(2, REACH * cell, size[1] * cell)?.narrow(3, REACH * cell, size[0] * cell)
    }

    /// Its sizes.
    pub fn config(&self) -> &PsganConfig {
        &self.config
    }
}

/// The numbers of a texture.
pub struct Given<'a> {
    /// `local` maps, a row after the other.
    pub noise: &'a [f32],
    /// A phase for each wave, in turns.
    pub turns: &'a [f32],
    /// The class, of a generator that has classes.
    pub class: Option<usize>,
}
