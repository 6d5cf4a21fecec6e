//! A line of words, in English or Chinese, as a short piece: "a sad cello in D minor, slow, 8 bars", "欢快的长笛，五声，16小节".
//!
//! [`understand`] reads the words by rules and tells what each means; [`compose`] writes notes for them, as the text that
//! [`parse_notes`](super::parse_notes) reads. Nothing is learnt here: four-bar phrases over a progression of chords, whose
//! third bar answers the first; a melody that steps along the scale, stands on tones of the chord at the bar's beginning
//! and middle, and comes home at the end. The same words and seed give the same piece.

use std::ops::Range;

use super::key_name;
use crate::{
    generate::lexicon::{Found, Lexicon, NO_NUMBERS},
    random::Rng,
};

/// Beats of a bar.
const BAR: usize = 4;
const MOST_BARS: u64 = 64;
/// Ten minutes of the quickest tempo that has a name.
const MOST_TIMED_BARS: usize = 440;

/// The tones a piece is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    Major,
    Minor,
    HarmonicMinor,
    Dorian,
    Lydian,
    Pentatonic,
    MinorPentatonic,
    Blues,
}

impl Scale {
    /// Semitones above the tonic.
    fn steps(self) -> &'static [u8] {
        match self {
            Self::Major => &[0, 2, 4, 5, 7, 9, 11],
            Self::Minor => &[0, 2, 3, 5, 7, 8, 10],
            Self::HarmonicMinor => &[0, 2, 3, 5, 7, 8, 11],
            Self::Dorian => &[0, 2, 3, 5, 7, 9, 10],
            Self::Lydian => &[0, 2, 4, 6, 7, 9, 11],
            Self::Pentatonic => &[0, 2, 4, 7, 9],
            Self::MinorPentatonic => &[0, 3, 5, 7, 10],
            Self::Blues => &[0, 3, 5, 6, 7, 10],
        }
    }

    /// Degrees that chords stand on, four bars each.
    fn progressions(self) -> &'static [[usize; 4]] {
        match self {
            Self::Major | Self::Lydian => &[[0, 4, 5, 3], [0, 5, 3, 4], [0, 3, 4, 0], [5, 3, 0, 4]],
            Self::Minor | Self::HarmonicMinor | Self::Dorian => {
                &[[0, 5, 2, 6], [0, 3, 4, 0], [0, 6, 5, 4], [0, 3, 6, 4]]
            }
            Self::Pentatonic | Self::MinorPentatonic | Self::Blues => &[[0, 3, 0, 2], [0, 2, 3, 0], [0, 0, 2, 3]],
        }
    }

    /// Its name in English and Chinese.
    pub fn name(self) -> (&'static str, &'static str) {
        match self {
            Self::Major => ("major", "大调"),
            Self::Minor => ("minor", "小调"),
            Self::HarmonicMinor => ("harmonic minor", "和声小调"),
            Self::Dorian => ("Dorian", "多利亚调式"),
            Self::Lydian => ("Lydian", "利底亚调式"),
            Self::Pentatonic => ("pentatonic", "五声音阶"),
            Self::MinorPentatonic => ("minor pentatonic", "小调五声音阶"),
            Self::Blues => ("blues scale", "蓝调音阶"),
        }
    }
}

/// What a part of the line means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The instrument of this place in the model's list.
    Instrument(u16),
    /// The tones, and what the piece's mood means for its beats a minute.
    Mood(Scale, u32),
    Scale(Scale),
    /// The tonic, in semitones above C.
    Tonic(u8),
    /// Both.
    Key(u8, Scale),
    /// Beats a minute.
    Tempo(u32),
    Bars(usize),
    Seconds(u32),
    Seed(u64),
    /// Nothing that is known.
    Unknown,
}

/// A part of the line with its meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it stands, in bytes.
    pub at: Range<usize>,
    pub meaning: Meaning,
}

