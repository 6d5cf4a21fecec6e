//! The loop: takes inputs, and otherwise does a small piece of what waits.

mod bin;
mod export;
mod import;
mod marking;
mod reading;

use std::{
    collections::{HashMap, VecDeque},
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::TryRecvError;

use super::{
    Arrival, Entry, GalleryInput, GalleryState, Kind, ModelNames, Painted, Parts,
    entry::{made_ms, name_of},
    index::{self, Answer, Found, Index, Stamp},
    marks::Marks,
    thumbnail,
};
use crate::{
    Error, Result, crash,
    engine::lock,
    files,
    generate::image::Picture,
    recipe::{self, ImageRecipe, ModelRef, Work},
};

pub use bin::BIN;

/// The largest file of a kept picture.
const MOST_FILE_BYTES: u64 = 64 << 20;
/// The window is woken no more often than this.
const FRAME: Duration = Duration::from_millis(33);
/// How long a piece of work goes on between two looks at the inputs.
const PIECE: Duration = Duration::from_millis(12);
/// Drawn pictures that are put into the index together at most; fewer when nothing else comes.
const PUT_AT_ONCE: usize = 256;

/// What is known of a file.
struct Known {
    stamp: Stamp,
    entry: Option<Arc<Entry>>,
}

pub(in crate::engine) struct Worker {
    parts: Parts,
    folder: PathBuf,
    index: Option<Index>,
    marks: Marks,
    names: Vec<ModelNames>,
    /// Every kind that was met, so that entries share it.
    kinds: HashMap<(ModelRef, Option<u32>), Arc<Kind>>,
    known: HashMap<String, Known>,
    unread: reading::Unread,
    /// What was found and is not in the index yet.
    unput: Vec<Found>,
    /// Thumbnails that are asked for.
    wanted: VecDeque<PathBuf>,
    exports: VecDeque<export::Export>,
    /// Where pictures of this session lie in the bin, if not under their own names.
    binned: HashMap<PathBuf, PathBuf>,
    woken: Instant,
}

impl Worker {
    pub fn new(parts: Parts) -> Self {
        Self {
            parts,
            folder: PathBuf::new(),
            index: None,
            marks: Marks::default(),
            names: Vec::new(),
            kinds: HashMap::new(),
            known: HashMap::new(),
            unread: reading::Unread::default(),
            unput: Vec::new(),
            wanted: VecDeque::new(),
            exports: VecDeque::new(),
            binned: HashMap::new(),
            woken: Instant::now(),
        }
    }

    /// Works until the window's side and the painter have gone.
    pub fn run(mut self) {
        loop {
            let idle = self.wanted.is_empty() && self.exports.is_empty();
            let idle = idle && self.unread.files.is_empty() && self.unput.is_empty();
            let input = match idle {
                true => self.parts.inputs.recv().map_err(|_| TryRecvError::Disconnected),
                false => self.parts.inputs.try_recv(),
            };
            let input = match input {
                Ok(input) => Some(input),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => break,
            };
            let worked = catch_unwind(AssertUnwindSafe(|| match input {
                Some(input) => self.take(input),
                None => self.step(),
            }));
            match worked {
                Ok(Ok(())) => {}
                Ok(Err(error)) => self.tell(error),
                Err(payload) => {
                    self.unread.files.clear();
                    self.wanted.clear();
                    self.stop();
                    self.tell(crash::caught(("the gallery", "图库"), payload));
                }
            }
        }
        self.stop();
        self.put();
    }

    fn tell(&self, error: Error) {
        self.show(|state| state.error = Some(error));
        (self.parts.waker)();
    }

    fn take(&mut self, input: GalleryInput) -> Result<()> {
        match input {
            GalleryInput::Read { folder, names } => self.read(folder, names)?,
            GalleryInput::Names(names) => self.rename(names),
            GalleryInput::Drawn { painted, show } => self.drawn(&painted, show),
            GalleryInput::Thumbnails(paths) => self.wanted = paths.into(),
            GalleryInput::Fetch(path) => self.fetch(&path)?,
            GalleryInput::Mark { paths, change } => self.mark(&paths, &change)?,
            GalleryInput::Bin(paths) => self.bin(paths)?,
            GalleryInput::Restore(paths) => self.restore(&paths)?,
            GalleryInput::Unbin(paths) => self.leave_bin(&paths, Worker::unbin_one)?,
            GalleryInput::Destroy(paths) => self.leave_bin(&paths, Worker::destroy_one)?,
            GalleryInput::Import { path, keep } => self.import(&path, keep)?,
            GalleryInput::Export(wish) => self.begin_export(*wish)?,
            GalleryInput::Stop => self.stop(),
        }
        self.wake(self.parts.inputs.is_empty());
        Ok(())
    }

    fn step(&mut self) -> Result<()> {
        if !self.wanted.is_empty() {
            self.bring_thumbnails();
        } else if !self.unput.is_empty() && self.unread.files.is_empty() {
            self.put();
        } else if let Some(export) = self.exports.pop_front() {
            self.export_some(export)?;
        } else {
            self.read_some();
        }
        Ok(())
    }

    /// Wakes the window, unless that was done a moment ago and there is more to come.
    fn wake(&mut self, last: bool) {
        if last || self.woken.elapsed() >= FRAME {
            self.woken = Instant::now();
            (self.parts.waker)();
        }
    }

    fn show<R>(&self, change: impl FnOnce(&mut GalleryState) -> R) -> R {
        change(&mut lock(&self.parts.state))
    }

    /// The kind of a picture, which it shares with others.
    fn kind(&mut self, recipe: &ImageRecipe) -> Arc<Kind> {
        let key = (recipe.model.clone(), recipe.request.class);
        let names = &self.names;
        let (model, class) = key.clone();
        self.kinds.entry(key).or_insert_with(|| Arc::new(Kind::new(model, class, names))).clone()
    }

    /// A picture that was just drawn.
    fn drawn(&mut self, painted: &Arc<Painted>, show: bool) {
        let small = thumbnail::of(&painted.picture);
        let kind = self.kind(&painted.recipe);
        let inside = painted.path.as_ref().filter(|path| path.parent() == Some(self.folder.as_path()));
        let entry = match inside.and_then(|path| Some((path, name_of(path)?.to_owned()))) {
            None => Arc::new(Entry::new(painted.path.clone(), kind, &painted.recipe, 0)),
            Some((path, name)) => {
                if self.index.is_none() && self.known.is_empty() && self.folder.is_dir() {
                    // The folder was not there before.
                    self.open_index();
                }
                let stamp = fs::metadata(path).map(|meta| Stamp::of(&meta)).unwrap_or_default();
                let entry = Entry::new(Some(path.clone()), kind, &painted.recipe, made_ms(&name, stamp.modified_ms()));
                let entry = Arc::new(entry.marked(self.marks.of(&name)));
                self.known.insert(name.clone(), Known { stamp, entry: Some(entry.clone()) });
                let thumbnail = thumbnail::encoded(&small);
                self.unput.push(Found { name, stamp, entry: Some(entry.clone()), thumbnail });
                entry
            }
        };
        let arrival = Arrival { entry, drawn: Some(painted.clone()), thumbnail: Some(small) };
        self.show(|state| {
            if show {
                state.shown.clone_from(&painted.path);
            }
            state.arrived.push(arrival);
        });
        if self.unput.len() >= PUT_AT_ONCE {
            self.put();
        }
    }

    /// Puts what was found into the index.
    fn put(&mut self) {
        let found = std::mem::take(&mut self.unput);
        self.indexed(|index| index.put(&found));
    }

    /// Does something with the index, if there is one. Where it fails, a damaged one is made anew, and any other is not
    /// used any more.
    fn indexed<T>(&mut self, work: impl FnOnce(&mut Index) -> Answer<T>) -> Option<T> {
        let why = match work(self.index.as_mut()?) {
            Ok(done) => return Some(done),
            Err(why) => why,
        };
        let index = self.index.take()?;
        if !index::is_damage(&why) {
            self.tell(index::told(index.path(), &why));
            return None;
        }
        match index.give_up() {
            Ok(told) => {
                self.tell(told);
                // Everything is read again, and is there meanwhile.
                self.index = Index::open(&self.folder).0;
                if let Err(why) = self.list(true) {
                    self.tell(why);
                }
            }
            Err(why) => self.tell(why),
        }
        None
    }

    /// The picture in a file; `None` when it is none of the studio's.
    fn painted(path: &Path) -> Option<Painted> {
        let bytes = files::read_bytes(path, MOST_FILE_BYTES).ok()?;
        let contents = recipe::contents(&bytes, path).ok()?;
        let Work::Image(recipe) = contents.recipe?.ok()?.work else { return None };
        let file = contents.file;
        let picture = Picture { width: file.width, height: file.height, rgb: file.rgb };
        Some(Painted { path: Some(path.to_owned()), recipe, picture })
    }

    fn fetch(&mut self, path: &Path) -> Result<()> {
        match Self::painted(path) {
            Some(painted) => self.show(|state| state.fetched.push(Arc::new(painted))),
            None => {
                // Why, as well as the system says.
                files::read_bytes(path, MOST_FILE_BYTES)?;
                let name = path.display();
                return Err(Error::new(
                    format!("“{name}” is no picture of Atelier's any more; bring it back from a copy, or delete it."),
                    format!("“{name}”已不是 Atelier 的图片，请从备份恢复或将其删除。"),
                ));
            }
        }
        Ok(())
    }

    /// Brings some of the thumbnails that are asked for.
    fn bring_thumbnails(&mut self) {
        let begun = Instant::now();
        while let Some(path) = self.wanted.pop_front() {
            let small = self.thumbnail(&path);
            self.show(|state| state.thumbnails.push((path, small)));
            if begun.elapsed() > PIECE {
                break;
            }
        }
        self.wake(self.wanted.is_empty());
    }

    fn thumbnail(&mut self, path: &Path) -> Option<Picture> {
        let name = name_of(path)?;
        let unput = self.unput.iter().rev().find(|found| found.name == name).map(|found| found.thumbnail.clone());
        let kept = unput.or_else(|| self.indexed(|index| index.thumbnail(name)).flatten());
        if let Some(small) = kept.and_then(|bytes| thumbnail::decoded(&bytes)) {
            return Some(small);
        }
        Self::painted(path).map(|painted| thumbnail::of(&painted.picture))
    }
}
