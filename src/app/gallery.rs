//! The gallery's side of the Paint page: entries, thumbnails and pictures are taken once a frame; marks, the bin and
//! exports are told on.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{App, Purpose, told};
use crate::{
    Error,
    engine::{BIN, ExportKind, FileFilter, GalleryInput, MarkChange, ModelNames, ToExport, UiCommand},
    ui::{
        Key, paint,
        state::Page,
        text,
        toasts::{Kind, Offer},
    },
};

/// The folder of pictures in the library.
pub(super) const FOLDER: &str = "pictures";
/// How long sheets stay that were carried out of the window: programs may read them later than when they are dropped.
const KEPT: Duration = Duration::from_secs(24 * 3_600);

impl App {
    /// Hands a page's wish to the gallery.
    pub(super) fn tell_gallery(&mut self, input: GalleryInput) {
        if let Some(port) = self.link.as_ref().and_then(|link| link.gallery()) {
            port.tell(input);
        }
    }

    /// Has the folder read when the Paint page is shown first, and takes what came since the last frame.
    pub(super) fn follow_gallery(&mut self) {
        let Some(port) = self.link.as_ref().and_then(|link| link.gallery()) else { return };
        self.call_models();
        let view = &mut self.state.paint;
        let (came, lists, told_of, imported) = port.look(|now| {
            (view.reading, view.exporting) = (now.reading, now.exporting);
            let came = (std::mem::take(&mut now.arrived), std::mem::take(&mut now.gone));
            let lists = (std::mem::take(&mut now.thumbnails), std::mem::take(&mut now.fetched));
            let told = (now.shown.take(), now.saved.take(), std::mem::take(&mut now.foreign), now.error.take());
            (came, lists, told, now.imported.take())
        });
        let (arrived, gone) = came;
        gone.iter().for_each(|path| view.remove(path));
        // What was on its way from the bin, or from the gallery, is not of the other.
        let is_there = |path: &PathBuf| path.parent().is_none_or(|folder| folder.ends_with(BIN) == view.in_bin);
        let arrived = arrived.into_iter().filter(|arrival| arrival.entry.path.as_ref().is_none_or(is_there));
        let arrived: Vec<_> = arrived.collect();
        // The first picture of a first sheet is shown large, so that the page tells what can be done with it.
        let mut first = None;
        for arrival in arrived {
            let is_new = arrival.drawn.is_some();
            let id = view.arrive(arrival);
            first = first.or(is_new.then_some(id));
        }
        let (shown, saved, foreign, error) = told_of;
        let shown = shown.and_then(|path| view.shelf.at(&path)).or(first.filter(|_| view.chosen().is_none()));
        if let Some(id) = shown {
            view.choose_alone(id);
        }
        let chosen = view.chosen().and_then(|chosen| chosen.path.clone());
        let (thumbnails, fetched) = lists;
        thumbnails.into_iter().for_each(|(path, thumbnail)| view.thumbnail(&path, thumbnail));
        fetched.into_iter().for_each(|painted| view.fetched(painted));
        // What is dropped on the window is gone on from.
        if imported.is_some() && imported == chosen {
            self.use_settings();
        }
        // A sheet that is carried out of the window is nobody's file yet.
        let carried = |path: &Path| self.places.carried.as_deref().is_some_and(|folder| path.starts_with(folder));
        if let Some(path) = saved.filter(|path| !carried(path)) {
            self.file_saved(&path);
        }
        for (path, what) in foreign {
            self.state.toasts.add(Kind::Note, what, Some((Key::Enlarge, Offer::Enlarge(path))));
        }
        if let Some(why) = error {
            self.state.toasts.error(why);
        }
    }

    /// Tells the gallery of its folder and of what models are called.
    fn call_models(&mut self) {
        let Some(models) = &self.state.models else { return };
        let drawing = models.iter().filter(|model| model.kind == "image");
        let names: Vec<ModelNames> = drawing
            .map(|model| ModelNames {
                name: if model.bundled { model.name.clone() } else { model.path.display().to_string() },
                title: model.title.clone(),
                words: model.words.clone(),
                classes: model.classes.clone(),
            })
            .collect();
        if self.state.page == Page::Paint && !self.gallery_opened {
            self.gallery_opened = true;
            self.called.clone_from(&names);
            if let Some(folder) = self.library_folder() {
                self.tell_gallery(GalleryInput::Read { folder: folder.join(FOLDER), names });
            }
        } else if self.gallery_opened && names != self.called {
            self.called.clone_from(&names);
            self.tell_gallery(GalleryInput::Names(names));
        }
    }

    /// Brings a picture that was dropped into the gallery, or tells what it is.
    pub(super) fn import_picture(&mut self, path: PathBuf) {
        self.state.page = Page::Paint;
        self.state.paint.view = paint::View::Gallery;
        self.call_models();
        self.show_bin(false);
        let keep = self.keep_under();
        self.tell_gallery(GalleryInput::Import { path, keep });
    }

