#![allow(clippy::disallowed_methods, reason = "tests put pictures in place")]

use std::path::PathBuf;

use image::{Rgb, RgbImage};

use super::*;
use crate::nets::dcgan::{ClassName, DcganConfig};

/// Dark squares and light circles, 16 pixels wide.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("temporary folder");
    for (class, round) in [("圆 rings", true), ("squares", false)] {
        fs::create_dir(dir.path().join(class)).expect("a folder");
        for index in 0..12_u32 {
            let picture = RgbImage::from_fn(20, 16, |x, y| {
                let (x, y) = (f64::from(x) - 9.5 + f64::from(index % 3), f64::from(y) - 7.5);
                let inside = if round { x.hypot(y) < 5.0 } else { x.abs().max(y.abs()) < 5.0 };
                if inside { Rgb([30, 60 + 10 * (index % 4) as u8, 90]) } else { Rgb([240, 230, 220]) }
            });
            let name = format!("{index}.{}", ["png", "jpg", "webp"][index as usize % 3]);
            picture.save(dir.path().join(class).join(name)).expect("saved");
        }
    }
    dir
}

fn recipe() -> GanRecipe {
    GanRecipe {
        name: "tiny".to_owned(),
        seed: 3,
        data: DataRecipe::Images { mirror: true, channels: 3 },
        network: GanNetwork::Dcgan { latent: 8, widths: vec![16, 12] },
        training: GanSteps {
            steps: 60,
            batch: 8,
            learning_rate: 1e-3,
            critic_learning_rate: 2e-3,
            betas: [0.5, 0.99],
            noise: [0.1, 0.0],
            gamma: 0.0,
            penalty_every: 1,
            augment: false,
            fall_from: 60,
            average: 0.9,
            checkpoint_every: 30,
        },
    }
}

fn pictures(folder: &Path) -> Pictures {
    Pictures::load(&recipe(), folder, &mut |_| true).expect("loads").expect("to the end")
}

#[test]
fn a_folder_has_classes_and_bad_files_are_passed_over() {
    let dir = folder();
    files::write_whole(&dir.path().join("squares/broken.png"), b"no picture").expect("written");
    files::write_whole(&dir.path().join("squares/notes.txt"), b"text").expect("written");
    let all = pictures(dir.path());
    assert_eq!((all.side, all.labels.len(), all.bytes.len()), (16, 24, 24 * 768));
    let names: Vec<_> = all.classes.iter().map(|class| class.en.as_str()).collect();
    assert_eq!(names, ["squares", "圆 rings"]);
    assert_eq!(all.labels.iter().filter(|label| **label == 0).count(), 12);
    let skipped: Vec<_> = all.skipped.iter().map(|(path, _)| path.file_name().expect("a name")).collect();
    assert_eq!(skipped, ["broken.png"]);
    // The middle is dark, the corner light, red the darkest plane.
    let one = &all.bytes[..768];
    assert!(one[8 * 16 + 8] < 60 && one[0] > 200 && one[256 + 8 * 16 + 8] > one[8 * 16 + 8]);
    let stopped = Pictures::load(&recipe(), dir.path(), &mut |_| false).expect("stops");
    assert!(stopped.is_none());
    let empty = tempfile::tempdir().expect("temporary folder");
    let why = Pictures::load(&recipe(), empty.path(), &mut |_| true).err().expect("refused");
    assert!(why.to_string().contains("fewer than two"), "{why}");
    let nowhere = Pictures::load(&recipe(), Path::new("/nowhere"), &mut |_| true).err().expect("refused");
    assert!(nowhere.to_string().contains("/nowhere"));
}

