//! What the loop needs of a model: its vocabulary and its logits. Tests put scripted ones in their place.

use std::{borrow::Cow, sync::atomic::AtomicBool};

use crate::Result;

/// The tokens of a model.
pub trait Vocabulary {
    /// How many tokens there are.
    fn size(&self) -> usize;
    /// The bytes a token stands for; empty for control tokens and for ids that do not exist.
    fn bytes(&self, id: u32) -> Cow<'_, [u8]>;
    /// The token as a person may read it.
    fn label(&self, id: u32) -> String;
    /// The tokens of `text`. With `parse_special` the names of control tokens in it become those tokens.
    fn encode(&self, text: &str, add_bos: bool, parse_special: bool) -> Vec<u32>;
    /// Whether the model says with this token that its text ends.
    fn ends_text(&self, id: u32) -> bool;
}

/// A model that reads tokens, remembers them, and gives the logits of the next.
pub trait Logits {
    /// How many tokens it can remember.
    fn context_tokens(&self) -> usize;
    /// The tokens it remembers.
    fn tokens(&self) -> &[u32];
    /// Forgets all but the first `n` tokens.
    fn truncate(&mut self, n: usize);
    /// Reads more tokens; the logits after the last of them, one for each token of the vocabulary.
    ///
    /// # Errors
    /// When it was cancelled or could not be computed; the tokens it then remembers are those it has fully read.
    fn forward(&mut self, tokens: &[u32], cancel: &AtomicBool) -> Result<&[f32]>;
}
