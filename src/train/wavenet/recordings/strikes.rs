//! Where notes begin and end in a recording, and which keys they are.

use crate::{
    audio::pitch::{Pitch, hz_of_key, key_of_hz},
    nets::wavenet::{Tone, WaveNetConfig},
    train::wavenet::{Phase, Strike},
};

/// Below the loudest frame by this factor nothing sounds: −40 dB.
const QUIET: f32 = 0.01;
/// A pitch this far from the note's, in semitones, may be another note.
const AWAY: f32 = 0.7;
/// For so long it must stay there, in seconds: longer than half a turn of a vibrato.
const STAY_S: f64 = 0.12;
/// Gaps and sounds that are shorter are none.
const GAP_S: f64 = 0.02;
/// A note is struck again when it gets louder by this factor within [`RISE_S`].
const RISE: f32 = 2.5;
const RISE_S: f64 = 0.03;
/// Frames whose pitches make that of a note, at least.
const RECENT: usize = 32;
/// A note that follows so soon is the same one.
const APART_S: f64 = 0.06;

/// The notes that are heard in a track. Those without pitch have the lowest key.
pub(super) fn heard(track: &[Pitch], instrument: usize, velocity: u8, config: &WaveNetConfig) -> Vec<Strike> {
    let frames = |seconds: f64| {
        let per_second = f64::from(config.sample_rate_hz) / config.frame_samples as f64;
        ((seconds * per_second).round() as usize).max(1)
    };
    let loudest = track.iter().map(|pitch| pitch.level).fold(0.0, f32::max);
    let mut strikes = Vec::new();
    for (from, to) in sounding(track, loudest * QUIET, frames(GAP_S)) {
        let mut onsets = vec![from];
        let mut within: Vec<f32> = Vec::new();
        let (mut away, mut last_key) = (0, None);
        for frame in from..to {
            let begun = onsets.last().copied().unwrap_or(from);
            // Louder at once: struck again.
            let before = &track[frame.saturating_sub(frames(RISE_S)).max(begun)..frame];
            let softest = before.iter().map(|pitch| pitch.level).fold(f32::INFINITY, f32::min);
            let rises = track[frame].level > RISE * softest && track[frame].level > loudest * 0.1;
            if rises && frame - begun >= frames(APART_S) {
                onsets.push(frame);
                within.clear();
                away = 0;
            }
            // Another pitch, which stays: another note, from where it began.
            let key = track[frame].hz.map(key_of_hz);
            let middle = median(&mut within.clone());
            match (key, middle) {
                (Some(key), Some(middle)) if (key - middle).abs() > AWAY => {
                    let same = last_key.is_some_and(|last: f32| (key - last).abs() < AWAY);
                    away = if same { away + 1 } else { 1 };
                    if away >= frames(STAY_S) {
                        let onset = frame + 1 - away;
                        if onset - begun >= frames(APART_S) {
                            onsets.push(onset);
                        }
                        within = track[onset..=frame].iter().filter_map(|pitch| pitch.hz).map(key_of_hz).collect();
                        away = 0;
                    }
                }
                (Some(key), _) => {
                    away = 0;
                    // The last moments are enough, and a long note costs no more than a short one.
                    if within.len() >= 2 * RECENT {
                        within.drain(..RECENT);
                    }
                    within.push(key);
                }
                (None, _) => {}
            }
            last_key = key.or(last_key);
        }
        for (index, onset) in onsets.iter().enumerate() {
            let end = onsets.get(index + 1).copied().unwrap_or(to);
            let mut keys: Vec<f32> = track[*onset..end].iter().filter_map(|pitch| pitch.hz).map(key_of_hz).collect();
            let lowest = f32::from(config.lowest_key);
            // A breath or beat with a few voiced frames has no pitch.
            let voiced = keys.len() * 4 >= end - onset;
            let key = median(&mut keys).filter(|_| voiced).unwrap_or(lowest);
            let key = key.round().clamp(lowest, lowest + f32::from(config.keys - 1)) as u8;
            let tone = Tone { instrument, key, velocity };
            strikes.push(Strike { onset: *onset, released: end - onset, tone });
        }
    }
    strikes
}

/// Runs of frames that sound, from one up to another.
pub(super) fn sounding(track: &[Pitch], quiet: f32, gap: usize) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (frame, _) in track.iter().enumerate().filter(|(_, pitch)| pitch.level > quiet) {
        match runs.last_mut() {
            Some((_, end)) if frame - *end <= gap => *end = frame + 1,
            _ => runs.push((frame, frame + 1)),
        }
    }
    runs.retain(|(from, to)| to - from >= gap);
    runs
}

