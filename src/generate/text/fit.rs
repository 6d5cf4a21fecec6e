//! Where a text that is too long is cut: at a paragraph if one ends soon, or a sentence, or a word.

/// The tail of `text` that has at most `room` tokens, as the byte at which it begins.
///
/// `grid_bytes` is the step of the places considered: the cut stays where it is while the text grows at its end by less
/// than that, so what the model remembers of the tail stays useful. `count` tells how many tokens a text has, and
/// `fitting` how many bytes of a text's end have at most so many.
pub(super) fn tail_start(
    text: &str,
    room: usize,
    grid_bytes: usize,
    count: &dyn Fn(&str) -> usize,
    fitting: &dyn Fn(&str, usize) -> usize,
) -> usize {
    // No tokenizer has tokens of prose this long on average; so a huge document is never tokenized whole.
    const MOST_BYTES_PER_TOKEN: usize = 16;
    let near = text.ceil_char_boundary(text.len().saturating_sub(room.saturating_mul(MOST_BYTES_PER_TOKEN)));
    if near == 0 && count(text) <= room {
        return 0;
    }
    let mut from = text.len() - fitting(&text[near..], room).min(text.len() - near);
    loop {
        let at = text.ceil_char_boundary(from.next_multiple_of(grid_bytes).min(text.len()));
        let start = border(text, at, grid_bytes);
        // Less than half of the room used would be a waste: then the exact place counts more than a steady one.
        let wasteful = text.len() - start < (text.len() - from) / 2;
        let start = if wasteful { border(text, text.ceil_char_boundary(from), (text.len() - from) / 4) } else { start };
        if start >= text.len() || count(&text[start..]) <= room {
            return start.min(text.len());
        }
        from = start + 1 + (text.len() - start) / 16;
    }
}

/// The first good place for a text to begin within `window` bytes of `at`: after a blank line, a sentence or a line, a
/// space, or else `at` itself.
fn border(text: &str, at: usize, window: usize) -> usize {
    let tail = &text[at..];
    let near = &tail[..tail.floor_char_boundary(window.min(tail.len()))];
    let before = &text[..at];
    let paragraph = if before.ends_with("\n\n") { Some(0) } else { near.find("\n\n").map(|i| i + 2) };
    let sentence = || {
        let mut ends = near.char_indices().zip(near.chars().skip(1).map(Some).chain([None]));
        ends.find_map(|((i, c), next)| match c {
            '\n' | '。' | '！' | '？' | '…' => Some(i + c.len_utf8()),
            '.' | '!' | '?' if next.is_some_and(char::is_whitespace) => Some(i + 1),
            _ => None,
        })
    };
    let word = || if before.ends_with(char::is_whitespace) { Some(0) } else { near.find(char::is_whitespace) };
    let found = paragraph.or_else(sentence).or_else(word);
    let skipped = |i: usize| tail.len() - tail[i..].trim_start().len();
    found.map(skipped).filter(|&i| i < tail.len()).map_or(at, |i| at + i)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One token a byte.
    fn cut(text: &str, room: usize, grid: usize) -> &str {
        &text[tail_start(text, room, grid, &str::len, &|text, room| room.min(text.len()))..]
    }

    #[test]
    fn a_text_is_cut_at_the_best_border_near() {
        assert_eq!(cut("short", 5, 8), "short");
        assert_eq!(cut("One two. Three four.\n\nFive six. Seven.", 30, 16), "Five six. Seven.");
        assert_eq!(cut("One two three. Four five six seven.", 32, 8), "Four five six seven.");
        assert_eq!(cut("一二三。四五六七八。九十", 34, 6), "四五六七八。九十");
        assert_eq!(cut("one two three four five six", 26, 4), "two three four five six");
        assert_eq!(cut("aaaaaaaaaaaaaaaaaaaaaaaa", 10, 4).len(), 8);
        assert!("你你你你你你你你".ends_with(cut("你你你你你你你你", 10, 4)));
    }

    #[test]
    fn the_cut_stays_while_the_text_grows_a_little() {
        let mut text = "Some words of a story. ".repeat(100);
        let mut starts = Vec::new();
        for _ in 0..40 {
            text.push_str("More. ");
            starts.push(text.len() - cut(&text, 1000, 125).len());
            assert!(text.len() - starts.last().copied().unwrap_or(0) > 600);
        }
        starts.dedup();
        assert!(starts.len() <= 4, "{starts:?}");
    }

    #[test]
    fn it_always_ends_and_fits() {
        for text in ["", "a", " \n\n ", "🙂🙂🙂🙂", "a b c d e f g h", "\n\n\n\n\n\n\n\n\n\n"] {
            for room in 0..20 {
                for grid in 1..10 {
                    assert!(cut(text, room, grid).len() <= room, "{text:?} {room} {grid}");
                }
            }
        }
    }
}
