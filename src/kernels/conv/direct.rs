//! Convolutions of any geometry: tiles are copied to channels-last order with their border, and the taps become
//! segments of one long dot product, so nothing is unrolled in memory.
#![allow(unsafe_code)]

use super::{
    ConvShape,
    stage::{self, Finish, Load, Store},
    tiles::{Tile, tiles},
};
use crate::kernels::{
    buffer::{Aligned, scratch, split, total},
    elementwise::Activation,
    exec::{Exec, Shared},
    gemm::{
        Packed,
        micro::{self, Outer, RowsByPacked, Run, Segment},
        padded,
    },
};

/// Positions computed together.
const TARGET: usize = 192;

/// The gradient of a result, and through which activation it came.
#[derive(Clone, Copy)]
pub(crate) struct Gradient<'a> {
    pub values: &'a [f32],
    /// The results and the activation that made them.
    pub gate: Option<(&'a [f32], Activation)>,
}

impl<'a> Gradient<'a> {
    pub(super) fn from(self, start: usize, len: usize) -> Self {
        let part = |values: &'a [f32]| &values[start..start + len];
        Self { values: part(self.values), gate: self.gate.map(|(results, activation)| (part(results), activation)) }
    }

    /// The gradient before the activation, where there is one.
    pub(crate) fn applied(self, exec: Exec<'_>) -> Option<Vec<f32>> {
        self.gate.map(|(results, activation)| activation.gradient(exec, results, self.values))
    }
}

/// The first input position that a tile reads and how many it reads, along an axis.
fn reach(shape: &ConvShape, axis: usize, start: usize, len: usize) -> (isize, usize) {
    let first = (start * shape.stride[axis]) as isize - shape.padding[axis] as isize;
    (first, (len - 1) * shape.stride[axis] + (shape.kernel[axis] - 1) * shape.dilation[axis] + 1)
}

/// The region of `x` that a tile of the output reads, and how it lies in scratch memory.
struct Staged {
    corner: [isize; 2],
    region: [usize; 2],
}

impl Staged {
    fn new(shape: &ConvShape, tile: &Tile) -> Self {
        let [height, width] = tile.size();
        let (top, rows) = reach(shape, 0, tile.rows.0, height);
        let (left, columns) = reach(shape, 1, tile.columns.0, width);
        Self { corner: [top, left], region: [rows, columns] }
    }

    fn image_len(&self, pixel: usize) -> usize {
        self.region[0] * self.region[1] * pixel
    }
}

/// Copies the input region of a tile into `to`: (images, rows, columns, channels).
fn stage_x(exec: Exec<'_>, shape: &ConvShape, x: &[f32], group: usize, tile: &Tile, staged: &Staged, to: &mut [f32]) {
    let channels = shape.in_channels;
    let image_len = staged.image_len(channels);
    assert!(to.len() >= tile.images() * image_len, "scratch memory for a tile");
    for image in tile.images.0..tile.images.1 {
        let start = (image * shape.groups + group) * channels * shape.x_plane();
        let task = Load {
            planes: &x[start..start + channels * shape.x_plane()],
            gate: None,
            channels,
            size: shape.input,
            corner: staged.corner,
            region: staged.region,
            pixel: channels,
        };
        let to = &mut to[(image - tile.images.0) * image_len..];
        // SAFETY: the slice of planes is exact and `to` has room for the region, both checked above.
        unsafe { stage::load(exec.level, &task, to.as_mut_ptr()) };
    }
}

/// Where the taps lie, counted from the first: one segment a kernel row where its taps are neighbours.
fn tap_segments(shape: &ConvShape, row_len: usize) -> Vec<Segment> {
    let channels = shape.in_channels;
    let mut segments = Vec::new();
    for ky in 0..shape.kernel[0] {
        let offset = ky * shape.dilation[0] * row_len;
        if shape.dilation[1] == 1 {
            segments.push(Segment { offset, len: shape.kernel[1] * channels });
        } else {
            segments.extend(
                (0..shape.kernel[1])
                    .map(|kx| Segment { offset: offset + kx * shape.dilation[1] * channels, len: channels }),
            );
        }
    }
    segments
}

