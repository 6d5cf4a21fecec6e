//! Writing text: a model with its vocabulary, and the loop that turns a request into words.

mod fit;
mod held;
mod model;
mod prompt;
mod run;
#[cfg(test)]
mod tests;
mod utf8;

pub use model::{TextModel, TextWriter};
pub use prompt::Template;
pub use run::{TextProgress, write_text};
