//! The Paint page's side of the engine: pictures are taken from the painter once a frame; what it draws is kept.

use std::path::{Path, PathBuf};

use super::{App, Purpose, gallery::FOLDER, told};
use crate::{
    catalogue,
    engine::{FileFilter, FilmKind, GalleryInput, PaintInput, ToEnlarge, ToFilm, UiCommand},
    generate::image::{ImageRequest, Picture},
    recipe::{ImageRecipe, Recipe},
    ui::{Key, paint, preferences::MOST_SEED, state::Page, toasts::Kind},
};

impl App {
    /// Hands a page's wish to the painter.
    pub(super) fn tell_painter(&mut self, input: PaintInput) {
        if let Some(port) = self.link.as_ref().and_then(|link| link.paint()) {
            port.tell(input);
        }
    }

    /// Opens the model when the page is shown first, and takes what the painter has drawn since the last frame.
    pub(super) fn follow_painter(&mut self) {
        let Some(port) = self.link.as_ref().and_then(|link| link.paint()) else { return };
        if self.state.page == Page::Paint && !self.paint_opened && self.state.models.is_some() {
            self.paint_opened = true;
            let models = self.state.models.iter().flatten();
            let usable: Vec<_> = models.filter(|model| model.kind == "image" && model.unusable.is_none()).collect();
            let wanted = self.state.preferences.painting.model.as_ref();
            let usual = usable.iter().find(|model| model.name == catalogue::DEFAULT_IMAGE_MODEL);
            let chosen = usable.iter().find(|model| Some(&model.path) == wanted).or(usual).or(usable.first());
            if let Some(model) = chosen {
                port.tell(PaintInput::Open { name: model.name.clone(), path: model.path.clone() });
            }
        }
        let view = &mut self.state.paint;
        let (film, error) = port.look(|now| {
            if view.model != now.model {
                view.model.clone_from(&now.model);
            }
            if view.model_sha256 != now.model_sha256 {
                view.model_sha256.clone_from(&now.model_sha256);
            }
            view.drawing = now.drawing;
            (view.per_second, view.enlarging) = (now.per_second, now.enlarging);
            if now.preview.is_some() {
                view.preview = now.preview.take();
            }
            for (number, place, picture) in now.sketches.drain(..) {
                view.sketched(number, place, picture);
            }
            (now.saved.take(), now.error.take())
        });
        if let Some(path) = film {
            self.file_saved(&path);
        }
        if let Some(why) = error {
            self.state.toasts.error(why);
        }
    }

