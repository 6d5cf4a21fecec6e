//! Menus: the button that opens one, its rows, its frame.

use egui::{
    Align2, Color32, Frame, Margin, Rect, Response, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, accesskit::Role,
    pos2, vec2,
};

use super::{focus_ring, line};
use crate::ui::{Icon, theme};

/// The frame of pop-ups.
pub fn popup_frame(ui: &Ui) -> Frame {
    let palette = theme::palette(ui);
    Frame::new()
        .fill(palette.raised)
        .stroke(Stroke::new(1.0, palette.hairline))
        .corner_radius(theme::CARD_RADIUS)
        .inner_margin(Margin::same(6))
        .shadow(ui.visuals().popup_shadow)
}

/// A field that opens a menu: what is chosen, small print beside it, a chevron. `name` is what a screen reader says.
pub fn menu_button(ui: &mut Ui, width: Option<f32>, name: &str, chosen: &str, small: &str) -> Response {
    let palette = theme::palette(ui);
    let painter = ui.painter();
    let text = painter.layout_no_wrap(chosen.to_owned(), theme::body(), palette.text);
    let beside = painter.layout_no_wrap(small.to_owned(), theme::small(), palette.muted);
    let gap = if small.is_empty() { 0.0 } else { 8.0 };
    let wanted = 12.0 + text.size().x + gap + beside.size().x + 8.0 + 14.0 + 10.0;
    let width = width.unwrap_or(wanted);
    let enabled = ui.is_enabled();
    let sense = if enabled { Sense::click() } else { Sense::hover() };
    let (rect, response) = ui.allocate_exact_size(vec2(width, theme::CONTROL_HEIGHT), sense);
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ComboBox, enabled, name);
        info.current_text_value = Some(chosen.to_owned());
        info
    });
    let edge = if response.hovered() { palette.hairline_strong } else { palette.hairline };
    ui.painter().rect(rect, theme::RADIUS, palette.panel, Stroke::new(1.0, edge), StrokeKind::Inside);
    let room = rect.width() - 12.0 - 32.0 - if wanted <= width { gap + beside.size().x } else { 0.0 };
    let at = pos2(rect.left() + 12.0, rect.center().y);
    let drawn = line(ui.painter(), at, Align2::LEFT_CENTER, chosen, theme::body(), palette.text, room);
    if wanted <= width {
        let at = pos2(drawn.right() + gap, rect.center().y - beside.size().y / 2.0 + 0.5);
        ui.painter().galley(at, beside, palette.muted);
    }
    let place = Rect::from_center_size(pos2(rect.right() - 17.0, rect.center().y), Vec2::splat(14.0));
    Icon::ChevronDown.paint(ui.painter(), place, 14.0, palette.muted);
    focus_ring(ui, &response, theme::RADIUS);
    response
}

/// A row of a menu: an icon's place, a name, small print at the right.
pub fn menu_row(ui: &mut Ui, icon: Option<Icon>, name: &str, small: &str, chosen: bool) -> Response {
    let palette = theme::palette(ui);
    let enabled = ui.is_enabled();
    let sense = if enabled { Sense::click() } else { Sense::hover() };
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 30.0), sense);
    response.widget_info(|| WidgetInfo::selected(Role::MenuItem, enabled, chosen, name));
    if response.hovered() || chosen || response.has_focus() {
        let fill = if chosen { palette.generated } else { palette.row_hovered() };
        ui.painter().rect_filled(rect, 6, fill);
    }
    let shade: fn(Color32) -> Color32 = if enabled { |color| color } else { theme::disabled };
    let mut left = rect.left() + 8.0;
    if let Some(icon) = icon {
        let place = Rect::from_center_size(pos2(left + 8.0, rect.center().y), Vec2::splat(16.0));
        icon.paint(ui.painter(), place, 16.0, if chosen { palette.accent } else { shade(palette.muted) });
        left += 24.0;
    }
    let (muted, text) = (shade(palette.muted), shade(palette.text));
    let right = rect.right() - 8.0;
    let beside = ui.painter().layout_no_wrap(small.to_owned(), theme::small(), muted).size().x;
    let room = (right - left - beside - 12.0).max(40.0);
    line(ui.painter(), pos2(left, rect.center().y), Align2::LEFT_CENTER, name, theme::row(), text, room);
    line(
        ui.painter(),
        pos2(right, rect.center().y),
        Align2::RIGHT_CENTER,
        small,
        theme::small(),
        muted,
        rect.width() / 2.0,
    );
    response
}

/// A head inside a menu.
pub fn menu_head(ui: &mut Ui, text: &str) {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 24.0), Sense::empty());
    let at = pos2(rect.left() + 8.0, rect.center().y);
    line(ui.painter(), at, Align2::LEFT_CENTER, text, theme::section(), theme::palette(ui).muted, rect.width());
}

/// A line between groups of a menu.
pub fn menu_line(ui: &mut Ui) {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 9.0), Sense::empty());
    ui.painter().hline(rect.x_range(), rect.center().y, theme::hairline(ui));
}
