//! `atelier bench library`: a library of many small pictures, made in a temporary folder, read, and searched.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use serde::Serialize;

use super::{Output, Result};
use crate::{
    Error,
    engine::{
        Engine, Entry, GalleryInput, GalleryPort, GalleryState, MarkChange, ModelNames, Ordered, Query, Settings, Sort,
    },
    generate::image::{ImageRequest, Picture},
    recipe::{ImageRecipe, ModelRef, Recipe},
};

/// Sides of the pictures in pixels.
const SIDE: u32 = 64;
/// Thumbnails that a window shows at once.
const IN_SIGHT: usize = 60;
/// The longest that anything is waited for.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Measure how a large library of pictures is read, opened and searched
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How many pictures
    #[arg(long, value_name = "N", default_value_t = 25_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pictures: u64,
    /// Searches of each kind
    #[arg(long, value_name = "N", default_value_t = 20)]
    runs: usize,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    pictures: u64,
    /// Reading every file and making the index.
    first_reading_s: f64,
    /// From asking for the library to having every entry, from the index.
    open_ms: f64,
    /// From then until the folder was compared with the index.
    reconcile_ms: f64,
    /// Finding what a query asks for, over all entries.
    search_median_ms: f64,
    search_p95_ms: f64,
    /// Putting all entries into another order.
    order_ms: f64,
    /// Thumbnails of a screen from the index.
    thumbnails_ms: f64,
    /// Marking one picture, and all of them.
    mark_one_ms: f64,
    mark_all_ms: f64,
    index_mb: f64,
    /// What the process takes more with the library open.
    memory_mb: Option<f64>,
}

pub(super) fn run(args: &Args, out: &mut Output<'_>) -> Result {
    let library = Library::make(args.pictures)?;
    let begun = Instant::now();
    let mut window = Window::open(&library)?;
    window.until(|now, known| known as u64 == args.pictures && now.reading.is_none())?;
    window.finished()?;
    let first_reading_s = begun.elapsed().as_secs_f64();
    window.close();

    let memory_before = memory_mb();
    let begun = Instant::now();
    let mut window = Window::open(&library)?;
    window.until(|_, known| known as u64 == args.pictures)?;
    let open_ms = ms(begun.elapsed());
    let begun = Instant::now();
    window.finished()?;
    let reconcile_ms = ms(begun.elapsed());
    let memory_mb = memory_mb().zip(memory_before).map(|(now, before)| (now - before).max(0.0));

    let (mut searches, order_ms) = window.search(args.runs.max(1));
    searches.sort_by(f64::total_cmp);
    let at = |share: f64| searches[((searches.len() - 1) as f64 * share).round() as usize];
    let paths: Vec<PathBuf> = window.entries.keys().cloned().collect();
    let begun = Instant::now();
    window.tell(GalleryInput::Thumbnails(paths.iter().take(IN_SIGHT).cloned().collect()))?;
    window.until(|now, _| now.thumbnails.len() >= IN_SIGHT.min(args.pictures as usize))?;
    let thumbnails_ms = ms(begun.elapsed());
    let mark_one_ms = window.mark(paths[..1].to_vec())?;
    let mark_all_ms = window.mark(paths)?;
    window.close();
    let report = Report {
        pictures: args.pictures,
        first_reading_s,
        open_ms,
        reconcile_ms,
        search_median_ms: at(0.5),
        search_p95_ms: at(0.95),
        order_ms,
        thumbnails_ms,
        mark_one_ms,
        mark_all_ms,
        index_mb: fs::metadata(library.folder.join("index.sqlite")).map_or(0.0, |meta| meta.len() as f64 / 1e6),
        memory_mb,
    };
    if args.json {
        return out.json(&report);
    }
    out.line(&format!("first reading  {first_reading_s:9.1} s"))?;
    out.line(&format!("open           {open_ms:9.1} ms"))?;
    out.line(&format!("reconcile      {reconcile_ms:9.1} ms"))?;
    out.line(&format!(
        "search         {:9.2} ms, 95 % within {:.2} ms",
        report.search_median_ms, report.search_p95_ms
    ))?;
    out.line(&format!("another order  {order_ms:9.2} ms"))?;
    out.line(&format!("a screen       {thumbnails_ms:9.1} ms"))?;
    out.line(&format!("marking        {mark_one_ms:9.1} ms one, {mark_all_ms:.0} ms all"))?;
    let memory = report.memory_mb.map_or_else(|| "?".to_owned(), |mb| format!("{mb:.0}"));
    out.line(&format!("memory         {memory:>9} MB, index {:.0} MB", report.index_mb))
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn memory_mb() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? / 1024.0)
}

/// A folder of pictures that goes with this value.
struct Library {
    root: PathBuf,
    folder: PathBuf,
}

impl Library {
    fn make(count: u64) -> Result<Self> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        let root = std::env::temp_dir().join(format!("atelier-library-{}-{now}", std::process::id()));
        let library = Self { folder: root.join("pictures"), root };
        fs::create_dir_all(&library.folder).map_err(|why| Error::file(("create", "创建"), &library.folder, &why))?;
        for at in 0..count {
            let path =
                library.folder.join(format!("{:013}-{:04}.png", 1_700_000_000_000_u64 + at / 24 * 60_000, at % 24));
            write(&path, &picture(at)?)?;
        }
        Ok(library)
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        // Best effort: the folder is a temporary one.
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// Without waiting for the disk, which is not measured here.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    use std::io::Write as _;
    let written = fs::File::create(path).and_then(|mut file| file.write_all(bytes));
    Ok(written.map_err(|why| Error::file(("save", "保存"), path, &why))?)
}

