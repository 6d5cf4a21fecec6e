//! Moving image regions between planes (NCHW) and channels-last tiles, where the kernels work.
#![allow(unsafe_code)]

use crate::kernels::{
    elementwise::Activation,
    exec::vectorised,
    vector::{LANES, Vector},
};

/// A region of some planes, to be copied to a channels-last tile; what lies outside the image becomes zero.
pub(crate) struct Load<'a> {
    /// The first plane.
    pub planes: &'a [f32],
    /// Results of the activation whose derivative multiplies what is loaded, laid out like `planes`.
    pub gate: Option<(&'a [f32], Activation)>,
    pub channels: usize,
    /// Height and width of a plane.
    pub size: [usize; 2],
    /// Top left corner of the region, which may lie outside.
    pub corner: [isize; 2],
    /// Height and width of the region.
    pub region: [usize; 2],
    /// Floats from one pixel of the tile to the next; channels beyond `channels` become zero.
    pub pixel: usize,
}

vectorised! {
    /// # Safety
    /// `to` must have room for `region` pixels, and `planes` (and the gate) must hold `channels` planes.
    pub(crate) unsafe fn load = load_body(task: &Load<'_>, to: *mut f32)
}

#[inline(always)]
unsafe fn load_body<V: Vector>(task: &Load<'_>, to: *mut f32) {
    let [height, width] = task.size.map(|n| n as isize);
    let [rows, columns] = task.region;
    let [top, left] = task.corner;
    // Columns of the region that lie inside the image.
    let first = (-left).clamp(0, columns as isize) as usize;
    let last = (width - left).clamp(first as isize, columns as isize) as usize;
    for row in 0..rows {
        // SAFETY: rows of the tile are `columns × pixel` floats.
        let line = unsafe { to.add(row * columns * task.pixel) };
        let y = top + row as isize;
        let (first, last) = if (0..height).contains(&y) { (first, last) } else { (columns, columns) };
        // SAFETY: the pixels before `first` and after `last` belong to this row of the tile.
        unsafe {
            line.write_bytes(0, first * task.pixel);
            line.add(last * task.pixel).write_bytes(0, (columns - last) * task.pixel);
        }
        if first < last {
            let from = (y * width + left + first as isize) as usize;
            // SAFETY: `first..last` of this row are inside image and tile.
            unsafe { load_row::<V>(task, from, last - first, line.add(first * task.pixel)) };
        }
    }
}

/// `count` pixels from index `from` of each plane.
#[inline(always)]
unsafe fn load_row<V: Vector>(task: &Load<'_>, from: usize, count: usize, to: *mut f32) {
    let plane = task.size[0] * task.size[1];
    let vectors = task.pixel / LANES * LANES;
    // SAFETY: the caller's promise; `fetch` and the stores stay inside `count` pixels of `channels` planes.
    unsafe {
        let mut channel = 0;
        while channel < vectors {
            let lanes = task.channels.saturating_sub(channel).min(LANES);
            let mut x = 0;
            while x < count {
                let part = (count - x).min(LANES);
                let mut block = [V::zero(); LANES];
                for (i, row) in block.iter_mut().enumerate().take(lanes) {
                    *row = fetch::<V>(task, (channel + i) * plane + from + x, part);
                }
                let block = V::transpose(block);
                for (i, pixel) in block.iter().enumerate().take(part) {
                    pixel.store(to.add((x + i) * task.pixel + channel));
                }
                x += LANES;
            }
            channel += LANES;
        }
        for channel in vectors..task.pixel {
            for x in 0..count {
                let value = if channel < task.channels {
                    fetch::<V>(task, channel * plane + from + x, 1).to_array()[0]
                } else {
                    0.0
                };
                *to.add(x * task.pixel + channel) = value;
            }
        }
    }
}

#[inline(always)]
unsafe fn fetch<V: Vector>(task: &Load<'_>, index: usize, lanes: usize) -> V {
    // SAFETY: the caller promises `lanes` numbers at `index`.
    let read = |from: &[f32]| unsafe {
        if lanes == LANES {
            V::load(from.as_ptr().add(index))
        } else {
            V::load_part(from.get_unchecked(index..index + lanes), 0.0)
        }
    };
    match task.gate {
        None => read(task.planes),
        Some((results, activation)) => activation.backward(read(results), read(task.planes)),
    }
}

/// What happens to sums before they are results.
#[derive(Clone, Copy, Default)]
pub(crate) struct Finish<'a> {
    /// Added to each channel.
    pub bias: Option<&'a [f32]>,
    /// Applied after the bias.
    pub activation: Activation,
    /// The slope of each channel below zero (PReLU), applied last.
    pub slopes: Option<&'a [f32]>,
}

impl<'a> Finish<'a> {
    /// A bias and an activation.
    pub(crate) fn new(bias: Option<&'a [f32]>, activation: Activation) -> Self {
        Self { bias, activation, slopes: None }
    }

    /// The same for some of the channels.
    pub(crate) fn of(self, channels: std::ops::Range<usize>) -> Self {
        let part = |all: &'a [f32]| &all[channels.clone()];
        Self { bias: self.bias.map(part), slopes: self.slopes.map(part), ..self }
    }
}

/// A channels-last tile to be written back to planes.
pub(crate) struct Store<'a> {
    pub tile: *const f32,
    /// Floats from one pixel of the tile to the next, a multiple of eight.
    pub pixel: usize,
    pub channels: usize,
    pub finish: Finish<'a>,
    /// Floats from one plane to the next.
    pub plane: usize,
}

vectorised! {
    /// Writes `count` pixels of the tile from pixel `first` to the same places of the planes at `to`.
    ///
    /// # Safety
    /// The tile must hold the pixels, and `to` must have room for `count` numbers in each of `channels` planes that
    /// no other thread touches.
    pub(crate) unsafe fn store = store_body(task: &Store<'_>, first: usize, count: usize, to: *mut f32)
}

#[inline(always)]
unsafe fn store_body<V: Vector>(task: &Store<'_>, first: usize, count: usize, to: *mut f32) {
    let mut channel = 0;
    while channel < task.channels {
        let lanes = (task.channels - channel).min(LANES);
        let bias = match task.finish.bias {
            Some(bias) => V::load_part(&bias[channel..channel + lanes], 0.0),
            None => V::zero(),
        };
        let slopes = match task.finish.slopes {
            Some(slopes) => V::load_part(&slopes[channel..channel + lanes], 0.0),
            None => V::splat(1.0),
        };
        let mut x = 0;
        while x < count {
            let part = (count - x).min(LANES);
            let mut block = [V::zero(); LANES];
            // SAFETY: the caller's promise: `part` pixels of the tile and of `lanes` planes.
            unsafe {
                for (i, pixel) in block.iter_mut().enumerate().take(part) {
                    let value = V::load(task.tile.add((first + x + i) * task.pixel + channel));
                    let value = task.finish.activation.apply(value.add(bias));
                    *pixel = value.select_positive(value, value.mul(slopes));
                }
                let block = V::transpose(block);
                for (i, row) in block.iter().enumerate().take(lanes) {
                    let to = to.add((channel + i) * task.plane + x);
                    if part == LANES {
                        row.store(to);
                    } else {
                        row.store_part(std::slice::from_raw_parts_mut(to, part));
                    }
                }
            }
            x += LANES;
        }
        channel += LANES;
    }
}
