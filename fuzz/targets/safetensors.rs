//! Any bytes as a safetensors file. Nothing may panic.
#![no_main]

use atelier::formats::safetensors;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = safetensors::read(bytes);
});
