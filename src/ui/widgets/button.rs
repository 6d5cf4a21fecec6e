//! Buttons: the one filled button, hairline buttons, plain ones, icons and chips.

use egui::{Align2, Color32, Response, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, accesskit::Role, pos2, vec2};

use super::focus_ring;
use crate::ui::{Icon, theme};

/// How a button looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// A hairline around it.
    Hairline,
    /// Nothing but its text until the pointer is there.
    Plain,
    /// In the colour of what failed.
    Danger,
}

/// The page's one filled button: what it does, and its keys.
pub fn filled_button(ui: &mut Ui, label: &str, keys: &str, enabled: bool) -> Response {
    let palette = theme::palette(ui);
    let text = ui.painter().layout_no_wrap(label.to_owned(), theme::body_medium(), palette.on_accent);
    let hint = ui.painter().layout_no_wrap(keys.to_owned(), theme::key(), palette.keys_on_accent());
    let gap = if keys.is_empty() { 0.0 } else { 8.0 };
    let width = 14.0 + text.size().x + gap + hint.size().x + 14.0;
    let (rect, response) = ui.allocate_exact_size(vec2(width, theme::CONTROL_HEIGHT), sense(enabled));
    response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, label));
    let fill = if response.hovered() && enabled { palette.accent_hovered } else { palette.accent };
    let fill = if enabled { fill } else { theme::disabled(fill) };
    ui.painter().rect_filled(rect, theme::RADIUS, fill);
    let at = pos2(rect.left() + 14.0, rect.center().y - text.size().y / 2.0);
    let hint_at = pos2(rect.right() - 14.0 - hint.size().x, rect.center().y - hint.size().y / 2.0 + 0.5);
    ui.painter().galley(at, text, palette.on_accent);
    ui.painter().galley(hint_at, hint, palette.on_accent);
    if response.has_focus() {
        let ring = Stroke::new(1.5, palette.text);
        ui.painter().rect_stroke(rect.expand(2.0), theme::RADIUS + 2, ring, StrokeKind::Inside);
    }
    response
}

/// A button with text, and an icon before it if there is one.
pub fn button(ui: &mut Ui, look: Look, icon: Option<Icon>, label: &str) -> Response {
    let palette = theme::palette(ui);
    let color = if look == Look::Danger { palette.error } else { palette.text };
    let text = ui.painter().layout_no_wrap(label.to_owned(), theme::row(), color);
    let indent = if icon.is_some() { 22.0 } else { 0.0 };
    let size = vec2(12.0 + indent + text.size().x + 12.0, theme::CONTROL_HEIGHT);
    let enabled = ui.is_enabled();
    let (rect, response) = ui.allocate_exact_size(size, sense(enabled));
    response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, label));
    let hovered = response.hovered();
    if look != Look::Plain || hovered {
        let fill = if hovered { palette.raised } else { Color32::TRANSPARENT };
        let line = if hovered { palette.hairline_strong } else { palette.hairline };
        let line = if look == Look::Plain { Color32::TRANSPARENT } else { line };
        ui.painter().rect(rect, theme::RADIUS, fill, Stroke::new(1.0, line), StrokeKind::Inside);
    }
    if let Some(icon) = icon {
        let place = egui::Rect::from_center_size(pos2(rect.left() + 12.0 + 8.0, rect.center().y), Vec2::splat(16.0));
        icon.paint(ui.painter(), place, 16.0, color);
    }
    let at = pos2(rect.left() + 12.0 + indent, rect.center().y - text.size().y / 2.0);
    ui.painter().galley(at, text, color);
    focus_ring(ui, &response, theme::RADIUS);
    response
}

/// Plain small text that acts like a button.
pub fn link_button(ui: &mut Ui, label: &str) -> Response {
    let palette = theme::palette(ui);
    let text = ui.painter().layout_no_wrap(label.to_owned(), theme::small(), palette.muted);
    let enabled = ui.is_enabled();
    let (rect, response) = ui.allocate_exact_size(vec2(text.size().x, 20.0), sense(enabled));
    response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, label));
    let color = if response.hovered() { palette.accent } else { palette.muted };
    let at = pos2(rect.left(), rect.center().y - text.size().y / 2.0);
    ui.painter().galley_with_override_text_color(at, text, color);
    focus_ring(ui, &response, 4);
    response
}

/// A square button with an icon; `name` is what a screen reader says.
pub fn icon_button(ui: &mut Ui, icon: Icon, name: &str) -> Response {
    icon_toggle(ui, icon, name, false)
}

/// An icon button that can be on.
pub fn icon_toggle(ui: &mut Ui, icon: Icon, name: &str, on: bool) -> Response {
    let palette = theme::palette(ui);
    let enabled = ui.is_enabled();
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(theme::ROW_HEIGHT), sense(enabled));
    response.widget_info(|| match on {
        true => WidgetInfo::selected(Role::Button, enabled, on, name),
        false => WidgetInfo::labeled(Role::Button, enabled, name),
    });
    if response.hovered() || on {
        ui.painter().rect_filled(rect, 6, palette.raised);
    }
    let color = match (on, response.hovered()) {
        (true, _) => palette.accent,
        (_, true) => palette.text,
        _ => palette.muted,
    };
    icon.paint(ui.painter(), rect, 16.0, color);
    focus_ring(ui, &response, 6);
    response
}

/// A rounded button for something to do with the work; `opens` marks one that opens a menu.
/// Not wrapped into a disabled `Ui`, which would keep a wrapping row from wrapping.
pub fn chip(ui: &mut Ui, label: &str, opens: bool, enabled: bool) -> Response {
    let palette = theme::palette(ui);
    let color = if enabled { palette.text } else { theme::disabled(palette.muted) };
    let text = ui.painter().layout_no_wrap(label.to_owned(), theme::row(), color);
    let tail = if opens { 16.0 } else { 0.0 };
    let (rect, response) = ui.allocate_exact_size(vec2(text.size().x + 24.0 + tail, theme::ROW_HEIGHT), sense(enabled));
    response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, label));
    let (fill, line) = match response.hovered() && enabled {
        true => (palette.raised, palette.hairline_strong),
        false => (Color32::TRANSPARENT, palette.hairline),
    };
    ui.painter().rect(rect, theme::CHIP_RADIUS, fill, Stroke::new(1.0, line), StrokeKind::Inside);
    let right = pos2(rect.right() - 12.0 - 5.0, rect.center().y);
    ui.painter().galley(pos2(rect.left() + 12.0, rect.center().y - text.size().y / 2.0), text, color);
    if opens {
        let place = Align2::CENTER_CENTER.anchor_size(right, Vec2::splat(14.0));
        Icon::ChevronDown.paint(ui.painter(), place, 14.0, palette.muted);
    }
    focus_ring(ui, &response, theme::CHIP_RADIUS);
    response
}

fn sense(enabled: bool) -> Sense {
    if enabled { Sense::click() } else { Sense::hover() }
}
