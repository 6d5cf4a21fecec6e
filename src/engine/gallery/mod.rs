//! The gallery: what is known of the pictures in a folder, their thumbnails, marks and bin, and what is exported of them.
//!
//! As with sound and painting, the window puts [`GalleryInput`]s into a bounded channel, and takes what came of them from
//! a [`GalleryState`] once a frame. The thread behind it reads the index first, then the folder in small pieces, so that a
//! thumbnail or a picture that is asked for meanwhile does not wait. The window holds [`Entry`]s, and of pixels only what
//! is in sight. The painter hands what it has drawn over through the same channel.

mod entry;
mod index;
mod marks;
mod query;
#[cfg(test)]
mod tests;
mod thumbnail;
mod worker;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{Waker, lock};
use crate::{Error, generate::image::Picture, recipe::ImageRecipe};

use entry::name_of;
pub use entry::{Entry, Kind, MOST_RATING, MOST_TAGS, Mark, MarkChange, ModelNames, tidy_tag};
pub use query::{Matcher, Ordered, Query, Sort};
pub use worker::BIN;
pub(super) use worker::Worker;

/// Inputs that may wait.
const INPUTS: usize = 1024;

/// A picture with what made it.
#[derive(Clone, Debug, PartialEq)]
pub struct Painted {
    /// Where it is kept.
    pub path: Option<PathBuf>,
    /// What made it.
    pub recipe: ImageRecipe,
    /// Its pixels.
    pub picture: Picture,
}

/// What the gallery is told.
#[derive(Clone, Debug, PartialEq)]
pub enum GalleryInput {
    /// Read what is known of this folder's pictures, then the folder itself.
    Read { folder: PathBuf, names: Vec<ModelNames> },
    /// Models are called so from now on.
    Names(Vec<ModelNames>),
    /// This was drawn, and written if it has a path; `show` when it was waited for.
    Drawn { painted: Arc<Painted>, show: bool },
    /// Bring thumbnails; those that were asked for before and did not come are not needed any more.
    Thumbnails(Vec<PathBuf>),
    /// Bring a whole picture.
    Fetch(PathBuf),
    /// Change marks.
    Mark { paths: Vec<PathBuf>, change: MarkChange },
    /// Move pictures to the bin, a folder beside them.
    Bin(Vec<PathBuf>),
    /// Bring pictures back from the bin.
    Restore(Vec<PathBuf>),
    /// Bring pictures back that lie in the bin, whose folder is read.
    Unbin(Vec<PathBuf>),
    /// Remove pictures for good that lie in the bin, whose folder is read.
    Destroy(Vec<PathBuf>),
    /// Bring a picture of the studio's into the folder, under a name that begins with the stem, or tell what another
    /// holds.
    Import { path: PathBuf, keep: Option<(PathBuf, String)> },
    /// Save pictures together.
    Export(Box<ToExport>),
    /// Stop what is being exported.
    Stop,
}

/// What pictures are saved as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportKind {
    /// A folder with a folder for each class, and a manifest.
    DataSet,
    /// One picture with all of them side by side.
    Sheet,
}

/// Pictures that are to be saved together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToExport {
    /// In the order in which they are numbered.
    pub pictures: Vec<PathBuf>,
    /// As what.
    pub kind: ExportKind,
    /// The folder, which must not exist or be empty; or the file.
    pub path: PathBuf,
}

/// A picture that is new to the window, or of which something has changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrival {
    /// What is known of it.
    pub entry: Arc<Entry>,
    /// The picture itself, when it was just drawn.
    pub drawn: Option<Arc<Painted>>,
    /// A thumbnail, when it was just drawn.
    pub thumbnail: Option<Picture>,
}

/// What the gallery shows; the window takes the lists.
#[derive(Debug, Default)]
pub struct GalleryState {
    /// Pictures that came.
    pub arrived: Vec<Arrival>,
    /// Pictures that are not there any more.
    pub gone: Vec<PathBuf>,
    /// Thumbnails that were asked for; `None` of a picture that has none.
    pub thumbnails: Vec<(PathBuf, Option<Picture>)>,
    /// Whole pictures that were asked for.
    pub fetched: Vec<Arc<Painted>>,
    /// Of the pictures that came, the one that was waited for.
    pub shown: Option<PathBuf>,
    /// A picture of the studio's that was brought in from elsewhere.
    pub imported: Option<PathBuf>,
    /// Files that are no pictures of the studio's, with what they are.
    pub foreign: Vec<(PathBuf, Error)>,
    /// What was saved.
    pub saved: Option<PathBuf>,
    /// How many files of the folder are read, of those that were new or changed; `None` when all are.
    pub reading: Option<(usize, usize)>,
    /// How many pictures are saved, of how many.
    pub exporting: Option<(usize, usize)>,
    /// Files in the folder that are no pictures of the studio's.
    pub passed_over: usize,
    /// What went wrong last.
    pub error: Option<Error>,
}

/// The window's side.
#[derive(Clone)]
pub struct GalleryPort {
    inputs: Sender<GalleryInput>,
    state: Arc<Mutex<GalleryState>>,
}

impl GalleryPort {
    /// A port whose inputs a test takes, and whose state it sets.
    pub fn scripted() -> (Self, Receiver<GalleryInput>) {
        let (sender, inputs) = bounded(INPUTS);
        (Self { inputs: sender, state: Arc::default() }, inputs)
    }

    /// Tells the worker something; never waits. `false` when it was not taken: too much waits already.
    pub fn tell(&self, input: GalleryInput) -> bool {
        self.inputs.try_send(input).is_ok()
    }

    /// Looks at what the worker does.
    pub fn look<R>(&self, at: impl FnOnce(&mut GalleryState) -> R) -> R {
        at(&mut lock(&self.state))
    }

    /// For the painter, which may wait.
    pub(super) fn sender(&self) -> Sender<GalleryInput> {
        self.inputs.clone()
    }
}

/// The worker's side.
pub(super) struct Parts {
    pub inputs: Receiver<GalleryInput>,
    pub state: Arc<Mutex<GalleryState>>,
    pub waker: Waker,
}

/// Both sides.
pub(super) fn connect(waker: Waker) -> (GalleryPort, Parts) {
    let (sender, inputs) = bounded(INPUTS);
    let state = Arc::new(Mutex::new(GalleryState::default()));
    (GalleryPort { inputs: sender, state: state.clone() }, Parts { inputs, state, waker })
}
