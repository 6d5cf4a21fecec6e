//! Repeat, frequency and presence penalties.

use std::collections::HashMap;

use super::Candidates;

/// Makes tokens that were seen less likely. For a token seen c > 0 times in `seen`: a positive logit is divided by
/// `repeat` and any other multiplied by it (Keskar et al., 2019, with the correction for negative logits), then
/// c × `frequency` + `presence` is subtracted.
pub fn penalties(list: &mut Candidates, seen: &[u32], repeat: f32, frequency: f32, presence: f32) {
    if repeat == 1.0 && frequency == 0.0 && presence == 0.0 {
        return;
    }
    let mut counts: HashMap<u32, f32> = HashMap::new();
    for &id in seen {
        *counts.entry(id).or_default() += 1.0;
    }
    for (id, count) in counts {
        list.change(id, |logit| {
            let repeated = if logit > 0.0 { logit / repeat } else { logit * repeat };
            repeated - (count * frequency + presence)
        });
    }
}
