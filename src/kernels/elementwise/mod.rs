//! Functions applied number by number, forward and backward.

pub mod activation;
pub mod gate;
pub mod loss;
pub(crate) mod math;
pub mod mixture;

pub use activation::Activation;
pub use gate::{cross_entropy, gated};
pub use loss::mean_square;
pub use mixture::mixture_loss;
