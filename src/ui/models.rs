//! The Models page: what is on this computer, what each one is and needs, and which is in use.

use egui::{
    Align, Align2, Frame, Layout, Margin, Rect, ScrollArea, Sense, Ui, Vec2, WidgetInfo, accesskit::Role, pos2, vec2,
};

use super::{
    Icon, Key,
    state::{Action, State},
    text::{self, fill},
    theme,
    widgets::{self, Look},
};
use crate::{Lang, catalogue::Model};

/// Width of the columns of numbers.
const NUMBER_WIDTH: f32 = 84.0;
/// Width of what can be done with a model.
const ACTIONS_WIDTH: f32 = 132.0;

/// A model's name without its file ending and quantisation: `SmolLM2 135M Instruct`.
pub fn short_name(name: &str) -> String {
    let name = [".gguf", ".safetensors"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name);
    let quantised = |part: &str| {
        let part = part.to_ascii_uppercase();
        let mut letters = part.strip_prefix("IQ").or_else(|| part.strip_prefix('Q')).unwrap_or_default().chars();
        letters.next().is_some_and(|c| c.is_ascii_digit()) || matches!(part.as_str(), "F16" | "F32" | "BF16")
    };
    let cut = name.rfind(['.', '-']).filter(|at| quantised(&name[at + 1..]));
    let name = cut.map_or(name, |at| &name[..at]);
    name.split(['-', '_']).map(spelled).collect::<Vec<_>>().join(" ")
}

/// What a model is called where people choose one.
pub fn title(model: &Model, lang: Lang) -> String {
    match (lang, model.title.as_str()) {
        (Lang::Zh, _) if !model.title_zh.is_empty() => model.title_zh.clone(),
        (_, "") => short_name(&model.name),
        (_, title) => title.to_owned(),
    }
}

/// What is called `title` in English, in the window's language, where a listed model says how.
pub fn local_title(state: &State, title: &str) -> String {
    let listed = state.models.iter().flatten().find(|model| model.title == title && !title.is_empty());
    listed.map_or_else(|| short_name(title), |model| self::title(model, state.lang))
}

/// The same of what a recipe calls a model, which may be the path of its file.
pub fn short_name_of(made_by: &str) -> String {
    short_name(made_by.rsplit(['/', '\\']).next().unwrap_or(made_by))
}

/// A word of a name as its makers spell it: `smollm2` is SmolLM2, `135m` is 135M.
fn spelled(word: &str) -> String {
    const NAMES: [(&str, &str); 6] = [
        ("smollm", "SmolLM"),
        ("qwen", "Qwen"),
        ("gemma", "Gemma"),
        ("llama", "Llama"),
        ("instruct", "Instruct"),
        ("coder", "Coder"),
    ];
    if let Some((name, spelling)) = NAMES.iter().find(|(name, _)| word.starts_with(name)) {
        return format!("{spelling}{}", &word[name.len()..]);
    }
    let number = word
        .strip_suffix(['m', 'b'])
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
    if number { word.to_uppercase() } else { word.to_owned() }
}

/// The page.
pub fn models_ui(ui: &mut Ui, state: &mut State) {
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        Frame::new().inner_margin(Margin::symmetric(20, 16)).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            widgets::note(ui, state.t(Key::ModelsIntro));
            ui.add_space(16.0);
            let Some(models) = state.models.clone() else {
                widgets::note(ui, state.t(Key::LookingForModels));
                return;
            };
            head_ui(ui, state);
            for model in &models {
                model_ui(ui, state, model);
                licence_ui(ui, state, model);
                let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 1.0), Sense::empty());
                ui.painter().hline(rect.x_range(), rect.center().y, theme::hairline(ui));
            }
            ui.add_space(20.0);
            widgets::note(ui, state.t(Key::ModelsHint));
            ui.add_space(4.0);
            widgets::note(ui, state.t(Key::ModelsChinese));
        });
    });
}

