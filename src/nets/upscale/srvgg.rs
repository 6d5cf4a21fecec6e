//! SRVGGNetCompact: a plain stack of convolutions with PReLU, and a pixel shuffle at the end, on top of the picture's own
//! pixels repeated.

use candle_core::{Result, Tensor};

use super::{Conv, GoOn, State};
use crate::{
    Error,
    kernels::{conv::conv2d_prelu, elementwise::Activation},
};

/// More layers than any such network has.
const MOST_LAYERS: usize = 256;

/// The network.
pub struct SrvggNet {
    layers: Vec<(Conv, Tensor)>, // and the slopes (features)
    last: Conv,
    scale: usize,
}

impl SrvggNet {
    pub(super) fn from_state(state: &State) -> crate::Result<Self> {
        let mut layers = Vec::new();
        let mut channels = 3;
        while layers.len() < MOST_LAYERS && state.has(&format!("body.{}.weight", 2 * layers.len() + 1)) {
            let at = 2 * layers.len();
            let conv = state.conv(&format!("body.{at}"), Some(channels), None)?;
            (channels, _) = conv.channels();
            let slopes = state.get(&format!("body.{}.weight", at + 1))?;
            if slopes.dims() != [channels] {
                let (found, name) = (slopes.dims().to_vec(), at + 1);
                return Err(Error::new(
                    format!(
                        "“body.{name}.weight” has the shape {found:?} where [{channels}] belongs; the weights are of another network."
                    ),
                    format!("“body.{name}.weight”的形状为 {found:?}，应为 [{channels}]；权重属于其他网络。"),
                ));
            }
            layers.push((conv, slopes));
        }
        let last = state.conv(&format!("body.{}", 2 * layers.len()), Some(channels), None)?;
        let (outputs, _) = last.channels();
        let scale = (outputs / 3).isqrt();
        if outputs != 3 * scale * scale || !(1..=8).contains(&scale) {
            return Err(Error::new(
                format!(
                    "The last layer makes {outputs} channels, which are no picture enlarged a whole number of times."
                ),
                format!("最后一层输出 {outputs} 个通道，无法组成整数倍放大的图片。"),
            ));
        }
        Ok(Self { layers, last, scale })
    }

    pub(super) fn scale(&self) -> usize {
        self.scale
    }

    /// Every convolution reaches one pixel further.
    pub(super) fn reach(&self) -> usize {
        self.layers.len() + 1
    }

    /// Three copies of the features, or of the result: in, out, and the kernel's own.
    pub(super) fn bytes_per_pixel(&self) -> usize {
        let features = self.layers.iter().map(|(conv, _)| conv.channels().0).max().unwrap_or(0);
        3 * features.max(3 * self.scale * self.scale) * size_of::<f32>()
    }

    /// (N, 3, H, W) to (N, 3, scale · H, scale · W)
    pub(super) fn forward(&self, x: &Tensor, go_on: GoOn<'_>) -> Result<Option<Tensor>> {
        let (_, _, height, width) = x.dims4()?;
        let base = x.upsample_nearest2d(height * self.scale, width * self.scale)?;
        let mut x = x.clone();
        for (at, (conv, slopes)) in self.layers.iter().enumerate() {
            if !go_on(at as f32 / (self.layers.len() + 1) as f32) {
                return Ok(None);
            }
            x = conv2d_prelu(&x, &conv.weight, &conv.bias, slopes)?;
        }
        let shuffled = candle_nn::ops::pixel_shuffle(&self.last.forward(&x, Activation::None)?, self.scale)?;
        (shuffled + base).map(Some)
    }
}
