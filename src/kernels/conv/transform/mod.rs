//! Convolutions with 3 × 3 taps, with 4 × 4 taps at stride 2, and with 3 × 3 taps behind a doubling of the image, in
//! about half to a quarter of the usual multiplications.
//!
//! Tiles of the image and the filters are mapped to a few products ([`schemes`]), whose sums over the channels are
//! plain matrix products; maps of the sums give the outputs. The adjoint maps around the same matrix products give
//! both gradients. Rounding errors stay within 1e-5 of the largest value, ten times below what training notices.
#![allow(unsafe_code)]

mod passes;
mod schemes;

use std::{ops::Deref, sync::Arc};

pub(crate) use passes::Kind;
use passes::{Filters, MOST, Sizes, TileRow};

use super::{
    ConvShape,
    direct::{Gradient, Place, write_tile},
    fixed::WeightValues,
    stage::{self, Finish, Load},
    tiles::Tile,
};
use crate::kernels::{
    buffer::{Aligned, Kept, scratch, split, total},
    exec::{Exec, Shared},
    gemm::{
        micro::{self, Outer, RowsByPacked, Run, Segment},
        padded,
    },
    vector::LANES,
};

/// Floats of products held at a time: they stay in the last-level cache.
const HELD: usize = 4 << 20;
/// Floats of pixels staged by one task: they stay in the second-level cache.
const STAGED: usize = 48 << 10;
/// Tiles multiplied by one task.
const ROWS: usize = 96;
/// Floats of products that one task takes from pixels to pixels by itself: they stay in its core's second-level cache.
const OWN: usize = 160 << 10;
/// The fewest tiles that make that worth while: each reads all filters.
const FEWEST: usize = 12;
/// Floats of larger filters that each large tile of an image makes up for.
const LARGE: usize = 512 << 10;

/// A convolution and the scheme that serves it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    shape: ConvShape,
    kind: Kind,
    sizes: Sizes,
    /// Rows and columns of tiles of an image.
    tiles: [usize; 2],
    /// Input channels, padded.
    inner: usize,
    /// Length of a row of products on the input side: phases and padded channels.
    depth: usize,
    /// Output channels, padded.
    outer: usize,
}

/// Rows of tiles, counted through the whole batch.
#[derive(Clone, Copy)]
struct Rows {
    start: usize,
    end: usize,
}

/// Filters that were made for one convolution, or before it.
enum Ready {
    Made(Kept),
    Before(Arc<Aligned>),
}

impl Deref for Ready {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match self {
            Self::Made(filters) => filters,
            Self::Before(filters) => filters,
        }
    }
}

impl Plan {
    /// The plan for a shape, if a scheme serves it and wins.
    pub(crate) fn new(shape: &ConvShape) -> Option<Self> {
        let plain = shape.groups == 1 && shape.dilation == [1; 2];
        let enough = shape.in_channels >= 16 && shape.out_channels * 2 >= shape.in_channels.min(16);
        let square = |taps, stride| shape.kernel == [taps; 2] && shape.stride == [stride; 2];
        let kind = if shape.doubled {
            Kind::Doubled
        } else if plain && enough && square(4, 2) {
            if Self::is_worth_large_tiles(shape) { Kind::Stride4 } else { Kind::Stride2 }
        } else if plain && enough && square(3, 1) {
            if shape.output.iter().all(|size| size % 4 == 0 || *size >= 14) { Kind::Three4 } else { Kind::Three2 }
        } else {
            return None;
        };
        Some(Self::with_kind(shape, kind))
    }

    /// Whether [`Kind::Stride4`] beats [`Kind::Stride2`]: it multiplies less where its tiles fit the output, but makes
    /// nearly three times as much of the filters. The batch has no say, or a picture would depend on its company.
    fn is_worth_large_tiles(shape: &ConvShape) -> bool {
        let tiles = |outputs: usize| shape.output.iter().map(|size| size.div_ceil(outputs)).product::<usize>();
        let Sizes { products, phases, .. } = Kind::Stride4.sizes();
        let filters = (products * phases).pow(2) * padded(shape.in_channels) * padded(shape.out_channels);
        tiles(4) * 25 < tiles(2) * 9 && filters <= LARGE * tiles(4)
    }

