//! Softmax over the last dimension with its gradient; candle's fused one passes none.
#![allow(unsafe_code)]

use candle_core::{CpuStorage, CustomOp1, D, Layout, Result, Shape, Tensor, bail};

use super::{
    Exec,
    autograd::{builds_graphs, check, numbers, plain, with_numbers},
    elementwise::math,
    exec::vectorised,
    vector::{LANES, Vector},
};

/// `eˣ / Σ eˣ` over the last dimension. Minus infinity stands for a place that is masked.
///
/// # Errors
/// If the last dimension is empty or the tensor is not `f32` on the CPU.
pub fn softmax(x: &Tensor) -> Result<Tensor> {
    check("a softmax", &[x])?;
    match x.dim(D::Minus1)? {
        0 => bail!("a softmax of no numbers"),
        size => x.contiguous()?.apply_op1(Softmax { size }),
    }
}

struct Softmax {
    size: usize,
}

/// Rows that one task handles at least.
const GRAIN: usize = 8;

vectorised! {
    /// # Safety
    /// The slices must have one length.
    unsafe fn shares = shares_body(x: &[f32], out: &mut [f32])
}

#[inline(always)]
unsafe fn shares_body<V: Vector>(x: &[f32], out: &mut [f32]) {
    let read = |at: usize| V::load_part(&x[at..(at + LANES).min(x.len())], f32::NEG_INFINITY);
    let mut largest = V::splat(f32::NEG_INFINITY);
    for at in (0..x.len()).step_by(LANES) {
        largest = largest.max(read(at));
    }
    let largest = V::splat(largest.largest());
    let mut sum = V::zero();
    for at in (0..x.len()).step_by(LANES) {
        let power = math::exp(read(at).sub(largest));
        let end = (at + LANES).min(x.len());
        power.store_part(&mut out[at..end]);
        // Behind the end there is e to the smallest power, which is not zero.
        sum = sum.add(V::load_part(&out[at..end], 0.0));
    }
    let share = V::splat(1.0 / sum.sum());
    for out in out.chunks_mut(LANES) {
        V::load_part(out, 0.0).mul(share).store_part(out);
    }
}

vectorised! {
    /// `out = y · (g − Σ g y)`
    ///
    /// # Safety
    /// The slices must have one length.
    unsafe fn pulled = pulled_body(y: &[f32], g: &[f32], out: &mut [f32])
}

#[inline(always)]
unsafe fn pulled_body<V: Vector>(y: &[f32], g: &[f32], out: &mut [f32]) {
    let mut sum = V::zero();
    for (y, g) in y.chunks(LANES).zip(g.chunks(LANES)) {
        sum = V::load_part(y, 0.0).mul_add(V::load_part(g, 0.0), sum);
    }
    let sum = V::splat(sum.sum());
    for ((y, g), out) in y.chunks(LANES).zip(g.chunks(LANES)).zip(out.chunks_mut(LANES)) {
        V::load_part(y, 0.0).mul(V::load_part(g, 0.0).sub(sum)).store_part(out);
    }
}

impl CustomOp1 for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, exec) = (numbers(x, layout)?, Exec::current());
        let mut out = vec![0.0; x.len()];
        exec.pool.run_rows(&mut out, self.size, GRAIN, |row, out| {
            // SAFETY: both are one row.
            unsafe { shares(exec.level, &x[row * self.size..(row + 1) * self.size], out) };
        });
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, y: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        if builds_graphs() {
            let product = (y * g)?;
            return (&product - y.broadcast_mul(&product.sum_keepdim(D::Minus1)?)?).map(Some);
        }
        let (exec, size) = (Exec::current(), self.size);
        let mut out = vec![0.0; y.elem_count()];
        with_numbers(y, |y| {
            with_numbers(g, |g| {
                exec.pool.run_rows(&mut out, size, GRAIN, |row, out| {
                    let span = row * size..(row + 1) * size;
                    // SAFETY: all are one row.
                    unsafe { pulled(exec.level, &y[span.clone()], &g[span], out) };
                });
                Ok(())
            })
        })?;
        plain(out, y.shape()).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{
        Level,
        testing::{Numbers, assert_close, check_gradients},
    };

    fn reference(x: &[f64], size: usize) -> Vec<f64> {
        let row = |row: &[f64]| {
            let sum: f64 = row.iter().map(|x| x.exp()).sum();
            row.iter().map(|x| x.exp() / sum).collect::<Vec<_>>()
        };
        x.chunks(size).flat_map(row).collect()
    }

    #[test]
    fn values_and_gradients_agree_with_f64() -> Result<()> {
        for (rows, size) in [(1, 1), (3, 8), (20, 13)] {
            let x = Numbers::new(9).vector(rows * size);
            let loss = |t: &[Tensor]| {
                let y = softmax(&t[0])?;
                (y.powf(3.0)? + y.sqr()?)?.sum_all()
            };
            let exact = |x: &[f64]| reference(x, size).iter().map(|y| y.powi(3) + y * y).sum::<f64>();
            check_gradients(&[x], &[vec![rows, size]], &loss, &exact, 1e-4)?;
        }
        Ok(())
    }

    #[test]
    fn every_level_agrees_with_f64_far_out_and_masked_too() {
        for size in [1, 7, 8, 31, 300] {
            let mut x: Vec<f32> = Numbers::new(2).vector(size).iter().map(|x| x * 60.0).collect();
            if size > 7 {
                x[3] = f32::NEG_INFINITY;
            }
            let expected = reference(&x.iter().map(|x| f64::from(*x)).collect::<Vec<_>>(), size);
            for level in Level::present() {
                let mut got = vec![0.0; size];
                // SAFETY: one length; the level is present.
                unsafe { shares(level, &x, &mut got) };
                assert_close(&got, &expected, 1e-6, "softmax");
            }
        }
    }
}
