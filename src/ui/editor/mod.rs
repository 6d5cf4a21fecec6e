//! The notebook's editor: a long document that stays smooth, with generated words tinted and open to branching.
//!
//! The document is kept as blocks ([`blocks`]) of which only those in view are laid out ([`layout`]); a frame costs
//! the same for a page and for 2 MB. The widget scrolls itself, because a scroll area needs to know the height of
//! everything. Keys ([`input`]) and the pointer ([`pointer`]) change the document through its history; what only the
//! window can do leaves as [`EditorEvent`]s.
//!
//! Idle, nothing is repainted: the caret blinks for some seconds after the last key and then stays.

mod access;
pub mod alternatives;
mod blocks;
mod find;
mod input;
mod layout;
mod markdown;
mod motion;
mod paint;
mod pointer;
pub mod preview;
pub mod reply;
mod scroll;
#[cfg(test)]
mod tests;

use std::ops::Range;

use egui::{FontId, Id, Pos2, Rect, Sense, Ui, Vec2, pos2, vec2};

use super::theme;
use crate::{
    Lang,
    document::{Document, Selection, TokenRef},
};
use alternatives::Alternatives;
use blocks::{Blocks, Metrics};
use find::Find;
use layout::{Cache, Layout, Look, Preedit, Source};
use pointer::Pointer;

/// How the editor looks and speaks.
#[derive(Clone, Debug, PartialEq)]
pub struct EditorStyle<'a> {
    /// The language of its names and hints.
    pub lang: Lang,
    /// Width of the text column, in points; narrower where there is less room.
    pub column_width: f32,
    /// The face and size of the text.
    pub font: FontId,
    /// Height of a line, in points.
    pub line_height: f32,
    /// What an empty document says.
    pub hint: &'a str,
    /// The time, in milliseconds since 1970: it ends steps of undo.
    pub now_ms: u64,
    /// Where what the model read last begins, when there was no room for what stands before.
    pub read_from: Option<usize>,
}

impl<'a> EditorStyle<'a> {
    /// The theme's document style.
    pub fn new(lang: Lang, hint: &'a str, now_ms: u64) -> Self {
        Self {
            lang,
            column_width: theme::COLUMN_WIDTH,
            font: theme::document(),
            line_height: theme::DOCUMENT_LINE_HEIGHT,
            hint,
            now_ms,
            read_from: None,
        }
    }
}

/// What the editor asks of the window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EditorEvent {
    /// A person changed the text.
    Changed,
    /// Go on from `token` with the token `choice` in its place: [`Document::branch`] plans it.
    Branch {
        /// Where.
        token: TokenRef,
        /// The id of the token to take.
        choice: u32,
    },
}

/// What the editor remembers between frames.
#[derive(Default)]
pub struct EditorState {
    blocks: Blocks,
    cache: Cache,
    /// How far the text is scrolled, in points.
    offset: f64,
    /// The size of the text area in the last frame.
    view: Vec2,
    /// Where carets go when moving up and down.
    desired_x: Option<f32>,
    preedit: Option<Preedit>,
    pointer: Pointer,
    alternatives: Alternatives,
    find: Find,
    /// What the last frame showed, to see what changed since.
    last: LastFrame,
    /// Bring the caret into view.
    reveal: bool,
    wants_focus: bool,
    /// When a key was last pressed, for the blinking of the caret.
    active_s: f64,
}

#[derive(Clone, Debug, Default)]
struct LastFrame {
    document: String,
    selection: Selection,
    is_caret_visible: bool,
    is_at_end: bool,
    has_focus: bool,
}

/// Where things are in this frame.
#[derive(Clone, Copy, Debug)]
struct Place {
    id: Id,
    /// The whole text area.
    rect: Rect,
    /// Left border and width of the column.
    left: f32,
    width: f32,
}

/// Space above the first line.
const TOP_MARGIN: f32 = 28.0;
/// Space beside the column, at least.
const SIDE_MARGIN: f32 = 28.0;

