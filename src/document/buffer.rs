//! The text itself with what must stay known about it while it changes: where lines start and how long it is.

use std::ops::Range;

/// How much text there is, the way its language counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WordCount {
    /// Words between spaces that hold a letter or a digit.
    pub words: usize,
    /// Chinese characters and kana; each counts on its own.
    pub cjk: usize,
}

impl WordCount {
    /// Counts `text` from scratch.
    pub fn of(text: &str) -> Self {
        let mut count = Self::default();
        let mut in_word = false;
        for c in text.chars() {
            if is_cjk(c) {
                count.words += usize::from(in_word);
                count.cjk += 1;
                in_word = false;
            } else if breaks_words(c) {
                count.words += usize::from(in_word);
                in_word = false;
            } else if c.is_alphanumeric() {
                in_word = true;
            }
        }
        count.words += usize::from(in_word);
        count
    }

    /// Words and characters together.
    pub fn total(self) -> usize {
        self.words + self.cjk
    }
}

/// Whether `c` is written without spaces around it, so that it counts as a word of its own.
pub fn is_cjk(c: char) -> bool {
    matches!(u32::from(c),
        0x3005..=0x3007 | 0x3041..=0x30FF | 0x31F0..=0x31FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x3FFFF)
}

fn is_cjk_punctuation(c: char) -> bool {
    matches!(u32::from(c), 0x3000..=0x3004 | 0x3008..=0x3040 | 0xFF00..=0xFF0F | 0xFF1A..=0xFF20 | 0xFF3B..=0xFF40 | 0xFF5B..=0xFF65)
}

fn breaks_words(c: char) -> bool {
    c.is_whitespace() || is_cjk_punctuation(c)
}

/// A text, its line starts and its counts, kept in step by [`Buffer::replace`].
///
/// One `String`: moving the tail of 2 MB costs a tenth of a millisecond, far below a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buffer {
    text: String,
    /// Byte offsets; the first is 0, each other follows a `\n`.
    line_starts: Vec<usize>,
    chars: usize,
    count: WordCount,
}

impl Buffer {
    pub fn new(text: String) -> Self {
        let line_starts = std::iter::once(0).chain(newlines(&text, 0)).collect();
        Self { chars: text.chars().count(), count: WordCount::of(&text), line_starts, text }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn chars(&self) -> usize {
        self.chars
    }

    pub fn count(&self) -> WordCount {
        self.count
    }

    pub fn line_starts(&self) -> &[usize] {
        &self.line_starts
    }

    /// Replaces `range` (char boundaries) with `with`. Only the words around the place are counted anew.
    pub fn replace(&mut self, range: Range<usize>, with: &str) {
        let window = self.word_window(&range);
        let counted_before = WordCount::of(&self.text[window.clone()]);
        self.chars = self.chars - self.text[range.clone()].chars().count() + with.chars().count();
        self.move_lines(&range, with);
        self.text.replace_range(range.clone(), with);
        let end = window.end - range.len() + with.len();
        let counted_after = WordCount::of(&self.text[window.start..end]);
        self.count.words = self.count.words - counted_before.words + counted_after.words;
        self.count.cjk = self.count.cjk - counted_before.cjk + counted_after.cjk;
    }

    /// `range` widened to where no word crosses its borders.
    fn word_window(&self, range: &Range<usize>) -> Range<usize> {
        let ends_word = |c: char| breaks_words(c) || is_cjk(c);
        let before = &self.text[..range.start];
        let start = before.char_indices().rev().find(|(_, c)| ends_word(*c)).map_or(0, |(at, c)| at + c.len_utf8());
        let after = &self.text[range.end..];
        let end = after.char_indices().find(|(_, c)| ends_word(*c)).map_or(self.text.len(), |(at, _)| range.end + at);
        start..end
    }

    fn move_lines(&mut self, range: &Range<usize>, with: &str) {
        let first = self.line_starts.partition_point(|start| *start <= range.start);
        let last = self.line_starts.partition_point(|start| *start <= range.end);
        for start in &mut self.line_starts[last..] {
            *start = *start - range.len() + with.len();
        }
        self.line_starts.splice(first..last, newlines(with, range.start));
    }

    /// The line that `byte` lies in.
    pub fn line_of(&self, byte: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= byte).saturating_sub(1)
    }

    /// The bytes of a line, its `\n` not included.
    pub fn line_range(&self, line: usize) -> Range<usize> {
        let start = self.line_starts.get(line).copied().unwrap_or(self.text.len());
        let end = self.line_starts.get(line + 1).map_or(self.text.len(), |next| next - 1);
        start..end.max(start)
    }

    /// `range` in order, inside the text, and widened to whole characters.
    pub fn whole_chars(&self, range: Range<usize>) -> Range<usize> {
        let (from, to) = (range.start.min(range.end), range.start.max(range.end));
        let mut start = from.min(self.text.len());
        while !self.text.is_char_boundary(start) {
            start -= 1;
        }
        let mut end = to.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end += 1;
        }
        start..end.max(start)
    }
}

fn newlines(text: &str, base: usize) -> impl Iterator<Item = usize> {
    text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(move |(at, _)| base + at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_characters_are_counted_as_their_languages_do() {
        for (text, words, cjk) in [
            ("", 0, 0),
            ("  \n", 0, 0),
            ("On the last night — of October's end.", 7, 0),
            ("春日短诗", 0, 4),
            ("我有 2 只 cat，和dog。", 3, 4),
            ("a,b c-d", 2, 0),
            ("👍 fine", 1, 0),
        ] {
            assert_eq!(WordCount::of(text), WordCount { words, cjk }, "{text}");
        }
    }

    #[test]
    fn replacing_keeps_lines_and_counts_as_if_made_anew() {
        let mut buffer = Buffer::new("one two\n三 four\n\nfive".to_owned());
        for (range, with) in [(3..4, ""), (0..0, "zero\n"), (5..12, "十\n百x"), (2..2, " y "), (0..18, "")] {
            let range = buffer.whole_chars(range);
            buffer.replace(range, with);
            assert_eq!(buffer, Buffer::new(buffer.text().to_owned()));
        }
    }

    #[test]
    fn lines_are_found_by_byte() {
        let buffer = Buffer::new("ab\n\nc".to_owned());
        assert_eq!((0..=5).map(|byte| buffer.line_of(byte)).collect::<Vec<_>>(), [0, 0, 0, 1, 2, 2]);
        assert_eq!([buffer.line_range(0), buffer.line_range(1), buffer.line_range(2)], [0..2, 3..3, 4..5]);
        assert_eq!(buffer.line_range(9), 5..5);
    }
}
