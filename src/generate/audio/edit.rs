//! What is done to a take after it was made: pure functions from samples to samples, always with the same result.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::Note;
use crate::{Error, Result};

/// Gains beyond are a slip of the finger, in dB.
pub const MOST_GAIN_DB: f64 = 120.0;

/// One change of a take. Ranges count samples from its beginning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edit {
    /// Keep only this range.
    Trim { start: u64, end: u64 },
    /// Take this range out; what follows moves up.
    Delete { start: u64, end: u64 },
    /// From silence to full level within this range.
    FadeIn { start: u64, end: u64 },
    /// From full level to silence within this range.
    FadeOut { start: u64, end: u64 },
    /// Louder or quieter in this range.
    Gain { start: u64, end: u64, db: f64 },
    /// Bring the highest sample to this level below full scale.
    Normalise { peak_db: f64 },
}

impl Edit {
    /// The range that is changed, of `len` samples.
    fn range(&self, len: usize) -> Range<usize> {
        match *self {
            Self::Trim { start, end }
            | Self::Delete { start, end }
            | Self::FadeIn { start, end }
            | Self::FadeOut { start, end }
            | Self::Gain { start, end, .. } => {
                let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
                place(start)..place(end)
            }
            Self::Normalise { .. } => 0..len,
        }
    }

    /// # Errors
    /// When it makes no sense for any take.
    pub fn check(&self) -> Result<()> {
        let decibels = match self {
            Self::Gain { db, .. } => Some(*db),
            Self::Normalise { peak_db } => Some(*peak_db),
            _ => None,
        };
        if decibels.is_some_and(|db| !(-MOST_GAIN_DB..=MOST_GAIN_DB).contains(&db)) {
            return Err(Error::new(
                "A gain must be between -120 and 120 dB; choose another one.",
                "增益应在 -120 到 120 dB 之间，请重新选择。",
            ));
        }
        Ok(())
    }

    /// The take after it.
    ///
    /// # Errors
    /// When its range is empty or beyond the take, nothing would be left, or a silent take is to be normalised.
    pub fn apply(&self, samples: &[f32]) -> Result<Vec<f32>> {
        self.check()?;
        let range = self.range(samples.len());
        if range.is_empty() || range.end > samples.len() {
            return Err(Error::new(
                "The selection is not within the take; select a part of it again.",
                "所选范围不在录音之内，请重新选择。",
            ));
        }
        let mut out = samples.to_vec();
        match self {
            Self::Trim { .. } => return Ok(samples[range].to_vec()),
            Self::Delete { .. } if range.len() == samples.len() => {
                return Err(Error::new(
                    "All of the take is selected; delete the take itself in the list of takes.",
                    "已选中整段录音；请在录音列表中删除它。",
                ));
            }
            Self::Delete { .. } => drop(out.drain(range)),
            Self::FadeIn { .. } | Self::FadeOut { .. } => {
                let (len, falls) = (range.len(), matches!(self, Self::FadeOut { .. }));
                for (i, sample) in out[range].iter_mut().enumerate() {
                    let way = (i as f64 + 0.5) / len as f64;
                    let share = way * way * (3.0 - 2.0 * way);
                    *sample *= if falls { 1.0 - share } else { share } as f32;
                }
            }
            Self::Gain { db, .. } => scale(&mut out[range], 10.0_f64.powf(db / 20.0)),
            Self::Normalise { peak_db } => {
                let peak =
                    samples.iter().filter(|sample| sample.is_finite()).fold(0.0_f32, |peak, s| peak.max(s.abs()));
                if peak == 0.0 {
                    return Err(Error::new(
                        "The take is silent, so there is nothing to normalise.",
                        "录音没有声音，无法标准化。",
                    ));
                }
                scale(&mut out, 10.0_f64.powf(peak_db / 20.0) / f64::from(peak));
            }
        }
        Ok(out)
    }

    /// Where what sounded at `at` sounds after it; what is gone sounds where it is missing.
    pub fn moved(&self, at: u64) -> u64 {
        match *self {
            Self::Trim { start, end } => at.clamp(start, end) - start,
            Self::Delete { start, end } if at >= start => at.max(end) - (end - start),
            _ => at,
        }
    }

    /// The notes of the take after it.
    pub fn notes(&self, notes: &[Note]) -> Vec<Note> {
        let moved = notes.iter().map(|note| {
            let end = self.moved(note.start.saturating_add(note.length));
            let start = self.moved(note.start);
            Note { start, length: end.saturating_sub(start), ..note.clone() }
        });
        moved.filter(|note| note.length > 0).collect()
    }
}

