//! The inner loops of most convolutions and of matrix products: a block of 6 × 16 results, or with registers of sixteen
//! lanes 12 × 16, and of the last eight columns 12 × 8, held in registers. Each result is summed in the same order in every block.
//!
//! The left operand is broadcast one number at a time, so its rows may lie anywhere; the right operand is read
//! sixteen (or, in the last panel, eight) neighbours at a time.
#![allow(unsafe_code)]
#![allow(clippy::needless_range_loop, reason = "indices over registers unroll to one instruction each")]

use crate::kernels::{
    exec::widened,
    vector::{LANES, Wide},
};

/// Consecutive numbers of a row: where they start, counted from the row's own start, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub offset: usize,
    pub len: usize,
}

/// Depth of one pass: a 16-wide panel of it stays in the first-level cache.
const DEPTH: usize = 384;

/// Splits segments so that no pass is deeper than [`DEPTH`]; each inner list is one pass.
pub(crate) fn passes(segments: &[Segment]) -> Vec<Vec<Segment>> {
    let total: usize = segments.iter().map(|s| s.len).sum();
    let depth = total.div_ceil(total.div_ceil(DEPTH).max(1)).max(1);
    let (mut passes, mut pass, mut room) = (Vec::new(), Vec::new(), depth);
    for segment in segments {
        let (mut offset, mut left) = (segment.offset, segment.len);
        while left > 0 {
            let len = left.min(room);
            pass.push(Segment { offset, len });
            (offset, left, room) = (offset + len, left - len, room - len);
            if room == 0 {
                passes.push(std::mem::take(&mut pass));
                room = depth;
            }
        }
    }
    if !pass.is_empty() {
        passes.push(pass);
    }
    passes
}

/// `C = A·B` (or `C += A·B`) where row `i` of A is the concatenation of `segments` behind `a + rows[i]`, B is packed
/// by [`super::Packed`] and row `i` of C starts at `c + c_rows[i]` and is `b.padded_columns()` wide.
pub(crate) struct RowsByPacked<'a> {
    pub a: *const f32,
    pub rows: &'a [usize],
    pub passes: &'a [Vec<Segment>],
    pub b: *const f32,
    /// Depth of B.
    pub depth: usize,
    /// Columns of B, a multiple of eight.
    pub columns: usize,
    pub c: *mut f32,
    pub c_rows: &'a [usize],
    pub accumulate: bool,
}

widened! {
    /// # Safety
    /// Every element named by `task` must be inside the buffers behind its pointers, C apart from A and B.
    pub(crate) unsafe fn rows_by_packed = rows_by_packed_body(task: &RowsByPacked<'_>)
}

#[inline(always)]
unsafe fn rows_by_packed_body<V: Wide>(task: &RowsByPacked<'_>) {
    let mut done = 0;
    for (index, pass) in task.passes.iter().enumerate() {
        let accumulate = task.accumulate || index > 0;
        let mut column = 0;
        while column < task.columns {
            let wide = task.columns - column > LANES;
            let width = if wide { 2 * LANES } else { LANES };
            // SAFETY: the panel of `width` columns starts at `column × depth`.
            let b = unsafe { task.b.add(column * task.depth + done * width) };
            let mut row = 0;
            while row < task.rows.len() {
                // SAFETY: the caller's promise for every row, segment and column.
                unsafe {
                    let left = task.rows.len() - row;
                    row += match (left, wide) {
                        (12.., true) if V::LANES > LANES => tile::<V, 12, 1>(task, pass, b, row, column, accumulate),
                        (6.., true) if V::LANES > LANES => tile::<V, 6, 1>(task, pass, b, row, column, accumulate),
                        (2.., true) if V::LANES > LANES => tile::<V, 2, 1>(task, pass, b, row, column, accumulate),
                        (_, true) if V::LANES > LANES => tile::<V, 1, 1>(task, pass, b, row, column, accumulate),
                        (6.., true) => tile::<V::Part, 6, 2>(task, pass, b, row, column, accumulate),
                        (4..=5, true) => tile::<V::Part, 4, 2>(task, pass, b, row, column, accumulate),
                        (2..=3, true) => tile::<V::Part, 2, 2>(task, pass, b, row, column, accumulate),
                        (_, true) => tile::<V::Part, 1, 2>(task, pass, b, row, column, accumulate),
                        (12.., false) => tile::<V::Part, 12, 1>(task, pass, b, row, column, accumulate),
                        (6.., false) => tile::<V::Part, 6, 1>(task, pass, b, row, column, accumulate),
                        (2..=5, false) => tile::<V::Part, 2, 1>(task, pass, b, row, column, accumulate),
                        (_, false) => tile::<V::Part, 1, 1>(task, pass, b, row, column, accumulate),
                    };
                }
            }
            column += width;
        }
        done += pass.iter().map(|s| s.len).sum::<usize>();
    }
}

/// `ROWS` rows of one panel; returns `ROWS`.
#[inline(always)]
unsafe fn tile<V: Wide, const ROWS: usize, const WIDE: usize>(
    task: &RowsByPacked<'_>,
    pass: &[Segment],
    mut b: *const f32,
    row: usize,
    column: usize,
    accumulate: bool,
) -> usize {
    // SAFETY: the caller's promise: rows, segments and columns are inside their buffers.
    unsafe {
        let mut a = [task.a; ROWS];
        let mut sums = [[V::zero(); WIDE]; ROWS];
        for r in 0..ROWS {
            a[r] = task.a.add(*task.rows.get_unchecked(row + r));
            if accumulate {
                let c = task.c.add(*task.c_rows.get_unchecked(row + r) + column);
                for w in 0..WIDE {
                    sums[r][w] = V::load(c.add(w * V::LANES));
                }
            }
        }
        for segment in pass {
            for k in segment.offset..segment.offset + segment.len {
                let mut right = [V::zero(); WIDE];
                for w in 0..WIDE {
                    right[w] = V::load(b.add(w * V::LANES));
                }
                b = b.add(WIDE * V::LANES);
                for r in 0..ROWS {
                    let left = V::splat(*a[r].add(k));
                    for w in 0..WIDE {
                        sums[r][w] = left.mul_add(right[w], sums[r][w]);
                    }
                }
            }
        }
        for r in 0..ROWS {
            let c = task.c.add(*task.c_rows.get_unchecked(row + r) + column);
            for w in 0..WIDE {
                sums[r][w].store(c.add(w * V::LANES));
            }
        }
    }
    ROWS
}

/// A stretch of the common dimension: steps `0..count` read `a + a_offset + step × a_step` and likewise b.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub a_offset: usize,
    pub b_offset: usize,
    pub count: usize,
}

