//! Networks that sound runs through as it comes, such as models of amplifiers: causal convolutions that remember what
//! came before, and activations in place.
//!
//! A block is up to [`BLOCK`] frames; every channel is a row of [`BLOCK`] numbers, of which the first `frames` count.
//! Eight frames share a register, so any number of channels is as fast as its arithmetic. Each frame's sums are made in
//! the same order whatever block it falls into: the result does not depend on how a stream is cut.
#![allow(unsafe_code)]

mod activation;
mod lstm;
#[cfg(test)]
mod tests;

use candle_core::{Result, bail};

pub use activation::{Activation, activate};
pub use lstm::LstmCell;

use super::{exec::vectorised, level::Level, vector::Vector};

/// The most frames in a block, and the length of a row.
pub const BLOCK: usize = 64;
/// Outputs whose sums stay in registers together, each for two registers of frames.
const TILE: usize = 4;
/// Frames computed at a time.
const STEP: usize = 16;
/// Blocks that a history takes before what it must remember moves back to its beginning.
const ROOM: usize = 16;
/// The longest memory, in frames.
const MOST_LOOKBACK: usize = 1 << 20;

/// The sizes of a causal convolution: `y(t) = bias + Σₖ W(k) · x(t − dilation · (kernel − 1 − k))`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub inputs: usize,
    pub outputs: usize,
    pub kernel: usize,
    pub dilation: usize,
    /// Outputs of a group see only that group's inputs.
    pub groups: usize,
}

impl Shape {
    /// A convolution of one tap.
    pub fn pointwise(inputs: usize, outputs: usize, groups: usize) -> Self {
        Self { inputs, outputs, kernel: 1, dilation: 1, groups }
    }

    /// Weights, without the bias; `None` when there is no such convolution.
    pub fn weights(&self) -> Option<usize> {
        let Self { inputs, outputs, kernel, groups, dilation } = *self;
        let whole = groups > 0 && inputs.is_multiple_of(groups) && outputs.is_multiple_of(groups);
        let sensible = whole && inputs > 0 && outputs > 0 && kernel > 0 && dilation > 0;
        let far = (kernel.checked_sub(1)?).checked_mul(dilation)?;
        (sensible && far <= MOST_LOOKBACK).then(|| (inputs / groups).checked_mul(outputs)?.checked_mul(kernel))?
    }

    /// Frames that it remembers.
    pub fn lookback(&self) -> usize {
        (self.kernel - 1) * self.dilation
    }

    /// Numbers that it remembers them in.
    pub fn memory(&self) -> usize {
        self.inputs * self.row()
    }

    /// Numbers for each input.
    fn row(&self) -> usize {
        match self.lookback() {
            0 => 0,
            // An odd number of cache lines, so that rows do not compete for the same places in the cache.
            lookback => (2 * lookback + ROOM * BLOCK).next_multiple_of(32) + 16,
        }
    }
}

/// What the sums of a block begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// The bias.
    Fresh,
    /// The bias and what is there already.
    Onto,
}

/// A causal convolution of a stream.
#[derive(Clone, Debug)]
pub struct CausalConv {
    shape: Shape,
    level: Level,
    /// For every group, every [`TILE`] of its outputs, every input and every tap: a weight for each output.
    weights: Vec<f32>,
    bias: Vec<f32>,
    /// A row for each input; empty if nothing is remembered.
    history: Vec<f32>,
    /// Where the next frame goes.
    at: usize,
}

impl CausalConv {
    /// `weights` are (outputs, inputs / groups, kernel), the oldest tap first, as PyTorch lays them out; without `bias` it
    /// is zero.
    ///
    /// # Errors
    /// When the weights do not fit the shape.
    pub fn new(shape: Shape, weights: &[f32], bias: Option<&[f32]>, level: Level) -> Result<Self> {
        if shape.weights() != Some(weights.len()) || bias.is_some_and(|bias| bias.len() != shape.outputs) {
            bail!("{} weights do not fit a causal convolution of {shape:?}", weights.len());
        }
        let Shape { inputs, outputs, kernel, groups, .. } = shape;
        let (group_in, group_out) = (inputs / groups, outputs / groups);
        let mut packed = Vec::with_capacity(weights.len());
        for group in 0..groups {
            for first in (0..group_out).step_by(TILE) {
                for tap in 0..group_in * kernel {
                    let tile = first..(first + TILE).min(group_out);
                    packed.extend(tile.map(|output| weights[(group * group_out + output) * group_in * kernel + tap]));
                }
            }
        }
        let bias = bias.map_or_else(|| vec![0.0; outputs], <[f32]>::to_vec);
        Ok(Self { history: vec![0.0; shape.memory()], at: shape.lookback(), shape, level, weights: packed, bias })
    }

    /// Its sizes.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Forgets what it remembers.
    pub fn reset(&mut self) {
        self.history.fill(0.0);
        self.at = self.shape.lookback();
    }

