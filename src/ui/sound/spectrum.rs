//! The spectrum of what is selected, or of what is around the line: its level over frequency in octaves, its peaks named as
//! notes.

use egui::{Align2, Ui, Vec2, WidgetInfo, accesskit::Role};
use egui_plot::{GridMark, HoverPosition, Line, Plot, PlotPoint, PlotPoints, Points, Text};
use rustfft::{FftPlanner, num_complex::Complex};

use crate::{
    generate::audio::key_name,
    ui::{Key, state::State, text::fill, theme},
};

/// The lowest frequency shown, in hertz.
const LOWEST_HZ: f64 = 27.5;
/// Levels shown, in decibels of a full sine.
const LEVELS_DB: (f64, f64) = (-110.0, 0.0);
/// Windows that a long selection is looked at with.
const MOST_WINDOWS: usize = 64;
/// Levels in an octave: of more bins than that, the highest is shown.
const LEVELS: f64 = 72.0;
/// How far apart names are, in points.
const APART: f64 = 28.0;
/// Peaks that are named, and how far below the highest they may lie, in decibels.
const MOST_PEAKS: usize = 8;
const PEAK_DB: f64 = 45.0;

/// A spectrum that was computed.
#[derive(Default)]
pub(super) struct Spectrum {
    /// What it is of: the number of the sound, the samples.
    of: Option<(u64, std::ops::Range<usize>)>,
    found: Found,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Found {
    /// Frequency in hertz, and level in decibels.
    levels: Vec<[f64; 2]>,
    /// The highest peaks, the loudest first.
    peaks: Vec<[f64; 2]>,
}

/// Samples of a window: about a quarter of a second.
fn window_of(rate_hz: u32) -> usize {
    (rate_hz.clamp(1_000, 768_000) as usize / 4).next_power_of_two()
}

/// Welch's method (1967) with Hann windows, half of each over the next, or fewer in a long part.
fn spectrum(samples: &[f32], range: std::ops::Range<usize>, rate_hz: u32) -> Found {
    let size = window_of(rate_hz);
    let range = range.start.min(samples.len())..range.end.min(samples.len());
    if range.is_empty() {
        return Found::default();
    }
    let part = &samples[range];
    let count = (part.len().saturating_sub(size) / (size / 2) + 1).min(MOST_WINDOWS);
    let hann = |i: usize| 0.5 - 0.5 * (std::f32::consts::TAU * i as f32 / size as f32).cos();
    let fft = FftPlanner::new().plan_fft_forward(size);
    let mut powers = vec![0.0_f64; size / 2];
    let mut bins = vec![Complex::default(); size];
    for number in 0..count {
        let start = part.len().saturating_sub(size) * number / (count - 1).max(1);
        for (i, bin) in bins.iter_mut().enumerate() {
            *bin = Complex::new(part.get(start + i).copied().unwrap_or(0.0) * hann(i), 0.0);
        }
        fft.process(&mut bins);
        powers.iter_mut().zip(&bins).for_each(|(power, bin)| *power += f64::from(bin.norm_sqr()));
    }
    // A full sine has a quarter of the window in its bin.
    let full = (size as f64 / 4.0).powi(2) * count as f64;
    let hz = |bin: f64| bin * f64::from(rate_hz) / size as f64;
    let db: Vec<f64> = powers.iter().map(|power| 10.0 * (power / full + 1e-12).log10()).collect();
    let mut levels: Vec<[f64; 2]> = Vec::new();
    let step = |hz: f64| ((hz / LOWEST_HZ).log2() * LEVELS) as usize;
    for (bin, db) in db.iter().enumerate().filter(|(bin, _)| hz(*bin as f64) >= LOWEST_HZ) {
        let hz = hz(bin as f64);
        match levels.last_mut().filter(|last| step(last[0]) == step(hz)) {
            Some(last) if last[1] < *db => *last = [hz, *db],
            Some(_) => {}
            None => levels.push([hz, *db]),
        }
    }
    Found { peaks: peaks(&db, hz), levels }
}

/// The highest of the bins that are higher than those around them, between bins by a parabola.
fn peaks(db: &[f64], hz: impl Fn(f64) -> f64) -> Vec<[f64; 2]> {
    let highest = db.iter().copied().fold(f64::MIN, f64::max);
    let around = 3;
    let is_peak = |bin: &usize| {
        let near = &db[bin - around..=bin + around];
        db[*bin] > highest - PEAK_DB && db[*bin] > -90.0 && near.iter().all(|other| *other <= db[*bin])
    };
    let place = |bin: usize| {
        let [a, b, c] = [db[bin - 1], db[bin], db[bin + 1]];
        let bend = a - 2.0 * b + c;
        let shift = if bend < -1e-9 { 0.5 * (a - c) / bend } else { 0.0 };
        [hz(bin as f64 + shift), b - 0.25 * (a - c) * shift]
    };
    let mut found: Vec<[f64; 2]> = (around..db.len().saturating_sub(around))
        .filter(is_peak)
        .map(place)
        .filter(|[hz, _]| *hz >= LOWEST_HZ)
        .collect();
    found.sort_by(|a, b| b[1].total_cmp(&a[1]));
    found.truncate(MOST_PEAKS);
    found
}

/// The note nearest to a frequency, and how far above it the frequency is, in hundredths of a semitone.
fn note_at(hz: f64) -> Option<(String, i32)> {
    let place = 69.0 + 12.0 * (hz / 440.0).log2();
    let key = place.round();
    let name = (0.0..128.0).contains(&key).then(|| key_name(key as u8))?;
    Some((name, ((place - key) * 100.0).round() as i32))
}

/// A frequency and its level, in words.
fn told(hz: f64, db: f64) -> String {
    let digits = usize::from(hz < 1_000.0);
    let note = note_at(hz).map_or_else(String::new, |(name, cents)| format!("{name} {cents:+} ct · "));
    format!("{note}{hz:.digits$} Hz · {db:.1} dB")
}

/// What the spectrum is of: the selection, or a window around the line.
fn range(state: &State) -> std::ops::Range<usize> {
    let view = &state.sound;
    view.selection.clone().filter(|range| !range.is_empty()).unwrap_or_else(|| {
        let half = window_of(view.rate()) / 2;
        let middle = if view.is_growing() { view.len().saturating_sub(half) } else { view.position };
        middle.saturating_sub(half)..middle + half
    })
}

pub(super) fn spectrum_ui(ui: &mut Ui, state: &mut State, height: f32) {
    let (rate_hz, range) = (state.sound.rate(), range(state));
    let name = state.t(Key::Spectrum).to_owned();
    let number = super::wave::number(&state.sound);
    let view = &mut state.sound;
    let heard = match &view.other {
        Some(other) if view.hears_other => &other.clip.samples,
        _ => view.shown.samples(),
    };
    let of = Some((number, range.start..range.end.min(heard.len())));
    if view.spectrum.of != of {
        view.spectrum = Spectrum { found: spectrum(heard, range.clone(), rate_hz), of };
    }
    let found = &view.spectrum.found;
    let palette = theme::palette(ui);
    let octaves = |[hz, db]: &[f64; 2]| [hz.log2(), *db];
    let highest = (f64::from(rate_hz) / 2.0).max(2.0 * LOWEST_HZ);
    let size = Vec2::new(ui.available_width(), height);
    let octave = f64::from(size.x) / (highest / LOWEST_HZ).log2();
    let mut named: Vec<f64> = Vec::new();
    ui.style_mut().override_font_id = Some(theme::small());
    let plot = Plot::new("spectrum")
        .grid_color(palette.hairline)
        .width(size.x)
        .height(size.y)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .allow_axis_zoom_drag(false)
        .allow_double_click_reset(false)
        .auto_bounds(false)
        .show_x(false)
        .show_y(false)
        .x_grid_spacer(|input| octave_marks(input.bounds))
        .y_grid_spacer(|_| (-5..=0).map(|step| GridMark { value: f64::from(step * 20), step_size: 20.0 }).collect())
        .x_axis_formatter(|mark, _| hz_text(mark.value.exp2()))
        .y_axis_formatter(|mark, _| format!("{:.0}", mark.value))
        .label_formatter(|hover| match hover {
            HoverPosition::NearDataPoint { position, .. } => Some(told(position.x.exp2(), position.y)),
            HoverPosition::Elsewhere { .. } => None,
        });
    let line: Vec<[f64; 2]> = found.levels.iter().map(octaves).collect();
    let tops: Vec<[f64; 2]> = found.peaks.iter().map(octaves).collect();
    let shown = plot.show(ui, |plot| {
        // Another take may have another rate.
        plot.set_plot_bounds_x(LOWEST_HZ.log2()..=highest.log2());
        plot.set_plot_bounds_y(LEVELS_DB.0..=LEVELS_DB.1);
        plot.line(Line::new(name.clone(), PlotPoints::from(line)).color(palette.accent).width(1.25));
        plot.points(Points::new("peaks", PlotPoints::from(tops.clone())).color(palette.second).radius(3.0));
        for (top, [hz, _]) in tops.iter().zip(&found.peaks) {
            let Some((note, _)) = note_at(*hz) else { continue };
            // Of two that are close the louder one has its name.
            if named.iter().any(|other| (other - top[0]).abs() * octave < APART) {
                continue;
            }
            named.push(top[0]);
            let text = egui::RichText::new(note).font(theme::small()).color(palette.text);
            let at = PlotPoint::new(top[0], top[1] + 2.0);
            plot.text(Text::new("note", at, text).anchor(Align2::CENTER_BOTTOM));
        }
    });
    let peaks: Vec<String> = found.peaks.iter().map(|[hz, db]| told(*hz, *db)).collect();
    let label = if peaks.is_empty() { name } else { format!("{name}: {}", peaks.join(", ")) };
    shown.response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &label));
    let seconds = format!("{:.2}", range.len() as f64 / f64::from(rate_hz));
    ui.style_mut().override_font_id = None;
    shown.response.on_hover_text(fill(state.lang, Key::SpectrumTip, &[&seconds]));
}

