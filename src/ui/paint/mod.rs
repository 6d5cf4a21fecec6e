//! The Paint page: a gallery of what was drawn, and the picture that was chosen in it, to be varied, mixed and steered.

mod bar;
mod gallery;
mod large;
mod map;
mod marks;
mod mix;
mod panel;
mod path;
mod several;
mod shelf;
pub(super) mod teach;
mod textures;
pub mod words;

use egui::{Align, Frame, Layout, Margin, Panel, Ui};

use super::{
    Icon, Key,
    state::{Action, State},
    theme, widgets,
};
use std::{path::PathBuf, sync::Arc};

use crate::{
    engine::{Arrival, Entry, GalleryInput, PaintInput, Painted},
    generate::image::{Direction, ImageModelInfo, ImageRequest, Picture},
};
pub use large::Large;
pub use map::MapView;
use mix::{mixed, styled};
pub use path::PathView;
pub use shelf::Shelf;
pub use teach::{MOST as MOST_PHOTOGRAPHS, Structure, TeachView};
use textures::Textures;

/// Directions that have a slider.
pub const DIRECTIONS: usize = 5;
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
    /// Textures that are taught from photographs.
    Teach,
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
    /// How the chosen picture is looked at where it is as large as the page; `None` while the gallery is shown.
    pub large: Option<Large>,
    /// Where an enlarged picture shown large gives way to what it was enlarged from, 0..=1 from the left.
    pub divide: f32,
    /// Whether a texture shown large is shown beside itself.
    pub tiled: bool,
    /// Whether pictures can be carried out of the window with the pointer.
    pub carries: bool,
    /// The line of words above the gallery, and as it was when it was last obeyed.
    pub words: String,
    pub obeyed: String,
    /// Which view is shown.
    pub view: View,
    /// What lies between four pictures.
    pub map: MapView,
    /// The film.
    pub path: PathView,
    /// Textures that are taught.
    pub teach: TeachView,
    /// What was drawn for the view that is shown.
    pub sketch: Sketch,
    /// The model that map and path belong to, by its SHA-256.
    made_for: String,
    /// What was drawn.
    pub shelf: Shelf,
    /// Whether the gallery is that of the bin.
    pub in_bin: bool,
    /// How many files of the folder are read, of those that are new to the index.
    pub reading: Option<(usize, usize)>,
    /// How many pictures are exported, of how many.
    pub exporting: Option<(usize, usize)>,
    /// Whether a click chooses one more picture.
    pub choosing: bool,
    /// The tag that is being typed.
    pub tag: String,
    /// Whether tags are suggested, and whether one of those has the keyboard.
    suggests: bool,
    suggested: bool,
    /// The picture whose steps and mixture the sliders show; it may still have to be fetched.
    shaped: Option<PictureId>,
    /// What was asked of the gallery and has not come.
    asked: Asked,
    /// Whether something had the keyboard in the last frame: its Enter is not the gallery's.
    had_focus: bool,
    /// Whether that was a field.
    had_text_focus: bool,
    /// The picture shown large.
    pub selected: Option<PictureId>,
    /// A second one, to be mixed with it.
    pub partner: Option<PictureId>,
    /// How much of the second is mixed in, 0..=1.
    pub mix: f32,
    /// A bit for each layer where it is not.
    pub layers_off: u64,
    /// Steps along directions, for the picture shown large.
    pub steps: [f32; DIRECTIONS],
    /// Steps that the line of words asks for, for the next pictures.
    next_steps: Vec<Direction>,
    /// The direction that is being given a name, and the name so far.
    naming: Option<(usize, String)>,
    /// The preview, with its number, and the number of the one asked for last.
    pub preview: Option<(u64, Picture)>,
    /// The number of the preview that was asked for last.
    pub previews: u64,
    /// What the preview asked for last shows.
    pub previewed: Option<ImageRequest>,
    textures: Textures,
}

/// What was asked of the gallery and has not come.
#[derive(Default)]
struct Asked {
    thumbnails: Vec<PictureId>,
    whole: Vec<PathBuf>,
}

impl PaintView {
    /// Whether pictures are being drawn, enlarged or exported.
    pub fn is_busy(&self) -> bool {
        self.drawing.is_some() || self.enlarging.is_some() || self.exporting.is_some()
    }

    /// What the line of words asked for last does not hold any more.
    pub fn forget_words(&mut self) {
        self.obeyed.clone_from(&self.words);
        self.next_steps.clear();
    }

