//! WaveNet one sample at a time (van den Oord et al. 2016), with what earlier samples left kept in rings.
//!
//! Layer by layer, with `c` the condition: `y = bias + C·c + W₀·h(t − d) + W₁·h(t)`, `z = tanh(y₁) × sigmoid(y₂)`,
//! `h ← h + M·z`; then `skip = Σ S·z`, and `outputs = H₁·relu(H₀·relu(skip))`.
//!
//! Time goes in blocks of [`BLOCK`] samples. What is known before a block begins is computed for all of it at once:
//! the condition, and the old tap of every dilation of at least a block, so that these weights are read once a block.
//! All other weights are read once a sample, for all voices together: that reading is what limits the speed. The order
//! of additions is the same however voices are grouped, so a voice sounds the same alone and in company.
#![allow(unsafe_code)]

mod draw;
mod int8;
mod pack;
mod step;
#[cfg(test)]
mod tests;

use candle_core::{Result, bail};

use super::level::Level;
pub use draw::{Choice, draw, draw_calmed, draw_mixture};
pub use pack::Precision;
use pack::{Form, Packed};

/// Samples in a block.
pub const BLOCK: usize = 8;
/// Voices that share one pass over the weights.
pub const MOST_VOICES: usize = 4;

/// What a sample is when it enters the first layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// One of as many classes as there are outputs.
    Classes,
    /// A value.
    Value,
}

/// The sample before, as it enters the first layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Last {
    Class(usize),
    Value(f32),
}

/// The sizes of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Residual channels; a multiple of 8, as all sizes below.
    pub channels: usize,
    /// Skip channels, also those inside the head.
    pub skip: usize,
    /// What a sample is when it enters the first layer.
    pub entry: Entry,
    /// Numbers that the network gives for each sample: logits of its classes, or the parameters of a mixture, filled up
    /// with zeros.
    pub outputs: usize,
    /// Parts of the condition that stay the same for a frame; any number.
    pub slow_condition: usize,
    /// Parts of the condition that every sample has its own of; any number.
    pub fast_condition: usize,
    /// Samples between the two taps of each layer.
    pub dilations: Vec<usize>,
}

/// The weights of a layer, row after row as PyTorch lays them out.
#[derive(Clone, Debug, Default)]
pub struct LayerWeights {
    /// (2 · channels, channels): the tap `dilation` samples ago.
    pub old_tap: Vec<f32>,
    /// (2 · channels, channels): the tap of now.
    pub new_tap: Vec<f32>,
    /// (2 · channels)
    pub tap_bias: Vec<f32>,
    /// (2 · channels, slow condition + fast condition)
    pub condition: Vec<f32>,
    /// (channels, channels)
    pub mix: Vec<f32>,
    /// (channels)
    pub mix_bias: Vec<f32>,
    /// (skip, channels)
    pub skip: Vec<f32>,
    /// (skip)
    pub skip_bias: Vec<f32>,
}

/// All weights, row after row.
#[derive(Clone, Debug, Default)]
pub struct NetWeights {
    /// (classes, channels): what a sample of each class enters the first layer as; or (2, channels): what its value is
    /// multiplied by, and what is added.
    pub entry: Vec<f32>,
    pub layers: Vec<LayerWeights>,
    /// (skip, skip)
    pub head0: Vec<f32>,
    /// (skip)
    pub head0_bias: Vec<f32>,
    /// (outputs, skip)
    pub head1: Vec<f32>,
    /// (outputs)
    pub head1_bias: Vec<f32>,
}

/// A layer as the kernel reads it.
#[derive(Debug)]
struct Layer {
    dilation: usize,
    old_tap: Packed,
    new_tap: Packed,
    tap_bias: Vec<f32>,
    slow: Packed,
    fast: Packed,
    mix: Packed,
    mix_bias: Vec<f32>,
}

/// A network ready to generate.
#[derive(Debug)]
pub struct Network {
    sizes: Sizes,
    level: Level,
    form: Form,
    entry: Vec<f32>,
    layers: Vec<Layer>,
    /// (skip, layers · channels): the skip outputs of all layers are one product.
    skip: Packed,
    skip_bias: Vec<f32>,
    head0: Packed,
    head0_bias: Vec<f32>,
    head1: Packed,
    head1_bias: Vec<f32>,
}

