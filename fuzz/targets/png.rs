//! Any bytes as a PNG with a recipe inside. Nothing may panic.
#![no_main]

use atelier::formats::png;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(file) = png::read(bytes) {
        let _ = (file.text(png::RECIPE), file.foreign_recipes());
    }
});