impl EditorState {
    /// Gives the editor the keyboard in the next frame.
    pub fn focus(&mut self) {
        self.wants_focus = true;
    }

    /// Scrolls to the caret in the next frame: after the document was changed from outside.
    pub fn reveal_caret(&mut self) {
        self.reveal = true;
    }

    /// Opens the find bar, with the selected text if there is a line of it.
    pub fn open_find(&mut self, document: &Document) {
        self.find.open(document);
    }

    /// Whether the find bar is open.
    pub fn is_finding(&self) -> bool {
        self.find.is_open
    }

    /// Whether the alternatives of a token are shown.
    pub fn shows_alternatives(&self) -> bool {
        self.alternatives.is_open()
    }

    /// Closes them: the text under them is no longer shown, or something else was begun.
    pub fn close_alternatives(&mut self) {
        self.alternatives.close();
    }

    /// Blocks that had to be laid out so far, for measurements.
    pub fn layouts_made(&self) -> u64 {
        self.cache.misses
    }

    fn layout(&mut self, ui: &Ui, document: &Document, look: &Look, index: usize) -> Layout {
        let Some(block) = self.blocks.get(index).copied() else {
            let source = Source { text: "", begins_line: true, is_gap: false, is_first: true, preedit: None };
            return self.cache.get(ui, &source, look);
        };
        let is_empty = |index: usize| self.blocks.get(index).is_none_or(|block| block.len == 0);
        let is_gap = block.len == 0 && index > 0 && !is_empty(index - 1) && index + 1 < self.blocks.len();
        let preedit = self.preedit.as_ref().filter(|preedit| self.blocks.at_byte(preedit.at) == index);
        let preedit = preedit.map(|preedit| (preedit.at.saturating_sub(block.start), preedit));
        let text = document.text().get(block.range()).unwrap_or_default();
        let source = Source { text, begins_line: block.begins_line, is_gap, is_first: index == 0, preedit };
        self.cache.get(ui, &source, look)
    }

    /// The screen's y of the top of a block.
    fn screen_y(&self, place: &Place, index: usize) -> f32 {
        place.rect.top() + TOP_MARGIN + (self.blocks.top(index) - self.offset) as f32
    }

    /// The caret before `byte`, on the screen, as a line without width.
    fn caret_rect(&mut self, ui: &Ui, document: &Document, look: &Look, place: &Place, byte: usize) -> Rect {
        let index = self.blocks.at_byte(byte);
        let start = self.blocks.get(index).map_or(0, |block| block.start);
        let layout = self.layout(ui, document, look, index);
        layout.caret(byte - start.min(byte)).translate(vec2(place.left, self.screen_y(place, index)))
    }

    /// The byte nearest to a place on the screen, and whether there are glyphs.
    fn byte_at(&mut self, ui: &Ui, document: &Document, look: &Look, place: &Place, at: Pos2) -> (usize, bool) {
        let y = f64::from(at.y - place.rect.top() - TOP_MARGIN) + self.offset;
        let index = self.blocks.at_y(y.max(0.0));
        let layout = self.layout(ui, document, look, index);
        let within = vec2(at.x - place.left, at.y - self.screen_y(place, index));
        let start = self.blocks.get(index).map_or(0, |block| block.start);
        (start + layout.byte_at(within), layout.is_on_text(within))
    }

    /// Brings blocks and caches in step with the document.
    fn sync(&mut self, document: &Document, metrics: Metrics) {
        let top = self.blocks.at_y(self.offset);
        let anchor = self.blocks.get(top).map(|block| (block.start, self.offset - self.blocks.top(top)));
        let is_new_document = self.last.document != document.id();
        let is_reset = self.blocks.sync(document, metrics);
        if is_new_document {
            document.id().clone_into(&mut self.last.document);
            self.offset = 0.0;
            self.reveal = true;
            self.preedit = None;
            self.alternatives.close();
            self.last.selection = document.selection();
        } else if let (true, Some((byte, within))) = (is_reset, anchor) {
            // Another width: what was at the top stays there.
            self.offset = self.blocks.top(self.blocks.at_byte(byte)) + within;
        }
        if let Some(preedit) = &mut self.preedit {
            // What is composed stands at the caret, which moves on with what streams in before it.
            preedit.at = document.selection().head;
        }
        self.find.sync(document);
    }
}