    /// Says that a file of pictures is there.
    pub(super) fn file_saved(&mut self, path: &Path) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        self.state.toasts.add(Kind::Done, told(Key::FileSavedAs, &[&name]), None);
    }

    /// Stops drawing, enlarging and exporting.
    pub(super) fn stop_painting(&mut self) {
        self.tell_painter(PaintInput::Stop);
        if self.state.paint.exporting.is_some() {
            self.tell_gallery(GalleryInput::Stop);
        }
    }

    /// Draws the next sheet, and moves the seed on.
    pub(super) fn draw_next(&mut self) {
        if let Some(model) = paint::words::apply(&mut self.state) {
            // The painter opens it before it draws; what the classes mean is known already.
            let is_opening = self.state.preferences.painting.model.as_ref() == Some(&model.path);
            self.state.preferences.painting.model = Some(model.path.clone());
            let requests = paint::requests_of(&self.state, model.classes.len(), model.family == "psgan");
            if !is_opening {
                self.tell_painter(PaintInput::Open { name: model.name, path: model.path });
            }
            return self.draw_sheet(requests);
        }
        if self.state.paint.model.is_none() {
            return self.state.toasts.add(Kind::Note, told(Key::FirstOpenPaint, &[]), None);
        }
        let model = self.state.paint.model.as_ref();
        let (classes, any_size) = model.map_or((0, false), |model| (model.classes.len(), model.any_size));
        self.draw_sheet(paint::requests_of(&self.state, classes, any_size));
    }

    fn draw_sheet(&mut self, requests: Vec<ImageRequest>) {
        // Where they come can be seen.
        (self.state.paint.view, self.state.paint.large) = (paint::View::Gallery, None);
        let settings = &mut self.state.preferences.painting;
        settings.seed = settings.seed.wrapping_add(requests.len() as u64) % MOST_SEED;
        self.draw_pictures(requests);
    }

    /// Draws pictures and keeps them in the library.
    pub(super) fn draw_pictures(&mut self, requests: Vec<ImageRequest>) {
        self.show_bin(false);
        let keep = self.keep_under();
        self.tell_painter(PaintInput::Draw { requests, keep });
    }

    /// The folder that pictures are kept in, and what the names of the next ones begin with.
    pub(super) fn keep_under(&self) -> Option<(PathBuf, String)> {
        self.library_folder().map(|folder| (folder.join(FOLDER), format!("{:013}", self.state.now_ms)))
    }

    /// Sets model, class, truncation, size and seed as the chosen picture has them, so that what is drawn next begins with
    /// it.
    pub(super) fn use_settings(&mut self) {
        let Some(recipe) = self.state.paint.chosen_whole().map(|chosen| chosen.recipe.clone()) else { return };
        let (model, request) = (&recipe.model, &recipe.request);
        if model.sha256 != self.state.paint.model_sha256 {
            let models = self.state.models.iter().flatten().filter(|one| one.kind == "image" && one.unusable.is_none());
            // The studio's own are called by their names, others by their files.
            let is_it = |one: &&catalogue::Model| {
                if one.bundled { one.name == model.name } else { one.path.display().to_string() == model.name }
            };
            let Some((name, path)) = models.clone().find(is_it).map(|one| (one.name.clone(), one.path.clone())) else {
                return self.state.toasts.add(Kind::Note, told(Key::ModelNotHere, &[&model.name]), None);
            };
            self.state.preferences.painting.model = Some(path.clone());
            self.tell_painter(PaintInput::Open { name, path });
        }
        let settings = &mut self.state.preferences.painting;
        (settings.class, settings.truncation) = (request.class, request.truncation);
        settings.size = request.size.unwrap_or(settings.size);
        // Only a picture of one seed, not steered and of a size of numbers that the slider has, is drawn again by it.
        let seed = match request.seeds.as_slice() {
            [part] if part.seed < MOST_SEED && request.directions.is_empty() && request.style.is_none() => {
                Some(part.seed)
            }
            _ => None,
        };
        settings.seed = seed.unwrap_or(settings.seed);
        self.state.paint.forget_words();
        let key = if seed.is_some() { Key::SettingsUsed } else { Key::SettingsUsedButSeed };
        self.state.toasts.add(Kind::Done, told(key, &[]), None);
    }

    /// Enlarges the chosen picture, or what the sliders make of it.
    pub(super) fn enlarge_picture(&mut self, upscaler: (String, PathBuf), edited: Option<ImageRequest>) {
        let Some(chosen) = self.state.paint.chosen_whole() else { return };
        let (mut recipe, mut picture) = (chosen.recipe.clone(), Some(chosen.picture.clone()));
        if let Some(request) = edited {
            // What it is enlarged from is kept beside it, to be compared with.
            self.draw_pictures(vec![request.clone()]);
            (recipe.request, picture) = (request, None);
        }
        let keep = self.keep_under();
        self.tell_painter(PaintInput::Enlarge(Box::new(ToEnlarge { upscaler, recipe, picture, keep })));
    }

    /// Asks where a picture of anybody's is to be saved when it is enlarged.
    pub(super) fn ask_where_to_enlarge(&mut self, from: PathBuf) {
        let stem = from.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let suggested = format!("{stem} ×4.png");
        let filter = FileFilter::Png;
        self.ask_for_file(Purpose::PickLarge { from }, |job| UiCommand::PickSave { job, filter, suggested });
    }

    /// Enlarges a file into another.
    pub(super) fn large_picked(&mut self, from: PathBuf, to: PathBuf) {
        let models = self.state.models.iter().flatten();
        let mut usable = models.filter(|model| model.kind == "upscale" && model.unusable.is_none());
        let usual = usable.clone().find(|model| model.name == catalogue::DEFAULT_UPSCALER);
        let Some(model) = usual.or(usable.next()) else {
            return self.state.toasts.error(told(Key::NoUpscaler, &[]));
        };
        let upscaler = (model.name.clone(), model.path.clone());
        self.tell_painter(PaintInput::EnlargeFile { upscaler, from, to });
    }

    /// Asks where to save the film of the path.
    pub(super) fn save_film(&mut self, kind: FilmKind) {
        let path = &self.state.paint.path;
        let film = Box::new(ToFilm { requests: path.frames(), rate: path.rate, kind, path: PathBuf::new() });
        let (filter, ending) = match kind {
            FilmKind::Apng => (FileFilter::Png, ".png"),
            FilmKind::Gif => (FileFilter::Gif, ".gif"),
            FilmKind::Frames => (FileFilter::Folder, ""),
        };
        let suggested = format!("{}{ending}", self.state.t(Key::Film));
        self.ask_for_file(Purpose::PickFilm { film }, |job| UiCommand::PickSave { job, filter, suggested });
    }

    /// Draws and saves the film as it was when the dialog was opened.
    pub(super) fn film_picked(&mut self, path: PathBuf, film: ToFilm) {
        self.tell_painter(PaintInput::Film(Box::new(ToFilm { path, ..film })));
    }

    /// Asks where to save the chosen picture.
    pub(super) fn save_picture(&mut self) {
        if self.state.paint.chosen().is_some() && self.state.paint.chosen_whole().is_none() {
            return self.state.toasts.add(Kind::Note, told(Key::PictureComing, &[]), None);
        }
        let Some(chosen) = self.state.paint.chosen_whole() else {
            return self.state.toasts.add(Kind::Note, told(Key::NoPictureToSave, &[]), None);
        };
        let (picture, recipe) = (Box::new(chosen.picture.clone()), Box::new(chosen.recipe.clone()));
        let suggested = format!("{}.png", self.state.t(Key::Picture));
        let purpose = Purpose::PickPicture { picture, recipe };
        self.ask_for_file(purpose, |job| UiCommand::PickSave { job, filter: FileFilter::Picture, suggested });
    }

    /// Saves the picture that was chosen when the dialog was opened.
    pub(super) fn picture_picked(&mut self, path: PathBuf, picture: &Picture, recipe: ImageRecipe) {
        let ending = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = match Recipe::of_image(picture, recipe).to_picture(picture, &ending) {
            Ok(bytes) => bytes,
            Err(why) => return self.state.toasts.error(why),
        };
        let files = vec![(path.clone(), bytes)];
        self.send(Purpose::SavePicture { path }, |job| UiCommand::WriteFiles { job, files });
    }

    /// Files are on the disk; if they were a picture, the person is told.
    pub(super) fn picture_saved(&mut self, job: crate::engine::Job) {
        if let Some(Purpose::SavePicture { path }) = self.jobs.get(&job) {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            self.state.toasts.add(Kind::Done, told(Key::PictureSavedAs, &[&name]), None);
        }
    }
}
