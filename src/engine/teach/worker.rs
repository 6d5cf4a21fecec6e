//! The loop: takes inputs, and steps while something is taught.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crossbeam_channel::TryRecvError;

use super::{Looked, Parts, TeachInput, TeachState, Teaching, ToTeach};
use crate::{
    Error, Lang, Result, crash,
    engine::lock,
    files,
    generate::image::Picture,
    kernels::buffer::KeepMemory,
    train::texture::{self, Photograph, Photographs, TextureRecipe, TextureTrainer},
};

/// Width and height of the small picture of a photograph.
const THUMBNAIL: u32 = 192;
/// How often what is drawn is shown.
const SHOWN_EVERY: Duration = Duration::from_secs(2);
/// How often the model is saved on the way.
const KEPT_EVERY: Duration = Duration::from_secs(30);
/// Distances that are shown, at most.
const POINTS: u64 = 200;
/// Pictures that are shown at most.
const SAMPLES: usize = 8;

/// What is being taught.
struct Lesson {
    trainer: TextureTrainer,
    path: PathBuf,
    /// What `atelier train` would teach the same from.
    recipe: TextureRecipe,
    steps: u64,
    begun: Instant,
    shown: Instant,
    kept: Instant,
    /// Distances since the last that is shown.
    sum: (f64, u32),
    /// It could not be saved when it was done: it waits to be told again.
    waits: bool,
    /// Whether it was saved on the way.
    is_kept: bool,
    _memory: KeepMemory,
}

impl Lesson {
    /// Saves the model, and its recipe beside it; what says why the recipe could not be.
    fn save(&mut self) -> Result<Option<Error>> {
        self.trainer.export(&self.path)?;
        self.is_kept = true;
        let mut recipe = self.recipe.clone();
        recipe.training.steps = self.trainer.steps();
        let written = recipe.to_toml().and_then(|text| files::write_whole(&recipe_of(&self.path), text.as_bytes()));
        Ok(written.err())
    }
}

/// Where the recipe of a model lies.
fn recipe_of(model: &Path) -> PathBuf {
    model.with_extension("toml")
}

pub(in crate::engine) struct Worker {
    parts: Parts,
    lesson: Option<Lesson>,
}

impl Worker {
    pub fn new(parts: Parts) -> Self {
        Self { parts, lesson: None }
    }

    /// Works until the window's side has gone; what is being taught is saved then.
    pub fn run(mut self) {
        loop {
            let input = match &self.lesson {
                Some(lesson) if !lesson.waits => self.parts.inputs.try_recv(),
                _ => self.parts.inputs.recv().map_err(|_| TryRecvError::Disconnected),
            };
            let input = match input {
                Ok(input) => Some(input),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => {
                    // Nobody is left to read why it failed.
                    let _ = catch_unwind(AssertUnwindSafe(|| self.finish()));
                    return;
                }
            };
            let worked = catch_unwind(AssertUnwindSafe(|| match input {
                Some(input) => self.take(input),
                None => self.step(),
            }));
            let error = match worked {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => error,
                Err(payload) => crash::caught(("teaching", "教学"), payload),
            };
            self.fail(error);
            (self.parts.waker)();
        }
    }

    /// Teaching cannot go on; what was learnt up to then is kept, if it can be.
    fn fail(&mut self, error: Error) {
        let kept = self.lesson.take().filter(|lesson| lesson.trainer.steps() > 0).and_then(|mut lesson| {
            let saved = catch_unwind(AssertUnwindSafe(|| lesson.save()));
            matches!(saved, Ok(Ok(_))).then_some(lesson.path)
        });
        let error = match &kept {
            Some(path) => {
                let name = path.display();
                Error::new(
                    format!("Teaching stopped, and what was learnt is kept as “{name}”: {}", error.text(Lang::En)),
                    format!("教学中止，所学已保留为“{name}”：{}", error.text(Lang::Zh)),
                )
            }
            None => error,
        };
        self.show(|state| {
            (state.teaching, state.error) = (None, Some(error));
            state.kept = kept.or(state.kept.take());
        });
    }

    /// Ends without keeping anything.
    fn discard(&mut self) {
        let Some(lesson) = self.lesson.take() else { return };
        if lesson.is_kept {
            // Should it not go, it stays a model that can be taken off the list.
            let _ = fs::remove_file(&lesson.path);
            let _ = fs::remove_file(recipe_of(&lesson.path));
        }
        self.show(|state| (state.teaching, state.kept) = (None, None));
    }