    pub(super) fn with_kind(shape: &ConvShape, kind: Kind) -> Self {
        let sizes = kind.sizes();
        let inner = padded(shape.in_channels);
        Self {
            shape: *shape,
            kind,
            sizes,
            tiles: shape.output.map(|size| size.div_ceil(sizes.outputs)),
            inner,
            depth: sizes.phases * sizes.phases * inner,
            outer: padded(shape.out_channels),
        }
    }

    fn products(&self) -> usize {
        self.sizes.products * self.sizes.products
    }

    fn taps(&self) -> usize {
        self.sizes.taps * self.sizes.taps
    }

    /// Ranges of tile rows whose products, `width` floats a tile, are held at a time; whole images if `whole`.
    fn chunks(&self, width: usize, whole: bool) -> Vec<Rows> {
        let all = self.shape.batch * self.tiles[0];
        let row = self.tiles[1] * self.products() * width;
        let unit = if whole { self.tiles[0] } else { 1 };
        let step = (HELD / row.max(1) / unit).max(1) * unit;
        let count = all.div_ceil(step);
        let even = (all / unit).div_ceil(count) * unit;
        (0..all).step_by(even).map(|start| Rows { start, end: (start + even).min(all) }).collect()
    }

    /// Whether the adjoint of the input side, which needs whole images, is affordable.
    pub(crate) fn holds_images(&self) -> bool {
        self.tiles[0] * self.tiles[1] * self.products() * (self.depth + self.outer) <= 4 * HELD
    }

    /// Parts of a chunk, each inside one image and with at most [`STAGED`] floats of pixels.
    fn strips(&self, rows: Rows, row_floats: usize) -> Vec<Rows> {
        let step = (STAGED / row_floats.max(1)).clamp(1, self.tiles[0]);
        let mut strips = Vec::new();
        let mut start = rows.start;
        while start < rows.end {
            let image_end = (start / self.tiles[0] + 1) * self.tiles[0];
            let end = (start + step).min(image_end).min(rows.end);
            strips.push(Rows { start, end });
            start = end;
        }
        strips
    }

    /// The filters as [`Self::filters`] makes them, made anew or kept from before.
    fn filters_of(&self, exec: Exec<'_>, w: WeightValues<'_>, turned: bool) -> Ready {
        let make = || self.filters(exec, w.values, turned);
        match w.mapped {
            None => Ready::Made(make()),
            Some(mapped) => Ready::Before(mapped.get((self.kind, turned), || make().to_aligned())),
        }
    }

