//! The notebook: the document in its editor, and what can stand in its place.

use egui::{Id, Margin, ScrollArea, Ui, UiBuilder, vec2};

use super::{empty, variants};
use crate::{
    generate::{ContextReport, Prompt},
    ui::{
        editor::{EditorEvent, EditorState, EditorStyle, editor_ui, preview},
        state::{Action, State},
        theme,
    },
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
    /// Where the text that the model read last begins.
    read_from: Option<ReadFrom>,
    /// The layout of the preview.
    pub laid_out: preview::PreviewView,
}

/// The border of what the model read.
#[derive(Clone, Debug, PartialEq)]
struct ReadFrom {
    document: String,
    /// What was told of the reading, to see when there is a newer one.
    report: ContextReport,
    /// The document's revision that `at` is right for.
    revision: u64,
    at: usize,
}

/// Where the model's last reading of the shown document begins, if something was left out; it moves with the text.
fn read_from(state: &mut State) -> Option<usize> {
    let document = state.library.document();
    let kept = &mut state.write.notebook.read_from;
    let told = state.library.context.as_ref().filter(|(id, report)| id == document.id() && report.left_out > 0);
    let raw = || {
        let newest = document.generations().last();
        newest.is_some_and(|newest| matches!(newest.made.request.prompt, Prompt::Raw(_)))
    };
    let Some((id, report)) = told else {
        *kept = None;
        return None;
    };
    if kept.as_ref().is_none_or(|kept| kept.document != *id || kept.report != *report) {
        // Of a task, messages are left out and not the text's beginning.
        let revision = document.revision();
        let at = if raw() { report.left_out } else { 0 };
        *kept = Some(ReadFrom { document: id.clone(), report: report.clone(), revision, at });
    }
    let kept = kept.as_mut()?;
    match document.changes_since(kept.revision) {
        Some(changes) => {
            for change in changes {
                if change.start + change.removed <= kept.at && change.start < kept.at {
                    kept.at = kept.at - change.removed + change.inserted;
                } else if change.removed + change.inserted > 0 {
                    kept.at = kept.at.min(change.start);
                }
            }
        }
        None => kept.at = 0,
    }
    kept.revision = document.revision();
    let at = document.text().floor_char_boundary(kept.at);
    (at > 0).then_some(at)
}

/// Whether the editor stands there, rather than what can stand in its place.
pub fn shows_editor(state: &State) -> bool {
    let view = &state.write.notebook;
    let compares = view.compare && state.library.document().variants().len() > 1;
    !view.preview && !compares
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
    let read_from = read_from(state);
    let style = EditorStyle { read_from, ..EditorStyle::new(state.lang, "", state.now_ms) };
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
