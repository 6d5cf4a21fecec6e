//! Short-time Fourier transform of a take and the picture of it: frequency upwards on a scale of octaves, level as colour.
//!
//! The picture is made of tiles, as maps are: each holds some columns of one closeness, half as many samples apart with
//! each step. Only tiles in sight are computed, a few columns a frame; until they are, a coarser one stands in.

use std::{collections::HashMap, sync::Arc};

use egui::{ColorImage, Context, CornerRadius, Rect, TextureHandle, TextureOptions, Ui, pos2};
use rustfft::{Fft, FftPlanner, num_complex::Complex};

use super::sight::Scale;
use crate::ui::theme;

/// Samples from one column to the next at the closest.
const FINEST: usize = 32;
/// Columns of a tile.
const TILE: usize = 256;
/// Rows, from the lowest to the highest frequency.
const ROWS: usize = 160;
const LOWEST_HZ: f32 = 55.0;
/// Levels in decibels below a full sine that are black and brightest.
const FLOOR_DB: f32 = -84.0;
const CEILING_DB: f32 = -12.0;
/// Windows that a column may look at.
const MOST_WINDOWS: usize = 4;
/// Transforms in one frame.
const BUDGET: usize = 384;
/// Tiles that are kept for each in sight, and at least: a texture has a hundred and sixty kilobytes.
const KEPT: usize = 2;
const LEAST_KEPT: usize = 12;

/// How close a tile is, and which of those it is.
type Place = (u32, usize);

/// Some columns.
#[derive(Default)]
struct Tile {
    /// (columns, rows), levels; the columns that are known.
    levels: Vec<u8>,
    texture: Option<TextureHandle>,
    /// Columns that the texture shows.
    drawn: usize,
    /// The frame it was seen in.
    seen: u64,
}

impl Tile {
    fn columns(&self) -> usize {
        self.levels.len() / ROWS
    }
}

/// The tiles of a sound.
#[derive(Default)]
pub(super) struct Spectrogram {
    tiles: HashMap<Place, Tile>,
    transform: Option<Transform>,
    frame: u64,
}

impl Spectrogram {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.tiles.clear();
    }

    /// Draws what is in sight of `samples` into `rect`. Of a sound that still grows, columns wait until all that they
    /// look at is there.
    pub fn paint(&mut self, ui: &Ui, rect: Rect, scale: &Scale, (samples, grows): (&[f32], bool), rate_hz: u32) {
        self.frame += 1;
        let level = level_of(scale.per_point / f64::from(ui.pixels_per_point()));
        let span = (TILE * hop_of(level)) as f64;
        let sight = scale.in_sight();
        let end = sight.end.min(samples.len() as f64);
        let places = (sight.start / span) as usize..=(end / span) as usize;
        let mut budget = BUDGET;
        let mut waits = false;
        for index in places {
            let done = self.compute((level, index), (samples, grows), rate_hz, &mut budget);
            waits |= !done;
            // What is there of the coarser ones first, the tile itself over it.
            let coarser =
                (level + 1..=level + 6).rev().filter(|_| !done).map(|coarser| (coarser, index >> (coarser - level)));
            for place in coarser.chain([(level, index)]).collect::<Vec<_>>() {
                let part = index as f64 * span..((index + 1) as f64 * span).min(sight.end);
                self.paint_tile(ui, rect, scale, place, part);
            }
        }
        self.forget();
        if waits && !grows {
            ui.ctx().request_repaint();
        }
    }

    /// Computes what is missing of a tile, as far as the budget reaches; `true` when nothing is.
    fn compute(&mut self, place: Place, (samples, grows): (&[f32], bool), rate_hz: u32, budget: &mut usize) -> bool {
        let hop = hop_of(place.0);
        let first = place.1 * TILE;
        let tile = self.tiles.entry(place).or_default();
        tile.seen = self.frame;
        let transform = match &mut self.transform {
            Some(transform) if transform.rate_hz == rate_hz => transform,
            other => other.insert(Transform::new(rate_hz)),
        };
        let windows = (hop / transform.window).clamp(1, MOST_WINDOWS);
        let whole = samples.len().div_ceil(hop).saturating_sub(first).min(TILE);
        let ready = match grows {
            true => samples.len().saturating_sub(transform.window) / hop,
            false => usize::MAX,
        };
        let ready = ready.saturating_sub(first).min(whole);
        while tile.columns() < ready && *budget >= windows {
            *budget -= windows;
            transform.column(samples, (first + tile.columns()) * hop, hop, windows, &mut tile.levels);
        }
        tile.columns() >= whole
    }

    /// Draws the part of a tile between two samples, as far as it is in sight.
    fn paint_tile(&mut self, ui: &Ui, rect: Rect, scale: &Scale, place: Place, part: std::ops::Range<f64>) {
        let Some(tile) = self.tiles.get_mut(&place).filter(|tile| tile.columns() > 0) else { return };
        tile.seen = self.frame;
        let hop = hop_of(place.0) as f64;
        let origin = (place.1 * TILE) as f64 * hop;
        let known = origin + tile.columns() as f64 * hop;
        let (from, to) = (part.start.max(scale.first), part.end.min(known));
        if from >= to {
            return;
        }
        let texture = tile.texture(ui.ctx(), place);
        let across = |sample: f64| ((sample - origin) / hop / TILE as f64) as f32;
        let uv = Rect::from_min_max(pos2(across(from), 0.0), pos2(across(to), 1.0));
        let (left, right) = (scale.x(from).max(rect.left()), scale.x(to).min(rect.right()));
        let at = Rect::from_min_max(pos2(left, rect.top()), pos2(right, rect.bottom()));
        let round = |edge: bool| if edge { theme::RADIUS } else { 0 };
        let (first, last) = (round(left <= rect.left() + 0.5), round(right >= rect.right() - 0.5));
        let corners = CornerRadius { nw: first, sw: first, ne: last, se: last };
        egui::Image::from_texture((texture, at.size())).corner_radius(corners).uv(uv).paint_at(ui, at);
    }

    /// Gives up the tiles that have not been seen for longest.
    fn forget(&mut self) {
        let now = self.frame;
        let mut seen: Vec<u64> = self.tiles.values().map(|tile| tile.seen).collect();
        let in_sight = seen.iter().filter(|frame| **frame == now).count();
        let most = LEAST_KEPT.max(KEPT * in_sight);
        if seen.len() <= most {
            return;
        }
        seen.sort_unstable();
        let oldest = seen[seen.len() - most];
        self.tiles.retain(|_, tile| tile.seen > oldest || tile.seen == now);
    }
}

