//! The chosen picture, large, with what can be done with it; and what shapes the next ones.

use egui::{
    Align2, CornerRadius, Id, Popup, Rect, RectAlign, Response, ScrollArea, Sense, TextureId, Ui, UiBuilder, Vec2,
    WidgetInfo,
};
use egui::{accesskit::Role, pos2, vec2};

use super::{
    DIRECTIONS, PaintView, PictureId, View, large, map, marks, mix::varied, path, several, teach,
    words::direction_names,
};
use crate::{
    engine::{Entry, MarkChange},
    generate::image::ImageRequest,
    ui::{
        Icon, Key,
        preferences::{self, direction_name},
        state::{Action, State},
        text::fill,
        theme,
        widgets::{self, SliderRow},
    },
};

/// How far a variation goes from its picture: the share of the latent that is new.
pub(super) const NEAR: f32 = 0.35;
pub(super) const FAR: f32 = 0.75;
/// Variations made at a time.
const VARIATIONS: usize = 12;
/// Slots of textures of whole pictures: the chosen one, and what it was enlarged from.
const CHOSEN: usize = 0;
const BEFORE: usize = 1;

pub(super) fn panel_ui(ui: &mut Ui, state: &mut State) {
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        // The scroll bar stands in the margin.
        ui.set_width(ui.available_width() - theme::PANEL_MARGIN);
        ui.spacing_mut().item_spacing.y = 0.0;
        match state.paint.view {
            View::Map => map::panel_ui(ui, state),
            View::Path => path::panel_ui(ui, state),
            View::Teach => teach::panel_ui(ui, state),
            View::Gallery if state.paint.in_bin => binned_ui(ui, state),
            View::Gallery => {
                if marks::is_several(&state.paint) {
                    several::several_ui(ui, state);
                    ui.add_space(20.0);
                } else if state.paint.chosen().is_some() {
                    large_ui(ui, state);
                    ui.add_space(20.0);
                }
                next_ui(ui, state);
            }
        }
        ui.add_space(16.0);
    });
}

/// What is chosen in the bin, and the two ways out of it.
fn binned_ui(ui: &mut Ui, state: &mut State) {
    if marks::is_several(&state.paint) {
        let count = crate::ui::text::count(state.paint.shelf.several.len());
        let told = fill(state.lang, Key::PicturesChosen, &[&count]);
        ui.label(egui::RichText::new(told).font(theme::body_medium()));
        ui.add_space(12.0);
    } else {
        let chosen = state.paint.selected.and_then(|id| Some((id, state.paint.shelf.get(id)?.clone())));
        let Some((id, entry)) = chosen else { return };
        let texture = texture(ui, state, id).map(|texture| (texture, entry.size.map(|side| side as f32)));
        let what = what_of(state, &entry);
        picture_ui(ui, texture, &what, Sense::hover());
    }
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(8.0, 8.0);
        let back = widgets::button(ui, widgets::Look::Hairline, Some(Icon::Undo), state.t(Key::BackFromBin));
        if back.on_hover_text(state.t(Key::BackFromBinTip)).clicked() {
            let paths = marks::paths(state);
            state.ask(Action::Unbin(paths));
        }
        let gone = widgets::button(ui, widgets::Look::Hairline, Some(Icon::Delete), state.t(Key::Destroy));
        if gone.on_hover_text(state.t(Key::DestroyTip)).clicked() {
            let paths = marks::paths(state);
            state.ask(Action::Destroy(paths));
        }
    });
}

/// A picture as large as the panel is wide, what it is below, and where it stands.
pub(super) fn picture_ui(
    ui: &mut Ui,
    texture: Option<(TextureId, [f32; 2])>,
    what: &str,
    sense: Sense,
) -> (Response, Rect) {
    let side = ui.available_width();
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(side), sense);
    let [wide, high] = texture.map_or([1.0, 1.0], |(_, size)| size);
    let place = Rect::from_center_size(rect.center(), vec2(wide, high) * (side / wide.max(high)));
    let radius = CornerRadius::same(theme::CARD_RADIUS);
    match texture {
        Some((texture, _)) => {
            egui::Image::from_texture((texture, place.size())).corner_radius(radius).paint_at(ui, place);
        }
        None => {
            ui.painter().rect_filled(place, radius, theme::palette(ui).panel);
        }
    }
    ui.painter().rect_stroke(place, radius, theme::hairline(ui), egui::StrokeKind::Inside);
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, what));
    ui.add_space(10.0);
    widgets::note(ui, what);
    ui.add_space(8.0);
    (response, place)
}

