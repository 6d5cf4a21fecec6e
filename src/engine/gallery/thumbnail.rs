//! Small pictures of pictures: made, and kept in the index as JPEG.

use std::io::Cursor;

use image::{
    ExtendedColorType, ImageBuffer, ImageEncoder as _, ImageFormat, ImageReader, Rgb, codecs::jpeg::JpegEncoder,
    imageops,
};

use crate::generate::image::Picture;

/// The longer side in pixels.
pub(super) const SIDE: u32 = 128;
/// Of JPEG, 1..=100.
const QUALITY: u8 = 90;

/// The picture, no larger than a thumbnail.
pub(super) fn of(picture: &Picture) -> Picture {
    if picture.width.max(picture.height) <= SIDE {
        return picture.clone();
    }
    fitted(picture, SIDE)
}

/// The picture with a longer side of `side` pixels.
pub(super) fn fitted(picture: &Picture, side: u32) -> Picture {
    let longer = picture.width.max(picture.height).max(1);
    let [width, height] = [picture.width, picture.height]
        .map(|part| ((u64::from(part) * u64::from(side) / u64::from(longer)) as u32).max(1));
    let Some(view) = ImageBuffer::<Rgb<u8>, &[u8]>::from_raw(picture.width, picture.height, picture.rgb.as_slice())
    else {
        return Picture { width: 1, height: 1, rgb: vec![0; 3] };
    };
    let small = if longer > side {
        imageops::thumbnail(&view, width, height)
    } else {
        imageops::resize(&view, width, height, imageops::FilterType::CatmullRom)
    };
    Picture { width, height, rgb: small.into_raw() }
}

/// A thumbnail as it is kept; empty if it cannot be.
pub(super) fn encoded(thumbnail: &Picture) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, QUALITY);
    let written = encoder.write_image(&thumbnail.rgb, thumbnail.width, thumbnail.height, ExtendedColorType::Rgb8);
    if written.is_err() {
        bytes.clear();
    }
    bytes
}

/// A thumbnail that was kept; `None` when it is none.
pub(super) fn decoded(bytes: &[u8]) -> Option<Picture> {
    let mut limits = image::Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(SIDE), Some(SIDE));
    let mut reader = ImageReader::with_format(Cursor::new(bytes), ImageFormat::Jpeg);
    reader.limits(limits);
    let rgb = reader.decode().ok()?.into_rgb8();
    Some(Picture { width: rgb.width(), height: rgb.height(), rgb: rgb.into_raw() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbnails_keep_their_shape_and_come_back() {
        let rgb = (0..400 * 100).flat_map(|at| [(at % 400 / 2) as u8, 90, 200]).collect();
        let wide = Picture { width: 400, height: 100, rgb };
        let small = of(&wide);
        assert_eq!((small.width, small.height), (128, 32));
        let back = decoded(&encoded(&small)).expect("a picture");
        let off = back.rgb.iter().zip(&small.rgb).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(off <= Some(12), "{off:?}");
        assert_eq!(of(&small), small);
        assert_eq!(fitted(&small, 256).width, 256);
        assert_eq!(fitted(&Picture { width: 9000, height: 1, rgb: vec![7; 27_000] }, 128).height, 1);
        assert!(decoded(&encoded(&wide)).is_none() && decoded(b"no picture").is_none());
    }
}