impl Tile {
    fn texture(&mut self, ctx: &Context, place: Place) -> egui::TextureId {
        let columns = self.columns();
        if self.texture.is_none() || self.drawn != columns {
            self.drawn = columns;
            let image = self.image();
            match &mut self.texture {
                Some(texture) => texture.set(image, TextureOptions::LINEAR),
                None => {
                    let name = format!("spectrogram {place:?}");
                    self.texture = Some(ctx.load_texture(name, image, TextureOptions::LINEAR));
                }
            }
        }
        self.texture.as_ref().map_or(egui::TextureId::default(), TextureHandle::id)
    }

    /// The highest frequency on top; columns that are not known repeat the last one, so that nothing shines in.
    fn image(&self) -> ColorImage {
        let last = self.columns().saturating_sub(1);
        let mut pixels = Vec::with_capacity(TILE * ROWS);
        for row in (0..ROWS).rev() {
            pixels.extend((0..TILE).map(|column| theme::spectrum(self.levels[column.min(last) * ROWS + row])));
        }
        ColorImage::new([TILE, ROWS], pixels)
    }
}

/// Samples from column to column.
fn hop_of(level: u32) -> usize {
    FINEST << level
}

/// The coarsest level that still has a column for each pixel.
fn level_of(per_pixel: f64) -> u32 {
    (0..24).rev().find(|level| hop_of(*level) as f64 <= per_pixel).unwrap_or(0)
}

/// The transform, with all that it needs.
struct Transform {
    rate_hz: u32,
    window: usize,
    fft: Arc<dyn Fft<f32>>,
    hann: Vec<f32>,
    bins: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    /// Powers of the bins, the highest of the windows looked at.
    powers: Vec<f32>,
    /// For each row the bins it covers, as fractions.
    rows: Vec<(f32, f32)>,
}

impl Transform {
    fn new(rate_hz: u32) -> Self {
        // About a fifteenth of a second.
        let window = match rate_hz {
            0..24_001 => 1_024,
            24_001..64_001 => 2_048,
            _ => 4_096,
        };
        let turn = std::f32::consts::TAU / window as f32;
        let hann = (0..window).map(|i| 0.5 - 0.5 * (turn * i as f32).cos()).collect();
        let fft = FftPlanner::new().plan_fft_forward(window);
        let scratch = vec![Complex::default(); fft.get_inplace_scratch_len()];
        let highest_hz = (rate_hz as f32 / 2.0).max(LOWEST_HZ * 2.0);
        let bin = |row: usize| {
            let hz = LOWEST_HZ * (highest_hz / LOWEST_HZ).powf(row as f32 / ROWS as f32);
            hz / rate_hz.max(1) as f32 * window as f32
        };
        let rows = (0..ROWS).map(|row| (bin(row), bin(row + 1))).collect();
        let (bins, powers) = (vec![Complex::default(); window], vec![0.0; window / 2 + 1]);
        Self { rate_hz, window, fft, hann, bins, scratch, powers, rows }
    }

