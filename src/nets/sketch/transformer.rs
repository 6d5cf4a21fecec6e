//! The sketch's `TransformerModel`: an encoder with a causal mask, used as a language model.
//!
//! Embedding × √ninp, sinusoidal positions, post-norm encoder layers with ReLU (Vaswani et al. 2017), a linear layer.
//! The sketch never defines its mask; the causal one is meant.

use candle_core::{D, DType, Device, IndexOp as _, Result, Tensor};
use candle_nn::{VarBuilder, ops};

use super::{
    layers::{LayerNorm, Linear, wrong_shape},
    state::{Settings, State},
};
use crate::Error;

/// The arguments of the sketch's `TransformerModel`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransformerConfig {
    /// Size of the vocabulary.
    pub ntoken: usize,
    /// Width of the embedding.
    pub ninp: usize,
    /// Attention heads; divides `ninp`.
    pub nhead: usize,
    /// Width of the feed-forward layers.
    pub nhid: usize,
    /// Number of layers.
    pub nlayers: usize,
    /// The longest sequence: rows of `pos_encoder.pe`.
    pub positions: usize,
}

impl TransformerConfig {
    /// The sketch's `max_len`.
    pub const POSITIONS: usize = 5000;

    pub(super) fn of_state(state: &State, settings: &mut Settings) -> crate::Result<Self> {
        let [ntoken, ninp] = state.shape("encoder.weight")?;
        let [nhid, _] = state.shape("transformer_encoder.layers.0.linear1.weight")?;
        let positions = match state.has("pos_encoder.pe") {
            true => state.shape("pos_encoder.pe").map(|[positions, _, _]| positions)?,
            false => Self::POSITIONS,
        };
        let Some(nhead) = settings.take_number("nhead")? else {
            return Err(Error::new(
                "The weights of a transformer do not tell how many attention heads it has; add for instance --set nhead=2.",
                "Transformer 的权重中不含注意力头数，请指明，例如 --set nhead=2。",
            ));
        };
        if ninp % nhead != 0 {
            return Err(Error::new(
                format!(
                    "{nhead} attention heads do not divide a width of {ninp}; give the number it was trained with."
                ),
                format!("{nhead} 个注意力头无法整除宽度 {ninp}，请给出训练时的头数。"),
            ));
        }
        let nlayers = state.count("transformer_encoder.layers.", ".self_attn.in_proj_weight");
        Ok(Self { ntoken, ninp, nhead, nhid, nlayers, positions })
    }
}

/// The network; see the module.
pub struct TransformerModel {
    embedding: Tensor, // (ntoken, ninp)
    positions: Tensor, // (positions, 1, ninp)
    layers: Vec<EncoderLayer>,
    decoder: Linear,
    ninp: usize,
}

impl TransformerModel {
    /// Takes its weights by the names that PyTorch gives them.
    ///
    /// # Errors
    /// When one is missing or has another shape.
    pub fn new(config: &TransformerConfig, weights: &VarBuilder<'_>) -> Result<Self> {
        let &TransformerConfig { ntoken, ninp, nlayers, positions, .. } = config;
        let layers = weights.pp("transformer_encoder").pp("layers");
        let place = weights.pp("pos_encoder");
        let positions = match place.contains_tensor("pe") {
            true => place.get((positions, 1, ninp), "pe")?,
            false => sinusoids(positions, ninp, weights.device())?,
        };
        Ok(Self {
            embedding: weights.pp("encoder").get((ntoken, ninp), "weight")?,
            positions,
            layers: (0..nlayers).map(|i| EncoderLayer::new(config, &layers.pp(i))).collect::<Result<_>>()?,
            decoder: Linear::new(ninp, ntoken, &weights.pp("decoder"))?,
            ninp,
        })
    }

    /// Token ids that the network can look up.
    pub(super) fn checked(&self, input: &Tensor) -> crate::Result<Tensor> {
        let (most, known) = (self.positions.dims()[0], self.embedding.dims()[0]);
        let fits = matches!(input.dims(), [steps, batch] if (1..=most).contains(steps) && *batch > 0);
        if !fits || input.dtype().is_float() {
            return Err(wrong_shape(input.dims(), &format!("whole numbers (sequence ≤ {most}, batch)")));
        }
        let failed = |why: candle_core::Error| super::failed("read the input", "读取输入", &why);
        let ids = input.to_dtype(DType::I64).map_err(failed)?;
        let flat: Vec<i64> = ids.flatten_all().and_then(|ids| ids.to_vec1()).map_err(failed)?;
        match flat.iter().find(|id| usize::try_from(**id).map_or(true, |id| id >= known)) {
            None => Ok(ids),
            Some(id) => Err(Error::new(
                format!(
                    "Token {id} is not in this vocabulary of {known}; use ids from 0 to {}.",
                    known.saturating_sub(1)
                ),
                format!("词表只有 {known} 项，没有词元 {id}；请使用 0 到 {} 的编号。", known.saturating_sub(1)),
            )),
        }
    }

