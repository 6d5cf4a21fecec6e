//! Several chosen pictures, and what is done with all of them.

use egui::Ui;

use super::{bar, marks};
use crate::{
    engine::MarkChange,
    ui::{
        Icon, Key,
        state::{Action, State},
        text::{self, fill},
        theme,
        widgets::{self, Look},
    },
};

pub(super) fn several_ui(ui: &mut Ui, state: &mut State) {
    let count = text::count(state.paint.shelf.several.len());
    let told = fill(state.lang, Key::PicturesChosen, &[&count]);
    ui.label(egui::RichText::new(told).font(theme::body_medium()));
    ui.add_space(4.0);
    widgets::note(ui, state.t(Key::PicturesChosenHow));
    ui.add_space(12.0);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = egui::vec2(8.0, 8.0);
        for (kind, key, tip) in bar::KINDS {
            if widgets::button(ui, Look::Hairline, None, state.t(key)).on_hover_text(state.t(tip)).clicked() {
                bar::export(state, kind, marks::paths(state));
            }
        }
    });
    ui.add_space(8.0);
    let starred = marks::common(state).starred;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        let key = if starred { Key::Unstar } else { Key::Star };
        let button = widgets::icon_toggle(ui, Icon::Star, state.t(key), starred).on_hover_text(state.t(key));
        if button.clicked() {
            marks::change(state, marks::paths(state), MarkChange::Star(!starred));
        }
        let button = widgets::icon_button(ui, Icon::Delete, state.t(Key::BinPicture));
        if button.on_hover_text(state.t(Key::BinPictureTip)).clicked() {
            let paths = marks::paths(state);
            state.ask(Action::Bin(paths));
        }
        let button = widgets::icon_button(ui, Icon::Close, state.t(Key::ChooseNone));
        if button.on_hover_text(state.t(Key::ChooseNone)).clicked() {
            state.paint.choose_none();
        }
    });
    ui.add_space(12.0);
    marks::marks_ui(ui, state);
}
