//! The keyboard: typing, moving, the clipboard, and input methods.

use egui::{Event, EventFilter, ImeEvent, Key, Modifiers, Ui, accesskit, vec2};

use super::{EditorEvent, EditorState, EditorStyle, Look, Place, alternatives, layout::Preedit, motion};
use crate::document::{Document, Selection};

const FILTER: EventFilter = EventFilter { tab: true, horizontal_arrows: true, vertical_arrows: true, escape: false };

/// Everything an event needs.
struct Input<'a> {
    ui: &'a Ui,
    state: &'a mut EditorState,
    document: &'a mut Document,
    style: &'a EditorStyle<'a>,
    look: &'a Look,
    place: &'a Place,
}

/// Takes the keys of this frame, if the editor has them.
pub(super) fn handle(
    ui: &Ui,
    state: &mut EditorState,
    document: &mut Document,
    style: &EditorStyle<'_>,
    look: &Look,
    place: &Place,
    out: &mut Vec<EditorEvent>,
) {
    set_value_from_outside(ui, document, style, place);
    let has_focus = ui.memory(|memory| memory.has_focus(place.id));
    if has_focus != state.last.has_focus {
        state.last.has_focus = has_focus;
        state.active_s = ui.input(|input| input.time);
        state.preedit = None;
    }
    if !has_focus {
        return;
    }
    ui.memory_mut(|memory| {
        memory.set_focus_lock_filter(place.id, EventFilter { escape: state.alternatives.is_open(), ..FILTER });
    });
    if alternatives::keys(ui, state, document, out) {
        return;
    }
    let events = ui.input(|input| input.filtered_events(&FILTER));
    let mut input = Input { ui, state, document, style, look, place };
    for event in &events {
        input.event(event);
    }
}

/// A screen reader or a test may set the whole text without the keyboard.
fn set_value_from_outside(ui: &Ui, document: &mut Document, style: &EditorStyle<'_>, place: &Place) {
    let value = |action| {
        ui.input(|input| {
            let requests = input.accesskit_action_requests(place.id, action);
            let value = requests.filter_map(|request| match &request.data {
                Some(accesskit::ActionData::Value(value)) => Some(value.to_string()),
                _ => None,
            });
            value.last()
        })
    };
    if let Some(text) = value(accesskit::Action::SetValue) {
        document.edit(0..document.len(), &text, style.now_ms);
    }
    if let Some(text) = value(accesskit::Action::ReplaceSelectedText) {
        document.edit(document.selection().range(), &text, style.now_ms);
    }
}

