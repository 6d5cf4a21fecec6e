use std::{sync::Arc, time::Instant};

use image::{Rgb, RgbImage};

use super::*;
use crate::{
    generate::image::ImageModel,
    random::Rng,
    train::{
        TrainRecipe,
        texture::{Photographs, TextureTrainer},
    },
};

/// A photograph of grains, `side` wide and high.
fn photograph(folder: &std::path::Path, name: &str, side: u32) -> PathBuf {
    let mut rng = Rng::at(2, 2);
    let picture = RgbImage::from_fn(side, side, |_, _| Rgb([60 + rng.below(90) as u8, 40, 30]));
    let path = folder.join(name);
    picture.save(&path).expect("saved");
    path
}

/// Waits until the teacher is as the test wants it.
fn until<R>(port: &TeachPort, mut at: impl FnMut(&mut TeachState) -> Option<R>) -> R {
    let begun = Instant::now();
    loop {
        if let Some(found) = port.look(&mut at) {
            return found;
        }
        assert!(begun.elapsed().as_secs() < 120, "{:?}", port.look(|state| state.clone()));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

fn teacher() -> (TeachPort, std::thread::JoinHandle<()>) {
    let (port, parts) = connect(Arc::new(|| ()));
    let thread = std::thread::Builder::new().name("teacher".to_owned());
    (port, thread.spawn(move || Worker::new(parts).run()).expect("a thread"))
}

#[test]
fn photographs_are_looked_at_taught_and_the_model_draws() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let good = photograph(dir.path(), "沙.png", 300);
    let small = photograph(dir.path(), "small.png", 90);
    let (port, thread) = teacher();
    for path in [&good, &small, &dir.path().join("none.png")] {
        assert!(port.tell(TeachInput::Look(path.clone())));
    }
    let looked = until(&port, |state| (state.looked.len() == 3).then(|| std::mem::take(&mut state.looked)));
    assert!(looked[0].seen.as_ref().is_ok_and(|picture| picture.width == 192 && picture.rgb.len() == 192 * 192 * 3));
    let why = |at: usize| looked[at].seen.as_ref().expect_err("refused").to_string();
    assert!(why(1).contains("90 × 90") && why(2).contains("none.png"));

    // Cut short after a few steps: what was learnt is there.
    let path = dir.path().join("models/沙.safetensors");
    let wish = ToTeach { photographs: vec![(good, "沙".to_owned())], detail: 160, steps: 400, path: path.clone() };
    assert!(port.tell(TeachInput::Begin(Box::new(wish.clone()))));
    let samples =
        until(&port, |state| state.teaching.as_ref().filter(|now| now.number > 0).map(|now| now.samples.clone()));
    assert!(samples.len() == 4 && samples.iter().all(|picture| picture.width == 128));
    until(&port, |state| state.teaching.as_ref().filter(|now| now.distances.len() > 1).map(|_| ()));
    assert!(port.tell(TeachInput::Finish));
    assert_eq!(until(&port, |state| state.done.take()), path);
    assert!(port.look(|state| state.teaching.is_none() && state.error.is_none()));
    let info = ImageModel::open("沙", &path, 1).expect("opens").info().clone();
    assert!(info.any_size && info.classes.is_empty());

    // Nothing learnt, or not wanted: nothing kept.
    let path = dir.path().join("unwanted.safetensors");
    for end in [TeachInput::Finish, TeachInput::Discard] {
        assert!(port.tell(TeachInput::Begin(Box::new(ToTeach { path: path.clone(), ..wish.clone() }))));
        if end == TeachInput::Discard {
            until(&port, |state| state.teaching.as_ref().filter(|now| now.step > 0).map(|_| ()));
        }
        assert!(port.tell(end));
        until(&port, |state| state.teaching.is_none().then_some(()));
        assert!(!path.exists() && !path.with_extension("toml").exists() && port.look(|state| state.done.is_none()));
    }

    // To the end, and with a second one; the window goes meanwhile.
    let second = photograph(dir.path(), "b.png", 200);
    let photographs = vec![(wish.photographs[0].0.clone(), "a".to_owned()), (second, "b".to_owned())];
    let path = dir.path().join("two.safetensors");
    let wish = ToTeach { photographs, steps: 3, path: path.clone(), ..wish };
    assert!(port.tell(TeachInput::Begin(Box::new(wish.clone()))));
    assert_eq!(until(&port, |state| state.done.take()), path);
    assert_eq!(ImageModel::open("two", &path, 1).expect("opens").info().classes.len(), 2);
    // Its recipe lies beside it, and teaches the same from the command line.
    let recipe = std::fs::read_to_string(path.with_extension("toml")).expect("a recipe");
    let TrainRecipe::Texture(recipe) = TrainRecipe::parse(&recipe).expect("reads") else { panic!("of textures") };
    let read = Photographs::load(&recipe, dir.path(), &mut |_| true).expect("reads").expect("to the end");
    let mut again = TextureTrainer::new(recipe, &read).expect("a trainer");
    for _ in 0..3 {
        again.step(3).expect("a step");
    }
    let copy = dir.path().join("again.safetensors");
    again.export(&copy).expect("saved");
    assert!(std::fs::read(&copy).expect("read") == std::fs::read(&path).expect("read"), "another model");
    let path = dir.path().join("left.safetensors");
    assert!(port.tell(TeachInput::Begin(Box::new(ToTeach { steps: 100_000, path: path.clone(), ..wish }))));
    until(&port, |state| state.teaching.as_ref().filter(|now| now.step > 0).map(|_| ()));
    drop(port);
    thread.join().expect("ends");
    assert!(ImageModel::open("left", &path, 1).is_ok());
}

#[test]
fn what_cannot_be_taught_is_said_and_the_teacher_goes_on() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (port, _) = teacher();
    let good = photograph(dir.path(), "a.png", 140);
    let begin = |photograph: PathBuf, path: PathBuf| {
        let photographs = vec![(photograph, "a".to_owned())];
        port.tell(TeachInput::Begin(Box::new(ToTeach { photographs, detail: 128, steps: 2, path })))
    };
    assert!(begin(dir.path().join("gone.png"), dir.path().join("a.safetensors")));
    assert!(until(&port, |state| state.error.take()).to_string().contains("gone.png"));
    // A file where a folder should be.
    assert!(begin(good.clone(), good.join("x/a.safetensors")));
    until(&port, |state| state.error.take());
    assert!(port.look(|state| state.teaching.is_none()));
    // What cannot be saved waits until there is room.
    let path = dir.path().join("b.safetensors");
    std::fs::create_dir_all(path.join("in the way")).expect("a folder");
    assert!(begin(good.clone(), path.clone()));
    until(&port, |state| state.error.take());
    assert!(port.look(|state| state.teaching.as_ref().is_some_and(|now| now.step == 2)));
    assert!(port.tell(TeachInput::Finish));
    until(&port, |state| state.error.take());
    std::fs::remove_dir_all(&path).expect("gone");
    assert!(port.tell(TeachInput::Finish));
    assert_eq!(until(&port, |state| state.done.take()), path);
    assert!(begin(good, dir.path().join("a.safetensors")));
    until(&port, |state| state.done.take());
}
