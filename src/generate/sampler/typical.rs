//! Locally typical sampling (Meister et al., 2022).

use super::{Candidates, entropy::Entropy};

/// Keeps the tokens whose surprise −ln p is closest to the entropy H = −Σ p ln p, closest first (ties: likelier first),
/// until their probabilities add up to more than `mass`; mass ≥ 1 is off.
pub fn typical(list: &mut Candidates, mass: f32) {
    if mass >= 1.0 {
        return;
    }
    let Some(entropy) = Entropy::of(list) else { return };
    let distance = |item: &super::Candidate| (entropy.surprise(item) - entropy.nats).abs();
    let Some((most, last)) = list.cut(distance, |sum| sum > f64::from(mass)) else { return };
    list.retain(f64::NEG_INFINITY, |item| distance(item).total_cmp(&most).then(item.order(&last)).is_le());
}
