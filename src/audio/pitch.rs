//! The pitch of a sound, frame by frame: YIN (de Cheveigné and Kawahara 2002, “YIN, a fundamental frequency estimator for
//! speech and music”), all six of its steps.

/// The first dip of the normalised difference below this is the period (step 4).
const THRESHOLD: f32 = 0.1;
/// A frame is voiced when its normalised difference at the period is no higher than this.
const VOICED: f32 = 0.2;
/// Seconds that are compared with themselves, at least.
const WINDOW_S: f64 = 0.025;
/// How far the period may lie from that of the best frame nearby, as a share (step 6).
const NEARBY: f32 = 0.2;
/// The mean square of what counts as silence: −80 dB.
const SILENCE: f32 = 1e-8;

/// The key of a frequency, with its fraction; MIDI's 69 is 440 Hz.
pub(crate) fn key_of_hz(hz: f32) -> f32 {
    69.0 + 12.0 * (hz / 440.0).log2()
}

/// The frequency of a key.
pub(crate) fn hz_of_key(key: f32) -> f32 {
    440.0 * ((key - 69.0) / 12.0).exp2()
}

/// What is known of a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pitch {
    /// The fundamental frequency; `None` when there is none: noise, a beat, silence.
    pub hz: Option<f32>,
    /// The root mean square around the frame.
    pub level: f32,
}

/// A pitch tracker.
pub(crate) struct Yin {
    sample_rate_hz: f32,
    /// Periods that are looked for, in samples.
    shortest: usize,
    longest: usize,
    /// Samples that are compared.
    window: usize,
}

/// A period, in samples, and the normalised difference there.
#[derive(Clone, Copy)]
struct Period {
    samples: f32,
    aperiodicity: f32,
}

impl Yin {
    /// One that looks for pitches in this range.
    pub fn new(sample_rate_hz: u32, lowest_hz: f64, highest_hz: f64) -> Self {
        let rate = f64::from(sample_rate_hz);
        let shortest = ((rate / highest_hz).floor() as usize).max(2);
        let longest = ((rate / lowest_hz.max(10.0)).ceil() as usize).max(shortest + 2);
        let window = ((rate * WINDOW_S) as usize).max(longest);
        Self { sample_rate_hz: sample_rate_hz as f32, shortest, longest, window }
    }

    /// One that looks for the pitches of so many keys from the lowest up, and half a step around them.
    pub fn of_keys(sample_rate_hz: u32, lowest_key: u8, keys: u8) -> Self {
        let around = [f32::from(lowest_key) - 1.0, f32::from(lowest_key) + f32::from(keys)];
        let [lowest, highest] = around.map(|key| f64::from(hz_of_key(key)));
        let highest = highest.min(f64::from(sample_rate_hz) / 4.0);
        Self::new(sample_rate_hz, lowest.min(highest / 2.0), highest)
    }

    /// The pitch in the middle of every `hop` samples.
    pub fn track(&self, samples: &[f32], hop: usize) -> Vec<Pitch> {
        let frames = samples.len().div_ceil(hop);
        let mut differences = Differences::new(self.longest + 1);
        let mut periods: Vec<Option<Period>> = Vec::with_capacity(frames);
        for frame in 0..frames {
            let found = self.compare(samples, frame * hop + hop / 2, &mut differences);
            periods.push(found.then(|| self.first_dip(&differences)));
        }
        // Step 6: where a frame nearby is more periodic, the period is looked for around that one's.
        let reach = (self.longest / 2).div_ceil(hop);
        let refined = (0..frames).map(|frame| {
            let own = periods[frame]?;
            let nearby = &periods[frame.saturating_sub(reach)..(frame + reach + 1).min(frames)];
            let best = nearby.iter().flatten().copied().min_by(|a, b| a.aperiodicity.total_cmp(&b.aperiodicity))?;
            if (own.samples - best.samples).abs() <= NEARBY * best.samples {
                return Some(own);
            }
            self.compare(samples, frame * hop + hop / 2, &mut differences);
            let range = [1.0 - NEARBY, 1.0 + NEARBY].map(|share| (share * best.samples).round() as usize);
            Some(self.lowest(&differences, range[0].max(self.shortest), range[1].min(self.longest)))
        });
        let refined: Vec<_> = refined.collect();
        let pitch = |(frame, period): (usize, Option<Period>)| {
            let voiced = period.filter(|period| period.aperiodicity <= VOICED);
            let middle = frame * hop + hop / 2;
            let around = &samples[middle.saturating_sub(self.window / 2).min(samples.len())
                ..(middle + self.window / 2).min(samples.len())];
            Pitch { hz: voiced.map(|period| self.sample_rate_hz / period.samples), level: power(around).sqrt() }
        };
        refined.into_iter().enumerate().map(pitch).collect()
    }