/// `y = activation(conv(x, w) + bias)`.
pub(crate) fn forward(exec: Exec<'_>, shape: &ConvShape, x: &[f32], w: &[f32], finish: Finish<'_>) -> Vec<f32> {
    let (taps, channels, width) = (shape.taps(), shape.in_channels, padded(shape.out_channels));
    let packed = per_group(exec, shape, |group| {
        let w = &w[group * shape.out_channels * channels * taps..];
        // Depth in the order of the staged pixels: taps, then channels.
        Packed::new(taps * channels, shape.out_channels, |k, column| {
            w[(column * channels + k % channels) * taps + k / channels]
        })
    });
    let mut y = vec![0.0; shape.y_len()];
    let out = Shared::new(&mut y);
    let tiles = tiles(shape.batch, shape.output, TARGET);
    exec.pool.run(tiles.len() * shape.groups, |task| {
        let (tile, group) = (&tiles[task / shape.groups], task % shape.groups);
        let staged = Staged::new(shape, tile);
        let lens = [tile.images() * staged.image_len(channels), tile.pixels() * width];
        scratch(total(lens), |memory| {
            let [input, result] = split(memory, lens);
            stage_x(exec, shape, x, group, tile, &staged, input);
            let row_len = staged.region[1] * channels;
            let passes = micro::passes(&tap_segments(shape, row_len));
            let [height, columns] = tile.size();
            let mut rows = Vec::with_capacity(tile.pixels());
            for image in 0..tile.images() {
                for row in 0..height {
                    let start = image * staged.image_len(channels) + row * shape.stride[0] * row_len;
                    rows.extend((0..columns).map(|column| start + column * shape.stride[1] * channels));
                }
            }
            let c_rows: Vec<_> = (0..rows.len()).map(|i| i * width).collect();
            let product = RowsByPacked {
                a: input.as_ptr(),
                rows: &rows,
                passes: &passes,
                b: packed[group].data.as_ptr(),
                depth: taps * channels,
                columns: width,
                c: result.as_mut_ptr(),
                c_rows: &c_rows,
                accumulate: false,
            };
            let channel = group * shape.out_channels;
            let finish = finish.of(channel..channel + shape.out_channels);
            // SAFETY: rows and segments stay inside the staged region by construction.
            unsafe { micro::rows_by_packed(exec.level, &product) };
            let place = Place { channels: shape.out_channels, of: shape.groups * shape.out_channels, channel };
            let source = (&*result, width, 0, columns);
            write_tile(exec, source, tile, shape.output, place, finish, &out);
        });
    });
    y
}

fn per_group<T: Send>(exec: Exec<'_>, shape: &ConvShape, make: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let mut made: Vec<Option<T>> = (0..shape.groups).map(|_| None).collect();
    let slots = Shared::new(&mut made);
    // SAFETY: each task has a slot of its own.
    exec.pool.run(shape.groups, |group| unsafe { slots.part(group, 1)[0] = Some(make(group)) });
    made.into_iter().flatten().collect()
}

/// Which channels of how many a tile holds.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub channels: usize,
    pub of: usize,
    pub channel: usize,
}

/// Writes a channels-last tile to the planes of `out`. The source is its numbers, the floats of a pixel, the first
/// pixel of every image to be written and the pixels of a row.
#[allow(clippy::too_many_arguments)]
pub(super) fn write_tile(
    exec: Exec<'_>,
    (values, pixel, first, row): (&[f32], usize, usize, usize),
    tile: &Tile,
    size: [usize; 2],
    place: Place,
    finish: Finish<'_>,
    out: &Shared<f32>,
) {
    let [height, width] = tile.size();
    let plane = size[0] * size[1];
    let task = Store { tile: values.as_ptr(), pixel, channels: place.channels, finish, plane };
    for image in 0..tile.images() {
        let planes = ((tile.images.0 + image) * place.of + place.channel) * plane;
        // Whole rows are one stretch in the planes too.
        let whole = width == size[1] && row == width;
        let (stretches, len) = if whole { (1, height * width) } else { (height, width) };
        for stretch in 0..stretches {
            let start = planes + (tile.rows.0 + stretch) * size[1] + tile.columns.0;
            let from = first + (image * height + stretch) * row;
            assert!(values.len() >= (from + len) * pixel);
            // SAFETY: the stretch lies inside every plane, and tiles do not overlap.
            unsafe {
                let to = out.pointer(start, (place.channels - 1) * plane + len);
                stage::store(exec.level, &task, from, len, to);
            }
        }
    }
}

/// One residue of positions modulo the stride: the taps that meet it and the output position that each reads.
struct Phase {
    residue: usize,
    /// (tap, output position read by coarse position 0)
    taps: Vec<(usize, isize)>,
}

