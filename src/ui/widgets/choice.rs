//! Choosing: one of a few, on or off, open or folded.

use egui::{
    Align2, CornerRadius, Rect, Response, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, accesskit::Role, pos2, vec2,
};

use super::{focus_ring, line};
use crate::ui::{Icon, theme};

/// One of a few, side by side in a hairline; `size` is that of the whole. Returns whether the choice changed.
pub fn segmented<T: Copy + PartialEq>(ui: &mut Ui, size: Vec2, value: &mut T, choices: &[(T, &str)]) -> bool {
    segmented_with_tips(ui, size, value, choices, &[])
}

/// The same, with what each of them is for.
pub fn segmented_with_tips<T: Copy + PartialEq>(
    ui: &mut Ui,
    size: Vec2,
    value: &mut T,
    choices: &[(T, &str)],
    tips: &[String],
) -> bool {
    let palette = theme::palette(ui);
    let enabled = ui.is_enabled();
    let (rect, _) = ui.allocate_exact_size(size, Sense::empty());
    ui.painter().rect_filled(rect, theme::RADIUS, palette.background);
    let width = size.x / choices.len() as f32;
    let mut changed = false;
    for (i, (choice, name)) in choices.iter().enumerate() {
        let part = Rect::from_min_size(rect.min + vec2(width * i as f32, 0.0), vec2(width, size.y));
        let response = ui.interact(
            part,
            ui.scope_id().with(("segment", *name)),
            if enabled { Sense::click() } else { Sense::hover() },
        );
        let chosen = *value == *choice;
        response.widget_info(|| WidgetInfo::selected(Role::RadioButton, enabled, chosen, *name));
        if chosen {
            let radius = |on: bool| if on { theme::RADIUS } else { 0 };
            let (first, last) = (i == 0, i + 1 == choices.len());
            let corners = CornerRadius { nw: radius(first), sw: radius(first), ne: radius(last), se: radius(last) };
            ui.painter().rect_filled(part, corners, palette.raised);
        }
        let color = if chosen || response.hovered() { palette.text } else { palette.muted };
        line(ui.painter(), part.center(), Align2::CENTER_CENTER, name, theme::row(), color, width - 8.0);
        focus_ring(ui, &response, theme::RADIUS);
        if response.clicked() && !chosen {
            *value = *choice;
            changed = true;
        }
        if let Some(tip) = tips.get(i) {
            response.on_hover_text(tip);
        }
    }
    ui.painter().rect_stroke(rect, theme::RADIUS, Stroke::new(1.0, palette.hairline), StrokeKind::Inside);
    changed
}

/// Any of a few, side by side in a hairline, at least one of them; `off` has a bit for each that is not chosen. `names`
/// are what is written on them, `tip` with a name in it what they are called.
pub fn any_of(ui: &mut Ui, size: Vec2, off: &mut u64, names: &[String], tip: impl Fn(&str) -> String) {
    let palette = theme::palette(ui);
    let (rect, _) = ui.allocate_exact_size(size, Sense::empty());
    ui.painter().rect_filled(rect, theme::RADIUS, palette.background);
    let width = size.x / names.len().max(1) as f32;
    let all = u64::MAX >> (64 - names.len().clamp(1, 64));
    for (i, name) in names.iter().enumerate().take(64) {
        let part = Rect::from_min_size(rect.min + vec2(width * i as f32, 0.0), vec2(width, size.y));
        let response = ui.interact(part, ui.scope_id().with(("any of", i)), Sense::click());
        let (bit, label) = (1 << i, tip(name));
        if response.clicked() && (*off ^ bit) & all != all {
            *off = (*off ^ bit) & all;
        }
        let chosen = *off & bit == 0;
        response.widget_info(|| WidgetInfo::selected(Role::CheckBox, true, chosen, &label));
        if chosen {
            // Neighbours that are both chosen stay apart.
            let cell = part.shrink(2.0);
            ui.painter().rect(
                cell,
                theme::RADIUS - 2,
                palette.raised,
                Stroke::new(1.0, palette.hairline_strong),
                StrokeKind::Inside,
            );
        }
        let color = if chosen || response.hovered() { palette.text } else { palette.muted };
        line(ui.painter(), part.center(), Align2::CENTER_CENTER, name, theme::row(), color, width - 8.0);
        focus_ring(ui, &response, theme::RADIUS);
        response.on_hover_text(label);
    }
    ui.painter().rect_stroke(rect, theme::RADIUS, Stroke::new(1.0, palette.hairline), StrokeKind::Inside);
}

/// A row that is on or off: its name at the left, a switch at the right.
pub fn switch(ui: &mut Ui, on: &mut bool, name: &str) -> Response {
    let palette = theme::palette(ui);
    let enabled = ui.is_enabled();
    let size = vec2(ui.available_width(), theme::ROW_HEIGHT);
    let (rect, mut response) = ui.allocate_exact_size(size, if enabled { Sense::click() } else { Sense::hover() });
    if response.clicked() {
        *on = !*on;
        response.mark_changed();
    }
    response.widget_info(|| WidgetInfo::selected(Role::Switch, enabled, *on, name));
    let how_on = ui.ctx().animate_bool_with_time(response.id, *on, theme::MOTION_S);
    let track = Rect::from_min_size(pos2(rect.right() - 30.0, rect.center().y - 8.0), vec2(30.0, 16.0));
    let fill = palette.track.lerp_to_gamma(palette.accent, how_on);
    ui.painter().rect_filled(track, 8, fill);
    let knob = pos2(egui::lerp(track.left() + 8.0..=track.right() - 8.0, how_on), track.center().y);
    let knob_color = if *on { palette.on_accent } else { palette.muted };
    ui.painter().circle_filled(knob, 5.5, knob_color);
    let at = pos2(rect.left(), rect.center().y);
    let color = if response.hovered() { palette.text } else { palette.muted };
    line(ui.painter(), at, Align2::LEFT_CENTER, name, theme::row(), color, rect.width() - 40.0);
    focus_ring(ui, &response, 4);
    response
}

/// A row that unfolds what is below it.
pub fn fold(ui: &mut Ui, open: &mut bool, name: &str) -> Response {
    let palette = theme::palette(ui);
    let size = vec2(ui.available_width(), theme::ROW_HEIGHT);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    if response.clicked() {
        *open = !*open;
    }
    response.widget_info(|| WidgetInfo::selected(Role::DisclosureTriangle, true, *open, name));
    let color = if response.hovered() { palette.text } else { palette.muted };
    let icon = if *open { Icon::ChevronDown } else { Icon::ChevronRight };
    let place = Rect::from_center_size(pos2(rect.left() + 6.0, rect.center().y), Vec2::splat(14.0));
    icon.paint(ui.painter(), place, 14.0, color);
    let at = pos2(rect.left() + 18.0, rect.center().y);
    line(ui.painter(), at, Align2::LEFT_CENTER, name, theme::row(), color, rect.width() - 18.0);
    if response.has_focus() {
        ui.painter().rect_stroke(rect, 4, Stroke::new(1.5, palette.accent), StrokeKind::Inside);
    }
    response
}
