//! Every convolution against plain loops in `f64`, at every level of instructions and for several thread counts.

use candle_core::{DType, Device, Tensor, Var};

use super::*;
use crate::kernels::{
    Level, Pool, autograd,
    testing::{Numbers, assert_close},
};

/// Calls `visit(x index, w index, y index)` for every product of the convolution.
fn each_product(s: &ConvShape, mut visit: impl FnMut(usize, usize, usize)) {
    let [h, w] = s.input;
    let [oh, ow] = s.output;
    let [kh, kw] = s.kernel;
    for image in 0..s.batch {
        for out in 0..s.groups * s.out_channels {
            for inner in 0..s.in_channels {
                let channel = out / s.out_channels * s.in_channels + inner;
                for (oy, ox) in (0..oh * ow).map(|i| (i / ow, i % ow)) {
                    for (ky, kx) in (0..kh * kw).map(|i| (i / kw, i % kw)) {
                        let by = if s.doubled { 2 } else { 1 };
                        let y = (oy * s.stride[0] + ky * s.dilation[0]).wrapping_sub(s.padding[0]);
                        let x = (ox * s.stride[1] + kx * s.dilation[1]).wrapping_sub(s.padding[1]);
                        if y < h * by && x < w * by {
                            let (y, x) = (y / by, x / by);
                            visit(
                                ((image * s.groups * s.in_channels + channel) * h + y) * w + x,
                                ((out * s.in_channels + inner) * kh + ky) * kw + kx,
                                ((image * s.groups * s.out_channels + out) * oh + oy) * ow + ox,
                            );
                        }
                    }
                }
            }
        }
    }
}

fn shape(
    (batch, groups, in_channels, out_channels): (usize, usize, usize, usize),
    input: [usize; 2],
    kernel: [usize; 2],
    [stride, padding, dilation]: [usize; 3],
) -> Option<ConvShape> {
    let mut shape = ConvShape {
        batch,
        groups,
        in_channels,
        out_channels,
        input,
        output: [0; 2],
        kernel,
        stride: [stride; 2],
        padding: [padding; 2],
        dilation: [dilation; 2],
        doubled: false,
    };
    shape.output = [shape.output_for(0, padding)?, shape.output_for(1, padding)?];
    Some(shape)
}

