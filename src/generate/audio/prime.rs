//! Going on where a recording ends: a voice takes the end of it for its own past.

use std::f64::consts::TAU;

use serde::{Deserialize, Serialize};

use super::{AudioModel, AudioRequest, Drawing, Note};
use crate::{
    Error, Result,
    audio::{
        Converter,
        loudness::{levelling, loudest},
        pitch::{Pitch, Yin, hz_of_key, key_of_hz},
    },
    kernels::elementwise::mixture::STEPS,
    nets::wavenet::{WaveNetConfig, mu_law},
};

/// The most of a recording that a voice is given, and that is looked at for its last note, in seconds.
const GIVEN_S: usize = 1;
const HEARD_S: usize = 4;
/// Nothing below is looked for, in hertz.
const LOWEST_HZ: f64 = 27.5;
/// Nothing louder than this is silence.
const SILENT: f32 = 1e-4;
/// The last note sounds in these frames, in seconds.
const LAST_S: f64 = 0.06;
/// A note began where the pitch lies further away than this in semitones or was none for [`GAP_S`], where it was softer than
/// at the end by this factor, or where it got so much louder within [`RISE_S`].
const AWAY: f32 = 1.0;
const GAP_S: f64 = 0.05;
const FADED: f32 = 0.1;
const RISE: f32 = 2.5;
const RISE_S: f64 = 0.03;
/// What is left of a note at the end, of its loudest, at least.
const QUIET: f32 = 0.01;
/// Pitches are heard so often a second, at most.
const HOPS_S: usize = 250;
/// What samples are multiplied by in the end.
const GAINS: [f32; 2] = [1e-4, 1e4];
/// From what is given to what is drawn.
const FADE_S: f32 = 0.03;
/// Samples that the phase is measured over, at most.
const PHASE: usize = 2_048;
/// The latest frame of a note that a voice may begin at.
const MOST_FRAMES: u32 = 1 << 20;

/// The end of a recording, as the network takes samples: what the first note of a request has played already.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prime {
    /// µ-law classes, or whole numbers of sixteen bits where samples are drawn from mixtures; pre-emphasised.
    pub levels: Vec<i16>,
    /// The sample before the first of them, without pre-emphasis.
    pub before: f32,
    /// Frames from the onset of the note to the first of them.
    pub frame: u32,
    /// How often the lowest partial has turned at the first of them, and its hertz from there on.
    pub turns: f32,
    pub hz: f32,
    /// What samples are multiplied by, so that they are as loud as the recording.
    pub gain: f32,
}

impl WaveNetConfig {
    /// Pitches that are looked for, in hertz: those of the keys, and of others around them, so that they are not taken for
    /// these.
    fn range_hz(&self) -> [f64; 2] {
        let lowest = f64::from(hz_of_key(f32::from(self.lowest_key) - 12.0)).max(LOWEST_HZ);
        let highest = f64::from(hz_of_key(f32::from(self.lowest_key) + f32::from(self.keys) + 24.0));
        let highest = highest.min(f64::from(self.sample_rate_hz) / 4.0);
        [lowest.min(highest / 2.0), highest]
    }
}

impl Prime {
    /// What is heard as sample number `at` when the network draws `drawn`: what is given, and towards its end more and more
    /// of what is drawn, as a network brings the phases of harmonics to where it knows them.
    pub(super) fn blended(&self, at: usize, drawn: f32, values: &[f32], config: &WaveNetConfig) -> f32 {
        let Some(level) = self.levels.get(at) else { return drawn };
        let given = match config.mixtures {
            // Classes are checked to be some.
            0 => values[usize::from(level.unsigned_abs())],
            _ => f32::from(*level) / STEPS,
        };
        let fade = FADE_S * config.sample_rate_hz as f32;
        let share = (self.levels.len() - at) as f32 / fade;
        if share >= 1.0 { given } else { given * share + drawn * (1.0 - share) }
    }

    /// # Errors
    /// When it is none for this network.
    pub(super) fn check(&self, config: &WaveNetConfig, notes: &[Note]) -> Result<()> {
        let Self { levels, before, frame, turns, hz, gain } = self;
        let range = if config.mixtures == 0 { 0..=mu_law::CLASSES as i16 - 1 } else { -i16::MAX..=i16::MAX };
        let fits = !levels.is_empty()
            && levels.len() <= GIVEN_S * config.sample_rate_hz as usize
            && levels.iter().all(|level| range.contains(level))
            && before.abs() <= 8.0
            && *frame <= MOST_FRAMES
            && turns.abs() <= 1e6
            && (0.0..=config.sample_rate_hz as f32 / 2.0).contains(hz)
            && (GAINS[0]..=GAINS[1]).contains(gain)
            && notes.first().is_some_and(|note| note.start == 0);
        if fits {
            return Ok(());
        }
        Err(Error::new(
            "The recording that this sound goes on from does not fit the model; make it again from the recording.",
            "此声音所接续的录音与模型不符，请用该录音重新生成。",
        ))
    }
}

