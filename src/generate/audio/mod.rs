//! Sound from a WaveNet: notes go in, samples come out, block after block, live or offline the same.

pub mod compose;
mod edit;
mod model;
mod note;
mod prime;
mod score;
mod step;
mod synth;
#[cfg(test)]
pub(crate) mod tests;

pub use edit::{Edit, MOST_GAIN_DB};
pub use model::{AudioModel, AudioModelInfo};
pub use note::{AudioRequest, Drawing, MOST_SAMPLES, Note, Quantisation, Turn, USUAL_NOISE, USUAL_TEMPERATURE};
pub use prime::Prime;
pub(crate) use score::key_of;
pub use score::{key_name, notes_text, parse_notes};
pub use step::{AmpStep, Step};
pub use synth::{MOST_SOUNDING, Performance, Synth};
