//! Weight matrices in an interleaved layout, multiplied with eight-bit (or float) activations.
//!
//! A matrix is `[rows, columns]`; a product gives `rows` numbers a token. For one token this is a
//! matrix–vector product that streams the weights once; for more, each group of eight rows is unpacked once
//! and multiplied with four tokens at a time. Both do the same operations in the same order for each number,
//! so a token's result does not depend on its neighbours.
#![allow(unsafe_code)]

mod activations;
mod isa;
mod layout;
#[cfg(target_arch = "aarch64")]
mod neon;
mod pack;
mod portable;
#[cfg(test)]
mod tests;
#[cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), expect(dead_code))]
mod wide;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::{cell::RefCell, ops::Range};

pub use self::activations::{Activations, Forms};
use self::layout::{ROWS, Shape};
use super::{
    Level, Pool,
    arena::{self, Block},
};
use crate::formats::gguf::GgmlType;

/// Groups of eight rows that are multiplied before their results are handed on: enough to use the
/// activations in the nearest cache several times, few enough for the results to stay there too.
const GROUPS_AT_ONCE: usize = 2;

/// A packed matrix.
pub struct Matrix {
    dtype: GgmlType,
    shape: Shape,
    rows: usize,
    columns: usize,
    level: Level,
    products: Products,
    data: Block,
}

/// `out[group][token][row]` for the bytes of some groups; the last argument is room to unpack into.
///
/// # Safety
/// The processor must have the instructions it is compiled for.
type Products = unsafe fn(GgmlType, Shape, &[u8], &Activations, &mut [[f32; ROWS]], &mut Vec<u8>);

fn products(level: Level) -> Products {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Vnni | Level::Avx512 if std::arch::is_x86_feature_detected!("avxvnni") => x86::avx_vnni,
        #[cfg(target_arch = "x86_64")]
        Level::Vnni | Level::Avx512 => x86::avx512_vnni,
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => x86::avx2,
        #[cfg(target_arch = "aarch64")]
        Level::Neon => neon::neon,
        _ => portable::dot_groups,
    }
}

/// What to do with the numbers of a product.
pub enum Product<'a> {
    /// `out[token][row] = product`
    Store(&'a Matrix, &'a mut [f32]),
    /// `out[token][row] += product`
    Add(&'a Matrix, &'a mut [f32]),
    /// `out[token][row] = gate(product of the first) · product of the second`, for matrices of one size.
    Gate(&'a Matrix, &'a Matrix, Gate, &'a mut [f32]),
}

/// The function of a gated product.
pub type Gate = fn(Level, &mut [f32]);

impl Matrix {
    /// The bytes that a packed matrix takes of an arena; `None` for a type that there are no kernels for,
    /// a row that is not whole blocks, or more than the address space.
    pub fn packed_bytes(dtype: GgmlType, rows: usize, columns: usize) -> Option<usize> {
        let shape = layout::shape(dtype)?;
        if rows == 0 || columns == 0 || !columns.is_multiple_of(shape.unit()) {
            return None;
        }
        let group = (columns / shape.unit()).checked_mul(shape.unit_bytes())?;
        let bytes = rows.div_ceil(ROWS).checked_mul(group)?;
        (bytes < isize::MAX as usize - 4096).then(|| arena::rounded(bytes))
    }

