//! The mean of squares, in one pass forward and one backward.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use crate::kernels::{
    Exec,
    autograd::{builds_graphs, numbers, plain, with_numbers},
    exec::Shared,
};

/// Numbers summed by one task; fixed, so that the sum does not depend on the threads.
const PART: usize = 16 << 10;

/// The mean of the squares of all numbers.
///
/// # Errors
/// If there are none, or the tensor is not `f32` on the CPU.
pub fn mean_square(x: &Tensor) -> Result<Tensor> {
    if x.elem_count() == 0 {
        bail!("the mean of no numbers");
    }
    x.contiguous()?.apply_op1(MeanSquare)
}

struct MeanSquare;

impl CustomOp1 for MeanSquare {
    fn name(&self) -> &'static str {
        "mean-square"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = numbers(x, layout)?;
        let mut sums = vec![0.0_f64; x.len().div_ceil(PART)];
        let slots = Shared::new(&mut sums);
        Exec::current().pool.run(x.len().div_ceil(PART), |part| {
            let mut lanes = [0.0_f32; 16];
            for values in x[part * PART..((part + 1) * PART).min(x.len())].chunks(16) {
                lanes.iter_mut().zip(values).for_each(|(sum, value)| *sum += value * value);
            }
            // SAFETY: every part has a slot of its own.
            #[allow(unsafe_code)]
            unsafe {
                slots.part(part, 1)[0] = lanes.iter().map(|lane| f64::from(*lane)).sum();
            }
        });
        let mean = sums.iter().sum::<f64>() / x.len() as f64;
        Ok((CpuStorage::F32(vec![mean as f32]), Shape::from(())))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        let scale = 2.0 / x.elem_count() as f64;
        if builds_graphs() {
            return x.broadcast_mul(g)?.affine(scale, 0.0).map(Some);
        }
        let factor = (f64::from(g.to_scalar::<f32>()?) * scale) as f32;
        let mut out = vec![0.0; x.elem_count()];
        let shared = Shared::new(&mut out);
        with_numbers(x, |x| {
            Exec::current().pool.run_ranges(x.len(), PART, |start, end| {
                // SAFETY: ranges do not overlap.
                #[allow(unsafe_code)]
                let out = unsafe { shared.part(start, end - start) };
                out.iter_mut().zip(&x[start..end]).for_each(|(out, x)| *out = x * factor);
            });
            Ok(())
        })?;
        plain(out, x.shape()).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;
    use crate::kernels::testing::{Numbers, assert_close};

    #[test]
    fn the_mean_and_its_gradient_agree_with_f64() -> Result<()> {
        for len in [1, 17, 100_003] {
            let values = Numbers::new(8).vector(len);
            let x = Var::from_vec(values.clone(), len, &Device::Cpu)?;
            let loss = mean_square(x.as_tensor())?;
            let exact = values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / len as f64;
            assert!((f64::from(loss.to_scalar::<f32>()?) - exact).abs() < 1e-6 * exact);
            let gradient = loss.affine(3.0, 0.0)?.backward()?.remove(&x).expect("gradient").to_vec1::<f32>()?;
            let exact: Vec<f64> = values.iter().map(|v| 6.0 * f64::from(*v) / len as f64).collect();
            assert_close(&gradient, &exact, 1e-6, "gradient");
        }
        assert!(mean_square(&Tensor::zeros(0, candle_core::DType::F32, &Device::Cpu)?).is_err());
        Ok(())
    }
}