fn head_ui(ui: &mut Ui, state: &State) {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 28.0), Sense::empty());
    let color = theme::palette(ui).muted;
    let right = rect.right() - ACTIONS_WIDTH;
    for (at, key, align) in [
        (rect.left(), Key::Model, Align2::LEFT_CENTER),
        (right - NUMBER_WIDTH, Key::Size, Align2::RIGHT_CENTER),
        (right, Key::Memory, Align2::RIGHT_CENTER),
    ] {
        widgets::line(ui.painter(), pos2(at, rect.center().y), align, state.t(key), theme::section(), color, 200.0);
    }
    ui.painter().hline(rect.x_range(), rect.bottom(), theme::hairline(ui));
}

fn model_ui(ui: &mut Ui, state: &mut State, model: &Model) {
    let palette = theme::palette(ui);
    let in_use = state.model.open.as_ref().is_some_and(|open| open.path == model.path);
    let why = model.unusable.as_ref().map(|why| why.text(state.lang).to_owned());
    let name = title(model, state.lang);
    let top = ui.cursor().top() + 12.0;
    let (left, right) = (ui.max_rect().left(), ui.max_rect().right());
    let text_left = left + 48.0;
    let room = right - ACTIONS_WIDTH - 2.0 * NUMBER_WIDTH - text_left - 12.0;

    let tile = Rect::from_min_size(pos2(left, top + 2.0), Vec2::splat(36.0));
    ui.painter().rect_filled(tile, theme::RADIUS, palette.panel);
    Icon::Models.paint(ui.painter(), tile, 18.0, if in_use { palette.accent } else { palette.muted });
    let at = |row: f32| pos2(text_left, top + row);
    let title =
        widgets::line(ui.painter(), at(8.0), Align2::LEFT_CENTER, &name, theme::body_medium(), palette.text, room);
    if in_use {
        badge(ui, pos2(title.right() + 10.0, title.center().y), state.t(Key::InUse));
    }
    widgets::line(
        ui.painter(),
        at(29.0),
        Align2::LEFT_CENTER,
        &facts(state, model),
        theme::row(),
        palette.muted,
        room + NUMBER_WIDTH,
    );
    let mut bottom = 39.0;
    for small in [source(state, model)].into_iter().filter(|text| !text.is_empty()) {
        widgets::line(ui.painter(), at(bottom + 9.0), Align2::LEFT_CENTER, &small, theme::small(), palette.muted, room);
        bottom += 18.0;
    }
    if let Some(why) = &why {
        let job = ui.painter().layout(why.clone(), theme::row(), palette.error, right - ACTIONS_WIDTH - text_left);
        ui.painter().galley(pos2(text_left, top + bottom + 2.0), job.clone(), palette.error);
        bottom += job.size().y + 2.0;
    }
    for (column, bytes) in [(1.0, model.size_bytes), (0.0, model.memory_bytes)] {
        let at = pos2(right - ACTIONS_WIDTH - column * NUMBER_WIDTH, top + 8.0);
        let size = if bytes == 0 { "–".to_owned() } else { text::size(bytes) };
        widgets::line(ui.painter(), at, Align2::RIGHT_CENTER, &size, theme::number(), palette.text, NUMBER_WIDTH);
    }
    let height = bottom + 14.0;
    let (_, response) = ui.allocate_exact_size(vec2(right - left, 12.0 + height), Sense::hover());
    response.widget_info(|| {
        let told = [name.as_str(), &facts(state, model), why.as_deref().unwrap_or_default()].join(". ");
        WidgetInfo::labeled(Role::ListItem, true, told)
    });
    let place = Rect::from_min_max(pos2(right - ACTIONS_WIDTH + 16.0, top - 4.0), pos2(right, top + 32.0));
    let mut actions = ui.new_child(
        egui::UiBuilder::new().max_rect(place).layout(Layout::right_to_left(Align::Center)).id_salt(&model.path),
    );
    actions_ui(&mut actions, state, model, in_use);
}

