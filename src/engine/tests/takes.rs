//! The takes worker, and the files of takes.

use std::path::{Path, PathBuf};

use super::*;
use crate::{
    audio::Clip,
    engine::{MARKS, SavedSound, TakeKind},
    formats::{wav::Depth, wav_stream::Growing},
    generate::audio::{AmpStep, Edit, Step},
    recipe::{Origin, SoundRecipe},
};

fn recorded(folder: &Path) -> (PathBuf, Arc<Clip>) {
    let path = folder.join("take-5.wav");
    let samples: Vec<f32> = (0..20_000).map(|n| (n as f32 * 0.05).sin() * 0.3).collect();
    let mut file = Growing::create(&path, 16_000).expect("begins");
    file.push(&samples).expect("grows");
    file.end().expect("ends");
    (path, Arc::new(Clip { samples: samples.into(), sample_rate_hz: 16_000 }))
}

#[test]
fn a_recording_is_sealed_listed_opened_changed_kept_and_moved() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (path, clip) = recorded(dir.path());
    let mut window = Window::new();
    window.send(UiCommand::SealTake { job: 1, path: path.clone(), clip: clip.clone() });
    assert_eq!(window.outcome(1), Outcome::Finished);
    window.send(UiCommand::ReadTakes { job: 2, folder: dir.path().to_owned() });
    window.send(UiCommand::OpenTake { job: 3, path, rate_hz: None, foreign: false });
    let step = Step::Edit(Edit::Trim { start: 100, end: 9_000 });
    window.send(UiCommand::ChangeTake { job: 4, clip: clip.clone(), step: Box::new(step.clone()) });
    for job in 2..5 {
        assert_eq!(window.outcome(job), Outcome::Finished);
    }
    let (mut opened, mut changed) = (None, None);
    for event in &window.seen {
        match event {
            Event::TakesRead { takes, .. } => {
                let told: Vec<_> = takes.iter().map(|take| (take.kept_ms, take.seconds, take.kind)).collect();
                assert_eq!(told, [(5, 1.25, TakeKind::Recorded)]);
            }
            Event::TakeOpened { clip, recipe, .. } => opened = Some((clip.clone(), (**recipe).clone())),
            Event::TakeChanged { clip, .. } => changed = Some(clip.clone()),
            _ => {}
        }
    }
    let ((again, recipe), changed) = (opened.expect("opened"), changed.expect("changed"));
    assert_eq!((&again, &changed.samples[..]), (&clip, &clip.samples[100..9_000]));
    let SoundRecipe::Recorded(work) = &recipe else { panic!("no model made it") };
    assert_eq!((work.source.origin, work.source.file.as_str()), (Origin::Input, "take-5.wav"));

    // The changed take is kept, and thrown away with its file.
    let (take, bin) = (dir.path().join("take-6.wav"), dir.path().join("bin/take-6.wav"));
    let sound = SavedSound { clip: changed, depth: Depth::Float32, recipe: recipe.with_steps(vec![step]) };
    window.send(UiCommand::SaveSound { job: 5, path: take.clone(), sound: Box::new(sound) });
    window.send(UiCommand::MoveFiles { job: 6, moves: vec![(take.clone(), bin.clone())] });
    assert_eq!((window.outcome(5), window.outcome(6)), (Outcome::Finished, Outcome::Finished));
    assert!(!take.exists() && bin.exists() && !dir.path().join(MARKS).exists());
    window.send(UiCommand::OpenTake { job: 7, path: bin, rate_hz: Some(32_000), foreign: true });
    assert_eq!(window.outcome(7), Outcome::Finished);
    let at_rate = window.seen.iter().rev().find_map(|event| match event {
        Event::TakeOpened { clip, recipe, .. } => Some((clip.clone(), (**recipe).clone())),
        _ => None,
    });
    let (clip, recipe) = at_rate.expect("opened");
    assert_eq!((clip.samples.len(), clip.sample_rate_hz), (17_800, 32_000));
    // Of a stranger's file nobody knows what it was made from.
    assert_eq!(TakeKind::of(&recipe), TakeKind::Opened);
    assert!(recipe.steps().is_empty());
}

#[test]
fn a_way_through_an_amplifier_can_be_stopped_and_what_is_wrong_is_told() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let capture = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/nam/wavenet_a1_standard.nam");
    let mut window = Window::new();
    window.send(UiCommand::OpenCapture { job: 1, path: capture.clone() });
    window.send(UiCommand::OpenCapture { job: 2, path: dir.path().join("none.nam") });
    assert_eq!(window.outcome(1), Outcome::Finished);
    assert!(failure(window.outcome(2)).contains("none.nam"));
    let opened = window.seen.iter().find_map(|event| match event {
        Event::CaptureOpened { capture, .. } => Some(capture.clone()),
        _ => None,
    });
    let step = |sha256: &str| {
        let (capture, normalise) = (capture.display().to_string(), false);
        let sha256 = sha256.to_owned();
        Box::new(Step::Amp(AmpStep { capture, sha256, input_gain_db: 0.0, output_gain_db: 0.0, normalise }))
    };
    let sha256 = opened.expect("a capture").sha256;
    // Ten minutes, so that it is still at it.
    let clip = Arc::new(Clip { samples: vec![0.1; 48_000 * 600].into(), sample_rate_hz: 48_000 });
    window.send(UiCommand::ChangeTake { job: 3, clip, step: step(&sha256) });
    window.until(|event| matches!(event, Event::TakeProgress { job: 3, done } if *done > 0.0));
    window.engine.cancel(3);
    assert_eq!(window.outcome(3), Outcome::Cancelled);
    let short = Arc::new(Clip { samples: vec![0.1; 100].into(), sample_rate_hz: 48_000 });
    window.send(UiCommand::ChangeTake { job: 4, clip: short.clone(), step: step("00") });
    assert!(failure(window.outcome(4)).contains("SHA-256 00"));
    let beyond = Box::new(Step::Edit(Edit::Trim { start: 0, end: 101 }));
    window.send(UiCommand::ChangeTake { job: 5, clip: short, step: beyond });
    assert!(failure(window.outcome(5)).contains("selection"));
}