    /// The next `frames` frames: rows of inputs to rows of outputs.
    ///
    /// # Panics
    /// If there are more than [`BLOCK`], or rows are missing.
    pub fn process(&mut self, x: &[f32], frames: usize, begin: Begin, y: &mut [f32]) {
        let Shape { inputs, outputs, kernel, dilation, groups } = self.shape;
        assert!(frames <= BLOCK && x.len() >= inputs * BLOCK && y.len() >= outputs * BLOCK);
        let (lookback, row) = (self.shape.lookback(), self.shape.row());
        if lookback > 0 {
            if self.at + BLOCK > row {
                for row in self.history.chunks_exact_mut(row) {
                    row.copy_within(self.at - lookback..self.at, 0);
                }
                self.at = lookback;
            }
            for (row, x) in self.history.chunks_exact_mut(row).zip(x.chunks_exact(BLOCK)) {
                row[self.at..self.at + BLOCK].copy_from_slice(x);
            }
        }
        let (x, stride) = if lookback == 0 { (x, BLOCK) } else { (&self.history[self.at - lookback..], row) };
        let (group_in, group_out) = (inputs / groups, outputs / groups);
        let mut weights = self.weights.as_slice();
        for group in 0..groups {
            for first in (0..group_out).step_by(TILE) {
                let count = (group_out - first).min(TILE);
                let output = group * group_out + first;
                let (tile, rest) = weights.split_at(count * group_in * kernel);
                weights = rest;
                let job = Job {
                    x: &x[group * group_in * stride..],
                    stride,
                    inputs: group_in,
                    kernel,
                    dilation,
                    weights: tile,
                    bias: &self.bias[output..output + count],
                    onto: begin == Begin::Onto,
                    steps: frames.div_ceil(STEP),
                };
                let y = &mut y[output * BLOCK..(output + count) * BLOCK];
                // SAFETY: every input has a row from where `job.x` points on, `stride` apart, in which `lookback` frames
                // come before a block of `BLOCK`; `steps` of `STEP` frames are at most that; there are `count` rows in
                // `y`, weights for `count` outputs of each tap, and `count` biases.
                unsafe {
                    match count {
                        1 => convolve1(self.level, &job, y),
                        2 => convolve2(self.level, &job, y),
                        3 => convolve3(self.level, &job, y),
                        _ => convolve4(self.level, &job, y),
                    }
                }
            }
        }
        if lookback > 0 {
            self.at += frames;
        }
    }
}

/// A tile of outputs of one block.
struct Job<'a> {
    x: &'a [f32],
    stride: usize,
    inputs: usize,
    kernel: usize,
    dilation: usize,
    weights: &'a [f32],
    bias: &'a [f32],
    onto: bool,
    steps: usize,
}

vectorised! { unsafe fn convolve1 = convolve_one(job: &Job<'_>, y: &mut [f32]) }
vectorised! { unsafe fn convolve2 = convolve_two(job: &Job<'_>, y: &mut [f32]) }
vectorised! { unsafe fn convolve3 = convolve_three(job: &Job<'_>, y: &mut [f32]) }
vectorised! { unsafe fn convolve4 = convolve_four(job: &Job<'_>, y: &mut [f32]) }

macro_rules! tiles {
    ($($name:ident = $count:literal;)*) => {$(
        #[inline(always)]
        unsafe fn $name<V: Vector>(job: &Job<'_>, y: &mut [f32]) {
            // SAFETY: the caller's promise, passed on.
            unsafe { convolve::<V, $count>(job, y) }
        }
    )*};
}
tiles! {
    convolve_one = 1;
    convolve_two = 2;
    convolve_three = 3;
    convolve_four = 4;
}

/// # Safety
/// Every one of `job.inputs` rows holds `(kernel − 1) · dilation + steps · STEP` numbers from its beginning on; `y` has
/// `N` rows of [`BLOCK`], `job.bias` `N` numbers, and `job.weights` `N` for each input and tap.
#[inline(always)]
unsafe fn convolve<V: Vector, const N: usize>(job: &Job<'_>, y: &mut [f32]) {
    for step in 0..job.steps {
        let from = step * STEP;
        let mut sums = [[V::zero(); 2]; N];
        for (output, sums) in sums.iter_mut().enumerate() {
            let bias = V::splat(job.bias[output]);
            *sums = [bias, bias];
            if job.onto {
                // SAFETY: a step lies in the row.
                let there = unsafe {
                    let row = y.as_ptr().add(output * BLOCK + from);
                    [V::load(row), V::load(row.add(8))]
                };
                *sums = [there[0].add(bias), there[1].add(bias)];
            }
        }
        let mut weights = job.weights.as_ptr();
        for input in 0..job.inputs {
            // SAFETY: the row of an input, as the caller promises.
            let mut x = unsafe { job.x.as_ptr().add(input * job.stride + from) };
            for tap in 0..job.kernel {
                // SAFETY: the tap lies in the row, and there are weights of `N` outputs for it.
                unsafe {
                    let now = [V::load(x), V::load(x.add(8))];
                    for (output, sums) in sums.iter_mut().enumerate() {
                        let weight = V::splat(*weights.add(output));
                        *sums = [weight.mul_add(now[0], sums[0]), weight.mul_add(now[1], sums[1])];
                    }
                    weights = weights.add(N);
                    // Past the last tap there may be no more of the row.
                    if tap + 1 < job.kernel {
                        x = x.add(job.dilation);
                    }
                }
            }
        }
        for (output, sums) in sums.into_iter().enumerate() {
            // SAFETY: a step lies in the row.
            unsafe {
                let row = y.as_mut_ptr().add(output * BLOCK + from);
                sums[0].store(row);
                sums[1].store(row.add(8));
            }
        }
    }
}
