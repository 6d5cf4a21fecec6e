//! Drawing a sample from what the network gives.
#![allow(unsafe_code)]

use crate::kernels::{
    Level,
    elementwise::{
        math,
        mixture::{LEAST_LOG_SCALE, STEPS},
    },
    exec::vectorised,
    vector::{LANES, Vector},
};

/// How a sample is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// What logits are divided by; 0 takes the likeliest class.
    pub temperature: f32,
    /// Only so many of the likeliest classes; 0 takes all.
    pub top_k: usize,
    /// Only the likeliest classes that together reach this probability; 1 takes all.
    pub top_p: f32,
    /// How much of the way from the mean of what it is drawn from to the sample drawn is gone: 1 is the sample, 0 the mean.
    pub noise: f32,
}

impl Choice {
    /// Whether samples are moved towards the mean.
    pub fn is_calmed(&self) -> bool {
        self.noise != 1.0 && self.temperature > 0.0
    }
}

impl Default for Choice {
    fn default() -> Self {
        Self { temperature: 1.0, top_k: 0, top_p: 1.0, noise: 1.0 }
    }
}

/// Draws a class with the random number `uniform` in 0..1. `logits`, a multiple of 8, become weights.
pub fn draw(level: Level, logits: &mut [f32], choice: Choice, uniform: f64) -> usize {
    let mut top = f32::NEG_INFINITY;
    // SAFETY: asks for nothing beyond the level.
    unsafe { largest(level, logits, &mut top) };
    let likeliest = |logits: &[f32]| logits.iter().position(|logit| *logit == top).unwrap_or(0);
    if choice.temperature <= 0.0 || !top.is_finite() {
        return likeliest(logits);
    }
    let mut sums = [0.0_f64; MOST_PARTS];
    let parts = logits.len().div_ceil(PART).clamp(1, MOST_PARTS);
    // SAFETY: as above.
    unsafe { weights(level, logits, top, 1.0 / choice.temperature) };
    if (choice.top_k > 0 && choice.top_k < logits.len()) || choice.top_p < 1.0 {
        keep_likely(logits, choice);
    }
    // SAFETY: as above.
    unsafe { add_up(level, logits, &mut sums[..parts]) };
    let total: f64 = sums[..parts].iter().sum();
    let mut left = uniform * total;
    for (index, sum) in sums[..parts].iter().enumerate() {
        if left >= *sum && index + 1 < parts {
            left -= sum;
            continue;
        }
        let first = index * PART;
        let end = if index + 1 == parts { logits.len() } else { first + PART };
        let mut last = None;
        for (class, weight) in logits[first..end].iter().enumerate() {
            if *weight > 0.0 {
                last = Some(first + class);
                left -= f64::from(*weight);
                if left < 0.0 {
                    break;
                }
            }
        }
        if let Some(class) = last {
            return class;
        }
    }
    // Only rounding can lead here: the likeliest has the weight 1.
    logits.iter().position(|weight| *weight == 1.0).unwrap_or(0)
}

/// Draws a value as [`draw`] draws a class, whose value is in `values`, and moves it towards the mean of all values, which
/// are as likely as their classes. A mean that is no number is silence.
pub fn draw_calmed(level: Level, logits: &mut [f32], values: &[f32], choice: Choice, uniform: f64) -> f32 {
    let class = draw(level, logits, choice, uniform);
    let drawn = values.get(class).copied().unwrap_or(0.0);
    if !choice.is_calmed() {
        return drawn;
    }
    let mut sums = [0.0; 2];
    // SAFETY: asks for nothing beyond the level.
    unsafe { weighted(level, logits, values, &mut sums) };
    let mean = sums[0] / sums[1];
    if mean.is_finite() { mean + choice.noise * (drawn - mean) } else { 0.0 }
}

