//! The path: a film that goes from picture to picture, played as soon as it is drawn.

use egui::{Align, Id, Layout, Popup, Rect, RectAlign, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo};
use egui::{accesskit::Role, pos2, vec2};

use super::{PaintView, Sketch, mix::mixed, textures::Textures};
use crate::{
    Error, Lang,
    engine::FilmKind,
    generate::image::ImageRequest,
    ui::{
        Icon, Key,
        preferences::MOST_SEED,
        state::{Action, State},
        text::fill,
        theme,
        toasts::Kind,
        widgets::{self, SliderRow},
    },
};

/// Stops that a path may have.
pub const MOST_STOPS: usize = 16;
/// Side of a stop in points.
const STOP: f32 = 72.0;
/// Slots of textures: the film's after those of the stops.
const FILM_SLOT: usize = 1_000;

/// Stops, and how the film goes from one to the next.
pub struct PathView {
    /// The pictures that the film comes by.
    pub stops: Vec<ImageRequest>,
    /// Pictures from one stop to the next.
    pub steps: usize,
    /// Pictures a second.
    pub rate: u32,
    /// Whether it goes back to the first.
    pub goes_round: bool,
    /// Whether it plays.
    pub plays: bool,
    /// The picture that is shown, with the part of its time that has gone.
    pub position: f32,
}

impl Default for PathView {
    fn default() -> Self {
        Self { stops: Vec::new(), steps: 24, rate: 25, goes_round: true, plays: true, position: 0.0 }
    }
}

impl PathView {
    /// The pictures of the film.
    pub fn frames(&self) -> Vec<ImageRequest> {
        let count = self.stops.len();
        let mut frames = Vec::new();
        for (index, stop) in self.stops.iter().enumerate() {
            if index + 1 == count && (!self.goes_round || count == 1) {
                frames.push(stop.clone());
                continue;
            }
            let next = &self.stops[(index + 1) % count];
            frames.extend((0..self.steps).map(|step| mixed(stop, next, step as f32 / self.steps as f32)));
        }
        frames
    }
}

/// Puts a picture at the end of the path.
pub(super) fn add(state: &mut State, request: ImageRequest) {
    let stops = &mut state.paint.path.stops;
    let (key, count) = if stops.len() < MOST_STOPS {
        stops.push(request);
        (Key::AddedToPath, stops.len())
    } else {
        (Key::PathIsFull, MOST_STOPS)
    };
    let words = |lang| fill(lang, key, &[&count.to_string()]);
    state.toasts.add(Kind::Note, Error::new(words(Lang::En), words(Lang::Zh)), None);
}

/// Puts four new pictures, of the class that is set, at the end of the path.
fn add_random(state: &mut State) {
    let Some(model) = &state.paint.model else { return };
    let classes = model.classes.len() as u32;
    let settings = &mut state.preferences.painting;
    for _ in 0..4 {
        let seed = settings.seed;
        settings.seed = (seed + 1) % MOST_SEED;
        let class = settings.class.filter(|class| *class < classes).or((classes > 0).then_some(0));
        let request = ImageRequest { class, truncation: settings.truncation, ..ImageRequest::of_seed(seed) };
        if state.paint.path.stops.len() < MOST_STOPS {
            state.paint.path.stops.push(request);
        }
    }
}

pub(super) fn path_ui(ui: &mut Ui, state: &mut State) {
    if state.paint.path.stops.is_empty() {
        let key = if state.paint.model.is_some() { Key::PathEmpty } else { Key::FirstOpenPaint };
        super::empty_ui(ui, state, key, Key::PathEmptyHow);
        return;
    }
    state.paint.textures.begin();
    ui.spacing_mut().item_spacing = vec2(10.0, 10.0);
    stops_ui(ui, state);
    ui.add_space(6.0);
    film_ui(ui, state);
}

