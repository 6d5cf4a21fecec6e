//! Pictures from generative networks: what is asked, and the latent vectors that answer it.

mod directions;
mod latent;
mod model;
mod read;
mod request;
mod style;
#[cfg(test)]
pub(crate) mod tests;
mod texture;
mod upscale;
pub mod words;

pub use model::{ImageModel, ImageModelInfo};
pub use request::{Direction, ImageRequest, Picture, SeedWeight, Style};
pub use upscale::{Upscaler, UpscalerInfo};
