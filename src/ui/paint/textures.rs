//! Pictures on the graphics card: those that were shown lately.

use std::collections::HashMap;

use egui::{ColorImage, Context, TextureHandle, TextureId, TextureOptions};

use super::PictureId;
use crate::generate::image::Picture;

/// Textures that are kept at least; the longest unseen go first.
const MOST: usize = 600;

#[derive(Default)]
pub(super) struct Textures {
    kept: HashMap<PictureId, (TextureHandle, u64)>,
    preview: Option<(u64, TextureHandle)>,
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

    /// The texture of a picture.
    pub fn of(&mut self, ctx: &Context, id: PictureId, picture: &Picture) -> TextureId {
        let frame = self.frame;
        let load = || (ctx.load_texture(format!("picture {id}"), image(picture), OPTIONS), frame);
        let (texture, seen) = self.kept.entry(id).or_insert_with(load);
        *seen = frame;
        texture.id()
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

fn image(picture: &Picture) -> ColorImage {
    ColorImage::from_rgb([picture.width as usize, picture.height as usize], &picture.rgb)
}
