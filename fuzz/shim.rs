//! The modules under test, as they are in the studio, without the rest of it.
#![allow(dead_code, unused_imports, reason = "the rest of the studio uses more of them")]

#[path = "../src/error.rs"]
pub mod error;
#[path = "../src/lang.rs"]
pub mod lang;

#[path = "../src/files.rs"]
pub mod files;
#[path = "../src/kernels/mod.rs"]
pub mod kernels;

#[path = "../src/formats"]
pub mod formats {
    pub mod audio;
    pub mod chat_template;
    pub mod flac;
    pub mod gguf;
    pub mod idx;
    pub mod label;
    pub mod nam;
    pub mod png;
    pub mod pth;
    mod riff;
    pub mod safetensors;
    pub mod tokenizer;
    pub mod wav;
}

#[path = "../src/nets"]
pub mod nets {
    pub mod nam;

    /// Of the decoder only what requests name: it reads no file by itself.
    pub mod decoder {
        pub const USUAL_CONTEXT: usize = 8192;
    }
}

#[path = "../src/generate"]
pub mod generate {
    mod request;
    pub use request::*;

    pub mod sampler {
        mod settings;
        pub use settings::SamplerSettings;
    }
}

pub use error::{Error, Result};
pub use lang::Lang;
