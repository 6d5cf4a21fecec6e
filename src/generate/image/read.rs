//! Pictures that people give: PNG, JPEG, WebP, GIF, whatever they are stored as.

use std::{io::Cursor, path::Path};

use image::{DynamicImage, ImageDecoder as _, ImageReader};

use super::Picture;
use crate::{
    Error, Result, files,
    formats::png::{MOST_PIXELS, too_large},
};

/// The largest file that is read.
const MOST_FILE_BYTES: u64 = 256 << 20;
/// The most memory that decoding may take.
const MOST_DECODED_BYTES: u64 = 2 << 30;

impl Picture {
    /// The picture in the file at `path`.
    ///
    /// # Errors
    /// As [`Picture::decode`], or when the file cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        Self::decode(&files::read_bytes(path, MOST_FILE_BYTES)?, path)
    }

    /// The picture in `bytes`, upright as its camera says, what shows through in front of white. `path` is named in errors.
    ///
    /// # Errors
    /// When it is no picture of a known kind, is damaged, or has too many pixels.
    pub fn decode(bytes: &[u8], path: &Path) -> Result<Self> {
        let name = path.display();
        let unread = |_| {
            Error::new(
                format!("“{name}” cannot be read as a picture; choose a whole PNG, JPEG, WebP or GIF."),
                format!("无法将“{name}”读作图片，请选择完整的 PNG、JPEG、WebP 或 GIF。"),
            )
        };
        let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|why| unread(why.into()))?;
        let mut decoder = reader.into_decoder().map_err(unread)?;
        let (width, height) = decoder.dimensions();
        if u64::from(width) * u64::from(height) > MOST_PIXELS || decoder.total_bytes() > MOST_DECODED_BYTES {
            return Err(too_large(width, height));
        }
        let orientation = decoder.orientation().map_err(unread)?;
        let mut decoded = DynamicImage::from_decoder(decoder).map_err(unread)?;
        decoded.apply_orientation(orientation);
        let (width, height) = (decoded.width(), decoded.height());
        if !decoded.color().has_alpha() {
            return Ok(Self { width, height, rgb: decoded.into_rgb8().into_raw() });
        }
        let mut rgb = Vec::with_capacity(width as usize * height as usize * 3);
        for pixel in decoded.into_rgba8().pixels() {
            let [colour @ .., alpha] = pixel.0;
            let over = |value: u8| (u16::from(value) * u16::from(alpha) / 255 + 255 - u16::from(alpha)) as u8;
            rgb.extend(colour.map(over));
        }
        Ok(Self { width, height, rgb })
    }
}

#[cfg(test)]
mod tests {
    use image::{ImageFormat, Rgba, RgbaImage};

    use super::*;

    #[test]
    fn pictures_of_every_kind_are_read_and_others_refused() {
        let of = |format: ImageFormat| {
            let mut bytes = Vec::new();
            let mut picture = RgbaImage::from_pixel(5, 3, Rgba([200, 100, 50, 255]));
            picture.put_pixel(4, 2, Rgba([0, 0, 0, 0]));
            let picture = DynamicImage::ImageRgba8(picture);
            let picture = if format == ImageFormat::Jpeg { picture.into_rgb8().into() } else { picture };
            picture.write_to(&mut Cursor::new(&mut bytes), format).expect("encode");
            bytes
        };
        let path = Path::new("图.png");
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Gif] {
            let bytes = of(format);
            let read = Picture::decode(&bytes, path).expect("a picture");
            assert_eq!((read.width, read.height, read.rgb.len()), (5, 3, 45), "{format:?}");
            for (found, drawn) in read.rgb.iter().zip([200_u8, 100, 50]) {
                assert!(found.abs_diff(drawn) < 16, "{format:?} {found} {drawn}");
            }
            if format == ImageFormat::Png {
                assert_eq!(read.rgb[42..], [255, 255, 255]);
                for length in 0..bytes.len() - 12 {
                    // Whatever is cut off, the answer is a sentence.
                    if let Err(why) = Picture::decode(&bytes[..length], path) {
                        assert!(why.to_string().contains("图.png"), "{why}");
                    }
                }
            }
        }
        assert!(Picture::decode(b"", path).is_err() && Picture::decode(b"no picture at all", path).is_err());
        // A head that claims 60,000 × 60,000 pixels is answered before memory is taken for them.
        let mut claims = of(ImageFormat::Png);
        claims[16..24].copy_from_slice(&[0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60]);
        assert!(Picture::decode(&claims, path).is_err());
    }
}