/// The licence in full, folded until it is wanted.
fn licence_ui(ui: &mut Ui, state: &State, model: &Model) {
    if model.licence_text.is_empty() {
        return;
    }
    ui.horizontal_top(|ui| {
        ui.add_space(42.0);
        ui.vertical(|ui| {
            let id = ui.make_persistent_id(("licence", &model.path));
            let mut open = ui.data(|data| data.get_temp(id)).unwrap_or(false);
            if widgets::fold(ui, &mut open, &fill(state.lang, Key::LicenceOf, &[&title(model, state.lang)])).clicked() {
                ui.data_mut(|data| data.insert_temp(id, open));
            }
            if open {
                let color = theme::palette(ui).muted;
                let text = egui::RichText::new(&model.licence_text).font(theme::key()).color(color);
                ui.add(egui::Label::new(text).wrap().selectable(true));
                ui.add_space(8.0);
            }
        });
    });
    ui.add_space(6.0);
}

fn actions_ui(ui: &mut Ui, state: &mut State, model: &Model, in_use: bool) {
    ui.spacing_mut().item_spacing.x = 4.0;
    if !model.bundled {
        let forget = widgets::icon_button(ui, Icon::Close, state.t(Key::ForgetModel));
        if forget.on_hover_text(state.t(Key::ForgetModelTip)).clicked() {
            state.ask(Action::ForgetModel(model.path.clone()));
        }
    }
    if !in_use && model.kind == "text" {
        let use_it = ui.add_enabled_ui(model.unusable.is_none(), |ui| {
            widgets::button(ui, Look::Hairline, None, state.t(Key::UseModel))
        });
        if use_it.inner.on_hover_text(state.t(Key::UseModelTip)).clicked() {
            state.ask(Action::UseModel(model.path.clone()));
        }
    }
}

fn badge(ui: &Ui, left_middle: egui::Pos2, text: &str) {
    let palette = theme::palette(ui);
    let galley = ui.painter().layout_no_wrap(text.to_owned(), theme::tiny(), palette.text);
    let rect = Align2::LEFT_CENTER.anchor_size(left_middle, vec2(galley.size().x + 14.0, 18.0));
    ui.painter().rect_filled(rect, 9, palette.generated);
    ui.painter().galley(rect.center() - galley.size() / 2.0, galley, palette.text);
}

/// Architecture, quantisation, weights and licence in one line.
fn facts(state: &State, model: &Model) -> String {
    let licence = match model.licence.as_str() {
        "" => state.t(Key::NoLicence).to_owned(),
        licence => licence.to_owned(),
    };
    let weights = match model.parameters {
        0 => String::new(),
        count => fill(state.lang, Key::Weights, &[&text::weights(count)]),
    };
    let parts = [model.family.clone(), model.quantisation.clone(), weights, licence];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

fn source(state: &State, model: &Model) -> String {
    match model.bundled {
        true => fill(state.lang, Key::ComesWithAtelier, &[&model.source]),
        false => model.path.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_their_endings() {
        for (name, want) in [
            ("SmolLM2-135M-Instruct.Q4_1.gguf", "SmolLM2 135M Instruct"),
            ("qwen2.5-coder-0.5b-instruct-q4_k_m.gguf", "Qwen2.5 Coder 0.5B Instruct"),
            ("gemma-3-270m.F16.gguf", "Gemma 3 270M"),
            ("smollm2-135m-instruct", "SmolLM2 135M Instruct"),
            ("Phi-3.5", "Phi 3.5"),
            ("诗-Q8_0.gguf", "诗"),
        ] {
            assert_eq!(short_name(name), want);
        }
        assert_eq!(short_name_of("/home/me/qwen2.5-0.5b-q4_k_m.gguf"), "Qwen2.5 0.5B");
    }
}