    /// Packs the stored rows of a tensor. `done` is told after each part which bytes have been read for good.
    ///
    /// # Panics
    /// When `stored` is not `rows` rows of `columns` values, or `block` is not of `packed_bytes`.
    pub fn pack(
        pool: &Pool,
        dtype: GgmlType,
        (rows, columns): (usize, usize),
        stored: &[u8],
        mut block: Block,
        mut done: impl FnMut(&[u8]),
    ) -> Self {
        let shape = layout::shape(dtype).unwrap_or(Shape::Float { bytes: 4 });
        let row_bytes = columns / shape.unit() * dtype.type_bytes();
        assert_eq!(stored.len(), rows * row_bytes);
        assert_eq!(Self::packed_bytes(dtype, rows, columns), Some(arena::rounded(block.bytes().len())));
        let group_bytes = columns / shape.unit() * shape.unit_bytes();
        // Parts of about four megabytes, so that the pages of the file can be given back as it goes.
        let part = ((4 << 20) / (ROWS * row_bytes)).max(1);
        let parts = stored.chunks(part * ROWS * row_bytes).zip(block.bytes_mut().chunks_mut(part * group_bytes));
        for (stored, packed) in parts {
            let out = Shared(packed.as_mut_ptr());
            let groups = packed.len() / group_bytes;
            pool.run_ranges(groups, 1 + 4096 / group_bytes, |start, end| {
                for group in start..end {
                    let rows = stored[group * ROWS * row_bytes..].chunks_exact(row_bytes).take(ROWS);
                    let mut eight: [&[u8]; ROWS] = [&[]; ROWS];
                    let mut count = 0;
                    for (slot, row) in eight.iter_mut().zip(rows) {
                        *slot = row;
                        count += 1;
                    }
                    // SAFETY: `group < groups`, so the range lies in `packed`; each group is written by one task.
                    let packed = unsafe { std::slice::from_raw_parts_mut(out.at(group * group_bytes), group_bytes) };
                    pack::pack_group(dtype, shape, &eight[..count], packed);
                }
            });
            done(stored);
        }
        let level = Level::current();
        Self { dtype, shape, rows, columns, level, products: products(level), data: block }
    }

    /// The same matrix at another level, for tests and for comparing.
    #[must_use]
    pub fn at_level(mut self, level: Level) -> Self {
        assert!(level.is_present());
        (self.level, self.products) = (level, products(level));
        self
    }

    /// Rows: numbers in a result.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns: numbers in an input.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        self.data.bytes().len()
    }

    /// The form of activations that it multiplies with.
    pub fn forms(&self) -> Forms {
        Forms::of(self.shape)
    }

    /// Row `row` as numbers, exactly those of the file; `out` has `columns` of them.
    pub fn read_row(&self, row: usize, out: &mut [f32]) {
        assert!(row < self.rows && out.len() == self.columns);
        portable::read_row(self.dtype, self.shape, self.bytes_of(row / ROWS..row / ROWS + 1), row % ROWS, out);
    }

    fn groups(&self) -> usize {
        self.rows.div_ceil(ROWS)
    }

    /// The bytes of a range of groups.
    fn bytes_of(&self, groups: Range<usize>) -> &[u8] {
        let bytes = self.columns / self.shape.unit() * self.shape.unit_bytes();
        &self.data.bytes()[groups.start * bytes..groups.end * bytes]
    }

    /// `out[group][token][row]` for a range of groups.
    fn dot(&self, groups: Range<usize>, acts: &Activations, out: &mut [[f32; ROWS]], panel: &mut Vec<u8>) {
        // SAFETY: the products are those of a level that is present.
        unsafe { (self.products)(self.dtype, self.shape, self.bytes_of(groups), acts, out, panel) };
    }
}

/// A pointer to numbers that tasks write in disjoint places.
#[derive(Clone, Copy)]
struct Shared<T>(*mut T);

// SAFETY: only handed to the tasks of one region, which write disjoint ranges.
unsafe impl<T> Sync for Shared<T> {}
// SAFETY: as above.
unsafe impl<T> Send for Shared<T> {}

impl<T> Shared<T> {
    /// # Safety
    /// `index` must lie in the slice that the pointer came from.
    unsafe fn at(&self, index: usize) -> *mut T {
        // SAFETY: as the caller promises.
        unsafe { self.0.add(index) }
    }
}

