//! XTC, "exclude top choices": now and then the obvious words are taken away.

use super::{Candidate, Candidates, math};

/// With chance `probability` (decided by `draw`, uniform in [0, 1)): of the tokens with a probability of at least
/// `threshold`, only the least likely stays; all below it stay too. A probability ≤ 0 or a threshold over 0.5 is off.
pub fn xtc(list: &mut Candidates, probability: f32, threshold: f32, draw: impl FnOnce() -> f64) {
    if probability <= 0.0 || threshold > 0.5 || list.len() < 2 || draw() > f64::from(probability) {
        return;
    }
    let Some(best) = list.best() else { return };
    let (_, total) = list.weights();
    // p ≥ threshold is the same as logit ≥ best + ln(threshold × total).
    let least = f64::from(best.logit) + math::ln(f64::from(threshold) * total);
    let reaching = list.iter().filter(|item| f64::from(item.logit) >= least);
    if let Some(last) = reaching.max_by(Candidate::order) {
        list.retain(f64::NEG_INFINITY, |item| item.order(&last).is_ge());
    }
}
