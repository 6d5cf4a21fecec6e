//! Textures of any size that repeat without a seam, drawn part by part.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{
    latent::mixed,
    model::{byte, failed},
    request::{ImageRequest, Picture},
};
use crate::{
    Error, Result,
    nets::psgan::{Generator, Given},
};

/// Width and height of a texture whose size nobody chose, in pixels.
pub(super) const USUAL: u32 = 512;
/// The sizes that may be asked for, in pixels.
pub(super) const SIZES: [u32; 2] = [16, 4096];
/// Width and height of what is drawn at a time, in pixels.
const PART: usize = 512;

/// The texture of a request; `None` when `cancel` was set before the end.
pub(super) fn draw(
    generator: &Generator,
    request: &ImageRequest,
    class: Option<usize>,
    cancel: &AtomicBool,
) -> Result<Option<Picture>> {
    let config = generator.config();
    let (cell, channels) = (config.cell(), config.channels);
    let size = request.size.unwrap_or([USUAL; 2]);
    let whole = size.map(|size| (size as usize).div_ceil(cell));
    // Each cell's noise is its own: a larger texture begins as a smaller one does.
    let mut noise = vec![0.0; config.local * whole[0] * whole[1]];
    for (y, x) in (0..whole[1]).flat_map(|y| (0..whole[0]).map(move |x| (y, x))) {
        let cell = mixed(request, 1 + ((y as u64) << 32 | x as u64), config.local);
        cell.into_iter().enumerate().for_each(|(map, number)| noise[(map * whole[1] + y) * whole[0] + x] = number);
    }
    let turns = mixed(request, 0, config.periodic);
    let given = Given { noise: &noise, turns: &turns, class };
    let [width, height] = whole.map(|cells| cells * cell);
    let (mut rgb, part) = (vec![0_u8; width * height * 3], (PART / cell).max(1));
    for top in (0..whole[1]).step_by(part) {
        for left in (0..whole[0]).step_by(part) {
            if cancel.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let cells = [part.min(whole[0] - left), part.min(whole[1] - top)];
            let drawn = generator.part(whole, [left, top], cells, &given);
            let planes = drawn.and_then(|t| t.flatten_all()?.to_vec1::<f32>()).map_err(|why| failed(&why))?;
            let [wide, high] = cells.map(|cells| cells * cell);
            for (y, x) in (0..high).flat_map(|y| (0..wide).map(move |x| (y, x))) {
                let to = ((top * cell + y) * width + left * cell + x) * 3;
                for channel in 0..3 {
                    rgb[to + channel] = byte(planes[(channel % channels * high + y) * wide + x]);
                }
            }
        }
    }
    let drawn = Picture { width: width as u32, height: height as u32, rgb };
    Ok(Some(if [drawn.width, drawn.height] == size { drawn } else { narrowed(&drawn, size) }))
}

/// Refuses sizes that are too small or too large.
pub(super) fn check_size(size: [u32; 2]) -> Result<()> {
    let [least, most] = SIZES;
    if size.iter().all(|side| (least..=most).contains(side)) {
        return Ok(());
    }
    let [width, height] = size;
    Err(Error::new(
        format!("A texture of {width} × {height} pixels cannot be drawn; choose {least} to {most} each way."),
        format!("无法绘制 {width} × {height} 像素的纹理；长宽请各取 {least} 到 {most}。"),
    ))
}

/// A picture that repeats made a little smaller, so that it still repeats: cubic interpolation (Keys, 1981, with
/// a = −0.5) around its edges.
fn narrowed(picture: &Picture, [width, height]: [u32; 2]) -> Picture {
    let from = [picture.width as usize, picture.height as usize];
    let to = [width as usize, height as usize];
    let mut rows = vec![0.0_f32; to[0] * from[1] * 3];
    for (x, taps) in taps(from[0], to[0]).into_iter().enumerate() {
        for y in 0..from[1] {
            for channel in 0..3 {
                let at = |place: usize| f32::from(picture.rgb[(y * from[0] + place) * 3 + channel]);
                rows[(y * to[0] + x) * 3 + channel] = taps.iter().map(|(place, weight)| weight * at(*place)).sum();
            }
        }
    }
    let mut rgb = vec![0; to[0] * to[1] * 3];
    for (y, taps) in taps(from[1], to[1]).into_iter().enumerate() {
        for at in 0..to[0] * 3 {
            let value: f32 = taps.iter().map(|(place, weight)| weight * rows[place * to[0] * 3 + at]).sum();
            rgb[y * to[0] * 3 + at] = value.round_ties_even().clamp(0.0, 255.0) as u8;
        }
    }
    Picture { width, height, rgb }
}

/// For each of `to` places on a circle of `from`: the four places it is made of, and their weights.
fn taps(from: usize, to: usize) -> Vec<[(usize, f32); 4]> {
    let one = |place: usize| {
        let at = (place as f64 + 0.5) * from as f64 / to as f64 - 0.5;
        let (floor, t) = (at.floor(), (at - at.floor()) as f32);
        let weights = [
            ((-0.5 * t + 1.0) * t - 0.5) * t,
            (1.5 * t - 2.5) * t * t + 1.0,
            ((-1.5 * t + 2.0) * t + 0.5) * t,
            (0.5 * t - 0.5) * t * t,
        ];
        let place = |k: usize| (floor as i64 + k as i64 - 1).rem_euclid(from as i64) as usize;
        [0, 1, 2, 3].map(|k| (place(k), weights[k]))
    };
    (0..to).map(one).collect()
}
