//! Activations as the matrices want them: the numbers themselves for float weights, eight-bit codes with a
//! scale for 32 columns for block types, with a scale for 256 columns for K types.
//!
//! The rounding follows llama.cpp's `Q8_0`/`Q8_1` and `Q8_K`, so that both programs see the same numbers.

use std::cell::RefCell;

use half::f16;

use super::layout::{BLOCK, SUPER, Shape};
use crate::kernels::{Level, Pool};

/// Tokens that are multiplied with unpacked codes at a time; their codes lie side by side, block by block.
pub(super) const TILE: usize = 4;

/// Which forms are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forms {
    /// The numbers themselves.
    pub float: bool,
    /// Codes for block types.
    pub blocks: bool,
    /// Codes for K types.
    pub supers: bool,
}

impl Forms {
    /// What a matrix of this layout multiplies with.
    pub(super) fn of(shape: Shape) -> Self {
        match shape {
            Shape::Float { .. } => Self { float: true, ..Self::default() },
            Shape::Block { .. } => Self { blocks: true, ..Self::default() },
            Shape::Super { .. } => Self { supers: true, ..Self::default() },
        }
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            float: self.float || other.float,
            blocks: self.blocks || other.blocks,
            supers: self.supers || other.supers,
        }
    }
}

/// Codes of one kind and what goes with each block, in the order of [`Activations::place`].
#[derive(Default)]
pub(super) struct Codes {
    /// −127 … 127.
    pub q: Vec<i8>,
    /// Scale of each block.
    pub scale: Vec<f32>,
    /// Scale times sum of the codes of each block (block types).
    pub scaled_sum: Vec<f32>,
    /// Sum of the codes of each block (block types).
    pub sum: Vec<i32>,
    /// Sum of each 16 codes (K types).
    pub sums: Vec<i16>,
    /// Sum of each 32 codes (K types).
    pub sums_of_32: Vec<i16>,
}

/// A reusable buffer of activations of `tokens` tokens, `columns` each.
#[derive(Default)]
pub struct Activations {
    pub(super) tokens: usize,
    pub(super) columns: usize,
    pub(super) forms: Forms,
    /// `[tokens, columns]`
    pub(super) float: Vec<f32>,
    pub(super) blocks: Codes,
    pub(super) supers: Codes,
}

/// A pointer to a buffer of which each task writes its own tokens.
#[derive(Clone, Copy)]
struct Target<T>(*mut T);

// SAFETY: only handed to the tasks of one region, which write disjoint ranges.
unsafe impl<T> Sync for Target<T> {}

impl<T> Target<T> {
    /// # Safety
    /// The range must lie in the buffer and belong to this task alone.
    #[expect(clippy::mut_from_ref, reason = "the caller promises that nobody else has this range")]
    unsafe fn range(&self, start: usize, len: usize) -> &mut [T] {
        // SAFETY: as the caller promises.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(start), len) }
    }
}

