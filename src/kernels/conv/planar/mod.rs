//! Convolutions of stride 1 whose channels are too few for channels-last tiles to pay, or that have a single tap: groups of
//! a few channels, and 1 × 1. Pixels stay in their planes; a vector holds neighbours of a row, and the weights are broadcast.
//!
//! A tile of the image is copied with its border, plane after plane; output `(channel, position)` is then the sum over
//! `k` = (input channel, tap) of `weight(channel, k) · staged[position + offset(k)]`, and the gradient to the weights is the
//! sum over the positions of `g(channel, position) · staged[position + offset(k)]`.
#![allow(unsafe_code)]

mod layout;
mod loops;

use super::{ConvShape, Finish, Gradient};
use crate::kernels::{
    buffer::{Aligned, scratch, split, total},
    exec::{Exec, Shared},
    vector::lanes,
};
use layout::{Band, Layout, places, stage};
use loops::{Dots, Sums, dots, sums};

/// Floats of pixels that a tile of [`forward`] stages: most of them stay in the first-level cache.
const STAGED: usize = 8 << 10;
/// Floats of pixels and gradients that a tile of [`backward_weight`] stages, for the second-level cache.
const BOTH: usize = 48 << 10;
/// The fewest and the most positions of a tile. Each tile reads all weights.
const POSITIONS: [usize; 2] = [192, 1024];
/// Output channels whose weights lie side by side.
const BLOCK: usize = 8;

/// The most channels of a group, and the fewest pixels of a plane with a single tap, that these loops are made for.
const MOST_CHANNELS: usize = 64;
const FEWEST_PIXELS: usize = 16;

/// Whether these loops serve a shape.
pub(super) fn serves(shape: &ConvShape) -> bool {
    // The gradient to the input is such a convolution too.
    let turns = (0..2).all(|axis| shape.padding[axis] <= (shape.kernel[axis] - 1) * shape.dilation[axis]);
    let small = shape.groups > 1 && shape.in_channels.max(shape.out_channels) <= MOST_CHANNELS;
    let single = shape.is_pointwise() && shape.x_plane() >= FEWEST_PIXELS;
    shape.stride == [1; 2] && !shape.doubled && turns && (small || single)
}

impl ConvShape {
    /// A single tap, and an output for every pixel.
    fn is_pointwise(&self) -> bool {
        self.kernel == [1; 2] && self.padding == [0; 2] && self.output == self.input
    }

    /// The same with images of one row, where rows do not matter.
    fn flat(&self) -> Self {
        let row = [1, self.x_plane()];
        if self.is_pointwise() { Self { input: row, output: row, ..*self } } else { *self }
    }

    /// The convolution that takes the gradient to `y` to that to `x`, with its weights turned.
    fn turned(&self) -> Self {
        let padding = [0, 1].map(|axis| (self.kernel[axis] - 1) * self.dilation[axis] - self.padding[axis]);
        Self {
            in_channels: self.out_channels,
            out_channels: self.in_channels,
            input: self.output,
            output: self.input,
            padding,
            ..*self
        }
    }
}

/// Each group's weights as [`Sums`] reads them: of `channels` output channels, `depth` numbers each, which `row` puts.
fn packed(
    exec: Exec<'_>,
    groups: usize,
    (channels, depth): (usize, usize),
    row: impl Fn(usize, usize, &mut dyn FnMut(usize, f32)) + Sync,
) -> Aligned {
    let blocks = channels.div_ceil(BLOCK);
    let mut weights = Aligned::zeroed(groups * blocks * BLOCK * depth);
    exec.pool.run_rows(&mut weights, BLOCK * depth, 1, |index, block| {
        let (group, first) = (index / blocks, index % blocks * BLOCK);
        for channel in first..(first + BLOCK).min(channels) {
            row(group, channel, &mut |k, weight| block[k * BLOCK + channel - first] = weight);
        }
    });
    weights
}

/// `y = activation(conv(x, w) + bias) + residual`, where `x` may have been through a gate.
pub(super) fn forward(
    exec: Exec<'_>,
    shape: &ConvShape,
    x: Gradient<'_>,
    w: &[f32],
    finish: Finish<'_>,
    residual: Option<&[f32]>,
) -> Vec<f32> {
    let depth = shape.in_channels * shape.taps();
    let weights = packed(exec, shape.groups, (shape.out_channels, depth), |group, channel, put| {
        let row = &w[(group * shape.out_channels + channel) * depth..][..depth];
        row.iter().enumerate().for_each(|(k, weight)| put(k, *weight));
    });
    run(exec, &shape.flat(), x, &weights, (finish, residual))
}

/// The gradient to `x`, plus `residual`; with `bias` and `activation` the forward pass of a transposed convolution.
pub(super) fn backward_input(
    exec: Exec<'_>,
    shape: &ConvShape,
    w: &[f32],
    g: Gradient<'_>,
    finish: Finish<'_>,
    residual: Option<&[f32]>,
) -> Vec<f32> {
    let (taps, inner, outer) = (shape.taps(), shape.in_channels, shape.out_channels);
    // From output channel and tap, the taps backwards.
    let weights = packed(exec, shape.groups, (inner, outer * taps), |group, channel, put| {
        for from in 0..outer {
            let row = &w[((group * outer + from) * inner + channel) * taps..][..taps];
            row.iter().rev().enumerate().for_each(|(tap, weight)| put(from * taps + tap, *weight));
        }
    });
    run(exec, &shape.turned().flat(), g, &weights, (finish, residual))
}