/// The texture that shows the chosen picture, as the sliders have it; `None` until there is one.
pub(super) fn texture(ui: &Ui, state: &mut State, id: PictureId) -> Option<TextureId> {
    let view = &mut state.paint;
    let whole = view.shelf.whole(id).cloned();
    match (&view.preview, &whole) {
        (Some((number, picture)), _) if view.previewed.is_some() => {
            Some(view.textures.preview(ui.ctx(), *number, picture))
        }
        (_, Some(whole)) => Some(view.textures.large(ui.ctx(), CHOSEN, id, &whole.picture)),
        // Until it comes.
        _ => view.textures.of(ui.ctx(), id, theme::palette(ui).panel),
    }
}

/// The texture that goes on where it ends, if the chosen picture is to be shown beside itself.
pub(super) fn tiled_texture(ui: &Ui, state: &mut State, id: PictureId) -> Option<TextureId> {
    if !state.paint.tiled || !is_texture(state) {
        return None;
    }
    let whole = state.paint.shelf.whole(id).cloned()?;
    Some(state.paint.textures.tiled(ui.ctx(), id, &whole.picture))
}

fn large_ui(ui: &mut Ui, state: &mut State) {
    let Some(id) = state.paint.selected else { return };
    let Some(entry) = state.paint.shelf.get(id).cloned() else { return };
    let what = what_of(state, &entry);
    if state.paint.large.is_some() {
        // It fills the page.
        widgets::note(ui, &what);
        ui.add_space(8.0);
    } else {
        let texture = texture(ui, state, id).map(|texture| (texture, entry.size.map(|side| side as f32)));
        let (response, place) = picture_ui(ui, texture, &what, Sense::click_and_drag());
        let radius = CornerRadius::same(theme::CARD_RADIUS);
        let tiled = tiled_texture(ui, state, id);
        let divides = tiled.is_none() && state.paint.previewed.is_none() && state.paint.before().is_some();
        if let Some(texture) = tiled {
            let twice = Rect::from_min_size(egui::Pos2::ZERO, Vec2::splat(2.0));
            egui::Image::from_texture((texture, place.size())).uv(twice).corner_radius(radius).paint_at(ui, place);
        }
        if divides {
            if response.hovered() {
                ui.ctx().set_cursor_icon(egui::CursorIcon::ResizeHorizontal);
            }
            before_ui(ui, &mut state.paint, (place, place), radius, response.interact_pointer_pos());
            response.on_hover_text(state.t(Key::BeforeAfterTip));
        } else {
            let corner = Rect::from_min_size(pos2(place.right() - 32.0, place.top() + 8.0), Vec2::splat(24.0));
            let palette = theme::palette(ui);
            let color = if response.hovered() { palette.text } else { palette.muted };
            ui.painter().rect_filled(corner, theme::RADIUS, palette.background.gamma_multiply(0.8));
            Icon::Expand.paint(ui.painter(), corner, 14.0, color);
            let opens = response.clicked();
            response.on_hover_cursor(egui::CursorIcon::ZoomIn).on_hover_text(state.t(Key::LargeTip));
            if opens {
                large::open(&mut state.paint);
            }
        }
    }
    buttons_ui(ui, state);
    if entry.path.is_some() {
        ui.add_space(10.0);
        marks::marks_ui(ui, state);
    }
    let Some(by_open) = state.paint.chosen().map(|chosen| state.paint.is_by_open_model(chosen)) else { return };
    if !by_open {
        ui.add_space(10.0);
        widgets::note(ui, state.t(Key::OtherModelPainted));
        return;
    }
    ui.add_space(16.0);
    directions_ui(ui, state);
}

/// Whether the chosen picture joins itself at the edges.
fn is_texture(state: &State) -> bool {
    let by_open =
        state.paint.chosen().is_some_and(|chosen| state.paint.is_by_open_model(chosen) && !chosen.is_enlarged);
    by_open && state.paint.previewed.is_none() && state.paint.model.as_ref().is_some_and(|model| model.any_size)
}

