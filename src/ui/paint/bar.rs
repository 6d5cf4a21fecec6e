//! Above the gallery: the line of words, and below it what is looked for, in what order, and what is done with it all.

use std::path::PathBuf;

use egui::{Align, Id, Layout, Popup, RectAlign, Ui, accesskit::Role, vec2};

use super::words;
use crate::{
    engine::{ExportKind, MOST_RATING, Query, Sort},
    ui::{
        Icon, Key,
        models::local_title,
        shell::CLOSE_OUTSIDE,
        state::{Action, State},
        text::{self, fill},
        theme, widgets,
    },
};

/// Below this the row takes less.
const NARROW: f32 = 560.0;

/// The field that searches the gallery.
pub(super) fn search_id() -> Id {
    Id::unique("search pictures")
}

pub(super) fn bar_ui(ui: &mut Ui, state: &mut State) {
    let size = vec2(ui.available_width() - theme::WORK_MARGIN, theme::CONTROL_HEIGHT);
    if state.paint.in_bin {
        ui.allocate_ui_with_layout(size, Layout::left_to_right(Align::Center), |ui| bin_ui(ui, state));
    } else {
        ui.allocate_ui_with_layout(size, Layout::left_to_right(Align::Center), |ui| words::field_ui(ui, state));
        words::told_ui(ui, state);
    }
    if state.paint.shelf.is_empty() {
        if !state.paint.in_bin {
            ui.allocate_ui_with_layout(size, Layout::right_to_left(Align::Center), |ui| to_bin_ui(ui, state));
        }
        return;
    }
    let is_narrow = size.x < NARROW;
    ui.allocate_ui_with_layout(size, Layout::right_to_left(Align::Center), |ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        if !state.paint.in_bin {
            to_bin_ui(ui, state);
        }
        export_ui(ui, state);
        let (tip, on) = (state.t(Key::ChooseSeveralTip), state.paint.choosing);
        if widgets::icon_toggle(ui, Icon::Done, state.t(Key::ChooseSeveral), on).on_hover_text(tip).clicked() {
            toggle_choosing(state);
        }
        order_ui(ui, state, if is_narrow { 104.0 } else { 136.0 });
        starred_ui(ui, state, if is_narrow { 142.0 } else { 206.0 });
        if !state.paint.shelf.query.is_everything() {
            let (found, all) = (state.paint.shelf.shown().len(), state.paint.shelf.len());
            let of = fill(state.lang, Key::FoundOf, &[&text::count(found), &text::count(all)]);
            let color = theme::palette(ui).muted;
            let told = ui.label(egui::RichText::new(&of).font(theme::small()).color(color));
            told.widget_info(|| egui::WidgetInfo::labeled(Role::Status, true, &of));
        }
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| search_ui(ui, state));
    });
}

/// To what was deleted.
fn to_bin_ui(ui: &mut Ui, state: &mut State) {
    let button = widgets::icon_button(ui, Icon::Delete, state.t(Key::Bin));
    if button.on_hover_text(state.t(Key::BinTip)).clicked() {
        state.ask(Action::ShowBin(true));
    }
}