#[test]
fn characters_of_fonts_are_dark_on_light_and_in_the_middle() {
    let fonts = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("assets/fonts");
    let file = fs::read_dir(&fonts).expect("fonts").flatten().map(|entry| entry.file_name());
    let file = file
        .map(|name| name.to_string_lossy().into_owned())
        .find(|name| name == "NotoSansSC-Regular.otf")
        .expect("a font");
    let font = FontRecipe { file, index: 0, en: "Sans".to_owned(), zh: "黑体".to_owned() };
    let glyphs = |fonts: Vec<FontRecipe>| GanRecipe {
        data: DataRecipe::Glyphs { characters: [0x4E00, 0x4E2D], fonts },
        ..recipe()
    };
    let all = Pictures::load(&glyphs(vec![font.clone()]), &fonts, &mut |_| true).expect("loads").expect("to the end");
    assert!(all.labels.len() > 20 && all.channels == 1 && all.classes[0].zh == "黑体");
    // 一 is a stroke across the middle.
    let one = &all.bytes[..256];
    let ink = |row: usize| one[row * 16..row * 16 + 16].iter().map(|byte| 255 - u32::from(*byte)).sum::<u32>();
    let darkest = (0..16).max_by_key(|row| ink(*row)).expect("a row");
    assert!((6..=9).contains(&darkest) && ink(0) == 0 && ink(15) == 0, "{darkest}");
    let missing = FontRecipe { file: "none.ttf".to_owned(), ..font.clone() };
    assert!(Pictures::load(&glyphs(vec![font, missing]), &fonts, &mut |_| true).is_err());
}

#[test]
fn it_learns_and_what_it_learnt_draws() {
    let (dir, data) = (tempfile::tempdir().expect("temporary folder"), folder());
    let mut reports = Vec::new();
    let mut report = |report: &GanReport| {
        reports.push(report.clone());
        Ok(())
    };
    let go = AtomicBool::new(false);
    run(&recipe(), pictures(data.path()), (dir.path(), false), 90, &go, &mut report).expect("trains");
    assert_eq!(reports.iter().map(|report| report.step).collect::<Vec<_>>(), [30, 50, 60, 90]);
    assert!(reports[3].critic_loss < 1.35, "{reports:?}");
    // At checkpoints it is measured how far from real ones the pictures are: ever less, and real ones least.
    assert!(reports[1].kid_x1000.is_none());
    let [early, late] = [0, 3].map(|at: usize| reports[at].kid_x1000.expect("measured"));
    let real = reports[3].kid_x1000_of_real.expect("measured");
    assert!(late < early && real.abs() < 0.2 * late, "{early} {late} {real}");
    let (tensors, metadata) =
        crate::formats::safetensors::load_all(&dir.path().join("tiny.safetensors")).expect("a model");
    let tensors = tensors.into_iter().map(|(name, t)| (name, t.to_dtype(candle_core::DType::F32).expect("floats")));
    let tensors = tensors.collect();
    let told = metadata.get(crate::nets::dcgan::METADATA).map(String::as_str);
    let config = DcganConfig::of_tensors(&tensors, told).expect("a config");
    assert_eq!((config.classes.len(), config.latent, config.side()), (2, 8, 16));
    let sheet = fs::read(dir.path().join("samples/step-000090.png")).expect("a sheet");
    let sheet = png::read(&sheet).expect("a picture");
    assert_eq!((sheet.width, sheet.height), (128, 128));
    // It has learnt that the middle is darker than the corners.
    let grey = |x: u32, y: u32| u32::from(sheet.rgb[((y * 128 + x) * 3) as usize]);
    let [mut middle, mut corner] = [0, 0];
    for (column, row) in (0..8).flat_map(|column| (0..8).map(move |row| (column * 16, row * 16))) {
        middle += grey(column + 8, row + 8);
        corner += grey(column, row);
    }
    assert!(middle + 64 * 30 < corner, "{middle} {corner}");
    let again = run(&recipe(), pictures(data.path()), (dir.path(), false), 91, &go, &mut |_| Ok(()));
    assert!(again.expect_err("refused").to_string().contains("--resume"));
}

