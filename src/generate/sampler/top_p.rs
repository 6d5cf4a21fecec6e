//! Top-p, or nucleus sampling (Holtzman et al., 2020).

use super::Candidates;

/// Keeps the smallest set of likeliest tokens whose probabilities add up to at least `mass`; mass ≥ 1 is off.
pub fn top_p(list: &mut Candidates, mass: f32) {
    if mass >= 1.0 {
        return;
    }
    if let Some(last) = list.cut_likeliest(|sum| sum >= f64::from(mass)) {
        list.retain(f64::from(last.logit), |item| item.order(&last).is_le());
    }
}
