//! Weights that no longer change: what a convolution makes of its filters is kept for the next.

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{Result, Tensor};

use super::transform::Kind;
use crate::kernels::buffer::Aligned;

/// The filters of a convolution: a tensor, or a [`ConvWeight`].
pub trait Weight {
    /// As PyTorch lays it out.
    fn tensor(&self) -> &Tensor;

    /// What was made of it before.
    #[doc(hidden)]
    fn mapped(&self) -> Option<&Arc<Mapped>> {
        None
    }
}

impl Weight for Tensor {
    fn tensor(&self) -> &Tensor {
        self
    }
}

/// A weight of a network that is trained or evaluated.
#[derive(Clone, Debug)]
pub struct ConvWeight {
    tensor: Tensor,
    mapped: Option<Arc<Mapped>>,
}

impl ConvWeight {
    /// For evaluation: a copy of this tensor, which does not change when the tensor does. A convolution maps its filters
    /// before it multiplies; with few pictures that takes as long as the rest. Of this weight it does so once, and holds
    /// up to seven times its memory for it.
    ///
    /// # Errors
    /// When the tensor cannot be copied.
    pub fn fixed(weight: &Tensor) -> Result<Self> {
        Ok(Self { tensor: weight.contiguous()?.copy()?.detach(), mapped: Some(Arc::default()) })
    }
}

impl From<Tensor> for ConvWeight {
    /// For training: the tensor as it is whenever it is used.
    fn from(tensor: Tensor) -> Self {
        Self { tensor, mapped: None }
    }
}

impl Weight for ConvWeight {
    fn tensor(&self) -> &Tensor {
        &self.tensor
    }

    fn mapped(&self) -> Option<&Arc<Mapped>> {
        self.mapped.as_ref()
    }
}

/// For which scheme, and whether turned for the gradient to the input.
type Purpose = (Kind, bool);

/// The filters as schemes map them.
#[derive(Default)]
pub struct Mapped(Mutex<Vec<(Purpose, Arc<Aligned>)>>);

impl Mapped {
    /// What is kept for this purpose, or what `make` returns.
    pub(super) fn get(&self, purpose: Purpose, make: impl FnOnce() -> Aligned) -> Arc<Aligned> {
        // Two threads that come at once make one of it.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, filters)) = kept.iter().find(|(of, _)| *of == purpose) {
            return filters.clone();
        }
        let filters = Arc::new(make());
        kept.push((purpose, filters.clone()));
        filters
    }
}

impl std::fmt::Debug for Mapped {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.debug_struct("Mapped").finish_non_exhaustive()
    }
}

/// A weight as a kernel takes it.
#[derive(Clone, Copy)]
pub(crate) struct WeightValues<'a> {
    pub values: &'a [f32],
    pub mapped: Option<&'a Mapped>,
}

impl<'a> From<&'a [f32]> for WeightValues<'a> {
    fn from(values: &'a [f32]) -> Self {
        Self { values, mapped: None }
    }
}