/// Over an enlarged picture: what it was enlarged from, left of a line that the pointer drags, over the part of it that is
/// in sight.
pub(super) fn before_ui(
    ui: &Ui,
    view: &mut PaintView,
    (place, visible): (Rect, Rect),
    radius: CornerRadius,
    pointer: Option<egui::Pos2>,
) {
    let Some((id, before)) = view.before().and_then(|id| Some((id, view.shelf.whole(id)?.clone()))) else { return };
    if let Some(pointer) = pointer {
        view.divide = ((pointer.x - place.left()) / place.width()).clamp(0.0, 1.0);
    }
    let texture = view.textures.large(ui.ctx(), BEFORE, id, &before.picture);
    let line = place.left() + view.divide * place.width();
    if view.divide > 0.0 {
        let radius = CornerRadius { ne: 0, se: 0, ..radius };
        let left = Rect::from_min_max(place.min, pos2(line, place.bottom()));
        let uv = Rect::from_min_max(pos2(0.0, 0.0), pos2(view.divide, 1.0));
        egui::Image::from_texture((texture, left.size())).corner_radius(radius).uv(uv).paint_at(ui, left);
    }
    let palette = theme::palette(ui);
    if view.divide > 0.0 && view.divide < 1.0 {
        ui.painter().vline(line, place.y_range(), egui::Stroke::new(2.0, palette.accent));
    }
    let knob = line.clamp(visible.left() + 9.0, (visible.right() - 9.0).max(visible.left() + 9.0));
    let knob = pos2(knob, visible.center().y);
    ui.painter().circle(knob, 8.0, palette.background, egui::Stroke::new(2.0, palette.accent));
}

/// The seed, the class, the size of a picture of the gallery.
pub(super) fn what_of(state: &State, entry: &Entry) -> String {
    let class = entry.kind.class_name.as_ref().map(|(en, zh)| state.lang.pick(en, zh).to_owned());
    told(state, (entry.seed, entry.seeds as usize), class, Some(entry.size))
}

/// The same of what the open model draws.
pub(super) fn what(state: &State, request: &ImageRequest, size: Option<[u32; 2]>) -> String {
    let classes = state.paint.model.as_ref().map(|model| model.classes.as_slice()).unwrap_or_default();
    let class = request.class.and_then(|class| classes.get(class as usize));
    let class = class.map(|(en, zh)| state.lang.pick(en, zh).to_owned());
    let seed = request.seeds.first().map_or(0, |part| part.seed);
    told(state, (seed, request.seeds.len()), class, size)
}

fn told(state: &State, (seed, seeds): (u64, usize), class: Option<String>, size: Option<[u32; 2]>) -> String {
    let mut parts = vec![match seeds {
        0 | 1 => fill(state.lang, Key::SeedIs, &[&seed.to_string()]),
        seeds => fill(state.lang, Key::SeedsAre, &[&seeds.to_string()]),
    }];
    parts.extend(class);
    parts.extend(size.map(|[width, height]| format!("{width} × {height}")));
    parts.join(" · ")
}

/// What the chosen picture is gone on from: what the sliders make of it, or itself. Until it has come, nothing can be made
/// of it.
fn base(state: &State) -> Option<ImageRequest> {
    state.paint.edited().or_else(|| state.paint.usable(state.paint.selected))
}

/// Draws pictures that differ from the chosen one so much.
pub(super) fn vary(state: &mut State, distance: f32) {
    let Some(base) = base(state) else { return };
    let seed = state.preferences.painting.seed;
    let requests = (0..VARIATIONS as u64).map(|i| varied(&base, distance, seed.wrapping_add(i)));
    let requests: Vec<ImageRequest> = requests.collect();
    state.preferences.painting.seed = seed.wrapping_add(VARIATIONS as u64) % preferences::MOST_SEED;
    // Where they come can be seen.
    state.paint.large = None;
    state.ask(Action::Draw(requests));
}

/// Keeps what the sliders make as a picture of its own.
pub(super) fn keep_edited(state: &mut State) {
    if let Some(request) = state.paint.edited() {
        state.ask(Action::Draw(vec![request]));
    }
}

/// Copies the chosen picture to the clipboard.
pub(super) fn copy(ui: &Ui, state: &State) {
    if let Some(chosen) = state.paint.chosen_whole() {
        let picture = &chosen.picture;
        let size = [picture.width as usize, picture.height as usize];
        ui.ctx().copy_image(egui::ColorImage::from_rgb(size, &picture.rgb));
    }
}

