//! The loop: takes inputs, draws a few pictures, keeps them, reads a few kept ones.

use std::{
    collections::{BTreeSet, VecDeque},
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};

mod kept;
mod large;
mod sketch;

use crossbeam_channel::TryRecvError;

use super::{FilmKind, PaintInput, PaintState, Painted, Parts, ToFilm};
use crate::{
    Error, Result, catalogue, crash,
    engine::lock,
    files,
    generate::image::{ImageModel, ImageRequest, Picture, Upscaler},
    recipe::{self, ImageRecipe, ModelRef, Work},
};

/// Kept pictures that are read, the newest of them.
const MOST_READ: usize = 4_000;
/// Files of kept pictures read between two looks at the inputs.
const READ_AT_ONCE: usize = 16;
/// The largest file of a kept picture.
const MOST_FILE_BYTES: u64 = 64 << 20;
/// How long drawing goes on between two looks at the inputs.
const PASS: Duration = Duration::from_millis(60);
/// The most pictures drawn between two looks.
const MOST_AT_ONCE: usize = 32;
/// The window is woken no more often than this.
const FRAME: Duration = Duration::from_millis(33);
/// Where marks are kept, beside the pictures.
const MARKS: &str = "marks.json";
/// The folder of what was thrown away, beside the pictures.
const BIN: &str = "bin";

use kept::{bin, keep, restore};
use large::Large;

pub(in crate::engine) struct Worker {
    parts: Parts,
    wanted: Option<(String, PathBuf)>,
    /// The model, and how recipes name it.
    model: Option<(ImageModel, ModelRef)>,
    /// What is to be drawn, with the file it is kept in.
    queue: VecDeque<(ImageRequest, Option<PathBuf>)>,
    asked: usize,
    at_once: usize,
    /// Pictures drawn, and the time that took.
    drawn: (usize, Duration),
    preview: Option<(u64, ImageRequest)>,
    /// The number and the requests of the sketches that are not drawn yet, with the place of the first.
    sketch: (u64, VecDeque<ImageRequest>, usize),
    /// Films that are to be drawn, the first of them with the pictures so far.
    films: VecDeque<(ToFilm, Vec<Picture>)>,
    /// The upscaler used last.
    upscaler: Option<Upscaler>,
    /// Pictures that are to be enlarged.
    enlarge: VecDeque<Large>,
    /// Inputs that came while a picture was being enlarged.
    late: VecDeque<PaintInput>,
    /// Kept pictures that are still to be read.
    unread: VecDeque<PathBuf>,
    marks: BTreeSet<String>,
    woken: Instant,
}

impl Worker {
    pub fn new(parts: Parts) -> Self {
        Self {
            parts,
            wanted: None,
            model: None,
            queue: VecDeque::new(),
            asked: 0,
            at_once: 1,
            drawn: (0, Duration::ZERO),
            preview: None,
            sketch: (0, VecDeque::new(), 0),
            films: VecDeque::new(),
            upscaler: None,
            enlarge: VecDeque::new(),
            late: VecDeque::new(),
            unread: VecDeque::new(),
            marks: BTreeSet::new(),
            woken: Instant::now(),
        }
    }

    /// Works until the window's side has gone.
    pub fn run(mut self) {
        loop {
            let idle = self.queue.is_empty() && self.enlarge.is_empty() && self.films.is_empty();
            let idle = idle && self.preview.is_none() && self.sketch.1.is_empty() && self.unread.is_empty();
            let input = match (self.late.pop_front(), idle) {
                (Some(late), _) => Ok(late),
                (None, true) => self.parts.inputs.recv().map_err(|_| TryRecvError::Disconnected),
                (None, false) => self.parts.inputs.try_recv(),
            };
            let input = match input {
                Ok(input) => Some(input),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => return,
            };
            let is_input = input.is_some();
            let worked = catch_unwind(AssertUnwindSafe(|| match input {
                Some(input) => self.take(input),
                None => self.step(),
            }));
            match worked {
                Ok(Ok(())) => {}
                // What could not be begun stops nothing that was.
                Ok(Err(error)) if is_input => self.tell(error),
                Ok(Err(error)) => self.fail(error),
                Err(payload) => {
                    self.model = None;
                    self.fail(crash::caught(("drawing", "绘制"), payload));
                }
            }
        }
    }

    fn fail(&mut self, error: Error) {
        self.queue.clear();
        self.enlarge.clear();
        self.sketch.1.clear();
        self.films.clear();
        self.preview = None;
        self.show(|state| (state.drawing, state.enlarging) = (None, None));
        self.tell(error);
    }

    fn tell(&self, error: Error) {
        self.show(|state| state.error = Some(error));
        (self.parts.waker)();
    }

