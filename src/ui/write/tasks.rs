//! Tasks: chips for what the model can do with the selection, or from a brief.

use egui::{Align, Layout, Popup, RectAlign, Ui};

use crate::ui::{
    Icon, Key,
    shell::CLOSE_OUTSIDE,
    state::{Action, Needs, State, TaskAction, TaskItem},
    t, theme, widgets,
};

/// The section: its head says what the chips work on.
pub fn tasks_ui(ui: &mut Ui, state: &mut State) {
    let selected = !state.library.document().selection().is_empty();
    let head = if selected { Key::WithSelection } else { Key::WithDocument };
    ui.horizontal(|ui| {
        ui.set_height(theme::ROW_HEIGHT);
        widgets::section(ui, state.t(head)).on_hover_text(state.t(Key::TasksTip));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| own_ui(ui, state));
    });
    ui.add_space(4.0);
    let ready = state.model.open.is_some() && !state.is_writing();
    let tasks = state.tasks.clone();
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing = egui::vec2(6.0, 6.0);
        ui.horizontal_wrapped(|ui| {
            for task in &tasks {
                chip_ui(ui, state, task, ready);
            }
        });
    });
    state.write.inspector.wants_tasks = false;
}

/// The menu for the user's own tasks.
fn own_ui(ui: &mut Ui, state: &mut State) {
    let lang = state.lang;
    let button = widgets::icon_button(ui, Icon::More, t(lang, Key::OwnTasks)).on_hover_text(t(lang, Key::OwnTasks));
    let popup = Popup::menu(&button).align(RectAlign::BOTTOM_END).gap(4.0);
    popup.frame(widgets::popup_frame(ui)).width(220.0).show(|ui| {
        ui.set_width(220.0);
        ui.spacing_mut().item_spacing.y = 0.0;
        let edit = widgets::menu_row(ui, Some(Icon::Edit), t(lang, Key::EditTasks), "", false);
        if edit.on_hover_text(t(lang, Key::EditTasksTip)).clicked() {
            state.ask(Action::EditTasks);
        }
        if let Some(path) = &state.tasks_path
            && widgets::menu_row(ui, Some(Icon::Copy), t(lang, Key::CopyPath), "", false)
                .on_hover_text(path.display().to_string())
                .clicked()
        {
            ui.ctx().copy_text(path.display().to_string());
        }
        if widgets::menu_row(ui, Some(Icon::Regenerate), t(lang, Key::ReadTasks), "", false).clicked() {
            state.ask(Action::ReadTasks);
        }
    });
}

fn chip_ui(ui: &mut Ui, state: &mut State, task: &TaskItem, ready: bool) {
    let lang = state.lang;
    let has_text = !state.library.document().is_empty();
    let enabled = ready && (has_text || task.needs == Needs::Brief);
    let name = lang.pick(&task.en, &task.zh);
    let opens = task.needs != Needs::Nothing;
    let chip = widgets::chip(ui, name, opens, enabled);
    if enabled && std::mem::take(&mut state.write.inspector.wants_tasks) {
        chip.request_focus();
    }
    let why = match (state.model.open.is_some(), has_text || task.needs == Needs::Brief) {
        (false, _) => Some(Key::FirstOpenModel),
        (_, false) => Some(Key::FirstWriteWords),
        _ => None,
    };
    let chip = match why {
        Some(why) => chip.on_hover_text(t(lang, why)),
        None => chip.on_hover_text(lang.pick(&task.tip_en, &task.tip_zh)),
    };
    if !enabled {
        return;
    }
    if !opens {
        if chip.clicked() {
            run(state, task, String::new());
        }
        return;
    }
    let popup = Popup::menu(&chip).align(RectAlign::BOTTOM_START).gap(4.0).close_behavior(CLOSE_OUTSIDE);
    popup.frame(widgets::popup_frame(ui)).width(260.0).show(|ui| {
        ui.set_width(260.0);
        ui.spacing_mut().item_spacing.y = 0.0;
        if let Needs::Choice(choices) = &task.needs {
            for (detail, en, zh) in choices {
                if widgets::menu_row(ui, None, lang.pick(en, zh), "", false).clicked() {
                    run(state, task, detail.clone());
                    ui.close();
                }
            }
            if !task.own_words {
                return;
            }
            widgets::menu_line(ui);
            ui.add_space(2.0);
        }
        words_ui(ui, state, task);
    });
}

/// A field for a brief or for words of the user's own, and the button that begins.
fn words_ui(ui: &mut Ui, state: &mut State, task: &TaskItem) {
    let lang = state.lang;
    let brief = task.needs == Needs::Brief;
    let (name, hint) = if brief { (Key::Brief, Key::BriefHint) } else { (Key::OwnWords, Key::OwnWordsHint) };
    let id = egui::Id::unique(("task words", &task.id));
    let typed = state.write.inspector.details.entry(task.id.clone()).or_default();
    let entered = if brief {
        widgets::menu_head(ui, t(lang, name));
        widgets::area(ui, id, typed, t(lang, name), t(lang, hint), 4);
        ui.input(|input| input.modifiers.command && input.key_pressed(egui::Key::Enter))
    } else {
        let field = widgets::field(ui, id, typed, t(lang, name), t(lang, hint));
        field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter))
    };
    ui.add_space(6.0);
    let words = typed.trim().to_owned();
    let begin = ui.add_enabled_ui(!words.is_empty(), |ui| {
        widgets::button(ui, widgets::Look::Hairline, Some(Icon::Sparkles), t(lang, Key::Begin))
    });
    ui.add_space(2.0);
    if (begin.inner.clicked() || entered) && !words.is_empty() {
        run(state, task, words);
        ui.close();
    }
}

fn run(state: &mut State, task: &TaskItem, detail: String) {
    state.ask(Action::Task(TaskAction { task: task.id.clone(), detail }));
}
