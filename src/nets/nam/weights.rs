//! The numbers of a capture, taken in the order in which its architecture reads them, and a bound on what it may use.

use crate::{
    Error, Result,
    kernels::{
        Level,
        stream::{BLOCK, CausalConv, Shape},
    },
};

/// Numbers that a capture may work in, in all: 128 MB.
const MOST_MEMORY: usize = 32 << 20;

/// What is left of a capture's weights.
pub(super) struct Weights<'a> {
    rest: &'a [f32],
    memory: usize,
    pub(super) level: Level,
}

impl<'a> Weights<'a> {
    pub(super) fn new(weights: &'a [f32], level: Level) -> Self {
        Self { rest: weights, memory: MOST_MEMORY, level }
    }

    /// The next `count`; `None` is a number beyond all counting.
    pub(super) fn take(&mut self, count: Option<usize>) -> Result<&'a [f32]> {
        let (taken, rest) = count.and_then(|count| self.rest.split_at_checked(count)).ok_or_else(|| {
            Error::new(
                "The capture has fewer weights than its configuration needs; download it again.",
                "此模型的权重少于其配置所需，请重新下载。",
            )
        })?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next convolution: its weights, then its bias.
    pub(super) fn conv(&mut self, shape: Shape, bias: bool) -> Result<CausalConv> {
        let weights = self.take(shape.weights())?;
        let bias = bias.then(|| self.take(Some(shape.outputs))).transpose()?;
        self.claim(shape.memory())?;
        CausalConv::new(shape, weights, bias, self.level).map_err(unfit)
    }

    /// The next convolution without bias, and the batch normalisation after it, as one.
    pub(super) fn normalised(&mut self, shape: Shape) -> Result<CausalConv> {
        let weights = self.take(shape.weights())?;
        let mut row = || self.take(Some(shape.outputs));
        let (mean, variance, gain, shift) = (row()?, row()?, row()?, row()?);
        let epsilon = self.take(Some(1))?[0];
        let scale: Vec<f32> =
            gain.iter().zip(variance).map(|(gain, variance)| gain / (epsilon + variance).sqrt()).collect();
        if scale.iter().any(|scale| !scale.is_finite()) {
            return Err(impossible("a batch normalisation", "批归一化参数"));
        }
        let each = weights.len() / shape.outputs;
        let scaled: Vec<f32> = weights
            .chunks_exact(each)
            .zip(&scale)
            .flat_map(|(row, scale)| row.iter().map(move |w| w * scale))
            .collect();
        let bias: Vec<f32> = (0..shape.outputs).map(|i| shift[i] - scale[i] * mean[i]).collect();
        self.claim(shape.memory())?;
        CausalConv::new(shape, &scaled, Some(&bias), self.level).map_err(unfit)
    }

    /// Rows for a block.
    pub(super) fn rows(&mut self, count: usize) -> Result<Vec<f32>> {
        self.claim(count.saturating_mul(BLOCK))?;
        Ok(vec![0.0; count * BLOCK])
    }

    /// Accounts for memory.
    pub(super) fn claim(&mut self, numbers: usize) -> Result<()> {
        self.memory = self.memory.checked_sub(numbers).ok_or_else(|| {
            Error::new(
                "The capture would need more memory than any real one; it is not opened.",
                "此模型所需内存超出任何真实模型，未打开。",
            )
        })?;
        Ok(())
    }

    /// Nothing may be left.
    pub(super) fn finish(self) -> Result<()> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(Error::new(
            "The capture has more weights than its configuration uses; it is of a form that is not known here.",
            "此模型的权重多于其配置所用，属于尚不支持的形式。",
        ))
    }
}

/// A configuration that cannot be.
pub(super) fn impossible(en: &str, zh: &str) -> Error {
    Error::new(
        format!("The capture's configuration does not fit together ({en}); download it again."),
        format!("此模型的配置前后不一致（{zh}），请重新下载。"),
    )
}

/// Weights that do not fit the sizes they are said to have.
#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn unfit(why: candle_core::Error) -> Error {
    let why = why.to_string();
    impossible(&why, &why)
}
