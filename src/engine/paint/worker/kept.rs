//! Files of kept pictures: written, thrown away, brought back.

use std::{fs, path::Path, path::PathBuf};

use super::BIN;
use crate::{
    Error, Result, files,
    generate::image::Picture,
    recipe::{ImageRecipe, Recipe},
};

/// Writes a picture with its recipe inside.
pub(super) fn keep(path: &Path, picture: &Picture, recipe: &ImageRecipe) -> Result<()> {
    make_folder(path)?;
    files::write_whole(path, &Recipe::of_image(picture, recipe.clone()).to_png(picture)?)
}

/// Makes the folder that a file is to stand in.
pub(super) fn make_folder(path: &Path) -> Result<()> {
    match path.parent() {
        Some(folder) => fs::create_dir_all(folder).map_err(|why| Error::file(("save", "保存"), path, &why)),
        None => Ok(()),
    }
}

/// Where a thrown-away picture lies.
fn in_bin(path: &Path) -> PathBuf {
    let folder = path.parent().unwrap_or(Path::new("")).join(BIN);
    folder.join(path.file_name().unwrap_or_default())
}

pub(super) fn bin(path: &Path) -> Result<()> {
    let to = in_bin(path);
    let failed = |why: std::io::Error| Error::file(("delete", "删除"), path, &why);
    fs::create_dir_all(to.parent().unwrap_or(Path::new(""))).map_err(failed)?;
    fs::rename(path, &to).map_err(failed)
}

pub(super) fn restore(path: &Path) -> Result<()> {
    let from = in_bin(path);
    fs::rename(&from, path).map_err(|why| Error::file(("restore", "恢复"), &from, &why))
}
