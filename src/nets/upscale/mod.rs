//! Networks that enlarge pictures: Real-ESRGAN's two (Wang et al., "Real-ESRGAN", 2021), with the names that its
//! checkpoints give the weights.

mod rrdb;
mod srvgg;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use candle_core::{DType, Tensor};

use crate::{
    Error, Result,
    kernels::{
        conv::{ConvOptions, conv2d},
        elementwise::Activation,
    },
};
use rrdb::RrdbNet;
use srvgg::SrvggNet;

/// Told how far a pass has come, 0..=1; `false` stops it.
pub type GoOn<'a> = &'a mut dyn FnMut(f32) -> bool;

/// Named weights.
type Weights = HashMap<String, Tensor>;

/// A network that enlarges pictures, with its weights.
pub struct UpscaleNet {
    network: Network,
    /// Its output is halved.
    halved: bool,
}

enum Network {
    /// Residual-in-residual dense blocks: thorough.
    Rrdb(RrdbNet),
    /// A plain stack of convolutions: quick.
    Srvgg(SrvggNet),
}

impl UpscaleNet {
    /// The network whose state dict this is; `None` when it is of neither kind.
    ///
    /// # Errors
    /// When weights are missing or have shapes that do not fit together.
    pub fn from_state(tensors: HashMap<String, Tensor>) -> Result<Option<Self>> {
        let state = State { tensors };
        let starts_so = |name: &str, rank| state.tensors.get(name).is_some_and(|tensor| tensor.rank() == rank);
        let network = if state.has("conv_first.weight") {
            Network::Rrdb(RrdbNet::from_state(&state)?)
        } else if starts_so("body.0.weight", 4) && starts_so("body.1.weight", 1) {
            Network::Srvgg(SrvggNet::from_state(&state)?)
        } else {
            return Ok(None);
        };
        Ok(Some(Self { network, halved: false }))
    }

    /// The same network with its output halved by a bicubic filter (Keys, 1981, with a = −0.75): how Real-ESRGAN's
    /// quadrupling video model doubles.
    ///
    /// # Errors
    /// When what would be left is no enlargement by a whole number.
    pub fn halved(self) -> Result<Self> {
        if self.halved || !self.scale().is_multiple_of(2) {
            return Err(Error::new(
                "The output of this network cannot be halved; take “reduce” out of its model.toml.",
                "该网络的输出无法减半，请从 model.toml 中去掉“reduce”。",
            ));
        }
        Ok(Self { halved: true, ..self })
    }

    /// `rrdb` or `srvgg`.
    pub fn family(&self) -> &'static str {
        match self.network {
            Network::Rrdb(_) => "rrdb",
            Network::Srvgg(_) => "srvgg",
        }
    }

    /// How many times as wide and as high the output is.
    pub fn scale(&self) -> usize {
        let whole = match &self.network {
            Network::Rrdb(net) => net.scale(),
            Network::Srvgg(net) => net.scale(),
        };
        if self.halved { whole / 2 } else { whole }
    }

    /// Bytes that a pass needs for each pixel of its input, apart from the weights.
    pub fn bytes_per_pixel(&self) -> usize {
        match &self.network {
            Network::Rrdb(net) => net.bytes_per_pixel(),
            Network::Srvgg(net) => net.bytes_per_pixel(),
        }
    }

    /// Pixels around a part of a picture that its result depends on.
    pub fn reach(&self) -> usize {
        match &self.network {
            Network::Rrdb(net) => net.reach(),
            // A halved picture sees a little further.
            Network::Srvgg(net) => net.reach() + usize::from(self.halved),
        }
    }

    /// Pixels along a side that the network takes together.
    pub fn fold(&self) -> usize {
        match &self.network {
            Network::Rrdb(net) => net.fold(),
            Network::Srvgg(_) => 1,
        }
    }

    /// (N, 3, H, W) in 0..1 to (N, 3, scale · H, scale · W), which may reach a little beyond 0..1. `None` when `go_on`
    /// said to stop.
    ///
    /// # Errors
    /// When `x` has another shape.
    pub fn forward(&self, x: &Tensor, go_on: GoOn<'_>) -> Result<Option<Tensor>> {
        let dims = x.dims();
        if !matches!(dims, [_, 3, _, _]) || dims.contains(&0) {
            return Err(Error::new(
                format!("The input has the shape {dims:?}, but this network takes (N, 3, H, W); reshape it."),
                format!("输入的形状为 {dims:?}，而该网络需要 (N, 3, H, W)；请调整形状。"),
            ));
        }
        let passed = x.to_dtype(DType::F32).and_then(|x| match &self.network {
            Network::Rrdb(net) => net.forward(&x, go_on),
            Network::Srvgg(net) => net.forward(&x, go_on),
        });
        let halved = passed.and_then(|y| y.map(|y| if self.halved { halve(&y) } else { Ok(y) }).transpose());
        halved.map_err(|why| failed(&why))
    }
}

