//! The entropy of what is left.

use super::{Candidate, Candidates, math};

/// The entropy of a list, and what is needed to tell the surprise of its candidates.
pub(super) struct Entropy {
    /// −Σ p ln p, in nats.
    pub(super) nats: f64,
    best_logit: f64,
    ln_total: f64,
}

impl Entropy {
    /// The entropy of `list`; `None` when it is empty.
    pub(super) fn of(list: &mut Candidates) -> Option<Self> {
        let best_logit = f64::from(list.best()?.logit);
        let (_, total) = list.weights();
        let mut entropy = Self { nats: 0.0, best_logit, ln_total: math::ln(total) };
        let weigh = |item: &Candidate| f64::from(math::exp_of_negative((f64::from(item.logit) - best_logit) as f32));
        let nats = |item: Candidate| weigh(&item) / total * entropy.surprise(&item);
        entropy.nats = list.iter().map(nats).filter(|nats| nats.is_finite()).sum();
        Some(entropy)
    }

    /// −ln p of a candidate.
    pub(super) fn surprise(&self, item: &Candidate) -> f64 {
        self.ln_total - (f64::from(item.logit) - self.best_logit)
    }
}
