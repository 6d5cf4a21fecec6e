//! DCGAN (Radford et al., 2016): a generator of transposed convolutions with batch norm, for square pictures of 4 · 2ⁿ
//! pixels, and its discriminator, both with batch norm. With classes, the generator is given the class beside the latent vector, and the
//! discriminator judges by a projection on it (Miyato and Koyama, 2018).
//!
//! Tensors have the names of the network's common PyTorch form: `main.{0,3,6,…}.weight` are convolutions (in, out, 4, 4),
//! `main.{1,4,…}` the norms between them.

mod config;
mod discriminator;
mod generator;
#[cfg(test)]
mod tests;

pub use config::{ClassName, DcganConfig, METADATA, classes_of};
pub use discriminator::Discriminator;
pub use generator::Generator;

use std::collections::HashMap;

use candle_core::Tensor;

use crate::{Error, Result};

/// Tensors by name.
type Tensors = HashMap<String, Tensor>;

/// A tensor that must be there.
fn tensor<'a>(tensors: &'a Tensors, name: &str) -> Result<&'a Tensor> {
    tensors.get(name).ok_or_else(|| {
        Error::new(
            format!("The weights have no “{name}”; they may be cut short, or of another network."),
            format!("权重中没有“{name}”；文件可能不完整，或属于其他网络。"),
        )
    })
}

/// A tensor of this shape.
fn shaped(tensors: &Tensors, name: &str, shape: &[usize]) -> Result<Tensor> {
    let tensor = tensor(tensors, name)?;
    if tensor.dims() == shape {
        return Ok(tensor.clone());
    }
    let dims = tensor.dims();
    Err(Error::new(
        format!("“{name}” has the shape {dims:?} instead of {shape:?}; the weights are of another network."),
        format!("“{name}”的形状为 {dims:?}，应为 {shape:?}；权重属于其他网络。"),
    ))
}
