//! The conversation: messages, the instructions above them, and the field to write the next one in.

use std::collections::HashMap;

use egui::{
    Align, Color32, Frame, Id, Key as KeyName, Label, Layout, Margin, Modifiers, Panel, RichText, ScrollArea, Stroke,
    Ui, WidgetInfo, accesskit::Role as Access, text::LayoutJob, vec2,
};

use crate::{
    document::{GenerationId, MessageId, MessageView},
    generate::{Role, StopReason},
    ui::{
        Command, Icon, Key,
        editor::{
            alternatives::Alternatives,
            reply::{Reply, ReplyView, reply_ui},
        },
        state::{Action, State, why_ended},
        text::fill,
        theme,
        widgets::{self, Look},
    },
};

/// The widest column of messages.
const COLUMN: f32 = 720.0;

/// The widest field to write in grows to this height, then it scrolls.
const COMPOSER_HEIGHT: f32 = 180.0;

/// What the conversation's view keeps of its own.
#[derive(Default)]
pub struct ChatView {
    /// The likeliest other words over a reply.
    pub words: Alternatives,
    /// The conversation that the replies are of, and their layouts.
    of: String,
    replies: HashMap<MessageId, ReplyView>,
}

/// The whole conversation.
pub fn chat_ui(ui: &mut Ui, state: &mut State) {
    if state.write.chat.of != state.library.chat().id() {
        state.write.chat = ChatView { of: state.library.chat().id().to_owned(), ..ChatView::default() };
    }
    if state.write.chat.words.is_open() && ui.input_mut(|input| input.consume_key(Modifiers::NONE, KeyName::Escape)) {
        state.write.chat.words.close();
    }
    let margin = ((ui.available_width() - COLUMN) / 2.0).max(theme::WORK_MARGIN);
    let frame = Frame::new().inner_margin(Margin { left: margin as i8, right: margin as i8, top: 8, bottom: 16 });
    Panel::bottom("composer").resizable(false).show_separator_line(false).frame(clamped(frame, margin)).show(
        ui,
        |ui| {
            composer_ui(ui, state);
        },
    );
    let scroll =
        ScrollArea::vertical().auto_shrink(false).stick_to_bottom(true).id_salt(state.library.chat().id().to_owned());
    scroll.show(ui, |ui| {
        clamped(Frame::new().inner_margin(Margin { left: 0, right: 0, top: 16, bottom: 16 }), margin).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 4.0;
            system_ui(ui, state);
            ui.add_space(12.0);
            let path = state.library.chat().path();
            if path.is_empty() {
                empty_ui(ui, state);
            }
            for id in path {
                message_ui(ui, state, id);
                ui.add_space(6.0);
            }
        });
    });
}

/// Margins beyond what fits `i8` are left to an outer frame.
fn clamped(frame: Frame, margin: f32) -> Frame {
    let side = margin.clamp(0.0, 127.0) as i8;
    let rest = (margin - f32::from(side)).clamp(0.0, 127.0) as i8;
    let inner = Margin { left: side, right: side, ..frame.inner_margin };
    let outer = Margin { left: rest, right: rest, top: 0, bottom: 0 };
    frame.inner_margin(inner).outer_margin(outer)
}

/// The instructions: folded to one line until they are wanted.
fn system_ui(ui: &mut Ui, state: &mut State) {
    let name = state.t(Key::SystemPrompt);
    let system = state.library.chat().system().to_owned();
    let head = match (state.write.system_open, system.lines().next().unwrap_or_default()) {
        (false, line) if !line.is_empty() => format!("{name}: {line}"),
        _ => name.to_owned(),
    };
    let fold = widgets::fold(ui, &mut state.write.system_open, &head);
    fold.on_hover_text(state.t(Key::SystemPromptTip));
    if state.write.system_open {
        let mut typed = system;
        let id = Id::unique(("system", state.library.chat().id()));
        let area = widgets::area(ui, id, &mut typed, name, state.t(Key::SystemPromptHint), 2);
        if area.changed() {
            state.library.chat_mut().set_system(&typed);
        }
    }
}

fn empty_ui(ui: &mut Ui, state: &mut State) {
    let palette = theme::palette(ui);
    ui.add_space(24.0);
    ui.label(RichText::new(state.t(Key::ChatEmpty)).font(theme::title()));
    ui.add_space(4.0);
    widgets::note(ui, state.t(Key::ChatEmptyHint));
    ui.add_space(16.0);
    ui.spacing_mut().item_spacing.y = 8.0;
    for key in [Key::ChatExample1, Key::ChatExample2, Key::ChatExample3] {
        let text = state.t(key);
        let button = widgets::button(ui, Look::Hairline, Some(Icon::Chat), text);
        if button.on_hover_text(state.t(Key::ChatExampleTip)).clicked() {
            state.write.message = text.to_owned();
            state.ask(Action::SendMessage);
        }
    }
    if let Some(open) = &state.model.open
        && !open.chats
    {
        ui.add_space(12.0);
        ui.label(RichText::new(state.t(Key::NoChatTemplate)).font(theme::small()).color(palette.warning));
    }
}

