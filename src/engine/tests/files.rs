//! The io worker: reading, writing, hashing.

use std::{fs, path::PathBuf, sync::Mutex};

use super::*;
use crate::engine::Parts;

#[test]
fn files_are_written_read_and_removed() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (text, recipe) = (dir.path().join("new/诗.md"), dir.path().join("new/诗.md.atelier.json"));
    let mut window = Window::new();
    let files = vec![(text.clone(), "你好".into()), (recipe.clone(), b"{}".to_vec())];
    window.send(UiCommand::WriteFiles { job: 1, files });
    window.send(UiCommand::ReadText { job: 2, path: text.clone() });
    window.send(UiCommand::RemoveFiles { job: 3, files: vec![recipe.clone(), recipe.clone()] });
    assert_eq!(window.outcome(1), Outcome::Finished);
    assert_eq!(window.outcome(2), Outcome::Finished);
    assert_eq!(window.outcome(3), Outcome::Finished);
    assert!(window.place(|event| matches!(event, Event::TextRead { job: 2, text, .. } if text == "你好")).is_some());
    assert!(text.exists() && !recipe.exists());
}

#[test]
fn what_cannot_be_written_or_read_is_told() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut window = Window::new();
    let good = dir.path().join("good");
    let files = vec![(good.clone(), b"1".to_vec()), (dir.path().to_owned(), b"2".to_vec())];
    window.send(UiCommand::WriteFiles { job: 1, files });
    window.send(UiCommand::ReadText { job: 2, path: dir.path().join("none.md") });
    assert!(failure(window.outcome(1)).contains("Could not save"));
    assert!(failure(window.outcome(2)).contains("Could not open"));
    assert_eq!(fs::read(good).expect("written before the failure"), b"1");
}

#[test]
fn writes_that_were_accepted_are_finished_when_the_engine_is_dropped() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let window = Window::new();
    for job in 0..40 {
        let files = vec![(dir.path().join(format!("{job}.md")), vec![b'x'; 10_000])];
        window.send(UiCommand::WriteFiles { job, files });
    }
    window.engine.cancel_all();
    drop(window);
    assert_eq!(fs::read_dir(dir.path()).expect("list").count(), 40);
}

#[test]
fn the_library_is_read() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut window = Window::new();
    window.send(UiCommand::WriteFiles { job: 1, files: vec![(dir.path().join("a.json"), b"{}".to_vec())] });
    window.send(UiCommand::ReadLibrary { job: 2, folder: dir.path().to_owned() });
    assert_eq!(window.outcome(2), Outcome::Finished);
    let read = |event: &Event| {
        matches!(event, Event::LibraryRead { job: 2, documents, damaged }
            if matches!(documents.as_slice(), [(_, bytes)] if bytes == b"{}") && damaged.is_empty())
    };
    assert!(window.place(read).is_some());
}

#[test]
fn an_opened_model_is_hashed_in_the_background() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("model.gguf");
    crate::files::write_whole(&path, b"abc").expect("write");
    let mut window = Window::new();
    window.send(UiCommand::OpenTextModel { job: 1, name: "m".to_owned(), path: path.clone() });
    window.until(|event| matches!(event, Event::TextModelHashed { .. }));
    // The example of FIPS 180-2.
    let want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let hashed =
        |event: &Event| matches!(event, Event::TextModelHashed { path: of, sha256 } if *of == path && sha256 == want);
    assert!(window.place(hashed).is_some());
    assert!(window.place(|event| matches!(event, Event::TextModelOpened { .. })) < window.place(hashed));
}

#[test]
fn a_panic_in_the_io_worker_is_a_failure_and_the_next_job_works() {
    static PANICS: Mutex<bool> = Mutex::new(true);
    let list_models = |_: &[PathBuf]| {
        let panics = std::mem::take(&mut *crate::engine::lock(&PANICS));
        assert!(!panics, "scripted");
        Vec::new()
    };
    let traces = Arc::new(Traces::default());
    let parts = Parts { list_models, ..fake::parts(&traces) };
    let mut window = Window::new();
    window.engine = Engine::with_parts(Arc::new(|| {}), parts).expect("threads");
    window.send(UiCommand::ListModels { job: 1, opened: Vec::new() });
    window.send(UiCommand::ListModels { job: 2, opened: Vec::new() });
    let mut ends = Vec::new();
    while ends.len() < 2 {
        ends.extend(window.engine.events().filter_map(|event| match event {
            Event::Ended { outcome, .. } => Some(outcome),
            _ => None,
        }));
        std::thread::yield_now();
    }
    assert!(failure(ends.remove(0)).contains("files"));
    assert_eq!(ends, [Outcome::Finished]);
}

#[test]
fn a_text_is_saved_with_a_recipe_that_names_its_model() {
    use crate::{
        formats::hash::sha256_of_bytes,
        recipe::{ModelRef, Piece, Recipe, TextGeneration, TextRecipe, Work},
    };
    let dir = tempfile::tempdir().expect("temporary folder");
    let (path, model) = (dir.path().join("new/诗.md"), dir.path().join("own.gguf"));
    crate::files::write_whole(&model, b"abc").expect("write");
    let generation = |name: String| TextGeneration {
        model: ModelRef { name, sha256: String::new() },
        request: TextRequest::default(),
    };
    let recipe = TextRecipe {
        generations: vec![generation(model.display().to_string()), generation("/gone.gguf".to_owned())],
        pieces: vec![
            Piece::Generated { generation: 0, start: 0, end: 3 },
            Piece::Generated { generation: 1, start: 0, end: 2 },
        ],
    };
    let mut window = Window::new();
    let save = |job, text: &str, guard| UiCommand::SaveText {
        job,
        path: path.clone(),
        text: text.to_owned(),
        recipe: Box::new(recipe.clone()),
        guard,
    };
    window.send(save(1, "one ?", Guard::Any));
    assert_eq!(window.outcome(1), Outcome::Finished);
    let Work::Text(work) = Recipe::of_file(&path).expect("its recipe").work else { panic!("a text") };
    assert_eq!(work.generations[0].model.sha256, sha256_of_bytes(b"abc"));
    assert_eq!(work.pieces, [recipe.pieces[0].clone(), Piece::Written(" ?".to_owned())], "its model is gone");

    let refused = |window: &Window, of| window.place(|it| matches!(it, Event::TextNotSaved { job, .. } if *job == of));
    window.send(save(2, "two ?", Guard::Same(sha256_of_bytes(b"another"))));
    assert_eq!(window.outcome(2), Outcome::Finished);
    assert!(refused(&window, 2).is_some(), "there is one");
    window.send(save(3, "two ?", Guard::Same(sha256_of_bytes(b"one ?"))));
    assert_eq!(window.outcome(3), Outcome::Finished);
    assert!(refused(&window, 3).is_none(), "it is the one that was saved");
    crate::files::write_whole(&path, b"changed elsewhere").expect("write");
    window.send(save(4, "three", Guard::Same(sha256_of_bytes(b"two ?"))));
    assert_eq!(window.outcome(4), Outcome::Finished);
    assert!(refused(&window, 4).is_some(), "somebody else changed it");
    assert_eq!(fs::read(&path).expect("read"), b"changed elsewhere");
    window.send(save(5, "three", Guard::Any));
    assert_eq!(window.outcome(5), Outcome::Finished);
    assert_eq!(fs::read(&path).expect("read"), b"three");
}
