//! A layer of a capture's WaveNet: a dilated convolution with the condition mixed in, an activation, and two ways out.

use super::{
    super::{activation::Rows, weights::Weights, weights::impossible},
    config::{ArrayConfig, FilmChoice, Gating},
};
use crate::{
    Result,
    kernels::{
        Level,
        stream::{BLOCK, Begin, CausalConv, Shape},
    },
};

pub(super) struct Layer {
    level: Level,
    conv: CausalConv,
    mixin: CausalConv,
    layer1x1: Option<CausalConv>,
    head1x1: Option<CausalConv>,
    activation: Rows,
    secondary: Option<Rows>,
    gating: Gating,
    /// Rows after the activation.
    bottleneck: usize,
    films: Films,
}

/// Where the condition scales and shifts.
struct Films {
    conv_pre: Option<Film>,
    conv_post: Option<Film>,
    mixin_pre: Option<Film>,
    mixin_post: Option<Film>,
    activation_pre: Option<Film>,
    activation_post: Option<Film>,
    layer1x1_post: Option<Film>,
    head1x1_post: Option<Film>,
}

/// Rows that all layers of an array work in.
pub(super) struct Scratch {
    z: Vec<f32>,
    a: Vec<f32>,
    b: Vec<f32>,
}

impl Scratch {
    /// For at most `most` rows of anything.
    pub(super) fn new(most: usize, weights: &mut Weights<'_>) -> Result<Self> {
        Ok(Self { z: weights.rows(most)?, a: weights.rows(most)?, b: weights.rows(most)? })
    }
}

impl Layer {
    pub(super) fn new(config: &ArrayConfig, layer: usize, weights: &mut Weights<'_>) -> Result<Self> {
        let gating = config.gating(layer)?;
        let (channels, condition) = (config.channels, config.condition_size);
        let bottleneck = config.bottleneck.unwrap_or(channels);
        let before = match gating {
            Gating::None => bottleneck,
            Gating::Gated | Gating::Blended => bottleneck.saturating_mul(2),
        };
        let shape = Shape {
            inputs: channels,
            outputs: before,
            kernel: config.kernel(layer)?,
            dilation: config.dilations[layer],
            groups: config.groups_input,
        };
        let conv = weights.conv(shape, true)?;
        let mixin = weights.conv(Shape::pointwise(condition, before, config.groups_input_mixin), false)?;
        let point = config.layer1x1.as_ref();
        let layer1x1 = match point.is_none_or(|point| point.active != Some(false)) {
            true => {
                let groups = point.map_or(1, |point| point.groups);
                Some(weights.conv(Shape::pointwise(bottleneck, channels, groups), true)?)
            }
            false => None,
        };
        let head_rows = config.head_inputs()?;
        let head1x1 = match config.head1x1.as_ref().filter(|point| point.active == Some(true)) {
            Some(point) => Some(weights.conv(Shape::pointwise(bottleneck, head_rows, point.groups), true)?),
            None => None,
        };
        let mut film = |choice: FilmChoice, rows: usize| Film::new(choice, condition, rows, weights);
        let films = Films {
            conv_pre: film(config.conv_pre_film, channels)?,
            conv_post: film(config.conv_post_film, before)?,
            mixin_pre: film(config.input_mixin_pre_film, condition)?,
            mixin_post: film(config.input_mixin_post_film, before)?,
            activation_pre: film(config.activation_pre_film, before)?,
            activation_post: film(config.activation_post_film, bottleneck)?,
            layer1x1_post: film(config.layer1x1_post_film, channels)?,
            head1x1_post: film(config.head1x1_post_film, head_rows)?,
        };
        if (films.layer1x1_post.is_some() && layer1x1.is_none()) || (films.head1x1_post.is_some() && head1x1.is_none())
        {
            return Err(impossible("modulation of what is not there", "调制了不存在的部分"));
        }
        let layers = config.dilations.len();
        let secondary = match gating {
            Gating::None => None,
            Gating::Gated | Gating::Blended => {
                let named = config.secondary_activation.as_ref().map(|many| many.of(layer, layers)).transpose()?;
                let usual = super::super::activation::ActivationConfig::Name("Sigmoid".to_owned());
                Some(Rows::new(named.and_then(Option::as_ref).unwrap_or(&usual), bottleneck)?)
            }
        };
        let activation = Rows::new(config.activation.of(layer, layers)?, bottleneck)?;
        let level = weights.level;
        Ok(Self { level, conv, mixin, layer1x1, head1x1, activation, secondary, gating, bottleneck, films })
    }

    /// The most rows that it needs at a time.
    pub(super) fn most_rows(&self) -> usize {
        let [conv, mixin] = [self.conv.shape(), self.mixin.shape()];
        let head = self.head1x1.as_ref().map_or(0, |conv| conv.shape().outputs);
        conv.inputs.max(conv.outputs).max(mixin.inputs).max(head)
    }

