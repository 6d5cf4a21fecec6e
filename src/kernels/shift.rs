//! Moving each picture of a batch and blanking a rectangle of it, with gradients of every order: what differentiable
//! augmentation (Zhao et al., "Differentiable Augmentation for Data-Efficient GAN Training", 2020) needs.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::{
    Exec,
    autograd::{check, numbers},
};

/// What happens to one picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shift {
    /// Pixels that it moves down and to the right; zeros follow.
    pub by: [isize; 2],
    /// First row and column, and height and width, of what becomes zero after it has moved; may reach beyond the edges.
    pub blank: [isize; 4],
}

/// Moves pictures (N, C, H, W), each by its own shift.
///
/// # Errors
/// If there are not N shifts or the tensor is not `f32` on the CPU.
pub fn shift2d(x: &Tensor, shifts: &[Shift]) -> Result<Tensor> {
    check("a shift", &[x])?;
    if x.dims4()?.0 != shifts.len() {
        bail!("{} shifts do not fit pictures of {:?}", shifts.len(), x.shape());
    }
    x.contiguous()?.apply_op1(Move { shifts: shifts.into(), back: false })
}

/// The move, or its transpose.
struct Move {
    shifts: Arc<[Shift]>,
    back: bool,
}

/// The part of `0..len` that stays inside it when it is moved by `by`.
fn overlap(len: usize, by: isize) -> std::ops::Range<usize> {
    let (len, by) = (len as isize, by.clamp(-(len as isize), len as isize));
    (-by).max(0) as usize..(len - by).min(len) as usize
}

/// `begin..begin + size` inside `0..len`.
fn inside(begin: isize, size: isize, len: usize) -> std::ops::Range<usize> {
    let clamp = |at: isize| at.clamp(0, len as isize) as usize;
    let first = clamp(begin);
    first..clamp(begin.saturating_add(size)).max(first)
}

impl CustomOp1 for Move {
    fn name(&self) -> &'static str {
        "shift"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = numbers(x, layout)?;
        let (_, channels, height, width) = layout.shape().dims4()?;
        let mut out = vec![0.0_f32; x.len()];
        let plane_len = height * width;
        if plane_len > 0 {
            Exec::current().pool.run_rows(&mut out, plane_len, 1 + 8192 / plane_len, |plane, out| {
                let (x, shift) = (&x[plane * plane_len..(plane + 1) * plane_len], self.shifts[plane / channels]);
                let (rows, columns) = (overlap(height, shift.by[0]), overlap(width, shift.by[1]));
                let moved = |at: usize, by: isize| at.saturating_add_signed(by);
                let [top, left, high, wide] = shift.blank;
                let blank = [inside(top, high, height), inside(left, wide, width)];
                for row in rows {
                    let to = moved(row, shift.by[0]);
                    for column in columns.clone() {
                        let there = moved(column, shift.by[1]);
                        if blank[0].contains(&to) && blank[1].contains(&there) {
                            continue;
                        }
                        let [near, far] = [row * width + column, to * width + there];
                        if self.back { out[near] = x[far] } else { out[far] = x[near] }
                    }
                }
            });
        }
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        g.contiguous()?.apply_op1(Self { shifts: self.shifts.clone(), back: !self.back }).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{Numbers, check_gradients};

    #[test]
    fn values_and_gradients_agree_with_f64() -> Result<()> {
        let (height, width) = (5, 4);
        let shifts = [
            Shift::default(),
            Shift { by: [2, -1], blank: [1, 1, 2, 9] },
            Shift { by: [-9, 0], blank: [-3, -3, 4, 4] },
            Shift { by: [0, 3], blank: [-1, 3, 2, isize::MAX] },
        ];
        let exact = |x: &[f64]| {
            let mut sum = 0.0;
            for (place, shift) in shifts.iter().flat_map(|shift| [shift, shift]).enumerate() {
                let plane = &x[place * height * width..(place + 1) * height * width];
                for (y, x) in (0..height as isize).flat_map(|y| (0..width as isize).map(move |x| (y, x))) {
                    let [top, left, high, wide] = shift.blank;
                    let blank = y >= top && y - top < high && x >= left && x - left < wide;
                    let (from_y, from_x) = (y - shift.by[0], x - shift.by[1]);
                    let there = (0..height as isize).contains(&from_y) && (0..width as isize).contains(&from_x);
                    let value = if there && !blank { plane[from_y as usize * width + from_x as usize] } else { 0.0 };
                    sum += (value.powi(3) + value) * (1.0 + 0.1 * (y * 4 + x) as f64);
                }
            }
            sum
        };
        let numbers = Numbers::new(21).vector(4 * 2 * height * width);
        let weights: Vec<f32> = (0..height * width).map(|at| 1.0 + 0.1 * at as f32).collect();
        let weights = Tensor::from_vec(weights, (1, 1, height, width), &candle_core::Device::Cpu)?;
        let loss = |t: &[Tensor]| {
            let y = shift2d(&t[0], &shifts)?;
            (y.powf(3.0)? + y)?.broadcast_mul(&weights)?.sum_all()
        };
        check_gradients(&[numbers], &[vec![4, 2, height, width]], &loss, &exact, 1e-4)?;
        assert!(
            shift2d(&Tensor::zeros((2, 1, 2, 2), candle_core::DType::F32, &candle_core::Device::Cpu)?, &shifts)
                .is_err()
        );
        Ok(())
    }
}