/// Buffers of a thread, kept between regions so that nothing is allocated a token.
#[derive(Default)]
struct Scratch {
    first: Vec<[f32; ROWS]>,
    second: Vec<[f32; ROWS]>,
    panel: Vec<u8>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// One product of a region with its output as a pointer.
struct Part<'a> {
    matrix: &'a Matrix,
    second: Option<(&'a Matrix, Gate)>,
    add: bool,
    out: Shared<f32>,
    /// Number of the first chunk of groups in the region.
    first_chunk: usize,
    /// Groups in a chunk.
    chunk: usize,
}

/// Several products with the same activations as one parallel region. Outputs are `[tokens, rows]`.
///
/// # Panics
/// When sizes do not fit, or the activations lack a form that a matrix needs.
pub fn multiply<const N: usize>(pool: &Pool, acts: &Activations, products: [Product<'_>; N]) {
    let mut chunks = 0;
    let parts = products.map(|product| {
        let (matrix, second, add, out) = match product {
            Product::Store(matrix, out) => (matrix, None, false, out),
            Product::Add(matrix, out) => (matrix, None, true, out),
            Product::Gate(matrix, second, gate, out) => {
                assert_eq!((matrix.rows, matrix.columns), (second.rows, second.columns));
                assert_eq!(acts.forms.and(second.forms()), acts.forms);
                (matrix, Some((second, gate)), false, out)
            }
        };
        assert_eq!(matrix.columns, acts.columns);
        assert_eq!(out.len(), acts.tokens * matrix.rows);
        assert_eq!(acts.forms.and(matrix.forms()), acts.forms);
        let chunk = chunk_of(pool, matrix);
        let part = Part { matrix, second, add, out: Shared(out.as_mut_ptr()), first_chunk: chunks, chunk };
        chunks += matrix.groups().div_ceil(chunk);
        part
    });
    pool.run(chunks, |task| {
        let Some(part) = parts.iter().rev().find(|part| part.first_chunk <= task) else { return };
        let start = (task - part.first_chunk) * part.chunk;
        let end = (start + part.chunk).min(part.matrix.groups());
        SCRATCH.with_borrow_mut(|scratch| part.run(start..end, acts, scratch));
    });
}

/// Groups in a task: about six tasks a thread, but none below about 16 kB of weights.
fn chunk_of(pool: &Pool, matrix: &Matrix) -> usize {
    let groups = matrix.groups();
    if pool.threads() == 1 {
        return groups;
    }
    let bytes = matrix.bytes() / groups;
    (groups / (6 * pool.threads())).max((16 << 10) / bytes).clamp(1, groups)
}

impl Part<'_> {
    fn run(&self, groups: Range<usize>, acts: &Activations, scratch: &mut Scratch) {
        let tokens = acts.tokens;
        let step = if tokens == 1 { 16 } else { GROUPS_AT_ONCE };
        let Scratch { first, second, panel } = scratch;
        let mut start = groups.start;
        while start < groups.end {
            let end = (start + step).min(groups.end);
            first.resize((end - start) * tokens, [0.0; ROWS]);
            self.matrix.dot(start..end, acts, first, panel);
            if let Some((matrix, gate)) = self.second {
                second.resize((end - start) * tokens, [0.0; ROWS]);
                matrix.dot(start..end, acts, second, panel);
                gate(self.matrix.level, first.as_flattened_mut());
                for (first, second) in first.as_flattened_mut().iter_mut().zip(second.as_flattened()) {
                    *first *= second;
                }
            }
            for (index, group) in (start..end).enumerate() {
                self.hand_on(group, &first[index * tokens..(index + 1) * tokens]);
            }
            start = end;
        }
    }

    /// Writes the numbers of a group to the output.
    fn hand_on(&self, group: usize, values: &[[f32; ROWS]]) {
        let rows = self.matrix.rows;
        let count = ROWS.min(rows - group * ROWS);
        for (token, values) in values.iter().enumerate() {
            // SAFETY: `out` is `[tokens, rows]`; these rows of it belong to this task alone.
            let out = unsafe { std::slice::from_raw_parts_mut(self.out.at(token * rows + group * ROWS), count) };
            if self.add {
                for (out, value) in out.iter_mut().zip(values) {
                    *out += value;
                }
            } else if let Some(out) = out.as_mut_array::<ROWS>() {
                *out = *values;
            } else {
                out.copy_from_slice(&values[..count]);
            }
        }
    }
}
