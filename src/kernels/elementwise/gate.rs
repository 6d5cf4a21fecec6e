//! The gated product of WaveNet, `tanh(a) × sigmoid(b)`, and the cross-entropy of µ-law classes.
#![allow(unsafe_code)]

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor, bail};

use super::math;
use crate::kernels::{
    Exec,
    autograd::{builds_graphs, numbers, plain, with_numbers},
    exec::{Shared, vectorised},
    vector::{LANES, Vector},
};

/// `tanh(a) × sigmoid(b)` where `a` and `b` are the first and the second half of dimension 1: (batch, 2 c, …) to
/// (batch, c, …). Gradients are exact to first order; for second derivatives the plain functions are used.
///
/// # Errors
/// If dimension 1 is missing or odd, or the tensor is not `f32` on the CPU.
pub fn gated(x: &Tensor) -> Result<Tensor> {
    let channels = x.dim(1)?;
    if channels % 2 != 0 {
        bail!("a gated product needs an even number of channels, not {channels}");
    }
    if builds_graphs() {
        let half = channels / 2;
        return x.narrow(1, 0, half)?.tanh()? * super::Activation::Sigmoid.forward(&x.narrow(1, half, half)?)?;
    }
    x.contiguous()?.apply_op1(Gated)
}

struct Gated;

/// Batch, and numbers in half an item.
fn halves(shape: &Shape) -> (usize, usize) {
    let batch = shape.dims()[0];
    (batch, shape.elem_count() / batch.max(1) / 2)
}

/// Numbers that one task handles.
const PART: usize = 8 << 10;

impl CustomOp1 for Gated {
    fn name(&self) -> &'static str {
        "gated-product"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, (batch, half)) = (numbers(x, layout)?, halves(layout.shape()));
        let exec = Exec::current();
        let mut out = vec![0.0; batch * half];
        let (shared, parts) = (Shared::new(&mut out), half.div_ceil(PART));
        exec.pool.run(batch * parts, |task| {
            let (item, start) = (task / parts, task % parts * PART);
            let count = PART.min(half - start);
            let (a, b) = (item * 2 * half + start, (item * 2 + 1) * half + start);
            // SAFETY: tasks have parts of their own; the three slices have one length.
            unsafe {
                gate(exec.level, &x[a..a + count], &x[b..b + count], shared.part(item * half + start, count));
            }
        });
        let mut dims = layout.dims().to_vec();
        dims[1] /= 2;
        Ok((CpuStorage::F32(out), dims.into()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        let (batch, half) = halves(x.shape());
        let exec = Exec::current();
        let mut out = vec![0.0; 2 * batch * half];
        let (shared, parts) = (Shared::new(&mut out), half.div_ceil(PART));
        with_numbers(x, |x| {
            with_numbers(g, |g| {
                exec.pool.run(batch * parts, |task| {
                    let (item, start) = (task / parts, task % parts * PART);
                    let count = PART.min(half - start);
                    let (a, b) = (item * 2 * half + start, (item * 2 + 1) * half + start);
                    // SAFETY: tasks have parts of their own; the slices have one length.
                    unsafe {
                        let (da, db) = (shared.part(a, count), shared.part(b, count));
                        let g = &g[item * half + start..][..count];
                        gate_gradient(exec.level, &x[a..a + count], &x[b..b + count], g, da, db);
                    }
                });
                Ok(())
            })
        })?;
        plain(out, x.shape()).map(Some)
    }
}

vectorised! {
    /// # Safety
    /// The three slices must have one length.
    unsafe fn gate = gate_body(a: &[f32], b: &[f32], out: &mut [f32])
}

#[inline(always)]
unsafe fn gate_body<V: Vector>(a: &[f32], b: &[f32], out: &mut [f32]) {
    for ((a, b), out) in a.chunks(LANES).zip(b.chunks(LANES)).zip(out.chunks_mut(LANES)) {
        let (a, b) = (V::load_part(a, 0.0), V::load_part(b, 0.0));
        math::tanh(a).mul(math::sigmoid(b)).store_part(out);
    }
}

