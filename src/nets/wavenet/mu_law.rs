//! µ-law (ITU-T G.711's curve with µ = 255, without its segments): 256 classes, finer around silence.

/// Classes of a sample.
pub const CLASSES: usize = 256;
/// The class of silence.
pub const SILENCE: usize = 128;

const MU: f32 = 255.0;

/// Where a sample lies among the classes, between them too.
pub fn place(sample: f32) -> f32 {
    let sample = if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 };
    let curved = (MU * sample.abs()).ln_1p() / MU.ln_1p();
    (curved.copysign(sample) + 1.0) / 2.0 * MU
}

/// The sample at a place among the classes.
pub fn sample_at(place: f32) -> f32 {
    let curved = 2.0 * place.clamp(0.0, MU) / MU - 1.0;
    (((curved.abs() * MU.ln_1p()).exp() - 1.0) / MU).copysign(curved)
}

/// The class of a sample; beyond −1..1 the outermost ones.
pub fn encode(sample: f32) -> usize {
    // In 0..=255.
    (place(sample) + 0.5).floor() as usize
}

/// The sample in the middle of a class.
pub fn decode(class: usize) -> f32 {
    sample_at(class as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_comes_back_and_steps_are_even() {
        for class in 0..CLASSES {
            assert_eq!(encode(decode(class)), class);
        }
        assert!((1..CLASSES).all(|class| decode(class) > decode(class - 1)));
        assert_eq!([encode(0.0), encode(-2.0), encode(2.0), encode(f32::NAN)], [SILENCE, 0, 255, SILENCE]);
        assert!((decode(0) + 1.0).abs() < 1e-5 && (decode(255) - 1.0).abs() < 1e-5);
        assert!(decode(SILENCE).abs() < 1e-3);
        assert!((0..=2_000).map(|i| i as f32 / 1_000.0 - 1.0).all(|x| (sample_at(place(x)) - x).abs() < 1e-5));
    }
}
