//! Convolutions with a filter of its own for every channel: sums of shifted rows, a plane at a time.
#![allow(unsafe_code)]

use super::{ConvShape, Finish, Gradient};
use crate::kernels::{
    buffer::{scratch, split, total},
    elementwise::Activation,
    exec::{Exec, Shared, vectorised},
    gemm::padded,
    vector::{LANES, Vector},
};

impl ConvShape {
    /// Whether every output channel sees one input channel, which no other sees.
    pub(super) fn is_depthwise(&self) -> bool {
        self.groups > 1 && self.in_channels == 1 && self.out_channels == 1
    }
}

/// A region of a plane with zeros where it leaves it. Columns are sorted by their place modulo `phases`, so that what a
/// tap reads for neighbouring results lies side by side.
struct Region {
    /// Height and width of the plane.
    size: [usize; 2],
    /// Top left corner, which may lie outside.
    corner: [isize; 2],
    rows: usize,
    phases: usize,
    /// Floats of a phase of a row.
    line: usize,
}

impl Region {
    fn len(&self) -> usize {
        self.rows * self.phases * self.line
    }

    fn stage(&self, plane: &[f32], to: &mut [f32]) {
        let [height, width] = self.size;
        for (row, to) in to.chunks_exact_mut(self.phases * self.line).enumerate() {
            let y = usize::try_from(self.corner[0] + row as isize).ok().filter(|y| *y < height);
            let from = y.map_or(&[][..], |y| &plane[y * width..(y + 1) * width]);
            for (phase, to) in to.chunks_exact_mut(self.line).enumerate() {
                // The first place of the phase that lies in the plane, and which of the line's that is.
                let before = -self.corner[1] - phase as isize;
                let first = usize::try_from(before).map_or(0, |before| before.div_ceil(self.phases)).min(self.line);
                let x = (first * self.phases + phase) as isize + self.corner[1];
                let inside = usize::try_from(x).ok().and_then(|x| from.get(x..)).unwrap_or(&[]);
                let last = (first + inside.len().div_ceil(self.phases)).min(self.line);
                to[..first].fill(0.0);
                to[last..].fill(0.0);
                if self.phases == 1 {
                    to[first..last].copy_from_slice(&inside[..last - first]);
                } else {
                    let values = inside.iter().step_by(self.phases);
                    to[first..last].iter_mut().zip(values).for_each(|(to, value)| *to = *value);
                }
            }
        }
    }
}

/// What becomes of a sum: one channel's part of a [`Finish`].
struct End {
    bias: f32,
    activation: Activation,
    slope: Option<f32>,
}

impl End {
    fn of(finish: Finish<'_>, channel: usize) -> Self {
        Self {
            bias: finish.bias.map_or(0.0, |bias| bias[channel]),
            activation: finish.activation,
            slope: finish.slopes.map(|slopes| slopes[channel]),
        }
    }
}

vectorised! {
    /// `to[i] = Σ weight · from[offset + i]` for `count` results, which are written in whole vectors.
    ///
    /// # Safety
    /// From every tap's offset, and at `to`, there must be `count` floats rounded up to whole vectors.
    unsafe fn gather = gather_body(from: *const f32, taps: &[(usize, f32)], count: usize, end: &End, to: *mut f32)
}

/// Vectors summed at a time.
const WIDE: usize = 4;

#[inline(always)]
unsafe fn gather_body<V: Vector>(from: *const f32, taps: &[(usize, f32)], count: usize, end: &End, to: *mut f32) {
    let (all, mut at) = (padded(count), 0);
    // SAFETY: vectors from `at` stay below `count` rounded up.
    unsafe {
        while at + WIDE * LANES <= all {
            sums::<V, WIDE>(from.add(at), taps, end, to.add(at));
            at += WIDE * LANES;
        }
        while at < all {
            sums::<V, 1>(from.add(at), taps, end, to.add(at));
            at += LANES;
        }
    }
}

#[inline(always)]
unsafe fn sums<V: Vector, const N: usize>(from: *const f32, taps: &[(usize, f32)], end: &End, to: *mut f32) {
    let mut sums = [V::splat(end.bias); N];
    for (offset, weight) in taps {
        let weight = V::splat(*weight);
        for (i, sum) in sums.iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            *sum = unsafe { V::load(from.add(offset + i * LANES)) }.mul_add(weight, *sum);
        }
    }
    for (i, sum) in sums.into_iter().enumerate() {
        let mut result = end.activation.apply(sum);
        if let Some(slope) = end.slope {
            result = result.select_positive(result, result.mul(V::splat(slope)));
        }
        // SAFETY: the caller's promise.
        unsafe { result.store(to.add(i * LANES)) };
    }
}

/// Planes that a thread makes at a time at least.
fn grain(plane: usize) -> usize {
    1 + 4096 / plane.max(1)
}