impl Input<'_> {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Text(text) if !text.is_empty() && text != "\n" && text != "\r" => self.insert(text),
            Event::Paste(text) if !text.is_empty() => {
                self.document.seal();
                self.insert(text);
                self.document.seal();
            }
            Event::Copy => self.copy(),
            Event::Cut => {
                self.copy();
                self.replace_selection("");
            }
            Event::Ime(event) => self.ime(event),
            Event::Key { key, pressed: true, modifiers, .. } => self.key(*key, *modifiers),
            _ => return,
        }
        self.state.active_s = self.ui.input(|input| input.time);
        self.state.alternatives.hush();
    }

    fn copy(&self) {
        let range = self.document.selection().range();
        if !range.is_empty() {
            self.ui.ctx().copy_text(self.document.text()[range].to_owned());
        }
    }

    fn insert(&mut self, text: &str) {
        self.state.desired_x = None;
        self.document.edit(self.document.selection().range(), text, self.style.now_ms);
        self.state.reveal = true;
        self.resync();
    }

    fn replace_selection(&mut self, text: &str) {
        if !self.document.selection().is_empty() {
            self.insert(text);
        }
    }

    /// Later keys of the same frame must see where blocks are now.
    fn resync(&mut self) {
        let metrics = super::Metrics {
            width: self.place.width,
            line_height: self.style.line_height,
            font_size: self.style.font.size,
            pixels_per_point: self.ui.pixels_per_point(),
        };
        self.state.sync(self.document, metrics);
    }

    fn key(&mut self, key: Key, modifiers: Modifiers) {
        let word = modifiers.command || (self.ui.os() == egui::os::OperatingSystem::Mac && modifiers.alt);
        match key {
            Key::ArrowDown if modifiers.alt && !modifiers.shift && !modifiers.command => {
                let byte = self.document.selection().head;
                self.state.alternatives.open_by_key(self.document, byte);
            }
            Key::Enter if !modifiers.command && !modifiers.alt => self.insert("\n"),
            Key::Tab if modifiers.shift => self.outdent(),
            Key::Tab if !modifiers.command => self.insert("\t"),
            Key::Backspace => self.delete(if word { motion::previous_word } else { motion::previous_character }),
            Key::Delete => self.delete(if word { motion::next_word } else { motion::next_character }),
            Key::A if modifiers.command => {
                self.document.set_selection(Selection { anchor: 0, head: self.document.len() });
                // The view stays where it is.
                self.state.last.selection = self.document.selection();
            }
            Key::Z if modifiers.command && !modifiers.shift => self.step(Document::undo),
            Key::Y if modifiers.command => self.step(Document::redo),
            Key::Z if modifiers.command => self.step(Document::redo),
            Key::F if modifiers.command => self.state.find.open(self.document),
            Key::F3 => self.state.find.step(self.document, !modifiers.shift),
            _ => self.motion(key, modifiers.shift, word),
        }
    }

    fn step(&mut self, step: fn(&mut Document) -> bool) {
        if step(self.document) {
            self.state.reveal = true;
            self.resync();
        }
    }

    fn delete(&mut self, to: fn(&str, usize) -> usize) {
        let mut range = self.document.selection().range();
        if range.is_empty() {
            let other = to(self.document.text(), range.start);
            range = range.start.min(other)..range.end.max(other);
        }
        if !range.is_empty() {
            self.document.edit(range, "", self.style.now_ms);
            self.state.desired_x = None;
            self.state.reveal = true;
            self.resync();
        }
    }

    /// Takes a tab or some spaces from the start of the line.
    fn outdent(&mut self) {
        let selection = self.document.selection();
        let line = self.document.line_range(self.document.line_of(selection.head));
        let text = &self.document.text()[line.clone()];
        let len =
            if text.starts_with('\t') { 1 } else { text.bytes().take(4).take_while(|byte| *byte == b' ').count() };
        if len > 0 {
            self.document.edit(line.start..line.start + len, "", self.style.now_ms);
            self.document.set_selection(Selection::caret(selection.head.saturating_sub(len).max(line.start)));
            self.resync();
        }
    }

    fn motion(&mut self, key: Key, extends: bool, word: bool) {
        let selection = self.document.selection();
        let (text, head) = (self.document.text(), selection.head);
        let collapses = !extends && !selection.is_empty();
        let is_vertical = matches!(key, Key::ArrowUp | Key::ArrowDown | Key::PageUp | Key::PageDown);
        let to = match key {
            Key::ArrowLeft if collapses && !word => selection.range().start,
            Key::ArrowRight if collapses && !word => selection.range().end,
            Key::ArrowLeft if word => motion::previous_word(text, head),
            Key::ArrowRight if word => motion::next_word(text, head),
            Key::ArrowLeft => motion::previous_character(text, head),
            Key::ArrowRight => motion::next_character(text, head),
            Key::Home if word => 0,
            Key::End if word => text.len(),
            Key::Home => self.row().start,
            Key::End => self.row().end,
            Key::ArrowUp if word => self.document.line_range(self.document.line_of(head.saturating_sub(1))).start,
            Key::ArrowDown if word => self.document.line_range(self.document.line_of(head) + 1).end,
            Key::ArrowUp => self.row_beside(-1),
            Key::ArrowDown => self.row_beside(1),
            Key::PageUp => self.page(-1.0),
            Key::PageDown => self.page(1.0),
            _ => return,
        };
        if !is_vertical || word {
            self.state.desired_x = None;
        }
        let anchor = if extends { selection.anchor } else { to };
        self.document.set_selection(Selection { anchor, head: to });
        self.document.seal();
        self.state.reveal = true;
    }

    /// The bytes of the row that the caret is on.
    fn row(&mut self) -> std::ops::Range<usize> {
        let head = self.document.selection().head;
        let index = self.state.blocks.at_byte(head);
        let start = self.state.blocks.get(index).map_or(0, |block| block.start);
        let layout = self.state.layout(self.ui, self.document, self.look, index);
        let row = layout.row_bytes(layout.row_of(head - start));
        start + row.start..start + row.end
    }

    /// The place above or below the caret.
    fn row_beside(&mut self, by: isize) -> usize {
        let head = self.document.selection().head;
        let index = self.state.blocks.at_byte(head);
        let start = self.state.blocks.get(index).map_or(0, |block| block.start);
        let layout = self.state.layout(self.ui, self.document, self.look, index);
        let x = *self.state.desired_x.get_or_insert(layout.caret(head - start).min.x.max(0.0));
        let row = layout.row_of(head - start);
        if let Some(row) = row.checked_add_signed(by).filter(|row| *row < layout.row_count()) {
            return start + layout.byte_at(vec2(x, layout.row_center(row)));
        }
        let Some(other) = index.checked_add_signed(by).filter(|other| *other < self.state.blocks.len()) else {
            return if by < 0 { 0 } else { self.document.len() };
        };
        let start = self.state.blocks.get(other).map_or(0, |block| block.start);
        let layout = self.state.layout(self.ui, self.document, self.look, other);
        let row = if by < 0 { layout.row_count().saturating_sub(1) } else { 0 };
        start + layout.byte_at(vec2(x, layout.row_center(row)))
    }

    /// The place a page further, which the view follows.
    fn page(&mut self, pages: f32) -> usize {
        let head = self.document.selection().head;
        let caret = self.state.caret_rect(self.ui, self.document, self.look, self.place, head);
        let x = *self.state.desired_x.get_or_insert((caret.min.x - self.place.left).max(0.0));
        let by = pages * (self.state.view.y - 2.0 * self.look.line_height).max(self.look.line_height);
        let at = egui::pos2(self.place.left + x, caret.center().y + by);
        let (byte, _) = self.state.byte_at(self.ui, self.document, self.look, self.place, at);
        self.state.scroll_by(by);
        byte
    }

    fn ime(&mut self, event: &ImeEvent) {
        match event {
            ImeEvent::Preedit { text, active_range_chars } => {
                if text.is_empty() || text == "\n" || text == "\r" {
                    self.state.preedit = None;
                    return;
                }
                self.replace_selection("");
                let byte = |chars: usize| text.char_indices().nth(chars).map_or(text.len(), |(at, _)| at);
                let active =
                    active_range_chars.clone().map(|range| byte(range.start)..byte(range.end.max(range.start)));
                let at = self.document.selection().head;
                self.state.preedit = Some(Preedit { at, text: text.clone(), active });
                self.state.reveal = true;
            }
            ImeEvent::Commit(text) => {
                self.state.preedit = None;
                if !text.is_empty() && text != "\n" && text != "\r" {
                    self.insert(text);
                }
            }
            ImeEvent::DeleteSurrounding { before_chars, after_chars } => {
                let (text, head) = (self.document.text(), self.document.selection().head);
                let before = text[..head].char_indices().rev().take(*before_chars).last().map_or(head, |(at, _)| at);
                let after = text[head..].chars().take(*after_chars).map(char::len_utf8).sum::<usize>();
                self.document.edit(before..head + after, "", self.style.now_ms);
                self.resync();
            }
            #[expect(deprecated, reason = "older integrations still send them")]
            ImeEvent::Enabled | ImeEvent::Disabled => {}
        }
    }
}
