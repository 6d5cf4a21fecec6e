//! The gallery: thumbnails in rows, of which only those in sight are drawn, and asked for.

use egui::{
    CornerRadius, CursorIcon, Key as Press, Modifiers, PointerButton, Rect, Response, ScrollArea, Sense, Stroke,
    StrokeKind, Ui, Vec2, WidgetInfo,
};
use egui::{accesskit::Role, pos2, vec2};

use super::{PictureId, bar, large, marks, panel};
use crate::{
    engine::{Entry, GalleryInput, MOST_RATING, MarkChange},
    ui::{
        Icon, Key,
        state::{Action, State},
        text::fill,
        theme, widgets,
    },
};

/// About how wide a thumbnail is.
const THUMBNAIL: f32 = 112.0;
const GAP: f32 = 12.0;
/// How far the ring around a chosen picture reaches beyond it.
const RING: f32 = 4.0;
/// Rows below those in sight whose thumbnails are asked for too.
const AHEAD: usize = 2;

pub(super) fn gallery_ui(ui: &mut Ui, state: &mut State) {
    ui.spacing_mut().item_spacing.y = 8.0;
    bar::bar_ui(ui, state);
    ui.spacing_mut().item_spacing.y = 12.0;
    if state.paint.shelf.is_empty() && state.paint.in_bin {
        if state.paint.reading.is_none() {
            super::empty_ui(ui, state, Key::BinEmpty, Key::BinEmptyHow);
        }
        return;
    }
    if state.paint.shelf.is_empty() && !state.paint.is_busy() {
        return super::empty_ui(ui, state, Key::PaintEmpty, Key::PaintEmptyHow);
    }
    let shown = state.paint.shelf.shown().to_vec();
    if shown.is_empty() {
        return nothing_ui(ui, state);
    }
    let width = ui.available_width() - theme::WORK_MARGIN;
    let columns = ((width + GAP) / (THUMBNAIL + GAP)).floor().max(1.0) as usize;
    let side = ((width + GAP) / columns as f32 - GAP).floor();
    state.paint.textures.begin();
    ui.spacing_mut().item_spacing.y = GAP;
    let rows = shown.len().div_ceil(columns);
    let is_free = ui.memory(|memory| memory.focused()).is_none();
    let mut on_picture = false;
    ScrollArea::vertical().auto_shrink(false).show_rows(ui, side, rows, |ui, range| {
        // The ring around the chosen picture reaches beyond it.
        ui.set_clip_rect(ui.clip_rect().expand(RING));
        let last = range.end;
        let first = range.start;
        for row in range {
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = GAP;
                for id in shown.iter().skip(row * columns).take(columns) {
                    on_picture |= thumbnail_ui(ui, state, *id, side).has_focus();
                }
            });
        }
        let near = shown.iter().skip(first * columns).take((last + AHEAD - first) * columns);
        ask_for_thumbnails(state, near.copied());
    });
    if (is_free || on_picture) && !state.sheet_open && !egui::Popup::is_any_open(ui.ctx()) {
        // A field that Enter has just left keeps that to itself.
        let may_open = on_picture || !state.paint.had_focus;
        if may_open && ui.input_mut(|input| input.consume_key(Modifiers::NONE, Press::Enter)) {
            large::open(&mut state.paint);
        }
        keys(ui, state);
    }
}

/// Nothing is found, or nothing has come yet.
fn nothing_ui(ui: &mut Ui, state: &mut State) {
    let query = &state.paint.shelf.query;
    let key = match state.paint.shelf.is_empty() {
        true => Key::Drawing,
        false if query.starred && state.paint.shelf.starred() == 0 => Key::NoneStarred,
        false => Key::NoneFound,
    };
    widgets::note(ui, state.t(key));
    if key == Key::NoneFound {
        let button = widgets::button(ui, widgets::Look::Hairline, None, state.t(Key::ShowAll));
        if button.on_hover_text(state.t(Key::AllPicturesTip)).clicked() {
            bar::show_all(&mut state.paint.shelf.query);
        }
    }
}

