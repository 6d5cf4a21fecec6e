//! Pictures on the graphics card: those that were shown lately.

use std::collections::HashMap;

use egui::{ColorImage, Context, TextureHandle, TextureId, TextureOptions};

use super::PictureId;
use crate::generate::image::Picture;

/// Textures that are kept at least; the longest unseen go first.
const MOST: usize = 600;
/// Thumbnails that wait to be seen; they come again if they are needed.
const MOST_WAITING: usize = 1_024;

#[derive(Default)]
pub(super) struct Textures {
    kept: HashMap<PictureId, (TextureHandle, u64)>,
    /// Thumbnails that came and were not seen yet, with what tells the older ones; `None` where there is none.
    waiting: HashMap<PictureId, (Option<Picture>, u64)>,
    put: u64,
    /// Whole pictures that are shown large, by slot.
    large: HashMap<usize, (PictureId, TextureHandle)>,
    preview: Option<(u64, TextureHandle)>,
    /// A picture that is shown several times side by side.
    tiled: Option<(PictureId, TextureHandle)>,
    /// Those of a view's own pictures, by slot, with what each shows.
    sketches: HashMap<usize, ((u64, usize), TextureHandle)>,
    frame: u64,
}

impl Textures {
    /// A new frame: what has not been seen for long is given up.
    pub fn begin(&mut self) {
        self.frame += 1;
        if self.kept.len() > MOST {
            let mut seen: Vec<u64> = self.kept.values().map(|(_, seen)| *seen).collect();
            seen.sort_unstable();
            let oldest = seen[self.kept.len() - MOST];
            let last = self.frame.saturating_sub(1);
            self.kept.retain(|_, (_, seen)| *seen > oldest || *seen >= last);
        }
    }

    /// Takes a thumbnail; `None` when there is none.
    pub fn put(&mut self, id: PictureId, thumbnail: Option<Picture>) {
        self.kept.remove(&id);
        self.put += 1;
        self.waiting.insert(id, (thumbnail, self.put));
        if self.waiting.len() > MOST_WAITING {
            let newest = self.put.saturating_sub(MOST_WAITING as u64 / 2);
            self.waiting.retain(|_, (_, put)| *put > newest);
        }
    }

    /// A picture is not there any more.
    pub fn forget(&mut self, id: PictureId) {
        self.kept.remove(&id);
        self.waiting.remove(&id);
    }

    /// Whether the thumbnail is here.
    pub fn has(&self, id: PictureId) -> bool {
        self.kept.contains_key(&id) || self.waiting.contains_key(&id)
    }

    /// The texture of a thumbnail; `None` when it must be asked for. A picture that has none shows `instead`.
    pub fn of(&mut self, ctx: &Context, id: PictureId, instead: egui::Color32) -> Option<TextureId> {
        if let Some((texture, seen)) = self.kept.get_mut(&id) {
            *seen = self.frame;
            return Some(texture.id());
        }
        let (thumbnail, _) = self.waiting.remove(&id)?;
        let image = thumbnail.map_or_else(|| ColorImage::filled([1, 1], instead), |thumbnail| image(&thumbnail));
        let texture = ctx.load_texture(format!("picture {id}"), image, OPTIONS);
        Some(self.kept.entry(id).or_insert((texture, self.frame)).0.id())
    }

    /// The texture of a whole picture in a slot.
    pub fn large(&mut self, ctx: &Context, slot: usize, id: PictureId, picture: &Picture) -> TextureId {
        let most = ctx.input(|input| input.max_texture_side);
        let load = || (id, ctx.load_texture(format!("large {slot}"), fitted(picture, most), SMALLER));
        let (known, texture) = self.large.entry(slot).or_insert_with(load);
        if *known != id {
            *known = id;
            texture.set(fitted(picture, most), SMALLER);
        }
        texture.id()
    }

    /// The texture of a picture that is shown several times side by side: it goes on where it ends.
    pub fn tiled(&mut self, ctx: &Context, id: PictureId, picture: &Picture) -> TextureId {
        if let Some((_, texture)) = self.tiled.as_ref().filter(|(known, _)| *known == id) {
            return texture.id();
        }
        let options = TextureOptions { wrap_mode: egui::TextureWrapMode::Repeat, ..SMALLER };
        let most = ctx.input(|input| input.max_texture_side);
        let texture = ctx.load_texture("tiled", fitted(picture, most), options);
        self.tiled.insert((id, texture)).1.id()
    }

    /// The texture of a slot of a view, which shows `picture`, known by `key`.
    pub fn sketch(&mut self, ctx: &Context, slot: usize, key: (u64, usize), picture: &Picture) -> TextureId {
        let load = || (key, ctx.load_texture(format!("sketch {slot}"), image(picture), OPTIONS));
        let (known, texture) = self.sketches.entry(slot).or_insert_with(load);
        if *known != key {
            *known = key;
            texture.set(image(picture), OPTIONS);
        }
        texture.id()
    }

    /// The texture of the preview.
    pub fn preview(&mut self, ctx: &Context, number: u64, picture: &Picture) -> TextureId {
        match &mut self.preview {
            Some((known, texture)) => {
                if *known != number {
                    *known = number;
                    texture.set(image(picture), OPTIONS);
                }
                texture.id()
            }
            None => {
                let texture = ctx.load_texture("preview", image(picture), OPTIONS);
                self.preview.insert((number, texture)).1.id()
            }
        }
    }
}

const OPTIONS: TextureOptions = TextureOptions::LINEAR;
/// For pictures that may be shown much smaller than they are.
const SMALLER: TextureOptions =
    TextureOptions { mipmap_mode: Some(egui::TextureFilter::Linear), ..TextureOptions::LINEAR };

fn image(picture: &Picture) -> ColorImage {
    ColorImage::from_rgb([picture.width as usize, picture.height as usize], &picture.rgb)
}

/// A picture for a graphics card whose textures have at most so many pixels each way: a larger one is shown by the means of
/// squares of its pixels.
fn fitted(picture: &Picture, most: usize) -> ColorImage {
    let [wide, high] = [picture.width as usize, picture.height as usize];
    let factor = wide.max(high).div_ceil(most.max(1));
    if factor <= 1 {
        return image(picture);
    }
    let (columns, rows) = (wide.div_ceil(factor), high.div_ceil(factor));
    let mean = |column: usize, row: usize| {
        let (mut sums, mut count) = ([0_u32; 3], 0);
        for y in row * factor..((row + 1) * factor).min(high) {
            for x in column * factor..((column + 1) * factor).min(wide) {
                let at = (y * wide + x) * 3;
                sums.iter_mut().zip(&picture.rgb[at..at + 3]).for_each(|(sum, value)| *sum += u32::from(*value));
                count += 1;
            }
        }
        sums.map(|sum| (sum / count.max(1)) as u8)
    };
    let rgb: Vec<u8> = (0..rows).flat_map(|row| (0..columns).flat_map(move |column| mean(column, row))).collect();
    ColorImage::from_rgb([columns, rows], &rgb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_for_the_graphics_card_is_shown_smaller() {
        let rgb = (0..7 * 3).flat_map(|at| [at as u8 * 10, 0, 255]).collect();
        let picture = Picture { width: 7, height: 3, rgb };
        assert_eq!(fitted(&picture, 7).size, [7, 3]);
        let small = fitted(&picture, 3);
        assert_eq!(small.size, [3, 1]);
        // Rows begin at 0, 70 and 140.
        assert_eq!(small.pixels[0].to_array(), [80, 0, 255, 255]);
        assert_eq!(small.pixels[2].to_array(), [130, 0, 255, 255]);
    }
}
