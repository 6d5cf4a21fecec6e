//! The line of words: what it means for the next pictures, and how that is told.

use egui::{Align, Layout, Ui, vec2};

use super::View;

use crate::{
    catalogue::Model,
    generate::image::{
        Direction,
        words::{Meaning, Named, Part, understand},
    },
    ui::{
        Command, Key, models,
        preferences::MOST_SEED,
        state::State,
        text::{self, fill},
        theme, widgets,
    },
};

/// Models that draw, in the order in which they are listed.
fn drawing(state: &State) -> Vec<&Model> {
    state.models.iter().flatten().filter(|model| model.kind == "image" && model.unusable.is_none()).collect()
}

/// What the user calls the directions of the open model, as far as they have names.
pub(super) fn direction_names(state: &State) -> &[String] {
    state.preferences.painting.directions.get(&state.paint.model_sha256).map_or(&[], Vec::as_slice)
}

/// What the line means, with the models that it may speak of.
fn read(state: &State) -> (Vec<Part>, Vec<&Model>) {
    let models = drawing(state);
    let named = |model: &&Model| {
        let mut names = vec![model.name.clone(), model.title.clone(), model.title_zh.clone()];
        names.extend(model.words.iter().cloned());
        let is_open = state.paint.model.as_ref().is_some_and(|open| open.path == model.path);
        let directions = if is_open { direction_names(state).to_vec() } else { Vec::new() };
        Named { names, classes: model.classes.clone(), directions }
    };
    let open = state.paint.model.as_ref().and_then(|open| models.iter().position(|model| model.path == open.path));
    let parts = understand(&state.paint.words, &models.iter().map(named).collect::<Vec<_>>(), open);
    (parts, models)
}

/// Sets what the line asks for, if it asks for something new in the view that is shown; returns the model that it needs,
/// if that is another than the open one.
pub fn apply(state: &mut State) -> Option<Model> {
    if state.paint.view != View::Gallery || state.paint.words == state.paint.obeyed {
        return None;
    }
    let (parts, models) = read(state);
    let named = parts.iter().find_map(|part| match part.meaning {
        Meaning::Model(model) | Meaning::Class(model, _) => Some(model),
        _ => None,
    });
    let wanted = named.and_then(|named| models.get(named)).map(|model| (*model).clone());
    let wanted = wanted.filter(|wanted| state.paint.model.as_ref().is_none_or(|open| open.path != wanted.path));
    let settings = &mut state.preferences.painting;
    if wanted.is_some() {
        settings.class = None;
    }
    let mut steps = Vec::new();
    for part in parts {
        match part.meaning {
            Meaning::Direction(index, amount) if wanted.is_none() => {
                steps.retain(|step: &Direction| step.index != index as u32);
                steps.push(Direction { index: index as u32, amount });
            }
            Meaning::Class(model, class) if Some(model) == named => settings.class = Some(class),
            Meaning::Count(count) => settings.count = count,
            Meaning::Seed(seed) => settings.seed = seed % MOST_SEED,
            Meaning::Truncation(truncation) => settings.truncation = truncation,
            Meaning::Class(..) | Meaning::Model(_) | Meaning::Direction(..) | Meaning::Unknown => {}
        }
    }
    state.paint.next_steps = steps;
    state.paint.obeyed.clone_from(&state.paint.words);
    wanted
}

/// The field; Enter draws.
pub(super) fn field_ui(ui: &mut Ui, state: &mut State) {
    let (name, hint) = (state.t(Key::PaintWords), state.t(Key::PaintWordsHint));
    let field = widgets::field(ui, egui::Id::unique("words"), &mut state.paint.words, name, hint);
    if field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter)) && !state.paint.words.is_empty() {
        state.paint.obeyed.clear();
        state.command(Command::Generate);
        field.request_focus();
    }
}

/// What was understood, or what else can be done here.
pub(super) fn told_ui(ui: &mut Ui, state: &State) {
    let palette = theme::palette(ui);
    let layout = Layout::left_to_right(Align::Center);
    ui.allocate_ui_with_layout(vec2(ui.available_width() - theme::WORK_MARGIN, 18.0), layout, |ui| {
        ui.spacing_mut().item_spacing.x = 14.0;
        let say = |ui: &mut Ui, text: String, color| {
            let text = egui::RichText::new(text).font(theme::small()).color(color);
            ui.add(egui::Label::new(text).truncate());
        };
        let (parts, models) = read(state);
        if parts.is_empty() {
            if !state.paint.shelf.is_empty() {
                let how = if state.paint.carries { Key::MixAndCarryHow } else { Key::MixHow };
                say(ui, state.t(how).to_owned(), palette.muted);
            }
            return;
        }
        let lang = state.lang;
        for part in parts {
            let known = match part.meaning {
                Meaning::Model(model) => {
                    models.get(model).map(|model| (Key::WordsModel, models::title(model, state.lang)))
                }
                Meaning::Class(model, class) => models
                    .get(model)
                    .and_then(|model| model.classes.get(class as usize))
                    .map(|(en, zh)| (Key::WordsClass, lang.pick(en, zh).to_owned())),
                Meaning::Count(count) => Some((Key::WordsCount, text::count(count))),
                Meaning::Seed(seed) => Some((Key::SeedIs, (seed % MOST_SEED).to_string())),
                Meaning::Truncation(truncation) => Some((Key::WordsTruncation, format!("{truncation:.1}"))),
                Meaning::Direction(index, amount) => {
                    direction_names(state).get(index).map(|name| (Key::WordsDirection, format!("{name} {amount:+.0}")))
                }
                Meaning::Unknown => None,
            };
            match known {
                Some((key, value)) => say(ui, fill(lang, key, &[&value]), palette.text),
                None => say(ui, fill(lang, Key::WordsUnknown, &[&state.paint.words[part.at]]), palette.accent),
            }
        }
    });
}
