//! The menu of what can be done to a take.

use std::{ops::Range, sync::Arc};

use egui::{Popup, RectAlign, Ui, vec2};

use crate::{
    engine::SoundInput,
    generate::audio::{Edit, Step},
    ui::{
        Icon, Key,
        shell::CLOSE_OUTSIDE,
        state::{Action, State, TakeAction},
        theme,
        widgets::{self, SliderRow},
    },
};

/// Where normalising brings the highest sample, in dB below full scale.
const PEAK_DB: f64 = -1.0;

/// Whether the take shown can be edited now.
pub(super) fn can_edit(state: &State) -> bool {
    let view = &state.sound;
    view.shown.whole.is_some() && !view.is_empty() && !view.is_growing() && !view.hears_other && !view.changing
}

pub(super) fn menu_ui(ui: &mut Ui, state: &mut State) {
    let can = can_edit(state);
    let button = ui.add_enabled_ui(can, |ui| {
        widgets::button(ui, widgets::Look::Hairline, Some(Icon::Scissors), state.t(Key::EditTake))
    });
    let button = button.inner.on_hover_text(state.t(Key::EditTakeTip));
    let popup = Popup::menu(&button).align(RectAlign::TOP_END).gap(6.0).frame(widgets::popup_frame(ui));
    popup.width(280.0).close_behavior(CLOSE_OUTSIDE).show(|ui| {
        ui.set_width(280.0);
        ui.spacing_mut().item_spacing.y = 0.0;
        rows_ui(ui, state);
    });
}

fn rows_ui(ui: &mut Ui, state: &mut State) {
    let selected = state.sound.selection.clone();
    let range = selected.clone().unwrap_or(0..state.sound.shown.samples().len());
    let (start, end) = (range.start as u64, range.end as u64);
    let rows: [(Key, Key, Icon, &str, bool, Edit); 5] = [
        (Key::TrimTake, Key::TrimTakeTip, Icon::Scissors, "", selected.is_some(), Edit::Trim { start, end }),
        (Key::CutTake, Key::CutTakeTip, Icon::Delete, "Del", selected.is_some(), Edit::Delete { start, end }),
        (Key::FadeInTake, Key::FadeTakeTip, Icon::ChevronRight, "", true, fade(state, &range, false)),
        (Key::FadeOutTake, Key::FadeTakeTip, Icon::ChevronLeft, "", true, fade(state, &range, true)),
        (Key::NormaliseTake, Key::NormaliseTakeTip, Icon::Sound, "", true, Edit::Normalise { peak_db: PEAK_DB }),
    ];
    for (name, tip, icon, keys, enabled, edit) in rows {
        let row = ui.add_enabled_ui(enabled, |ui| widgets::menu_row(ui, Some(icon), state.t(name), keys, false));
        if row.inner.on_hover_text(state.t(tip)).clicked() {
            change(ui, state, edit);
        }
    }
    widgets::menu_line(ui);
    let go_on = widgets::menu_row(ui, Some(Icon::Play), state.t(Key::ContinueTake), "C", false);
    if go_on.on_hover_text(state.t(Key::ContinueTakeTip)).clicked() {
        continue_take(state);
        Popup::close_all(ui.ctx());
    }
    widgets::menu_line(ui);
    ui.horizontal(|ui| {
        ui.set_width(280.0);
        let width = ui.available_width() - 84.0;
        ui.allocate_ui(vec2(width, theme::ROW_HEIGHT), |ui| {
            ui.set_width(width);
            let (name, hint) = (state.t(Key::GainTake), state.t(Key::GainTakeTip));
            let row = SliderRow { name, hint, range: -24.0..=24.0, step: 0.5, decimals: 1, bend: 1.0, default: 0.0 };
            widgets::slider_row(ui, &row, &mut state.sound.gain_db);
        });
        let apply = widgets::button(ui, widgets::Look::Hairline, None, state.t(Key::ApplyGain));
        if apply.on_hover_text(state.t(Key::GainTakeTip)).clicked() {
            let db = state.sound.gain_db;
            change(ui, state, Edit::Gain { start, end, db });
        }
    });
}

/// The network goes on where the selection ends, or the take.
pub(super) fn continue_take(state: &mut State) {
    if !can_edit(state) {
        return;
    }
    let view = &state.sound;
    let Some(clip) = view.shown.whole.clone() else { return };
    let to = view.selection.as_ref().map_or(clip.samples.len(), |range| range.end);
    let (instrument, velocity) = (state.preferences.sound.instrument, state.preferences.sound.velocity);
    let drawing = state.preferences.drawing();
    state.ask(Action::Sound(SoundInput::Continue { clip, to, instrument, velocity, drawing }));
}

/// Within the selection; without one up to the place that is heard, or from there on; without that all of it.
fn fade(state: &State, range: &Range<usize>, falls: bool) -> Edit {
    let (view, mut range) = (&state.sound, range.clone());
    if view.selection.is_none() && range.contains(&view.position) && view.position > 0 {
        match falls {
            false => range.end = view.position,
            true => range.start = view.position,
        }
    }
    let (start, end) = (range.start as u64, range.end as u64);
    if falls { Edit::FadeOut { start, end } } else { Edit::FadeIn { start, end } }
}

fn change(ui: &Ui, state: &mut State, edit: Edit) {
    state.ask(Action::Take(TakeAction::Change(Arc::new(Step::Edit(edit)))));
    Popup::close_all(ui.ctx());
}
