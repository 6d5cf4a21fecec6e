//! A stack of gated, dilated, causal layers as WaveNet has them (van den Oord et al. 2016), as one operation.
//!
//! Layer by layer: `y = tap(h) + condition · c`, `z = tanh(y₁) × sigmoid(y₂)`, `h ← h + mix(z)`, `skip ← skip + s(z)`.
//! Everything stays channels-last between the layers; tanh and sigmoid are kept for the backward pass.
#![allow(unsafe_code)]

mod op;
mod run;

use candle_core::{Result, Tensor, bail};

/// The weights of a layer, laid out as PyTorch lays them out.
#[derive(Clone, Debug)]
pub struct GatedLayer {
    /// (2 · channels, channels, taps), of which the first half goes through tanh.
    pub tap_weight: Tensor,
    /// (2 · channels)
    pub tap_bias: Tensor,
    /// (channels, channels) or (channels, channels, 1)
    pub mix_weight: Tensor,
    /// (channels)
    pub mix_bias: Tensor,
    /// (2 · channels, condition channels), with or without a last dimension of 1.
    pub condition_weight: Option<Tensor>,
    /// (skip channels, channels), with or without a last dimension of 1, and (skip channels).
    pub skip: Option<(Tensor, Tensor)>,
    /// Moments between two taps.
    pub dilation: usize,
}

/// The sizes of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub batch: usize,
    pub time: usize,
    pub channels: usize,
    pub taps: usize,
    /// Channels of the condition, or 0.
    pub condition: usize,
    /// Channels of the skip output, or 0.
    pub skip: usize,
    pub dilations: Vec<usize>,
}

impl Shape {
    /// The lengths of a layer's parts in the flat weights: tap, its bias, condition, mix, its bias, skip, its bias.
    fn parts(&self) -> [usize; 7] {
        let c = self.channels;
        [2 * c * c * self.taps, 2 * c, 2 * c * self.condition, c * c, c, self.skip * c, self.skip]
    }

    pub(crate) fn layer_len(&self) -> usize {
        self.parts().iter().sum()
    }

    /// The parts of layer `index` of flat weights.
    fn split<'a>(&self, weights: &'a [f32], index: usize) -> [&'a [f32]; 7] {
        let mut rest = &weights[index * self.layer_len()..(index + 1) * self.layer_len()];
        self.parts().map(|len| {
            let (part, after) = rest.split_at(len);
            rest = after;
            part
        })
    }
}

/// Runs `x` (batch, channels, time) through the layers: (batch, channels, time), with skip outputs
/// (batch, channels + skip channels, time), the sum of the skip outputs behind the channels. `condition` is (batch,
/// condition channels, time).
///
/// # Errors
/// If the shapes do not fit together or a tensor is not `f32` on the CPU.
pub fn gated_stack(x: &Tensor, layers: &[GatedLayer], condition: Option<&Tensor>) -> Result<Tensor> {
    let Some(first) = layers.first() else { return Ok(x.clone()) };
    let (batch, channels, time) = x.dims3()?;
    let (_, _, taps) = first.tap_weight.dims3()?;
    let skip = first.skip.as_ref().map_or(Ok(0), |(weight, _)| weight.dim(0))?;
    let shape = Shape {
        batch,
        time,
        channels,
        taps,
        condition: condition.map_or(Ok(0), |c| c.dim(1))?,
        skip,
        dilations: layers.iter().map(|layer| layer.dilation).collect(),
    };
    let mut flat = Vec::with_capacity(7 * layers.len());
    for layer in layers {
        let parts = [
            Some(&layer.tap_weight),
            Some(&layer.tap_bias),
            layer.condition_weight.as_ref(),
            Some(&layer.mix_weight),
            Some(&layer.mix_bias),
            layer.skip.as_ref().map(|skip| &skip.0),
            layer.skip.as_ref().map(|skip| &skip.1),
        ];
        for (part, len) in parts.into_iter().zip(shape.parts()) {
            match part {
                Some(part) if part.elem_count() == len => flat.push(part.flatten_all()?),
                None if len == 0 => {}
                _ => bail!("the weights of a gated layer do not fit {channels} channels, {taps} taps and each other"),
            }
        }
    }
    let longest = shape.dilations.iter().max().copied().unwrap_or(1).saturating_mul(taps);
    if batch == 0 || time == 0 || channels == 0 || taps == 0 || longest > 1 << 24 || shape.dilations.contains(&0) {
        bail!("a gated stack needs channels, time, taps and dilations of a sensible size");
    }
    let weights = Tensor::cat(&flat, 0)?;
    crate::kernels::autograd::check("a gated stack", &[x, &weights])?;
    if let Some(condition) = condition {
        crate::kernels::autograd::check("a gated stack", &[condition])?;
        if condition.dims() != [batch, shape.condition, time] {
            bail!("a condition of shape {:?} for an input of {:?}", condition.shape(), x.shape());
        }
    }
    op::apply(shape, x, &weights, condition)
}

#[cfg(test)]
mod tests;
