//! `atelier train`: trains a model of the recipe's kind on data of your own.

use std::{path::PathBuf, sync::atomic::AtomicBool};

use super::{Failure, Output, Result};
use crate::{
    Error, Lang, files,
    kernels::buffer::KeepMemory,
    train::{
        TrainRecipe,
        gan::{self, GanRecipe, Pictures},
        texture::{self, Photographs, TextureRecipe},
        wavenet::{
            self, DataRecipe, Start, WaveNetRecipe,
            recordings::{self, Recordings},
        },
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
    /// What it learns from: a soundfont (.sf2) or a folder of recordings for a WaveNet, a folder of pictures or fonts for a GAN,
    /// a folder of photographs for textures
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// The folder for the model, its checkpoint and samples
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Go on from the checkpoint in the folder
    #[arg(long)]
    resume: bool,
    /// Begin with the weights of this model (.safetensors), of the recipe's shape; a WaveNet's condition may be smaller
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
    match TrainRecipe::parse(&files::read_text(&args.recipe, MOST_RECIPE_BYTES)?)? {
        TrainRecipe::Wavenet(recipe) => wavenet(args, &recipe, out),
        TrainRecipe::Gan(recipe) => gan(args, &recipe, out),
        TrainRecipe::Texture(recipe) => texture(args, &recipe, out),
    }
}

/// Tells, every tenth, how far the data are read.
fn reading(out: &mut Output<'_>) -> impl FnMut(f64) -> bool {
    let (lang, mut told) = (out.lang(), 0);
    move |share| {
        let tenth = (share * 10.0) as u32;
        if tenth > told {
            told = tenth;
            out.note(&match lang {
                Lang::En => format!("reading the data: {tenth}0 %"),
                Lang::Zh => format!("正在读取数据：{tenth}0 %"),
            });
        }
        true
    }
}

fn wavenet(args: &Args, recipe: &WaveNetRecipe, out: &mut Output<'_>) -> Result {
    let (recipe, notes) = match &recipe.data {
        DataRecipe::Notes(_) => {
            (recipe.clone(), wavenet::render(&args.data, recipe, &mut reading(out))?.unwrap_or_default())
        }
        DataRecipe::Recordings(_) => {
            let read = recordings::load(&args.data, recipe, &mut reading(out))?;
            let Some(read) = read else { return Ok(()) };
            tell_recordings(&read, out);
            (read.recipe, read.notes)
        }
    };
    let start = match &args.from {
        Some(model) => Start::Model(model),
        None if args.resume => Start::Checkpoint,
        None => Start::Random,
    };
    let (lang, _keep) = (out.lang(), KeepMemory::begin());
    let mut printed = Printed { out, json: args.json, unread: None };
    let steps = args.steps.unwrap_or(recipe.training.steps);
    wavenet::run(&recipe, notes, (&args.out, start), steps, &AtomicBool::new(false), &mut |report| {
        printed.line(report, || line(report, lang));
        Ok(())
    })?;
    printed.unread.map_or(Ok(()), Err)
}

/// What was found in a folder of recordings.
fn tell_recordings(read: &Recordings, out: &mut Output<'_>) {
    passed_over(&read.skipped, out);
    let Recordings { notes, told, heard, unpitched, seconds, recipe, .. } = read;
    let (files, classes) = (notes.len(), recipe.config().instruments.len());
    let struck = notes.iter().map(|note| note.strikes.len()).sum::<usize>();
    out.note(&match out.lang() {
        Lang::En => format!("{files} recordings, {seconds:.0} s, {struck} notes, {classes} classes; notes told of {told}, pitch heard in {heard}, none in {unpitched}"),
        Lang::Zh => format!("{files} 个录音，{seconds:.0} 秒，{struck} 个音，{classes} 个类别；{told} 个已注明音高，{heard} 个检测到音高，{unpitched} 个无音高"),
    });
}

fn passed_over(skipped: &[(PathBuf, String)], out: &mut Output<'_>) {
    for (path, why) in skipped {
        let name = path.display();
        out.note(&match out.lang() {
            Lang::En => format!("passed over “{name}”: {why}"),
            Lang::Zh => format!("已跳过“{name}”：{why}"),
        });
    }
}

fn gan(args: &Args, recipe: &GanRecipe, out: &mut Output<'_>) -> Result {
    only_from_checkpoints(args)?;
    let pictures = Pictures::load(recipe, &args.data, &mut reading(out))?;
    let Some(pictures) = pictures else { return Ok(()) };
    let lang = out.lang();
    passed_over(&pictures.skipped, out);
    let count = pictures.labels.len();
    out.note(&match lang {
        Lang::En => format!("{count} pictures, {} classes", pictures.classes.len()),
        Lang::Zh => format!("{count} 张图片，{} 个类别", pictures.classes.len()),
    });
    let _keep = KeepMemory::begin();
    let mut printed = Printed { out, json: args.json, unread: None };
    let steps = args.steps.unwrap_or(recipe.training.steps);
    gan::run(recipe, pictures, (&args.out, args.resume), steps, &AtomicBool::new(false), &mut |report| {
        printed.line(report, || gan_line(report, lang));
        Ok(())
    })?;
    printed.unread.map_or(Ok(()), Err)
}

fn texture(args: &Args, recipe: &TextureRecipe, out: &mut Output<'_>) -> Result {
    only_from_checkpoints(args)?;
    let Some(photographs) = Photographs::load(recipe, &args.data, &mut reading(out))? else { return Ok(()) };
    let (lang, count) = (out.lang(), photographs.classes.len());
    out.note(&match lang {
        Lang::En => format!("{count} photographs"),
        Lang::Zh => format!("{count} 张照片"),
    });
    let _keep = KeepMemory::begin();
    let mut printed = Printed { out, json: args.json, unread: None };
    let steps = args.steps.unwrap_or(recipe.training.steps);
    texture::run(recipe, &photographs, (&args.out, args.resume), steps, &AtomicBool::new(false), &mut |report| {
        let texture::TextureReport { step, distance, distance_of_real, images_per_s } = report;
        let real = distance_of_real.map(|real| match lang {
            Lang::En => format!(" (real {real:.3})"),
            Lang::Zh => format!("（真实照片 {real:.3}）"),
        });
        let real = real.unwrap_or_default();
        printed.line(report, || match lang {
            Lang::En => format!("step {step}: distance {distance:.3}{real}, {images_per_s:.1} images/s"),
            Lang::Zh => format!("第 {step} 步：距离 {distance:.3}{real}，{images_per_s:.1} 张/秒"),
        });
        Ok(())
    })?;
    printed.unread.map_or(Ok(()), Err)
}

/// Refuses `--from` where training only goes on from its own checkpoint.
fn only_from_checkpoints(args: &Args) -> Result {
    if args.from.is_none() {
        return Ok(());
    }
    Err(Failure::Usage(Error::new(
        "--from teaches a WaveNet further; other networks go on from their checkpoint with --resume.",
        "--from 用于继续训练 WaveNet；其他网络请用 --resume 从检查点继续。",
    )))
}

/// Reports on their way to whoever reads along.
struct Printed<'a, 'b> {
    out: &'a mut Output<'b>,
    json: bool,
    /// Whoever read along may have left: training goes on, and what it makes is in the folder.
    unread: Option<Failure>,
}

impl Printed<'_, '_> {
    fn line(&mut self, report: &impl serde::Serialize, line: impl FnOnce() -> String) {
        let printed = if self.json { self.out.json(report) } else { self.out.line(&line()) };
        self.unread = printed.and_then(|()| self.out.flush()).err().or(self.unread.take());
    }
}

fn gan_line(report: &gan::GanReport, lang: Lang) -> String {
    let gan::GanReport { step, generator_loss, critic_loss, images_per_s, kid_x1000, kid_x1000_of_real } = report;
    let kid = kid_x1000.zip(*kid_x1000_of_real).map(|(generated, real)| match lang {
        Lang::En => format!(", KID ×1000 {generated:.2} (real pictures {real:.2})"),
        Lang::Zh => format!("，KID ×1000 {generated:.2}（真实图片 {real:.2}）"),
    });
    let kid = kid.unwrap_or_default();
    match lang {
        Lang::En => {
            format!(
                "step {step}: generator {generator_loss:.3}, critic {critic_loss:.3}, {images_per_s:.1} images/s{kid}"
            )
        }
        Lang::Zh => {
            format!("第 {step} 步：生成器 {generator_loss:.3}，判别器 {critic_loss:.3}，{images_per_s:.1} 张/秒{kid}")
        }
    }
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
