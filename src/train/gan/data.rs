//! Pictures to learn from: a folder of them, or the characters of fonts.

use std::{
    fs,
    path::{Path, PathBuf},
};

use ab_glyph::{Font as _, FontVec, ScaleFont as _};
use image::imageops::FilterType;

use super::{
    archive,
    recipe::{DataRecipe, FontRecipe, GanRecipe},
};
use crate::{Error, Result, files, formats::idx, nets::dcgan::ClassName, random::Rng, train::pictures::decoded};

/// The largest picture or font that is read.
pub(super) const MOST_FILE_BYTES: u64 = 256 << 20;
/// Bytes of all pictures together.
const MOST_BYTES: usize = 4 << 30;
/// The widest picture of an IDX file.
const MOST_SIDE: usize = 4_096;
/// The share of a picture's side that a character's square takes.
const EM: f32 = 0.92;
/// Where the middle of a Chinese character lies above its base line, of its square.
const MIDDLE: f32 = 0.38;

/// Square pictures of one size.
#[derive(Default)]
pub struct Pictures {
    pub side: usize,
    pub channels: usize,
    /// A picture after the other: planes of bytes.
    pub bytes: Vec<u8>,
    /// The class of each.
    pub labels: Vec<u16>,
    /// Empty when there are no classes.
    pub classes: Vec<ClassName>,
    /// Whether they may be mirrored.
    pub mirror: bool,
    /// Files that were passed over, and why.
    pub skipped: Vec<(PathBuf, String)>,
}

impl Pictures {
    /// What the recipe asks for, from the folder `data`. `progress` hears the share that is done and says whether to go on;
    /// `None` when it did not.
    ///
    /// # Errors
    /// When there is nothing to learn from.
    pub fn load(recipe: &GanRecipe, data: &Path, progress: &mut dyn FnMut(f64) -> bool) -> Result<Option<Self>> {
        recipe.check()?;
        let pictures = match &recipe.data {
            DataRecipe::Images { mirror, channels } => {
                let read = if data.is_file() { archive::read } else { of_folder };
                read(data, recipe.side(), *channels, *mirror, progress)?
            }
            DataRecipe::Idx { images, labels, classes } => {
                of_idx(data, recipe.side(), (images, labels.as_deref()), classes)?.filter(|_| progress(1.0))
            }
            DataRecipe::Glyphs { characters, fonts } => of_fonts(data, recipe.side(), *characters, fonts, progress)?,
        };
        let Some(pictures) = pictures else { return Ok(None) };
        if pictures.labels.len() < 2 {
            let name = data.display();
            return Err(Error::new(
                format!("“{name}” holds fewer than two pictures that can be learnt from; add more."),
                format!("“{name}”中可供学习的图片不足两张，请添加更多图片。"),
            ));
        }
        Ok(Some(pictures))
    }

    /// Bytes of one picture.
    pub fn size(&self) -> usize {
        self.side * self.side * self.channels
    }

    /// Appends the numbers, −1 to 1, of a real picture that `rng` chooses to `numbers`; its class.
    pub(super) fn choose(&self, rng: &mut Rng, numbers: &mut Vec<f32>) -> u16 {
        let index = rng.below(self.labels.len());
        let number = |byte: &u8| f32::from(*byte) / 127.5 - 1.0;
        let mirrored = self.mirror && rng.uniform() < 0.5;
        for row in self.bytes[index * self.size()..(index + 1) * self.size()].chunks_exact(self.side) {
            if mirrored {
                numbers.extend(row.iter().rev().map(number));
            } else {
                numbers.extend(row.iter().map(number));
            }
        }
        self.labels[index]
    }

    pub(super) fn push(&mut self, bytes: &[u8], class: u16) -> Result<()> {
        if self.bytes.len() + bytes.len() > MOST_BYTES {
            return Err(too_many());
        }
        self.bytes.extend_from_slice(bytes);
        self.labels.push(class);
        Ok(())
    }
}