#[test]
fn training_that_is_taken_up_again_takes_the_same_steps() {
    let (dir, data) = (tempfile::tempdir().expect("temporary folder"), folder());
    let path = dir.path().join("checkpoint.safetensors");
    let mut whole = GanTrainer::new(recipe(), pictures(data.path())).expect("a trainer");
    let mut part = GanTrainer::new(recipe(), pictures(data.path())).expect("a trainer");
    for _ in 0..3 {
        whole.step(60).expect("a step");
        part.step(60).expect("a step");
    }
    part.save(&path).expect("saved");
    let mut resumed = GanTrainer::new(GanRecipe { seed: 3, ..recipe() }, pictures(data.path())).expect("a trainer");
    resumed.resume(&path).expect("resumes");
    assert_eq!(resumed.steps(), 3);
    assert_eq!(whole.step(60).expect("a step"), resumed.step(60).expect("a step"));
    let [a, b] = [&whole, &resumed].map(|trainer| dir.path().join(format!("{:p}.safetensors", trainer)));
    whole.export(&a).expect("exports");
    resumed.export(&b).expect("exports");
    assert!(fs::read(a).expect("read") == fs::read(b).expect("read"));
    let other = GanRecipe { network: GanNetwork::Dcgan { latent: 9, widths: vec![16, 12] }, ..recipe() };
    let mut other = GanTrainer::new(other, pictures(data.path())).expect("a trainer");
    assert!(other.resume(&path).expect_err("refused").to_string().contains("another recipe"));
}

#[test]
fn recipes_that_make_no_sense_are_refused() {
    let bad = |change: fn(&mut GanRecipe)| {
        let mut recipe = recipe();
        change(&mut recipe);
        recipe.check().is_err()
    };
    assert!(recipe().check().is_ok());
    assert!(bad(|recipe| recipe.name = "../x".to_owned()));
    assert!(bad(|recipe| recipe.network = GanNetwork::Dcgan { latent: 8, widths: Vec::new() }));
    assert!(bad(|recipe| recipe.network = GanNetwork::Dcgan { latent: 8, widths: vec![1 << 40, 12] }));
    assert!(bad(|recipe| recipe.network = GanNetwork::Dcgan { latent: 0, widths: vec![16, 12] }));
    assert!(bad(|recipe| recipe.network = GanNetwork::Mlp { latent: 8, side: 1 << 40 }));
    assert!(bad(|recipe| recipe.training.batch = 1));
    assert!(bad(|recipe| recipe.training.learning_rate = f64::NAN));
    assert!(bad(|recipe| recipe.training.average = 1.0));
    assert!(bad(|recipe| recipe.data = DataRecipe::Images { mirror: false, channels: 2 }));
    assert!(bad(|recipe| recipe.data = DataRecipe::Glyphs { characters: [9, 3], fonts: Vec::new() }));
    let bundled = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("models/image/tianshu/recipe.toml"));
    crate::train::TrainRecipe::parse(&bundled.expect("a recipe")).expect("parses");
}

/// Light crosses and rings on black, 28 pixels wide, as IDX files; the pictures packed.
fn idx_folder() -> tempfile::TempDir {
    use std::io::Write as _;
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut images = [[0, 0, 8, 3], [0, 0, 0, 40], [0, 0, 0, 28], [0, 0, 0, 28]].concat();
    let mut labels = [[0, 0, 8, 1], [0, 0, 0, 40]].concat();
    for index in 0..40_u8 {
        labels.push(index % 2);
        for at in 0..28 * 28_u32 {
            let (x, y) = (f64::from(at % 28) - 13.5, f64::from(at / 28) - 13.5);
            let on = if index % 2 == 0 { x.abs().min(y.abs()) < 3.0 } else { (x.hypot(y) - 8.0).abs() < 2.0 };
            images.push(if on { 200 + index } else { 0 });
        }
    }
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&images).expect("packed");
    files::write_whole(&dir.path().join("images.gz"), &packed.finish().expect("packed")).expect("written");
    files::write_whole(&dir.path().join("labels"), &labels).expect("written");
    files::write_whole(&dir.path().join("short"), &images[..images.len() - 1]).expect("written");
    dir
}

