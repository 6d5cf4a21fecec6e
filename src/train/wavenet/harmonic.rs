//! The harmonics of a note, made anew.

use std::f64::consts::TAU;

/// Harmonics lie below this share of the sample rate.
const HIGHEST: f64 = 0.4625;
/// Turns of the lowest partial that amplitudes are measured over, and the shortest and longest that may take, in seconds.
const TURNS: f64 = 2.5;
const SPAN_S: [f64; 2] = [0.006, 0.08];
/// Amplitudes are measured so often in a window.
const MEASURED: usize = 8;
/// The onset, in seconds.
const ONSET_S: f64 = 0.002;
/// What lies between the harmonics fades away so soon after the onset, to one in e, in seconds.
const STRIKE_S: f64 = 0.2;
/// A note that would have to be made louder than this was hardly harmonic.
const MOST_GAIN: f64 = 3.0;

/// The same note from its harmonics, each in sine phase from the onset on: its amplitude is measured under a Hann window of
/// [`TURNS`] turns, and goes evenly from one measurement to the next. Harmonics are as loud as they were. What is no harmonic,
/// as the blow of a hammer, is kept where the note begins.
pub(super) fn harmonic(samples: &[f32], lowest_hz: f64, sample_rate_hz: u32) -> Vec<f32> {
    let rate = f64::from(sample_rate_hz);
    let count = (HIGHEST * rate / lowest_hz) as usize;
    let hop = ((TURNS / lowest_hz).clamp(SPAN_S[0], SPAN_S[1]) * rate / MEASURED as f64).round().max(1.0) as usize;
    let window_len = MEASURED * hop;
    let window: Vec<f64> = (0..window_len).map(|i| 0.5 - 0.5 * (TAU * i as f64 / window_len as f64).cos()).collect();
    let places = samples.len() / hop + 2;
    let mut padded = vec![0.0_f32; samples.len() + 2 * window_len];
    padded[window_len / 2..window_len / 2 + samples.len()].copy_from_slice(samples);
    // Before the onset there is nothing: a window counts for what it covers.
    let cover: Vec<f64> =
        (0..places).map(|place| window[(window_len / 2).saturating_sub(place * hop)..].iter().sum()).collect();
    // In sine phase, and in the phases that they have.
    let (mut made, mut found) = (vec![0.0_f64; samples.len()], vec![0.0_f64; samples.len()]);
    for harmonic in 1..=count {
        let turn = TAU * harmonic as f64 * lowest_hz / rate;
        let basis: [Vec<f32>; 2] = [f64::cos, f64::sin].map(|wave: fn(f64) -> f64| {
            window.iter().enumerate().map(|(i, window)| (window * wave(turn * i as f64)) as f32).collect()
        });
        // The parts in cosine and sine phase, and the amplitude.
        let parts: Vec<[f64; 3]> = (0..places)
            .map(|place| {
                let part = &padded[place * hop..][..window_len];
                let [re, im] = [0, 1].map(|axis: usize| 2.0 * f64::from(dot(part, &basis[axis])) / cover[place]);
                // The window begins half of its length before the place.
                let (sin, cos) = (turn * (place * hop) as f64 - turn * (window_len / 2) as f64).sin_cos();
                [re * cos - im * sin, re * sin + im * cos, re.hypot(im)]
            })
            .collect();
        // Turned from sample to sample, begun anew at every place so that no error grows.
        let (step_sin, step_cos) = turn.sin_cos();
        for (place, start) in (0..samples.len()).step_by(hop).enumerate() {
            let (mut sin, mut cos) = (turn * start as f64).sin_cos();
            let (from, to) = (parts[place], parts[place + 1]);
            for at in start..(start + hop).min(samples.len()) {
                let share = (at - start) as f64 / hop as f64;
                let [a, b, amplitude] = [0, 1, 2].map(|i: usize| from[i] + (to[i] - from[i]) * share);
                made[at] += amplitude * sin;
                found[at] += a * cos + b * sin;
                (sin, cos) = (sin * step_cos + cos * step_sin, cos * step_cos - sin * step_sin);
            }
        }
    }
    let onset = ONSET_S * rate;
    made.iter_mut().enumerate().take(onset as usize).for_each(|(at, sample)| *sample *= at as f64 / onset);
    let power = |sum: f64, sample: f64| sum + sample * sample;
    let [was, is] = [&found, &made].map(|sound| sound.iter().copied().fold(0.0, power));
    let gain = (was / is.max(1e-12)).sqrt().min(MOST_GAIN);
    let rest = |at: usize| (f64::from(samples[at]) - found[at]) * (-(at as f64) / (STRIKE_S * rate)).exp();
    made.iter().enumerate().map(|(at, sample)| (sample * gain + rest(at)) as f32).collect()
}