fn shapes() -> Vec<ConvShape> {
    let mut numbers = Numbers::new(11);
    let mut shapes = vec![
        shape((2, 1, 3, 48), [16, 16], [4, 4], [2, 1, 1]),
        shape((3, 1, 48, 20), [8, 8], [4, 4], [2, 1, 1]),
        shape((2, 1, 40, 33), [8, 8], [3, 3], [1, 1, 1]),
        shape((1, 1, 17, 3), [40, 21], [3, 3], [1, 1, 1]),
        shape((2, 1, 32, 64), [1, 700], [1, 2], [1, 0, 1]),
        shape((1, 1, 16, 24), [1, 600], [1, 2], [1, 0, 64]),
        shape((5, 1, 70, 1), [4, 4], [4, 4], [1, 0, 1]),
        shape((70, 1, 9, 45), [2, 5], [2, 5], [1, 0, 1]),
        shape((1, 8, 1, 1), [9, 9], [3, 3], [1, 1, 1]),
        shape((1, 1, 1, 1), [1, 1], [1, 1], [1, 0, 1]),
        shape((2, 1, 5, 6), [7, 7], [1, 1], [3, 0, 1]),
    ];
    while shapes.len() < 40 {
        let mut pick = |low, high| numbers.between(low, high);
        shapes.push(shape(
            (pick(1, 3), pick(1, 3), pick(1, 19), pick(1, 35)),
            [pick(1, 12), pick(1, 30)],
            [pick(1, 4), pick(1, 5)],
            [pick(1, 3), pick(0, 3), pick(1, 2)],
        ));
    }
    let fast = [([4, 4], [2, 1, 1]), ([3, 3], [1, 1, 1]), ([4, 4], [2, 0, 1]), ([3, 3], [1, 2, 1])];
    for (kernel, how) in fast {
        for (channels, input) in [((2, 1, 16, 24), [16, 16]), ((1, 1, 19, 9), [7, 22]), ((3, 1, 32, 40), [4, 5])] {
            shapes.push(shape(channels, input, kernel, how));
        }
    }
    shapes.push(shape((2, 1, 16, 16), [90, 70], [3, 3], [1, 1, 1]));
    for (kernel, how) in [([3, 3], [1, 1, 1]), ([5, 5], [1, 2, 1]), ([3, 3], [2, 1, 1]), ([5, 4], [3, 2, 2])] {
        for (groups, input) in [(19, [16, 16]), (2, [13, 41]), (5, [7, 70])] {
            shapes.push(shape((2, groups, 1, 1), input, kernel, how));
        }
    }
    // In planes: a tap, and groups, in tiles of whole images, of rows and of stretches of a row.
    for (channels, input) in [((5, 1, 24, 48), [4, 4]), ((2, 1, 9, 3), [1, 2100]), ((1, 1, 3, 13), [37, 41])] {
        shapes.push(shape(channels, input, [1, 1], [1, 0, 1]));
    }
    for (channels, input) in [((7, 3, 8, 8), [4, 4]), ((2, 2, 8, 8), [64, 64]), ((1, 2, 5, 9), [21, 17])] {
        shapes.push(shape(channels, input, [3, 3], [1, 1, 1]));
    }
    shapes.push(shape((2, 2, 3, 12), [3, 1500], [3, 3], [1, 2, 2]));
    shapes.push(shape((2, 3, 4, 7), [9, 20], [2, 5], [1, 0, 1]));
    for (channels, input) in [((2, 1, 17, 20), [16, 16]), ((1, 1, 30, 9), [14, 22]), ((1, 1, 16, 24), [96, 110])] {
        shapes.push(shape(channels, input, [4, 4], [2, 1, 1]));
    }
    for (channels, input) in [((2, 1, 16, 24), [8, 8]), ((1, 1, 3, 5), [1, 9]), ((3, 1, 20, 3), [5, 4])] {
        shapes.extend(shape(channels, input, [3, 3], [1, 1, 1]).map(|s| {
            let output = input.map(|n| 2 * n);
            Some(ConvShape { doubled: true, output, ..s })
        }));
    }
    shapes.into_iter().flatten().collect()
}

/// The three results in `f64`.
fn reference(s: &ConvShape, x: &[f32], w: &[f32], g: &[f64]) -> [Vec<f64>; 3] {
    let (mut y, mut dx, mut dw) = (vec![0.0; s.y_len()], vec![0.0; s.x_len()], vec![0.0; s.w_len()]);
    each_product(s, |ix, iw, iy| {
        y[iy] += f64::from(x[ix]) * f64::from(w[iw]);
        dx[ix] += g[iy] * f64::from(w[iw]);
        dw[iw] += g[iy] * f64::from(x[ix]);
    });
    [y, dx, dw]
}

