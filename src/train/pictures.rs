//! Pictures to learn from, whoever took them.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder as _, ImageError, ImageReader, ImageResult, Limits, error::LimitErrorKind};

/// What a decoded picture may take.
const MOST_BYTES: u64 = 1 << 30;

/// The pixels of a picture as it is meant to be seen: cameras write which side is up. At most `most_side` pixels wide and
/// high.
pub(super) fn decoded(bytes: Vec<u8>, most_side: Option<u32>) -> Result<DynamicImage, String> {
    let decode = || -> ImageResult<DynamicImage> {
        let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
        let mut limits = Limits::default();
        limits.max_alloc = Some(MOST_BYTES);
        (limits.max_image_width, limits.max_image_height) = (most_side, most_side);
        reader.limits(limits);
        let mut decoder = reader.into_decoder()?;
        if decoder.total_bytes() > MOST_BYTES {
            return Err(ImageError::Limits(LimitErrorKind::InsufficientMemory.into()));
        }
        let orientation = decoder.orientation()?;
        let mut picture = DynamicImage::from_decoder(decoder)?;
        picture.apply_orientation(orientation);
        Ok(picture)
    };
    decode().map_err(|why| why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn photographs_are_turned_as_the_camera_was_held() {
        let half = image::GrayImage::from_fn(16, 8, |x, _| image::Luma([if x < 8 { 0 } else { 255 }]));
        let mut jpeg = Vec::new();
        half.write_with_encoder(image::codecs::jpeg::JpegEncoder::new(&mut jpeg)).expect("a JPEG");
        // One entry in the first directory: orientation (0x0112), a short, once: 6, a quarter turn clockwise.
        let exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
        let mut turned = jpeg[..2].to_vec();
        turned.extend([0xFF, 0xE1]);
        turned.extend((exif.len() as u16 + 2).to_be_bytes());
        turned.extend(exif);
        turned.extend(&jpeg[2..]);
        let picture = decoded(turned.clone(), None).expect("a picture").to_luma8();
        assert_eq!(picture.dimensions(), (8, 16));
        assert!(picture.get_pixel(4, 2)[0] < 40 && picture.get_pixel(4, 13)[0] > 215);
        assert_eq!(decoded(jpeg, None).expect("a picture").to_luma8().dimensions(), (16, 8));
        assert!(decoded(turned, Some(10)).is_err());
        assert!(decoded(b"no picture".to_vec(), None).is_err());
    }
}
