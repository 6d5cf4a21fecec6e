//! Pictures from elsewhere.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{super::Painted, MOST_FILE_BYTES, Worker};
use crate::{
    Error, Result, files,
    formats::png,
    generate::image::Picture,
    recipe::{self, Work},
};

/// The largest picture file of anybody's.
const MOST_FOREIGN_BYTES: u64 = 256 << 20;
/// Characters of another program's recipe that are told.
const TOLD: usize = 240;

impl Worker {
    /// Brings a picture of the studio's into the folder, or tells what another holds.
    pub(super) fn import(&mut self, path: &Path, to: Option<(PathBuf, String)>) -> Result<()> {
        let bytes = files::read_bytes(path, MOST_FOREIGN_BYTES)?;
        let contents = recipe::contents(&bytes, path).ok();
        let own = contents.as_ref().and_then(|contents| contents.recipe.clone());
        let Some(own) = own.filter(|_| bytes.len() as u64 <= MOST_FILE_BYTES) else {
            return self.tell_foreign(path, &bytes, contents.map(|contents| contents.file.foreign_recipes()));
        };
        let (Work::Image(recipe), Some(contents)) = (own?.work, contents) else {
            return self.tell_foreign(path, &bytes, None);
        };
        let here = to.as_ref().is_some_and(|(folder, _)| path.parent() == Some(folder));
        let kept = match to {
            Some((folder, stem)) if !here => free_name(&folder, &stem),
            _ => path.to_owned(),
        };
        if kept != path {
            if let Some(folder) = kept.parent() {
                fs::create_dir_all(folder).map_err(|why| Error::file(("save", "保存"), &kept, &why))?;
            }
            files::write_whole(&kept, &bytes)?;
        }
        let file = contents.file;
        let picture = Picture { width: file.width, height: file.height, rgb: file.rgb };
        self.drawn(&Arc::new(Painted { path: Some(kept.clone()), recipe, picture }), true);
        self.show(|state| state.imported = Some(kept));
        Ok(())
    }

    fn tell_foreign(&self, path: &Path, bytes: &[u8], recipes: Option<Vec<png::ForeignRecipe>>) -> Result<()> {
        // It must at least be a picture.
        Picture::decode(bytes, path)?;
        let what = told(path, &recipes.unwrap_or_default());
        self.show(|state| state.foreign.push((path.to_owned(), what)));
        Ok(())
    }
}

/// A name in the folder that no file has yet: several pictures may be dropped at once.
fn free_name(folder: &Path, stem: &str) -> PathBuf {
    let name = |number: u32| folder.join(format!("{stem}-from-outside-{number:02}.png"));
    (0..u32::MAX).map(name).find(|path| !path.exists()).unwrap_or_else(|| name(0))
}

/// What a picture of another program's is.
fn told(path: &Path, foreign: &[png::ForeignRecipe]) -> Error {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    match foreign.first() {
        Some(recipe) => {
            let program = recipe.program;
            let mut text: String = recipe.text.chars().take(TOLD).collect();
            if text.len() < recipe.text.len() {
                text.push('…');
            }
            Error::new(
                format!("“{name}” was made with {program}: {text}"),
                format!("“{name}”由 {program} 生成：{text}"),
            )
        }
        None => Error::new(
            format!("“{name}” holds no recipe of Atelier's; it can be enlarged."),
            format!("“{name}”中没有 Atelier 的配方；可以将其放大。"),
        ),
    }
}
