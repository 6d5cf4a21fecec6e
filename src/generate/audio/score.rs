//! Notes written as text: `C4:1.0 E4:0.5 R:0.25`, a name and seconds each, one after the other. `C4+E4+G4:2` strikes
//! several keys at once, `@90` sets how hard, `R` is a rest. Names are scientific pitch notation: C4 is MIDI's 60, A4 440 Hz.

use super::Note;
use crate::{Error, Result};

/// Seconds of a note that gives none.
const USUAL_S: f64 = 0.5;
/// The longest a note or rest may be.
const LONGEST_S: f64 = 600.0;

/// The notes of a text, played by `instrument` at `velocity`, and when the last of them, or a rest after it, ends. Times
/// count samples.
///
/// # Errors
/// When a word is no note; the error names it.
pub fn parse_notes(text: &str, instrument: u16, velocity: u8, sample_rate_hz: u32) -> Result<(Vec<Note>, u64)> {
    let (mut notes, mut at_s) = (Vec::new(), 0.0_f64);
    let samples = |seconds: f64| (seconds * f64::from(sample_rate_hz)).round() as u64;
    for word in text.split(|c: char| c.is_whitespace() || matches!(c, ',' | '，' | '|')).filter(|word| !word.is_empty())
    {
        let (rest, velocity) = match word.split_once('@') {
            None => (word, velocity),
            Some((rest, given)) => match given.parse() {
                Ok(given @ 1..=127) => (rest, given),
                _ => return Err(no_note(word)),
            },
        };
        let (names, length_s) = match rest.split_once([':', '：']) {
            None => (rest, USUAL_S),
            Some((names, given)) => (names, given.parse().map_err(|_| no_note(word))?),
        };
        if !(0.0..=LONGEST_S).contains(&length_s) || length_s == 0.0 {
            return Err(no_note(word));
        }
        let (start, end) = (samples(at_s), samples(at_s + length_s));
        if !names.eq_ignore_ascii_case("r") {
            for name in names.split('+') {
                let key = key_of(name).ok_or_else(|| no_note(word))?;
                notes.push(Note { start, length: end - start, key, velocity, instrument });
            }
        }
        at_s += length_s;
    }
    Ok((notes, samples(at_s)))
}

/// Notes as the text that [`parse_notes`] reads: those that start together as one word, gaps as rests, seconds to a
/// thousandth. Where a note still sounds when the next one starts, its end there is lost.
pub fn notes_text(notes: &[Note], usual_velocity: u8, sample_rate_hz: u32) -> String {
    let seconds = |samples: u64| {
        let text = format!("{:.3}", samples as f64 / f64::from(sample_rate_hz));
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    let (mut words, mut at) = (Vec::new(), 0);
    let mut rest = notes;
    while let [first, ..] = rest {
        let together =
            rest.iter().take_while(|note| note.start == first.start && note.velocity == first.velocity).count();
        let (chord, after) = rest.split_at(together);
        if first.start > at && !matches!(seconds(first.start - at).as_str(), "0") {
            words.push(format!("R:{}", seconds(first.start - at)));
        }
        let held = chord.iter().map(|note| note.length).max().unwrap_or(0);
        let length = after.first().map_or(held, |next| held.min(next.start.saturating_sub(first.start))).max(1);
        let names: Vec<String> = chord.iter().map(|note| key_name(note.key)).collect();
        let velocity = if first.velocity == usual_velocity { String::new() } else { format!("@{}", first.velocity) };
        words.push(format!("{}:{}{velocity}", names.join("+"), seconds(length)));
        at = first.start + length;
        rest = after;
    }
    words.join(" ")
}

/// The name of a key, such as `F#3`.
pub fn key_name(key: u8) -> String {
    const NAMES: [&str; 12] = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"];
    format!("{}{}", NAMES[usize::from(key % 12)], i32::from(key / 12) - 1)
}

/// The key of a name such as `C4`, `f#3`, `Bb-1`.
pub(crate) fn key_of(name: &str) -> Option<u8> {
    let mut chars = name.chars();
    let above_c = match chars.next()?.to_ascii_lowercase() {
        'c' => 0,
        'd' => 2,
        'e' => 4,
        'f' => 5,
        'g' => 7,
        'a' => 9,
        'b' => 11,
        _ => return None,
    };
    let rest = chars.as_str();
    let (sharp, octave) = match rest.chars().next()? {
        '#' | '♯' => (1, &rest[rest.chars().next()?.len_utf8()..]),
        'b' | '♭' => (-1, &rest[rest.chars().next()?.len_utf8()..]),
        _ => (0, rest),
    };
    let octave: i32 = octave.parse().ok().filter(|octave| (-1..=9).contains(octave))?;
    u8::try_from((octave + 1) * 12 + above_c + sharp).ok().filter(|key| *key < 128)
}

fn no_note(word: &str) -> Error {
    Error::new(
        format!(
            "“{word}” is no note; write a name and seconds such as C4:0.5, C4+E4:1 for a chord, or R:0.25 for a rest."
        ),
        format!("“{word}”不是音符；请写音名和秒数，如 C4:0.5；和弦如 C4+E4:1；休止如 R:0.25。"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_notes_and_notes_text() {
        let (notes, end) = parse_notes("C4:1.0 e4:0.5@33, R:0.25 Bb3+F#4:2 G5", 2, 90, 16_000).expect("notes");
        let seen: Vec<_> = notes.iter().map(|n| (n.start, n.length, n.key, n.velocity)).collect();
        assert_eq!(
            seen,
            [
                (0, 16_000, 60, 90),
                (16_000, 8_000, 64, 33),
                (28_000, 32_000, 58, 90),
                (28_000, 32_000, 66, 90),
                (60_000, 8_000, 79, 90)
            ]
        );
        assert_eq!((end, notes[0].instrument), (68_000, 2));
        let text = notes_text(&notes, 90, 16_000);
        assert_eq!(text, "C4:1 E4:0.5@33 R:0.25 A#3+F#4:2 G5:0.5");
        assert_eq!(parse_notes(&text, 2, 90, 16_000).expect("notes").0, notes);
        assert_eq!(parse_notes(" ", 0, 90, 16_000).expect("nothing"), (Vec::new(), 0));
    }

    #[test]
    fn what_is_no_note_is_named() {
        for word in [
            "H4", "C", "C4:", "C4:x", "C4:-1", "C4:0", "C4:NaN", "C4:1e9", "C4@0", "C4@128", "C10", "Cb-1", "+", "C4+",
            "é4", "C#", "G#9",
        ] {
            let why = parse_notes(&format!("C4:1 {word}"), 0, 90, 16_000).expect_err(word);
            assert!(why.to_string().contains(&format!("“{word}”")), "{why}");
        }
    }

    #[test]
    fn every_key_has_a_name_that_is_read() {
        for key in 0..128 {
            assert_eq!(key_of(&key_name(key)), Some(key));
        }
        assert_eq!(
            [key_of("A4"), key_of("c-1"), key_of("B♭3"), key_of("E♯3")],
            [Some(69), Some(0), Some(58), Some(53)]
        );
    }
}