/// In eight sums, which the compiler turns into vectors.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use super::*;

    #[test]
    fn harmonics_keep_their_amplitudes_and_lose_their_phases_and_what_lies_between() {
        let (rate, f) = (16_000, 220.0);
        let tone = |t: usize, parts: &[(f64, f64, f64)]| -> f64 {
            parts.iter().map(|(h, a, phase)| a * (TAU * h * f * t as f64 / 16e3 + phase * PI).sin()).sum()
        };
        let parts = [(1.0, 0.3, 0.4), (2.0, 0.1, 1.1), (5.0, 0.05, 0.7), (2.5, 0.02, 0.0)];
        let samples: Vec<f32> = (0..16_000).map(|t| tone(t, &parts) as f32).collect();
        let made = harmonic(&samples, f, rate);
        let plain: Vec<_> = parts[..3].iter().map(|(h, a, _)| (*h, *a, 0.0)).collect();
        for (t, made) in made.iter().enumerate().take(14_000).skip(6_000) {
            // A window of two and a half turns sees a little of what lies between.
            assert!((f64::from(*made) - tone(t, &plain)).abs() < 0.03, "{t}: {made} {}", tone(t, &plain));
        }
        assert!(harmonic(&[0.0; 1_000], 5_000.0, rate).iter().all(|sample| *sample == 0.0));
    }

    #[test]
    fn low_notes_are_heard_for_long_enough_to_tell_their_harmonics_apart() {
        let (rate, f) = (16_000, 32.7);
        let tone = |t: usize| {
            let part = |h: f64, a: f64| a * (TAU * h * f * t as f64 / 16e3).sin();
            (part(2.0, 0.2) + part(4.0, 0.1) + part(8.0, 0.1)) as f32
        };
        let samples: Vec<f32> = (0..16_000).map(tone).collect();
        let made = harmonic(&samples, f, rate);
        let power = |part: &mut dyn Iterator<Item = f32>| part.map(|x| f64::from(x * x)).sum::<f64>();
        for range in [160..1_600, 4_000..12_000] {
            let off = power(&mut range.clone().map(|t| made[t] - samples[t]));
            let db = 10.0 * (off / power(&mut samples[range.clone()].iter().copied())).log10();
            assert!(db < -15.0, "{range:?} {db}");
        }
    }

    #[test]
    fn a_blow_is_kept_where_the_note_begins_and_nowhere_else() {
        let (rate, f) = (16_000, 440.0);
        let tone = |t: usize| 0.2 * (TAU * f * t as f64 / 16e3).sin();
        // Between the first harmonic and nothing.
        let blow = |t: usize| 0.1 * (TAU * 130.0 * t as f64 / 16e3).sin();
        let samples: Vec<f32> = (0..16_000).map(|t| (tone(t) + blow(t)) as f32).collect();
        let made = harmonic(&samples, f, rate);
        let off = |from: usize| {
            let part = from..from + 800;
            let power = |value: &dyn Fn(usize) -> f64| part.clone().map(|t| value(t).powi(2)).sum::<f64>();
            (power(&|t| f64::from(made[t]) - tone(t)) / power(&|t| blow(t))).sqrt()
        };
        assert!(off(32) > 0.5, "{}", off(32));
        assert!(off(8_000) < 0.35, "{}", off(8_000));
    }
}
