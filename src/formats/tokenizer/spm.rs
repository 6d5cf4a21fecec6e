//! SentencePiece by scores: characters are joined, best score first, as long as the result is a token.

use std::{cmp::Ordering, collections::BinaryHeap};

use super::vocab::Vocab;

/// What an unknown character becomes: the tokens of its bytes.
#[derive(Debug)]
pub(super) struct Spm {
    bytes: [Option<u32>; 256],
    /// Put before a text that starts the input or follows a special token.
    pub space_prefix: bool,
}

#[derive(Clone, Copy, Debug)]
struct Symbol {
    start: u32,
    /// 0 once it has been joined to the one before.
    len: u32,
    previous: u32,
    next: u32,
}

const NONE: u32 = u32::MAX;

/// Two neighbours that may be joined.
#[derive(Clone, Copy, Debug)]
struct Pair {
    score: f32,
    left: u32,
    right: u32,
    len: u32,
}

impl Ord for Pair {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then_with(|| other.left.cmp(&self.left))
    }
}

impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Pair {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Pair {}

impl Spm {
    pub fn new(vocab: &Vocab, unknown: Option<u32>, space_prefix: bool) -> Self {
        let bytes = std::array::from_fn(|byte| {
            let named = vocab.find(format!("<0x{byte:02X}>").as_bytes());
            named.or_else(|| vocab.find(&[byte as u8])).or(unknown)
        });
        Self { bytes, space_prefix }
    }

    /// Appends the tokens of `text`; `after_special` says that nothing or a special token comes before it.
    pub fn encode(&self, vocab: &Vocab, text: &str, after_special: bool, out: &mut Vec<u32>) {
        let mut escaped = String::with_capacity(text.len() + text.len() / 2);
        if self.space_prefix && after_special {
            escaped.push('▁');
        }
        for (i, part) in text.split(' ').enumerate() {
            if i > 0 {
                escaped.push('▁');
            }
            escaped.push_str(part);
        }
        // Positions are u32; a text beyond that is cut where a piece may end anyway.
        let mut rest = escaped.as_str();
        while !rest.is_empty() {
            let most = rest.floor_char_boundary(rest.len().min(1 << 30));
            let (now, later) = rest.split_at(most);
            self.encode_escaped(vocab, now.as_bytes(), now.char_indices().map(|(at, c)| (at, c.len_utf8())), out);
            rest = later;
        }
    }

    fn encode_escaped(
        &self,
        vocab: &Vocab,
        text: &[u8],
        chars: impl Iterator<Item = (usize, usize)>,
        out: &mut Vec<u32>,
    ) {
        let mut symbols: Vec<Symbol> = Vec::with_capacity(text.len() / 2);
        for (i, (start, len)) in chars.enumerate() {
            let i = i as u32;
            symbols.push(Symbol { start: start as u32, len: len as u32, previous: i.wrapping_sub(1), next: i + 1 });
        }
        if let Some(last) = symbols.last_mut() {
            last.next = NONE;
        }
        let mut heap = BinaryHeap::new();
        for right in 1..symbols.len() as u32 {
            heap.extend(pair(vocab, text, &symbols, right - 1, right));
        }
        while let Some(Pair { left, right, len, .. }) = heap.pop() {
            let (l, r) = (symbols[left as usize], symbols[right as usize]);
            if l.len == 0 || r.len == 0 || l.len + r.len != len {
                continue;
            }
            symbols[left as usize].len = len;
            symbols[left as usize].next = r.next;
            symbols[right as usize].len = 0;
            if let Some(after) = symbols.get_mut(r.next as usize) {
                after.previous = left;
            }
            heap.extend(pair(vocab, text, &symbols, l.previous, left));
            heap.extend(pair(vocab, text, &symbols, left, r.next));
        }
        let mut at = 0;
        while let Some(symbol) = symbols.get(at as usize) {
            let piece = &text[symbol.start as usize..(symbol.start + symbol.len) as usize];
            match vocab.find(piece) {
                Some(id) => out.push(id),
                None => out.extend(piece.iter().filter_map(|byte| self.bytes[usize::from(*byte)])),
            }
            at = symbol.next;
        }
    }
}

/// The pair of two neighbours, if what they make together is a token.
fn pair(vocab: &Vocab, text: &[u8], symbols: &[Symbol], left: u32, right: u32) -> Option<Pair> {
    let (l, r) = (symbols.get(left as usize)?, symbols.get(right as usize)?);
    let len = l.len + r.len;
    let id = vocab.find(&text[l.start as usize..(l.start + len) as usize])?;
    // Adding zero makes −0 the same as 0 for the order.
    let score = vocab.scores.get(id as usize).copied().unwrap_or(0.0) + 0.0;
    Some(Pair { score, left, right, len })
}
