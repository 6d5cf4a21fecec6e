//! FLAC files (RFC 9639), written a frame at a time by the crate `flacenc`. What made the sound and the label of generated
//! content (GB 45438-2025) are fields of the Vorbis comment, `ATELIER_RECIPE` and `AIGC`.

use flacenc::{
    bitsink::ByteSink,
    component::{BitRepr as _, StreamInfo},
    config,
    error::{Verified, Verify as _},
    source::{Context, Fill as _, FrameBuf},
};

use super::{
    audio::{self, Sound},
    label,
    wav::{self, Depth},
};
use crate::{Error, Result};

/// The field that holds the studio's recipe.
pub const RECIPE: &str = "ATELIER_RECIPE";
/// The field that holds the label of generated content.
const AIGC: &str = "AIGC";
/// Frames of samples that are coded together.
const BLOCK: usize = 4_096;
/// The kind of metadata block that holds the Vorbis comment.
const COMMENT_BLOCK: u8 = 4;
/// Bytes of a metadata block.
const MOST_BLOCK_BYTES: usize = (1 << 24) - 1;
/// Set in the kind of the last metadata block.
const LAST: u8 = 0x80;

/// Whether a file begins as a FLAC does.
pub fn is_flac(start: &[u8]) -> bool {
    start.starts_with(b"fLaC")
}

/// A FLAC of frames of `channels` samples, of 16 bits or, asked for more, 24; what is louder than 1 is cut off there.
/// With a recipe it carries that and is labelled as generated; `id` names it there.
///
/// # Errors
/// When there are no samples, FLAC has no such rate or so many channels, or the recipe is too long for it.
pub fn encode(
    samples: &[f32],
    (sample_rate_hz, channels): (u32, u16),
    depth: Depth,
    recipe: Option<(&str, &str)>,
) -> Result<Vec<u8>> {
    let refused = |why: &dyn std::fmt::Display| {
        Error::new(
            format!(
                "{channels} channels at {sample_rate_hz} Hz cannot be put into a FLAC ({why}); save a WAV instead."
            ),
            format!("无法将 {channels} 声道、{sample_rate_hz} Hz 的声音写成 FLAC（{why}）；请保存为 WAV。"),
        )
    };
    if samples.is_empty() {
        return Err(Error::new(
            "There is no sound to save: a FLAC cannot be empty. Save a WAV instead.",
            "没有可保存的声音：FLAC 不能为空。请保存为 WAV。",
        ));
    }
    let bytes = encoded(samples, (sample_rate_hz, channels), depth, recipe).map_err(|why| refused(&why))?;
    let whole = &samples[..samples.len() - samples.len() % usize::from(channels.max(1))];
    let stored = wav::as_stored(whole, if depth == Depth::Int16 { depth } else { Depth::Int24 });
    // A sound that is saved must come back, whatever the encoder makes of it.
    if read(&bytes).is_ok_and(|sound| sound.samples == stored) {
        return Ok(bytes);
    }
    Err(refused(&"it does not come back as it was"))
}

/// How frames are coded, and how those that it makes no smaller are: as they are.
fn coders() -> std::result::Result<[Verified<config::Encoder>; 2], String> {
    let usual = config::Encoder::default();
    let mut plain = usual.clone();
    (plain.subframe_coding.use_lpc, plain.subframe_coding.use_fixed) = (false, false);
    let [usual, plain] = [usual, plain].map(|config| config.into_verified().map_err(|(_, why)| why.to_string()));
    Ok([usual?, plain?])
}

