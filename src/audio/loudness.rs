//! How loud recordings are, and what makes them as loud as those that sound models learn from.

/// The root mean square of the loudest thirtieth of a second.
const LOUDNESS: f32 = 0.2;
/// No sample is louder.
const PEAK: f32 = 0.98;

/// The root mean square.
pub(crate) fn rms(samples: &[f32]) -> f32 {
    (samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len().max(1) as f32).sqrt()
}

/// The root mean square of the loudest thirtieth of a second.
pub(crate) fn loudest(samples: &[f32], sample_rate_hz: u32) -> f32 {
    samples.chunks((sample_rate_hz / 30).max(1) as usize).map(rms).fold(0.0, f32::max)
}

/// What samples are multiplied by so that a model takes them as it takes those that it learnt from.
pub(crate) fn levelling(samples: &[f32], sample_rate_hz: u32) -> f32 {
    let peak = samples.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
    (LOUDNESS / loudest(samples, sample_rate_hz).max(1e-9)).min(PEAK / peak.max(1e-9))
}
