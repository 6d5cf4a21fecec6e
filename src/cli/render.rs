//! `atelier render`: makes a saved text again from its own recipe, and checks that it is the same.

use std::{collections::HashMap, path::PathBuf, sync::atomic::AtomicBool};

use super::{Output, Result, text};
use crate::{
    Error,
    formats::hash::{sha256_of_bytes, sha256_of_file},
    generate::TextWriter,
    kernels,
    recipe::{ModelRef, Recipe, TextGeneration, Work},
};

/// Make a saved output again from the recipe beside it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The saved output, whose recipe lies beside it as FILE.atelier.json
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where to save it again
    #[arg(long, value_name = "FILE2")]
    out: PathBuf,
}

/// Runs the subcommand.
///
/// # Errors
/// When the recipe is missing or damaged, its model is missing or another one, or what comes out differs.
pub fn run(args: &Args, out: &mut Output<'_>) -> Result {
    let recipe = Recipe::of_file(&args.file)?;
    let Work::Text(work) = &recipe.work;
    let mut writers = HashMap::new();
    let rendered = work.render(&mut |generation| write(generation, &mut writers))?;
    if sha256_of_bytes(rendered.as_bytes()) != recipe.sha256 {
        let name = args.file.display();
        return Err(Error::new(
            format!(
                "The text made from the recipe of “{name}” is not the one that was saved: the recipe was changed, or version {} wrote it otherwise; nothing was saved.",
                recipe.atelier
            ),
            format!("按“{name}”的配方生成的文本与原文不同：配方被改动，或版本 {} 的生成方式不同；未保存任何内容。", recipe.atelier),
        )
        .into());
    }
    recipe.save(&args.out, &rendered)?;
    let saved = sha256_of_file(&args.file, |_| true).ok().flatten();
    if saved.is_some_and(|saved| saved != recipe.sha256) {
        let name = args.file.display();
        let note = Error::new(
            format!("“{name}” was changed after its recipe was written; the new file is what it was before."),
            format!("“{name}”在写入配方之后被改动过，新文件是改动之前的内容。"),
        );
        out.note(note.text(out.lang()));
    }
    Ok(())
}

/// Runs one generation, with the model that ran it first.
fn write(generation: &TextGeneration, writers: &mut HashMap<String, TextWriter>) -> crate::Result<String> {
    let ModelRef { name, sha256 } = &generation.model;
    if !writers.contains_key(sha256) {
        let model = text::open(name, kernels::pool::physical_cores())?;
        if model.sha256()? != sha256 {
            let path = model.path.display();
            return Err(Error::new(
                format!(
                    "The model “{path}” is not the one that wrote this text; put back the file with SHA-256 {sha256}."
                ),
                format!("模型“{path}”不是生成此文本的模型，请换回 SHA-256 为 {sha256} 的文件。"),
            ));
        }
        writers.insert(sha256.clone(), TextWriter::new(model));
    }
    let Some(writer) = writers.get_mut(sha256) else { return Ok(String::new()) };
    Ok(writer.write(&generation.request, &AtomicBool::new(false), &mut |_| {})?.text)
}