/// Draws a sample of sixteen bits from a mixture of logistic distributions, whose parameters are the first numbers of
/// `outputs`: logits of the weights, means, log scales. `uniforms` are random numbers in 0..1: one chooses the
/// distribution, the other the value in it. The temperature divides the logits and multiplies the scales; at 0 it is the
/// mean of the likeliest. The noise is that of [`draw_calmed`].
pub fn draw_mixture(outputs: &[f32], mixtures: usize, choice: Choice, uniforms: [f64; 2]) -> f32 {
    let (weights, rest) = outputs.split_at(mixtures);
    let most = weights.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut chosen = weights.iter().position(|weight| *weight == most).unwrap_or(0);
    let temperature = f64::from(choice.temperature.max(0.0));
    let mut value = f64::from(rest[chosen]);
    if temperature > 0.0 && most.is_finite() {
        let share = |weight: &f32| (f64::from(weight - most) / temperature).exp();
        let sum: f64 = weights.iter().map(share).sum();
        let mut left = uniforms[0] * sum;
        for (index, weight) in weights.iter().enumerate() {
            left -= share(weight);
            if left < 0.0 {
                chosen = index;
                break;
            }
        }
        let scale = f64::from(rest[mixtures + chosen].max(LEAST_LOG_SCALE)).exp() * temperature;
        let uniform = uniforms[1].clamp(1e-9, 1.0 - 1e-9);
        value = scale * (uniform / (1.0 - uniform)).ln() + f64::from(rest[chosen]);
        if choice.is_calmed() {
            let means = weights.iter().zip(rest).map(|(weight, mean)| share(weight) * f64::from(*mean));
            let mean = means.sum::<f64>() / sum;
            value = mean + f64::from(choice.noise) * (value - mean);
        }
    }
    // What is no number is silence.
    ((value * f64::from(STEPS)).round().clamp(-f64::from(STEPS), f64::from(STEPS)) as i16) as f32 / STEPS
}

/// Classes whose weights are summed up first.
const PART: usize = 16;
/// The most sums; what is beyond belongs to the last.
const MOST_PARTS: usize = 64;

vectorised! {
    /// The largest number.
    ///
    /// # Safety
    /// None beyond the level's.
    unsafe fn largest = largest_body(logits: &[f32], top: &mut f32)
}

#[inline(always)]
unsafe fn largest_body<V: Vector>(logits: &[f32], largest: &mut f32) {
    let mut top = V::splat(f32::NEG_INFINITY);
    let (whole, rest) = logits.as_chunks::<LANES>();
    for part in whole {
        // SAFETY: eight floats.
        top = top.max(unsafe { V::load(part.as_ptr()) });
    }
    *largest = rest.iter().copied().fold(top.largest(), f32::max);
}

vectorised! {
    /// `exp((logit − top) · scale)`
    ///
    /// # Safety
    /// None beyond the level's.
    unsafe fn weights = weights_body(logits: &mut [f32], top: f32, scale: f32)
}

#[inline(always)]
unsafe fn weights_body<V: Vector>(logits: &mut [f32], top: f32, scale: f32) {
    let (top, scale) = (V::splat(top), V::splat(scale));
    let (whole, rest) = logits.as_chunks_mut::<LANES>();
    for part in whole {
        // SAFETY: eight floats.
        unsafe { math::exp(V::load(part.as_ptr()).sub(top).mul(scale)).store(part.as_mut_ptr()) };
    }
    if !rest.is_empty() {
        math::exp(V::load_part(rest, f32::NEG_INFINITY).sub(top).mul(scale)).store_part(rest);
    }
}

vectorised! {
    /// The sums of the weights, a part at a time; the last takes what is beyond.
    ///
    /// # Safety
    /// None beyond the level's.
    unsafe fn add_up = add_up_body(weights: &[f32], sums: &mut [f64])
}

#[inline(always)]
unsafe fn add_up_body<V: Vector>(weights: &[f32], sums: &mut [f64]) {
    for (index, part) in weights.chunks(PART).enumerate() {
        let (whole, rest) = part.as_chunks::<LANES>();
        let mut sum = V::load_part(rest, 0.0);
        for part in whole {
            // SAFETY: eight floats.
            sum = sum.add(unsafe { V::load(part.as_ptr()) });
        }
        let at = index.min(sums.len() - 1);
        sums[at] += f64::from(sum.sum());
    }
}