#[test]
fn all_three_agree_with_f64_at_every_level_and_for_any_number_of_threads() {
    let mut numbers = Numbers::new(3);
    let slope = 0.2_f32;
    for s in shapes() {
        let (x, w, g) = (numbers.vector(s.x_len()), numbers.vector(s.w_len()), numbers.vector(s.y_len()));
        let (bias, results) = (numbers.vector(s.groups * s.out_channels), numbers.vector(s.y_len()));
        let gated: Vec<f64> = results
            .iter()
            .zip(&g)
            .map(|(r, g)| f64::from(*g) * if *r > 0.0 { 1.0 } else { f64::from(slope) })
            .collect();
        let [mut y, dx, dw] = reference(&s, &x, &w, &gated);
        let mut db = vec![0.0; bias.len()];
        for (i, y) in y.iter_mut().enumerate() {
            let channel = i / s.y_plane() % bias.len();
            *y += f64::from(bias[channel]);
            *y = if *y > 0.0 { *y } else { *y * f64::from(slope) };
            db[channel] += gated[i];
        }
        let activation = Activation::LeakyRelu(slope);
        let gradient = Gradient { values: &g, gate: Some((&results, activation)) };
        for level in Level::present() {
            let mut first = None;
            for threads in 1..=3 {
                let pool = Pool::new(threads);
                let exec = Exec { level, pool: &pool };
                let got = [
                    forward(exec, &s, &x, &w[..], Finish::new(Some(&bias), activation)),
                    backward_input(exec, &s, &w[..], gradient, Finish::default()),
                    backward_weight(exec, &s, &x, gradient),
                    backward_bias(exec, bias.len(), s.y_plane(), gradient, None),
                ];
                for (got, (expected, what)) in
                    got.iter().zip([(&y, "forward"), (&dx, "to input"), (&dw, "to weight"), (&db, "to bias")])
                {
                    assert_close(got, expected, 2e-5, &format!("{what} {s:?} {level:?} {threads} threads"));
                }
                assert!(*first.get_or_insert_with(|| got.clone()) == got, "{s:?} {level:?} {threads} threads");
                let both = backward(exec, &s, &x, &w, gradient, (true, true));
                assert_close(&both.0.expect("wanted"), &dx, 2e-5, "to input, of both");
                assert_close(&both.1.expect("wanted"), &dw, 2e-5, "to weight, of both");
            }
        }
    }
}

fn tensor(numbers: &mut Numbers, dims: &[usize]) -> Tensor {
    Tensor::from_vec(numbers.vector(dims.iter().product()), dims, &Device::Cpu).expect("sizes fit")
}

fn flat(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).and_then(|t| t.flatten_all()?.to_vec1()).expect("numbers")
}

fn flat32(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().and_then(|t| t.to_vec1()).expect("numbers")
}

/// A small critic in candle's own `f64` operations.
fn critic64(x: &Tensor, w: [&Tensor; 2], b: &Tensor) -> Result<Tensor> {
    let h = x.conv2d(w[0], 1, 2, 1, 1)?.broadcast_add(&b.reshape((1, (), 1, 1))?)?.tanh()?;
    // A transposed convolution, then a sum that is not linear in it.
    h.conv_transpose2d(w[1], 1, 0, 2, 1)?.sqr()?.sum_all()
}

fn critic32(x: &Tensor, w: [&Tensor; 2], b: &Tensor) -> Result<Tensor> {
    let h = conv2d(x, w[0], Some(b), &ConvOptions::new(2, 1), Activation::Tanh)?;
    conv_transpose2d(&h, w[1], None, &ConvOptions::new(2, 1), Activation::None)?.sqr()?.sum_all()
}

