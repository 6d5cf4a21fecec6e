//! The vocabulary: what each token is written as, what it means, and the way back from text to token.

use std::hash::BuildHasher as _;

use foldhash::fast::RandomState;

use super::damaged;
use crate::{Result, formats::gguf::Metadata};

/// What a token is, as bits, since some are several things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind(u8);

impl Kind {
    pub const NORMAL: Self = Self(1);
    pub const UNKNOWN: Self = Self(2);
    pub const CONTROL: Self = Self(4);
    pub const USER_DEFINED: Self = Self(8);
    pub const BYTE: Self = Self(16);
    pub const OTHER: Self = Self(0);
    /// Cut out of the text before anything else looks at it.
    pub const SPECIAL: Self = Self(2 | 4 | 8);
    /// Not part of a text: shows nothing.
    pub const SILENT: Self = Self(2 | 4);

    /// From the codes in `tokenizer.ggml.token_type`.
    fn from_code(code: i32) -> Self {
        match code {
            1 => Self::NORMAL,
            2 => Self::UNKNOWN,
            3 => Self::CONTROL,
            4 => Self::USER_DEFINED,
            6 => Self::BYTE,
            _ => Self::OTHER,
        }
    }

    pub fn is_any(self, of: Self) -> bool {
        self.0 & of.0 != 0
    }

    fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// All tokens of a model.
#[derive(Debug)]
pub(super) struct Vocab {
    /// All texts, end to end.
    text: String,
    /// Where each text ends.
    ends: Vec<u32>,
    pub kinds: Vec<Kind>,
    /// Empty when the file has none.
    pub scores: Vec<f32>,
    index: Index,
    /// Bytes of the longest text.
    pub longest: usize,
}

/// An open-addressing table of token ids: they are found by the texts, which lie in the vocabulary only once.
#[derive(Debug)]
struct Index {
    slots: Vec<u32>,
    hasher: RandomState,
}

const FREE: u32 = u32::MAX;

impl Vocab {
    pub fn from_gguf(meta: &Metadata) -> Result<Self> {
        let tokens =
            meta.str_array("tokenizer.ggml.tokens").ok_or_else(|| damaged("it has no vocabulary", "没有词表"))?;
        let count = tokens.len();
        if count == 0 || count >= FREE as usize {
            return Err(damaged("its vocabulary has an impossible size", "词表大小不正确"));
        }
        let mut text = String::new();
        let mut ends = Vec::with_capacity(count);
        for (id, token) in tokens.enumerate() {
            if token.is_empty() {
                // So that every token has a text of its own.
                text.push_str(&format!("[EMPTY_{id}]"));
            } else {
                text.push_str(token);
            }
            let end = u32::try_from(text.len()).map_err(|_| damaged("its vocabulary is too long", "词表过长"))?;
            ends.push(end);
        }
        let kinds: Vec<Kind> = match meta.i32_array("tokenizer.ggml.token_type") {
            Some(codes) => codes.map(Kind::from_code).collect(),
            None => vec![Kind::NORMAL; count],
        };
        let scores: Vec<f32> = meta.f32_array("tokenizer.ggml.scores").map(Iterator::collect).unwrap_or_default();
        if kinds.len() < count || (!scores.is_empty() && scores.len() < count) {
            return Err(damaged("its vocabulary has fewer types or scores than tokens", "词表的类型或分数少于词元"));
        }
        let index = Index { slots: vec![FREE; (2 * count).next_power_of_two()], hasher: RandomState::default() };
        let mut vocab = Self { text, ends, kinds, scores, index, longest: 0 };
        for id in 0..count as u32 {
            let slot = vocab.slot(vocab.text(id).as_bytes());
            vocab.index.slots[slot] = id;
            vocab.longest = vocab.longest.max(vocab.text(id).len());
        }
        Ok(vocab)
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The text of a token as the file writes it; empty for an id that does not exist.
    pub fn text(&self, id: u32) -> &str {
        let id = id as usize;
        let start = if id == 0 { Some(0) } else { self.ends.get(id - 1).map(|end| *end as usize) };
        let end = self.ends.get(id).map(|end| *end as usize);
        start.zip(end).and_then(|(start, end)| self.text.get(start..end)).unwrap_or_default()
    }

    /// The token written as `text`.
    pub fn find(&self, text: &[u8]) -> Option<u32> {
        if text.len() > self.longest {
            return None;
        }
        let id = self.index.slots[self.slot(text)];
        (id != FREE).then_some(id)
    }

    pub fn kind(&self, id: u32) -> Kind {
        self.kinds.get(id as usize).copied().unwrap_or(Kind::OTHER)
    }

    pub fn add_kind(&mut self, id: u32, kind: Kind) {
        if let Some(have) = self.kinds.get_mut(id as usize) {
            *have = have.with(kind);
        }
    }

    pub fn set_kind(&mut self, id: u32, kind: Kind) {
        if let Some(have) = self.kinds.get_mut(id as usize) {
            *have = kind;
        }
    }

    /// The slot that holds `text`, or the free one where it belongs. The table is never more than half full, so one is found.
    fn slot(&self, text: &[u8]) -> usize {
        let mask = self.index.slots.len() - 1;
        let mut at = self.index.hasher.hash_one(text) as usize & mask;
        loop {
            let id = self.index.slots[at];
            if id == FREE || self.text(id).as_bytes() == text {
                return at;
            }
            at = (at + 1) & mask;
        }
    }
}
