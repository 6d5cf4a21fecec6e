//! The Sound page: a keyboard that plays the network live, notes that it plays by itself, and what came of it.

mod keyboard;
mod panel;
mod roll;
mod spectrogram;
mod wave;
mod words;

use std::collections::BTreeSet;

use egui::{Align, Frame, Layout, Margin, Panel, Ui, vec2};

use super::{
    Command, Icon, Key,
    state::{Action, State},
    text::fill,
    theme, widgets,
};
use crate::{
    audio::OutputInfo,
    engine::{SoundActivity, SoundInput},
    generate::audio::{AudioModelInfo, AudioRequest, parse_notes},
};
use spectrogram::Spectrogram;

/// The tune that the page opens with: the first bars of Bach's Minuet in G, by Petzold.
const OPENING: &str = "D5:0.5 G4:0.25 A4:0.25 B4:0.25 C5:0.25 D5:0.5 G4:0.5 G4:0.5";

/// What the page shows, and what is typed and held on it.
pub struct SoundView {
    /// The model in use, once it is open.
    pub model: Option<AudioModelInfo>,
    /// SHA-256 of its file.
    pub model_sha256: String,
    /// What sounds.
    pub activity: SoundActivity,
    /// The number of the take shown.
    pub take: u64,
    /// What the take is made from.
    pub request: Option<AudioRequest>,
    /// Its samples so far.
    pub samples: Vec<f32>,
    /// The sample that is heard.
    pub position: usize,
    /// Gaps heard so far.
    pub underruns: u64,
    /// From a key or click to the first sound, in milliseconds.
    pub first_sound_ms: Option<f32>,
    /// Seconds of sound made per second of work.
    pub real_time_factor: Option<f32>,
    /// The devices there are.
    pub outputs: Vec<OutputInfo>,
    /// The line of words that notes are written for.
    pub words: String,
    /// Pieces that were written in this window.
    written: u64,
    /// The notes as they are typed.
    pub notes: String,
    /// Where the last take was kept.
    pub kept: Option<std::path::PathBuf>,
    /// Keys that are held: by the pointer, on the computer's keyboard.
    pointer_key: Option<u8>,
    typed_keys: BTreeSet<u8>,
    spectrogram: Spectrogram,
}

impl Default for SoundView {
    fn default() -> Self {
        Self {
            model: None,
            model_sha256: String::new(),
            activity: SoundActivity::Idle,
            take: 0,
            request: None,
            samples: Vec::new(),
            position: 0,
            underruns: 0,
            first_sound_ms: None,
            real_time_factor: None,
            outputs: Vec::new(),
            words: String::new(),
            written: 0,
            notes: OPENING.to_owned(),
            kept: None,
            pointer_key: None,
            typed_keys: BTreeSet::new(),
            spectrogram: Spectrogram::default(),
        }
    }
}

impl SoundView {
    /// Samples a second.
    pub fn rate(&self) -> u32 {
        self.model.as_ref().map_or(16_000, |model| model.sample_rate_hz)
    }

    /// Whether anything sounds or is made.
    pub fn is_busy(&self) -> bool {
        self.activity != SoundActivity::Idle
    }
}

/// The request that the typed notes make; `Err` says what is wrong with them.
pub fn request(state: &State) -> crate::Result<AudioRequest> {
    let (settings, view) = (&state.preferences.sound, &state.sound);
    let rate = view.rate();
    let (notes, _) = parse_notes(&view.notes, settings.instrument, settings.velocity, rate)?;
    Ok(AudioRequest {
        notes,
        samples: None,
        temperature: settings.temperature,
        top_k: 0,
        top_p: 1.0,
        seed: state.preferences.writing.seed,
    })
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
    let work = plain.inner_margin(Margin { left: margin, right: margin, top: 16, bottom: 8 });
    egui::CentralPanel::no_frame().frame(work).show(ui, |ui| take_ui(ui, state));
}

