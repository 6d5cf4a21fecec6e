//! Byte-level byte-pair encoding, as GPT-2 introduced it: bytes become printable characters, and the pair with the
//! lowest rank is merged until none is left.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

use foldhash::fast::RandomState;

use super::{damaged, split::Splitter, vocab::Vocab};
use crate::{Result, formats::gguf::Metadata};

/// The merges of a vocabulary.
#[derive(Debug)]
pub(super) struct Bpe {
    splitter: Splitter,
    /// Left and right symbol → rank and merged symbol. A symbol is a token id, or a number past the vocabulary for
    /// texts that only occur on the way.
    merges: HashMap<u64, Merge, RandomState>,
    /// The symbol of each byte.
    bytes: [u32; 256],
    /// Tokens of the symbols past the vocabulary.
    loose: Vec<Vec<u32>>,
    /// A word that is a token as a whole is never merged from parts.
    whole_words: bool,
}

#[derive(Clone, Copy, Debug)]
struct Merge {
    rank: u32,
    symbol: u32,
}

/// Symbols past the vocabulary, while the merges are read.
struct Loose<'a> {
    vocab: &'a Vocab,
    by_text: HashMap<String, u32>,
    tokens: Vec<Vec<u32>>,
}

impl Loose<'_> {
    fn symbol(&mut self, text: &str) -> u32 {
        if let Some(id) = self.vocab.find(text.as_bytes()) {
            return id;
        }
        if let Some(symbol) = self.by_text.get(text) {
            return *symbol;
        }
        let symbol = (self.vocab.len() + self.tokens.len()) as u32;
        // What is no token in the end falls apart into those of its characters that are; others vanish, as in llama.cpp.
        let ascii = text.bytes().filter(u8::is_ascii);
        self.tokens.push(ascii.filter_map(|byte| self.vocab.find(&[byte])).collect());
        self.by_text.insert(text.to_owned(), symbol);
        symbol
    }
}

