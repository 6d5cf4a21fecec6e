//! Sampling loops over a progress callback: no threads, no UI.

pub mod amp;
pub mod audio;
pub mod image;
mod lexicon;
mod request;
pub mod sampler;
pub mod tasks;
mod text;
mod vocabulary;

pub use request::{
    ChatMessage, ContextReport, DEFAULT_CONTEXT, Likely, Prompt, Role, StopReason, TextOutcome, TextRequest, TextToken,
};
pub use text::{Template, TextModel, TextProgress, TextWriter, write_text};
pub use vocabulary::{Logits, Vocabulary};