impl Network {
    /// Packs the weights for generation.
    ///
    /// # Errors
    /// When the sizes make no sense or a weight has another length than they say.
    pub fn new(sizes: Sizes, weights: &NetWeights, precision: Precision, level: Level) -> Result<Self> {
        let (r, s, k) = (sizes.channels, sizes.skip, sizes.outputs);
        let condition = sizes.slow_condition.saturating_add(sizes.fast_condition);
        let sensible = |n: usize| n > 0 && n.is_multiple_of(8) && n <= 4096;
        if ![r, s, k].into_iter().all(sensible) || condition > 4096 || sizes.dilations.len() > 256 {
            bail!("a WaveNet of {r} channels, {s} skip channels and {k} outputs cannot be generated with");
        }
        if sizes.dilations.iter().any(|d| !(1..=1 << 20).contains(d)) || sizes.dilations.len() != weights.layers.len() {
            bail!("the dilations {:?} do not fit {} layers", sizes.dilations, weights.layers.len());
        }
        let long = |name: &str, values: &[f32], len: usize| match values.len() == len {
            true => Ok(()),
            false => bail!("{name} of a WaveNet has {} weights instead of {len}", values.len()),
        };
        let rows = if sizes.entry == Entry::Classes { k } else { 2 };
        long("the entry", &weights.entry, rows * r)?;
        long("the head", &weights.head0, s * s)?;
        long("the head", &weights.head0_bias, s)?;
        long("the head", &weights.head1, k * s)?;
        long("the head", &weights.head1_bias, k)?;
        let mut layers = Vec::with_capacity(weights.layers.len());
        let mut skip = vec![0.0; s * r * weights.layers.len()];
        let mut skip_bias = vec![0.0; s];
        // Read once a frame, so that nothing is to be gained by fewer bits.
        let seldom = if precision == Precision::Int8 { Precision::Full } else { precision };
        for (index, (from, &dilation)) in weights.layers.iter().zip(&sizes.dilations).enumerate() {
            for (values, len) in [
                (&from.old_tap, 2 * r * r),
                (&from.new_tap, 2 * r * r),
                (&from.tap_bias, 2 * r),
                (&from.condition, 2 * r * condition),
                (&from.mix, r * r),
                (&from.mix_bias, r),
                (&from.skip, s * r),
                (&from.skip_bias, s),
            ] {
                long("a layer", values, len)?;
            }
            for (row, values) in from.skip.chunks_exact(r).enumerate() {
                let at = (row * weights.layers.len() + index) * r;
                skip[at..at + r].copy_from_slice(values);
            }
            skip_bias.iter_mut().zip(&from.skip_bias).for_each(|(sum, bias)| *sum += bias);
            let part = |start: usize, len: usize| -> Vec<f32> {
                from.condition
                    .chunks(condition.max(1))
                    .flat_map(|row| row[start..start + len].iter().copied())
                    .collect()
            };
            let pack = |values: &[f32], inputs| Packed::new(values, inputs, precision);
            layers.push(Layer {
                dilation,
                old_tap: pack(&from.old_tap, r),
                new_tap: pack(&from.new_tap, r),
                tap_bias: from.tap_bias.clone(),
                slow: Packed::new(&part(0, sizes.slow_condition), sizes.slow_condition, seldom),
                fast: pack(&part(sizes.slow_condition, sizes.fast_condition), sizes.fast_condition),
                mix: pack(&from.mix, r),
                mix_bias: from.mix_bias.clone(),
            });
        }
        Ok(Self {
            entry: weights.entry.clone(),
            skip: Packed::new(&skip, r * layers.len(), precision),
            skip_bias,
            head0: Packed::new(&weights.head0, s, precision),
            head0_bias: weights.head0_bias.clone(),
            head1: Packed::new(&weights.head1, s, precision),
            head1_bias: weights.head1_bias.clone(),
            layers,
            level,
            form: precision.form(),
            sizes,
        })
    }

    /// The sizes it was made with.
    pub fn sizes(&self) -> &Sizes {
        &self.sizes
    }

    /// Bytes of weights that one sample reads at least once.
    pub fn weight_bytes(&self) -> usize {
        let layers = self.layers.iter().flat_map(|layer| [&layer.old_tap, &layer.new_tap, &layer.fast, &layer.mix]);
        layers.chain([&self.skip, &self.head0, &self.head1]).map(Packed::bytes).sum()
    }

    /// A voice that has not sounded yet: everything before its first sample is nothing.
    pub fn voice(&self) -> Voice {
        let (r, layers, form) = (self.sizes.channels, self.layers.len(), self.form);
        let ring = |layer: &Layer| {
            let moments = (layer.dilation + BLOCK).next_power_of_two();
            Ring { mask: moments - 1, moments: vec![0; moments * form.words(r)], scales: vec![1.0; moments] }
        };
        let mut voice = Voice {
            time: 0,
            rings: self.layers.iter().map(ring).collect(),
            frame: vec![0.0; layers * 2 * r],
            known: vec![0.0; layers * BLOCK * 2 * r],
            h: vec![0.0; r],
            z: vec![0; layers * form.words(r)],
            room: vec![0; form.words(self.sizes.skip).max(BLOCK * form.words(self.sizes.fast_condition))],
            skip: vec![0.0; self.sizes.skip],
            hidden: vec![0.0; self.sizes.skip],
            outputs: vec![0.0; self.sizes.outputs],
        };
        self.set_frame(&mut voice, &vec![0.0; self.sizes.slow_condition]);
        voice
    }
}

/// Outputs of a layer, moment after moment, in a ring.
#[derive(Clone, Debug)]
struct Ring {
    mask: usize,
    /// In the network's form.
    moments: Vec<u32>,
    /// What the numbers of each moment are times.
    scales: Vec<f32>,
}

/// What one voice remembers.
#[derive(Clone, Debug)]
pub struct Voice {
    /// Samples made.
    time: usize,
    rings: Vec<Ring>,
    /// (layers, 2 · channels): bias and slow condition.
    frame: Vec<f32>,
    /// (layers, block, 2 · channels): what is known of this block, to which each sample adds the rest.
    known: Vec<f32>,
    h: Vec<f32>,
    /// (layers, channels) in the network's form.
    z: Vec<u32>,
    /// For inputs in the network's form.
    room: Vec<u32>,
    skip: Vec<f32>,
    hidden: Vec<f32>,
    outputs: Vec<f32>,
}

impl Voice {
    /// What the network gave in [`Network::step`]; may be changed by whoever draws from it.
    pub fn outputs(&mut self) -> &mut [f32] {
        &mut self.outputs
    }

    /// Samples made so far.
    pub fn time(&self) -> usize {
        self.time
    }
}