/// A picture of one of three models with ten classes.
fn picture(at: u64) -> Result<Vec<u8>> {
    let model = ModelRef { name: format!("model-{}", at % 3), sha256: format!("{:064x}", at % 3) };
    let request = ImageRequest { class: Some((at / 24 % 10) as u32), ..ImageRequest::of_seed(at) };
    let shade = |x: u64, y: u64| ((x * (at % 13 + 1) + y * (at % 7 + 1)) ^ (x * y + at)) as u8;
    let pixels = 0..u64::from(SIDE * SIDE);
    let rgb = pixels.flat_map(|i| {
        let (x, y) = (i % u64::from(SIDE), i / u64::from(SIDE));
        [shade(x, y), shade(y, x / 2), (x * 3 + at) as u8]
    });
    let picture = Picture { width: SIDE, height: SIDE, rgb: rgb.collect() };
    let recipe = ImageRecipe { model, request, width: SIDE, height: SIDE, upscaled: None };
    Ok(Recipe::of_image(&picture, recipe).to_png(&picture)?)
}

/// What a window does with the gallery.
struct Window {
    engine: Engine,
    port: GalleryPort,
    entries: HashMap<PathBuf, Arc<Entry>>,
}

impl Window {
    fn open(library: &Library) -> Result<Self> {
        let engine = Engine::start(Arc::new(|| {}), Settings { threads: 1 })?;
        let port = engine.gallery().cloned();
        let Some(port) = port else { return Err(waited().into()) };
        let classes: Vec<_> = (0..10).map(|class| (format!("Class {class}"), format!("第{class}类"))).collect();
        let names = (0..3).map(|model| ModelNames {
            name: format!("model-{model}"),
            title: format!("Model {model}"),
            words: vec!["眼睛".to_owned()],
            classes: classes.clone(),
        });
        let window = Self { engine, port, entries: HashMap::new() };
        window.tell(GalleryInput::Read { folder: library.folder.clone(), names: names.collect() })?;
        Ok(window)
    }

    fn tell(&self, input: GalleryInput) -> Result<()> {
        if self.port.tell(input) { Ok(()) } else { Err(waited().into()) }
    }

    /// Waits until it holds of the state and the number of entries.
    fn until(&mut self, holds: impl Fn(&GalleryState, usize) -> bool) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            let entries = &mut self.entries;
            let held = self.port.look(|now| {
                for arrival in now.arrived.drain(..) {
                    if let Some(path) = &arrival.entry.path {
                        entries.insert(path.clone(), arrival.entry.clone());
                    }
                }
                match now.error.take() {
                    Some(why) => Err(why),
                    None => Ok(holds(now, entries.len())),
                }
            })?;
            if held {
                return Ok(());
            }
            std::thread::sleep(Duration::from_micros(300));
        }
        Err(waited().into())
    }

    /// Waits until everything that was asked before is done.
    fn finished(&mut self) -> Result<()> {
        self.port.look(|now| now.thumbnails.clear());
        self.tell(GalleryInput::Thumbnails(vec![PathBuf::from("none")]))?;
        self.until(|now, _| !now.thumbnails.is_empty() && now.reading.is_none())?;
        self.port.look(|now| now.thumbnails.clear());
        Ok(())
    }

    /// Milliseconds of searches as the window makes them, and of putting everything into another order (the median).
    fn search(&self, runs: usize) -> (Vec<f64>, f64) {
        let texts = ["", "c", "class 7", "第7类", "眼睛", "model 2 class", "#none", "1234", "0003.png", "zebra"];
        let sorts = [Sort::Newest, Sort::Oldest, Sort::Best];
        let entries: HashMap<u64, Arc<Entry>> = (0..).zip(self.entries.values().cloned()).collect();
        let mut ordered = Ordered::default();
        ordered.refresh(&entries);
        let (mut times, mut orders) = (Vec::new(), Vec::new());
        for run in 0..runs {
            for (at, text) in texts.iter().enumerate() {
                let query = Query { text: (*text).to_owned(), sort: sorts[run % sorts.len()], ..Query::default() };
                let begun = Instant::now();
                std::hint::black_box(ordered.find(&query));
                // The first of a run has another order than the last of the run before.
                if at == 0 { &mut orders } else { &mut times }.push(ms(begun.elapsed()));
            }
        }
        orders.sort_by(f64::total_cmp);
        (times, orders[orders.len() / 2])
    }

    fn mark(&mut self, paths: Vec<PathBuf>) -> Result<f64> {
        let begun = Instant::now();
        self.tell(GalleryInput::Mark { paths, change: MarkChange::AddTag("measured".to_owned()) })?;
        self.finished()?;
        Ok(ms(begun.elapsed()))
    }

    fn close(self) {
        drop((self.port, self.engine));
    }
}

fn waited() -> Error {
    Error::new("The gallery did not answer; try again with fewer pictures.", "图库没有响应，请减少图片数量后重试。")
}