/// Asks for the thumbnails that are in sight or nearly, and not here.
fn ask_for_thumbnails(state: &mut State, near: impl Iterator<Item = PictureId>) {
    let view = &mut state.paint;
    let missing: Vec<PictureId> = near.filter(|id| !view.textures.has(*id)).collect();
    if missing.iter().any(|id| !view.asked.thumbnails.contains(id)) {
        let paths = missing.iter().filter_map(|id| view.shelf.get(*id)?.path.clone()).collect();
        view.asked.thumbnails = missing;
        state.ask(Action::Gallery(GalleryInput::Thumbnails(paths)));
    }
}

fn thumbnail_ui(ui: &mut Ui, state: &mut State, id: PictureId, side: f32) -> Response {
    let palette = theme::palette(ui);
    // Fingers that move over pictures scroll.
    let drags = state.paint.carries && !ui.input(|input| input.any_touches());
    let sense = if drags { Sense::click_and_drag() } else { Sense::click() };
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(side), sense);
    let view = &mut state.paint;
    let Some(entry) = view.shelf.get(id).cloned() else { return response };
    let chosen = view.selected == Some(id) || view.partner == Some(id);
    let together = view.shelf.several.contains(&id);
    let name = fill(state.lang, Key::PictureOf, &[&entry.seed.to_string()]);
    response.widget_info(|| WidgetInfo::selected(Role::Image, true, view.selected == Some(id) || together, &name));
    let radius = CornerRadius::same(theme::RADIUS);
    match view.textures.of(ui.ctx(), id, palette.panel) {
        Some(texture) => {
            let uv = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
            egui::Image::from_texture((texture, rect.size())).corner_radius(radius).uv(uv).paint_at(ui, rect);
        }
        None => {
            ui.painter().rect_filled(rect, radius, palette.panel);
        }
    }
    let line = match (chosen || together, response.hovered()) {
        (true, _) => Stroke::new(2.0, palette.accent),
        (_, true) => Stroke::new(1.0, palette.hairline_strong),
        _ => Stroke::new(1.0, palette.hairline),
    };
    if chosen || together {
        ui.painter().rect_stroke(rect.expand(3.0), theme::RADIUS + 2, line, StrokeKind::Inside);
    } else {
        ui.painter().rect_stroke(rect, radius, line, StrokeKind::Inside);
    }
    badges(ui, rect, &entry, together, view.choosing);
    widgets::focus_ring(ui, &response, theme::RADIUS);
    if response.clicked() {
        clicked(ui, state, id);
    }
    let plain = ui.input(|input| input.modifiers.is_none()) && !state.paint.choosing;
    if plain && response.double_clicked() {
        large::open(&mut state.paint);
    }
    if response.dragged_by(PointerButton::Primary) {
        ui.ctx().set_cursor_icon(CursorIcon::Grabbing);
    }
    if response.drag_started_by(PointerButton::Primary) {
        carry(state, id);
    }
    response
}

/// The star, the rating, and whether it is chosen with others.
fn badges(ui: &Ui, rect: Rect, entry: &Entry, together: bool, choosing: bool) {
    let palette = theme::palette(ui);
    if entry.mark.starred {
        let place = Rect::from_center_size(pos2(rect.right() - 14.0, rect.top() + 14.0), Vec2::splat(20.0));
        ui.painter().circle_filled(place.center(), 10.0, palette.background);
        Icon::Star.paint(ui.painter(), place, 12.0, palette.accent);
    }
    if together || choosing {
        let place = Rect::from_center_size(pos2(rect.left() + 14.0, rect.top() + 14.0), Vec2::splat(20.0));
        let fill = if together { palette.accent } else { palette.background };
        ui.painter().circle(place.center(), 9.0, fill, Stroke::new(1.0, palette.hairline_strong));
        if together {
            Icon::Check.paint(ui.painter(), place, 12.0, palette.on_accent);
        }
    }
    if entry.mark.rating > 0 {
        let size = vec2(f32::from(entry.mark.rating) * 8.0 + 8.0, 14.0);
        let pill = Rect::from_min_size(pos2(rect.left() + 5.0, rect.bottom() - 5.0 - size.y), size);
        ui.painter().rect_filled(pill, 7, palette.background);
        for dot in 0..entry.mark.rating {
            let at = pos2(pill.left() + 8.0 + f32::from(dot) * 8.0, pill.center().y);
            ui.painter().circle_filled(at, 2.5, palette.accent);
        }
    }
}