fn scale(samples: &mut [f32], factor: f64) {
    for sample in samples {
        *sample = (f64::from(*sample) * factor) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp() -> Vec<f32> {
        (0..100).map(|n| n as f32 / 100.0).collect()
    }

    #[test]
    fn parts_are_kept_and_taken_out() {
        let samples = ramp();
        assert_eq!(Edit::Trim { start: 10, end: 30 }.apply(&samples).expect("trims"), samples[10..30]);
        let cut = Edit::Delete { start: 10, end: 30 }.apply(&samples).expect("deletes");
        assert_eq!((cut.len(), cut[9], cut[10]), (80, 0.09, 0.3));
        for edit in [Edit::Trim { start: 5, end: 5 }, Edit::Delete { start: 90, end: 101 }] {
            assert!(edit.apply(&samples).expect_err("no such range").to_string().contains("select"));
        }
        assert!(Edit::Trim { start: 7, end: 3 }.apply(&samples).is_err());
        assert!(Edit::Trim { start: 0, end: u64::MAX }.apply(&samples).is_err());
        assert!(Edit::Delete { start: 0, end: 100 }.apply(&samples).expect_err("all").to_string().contains("list"));
        assert!(Edit::Normalise { peak_db: 0.0 }.apply(&[]).is_err());
    }

    #[test]
    fn fades_begin_and_end_where_they_should() {
        let ones = vec![1.0; 100];
        let rising = Edit::FadeIn { start: 20, end: 60 }.apply(&ones).expect("fades");
        assert!(rising[20] < 0.001 && rising[59] > 0.999 && rising[..20] == ones[..20] && rising[60..] == ones[60..]);
        assert!(rising[20..60].windows(2).all(|pair| pair[0] < pair[1]));
        let falling = Edit::FadeOut { start: 20, end: 60 }.apply(&ones).expect("fades");
        for (one, other) in rising[20..60].iter().zip(falling[20..60].iter().rev()) {
            assert!((one - other).abs() < 1e-6);
        }
    }

    #[test]
    fn levels_are_decibels() {
        let samples: Vec<f32> = ramp().iter().map(|sample| sample - 0.3).collect();
        let louder = Edit::Gain { start: 50, end: 100, db: 20.0 }.apply(&samples).expect("louder");
        assert_eq!(louder[..50], samples[..50]);
        assert!(louder[50..].iter().zip(&samples[50..]).all(|(a, b)| (a - 10.0 * b).abs() < 1e-5));
        let normal = Edit::Normalise { peak_db: -6.0 }.apply(&samples).expect("normal");
        let peak = normal.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        assert!((peak - 0.501_187_2).abs() < 1e-6, "{peak}");
        assert!(
            Edit::Normalise { peak_db: 0.0 }.apply(&[0.0, 0.0]).expect_err("silent").to_string().contains("silent")
        );
        for db in [f64::NAN, f64::INFINITY, 121.0] {
            assert!(Edit::Gain { start: 0, end: 1, db }.apply(&samples).is_err());
        }
    }

    #[test]
    fn notes_go_where_their_sound_goes() {
        let note = |start, length| Note { start, length, key: 60, velocity: 90, instrument: 0 };
        let notes = [note(0, 10), note(10, 10), note(25, 50)];
        let trimmed = Edit::Trim { start: 15, end: 50 }.notes(&notes);
        assert_eq!(trimmed, [note(0, 5), note(10, 25)]);
        assert_eq!(Edit::Delete { start: 5, end: 30 }.notes(&notes), [note(0, 5), note(5, 45)]);
        assert_eq!(Edit::Normalise { peak_db: 0.0 }.notes(&notes), notes);
        assert_eq!([4, 5, 29, 30, 31].map(|at| Edit::Delete { start: 5, end: 30 }.moved(at)), [4, 5, 5, 5, 6]);
    }

    #[test]
    fn it_reads_well_in_a_recipe() {
        let edit = Edit::Gain { start: 1, end: 2, db: -3.0 };
        let json = serde_json::to_string(&edit).expect("JSON");
        assert_eq!(json, r#"{"gain":{"start":1,"end":2,"db":-3.0}}"#);
        assert_eq!(serde_json::from_str::<Edit>(&json).expect("reads"), edit);
    }
}
