//! Batch normalisation (Ioffe and Szegedy 2015) with the activation that follows it, forward and backward in two
//! passes over a channel each.
#![allow(unsafe_code)]

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};

use crate::kernels::{
    Exec,
    autograd::{builds_graphs, check, numbers, plain, with_numbers},
    elementwise::Activation,
    exec::{Shared, vectorised},
    vector::{LANES, Vector},
};

/// Mean and biased variance of each channel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statistics {
    pub mean: Vec<f32>,
    pub variance: Vec<f32>,
}

/// `activation((x − mean) / √(variance + ε) · weight + bias)` with the mean and variance of this batch, which are
/// returned too: `x` (batch, channels, …), `weight` and `bias` (channels). This is `torch.nn.BatchNorm*d` in training;
/// its running variance is the unbiased one, `n / (n − 1)` times this.
///
/// # Errors
/// If the shapes do not fit together, a channel has no numbers, or a tensor is not `f32` on the CPU.
pub fn batch_norm(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    epsilon: f64,
    activation: Activation,
) -> Result<(Tensor, Statistics)> {
    let planes = Planes::of(x, weight, bias)?;
    let statistics = with_numbers(x, |x| Ok(planes.statistics(Exec::current(), x)))?;
    if builds_graphs() {
        let y = composed(x, weight, bias, epsilon)?;
        return Ok((activation.forward(&y)?, statistics));
    }
    let op = Norm { planes, statistics: statistics.clone(), of_batch: true, epsilon: epsilon as f32, activation };
    Ok((op.apply(x, weight, bias)?, statistics))
}

/// The same with given statistics, which take no part in the gradients: `torch.nn.BatchNorm*d` in evaluation.
///
/// # Errors
/// As [`batch_norm`].
pub fn fixed_norm(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    statistics: &Statistics,
    epsilon: f64,
    activation: Activation,
) -> Result<Tensor> {
    let planes = Planes::of(x, weight, bias)?;
    if statistics.mean.len() != planes.channels || statistics.variance.len() != planes.channels {
        bail!("statistics of {} channels for {}", statistics.mean.len(), planes.channels);
    }
    if builds_graphs() {
        let dims = channel_dims(x.rank(), planes.channels);
        let mean = plain(statistics.mean.clone(), dims.clone())?;
        let scale: Vec<f32> = statistics.variance.iter().map(|v| 1.0 / (v + epsilon as f32).sqrt()).collect();
        let scale = plain(scale, dims.clone())?.broadcast_mul(&weight.reshape(dims.clone())?)?;
        let y = x.broadcast_sub(&mean)?.broadcast_mul(&scale)?.broadcast_add(&bias.reshape(dims)?)?;
        return activation.forward(&y);
    }
    let statistics = statistics.clone();
    Norm { planes, statistics, of_batch: false, epsilon: epsilon as f32, activation }.apply(x, weight, bias)
}

fn channel_dims(rank: usize, channels: usize) -> Vec<usize> {
    (0..rank).map(|dim| if dim == 1 { channels } else { 1 }).collect()
}

/// Of plain operations, so that it can be differentiated any number of times.
fn composed(x: &Tensor, weight: &Tensor, bias: &Tensor, epsilon: f64) -> Result<Tensor> {
    let dims = channel_dims(x.rank(), x.dim(1)?);
    let others: Vec<usize> = (0..x.rank()).filter(|&dim| dim != 1).collect();
    let centred = x.broadcast_sub(&x.mean_keepdim(others.clone())?)?;
    let deviation = (centred.sqr()?.mean_keepdim(others)? + epsilon)?.sqrt()?;
    let weight = weight.reshape(dims.clone())?;
    centred.broadcast_div(&deviation)?.broadcast_mul(&weight)?.broadcast_add(&bias.reshape(dims)?)
}

/// How a tensor lies: (batch, channels, plane).
#[derive(Clone, Copy)]
struct Planes {
    batch: usize,
    channels: usize,
    plane: usize,
}