    pub(super) fn reset(&mut self) {
        self.conv.reset();
    }

    /// Frames before the present one that it sees.
    pub(super) fn lookback(&self) -> usize {
        self.conv.shape().lookback()
    }

    /// `x` to the next layer's, and what it adds to `head`.
    pub(super) fn process(
        &mut self,
        (x, head): (&mut [f32], &mut [f32]),
        condition: &[f32],
        frames: usize,
        scratch: &mut Scratch,
    ) {
        let Self { level, conv, mixin, films, bottleneck, .. } = self;
        let (level, Scratch { z, a, b }) = (*level, scratch);
        let z = &mut z[..conv.shape().outputs * BLOCK];
        match &mut films.conv_pre {
            None => conv.process(x, frames, Begin::Fresh, z),
            Some(film) => {
                a[..x.len()].copy_from_slice(x);
                film.apply(condition, frames, a);
                conv.process(a, frames, Begin::Fresh, z);
            }
        }
        if let Some(film) = &mut films.conv_post {
            film.apply(condition, frames, z);
        }
        let mixed = match &mut films.mixin_pre {
            None => condition,
            Some(film) => {
                let rows = mixin.shape().inputs * BLOCK;
                a[..rows].copy_from_slice(&condition[..rows]);
                film.apply(condition, frames, a);
                &*a
            }
        };
        match &mut films.mixin_post {
            None => mixin.process(mixed, frames, Begin::Onto, z),
            Some(film) => {
                mixin.process(mixed, frames, Begin::Fresh, b);
                film.apply(condition, frames, b);
                add(z, b);
            }
        }
        if let Some(film) = &mut films.activation_pre {
            film.apply(condition, frames, z);
        }
        let (z, gate) = z.split_at_mut(*bottleneck * BLOCK);
        if self.gating == Gating::Blended {
            a[..z.len()].copy_from_slice(z);
        }
        self.activation.apply(level, frames, z);
        if let Some(secondary) = &self.secondary {
            secondary.apply(level, frames, gate);
        }
        match self.gating {
            Gating::None => {}
            Gating::Gated => z.iter_mut().zip(&*gate).for_each(|(z, gate)| *z *= gate),
            Gating::Blended => {
                for ((z, gate), before) in z.iter_mut().zip(&*gate).zip(&*a) {
                    *z = gate * *z + (1.0 - gate) * before;
                }
            }
        }
        if let Some(film) = &mut films.activation_post {
            film.apply(condition, frames, z);
        }
        match (&mut self.head1x1, &mut films.head1x1_post) {
            (None, _) => add(head, z),
            (Some(conv), None) => conv.process(z, frames, Begin::Onto, head),
            (Some(conv), Some(film)) => {
                conv.process(z, frames, Begin::Fresh, a);
                film.apply(condition, frames, a);
                add(head, a);
            }
        }
        // NeuralAmpModelerCore modulates here only where it blends.
        let film = films.layer1x1_post.as_mut().filter(|_| self.gating == Gating::Blended);
        match (&mut self.layer1x1, film) {
            (None, _) => {}
            (Some(conv), None) => conv.process(z, frames, Begin::Onto, x),
            (Some(conv), Some(film)) => {
                conv.process(z, frames, Begin::Fresh, a);
                film.apply(condition, frames, a);
                add(x, a);
            }
        }
    }
}

/// Scales, and may shift, rows by what the condition says.
struct Film {
    conv: CausalConv,
    /// Rows that are modulated.
    count: usize,
    shifts: bool,
    /// Scales, then shifts.
    by: Vec<f32>,
}

impl Film {
    fn new(choice: FilmChoice, condition: usize, count: usize, weights: &mut Weights<'_>) -> Result<Option<Self>> {
        let Some((shifts, groups)) = choice.active() else { return Ok(None) };
        let outputs = if shifts { count.saturating_mul(2) } else { count };
        let conv = weights.conv(Shape::pointwise(condition, outputs, groups), true)?;
        Ok(Some(Self { conv, count, shifts, by: weights.rows(outputs)? }))
    }

    fn apply(&mut self, condition: &[f32], frames: usize, rows: &mut [f32]) {
        self.conv.process(condition, frames, Begin::Fresh, &mut self.by);
        let rows = &mut rows[..self.count * BLOCK];
        let (scale, shift) = self.by.split_at(self.count * BLOCK);
        if self.shifts {
            rows.iter_mut().zip(scale).zip(shift).for_each(|((x, scale), shift)| *x = *x * scale + shift);
        } else {
            rows.iter_mut().zip(scale).for_each(|(x, scale)| *x *= scale);
        }
    }
}

/// Adds as many rows as `to` has, or `from` if fewer.
fn add(to: &mut [f32], from: &[f32]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
}