    /// The filters mapped and packed as the right operands: depth by outputs, or turned for the gradient to the input.
    fn filters(&self, exec: Exec<'_>, w: &[f32], turned: bool) -> Kept {
        let (ci, co, taps) = (self.shape.in_channels, self.shape.out_channels, self.taps());
        let (depth, columns) = if turned { (co, self.depth) } else { (self.depth, self.outer) };
        // Memory that was used before: fresh pages would take longer than the work.
        let mut packed = Kept::new(self.products() * depth * columns);
        if !turned && ci < self.inner {
            packed.fill(0.0);
        }
        let plane = depth * columns;
        let out = Shared::new(&mut packed);
        // Eight filters at a time: neighbours along the columns.
        let (along, across, lane) = if turned { (ci, co, taps) } else { (co, ci, ci * taps) };
        let blocks = along.div_ceil(LANES);
        let phases = self.sizes.phases * self.sizes.phases;
        exec.pool.run_ranges(blocks * across, 16, |start, end| {
            let mut products = [0.0; MOST * MOST * LANES];
            for index in start..end {
                let (first, other) = (index / across * LANES, index % across);
                let filter = if turned { other * ci + first } else { first * ci + other };
                let lanes = (along - first).min(LANES);
                let from = &w[filter * taps..];
                assert!(from.len() >= (lanes - 1) * lane + taps);
                let task = Filters {
                    values: from.as_ptr().cast_mut(),
                    lane,
                    lanes,
                    products: products.as_mut_ptr(),
                    plane: phases * LANES,
                    phase: LANES,
                };
                // SAFETY: the filters are inside `w`, which is only read, and there are no more products than a scheme has.
                unsafe { passes::weight(exec.level, self.kind, &task) };
                for (at, values) in products.chunks_exact(LANES).enumerate().take(self.products() * phases) {
                    let (product, phase) = (at / phases, at % phases);
                    let (k, column) =
                        if turned { (other, phase * self.inner + first) } else { (phase * self.inner + other, first) };
                    let panel = column / 16 * 16;
                    let width = (columns - panel).min(16);
                    let to = product * plane + panel * depth + k * width + column - panel;
                    // SAFETY: every block of eight filters has places of its own.
                    unsafe { out.part(to, LANES) }.copy_from_slice(values);
                }
            }
        });
        packed
    }

    /// Maps the region of `x` behind a chunk of tiles to products: (product, tile, phase and channel).
    fn map_input(&self, exec: Exec<'_>, x: &[f32], rows: Rows, products: &mut [f32]) {
        let s = self.sizes;
        let columns = (self.tiles[1] - 1) * s.step + s.inputs;
        let corner = [0, 1].map(|axis| if self.shape.doubled { -1 } else { -(self.shape.padding[axis] as isize) });
        let planes = self.shape.in_channels * self.shape.x_plane();
        let tiles = (rows.end - rows.start) * self.tiles[1];
        assert!(products.len() >= self.products() * tiles * self.depth);
        let out = Shared::new(products);
        let strips = self.strips(rows, s.step * columns * self.inner);
        exec.pool.run(strips.len(), |task| {
            let strip = strips[task];
            let (image, first) = (strip.start / self.tiles[0], strip.start % self.tiles[0]);
            let region = [(strip.end - strip.start - 1) * s.step + s.inputs, columns];
            scratch(region[0] * region[1] * self.inner, |pixels| {
                let load = Load {
                    planes: &x[image * planes..(image + 1) * planes],
                    gate: None,
                    channels: self.shape.in_channels,
                    size: self.shape.input,
                    corner: [corner[0] + (first * s.step) as isize, corner[1]],
                    region,
                    pixel: self.inner,
                };
                // SAFETY: the scratch memory holds the region, the products every tile of the strip.
                unsafe {
                    stage::load(exec.level, &load, pixels.as_mut_ptr());
                    for row in strip.start..strip.end {
                        let tile = (row - rows.start) * self.tiles[1];
                        let task = TileRow {
                            pixels: pixels[(row - strip.start) * s.step * columns * self.inner..].as_mut_ptr(),
                            row: columns * self.inner,
                            pixel: self.inner,
                            products: out.pointer(tile * self.depth, 0),
                            plane: tiles * self.depth,
                            tile: self.depth,
                            count: self.tiles[1],
                            channels: self.inner,
                            phase: self.inner,
                        };
                        passes::input(exec.level, self.kind, &task);
                    }
                }
            });
        });
    }