/// The pictures of a folder, in the order of their names.
fn of_folder(
    folder: &Path,
    side: usize,
    channels: usize,
    mirror: bool,
    progress: &mut dyn FnMut(f64) -> bool,
) -> Result<Option<Pictures>> {
    let (inside, folders) = listed(folder)?;
    let mut files: Vec<(PathBuf, u16)> = Vec::new();
    let mut classes = Vec::new();
    let mut named: Vec<PathBuf> = folders;
    named.truncate(usize::from(u16::MAX));
    for sub in &named {
        let pictures = listed(sub)?.0;
        if pictures.is_empty() {
            continue;
        }
        let name = sub.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.extend(pictures.into_iter().map(|path| (path, classes.len() as u16)));
        classes.push(ClassName { en: name.clone(), zh: name });
    }
    // Pictures beside folders have no class: they are taken when there are no folders.
    if classes.is_empty() {
        files.extend(inside.into_iter().map(|path| (path, 0)));
    }
    let mut all = Pictures { side, channels, classes, mirror, ..Pictures::default() };
    let count = files.len().max(1) as f64;
    for (index, (path, class)) in files.into_iter().enumerate() {
        match file(&path).and_then(|bytes| planes_of(bytes, side, channels)) {
            Ok(planes) => all.push(&planes, class)?,
            Err(why) => all.skipped.push((path, why)),
        }
        if !progress((index + 1) as f64 / count) {
            return Ok(None);
        }
    }
    Ok(Some(all))
}

/// Picture files and folders of a folder, each in the order of their names.
pub(in crate::train) fn listed(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let entries = fs::read_dir(folder).map_err(|why| Error::file(("open", "打开"), folder, &why))?;
    let (mut pictures, mut folders) = (Vec::new(), Vec::new());
    for path in entries.flatten().map(|entry| entry.path()) {
        let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
        } else if path.is_dir() {
            folders.push(path);
        } else if is_picture(&path) {
            pictures.push(path);
        }
    }
    pictures.sort();
    folders.sort();
    Ok((pictures, folders))
}

/// Whether a file is called as one of pictures.
pub(super) fn is_picture(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    matches!(extension.as_str(), "png" | "jpg" | "jpeg" | "webp" | "gif")
}

/// The middle square of a picture, made `side` wide, as planes.
pub(super) fn planes_of(bytes: Vec<u8>, side: usize, channels: usize) -> std::result::Result<Vec<u8>, String> {
    let picture = decoded(bytes, None)?;
    let square = picture.width().min(picture.height());
    let (left, top) = ((picture.width() - square) / 2, (picture.height() - square) / 2);
    let square = picture.crop_imm(left, top, square, square);
    Ok(planes(&square.resize_exact(side as u32, side as u32, FilterType::Lanczos3), channels))
}

/// The bytes of a file of a picture or a font.
pub(in crate::train) fn file(path: &Path) -> std::result::Result<Vec<u8>, String> {
    files::read_bytes(path, MOST_FILE_BYTES).map_err(|why| why.to_string())
}

/// A plane for each of one or three channels.
pub(in crate::train) fn planes(picture: &image::DynamicImage, channels: usize) -> Vec<u8> {
    // What shows through is white.
    let over = |value: u8, alpha: u8| (u16::from(value) * u16::from(alpha) / 255 + 255 - u16::from(alpha)) as u8;
    let pixels = picture.to_rgba8();
    if channels == 1 {
        let grey =
            |[r, g, b]: [u8; 3]| (0.299 * f32::from(r) + 0.587 * f32::from(g) + 0.114 * f32::from(b)).round() as u8;
        return pixels.pixels().map(|p| grey([0, 1, 2].map(|k| over(p[k], p[3])))).collect();
    }
    (0..3).flat_map(|k| pixels.pixels().map(move |p| over(p[k], p[3]))).collect()
}

fn too_many() -> Error {
    Error::new(
        "These are more pictures than memory should hold; use fewer, or a smaller network.",
        "图片过多，内存放不下；请减少图片或使用更小的网络。",
    )
}

