//! The configuration of a capture's WaveNet, in all the forms that the field has written it.

use serde::Deserialize;

use super::super::{activation::ActivationConfig, weights::impossible};
use crate::{Result, formats::nam::Capture};

/// The whole network.
#[derive(Debug, Deserialize)]
pub(super) struct Config {
    pub layers: Vec<ArrayConfig>,
    #[serde(default)]
    pub head: Option<HeadConfig>,
    #[serde(default = "one")]
    pub in_channels: usize,
    /// A network whose output conditions this one, instead of the input.
    #[serde(default)]
    pub condition_dsp: Option<Capture>,
}

/// A stack of layers of one width.
#[derive(Debug, Deserialize)]
pub(super) struct ArrayConfig {
    pub input_size: usize,
    pub condition_size: usize,
    pub channels: usize,
    /// Channels between a layer's activation and its way out; as many as `channels` if absent.
    #[serde(default)]
    pub bottleneck: Option<usize>,
    #[serde(default)]
    pub kernel_size: Option<usize>,
    #[serde(default)]
    pub kernel_sizes: Option<Vec<usize>>,
    pub dilations: Vec<usize>,
    pub activation: OneOrMany<ActivationConfig>,
    #[serde(default)]
    pub secondary_activation: Option<OneOrMany<Option<ActivationConfig>>>,
    #[serde(default)]
    pub gating_mode: Option<OneOrMany<String>>,
    #[serde(default)]
    pub gated: Option<bool>,
    #[serde(default = "one")]
    pub groups_input: usize,
    #[serde(default = "one")]
    pub groups_input_mixin: usize,
    #[serde(default)]
    pub layer1x1: Option<PointConfig>,
    #[serde(default)]
    pub head1x1: Option<PointConfig>,
    #[serde(default)]
    pub head: Option<ArrayHeadConfig>,
    #[serde(default)]
    pub head_size: Option<usize>,
    #[serde(default)]
    pub head_bias: bool,
    #[serde(default)]
    pub conv_pre_film: FilmChoice,
    #[serde(default)]
    pub conv_post_film: FilmChoice,
    #[serde(default)]
    pub input_mixin_pre_film: FilmChoice,
    #[serde(default)]
    pub input_mixin_post_film: FilmChoice,
    #[serde(default)]
    pub activation_pre_film: FilmChoice,
    #[serde(default)]
    pub activation_post_film: FilmChoice,
    #[serde(default)]
    pub layer1x1_post_film: FilmChoice,
    #[serde(default)]
    pub head1x1_post_film: FilmChoice,
}

/// One for every layer, or one each.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany<T> {
    Many(Vec<T>),
    One(T),
}

impl<T> OneOrMany<T> {
    /// That of a layer.
    pub(super) fn of(&self, layer: usize, layers: usize) -> Result<&T> {
        match self {
            Self::One(one) => Ok(one),
            Self::Many(many) if many.len() == layers => Ok(&many[layer]),
            Self::Many(_) => Err(impossible("values for each layer", "各层参数的数目")),
        }
    }
}

/// A convolution of one tap that may be left out.
#[derive(Debug, Deserialize)]
pub(super) struct PointConfig {
    #[serde(default)]
    pub active: Option<bool>,
    #[serde(default)]
    pub out_channels: Option<usize>,
    #[serde(default = "one")]
    pub groups: usize,
}

/// What makes an array's output of its layers'.
#[derive(Debug, Deserialize)]
pub(super) struct ArrayHeadConfig {
    pub out_channels: usize,
    pub kernel_size: usize,
    #[serde(default)]
    pub bias: bool,
    #[serde(default = "one")]
    pub head_dilation: usize,
}

/// What comes after all arrays.
#[derive(Debug, Deserialize)]
pub(super) struct HeadConfig {
    pub channels: usize,
    pub out_channels: usize,
    pub kernel_sizes: Vec<usize>,
    pub activation: ActivationConfig,
}

/// Feature-wise linear modulation by the condition (Perez et al., 2018): `false`, or how.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum FilmChoice {
    Flag(bool),
    Full {
        #[serde(default = "yes")]
        active: bool,
        #[serde(default = "yes")]
        shift: bool,
        #[serde(default = "one")]
        groups: usize,
    },
    Nothing,
}

impl Default for FilmChoice {
    fn default() -> Self {
        Self::Flag(false)
    }
}

impl FilmChoice {
    /// Whether it shifts, and its groups; `None` if there is none.
    pub(super) fn active(self) -> Option<(bool, usize)> {
        match self {
            Self::Full { active: true, shift, groups } => Some((shift, groups)),
            Self::Flag(true) => Some((true, 1)),
            _ => None,
        }
    }
}

/// How a layer's second half of channels acts on the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gating {
    None,
    Gated,
    Blended,
}

impl ArrayConfig {
    pub(super) fn gating(&self, layer: usize) -> Result<Gating> {
        let Some(mode) = &self.gating_mode else {
            return Ok(if self.gated == Some(true) { Gating::Gated } else { Gating::None });
        };
        Ok(match mode.of(layer, self.dilations.len())?.as_str() {
            "none" => Gating::None,
            "gated" => Gating::Gated,
            "blended" => Gating::Blended,
            _ => return Err(impossible("gating", "门控方式")),
        })
    }

    pub(super) fn kernel(&self, layer: usize) -> Result<usize> {
        match (&self.kernel_sizes, self.kernel_size) {
            (Some(sizes), _) if sizes.len() == self.dilations.len() => Ok(sizes[layer]),
            (None, Some(size)) => Ok(size),
            _ => Err(impossible("kernel sizes", "卷积核大小")),
        }
    }

    /// Channels that leave a layer for the head.
    pub(super) fn head_inputs(&self) -> Result<usize> {
        match self.head1x1.as_ref().filter(|point| point.active == Some(true)) {
            Some(point) => Ok(point.out_channels.unwrap_or(self.channels)),
            None => Ok(self.bottleneck.unwrap_or(self.channels)),
        }
    }

    /// The head, also in its older form.
    pub(super) fn head(&self) -> Result<ArrayHeadConfig> {
        match (&self.head, self.head_size) {
            (Some(head), _) => Ok(ArrayHeadConfig { ..*head }),
            (None, Some(out_channels)) => {
                Ok(ArrayHeadConfig { out_channels, kernel_size: 1, bias: self.head_bias, head_dilation: 1 })
            }
            (None, None) => Err(impossible("no head", "缺少输出层")),
        }
    }
}

fn one() -> usize {
    1
}

fn yes() -> bool {
    true
}