    /// Maps the gradient of a chunk of tiles to products: (product, tile, output channel).
    fn map_gradient(&self, exec: Exec<'_>, g: Gradient<'_>, rows: Rows, products: &mut [f32]) {
        let s = self.sizes;
        let columns = self.tiles[1] * s.outputs;
        let planes = self.shape.out_channels * self.shape.y_plane();
        let tiles = (rows.end - rows.start) * self.tiles[1];
        assert!(products.len() >= self.products() * tiles * self.outer);
        let out = Shared::new(products);
        let strips = self.strips(rows, s.outputs * columns * self.outer);
        exec.pool.run(strips.len(), |task| {
            let strip = strips[task];
            let (image, first) = (strip.start / self.tiles[0], strip.start % self.tiles[0]);
            let region = [(strip.end - strip.start) * s.outputs, columns];
            let g = g.from(image * planes, planes);
            scratch(region[0] * region[1] * self.outer, |pixels| {
                let load = Load {
                    planes: g.values,
                    gate: g.gate,
                    channels: self.shape.out_channels,
                    size: self.shape.output,
                    corner: [(first * s.outputs) as isize, 0],
                    region,
                    pixel: self.outer,
                };
                // SAFETY: the scratch memory holds the region, the products every tile of the strip.
                unsafe {
                    stage::load(exec.level, &load, pixels.as_mut_ptr());
                    for row in strip.start..strip.end {
                        let tile = (row - rows.start) * self.tiles[1];
                        let task = TileRow {
                            pixels: pixels[(row - strip.start) * s.outputs * columns * self.outer..].as_mut_ptr(),
                            row: columns * self.outer,
                            pixel: self.outer,
                            products: out.pointer(tile * self.outer, 0),
                            plane: tiles * self.outer,
                            tile: self.outer,
                            count: self.tiles[1],
                            channels: self.outer,
                            phase: self.outer,
                        };
                        passes::output_adjoint(exec.level, self.kind, &task);
                    }
                }
            });
        });
    }

    /// `to = from · filters` for every product: `from` has rows of `depth`, `to` of `columns`, `used` of the depth count.
    fn multiply(
        &self,
        exec: Exec<'_>,
        tiles: usize,
        from: &[f32],
        [row, used, columns]: [usize; 3],
        w: &[f32],
        to: &mut [f32],
    ) {
        let products = self.products();
        assert!(from.len() >= products * tiles * row && w.len() >= products * used * columns);
        assert!(to.len() >= products * tiles * columns);
        let parts = tiles.div_ceil(ROWS);
        let passes = micro::passes(&[Segment { offset: 0, len: used }]);
        let out = Shared::new(to);
        exec.pool.run(products * parts, |task| {
            let (product, part) = (task / parts, task % parts);
            let (start, end) = (tiles * part / parts, tiles * (part + 1) / parts);
            let rows: [usize; ROWS] = std::array::from_fn(|i| i * row);
            let c_rows: [usize; ROWS] = std::array::from_fn(|i| i * columns);
            let count = end - start;
            let first = product * tiles + start;
            let task = RowsByPacked {
                a: from[first * row..].as_ptr(),
                rows: &rows[..count],
                passes: &passes,
                b: w[product * used * columns..].as_ptr(),
                depth: used,
                columns,
                c: out.pointer(first * columns, count * columns),
                c_rows: &c_rows[..count],
                accumulate: false,
            };
            // SAFETY: the lengths were checked above; tasks have rows of their own.
            unsafe { micro::rows_by_packed(exec.level, &task) };
        });
    }

    /// `y = finish(conv(x, w))`.
    pub(crate) fn forward(&self, exec: Exec<'_>, x: &[f32], w: WeightValues<'_>, finish: Finish<'_>) -> Vec<f32> {
        let mut y = vec![0.0; self.shape.y_len()];
        self.forward_into(exec, x, w, finish, &mut y);
        y
    }

