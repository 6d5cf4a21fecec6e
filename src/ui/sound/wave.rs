//! The take's waveform and spectrogram; a click moves the place that is heard.

use egui::{Rect, Response, Sense, Stroke, Ui, WidgetInfo, accesskit::Role, pos2, vec2};

use crate::{
    engine::SoundInput,
    ui::{
        Key,
        state::{Action, State},
        theme,
    },
};

/// The lowest and the highest sample of each of `columns` equal parts.
fn extremes(samples: &[f32], columns: usize) -> Vec<(f32, f32)> {
    (0..columns)
        .map(|column| {
            let edge = |column: usize| column * samples.len() / columns.max(1);
            let part = &samples[edge(column)..edge(column + 1)];
            part.iter().fold((0.0_f32, 0.0_f32), |(low, high), sample| (low.min(*sample), high.max(*sample)))
        })
        .collect()
}

pub(super) fn wave_ui(ui: &mut Ui, state: &mut State, height: f32) {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::click_and_drag());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, state.t(Key::Waveform)));
    let palette = theme::palette(ui);
    let columns = (rect.width() as usize).max(1);
    let middle = rect.center().y;
    ui.painter().hline(rect.x_range(), middle, Stroke::new(1.0, palette.hairline));
    for (column, (low, high)) in extremes(&state.sound.samples, columns).into_iter().enumerate() {
        let x = rect.left() + column as f32 + 0.5;
        let y = |sample: f32| middle - sample.clamp(-1.0, 1.0) * rect.height() / 2.0;
        ui.painter().vline(x, y(high) - 0.5..=y(low) + 0.5, Stroke::new(1.0, palette.accent));
    }
    cursor(ui, state, rect);
    seek(state, rect, &response);
    response.on_hover_text(state.t(Key::WaveformTip));
}

pub(super) fn spectrogram_ui(ui: &mut Ui, state: &mut State, height: f32) {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::click_and_drag());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, state.t(Key::Spectrogram)));
    let size = [(rect.width() as usize).clamp(16, 2048), 0];
    let view = &mut state.sound;
    let (take, rate) = (view.take, view.rate());
    let texture = view.spectrogram.texture(ui.ctx(), take, &view.samples, rate, size[0]);
    ui.painter().rect_filled(rect, theme::RADIUS, theme::spectrum(0));
    if let Some(texture) = texture {
        let all = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
        egui::Image::from_texture((texture.id(), rect.size())).corner_radius(theme::RADIUS).uv(all).paint_at(ui, rect);
    }
    cursor(ui, state, rect);
    seek(state, rect, &response);
    response.on_hover_text(state.t(Key::SpectrogramTip));
}

/// Where it is heard.
fn cursor(ui: &Ui, state: &State, rect: Rect) {
    let view = &state.sound;
    if !view.samples.is_empty() {
        let x = rect.left() + view.position as f32 / view.samples.len() as f32 * rect.width();
        let color = if ui.visuals().dark_mode { theme::palette(ui).text } else { theme::palette(ui).accent };
        ui.painter().vline(x.min(rect.right() - 0.5), rect.y_range(), Stroke::new(1.0, color));
    }
}

/// A click plays from there on while it plays, and otherwise moves the place to begin.
fn seek(state: &mut State, rect: Rect, response: &Response) {
    let moved = response.clicked() || response.drag_stopped();
    let Some(pointer) = response.interact_pointer_pos().filter(|_| moved && !state.sound.samples.is_empty()) else {
        return;
    };
    let way = ((pointer.x - rect.left()) / rect.width()).clamp(0.0, 1.0);
    let from = ((way * state.sound.samples.len() as f32) as usize).min(state.sound.samples.len() - 1);
    state.ask(Action::Sound(SoundInput::Play { from }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_column_has_the_extremes_of_its_part() {
        let samples: Vec<f32> = (0..10).map(|i| if i == 3 { -0.5 } else { i as f32 / 10.0 }).collect();
        assert_eq!(extremes(&samples, 2), [(-0.5, 0.4), (0.0, 0.9)]);
        assert_eq!(extremes(&samples, 20).len(), 20);
        assert_eq!(extremes(&[], 3), [(0.0, 0.0); 3]);
    }
}
