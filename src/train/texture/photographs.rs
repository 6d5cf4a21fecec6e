//! Photographs of textures.

use std::path::{Path, PathBuf};

use image::{DynamicImage, imageops::FilterType};

use super::recipe::{Photograph, TextureRecipe};
use crate::{
    Error, Result,
    nets::dcgan::ClassName,
    random::Rng,
    train::{
        gan::data::{file, listed, planes},
        pictures::decoded,
    },
};

/// The squares of a photograph that are looked at, at most.
const MOST_SQUARES: usize = 128;
/// Pixels that a photograph may have each way.
const MOST_SIDE: u32 = 16_384;
/// Photographs that a folder may hold.
const MOST: usize = 100;

/// Photographs, each a class.
#[derive(Default)]
pub struct Photographs {
    pub(super) all: Vec<Planes>,
    /// What they are called.
    pub classes: Vec<ClassName>,
}

/// The planes of one, red before green before blue.
pub(super) struct Planes {
    bytes: Vec<u8>,
    width: usize,
    height: usize,
    mirror: bool,
}

impl Photographs {
    /// Those that the recipe names, or all of the folder. `progress` hears the share that is done and says whether to go
    /// on; `None` when it did not.
    ///
    /// # Errors
    /// When one cannot be read, is too small, or there are none.
    pub fn load(recipe: &TextureRecipe, data: &Path, progress: &mut dyn FnMut(f64) -> bool) -> Result<Option<Self>> {
        recipe.check()?;
        let named = if recipe.textures.is_empty() { of_folder(data)? } else { recipe.textures.clone() };
        let mut photographs = Self::default();
        for (index, photograph) in named.iter().enumerate() {
            photographs.add(&data.join(&photograph.file), photograph, recipe)?;
            if !progress((index + 1) as f64 / named.len() as f64) {
                return Ok(None);
            }
        }
        Ok(Some(photographs))
    }

    /// Those in these files, called so; each is mirrored too.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn of_files(files: &[(PathBuf, String)], recipe: &TextureRecipe) -> Result<Self> {
        let mut photographs = Self::default();
        for (path, name) in files {
            photographs.add(path, &Photograph::mirrored(path, name), recipe)?;
        }
        Ok(photographs)
    }

    fn add(&mut self, path: &Path, named: &Photograph, recipe: &TextureRecipe) -> Result<()> {
        let mut picture = read(path)?;
        let side = recipe.training.side;
        let shorter = picture.width().min(picture.height());
        if let Some(detail) = recipe.detail.map(|detail| detail as u32).filter(|detail| *detail < shorter) {
            let scaled = |size: u32| (u64::from(size) * u64::from(detail) / u64::from(shorter)) as u32;
            let (width, height) = (scaled(picture.width()), scaled(picture.height()));
            picture = picture.resize_exact(width, height, FilterType::Lanczos3);
        }
        let [width, height] = [picture.width(), picture.height()].map(|size| size as usize);
        if width < side || height < side {
            return Err(too_small(path, [width, height], side));
        }
        self.all.push(Planes { bytes: planes(&picture, 3), width, height, mirror: named.mirror });
        self.classes.push(ClassName { en: named.en.clone(), zh: named.zh.clone() });
        Ok(())
    }
}

fn read(path: &Path) -> Result<DynamicImage> {
    file(path).and_then(|bytes| decoded(bytes, Some(MOST_SIDE))).map_err(|why| {
        let name = path.display();
        Error::new(
            format!("“{name}” is no picture that can be learnt from: {why}; choose another."),
            format!("“{name}”无法用于学习：{why}；请另选图片。"),
        )
    })
}

fn too_small(path: &Path, [width, height]: [usize; 2], side: usize) -> Error {
    let name = path.display();
    Error::new(
        format!("“{name}” is {width} × {height} pixels, smaller than the squares of {side}; choose a larger one."),
        format!("“{name}”只有 {width} × {height} 像素，小于 {side} 像素的方块；请换一张更大的。"),
    )
}

/// The middle square of a photograph that can be learnt from, made `side` wide: its width, height and pixels.
///
/// # Errors
/// When it cannot be read, or is too small.
pub fn look(path: &Path, side: u32) -> Result<(u32, u32, Vec<u8>)> {
    let picture = read(path)?;
    let (width, height) = (picture.width(), picture.height());
    let least = TextureRecipe::quick(1, 1_024, 1).training.side;
    if width.min(height) < least as u32 {
        return Err(too_small(path, [width as usize, height as usize], least));
    }
    let square = width.min(height);
    let middle = picture.crop_imm((width - square) / 2, (height - square) / 2, square, square);
    let small = middle.resize_exact(side, side, FilterType::Triangle);
    let (planes, area) = (planes(&small, 3), (side * side) as usize);
    Ok((side, side, (0..area * 3).map(|at| planes[at % 3 * area + at / 3]).collect()))
}

/// Every picture of a folder, mirrored too.
fn of_folder(folder: &Path) -> Result<Vec<Photograph>> {
    let pictures = listed(folder)?.0;
    let name = folder.display();
    if pictures.is_empty() {
        return Err(Error::new(
            format!("“{name}” holds no pictures; put photographs of textures there."),
            format!("“{name}”中没有图片；请放入纹理照片。"),
        ));
    }
    if pictures.len() > MOST {
        return Err(Error::new(
            format!("“{name}” holds more than {MOST} pictures; each becomes a texture of its own, so choose fewer."),
            format!("“{name}”中的图片超过 {MOST} 张；每张都会成为一种纹理，请减少数量。"),
        ));
    }
    let photograph = |path: &Path| {
        let name = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
        let stem = name(path.file_stem());
        Photograph { file: name(path.file_name()), en: stem.clone(), zh: stem, mirror: true }
    };
    Ok(pictures.iter().map(|path| photograph(path)).collect())
}

impl Planes {
    /// Squares from all over it, as numbers of −1..1: planes of red, green and blue.
    pub(super) fn squares(&self, side: usize, rng: &mut Rng) -> Vec<Vec<f32>> {
        // Where squares begin that overlap by half.
        let begins = |size: usize| {
            let steps = ((size - side) * 2).div_ceil(side);
            (0..=steps).map(move |step| (step * (size - side)).checked_div(steps).unwrap_or(0)).collect::<Vec<_>>()
        };
        let [across, down] = [self.width, self.height].map(begins);
        let mut places: Vec<_> = down.iter().flat_map(|top| across.iter().map(move |left| (*left, *top))).collect();
        if places.len() > MOST_SQUARES {
            let place = |rng: &mut Rng| (rng.below(self.width - side + 1), rng.below(self.height - side + 1));
            places = (0..MOST_SQUARES).map(|_| place(rng)).collect();
        }
        let mirrored: &[bool] = if self.mirror { &[false, true] } else { &[false] };
        places.iter().flat_map(|at| mirrored.iter().map(|mirrored| self.square(side, *at, *mirrored))).collect()
    }

    fn square(&self, side: usize, (left, top): (usize, usize), mirrored: bool) -> Vec<f32> {
        let mut numbers = Vec::with_capacity(3 * side * side);
        for row in (0..3).flat_map(|plane| (top..top + side).map(move |y| plane * self.height + y)) {
            let begin = row * self.width + left;
            let row = self.bytes[begin..begin + side].iter().map(|byte| f32::from(*byte) / 127.5 - 1.0);
            if mirrored { numbers.extend(row.rev()) } else { numbers.extend(row) }
        }
        numbers
    }
}
