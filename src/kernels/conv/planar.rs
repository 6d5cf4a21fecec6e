//! Convolutions of stride 1 whose channels are too few for channels-last tiles to pay, or that have a single tap: groups of
//! a few channels, and 1 × 1. Pixels stay in their planes; a vector holds neighbours of a row, and the weights are broadcast.
//!
//! A tile of the image is copied with its border, plane after plane; output `(channel, position)` is then the sum over
//! `k` = (input channel, tap) of `weight(channel, k) · staged[position + offset(k)]`, and the gradient to the weights is the
//! sum over the positions of `g(channel, position) · staged[position + offset(k)]`.
#![allow(unsafe_code)]
#![allow(clippy::needless_range_loop, reason = "indices over registers unroll to one instruction each")]

use super::{ConvShape, Finish, Gradient};
use crate::kernels::{
    buffer::{Aligned, scratch, split, total},
    elementwise::Activation,
    exec::{Exec, Shared, vectorised, widened},
    vector::{LANES, Vector, Wide, lanes},
};

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

/// Some images, rows and columns that are computed together.
#[derive(Clone, Copy, Debug)]
struct Band {
    images: (usize, usize),
    rows: (usize, usize),
    columns: (usize, usize),
}

impl Band {
    fn images(&self) -> usize {
        self.images.1 - self.images.0
    }

    fn rows(&self) -> usize {
        self.rows.1 - self.rows.0
    }

    fn columns(&self) -> usize {
        self.columns.1 - self.columns.0
    }

    /// Bands of about `target` positions that cover all images.
    fn cover(batch: usize, [height, width]: [usize; 2], target: usize) -> Vec<Self> {
        // Whole tiles of registers, whatever the instructions.
        let columns = if width > target { (target / 48).max(1) * 48 } else { width };
        let rows = (target / columns).clamp(1, height);
        let images = if rows == height && columns == width { (target / (height * width)).clamp(1, batch) } else { 1 };
        let even = |len: usize, step: usize| {
            let parts = len.div_ceil(step);
            (0..parts).map(move |i| (len * i / parts, len * (i + 1) / parts))
        };
        let mut bands = Vec::new();
        for images in even(batch, images) {
            for rows in even(height, rows) {
                let starts = (0..width).step_by(columns);
                bands.extend(starts.map(|at| Self { images, rows, columns: (at, (at + columns).min(width)) }));
            }
        }
        bands
    }
}

/// Planes of a tile in scratch memory, image after image: rows of `row_len` floats.
#[derive(Clone, Copy, Debug)]
struct Layout {
    channels: usize,
    rows: usize,
    row_len: usize,
}

impl Layout {
    /// What `band` reads, each row long enough for whole vectors.
    fn of_input(shape: &ConvShape, band: &Band, lanes: usize) -> Self {
        let reach = [0, 1].map(|axis| (shape.kernel[axis] - 1) * shape.dilation[axis]);
        Self {
            channels: shape.in_channels,
            rows: band.rows() + reach[0],
            row_len: band.columns().next_multiple_of(lanes) + reach[1],
        }
    }

    /// The gradients of `band`.
    fn of_output(shape: &ConvShape, band: &Band, lanes: usize) -> Self {
        let row_len = band.columns().next_multiple_of(lanes);
        Self { channels: shape.out_channels, rows: band.rows(), row_len }
    }

    fn plane(&self) -> usize {
        self.rows * self.row_len
    }

    fn image(&self) -> usize {
        self.channels * self.plane()
    }

    /// Where the factor of every weight of an output channel lies, counted from that of the first.
    fn offsets(&self, shape: &ConvShape) -> Vec<usize> {
        let [height, width] = shape.kernel;
        let tap = |tap: usize| tap / width * shape.dilation[0] * self.row_len + tap % width * shape.dilation[1];
        (0..self.channels * height * width)
            .map(|k| k / (height * width) * self.plane() + tap(k % (height * width)))
            .collect()
    }
}

/// The planes of one image, to be copied to scratch memory; what lies outside them becomes zero.
struct Copied<'a> {
    values: &'a [f32],
    gate: Option<(&'a [f32], Activation)>,
    size: [usize; 2],
    /// Top left corner of the region, which may lie outside.
    corner: [isize; 2],
    layout: Layout,
}

