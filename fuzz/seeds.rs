//! Writes small whole files into `corpus/`, for the fuzzers to start from.

#[path = "../tests/common/tiny.rs"]
#[allow(dead_code, reason = "shared with tests that use more of it")]
mod tiny;

use std::{fs, io, path::Path};

use atelier::formats::{
    audio::Container,
    png,
    wav::{self, Depth},
};

/// The largest fixture that is worth starting from.
const MOST_BYTES: u64 = 100_000;

fn main() -> io::Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let put = |target: &str, name: &str, bytes: &[u8]| {
        let folder = here.join("corpus").join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(name), bytes)
    };
    for family in ["llama", "qwen2", "gemma3"] {
        put("gguf", family, &tiny::model(family, 1).to_bytes())?;
    }
    for (target, folders, ending) in [
        ("audio", &["audio"][..], "flac mp3 ogg"),
        ("nam", &["nam"], "nam"),
        ("pth", &["pth"], "pth pkl"),
        ("safetensors", &["sketch", "upscale", "eyes"], "safetensors"),
    ] {
        for folder in folders {
            for entry in fs::read_dir(here.join("../tests/fixtures").join(folder))? {
                let path = entry?.path();
                let fits = path.extension().is_some_and(|e| ending.split(' ').any(|ending| e == ending));
                if fits && fs::metadata(&path)?.len() <= MOST_BYTES {
                    put(target, &path.file_name().unwrap_or_default().to_string_lossy(), &fs::read(&path)?)?;
                }
            }
        }
    }
    let failed = |why: atelier::Error| io::Error::other(why.to_string());
    let sound: Vec<f32> = (0..600).map(|i| (i as f32 * 0.21).sin() * 0.4).collect();
    for (name, depth, channels) in [("int16", Depth::Int16, 1), ("int24", Depth::Int24, 2), ("float", Depth::Float32, 1)] {
        let recipe = Some(("{}", "id"));
        put("audio", &format!("{name}.wav"), &wav::encode(&sound, (8_000, channels), depth, recipe).map_err(failed)?)?;
        let flac = Container::Flac.encode(&sound, (8_000, channels), depth, recipe).map_err(failed)?;
        put("audio", &format!("{name}.flac"), &flac)?;
    }
    put("png", "recipe", &png::encode(3, 2, &[7; 18], &[(png::RECIPE, "{}")]).map_err(failed)?)?;
    put("idx", "labels", &[0, 0, 8, 1, 0, 0, 0, 2, 3, 4])?;
    put("idx", "images", &[0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 3, 4])
}
