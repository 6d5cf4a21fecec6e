//! Convolutions in one and two dimensions with gradients of every order, bias and activation fused.
//!
//! Tensors are contiguous `f32` in NCHW (or NCT) at the border; inside, most tiles are channels-last. Weights are laid
//! out as PyTorch lays them out: (out, in / groups, kernel…) and, transposed, (in, out / groups, kernel…).

mod block;
mod dense;
mod depthwise;
mod direct;
mod fixed;
mod gated;
mod ops;
mod planar;
mod shape;
mod stage;
#[cfg(test)]
mod tests;
mod tiles;
pub(crate) mod transform;

use candle_core::{Result, Tensor, bail};

use super::{autograd::check, elementwise::Activation, exec::Exec};
pub use block::{conv2d_prelu, dense_block};
pub(crate) use direct::{Gradient, backward_bias};
use fixed::WeightValues;
pub use fixed::{ConvWeight, Weight};
pub use gated::{GatedLayer, gated_stack};
use ops::{Conv, Layer};
pub use shape::ConvShape;
pub(crate) use stage::Finish;
use transform::Plan;

/// Stride, padding, dilation and groups of a convolution, vertical first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvOptions {
    pub stride: [usize; 2],
    /// Zeros before the first row and column.
    pub padding: [usize; 2],
    /// Zeros after the last row and column; for transposed convolutions, `padding` less the output padding.
    pub padding_end: [usize; 2],
    pub dilation: [usize; 2],
    pub groups: usize,
}

impl Default for ConvOptions {
    fn default() -> Self {
        Self { stride: [1; 2], padding: [0; 2], padding_end: [0; 2], dilation: [1; 2], groups: 1 }
    }
}

impl ConvOptions {
    /// The same stride and padding on every side.
    pub fn new(stride: usize, padding: usize) -> Self {
        Self { stride: [stride; 2], padding: [padding; 2], padding_end: [padding; 2], ..Self::default() }
    }

    #[must_use]
    pub fn with_groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }

    #[must_use]
    pub fn with_dilation(self, dilation: usize) -> Self {
        Self { dilation: [dilation; 2], ..self }
    }

    /// The options of a one-dimensional convolution: only the horizontal values.
    fn flat(self) -> Self {
        let flat = |[_, horizontal]: [usize; 2], vertical| [vertical, horizontal];
        Self {
            stride: flat(self.stride, 1),
            padding: flat(self.padding, 0),
            padding_end: flat(self.padding_end, 0),
            dilation: flat(self.dilation, 1),
            groups: self.groups,
        }
    }
}

/// `activation(conv(x, w) + bias)`: `x` (batch, in, height, width), `w` (out, in / groups, height, width).
///
/// # Errors
/// If the shapes do not fit together or a tensor is not `f32` on the CPU.
pub fn conv2d(
    x: &Tensor,
    w: &impl Weight,
    bias: Option<&Tensor>,
    options: &ConvOptions,
    activation: Activation,
) -> Result<Tensor> {
    let ((n, c, h, width), (out, inner, kh, kw)) = (x.dims4()?, w.tensor().dims4()?);
    convolve((x, [n, c, h, width]), (w, [out, inner, kh, kw]), bias, options, activation)
}

/// `activation(conv(x, w) + bias)` over time: `x` (batch, in, time), `w` (out, in / groups, taps). Of the options the
/// second, horizontal, values count.
///
/// # Errors
/// As [`conv2d`].
pub fn conv1d(
    x: &Tensor,
    w: &impl Weight,
    bias: Option<&Tensor>,
    options: &ConvOptions,
    activation: Activation,
) -> Result<Tensor> {
    let ((n, c, t), (out, inner, taps)) = (x.dims3()?, w.tensor().dims3()?);
    convolve((x, [n, c, 1, t]), (w, [out, inner, 1, taps]), bias, &options.flat(), activation)
}

fn convolve(
    (x, [batch, channels, height, width]): (&Tensor, [usize; 4]),
    (w, [out, inner, kh, kw]): (&impl Weight, [usize; 4]),
    bias: Option<&Tensor>,
    options: &ConvOptions,
    activation: Activation,
) -> Result<Tensor> {
    check("a convolution", &[x, w.tensor()])?;
    check("a convolution", bias.as_slice())?;
    if options.groups == 0 || channels != inner * options.groups || out % options.groups != 0 {
        bail!(
            "a convolution of {channels} channels in {} groups cannot have the weight {:?}",
            options.groups,
            w.tensor().shape()
        );
    }
    let mut shape = ConvShape {
        batch,
        groups: options.groups,
        in_channels: inner,
        out_channels: out / options.groups,
        input: [height, width],
        output: [0; 2],
        kernel: [kh, kw],
        stride: options.stride,
        padding: options.padding,
        dilation: options.dilation,
        doubled: false,
    };
    for axis in 0..2 {
        match shape.output_for(axis, options.padding_end[axis]) {
            Some(size) => shape.output[axis] = size,
            None => bail!("the kernel {:?} does not fit into the input {:?}", w.tensor().shape(), x.shape()),
        }
    }
    shape.check().map_err(candle_core::Error::wrap)?;
    let conv = Conv { shape, rank: x.rank() };
    Layer { conv, transposed: false, activation, mapped: w.mapped().cloned() }.apply(x, w.tensor(), bias)
}