vectorised! {
    /// # Safety
    /// `to` must have room for an image of the layout; `values`, and the gate's, must hold its planes.
    unsafe fn copy = copy_body(task: &Copied<'_>, to: *mut f32)
}

#[inline(always)]
unsafe fn copy_body<V: Vector>(task: &Copied<'_>, to: *mut f32) {
    let Layout { channels, rows, row_len } = task.layout;
    let [height, width] = task.size;
    let [top, left] = task.corner;
    let first = (-left).clamp(0, row_len as isize) as usize;
    let last = (width as isize - left).clamp(first as isize, row_len as isize) as usize;
    for channel in 0..channels {
        for row in 0..rows {
            // SAFETY: rows of `row_len` floats inside the image that the caller gave room for.
            let line = unsafe { to.add((channel * rows + row) * row_len) };
            let y = top + row as isize;
            if y < 0 || y >= height as isize || first == last {
                // SAFETY: as above.
                unsafe { line.write_bytes(0, row_len) };
                continue;
            }
            let from = (channel * height * width) as isize + y * width as isize + left + first as isize;
            // SAFETY: `first..last` of this row lie in the plane and in the line; the slices hold all planes.
            unsafe {
                (0..first).chain(last..row_len).for_each(|at| *line.add(at) = 0.0);
                copy_row::<V>(task, from as usize, last - first, line.add(first));
            }
        }
    }
}

/// `count` numbers from index `from`.
#[inline(always)]
unsafe fn copy_row<V: Vector>(task: &Copied<'_>, from: usize, count: usize, to: *mut f32) {
    let values = &task.values[from..from + count];
    let Some((results, activation)) = task.gate else {
        // Rows are short: calling the library for each takes longer than copying it.
        let whole = count / LANES * LANES;
        // SAFETY: the caller gave room for `count` floats, in memory of its own; `values` has as many.
        unsafe {
            for at in (0..whole).step_by(LANES) {
                V::load(values.as_ptr().add(at)).store(to.add(at));
            }
            for at in whole..count {
                *to.add(at) = *values.get_unchecked(at);
            }
        }
        return;
    };
    let results = &results[from..from + count];
    let whole = count / LANES * LANES;
    for at in (0..whole).step_by(LANES) {
        // SAFETY: eight numbers from `at` are inside both slices and the room at `to`.
        unsafe {
            let (result, value) = (V::load(results.as_ptr().add(at)), V::load(values.as_ptr().add(at)));
            activation.backward(result, value).store(to.add(at));
        }
    }
    if whole < count {
        let (result, value) = (V::load_part(&results[whole..], 0.0), V::load_part(&values[whole..], 0.0));
        // SAFETY: the rest of the room.
        unsafe { activation.backward(result, value).store_first(to.add(whole), count - whole) };
    }
}

/// Copies some planes of the images of a band: those from `first` on, of `of` in an image.
#[allow(clippy::too_many_arguments)]
fn stage(
    exec: Exec<'_>,
    from: Gradient<'_>,
    (first, of): (usize, usize),
    size: [usize; 2],
    band: &Band,
    padding: [usize; 2],
    layout: Layout,
    to: &mut [f32],
) {
    let area = size[0] * size[1];
    assert!(to.len() >= band.images() * layout.image(), "scratch memory for a tile");
    for image in 0..band.images() {
        let part = from.from(((band.images.0 + image) * of + first) * area, layout.channels * area);
        let corner = [band.rows.0 as isize - padding[0] as isize, band.columns.0 as isize - padding[1] as isize];
        let task = Copied { values: part.values, gate: part.gate, size, corner, layout };
        // SAFETY: `to` has room for every image, checked above, and the slices are exact.
        unsafe { copy(exec.level, &task, to[image * layout.image()..].as_mut_ptr()) };
    }
}

/// Neighbours of a row that are computed in one vector: where they begin in the staged planes and in the output (or in the
/// staged gradients), and how many there are.
#[derive(Clone, Copy, Debug)]
struct Place {
    from: usize,
    to: usize,
    count: usize,
}

/// Output positions of a group, and what they are made of.
struct Sums<'a> {
    staged: *const f32,
    offsets: &'a [usize],
    /// Blocks of eight output channels, each (k, channel); see [`packed`].
    weights: *const f32,
    places: &'a [Place],
    /// The group's first output plane, and its planes.
    out: *mut f32,
    plane: usize,
    channels: usize,
    finish: Finish<'a>,
    /// What is added to the results, laid out as they are: the number for the first at `out`.
    residual: Option<*const f32>,
}

