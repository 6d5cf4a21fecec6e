//! What is around every page: the rail and the header; and what lies over it.

use egui::{
    Align, Align2, Frame, Layout, Margin, Panel, Popup, PopupCloseBehavior, Rect, RectAlign, Sense, Ui, Vec2,
    WidgetInfo, accesskit::Role, pos2, vec2,
};

use super::{
    Command, Icon, Key, models,
    state::{Action, Page, State, TeachAction},
    text, theme, widgets,
};
use crate::{
    engine::{PaintInput, SoundInput},
    formats::audio::ENDINGS,
};

/// The rail at the left: the pages, and the settings at the bottom.
pub fn rail_ui(ui: &mut Ui, state: &mut State) {
    let frame =
        Frame::new().fill(theme::palette(ui).panel).inner_margin(Margin { left: 8, right: 8, top: 12, bottom: 12 });
    Panel::left("rail").exact_size(theme::RAIL_WIDTH).resizable(false).frame(frame).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 4.0;
        page_button(ui, state, Page::Write, Command::GoWrite);
        page_button(ui, state, Page::Paint, Command::GoPaint);
        page_button(ui, state, Page::Sound, Command::GoSound);
        page_button(ui, state, Page::Models, Command::GoModels);
        ui.with_layout(Layout::bottom_up(Align::Min), |ui| {
            page_button(ui, state, Page::Settings, Command::GoSettings);
        });
    });
}

fn page_button(ui: &mut Ui, state: &mut State, page: Page, command: Command) {
    let palette = theme::palette(ui);
    let name = command.label(state.lang);
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(56.0), Sense::click());
    let chosen = state.page == page;
    response.widget_info(|| WidgetInfo::selected(Role::Tab, true, chosen, name));
    if chosen || response.hovered() {
        let fill = if chosen { palette.raised } else { palette.half_raised() };
        ui.painter().rect_filled(rect, theme::CARD_RADIUS, fill);
    }
    let (icon, word) = match (chosen, response.hovered()) {
        (true, _) => (palette.accent, palette.text),
        (_, true) => (palette.text, palette.text),
        _ => (palette.muted, palette.muted),
    };
    let place = Rect::from_center_size(pos2(rect.center().x, rect.top() + 19.0), Vec2::splat(18.0));
    command.icon().paint(ui.painter(), place, 18.0, icon);
    let at = pos2(rect.center().x, rect.top() + 40.0);
    widgets::line(ui.painter(), at, Align2::CENTER_CENTER, name, theme::tiny(), word, rect.width());
    widgets::focus_ring(ui, &response, theme::CARD_RADIUS);
    if response.on_hover_text(command.hint(state.lang, ui.ctx().os())).clicked() {
        state.command(command);
    }
}

/// The header: the page's name, its own controls, the model, the primary action.
pub fn header_ui(ui: &mut Ui, state: &mut State, controls: impl FnOnce(&mut Ui, &mut State)) {
    let frame = Frame::new().fill(theme::palette(ui).background).inner_margin(Margin {
        left: 20,
        right: 16,
        top: 12,
        bottom: 12,
    });
    Panel::top("header").exact_size(theme::HEADER_HEIGHT).resizable(false).frame(frame).show(ui, |ui| {
        ui.set_height(theme::CONTROL_HEIGHT);
        let title = match state.page {
            Page::Write => Key::Write,
            Page::Paint => Key::Paint,
            Page::Sound => Key::Sound,
            Page::Models => Key::Models,
            Page::Settings => Key::Settings,
        };
        ui.horizontal_centered(|ui| {
            let text = egui::RichText::new(state.t(title)).font(theme::title());
            let heading = ui.label(text);
            heading.widget_info(|| WidgetInfo::labeled(Role::Heading, true, state.t(title)));
            ui.add_space(12.0);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                ui.spacing_mut().item_spacing.x = 12.0;
                primary_ui(ui, state);
                model_ui(ui, state);
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    ui.spacing_mut().item_spacing.x = 4.0;
                    controls(ui, state);
                });
            });
        });
    });
}