#[test]
fn first_and_second_derivatives_agree_with_finite_differences() -> Result<()> {
    // SAFETY: other tests only read the environment, through the standard library's lock.
    #[allow(unsafe_code)]
    unsafe {
        autograd::enable_second_order();
    }
    let mut numbers = Numbers::new(5);
    let var = |numbers: &mut Numbers, dims: &[usize]| Var::from_tensor(&tensor(numbers, dims).affine(0.5, 0.0)?);
    let x = var(&mut numbers, &[2, 3, 8, 6])?;
    let w = [var(&mut numbers, &[5, 3, 4, 4])?, var(&mut numbers, &[5, 4, 4, 4])?];
    let b = var(&mut numbers, &[5])?;
    let penalty = |output: &Tensor, x: &Tensor| autograd::differentiable_gradient(output, x)?.sqr()?.sum_all();
    let [x32, w0, w1, b32] = [x.as_tensor(), w[0].as_tensor(), w[1].as_tensor(), b.as_tensor()];
    let grads = critic32(x32, [w0, w1], b32)?.backward()?;
    let second = penalty(&critic32(x32, [w0, w1], b32)?, x32)?.backward()?;
    // The same in f64, its arguments shifted by ±h for the differences.
    let loss64 = |args: &[Tensor; 4]| critic64(&args[0], [&args[1], &args[2]], &args[3]);
    let penalty64 = |args: &[Tensor; 4]| {
        let x = Var::from_tensor(&args[0])?;
        penalty(&critic64(x.as_tensor(), [&args[1], &args[2]], &args[3])?, x.as_tensor())
    };
    let wide = [x32, w0, w1, b32].map(|t| t.to_dtype(DType::F64).map(|t| t.detach()));
    let [a, c, d, e] = wide;
    let wide = [a?, c?, d?, e?];
    for (which, var) in [x32, w0, w1, b32].into_iter().enumerate() {
        let (first, second) = (grads.get(var).expect("gradient"), second.get(var).expect("second gradient"));
        let (first, second) = (flat(first), flat(second));
        for index in (0..first.len()).step_by(1 + first.len() / 12) {
            let shifted = |by: f64| -> Result<[Tensor; 4]> {
                let mut args = wide.clone();
                let mut values = flat(&args[which]);
                values[index] += by;
                args[which] = Tensor::from_vec(values, args[which].shape(), &Device::Cpu)?;
                Ok(args)
            };
            let (up, down) = (shifted(1e-5)?, shifted(-1e-5)?);
            let slope = |f: &dyn Fn(&[Tensor; 4]) -> Result<Tensor>| -> Result<f64> {
                Ok((f(&up)?.to_scalar::<f64>()? - f(&down)?.to_scalar::<f64>()?) / 2e-5)
            };
            let (one, two) = (slope(&loss64)?, slope(&penalty64)?);
            assert!(
                (first[index] - one).abs() < 1e-4 * (1.0 + one.abs()),
                "first {which} {index}: {} {one}",
                first[index]
            );
            assert!(
                (second[index] - two).abs() < 1e-4 * (1.0 + two.abs()),
                "second {which} {index}: {} {two}",
                second[index]
            );
        }
    }
    // The fast path gives the same gradients without their graphs.
    let fast = autograd::first_order(|| critic32(x32, [w0, w1], b32)?.backward())?;
    for var in [x32, w0, w1, b32] {
        let got = fast.get(var).expect("gradient");
        assert_close(&flat32(got), &flat(grads.get(var).expect("gradient")), 1e-5, "fast path");
    }
    Ok(())
}

#[test]
fn one_dimension_grouped_and_transposed_agree_with_candle() -> Result<()> {
    let mut numbers = Numbers::new(9);
    for (groups, dilation, stride, padding) in [(1, 1, 1, 0), (2, 3, 1, 3), (4, 1, 2, 1), (1, 2, 3, 2)] {
        let x = tensor(&mut numbers, &[2, 8, 37]);
        let w = tensor(&mut numbers, &[12, 8 / groups, 3]);
        let options = ConvOptions::new(stride, padding).with_groups(groups).with_dilation(dilation);
        let got = conv1d(&x, &w, None, &options, Activation::None)?;
        let expected = x.conv1d(&w, padding, stride, dilation, groups)?;
        assert_eq!(got.dims(), expected.dims());
        assert_close(&flat32(&got), &flat(&expected), 1e-5, "conv1d");
        let w = tensor(&mut numbers, &[8, 12 / groups, 4]);
        for output_padding in 0..stride.max(dilation).min(2) {
            let options = ConvOptions { padding_end: [0, padding.saturating_sub(output_padding)], ..options };
            let extra = padding - padding.saturating_sub(output_padding);
            let got = conv_transpose1d(&x, &w, None, &options, Activation::None)?;
            // candle mixes up the items of a batch here, so one by one.
            let one =
                |i| x.narrow(0, i, 1)?.contiguous()?.conv_transpose1d(&w, padding, extra, stride, dilation, groups);
            let expected = Tensor::cat(&[one(0)?, one(1)?], 0)?;
            assert_eq!(got.dims(), expected.dims());
            assert_close(&flat32(&got), &flat(&expected), 1e-5, "conv_transpose1d");
        }
    }
    Ok(())
}

