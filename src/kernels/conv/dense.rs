//! A convolution whose one output sees the whole image, and its transpose from a single pixel: plain matrix products.

use super::{ConvShape, Finish, Gradient};
use crate::kernels::{elementwise::Activation, exec::Exec, gemm::matmul};

impl ConvShape {
    /// Whether every image gives a single output that every pixel has its own tap in.
    pub(super) fn is_dense(&self) -> bool {
        self.groups == 1
            && !self.doubled
            && self.output == [1; 2]
            && self.kernel == self.input
            && self.padding == [0; 2]
            && self.dilation == [1; 2]
    }

    /// Numbers of an image.
    fn image(&self) -> usize {
        self.in_channels * self.x_plane()
    }
}

/// `values` (…, channels, plane), a bias added to each channel and the activation applied.
fn finished(exec: Exec<'_>, mut values: Vec<f32>, (channels, plane): (usize, usize), finish: Finish<'_>) -> Vec<f32> {
    let each = |values: &mut [f32], change: &dyn Fn(usize, &mut f32)| {
        for (index, values) in values.chunks_exact_mut(plane).enumerate() {
            values.iter_mut().for_each(|value| change(index % channels, value));
        }
    };
    if let Some(bias) = finish.bias {
        each(&mut values, &|channel, value| *value += bias[channel]);
    }
    if finish.activation != Activation::None {
        values = finish.activation.values(exec, &values);
    }
    if let Some(slopes) = finish.slopes {
        each(&mut values, &|channel, value| *value = value.max(0.0) + slopes[channel] * value.min(0.0));
    }
    values
}

/// `y = activation(conv(x, w) + bias)`.
pub(super) fn forward(exec: Exec<'_>, shape: &ConvShape, x: &[f32], w: &[f32], finish: Finish<'_>) -> Vec<f32> {
    let y = matmul(exec, x, w, (shape.batch, shape.image(), shape.out_channels), (false, true));
    finished(exec, y, (shape.out_channels, 1), finish)
}

/// The gradient to `x`; with `bias` and `activation` the forward pass of a transposed convolution.
pub(super) fn backward_input(
    exec: Exec<'_>,
    shape: &ConvShape,
    w: &[f32],
    g: Gradient<'_>,
    finish: Finish<'_>,
) -> Vec<f32> {
    let applied = g.applied(exec);
    let g = applied.as_deref().unwrap_or(g.values);
    let dx = matmul(exec, g, w, (shape.batch, shape.out_channels, shape.image()), (false, false));
    finished(exec, dx, (shape.in_channels, shape.x_plane()), finish)
}

/// The gradient to `w`.
pub(super) fn backward_weight(exec: Exec<'_>, shape: &ConvShape, x: &[f32], g: Gradient<'_>) -> Vec<f32> {
    let applied = g.applied(exec);
    let g = applied.as_deref().unwrap_or(g.values);
    matmul(exec, g, x, (shape.out_channels, shape.batch, shape.image()), (true, false))
}
