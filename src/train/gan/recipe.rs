//! What a recipe for a GAN says.

use serde::Deserialize;

use crate::{
    Error, Result,
    nets::{dcgan::ClassName, r3gan::R3ganConfig},
    train::plain_name,
};

/// A recipe, as its TOML file holds it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GanRecipe {
    /// The model's name.
    pub name: String,
    /// Decides every random number.
    pub seed: u64,
    pub data: DataRecipe,
    pub network: GanNetwork,
    pub training: GanSteps,
}

/// What pictures are learnt from.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum DataRecipe {
    /// The pictures of a folder, or of a zip or tar archive (PNG, JPEG, WebP, GIF); folders inside, if there are several, are
    /// the classes.
    Images {
        /// Also mirror images.
        #[serde(default)]
        mirror: bool,
        /// 1 for grey, 3 for colour.
        channels: usize,
    },
    /// An IDX file of grey pictures, such as MNIST's, in the data folder; gzip is unpacked.
    Idx {
        /// The file of pictures.
        images: String,
        /// The file of their classes.
        labels: Option<String>,
        /// What the classes are called, in the order of their numbers.
        #[serde(default)]
        classes: Vec<ClassName>,
    },
    /// Characters of fonts, dark on light; each font is a class.
    Glyphs {
        /// Unicode code points, first and last; of those, all that every font has.
        characters: [u32; 2],
        fonts: Vec<FontRecipe>,
    },
}

/// A font file in the data folder, and what its class is called.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FontRecipe {
    pub file: String,
    /// Which font of a collection.
    #[serde(default)]
    pub index: u32,
    pub en: String,
    pub zh: String,
}

/// The sizes of both networks.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum GanNetwork {
    /// DCGANs.
    Dcgan {
        /// Numbers of the latent vector.
        latent: usize,
        /// Channels at 4 × 4, 8 × 8 and so on; pictures are twice as wide as the last.
        widths: Vec<usize>,
    },
    /// Residual networks without norms, in the manner of R3GAN.
    R3gan {
        /// Numbers of the latent vector.
        latent: usize,
        /// Channels at 4 × 4, 8 × 8 and so on up to the picture's size.
        stages: Vec<usize>,
        /// Residual blocks of each stage.
        blocks: usize,
        /// Channels of a group of the 3 × 3 convolutions.
        group: usize,
    },
    /// Perceptrons.
    Mlp {
        /// Numbers of the latent vector.
        latent: usize,
        /// Width and height of pictures in pixels.
        side: usize,
    },
}

/// How training goes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GanSteps {
    pub steps: u64,
    pub batch: usize,
    /// Of the generator.
    pub learning_rate: f64,
    /// Of the discriminator.
    pub critic_learning_rate: f64,
    /// Adam's decays of the first and the second moment.
    pub betas: [f64; 2],
    /// Deviation of the noise that both networks' pictures reach the critic with, at the first step and at the last
    /// (instance noise, Sønderby et al., 2017): without it a critic of sharp pictures may win at once.
    #[serde(default)]
    pub noise: [f64; 2],
    /// Weight of the gradient penalties R1 and R2, of R3GANs.
    #[serde(default)]
    pub gamma: f64,
    /// Steps between two that have the penalties, which then weigh as much more.
    #[serde(default = "one")]
    pub penalty_every: u64,
    /// Whether the critic sees pictures recoloured, moved and partly blanked (DiffAugment, Zhao et al., 2020): of use with
    /// some thousand pictures or fewer.
    #[serde(default)]
    pub augment: bool,
    /// From this step the learning rates fall to a tenth at the last.
    pub fall_from: u64,
    /// Decay of the averaged generator, which becomes the model.
    pub average: f64,
    pub checkpoint_every: u64,
}

fn one() -> u64 {
    1
}

impl GanRecipe {
    /// # Errors
    /// When something makes no sense.
    pub fn check(&self) -> Result<()> {
        let (network, training) = (&self.network, &self.training);
        let (latent, sizes) = match network {
            GanNetwork::Dcgan { latent, widths } => {
                (latent, (1..=6).contains(&widths.len()) && widths.iter().all(|w| (1..=2_048).contains(w)))
            }
            GanNetwork::R3gan { latent, stages, blocks, group } => {
                let sizes = r3gan_config(*latent, stages, *blocks, *group, 3, Vec::new());
                let within = stages.iter().all(|width| *width <= 2_048) && (2..=7).contains(&stages.len());
                (latent, within && sizes.is_whole() && *blocks <= 8)
            }
            GanNetwork::Mlp { latent, side } => (latent, (4..=128).contains(side)),
        };
        let rate = |rate: f64| rate > 0.0 && rate <= 0.1;
        let sensible = plain_name(&self.name)
            && sizes
            && (1..=4_096).contains(latent)
            && (2..=1_024).contains(&training.batch)
            && rate(training.learning_rate)
            && rate(training.critic_learning_rate)
            && training.betas.iter().all(|beta| (0.0..1.0).contains(beta))
            && training.noise.iter().all(|deviation| (0.0..=10.0).contains(deviation))
            && (0.0..1.0).contains(&training.average)
            && (0.0..=1e4).contains(&training.gamma)
            && (1..=1_000).contains(&training.penalty_every)
            && training.steps > 0
            && training.checkpoint_every > 0;
        let data = match &self.data {
            DataRecipe::Images { channels, .. } => matches!(channels, 1 | 3),
            DataRecipe::Idx { images, labels, classes } => {
                !images.is_empty() && labels.is_some() != classes.is_empty() && classes.len() <= 256
            }
            DataRecipe::Glyphs { characters: [first, last], fonts } => {
                first <= last && *last <= 0x10_FFFF && !fonts.is_empty() && fonts.len() <= 100
            }
        };
        if sensible && data {
            return Ok(());
        }
        Err(Error::new(
            "A number in the recipe is out of range; compare it with the recipe of a bundled model.",
            "配方中有数值超出范围；请与内置模型的配方对照。",
        ))
    }

    /// Width and height of its pictures in pixels.
    pub fn side(&self) -> usize {
        match &self.network {
            GanNetwork::Dcgan { widths, .. } => 4 << widths.len(),
            GanNetwork::R3gan { stages, .. } => 2 << stages.len(),
            GanNetwork::Mlp { side, .. } => *side,
        }
    }
}

/// The sizes of an R3GAN: blocks are twice as wide inside, and a class becomes as many numbers as the latent vector has.
pub(super) fn r3gan_config(
    latent: usize,
    stages: &[usize],
    blocks: usize,
    group: usize,
    channels: usize,
    classes: Vec<ClassName>,
) -> R3ganConfig {
    R3ganConfig { latent, channels, widths: stages.to_vec(), blocks, expansion: 2, group, embedding: latent, classes }
}
