//! Stars, ratings and tags.

use std::{path::PathBuf, sync::Arc};

use super::{
    super::{Arrival, Entry, MarkChange, entry::name_of, index},
    Known, Worker,
};
use crate::Result;

impl Worker {
    /// Changes the marks of pictures, in the file and in the index.
    pub(super) fn mark(&mut self, paths: &[PathBuf], change: &MarkChange) -> Result<()> {
        // What is about to be put must not undo it.
        self.put();
        let inside = paths.iter().filter(|path| path.parent() == Some(self.folder.as_path()));
        let names: Vec<String> = inside.filter_map(|path| name_of(path)).map(str::to_owned).collect();
        // Another window's changes, made since, are kept: the file is read again, and written, under a lock.
        let mut changed = Vec::new();
        let written = self.marks.alone(|marks| {
            for name in &names {
                if marks.change(name, |mark| mark.change(change)) {
                    changed.push((name.as_str(), marks.of(name)));
                }
            }
            if changed.is_empty() { Ok(()) } else { marks.write() }
        });
        if written.is_ok() {
            self.indexed(|index| {
                index.alone(|db| changed.iter().try_for_each(|(name, mark)| index::mark(db, name, mark)))
            });
        }
        self.show_marks(&names, written.is_err());
        written
    }

    /// Takes over what marks are now; tells the window if it thinks otherwise.
    fn show_marks(&mut self, names: &[String], failed: bool) {
        let mut arrived = Vec::new();
        for name in names {
            let mark = self.marks.of(name);
            let Some(Known { entry: Some(entry), .. }) = self.known.get_mut(name) else { continue };
            if entry.mark != mark || failed {
                *entry = Arc::new(Entry::clone(entry).marked(mark));
                arrived.push(Arrival { entry: entry.clone(), drawn: None, thumbnail: None });
            }
        }
        self.show(|state| state.arrived.extend(arrived));
    }
}
