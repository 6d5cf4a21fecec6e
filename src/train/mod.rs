//! Training: data, losses, loops and checkpoints over a progress callback. No threads, no window.

pub mod gan;
pub mod wavenet;

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
        }
        Ok(recipe)
    }
}
