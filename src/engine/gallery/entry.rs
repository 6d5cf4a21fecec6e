//! A picture of the gallery without its pixels: what is shown, searched and sorted by.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{
    formats::hash::sha256_of_bytes,
    recipe::{ImageRecipe, ModelRef},
};

/// Stars go from 0, not rated, to this.
pub const MOST_RATING: u8 = 5;
/// Tags that a picture may have.
pub const MOST_TAGS: usize = 32;
/// Characters of a tag.
pub const MOST_TAG_LENGTH: usize = 48;

/// What people call a model and its classes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelNames {
    /// As recipes name it.
    pub name: String,
    /// As people write it.
    pub title: String,
    /// What else it may be called, in either language.
    pub words: Vec<String>,
    /// Its classes in English and Chinese.
    pub classes: Vec<(String, String)>,
}

/// What the pictures of one model and class have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The model, as the recipes have it.
    pub model: ModelRef,
    /// The model's name as people write it.
    pub title: String,
    /// What else the model may be called.
    pub words: Vec<String>,
    /// The class, if there is one.
    pub class: Option<u32>,
    /// The name of the class in English and Chinese, where it is known.
    pub class_name: Option<(String, String)>,
}

impl Kind {
    /// The kind of the pictures of this model and class, named as `names` has them.
    pub fn new(model: ModelRef, class: Option<u32>, names: &[ModelNames]) -> Self {
        let known = names.iter().find(|names| names.name == model.name);
        let title = match known {
            Some(names) if !names.title.is_empty() => names.title.clone(),
            _ => stem(Path::new(&model.name)),
        };
        let class_name = class.and_then(|class| known?.classes.get(class as usize).cloned());
        Self { model, title, words: known.map(|names| names.words.clone()).unwrap_or_default(), class, class_name }
    }

    /// Everything that a search finds it by, in small letters, a word a line. Class and model also stand together, as
    /// Chinese writes them.
    pub(super) fn folded(&self) -> String {
        let names = [self.title.as_str(), &self.model.name].into_iter().chain(self.words.iter().map(String::as_str));
        let mut text = String::new();
        for name in names.clone() {
            text.push_str(name);
            text.push('\n');
        }
        if let Some((en, zh)) = &self.class_name {
            text.push_str(en);
            for name in names {
                text.push('\n');
                text.push_str(zh);
                text.push_str(name);
            }
        }
        text.to_lowercase()
    }
}

fn stem(path: &Path) -> String {
    let whole = path.file_name().unwrap_or(path.as_os_str());
    let known = ["safetensors", "pth", "pt", "bin", "tar", "ckpt"];
    let is_ending = |ending: &std::ffi::OsStr| known.iter().any(|known| ending.eq_ignore_ascii_case(known));
    let name = if path.extension().is_some_and(is_ending) { path.file_stem().unwrap_or(whole) } else { whole };
    name.to_string_lossy().into_owned()
}

/// What a person thinks of a picture.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mark {
    /// Whether it has a star.
    #[serde(skip_serializing_if = "is_default")]
    pub starred: bool,
    /// 0, not rated, to [`MOST_RATING`].
    #[serde(skip_serializing_if = "is_default")]
    pub rating: u8,
    /// Words of one's own, no two alike.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A change of marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarkChange {
    /// Give or take the star.
    Star(bool),
    /// Rate it; 0 takes the rating away.
    Rate(u8),
    /// Add a tag.
    AddTag(String),
    /// Take a tag away.
    RemoveTag(String),
}

impl Mark {
    /// Changes it; returns whether that made a difference.
    pub fn change(&mut self, change: &MarkChange) -> bool {
        let before = self.clone();
        match change {
            MarkChange::Star(starred) => self.starred = *starred,
            MarkChange::Rate(rating) => self.rating = (*rating).min(MOST_RATING),
            MarkChange::AddTag(tag) => self.add_tag(tag),
            MarkChange::RemoveTag(tag) => self.tags.retain(|known| known != tag),
        }
        *self != before
    }

    fn add_tag(&mut self, tag: &str) {
        let tag = tidy_tag(tag);
        let folded = tag.to_lowercase();
        let known = self.tags.iter().any(|known| known.to_lowercase() == folded);
        if !tag.is_empty() && !known && self.tags.len() < MOST_TAGS {
            self.tags.push(tag);
        }
    }

    /// The same within its bounds: a file may hold anything.
    pub(super) fn tidied(self) -> Self {
        let mut tidy = Self { starred: self.starred, rating: self.rating.min(MOST_RATING), tags: Vec::new() };
        self.tags.iter().for_each(|tag| tidy.add_tag(tag));
        tidy
    }
}

