//! The tokens still in question at one place, with their logits.
//!
//! A list is in the order of ids, or likeliest first with ties broken by the lower id, so sums are always added up in
//! the same order and the same draw always takes the same token. While it is still the whole vocabulary it is one plain
//! array of logits, which the passes over hundreds of thousands of tokens go through many at a time.

use std::cmp::Ordering;

use super::math;

/// A token in question.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Its id.
    pub id: u32,
    /// Its logit as the filters before have left it; never NaN.
    pub logit: f32,
}

impl Candidate {
    /// Likeliest first, then the lower id.
    pub fn order(&self, other: &Self) -> Ordering {
        other.logit.total_cmp(&self.logit).then(self.id.cmp(&other.id))
    }
}

/// The tokens in question.
#[derive(Clone, Debug, Default)]
pub struct Candidates {
    /// The logits of all tokens, minus infinity for forbidden ones, until the first filter cuts; then empty.
    whole: Vec<f32>,
    /// What is left after the first cut.
    items: Vec<Candidate>,
    weights: Vec<f32>,
}

/// Tokens are skipped in blocks of so many when none of them is likely enough.
const BLOCK: usize = 32;

impl Candidates {
    /// The whole vocabulary; token i has `logits[i]`. NaN counts as forbidden.
    pub fn fill(&mut self, logits: &[f32]) {
        self.items.clear();
        self.whole.clear();
        self.whole.extend(logits.iter().map(|&logit| sound(logit)));
    }

    /// All of them, in the list's order.
    pub fn iter(&self) -> impl Iterator<Item = Candidate> {
        let whole = self.whole.iter().zip(0..).filter(|(logit, _)| **logit > f32::NEG_INFINITY);
        whole.map(|(&logit, id)| Candidate { id, logit }).chain(self.items.iter().copied())
    }

    /// How many are left.
    pub fn len(&self) -> usize {
        self.whole.iter().filter(|logit| **logit > f32::NEG_INFINITY).count() + self.items.len()
    }

    /// Whether none is left.
    pub fn is_empty(&self) -> bool {
        self.best().is_none()
    }

    /// The likeliest, the lowest id of those that tie.
    pub fn best(&self) -> Option<Candidate> {
        let logit = max(&self.whole);
        if logit > f32::NEG_INFINITY {
            return self.whole.iter().position(|x| *x == logit).map(|id| Candidate { id: id as u32, logit });
        }
        self.items.iter().copied().min_by(Candidate::order)
    }

    /// Changes the logit of token `id`; only while the list is still the whole vocabulary.
    pub(super) fn change(&mut self, id: u32, change: impl FnOnce(f32) -> f32) {
        debug_assert!(self.items.is_empty());
        if let Some(logit) = self.whole.get_mut(id as usize) {
            *logit = sound(change(*logit));
        }
    }

    /// Changes every logit by a function that keeps their order.
    pub(super) fn change_all(&mut self, change: impl Fn(f32) -> f32) {
        self.whole.iter_mut().for_each(|logit| *logit = change(*logit));
        self.items.iter_mut().for_each(|item| item.logit = change(item.logit));
    }

    /// Keeps those with a logit of at least `least` that `keep` wants; the order stays.
    pub(super) fn retain(&mut self, least: f64, keep: impl Fn(&Candidate) -> bool) {
        let keep = |item: &Candidate| f64::from(item.logit) >= least && keep(item);
        self.items.retain(keep);
        // Rounding must not lose one that `keep` would want.
        let floor = (least as f32).next_down();
        for (block, first) in self.whole.chunks(BLOCK).zip((0..).step_by(BLOCK)) {
            if block.iter().fold(false, |any, &logit| any | (logit >= floor)) {
                let block = block.iter().zip(first..).map(|(&logit, id)| Candidate { id, logit });
                self.items.extend(block.filter(|item| item.logit > f32::NEG_INFINITY && keep(item)));
            }
        }
        self.whole.clear();
    }

