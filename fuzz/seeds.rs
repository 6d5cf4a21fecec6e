//! Writes small whole models into `corpus/gguf`, for the fuzzer to start from.

#[path = "../tests/common/tiny.rs"]
#[allow(dead_code, reason = "shared with tests that use more of it")]
mod tiny;

use std::{fs, path::Path};

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/gguf");
    fs::create_dir_all(&folder)?;
    for family in ["llama", "qwen2", "gemma3"] {
        fs::write(folder.join(family), tiny::model(family, 1).to_bytes())?;
    }
    Ok(())
}