    /// Steps 1 to 3 around `middle`; false when there is nothing to compare.
    fn compare(&self, samples: &[f32], middle: usize, to: &mut Differences) -> bool {
        let needed = self.window + self.longest + 1;
        let Some(last) = samples.len().checked_sub(needed) else { return false };
        let part = &samples[middle.saturating_sub(needed / 2).min(last)..][..needed];
        if power(part) < SILENCE {
            return false;
        }
        let mut sum = 0.0_f64;
        to.normalised[0] = 1.0;
        for lag in 1..=self.longest + 1 {
            // Both parts lie around the middle, whatever the lag: a pitch that moves is told where it is.
            let start = (needed - self.window - lag) / 2;
            let difference = distance(&part[start..][..self.window], &part[start + lag..][..self.window]);
            sum += f64::from(difference);
            to.plain[lag] = difference;
            to.normalised[lag] = (f64::from(difference) * lag as f64 / sum.max(1e-30)) as f32;
        }
        true
    }

    /// Step 4: the first dip below the threshold, or the lowest of all.
    fn first_dip(&self, differences: &Differences) -> Period {
        let normalised = &differences.normalised;
        let Some(mut lag) = (self.shortest..=self.longest).find(|lag| normalised[*lag] < THRESHOLD) else {
            return self.lowest(differences, self.shortest, self.longest);
        };
        while lag < self.longest && normalised[lag + 1] < normalised[lag] {
            lag += 1;
        }
        between(differences, lag)
    }

    fn lowest(&self, differences: &Differences, from: usize, to: usize) -> Period {
        let normalised = &differences.normalised;
        let lag = (from..=to).min_by(|a, b| normalised[*a].total_cmp(&normalised[*b])).unwrap_or(self.shortest);
        between(differences, lag)
    }
}

/// The squared difference of a sound and itself some samples later, for every such lag.
struct Differences {
    plain: Vec<f32>,
    /// Divided by its mean up to there.
    normalised: Vec<f32>,
}

impl Differences {
    fn new(most: usize) -> Self {
        Self { plain: vec![0.0; most + 1], normalised: vec![1.0; most + 1] }
    }
}

/// Step 5: the lowest point of the parabola through three lags.
fn between(differences: &Differences, lag: usize) -> Period {
    let [before, at, after] = [lag - 1, lag, lag + 1].map(|lag| differences.plain[lag]);
    let bend = before - 2.0 * at + after;
    let shift = if bend > 0.0 { (0.5 * (before - after) / bend).clamp(-1.0, 1.0) } else { 0.0 };
    Period { samples: lag as f32 + shift, aperiodicity: differences.normalised[lag] }
}

fn power(samples: &[f32]) -> f32 {
    samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len().max(1) as f32
}

