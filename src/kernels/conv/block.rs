//! Convolutions of 3 × 3 as upscalers have them, for inference: with a slope for each channel, and in dense blocks,
//! which each see the input and all results before them.

use candle_core::{Result, Tensor, bail};

use super::{ConvShape, Finish, forward, transform::Plan};
use crate::kernels::{
    autograd::{check, plain, with_numbers},
    elementwise::Activation,
    exec::Exec,
};

/// Convolutions of 3 × 3 with padding 1: each takes the channels of `x` (batch, channels, height, width) and of all
/// results before it, and has a weight (out, in, 3, 3) and a bias (out). What the last one makes is the result, all
/// others pass the activation. Nothing is copied together between them. Has no gradient.
///
/// # Errors
/// If the shapes do not fit together or a tensor is not `f32` on the CPU.
pub fn dense_block(x: &Tensor, layers: &[(&Tensor, &Tensor)], activation: Activation) -> Result<Tensor> {
    let (batch, channels, height, width) = x.dims4()?;
    let mut shapes = Vec::with_capacity(layers.len());
    let mut seen = channels;
    for (weight, bias) in layers {
        check("a dense block", &[x, weight, bias])?;
        let (out_channels, in_channels, kh, kw) = weight.dims4()?;
        if in_channels != seen || [kh, kw] != [3; 2] || bias.dims() != [out_channels] {
            bail!("a layer of a dense block sees {seen} channels and cannot have the weight {:?}", weight.shape());
        }
        let shape = same_size([1, in_channels, out_channels], [height, width])?;
        shapes.push(shape);
        seen += out_channels;
    }
    let Some(last) = shapes.last().copied() else { return Ok(x.clone()) };
    let (exec, plane) = (Exec::current(), height * width);
    let mut out = vec![0.0_f32; batch * last.y_len()];
    let mut all = vec![0.0_f32; last.x_len()];
    with_numbers(x, |x| {
        for (image, out) in out.chunks_exact_mut(last.y_len()).enumerate() {
            all[..channels * plane].copy_from_slice(&x[image * channels * plane..(image + 1) * channels * plane]);
            for (index, (shape, (weight, bias))) in shapes.iter().zip(layers).enumerate() {
                let (seen, rest) = all.split_at_mut(shape.x_len());
                let is_last = index + 1 == layers.len();
                let activation = if is_last { Activation::None } else { activation };
                let y = if is_last { &mut *out } else { &mut rest[..shape.y_len()] };
                with_numbers(weight, |weight| {
                    with_numbers(bias, |bias| {
                        let finish = Finish::new(Some(bias), activation);
                        match Plan::new(shape) {
                            Some(plan) => plan.forward_into(exec, seen, weight.into(), finish, y),
                            None => y.copy_from_slice(&forward(exec, shape, seen, weight, finish)),
                        }
                        Ok(())
                    })
                })?;
            }
        }
        Ok(())
    })?;
    plain(out, (batch, last.out_channels, height, width))
}

/// `y = conv(x, w) + bias` with padding 1, multiplied by its channel's slope where it is negative (PReLU): `x` (batch,
/// in, height, width), `w` (out, in, 3, 3), `bias` and `slopes` (out). Has no gradient.
///
/// # Errors
/// As [`dense_block`].
pub fn conv2d_prelu(x: &Tensor, w: &Tensor, bias: &Tensor, slopes: &Tensor) -> Result<Tensor> {
    check("a convolution", &[x, w, bias, slopes])?;
    let ((batch, channels, height, width), (out, inner, kh, kw)) = (x.dims4()?, w.dims4()?);
    if channels != inner || [kh, kw] != [3; 2] || bias.dims() != [out] || slopes.dims() != [out] {
        bail!("a 3 × 3 convolution of {channels} channels with slopes cannot have the weight {:?}", w.shape());
    }
    let shape = same_size([batch, inner, out], [height, width])?;
    let y = with_numbers(x, |x| {
        with_numbers(w, |w| {
            with_numbers(bias, |bias| {
                with_numbers(slopes, |slopes| {
                    let finish = Finish { slopes: Some(slopes), ..Finish::new(Some(bias), Activation::None) };
                    Ok(forward(Exec::current(), &shape, x, w, finish))
                })
            })
        })
    })?;
    plain(y, (batch, out, height, width))
}