    fn take(&mut self, input: PaintInput) -> Result<()> {
        match input {
            PaintInput::Open { name, path } => {
                self.stop();
                self.sketch.1.clear();
                self.preview = None;
                let before = (self.wanted.replace((name, path)), self.model.take());
                if let Err(why) = self.model() {
                    // The one that was open stays so.
                    (self.wanted, self.model) = before;
                    return Err(why);
                }
            }
            PaintInput::Draw { requests, keep } => {
                if self.queue.is_empty() {
                    (self.asked, self.drawn) = (0, (0, Duration::ZERO));
                }
                let first = self.asked;
                self.asked += requests.len();
                let path = |index: usize| {
                    keep.as_ref().map(|(folder, stem)| folder.join(format!("{stem}-{:04}.png", first + index)))
                };
                self.queue.extend(requests.into_iter().enumerate().map(|(index, request)| (request, path(index))));
                self.show_drawing();
            }
            PaintInput::Preview { number, request } => self.preview = Some((number, *request)),
            PaintInput::Sketch { number, requests } => self.sketch = (number, requests.into(), 0),
            PaintInput::Film(film) => {
                if film.kind == FilmKind::Frames
                    && fs::read_dir(&film.path).is_ok_and(|mut inside| inside.next().is_some())
                {
                    let name = film.path.display();
                    return Err(Error::new(
                        format!("There is something in “{name}” already; choose a new name for the folder."),
                        format!("“{name}”中已有文件，请换一个文件夹名。"),
                    ));
                }
                self.show(|state| state.drawing = state.drawing.or(Some((0, film.requests.len()))));
                self.films.push_back((*film, Vec::new()));
            }
            PaintInput::Enlarge(wish) => {
                self.enlarge.push_back(Large::Own(wish));
                self.show(|state| state.enlarging = state.enlarging.or(Some(0.0)));
            }
            PaintInput::EnlargeFile { upscaler, from, to } => {
                self.enlarge.push_back(Large::File { upscaler, from, to });
                self.show(|state| state.enlarging = state.enlarging.or(Some(0.0)));
            }
            PaintInput::Import { path, keep } => self.import(&path, keep)?,
            PaintInput::Stop => self.stop(),
            PaintInput::Read { folder } => self.read(&folder)?,
            PaintInput::Star { path, starred } => self.star(&path, starred)?,
            PaintInput::Bin { path } => bin(&path)?,
            PaintInput::Restore { path } => {
                restore(&path)?;
                let painted = self.kept(&path).map(|painted| Painted { is_new: true, ..painted });
                self.show(|state| {
                    state.shown = painted.as_ref().and_then(|painted| painted.path.clone());
                    state.arrived.extend(painted);
                });
            }
        }
        (self.parts.waker)();
        Ok(())
    }

    fn stop(&mut self) {
        self.queue.clear();
        self.enlarge.clear();
        self.films.clear();
        self.show(|state| (state.drawing, state.enlarging) = (None, None));
    }

    /// The model, opened if it is not yet.
    fn model(&mut self) -> Result<&mut ImageModel> {
        if self.model.is_none() {
            let Some((name, path)) = &self.wanted else {
                return Err(Error::new(
                    "No model that draws is open; choose one at the top right.",
                    "尚未打开绘画模型，请在右上角选择。",
                ));
            };
            let model = (self.parts.open)(name, path)?;
            let (info, sha256) = (model.info().clone(), model.sha256()?.to_owned());
            let bundled = catalogue::is_bundled(&info.path);
            let name = if bundled { info.name.clone() } else { info.path.display().to_string() };
            self.show(|state| (state.model, state.model_sha256) = (Some(info), sha256.clone()));
            self.model = Some((model, ModelRef { name, sha256 }));
        }
        self.model.as_mut().map(|(model, _)| model).ok_or_else(none_open)
    }

    fn step(&mut self) -> Result<()> {
        if let Some((number, request)) = self.preview.take() {
            let picture = self.draw(std::slice::from_ref(&request))?.pop();
            self.show(|state| state.preview = picture.map(|picture| (number, picture)));
            (self.parts.waker)();
        } else if !self.sketch.1.is_empty() {
            self.sketch_some()?;
        } else if let Some((film, drawn)) = self.films.pop_front() {
            self.film_some(film, drawn)?;
        } else if let Some(wish) = self.enlarge.pop_front() {
            self.enlarge(wish)?;
        } else if !self.queue.is_empty() {
            self.draw_some()?;
        } else {
            self.read_some();
        }
        Ok(())
    }

    fn draw(&mut self, requests: &[ImageRequest]) -> Result<Vec<Picture>> {
        let mut drawn = Vec::with_capacity(requests.len());
        let never = AtomicBool::new(false);
        self.model()?.draw(requests, &never, &mut |_, picture| drawn.push(picture))?;
        Ok(drawn)
    }