/// The one filled button: always at the same place.
fn primary_ui(ui: &mut Ui, state: &mut State) {
    let (os, lang) = (ui.ctx().os(), state.lang);
    match state.page {
        Page::Write => {
            let command = if state.is_writing() { Command::Stop } else { Command::Generate };
            let label = match (command, state.preferences.chatting) {
                (Command::Generate, true) => state.t(Key::Send),
                _ => command.label(lang),
            };
            let enabled = command == Command::Stop || state.write.can_generate(state);
            let response = widgets::filled_button(ui, label, &command.keys(os), enabled);
            let response = match state.why_not_generate() {
                Some(why) if command == Command::Generate => response.on_hover_text(state.t(why)),
                _ => response.on_hover_text(command.tooltip(lang)),
            };
            if response.clicked() {
                state.command(command);
            }
        }
        Page::Paint if teaches(state) => teach_button_ui(ui, state),
        Page::Paint => {
            let busy = state.paint.is_busy();
            let command = if busy { Command::Stop } else { Command::Generate };
            let ready = busy || state.paint.model.is_some();
            let response = widgets::filled_button(ui, command.label(lang), &command.keys(os), ready);
            let tip = match (busy, ready) {
                (true, _) => command.tooltip(lang),
                (false, true) => state.t(Key::DrawTip),
                (false, false) => state.t(Key::FirstOpenPaint),
            };
            if response.on_hover_text(tip).clicked() {
                state.command(command);
            }
        }
        Page::Sound => {
            let busy = state.sound.is_busy();
            let command = if busy { Command::Stop } else { Command::Generate };
            let why = super::sound::why_not(state).filter(|_| !busy);
            let response = widgets::filled_button(ui, command.label(lang), &command.keys(os), why.is_none());
            let tip = if busy { command.tooltip(lang) } else { state.t(Key::MakeSoundTip) };
            if response.on_hover_text(why.as_deref().unwrap_or(tip)).clicked() {
                state.command(command);
            }
        }
        Page::Models => {
            let command = Command::OpenModel;
            if widgets::filled_button(ui, command.label(lang), &command.keys(os), true)
                .on_hover_text(command.tooltip(lang))
                .clicked()
            {
                state.command(command);
            }
        }
        Page::Settings => {}
    }
}

/// Whether textures are taught where the person is.
fn teaches(state: &State) -> bool {
    state.page == Page::Paint && state.paint.view == super::paint::View::Teach
}

/// The same where textures are taught.
fn teach_button_ui(ui: &mut Ui, state: &mut State) {
    if state.paint.teach.teaching.is_some() {
        let button = widgets::filled_button(ui, state.t(Key::FinishTeaching), "", true);
        if button.on_hover_text(state.t(Key::FinishTeachingTip)).clicked() {
            state.ask(Action::Teach(TeachAction::Finish));
        }
        return;
    }
    let ready = state.paint.teach.is_ready();
    let keys = Command::Generate.keys(ui.ctx().os());
    let response = widgets::filled_button(ui, state.t(Key::Teach), &keys, ready);
    let tip = if ready { Key::TeachTip } else { Key::TeachEmptyHow };
    if response.on_hover_text(state.t(tip)).clicked() {
        state.command(Command::Generate);
    }
}

/// The model in use, and a menu of the others.
fn model_ui(ui: &mut Ui, state: &mut State) {
    match state.page {
        Page::Write => {}
        Page::Paint => return paint_model_ui(ui, state),
        Page::Sound => return sound_model_ui(ui, state),
        Page::Models | Page::Settings => return,
    }
    let (name, small) = match (&state.model.opening, &state.model.open) {
        (Some(name), _) => (models::short_name(name), state.t(Key::Opening).to_owned()),
        (None, Some(info)) => {
            (models::short_name(&info.name), format!("{} · {}", info.quantisation, text::size(info.size_bytes)))
        }
        (None, None) => (state.t(Key::NoModel).to_owned(), String::new()),
    };
    let narrow = ui.ctx().content_rect().width() < 1060.0;
    let small = if narrow { String::new() } else { small };
    let button = widgets::menu_button(ui, None, state.t(Key::Model), &name, &small);
    let button = button.on_hover_text(state.t(Key::ModelTip));
    Popup::menu(&button).align(RectAlign::BOTTOM_END).gap(6.0).frame(widgets::popup_frame(ui)).width(320.0).show(
        |ui| {
            ui.set_width(320.0);
            ui.spacing_mut().item_spacing.y = 0.0;
            model_menu(ui, state);
        },
    );
}

