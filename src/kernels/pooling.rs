//! Mean and maximum over windows of an image, with right gradients of every order on any size. candle's are wrong
//! where a window does not divide the image.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::{
    Exec,
    autograd::{check, numbers, with_numbers},
    exec::Shared,
};

/// The largest number of each window of `size` × `size`, taken every `stride`: (batch, channels, height, width) to
/// (batch, channels, ⌊(height − size) / stride⌋ + 1, …). Of equal numbers the first has the gradient.
///
/// # Errors
/// If a window does not fit into the image or the tensor is not `f32` on the CPU.
pub fn max_pool2d(x: &Tensor, size: usize, stride: usize) -> Result<Tensor> {
    let windows = Windows::of(x, size, stride)?;
    let places: Arc<[u32]> = with_numbers(x, |x| Ok(windows.largest(x).into()))?;
    x.contiguous()?.apply_op1(Pick { windows, places })
}

/// The mean of each window; sizes as for [`max_pool2d`].
///
/// # Errors
/// As [`max_pool2d`].
pub fn avg_pool2d(x: &Tensor, size: usize, stride: usize) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Mean(Windows::of(x, size, stride)?))
}

/// Windows over planes.
#[derive(Clone, Copy)]
struct Windows {
    planes: [usize; 2],
    input: [usize; 2],
    output: [usize; 2],
    size: usize,
    stride: usize,
}

impl Windows {
    fn of(x: &Tensor, size: usize, stride: usize) -> Result<Self> {
        check("pooling", &[x])?;
        let (batch, channels, height, width) = x.dims4()?;
        if size == 0 || stride == 0 || size > height || size > width || x.elem_count() > u32::MAX as usize {
            bail!("windows of {size} every {stride} do not fit images of {height} × {width}");
        }
        let output = [height, width].map(|side| (side - size) / stride + 1);
        Ok(Self { planes: [batch, channels], input: [height, width], output, size, stride })
    }

    fn in_plane(self) -> usize {
        self.input[0] * self.input[1]
    }

    fn out_plane(self) -> usize {
        self.output[0] * self.output[1]
    }

    fn count(self) -> usize {
        self.planes[0] * self.planes[1]
    }

    fn in_shape(self) -> Shape {
        (self.planes[0], self.planes[1], self.input[0], self.input[1]).into()
    }

    fn out_shape(self) -> Shape {
        (self.planes[0], self.planes[1], self.output[0], self.output[1]).into()
    }

    /// The place in its plane of the first number of window `at`.
    fn corner(self, at: usize) -> usize {
        (at / self.output[1] * self.input[1] + at % self.output[1]) * self.stride
    }

    /// The places of a window from its corner.
    fn offsets(self) -> impl Iterator<Item = usize> {
        (0..self.size * self.size).map(move |i| i / self.size * self.input[1] + i % self.size)
    }

    /// The place in its plane of the largest number of each window.
    fn largest(self, x: &[f32]) -> Vec<u32> {
        let mut places = vec![0; self.count() * self.out_plane()];
        Exec::current().pool.run_rows(&mut places, self.out_plane(), 1, |plane, places| {
            let x = &x[plane * self.in_plane()..(plane + 1) * self.in_plane()];
            for (at, place) in places.iter_mut().enumerate() {
                let corner = self.corner(at);
                let mut best = corner;
                for offset in self.offsets() {
                    // A NaN wins, so that it is seen.
                    if x[corner + offset] > x[best] || x[corner + offset].is_nan() {
                        best = corner + offset;
                    }
                }
                *place = best as u32;
            }
        });
        places
    }

    /// Fills planes of a result, each by one task.
    fn planes(self, len: usize, fill: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f32> {
        let mut out = vec![0.0; self.count() * len];
        let shared = Shared::new(&mut out);
        Exec::current().pool.run_ranges(self.count(), 1 + 8192 / len.max(1), |first, end| {
            for plane in first..end {
                // SAFETY: planes do not overlap.
                #[allow(unsafe_code)]
                fill(plane, unsafe { shared.part(plane * len, len) });
            }
        });
        out
    }
}

/// One number of each window; with [`Put`] a closed pair of linear maps.
#[derive(Clone)]
struct Pick {
    windows: Windows,
    places: Arc<[u32]>,
}

/// The transpose of [`Pick`].
struct Put(Pick);

impl CustomOp1 for Pick {
    fn name(&self) -> &'static str {
        "max-pool"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, windows) = (numbers(x, layout)?, self.windows);
        let len = windows.out_plane();
        let out = windows.planes(len, |plane, out| {
            let x = &x[plane * windows.in_plane()..];
            for (out, place) in out.iter_mut().zip(&self.places[plane * len..]) {
                *out = x[*place as usize];
            }
        });
        Ok((CpuStorage::F32(out), windows.out_shape()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        g.contiguous()?.apply_op1(Put(self.clone())).map(Some)
    }
}

impl CustomOp1 for Put {
    fn name(&self) -> &'static str {
        "max-pool-gradient"
    }

