//! Reading a line of words by rules: known phrases and numbers, in English and Chinese, the longest first.

use std::ops::Range;

/// What a part of a line is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found<T> {
    /// What a known phrase may mean.
    Phrases(Vec<T>),
    /// A number, in digits or words.
    Number(u64),
    /// A word that is not known.
    Unknown,
}

const ONES: &[&str] = &[
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: &[&str] = &["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
/// Words with a number inside that mean none.
pub(super) const NO_NUMBERS: &[&str] =
    &["ones", "一点", "一下", "一起", "一样", "一定", "一般", "一种", "一些", "十分", "万分"];

/// Known phrases with what each may mean.
pub(super) struct Lexicon<T>(Vec<(String, T)>);

impl<T: Copy> Lexicon<T> {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a phrase, in any case.
    pub(super) fn put(&mut self, phrase: &str, meaning: T) {
        let phrase = phrase.trim().to_lowercase();
        if !phrase.is_empty() {
            self.0.push((phrase, meaning));
        }
    }

    /// Adds phrases that mean the same.
    pub(super) fn put_all(&mut self, phrases: &[&str], meaning: T) {
        phrases.iter().for_each(|phrase| self.put(phrase, meaning));
    }

    /// The parts of `line`, as ranges of bytes; what is neither letter nor digit lies between them.
    pub(super) fn scan(&self, line: &str) -> Vec<(Range<usize>, Found<T>)> {
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(first) = line[at..].chars().next() {
            let rest = &line[at..];
            if !first.is_alphanumeric() {
                at += first.len_utf8();
                continue;
            }
            let number = number(rest);
            let length = self.0.iter().filter_map(|(phrase, _)| starts(rest, phrase)).max();
            let (length, what) = match (number, length) {
                (Some((length, number)), phrase) if Some(length) > phrase => {
                    (length, number.map_or(Found::Unknown, Found::Number))
                }
                (_, Some(length)) => {
                    let all = self.0.iter().filter(|(phrase, _)| starts(rest, phrase) == Some(length));
                    (length, Found::Phrases(all.map(|(_, meaning)| *meaning).collect()))
                }
                _ => (word(rest), Found::Unknown),
            };
            found.push((at..at + length, what));
            at += length;
        }
        found
    }
}

/// How many bytes of `rest` are `phrase`, in any case; Latin words end where a word ends, and may be plural.
fn starts(rest: &str, phrase: &str) -> Option<usize> {
    let mut left = rest.char_indices();
    for wanted in phrase.chars() {
        let (_, found) = left.next()?;
        if found != wanted && !found.to_lowercase().eq(std::iter::once(wanted)) {
            return None;
        }
    }
    let end = left.next().map_or(rest.len(), |(at, _)| at);
    if !phrase.chars().next_back().is_some_and(|last| last.is_ascii_alphanumeric()) {
        return Some(end);
    }
    let ends = |at: usize| !rest[at..].chars().next().is_some_and(|next| next.is_ascii_alphanumeric());
    ["", "s", "es", "S", "ES"].iter().find_map(|plural| {
        let at = end + plural.len();
        (rest[end..].starts_with(plural) && ends(at)).then_some(at)
    })
}

/// A number at the start: in digits, as English words, or as a Chinese numeral. Of fractions and what is too large only
/// the length is known.
fn number(rest: &str) -> Option<(usize, Option<u64>)> {
    digits(rest).or_else(|| english(rest)).or_else(|| numeral(rest))
}

/// A number in digits at the start, `1,024` and `1.5` too.
fn digits(rest: &str) -> Option<(usize, Option<u64>)> {
    let count = |rest: &str| rest.bytes().take_while(u8::is_ascii_digit).count();
    let mut length = count(rest);
    if length == 0 {
        return None;
    }
    let mut text = rest[..length].to_owned();
    while rest[length..].starts_with(',') && count(&rest[length + 1..]) == 3 {
        text.push_str(&rest[length + 1..length + 4]);
        length += 4;
    }
    let fraction = if rest[length..].starts_with('.') { count(&rest[length + 1..]) } else { 0 };
    if fraction > 0 {
        return Some((length + 1 + fraction, None));
    }
    Some((length, text.parse().ok()))
}

/// `seven`, `twenty-four`, `dozen` at the start.
fn english(rest: &str) -> Option<(usize, Option<u64>)> {
    let word = |rest: &str, word: &str| {
        let is = rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
        is && !rest[word.len()..].chars().next().is_some_and(|next| next.is_ascii_alphanumeric())
    };
    let find = |rest: &str, words: &[&str]| {
        words.iter().position(|one| word(rest, one)).map(|at| (words[at].len(), at as u64))
    };
    if word(rest, "dozen") {
        return Some((5, Some(12)));
    }
    if let Some((length, number)) = find(rest, ONES) {
        return Some((length, Some(number)));
    }
    let (length, tens) = find(rest, TENS)?;
    let tens = 10 * (tens + 2);
    let one = rest[length..].strip_prefix(['-', ' ']).and_then(|after| find(after, &ONES[1..10]));
    Some(one.map_or((length, Some(tens)), |(more, one)| (length + 1 + more, Some(tens + one + 1))))
}

/// A Chinese numeral below a thousand at the start (四, 两, 十二, 二十四, 一百零五), or digits one by one (二零二五).
fn numeral(rest: &str) -> Option<(usize, Option<u64>)> {
    let digit = |c: char| match c {
        '两' => Some(2),
        '〇' => Some(0),
        c => "零一二三四五六七八九".chars().position(|one| one == c).map(|place| place as u64),
    };
    let part: String = rest.chars().take_while(|c| digit(*c).is_some() || matches!(c, '十' | '百')).collect();
    if part.is_empty() {
        return None;
    }
    if !part.contains(['十', '百']) {
        let digits = part.chars().filter_map(digit);
        let number = digits.into_iter().try_fold(0_u64, |sum, digit| sum.checked_mul(10)?.checked_add(digit));
        return Some((part.len(), number));
    }
    let (mut sum, mut waits, mut last) = (0, None, 1);
    for c in part.chars() {
        match (c, digit(c)) {
            ('百', _) => (sum, waits, last) = (sum + 100 * waits.unwrap_or(1), None, 100),
            ('十', _) => (sum, waits, last) = (sum + 10 * waits.unwrap_or(1), None, 10),
            ('零', _) => last = 10,
            (_, digit) => waits = digit,
        }
    }
    // 一百二 is 120.
    Some((part.len(), Some(sum + waits.unwrap_or(0) * if last == 100 { 10 } else { 1 })))
}

/// The bytes of a word that is not known: Latin letters and digits, or one other character.
fn word(rest: &str) -> usize {
    let latin = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '\'' || c == '-')).unwrap_or(rest.len());
    if latin > 0 { latin } else { rest.chars().next().map_or(1, char::len_utf8) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_phrase_or_number_is_taken() {
        let mut lexicon = Lexicon::new();
        lexicon.put_all(&["sans", "黑"], 1);
        lexicon.put_all(&["Sans bold", "粗黑体"], 2);
        lexicon.put("one of", 3);
        lexicon.put("SANS", 4);
        let read = |line: &str| {
            let parts = lexicon.scan(line);
            parts.into_iter().map(|(at, what)| (line[at].to_owned(), what)).collect::<Vec<_>>()
        };
        let phrase = |text: &str, meaning: &[i32]| (text.to_owned(), Found::Phrases(meaning.to_vec()));
        let number = |text: &str, number| (text.to_owned(), Found::Number(number));
        assert_eq!(read("Sans, sans BOLD"), [phrase("Sans", &[1, 4]), phrase("sans BOLD", &[2])]);
        assert_eq!(read("one of one 21"), [phrase("one of", &[3]), number("one", 1), number("21", 21)]);
        assert_eq!(read("粗黑体二十三，两"), [phrase("粗黑体", &[2]), number("二十三", 23), number("两", 2)]);
        assert_eq!(read("sandals 粗")[1], ("粗".to_owned(), Found::Unknown));
        assert_eq!(
            read("twenty-four 1,024 1.5 ones twentyfour")[..3],
            [number("twenty-four", 24), number("1,024", 1024), ("1.5".to_owned(), Found::Unknown)]
        );
        assert_eq!(read("ones")[0].1, Found::Unknown);
        for (text, value) in [("一百四十", 140), ("一百零五", 105), ("一百二", 120), ("二零二五", 2025), ("二十", 20)]
        {
            assert_eq!(read(text), [number(text, value)]);
        }
        for odd in [
            "九九九九九九九九九九九九九九九九九九九九九九",
            "十百十百",
            "1,02",
            "١٢ eyes",
            "é\u{301}yes",
            "99999999999999999999999",
            "\u{0}a",
            "İstanbul",
            "ſans",
        ] {
            let parts = lexicon.scan(odd);
            assert!(parts.windows(2).all(|pair| pair[0].0.end <= pair[1].0.start), "{odd}");
        }
    }
}