/// The stops, each with a way out.
fn stops_ui(ui: &mut Ui, state: &mut State) {
    let (mut out, mut jump) = (None, None);
    let lang = state.lang;
    ui.horizontal_wrapped(|ui| {
        let PaintView { path, sketch, textures, .. } = &mut state.paint;
        for index in 0..path.stops.len() {
            let (rect, response) = ui.allocate_exact_size(Vec2::splat(STOP), Sense::click());
            let frame = index * path.steps;
            let palette = theme::palette(ui);
            ui.painter().rect_filled(rect, theme::RADIUS, palette.panel);
            if let Some(Some(picture)) = sketch.pictures.get(frame) {
                let texture = textures.sketch(ui.ctx(), index, (sketch.number, frame), picture);
                egui::Image::from_texture((texture, rect.size())).corner_radius(theme::RADIUS).paint_at(ui, rect);
            }
            let here = (path.position as usize / path.steps.max(1)).min(path.stops.len() - 1) == index;
            let line = if here { Stroke::new(2.0, palette.accent) } else { Stroke::new(1.0, palette.hairline) };
            ui.painter().rect_stroke(rect, theme::RADIUS, line, StrokeKind::Inside);
            let name = fill(lang, Key::StopNumber, &[&(index + 1).to_string()]);
            response.widget_info(|| WidgetInfo::selected(Role::Image, true, here, &name));
            widgets::focus_ring(ui, &response, theme::RADIUS);
            if response.clicked() {
                jump = Some(frame);
            }
            // The way out: a small cross in the corner.
            let corner = Rect::from_center_size(pos2(rect.right() - 12.0, rect.top() + 12.0), Vec2::splat(18.0));
            let cross = ui.interact(corner, response.id.with("out"), Sense::click());
            let name = fill(lang, Key::TakeOutNumber, &[&(index + 1).to_string()]);
            cross.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
            if response.hovered() || cross.hovered() || cross.has_focus() {
                ui.painter().circle_filled(corner.center(), 9.0, palette.background);
                let color = if cross.hovered() { palette.accent } else { palette.muted };
                Icon::Close.paint(ui.painter(), corner, 12.0, color);
            }
            if cross.on_hover_text(crate::ui::t(lang, Key::TakeOut)).clicked() {
                out = Some(index);
            }
        }
    });
    let path = &mut state.paint.path;
    if let Some(frame) = jump {
        path.position = frame as f32;
    }
    if let Some(index) = out {
        path.stops.remove(index);
        path.position = 0.0;
    }
}

/// The film, as large as there is room, with what plays it below.
fn film_ui(ui: &mut Ui, state: &mut State) {
    let lang = state.lang;
    let PaintView { path, sketch, textures, .. } = &mut state.paint;
    let count = sketch.pictures.len();
    if count == 0 {
        return;
    }
    if path.plays && count > 1 {
        let gone = ui.input(|input| input.stable_dt).min(0.25) * path.rate as f32;
        path.position = (path.position + gone) % count as f32;
        ui.ctx().request_repaint();
    }
    path.position = path.position.clamp(0.0, count as f32 - 0.001);
    let room = vec2(ui.available_width() - theme::WORK_MARGIN, ui.available_height() - theme::CONTROL_HEIGHT - 26.0);
    let side = room.min_elem().clamp(64.0, 512.0);
    let (row, response) = ui.allocate_exact_size(vec2(room.x, room.y.max(side)), Sense::hover());
    let frame = Rect::from_center_size(row.center(), Vec2::splat(side));
    picture_ui(ui, frame, path.position as usize, sketch, textures);
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, crate::ui::t(lang, Key::Film)));
    ui.allocate_ui_with_layout(vec2(room.x, theme::CONTROL_HEIGHT), Layout::left_to_right(Align::Center), |ui| {
        let (icon, key) = if path.plays { (Icon::Stop, Key::Pause) } else { (Icon::Play, Key::PlayTake) };
        let name = crate::ui::t(lang, key);
        if widgets::icon_button(ui, icon, name).on_hover_text(name).clicked() {
            path.plays = !path.plays;
        }
        let name = crate::ui::t(lang, Key::FilmPlace);
        let mut at = path.position.floor() as f64 + 1.0;
        let last = count as f64;
        let row = SliderRow { name, hint: name, range: 1.0..=last, step: 1.0, decimals: 0, bend: 1.0, default: 1.0 };
        if widgets::slider_row(ui, &row, &mut at) {
            (path.plays, path.position) = (false, at as f32 - 1.0);
        }
    });
}

