//! RRDBNet: residual-in-residual dense blocks (Wang et al., "ESRGAN", 2018), as in Real-ESRGAN.

use candle_core::{Result, Tensor};

use super::{Conv, GoOn, State};
use crate::{
    Error,
    kernels::{
        conv::{ConvOptions, conv2d, dense_block, upsample_conv2d},
        elementwise::Activation,
    },
};

const LEAKY: Activation = Activation::LeakyRelu(0.2);
/// The share of a block's result that is added to its input.
const RESIDUAL: f64 = 0.2;
/// More blocks than any such network has.
const MOST_BLOCKS: usize = 256;

/// The network. Its input is first folded (`fold` × `fold` pixels into channels) when it enlarges less than four times.
pub struct RrdbNet {
    fold: usize,
    first: Conv,
    blocks: Vec<[Dense; 3]>,
    body: Conv,
    up: [Conv; 2],
    hr: Conv,
    last: Conv,
}

/// Five convolutions, each of which sees the input and the results before it. The last one's weights are scaled by
/// [`RESIDUAL`] already.
struct Dense([Conv; 5]);

impl Dense {
    fn from_state(state: &State, name: &str, features: usize, growth: usize) -> crate::Result<Self> {
        let conv = |k: usize| {
            let outputs = if k == 4 { features } else { growth };
            state.conv(&format!("{name}.conv{}", k + 1), Some(features + k * growth), Some(outputs))
        };
        let [a, b, c, d, e] = [conv(0)?, conv(1)?, conv(2)?, conv(3)?, conv(4)?];
        let scaled = (|| Ok(Conv { weight: (e.weight * RESIDUAL)?, bias: (e.bias * RESIDUAL)? }))();
        Ok(Self([a, b, c, d, scaled.map_err(|why| super::failed(&why))?]))
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let layers: Vec<_> = self.0.iter().map(|conv| (&conv.weight, &conv.bias)).collect();
        dense_block(x, &layers, LEAKY)? + x
    }
}

impl Conv {
    pub(super) fn forward(&self, x: &Tensor, activation: Activation) -> Result<Tensor> {
        conv2d(x, &self.weight, Some(&self.bias), &ConvOptions::new(1, 1), activation)
    }
}

impl RrdbNet {
    pub(super) fn from_state(state: &State) -> crate::Result<Self> {
        let first = state.conv("conv_first", None, None)?;
        let (features, inputs) = first.channels();
        let fold = match inputs {
            3 => 1,
            12 => 2,
            48 => 4,
            _ => {
                return Err(Error::new(
                    format!(
                        "“conv_first” takes {inputs} channels, where 3, 12 or 48 belong; the weights are of another network."
                    ),
                    format!("“conv_first”的输入通道为 {inputs}，应为 3、12 或 48；权重属于其他网络。"),
                ));
            }
        };
        let same = |name: &str| state.conv(name, Some(features), Some(features));
        let (growth, _) = state.conv("body.0.rdb1.conv1", Some(features), None)?.channels();
        let count = (0..MOST_BLOCKS).take_while(|i| state.has(&format!("body.{i}.rdb1.conv1.weight"))).count();
        let block = |i: usize| {
            let dense = |k: usize| Dense::from_state(state, &format!("body.{i}.rdb{k}"), features, growth);
            Ok([dense(1)?, dense(2)?, dense(3)?])
        };
        Ok(Self {
            fold,
            blocks: (0..count).map(block).collect::<crate::Result<_>>()?,
            body: same("conv_body")?,
            up: [same("conv_up1")?, same("conv_up2")?],
            hr: same("conv_hr")?,
            last: state.conv("conv_last", Some(features), Some(3))?,
            first,
        })
    }

    pub(super) fn scale(&self) -> usize {
        4 / self.fold
    }

    pub(super) fn fold(&self) -> usize {
        self.fold
    }

    /// In a dense block stand its input and that of the three around it, and twice all that grew: as measured.
    pub(super) fn bytes_per_pixel(&self) -> usize {
        let (features, _) = self.first.channels();
        let widest = self.blocks.first().map_or(features, |block| block[0].0[4].channels().1);
        (2 * features + 2 * widest) * size_of::<f32>() / (self.fold * self.fold)
    }

