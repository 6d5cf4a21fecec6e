//! Drawing a class from logits.
#![allow(unsafe_code)]

use crate::kernels::{Level, elementwise::math, exec::vectorised, vector::Vector};

/// How a class is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// What logits are divided by; 0 takes the likeliest class.
    pub temperature: f32,
    /// Only so many of the likeliest classes; 0 takes all.
    pub top_k: usize,
    /// Only the likeliest classes that together reach this probability; 1 takes all.
    pub top_p: f32,
}

impl Default for Choice {
    fn default() -> Self {
        Self { temperature: 1.0, top_k: 0, top_p: 1.0 }
    }
}

/// Draws a class with the random number `uniform` in 0..1. `logits`, a multiple of 8, become weights.
pub fn draw(level: Level, logits: &mut [f32], choice: Choice, uniform: f64) -> usize {
    let (best, top) =
        logits.iter().enumerate().fold(
            (0, f32::NEG_INFINITY),
            |(best, top), (class, &logit)| {
                if logit > top { (class, logit) } else { (best, top) }
            },
        );
    if choice.temperature <= 0.0 || !top.is_finite() {
        return best;
    }
    // SAFETY: whole vectors only are touched.
    unsafe { weights(level, logits, top, 1.0 / choice.temperature) };
    if (choice.top_k > 0 && choice.top_k < logits.len()) || choice.top_p < 1.0 {
        keep_likely(logits, choice);
    }
    let total: f64 = logits.iter().map(|weight| f64::from(*weight)).sum();
    let mut left = uniform * total;
    for (class, weight) in logits.iter().enumerate() {
        left -= f64::from(*weight);
        if left < 0.0 {
            return class;
        }
    }
    best
}

vectorised! {
    /// `exp((logit − top) · scale)`
    ///
    /// # Safety
    /// None beyond the level's.
    unsafe fn weights = weights_body(logits: &mut [f32], top: f32, scale: f32)
}

#[inline(always)]
unsafe fn weights_body<V: Vector>(logits: &mut [f32], top: f32, scale: f32) {
    for part in logits.chunks_mut(8) {
        math::exp(V::load_part(part, top).sub(V::splat(top)).mul(V::splat(scale))).store_part(part);
    }
}

/// Sets the weights of unlikely classes to 0. Of equal ones the earlier class counts as likelier.
fn keep_likely(weights: &mut [f32], choice: Choice) {
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]));
    let mut keep = if choice.top_k == 0 { order.len() } else { choice.top_k.min(order.len()) };
    if choice.top_p < 1.0 {
        let total: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
        let mut sum = 0.0;
        let reached = order.iter().position(|&class| {
            sum += f64::from(weights[class]);
            sum >= f64::from(choice.top_p.max(0.0)) * total
        });
        keep = keep.min(reached.map_or(order.len(), |last| last + 1));
    }
    for &class in &order[keep.max(1)..] {
        weights[class] = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(choice: Choice) -> Vec<f64> {
        let logits = [0.0, 2.0, 1.0, -1.0, 2.0, -30.0, 0.5, 0.0];
        let mut counts = vec![0.0; 8];
        for step in 0..8_000 {
            let class = draw(Level::current(), &mut logits.clone(), choice, (f64::from(step) + 0.5) / 8_000.0);
            counts[class] += 1.0 / 8_000.0;
        }
        counts
    }

    #[test]
    fn classes_are_drawn_as_often_as_their_probability_says() {
        let logits = [0.0_f64, 2.0, 1.0, -1.0, 2.0, -30.0, 0.5, 0.0];
        for temperature in [0.5, 1.0, 2.0] {
            let total: f64 = logits.iter().map(|logit| (logit / temperature).exp()).sum();
            let got = share(Choice { temperature: temperature as f32, ..Choice::default() });
            for (got, logit) in got.iter().zip(logits) {
                assert!((got - (logit / temperature).exp() / total).abs() < 1e-3, "{temperature}");
            }
        }
    }

    #[test]
    fn likely_classes_alone_are_drawn_when_asked() {
        let top = share(Choice { top_k: 2, ..Choice::default() });
        assert!((top[1] - 0.5).abs() < 1e-3 && (top[4] - 0.5).abs() < 1e-3);
        let nucleus = share(Choice { top_p: 0.8, ..Choice::default() });
        assert_eq!(nucleus.iter().filter(|share| **share > 0.0).count(), 3);
        assert_eq!(
            draw(Level::current(), &mut [1.0, 3.0, 3.0, 0.0], Choice { temperature: 0.0, ..Choice::default() }, 0.9),
            1
        );
        assert!((share(Choice { top_p: 0.0, ..Choice::default() })[1] - 1.0).abs() < 1e-9);
    }
}