impl AudioModel {
    /// A request that goes on where `recording` ends, which has one channel: the last second of it, or its last note, and
    /// then `hold` samples of that note (at the model's rate), played by `instrument` as if struck with this velocity.
    ///
    /// # Errors
    /// When no note of the model's is heard at the end.
    pub fn continued(
        &self,
        (recording, sample_rate_hz): (&[f32], u32),
        (instrument, velocity): (u16, u8),
        hold: u64,
        drawing: Drawing,
    ) -> Result<AudioRequest> {
        let config = self.config();
        let (rate, frame) = (config.sample_rate_hz as usize, config.frame_samples);
        let Some(tones) = config.instruments.get(usize::from(instrument)) else {
            return Err(self.instrument(&instrument.to_string()).err().unwrap_or_else(no_note));
        };
        let samples = end_of(recording, sample_rate_hz, config.sample_rate_hz)?;
        // Pitches are heard every few milliseconds, in whole frames.
        let frames_of_hop = (rate / HOPS_S).div_ceil(frame).max(1);
        let hop = frames_of_hop * frame;
        let heard = &samples[samples.len().saturating_sub(HEARD_S * rate)..];
        let mut samples = heard[heard.len() % hop..].to_vec();
        if loudest(&samples, config.sample_rate_hz) < SILENT {
            return Err(no_note());
        }
        // As loud as what the model learnt from, by all from this sample on.
        let level = |samples: &mut [f32], from: usize| {
            let gain = levelling(&samples[from..], config.sample_rate_hz);
            samples.iter_mut().for_each(|sample| *sample *= gain);
            gain
        };
        let mut gain = level(&mut samples, 0);

        let per_second = rate as f64 / hop as f64;
        let hops = |seconds: f64| ((seconds * per_second).round() as usize).max(1);
        let [lowest, highest] = config.range_hz();
        let track = Yin::new(config.sample_rate_hz, lowest, highest).track(&samples, hop);
        let recent = &track[track.len() - hops(LAST_S).min(track.len())..];
        let mut pitches: Vec<f32> = recent.iter().filter_map(|pitch| pitch.hz).collect();
        if pitches.is_empty() || pitches.len() * 2 < recent.len() {
            return Err(no_note());
        }
        pitches.sort_by(f32::total_cmp);
        let hz = pitches[pitches.len() / 2];
        // What is heard is the lowest partial, which an instrument may have octaves away from its key.
        let key = (key_of_hz(hz).round() - 12.0 * f32::from(tones.octave)).clamp(0.0, 127.0) as u8;
        let note = Note { start: 0, length: 0, key, velocity, instrument };
        self.check(&AudioRequest::new(vec![note.clone()], drawing))?;

        let onset = onset(&track, key_of_hz(hz), [hops(RISE_S), hops(GAP_S)]) * frames_of_hop;
        let all = track.len() * frames_of_hop;
        let frames = (all - onset).min(GIVEN_S * rate / frame);
        let left = recent.iter().map(|pitch| pitch.level).fold(0.0, f32::max);
        // The note's own loudness is what the network knows; what has nearly died away is lost among its classes.
        gain *= level(&mut samples, onset * frame);
        let most = track[onset / frames_of_hop..].iter().map(|pitch| pitch.level).fold(0.0, f32::max);
        if left < most * QUIET || ((frames * frame) as f32) < FADE_S * rate as f32 {
            return Err(no_note());
        }
        let from = samples.len() - frames * frame;
        let turns =
            phase(&samples, f64::from(hz) / rate as f64) - f64::from(hz) * (frames * frame) as f64 / rate as f64;
        let before = if from > 0 { samples[from - 1].clamp(-1.0, 1.0) } else { 0.0 };
        let mut last = before;
        let class = |sample: &f32| {
            let emphasised = sample - config.pre_emphasis * last;
            last = *sample;
            match config.mixtures {
                0 => mu_law::encode(emphasised) as i16,
                _ => (emphasised.clamp(-1.0, 1.0) * STEPS).round() as i16,
            }
        };
        let prime = Prime {
            levels: samples[from..].iter().map(class).collect(),
            before,
            frame: (all - frames - onset) as u32,
            turns: turns.rem_euclid(1.0) as f32,
            hz,
            gain: (1.0 / gain).clamp(GAINS[0], GAINS[1]),
        };
        let length = (frames * frame) as u64 + hold;
        let request =
            AudioRequest { prime: Some(Box::new(prime)), ..AudioRequest::new(vec![Note { length, ..note }], drawing) };
        self.check(&request)?;
        Ok(request)
    }
}

fn no_note() -> Error {
    Error::new(
        "No note is heard at the end of the recording; cut it off, or end the selection, where a single note sounds.",
        "录音结尾没有检测到音；请把录音剪到（或把选区拉到）正有单个音发声的地方。",
    )
}