thread_local! {
    /// The row that is being filled.
    static ROW: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

impl Activations {
    /// Takes `tokens` rows of `columns` numbers in the wanted forms; `fill(token, row)` writes a row. Columns must
    /// be whole blocks of those forms.
    ///
    /// # Panics
    /// When they are not.
    pub fn set(
        &mut self,
        pool: &Pool,
        (tokens, columns): (usize, usize),
        forms: Forms,
        fill: impl Fn(usize, &mut [f32]) + Sync,
    ) {
        assert!(!forms.blocks || columns.is_multiple_of(BLOCK));
        assert!(!forms.supers || columns.is_multiple_of(SUPER));
        (self.tokens, self.columns, self.forms) = (tokens, columns, forms);
        let values = tokens * columns;
        if forms.float {
            self.float.resize(values, 0.0);
        }
        if forms.blocks {
            self.blocks.resize(values, BLOCK);
            self.blocks.scaled_sum.resize(values / BLOCK, 0.0);
            self.blocks.sum.resize(values / BLOCK, 0);
        }
        if forms.supers {
            self.supers.resize(values, SUPER);
            self.supers.sums.resize(values / 16, 0);
            self.supers.sums_of_32.resize(values / 32, 0);
        }
        let (float, blocks, supers) = (Target(self.float.as_mut_ptr()), self.blocks.targets(), self.supers.targets());
        let level = Level::current();
        pool.run_ranges(tokens, 4, |start, end| {
            ROW.with_borrow_mut(|row| {
                row.resize(columns, 0.0);
                for token in start..end {
                    fill(token, row);
                    // SAFETY: the buffers hold all tokens in these forms, and this token is this task's.
                    unsafe {
                        if forms.float {
                            float.range(token * columns, columns).copy_from_slice(row);
                        }
                        if forms.blocks {
                            set_blocks(level, row, &blocks, Places::of(token, tokens, columns / BLOCK));
                        }
                        if forms.supers {
                            set_supers(level, row, &supers, Places::of(token, tokens, columns / SUPER));
                        }
                    }
                }
            });
        });
    }

    /// How many tokens it holds.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Where block `block` of the `blocks` of a token is among the codes.
    pub(super) fn place(&self, token: usize, block: usize, blocks: usize) -> usize {
        let places = Places::of(token, self.tokens, blocks);
        places.first + block * places.step
    }
}

/// Where the blocks of a token are: the first, and how far apart.
#[derive(Clone, Copy)]
struct Places {
    first: usize,
    step: usize,
}

impl Places {
    /// Of `tokens`, with `blocks` blocks each: tiles of [`TILE`] tokens one after another, in a tile all first blocks,
    /// then all second ones.
    fn of(token: usize, tokens: usize, blocks: usize) -> Self {
        let first = token / TILE * TILE;
        Self { first: first * blocks + token - first, step: TILE.min(tokens - first) }
    }
}

/// The buffers of [`Codes`] for the tasks that fill them.
struct Targets {
    q: Target<i8>,
    scale: Target<f32>,
    scaled_sum: Target<f32>,
    sum: Target<i32>,
    sums: Target<i16>,
    sums_of_32: Target<i16>,
}

impl Codes {
    fn resize(&mut self, values: usize, block: usize) {
        self.q.resize(values, 0);
        self.scale.resize(values / block, 0.0);
    }

    fn targets(&mut self) -> Targets {
        Targets {
            q: Target(self.q.as_mut_ptr()),
            scale: Target(self.scale.as_mut_ptr()),
            scaled_sum: Target(self.scaled_sum.as_mut_ptr()),
            sum: Target(self.sum.as_mut_ptr()),
            sums: Target(self.sums.as_mut_ptr()),
            sums_of_32: Target(self.sums_of_32.as_mut_ptr()),
        }
    }
}

/// Runs a function with the instructions of the level: the compiler vectorises it for them.
macro_rules! compiled_for {
    ($level:expr, $body:ident($($arg:expr),*)) => {{
        #[cfg(target_arch = "x86_64")]
        if $level >= Level::Avx2 {
            #[target_feature(enable = "avx2,fma,f16c")]
            unsafe fn wide(row: &[f32], to: &Targets, at: Places) {
                // SAFETY: as the caller promises.
                unsafe { $body(row, to, at) };
            }
            // SAFETY: the level is present; the rest as the caller promises.
            unsafe { wide($($arg),*) };
            return;
        }
        let _ = $level;
        // SAFETY: as the caller promises.
        unsafe { $body($($arg),*) };
    }};
}

/// # Safety
/// The row's places must be in the buffers and belong to this task.
unsafe fn set_blocks(level: Level, row: &[f32], to: &Targets, at: Places) {
    compiled_for!(level, fill_blocks(row, to, at));
}

/// # Safety
/// The row's places must be in the buffers and belong to this task.
unsafe fn set_supers(level: Level, row: &[f32], to: &Targets, at: Places) {
    compiled_for!(level, fill_supers(row, to, at));
}

/// # Safety
/// As `set_blocks`.
#[inline(always)]
unsafe fn fill_blocks(row: &[f32], to: &Targets, at: Places) {
    for (block, x) in row.as_chunks::<BLOCK>().0.iter().enumerate() {
        let place = at.first + block * at.step;
        // SAFETY: as the caller promises.
        let (q, scales, scaled_sums, sums) = unsafe {
            (
                to.q.range(place * BLOCK, BLOCK),
                to.scale.range(place, 1),
                to.scaled_sum.range(place, 1),
                to.sum.range(place, 1),
            )
        };
        let most = largest(x);
        let scale = most / 127.0;
        round_to(x, if most > 0.0 { 127.0 / most } else { 0.0 }, q);
        let sum: i32 = q.iter().map(|q| i32::from(*q)).sum();
        scales[0] = f16::from_f32(scale).to_f32();
        scaled_sums[0] = f16::from_f32(scale * sum as f32).to_f32();
        sums[0] = sum;
    }
}

/// # Safety
/// As `set_supers`.
#[inline(always)]
unsafe fn fill_supers(row: &[f32], to: &Targets, at: Places) {
    for (block, x) in row.as_chunks::<SUPER>().0.iter().enumerate() {
        let place = at.first + block * at.step;
        // SAFETY: as the caller promises.
        let (q, scales, sums, sums_of_32) = unsafe {
            (
                to.q.range(place * SUPER, SUPER),
                to.scale.range(place, 1),
                to.sums.range(place * (SUPER / 16), SUPER / 16),
                to.sums_of_32.range(place * (SUPER / 32), SUPER / 32),
            )
        };
        let most = largest(x);
        let inverse = if most > 0.0 { 127.0 / most } else { 0.0 };
        round_to(x, inverse, q);
        scales[0] = if most > 0.0 { 1.0 / inverse } else { 0.0 };
        for (sum, q) in sums.iter_mut().zip(q.as_chunks::<16>().0) {
            *sum = q.iter().map(|q| i16::from(*q)).sum();
        }
        for (sum, pair) in sums_of_32.iter_mut().zip(sums.as_chunks::<2>().0) {
            *sum = pair[0] + pair[1];
        }
    }
}

/// `x · inverse` rounded to the nearest integer, to the even one of two. At most 127 in magnitude, so adding and
/// subtracting 1.5 · 2²³ rounds it, one instruction each.
#[inline(always)]
fn round_to(x: &[f32], inverse: f32, q: &mut [i8]) {
    const ROUND: f32 = 12_582_912.0;
    for (q, x) in q.iter_mut().zip(x) {
        let rounded = x * inverse + ROUND;
        // The low byte of the sum is the integer.
        *q = rounded.to_bits() as i8;
    }
}

/// The largest magnitude.
#[inline(always)]
fn largest(x: &[f32]) -> f32 {
    let mut most = [0.0_f32; 8];
    for x in x.as_chunks::<8>().0 {
        for (most, x) in most.iter_mut().zip(x) {
            // Not `f32::max`: this form is one instruction; a NaN leaves `most` as it is.
            *most = if x.abs() > *most { x.abs() } else { *most };
        }
    }
    most.into_iter().fold(0.0, f32::max)
}
