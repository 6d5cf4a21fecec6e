//! Activations of rows, in place.

use super::{
    super::{
        elementwise::math::{sigmoid, tanh},
        exec::vectorised,
        level::Level,
        vector::{LANES, Vector},
    },
    BLOCK,
};

/// A function of one number, with the names that PyTorch gives them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    Tanh,
    /// −1 … 1, straight between.
    HardTanh,
    /// A rational approximation of tanh, as NeuralAmpModeler defines it.
    FastTanh,
    Relu,
    /// Also PReLU, a row at a time.
    LeakyRelu {
        slope: f32,
    },
    Sigmoid,
    /// `x · sigmoid(x)`
    Silu,
    /// `x · clamp(x + 3, 0, 6) / 6`
    HardSwish,
    /// Straight between `low` and `high`, with slopes of its own outside.
    LeakyHardTanh {
        low: f32,
        high: f32,
        low_slope: f32,
        high_slope: f32,
    },
    /// `x / (1 + |x|)`
    Softsign,
}

/// The function of every number of the first `frames` of `rows`, which have [`BLOCK`] numbers each.
///
/// # Panics
/// If there are more frames than a row holds.
pub fn activate(level: Level, what: Activation, frames: usize, rows: &mut [f32]) {
    let lanes = frames.next_multiple_of(LANES);
    assert!(lanes <= BLOCK);
    for row in rows.chunks_exact_mut(BLOCK) {
        // SAFETY: the lanes are whole registers inside the row.
        unsafe { run(level, what, &mut row[..lanes]) };
    }
}

vectorised! { unsafe fn run = each(what: Activation, row: &mut [f32]) }

/// # Safety
/// The row is a whole number of registers.
#[inline(always)]
unsafe fn each<V: Vector>(what: Activation, row: &mut [f32]) {
    let s = V::splat;
    let (zero, one) = (V::zero(), s(1.0));
    let clamp = |x: V, low: f32, high: f32| s(low).max(s(high).min(x));
    let magnitude = |x: V| x.max(zero.sub(x));
    // SAFETY: whole registers.
    unsafe {
        match what {
            Activation::Tanh => map(row, tanh::<V>),
            Activation::HardTanh => map(row, |x: V| clamp(x, -1.0, 1.0)),
            Activation::FastTanh => map(row, |x: V| {
                let (size, square) = (magnitude(x), x.mul(x));
                let above = s(0.821_226_67).mul_add(size, s(0.893_229_84)).mul(square);
                let above = x.mul(s(2.455_507_5).mul_add(size, s(2.455_507_5)).add(above));
                let bend = magnitude(s(0.814_642_7).mul(x).mul_add(size, x));
                above.div(s(2.445_066_5).add(square).mul_add(bend, s(2.445_066_5)))
            }),
            Activation::Relu => map(row, |x: V| x.select_positive(x, zero)),
            Activation::LeakyRelu { slope } => map(row, |x: V| x.select_positive(x, x.mul(s(slope)))),
            Activation::Sigmoid => map(row, sigmoid::<V>),
            Activation::Silu => map(row, |x: V| x.mul(sigmoid(x))),
            Activation::HardSwish => map(row, |x: V| x.mul(clamp(x.add(s(3.0)), 0.0, 6.0)).mul(s(1.0 / 6.0))),
            Activation::LeakyHardTanh { low, high, low_slope, high_slope } => map(row, |x: V| {
                let (under, over) = (zero.min(x.sub(s(low))), zero.max(x.sub(s(high))));
                over.mul_add(s(high_slope), under.mul_add(s(low_slope), clamp(x, low, high)))
            }),
            Activation::Softsign => map(row, |x: V| x.div(one.add(magnitude(x)))),
        }
    }
}

/// # Safety
/// The row is a whole number of registers.
#[inline(always)]
unsafe fn map<V: Vector>(row: &mut [f32], f: impl Fn(V) -> V) {
    for part in row.chunks_exact_mut(LANES) {
        // SAFETY: eight numbers.
        unsafe { f(V::load(part.as_ptr())).store(part.as_mut_ptr()) };
    }
}
