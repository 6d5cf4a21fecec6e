//! Top-nσ (Tang et al., 2024): a cut in the logits themselves, which temperature does not move.

use super::Candidates;

/// Keeps tokens whose logit is at least the best one minus `n` standard deviations (population) of all logits that are
/// not forbidden; n ≤ 0 is off.
pub fn top_n_sigma(list: &mut Candidates, n: f32) {
    if n <= 0.0 {
        return;
    }
    let Some(best) = list.best() else { return };
    let count = list.len() as f64;
    let mean = list.iter().map(|item| f64::from(item.logit)).sum::<f64>() / count;
    let square = |x: f64| x * x;
    let variance = list.iter().map(|item| square(f64::from(item.logit) - mean)).sum::<f64>() / count;
    list.retain(f64::from(best.logit) - f64::from(n) * variance.sqrt(), |_| true);
}
