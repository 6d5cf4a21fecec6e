//! Activations whose derivative can be told from their result, so that only the result is kept for the backward pass.

#![allow(unsafe_code)]

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};

use super::math;
use crate::kernels::{
    Exec,
    autograd::{builds_graphs, numbers, plain, with_numbers},
    exec::{Shared, vectorised},
    vector::{LANES, Vector},
};

/// A function applied to every output of a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Activation {
    #[default]
    None,
    /// `max(x, slope · x)` for a slope in 0 ..= 1; slope 0 is ReLU. The derivative at 0 is the slope.
    LeakyRelu(f32),
    /// `min(max(x, 0), 6)`. The derivative at 0 and 6 is 0.
    Relu6,
    Tanh,
    Sigmoid,
}

impl Activation {
    #[inline(always)]
    pub(crate) fn apply<V: Vector>(self, x: V) -> V {
        match self {
            Self::None => x,
            Self::LeakyRelu(slope) => x.select_positive(x, x.mul(V::splat(slope))),
            Self::Relu6 => x.max(V::zero()).min(V::splat(6.0)),
            Self::Tanh => math::tanh(x),
            Self::Sigmoid => math::sigmoid(x),
        }
    }

    /// `gradient × f′(x)`, from `result = f(x)`.
    #[inline(always)]
    pub(crate) fn backward<V: Vector>(self, result: V, gradient: V) -> V {
        match self {
            Self::None => gradient,
            Self::LeakyRelu(slope) => result.select_positive(gradient, gradient.mul(V::splat(slope))),
            Self::Relu6 => {
                let below = V::splat(6.0).sub(result).select_positive(gradient, V::zero());
                result.select_positive(below, V::zero())
            }
            Self::Tanh => gradient.sub(gradient.mul(result).mul(result)),
            Self::Sigmoid => gradient.mul(result).mul(V::splat(1.0).sub(result)),
        }
    }
}

vectorised! {
    /// # Safety
    /// The three slices must have one length.
    unsafe fn gradient_of = gradient_body(activation: Activation, results: &[f32], g: &[f32], out: &mut [f32])
}

#[inline(always)]
unsafe fn gradient_body<V: Vector>(activation: Activation, results: &[f32], g: &[f32], out: &mut [f32]) {
    let whole = out.len() / LANES * LANES;
    for at in (0..whole).step_by(LANES) {
        // SAFETY: eight numbers from `at` are inside all three.
        unsafe {
            let (result, g) = (V::load(results.as_ptr().add(at)), V::load(g.as_ptr().add(at)));
            activation.backward(result, g).store(out.as_mut_ptr().add(at));
        }
    }
    let (result, g) = (V::load_part(&results[whole..], 0.0), V::load_part(&g[whole..], 0.0));
    activation.backward(result, g).store_part(&mut out[whole..]);
}

vectorised! {
    /// # Safety
    /// The two slices must have one length.
    unsafe fn values_of = values_body(activation: Activation, x: &[f32], out: &mut [f32])
}

#[inline(always)]
unsafe fn values_body<V: Vector>(activation: Activation, x: &[f32], out: &mut [f32]) {
    let whole = out.len() / LANES * LANES;
    for at in (0..whole).step_by(LANES) {
        // SAFETY: eight numbers from `at` are inside both.
        unsafe { activation.apply(V::load(x.as_ptr().add(at))).store(out.as_mut_ptr().add(at)) };
    }
    activation.apply(V::load_part(&x[whole..], 0.0)).store_part(&mut out[whole..]);
}

vectorised! {
    /// # Safety
    /// The two slices must have one length.
    unsafe fn mix_of = mix_body(gate: Option<Activation>, scale: f32, results: &[f32], share: f32, values: &mut [f32])
}

#[inline(always)]
unsafe fn mix_body<V: Vector>(gate: Option<Activation>, scale: f32, results: &[f32], share: f32, values: &mut [f32]) {
    let mixed = |result: V, value: V| {
        let value = gate.map_or(value, |activation| activation.backward(result, value));
        result.mul(V::splat(scale)).add(value.mul(V::splat(share)))
    };
    let whole = values.len() / LANES * LANES;
    for at in (0..whole).step_by(LANES) {
        // SAFETY: eight numbers from `at` are inside both.
        unsafe {
            let to = values.as_mut_ptr().add(at);
            mixed(V::load(results.as_ptr().add(at)), V::load(to)).store(to);
        }
    }
    let rest = mixed(V::load_part(&results[whole..], 0.0), V::load_part(&values[whole..], 0.0));
    rest.store_part(&mut values[whole..]);
}