/// A line for each octave of A, named in hertz.
fn octave_marks((from, to): (f64, f64)) -> Vec<GridMark> {
    let lowest = LOWEST_HZ.log2();
    let first = (from - lowest).ceil() as i32;
    (first..first + 16)
        .map(|octave| lowest + f64::from(octave))
        .filter(|at| *at <= to)
        .map(|value| GridMark { value, step_size: 1.0 })
        .collect()
}

fn hz_text(hz: f64) -> String {
    if hz < 1_000.0 { format!("{:.0}", hz) } else { format!("{:.1}k", hz / 1_000.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tones(rate_hz: u32, parts: &[(f64, f64)], len: usize) -> Vec<f32> {
        let sample = |t: usize| {
            let at = |hz: &f64| (std::f64::consts::TAU * hz * t as f64 / f64::from(rate_hz)).sin();
            parts.iter().map(|(hz, amplitude)| at(hz) * amplitude).sum::<f64>() as f32
        };
        (0..len).map(sample).collect()
    }

    #[test]
    fn peaks_have_the_frequency_and_level_of_the_tones() {
        for rate_hz in [16_000, 44_100, 96_000] {
            let samples = tones(rate_hz, &[(441.3, 0.5), (1_234.5, 0.05)], 2 * rate_hz as usize);
            let found = spectrum(&samples, 0..samples.len(), rate_hz);
            for ([hz, db], (want_hz, want_db)) in found.peaks.iter().zip([(441.3, -6.0), (1_234.5, -26.0)]) {
                assert!((hz - want_hz).abs() < 0.5 && (db - want_db).abs() < 1.5, "{rate_hz}: {hz} Hz {db} dB");
            }
            assert_eq!(note_at(found.peaks[0][0]), Some(("A4".to_owned(), 5)));
        }
        assert_eq!(note_at(1.0), None);
    }

    #[test]
    fn silence_nothing_and_what_is_short_have_a_spectrum_too() {
        assert_eq!(spectrum(&[], 0..100, 16_000), Found::default());
        assert!(spectrum(&[0.0; 50], 0..50, 16_000).peaks.is_empty());
        assert!(spectrum(&[0.0; 50_000], 100..40_000, 16_000).peaks.is_empty());
        let short = tones(16_000, &[(2_000.0, 1.0)], 600);
        let [hz, _] = spectrum(&short, 0..600, 16_000).peaks[0];
        assert!((hz - 2_000.0).abs() < 20.0, "{hz}");
        assert_eq!(spectrum(&short, 700..900, 16_000), Found::default());
    }
}
