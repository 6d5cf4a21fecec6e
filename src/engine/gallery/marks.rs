//! Stars, ratings and tags, in a file beside the pictures that people can read.
//!
//! They are kept there and not inside the PNG files: a picture's bytes stay what its recipe makes and a manifest's hash
//! says, and many pictures are marked with one write. The index has a copy for the search; this file is what counts.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde::{Deserialize, Serialize};

use super::entry::Mark;
use crate::{Error, Result, files};

/// The file's name.
pub(super) const MARKS: &str = "marks.json";
/// The file that windows lock while they change marks.
const LOCK: &str = ".marks.lock";
/// The version of the form that is written; 1 was a plain list of names with stars.
const FORMAT: u32 = 2;
/// Several times what a million marked pictures need.
const MOST_BYTES: u64 = 256 << 20;

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Stored {
    Stars(BTreeSet<String>),
    Marks { format: u32, pictures: BTreeMap<String, Mark> },
}

/// The marks of a folder's pictures, by their names.
#[derive(Debug, Default)]
pub(super) struct Marks {
    path: PathBuf,
    /// How the file was when it was read or written last.
    stamp: Option<(SystemTime, u64)>,
    by_name: BTreeMap<String, Mark>,
}

impl Marks {
    /// The marks beside the pictures of `folder`.
    ///
    /// # Errors
    /// When the file there is damaged: it is set aside, and there are none.
    pub fn open(folder: &Path) -> (Self, Option<Error>) {
        let mut marks = Self { path: folder.join(MARKS), ..Self::default() };
        let damaged = marks.refresh().err();
        (marks, damaged)
    }

    /// The mark of a picture.
    pub fn of(&self, name: &str) -> Mark {
        self.by_name.get(name).cloned().unwrap_or_default()
    }

    /// Sets marks that were known elsewhere, of pictures that have none here.
    pub fn fill(&mut self, name: &str, mark: Mark) {
        if mark != Mark::default() {
            self.by_name.entry(name.to_owned()).or_insert(mark);
        }
    }

    /// Changes marks; returns whether that made a difference. [`Self::write`] keeps it.
    pub fn change(&mut self, name: &str, change: impl FnOnce(&mut Mark) -> bool) -> bool {
        let mut mark = self.of(name);
        if !change(&mut mark) {
            return false;
        }
        if mark == Mark::default() {
            self.by_name.remove(name);
        } else {
            self.by_name.insert(name.to_owned(), mark);
        }
        true
    }

    /// Does something that no other window does with these marks at the same time, with the file as it is now. Where
    /// nothing can be locked, as in a folder that is only read, it is done all the same.
    ///
    /// # Errors
    /// When the file is damaged: it is set aside, and nothing is done.
    pub fn alone(&mut self, work: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let lock = fs::File::options().create(true).append(true).open(self.path.with_file_name(LOCK));
        // It is let go when it is closed.
        let _locked = lock.ok().filter(|lock| lock.lock().is_ok());
        // Two writes may fall into one tick of the file system's clock.
        self.stamp = None;
        self.refresh()?;
        work(self)
    }

    /// Reads the file again if another window has written it since.
    ///
    /// # Errors
    /// When it is damaged: it is set aside.
    pub fn refresh(&mut self) -> Result<()> {
        let stamp = stamp(&self.path);
        if stamp == self.stamp {
            return Ok(());
        }
        if stamp.is_none() {
            (self.stamp, self.by_name) = (None, BTreeMap::new());
            return Ok(());
        }
        let text = files::read_text(&self.path, MOST_BYTES)?;
        self.by_name = match serde_json::from_str(&text) {
            Ok(Stored::Stars(names)) => {
                names.into_iter().map(|name| (name, Mark { starred: true, ..Mark::default() })).collect()
            }
            Ok(Stored::Marks { format, pictures }) if format <= FORMAT => {
                pictures.into_iter().map(|(name, mark)| (name, mark.tidied())).collect()
            }
            _ => return Err(self.set_aside()),
        };
        self.stamp = stamp;
        Ok(())
    }

