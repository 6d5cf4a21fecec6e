//! Activations as captures name them.

use serde::Deserialize;

use crate::{
    Error, Result,
    kernels::{
        Level,
        stream::{Activation, BLOCK, activate},
    },
};

/// A name, or a name with its numbers.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum ActivationConfig {
    Name(String),
    Full(Box<FullConfig>),
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct FullConfig {
    #[serde(rename = "type")]
    name: String,
    negative_slope: Option<f32>,
    negative_slopes: Option<Vec<f32>>,
    min_val: Option<f32>,
    max_val: Option<f32>,
    min_slope: Option<f32>,
    max_slope: Option<f32>,
}

/// An activation of rows.
#[derive(Clone, Debug)]
pub(super) enum Rows {
    Same(Activation),
    /// PReLU: a slope for every row.
    Slopes(Vec<f32>),
}

impl Rows {
    /// Of `count` rows.
    pub(super) fn new(config: &ActivationConfig, count: usize) -> Result<Self> {
        let named;
        let config = match config {
            ActivationConfig::Full(config) => config,
            ActivationConfig::Name(name) => {
                named = FullConfig { name: name.clone(), ..FullConfig::default() };
                &named
            }
        };
        let slope = config.negative_slope.unwrap_or(0.01);
        Ok(Self::Same(match config.name.as_str() {
            "Tanh" => Activation::Tanh,
            "Hardtanh" => Activation::HardTanh,
            "Fasttanh" => Activation::FastTanh,
            "ReLU" => Activation::Relu,
            "PReLU" => match &config.negative_slopes {
                Some(slopes) if config.negative_slope.is_none() => {
                    if slopes.len() != count {
                        return Err(super::impossible("slopes of PReLU", "PReLU 的斜率数"));
                    }
                    return Ok(Self::Slopes(slopes.clone()));
                }
                _ => Activation::LeakyRelu { slope },
            },
            "LeakyReLU" => Activation::LeakyRelu { slope },
            "Sigmoid" => Activation::Sigmoid,
            "SiLU" => Activation::Silu,
            "Hardswish" => Activation::HardSwish,
            "LeakyHardtanh" | "LeakyHardTanh" => Activation::LeakyHardTanh {
                low: config.min_val.unwrap_or(-1.0),
                high: config.max_val.unwrap_or(1.0),
                low_slope: config.min_slope.unwrap_or(0.01),
                high_slope: config.max_slope.unwrap_or(0.01),
            },
            "Softsign" => Activation::Softsign,
            other => {
                let other: String = other.chars().take(40).collect();
                return Err(Error::new(
                    format!("The capture uses an activation that is not known here, “{other}”."),
                    format!("此模型使用了尚不支持的激活函数“{other}”。"),
                ));
            }
        }))
    }

    /// Of the first `frames` of `rows`.
    pub(super) fn apply(&self, level: Level, frames: usize, rows: &mut [f32]) {
        match self {
            Self::Same(activation) => activate(level, *activation, frames, rows),
            Self::Slopes(slopes) => {
                for (row, slope) in rows.chunks_exact_mut(BLOCK).zip(slopes) {
                    activate(level, Activation::LeakyRelu { slope: *slope }, frames, row);
                }
            }
        }
    }
}
