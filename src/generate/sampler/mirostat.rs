//! Mirostat 2 (Basu et al., 2021): a cut that steers the text's surprise to a target.

use super::{Candidate, Candidates, draw, math};

/// Removes tokens with a surprise −log₂ p above `mu` (the likeliest stays), draws one of the rest, and moves `mu` by
/// −`eta` × (its surprise among the rest − `tau`). `mu` starts at 2 τ.
pub fn mirostat_2(list: &mut Candidates, mu: &mut f64, tau: f32, eta: f32, uniform: f64) -> Option<Candidate> {
    let best = list.best()?;
    let best_logit = f64::from(best.logit);
    let (_, total) = list.weights();
    // −log₂ p > µ is the same as logit < best + ln(total) − µ ln 2.
    let least = best_logit + math::ln(total) - *mu * std::f64::consts::LN_2;
    if least > best_logit {
        list.retain(best_logit, |item| item.id == best.id);
    } else {
        list.retain(least, |_| true);
    }
    let chosen = draw(list, uniform)?;
    let (_, total) = list.weights();
    let nats = math::ln(total) - (f64::from(chosen.logit) - best_logit);
    *mu -= f64::from(eta) * (nats / std::f64::consts::LN_2 - f64::from(tau));
    Some(chosen)
}
