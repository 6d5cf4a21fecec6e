//! A text made again, byte for byte.

use std::{collections::HashMap, path::Path, sync::atomic::AtomicBool};

use super::super::{Output, Result, text};
use crate::{
    Error,
    formats::hash::{sha256_of_bytes, sha256_of_file},
    generate::TextWriter,
    kernels,
    recipe::{ModelRef, Recipe, TextGeneration, TextRecipe},
};

pub(super) fn run(file: &Path, to: &Path, recipe: &Recipe, work: &TextRecipe, out: &mut Output<'_>) -> Result {
    let mut writers = HashMap::new();
    let rendered = work.render(&mut |generation| write(generation, &mut writers))?;
    if sha256_of_bytes(rendered.as_bytes()) != recipe.sha256 {
        let name = file.display();
        return Err(Error::new(
            format!(
                "The text made from the recipe of “{name}” is not the one that was saved: the recipe was changed, or version {} wrote it otherwise; nothing was saved.",
                recipe.atelier
            ),
            format!("按“{name}”的配方生成的文本与原文不同：配方被改动，或版本 {} 的生成方式不同；未保存任何内容。", recipe.atelier),
        )
        .into());
    }
    recipe.save(to, &rendered)?;
    let saved = sha256_of_file(file, |_| true).ok().flatten();
    if saved.is_some_and(|saved| saved != recipe.sha256) {
        let name = file.display();
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