/// The way back from the bin, and what is done with all of it.
fn bin_ui(ui: &mut Ui, state: &mut State) {
    ui.spacing_mut().item_spacing.x = 8.0;
    let back = widgets::button(ui, widgets::Look::Hairline, Some(Icon::ChevronLeft), state.t(Key::BackToGallery));
    if back.on_hover_text(state.t(Key::BackToGalleryTip)).clicked() {
        state.ask(Action::ShowBin(false));
    }
    let count = text::count(state.paint.shelf.len());
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        ui.spacing_mut().item_spacing.x = 8.0;
        let all = |state: &mut State| {
            state.paint.shelf.query = Query::default();
            state.paint.shelf.shown();
            state.paint.shelf.shown_paths()
        };
        ui.add_enabled_ui(!state.paint.shelf.is_empty(), |ui| {
            let button = widgets::button(ui, widgets::Look::Hairline, Some(Icon::Delete), state.t(Key::EmptyBin));
            let button = button.on_hover_text(state.t(Key::EmptyBinTip));
            let popup = Popup::menu(&button).align(RectAlign::BOTTOM_END).gap(6.0).frame(widgets::popup_frame(ui));
            popup.id(Id::unique("empty bin")).width(260.0).show(|ui| {
                ui.set_width(260.0);
                ui.spacing_mut().item_spacing.y = 0.0;
                let name = fill(state.lang, Key::DestroyAll, &[&count]);
                if widgets::menu_row(ui, Some(Icon::Delete), &name, "", false).clicked() {
                    let paths = all(state);
                    state.ask(Action::Destroy(paths));
                }
            });
            let back = widgets::button(ui, widgets::Look::Hairline, Some(Icon::Undo), state.t(Key::AllBack));
            if back.on_hover_text(state.t(Key::AllBackTip)).clicked() {
                let paths = all(state);
                state.ask(Action::Unbin(paths));
            }
        });
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            let told = egui::RichText::new(state.t(Key::BinIs)).font(theme::small()).color(theme::palette(ui).muted);
            ui.add(egui::Label::new(told).truncate());
        });
    });
}

fn search_ui(ui: &mut Ui, state: &mut State) {
    let (name, hint) = (state.t(Key::SearchPictures), state.t(Key::SearchPicturesHint));
    let tip = state.t(Key::SearchPicturesTip);
    let field = widgets::field(ui, search_id(), &mut state.paint.shelf.query.text, name, hint);
    if field.on_hover_text(tip).has_focus() && ui.input(|input| input.key_pressed(egui::Key::Escape)) {
        state.paint.shelf.query.text.clear();
    }
}

/// Everything, or what has a star.
fn starred_ui(ui: &mut Ui, state: &mut State, width: f32) {
    let counts = [state.paint.shelf.len(), state.paint.shelf.starred()].map(text::count);
    let names = [Key::AllPictures, Key::Starred];
    let names: Vec<String> = names.iter().zip(&counts).map(|(key, count)| fill(state.lang, *key, &[count])).collect();
    let tips = [Key::AllPicturesTip, Key::StarredTip].map(|tip| state.t(tip).to_owned());
    let choices = [(false, names[0].as_str()), (true, names[1].as_str())];
    let size = vec2(width, theme::CONTROL_HEIGHT);
    widgets::segmented_with_tips(ui, size, &mut state.paint.shelf.query.starred, &choices, &tips);
}

fn sort_key(sort: Sort) -> Key {
    match sort {
        Sort::Newest => Key::Newest,
        Sort::Oldest => Key::Oldest,
        Sort::Best => Key::BestRated,
    }
}

/// What is shown, in short: the order, and what is left out.
fn summary(state: &State) -> String {
    let query = &state.paint.shelf.query;
    let mut parts = vec![state.t(sort_key(query.sort)).to_owned()];
    if query.rating > 0 {
        parts.push(format!("{}+", query.rating));
    }
    if let Some(model) = &query.model {
        parts.extend(state.paint.shelf.title_of(model).map(|title| local_title(state, title)));
    }
    parts.join(" · ")
}