fn phases(shape: &ConvShape, axis: usize) -> Vec<Phase> {
    let stride = shape.stride[axis] as isize;
    (0..shape.stride[axis].min(shape.input[axis]))
        .map(|residue| {
            let taps = (0..shape.kernel[axis])
                .filter_map(|tap| {
                    let at = (residue + shape.padding[axis]) as isize - (tap * shape.dilation[axis]) as isize;
                    (at.rem_euclid(stride) == 0).then(|| (tap, at.div_euclid(stride)))
                })
                .collect();
            Phase { residue, taps }
        })
        .collect()
}

/// The outputs read by coarse position 0 over all phases: lowest, and how many beyond it.
fn span(phases: &[Phase]) -> (isize, usize) {
    let places = phases.iter().flat_map(|phase| phase.taps.iter().map(|tap| tap.1));
    let low = places.clone().min().unwrap_or(0);
    (low, (places.max().unwrap_or(0) - low) as usize)
}

/// The gradient to `x`; with `bias` and `activation` the forward pass of a transposed convolution.
pub(crate) fn backward_input(
    exec: Exec<'_>,
    shape: &ConvShape,
    w: &[f32],
    g: Gradient<'_>,
    finish: Finish<'_>,
) -> Vec<f32> {
    let (taps, outer) = (shape.taps(), shape.out_channels);
    let (pixel, width) = (padded(outer), padded(shape.in_channels));
    let (ys, xs) = (phases(shape, 0), phases(shape, 1));
    let ((low_y, more_y), (low_x, more_x)) = (span(&ys), span(&xs));
    let pairs: Vec<_> = ys.iter().flat_map(|y| xs.iter().map(move |x| (y, x))).collect();
    let packed: Vec<Vec<Packed>> = per_group(exec, shape, |group| {
        let w = &w[group * outer * shape.in_channels * taps..];
        let pack = |y: &Phase, x: &Phase| {
            Packed::new(y.taps.len() * x.taps.len() * outer, shape.in_channels, |k, column| {
                let (pair, channel) = (k / outer, k % outer);
                let tap = y.taps[pair / x.taps.len()].0 * shape.kernel[1] + x.taps[pair % x.taps.len()].0;
                w[(channel * shape.in_channels + column) * taps + tap]
            })
        };
        pairs.iter().map(|(y, x)| pack(y, x)).collect()
    });
    let coarse = [0, 1].map(|axis| shape.input[axis].div_ceil(shape.stride[axis]));
    let mut dx = vec![0.0; shape.x_len()];
    let out = Shared::new(&mut dx);
    let tiles = tiles(shape.batch, coarse, TARGET);
    exec.pool.run(tiles.len() * shape.groups, |task| {
        let (tile, group) = (&tiles[task / shape.groups], task % shape.groups);
        let [height, columns] = tile.size();
        let region = [height + more_y, columns + more_x];
        let image_len = region[0] * region[1] * pixel;
        // The same tile in full resolution, cut at the border.
        let fine = Tile {
            images: tile.images,
            rows: (tile.rows.0 * shape.stride[0], (tile.rows.1 * shape.stride[0]).min(shape.input[0])),
            columns: (tile.columns.0 * shape.stride[1], (tile.columns.1 * shape.stride[1]).min(shape.input[1])),
        };
        let lens = [tile.images() * image_len, fine.pixels() * width];
        scratch(total(lens), |memory| {
            let [input, result] = split(memory, lens);
            for image in 0..tile.images() {
                let plane = shape.y_plane();
                let g = g.from(((tile.images.0 + image) * shape.groups + group) * outer * plane, outer * plane);
                let task = Load {
                    planes: g.values,
                    gate: g.gate,
                    channels: outer,
                    size: shape.output,
                    corner: [tile.rows.0 as isize + low_y, tile.columns.0 as isize + low_x],
                    region,
                    pixel,
                };
                // SAFETY: `input` has room for every image's region; the planes are exact slices.
                unsafe { stage::load(exec.level, &task, input[image * image_len..].as_mut_ptr()) };
            }
            for ((y, x), packed) in pairs.iter().zip(&packed[group]) {
                let segments: Vec<_> = (y.taps.iter())
                    .flat_map(|y| x.taps.iter().map(move |x| (y.1 - low_y, x.1 - low_x)))
                    .map(|(y, x)| Segment { offset: (y as usize * region[1] + x as usize) * pixel, len: outer })
                    .collect();
                let (mut rows, mut c_rows) = (Vec::new(), Vec::new());
                for image in 0..tile.images() {
                    for (coarse_y, fine_y) in (0..height).map(|i| (i, i * shape.stride[0] + y.residue)) {
                        for (coarse_x, fine_x) in (0..columns).map(|i| (i, i * shape.stride[1] + x.residue)) {
                            if fine_y < fine.size()[0] && fine_x < fine.size()[1] {
                                rows.push(image * image_len + (coarse_y * region[1] + coarse_x) * pixel);
                                let line = image * fine.size()[0] + fine_y;
                                c_rows.push((line * fine.size()[1] + fine_x) * width);
                            }
                        }
                    }
                }
                if segments.is_empty() {
                    c_rows.iter().for_each(|&row| result[row..row + width].fill(0.0));
                    continue;
                }
                let product = RowsByPacked {
                    a: input.as_ptr(),
                    rows: &rows,
                    passes: &micro::passes(&segments),
                    b: packed.data.as_ptr(),
                    depth: packed.depth,
                    columns: width,
                    c: result.as_mut_ptr(),
                    c_rows: &c_rows,
                    accumulate: false,
                };
                // SAFETY: rows and segments stay inside the staged region by construction.
                unsafe { micro::rows_by_packed(exec.level, &product) };
            }
            let channel = group * shape.in_channels;
            let place = Place { channels: shape.in_channels, of: shape.groups * shape.in_channels, channel };
            let finish = finish.of(channel..channel + shape.in_channels);
            let source = (&*result, width, 0, fine.size()[1]);
            write_tile(exec, source, &fine, shape.input, place, finish, &out);
        });
    });
    dx
}