widened! {
    /// # Safety
    /// Every place and offset must lie in the staged memory with a whole vector behind it, and in the output with `count`
    /// numbers in each of the planes, which no other thread touches; the weights must be whole blocks.
    unsafe fn sums = sums_body(task: &Sums<'_>)
}

#[inline(always)]
unsafe fn sums_body<V: Wide>(task: &Sums<'_>) {
    for block in 0..task.channels.div_ceil(BLOCK) {
        let mut at = 0;
        while at < task.places.len() {
            // SAFETY: the caller's promise; there are as many places as each tile takes.
            unsafe {
                at += if V::LANES > LANES {
                    match task.places.len() - at {
                        1 => tile::<V, 8, 1>(task, block, 0, at),
                        2 | 4 => tile::<V, 8, 2>(task, block, 0, at),
                        _ => tile::<V, 8, 3>(task, block, 0, at),
                    }
                } else {
                    match task.places.len() - at {
                        1 => tile::<V, 8, 1>(task, block, 0, at),
                        2 | 4 => halves::<V, 2>(task, block, at),
                        _ => halves::<V, 3>(task, block, at),
                    }
                };
            }
        }
    }
}

/// A block in two tiles of four channels.
#[inline(always)]
unsafe fn halves<V: Wide, const COUNT: usize>(task: &Sums<'_>, block: usize, at: usize) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        tile::<V, 4, COUNT>(task, block, 0, at);
        if task.channels > block * BLOCK + 4 {
            tile::<V, 4, COUNT>(task, block, 4, at);
        }
    }
    COUNT
}

/// `CHANNELS` output channels of a block at `COUNT` places; returns `COUNT`.
#[inline(always)]
unsafe fn tile<V: Wide, const CHANNELS: usize, const COUNT: usize>(
    task: &Sums<'_>,
    block: usize,
    first: usize,
    at: usize,
) -> usize {
    // SAFETY: the caller's promise: places, offsets, weights and planes are inside their memory.
    unsafe {
        let places = task.places.get_unchecked(at..at + COUNT);
        let mut from = [task.staged; COUNT];
        for p in 0..COUNT {
            from[p] = task.staged.add(places[p].from);
        }
        let mut weights = task.weights.add(block * task.offsets.len() * BLOCK + first);
        let mut sums = [[V::zero(); COUNT]; CHANNELS];
        for &offset in task.offsets {
            let mut right = [V::zero(); COUNT];
            for p in 0..COUNT {
                right[p] = V::load(from[p].add(offset));
            }
            for c in 0..CHANNELS {
                let left = V::splat(*weights.add(c));
                for p in 0..COUNT {
                    sums[c][p] = left.mul_add(right[p], sums[c][p]);
                }
            }
            weights = weights.add(BLOCK);
        }
        for c in 0..CHANNELS {
            let channel = block * BLOCK + first + c;
            if channel >= task.channels {
                break;
            }
            let bias = task.finish.bias.map_or(0.0, |bias| bias[channel]);
            let slope = task.finish.slopes.map_or(1.0, |slopes| slopes[channel]);
            for p in 0..COUNT {
                for (part, sum) in sums[c][p].parts().into_iter().enumerate().take(V::LANES / LANES) {
                    let count = places[p].count.saturating_sub(part * LANES).min(LANES);
                    let at = channel * task.plane + places[p].to + part * LANES;
                    let residual = task.residual.map(|residual| residual.add(at));
                    finished(sum, bias, slope, task.finish.activation, residual, task.out.add(at), count);
                }
            }
        }
    }
    COUNT
}