/// `C += Aᵀ·B`: both operands have the common dimension outermost, in `runs` of constant stride.
pub(crate) struct Outer<'a> {
    pub a: *const f32,
    pub a_step: usize,
    pub b: *const f32,
    pub b_step: usize,
    pub runs: &'a [Run],
    /// Rows of C: neighbours in A.
    pub rows: usize,
    /// Columns of C, a multiple of eight: neighbours in B.
    pub columns: usize,
    pub c: *mut f32,
    pub c_stride: usize,
}

widened! {
    /// # Safety
    /// Every element named by `task` must be inside the buffers behind its pointers, C apart from A and B.
    pub(crate) unsafe fn outer = outer_body(task: &Outer<'_>)
}

#[inline(always)]
unsafe fn outer_body<V: Wide>(task: &Outer<'_>) {
    let mut column = 0;
    while column < task.columns {
        let wide = task.columns - column > LANES;
        let mut row = 0;
        while row < task.rows {
            // SAFETY: the caller's promise for every row, column and run.
            unsafe {
                row += match (task.rows - row, wide) {
                    (12.., true) if V::LANES > LANES => outer_tile::<V, 12, 1>(task, row, column),
                    (6.., true) if V::LANES > LANES => outer_tile::<V, 6, 1>(task, row, column),
                    (2.., true) if V::LANES > LANES => outer_tile::<V, 2, 1>(task, row, column),
                    (_, true) if V::LANES > LANES => outer_tile::<V, 1, 1>(task, row, column),
                    (6.., true) => outer_tile::<V::Part, 6, 2>(task, row, column),
                    (4..=5, true) => outer_tile::<V::Part, 4, 2>(task, row, column),
                    (2..=3, true) => outer_tile::<V::Part, 2, 2>(task, row, column),
                    (_, true) => outer_tile::<V::Part, 1, 2>(task, row, column),
                    (12.., false) => outer_tile::<V::Part, 12, 1>(task, row, column),
                    (6.., false) => outer_tile::<V::Part, 6, 1>(task, row, column),
                    (2..=5, false) => outer_tile::<V::Part, 2, 1>(task, row, column),
                    (_, false) => outer_tile::<V::Part, 1, 1>(task, row, column),
                };
            }
        }
        column += if wide { 2 * LANES } else { LANES };
    }
}

#[inline(always)]
unsafe fn outer_tile<V: Wide, const ROWS: usize, const WIDE: usize>(
    task: &Outer<'_>,
    row: usize,
    column: usize,
) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        let c = task.c.add(row * task.c_stride + column);
        let mut sums = [[V::zero(); WIDE]; ROWS];
        for r in 0..ROWS {
            for w in 0..WIDE {
                sums[r][w] = V::load(c.add(r * task.c_stride + w * V::LANES));
            }
        }
        for run in task.runs {
            let mut a = task.a.add(run.a_offset + row);
            let mut b = task.b.add(run.b_offset + column);
            for _ in 0..run.count {
                let mut right = [V::zero(); WIDE];
                for w in 0..WIDE {
                    right[w] = V::load(b.add(w * V::LANES));
                }
                for r in 0..ROWS {
                    let left = V::splat(*a.add(r));
                    for w in 0..WIDE {
                        sums[r][w] = left.mul_add(right[w], sums[r][w]);
                    }
                }
                // Past the last step these point nowhere and are not read.
                a = a.wrapping_add(task.a_step);
                b = b.wrapping_add(task.b_step);
            }
        }
        for r in 0..ROWS {
            for w in 0..WIDE {
                sums[r][w].store(c.add(r * task.c_stride + w * V::LANES));
            }
        }
    }
    ROWS
}
