//! The text as it grows: what may be shown, and what must wait because a stop string, a banned phrase or a character
//! could be forming.

use super::{super::TextToken, utf8::Utf8Stream};
use crate::{Error, Result};

/// The tokens written so far.
pub(super) struct Held {
    stop: Vec<String>,
    banned: Vec<String>,
    text: String,
    stream: Utf8Stream,
    tokens: Vec<HeldToken>,
    released: usize,
    /// Matches that end in the text of these first bytes are not looked for: it was decided by the person.
    forced_bytes: usize,
}

/// A token with its place in the text.
struct HeldToken {
    token: TextToken,
    start: usize,
    end: usize,
    stream_before: Utf8Stream,
    /// Whether it left a character incomplete.
    waits: bool,
    /// The logits it was chosen from, while another one may have to be chosen.
    logits: Vec<f32>,
}

/// What the newest token has brought about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// A stop string that begins at this byte of the text.
    Stop(usize),
    /// A banned phrase that began with the token of this index.
    Banned(usize),
}

/// More or longer strings than these are refused: every token is compared with all of them.
const MOST_STRINGS: usize = 512;
const LONGEST_STRING_BYTES: usize = 1000;

impl Held {
    /// Nothing written yet; `stop` and `banned` are looked for, banned phrases without regard to the case of a–z.
    ///
    /// # Errors
    /// When there are too many strings, or one is too long.
    pub(super) fn new(stop: &[String], banned: &[String]) -> Result<Self> {
        let all = || stop.iter().chain(banned);
        if all().count() > MOST_STRINGS || all().any(|string| string.len() > LONGEST_STRING_BYTES) {
            return Err(Error::new(
                format!(
                    "There may be at most {MOST_STRINGS} stop strings and banned phrases of at most {LONGEST_STRING_BYTES} bytes; shorten the lists."
                ),
                format!("停止词与禁用词合计最多 {MOST_STRINGS} 个，每个最长 {LONGEST_STRING_BYTES} 字节，请缩短列表。"),
            ));
        }
        let filled = |strings: &[String]| strings.iter().filter(|string| !string.is_empty()).cloned().collect();
        Ok(Self {
            stop: filled(stop),
            banned: filled(banned),
            text: String::new(),
            stream: Utf8Stream::default(),
            tokens: Vec::new(),
            released: 0,
            forced_bytes: 0,
        })
    }

    /// Whether any phrase is banned, so that logits are worth keeping.
    pub(super) fn bans(&self) -> bool {
        !self.banned.is_empty()
    }

    /// The banned phrases.
    pub(super) fn banned(&self) -> &[String] {
        &self.banned
    }

    /// How many tokens have been written.
    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Appends a token that stands for `bytes`.
    pub(super) fn push(&mut self, mut token: TextToken, bytes: &[u8], logits: Vec<f32>) {
        let (start, stream_before) = (self.text.len(), self.stream.clone());
        self.stream.push(bytes, &mut self.text);
        let end = self.text.len();
        token.text = self.text[start..].to_owned();
        self.tokens.push(HeldToken { token, start, end, stream_before, waits: self.stream.waits(), logits });
    }

    /// Says that what has been written until now was decided by the person.
    pub(super) fn forced_until_here(&mut self) {
        self.forced_bytes = self.text.len();
    }

    /// Looks for what the newest token may have completed: the stop string or banned phrase that begins first.
    pub(super) fn look(&self) -> Found {
        let from = self.shown_bytes();
        let found = |pattern: &String, same: fn(&[u8], &[u8]) -> bool| {
            // A match must end after the forced text, so it cannot begin too far before its end.
            let from = from.max((self.forced_bytes + 1).saturating_sub(pattern.len()));
            let fresh = &self.text.as_bytes()[from..];
            fresh.windows(pattern.len()).position(|window| same(window, pattern.as_bytes())).map(|at| from + at)
        };
        let stop = self.stop.iter().filter_map(|pattern| found(pattern, |a, b| a == b)).min();
        let banned = self.banned.iter().filter_map(|pattern| found(pattern, <[u8]>::eq_ignore_ascii_case)).min();
        match (stop, banned) {
            (Some(stop), None) => Found::Stop(stop),
            (Some(stop), Some(banned)) if stop <= banned => Found::Stop(stop),
            (_, Some(banned)) => Found::Banned(self.token_at(banned)),
            (None, None) => Found::Nothing,
        }
    }

