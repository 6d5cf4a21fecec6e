//! What is asked of an image model, as plain data that a recipe can hold.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Seeds and directions that a request may have: more than any mixture of mixtures needs.
const MOST_PARTS: usize = 4096;
/// Layers that a request may name: more than any network has.
const MOST_LAYERS: usize = 64;

/// One picture to be made: a latent vector in terms that a person can read and a program can repeat.
///
/// The latent vector is `Σ weight · N(seed) / √Σ weight²`, where `N(seed)` are standard normal numbers drawn from the
/// seed, scaled by the truncation, plus the directions. Varying, mixing, the seed map and paths between pictures are
/// all weighted sums of seeds, so that a sum of sums is one again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageRequest {
    /// The seeds; at least one, with a weight other than 0.
    pub seeds: Vec<SeedWeight>,
    /// The class, of a model that has classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<u32>,
    /// How far from the average picture, 0..=2; 1 leaves the latent as it is.
    #[serde(default = "one")]
    pub truncation: f32,
    /// Steps along the model's principal directions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub directions: Vec<Direction>,
    /// Width and height in pixels, of a model that makes any size; otherwise the model's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<[u32; 2]>,
    /// The look of another picture at some layers, of a model that has layers to choose from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub style: Option<Style>,
}

/// The look of another picture by the same model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Style {
    /// The picture, which takes no look itself.
    pub of: Box<ImageRequest>,
    /// The layers that take it, counted from 0 where the picture is smallest.
    pub layers: Vec<u32>,
    /// How far they do, 0..=1.
    pub amount: f32,
}

/// A seed and its share of a mixture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeedWeight {
    /// Where the random numbers start.
    pub seed: u64,
    /// The share; may be negative.
    pub weight: f32,
}

/// A step along a principal direction of the model.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Direction {
    /// Which direction, the strongest first.
    pub index: u32,
    /// How far, in standard deviations of the latent.
    pub amount: f32,
}

/// A finished picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Red, green, blue, a byte each, row after row: `width · height · 3` bytes. Grey pictures repeat their value.
    pub rgb: Vec<u8>,
}

fn one() -> f32 {
    1.0
}

impl ImageRequest {
    /// The picture of a single seed.
    pub fn of_seed(seed: u64) -> Self {
        let seeds = vec![SeedWeight { seed, weight: 1.0 }];
        Self { seeds, class: None, truncation: 1.0, directions: Vec::new(), size: None, style: None }
    }

    /// Refuses what no latent vector answers.
    ///
    /// # Errors
    /// When there are no seeds or no weight, or a number is not finite or out of its range.
    pub fn check(&self) -> Result<()> {
        let parts = self.seeds.len().max(self.directions.len());
        let square: f64 = self.seeds.iter().map(|seed| f64::from(seed.weight).powi(2)).sum();
        if self.seeds.is_empty() || parts > MOST_PARTS || !(square > 0.0 && square.is_finite()) {
            return Err(Error::new(
                "A picture needs at least one seed with a weight other than 0; give it one.",
                "图片至少需要一个权重不为 0 的种子，请给出一个。",
            ));
        }
        if !(0.0..=2.0).contains(&self.truncation) {
            return Err(Error::new(
                format!("The truncation {} is out of range; choose one from 0 to 2.", self.truncation),
                format!("截断 {} 超出范围，请取 0 到 2。", self.truncation),
            ));
        }
        if self.directions.iter().any(|direction| !(-100.0..=100.0).contains(&direction.amount)) {
            return Err(Error::new(
                "A step along a direction is out of range; choose one from −100 to 100.",
                "沿方向的步长超出范围，请取 −100 到 100。",
            ));
        }
        if let Some(Style { of, layers, amount }) = &self.style {
            of.check()?;
            if of.style.is_some() || layers.len() > MOST_LAYERS || !(0.0..=1.0).contains(amount) {
                return Err(Error::new(
                    "The look of another picture can be taken from 0 to 1, and only of one that takes none itself.",
                    "借用另一张图片的风格时，程度须为 0 到 1，且那张图片本身不能再借用风格。",
                ));
            }
        }
        Ok(())
    }
}
