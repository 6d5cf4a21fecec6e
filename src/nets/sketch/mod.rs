//! The networks of the studio's first sketch: weights that PyTorch saved from those classes run here.
//!
//! [`Sketch::from_state`] tells from the names and shapes of a state dict which network it is.

mod gan;
mod layers;
mod state;
#[cfg(test)]
mod tests;
mod transformer;
mod wavenet;

use candle_core::{DType, Tensor};
use candle_nn::VarBuilder;

pub use gan::{Discriminator, Generator, MlpConfig};
pub use state::{Settings, State};
pub use transformer::{TransformerConfig, TransformerModel};
pub use wavenet::{WaveNetConfig, WaveNetModel};

use crate::{Error, Result};

/// One of the sketch's networks, with its weights.
pub enum Sketch {
    /// Token ids (sequence, batch), to logits (sequence, batch, ntoken).
    Transformer(TransformerModel),
    /// (N, input_dim), to (N, output_dim) in -1..1.
    Generator(Generator),
    /// (N, input_dim), to the probability of being real (N, 1).
    Discriminator(Discriminator),
    /// (N, channels, T), to (N, 1, T).
    WaveNet(WaveNetModel),
}

impl Sketch {
    /// The network whose state dict this is. `settings` gives what a state dict cannot tell: `nhead` of a transformer.
    ///
    /// # Errors
    /// When the names or shapes are those of none of the networks, or a setting is missing or senseless.
    pub fn from_state(state: &State, settings: &mut Settings) -> Result<Self> {
        let weights = VarBuilder::from_tensors(state.tensors().clone(), DType::F32, &candle_core::Device::Cpu);
        let built = if state.has("transformer_encoder.layers.0.self_attn.in_proj_weight") {
            let config = TransformerConfig::of_state(state, settings)?;
            TransformerModel::new(&config, &weights).map(Self::Transformer)
        } else if state.has("output_conv.weight") {
            WaveNetModel::new(&WaveNetConfig::of_state(state)?, &weights).map(Self::WaveNet)
        } else if state.has("fc.0.weight") {
            let config = MlpConfig::of_state(state)?;
            if config.is_discriminator() {
                Discriminator::new(&config, &weights).map(Self::Discriminator)
            } else {
                Generator::new(&config, &weights).map(Self::Generator)
            }
        } else {
            return Err(Error::new(
                "These weights are of no network that Atelier knows: it runs TransformerModel, Generator, Discriminator and WaveNetModel.",
                "无法识别这些权重所属的网络：Atelier 支持 TransformerModel、Generator、Discriminator 和 WaveNetModel。",
            ));
        };
        built.map_err(|why| failed("read the weights", "读取权重", &why))
    }

    /// One pass in evaluation mode; shapes as the variants say.
    ///
    /// # Errors
    /// When `input` has another shape or kind of numbers than the network takes.
    pub fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let output = match self {
            Self::Transformer(net) => net.forward(&net.checked(input)?),
            Self::Generator(net) => net.forward(&layers::checked(input, &["N"], net.input_dim())?),
            Self::Discriminator(net) => net.forward(&layers::checked(input, &["N"], net.input_dim())?),
            Self::WaveNet(net) => net.forward(&net.checked(input)?),
        };
        output.map_err(|why| failed("run the network", "运行网络", &why))
    }
}

/// What the tensor library said, as a sentence.
fn failed(doing_en: &str, doing_zh: &str, why: &candle_core::Error) -> Error {
    let why = why.to_string();
    // With RUST_BACKTRACE set the lines after the first are a backtrace.
    let why = why.lines().next().unwrap_or_default();
    Error::new(
        format!("Could not {doing_en}: {why}; check that the weights belong to this network."),
        format!("无法{doing_zh}：{why}；请检查权重是否属于该网络。"),
    )
}