    /// Whether a field had the keyboard in the last frame: its Escape is the field's.
    pub fn was_typed_into(&self) -> bool {
        self.had_text_focus
    }

    /// From now on the pictures are those of the bin, or of the gallery again; they are to come yet.
    pub fn begin_anew(&mut self, in_bin: bool) {
        self.in_bin = in_bin;
        self.shelf.empty();
        self.asked = Asked::default();
        (self.selected, self.partner, self.large, self.choosing) = (None, None, None, false);
        (self.preview, self.previewed) = (None, None);
    }

    /// Takes a picture that came; returns its number.
    pub fn arrive(&mut self, arrival: Arrival) -> PictureId {
        let thumbnail = arrival.thumbnail.clone();
        let id = self.shelf.arrive(arrival);
        if let Some(thumbnail) = thumbnail {
            self.textures.put(id, Some(thumbnail));
        }
        id
    }

    /// Takes a thumbnail that came; `None` when there is none.
    pub fn thumbnail(&mut self, path: &std::path::Path, thumbnail: Option<Picture>) {
        if let Some(id) = self.shelf.at(path) {
            self.asked.thumbnails.retain(|asked| *asked != id);
            self.textures.put(id, thumbnail);
        }
    }

    /// Takes a whole picture that came.
    pub fn fetched(&mut self, painted: Arc<Painted>) {
        self.asked.whole.retain(|path| Some(path) != painted.path.as_ref());
        self.shelf.fetched(painted);
        self.shape();
    }

    /// Takes a picture out that is not there any more; the one beside it is shown large then.
    pub fn remove(&mut self, path: &std::path::Path) {
        let Some(id) = self.shelf.at(path) else { return };
        let next = (self.selected == Some(id)).then(|| self.beside(id)).flatten();
        self.shelf.remove(id);
        self.textures.forget(id);
        self.partner = self.partner.filter(|partner| *partner != id);
        if self.selected == Some(id) {
            match next {
                Some(next) => self.choose(next),
                None => (self.selected, self.large) = (None, None),
            }
        }
    }

    /// The picture after this one, or before it, that is not chosen with it.
    fn beside(&self, id: PictureId) -> Option<PictureId> {
        let shown = self.shelf.shown_now();
        let at = shown.iter().position(|shown| *shown == id)?;
        let stays = |id: &&PictureId| self.shelf.get(**id).is_some() && !self.shelf.several.contains(id);
        shown[at + 1..].iter().find(stays).or_else(|| shown[..at].iter().rev().find(stays)).copied()
    }

    /// The picture that is shown after the chosen one, or before it.
    fn neighbour(&self, forth: bool) -> Option<PictureId> {
        let shown = self.shelf.shown_now();
        let at = shown.iter().position(|shown| Some(*shown) == self.selected)?;
        let next = if forth { at + 1 } else { at.checked_sub(1)? };
        shown.get(next).copied()
    }

    /// Back from the chosen picture to the gallery, or no pictures are chosen together any more.
    pub fn step_back(&mut self) {
        if self.large.take().is_none() {
            self.choose_none();
        }
    }

    /// No pictures are chosen together any more.
    pub fn choose_none(&mut self) {
        self.choosing = false;
        self.shelf.several.clear();
    }

    /// What is known of the picture shown large.
    pub fn chosen(&self) -> Option<&Arc<Entry>> {
        self.shelf.get(self.selected?)
    }

    /// The picture shown large, once it is here.
    pub fn chosen_whole(&self) -> Option<&Arc<Painted>> {
        self.shelf.whole(self.selected?)
    }

    /// Shows this picture large.
    pub fn choose(&mut self, id: PictureId) {
        self.selected = Some(id);
        self.partner = None;
        (self.mix, self.layers_off, self.divide) = (0.5, 0, 0.0);
        self.steps = [0.0; DIRECTIONS];
        self.preview = None;
        self.previewed = None;
        self.shaped = None;
        // What could not be had before may be there now.
        self.asked.whole.clear();
        self.shape();
    }

    /// Shows this picture large, and no others are chosen with it.
    pub fn choose_alone(&mut self, id: PictureId) {
        self.shelf.several.clear();
        self.choose(id);
    }

