//! Short-time Fourier transform of a take, column by column as it grows, and the picture of it: frequency upwards on a
//! scale of octaves, level as colour.

use std::sync::Arc;

use egui::{ColorImage, Context, TextureHandle, TextureOptions};
use rustfft::{Fft, FftPlanner, num_complex::Complex};

use crate::ui::theme;

/// Samples of a window, and from one to the next.
const WINDOW: usize = 1024;
const HOP: usize = 128;
/// Rows, from the lowest to the highest frequency.
const ROWS: usize = 160;
const LOWEST_HZ: f32 = 55.0;
/// Levels in decibels below a full sine that are black and brightest.
const FLOOR_DB: f32 = -84.0;
const CEILING_DB: f32 = -12.0;

/// What has been computed of a take.
#[derive(Default)]
pub(super) struct Spectrogram {
    take: u64,
    /// (columns, rows), levels.
    levels: Vec<u8>,
    fft: Option<(Arc<dyn Fft<f32>>, Vec<f32>)>,
    texture: Option<TextureHandle>,
    /// Columns and width that the texture was made of.
    drawn: (usize, usize, u64),
}

impl Spectrogram {
    /// The picture of a take, about `width` pixels wide.
    pub fn texture(
        &mut self,
        ctx: &Context,
        take: u64,
        samples: &[f32],
        rate_hz: u32,
        width: usize,
    ) -> Option<&TextureHandle> {
        if take != self.take {
            self.take = take;
            self.levels.clear();
        }
        self.compute(samples, rate_hz);
        let columns = self.levels.len() / ROWS;
        if columns == 0 {
            return None;
        }
        if self.drawn != (columns, width, take) {
            self.drawn = (columns, width, take);
            let image = self.image(width.min(columns.max(16)));
            match &mut self.texture {
                Some(texture) => texture.set(image, TextureOptions::LINEAR),
                None => self.texture = Some(ctx.load_texture("spectrogram", image, TextureOptions::LINEAR)),
            }
        }
        self.texture.as_ref()
    }

    /// Adds the columns that have become whole, at most a few seconds of sound a frame.
    fn compute(&mut self, samples: &[f32], rate_hz: u32) {
        const MOST: usize = 1500;
        let (fft, hann) = self.fft.get_or_insert_with(|| {
            let turn = std::f32::consts::TAU / WINDOW as f32;
            let hann = (0..WINDOW).map(|i| 0.5 - 0.5 * (turn * i as f32).cos()).collect();
            (FftPlanner::new().plan_fft_forward(WINDOW), hann)
        });
        let mut bins = vec![Complex::default(); WINDOW];
        let mut scratch = vec![Complex::default(); fft.get_inplace_scratch_len()];
        let first = self.levels.len() / ROWS;
        let whole = if samples.is_empty() { 0 } else { samples.len() / HOP };
        for column in first..whole.min(first + MOST) {
            // The window is centred on the column's time; beyond the ends is silence.
            let begin = (column * HOP) as isize + (HOP / 2) as isize - (WINDOW / 2) as isize;
            for (i, (bin, window)) in bins.iter_mut().zip(hann.iter()).enumerate() {
                let at = usize::try_from(begin + i as isize).ok();
                let sample = at.and_then(|at| samples.get(at)).copied().unwrap_or(0.0);
                *bin = Complex::new(sample * window, 0.0);
            }
            fft.process_with_scratch(&mut bins, &mut scratch);
            let highest_hz = rate_hz as f32 / 2.0;
            for row in 0..ROWS {
                let hz = |row: usize| LOWEST_HZ * (highest_hz / LOWEST_HZ).powf(row as f32 / ROWS as f32);
                let bin = |hz: f32| ((hz / rate_hz as f32 * WINDOW as f32) as usize).min(WINDOW / 2 - 1);
                let (from, to) = (bin(hz(row)), bin(hz(row + 1)).max(bin(hz(row)) + 1));
                let power = bins[from..to].iter().map(|bin| bin.norm_sqr()).fold(0.0, f32::max);
                // A full sine has WINDOW / 4 in its bin.
                let db = 10.0 * (power / (WINDOW as f32 / 4.0).powi(2) + 1e-12).log10();
                self.levels.push(((db - FLOOR_DB) / (CEILING_DB - FLOOR_DB) * 255.0).clamp(0.0, 255.0) as u8);
            }
        }
    }

    fn image(&self, width: usize) -> ColorImage {
        let columns = self.levels.len() / ROWS;
        let edge = |x: usize| x * columns / width;
        let mut pixels = Vec::with_capacity(width * ROWS);
        for row in (0..ROWS).rev() {
            for x in 0..width {
                let part = edge(x)..edge(x + 1).max(edge(x) + 1).min(columns);
                let level = part.map(|column| self.levels[column * ROWS + row]).max().unwrap_or(0);
                pixels.push(theme::spectrum(level));
            }
        }
        ColorImage::new([width, ROWS], pixels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_is_a_line_at_its_frequency() {
        let mut spectrogram = Spectrogram::default();
        let samples: Vec<f32> =
            (0..8_000).map(|i| (i as f32 * 880.0 * std::f32::consts::TAU / 16_000.0).sin()).collect();
        spectrogram.compute(&samples[..1_000], 16_000);
        spectrogram.compute(&samples, 16_000);
        assert_eq!(spectrogram.levels.len(), 62 * ROWS);
        let column = &spectrogram.levels[30 * ROWS..31 * ROWS];
        let loudest = (0..ROWS).max_by_key(|row| column[*row]).expect("rows");
        let hz = LOWEST_HZ * (8_000.0 / LOWEST_HZ).powf(loudest as f32 / ROWS as f32);
        assert!((hz - 880.0).abs() < 40.0, "{hz}");
        assert_eq!((column[loudest], column[ROWS - 1]), (255, 0));
        assert_eq!(spectrogram.image(40).size, [40, ROWS]);
    }
}
