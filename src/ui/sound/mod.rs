//! The Sound page: a keyboard that plays the network live, notes that it plays by itself, and what came of it.

mod amp;
mod devices;
mod edits;
mod keyboard;
mod panel;
mod picture;
mod pyramid;
mod roll;
mod ruler;
mod sight;
mod spectrogram;
mod spectrum;
pub mod takes;
mod transport;
mod view;
mod wave;
mod words;

use egui::{Align, Frame, Layout, Margin, Panel, Ui};

use super::{Command, Icon, Key, state::State, text::fill, theme, widgets};
use crate::generate::audio::{AudioRequest, parse_notes};

pub use transport::toggle_play;
pub use view::{Other, Shown, SoundView, Variations, take_path};

/// Below this width the list of takes gives way.
const NARROW: f32 = 1100.0;

/// The request that the typed notes make; `Err` says what is wrong with them.
pub fn request(state: &State) -> crate::Result<AudioRequest> {
    let (settings, view) = (&state.preferences.sound, &state.sound);
    let rate = view.model_rate();
    let (notes, _) = parse_notes(&view.notes, settings.instrument, settings.velocity, rate)?;
    Ok(AudioRequest::new(notes, state.preferences.drawing()))
}

/// Why nothing can be made of the typed notes, in the window's language.
pub fn why_not(state: &State) -> Option<String> {
    if state.sound.model.is_none() {
        return Some(state.t(Key::FirstOpenSound).to_owned());
    }
    match request(state) {
        Err(why) => Some(why.text(state.lang).to_owned()),
        Ok(request) if request.notes.is_empty() => Some(state.t(Key::TypeNotes).to_owned()),
        Ok(request) => range_problem(state, &request),
    }
}

fn range_problem(state: &State, request: &AudioRequest) -> Option<String> {
    let model = state.sound.model.as_ref()?;
    let high = model.lowest_key + model.keys - 1;
    let outside = request.notes.iter().find(|note| !(model.lowest_key..=high).contains(&note.key))?;
    let name = crate::generate::audio::key_name;
    Some(fill(state.lang, Key::OutOfRange, &[&name(outside.key), &name(model.lowest_key), &name(high)]))
}

/// The page below the header.
pub fn sound_ui(ui: &mut Ui, state: &mut State) {
    let palette = theme::palette(ui);
    let plain = Frame::new().fill(palette.background);
    let frame = plain.inner_margin(Margin { left: 16, right: 0, top: 14, bottom: 0 });
    Panel::right("voice").exact_size(theme::INSPECTOR_WIDTH).resizable(false).frame(frame).show(ui, |ui| {
        panel::panel_ui(ui, state);
    });
    let margin = theme::WORK_MARGIN as i8;
    let keys = plain.inner_margin(Margin { left: margin, right: margin, top: 12, bottom: 12 });
    Panel::bottom("keys").exact_size(128.0).resizable(false).frame(keys).show(ui, |ui| {
        keyboard::keyboard_ui(ui, state);
    });
    if shows_takes(state, ui.ctx().content_rect().width()) {
        let frame = plain.inner_margin(Margin { left: 12, right: 8, top: 10, bottom: 8 });
        Panel::left("takes").exact_size(theme::LIST_WIDTH).resizable(false).frame(frame).show(ui, |ui| {
            takes::takes_ui(ui, state);
        });
    }
    let work = plain.inner_margin(Margin { left: margin, right: margin, top: 8, bottom: 8 });
    egui::CentralPanel::no_frame().frame(work).show(ui, |ui| take_ui(ui, state));
    transport::keys(ui, state);
}

/// Whether the list of takes is shown in a window of this width.
fn shows_takes(state: &State, width: f32) -> bool {
    let over = state.sound.takes.over && width < NARROW;
    (state.preferences.sound.takes_shown && width >= NARROW) || over
}