/// In eight sums, which the compiler turns into vectors.
fn distance(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a8.remainder().iter().zip(b8.remainder()).map(|(a, b)| (a - b) * (a - b)).sum();
    for (a, b) in a8.zip(b8) {
        for lane in 0..8 {
            let difference = a[lane] - b[lane];
            sums[lane] += difference * difference;
        }
    }
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;
    use crate::random::Rng;

    const RATE: u32 = 16_000;
    const HOP: usize = 80;

    /// A second of harmonics with these amplitudes, of a pitch that changes in time.
    fn tone(amplitudes: &[f64], hz: impl Fn(f64) -> f64) -> Vec<f32> {
        let mut turns = 0.0;
        (0..RATE)
            .map(|t| {
                turns += hz(f64::from(t) / f64::from(RATE)) / f64::from(RATE);
                let harmonic = |(h, a): (usize, &f64)| a * (TAU * turns * (h + 1) as f64 + h as f64).sin();
                amplitudes.iter().enumerate().map(harmonic).sum::<f64>() as f32 * 0.3
            })
            .collect()
    }

    fn yin() -> Yin {
        Yin::new(RATE, 60.0, 1_200.0)
    }

    /// Of the frames inside, the share that is voiced, and the largest and the mean error in cents.
    fn measured(samples: &[f32], hz: impl Fn(f64) -> f64) -> (f64, f64, f64) {
        let track = yin().track(samples, HOP);
        let inside = 8..track.len() - 8;
        let errors: Vec<f64> = inside
            .clone()
            .filter_map(|frame| {
                let middle_s = (frame * HOP + HOP / 2) as f64 / f64::from(RATE);
                Some((1_200.0 * (f64::from(track[frame].hz?) / hz(middle_s)).log2()).abs())
            })
            .collect();
        let most = errors.iter().copied().fold(0.0, f64::max);
        (errors.len() as f64 / inside.len() as f64, most, errors.iter().sum::<f64>() / errors.len().max(1) as f64)
    }

    #[test]
    fn steady_tones_are_found_to_a_few_cents_and_in_their_octave() {
        for amplitudes in [&[1.0][..], &[1.0, 0.5, 0.3, 0.2], &[0.2, 1.0, 0.8, 0.5], &[0.0, 0.7, 0.6, 0.5, 0.4]] {
            for hz in [65.4, 110.0, 233.1, 440.0, 1_046.5] {
                if amplitudes[0] == 0.0 && hz > 600.0 {
                    continue;
                }
                let (voiced, most, _) = measured(&tone(amplitudes, |_| hz), |_| hz);
                assert!(voiced == 1.0 && most < 6.0, "{amplitudes:?} {hz}: {voiced} {most}");
            }
        }
    }

    #[test]
    fn vibrato_and_glides_are_followed() {
        let vibrato = |t: f64| 330.0 * 2.0_f64.powf(0.5 / 12.0 * (TAU * 5.5 * t).sin());
        let (voiced, most, mean) = measured(&tone(&[1.0, 0.6, 0.4, 0.2], vibrato), vibrato);
        assert!(voiced > 0.99 && most < 15.0 && mean < 5.0, "{voiced} {most} {mean}");
        let glide = |t: f64| 150.0 * 4.0_f64.powf(t);
        let (voiced, most, mean) = measured(&tone(&[0.8, 0.6, 0.4, 0.2], glide), glide);
        assert!(voiced > 0.98 && most < 30.0 && mean < 8.0, "{voiced} {most} {mean}");
    }

    #[test]
    fn tones_in_noise_are_found_and_noise_and_silence_have_no_pitch() {
        let mut rng = Rng::at(1, 2);
        // Noise 20 dB below the tone.
        let mut noisy = tone(&[1.0, 0.6, 0.4], |_| 196.0);
        noisy.iter_mut().for_each(|sample| *sample += (0.026 * rng.normal()) as f32);
        let (voiced, most, _) = measured(&noisy, |_| 196.0);
        assert!(voiced > 0.97 && most < 25.0, "{voiced} {most}");
        let noise: Vec<f32> = (0..RATE).map(|_| (0.2 * rng.normal()) as f32).collect();
        let track = yin().track(&noise, HOP);
        let voiced = track.iter().filter(|pitch| pitch.hz.is_some()).count();
        assert!(voiced * 50 < track.len(), "{voiced}");
        assert!(track.iter().all(|pitch| (pitch.level - 0.2).abs() < 0.05));
        for silence in [vec![0.0; 4_000], vec![1e-6; 4_000], vec![0.5; 300], Vec::new()] {
            assert!(yin().track(&silence, HOP).iter().all(|pitch| pitch.hz.is_none()));
            assert_eq!(yin().track(&silence, HOP).len(), silence.len().div_ceil(HOP));
        }
        let bad: Vec<f32> = (0..4_000).map(|t| [f32::NAN, f32::INFINITY, 0.1][t % 3]).collect();
        assert_eq!(yin().track(&bad, HOP).len(), 50);
    }
}