/// GPT-2's character for a byte: printable ones stand for themselves, the rest are numbered from U+0100.
pub(super) fn char_of_byte(byte: u8) -> char {
    let is_printable = |b: u8| matches!(b, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    if is_printable(byte) {
        return char::from(byte);
    }
    let number = (0..byte).filter(|b| !is_printable(*b)).count() as u32;
    char::from_u32(0x100 + number).unwrap_or('\u{fffd}')
}

/// The byte that GPT-2's character stands for.
pub(super) fn byte_of_char(c: char) -> Option<u8> {
    match u32::from(c) {
        code @ (0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff) => Some(code as u8),
        // The unprintable bytes in order: 0..=0x20, 0x7f..=0xa0, 0xad.
        code @ 0x100..=0x120 => Some((code - 0x100) as u8),
        code @ 0x121..=0x142 => Some((code - 0x121 + 0x7f) as u8),
        0x143 => Some(0xad),
        _ => None,
    }
}

/// Words up to this many symbols are merged by looking at all pairs each time, which is faster than a heap.
const SHORT_WORD: usize = 24;

impl Bpe {
    pub fn from_gguf(meta: &Metadata, vocab: &Vocab, splitter: Splitter, whole_words: bool) -> Result<Self> {
        let pairs =
            meta.str_array("tokenizer.ggml.merges").ok_or_else(|| damaged("it has no merges", "没有合并规则"))?;
        let mut loose = Loose { vocab, by_text: HashMap::new(), tokens: Vec::new() };
        let mut merges = HashMap::with_capacity_and_hasher(pairs.len(), RandomState::default());
        let mut merged = String::new();
        for (rank, pair) in pairs.enumerate() {
            // The first character may itself be a space.
            let first = pair.chars().next().map_or(0, char::len_utf8);
            let Some(space) = pair[first..].find(' ').map(|at| at + first) else { continue };
            let (left, right) = (&pair[..space], &pair[space + 1..]);
            merged.clear();
            merged.push_str(left);
            merged.push_str(right);
            let key = key(loose.symbol(left), loose.symbol(right));
            let symbol = loose.symbol(&merged);
            merges.entry(key).or_insert(Merge { rank: rank as u32, symbol });
        }
        let bytes = std::array::from_fn(|byte| loose.symbol(char_of_byte(byte as u8).encode_utf8(&mut [0; 4])));
        let loose = loose.tokens;
        Ok(Self { splitter, merges, bytes, loose, whole_words })
    }

    /// Appends the tokens of `text`.
    pub fn encode(&self, vocab: &Vocab, text: &str, out: &mut Vec<u32>) {
        let mut symbols = Vec::new();
        let mut encoded = String::new();
        for word in self.splitter.split(text) {
            let word = &text[word];
            if self.whole_words {
                encoded.clear();
                encoded.extend(word.bytes().map(char_of_byte));
                if let Some(id) = vocab.find(encoded.as_bytes()) {
                    out.push(id);
                    continue;
                }
            }
            symbols.clear();
            symbols.extend(word.bytes().map(|byte| self.bytes[usize::from(byte)]));
            if symbols.len() <= SHORT_WORD {
                self.merge_short(&mut symbols);
            } else {
                self.merge_long(&mut symbols);
            }
            for symbol in &symbols {
                match (*symbol as usize).checked_sub(vocab.len()) {
                    None => out.push(*symbol),
                    Some(loose) => out.extend(self.loose.get(loose).into_iter().flatten()),
                }
            }
        }
    }

    fn merge_of(&self, left: u32, right: u32) -> Option<Merge> {
        self.merges.get(&key(left, right)).copied()
    }

    /// Merges the leftmost pair of lowest rank until there is none; the pairs' merges are kept beside the symbols.
    fn merge_short(&self, symbols: &mut Vec<u32>) {
        let mut found = [None; SHORT_WORD];
        for (found, pair) in found.iter_mut().zip(symbols.windows(2)) {
            *found = self.merge_of(pair[0], pair[1]);
        }
        loop {
            let pairs = symbols.len().saturating_sub(1);
            let best =
                found[..pairs].iter().enumerate().filter_map(|(at, merge)| merge.map(|merge| (merge.rank, at))).min();
            let Some((_, at)) = best else { return };
            let Some(merge) = found[at] else { return };
            symbols[at] = merge.symbol;
            symbols.remove(at + 1);
            found.copy_within(at + 1..pairs, at);
            found[at] = symbols.get(at + 1).and_then(|right| self.merge_of(symbols[at], *right));
            if at > 0 {
                found[at - 1] = self.merge_of(symbols[at - 1], symbols[at]);
            }
        }
    }

    /// The same with a heap over a linked list, so that a megabyte without a break takes seconds, not days.
    fn merge_long(&self, symbols: &mut Vec<u32>) {
        let count = symbols.len();
        // Neighbours by index; `count` is the end, and a merged-away symbol has `next` 0.
        let mut next: Vec<usize> = (1..=count).collect();
        let mut previous: Vec<usize> = (0..count).map(|i| i.wrapping_sub(1)).collect();
        let mut heap = BinaryHeap::new();
        for at in 1..count {
            if let Some(merge) = self.merge_of(symbols[at - 1], symbols[at]) {
                heap.push(Reverse((merge.rank, at - 1, at, symbols[at - 1], symbols[at], merge.symbol)));
            }
        }
        while let Some(Reverse((_, left, right, left_was, right_was, merged))) = heap.pop() {
            let is_current = next[left] == right && symbols[left] == left_was && symbols[right] == right_was;
            if !is_current {
                continue;
            }
            symbols[left] = merged;
            let after = next[right];
            next[right] = 0;
            next[left] = after;
            if after < count {
                previous[after] = left;
                if let Some(merge) = self.merge_of(merged, symbols[after]) {
                    heap.push(Reverse((merge.rank, left, after, merged, symbols[after], merge.symbol)));
                }
            }
            let before = previous[left];
            if before < count
                && let Some(merge) = self.merge_of(symbols[before], merged)
            {
                heap.push(Reverse((merge.rank, before, left, symbols[before], merged, merge.symbol)));
            }
        }
        let mut kept = 0;
        let mut at = 0;
        while at < count {
            symbols[kept] = symbols[at];
            kept += 1;
            at = next[at];
        }
        symbols.truncate(kept);
    }
}

fn key(left: u32, right: u32) -> u64 {
    u64::from(left) << 32 | u64::from(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_characters_map_both_ways() {
        for byte in 0..=255 {
            assert_eq!(byte_of_char(char_of_byte(byte)), Some(byte), "{byte:#x}");
        }
        assert_eq!((char_of_byte(b' '), char_of_byte(b'\n'), char_of_byte(b'a')), ('Ġ', 'Ċ', 'a'));
        assert_eq!(byte_of_char('诗'), None);
    }
}
