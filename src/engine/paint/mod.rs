//! The painter: draws pictures, keeps each as a file with its recipe inside, and shows one at once while sliders move.
//!
//! As with sound, the window puts [`PaintInput`]s into a bounded channel, and what the worker does stands in a
//! [`PaintState`], which the window looks at once a frame. Pictures that are kept go to the gallery, which shows them.

#[cfg(test)]
mod tests;
mod worker;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{Waker, gallery::GalleryInput, lock};
use crate::{
    Error, Result,
    generate::image::{ImageModel, ImageModelInfo, ImageRequest, Picture},
    recipe::ImageRecipe,
};

pub(super) use worker::Worker;

/// Inputs that may wait.
const INPUTS: usize = 1024;

/// What the painter is told.
#[derive(Clone, Debug, PartialEq)]
pub enum PaintInput {
    /// Use the model in this file, once something is to be drawn.
    Open { name: String, path: PathBuf },
    /// Draw these, after what is being drawn; each is kept in the folder, under names that begin with the stem.
    Draw { requests: Vec<ImageRequest>, keep: Option<(PathBuf, String)> },
    /// Draw this one at once, and keep it nowhere. A newer one takes the place of one that waits.
    Preview { number: u64, request: Box<ImageRequest> },
    /// Draw these before what waits, and keep them nowhere: the cells of a seed map, the pictures of a path. A newer
    /// number takes the place of what is not drawn yet.
    Sketch { number: u64, requests: Vec<ImageRequest> },
    /// Draw these and save them as a film.
    Film(Box<ToFilm>),
    /// Enlarge a picture with the upscaler in this file, and keep the large one in the folder under the stem.
    Enlarge(Box<ToEnlarge>),
    /// Enlarge a picture file into another.
    EnlargeFile { upscaler: (String, PathBuf), from: PathBuf, to: PathBuf },
    /// Draw and enlarge no more.
    Stop,
}

/// How a film is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilmKind {
    /// One file, lossless.
    Apng,
    /// One file of 256 colours a picture.
    Gif,
    /// A folder of numbered PNG files, each with its recipe.
    Frames,
}

/// A film that is to be saved.
#[derive(Clone, Debug, PartialEq)]
pub struct ToFilm {
    pub requests: Vec<ImageRequest>,
    /// Pictures a second.
    pub rate: u32,
    pub kind: FilmKind,
    /// The file, or the folder.
    pub path: PathBuf,
}

/// A picture that is to be enlarged.
#[derive(Clone, Debug, PartialEq)]
pub struct ToEnlarge {
    /// The upscaler's name and file.
    pub upscaler: (String, PathBuf),
    /// What made the picture; not enlarged yet.
    pub recipe: ImageRecipe,
    /// The picture; without it, what the open model draws of the recipe.
    pub picture: Option<Picture>,
    pub keep: Option<(PathBuf, String)>,
}

/// What the painter shows.
#[derive(Clone, Debug, Default)]
pub struct PaintState {
    /// The model in use.
    pub model: Option<ImageModelInfo>,
    /// SHA-256 of its file.
    pub model_sha256: String,
    /// How many of the pictures asked for are drawn, and how many were asked for; `None` when nothing is drawn.
    pub drawing: Option<(usize, usize)>,
    /// How much of the picture that is being enlarged is done, 0..=1.
    pub enlarging: Option<f32>,
    /// Pictures drawn per second of work, of those asked for last.
    pub per_second: Option<f32>,
    /// The latest preview, with its number.
    pub preview: Option<(u64, Picture)>,
    /// Sketches that came since the window took them, each with the number it was asked under and its place there.
    pub sketches: Vec<(u64, usize, Picture)>,
    /// A film or enlarged file that was saved since the window took it.
    pub saved: Option<PathBuf>,
    /// What went wrong last, for the window to take.
    pub error: Option<Error>,
}

/// The window's side.
#[derive(Clone)]
pub struct PaintPort {
    inputs: Sender<PaintInput>,
    state: Arc<Mutex<PaintState>>,
}

impl PaintPort {
    /// A port whose inputs a test takes, and whose state it sets.
    pub fn scripted() -> (Self, Receiver<PaintInput>) {
        let (sender, inputs) = bounded(INPUTS);
        (Self { inputs: sender, state: Arc::default() }, inputs)
    }

    /// Tells the worker something; never waits. `false` when it was not taken: too much waits already.
    pub fn tell(&self, input: PaintInput) -> bool {
        self.inputs.try_send(input).is_ok()
    }

    /// Looks at what the worker does.
    pub fn look<R>(&self, at: impl FnOnce(&mut PaintState) -> R) -> R {
        at(&mut lock(&self.state))
    }
}

/// Opens models: the real ones, or a test's.
pub type OpenImage = Box<dyn Fn(&str, &Path) -> Result<ImageModel> + Send>;

/// The worker's side.
pub(super) struct Parts {
    pub inputs: Receiver<PaintInput>,
    pub state: Arc<Mutex<PaintState>>,
    pub open: OpenImage,
    /// Takes what was drawn.
    pub gallery: Sender<GalleryInput>,
    pub waker: Waker,
}

/// Both sides.
pub(super) fn connect(open: OpenImage, gallery: Sender<GalleryInput>, waker: Waker) -> (PaintPort, Parts) {
    let (sender, inputs) = bounded(INPUTS);
    let state = Arc::new(Mutex::new(PaintState::default()));
    (PaintPort { inputs: sender, state: state.clone() }, Parts { inputs, state, open, gallery, waker })
}
