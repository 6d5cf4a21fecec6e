//! Matrix products in `f32`: packing, the public product, and the inner loops in [`micro`].
//!
//! Each result is summed over the common dimension in one fixed order by one thread, so neither the number of
//! threads nor the number of rows multiplied together changes a bit of it.
#![allow(unsafe_code)]

pub(crate) mod micro;

use super::{
    buffer::{Aligned, scratch, split, total},
    exec::{Exec, Shared},
    vector::LANES,
};
use micro::{RowsByPacked, Segment};

/// A right operand of `depth × columns` in panels of sixteen columns (eight in a narrow last one), row after row
/// inside a panel, columns padded with zeros to a multiple of eight.
pub(crate) struct Packed {
    pub data: Aligned,
    pub depth: usize,
    pub columns: usize,
}

/// The least multiple of eight that holds `n`.
pub(crate) fn padded(n: usize) -> usize {
    n.next_multiple_of(LANES)
}

impl Packed {
    /// Packs `at(k, column)`.
    pub(crate) fn new(depth: usize, columns: usize, at: impl Fn(usize, usize) -> f32) -> Self {
        let columns_padded = padded(columns);
        let mut data = Aligned::zeroed(depth * columns_padded);
        let mut start = 0;
        while start < columns_padded {
            let width = (columns_padded - start).min(2 * LANES);
            for k in 0..depth {
                for column in start..(start + width).min(columns) {
                    data[start * depth + k * width + column - start] = at(k, column);
                }
            }
            start += width;
        }
        Self { data, depth, columns }
    }

    pub(crate) fn padded_columns(&self) -> usize {
        padded(self.columns)
    }
}

/// Rows of the left operand, and columns of the right one, that a task multiplies.
const ROWS: usize = 384;
const COLUMNS: usize = 64;

/// `a (m × k) · b (k × n)`, both row-major; `transposed` names operands stored the other way round (a: k × m, b: n × k).
pub fn matmul(
    exec: Exec<'_>,
    a: &[f32],
    b: &[f32],
    (m, k, n): (usize, usize, usize),
    transposed: (bool, bool),
) -> Vec<f32> {
    assert!(a.len() == m * k && b.len() == k * n, "operands of a matrix product have the sizes named");
    let mut out = vec![0.0; m * n];
    if k == 0 || m == 0 || n == 0 {
        return out;
    }
    let turned;
    let a = if transposed.0 {
        turned = (0..m * k).map(|i| a[i % k * m + i / k]).collect::<Vec<_>>();
        &turned[..]
    } else {
        a
    };
    let passes = micro::passes(&[Segment { offset: 0, len: k }]);
    let shared = Shared::new(&mut out);
    let blocks = n.div_ceil(COLUMNS);
    exec.pool.run(m.div_ceil(ROWS) * blocks, |task| {
        let (row, column) = (task / blocks * ROWS, task % blocks * COLUMNS);
        let (height, width) = (ROWS.min(m - row), COLUMNS.min(n - column));
        let columns = padded(width);
        let lens = [k * columns, height * columns];
        scratch(total(lens), |memory| {
            let [packed, block] = split(memory, lens);
            if transposed.1 {
                pack_turned(&b[column * k..(column + width) * k], k, packed);
            } else {
                pack(&b[column..], n, width, packed);
            }
            let rows: Vec<_> = (row..row + height).map(|row| row * k).collect();
            let c_rows: Vec<_> = (0..height).map(|row| row * columns).collect();
            let task = RowsByPacked {
                a: a.as_ptr(),
                rows: &rows,
                passes: &passes,
                b: packed.as_ptr(),
                depth: k,
                columns,
                c: block.as_mut_ptr(),
                c_rows: &c_rows,
                accumulate: false,
            };
            // SAFETY: the sizes were checked above, the block holds every row, and tasks write places of their own.
            unsafe {
                micro::rows_by_packed(exec.level, &task);
                for (row, values) in (row..row + height).zip(block.chunks_exact(columns)) {
                    shared.part(row * n + column, width).copy_from_slice(&values[..width]);
                }
            }
        });
    });
    out
}

/// The first `width` columns of rows of `n` in the order of [`Packed`]; `packed` is of the padded width.
fn pack(b: &[f32], n: usize, width: usize, packed: &mut [f32]) {
    let depth = packed.len() / padded(width);
    for (panel, to) in packed.chunks_mut(2 * LANES * depth).enumerate() {
        let (first, wide) = (panel * 2 * LANES, to.len() / depth);
        let count = wide.min(width - first);
        for (k, to) in to.chunks_exact_mut(wide).enumerate() {
            to[..count].copy_from_slice(&b[k * n + first..][..count]);
            to[count..].fill(0.0);
        }
    }
}

/// Columns stored one after another, `depth` numbers each, in the order of [`Packed`].
fn pack_turned(b: &[f32], depth: usize, packed: &mut [f32]) {
    let width = b.len() / depth;
    for (panel, to) in packed.chunks_mut(2 * LANES * depth).enumerate() {
        let (first, wide) = (panel * 2 * LANES, to.len() / depth);
        for column in 0..wide {
            match b.get((first + column) * depth..(first + column + 1) * depth) {
                Some(values) if first + column < width => {
                    values.iter().enumerate().for_each(|(k, value)| to[k * wide + column] = *value);
                }
                _ => (0..depth).for_each(|k| to[k * wide + column] = 0.0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{Level, Pool, testing::Numbers};

    /// Rows and columns exchanged.
    fn turned(values: &[f32], rows: usize) -> Vec<f32> {
        let columns = values.len() / rows.max(1);
        (0..values.len()).map(|i| values[i % rows * columns + i / rows]).collect()
    }

    #[test]
    fn products_of_any_size_agree_with_f64_at_every_level() {
        let mut numbers = Numbers::new(7);
        for (m, k, n) in
            [(1, 1, 1), (5, 7, 3), (6, 16, 16), (13, 385, 9), (97, 800, 33), (400, 64, 24), (9, 20, 150), (3, 0, 2)]
        {
            let (a, b) = (numbers.vector(m * k), numbers.vector(k * n));
            let expected: Vec<f64> = (0..m * n)
                .map(|i| (0..k).map(|j| f64::from(a[i / n * k + j]) * f64::from(b[j * n + i % n])).sum())
                .collect();
            for level in Level::present() {
                let mut first: Option<Vec<f32>> = None;
                for threads in 1..=3 {
                    let pool = Pool::new(threads);
                    let exec = Exec { level, pool: &pool };
                    let got = matmul(exec, &a, &b, (m, k, n), (false, false));
                    assert_eq!(got, matmul(exec, &turned(&a, m), &turned(&b, k), (m, k, n), (true, true)));
                    for (got, expected) in got.iter().zip(&expected) {
                        assert!((f64::from(*got) - expected).abs() < 1e-5 * (k as f64 + 1.0), "{m}×{k}×{n} {level:?}");
                    }
                    assert_eq!(first.get_or_insert_with(|| got.clone()), &got);
                }
            }
        }
    }
}