fn buttons_ui(ui: &mut Ui, state: &mut State) {
    let Some(chosen) = state.paint.chosen() else { return };
    let (path, starred) = (chosen.path.clone(), chosen.mark.starred);
    let edited = state.paint.edited();
    let base = base(state);
    let by_open = base.is_some();
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        ui.add_enabled_ui(by_open, |ui| {
            for (key, tip, distance) in [(Key::Near, Key::NearTip, NEAR), (Key::Far, Key::FarTip, FAR)] {
                let button = widgets::button(ui, widgets::Look::Hairline, None, state.t(key));
                if button.on_hover_text(state.t(tip)).clicked() {
                    vary(state, distance);
                }
            }
        });
        let here = state.paint.chosen_whole().is_some();
        let button =
            ui.add_enabled_ui(here, |ui| widgets::icon_button(ui, Icon::Sliders, state.t(Key::UseSettings))).inner;
        if button.on_hover_text(state.t(Key::UseSettingsTip)).clicked() {
            state.ask(Action::UseSettings);
        }
        if is_texture(state) {
            let on = state.paint.tiled;
            let toggle = widgets::icon_toggle(ui, Icon::Tiles, state.t(Key::Tiled), on);
            if toggle.on_hover_text(state.t(Key::TiledTip)).clicked() {
                state.paint.tiled = !on;
            }
        }
        if edited.is_some() {
            let button = widgets::button(ui, widgets::Look::Hairline, None, state.t(Key::KeepPicture));
            if button.on_hover_text(state.t(Key::KeepPictureTip)).clicked() {
                keep_edited(state);
            }
        }
    });
    ui.add_space(6.0);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        enlarge_ui(ui, state, edited);
        if let Some(request) = base {
            let button = widgets::icon_button(ui, Icon::Plus, state.t(Key::AddToPath));
            if button.on_hover_text(state.t(Key::AddToPathTip)).clicked() {
                path::add(state, request);
            }
        }
        if let Some(path) = path {
            let key = if starred { Key::Unstar } else { Key::Star };
            let button = widgets::icon_toggle(ui, Icon::Star, state.t(key), starred).on_hover_text(state.t(key));
            if button.clicked() {
                marks::change(state, vec![path.clone()], MarkChange::Star(!starred));
            }
            let button = widgets::icon_button(ui, Icon::Save, state.t(Key::SavePicture));
            if button.on_hover_text(state.t(Key::SavePictureTip)).clicked() {
                state.command(crate::ui::Command::SaveFile);
            }
            let button = widgets::icon_button(ui, Icon::Copy, state.t(Key::CopyPicture));
            if button.on_hover_text(state.t(Key::CopyPictureTip)).clicked() {
                copy(ui, state);
            }
            let button = widgets::icon_button(ui, Icon::Delete, state.t(Key::BinPicture));
            if button.on_hover_text(state.t(Key::BinPictureTip)).clicked() {
                state.ask(Action::Bin(vec![path]));
            }
        }
    });
}

/// A menu of what enlarges the picture, as the sliders have it.
fn enlarge_ui(ui: &mut Ui, state: &mut State, edited: Option<ImageRequest>) {
    let Some(chosen) = state.paint.chosen() else { return };
    let models = state.models.iter().flatten().filter(|model| model.kind == "upscale" && model.unusable.is_none());
    let models: Vec<_> = models.cloned().collect();
    let is_here = state.paint.chosen_whole().is_some();
    let may = is_here && !chosen.is_enlarged && state.paint.enlarging.is_none() && !models.is_empty();
    let button = ui.add_enabled_ui(may, |ui| widgets::button(ui, widgets::Look::Hairline, None, state.t(Key::Enlarge)));
    let tip = if chosen.is_enlarged { Key::EnlargedAlready } else { Key::EnlargeTip };
    let button = button.inner.on_hover_text(state.t(tip)).on_disabled_hover_text(state.t(tip));
    let popup = Popup::menu(&button).align(RectAlign::BOTTOM_START).gap(6.0).frame(widgets::popup_frame(ui));
    let mut wanted = None;
    popup.id(Id::unique("enlarge")).width(260.0).show(|ui| {
        ui.set_width(260.0);
        ui.spacing_mut().item_spacing.y = 0.0;
        for model in models {
            let small = crate::ui::text::size(model.size_bytes);
            if widgets::menu_row(ui, None, &crate::ui::models::title(&model, state.lang), &small, false).clicked() {
                wanted = Some((model.name, model.path));
            }
        }
    });
    if let Some(upscaler) = wanted {
        state.ask(Action::Enlarge(upscaler, edited));
    }
}

