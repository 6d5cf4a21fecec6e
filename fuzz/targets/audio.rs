//! Any bytes as a sound file: WAV by the studio's own reader, and every kind through the door for strangers' sound. Nothing
//! may panic, the decoders behind the door included.
#![no_main]

use atelier::formats::{audio, flac, wav};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = wav::read(bytes);
    let _ = flac::field(bytes, flac::RECIPE);
    if let Err(why) = audio::read(bytes) {
        assert!(!why.to_string().contains("gave up"));
    }
});
