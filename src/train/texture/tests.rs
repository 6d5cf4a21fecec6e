use image::{Rgb, RgbImage};

use super::*;
use crate::generate::image::{ImageModel, ImageRequest, Picture};

/// Two textures: green stripes, and grey dots whose file says less than it shows.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("temporary folder");
    // As uneven as photographs are.
    let mut rng = Rng::at(1, 2);
    let mut uneven = |colour: [u8; 3]| Rgb(colour.map(|value| value.saturating_add(rng.below(30) as u8)));
    let stripes = RgbImage::from_fn(90, 70, |x, _| uneven(if x / 3 % 2 == 0 { [20, 200, 30] } else { [10, 90, 20] }));
    let dots = RgbImage::from_fn(64, 64, |x, y| uneven([if x % 5 == 0 && y % 5 == 0 { 220 } else { 120 }; 3]));
    stripes.save(dir.path().join("条纹.png")).expect("saved");
    dots.save(dir.path().join("dots.png")).expect("saved");
    dir
}

fn recipe() -> TextureRecipe {
    TextureRecipe {
        name: "tiny".to_owned(),
        seed: 3,
        textures: Vec::new(),
        detail: None,
        network: TextureNetwork { local: 4, periodic: 1, widths: vec![16, 12] },
        training: TextureSteps {
            steps: 150,
            side: 64,
            each: 1,
            learning_rate: 0.01,
            fall_from: 100,
            average: 0.8,
            checkpoint_every: 75,
        },
    }
}

fn load(recipe: &TextureRecipe, data: &Path) -> Result<Photographs> {
    Photographs::load(recipe, data, &mut |_| true).map(|photographs| photographs.expect("to the end"))
}

#[test]
fn textures_are_learnt_and_drawn_in_any_size() {
    let (dir, data, go) = (tempfile::tempdir().expect("temporary folder"), folder(), AtomicBool::new(false));
    let photographs = load(&recipe(), data.path()).expect("loads");
    let names: Vec<_> = photographs.classes.iter().map(|class| class.zh.as_str()).collect();
    assert_eq!(names, ["dots", "条纹"]);
    let mut reports = Vec::new();
    let mut report = |report: &TextureReport| {
        reports.push(report.clone());
        Ok(())
    };
    run(&recipe(), &photographs, (dir.path(), false), 150, &go, &mut report).expect("trains");
    assert_eq!(reports.iter().map(|report| report.step).collect::<Vec<_>>(), [50, 75, 100, 150]);
    assert!(reports[3].distance < 0.5 * reports[0].distance, "{reports:?}");
    assert!(reports[0].distance_of_real.is_none());
    let real = reports[3].distance_of_real.expect("at checkpoints");
    assert!(real > 0.0 && real < reports[0].distance, "{real}");
    assert!(dir.path().join("samples/step-000150.png").exists());
    let why = run(&recipe(), &photographs, (dir.path(), false), 150, &go, &mut |_| Ok(())).expect_err("refused");
    assert!(why.to_string().contains("--resume"));

    let path = dir.path().join("tiny.safetensors");
    let mut model = ImageModel::open("tiny", &path, 1).expect("opens");
    let info = model.info().clone();
    assert_eq!((info.family.as_str(), info.classes.len(), info.any_size), ("psgan", 2, true));
    let request = |class, size| ImageRequest { class: Some(class), size: Some(size), ..ImageRequest::of_seed(5) };
    let mut drawn = Vec::new();
    let requests = [request(1, [64, 32]), request(0, [50, 21])];
    assert!(model.draw(&requests, &go, &mut |_, picture| drawn.push(picture)).expect("draws"));
    assert_eq!(drawn.iter().map(|it| [it.width, it.height]).collect::<Vec<_>>(), [[64, 32], [50, 21]]);
    // Stripes are green, dots are grey.
    let mean = |picture: &Picture, channel: usize| {
        let values = picture.rgb.iter().skip(channel).step_by(3);
        values.map(|value| f64::from(*value)).sum::<f64>() / f64::from(picture.width * picture.height)
    };
    let [stripes, dots] = [0, 1].map(|at: usize| mean(&drawn[at], 1) - mean(&drawn[at], 0));
    assert!(stripes > 50.0 && dots.abs() < stripes / 2.0, "{stripes} {dots}");
    for size in [[15, 64], [64, 4097]] {
        assert!(model.draw(&[request(0, size)], &go, &mut |_, _| ()).is_err());
    }
}