fn directions_ui(ui: &mut Ui, state: &mut State) {
    let lang = state.lang;
    let count = state.paint.model.as_ref().map_or(0, |model| model.directions.min(DIRECTIONS));
    if state.paint.partner.is_some() {
        widgets::section(ui, state.t(Key::Mix));
        ui.add_space(8.0);
        let (name, hint) = (state.t(Key::Mix), state.t(Key::MixTip));
        let row = SliderRow { name, hint, range: 0.0..=1.0, step: 0.01, decimals: 2, bend: 1.0, default: 0.5 };
        let mut mix = f64::from(state.paint.mix);
        if widgets::slider_row(ui, &row, &mut mix) {
            state.paint.mix = mix as f32;
        }
        layers_ui(ui, state);
        ui.add_space(16.0);
    }
    if count == 0 {
        return;
    }
    widgets::section(ui, state.t(Key::Directions));
    ui.add_space(8.0);
    for index in 0..count {
        let own = direction_names(state).get(index).filter(|name| !name.is_empty()).cloned();
        let name = own.unwrap_or_else(|| fill(lang, Key::DirectionNumber, &[&(index + 1).to_string()]));
        let hint = state.t(Key::DirectionTip);
        let row = SliderRow { name: &name, hint, range: -8.0..=8.0, step: 0.1, decimals: 1, bend: 1.0, default: 0.0 };
        let mut step = f64::from(state.paint.steps[index]);
        let top_left = ui.cursor().min;
        let room = widgets::slider_name(top_left, ui.available_width());
        // Two directions may have one name.
        ui.push_id(("direction", index), |ui| {
            if widgets::slider_row(ui, &row, &mut step) {
                state.paint.steps[index] = step as f32;
            }
            name_ui(ui, state, index, room);
        });
    }
}

/// The layers that the second picture is mixed in at.
fn layers_ui(ui: &mut Ui, state: &mut State) {
    let lang = state.lang;
    let layers = state.paint.model.as_ref().map(|model| model.layers.clone()).unwrap_or_default();
    if layers.len() < 2 {
        return;
    }
    let (row, hover) = ui.allocate_exact_size(vec2(ui.available_width(), theme::ROW_HEIGHT), Sense::hover());
    let name = widgets::slider_name(row.min, row.width());
    let at = pos2(row.left(), row.center().y);
    let color = theme::palette(ui).muted;
    widgets::line(ui.painter(), at, Align2::LEFT_CENTER, state.t(Key::MixLayers), theme::row(), color, name.width());
    hover.on_hover_text(state.t(Key::MixLayersTip));
    let cells = Rect::from_min_max(pos2(name.right() + 8.0, row.top() + 2.0), pos2(row.right(), row.bottom() - 2.0));
    let names: Vec<String> = layers.iter().map(u32::to_string).collect();
    ui.scope_builder(UiBuilder::new().max_rect(cells), |ui| {
        let called = |name: &str| fill(lang, Key::MixLayer, &[name]);
        widgets::any_of(ui, cells.size(), &mut state.paint.layers_off, &names, called);
    });
}

/// The name of a direction, over its row: a click turns it into a field.
fn name_ui(ui: &mut Ui, state: &mut State, index: usize, room: Rect) {
    let label = fill(state.lang, Key::DirectionName, &[&(index + 1).to_string()]);
    let id = ui.scope_id().with("name");
    if let Some((of, name)) = state.paint.naming.as_mut().filter(|(of, _)| *of == index) {
        ui.painter().rect_filled(room, 4, theme::palette(ui).background);
        let field = egui::TextEdit::singleline(name).id(id.with("field")).font(theme::row()).margin(vec2(4.0, 2.0));
        let field = ui.put(room, field.desired_width(room.width()));
        ui.ctx().accesskit_node_builder(field.id, |node| node.set_label(label));
        if field.lost_focus() {
            let (of, name) = (*of, direction_name(name));
            let given_up = ui.input(|input| input.key_pressed(egui::Key::Escape));
            state.paint.naming = None;
            if !given_up {
                rename(state, of, name);
            }
        }
        return;
    }
    let response = ui.interact(room, id, Sense::click()).on_hover_cursor(egui::CursorIcon::Text);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &label));
    if response.on_hover_text(state.t(Key::DirectionTip)).clicked() {
        let name = direction_names(state).get(index).cloned().unwrap_or_default();
        state.paint.naming = Some((index, name));
        ui.memory_mut(|memory| memory.request_focus(id.with("field")));
    }
}