fn mlp_recipe() -> GanRecipe {
    let class = |en: &str| ClassName { en: en.to_owned(), zh: "类".to_owned() };
    let data = DataRecipe::Idx {
        images: "images.gz".to_owned(),
        labels: Some("labels".to_owned()),
        classes: vec![class("cross"), class("ring")],
    };
    GanRecipe { data, network: GanNetwork::Mlp { latent: 8, side: 28 }, ..recipe() }
}

#[test]
fn perceptrons_learn_from_idx_files_and_the_model_draws_by_class() {
    let (dir, data) = (tempfile::tempdir().expect("temporary folder"), idx_folder());
    let load = |recipe: &GanRecipe| Pictures::load(recipe, data.path(), &mut |_| true);
    let pictures = load(&mlp_recipe()).expect("loads").expect("to the end");
    assert_eq!((pictures.labels.len(), pictures.side, pictures.bytes[13 * 28 + 3]), (40, 28, 200));
    let go = AtomicBool::new(false);
    let mut distances = Vec::new();
    let mut report = |report: &GanReport| {
        distances.extend(report.kid_x1000);
        Ok(())
    };
    run(&mlp_recipe(), pictures, (dir.path(), false), 120, &go, &mut report).expect("trains");
    assert!(distances.len() == 4 && distances[3] < 0.9 * distances[0], "{distances:?}");
    let path = dir.path().join("tiny.safetensors");
    let mut model = crate::generate::image::ImageModel::open("tiny", &path, 1).expect("opens");
    let info = model.info().clone();
    assert_eq!((info.family.as_str(), info.latent, info.width, info.classes.len()), ("mlp", 8, 28, 2));
    assert!(info.directions > 0);
    // The class is heard: one seed gives another picture of each.
    let mut requests: Vec<_> = (0..6).map(|index| crate::generate::image::ImageRequest::of_seed(index / 2)).collect();
    requests.iter_mut().enumerate().for_each(|(index, request)| request.class = Some(index as u32 % 2));
    let mut drawn = Vec::new();
    let each = &mut |_: usize, picture: crate::generate::image::Picture| drawn.push(picture.rgb);
    assert!(model.draw(&requests, &go, each).expect("draws"));
    assert!(drawn.len() == 6 && drawn.chunks(2).all(|pair| pair[0] != pair[1]));
    // A larger size of pictures than the file's, and files that are damaged or do not fit.
    let large = GanRecipe { network: GanNetwork::Dcgan { latent: 8, widths: vec![4, 4, 4] }, ..mlp_recipe() };
    let larger = load(&large).expect("loads").expect("to the end");
    assert_eq!((larger.side, larger.bytes.len()), (32, 40 * 32 * 32));
    let with = |images: &str, labels: Option<&str>, count: usize| {
        let classes = mlp_recipe().data;
        let DataRecipe::Idx { mut classes, .. } = classes else { panic!("IDX") };
        classes.truncate(count);
        let data = DataRecipe::Idx { images: images.to_owned(), labels: labels.map(str::to_owned), classes };
        load(&GanRecipe { data, ..mlp_recipe() }).err().map(|why| why.to_string()).expect("refused")
    };
    assert!(with("short", Some("labels"), 2).contains("IDX"));
    assert!(with("labels", Some("labels"), 2).contains("IDX"));
    assert!(with("images.gz", Some("labels"), 1).contains("classes"));
    assert!(with("none", None, 0).contains("none"));
}

