//! Operations on single rows of a transformer: RMS norm, rotary positions, gates.
#![allow(unsafe_code)]

use super::{
    Level,
    lanes::{self, Lanes, at_level},
};

/// RMS norm: `out = x / √(mean x² + epsilon) · weight` (Zhang and Sennrich 2019). `out` may not overlap `x`.
///
/// # Panics
/// When the lengths differ.
pub fn rms_norm(level: Level, x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) {
    assert!(x.len() == weight.len() && x.len() == out.len());
    at_level!(level, norm(x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]));
}

/// The same in place.
///
/// # Panics
/// When the lengths differ.
pub fn rms_norm_in_place(level: Level, x: &mut [f32], weight: &[f32], epsilon: f32) {
    assert_eq!(x.len(), weight.len());
    at_level!(level, norm_in_place(x: &mut [f32], weight: &[f32], epsilon: f32));
}

/// `x += rms_norm(y)`.
///
/// # Panics
/// When the lengths differ.
pub fn add_rms_norm(level: Level, x: &mut [f32], y: &[f32], weight: &[f32], epsilon: f32) {
    assert!(x.len() == weight.len() && x.len() == y.len());
    at_level!(level, add_norm(x: &mut [f32], y: &[f32], weight: &[f32], epsilon: f32));
}

/// `x += y`.
pub fn add(x: &mut [f32], y: &[f32]) {
    for (x, y) in x.iter_mut().zip(y) {
        *x += y;
    }
}

/// SiLU, `x / (1 + e⁻ˣ)`, in place.
pub fn silu(level: Level, x: &mut [f32]) {
    at_level!(level, silu_all(x: &mut [f32]));
}

/// GELU by its tanh approximation (Hendrycks and Gimpel 2016), in place.
pub fn gelu(level: Level, x: &mut [f32]) {
    at_level!(level, gelu_all(x: &mut [f32]));
}

/// Which numbers of a head are rotated together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairs {
    /// `2 i` and `2 i + 1` (llama).
    Neighbours,
    /// `i` and `i + n/2` (GPT-NeoX, Qwen, Gemma).
    Halves,
}

/// Rotates the first `2 · cos.len()` numbers of a head (RoPE, Su et al. 2021).
///
/// # Panics
/// When the head is shorter, or there are not as many sines as cosines.
pub fn rotate(pairs: Pairs, head: &mut [f32], cos: &[f32], sin: &[f32]) {
    assert!(sin.len() == cos.len() && head.len() >= 2 * cos.len());
    match pairs {
        Pairs::Neighbours => {
            for ((pair, cos), sin) in head.as_chunks_mut::<2>().0.iter_mut().zip(cos).zip(sin) {
                let [a, b] = *pair;
                *pair = [a * cos - b * sin, a * sin + b * cos];
            }
        }
        Pairs::Halves => {
            let (first, second) = head.split_at_mut(cos.len());
            for (((a, b), cos), sin) in first.iter_mut().zip(second).zip(cos).zip(sin) {
                (*a, *b) = (*a * cos - *b * sin, *a * sin + *b * cos);
            }
        }
    }
}

/// Runs a function of vectors on whole vectors of `x` and on its rest, padded with zeros. No closure: one would not
/// be compiled for the level.
macro_rules! map {
    ($x:ident, $f:ident::<$lanes:ident>) => {{
        let (whole, rest) = $x.as_chunks_mut::<8>();
        // SAFETY: whole vectors; the level is present.
        unsafe {
            for x in whole {
                $f($lanes::load(x.as_ptr())).store(x.as_mut_ptr());
            }
            if !rest.is_empty() {
                let mut padded = [0.0; 8];
                padded[..rest.len()].copy_from_slice(rest);
                $f($lanes::load(padded.as_ptr())).store(padded.as_mut_ptr());
                rest.copy_from_slice(&padded[..rest.len()]);
            }
        }
    }};
}

/// `1 / √(mean x² + epsilon)`.
#[inline(always)]
unsafe fn inverse_rms<L: Lanes>(x: &[f32], epsilon: f32) -> f32 {
    let (whole, rest) = x.as_chunks::<32>();
    // SAFETY: whole vectors.
    let sum = unsafe {
        let mut sums = [L::splat(0.0); 4];
        for x in whole {
            for (part, sum) in sums.iter_mut().enumerate() {
                let x = L::load(x.as_ptr().add(8 * part));
                *sum = x.mul_add(x, *sum);
            }
        }
        lanes::sum(sums[0].add(sums[1]).add(sums[2].add(sums[3])))
    };
    let sum = rest.iter().fold(sum, |sum, x| sum + x * x);
    1.0 / (sum / x.len() as f32 + epsilon).sqrt()
}

#[inline(always)]
unsafe fn norm<L: Lanes>(x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) {
    // SAFETY: as the caller promises.
    let scale = unsafe { inverse_rms::<L>(x, epsilon) };
    for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
        *out = x * scale * weight;
    }
}