    /// The same into `y`.
    pub(crate) fn forward_into(
        &self,
        exec: Exec<'_>,
        x: &[f32],
        w: WeightValues<'_>,
        finish: Finish<'_>,
        y: &mut [f32],
    ) {
        assert!(x.len() >= self.shape.x_len() && y.len() >= self.shape.y_len());
        let filters = self.filters_of(exec, w, false);
        let out = Shared::new(y);
        if let Some(block) = self.own_block() {
            return self.forward_by_blocks(exec, x, &filters, block, finish, &out);
        }
        for rows in self.chunks(self.depth + self.outer, false) {
            let tiles = (rows.end - rows.start) * self.tiles[1];
            let lens = [self.products() * tiles * self.depth, self.products() * tiles * self.outer];
            scratch(total(lens), |memory| {
                let [inputs, sums] = split(memory, lens);
                self.map_input(exec, x, rows, inputs);
                self.multiply(exec, tiles, inputs, [self.depth, self.depth, self.outer], &filters, sums);
                self.map_output(exec, rows, sums, finish, &out);
            });
        }
    }

    /// Maps the sums of a chunk of tiles to pixels and writes them.
    fn map_output(&self, exec: Exec<'_>, rows: Rows, sums: &[f32], finish: Finish<'_>, out: &Shared<f32>) {
        let s = self.sizes;
        let tiles = (rows.end - rows.start) * self.tiles[1];
        let columns = self.tiles[1] * s.outputs;
        let strips = self.strips(rows, s.outputs * columns * self.outer);
        exec.pool.run(strips.len(), |task| {
            let strip = strips[task];
            let (image, first) = (strip.start / self.tiles[0], strip.start % self.tiles[0]);
            let height = (strip.end - strip.start) * s.outputs;
            scratch(height * columns * self.outer, |pixels| {
                for row in strip.start..strip.end {
                    let tile = (row - rows.start) * self.tiles[1];
                    let task = TileRow {
                        pixels: pixels[(row - strip.start) * s.outputs * columns * self.outer..].as_mut_ptr(),
                        row: columns * self.outer,
                        pixel: self.outer,
                        products: sums[tile * self.outer..].as_ptr().cast_mut(),
                        plane: tiles * self.outer,
                        tile: self.outer,
                        count: self.tiles[1],
                        channels: self.outer,
                        phase: self.outer,
                    };
                    // SAFETY: pixels and products of the strip are inside their buffers; the latter are read.
                    unsafe { passes::output(exec.level, self.kind, &task) };
                }
                let [h, w] = self.shape.output;
                let top = first * s.outputs;
                let place = Place { channels: self.shape.out_channels, of: self.shape.out_channels, channel: 0 };
                let tile = Tile { images: (image, image + 1), rows: (top, (top + height).min(h)), columns: (0, w) };
                let source = (&*pixels, self.outer, 0, columns);
                write_tile(exec, source, &tile, self.shape.output, place, finish, out);
            });
        });
    }

    /// Rows and columns of tiles of the blocks that one task takes from pixels to pixels by itself; `None` where they
    /// would be too small.
    fn own_block(&self) -> Option<[usize; 2]> {
        let own = OWN / (self.products() * (self.depth + self.outer));
        // Blocks two tiles high load fewer pixels twice.
        let wide = (own / 2).clamp(1, self.tiles[1]);
        let wide = self.tiles[1].div_ceil(self.tiles[1].div_ceil(wide));
        let high = (own / wide).clamp(1, self.tiles[0]);
        (high * wide >= FEWEST).then_some([high, wide])
    }

    /// The forward pass in blocks, each taken from pixels to pixels by one task.
    #[allow(clippy::too_many_arguments)]
    fn forward_by_blocks(
        &self,
        exec: Exec<'_>,
        x: &[f32],
        filters: &[f32],
        [high, wide]: [usize; 2],
        finish: Finish<'_>,
        out: &Shared<f32>,
    ) {
        let [down, across] = [self.tiles[0].div_ceil(high), self.tiles[1].div_ceil(wide)];
        exec.pool.run(self.shape.batch * down * across, |task| {
            let (image, block) = (task / (down * across), task % (down * across));
            let [top, left] = [block / across * high, block % across * wide];
            let block = [(self.tiles[0] - top).min(high), (self.tiles[1] - left).min(wide)];
            self.forward_block(exec, x, filters, (image, [top, left], block), finish, out);
        });
    }