    /// How far a pixel reaches into the result in practice: with this much around a tile, tiles of Real-ESRGAN x4plus on
    /// photographs differ nowhere by more than one level of 255 (with 48 pixels by 5, with 24 by 32).
    pub(super) fn reach(&self) -> usize {
        72 * self.fold
    }

    /// (N, 3, H, W) to (N, 3, scale · H, scale · W)
    pub(super) fn forward(&self, x: &Tensor, go_on: GoOn<'_>) -> Result<Option<Tensor>> {
        let (_, _, height, width) = x.dims4()?;
        let folded = fold(x, self.fold)?;
        let first = self.first.forward(&folded, Activation::None)?;
        let mut x = first.clone();
        // The body and what follows it take about the same time.
        let steps = (3 * self.blocks.len() + 3 * TAIL) as f32;
        for (i, block) in self.blocks.iter().enumerate() {
            let before = x.clone();
            for (k, dense) in block.iter().enumerate() {
                if !go_on((3 * i + k) as f32 / steps) {
                    return Ok(None);
                }
                x = dense.forward(&x)?;
            }
            x = ((x * RESIDUAL)? + before)?;
        }
        x = (self.body.forward(&x, Activation::None)? + first)?;
        let rows = x.dim(2)?;
        let strip = (STRIP_BYTES / (self.tail_bytes_per_pixel() * x.dim(3)?)).saturating_sub(2 * HALO).max(8);
        let mut strips = Vec::with_capacity(rows.div_ceil(strip));
        for start in (0..rows).step_by(strip) {
            let done = 3.0 * (self.blocks.len() as f32 + (TAIL * start) as f32 / rows as f32);
            if !go_on(done / steps) {
                return Ok(None);
            }
            strips.push(self.enlarge(&x, start, rows.min(start + strip))?);
        }
        let y = Tensor::cat(&strips, 2)?;
        // Folding filled the last row and column up to a whole number.
        y.narrow(2, 0, height * self.scale())?.narrow(3, 0, width * self.scale())?.contiguous().map(Some)
    }

    /// What the body's result `x` becomes in the rows `start..end`, at four times the size. The rows around them, whose
    /// results would miss what lies beyond, are computed too and thrown away: results do not depend on the strips.
    fn enlarge(&self, x: &Tensor, start: usize, end: usize) -> Result<Tensor> {
        let (top, bottom) = (start.saturating_sub(HALO), x.dim(2)?.min(end + HALO));
        let mut x = x.narrow(2, top, bottom - top)?.contiguous()?;
        for up in &self.up {
            x = upsample_conv2d(&x, &up.weight, Some(&up.bias), LEAKY)?;
        }
        let y = self.last.forward(&self.hr.forward(&x, LEAKY)?, Activation::None)?;
        y.narrow(2, 4 * (start - top), 4 * (end - start))?.contiguous()
    }

    /// Of the input's pixels, after folding: in, out, and the kernel's own, at four times the size.
    fn tail_bytes_per_pixel(&self) -> usize {
        3 * 16 * self.first.channels().0 * size_of::<f32>()
    }
}

/// Memory for what follows the body.
const STRIP_BYTES: usize = 160 << 20;
/// Rows around a strip of the body's result on which its own depend: five convolutions of radius 1, one of them at twice
/// the size and the others at four times, reach 1.25 rows far.
const HALO: usize = 2;

/// What follows the blocks takes as long as this many of them.
const TAIL: usize = 6;

/// Every `by` × `by` pixels become `by²` channels; the last row and column are repeated to a whole number.
fn fold(x: &Tensor, by: usize) -> Result<Tensor> {
    if by == 1 {
        return Ok(x.clone());
    }
    let (batch, channels, height, width) = x.dims4()?;
    let (down, across) = (height.next_multiple_of(by) - height, width.next_multiple_of(by) - width);
    let x = x.pad_with_same(2, 0, down)?.pad_with_same(3, 0, across)?;
    let (h, w) = ((height + down) / by, (width + across) / by);
    x.reshape((batch, channels, h, by, w, by))?.permute((0, 1, 3, 5, 2, 4))?.contiguous()?.reshape((
        batch,
        channels * by * by,
        h,
        w,
    ))
}