/// `activation(conv(upsample(x), w) + bias)`: `x` (batch, in, height, width) is doubled by repeating every pixel, `w`
/// (out, in, 3, 3) is applied with padding 1. The doubled image never exists, and its repetitions are not multiplied.
///
/// # Errors
/// As [`conv2d`].
pub fn upsample_conv2d(x: &Tensor, w: &impl Weight, bias: Option<&Tensor>, activation: Activation) -> Result<Tensor> {
    let ((batch, channels, height, width), (out, inner, kh, kw)) = (x.dims4()?, w.tensor().dims4()?);
    check("a convolution", &[x, w.tensor()])?;
    check("a convolution", bias.as_slice())?;
    if channels != inner || [kh, kw] != [3; 2] {
        bail!("a 3 × 3 convolution of {channels} channels cannot have the weight {:?}", w.tensor().shape());
    }
    let shape = ConvShape {
        batch,
        groups: 1,
        in_channels: channels,
        out_channels: out,
        input: [height, width],
        output: [height.saturating_mul(2), width.saturating_mul(2)],
        kernel: [3; 2],
        stride: [1; 2],
        padding: [1; 2],
        dilation: [1; 2],
        doubled: true,
    };
    shape.check().map_err(candle_core::Error::wrap)?;
    let conv = Conv { shape, rank: 4 };
    Layer { conv, transposed: false, activation, mapped: w.mapped().cloned() }.apply(x, w.tensor(), bias)
}

/// `activation(transposed conv(x, w) + bias)`: `x` (batch, in, height, width), `w` (in, out / groups, height, width);
/// the output is `(n − 1) · stride − padding − padding_end + dilation · (kernel − 1) + 1` in each direction.
///
/// # Errors
/// As [`conv2d`].
pub fn conv_transpose2d(
    x: &Tensor,
    w: &impl Weight,
    bias: Option<&Tensor>,
    options: &ConvOptions,
    activation: Activation,
) -> Result<Tensor> {
    let ((n, c, h, width), (inner, out, kh, kw)) = (x.dims4()?, w.tensor().dims4()?);
    transpose((x, [n, c, h, width]), (w, [inner, out, kh, kw]), bias, options, activation)
}

/// The transposed convolution over time: `x` (batch, in, time), `w` (in, out / groups, taps).
///
/// # Errors
/// As [`conv2d`].
pub fn conv_transpose1d(
    x: &Tensor,
    w: &impl Weight,
    bias: Option<&Tensor>,
    options: &ConvOptions,
    activation: Activation,
) -> Result<Tensor> {
    let ((n, c, t), (inner, out, taps)) = (x.dims3()?, w.tensor().dims3()?);
    transpose((x, [n, c, 1, t]), (w, [inner, out, 1, taps]), bias, &options.flat(), activation)
}

fn transpose(
    (x, [batch, channels, height, width]): (&Tensor, [usize; 4]),
    (w, [inner, out, kh, kw]): (&impl Weight, [usize; 4]),
    bias: Option<&Tensor>,
    options: &ConvOptions,
    activation: Activation,
) -> Result<Tensor> {
    check("a transposed convolution", &[x, w.tensor()])?;
    check("a transposed convolution", bias.as_slice())?;
    if options.groups == 0 || channels != inner || inner % options.groups != 0 {
        bail!("a transposed convolution of {channels} channels cannot have the weight {:?}", w.tensor().shape());
    }
    let (kernel, small) = ([kh, kw], [height, width]);
    let mut input = [0; 2];
    for axis in 0..2 {
        let reach = (small[axis].max(1) - 1).checked_mul(options.stride[axis]).and_then(|steps| {
            let taps = options.dilation[axis].checked_mul(kernel[axis].checked_sub(1)?)?;
            steps.checked_add(taps)?.checked_add(1)
        });
        let size =
            reach.and_then(|reach| reach.checked_sub(options.padding[axis])?.checked_sub(options.padding_end[axis]));
        match size {
            Some(size) => input[axis] = size,
            None => bail!("the padding of a transposed convolution is larger than its output"),
        }
    }
    // The convolution whose gradient to its input this is.
    let shape = ConvShape {
        batch,
        groups: options.groups,
        in_channels: out,
        out_channels: inner / options.groups,
        input,
        output: small,
        kernel,
        stride: options.stride,
        padding: options.padding,
        dilation: options.dilation,
        doubled: false,
    };
    shape.check().map_err(candle_core::Error::wrap)?;
    let conv = Conv { shape, rank: x.rank() };
    Layer { conv, transposed: true, activation, mapped: w.mapped().cloned() }.apply(x, w.tensor(), bias)
}

