//! Teaching textures from photographs: which, how, and what the network draws meanwhile.

use std::path::PathBuf;

use egui::{CornerRadius, Id, Rect, ScrollArea, Sense, StrokeKind, Ui, Vec2, WidgetInfo, accesskit::Role, pos2, vec2};
use egui_plot::{HoverPosition, Line, Plot, PlotPoints};

use super::{PaintView, textures::Textures};
use crate::{
    Error,
    engine::{Looked, Teaching},
    generate::image::Picture,
    ui::{
        Icon, Key,
        state::{Action, State, TeachAction},
        text::{self, fill},
        theme,
        widgets::{self, Look},
    },
};

/// Photographs that are taught together at most.
pub const MOST: usize = 8;
/// How wide a photograph is shown, and what is drawn of it.
const PHOTOGRAPH: f32 = 112.0;
const SAMPLE: f32 = 192.0;
const GAP: f32 = 12.0;
/// Slots of textures: what is drawn, then photographs.
const SAMPLE_SLOT: usize = 2_000;
const PHOTOGRAPH_SLOT: usize = 2_100;
/// The letters of a name, at most.
const MOST_LETTERS: usize = 40;

/// How large the structure is that is learnt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Structure {
    Fine,
    #[default]
    Medium,
    Coarse,
}

impl Structure {
    /// The shorter side that photographs are made, in pixels.
    pub fn detail(self) -> usize {
        match self {
            Self::Fine => 1_024,
            Self::Medium => 512,
            Self::Coarse => 256,
        }
    }
}

/// A photograph that is to be taught.
#[derive(Clone, Debug)]
pub struct Photograph {
    pub path: PathBuf,
    /// What the texture is called.
    pub name: String,
    /// A small picture of it, or why it cannot be learnt from; `None` until it was looked at.
    pub seen: Option<Result<Picture, Error>>,
    number: u64,
}

/// What is to be taught, and how that goes.
#[derive(Clone, Debug, Default)]
pub struct TeachView {
    pub photographs: Vec<Photograph>,
    /// The model's name; empty takes the first photograph's.
    pub name: String,
    pub structure: Structure,
    pub thorough: bool,
    pub teaching: Option<Teaching>,
    /// The file of what is taught, or was taught last.
    pub path: Option<PathBuf>,
    /// Photographs so far.
    count: u64,
}

impl Photograph {
    /// What the texture is called; as the file is, if its name was taken away.
    pub fn called(&self) -> String {
        let name = plain(self.name.trim());
        if name.is_empty() { stem(&self.path) } else { name }
    }
}

fn stem(path: &std::path::Path) -> String {
    plain(&path.file_stem().unwrap_or_default().to_string_lossy())
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(MOST_LETTERS).collect()
}

impl TeachView {
    /// Puts a photograph beside the others; `false` when it is there already, or there are as many as there can be.
    pub fn add(&mut self, path: PathBuf) -> bool {
        if self.photographs.len() >= MOST || self.photographs.iter().any(|photograph| photograph.path == path) {
            return false;
        }
        let name = stem(&path);
        self.count += 1;
        self.photographs.push(Photograph { path, name, seen: None, number: self.count });
        true
    }

    /// Takes what came of looking at one.
    pub fn looked(&mut self, looked: Looked) {
        if let Some(photograph) = self.photographs.iter_mut().find(|photograph| photograph.path == looked.path) {
            photograph.seen = Some(looked.seen);
        }
    }

    /// Those that can be taught.
    pub fn usable(&self) -> impl Iterator<Item = &Photograph> {
        self.photographs.iter().filter(|photograph| matches!(photograph.seen, Some(Ok(_))))
    }

    /// Steps that are taken.
    pub fn steps(&self) -> u64 {
        let more = self.usable().count().saturating_sub(1) as u64;
        if self.thorough { 1_500 + 300 * more } else { 400 + 100 * more }
    }

