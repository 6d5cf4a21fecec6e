//! Fields to type in.

use egui::{Frame, Margin, Response, Stroke, TextEdit, Ui, vec2};

use crate::ui::theme;

/// A field of one line, as wide as there is room. `name` is what a screen reader says.
pub fn field(ui: &mut Ui, id: egui::Id, text: &mut String, name: &str, hint: &str) -> Response {
    let line = line_color(ui, id);
    let edit = TextEdit::singleline(text)
        .id(id)
        .font(theme::row())
        .hint_text(hint_text(ui, hint))
        .align(egui::Align2::LEFT_CENTER)
        .min_size(vec2(0.0, theme::CONTROL_HEIGHT - 2.0))
        .desired_width(f32::INFINITY)
        .frame(frame(ui, line).inner_margin(Margin::symmetric(10, 4)));
    named(edit.show(ui).response.response, name, hint)
}

/// A field of several lines, at least `rows` high.
pub fn area(ui: &mut Ui, id: egui::Id, text: &mut String, name: &str, hint: &str, rows: usize) -> Response {
    let line = line_color(ui, id);
    let edit = TextEdit::multiline(text)
        .id(id)
        .font(theme::row())
        .hint_text(hint_text(ui, hint))
        .desired_rows(rows)
        .desired_width(f32::INFINITY)
        .frame(frame(ui, line).inner_margin(Margin::symmetric(10, 8)));
    named(edit.show(ui).response.response, name, hint)
}

fn hint_text(ui: &Ui, hint: &str) -> egui::RichText {
    egui::RichText::new(hint).font(theme::row()).color(theme::palette(ui).muted)
}

fn line_color(ui: &Ui, id: egui::Id) -> egui::Color32 {
    let palette = theme::palette(ui);
    if ui.memory(|memory| memory.has_focus(id)) { palette.accent } else { palette.hairline }
}

fn frame(ui: &Ui, line: egui::Color32) -> Frame {
    Frame::new().fill(theme::palette(ui).panel).stroke(Stroke::new(1.0, line)).corner_radius(theme::RADIUS)
}

/// Gives the field its name beside its value.
fn named(response: Response, name: &str, hint: &str) -> Response {
    response.ctx.accesskit_node_builder(response.id, |node| {
        node.set_label(name);
        node.set_placeholder(hint);
    });
    response
}
