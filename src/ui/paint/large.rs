//! The chosen picture as large as the page: to be looked at closely, beside what steers it.

use egui::{
    Align, Align2, CornerRadius, Event, Id, Key as Press, Layout, Modifiers, Pos2, Rect, Sense, Ui, UiBuilder, Vec2,
    WidgetInfo,
};
use egui::{accesskit::Role, pos2, vec2};

use super::{PaintView, PictureId, gallery, panel};
use crate::ui::{
    Icon, Key,
    state::State,
    text::{self, fill},
    theme, widgets,
};

/// How much closer a key brings the picture, and a notch of the wheel, of about 50 points.
const CLOSER: f32 = 1.5;
const WHEEL: f32 = 0.006;
/// Pixels of the screen that a pixel of the picture may be wide.
const CLOSEST: f32 = 32.0;
/// How near to the line between before and after the pointer takes it.
const REACH: f32 = 10.0;

/// How the picture is looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Large {
    /// Points that a pixel is wide; `None` while all of the picture is to be seen.
    scale: Option<f32>,
    /// What is in the middle, 0..=1 of the picture's width and height.
    middle: Vec2,
}

impl Default for Large {
    fn default() -> Self {
        Self { scale: None, middle: Vec2::splat(0.5) }
    }
}

impl Large {
    /// Where the picture of so many pixels lies, with the canvas over a part of it.
    fn place(&self, canvas: Rect, pixels: Vec2) -> Rect {
        let size = pixels * self.scale.unwrap_or_else(|| fitting(canvas, pixels));
        Rect::from_min_size(canvas.center() - self.middle * size, size)
    }

    /// So close, with what is at a point of the canvas staying there. What is as small as all of it stays so when the
    /// window changes.
    fn zoom(&mut self, canvas: Rect, pixels: Vec2, scale: f32, at: Pos2, pixels_per_point: f32) {
        let fit = fitting(canvas, pixels);
        let closest = fit.max(CLOSEST / pixels_per_point);
        let scale = scale.clamp(fit.min(1.0 / pixels_per_point), closest);
        let before = self.place(canvas, pixels);
        let under = (at - before.min) / before.size();
        self.middle = under - (at - canvas.center()) / (pixels * scale);
        self.scale = ((scale - fit).abs() > 1e-4 * fit).then_some(scale);
        self.keep_in_sight(canvas, pixels);
    }

    /// What is smaller than the canvas stays in its middle; what is larger fills it.
    fn keep_in_sight(&mut self, canvas: Rect, pixels: Vec2) {
        let size = self.place(canvas, pixels).size();
        for axis in 0..2 {
            let half = (canvas.size()[axis] / size[axis] / 2.0).min(0.5);
            self.middle[axis] = self.middle[axis].clamp(half, 1.0 - half);
        }
    }
}

/// Points that a pixel is wide when all of the picture is in the canvas.
fn fitting(canvas: Rect, pixels: Vec2) -> f32 {
    (canvas.size() / pixels).min_elem().max(1e-6)
}

/// Shows the chosen picture so from now on.
pub(super) fn open(view: &mut PaintView) {
    if view.chosen().is_some() {
        view.large = Some(Large::default());
    }
}

pub(super) fn large_ui(ui: &mut Ui, state: &mut State) {
    let chosen = state.paint.selected.and_then(|id| Some((id, state.paint.shelf.get(id)?.clone())));
    let (Some((id, entry)), Some(mut large)) = (chosen, state.paint.large) else { return };
    let pixels = vec2(entry.size[0].max(1) as f32, entry.size[1].max(1) as f32);
    let pixels_per_point = ui.pixels_per_point();
    ui.spacing_mut().item_spacing.y = 12.0;
    let head = vec2(ui.available_width() - theme::WORK_MARGIN, theme::CONTROL_HEIGHT);
    let below = ui.available_size() - vec2(theme::WORK_MARGIN, theme::WORK_MARGIN + head.y + 12.0);
    let canvas = Rect::from_min_size(ui.cursor().min + vec2(0.0, head.y + 12.0), below.max(Vec2::splat(16.0)));
    ui.allocate_ui_with_layout(head, Layout::left_to_right(Align::Center), |ui| {
        head_ui(ui, state, &mut large, (canvas, pixels));
    });
    let response = ui.interact(canvas, Id::unique("large picture"), Sense::click_and_drag());
    let what = panel::what_of(state, &entry);
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &what));
    widgets::focus_ring(ui, &response, theme::RADIUS);
    if response.has_focus() {
        // Arrows are the picture's.
        let arrows = egui::EventFilter { horizontal_arrows: true, vertical_arrows: true, ..Default::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, arrows));
    }
    look(ui, &mut large, (canvas, pixels), &response);
    large.keep_in_sight(canvas, pixels);
    let place = large.place(canvas, pixels);
    ui.painter().rect_filled(canvas, theme::RADIUS, theme::palette(ui).panel);
    ui.scope_builder(UiBuilder::new().max_rect(canvas), |ui| {
        ui.set_clip_rect(canvas.intersect(ui.clip_rect()));
        picture_ui(ui, state, id, place, canvas);
    });
    if state.paint.large.is_some() {
        state.paint.large = Some(large);
    }
    let has_keys = ui.memory(|memory| memory.focused()).is_none() || response.has_focus();
    if has_keys && !state.sheet_open && !egui::Popup::is_any_open(ui.ctx()) {
        keys(ui, state, (canvas, pixels), pixels_per_point);
    }
}

