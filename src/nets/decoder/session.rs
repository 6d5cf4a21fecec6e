//! A text so far: its tokens, their keys and values, and the forward pass that adds more.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::{Config, Decoder, Embedding, Layer, Rope, load::stored_row};
use crate::{
    Error, Result,
    kernels::{
        Level,
        attention::{self, Cache, Settings},
        matrix::{Activations, Gate, Matrix, Product, multiply},
        rows,
    },
};

/// A text so far, on a shared decoder.
pub struct Session {
    decoder: Arc<Decoder>,
    context_tokens: usize,
    tokens: Vec<u32>,
    caches: Vec<Cache>,
    buffers: Buffers,
}

/// Working memory, kept between calls. Shapes are per chunk of tokens.
#[derive(Default)]
struct Buffers {
    acts: Activations,
    /// `[tokens, width]`
    x: Vec<f32>,
    /// `[tokens, width]`, what a post norm is applied to
    branch: Vec<f32>,
    /// `[tokens, heads · size]`
    query: Vec<f32>,
    /// `[tokens, key heads · size]`
    key: Vec<f32>,
    value: Vec<f32>,
    /// `[tokens, heads · size]`
    mixed: Vec<f32>,
    /// `[tokens, feed width]`
    feed: Vec<f32>,
    /// `[tokens, rotated / 2]` each: cosines and sines of the global and of the local rates
    turns: [Turns; 2],
    /// `[vocabulary]`
    logits: Vec<f32>,
}

#[derive(Default)]
struct Turns {
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Turns {
    fn set(&mut self, rope: &Rope, pairs: usize, start: usize, tokens: usize) {
        self.cos.resize(tokens * pairs, 0.0);
        self.sin.resize(tokens * pairs, 0.0);
        let rows = self.cos.chunks_exact_mut(pairs).zip(self.sin.chunks_exact_mut(pairs));
        for (token, (cos, sin)) in rows.enumerate() {
            rope.fill(start + token, cos, sin);
        }
    }
}

/// Multiplications that may pass between two looks at the cancel flag: about 20 ms on two slow cores.
const WORK_BETWEEN_LOOKS: usize = 1_500_000_000;
/// Most tokens in a chunk: beyond this weights are reused no better.
const MOST_TOKENS: usize = 512;

impl Session {
    /// A new, empty text of at most `context_tokens` tokens. Memory for keys and values is taken as it grows.
    ///
    /// # Errors
    /// When `context_tokens` is zero.
    pub fn new(decoder: Arc<Decoder>, context_tokens: usize) -> Result<Self> {
        if context_tokens == 0 {
            return Err(Error::new("A context needs at least one token.", "上下文长度至少为 1 个词元。"));
        }
        let config = &decoder.config;
        let caches = (0..config.layers).map(|_| Cache::new(config.key_heads, config.head_size)).collect();
        Ok(Self { context_tokens, tokens: Vec::new(), caches, buffers: Buffers::default(), decoder })
    }

    /// The decoder.
    pub fn decoder(&self) -> &Arc<Decoder> {
        &self.decoder
    }

    /// The tokens whose keys and values are held.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// The most tokens it takes.
    pub fn context_tokens(&self) -> usize {
        self.context_tokens
    }

    /// Forgets all but the first `count` tokens. What follows is exactly as if they had never been there.
    pub fn truncate(&mut self, count: usize) {
        self.tokens.truncate(count);
    }

    /// Gives back the memory that the tokens held now do not need.
    pub fn shrink(&mut self) {
        for cache in &mut self.caches {
            cache.shrink(self.tokens.len());
        }
    }

    /// Memory of keys and values.
    pub fn memory_bytes(&self) -> u64 {
        self.caches.iter().map(|cache| cache.bytes() as u64).sum()
    }

    /// Appends `tokens` and returns the logits of the last one, one for each token of the vocabulary.
    ///
    /// # Errors
    /// When `tokens` is empty, holds an unknown id or does not fit, when memory runs out, or when `cancel` is
    /// set. Chunks that were complete by then stay: [`Self::tokens`] says how far it came.
    pub fn forward(&mut self, tokens: &[u32], cancel: &AtomicBool) -> Result<&[f32]> {
        self.check(tokens)?;
        let step = self.decoder.chunk_tokens();
        let chunks = tokens.len().div_ceil(step);
        for (index, chunk) in tokens.chunks(step).enumerate() {
            self.chunk(chunk, cancel)?;
            if index + 1 == chunks {
                self.logits_of(chunk.len() - 1);
            }
        }
        Ok(&self.buffers.logits)
    }

