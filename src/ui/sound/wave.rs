//! The take's waveform and spectrogram, and what the pointer does on them: a click moves the place that is heard, a drag
//! selects, the wheel zooms.

use egui::{Color32, PointerButton, Rect, Response, Sense, Stroke, Ui, WidgetInfo, accesskit::Role, pos2, vec2};

use super::{sight::Scale, transport, view::SoundView};
use crate::{
    engine::SoundActivity,
    ui::{Key, state::State, theme},
};

/// How much closer a point of the wheel comes.
const WHEEL: f64 = 0.004;
/// A drag that is shorter selects nothing, in points.
const SHORT: f32 = 3.0;
/// From so many points for a sample on, samples are dots.
const DOTS: f64 = 6.0;

pub(super) fn wave_ui(ui: &mut Ui, state: &mut State, height: f32) {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::click_and_drag());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, state.t(Key::Waveform)));
    state.sound.wave_at = rect;
    pointer(ui, state, rect, &response);
    let scale = follow(state, rect);
    let palette = theme::palette(ui);
    selection(ui, state, rect, &scale);
    ui.painter().hline(rect.x_range(), rect.center().y, Stroke::new(1.0, palette.hairline));
    paint_wave(ui, &mut state.sound, rect, &scale, palette.accent);
    cursor(ui, state, rect, &scale);
    response.on_hover_text(state.t(Key::WaveformTip));
}

pub(super) fn spectrogram_ui(ui: &mut Ui, state: &mut State, height: f32) {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::click_and_drag());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, state.t(Key::Spectrogram)));
    let scale = pointer(ui, state, rect, &response);
    ui.painter().rect_filled(rect, theme::RADIUS, theme::spectrum(0));
    let view = &mut state.sound;
    let (grows, rate, heard) = (view.is_growing(), view.rate(), heard(view));
    let number = number(view);
    let samples = match &view.other {
        Some(other) if heard == 1 => &other.clip.samples,
        _ => view.shown.samples(),
    };
    view.pictures[heard].of(number).spectrogram.paint(ui, rect, &scale, (samples, grows), rate);
    selection(ui, state, rect, &scale);
    cursor(ui, state, rect, &scale);
    response.on_hover_text(state.t(Key::SpectrogramTip));
}

/// Which of the two takes is shown.
fn heard(view: &SoundView) -> usize {
    usize::from(view.hears_other && view.other.is_some())
}

/// The number of the sound that is shown.
pub(super) fn number(view: &SoundView) -> u64 {
    view.other.as_ref().filter(|_| view.hears_other).map_or(view.shown.number, |other| other.number)
}

fn paint_wave(ui: &Ui, view: &mut SoundView, rect: Rect, scale: &Scale, color: Color32) {
    let (heard, number) = (heard(view), number(view));
    let samples = match &view.other {
        Some(other) if heard == 1 => &other.clip.samples,
        _ => view.shown.samples(),
    };
    let picture = view.pictures[heard].of(number);
    if !picture.pyramid.extend(samples) {
        ui.ctx().request_repaint();
    }
    let middle = rect.center().y;
    let y = |sample: f32| middle - sample.clamp(-1.0, 1.0) * (rect.height() / 2.0 - 1.0);
    if scale.per_point < 1.0 {
        // So close that samples are points of a line.
        let sight = scale.in_sight();
        let (from, to) = (sight.start as usize, (sight.end.ceil() as usize + 1).min(samples.len()));
        let points: Vec<_> = (from.min(to)..to).map(|at| pos2(scale.x(at as f64), y(samples[at]))).collect();
        let painter = ui.painter().with_clip_rect(rect);
        if 1.0 / scale.per_point >= DOTS {
            for point in &points {
                painter.circle_filled(*point, 2.0, color);
            }
        }
        painter.line(points, Stroke::new(1.5, color));
        return;
    }
    for column in 0..rect.width() as usize {
        let edge = |column: usize| (scale.first + column as f64 * scale.per_point) as usize;
        let (from, to) = (edge(column), edge(column + 1).max(edge(column) + 1));
        let Some([low, high]) = picture.pyramid.between(samples, from, to) else { continue };
        let x = rect.left() + column as f32 + 0.5;
        ui.painter().vline(x, y(high) - 0.5..=y(low) + 0.5, Stroke::new(1.0, color));
    }
}

