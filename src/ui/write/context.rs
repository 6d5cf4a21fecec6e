//! What the model reads: how much of its context is used, by what, and what is left out.

use egui::Ui;

use crate::{
    generate::{ContextReport, Prompt},
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
    let left_out = left_out(state, &report);
    legend_ui(ui, state, &report, generated);
    widgets::note(ui, &left_out);
}

/// What of the prompt did not fit.
fn left_out(state: &State, report: &ContextReport) -> String {
    let document = state.library.document();
    // A task puts the document as one message, of which the beginning is left out.
    let is_task = document.generations().last().is_some_and(|last| matches!(last.made.request.prompt, Prompt::Chat(_)));
    match (report.left_out, state.preferences.chatting) {
        (0, _) => state.t(Key::NothingLeftOut).to_owned(),
        (messages, true) => fill(state.lang, Key::MessagesLeftOut, &[&count(messages)]),
        (_, false) if is_task => state.t(Key::BeginningLeftOut).to_owned(),
        (bytes, false) => {
            let characters = document.text().char_indices().take_while(|(at, _)| *at < bytes).count();
            fill(state.lang, Key::CharactersLeftOut, &[&count(characters)])
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Lang,
        generate::TextRequest,
        recipe::{ModelRef, TextGeneration},
        ui::preferences::Preferences,
    };

    #[test]
    fn what_is_left_out_is_told_in_the_unit_it_is_counted_in() {
        let mut state = State::new(Lang::En, Preferences::default(), 0);
        let report = ContextReport { left_out: 3, ..ContextReport::default() };
        let document = state.library.document_mut();
        document.edit(0..0, "你好", 0);
        for (prompt, want) in [
            (Prompt::Raw("好".to_owned()), "the first 1 characters are left out"),
            (Prompt::Chat(Vec::new()), "the beginning of the text is left out"),
        ] {
            let model = ModelRef { name: "m".to_owned(), sha256: String::new() };
            let made = TextGeneration { model, request: TextRequest { prompt, ..TextRequest::default() } };
            state.library.document_mut().begin_generation(6..6, made, 0);
            assert_eq!(left_out(&state, &report), want);
        }
        state.preferences.chatting = true;
        assert_eq!(left_out(&state, &report), "the first 3 messages are left out");
        assert_eq!(left_out(&state, &ContextReport::default()), "nothing left out");
    }
}
