//! The geometry of a convolution.

use crate::{Error, Result};

/// A two-dimensional convolution (cross-correlation, as every framework means it) in NCHW.
///
/// `x` is (batch, groups · in_channels, input), `w` is (groups · out_channels, in_channels, kernel), `y` is
/// (batch, groups · out_channels, output). Output `o` reads input `o · stride + k · dilation − padding` for tap `k`;
/// inputs outside the image are zero. The output size is free, so padding may differ from side to side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    pub batch: usize,
    pub groups: usize,
    /// Channels of a group.
    pub in_channels: usize,
    /// Channels of a group.
    pub out_channels: usize,
    pub input: [usize; 2],
    pub output: [usize; 2],
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub padding: [usize; 2],
    pub dilation: [usize; 2],
    /// Every input pixel is first repeated 2 × 2; then groups, stride, dilation and padding are 1 and the kernel 3 × 3.
    pub doubled: bool,
}

impl ConvShape {
    /// Elements of `x`.
    pub fn x_len(&self) -> usize {
        self.batch * self.groups * self.in_channels * self.x_plane()
    }

    /// Elements of `w`.
    pub fn w_len(&self) -> usize {
        self.groups * self.out_channels * self.in_channels * self.taps()
    }

    /// Elements of `y`.
    pub fn y_len(&self) -> usize {
        self.batch * self.groups * self.out_channels * self.y_plane()
    }

    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    pub(crate) fn x_plane(&self) -> usize {
        self.input[0] * self.input[1]
    }

    pub(crate) fn y_plane(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// The output size along `axis`: as many positions as fit into the input with `end` zeros behind it.
    pub(crate) fn output_for(&self, axis: usize, end: usize) -> Option<usize> {
        let reach = self.dilation[axis].checked_mul(self.kernel[axis].checked_sub(1)?)?.checked_add(1)?;
        let room = self.padding[axis]
            .checked_add(if self.doubled { self.input[axis].checked_mul(2)? } else { self.input[axis] })?
            .checked_add(end)?;
        Some(room.checked_sub(reach)?.checked_div(self.stride[axis])? + 1)
    }

    /// Refuses shapes that mean nothing or that no memory could hold.
    pub fn check(&self) -> Result<()> {
        let positive = [self.batch, self.groups, self.in_channels, self.out_channels]
            .into_iter()
            .chain([self.input, self.output, self.kernel, self.stride, self.dilation].into_iter().flatten());
        let ones = [self.stride, self.dilation, self.padding].iter().flatten().all(|n| *n == 1);
        let doubled = !self.doubled || (ones && self.groups == 1 && self.kernel == [3; 2]);
        let limit = 1_usize << 31;
        let product = |factors: &[usize]| factors.iter().try_fold(1_usize, |a, &b| a.checked_mul(b));
        let [h, w] = self.input;
        let [oh, ow] = self.output;
        let sizes = [
            product(&[self.batch, self.groups, self.in_channels, h, w]),
            product(&[self.batch, self.groups, self.out_channels, oh, ow]),
            product(&[self.groups, self.out_channels, self.in_channels, self.kernel[0], self.kernel[1]]),
            product(&[oh, self.stride[0]]),
            product(&[ow, self.stride[1]]),
            product(&[self.kernel[0], self.dilation[0]]),
            product(&[self.kernel[1], self.dilation[1]]),
            Some(self.padding[0]),
            Some(self.padding[1]),
        ];
        if doubled
            && positive.into_iter().all(|n| n > 0)
            && sizes.into_iter().all(|size| size.is_some_and(|size| size < limit))
        {
            return Ok(());
        }
        Err(Error::new(
            "A convolution was asked for with an impossible shape; check the model's sizes.",
            "卷积的形状不可能成立，请检查模型的尺寸。",
        ))
    }
}