    fn cpu_fwd(&self, g: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (g, windows) = (numbers(g, layout)?, self.0.windows);
        let len = windows.out_plane();
        let out = windows.planes(windows.in_plane(), |plane, out| {
            for (g, place) in g[plane * len..(plane + 1) * len].iter().zip(&self.0.places[plane * len..]) {
                out[*place as usize] += g;
            }
        });
        Ok((CpuStorage::F32(out), windows.in_shape()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, u: &Tensor) -> Result<Option<Tensor>> {
        u.contiguous()?.apply_op1(self.0.clone()).map(Some)
    }
}

/// The mean of each window; with [`Spread`] a closed pair of linear maps.
struct Mean(Windows);

/// The transpose of [`Mean`].
struct Spread(Windows);

impl CustomOp1 for Mean {
    fn name(&self) -> &'static str {
        "avg-pool"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, windows) = (numbers(x, layout)?, self.0);
        let share = 1.0 / (windows.size * windows.size) as f32;
        let out = windows.planes(windows.out_plane(), |plane, out| {
            let x = &x[plane * windows.in_plane()..];
            for (at, out) in out.iter_mut().enumerate() {
                let corner = windows.corner(at);
                *out = windows.offsets().map(|offset| x[corner + offset]).sum::<f32>() * share;
            }
        });
        Ok((CpuStorage::F32(out), windows.out_shape()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        g.contiguous()?.apply_op1(Spread(self.0)).map(Some)
    }
}

impl CustomOp1 for Spread {
    fn name(&self) -> &'static str {
        "avg-pool-gradient"
    }

    fn cpu_fwd(&self, g: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (g, windows) = (numbers(g, layout)?, self.0);
        let (share, len) = (1.0 / (windows.size * windows.size) as f32, windows.out_plane());
        let out = windows.planes(windows.in_plane(), |plane, out| {
            for (at, g) in g[plane * len..(plane + 1) * len].iter().enumerate() {
                let corner = windows.corner(at);
                windows.offsets().for_each(|offset| out[corner + offset] += g * share);
            }
        });
        Ok((CpuStorage::F32(out), windows.in_shape()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, u: &Tensor) -> Result<Option<Tensor>> {
        u.contiguous()?.apply_op1(Mean(self.0)).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{
        autograd::plain,
        testing::{Numbers, check_gradients},
    };

    fn reference(x: &[f64], (height, width): (usize, usize), (size, stride): (usize, usize), max: bool) -> Vec<f64> {
        let mut out = Vec::new();
        for plane in x.chunks(height * width) {
            for row in (0..=height - size).step_by(stride) {
                for column in (0..=width - size).step_by(stride) {
                    let window = (0..size * size).map(|i| plane[(row + i / size) * width + column + i % size]);
                    out.push(if max {
                        window.fold(f64::NEG_INFINITY, f64::max)
                    } else {
                        window.sum::<f64>() / (size * size) as f64
                    });
                }
            }
        }
        out
    }

    #[test]
    fn values_and_gradients_agree_with_f64_where_windows_do_not_divide() -> Result<()> {
        for (height, width, size, stride) in [(4, 6, 2, 2), (5, 7, 2, 2), (7, 5, 3, 2), (6, 6, 3, 1), (3, 3, 3, 5)] {
            for max in [false, true] {
                let x = Numbers::new(14).vector(6 * height * width);
                let loss = |t: &[Tensor]| {
                    let y = if max { max_pool2d(&t[0], size, stride)? } else { avg_pool2d(&t[0], size, stride)? };
                    (y.powf(3.0)? + y)?.sum_all()
                };
                let exact = |x: &[f64]| {
                    reference(x, (height, width), (size, stride), max).iter().map(|y| y.powi(3) + y).sum::<f64>()
                };
                check_gradients(&[x], &[vec![2, 3, height, width]], &loss, &exact, 1e-4)?;
            }
        }
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_refused_and_a_nan_is_seen() -> Result<()> {
        let x = plain(vec![1.0, f32::NAN, 3.0, 4.0], (1, 1, 2, 2))?;
        assert!(max_pool2d(&x, 3, 1).is_err() && avg_pool2d(&x, 2, 0).is_err() && avg_pool2d(&x, 0, 1).is_err());
        assert!(max_pool2d(&x, 2, 1)?.flatten_all()?.to_vec1::<f32>()?[0].is_nan());
        Ok(())
    }
}
