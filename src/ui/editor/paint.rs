//! Painting: backgrounds of generated, found and selected text, the text, and the caret.

use std::ops::Range;

use egui::{Color32, CornerRadius, Painter, Pos2, Rect, Ui, output::IMEOutput, pos2, vec2};

use super::{
    super::{
        text::{Key as Word, t},
        theme,
    },
    EditorState, EditorStyle, Look, Place, Visible,
};
use crate::document::Document;

/// Seconds that the caret is shown and hidden.
const BLINK_S: f64 = 0.53;
/// After this long without a key the caret stays, so that an idle window is not repainted.
const BLINKS_FOR_S: f64 = 8.0;

pub(super) fn paint(
    ui: &Ui,
    state: &mut EditorState,
    document: &Document,
    style: &EditorStyle<'_>,
    look: &Look,
    place: &Place,
    visible: &[Visible],
) {
    let palette = theme::palette(ui);
    let painter = ui.painter_at(place.rect);
    let Some((first, last)) = visible.first().zip(visible.last()) else { return };
    let in_view = first.bytes.start..last.bytes.end;
    let scale = look.font.size / theme::DOCUMENT_SIZE;
    // Backgrounds hug the letters rather than the tall line.
    let hug = |rect: Rect| {
        let center = rect.center().y + 1.0;
        let half = (rect.height().min(look.line_height * 1.3) * 0.41).max(9.0 * scale);
        Rect::from_min_max(pos2(rect.left(), center - half), pos2(rect.right(), center + half))
    };
    for range in document.tinted_ranges(&in_view) {
        fill(&painter, visible, &range, false, palette.generated, CornerRadius::ZERO, hug);
    }
    for (range, is_current) in state.find.in_view(&in_view) {
        let color = if is_current { palette.found_now() } else { palette.found };
        fill(&painter, visible, &range, false, color, CornerRadius::same(2), hug);
    }
    let selection = document.selection();
    if !selection.is_empty() {
        fill(&painter, visible, &selection.range(), true, palette.selected_text, CornerRadius::ZERO, |rect| rect);
    }
    let token = state.alternatives.token(document);
    if let Some(token) = &token {
        fill(&painter, visible, &trimmed(document, token), false, palette.accent, CornerRadius::same(3), |rect| {
            hug(rect).expand2(vec2(1.0, 0.0))
        });
    }
    let caret_line = document.line_of(selection.head);
    let has_focus = state.last.has_focus;
    for block in visible {
        let at = block.at + vec2(0.0, block.layout.pad_top);
        match style.read_from.filter(|from| *from > block.bytes.start) {
            Some(from) => dimmed(&painter, block, at, from, palette),
            None => painter.galley(at, block.layout.galley.clone(), palette.text),
        }
        let is_caret_here = has_focus && document.line_of(block.bytes.start) == caret_line;
        if let (Some(marks), true) = (&block.layout.marks, is_caret_here) {
            painter.galley(at + vec2(block.layout.marks_offset(), 0.0), marks.clone(), palette.muted);
        }
        if let Some(token) = &token {
            for rect in block.rects(&trimmed(document, token), false) {
                let clipped = painter.with_clip_rect(rect.expand2(vec2(1.0, 0.0)));
                clipped.galley_with_override_text_color(at, block.layout.galley.clone(), palette.on_accent);
            }
        }
    }
    if let Some(from) = style.read_from.filter(|from| in_view.contains(from)) {
        read_from(ui, state, document, style, look, place, from);
    }
    if document.is_empty() && state.preedit.is_none() {
        hint(ui, &painter, style, look, first.at, palette.muted);
    }
    caret(ui, state, document, look, place, &painter);
}

/// The text of a block of which the part before `from` is not read by the model.
fn dimmed(painter: &Painter, block: &Visible, at: Pos2, from: usize, palette: &theme::Palette) {
    let galley = &block.layout.galley;
    if from >= block.bytes.end {
        painter.galley_with_override_text_color(at, galley.clone(), palette.muted);
        return;
    }
    for (range, color) in [(block.bytes.start..from, palette.muted), (from..block.bytes.end, palette.text)] {
        for rect in block.rects(&range, false) {
            let clipped = painter.with_clip_rect(rect.intersect(painter.clip_rect()));
            clipped.galley_with_override_text_color(at, galley.clone(), color);
        }
    }
}

