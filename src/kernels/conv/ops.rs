//! The convolutions as candle ops with gradients of every order.
//!
//! A convolution is linear in its input and in its weight, so with its two gradients it forms a closed family: the
//! derivative of each of the three is made of the other two. That is all the second derivatives need.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};

use super::{
    ConvShape, Finish, Gradient, WeightValues, backward, backward_bias, backward_input, backward_weight, fixed::Mapped,
    forward,
};
use crate::kernels::{
    Exec,
    autograd::{builds_graphs, numbers, plain, with_numbers},
    elementwise::{Activation, activation::ActivationGradient},
};

/// A convolution together with the ranks that its tensors have in candle: 4, or 3 for one dimension.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conv {
    pub shape: ConvShape,
    pub rank: usize,
}

impl Conv {
    fn dims(&self, outer: usize, inner: usize, size: [usize; 2]) -> Shape {
        if self.rank == 3 { (outer, inner, size[1]).into() } else { (outer, inner, size[0], size[1]).into() }
    }

    fn x_dims(&self) -> Shape {
        self.dims(self.shape.batch, self.shape.groups * self.shape.in_channels, self.shape.input)
    }

    fn w_dims(&self) -> Shape {
        self.dims(self.shape.groups * self.shape.out_channels, self.shape.in_channels, self.shape.kernel)
    }

    fn y_dims(&self) -> Shape {
        self.dims(self.shape.batch, self.shape.groups * self.shape.out_channels, self.shape.output)
    }

    fn y_channels(&self) -> usize {
        self.shape.groups * self.shape.out_channels
    }

    fn forward(self, x: &Tensor, w: &Tensor) -> Result<Tensor> {
        x.contiguous()?.apply_op2(&w.contiguous()?, Forward(self))
    }

    fn to_input(self, w: &Tensor, g: &Tensor) -> Result<Tensor> {
        w.contiguous()?.apply_op2(&g.contiguous()?, ToInput(self))
    }

    fn to_weight(self, x: &Tensor, g: &Tensor) -> Result<Tensor> {
        x.contiguous()?.apply_op2(&g.contiguous()?, ToWeight(self))
    }
}

/// `y` from `x` and `w`.
struct Forward(Conv);
/// The gradient to `x` from `w` and the gradient to `y`.
struct ToInput(Conv);
/// The gradient to `w` from `x` and the gradient to `y`.
struct ToWeight(Conv);

type Pair = (Option<Tensor>, Option<Tensor>);

impl CustomOp2 for Forward {
    fn name(&self) -> &'static str {
        "conv"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout, w: &CpuStorage, lw: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, w) = (numbers(x, lx)?, numbers(w, lw)?);
        let y = forward(Exec::current(), &self.0.shape, x, w, Finish::default());
        Ok((CpuStorage::F32(y), self.0.y_dims()))
    }

    fn bwd(&self, x: &Tensor, w: &Tensor, _: &Tensor, g: &Tensor) -> Result<Pair> {
        let dx = x.track_op().then(|| self.0.to_input(w, g)).transpose()?;
        let dw = w.track_op().then(|| self.0.to_weight(x, g)).transpose()?;
        Ok((dx, dw))
    }
}

impl CustomOp2 for ToInput {
    fn name(&self) -> &'static str {
        "conv-to-input"
    }

    fn cpu_fwd(&self, w: &CpuStorage, lw: &Layout, g: &CpuStorage, lg: &Layout) -> Result<(CpuStorage, Shape)> {
        let (w, values) = (numbers(w, lw)?, numbers(g, lg)?);
        let g = Gradient { values, gate: None };
        let dx = backward_input(Exec::current(), &self.0.shape, w, g, Finish::default());
        Ok((CpuStorage::F32(dx), self.0.x_dims()))
    }

    fn bwd(&self, w: &Tensor, g: &Tensor, _: &Tensor, u: &Tensor) -> Result<Pair> {
        let dw = w.track_op().then(|| self.0.to_weight(u, g)).transpose()?;
        let dg = g.track_op().then(|| self.0.forward(u, w)).transpose()?;
        Ok((dw, dg))
    }
}

impl CustomOp2 for ToWeight {
    fn name(&self) -> &'static str {
        "conv-to-weight"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout, g: &CpuStorage, lg: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, values) = (numbers(x, lx)?, numbers(g, lg)?);
        let dw = backward_weight(Exec::current(), &self.0.shape, x, Gradient { values, gate: None });
        Ok((CpuStorage::F32(dw), self.0.w_dims()))
    }

    fn bwd(&self, x: &Tensor, g: &Tensor, _: &Tensor, v: &Tensor) -> Result<Pair> {
        let dx = x.track_op().then(|| self.0.to_input(v, g)).transpose()?;
        let dg = g.track_op().then(|| self.0.forward(x, v)).transpose()?;
        Ok((dx, dg))
    }
}

/// A convolution or transposed convolution with its bias and activation in one pass.
pub(super) struct Layer {
    pub conv: Conv,
    pub transposed: bool,
    pub activation: Activation,
    /// What was made of a weight that stays as it is.
    pub mapped: Option<Arc<Mapped>>,
}

struct Gradients {
    input: Option<Tensor>,
    weight: Option<Tensor>,
    bias: Option<Tensor>,
}

