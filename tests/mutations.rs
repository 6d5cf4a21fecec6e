//! Small valid files of every kind that strangers send, changed at random thousands of times: each is read or refused, never
//! with a panic, and never with more memory than a file of its size is worth.
#![allow(clippy::expect_used, reason = "a test stops at what it did not expect")]

mod common;
#[path = "common/counting.rs"]
mod counting;

use std::{io::Write as _, path::PathBuf};

use atelier::{
    formats::{
        audio::{self, Container},
        flac,
        gguf::{GgufFile, dequantize},
        idx,
        nam::Capture,
        png,
        pth::Checkpoint,
        safetensors,
        tokenizer::Tokenizer,
        wav::{self, Depth},
    },
    nets::nam::Nam,
    recipe,
};
use common::tiny::{self, Random};
use counting::peak_of;

/// Changes a file as accidents and attackers do.
fn change(file: &mut Vec<u8>, others: &[Vec<u8>], random: &mut Random) {
    let at = random.below(file.len());
    match random.below(8) {
        // Bits.
        0 | 1 => {
            for _ in 0..=random.below(6) {
                if let Some(byte) = {
                    let at = random.below(file.len());
                    file.get_mut(at)
                } {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
        // Lengths and counts, of any width and either end first.
        2 | 3 => {
            let number =
                [0, 1, 2, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff, u64::MAX, u64::MAX >> 1, 1 << 40]
                    [random.below(12)];
            let width = [1, 2, 4, 8][random.below(4)];
            let bytes =
                if random.below(2) == 0 { number.to_le_bytes() } else { (number << (64 - 8 * width)).to_be_bytes() };
            let end = (at + width).min(file.len());
            file[at..end].copy_from_slice(&bytes[..end - at]);
        }
        // Cut short.
        4 => file.truncate(at),
        // A part of this or another file over, or between, what is there.
        5 | 6 => {
            let from = &others[random.below(others.len())];
            let start = random.below(from.len());
            let part: Vec<u8> = from[start..(start + 1 + random.below(200)).min(from.len())].to_vec();
            if random.below(2) == 0 {
                let end = (at + part.len()).min(file.len());
                file[at..end].copy_from_slice(&part[..end - at]);
            } else {
                file.splice(at..at, part);
            }
        }
        // A part taken out.
        _ => drop(file.drain(at..(at + 1 + random.below(40)).min(file.len()))),
    }
}

/// Reads each file as it is, which must go well, and so many changed ones, which may go any way but wrong. Returns how many
/// changed ones were read.
fn mutate(name: &str, files: &[Vec<u8>], rounds: usize, most_bytes: usize, read: impl Fn(&[u8]) -> bool) -> usize {
    for (index, file) in files.iter().enumerate() {
        assert!(read(file), "{name}: file {index} is whole");
    }
    let mut random = Random(name.len() as u64 * 77 + 1);
    let (mut well, mut worst) = (0, 0);
    for round in 0..rounds {
        let mut file = files[round % files.len()].clone();
        for _ in 0..=random.below(3) {
            if !file.is_empty() {
                change(&mut file, files, &mut random);
            }
        }
        let (good, peak) = peak_of(|| read(&file));
        well += usize::from(good);
        worst = worst.max(peak);
        assert!(peak <= most_bytes, "{name}, round {round}: {} bytes took {peak}", file.len());
    }
    let _ = writeln!(std::io::stderr(), "{name}: {well} of {rounds} read, at most {worst} bytes");
    well
}

fn fixture(path: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path);
    std::fs::read(path).expect("a fixture")
}

/// 0.1 s of something like sound.
fn sound(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i as f32 * 0.21).sin() * 0.4 + (i as f32 * 0.017).cos() * 0.3).collect()
}

fn wavs() -> Vec<Vec<u8>> {
    let recipe = Some(("{\"atelier\": \"0\"}", "id"));
    [(Depth::Int16, 1), (Depth::Int24, 2), (Depth::Float32, 1)]
        .map(|(depth, channels)| wav::encode(&sound(600), (8_000, channels), depth, recipe).expect("WAV"))
        .into()
}

#[test]
fn wav_files() {
    let well = mutate("wav", &wavs(), 6_000, 1 << 20, |bytes| wav::read(bytes).is_ok());
    assert!(well > 500, "{well}");
}