    /// Wakes the window, unless that was done a moment ago and there is more to come.
    fn wake(&mut self, last: bool) {
        if last || self.woken.elapsed() >= FRAME {
            self.woken = Instant::now();
            (self.parts.waker)();
        }
    }

    fn draw_some(&mut self) -> Result<()> {
        let begun = Instant::now();
        let count = self.at_once.min(self.queue.len());
        let mut requests: Vec<_> = self.queue.range(..count).map(|(request, _)| request.clone()).collect();
        let model = self.model()?;
        for request in &mut requests {
            // What the seed would choose: variations of the picture keep it then.
            request.class = model.class_of(request).map(|class| class as u32).or(request.class);
        }
        let pictures = self.draw(&requests)?;
        let took = begun.elapsed();
        self.drawn = (self.drawn.0 + count, self.drawn.1 + took);
        self.at_once = next_count(self.at_once, took);
        let model = self.model.as_ref().map(|(_, model)| model.clone()).ok_or_else(none_open)?;
        for (request, picture) in requests.into_iter().zip(pictures) {
            let Some((_, path)) = self.queue.pop_front() else { break };
            let (width, height) = (picture.width, picture.height);
            let recipe = ImageRecipe { model: model.clone(), request, width, height, upscaled: None };
            if let Some(path) = &path {
                keep(path, &picture, &recipe)?;
            }
            self.show(|state| state.arrived.push(Painted { path, recipe, picture, starred: false, is_new: true }));
        }
        self.show_drawing();
        self.wake(self.queue.is_empty());
        Ok(())
    }

    /// Lists what is kept; reading it is done in pieces.
    fn read(&mut self, folder: &Path) -> Result<()> {
        self.marks = fs::read_to_string(folder.join(MARKS))
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            // Nothing was kept yet.
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(why) => return Err(Error::file(("open", "打开"), folder, &why)),
        };
        let png = |path: &PathBuf| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png"));
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(png).collect();
        // Names begin with the time: the newest come first.
        paths.sort_unstable_by(|a, b| b.cmp(a));
        paths.truncate(MOST_READ);
        self.unread = paths.into();
        Ok(())
    }

    fn read_some(&mut self) {
        let count = READ_AT_ONCE.min(self.unread.len());
        let paths: Vec<PathBuf> = self.unread.drain(..count).collect();
        let read: Vec<_> = paths.iter().filter_map(|path| self.kept(path)).collect();
        self.show(|state| {
            state.passed_over += paths.len() - read.len();
            state.arrived.extend(read);
        });
        self.wake(self.unread.is_empty());
    }

    /// A kept picture; `None` when the file is no picture of the studio's.
    fn kept(&self, path: &Path) -> Option<Painted> {
        let bytes = files::read_bytes(path, MOST_FILE_BYTES).ok()?;
        let contents = recipe::contents(&bytes, path).ok()?;
        let Work::Image(recipe) = contents.recipe?.ok()?.work else { return None };
        let file = contents.file;
        let picture = Picture { width: file.width, height: file.height, rgb: file.rgb };
        let starred = name(path).is_some_and(|name| self.marks.contains(name));
        Some(Painted { path: Some(path.to_owned()), recipe, picture, starred, is_new: false })
    }

    fn star(&mut self, path: &Path, starred: bool) -> Result<()> {
        let (Some(folder), Some(name)) = (path.parent(), name(path)) else { return Ok(()) };
        let changed = if starred { self.marks.insert(name.to_owned()) } else { self.marks.remove(name) };
        if !changed {
            return Ok(());
        }
        let text = serde_json::to_string_pretty(&self.marks).unwrap_or_default();
        files::write_whole(&folder.join(MARKS), text.as_bytes())
    }

    fn show_drawing(&self) {
        let (done, took) = self.drawn;
        let drawing = (!self.queue.is_empty()).then_some((self.asked - self.queue.len(), self.asked));
        self.show(|state| {
            state.drawing = drawing;
            if done > 0 && took > Duration::ZERO {
                state.per_second = Some(done as f32 / took.as_secs_f32());
            }
        });
    }

    fn show<R>(&self, change: impl FnOnce(&mut PaintState) -> R) -> R {
        change(&mut lock(&self.parts.state))
    }
}

/// How many pictures are drawn next, after `count` of them `took` so long.
fn next_count(count: usize, took: Duration) -> usize {
    if took < PASS { MOST_AT_ONCE.min(count * 2) } else { (count / 2).max(1) }
}

fn none_open() -> Error {
    Error::new("No model is open.", "没有打开的模型。")
}

fn name(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}
