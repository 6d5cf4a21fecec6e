//! The tiles of a picture, each with its surroundings.

use super::Picture;

/// A tile: what it contributes and what is computed for it, as `start..end` along x and y in pixels of the small picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tile {
    inner: [(u32, u32); 2],
    outer: [(u32, u32); 2],
}

/// Tiles of at most `side` × `side` pixels that cover a picture of `size`, about equally large, with `overlap` pixels
/// around each, where the picture has them, from multiples of `fold` on: networks that fold pixels see the same ones together.
pub(super) fn tiles(size: [u32; 2], side: u32, overlap: u32, fold: u32) -> Vec<Tile> {
    let cut = |length: u32| -> Vec<(u32, u32)> {
        let count = u64::from(length.div_ceil(side));
        let edge = |k: u64| (u64::from(length) * k / count) as u32;
        (0..count).map(|k| (edge(k), edge(k + 1))).collect()
    };
    let around = |(start, end): (u32, u32), length: u32| {
        let (first, last) = (start.saturating_sub(overlap), end.saturating_add(overlap));
        (first / fold * fold, last.div_ceil(fold).saturating_mul(fold).min(length))
    };
    let [columns, rows] = size.map(cut);
    let mut tiles = Vec::new();
    for y in &rows {
        for x in &columns {
            tiles.push(Tile { inner: [*x, *y], outer: [around(*x, size[0]), around(*y, size[1])] });
        }
    }
    tiles
}

impl Tile {
    /// Width and height of what is computed.
    pub(super) fn outer_size(&self) -> [u32; 2] {
        self.outer.map(|(start, end)| end - start)
    }

    /// Pixels that are computed.
    pub(super) fn area(&self) -> f64 {
        let [width, height] = self.outer_size();
        f64::from(width) * f64::from(height)
    }

    /// The tile and its surroundings as planes of numbers in 0..1.
    pub(super) fn cut(&self, picture: &Picture) -> Vec<f32> {
        let [(left, right), (top, bottom)] = self.outer;
        let mut planes = Vec::with_capacity(self.area() as usize * 3);
        for channel in 0..3 {
            for y in top..bottom {
                let row = y as usize * picture.width as usize;
                let pixels = &picture.rgb[(row + left as usize) * 3..(row + right as usize) * 3];
                planes.extend(pixels.iter().skip(channel).step_by(3).map(|byte| f32::from(*byte) / 255.0));
            }
        }
        planes
    }

    /// Puts the middle of `planes`, the tile and its surroundings enlarged, into its place in `out`.
    pub(super) fn paste(&self, planes: &[f32], scale: u32, out: &mut Picture) {
        let [width, height] = self.outer_size().map(|size| (size * scale) as usize);
        let [(left, right), (top, bottom)] = self.inner;
        // What is not a number becomes 0.
        let byte = |value: f32| (value * 255.0).round_ties_even().clamp(0.0, 255.0) as u8;
        let (from_x, from_y) = ((left - self.outer[0].0) * scale, (top - self.outer[1].0) * scale);
        for y in 0..((bottom - top) * scale) as usize {
            let to = ((top * scale) as usize + y) * out.width as usize + (left * scale) as usize;
            for x in 0..((right - left) * scale) as usize {
                let from = (from_y as usize + y) * width + from_x as usize + x;
                for channel in 0..3 {
                    out.rgb[(to + x) * 3 + channel] = byte(planes[channel * width * height + from]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_every_pixel_once_and_bring_it_back() {
        let (width, height) = (53, 31);
        let rgb: Vec<u8> = (0..width * height * 3).map(|i| (i % 256) as u8).collect();
        let picture = Picture { width, height, rgb };
        for (side, overlap) in [(1, 0), (16, 5), (17, 40), (100, 3)] {
            let mut out = Picture { rgb: vec![0; picture.rgb.len()], ..picture.clone() };
            let mut covered = 0;
            for tile in tiles([width, height], side, overlap, 1) {
                tile.paste(&tile.cut(&picture), 1, &mut out);
                covered += tile.inner.map(|(start, end)| end - start).iter().product::<u32>();
                assert!(tile.inner.iter().all(|(start, end)| end > start && end - start <= side));
            }
            assert_eq!((&out, covered), (&picture, width * height), "{side} {overlap}");
        }
    }
}
