//! Pictures in the forms that people ask for besides PNG: JPEG, WebP (lossless) and SVG outlines, labelled by XMP as made by
//! a model. In JPEG the packet stands in a segment of its own (XMP specification, part 3, 1.1.3), in WebP in a chunk.

use image::{ExtendedColorType, ImageEncoder as _, codecs::jpeg::JpegEncoder, codecs::webp::WebPEncoder};

use super::{outline, riff::chunk};
use crate::{Error, Result};

/// Of JPEG, 1..=100.
const QUALITY: u8 = 92;

/// The picture as a file with this ending (`jpg`, `jpeg`, `webp`, `svg`), and `xmp` inside; `None` of other endings.
///
/// # Errors
/// When the picture is empty, or too large for the form.
pub fn encode(ending: &str, (width, height): (u32, u32), rgb: &[u8], xmp: &str) -> Result<Option<Vec<u8>>> {
    let written = match ending.to_ascii_lowercase().as_str() {
        "jpg" | "jpeg" => jpeg(width, height, rgb, xmp),
        "webp" => webp(width, height, rgb, xmp),
        "svg" => Ok(outline::svg(width, height, rgb, xmp).into_bytes()),
        _ => return Ok(None),
    };
    written.map(Some).map_err(|why| {
        Error::new(
            format!("Could not save the picture of {width} × {height} pixels as {ending}: {why}; choose PNG."),
            format!("无法将 {width} × {height} 像素的图片保存为 {ending}：{why}；请选择 PNG。"),
        )
    })
}

fn jpeg(width: u32, height: u32, rgb: &[u8], xmp: &str) -> image::ImageResult<Vec<u8>> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, QUALITY).write_image(rgb, width, height, ExtendedColorType::Rgb8)?;
    let packet = [b"http://ns.adobe.com/xap/1.0/\0", xmp.as_bytes()].concat();
    if let Ok(length) = u16::try_from(packet.len() + 2) {
        let segment = [&[0xFF, 0xE1], length.to_be_bytes().as_slice(), &packet].concat();
        // Behind the JFIF segment, which must be the first.
        let at = match bytes.get(2..6) {
            Some(&[0xFF, 0xE0, high, low]) => 4 + usize::from(u16::from_be_bytes([high, low])),
            _ => 2,
        };
        bytes.splice(at..at, segment);
    }
    Ok(bytes)
}

fn webp(width: u32, height: u32, rgb: &[u8], xmp: &str) -> image::ImageResult<Vec<u8>> {
    let mut plain = Vec::new();
    WebPEncoder::new_lossless(&mut plain).write_image(rgb, width, height, ExtendedColorType::Rgb8)?;
    // The extended form: what is inside, the canvas, the picture's own chunk, the packet.
    const HAS_XMP: u8 = 4;
    let mut canvas = vec![HAS_XMP, 0, 0, 0];
    canvas.extend(
        [width - 1, height - 1].into_iter().flat_map(|side| [side as u8, (side >> 8) as u8, (side >> 16) as u8]),
    );
    let mut body = b"WEBP".to_vec();
    chunk(&mut body, b"VP8X", &canvas);
    body.extend_from_slice(&plain[12..]);
    chunk(&mut body, b"XMP ", xmp.as_bytes());
    let mut bytes = Vec::with_capacity(body.len() + 8);
    chunk(&mut bytes, b"RIFF", &body);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::png::{Share, label};

    #[test]
    fn each_form_reads_back_with_its_label() {
        let (width, height) = (21, 10);
        let rgb: Vec<u8> =
            (0..width * height).flat_map(|at| [(at % 21 * 12) as u8, (at / 21 * 25) as u8, 90]).collect();
        let xmp = label(Share::Whole, "0123");
        for (ending, most) in [("jpg", 12), ("JPEG", 12), ("webp", 0)] {
            let bytes = encode(ending, (width, height), &rgb, &xmp).expect("written").expect("a form");
            let read = image::load_from_memory(&bytes).expect("a picture").into_rgb8();
            assert_eq!(read.dimensions(), (width, height));
            let off = read.as_raw().iter().zip(&rgb).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(off <= Some(most), "{ending}: {off:?}");
            assert!(bytes.windows(xmp.len()).any(|part| part == xmp.as_bytes()), "{ending}");
        }
        let svg = encode("svg", (width, height), &rgb, &xmp).expect("written").expect("a form");
        assert!(String::from_utf8(svg).is_ok_and(|svg| svg.contains("trainedAlgorithmicMedia")));
        assert_eq!(encode("png", (width, height), &rgb, &xmp).expect("no form"), None);
        assert!(encode("jpg", (70_000, 1), &[0; 210_000], &xmp).expect_err("refused").to_string().contains("PNG"));
    }
}
