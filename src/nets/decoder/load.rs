//! From a GGUF file to packed weights: everything is checked before the first byte is packed, then tensor
//! after tensor is packed and its pages of the file given back.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{Config, Decoder, Embedding, Layer, rope::Rope};
use crate::{
    Error, Result,
    formats::gguf::{GgmlType, GgufFile, TensorView, dequantize},
    kernels::{Pool, arena, matrix::Matrix},
};

/// Told the bytes done and the bytes in all.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

impl Decoder {
    /// The memory that the weights will take, after the same checks that loading them makes.
    ///
    /// # Errors
    /// When the file's family, quantisation or shapes are not ones that can be run, or tensors are missing.
    pub fn needed_bytes(file: &GgufFile) -> Result<u64> {
        let config = Config::read(file)?;
        refuse_unknown_parts(file)?;
        Ok(Plan::new(file, &config)?.bytes as u64)
    }

    /// Loads the weights for `threads` threads (at least one).
    ///
    /// # Errors
    /// When the file's family, quantisation or shapes are not ones that can be run, tensors are missing, there
    /// is not enough memory, or `cancel` was set.
    pub fn load(file: &GgufFile, threads: usize, progress: Progress<'_>, cancel: &AtomicBool) -> Result<Self> {
        let config = Config::read(file)?;
        refuse_unknown_parts(file)?;
        let plan = Plan::new(file, &config)?;
        let cache_bytes = config.cache_bytes(config.context_tokens.min(USUAL_CONTEXT));
        enough_memory(plan.bytes as u64 + cache_bytes, free_bytes())?;
        let builder = arena::Builder::new(plan.bytes)?;
        let mut loader = Loader {
            file,
            pool: Pool::new(threads),
            builder,
            progress,
            done: 0,
            total: file.tensors().map(|tensor| tensor.data.len() as u64).sum(),
            cancel,
        };
        let (width, vocabulary) = (config.width, config.vocabulary);
        let (embedding, output) = if plan.tied {
            (Embedding::Tied, loader.matrix("token_embd.weight", vocabulary, width)?)
        } else {
            (
                loader.rows("token_embd.weight", &[vocabulary, width])?,
                loader.matrix("output.weight", vocabulary, width)?,
            )
        };
        let layers = (0..config.layers).map(|index| loader.layer(&config, index)).collect::<Result<Vec<_>>>()?;
        let output_norm = loader.vector("output_norm.weight", width)?;
        let factors = loader.optional_vector("rope_freqs.weight", config.rotated / 2)?;
        let rope = |base, scaling| Rope::new(config.rotated, base, factors.as_deref(), scaling);
        let local_rope = config.local_rope_base.map(|base| rope(base, super::config::Scaling::None));
        let decoder = Self {
            rope: rope(config.rope_base, config.scaling),
            local_rope,
            pool: loader.pool,
            embedding,
            layers,
            output_norm,
            output,
            memory_bytes: plan.bytes as u64,
            config,
        };
        (loader.progress)(loader.total, loader.total);
        Ok(decoder)
    }
}

/// The matrices of the network, found and measured.
struct Plan {
    bytes: usize,
    tied: bool,
}

impl Plan {
    fn new(file: &GgufFile, config: &Config) -> Result<Self> {
        let (width, feed) = (config.width, config.feed_width);
        let (queries, keys) = (config.heads * config.head_size, config.key_heads * config.head_size);
        let tied = file.tensor("output.weight").is_none();
        let head = if tied { "token_embd.weight" } else { "output.weight" };
        let mut bytes = measured(file, head, config.vocabulary, width)?;
        if !tied {
            let tensor = shaped(file, "token_embd.weight", &[config.vocabulary, width])?;
            supported(&tensor)?;
            bytes += arena::rounded(tensor.data.len());
        }
        for layer in 0..config.layers {
            for (name, rows, columns) in [
                ("attn_q", queries, width),
                ("attn_k", keys, width),
                ("attn_v", keys, width),
                ("attn_output", width, queries),
                ("ffn_gate", feed, width),
                ("ffn_up", feed, width),
                ("ffn_down", width, feed),
            ] {
                bytes += measured(file, &format!("blk.{layer}.{name}.weight"), rows, columns)?;
            }
        }
        Ok(Self { bytes, tied })
    }
}

