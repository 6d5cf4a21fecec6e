//! The inspector: what can be done with the selection, the character of the next text, the context, the variants.

use std::collections::HashMap;

use egui::{Id, ScrollArea, Ui};

use super::{context, sampler, tasks, variants};
use crate::{
    document::Variant,
    ui::{state::State, theme},
};

/// What is typed into the inspector and not yet used.
#[derive(Debug, Default)]
pub struct InspectorView {
    /// The name of a new preset.
    pub preset_name: String,
    /// Lists that are typed line by line, by their fields.
    pub lines: HashMap<Id, String>,
    /// What tasks are asked in words: a brief, a style of the user's own.
    pub details: HashMap<String, String>,
    /// The first of the tasks is to have the keyboard.
    pub wants_tasks: bool,
    /// The versions of other ways of the history are unfolded.
    pub earlier_open: bool,
    /// Those versions, and the document and revision that they are of.
    pub elsewhere: Option<((String, u64), Vec<Variant>)>,
}

/// The whole panel.
pub fn inspector_ui(ui: &mut Ui, state: &mut State) {
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        // The scroll bar stands in the margin.
        ui.set_width(ui.available_width() - theme::PANEL_MARGIN);
        ui.spacing_mut().item_spacing.y = 0.0;
        if !state.preferences.chatting && !state.tasks.is_empty() {
            tasks::tasks_ui(ui, state);
            ui.add_space(16.0);
        }
        sampler::sampler_ui(ui, state);
        ui.add_space(14.0);
        context::context_ui(ui, state);
        if !state.preferences.chatting {
            variants::variants_ui(ui, state);
        }
        ui.add_space(16.0);
    });
}
