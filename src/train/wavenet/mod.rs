//! Training a WaveNet that plays notes.
//!
//! The data are notes of a soundfont ([`render`]) or recordings ([`recordings`]); the loss is the cross-entropy of the next sample's µ-law class, in bits
//! a sample; Adam, with averaged weights that become the model. [`run`] takes the steps and keeps, in a folder, a
//! checkpoint that training goes on from exactly, the model as it is, and what it sounds like.

mod batch;
mod grow;
mod harmonic;
mod notes;
mod recipe;
pub mod recordings;
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

pub use notes::{Note, Phase, Strike, render};
pub use recipe::{
    ClassRecipe, Crops, DataRecipe, NetworkRecipe, NotesRecipe, Program, RecordingsRecipe, StepsRecipe, WaveNetRecipe,
};
pub use trainer::Trainer;

use crate::{
    Error, Result, files,
    formats::wav::Depth,
    generate::audio::{AudioModel, AudioRequest, Drawing, Note as Played},
    recipe::{AudioRecipe, ModelRef, Recipe},
};

/// Steps between two reports.
const REPORT_EVERY: u64 = 100;
/// Seconds of every note kept aside that are measured.
const MEASURED_S: f64 = 1.0;

/// How training goes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Steps taken.
    pub step: u64,
    /// The mean loss since the last report, in bits a sample; from a past that is often disturbed.
    pub bits_per_sample: f64,
    /// Bits a sample on the notes kept aside, at checkpoints.
    pub held_out_bits: Option<f64>,
    /// The same of a model that knows only how often each class occurs.
    pub unigram_bits: f64,
    pub learning_rate: f64,
    pub seconds_per_step: f64,
}

/// What the first step begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start<'a> {
    /// Random weights.
    Random,
    /// The weights of a model.
    Model(&'a Path),
    /// The checkpoint in the folder.
    Checkpoint,
}

/// Trains until `steps` steps were taken in all, and reports. Setting `stop` ends it early, with a checkpoint.
///
/// # Errors
/// When the notes or a checkpoint do not fit the recipe, training diverges, or the folder cannot be written.
pub fn run(
    recipe: &WaveNetRecipe,
    notes: Vec<Note>,
    (folder, start): (&Path, Start<'_>),
    steps: u64,
    stop: &AtomicBool,
    report: &mut dyn FnMut(&Report) -> Result<()>,
) -> Result<()> {
    fs::create_dir_all(folder.join("samples")).map_err(|why| Error::file(("create", "创建"), folder, &why))?;
    let checkpoint = folder.join("checkpoint.safetensors");
    let mut trainer = Trainer::new(recipe.clone(), notes)?;
    if start != Start::Checkpoint && checkpoint.exists() {
        let name = checkpoint.display();
        return Err(Error::new(
            format!("“{name}” is there already; add --resume to go on from it, or choose another folder."),
            format!("“{name}”已存在；加上 --resume 继续训练，或换一个文件夹。"),
        ));
    }
    match start {
        Start::Random => {}
        Start::Model(model) => trainer.begin_from(model)?,
        Start::Checkpoint => trainer.resume(&checkpoint)?,
    }
    let unigram_bits = trainer.unigram_bits(MEASURED_S);
    let (mut begun, mut sum, mut count) = (Instant::now(), 0.0, 0_u32);
    while trainer.steps() < steps && !stop.load(Ordering::Relaxed) {
        sum += trainer.step(steps)?;
        count += 1;
        let step = trainer.steps();
        let saves = step.is_multiple_of(recipe.training.checkpoint_every) || step == steps;
        if saves {
            trainer.save(&checkpoint)?;
        }
        if saves || step.is_multiple_of(REPORT_EVERY) {
            let seconds_per_step = begun.elapsed().as_secs_f64() / f64::from(count);
            let held_out_bits = if saves { Some(trainer.held_out(MEASURED_S)?) } else { None };
            if saves {
                let model = folder.join(format!("{}.safetensors", recipe.name));
                trainer.export(&model)?;
                sample(&model, &folder.join(format!("samples/step-{step:06}.wav")), recipe)?;
            }
            let learning_rate = trainer.learning_rate(steps);
            let bits_per_sample = sum / f64::from(count);
            report(&Report { step, bits_per_sample, held_out_bits, unigram_bits, learning_rate, seconds_per_step })?;
            (begun, sum, count) = (Instant::now(), 0.0, 0);
        }
    }
    if count > 0 {
        trainer.save(&checkpoint)?;
    }
    Ok(())
}

/// Instruments in a sample.
const SAMPLED: usize = 16;

/// Half a second of every instrument, in its middle.
fn sample(model: &Path, to: &Path, recipe: &WaveNetRecipe) -> Result<()> {
    let model = AudioModel::open(&recipe.name, model)?;
    let info = model.info();
    let half = u64::from(info.sample_rate_hz) / 2;
    let note = |instrument: usize| Played {
        start: instrument as u64 * half,
        length: half * 4 / 5,
        key: info.lowest_key + info.keys / 2,
        velocity: 90,
        instrument: instrument as u16,
    };
    let notes = (0..info.instruments.len().min(SAMPLED)).map(note).collect();
    let request = AudioRequest::new(notes, Drawing { seed: recipe.seed, ..Drawing::default() });
    let samples = model.play(&request, &AtomicBool::new(false))?.unwrap_or_default();
    let rate = info.sample_rate_hz;
    let model_ref = ModelRef { name: info.path.display().to_string(), sha256: model.sha256()?.to_owned() };
    let recipe =
        Recipe::of_audio(&samples, AudioRecipe { model: model_ref, request, sample_rate_hz: rate, steps: Vec::new() });
    files::write_whole(to, &recipe.to_wav(&samples, rate, Depth::Int16)?)
}
