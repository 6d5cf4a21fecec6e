//! Pictures that are saved together: as a data set with a manifest, or side by side on a sheet.
//!
//! Nothing stands under the final name before all of it is there.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use super::{
    super::{Entry, ExportKind, Kind, Mark, ToExport, entry::name_of, thumbnail},
    MOST_FILE_BYTES, PIECE, Worker,
};
use crate::{
    Error, Result, files,
    formats::{
        hash::sha256_of_bytes,
        png::{self, Share},
    },
    generate::image::Picture,
    recipe::{self, Work, manifest},
};

/// Pixels of a sheet.
const MOST_SHEET_PIXELS: u64 = 36_000_000;
/// Sides of a sheet's pictures.
const SMALLEST: u32 = 8;
const LARGEST: u32 = 512;

/// What is being saved.
pub(super) struct Export {
    wish: ToExport,
    /// What is known of each picture: another folder may be read meanwhile.
    known: Vec<Option<Arc<Entry>>>,
    done: usize,
    form: Form,
}

enum Form {
    DataSet {
        /// Where it is put together.
        work: PathBuf,
        rows: Vec<manifest::Row>,
        /// How many pictures are in each folder.
        counts: BTreeMap<String, usize>,
        /// Whether there are several models, and several classes.
        several: (bool, bool),
    },
    Sheet {
        columns: u32,
        /// The side of a picture, and what is around it.
        side: u32,
        gap: u32,
        canvas: Picture,
        sha256: String,
    },
}

impl Worker {
    pub(super) fn begin_export(&mut self, wish: ToExport) -> Result<()> {
        if wish.pictures.is_empty() {
            return Ok(());
        }
        let known: Vec<_> = wish.pictures.iter().map(|path| self.entry_of(path)).collect();
        let form = match wish.kind {
            ExportKind::DataSet => Self::data_set(&wish, &known)?,
            ExportKind::Sheet => Self::sheet(&wish, &known),
        };
        let all = wish.pictures.len();
        self.exports.push_back(Export { wish, known, done: 0, form });
        self.show(|state| state.exporting = state.exporting.or(Some((0, all))));
        Ok(())
    }

    fn data_set(wish: &ToExport, known: &[Option<Arc<Entry>>]) -> Result<Form> {
        let to = &wish.path;
        let is_taken = match fs::read_dir(to) {
            Ok(mut inside) => inside.next().is_some(),
            Err(_) => to.exists(),
        };
        if is_taken {
            let name = to.display();
            return Err(Error::new(
                format!("There is something in “{name}” already; choose a new name for the folder."),
                format!("“{name}”中已有文件，请换一个文件夹名。"),
            ));
        }
        let work = beside(to);
        fs::create_dir_all(&work).map_err(|why| Error::file(("save", "保存"), to, &why))?;
        let kinds = known.iter().flatten().map(|entry| &entry.kind);
        let (mut models, mut classes) = (BTreeSet::new(), BTreeSet::new());
        for kind in kinds {
            models.insert(kind.model.sha256.clone());
            classes.insert(kind.class);
        }
        let has_classes = classes.iter().any(Option::is_some);
        let several = (models.len() > 1, has_classes);
        Ok(Form::DataSet { work, rows: Vec::new(), counts: BTreeMap::new(), several })
    }

    fn sheet(wish: &ToExport, known: &[Option<Arc<Entry>>]) -> Form {
        let count = u32::try_from(wish.pictures.len()).unwrap_or(u32::MAX);
        let columns = f64::from(count).sqrt().ceil().max(1.0) as u32;
        let rows = count.div_ceil(columns);
        let wanted = known.iter().flatten().map(|entry| entry.size[0].max(entry.size[1])).max().unwrap_or(LARGEST);
        let fits = (MOST_SHEET_PIXELS as f64 / f64::from(columns) / f64::from(rows)).sqrt() * 0.94;
        let side = wanted.min(LARGEST).min(fits as u32).max(SMALLEST);
        let gap = (side / 24).max(1);
        let [width, height] = [columns, rows].map(|count| count * (side + gap) + gap);
        let canvas = Picture { width, height, rgb: vec![255; width as usize * height as usize * 3] };
        Form::Sheet { columns, side, gap, canvas, sha256: String::new() }
    }

    /// What is known of a picture of the folder that is read, or of the one that was read when it was chosen.
    fn entry_of(&self, path: &Path) -> Option<Arc<Entry>> {
        let inside = path.parent() == Some(&self.folder);
        self.known.get(name_of(path)?).filter(|_| inside)?.entry.clone()
    }

    /// Saves some of the pictures, and with the last one all of them.
    pub(super) fn export_some(&mut self, mut export: Export) -> Result<()> {
        let begun = Instant::now();
        let all = export.wish.pictures.len();
        while export.done < all && begun.elapsed() < PIECE {
            if let Err(why) = Self::export_one(&mut export) {
                self.drop_export(&export);
                return Err(why);
            }
            export.done += 1;
        }
        if export.done < all {
            self.show(|state| state.exporting = Some((export.done, all)));
            self.exports.push_front(export);
            self.wake(false);
            return Ok(());
        }
        let ended = end(&export);
        if ended.is_err() {
            self.drop_export(&export);
        }
        ended?;
        self.show_next_export();
        self.show(|state| state.saved = Some(export.wish.path));
        self.wake(true);
        Ok(())
    }

