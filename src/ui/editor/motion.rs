//! Where the caret goes: by characters as people see them, by words, and to the borders of words.

use std::ops::Range;

use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation as _};

/// Words and characters are looked for this many bytes around the caret at most.
const WINDOW: usize = 4096;

/// One character to the right: an emoji with its modifiers is one.
pub(super) fn next_character(text: &str, at: usize) -> usize {
    let mut cursor = GraphemeCursor::new(at, text.len(), true);
    cursor.next_boundary(text, 0).ok().flatten().unwrap_or(text.len())
}

/// One character to the left.
pub(super) fn previous_character(text: &str, at: usize) -> usize {
    let mut cursor = GraphemeCursor::new(at, text.len(), true);
    cursor.prev_boundary(text, 0).ok().flatten().unwrap_or(0)
}

/// The end of the word at or after `at`; between Chinese characters, the next one.
pub(super) fn next_word(text: &str, at: usize) -> usize {
    let window = window(text, at);
    let words = pieces(&text[window.clone()]);
    let places = words.map(|(start, word)| (window.start + start, word)).collect::<Vec<_>>();
    let is_word = |piece: &&(usize, &str)| piece.0 + piece.1.len() > at && has_letter(piece.1);
    places.iter().find(is_word).map_or(window.end, |(start, word)| start + word.len())
}

/// The start of the word at or before `at`.
pub(super) fn previous_word(text: &str, at: usize) -> usize {
    let window = window(text, at);
    let words = pieces(&text[window.clone()]);
    let places = words.map(|(start, word)| (window.start + start, word)).collect::<Vec<_>>();
    let is_word = |piece: &&(usize, &str)| piece.0 < at && has_letter(piece.1);
    places.iter().rev().find(is_word).map_or(window.start, |(start, _)| *start)
}

/// The word, space or mark at `at`, for a double click.
pub(super) fn word_at(text: &str, at: usize) -> Range<usize> {
    let window = window(text, at);
    let mut before = at..at;
    for (start, word) in pieces(&text[window.clone()]) {
        let place = window.start + start..window.start + start + word.len();
        if place.contains(&at) {
            // Between a word and a space, it is the word that is meant.
            let is_after_word = before.end == at && !has_letter(word) && has_letter(&text[before.clone()]);
            return if is_after_word { before } else { place };
        }
        before = place;
    }
    if before.end == at { before } else { at..at }
}

fn pieces(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_word_bound_indices()
}

fn has_letter(word: &str) -> bool {
    word.chars().any(|c| c.is_alphanumeric() || c == '_')
}

fn window(text: &str, at: usize) -> Range<usize> {
    text.floor_char_boundary(at.saturating_sub(WINDOW))
        ..text.ceil_char_boundary(at.saturating_add(WINDOW).min(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_walked_in_both_languages() {
        let text = "He said, 春日 “go-on” 3.5x.\n\nend";
        let mut stops = vec![0];
        while stops[stops.len() - 1] < text.len() {
            stops.push(next_word(text, stops[stops.len() - 1]));
        }
        let words: Vec<&str> = stops.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
        assert_eq!(words, ["He", " said", ", 春", "日", " “go", "-on", "” 3.5x", ".\n\nend"]);
        let mut back = vec![text.len()];
        while back[back.len() - 1] > 0 {
            back.push(previous_word(text, back[back.len() - 1]));
        }
        let starts: Vec<&str> =
            back.iter().map(|at| text[*at..].split([' ', '\n']).next().unwrap_or_default()).collect();
        assert_eq!(starts, ["", "end", "3.5x.", "on”", "go-on”", "日", "春日", "said,", "He"]);
    }

    #[test]
    fn emoji_with_modifiers_are_one_character() {
        let text = "a👍🏽é";
        assert_eq!(next_character(text, 1), 9);
        assert_eq!(previous_character(text, 9), 1);
        assert_eq!((previous_character(text, 0), next_character(text, text.len())), (0, text.len()));
    }

    #[test]
    fn a_double_click_takes_the_word_under_the_pointer() {
        let text = "one, two";
        for (at, word) in [(0, "one"), (1, "one"), (3, "one"), (6, "two"), (8, "two"), (4, " ")] {
            assert_eq!(&text[word_at(text, at)], word, "{at}");
        }
        assert_eq!(word_at("", 0), 0..0);
    }
}
