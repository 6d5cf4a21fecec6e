//! The painter over a model of random weights.
#![allow(clippy::disallowed_methods, reason = "tests put files in place")]
use std::{
    fs,
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};

use super::*;
use crate::{
    engine::gallery::Painted,
    generate::image::{Direction, Picture, tests::dcgan},
    recipe::{Work, contents},
};

/// The painter, over a model of random weights.
struct Bench {
    port: Option<PaintPort>,
    thread: Option<std::thread::JoinHandle<()>>,
    dir: tempfile::TempDir,
    model: PathBuf,
    gallery: Option<Receiver<GalleryInput>>,
    arrived: Vec<Arc<Painted>>,
    /// What was waited for.
    shown: Option<PathBuf>,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("temporary folder");
        let model = dcgan(dir.path());
        let open = Box::new(|name: &str, path: &Path| ImageModel::open(name, path, 1));
        let (sender, gallery) = bounded(INPUTS);
        let (port, parts) = connect(open, sender, Arc::new(|| {}));
        let thread = Some(std::thread::spawn(move || Worker::new(parts).run()));
        Self { port: Some(port), thread, dir, model, gallery: Some(gallery), arrived: Vec::new(), shown: None }
    }

    fn port(&self) -> &PaintPort {
        self.port.as_ref().expect("a painter")
    }

    fn tell(&self, input: PaintInput) {
        assert!(self.port().tell(input));
    }

    fn open(&self) {
        self.tell(PaintInput::Open { name: "random".to_owned(), path: self.model.clone() });
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("图 library")
    }

    fn draw(&self, seeds: std::ops::Range<u64>, stem: &str) {
        let requests = seeds.map(ImageRequest::of_seed).collect();
        self.tell(PaintInput::Draw { requests, keep: Some((self.folder(), stem.to_owned())) });
    }

    /// Waits until it holds; pictures that come are gathered.
    fn until(&mut self, what: &str, holds: impl Fn(&PaintState, &[Arc<Painted>]) -> bool) -> PaintState {
        let end = Instant::now() + Duration::from_secs(60);
        while Instant::now() < end {
            let state = self.port().look(|state| state.clone());
            for input in self.gallery.iter().flat_map(Receiver::try_iter) {
                let GalleryInput::Drawn { painted, show } = input else { panic!("{input:?}") };
                if show {
                    self.shown.clone_from(&painted.path);
                }
                self.arrived.push(painted);
            }
            if holds(&state, &self.arrived) {
                return state;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("waited in vain for {what}");
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        (self.port, self.gallery) = (None, None);
        let ended = self.thread.take().map(std::thread::JoinHandle::join);
        assert!(std::thread::panicking() || ended.is_none_or(|ended| ended.is_ok()));
    }
}

#[test]
fn pictures_come_in_order_and_are_kept_with_what_makes_them_again() {
    let mut bench = Bench::new();
    bench.open();
    bench.draw(5..45, "0001");
    let state = bench.until("all pictures", |state, arrived| arrived.len() == 40 && state.drawing.is_none());
    assert!(state.per_second.is_some() && state.error.is_none());
    let mut model = ImageModel::open("random", &bench.model, 2).expect("opens");
    let requests: Vec<_> = (5..45).map(ImageRequest::of_seed).collect();
    let mut index = 0;
    let go = AtomicBool::new(false);
    model
        .draw(&requests, &go, &mut |_, picture| {
            let painted = &bench.arrived[index];
            let chosen = ImageRequest { class: painted.recipe.request.class, ..requests[index].clone() };
            assert!(painted.picture == picture && painted.recipe.request == chosen);
            assert!(chosen.class.is_some_and(|class| class < 3));
            let path = painted.path.as_ref().expect("a path");
            assert_eq!(path, &bench.folder().join(format!("0001-{index:04}.png")));
            let kept = contents(&fs::read(path).expect("a file"), path).expect("a picture");
            let recipe = kept.recipe.expect("a recipe").expect("a good one");
            assert_eq!((kept.file.rgb, recipe.work), (picture.rgb, Work::Image(painted.recipe.clone())));
            index += 1;
        })
        .expect("draws");
    assert_eq!(index, 40);
}

#[test]
fn a_preview_does_not_wait_for_a_sheet_and_a_sheet_can_be_stopped() {
    let mut bench = Bench::new();
    bench.open();
    bench.draw(0..100_000, "0001");
    bench.until("some pictures", |_, arrived| !arrived.is_empty());
    let mut request = ImageRequest::of_seed(7);
    request.directions = vec![Direction { index: 1, amount: 2.0 }];
    bench.tell(PaintInput::Preview { number: 3, request: Box::new(request) });
    let state = bench.until("the preview", |state, _| state.preview.as_ref().is_some_and(|(number, _)| *number == 3));
    assert!(state.drawing.is_some_and(|(done, all)| done < all && all == 100_000));
    bench.tell(PaintInput::Stop);
    bench.until("a rest", |state, _| state.drawing.is_none());
    let count = bench.arrived.len();
    // What was drawn is kept, and nothing else.
    assert_eq!(fs::read_dir(bench.folder()).expect("a folder").count(), count);
    assert!(count < 100_000);
}

#[test]
fn failures_are_told_and_the_painter_lives_on() {
    let mut bench = Bench::new();
    bench.draw(0..1, "0001");
    let state = bench.until("an error", |state, _| state.error.is_some());
    assert!(state.error.expect("an error").to_string().contains("No model"));
    bench.port().look(|state| state.error = None);
    bench.open();
    // A file stands where the folder should be.
    fs::write(bench.folder(), b"in the way").expect("written");
    bench.draw(0..9, "0001");
    let state = bench.until("an error", |state, _| state.error.is_some());
    assert!(state.drawing.is_none() && bench.arrived.is_empty());
    bench.port().look(|state| state.error = None);
    fs::remove_file(bench.folder()).expect("removed");
    bench.draw(0..9, "0002");
    bench.until("pictures", |_, arrived| arrived.len() == 9);
}

#[test]
fn sketches_are_drawn_and_kept_nowhere() {
    let mut bench = Bench::new();
    bench.open();
    // The second takes the place of what is left of the first.
    let requests: Vec<_> = (0..50_000).map(ImageRequest::of_seed).collect();
    bench.tell(PaintInput::Sketch { number: 1, requests: requests.clone() });
    bench.tell(PaintInput::Sketch { number: 2, requests: requests[..70].to_vec() });
    let state = bench.until("sketches", |state, _| state.sketches.iter().filter(|sketch| sketch.0 == 2).count() == 70);
    let mut model = ImageModel::open("random", &bench.model, 1).expect("opens");
    let second: Vec<_> = state.sketches.iter().filter(|sketch| sketch.0 == 2).collect();
    let go = AtomicBool::new(false);
    let each = &mut |index: usize, picture| assert_eq!(*second[index], (2, index, picture));
    assert!(model.draw(&requests[..70], &go, each).expect("draws"));
    assert!(state.sketches.len() < 50_000 && bench.arrived.is_empty() && !bench.folder().exists());
}

#[test]
fn films_are_saved_and_a_folder_with_files_is_not_written_into() {
    let mut bench = Bench::new();
    bench.open();
    let requests: Vec<_> = (0..40).map(ImageRequest::of_seed).collect();
    let folder = bench.dir.path().to_owned();
    let film = |kind, name: &str| {
        let path = folder.join(name);
        PaintInput::Film(Box::new(ToFilm { requests: requests.clone(), rate: 20, kind, path }))
    };
    // Two at once: the second waits for the first.
    for name in ["one.gif", "two.gif"] {
        bench.tell(film(FilmKind::Gif, name));
    }
    let two = bench.dir.path().join("two.gif");
    bench.until("both films", |state, _| state.saved.as_ref() == Some(&two) && state.drawing.is_none());
    let both = ["one.gif", "two.gif"].map(|name| fs::read(bench.dir.path().join(name)).expect("a file"));
    assert!(both[0] == both[1]);
    let films = [(FilmKind::Apng, "电影.png"), (FilmKind::Gif, "film.gif"), (FilmKind::Frames, "frames")];
    for (kind, name) in films {
        bench.port().look(|state| state.saved = None);
        let input = film(kind, name);
        bench.tell(input);
        let state = bench.until("the film", |state, _| state.saved.is_some() || state.error.is_some());
        assert_eq!((state.saved, state.drawing, state.error), (Some(bench.dir.path().join(name)), None, None));
    }
    let still = crate::formats::png::read(&fs::read(bench.dir.path().join("电影.png")).expect("a file"));
    let first = fs::read(bench.dir.path().join("frames/0000.png")).expect("a file");
    let first = contents(&first, Path::new("0000.png")).expect("a picture");
    assert_eq!(still.expect("a PNG").rgb, first.file.rgb);
    assert!(first.recipe.is_some_and(|recipe| recipe.is_ok()) && bench.dir.path().join("frames/0039.png").exists());
    assert!(fs::read(bench.dir.path().join("film.gif")).expect("a file").starts_with(b"GIF89a"));
    bench.tell(film(FilmKind::Frames, "frames"));
    let state = bench.until("an error", |state, _| state.error.is_some());
    assert!(state.error.expect("an error").to_string().contains("already"));
}

#[test]
fn a_picture_is_enlarged_and_kept_and_that_can_be_stopped() {
    let mut bench = Bench::new();
    bench.open();
    bench.draw(0..2, "0001");
    bench.until("pictures", |_, arrived| arrived.len() == 2);
    let upscaler = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/upscale/srvgg_x2.safetensors");
    let (recipe, folder) = (bench.arrived[0].recipe.clone(), bench.folder());
    let wish = |picture: Option<Picture>, stem: &str| {
        let keep = Some((folder.clone(), stem.to_owned()));
        PaintInput::Enlarge(Box::new(ToEnlarge {
            upscaler: ("small".to_owned(), upscaler.clone()),
            recipe: recipe.clone(),
            picture,
            keep,
        }))
    };
    assert_eq!(bench.shown, None);
    // As it is, and drawn anew: the same.
    let wishes = [wish(Some(bench.arrived[0].picture.clone()), "0002"), wish(None, "0003")];
    wishes.into_iter().for_each(|wish| bench.tell(wish));
    let state = bench.until("large ones", |state, arrived| arrived.len() == 4 && state.enlarging.is_none());
    assert_eq!(state.error, None);
    let [.., first, second] = bench.arrived.as_slice() else { panic!("four") };
    assert_eq!((first.picture.width, &first.picture), (64, &second.picture));
    let how = first.recipe.upscaled.as_ref().expect("enlarged");
    assert_eq!((how.scale, how.model.name.as_str()), (2, upscaler.to_str().expect("a path")));
    assert_eq!(bench.shown, second.path);
    let path = first.path.as_ref().expect("kept");
    let kept = contents(&fs::read(path).expect("a file"), path).expect("a picture");
    assert_eq!(kept.recipe.expect("a recipe").expect("a good one").work, Work::Image(first.recipe.clone()));
    // A picture that takes long is stopped; what was asked for meanwhile is done.
    let large = Picture { width: 1200, height: 900, rgb: vec![77; 1200 * 900 * 3] };
    bench.tell(wish(Some(large), "0004"));
    bench.until("work", |state, _| state.enlarging.is_some());
    bench.tell(PaintInput::Stop);
    bench.draw(7..8, "0005");
    bench.until("the next picture", |state, arrived| arrived.len() == 5 && state.enlarging.is_none());
    assert!(!bench.folder().join("0004-large.png").exists());
}

#[test]
fn a_picture_of_anybodys_is_enlarged_into_another_file() {
    let mut bench = Bench::new();
    let photo = bench.dir.path().join("photo.jpg");
    image::RgbImage::from_pixel(9, 7, image::Rgb([200, 90, 30])).save(&photo).expect("saved");
    let upscaler = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/upscale/srvgg_x2.safetensors");
    let to = bench.dir.path().join("photo ×2.png");
    let upscaler = ("small".to_owned(), upscaler);
    bench.tell(PaintInput::EnlargeFile { upscaler, from: photo, to: to.clone() });
    let state = bench.until("a large one", |state, _| state.saved.is_some() && state.enlarging.is_none());
    assert_eq!(state.saved, Some(to.clone()));
    let large = contents(&fs::read(&to).expect("a file"), &to).expect("a picture");
    assert_eq!((large.file.width, large.file.height, large.recipe), (18, 14, None));
    assert!(large.file.text(crate::formats::png::XMP).is_some_and(|text| text.contains("composite")));
}

#[test]
fn what_cannot_be_begun_stops_nothing_and_the_open_model_stays() {
    let mut bench = Bench::new();
    bench.open();
    bench.draw(0..60, "0001");
    fs::create_dir_all(bench.dir.path().join("full/of")).expect("a folder");
    let film = ToFilm {
        requests: vec![ImageRequest::of_seed(1)],
        rate: 5,
        kind: FilmKind::Frames,
        path: bench.dir.path().join("full"),
    };
    bench.tell(PaintInput::Film(Box::new(film)));
    let state = bench.until("an error", |state, _| state.error.is_some());
    assert!(state.error.expect("an error").to_string().contains("full"));
    bench.until("all pictures all the same", |state, arrived| arrived.len() == 60 && state.drawing.is_none());
    bench.port().look(|state| state.error = None);
    bench.tell(PaintInput::Open { name: "gone".to_owned(), path: bench.dir.path().join("gone.safetensors") });
    let state = bench.until("an error", |state, _| state.error.is_some());
    assert!(state.model.is_some_and(|model| model.name == "random"));
    bench.draw(60..62, "0002");
    bench.until("pictures of the old model", |_, arrived| arrived.len() == 62);
}