#[test]
fn every_kind_of_network_and_augmented_pictures_can_be_taken_up_again() {
    let pictures = folder();
    let augmented = |mut recipe: GanRecipe| {
        recipe.training.augment = true;
        recipe
    };
    let pairs = GanNetwork::R3gan { latent: 6, stages: vec![16, 8, 8], blocks: 1, group: 4 };
    let recipes = [
        (augmented(recipe()), pictures.path()),
        (augmented(GanRecipe { network: pairs, ..recipe() }), pictures.path()),
    ];
    for (recipe, data) in recipes {
        let new = || {
            let pictures = Pictures::load(&recipe, data, &mut |_| true).expect("loads").expect("to the end");
            GanTrainer::new(recipe.clone(), pictures).expect("a trainer")
        };
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("checkpoint.safetensors");
        let mut whole = new();
        whole.step(60).expect("a step");
        whole.save(&path).expect("saved");
        let mut resumed = new();
        resumed.resume(&path).expect("resumes");
        assert_eq!(whole.step(60).expect("a step"), resumed.step(60).expect("a step"));
        let [a, b] = ["a", "b"].map(|name| dir.path().join(name));
        whole.export(&a).expect("exports");
        resumed.export(&b).expect("exports");
        assert!(fs::read(&a).expect("read") == fs::read(b).expect("read"), "{:?}", recipe.network);
        let mut model = crate::generate::image::ImageModel::open("a", &a, 1).expect("opens");
        let request = crate::generate::image::ImageRequest::of_seed(1);
        assert!(model.draw(&[request], &AtomicBool::new(false), &mut |_, _| ()).expect("draws"));
    }
}

#[test]
fn archives_hold_what_folders_hold() {
    use std::io::Write as _;
    let (data, dir) = (folder(), tempfile::tempdir().expect("temporary folder"));
    files::write_whole(&data.path().join("squares/broken.png"), b"no picture").expect("written");
    let wanted = pictures(data.path());
    let mut files = Vec::new();
    for class in ["squares", "圆 rings"] {
        for entry in fs::read_dir(data.path().join(class)).expect("a folder").flatten() {
            files.push((
                format!("all/{class}/{}", entry.file_name().to_string_lossy()),
                fs::read(entry.path()).expect("read"),
            ));
        }
    }
    files.sort();
    files.push(("all/squares/.hidden.png".to_owned(), b"x".to_vec()));
    files.push(("__MACOSX/0.png".to_owned(), b"x".to_vec()));
    files.push(("all/readme.txt".to_owned(), b"x".to_vec()));
    let [zip, tar, packed] = ["a.zip", "a.tar", "a.tgz"].map(|name| dir.path().join(name));
    let mut writer = zip::ZipWriter::new(fs::File::create(&zip).expect("a file"));
    for (name, bytes) in &files {
        writer.start_file(name.as_str(), zip::write::SimpleFileOptions::default()).expect("begun");
        writer.write_all(bytes).expect("written");
    }
    writer.finish().expect("finished");
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in &files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, bytes.as_slice()).expect("written");
    }
    let bytes = builder.into_inner().expect("finished");
    files::write_whole(&tar, &bytes).expect("written");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&bytes).expect("packed");
    files::write_whole(&packed, &encoder.finish().expect("packed")).expect("written");
    for path in [&zip, &tar, &packed] {
        let all = pictures(path);
        assert_eq!((&all.classes, &all.labels, all.skipped.len()), (&wanted.classes, &wanted.labels, 1), "{path:?}");
        assert!(all.bytes == wanted.bytes, "{path:?}");
    }
    // Cut short, or none at all.
    files::write_whole(&tar, &bytes[..bytes.len() / 2]).expect("written");
    files::write_whole(&zip, &fs::read(&zip).expect("read")[..900]).expect("written");
    files::write_whole(&packed, b"plain text").expect("written");
    for path in [&zip, &tar, &packed] {
        let why = Pictures::load(&recipe(), path, &mut |_| true).err().expect("refused");
        assert!(why.to_string().contains("archive"), "{why}");
    }
}
