//! The WaveNet of captures (van den Oord et al., 2016, without the skip to a softmax): arrays of dilated layers whose
//! outputs add up to the sound. Follows NeuralAmpModelerCore, in its first form (A1) and its second (A2).

mod config;
mod layer;

use super::{
    Network,
    activation::Rows,
    weights::{Weights, impossible},
};
use crate::{
    Result,
    formats::nam::Capture,
    kernels::{
        Level,
        stream::{BLOCK, Begin, CausalConv, Shape},
    },
};
use config::{ArrayConfig, Config};
use layer::{Layer, Scratch};

/// More arrays, or layers in one, than any capture has.
const MOST_PARTS: usize = 1_000;

pub(super) struct WaveNet {
    level: Level,
    inputs: usize,
    outputs: usize,
    condition: Option<Box<Network>>,
    arrays: Vec<Array>,
    head: Vec<(Rows, CausalConv)>,
    head_scale: f32,
    /// Rows of the head, before and after a convolution.
    rows: [Vec<f32>; 2],
}

/// A stack of layers of one width.
struct Array {
    rechannel: CausalConv,
    layers: Vec<Layer>,
    head: CausalConv,
    /// Rows of its layers, of what they add up to, and of its output.
    x: Vec<f32>,
    sum: Vec<f32>,
    out: Vec<f32>,
    scratch: Scratch,
}

impl WaveNet {
    pub(super) fn new(capture: &Capture, level: Level, depth: usize) -> Result<Self> {
        let config: Config = capture.config()?;
        let mut weights = Weights::new(&capture.weights, level);
        let inputs = config.in_channels;
        let condition = match &config.condition_dsp {
            None => None,
            Some(capture) => {
                capture.check()?;
                Some(Box::new(Network::new(capture, 1.0, level, depth + 1)?))
            }
        };
        if condition.as_ref().is_some_and(|network| network.inputs() != inputs) {
            return Err(impossible("inputs of the condition", "条件网络的输入"));
        }
        let condition_rows = condition.as_ref().map_or(inputs, |network| network.outputs());
        let parts = config.layers.len();
        if parts == 0 || parts > MOST_PARTS || config.layers.iter().any(|array| array.dilations.len() > MOST_PARTS) {
            return Err(impossible("layers", "层数"));
        }
        let mut arrays: Vec<Array> = Vec::new();
        for config in &config.layers {
            let expected = arrays.last().map_or(inputs, |before| before.rechannel.shape().outputs);
            let sum = arrays.last().map_or(config.head_inputs()?, |before| before.head.shape().outputs);
            if config.input_size != expected || config.condition_size != condition_rows || config.head_inputs()? != sum
            {
                return Err(impossible("widths of layers", "各层通道数"));
            }
            arrays.push(Array::new(config, &mut weights)?);
        }
        let mut outputs = arrays.last().map_or(0, |array| array.head.shape().outputs);
        let mut head = Vec::new();
        if let Some(config) = &config.head {
            for (index, kernel) in config.kernel_sizes.iter().enumerate() {
                let last = index + 1 == config.kernel_sizes.len();
                let next = if last { config.out_channels } else { config.channels };
                let shape = Shape { inputs: outputs, outputs: next, kernel: *kernel, dilation: 1, groups: 1 };
                head.push((Rows::new(&config.activation, outputs)?, weights.conv(shape, true)?));
                outputs = next;
            }
        }
        let most = head.iter().map(|(_, conv)| conv.shape().inputs).max().unwrap_or(0).max(outputs);
        let rows = [weights.rows(most)?, weights.rows(most)?];
        let head_scale = weights.take(Some(1))?[0];
        weights.finish()?;
        Ok(Self { level, inputs, outputs, condition, arrays, head, head_scale, rows })
    }

    pub(super) fn inputs(&self) -> usize {
        self.inputs
    }

    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    pub(super) fn reset(&mut self) {
        if let Some(condition) = &mut self.condition {
            condition.reset();
        }
        for array in &mut self.arrays {
            array.layers.iter_mut().for_each(Layer::reset);
            array.head.reset();
        }
        self.head.iter_mut().for_each(|(_, conv)| conv.reset());
    }

    /// Frames of silence after which it has forgotten how it began.
    pub(super) fn settling(&self) -> usize {
        let arrays = self
            .arrays
            .iter()
            .map(|array| array.head.shape().lookback() + array.layers.iter().map(Layer::lookback).sum::<usize>());
        let head = self.head.iter().map(|(_, conv)| conv.shape().lookback()).sum::<usize>();
        self.condition.as_ref().map_or(1, |network| network.settling()) + arrays.sum::<usize>() + head
    }

    /// Rows of input to rows of output.
    pub(super) fn process(&mut self, x: &[f32], frames: usize) -> &[f32] {
        let condition = match &mut self.condition {
            None => x,
            Some(network) => network.process(x, frames),
        };
        for index in 0..self.arrays.len() {
            let (before, rest) = self.arrays.split_at_mut(index);
            let array = &mut rest[0];
            match before.last() {
                None => {
                    array.sum.fill(0.0);
                    array.process(x, condition, frames);
                }
                Some(before) => {
                    array.sum.copy_from_slice(&before.out);
                    array.process(&before.x, condition, frames);
                }
            }
        }
        let [a, b] = &mut self.rows;
        let out = self.arrays.last().map_or(&[][..], |array| &array.out);
        a.iter_mut().zip(out).for_each(|(to, from)| *to = self.head_scale * from);
        for (activation, conv) in &mut self.head {
            activation.apply(self.level, frames, &mut a[..conv.shape().inputs * BLOCK]);
            conv.process(a, frames, Begin::Fresh, b);
            std::mem::swap(a, b);
        }
        &self.rows[0][..self.outputs * BLOCK]
    }
}

impl Array {
    fn new(config: &ArrayConfig, weights: &mut Weights<'_>) -> Result<Self> {
        let rechannel = weights.conv(Shape::pointwise(config.input_size, config.channels, 1), false)?;
        let layers: Vec<_> =
            (0..config.dilations.len()).map(|layer| Layer::new(config, layer, weights)).collect::<Result<_>>()?;
        let (head, head_inputs) = (config.head()?, config.head_inputs()?);
        let shape = Shape {
            inputs: head_inputs,
            outputs: head.out_channels,
            kernel: head.kernel_size,
            dilation: head.head_dilation,
            groups: 1,
        };
        let head = weights.conv(shape, head.bias)?;
        let most = layers.iter().map(Layer::most_rows).max().unwrap_or(1);
        Ok(Self {
            x: weights.rows(config.channels)?,
            sum: weights.rows(head_inputs)?,
            out: weights.rows(shape.outputs)?,
            scratch: Scratch::new(most, weights)?,
            rechannel,
            layers,
            head,
        })
    }

    fn process(&mut self, x: &[f32], condition: &[f32], frames: usize) {
        self.rechannel.process(x, frames, Begin::Fresh, &mut self.x);
        for layer in &mut self.layers {
            layer.process((&mut self.x, &mut self.sum), condition, frames, &mut self.scratch);
        }
        self.head.process(&self.sum, frames, Begin::Fresh, &mut self.out);
    }
}
