//! Rotary positions (RoPE, Su et al. 2021) as an op with gradients of every order; candle's fused one passes none.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::{
    Exec,
    autograd::{check, numbers, with_numbers},
    rows::{Pairs, rotate},
};

/// Turns the first `2 · pairs` numbers of every row of `x` (…, time, size) by the angles of its moment, whose cosines
/// and sines are (time, pairs).
///
/// # Errors
/// If the shapes do not fit together or a tensor is not `f32` on the CPU.
pub fn rotary(x: &Tensor, cos: &Tensor, sin: &Tensor, pairs: Pairs) -> Result<Tensor> {
    check("a rotation", &[x, cos, sin])?;
    let ([.., time, size], [moments, turned]) = (x.dims(), cos.dims()) else {
        bail!("a rotation of {:?} by {:?}", x.dims(), cos.dims());
    };
    if sin.dims() != cos.dims() || time != moments || 2 * turned > *size || *turned == 0 {
        bail!("a rotation of {:?} by {:?} and {:?}", x.dims(), cos.dims(), sin.dims());
    }
    let read = |tensor: &Tensor| with_numbers(tensor, |values| Ok(Arc::from(values)));
    x.contiguous()?.apply_op1(Turn { cos: read(cos)?, sin: read(sin)?, time: *time, size: *size, pairs })
}

#[derive(Clone)]
struct Turn {
    cos: Arc<[f32]>,
    sin: Arc<[f32]>,
    time: usize,
    size: usize,
    pairs: Pairs,
}

/// Rows that one task handles at least.
const GRAIN: usize = 32;

impl CustomOp1 for Turn {
    fn name(&self) -> &'static str {
        "rotary"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut out = numbers(x, layout)?.to_vec();
        let pairs = self.cos.len() / self.time;
        Exec::current().pool.run_rows(&mut out, self.size, GRAIN, |row, head| {
            let at = row % self.time * pairs;
            rotate(self.pairs, head, &self.cos[at..at + pairs], &self.sin[at..at + pairs]);
        });
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        // The transpose of a rotation turns back.
        let back = Self { sin: self.sin.iter().map(|sin| -sin).collect(), ..self.clone() };
        g.contiguous()?.apply_op1(back).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{
        autograd::plain,
        testing::{Numbers, check_gradients},
    };

    #[test]
    fn values_and_gradients_agree_with_f64() -> Result<()> {
        for (heads, time, size, turned) in [(1, 1, 2, 1), (3, 5, 8, 4), (2, 4, 9, 3)] {
            let angles: Vec<f64> = Numbers::new(6).vector(time * turned).iter().map(|x| f64::from(*x) * 3.0).collect();
            let table = |f: fn(f64) -> f64| plain(angles.iter().map(|a| f(*a) as f32).collect(), (time, turned));
            let (cos, sin) = (table(f64::cos)?, table(f64::sin)?);
            for pairs in [Pairs::Neighbours, Pairs::Halves] {
                let exact = |x: &[f64]| {
                    let mut total = 0.0;
                    for (row, x) in x.chunks(size).enumerate() {
                        let mut y = x.to_vec();
                        for pair in 0..turned {
                            let (a, b) = match pairs {
                                Pairs::Neighbours => (2 * pair, 2 * pair + 1),
                                Pairs::Halves => (pair, pair + turned),
                            };
                            let (sin, cos) = angles[row % time * turned + pair].sin_cos();
                            (y[a], y[b]) = (x[a] * cos - x[b] * sin, x[a] * sin + x[b] * cos);
                        }
                        total += y.iter().enumerate().map(|(i, y)| y.powi(3) * (i as f64 + 1.0)).sum::<f64>();
                    }
                    total
                };
                let factors = plain((1..=size).map(|i| i as f32).collect(), size)?;
                let loss =
                    |t: &[Tensor]| rotary(&t[0], &cos, &sin, pairs)?.powf(3.0)?.broadcast_mul(&factors)?.sum_all();
                let x = Numbers::new(8).vector(heads * time * size);
                check_gradients(&[x], &[vec![heads, time, size]], &loss, &exact, 1e-4)?;
            }
        }
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_refused() -> Result<()> {
        let x = plain(vec![0.0; 24], (2, 3, 4))?;
        let table = |rows, pairs| plain(vec![0.0; rows * pairs], (rows, pairs));
        assert!(rotary(&x, &table(2, 2)?, &table(2, 2)?, Pairs::Halves).is_err());
        assert!(rotary(&x, &table(3, 3)?, &table(3, 3)?, Pairs::Halves).is_err());
        assert!(rotary(&x, &table(3, 2)?, &table(3, 1)?, Pairs::Halves).is_err());
        Ok(())
    }
}
