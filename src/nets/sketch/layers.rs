//! What the networks share: a linear layer, layer norm with a right gradient, and the check of an input.

use candle_core::{DType, Result, Tensor};
use candle_nn::VarBuilder;

/// `y = x Wᵀ + b`, as `torch.nn.Linear`.
pub(super) struct Linear {
    weight: Tensor, // (out, in)
    bias: Tensor,   // (out)
}

impl Linear {
    pub(super) fn new(inputs: usize, outputs: usize, weights: &VarBuilder<'_>) -> Result<Self> {
        Self::named(inputs, outputs, "weight", "bias", weights)
    }

    /// A layer whose tensors have names of their own, as in `torch.nn.MultiheadAttention`.
    pub(super) fn named(
        inputs: usize,
        outputs: usize,
        weight: &str,
        bias: &str,
        weights: &VarBuilder<'_>,
    ) -> Result<Self> {
        Ok(Self { weight: weights.get((outputs, inputs), weight)?, bias: weights.get(outputs, bias)? })
    }

    /// (.., in) to (.., out)
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut shape = x.dims().to_vec();
        let inputs = shape.pop().unwrap_or(0);
        let rows: usize = shape.iter().product();
        shape.push(self.weight.dim(0)?);
        // One matrix product for all rows: (rows, in) · (in, out)
        let y = x.contiguous()?.reshape((rows, inputs))?.matmul(&self.weight.t()?)?;
        y.broadcast_add(&self.bias)?.reshape(shape)
    }
}

/// `torch.nn.LayerNorm` over the last dimension. Built of plain operations, because candle's fused one passes no
/// gradient on to its bias.
pub(super) struct LayerNorm {
    weight: Tensor, // (size)
    bias: Tensor,   // (size)
}

impl LayerNorm {
    /// PyTorch's default.
    const EPSILON: f32 = 1e-5;

    pub(super) fn new(size: usize, weights: &VarBuilder<'_>) -> Result<Self> {
        Ok(Self { weight: weights.get(size, "weight")?, bias: weights.get(size, "bias")? })
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        candle_nn::ops::layer_norm_slow(x, &self.weight, &self.bias, Self::EPSILON)
    }
}

/// `input` as floats, if its last dimension is `features` and the ones before are as many as `names`.
pub(super) fn checked(input: &Tensor, names: &[&str], features: usize) -> crate::Result<Tensor> {
    let dims = input.dims();
    if dims.len() != names.len() + 1 || dims.last() != Some(&features) || dims.contains(&0) {
        let wanted = format!("({}, {features})", names.join(", "));
        return Err(wrong_shape(dims, &wanted));
    }
    as_floats(input)
}

pub(super) fn as_floats(input: &Tensor) -> crate::Result<Tensor> {
    input.to_dtype(DType::F32).map_err(|why| super::failed("read the input", "读取输入", &why))
}

pub(super) fn wrong_shape(dims: &[usize], wanted: &str) -> crate::Error {
    crate::Error::new(
        format!("The input has the shape {dims:?}, but this network takes {wanted}; reshape it."),
        format!("输入的形状为 {dims:?}，而该网络需要 {wanted}；请调整形状。"),
    )
}
