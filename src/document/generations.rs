//! What models wrote: every generation of a document or a chat, token by token, with the likeliest others.
//!
//! Texts of tokens repeat, so they are kept once a model; a token then takes a few dozen bytes.

use std::{collections::BTreeMap, ops::Range};

use crate::{
    generate::{Likely, Prompt, StopReason, TextOutcome, TextToken},
    recipe::{ModelRef, TextGeneration},
};

/// A generation of a document or chat. Generations are never removed, so it stays good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GenerationId(pub u32);

/// A token of a generation, and where it stands in the shown text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TokenRef {
    /// Which generation.
    pub generation: GenerationId,
    /// Which token of it.
    pub index: usize,
    /// The bytes of it that are shown, at the time of asking.
    pub range: Range<usize>,
}

/// The probability of a token, and the likeliest ones at its place.
type Chances = (f32, Box<[(u32, f32)]>);

/// A token in store.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub id: u32,
    /// Where its text ends in the generation's text.
    pub end: usize,
    pub probability: f32,
    /// Likeliest first.
    pub likely: Box<[(u32, f32)]>,
}

/// One generation.
#[derive(Clone, Debug, PartialEq)]
pub struct Generation {
    /// The model and what it was asked; once finished, exactly what was sent.
    pub made: TextGeneration,
    pub(super) text: String,
    pub(super) tokens: Vec<Token>,
    /// Which of the vocabularies its tokens' texts are in.
    pub(super) model: usize,
    /// Tokens that were known before it began (a branch's common part) and that the stream will repeat.
    pub(super) known: usize,
    /// Tokens that arrived.
    pub(super) received: usize,
    /// What is known of the token that a branch chose; the stream does not evaluate it.
    pub(super) chosen: Option<Chances>,
    pub(super) streaming: bool,
    /// Why it ended; `None` while streaming or if it failed.
    pub stop_reason: Option<StopReason>,
    /// How much of the text running it again gives: all of it, unless the outcome disagreed with the stream.
    pub(super) settled: usize,
}

impl Generation {
    /// What it has written so far, forced tokens included.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is still being written.
    pub fn is_streaming(&self) -> bool {
        self.streaming
    }

    /// How many tokens it has.
    pub fn token_count(&self) -> usize {
        self.tokens.len()
    }

    /// The ids of its first `count` tokens.
    pub fn token_ids(&self, count: usize) -> Vec<u32> {
        self.tokens.iter().take(count).map(|token| token.id).collect()
    }

    /// The bytes of a token in the generation's text.
    pub(super) fn token_range(&self, index: usize) -> Option<Range<usize>> {
        let start = index.checked_sub(1).and_then(|before| self.tokens.get(before)).map_or(0, |token| token.end);
        self.tokens.get(index).map(|token| start..token.end)
    }

    /// The token that wrote the byte at `offset` of the generation's text.
    pub(super) fn token_index(&self, offset: usize) -> Option<usize> {
        let index = self.tokens.partition_point(|token| token.end <= offset);
        (index < self.tokens.len()).then_some(index)
    }
}

/// All generations, and the texts of their tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Generations {
    pub list: Vec<Generation>,
    pub models: Vec<ModelRef>,
    /// For each model, texts of tokens by id.
    pub words: Vec<BTreeMap<u32, Box<str>>>,
}

impl Generations {
    pub fn get(&self, id: GenerationId) -> Option<&Generation> {
        self.list.get(usize::try_from(id.0).ok()?)
    }

    pub fn get_mut(&mut self, id: GenerationId) -> Option<&mut Generation> {
        self.list.get_mut(usize::try_from(id.0).ok()?)
    }

    /// Adds a generation that has written nothing yet but the first `known` tokens of another one.
    pub fn begin(&mut self, made: TextGeneration, from: Option<(GenerationId, usize)>) -> GenerationId {
        let model = self.models.iter().position(|model| *model == made.model).unwrap_or_else(|| {
            self.models.push(made.model.clone());
            self.words.push(BTreeMap::new());
            self.models.len() - 1
        });
        let mut fresh = Generation {
            made,
            text: String::new(),
            tokens: Vec::new(),
            model,
            known: 0,
            received: 0,
            chosen: None,
            streaming: true,
            stop_reason: None,
            settled: 0,
        };
        if let Some((source, known)) = from.and_then(|(id, known)| Some((self.get(id)?, known))) {
            fresh.tokens.extend(source.tokens.iter().take(known).cloned());
            fresh.known = fresh.tokens.len();
            let end = fresh.tokens.last().map_or(0, |token| token.end);
            fresh.text.push_str(source.text.get(..end).unwrap_or_default());
            if let (Some(id), Some(token)) =
                (fresh.made.request.forced.get(fresh.known), source.tokens.get(fresh.known))
            {
                let likely = token.likely.iter().find(|(other, _)| other == id);
                fresh.chosen = likely.map(|(_, probability)| (*probability, token.likely.clone()));
            }
        }
        self.list.push(fresh);
        GenerationId(u32::try_from(self.list.len() - 1).unwrap_or(u32::MAX))
    }

