//! The Paint page: a gallery of what was drawn, and the picture that was chosen in it, to be varied, mixed and steered.

mod gallery;
mod map;
mod mix;
mod panel;
mod path;
mod textures;
pub mod words;

use egui::{Align, Frame, Layout, Margin, Panel, Ui};

use super::{
    Icon, Key,
    state::{Action, State},
    theme, widgets,
};
use crate::{
    engine::{PaintInput, Painted},
    generate::image::{Direction, ImageModelInfo, ImageRequest, Picture},
};
pub use map::MapView;
use mix::mixed;
pub use path::PathView;
use textures::Textures;

/// Directions that have a slider.
pub const DIRECTIONS: usize = 5;
/// How far a variation goes from its picture: the share of the latent that is new.
const NEAR: f32 = 0.35;
const FAR: f32 = 0.75;
/// Variations made at a time.
const VARIATIONS: usize = 12;

/// Width and height of sketches of models that draw any size, in pixels.
const SKETCH_SIZE: u32 = 128;

/// A picture's number in this window.
pub type PictureId = u64;

/// What the page shows below its header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// Everything that was drawn.
    #[default]
    Gallery,
    /// What lies between four pictures.
    Map,
    /// A film from picture to picture.
    Path,
}

/// Pictures that are drawn for a view and kept nowhere.
#[derive(Default)]
pub struct Sketch {
    /// The number they were asked for under.
    pub number: u64,
    /// What was asked for.
    pub requests: Vec<ImageRequest>,
    /// Those that came, in the order of the requests.
    pub pictures: Vec<Option<Picture>>,
}

/// What the page shows, and what is chosen on it.
#[derive(Default)]
pub struct PaintView {
    /// The model in use, once it is open.
    pub model: Option<ImageModelInfo>,
    /// SHA-256 of its file.
    pub model_sha256: String,
    /// Pictures drawn, of how many asked for.
    pub drawing: Option<(usize, usize)>,
    /// How much of the picture that is being enlarged is done, 0..=1.
    pub enlarging: Option<f32>,
    /// Pictures per second.
    pub per_second: Option<f32>,
    /// Where an enlarged picture shown large gives way to what it was enlarged from, 0..=1 from the left.
    pub divide: f32,
    /// The line of words above the gallery, and as it was when it was last obeyed.
    pub words: String,
    pub obeyed: String,
    /// Which view is shown.
    pub view: View,
    /// What lies between four pictures.
    pub map: MapView,
    /// The film.
    pub path: PathView,
    /// What was drawn for the view that is shown.
    pub sketch: Sketch,
    /// The model that map and path belong to, by its SHA-256.
    made_for: String,
    /// What was drawn, the newest first.
    pub pictures: Vec<(PictureId, Painted)>,
    /// The picture shown large.
    pub selected: Option<PictureId>,
    /// A second one, to be mixed with it.
    pub partner: Option<PictureId>,
    /// How much of the second is mixed in, 0..=1.
    pub mix: f32,
    /// Steps along directions, for the picture shown large.
    pub steps: [f32; DIRECTIONS],
    /// Whether only marked pictures are shown.
    pub only_starred: bool,
    /// The preview, with its number, and the number of the one asked for last.
    pub preview: Option<(u64, Picture)>,
    /// The number of the preview that was asked for last.
    pub previews: u64,
    /// What the preview asked for last shows.
    pub previewed: Option<ImageRequest>,
    /// Numbers given to pictures so far.
    pub numbered: PictureId,
    textures: Textures,
}

impl PaintView {
    /// Whether pictures are being drawn or enlarged.
    pub fn is_busy(&self) -> bool {
        self.drawing.is_some() || self.enlarging.is_some()
    }

    /// Takes pictures that came.
    pub fn arrive(&mut self, arrived: Vec<Painted>) {
        let mut front = Vec::new();
        for painted in arrived {
            // A picture that was read may have been drawn by this window before.
            let known = painted.path.is_some() && self.pictures.iter().any(|(_, known)| known.path == painted.path);
            if known {
                continue;
            }
            self.numbered += 1;
            if painted.is_new {
                front.push((self.numbered, painted));
            } else {
                self.pictures.push((self.numbered, painted));
            }
        }
        front.reverse();
        self.pictures.splice(0..0, front);
    }

