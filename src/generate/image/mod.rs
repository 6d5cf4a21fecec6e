//! Pictures from generative networks: what is asked, and the latent vectors that answer it.

mod request;

pub use request::{Direction, ImageRequest, Picture, SeedWeight};
