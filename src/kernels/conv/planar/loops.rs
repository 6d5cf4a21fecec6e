//! The inner loops: sums over weights, and products of gradients and pixels, held in registers.
#![allow(unsafe_code)]
#![allow(clippy::needless_range_loop, reason = "indices over registers unroll to one instruction each")]

use super::{BLOCK, Finish, layout::Place};
use crate::kernels::{
    elementwise::Activation,
    exec::widened,
    vector::{LANES, Vector, Wide},
};

/// Output positions of a group, and what they are made of.
pub(super) struct Sums<'a> {
    pub staged: *const f32,
    pub offsets: &'a [usize],
    /// Blocks of eight output channels, each (k, channel); see [`packed`].
    pub weights: *const f32,
    pub places: &'a [Place],
    /// The group's first output plane, and its planes.
    pub out: *mut f32,
    pub plane: usize,
    pub channels: usize,
    pub finish: Finish<'a>,
    /// What is added to the results, laid out as they are: the number for the first at `out`.
    pub residual: Option<*const f32>,
}

widened! {
    /// # Safety
    /// Every place and offset must lie in the staged memory with a whole vector behind it, and in the output with `count`
    /// numbers in each of the planes, which no other thread touches; the weights must be whole blocks.
    pub(super) unsafe fn sums = sums_body(task: &Sums<'_>)
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

/// Products of gradients and pixels, summed over the positions of a tile.
pub(super) struct Dots<'a> {
    pub staged: *const f32,
    pub offsets: &'a [usize],
    pub gradients: *const f32,
    /// Floats from one channel of the gradients to the next.
    pub plane: usize,
    pub channels: usize,
    pub places: &'a [Place],
    /// (channel, k), to which the sums are added.
    pub out: *mut f32,
}

widened! {
    /// # Safety
    /// Every place and offset must lie in the staged memory and in the gradients with a whole vector behind it; `out` must
    /// have room for (channels, offsets) that no other thread touches.
    pub(super) unsafe fn dots = dots_body(task: &Dots<'_>)
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