impl Planes {
    fn of(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Self> {
        check("a batch norm", &[x, weight, bias])?;
        let (batch, channels) = (x.dim(0)?, x.dim(1)?);
        if weight.dims() != [channels] || bias.dims() != [channels] {
            bail!("a batch norm of {channels} channels has the weight {:?} and bias {:?}", weight.dims(), bias.dims());
        }
        if x.elem_count() == 0 {
            bail!("a batch norm of no numbers");
        }
        Ok(Self { batch, channels, plane: x.elem_count() / (batch * channels) })
    }

    /// The starts of the planes of a channel.
    fn starts(self, channel: usize) -> impl Iterator<Item = usize> {
        (0..self.batch).map(move |image| (image * self.channels + channel) * self.plane)
    }

    fn count(self) -> f64 {
        (self.batch * self.plane) as f64
    }

    fn statistics(self, exec: Exec<'_>, x: &[f32]) -> Statistics {
        let (mut mean, mut variance) = (vec![0.0; self.channels], vec![0.0; self.channels]);
        let (means, variances) = (Shared::new(&mut mean), Shared::new(&mut variance));
        exec.pool.run(self.channels, |channel| {
            let sum_around = |mean: f32| {
                let mut totals = [0.0_f64; 2];
                for start in self.starts(channel) {
                    // SAFETY: without a gradient there is nothing whose length could differ.
                    unsafe { sums(exec.level, &x[start..start + self.plane], mean, None, &mut totals) };
                }
                totals.map(|total| total / self.count())
            };
            let [mean, _] = sum_around(0.0);
            let mean = mean as f32;
            let [rest, squares] = sum_around(mean);
            // SAFETY: each channel has slots of its own.
            unsafe {
                means.part(channel, 1)[0] = mean;
                variances.part(channel, 1)[0] = (squares - rest * rest).max(0.0) as f32;
            }
        });
        Statistics { mean, variance }
    }
}

/// A gradient and the results and activation that it came through.
#[derive(Clone, Copy)]
struct Through<'a> {
    g: &'a [f32],
    results: &'a [f32],
    activation: Activation,
}