    fn export_one(export: &mut Export) -> Result<()> {
        let Some(path) = export.wish.pictures.get(export.done) else { return Ok(()) };
        let bytes = files::read_bytes(path, MOST_FILE_BYTES)?;
        let contents = recipe::contents(&bytes, path)?;
        match &mut export.form {
            Form::DataSet { work, rows, counts, several } => {
                let none = || {
                    let name = path.display();
                    Error::new(
                        format!("“{name}” has no recipe inside, so nothing can be said of it; leave it out."),
                        format!("“{name}”中没有配方，无法说明其来源，请勿选入。"),
                    )
                };
                let Work::Image(recipe) = contents.recipe.ok_or_else(none)??.work else { return Err(none()) };
                let known = export.known.get(export.done).and_then(Option::as_ref);
                let kind = known.map(|entry| &*entry.kind).filter(|kind| kind.class == recipe.request.class);
                let folder = kind.map(|kind| folder_of(kind, *several)).unwrap_or_default();
                let count = counts.entry(folder.clone()).or_default();
                *count += 1;
                let name = format!("{count:04}.png");
                let file = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                let to = work.join(&file);
                let mut row = manifest::Row::new(
                    file,
                    sha256_of_bytes(&bytes),
                    &recipe,
                    kind.and_then(|kind| kind.class_name.as_ref()),
                );
                let Mark { rating, tags, .. } = known.map(|entry| entry.mark.clone()).unwrap_or_default();
                (row.rating, row.tags) = (rating, tags);
                rows.push(row);
                // Told with the name that the person gave.
                write(&to, &bytes).map_err(|why| Error::file(("save", "保存"), &export.wish.path, &why))
            }
            Form::Sheet { columns, side, gap, canvas, sha256 } => {
                let file = contents.file;
                let picture = Picture { width: file.width, height: file.height, rgb: file.rgb };
                let small = if picture.width.max(picture.height) == *side {
                    picture
                } else {
                    thumbnail::fitted(&picture, *side)
                };
                let at = u32::try_from(export.done).unwrap_or_default();
                let corner = [at % *columns, at / *columns].map(|cell| *gap + cell * (*side + *gap));
                place(canvas, &small, [corner[0] + (*side - small.width) / 2, corner[1] + (*side - small.height) / 2]);
                *sha256 = sha256_of_bytes(format!("{sha256}{}", sha256_of_bytes(&bytes)).as_bytes());
                Ok(())
            }
        }
    }

    pub(super) fn stop(&mut self) {
        for export in std::mem::take(&mut self.exports) {
            self.drop_export(&export);
        }
    }

    /// Takes away what was put together so far.
    fn drop_export(&mut self, export: &Export) {
        if let Form::DataSet { work, .. } = &export.form {
            // Best effort: nobody looks for it.
            let _ = fs::remove_dir_all(work);
        }
        self.show_next_export();
    }

    fn show_next_export(&self) {
        let next = self.exports.front().map(|next| (next.done, next.wish.pictures.len()));
        self.show(|state| state.exporting = next);
    }
}

/// Puts the whole under its name.
fn end(export: &Export) -> Result<()> {
    let to = &export.wish.path;
    match &export.form {
        Form::DataSet { work, rows, .. } => {
            let failed = |why: std::io::Error| Error::file(("save", "保存"), to, &why);
            write(&work.join(manifest::JSON), &manifest::to_json(rows)?).map_err(failed)?;
            write(&work.join(manifest::CSV), &manifest::to_csv(rows)).map_err(failed)?;
            if to.is_dir() {
                // Empty, or this fails.
                fs::remove_dir(to).map_err(failed)?;
            }
            fs::rename(work, to).map_err(failed)
        }
        Form::Sheet { canvas, sha256, .. } => {
            let label = png::label(Share::Whole, sha256);
            files::write_whole(to, &png::encode(canvas.width, canvas.height, &canvas.rgb, &[(png::XMP, &label)])?)
        }
    }
}

/// Writes a file of a folder that nobody sees yet.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    File::create(path)?.write_all(bytes)
}

/// A folder beside the one that is wanted: a rename must not cross file systems.
fn beside(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!(".atelier-{}-{count}.export", std::process::id()))
}

/// The folder of a kind's pictures: its class, with its model if there are several; none if there is nothing to part.
fn folder_of(kind: &Kind, (several_models, has_classes): (bool, bool)) -> String {
    let class = match (&kind.class_name, kind.class) {
        (Some((en, _)), _) => Some(en.clone()),
        (None, Some(class)) => Some(format!("class {class}")),
        (None, None) => has_classes.then(|| "no class".to_owned()),
    };
    let model = several_models.then(|| kind.title.clone());
    let parts: Vec<String> = [model, class].into_iter().flatten().collect();
    let name: String = parts.join(" ").to_lowercase();
    let name = name.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect::<String>();
    name.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-").chars().take(80).collect()
}

/// Puts a picture on another.
fn place(canvas: &mut Picture, picture: &Picture, [left, top]: [u32; 2]) {
    let (wide, width) = (canvas.width as usize * 3, picture.width as usize * 3);
    for (row, line) in picture.rgb.chunks_exact(width.max(1)).enumerate() {
        let at = (top as usize + row) * wide + left as usize * 3;
        if let Some(to) = canvas.rgb.get_mut(at..at + width) {
            to.copy_from_slice(line);
        }
    }
}