/// The take: its waveform, its spectrogram, its notes, and the buttons for it.
fn take_ui(ui: &mut Ui, state: &mut State) {
    ui.spacing_mut().item_spacing.y = 12.0;
    if state.sound.samples.is_empty() && !state.sound.is_busy() {
        empty_ui(ui, state);
        return;
    }
    let buttons = theme::CONTROL_HEIGHT + 12.0;
    let rest = (ui.available_height() - buttons).max(120.0);
    wave::wave_ui(ui, state, (rest * 0.28).clamp(48.0, 140.0));
    let roll = (rest * 0.24).clamp(48.0, 120.0);
    let height = (ui.available_height() - buttons - roll - 12.0).max(40.0);
    wave::spectrogram_ui(ui, state, height);
    buttons_ui(ui, state);
    roll::roll_ui(ui, state, ui.available_height().min(roll));
}

fn empty_ui(ui: &mut Ui, state: &State) {
    ui.with_layout(Layout::top_down(Align::Center), |ui| {
        ui.add_space((ui.available_height() * 0.32).max(0.0));
        Icon::Sound.ui(ui, 28.0, theme::palette(ui).muted);
        ui.label(egui::RichText::new(state.t(Key::SoundEmpty)).font(theme::body_medium()));
        let text = egui::RichText::new(state.t(Key::SoundEmptyHow)).font(theme::row());
        ui.add(egui::Label::new(text.color(theme::palette(ui).muted)).wrap());
    });
}

/// Play, the time, and saving.
fn buttons_ui(ui: &mut Ui, state: &mut State) {
    let (os, lang) = (ui.ctx().os(), state.lang);
    ui.allocate_ui_with_layout(
        vec2(ui.available_width(), theme::CONTROL_HEIGHT),
        Layout::left_to_right(Align::Center),
        |ui| {
            ui.spacing_mut().item_spacing.x = 12.0;
            let busy = state.sound.is_busy();
            let (icon, name) = match busy {
                true => (Icon::Stop, state.t(Key::Stop)),
                false => (Icon::Play, state.t(Key::PlayTake)),
            };
            let button = widgets::icon_button(ui, icon, name).on_hover_text(state.t(Key::PlayTakeTip));
            if button.clicked() {
                toggle_play(state);
            }
            let rate = f64::from(state.sound.rate());
            let time = |samples: usize| clock(samples as f64 / rate);
            let text = format!("{} / {}", time(state.sound.position), time(state.sound.samples.len()));
            ui.label(egui::RichText::new(text).font(theme::number()));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let command = Command::SaveFile;
                let can = !busy && !state.sound.samples.is_empty();
                let button = ui.add_enabled_ui(can, |ui| {
                    widgets::button(ui, widgets::Look::Hairline, Some(Icon::Save), state.t(Key::SaveWav))
                });
                let hint = format!("{}  ({})", state.t(Key::SaveWavTip), command.keys(os));
                if button.inner.on_hover_text(hint).clicked() {
                    state.command(command);
                }
                if let Some(kept) = &state.sound.kept {
                    let name = kept.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                    let text = fill(lang, Key::KeptAs, &[&name]);
                    let label = egui::Label::new(
                        egui::RichText::new(text).font(theme::small()).color(theme::palette(ui).muted),
                    );
                    ui.add(label.truncate()).on_hover_text(kept.display().to_string());
                }
            });
        },
    );
}

/// Stops what sounds, or plays the take from where it is, or from its beginning after its end.
pub fn toggle_play(state: &mut State) {
    let view = &state.sound;
    let input = if view.is_busy() {
        SoundInput::Stop
    } else if view.samples.is_empty() {
        return;
    } else {
        SoundInput::Play { from: if view.position < view.samples.len() { view.position } else { 0 } }
    };
    state.ask(Action::Sound(input));
}

/// `0:04.6`
fn clock(seconds: f64) -> String {
    let tenths = (seconds * 10.0).floor() as u64;
    format!("{}:{:02}.{}", tenths / 600, tenths / 10 % 60, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well_and_the_opening_tune_is_one() {
        assert_eq!([clock(0.0), clock(4.69), clock(61.0)], ["0:00.0", "0:04.6", "1:01.0"]);
        assert_eq!(parse_notes(OPENING, 0, 90, 16_000).expect("a tune").0.len(), 8);
    }
}
