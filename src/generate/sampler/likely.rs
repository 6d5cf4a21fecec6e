//! What the model itself thinks, before any filter.

use super::{candidates, math};

/// A token and its probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LikelyId {
    /// Its id.
    pub id: u32,
    /// Its probability at temperature 1, before any filter.
    pub probability: f32,
}

/// The probability of `token` under the softmax of `logits`, and the `n` likeliest tokens with theirs, likeliest first.
pub fn probabilities(logits: &[f32], token: u32, n: usize) -> (f32, Vec<LikelyId>) {
    let best = logits.iter().copied().filter(|logit| !logit.is_nan()).fold(f32::NEG_INFINITY, f32::max).min(f32::MAX);
    if best == f32::NEG_INFINITY {
        return (0.0, Vec::new());
    }
    let mut total = 0.0;
    let mut weights = [0.0_f32; 1024];
    for chunk in logits.chunks(weights.len()) {
        for (weight, &logit) in weights.iter_mut().zip(chunk) {
            *weight = weight_of(logit, best);
        }
        total += math::sum(&weights[..chunk.len()]);
    }
    let probability = |logit: f32| (f64::from(weight_of(logit, best)) / total) as f32;
    let likely = candidates::likeliest(logits, n).into_iter();
    let likely = likely.map(|item| LikelyId { id: item.id, probability: probability(item.logit) }).collect();
    (logits.get(token as usize).map_or(0.0, |&logit| probability(logit)), likely)
}

fn weight_of(logit: f32, best: f32) -> f32 {
    if logit.is_nan() { 0.0 } else { math::exp_of_negative(logit.min(f32::MAX) - best) }
}