#[test]
fn sound_files_of_all_kinds() {
    let mut files = wavs();
    files.extend(["tones.flac", "tones.mp3", "tones.ogg"].map(|name| fixture(&format!("audio/{name}"))));
    for depth in [Depth::Int16, Depth::Int24] {
        let recipe = Some(("{\"atelier\": \"0\"}", "id"));
        files.extend(Container::Flac.encode(&sound(9_000), (16_000, 2), depth, recipe));
    }
    // A run of equal samples takes a few bytes, so that a small file may well hold minutes.
    let well = mutate("audio", &files, 6_000, 256 << 20, |bytes| {
        let _ = flac::field(bytes, flac::RECIPE);
        // Sums of a decoder that overflow are caught and told.
        audio::read(bytes).is_ok()
    });
    assert!(well > 500, "{well}");
}

#[test]
fn captures() {
    let names =
        ["wavenet", "lstm", "wavenet_a2_max", "slimmable_container", "slimmable_wavenet", "wavenet_condition_dsp"];
    let files: Vec<_> =
        names.map(|name| fixture(&format!("nam/{name}.nam"))).into_iter().filter(|f| f.len() < 100_000).collect();
    assert!(files.len() > 2);
    let well = mutate("nam", &files, 1_500, 256 << 20, |bytes| {
        let Ok(capture) = Capture::parse(bytes) else { return false };
        let Ok(mut amp) = Nam::new(&capture, 0.5) else { return false };
        amp.process(&mut sound(200));
        true
    });
    assert!(well > 30, "{well}");
}

#[test]
fn checkpoints() {
    let names =
        ["plain.pkl", "zip.pth", "legacy.pth", "zip-protocol-4.pth", "legacy-protocol-5.pth", "netG_state_dict.pth"];
    let files: Vec<_> = names[1..].iter().map(|name| fixture(&format!("pth/{name}"))).collect();
    let well = mutate("pth", &files, 6_000, 32 << 20, |bytes| Checkpoint::read(bytes).is_ok());
    assert!(well > 100, "{well}");
}

#[test]
fn safetensors_files() {
    let files = ["upscale/srvgg_x2_io.safetensors", "eyes/io.safetensors", "sketch/wavenet.safetensors"]
        .map(fixture)
        .into_iter()
        .filter(|file| file.len() < 300_000)
        .collect::<Vec<_>>();
    let well = mutate("safetensors", &files, 3_000, 32 << 20, |bytes| safetensors::read(bytes).is_ok());
    assert!(well > 100, "{well}");
}

#[test]
fn gguf_headers() {
    let files: Vec<_> = ["llama", "qwen2", "gemma3"].map(|family| tiny::model(family, 1).to_bytes()).into();
    let well = mutate("gguf", &files, 3_000, 256 << 20, |bytes| {
        let Ok(file) = GgufFile::from_bytes(bytes) else { return false };
        let _ = file.metadata().summary();
        let _ = Tokenizer::from_gguf(file.metadata());
        for tensor in file.tensors() {
            let mut values = vec![0.0; tensor.shape.iter().product::<usize>().min(1 << 12)];
            let _ = dequantize(tensor.dtype, tensor.data, &mut values);
        }
        true
    });
    assert!(well > 100, "{well}");
}

#[test]
fn pictures_with_recipes() {
    let rgb: Vec<u8> = (0..20 * 15 * 3).map(|i| (i * 7 % 251) as u8).collect();
    let label = png::label(png::Share::Whole, "id");
    let files = vec![
        png::encode(20, 15, &rgb, &[(png::RECIPE, "{\"format\": 1, \"kind\": \"image\"}"), (png::XMP, &label)])
            .expect("PNG"),
        png::encode(20, 15, &rgb, &[]).expect("PNG"),
    ];
    let well = mutate("png", &files, 6_000, 128 << 20, |bytes| recipe::contents(bytes, "a.png".as_ref()).is_ok());
    assert!(well > 50, "{well}");
}

#[test]
fn idx_files() {
    let mut plain = vec![0, 0, 8, 3, 0, 0, 0, 5, 0, 0, 0, 7, 0, 0, 0, 6];
    plain.extend((0..5 * 7 * 6).map(|i| i as u8));
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(&plain).expect("packs");
    let files = vec![plain, packed.finish().expect("packs")];
    let well = mutate("idx", &files, 6_000, 16 << 20, |bytes| idx::read(bytes, 3).is_some());
    assert!(well > 100, "{well}");
}
