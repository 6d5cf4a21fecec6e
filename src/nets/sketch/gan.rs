//! The sketch's GAN: two perceptrons of four layers with LeakyReLU(0.2) between them.

use candle_core::{Result, Tensor};
use candle_nn::{VarBuilder, ops};

use super::{layers::Linear, state::State};

const NEGATIVE_SLOPE: f64 = 0.2;
/// Where the linear layers stand in the sketch's `nn.Sequential`; activations take the places between.
const PLACES: [usize; 4] = [0, 2, 4, 6];

/// The sizes of a perceptron's five levels, inputs first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MlpConfig {
    /// Inputs, three hidden levels, outputs.
    pub sizes: [usize; 5],
}

impl MlpConfig {
    /// The sketch's `Generator(input_dim, output_dim)`.
    pub fn generator(input_dim: usize, output_dim: usize) -> Self {
        Self { sizes: [input_dim, 256, 512, 1024, output_dim] }
    }

    /// The sketch's `Discriminator(input_dim)`.
    pub fn discriminator(input_dim: usize) -> Self {
        Self { sizes: [input_dim, 1024, 512, 256, 1] }
    }

    /// Every weight with its shape and the standard deviation that it begins with.
    pub fn weights(&self) -> Vec<(String, Vec<usize>, Option<f64>)> {
        let layer = |(level, place): (usize, &usize)| {
            let (inputs, outputs) = (self.sizes[level], self.sizes[level + 1]);
            let deviation = Some(1.0 / (inputs as f64).sqrt());
            [
                (format!("fc.{place}.weight"), vec![outputs, inputs], deviation),
                (format!("fc.{place}.bias"), vec![outputs], Some(0.0)),
            ]
        };
        PLACES.iter().enumerate().flat_map(layer).collect()
    }

    /// The sizes found in a state dict.
    pub(super) fn of_state(state: &State) -> crate::Result<Self> {
        let mut sizes = [0; 5];
        for (level, place) in PLACES.iter().enumerate() {
            let [outputs, inputs] = state.shape(&format!("fc.{place}.weight"))?;
            sizes[level] = inputs;
            sizes[level + 1] = outputs;
        }
        Ok(Self { sizes })
    }

    /// The sketch's discriminator narrows down to one number; its generator widens.
    pub(super) fn is_discriminator(&self) -> bool {
        let [_, first, _, last, outputs] = self.sizes;
        outputs == 1 && first > last
    }
}

/// The four linear layers, before the last activation.
struct Mlp {
    layers: Vec<Linear>,
    input_dim: usize,
    hidden_dim: usize,
    output_dim: usize,
}

impl Mlp {
    fn new(config: &MlpConfig, weights: &VarBuilder<'_>) -> Result<Self> {
        let weights = weights.pp("fc");
        let layer = |(level, place): (usize, &usize)| {
            Linear::new(config.sizes[level], config.sizes[level + 1], &weights.pp(place))
        };
        let layers = PLACES.iter().enumerate().map(layer).collect::<Result<_>>()?;
        Ok(Self { layers, input_dim: config.sizes[0], hidden_dim: config.sizes[1], output_dim: config.sizes[4] })
    }

    /// (N, inputs) to (N, outputs)
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = x.clone();
        for (place, layer) in self.layers.iter().enumerate() {
            if place > 0 {
                x = ops::leaky_relu(&x, NEGATIVE_SLOPE)?;
            }
            x = layer.forward(&x)?;
        }
        Ok(x)
    }
}

/// Turns noise into a sample in -1..1.
pub struct Generator(Mlp);

impl Generator {
    /// Takes its weights by the names `fc.{0,2,4,6}.{weight,bias}`.
    ///
    /// # Errors
    /// When one is missing or has another shape.
    pub fn new(config: &MlpConfig, weights: &VarBuilder<'_>) -> Result<Self> {
        Mlp::new(config, weights).map(Self)
    }

    /// How many numbers it takes.
    pub fn input_dim(&self) -> usize {
        self.0.input_dim
    }

    /// How many numbers its first layer makes.
    pub fn hidden_dim(&self) -> usize {
        self.0.hidden_dim
    }

    /// How many numbers it makes.
    pub fn output_dim(&self) -> usize {
        self.0.output_dim
    }

    /// (N, input_dim) to (N, output_dim)
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.0.forward(x)?.tanh()
    }
}

/// Tells real samples from made ones.
pub struct Discriminator(Mlp);

impl Discriminator {
    /// Takes its weights by the names `fc.{0,2,4,6}.{weight,bias}`.
    ///
    /// # Errors
    /// When one is missing or has another shape.
    pub fn new(config: &MlpConfig, weights: &VarBuilder<'_>) -> Result<Self> {
        Mlp::new(config, weights).map(Self)
    }

    /// How many numbers it takes.
    pub fn input_dim(&self) -> usize {
        self.0.input_dim
    }

    /// (N, input_dim) to (N, 1) in 0..1
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::sigmoid(&self.logits(x)?)
    }

    /// (N, input_dim) to (N, 1) before the sigmoid, for losses that take logits.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn logits(&self, x: &Tensor) -> Result<Tensor> {
        self.0.forward(x)
    }
}
