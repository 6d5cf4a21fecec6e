//! Training a generative adversarial network on pictures (Goodfellow et al., 2014): networks whose averaged
//! generator becomes the model.
//!
//! [`run`] takes the steps and keeps, in a folder, a checkpoint that training goes on from exactly, the model as it is,
//! and a sheet of what it draws.

mod archive;
mod augment;
pub(super) mod data;
mod networks;
mod quality;
mod recipe;
#[cfg(test)]
mod tests;
mod trainer;

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use candle_core::{Device, Tensor};
use serde::Serialize;

pub use data::Pictures;
pub use networks::{MlpGan, Networks};
pub use quality::Kid;
pub use recipe::{DataRecipe, FontRecipe, GanNetwork, GanRecipe, GanSteps};
pub use trainer::{GanTrainer, Losses};

use crate::{Error, Result, files, formats::png, random::Rng};

/// Steps between two reports.
const REPORT_EVERY: u64 = 50;
/// Rows and columns of a sheet.
const SHEET: usize = 8;

/// How training goes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GanReport {
    /// Steps taken.
    pub step: u64,
    /// The mean losses since the last report: the generator's, and the critic's, which is 2 log 2 when it knows nothing.
    pub generator_loss: f64,
    pub critic_loss: f64,
    /// Real pictures seen a second.
    pub images_per_s: f64,
    /// At checkpoints: the kernel distance ×1000 of generated pictures from real ones, with histograms of oriented
    /// gradients and mean colours as features, and that of real pictures from other real ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kid_x1000: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kid_x1000_of_real: Option<f64>,
}

/// Trains until `steps` steps were taken in all, and reports. Setting `stop` ends it early, with a checkpoint.
///
/// # Errors
/// When a checkpoint does not fit the recipe, training diverges, or the folder cannot be written.
pub fn run(
    recipe: &GanRecipe,
    pictures: Pictures,
    (folder, resume): (&Path, bool),
    steps: u64,
    stop: &AtomicBool,
    report: &mut dyn FnMut(&GanReport) -> Result<()>,
) -> Result<()> {
    fs::create_dir_all(folder.join("samples")).map_err(|why| Error::file(("create", "创建"), folder, &why))?;
    let checkpoint = super::checkpoint(folder, resume)?;
    let mut trainer = GanTrainer::new(recipe.clone(), pictures)?;
    if resume {
        trainer.resume(&checkpoint)?;
    }
    let (mut begun, mut sums, mut count, mut unsaved) = (Instant::now(), [0.0; 2], 0_u32, false);
    while trainer.steps() < steps && !stop.load(Ordering::Relaxed) {
        let losses = trainer.step(steps)?;
        sums = [sums[0] + losses.generator, sums[1] + losses.critic];
        count += 1;
        unsaved = true;
        let step = trainer.steps();
        let saves = step.is_multiple_of(recipe.training.checkpoint_every) || step == steps;
        if saves || step.is_multiple_of(REPORT_EVERY) {
            let count_f = f64::from(count);
            let images_per_s = count_f * recipe.training.batch as f64 / begun.elapsed().as_secs_f64();
            if saves {
                trainer.save(&checkpoint)?;
                unsaved = false;
                trainer.export(&folder.join(format!("{}.safetensors", recipe.name)))?;
                files::write_whole(
                    &folder.join(format!("samples/step-{step:06}.png")),
                    &sheet(&trainer, recipe.seed)?,
                )?;
            }
            let [generator_loss, critic_loss] = sums.map(|sum| sum / count_f);
            let kid = saves.then(|| trainer.kid()).transpose()?;
            report(&GanReport {
                step,
                generator_loss,
                critic_loss,
                images_per_s,
                kid_x1000: kid.map(|kid| kid.generated),
                kid_x1000_of_real: kid.map(|kid| kid.real),
            })?;
            (begun, sums, count) = (Instant::now(), [0.0; 2], 0);
        }
    }
    if unsaved {
        trainer.save(&checkpoint)?;
    }
    Ok(())
}

/// A PNG of pictures in rows: a class for each row, and in every column the same latent vectors.
fn sheet(trainer: &GanTrainer, seed: u64) -> Result<Vec<u8>> {
    let networks = trainer.networks();
    let (side, count) = (networks.side(), networks.classes().len());
    let tensors = trainer.model()?;
    let mut numbers = Vec::new();
    for row in 0..SHEET {
        for column in 0..SHEET {
            // Without classes every picture has its own.
            let place = column + row.checked_div(count).unwrap_or(row) * SHEET;
            let mut rng = Rng::at(seed ^ 0x5EED, place as u64);
            numbers.extend((0..networks.latent()).map(|_| rng.normal() as f32));
            numbers.extend((0..count).map(|class| f32::from(u8::from(class == row % count.max(1)))));
        }
    }
    let drawn = Tensor::from_vec(numbers, (SHEET * SHEET, networks.latent() + count), &Device::Cpu)
        .and_then(|z| networks.draw(&tensors, &z)?.flatten_all()?.to_vec1::<f32>())
        .map_err(|why| Error::new(format!("The sheet cannot be drawn: {why}."), format!("无法绘制样张：{why}。")))?;
    let (wide, area, channels) = (SHEET * side, side * side, networks.channels());
    let mut rgb = vec![0; wide * wide * 3];
    for (index, planes) in drawn.chunks_exact(area * channels).enumerate() {
        let (left, top) = (index % SHEET * side, index / SHEET * side);
        for (at, channel) in (0..area).flat_map(|at| (0..3).map(move |channel| (at, channel))) {
            let value = planes[channel % channels * area + at];
            let to = (top + at / side) * wide + left + at % side;
            rgb[to * 3 + channel] = ((value + 1.0) * 127.5).round().clamp(0.0, 255.0) as u8;
        }
    }
    png::encode(wide as u32, wide as u32, &rgb, &[])
}