vectorised! {
    /// # Safety
    /// The five slices must have one length.
    unsafe fn gate_gradient = gate_gradient_body(a: &[f32], b: &[f32], g: &[f32], da: &mut [f32], db: &mut [f32])
}

#[inline(always)]
unsafe fn gate_gradient_body<V: Vector>(a: &[f32], b: &[f32], g: &[f32], da: &mut [f32], db: &mut [f32]) {
    let one = V::splat(1.0);
    let sources = a.chunks(LANES).zip(b.chunks(LANES)).zip(g.chunks(LANES));
    for (((a, b), g), (da, db)) in sources.zip(da.chunks_mut(LANES).zip(db.chunks_mut(LANES))) {
        let (t, s) = (math::tanh(V::load_part(a, 0.0)), math::sigmoid(V::load_part(b, 0.0)));
        let gs = V::load_part(g, 0.0).mul(s);
        gs.mul(one.sub(t.mul(t))).store_part(da);
        gs.mul(t).mul(one.sub(s)).store_part(db);
    }
}

/// The mean cross-entropy in nats of `logits` (batch, classes, time) against `targets` (batch, time) of `u32`: the loss
/// of a µ-law WaveNet. Logits need not be scaled in any way.
///
/// # Errors
/// If the shapes do not fit together or a target is no class.
pub fn cross_entropy(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let (batch, classes, time) = logits.dims3()?;
    if targets.dims() != [batch, time] || targets.dtype() != DType::U32 {
        bail!(
            "targets of shape {:?} and type {:?} for logits of {:?}",
            targets.shape(),
            targets.dtype(),
            logits.shape()
        );
    }
    let targets: Vec<u32> = targets.flatten_all()?.to_vec1()?;
    if let Some(target) = targets.iter().find(|target| **target as usize >= classes) {
        bail!("target {target} is not one of {classes} classes");
    }
    if batch * time == 0 {
        bail!("a cross-entropy needs at least one target");
    }
    logits.contiguous()?.apply_op1(CrossEntropy { targets })
}

struct CrossEntropy {
    targets: Vec<u32>,
}

/// Moments in time that one task handles.
const STRETCH: usize = 512;

impl CrossEntropy {
    /// Calls `each(target, logit)` for stretches of time, which writes to `out` and returns its share of the loss.
    fn stretches(&self, exec: Exec<'_>, logits: &[f32], dims: [usize; 3], scale: f32, out: Option<&mut [f32]>) -> f64 {
        let [batch, classes, time] = dims;
        let parts = time.div_ceil(STRETCH);
        let mut losses = vec![0.0; batch * parts];
        let slots = Shared::new(&mut losses);
        let out = out.map(Shared::new);
        exec.pool.run(batch * parts, |task| {
            let (item, start) = (task / parts, task % parts * STRETCH);
            let stretch = Stretch {
                logits: &logits[item * classes * time..(item + 1) * classes * time],
                targets: &self.targets[item * time..(item + 1) * time],
                start,
                count: STRETCH.min(time - start),
                out: out.as_ref().map(|out| out.pointer(item * classes * time, classes * time)),
                scale,
            };
            // SAFETY: tasks have slots and stretches of time of their own.
            unsafe { entropy(exec.level, &stretch, &mut slots.part(task, 1)[0]) };
        });
        losses.iter().sum()
    }
}

struct Stretch<'a> {
    /// (classes, time) of one item.
    logits: &'a [f32],
    targets: &'a [u32],
    start: usize,
    count: usize,
    /// Where the gradient goes, laid out like the logits, and its factor.
    out: Option<*mut f32>,
    scale: f32,
}