/// The model that draws.
fn paint_model_ui(ui: &mut Ui, state: &mut State) {
    let open = state.paint.model.clone();
    let (name, small) = match &open {
        Some(info) => {
            let family = info.family.to_uppercase();
            (models::local_title(state, &info.title), format!("{family} · {} px", info.width))
        }
        None => (state.t(Key::NoModel).to_owned(), String::new()),
    };
    let button = widgets::menu_button(ui, None, state.t(Key::Model), &name, &small);
    let button = button.on_hover_text(state.t(Key::PaintModelTip));
    let popup = Popup::menu(&button).align(RectAlign::BOTTOM_END).gap(6.0).frame(widgets::popup_frame(ui));
    popup.width(280.0).show(|ui| {
        ui.set_width(280.0);
        ui.spacing_mut().item_spacing.y = 0.0;
        widgets::menu_head(ui, state.t(Key::Models));
        let listed = state.models.clone().unwrap_or_default();
        for model in listed.iter().filter(|model| model.kind == "image" && model.unusable.is_none()) {
            let in_use = open.as_ref().is_some_and(|open| open.path == model.path);
            let icon = if in_use { Icon::Check } else { Icon::Paint };
            let small = text::size(model.size_bytes);
            if widgets::menu_row(ui, Some(icon), &models::title(model, state.lang), &small, in_use).clicked() && !in_use
            {
                let (name, path) = (model.name.clone(), model.path.clone());
                state.preferences.painting.model = Some(path.clone());
                state.ask(Action::Paint(PaintInput::Open { name, path }));
            }
        }
    });
}

/// The model that plays.
fn sound_model_ui(ui: &mut Ui, state: &mut State) {
    let open = state.sound.model.clone();
    let (name, small) = match &open {
        Some(info) => {
            (models::local_title(state, &info.title), format!("WaveNet · {} kHz", info.sample_rate_hz / 1000))
        }
        None => (state.t(Key::NoModel).to_owned(), String::new()),
    };
    let button = widgets::menu_button(ui, None, state.t(Key::Model), &name, &small);
    let button = button.on_hover_text(state.t(Key::SoundModelTip));
    let popup = Popup::menu(&button).align(RectAlign::BOTTOM_END).gap(6.0).frame(widgets::popup_frame(ui));
    popup.width(280.0).show(|ui| {
        ui.set_width(280.0);
        ui.spacing_mut().item_spacing.y = 0.0;
        widgets::menu_head(ui, state.t(Key::Models));
        let listed = state.models.clone().unwrap_or_default();
        for model in listed.iter().filter(|model| model.kind == "audio" && model.unusable.is_none()) {
            let in_use = open.as_ref().is_some_and(|open| open.path == model.path);
            let icon = if in_use { Icon::Check } else { Icon::Sound };
            let small = text::size(model.size_bytes);
            if widgets::menu_row(ui, Some(icon), &models::title(model, state.lang), &small, in_use).clicked() && !in_use
            {
                let (name, path) = (model.name.clone(), model.path.clone());
                state.ask(Action::Sound(SoundInput::Open { name, path }));
            }
        }
    });
}

fn model_menu(ui: &mut Ui, state: &mut State) {
    widgets::menu_head(ui, state.t(Key::Models));
    let listed = state.models.clone().unwrap_or_default();
    for model in listed.iter().filter(|model| model.kind == "text") {
        let in_use = state.model.open.as_ref().is_some_and(|open| open.path == model.path);
        let small = format!("{} · {}", model.quantisation, text::size(model.size_bytes));
        let icon = if in_use { Icon::Check } else { Icon::Models };
        let row = ui.add_enabled_ui(model.unusable.is_none(), |ui| {
            widgets::menu_row(ui, Some(icon), &models::title(model, state.lang), &small, in_use)
        });
        let row = match &model.unusable {
            Some(why) => row.inner.on_hover_text(why.text(state.lang)),
            None => row.inner,
        };
        if row.clicked() && !in_use {
            state.ask(Action::UseModel(model.path.clone()));
        }
    }
    widgets::menu_line(ui);
    let command = Command::OpenModel;
    let keys = command.keys(ui.ctx().os());
    if widgets::menu_row(ui, Some(command.icon()), command.label(state.lang), &keys, false).clicked() {
        state.command(command);
    }
}