/// The grey pictures of an IDX file, light on dark as they are, and their classes.
fn of_idx(
    folder: &Path,
    side: usize,
    (images, labels): (&str, Option<&str>),
    classes: &[ClassName],
) -> Result<Option<Pictures>> {
    let all = idx::open(&folder.join(images), 3)?;
    let &[count, high, wide] = all.sizes.as_slice() else { return Ok(None) };
    let wrong = |name: &str| {
        Error::new(
            format!("The classes in “{name}” do not fit the pictures of “{images}” and the names in the recipe."),
            format!("“{name}”中的类别与“{images}”中的图片或配方中的名称不符。"),
        )
    };
    if [wide, high].iter().any(|size| !(1..=MOST_SIDE).contains(size)) {
        return Err(wrong(images));
    }
    if count.checked_mul(side * side).is_none_or(|bytes| bytes > MOST_BYTES) {
        return Err(too_many());
    }
    let labels = match labels {
        None => vec![0; count],
        Some(name) => {
            let labels = idx::open(&folder.join(name), 1)?.bytes;
            if labels.len() != count || labels.iter().any(|label| usize::from(*label) >= classes.len()) {
                return Err(wrong(name));
            }
            labels.into_iter().map(u16::from).collect()
        }
    };
    let same = wide == side && high == side;
    let resized = |bytes: &[u8]| -> Vec<u8> {
        let picture = image::GrayImage::from_raw(wide as u32, high as u32, bytes.to_vec()).unwrap_or_default();
        image::imageops::resize(&picture, side as u32, side as u32, FilterType::Lanczos3).into_raw()
    };
    let bytes = if same { all.bytes } else { all.bytes.chunks_exact(wide * high).flat_map(resized).collect() };
    Ok(Some(Pictures { side, channels: 1, bytes, labels, classes: classes.to_vec(), ..Pictures::default() }))
}

/// Every character that all fonts have, in every font.
fn of_fonts(
    folder: &Path,
    side: usize,
    [first, last]: [u32; 2],
    fonts: &[FontRecipe],
    progress: &mut dyn FnMut(f64) -> bool,
) -> Result<Option<Pictures>> {
    let open = |font: &FontRecipe| {
        let path = folder.join(&font.file);
        FontVec::try_from_vec_and_index(files::read_bytes(&path, MOST_FILE_BYTES)?, font.index).map_err(|_| {
            let name = path.display();
            Error::new(
                format!("“{name}” is no font that can be read; choose a TrueType or OpenType file."),
                format!("无法读取字体“{name}”，请选择 TrueType 或 OpenType 文件。"),
            )
        })
    };
    let opened = fonts.iter().map(open).collect::<Result<Vec<_>>>()?;
    let all = (first..=last).filter_map(char::from_u32);
    let characters: Vec<char> =
        all.filter(|character| opened.iter().all(|font| font.glyph_id(*character).0 != 0)).collect();
    let classes = fonts.iter().map(|font| ClassName { en: font.en.clone(), zh: font.zh.clone() }).collect();
    let mut pictures = Pictures { side, channels: 1, classes, ..Pictures::default() };
    let count = (characters.len() * opened.len()).max(1) as f64;
    for (class, font) in opened.iter().enumerate() {
        for character in &characters {
            if let Some(planes) = glyph(font, *character, side) {
                pictures.push(&planes, class as u16)?;
            }
        }
        if !progress(((class + 1) * characters.len()) as f64 / count) {
            return Ok(None);
        }
    }
    Ok(Some(pictures))
}

/// A character in the middle of a square, dark on light; `None` when it shows nothing.
fn glyph(font: &FontVec, character: char, side: usize) -> Option<Vec<u8>> {
    let em = side as f32 * EM;
    // `PxScale` is the height of the line; the em square is what should be this large.
    let units = font.units_per_em()?;
    let scale = em * font.height_unscaled() / units;
    let id = font.glyph_id(character);
    let advance = font.as_scaled(scale).h_advance(id);
    let middle = side as f32 / 2.0;
    let at = ab_glyph::point(middle - advance / 2.0, middle + em * MIDDLE);
    let outline = font.outline_glyph(id.with_scale_and_position(scale, at))?;
    let mut planes = vec![255_u8; side * side];
    let (left, top) = (outline.px_bounds().min.x as i64, outline.px_bounds().min.y as i64);
    outline.draw(|x, y, coverage| {
        let (x, y) = (left + i64::from(x), top + i64::from(y));
        let inside = |at: i64| usize::try_from(at).ok().filter(|at| *at < side);
        if let (Some(x), Some(y)) = (inside(x), inside(y)) {
            planes[y * side + x] = 255 - (coverage.clamp(0.0, 1.0) * 255.0).round() as u8;
        }
    });
    Some(planes)
}
