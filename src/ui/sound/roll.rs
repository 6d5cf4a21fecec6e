//! The piano roll: the take's notes over its time.

use egui::{Rect, Sense, Stroke, Ui, WidgetInfo, accesskit::Role, pos2, vec2};

use super::wave;
use crate::{
    generate::audio::Note,
    ui::{Key, state::State, theme},
};

pub(super) fn roll_ui(ui: &mut Ui, state: &mut State, height: f32) {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::click_and_drag());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, state.t(Key::PianoRoll)));
    let scale = wave::pointer(ui, state, rect, &response);
    response.on_hover_text(state.t(Key::PianoRoll));
    let palette = theme::palette(ui);
    let view = &state.sound;
    let notes: &[Note] = &view.shown.notes;
    let (Some(low), Some(high)) = (notes.iter().map(|note| note.key).min(), notes.iter().map(|note| note.key).max())
    else {
        return;
    };
    // At least an octave, so that a single note is no beam across the page.
    let low = low.saturating_sub((12_u8.saturating_sub(high - low)) / 2);
    let rows = f32::from((high - low).max(12)) + 1.0;
    let step = rect.height() / rows;
    for octave in (low..=low + rows as u8).filter(|key| key % 12 == 0) {
        let y = rect.bottom() - (f32::from(octave - low)) * step;
        ui.painter().hline(rect.x_range(), y, Stroke::new(1.0, palette.hairline));
    }
    let total = view.shown.samples().len() as u64;
    let painter = ui.painter().with_clip_rect(rect);
    let x = |sample: u64| scale.x(sample.min(total) as f64);
    for note in notes.iter().filter(|note| note.start < total.max(1)) {
        let end = note.start.saturating_add(note.length);
        let top = rect.bottom() - (f32::from(note.key - low) + 1.0) * step;
        let right = x(end).max(x(note.start) + 2.0);
        if right < rect.left() || x(note.start) > rect.right() {
            continue;
        }
        let bar = Rect::from_min_max(pos2(x(note.start), top), pos2(right, top + step.clamp(3.0, 9.0)));
        let now = (note.start..end).contains(&(view.position as u64)) && view.is_busy();
        painter.rect_filled(bar, 2, if now { palette.accent } else { palette.second });
    }
}
