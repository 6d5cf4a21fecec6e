//! Enlarging pictures, tile by tile within a budget of memory.

#[cfg(test)]
mod tests;
mod tiles;

use std::{
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use candle_core::{Device, Tensor};

use super::{model::failed, request::Picture};
use crate::{
    Error, Result,
    formats::{
        card::Card,
        hash::sha256_of_file,
        png::{MOST_PIXELS, too_large},
        weights,
    },
    kernels::with_threads,
    nets::upscale::UpscaleNet,
};
use tiles::{Tile, tiles};

/// Memory that the network may use beside its weights and the picture.
const BUDGET_BYTES: usize = 640 << 20;
/// The smallest tile: smaller ones would be all overlap.
const SMALLEST_TILE: u32 = 16;

/// What an upscaler is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpscalerInfo {
    /// Bundled name or file name.
    pub name: String,
    /// The name as people write it; the same as `name` when its card gives none.
    pub title: String,
    /// Where its file lies.
    pub path: PathBuf,
    /// The kind of network: `rrdb` or `srvgg`.
    pub family: String,
    /// How many times as wide and as high pictures become.
    pub scale: u32,
    /// How many weights it has.
    pub parameters: u64,
}

/// An upscaler, ready to work.
pub struct Upscaler {
    info: UpscalerInfo,
    network: UpscaleNet,
    threads: usize,
    sha256: OnceLock<String>,
}

impl Upscaler {
    /// Memory that a pass may take beside the weights and the picture.
    pub const TILE_BYTES: u64 = BUDGET_BYTES as u64;

    /// Opens the weights at `path`, to run on `threads` threads.
    ///
    /// # Errors
    /// When the file cannot be read, or its weights are of no network that enlarges pictures.
    pub fn open(name: &str, path: &Path, threads: usize) -> Result<Self> {
        let tensors = weights::load(path)?;
        weights::check_finite(&tensors)?;
        let parameters = tensors.values().map(|tensor| tensor.elem_count() as u64).sum();
        let network = UpscaleNet::from_state(tensors.into_iter().collect())?;
        let mut network = network.ok_or_else(|| {
            Error::new(
                format!("“{name}” does not enlarge pictures; choose an upscaler such as realesrgan-x4plus."),
                format!("“{name}”不能放大图片，请选择放大模型，例如 realesrgan-x4plus。"),
            )
        })?;
        let card = Card::beside(path);
        if card.as_ref().is_some_and(|card| card.reduce == 2) {
            network = network.halved()?;
        }
        let title = card.map(|card| card.title).filter(|title| !title.is_empty());
        let info = UpscalerInfo {
            name: name.to_owned(),
            title: title.unwrap_or_else(|| name.to_owned()),
            path: path.to_owned(),
            family: network.family().to_owned(),
            scale: network.scale() as u32,
            parameters,
        };
        Ok(Self { info, network, threads, sha256: OnceLock::new() })
    }

    /// What it is.
    pub fn info(&self) -> &UpscalerInfo {
        &self.info
    }

    /// The SHA-256 of its file in lower-case hex; read from the file the first time.
    ///
    /// # Errors
    /// When the file can no longer be read.
    pub fn sha256(&self) -> Result<&str> {
        if let Some(known) = self.sha256.get() {
            return Ok(known);
        }
        let hash = sha256_of_file(&self.info.path, |_| true)?.unwrap_or_default();
        Ok(self.sha256.get_or_init(|| hash))
    }

    /// `picture` enlarged, in tiles of `tile` × `tile` of its pixels (the studio's own choice without); `on_progress` is
    /// told how much is done, 0..=1. `None` when `cancel` was set before the end. The same on any number of threads.
    ///
    /// # Errors
    /// When the picture is empty, or the result would be too large.
    pub fn enlarge(
        &self,
        picture: &Picture,
        tile: Option<u32>,
        cancel: &AtomicBool,
        on_progress: &mut dyn FnMut(f32),
    ) -> Result<Option<Picture>> {
        let Picture { width, height, ref rgb } = *picture;
        if width == 0 || height == 0 || rgb.len() as u64 != u64::from(width) * u64::from(height) * 3 {
            return Err(Error::new("The picture is empty; choose another.", "图片是空的，请另选一张。"));
        }
        let scale = self.info.scale;
        let (out_width, out_height) = (width.saturating_mul(scale), height.saturating_mul(scale));
        if u64::from(out_width) * u64::from(out_height) > MOST_PIXELS {
            return Err(too_large(out_width, out_height));
        }
        let tile = tile.unwrap_or_else(|| self.own_tile()).max(SMALLEST_TILE);
        let tiles = tiles([width, height], tile, self.network.reach() as u32, self.network.fold() as u32);
        let pixels: f64 = tiles.iter().map(|tile| tile.area()).sum();
        let mut out =
            Picture { width: out_width, height: out_height, rgb: vec![0; rgb.len() * (scale * scale) as usize] };
        let mut done = 0.0;
        for tile in &tiles {
            let mut go_on = |part: f32| {
                on_progress(((done + f64::from(part) * tile.area()) / pixels) as f32);
                !cancel.load(Ordering::Relaxed)
            };
            let Some(values) = with_threads(self.threads, || self.pass(picture, tile, &mut go_on))? else {
                return Ok(None);
            };
            tile.paste(&values, scale, &mut out);
            done += tile.area();
        }
        on_progress(1.0);
        Ok(Some(out))
    }

    /// The side of a tile that, with its overlap, stays within the budget.
    fn own_tile(&self) -> u32 {
        let pixels = BUDGET_BYTES / self.network.bytes_per_pixel().max(1);
        let side = u32::try_from(pixels.isqrt()).unwrap_or(u32::MAX);
        side.saturating_sub(2 * self.network.reach() as u32).clamp(64, 1024) / 16 * 16
    }

    /// The network's values for a tile and its surroundings, planes of red, green and blue.
    fn pass(&self, picture: &Picture, tile: &Tile, go_on: &mut dyn FnMut(f32) -> bool) -> Result<Option<Vec<f32>>> {
        let [width, height] = tile.outer_size();
        // (1, 3, H, W) in 0..1
        let x = Tensor::from_vec(tile.cut(picture), (1, 3, height as usize, width as usize), &Device::Cpu);
        let y = self.network.forward(&x.map_err(|why| failed(&why))?, go_on)?;
        y.map(|y| y.flatten_all().and_then(|y| y.to_vec1()).map_err(|why| failed(&why))).transpose()
    }
}
