//! Any bytes as a capture of an amplifier, which then plays a little. Nothing may panic.
#![no_main]

use atelier::{formats::nam::Capture, nets::nam::Nam};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(capture) = Capture::parse(bytes) else { return };
    for size in [0.0, 1.0] {
        if let Ok(mut amp) = Nam::new(&capture, size) {
            amp.process(&mut [0.3; 150]);
        }
    }
});
