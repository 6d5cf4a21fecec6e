//! The simpler convolutional networks of captures: a stack of dilated convolutions of two taps, and an impulse response.

use serde::Deserialize;

use super::{
    activation::{ActivationConfig, Rows},
    weights::{Weights, impossible, unfit},
};
use crate::{
    Result,
    formats::nam::Capture,
    kernels::{
        Level,
        stream::{BLOCK, Begin, CausalConv, Shape},
    },
};

#[derive(Deserialize)]
struct Config {
    channels: usize,
    dilations: Vec<usize>,
    batchnorm: bool,
    activation: ActivationConfig,
    #[serde(default)]
    groups: Option<usize>,
    #[serde(default)]
    in_channels: Option<usize>,
    #[serde(default)]
    out_channels: Option<usize>,
}

#[derive(Deserialize)]
struct LinearConfig {
    receptive_field: usize,
    bias: bool,
}

/// Convolutions, each with its activation, and a last one without.
pub(super) struct ConvNet {
    level: Level,
    blocks: Vec<(CausalConv, Rows)>,
    head: CausalConv,
    /// Rows of one block's input and of its output.
    rows: [Vec<f32>; 2],
    out: Vec<f32>,
}

impl ConvNet {
    pub(super) fn new(capture: &Capture, level: Level) -> Result<Self> {
        let config: Config = capture.config()?;
        if config.dilations.is_empty() || config.channels == 0 {
            return Err(impossible("layers", "层数"));
        }
        let mut weights = Weights::new(&capture.weights, level);
        let mut inputs = config.in_channels.unwrap_or(1);
        let mut most = inputs;
        let mut blocks = Vec::new();
        for dilation in &config.dilations {
            let groups = config.groups.unwrap_or(1);
            let shape = Shape { inputs, outputs: config.channels, kernel: 2, dilation: *dilation, groups };
            let conv = match config.batchnorm {
                false => weights.conv(shape, true)?,
                true => weights.normalised(shape)?,
            };
            blocks.push((conv, Rows::new(&config.activation, config.channels)?));
            inputs = config.channels;
            most = most.max(inputs);
        }
        let outputs = config.out_channels.unwrap_or(1);
        let head = weights.conv(Shape::pointwise(inputs, outputs, 1), true)?;
        Self::finish(level, blocks, head, most, weights)
    }

    /// An impulse response, which its file holds from the latest sample on.
    pub(super) fn linear(capture: &Capture, level: Level) -> Result<Self> {
        let config: LinearConfig = capture.config()?;
        let mut weights = Weights::new(&capture.weights, level);
        let shape = Shape { inputs: 1, outputs: 1, kernel: config.receptive_field, dilation: 1, groups: 1 };
        let response: Vec<f32> = weights.take(shape.weights())?.iter().rev().copied().collect();
        let bias = config.bias.then(|| weights.take(Some(1))).transpose()?;
        let head = CausalConv::new(shape, &response, bias, level).map_err(unfit)?;
        Self::finish(level, Vec::new(), head, 1, weights)
    }

    fn finish(
        level: Level,
        blocks: Vec<(CausalConv, Rows)>,
        head: CausalConv,
        most: usize,
        mut weights: Weights<'_>,
    ) -> Result<Self> {
        let rows = [weights.rows(most)?, weights.rows(most)?];
        let out = weights.rows(head.shape().outputs)?;
        weights.finish()?;
        Ok(Self { level, blocks, head, rows, out })
    }

    pub(super) fn inputs(&self) -> usize {
        self.blocks.first().map_or(&self.head, |(conv, _)| conv).shape().inputs
    }

    pub(super) fn outputs(&self) -> usize {
        self.head.shape().outputs
    }

    pub(super) fn reset(&mut self) {
        self.blocks.iter_mut().for_each(|(conv, _)| conv.reset());
        self.head.reset();
    }

    pub(super) fn settling(&self) -> usize {
        1 + self.head.shape().lookback() + self.blocks.iter().map(|(conv, _)| conv.shape().lookback()).sum::<usize>()
    }

    pub(super) fn process(&mut self, x: &[f32], frames: usize) -> &[f32] {
        let [a, b] = &mut self.rows;
        a[..x.len()].copy_from_slice(x);
        for (conv, activation) in &mut self.blocks {
            conv.process(a, frames, Begin::Fresh, b);
            activation.apply(self.level, frames, &mut b[..conv.shape().outputs * BLOCK]);
            std::mem::swap(a, b);
        }
        self.head.process(&self.rows[0], frames, Begin::Fresh, &mut self.out);
        &self.out
    }
}
