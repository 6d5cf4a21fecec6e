//! An empty document teaches: what to do, and three examples to begin with.

use egui::{Color32, Sense, Stroke, StrokeKind, Ui, WidgetInfo, accesskit::Role, text::LayoutJob, vec2};

use crate::{
    Lang,
    ui::{
        Command, Icon, Key, models,
        state::{Action, State},
        text::fill,
        theme, widgets,
    },
};

/// The examples: a name and the words that the model goes on from.
const EXAMPLES: [(Key, Key); 3] = [
    (Key::ExampleStory, Key::ExampleStoryText),
    (Key::ExampleArticle, Key::ExampleArticleText),
    (Key::ExampleList, Key::ExampleListText),
];

/// What stands below the caret of an empty document.
pub fn empty_ui(ui: &mut Ui, state: &mut State) {
    let palette = theme::palette(ui);
    ui.spacing_mut().item_spacing.y = 0.0;
    let keys = Command::Generate.keys(ui.ctx().os());
    let words = fill(state.lang, Key::EmptyHint, &[&keys]);
    ui.add(egui::Label::new(egui::RichText::new(words).font(theme::body()).color(palette.muted)).wrap());
    ui.add_space(24.0);
    widgets::section(ui, state.t(Key::OrTry));
    ui.add_space(8.0);
    ui.spacing_mut().item_spacing.y = 8.0;
    for (name, text) in EXAMPLES {
        example_ui(ui, state, name, text);
    }
    ui.add_space(8.0);
    if state.lang == Lang::Zh && is_english_only(state) {
        english_only_ui(ui, state);
    }
}

/// Whether the model in use is the bundled one, which was made for English.
fn is_english_only(state: &State) -> bool {
    state.model.open.as_ref().is_some_and(|open| models::short_name(&open.name).to_lowercase().starts_with("smollm2"))
}

/// Says plainly what the bundled model cannot do, and what to do about it.
fn english_only_ui(ui: &mut Ui, state: &mut State) {
    ui.horizontal_top(|ui| {
        let palette = theme::palette(ui);
        Icon::Info.ui(ui, 16.0, palette.second);
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = 6.0;
            widgets::note(ui, state.t(Key::EnglishOnly));
            ui.horizontal(|ui| {
                let command = Command::OpenModel;
                let label = command.label(state.lang);
                let button = widgets::button(ui, widgets::Look::Hairline, Some(command.icon()), label);
                if button.on_hover_text(command.hint(state.lang, ui.ctx().os())).clicked() {
                    state.command(command);
                }
            });
        });
    });
}

fn example_ui(ui: &mut Ui, state: &mut State, name: Key, text: Key) {
    let palette = theme::palette(ui);
    let (name, text) = (state.t(name), state.t(text));
    let width = ui.available_width();
    let plain = text.lines().map(|line| line.trim_start_matches('#').trim()).filter(|line| !line.is_empty());
    let plain = plain.collect::<Vec<_>>().join(" · ");
    let mut job = LayoutJob::simple(plain, theme::row(), palette.muted, width - 28.0 - 28.0);
    job.wrap.max_rows = 2;
    let body = ui.painter().layout_job(job);
    let (rect, response) = ui.allocate_exact_size(vec2(width, 34.0 + body.size().y + 12.0), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("{name}: {text}")));
    let (fill, edge) = match response.hovered() {
        true => (palette.panel, palette.hairline_strong),
        false => (Color32::TRANSPARENT, palette.hairline),
    };
    ui.painter().rect(rect, theme::CARD_RADIUS, fill, Stroke::new(1.0, edge), StrokeKind::Inside);
    let at = rect.min + vec2(14.0, 20.0);
    widgets::line(ui.painter(), at, egui::Align2::LEFT_CENTER, name, theme::row_medium(), palette.text, width - 60.0);
    ui.painter().galley(rect.min + vec2(14.0, 34.0), body, palette.muted);
    if response.hovered() {
        let place = egui::Rect::from_center_size(rect.right_center() - vec2(22.0, 0.0), egui::Vec2::splat(16.0));
        Icon::Sparkles.paint(ui.painter(), place, 16.0, palette.accent);
    }
    widgets::focus_ring(ui, &response, theme::CARD_RADIUS);
    if response.on_hover_text(state.t(Key::ExampleTip)).clicked() {
        state.ask(Action::TryExample(text.to_owned()));
    }
}