/// A tensor that must be there with this shape.
fn shaped<'a>(file: &'a GgufFile, name: &str, shape: &[usize]) -> Result<TensorView<'a>> {
    let Some(tensor) = file.tensor(name) else {
        return Err(Error::new(
            format!(
                "This model cannot be run: its tensor “{name}” is missing. The file is damaged or of a kind that Atelier does not know."
            ),
            format!("无法运行此模型：缺少张量“{name}”。文件已损坏，或属于 Atelier 不支持的类型。"),
        ));
    };
    if tensor.shape != shape || shape.contains(&0) {
        let have = &tensor.shape;
        return Err(Error::new(
            format!("This model cannot be run: its tensor “{name}” has the shape {have:?} instead of {shape:?}."),
            format!("无法运行此模型：张量“{name}”的形状为 {have:?}，应为 {shape:?}。"),
        ));
    }
    Ok(tensor)
}

fn supported(tensor: &TensorView<'_>) -> Result<()> {
    if tensor.dtype.is_supported() {
        return Ok(());
    }
    let dtype = tensor.dtype;
    Err(Error::new(
        format!(
            "This model is quantised as {dtype}, which Atelier cannot run; choose another quantisation, such as Q4_K_M or Q8_0."
        ),
        format!("此模型采用 {dtype} 量化，Atelier 无法运行；请换用其他量化版本，例如 Q4_K_M 或 Q8_0。"),
    ))
}

/// The packed bytes of a matrix.
fn measured(file: &GgufFile, name: &str, rows: usize, columns: usize) -> Result<usize> {
    let tensor = shaped(file, name, &[rows, columns])?;
    supported(&tensor)?;
    Matrix::packed_bytes(tensor.dtype, rows, columns).ok_or_else(|| {
        Error::new(
            format!("This model cannot be run: its tensor “{name}” has rows that {} cannot hold; the file is damaged, fetch it again.", tensor.dtype),
            format!("无法运行此模型：张量“{name}”的行长与 {} 不符；文件已损坏，请重新获取。", tensor.dtype),
        )
    })
}

/// Parts that would change what the network computes and that it does not have.
fn refuse_unknown_parts(file: &GgufFile) -> Result<()> {
    for name in
        ["attn_output.bias", "ffn_gate.bias", "ffn_up.bias", "ffn_down.bias", "ffn_gate_inp.weight", "attn_qkv.weight"]
    {
        let name = format!("blk.0.{name}");
        if file.tensor(&name).is_some() {
            return Err(Error::new(
                format!("This model has a part that Atelier does not know (“{name}”); choose another model."),
                format!("此模型包含 Atelier 不支持的部分（“{name}”）；请换用其他模型。"),
            ));
        }
    }
    Ok(())
}

/// The longest context that a model gets unless another one is asked for; its cache is part of what a model needs.
pub const USUAL_CONTEXT: usize = 8192;
/// What reading a prompt takes besides weights and cache, and what the rest of the system must be left.
const HEADROOM_BYTES: u64 = 256 << 20;

/// Memory that is free, where the system tells.
fn free_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kb: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kb << 10)
}

/// Refuses what would push everything else out of memory. Systems that do not say how much is free refuse the
/// allocation itself.
fn enough_memory(bytes: u64, free: Option<u64>) -> Result<()> {
    let need = bytes.saturating_add(HEADROOM_BYTES);
    let Some(free) = free.filter(|free| need > *free) else { return Ok(()) };
    let (need_mb, free_mb) = (need >> 20, free >> 20);
    Err(Error::new(
        format!(
            "This model needs {need_mb} MB of memory and {free_mb} MB are free; close other programs or choose a smaller model."
        ),
        format!("此模型需要 {need_mb} MB 内存，当前可用 {free_mb} MB；请关闭其他程序或换用更小的模型。"),
    ))
}

struct Loader<'a> {
    file: &'a GgufFile,
    pool: Pool,
    builder: arena::Builder,
    progress: Progress<'a>,
    done: u64,
    total: u64,
    cancel: &'a AtomicBool,
}

