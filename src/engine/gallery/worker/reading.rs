//! What the index knows, and the folder as it is now.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::PathBuf,
    sync::Arc,
    time::Instant,
};

use super::{
    super::{
        Arrival, Entry, Kind, ModelNames,
        entry::{made_ms, name_of},
        index::{Found, Index, Stamp},
        marks::Marks,
        thumbnail,
    },
    Known, PIECE, Worker,
};
use crate::{Error, Result};

/// Files that are put into the index together.
const PUT_AT_ONCE: usize = 64;

/// Files that are still to be read.
#[derive(Default)]
pub(super) struct Unread {
    /// The newest last.
    pub files: Vec<(String, Stamp)>,
    /// How many there were.
    pub all: usize,
    /// Whether they are read although they are known: the index is made anew.
    is_anew: bool,
}

impl Worker {
    /// Shows what the index knows, and lists what is in the folder; reading that is done in pieces.
    pub(super) fn read(&mut self, folder: PathBuf, names: Vec<ModelNames>) -> Result<()> {
        self.names = names;
        self.open(folder);
        self.list(false)
    }

    /// From now on it is this folder.
    pub(super) fn open(&mut self, folder: PathBuf) {
        self.put();
        self.kinds.clear();
        self.known.clear();
        self.unread = Unread::default();
        (self.folder, self.index, self.marks) = (folder, None, Marks::default());
        self.show(|state| {
            (state.passed_over, state.reading) = (0, None);
            // What came of another folder is not of this one.
            (state.arrived, state.gone, state.thumbnails) = Default::default();
        });
        self.wanted.clear();
        // Nothing is made before there is a picture.
        if self.folder.is_dir() {
            self.open_index();
        }
    }

    /// Opens index and marks, and shows what the index knows.
    pub(super) fn open_index(&mut self) {
        let (index, told) = Index::open(&self.folder);
        self.index = index;
        let (marks, damaged) = Marks::open(&self.folder);
        self.marks = marks;
        let folder = self.folder.clone();
        let known = self.indexed(|index| index.all(&folder)).unwrap_or_default();
        if let Some(why) = &damaged {
            // The index has a copy.
            let entries = known.iter().filter_map(|found| found.entry.as_ref());
            entries.for_each(|entry| self.marks.fill(entry.name().unwrap_or_default(), entry.mark.clone()));
            self.tell(why.clone());
            if let Err(why) = self.marks.write() {
                self.tell(why);
            }
        } else if let Some(told) = told {
            self.tell(told);
        }
        for found in known {
            let entry = found.entry.map(|entry| self.as_marked(entry));
            self.known.insert(found.name, Known { stamp: found.stamp, entry });
        }
        self.call_kinds();
        let arrived = self.known.values().filter_map(|known| known.entry.clone());
        let arrived: Vec<_> = arrived.map(|entry| Arrival { entry, drawn: None, thumbnail: None }).collect();
        self.show(|state| state.arrived.extend(arrived));
        self.wake(true);
    }

    /// The entry with the mark that counts.
    fn as_marked(&self, entry: Arc<Entry>) -> Arc<Entry> {
        let mark = entry.name().map(|name| self.marks.of(name)).unwrap_or_default();
        if mark == entry.mark { entry } else { Arc::new(Entry::clone(&entry).marked(mark)) }
    }

