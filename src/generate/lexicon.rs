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

const NUMBERS: &[&str] = &[
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
    "twenty",
];
const MORE_NUMBERS: &[(&str, u64)] =
    &[("dozen", 12), ("thirty", 30), ("forty", 40), ("fifty", 50), ("sixty", 60), ("半打", 6)];

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
                (Some((length, number)), phrase) if Some(length) > phrase => (length, Found::Number(number)),
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

/// A number at the start: in digits, as an English word, or as a Chinese numeral.
fn number(rest: &str) -> Option<(usize, u64)> {
    let words = NUMBERS.iter().copied().zip(0..).chain(MORE_NUMBERS.iter().copied());
    let word = words.filter_map(|(word, number)| Some((starts(rest, word)?, number))).max();
    digits(rest).into_iter().chain(word).chain(numeral(rest)).max()
}

/// A number in digits at the start.
fn digits(rest: &str) -> Option<(usize, u64)> {
    let length = rest.bytes().take_while(u8::is_ascii_digit).count();
    rest[..length].parse().ok().map(|number| (length, number))
}

/// A Chinese numeral below a hundred at the start: 四, 两, 十二, 二十四.
fn numeral(rest: &str) -> Option<(usize, u64)> {
    let digit = |c: char| match c {
        '两' => Some(2),
        c => "零一二三四五六七八九".chars().position(|one| one == c).map(|place| place as u64),
    };
    let mut left = rest.chars().peekable();
    let (mut length, mut number) = (0, None);
    if let Some(first) = left.peek().copied().and_then(digit) {
        length += left.next().map_or(0, char::len_utf8);
        number = Some(first);
    }
    if left.peek() == Some(&'十') {
        length += '十'.len_utf8();
        left.next();
        number = Some(number.unwrap_or(1) * 10);
        if let Some(last) = left.peek().copied().and_then(digit) {
            length += left.next().map_or(0, char::len_utf8);
            number = number.map(|tens| tens + last);
        }
    }
    number.map(|number| (length, number))
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
        assert_eq!(read("粗黑体二十三两"), [phrase("粗黑体", &[2]), number("二十三", 23), number("两", 2)]);
        assert_eq!(read("sandals 粗")[1], ("粗".to_owned(), Found::Unknown));
        for odd in ["١٢ eyes", "é\u{301}yes", "99999999999999999999999", "\u{0}a", "İstanbul", "ſans"] {
            let parts = lexicon.scan(odd);
            assert!(parts.windows(2).all(|pair| pair[0].0.end <= pair[1].0.start), "{odd}");
        }
    }
}