/// What is selected.
fn selection(ui: &Ui, state: &State, rect: Rect, scale: &Scale) {
    let Some(range) = &state.sound.selection else { return };
    let palette = theme::palette(ui);
    let x = |sample: usize| scale.x(sample as f64).clamp(rect.left(), rect.right());
    let band = Rect::from_x_y_ranges(x(range.start)..=x(range.end), rect.y_range());
    if band.width() <= 0.0 {
        return;
    }
    ui.painter().rect_filled(band, 0, palette.second.gamma_multiply(0.28));
    for edge in [range.start, range.end] {
        let at = scale.x(edge as f64);
        if rect.x_range().contains(at) {
            ui.painter().vline(at, rect.y_range(), Stroke::new(1.0, palette.second));
        }
    }
}

/// Where it is heard.
fn cursor(ui: &Ui, state: &State, rect: Rect, scale: &Scale) {
    let view = &state.sound;
    let x = scale.x(view.position as f64);
    if !view.is_empty() && rect.x_range().contains(x - 0.5) {
        let color = if ui.visuals().dark_mode { theme::palette(ui).text } else { theme::palette(ui).accent };
        ui.painter().vline(x.min(rect.right() - 0.5), rect.y_range(), Stroke::new(1.0, color));
    }
}

/// Zooms, moves, selects and seeks; how samples lie in `rect` then.
pub(super) fn pointer(ui: &Ui, state: &mut State, rect: Rect, response: &Response) -> Scale {
    let len = state.sound.len();
    wheel(ui, state, rect, response, len);
    let scale = state.sound.sight.scale(len, rect);
    if len == 0 || state.sound.is_growing() {
        return scale;
    }
    let at = |x: f32| (scale.sample(x).round() as usize).min(len);
    let view = &mut state.sound;
    if response.drag_started_by(PointerButton::Primary) {
        let begun = ui.input(|input| input.pointer.press_origin());
        view.dragged_from = begun.map(|begun| at(begun.x));
    }
    if let (Some(from), Some(now)) = (view.dragged_from, response.interact_pointer_pos())
        && response.dragged_by(PointerButton::Primary)
    {
        let to = at(now.x);
        let wide = (scale.x(from as f64) - now.x).abs() > SHORT;
        view.selection = (wide && from != to).then(|| from.min(to)..from.max(to));
    }
    if response.drag_stopped_by(PointerButton::Primary) && view.dragged_from.take().is_some() {
        if let Some(start) = view.selection.as_ref().map(|selection| selection.start) {
            transport::seek(state, start);
        }
        transport::loop_changed(state);
    } else if response.double_clicked() {
        state.sound.sight.show_all();
    } else if response.clicked()
        && let Some(now) = response.interact_pointer_pos()
    {
        state.sound.selection = None;
        transport::loop_changed(state);
        transport::seek(state, at(now.x).min(len.saturating_sub(1)));
    }
    state.sound.sight.scale(len, rect)
}

/// While it plays, turns the page when the line leaves it.
fn follow(state: &mut State, rect: Rect) -> Scale {
    let view = &mut state.sound;
    let (len, position) = (view.len(), view.position as f64);
    let mut scale = view.sight.scale(len, rect);
    let is_in = |scale: &Scale| scale.in_sight().contains(&position);
    let playing = view.activity == SoundActivity::Playing && view.dragged_from.is_none();
    if playing && view.line_in_sight && !is_in(&scale) {
        view.sight.move_to(position, len, rect);
        scale = view.sight.scale(len, rect);
    }
    view.line_in_sight = is_in(&scale);
    scale
}

fn wheel(ui: &Ui, state: &mut State, rect: Rect, response: &Response, len: usize) {
    let sight = &mut state.sound.sight;
    if response.dragged_by(PointerButton::Middle) {
        sight.pan(-response.drag_delta().x, len, rect);
    }
    let Some(at) = response.hover_pos().filter(|_| len > 0) else { return };
    let (scrolled, pinched, across) = ui.input(|input| {
        let across = input.modifiers.shift;
        (input.smooth_scroll_delta(), input.zoom_delta(), across)
    });
    let factor = (f64::from(scrolled.y) * WHEEL).exp() * f64::from(pinched);
    if factor != 1.0 && !across {
        sight.zoom(factor, at.x, len, rect);
    }
    let sideways = if across { scrolled.x + scrolled.y } else { scrolled.x };
    if sideways != 0.0 {
        sight.pan(-sideways, len, rect);
    }
}
