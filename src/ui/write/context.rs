//! What the model reads: how much of its context is used, by what, and what is left out.

use egui::Ui;

use crate::{
    generate::ContextReport,
    ui::{
        Key,
        state::State,
        text::{count, fill},
        theme,
        widgets::{self, Part},
    },
};

/// The context's size when nothing was generated yet.
fn usual_context(state: &State) -> usize {
    let most = state.model.open.as_ref().map_or(crate::generate::DEFAULT_CONTEXT, |open| open.context_tokens);
    let wanted = state.preferences.context_tokens;
    if wanted == 0 { most.min(crate::generate::DEFAULT_CONTEXT) } else { wanted.min(most) }
}

/// The section: a head with the numbers, the meter, and its legend.
pub fn context_ui(ui: &mut Ui, state: &State) {
    let lang = state.lang;
    let generated = generated_tokens(state);
    let sent = state.library.context.as_ref().filter(|(id, _)| id == state.shown_id()).map(|(_, report)| report);
    let report = sent.cloned().unwrap_or_else(|| ContextReport {
        context_tokens: usual_context(state),
        prompt_tokens: state.library.tokens.unwrap_or(0),
        ..ContextReport::default()
    });
    let generated = if sent.is_some() { generated } else { 0 };
    let used = report.instruction_tokens + report.prompt_tokens + generated;
    let total = report.context_tokens.max(1);
    let head = fill(lang, Key::ContextOf, &[&count(used), &count(total)]);
    widgets::section(ui, &head).on_hover_text(state.t(Key::ContextTip));
    ui.add_space(4.0);
    let palette = theme::palette(ui);
    let part = |tokens: usize, color| Part { fraction: tokens as f32 / total as f32, color };
    let parts = [
        part(report.instruction_tokens, palette.second),
        part(report.prompt_tokens, palette.muted),
        part(generated, palette.accent),
    ];
    widgets::meter(ui, &head, &parts).on_hover_text(state.t(Key::ContextTip));
    ui.add_space(4.0);
    let left_out = match (report.left_out, state.preferences.chatting) {
        (0, _) => state.t(Key::NothingLeftOut).to_owned(),
        (messages, true) => fill(lang, Key::MessagesLeftOut, &[&count(messages)]),
        (bytes, false) => {
            let text = state.library.document().text();
            let characters = text.char_indices().take_while(|(at, _)| *at < bytes).count();
            fill(lang, Key::CharactersLeftOut, &[&count(characters)])
        }
    };
    legend_ui(ui, state, &report, generated);
    widgets::note(ui, &left_out);
}

/// What each colour of the meter means, with its number.
fn legend_ui(ui: &mut Ui, state: &State, report: &ContextReport, generated: usize) {
    let palette = theme::palette(ui);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = egui::vec2(4.0, 2.0);
        for (key, color, tokens) in [
            (Key::Instructions, palette.second, report.instruction_tokens),
            (Key::YourText, palette.muted, report.prompt_tokens),
            (Key::Generated, palette.accent, generated),
        ] {
            if tokens == 0 && key == Key::Instructions {
                continue;
            }
            let words = format!("{} {}", state.t(key), count(tokens));
            let text = ui.painter().layout_no_wrap(words.clone(), theme::small(), palette.muted);
            let (rect, response) = ui.allocate_exact_size(egui::vec2(text.size().x + 22.0, 18.0), egui::Sense::hover());
            response.widget_info(|| egui::WidgetInfo::labeled(egui::accesskit::Role::Label, true, &words));
            ui.painter().circle_filled(egui::pos2(rect.left() + 4.0, rect.center().y), 3.5, color);
            ui.painter().galley(
                egui::pos2(rect.left() + 12.0, rect.center().y - text.size().y / 2.0),
                text,
                palette.muted,
            );
        }
    });
}

/// Tokens that the model wrote after what it read last.
fn generated_tokens(state: &State) -> usize {
    let last = match state.preferences.chatting {
        true => {
            let chat = state.library.chat();
            let last = chat.path().last().and_then(|id| chat.view(*id)).and_then(|view| view.generation);
            last.and_then(|id| chat.generation(id)).map(crate::document::Generation::token_count)
        }
        false => {
            let document = state.library.document();
            let current = document.variants().into_iter().find(|variant| variant.is_current);
            current
                .and_then(|variant| document.generation(variant.generation))
                .map(crate::document::Generation::token_count)
        }
    };
    last.unwrap_or(0)
}