#[test]
fn training_is_taken_up_again_exactly() {
    let data = folder();
    let mut one = recipe();
    one.textures = vec![Photograph { file: "dots.png".into(), en: "Dots".into(), zh: "点".into(), mirror: false }];
    for recipe in [recipe(), one] {
        let photographs = load(&recipe, data.path()).expect("loads");
        let new = || TextureTrainer::new(recipe.clone(), &photographs).expect("a trainer");
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("checkpoint.safetensors");
        let mut whole = new();
        whole.step(60).expect("a step");
        whole.save(&path).expect("saved");
        let mut resumed = new();
        resumed.resume(&path).expect("resumes");
        let one_thread = crate::kernels::with_threads(1, || resumed.step(60));
        assert_eq!(whole.step(60).expect("a step"), one_thread.expect("a step"));
        let [a, b] = ["a", "b"].map(|name| dir.path().join(name));
        whole.export(&a).expect("exports");
        resumed.export(&b).expect("exports");
        assert!(fs::read(&a).expect("read") == fs::read(b).expect("read"));
        let classes = ImageModel::open("a", &a, 1).expect("opens").info().classes.len();
        assert_eq!(classes, if recipe.textures.is_empty() { 2 } else { 0 });
        files::write_whole(&path, b"cut short").expect("written");
        assert!(resumed.resume(&path).is_err());
    }
}

#[test]
fn what_cannot_be_learnt_from_is_refused() {
    let data = folder();
    let why = |recipe: &TextureRecipe| load(recipe, data.path()).err().expect("refused").to_string();
    let mut large = recipe();
    large.training.side = 96;
    assert!(why(&large).contains("64 × 64 pixels, smaller than the squares of 96"));
    let mut absent = recipe();
    absent.textures = vec![Photograph { file: "none.png".into(), en: "a".into(), zh: "b".into(), mirror: true }];
    assert!(why(&absent).contains("none.png"));
    let empty = tempfile::tempdir().expect("temporary folder");
    assert!(load(&recipe(), empty.path()).err().expect("refused").to_string().contains("holds no pictures"));
    for change in [
        |recipe: &mut TextureRecipe| recipe.training.side = 72,
        |recipe: &mut TextureRecipe| recipe.network.widths.clear(),
        |recipe: &mut TextureRecipe| recipe.training.learning_rate = f64::NAN,
        |recipe: &mut TextureRecipe| recipe.name = "../x".to_owned(),
    ] {
        let mut recipe = recipe();
        change(&mut recipe);
        assert!(recipe.check().is_err(), "{recipe:?}");
    }
}

#[test]
fn squares_come_from_all_over_a_photograph_and_one_of_one_colour_is_no_fault() {
    let (data, recipe) = (tempfile::tempdir().expect("temporary folder"), recipe());
    let picture = RgbImage::from_fn(200, 64, |x, _| Rgb([x as u8, 9, 9]));
    picture.save(data.path().join("a.png")).expect("saved");
    RgbImage::from_pixel(64, 64, Rgb([9, 9, 9])).save(data.path().join("b.png")).expect("saved");
    let photographs = load(&recipe, data.path()).expect("loads");
    let squares = photographs.all[0].squares(64, &mut Rng::at(1, 1));
    let begins: Vec<_> = squares.iter().map(|square| (square[0].min(square[63]) + 1.0) * 127.5).collect();
    // Each is there and mirrored.
    assert_eq!(begins.len(), 12);
    assert!((begins[0] - 0.0).abs() < 0.01 && (begins[11] - 136.0).abs() < 0.01, "{begins:?}");
    let mut trainer = TextureTrainer::new(recipe, &photographs).expect("a trainer");
    assert!(trainer.step(60).expect("a step").is_finite());
}