#[inline(always)]
unsafe fn norm_in_place<L: Lanes>(x: &mut [f32], weight: &[f32], epsilon: f32) {
    // SAFETY: as the caller promises.
    let scale = unsafe { inverse_rms::<L>(x, epsilon) };
    for (x, weight) in x.iter_mut().zip(weight) {
        *x = *x * scale * weight;
    }
}

#[inline(always)]
unsafe fn add_norm<L: Lanes>(x: &mut [f32], y: &[f32], weight: &[f32], epsilon: f32) {
    // SAFETY: as the caller promises.
    let scale = unsafe { inverse_rms::<L>(y, epsilon) };
    for ((x, y), weight) in x.iter_mut().zip(y).zip(weight) {
        *x += y * scale * weight;
    }
}

#[inline(always)]
unsafe fn silu_all<L: Lanes>(x: &mut [f32]) {
    map!(x, silu_of::<L>);
}

#[inline(always)]
unsafe fn silu_of<L: Lanes>(x: L) -> L {
    // SAFETY: as the caller promises.
    unsafe { x.div(lanes::exp(L::splat(0.0).sub(x)).add(L::splat(1.0))) }
}

#[inline(always)]
unsafe fn gelu_all<L: Lanes>(x: &mut [f32]) {
    map!(x, gelu_of::<L>);
}

#[inline(always)]
unsafe fn gelu_of<L: Lanes>(x: L) -> L {
    // ½ (1 + tanh u) = 1 / (1 + e^(−2u)) with u = √(2/π) (x + 0.044715 x³).
    const TWICE: f32 = 2.0 * 0.797_884_6;
    // SAFETY: as the caller promises.
    unsafe {
        let inner = x.mul(x).mul_add(L::splat(0.044_715), L::splat(1.0)).mul(x);
        x.div(lanes::exp(inner.mul(L::splat(-TWICE))).add(L::splat(1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 37 + 11) % 101) as f32 / 9.0 - 5.5).collect()
    }

    #[test]
    fn norms_equal_their_definition() {
        for level in Level::present() {
            for count in [1, 7, 32, 64, 576, 643] {
                let (x, weight) = (numbers(count), numbers(count + 3)[3..].to_vec());
                let mean = x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / count as f64;
                let expected: Vec<f64> =
                    x.iter().zip(&weight).map(|(x, w)| f64::from(*x) / (mean + 1e-5).sqrt() * f64::from(*w)).collect();
                let (mut out, mut in_place, mut sum) = (vec![0.0; count], x.clone(), vec![1.0; count]);
                rms_norm(level, &x, &weight, 1e-5, &mut out);
                rms_norm_in_place(level, &mut in_place, &weight, 1e-5);
                add_rms_norm(level, &mut sum, &x, &weight, 1e-5);
                for (i, expected) in expected.into_iter().enumerate() {
                    assert!((f64::from(out[i]) - expected).abs() < 1e-5);
                    assert_eq!(out[i].to_bits(), in_place[i].to_bits());
                    assert!((f64::from(sum[i]) - 1.0 - expected).abs() < 1e-5);
                }
            }
        }
    }

    #[test]
    fn gates_equal_their_definition_far_out_too() {
        for level in Level::present() {
            let mut x = numbers(301);
            x.extend([0.0, -0.0, 60.0, -60.0, 300.0, -300.0, 1e30, -1e30]);
            let (mut silu_out, mut gelu_out) = (x.clone(), x.clone());
            silu(level, &mut silu_out);
            gelu(level, &mut gelu_out);
            for (i, x) in x.iter().map(|x| f64::from(*x)).enumerate() {
                let silu = x / (1.0 + (-x).exp());
                let gelu = 0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh());
                assert!((f64::from(silu_out[i]) - silu).abs() <= 1e-6 * x.abs() + 1e-30, "{x}");
                assert!((f64::from(gelu_out[i]) - gelu).abs() <= 1e-6 * x.abs() + 1e-30, "{x}");
            }
        }
    }

    #[test]
    fn rotations_keep_lengths_and_turn_the_right_pairs() {
        let (cos, sin) = ([0.6_f32, 0.0], [0.8_f32, 1.0]);
        let mut head = [1.0, 2.0, 3.0, 4.0, 9.0];
        rotate(Pairs::Neighbours, &mut head, &cos, &sin);
        assert_eq!(head, [0.6 - 1.6, 0.8 + 1.2, -4.0, 3.0, 9.0]);
        let mut head = [1.0, 2.0, 3.0, 4.0, 9.0];
        rotate(Pairs::Halves, &mut head, &cos, &sin);
        assert_eq!(head, [0.6 - 0.8 * 3.0, -4.0, 0.8 + 0.6 * 3.0, 2.0, 9.0]);
    }
}