    /// Shows what lies in the bin, or the gallery again.
    pub(super) fn show_bin(&mut self, in_bin: bool) {
        let Some(folder) = self.library_folder().filter(|_| self.state.paint.in_bin != in_bin) else { return };
        self.state.paint.begin_anew(in_bin);
        let pictures = folder.join(FOLDER);
        let folder = if in_bin { pictures.join(BIN) } else { pictures };
        self.tell_gallery(GalleryInput::Read { folder, names: self.called.clone() });
    }

    /// Pictures leave the bin.
    pub(super) fn leave_bin(&mut self, paths: Vec<PathBuf>, how: fn(Vec<PathBuf>) -> GalleryInput) {
        if paths.is_empty() || !self.state.paint.in_bin {
            return;
        }
        let view = &mut self.state.paint;
        if paths.len() > 1 {
            // No need to choose one after the other.
            (view.selected, view.large) = (None, None);
        }
        paths.iter().for_each(|path| view.remove(path));
        view.choose_none();
        let count = text::count(paths.len());
        let input = how(paths);
        let key = if matches!(input, GalleryInput::Unbin(_)) { Key::PicturesBack } else { Key::PicturesDestroyed };
        self.state.toasts.add(Kind::Done, told(key, &[&count]), None);
        self.tell_gallery(input);
    }

    pub(super) fn mark_pictures(&mut self, paths: Vec<PathBuf>, change: MarkChange) {
        self.state.paint.shelf.mark(&paths, &change);
        self.tell_gallery(GalleryInput::Mark { paths, change });
    }

    /// Takes pictures out of the gallery; their files go to the bin, and can be brought back.
    pub(super) fn bin_pictures(&mut self, paths: Vec<PathBuf>) {
        let view = &mut self.state.paint;
        paths.iter().for_each(|path| view.remove(path));
        view.choose_none();
        let told = match paths.as_slice() {
            [_] => told(Key::PictureBinned, &[]),
            several => told(Key::PicturesBinned, &[&text::count(several.len())]),
        };
        let offer = Offer::Unbin(paths.clone());
        self.state.toasts.add(Kind::Done, told, Some((Key::BackFromBin, offer)));
        self.tell_gallery(GalleryInput::Bin(paths));
    }

    /// Asks where pictures are to be saved together.
    pub(super) fn export_pictures(&mut self, kind: ExportKind, pictures: Vec<PathBuf>) {
        let export = Box::new(ToExport { pictures, kind, path: PathBuf::new() });
        let (filter, key, ending) = match kind {
            ExportKind::DataSet => (FileFilter::Folder, Key::DataSet, ""),
            ExportKind::Sheet => (FileFilter::Png, Key::Sheet, ".png"),
        };
        let suggested = format!("{}{ending}", self.state.t(key));
        self.ask_for_file(Purpose::PickExport { export }, |job| UiCommand::PickSave { job, filter, suggested });
    }

    /// Lets the pointer carry pictures out of the window: one as the file that is kept, several as a sheet, which is made
    /// meanwhile.
    pub(super) fn carry_pictures(&mut self, mut pictures: Vec<PathBuf>) {
        let file = match (pictures.len(), &self.places.carried) {
            (0, _) => return,
            (1, _) => pictures.swap_remove(0),
            (_, None) => return,
            (_, Some(folder)) => {
                let path = folder.join(format!("atelier-{:013}.png", self.state.now_ms));
                if let Err(why) = fs::create_dir_all(folder) {
                    self.state.toasts.error(Error::file(("create", "创建"), folder, &why));
                    return;
                }
                forget_old(folder);
                let export = ToExport { pictures, kind: ExportKind::Sheet, path: path.clone() };
                self.tell_gallery(GalleryInput::Export(Box::new(export)));
                path
            }
        };
        if let Some(link) = &self.link {
            link.carry(file);
        }
    }

    /// Saves the pictures that were meant when the dialog was opened.
    pub(super) fn export_picked(&mut self, path: PathBuf, export: ToExport) {
        self.tell_gallery(GalleryInput::Export(Box::new(ToExport { path, ..export })));
    }
}

/// Removes the sheets that were carried long ago.
fn forget_old(folder: &Path) {
    let is_old = |file: &fs::DirEntry| {
        let changed = file.metadata().and_then(|about| about.modified()).ok();
        changed.and_then(|then| then.elapsed().ok()).is_some_and(|age| age > KEPT)
    };
    for file in fs::read_dir(folder).into_iter().flatten().flatten().filter(is_old) {
        // What cannot be removed is tried again another time.
        drop(fs::remove_file(file.path()));
    }
}