    /// Takes streamed tokens; gives the text that they add.
    pub fn append(&mut self, id: GenerationId, tokens: &[TextToken]) -> String {
        let Some(generation) = self.get(id) else { return String::new() };
        let words = generation.model;
        if let Some(words) = self.words.get_mut(words) {
            for likely in tokens.iter().flat_map(|token| &token.likely) {
                words.entry(likely.id).or_insert_with(|| likely.text.as_str().into());
            }
        }
        let Some(generation) = self.get_mut(id).filter(|generation| generation.streaming) else { return String::new() };
        let before = generation.text.len();
        for token in tokens {
            generation.received += 1;
            if generation.received > generation.known {
                generation.push(token);
            }
        }
        generation.text[before..].to_owned()
    }

    /// A token as it came, its text as it stands in the generation.
    pub fn token(&self, id: GenerationId, index: usize) -> Option<TextToken> {
        let generation = self.get(id)?;
        let token = generation.tokens.get(index)?;
        let words = self.words.get(generation.model)?;
        let likely = token.likely.iter().map(|(id, probability)| Likely {
            id: *id,
            text: words.get(id).map(|text| text.to_string()).unwrap_or_default(),
            probability: *probability,
        });
        let text = generation.text.get(generation.token_range(index)?)?.to_owned();
        Some(TextToken { id: token.id, text, probability: token.probability, likely: likely.collect() })
    }

    /// Takes the outcome. Gives back how the text must change at its end to be the outcome's: bytes to drop, text to add.
    pub fn finish(&mut self, id: GenerationId, outcome: &TextOutcome) -> Option<(usize, String)> {
        let generation = self.get_mut(id).filter(|generation| generation.streaming)?;
        generation.streaming = false;
        generation.stop_reason = Some(outcome.stop_reason);
        generation.made.request = outcome.sent.clone();
        let same = common_prefix(&generation.text, &outcome.text);
        generation.settled = same;
        Some((generation.text.len() - same, outcome.text[same..].to_owned()))
    }

    /// Ends a generation that failed; what it wrote stays.
    pub fn abandon(&mut self, id: GenerationId) {
        if let Some(generation) = self.get_mut(id).filter(|generation| generation.streaming) {
            generation.streaming = false;
            generation.settled = generation.text.len();
        }
    }
}

impl Generation {
    fn push(&mut self, token: &TextToken) {
        self.text.push_str(&token.text);
        let likely = token.likely.iter().map(|likely| (likely.id, rounded(likely.probability)));
        let mut stored = Token {
            id: token.id,
            end: self.text.len(),
            probability: rounded(token.probability),
            likely: likely.collect(),
        };
        if let Some((probability, likely)) = self.chosen.take().filter(|_| stored.likely.is_empty()) {
            (stored.probability, stored.likely) = (probability, likely);
        }
        self.tokens.push(stored);
    }

    /// Cuts the text and its tokens at `len` bytes and appends `more` to the last token.
    pub(super) fn set_tail(&mut self, len: usize, more: &str) {
        self.text.truncate(len);
        self.tokens.retain_mut(|token| {
            let starts_inside = token.end <= len;
            token.end = token.end.min(len);
            starts_inside
        });
        self.text.push_str(more);
        if let Some(last) = self.tokens.last_mut() {
            last.end = self.text.len();
        }
        self.settled = self.text.len();
    }

    /// The text that the model reads, when it is a plain one.
    pub(super) fn raw_prompt(&self) -> Option<&str> {
        match &self.made.request.prompt {
            Prompt::Raw(text) => Some(text),
            Prompt::Chat(_) => None,
        }
    }
}

/// Five places are all that is shown, and they keep the library's files small. Unknown (NaN) becomes -1.
fn rounded(probability: f32) -> f32 {
    if probability.is_nan() { -1.0 } else { (probability.clamp(0.0, 1.0) * 1e5).round() / 1e5 }
}

/// How many bytes both begin with, up to a char boundary.
pub(super) fn common_prefix(one: &str, other: &str) -> usize {
    let mut same = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    while !one.is_char_boundary(same) || !other.is_char_boundary(same) {
        same -= 1;
    }
    same
}