/// A hairline over the row where the model's reading begins, and a label on it.
fn read_from(
    ui: &Ui,
    state: &mut EditorState,
    document: &Document,
    style: &EditorStyle<'_>,
    look: &Look,
    place: &Place,
    from: usize,
) {
    let palette = theme::palette(ui);
    let painter = ui.painter_at(place.rect);
    let y = state.caret_rect(ui, document, look, place, from).top().round() + 0.5;
    let right = place.left + place.width;
    painter.hline(place.left..=right, y, egui::Stroke::new(1.0, palette.second));
    let words = t(style.lang, Word::ReadFromHere);
    let galley = painter.layout_no_wrap(words.to_owned(), theme::tiny(), palette.muted);
    // Over what is not read rather than over what is.
    let chip = egui::Align2::RIGHT_BOTTOM.anchor_size(pos2(right + 16.0, y), galley.size() + vec2(12.0, 2.0));
    painter.rect(chip, 8, palette.background, egui::Stroke::new(1.0, palette.second), egui::StrokeKind::Inside);
    painter.galley(chip.center() - galley.size() / 2.0, galley, palette.muted);
    let response = ui.interact(chip, place.id.with("read from"), egui::Sense::hover());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::accesskit::Role::Label, true, words));
    response.on_hover_text(t(style.lang, Word::ContextTip));
}

fn hint(ui: &Ui, painter: &Painter, style: &EditorStyle<'_>, look: &Look, at: Pos2, color: Color32) {
    let mut job = egui::text::LayoutJob::simple(style.hint.to_owned(), look.font.clone(), color, look.width);
    for section in &mut job.sections {
        section.format.line_height = Some(look.line_height);
    }
    let galley = ui.ctx().fonts_mut(|fonts| fonts.layout_job(job));
    painter.galley(at, galley, color);
}

/// A token without the spaces around it.
fn trimmed(document: &Document, token: &Range<usize>) -> Range<usize> {
    let text = document.text().get(token.clone()).unwrap_or_default();
    let start = token.start + (text.len() - text.trim_start().len());
    let end = token.end - (text.len() - text.trim_end().len());
    if start < end { start..end } else { token.clone() }
}

fn fill(
    painter: &Painter,
    visible: &[Visible],
    range: &Range<usize>,
    shows_line_end: bool,
    color: Color32,
    corners: CornerRadius,
    shape: impl Fn(Rect) -> Rect,
) {
    let pixels = painter.pixels_per_point();
    let snap = |value: f32| (value * pixels).round() / pixels;
    for block in visible {
        for rect in block.rects(range, shows_line_end) {
            let rect = shape(rect);
            let rect = Rect::from_min_max(
                pos2(snap(rect.left()), snap(rect.top())),
                pos2(snap(rect.right()), snap(rect.bottom())),
            );
            painter.rect_filled(rect, corners, color);
        }
    }
}

/// Draws the caret, and tells input methods where it is.
fn caret(ui: &Ui, state: &mut EditorState, document: &Document, look: &Look, place: &Place, painter: &Painter) {
    if !state.last.has_focus {
        return;
    }
    let head = document.selection().head;
    let mut rect = state.caret_rect(ui, document, look, place, head);
    if let Some(preedit) = &state.preedit {
        let end = preedit.active.as_ref().map_or(preedit.text.len(), |active| active.end);
        let index = state.blocks.at_byte(preedit.at);
        let layout = state.layout(ui, document, look, index);
        if let Some(inside) = layout.preedit_caret(end) {
            rect = inside.translate(vec2(place.left, state.screen_y(place, index)));
        }
    }
    let pixels = ui.pixels_per_point();
    let x = ((rect.left() - 1.0) * pixels).round() / pixels;
    let half = (rect.height() * 0.37).max(9.0);
    let center = rect.center().y + 1.0;
    let line = Rect::from_min_max(pos2(x, center - half), pos2(x + 2.0, center + half));
    let to_global = ui.ctx().layer_transform_to_global(ui.layer_id()).unwrap_or_default();
    ui.output_mut(|output| {
        output.ime = Some(IMEOutput {
            purpose: egui::IMEPurpose::Normal,
            rect: to_global * place.rect,
            cursor_rect: to_global * line,
            should_interrupt_composition: false,
        });
    });
    if ui.input(|input| input.focused) && is_shown(ui, state.active_s) {
        painter.rect_filled(line, CornerRadius::ZERO, theme::palette(ui).accent);
    }
}

/// Whether the caret is in the shown half of its blink; asks for a repaint when that changes.
fn is_shown(ui: &Ui, active_s: f64) -> bool {
    let since = (ui.input(|input| input.time) - active_s).max(0.0);
    if since >= BLINKS_FOR_S {
        return true;
    }
    let phase = since % (2.0 * BLINK_S);
    let next = if phase < BLINK_S { BLINK_S - phase } else { 2.0 * BLINK_S - phase };
    ui.ctx().request_repaint_after(std::time::Duration::from_secs_f64(next + 0.005));
    phase < BLINK_S
}