    /// Writes the file.
    ///
    /// # Errors
    /// When it cannot be written; the old one is then still there.
    pub fn write(&mut self) -> Result<()> {
        let stored = Stored::Marks { format: FORMAT, pictures: std::mem::take(&mut self.by_name) };
        let mut text = serde_json::to_string_pretty(&stored).unwrap_or_default();
        if let Stored::Marks { pictures, .. } = stored {
            self.by_name = pictures;
        }
        text.push('\n');
        files::write_whole(&self.path, text.as_bytes())?;
        self.stamp = stamp(&self.path);
        Ok(())
    }

    /// Moves a file that cannot be read out of the way, so that nothing is written over it.
    fn set_aside(&mut self) -> Error {
        let aside = free_name(&self.path, "damaged");
        (self.stamp, self.by_name) = (None, BTreeMap::new());
        if let Err(why) = fs::rename(&self.path, &aside) {
            return Error::file(("set aside", "移开"), &self.path, &why);
        }
        let name = aside.display();
        Error::new(
            format!(
                "The stars, ratings and tags could not be read, or are a newer version's; their file is now “{name}”."
            ),
            format!("星标、评分与标签无法读取，或由更新的版本写成；原文件已改名为“{name}”。"),
        )
    }
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let meta = fs::metadata(path).ok()?;
    Some((meta.modified().ok()?, meta.len()))
}

/// A name beside `path` that no file has yet, such as `marks.damaged-2.json`.
pub(super) fn free_name(path: &Path, what: &str) -> PathBuf {
    let part = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let (stem, ending) = (part(path.file_stem()), part(path.extension()));
    let name = |number: u32| path.with_file_name(format!("{stem}.{what}-{number}.{ending}"));
    (1..u32::MAX).map(name).find(|path| !path.exists()).unwrap_or_else(|| name(0))
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests put files in place")]
mod tests {
    use super::*;

    #[test]
    fn the_old_form_is_read_and_the_new_one_is_for_people() {
        let dir = tempfile::tempdir().expect("temporary folder");
        fs::write(dir.path().join(MARKS), r#"["a.png", "图.png"]"#).expect("written");
        let (mut marks, damaged) = Marks::open(dir.path());
        assert!(damaged.is_none() && marks.of("图.png").starred && !marks.of("b.png").starred);
        assert!(marks.change("b.png", |mark| {
            *mark = Mark { starred: false, rating: 4, tags: vec!["蓝".to_owned()] };
            true
        }));
        assert!(marks.change("a.png", |mark| std::mem::take(&mut mark.starred)));
        marks.write().expect("written");
        let text = fs::read_to_string(dir.path().join(MARKS)).expect("text");
        assert!(text.contains("\"b.png\"") && text.contains("\"蓝\"") && !text.contains("a.png"), "{text}");
        let (again, _) = Marks::open(dir.path());
        assert_eq!(again.by_name, marks.by_name);
    }

    #[test]
    fn another_windows_marks_are_seen_and_damage_is_set_aside() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let (mut mine, mut other) = (Marks::open(dir.path()).0, Marks::open(dir.path()).0);
        other.change("a.png", |mark| mark.change(&super::super::MarkChange::Rate(3)));
        other.write().expect("written");
        mine.refresh().expect("read");
        assert_eq!(mine.of("a.png").rating, 3);
        for bad in ["", "{", "[3]", r#"{"format": 9, "pictures": {}}"#] {
            fs::write(dir.path().join(MARKS), bad).expect("written");
            let (marks, damaged) = Marks::open(dir.path());
            assert!(
                marks.by_name.is_empty() && damaged.is_some_and(|why| why.to_string().contains("damaged-")),
                "{bad}"
            );
            assert!(!dir.path().join(MARKS).exists());
        }
        assert_eq!(fs::read_dir(dir.path()).expect("a folder").count(), 4);
    }
}