/// `values = scale · results + share · values`, the values through the activation's derivative where there is a gate; each
/// image has its own scale.
pub(crate) fn mix(
    exec: Exec<'_>,
    gate: Option<Activation>,
    (results, scales): (&[f32], &[f32]),
    (values, share): (&mut [f32], f32),
) {
    assert_eq!(results.len(), values.len(), "what is mixed has one length");
    let image = values.len() / scales.len().max(1);
    if image == 0 {
        return;
    }
    exec.pool.run_rows(values, image, 1, |index, values| {
        // SAFETY: the slices have one length.
        unsafe { mix_of(exec.level, gate, scales[index], &results[index * image..(index + 1) * image], share, values) };
    });
}

/// Numbers that one thread handles at a time at least.
const GRAIN: usize = 16 << 10;

impl Activation {
    /// `f(x)`, number by number.
    pub(crate) fn values(self, exec: Exec<'_>, x: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; x.len()];
        let shared = Shared::new(&mut out);
        exec.pool.run_ranges(x.len(), GRAIN, |start, end| {
            // SAFETY: ranges do not overlap, and the slices have one length.
            unsafe { values_of(exec.level, self, &x[start..end], shared.part(start, end - start)) };
        });
        out
    }

    /// `g × f′`, number by number, from the results of the activation.
    pub(crate) fn gradient(self, exec: Exec<'_>, results: &[f32], g: &[f32]) -> Vec<f32> {
        assert_eq!(results.len(), g.len(), "results and their gradient have one length");
        let mut out = vec![0.0; g.len()];
        let shared = Shared::new(&mut out);
        exec.pool.run_ranges(g.len(), GRAIN, |start, end| {
            // SAFETY: ranges do not overlap, and the slices have one length.
            unsafe {
                gradient_of(exec.level, self, &results[start..end], &g[start..end], shared.part(start, end - start));
            }
        });
        out
    }

    /// The activation as an op with gradients.
    ///
    /// # Errors
    /// If `x` is not `f32` on the CPU.
    pub fn forward(self, x: &Tensor) -> Result<Tensor> {
        if self == Self::None { Ok(x.clone()) } else { x.contiguous()?.apply_op1(Op(self)) }
    }

    /// `result` differentiated once more: `f″(x) / f′(x)` as a function of the result, 0 for the piecewise linear ones.
    fn curvature(self, result: &Tensor) -> Result<Option<Tensor>> {
        match self {
            Self::None | Self::LeakyRelu(_) | Self::Relu6 => Ok(None),
            // f′ = 1 − f², so d f′ / d f = −2 f.
            Self::Tanh => result.affine(-2.0, 0.0).map(Some),
            // f′ = f − f², so d f′ / d f = 1 − 2 f.
            Self::Sigmoid => result.affine(-2.0, 1.0).map(Some),
        }
    }
}

/// `f(x)`.
struct Op(Activation);

impl CustomOp1 for Op {
    fn name(&self) -> &'static str {
        "activation"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let values = self.0.values(Exec::current(), numbers(x, layout)?);
        Ok((CpuStorage::F32(values), layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, result: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        if builds_graphs() {
            return ActivationGradient::apply(self.0, result, g).map(Some);
        }
        let gradient = with_numbers(result, |r| with_numbers(g, |g| Ok(self.0.gradient(Exec::current(), r, g))))?;
        plain(gradient, result.shape()).map(Some)
    }
}

/// `g × f′`, from the results `f(x)` and `g`.
pub(crate) struct ActivationGradient(Activation);

impl ActivationGradient {
    pub(crate) fn apply(activation: Activation, result: &Tensor, g: &Tensor) -> Result<Tensor> {
        if activation == Activation::None {
            return Ok(g.clone());
        }
        result.contiguous()?.apply_op2(&g.contiguous()?, Self(activation))
    }
}

impl CustomOp2 for ActivationGradient {
    fn name(&self) -> &'static str {
        "activation-gradient"
    }

    fn cpu_fwd(&self, r: &CpuStorage, lr: &Layout, g: &CpuStorage, lg: &Layout) -> Result<(CpuStorage, Shape)> {
        let values = self.0.gradient(Exec::current(), numbers(r, lr)?, numbers(g, lg)?);
        Ok((CpuStorage::F32(values), lr.shape().clone()))
    }

    fn bwd(&self, result: &Tensor, g: &Tensor, _: &Tensor, u: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let to_result = match self.0.curvature(result)? {
            Some(curvature) => Some(((curvature * g)? * u)?),
            None => None,
        };
        Ok((to_result, Some(Self::apply(self.0, result, u)?)))
    }
}
