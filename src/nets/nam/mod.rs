//! Captures of amplifiers and pedals (`.nam` files of NeuralAmpModeler) as networks that sound runs through: WaveNets, LSTMs,
//! convolutional networks, impulse responses, and containers that hold one network in several sizes.
//!
//! Numbers follow NeuralAmpModelerCore 0.5.3: what comes out differs from it by rounding alone.

mod activation;
mod convnet;
mod lstm;
#[cfg(test)]
mod tests;
mod wavenet;
mod weights;

use serde::Deserialize;

use crate::{
    Error, Result,
    formats::nam::Capture,
    kernels::{Level, stream::BLOCK},
};
use convnet::ConvNet;
use lstm::Lstm;
use wavenet::WaveNet;
use weights::impossible;

/// The rate of a capture that does not tell one, in Hz.
pub const USUAL_SAMPLE_RATE_HZ: u32 = 48_000;
/// Captures inside captures, at most.
const MOST_DEPTH: usize = 4;

/// A capture that mono sound runs through as it comes.
///
/// ```no_run
/// # fn main() -> atelier::Result<()> {
/// use atelier::{formats::nam::Capture, nets::nam::Nam};
///
/// let capture = Capture::parse(&std::fs::read("amp.nam").expect("a file"))?;
/// let mut amp = Nam::new(&capture, 1.0)?;
/// let mut sound = vec![0.1; 480]; // 10 ms at 48 kHz
/// amp.process(&mut sound);
/// # Ok(())
/// # }
/// ```
pub struct Nam {
    network: Network,
    sample_rate_hz: u32,
    block: Vec<f32>,
}

impl Nam {
    /// The network of a capture. A container holds several: `size` 0..=1 picks one, 1 the largest.
    ///
    /// # Errors
    /// When the capture is damaged, of an unknown form, or of more than one channel.
    pub fn new(capture: &Capture, size: f64) -> Result<Self> {
        Self::on(capture, size, Level::current())
    }

    fn on(capture: &Capture, size: f64, level: Level) -> Result<Self> {
        let network = Network::new(capture, size, level, 0)?;
        if (network.inputs(), network.outputs()) != (1, 1) {
            return Err(Error::new(
                "The capture has more than one channel, which is not supported.",
                "此模型不止一个声道，尚不支持。",
            ));
        }
        let sample_rate_hz = network.sample_rate_hz.map_or(USUAL_SAMPLE_RATE_HZ, |rate| rate.round() as u32);
        let mut nam = Self { network, sample_rate_hz, block: vec![0.0; BLOCK] };
        nam.reset();
        Ok(nam)
    }

    /// The rate that it was made for; what is processed should have it.
    pub fn sample_rate_hz(&self) -> u32 {
        self.sample_rate_hz
    }

    /// As if it had only heard silence.
    pub fn reset(&mut self) {
        self.network.reset();
        self.block.fill(0.0);
        for _ in 0..self.network.settling().div_ceil(BLOCK) {
            self.network.process(&self.block, BLOCK);
        }
    }

    /// The next samples, in place. The result does not depend on how the sound is cut into pieces.
    pub fn process(&mut self, samples: &mut [f32]) {
        for piece in samples.chunks_mut(BLOCK) {
            self.block[..piece.len()].copy_from_slice(piece);
            piece.copy_from_slice(&self.network.process(&self.block, piece.len())[..piece.len()]);
        }
    }
}

/// A network of any architecture: rows of [`BLOCK`] to rows.
struct Network {
    sample_rate_hz: Option<f64>,
    kind: Kind,
}

enum Kind {
    WaveNet(Box<WaveNet>),
    Lstm(Box<Lstm>),
    ConvNet(Box<ConvNet>),
}

#[derive(Deserialize)]
struct Container {
    submodels: Vec<Submodel>,
}

#[derive(Deserialize)]
struct Submodel {
    max_value: f64,
    model: Capture,
}

impl Network {
    fn new(capture: &Capture, size: f64, level: Level, depth: usize) -> Result<Self> {
        if depth >= MOST_DEPTH {
            return Err(impossible("captures inside captures", "嵌套层数过多"));
        }
        let kind = match capture.architecture.as_str() {
            "WaveNet" => Kind::WaveNet(Box::new(WaveNet::new(capture, level, depth)?)),
            "LSTM" => Kind::Lstm(Box::new(Lstm::new(capture, level)?)),
            "ConvNet" => Kind::ConvNet(Box::new(ConvNet::new(capture, level)?)),
            "Linear" => Kind::ConvNet(Box::new(ConvNet::linear(capture, level)?)),
            "SlimmableContainer" => {
                let container: Container = capture.config()?;
                let chosen = container.submodels.iter().find(|submodel| size < submodel.max_value);
                let Some(chosen) = chosen.or(container.submodels.last()) else {
                    return Err(impossible("an empty container", "空的容器"));
                };
                chosen.model.check()?;
                let mut network = Self::new(&chosen.model, size, level, depth + 1)?;
                network.sample_rate_hz = network.sample_rate_hz.or(capture.sample_rate);
                return Ok(network);
            }
            other => {
                let other: String = other.chars().take(40).collect();
                return Err(Error::new(
                    format!("The capture's architecture, “{other}”, is not known here."),
                    format!("此模型的结构“{other}”尚不支持。"),
                ));
            }
        };
        Ok(Self { sample_rate_hz: capture.sample_rate, kind })
    }

    fn inputs(&self) -> usize {
        match &self.kind {
            Kind::WaveNet(network) => network.inputs(),
            Kind::Lstm(network) => network.inputs(),
            Kind::ConvNet(network) => network.inputs(),
        }
    }

    fn outputs(&self) -> usize {
        match &self.kind {
            Kind::WaveNet(network) => network.outputs(),
            Kind::Lstm(network) => network.outputs(),
            Kind::ConvNet(network) => network.outputs(),
        }
    }

    fn reset(&mut self) {
        match &mut self.kind {
            Kind::WaveNet(network) => network.reset(),
            Kind::Lstm(network) => network.reset(),
            Kind::ConvNet(network) => network.reset(),
        }
    }

    /// Frames of silence that it hears before anything else.
    fn settling(&self) -> usize {
        match &self.kind {
            Kind::WaveNet(network) => network.settling(),
            Kind::Lstm(network) => network.settling(),
            Kind::ConvNet(network) => network.settling(),
        }
    }

    fn process(&mut self, x: &[f32], frames: usize) -> &[f32] {
        match &mut self.kind {
            Kind::WaveNet(network) => network.process(x, frames),
            Kind::Lstm(network) => network.process(x, frames),
            Kind::ConvNet(network) => network.process(x, frames),
        }
    }
}
