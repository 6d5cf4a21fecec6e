//! File formats: reading, checking and writing them. Knows no networks and no window.

pub mod chat_template;
pub mod gguf;
pub mod hash;
pub mod pth;
pub mod safetensors;
pub mod tokenizer;
