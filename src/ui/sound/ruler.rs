//! The ruler over the waveform, and the bar that tells and moves what is in sight.

use egui::{Align2, Rect, Sense, Stroke, Ui, WidgetInfo, accesskit::Role, pos2, vec2};

use super::sight::round_step_s;
use crate::ui::{Key, state::State, theme, widgets};

const RULER: f32 = 18.0;
const BAR: f32 = 8.0;
/// Between two numbers at least.
const APART: f32 = 72.0;

/// Times; a drag moves what is in sight, the wheel zooms.
pub(super) fn ruler_ui(ui: &mut Ui, state: &mut State) {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), RULER), Sense::click_and_drag());
    response.widget_info(|| WidgetInfo::labeled(Role::Group, true, state.t(Key::Ruler)));
    let len = state.sound.len();
    if response.dragged() {
        state.sound.sight.pan(-response.drag_delta().x, len, rect);
    }
    if response.double_clicked() {
        state.sound.sight.show_all();
    }
    if let Some(at) = response.hover_pos() {
        let scrolled = ui.input(|input| input.smooth_scroll_delta().y);
        if scrolled != 0.0 {
            state.sound.sight.zoom((f64::from(scrolled) * 0.004).exp(), at.x, len, rect);
        }
    }
    let scale = state.sound.sight.scale(len, rect);
    let palette = theme::palette(ui);
    let rate = f64::from(state.sound.rate());
    let step_s = round_step_s(f64::from(APART) * scale.per_point / rate);
    let decimals = (0..4).find(|digits| step_s * 10.0_f64.powi(*digits) >= 0.999).unwrap_or(4) as usize;
    let sight = scale.in_sight();
    let first = (sight.start / rate / step_s).floor() as u64;
    let last = (sight.end.min(len as f64) / rate / step_s).floor() as u64;
    let painter = ui.painter().with_clip_rect(rect.expand2(vec2(4.0, 0.0)));
    for number in first..=last.min(first + 400) {
        let seconds = number as f64 * step_s;
        let x = scale.x(seconds * rate);
        painter.vline(x, rect.bottom() - 5.0..=rect.bottom(), Stroke::new(1.0, palette.hairline_strong));
        if x >= rect.left() - 1.0 && x + 44.0 < rect.right() {
            let text = clock(seconds, decimals);
            let at = pos2(x + 4.0, rect.center().y - 1.0);
            widgets::line(&painter, at, Align2::LEFT_CENTER, &text, theme::tiny(), palette.muted, APART);
        }
    }
    for smaller in first * 5..=(last + 1).min(first + 400) * 5 {
        let x = scale.x(smaller as f64 * step_s / 5.0 * rate);
        painter.vline(x, rect.bottom() - 2.0..=rect.bottom(), Stroke::new(1.0, palette.hairline));
    }
    response.on_hover_text(state.t(Key::RulerTip));
}

/// Which part is in sight; nothing while all of it is.
pub(super) fn bar_ui(ui: &mut Ui, state: &mut State) {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), BAR), Sense::click_and_drag());
    let len = state.sound.len();
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ScrollBar, true, state.t(Key::SightBar));
        info.value = Some(state.sound.sight.scale(len, rect).first / (len as f64).max(1.0));
        info
    });
    if state.sound.sight.shows_all() || len == 0 {
        return;
    }
    let scale = state.sound.sight.scale(len, rect);
    let per_point = len as f64 / f64::from(rect.width());
    let wide = (f64::from(rect.width()) * scale.per_point / per_point) as f32;
    if let Some(at) = response.interact_pointer_pos().filter(|_| response.clicked() || response.dragged()) {
        let first = f64::from(at.x - rect.left() - wide / 2.0) * per_point;
        state.sound.sight.move_to(first, len, rect);
    }
    let scale = state.sound.sight.scale(len, rect);
    let palette = theme::palette(ui);
    let left = rect.left() + (scale.first / per_point) as f32;
    let thumb = Rect::from_min_size(pos2(left, rect.top() + 2.0), vec2(wide.max(12.0), BAR - 4.0));
    ui.painter().rect_filled(Rect::from_x_y_ranges(rect.x_range(), thumb.y_range()), 2, palette.track);
    let color = if response.hovered() || response.dragged() { palette.muted } else { palette.hairline_strong };
    ui.painter().rect_filled(thumb, 2, color);
    response.on_hover_text(state.t(Key::SightBarTip));
}

/// `0:04.6`, with so many digits after the point.
pub(super) fn clock(seconds: f64, decimals: usize) -> String {
    let unit = 10_u64.pow(decimals as u32);
    let all = (seconds * unit as f64 + 1e-6).floor() as u64;
    let (minutes, seconds) = (all / unit / 60, all / unit % 60);
    match decimals {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{minutes}:{seconds:02}.{:0decimals$}", all % unit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        assert_eq!([clock(0.0, 1), clock(4.69, 1), clock(61.0, 1)], ["0:00.0", "0:04.6", "1:01.0"]);
        assert_eq!([clock(0.3, 3), clock(599.0, 0), clock(0.0002, 4)], ["0:00.300", "9:59", "0:00.0002"]);
    }
}
