//! The decoder of language models: one network, configured from the metadata of a GGUF file, that runs the
//! llama, qwen2, qwen3 and gemma3 families on the kernels of [`crate::kernels`].
//!
//! A [`Decoder`] is the weights, shared by [`Session`]s; a session is a text so far with its keys and values.
//! The logits after a text depend on the text alone: not on how it was split into calls, on what was taken
//! back before, or on the number of threads.

mod config;
mod load;
mod rope;
mod session;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::rope::Rope;
pub use self::{config::Config, load::USUAL_CONTEXT, session::Session};
use crate::{
    formats::gguf::GgmlType,
    kernels::{Pool, arena::Block, matrix::Matrix},
};

/// The weights of a language model, packed for this processor, and the threads that run it.
pub struct Decoder {
    config: Config,
    pool: Pool,
    embedding: Embedding,
    layers: Vec<Layer>,
    output_norm: Vec<f32>,
    /// `[vocabulary, width]`; also the embedding where the two are tied.
    output: Matrix,
    rope: Rope,
    /// For the layers with a window, where they turn at another rate.
    local_rope: Option<Rope>,
    memory_bytes: u64,
}

/// Where the rows for token ids come from.
enum Embedding {
    /// The output matrix.
    Tied,
    /// Rows as they are stored.
    Stored { dtype: GgmlType, row_bytes: usize, rows: Block },
}

/// One block of the network.
struct Layer {
    attention_norm: Vec<f32>,
    query: Matrix,
    key: Matrix,
    value: Matrix,
    query_bias: Option<Vec<f32>>,
    key_bias: Option<Vec<f32>>,
    value_bias: Option<Vec<f32>>,
    query_norm: Option<Vec<f32>>,
    key_norm: Option<Vec<f32>>,
    attention_output: Matrix,
    post_attention_norm: Option<Vec<f32>>,
    feed_norm: Vec<f32>,
    gate: Matrix,
    up: Matrix,
    down: Matrix,
    post_feed_norm: Option<Vec<f32>>,
    /// Positions that a query sees; all when `None`.
    window: Option<usize>,
}

impl Decoder {
    /// Sizes and settings of the network.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Memory of the weights.
    pub fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    /// Threads that work on a text.
    pub fn threads(&self) -> usize {
        self.pool.threads()
    }

    /// A new, empty text of at most `context_tokens` tokens.
    ///
    /// # Errors
    /// When `context_tokens` is zero.
    pub fn session(self: &Arc<Self>, context_tokens: usize) -> crate::Result<Session> {
        Session::new(Arc::clone(self), context_tokens)
    }
}