/// The gradient to `w`. The sum over the batch is split in a way that depends on the shape alone.
pub(crate) fn backward_weight(exec: Exec<'_>, shape: &ConvShape, x: &[f32], g: Gradient<'_>) -> Vec<f32> {
    let (taps, inner) = (shape.taps(), shape.in_channels);
    let rows = taps * inner;
    let tiles = tiles(shape.batch, shape.output, TARGET);
    let splits = ((1 << 20) / (rows * padded(shape.out_channels))).clamp(1, 8).min(tiles.len());
    // Output channels in parts, so that a few large layers keep every thread busy too.
    let parts = if splits >= 8 { 1 } else { (8 / splits).min(shape.out_channels.div_ceil(16)) };
    let part_channels = shape.out_channels.div_ceil(parts).next_multiple_of(16);
    let parts = shape.out_channels.div_ceil(part_channels);
    let mut dw = vec![0.0; shape.w_len()];
    let out = Shared::new(&mut dw);
    let mut sums: Vec<Aligned> = vec![Aligned::default(); shape.groups * parts * splits];
    {
        let sums = Shared::new(&mut sums);
        exec.pool.run(shape.groups * parts * splits, |task| {
            let (group, part, piece) = (task / (parts * splits), task / splits % parts, task % splits);
            let start = part * part_channels;
            let channels = (start, (start + part_channels).min(shape.out_channels));
            let mut sum = Aligned::zeroed(rows * padded(channels.1 - channels.0));
            for tile in &tiles[tiles.len() * piece / splits..tiles.len() * (piece + 1) / splits] {
                add_products(exec, shape, x, g, group, channels, tile, &mut sum);
            }
            // SAFETY: each task has a slot of its own.
            unsafe { sums.part(task, 1)[0] = sum };
        });
    }
    exec.pool.run(shape.groups * parts, |task| {
        let (group, part) = (task / parts, task % parts);
        let start = part * part_channels;
        let channels = part_channels.min(shape.out_channels - start);
        let width = padded(channels);
        let sums = &sums[task * splits..(task + 1) * splits];
        // SAFETY: parts of the output channels do not overlap.
        let out = unsafe { out.part((group * shape.out_channels + start) * rows, channels * rows) };
        for (channel, out) in out.chunks_exact_mut(rows).enumerate() {
            for (index, out) in out.iter_mut().enumerate() {
                // w is (channel, tap), the sums are (tap, channel).
                let at = (index % taps * inner + index / taps) * width + channel;
                *out = sums.iter().map(|sum| sum[at]).sum();
            }
        }
    });
    dw
}