vectorised! {
    /// The sum of the values, each times its weight, and the sum of the weights.
    ///
    /// # Safety
    /// None beyond the level's.
    unsafe fn weighted = weighted_body(weights: &[f32], values: &[f32], sums: &mut [f32; 2])
}

#[inline(always)]
unsafe fn weighted_body<V: Vector>(weights: &[f32], values: &[f32], sums: &mut [f32; 2]) {
    let len = weights.len().min(values.len());
    let (weights, weights_rest) = weights[..len].as_chunks::<LANES>();
    let (values, values_rest) = values[..len].as_chunks::<LANES>();
    let [weight, value] = [weights_rest, values_rest].map(|rest| V::load_part(rest, 0.0));
    let (mut sum, mut total) = (weight.mul(value), weight);
    for (weight, value) in weights.iter().zip(values) {
        // SAFETY: eight floats each.
        let [weight, value] = unsafe { [V::load(weight.as_ptr()), V::load(value.as_ptr())] };
        sum = weight.mul_add(value, sum);
        total = total.add(weight);
    }
    *sums = [sum.sum(), total.sum()];
}

/// Sets the weights of unlikely classes to 0. Of equal ones the earlier class counts as likelier.
fn keep_likely(weights: &mut [f32], choice: Choice) {
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]));
    let mut keep = if choice.top_k == 0 { order.len() } else { choice.top_k.min(order.len()) };
    if choice.top_p < 1.0 {
        let total: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
        let mut sum = 0.0;
        let reached = order.iter().position(|&class| {
            sum += f64::from(weights[class]);
            sum >= f64::from(choice.top_p.max(0.0)) * total
        });
        keep = keep.min(reached.map_or(order.len(), |last| last + 1));
    }
    for &class in &order[keep.max(1)..] {
        weights[class] = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(choice: Choice) -> Vec<f64> {
        let logits = [0.0, 2.0, 1.0, -1.0, 2.0, -30.0, 0.5, 0.0];
        let mut counts = vec![0.0; 8];
        for step in 0..8_000 {
            let class = draw(Level::current(), &mut logits.clone(), choice, (f64::from(step) + 0.5) / 8_000.0);
            counts[class] += 1.0 / 8_000.0;
        }
        counts
    }

    #[test]
    fn classes_are_drawn_as_often_as_their_probability_says() {
        let logits = [0.0_f64, 2.0, 1.0, -1.0, 2.0, -30.0, 0.5, 0.0];
        for temperature in [0.5, 1.0, 2.0] {
            let total: f64 = logits.iter().map(|logit| (logit / temperature).exp()).sum();
            let got = share(Choice { temperature: temperature as f32, ..Choice::default() });
            for (got, logit) in got.iter().zip(logits) {
                assert!((got - (logit / temperature).exp() / total).abs() < 1e-3, "{temperature}");
            }
        }
    }

    #[test]
    fn mixtures_are_drawn_from_as_their_distribution_says() {
        // Two distributions, one three times as likely; then what fills the outputs up.
        let outputs = [0.0, 3.0_f32.ln(), -0.5, 0.25, -4.0, -3.0, 7.0, 7.0];
        let (mut drawn, count) = (Vec::new(), 400);
        for a in 0..count {
            for b in 0..count {
                let uniforms = [a, b].map(|i| (f64::from(i) + 0.5) / f64::from(count));
                drawn.push(f64::from(draw_mixture(&outputs, 2, Choice::default(), uniforms)));
            }
        }
        drawn.sort_by(f64::total_cmp);
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        for x in [-0.6, -0.5, -0.45, 0.0, 0.2, 0.25, 0.4] {
            let below = drawn.partition_point(|value| *value <= x) as f64 / drawn.len() as f64;
            let want = 0.25 * sigmoid((x + 0.5) / (-4.0_f64).exp()) + 0.75 * sigmoid((x - 0.25) / (-3.0_f64).exp());
            assert!((below - want).abs() < 5e-3, "{x}: {below} {want}");
        }
        let at = |temperature: f32, uniforms| {
            draw_mixture(&outputs, 2, Choice { temperature, ..Choice::default() }, uniforms)
        };
        assert!((at(0.0, [0.1, 0.9]) - 0.25).abs() < 2e-5);
        assert!((at(1e-3, [0.9, 0.99]) - 0.25).abs() < 1e-3);
        let whole = at(1.0, [0.5, 0.77]) * STEPS;
        assert!((whole - whole.round()).abs() < 1e-2);
        let usual = Choice::default();
        assert_eq!(draw_mixture(&[f32::NAN; 3], 1, usual, [0.5, 0.5]), 0.0);
        assert_eq!(draw_mixture(&[0.0, 9.0, 0.0], 1, usual, [0.5, 0.5]), 1.0);
        // A quarter of the one, three of the other.
        let calm = |noise| draw_mixture(&outputs, 2, Choice { noise, ..usual }, [0.9, 0.5]);
        assert!((calm(0.0) - 0.0625).abs() < 2e-5 && (calm(0.5) - 0.15625).abs() < 1e-3, "{} {}", calm(0.0), calm(0.5));
    }

    #[test]
    fn calmed_samples_lie_between_what_is_drawn_and_the_mean() {
        let mut seed = 5_u32;
        let mut number = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(seed >> 8) / f64::from(1 << 24)
        };
        for len in [8, 40, 256] {
            let logits: Vec<f32> = (0..len).map(|_| (6.0 * number() - 3.0) as f32).collect();
            let values: Vec<f32> = (0..len).map(|_| (2.0 * number() - 1.0) as f32).collect();
            for choice in [Choice::default(), Choice { temperature: 0.7, top_k: 5, ..Choice::default() }] {
                let uniform = number();
                let mut weights = logits.clone();
                let class = draw(Level::Portable, &mut weights, choice, uniform);
                let total: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
                let mean = weights.iter().zip(&values).map(|(w, v)| f64::from(*w) * f64::from(*v)).sum::<f64>() / total;
                for level in Level::present() {
                    let calmed = |noise| {
                        let choice = Choice { noise, ..choice };
                        f64::from(draw_calmed(level, &mut logits.clone(), &values, choice, uniform))
                    };
                    assert_eq!(calmed(1.0), f64::from(values[class]));
                    assert!((calmed(0.0) - mean).abs() < 1e-5, "{len} {}", calmed(0.0));
                    assert!((calmed(0.25) - 0.75 * mean - 0.25 * f64::from(values[class])).abs() < 1e-5);
                }
            }
        }
        let likeliest = Choice { temperature: 0.0, noise: 0.0, ..Choice::default() };
        assert_eq!(draw_calmed(Level::current(), &mut [0.0, 3.0], &[0.5, -0.5], likeliest, 0.3), -0.5);
        let broken = Choice { noise: 0.5, ..Choice::default() };
        assert_eq!(draw_calmed(Level::current(), &mut [0.0, 0.0], &[f32::NAN, 0.5], broken, 0.3), 0.0);
    }

    #[test]
    fn likely_classes_alone_are_drawn_when_asked() {
        let top = share(Choice { top_k: 2, ..Choice::default() });
        assert!((top[1] - 0.5).abs() < 1e-3 && (top[4] - 0.5).abs() < 1e-3);
        let nucleus = share(Choice { top_p: 0.8, ..Choice::default() });
        assert_eq!(nucleus.iter().filter(|share| **share > 0.0).count(), 3);
        assert_eq!(
            draw(Level::current(), &mut [1.0, 3.0, 3.0, 0.0], Choice { temperature: 0.0, ..Choice::default() }, 0.9),
            1
        );
        assert!((share(Choice { top_p: 0.0, ..Choice::default() })[1] - 1.0).abs() < 1e-9);
    }
}
