//! The pointer: placing the caret, selecting by characters, words and paragraphs, and resting on generated tokens.

use std::ops::Range;

use egui::{CursorIcon, PointerButton, Pos2, Response, Ui};

use super::{EditorEvent, EditorState, Look, Place, motion};
use crate::document::{Document, Selection};

/// A press this soon after the last one, at the same place, is a double click.
const DOUBLE_CLICK_S: f64 = 0.35;
const DOUBLE_CLICK_POINTS: f32 = 6.0;
/// Points a second that the view moves for each point the pointer is outside of it.
const AUTOSCROLL: f32 = 12.0;

/// What the pointer is doing.
#[derive(Clone, Debug, Default)]
pub(super) struct Pointer {
    /// When and where it was pressed last, and how many times in a row.
    pressed: Option<(f64, Pos2, u8)>,
    /// What was under the press: the selection is at least this.
    dragging: Option<Range<usize>>,
}

pub(super) fn handle(
    ui: &Ui,
    state: &mut EditorState,
    document: &mut Document,
    look: &Look,
    place: &Place,
    response: &Response,
    out: &mut Vec<EditorEvent>,
) {
    let _ = out;
    if response.hovered() {
        ui.set_cursor_icon(CursorIcon::Text);
    }
    let (now, at) = ui.input(|input| (input.time, input.pointer.interact_pos()));
    let Some(at) = at else { return };
    let pressed = ui.input(|input| input.pointer.button_pressed(PointerButton::Primary));
    if pressed && response.contains_pointer() {
        press(ui, state, document, look, place, at, now);
    } else if let Some(origin) = state.pointer.dragging.clone() {
        if ui.input(|input| input.pointer.primary_down()) {
            drag(ui, state, document, look, place, at, &origin);
        } else {
            state.pointer.dragging = None;
        }
    }
    if state.pointer.dragging.is_none() && response.contains_pointer() {
        let (byte, is_on_text) = state.byte_at(ui, document, look, place, at);
        state.alternatives.hover(ui, document, is_on_text.then_some(byte), at);
    }
}

fn press(ui: &Ui, state: &mut EditorState, document: &mut Document, look: &Look, place: &Place, at: Pos2, now: f64) {
    ui.memory_mut(|memory| memory.request_focus(place.id));
    let modifiers = ui.input(|input| input.modifiers);
    let (byte, is_on_text) = state.byte_at(ui, document, look, place, at);
    if modifiers.command && is_on_text && state.alternatives.open_at(document, byte) {
        return;
    }
    state.alternatives.close();
    state.active_s = now;
    state.desired_x = None;
    state.preedit = None;
    let again = state
        .pointer
        .pressed
        .is_some_and(|(when, where_to, _)| now - when < DOUBLE_CLICK_S && where_to.distance(at) < DOUBLE_CLICK_POINTS);
    let count = if again { state.pointer.pressed.map_or(1, |(_, _, count)| count % 3 + 1) } else { 1 };
    state.pointer.pressed = Some((now, at, count));
    let unit = unit(document, byte, count);
    let selection = document.selection();
    if modifiers.shift {
        document.set_selection(Selection { anchor: selection.anchor, head: byte });
        state.pointer.dragging = Some(selection.anchor..selection.anchor);
    } else {
        document.set_selection(Selection { anchor: unit.start, head: unit.end });
        state.pointer.dragging = Some(unit);
    }
    document.seal();
    // A click is in view; scrolling to it would only move the text under the pointer.
    state.last.selection = document.selection();
}

/// What a click takes: a place, a word, or a paragraph.
fn unit(document: &Document, byte: usize, count: u8) -> Range<usize> {
    match count {
        2 => motion::word_at(document.text(), byte),
        3 => document.line_range(document.line_of(byte)),
        _ => byte..byte,
    }
}

fn drag(
    ui: &Ui,
    state: &mut EditorState,
    document: &mut Document,
    look: &Look,
    place: &Place,
    at: Pos2,
    origin: &Range<usize>,
) {
    let outside = (at.y - place.rect.bottom()).max(0.0) + (at.y - place.rect.top()).min(0.0);
    if outside != 0.0 {
        let seconds = ui.input(|input| input.stable_dt.min(0.1));
        state.scroll_by(outside * AUTOSCROLL * seconds);
        ui.ctx().request_repaint();
    }
    let (byte, _) = state.byte_at(ui, document, look, place, at.clamp(place.rect.min, place.rect.max));
    let count = state.pointer.pressed.map_or(1, |(_, _, count)| count);
    let unit = if origin.is_empty() { byte..byte } else { unit(document, byte, count) };
    let selection = if byte < origin.start {
        Selection { anchor: origin.end, head: unit.start.min(origin.start) }
    } else {
        Selection { anchor: origin.start, head: unit.end.max(origin.end) }
    };
    if selection != document.selection() {
        document.set_selection(selection);
        state.active_s = ui.input(|input| input.time);
    }
    state.last.selection = document.selection();
}