fn median(keys: &mut [f32]) -> Option<f32> {
    keys.sort_by(f32::total_cmp);
    keys.get(keys.len() / 2).copied()
}

/// The phase of the fundamental at every frame: the tracked pitch where there is one near the note's, and otherwise what
/// the note's pitch was before. Every note begins at 0.
pub(super) fn phases(track: &[Pitch], strikes: &[Strike], config: &WaveNetConfig) -> Vec<Phase> {
    let step_s = config.frame_samples as f64 / f64::from(config.sample_rate_hz);
    let (mut turns, mut before, mut begun) = (0.0_f64, None, 0_usize);
    let phase = |(frame, pitch): (usize, &Pitch)| {
        if strikes.get(begun).is_some_and(|strike| strike.onset <= frame) {
            begun += 1;
            (turns, before) = (0.0, None);
        }
        // What lies before the first note belongs to it.
        let note = begun.max(1) - 1;
        let key = f32::from(strikes.get(note).map_or(config.lowest_key, |strike| strike.tone.key));
        before = pitch.hz.filter(|hz| (key_of_hz(*hz) - key).abs() <= 1.0).or(before);
        let phase = Phase { turns, hz: before.unwrap_or_else(|| hz_of_key(key)) };
        turns += f64::from(phase.hz) * step_s;
        phase
    };
    track.iter().enumerate().map(phase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::wavenet::Harmonics;

    fn config() -> WaveNetConfig {
        WaveNetConfig {
            sample_rate_hz: 16_000,
            dilations: vec![1],
            frame_samples: 80,
            pre_emphasis: 0.0,
            instruments: Vec::new(),
            lowest_key: 40,
            keys: 40,
            harmonics: Harmonics::First(1),
            onset_decays_s: Vec::new(),
            release_decays_s: Vec::new(),
            mixtures: 0,
        }
    }

    /// Frames of 5 ms: how many, which key if any, how loud.
    fn track(parts: &[(usize, Option<f32>, f32)]) -> Vec<Pitch> {
        let frames = parts.iter().flat_map(|(count, key, level)| {
            std::iter::repeat_n(Pitch { hz: key.map(hz_of_key), level: *level }, *count)
        });
        frames.collect()
    }

    fn found(track: &[Pitch]) -> Vec<(usize, usize, u8)> {
        heard(track, 3, 90, &config()).iter().map(|s| (s.onset, s.released, s.tone.key)).collect()
    }

    #[test]
    fn notes_begin_where_sound_begins_where_pitch_steps_and_where_it_is_struck_again() {
        let melody = track(&[
            (20, None, 0.0),
            (60, Some(60.1), 0.2),
            (40, Some(62.0), 0.2),
            (2, None, 0.0),
            (30, Some(62.1), 0.02),
            (50, Some(61.9), 0.1),
            (30, None, 0.001),
        ]);
        assert_eq!(found(&melody), [(20, 60, 60), (80, 72, 62), (152, 50, 62)]);
        assert!(found(&track(&[(30, None, 0.0)])).is_empty() && found(&[]).is_empty());
    }

    #[test]
    fn vibrato_and_slips_are_no_new_notes_and_beats_have_the_lowest_key() {
        let sway: Vec<Pitch> = (0..400)
            .map(|frame| {
                let slip = if frame % 90 == 45 { 12.0 } else { 0.0 };
                Pitch { hz: Some(hz_of_key(57.0 + 0.6 * (frame as f32 * 0.17).sin() + slip)), level: 0.1 }
            })
            .collect();
        assert_eq!(found(&sway), [(0, 400, 57)]);
        let beat = track(&[(10, None, 0.4), (3, Some(70.0), 0.3), (30, None, 0.05)]);
        assert_eq!(found(&beat), [(0, 43, 40)]);
        // Outside of the keys the nearest one is taken.
        assert_eq!(found(&track(&[(50, Some(95.0), 0.1)])), [(0, 50, 79)]);
    }

    #[test]
    fn phases_follow_the_pitch_and_begin_anew_with_every_note() {
        let track = track(&[(50, Some(69.2), 0.2), (10, None, 0.2), (50, Some(72.0), 0.2)]);
        let strikes = heard(&track, 0, 90, &config());
        assert_eq!(strikes.len(), 2);
        let phases = phases(&track, &strikes, &config());
        let step = f64::from(hz_of_key(69.2)) * 0.005;
        for (frame, phase) in phases[..60].iter().enumerate() {
            assert!((phase.turns - step * frame as f64).abs() < 1e-3, "{frame} {phase:?}");
        }
        assert_eq!((phases[60].turns, phases[60].hz), (0.0, hz_of_key(72.0)));
        assert_eq!(phases.len(), track.len());
    }
}
