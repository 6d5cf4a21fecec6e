//! Cutting special tokens out of a text before it is tokenised.

use std::ops::Range;

use aho_corasick::AhoCorasick;
use memchr::memmem;

use super::{
    damaged,
    vocab::{Kind, Vocab},
};
use crate::Result;

/// The special tokens of a vocabulary, longest first.
#[derive(Debug)]
pub(super) struct Specials {
    ids: Vec<u32>,
    /// Tells which of them occur at all; there can be thousands.
    finder: AhoCorasick,
}

/// A piece of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fragment {
    Text(Range<usize>),
    Token(u32),
}

impl Specials {
    pub fn new(vocab: &Vocab) -> Result<Self> {
        let mut ids: Vec<u32> = (0..vocab.len() as u32).filter(|id| vocab.kind(*id).is_any(Kind::SPECIAL)).collect();
        ids.sort_by_key(|id| std::cmp::Reverse(vocab.text(*id).len()));
        let finder = AhoCorasick::new(ids.iter().map(|id| vocab.text(*id)))
            .map_err(|_| damaged("it has too many special tokens", "特殊词元过多"))?;
        Ok(Self { ids, finder })
    }

    /// Cuts `text` at special tokens: the longest one first everywhere, then the next. Control tokens are only seen with
    /// `parse_control`; the others always, since they are ordinary text with a token of its own.
    pub fn partition(&self, vocab: &Vocab, text: &str, parse_control: bool) -> Vec<Fragment> {
        let mut occurs = vec![false; self.ids.len()];
        for found in self.finder.find_overlapping_iter(text) {
            occurs[found.pattern().as_usize()] = true;
        }
        let mut fragments = Vec::new();
        if !text.is_empty() {
            fragments.push(Fragment::Text(0..text.len()));
        }
        for (id, _) in self.ids.iter().zip(occurs).filter(|(_, occurs)| *occurs) {
            if parse_control || !vocab.kind(*id).is_any(Kind::SILENT) {
                fragments = cut(fragments, text, *id, vocab.text(*id));
            }
        }
        fragments
    }
}

fn cut(fragments: Vec<Fragment>, text: &str, id: u32, token: &str) -> Vec<Fragment> {
    let finder = memmem::Finder::new(token);
    let mut out = Vec::with_capacity(fragments.len());
    for fragment in fragments {
        let Fragment::Text(range) = fragment else {
            out.push(fragment);
            continue;
        };
        let mut start = range.start;
        while let Some(found) = finder.find(&text.as_bytes()[start..range.end]) {
            if found > 0 {
                out.push(Fragment::Text(start..start + found));
            }
            out.push(Fragment::Token(id));
            start += found + token.len();
        }
        if start < range.end {
            out.push(Fragment::Text(start..range.end));
        }
    }
    out
}