    /// The photographs that are taught, each under a name of its own.
    pub fn called(&self) -> Vec<(PathBuf, String)> {
        let mut called: Vec<(PathBuf, String)> = Vec::new();
        for photograph in self.usable() {
            let name = photograph.called();
            let numbered = (2..).map(|number| format!("{name} {number}"));
            let is_free = |name: &String| called.iter().all(|(_, other)| other != name);
            let free = std::iter::once(name.clone()).chain(numbered).find(is_free).unwrap_or_default();
            called.push((photograph.path.clone(), free));
        }
        called
    }

    /// What the model is called.
    pub fn title(&self) -> String {
        let own = plain(self.name.trim());
        if own.is_empty() { self.first_name() } else { own }
    }

    /// What it is called unless somebody says otherwise.
    fn first_name(&self) -> String {
        self.usable().next().map(Photograph::called).unwrap_or_default()
    }

    /// Whether teaching can begin.
    pub fn is_ready(&self) -> bool {
        self.teaching.is_none()
            && self.usable().next().is_some()
            && self.photographs.iter().all(|photograph| photograph.seen.is_some())
    }
}

pub(super) fn teach_ui(ui: &mut Ui, state: &mut State) {
    if state.paint.teach.photographs.is_empty() {
        return super::empty_ui(ui, state, Key::TeachEmpty, Key::TeachEmptyHow);
    }
    state.paint.textures.begin();
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        ui.set_width(ui.available_width() - theme::WORK_MARGIN);
        ui.spacing_mut().item_spacing = vec2(GAP, GAP);
        photographs_ui(ui, state);
        if state.paint.teach.teaching.is_some() {
            ui.add_space(12.0);
            teaching_ui(ui, state);
        }
        ui.add_space(16.0);
    });
}

/// The photographs, each with its name and a way out.
fn photographs_ui(ui: &mut Ui, state: &mut State) {
    widgets::section(ui, state.t(Key::Photographs));
    let lang = state.lang;
    let PaintView { teach, textures, .. } = &mut state.paint;
    let may_change = teach.teaching.is_none();
    let mut out = None;
    ui.horizontal_wrapped(|ui| {
        for (index, photograph) in teach.photographs.iter_mut().enumerate() {
            let column = vec2(PHOTOGRAPH, PHOTOGRAPH + 8.0 + theme::CONTROL_HEIGHT);
            ui.allocate_ui_with_layout(column, egui::Layout::top_down(egui::Align::Min), |ui| {
                ui.spacing_mut().item_spacing.y = 8.0;
                let (rect, response) = ui.allocate_exact_size(Vec2::splat(PHOTOGRAPH), Sense::hover());
                photograph_ui(ui, rect, index, photograph, textures);
                response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &photograph.name));
                if may_change {
                    let corner =
                        Rect::from_center_size(pos2(rect.right() - 14.0, rect.top() + 14.0), Vec2::splat(20.0));
                    let cross = ui.interact(corner, ui.scope_id().with(("out", photograph.number)), Sense::click());
                    let name = fill(lang, Key::TakeOutNamed, &[&photograph.name]);
                    cross.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
                    let palette = theme::palette(ui);
                    ui.painter().circle_filled(corner.center(), 10.0, palette.background);
                    let color = if cross.hovered() || cross.has_focus() { palette.accent } else { palette.muted };
                    Icon::Close.paint(ui.painter(), corner, 12.0, color);
                    if cross.on_hover_text(name).clicked() {
                        out = Some(index);
                    }
                }
                ui.add_enabled_ui(may_change, |ui| {
                    let id = Id::unique(("texture name", photograph.number));
                    let (name, hint) = (crate::ui::t(lang, Key::TextureName), crate::ui::t(lang, Key::TextureName));
                    widgets::field(ui, id, &mut photograph.name, name, hint);
                });
            });
        }
    });
    for why in teach.photographs.iter().filter_map(|photograph| photograph.seen.as_ref()?.as_ref().err()) {
        ui.label(egui::RichText::new(why.text(lang)).font(theme::row()).color(theme::palette(ui).error));
    }
    if let Some(index) = out {
        teach.photographs.remove(index);
    }
}