/// A convolution of 3 × 3 with padding 1.
fn same_size([batch, in_channels, out_channels]: [usize; 3], size: [usize; 2]) -> Result<ConvShape> {
    let shape = ConvShape {
        batch,
        groups: 1,
        in_channels,
        out_channels,
        input: size,
        output: size,
        kernel: [3; 2],
        stride: [1; 2],
        padding: [1; 2],
        dilation: [1; 2],
        doubled: false,
    };
    shape.check().map_err(candle_core::Error::wrap)?;
    Ok(shape)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{
        conv::{ConvOptions, conv2d},
        testing::Numbers,
    };

    #[test]
    fn negative_results_have_their_channels_slope() -> Result<()> {
        let mut numbers = Numbers::new(32);
        for (channels, out, size) in [(16, 24, [18, 21]), (3, 5, [4, 6]), (64, 64, [5, 5]), (3, 4, [3, 3])] {
            let mut tensor = |dims: &[usize]| plain(numbers.vector(dims.iter().product()), dims);
            let (x, w) = (tensor(&[2, channels, size[0], size[1]])?, tensor(&[out, channels, 3, 3])?);
            let (bias, slopes) = (tensor(&[out])?, tensor(&[out])?);
            let y = conv2d(&x, &w, Some(&bias), &ConvOptions::new(1, 1), Activation::None)?;
            let below = y.minimum(0.0)?.broadcast_mul(&slopes.reshape((1, out, 1, 1))?)?;
            let wanted = (y.maximum(0.0)? + below)?.flatten_all()?.to_vec1::<f32>()?;
            let got = conv2d_prelu(&x, &w, &bias, &slopes)?.flatten_all()?.to_vec1::<f32>()?;
            assert!(got.iter().zip(&wanted).all(|(a, b)| (a - b).abs() < 1e-6));
            assert!(conv2d_prelu(&x, &w, &bias, &x).is_err());
        }
        Ok(())
    }

    #[test]
    fn it_is_the_convolutions_one_after_another() -> Result<()> {
        let mut numbers = Numbers::new(31);
        // Layers that a scheme serves, and ones that none does.
        for (batch, channels, growth, size) in [(1, 16, 8, [19, 22]), (2, 3, 5, [4, 7]), (1, 24, 16, [40, 33])] {
            let mut tensor = |dims: &[usize]| plain(numbers.vector(dims.iter().product()), dims);
            let x = tensor(&[batch, channels, size[0], size[1]])?;
            let outs = [growth, growth, channels];
            let weights =
                (0..3).map(|k| tensor(&[outs[k], channels + k * growth, 3, 3])).collect::<Result<Vec<_>>>()?;
            let biases = outs.iter().map(|out| tensor(&[*out])).collect::<Result<Vec<_>>>()?;
            let act = Activation::LeakyRelu(0.2);
            let mut seen = x.clone();
            let mut wanted = x.clone();
            for (k, (weight, bias)) in weights.iter().zip(&biases).enumerate() {
                let act = if k == 2 { Activation::None } else { act };
                wanted = conv2d(&seen, weight, Some(bias), &ConvOptions::new(1, 1), act)?;
                seen = Tensor::cat(&[&seen, &wanted], 1)?;
            }
            let layers: Vec<_> = weights.iter().zip(&biases).collect();
            let got = dense_block(&x, &layers, act)?;
            let flat = |t: &Tensor| t.flatten_all()?.to_vec1::<f32>();
            assert_eq!(got.dims(), wanted.dims());
            assert_eq!(flat(&got)?, flat(&wanted)?);
            let wrong: Vec<_> = layers.iter().rev().copied().collect();
            assert!(dense_block(&x, &wrong, act).is_err());
        }
        Ok(())
    }
}