fn run(
    exec: Exec<'_>,
    shape: &ConvShape,
    x: Gradient<'_>,
    weights: &[f32],
    (finish, residual): (Finish<'_>, Option<&[f32]>),
) -> Vec<f32> {
    assert!(residual.is_none_or(|residual| residual.len() == shape.y_len()), "a residual has the size of the result");
    let lanes = lanes(exec.level);
    let target = (STAGED / shape.in_channels).clamp(POSITIONS[0], POSITIONS[1]);
    let bands = Band::cover(shape.batch, shape.output, target);
    let plane = shape.y_plane();
    let of_group = shape.out_channels.next_multiple_of(BLOCK) * shape.in_channels * shape.taps();
    let mut y = Vec::with_capacity(shape.y_len());
    let out = Shared::of_spare(&mut y);
    exec.pool.run(bands.len() * shape.groups, |task| {
        let (band, group) = (&bands[task / shape.groups], task % shape.groups);
        let layout = Layout::of_input(shape, band, lanes);
        let len = band.images() * layout.image();
        scratch(len, |staged| {
            let from = (group * shape.in_channels, shape.groups * shape.in_channels);
            stage(exec, x, from, shape.input, band, shape.padding, layout, staged);
            let channel = group * shape.out_channels;
            let finish = finish.of(channel..channel + shape.out_channels);
            let image_len = shape.groups * shape.out_channels * plane;
            let first = (band.images.0 * shape.groups * shape.out_channels + channel) * plane;
            let places = places(band, layout, lanes, |image, row, column| {
                image * image_len + (band.rows.0 + row) * shape.output[1] + band.columns.0 + column
            });
            let reached = (band.images() - 1) * image_len + shape.out_channels * plane;
            let task = Sums {
                staged: staged.as_ptr(),
                offsets: &layout.offsets(shape),
                weights: weights[group * of_group..(group + 1) * of_group].as_ptr(),
                places: &places,
                out: out.pointer(first, reached),
                plane,
                channels: shape.out_channels,
                finish,
                residual: residual.map(|residual| residual[first..first + reached].as_ptr()),
            };
            // SAFETY: places lie inside the staged rows, which have whole vectors, and each in its own part of the output.
            unsafe { sums(exec.level, &task) };
        });
    });
    // SAFETY: the bands and groups cover every number of the output, and each was written.
    unsafe { y.set_len(shape.y_len()) };
    y
}

/// The gradient to `w`. The sum over the batch is split in a way that depends on the shape alone.
pub(super) fn backward_weight(exec: Exec<'_>, shape: &ConvShape, x: &[f32], g: Gradient<'_>) -> Vec<f32> {
    let shape = &shape.flat();
    let lanes = lanes(exec.level);
    let depth = shape.in_channels * shape.taps();
    let target = (BOTH / (shape.in_channels + shape.out_channels)).clamp(POSITIONS[0], POSITIONS[1]);
    let bands = Band::cover(shape.batch, shape.output, target);
    let pieces = ((1 << 20) / (shape.out_channels * depth)).clamp(1, 8).min(bands.len());
    // Output channels in parts, so that a few large layers keep every thread busy too.
    let parts = if pieces >= 8 { 1 } else { 8 / pieces };
    let of_part = shape.out_channels.div_ceil(parts).next_multiple_of(BLOCK);
    let parts = shape.out_channels.div_ceil(of_part);
    let mut sums: Vec<Aligned> = vec![Aligned::default(); shape.groups * parts * pieces];
    {
        let sums = Shared::new(&mut sums);
        exec.pool.run(shape.groups * parts * pieces, |task| {
            let (group, part, piece) = (task / (parts * pieces), task / pieces % parts, task % pieces);
            let first = part * of_part;
            let channels = of_part.min(shape.out_channels - first);
            let mut sum = Aligned::zeroed(channels * depth);
            for band in &bands[bands.len() * piece / pieces..bands.len() * (piece + 1) / pieces] {
                let input = Layout::of_input(shape, band, lanes);
                let output = Layout { channels, ..Layout::of_output(shape, band, lanes) };
                let lens = [band.images() * input.image(), band.images() * output.image()];
                scratch(total(lens), |memory| {
                    let [staged, gradients] = split(memory, lens);
                    let x = Gradient { values: x, gate: None };
                    let from = (group * shape.in_channels, shape.groups * shape.in_channels);
                    stage(exec, x, from, shape.input, band, shape.padding, input, staged);
                    let from = (group * shape.out_channels + first, shape.groups * shape.out_channels);
                    stage(exec, g, from, shape.output, band, [0; 2], output, gradients);
                    let places = places(band, input, lanes, |image, row, column| {
                        image * output.image() + row * output.row_len + column
                    });
                    let task = Dots {
                        staged: staged.as_ptr(),
                        offsets: &input.offsets(shape),
                        gradients: gradients.as_ptr(),
                        plane: output.plane(),
                        channels,
                        places: &places,
                        out: sum.as_mut_ptr(),
                    };
                    // SAFETY: places lie inside the staged rows, which have whole vectors (zeros behind the last
                    // gradients), and the sums are this task's own.
                    unsafe { dots(exec.level, &task) };
                });
            }
            // SAFETY: each task has a slot of its own.
            unsafe { sums.part(task, 1)[0] = sum };
        });
    }
    let mut dw = vec![0.0; shape.w_len()];
    for (index, sums) in sums.chunks_exact(pieces).enumerate() {
        let start = (index / parts * shape.out_channels + index % parts * of_part) * depth;
        for sum in sums {
            dw[start..].iter_mut().zip(&sum[..]).for_each(|(dw, sum)| *dw += sum);
        }
    }
    dw
}
