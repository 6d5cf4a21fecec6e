//! What a text generation is asked and what it answers: plain data, shared by the window, the command line and recipes.

use serde::{Deserialize, Serialize};

use super::sampler::SamplerSettings;

/// One generation of text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TextRequest {
    /// What the model reads first.
    pub prompt: Prompt,
    /// Tokens of the answer that are already decided: they follow the prompt, count as generated, and the model
    /// goes on after them. A branch at a token keeps the tokens before it and appends the chosen one.
    pub forced: Vec<u32>,
    /// How tokens are chosen.
    pub sampler: SamplerSettings,
    /// Seed of the sampler's random numbers.
    pub seed: u64,
    /// At most this many new tokens, the forced ones not counted.
    pub max_tokens: usize,
    /// Generation ends before the first of these that appears; they are not part of the text.
    pub stop: Vec<String>,
    /// Phrases that must not appear; the model steps back and takes another way.
    pub banned: Vec<String>,
    /// Go on when the model says the text has ended.
    pub ignore_eos: bool,
    /// Tokens of context to use; 0 takes the model's own limit, at most [`DEFAULT_CONTEXT`].
    pub context_tokens: usize,
    /// How many likeliest tokens to report with each token, at most 20.
    pub alternatives: usize,
}

/// The context used when a request names none: memory for it is modest on every supported model.
pub const DEFAULT_CONTEXT: usize = crate::nets::decoder::USUAL_CONTEXT;

impl Default for TextRequest {
    fn default() -> Self {
        Self {
            prompt: Prompt::Raw(String::new()),
            forced: Vec::new(),
            sampler: SamplerSettings::default(),
            seed: 0,
            max_tokens: 400,
            stop: Vec::new(),
            banned: Vec::new(),
            ignore_eos: false,
            context_tokens: 0,
            alternatives: 0,
        }
    }
}

/// What the model reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompt {
    /// Text that the model continues.
    Raw(String),
    /// A conversation, rendered with the model's own template; the model answers as the assistant.
    Chat(Vec<ChatMessage>),
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatMessage {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
}

/// Who speaks in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Instructions for the whole conversation.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
}

impl Role {
    /// The name that chat templates know.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// One generated token, as it streams.
#[derive(Clone, Debug, PartialEq)]
pub struct TextToken {
    /// Its id in the model's vocabulary.
    pub id: u32,
    /// The text it completes: empty while a character is still missing bytes.
    pub text: String,
    /// Its probability under the model at temperature 1, before any filter; NaN for forced tokens that were not evaluated.
    pub probability: f32,
    /// The likeliest tokens at this place, likeliest first, this one included when it is among them.
    pub likely: Vec<Likely>,
}

/// A token the model could have taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Likely {
    /// Its id.
    pub id: u32,
    /// Its text, with bytes that are no character on their own replaced.
    pub text: String,
    /// Its probability at temperature 1, before any filter.
    pub probability: f32,
}

/// What of the prompt was sent to the model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContextReport {
    /// The size of the context in tokens.
    pub context_tokens: usize,
    /// Tokens of instructions (system prompt and template) sent.
    pub instruction_tokens: usize,
    /// Tokens of the person's text sent.
    pub prompt_tokens: usize,
    /// Of those, tokens that were still in the cache and cost nothing.
    pub reused_tokens: usize,
    /// Bytes (raw prompt) or messages (chat) left out at the front because they did not fit.
    pub left_out: usize,
}

/// Why a generation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The model ended the text.
    EndOfText,
    /// A stop string appeared.
    StopString,
    /// `max_tokens` were generated.
    MaxTokens,
    /// The context is full.
    ContextFull,
    /// Every way on was banned.
    Banned,
    /// The user cancelled.
    Cancelled,
}

/// The end of a generation, with its measurements.
#[derive(Clone, Debug, PartialEq)]
pub struct TextOutcome {
    /// The generated text, forced tokens included.
    pub text: String,
    /// The generated token ids, forced ones included.
    pub tokens: Vec<u32>,
    /// Tokens in the prompt.
    pub prompt_tokens: usize,
    /// The request as it was really sent: the front that did not fit is gone and the context size is fixed, so sending it again gives the same text.
    pub sent: TextRequest,
    /// Why it ended.
    pub stop_reason: StopReason,
    /// Seconds spent reading the prompt.
    pub prefill_s: f64,
    /// Prompt tokens that were computed, not reused.
    pub prefill_tokens: usize,
    /// Seconds spent generating.
    pub decode_s: f64,
}
