//! Temperature, fixed or by entropy ("dynatemp").

use super::{Candidates, entropy::Entropy, math};

/// Divides all logits by `temperature`; at ≤ 0 only the likeliest token stays.
pub fn temperature(list: &mut Candidates, temperature: f32) {
    let Some(best) = list.best() else { return };
    if temperature <= 0.0 {
        list.retain(f64::from(best.logit), |item| item.id == best.id);
    } else if temperature != 1.0 {
        // Measured from the best, a tiny temperature overflows to minus infinity only, which means "never".
        list.change_all(|logit| (logit - best.logit) / temperature);
    }
}

/// Temperature by how unsure the model is: with H the entropy of the tokens left and H_max = ln(how many are left), it is
/// min + (max − min) × (H / H_max)^`exponent`, where min and max are `middle` ∓ `range` (min at least 0).
/// A range ≤ 0 leaves `middle`, and `middle` ≤ 0 leaves the likeliest token only.
pub fn dynamic_temperature(list: &mut Candidates, middle: f32, range: f32, exponent: f32) {
    if range <= 0.0 || middle <= 0.0 {
        return temperature(list, middle);
    }
    let count = list.len();
    if count < 2 {
        return;
    }
    let Some(entropy) = Entropy::of(list) else { return };
    let normalised = (entropy.nats / math::ln(count as f64)).clamp(0.0, 1.0);
    let (least, most) = (f64::from((middle - range).max(0.0)), f64::from(middle + range));
    let dynamic = least + (most - least) * math::pow(normalised, f64::from(exponent));
    temperature(list, dynamic as f32);
}
