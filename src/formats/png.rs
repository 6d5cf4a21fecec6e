//! PNG files with texts inside: what made the picture, and what labels it as made by a machine (PNG, third edition;
//! texts as `iTXt`, section 11.3.3.4).

use std::{borrow::Cow, io::Cursor};

use png::{BitDepth, ColorType, Compression, Decoder, DecodingError, Encoder, Filter, Limits, Transformations};

use super::label;
use crate::{Error, Result};

/// The keyword under which the studio keeps its recipe.
pub const RECIPE: &str = "atelier";
/// The keyword of an XMP packet.
pub const XMP: &str = "XML:com.adobe.xmp";

/// Pixels that a picture may have: 16,384 × 16,384.
pub const MOST_PIXELS: u64 = 1 << 28;
/// Bytes of a single text, unpacked.
const MOST_TEXT_BYTES: usize = 64 << 20;
/// No deflate stream unpacks to more than this many times its length.
const DEFLATE_RATIO: u64 = 1032;

/// What a PNG file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PngFile {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Red, green, blue, a byte each, row after row. Grey is repeated, 16 bits are cut to 8, and what is transparent
    /// shows white.
    pub rgb: Vec<u8>,
    /// Keywords and their texts, in the file's order within each of PNG's three forms of text.
    pub texts: Vec<(String, String)>,
}

/// The recipe of another program, as it wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignRecipe {
    /// The program that writes such recipes.
    pub program: &'static str,
    /// The keyword it uses.
    pub keyword: &'static str,
    /// The recipe: for people with `parameters`, JSON with the others.
    pub text: String,
}

/// Where other programs keep their recipes.
const FOREIGN: [(&str, &str); 5] = [
    ("AUTOMATIC1111", "parameters"),
    ("ComfyUI", "prompt"),
    ("ComfyUI", "workflow"),
    ("InvokeAI", "invokeai_metadata"),
    ("InvokeAI", "sd-metadata"),
];

impl PngFile {
    /// The text under `keyword`.
    pub fn text(&self, keyword: &str) -> Option<&str> {
        self.texts.iter().find(|(name, _)| name == keyword).map(|(_, text)| text.as_str())
    }

    /// The recipes that other programs left in it.
    pub fn foreign_recipes(&self) -> Vec<ForeignRecipe> {
        let found = |(program, keyword): &(&'static str, &'static str)| {
            let text = self.text(keyword)?.to_owned();
            Some(ForeignRecipe { program, keyword, text })
        };
        FOREIGN.iter().filter_map(found).collect()
    }
}

/// A PNG of `rgb` (`width · height · 3` bytes) with `texts`, each a keyword and its text. The same picture gives the
/// same bytes.
///
/// # Errors
/// When the picture is empty, `rgb` has another length, or a keyword is none.
pub fn encode(width: u32, height: u32, rgb: &[u8], texts: &[(&str, &str)]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let written = (|| {
        let mut encoder = Encoder::new(&mut out, width, height);
        encoder.set_color(ColorType::Rgb);
        encoder.set_depth(BitDepth::Eight);
        encoder.set_compression(Compression::Balanced);
        encoder.set_filter(Filter::Adaptive);
        for (keyword, text) in texts {
            encoder.add_itxt_chunk((*keyword).to_owned(), (*text).to_owned())?;
        }
        let mut writer = encoder.write_header()?;
        writer.write_image_data(rgb)?;
        writer.finish()
    })();
    written.map_err(|why| {
        Error::new(
            format!("Could not put the picture of {width} × {height} pixels into a PNG: {why}."),
            format!("无法将 {width} × {height} 像素的图片写成 PNG：{why}。"),
        )
    })?;
    Ok(out)
}

/// Reads a PNG from anybody.
///
/// # Errors
/// When it is no whole PNG, or larger than [`MOST_PIXELS`].
pub fn read(bytes: &[u8]) -> Result<PngFile> {
    let damaged = |why: &DecodingError| {
        Error::new(
            format!("This is no whole PNG ({why}); fetch it again, or save it anew where it came from."),
            format!("这不是完整的 PNG（{why}），请重新获取或重新保存。"),
        )
    };
    // Enough for the texts and a row; the pixels are bounded below.
    let limits = Limits { bytes: MOST_TEXT_BYTES + 4 * bytes.len() };
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let mut reader = decoder.read_info().map_err(|why| damaged(&why))?;
    let (width, height) = (reader.info().width, reader.info().height);
    check_size(width, height, bytes.len(), reader.info().bits_per_pixel() as u64)?;
    let channels = reader.output_color_type().0.samples();
    let interlaced = reader.info().interlaced;
    let mut rgb = Vec::new();
    if interlaced {
        let size = reader.output_buffer_size().unwrap_or_default();
        let mut pixels = vec![0; size];
        reader.next_frame(&mut pixels).map_err(|why| damaged(&why))?;
        to_rgb(&pixels, channels, &mut rgb);
    } else {
        while let Some(row) = reader.next_row().map_err(|why| damaged(&why))? {
            to_rgb(row.data(), channels, &mut rgb);
        }
    }
    // Texts may stand behind the pixels too; a file whose end is missing has its picture all the same.
    let _ = reader.finish();
    if rgb.len() as u64 != u64::from(width) * u64::from(height) * 3 {
        return Err(damaged(&DecodingError::IoError(std::io::ErrorKind::UnexpectedEof.into())));
    }
    Ok(PngFile { width, height, rgb, texts: texts(reader.info()) })
}

