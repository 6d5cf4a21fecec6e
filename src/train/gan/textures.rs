//! Large pictures to take squares out of.

use std::path::Path;

use super::{
    Pictures,
    data::{Large, decoded, file, planes},
    recipe::TextureRecipe,
};
use crate::{Error, Result, nets::dcgan::ClassName};

/// Each picture of `textures`, a class of its own.
pub(super) fn read(
    folder: &Path,
    side: usize,
    channels: usize,
    textures: &[TextureRecipe],
    progress: &mut dyn FnMut(f64) -> bool,
) -> Result<Option<Pictures>> {
    let classes = textures.iter().map(|texture| ClassName { en: texture.en.clone(), zh: texture.zh.clone() });
    let mut all = Pictures { side, channels, classes: classes.collect(), ..Pictures::default() };
    for (class, texture) in textures.iter().enumerate() {
        let path = folder.join(&texture.file);
        let name = path.display();
        let picture = file(&path).and_then(decoded).map_err(|why| {
            Error::new(
                format!("“{name}” is no picture that can be learnt from: {why}; choose another."),
                format!("“{name}”无法用于学习：{why}；请另选图片。"),
            )
        })?;
        let [width, height] = [picture.width(), picture.height()].map(|size| size as usize);
        if width < side || height < side {
            return Err(Error::new(
                format!(
                    "“{name}” is {width} × {height} pixels, smaller than the squares of {side}; choose a larger one."
                ),
                format!("“{name}”只有 {width} × {height} 像素，小于 {side} 像素的方块；请换一张更大的。"),
            ));
        }
        all.large.push(Large { begin: all.bytes.len(), width, height, mirror: texture.mirror });
        all.push(&planes(&picture, channels), class as u16)?;
        if !progress((class + 1) as f64 / textures.len() as f64) {
            return Ok(None);
        }
    }
    // A picture of one kind only has no classes.
    if all.classes.len() == 1 {
        all.classes.clear();
    }
    Ok(Some(all))
}
