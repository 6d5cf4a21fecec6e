//! WAV files (Microsoft and IBM, 1991): samples as `hound` writes and reads them, and chunks that it does not: what made
//! the sound, in the comment of `LIST`-`INFO`, and the label of generated content, in a chunk `AIGC` (GB 45438-2025).

use std::io::Cursor;

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

use super::{audio::Sound, label, riff::chunk};
use crate::{Error, Result};

/// How samples are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// 16-bit integers.
    Int16,
    /// 24-bit integers.
    Int24,
    /// 32-bit floats.
    Float32,
}

/// A WAV of frames of `channels` samples; 32-bit floats may be louder than 1. With a recipe it carries that as its comment
/// and is labelled as generated; `id` names it there. An empty one leaves the label out: no model made the sound.
///
/// # Errors
/// When it would be larger than 4 GB.
pub fn encode(
    samples: &[f32],
    (sample_rate_hz, channels): (u32, u16),
    depth: Depth,
    recipe: Option<(&str, &str)>,
) -> Result<Vec<u8>> {
    let mut bytes = write(samples, sample_rate_hz, channels, depth)?;
    if let Some((recipe, id)) = recipe {
        append(&mut bytes, recipe, (!id.is_empty()).then_some(id));
    }
    Ok(bytes)
}

/// Appends the recipe, and the label of generated content that is named `label`.
fn append(bytes: &mut Vec<u8>, recipe: &str, label: Option<&str>) {
    if bytes.len() % 2 == 1 {
        bytes.push(0);
    }
    chunk(bytes, b"LIST", &info(recipe));
    if let Some(id) = label {
        chunk(bytes, b"AIGC", label::aigc(id).as_bytes());
    }
    let size = u32::try_from(bytes.len() - 8).unwrap_or(u32::MAX);
    bytes[4..8].copy_from_slice(&size.to_le_bytes());
}

/// The body of `LIST` with the program and a recipe.
pub(super) fn info(recipe: &str) -> Vec<u8> {
    let mut info = b"INFO".to_vec();
    chunk(&mut info, b"ISFT", format!("Atelier {}\0", env!("CARGO_PKG_VERSION")).as_bytes());
    chunk(&mut info, b"ICMT", format!("{recipe}\0").as_bytes());
    info
}

fn write(samples: &[f32], sample_rate_hz: u32, channels: u16, depth: Depth) -> Result<Vec<u8>> {
    let (bits_per_sample, sample_format) = match depth {
        Depth::Int16 => (16, SampleFormat::Int),
        Depth::Int24 => (24, SampleFormat::Int),
        Depth::Float32 => (32, SampleFormat::Float),
    };
    if samples.len() as u64 * u64::from(bits_per_sample / 8) > u64::from(u32::MAX) - (1 << 20) {
        return Err(Error::new(
            "The sound is too long for a WAV file, which may have 4 GB; save a part of it.",
            "声音过长，WAV 文件最大为 4 GB；请只保存一部分。",
        ));
    }
    let spec = WavSpec { channels, sample_rate: sample_rate_hz, bits_per_sample, sample_format };
    let mut file = Cursor::new(Vec::with_capacity(samples.len() * usize::from(bits_per_sample / 8) + 128));
    let written = (|| {
        let mut writer = WavWriter::new(&mut file, spec)?;
        for sample in samples {
            match depth {
                Depth::Float32 => writer.write_sample(*sample)?,
                Depth::Int16 => writer.write_sample(rounded(*sample, 1 << 15))?,
                Depth::Int24 => writer.write_sample(rounded(*sample, 1 << 23))?,
            }
        }
        writer.finalize()
    })();
    written.map_err(|why| {
        Error::new(format!("Could not put the sound into a WAV: {why}."), format!("无法将声音写成 WAV：{why}。"))
    })?;
    Ok(file.into_inner())
}

/// A sample as an integer of which `scale` would be 1.
pub(super) fn rounded(sample: f32, scale: i32) -> i32 {
    // What is not a number becomes 0.
    ((f64::from(sample) * f64::from(scale)).round() as i32).clamp(-scale, scale - 1)
}

/// The samples as they come back from a file of this depth.
pub fn as_stored(samples: &[f32], depth: Depth) -> Vec<f32> {
    let through = |scale: i32| samples.iter().map(|sample| rounded(*sample, scale) as f32 / scale as f32).collect();
    match depth {
        Depth::Int16 => through(1 << 15),
        Depth::Int24 => through(1 << 23),
        Depth::Float32 => samples.to_vec(),
    }
}

/// Whether a file begins as a WAV does.
pub fn is_wav(start: &[u8]) -> bool {
    matches!(start, [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..])
}

