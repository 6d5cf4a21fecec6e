//! The stack against candle's own operations in `f64`.

use candle_core::{DType, Device, Var};

use super::*;
use crate::kernels::{
    Exec, Level, Pool, autograd,
    testing::{Numbers, assert_close},
};

fn var(numbers: &mut Numbers, dims: &[usize]) -> Result<Var> {
    Var::from_vec(numbers.vector(dims.iter().product()), dims, &Device::Cpu)
}

fn wide(tensor: &Tensor) -> Result<Tensor> {
    tensor.to_dtype(DType::F64)
}

fn flat(tensor: &Tensor) -> Result<Vec<f64>> {
    wide(tensor)?.flatten_all()?.to_vec1()
}

/// A 1 × 1 convolution by a (out, in) weight.
fn mixed(w: &Tensor, x: &Tensor) -> Result<Tensor> {
    x.conv1d(&w.unsqueeze(2)?, 0, 1, 1, 1)
}

fn reference(x: &Tensor, layers: &[GatedLayer], condition: Option<&Tensor>) -> Result<Tensor> {
    let c = x.dim(1)?;
    let (mut h, mut skips) = (wide(x)?, None);
    let column = |bias: &Tensor| wide(bias)?.reshape((1, (), 1));
    for layer in layers {
        let taps = layer.tap_weight.dim(2)?;
        let padded = h.pad_with_zeros(2, (taps - 1) * layer.dilation, 0)?;
        let mut y = padded
            .conv1d(&wide(&layer.tap_weight)?, 0, 1, layer.dilation, 1)?
            .broadcast_add(&column(&layer.tap_bias)?)?;
        if let (Some(w), Some(condition)) = (&layer.condition_weight, condition) {
            y = (y + mixed(&wide(w)?, &wide(condition)?)?)?;
        }
        let gate = (y.narrow(1, c, c)?.neg()?.exp()? + 1.0)?.recip()?;
        let z = (y.narrow(1, 0, c)?.tanh()? * gate)?;
        h = (h + mixed(&wide(&layer.mix_weight)?, &z)?.broadcast_add(&column(&layer.mix_bias)?)?)?;
        if let Some((w, b)) = &layer.skip {
            let skip = mixed(&wide(w)?, &z)?.broadcast_add(&column(b)?)?;
            skips = Some(match skips {
                None => skip,
                Some(sum) => (sum + skip)?,
            });
        }
    }
    match skips {
        Some(skips) => Tensor::cat(&[h, skips], 1),
        None => Ok(h),
    }
}

#[test]
fn outputs_and_all_gradients_agree_with_candle_in_f64() -> Result<()> {
    /// batch, channels, time, taps, condition, skip, dilations
    type Case = (usize, usize, usize, usize, usize, usize, &'static [usize]);
    let mut numbers = Numbers::new(21);
    let cases: [Case; 4] = [
        (2, 8, 40, 2, 0, 0, &[1, 2, 4]),
        (1, 5, 33, 3, 3, 7, &[1, 9]),
        (3, 16, 1100, 2, 4, 24, &[1, 64]),
        (1, 3, 1, 2, 0, 2, &[5]),
    ];
    for (batch, channels, time, taps, condition, skip, dilations) in cases {
        let x = var(&mut numbers, &[batch, channels, time])?;
        let cond = if condition > 0 { Some(var(&mut numbers, &[batch, condition, time])?) } else { None };
        let mut vars = vec![x.clone()];
        vars.extend(cond.clone());
        let mut layers = Vec::new();
        for &dilation in dilations {
            let mut made = |dims: &[usize]| -> Result<Tensor> {
                let var = var(&mut numbers, dims)?;
                vars.push(var.clone());
                Ok(var.as_tensor().clone())
            };
            layers.push(GatedLayer {
                tap_weight: made(&[2 * channels, channels, taps])?,
                tap_bias: made(&[2 * channels])?,
                mix_weight: made(&[channels, channels])?,
                mix_bias: made(&[channels])?,
                condition_weight: if condition > 0 { Some(made(&[2 * channels, condition])?) } else { None },
                skip: if skip > 0 { Some((made(&[skip, channels])?, made(&[skip])?)) } else { None },
                dilation,
            });
        }
        let cond = cond.as_ref().map(Var::as_tensor);
        let weight = Tensor::from_vec(
            numbers.vector(batch * (channels + skip) * time),
            (batch, channels + skip, time),
            &Device::Cpu,
        )?;
        let got = gated_stack(x.as_tensor(), &layers, cond)?;
        // One by one: candle's gradient of a batched conv1d to its input mixes up the items.
        let item = |i| {
            let condition = cond.map(|c| c.narrow(0, i, 1)?.contiguous()).transpose()?;
            reference(&x.narrow(0, i, 1)?.contiguous()?, &layers, condition.as_ref())
        };
        let expected = Tensor::cat(&(0..batch).map(item).collect::<Result<Vec<_>>>()?, 0)?;
        assert_close(&got.flatten_all()?.to_vec1()?, &flat(&expected)?, 1e-5, "output");
        let gradients = autograd::first_order(|| (got * &weight)?.sum_all()?.backward())?;
        let exact = (expected * wide(&weight)?)?.sum_all()?.backward()?;
        for (index, var) in vars.iter().enumerate() {
            let (got, exact) = (gradients.get(var).expect("gradient"), exact.get(var).expect("gradient"));
            assert_close(&got.flatten_all()?.to_vec1()?, &flat(exact)?, 5e-5, &format!("gradient {index} at {time}"));
        }
    }
    Ok(())
}

#[test]
fn results_are_the_same_for_any_number_of_threads() {
    let mut numbers = Numbers::new(22);
    let shape = Shape { batch: 2, time: 1500, channels: 12, taps: 2, condition: 3, skip: 10, dilations: vec![1, 32] };
    let (x, condition) = (numbers.vector(2 * 12 * 1500), numbers.vector(2 * 3 * 1500));
    let (weights, g) = (numbers.vector(2 * shape.layer_len()), numbers.vector(2 * 22 * 1500));
    for level in Level::present() {
        let mut first = None;
        for threads in 1..=3 {
            let pool = Pool::new(threads);
            let exec = Exec { level, pool: &pool };
            let (out, trace) = run::forward(exec, &shape, &x, &weights, &condition, true);
            let gradients = run::backward(exec, &shape, &weights, &trace.expect("training"), &g);
            let got = [out, gradients.x, gradients.weights, gradients.condition];
            assert!(*first.get_or_insert_with(|| got.clone()) == got, "{level:?} {threads} threads");
        }
    }
}
