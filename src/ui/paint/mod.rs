//! The Paint page: a gallery of what was drawn, and the picture that was chosen in it, to be varied, mixed and steered.

mod gallery;
mod panel;
mod textures;

use egui::{Align, Frame, Layout, Margin, Panel, Ui};

use super::{
    Icon, Key,
    state::{Action, State},
    theme,
};
use crate::{
    engine::{PaintInput, Painted},
    generate::image::{Direction, ImageModelInfo, ImageRequest, Picture, SeedWeight},
};
use textures::Textures;

/// Directions that have a slider.
pub const DIRECTIONS: usize = 5;
/// How far a variation goes from its picture: the share of the latent that is new.
const NEAR: f32 = 0.35;
const FAR: f32 = 0.75;
/// Variations made at a time.
const VARIATIONS: usize = 12;

/// A picture's number in this window.
pub type PictureId = u64;

/// What the page shows, and what is chosen on it.
#[derive(Default)]
pub struct PaintView {
    /// The model in use, once it is open.
    pub model: Option<ImageModelInfo>,
    /// SHA-256 of its file.
    pub model_sha256: String,
    /// Pictures drawn, of how many asked for.
    pub drawing: Option<(usize, usize)>,
    /// Pictures per second.
    pub per_second: Option<f32>,
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
    /// Whether pictures are being drawn.
    pub fn is_busy(&self) -> bool {
        self.drawing.is_some()
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
        self.mix = 0.5;
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

/// `share` of `b`, and the rest of `a`: seeds on the way around the sphere, the nearer one's class.
fn mixed(a: &ImageRequest, b: &ImageRequest, share: f32) -> ImageRequest {
    let turn = share * std::f32::consts::FRAC_PI_2;
    let length = |request: &ImageRequest| request.seeds.iter().map(|part| part.weight.powi(2)).sum::<f32>().sqrt();
    let part = |request: &ImageRequest, weight: f32| {
        let scale = weight / length(request);
        request
            .seeds
            .iter()
            .map(move |part| SeedWeight { seed: part.seed, weight: part.weight * scale })
            .collect::<Vec<_>>()
    };
    let mut seeds: Vec<SeedWeight> = Vec::new();
    for part in part(a, turn.cos()).into_iter().chain(part(b, turn.sin())) {
        match seeds.iter_mut().find(|known| known.seed == part.seed) {
            Some(known) => known.weight += part.weight,
            None => seeds.push(part),
        }
    }
    seeds.retain(|part| part.weight != 0.0);
    let nearer = if share <= 0.5 { a } else { b };
    let truncation = a.truncation + (b.truncation - a.truncation) * share;
    ImageRequest { seeds, truncation, ..nearer.clone() }
}

/// Pictures like `request`: `distance` of each is new.
fn varied(request: &ImageRequest, distance: f32, seed: u64) -> ImageRequest {
    mixed(request, &ImageRequest { class: request.class, ..ImageRequest::of_seed(seed) }, distance * 0.5)
}

/// What the page asks to be drawn next: seeds from the one that is set on.
pub fn requests(state: &State) -> Vec<ImageRequest> {
    let settings = &state.preferences.painting;
    let classes = state.paint.model.as_ref().map_or(0, |model| model.classes.len());
    let class = settings.class.filter(|class| (*class as usize) < classes);
    let request = |index: usize| ImageRequest {
        class,
        truncation: settings.truncation,
        ..ImageRequest::of_seed(settings.seed.wrapping_add(index as u64))
    };
    (0..settings.count).map(request).collect()
}

/// The page below the header.
pub fn paint_ui(ui: &mut Ui, state: &mut State) {
    let palette = theme::palette(ui);
    let plain = Frame::new().fill(palette.background);
    let frame = plain.inner_margin(Margin { left: 16, right: 0, top: 16, bottom: 0 });
    Panel::right("picture").exact_size(theme::INSPECTOR_WIDTH).resizable(false).frame(frame).show(ui, |ui| {
        panel::panel_ui(ui, state);
    });
    let margin = theme::WORK_MARGIN as i8;
    let work = plain.inner_margin(Margin { left: margin, right: 0, top: 16, bottom: 0 });
    egui::CentralPanel::no_frame().frame(work).show(ui, |ui| {
        if state.paint.pictures.is_empty() && !state.paint.is_busy() {
            empty_ui(ui, state);
        } else {
            gallery::gallery_ui(ui, state);
        }
    });
    preview(state);
}

/// Asks for the picture that the sliders make, as soon as they make another one.
fn preview(state: &mut State) {
    let edited = state.paint.edited();
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

fn empty_ui(ui: &mut Ui, state: &State) {
    ui.with_layout(Layout::top_down(Align::Center), |ui| {
        ui.add_space((ui.available_height() * 0.38).max(0.0));
        Icon::Paint.ui(ui, 28.0, theme::palette(ui).muted);
        ui.label(egui::RichText::new(state.t(Key::PaintEmpty)).font(theme::body_medium()));
        let text = egui::RichText::new(state.t(Key::PaintEmptyHow)).font(theme::row());
        ui.add(egui::Label::new(text.color(theme::palette(ui).muted)).wrap());
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixtures_keep_their_length_and_end_at_their_pictures() {
        let [a, b] = [3, 9].map(ImageRequest::of_seed);
        let length = |request: &ImageRequest| request.seeds.iter().map(|part| part.weight.powi(2)).sum::<f32>();
        for share in [0.0, 0.2, 0.5, 0.9, 1.0] {
            let mixed = mixed(&a, &b, share);
            assert!((length(&mixed) - 1.0).abs() < 1e-5, "{share}");
        }
        assert_eq!(mixed(&a, &b, 0.0).seeds, a.seeds);
        assert_eq!(mixed(&a, &b, 0.5).seeds.len(), 2);
        // A mixture of mixtures is one of the same seeds.
        let again = mixed(&mixed(&a, &b, 0.3), &b, 0.5);
        assert_eq!(again.seeds.len(), 2);
        let near = varied(&a, NEAR, 77);
        assert!(near.seeds[0].seed == 3 && near.seeds[0].weight > 0.9 && near.seeds[1].weight > 0.1);
    }

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
