//! What a recipe for textures says.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Error, Result, train::plain_name};

/// A recipe, as its TOML file holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextureRecipe {
    /// The model's name.
    pub name: String,
    /// Decides every random number.
    pub seed: u64,
    /// The shorter side that larger photographs are made, in pixels. Structure of up to some fifty pixels is learnt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<usize>,
    /// What is learnt from, each a class; without any, every picture of the data folder, called as its file.
    #[serde(default)]
    pub textures: Vec<Photograph>,
    pub network: TextureNetwork,
    pub training: TextureSteps,
}

/// A picture file in the data folder, and what its class is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Photograph {
    pub file: String,
    pub en: String,
    pub zh: String,
    /// Also mirror it.
    #[serde(default)]
    pub mirror: bool,
}

impl Photograph {
    /// The picture at `path`, called so in both languages, and mirrored too.
    pub fn mirrored(path: &Path, name: &str) -> Self {
        let (en, zh) = (name.to_owned(), name.to_owned());
        Self { file: path.to_string_lossy().into_owned(), en, zh, mirror: true }
    }
}

/// The sizes of the generator, a [PSGAN's](crate::nets::psgan).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextureNetwork {
    /// Numbers of local noise in each cell.
    pub local: usize,
    /// Waves by which textures repeat.
    #[serde(default)]
    pub periodic: usize,
    /// Channels at a cell's size, half of it and so on; a pixel is half of the last.
    pub widths: Vec<usize>,
}

/// How training goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextureSteps {
    pub steps: u64,
    /// Width and height in pixels of what is drawn at every step.
    pub side: usize,
    /// Pictures of each class that are drawn at every step.
    #[serde(default = "one")]
    pub each: usize,
    pub learning_rate: f64,
    /// From this step the learning rate falls to a twentieth at the last.
    pub fall_from: u64,
    /// Decay of the averaged generator, which becomes the model.
    pub average: f64,
    pub checkpoint_every: u64,
}

fn one() -> usize {
    1
}

impl TextureRecipe {
    /// One that teaches so many photographs in minutes, in so many steps.
    pub fn quick(photographs: usize, detail: usize, steps: u64) -> Self {
        let (one, several) = ([128, 64, 32], [192, 96, 48]);
        Self {
            name: "textures".to_owned(),
            seed: 1,
            textures: Vec::new(),
            detail: Some(detail),
            network: TextureNetwork {
                local: 32,
                periodic: 0,
                widths: if photographs > 2 { several.into() } else { one.into() },
            },
            training: TextureSteps {
                steps,
                side: 128,
                each: 4_usize.div_ceil(photographs.max(1)),
                learning_rate: 0.002,
                fall_from: steps * 3 / 5,
                average: 0.98,
                checkpoint_every: steps,
            },
        }
    }

    /// The TOML file that `atelier train` reads it from.
    ///
    /// # Errors
    /// When a name cannot be written.
    pub fn to_toml(&self) -> Result<String> {
        let text = toml::to_string(self).map_err(|why| {
            Error::new(format!("The recipe cannot be written: {why}."), format!("无法写入训练配方：{why}。"))
        })?;
        Ok(format!("kind = \"texture\"\n{text}"))
    }

    /// # Errors
    /// When something makes no sense.
    pub fn check(&self) -> Result<()> {
        let (network, training) = (&self.network, &self.training);
        let cell = 1 << network.widths.len().min(6);
        let sensible = plain_name(&self.name)
            && self.textures.len() <= 100
            && (1..=6).contains(&network.widths.len())
            && network.widths.iter().all(|width| (1..=2_048).contains(width))
            && (1..=4_096).contains(&network.local)
            && network.periodic <= 64
            && self.detail.is_none_or(|detail| (training.side..=8_192).contains(&detail))
            // What is looked at is halved five times.
            && (64..=512).contains(&training.side)
            && training.side.is_multiple_of(cell)
            && training.side.is_multiple_of(32)
            && (1..=64).contains(&training.each)
            && training.learning_rate > 0.0
            && training.learning_rate <= 0.1
            && (0.0..1.0).contains(&training.average)
            && training.steps > 0
            && training.checkpoint_every > 0;
        if sensible {
            return Ok(());
        }
        Err(Error::new(
            "The recipe asks for sizes or rates that make no sense; compare it with one beside a bundled model.",
            "训练配方中的尺寸或学习率不合理；请与内置模型旁的配方对照。",
        ))
    }
}
