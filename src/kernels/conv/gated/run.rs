//! The stack on plain numbers: time is cut into pieces that threads share; gradients to the weights are summed in an
//! order that depends on the shape alone.
#![allow(unsafe_code)]

use super::Shape;
use crate::kernels::{
    buffer::{Aligned, Kept, scratch, split, total},
    conv::stage::{self, Finish, Load, Store},
    elementwise::math,
    exec::{Exec, Shared, vectorised},
    gemm::{
        Packed,
        micro::{self, Outer, RowsByPacked, Run, Segment},
        padded,
    },
    vector::{LANES, Vector},
};

/// Moments that are computed together.
const PIECE: usize = 512;
/// Parts in which gradients to the weights are summed.
const SPLITS: usize = 8;

/// What the backward pass needs.
pub(super) struct Trace {
    /// The input of every layer: (batch, lead + time, padded channels); the lead is zero.
    inputs: Vec<Kept>,
    /// tanh and sigmoid of every layer: (batch, time, 2 · padded channels).
    gates: Vec<Kept>,
    /// (batch, time, padded condition channels)
    condition: Kept,
}

pub(super) struct Gradients {
    pub x: Vec<f32>,
    pub weights: Vec<f32>,
    pub condition: Vec<f32>,
}

/// The padded sizes.
#[derive(Clone, Copy)]
struct Sizes {
    batch: usize,
    time: usize,
    /// Zeros before the first moment.
    lead: usize,
    c: usize,
    condition: usize,
    skip: usize,
}

impl Sizes {
    fn new(shape: &Shape) -> Self {
        let longest = shape.dilations.iter().max().copied().unwrap_or(0);
        Self {
            batch: shape.batch,
            time: shape.time,
            lead: (shape.taps - 1) * longest,
            c: padded(shape.channels),
            condition: padded(shape.condition),
            skip: padded(shape.skip),
        }
    }

    /// Pieces: (item, first moment, moments).
    fn pieces(&self) -> Vec<(usize, usize, usize)> {
        let parts = self.time.div_ceil(PIECE);
        let at = |i| self.time * i / parts;
        (0..self.batch).flat_map(|item| (0..parts).map(move |i| (item, at(i), at(i + 1) - at(i)))).collect()
    }

    /// Moments of an item with its lead.
    fn long(&self) -> usize {
        self.lead + self.time
    }
}

/// Copies (batch, channels, time) planes to channels-last `to` with `lead` zero moments before each item.
fn load(exec: Exec<'_>, s: &Sizes, from: &[f32], [first, channels, of]: [usize; 3], lead: usize, to: &mut [f32]) {
    let (pixel, long) = (padded(channels), lead + s.time);
    assert!(to.len() >= s.batch * long * pixel);
    let out = Shared::new(to);
    exec.pool.run(s.batch, |item| {
        // SAFETY: every item has a part of its own.
        let to = unsafe { out.part(item * long * pixel, long * pixel) };
        to[..lead * pixel].fill(0.0);
        let start = (item * of + first) * s.time;
        let task = Load {
            planes: &from[start..start + channels * s.time],
            gate: None,
            channels,
            size: [1, s.time],
            corner: [0, 0],
            region: [1, s.time],
            pixel,
        };
        // SAFETY: the part holds every moment behind the lead.
        unsafe { stage::load(exec.level, &task, to[lead * pixel..].as_mut_ptr()) };
    });
}

/// The reverse of [`load`].
fn store(exec: Exec<'_>, s: &Sizes, from: &[f32], lead: usize, [first, channels, of]: [usize; 3], to: &mut [f32]) {
    let (pixel, long) = (padded(channels), lead + s.time);
    assert!(from.len() >= s.batch * long * pixel);
    let out = Shared::new(to);
    exec.pool.run(s.batch, |item| {
        let tile = from[(item * long + lead) * pixel..].as_ptr();
        let task = Store { tile, pixel, channels, finish: Finish::default(), plane: s.time };
        let to = out.pointer((item * of + first) * s.time, channels * s.time);
        // SAFETY: every item has planes of its own, and the tile holds every moment.
        unsafe { stage::store(exec.level, &task, 0, s.time, to) };
    });
}

