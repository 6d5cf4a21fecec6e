//! The line of words: what it means for a piece, and the notes that are written for it.

use egui::Ui;

use super::SoundView;
use crate::{
    generate::audio::{
        compose::{Meaning, Part, Piece, compose, understand},
        key_name,
    },
    ui::{Command, Key, state::State, text::fill, theme, widgets},
};

fn read(view: &SoundView) -> Vec<Part> {
    let instruments = view.model.iter().flat_map(|model| &model.instruments);
    let names: Vec<(String, String)> = instruments.map(|names| (names.en.clone(), names.zh.clone())).collect();
    understand(&view.words, &names)
}

/// The field; Enter writes notes and plays them.
pub(super) fn words_ui(ui: &mut Ui, state: &mut State) {
    let (name, hint) = (state.t(Key::SoundWords), state.t(Key::SoundWordsHint));
    let field = widgets::field(ui, egui::Id::unique("sound words"), &mut state.sound.words, name, hint);
    let entered = field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
    if entered && !state.sound.words.trim().is_empty() && state.sound.model.is_some() {
        write(state);
        if state.sound.is_busy() {
            state.command(Command::Stop);
        }
        state.command(Command::Generate);
        field.request_focus();
    }
    ui.add_space(6.0);
    told_ui(ui, state);
}

/// Writes notes for the line; another time others, unless it names a seed.
fn write(state: &mut State) {
    let view = &mut state.sound;
    let Some(model) = &view.model else { return };
    let piece = Piece::of(&read(view));
    let keys = (model.lowest_key, model.lowest_key + model.keys - 1);
    view.written += 1;
    let composed = compose(&piece, piece.seed.unwrap_or(view.written), keys);
    let before = std::mem::replace(&mut view.notes, composed.clone());
    // What a person typed last can be brought back.
    if view.is_typed(&before) {
        view.typed = Some(before);
    }
    view.composed = composed;
    if let Some(instrument) = piece.instrument {
        state.preferences.sound.instrument = instrument;
    }
}

/// What was understood.
fn told_ui(ui: &mut Ui, state: &State) {
    let parts = read(&state.sound);
    if parts.is_empty() {
        widgets::note(ui, state.t(Key::SoundWordsHow));
        return;
    }
    let lang = state.lang;
    let palette = theme::palette(ui);
    let scale = |scale: crate::generate::audio::compose::Scale| {
        let (en, zh) = scale.name();
        lang.pick(en, zh)
    };
    let tonic = |tonic: u8| key_name(tonic).trim_end_matches(|c: char| c == '-' || c.is_ascii_digit()).to_owned();
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = egui::vec2(12.0, 2.0);
        for part in parts {
            let told = match part.meaning {
                Meaning::Instrument(index) => state.sound.model.as_ref().and_then(|model| {
                    let names = model.instruments.get(usize::from(index))?;
                    Some(lang.pick(&names.en, &names.zh).to_owned())
                }),
                Meaning::Mood(of_mood, beats) => {
                    Some(format!("{} · {}", scale(of_mood), fill(lang, Key::BeatsAMinute, &[&beats.to_string()])))
                }
                Meaning::Scale(named) => Some(scale(named).to_owned()),
                Meaning::Tonic(key) => Some(fill(lang, Key::InKey, &[&tonic(key)])),
                Meaning::Key(key, named) => Some(format!("{} {}", tonic(key), scale(named))),
                Meaning::Tempo(beats) => Some(fill(lang, Key::BeatsAMinute, &[&beats.to_string()])),
                Meaning::Bars(bars) => Some(fill(lang, Key::BarsAre, &[&bars.to_string()])),
                Meaning::Seconds(seconds) => Some(fill(lang, Key::SecondsAre, &[&seconds.to_string()])),
                Meaning::Seed(seed) => Some(fill(lang, Key::SeedIs, &[&seed.to_string()])),
                Meaning::Unknown => None,
            };
            let (text, color) = match told {
                Some(text) => (text, palette.text),
                None => (fill(lang, Key::WordsUnknown, &[&state.sound.words[part.at]]), palette.accent),
            };
            ui.label(egui::RichText::new(text).font(theme::small()).color(color));
        }
    });
}