    /// Token ids (sequence, batch) to logits (sequence, batch, ntoken).
    ///
    /// # Errors
    /// When an id is not in the vocabulary or the sequence is longer than the positions.
    pub fn forward(&self, ids: &Tensor) -> Result<Tensor> {
        let (steps, batch) = ids.dims2()?;
        let rows = self.embedding.index_select(&ids.flatten_all()?, 0)?; // (steps · batch, ninp)
        let x = (rows.reshape((steps, batch, self.ninp))? * (self.ninp as f64).sqrt())?;
        let mut x = x.broadcast_add(&self.positions.narrow(0, 0, steps)?)?; // (steps, batch, ninp)
        let mask = causal_mask(steps, ids.device())?;
        for layer in &self.layers {
            x = layer.forward(&x, &mask)?;
        }
        self.decoder.forward(&x)
    }
}

/// `torch.nn.TransformerEncoderLayer` with its defaults: norm after each residual sum, ReLU.
struct EncoderLayer {
    project_in: Linear,
    project_out: Linear,
    linear1: Linear,
    linear2: Linear,
    norm1: LayerNorm,
    norm2: LayerNorm,
    heads: usize,
}

impl EncoderLayer {
    fn new(config: &TransformerConfig, weights: &VarBuilder<'_>) -> Result<Self> {
        let &TransformerConfig { ninp, nhead, nhid, .. } = config;
        let attention = weights.pp("self_attn");
        Ok(Self {
            project_in: Linear::named(ninp, 3 * ninp, "in_proj_weight", "in_proj_bias", &attention)?,
            project_out: Linear::new(ninp, ninp, &attention.pp("out_proj"))?,
            linear1: Linear::new(ninp, nhid, &weights.pp("linear1"))?,
            linear2: Linear::new(nhid, ninp, &weights.pp("linear2"))?,
            norm1: LayerNorm::new(ninp, &weights.pp("norm1"))?,
            norm2: LayerNorm::new(ninp, &weights.pp("norm2"))?,
            heads: nhead,
        })
    }

    /// (steps, batch, width) to the same; `mask` is (steps, steps)
    fn forward(&self, x: &Tensor, mask: &Tensor) -> Result<Tensor> {
        let x = self.norm1.forward(&(x + self.attend(x, mask)?)?)?;
        let hidden = self.linear1.forward(&x)?.relu()?; // (steps, batch, nhid)
        self.norm2.forward(&(&x + self.linear2.forward(&hidden)?)?)
    }

    fn attend(&self, x: &Tensor, mask: &Tensor) -> Result<Tensor> {
        let (steps, batch, width) = x.dims3()?;
        let size = width / self.heads;
        // (steps, batch, 3 · width) to three times (batch, heads, steps, size)
        let all = self.project_in.forward(x)?.reshape((steps, batch, 3, self.heads, size))?;
        let all = all.permute((2, 1, 3, 0, 4))?;
        let [query, key, value] = [all.i(0)?.contiguous()?, all.i(1)?.contiguous()?, all.i(2)?.contiguous()?];
        let scores = (query.matmul(&key.t()?.contiguous()?)? / (size as f64).sqrt())?;
        // `softmax`, not the fused `softmax_last_dim`, which passes no gradient.
        let weights = ops::softmax(&scores.broadcast_add(mask)?, D::Minus1)?; // (batch, heads, steps, steps)
        let mixed = weights.matmul(&value)?.permute((2, 0, 1, 3))?; // (steps, batch, heads, size)
        self.project_out.forward(&mixed.contiguous()?.reshape((steps, batch, width))?)
    }
}

/// 0 where a step may look, minus infinity at later ones: (steps, steps)
fn causal_mask(steps: usize, device: &Device) -> Result<Tensor> {
    let entry = |at: usize| if at % steps > at / steps { f32::NEG_INFINITY } else { 0.0 };
    Tensor::from_vec((0..steps * steps).map(entry).collect(), (steps, steps), device)
}

/// The sketch's `PositionalEncoding`: sines at even places, cosines at odd ones; (positions, 1, width)
pub(super) fn sinusoids(positions: usize, width: usize, device: &Device) -> Result<Tensor> {
    let mut values: Vec<f32> = Vec::with_capacity(positions * width);
    for position in 0..positions {
        for place in 0..width {
            let even = (place - place % 2) as f32;
            let angle = position as f32 * (even * (-(10000.0_f32.ln()) / width as f32)).exp();
            values.push(if place % 2 == 0 { angle.sin() } else { angle.cos() });
        }
    }
    Tensor::from_vec(values, (positions, 1, width), device)
}