/// What a piece is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// `None` leaves the instrument as it is set.
    pub instrument: Option<u16>,
    pub scale: Scale,
    /// In semitones above C.
    pub tonic: u8,
    /// Beats a minute.
    pub tempo: u32,
    pub bars: usize,
    /// `None` leaves the seed as it is set.
    pub seed: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phrase {
    Means(Meaning),
    SeedWord,
    /// The unit of a number before it.
    BarsUnit,
    SecondsUnit,
    MinutesUnit,
    TempoUnit,
    Filler,
}

const MOODS: &[(&[&str], Scale, u32)] = &[
    (&["happy", "bright", "cheerful", "joyful", "欢快", "快乐", "明亮", "开心"], Scale::Major, 120),
    (&["sad", "dark", "melancholy", "mournful", "悲伤", "忧郁", "伤感", "阴暗"], Scale::Minor, 66),
    (&["calm", "peaceful", "gentle", "quiet", "平静", "安静", "宁静", "温柔"], Scale::Pentatonic, 63),
    (&["dreamy", "floating", "梦幻", "飘渺"], Scale::Lydian, 72),
    (&["tense", "mysterious", "eerie", "紧张", "神秘", "诡异"], Scale::HarmonicMinor, 92),
    (&["folk", "celtic", "民谣"], Scale::Dorian, 112),
    (&["bluesy", "jazzy", "爵士"], Scale::Blues, 96),
    (&["chinese", "oriental", "ancient", "中国风", "古风", "国风"], Scale::Pentatonic, 84),
    (&["dance", "lively", "dancing", "活泼", "舞曲"], Scale::Major, 144),
];
const SCALES: &[(&[&str], Scale)] = &[
    (&["major", "大调"], Scale::Major),
    (&["minor", "小调"], Scale::Minor),
    (&["harmonic minor", "和声小调"], Scale::HarmonicMinor),
    (&["dorian", "多利亚"], Scale::Dorian),
    (&["lydian", "利底亚"], Scale::Lydian),
    (&["pentatonic", "major pentatonic", "五声", "五声音阶", "宫调"], Scale::Pentatonic),
    (&["minor pentatonic", "小调五声", "羽调"], Scale::MinorPentatonic),
    (&["blues", "blues scale", "蓝调", "布鲁斯"], Scale::Blues),
];
const TEMPOS: &[(&[&str], u32)] = &[
    (&["largo", "very slow", "很慢", "广板"], 50),
    (&["slow", "slowly", "adagio", "慢", "慢速", "柔板"], 66),
    (&["andante", "walking", "行板"], 84),
    (&["moderato", "medium", "中速", "中板"], 104),
    (&["fast", "quick", "allegro", "快", "快速", "快板"], 138),
    (&["presto", "very fast", "很快", "急板"], 176),
];
const FILLERS: &[&str] = &[
    "a", "an", "the", "of", "and", "in", "with", "for", "me", "please", "some", "play", "compose", "write", "make",
    "tune", "melody", "piece", "song", "music", "on", "by", "short", "little", "style", "的", "一首", "一段", "首",
    "段", "曲", "曲子", "旋律", "音乐", "小曲", "请", "给我", "来", "写", "作", "作曲", "演奏", "用", "和", "与",
    "风格", "调", "速度", "，",
];
const LETTERS: [(&str, u8); 7] = [("c", 0), ("d", 2), ("e", 4), ("f", 5), ("g", 7), ("a", 9), ("b", 11)];

