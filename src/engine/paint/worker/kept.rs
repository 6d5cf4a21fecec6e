//! Files of kept pictures.

use std::{fs, path::Path};

use crate::{
    Error, Result, files,
    generate::image::Picture,
    recipe::{ImageRecipe, Recipe},
};

/// Writes a picture with its recipe inside.
pub(super) fn keep(path: &Path, picture: &Picture, recipe: &ImageRecipe) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|why| Error::file(("save", "保存"), path, &why))?;
    }
    files::write_whole(path, &Recipe::of_image(picture, recipe.clone()).to_png(picture)?)
}
