//! `atelier render`: makes a saved output again from its own recipe, and checks that it is the same.

mod audio;
mod image;
mod text;

use std::path::{Path, PathBuf};

use super::{Output, Result};
use crate::{
    Error, files,
    formats::{flac, wav},
    recipe::{self, Recipe, SoundRecipe, Work},
};

/// Make a saved output again from its own recipe: inside a PNG, WAV or FLAC, beside a text
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The saved output: a PNG, a WAV, a FLAC, or a text whose recipe lies beside it as FILE.atelier.json
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where to save it again
    #[arg(long, value_name = "FILE2")]
    out: PathBuf,
}

/// The largest file with a recipe inside that is read.
const MOST_BYTES: u64 = 2 << 30;

/// Runs the subcommand.
///
/// # Errors
/// When the recipe is missing or damaged, its model is missing or another one, or what comes out differs.
pub fn run(args: &Args, out: &mut Output<'_>) -> Result {
    let begins = first_bytes(&args.file)?;
    let is_png = begins.starts_with(b"\x89PNG\r\n\x1a\n");
    let is_sound = wav::is_wav(&begins) || flac::is_flac(&begins);
    if Recipe::beside(&args.file).exists() || !(is_png || is_sound) {
        let recipe = Recipe::of_file(&args.file)?;
        return match &recipe.work {
            Work::Text(work) => text::run(&args.file, &args.out, &recipe, work, out),
            Work::Image(_) | Work::Audio(_) | Work::Recording(_) => Err(misplaced(&args.file).into()),
        };
    }
    let bytes = files::read_bytes(&args.file, MOST_BYTES)?;
    if is_sound {
        let recipe::Recording { file, recipe } = recipe::recording(&bytes, &args.file)?;
        let recipe = recipe.ok_or_else(|| without_recipe(&args.file))??;
        return match SoundRecipe::of(recipe.work.clone()) {
            Some(work) => audio::run(&args.file, &args.out, (&recipe, work), &file, out),
            None => Err(misplaced(&args.file).into()),
        };
    }
    let recipe::Contents { file, recipe } = recipe::contents(&bytes, &args.file)?;
    let recipe = recipe.ok_or_else(|| without_recipe(&args.file))??;
    match &recipe.work {
        Work::Image(work) => image::run(&args.file, &args.out, (&recipe, work), &file.rgb, out),
        Work::Text(_) | Work::Audio(_) | Work::Recording(_) => Err(misplaced(&args.file).into()),
    }
}

/// The first bytes of a file, by which it shows what it is.
fn first_bytes(path: &Path) -> crate::Result<Vec<u8>> {
    use std::io::Read as _;
    let failed = |why: std::io::Error| Error::file(("open", "打开"), path, &why);
    let mut start = Vec::new();
    std::fs::File::open(path).and_then(|file| file.take(16).read_to_end(&mut start)).map_err(failed)?;
    Ok(start)
}

fn without_recipe(path: &Path) -> Error {
    let name = path.display();
    Error::new(
        format!("“{name}” carries no recipe of Atelier; only what Atelier saved can be made again."),
        format!("“{name}”中没有 Atelier 的配方；只有 Atelier 保存的作品才能重新生成。"),
    )
}

fn misplaced(path: &Path) -> Error {
    let name = path.display();
    Error::new(
        format!("The recipe of “{name}” is that of another kind of file; save the output anew."),
        format!("“{name}”的配方属于另一类文件，请重新保存作品。"),
    )
}