/// `y = activation(conv(x, w) + bias)`.
pub(crate) fn forward<'a>(
    exec: Exec<'_>,
    shape: &ConvShape,
    x: &[f32],
    w: impl Into<WeightValues<'a>>,
    finish: Finish<'_>,
) -> Vec<f32> {
    let w = w.into();
    if shape.is_dense() {
        return dense::forward(exec, shape, x, w.values, finish);
    }
    if shape.is_depthwise() {
        return depthwise::forward(exec, shape, x, w.values, finish);
    }
    if planar::serves(shape) {
        return planar::forward(exec, shape, Gradient { values: x, gate: None }, w.values, finish, None);
    }
    match Plan::new(shape) {
        Some(plan) => plan.forward(exec, x, w, finish),
        None => direct::forward(exec, shape, x, w.values, finish),
    }
}

/// The gradient to `x`; with `bias` and `activation` the forward pass of a transposed convolution.
pub(crate) fn backward_input<'a>(
    exec: Exec<'_>,
    shape: &ConvShape,
    w: impl Into<WeightValues<'a>>,
    g: Gradient<'_>,
    finish: Finish<'_>,
) -> Vec<f32> {
    let w = w.into();
    if shape.is_dense() {
        return dense::backward_input(exec, shape, w.values, g, finish);
    }
    if shape.is_depthwise() {
        return depthwise::backward_input(exec, shape, w.values, g, finish);
    }
    if planar::serves(shape) {
        return planar::backward_input(exec, shape, w.values, g, finish, None);
    }
    match Plan::new(shape).filter(|plan| shape.doubled || plan.holds_images()) {
        Some(plan) => plan.backward(exec, (&[], w), g, (true, false), finish).0.unwrap_or_default(),
        None => direct::backward_input(exec, shape, w.values, g, finish),
    }
}

/// `y = conv(x, w) + residual`, where `x` may have to go through a gate first.
pub(crate) fn forward_linear(
    exec: Exec<'_>,
    shape: &ConvShape,
    x: Gradient<'_>,
    w: &[f32],
    residual: Option<&[f32]>,
) -> Vec<f32> {
    if planar::serves(shape) && !shape.is_dense() && !shape.is_depthwise() {
        return planar::forward(exec, shape, x, w, Finish::default(), residual);
    }
    let applied = x.applied(exec);
    let mut y = forward(exec, shape, applied.as_deref().unwrap_or(x.values), w, Finish::default());
    add(&mut y, residual);
    y
}

/// The gradient to `x`, plus `residual`.
pub(crate) fn backward_input_onto(
    exec: Exec<'_>,
    shape: &ConvShape,
    w: &[f32],
    g: Gradient<'_>,
    residual: Option<&[f32]>,
) -> Vec<f32> {
    if planar::serves(shape) && !shape.is_dense() && !shape.is_depthwise() {
        return planar::backward_input(exec, shape, w, g, Finish::default(), residual);
    }
    let mut dx = backward_input(exec, shape, w, g, Finish::default());
    add(&mut dx, residual);
    dx
}

fn add(values: &mut [f32], more: Option<&[f32]>) {
    let more = more.into_iter().flatten();
    values.iter_mut().zip(more).for_each(|(value, more)| *value += more);
}

/// The gradient to `w`. The sum over the batch is split in a way that depends on the shape alone.
pub(crate) fn backward_weight(exec: Exec<'_>, shape: &ConvShape, x: &[f32], g: Gradient<'_>) -> Vec<f32> {
    if shape.is_dense() {
        return dense::backward_weight(exec, shape, x, g);
    }
    if planar::serves(shape) {
        return planar::backward_weight(exec, shape, x, g);
    }
    match Plan::new(shape) {
        Some(plan) => {
            plan.backward(exec, (x, [].as_slice().into()), g, (false, true), Finish::default()).1.unwrap_or_default()
        }
        None => direct::backward_weight(exec, shape, x, g),
    }
}

/// Both gradients of a convolution at once, those that are `wanted`: to the input and to the weight.
pub(crate) fn backward(
    exec: Exec<'_>,
    shape: &ConvShape,
    x: &[f32],
    w: &[f32],
    g: Gradient<'_>,
    wanted: (bool, bool),
) -> (Option<Vec<f32>>, Option<Vec<f32>>) {
    if let Some(plan) = Plan::new(shape).filter(|plan| shape.doubled || plan.holds_images()) {
        return plan.backward(exec, (x, w.into()), g, wanted, Finish::default());
    }
    (
        wanted.0.then(|| backward_input(exec, shape, w, g, Finish::default())),
        wanted.1.then(|| backward_weight(exec, shape, x, g)),
    )
}
