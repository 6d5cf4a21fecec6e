//! The Write page: documents and conversations at the left, the work in the middle, at the right what shapes the next
//! text.

mod chat;
mod context;
mod documents;
mod empty;
mod inspector;
mod notebook;
mod sampler;
mod tasks;
mod variants;

use egui::{Frame, Margin, Panel, Popup, RectAlign, Ui, Vec2};

use super::{
    Command, Icon, Key,
    state::{Page, State},
    text, theme, widgets,
};
use crate::document::MessageId;
pub use documents::ago;

/// Below this width the list of documents gives way.
const NARROW: f32 = 1100.0;

/// What the Write page keeps of its own.
#[derive(Default)]
pub struct WriteView {
    /// The notebook's view.
    pub notebook: notebook::NotebookView,
    /// The conversation's view.
    pub chat: chat::ChatView,
    /// What is typed below the conversation.
    pub message: String,
    /// A message of the user that is being said in other words.
    pub editing: Option<(MessageId, String)>,
    /// What is typed into the inspector.
    pub inspector: inspector::InspectorView,
    /// The instructions are unfolded.
    pub system_open: bool,
    /// The window is too narrow for the list; the user opened it all the same.
    pub documents_over: bool,
    /// Generate was asked for while the model was still being opened.
    pub waits_for_model: bool,
    /// The field to put the keyboard into in the next frame.
    pub focus: Option<egui::Id>,
}

impl WriteView {
    /// Whether there is something to generate from.
    pub fn can_generate(&self, state: &State) -> bool {
        state.why_not_generate().is_none()
    }
}

impl State {
    /// Why nothing can be generated now, if so.
    pub fn why_not_generate(&self) -> Option<Key> {
        let empty = match self.preferences.chatting {
            true => self.write.message.trim().is_empty(),
            false => self.library.document().is_empty(),
        };
        let ready = self.model.is_ready() || self.model.opening.is_some() || self.models.is_none();
        match (ready, empty, self.preferences.chatting) {
            (false, ..) => Some(Key::FirstOpenModel),
            (_, true, true) => Some(Key::FirstTypeMessage),
            (_, true, false) => Some(Key::FirstWriteWords),
            _ => None,
        }
    }

    /// Words and tokens of what is shown, for the status bar.
    pub fn counts(&self) -> String {
        let tokens = self.library.tokens.map(|tokens| text::fill(self.lang, Key::Tokens, &[&text::count(tokens)]));
        if self.preferences.chatting {
            return tokens.unwrap_or_default();
        }
        let words = documents::words(self.lang, self.library.document().word_count());
        tokens.map_or(words.clone(), |tokens| format!("{words} · {tokens}"))
    }
}

/// The page's own controls in the header.
pub fn controls_ui(ui: &mut Ui, state: &mut State) {
    let choices = [(false, state.t(Key::Notebook)), (true, state.t(Key::Chat))];
    let wide =
        |name: &str| ui.painter().layout_no_wrap(name.to_owned(), theme::row(), theme::palette(ui).text).size().x;
    let widest = choices.iter().map(|(_, name)| wide(name)).fold(0.0_f32, f32::max);
    let size = Vec2::new(2.0 * (widest + 24.0).round(), theme::CONTROL_HEIGHT);
    let mut chatting = state.preferences.chatting;
    let (os, lang) = (ui.ctx().os(), state.lang);
    let keys = Command::SwitchMode.keys(os);
    let tips = [Key::NotebookTip, Key::ChatTip].map(|tip| format!("{}  ({keys})", state.t(tip)));
    if widgets::segmented_with_tips(ui, size, &mut chatting, &choices, &tips) {
        set_chatting(state, chatting);
        focus_work(state);
    }
    ui.add_space(8.0);
    let (can_undo, can_redo) = (state.library.document().can_undo(), state.library.document().can_redo());
    let preview = state.write.notebook.preview;
    let mut tools = vec![(Command::ToggleDocuments, true, false)];
    if !state.preferences.chatting {
        tools.extend([
            (Command::Undo, can_undo, false),
            (Command::Redo, can_redo, false),
            (Command::Find, true, state.write.notebook.editor.is_finding()),
            (Command::Preview, true, preview),
            (Command::OpenFile, true, false),
            (Command::SaveFile, true, false),
        ]);
    }
    tools.push((Command::ToggleInspector, true, false));
    let mut more = vec![Command::SaveFileAs, Command::Shortcuts];
    if state.preferences.chatting {
        more.insert(0, Command::SaveFile);
    }
    // What does not fit goes into the menu at the end, in the same order.
    let fits = (ui.available_width() / (theme::ROW_HEIGHT + ui.spacing().item_spacing.x)) as usize;
    let hidden = tools.split_off(fits.saturating_sub(1).min(tools.len()));
    more.splice(0..0, hidden.iter().filter(|(_, enabled, _)| *enabled).map(|(command, ..)| *command));
    for (command, enabled, on) in tools {
        let button = ui.add_enabled_ui(enabled, |ui| widgets::icon_toggle(ui, command.icon(), command.label(lang), on));
        if button.inner.on_hover_text(command.hint(lang, os)).clicked() {
            state.command(command);
        }
    }
    more_ui(ui, state, &more);
}

