//! Moving pictures: APNG (PNG, third edition, section 8) and GIF (89a), both repeated for ever.

use image::{Delay, Frame, RgbaImage, codecs::gif};
use png::{BitDepth, ColorType, Compression, Encoder, Filter};

use super::{
    hash::sha256_of_bytes,
    png::{Share, XMP, label, too_large},
};
use crate::{Error, Result};

/// Pictures of one size, shown one after another.
pub struct Film<'a> {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Red, green, blue of each picture, a byte each, row after row.
    pub frames: &'a [Vec<u8>],
    /// Pictures a second, 1..=100.
    pub rate: u32,
}

/// What all the pictures may have together, in pixels.
const MOST_PIXELS: u64 = 1 << 28;

impl Film<'_> {
    fn check(&self) -> Result<()> {
        let one = u64::from(self.width) * u64::from(self.height);
        if one == 0 || self.frames.is_empty() || self.frames.iter().any(|frame| frame.len() as u64 != 3 * one) {
            return Err(Error::new("There are no pictures to save as a film.", "没有可保存为动画的图片。"));
        }
        if !(1..=100).contains(&self.rate) {
            return Err(Error::new(
                format!("{} pictures a second are out of range; choose from 1 to 100.", self.rate),
                format!("每秒 {} 张超出范围，请取 1 到 100。", self.rate),
            ));
        }
        if self.frames.len() as u64 * one > MOST_PIXELS {
            return Err(too_large(self.width, self.height.saturating_mul(self.frames.len() as u32)));
        }
        Ok(())
    }

    /// As APNG, with the label of generated pictures inside. What cannot show it shows the first picture.
    ///
    /// # Errors
    /// When there are no pictures, or too many.
    pub fn apng(&self) -> Result<Vec<u8>> {
        self.check()?;
        let mut out = Vec::new();
        let written = (|| {
            let mut encoder = Encoder::new(&mut out, self.width, self.height);
            encoder.set_color(ColorType::Rgb);
            encoder.set_depth(BitDepth::Eight);
            encoder.set_compression(Compression::Balanced);
            encoder.set_filter(Filter::Adaptive);
            encoder.set_animated(self.frames.len() as u32, 0)?;
            encoder.set_frame_delay(1, self.rate as u16)?;
            encoder.add_itxt_chunk(XMP.to_owned(), label(Share::Whole, &sha256_of_bytes(&self.frames.concat())))?;
            let mut writer = encoder.write_header()?;
            for frame in self.frames {
                writer.write_image_data(frame)?;
            }
            writer.finish()
        })();
        written.map_err(|why| failed(&why.to_string()))?;
        Ok(out)
    }

    /// As GIF, with the label inside: 256 colours for each picture, and times in hundredths of a second.
    ///
    /// # Errors
    /// When there are no pictures, too many, larger ones than 65,535 pixels, or more than 50 a second: browsers slow
    /// such down to ten.
    pub fn gif(&self) -> Result<Vec<u8>> {
        self.check()?;
        if self.rate > 50 {
            return Err(Error::new(
                "A GIF shows at most 50 pictures a second; choose fewer, or APNG.",
                "GIF 每秒最多显示 50 张图片；请减少，或选择 APNG。",
            ));
        }
        if self.width.max(self.height) > u32::from(u16::MAX) {
            return Err(too_large(self.width, self.height));
        }
        let mut out = Vec::new();
        let mut encoder = gif::GifEncoder::new_with_speed(&mut out, 10);
        let written = encoder.set_repeat(gif::Repeat::Infinite).and_then(|()| {
            self.frames.iter().zip(0_u32..).try_for_each(|(frame, index)| {
                let rgba = frame.chunks_exact(3).flat_map(|rgb| [rgb[0], rgb[1], rgb[2], 255]).collect();
                let picture = RgbaImage::from_raw(self.width, self.height, rgba).unwrap_or_default();
                // Whole hundredths, whose rounding carries over to the next picture.
                let hundredths = |count: u32| (100 * count + self.rate / 2) / self.rate;
                let delay = Delay::from_numer_denom_ms(10 * (hundredths(index + 1) - hundredths(index)), 1);
                encoder.encode_frame(Frame::from_parts(picture, 0, 0, delay))
            })
        });
        written.map_err(|why| failed(&why.to_string()))?;
        drop(encoder);
        // An application extension before the end: the packet, and a trailer that leads readers of blocks out of it (XMP
        // specification, part 3, 1.1.2).
        let end = out.pop();
        out.extend_from_slice(b"\x21\xFF\x0BXMP DataXMP");
        out.extend_from_slice(label(Share::Whole, &sha256_of_bytes(&self.frames.concat())).as_bytes());
        out.push(1);
        out.extend((0..=255).rev());
        out.push(0);
        out.extend(end);
        Ok(out)
    }
}

