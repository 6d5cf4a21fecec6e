//! What the integration tests share.
#![allow(dead_code, reason = "every test program uses another part of it")]

pub mod tiny;

use std::{io::Write as _, path::PathBuf};

/// The model that comes with the studio.
pub fn bundled_model() -> PathBuf {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("models/text/smollm2-135m-instruct/smollm2-135m-instruct-q4_1.gguf");
    assert!(path.is_file(), "{} belongs to the repository", path.display());
    path
}

/// A model that `scripts/fetch-test-models` fetched, such as `gemma3-270m-q4_k_m.gguf`; says so when it is not there.
pub fn cached_model(name: &str) -> Option<PathBuf> {
    let cache = std::env::var_os("ATELIER_CACHE").map(PathBuf::from).or_else(|| {
        let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        Some(base.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?.join("atelier"))
    });
    let path = cache.map(|cache| cache.join("models").join(name)).filter(|path| path.is_file());
    if path.is_none() {
        // Straight to the stream: what tests print is kept from who reads the log, who must know what was not tested.
        let _ =
            writeln!(std::io::stderr(), "SKIPPED: {name} is not in the cache; scripts/fetch-test-models fetches it.");
    }
    path
}
