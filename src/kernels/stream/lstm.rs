//! A layer of long short-term memory (Hochreiter & Schmidhuber, 1997), a frame at a time.

use candle_core::{Result, bail};

use super::{
    super::{
        elementwise::math::{sigmoid, tanh},
        exec::vectorised,
        level::Level,
        vector::{LANES, Vector},
    },
    BLOCK,
};

/// A layer and its state. Gates have PyTorch's order: input, forget, cell, output.
#[derive(Clone, Debug)]
pub struct LstmCell {
    level: Level,
    inputs: usize,
    hidden: usize,
    /// Numbers of a gate, filled up to whole registers.
    padded: usize,
    /// For every input, then every hidden number: a column of the four gates.
    columns: Vec<f32>,
    /// Four gates.
    bias: Vec<f32>,
    /// How it begins: hidden numbers, then the cell.
    initial: Vec<f32>,
    state: Vec<f32>,
    gates: Vec<f32>,
}

impl LstmCell {
    /// Of `(inputs, hidden)` numbers: a matrix (4 hidden, inputs + hidden) and a bias (4 hidden), and the hidden numbers and
    /// the cell that it begins with.
    ///
    /// # Errors
    /// When the weights do not fit the sizes.
    pub fn new(
        (inputs, hidden): (usize, usize),
        (matrix, bias): (&[f32], &[f32]),
        (first_hidden, first_cell): (&[f32], &[f32]),
        level: Level,
    ) -> Result<Self> {
        let seen = inputs + hidden;
        let fits = matrix.len() == 4 * hidden * seen && bias.len() == 4 * hidden;
        if !fits || hidden == 0 || first_hidden.len() != hidden || first_cell.len() != hidden {
            bail!("{} weights do not fit an LSTM of {inputs} inputs and {hidden} hidden numbers", matrix.len());
        }
        let padded = hidden.next_multiple_of(LANES);
        let mut columns = vec![0.0; seen * 4 * padded];
        let mut padded_bias = vec![0.0; 4 * padded];
        for gate in 0..4 {
            for number in 0..hidden {
                let row = gate * hidden + number;
                padded_bias[gate * padded + number] = bias[row];
                for column in 0..seen {
                    columns[(column * 4 + gate) * padded + number] = matrix[row * seen + column];
                }
            }
        }
        let mut initial = vec![0.0; 2 * padded];
        initial[..hidden].copy_from_slice(first_hidden);
        initial[padded..padded + hidden].copy_from_slice(first_cell);
        let (state, gates) = (initial.clone(), vec![0.0; 4 * padded]);
        Ok(Self { level, inputs, hidden, padded, columns, bias: padded_bias, initial, state, gates })
    }

    /// Numbers that come in at a time.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Begins again.
    pub fn reset(&mut self) {
        self.state.copy_from_slice(&self.initial);
    }

    /// The next `frames` frames: rows of inputs to rows of hidden numbers.
    ///
    /// # Panics
    /// If there are more than [`BLOCK`], or rows are missing.
    pub fn process(&mut self, x: &[f32], frames: usize, y: &mut [f32]) {
        assert!(frames <= BLOCK && x.len() >= self.inputs * BLOCK && y.len() >= self.hidden * BLOCK);
        // SAFETY: all rows are there; the constructor made columns, bias, state and gates of whole registers.
        unsafe { run(self.level, self, x, frames, y) };
    }
}

vectorised! { unsafe fn run = steps(cell: &mut LstmCell, x: &[f32], frames: usize, y: &mut [f32]) }

/// # Safety
/// `cell` is as its constructor made it; `x` has `frames` numbers in each row.
#[inline(always)]
unsafe fn steps<V: Vector>(cell: &mut LstmCell, x: &[f32], frames: usize, y: &mut [f32]) {
    let LstmCell { inputs, hidden, padded, columns, bias, state, gates, .. } = cell;
    let (inputs, hidden, padded) = (*inputs, *hidden, *padded);
    let width = 4 * padded;
    for frame in 0..frames {
        for at in (0..width).step_by(LANES) {
            // SAFETY: `at` is the beginning of a register in a column.
            let mut sum = unsafe { V::load(bias.as_ptr().add(at)) };
            let mut add = |value: f32, column: usize| {
                // SAFETY: as above, in that column.
                sum = unsafe { V::load(columns.as_ptr().add(column * width + at)) }.mul_add(V::splat(value), sum);
            };
            for input in 0..inputs {
                add(x[input * BLOCK + frame], input);
            }
            for (number, value) in state[..hidden].iter().enumerate() {
                add(*value, inputs + number);
            }
            // SAFETY: as above.
            unsafe { sum.store(gates.as_mut_ptr().add(at)) };
        }
        for at in (0..padded).step_by(LANES) {
            // SAFETY: a register of each gate, of the hidden numbers and of the cell.
            unsafe {
                let gate = |gate: usize| V::load(gates.as_ptr().add(gate * padded + at));
                let cell = state.as_mut_ptr().add(padded + at);
                let now = sigmoid(gate(1)).mul_add(V::load(cell), sigmoid(gate(0)).mul(tanh(gate(2))));
                now.store(cell);
                sigmoid(gate(3)).mul(tanh(now)).store(state.as_mut_ptr().add(at));
            }
        }
        for (number, value) in state[..hidden].iter().enumerate() {
            y[number * BLOCK + frame] = *value;
        }
    }
}