fn rename(state: &mut State, index: usize, name: String) {
    let sha256 = state.paint.model_sha256.clone();
    if sha256.is_empty() {
        return;
    }
    let names = state.preferences.painting.directions.entry(sha256.clone()).or_default();
    names.resize(names.len().max(index + 1), String::new());
    names[index] = name;
    if names.iter().all(String::is_empty) {
        state.preferences.painting.directions.remove(&sha256);
    }
    // The line may mean something else now.
    state.paint.obeyed.clear();
}

/// What shapes the next pictures.
fn next_ui(ui: &mut Ui, state: &mut State) {
    class_section_ui(ui, state);
    let lang = state.lang;
    let row = |name, hint, range, step, decimals, default| SliderRow {
        name: crate::ui::t(lang, name),
        hint: crate::ui::t(lang, hint),
        range,
        step,
        decimals,
        bend: 1.0,
        default,
    };
    let any_size = state.paint.model.as_ref().is_some_and(|model| model.any_size);
    let settings = &mut state.preferences.painting;
    if any_size {
        for (axis, name) in [Key::PictureWidth, Key::PictureHeight].into_iter().enumerate() {
            let range = f64::from(preferences::LEAST_SIZE)..=f64::from(preferences::MOST_SIZE);
            let row = SliderRow { bend: 3.0, ..row(name, Key::PictureSizeTip, range, 16.0, 0, 512.0) };
            let mut side = f64::from(settings.size[axis]);
            if widgets::slider_row(ui, &row, &mut side) {
                settings.size[axis] = side as u32;
            }
        }
    }
    let mut count = settings.count as f64;
    if widgets::slider_row(ui, &row(Key::Count, Key::CountTip, 1.0..=96.0, 1.0, 0, 24.0), &mut count) {
        settings.count = count as usize;
    }
    let mut truncation = f64::from(settings.truncation);
    if widgets::slider_row(ui, &row(Key::Truncation, Key::TruncationTip, 0.1..=1.5, 0.01, 2, 1.0), &mut truncation) {
        settings.truncation = truncation as f32;
    }
    let mut seed = settings.seed as f64;
    let most = preferences::MOST_SEED as f64 - 1.0;
    if widgets::slider_row(ui, &row(Key::Seed, Key::PaintSeedTip, 0.0..=most, 1.0, 0, 1.0), &mut seed) {
        settings.seed = seed as u64;
    }
}

/// The class of new pictures, under a heading.
pub(super) fn class_section_ui(ui: &mut Ui, state: &mut State) {
    widgets::section(ui, state.t(Key::NextPictures));
    ui.add_space(8.0);
    class_ui(ui, state);
}

pub(super) fn class_ui(ui: &mut Ui, state: &mut State) {
    let classes = state.paint.model.as_ref().map(|model| model.classes.clone()).unwrap_or_default();
    if classes.is_empty() {
        return;
    }
    let name = |class: Option<u32>| match class.and_then(|class| classes.get(class as usize)) {
        Some((en, zh)) => state.lang.pick(en, zh).to_owned(),
        None => state.t(Key::AnyClass).to_owned(),
    };
    let width = ui.available_width();
    let label = state.t(Key::Class);
    let current = state.preferences.painting.class.filter(|class| (*class as usize) < classes.len());
    let button = widgets::menu_button(ui, Some(width), label, &name(current), label);
    let button = button.on_hover_text(state.t(Key::ClassTip));
    let mut chosen = None;
    let popup = Popup::menu(&button).align(RectAlign::BOTTOM_START).gap(6.0).frame(widgets::popup_frame(ui));
    popup.id(Id::unique("class")).width(width).show(|ui| {
        ui.set_width(width);
        ui.spacing_mut().item_spacing.y = 0.0;
        for class in std::iter::once(None).chain((0..classes.len() as u32).map(Some)) {
            let icon = if class == current { Icon::Check } else { Icon::Paint };
            if widgets::menu_row(ui, Some(icon), &name(class), "", class == current).clicked() {
                chosen = Some(class);
            }
        }
    });
    if let Some(class) = chosen {
        state.preferences.painting.class = class;
    }
    ui.add_space(6.0);
}
