//! Captures of amplifiers: which one, how loud before and after it, a take or an input through it.

use std::sync::Arc;

use egui::Ui;

use super::transport;
use crate::{
    engine::{SoundActivity, SoundInput},
    generate::{
        amp::AmpSettings,
        audio::{AmpStep, Step},
    },
    ui::{
        Icon, Key,
        state::{Action, State, TakeAction},
        text::fill,
        widgets::{self, SliderRow},
    },
};

pub(super) fn amp_ui(ui: &mut Ui, state: &mut State) {
    widgets::section(ui, state.t(Key::Amp));
    ui.add_space(8.0);
    let capture = state.sound.capture.clone();
    let chosen = capture.as_ref().map_or(state.t(Key::OpenCapture).to_owned(), |capture| capture.name.clone());
    let width = ui.available_width();
    let small = if capture.is_some() { state.t(Key::Capture) } else { "" };
    let button = widgets::menu_button(ui, Some(width), state.t(Key::Capture), &chosen, small);
    if button.on_hover_text(state.t(Key::OpenCaptureTip)).clicked() {
        state.ask(Action::Take(TakeAction::OpenCapture));
    }
    ui.add_space(6.0);
    let Some(capture) = capture else {
        widgets::note(ui, state.t(Key::AmpHow));
        return;
    };
    gains_ui(ui, state, capture.has_loudness);
    ui.add_space(8.0);
    let live = state.sound.activity == SoundActivity::Amp;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 8.0;
        let can = super::edits::can_edit(state);
        let run = ui.add_enabled_ui(can, |ui| {
            widgets::button(ui, widgets::Look::Hairline, Some(Icon::Sound), state.t(Key::RunAmp))
        });
        if run.inner.on_hover_text(state.t(Key::RunAmpTip)).clicked() {
            let step = step(state, &capture.path.display().to_string(), &capture.sha256);
            state.ask(Action::Take(TakeAction::Change(Arc::new(Step::Amp(step)))));
        }
        let (icon, name) = if live { (Icon::Stop, Key::Stop) } else { (Icon::Microphone, Key::LiveAmp) };
        let button = widgets::button(ui, widgets::Look::Hairline, Some(icon), state.t(name));
        if button.on_hover_text(state.t(Key::LiveAmpTip)).clicked() {
            let settings = settings(state);
            let input = match live {
                true => SoundInput::Stop,
                false => SoundInput::Amp { capture: capture.path.clone(), settings },
            };
            state.ask(Action::Sound(input));
        }
    });
    if live {
        ui.add_space(8.0);
        transport::level_ui(ui, state);
        ui.add_space(6.0);
        let view = &state.sound;
        let latency = view.latency_ms.map_or_else(|| "–".to_owned(), |ms| format!("{ms:.0}"));
        let facts = [latency, view.underruns.to_string(), view.overruns.to_string()];
        let text = fill(state.lang, Key::AmpFacts, &facts.each_ref().map(String::as_str));
        widgets::note(ui, &text).on_hover_text(state.t(Key::AmpFactsTip));
    }
}

fn gains_ui(ui: &mut Ui, state: &mut State, has_loudness: bool) {
    let lang = state.lang;
    let before = state.preferences.sound.amp.clone();
    let amp = &mut state.preferences.sound.amp;
    let rows = [
        (Key::InputGain, Key::InputGainTip, &mut amp.input_gain_db),
        (Key::OutputGain, Key::OutputGainTip, &mut amp.output_gain_db),
    ];
    for (name, hint, value) in rows {
        let (name, hint) = (crate::ui::t(lang, name), crate::ui::t(lang, hint));
        let row = SliderRow { name, hint, range: -24.0..=24.0, step: 0.5, decimals: 1, bend: 1.0, default: 0.0 };
        widgets::slider_row(ui, &row, value);
    }
    let name = state.t(Key::NormaliseAmp);
    let normalise =
        ui.add_enabled_ui(has_loudness, |ui| widgets::switch(ui, &mut state.preferences.sound.amp.normalise, name));
    let tip = if has_loudness { Key::NormaliseAmpTip } else { Key::NoLoudness };
    normalise.inner.on_hover_text(state.t(tip));
    if !has_loudness {
        state.preferences.sound.amp.normalise = false;
    }
    if state.preferences.sound.amp != before && state.sound.activity == SoundActivity::Amp {
        let settings = settings(state);
        state.ask(Action::Sound(SoundInput::AmpGains(settings)));
    }
}

fn step(state: &State, capture: &str, sha256: &str) -> AmpStep {
    let amp = &state.preferences.sound.amp;
    AmpStep {
        capture: capture.to_owned(),
        sha256: sha256.to_owned(),
        input_gain_db: amp.input_gain_db,
        output_gain_db: amp.output_gain_db,
        normalise: amp.normalise,
    }
}

fn settings(state: &State) -> AmpSettings {
    step(state, "", "").settings()
}
