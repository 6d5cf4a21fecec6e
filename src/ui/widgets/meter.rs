//! Bars that show how much: of a whole, or of the way.

use egui::{Color32, Rect, Response, Sense, Ui, WidgetInfo, accesskit::Role, pos2, vec2};

use crate::ui::theme;

/// A part of a meter.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// How much of the whole, 0 to 1.
    pub fraction: f32,
    /// Its colour.
    pub color: Color32,
}

/// Parts of a whole, side by side, as wide as there is room.
pub fn meter(ui: &mut Ui, name: &str, parts: &[Part]) -> Response {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 8.0), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Meter, true, name));
    ui.painter().rect_filled(rect, 2, theme::palette(ui).track);
    let mut left = rect.left();
    for part in parts {
        // A part that is there at all must be seen.
        let width = if part.fraction > 0.0 { (part.fraction * rect.width()).max(2.0) } else { 0.0 };
        let right = (left + width).min(rect.right());
        ui.painter().rect_filled(Rect::from_min_max(pos2(left, rect.top()), pos2(right, rect.bottom())), 0, part.color);
        left = right;
    }
    response
}

/// How far something is; `None` when nobody knows.
pub fn progress(ui: &mut Ui, width: f32, name: &str, fraction: Option<f32>) -> Response {
    let palette = theme::palette(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(width, 4.0), Sense::hover());
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ProgressIndicator, true, name);
        info.value = fraction.map(f64::from);
        info
    });
    ui.painter().rect_filled(rect, 2, palette.track);
    let filled = match fraction {
        Some(fraction) => Rect::from_min_size(rect.min, vec2(rect.width() * fraction.clamp(0.0, 1.0), rect.height())),
        None => Rect::from_center_size(rect.center(), vec2(rect.width() / 3.0, rect.height())),
    };
    ui.painter().rect_filled(filled, 2, palette.accent);
    response
}
