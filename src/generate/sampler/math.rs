//! Elementary functions in plain IEEE arithmetic: the system's own differ between machines in the last bit, which would
//! let the same seed write different texts.

use std::f64::consts::{LN_2, LOG2_E};

/// e^x for x ≤ 0, to about one part in ten million; 0 below −87. Written so that the compiler can do several at once.
pub(super) fn exp_of_negative(x: f32) -> f32 {
    // Adding and taking away 1.5 × 2²³ rounds to the nearest whole number, which the sum's low bits then hold.
    const ROUND: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let clamped = x.max(-87.0);
    let shifted = clamped * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (clamped - n * LN_2_HIGH) - n * LN_2_LOW;
    // Taylor's series on |r| ≤ ln(2)/2.
    let series = 1.0
        + r * (1.0 + r * (0.5 + r * (1.666_666_7e-1 + r * (4.166_666_8e-2 + r * (8.333_334e-3 + r * 1.388_888_9e-3)))));
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    if x < -87.0 { 0.0 } else { series * power }
}

/// The sum of `weights`, always added in the same order whatever the vector width.
pub(super) fn sum(weights: &[f32]) -> f64 {
    let mut lanes = [0.0_f64; 8];
    let (chunks, rest) = weights.as_chunks::<8>();
    for chunk in chunks {
        for (lane, &weight) in lanes.iter_mut().zip(chunk) {
            *lane += f64::from(weight);
        }
    }
    for (lane, &weight) in lanes.iter_mut().zip(rest) {
        *lane += f64::from(weight);
    }
    lanes.iter().sum()
}

/// Natural logarithm of a positive normal number; minus infinity for anything smaller.
pub(super) fn ln(x: f64) -> f64 {
    if x < f64::MIN_POSITIVE {
        return f64::NEG_INFINITY;
    }
    if !x.is_finite() {
        return x;
    }
    let bits = x.to_bits();
    let mut exponent = f64::from(((bits >> 52) & 0x7ff) as u32) - 1023.0;
    let mut mantissa = f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52));
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa *= 0.5;
        exponent += 1.0;
    }
    // ln m = 2 artanh((m − 1) / (m + 1)); the argument is below 0.172, so twelve terms are plenty.
    let t = (mantissa - 1.0) / (mantissa + 1.0);
    let t2 = t * t;
    let series = (0..12).rev().fold(0.0, |sum, k| sum * t2 + 1.0 / f64::from(2 * k + 1));
    exponent * LN_2 + 2.0 * t * series
}

/// e^x, 0 on underflow and infinite on overflow.
pub(super) fn exp(x: f64) -> f64 {
    if x < -700.0 {
        return 0.0;
    }
    if x > 700.0 {
        return f64::INFINITY;
    }
    let n = (x * LOG2_E).round();
    let r = x - n * LN_2;
    let series = (1..=14).rev().fold(1.0, |sum, k| 1.0 + sum * r / f64::from(k));
    series * f64::from_bits(((n as i64 + 1023) as u64) << 52)
}

/// base^exponent for a base ≥ 0.
pub(super) fn pow(base: f64, exponent: f64) -> f64 {
    if exponent == 0.0 {
        return 1.0;
    }
    exp(exponent * ln(base))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_system() {
        for i in 0..20_000 {
            let x = -f64::from(i) * 0.004_3;
            let (fast, want) = (f64::from(exp_of_negative(x as f32)), f64::from(x as f32).exp());
            assert!((fast - want).abs() <= 4e-7 * want, "e^{x}: {fast} {want}");
            assert!((exp(x) - x.exp()).abs() <= 1e-12 * x.exp(), "e^{x}");
            let y = 1e-9 + f64::from(i) * 0.37;
            assert!((ln(y) - y.ln()).abs() <= 1e-12 * (1.0 + y.ln().abs()), "ln {y}");
            assert!((pow(y, 1.7) - y.powf(1.7)).abs() <= 1e-11 * y.powf(1.7), "{y}^1.7");
        }
        assert_eq!(exp_of_negative(0.0), 1.0);
        assert_eq!(exp_of_negative(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp_of_negative(-1000.0), 0.0);
        assert_eq!((ln(0.0), ln(1.0), exp(0.0), pow(0.0, 2.0), pow(5.0, 0.0)), (f64::NEG_INFINITY, 0.0, 1.0, 0.0, 1.0));
    }
}