/// The last seconds of a recording at another rate; what is not a number is silence.
fn end_of(recording: &[f32], from_hz: u32, to_hz: u32) -> Result<Vec<f32>> {
    let end = &recording[recording.len().saturating_sub(2 * HEARD_S * from_hz as usize)..];
    let finite: Vec<f32> = end.iter().map(|sample| if sample.is_finite() { *sample } else { 0.0 }).collect();
    Converter::convert(&finite, from_hz, to_hz)
}

/// Where the last note of a track began, which is at this key at the end. A note gets louder within `rise` and goes without
/// a pitch for up to `gap`.
fn onset(track: &[Pitch], key: f32, [rise, gap]: [usize; 2]) -> usize {
    let end = track.len().saturating_sub(1);
    let recent = track[track.len().saturating_sub(gap)..].iter().map(|pitch| pitch.level).fold(0.0, f32::max);
    let (mut begun, mut missing) = (end, 0);
    for frame in (0..track.len()).rev() {
        let is_it = track[frame].hz.is_some_and(|hz| (key_of_hz(hz) - key).abs() <= AWAY);
        let is_another = track[frame].hz.is_some() && !is_it;
        missing = if is_it { 0 } else { missing + 1 };
        // The last moments may be anything: the window of the tracker ends there.
        let is_last = end - frame < gap;
        if track[frame].level < recent * FADED || missing > gap || (is_another && !is_last) {
            break;
        }
        if is_it {
            begun = frame;
        }
    }
    // Struck again on the way: where it begins to get louder.
    let rises = |frame: &usize| {
        let before = track[frame.saturating_sub(rise).max(begun)..*frame].iter().map(|pitch| pitch.level);
        track[*frame].level > RISE * before.fold(f32::INFINITY, f32::min)
    };
    let struck = (begun + 1..track.len()).rev().find(rises);
    let from = struck.and_then(|last| (begun + 1..=last).rev().take_while(rises).last());
    from.unwrap_or(begun)
}

/// How far a partial that turns `per_sample` times a sample has turned behind the last sample, as a sine.
fn phase(samples: &[f32], per_sample: f64) -> f64 {
    let part = &samples[samples.len().saturating_sub(PHASE)..];
    let (mut re, mut im) = (0.0, 0.0);
    for (at, sample) in part.iter().enumerate() {
        let window = 0.5 - 0.5 * (TAU * (at as f64 + 0.5) / part.len() as f64).cos();
        let (sin, cos) = (TAU * per_sample * (at as f64 - part.len() as f64)).sin_cos();
        re += window * f64::from(*sample) * cos;
        im -= window * f64::from(*sample) * sin;
    }
    // The angle is that of a cosine.
    (im.atan2(re) / TAU + 0.25).rem_euclid(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_phase_behind_the_last_sample_is_found() {
        for (turns, per_sample) in [(0.0, 0.0137), (0.3, 0.02), (0.9, 0.0061)] {
            let count = 5_000;
            let wave = |at: usize| ((turns + per_sample * (at as f64 - count as f64)) * TAU).sin() as f32;
            let samples: Vec<f32> = (0..count).map(wave).collect();
            let apart = (phase(&samples, per_sample) - turns).rem_euclid(1.0);
            assert!(apart.min(1.0 - apart) < 0.01, "{turns}: {apart}");
        }
    }

    #[test]
    fn the_last_note_began_where_it_was_struck_or_came_from_another() {
        let sounding = |hz: f32, level: f32| Pitch { hz: Some(hz), level };
        let silence = Pitch { hz: None, level: 0.0 };
        let track: Vec<_> = [vec![silence; 3], vec![sounding(220.0, 0.1); 10], vec![sounding(440.0, 0.1); 7]].concat();
        assert_eq!(onset(&track, 69.0, [2, 3]), 13);
        assert_eq!(onset(&track[..13], 57.0, [2, 3]), 3);
        let again: Vec<_> = [vec![sounding(440.0, 0.02); 8], vec![sounding(440.0, 0.1); 5]].concat();
        assert_eq!(onset(&again, 69.0, [2, 3]), 8);
        // A last moment that is heard otherwise, and one without a pitch on the way, are of the note; drums before it are not.
        let drums = Pitch { hz: None, level: 0.3 };
        let of_all: Vec<_> = [
            vec![drums; 6],
            vec![sounding(440.0, 0.1); 4],
            vec![Pitch { hz: None, level: 0.1 }; 2],
            vec![sounding(440.0, 0.1); 4],
            vec![sounding(880.0, 0.1); 1],
        ]
        .concat();
        assert_eq!(onset(&of_all, 69.0, [2, 3]), 6);
        // What has died away by forty decibels began where it was struck.
        let dying: Vec<_> = (0..40).map(|at| sounding(440.0, 0.1 * 0.89_f32.powi(at))).collect();
        assert_eq!(onset(&dying, 69.0, [2, 3]), 0);
    }
}