/// A product of some rows with packed weights; `segments` are counted from each row's start.
struct Product<'a> {
    from: &'a [f32],
    /// First float of the first row, and floats from row to row.
    rows: (usize, usize),
    segments: &'a [Segment],
    packed: &'a Packed,
    accumulate: bool,
}

impl Product<'_> {
    /// # Safety
    /// The rows at `to`, `stride` floats apart, must be writable by this thread alone.
    unsafe fn run(&self, exec: Exec<'_>, count: usize, to: *mut f32, stride: usize) {
        let reach = self.segments.iter().map(|s| s.offset + s.len).max().unwrap_or(0);
        assert!(count == 0 || self.from.len() >= self.rows.0 + (count - 1) * self.rows.1 + reach);
        let rows: Vec<_> = (0..count).map(|i| self.rows.0 + i * self.rows.1).collect();
        let c_rows: Vec<_> = (0..count).map(|i| i * stride).collect();
        let task = RowsByPacked {
            a: self.from.as_ptr(),
            rows: &rows,
            passes: &micro::passes(self.segments),
            b: self.packed.data.as_ptr(),
            depth: self.packed.depth,
            columns: self.packed.padded_columns(),
            c: to,
            c_rows: &c_rows,
            accumulate: self.accumulate,
        };
        // SAFETY: the rows read were checked, the rows written are the caller's promise.
        unsafe { micro::rows_by_packed(exec.level, &task) };
    }
}

fn one(len: usize) -> [Segment; 1] {
    [Segment { offset: 0, len }]
}

/// The column of output `o` of a tap: both halves are padded.
fn column(o: usize, channels: usize) -> usize {
    if o < channels { o } else { padded(channels) + o - channels }
}

/// Where output column `column` of a tap comes from, unless it is padding.
fn output(column: usize, channels: usize) -> Option<usize> {
    let c = padded(channels);
    let (half, at) = (column / c, column % c);
    (at < channels).then_some(half * channels + at)
}

