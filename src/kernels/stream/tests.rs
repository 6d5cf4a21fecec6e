use super::*;
use crate::kernels::testing::{Numbers, assert_close};

/// Rows of BLOCK numbers from rows of any length: `frames` of them from `start` on.
fn block(rows: &[Vec<f32>], start: usize, frames: usize) -> Vec<f32> {
    let mut block = vec![f32::NAN; rows.len() * BLOCK];
    for (to, from) in block.chunks_exact_mut(BLOCK).zip(rows) {
        to[..frames].copy_from_slice(&from[start..start + frames]);
    }
    block
}

#[test]
fn it_is_the_convolution_on_every_level_however_the_stream_is_cut() {
    let mut numbers = Numbers::new(11);
    for case in 0..60 {
        let groups = numbers.between(1, 3);
        let shape = Shape {
            inputs: groups * numbers.between(1, 9),
            outputs: groups * numbers.between(1, 9),
            kernel: numbers.between(1, 7),
            dilation: numbers.between(1, 300),
            groups,
        };
        let length = numbers.between(1, 3_000);
        let weights = numbers.vector(shape.weights().expect("a shape"));
        let bias = (case % 3 > 0).then(|| numbers.vector(shape.outputs));
        let x: Vec<Vec<f32>> = (0..shape.inputs).map(|_| numbers.vector(length)).collect();
        let before: Vec<Vec<f32>> = (0..shape.outputs).map(|_| numbers.vector(length)).collect();
        let begin = if case % 2 == 0 { Begin::Fresh } else { Begin::Onto };
        let (group_in, group_out) = (shape.inputs / groups, shape.outputs / groups);
        let exact = |output: usize, t: usize| -> f64 {
            let mut sum = bias.as_ref().map_or(0.0, |bias| f64::from(bias[output]));
            if begin == Begin::Onto {
                sum += f64::from(before[output][t]);
            }
            for input in 0..group_in {
                for tap in 0..shape.kernel {
                    let Some(then) = t.checked_sub((shape.kernel - 1 - tap) * shape.dilation) else { continue };
                    let weight = weights[(output * group_in + input) * shape.kernel + tap];
                    sum += f64::from(weight) * f64::from(x[output / group_out * group_in + input][then]);
                }
            }
            sum
        };
        let expected: Vec<f64> =
            (0..shape.outputs).flat_map(|o| (0..length).map(move |t| (o, t))).map(|(o, t)| exact(o, t)).collect();
        for level in Level::present() {
            let mut runs = Vec::new();
            for most in [BLOCK, 1 + case % BLOCK] {
                let mut conv = CausalConv::new(shape, &weights, bias.as_deref(), level).expect("a convolution");
                let mut got = vec![Vec::new(); shape.outputs];
                let mut start = 0;
                while start < length {
                    let frames = numbers.between(1, most).min(length - start);
                    let mut y = block(&before, start, frames);
                    conv.process(&block(&x, start, frames), frames, begin, &mut y);
                    got.iter_mut().zip(y.chunks_exact(BLOCK)).for_each(|(got, y)| got.extend_from_slice(&y[..frames]));
                    start += frames;
                }
                runs.push(got.concat());
            }
            assert_close(&runs[0], &expected, 2e-6, &format!("{shape:?} {}", level.name()));
            assert_eq!(runs[0], runs[1], "{shape:?}");
        }
    }
}

#[test]
fn what_is_forgotten_is_gone() {
    let shape = Shape { inputs: 1, outputs: 1, kernel: 2, dilation: 5, groups: 1 };
    let mut conv = CausalConv::new(shape, &[1.0, 0.0], None, Level::current()).expect("a convolution");
    let (ones, mut y) = ([1.0; BLOCK], [0.0; BLOCK]);
    conv.process(&ones, 10, Begin::Fresh, &mut y);
    assert_eq!(y[..10], [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
    conv.reset();
    conv.process(&ones, 6, Begin::Fresh, &mut y);
    assert_eq!(y[..6], [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
}

#[test]
fn shapes_that_make_no_sense_are_refused() {
    let good = Shape { inputs: 4, outputs: 6, kernel: 3, dilation: 2, groups: 2 };
    assert_eq!(good.weights(), Some(36));
    for bad in [
        Shape { groups: 0, ..good },
        Shape { groups: 3, ..good },
        Shape { inputs: 0, ..good },
        Shape { kernel: 0, ..good },
        Shape { dilation: 0, ..good },
        Shape { dilation: usize::MAX, ..good },
        Shape { dilation: 1 << 20, ..good },
        Shape { kernel: usize::MAX, dilation: 1, ..good },
        Shape { outputs: usize::MAX - 1, kernel: 1, ..good },
    ] {
        assert!(bad.weights().is_none(), "{bad:?}");
    }
    assert!(CausalConv::new(good, &[0.0; 35], None, Level::current()).is_err());
    assert!(CausalConv::new(good, &[0.0; 36], Some(&[0.0; 5]), Level::current()).is_err());
}

#[test]
fn activations_are_the_functions() {
    let leaky = Activation::LeakyHardTanh { low: -0.5, high: 0.75, low_slope: 0.1, high_slope: 0.2 };
    let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
    let cases: [(Activation, &dyn Fn(f64) -> f64); 10] = [
        (Activation::Tanh, &f64::tanh),
        (Activation::HardTanh, &|x| x.clamp(-1.0, 1.0)),
        (Activation::FastTanh, &|x| {
            let (a, q) = (x.abs(), x * x);
            x * (2.45550750702956 + 2.45550750702956 * a + (0.893229853513558 + 0.821226666969744 * a) * q)
                / (2.44506634652299 + (2.44506634652299 + q) * (x + 0.814642734961073 * x * a).abs())
        }),
        (Activation::Relu, &|x| x.max(0.0)),
        (Activation::LeakyRelu { slope: 0.25 }, &|x| if x > 0.0 { x } else { 0.25 * x }),
        (Activation::Sigmoid, &logistic),
        (Activation::Silu, &|x| x * logistic(x)),
        (Activation::HardSwish, &|x| x * (x + 3.0).clamp(0.0, 6.0) / 6.0),
        (leaky, &|x| {
            if x < -0.5 {
                (x + 0.5) * 0.1 - 0.5
            } else if x > 0.75 {
                (x - 0.75) * 0.2 + 0.75
            } else {
                x
            }
        }),
        (Activation::Softsign, &|x| x / (1.0 + x.abs())),
    ];
    let mut numbers = Numbers::new(5);
    let x: Vec<f32> = numbers.vector(3 * BLOCK).iter().map(|x| x * 5.0).collect();
    for (what, exact) in cases {
        for level in Level::present() {
            for frames in [1, 8, 37, BLOCK] {
                let mut rows = x.clone();
                activate(level, what, frames, &mut rows);
                for (row, x) in rows.chunks_exact(BLOCK).zip(x.chunks_exact(BLOCK)) {
                    let expected: Vec<f64> = x[..frames].iter().map(|x| exact(f64::from(*x))).collect();
                    assert_close(&row[..frames], &expected, 1e-6, &format!("{what:?} {}", level.name()));
                }
            }
        }
    }
}