    /// One block: its image, its first tile and how many there are.
    #[allow(clippy::too_many_arguments)]
    fn forward_block(
        &self,
        exec: Exec<'_>,
        x: &[f32],
        filters: &[f32],
        (image, [top, left], [high, wide]): (usize, [usize; 2], [usize; 2]),
        finish: Finish<'_>,
        out: &Shared<f32>,
    ) {
        let (s, tiles) = (self.sizes, high * wide);
        let region = [(high - 1) * s.step + s.inputs, (wide - 1) * s.step + s.inputs];
        let [rows, columns] = [high * s.outputs, wide * s.outputs];
        // Pixels that come and pixels that go are never held together.
        let staged = (region[0] * region[1] * self.inner).max(rows * columns * self.outer);
        let lens = [staged, self.products() * tiles * self.depth, self.products() * tiles * self.outer];
        let passes = micro::passes(&[Segment { offset: 0, len: self.depth }]);
        let from_rows: [usize; ROWS] = std::array::from_fn(|i| i * self.depth);
        let to_rows: [usize; ROWS] = std::array::from_fn(|i| i * self.outer);
        let padding = if self.shape.doubled { [1; 2] } else { self.shape.padding };
        let corner =
            [(top * s.step, padding[0]), (left * s.step, padding[1])].map(|(at, pad)| at as isize - pad as isize);
        let planes = self.shape.in_channels * self.shape.x_plane();
        scratch(total(lens), |memory| {
            let [pixels, inputs, sums] = split(memory, lens);
            let load = Load {
                planes: &x[image * planes..(image + 1) * planes],
                gate: None,
                channels: self.shape.in_channels,
                size: self.shape.input,
                corner,
                region,
                pixel: self.inner,
            };
            // SAFETY: the scratch memory holds the region, and every tile's products and sums; they are apart.
            unsafe {
                stage::load(exec.level, &load, pixels.as_mut_ptr());
                for row in 0..high {
                    let task = TileRow {
                        pixels: pixels[row * s.step * region[1] * self.inner..].as_mut_ptr(),
                        row: region[1] * self.inner,
                        pixel: self.inner,
                        products: inputs[row * wide * self.depth..].as_mut_ptr(),
                        plane: tiles * self.depth,
                        tile: self.depth,
                        count: wide,
                        channels: self.inner,
                        phase: self.inner,
                    };
                    passes::input(exec.level, self.kind, &task);
                }
                for product in 0..self.products() {
                    for first in (0..tiles).step_by(ROWS) {
                        let count = ROWS.min(tiles - first);
                        let task = RowsByPacked {
                            a: inputs[(product * tiles + first) * self.depth..].as_ptr(),
                            rows: &from_rows[..count],
                            passes: &passes,
                            b: filters[product * self.depth * self.outer..].as_ptr(),
                            depth: self.depth,
                            columns: self.outer,
                            c: sums[(product * tiles + first) * self.outer..].as_mut_ptr(),
                            c_rows: &to_rows[..count],
                            accumulate: false,
                        };
                        micro::rows_by_packed(exec.level, &task);
                    }
                }
                for row in 0..high {
                    let task = TileRow {
                        pixels: pixels[row * s.outputs * columns * self.outer..].as_mut_ptr(),
                        row: columns * self.outer,
                        pixel: self.outer,
                        products: sums[row * wide * self.outer..].as_mut_ptr(),
                        plane: tiles * self.outer,
                        tile: self.outer,
                        count: wide,
                        channels: self.outer,
                        phase: self.outer,
                    };
                    passes::output(exec.level, self.kind, &task);
                }
            }
            let [h, w] = self.shape.output;
            let (y, x) = (top * s.outputs, left * s.outputs);
            let place = Place { channels: self.shape.out_channels, of: self.shape.out_channels, channel: 0 };
            let tile =
                Tile { images: (image, image + 1), rows: (y, (y + rows).min(h)), columns: (x, (x + columns).min(w)) };
            write_tile(exec, (&*pixels, self.outer, 0, columns), &tile, self.shape.output, place, finish, out);
        });
    }

