//! The Settings page.

use egui::{Align, Frame, Layout, Margin, Popup, RectAlign, ScrollArea, Ui, vec2};

use super::{
    Key, fonts, icons,
    preferences::{LanguageChoice, MOST_THREADS, Preferences},
    state::State,
    text::{self, fill},
    theme::{self, ThemeChoice},
    widgets,
};
use crate::Lang;

const COLUMN: f32 = 640.0;
const CONTROL: f32 = 300.0;
/// The sizes of context that the menu offers; 0 leaves it to the model.
const CONTEXTS: [usize; 6] = [0, 2048, 4096, 8192, 16_384, 32_768];

/// The numbers of threads that the menu offers; 0 takes as many as there are processors.
const THREADS: [usize; 8] = [0, 1, 2, 4, 6, 8, 12, MOST_THREADS];

/// The page.
pub fn settings_ui(ui: &mut Ui, state: &mut State) {
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        let width = ui.available_width().min(COLUMN + 40.0);
        Frame::new().inner_margin(Margin::symmetric(20, 20)).show(ui, |ui| {
            ui.set_width(width - 40.0);
            ui.spacing_mut().item_spacing.y = 4.0;
            look_ui(ui, state);
            gap(ui);
            models_ui(ui, state);
            gap(ui);
            documents_ui(ui, state);
            gap(ui);
            about_ui(ui, state);
        });
    });
}

fn gap(ui: &mut Ui) {
    ui.add_space(16.0);
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 1.0), egui::Sense::empty());
    ui.painter().hline(rect.x_range(), rect.center().y, theme::hairline(ui));
    ui.add_space(16.0);
}

/// A row: its name and a note at the left, its control at the right.
fn row_ui<R>(ui: &mut Ui, name: &str, note: &str, control: impl FnOnce(&mut Ui) -> R) -> R {
    ui.horizontal(|ui| {
        let width = ui.available_width();
        let text_width = width - CONTROL - 20.0;
        ui.vertical(|ui| {
            ui.set_width(text_width);
            ui.spacing_mut().item_spacing.y = 2.0;
            ui.add_space(6.0);
            ui.label(egui::RichText::new(name).font(theme::body()));
            if !note.is_empty() {
                widgets::note(ui, note);
            }
            ui.add_space(6.0);
        });
        ui.with_layout(Layout::right_to_left(Align::Center), control).inner
    })
    .inner
}

fn look_ui(ui: &mut Ui, state: &mut State) {
    let lang = state.lang;
    widgets::section(ui, text::t(lang, Key::LookAndLanguage));
    ui.add_space(4.0);
    let preferences = &mut state.preferences;
    row_ui(ui, text::t(lang, Key::Language), "", |ui| {
        let choices = [
            (LanguageChoice::Auto, text::t(lang, Key::Automatic)),
            (LanguageChoice::English, text::own_name(Lang::En)),
            (LanguageChoice::Chinese, text::own_name(Lang::Zh)),
        ];
        widgets::segmented(ui, vec2(CONTROL, theme::CONTROL_HEIGHT), &mut preferences.language, &choices)
    });
    row_ui(ui, text::t(lang, Key::Theme), "", |ui| {
        let choices = [
            (ThemeChoice::System, text::t(lang, Key::AsSystem)),
            (ThemeChoice::Light, text::t(lang, Key::Light)),
            (ThemeChoice::Dark, text::t(lang, Key::Dark)),
        ];
        widgets::segmented(ui, vec2(CONTROL, theme::CONTROL_HEIGHT), &mut preferences.theme, &choices)
    });
    row_ui(ui, text::t(lang, Key::InterfaceSize), "", |ui| {
        let names = Preferences::SCALES.map(|scale| format!("{:.0}%", scale * 100.0));
        let choices: Vec<(u32, &str)> =
            Preferences::SCALES.iter().zip(&names).map(|(scale, name)| (scale.to_bits(), name.as_str())).collect();
        let mut bits = preferences.scale.to_bits();
        if widgets::segmented(ui, vec2(CONTROL + 60.0, theme::CONTROL_HEIGHT), &mut bits, &choices) {
            preferences.scale = f32::from_bits(bits);
        }
    });
}