/// The way back, what it is, how close, and the ones beside it.
fn head_ui(ui: &mut Ui, state: &mut State, large: &mut Large, (canvas, pixels): (Rect, Vec2)) {
    let pixels_per_point = ui.pixels_per_point();
    ui.spacing_mut().item_spacing.x = 6.0;
    let back = widgets::button(ui, widgets::Look::Hairline, Some(Icon::ChevronLeft), state.t(Key::Gallery));
    if back.on_hover_text(state.t(Key::BackToGalleryTip)).clicked() {
        state.paint.large = None;
    }
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        for (icon, key, forth) in
            [(Icon::ChevronRight, Key::NextPicture, true), (Icon::ChevronLeft, Key::PreviousPicture, false)]
        {
            let there = state.paint.neighbour(forth).is_some();
            let button = ui.add_enabled_ui(there, |ui| widgets::icon_button(ui, icon, state.t(key)));
            if button.inner.on_hover_text(state.t(key)).clicked() {
                step(state, forth);
            }
        }
        let one = 1.0 / pixels_per_point;
        let scale = large.scale.unwrap_or_else(|| fitting(canvas, pixels));
        let mut kind = match large.scale {
            None => 0,
            Some(scale) if (scale - one).abs() < 1e-4 * one => 1,
            Some(_) => 2,
        };
        let tips = [Key::WholePictureTip, Key::PixelForPixelTip].map(|tip| state.t(tip).to_owned());
        let choices = [(0, state.t(Key::WholePicture)), (1, "100 %")];
        if widgets::segmented_with_tips(ui, vec2(120.0, theme::CONTROL_HEIGHT), &mut kind, &choices, &tips) {
            match kind {
                0 => *large = Large::default(),
                _ => large.zoom(canvas, pixels, one, canvas.center(), pixels_per_point),
            }
        }
        let percent = fill(state.lang, Key::CloseIs, &[&format!("{:.0}", scale * pixels_per_point * 100.0)]);
        let shown = state.paint.shelf.shown_now();
        let at = state.paint.selected.and_then(|id| shown.iter().position(|shown| *shown == id));
        let place = at.map(|at| fill(state.lang, Key::NumberOf, &[&text::count(at + 1), &text::count(shown.len())]));
        let told = [Some(percent), place].into_iter().flatten().collect::<Vec<_>>().join(" · ");
        let color = theme::palette(ui).muted;
        let label = ui.add(egui::Label::new(egui::RichText::new(&told).font(theme::small()).color(color)).truncate());
        label.widget_info(|| WidgetInfo::labeled(Role::Status, true, &told));
    });
}

/// Nearer and further with the wheel, elsewhere with the pointer, and pixel for pixel with a double click.
fn look(ui: &Ui, large: &mut Large, (canvas, pixels): (Rect, Vec2), response: &egui::Response) {
    let pixels_per_point = ui.pixels_per_point();
    let scale = large.scale.unwrap_or_else(|| fitting(canvas, pixels));
    if let Some(pointer) = response.hover_pos() {
        let (wheel, pinch) = ui.input(|input| (input.smooth_scroll_delta.y, input.zoom_delta()));
        let factor = (wheel * WHEEL).exp() * pinch;
        if factor != 1.0 {
            large.zoom(canvas, pixels, scale * factor, pointer, pixels_per_point);
        }
        if response.double_clicked() {
            match large.scale {
                None => large.zoom(canvas, pixels, 1.0 / pixels_per_point, pointer, pixels_per_point),
                Some(_) => *large = Large::default(),
            }
        }
    }
    if response.dragged() {
        large.middle -= response.drag_delta() / (pixels * scale);
        if large.scale.is_some() {
            ui.ctx().set_cursor_icon(egui::CursorIcon::Grabbing);
        }
    }
}