/// What the parts of `line` mean; `instruments` are the model's names in English and Chinese.
pub fn understand(line: &str, instruments: &[(String, String)]) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut after_seed = false;
    // A number waits for its unit.
    let mut number: Option<(Range<usize>, u64)> = None;
    let push = |parts: &mut Vec<Part>, at: Range<usize>, meaning: Meaning| match parts.last_mut() {
        // Unknown characters side by side are one part.
        Some(last) if last.meaning == Meaning::Unknown && meaning == Meaning::Unknown && last.at.end == at.start => {
            last.at.end = at.end;
        }
        _ => parts.push(Part { at, meaning }),
    };
    for (at, found) in phrases(instruments).scan(line) {
        let unit = match &found {
            Found::Phrases(phrases) => phrases.first().copied(),
            _ => None,
        };
        if let Some((from, value)) = number.take() {
            let measured = match unit {
                Some(Phrase::BarsUnit) if (1..=MOST_BARS).contains(&value) => Some(Meaning::Bars(value as usize)),
                Some(Phrase::SecondsUnit) if (1..=600).contains(&value) => Some(Meaning::Seconds(value as u32)),
                Some(Phrase::MinutesUnit) if (1..=10).contains(&value) => Some(Meaning::Seconds(60 * value as u32)),
                Some(Phrase::TempoUnit) if (30..=300).contains(&value) => Some(Meaning::Tempo(value as u32)),
                _ => None,
            };
            match measured {
                Some(meaning) => {
                    push(&mut parts, from.start..at.end, meaning);
                    continue;
                }
                None => push(&mut parts, from, Meaning::Unknown),
            }
        }
        match found {
            Found::Number(value) if after_seed => push(&mut parts, at, Meaning::Seed(value)),
            Found::Number(value) => number = Some((at, value)),
            Found::Unknown => push(&mut parts, at, Meaning::Unknown),
            Found::Phrases(_) => match unit {
                // "in a" before a word is no key.
                Some(Phrase::Means(Meaning::Tonic(_))) if line[at.clone()].ends_with('a') => {}
                Some(Phrase::Means(meaning)) => push(&mut parts, at, meaning),
                Some(Phrase::SeedWord) => {
                    after_seed = true;
                    continue;
                }
                Some(Phrase::Filler) | None => {}
                Some(_) => push(&mut parts, at, Meaning::Unknown),
            },
        }
        after_seed = false;
    }
    if let Some((at, _)) = number {
        push(&mut parts, at, Meaning::Unknown);
    }
    parts
}

fn phrases(instruments: &[(String, String)]) -> Lexicon<Phrase> {
    let mut phrases = Lexicon::new();
    for (index, (en, zh)) in instruments.iter().enumerate() {
        phrases.put(en, Phrase::Means(Meaning::Instrument(index as u16)));
        phrases.put(zh, Phrase::Means(Meaning::Instrument(index as u16)));
    }
    for (words, scale, tempo) in MOODS {
        phrases.put_all(words, Phrase::Means(Meaning::Mood(*scale, *tempo)));
    }
    for (words, scale) in SCALES {
        phrases.put_all(words, Phrase::Means(Meaning::Scale(*scale)));
    }
    for (words, tempo) in TEMPOS {
        phrases.put_all(words, Phrase::Means(Meaning::Tempo(*tempo)));
    }
    for (letter, above_c) in LETTERS {
        let sharp = (above_c + 1) % 12;
        let flat = (above_c + 11) % 12;
        let spellings = [
            (letter.to_owned(), above_c),
            (format!("{letter}#"), sharp),
            (format!("{letter}♯"), sharp),
            (format!("{letter}♭"), flat),
            (format!("{letter} sharp"), sharp),
            (format!("{letter}-sharp"), sharp),
            (format!("升{letter}"), sharp),
            (format!("{letter}b"), flat),
            (format!("{letter} flat"), flat),
            (format!("{letter}-flat"), flat),
            (format!("降{letter}"), flat),
        ];
        for (name, tonic) in spellings {
            phrases.put(&format!("in {name}"), Phrase::Means(Meaning::Tonic(tonic)));
            phrases.put(&format!("{name}调"), Phrase::Means(Meaning::Tonic(tonic)));
            for (words, scale) in &SCALES[..2] {
                for word in *words {
                    let key = Phrase::Means(Meaning::Key(tonic, *scale));
                    phrases.put(&format!("{name} {word}"), key);
                    phrases.put(&format!("in {name} {word}"), key);
                    phrases.put(&format!("{name}{word}"), key);
                }
            }
        }
    }
    phrases.put_all(&["seed", "种子"], Phrase::SeedWord);
    phrases.put_all(&["bar", "小节"], Phrase::BarsUnit);
    phrases.put_all(&["second", "s", "sec", "秒", "秒钟"], Phrase::SecondsUnit);
    phrases.put_all(&["minute", "min", "分钟"], Phrase::MinutesUnit);
    phrases.put_all(&["bpm", "beats a minute", "拍", "每分钟拍"], Phrase::TempoUnit);
    phrases.put_all(FILLERS, Phrase::Filler);
    phrases.put_all(NO_NUMBERS, Phrase::Filler);
    phrases
}

