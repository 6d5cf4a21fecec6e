//! The stack as a candle op.

use std::sync::{Mutex, PoisonError};

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape as Dims, Tensor, bail};

use super::{
    Shape,
    run::{self, Trace},
};
use crate::kernels::{
    Exec,
    autograd::{builds_graphs, numbers, plain, with_numbers},
};

struct Stack {
    shape: Shape,
    /// Whether a backward pass may follow.
    training: bool,
    /// What the forward pass left for the backward pass.
    trace: Mutex<Option<Trace>>,
}

pub(super) fn apply(shape: Shape, x: &Tensor, weights: &Tensor, condition: Option<&Tensor>) -> Result<Tensor> {
    let training = x.track_op() || weights.track_op() || condition.is_some_and(Tensor::track_op);
    let stack = Stack { shape, training, trace: Mutex::new(None) };
    match condition {
        Some(condition) => x.contiguous()?.apply_op3(weights, &condition.contiguous()?, stack),
        None => x.contiguous()?.apply_op2(weights, stack),
    }
}

type Three = (Option<Tensor>, Option<Tensor>, Option<Tensor>);

impl Stack {
    fn forward(&self, x: &[f32], weights: &[f32], condition: &[f32]) -> (CpuStorage, Dims) {
        let shape = &self.shape;
        let (out, trace) = run::forward(Exec::current(), shape, x, weights, condition, self.training);
        *self.trace.lock().unwrap_or_else(PoisonError::into_inner) = trace;
        (CpuStorage::F32(out), (shape.batch, shape.channels + shape.skip, shape.time).into())
    }

    fn backward(&self, x: &Tensor, weights: &Tensor, condition: Option<&Tensor>, g: &Tensor) -> Result<Three> {
        if builds_graphs() {
            bail!("a gated stack has no second derivative");
        }
        let trace = self.trace.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(trace) = trace.as_ref() else { bail!("a gated stack was not run for training") };
        let gradients = with_numbers(weights, |w| {
            with_numbers(g, |g| Ok(run::backward(Exec::current(), &self.shape, w, trace, g)))
        })?;
        let condition = match condition.filter(|condition| condition.track_op()) {
            Some(condition) => Some(plain(gradients.condition, condition.shape())?),
            None => None,
        };
        Ok((Some(plain(gradients.x, x.shape())?), Some(plain(gradients.weights, weights.shape())?), condition))
    }
}

impl CustomOp2 for Stack {
    fn name(&self) -> &'static str {
        "gated-stack"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout, w: &CpuStorage, lw: &Layout) -> Result<(CpuStorage, Dims)> {
        Ok(self.forward(numbers(x, lx)?, numbers(w, lw)?, &[]))
    }

    fn bwd(&self, x: &Tensor, w: &Tensor, _: &Tensor, g: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (x, w, _) = self.backward(x, w, None, g)?;
        Ok((x, w))
    }
}

impl CustomOp3 for Stack {
    fn name(&self) -> &'static str {
        "gated-stack"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
        c: &CpuStorage,
        lc: &Layout,
    ) -> Result<(CpuStorage, Dims)> {
        Ok(self.forward(numbers(x, lx)?, numbers(w, lw)?, numbers(c, lc)?))
    }

    fn bwd(&self, x: &Tensor, w: &Tensor, c: &Tensor, _: &Tensor, g: &Tensor) -> Result<Three> {
        self.backward(x, w, Some(c), g)
    }
}