vectorised! {
    /// # Safety
    /// `out` must have room like the logits, and nobody else may write this stretch of it.
    unsafe fn entropy = entropy_body(stretch: &Stretch<'_>, loss: &mut f64)
}

#[inline(always)]
unsafe fn entropy_body<V: Vector>(stretch: &Stretch<'_>, loss: &mut f64) {
    let time = stretch.targets.len();
    let classes = stretch.logits.len() / time;
    for at in (stretch.start..stretch.start + stretch.count).step_by(LANES) {
        let end = (at + LANES).min(stretch.start + stretch.count);
        let read = |class: usize| V::load_part(&stretch.logits[class * time + at..class * time + end], 0.0);
        let mut largest = V::splat(f32::NEG_INFINITY);
        for class in 0..classes {
            largest = largest.max(read(class));
        }
        let mut sum = V::zero();
        for class in 0..classes {
            sum = sum.add(math::exp(read(class).sub(largest)));
        }
        let (tops, sums) = (largest.to_array(), sum.to_array());
        for (lane, moment) in (at..end).enumerate() {
            let logit = stretch.logits[stretch.targets[moment] as usize * time + moment];
            *loss += f64::from(tops[lane]) + f64::from(sums[lane]).ln() - f64::from(logit);
        }
        if let Some(out) = stretch.out {
            let factor = V::splat(stretch.scale).div(sum);
            for class in 0..classes {
                let gradient = math::exp(read(class).sub(largest)).mul(factor);
                // SAFETY: inside the item's gradient, and this stretch is ours.
                gradient.store_part(unsafe { std::slice::from_raw_parts_mut(out.add(class * time + at), end - at) });
            }
            for moment in at..end {
                // SAFETY: as above; targets were checked to be classes.
                unsafe { *out.add(stretch.targets[moment] as usize * time + moment) -= stretch.scale };
            }
        }
    }
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross-entropy"
    }

    fn cpu_fwd(&self, logits: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let dims = layout.shape().dims3()?;
        let loss = self.stretches(Exec::current(), numbers(logits, layout)?, dims.into(), 0.0, None);
        Ok((CpuStorage::F32(vec![(loss / self.targets.len() as f64) as f32]), Shape::from(())))
    }

    fn bwd(&self, logits: &Tensor, _: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        if builds_graphs() {
            bail!("the cross-entropy has no second derivative here");
        }
        let scale = g.to_scalar::<f32>()? / self.targets.len() as f32;
        let mut out = vec![0.0; logits.elem_count()];
        with_numbers(logits, |values| {
            self.stretches(Exec::current(), values, logits.dims3()?.into(), scale, Some(&mut out));
            Ok(())
        })?;
        plain(out, logits.shape()).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::kernels::testing::{Numbers, check_gradients};

    fn check(
        (batch, channels, time): (usize, usize, usize),
        op: &dyn Fn(&Tensor) -> Result<Tensor>,
        f: &dyn Fn(&[f64]) -> f64,
    ) -> Result<()> {
        let values = Numbers::new(4).vector(batch * channels * time);
        check_gradients(&[values], &[vec![batch, channels, time]], &|t| op(&t[0]), f, 1e-5)
    }

    #[test]
    fn the_gated_product_and_its_gradient_agree_with_f64() -> Result<()> {
        for time in [1, 8, 13] {
            let half = 3 * time;
            let f = |x: &[f64]| {
                let gate = |i: usize| x[i].tanh() / (1.0 + (-x[i + half]).exp());
                (0..2).flat_map(|item| (0..half).map(move |i| item * 2 * half + i)).map(|i| gate(i).powi(2)).sum()
            };
            check((2, 6, time), &|x| gated(x)?.sqr()?.sum_all(), &f)?;
        }
        Ok(())
    }

    #[test]
    fn the_cross_entropy_and_its_gradient_agree_with_f64() -> Result<()> {
        let (classes, time) = (5, 11);
        let targets: Vec<u32> = (0..2 * time).map(|i| (i * 7 % classes) as u32).collect();
        let tensor = Tensor::from_vec(targets.clone(), (2, time), &Device::Cpu)?;
        let f = |x: &[f64]| {
            let loss = |i: usize| {
                let at = |class: usize| x[i / time * classes * time + class * time + i % time];
                (0..classes).map(|class| at(class).exp()).sum::<f64>().ln() - at(targets[i] as usize)
            };
            (0..2 * time).map(loss).sum::<f64>() / (2 * time) as f64
        };
        check((2, classes, time), &|x| cross_entropy(x, &tensor), &f)?;
        let logits = Tensor::zeros((2, 3, time), DType::F32, &Device::Cpu)?;
        assert!(cross_entropy(&logits, &tensor).is_err(), "class 4 of 3");
        Ok(())
    }
}
