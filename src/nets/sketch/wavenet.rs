//! The sketch's WaveNet: dilated convolutions of two taps with residuals, and one output channel.
//!
//! The sketch pads both sides, which lengthens the signal and breaks its residual sum. Causal is meant: padding on the
//! left alone, by the dilation. The studio's own WaveNet is another network.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::{
    layers::{as_floats, wrong_shape},
    state::State,
};

/// The arguments of the sketch's `WaveNetModel`; its `layer_size` is never used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaveNetConfig {
    /// Number of layers; layer i has the dilation 2^i.
    pub layers: usize,
    /// Channels in and between the layers.
    pub channels: usize,
}

impl WaveNetConfig {
    pub(super) fn of_state(state: &State) -> crate::Result<Self> {
        let [_, channels, _] = state.shape("output_conv.weight")?;
        Ok(Self { layers: state.count("layers.", ".conv.weight"), channels })
    }
}

/// `x + tanh(conv(x))` a layer, then a convolution of width 1.
pub struct WaveNetModel {
    layers: Vec<Layer>,
    output: Tap,
    channels: usize,
}

struct Layer {
    /// For the sample `dilation` steps ago.
    past: Tensor, // (channels, channels)
    now: Tap,
    dilation: usize,
}

/// One tap of a convolution and its bias.
struct Tap {
    weight: Tensor, // (out, in)
    bias: Tensor,   // (out, 1)
}

impl Tap {
    /// (N, in, T) to (N, out, T)
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.weight.broadcast_left(x.dim(0)?)?.contiguous()?.matmul(&x.contiguous()?)?.broadcast_add(&self.bias)
    }
}

impl WaveNetModel {
    /// Takes its weights by the names `layers.{i}.conv.{weight,bias}` and `output_conv.{weight,bias}`.
    ///
    /// # Errors
    /// When one is missing or has another shape.
    pub fn new(config: &WaveNetConfig, weights: &VarBuilder<'_>) -> Result<Self> {
        let channels = config.channels;
        let layers = (0..config.layers)
            .map(|i| {
                let weights = weights.pp("layers").pp(i).pp("conv");
                let weight = weights.get((channels, channels, 2), "weight")?;
                // A dilation longer than any signal is as good as the exact one.
                let dilation = u32::try_from(i).ok().and_then(|i| 1_usize.checked_shl(i)).unwrap_or(usize::MAX);
                Ok(Layer {
                    past: tap(&weight, 0)?,
                    now: Tap { weight: tap(&weight, 1)?, bias: weights.get(channels, "bias")?.unsqueeze(1)? },
                    dilation,
                })
            })
            .collect::<Result<_>>()?;
        let weights = weights.pp("output_conv");
        let output = Tap {
            weight: tap(&weights.get((1, channels, 1), "weight")?, 0)?,
            bias: weights.get(1, "bias")?.unsqueeze(1)?,
        };
        Ok(Self { layers, output, channels })
    }

    pub(super) fn checked(&self, input: &Tensor) -> crate::Result<Tensor> {
        let dims = input.dims();
        if dims.len() != 3 || dims[1] != self.channels || dims.contains(&0) {
            return Err(wrong_shape(dims, &format!("(N, {}, T)", self.channels)));
        }
        as_floats(input)
    }

    /// (N, channels, T) to (N, 1, T); the output at a time depends on inputs up to that time alone.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = x.clone(); // (N, channels, T)
        for layer in &self.layers {
            x = (layer.forward(&x)?.tanh()? + x)?;
        }
        self.output.forward(&x)
    }
}

impl Layer {
    /// (N, channels, T) to the same
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, _, steps) = x.dims3()?;
        let now = self.now.forward(x)?;
        if self.dilation >= steps {
            return Ok(now); // The other tap sees only the padding.
        }
        let earlier = x.narrow(2, 0, steps - self.dilation)?.contiguous()?;
        let past = self.past.broadcast_left(batch)?.contiguous()?.matmul(&earlier)?;
        now + past.pad_with_zeros(2, self.dilation, 0)?
    }
}

/// Tap `index` of a convolution's weight (out, in, taps) as (out, in).
fn tap(weight: &Tensor, index: usize) -> Result<Tensor> {
    weight.narrow(2, index, 1)?.squeeze(2)?.contiguous()
}
