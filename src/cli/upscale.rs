//! `atelier upscale`: enlarges a picture into a PNG file.

use std::{
    path::PathBuf,
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{Failure, Output, Result};
use crate::{
    Error, Lang, catalogue, files,
    formats::hash::sha256_of_bytes,
    generate::image::{Picture, Upscaler},
    kernels::pool::physical_cores,
    recipe::{self, Enlarged, ImageRecipe, ModelRef, Recipe, Work},
};

/// The largest picture file that is read.
const MOST_FILE_BYTES: u64 = 256 << 20;
/// Progress is told no more often than this.
const PAUSE: Duration = Duration::from_millis(500);

/// Enlarge a picture with a restoring network, into a PNG file
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A bundled upscaler's name, or the path of its weights (.safetensors or .pth)
    #[arg(long, value_name = "MODEL", default_value = catalogue::DEFAULT_UPSCALER)]
    model: String,
    /// The picture: PNG, JPEG, WebP or GIF
    #[arg(long = "in", value_name = "IMG")]
    input: PathBuf,
    /// The PNG to write
    #[arg(long, value_name = "PNG")]
    out: PathBuf,
    /// Side of a tile in pixels of the small picture; smaller tiles need less memory [default: chosen for 640 MB]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(16..=8192))]
    tile: Option<u32>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    seconds: f64,
    width: u32,
    height: u32,
}

pub(super) fn run(args: &Args, out: &mut Output<'_>) -> Result {
    let found = catalogue::usable(&args.model)?;
    if found.kind != "upscale" {
        let name = &found.name;
        return Err(Failure::Usage(Error::new(
            format!("“{name}” does not enlarge pictures; choose an upscaler such as {}.", catalogue::DEFAULT_UPSCALER),
            format!("“{name}”不能放大图片，请选择放大模型，例如 {}。", catalogue::DEFAULT_UPSCALER),
        )));
    }
    let upscaler = Upscaler::open(&found.name, &found.path, physical_cores())?;
    let bytes = files::read_bytes(&args.input, MOST_FILE_BYTES)?;
    let picture = Picture::decode(&bytes, &args.input)?;
    let (begun, mut told) = (Instant::now(), Instant::now());
    let lang = out.lang();
    let large = upscaler.enlarge(&picture, args.tile, &AtomicBool::new(false), &mut |done| {
        if told.elapsed() >= PAUSE {
            told = Instant::now();
            let percent = (100.0 * done).round();
            out.note(&match lang {
                Lang::En => format!("enlarging: {percent:.0} %"),
                Lang::Zh => format!("放大中：{percent:.0} %"),
            });
        }
    })?;
    let Some(large) = large else { return Ok(()) };
    let seconds = begun.elapsed().as_secs_f64();
    let (width, height) = (large.width, large.height);
    // A picture of the studio's own keeps its recipe, and what enlarged it joins it.
    let own = recipe::contents(&bytes, &args.input).ok().and_then(|read| read.recipe?.ok());
    let own = own.filter(|own| own.sha256 == sha256_of_bytes(&picture.rgb));
    let png = match own.map(|own| own.work) {
        Some(Work::Image(work)) if work.upscaled.is_none() => {
            let name = super::recipe_name(&found.name, &found.path);
            let model = ModelRef { name, sha256: upscaler.sha256()?.to_owned() };
            let upscaled = Some(Enlarged { model, scale: upscaler.info().scale, tile: args.tile });
            Recipe::of_image(&large, ImageRecipe { width, height, upscaled, ..work }).to_png(&large)?
        }
        _ => recipe::plain_png(&large)?,
    };
    files::write_whole(&args.out, &png)?;
    if args.json {
        return out.json(&Report { seconds, width, height });
    }
    let name = args.out.display();
    out.note(&match lang {
        Lang::En => format!("{width} × {height} pixels in “{name}”, {seconds:.2} s"),
        Lang::Zh => format!("“{name}”：{width} × {height} 像素，用时 {seconds:.2} 秒"),
    });
    Ok(())
}
