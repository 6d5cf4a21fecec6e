//! Playing, looping, recording and comparing: the buttons below the picture, and their keys.

use std::sync::Arc;

use egui::{Align, Event, Id, Key as KeyName, Layout, Popup, RectAlign, Ui, vec2};

use super::{edits, ruler::clock};
use crate::{
    engine::{SoundActivity, SoundInput},
    generate::audio::{Edit, Step},
    ui::{
        Command, Icon, Key,
        preferences::SavedAs,
        state::{Action, State, TakeAction},
        text::fill,
        theme, widgets,
    },
};

/// Play, the time, what is done to the take, and saving.
pub(super) fn transport_ui(ui: &mut Ui, state: &mut State) {
    let size = vec2(ui.available_width(), theme::CONTROL_HEIGHT);
    ui.allocate_ui_with_layout(size, Layout::left_to_right(Align::Center), |ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        buttons_ui(ui, state);
        ui.add_space(8.0);
        time_ui(ui, state);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = 8.0;
            save_ui(ui, state);
            edits::menu_ui(ui, state);
            let on = state.sound.shows_spectrum;
            let toggle = widgets::icon_toggle(ui, Icon::Spectrum, state.t(Key::Spectrum), on);
            if toggle.on_hover_text(state.t(Key::ShowSpectrumTip)).clicked() {
                state.sound.shows_spectrum = !on;
            }
            compare_ui(ui, state);
        });
    });
}

fn buttons_ui(ui: &mut Ui, state: &mut State) {
    let busy = state.sound.is_busy();
    let (icon, name) = match busy {
        true => (Icon::Stop, state.t(Key::Stop)),
        false => (Icon::Play, state.t(Key::PlayTake)),
    };
    if widgets::icon_button(ui, icon, name).on_hover_text(state.t(Key::PlayTakeTip)).clicked() {
        toggle_play(state);
    }
    let looped = widgets::icon_toggle(ui, Icon::Loop, state.t(Key::LoopTake), state.sound.loops);
    if looped.on_hover_text(state.t(Key::LoopTakeTip)).clicked() {
        toggle_loop(state);
    }
    let recording = state.sound.activity == SoundActivity::Recording;
    let record = widgets::icon_toggle(ui, Icon::Record, state.t(Key::RecordTake), recording);
    if record.on_hover_text(state.t(Key::RecordTakeTip)).clicked() {
        toggle_record(state);
    }
}

/// The time, or what is selected; the level of what is recorded.
fn time_ui(ui: &mut Ui, state: &State) {
    let view = &state.sound;
    let rate = f64::from(view.rate());
    let time = |samples: usize| clock(samples as f64 / rate, 1);
    let text = format!("{} / {}", time(view.position), time(view.samples().len()));
    ui.label(egui::RichText::new(text).font(theme::number()));
    if view.activity == SoundActivity::Recording {
        ui.add_space(4.0);
        level_ui(ui, state);
    } else if let Some(range) = &view.selection {
        ui.add_space(4.0);
        let length = format!("{:.3}", range.len() as f64 / rate);
        let text = fill(state.lang, Key::SelectedSeconds, &[&length]);
        let color = theme::palette(ui).second;
        ui.label(egui::RichText::new(text).font(theme::small()).color(color));
    }
}

/// How loud the input is.
pub(super) fn level_ui(ui: &mut Ui, state: &State) {
    let db = 20.0 * state.sound.input_peak.max(1e-6).log10();
    let share = ((db + 60.0) / 60.0).clamp(0.0, 1.0);
    let palette = theme::palette(ui);
    let color = if db > -0.5 { palette.error } else { palette.accent };
    let part = widgets::Part { fraction: share, color };
    let name = fill(state.lang, Key::InputLevel, &[&format!("{db:.0}")]);
    ui.allocate_ui(vec2(96.0, 8.0), |ui| {
        ui.set_width(96.0);
        widgets::meter(ui, &name, &[part]).on_hover_text(&name);
    });
}

/// The take, and the one it is compared with.
fn compare_ui(ui: &mut Ui, state: &mut State) {
    if state.sound.other.is_none() {
        return;
    }
    let mut second = state.sound.hears_other;
    let tips = [state.t(Key::CompareTakesTip).to_owned(), state.t(Key::CompareTakesTip).to_owned()];
    let size = vec2(72.0, theme::CONTROL_HEIGHT);
    if widgets::segmented_with_tips(ui, size, &mut second, &[(false, "A"), (true, "B")], &tips) {
        switch(state);
    }
}

