//! A picture made again, pixel for pixel.

use std::{path::Path, sync::atomic::AtomicBool};

use super::super::{Output, Result};
use crate::{
    Error, catalogue, files,
    formats::hash::sha256_of_bytes,
    generate::image::{ImageModel, Picture, Upscaler},
    kernels::pool::physical_cores,
    recipe::{ImageRecipe, ModelRef, Recipe},
};

pub(super) fn run(
    file: &Path,
    to: &Path,
    (recipe, work): (&Recipe, &ImageRecipe),
    saved: &[u8],
    out: &mut Output<'_>,
) -> Result {
    let picture = draw(work)?;
    if sha256_of_bytes(&picture.rgb) != recipe.sha256 {
        let (name, version) = (file.display(), &recipe.atelier);
        return Err(Error::new(
            format!("The picture made from the recipe of “{name}” is not the one that was saved: the recipe was changed, or version {version} drew it otherwise; nothing was saved."),
            format!("按“{name}”的配方生成的图片与原图不同：配方被改动，或版本 {version} 的绘制方式不同；未保存任何内容。"),
        )
        .into());
    }
    files::write_whole(to, &recipe.to_png(&picture)?)?;
    if sha256_of_bytes(saved) != recipe.sha256 {
        let name = file.display();
        let note = Error::new(
            format!("“{name}” was changed after its recipe was written; the new file is what it was before."),
            format!("“{name}”在写入配方之后被改动过，新文件是改动之前的内容。"),
        );
        out.note(note.text(out.lang()));
    }
    Ok(())
}

/// The picture of a recipe, by the very models it names.
fn draw(work: &ImageRecipe) -> crate::Result<Picture> {
    let found = catalogue::usable(&work.model.name)?;
    let mut model = ImageModel::open(&found.name, &found.path, physical_cores())?;
    check(&work.model, model.sha256()?, &found.path)?;
    let mut drawn = None;
    let requests = std::slice::from_ref(&work.request);
    model.draw(requests, &AtomicBool::new(false), &mut |_, picture| drawn = Some(picture))?;
    let drawn = drawn
        .ok_or_else(|| Error::new("The model drew nothing; report this.", "模型没有绘制任何图片，请反馈此问题。"))?;
    let Some(enlarged) = &work.upscaled else { return Ok(drawn) };
    let found = catalogue::usable(&enlarged.model.name)?;
    let upscaler = Upscaler::open(&found.name, &found.path, physical_cores())?;
    check(&enlarged.model, upscaler.sha256()?, &found.path)?;
    let large = upscaler.enlarge(&drawn, enlarged.tile, &AtomicBool::new(false), &mut |_| {})?;
    large.ok_or_else(|| Error::new("The picture was not enlarged; report this.", "图片没有被放大，请反馈此问题。"))
}

/// Refuses a model with other content than the recipe's.
fn check(wanted: &ModelRef, sha256: &str, path: &Path) -> crate::Result<()> {
    if wanted.sha256 == sha256 {
        return Ok(());
    }
    let (path, wanted) = (path.display(), &wanted.sha256);
    Err(Error::new(
        format!("The model “{path}” is not the one that made this picture; put back the file with SHA-256 {wanted}."),
        format!("模型“{path}”不是生成此图片的模型，请换回 SHA-256 为 {wanted} 的文件。"),
    ))
}