impl Piece {
    /// What the parts of a line ask for; later ones win, and what none names is usual.
    pub fn of(parts: &[Part]) -> Self {
        let mut piece = Self { instrument: None, scale: Scale::Major, tonic: 0, tempo: 100, bars: 8, seed: None };
        let (mut scale, mut tempo, mut seconds) = (None, None, None);
        for part in parts {
            match part.meaning {
                Meaning::Instrument(instrument) => piece.instrument = Some(instrument),
                // A mood gives way to a scale or tempo that is named.
                Meaning::Mood(of_mood, beats) => (piece.scale, piece.tempo) = (of_mood, beats),
                Meaning::Scale(Scale::Pentatonic) if scale == Some(Scale::Minor) => {
                    scale = Some(Scale::MinorPentatonic);
                }
                Meaning::Scale(named) => scale = Some(named),
                Meaning::Tonic(tonic) => piece.tonic = tonic,
                Meaning::Key(tonic, named) => (piece.tonic, scale) = (tonic, Some(named)),
                Meaning::Tempo(beats) => tempo = Some(beats),
                Meaning::Bars(bars) => (piece.bars, seconds) = (bars, None),
                Meaning::Seconds(wanted) => seconds = Some(seconds.unwrap_or(0) + wanted),
                Meaning::Seed(seed) => piece.seed = Some(seed),
                Meaning::Unknown => {}
            }
        }
        piece.scale = scale.unwrap_or(piece.scale);
        piece.tempo = tempo.unwrap_or(piece.tempo);
        if let Some(seconds) = seconds {
            let bar_s = BAR as f64 * 60.0 / f64::from(piece.tempo);
            piece.bars = ((f64::from(seconds) / bar_s).round() as usize).clamp(1, MOST_TIMED_BARS);
        }
        piece
    }

    /// How long it lasts.
    pub fn seconds(&self) -> f64 {
        (self.bars * BAR) as f64 * 60.0 / f64::from(self.tempo)
    }
}

/// Halves of a beat that the notes of a bar last.
const RHYTHMS: &[&[usize]] = &[
    &[2, 2, 2, 2],
    &[3, 1, 2, 2],
    &[1, 1, 2, 1, 1, 2],
    &[4, 2, 2],
    &[2, 2, 4],
    &[1, 1, 1, 1, 2, 2],
    &[2, 1, 1, 4],
    &[3, 1, 3, 1],
];