fn models_ui(ui: &mut Ui, state: &mut State) {
    let lang = state.lang;
    let t = |key| text::t(lang, key);
    widgets::section(ui, t(Key::Models));
    ui.add_space(4.0);
    let context = |tokens: usize| match tokens {
        0 => t(Key::Automatic).to_owned(),
        tokens => fill(lang, Key::Tokens, &[&text::count(tokens)]),
    };
    let preferences = &mut state.preferences;
    row_ui(ui, t(Key::ContextSize), t(Key::ContextSizeTip), |ui| {
        menu_of(ui, t(Key::ContextSize), &mut preferences.context_tokens, &CONTEXTS, context);
    });
    let threads = |count: usize| match count {
        0 => t(Key::Automatic).to_owned(),
        count => count.to_string(),
    };
    row_ui(ui, t(Key::Threads), t(Key::ThreadsTip), |ui| {
        menu_of(ui, t(Key::Threads), &mut preferences.threads, &THREADS, threads);
    });
}

/// A menu of numbers.
fn menu_of(ui: &mut Ui, name: &str, value: &mut usize, choices: &[usize], say: impl Fn(usize) -> String) {
    let chosen = *value;
    let button = widgets::menu_button(ui, Some(180.0), name, &say(chosen), "");
    Popup::menu(&button).align(RectAlign::BOTTOM_END).gap(6.0).frame(widgets::popup_frame(ui)).width(180.0).show(
        |ui| {
            ui.set_width(180.0);
            ui.spacing_mut().item_spacing.y = 0.0;
            for choice in choices {
                if widgets::menu_row(ui, None, &say(*choice), "", *choice == chosen).clicked() {
                    *value = *choice;
                }
            }
        },
    );
}

fn documents_ui(ui: &mut Ui, state: &mut State) {
    widgets::section(ui, state.t(Key::ToggleDocuments));
    ui.add_space(4.0);
    ui.label(egui::RichText::new(state.t(Key::AutosaveFacts)).font(theme::body()));
    ui.add_space(2.0);
    ui.horizontal(|ui| {
        let folder = state.library_folder.display().to_string();
        if widgets::icon_button(ui, super::Icon::Copy, state.t(Key::CopyFolder))
            .on_hover_text(state.t(Key::CopyFolder))
            .clicked()
        {
            ui.ctx().copy_text(folder.clone());
        }
        let text = egui::RichText::new(folder).font(theme::number()).color(theme::palette(ui).muted);
        ui.add(egui::Label::new(text).truncate().selectable(true));
    });
    folder_ui(ui, state);
}

/// Another folder for the library, typed; it holds from the next start on.
fn folder_ui(ui: &mut Ui, state: &mut State) {
    let lang = state.lang;
    let id = egui::Id::unique("library folder");
    let shown = state.preferences.library.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    let mut typed = ui.data(|data| data.get_temp::<String>(id)).unwrap_or_else(|| shown.clone());
    row_ui(ui, text::t(lang, Key::LibraryFolder), text::t(lang, Key::LibraryFolderTip), |ui| {
        let hint = text::t(lang, Key::Automatic);
        let field = ui.scope(|ui| {
            ui.set_width(CONTROL);
            widgets::field(ui, id, &mut typed, text::t(lang, Key::LibraryFolder), hint)
        });
        if field.inner.changed() {
            ui.data_mut(|data| data.insert_temp(id, typed.clone()));
        }
        if field.inner.lost_focus() {
            let path = std::path::PathBuf::from(typed.trim());
            if path.as_os_str().is_empty() {
                state.preferences.library = None;
            } else if path.is_absolute() {
                state.preferences.library = Some(path);
            }
            // What is no whole path is not kept.
            ui.data_mut(|data| data.remove_temp::<String>(id));
        }
    });
}

fn about_ui(ui: &mut Ui, state: &State) {
    widgets::section(ui, state.t(Key::About));
    ui.add_space(4.0);
    let version = fill(state.lang, Key::Version, &[env!("CARGO_PKG_VERSION")]);
    ui.label(egui::RichText::new(version).font(theme::body()));
    ui.add_space(2.0);
    widgets::note(ui, state.t(Key::AboutText));
    ui.add_space(8.0);
    for (name, licence) in fonts::LICENCES.iter().chain([&icons::LICENCE]) {
        let id = ui.make_persistent_id(("licence", *name));
        let mut open = ui.data(|data| data.get_temp(id)).unwrap_or(false);
        let title = fill(state.lang, Key::LicenceOf, &[name]);
        if widgets::fold(ui, &mut open, &title).clicked() {
            ui.data_mut(|data| data.insert_temp(id, open));
        }
        if open {
            let color = theme::palette(ui).muted;
            ui.add(
                egui::Label::new(egui::RichText::new(*licence).font(theme::key()).color(color)).wrap().selectable(true),
            );
        }
    }
}
