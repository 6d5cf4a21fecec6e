//! What the tests of the kernels share: reproducible numbers, comparisons and finite differences.

use candle_core::{Device, Result, Tensor, Var};

/// A small generator of numbers for tests.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    /// A whole number in `low..=high`.
    pub(crate) fn between(&mut self, low: usize, high: usize) -> usize {
        low + (self.next() % (high - low + 1) as u64) as usize
    }

    /// A number in −1 .. 1.
    pub(crate) fn number(&mut self) -> f32 {
        (self.next() % (1 << 24)) as f32 / (1 << 23) as f32 - 1.0
    }

    pub(crate) fn vector(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.number()).collect()
    }
}

/// Fails unless `got` is within `tolerance` of `expected`, relative to the largest expected magnitude.
#[track_caller]
pub(crate) fn assert_close(got: &[f32], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}: length");
    let scale = expected.iter().fold(1e-30_f64, |largest, value| largest.max(value.abs()));
    for (index, (got, expected)) in got.iter().zip(expected).enumerate() {
        let error = (f64::from(*got) - expected).abs() / scale;
        assert!(
            error <= tolerance,
            "{what}: element {index} is {got}, expected {expected}, relative error {error:.2e}"
        );
    }
}

/// Fails unless the value of `loss` agrees with `exact`, which takes all inputs in one slice, and its gradient to every
/// input with the central differences of `exact`, within `tolerance` of the largest.
#[track_caller]
pub(crate) fn check_gradients(
    inputs: &[Vec<f32>],
    shapes: &[Vec<usize>],
    loss: &dyn Fn(&[Tensor]) -> Result<Tensor>,
    exact: &dyn Fn(&[f64]) -> f64,
    tolerance: f64,
) -> Result<()> {
    let vars: Vec<Var> = inputs
        .iter()
        .zip(shapes)
        .map(|(values, shape)| Var::from_vec(values.clone(), shape.clone(), &Device::Cpu))
        .collect::<Result<_>>()?;
    let wide: Vec<f64> = inputs.iter().flatten().map(|x| f64::from(*x)).collect();
    let loss = loss(&vars.iter().map(|var| var.as_tensor().clone()).collect::<Vec<_>>())?;
    let (got, value) = (f64::from(loss.to_scalar::<f32>()?), exact(&wide));
    assert!((got - value).abs() <= tolerance * (1.0 + value.abs()), "value: {got}, expected {value}");
    let gradients = super::autograd::first_order(|| loss.backward())?;
    let slope = |index: usize| {
        let shifted = |by: f64| {
            let mut x = wide.clone();
            x[index] += by;
            exact(&x)
        };
        (shifted(1e-6) - shifted(-1e-6)) / 2e-6
    };
    let mut start = 0;
    for (input, var) in vars.iter().enumerate() {
        let got: Vec<f32> = gradients.get(var).expect("a gradient").flatten_all()?.to_vec1()?;
        let expected: Vec<f64> = (start..start + got.len()).map(slope).collect();
        assert_close(&got, &expected, tolerance, &format!("gradient to input {input}"));
        start += got.len();
    }
    Ok(())
}