fn failed(why: &str) -> Error {
    Error::new(format!("The film could not be made: {why}."), format!("无法生成动画：{why}。"))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{AnimationDecoder as _, codecs::png::PngDecoder};

    use super::*;
    use crate::formats::png::{XMP, read};

    fn frames() -> Vec<Vec<u8>> {
        (0..5_u8).map(|k| (0..8 * 6_u8).flat_map(|at| [at * 5, k * 50, 255 - at * 5]).collect()).collect()
    }

    #[test]
    fn films_come_back_picture_by_picture() {
        let frames = frames();
        let film = Film { width: 8, height: 6, frames: &frames, rate: 25 };
        let apng = film.apng().expect("APNG");
        let decoder = PngDecoder::new(Cursor::new(&apng)).and_then(PngDecoder::apng).expect("animated");
        let read_back = decoder.into_frames().collect_frames().expect("frames");
        assert_eq!(read_back.len(), 5);
        for (frame, want) in read_back.iter().zip(&frames) {
            assert_eq!(frame.delay().numer_denom_ms(), (40, 1));
            let rgb: Vec<u8> = frame.buffer().pixels().flat_map(|p| [p[0], p[1], p[2]]).collect();
            assert_eq!(&rgb, want);
        }
        let still = read(&apng).expect("a still");
        assert!(still.rgb == frames[0] && still.text(XMP).is_some_and(|text| text.contains("trainedAlgorithmicMedia")));
        let gif = film.gif().expect("GIF");
        let decoder = gif::GifDecoder::new(Cursor::new(&gif)).expect("a GIF");
        let read_back = decoder.into_frames().collect_frames().expect("frames");
        assert_eq!(read_back.len(), 5);
        for (frame, want) in read_back.iter().zip(&frames) {
            assert_eq!(frame.delay().numer_denom_ms(), (40, 1));
            let off = frame.buffer().pixels().zip(want.chunks_exact(3)).map(|(p, w)| p[2].abs_diff(w[2])).max();
            assert!(off <= Some(12), "{off:?}");
        }
        assert!(gif.windows(11).any(|bytes| bytes == b"NETSCAPE2.0"), "it repeats");
        assert_eq!(film.gif().expect("GIF"), gif);
        // Thirty a second: three, three and four hundredths in turn.
        let many: Vec<Vec<u8>> = (0..30).map(|_| frames[0].clone()).collect();
        let gif = Film { width: 8, height: 6, frames: &many, rate: 30 }.gif().expect("GIF");
        let decoder = gif::GifDecoder::new(Cursor::new(&gif)).expect("a GIF");
        let all = decoder.into_frames().collect_frames().expect("frames");
        assert_eq!(all.iter().map(|frame| frame.delay().numer_denom_ms().0).sum::<u32>(), 1000);
        assert!(Film { width: 8, height: 6, frames: &many, rate: 51 }.gif().is_err());
    }

    #[test]
    fn senseless_films_are_refused() {
        let frames = frames();
        let film = |width, frames: &[Vec<u8>], rate| {
            let film = Film { width, height: 6, frames, rate };
            film.apng().is_err() && film.gif().is_err()
        };
        assert!(film(8, &[], 25) && film(7, &frames, 25) && film(8, &frames, 0) && film(8, &frames, 101));
        assert!(film(0, &[Vec::new()], 25));
    }
}