/// Notes for a piece as text, within the keys `lowest..=highest`.
pub fn compose(piece: &Piece, seed: u64, (lowest, highest): (u8, u8)) -> String {
    let steps = piece.scale.steps();
    let mut rng = Rng::at(seed, u64::from(piece.tempo) << 8 | u64::from(piece.tonic));
    let progressions = piece.scale.progressions();
    let progression = progressions[rng.below(progressions.len())];
    let rhythms: [&[usize]; 3] = std::array::from_fn(|_| RHYTHMS[rng.below(RHYTHMS.len())]);
    let half_beat_s = 30.0 / f64::from(piece.tempo);
    // The tonic below a place a little above the middle of the keys.
    let middle = i32::from(lowest) + (i32::from(highest) - i32::from(lowest)) * 3 / 5;
    let home = middle - (middle - i32::from(piece.tonic)).rem_euclid(12);
    let key = |degree: i32| {
        let octave = degree.div_euclid(steps.len() as i32);
        let raw = home + 12 * octave + i32::from(steps[degree.rem_euclid(steps.len() as i32) as usize]);
        // Outside the keys it sounds an octave nearer.
        let raised = if raw < i32::from(lowest) { raw + 12 } else { raw };
        let lowered = if raised > i32::from(highest) { raised - 12 } else { raised };
        lowered.clamp(i32::from(lowest), i32::from(highest)) as u8
    };
    let chord = |root: usize| -> Vec<i32> {
        let thirds: &[usize] = if steps.len() == 7 { &[0, 2, 4] } else { &[0, 2, 3] };
        thirds.iter().map(|third| (root + third) as i32).collect()
    };
    let mut degree = [0, 2, 4][rng.below(3)];
    let mut answers: Vec<i32> = Vec::new();
    let mut words = Vec::new();
    for bar in 0..piece.bars {
        let last = bar + 1 == piece.bars;
        let root = if last { 0 } else { progression[bar % 4] };
        let tones = chord(root);
        let rhythm: &[usize] = match (last, bar % 4) {
            (true, _) => &[8],
            (_, 3) => rhythms[2],
            (_, place) => rhythms[place % 2],
        };
        // The third bar of a phrase goes the way of the first.
        let answer = if bar % 4 == 2 { std::mem::take(&mut answers) } else { Vec::new() };
        let mut moves = Vec::new();
        let mut at = 0;
        for (index, halves) in rhythm.iter().enumerate() {
            let step = match answer.get(index) {
                Some(step) => *step,
                None => [-2, -1, -1, 0, 1, 1, 2][rng.below(7)],
            };
            moves.push(step);
            degree = (degree + step).clamp(-3, 9);
            if at % 4 == 0 {
                degree = nearest(degree, &tones, steps.len() as i32);
            }
            if last {
                degree = nearest(degree, &[0], steps.len() as i32);
            }
            let melody = key(degree);
            let mut keys = vec![melody];
            if at == 0 {
                // The chord's root and fifth, or what stands for it, as far as they lie below the melody.
                let below = [tones[0], tones[2]].map(|tone| key(tone - steps.len() as i32));
                keys.extend(below.into_iter().filter(|key| *key < melody));
                keys.sort_unstable();
                keys.dedup();
            }
            let names: Vec<String> = keys.into_iter().map(key_name).collect();
            let seconds = format!("{:.3}", *halves as f64 * half_beat_s);
            let seconds = seconds.trim_end_matches('0').trim_end_matches('.');
            words.push(format!("{}:{seconds}", names.join("+")));
            at += halves;
        }
        if bar % 4 == 0 {
            answers = moves;
        }
    }
    words.join(" ")
}

