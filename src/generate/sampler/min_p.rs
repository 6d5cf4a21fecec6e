//! Min-p (Nguyen et al., 2024).

use super::{Candidates, math};

/// Keeps tokens at least `fraction` as likely as the likeliest one; ≤ 0 is off. The likeliest always stays.
pub fn min_p(list: &mut Candidates, fraction: f32) {
    if fraction <= 0.0 {
        return;
    }
    if let Some(best) = list.best() {
        list.retain(f64::from(best.logit) + math::ln(f64::from(fraction)).min(0.0), |_| true);
    }
}
