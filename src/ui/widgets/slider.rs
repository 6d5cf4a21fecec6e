//! A row with a name, a slider, and the number it stands at, which can be typed too.

use std::ops::RangeInclusive;

use egui::{
    Align, Align2, Color32, DragValue, EventFilter, Key, Layout, Pos2, Rect, Response, Sense, Ui, UiBuilder,
    WidgetInfo, accesskit, pos2, vec2,
};

use super::line;
use crate::ui::theme;

/// Where the slider begins, from the left of the row.
const SLIDER_LEFT: f32 = 112.0;
/// Room for the number.
const NUMBER_WIDTH: f32 = 52.0;

/// What a slider row shows.
#[derive(Clone, Debug)]
pub struct SliderRow<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it does.
    pub hint: &'a str,
    /// From where to where.
    pub range: RangeInclusive<f64>,
    /// The steps it moves in.
    pub step: f64,
    /// Digits after the point.
    pub decimals: usize,
    /// Bends the way: 2 gives the lower half three quarters of it; 1 is even.
    pub bend: f64,
    /// The value a double click goes back to.
    pub default: f64,
}

/// Where the name of a row stands that begins here and is so wide.
pub fn slider_name(top_left: Pos2, width: f32) -> Rect {
    let room = SLIDER_LEFT.min(width * 0.42) - 8.0;
    Rect::from_min_size(top_left, vec2(room, theme::ROW_HEIGHT))
}

/// A row with a slider; returns whether the value changed.
pub fn slider_row(ui: &mut Ui, row: &SliderRow<'_>, value: &mut f64) -> bool {
    let before = *value;
    let enabled = ui.is_enabled();
    let (rect, hover) = ui.allocate_exact_size(vec2(ui.available_width(), theme::ROW_HEIGHT), Sense::hover());
    let palette = theme::palette(ui);
    let shade: fn(Color32) -> Color32 = if enabled { |color| color } else { theme::disabled };
    let name = slider_name(rect.min, rect.width());
    let left = name.right() + 8.0;
    let at = pos2(rect.left(), rect.center().y);
    line(ui.painter(), at, Align2::LEFT_CENTER, row.name, theme::row(), shade(palette.muted), name.width());
    hover.on_hover_text(row.hint);

    let rail = Rect::from_min_max(pos2(left, rect.top()), pos2(rect.right() - NUMBER_WIDTH, rect.bottom()));
    let sense = if enabled { Sense::click_and_drag() } else { Sense::hover() };
    let response = ui.interact(rail, ui.scope_id().with(("slider", row.name)), sense);
    slide(ui, row, &response, value);
    response.widget_info(|| WidgetInfo::slider(enabled, *value, row.name));
    describe(ui, row, &response, *value);
    paint(ui, row, &response, *value, shade);
    response.on_hover_text(row.hint);

    number(ui, row, Rect::from_min_max(pos2(rail.right() + 4.0, rect.top()), rect.max), value);
    *value != before
}