fn message_ui(ui: &mut Ui, state: &mut State, id: MessageId) {
    if state.write.editing.as_ref().is_some_and(|(edited, _)| *edited == id) {
        editing_ui(ui, state, id);
        return;
    }
    let Some(view) = state.library.chat().view(id) else { return };
    let streaming =
        view.generation.and_then(|id| state.library.chat().generation(id)).is_some_and(|it| it.is_streaming());
    let (role, text, generation) = (view.role, view.text.to_owned(), view.generation);
    let (alternative, alternatives) = (view.alternative, view.alternatives);
    let who = speaker(state, &view);
    let palette = theme::palette(ui);
    let response = ui.scope(|ui| {
        let name = RichText::new(&who).font(theme::section()).color(palette.muted);
        ui.label(name);
        ui.add_space(2.0);
        let fill = if role == Role::User { palette.panel } else { Color32::TRANSPARENT };
        let margin = if role == Role::User { Margin::symmetric(14, 10) } else { Margin::ZERO };
        Frame::new().fill(fill).corner_radius(theme::CARD_RADIUS).inner_margin(margin).show(ui, |ui| {
            ui.set_width(ui.available_width());
            let shown = if text.is_empty() && streaming { "…" } else { text.trim_end() };
            let told = format!("{who}: {text}");
            if role == Role::Assistant {
                let State { write, library, lang, .. } = state;
                let view = write.chat.replies.entry(id).or_default();
                let reply = Reply { chat: library.chat(), message: id };
                if let Some((token, choice)) = reply_ui(ui, view, &mut write.chat.words, &reply, *lang, (shown, &told))
                {
                    state.ask(Action::BranchReply(token, choice));
                }
                return;
            }
            let mut job = LayoutJob::single_section(
                shown.to_owned(),
                egui::TextFormat {
                    font_id: theme::document(),
                    color: palette.text,
                    line_height: Some(theme::DOCUMENT_LINE_HEIGHT),
                    ..Default::default()
                },
            );
            job.wrap.max_width = ui.available_width();
            let label = ui.add(Label::new(job).selectable(true));
            label.widget_info(|| WidgetInfo::labeled(Access::Paragraph, true, &told));
        });
    });
    if let Some(generation) = generation.filter(|_| !streaming) {
        ended_ui(ui, state, generation);
    }
    let over = ui.rect_contains_pointer(response.response.rect.expand2(vec2(0.0, 34.0)));
    let last = state.library.chat().path().last() == Some(&id);
    ui.horizontal(|ui| {
        ui.set_height(theme::ROW_HEIGHT);
        ui.spacing_mut().item_spacing.x = 2.0;
        if alternatives > 1 {
            alternatives_ui(ui, state, id, alternative, alternatives);
        }
        if (over || last) && !streaming {
            tools_ui(ui, state, id, role, &text);
        }
    });
}

/// Why an answer ended, if the model did not end it, and a way on where there is one.
fn ended_ui(ui: &mut Ui, state: &mut State, id: GenerationId) {
    let Some(generation) = state.library.chat().generation(id) else { return };
    let reason = generation.stop_reason;
    if reason == Some(StopReason::EndOfText) {
        return;
    }
    let cut = matches!(reason, Some(StopReason::MaxTokens | StopReason::Cancelled) | None);
    let last = generation.token_count().checked_sub(1).filter(|_| cut);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 8.0;
        widgets::note(ui, state.t(why_ended(reason))).on_hover_text(state.t(Key::EndedTip));
        let Some(token) = last.and_then(|index| state.library.chat().token_of(id, index)) else { return };
        let go_on = ui.add_enabled_ui(!state.is_writing() && state.model.is_ready(), |ui| {
            widgets::link_button(ui, state.t(Key::ContinueReply))
        });
        if go_on.inner.on_hover_text(state.t(Key::ContinueReplyTip)).clicked()
            && let Some(own) = state.library.chat().token(&token)
        {
            // With the last token as it is, everything so far stays.
            state.ask(Action::BranchReply(token, own.id));
        }
    });
}

/// Who speaks: the user, or the model by its name.
fn speaker(state: &State, view: &MessageView<'_>) -> String {
    let generation = view.generation.and_then(|id| state.library.chat().generation(id));
    match generation {
        Some(generation) => crate::ui::models::short_name_of(&generation.made.model.name),
        None => state.t(Key::You).to_owned(),
    }
}

fn alternatives_ui(ui: &mut Ui, state: &mut State, id: MessageId, at: usize, number: usize) {
    let before =
        ui.add_enabled_ui(at > 0, |ui| widgets::icon_button(ui, Icon::ChevronLeft, state.t(Key::PreviousVariant)));
    if before.inner.on_hover_text(state.t(Key::PreviousAnswerTip)).clicked() {
        state.library.chat_mut().select_alternative(id, at - 1);
    }
    let words = fill(state.lang, Key::NumberOf, &[&(at + 1).to_string(), &number.to_string()]);
    ui.label(RichText::new(words).font(theme::number()).color(theme::palette(ui).muted));
    let next = ui
        .add_enabled_ui(at + 1 < number, |ui| widgets::icon_button(ui, Icon::ChevronRight, state.t(Key::NextVariant)));
    if next.inner.on_hover_text(state.t(Key::NextAnswerTip)).clicked() {
        state.library.chat_mut().select_alternative(id, at + 1);
    }
}

