//! Enlarging.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use crossbeam_channel::TryRecvError;

use super::{
    super::{PaintInput, ToEnlarge},
    FRAME, Worker,
    kept::keep,
};
use crate::{
    Result, catalogue,
    engine::{gallery::Painted, lock},
    files,
    generate::image::{Picture, Upscaler},
    kernels::pool::physical_cores,
    recipe::{self, Enlarged, ImageRecipe, ModelRef},
};

/// The largest picture file of anybody's.
const MOST_FOREIGN_BYTES: u64 = 256 << 20;

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
        self.hand_over(Painted { path, recipe, picture }, true);
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
}