/// The file, not yet read again; or why there can be none.
fn encoded(
    samples: &[f32],
    (sample_rate_hz, channels): (u32, u16),
    depth: Depth,
    recipe: Option<(&str, &str)>,
) -> std::result::Result<Vec<u8>, String> {
    let [usual, plain] = coders()?;
    let bits: usize = if depth == Depth::Int16 { 16 } else { 24 };
    let channels = usize::from(channels);
    let mut info = StreamInfo::new(sample_rate_hz as usize, channels, bits).map_err(|why| why.to_string())?;
    info.set_block_sizes(BLOCK, BLOCK).map_err(|why| why.to_string())?;
    let mut block = FrameBuf::with_size(channels, BLOCK).map_err(|why| why.to_string())?;
    let mut whole = Context::new(bits, channels);
    let (mut integers, mut frames) = (Vec::with_capacity(BLOCK * channels), ByteSink::new());
    let usable = samples.len() - samples.len() % channels;
    for (number, part) in samples[..usable].chunks(BLOCK * channels).enumerate() {
        integers.clear();
        integers.extend(part.iter().map(|sample| wav::rounded(*sample, 1 << (bits - 1))));
        block.fill_interleaved(&integers).map_err(|why| why.to_string())?;
        whole.fill_interleaved(&integers).map_err(|why| why.to_string())?;
        let code =
            |config| flacenc::encode_fixed_size_frame(config, &block, number, &info).map_err(|why| why.to_string());
        let mut frame = code(&usual)?;
        // Of loud 24-bit sound the encoder expects less than it then writes, up to a hundred times the sound itself.
        if frame.count_bits() > part.len() * bits {
            frame = code(&plain)?;
        }
        info.update_frame_info(&frame);
        frame.write(&mut frames).map_err(|why| why.to_string())?;
    }
    // The last block may be shorter, which readers do not count.
    info.set_block_sizes(BLOCK, BLOCK).map_err(|why| why.to_string())?;
    info.set_md5_digest(&whole.md5_digest());
    let mut head = ByteSink::new();
    info.write(&mut head).map_err(|why| why.to_string())?;
    let comment = comment_block(&fields(recipe));
    if comment.len() > MOST_BLOCK_BYTES {
        return Err("the recipe is too long".to_owned());
    }
    let mut bytes = b"fLaC".to_vec();
    metadata(&mut bytes, 0, head.as_slice());
    metadata(&mut bytes, COMMENT_BLOCK | LAST, &comment);
    bytes.extend_from_slice(frames.as_slice());
    Ok(bytes)
}

fn metadata(to: &mut Vec<u8>, kind: u8, body: &[u8]) {
    to.push(kind);
    to.extend_from_slice(&(body.len() as u32).to_be_bytes()[1..]);
    to.extend_from_slice(body);
}

fn fields(recipe: Option<(&str, &str)>) -> Vec<String> {
    let mut fields = vec![format!("ENCODER=Atelier {}", env!("CARGO_PKG_VERSION"))];
    if let Some((recipe, id)) = recipe {
        fields.push(format!("{RECIPE}={recipe}"));
        // No model made sound that has no name to be labelled with.
        if !id.is_empty() {
            fields.push("COMMENT=Generated with Atelier, which makes it again from its recipe.".to_owned());
            fields.push(format!("{AIGC}={}", label::aigc(id)));
        }
    }
    fields
}

/// The body of a Vorbis comment: who wrote it, then its fields.
fn comment_block(fields: &[String]) -> Vec<u8> {
    let put = |body: &mut Vec<u8>, text: &str| {
        body.extend_from_slice(&(text.len() as u32).to_le_bytes());
        body.extend_from_slice(text.as_bytes());
    };
    let mut body = Vec::new();
    put(&mut body, "Atelier with flacenc");
    body.extend_from_slice(&(fields.len() as u32).to_le_bytes());
    fields.iter().for_each(|field| put(&mut body, field));
    body
}

/// Reads a FLAC from anybody, and the studio's recipe where there is one.
///
/// # Errors
/// When it is no whole FLAC.
pub fn read(bytes: &[u8]) -> Result<Sound> {
    let sound = audio::read(bytes)?;
    Ok(Sound { comment: field(bytes, RECIPE), ..sound })
}

/// The value of a field of the Vorbis comment, by its name in any case.
pub fn field(bytes: &[u8], name: &str) -> Option<String> {
    let mut rest = bytes.strip_prefix(b"fLaC")?;
    loop {
        let ([kind, size @ ..], after) = rest.split_first_chunk::<4>()?;
        let size = u32::from_be_bytes([0, size[0], size[1], size[2]]) as usize;
        let (body, next) = after.split_at_checked(size)?;
        if kind & !LAST == COMMENT_BLOCK {
            return value_of(body, name);
        }
        if kind & LAST != 0 {
            return None;
        }
        rest = next;
    }
}

