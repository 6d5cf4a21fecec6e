//! Where sound comes from besides the network, and who plays it: inputs and MIDI controllers.

use egui::{Popup, RectAlign, Ui};

use crate::{
    audio::DeviceInfo,
    engine::SoundInput,
    ui::{
        Icon, Key,
        state::{Action, State},
        widgets,
    },
};

/// A menu of devices.
struct Menu<'a> {
    name: Key,
    tip: Key,
    small: Key,
    /// What choosing none is called.
    none: Key,
    icon: Icon,
    devices: &'a [DeviceInfo],
    chosen: Option<&'a String>,
}

/// The input that is recorded and played through captures, and the controller that plays the network.
pub(super) fn devices_ui(ui: &mut Ui, state: &mut State) {
    widgets::section(ui, state.t(Key::Input));
    ui.add_space(8.0);
    let (inputs, chosen) = (state.sound.inputs.clone(), state.preferences.sound.input.clone());
    let menu = Menu {
        name: Key::InputDevice,
        tip: Key::InputDeviceTip,
        small: Key::Recording,
        none: Key::SystemOutput,
        icon: Icon::Microphone,
        devices: &inputs,
        chosen: chosen.as_ref(),
    };
    let (opened, picked) = menu_ui(ui, state, &menu);
    if opened {
        state.ask(Action::Sound(SoundInput::ListInputs));
    }
    if let Some(id) = picked {
        state.preferences.sound.input.clone_from(&id);
        state.ask(Action::Sound(SoundInput::Input(id)));
    }
    ui.add_space(6.0);
    let (ports, chosen) = (state.sound.controllers.clone(), state.preferences.sound.controller.clone());
    let menu = Menu {
        name: Key::Controller,
        tip: Key::ControllerTip,
        small: Key::Controller,
        none: Key::NoController,
        icon: Icon::Keyboard,
        devices: ports.as_deref().unwrap_or_default(),
        chosen: chosen.as_ref(),
    };
    let (opened, picked) = menu_ui(ui, state, &menu);
    if opened {
        state.ask(Action::Sound(SoundInput::ListMidi));
    }
    if let Some(id) = picked {
        state.preferences.sound.controller = id;
    }
    if ports.is_some_and(|ports| ports.is_empty()) {
        ui.add_space(6.0);
        widgets::note(ui, state.t(Key::NoMidi));
    }
}

/// Whether it was opened, and what was chosen.
fn menu_ui(ui: &mut Ui, state: &State, menu: &Menu<'_>) -> (bool, Option<Option<String>>) {
    let named = menu.chosen.and_then(|id| menu.devices.iter().find(|device| device.id == *id));
    let chosen = named.map_or(state.t(menu.none).to_owned(), |device| device.name.clone());
    let width = ui.available_width();
    let button = widgets::menu_button(ui, Some(width), state.t(menu.name), &chosen, state.t(menu.small));
    let button = button.on_hover_text(state.t(menu.tip));
    let popup = Popup::menu(&button).align(RectAlign::BOTTOM_START).gap(6.0).frame(widgets::popup_frame(ui));
    let mut picked = None;
    popup.width(width).show(|ui| {
        ui.set_width(width);
        ui.spacing_mut().item_spacing.y = 0.0;
        let devices = menu.devices.iter().map(|device| (device.name.as_str(), Some(&device.id)));
        for (name, id) in std::iter::once((state.t(menu.none), None)).chain(devices) {
            let is_chosen = id == named.map(|device| &device.id);
            let icon = if is_chosen { Icon::Check } else { menu.icon };
            if widgets::menu_row(ui, Some(icon), name, "", is_chosen).clicked() && !is_chosen {
                picked = Some(id.cloned());
            }
        }
    });
    (button.clicked(), picked)
}