    /// The gradients that are `wanted`, to the input and to the weight. `finish` is applied to the
    /// first, which with them is the forward pass of a transposed convolution.
    pub(crate) fn backward(
        &self,
        exec: Exec<'_>,
        (x, w): (&[f32], WeightValues<'_>),
        g: Gradient<'_>,
        wanted: (bool, bool),
        finish: Finish<'_>,
    ) -> (Option<Vec<f32>>, Option<Vec<f32>>) {
        let filters = if wanted.0 { self.filters_of(exec, w, true) } else { Ready::Made(Kept::new(0)) };
        let mut dx = if wanted.0 { vec![0.0; self.shape.x_len()] } else { Vec::new() };
        let mut sums = Aligned::zeroed(if wanted.1 { self.products() * self.depth * self.outer } else { 0 });
        let out = Shared::new(&mut dx);
        for rows in self.chunks(self.depth + self.outer, wanted.0) {
            let tiles = (rows.end - rows.start) * self.tiles[1];
            let lens = [self.products() * tiles * self.depth, self.products() * tiles * self.outer];
            scratch(total(lens), |memory| {
                let [inputs, gradients] = split(memory, lens);
                self.map_gradient(exec, g, rows, gradients);
                if wanted.1 {
                    self.map_input(exec, x, rows, inputs);
                    self.add_products(exec, tiles, inputs, gradients, &mut sums);
                }
                if wanted.0 {
                    let dims = [self.outer, self.shape.out_channels, self.depth];
                    self.multiply(exec, tiles, gradients, dims, &filters, inputs);
                    self.unmap_input(exec, rows, inputs, finish, &out);
                }
            });
        }
        (wanted.0.then_some(dx), wanted.1.then(|| self.unmap_filters(exec, &sums)))
    }

    /// `sums += inputsᵀ · gradients` for every product. Both operands are copied to short rows first: at strides of a
    /// power of two their lines would push each other out of the nearest cache.
    fn add_products(&self, exec: Exec<'_>, tiles: usize, inputs: &[f32], gradients: &[f32], sums: &mut [f32]) {
        const PANEL: usize = 2 * LANES;
        let (products, depth, outer) = (self.products(), self.depth, self.outer);
        assert!(inputs.len() >= products * tiles * depth && gradients.len() >= products * tiles * outer);
        assert!(sums.len() >= products * depth * outer);
        let parts = depth.div_ceil(ROWS);
        let out = Shared::new(sums);
        let steps = tiles.div_ceil(2 * ROWS);
        exec.pool.run(products * parts, |task| {
            let (product, part) = (task / parts, task % parts);
            let (first, last) = (depth * part / parts, depth * (part + 1) / parts);
            let rows = last - first;
            let lens = [rows * 2 * ROWS, PANEL * 2 * ROWS];
            scratch(total(lens), |memory| {
                let [left, right] = split(memory, lens);
                for step in 0..steps {
                    let (start, end) = (tiles * step / steps, tiles * (step + 1) / steps);
                    let count = end - start;
                    for (row, to) in (start..end).zip(left.chunks_exact_mut(rows)) {
                        to.copy_from_slice(&inputs[(product * tiles + row) * depth + first..][..rows]);
                    }
                    for column in (0..outer).step_by(PANEL) {
                        let width = PANEL.min(outer - column);
                        for (row, to) in (start..end).zip(right.chunks_exact_mut(width)) {
                            to.copy_from_slice(&gradients[(product * tiles + row) * outer + column..][..width]);
                        }
                        let at = (product * depth + first) * outer + column;
                        let task = Outer {
                            a: left.as_ptr(),
                            a_step: rows,
                            b: right.as_ptr(),
                            b_step: width,
                            runs: &[Run { a_offset: 0, b_offset: 0, count }],
                            rows,
                            columns: width,
                            c: out.pointer(at, (rows - 1) * outer + width),
                            c_stride: outer,
                        };
                        // SAFETY: the lengths were checked above; tasks have rows of their own.
                        unsafe { micro::outer(exec.level, &task) };
                    }
                }
            });
        });
    }

    /// Maps products of the input side of whole images back to pixels and writes them.
    fn unmap_input(&self, exec: Exec<'_>, rows: Rows, products: &[f32], finish: Finish<'_>, out: &Shared<f32>) {
        let s = self.sizes;
        let region = [0, 1].map(|axis| {
            let pad = if self.shape.doubled { 1 } else { self.shape.padding[axis] };
            ((self.tiles[axis] - 1) * s.step + s.inputs).max(self.shape.input[axis] + pad)
        });
        let pad = [0, 1].map(|axis| if self.shape.doubled { 1 } else { self.shape.padding[axis] });
        let tiles = (rows.end - rows.start) * self.tiles[1];
        let images = (rows.start / self.tiles[0], rows.end / self.tiles[0]);
        let part = (STAGED / (region[0] * region[1]) / LANES * LANES).clamp(LANES, self.inner);
        let parts = self.inner.div_ceil(part);
        exec.pool.run((images.1 - images.0) * parts, |task| {
            let (image, channel) = (images.0 + task / parts, task % parts * part);
            let width = part.min(self.inner - channel);
            scratch(region[0] * region[1] * width, |pixels| {
                pixels.fill(0.0);
                for row in 0..self.tiles[0] {
                    let tile = (image * self.tiles[0] + row - rows.start) * self.tiles[1];
                    let task = TileRow {
                        pixels: pixels[row * s.step * region[1] * width..].as_mut_ptr(),
                        row: region[1] * width,
                        pixel: width,
                        products: products[tile * self.depth + channel..].as_ptr().cast_mut(),
                        plane: tiles * self.depth,
                        tile: self.depth,
                        count: self.tiles[1],
                        channels: width,
                        phase: self.inner,
                    };
                    // SAFETY: pixels and products are inside their buffers; the latter are only read.
                    unsafe { passes::input_adjoint(exec.level, self.kind, &task) };
                }
                let channels = width.min(self.shape.in_channels - channel);
                let place = Place { channels, of: self.shape.in_channels, channel };
                let [h, w] = self.shape.input;
                let tile = Tile { images: (image, image + 1), rows: (0, h), columns: (0, w) };
                let source = (&*pixels, width, pad[0] * region[1] + pad[1], region[1]);
                let finish = finish.of(channel..channel + channels);
                write_tile(exec, source, &tile, self.shape.input, place, finish, out);
            });
        });
    }

    /// Maps summed products back to filters.
    fn unmap_filters(&self, exec: Exec<'_>, sums: &[f32]) -> Vec<f32> {
        let (ci, co, taps) = (self.shape.in_channels, self.shape.out_channels, self.taps());
        let mut dw = vec![0.0; self.shape.w_len()];
        let out = Shared::new(&mut dw);
        exec.pool.run_ranges(co.div_ceil(LANES) * ci, 16, |start, end| {
            for index in start..end {
                let (first, channel) = (index / ci * LANES, index % ci);
                let lanes = (co - first).min(LANES);
                let task = Filters {
                    values: out.pointer((first * ci + channel) * taps, (lanes - 1) * ci * taps + taps),
                    lane: ci * taps,
                    lanes,
                    products: sums[channel * self.outer + first..].as_ptr().cast_mut(),
                    plane: self.depth * self.outer,
                    phase: self.inner * self.outer,
                };
                // SAFETY: filters have places of their own, and the sums hold every product, only read.
                unsafe { passes::weight_adjoint(exec.level, self.kind, &task) };
            }
        });
        dw
    }
}