#[test]
fn impossible_shapes_are_refused() -> Result<()> {
    let zeros = |dims: &[usize]| Tensor::zeros(dims, DType::F32, &Device::Cpu);
    let (x, w) = (zeros(&[1, 4, 5, 5])?, zeros(&[8, 4, 3, 3])?);
    let run = |x: &Tensor, w: &Tensor, options: ConvOptions| conv2d(x, w, None, &options, Activation::None);
    assert!(run(&x, &w, ConvOptions::new(1, 0)).is_ok());
    assert!(run(&x, &w, ConvOptions::new(0, 0)).is_err());
    assert!(run(&x, &w, ConvOptions::new(1, 0).with_groups(3)).is_err());
    assert!(run(&x, &w, ConvOptions::new(1, 0).with_groups(0)).is_err());
    assert!(run(&x, &w, ConvOptions::new(1, 0).with_dilation(3)).is_err());
    assert!(run(&x, &w, ConvOptions::new(1, usize::MAX)).is_err());
    assert!(run(&x, &zeros(&[8, 3, 3, 3])?, ConvOptions::new(1, 0)).is_err());
    assert!(run(&x.to_dtype(DType::F64)?, &w, ConvOptions::new(1, 0)).is_err());
    assert!(conv2d(&x, &w, Some(&zeros(&[7])?), &ConvOptions::new(1, 0), Activation::None).is_err());
    Ok(())
}

#[test]
fn a_fixed_weight_gives_the_same_results_every_time_and_does_not_follow_the_tensor() -> Result<()> {
    let mut numbers = Numbers::new(12);
    let act = Activation::LeakyRelu(0.2);
    // Each for one of the schemes, at sizes that need different ones of the same weight; and one for none.
    for (taps, stride, sizes) in [(4, 2, [6, 20]), (3, 1, [8, 10]), (5, 1, [6, 9])] {
        let w = tensor(&mut numbers, &[24, 20, taps, taps]);
        let var = Var::from_tensor(&w)?;
        let fixed = ConvWeight::fixed(&var)?;
        var.set(&w.zeros_like()?)?;
        let options = ConvOptions::new(stride, 1);
        for size in [sizes[0], sizes[1], sizes[0]] {
            let x = tensor(&mut numbers, &[2, 20, size, size]);
            let plain = conv2d(&x, &w, None, &options, act)?;
            assert_eq!(flat32(&conv2d(&x, &fixed, None, &options, act)?), flat32(&plain));
            if taps == 3 {
                assert_eq!(
                    flat32(&upsample_conv2d(&x, &fixed, None, act)?),
                    flat32(&upsample_conv2d(&x, &w, None, act)?)
                );
            }
            let back = tensor(&mut numbers, &[2, 24, size, size]);
            let plain = conv_transpose2d(&back, &w, None, &options, act)?;
            assert_eq!(flat32(&conv_transpose2d(&back, &fixed, None, &options, act)?), flat32(&plain));
            // Gradients to the input go through it.
            let input = Var::from_tensor(&x)?;
            let of = |y: Tensor| y.sqr()?.sum_all()?.backward();
            let (with, without) =
                (of(conv2d(&input, &fixed, None, &options, act)?)?, of(conv2d(&input, &w, None, &options, act)?)?);
            let get = |grads: &candle_core::backprop::GradStore| flat32(grads.get(&input).expect("a gradient"));
            assert_eq!(get(&with), get(&without));
        }
    }
    Ok(())
}