impl Loader<'_> {
    fn go_on(&self) -> Result<()> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(Error::new("Loading the model was stopped.", "已停止加载模型。"));
        }
        Ok(())
    }

    fn block(&mut self, bytes: usize) -> Result<arena::Block> {
        self.builder
            .take(bytes)
            .ok_or_else(|| Error::new("The model is larger than its header says.", "模型大小与文件头不符。"))
    }

    fn matrix(&mut self, name: &str, rows: usize, columns: usize) -> Result<Matrix> {
        self.go_on()?;
        let bytes = measured(self.file, name, rows, columns)?;
        let tensor = shaped(self.file, name, &[rows, columns])?;
        let block = self.block(bytes)?;
        let (progress, done, total, file) = (&mut *self.progress, &mut self.done, self.total, self.file);
        Ok(Matrix::pack(&self.pool, tensor.dtype, (rows, columns), tensor.data, block, |part| {
            *done += part.len() as u64;
            file.release(part);
            progress(*done, total);
        }))
    }

    fn layer(&mut self, config: &Config, index: usize) -> Result<Layer> {
        let (width, feed, size) = (config.width, config.feed_width, config.head_size);
        let (queries, keys) = (config.heads * size, config.key_heads * size);
        let name = |part: &str| format!("blk.{index}.{part}");
        Ok(Layer {
            attention_norm: self.vector(&name("attn_norm.weight"), width)?,
            query: self.matrix(&name("attn_q.weight"), queries, width)?,
            key: self.matrix(&name("attn_k.weight"), keys, width)?,
            value: self.matrix(&name("attn_v.weight"), keys, width)?,
            query_bias: self.optional_vector(&name("attn_q.bias"), queries)?,
            key_bias: self.optional_vector(&name("attn_k.bias"), keys)?,
            value_bias: self.optional_vector(&name("attn_v.bias"), keys)?,
            query_norm: self.optional_vector(&name("attn_q_norm.weight"), size)?,
            key_norm: self.optional_vector(&name("attn_k_norm.weight"), size)?,
            attention_output: self.matrix(&name("attn_output.weight"), width, queries)?,
            post_attention_norm: self.optional_vector(&name("post_attention_norm.weight"), width)?,
            feed_norm: self.vector(&name("ffn_norm.weight"), width)?,
            gate: self.matrix(&name("ffn_gate.weight"), feed, width)?,
            up: self.matrix(&name("ffn_up.weight"), feed, width)?,
            down: self.matrix(&name("ffn_down.weight"), width, feed)?,
            post_feed_norm: self.optional_vector(&name("post_ffw_norm.weight"), width)?,
            window: config.window_of(index),
        })
    }

    /// Rows kept as they are stored, for looking up single ones.
    fn rows(&mut self, name: &str, shape: &[usize; 2]) -> Result<Embedding> {
        self.go_on()?;
        let tensor = shaped(self.file, name, shape)?;
        let mut rows = self.block(tensor.data.len())?;
        for (to, from) in rows.bytes_mut().chunks_mut(4 << 20).zip(tensor.data.chunks(4 << 20)) {
            to.copy_from_slice(from);
            self.done += from.len() as u64;
            self.file.release(from);
            (self.progress)(self.done, self.total);
        }
        let row_bytes = tensor.data.len() / shape[0];
        Ok(Embedding::Stored { dtype: tensor.dtype, row_bytes, rows })
    }

    fn optional_vector(&mut self, name: &str, len: usize) -> Result<Option<Vec<f32>>> {
        if self.file.tensor(name).is_none() { Ok(None) } else { self.vector(name, len).map(Some) }
    }

    fn vector(&mut self, name: &str, len: usize) -> Result<Vec<f32>> {
        let tensor = shaped(self.file, name, &[len])?;
        let mut out = vec![0.0; len];
        dequantize(tensor.dtype, tensor.data, &mut out)?;
        self.done += tensor.data.len() as u64;
        Ok(out)
    }
}

/// A row of stored values as numbers.
pub(super) fn stored_row(dtype: GgmlType, bytes: &[u8], out: &mut [f32]) {
    // The plan checked the type and the sizes.
    if dequantize(dtype, bytes, out).is_err() {
        out.fill(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Lang;

    #[test]
    fn a_model_must_fit_with_its_cache_and_some_room() {
        let (weights, cache) = (1_000 << 20, 200 << 20);
        enough_memory(weights + cache, None).expect("nobody knows better");
        enough_memory(weights + cache, Some(1_456 << 20)).expect("it just fits");
        for free in [0, weights, weights + cache, (1_456 << 20) - 1] {
            let why = enough_memory(weights + cache, Some(free)).expect_err("too little");
            assert!(why.text(Lang::En).starts_with("This model needs 1456 MB of memory"), "{why}");
        }
        enough_memory(u64::MAX, Some(u64::MAX - 1)).expect_err("no overflow");
    }
}
