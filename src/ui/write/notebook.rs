//! The notebook: the document in its editor, and what can stand in its place.

use egui::{Id, Margin, ScrollArea, Ui, UiBuilder, vec2};

use super::{empty, variants};
use crate::ui::{
    editor::{EditorEvent, EditorState, EditorStyle, editor_ui, preview},
    state::{Action, State},
    theme,
};

/// What the notebook keeps of its own.
#[derive(Default)]
pub struct NotebookView {
    /// The editor's.
    pub editor: EditorState,
    /// The editor's id, once it was drawn.
    pub editor_id: Option<Id>,
    /// The Markdown is laid out.
    pub preview: bool,
    /// The variants stand side by side.
    pub compare: bool,
    /// The layout of the preview.
    pub laid_out: preview::PreviewView,
}

/// Whether the editor stands there, rather than what can stand in its place.
pub fn shows_editor(state: &State) -> bool {
    let view = &state.write.notebook;
    !view.preview && !(view.compare && state.library.document().variants().len() > 1)
}

/// Everything between the list and the inspector.
pub fn notebook_ui(ui: &mut Ui, state: &mut State) {
    if state.write.notebook.preview {
        let State { write, library, .. } = state;
        let document = library.document();
        preview::preview_ui(
            ui,
            &mut write.notebook.laid_out,
            document.text(),
            document.id(),
            document.revision(),
            32.0,
        );
        return;
    }
    if !shows_editor(state) {
        variants::compare_ui(ui, state);
        return;
    }
    let all = ui.available_rect_before_wrap();
    let is_empty = state.library.document().is_empty();
    let mut events = Vec::new();
    let style = EditorStyle::new(state.lang, "", state.now_ms);
    let State { write, library, .. } = state;
    let response = editor_ui(ui, &mut write.notebook.editor, library.document_mut(), &style, &mut events);
    write.notebook.editor_id = Some(response.id);
    for event in events {
        match event {
            EditorEvent::Changed => {}
            EditorEvent::Branch { token, choice } => state.ask(Action::Branch(token, choice)),
        }
    }
    if is_empty {
        let width = (all.width() - 56.0).min(theme::COLUMN_WIDTH);
        let left = all.left() + ((all.width() - width) / 2.0).max(28.0);
        let place =
            egui::Rect::from_min_max(egui::pos2(left, all.top() + 72.0), egui::pos2(left + width, all.bottom()));
        let mut below = ui.new_child(UiBuilder::new().max_rect(place).id_salt("examples"));
        ScrollArea::vertical().auto_shrink(false).content_margin(Margin::ZERO).show(&mut below, |ui| {
            ui.set_width(width);
            empty::empty_ui(ui, state);
            ui.allocate_space(vec2(0.0, 16.0));
        });
    }
}