    /// The picture with this number.
    pub fn picture(&self, id: PictureId) -> Option<&Painted> {
        self.pictures.iter().find(|(known, _)| *known == id).map(|(_, painted)| painted)
    }

    /// The picture shown large.
    pub fn chosen(&self) -> Option<&Painted> {
        self.picture(self.selected?)
    }

    /// Shows this picture large.
    pub fn choose(&mut self, id: PictureId) {
        self.selected = Some(id);
        self.partner = None;
        (self.mix, self.divide) = (0.5, 0.0);
        self.steps = [0.0; DIRECTIONS];
        self.preview = None;
        self.previewed = None;
        if let Some(painted) = self.picture(id) {
            for step in painted.recipe.request.directions.clone() {
                if let Some(value) = self.steps.get_mut(step.index as usize) {
                    *value = step.amount;
                }
            }
        }
    }

    /// Whether the picture is by the model that is open.
    pub fn is_by_open_model(&self, painted: &Painted) -> bool {
        !self.model_sha256.is_empty() && painted.recipe.model.sha256 == self.model_sha256
    }

    /// Takes a sketch that came.
    pub fn sketched(&mut self, number: u64, place: usize, picture: Picture) {
        if number == self.sketch.number
            && let Some(slot) = self.sketch.pictures.get_mut(place)
        {
            *slot = Some(picture);
        }
    }

    /// The chosen picture's request, if the model that is open can go on from it.
    fn usable(&self, id: Option<PictureId>) -> Option<ImageRequest> {
        let one = self.picture(id?).filter(|one| self.is_by_open_model(one))?;
        Some(one.recipe.request.clone())
    }

    /// What the large picture is to show instead of a kept one.
    fn wanted(&self) -> Option<ImageRequest> {
        match self.view {
            View::Gallery => self.edited(),
            View::Map => self.map.here(),
            View::Path => None,
        }
    }

    /// What the chosen picture was enlarged from, if that is in the gallery.
    pub fn before(&self) -> Option<(PictureId, &Painted)> {
        let chosen = self.chosen().filter(|chosen| chosen.recipe.upscaled.is_some())?;
        let is_it = |one: &Painted| {
            let (a, b) = (&one.recipe, &chosen.recipe);
            a.upscaled.is_none() && a.model == b.model && a.request == b.request
        };
        self.pictures.iter().find(|(_, one)| is_it(one)).map(|(id, one)| (*id, one))
    }

    /// What the sliders make of the chosen picture; `None` when that is the picture itself, or another model's.
    pub fn edited(&self) -> Option<ImageRequest> {
        let chosen = self.chosen().filter(|chosen| self.is_by_open_model(chosen))?;
        let mut request = chosen.recipe.request.clone();
        if let Some(partner) = self.partner.and_then(|id| self.picture(id)).filter(|one| self.is_by_open_model(one)) {
            request = mixed(&request, &partner.recipe.request, self.mix);
        }
        let beyond = request.directions.iter().filter(|step| step.index as usize >= DIRECTIONS).copied();
        let steps = self.steps.iter().enumerate().filter(|(_, amount)| **amount != 0.0);
        let steps = steps.map(|(index, amount)| Direction { index: index as u32, amount: *amount });
        request.directions = steps.chain(beyond).collect();
        (request != chosen.recipe.request).then_some(request)
    }
}

/// What the page asks to be drawn next of a model with so many classes, and of any size or one: seeds from the one that
/// is set on.
pub fn requests_of(state: &State, classes: usize, any_size: bool) -> Vec<ImageRequest> {
    let settings = &state.preferences.painting;
    let class = settings.class.filter(|class| (*class as usize) < classes);
    let request = |index: usize| ImageRequest {
        class,
        truncation: settings.truncation,
        size: any_size.then_some(settings.size),
        ..ImageRequest::of_seed(settings.seed.wrapping_add(index as u64))
    };
    (0..settings.count).map(request).collect()
}