/// While a file hovers over the window: what dropping it does.
pub fn drop_ui(ui: &mut Ui, state: &State) {
    let hovered = ui.input(|input| input.raw.hovered_files.clone());
    let Some(file) = hovered.first() else { return };
    let ending =
        |path: &std::path::PathBuf| path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    let (icon, key) = match file.path.as_ref().and_then(ending).as_deref() {
        Some("gguf" | "safetensors" | "pth" | "pt" | "bin" | "tar" | "ckpt") => (Icon::Models, Key::DropModel),
        Some("png" | "jpg" | "jpeg" | "webp") if teaches(state) => (Icon::Paint, Key::DropPhotograph),
        Some("png" | "jpg" | "jpeg" | "webp") => (Icon::Paint, Key::DropPicture),
        Some("md" | "markdown" | "txt" | "text") => (Icon::Document, Key::DropText),
        Some(ending) if ENDINGS.contains(&ending) => (Icon::Sound, Key::DropSound),
        Some("nam") => (Icon::Sound, Key::DropCapture),
        _ => (Icon::Info, Key::DropOther),
    };
    let palette = theme::palette(ui);
    let layer = egui::LayerId::new(egui::Order::Tooltip, egui::Id::unique("drop"));
    let painter = ui.ctx().layer_painter(layer);
    let all = ui.ctx().content_rect();
    painter.rect_filled(all, 0, palette.scrim);
    let card = Rect::from_center_size(all.center(), vec2(380.0, 120.0));
    painter.rect(card, 14, palette.raised, egui::Stroke::new(2.0, palette.accent), egui::StrokeKind::Inside);
    icon.paint(
        &painter,
        Rect::from_center_size(card.center() - vec2(0.0, 18.0), Vec2::splat(28.0)),
        28.0,
        palette.accent,
    );
    let at = card.center() + vec2(0.0, 24.0);
    widgets::line(&painter, at, Align2::CENTER_CENTER, state.t(key), theme::body(), palette.text, 360.0);
}

/// How pop-ups with fields close.
pub const CLOSE_OUTSIDE: PopupCloseBehavior = PopupCloseBehavior::CloseOnClickOutside;

/// How wide the sheet of shortcuts is when it has three columns.
const WIDE_SHEET: f32 = 1_000.0;

/// The sheet of shortcuts.
pub fn sheet_ui(ui: &mut Ui, state: &mut State) {
    if !state.sheet_open {
        return;
    }
    let palette = theme::palette(ui);
    let frame = widgets::popup_frame(ui).inner_margin(Margin::same(24));
    let modal = egui::Modal::new(egui::Id::unique("shortcuts")).frame(frame).backdrop_color(palette.scrim);
    let shown = modal.show(ui.ctx(), |ui| {
        let wide = ui.ctx().content_rect().width() - 120.0;
        let (width, count) = if wide >= WIDE_SHEET { (WIDE_SHEET, 3) } else { (640.0, 2) };
        ui.set_width(width);
        ui.horizontal(|ui| {
            ui.label(egui::RichText::new(state.t(Key::Shortcuts)).font(theme::title()));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let close = widgets::icon_button(ui, Icon::Close, state.t(Key::Close));
                if close.on_hover_text(state.t(Key::Close)).clicked() {
                    state.sheet_open = false;
                }
            });
        });
        ui.add_space(8.0);
        let os = ui.ctx().os();
        let commands = Command::ALL
            .iter()
            .map(|command| (command.label(state.lang), command.keys(os), Some(command.tooltip(state.lang))));
        let rows: Vec<_> = commands.chain(other_keys(state).map(|(name, keys)| (name, keys, None))).collect();
        let each = rows.len().div_ceil(count);
        let room = ui.ctx().content_rect().height() - 150.0;
        let all = each as f32 * theme::ROW_HEIGHT;
        egui::ScrollArea::vertical().max_height(room).min_scrolled_height(room.min(all)).show(ui, |ui| {
            if all > room {
                // The bar stands beside them.
                ui.set_width(ui.available_width() - 14.0);
            }
            ui.spacing_mut().item_spacing.x = 40.0;
            ui.columns(count, |columns| {
                for (column, rows) in columns.iter_mut().zip(rows.chunks(each)) {
                    column.spacing_mut().item_spacing.y = 0.0;
                    for (name, keys, tip) in rows {
                        shortcut_row(column, name, keys, *tip);
                    }
                }
            });
        });
    });
    if shown.should_close() {
        state.sheet_open = false;
    }
}