/// A tag without what would keep it from being searched for: blanks become hyphens, a `#` in front goes.
pub fn tidy_tag(text: &str) -> String {
    let text = text.trim().trim_start_matches(['#', '＃']);
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    words.join("-").chars().take(MOST_TAG_LENGTH).collect()
}

/// A picture of the gallery.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Where it is kept; `None` when it is kept nowhere.
    pub path: Option<PathBuf>,
    /// Model and class.
    pub kind: Arc<Kind>,
    /// When it was made, in milliseconds since 1970.
    pub made_ms: u64,
    /// The first of its seeds.
    pub seed: u64,
    /// How many seeds are mixed in it.
    pub seeds: u32,
    /// Width and height in pixels.
    pub size: [u32; 2],
    /// Whether it was enlarged.
    pub is_enlarged: bool,
    /// The same number for the same request to the same model: an enlarged picture and what it was enlarged from.
    pub origin: u64,
    /// What a person thinks of it.
    pub mark: Mark,
    /// File name and tags in small letters, a word a line.
    pub(super) folded: String,
}

impl Entry {
    /// The entry of a picture that `recipe` made.
    pub fn new(path: Option<PathBuf>, kind: Arc<Kind>, recipe: &ImageRecipe, made_ms: u64) -> Self {
        let entry = Self {
            path,
            kind,
            made_ms,
            seed: recipe.request.seeds.first().map_or(0, |part| part.seed),
            seeds: u32::try_from(recipe.request.seeds.len()).unwrap_or(u32::MAX),
            size: [recipe.width, recipe.height],
            is_enlarged: recipe.upscaled.is_some(),
            origin: origin(recipe),
            mark: Mark::default(),
            folded: String::new(),
        };
        entry.marked(Mark::default())
    }

    /// The same with this mark.
    #[must_use]
    pub fn marked(mut self, mark: Mark) -> Self {
        self.mark = mark;
        self.folded = self.name().unwrap_or_default().to_lowercase();
        for tag in &self.mark.tags {
            self.folded.push_str("\n#");
            self.folded.push_str(&tag.to_lowercase());
        }
        self
    }

    /// The name of its file.
    pub fn name(&self) -> Option<&str> {
        self.path.as_deref().and_then(name_of)
    }
}

/// The name of a file, if it can be written as text.
pub(super) fn name_of(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

/// The first eight bytes of a hash of model and request.
fn origin(recipe: &ImageRecipe) -> u64 {
    let mut bytes = recipe.model.sha256.clone().into_bytes();
    bytes.extend(serde_json::to_vec(&recipe.request).unwrap_or_default());
    u64::from_str_radix(&sha256_of_bytes(&bytes)[..16], 16).unwrap_or_default()
}

/// When a picture was made: the studio's names begin with the time; of others, when the file was changed.
pub(super) fn made_ms(name: &str, modified_ms: u64) -> u64 {
    let time = name.get(..13).filter(|_| name.as_bytes().get(13) == Some(&b'-'));
    time.and_then(|time| time.parse().ok()).unwrap_or(modified_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_change_within_their_bounds() {
        let mut mark = Mark::default();
        assert!(mark.change(&MarkChange::Rate(9)) && mark.rating == 5);
        assert!(mark.change(&MarkChange::AddTag("  #Blue eyes ".to_owned())));
        assert!(!mark.change(&MarkChange::AddTag("blue-EYES".to_owned())));
        assert!(!mark.change(&MarkChange::AddTag(" # ".to_owned())));
        assert_eq!(mark.tags, ["Blue-eyes"]);
        for n in 0..99 {
            mark.change(&MarkChange::AddTag(format!("标签{n}")));
        }
        assert_eq!(mark.tags.len(), MOST_TAGS);
        assert!(mark.change(&MarkChange::RemoveTag("Blue-eyes".to_owned())) && mark.tags.len() == MOST_TAGS - 1);
        assert!(!mark.change(&MarkChange::Star(false)) && mark.change(&MarkChange::Star(true)));
        assert_eq!(tidy_tag(&"长".repeat(99)).chars().count(), MOST_TAG_LENGTH);
    }

    #[test]
    fn the_time_is_in_the_name_or_on_the_file() {
        assert_eq!(made_ms("1795000000000-0003.png", 7), 1_795_000_000_000);
        assert_eq!(made_ms("1795000000000.png", 7), 7);
        assert_eq!(made_ms("照片一二三四五.png", 7), 7);
    }
}