/// The menu of what has no button of its own here.
fn more_ui(ui: &mut Ui, state: &mut State, commands: &[Command]) {
    let (os, lang) = (ui.ctx().os(), state.lang);
    let button = widgets::icon_button(ui, Icon::More, state.t(Key::More)).on_hover_text(state.t(Key::MoreTip));
    let popup = Popup::menu(&button).align(RectAlign::BOTTOM_END).gap(6.0).frame(widgets::popup_frame(ui));
    popup.width(240.0).show(|ui| {
        ui.set_width(240.0);
        ui.spacing_mut().item_spacing.y = 0.0;
        for command in commands {
            let row = widgets::menu_row(ui, Some(command.icon()), command.label(lang), &command.keys(os), false);
            if row.on_hover_text(command.tooltip(lang)).clicked() {
                state.command(*command);
            }
        }
    });
}

/// Shows the conversations, or the documents.
pub fn set_chatting(state: &mut State, chatting: bool) {
    state.preferences.chatting = chatting;
    state.library.tokens = None;
}

/// Shows the variants side by side, where there are several; or the text again.
pub fn toggle_compare(state: &mut State) {
    let view = &mut state.write.notebook;
    view.preview = false;
    view.compare = !view.compare && state.library.document().variants().len() > 1;
}

/// Gives the keyboard to the first of the tasks.
pub fn go_to_tasks(state: &mut State) {
    state.preferences.inspector_shown = true;
    state.write.inspector.wants_tasks = true;
}

/// The page below the header.
pub fn write_ui(ui: &mut Ui, state: &mut State) {
    if let Some(id) = state.write.focus.take() {
        ui.memory_mut(|memory| memory.request_focus(id));
    }
    let palette = theme::palette(ui);
    let width = ui.ctx().content_rect().width();
    let narrow = width < NARROW;
    let with_list = if narrow { state.write.documents_over } else { state.preferences.documents_shown };
    let with_inspector = state.preferences.inspector_shown && !(narrow && with_list && width < 1000.0);
    let plain = Frame::new().fill(palette.background);
    if with_inspector {
        let frame = plain.inner_margin(Margin { left: 16, right: 0, top: 14, bottom: 0 });
        Panel::right("inspector").exact_size(theme::INSPECTOR_WIDTH).resizable(false).frame(frame).show(ui, |ui| {
            inspector::inspector_ui(ui, state);
        });
    }
    if with_list {
        let frame = plain.inner_margin(Margin { left: 12, right: 12, top: 14, bottom: 0 });
        Panel::left("documents").exact_size(theme::LIST_WIDTH).resizable(false).frame(frame).show(ui, |ui| {
            documents::documents_ui(ui, state);
        });
    }
    egui::CentralPanel::no_frame().frame(plain).show(ui, |ui| {
        if state.preferences.chatting {
            chat::chat_ui(ui, state);
        } else {
            notebook::notebook_ui(ui, state);
        }
    });
}

/// Whether the list of documents is shown in a window this wide, and how to change that.
pub fn toggle_documents(state: &mut State, width: f32) {
    if width < NARROW {
        state.write.documents_over = !state.write.documents_over;
    } else {
        state.preferences.documents_shown = !state.preferences.documents_shown;
    }
}

/// Shows the next variant of the last generated part, or the one before.
pub fn step_variant(state: &mut State, step: isize) {
    if !state.preferences.chatting {
        variants::step(state, step);
        state.write.notebook.editor.reveal_caret();
    }
}

/// Opens the bar to find text in.
pub fn open_find(state: &mut State) {
    if !state.preferences.chatting {
        state.write.notebook.preview = false;
        state.write.notebook.compare = false;
        state.write.notebook.editor.open_find(state.library.document());
    }
}

/// Closes what lies over a text that is not shown any more.
pub fn close_hidden(state: &mut State) {
    let shown = state.page == Page::Write && !state.preferences.chatting && notebook::shows_editor(state);
    if !shown {
        state.write.notebook.editor.close_alternatives();
    }
    if state.page != Page::Write || !state.preferences.chatting {
        state.write.chat.words.close();
    }
}

/// Gives the keyboard to the document, or to the field below the conversation.
pub fn focus_work(state: &mut State) {
    if state.preferences.chatting {
        state.write.focus = Some(chat::message_id());
    } else {
        state.write.notebook.editor.focus();
    }
}

/// Whether the document has the keyboard.
pub fn editor_has_focus(state: &State, ctx: &egui::Context) -> bool {
    let id = state.write.notebook.editor_id;
    id.is_some_and(|id| ctx.memory(|memory| memory.has_focus(id)))
}
