//! What shapes the sound: notes to be played, the voice, the device.

use egui::{Id, Popup, RectAlign, ScrollArea, Ui};

use crate::{
    engine::SoundInput,
    generate::audio::{USUAL_NOISE, USUAL_TEMPERATURE},
    ui::{
        Icon, Key,
        preferences::MOST_VARIATIONS,
        state::{Action, State},
        text::fill,
        theme,
        widgets::{self, SliderRow},
    },
};

pub(super) fn panel_ui(ui: &mut Ui, state: &mut State) {
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        // The scroll bar stands in the margin.
        ui.set_width(ui.available_width() - theme::PANEL_MARGIN);
        ui.spacing_mut().item_spacing.y = 0.0;
        widgets::section(ui, state.t(Key::Compose));
        ui.add_space(8.0);
        super::words::words_ui(ui, state);
        ui.add_space(20.0);
        notes_ui(ui, state);
        ui.add_space(20.0);
        voice_ui(ui, state);
        ui.add_space(20.0);
        output_ui(ui, state);
        ui.add_space(20.0);
        super::amp::amp_ui(ui, state);
        ui.add_space(20.0);
        super::devices::devices_ui(ui, state);
        ui.add_space(16.0);
    });
}

fn notes_ui(ui: &mut Ui, state: &mut State) {
    widgets::section(ui, state.t(Key::Notes));
    ui.add_space(8.0);
    let (name, hint) = (state.t(Key::Notes), state.t(Key::NotesHint));
    widgets::area(ui, Id::unique("notes"), &mut state.sound.notes, name, hint, 4);
    ui.add_space(6.0);
    let wrong = super::request(state).err();
    match wrong {
        Some(why) => {
            let color = theme::palette(ui).error;
            let text = egui::RichText::new(why.text(state.lang)).font(theme::small()).color(color);
            ui.add(egui::Label::new(text).wrap());
        }
        None => {
            widgets::note(ui, state.t(Key::NotesHow));
        }
    }
    if state.sound.typed.is_some() {
        ui.add_space(4.0);
        let button = widgets::link_button(ui, state.t(Key::NotesBack)).on_hover_text(state.t(Key::NotesBackTip));
        if button.clicked() {
            state.sound.bring_notes_back();
        }
    }
}

fn voice_ui(ui: &mut Ui, state: &mut State) {
    widgets::section(ui, state.t(Key::Voice));
    ui.add_space(8.0);
    instrument_ui(ui, state);
    let lang = state.lang;
    let row = |name, hint, range, step, decimals, default| SliderRow {
        name: crate::ui::t(lang, name),
        hint: crate::ui::t(lang, hint),
        range,
        step,
        decimals,
        bend: 1.0,
        default,
    };
    let sound = &mut state.preferences.sound;
    let mut velocity = f64::from(sound.velocity);
    if widgets::slider_row(ui, &row(Key::Velocity, Key::VelocityTip, 1.0..=127.0, 1.0, 0, 90.0), &mut velocity) {
        sound.velocity = velocity as u8;
    }
    let mut temperature = f64::from(sound.temperature);
    if widgets::slider_row(
        ui,
        &row(Key::Temperature, Key::SoundTemperatureTip, 0.0..=1.2, 0.01, 2, USUAL_TEMPERATURE.into()),
        &mut temperature,
    ) {
        sound.temperature = temperature as f32;
    }
    let mut noise = f64::from(sound.noise);
    if widgets::slider_row(ui, &row(Key::Noise, Key::NoiseTip, 0.0..=1.0, 0.01, 2, USUAL_NOISE.into()), &mut noise) {
        sound.noise = noise as f32;
    }
    let mut variations = f64::from(sound.variations);
    let most = f64::from(MOST_VARIATIONS);
    if widgets::slider_row(ui, &row(Key::Variations, Key::VariationsTip, 1.0..=most, 1.0, 0, 1.0), &mut variations) {
        sound.variations = variations as u8;
    }
    let mut seed = state.preferences.writing.seed as f64;
    if widgets::slider_row(ui, &row(Key::Seed, Key::SoundSeedTip, 0.0..=99_999.0, 1.0, 0, 1.0), &mut seed) {
        state.preferences.writing.seed = seed as u64;
    }
}