impl Layer {
    pub(super) fn apply(self, input: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
        let (input, weight) = (input.contiguous()?, weight.contiguous()?);
        match bias {
            Some(bias) => input.apply_op3(&weight, &bias.contiguous()?, self),
            None => input.apply_op2(&weight, self),
        }
    }

    fn channels(&self) -> usize {
        if self.transposed { self.conv.shape.groups * self.conv.shape.in_channels } else { self.conv.y_channels() }
    }

    fn run(&self, input: &[f32], weight: &[f32], bias: Option<&[f32]>) -> Result<(CpuStorage, Shape)> {
        let (exec, shape) = (Exec::current(), &self.conv.shape);
        if bias.is_some_and(|bias| bias.len() != self.channels()) {
            bail!("the bias of a convolution has one number a channel");
        }
        let weight = WeightValues { values: weight, mapped: self.mapped.as_deref() };
        Ok(if self.transposed {
            let input = Gradient { values: input, gate: None };
            let out = backward_input(exec, shape, weight, input, Finish::new(bias, self.activation));
            (CpuStorage::F32(out), self.conv.x_dims())
        } else {
            let out = forward(exec, shape, input, weight, Finish::new(bias, self.activation));
            (CpuStorage::F32(out), self.conv.y_dims())
        })
    }

    fn gradients(&self, input: &Tensor, weight: &Tensor, bias: bool, result: &Tensor, g: &Tensor) -> Result<Gradients> {
        if builds_graphs() {
            self.differentiable_gradients(input, weight, bias, result, g)
        } else {
            self.plain_gradients(input, weight, bias, result, g)
        }
    }

    fn differentiable_gradients(
        &self,
        input: &Tensor,
        weight: &Tensor,
        bias: bool,
        result: &Tensor,
        g: &Tensor,
    ) -> Result<Gradients> {
        let g = ActivationGradient::apply(self.activation, result, g)?;
        let others: Vec<usize> = (0..g.rank()).filter(|&dim| dim != 1).collect();
        let bias = bias.then(|| g.sum(others)).transpose()?;
        let (to_input, to_weight) = (input.track_op(), weight.track_op());
        let conv = self.conv;
        let (input, weight) = if self.transposed {
            (
                to_input.then(|| conv.forward(&g, weight)).transpose()?,
                to_weight.then(|| conv.to_weight(&g, input)).transpose()?,
            )
        } else {
            (
                to_input.then(|| conv.to_input(weight, &g)).transpose()?,
                to_weight.then(|| conv.to_weight(input, &g)).transpose()?,
            )
        };
        Ok(Gradients { input, weight, bias })
    }

    fn plain_gradients(
        &self,
        input: &Tensor,
        weight: &Tensor,
        bias: bool,
        result: &Tensor,
        g: &Tensor,
    ) -> Result<Gradients> {
        let exec = Exec::current();
        let (shape, wanted) = (&self.conv.shape, (input.track_op(), weight.track_op()));
        with_numbers(input, |i| {
            with_numbers(weight, |w| {
                with_numbers(result, |results| {
                    with_numbers(g, |values| {
                        let gate = (self.activation != Activation::None).then_some((results, self.activation));
                        let g = Gradient { values, gate };
                        let plane = values.len() / (shape.batch * self.channels());
                        let bias = bias.then(|| backward_bias(exec, self.channels(), plane, g, None));
                        let (di, dw) = if self.transposed {
                            // The gradient is the "input" of the convolution whose transpose ran forward.
                            let gated = g.applied(exec);
                            let g = Gradient { values: i, gate: None };
                            let gated = gated.as_deref().unwrap_or(values);
                            (
                                wanted.0.then(|| forward(exec, shape, gated, w, Finish::default())),
                                wanted.1.then(|| backward_weight(exec, shape, gated, g)),
                            )
                        } else {
                            backward(exec, shape, i, w, g, wanted)
                        };
                        Ok(Gradients {
                            input: di.map(|values| plain(values, input.shape())).transpose()?,
                            weight: dw.map(|values| plain(values, weight.shape())).transpose()?,
                            bias: bias.map(|values| plain(values, self.channels())).transpose()?,
                        })
                    })
                })
            })
        })
    }
}

impl CustomOp2 for Layer {
    fn name(&self) -> &'static str {
        "conv-layer"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout, w: &CpuStorage, lw: &Layout) -> Result<(CpuStorage, Shape)> {
        self.run(numbers(x, lx)?, numbers(w, lw)?, None)
    }

    fn bwd(&self, x: &Tensor, w: &Tensor, result: &Tensor, g: &Tensor) -> Result<Pair> {
        let gradients = self.gradients(x, w, false, result, g)?;
        Ok((gradients.input, gradients.weight))
    }
}

impl CustomOp3 for Layer {
    fn name(&self) -> &'static str {
        "conv-layer"
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
        self.run(numbers(x, lx)?, numbers(w, lw)?, Some(numbers(b, lb)?))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        b: &Tensor,
        result: &Tensor,
        g: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let gradients = self.gradients(x, w, b.track_op(), result, g)?;
        Ok((gradients.input, gradients.weight, gradients.bias))
    }
}