/// Refuses what no memory should be given for: too many pixels, or more than the file's bytes can unpack to.
fn check_size(width: u32, height: u32, bytes: usize, bits_per_pixel: u64) -> Result<()> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels > MOST_PIXELS {
        return Err(too_large(width, height));
    }
    if pixels * bits_per_pixel / 8 > bytes as u64 * DEFLATE_RATIO {
        return Err(Error::new(
            format!(
                "This PNG says it has {width} × {height} pixels, which its {bytes} bytes cannot hold; fetch it again."
            ),
            format!("该 PNG 声称有 {width} × {height} 像素，但 {bytes} 字节装不下，请重新获取。"),
        ));
    }
    Ok(())
}

/// The sentence for a picture with more than [`MOST_PIXELS`].
pub fn too_large(width: u32, height: u32) -> Error {
    let (have, most) = ((u64::from(width) * u64::from(height)) / 1_000_000, MOST_PIXELS / 1_000_000);
    Error::new(
        format!(
            "The picture has {width} × {height} pixels; {have} million are more than the {most} million that fit, so make it smaller first."
        ),
        format!("图片有 {width} × {height} 像素，{have} 百万像素超过上限 {most} 百万，请先缩小。"),
    )
}

/// Appends pixels of one to four channels (grey, grey and alpha, colour, colour and alpha) as colour on white.
fn to_rgb(pixels: &[u8], channels: usize, rgb: &mut Vec<u8>) {
    let on_white = |value: u8, alpha: u8| {
        let (value, alpha) = (u32::from(value), u32::from(alpha));
        ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    match channels {
        1 => rgb.extend(pixels.iter().flat_map(|grey| [*grey; 3])),
        2 => rgb.extend(pixels.chunks_exact(2).flat_map(|pixel| [on_white(pixel[0], pixel[1]); 3])),
        3 => rgb.extend_from_slice(pixels),
        _ => rgb.extend(
            pixels.chunks_exact(4).flat_map(|pixel| [0, 1, 2].map(|channel| on_white(pixel[channel], pixel[3]))),
        ),
    }
}

fn texts(info: &png::Info<'_>) -> Vec<(String, String)> {
    let plain = info.uncompressed_latin1_text.iter().map(|chunk| (chunk.keyword.clone(), chunk.text.clone()));
    let mut found: Vec<_> = plain.collect();
    // One that does not unpack is left out: the picture is still good.
    for chunk in &info.compressed_latin1_text {
        let mut chunk = chunk.clone();
        if chunk.decompress_text_with_limit(MOST_TEXT_BYTES).is_ok()
            && let Ok(text) = chunk.get_text()
        {
            found.push((chunk.keyword, text));
        }
    }
    for chunk in &info.utf8_text {
        let mut chunk = chunk.clone();
        if chunk.decompress_text_with_limit(MOST_TEXT_BYTES).is_ok()
            && let Ok(text) = chunk.get_text()
        {
            found.push((chunk.keyword, text));
        }
    }
    found
}

/// How much of a picture a model made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// All of it.
    Whole,
    /// What a person had made or photographed was worked over by a model.
    Part,
}

/// The XMP packet that labels a picture as made by a model: IPTC's Digital Source Type, and the `AIGC` label of
/// GB 45438-2025. `id` names the output; its SHA-256 is a good one.
pub fn label(share: Share, id: &str) -> String {
    let source = match share {
        Share::Whole => "trainedAlgorithmicMedia",
        Share::Part => "compositeWithTrainedAlgorithmicMedia",
    };
    let aigc = escaped(&label::aigc(id)).into_owned();
    format!(
        r#"<?xpacket begin="{bom}" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/">
   <Iptc4xmpExt:DigitalSourceType>http://cv.iptc.org/newscodes/digitalsourcetype/{source}</Iptc4xmpExt:DigitalSourceType>
   <xmp:CreatorTool>Atelier {version}</xmp:CreatorTool>
   <TC260:AIGC>{aigc}</TC260:AIGC>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"#,
        bom = '\u{feff}',
        version = env!("CARGO_PKG_VERSION"),
    )
}

