//! File formats: reading, checking and writing them. Knows no networks and no window.

pub mod animation;
pub mod audio;
pub mod card;
pub mod chat_template;
pub mod flac;
pub mod gguf;
pub mod hash;
pub mod idx;
pub mod label;
pub mod nam;
pub mod outline;
pub mod picture;
pub mod png;
pub mod pth;
mod riff;
pub mod safetensors;
pub mod tokenizer;
pub mod wav;
pub mod wav_stream;
pub mod weights;