    /// Keeps the `n` likeliest, in order.
    pub(super) fn keep_likeliest(&mut self, n: usize) {
        if self.whole.is_empty() {
            self.items.sort_unstable_by(Candidate::order);
            self.items.truncate(n);
        } else {
            self.items = likeliest(&self.whole, n);
            self.whole.clear();
        }
    }

    /// e^(logit − best logit) of each in the order of [`Candidates::iter`] (for the whole vocabulary, of each id), and
    /// their sum: the softmax is their quotient.
    pub(super) fn weights(&mut self) -> (&[f32], f64) {
        let best = self.best().map_or(0.0, |best| best.logit);
        self.weights.clear();
        self.weights.extend(self.whole.iter().map(|logit| math::exp_of_negative(logit - best)));
        self.weights.extend(self.items.iter().map(|item| math::exp_of_negative(item.logit - best)));
        let total = math::sum(&self.weights);
        (&self.weights, total)
    }

    /// Goes through the candidates from the smallest `key` (at least 0; ties: likelier first), adding up their
    /// probabilities, and gives the key and candidate at which `enough` accepts the sum; the last one if none does.
    pub(super) fn cut(
        &mut self,
        key: impl Fn(&Candidate) -> f64,
        enough: impl Fn(f64) -> bool,
    ) -> Option<(f64, Candidate)> {
        /// Keys are sorted into so many buckets first; only the bucket in which the sum is reached is sorted itself.
        const BUCKETS: usize = 4096;
        const BUCKETS_PER_UNIT: f64 = 32.0;
        let bucket = |key: f64| ((key * BUCKETS_PER_UNIT) as usize).min(BUCKETS - 1);
        self.weights();
        let at = |i: usize| match self.whole.get(i) {
            Some(&logit) => Candidate { id: i as u32, logit },
            None => self.items[i],
        };
        let mut masses = vec![0.0; BUCKETS];
        for (i, &weight) in self.weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
            masses[bucket(key(&at(i)))] += f64::from(weight);
        }
        let total: f64 = masses.iter().sum();
        let mut sum = 0.0;
        let mut reached = None;
        for (i, mass) in masses.into_iter().enumerate().filter(|(_, mass)| *mass > 0.0) {
            reached = Some((i, sum));
            sum += mass;
            if enough(sum / total) {
                break;
            }
        }
        let (reached, mut sum) = reached?;
        let weights = self.weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0);
        let inside =
            weights.map(|(i, weight)| (key(&at(i)), at(i), weight)).filter(|(key, ..)| bucket(*key) == reached);
        let mut inside: Vec<_> = inside.collect();
        inside.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.order(&b.1)));
        let cut = inside.iter().find(|(.., weight)| {
            sum += f64::from(**weight);
            enough(sum / total)
        });
        cut.or(inside.last()).map(|(key, item, _)| (*key, *item))
    }

    /// [`Candidates::cut`] from the likeliest down.
    pub(super) fn cut_likeliest(&mut self, enough: impl Fn(f64) -> bool) -> Option<Candidate> {
        let best = self.best()?.logit;
        self.cut(|item| f64::from(best) - f64::from(item.logit), enough).map(|(_, item)| item)
    }
}

/// The logit as the filters take it: NaN is forbidden, plus infinity is the largest number, −0 is 0 so that they tie.
fn sound(logit: f32) -> f32 {
    let logit = if logit.is_nan() { f32::NEG_INFINITY } else { logit };
    (if logit > f32::MAX { f32::MAX } else { logit }) + 0.0
}

/// The greatest of numbers without NaN; minus infinity if there is none.
fn max(values: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; BLOCK];
    for block in values.chunks(BLOCK) {
        for (lane, &value) in lanes.iter_mut().zip(block) {
            *lane = if value > *lane { value } else { *lane };
        }
    }
    lanes.into_iter().fold(f32::NEG_INFINITY, f32::max)
}

