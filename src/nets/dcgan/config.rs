//! The sizes of a DCGAN.

use std::collections::HashMap;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::{Tensors, tensor};
use crate::{Error, Result};

/// Where a weights file keeps what its tensors do not show.
pub const METADATA: &str = "atelier.dcgan";
/// More doublings than memory has room for: 4 · 2⁸ = 1024 pixels.
const MOST_DOUBLINGS: usize = 8;
const MOST_CLASSES: usize = 10_000;

/// The name of a class in both languages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassName {
    /// In English.
    pub en: String,
    /// In Chinese.
    pub zh: String,
}

/// The sizes, and the names of the classes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DcganConfig {
    /// Numbers of the latent vector, without the class.
    pub latent: usize,
    /// Channels of a picture: 1 is grey, 3 colour.
    pub channels: usize,
    /// Channels at 4 × 4, 8 × 8 and so on; the picture is twice as wide as the last.
    pub widths: Vec<usize>,
    /// None when there are no classes.
    pub classes: Vec<ClassName>,
}

/// What the metadata hold.
#[derive(Deserialize, Serialize)]
struct Told {
    #[serde(default)]
    classes: Vec<ClassName>,
}

impl DcganConfig {
    /// Width and height of a picture in pixels.
    pub fn side(&self) -> usize {
        4 << self.widths.len()
    }

    /// Numbers that go into the generator.
    pub fn inputs(&self) -> usize {
        self.latent + self.classes.len()
    }

    /// The tensors of a generator under the names that are used here, whatever its modules were called: 4 × 4
    /// convolutions and norms alternate in the order of their numbers (`net.0`, `layers.2.1`, `conv1` and `bn1`), and
    /// what has no weights between them, such as dropout, may shift the numbers. Others come back as they are.
    pub fn canonical(tensors: Tensors) -> Tensors {
        let Some(modules) = numbered(&tensors) else { return tensors };
        let mut names = HashMap::new();
        let mut convolutions = 0;
        for (module, is_norm) in modules {
            if !is_norm {
                convolutions += 1;
            }
            let Some(layer) = 3_usize.checked_mul(convolutions).and_then(|index| index.checked_sub(3)) else {
                return tensors;
            };
            names.insert(module, format!("main.{}", layer + usize::from(is_norm)));
        }
        let renamed = |(name, tensor): (String, Tensor)| {
            let (module, part) = name.rsplit_once('.')?;
            (part != "num_batches_tracked").then(|| Some((format!("{}.{part}", names.get(module)?), tensor))).flatten()
        };
        tensors.into_iter().filter_map(renamed).collect()
    }

    /// Whether tensors look like a DCGAN generator's.
    pub fn fits(tensors: &Tensors) -> bool {
        tensors.get("main.0.weight").is_some_and(|weight| weight.dims().len() == 4)
            && tensors.contains_key("main.3.weight")
    }

    /// The sizes found in a generator's tensors; `metadata` is what the file says beside them.
    ///
    /// # Errors
    /// When they are no DCGAN generator's.
    pub fn of_tensors(tensors: &Tensors, metadata: Option<&str>) -> Result<Self> {
        let classes = classes_of(metadata)?;
        let mut widths = Vec::new();
        let (mut inputs, mut channels) = (0, 0);
        for layer in 0..=MOST_DOUBLINGS {
            let Some(weight) = tensors.get(&format!("main.{}.weight", 3 * layer)) else { break };
            let &[before, after, 4, 4] = weight.dims() else { return Err(foreign()) };
            let expected = widths.last().copied().unwrap_or(before);
            if before != expected || before == 0 || after == 0 {
                return Err(foreign());
            }
            if layer == 0 {
                inputs = before;
            }
            widths.push(after);
            channels = after;
        }
        // The last is the picture's.
        widths.pop();
        if widths.is_empty() || classes.len() >= inputs || !matches!(channels, 1 | 3) {
            return Err(foreign());
        }
        let config = Self { latent: inputs - classes.len(), channels, widths, classes };
        tensor(tensors, &format!("main.{}.weight", 3 * config.widths.len()))?;
        Ok(config)
    }

    /// What a file says about itself, for [`Self::of_tensors`].
    pub fn metadata(&self) -> String {
        serde_json::to_string(&Told { classes: self.classes.clone() }).unwrap_or_default()
    }

