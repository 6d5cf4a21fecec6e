//! The recurrent network of captures: layers of long short-term memory (Hochreiter & Schmidhuber, 1997) as PyTorch
//! arranges their weights, and a linear layer.

use serde::Deserialize;

use super::weights::{Weights, impossible, unfit};
use crate::{
    Result,
    formats::nam::Capture,
    kernels::{
        Level,
        stream::{Begin, CausalConv, LstmCell, Shape},
    },
};

/// More layers than any capture has.
const MOST_LAYERS: usize = 1_000;

#[derive(Deserialize)]
struct Config {
    input_size: usize,
    hidden_size: usize,
    num_layers: usize,
    #[serde(default)]
    in_channels: Option<usize>,
    #[serde(default)]
    out_channels: Option<usize>,
}

pub(super) struct Lstm {
    cells: Vec<LstmCell>,
    head: CausalConv,
    settling: usize,
    /// Rows of one layer's input and of its output.
    rows: [Vec<f32>; 2],
    out: Vec<f32>,
}

impl Lstm {
    pub(super) fn new(capture: &Capture, level: Level) -> Result<Self> {
        let config: Config = capture.config()?;
        let Config { input_size, hidden_size, num_layers, .. } = config;
        if input_size == 0 || hidden_size == 0 || num_layers == 0 || num_layers > MOST_LAYERS {
            return Err(impossible("sizes of the LSTM", "LSTM 的大小"));
        }
        if config.in_channels.is_some_and(|channels| channels != input_size) {
            return Err(impossible("inputs of the LSTM", "LSTM 的输入"));
        }
        let mut weights = Weights::new(&capture.weights, level);
        let mut cells = Vec::new();
        for layer in 0..num_layers {
            let inputs = if layer == 0 { input_size } else { hidden_size };
            let gates = hidden_size.checked_mul(4);
            let matrix =
                weights.take(inputs.checked_add(hidden_size).zip(gates).and_then(|(a, b)| a.checked_mul(b)))?;
            let bias = weights.take(gates)?;
            let [hidden, cell] = [weights.take(Some(hidden_size))?, weights.take(Some(hidden_size))?];
            weights.claim(matrix.len().saturating_add(32 * (inputs + hidden_size)))?;
            let cell = LstmCell::new((inputs, hidden_size), (matrix, bias), (hidden, cell), level).map_err(unfit)?;
            cells.push(cell);
        }
        let outputs = config.out_channels.unwrap_or(1);
        let head = weights.conv(Shape::pointwise(hidden_size, outputs, 1), true)?;
        let most = hidden_size.max(input_size);
        let rows = [weights.rows(most)?, weights.rows(most)?];
        let out = weights.rows(outputs)?;
        weights.finish()?;
        // Half a second, as NeuralAmpModelerCore does.
        let settling = capture.sample_rate.map_or(1, |rate| (rate / 2.0) as usize);
        Ok(Self { cells, head, settling, rows, out })
    }

    pub(super) fn inputs(&self) -> usize {
        self.cells[0].inputs()
    }

    pub(super) fn outputs(&self) -> usize {
        self.head.shape().outputs
    }

    pub(super) fn reset(&mut self) {
        self.cells.iter_mut().for_each(LstmCell::reset);
    }

    pub(super) fn settling(&self) -> usize {
        self.settling
    }

    pub(super) fn process(&mut self, x: &[f32], frames: usize) -> &[f32] {
        let [a, b] = &mut self.rows;
        a[..x.len()].copy_from_slice(x);
        for cell in &mut self.cells {
            cell.process(a, frames, b);
            std::mem::swap(a, b);
        }
        self.head.process(&self.rows[0], frames, Begin::Fresh, &mut self.out);
        &self.out
    }
}
