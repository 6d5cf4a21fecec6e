//! Training a generator of textures on a photograph of each: no critic, but a fixed network that was trained on
//! photographs, whose features must have the same statistics in what is drawn as in the photograph (Ulyanov et al.,
//! 2016). A few hundred steps show the texture, where an adversarial training of the same generator needs tens of
//! thousands.
//!
//! [`run`] takes the steps and keeps, in a folder, a checkpoint that training goes on from exactly, the model as it is,
//! and a sheet of what it draws.

mod judge;
mod photographs;
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

use serde::Serialize;

pub use photographs::{Photographs, look};
pub use recipe::{Photograph, TextureNetwork, TextureRecipe, TextureSteps};
pub use trainer::TextureTrainer;

use crate::{
    Error, Result, files,
    formats::png,
    nets::psgan::{Generator, Given},
    random::Rng,
};

/// Steps between two reports.
const REPORT_EVERY: u64 = 50;
/// Width and height of a texture on a sheet, in pixels.
const SHEET_SIDE: usize = 256;

/// How training goes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TextureReport {
    /// Steps taken.
    pub step: u64,
    /// The mean distance from the photographs' statistics since the last report.
    pub distance: f64,
    /// At checkpoints: the mean distance of the photographs' own squares.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distance_of_real: Option<f64>,
    /// Pictures drawn and compared a second.
    pub images_per_s: f64,
}

/// Trains until `steps` steps were taken in all, and reports. Setting `stop` ends it early, with a checkpoint.
///
/// # Errors
/// When a checkpoint does not fit the recipe, training diverges, or the folder cannot be written.
pub fn run(
    recipe: &TextureRecipe,
    photographs: &Photographs,
    (folder, resume): (&Path, bool),
    steps: u64,
    stop: &AtomicBool,
    report: &mut dyn FnMut(&TextureReport) -> Result<()>,
) -> Result<()> {
    fs::create_dir_all(folder.join("samples")).map_err(|why| Error::file(("create", "创建"), folder, &why))?;
    let checkpoint = super::checkpoint(folder, resume)?;
    let mut trainer = TextureTrainer::new(recipe.clone(), photographs)?;
    if resume {
        trainer.resume(&checkpoint)?;
    }
    let distance_of_real = trainer.distance_of_real(photographs)?;
    let (mut begun, mut sum, mut count, mut unsaved) = (Instant::now(), 0.0, 0_u32, false);
    while trainer.steps() < steps && !stop.load(Ordering::Relaxed) {
        sum += trainer.step(steps)?;
        count += 1;
        unsaved = true;
        let step = trainer.steps();
        let saves = step.is_multiple_of(recipe.training.checkpoint_every) || step == steps;
        if saves || step.is_multiple_of(REPORT_EVERY) {
            let images_per_s = f64::from(count) * trainer.batch() as f64 / begun.elapsed().as_secs_f64();
            if saves {
                trainer.save(&checkpoint)?;
                unsaved = false;
                trainer.export(&folder.join(format!("{}.safetensors", recipe.name)))?;
                files::write_whole(
                    &folder.join(format!("samples/step-{step:06}.png")),
                    &sheet(&trainer, recipe.seed)?,
                )?;
            }
            let distance_of_real = saves.then_some(distance_of_real);
            report(&TextureReport { step, distance: sum / f64::from(count), distance_of_real, images_per_s })?;
            (begun, sum, count) = (Instant::now(), 0.0, 0);
        }
    }
    if unsaved {
        trainer.save(&checkpoint)?;
    }
    Ok(())
}

/// A PNG of a texture of each class side by side.
fn sheet(trainer: &TextureTrainer, seed: u64) -> Result<Vec<u8>> {
    let config = trainer.config();
    let generator = Generator::new(config, &trainer.model()?)?;
    let cells = SHEET_SIDE.div_ceil(config.cell());
    let (side, count) = (cells * config.cell(), config.classes.len().max(1));
    let wide = side * count;
    let mut rgb = vec![0; wide * side * 3];
    for class in 0..count {
        let mut rng = Rng::at(seed ^ 0x5EED, class as u64);
        let noise: Vec<f32> = (0..config.local * cells * cells).map(|_| rng.normal() as f32).collect();
        let turns: Vec<f32> = (0..config.periodic).map(|_| rng.normal() as f32).collect();
        let given = Given { noise: &noise, turns: &turns, class: (!config.classes.is_empty()).then_some(class) };
        let planes = generator
            .part([cells; 2], [0; 2], [cells; 2], &given)
            .and_then(|drawn| drawn.flatten_all()?.to_vec1::<f32>())
            .map_err(|why| super::learner::failed(&why))?;
        for (channel, at) in (0..3).flat_map(|channel| (0..side * side).map(move |at| (channel, at))) {
            let to = at / side * wide + class * side + at % side;
            rgb[to * 3 + channel] =
                ((planes[channel * side * side + at] + 1.0) * 127.5).round().clamp(0.0, 255.0) as u8;
        }
    }
    png::encode(wide as u32, side as u32, &rgb, &[])
}
