//! What a person thinks of pictures: stars, ratings and tags, of the one that is shown large or of several.

use std::path::PathBuf;

use egui::{Id, Response, Sense, Stroke, Ui, Vec2, WidgetInfo, accesskit::Role, pos2, vec2};

use super::PaintView;
use crate::{
    engine::{MOST_RATING, MarkChange, PictureMark as Mark, tidy_tag},
    ui::{
        Icon, Key,
        state::{Action, State},
        text::fill,
        theme, widgets,
    },
};

/// Tags that are suggested.
const SUGGESTED: usize = 6;
/// Side of a dot of the rating.
const DOT: f32 = 24.0;

/// The files that marks are for: of several chosen pictures, or of the one that is shown large.
pub(super) fn paths(state: &State) -> Vec<PathBuf> {
    if is_several(&state.paint) {
        return state.paint.shelf.several_paths();
    }
    state.paint.chosen().and_then(|chosen| chosen.path.clone()).into_iter().collect()
}

/// Whether more than one is chosen.
pub(super) fn is_several(view: &PaintView) -> bool {
    view.shelf.several.len() > 1
}

pub(super) fn change(state: &mut State, paths: Vec<PathBuf>, change: MarkChange) {
    if !paths.is_empty() {
        state.ask(Action::Mark(paths, change));
    }
}

/// What all that is chosen has in common.
pub(super) fn common(state: &State) -> Mark {
    let view = &state.paint;
    if !is_several(view) {
        return view.chosen().map(|chosen| chosen.mark.clone()).unwrap_or_default();
    }
    let mut marks = view.shelf.several.iter().filter_map(|id| Some(&view.shelf.get(*id)?.mark));
    let Some(mut common) = marks.next().cloned() else { return Mark::default() };
    for mark in marks {
        common.starred &= mark.starred;
        if common.rating != mark.rating {
            common.rating = 0;
        }
        common.tags.retain(|tag| mark.tags.contains(tag));
    }
    common
}

/// Rating and tags.
pub(super) fn marks_ui(ui: &mut Ui, state: &mut State) {
    let mark = common(state);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 0.0;
        let (rect, _) = ui.allocate_exact_size(vec2(106.0, theme::ROW_HEIGHT), Sense::empty());
        let color = theme::palette(ui).muted;
        let at = pos2(rect.left(), rect.center().y);
        widgets::line(ui.painter(), at, egui::Align2::LEFT_CENTER, state.t(Key::Rating), theme::row(), color, 102.0);
        for rating in 1..=MOST_RATING {
            if dot_ui(ui, state, rating, mark.rating).clicked() {
                // Again takes it away.
                let rating = if mark.rating == rating { 0 } else { rating };
                change(state, paths(state), MarkChange::Rate(rating));
            }
        }
    });
    ui.add_space(6.0);
    tags_ui(ui, state, &mark);
}

fn dot_ui(ui: &mut Ui, state: &State, rating: u8, now: u8) -> Response {
    let palette = theme::palette(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(DOT, theme::ROW_HEIGHT), Sense::click());
    let name = fill(state.lang, Key::RatingIs, &[&rating.to_string(), &MOST_RATING.to_string()]);
    response.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, rating == now, &name));
    let (fill, line) = if rating <= now {
        (palette.accent, palette.accent)
    } else if response.hovered() {
        (palette.raised, palette.accent)
    } else {
        (palette.background, palette.hairline_strong)
    };
    ui.painter().circle(rect.center(), 5.5, fill, Stroke::new(1.5, line));
    widgets::focus_ring(ui, &response, 6);
    response.on_hover_text(format!("{name}  ({rating})"))
}

/// The tags as chips, a field for more, and tags that other pictures have.
fn tags_ui(ui: &mut Ui, state: &mut State, mark: &Mark) {
    let mut gone = None;
    if !mark.tags.is_empty() {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = vec2(6.0, 6.0);
            for tag in &mark.tags {
                let name = fill(state.lang, Key::TakeTagOff, &[tag]);
                if tag_ui(ui, tag, &name).on_hover_text(&name).clicked() {
                    gone = Some(tag.clone());
                }
            }
        });
        ui.add_space(6.0);
    }
    if let Some(tag) = gone {
        change(state, paths(state), MarkChange::RemoveTag(tag));
    }
    let (name, hint) = (state.t(Key::AddTag), state.t(Key::AddTagHint));
    let id = Id::unique("tag");
    let field = widgets::field(ui, id, &mut state.paint.tag, name, hint).on_hover_text(state.t(Key::AddTagTip));
    let entered = field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
    let mut wanted = entered.then(|| tidy_tag(&state.paint.tag)).filter(|tag| !tag.is_empty());
    if entered {
        field.request_focus();
    }
    let typed = tidy_tag(&state.paint.tag).to_lowercase();
    // A press on one takes the keyboard from the field before the click is done; so does Tab.
    let pressed = ui.input(|input| input.pointer.any_down() || input.pointer.any_released());
    let suggests = field.has_focus() || !typed.is_empty() || state.paint.suggests && pressed || state.paint.suggested;
    (state.paint.suggests, state.paint.suggested) = (suggests, false);
    if suggests {
        let fits = |tag: &String| !mark.tags.contains(tag) && tag.to_lowercase().contains(&typed);
        let suggested: Vec<String> = state.paint.shelf.tags().into_iter().filter(fits).take(SUGGESTED).collect();
        if !suggested.is_empty() {
            ui.add_space(6.0);
            ui.horizontal_wrapped(|ui| {
                ui.spacing_mut().item_spacing = vec2(6.0, 6.0);
                for tag in suggested {
                    let tip = fill(state.lang, Key::AddThisTag, &[&tag]);
                    let chip = widgets::chip(ui, &tag, false, true).on_hover_text(tip);
                    state.paint.suggested |= chip.has_focus();
                    if chip.clicked() {
                        wanted = Some(tag);
                    }
                }
            });
        }
    }
    if let Some(tag) = wanted {
        state.paint.tag.clear();
        change(state, paths(state), MarkChange::AddTag(tag));
    }
}

/// A tag with a cross; a click takes it off.
fn tag_ui(ui: &mut Ui, tag: &str, name: &str) -> Response {
    let palette = theme::palette(ui);
    let most = ui.max_rect().width() - 40.0;
    let text = ui.painter().layout_no_wrap(tag.to_owned(), theme::row(), palette.text).size().x.min(most);
    let (rect, response) = ui.allocate_exact_size(vec2(text + 38.0, theme::ROW_HEIGHT), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
    let line = if response.hovered() { palette.hairline_strong } else { palette.hairline };
    ui.painter().rect(rect, theme::CHIP_RADIUS, palette.raised, Stroke::new(1.0, line), egui::StrokeKind::Inside);
    let at = pos2(rect.left() + 12.0, rect.center().y);
    widgets::line(ui.painter(), at, egui::Align2::LEFT_CENTER, tag, theme::row(), palette.text, text + 2.0);
    let color = if response.hovered() { palette.accent } else { palette.muted };
    let cross = egui::Rect::from_center_size(pos2(rect.right() - 15.0, rect.center().y), Vec2::splat(14.0));
    Icon::Close.paint(ui.painter(), cross, 12.0, color);
    widgets::focus_ring(ui, &response, theme::CHIP_RADIUS);
    response
}
