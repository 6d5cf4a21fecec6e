//! The loop: takes inputs, draws a few pictures, keeps them.

use std::{
    collections::VecDeque,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

mod kept;
mod large;
mod sketch;

use crossbeam_channel::TryRecvError;

use super::{FilmKind, PaintInput, PaintState, Parts, ToFilm};
use crate::{
    Error, Result, catalogue, crash,
    engine::{
        gallery::{GalleryInput, Painted},
        lock,
    },
    generate::image::{ImageModel, ImageRequest, Picture, Upscaler},
    recipe::{ImageRecipe, ModelRef},
};

/// How long drawing goes on between two looks at the inputs.
const PASS: Duration = Duration::from_millis(60);
/// The most pictures drawn between two looks.
const MOST_AT_ONCE: usize = 32;
/// The window is woken no more often than this.
const FRAME: Duration = Duration::from_millis(33);

use kept::keep;
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
            woken: Instant::now(),
        }
    }

    /// Works until the window's side has gone.
    pub fn run(mut self) {
        loop {
            let idle = self.queue.is_empty() && self.enlarge.is_empty() && self.films.is_empty();
            let idle = idle && self.preview.is_none() && self.sketch.1.is_empty();
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
            PaintInput::Stop => self.stop(),
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
            self.hand_over(Painted { path, recipe, picture }, false);
        }
        self.show_drawing();
        self.wake(self.queue.is_empty());
        Ok(())
    }

    /// Gives a picture to the gallery; `show` when it was waited for.
    fn hand_over(&self, painted: Painted, show: bool) {
        // It has gone only when the program ends: the file is there at the next start.
        let _ = self.parts.gallery.send(GalleryInput::Drawn { painted: Arc::new(painted), show });
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
