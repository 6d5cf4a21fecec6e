//! What screen readers hear of the editor: its name, and the text around what is in view.

use egui::{Ui, accesskit};

use super::{
    super::text::{Key as Word, t},
    EditorState, EditorStyle, Place, Visible,
};
use crate::document::Document;

/// Documents up to this size are told whole; of longer ones, what is in view and as much around it.
const MOST_BYTES: usize = 16 << 10;

pub(super) fn describe(
    ui: &Ui,
    state: &EditorState,
    document: &Document,
    style: &EditorStyle<'_>,
    place: &Place,
    visible: &[Visible],
) {
    let _ = state;
    let name = t(style.lang, Word::EditorName);
    ui.ctx().accesskit_node_builder(place.id, |node| {
        let text = document.text();
        let value = if text.len() <= MOST_BYTES {
            text
        } else {
            let seen = visible.first().map_or(0, |block| block.bytes.start);
            let start = text.floor_char_boundary(seen.saturating_sub(MOST_BYTES / 4));
            let end = text.ceil_char_boundary((start + MOST_BYTES).min(text.len()));
            &text[start..end]
        };
        node.set_role(accesskit::Role::MultilineTextInput);
        node.set_label(name);
        node.set_value(value);
        node.set_placeholder(style.hint);
        node.add_action(accesskit::Action::SetValue);
        node.add_action(accesskit::Action::ReplaceSelectedText);
    });
}
