//! The gallery over folders of small pictures.
#![allow(clippy::disallowed_methods, reason = "tests put files in place")]

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use super::{index::INDEX, marks::MARKS, *};
use crate::{
    formats::{hash::sha256_of_bytes, png},
    generate::image::ImageRequest,
    recipe::{ModelRef, Recipe, Work, contents},
};

/// A picture of the studio's, as a file.
fn file(seed: u64, class: Option<u32>) -> Vec<u8> {
    let (recipe, picture) = work(seed, class);
    Recipe::of_image(&picture, recipe).to_png(&picture).expect("PNG")
}

fn work(seed: u64, class: Option<u32>) -> (ImageRecipe, Picture) {
    let model = ModelRef { name: "eyes".to_owned(), sha256: "ab".repeat(32) };
    let request = ImageRequest { class, ..ImageRequest::of_seed(seed) };
    let rgb = (0..12 * 10).flat_map(|at| [(seed * 31 % 256) as u8, at as u8, 90]).collect();
    let recipe = ImageRecipe { model, request, width: 12, height: 10, upscaled: None };
    (recipe, Picture { width: 12, height: 10, rgb })
}

fn names() -> Vec<ModelNames> {
    let class = |en: &str, zh: &str| (en.to_owned(), zh.to_owned());
    vec![ModelNames {
        name: "eyes".to_owned(),
        title: "Eyes".to_owned(),
        words: vec!["眼睛".to_owned()],
        classes: vec![class("Blue", "蓝"), class("Light brown", "浅棕")],
    }]
}