/// Keys that belong to what has the keyboard rather than to a command.
fn other_keys(state: &State) -> impl Iterator<Item = (&'static str, String)> {
    let keys = [
        (Key::KeyBranch, "Alt ↓".to_owned()),
        (Key::KeyBranchClick, format!("Ctrl {}", state.t(Key::Click))),
        (Key::KeyFindNext, "F3".to_owned()),
        (Key::KeyFindPrevious, "Shift F3".to_owned()),
        (Key::KeyPiano, "A … K".to_owned()),
        (Key::KeyOctave, "Z X".to_owned()),
        (Key::KeyPlayTake, "Space".to_owned()),
        (Key::KeyLarge, "Enter".to_owned()),
        (Key::KeyStepPictures, "← →".to_owned()),
        (Key::KeyCloser, "+ −".to_owned()),
        (Key::KeyRate, "0 … 5".to_owned()),
        (Key::KeyStar, "S".to_owned()),
        (Key::KeyVary, "N F".to_owned()),
        (Key::KeyKeep, "K".to_owned()),
        (Key::KeyUnbin, "U".to_owned()),
        (Key::KeyCopy, "Ctrl C".to_owned()),
        (Key::KeySearchPictures, "Ctrl F".to_owned()),
        (Key::KeyChooseRange, format!("Shift {}", state.t(Key::Click))),
        (Key::KeyMix, format!("Ctrl {}", state.t(Key::Click))),
        (Key::KeyLoop, "L".to_owned()),
        (Key::KeyRecord, "R".to_owned()),
        (Key::KeySwitchTakes, "B".to_owned()),
        (Key::KeySpectrum, "P".to_owned()),
        (Key::KeyContinueTake, "C".to_owned()),
        (Key::KeyZoomTake, "↑ ↓ 0 9".to_owned()),
        (Key::KeyMoveTake, "← →".to_owned()),
        (Key::KeySend, "Enter".to_owned()),
        (Key::KeyNewLine, "Shift Enter".to_owned()),
    ];
    let lang = state.lang;
    keys.into_iter().map(move |(name, keys)| (text::t(lang, name), keys))
}

fn shortcut_row(ui: &mut Ui, name: &str, keys: &str, tip: Option<&str>) {
    let palette = theme::palette(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), theme::ROW_HEIGHT), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{name}: {keys}")));
    let middle = rect.center().y;
    widgets::line(
        ui.painter(),
        pos2(rect.left(), middle),
        Align2::LEFT_CENTER,
        name,
        theme::row(),
        palette.text,
        180.0,
    );
    let mut right = rect.right();
    for key in keys.split(' ').rev() {
        let galley = ui.painter().layout_no_wrap(key.to_owned(), theme::key(), palette.muted);
        let size = vec2((galley.size().x + 12.0).max(22.0), 20.0);
        let cap = Rect::from_min_size(pos2(right - size.x, middle - size.y / 2.0), size);
        ui.painter().rect(cap, 4, palette.panel, theme::hairline(ui), egui::StrokeKind::Inside);
        ui.painter().galley(cap.center() - galley.size() / 2.0, galley, palette.muted);
        right -= size.x + 4.0;
    }
    if let Some(tip) = tip {
        response.on_hover_text(tip);
    }
}
