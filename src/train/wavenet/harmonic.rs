//! The harmonics of a note, made anew.

use std::f64::consts::TAU;

/// Harmonics lie below this share of the sample rate.
const HIGHEST: f64 = 0.4625;
/// Frames that a harmonic is measured over.
const FRAMES: usize = 8;
/// The onset, in seconds.
const ONSET_S: f64 = 0.002;
/// A note that would have to be made louder than this was hardly harmonic.
const MOST_GAIN: f64 = 3.0;

/// The same note from its harmonics alone, each in sine phase from the onset on: its amplitude is measured under a Hann
/// window of [`FRAMES`] frames around every frame, and goes evenly from one to the next. As loud as it was.
pub(super) fn harmonic(samples: &[f32], frequency_hz: f64, sample_rate_hz: u32, frame: usize) -> Vec<f32> {
    let rate = f64::from(sample_rate_hz);
    let count = (HIGHEST * rate / frequency_hz) as usize;
    let window_len = FRAMES * frame;
    let window: Vec<f64> = (0..window_len).map(|i| 0.5 - 0.5 * (TAU * i as f64 / window_len as f64).cos()).collect();
    let frames = samples.len() / frame + 1;
    let mut padded = vec![0.0_f32; samples.len() + 2 * window_len];
    padded[window_len / 2..window_len / 2 + samples.len()].copy_from_slice(samples);
    // Before the onset there is nothing: a window counts for what it covers.
    let cover: Vec<f64> = (0..frames)
        .map(|frame_index| window[(window_len / 2).saturating_sub(frame_index * frame)..].iter().sum())
        .collect();
    let mut made = vec![0.0_f64; samples.len()];
    for harmonic in 1..=count {
        let turn = TAU * harmonic as f64 * frequency_hz / rate;
        let basis: [Vec<f32>; 2] = [f64::cos, f64::sin].map(|wave: fn(f64) -> f64| {
            window.iter().enumerate().map(|(i, window)| (window * wave(turn * i as f64)) as f32).collect()
        });
        let amplitudes: Vec<f64> = (0..frames)
            .map(|index| {
                let part = &padded[index * frame..][..window_len];
                let [re, im] = [0, 1].map(|axis: usize| dot(part, &basis[axis]));
                2.0 * f64::from(re).hypot(f64::from(im)) / cover[index]
            })
            .collect();
        // sin((t + 1) w) = 2 cos(w) sin(t w) − sin((t − 1) w), begun anew in every frame so that no error grows.
        let factor = 2.0 * turn.cos();
        for (index, part) in made.chunks_mut(frame).enumerate() {
            let start = (turn * (index * frame) as f64) % TAU;
            let (mut before, mut now) = ((start - turn).sin(), start.sin());
            let (from, to) = (amplitudes[index], amplitudes[(index + 1).min(frames - 1)]);
            for (offset, sample) in part.iter_mut().enumerate() {
                *sample += now * (from + (to - from) * offset as f64 / frame as f64);
                (before, now) = (now, factor * now - before);
            }
        }
    }
    let onset = ONSET_S * rate;
    made.iter_mut().enumerate().take(onset as usize).for_each(|(at, sample)| *sample *= at as f64 / onset);
    let power = |sum: f64, sample: f64| sum + sample * sample;
    let (was, is) = (samples.iter().map(|s| f64::from(*s)).fold(0.0, power), made.iter().copied().fold(0.0, power));
    let gain = (was / is.max(1e-12)).sqrt().min(MOST_GAIN);
    made.iter().map(|sample| (sample * gain) as f32).collect()
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
        let made = harmonic(&samples, f, rate, 80);
        let plain: Vec<_> = parts[..3].iter().map(|(h, a, _)| (*h, *a, 0.0)).collect();
        for (t, made) in made.iter().enumerate().take(14_000).skip(2_000) {
            assert!((f64::from(*made) - tone(t, &plain)).abs() < 0.01, "{t}: {made} {}", tone(t, &plain));
        }
        assert_eq!(made[0], 0.0);
        assert!(harmonic(&[0.0; 1_000], 5_000.0, rate, 80).iter().all(|sample| *sample == 0.0));
    }
}
