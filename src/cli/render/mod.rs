//! `atelier render`: makes a saved output again from its own recipe, and checks that it is the same.

mod image;
mod text;

use std::path::PathBuf;

use super::{Output, Result};
use crate::{
    Error, files,
    recipe::{self, Recipe, Work},
};

/// Make a saved output again from its own recipe: inside a PNG, beside a text
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The saved output: a PNG, or a text whose recipe lies beside it as FILE.atelier.json
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where to save it again
    #[arg(long, value_name = "FILE2")]
    out: PathBuf,
}

/// The largest picture file that is read.
const MOST_BYTES: u64 = 2 << 30;

/// Runs the subcommand.
///
/// # Errors
/// When the recipe is missing or damaged, its model is missing or another one, or what comes out differs.
pub fn run(args: &Args, out: &mut Output<'_>) -> Result {
    if Recipe::beside(&args.file).exists() || !is_png(&args.file)? {
        let recipe = Recipe::of_file(&args.file)?;
        return match &recipe.work {
            Work::Text(work) => text::run(&args.file, &args.out, &recipe, work, out),
            Work::Image(_) => Err(misplaced(&args.file).into()),
        };
    }
    let bytes = files::read_bytes(&args.file, MOST_BYTES)?;
    let contents = recipe::contents(&bytes, &args.file)?;
    let Some(recipe) = contents.recipe else {
        let name = args.file.display();
        return Err(Error::new(
            format!("“{name}” carries no recipe of Atelier; only what Atelier saved can be made again."),
            format!("“{name}”中没有 Atelier 的配方；只有 Atelier 保存的作品才能重新生成。"),
        )
        .into());
    };
    let recipe = recipe?;
    match &recipe.work {
        Work::Image(work) => image::run(&args.file, &args.out, (&recipe, work), &contents.file.rgb, out),
        Work::Text(_) => Err(misplaced(&args.file).into()),
    }
}

/// Whether the file begins as a PNG does.
fn is_png(path: &std::path::Path) -> crate::Result<bool> {
    use std::io::Read as _;
    let failed = |why: std::io::Error| Error::file(("open", "打开"), path, &why);
    let mut start = Vec::new();
    std::fs::File::open(path).and_then(|file| file.take(8).read_to_end(&mut start)).map_err(failed)?;
    Ok(start == b"\x89PNG\r\n\x1a\n")
}

fn misplaced(path: &std::path::Path) -> Error {
    let name = path.display();
    Error::new(
        format!("The recipe of “{name}” is that of another kind of file; save the output anew."),
        format!("“{name}”的配方属于另一类文件，请重新保存作品。"),
    )
}