fn instrument_ui(ui: &mut Ui, state: &mut State) {
    let instruments = state.sound.model.as_ref().map(|model| model.instruments.clone()).unwrap_or_default();
    let name =
        |index: usize| instruments.get(index).map_or("", |names| state.lang.pick(&names.en, &names.zh)).to_owned();
    let chosen = name(state.preferences.sound.instrument.into());
    let width = ui.available_width();
    let label = state.t(Key::Instrument);
    let button = widgets::menu_button(ui, Some(width), label, &chosen, label);
    let button = button.on_hover_text(state.t(Key::InstrumentTip));
    let popup = Popup::menu(&button).align(RectAlign::BOTTOM_START).gap(6.0).frame(widgets::popup_frame(ui));
    popup.width(width).show(|ui| {
        ui.set_width(width);
        ui.spacing_mut().item_spacing.y = 0.0;
        for index in 0..instruments.len() {
            let is_chosen = usize::from(state.preferences.sound.instrument) == index;
            let icon = if is_chosen { Icon::Check } else { Icon::Sound };
            if widgets::menu_row(ui, Some(icon), &name(index), "", is_chosen).clicked() {
                state.preferences.sound.instrument = index as u16;
            }
        }
    });
    ui.add_space(6.0);
}

fn output_ui(ui: &mut Ui, state: &mut State) {
    widgets::section(ui, state.t(Key::Output));
    ui.add_space(8.0);
    let outputs = state.sound.outputs.clone();
    let named = state.preferences.sound.output.as_ref().and_then(|id| outputs.iter().find(|output| output.id == *id));
    let chosen = named.map_or(state.t(Key::SystemOutput).to_owned(), |output| output.name.clone());
    let width = ui.available_width();
    let label = state.t(Key::Device);
    let button = widgets::menu_button(ui, Some(width), label, &chosen, label).on_hover_text(state.t(Key::DeviceTip));
    if button.clicked() {
        state.ask(Action::Sound(SoundInput::ListOutputs));
    }
    let popup = Popup::menu(&button).align(RectAlign::BOTTOM_START).gap(6.0).frame(widgets::popup_frame(ui));
    popup.width(width).show(|ui| {
        ui.set_width(width);
        ui.spacing_mut().item_spacing.y = 0.0;
        let (current, system) = (state.preferences.sound.output.clone(), state.t(Key::SystemOutput));
        let mut choose = |ui: &mut Ui, name: &str, id: Option<String>| {
            let is_chosen = current == id;
            let icon = if is_chosen { Icon::Check } else { Icon::Sound };
            if widgets::menu_row(ui, Some(icon), name, "", is_chosen).clicked() && !is_chosen {
                state.preferences.sound.output = id.clone();
                state.ask(Action::Sound(SoundInput::Output(id)));
            }
        };
        choose(ui, system, None);
        for output in &outputs {
            choose(ui, &output.name, Some(output.id.clone()));
        }
    });
    ui.add_space(6.0);
    let (name, hint) = (state.t(Key::Volume), state.t(Key::VolumeTip));
    let row = SliderRow { name, hint, range: -40.0..=6.0, step: 0.5, decimals: 1, bend: 1.0, default: 0.0 };
    let mut volume_db = f64::from(state.preferences.sound.volume_db);
    if widgets::slider_row(ui, &row, &mut volume_db) {
        state.preferences.sound.volume_db = volume_db as f32;
        state.ask(Action::Sound(SoundInput::Volume(state.preferences.sound.gain())));
    }
    ui.add_space(8.0);
    let view = &state.sound;
    let underruns = view.underruns.to_string();
    let text = match view.first_sound_ms {
        Some(ms) => fill(state.lang, Key::SoundFactsFirst, &[&underruns, &format!("{ms:.0}")]),
        None => fill(state.lang, Key::SoundFacts, &[&underruns]),
    };
    widgets::note(ui, &text).on_hover_text(state.t(Key::SoundFactsTip));
}