    /// Appends the column that stands for the `hop` samples from `begin` on: the highest level in a few windows, the
    /// first of them centred in its share. Beyond the ends is silence.
    fn column(&mut self, samples: &[f32], begin: usize, hop: usize, windows: usize, levels: &mut Vec<u8>) {
        self.powers.fill(0.0);
        for number in 0..windows {
            let centre = begin + hop * (2 * number + 1) / (2 * windows);
            let start = centre as isize - (self.window / 2) as isize;
            for (i, (bin, window)) in self.bins.iter_mut().zip(&self.hann).enumerate() {
                let at = usize::try_from(start + i as isize).ok();
                let sample = at.and_then(|at| samples.get(at)).copied().unwrap_or(0.0);
                *bin = Complex::new(sample * window, 0.0);
            }
            self.fft.process_with_scratch(&mut self.bins, &mut self.scratch);
            for (power, bin) in self.powers.iter_mut().zip(&self.bins) {
                *power = power.max(bin.norm_sqr());
            }
        }
        // A full sine has a quarter of the window in its bin.
        let full = (self.window as f32 / 4.0).powi(2);
        for (from, to) in &self.rows {
            let power = self.power(*from, *to) / full;
            let db = 10.0 * (power + 1e-12).log10();
            levels.push(((db - FLOOR_DB) / (CEILING_DB - FLOOR_DB) * 255.0).clamp(0.0, 255.0) as u8);
        }
    }

    /// The highest power between two places among the bins; between two bins their mixture.
    fn power(&self, from: f32, to: f32) -> f32 {
        let last = self.powers.len() - 1;
        let (first, end) = (from.ceil() as usize, to.floor() as usize);
        if first > end || to - from < 1.0 {
            let middle = (from + to) / 2.0;
            let (below, share) = ((middle as usize).min(last), middle.fract());
            let above = self.powers[(below + 1).min(last)];
            return self.powers[below] + share * (above - self.powers[below]);
        }
        self.powers[first.min(last)..=end.min(last)].iter().copied().fold(0.0, f32::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(hz: f32, rate: u32, len: usize) -> Vec<f32> {
        (0..len).map(|i| 0.1 * (i as f32 * hz * std::f32::consts::TAU / rate as f32).sin()).collect()
    }

    fn hz_of(row: usize, rate: u32) -> f32 {
        LOWEST_HZ * (rate as f32 / 2.0 / LOWEST_HZ).powf((row as f32 + 0.5) / ROWS as f32)
    }

    #[test]
    fn a_sine_is_a_line_at_its_frequency_at_every_rate_and_closeness() {
        for rate in [16_000, 44_100, 96_000] {
            let samples = sine(880.0, rate, rate as usize);
            for level in [0, 3, 8] {
                let (mut spectrogram, mut budget) = (Spectrogram::default(), usize::MAX);
                assert!(spectrogram.compute((level, 0), (&samples, false), rate, &mut budget));
                let tile = &spectrogram.tiles[&(level, 0)];
                assert_eq!(tile.columns(), samples.len().div_ceil(hop_of(level)).min(TILE));
                let middle = tile.columns() / 2;
                let column = &tile.levels[middle * ROWS..(middle + 1) * ROWS];
                let loudest = (0..ROWS).max_by_key(|row| column[*row]).expect("rows");
                assert!((hz_of(loudest, rate) / 880.0).log2().abs() < 0.06, "{rate} {level}: {loudest}");
                // A tenth is 20 dB below a full sine.
                assert!((215..=230).contains(&column[loudest]) && column[ROWS - 1] == 0, "{rate} {level}: {column:?}");
            }
        }
    }

    #[test]
    fn a_tile_is_the_same_however_the_sound_grew() {
        let samples = sine(440.0, 16_000, 20_000);
        let tile = |pieces: &[usize], budget: usize| {
            let mut spectrogram = Spectrogram::default();
            for len in pieces {
                spectrogram.compute((1, 0), (&samples[..*len], true), 16_000, &mut { budget });
            }
            while !spectrogram.compute((1, 0), (&samples, false), 16_000, &mut { budget }) {}
            spectrogram.tiles.remove(&(1, 0)).expect("a tile").levels
        };
        let whole = tile(&[], usize::MAX);
        assert_eq!(whole.len(), TILE * ROWS);
        assert_eq!(tile(&[100, 1_500, 9_000, 19_999], 3), whole);
        let mut spectrogram = Spectrogram::default();
        assert!(spectrogram.compute((1, 0), (&[], false), 16_000, &mut 10));
        assert!(spectrogram.compute((1, 7), (&samples, false), 16_000, &mut 10), "beyond the end is nothing");
    }

    #[test]
    fn each_pixel_has_a_column_and_no_more_than_two() {
        for per_pixel in [0.1, 31.0, 32.0, 63.0, 64.0, 33_882.0] {
            let hop = hop_of(level_of(per_pixel)) as f64;
            assert!(hop == FINEST as f64 || (hop <= per_pixel && per_pixel < 2.0 * hop), "{per_pixel}: {hop}");
        }
    }

    #[test]
    fn tiles_in_sight_are_kept_and_few_of_the_others() {
        for in_sight in [1, 9, 40] {
            let mut spectrogram = Spectrogram::default();
            for frame in 0..60 {
                spectrogram.frame = frame as u64;
                for index in frame..frame + in_sight {
                    spectrogram.compute((0, index), (&[0.0; 64], false), 16_000, &mut 10);
                }
                spectrogram.forget();
                assert!(spectrogram.tiles.len() <= LEAST_KEPT.max(KEPT * in_sight));
                assert!((frame..frame + in_sight).all(|index| spectrogram.tiles.contains_key(&(0, index))));
            }
        }
    }
}