/// Text as XML has it.
fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>']) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradient(width: u32, height: u32) -> Vec<u8> {
        (0..width * height).flat_map(|i| [(i % 251) as u8, (i / 7 % 256) as u8, (i * 31 % 256) as u8]).collect()
    }

    /// A PNG as another program may write it.
    fn other(color: ColorType, depth: BitDepth, width: u32, pixels: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = Encoder::new(&mut out, width, 1);
        encoder.set_color(color);
        encoder.set_depth(depth);
        encoder.add_text_chunk("parameters".to_owned(), "a cat\nSteps: 20".to_owned()).expect("text");
        encoder.add_ztxt_chunk("workflow".to_owned(), "{\"nodes\": []}".to_owned()).expect("text");
        let mut writer = encoder.write_header().expect("header");
        writer.write_image_data(pixels).expect("pixels");
        writer.finish().expect("end");
        out
    }

    #[test]
    fn pixels_and_texts_come_back_and_bytes_are_the_same() {
        let rgb = gradient(37, 23);
        let label = label(Share::Whole, "00ff");
        let texts = [(RECIPE, "{\"格式\": 1}"), (XMP, label.as_str())];
        let bytes = encode(37, 23, &rgb, &texts).expect("encode");
        assert_eq!(bytes, encode(37, 23, &rgb, &texts).expect("again"));
        let file = read(&bytes).expect("read");
        assert_eq!((file.width, file.height, &file.rgb), (37, 23, &rgb));
        assert_eq!(file.text(RECIPE), Some("{\"格式\": 1}"));
        assert!(file.text(XMP).expect("label").contains("digitalsourcetype/trainedAlgorithmicMedia<"));
        assert!(file.text(XMP).expect("label").contains("\"ProduceID\":\"00ff\""));
        assert!(file.foreign_recipes().is_empty());
    }

    #[test]
    fn other_programs_files_are_read_with_their_recipes() {
        let grey = read(&other(ColorType::Grayscale, BitDepth::Eight, 2, &[7, 200])).expect("grey");
        assert_eq!(grey.rgb, [7, 7, 7, 200, 200, 200]);
        let found = grey.foreign_recipes();
        assert_eq!(found.iter().map(|recipe| recipe.program).collect::<Vec<_>>(), ["AUTOMATIC1111", "ComfyUI"]);
        assert_eq!(found[0].text, "a cat\nSteps: 20");
        let clear = read(&other(ColorType::Rgba, BitDepth::Eight, 2, &[9, 9, 9, 0, 1, 2, 3, 255])).expect("clear");
        assert_eq!(clear.rgb, [255, 255, 255, 1, 2, 3]);
        let deep = read(&other(ColorType::Rgb, BitDepth::Sixteen, 1, &[1, 0, 2, 0, 3, 0])).expect("deep");
        assert_eq!(deep.rgb, [1, 2, 3]);
    }

    #[test]
    fn damage_is_refused_or_harmless() {
        let good = encode(19, 11, &gradient(19, 11), &[(RECIPE, "{}")]).expect("encode");
        for cut in 0..good.len() - 12 {
            let read = read(&good[..cut]);
            // Only the checksum and the end of the file may be missing.
            assert!(read.is_err() || cut + 20 > good.len(), "cut at {cut}");
        }
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            let _ = read(&bad);
        }
        assert!(read(b"").is_err() && read(b"hello, this is text").is_err());
    }

    #[test]
    fn sizes_that_cannot_be_are_refused_before_memory_is_taken() {
        let with_size = |width: u32, height: u32| {
            let mut bytes = encode(8, 8, &gradient(8, 8), &[]).expect("encode");
            bytes[16..20].copy_from_slice(&width.to_be_bytes());
            bytes[20..24].copy_from_slice(&height.to_be_bytes());
            let crc = crc32(&bytes[12..29]).to_be_bytes();
            bytes[29..33].copy_from_slice(&crc);
            read(&bytes).expect_err("impossible").to_string()
        };
        assert!(with_size(20_000, 20_000).contains("make it smaller"), "{}", with_size(20_000, 20_000));
        assert!(with_size(10_000, 10_000).contains("cannot hold"), "{}", with_size(10_000, 10_000));
        assert!(encode(0, 4, &[], &[]).is_err() && encode(2, 2, &[0; 11], &[]).is_err());
    }

    /// The checksum of PNG, bit by bit.
    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
        })
    }
}
