//! Training: data, losses, loops and checkpoints over a progress callback. No threads, no window.

pub mod gan;
mod learner;
mod pictures;
pub mod texture;
pub mod wavenet;

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{Error, Result};

/// What a recipe file asks for.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum TrainRecipe {
    /// A WaveNet that plays notes.
    Wavenet(wavenet::WaveNetRecipe),
    /// A GAN that draws pictures.
    #[serde(alias = "dcgan")]
    Gan(gan::GanRecipe),
    /// A generator of textures.
    Texture(texture::TextureRecipe),
}

impl TrainRecipe {
    /// Reads a recipe from the text of its TOML file.
    ///
    /// # Errors
    /// When it is no recipe, or asks for something that makes no sense.
    pub fn parse(text: &str) -> Result<Self> {
        let recipe: Self = toml::from_str(text).map_err(|why| {
            let why = why.message().to_owned();
            Error::new(
                format!("The recipe cannot be read: {why}; compare it with one beside a bundled model."),
                format!("无法读取训练配方：{why}；请与内置模型旁的配方对照。"),
            )
        })?;
        match &recipe {
            Self::Wavenet(recipe) => recipe.check()?,
            Self::Gan(recipe) => recipe.check()?,
            Self::Texture(recipe) => recipe.check()?,
        }
        Ok(recipe)
    }
}

/// Whether a model's name can be a file's.
fn plain_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(['/', '\\', '\0']) && !name.starts_with('.')
}

/// The checkpoint of a folder that a training begins or goes on in.
///
/// # Errors
/// When a new one would replace another.
fn checkpoint(folder: &Path, resume: bool) -> Result<PathBuf> {
    let checkpoint = folder.join("checkpoint.safetensors");
    if resume || !checkpoint.exists() {
        return Ok(checkpoint);
    }
    let name = checkpoint.display();
    Err(Error::new(
        format!("“{name}” is there already; add --resume to go on from it, or choose another folder."),
        format!("“{name}”已存在；加上 --resume 继续训练，或换一个文件夹。"),
    ))
}
