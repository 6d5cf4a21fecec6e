//! DRY ("don't repeat yourself"): a penalty on tokens that would make a sequence repeat.

use std::collections::HashMap;

use super::{Candidates, math};

/// The strength of the penalty.
#[derive(Clone, Copy, Debug)]
pub struct Dry {
    /// Penalty on a repeat of `allowed_length` tokens; 0 is off.
    pub multiplier: f32,
    /// The penalty is multiplied by this for each token more; below 1 is off.
    pub base: f32,
    /// Repeats shorter than this are free.
    pub allowed_length: usize,
}

/// Penalises each token that would lengthen a repeat.
///
/// For a token t that stands somewhere in `seen`, let n be the most tokens that stand before it there and are also the
/// last n of `seen`, but at most `since_break`, the tokens since the last sequence breaker. If n ≥ `allowed_length` the
/// logit of t loses `multiplier` × `base`^(n − `allowed_length`). Tokens that are breakers themselves are spared.
pub fn dry(list: &mut Candidates, seen: &[u32], since_break: usize, settings: Dry, is_breaker: impl Fn(u32) -> bool) {
    let Dry { multiplier, base, allowed_length } = settings;
    if multiplier == 0.0 || base < 1.0 || seen.len() <= allowed_length || since_break < allowed_length {
        return;
    }
    let mut longest: HashMap<u32, usize> = HashMap::new();
    for (end, length) in suffix_matches(seen).into_iter().enumerate() {
        let length = length.min(since_break);
        if length >= allowed_length {
            let entry = longest.entry(seen[end]).or_default();
            *entry = length.max(*entry);
        }
    }
    for (id, length) in longest {
        if !is_breaker(id) {
            let penalty = f64::from(multiplier) * math::pow(f64::from(base), (length - allowed_length) as f64);
            list.change(id, |logit| logit - (penalty.min(f64::from(f32::MAX))) as f32);
        }
    }
}

/// For each i: how many of the tokens just before `seen[i]` are also the last ones of `seen`. That is the Z function of
/// the reversed text (Gusfield, 1997), linear in its length.
fn suffix_matches(seen: &[u32]) -> Vec<usize> {
    let n = seen.len();
    let back = |i: usize| seen[n - 1 - i];
    let mut z = vec![0; n];
    let (mut left, mut right) = (0, 0);
    for i in 1..n {
        let mut length = if i < right { z[i - left].min(right - i) } else { 0 };
        while i + length < n && back(length) == back(i + length) {
            length += 1;
        }
        if i + length > right {
            (left, right) = (i, i + length);
        }
        z[i] = length;
    }
    // z[k] belongs to the suffix that ends k tokens from the end, and the token after it is seen[n − k].
    let mut matches = vec![0; n];
    for k in 1..n {
        matches[n - k] = z[k];
    }
    matches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_are_those_found_by_looking() {
        let mut x = 3_u32;
        for length in 0..60 {
            let seen: Vec<u32> = (0..length)
                .map(|_| {
                    x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    x >> 31
                })
                .collect();
            let got = suffix_matches(&seen);
            for (i, &got) in got.iter().enumerate() {
                let want = (0..i).take_while(|&k| seen[i - 1 - k] == seen[seen.len() - 1 - k]).count();
                assert_eq!(got, want, "{i} of {seen:?}");
            }
        }
    }
}
