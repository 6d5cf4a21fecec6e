//! What the metadata of a GGUF file says about the network, checked.

use crate::kernels::rows::Pairs;
use crate::{Error, Result, formats::gguf::GgufFile};

/// Sizes and settings of a decoder.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The family: `llama`, `qwen2`, `qwen3` or `gemma3`.
    pub architecture: String,
    /// Blocks of the network.
    pub layers: usize,
    /// Numbers that stand for a token between the blocks.
    pub width: usize,
    /// Numbers inside a feed-forward network.
    pub feed_width: usize,
    /// Heads of queries.
    pub heads: usize,
    /// Heads of keys and values, each shared by `heads / key_heads` heads of queries.
    pub key_heads: usize,
    /// Numbers in a head.
    pub head_size: usize,
    /// Token ids.
    pub vocabulary: usize,
    /// The longest text that the network was trained for, in tokens.
    pub context_tokens: usize,
    /// Epsilon of the RMS norms.
    pub epsilon: f32,
    /// Numbers of a head that positions rotate.
    pub rotated: usize,
    /// Which of them are rotated together.
    pub pairs: Pairs,
    /// Base of the rotation rates.
    pub rope_base: f32,
    /// Base in layers with a window, where it differs.
    pub local_rope_base: Option<f32>,
    /// How positions are stretched beyond the trained length.
    pub scaling: Scaling,
    /// What embeddings are multiplied with.
    pub embedding_scale: f32,
    /// What attention scores are multiplied with.
    pub attention_scale: f32,
    /// Softcap of attention scores.
    pub attention_softcap: Option<f32>,
    /// Softcap of the logits.
    pub logit_softcap: Option<f32>,
    /// Positions that a query sees in layers with a window.
    pub window: Option<usize>,
    /// Every how many layers one has no window.
    pub window_pattern: usize,
    /// GELU instead of SiLU in the feed-forward networks.
    pub gelu: bool,
}

/// How rotary positions are stretched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scaling {
    /// Not at all.
    None,
    /// All rates divided by the factor.
    Linear(f32),
    /// YaRN (Peng et al. 2023): slow rates divided by `factor`, fast ones kept.
    Yarn { factor: f32, original_tokens: f32, attention_factor: f32, fast: f32, slow: f32 },
}

/// Sizes beyond these are a damaged file; they bound every later product.
const MOST: usize = 1 << 20;

impl Config {
    /// Reads and checks the metadata.
    ///
    /// # Errors
    /// When the architecture is unknown, something is missing or does not fit together.
    pub fn read(file: &GgufFile) -> Result<Self> {
        let architecture = file.architecture().to_owned();
        if !["llama", "qwen2", "qwen3", "gemma3"].contains(&architecture.as_str()) {
            let name = if architecture.is_empty() { "?" } else { &architecture };
            return Err(Error::new(
                format!(
                    "This model is of the family “{name}”, which Atelier cannot run; choose a llama, qwen2, qwen3 or gemma3 model."
                ),
                format!("此模型属于“{name}”架构，Atelier 无法运行；请选择 llama、qwen2、qwen3 或 gemma3 模型。"),
            ));
        }
        let read = Reader { file, architecture: &architecture };
        let gemma = architecture == "gemma3";
        let width = read.size("embedding_length", None)?;
        let heads = read.size("attention.head_count", None)?;
        let key_heads = read.size("attention.head_count_kv", Some(heads))?;
        let head_size = read.size("attention.key_length", Some(width / heads))?;
        let value_size = read.size("attention.value_length", Some(head_size))?;
        let rotated = read.size("rope.dimension_count", Some(head_size))?;
        let layers = read.size("block_count", None)?;
        if value_size != head_size || !head_size.is_multiple_of(8) || head_size > 1024 {
            return Err(read.refused("attention.key_length"));
        }
        if !heads.is_multiple_of(key_heads) || heads / key_heads > 128 || heads * head_size > MOST {
            return Err(read.refused("attention.head_count_kv"));
        }
        if !rotated.is_multiple_of(2) || rotated > head_size {
            return Err(read.refused("rope.dimension_count"));
        }
        if file.metadata().get_u32(&format!("{architecture}.expert_count")).is_some_and(|count| count > 0) {
            return Err(Error::new(
                "This model is a mixture of experts, which Atelier cannot run; choose a dense one.",
                "此模型为混合专家结构，Atelier 无法运行；请选择稠密模型。",
            ));
        }
        let vocabulary = file.tensor("token_embd.weight").and_then(|tensor| tensor.shape.first().copied()).unwrap_or(0);
        let window = read.optional_size("attention.sliding_window")?.filter(|_| gemma);
        // The 27B model alone scales by the width of a head of its residual stream (as llama.cpp does).
        let scaled_by = if gemma && layers == 62 { width / heads } else { head_size };
        Ok(Self {
            layers,
            width,
            feed_width: read.size("feed_forward_length", None)?,
            heads,
            key_heads,
            head_size,
            vocabulary,
            context_tokens: read.size("context_length", Some(2048))?,
            epsilon: read.number("attention.layer_norm_rms_epsilon", Some(1e-5))?,
            rotated,
            pairs: if architecture == "llama" { Pairs::Neighbours } else { Pairs::Halves },
            rope_base: read.number("rope.freq_base", Some(10_000.0))?,
            local_rope_base: if gemma { Some(read.number("rope.freq_base_swa", Some(10_000.0))?) } else { None },
            scaling: read.scaling()?,
            embedding_scale: if gemma { (width as f32).sqrt() } else { 1.0 },
            attention_scale: 1.0 / (scaled_by as f32).sqrt(),
            attention_softcap: read.optional_number("attn_logit_softcapping")?,
            logit_softcap: read.optional_number("final_logit_softcapping")?,
            window,
            window_pattern: 6,
            gelu: gemma,
            architecture,
        })
    }