/// Shows or hides the list of takes.
pub fn toggle_takes(state: &mut State, width: f32) {
    match width < NARROW {
        true => state.sound.takes.over = !state.sound.takes.over,
        false => state.preferences.sound.takes_shown = !state.preferences.sound.takes_shown,
    }
}

/// The page's own controls in the header.
pub fn controls_ui(ui: &mut Ui, state: &mut State) {
    let (os, lang) = (ui.ctx().os(), state.lang);
    let (undo, redo) = (can_step(state, false), can_step(state, true));
    let tools =
        [(Command::ToggleDocuments, true), (Command::Undo, undo), (Command::Redo, redo), (Command::OpenFile, true)];
    for (command, enabled) in tools {
        let (name, tip) = match command {
            Command::ToggleDocuments => (state.t(Key::Takes), state.t(Key::ToggleTakesTip)),
            Command::OpenFile => (state.t(Key::OpenSound), state.t(Key::OpenSoundTip)),
            command => (command.label(lang), command.tooltip(lang)),
        };
        let button = ui.add_enabled_ui(enabled, |ui| widgets::icon_button(ui, command.icon(), name));
        if button.inner.on_hover_text(format!("{tip}  ({})", command.keys(os))).clicked() {
            state.command(command);
        }
    }
}

/// Whether a change of the take shown can be taken back, or brought back.
fn can_step(state: &State, forth: bool) -> bool {
    let view = &state.sound;
    let take = view.shown.id.and_then(|id| view.takes.get(id));
    !view.changing && !view.is_growing() && take.is_some_and(|take| take.history.can(forth))
}

/// The take: its waveform, its spectrogram, its notes, and the buttons for it.
fn take_ui(ui: &mut Ui, state: &mut State) {
    if state.sound.is_empty() && !state.sound.is_growing() {
        empty_ui(ui, state);
        return;
    }
    ui.spacing_mut().item_spacing.y = 0.0;
    let transport = theme::CONTROL_HEIGHT + 16.0;
    let has_notes = !state.sound.shown.notes.is_empty();
    ruler::ruler_ui(ui, state);
    ui.add_space(4.0);
    let rest = (ui.available_height() - transport).max(120.0);
    let roll = if has_notes { (rest * 0.22).clamp(48.0, 120.0) } else { 0.0 };
    let wave = (rest * 0.28).clamp(48.0, 160.0);
    wave::wave_ui(ui, state, wave);
    ui.add_space(8.0);
    let bar = 12.0;
    let height = (ui.available_height() - transport - bar - roll).max(40.0);
    match state.sound.shows_spectrum {
        true => spectrum::spectrum_ui(ui, state, height),
        false => wave::spectrogram_ui(ui, state, height),
    }
    ui.add_space(2.0);
    ruler::bar_ui(ui, state);
    ui.add_space(6.0);
    transport::transport_ui(ui, state);
    if has_notes {
        ui.add_space(8.0);
        roll::roll_ui(ui, state, ui.available_height().min(roll));
    }
}

fn empty_ui(ui: &mut Ui, state: &mut State) {
    ui.with_layout(Layout::top_down(Align::Center), |ui| {
        ui.add_space((ui.available_height() * 0.32).max(0.0));
        Icon::Sound.ui(ui, 28.0, theme::palette(ui).muted);
        ui.label(egui::RichText::new(state.t(Key::SoundEmpty)).font(theme::body_medium()));
        let text = egui::RichText::new(state.t(Key::SoundEmptyHow)).font(theme::row());
        ui.add(egui::Label::new(text.color(theme::palette(ui).muted)).wrap());
        ui.add_space(16.0);
        let record = widgets::button(ui, widgets::Look::Hairline, Some(Icon::Record), state.t(Key::RecordTake));
        if record.on_hover_text(state.t(Key::RecordTakeTip)).clicked() {
            transport::toggle_record(state);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_opening_tune_is_one() {
        assert_eq!(parse_notes(view::OPENING, 0, 90, 16_000).expect("a tune").0.len(), 8);
    }
}
