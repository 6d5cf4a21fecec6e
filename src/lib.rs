//! Atelier: a desktop studio that writes, paints and makes sound on the user's own computer.
//!
//! The library holds everything but the hand-off in `main.rs`; `ARCHITECTURE.md` draws how the
//! modules depend on each other.

pub mod app;
pub mod audio;
pub mod catalogue;
pub mod cli;
pub mod crash;
pub mod document;
pub mod engine;
pub mod error;
pub mod files;
pub mod folders;
pub mod formats;
pub mod generate;
pub mod kernels;
pub mod lang;
pub mod nets;
mod random;
pub mod recipe;
pub mod train;
pub mod ui;

pub use error::{Error, Result};
pub use lang::Lang;