/// The picture at `place`, or the last before it that is drawn.
fn picture_ui(ui: &Ui, rect: Rect, place: usize, sketch: &Sketch, textures: &mut Textures) {
    let drawn = (0..=place).rev().find_map(|place| Some((place, sketch.pictures.get(place)?.as_ref()?)));
    match drawn {
        Some((place, picture)) => {
            let texture = textures.sketch(ui.ctx(), FILM_SLOT, (sketch.number, place), picture);
            egui::Image::from_texture((texture, rect.size())).corner_radius(theme::CARD_RADIUS).paint_at(ui, rect);
        }
        None => {
            ui.painter().rect_filled(rect, theme::CARD_RADIUS, theme::palette(ui).panel);
        }
    }
    ui.painter().rect_stroke(rect, theme::CARD_RADIUS, theme::hairline(ui), StrokeKind::Inside);
}

/// How the film goes, and where it is saved.
pub(super) fn panel_ui(ui: &mut Ui, state: &mut State) {
    let lang = state.lang;
    let t = |key| crate::ui::t(lang, key);
    widgets::section(ui, t(Key::Film));
    ui.add_space(8.0);
    let path = &mut state.paint.path;
    let row = |name, hint, range, default| SliderRow {
        name: t(name),
        hint: t(hint),
        range,
        step: 1.0,
        decimals: 0,
        bend: 1.0,
        default,
    };
    let mut steps = path.steps as f64;
    if widgets::slider_row(ui, &row(Key::Steps, Key::StepsTip, 2.0..=60.0, 24.0), &mut steps) {
        path.steps = steps as usize;
    }
    let mut rate = f64::from(path.rate);
    if widgets::slider_row(ui, &row(Key::Rate, Key::RateTip, 5.0..=50.0, 25.0), &mut rate) {
        path.rate = rate as u32;
    }
    widgets::switch(ui, &mut path.goes_round, t(Key::GoesRound));
    ui.add_space(6.0);
    let count = state.paint.sketch.pictures.len();
    if !path.stops.is_empty() {
        let seconds = format!("{:.1}", count as f32 / path.rate.max(1) as f32);
        widgets::note(ui, &fill(lang, Key::FilmIs, &[&count.to_string(), &seconds]));
        ui.add_space(10.0);
    }
    let may_add = state.paint.model.is_some() && state.paint.path.stops.len() < MOST_STOPS;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 8.0;
        save_ui(ui, state, count > 1);
        let button = ui.add_enabled_ui(may_add, |ui| {
            widgets::button(ui, widgets::Look::Hairline, Some(Icon::Dice), t(Key::RandomStops))
        });
        if button.inner.on_hover_text(t(Key::PathEmptyHow)).clicked() {
            add_random(state);
        }
    });
    ui.add_space(20.0);
    super::panel::class_section_ui(ui, state);
    ui.add_space(6.0);
    widgets::note(ui, t(Key::PathEmptyHow));
}

fn save_ui(ui: &mut Ui, state: &mut State, may: bool) {
    let look = widgets::Look::Hairline;
    let button = ui.add_enabled_ui(may, |ui| widgets::button(ui, look, Some(Icon::Save), state.t(Key::SaveFilm)));
    let button = button.inner.on_hover_text(state.t(Key::SaveFilmTip));
    let popup = Popup::menu(&button).align(RectAlign::BOTTOM_START).gap(6.0).frame(widgets::popup_frame(ui));
    popup.id(Id::unique("film")).width(240.0).show(|ui| {
        ui.set_width(240.0);
        ui.spacing_mut().item_spacing.y = 0.0;
        let kinds = [
            (FilmKind::Apng, Key::FilmApng, ".png"),
            (FilmKind::Gif, Key::FilmGif, ".gif"),
            (FilmKind::Frames, Key::FilmFrames, ""),
        ];
        for (kind, key, ending) in kinds {
            if widgets::menu_row(ui, None, state.t(key), ending, false).clicked() {
                state.ask(Action::SaveFilm(kind));
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn films_come_by_every_stop() {
        let mut path = PathView { steps: 4, ..PathView::default() };
        assert!(path.frames().is_empty());
        path.stops = vec![ImageRequest::of_seed(1)];
        assert_eq!(path.frames(), path.stops);
        path.stops.extend([5, 9].map(ImageRequest::of_seed));
        let frames = path.frames();
        assert_eq!(frames.len(), 12);
        for (index, stop) in path.stops.iter().enumerate() {
            assert_eq!(&frames[4 * index], stop);
        }
        path.goes_round = false;
        let frames = path.frames();
        assert_eq!((frames.len(), frames.last()), (9, path.stops.last()));
    }
}
