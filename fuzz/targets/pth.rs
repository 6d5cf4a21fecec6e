//! Any bytes as a PyTorch checkpoint. Nothing may panic, and nothing in it is run.
#![no_main]

use atelier::formats::pth::Checkpoint;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Checkpoint::read(bytes);
});
