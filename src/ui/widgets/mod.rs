//! The controls that pages are built of. Each one allocates, interacts, tells its name, and paints, in that order.

mod button;
mod choice;
mod field;
mod menu;
mod meter;
mod slider;

use egui::{Align2, Color32, FontId, Painter, Pos2, Rect, Response, Ui, text::LayoutJob};

pub use button::{Look, button, chip, filled_button, icon_button, icon_toggle, link_button};
pub use choice::{any_of, fold, segmented, segmented_with_tips, switch};
pub use field::{area, field};
pub use menu::{menu_button, menu_head, menu_line, menu_row, popup_frame};
pub use meter::{Part, meter, progress};
pub use slider::{SliderRow, bare, slider_name, slider_row};

use super::theme;

/// Paints one line of text, cut with an ellipsis where `width` ends; returns its rectangle.
pub fn line(painter: &Painter, at: Pos2, align: Align2, text: &str, font: FontId, color: Color32, width: f32) -> Rect {
    let mut job = LayoutJob::simple_singleline(text.to_owned(), font, color);
    job.wrap.max_width = width;
    job.wrap.max_rows = 1;
    job.wrap.break_anywhere = true;
    let galley = painter.layout_job(job);
    let rect = align.anchor_size(at, galley.size());
    painter.galley(rect.min, galley, color);
    rect
}

/// The head of a section: small, semibold, muted.
pub fn section(ui: &mut Ui, text: &str) -> Response {
    let color = theme::palette(ui).muted;
    ui.add(egui::Label::new(egui::RichText::new(text).font(theme::section()).color(color)))
}

/// Small print that wraps.
pub fn note(ui: &mut Ui, text: &str) -> Response {
    let color = theme::palette(ui).muted;
    ui.add(egui::Label::new(egui::RichText::new(text).font(theme::small()).color(color)).wrap())
}

/// A ring around what has the keyboard.
pub fn focus_ring(ui: &Ui, response: &Response, radius: u8) {
    if response.has_focus() {
        let stroke = egui::Stroke::new(1.5, theme::palette(ui).accent);
        ui.painter().rect_stroke(response.rect, radius, stroke, egui::StrokeKind::Inside);
    }
}