fn tools_ui(ui: &mut Ui, state: &mut State, id: MessageId, role: Role, text: &str) {
    let copy = state.t(Key::Copy);
    if widgets::icon_button(ui, Icon::Copy, copy).on_hover_text(copy).clicked() {
        ui.ctx().copy_text(text.to_owned());
    }
    if role == Role::User {
        let edit = state.t(Key::EditMessage);
        if widgets::icon_button(ui, Icon::Edit, edit).on_hover_text(state.t(Key::EditMessageTip)).clicked() {
            state.write.editing = Some((id, text.to_owned()));
            state.write.focus = Some(edit_id(id));
        }
    } else {
        let again = ui.add_enabled_ui(!state.is_writing(), |ui| {
            widgets::icon_button(ui, Icon::Regenerate, state.t(Key::AnswerAgain))
        });
        if again.inner.on_hover_text(state.t(Key::AnswerAgainTip)).clicked() {
            state.ask(Action::AnswerAgain(id));
        }
    }
}

fn edit_id(id: MessageId) -> Id {
    Id::unique(("edit message", id.0))
}

fn editing_ui(ui: &mut Ui, state: &mut State, id: MessageId) {
    let Some((_, mut typed)) = state.write.editing.take() else { return };
    widgets::area(ui, edit_id(id), &mut typed, state.t(Key::EditMessage), "", 3);
    ui.add_space(6.0);
    let mut keep = true;
    ui.horizontal(|ui| {
        let send = ui.add_enabled_ui(!typed.trim().is_empty() && !state.is_writing(), |ui| {
            widgets::button(ui, Look::Hairline, Some(Icon::Send), state.t(Key::SaveAndSend))
        });
        if send.inner.on_hover_text(state.t(Key::EditMessageTip)).clicked() {
            // What was typed stays until it is said.
            state.ask(Action::EditMessage(id, typed.trim().to_owned()));
        }
        if widgets::button(ui, Look::Plain, None, state.t(Key::Cancel)).clicked() {
            keep = false;
        }
    });
    if keep {
        state.write.editing = Some((id, typed));
    }
}

/// The field that messages are written in.
pub fn message_id() -> Id {
    Id::unique("message")
}

/// The field at the bottom. Enter sends; Shift and Enter begins a new line.
fn composer_ui(ui: &mut Ui, state: &mut State) {
    let palette = theme::palette(ui);
    let id = message_id();
    let focused = ui.memory(|memory| memory.has_focus(id));
    let sends = focused && ui.input_mut(|input| input.consume_key(Modifiers::NONE, KeyName::Enter));
    let edge = if focused { palette.accent } else { palette.hairline };
    Frame::new()
        .fill(palette.panel)
        .stroke(Stroke::new(1.0, edge))
        .corner_radius(12)
        .inner_margin(Margin { left: 4, right: 8, top: 4, bottom: 4 })
        .show(ui, |ui| {
            ui.horizontal(|ui| {
                let width = ui.available_width() - 44.0;
                ui.allocate_ui_with_layout(vec2(width, 36.0), Layout::top_down(Align::Min), |ui| {
                    let hint = RichText::new(state.t(Key::MessageHint)).font(theme::body()).color(palette.muted);
                    let name = state.t(Key::Message);
                    ScrollArea::vertical().max_height(COMPOSER_HEIGHT).id_salt("composer").show(ui, |ui| {
                        let edit = egui::TextEdit::multiline(&mut state.write.message)
                            .id(id)
                            .font(theme::body())
                            .hint_text(hint)
                            .desired_rows(1)
                            .desired_width(width)
                            .frame(Frame::NONE.inner_margin(Margin::symmetric(10, 9)));
                        let response = edit.show(ui).response.response;
                        ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(name));
                    });
                });
                ui.with_layout(Layout::right_to_left(Align::Max), |ui| {
                    let enabled = state.is_writing() || state.why_not_generate().is_none();
                    let (icon, name) = match state.is_writing() {
                        true => (Icon::Stop, Command::Stop.label(state.lang)),
                        false => (Icon::Send, state.t(Key::SendMessage)),
                    };
                    ui.add_space(2.0);
                    let send = ui.add_enabled_ui(enabled, |ui| widgets::icon_toggle(ui, icon, name, enabled));
                    let tip = match state.is_writing() {
                        true => Command::Stop.hint(state.lang, ui.ctx().os()),
                        false => state.t(Key::SendTip).to_owned(),
                    };
                    if send.inner.on_hover_text(tip).clicked() {
                        state.ask(if state.is_writing() { Action::Cancel } else { Action::SendMessage });
                    }
                });
            });
        });
    if sends && !state.is_writing() && state.why_not_generate().is_none() {
        state.ask(Action::SendMessage);
    }
}