/// `y = activation(conv(x, w) + bias)`.
pub(super) fn forward(exec: Exec<'_>, shape: &ConvShape, x: &[f32], w: &[f32], finish: Finish<'_>) -> Vec<f32> {
    let ([stride_y, phases], [height, width]) = (shape.stride, shape.output);
    let region = Region {
        size: shape.input,
        corner: shape.padding.map(|padding| -(padding as isize)),
        rows: (height - 1) * stride_y + (shape.kernel[0] - 1) * shape.dilation[0] + 1,
        phases,
        line: padded(width) + (shape.kernel[1] - 1) * shape.dilation[1] / phases,
    };
    let row_len = region.phases * region.line;
    let offset = |tap: usize| {
        let [y, x] = [tap / shape.kernel[1] * shape.dilation[0], tap % shape.kernel[1] * shape.dilation[1]];
        y * row_len + x % phases * region.line + x / phases
    };
    let mut out = vec![0.0; shape.y_len()];
    let shared = Shared::new(&mut out);
    exec.pool.run_ranges(shape.batch * shape.groups, grain(shape.y_plane()), |first, last| {
        let lens = [region.len(), padded(width)];
        scratch(total(lens), |memory| {
            let [staged, line] = split(memory, lens);
            for plane in first..last {
                let channel = plane % shape.groups;
                region.stage(&x[plane * shape.x_plane()..(plane + 1) * shape.x_plane()], staged);
                let weights = &w[channel * shape.taps()..(channel + 1) * shape.taps()];
                let taps: Vec<_> = weights.iter().enumerate().map(|(tap, weight)| (offset(tap), *weight)).collect();
                let end = End::of(finish, channel);
                // SAFETY: planes do not overlap.
                let to = unsafe { shared.part(plane * shape.y_plane(), shape.y_plane()) };
                for (row, to) in to.chunks_exact_mut(width).enumerate() {
                    // SAFETY: a line has room for the last tap of the last vector, and the last row for the last tap.
                    unsafe {
                        let from = staged.as_ptr().add(row * stride_y * row_len);
                        gather(exec.level, from, &taps, width, &end, line.as_mut_ptr());
                    }
                    to.copy_from_slice(&line[..width]);
                }
            }
        });
    });
    out
}

/// The taps that meet inputs of a residue modulo the stride, and the output, counted from the input's, that each reads.
fn met(shape: &ConvShape, axis: usize, residue: usize) -> Vec<(usize, isize)> {
    let stride = shape.stride[axis] as isize;
    (0..shape.kernel[axis])
        .filter_map(|tap| {
            let at = (residue + shape.padding[axis]) as isize - (tap * shape.dilation[axis]) as isize;
            (at.rem_euclid(stride) == 0).then(|| (tap, at.div_euclid(stride)))
        })
        .collect()
}

/// The gradient to `x`; with `bias` and `activation` the forward pass of a transposed convolution.
pub(super) fn backward_input(
    exec: Exec<'_>,
    shape: &ConvShape,
    w: &[f32],
    g: Gradient<'_>,
    finish: Finish<'_>,
) -> Vec<f32> {
    let applied = g.applied(exec);
    let g = applied.as_deref().unwrap_or(g.values);
    let ([height, width], [stride_y, stride_x]) = (shape.input, shape.stride);
    let across: Vec<_> = (0..stride_x.min(width)).map(|residue| met(shape, 1, residue)).collect();
    let down: Vec<_> = (0..stride_y.min(height)).map(|residue| met(shape, 0, residue)).collect();
    let places = || across.iter().flatten().map(|(_, place)| *place);
    let (low, high) = (places().min().unwrap_or(0), places().max().unwrap_or(0));
    let count = width.div_ceil(stride_x);
    let region = Region {
        size: shape.output,
        corner: [0, low],
        rows: shape.output[0],
        phases: 1,
        line: padded(count) + (high - low) as usize,
    };
    let mut out = vec![0.0; shape.x_len()];
    let shared = Shared::new(&mut out);
    exec.pool.run_ranges(shape.batch * shape.groups, grain(shape.x_plane()), |first, last| {
        let lens = [region.len(), padded(count)];
        scratch(total(lens), |memory| {
            let [staged, line] = split(memory, lens);
            let mut taps = Vec::new();
            for plane in first..last {
                let channel = plane % shape.groups;
                region.stage(&g[plane * shape.y_plane()..(plane + 1) * shape.y_plane()], staged);
                let weights = &w[channel * shape.taps()..(channel + 1) * shape.taps()];
                let end = End::of(finish, channel);
                // SAFETY: planes do not overlap.
                let to = unsafe { shared.part(plane * shape.x_plane(), shape.x_plane()) };
                for (y, to) in to.chunks_exact_mut(width).enumerate() {
                    for (residue, across) in across.iter().enumerate() {
                        taps.clear();
                        for (tap_y, place) in &down[y % stride_y] {
                            let row = (y / stride_y) as isize + place;
                            let Some(row) = usize::try_from(row).ok().filter(|row| *row < region.rows) else {
                                continue;
                            };
                            let weights = &weights[tap_y * shape.kernel[1]..];
                            let of_row = |(tap, place): &(usize, isize)| {
                                (row * region.line + (place - low) as usize, weights[*tap])
                            };
                            taps.extend(across.iter().map(of_row));
                        }
                        let count = (width - residue).div_ceil(stride_x);
                        // SAFETY: a line of the region has room for the farthest tap of the last vector.
                        unsafe { gather(exec.level, staged.as_ptr(), &taps, count, &end, line.as_mut_ptr()) };
                        for (to, value) in to[residue..].iter_mut().step_by(stride_x).zip(&line[..count]) {
                            *to = *value;
                        }
                    }
                }
            }
        });
    });
    out
}
