//! PReLU: a leaky ReLU with a slope for each channel, for inference.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

use crate::kernels::{Exec, autograd::numbers};

struct Prelu;

impl CustomOp2 for Prelu {
    fn name(&self) -> &'static str {
        "prelu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout, slopes: &CpuStorage, ls: &Layout) -> Result<(CpuStorage, Shape)> {
        let (values, slopes) = (numbers(x, lx)?, numbers(slopes, ls)?);
        let plane: usize = lx.dims().iter().skip(2).product();
        let mut out = values.to_vec();
        Exec::current().pool.run_rows(&mut out, plane.max(1), 1, |index, row| {
            let slope = slopes[index % slopes.len()];
            for value in row {
                *value = if *value > 0.0 { *value } else { *value * slope };
            }
        });
        Ok((CpuStorage::F32(out), lx.shape().clone()))
    }
}

/// `x` where it is positive, elsewhere `slope · x`: `x` (batch, channels, …), `slopes` (channels). Has no gradient.
///
/// # Errors
/// If there are not as many slopes as channels, or a tensor is not `f32` on the CPU.
pub fn prelu(x: &Tensor, slopes: &Tensor) -> Result<Tensor> {
    if x.rank() < 2 || x.dim(1)? != slopes.elem_count() || x.elem_count() == 0 {
        bail!("PReLU of {:?} cannot have the slopes {:?}", x.shape(), slopes.shape());
    }
    x.contiguous()?.apply_op2_no_bwd(&slopes.contiguous()?, &Prelu)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn every_channel_has_its_slope() {
        let x = Tensor::new(&[[[-1.0_f32, 2.0], [-3.0, 0.0]], [[4.0, -5.0], [-6.0, 7.0]]], &Device::Cpu).expect("x");
        let slopes = Tensor::new(&[0.5_f32, -1.0], &Device::Cpu).expect("slopes");
        let y = prelu(&x, &slopes).and_then(|y| y.flatten_all()).and_then(|y| y.to_vec1::<f32>()).expect("y");
        assert_eq!(y, [-0.5, 2.0, 3.0, 0.0, 4.0, -2.5, 6.0, 7.0]);
        assert!(prelu(&x, &Tensor::new(&[0.5_f32], &Device::Cpu).expect("one")).is_err());
    }
}