    /// Undoes the token of index `n` and all after it; returns the id of that token and the logits it was chosen from.
    pub(super) fn step_back_to(&mut self, n: usize) -> Option<(u32, Vec<f32>)> {
        if n < self.released || n >= self.tokens.len() {
            return None;
        }
        let first = self.tokens.drain(n..).next()?;
        self.text.truncate(first.start);
        self.stream = first.stream_before;
        Some((first.token.id, first.logits))
    }

    /// Hands out the tokens that nothing can take back any more.
    pub(super) fn release(&mut self, on: &mut dyn FnMut(TextToken)) {
        let safe = self.safe_bytes();
        let mut free = self.tokens.partition_point(|held| held.end <= safe);
        if !self.stop.is_empty() || !self.banned.is_empty() {
            // The character that is not complete yet may turn out to begin something.
            free -= self.tokens[..free].iter().rev().take_while(|held| held.waits).count();
        }
        for held in self.tokens[..free].iter_mut().skip(self.released) {
            held.logits = Vec::new();
            on(held.token.clone());
        }
        self.released = self.released.max(free);
    }

    /// Hands out all tokens up to byte `end` of the text; what is behind it is dropped.
    pub(super) fn finish(mut self, end: Option<usize>, on: &mut dyn FnMut(TextToken)) -> (String, Vec<u32>) {
        if let Some(end) = end {
            // A token that does not reach into the text before `end` belongs to what is dropped.
            let kept = self.tokens.partition_point(|held| held.start < end).max(self.released);
            self.tokens.truncate(kept);
            self.text.truncate(end);
            if let Some(last) = self.tokens.last_mut() {
                last.token.text = self.text[last.start.min(end)..].to_owned();
            }
        }
        for held in &self.tokens[self.released..] {
            on(held.token.clone());
        }
        (self.text, self.tokens.iter().map(|held| held.token.id).collect())
    }

    /// Ends the text before its time. What still waits is dropped, for going on might have taken it back: so the text
    /// is how running the same request again begins.
    pub(super) fn finish_early(mut self, on: &mut dyn FnMut(TextToken)) -> (String, Vec<u32>) {
        self.release(on);
        let shown = self.shown_bytes();
        self.tokens.truncate(self.released);
        self.finish(Some(shown), on)
    }

    /// The token whose bytes begin or continue the character at byte `at` of the text.
    fn token_at(&self, at: usize) -> usize {
        self.tokens.partition_point(|held| held.end < at || (held.end == at && !held.waits))
    }

    /// Bytes of text that have been handed out.
    fn shown_bytes(&self) -> usize {
        self.released.checked_sub(1).map_or(0, |last| self.tokens[last].end)
    }