fn photograph_ui(ui: &Ui, rect: Rect, index: usize, photograph: &Photograph, textures: &mut Textures) {
    let palette = theme::palette(ui);
    ui.painter().rect_filled(rect, theme::RADIUS, palette.panel);
    match &photograph.seen {
        Some(Ok(picture)) => {
            let slot = PHOTOGRAPH_SLOT + index;
            let texture = textures.sketch(ui.ctx(), slot, (photograph.number, index), picture);
            egui::Image::from_texture((texture, rect.size())).corner_radius(theme::RADIUS).paint_at(ui, rect);
        }
        Some(Err(_)) => Icon::Warning.paint(ui.painter(), rect, 24.0, palette.error),
        None => {}
    }
    ui.painter().rect_stroke(rect, theme::RADIUS, theme::hairline(ui), StrokeKind::Inside);
}

/// What is drawn now, and how the distance falls.
fn teaching_ui(ui: &mut Ui, state: &mut State) {
    let words = progress_words(state).unwrap_or_default();
    let heading = state.t(Key::DrawnSoFar);
    let (discard, discard_tip) = (state.t(Key::DiscardTeaching), state.t(Key::DiscardTeachingTip));
    let mut discards = false;
    let curve = state.t(Key::DistanceCurve);
    widgets::section(ui, heading);
    let PaintView { teach, textures, .. } = &mut state.paint;
    let Some(teaching) = &teach.teaching else { return };
    let share = (teaching.step > 0).then(|| teaching.step as f32 / teaching.steps.max(1) as f32);
    widgets::progress(ui, ui.available_width(), &words, share);
    ui.horizontal(|ui| {
        widgets::note(ui, &words);
        discards = widgets::link_button(ui, discard).on_hover_text(discard_tip).clicked();
    });
    ui.horizontal_wrapped(|ui| {
        for (index, picture) in teaching.samples.iter().enumerate() {
            let (rect, response) = ui.allocate_exact_size(Vec2::splat(SAMPLE), Sense::hover());
            let texture = textures.sketch(ui.ctx(), SAMPLE_SLOT + index, (teaching.number, index), picture);
            let radius = CornerRadius::same(theme::CARD_RADIUS);
            egui::Image::from_texture((texture, rect.size())).corner_radius(radius).paint_at(ui, rect);
            ui.painter().rect_stroke(rect, radius, theme::hairline(ui), StrokeKind::Inside);
            response.widget_info(|| WidgetInfo::labeled(Role::Image, true, heading));
        }
    });
    if teaching.distances.len() > 1 {
        widgets::section(ui, curve);
        curve_ui(ui, teaching, curve);
    }
    if discards {
        state.ask(Action::Teach(TeachAction::Discard));
    }
}

/// The distance over the steps, on a logarithmic scale.
fn curve_ui(ui: &mut Ui, teaching: &Teaching, name: &str) {
    let palette = theme::palette(ui);
    let every = teaching.steps.div_ceil(200).max(1) as f64;
    let point = |(at, distance): (usize, &f32)| [(at + 1) as f64 * every, f64::from(distance.max(1e-3)).log10()];
    let points: Vec<[f64; 2]> = teaching.distances.iter().enumerate().map(point).collect();
    ui.style_mut().override_font_id = Some(theme::small());
    let plot = Plot::new("distance")
        .grid_color(palette.hairline)
        .width(ui.available_width().min(560.0))
        .height(120.0)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .allow_axis_zoom_drag(false)
        .allow_double_click_reset(false)
        .include_x(0.0)
        .include_x(teaching.steps as f64)
        .show_x(false)
        .show_y(false)
        .y_axis_formatter(|mark, _| format!("{:.1}", 10.0_f64.powf(mark.value)))
        .label_formatter(|hover| match hover {
            HoverPosition::NearDataPoint { position, .. } => Some(format!("{:.2}", 10.0_f64.powf(position.y))),
            HoverPosition::Elsewhere { .. } => None,
        });
    let shown = plot.show(ui, |plot| {
        plot.line(Line::new(name, PlotPoints::from(points)).color(palette.accent).width(1.5));
    });
    ui.style_mut().override_font_id = None;
    let now = teaching.distances.last().map_or(0.0, |distance| f64::from(*distance));
    shown.response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::Image, true, name);
        info.value = Some(now);
        info
    });
}

