//! The modules under test, as they are in the studio, without the rest of it.

#[path = "../src/error.rs"]
pub mod error;
#[path = "../src/lang.rs"]
pub mod lang;

#[path = "../src/formats"]
pub mod formats {
    pub mod chat_template;
    pub mod gguf;
    pub mod tokenizer;
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