pub(super) fn forward(
    exec: Exec<'_>,
    shape: &Shape,
    x: &[f32],
    weights: &[f32],
    condition: &[f32],
    training: bool,
) -> (Vec<f32>, Option<Trace>) {
    let s = Sizes::new(shape);
    let (c, channels) = (s.c, shape.channels);
    let mut h = Kept::new(s.batch * s.long() * c);
    load(exec, &s, x, [0, channels, channels], s.lead, &mut h);
    let mut cond = Kept::new(s.batch * s.time * s.condition);
    if shape.condition > 0 {
        load(exec, &s, condition, [0, shape.condition, shape.condition], 0, &mut cond);
    }
    let mut skip = Kept::new(s.batch * s.time * s.skip);
    skip.fill(0.0);
    let (pieces, mut inputs, mut gates) = (s.pieces(), Vec::new(), Vec::new());
    for (index, &dilation) in shape.dilations.iter().enumerate() {
        let [tap, tap_bias, cond_w, mix, mix_bias, skip_w, skip_bias] = shape.split(weights, index);
        let at = |k: usize, o: Option<usize>| {
            o.map_or(0.0, |o| tap[(o * channels + k % channels) * shape.taps + k / channels])
        };
        let tap = Packed::new(shape.taps * channels, 2 * c, |k, column| at(k, output(column, channels)));
        let cond_w = Packed::new(shape.condition, 2 * c, |k, column| {
            output(column, channels).map_or(0.0, |o| cond_w[o * shape.condition + k])
        });
        let mix = Packed::new(channels, channels, |k, o| mix[o * channels + k]);
        let skip_w = Packed::new(channels, shape.skip, |k, o| skip_w[o * channels + k]);
        let mut bias = vec![0.0; 2 * c];
        tap_bias.iter().enumerate().for_each(|(o, b)| bias[column(o, channels)] = *b);
        let mut next = Kept::new(h.len());
        let mut gate = Kept::new(if training { s.batch * s.time * 2 * c } else { 0 });
        let (next_out, gate_out, skip_out) = (Shared::new(&mut next), Shared::new(&mut gate), Shared::new(&mut skip));
        let taps: Vec<_> = (0..shape.taps).map(|tap| Segment { offset: tap * dilation * c, len: channels }).collect();
        exec.pool.run(pieces.len(), |piece| {
            let (item, start, count) = pieces[piece];
            let first = item * s.long() + s.lead + start;
            let lens = [count * 2 * c, count * c];
            scratch(total(lens), |memory| {
                let [y, z] = split(memory, lens);
                let rows = ((first - (shape.taps - 1) * dilation) * c, c);
                let product = Product { from: &h, rows, segments: &taps, packed: &tap, accumulate: false };
                // SAFETY: `y` and `z` are this task's; pieces own their rows of the shared buffers.
                unsafe {
                    product.run(exec, count, y.as_mut_ptr(), 2 * c);
                    if shape.condition > 0 {
                        let rows = ((item * s.time + start) * s.condition, s.condition);
                        let segments = one(shape.condition);
                        Product { from: &cond, rows, segments: &segments, packed: &cond_w, accumulate: true }.run(
                            exec,
                            count,
                            y.as_mut_ptr(),
                            2 * c,
                        );
                    }
                    gate_rows(exec.level, c, &bias, y, z);
                    if training {
                        gate_out.part((item * s.time + start) * 2 * c, count * 2 * c).copy_from_slice(y);
                    }
                    if start == 0 {
                        next_out.part(item * s.long() * c, s.lead * c).fill(0.0);
                    }
                    let to = next_out.part(first * c, count * c);
                    for (to, from) in to.chunks_exact_mut(c).zip(h[first * c..].chunks_exact(c)) {
                        to.copy_from_slice(from);
                        to.iter_mut().zip(mix_bias).for_each(|(to, b)| *to += b);
                    }
                    Product { from: z, rows: (0, c), segments: &one(channels), packed: &mix, accumulate: true }.run(
                        exec,
                        count,
                        to.as_mut_ptr(),
                        c,
                    );
                    if shape.skip > 0 {
                        let to = skip_out.part((item * s.time + start) * s.skip, count * s.skip);
                        for to in to.chunks_exact_mut(s.skip) {
                            to.iter_mut().zip(skip_bias).for_each(|(to, b)| *to += b);
                        }
                        Product { from: z, rows: (0, c), segments: &one(channels), packed: &skip_w, accumulate: true }
                            .run(exec, count, to.as_mut_ptr(), s.skip);
                    }
                }
            });
        });
        let input = std::mem::replace(&mut h, next);
        if training {
            inputs.push(input);
            gates.push(gate);
        }
    }
    let of = channels + shape.skip;
    let mut out = vec![0.0; s.batch * of * s.time];
    store(exec, &s, &h, s.lead, [0, channels, of], &mut out);
    if shape.skip > 0 {
        store(exec, &s, &skip, 0, [channels, shape.skip, of], &mut out);
    }
    (out, training.then_some(Trace { inputs, gates, condition: cond }))
}

vectorised! {
    /// `y` (rows of 2 c) plus bias becomes tanh and sigmoid, `z` (rows of c) their product.
    /// # Safety
    /// `y` must have two numbers for each of `z`, the bias 2 c, and c must be a multiple of eight.
    unsafe fn gate_rows = gate_rows_body(c: usize, bias: &[f32], y: &mut [f32], z: &mut [f32])
}