/// How far teaching is, in words; `None` when nothing is taught.
pub(in crate::ui) fn progress_words(state: &State) -> Option<String> {
    let teaching = state.paint.teach.teaching.as_ref()?;
    if teaching.step == 0 {
        return Some(state.t(Key::ReadingPhotographs).to_owned());
    }
    let [step, steps] = [teaching.step, teaching.steps].map(|number| text::count(number as usize));
    let words = fill(state.lang, Key::TeachingStep, &[&step, &steps]);
    let left = teaching.seconds_left.filter(|left| *left >= 1.0).map(|left| {
        let left = text::duration(state.lang, f64::from(left));
        fill(state.lang, Key::TimeLeft, &[&left])
    });
    Some(left.map_or(words.clone(), |left| format!("{words} · {left}")))
}

/// How the textures are taught.
pub(super) fn panel_ui(ui: &mut Ui, state: &mut State) {
    let lang = state.lang;
    let t = |key| crate::ui::t(lang, key);
    widgets::section(ui, t(Key::TeachTextures));
    ui.add_space(8.0);
    widgets::note(ui, t(Key::TeachHow));
    ui.add_space(12.0);
    let may_change = state.paint.teach.teaching.is_none();
    ui.add_enabled_ui(may_change, |ui| {
        let full = state.paint.teach.photographs.len() >= MOST;
        let tip = if full { Key::PhotographsFull } else { Key::AddPhotographTip };
        let button =
            ui.add_enabled_ui(!full, |ui| widgets::button(ui, Look::Hairline, Some(Icon::Plus), t(Key::AddPhotograph)));
        if button.inner.on_hover_text(t(tip)).on_disabled_hover_text(t(tip)).clicked() {
            state.ask(Action::Teach(TeachAction::Add));
        }
        ui.add_space(18.0);
        widgets::section(ui, t(Key::ModelName));
        ui.add_space(8.0);
        let hint = state.paint.teach.first_name();
        let view = &mut state.paint.teach;
        widgets::field(ui, Id::unique("texture model"), &mut view.name, t(Key::ModelName), &hint);
        ui.add_space(18.0);
        widgets::section(ui, t(Key::Structure));
        ui.add_space(8.0);
        let size = vec2(ui.available_width(), theme::CONTROL_HEIGHT);
        let choices = [
            (Structure::Fine, t(Key::StructureFine)),
            (Structure::Medium, t(Key::StructureMedium)),
            (Structure::Coarse, t(Key::StructureCoarse)),
        ];
        let tips = [Key::StructureTip; 3].map(|key| t(key).to_owned());
        widgets::segmented_with_tips(ui, size, &mut view.structure, &choices, &tips);
        ui.add_space(6.0);
        widgets::note(ui, t(Key::StructureTip));
        ui.add_space(18.0);
        widgets::section(ui, t(Key::HowLong));
        ui.add_space(8.0);
        let choices = [(false, t(Key::TeachQuick)), (true, t(Key::TeachThorough))];
        let tips = [Key::TeachQuickTip, Key::TeachThoroughTip].map(|key| t(key).to_owned());
        widgets::segmented_with_tips(ui, size, &mut view.thorough, &choices, &tips);
        ui.add_space(6.0);
        let steps = text::count(view.steps() as usize);
        widgets::note(ui, &fill(lang, Key::TeachSteps, &[&steps]));
    });
}
