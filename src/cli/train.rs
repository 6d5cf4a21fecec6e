//! `atelier train`: trains a model of the recipe's kind on data of your own.

use std::{path::PathBuf, sync::atomic::AtomicBool};

use super::{Output, Result};
use crate::{
    Lang, files,
    kernels::buffer::KeepMemory,
    train::{
        TrainRecipe,
        wavenet::{self, Start},
    },
};

/// The largest recipe that is read.
const MOST_RECIPE_BYTES: u64 = 1 << 20;

/// Train a model after a recipe; goes on from where it was with --resume
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The recipe, a TOML file such as the ones beside bundled models
    #[arg(long, value_name = "TOML")]
    recipe: PathBuf,
    /// What it learns from: for a WaveNet, a soundfont (.sf2)
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// The folder for the model, its checkpoint and samples
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Go on from the checkpoint in the folder
    #[arg(long)]
    resume: bool,
    /// Begin with the weights of this model (.safetensors), of the recipe's shape
    #[arg(long, value_name = "MODEL", conflicts_with = "resume")]
    from: Option<PathBuf>,
    /// Steps in all, instead of the recipe's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    steps: Option<u64>,
    /// Print a JSON object a line at every report
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, out: &mut Output<'_>) -> Result {
    let TrainRecipe::Wavenet(recipe) = TrainRecipe::parse(&files::read_text(&args.recipe, MOST_RECIPE_BYTES)?)?;
    let steps = args.steps.unwrap_or(recipe.training.steps);
    let mut told = 0;
    let lang = out.lang();
    let notes = wavenet::render(&args.data, &recipe, &mut |share| {
        let tenth = (share * 10.0) as u32;
        if tenth > told {
            told = tenth;
            out.note(&match lang {
                Lang::En => format!("rendering notes: {}0 %", tenth),
                Lang::Zh => format!("正在渲染音符：{}0 %", tenth),
            });
        }
        true
    })?;
    let _keep = KeepMemory::begin();
    let mut unread = None;
    let mut report = |report: &wavenet::Report| {
        let printed = if args.json { out.json(report) } else { out.line(&line(report, lang)) };
        // Whoever read along may have left: training goes on, and what it makes is in the folder.
        unread = printed.and_then(|()| out.flush()).err().or(unread.take());
        Ok(())
    };
    let go = AtomicBool::new(false);
    let start = match &args.from {
        Some(model) => Start::Model(model),
        None if args.resume => Start::Checkpoint,
        None => Start::Random,
    };
    wavenet::run(&recipe, notes.unwrap_or_default(), (&args.out, start), steps, &go, &mut report)?;
    unread.map_or(Ok(()), Err)
}

fn line(report: &wavenet::Report, lang: Lang) -> String {
    let wavenet::Report { step, bits_per_sample, held_out_bits, unigram_bits, learning_rate, seconds_per_step } =
        report;
    let held_out = held_out_bits.map(|bits| match lang {
        Lang::En => format!(", {bits:.3} held out (unigram {unigram_bits:.3})"),
        Lang::Zh => format!("，留出集 {bits:.3}（单元模型 {unigram_bits:.3}）"),
    });
    let held_out = held_out.unwrap_or_default();
    match lang {
        Lang::En => format!(
            "step {step}: {bits_per_sample:.3} bits/sample{held_out}, rate {learning_rate:.1e}, {seconds_per_step:.2} s/step"
        ),
        Lang::Zh => format!(
            "第 {step} 步：{bits_per_sample:.3} 比特/采样{held_out}，学习率 {learning_rate:.1e}，{seconds_per_step:.2} 秒/步"
        ),
    }
}
