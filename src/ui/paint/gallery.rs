//! The gallery: thumbnails in rows, of which only those in sight are drawn.

use egui::{Align, CornerRadius, Layout, Rect, ScrollArea, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo};
use egui::{accesskit::Role, pos2, vec2};

use super::words;
use crate::ui::{
    Icon, Key,
    state::State,
    text::{self, fill},
    theme, widgets,
};

/// About how wide a thumbnail is.
const THUMBNAIL: f32 = 112.0;
const GAP: f32 = 12.0;
/// How far the ring around a chosen picture reaches beyond it.
const RING: f32 = 4.0;

pub(super) fn gallery_ui(ui: &mut Ui, state: &mut State) {
    ui.spacing_mut().item_spacing.y = 8.0;
    bar_ui(ui, state);
    words::told_ui(ui, state);
    ui.spacing_mut().item_spacing.y = 12.0;
    if state.paint.pictures.is_empty() && !state.paint.is_busy() {
        return super::empty_ui(ui, state, Key::PaintEmpty, Key::PaintEmptyHow);
    }
    let shown: Vec<usize> = (0..state.paint.pictures.len())
        .filter(|index| !state.paint.only_starred || state.paint.pictures[*index].1.starred)
        .collect();
    if shown.is_empty() {
        let key = if state.paint.only_starred { Key::NoneStarred } else { Key::Drawing };
        widgets::note(ui, state.t(key));
        return;
    }
    let width = ui.available_width() - theme::WORK_MARGIN;
    let columns = ((width + GAP) / (THUMBNAIL + GAP)).floor().max(1.0) as usize;
    let side = ((width + GAP) / columns as f32 - GAP).floor();
    state.paint.textures.begin();
    ui.spacing_mut().item_spacing.y = GAP;
    let rows = shown.len().div_ceil(columns);
    ScrollArea::vertical().auto_shrink(false).show_rows(ui, side, rows, |ui, range| {
        // The ring around the chosen picture reaches beyond it.
        ui.set_clip_rect(ui.clip_rect().expand(RING));
        for row in range {
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = GAP;
                for index in shown.iter().skip(row * columns).take(columns) {
                    thumbnail_ui(ui, state, *index, side);
                }
            });
        }
    });
}

/// The line of words, and which pictures are shown.
fn bar_ui(ui: &mut Ui, state: &mut State) {
    let all = text::count(state.paint.pictures.len());
    let starred = text::count(state.paint.pictures.iter().filter(|(_, painted)| painted.starred).count());
    let size = vec2(ui.available_width() - theme::WORK_MARGIN, theme::CONTROL_HEIGHT);
    ui.allocate_ui_with_layout(size, Layout::right_to_left(Align::Center), |ui| {
        ui.spacing_mut().item_spacing.x = 8.0;
        let names = [fill(state.lang, Key::AllPictures, &[&all]), fill(state.lang, Key::Starred, &[&starred])];
        let tips = [state.t(Key::AllPicturesTip).to_owned(), state.t(Key::StarredTip).to_owned()];
        let choices = [(false, names[0].as_str()), (true, names[1].as_str())];
        let wide = vec2(220.0, theme::CONTROL_HEIGHT);
        widgets::segmented_with_tips(ui, wide, &mut state.paint.only_starred, &choices, &tips);
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| words::field_ui(ui, state));
    });
}

fn thumbnail_ui(ui: &mut Ui, state: &mut State, index: usize, side: f32) {
    let palette = theme::palette(ui);
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(side), Sense::click());
    let view = &mut state.paint;
    let (id, painted) = &view.pictures[index];
    let id = *id;
    let texture = view.textures.of(ui.ctx(), id, &painted.picture);
    let chosen = view.selected == Some(id);
    let partner = view.partner == Some(id);
    let starred = painted.starred;
    let seed = painted.recipe.request.seeds.first().map_or(0, |part| part.seed);
    let name = fill(state.lang, Key::PictureOf, &[&seed.to_string()]);
    response.widget_info(|| WidgetInfo::selected(Role::Image, true, chosen, &name));
    let radius = CornerRadius::same(theme::RADIUS);
    let uv = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
    egui::Image::from_texture((texture, rect.size())).corner_radius(radius).uv(uv).paint_at(ui, rect);
    let line = match (chosen, partner, response.hovered()) {
        (true, ..) | (_, true, _) => Stroke::new(2.0, palette.accent),
        (_, _, true) => Stroke::new(1.0, palette.hairline_strong),
        _ => Stroke::new(1.0, palette.hairline),
    };
    if chosen || partner {
        ui.painter().rect_stroke(rect.expand(3.0), theme::RADIUS + 2, line, StrokeKind::Inside);
    } else {
        ui.painter().rect_stroke(rect, radius, line, StrokeKind::Inside);
    }
    if starred {
        let place = Rect::from_center_size(pos2(rect.right() - 14.0, rect.top() + 14.0), Vec2::splat(20.0));
        ui.painter().circle_filled(place.center(), 10.0, palette.background);
        Icon::Star.paint(ui.painter(), place, 12.0, palette.accent);
    }
    widgets::focus_ring(ui, &response, theme::RADIUS);
    if response.clicked() {
        let mixes = ui.input(|input| input.modifiers.command) && state.paint.selected.is_some_and(|one| one != id);
        if mixes {
            state.paint.partner = (state.paint.partner != Some(id)).then_some(id);
        } else {
            state.paint.choose(id);
        }
    }
}