/// Moves the value by pointer, keys and screen reader.
fn slide(ui: &mut Ui, row: &SliderRow<'_>, response: &Response, value: &mut f64) {
    let (first, last) = (*row.range.start(), *row.range.end());
    if response.double_clicked() {
        *value = row.default;
    } else if let Some(pointer) = response.interact_pointer_pos().filter(|_| response.dragged() || response.clicked()) {
        let inside = response.rect.shrink2(vec2(7.0, 0.0)).x_range();
        let way = f64::from(((pointer.x - inside.min) / inside.span()).clamp(0.0, 1.0));
        *value = stepped(row, first + (last - first) * way.powf(row.bend));
    }
    if response.has_focus() {
        let filter = EventFilter { horizontal_arrows: true, ..EventFilter::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
    }
    let pressed = |key| if response.has_focus() { ui.input(|input| input.num_presses(key)) } else { 0 };
    let asked = |action| ui.input(|input| input.num_accesskit_action_requests(response.id, action));
    let up = pressed(Key::ArrowRight) + asked(accesskit::Action::Increment);
    let down = pressed(Key::ArrowLeft) + asked(accesskit::Action::Decrement);
    if up != down {
        *value = stepped(row, *value + (up as f64 - down as f64) * row.step);
    }
    let wanted = ui.input(|input| {
        input.accesskit_action_requests(response.id, accesskit::Action::SetValue).last().and_then(|request| {
            match request.data {
                Some(accesskit::ActionData::NumericValue(number)) => Some(number),
                _ => None,
            }
        })
    });
    if let Some(wanted) = wanted {
        *value = stepped(row, wanted);
    }
}

fn stepped(row: &SliderRow<'_>, value: f64) -> f64 {
    let steps = (value / row.step).round() * row.step;
    let scale = 10_f64.powi(row.decimals as i32);
    ((steps * scale).round() / scale).clamp(*row.range.start(), *row.range.end())
}

fn describe(ui: &Ui, row: &SliderRow<'_>, response: &Response, value: f64) {
    ui.ctx().accesskit_node_builder(response.id, |node| {
        node.set_min_numeric_value(*row.range.start());
        node.set_max_numeric_value(*row.range.end());
        node.set_numeric_value_step(row.step);
        node.set_numeric_value(value);
        for action in [accesskit::Action::SetValue, accesskit::Action::Increment, accesskit::Action::Decrement] {
            node.add_action(action);
        }
    });
}

fn paint(ui: &Ui, row: &SliderRow<'_>, response: &Response, value: f64, shade: fn(Color32) -> Color32) {
    let palette = theme::palette(ui);
    let (first, last) = (*row.range.start(), *row.range.end());
    let way = ((value - first) / (last - first)).clamp(0.0, 1.0).powf(1.0 / row.bend) as f32;
    let rail = Rect::from_center_size(response.rect.center(), vec2(response.rect.width(), 4.0));
    let inside = rail.shrink2(vec2(7.0, 0.0));
    let knob = pos2(egui::lerp(inside.x_range(), way), rail.center().y);
    ui.painter().rect_filled(rail, 2, palette.track);
    let done = Rect::from_min_max(rail.min, pos2(knob.x, rail.bottom()));
    ui.painter().rect_filled(done, 2, shade(palette.accent));
    // The rail must not shine through.
    ui.painter().circle_filled(knob, 7.0, palette.background);
    let handle = shade(palette.handle);
    let radius = if response.hovered() || response.dragged() { 7.5 } else { 7.0 };
    ui.painter().circle_filled(knob, radius, handle);
    if response.has_focus() {
        ui.painter().circle_stroke(knob, radius + 2.5, egui::Stroke::new(1.5, palette.accent));
    }
}

/// The number at the right; a click turns it into a field.
fn number(ui: &mut Ui, row: &SliderRow<'_>, rect: Rect, value: &mut f64) {
    let layout = Layout::right_to_left(Align::Center);
    let mut ui = ui.new_child(UiBuilder::new().max_rect(rect).layout(layout).id_salt(("number", row.name)));
    let spacing = &mut ui.style_mut().spacing;
    spacing.button_padding = vec2(2.0, 2.0);
    spacing.interact_size = vec2(12.0, 22.0);
    bare(&mut ui);
    let drag = DragValue::new(value)
        .range(row.range.clone())
        .speed(row.step)
        .fixed_decimals(row.decimals)
        .update_while_editing(false);
    let response = ui.add(drag);
    let name = row.name;
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(name));
}

/// Takes the frames off the widgets of `ui`.
pub fn bare(ui: &mut Ui) {
    let visuals = ui.visuals_mut();
    for widget in [&mut visuals.widgets.inactive, &mut visuals.widgets.hovered, &mut visuals.widgets.active] {
        widget.weak_bg_fill = egui::Color32::TRANSPARENT;
        widget.bg_stroke = egui::Stroke::NONE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_move_in_steps_and_stay_in_range() {
        let row = SliderRow { name: "", hint: "", range: 0.0..=2.0, step: 0.05, decimals: 2, bend: 1.0, default: 0.8 };
        assert_eq!(stepped(&row, 0.8249), 0.8);
        assert_eq!(stepped(&row, 0.8251), 0.85);
        assert_eq!(stepped(&row, 7.0), 2.0);
        assert_eq!(stepped(&row, -1.0), 0.0);
    }
}
