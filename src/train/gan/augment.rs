//! DiffAugment (Zhao et al., "Differentiable Augmentation for Data-Efficient GAN Training", 2020): the critic sees real
//! and generated pictures only recoloured, moved and with a part blanked, and so cannot learn few pictures by heart.

use candle_core::{Device, Result, Tensor};

use crate::{
    kernels::shift::{Shift, shift2d},
    random::Rng,
};

/// How far a picture moves at most, of its side.
const MOVE: f64 = 0.125;
/// The side of what is blanked, of the picture's.
const BLANK: f64 = 0.5;

/// Pictures (N, C, H, W), each changed in its own way.
pub(super) fn augmented(pictures: &Tensor, rng: &mut Rng) -> Result<Tensor> {
    let (n, channels, height, width) = pictures.dims4()?;
    let mut numbers = |from: f64, to: f64| -> Result<Tensor> {
        let drawn: Vec<f32> = (0..n).map(|_| (from + (to - from) * rng.uniform()) as f32).collect();
        Tensor::from_vec(drawn, (n, 1, 1, 1), &Device::Cpu)
    };
    let mut x = pictures.broadcast_add(&numbers(-0.5, 0.5)?)?;
    if channels > 1 {
        let grey = x.mean_keepdim(1)?;
        x = x.broadcast_sub(&grey)?.broadcast_mul(&numbers(0.0, 2.0)?)?.broadcast_add(&grey)?;
    }
    let mean = x.mean_keepdim(1)?.mean_keepdim(2)?.mean_keepdim(3)?;
    x = x.broadcast_sub(&mean)?.broadcast_mul(&numbers(0.5, 1.5)?)?.broadcast_add(&mean)?;
    let mut below = |most: usize| rng.below(most + 1) as isize;
    let shifts: Vec<Shift> = (0..n)
        .map(|_| {
            let by = [height, width].map(|side| {
                let most = (side as f64 * MOVE + 0.5) as usize;
                below(2 * most) - most as isize
            });
            let [high, wide] = [height, width].map(|side| (side as f64 * BLANK + 0.5) as isize);
            let (y, x) = (below(height + (1 - high % 2) as usize), below(width + (1 - wide % 2) as usize));
            Shift { by, blank: [y - high / 2, x - wide / 2, high, wide] }
        })
        .collect();
    shift2d(&x, &shifts)
}