/// Half as wide and as high: each output is the middle of four inputs in each direction, edges repeated.
fn halve(x: &Tensor) -> candle_core::Result<Tensor> {
    const TAPS: [f32; 4] = [-0.093_75, 0.593_75, 0.593_75, -0.093_75];
    let channels = x.dim(1)?;
    let taps: Vec<f32> = TAPS.iter().flat_map(|a| TAPS.map(|b| a * b)).collect();
    let weight = Tensor::from_vec(taps, (1, 1, 4, 4), x.device())?.repeat((channels, 1, 1, 1))?;
    let padded = x.pad_with_same(2, 1, 1)?.pad_with_same(3, 1, 1)?;
    conv2d(&padded, &weight, None, &ConvOptions::new(2, 0).with_groups(channels), Activation::None)
}

/// A state dict that is being taken apart.
struct State {
    tensors: Weights,
}

/// A convolution of 3 × 3 with padding 1.
struct Conv {
    weight: Tensor, // (out, in, 3, 3)
    bias: Tensor,   // (out)
}

impl State {
    fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// A tensor as 32-bit floats.
    fn get(&self, name: &str) -> Result<Tensor> {
        let Some(tensor) = self.tensors.get(name) else {
            return Err(Error::new(
                format!("The weights have no “{name}”; they may be cut short, or of another network."),
                format!("权重中没有“{name}”；文件可能不完整，或属于其他网络。"),
            ));
        };
        tensor.to_dtype(DType::F32).and_then(|tensor| tensor.contiguous()).map_err(|why| failed(&why))
    }

    /// The convolution `name`, which must take `inputs` channels and make `outputs`, where one is given.
    fn conv(&self, name: &str, inputs: Option<usize>, outputs: Option<usize>) -> Result<Conv> {
        let (weight, bias) = (self.get(&format!("{name}.weight"))?, self.get(&format!("{name}.bias"))?);
        let fits = match *weight.dims() {
            [o, i, 3, 3] => {
                bias.dims() == [o]
                    && o > 0
                    && i > 0
                    && inputs.is_none_or(|inputs| inputs == i)
                    && outputs.is_none_or(|outputs| outputs == o)
            }
            _ => false,
        };
        if !fits {
            let (weight, bias) = (weight.dims(), bias.dims());
            return Err(Error::new(
                format!(
                    "“{name}” has the shapes {weight:?} and {bias:?}, which do not fit the layers around it; the weights are of another network."
                ),
                format!("“{name}”的形状 {weight:?} 和 {bias:?} 与相邻层不符；权重属于其他网络。"),
            ));
        }
        Ok(Conv { weight, bias })
    }
}

impl Conv {
    /// Output and input channels.
    fn channels(&self) -> (usize, usize) {
        (self.weight.dims()[0], self.weight.dims()[1])
    }
}

/// What the tensor library said, as a sentence.
fn failed(why: &candle_core::Error) -> Error {
    let why = why.to_string();
    let why = why.lines().next().unwrap_or_default();
    Error::new(
        format!("The network cannot be run: {why}; check that the weights are whole."),
        format!("无法运行网络：{why}；请检查权重是否完整。"),
    )
}