/// Begins to carry a picture out of the window, with those that are chosen together if it is one of them.
fn carry(state: &mut State, id: PictureId) {
    let shelf = &state.paint.shelf;
    let carried = |other: &&PictureId| **other == id || (shelf.several.contains(&id) && shelf.several.contains(other));
    let paths = shelf.shown_now().iter().filter(carried).filter_map(|id| shelf.get(*id)?.path.clone()).collect();
    state.ask(Action::Carry(paths));
}

fn clicked(ui: &Ui, state: &mut State, id: PictureId) {
    let modifiers = ui.input(|input| input.modifiers);
    let view = &mut state.paint;
    let anchor = view.selected.filter(|anchor| *anchor != id);
    match anchor {
        Some(anchor) if modifiers.shift => {
            view.shelf.several.clear();
            view.shelf.choose_range(anchor, id);
        }
        _ if view.choosing => {
            if view.shelf.several.remove(&id) {
                return;
            }
            view.shelf.several.insert(id);
            view.choose(id);
        }
        Some(_) if modifiers.command => view.partner = (view.partner != Some(id)).then_some(id),
        _ => view.choose_alone(id),
    }
}

/// Keys of the gallery: rating and the star, everything, the search, into the bin and back, and what is made of the chosen picture.
pub(super) fn keys(ui: &Ui, state: &mut State) {
    let pressed = |modifiers, key| ui.input_mut(|input| input.consume_key(modifiers, key));
    if pressed(Modifiers::COMMAND, Press::A) {
        let shown = state.paint.shelf.shown().to_vec();
        state.paint.shelf.several = shown.into_iter().collect();
    }
    // Keys that are held down do these only once.
    let once = |wanted: Press| {
        let is_it = |event: &egui::Event| match event {
            egui::Event::Key { key, pressed: true, repeat: false, modifiers, .. } => {
                *key == wanted && modifiers.is_none()
            }
            _ => false,
        };
        ui.input(|input| input.events.iter().any(is_it))
    };
    if state.paint.in_bin {
        // No key removes anything for good.
        let paths = if once(Press::U) { marks::paths(state) } else { Vec::new() };
        if !paths.is_empty() {
            state.ask(Action::Unbin(paths));
        }
        return;
    }
    let digits = [Press::Num0, Press::Num1, Press::Num2, Press::Num3, Press::Num4, Press::Num5];
    for (rating, key) in (0..=MOST_RATING).zip(digits) {
        if pressed(Modifiers::NONE, key) {
            let paths = marks::paths(state);
            marks::change(state, paths, MarkChange::Rate(rating));
        }
    }
    if pressed(Modifiers::NONE, Press::Delete) {
        let paths = marks::paths(state);
        if !paths.is_empty() {
            state.ask(Action::Bin(paths));
        }
    }
    if pressed(Modifiers::COMMAND, Press::F) {
        state.paint.large = None;
        ui.memory_mut(|memory| memory.request_focus(bar::search_id()));
    }
    if once(Press::S) {
        let paths = marks::paths(state);
        let starred = state.paint.chosen().is_some_and(|chosen| chosen.mark.starred);
        marks::change(state, paths, MarkChange::Star(!starred));
    }
    for (key, distance) in [(Press::N, panel::NEAR), (Press::F, panel::FAR)] {
        if once(key) {
            panel::vary(state, distance);
        }
    }
    if once(Press::K) {
        panel::keep_edited(state);
    }
    if ui.input(|input| input.events.iter().any(|event| matches!(event, egui::Event::Copy))) {
        panel::copy(ui, state);
    }
}
