//! The seed map: what lies between four pictures, to be dragged through.

use egui::{CornerRadius, EventFilter, Key as Press, Rect, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo};
use egui::{accesskit::Role, vec2};

use super::{PaintView, mix::mixed, panel};
use crate::{
    generate::image::ImageRequest,
    ui::{
        Icon, Key,
        state::{Action, State},
        theme, widgets,
    },
};

/// Pictures along each side of the map.
const SIDE: usize = 7;
/// How far an arrow key moves, of the whole map.
const STEP: f32 = 0.02;

/// Four corners, and the place between them that is shown large.
#[derive(Default)]
pub struct MapView {
    /// Top left, top right, bottom left, bottom right; empty before the map is first shown.
    pub corners: Vec<ImageRequest>,
    /// 0..=1 from the left and from the top.
    pub at: [f32; 2],
}

impl MapView {
    fn between(&self, [x, y]: [f32; 2]) -> Option<ImageRequest> {
        let [a, b, c, d] = self.corners.as_slice() else { return None };
        Some(mixed(&mixed(a, b, x), &mixed(c, d, x), y))
    }

    /// What is shown large.
    pub(super) fn here(&self) -> Option<ImageRequest> {
        self.between(self.at)
    }

    /// The pictures of the map, row after row.
    pub(super) fn cells(&self) -> Vec<ImageRequest> {
        let place = |cell: usize| [cell % SIDE, cell / SIDE].map(|at| at as f32 / (SIDE - 1) as f32);
        (0..SIDE * SIDE).filter_map(|cell| self.between(place(cell))).collect()
    }
}

/// Corners: the chosen pictures first, unless all are to be new, then new seeds of the class that is set.
fn begin(state: &mut State, all_new: bool) {
    let view = &state.paint;
    let Some(model) = &view.model else { return };
    let chosen = [view.selected, view.partner].into_iter().filter(|_| !all_new);
    let mut corners: Vec<ImageRequest> = chosen.filter_map(|id| view.usable(id)).collect();
    let settings = &mut state.preferences.painting;
    let classes = model.classes.len() as u32;
    let own = settings.class.filter(|class| *class < classes);
    let class = own.or(corners.first().and_then(|corner| corner.class)).or((classes > 0).then_some(0));
    while corners.len() < 4 {
        let seed = settings.seed;
        settings.seed = (seed + 1) % super::super::preferences::MOST_SEED;
        let size = model.any_size.then_some(settings.size);
        corners.push(ImageRequest { class, truncation: settings.truncation, size, ..ImageRequest::of_seed(seed) });
    }
    state.paint.map = MapView { corners, at: [0.5, 0.5] };
}

pub(super) fn map_ui(ui: &mut Ui, state: &mut State) {
    if state.paint.map.corners.len() < 4 {
        begin(state, false);
    }
    if state.paint.model.is_none() {
        super::empty_ui(ui, state, Key::FirstOpenPaint, Key::PaintModelTip);
        return;
    }
    let room = ui.available_size() - vec2(theme::WORK_MARGIN, theme::WORK_MARGIN);
    let side = room.min_elem().max(64.0).floor();
    let (row, _) = ui.allocate_exact_size(vec2(room.x, side), Sense::empty());
    let rect = Rect::from_center_size(row.center(), Vec2::splat(side));
    let response = ui.interact(rect, ui.scope_id().with("map"), Sense::click_and_drag());
    let PaintView { map, sketch, textures, .. } = &mut state.paint;
    let cell = side / SIDE as f32;
    textures.begin();
    let palette = theme::palette(ui);
    let radius = CornerRadius::same(theme::CARD_RADIUS);
    ui.painter().rect_filled(rect, radius, palette.panel);
    for (place, picture) in sketch.pictures.iter().enumerate() {
        let Some(picture) = picture else { continue };
        let corner = rect.min + vec2((place % SIDE) as f32, (place / SIDE) as f32) * cell;
        let last = SIDE * SIDE - 1;
        let of = |at: usize| if place == at { theme::CARD_RADIUS } else { 0 };
        let corners = CornerRadius { nw: of(0), ne: of(SIDE - 1), sw: of(last + 1 - SIDE), se: of(last) };
        let texture = textures.sketch(ui.ctx(), place, (sketch.number, place), picture);
        let place = Rect::from_min_size(corner, Vec2::splat(cell));
        egui::Image::from_texture((texture, place.size())).corner_radius(corners).paint_at(ui, place);
    }
    ui.painter().rect_stroke(rect, radius, theme::hairline(ui), StrokeKind::Inside);
    // The middles of the outer pictures are the ends of the map.
    let inside = rect.shrink(cell / 2.0);
    if let Some(pointer) = response.interact_pointer_pos() {
        response.request_focus();
        let way = (pointer - inside.min) / inside.width();
        map.at = [way.x.clamp(0.0, 1.0), way.y.clamp(0.0, 1.0)];
    }
    if response.has_focus() {
        let filter = EventFilter { horizontal_arrows: true, vertical_arrows: true, ..EventFilter::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
        let pressed = |key| ui.input(|input| input.num_presses(key)) as f32;
        let moves = [
            pressed(Press::ArrowRight) - pressed(Press::ArrowLeft),
            pressed(Press::ArrowDown) - pressed(Press::ArrowUp),
        ];
        for (at, steps) in map.at.iter_mut().zip(moves) {
            *at = (*at + steps * STEP).clamp(0.0, 1.0);
        }
    }
    let knob = inside.min + vec2(map.at[0], map.at[1]) * inside.width();
    ui.painter().circle(knob, 9.0, palette.accent.gamma_multiply(0.35), Stroke::new(4.0, palette.background));
    ui.painter().circle_stroke(knob, 9.0, Stroke::new(2.0, palette.accent));
    widgets::focus_ring(ui, &response, theme::CARD_RADIUS);
    let name = state.t(Key::SeedMap);
    response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, name));
}

/// The place on the map, large, and its corners.
pub(super) fn panel_ui(ui: &mut Ui, state: &mut State) {
    let Some(here) = state.paint.map.here() else { return };
    let view = &mut state.paint;
    let texture = view.preview.as_ref().map(|(number, picture)| {
        let size = [picture.width, picture.height].map(|side| side as f32);
        (view.textures.preview(ui.ctx(), *number, picture), size)
    });
    let what = panel::what(state, &here, state.paint.model.as_ref().map(|model| [model.width, model.height]));
    panel::picture_ui(ui, texture, &what, Sense::hover());
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 8.0;
        let button = widgets::button(ui, widgets::Look::Hairline, Some(Icon::Check), state.t(Key::KeepPicture));
        if button.on_hover_text(state.t(Key::KeepPictureTip)).clicked() {
            state.ask(Action::Draw(vec![here.clone()]));
        }
        let button = widgets::button(ui, widgets::Look::Hairline, Some(Icon::Plus), state.t(Key::Path));
        if button.on_hover_text(state.t(Key::AddToPathTip)).clicked() {
            super::path::add(state, here.clone());
        }
    });
    ui.add_space(20.0);
    widgets::section(ui, state.t(Key::Corners));
    ui.add_space(8.0);
    panel::class_ui(ui, state);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 8.0;
        let button = widgets::button(ui, widgets::Look::Hairline, Some(Icon::Dice), state.t(Key::NewCorners));
        if button.on_hover_text(state.t(Key::NewCornersTip)).clicked() {
            begin(state, true);
        }
    });
    ui.add_space(10.0);
    widgets::note(ui, state.t(Key::SeedMapHow));
}