/// Writes the first `count` of eight sums, finished and added to what is at `residual`.
///
/// # Safety
/// There must be room for them at `to`, and as many numbers at `residual`.
#[inline(always)]
unsafe fn finished<V: Vector>(
    sums: V,
    bias: f32,
    slope: f32,
    activation: Activation,
    residual: Option<*const f32>,
    to: *mut f32,
    count: usize,
) {
    let values = activation.apply(sums.add(V::splat(bias)));
    let values = values.select_positive(values, values.mul(V::splat(slope)));
    // SAFETY: the caller's promise.
    unsafe {
        match (count, residual) {
            (0, _) => {}
            (LANES, None) => values.store(to),
            (LANES, Some(residual)) => values.add(V::load(residual)).store(to),
            (_, None) => values.store_first(to, count),
            (_, Some(residual)) => {
                values.add(V::load_part(std::slice::from_raw_parts(residual, count), 0.0)).store_first(to, count);
            }
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

/// The vectors of a band: of each the place in the staged planes, and what `to` makes of image, row and column.
fn places(band: &Band, layout: Layout, lanes: usize, to: impl Fn(usize, usize, usize) -> usize) -> Vec<Place> {
    let mut places = Vec::with_capacity(band.images() * band.rows() * band.columns().div_ceil(lanes));
    for image in 0..band.images() {
        for row in 0..band.rows() {
            places.extend((0..band.columns()).step_by(lanes).map(|column| Place {
                from: image * layout.image() + row * layout.row_len + column,
                to: to(image, row, column),
                count: lanes.min(band.columns() - column),
            }));
        }
    }
    places
}

/// Products of gradients and pixels, summed over the positions of a tile.
struct Dots<'a> {
    staged: *const f32,
    offsets: &'a [usize],
    gradients: *const f32,
    /// Floats from one channel of the gradients to the next.
    plane: usize,
    channels: usize,
    places: &'a [Place],
    /// (channel, k), to which the sums are added.
    out: *mut f32,
}

widened! {
    /// # Safety
    /// Every place and offset must lie in the staged memory and in the gradients with a whole vector behind it; `out` must
    /// have room for (channels, offsets) that no other thread touches.
    unsafe fn dots = dots_body(task: &Dots<'_>)
}

#[inline(always)]
unsafe fn dots_body<V: Wide>(task: &Dots<'_>) {
    let mut k = 0;
    while k < task.offsets.len() {
        let wide = (task.offsets.len() - k).min(3);
        let mut channel = 0;
        while channel < task.channels {
            let left = task.channels - channel;
            // SAFETY: the caller's promise; there are as many channels and offsets as each tile takes.
            unsafe {
                channel += match (left, wide) {
                    (8.., 3) if V::LANES > LANES => dots_tile::<V, 8, 3>(task, channel, k),
                    (4.., 3) => dots_tile::<V, 4, 3>(task, channel, k),
                    (4.., 2) => dots_tile::<V, 4, 2>(task, channel, k),
                    (4.., _) => dots_tile::<V, 4, 1>(task, channel, k),
                    (_, 3) => dots_tile::<V, 1, 3>(task, channel, k),
                    (_, 2) => dots_tile::<V, 1, 2>(task, channel, k),
                    _ => dots_tile::<V, 1, 1>(task, channel, k),
                };
            }
        }
        k += wide;
    }
}

#[inline(always)]
unsafe fn dots_tile<V: Wide, const CHANNELS: usize, const WIDE: usize>(
    task: &Dots<'_>,
    channel: usize,
    k: usize,
) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        let gradients = task.gradients.add(channel * task.plane);
        let mut staged = [task.staged; WIDE];
        for i in 0..WIDE {
            staged[i] = task.staged.add(*task.offsets.get_unchecked(k + i));
        }
        let mut sums = [[V::zero(); WIDE]; CHANNELS];
        for place in task.places {
            let mut right = [V::zero(); WIDE];
            for i in 0..WIDE {
                right[i] = V::load(staged[i].add(place.from));
            }
            for c in 0..CHANNELS {
                let left = V::load(gradients.add(c * task.plane + place.to));
                for i in 0..WIDE {
                    sums[c][i] = left.mul_add(right[i], sums[c][i]);
                }
            }
        }
        for c in 0..CHANNELS {
            for i in 0..WIDE {
                *task.out.add((channel + c) * task.offsets.len() + k + i) += sums[c][i].sum();
            }
        }
    }
    CHANNELS
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