    /// Compares the folder with what is known: what is not there any more goes, what is new or changed is to be read;
    /// with `anew`, everything.
    pub(super) fn list(&mut self, anew: bool) -> Result<()> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            // Nothing was kept yet.
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(why) => return Err(Error::file(("open", "打开"), &self.folder, &why)),
        };
        let (mut unread, mut there) = (Vec::new(), HashSet::new());
        for entry in entries.flatten() {
            let path = entry.path();
            let is_png = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png"));
            let Some(name) = name_of(&path).filter(|_| is_png) else { continue };
            let Ok(meta) = entry.metadata() else { continue };
            let stamp = Stamp::of(&meta);
            there.insert(name.to_owned());
            if meta.is_file() && (anew || self.known.get(name).is_none_or(|known| known.stamp != stamp)) {
                unread.push((name.to_owned(), stamp));
            }
        }
        let gone: Vec<String> = self.known.keys().filter(|name| !there.contains(*name)).cloned().collect();
        self.forget(&gone);
        // Names begin with the time: the newest, at the end, are read first.
        unread.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        self.unread = Unread { all: unread.len(), files: unread, is_anew: anew };
        self.show_reading();
        self.wake(true);
        Ok(())
    }

    /// Pictures that are not in the folder any more.
    pub(super) fn forget(&mut self, names: &[String]) {
        if names.is_empty() {
            return;
        }
        self.put();
        let mut gone = HashSet::new();
        for name in names {
            if self.known.remove(name).is_some_and(|known| known.entry.is_some()) {
                gone.insert(self.folder.join(name));
            }
        }
        self.indexed(|index| index.remove(names.iter().map(String::as_str)));
        self.show(|state| {
            // What came and went before the window looked was never there.
            state.arrived.retain(|arrival| arrival.entry.path.as_ref().is_none_or(|path| !gone.contains(path)));
            state.gone.extend(gone);
        });
    }

    fn show_reading(&self) {
        let (left, all) = (self.unread.files.len(), self.unread.all);
        self.show(|state| {
            state.reading = (left > 0).then_some((all - left, all));
            if left == 0 {
                state.passed_over = self.known.values().filter(|known| known.entry.is_none()).count();
            }
        });
    }

    /// Reads some of the files.
    pub(super) fn read_some(&mut self) {
        let begun = Instant::now();
        while let Some((name, stamp)) = self.unread.files.pop() {
            // The painter may have drawn it a moment ago.
            let is_known = self.known.get(&name).is_some_and(|known| known.stamp == stamp);
            if !is_known || self.unread.is_anew {
                self.read_file(name, stamp);
            }
            if self.unput.len() >= PUT_AT_ONCE {
                self.put();
            }
            if begun.elapsed() > PIECE {
                break;
            }
        }
        if self.unread.files.is_empty() {
            self.put();
        }
        self.show_reading();
        self.wake(self.unread.files.is_empty());
    }

    pub(super) fn read_file(&mut self, name: String, stamp: Stamp) {
        let path = self.folder.join(&name);
        let before = self.known.remove(&name);
        let was_shown = before.is_some_and(|known| known.entry.is_some());
        let found = Self::painted(&path).map(|painted| {
            let kind = self.kind(&painted.recipe);
            let entry = Entry::new(Some(path.clone()), kind, &painted.recipe, made_ms(&name, stamp.modified_ms()));
            (Arc::new(entry.marked(self.marks.of(&name))), thumbnail::of(&painted.picture))
        });
        let (entry, small) = found.unzip();
        self.known.insert(name.clone(), Known { stamp, entry: entry.clone() });
        let thumbnail = small.as_ref().map(thumbnail::encoded).unwrap_or_default();
        self.show(|state| match &entry {
            // The window may have another thumbnail of this name.
            Some(entry) => state.arrived.push(Arrival {
                entry: entry.clone(),
                drawn: None,
                thumbnail: small.filter(|_| was_shown),
            }),
            None => state.gone.extend(was_shown.then_some(path)),
        });
        self.unput.push(Found { name, stamp, entry, thumbnail });
    }

    /// Models are called otherwise from now on.
    pub(super) fn rename(&mut self, names: Vec<ModelNames>) {
        if names == self.names {
            return;
        }
        self.names = names;
        self.kinds.clear();
        let before: HashMap<String, Arc<Kind>> = self
            .known
            .iter()
            .filter_map(|(name, known)| Some((name.clone(), known.entry.as_ref()?.kind.clone())))
            .collect();
        self.call_kinds();
        let changed = self.known.iter().filter(|(name, known)| {
            known.entry.as_ref().is_some_and(|entry| before.get(*name).is_some_and(|kind| *kind != entry.kind))
        });
        let changed = changed.filter_map(|(_, known)| known.entry.clone());
        let arrived: Vec<_> = changed.map(|entry| Arrival { entry, drawn: None, thumbnail: None }).collect();
        self.show(|state| state.arrived.extend(arrived));
    }

    /// Gives the kinds of what is known the names that they have now, where those are known.
    fn call_kinds(&mut self) {
        let mut renamed = Vec::new();
        for known in self.known.values_mut() {
            let Some(entry) = &mut known.entry else { continue };
            let key = (entry.kind.model.clone(), entry.kind.class);
            let kind = self.kinds.entry(key).or_insert_with(|| {
                let is_known = self.names.iter().any(|names| names.name == entry.kind.model.name);
                let new = Kind::new(entry.kind.model.clone(), entry.kind.class, &self.names);
                if !is_known || new == *entry.kind {
                    return entry.kind.clone();
                }
                let new = Arc::new(new);
                renamed.push(new.clone());
                new
            });
            if !Arc::ptr_eq(kind, &entry.kind) {
                Arc::make_mut(entry).kind = kind.clone();
            }
        }
        if !renamed.is_empty() {
            self.indexed(|index| index.rename(renamed.iter().map(|kind| &**kind)));
        }
    }
}