    /// Appends `tokens` and hands the logits of each to `each(index, logits)`.
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn forward_all(
        &mut self,
        tokens: &[u32],
        cancel: &AtomicBool,
        each: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<()> {
        self.check(tokens)?;
        let step = self.decoder.chunk_tokens();
        for (index, chunk) in tokens.chunks(step).enumerate() {
            self.chunk(chunk, cancel)?;
            for token in 0..chunk.len() {
                self.logits_of(token);
                each(index * step + token, &self.buffers.logits);
            }
        }
        Ok(())
    }

    fn check(&self, tokens: &[u32]) -> Result<()> {
        if tokens.is_empty() {
            return Err(Error::new("There is nothing to read: the text is empty.", "没有可处理的内容：文本为空。"));
        }
        let vocabulary = self.decoder.config.vocabulary;
        if let Some(id) = tokens.iter().find(|id| **id as usize >= vocabulary) {
            return Err(Error::new(
                format!("Token {id} is not one of the model's {vocabulary}; the tokenizer does not fit the model."),
                format!("词元 {id} 超出模型的 {vocabulary} 个词元；分词器与模型不匹配。"),
            ));
        }
        let (have, room) = (self.tokens.len() + tokens.len(), self.context_tokens);
        if have > room {
            return Err(Error::new(
                format!(
                    "The text has {have} tokens, more than the context of {room}; shorten it or enlarge the context."
                ),
                format!("文本有 {have} 个词元，超过 {room} 的上下文长度；请缩短文本或增大上下文。"),
            ));
        }
        Ok(())
    }

    /// Runs the layers for a chunk; `buffers.x` is then what the output norm takes.
    fn chunk(&mut self, tokens: &[u32], cancel: &AtomicBool) -> Result<()> {
        let start = self.tokens.len();
        for cache in &mut self.caches {
            cache.reserve(start + tokens.len())?;
        }
        let decoder = &*self.decoder;
        let mut pass =
            Pass { decoder, level: Level::current(), start, tokens: tokens.len(), buffers: &mut self.buffers, cancel };
        pass.embed(tokens);
        for (layer, cache) in decoder.layers.iter().zip(&mut self.caches) {
            pass.attention(layer, cache)?;
            pass.feed_forward(layer)?;
        }
        self.tokens.extend_from_slice(tokens);
        Ok(())
    }

    /// Computes the logits of a token of the last chunk.
    fn logits_of(&mut self, token: usize) {
        let decoder = &*self.decoder;
        let Config { width, vocabulary, epsilon, logit_softcap, .. } = decoder.config;
        let Buffers { acts, x, logits, .. } = &mut self.buffers;
        let (level, x) = (Level::current(), &x[token * width..(token + 1) * width]);
        acts.set(&decoder.pool, (1, width), decoder.output.forms(), |_, row| {
            rows::rms_norm(level, x, &decoder.output_norm, epsilon, row);
        });
        logits.resize(vocabulary, 0.0);
        multiply(&decoder.pool, acts, [Product::Store(&decoder.output, logits)]);
        if let Some(cap) = logit_softcap {
            for logit in logits {
                *logit = cap * (*logit / cap).tanh();
            }
        }
    }
}

impl Decoder {
    /// Tokens in a chunk: as many as keep the largest region short enough for cancelling.
    fn chunk_tokens(&self) -> usize {
        let config = &self.config;
        let largest = 2 * config.feed_width * config.width;
        (WORK_BETWEEN_LOOKS / largest).clamp(16, MOST_TOKENS)
    }
}

/// A chunk on its way through the layers.
struct Pass<'a> {
    decoder: &'a Decoder,
    level: Level,
    /// Position of the first token.
    start: usize,
    tokens: usize,
    buffers: &'a mut Buffers,
    cancel: &'a AtomicBool,
}

impl Pass<'_> {
    fn go_on(&self) -> Result<()> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(stopped());
        }
        Ok(())
    }

    fn embed(&mut self, ids: &[u32]) {
        let Self { decoder, start, tokens, ref mut buffers, .. } = *self;
        let config = &decoder.config;
        buffers.x.resize(tokens * config.width, 0.0);
        decoder.pool.run_rows(&mut buffers.x, config.width, 8, |token, row| {
            let id = ids[token] as usize;
            match &decoder.embedding {
                Embedding::Tied => decoder.output.read_row(id, row),
                Embedding::Stored { dtype, row_bytes, rows } => {
                    stored_row(*dtype, &rows.bytes()[id * row_bytes..(id + 1) * row_bytes], row);
                }
            }
            if config.embedding_scale != 1.0 {
                for x in row {
                    *x *= config.embedding_scale;
                }
            }
        });
        let pairs = config.rotated / 2;
        buffers.turns[0].set(&decoder.rope, pairs, start, tokens);
        if let Some(local) = &decoder.local_rope {
            buffers.turns[1].set(local, pairs, start, tokens);
        }
    }

    fn attention(&mut self, layer: &Layer, cache: &mut Cache) -> Result<()> {
        self.go_on()?;
        let Self { decoder, level, start, tokens, ref mut buffers, .. } = *self;
        let Buffers { acts, x, branch, query, key, value, mixed, turns, .. } = &mut **buffers;
        let (config, pool) = (&decoder.config, &decoder.pool);
        let (width, size) = (config.width, config.head_size);
        let forms = layer.query.forms().and(layer.key.forms()).and(layer.value.forms());
        acts.set(pool, (tokens, width), forms, |token, row| {
            rows::rms_norm(level, &x[token * width..(token + 1) * width], &layer.attention_norm, config.epsilon, row);
        });
        query.resize(tokens * layer.query.rows(), 0.0);
        key.resize(tokens * layer.key.rows(), 0.0);
        value.resize(tokens * layer.value.rows(), 0.0);
        let products =
            [Product::Store(&layer.query, query), Product::Store(&layer.key, key), Product::Store(&layer.value, value)];
        multiply(pool, acts, products);
        let turns = &turns[usize::from(layer.window.is_some() && decoder.local_rope.is_some())];
        let turn = |heads: &mut [f32], bias: &Option<Vec<f32>>, norm: &Option<Vec<f32>>| {
            pool.run_rows(heads, heads.len() / tokens, 16, |token, row| {
                if let Some(bias) = bias {
                    rows::add(row, bias);
                }
                let pairs = config.rotated / 2;
                let place = token * pairs..(token + 1) * pairs;
                for head in row.chunks_exact_mut(size) {
                    if let Some(norm) = norm {
                        rows::rms_norm_in_place(level, head, norm, config.epsilon);
                    }
                    rows::rotate(config.pairs, head, &turns.cos[place.clone()], &turns.sin[place.clone()]);
                }
            });
        };
        turn(query, &layer.query_bias, &layer.query_norm);
        turn(key, &layer.key_bias, &layer.key_norm);
        if let Some(bias) = &layer.value_bias {
            value.chunks_exact_mut(bias.len()).for_each(|row| rows::add(row, bias));
        }
        cache.put(pool, level, start, key, value);
        let settings = Settings {
            heads: config.heads,
            scale: config.attention_scale,
            softcap: config.attention_softcap,
            window: layer.window,
        };
        mixed.resize(tokens * config.heads * size, 0.0);
        attention::attend(pool, level, cache, settings, start, query, mixed);
        let queries = config.heads * size;
        acts.set(pool, (tokens, queries), layer.attention_output.forms(), |token, row| {
            row.copy_from_slice(&mixed[token * queries..(token + 1) * queries]);
        });
        add_product(decoder, level, acts, &layer.attention_output, layer.post_attention_norm.as_deref(), x, branch);
        Ok(())
    }

    fn feed_forward(&mut self, layer: &Layer) -> Result<()> {
        self.go_on()?;
        let Self { decoder, level, tokens, ref mut buffers, .. } = *self;
        let Buffers { acts, x, branch, feed, .. } = &mut **buffers;
        let (config, pool) = (&decoder.config, &decoder.pool);
        let (width, inner) = (config.width, config.feed_width);
        acts.set(pool, (tokens, width), layer.gate.forms().and(layer.up.forms()), |token, row| {
            rows::rms_norm(level, &x[token * width..(token + 1) * width], &layer.feed_norm, config.epsilon, row);
        });
        feed.resize(tokens * inner, 0.0);
        let gate: Gate = if config.gelu { rows::gelu } else { rows::silu };
        multiply(pool, acts, [Product::Gate(&layer.gate, &layer.up, gate, feed)]);
        if self.cancel.load(Ordering::Relaxed) {
            return Err(stopped());
        }
        acts.set(pool, (tokens, inner), layer.down.forms(), |token, row| {
            row.copy_from_slice(&feed[token * inner..(token + 1) * inner]);
        });
        add_product(decoder, level, acts, &layer.down, layer.post_feed_norm.as_deref(), x, branch);
        Ok(())
    }
}

fn stopped() -> Error {
    Error::new("Writing was stopped.", "已停止写作。")
}

/// `x += norm(matrix · activations)`, the norm where the family has one.
fn add_product(
    decoder: &Decoder,
    level: Level,
    acts: &Activations,
    matrix: &Matrix,
    norm: Option<&[f32]>,
    x: &mut [f32],
    branch: &mut Vec<f32>,
) {
    let Some(norm) = norm else {
        multiply(&decoder.pool, acts, [Product::Add(matrix, x)]);
        return;
    };
    let width = matrix.rows();
    branch.resize(x.len(), 0.0);
    multiply(&decoder.pool, acts, [Product::Store(matrix, branch)]);
    decoder.pool.run_rows(x, width, 16, |token, row| {
        rows::add_rms_norm(level, row, &branch[token * width..(token + 1) * width], norm, decoder.config.epsilon);
    });
}
