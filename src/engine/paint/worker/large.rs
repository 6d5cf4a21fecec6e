//! Enlarging, and pictures from elsewhere.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use crossbeam_channel::TryRecvError;

use super::{
    super::{PaintInput, Painted, ToEnlarge},
    FRAME, MOST_FILE_BYTES, Worker,
    kept::keep,
};
use crate::{
    Error, Result, catalogue,
    engine::lock,
    files,
    formats::png,
    generate::image::{Picture, Upscaler},
    kernels::pool::physical_cores,
    recipe::{self, Enlarged, ImageRecipe, ModelRef, Work},
};

/// The largest picture file of anybody's.
const MOST_FOREIGN_BYTES: u64 = 256 << 20;
/// Characters of another program's recipe that are told.
const TOLD: usize = 240;

/// What is to be enlarged.
pub(super) enum Large {
    /// A picture of the gallery.
    Own(Box<ToEnlarge>),
    /// A file, into another.
    File { upscaler: (String, PathBuf), from: PathBuf, to: PathBuf },
}

impl Worker {
    pub(super) fn enlarge(&mut self, wish: Large) -> Result<()> {
        match wish {
            Large::Own(wish) => self.enlarge_own(*wish)?,
            Large::File { upscaler, from, to } => {
                let bytes = files::read_bytes(&from, MOST_FOREIGN_BYTES)?;
                let picture = Picture::decode(&bytes, &from)?;
                if let Some(large) = self.enlarged(&upscaler, &picture)? {
                    files::write_whole(&to, &recipe::plain_png(&large)?)?;
                    self.show(|state| state.saved = Some(to));
                }
            }
        }
        let more = !self.enlarge.is_empty();
        self.show(|state| state.enlarging = more.then_some(0.0));
        (self.parts.waker)();
        Ok(())
    }

    fn enlarge_own(&mut self, wish: ToEnlarge) -> Result<()> {
        let ToEnlarge { upscaler, recipe, picture, keep: to } = wish;
        let picture = match picture {
            Some(picture) => Some(picture),
            None => self.draw(std::slice::from_ref(&recipe.request))?.pop(),
        };
        let Some(picture) = picture else { return Ok(()) };
        let Some(picture) = self.enlarged(&upscaler, &picture)? else { return Ok(()) };
        let Some(used) = &self.upscaler else { return Ok(()) };
        let (name, path) = upscaler;
        let name = if catalogue::is_bundled(&path) { name } else { path.display().to_string() };
        let model = ModelRef { name, sha256: used.sha256()?.to_owned() };
        let upscaled = Some(Enlarged { model, scale: used.info().scale, tile: None });
        let recipe = ImageRecipe { width: picture.width, height: picture.height, upscaled, ..recipe };
        let path = to.map(|(folder, stem)| folder.join(format!("{stem}-large.png")));
        if let Some(path) = &path {
            keep(path, &picture, &recipe)?;
        }
        self.show(|state| {
            state.shown.clone_from(&path);
            state.arrived.push(Painted { path, recipe, picture, starred: false, is_new: true });
        });
        Ok(())
    }

    /// A picture enlarged; `None` when it was stopped. What else is asked for meanwhile waits, but for a stop.
    fn enlarged(&mut self, (name, path): &(String, PathBuf), picture: &Picture) -> Result<Option<Picture>> {
        if self.upscaler.as_ref().is_none_or(|upscaler| upscaler.info().path != *path) {
            self.upscaler = None;
            self.upscaler = Some(Upscaler::open(name, path, physical_cores())?);
        }
        let Some(upscaler) = &self.upscaler else { return Ok(None) };
        let stop = AtomicBool::new(false);
        let (inputs, state, waker) = (&self.parts.inputs, &self.parts.state, &self.parts.waker);
        let (late, woken) = (&mut self.late, &mut self.woken);
        upscaler.enlarge(picture, None, &stop, &mut |done| {
            loop {
                match inputs.try_recv() {
                    Ok(input) => {
                        stop.fetch_or(input == PaintInput::Stop, Ordering::Relaxed);
                        // Of what replaces what waits, only the latest is kept.
                        match &input {
                            PaintInput::Preview { .. } => {
                                late.retain(|other| !matches!(other, PaintInput::Preview { .. }));
                            }
                            PaintInput::Sketch { .. } => {
                                late.retain(|other| !matches!(other, PaintInput::Sketch { .. }));
                            }
                            _ => {}
                        }
                        late.push_back(input);
                    }
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => break stop.store(true, Ordering::Relaxed),
                }
            }
            if woken.elapsed() >= FRAME {
                *woken = Instant::now();
                lock(state).enlarging = Some(done);
                waker();
            }
        })
    }

    /// Brings a picture of the studio's into the folder, or tells what another holds.
    pub(super) fn import(&mut self, path: &Path, to: Option<(PathBuf, String)>) -> Result<()> {
        let bytes = files::read_bytes(path, MOST_FOREIGN_BYTES)?;
        let contents = recipe::contents(&bytes, path).ok();
        let own = contents.as_ref().and_then(|contents| contents.recipe.as_ref());
        match own {
            Some(Err(why)) => return Err(why.clone()),
            Some(Ok(own)) if matches!(own.work, Work::Image(_)) && bytes.len() as u64 <= MOST_FILE_BYTES => {
                let here = to.as_ref().is_some_and(|(folder, _)| path.parent() == Some(folder));
                let kept = match to {
                    Some((folder, stem)) if !here => free_name(&folder, &stem),
                    _ => path.to_owned(),
                };
                if kept != path {
                    super::kept::make_folder(&kept)?;
                    files::write_whole(&kept, &bytes)?;
                }
                let painted = self.kept(&kept).map(|painted| Painted { is_new: true, ..painted });
                self.show(|state| {
                    state.shown = Some(kept);
                    state.arrived.extend(painted);
                });
                return Ok(());
            }
            _ => {}
        }
        // It must at least be a picture.
        Picture::decode(&bytes, path)?;
        let foreign = contents.map(|contents| contents.file.foreign_recipes()).unwrap_or_default();
        let what = told(path, &foreign);
        self.show(|state| state.foreign.push((path.to_owned(), what)));
        Ok(())
    }
}

/// A name in the folder that no file has yet: several pictures may be dropped at once.
fn free_name(folder: &Path, stem: &str) -> PathBuf {
    let name = |number: u32| folder.join(format!("{stem}-from-outside-{number:02}.png"));
    (0..u32::MAX).map(name).find(|path| !path.exists()).unwrap_or_else(|| name(0))
}

/// What a picture of another program's is.
fn told(path: &Path, foreign: &[png::ForeignRecipe]) -> Error {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    match foreign.first() {
        Some(recipe) => {
            let program = recipe.program;
            let mut text: String = recipe.text.chars().take(TOLD).collect();
            if text.len() < recipe.text.len() {
                text.push('…');
            }
            Error::new(
                format!("“{name}” was made with {program}: {text}"),
                format!("“{name}”由 {program} 生成：{text}"),
            )
        }
        None => Error::new(
            format!("“{name}” holds no recipe of Atelier's; it can be enlarged."),
            format!("“{name}”中没有 Atelier 的配方；可以将其放大。"),
        ),
    }
}