    /// Bytes of text in which no stop string or banned phrase can be forming.
    fn safe_bytes(&self) -> usize {
        let text = &self.text.as_bytes()[self.shown_bytes()..];
        let forming = |pattern: &[u8], same: fn(&[u8], &[u8]) -> bool| {
            let most = (pattern.len() - 1).min(text.len());
            (1..=most).rev().find(|&n| same(&text[text.len() - n..], &pattern[..n])).unwrap_or(0)
        };
        let stop = self.stop.iter().map(|pattern| forming(pattern.as_bytes(), |a, b| a == b)).max();
        let banned = self.banned.iter().map(|pattern| forming(pattern.as_bytes(), <[u8]>::eq_ignore_ascii_case)).max();
        self.text.len() - stop.max(banned).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(strings: &[&str]) -> Vec<String> {
        strings.iter().map(|&string| string.to_owned()).collect()
    }

    fn push(held: &mut Held, id: u32, bytes: &[u8]) -> (Found, Vec<String>) {
        let token = TextToken { id, text: String::new(), probability: 0.0, likely: Vec::new() };
        held.push(token, bytes, vec![id as f32]);
        let found = held.look();
        let mut shown = Vec::new();
        if found == Found::Nothing {
            held.release(&mut |token| shown.push(token.text));
        }
        (found, shown)
    }

    #[test]
    fn text_waits_while_a_stop_string_could_be_forming() {
        let mut held = Held::new(&strings(&["\n\nUser:", ""]), &[]).expect("few and short");
        assert_eq!(push(&mut held, 0, b"Hello"), (Found::Nothing, strings(&["Hello"])));
        assert_eq!(push(&mut held, 1, b".\n"), (Found::Nothing, strings(&[])));
        assert_eq!(push(&mut held, 2, b"\nUs"), (Found::Nothing, strings(&[])));
        assert_eq!(push(&mut held, 3, b"e it"), (Found::Nothing, strings(&[".\n", "\nUs", "e it"])));
        assert_eq!(push(&mut held, 4, b".\n\n"), (Found::Nothing, strings(&[])));
        assert_eq!(push(&mut held, 5, b"User"), (Found::Nothing, strings(&[])));
        assert_eq!(push(&mut held, 6, b": me"), (Found::Stop(15), strings(&[])));
        let mut shown = Vec::new();
        let (text, tokens) = held.finish(Some(15), &mut |token| shown.push(token.text));
        assert_eq!((text.as_str(), tokens), ("Hello.\n\nUse it.", vec![0, 1, 2, 3, 4]));
        assert_eq!(shown, strings(&["."]));
    }

    #[test]
    fn a_banned_phrase_is_traced_to_the_token_that_began_it() {
        let mut held = Held::new(&[], &strings(&["a testament to", "你好"])).expect("few and short");
        assert_eq!(push(&mut held, 0, b"It is"), (Found::Nothing, strings(&["It is"])));
        assert_eq!(push(&mut held, 1, b" A tes"), (Found::Nothing, strings(&[])));
        assert_eq!(push(&mut held, 2, b"tament"), (Found::Nothing, strings(&[])));
        assert_eq!(push(&mut held, 3, b" TO"), (Found::Banned(1), strings(&[])));
        assert_eq!(held.step_back_to(1), Some((1, vec![1.0])));
        assert_eq!(held.step_back_to(0), None, "what was shown stays");
        // The character that begins the phrase is itself made of two tokens.
        assert_eq!(push(&mut held, 4, b"!\xe4"), (Found::Nothing, strings(&[])));
        assert_eq!(push(&mut held, 5, b"\xbd\xa0"), (Found::Nothing, strings(&[])));
        assert_eq!(push(&mut held, 6, "好".as_bytes()), (Found::Banned(1), strings(&[])));
        assert_eq!(held.step_back_to(2), Some((5, vec![5.0])));
        assert_eq!(push(&mut held, 7, b"\xbd\xa1"), (Found::Nothing, strings(&["!", "\u{4f61}"])));
    }

    #[test]
    fn forced_text_is_not_searched_but_may_begin_a_match() {
        let mut held = Held::new(&strings(&["END"]), &strings(&["bad"])).expect("few and short");
        held.push(TextToken { id: 0, text: String::new(), probability: 0.0, likely: Vec::new() }, b"bad END E", vec![]);
        held.forced_until_here();
        assert_eq!(held.look(), Found::Nothing);
        assert_eq!(push(&mut held, 1, b"ND"), (Found::Stop(8), strings(&[])));
    }

    #[test]
    fn whatever_the_borders_the_shown_text_is_the_text() {
        let whole = "abc你好END def🙂 x ENENDx";
        for size in 1..9 {
            let mut held = Held::new(&strings(&["ENDx", "zzz"]), &strings(&["好好"])).expect("few and short");
            let mut shown = String::new();
            let mut cut = None;
            for (id, bytes) in whole.as_bytes().chunks(size).enumerate() {
                let (found, texts) = push(&mut held, id as u32, bytes);
                shown.extend(texts);
                if let Found::Stop(at) = found {
                    cut = Some(at);
                }
            }
            let (text, _) = held.finish(cut, &mut |token| shown.push_str(&token.text));
            assert_eq!((text.as_str(), shown.as_str()), ("abc你好END def🙂 x EN", "abc你好END def🙂 x EN"), "{size}");
        }
    }

    #[test]
    fn endless_lists_are_refused() {
        assert!(Held::new(&vec!["x".to_owned(); 600], &[]).is_err());
        assert!(Held::new(&[], &["x".repeat(2000)]).is_err());
    }
}