    /// The window of a layer.
    pub(super) fn window_of(&self, layer: usize) -> Option<usize> {
        self.window.filter(|_| !(layer + 1).is_multiple_of(self.window_pattern))
    }

    /// Bytes of keys and values for a text of `tokens` tokens.
    pub fn cache_bytes(&self, tokens: usize) -> u64 {
        let position = 2 * 2 * self.layers * self.key_heads * self.head_size;
        tokens as u64 * position as u64
    }
}

/// Reads keys of one architecture.
struct Reader<'a> {
    file: &'a GgufFile,
    architecture: &'a str,
}

impl Reader<'_> {
    fn refused(&self, key: &str) -> Error {
        let key = format!("{}.{key}", self.architecture);
        Error::new(
            format!(
                "This model cannot be run: its “{key}” is missing or makes no sense; the file may be damaged, fetch it again."
            ),
            format!("无法运行此模型：其“{key}”缺失或不合理；文件可能已损坏，请重新获取。"),
        )
    }

    fn optional_size(&self, key: &str) -> Result<Option<usize>> {
        let name = format!("{}.{key}", self.architecture);
        match self.file.metadata().get_u32(&name) {
            Some(size) if (1..=MOST).contains(&(size as usize)) => Ok(Some(size as usize)),
            Some(0) => Ok(None),
            None if !self.file.metadata().contains(&name) => Ok(None),
            _ => Err(self.refused(key)),
        }
    }

    fn size(&self, key: &str, otherwise: Option<usize>) -> Result<usize> {
        self.optional_size(key)?.or(otherwise).filter(|size| *size > 0).ok_or_else(|| self.refused(key))
    }

    fn optional_number(&self, key: &str) -> Result<Option<f32>> {
        let name = format!("{}.{key}", self.architecture);
        match self.file.metadata().get_f32(&name) {
            Some(0.0) => Ok(None),
            Some(number) if number.is_finite() && number > 0.0 => Ok(Some(number)),
            None if !self.file.metadata().contains(&name) => Ok(None),
            _ => Err(self.refused(key)),
        }
    }

    fn number(&self, key: &str, otherwise: Option<f32>) -> Result<f32> {
        self.optional_number(key)?.or(otherwise).ok_or_else(|| self.refused(key))
    }

    fn scaling(&self) -> Result<Scaling> {
        let key = "rope.scaling.type";
        let factor = match self.optional_number("rope.scaling.factor")? {
            Some(factor) => factor,
            None => self.number("rope.scale_linear", Some(1.0))?,
        };
        let kind = self.file.metadata().get_str(&format!("{}.{key}", self.architecture));
        match kind {
            Some("none") => Ok(Scaling::None),
            None | Some("linear") if factor == 1.0 => Ok(Scaling::None),
            None | Some("linear") => Ok(Scaling::Linear(factor)),
            Some("yarn") => Ok(Scaling::Yarn {
                factor,
                original_tokens: self.size("rope.scaling.original_context_length", None)? as f32,
                attention_factor: self.number("rope.scaling.attn_factor", Some(1.0))?,
                fast: self.number("rope.scaling.yarn_beta_fast", Some(32.0))?,
                slow: self.number("rope.scaling.yarn_beta_slow", Some(1.0))?,
            }),
            Some(other) => Err(Error::new(
                format!(
                    "This model stretches its context by “{other}”, which Atelier does not know; choose another model."
                ),
                format!("此模型使用“{other}”方式扩展上下文，Atelier 尚不支持；请换用其他模型。"),
            )),
        }
    }
}