fn value_of(body: &[u8], name: &str) -> Option<String> {
    let (_vendor, rest) = text(body)?;
    let (count, mut rest) = rest.split_first_chunk::<4>()?;
    for _ in 0..u32::from_le_bytes(*count) {
        let (field, after) = text(rest)?;
        rest = after;
        let Some((key, value)) = field.split_at_checked(name.len()) else { continue };
        if key.eq_ignore_ascii_case(name.as_bytes())
            && let Some(value) = value.strip_prefix(b"=")
        {
            return Some(String::from_utf8_lossy(value).into_owned());
        }
    }
    None
}

/// The bytes that follow their length, and what is behind them.
fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (size, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*size) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tones, noise, silence and full scale: what takes every kind of subframe.
    fn sound(frames: usize, channels: usize) -> Vec<f32> {
        let mut seed = 7_u32;
        let mut noise = move || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..frames * channels)
            .map(|i| {
                let (t, channel) = (i / channels, i % channels);
                match t / 5_000 % 5 {
                    0 => ((t as f32) * (0.05 + 0.01 * channel as f32)).sin() * 0.7,
                    1 => noise(),
                    2 => 0.0,
                    3 => [1.0, -1.0, f32::NAN, 2.0][t % 4],
                    _ => ((t as f32) * 0.05).sin() * 0.6 + 0.001 * noise(),
                }
            })
            .collect()
    }

    #[test]
    fn another_decoder_gets_every_bit_back() {
        for depth in [Depth::Int16, Depth::Int24] {
            for (frames, channels) in [(1, 1), (15, 1), (31, 2), (4_096, 1), (4_097, 2), (30_001, 1), (12_000, 2)] {
                let samples = sound(frames, channels);
                let shape = (44_100, channels as u16);
                let bytes = encode(&samples, shape, depth, Some(("{\"a\": \"你好\"}", "id"))).expect("FLAC");
                assert!(bytes.len() < 500 + samples.len() * 4, "{depth:?} {frames} {channels}: {} bytes", bytes.len());
                let file = read(&bytes).unwrap_or_else(|why| panic!("{frames} {channels}: {why}"));
                assert_eq!((file.sample_rate_hz, file.channels), shape);
                assert_eq!(file.bits, if depth == Depth::Int16 { 16 } else { 24 });
                assert!(file.samples == wav::as_stored(&samples, depth), "{depth:?} {frames} {channels}");
                assert_eq!(file.comment.as_deref(), Some("{\"a\": \"你好\"}"));
                assert!(field(&bytes, "aigc").expect("a label").contains("\"ProduceID\":\"id\""));
                assert_eq!(bytes, encode(&samples, shape, depth, Some(("{\"a\": \"你好\"}", "id"))).expect("again"));
            }
        }
        assert!(encode(&[], (16_000, 1), Depth::Int16, None).is_err());
        let samples = sound(5_000, 1);
        let bytes = encode(&samples, (16_000, 1), Depth::Float32, None).expect("FLAC");
        assert!(bytes.len() < 2 * samples.len() && is_flac(&bytes));
        assert_eq!((read(&bytes).expect("read").comment, field(&bytes, "COMMENT")), (None, None));
    }

    #[test]
    fn what_flac_cannot_hold_is_refused() {
        let long = "x".repeat(MOST_BLOCK_BYTES);
        for (shape, recipe) in [((44_100, 9), None), ((192_001, 1), None), ((8_000, 1), Some((long.as_str(), "id")))] {
            let why = encode(&[0.0; 90], shape, Depth::Int16, recipe).expect_err("refused").to_string();
            assert!(why.ends_with("save a WAV instead."), "{why}");
        }
    }

    #[test]
    fn damaged_files_are_refused() {
        let good = encode(&sound(9_000, 1), (16_000, 1), Depth::Int16, Some(("recipe", "id"))).expect("FLAC");
        for cut in (0..good.len()).step_by(97) {
            assert!(read(&good[..cut]).is_err(), "{cut}");
            let _ = field(&good[..cut], RECIPE);
        }
        let mut bad = good;
        let middle = bad.len() / 2;
        bad[middle] ^= 4;
        assert!(read(&bad).is_err());
    }
}
