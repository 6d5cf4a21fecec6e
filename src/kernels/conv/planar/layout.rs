//! How images are divided into tiles, and their planes copied with a border.
#![allow(unsafe_code)]

use super::{ConvShape, Gradient};
use crate::kernels::{
    elementwise::Activation,
    exec::{Exec, vectorised},
    vector::{LANES, Vector},
};

/// Some images, rows and columns that are computed together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Band {
    pub images: (usize, usize),
    pub rows: (usize, usize),
    pub columns: (usize, usize),
}

impl Band {
    pub fn images(&self) -> usize {
        self.images.1 - self.images.0
    }

    fn rows(&self) -> usize {
        self.rows.1 - self.rows.0
    }

    fn columns(&self) -> usize {
        self.columns.1 - self.columns.0
    }

    /// Bands of about `target` positions that cover all images.
    pub fn cover(batch: usize, [height, width]: [usize; 2], target: usize) -> Vec<Self> {
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
pub(super) struct Layout {
    pub channels: usize,
    pub rows: usize,
    pub row_len: usize,
}

impl Layout {
    /// What `band` reads, each row long enough for whole vectors.
    pub fn of_input(shape: &ConvShape, band: &Band, lanes: usize) -> Self {
        let reach = [0, 1].map(|axis| (shape.kernel[axis] - 1) * shape.dilation[axis]);
        Self {
            channels: shape.in_channels,
            rows: band.rows() + reach[0],
            row_len: band.columns().next_multiple_of(lanes) + reach[1],
        }
    }

    /// The gradients of `band`.
    pub fn of_output(shape: &ConvShape, band: &Band, lanes: usize) -> Self {
        let row_len = band.columns().next_multiple_of(lanes);
        Self { channels: shape.out_channels, rows: band.rows(), row_len }
    }

    pub fn plane(&self) -> usize {
        self.rows * self.row_len
    }

    pub fn image(&self) -> usize {
        self.channels * self.plane()
    }

    /// Where the factor of every weight of an output channel lies, counted from that of the first.
    pub fn offsets(&self, shape: &ConvShape) -> Vec<usize> {
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
pub(super) fn stage(
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
pub(super) struct Place {
    pub from: usize,
    pub to: usize,
    pub count: usize,
}

/// The vectors of a band: of each the place in the staged planes, and what `to` makes of image, row and column.
pub(super) fn places(
    band: &Band,
    layout: Layout,
    lanes: usize,
    to: impl Fn(usize, usize, usize) -> usize,
) -> Vec<Place> {
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