#[inline(always)]
unsafe fn gate_rows_body<V: Vector>(c: usize, bias: &[f32], y: &mut [f32], z: &mut [f32]) {
    for (y, z) in y.chunks_exact_mut(2 * c).zip(z.chunks_exact_mut(c)) {
        for at in (0..c).step_by(LANES) {
            // SAFETY: eight numbers from `at` are inside either half.
            unsafe {
                let (a, b) = (y.as_mut_ptr().add(at), y.as_mut_ptr().add(c + at));
                let t = math::tanh(V::load(a).add(V::load(bias.as_ptr().add(at))));
                let g = math::sigmoid(V::load(b).add(V::load(bias.as_ptr().add(c + at))));
                t.store(a);
                g.store(b);
                t.mul(g).store(z.as_mut_ptr().add(at));
            }
        }
    }
}

vectorised! {
    /// From tanh and sigmoid `y` (rows of 2 c) and the gradient `dz` (rows of c): the gradient before them `dy`, its
    /// sums over the rows `bias`, and in `dz` the product of the two.
    /// # Safety
    /// As for [`gate_rows`].
    unsafe fn ungate_rows = ungate_rows_body(c: usize, y: &[f32], dz: &mut [f32], dy: &mut [f32], bias: &mut [f32])
}

#[inline(always)]
unsafe fn ungate_rows_body<V: Vector>(c: usize, y: &[f32], dz: &mut [f32], dy: &mut [f32], bias: &mut [f32]) {
    let one = V::splat(1.0);
    for at in (0..c).step_by(LANES) {
        // SAFETY: eight numbers from `at` are inside either half of every row and of the bias.
        unsafe {
            let (first, second) = (bias.as_mut_ptr().add(at), bias.as_mut_ptr().add(c + at));
            let (mut sum_a, mut sum_b) = (V::load(first), V::load(second));
            for row in 0..dz.len() / c {
                let (y, dy) = (y.as_ptr().add(row * 2 * c + at), dy.as_mut_ptr().add(row * 2 * c + at));
                let z = dz.as_mut_ptr().add(row * c + at);
                let (t, g) = (V::load(y), V::load(y.add(c)));
                let through = V::load(z).mul(g);
                let (da, db) = (through.sub(through.mul(t).mul(t)), through.mul(t).mul(one.sub(g)));
                da.store(dy);
                db.store(dy.add(c));
                t.mul(g).store(z);
                (sum_a, sum_b) = (sum_a.add(da), sum_b.add(db));
            }
            sum_a.store(first);
            sum_b.store(second);
        }
    }
}

/// `sums += aᵀ · b` over `count` rows.
#[allow(clippy::too_many_arguments)]
fn add_outer(
    exec: Exec<'_>,
    a: &[f32],
    (a_step, rows): (usize, usize),
    b: &[f32],
    width: usize,
    count: usize,
    sums: &mut [f32],
) {
    assert!(a.len() >= (count - 1) * a_step + rows && b.len() >= count * width && sums.len() >= rows * width);
    let task = Outer {
        a: a.as_ptr(),
        a_step,
        b: b.as_ptr(),
        b_step: width,
        runs: &[Run { a_offset: 0, b_offset: 0, count }],
        rows,
        columns: width,
        c: sums.as_mut_ptr(),
        c_stride: width,
    };
    // SAFETY: the lengths were checked above.
    unsafe { micro::outer(exec.level, &task) };
}