    fn take(&mut self, input: TeachInput) -> Result<()> {
        match input {
            TeachInput::Look(path) => {
                let seen = catch_unwind(AssertUnwindSafe(|| texture::look(&path, THUMBNAIL)))
                    .unwrap_or_else(|payload| Err(crash::caught(("reading the photograph", "读取照片"), payload)))
                    .map(|(width, height, rgb)| Picture { width, height, rgb });
                self.show(|state| state.looked.push(Looked { path, seen }));
            }
            TeachInput::Begin(wish) if self.lesson.is_none() => self.begin(*wish)?,
            // One at a time; the window does not ask for more.
            TeachInput::Begin(_) => {}
            TeachInput::Finish => self.finish(),
            TeachInput::Discard => self.discard(),
        }
        (self.parts.waker)();
        Ok(())
    }

    fn begin(&mut self, wish: ToTeach) -> Result<()> {
        let ToTeach { photographs, detail, steps, path } = wish;
        self.show(|state| state.teaching = Some(Teaching { steps, ..Teaching::default() }));
        (self.parts.waker)();
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|why| Error::file(("create", "创建"), folder, &why))?;
        }
        let mut recipe = TextureRecipe::quick(photographs.len(), detail, steps);
        let read = Photographs::of_files(&photographs, &recipe)?;
        recipe.textures = photographs.iter().map(|(path, name)| Photograph::mirrored(path, name)).collect();
        let trainer = TextureTrainer::new(recipe.clone(), &read)?;
        let now = Instant::now();
        let _memory = KeepMemory::begin();
        self.lesson = Some(Lesson {
            trainer,
            path,
            recipe,
            steps,
            begun: now,
            shown: now,
            kept: now,
            sum: (0.0, 0),
            waits: false,
            is_kept: false,
            _memory,
        });
        Ok(())
    }

    fn step(&mut self) -> Result<()> {
        let Some(lesson) = &mut self.lesson else { return Ok(()) };
        let distance = lesson.trainer.step(lesson.steps)?;
        lesson.sum = (lesson.sum.0 + distance, lesson.sum.1 + 1);
        let (step, steps) = (lesson.trainer.steps(), lesson.steps);
        let every = steps.div_ceil(POINTS).max(1);
        let point = step.is_multiple_of(every).then(|| {
            let (sum, count) = std::mem::take(&mut lesson.sum);
            (sum / f64::from(count)) as f32
        });
        let is_due = lesson.shown.elapsed() >= SHOWN_EVERY || step == 1;
        let samples = if is_due {
            lesson.shown = Instant::now();
            let side = lesson.trainer.side() as u32;
            let rgb = lesson.trainer.pictures(SAMPLES)?;
            Some(rgb.into_iter().map(|rgb| Picture { width: side, height: side, rgb }).collect())
        } else {
            None
        };
        let per_step = lesson.begun.elapsed().as_secs_f32() / step as f32;
        let kept = (lesson.kept.elapsed() >= KEPT_EVERY).then(|| {
            lesson.kept = Instant::now();
            lesson.save().map(|without| (lesson.path.clone(), without))
        });
        self.show(|state| {
            match kept {
                Some(Ok((path, without))) => {
                    state.kept = Some(path);
                    state.error = without.or(state.error.take());
                }
                // The next time it may be saved: nothing is lost but time.
                Some(Err(why)) => state.error = Some(why),
                None => {}
            }
            let Some(teaching) = &mut state.teaching else { return };
            (teaching.step, teaching.seconds_left) = (step, Some(per_step * (steps - step) as f32));
            teaching.distances.extend(point);
            if let Some(samples) = samples {
                (teaching.samples, teaching.number) = (samples, teaching.number + 1);
            }
        });
        if is_due || point.is_some() {
            (self.parts.waker)();
        }
        if step >= steps {
            self.finish();
            (self.parts.waker)();
        }
        Ok(())
    }

    /// Saves what was learnt, and teaches no more. If it cannot be saved, it waits until it is told to once more.
    fn finish(&mut self) {
        let Some(lesson) = &mut self.lesson else { return };
        if lesson.trainer.steps() == 0 {
            // It has learnt nothing yet.
            return self.discard();
        }
        let path = lesson.path.clone();
        match lesson.save() {
            Ok(without) => {
                self.lesson = None;
                self.show(|state| {
                    (state.teaching, state.done) = (None, Some(path));
                    state.error = without.or(state.error.take());
                });
            }
            Err(why) => {
                lesson.waits = lesson.trainer.steps() >= lesson.steps;
                self.show(|state| state.error = Some(why));
            }
        }
    }

    fn show<R>(&self, change: impl FnOnce(&mut TeachState) -> R) -> R {
        change(&mut lock(&self.parts.state))
    }
}