/// The degree nearest to `degree` that is one of `tones` in some octave of `size` degrees.
fn nearest(degree: i32, tones: &[i32], size: i32) -> i32 {
    let is_tone = |degree: i32| tones.iter().any(|tone| (degree - tone).rem_euclid(size) == 0);
    (0..size).flat_map(|away| [degree - away, degree + away]).find(|degree| is_tone(*degree)).unwrap_or(degree)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::audio::parse_notes;

    fn instruments() -> Vec<(String, String)> {
        [("Piano", "钢琴"), ("Cello", "大提琴"), ("Flute", "长笛")]
            .map(|(en, zh)| (en.to_owned(), zh.to_owned()))
            .to_vec()
    }

    fn read(line: &str) -> Vec<(&str, Meaning)> {
        understand(line, &instruments()).into_iter().map(|part| (&line[part.at], part.meaning)).collect()
    }

    #[test]
    fn lines_are_understood_in_both_languages() {
        use Meaning::{Bars, Instrument, Key, Mood, Scale as S, Seconds, Seed, Tempo, Tonic, Unknown};
        assert_eq!(
            read("A sad cello in D minor, slow, 8 bars"),
            [
                ("sad", Mood(Scale::Minor, 66)),
                ("cello", Instrument(1)),
                ("in D minor", Key(2, Scale::Minor)),
                ("slow", Tempo(66)),
                ("8 bars", Bars(8))
            ]
        );
        assert_eq!(
            read("欢快的长笛，五声，十六小节，降B大调，120拍"),
            [
                ("欢快", Mood(Scale::Major, 120)),
                ("长笛", Instrument(2)),
                ("五声", S(Scale::Pentatonic)),
                ("十六小节", Bars(16)),
                ("降B大调", Key(10, Scale::Major)),
                ("120拍", Tempo(120))
            ]
        );
        assert_eq!(
            read("piano in F#, 20 seconds, seed 7, a minor zebra 5"),
            [
                ("piano", Instrument(0)),
                ("in F#", Tonic(6)),
                ("20 seconds", Seconds(20)),
                ("7", Seed(7)),
                ("a minor", Key(9, Scale::Minor)),
                ("zebra", Unknown),
                ("5", Unknown)
            ]
        );
        assert!(read("").is_empty() && read("a tune please").is_empty());
        assert_eq!(read("900 bars")[0].1, Unknown);
    }

    #[test]
    fn what_is_named_beats_a_mood() {
        let piece = |line: &str| Piece::of(&understand(line, &instruments()));
        let sad = piece("slow happy, dorian");
        assert_eq!((sad.scale, sad.tempo, sad.bars, sad.tonic), (Scale::Dorian, 66, 8, 0));
        let minor = piece("in E minor pentatonic");
        assert_eq!((minor.scale, minor.tonic), (Scale::MinorPentatonic, 4));
        assert_eq!(piece("a cello in a calm mood").tonic, 0);
        assert_eq!((piece("piano in A").tonic, piece("in C♯ minor").tonic, piece("in D-sharp minor").tonic), (9, 1, 3));
        assert_eq!(piece("1 minute 30 seconds").seconds().round(), 91.0);
        assert_eq!(piece("一百四十拍").tempo, 140);
        let timed = piece("120 bpm 20 seconds");
        assert_eq!((timed.bars, timed.seconds().round()), (10, 20.0));
    }

    #[test]
    fn pieces_last_as_asked_stay_in_their_scale_and_come_home() {
        let scales = [
            Scale::Major,
            Scale::Minor,
            Scale::HarmonicMinor,
            Scale::Dorian,
            Scale::Lydian,
            Scale::Pentatonic,
            Scale::MinorPentatonic,
            Scale::Blues,
        ];
        for (seed, scale) in scales.into_iter().enumerate() {
            for (bars, tonic) in [(1, 0), (8, 7), (13, 11)] {
                let piece = Piece { instrument: None, scale, tonic, tempo: 97, bars, seed: None };
                let text = compose(&piece, seed as u64, (36, 84));
                let (notes, end) = parse_notes(&text, 0, 90, 16_000).expect("notes");
                let seconds = end as f64 / 16_000.0;
                assert!((seconds - piece.seconds()).abs() < 0.05, "{scale:?}: {seconds}");
                let steps = scale.steps();
                assert!(notes.iter().all(|note| (36..=84).contains(&note.key)));
                assert!(notes.iter().all(|note| steps.contains(&((note.key + 12 - tonic) % 12))), "{scale:?} {text}");
                let highest =
                    notes.iter().filter(|note| note.start == notes[notes.len() - 1].start).map(|note| note.key);
                assert_eq!(highest.max().expect("a note") % 12, tonic, "{scale:?} {text}");
                assert_eq!(compose(&piece, seed as u64, (36, 84)), text);
                if bars > 1 {
                    assert_ne!(compose(&piece, seed as u64 + 99, (36, 84)), text);
                }
            }
        }
    }
}