/// Draws the editor in the room that is left and lets a person work in it.
pub fn editor_ui(
    ui: &mut Ui,
    state: &mut EditorState,
    document: &mut Document,
    style: &EditorStyle<'_>,
    out: &mut Vec<EditorEvent>,
) -> egui::Response {
    let rect = ui.available_rect_before_wrap();
    let id = ui.scope_id().with("document");
    ui.advance_cursor_after_rect(rect);
    let response = ui.interact(rect, id, Sense::click_and_drag());
    let place = place_of(id, rect, style, ui);
    let look = look_of(ui, style, place.width);
    state.cache.begin(&look, ui.pixels_per_point());
    state.view = rect.size();
    let metrics = Metrics {
        width: place.width,
        line_height: style.line_height,
        font_size: style.font.size,
        pixels_per_point: ui.pixels_per_point(),
    };
    state.sync(document, metrics);
    if std::mem::take(&mut state.wants_focus) {
        ui.memory_mut(|memory| memory.request_focus(id));
    }

    let revision = document.revision();
    find::find_ui(ui, state, document, style, &place);
    input::handle(ui, state, document, style, &look, &place, out);
    state.sync(document, metrics);
    pointer::handle(ui, state, document, &look, &place, &response, out);
    state.sync(document, metrics);
    if document.revision() != revision {
        out.push(EditorEvent::Changed);
        state.active_s = ui.input(|input| input.time);
    }

    scroll::scroll(ui, state, document, &look, &place, &response);
    let visible = scroll::lay_out_visible(ui, state, document, &look, &place);
    scroll::finish(state, document, &place);
    paint::paint(ui, state, document, style, &look, &place, &visible);
    scroll::bar_ui(ui, state, &place);
    alternatives::popup_ui(ui, state, document, style, &look, &place, out);
    access::describe(ui, state, document, style, &place, &visible);
    response
}

fn place_of(id: Id, rect: Rect, style: &EditorStyle<'_>, ui: &Ui) -> Place {
    let width = style.column_width.min(rect.width() - 2.0 * SIDE_MARGIN).max(80.0).floor();
    let left = rect.left() + ((rect.width() - width) / 2.0).max(SIDE_MARGIN);
    let pixels = ui.pixels_per_point();
    Place { id, rect, left: (left * pixels).round() / pixels, width }
}

fn look_of(ui: &Ui, style: &EditorStyle<'_>, width: f32) -> Look {
    let palette = theme::palette(ui);
    Look { width, font: style.font.clone(), line_height: style.line_height, color: palette.text, muted: palette.muted }
}

/// A block in view: its index, layout, bytes and left top on the screen.
struct Visible {
    index: usize,
    layout: Layout,
    bytes: Range<usize>,
    /// Whether the line end after it belongs to it.
    ends_line: bool,
    at: Pos2,
}

impl Visible {
    /// The part of `range` in this block, relative to it; and whether the line end is in `range` too.
    fn part(&self, range: &Range<usize>) -> Option<(Range<usize>, bool)> {
        let start = range.start.max(self.bytes.start);
        let end = range.end.min(self.bytes.end);
        let selects_end = self.ends_line && range.start <= self.bytes.end && range.end > self.bytes.end;
        (start < end || (selects_end && start <= end))
            .then(|| (start - self.bytes.start..end - self.bytes.start, selects_end))
    }

    /// Rectangles of `range` on the screen, one a row.
    fn rects(&self, range: &Range<usize>, shows_line_end: bool) -> Vec<Rect> {
        let Some((part, selects_end)) = self.part(range) else { return Vec::new() };
        let rects = self.layout.rects(part, selects_end && shows_line_end);
        rects.into_iter().map(|rect| rect.translate(pos2(self.at.x, self.at.y).to_vec2())).collect()
    }
}