/// The page below the header.
pub fn paint_ui(ui: &mut Ui, state: &mut State) {
    let palette = theme::palette(ui);
    let view = &mut state.paint;
    if view.made_for != view.model_sha256 {
        // Another model's mixtures are not this one's.
        (view.map, view.path) = Default::default();
        // Numbers go on: what shows an old one is not taken for the new.
        view.sketch = Sketch { number: view.sketch.number + 1, ..Sketch::default() };
        view.made_for.clone_from(&view.model_sha256);
    }
    let plain = Frame::new().fill(palette.background);
    let frame = plain.inner_margin(Margin { left: 16, right: 0, top: 16, bottom: 0 });
    Panel::right("picture").exact_size(theme::INSPECTOR_WIDTH).resizable(false).frame(frame).show(ui, |ui| {
        panel::panel_ui(ui, state);
    });
    let margin = theme::WORK_MARGIN as i8;
    let work = plain.inner_margin(Margin { left: margin, right: 0, top: 16, bottom: 0 });
    egui::CentralPanel::no_frame().frame(work).show(ui, |ui| match state.paint.view {
        View::Gallery => gallery::gallery_ui(ui, state),
        View::Map => map::map_ui(ui, state),
        View::Path => path::path_ui(ui, state),
    });
    preview(state);
    sketch(state);
}

/// The views, in the header.
pub fn controls_ui(ui: &mut Ui, state: &mut State) {
    let choices = [(View::Gallery, Key::Gallery), (View::Map, Key::SeedMap), (View::Path, Key::Path)];
    let tips = [Key::GalleryTip, Key::SeedMapTip, Key::PathTip].map(|tip| state.t(tip).to_owned());
    let choices = choices.map(|(view, key)| (view, state.t(key)));
    let size = egui::vec2(3.0 * 92.0, theme::CONTROL_HEIGHT);
    widgets::segmented_with_tips(ui, size, &mut state.paint.view, &choices, &tips);
}

/// Asks for the picture that the sliders make, as soon as they make another one.
fn preview(state: &mut State) {
    let edited = state.paint.wanted();
    let view = &mut state.paint;
    if edited == view.previewed {
        return;
    }
    view.previewed.clone_from(&edited);
    match edited {
        None => view.preview = None,
        Some(request) => {
            view.previews += 1;
            let number = view.previews;
            state.ask(Action::Paint(PaintInput::Preview { number, request: Box::new(request) }));
        }
    }
}

/// Asks for what the view that is shown consists of, as soon as that is something else.
fn sketch(state: &mut State) {
    let view = &mut state.paint;
    let Some(model) = &view.model else { return };
    let mut wanted = match view.view {
        View::Gallery => Vec::new(),
        View::Map => view.map.cells(),
        View::Path => view.path.frames(),
    };
    if model.any_size {
        // Small ones come at once; they are the corners of the large ones.
        wanted.iter_mut().for_each(|request| request.size = Some([SKETCH_SIZE; 2]));
    }
    if wanted == view.sketch.requests {
        return;
    }
    let number = view.sketch.number + 1;
    view.sketch = Sketch { number, requests: wanted.clone(), pictures: vec![None; wanted.len()] };
    if !wanted.is_empty() {
        state.ask(Action::Paint(PaintInput::Sketch { number, requests: wanted }));
    }
}

fn empty_ui(ui: &mut Ui, state: &State, what: Key, how: Key) {
    ui.with_layout(Layout::top_down(Align::Center), |ui| {
        ui.add_space((ui.available_height() * 0.38).max(0.0));
        Icon::Paint.ui(ui, 28.0, theme::palette(ui).muted);
        ui.label(egui::RichText::new(state.t(what)).font(theme::body_medium()));
        let text = egui::RichText::new(state.t(how)).font(theme::row());
        ui.add(egui::Label::new(text.color(theme::palette(ui).muted)).wrap());
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_pictures_come_first_and_read_ones_after() {
        let painted = |name: &str, is_new: bool| Painted {
            path: Some(name.into()),
            recipe: crate::recipe::ImageRecipe {
                model: crate::recipe::ModelRef { name: "m".to_owned(), sha256: "s".to_owned() },
                request: ImageRequest::of_seed(1),
                width: 1,
                height: 1,
                upscaled: None,
            },
            picture: Picture { width: 1, height: 1, rgb: vec![0; 3] },
            starred: false,
            is_new,
        };
        let mut view = PaintView::default();
        view.arrive(vec![painted("d", false), painted("c", false)]);
        view.arrive(vec![painted("e", true), painted("f", true), painted("d", false)]);
        let names: Vec<_> = view.pictures.iter().map(|(_, one)| one.path.clone().expect("a path")).collect();
        assert_eq!(names, ["f", "e", "d", "c"].map(std::path::PathBuf::from));
    }
}