/// A menu of what the take is saved as.
fn save_ui(ui: &mut Ui, state: &mut State) {
    let command = Command::SaveFile;
    let can = !state.sound.is_growing() && state.sound.shown.whole.is_some();
    let button = ui.add_enabled_ui(can, |ui| {
        widgets::button(ui, widgets::Look::Hairline, Some(Icon::Save), state.t(Key::SaveTake))
    });
    let hint = format!("{}  ({})", state.t(Key::SaveTakeTip), command.keys(ui.ctx().os()));
    let button = button.inner.on_hover_text(hint);
    let popup = Popup::menu(&button).align(RectAlign::BOTTOM_END).gap(6.0).frame(widgets::popup_frame(ui));
    let mut wanted = None;
    popup.id(Id::unique("save take")).width(220.0).show(|ui| {
        ui.set_width(220.0);
        ui.spacing_mut().item_spacing.y = 0.0;
        for kind in SavedAs::ALL {
            let key = match kind {
                SavedAs::Wav16 => Key::Wav16,
                SavedAs::Wav24 => Key::Wav24,
                SavedAs::Wav32 => Key::Wav32,
                SavedAs::Flac16 => Key::Flac16,
                SavedAs::Flac24 => Key::Flac24,
            };
            let is_it = state.preferences.sound.saved_as == kind;
            let icon = if is_it { Icon::Check } else { Icon::Save };
            if widgets::menu_row(ui, Some(icon), state.t(key), "", is_it).clicked() {
                wanted = Some(kind);
            }
        }
    });
    if let Some(kind) = wanted {
        state.preferences.sound.saved_as = kind;
        state.command(command);
    }
}

/// Stops what sounds, or plays the take from where it is, or from its beginning after its end.
pub fn toggle_play(state: &mut State) {
    let view = &state.sound;
    if view.is_busy() {
        return state.ask(Action::Sound(SoundInput::Stop));
    }
    let from = if view.position < view.len() { view.position } else { 0 };
    let playback = view.playback(from).filter(|_| !view.is_empty());
    if let Some(playback) = playback {
        state.ask(Action::Sound(SoundInput::Play(Box::new(playback))));
    }
}

/// Goes on from a sample, or begins there next time.
pub(super) fn seek(state: &mut State, to: usize) {
    state.sound.position = to;
    if state.sound.activity == SoundActivity::Playing {
        state.ask(Action::Sound(SoundInput::Seek { to }));
    }
}

pub(super) fn toggle_loop(state: &mut State) {
    state.sound.loops = !state.sound.loops;
    loop_changed(state);
}

/// Tells what is played where to go round.
pub(super) fn loop_changed(state: &mut State) {
    if state.sound.activity == SoundActivity::Playing {
        let range = state.sound.loop_range();
        state.ask(Action::Sound(SoundInput::Loop(range)));
    }
}

/// From the take to the one it is compared with, or back.
pub(super) fn switch(state: &mut State) {
    if state.sound.other.is_some() {
        state.sound.hears_other = !state.sound.hears_other;
        let second = state.sound.hears_other;
        state.ask(Action::Sound(SoundInput::Switch { second }));
    }
}

pub(super) fn toggle_record(state: &mut State) {
    match state.sound.activity {
        SoundActivity::Recording => state.ask(Action::Sound(SoundInput::Stop)),
        _ => state.ask(Action::Take(TakeAction::Record)),
    }
}

/// The keys of the page, while nothing is being typed.
pub(super) fn keys(ui: &Ui, state: &mut State) {
    let typing = ui.ctx().memory(|memory| memory.focused()).is_some() || state.sheet_open;
    if typing || egui::Popup::is_any_open(ui.ctx()) {
        return;
    }
    let pressed: Vec<(KeyName, bool)> = ui.input(|input| {
        let event = |event: &Event| match event {
            Event::Key { key, pressed: true, repeat, modifiers, .. }
                if !modifiers.command && !modifiers.alt && !modifiers.ctrl =>
            {
                Some((*key, *repeat))
            }
            _ => None,
        };
        input.events.iter().filter_map(event).collect()
    });
    for (key, repeat) in pressed {
        let once = !repeat;
        match key {
            KeyName::Space if once => toggle_play(state),
            KeyName::L if once => toggle_loop(state),
            KeyName::B if once => switch(state),
            KeyName::R if once => toggle_record(state),
            KeyName::C if once => edits::continue_take(state),
            KeyName::P if once => state.sound.shows_spectrum = !state.sound.shows_spectrum,
            KeyName::Delete | KeyName::Backspace if once => delete_selection(state),
            KeyName::Home => seek(state, 0),
            KeyName::End => seek(state, state.sound.len()),
            KeyName::ArrowLeft => step(state, -1.0),
            KeyName::ArrowRight => step(state, 1.0),
            KeyName::ArrowUp => state.sound.zoom(1.5),
            KeyName::ArrowDown => state.sound.zoom(1.0 / 1.5),
            KeyName::Num0 if once => state.sound.show_all(),
            KeyName::Num9 if once => state.sound.show_selection(),
            _ => {}
        }
    }
}

/// A second back or forth.
fn step(state: &mut State, seconds: f64) {
    if !state.sound.is_growing() {
        let samples = seconds * f64::from(state.sound.rate());
        let to = (state.sound.position as f64 + samples).clamp(0.0, state.sound.len() as f64);
        seek(state, to as usize);
    }
}

fn delete_selection(state: &mut State) {
    if let Some(range) = state.sound.selection.clone()
        && edits::can_edit(state)
    {
        let edit = Edit::Delete { start: range.start as u64, end: range.end as u64 };
        state.ask(Action::Take(TakeAction::Change(Arc::new(Step::Edit(edit)))));
    }
}