/// Reads a WAV from anybody: integers of 8 to 32 bits, or 32-bit floats.
///
/// # Errors
/// When it is no whole WAV.
pub fn read(bytes: &[u8]) -> Result<Sound> {
    let damaged = |why: hound::Error| {
        Error::new(
            format!("This is no WAV that can be read ({why}); save it as a plain PCM WAV and try again."),
            format!("无法读取此 WAV（{why}）；请另存为普通 PCM WAV 后重试。"),
        )
    };
    let mut reader = WavReader::new(Cursor::new(bytes)).map_err(damaged)?;
    let WavSpec { channels, sample_rate, bits_per_sample, sample_format } = reader.spec();
    if channels == 0 || sample_rate == 0 {
        return Err(damaged(hound::Error::FormatError("it has no channels or no rate")));
    }
    let samples: std::result::Result<Vec<f32>, hound::Error> = match sample_format {
        SampleFormat::Float => reader.samples::<f32>().collect(),
        SampleFormat::Int => {
            let scale = 2.0_f64.powi(i32::from(bits_per_sample) - 1).recip();
            reader.samples::<i32>().map(|sample| Ok((f64::from(sample?) * scale) as f32)).collect()
        }
    };
    let samples = samples.map_err(damaged)?;
    Ok(Sound { sample_rate_hz: sample_rate, channels, bits: bits_per_sample, samples, comment: comment(bytes) })
}

/// The comment of `LIST`-`INFO`.
pub(super) fn comment(bytes: &[u8]) -> Option<String> {
    let info = chunks(bytes.get(12..)?).find(|(id, body)| *id == b"LIST" && body.starts_with(b"INFO"))?.1;
    let (_, text) = chunks(&info[4..]).find(|(id, _)| *id == b"ICMT")?;
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    Some(String::from_utf8_lossy(text).into_owned())
}

/// The chunks of a RIFF list, up to the first that is cut short.
fn chunks(mut rest: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    std::iter::from_fn(move || {
        let (id, after) = rest.split_at_checked(4)?;
        let (size, after) = after.split_first_chunk::<4>()?;
        let size = u32::from_le_bytes(*size) as usize;
        let body = after.get(..size)?;
        rest = after.get(size + size % 2..).unwrap_or_default();
        Some((id, body))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(count: usize) -> Vec<f32> {
        (0..count).map(|i| (i as f32 * 0.37).sin() * 0.9).collect()
    }

    #[test]
    fn samples_and_recipe_come_back() {
        for depth in [Depth::Int16, Depth::Int24, Depth::Float32] {
            for count in [0, 1, 501] {
                let samples = wave(count);
                let bytes = encode(&samples, (16_000, 1), depth, Some(("{\"a\": \"你好\"}", "id"))).expect("WAV");
                let file = read(&bytes).expect("read");
                assert_eq!((file.sample_rate_hz, file.channels), (16_000, 1));
                assert_eq!(file.comment.as_deref(), Some("{\"a\": \"你好\"}"));
                assert_eq!(file.samples, as_stored(&samples, depth));
                assert!(file.samples.iter().zip(&samples).all(|(a, b)| (a - b).abs() < 1.0 / 32_000.0));
                let riff = u32::from_le_bytes(bytes[4..8].try_into().expect("four"));
                assert_eq!(riff as usize, bytes.len() - 8);
                assert!(bytes.windows(4).any(|part| part == b"AIGC"));
                let plain = encode(&samples, (16_000, 1), depth, None).expect("WAV");
                assert_eq!(read(&plain).expect("read").comment, None);
            }
        }
        let stereo = read(&encode(&wave(6), (44_100, 2), Depth::Float32, None).expect("WAV")).expect("read");
        assert_eq!((stereo.channels, stereo.samples), (2, wave(6)));
        let loud = encode(&[2.0, -2.0, f32::NAN], (8_000, 1), Depth::Int16, None).expect("WAV");
        assert_eq!(read(&loud).expect("read").samples, [32_767.0 / 32_768.0, -1.0, 0.0]);
    }

    #[test]
    fn damaged_files_are_refused_or_read_but_never_panic() {
        let good = encode(&wave(50), (16_000, 1), Depth::Int24, Some(("recipe", "id"))).expect("WAV");
        assert!(is_wav(&good) && !is_wav(&good[..11]) && !is_wav(b"RIFX    WAVE"));
        for cut in 0..good.len() {
            let _ = read(&good[..cut]);
        }
        assert!(read(&good[..60]).expect_err("cut short").to_string().contains("PCM WAV"));
        let mut seed = 1_u32;
        for _ in 0..20_000 {
            let mut bad = good.clone();
            for _ in 0..3 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let at = seed as usize % bad.len();
                bad[at] = (seed >> 13) as u8;
            }
            let _ = read(&bad);
        }
    }

    #[test]
    fn several_channels_are_mixed() {
        let file =
            Sound { sample_rate_hz: 8_000, channels: 2, bits: 16, samples: vec![0.5, 0.0, -1.0, 0.5], comment: None };
        assert_eq!(file.mono(), [0.25, -0.25]);
    }
}