    /// Sets the sliders as the chosen picture has them, once it is here.
    fn shape(&mut self) {
        let Some(id) = self.selected.filter(|id| self.shaped != Some(*id)) else { return };
        let Some(painted) = self.shelf.whole(id).cloned() else { return };
        self.shaped = Some(id);
        for step in &painted.recipe.request.directions {
            if let Some(value) = self.steps.get_mut(step.index as usize) {
                *value = step.amount;
            }
        }
    }

    /// The whole pictures that are needed and neither here nor asked for.
    fn missing(&mut self) -> Vec<PathBuf> {
        let before = self.before();
        let ids = [self.selected, self.partner, before].into_iter().flatten();
        let ids = ids.filter(|id| self.shelf.whole(*id).is_none());
        let paths = ids.filter_map(|id| self.shelf.get(id)?.path.clone());
        let missing: Vec<_> = paths.filter(|path| !self.asked.whole.contains(path)).collect();
        self.asked.whole.extend(missing.iter().cloned());
        missing
    }

    /// Whether the picture is by the model that is open.
    pub fn is_by_open_model(&self, entry: &Entry) -> bool {
        !self.model_sha256.is_empty() && entry.kind.model.sha256 == self.model_sha256
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
        self.shelf.get(id?).filter(|one| self.is_by_open_model(one))?;
        Some(self.shelf.whole(id?)?.recipe.request.clone())
    }

    /// What the large picture is to show instead of a kept one.
    fn wanted(&self) -> Option<ImageRequest> {
        match self.view {
            View::Gallery => self.edited(),
            View::Map => self.map.here(),
            View::Path | View::Teach => None,
        }
    }

    /// What the chosen picture was enlarged from, if that is in the gallery.
    pub fn before(&self) -> Option<PictureId> {
        self.chosen().filter(|chosen| chosen.is_enlarged).and_then(|chosen| self.shelf.before(chosen))
    }

    /// The layers at which the second picture is mixed in; `None` when it is mixed in as a whole.
    fn chosen_layers(&self) -> Option<Vec<u32>> {
        let count = self.model.as_ref().map_or(0, |model| model.layers.len()) as u32;
        let on = |layer: &u32| self.layers_off >> layer & 1 == 0;
        Some((0..count).filter(on).collect::<Vec<_>>()).filter(|layers| layers.len() < count as usize)
    }

    /// What the sliders make of the chosen picture; `None` when that is the picture itself, or another model's.
    pub fn edited(&self) -> Option<ImageRequest> {
        let own = self.usable(self.selected).filter(|_| self.shaped == self.selected)?;
        let mut request = own.clone();
        if let Some(partner) = self.usable(self.partner) {
            request = match self.chosen_layers() {
                None => mixed(&request, &partner, self.mix),
                Some(layers) => styled(&request, &partner, layers, self.mix),
            };
        }
        let beyond = request.directions.iter().filter(|step| step.index as usize >= DIRECTIONS).copied();
        let steps = self.steps.iter().enumerate().filter(|(_, amount)| **amount != 0.0);
        let steps = steps.map(|(index, amount)| Direction { index: index as u32, amount: *amount });
        request.directions = steps.chain(beyond).collect();
        (request != own).then_some(request)
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
        directions: state.paint.next_steps.clone(),
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
        (view.next_steps, view.naming) = Default::default();
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
        View::Gallery if state.paint.large.is_some() && state.paint.chosen().is_some() => large::large_ui(ui, state),
        View::Gallery => gallery::gallery_ui(ui, state),
        View::Map => map::map_ui(ui, state),
        View::Path => path::path_ui(ui, state),
        View::Teach => teach::teach_ui(ui, state),
    });
    state.paint.had_focus = ui.memory(|memory| memory.focused()).is_some();
    state.paint.had_text_focus = ui.ctx().text_edit_focused();
    preview(state);
    sketch(state);
    for path in state.paint.missing() {
        state.ask(Action::Gallery(GalleryInput::Fetch(path)));
    }
}

/// The views, in the header.
pub fn controls_ui(ui: &mut Ui, state: &mut State) {
    let choices =
        [(View::Gallery, Key::Gallery), (View::Map, Key::SeedMap), (View::Path, Key::Path), (View::Teach, Key::Teach)];
    let tips = [Key::GalleryTip, Key::SeedMapTip, Key::PathTip, Key::TeachTip].map(|tip| state.t(tip).to_owned());
    let choices = choices.map(|(view, key)| (view, state.t(key)));
    let size = egui::vec2(4.0 * 84.0, theme::CONTROL_HEIGHT);
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
        View::Gallery | View::Teach => Vec::new(),
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
