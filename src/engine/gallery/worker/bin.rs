//! Pictures that are thrown away, and brought back.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    super::{Arrival, entry::name_of, index::Stamp, marks::free_name},
    Worker,
};
use crate::{Error, Result};

/// The folder of what was thrown away, beside the pictures.
pub const BIN: &str = "bin";

/// Where a thrown-away picture lies.
fn in_bin(path: &Path) -> PathBuf {
    let folder = path.parent().unwrap_or(Path::new("")).join(BIN);
    folder.join(path.file_name().unwrap_or_default())
}

impl Worker {
    /// Moves pictures to the bin. Those that cannot be are shown again.
    pub(super) fn bin(&mut self, paths: Vec<PathBuf>) -> Result<()> {
        let (mut gone, mut failed) = (Vec::new(), None);
        for path in paths {
            match self.bin_one(&path) {
                Ok(()) => gone.extend(name_of(&path).map(str::to_owned)),
                Err(why) => {
                    failed.get_or_insert(why);
                    let known = name_of(&path).and_then(|name| self.known.get(name)?.entry.clone());
                    let arrival = known.map(|entry| Arrival { entry, drawn: None, thumbnail: None });
                    self.show(|state| state.arrived.extend(arrival));
                }
            }
        }
        self.forget(&gone);
        failed.map_or(Ok(()), Err)
    }

    fn bin_one(&mut self, path: &Path) -> Result<()> {
        let mut to = in_bin(path);
        let failed = |why: std::io::Error| Error::file(("delete", "删除"), path, &why);
        fs::create_dir_all(to.parent().unwrap_or(Path::new(""))).map_err(failed)?;
        if to.exists() {
            // Another one of this name was thrown away before.
            to = free_name(&to, "again");
        }
        fs::rename(path, &to).map_err(failed)?;
        self.binned.insert(path.to_owned(), to);
        Ok(())
    }

    /// Brings pictures back from the bin, and shows the last of them.
    pub(super) fn restore(&mut self, paths: &[PathBuf]) -> Result<()> {
        let mut failed = None;
        for path in paths {
            if let Err(why) = self.restore_one(path) {
                failed.get_or_insert(why);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    fn restore_one(&mut self, path: &Path) -> Result<()> {
        let from = self.binned.remove(path).unwrap_or_else(|| in_bin(path));
        let failed = |why: std::io::Error| Error::file(("restore", "恢复"), &from, &why);
        if path.exists() {
            return Err(failed(std::io::ErrorKind::AlreadyExists.into()));
        }
        fs::rename(&from, path).map_err(failed)?;
        // The bin itself may be read just now.
        if from.parent() == Some(&self.folder)
            && let Some(name) = name_of(&from)
        {
            self.forget(&[name.to_owned()]);
        }
        if let Some(name) = name_of(path).filter(|_| path.parent() == Some(&self.folder)) {
            let stamp = fs::metadata(path).map(|meta| Stamp::of(&meta)).unwrap_or_default();
            self.read_file(name.to_owned(), stamp);
            self.show(|state| state.shown = Some(path.to_owned()));
        }
        Ok(())
    }

    /// Takes pictures out of the bin, whose folder is read: each as `leave` has it. Those that stay are shown again.
    pub(super) fn leave_bin(&mut self, paths: &[PathBuf], leave: fn(&Path) -> Result<()>) -> Result<()> {
        let (mut gone, mut failed) = (Vec::new(), None);
        // Nothing but the bin is ever emptied.
        let is_bin = self.folder.file_name().is_some_and(|name| name == BIN);
        for path in paths.iter().filter(|path| is_bin && path.parent() == Some(&self.folder)) {
            let Some(name) = name_of(path) else { continue };
            match leave(path) {
                Ok(()) => gone.push(name.to_owned()),
                // Somebody else has taken it.
                Err(_) if !path.exists() => gone.push(name.to_owned()),
                Err(why) => {
                    failed.get_or_insert(why);
                    let known = self.known.get(name).and_then(|known| known.entry.clone());
                    let arrival = known.map(|entry| Arrival { entry, drawn: None, thumbnail: None });
                    self.show(|state| state.arrived.extend(arrival));
                }
            }
        }
        self.forget(&gone);
        failed.map_or(Ok(()), Err)
    }

    /// Back to the folder that the bin is in, under another name if there is one of its own by now.
    pub(super) fn unbin_one(path: &Path) -> Result<()> {
        let failed = |why: std::io::Error| Error::file(("restore", "恢复"), path, &why);
        let folder = path.parent().and_then(Path::parent).unwrap_or(Path::new(""));
        let to = folder.join(path.file_name().unwrap_or_default());
        let to = if to.exists() { free_name(&to, "again") } else { to };
        fs::rename(path, to).map_err(failed)
    }

    pub(super) fn destroy_one(path: &Path) -> Result<()> {
        fs::remove_file(path).map_err(|why| Error::file(("delete", "删除"), path, &why))
    }
}
