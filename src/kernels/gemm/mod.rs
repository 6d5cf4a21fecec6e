//! Matrix products in `f32`: packing, the public product, and the inner loops in [`micro`].
//!
//! Each result is summed over the common dimension in one fixed order by one thread, so neither the number of
//! threads nor the number of rows multiplied together changes a bit of it.
#![allow(unsafe_code)]

pub(crate) mod micro;

use super::{
    buffer::Aligned,
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

/// Rows of the left operand multiplied together.
const ROWS: usize = 96;

/// `a (m × k) · b (k × n)`, both row-major; `transposed` names operands stored the other way round (a: k × m, b: n × k).
pub fn matmul(
    exec: Exec<'_>,
    a: &[f32],
    b: &[f32],
    (m, k, n): (usize, usize, usize),
    transposed: (bool, bool),
) -> Vec<f32> {
    assert!(a.len() == m * k && b.len() == k * n, "operands of a matrix product have the sizes named");
    if k == 0 || m == 0 || n == 0 {
        return vec![0.0; m * n];
    }
    let turned;
    let a = if transposed.0 {
        turned = (0..m * k).map(|i| a[i % k * m + i / k]).collect::<Vec<_>>();
        &turned[..]
    } else {
        a
    };
    let packed = if transposed.1 {
        Packed::new(k, n, |row, column| b[column * k + row])
    } else {
        Packed::new(k, n, |row, column| b[row * n + column])
    };
    let (columns, passes) = (packed.padded_columns(), micro::passes(&[Segment { offset: 0, len: k }]));
    let mut out = vec![0.0; m * n];
    let shared = Shared::new(&mut out);
    exec.pool.run(m.div_ceil(ROWS), |task| {
        let (start, end) = (task * ROWS, ((task + 1) * ROWS).min(m));
        let mut block = vec![0.0; (end - start) * columns];
        let rows: Vec<_> = (start..end).map(|row| row * k).collect();
        let c_rows: Vec<_> = (0..end - start).map(|row| row * columns).collect();
        let task = RowsByPacked {
            a: a.as_ptr(),
            rows: &rows,
            passes: &passes,
            b: packed.data.as_ptr(),
            depth: k,
            columns,
            c: block.as_mut_ptr(),
            c_rows: &c_rows,
            accumulate: false,
        };
        // SAFETY: the sizes were checked above, the block holds every row, and tasks write rows of their own.
        unsafe {
            micro::rows_by_packed(exec.level, &task);
            for (row, values) in (start..end).zip(block.chunks_exact(columns)) {
                shared.part(row * n, n).copy_from_slice(&values[..n]);
            }
        }
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{Level, Pool, testing::Numbers};

    #[test]
    fn products_of_any_size_agree_with_f64_at_every_level() {
        let mut numbers = Numbers::new(7);
        for (m, k, n) in [(1, 1, 1), (5, 7, 3), (6, 16, 16), (13, 385, 9), (97, 800, 33), (200, 64, 24), (3, 0, 2)] {
            let (a, b) = (numbers.vector(m * k), numbers.vector(k * n));
            let expected: Vec<f64> = (0..m * n)
                .map(|i| (0..k).map(|j| f64::from(a[i / n * k + j]) * f64::from(b[j * n + i % n])).sum())
                .collect();
            for level in Level::present() {
                let mut first: Option<Vec<f32>> = None;
                for threads in 1..=3 {
                    let pool = Pool::new(threads);
                    let got = matmul(Exec { level, pool: &pool }, &a, &b, (m, k, n), (false, false));
                    for (got, expected) in got.iter().zip(&expected) {
                        assert!((f64::from(*got) - expected).abs() < 1e-5 * (k as f64 + 1.0), "{m}×{k}×{n} {level:?}");
                    }
                    assert_eq!(first.get_or_insert_with(|| got.clone()), &got);
                }
            }
        }
    }
}