    /// Every weight of the generator with its shape and the standard deviation that it begins with; scales of norms,
    /// which begin with 1, have none.
    pub fn generator_weights(&self) -> Vec<(String, Vec<usize>, Option<f64>)> {
        let mut weights = Vec::new();
        let (mut before, last) = (self.inputs(), self.widths.len());
        for layer in 0..=last {
            let after = self.widths.get(layer).copied().unwrap_or(self.channels);
            weights.push((format!("main.{}.weight", 3 * layer), vec![before, after, 4, 4], Some(0.02)));
            if layer < last {
                weights.push((format!("main.{}.weight", 3 * layer + 1), vec![after], None));
                weights.push((format!("main.{}.bias", 3 * layer + 1), vec![after], Some(0.0)));
            }
            before = after;
        }
        weights
    }

    /// The same of the discriminator: its convolutions, then the scores.
    pub fn discriminator_weights(&self) -> Vec<(String, Vec<usize>, Option<f64>)> {
        let mut weights = Vec::new();
        let mut before = self.channels;
        for (layer, after) in self.widths.iter().rev().enumerate() {
            weights.push((format!("layers.{layer}.weight"), vec![*after, before, 4, 4], Some(0.02)));
            if layer > 0 {
                weights.push((format!("norms.{layer}.weight"), vec![*after], None));
            }
            weights.push((format!("norms.{layer}.bias"), vec![*after], Some(0.0)));
            before = *after;
        }
        weights.push(("score.weight".to_owned(), vec![1, before * 16], Some(0.02)));
        if !self.classes.is_empty() {
            weights.push(("class.weight".to_owned(), vec![self.classes.len(), before], Some(0.02)));
        }
        weights
    }
}

/// The classes that a file's metadata name, if it has any.
///
/// # Errors
/// When they cannot be read, or are too many.
pub fn classes_of(metadata: Option<&str>) -> Result<Vec<ClassName>> {
    let Some(text) = metadata else { return Ok(Vec::new()) };
    let told = serde_json::from_str(text).map_err(|why| why.to_string());
    let told = told.and_then(|told: Told| match told.classes.len() {
        0..=MOST_CLASSES => Ok(told.classes),
        many => Err(format!("{many} classes")),
    });
    told.map_err(|why| {
        Error::new(
            format!("What the weights say about themselves cannot be read ({why}); get the model again."),
            format!("无法读取权重自带的说明（{why}），请重新获取模型。"),
        )
    })
}

/// The modules in the order of their numbers, with whether each is a norm; `None` when there are other kinds, or no
/// transposed convolutions that widen a picture.
fn numbered(tensors: &Tensors) -> Option<Vec<(String, bool)>> {
    let mut modules = Vec::new();
    for (name, tensor) in tensors {
        let (module, part) = name.rsplit_once('.')?;
        if part != "weight" {
            continue;
        }
        let is_norm = match tensor.dims() {
            [_, _, 4, 4] => false,
            [_] if tensors.contains_key(&format!("{module}.running_mean")) => true,
            _ => return None,
        };
        let digits = module.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
        let number: Vec<u64> = digits.map(|digits| digits.parse().ok()).collect::<Option<_>>()?;
        modules.push((number, is_norm, module.to_owned()));
    }
    modules.sort_unstable();
    // Each convolution takes what the one before it gives.
    let convolutions: Vec<_> = modules.iter().filter(|(_, is_norm, _)| !is_norm).collect();
    let dims = |module: &str| tensors.get(&format!("{module}.weight")).map(|weight| weight.dims());
    let fits = |pair: &[&(Vec<u64>, bool, String)]| Some(dims(&pair[0].2)?.get(1)? == dims(&pair[1].2)?.first()?);
    // A norm follows a convolution, at most one each and none the last.
    let alternate = modules.windows(2).all(|pair| !(pair[0].1 && pair[1].1));
    let ends = modules.first().zip(modules.last()).is_some_and(|(first, last)| !first.1 && !last.1);
    let fits =
        alternate && ends && convolutions.len() > 1 && convolutions.windows(2).all(|pair| fits(pair) == Some(true));
    fits.then(|| modules.into_iter().map(|(_, is_norm, module)| (module, is_norm)).collect())
}

fn foreign() -> Error {
    Error::new(
        "These weights are of no DCGAN generator for grey or colour pictures that doubles its width with every layer.",
        "这些权重不是逐层加倍宽度、输出灰度或彩色图片的 DCGAN 生成器。",
    )
}