fn add_rows(rows: &[f32], sums: &mut [f32]) {
    for row in rows.chunks_exact(sums.len()) {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
}

/// The weights of a layer turned for the gradients to what they were applied to.
struct Turned {
    mix: Packed,
    skip: Packed,
    tap: Packed,
    condition: Packed,
}

impl Turned {
    fn new(shape: &Shape, weights: &[f32], index: usize) -> Self {
        let (channels, c) = (shape.channels, padded(shape.channels));
        let [tap, _, condition, mix, _, skip, _] = shape.split(weights, index);
        Self {
            mix: Packed::new(channels, channels, |o, i| mix[o * channels + i]),
            skip: Packed::new(shape.skip, channels, |o, i| skip[o * channels + i]),
            // Depth: taps from the last to the first, each with both padded halves.
            tap: Packed::new(shape.taps * 2 * c, channels, |k, i| {
                let tap_index = shape.taps - 1 - k / (2 * c);
                output(k % (2 * c), channels).map_or(0.0, |o| tap[(o * channels + i) * shape.taps + tap_index])
            }),
            condition: Packed::new(2 * c, shape.condition, |k, i| {
                output(k, channels).map_or(0.0, |o| condition[o * shape.condition + i])
            }),
        }
    }
}

pub(super) fn backward(exec: Exec<'_>, shape: &Shape, weights: &[f32], trace: &Trace, g: &[f32]) -> Gradients {
    let s = Sizes::new(shape);
    let (c, channels, of) = (s.c, shape.channels, shape.channels + shape.skip);
    let mut dh = Kept::new(s.batch * s.time * c);
    load(exec, &s, g, [0, channels, of], 0, &mut dh);
    let mut dskip = Kept::new(s.batch * s.time * s.skip);
    if shape.skip > 0 {
        load(exec, &s, g, [channels, shape.skip, of], 0, &mut dskip);
    }
    let mut dcond = Kept::new(s.batch * s.time * s.condition);
    dcond.fill(0.0);
    // The gradient before the gates, with zeros behind the last moment.
    let mut dy = Kept::new(s.batch * s.long() * 2 * c);
    let (pieces, splits) = (s.pieces(), SPLITS.min(s.pieces().len()));
    let mut gradient = vec![0.0; weights.len()];
    let lens =
        [shape.taps * channels * 2 * c, 2 * c, shape.condition * 2 * c, channels * c, c, channels * s.skip, s.skip];
    for (index, &dilation) in shape.dilations.iter().enumerate().rev() {
        let turned = Turned::new(shape, weights, index);
        let (input, gate) = (&trace.inputs[index], &trace.gates[index]);
        let mut sums: Vec<Aligned> = (0..splits).map(|_| Aligned::default()).collect();
        let (slots, dy_out) = (Shared::new(&mut sums), Shared::new(&mut dy));
        exec.pool.run(splits, |part| {
            let mut sum = Aligned::zeroed(total(lens));
            let [tap, bias, condition, mix, mix_bias, skip, skip_bias] = split(&mut sum, lens);
            for &(item, start, count) in &pieces[pieces.len() * part / splits..pieces.len() * (part + 1) / splits] {
                let at = item * s.time + start;
                scratch(count * c, |dz| {
                    let rows = (at * c, c);
                    let skip_rows = (at * s.skip, s.skip);
                    // SAFETY: `dz` is this task's; pieces own their rows of `dy`.
                    let dy = unsafe {
                        Product { from: &dh, rows, segments: &one(channels), packed: &turned.mix, accumulate: false }
                            .run(exec, count, dz.as_mut_ptr(), c);
                        if shape.skip > 0 {
                            let (segments, packed) = (one(shape.skip), &turned.skip);
                            Product { from: &dskip, rows: skip_rows, segments: &segments, packed, accumulate: true }
                                .run(exec, count, dz.as_mut_ptr(), c);
                        }
                        if start == 0 {
                            dy_out.part((item * s.long() + s.time) * 2 * c, s.lead * 2 * c).fill(0.0);
                        }
                        let dy = dy_out.part((item * s.long() + start) * 2 * c, count * 2 * c);
                        ungate_rows(exec.level, c, &gate[at * 2 * c..(at + count) * 2 * c], dz, dy, bias);
                        dy
                    };
                    // `dz` now holds z.
                    let g = &dh[at * c..(at + count) * c];
                    add_outer(exec, dz, (c, channels), g, c, count, mix);
                    add_rows(g, mix_bias);
                    if shape.skip > 0 {
                        let g = &dskip[at * s.skip..(at + count) * s.skip];
                        add_outer(exec, dz, (c, channels), g, s.skip, count, skip);
                        add_rows(g, skip_bias);
                    }
                    for (tap_index, sum) in tap.chunks_exact_mut(channels * 2 * c).enumerate() {
                        let first = item * s.long() + s.lead + start - (shape.taps - 1 - tap_index) * dilation;
                        add_outer(exec, &input[first * c..], (c, channels), dy, 2 * c, count, sum);
                    }
                    if shape.condition > 0 {
                        let from = &trace.condition[at * s.condition..];
                        add_outer(exec, from, (s.condition, shape.condition), dy, 2 * c, count, condition);
                    }
                });
            }
            // SAFETY: every part has a slot of its own.
            unsafe { slots.part(part, 1)[0] = sum };
        });
        let layer = index * shape.layer_len();
        collect(shape, &mut sums, lens, &mut gradient[layer..layer + shape.layer_len()]);
        let segments: Vec<_> = (0..shape.taps).map(|k| Segment { offset: k * dilation * 2 * c, len: 2 * c }).collect();
        let (dh_out, dcond_out) = (Shared::new(&mut dh), Shared::new(&mut dcond));
        exec.pool.run(pieces.len(), |piece| {
            let (item, start, count) = pieces[piece];
            let at = item * s.time + start;
            let rows = ((item * s.long() + start) * 2 * c, 2 * c);
            // SAFETY: pieces own their rows.
            unsafe {
                let to = dh_out.part(at * c, count * c);
                Product { from: &dy, rows, segments: &segments, packed: &turned.tap, accumulate: true }.run(
                    exec,
                    count,
                    to.as_mut_ptr(),
                    c,
                );
                if shape.condition > 0 {
                    let to = dcond_out.part(at * s.condition, count * s.condition);
                    Product { from: &dy, rows, segments: &one(2 * c), packed: &turned.condition, accumulate: true }
                        .run(exec, count, to.as_mut_ptr(), s.condition);
                }
            }
        });
    }
    let mut x = vec![0.0; s.batch * channels * s.time];
    store(exec, &s, &dh, 0, [0, channels, channels], &mut x);
    let mut condition = vec![0.0; s.batch * shape.condition * s.time];
    if shape.condition > 0 {
        store(exec, &s, &dcond, 0, [0, shape.condition, shape.condition], &mut condition);
    }
    Gradients { x, weights: gradient, condition }
}

/// Adds the parts' sums in order and writes them as the layer's weights are laid out.
fn collect(shape: &Shape, sums: &mut [Aligned], lens: [usize; 7], to: &mut [f32]) {
    let Some((first, others)) = sums.split_first_mut() else { return };
    for other in others {
        first.iter_mut().zip(other.iter()).for_each(|(sum, value)| *sum += value);
    }
    let (channels, c, skip_width) = (shape.channels, padded(shape.channels), padded(shape.skip));
    let [tap, bias, condition, mix, mix_bias, skip, skip_bias] = split(first, lens);
    let mut at = to.iter_mut();
    let mut write = |value: f32| {
        if let Some(to) = at.next() {
            *to = value;
        }
    };
    let outputs = 2 * channels;
    for o in 0..outputs {
        for i in 0..channels * shape.taps {
            let (channel, tap_index) = (i / shape.taps, i % shape.taps);
            write(tap[(tap_index * channels + channel) * 2 * c + column(o, channels)]);
        }
    }
    (0..outputs).for_each(|o| write(bias[column(o, channels)]));
    for o in 0..outputs {
        (0..shape.condition).for_each(|i| write(condition[i * 2 * c + column(o, channels)]));
    }
    for o in 0..channels {
        (0..channels).for_each(|i| write(mix[i * c + o]));
    }
    mix_bias[..channels].iter().for_each(|b| write(*b));
    for o in 0..shape.skip {
        (0..channels).for_each(|i| write(skip[i * skip_width + o]));
    }
    skip_bias[..shape.skip].iter().for_each(|b| write(*b));
}
