//! The networks that are trained: a generator and a critic of one kind.

use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Device, Result as TensorResult, Tensor};
use candle_nn::VarBuilder;

use super::recipe::{GanNetwork, GanRecipe, r3gan_config};
use crate::{
    Error,
    kernels::normalise::Statistics,
    nets::{
        dcgan::{self, ClassName, DcganConfig, METADATA},
        r3gan::{self, R3ganConfig},
        sketch::{self, MlpConfig},
    },
};

type Tensors = HashMap<String, Tensor>;

/// Names, shapes, and the standard deviations that weights begin with; without one they begin with 1.
pub(super) type Weights = Vec<(String, Vec<usize>, Option<f64>)>;

/// A kind of networks with its sizes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Networks {
    /// Convolutions.
    Dcgan(DcganConfig),
    /// The first sketch's perceptrons. With classes, both are given the class beside what they take (Mirza and
    /// Osindero, 2014).
    Mlp(MlpGan),
    /// Residual blocks without norms.
    R3gan(R3ganConfig),
}

/// The sizes of the perceptrons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MlpGan {
    pub latent: usize,
    /// Width and height of a picture in pixels.
    pub side: usize,
    pub channels: usize,
    pub classes: Vec<ClassName>,
}

impl MlpGan {
    fn configs(&self) -> [MlpConfig; 2] {
        let (classes, pixels) = (self.classes.len(), self.side * self.side * self.channels);
        [MlpConfig::generator(self.latent + classes, pixels), MlpConfig::discriminator(pixels + classes)]
    }
}

impl Networks {
    /// Those of a recipe, for pictures of these channels and classes.
    pub fn new(recipe: &GanRecipe, channels: usize, classes: Vec<ClassName>) -> Self {
        match recipe.network.clone() {
            GanNetwork::Dcgan { latent, widths } => Self::Dcgan(DcganConfig { latent, channels, widths, classes }),
            GanNetwork::Mlp { latent, side } => Self::Mlp(MlpGan { latent, side, channels, classes }),
            GanNetwork::R3gan { latent, stages, blocks, group } => {
                Self::R3gan(r3gan_config(latent, &stages, blocks, group, channels, classes))
            }
        }
    }

    /// Numbers of the latent vector.
    pub fn latent(&self) -> usize {
        match self {
            Self::Dcgan(config) => config.latent,
            Self::Mlp(config) => config.latent,
            Self::R3gan(config) => config.latent,
        }
    }

    /// Width and height of a picture in pixels.
    pub fn side(&self) -> usize {
        match self {
            Self::Dcgan(config) => config.side(),
            Self::Mlp(config) => config.side,
            Self::R3gan(config) => config.side(),
        }
    }

    /// Channels of a picture.
    pub fn channels(&self) -> usize {
        match self {
            Self::Dcgan(config) => config.channels,
            Self::Mlp(config) => config.channels,
            Self::R3gan(config) => config.channels,
        }
    }

    /// The classes; none when there are none.
    pub fn classes(&self) -> &[ClassName] {
        match self {
            Self::Dcgan(config) => &config.classes,
            Self::Mlp(config) => &config.classes,
            Self::R3gan(config) => &config.classes,
        }
    }

    /// The generator's weights and the critic's.
    pub(super) fn weights(&self) -> [Weights; 2] {
        match self {
            Self::Dcgan(config) => [config.generator_weights(), config.discriminator_weights()],
            Self::Mlp(config) => config.configs().map(|config| config.weights()),
            Self::R3gan(config) => [config.generator_weights(), config.critic_weights()],
        }
    }

    /// Pictures (N, channels, side, side) of `z` (N, latent and classes) in training, with the statistics of the norms.
    pub(super) fn make(&self, tensors: &Tensors, z: &Tensor) -> TensorResult<(Tensor, Vec<Statistics>)> {
        match self {
            Self::Dcgan(config) => dcgan::Generator::in_training(config, tensors).map_err(wrapped)?.run(z),
            Self::Mlp(config) => {
                let [generator, _] = config.configs();
                let net = sketch::Generator::new(&generator, &builder(tensors))?;
                let shape = (z.dim(0)?, config.channels, config.side, config.side);
                Ok((net.forward(z)?.reshape(shape)?, Vec::new()))
            }
            Self::R3gan(config) => {
                Ok((r3gan::Generator::new(config, tensors).map_err(wrapped)?.forward(z)?, Vec::new()))
            }
        }
    }

    /// Logits of pictures being real; `classes` one-hot.
    pub(super) fn judge(&self, tensors: &Tensors, pictures: &Tensor, classes: Option<&Tensor>) -> TensorResult<Tensor> {
        match self {
            Self::Dcgan(config) => {
                dcgan::Discriminator::new(config, tensors).map_err(wrapped)?.forward(pictures, classes)
            }
            Self::Mlp(config) => {
                let [_, critic] = config.configs();
                let mut x = pictures.flatten_from(1)?;
                if let Some(classes) = classes {
                    x = Tensor::cat(&[&x, classes], 1)?;
                }
                sketch::Discriminator::new(&critic, &builder(tensors))?.logits(&x)
            }
            Self::R3gan(config) => r3gan::Critic::new(config, tensors).map_err(wrapped)?.forward(pictures, classes),
        }
    }

    /// Pictures of `z` as the saved model draws them.
    pub(super) fn draw(&self, tensors: &Tensors, z: &Tensor) -> TensorResult<Tensor> {
        match self {
            Self::Dcgan(config) => dcgan::Generator::new(config, tensors).map_err(wrapped)?.forward(z),
            Self::Mlp(_) | Self::R3gan(_) => Ok(self.make(tensors, z)?.0),
        }
    }

    /// What a file of weights says about itself.
    pub(super) fn metadata(&self) -> BTreeMap<String, String> {
        let config = DcganConfig { classes: self.classes().to_vec(), ..DcganConfig::default() };
        BTreeMap::from([(METADATA.to_owned(), config.metadata())])
    }
}

fn builder(tensors: &Tensors) -> VarBuilder<'static> {
    VarBuilder::from_tensors(tensors.clone(), DType::F32, &Device::Cpu)
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn wrapped(why: Error) -> candle_core::Error {
    candle_core::Error::Msg(why.to_string())
}