/// Adds what one tile contributes to `sum`: (taps, in_channels, padded output channels of the part).
#[allow(clippy::too_many_arguments)]
fn add_products(
    exec: Exec<'_>,
    shape: &ConvShape,
    x: &[f32],
    g: Gradient<'_>,
    group: usize,
    channels: (usize, usize),
    tile: &Tile,
    sum: &mut [f32],
) {
    let inner = shape.in_channels;
    let width = padded(channels.1 - channels.0);
    let staged = Staged::new(shape, tile);
    let [height, columns] = tile.size();
    let image_len = staged.image_len(inner);
    let lens = [tile.images() * image_len, tile.pixels() * width];
    scratch(total(lens), |memory| {
        let [input, gradient] = split(memory, lens);
        stage_x(exec, shape, x, group, tile, &staged, input);
        let gradient_len = height * columns * width;
        for image in 0..tile.images() {
            let plane = shape.y_plane();
            let first = ((tile.images.0 + image) * shape.groups + group) * shape.out_channels + channels.0;
            let g = g.from(first * plane, (channels.1 - channels.0) * plane);
            let task = Load {
                planes: g.values,
                gate: g.gate,
                channels: channels.1 - channels.0,
                size: shape.output,
                corner: [tile.rows.0 as isize, tile.columns.0 as isize],
                region: [height, columns],
                pixel: width,
            };
            // SAFETY: `gradient` has room for every image's region; the planes are exact slices.
            unsafe { stage::load(exec.level, &task, gradient[image * gradient_len..].as_mut_ptr()) };
        }
        let row_len = staged.region[1] * inner;
        let mut at = 0;
        for segment in tap_segments(shape, row_len) {
            let mut runs = Vec::with_capacity(tile.images() * height);
            for image in 0..tile.images() {
                runs.extend((0..height).map(|row| Run {
                    a_offset: image * image_len + row * shape.stride[0] * row_len + segment.offset,
                    b_offset: (image * height + row) * columns * width,
                    count: columns,
                }));
            }
            let product = Outer {
                a: input.as_ptr(),
                a_step: shape.stride[1] * inner,
                b: gradient.as_ptr(),
                b_step: width,
                runs: &runs,
                rows: segment.len,
                columns: width,
                c: sum[at * width..(at + segment.len) * width].as_mut_ptr(),
                c_stride: width,
            };
            // SAFETY: runs stay inside the staged regions by construction, and the rows inside `sum`.
            unsafe { micro::outer(exec.level, &product) };
            at += segment.len;
        }
    });
}

/// The gradient to the bias: the sum of `g` over everything but the channels, each image's share multiplied by its scale.
pub(crate) fn backward_bias(
    exec: Exec<'_>,
    channels: usize,
    plane: usize,
    g: Gradient<'_>,
    scales: Option<&[f32]>,
) -> Vec<f32> {
    let mut sums = vec![0.0; channels];
    let out = Shared::new(&mut sums);
    let images = g.values.len() / (channels * plane).max(1);
    exec.pool.run_ranges(channels, 4, |first, last| {
        // SAFETY: ranges do not overlap.
        let out = unsafe { out.part(first, last - first) };
        for (channel, out) in (first..last).zip(out) {
            for image in 0..images {
                let sum = gradient_sum(exec, g.from((image * channels + channel) * plane, plane));
                *out += scales.map_or(1.0, |scales| scales[image]) * sum;
            }
        }
    });
    sums
}

fn gradient_sum(exec: Exec<'_>, g: Gradient<'_>) -> f32 {
    let mut sum = 0.0;
    // SAFETY: the gate, where there is one, has the length of the values.
    unsafe { sum_gated(exec.level, &g, &mut sum) };
    sum
}

crate::kernels::exec::vectorised! {
    /// # Safety
    /// The gate must be as long as the values.
    unsafe fn sum_gated = sum_gated_body(g: &Gradient<'_>, sum: &mut f32)
}

#[inline(always)]
unsafe fn sum_gated_body<V: crate::kernels::vector::Vector>(g: &Gradient<'_>, sum: &mut f32) {
    use crate::kernels::vector::LANES;
    let whole = g.values.len() / LANES * LANES;
    let mut total = V::zero();
    for at in (0..whole).step_by(LANES) {
        // SAFETY: eight numbers from `at` are inside the values, and the gate is as long.
        unsafe {
            let values = V::load(g.values.as_ptr().add(at));
            total = total.add(match g.gate {
                None => values,
                Some((results, activation)) => activation.backward(V::load(results.as_ptr().add(at)), values),
            });
        }
    }
    let values = V::load_part(&g.values[whole..], 0.0);
    let rest = match g.gate {
        None => values,
        Some((results, activation)) => activation.backward(V::load_part(&results[whole..], 0.0), values),
    };
    *sum = total.add(rest).sum();
}
