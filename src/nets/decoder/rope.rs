//! Rates of rotary positions (RoPE, Su et al. 2021), with the stretches that models declare.

use super::config::Scaling;

/// The rates of one kind of layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    /// Radians a position, for each pair of numbers.
    rates: Vec<f64>,
    /// What sines and cosines are multiplied with (YaRN's attention temperature).
    magnitude: f64,
}

impl Rope {
    /// Rates `base^(−2i/rotated)`, divided by `factors` where the file has them, stretched by `scaling`.
    pub fn new(rotated: usize, base: f32, factors: Option<&[f32]>, scaling: Scaling) -> Self {
        let plain = (0..rotated / 2).map(|i| {
            let rate = f64::from(base).powf(-2.0 * i as f64 / rotated as f64);
            rate / factors.and_then(|factors| factors.get(i)).map_or(1.0, |factor| f64::from(*factor))
        });
        match scaling {
            Scaling::None => Self { rates: plain.collect(), magnitude: 1.0 },
            Scaling::Linear(factor) => {
                Self { rates: plain.map(|rate| rate / f64::from(factor)).collect(), magnitude: 1.0 }
            }
            Scaling::Yarn { factor, original_tokens, attention_factor, fast, slow } => {
                // The pair that turns `turns` times over the original length.
                let pair_of = |turns: f32| {
                    let length = f64::from(original_tokens) / (f64::from(turns) * 2.0 * std::f64::consts::PI);
                    rotated as f64 * length.ln() / (2.0 * f64::from(base).ln())
                };
                let first = pair_of(fast).floor().max(0.0);
                let last = pair_of(slow).ceil().min(rotated as f64 - 1.0);
                let stretch = |(i, rate): (usize, f64)| {
                    let ramp = ((i as f64 - first) / (last - first).max(0.001)).clamp(0.0, 1.0);
                    rate / f64::from(factor) * ramp + rate * (1.0 - ramp)
                };
                let magnitude = f64::from(attention_factor) * (1.0 + 0.1 * f64::from(factor).ln());
                Self { rates: plain.enumerate().map(stretch).collect(), magnitude }
            }
        }
    }

    /// Cosines and sines of a position, one for each pair.
    pub fn fill(&self, position: usize, cos: &mut [f32], sin: &mut [f32]) {
        for ((rate, cos), sin) in self.rates.iter().zip(cos).zip(sin) {
            let (s, c) = (position as f64 * rate).sin_cos();
            *cos = (c * self.magnitude) as f32;
            *sin = (s * self.magnitude) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_follow_their_definitions() {
        let plain = Rope::new(8, 10_000.0, None, Scaling::None);
        assert!(plain.rates.iter().zip([1.0, 0.1, 0.01, 0.001]).all(|(a, b)| (a - b).abs() < 1e-12));
        let linear = Rope::new(8, 10_000.0, Some(&[1.0, 1.0, 2.0, 4.0]), Scaling::Linear(4.0));
        assert!(linear.rates.iter().zip([0.25, 0.025, 0.00125, 6.25e-5]).all(|(a, b)| (a - b).abs() < 1e-12));
        let scaling =
            Scaling::Yarn { factor: 4.0, original_tokens: 4096.0, attention_factor: 1.0, fast: 32.0, slow: 1.0 };
        let yarn = Rope::new(64, 10_000.0, None, scaling);
        let plain = Rope::new(64, 10_000.0, None, Scaling::None);
        // The fastest rates stay, the slowest are divided, nothing turns faster than before.
        assert_eq!(yarn.rates[0], plain.rates[0]);
        assert!((yarn.rates[31] - plain.rates[31] / 4.0).abs() < 1e-12);
        assert!(yarn.rates.iter().zip(&plain.rates).all(|(a, b)| a <= b && *a >= b / 4.0));
        assert!((yarn.magnitude - 1.138_629_436).abs() < 1e-6);
    }

    #[test]
    fn positions_turn() {
        let rope = Rope::new(4, 100.0, None, Scaling::None);
        let (mut cos, mut sin) = ([0.0; 2], [0.0; 2]);
        rope.fill(3, &mut cos, &mut sin);
        assert!((cos[0] - 3.0_f32.cos()).abs() < 1e-6 && (sin[1] - 0.3_f32.sin()).abs() < 1e-6);
    }
}