/// The `n` likeliest tokens of a whole vocabulary in order, without forbidden ones: one pass that sorts only what could
/// be among them.
pub(super) fn likeliest(logits: &[f32], n: usize) -> Vec<Candidate> {
    let n = n.min(logits.len());
    let room = n * 2 + 64;
    let mut first: Vec<Candidate> = Vec::new();
    // Later ids lose ties, so once n are found only a greater logit gets in.
    let mut floor = f32::NEG_INFINITY;
    for (block, start) in logits.chunks(BLOCK).zip((0..).step_by(BLOCK)) {
        if !block.iter().fold(false, |any, &logit| any | (logit > floor)) {
            continue;
        }
        let block = block.iter().zip(start..).filter(|(logit, _)| **logit > floor);
        first.extend(block.map(|(&logit, id)| Candidate { id, logit: sound(logit) }));
        if first.len() >= room && n > 0 {
            first.select_nth_unstable_by(n - 1, Candidate::order);
            first.truncate(n);
            floor = first[n - 1].logit;
        }
    }
    first.sort_unstable_by(Candidate::order);
    first.truncate(n);
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(n: usize) -> Vec<f32> {
        let mut x = 9_u32;
        let next = |_| {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (x >> 22) as f32 * 0.01
        };
        (0..n).map(next).collect()
    }

    #[test]
    fn the_likeliest_are_those_of_a_full_sort() {
        let mut ascending = noise(5000);
        ascending.sort_by(f32::total_cmp);
        for logits in [noise(5000), ascending] {
            let mut sorted: Vec<_> = logits.iter().zip(0..).map(|(&logit, id)| Candidate { id, logit }).collect();
            sorted.sort_by(Candidate::order);
            for n in [0, 1, 2, 40, 63, 64, 1000, 4999, 5000, 9000] {
                assert_eq!(likeliest(&logits, n), sorted[..n.min(5000)], "{n}");
            }
        }
    }

    #[test]
    fn a_cut_is_the_one_of_a_full_sort() {
        let logits = noise(3000);
        let mut sorted: Vec<_> = logits.iter().zip(0..).map(|(&logit, id)| Candidate { id, logit }).collect();
        sorted.sort_by(Candidate::order);
        let total: f64 = sorted.iter().map(|item| f64::from(item.logit).exp()).sum();
        for share in [0.0, 0.000_3, 0.1, 0.5, 0.77, 0.999, 2.0] {
            let mut sum = 0.0;
            let want = sorted.iter().find(|item| {
                sum += f64::from(item.logit).exp() / total;
                sum > share
            });
            let mut list = Candidates::default();
            list.fill(&logits);
            assert_eq!(list.cut_likeliest(|sum| sum > share).as_ref(), want.or(sorted.last()), "{share}");
            list.keep_likeliest(3000);
            assert_eq!(list.cut_likeliest(|sum| sum > share).as_ref(), want.or(sorted.last()), "{share}");
        }
    }

    #[test]
    fn odd_logits_do_no_harm() {
        let mut list = Candidates::default();
        list.fill(&[f32::NAN, -0.0, 0.0, f32::INFINITY, f32::NEG_INFINITY, f32::MAX]);
        assert_eq!((list.len(), list.iter().count()), (4, 4));
        assert_eq!(list.best().map(|best| best.id), Some(3));
        let (weights, total) = list.weights();
        assert_eq!((weights, total), (&[0.0, 0.0, 0.0, 1.0, 0.0, 1.0][..], 2.0));
        list.keep_likeliest(9);
        assert_eq!(list.iter().map(|item| item.id).collect::<Vec<_>>(), [3, 5, 1, 2]);
        for empty in [&[][..], &[f32::NAN]] {
            list.fill(empty);
            assert!(list.is_empty() && list.cut_likeliest(|_| true).is_none());
        }
    }
}
