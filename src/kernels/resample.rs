//! Twice as wide and high, or half, through the filter [1, 2, 1] (a binomial one, which leaves no steps and aliases
//! little), with gradients of every order.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::{
    Exec,
    autograd::{check, numbers},
};

/// (N, C, H, W) to (N, C, 2 · H, 2 · W): zeros between pixels, then the filter. Every second pixel is one of the input,
/// those before it the mean of it and the one before; outside the image there are zeros.
///
/// # Errors
/// If the tensor is not `f32` on the CPU.
pub fn upsample2d(x: &Tensor) -> Result<Tensor> {
    check("resampling", &[x])?;
    x.contiguous()?.apply_op1(UP)
}

/// (N, C, H, W) to (N, C, ⌊H / 2⌋, ⌊W / 2⌋): the filter around every second pixel, the first one included.
///
/// # Errors
/// As [`upsample2d`].
pub fn downsample2d(x: &Tensor) -> Result<Tensor> {
    check("resampling", &[x])?;
    let (_, _, height, width) = x.dims4()?;
    if height % 2 != 0 || width % 2 != 0 {
        bail!("an image of {height} × {width} pixels cannot be halved");
    }
    x.contiguous()?.apply_op1(DOWN)
}

/// Twice as wide and high, as [`upsample2d`] makes it.
pub(crate) const UP: Resample = Resample { up: true, weights: [0.5, 1.0, 0.5], offset: 0 };
/// Half as wide and high, as [`downsample2d`] makes it.
pub(crate) const DOWN: Resample = Resample { up: false, weights: [0.25, 0.5, 0.25], offset: -1 };

/// The same along both axes. Down, output `o` is `Σ weights[k] · x[2 · o + k + offset]`; up is the transpose of down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resample {
    up: bool,
    weights: [f32; 3],
    offset: isize,
}

impl Resample {
    pub(crate) fn size(self, from: usize) -> usize {
        if self.up { 2 * from } else { from / 2 }
    }

    /// The rows that row `to` of the output is made of, and their weights.
    fn sources(self, from: usize, to: usize) -> [(Option<usize>, f32); 3] {
        [0, 1, 2].map(|k| {
            let at = if self.up {
                let twice = to as isize - k as isize - self.offset;
                if twice % 2 == 0 { twice / 2 } else { -1 }
            } else {
                2 * to as isize + k as isize + self.offset
            };
            (usize::try_from(at).ok().filter(|at| *at < from), self.weights[k])
        })
    }

    /// The transpose, which takes the gradient of the result to that of the input.
    pub(crate) fn adjoint(self) -> Self {
        Self { up: !self.up, ..self }
    }

    /// Planes of `height` and `width`.
    pub(crate) fn run(self, exec: Exec<'_>, x: &[f32], [height, width]: [usize; 2]) -> Vec<f32> {
        let (rows, columns, area) = (self.size(height), self.size(width), height * width);
        let mut out = vec![0.0; x.len() / area.max(1) * rows * columns];
        if rows * columns == 0 {
            return out;
        }
        exec.pool.run_rows(&mut out, rows * columns, 1 + 8192 / (rows * columns), |plane, out| {
            let x = &x[plane * area..(plane + 1) * area];
            let mut line = vec![0.0_f32; width + 3];
            for (to, out) in out.chunks_exact_mut(columns).enumerate() {
                line[1..=width].fill(0.0);
                let sources = self.sources(height, to).into_iter();
                for (at, weight) in sources.filter_map(|(at, weight)| Some((at?, weight))) {
                    let x = &x[at * width..(at + 1) * width];
                    line[1..=width].iter_mut().zip(x).for_each(|(line, x)| *line += weight * x);
                }
                self.row(&line, out);
            }
        });
        out
    }

    /// Filters along a row. `line` is the row between one zero and two.
    fn row(self, line: &[f32], out: &mut [f32]) {
        let [a, b, c] = self.weights;
        if self.up {
            if self.offset == 0 {
                for (out, line) in out.as_chunks_mut::<2>().0.iter_mut().zip(line.windows(2)) {
                    *out = [a * line[1] + c * line[0], b * line[1]];
                }
            } else {
                for (out, line) in out.as_chunks_mut::<2>().0.iter_mut().zip(line[1..].windows(2)) {
                    *out = [b * line[0], a * line[1] + c * line[0]];
                }
            }
        } else {
            let start = (1 + self.offset) as usize;
            let (pairs, next) = (line[start..].as_chunks::<2>().0, line[start + 2..].as_chunks::<2>().0);
            for (out, (pair, next)) in out.iter_mut().zip(pairs.iter().zip(next)) {
                *out = a * pair[0] + b * pair[1] + c * next[0];
            }
        }
    }
}

impl CustomOp1 for Resample {
    fn name(&self) -> &'static str {
        "resample"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (batch, channels, height, width) = layout.shape().dims4()?;
        let out = self.run(Exec::current(), numbers(x, layout)?, [height, width]);
        Ok((CpuStorage::F32(out), (batch, channels, self.size(height), self.size(width)).into()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        g.contiguous()?.apply_op1(self.adjoint()).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{Numbers, check_gradients};

    fn reference(x: &[f64], [height, width]: [usize; 2], up: bool) -> Vec<f64> {
        let at = |plane: &[f64], y: isize, x: isize| {
            let inside = (0..height as isize).contains(&y) && (0..width as isize).contains(&x);
            if inside { plane[y as usize * width + x as usize] } else { 0.0 }
        };
        let mut out = Vec::new();
        for plane in x.chunks(height * width) {
            let size = [height, width].map(|side| if up { 2 * side } else { side / 2 } as isize);
            for (y, x) in (0..size[0]).flat_map(|y| (0..size[1]).map(move |x| (y, x))) {
                let mut sum = 0.0;
                for (i, j) in (0..3).flat_map(|i| (0..3).map(move |j| (i, j))) {
                    let weight = [1.0, 2.0, 1.0][i as usize] * [1.0, 2.0, 1.0][j as usize];
                    sum += match up {
                        // Zeros between pixels.
                        true if (y - i) % 2 == 0 && (x - j) % 2 == 0 => {
                            weight / 4.0 * at(plane, (y - i) / 2, (x - j) / 2)
                        }
                        true => 0.0,
                        false => weight / 16.0 * at(plane, 2 * y + i - 1, 2 * x + j - 1),
                    };
                }
                out.push(sum);
            }
        }
        out
    }

    #[test]
    fn values_and_gradients_agree_with_f64() -> Result<()> {
        for (size, up) in [([3, 5], true), ([1, 1], true), ([4, 6], false), ([2, 2], false), ([8, 4], true)] {
            let x = Numbers::new(15).vector(6 * size[0] * size[1]);
            let loss = |t: &[Tensor]| {
                let y = if up { upsample2d(&t[0])? } else { downsample2d(&t[0])? };
                (y.powf(3.0)? + y)?.sum_all()
            };
            let exact = |x: &[f64]| reference(x, size, up).iter().map(|y| y.powi(3) + y).sum::<f64>();
            check_gradients(&[x], &[vec![2, 3, size[0], size[1]]], &loss, &exact, 1e-4)?;
        }
        assert!(
            downsample2d(&Tensor::zeros((1, 1, 3, 2), candle_core::DType::F32, &candle_core::Device::Cpu)?).is_err()
        );
        Ok(())
    }
}
