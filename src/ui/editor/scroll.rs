//! Scrolling: the wheel, bringing the caret into view, following what streams, and the bar at the right.

use egui::{CornerRadius, Rect, Response, Sense, Ui, pos2, vec2};

use super::{super::theme, EditorState, Look, Place, TOP_MARGIN, Visible};
use crate::document::Document;

/// Space kept between the caret and the borders of the view.
const CARET_MARGIN: f32 = 40.0;
/// Width of the bar and of the room it reacts in.
const BAR_WIDTH: f32 = 4.0;
const BAR_ROOM: f32 = 12.0;

impl EditorState {
    fn content_height(&self) -> f64 {
        // The last line can be scrolled up to where eyes rest.
        let below = (self.view.y * 0.4).max(80.0);
        f64::from(TOP_MARGIN + below) + self.blocks.height()
    }

    fn max_offset(&self) -> f64 {
        // While everything fits, nothing scrolls.
        let view = f64::from(self.view.y);
        if self.blocks.height() + f64::from(TOP_MARGIN) + 16.0 <= view { 0.0 } else { self.content_height() - view }
    }

    pub(super) fn scroll_by(&mut self, points: f32) {
        self.offset = (self.offset + f64::from(points)).clamp(0.0, self.max_offset());
    }
}

/// Moves the view for the wheel, the caret and what streams.
pub(super) fn scroll(
    ui: &Ui,
    state: &mut EditorState,
    document: &Document,
    look: &Look,
    place: &Place,
    response: &Response,
) {
    let wheel = if response.contains_pointer() { ui.input(|input| input.smooth_scroll_delta().y) } else { 0.0 };
    if wheel != 0.0 {
        state.scroll_by(-wheel);
    }
    // A caret that moved is shown; one that a stream moved only if it was in view before.
    let selection = document.selection();
    let moved = selection != state.last.selection;
    let is_streaming = document.streaming().next().is_some();
    let follows = moved && (!is_streaming || state.last.is_caret_visible);
    if state.reveal || (follows && wheel == 0.0) {
        reveal(ui, state, document, look, place, selection.head);
    } else if is_streaming && state.last.is_at_end && wheel == 0.0 {
        state.offset = state.offset.max(end_offset(state));
    }
    state.reveal = false;
    state.offset = state.offset.clamp(0.0, state.max_offset());
}

/// The offset at which the last line stands at the bottom.
fn end_offset(state: &EditorState) -> f64 {
    (state.blocks.height() + f64::from(TOP_MARGIN + CARET_MARGIN - state.view.y)).max(0.0)
}

fn reveal(ui: &Ui, state: &mut EditorState, document: &Document, look: &Look, place: &Place, byte: usize) {
    // The heights on the way may be estimates: look again once the place has been laid out.
    for _ in 0..3 {
        let caret = state.caret_rect(ui, document, look, place, byte);
        let (above, below) =
            (caret.top() - place.rect.top() - CARET_MARGIN, caret.bottom() - place.rect.bottom() + CARET_MARGIN);
        let is_far = above < -place.rect.height() || below > place.rect.height();
        let before = state.offset;
        if is_far {
            state.offset += f64::from(caret.center().y - place.rect.center().y);
        } else if above < 0.0 {
            state.offset += f64::from(above);
        } else if below > 0.0 {
            state.offset += f64::from(below);
        }
        state.offset = state.offset.clamp(0.0, state.max_offset());
        if state.offset == before {
            break;
        }
        lay_out_visible(ui, state, document, look, place);
    }
}

/// Lays out what is in view, and corrects the estimates of its heights.
pub(super) fn lay_out_visible(
    ui: &Ui,
    state: &mut EditorState,
    document: &Document,
    look: &Look,
    place: &Place,
) -> Vec<Visible> {
    let mut visible = Vec::new();
    // Each round measures at least one more block, and a view holds few.
    for _ in 0..8 {
        visible.clear();
        let top = state.offset - f64::from(TOP_MARGIN);
        let first = state.blocks.at_y(top.max(0.0));
        let mut index = first;
        let mut heights = Vec::new();
        let mut changed = false;
        let mut y = state.blocks.top(first);
        while index < state.blocks.len() && y < top + f64::from(state.view.y) {
            let Some(block) = state.blocks.get(index).copied() else { break };
            let layout = state.layout(ui, document, look, index);
            if block.height != layout.height {
                changed = true;
                // What is above the view grows upwards.
                if index == first && !block.is_measured && y < top {
                    state.offset += f64::from(layout.height - block.height);
                }
            }
            heights.push((index, layout.height));
            y += f64::from(layout.height);
            let ends_line = state.blocks.get(index + 1).is_some_and(|next| next.begins_line);
            let at = pos2(place.left, 0.0);
            visible.push(Visible { index, layout, bytes: block.range(), ends_line, at });
            index += 1;
        }
        state.blocks.measure(&heights);
        state.offset = state.offset.clamp(0.0, state.max_offset());
        if !changed {
            break;
        }
    }
    let pixels = ui.pixels_per_point();
    for block in &mut visible {
        block.at.y = (state.screen_y(place, block.index) * pixels).round() / pixels;
    }
    visible
}

/// Notes what this frame shows, for the next one.
pub(super) fn finish(state: &mut EditorState, document: &Document, place: &Place) {
    let selection = document.selection();
    let index = state.blocks.at_byte(selection.head);
    let y = state.screen_y(place, index);
    let height = state.blocks.get(index).map_or(0.0, |block| block.height);
    state.last.is_caret_visible = y + height > place.rect.top() && y < place.rect.bottom();
    state.last.is_at_end = state.offset + 4.0 >= end_offset(state);
    state.last.selection = selection;
}

/// The bar of the editor.
pub(super) fn bar_ui(ui: &mut Ui, state: &mut EditorState, place: &Place) {
    let max = state.max_offset();
    offset_bar(ui, place.id, place.rect, &mut state.offset, max);
}

/// A bar at the right of `rect`, shown while the pointer is over it; `max` is the largest offset.
pub(super) fn offset_bar(ui: &Ui, id: egui::Id, rect: Rect, offset: &mut f64, max: f64) {
    if max <= 0.0 {
        return;
    }
    let room = Rect::from_min_max(pos2(rect.right() - BAR_ROOM, rect.top()), rect.max).shrink2(vec2(0.0, 2.0));
    let view = f64::from(rect.height());
    let length = (f64::from(room.height()) * view / (max + view)).max(28.0) as f32;
    let response = ui.interact(room, id.with("bar"), Sense::click_and_drag());
    if let Some(pointer) = response.interact_pointer_pos() {
        let way = f64::from((pointer.y - room.top() - length / 2.0) / (room.height() - length).max(1.0));
        *offset = (way.clamp(0.0, 1.0)) * max;
        ui.ctx().request_repaint();
    }
    if !ui.rect_contains_pointer(rect) && !response.dragged() {
        return;
    }
    let palette = theme::palette(ui);
    let is_held = response.hovered() || response.dragged();
    let (width, color) = if is_held { (BAR_WIDTH + 2.0, palette.muted) } else { (BAR_WIDTH, palette.hairline_strong) };
    let top = room.top() + (room.height() - length) * (*offset / max) as f32;
    let handle = Rect::from_min_size(pos2(room.right() - 3.0 - width, top), vec2(width, length));
    ui.painter_at(rect).rect_filled(handle, CornerRadius::same(3), color);
}
