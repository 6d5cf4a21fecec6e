//! Pictures that are kept nowhere, and films.

use std::time::Instant;

use super::{
    super::{FilmKind, ToFilm},
    Worker,
    kept::keep,
    next_count, none_open,
};
use crate::{Result, files, formats::animation::Film, generate::image::Picture, recipe::ImageRecipe};

impl Worker {
    pub(super) fn sketch_some(&mut self) -> Result<()> {
        let begun = Instant::now();
        let count = self.at_once.min(self.sketch.1.len());
        let requests: Vec<_> = self.sketch.1.drain(..count).collect();
        let (number, first) = (self.sketch.0, self.sketch.2);
        self.sketch.2 += count;
        let pictures = self.draw(&requests)?;
        self.at_once = next_count(self.at_once, begun.elapsed());
        let pictures = pictures.into_iter().enumerate();
        self.show(|state| state.sketches.extend(pictures.map(|(index, picture)| (number, first + index, picture))));
        self.wake(self.sketch.1.is_empty());
        Ok(())
    }

    /// Draws some pictures of a film, and saves it with the last.
    pub(super) fn film_some(&mut self, film: ToFilm, mut drawn: Vec<Picture>) -> Result<()> {
        let begun = Instant::now();
        let end = film.requests.len().min(drawn.len() + self.at_once);
        drawn.append(&mut self.draw(&film.requests[drawn.len()..end])?);
        self.at_once = next_count(self.at_once, begun.elapsed());
        let all = film.requests.len();
        if end < all {
            self.show(|state| state.drawing = Some((end, all)));
            self.wake(false);
            self.films.push_front((film, drawn));
            return Ok(());
        }
        let (width, height) = drawn.first().map_or((0, 0), |picture| (picture.width, picture.height));
        if film.kind == FilmKind::Frames {
            let Some((_, model)) = &self.model else { return Err(none_open()) };
            for (index, (request, picture)) in film.requests.into_iter().zip(drawn).enumerate() {
                let recipe = ImageRecipe { model: model.clone(), request, width, height, upscaled: None };
                keep(&film.path.join(format!("{index:04}.png")), &picture, &recipe)?;
            }
        } else {
            let frames: Vec<Vec<u8>> = drawn.into_iter().map(|picture| picture.rgb).collect();
            let film_of = Film { width, height, frames: &frames, rate: film.rate };
            let bytes = if film.kind == FilmKind::Gif { film_of.gif()? } else { film_of.apng()? };
            files::write_whole(&film.path, &bytes)?;
        }
        let next = self.films.front().map(|(next, _)| (0, next.requests.len()));
        self.show(|state| (state.drawing, state.saved) = (next, Some(film.path)));
        self.wake(true);
        Ok(())
    }
}