/// The menu of order, rating and model.
fn order_ui(ui: &mut Ui, state: &mut State, width: f32) {
    let chosen = summary(state);
    let button = widgets::menu_button(ui, Some(width), state.t(Key::OrderAndFilter), &chosen, "");
    let button = button.on_hover_text(state.t(Key::OrderAndFilterTip));
    let popup = Popup::menu(&button).align(RectAlign::BOTTOM_END).gap(6.0).frame(widgets::popup_frame(ui));
    popup.id(Id::unique("order")).width(260.0).close_behavior(CLOSE_OUTSIDE).show(|ui| {
        ui.set_width(260.0);
        ui.spacing_mut().item_spacing.y = 0.0;
        widgets::menu_head(ui, state.t(Key::Order));
        for sort in [Sort::Newest, Sort::Oldest, Sort::Best] {
            let is_it = state.paint.shelf.query.sort == sort;
            let icon = if is_it { Icon::Check } else { Icon::Sliders };
            if widgets::menu_row(ui, Some(icon), state.t(sort_key(sort)), "", is_it).clicked() {
                state.paint.shelf.query.sort = sort;
            }
        }
        widgets::menu_line(ui);
        widgets::menu_head(ui, state.t(Key::RatedAtLeast));
        let names: Vec<String> = (0..=MOST_RATING).map(|rating| rating_name(state, rating)).collect();
        let choices: Vec<(u8, &str)> = (0..).zip(names.iter().map(String::as_str)).collect();
        ui.horizontal(|ui| {
            ui.add_space(8.0);
            let size = vec2(244.0, theme::ROW_HEIGHT);
            widgets::segmented(ui, size, &mut state.paint.shelf.query.rating, &choices);
        });
        ui.add_space(4.0);
        let models = state.paint.shelf.models();
        widgets::menu_line(ui);
        widgets::menu_head(ui, state.t(Key::Model));
        let any = (state.t(Key::AnyModel).to_owned(), None, state.paint.shelf.len());
        let titled = |title: String| local_title(state, &title);
        let own: Vec<_> =
            models.into_iter().map(|((title, sha256), count)| (titled(title), Some(sha256), count)).collect();
        for (title, sha256, count) in std::iter::once(any).chain(own) {
            let is_it = state.paint.shelf.query.model == sha256;
            let icon = if is_it { Icon::Check } else { Icon::Paint };
            if widgets::menu_row(ui, Some(icon), &title, &text::count(count), is_it).clicked() {
                state.paint.shelf.query.model = sha256;
            }
        }
    });
}

fn rating_name(state: &State, rating: u8) -> String {
    if rating == 0 { state.t(Key::AnyRating).to_owned() } else { format!("{rating}+") }
}

/// A menu of what can be saved of everything that is shown.
fn export_ui(ui: &mut Ui, state: &mut State) {
    let button = widgets::icon_button(ui, Icon::SaveAs, state.t(Key::ExportShown));
    let button = button.on_hover_text(state.t(Key::ExportShownTip));
    let popup = Popup::menu(&button).align(RectAlign::BOTTOM_END).gap(6.0).frame(widgets::popup_frame(ui));
    let mut wanted = None;
    popup.id(Id::unique("export")).width(260.0).show(|ui| {
        ui.set_width(260.0);
        ui.spacing_mut().item_spacing.y = 0.0;
        let count = text::count(state.paint.shelf.shown().len());
        widgets::menu_head(ui, &fill(state.lang, Key::PicturesAre, &[&count]));
        for (kind, key, tip) in KINDS {
            if widgets::menu_row(ui, None, state.t(key), "", false).on_hover_text(state.t(tip)).clicked() {
                wanted = Some(kind);
            }
        }
    });
    if let Some(kind) = wanted {
        state.paint.shelf.shown();
        export(state, kind, state.paint.shelf.shown_paths());
    }
}

/// What pictures are saved as together.
pub(super) const KINDS: [(ExportKind, Key, Key); 2] = [
    (ExportKind::DataSet, Key::ExportDataSet, Key::ExportDataSetTip),
    (ExportKind::Sheet, Key::ExportSheet, Key::ExportSheetTip),
];

pub(super) fn export(state: &mut State, kind: ExportKind, paths: Vec<PathBuf>) {
    if !paths.is_empty() {
        state.ask(Action::Export(kind, paths));
    }
}

/// Begins or ends the choosing of several; it begins with the one that is shown large.
fn toggle_choosing(state: &mut State) {
    let view = &mut state.paint;
    view.choosing = !view.choosing;
    view.shelf.several.clear();
    if view.choosing {
        view.shelf.several.extend(view.selected);
    }
}

/// Shows everything again.
pub(super) fn show_all(query: &mut Query) {
    *query = Query { sort: query.sort, ..Query::default() };
}