/// The picture, as often as it is side by side with itself, and what it was enlarged from.
fn picture_ui(ui: &mut Ui, state: &mut State, id: PictureId, place: Rect, canvas: Rect) {
    if let Some(texture) = panel::tiled_texture(ui, state, id) {
        let uv = Rect::from_min_max(
            ((canvas.min - place.min) / place.size()).to_pos2(),
            ((canvas.max - place.min) / place.size()).to_pos2(),
        );
        egui::Image::from_texture((texture, canvas.size())).uv(uv).corner_radius(theme::RADIUS).paint_at(ui, canvas);
        return;
    }
    let Some(texture) = panel::texture(ui, state, id) else {
        let muted = theme::palette(ui).muted;
        ui.painter().text(canvas.center(), Align2::CENTER_CENTER, state.t(Key::PictureComing), theme::row(), muted);
        return;
    };
    egui::Image::from_texture((texture, place.size())).paint_at(ui, place);
    if state.paint.previewed.is_some() || state.paint.before().is_none() {
        return;
    }
    let visible = place.intersect(canvas);
    let line = (place.left() + state.paint.divide * place.width()).clamp(visible.left(), visible.right());
    let grip = Rect::from_center_size(pos2(line, visible.center().y), vec2(2.0 * REACH, visible.height()));
    let grip = ui.interact(grip, Id::unique("before and after"), Sense::drag());
    grip.widget_info(|| WidgetInfo::labeled(Role::Splitter, true, state.t(Key::BeforeAfterTip)));
    let pointer = grip.dragged().then(|| grip.interact_pointer_pos()).flatten();
    if grip.hovered() {
        ui.ctx().set_cursor_icon(egui::CursorIcon::ResizeHorizontal);
    }
    panel::before_ui(ui, &mut state.paint, (place, visible), CornerRadius::ZERO, pointer);
    grip.on_hover_text(state.t(Key::BeforeAfterTip));
}

/// Shows the picture beside this one.
fn step(state: &mut State, forth: bool) {
    if let Some(id) = state.paint.neighbour(forth) {
        state.paint.choose_alone(id);
    }
}

fn keys(ui: &Ui, state: &mut State, (canvas, pixels): (Rect, Vec2), pixels_per_point: f32) {
    let pressed = |key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
    for (key, forth) in
        [(Press::ArrowRight, true), (Press::ArrowDown, true), (Press::ArrowLeft, false), (Press::ArrowUp, false)]
    {
        if pressed(key) {
            step(state, forth);
        }
    }
    // A plus may need Shift.
    let typed = |wanted: &[&str]| {
        let is_it = |event: &Event| matches!(event, Event::Text(text) if wanted.contains(&text.as_str()));
        ui.input(|input| input.events.iter().any(is_it))
    };
    let factor = match (typed(&["+"]), typed(&["-", "−"])) {
        (true, false) => Some(CLOSER),
        (false, true) => Some(1.0 / CLOSER),
        _ => None,
    };
    if let (Some(factor), Some(large)) = (factor, &mut state.paint.large) {
        let scale = large.scale.unwrap_or_else(|| fitting(canvas, pixels));
        large.zoom(canvas, pixels, scale * factor, canvas.center(), pixels_per_point);
    }
    gallery::keys(ui, state);
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANVAS: Rect = Rect { min: pos2(100.0, 50.0), max: pos2(900.0, 650.0) };

    #[test]
    fn all_of_a_picture_is_in_the_middle_and_no_larger_than_the_canvas() {
        for pixels in [vec2(64.0, 64.0), vec2(4096.0, 100.0), vec2(1.0, 3.0)] {
            let mut large = Large::default();
            large.keep_in_sight(CANVAS, pixels);
            let place = large.place(CANVAS, pixels);
            assert!((place.center() - CANVAS.center()).length() < 1e-2, "{pixels}");
            assert!(CANVAS.expand(0.01).contains_rect(place), "{pixels}");
            assert!((place.width() - CANVAS.width()).abs() < 0.1 || (place.height() - CANVAS.height()).abs() < 0.1);
        }
    }

    #[test]
    fn what_is_under_the_pointer_stays_there() {
        let (pixels, pointer) = (vec2(640.0, 480.0), pos2(300.0, 200.0));
        let mut large = Large::default();
        let under = |large: &Large| (pointer - large.place(CANVAS, pixels).min) / large.place(CANVAS, pixels).size();
        let before = under(&large);
        for scale in [2.0, 7.0, 3.0] {
            large.zoom(CANVAS, pixels, scale, pointer, 1.0);
            assert!((under(&large) - before).length() < 1e-3, "{scale}");
            assert!(large.place(CANVAS, pixels).contains_rect(CANVAS.shrink(0.01)));
        }
        large.zoom(CANVAS, pixels, 1e9, pointer, 1.0);
        assert!((large.place(CANVAS, pixels).width() / 640.0 - CLOSEST).abs() < 1e-2);
        // All the way back it fits again.
        large.zoom(CANVAS, pixels, 1e-9, pointer, 1.0);
        assert!((large.place(CANVAS, pixels).center() - CANVAS.center()).length() < 1e-2);
    }
}