vectorised! {
    /// Without a gradient adds the sums of `x − mean` and of its squares to `totals`; with one those of the gradient
    /// before the activation, and of its products with `x − mean`.
    ///
    /// # Safety
    /// The slices must have one length.
    unsafe fn sums = sums_body(x: &[f32], mean: f32, through: Option<Through<'_>>, totals: &mut [f64; 2])
}

/// Numbers summed in single precision before they join a total.
const STRETCH: usize = 4096;

#[inline(always)]
unsafe fn sums_body<V: Vector>(x: &[f32], mean: f32, through: Option<Through<'_>>, totals: &mut [f64; 2]) {
    let middle = V::splat(mean);
    let mut start = 0;
    while start < x.len() {
        let end = (start + STRETCH).min(x.len());
        let whole = start + (end - start) / LANES * LANES;
        let (mut first, mut second) = ([V::zero(); 2], [V::zero(); 2]);
        for (turn, at) in (start..whole).step_by(LANES).enumerate() {
            // SAFETY: eight numbers from `at` are inside all slices.
            unsafe {
                let d = V::load(x.as_ptr().add(at)).sub(middle);
                let g = match through {
                    None => d,
                    Some(t) => {
                        let results = V::load(t.results.as_ptr().add(at));
                        t.activation.backward(results, V::load(t.g.as_ptr().add(at)))
                    }
                };
                first[turn % 2] = first[turn % 2].add(g);
                second[turn % 2] = g.mul_add(d, second[turn % 2]);
            }
        }
        totals[0] += f64::from(first[0].add(first[1]).sum());
        totals[1] += f64::from(second[0].add(second[1]).sum());
        for (at, x) in x.iter().enumerate().take(end).skip(whole) {
            let d = x - mean;
            let g = match through {
                None => d,
                Some(t) => t.activation.backward(V::splat(t.results[at]), V::splat(t.g[at])).to_array()[0],
            };
            totals[0] += f64::from(g);
            totals[1] += f64::from(g * d);
        }
        start = end;
    }
}

vectorised! {
    /// `out = activation((x − mean) · scale + shift)`
    ///
    /// # Safety
    /// The slices must have one length.
    unsafe fn scaled =
        scaled_body(x: &[f32], mean: f32, scale: f32, shift: f32, activation: Activation, out: &mut [f32])
}

#[inline(always)]
unsafe fn scaled_body<V: Vector>(
    x: &[f32],
    mean: f32,
    scale: f32,
    shift: f32,
    activation: Activation,
    out: &mut [f32],
) {
    let [mean, scale, shift] = [V::splat(mean), V::splat(scale), V::splat(shift)];
    let whole = x.len() / LANES * LANES;
    for at in (0..whole).step_by(LANES) {
        // SAFETY: eight numbers from `at` are inside both.
        unsafe {
            let x = V::load(x.as_ptr().add(at));
            scaled_vector(x, mean, scale, shift, activation).store(out.as_mut_ptr().add(at));
        }
    }
    let rest = V::load_part(&x[whole..], 0.0);
    scaled_vector(rest, mean, scale, shift, activation).store_part(&mut out[whole..]);
}

/// A function, as a closure that is used twice is not compiled for the instructions in use.
#[inline(always)]
fn scaled_vector<V: Vector>(x: V, mean: V, scale: V, shift: V, activation: Activation) -> V {
    // Not one multiplication with a shift that holds the mean: far from zero that would lose digits.
    activation.apply(x.sub(mean).mul_add(scale, shift))
}

/// `dx = g′ · by − (x − mean) · slope − level`, g′ being the gradient before the activation.
#[derive(Clone, Copy)]
struct Pull {
    by: f32,
    mean: f32,
    slope: f32,
    level: f32,
}

vectorised! {
    /// # Safety
    /// The slices must have one length.
    unsafe fn pulled = pulled_body(x: &[f32], through: Through<'_>, pull: Pull, out: &mut [f32])
}

#[inline(always)]
unsafe fn pulled_body<V: Vector>(x: &[f32], through: Through<'_>, pull: Pull, out: &mut [f32]) {
    let numbers = [V::splat(pull.by), V::splat(pull.mean), V::splat(-pull.slope), V::splat(-pull.level)];
    let (results, g, activation) = (through.results, through.g, through.activation);
    let whole = x.len() / LANES * LANES;
    for at in (0..whole).step_by(LANES) {
        // SAFETY: eight numbers from `at` are inside all slices.
        unsafe {
            let x = V::load(x.as_ptr().add(at));
            let (results, g) = (V::load(results.as_ptr().add(at)), V::load(g.as_ptr().add(at)));
            pulled_vector(x, activation.backward(results, g), numbers).store(out.as_mut_ptr().add(at));
        }
    }
    let x = V::load_part(&x[whole..], 0.0);
    let (results, g) = (V::load_part(&results[whole..], 0.0), V::load_part(&g[whole..], 0.0));
    pulled_vector(x, activation.backward(results, g), numbers).store_part(&mut out[whole..]);
}

/// Of the gradient before the activation.
#[inline(always)]
fn pulled_vector<V: Vector>(x: V, g: V, [by, mean, slope, level]: [V; 4]) -> V {
    g.mul_add(by, x.sub(mean).mul_add(slope, level))
}

struct Norm {
    planes: Planes,
    statistics: Statistics,
    /// Whether the statistics are those of the input, so that it has a part in them.
    of_batch: bool,
    epsilon: f32,
    activation: Activation,
}

impl Norm {
    fn apply(self, x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
        x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, self)
    }

    fn inverse(&self, channel: usize) -> f32 {
        1.0 / (self.statistics.variance[channel] + self.epsilon).sqrt()
    }

    fn forward(&self, exec: Exec<'_>, x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; x.len()];
        let (shared, plane) = (Shared::new(&mut out), self.planes.plane);
        exec.pool.run(self.planes.channels, |channel| {
            let scale = weight[channel] * self.inverse(channel);
            let (mean, shift) = (self.statistics.mean[channel], bias[channel]);
            for start in self.planes.starts(channel) {
                // SAFETY: planes do not overlap.
                let out = unsafe { shared.part(start, plane) };
                // SAFETY: both are one plane.
                unsafe { scaled(exec.level, &x[start..start + plane], mean, scale, shift, self.activation, out) };
            }
        });
        out
    }

    /// The gradients to the input, the weight and the bias.
    fn backward(&self, exec: Exec<'_>, x: &[f32], weight: &[f32], results: &[f32], g: &[f32]) -> [Vec<f32>; 3] {
        let Planes { channels, plane, .. } = self.planes;
        let (mut dx, mut dw, mut db) = (vec![0.0; x.len()], vec![0.0; channels], vec![0.0; channels]);
        let (to_x, to_w, to_b) = (Shared::new(&mut dx), Shared::new(&mut dw), Shared::new(&mut db));
        exec.pool.run(channels, |channel| {
            let (mean, inverse) = (self.statistics.mean[channel], self.inverse(channel));
            let part = |start: usize| {
                let (g, results) = (&g[start..start + plane], &results[start..start + plane]);
                (&x[start..start + plane], Through { g, results, activation: self.activation })
            };
            let mut totals = [0.0; 2];
            for start in self.planes.starts(channel) {
                let (x, through) = part(start);
                // SAFETY: all are one plane.
                unsafe { sums(exec.level, x, mean, Some(through), &mut totals) };
            }
            // SAFETY: each channel has slots of its own.
            unsafe {
                to_b.part(channel, 1)[0] = totals[0] as f32;
                to_w.part(channel, 1)[0] = (totals[1] * f64::from(inverse)) as f32;
            }
            let by = weight[channel] * inverse;
            let [level, product] = totals.map(|total| (total / self.planes.count()) as f32);
            let pull = if self.of_batch {
                Pull { by, mean, slope: by * inverse * inverse * product, level: by * level }
            } else {
                Pull { by, mean, slope: 0.0, level: 0.0 }
            };
            for start in self.planes.starts(channel) {
                let (x, through) = part(start);
                // SAFETY: planes do not overlap, and all are one plane.
                unsafe { pulled(exec.level, x, through, pull, to_x.part(start, plane)) };
            }
        });
        [dx, dw, db]
    }
}

impl CustomOp3 for Norm {
    fn name(&self) -> &'static str {
        "batch-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
        b: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let out = self.forward(Exec::current(), numbers(x, lx)?, numbers(w, lw)?, numbers(b, lb)?);
        Ok((CpuStorage::F32(out), lx.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        results: &Tensor,
        g: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [dx, dw, db] = with_numbers(x, |x| {
            with_numbers(weight, |w| {
                with_numbers(results, |r| with_numbers(g, |g| Ok(self.backward(Exec::current(), x, w, r, g))))
            })
        })?;
        Ok((Some(plain(dx, x.shape())?), Some(plain(dw, weight.shape())?), Some(plain(db, bias.shape())?)))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::kernels::{
        Level, Pool,
        testing::{Numbers, assert_close, check_gradients},
    };

    const EPSILON: f64 = 1e-3;

    /// Batch norm in double precision; `x` then weight then bias in one slice.
    fn reference(
        all: &[f64],
        (batch, channels, plane): (usize, usize, usize),
        fixed: Option<&Statistics>,
        slope: f64,
    ) -> Vec<f64> {
        let (x, rest) = all.split_at(batch * channels * plane);
        let mut out = vec![0.0; x.len()];
        for channel in 0..channels {
            let places: Vec<_> =
                (0..batch).flat_map(|n| (0..plane).map(move |i| (n * channels + channel) * plane + i)).collect();
            let count = places.len() as f64;
            let (mean, variance) = match fixed {
                Some(s) => (f64::from(s.mean[channel]), f64::from(s.variance[channel])),
                None => {
                    let mean = places.iter().map(|i| x[*i]).sum::<f64>() / count;
                    (mean, places.iter().map(|i| (x[*i] - mean).powi(2)).sum::<f64>() / count)
                }
            };
            for i in places {
                let y = (x[i] - mean) / (variance + EPSILON).sqrt() * rest[channel] + rest[channels + channel];
                out[i] = if y > 0.0 { y } else { slope * y };
            }
        }
        out
    }

    /// A loss that treats every number differently.
    fn weighted(values: impl IntoIterator<Item = f64>) -> f64 {
        values.into_iter().enumerate().map(|(i, y)| y * ((i * 7 % 11) as f64 - 4.5) + y * y).sum()
    }

    fn weigh(y: &Tensor) -> Result<Tensor> {
        let y = y.flatten_all()?;
        let factors: Vec<f32> = (0..y.elem_count()).map(|i| (i * 7 % 11) as f32 - 4.5).collect();
        ((&y * plain(factors, y.shape())?)? + y.sqr()?)?.sum_all()
    }

    #[test]
    fn gradients_agree_with_finite_differences_in_training_and_evaluation() -> Result<()> {
        for dims @ (batch, channels, plane) in [(2, 3, 1), (3, 2, 9), (2, 1, 20)] {
            let mut numbers = Numbers::new(31);
            let x = numbers.vector(batch * channels * plane);
            let (w, b) = (numbers.vector(channels), numbers.vector(channels));
            let shapes = [vec![batch, channels, plane], vec![channels], vec![channels]];
            let fixed = Statistics { mean: numbers.vector(channels), variance: vec![0.7; channels] };
            let inputs = [x, w, b];
            let slope = Activation::LeakyRelu(0.2);
            check_gradients(
                &inputs,
                &shapes,
                &|t| weigh(&batch_norm(&t[0], &t[1], &t[2], EPSILON, slope)?.0),
                &|all| weighted(reference(all, dims, None, 0.2)),
                2e-4,
            )?;
            check_gradients(
                &inputs,
                &shapes,
                &|t| weigh(&fixed_norm(&t[0], &t[1], &t[2], &fixed, EPSILON, slope)?),
                &|all| weighted(reference(all, dims, Some(&fixed), 0.2)),
                2e-4,
            )?;
        }
        Ok(())
    }

    #[test]
    fn every_level_and_number_of_threads_agrees_with_f64() {
        let mut numbers = Numbers::new(5);
        for (batch, channels, plane) in [(1, 1, 1), (4, 5, 64), (2, 3, 4099), (3, 2, 13)] {
            // Far from zero: a variance from sums of squares would lose its digits here.
            let x: Vec<f32> = numbers.vector(batch * channels * plane).iter().map(|x| x + 300.0).collect();
            let (w, b) = (numbers.vector(channels), numbers.vector(channels));
            let all: Vec<f64> = x.iter().chain(&w).chain(&b).map(|x| f64::from(*x)).collect();
            let expected = reference(&all, (batch, channels, plane), None, 1.0);
            for level in Level::present() {
                let mut first: Option<Vec<f32>> = None;
                for threads in 1..=3 {
                    let (pool, planes) = (Pool::new(threads), Planes { batch, channels, plane });
                    let exec = Exec { level, pool: &pool };
                    let statistics = planes.statistics(exec, &x);
                    let (epsilon, activation) = (EPSILON as f32, Activation::None);
                    let norm = Norm { planes, statistics, of_batch: true, epsilon, activation };
                    let got = norm.forward(exec, &x, &w, &b);
                    assert_close(&got, &expected, 1e-3, "batch norm");
                    assert_eq!(first.get_or_insert_with(|| got.clone()), &got);
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() -> Result<()> {
        let x = Tensor::zeros((2, 3, 4), candle_core::DType::F32, &Device::Cpu)?;
        let (three, two) = (x.get_on_dim(0, 0)?.get_on_dim(1, 0)?, Tensor::zeros(2, x.dtype(), &Device::Cpu)?);
        assert!(batch_norm(&x, &two, &three, 1e-5, Activation::None).is_err());
        assert!(fixed_norm(&x, &three, &three, &Statistics::default(), 1e-5, Activation::None).is_err());
        assert!(batch_norm(&x.narrow(0, 0, 0)?, &three, &three, 1e-5, Activation::None).is_err());
        Ok(())
    }
}