/// A gallery, and what it has shown.
struct Bench {
    port: Option<GalleryPort>,
    thread: Option<std::thread::JoinHandle<()>>,
    dir: tempfile::TempDir,
    entries: BTreeMap<PathBuf, Arc<Entry>>,
    drawn: usize,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("temporary folder");
        let mut bench = Self { port: None, thread: None, dir, entries: BTreeMap::new(), drawn: 0 };
        bench.start();
        bench
    }

    /// A library with pictures of these seeds, of classes in turn, that was never read.
    fn with(seeds: std::ops::Range<u64>) -> Self {
        let bench = Self::new();
        fs::create_dir_all(bench.folder()).expect("a folder");
        for seed in seeds {
            fs::write(bench.path(seed), file(seed, Some((seed % 2) as u32))).expect("written");
        }
        bench
    }

    /// Starts the gallery, as a new window does.
    fn start(&mut self) {
        self.end();
        let (port, parts) = connect(Arc::new(|| {}));
        self.port = Some(port);
        self.thread = Some(std::thread::spawn(move || Worker::new(parts).run()));
        self.entries.clear();
    }

    fn end(&mut self) {
        self.port = None;
        if let Some(thread) = self.thread.take() {
            thread.join().expect("an end");
        }
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("图 library")
    }

    fn path(&self, seed: u64) -> PathBuf {
        self.folder().join(format!("{:013}-0000.png", 1_000_000 + seed))
    }

    fn port(&self) -> &GalleryPort {
        self.port.as_ref().expect("a gallery")
    }

    fn tell(&self, input: GalleryInput) {
        assert!(self.port().tell(input));
    }

    fn read(&self) {
        self.tell(GalleryInput::Read { folder: self.folder(), names: names() });
    }

    /// Waits until it holds of the entries and of what the state says besides.
    fn until<T>(
        &mut self,
        what: &str,
        holds: impl Fn(&BTreeMap<PathBuf, Arc<Entry>>, &mut GalleryState) -> Option<T>,
    ) -> T {
        let end = Instant::now() + Duration::from_secs(60);
        while Instant::now() < end {
            let port = self.port().clone();
            let held = port.look(|state| {
                for gone in std::mem::take(&mut state.gone) {
                    self.entries.remove(&gone);
                }
                for arrival in std::mem::take(&mut state.arrived) {
                    self.drawn += usize::from(arrival.drawn.is_some());
                    self.entries.insert(arrival.entry.path.clone().expect("a path"), arrival.entry);
                }
                holds(&self.entries, state)
            });
            if let Some(held) = held {
                return held;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("waited in vain for {what}");
    }

    /// Waits until this many pictures are there and all files are read.
    fn until_read(&mut self, count: usize) {
        self.until("pictures", |entries, state| (entries.len() == count && state.reading.is_none()).then_some(()));
        // What was asked before is done: the index too.
        self.tell(GalleryInput::Thumbnails(vec![self.folder().join("none.png")]));
        self.until("an answer", |_, state| state.thumbnails.pop());
    }

    fn mark(&self, seeds: &[u64], change: MarkChange) {
        self.tell(GalleryInput::Mark { paths: seeds.iter().map(|seed| self.path(*seed)).collect(), change });
    }

    fn mark_of(&self, seed: u64) -> &Mark {
        &self.entries[&self.path(seed)].mark
    }

    fn no_error(&mut self) {
        assert_eq!(self.port().look(|state| state.error.take()), None);
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.port = None;
        let ended = self.thread.take().map(std::thread::JoinHandle::join);
        assert!(std::thread::panicking() || ended.is_none_or(|ended| ended.is_ok()));
    }
}

#[test]
fn a_library_is_read_once_and_then_only_what_changed() {
    let mut bench = Bench::with(0..5);
    fs::write(bench.folder().join("9.png"), b"no picture").expect("written");
    fs::write(bench.folder().join("notes.txt"), b"text").expect("written");
    bench.read();
    bench.until_read(5);
    bench.no_error();
    let one = bench.entries[&bench.path(3)].clone();
    assert_eq!((one.seed, one.size, one.made_ms), (3, [12, 10], 1_000_003));
    assert_eq!(one.kind.class_name, Some(("Light brown".to_owned(), "浅棕".to_owned())));
    assert_eq!(bench.port().look(|state| state.passed_over), 1);
    bench.mark(&[1], MarkChange::Star(true));
    bench.mark(&[1, 2, 77], MarkChange::Rate(4));
    bench.mark(&[2], MarkChange::AddTag("最好".to_owned()));

    // The next start knows all of it before it has looked at a file.
    bench.start();
    for seed in [0, 1] {
        fs::remove_file(bench.path(seed)).expect("removed");
    }
    fs::write(bench.path(3), file(303, None)).expect("changed");
    fs::write(bench.path(8), file(8, None)).expect("new");
    bench.read();
    bench.until_read(4);
    bench.no_error();
    assert_eq!(bench.entries.keys().filter(|path| path.exists()).count(), 4);
    assert_eq!((bench.entries[&bench.path(3)].seed, bench.entries[&bench.path(8)].seed), (303, 8));
    assert_eq!(*bench.mark_of(2), Mark { starred: false, rating: 4, tags: vec!["最好".to_owned()] });
    assert_eq!(bench.port().look(|state| state.passed_over), 1);
    // Nothing in the index is needed: stars and all come from what is beside the pictures.
    bench.end();
    fs::remove_file(bench.folder().join(INDEX)).expect("removed");
    bench.start();
    bench.read();
    bench.until_read(4);
    assert_eq!(bench.mark_of(2).rating, 4);
}

#[test]
fn thumbnails_and_whole_pictures_are_brought() {
    let mut bench = Bench::with(0..3);
    let large = Picture { width: 300, height: 600, rgb: vec![200; 300 * 600 * 3] };
    let (recipe, _) = work(7, None);
    let recipe = ImageRecipe { width: 300, height: 600, ..recipe };
    let bytes = Recipe::of_image(&large, recipe).to_png(&large).expect("PNG");
    fs::write(bench.path(7), bytes).expect("written");
    bench.read();
    bench.until_read(4);
    let paths = [7, 1, 5].map(|seed| bench.path(seed));
    bench.tell(GalleryInput::Thumbnails(paths.to_vec()));
    let brought = bench.until("thumbnails", |_, state| (state.thumbnails.len() == 3).then(|| state.thumbnails.clone()));
    assert_eq!(brought.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>(), paths);
    let sizes: Vec<_> =
        brought.iter().map(|(_, small)| small.as_ref().map(|small| [small.width, small.height])).collect();
    assert_eq!(sizes, [Some([64, 128]), Some([12, 10]), None]);
    bench.tell(GalleryInput::Fetch(bench.path(2)));
    let fetched = bench.until("a picture", |_, state| state.fetched.pop());
    let (recipe, picture) = work(2, Some(0));
    assert_eq!((&fetched.recipe, &fetched.picture), (&recipe, &picture));
    bench.tell(GalleryInput::Fetch(bench.path(5)));
    let why = bench.until("an error", |_, state| state.error.take());
    assert!(why.to_string().contains("no such file"), "{why}");
}

#[test]
fn a_damaged_or_foreign_index_is_set_aside_and_made_anew() {
    for damage in ["text", "foreign", "inside", "tables"] {
        let mut bench = Bench::with(0..40);
        bench.read();
        bench.until_read(40);
        bench.mark(&[3], MarkChange::Star(true));
        bench.end();
        let index = bench.folder().join(INDEX);
        match damage {
            "text" => fs::write(&index, b"this is no data base at all, but a line of text").expect("written"),
            "foreign" => {
                fs::remove_file(&index).expect("removed");
                let other = rusqlite::Connection::open(&index).expect("opens");
                other.execute_batch("CREATE TABLE wine (year INTEGER)").expect("a table");
            }
            "inside" => {
                let mut bytes = fs::read(&index).expect("read");
                let length = bytes.len();
                bytes[4096..length - 4096].fill(0x5a);
                fs::write(&index, bytes).expect("written");
            }
            _ => {
                let own = rusqlite::Connection::open(&index).expect("opens");
                own.execute_batch("ALTER TABLE pictures RENAME COLUMN seed TO sseed").expect("changed");
            }
        }
        bench.start();
        bench.read();
        bench.until_read(40);
        let told = bench.port().look(|state| state.error.take()).expect("it is told").to_string();
        assert!(told.contains("damaged-1"), "{damage}: {told}");
        assert!(bench.folder().join("index.damaged-1.sqlite").exists(), "{damage}");
        assert!(bench.mark_of(3).starred, "{damage}");
        // The new one is good.
        bench.start();
        bench.read();
        bench.until_read(40);
        bench.no_error();
    }
}

#[test]
fn damaged_marks_are_set_aside_and_come_from_the_index() {
    let mut bench = Bench::with(0..2);
    bench.read();
    bench.until_read(2);
    bench.mark(&[1], MarkChange::AddTag("keep".to_owned()));
    bench.end();
    fs::write(bench.folder().join(MARKS), "{").expect("damaged");
    bench.start();
    bench.read();
    bench.until_read(2);
    let why = bench.port().look(|state| state.error.take()).expect("it is told").to_string();
    assert!(why.contains("marks.damaged-1.json"), "{why}");
    assert_eq!(bench.mark_of(1).tags, ["keep"]);
    assert!(fs::read_to_string(bench.folder().join(MARKS)).expect("marks").contains("keep"));
}

#[test]
fn two_windows_share_a_library() {
    let mut bench = Bench::with(0..60);
    let (other, parts) = connect(Arc::new(|| {}));
    let thread = std::thread::spawn(move || Worker::new(parts).run());
    bench.read();
    assert!(other.tell(GalleryInput::Read { folder: bench.folder(), names: names() }));
    for seed in 0..30 {
        bench.mark(&[seed], MarkChange::Rate(3));
        let paths = vec![bench.path(seed + 30)];
        assert!(other.tell(GalleryInput::Mark { paths, change: MarkChange::Rate(5) }));
    }
    bench.until_read(60);
    drop(other);
    thread.join().expect("an end");
    bench.no_error();
    bench.start();
    bench.read();
    bench.until_read(60);
    bench.no_error();
    let ratings: Vec<u8> = (0..60).map(|seed| bench.mark_of(seed).rating).collect();
    assert_eq!(ratings, [[3; 30], [5; 30]].concat());
}

#[test]
fn what_is_drawn_is_there_at_once_and_at_the_next_start() {
    let mut bench = Bench::new();
    // Nothing was kept yet, which is no error; and nothing is made.
    bench.read();
    bench.tell(GalleryInput::Drawn { painted: Arc::new(painted(bench.path(0), 0)), show: false });
    bench.until("it", |entries, _| (entries.len() == 1).then_some(()));
    assert!(!bench.folder().exists());
    bench.start();
    fs::create_dir_all(bench.folder()).expect("a folder");
    bench.read();
    for seed in 0..3 {
        let path = bench.path(seed);
        fs::write(&path, file(seed, None)).expect("written");
        bench.tell(GalleryInput::Drawn { painted: Arc::new(painted(path, seed)), show: seed == 2 });
    }
    let shown = bench.until("them", |entries, state| state.shown.take().filter(|_| entries.len() == 3));
    assert_eq!(shown, bench.path(2));
    bench.mark(&[1], MarkChange::Rate(2));
    bench.start();
    bench.drawn = 0;
    bench.read();
    bench.until_read(3);
    assert_eq!((bench.mark_of(1).rating, bench.drawn), (2, 0));
    bench.no_error();
}

fn painted(path: PathBuf, seed: u64) -> Painted {
    let (recipe, picture) = work(seed, None);
    Painted { path: Some(path), recipe, picture }
}

#[test]
fn pictures_go_to_the_bin_and_back_with_their_marks() {
    let mut bench = Bench::with(0..3);
    bench.read();
    bench.until_read(3);
    bench.mark(&[1], MarkChange::Star(true));
    let paths: Vec<PathBuf> = [0, 1].map(|seed| bench.path(seed)).to_vec();
    let before = fs::read(&paths[1]).expect("a file");
    bench.tell(GalleryInput::Bin(paths.clone()));
    bench.until("the rest", |entries, _| (entries.len() == 1).then_some(()));
    assert!(!paths[1].exists() && bench.folder().join("bin").join(paths[1].file_name().expect("a name")).exists());
    // Another one of that name is thrown away too: neither is lost.
    fs::write(&paths[0], file(99, None)).expect("written");
    bench.tell(GalleryInput::Bin(vec![paths[0].clone()]));
    bench.tell(GalleryInput::Restore(paths.clone()));
    let shown = bench.until("them", |entries, state| state.shown.take().filter(|_| entries.len() == 3));
    assert_eq!((shown, fs::read(&paths[1]).expect("a file")), (paths[1].clone(), before));
    assert!(bench.mark_of(1).starred && bench.entries[&paths[0]].seed == 99);
    assert_eq!(fs::read_dir(bench.folder().join("bin")).expect("a bin").count(), 1);
    bench.no_error();
    // What cannot be thrown away is told, and the others go.
    bench.tell(GalleryInput::Bin(vec![bench.path(7), bench.path(2)]));
    let why = bench.until("an error", |entries, state| state.error.take().filter(|_| entries.len() == 2));
    assert!(why.to_string().contains("1000007-0000.png"), "{why}");
}

#[test]
fn the_bin_is_a_gallery_that_pictures_leave_for_good_or_back() {
    let mut bench = Bench::with(0..4);
    bench.read();
    bench.until_read(4);
    let paths: Vec<PathBuf> = (0..3).map(|seed| bench.path(seed)).collect();
    // Outside of the bin nothing is removed for good, whoever asks.
    bench.tell(GalleryInput::Destroy(paths.clone()));
    bench.tell(GalleryInput::Bin(paths.clone()));
    bench.until("the rest", |entries, _| (entries.len() == 1).then_some(()));
    let bin = bench.folder().join(BIN);
    let binned: Vec<PathBuf> = paths.iter().map(|path| bin.join(path.file_name().expect("a name"))).collect();
    assert!(binned.iter().all(|path| path.exists()));
    bench.entries.clear();
    bench.tell(GalleryInput::Read { folder: bin.clone(), names: names() });
    bench.until_read(3);
    // One of that name has come meanwhile: both stay.
    fs::write(&paths[0], file(77, None)).expect("written");
    bench.tell(GalleryInput::Unbin(vec![binned[0].clone(), binned[1].clone()]));
    bench.tell(GalleryInput::Destroy(vec![binned[2].clone(), bench.path(3)]));
    bench.until("an empty bin", |entries, _| entries.is_empty().then_some(()));
    assert!(paths[1].exists() && bench.path(3).exists() && !binned[2].exists() && !paths[2].exists());
    bench.read();
    bench.until_read(4);
    let seeds: std::collections::BTreeSet<u64> = bench.entries.values().map(|entry| entry.seed).collect();
    assert_eq!(seeds, [0, 1, 3, 77].into());
    bench.no_error();
    // What somebody else has removed is gone too.
    bench.entries.clear();
    fs::write(&binned[2], file(2, None)).expect("written");
    bench.tell(GalleryInput::Read { folder: bin, names: names() });
    bench.until_read(1);
    fs::remove_file(&binned[2]).expect("removed");
    bench.tell(GalleryInput::Destroy(vec![binned[2].clone()]));
    bench.until("an empty bin", |entries, _| entries.is_empty().then_some(()));
    bench.no_error();
}

#[test]
fn pictures_from_outside_come_into_the_gallery_or_are_told() {
    let mut bench = Bench::new();
    bench.read();
    let outside = bench.dir.path().join("外 outside.png");
    fs::write(&outside, file(5, None)).expect("written");
    let keep = Some((bench.folder(), "0002".to_owned()));
    let import = |path: &Path| GalleryInput::Import { path: path.to_owned(), keep: keep.clone() };
    for name in ["0002-from-outside-00.png", "0002-from-outside-01.png"] {
        bench.tell(import(&outside));
        let shown = bench.until("it", |_, state| state.shown.take());
        assert_eq!(shown, bench.folder().join(name));
        assert_eq!(bench.until("it", |_, state| state.imported.take()), shown);
        assert_eq!(fs::read(&shown).expect("a file"), fs::read(&outside).expect("a file"));
    }
    assert_eq!(bench.entries.len(), 2);
    // Another program's, and one that is a picture and nothing else.
    let text = "a lighthouse\\nSteps: 20, Seed: 5";
    let foreign = bench.dir.path().join("foreign.png");
    fs::write(&foreign, png::encode(8, 6, &[90; 144], &[("parameters", text)]).expect("PNG")).expect("written");
    let photo = bench.dir.path().join("photo.jpg");
    image::RgbImage::from_pixel(9, 7, image::Rgb([200, 90, 30])).save(&photo).expect("saved");
    for (path, says) in [(&foreign, "AUTOMATIC1111: a lighthouse"), (&photo, "no recipe")] {
        bench.tell(import(path));
        let (of, what) = bench.until("what it is", |_, state| state.foreign.pop());
        assert!(of == *path && what.to_string().contains(says), "{what}");
    }
    let text = bench.dir.path().join("text.png");
    fs::write(&text, b"no picture").expect("written");
    bench.tell(import(&text));
    bench.until("an error", |_, state| state.error.take());
}

#[test]
fn a_data_set_is_whole_or_not_there() {
    let mut bench = Bench::with(0..7);
    bench.read();
    bench.until_read(7);
    bench.mark(&[4], MarkChange::AddTag("训练".to_owned()));
    let to = bench.dir.path().join("数据 set");
    let export = |seeds: &[u64], path: &Path| {
        let pictures = seeds.iter().map(|seed| bench.path(*seed)).collect();
        GalleryInput::Export(Box::new(ToExport { pictures, kind: ExportKind::DataSet, path: path.to_owned() }))
    };
    let (all, missing) = (export(&[4, 1, 0, 3], &to), export(&[1, 55], &bench.dir.path().join("b")));
    bench.tell(all.clone());
    let saved = bench.until("a data set", |_, state| state.saved.take().filter(|_| state.exporting.is_none()));
    assert_eq!(saved, to);
    let manifest = fs::read(to.join("manifest.json")).expect("a manifest");
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("JSON");
    let rows = manifest["pictures"].as_array().expect("rows");
    let files: Vec<_> = rows.iter().filter_map(|row| row["file"].as_str()).collect();
    assert_eq!(files, ["blue/0001.png", "light-brown/0001.png", "blue/0002.png", "light-brown/0002.png"]);
    assert_eq!((rows[0]["tags"][0].as_str(), rows[1]["class_name"].as_str()), (Some("训练"), Some("Light brown")));
    for row in rows {
        let path = to.join(row["file"].as_str().expect("a file"));
        let bytes = fs::read(&path).expect("it is there");
        assert_eq!(row["sha256"].as_str(), Some(sha256_of_bytes(&bytes).as_str()));
        let contents = contents(&bytes, &path).expect("a picture");
        let Work::Image(work) = contents.recipe.expect("a recipe").expect("a good one").work else { panic!("another") };
        assert_eq!(row["seed"].as_u64(), Some(work.request.seeds[0].seed));
        assert!(contents.file.text(png::XMP).is_some_and(|text| text.contains("trainedAlgorithmicMedia")));
    }
    let table = fs::read_to_string(to.join("manifest.csv")).expect("a table");
    assert_eq!(table.lines().count(), 5);
    // Not into what is there already; and nothing is left of what failed.
    bench.tell(all);
    let why = bench.until("an error", |_, state| state.error.take());
    assert!(why.to_string().contains("already"), "{why}");
    bench.tell(missing);
    let why = bench.until("an error", |_, state| state.error.take().filter(|_| state.exporting.is_none()));
    assert!(why.to_string().contains("1000055-0000.png"), "{why}");
    let mut left: Vec<_> =
        fs::read_dir(bench.dir.path()).expect("a folder").flatten().map(|entry| entry.file_name()).collect();
    left.sort();
    assert_eq!(left, ["图 library", "数据 set"]);
    if cfg!(target_os = "linux") {
        // Nobody makes folders there.
        let pictures = vec![bench.path(1)];
        let path = PathBuf::from("/proc/set");
        bench.tell(GalleryInput::Export(Box::new(ToExport { pictures, kind: ExportKind::DataSet, path })));
        let why = bench.until("an error", |_, state| state.error.take());
        assert!(why.to_string().contains("/proc/set"), "{why}");
    }
}

#[test]
fn a_stopped_export_leaves_nothing() {
    let mut bench = Bench::with(0..2);
    bench.read();
    bench.until_read(2);
    let to = bench.dir.path().join("set");
    let pictures = (0..50_000).map(|at| bench.path(at % 2)).collect();
    bench.tell(GalleryInput::Export(Box::new(ToExport { pictures, kind: ExportKind::DataSet, path: to.clone() })));
    bench.until("a beginning", |_, state| state.exporting.filter(|(done, _)| *done > 0));
    bench.tell(GalleryInput::Stop);
    bench.until("an end", |_, state| state.exporting.is_none().then_some(()));
    assert_eq!(fs::read_dir(bench.dir.path()).expect("a folder").count(), 1);
    assert!(!to.exists() && bench.port().look(|state| state.saved.take()).is_none());
}

#[test]
fn a_sheet_shows_every_picture() {
    let mut bench = Bench::with(0..5);
    bench.read();
    bench.until_read(5);
    let to = bench.dir.path().join("sheet.png");
    let pictures = (0..5).map(|seed| bench.path(seed)).collect();
    bench.tell(GalleryInput::Export(Box::new(ToExport { pictures, kind: ExportKind::Sheet, path: to.clone() })));
    bench.until("a sheet", |_, state| state.saved.take());
    let sheet = png::read(&fs::read(&to).expect("a file")).expect("a PNG");
    assert_eq!((sheet.width, sheet.height), (3 * 13 + 1, 2 * 13 + 1));
    let at =
        |column: u32, row: u32| sheet.rgb[((row * (12 + 1) + 5) * sheet.width * 3 + (column * 13 + 5) * 3) as usize];
    for seed in 0..5_u32 {
        assert_eq!(u32::from(at(seed % 3, seed / 3)), seed * 31 % 256, "{seed}");
    }
    assert_eq!(at(2, 1), 255);
    assert!(sheet.text(png::XMP).is_some_and(|text| text.contains("trainedAlgorithmicMedia")));
}

#[test]
fn models_get_their_names_when_they_are_known() {
    let mut bench = Bench::with(0..2);
    bench.tell(GalleryInput::Read { folder: bench.folder(), names: Vec::new() });
    bench.until_read(2);
    assert_eq!(bench.entries[&bench.path(0)].kind.class_name, None);
    bench.tell(GalleryInput::Names(names()));
    bench.until("names", |entries, _| entries.values().all(|entry| entry.kind.class_name.is_some()).then_some(()));
    // They are kept: a model that is not listed any more is still known by them.
    bench.start();
    bench.tell(GalleryInput::Read { folder: bench.folder(), names: Vec::new() });
    bench.until_read(2);
    assert_eq!(bench.entries[&bench.path(0)].kind.title, "Eyes");
    let query = Query { text: "蓝眼睛".to_owned(), ..Query::default() };
    assert_eq!(bench.entries.values().filter(|entry| query.matcher().accepts(entry)).count(), 1);
}
