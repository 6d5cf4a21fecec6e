//! Any bytes as an IDX file, packed or not. Nothing may panic.
#![no_main]

use atelier::formats::idx;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for dimensions in [1, 3] {
        let _ = idx::read(bytes, dimensions);
    }
});
