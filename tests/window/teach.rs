//! Teaching textures, with a teacher that the test plays.

use std::path::PathBuf;

use atelier::{
    app::App,
    engine::{Looked, PaintInput, TeachInput, TeachPort, Teaching},
    generate::image::Picture,
    ui::preferences::LanguageChoice,
};
use crossbeam_channel::Receiver;
use egui::accesskit::Role;
use egui_kittest::{Harness, SnapshotResults, kittest::Queryable as _};

use super::{Dropped, EN_DARK, Look, ZH_LIGHT, fake::Fake, paint::gallery, press, settle, tab};

/// Grains of one colour, not the same everywhere.
fn grains(colour: u32, side: u32) -> Picture {
    let value = |at: u32| ((at.wrapping_mul(2_654_435_761) >> 24) / 3 + colour * (at % 3)) as u8;
    Picture { width: side, height: side, rgb: (0..side * side * 3).map(value).collect() }
}

fn page(look: &Look, folder: &std::path::Path) -> (Harness<'static, App>, Fake, TeachPort, Receiver<TeachInput>) {
    let (mut harness, fake, played) = gallery(look, folder);
    drop(played);
    let (port, inputs) = TeachPort::scripted();
    fake.script(|script| script.teach = Some(port.clone()));
    let name = if matches!(look.lang, LanguageChoice::Chinese) { "教学" } else { "Teach" };
    harness.get_by_role_and_label(Role::RadioButton, name).click();
    settle(&mut harness);
    (harness, fake, port, inputs)
}

fn drop_on(harness: &mut Harness<'_, App>, path: &str) {
    harness.input_mut().dropped_files.push(std::sync::Arc::new(Dropped(path.into())));
    settle(harness);
}

#[test]
fn textures_are_taught_from_photographs_and_the_model_is_opened() {
    let mut results = SnapshotResults::new();
    for (name, look, zh) in [("en_dark", EN_DARK, false), ("zh_light", ZH_LIGHT, true)] {
        let word = |en: &'static str, chinese: &'static str| if zh { chinese } else { en };
        let folder = tempfile::tempdir().expect("temporary folder");
        let (mut harness, fake, port, inputs) = page(&look, folder.path());
        harness.get_by_label_contains(word("Drop one to eight photographs", "将一至八张照片"));
        // Nothing is taught without photographs.
        harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Enter);
        settle(&mut harness);
        assert!(inputs.try_recv().is_err());
        harness.snapshot(format!("teach_empty_{name}"));

        fake.script(|script| script.pick = Some("/home/砖墙.jpg".into()));
        press(&mut harness, word("Add a photograph…", "添加照片…"));
        settle(&mut harness);
        drop_on(&mut harness, "/home/moss.png");
        drop_on(&mut harness, "/home/moss.png");
        drop_on(&mut harness, "/home/tiny.png");
        let looks: Vec<_> = inputs.try_iter().collect();
        let [wall, moss, tiny] = ["/home/砖墙.jpg", "/home/moss.png", "/home/tiny.png"].map(PathBuf::from);
        assert_eq!(looks, [&wall, &moss, &tiny].map(|path| TeachInput::Look(path.clone())), "one of each");
        let too_small = atelier::Error::new("“tiny.png” is too small.", "“tiny.png”太小。");
        port.look(|state| {
            state.looked = vec![
                Looked { path: wall.clone(), seen: Ok(grains(40, 96)) },
                Looked { path: moss.clone(), seen: Ok(grains(10, 96)) },
                Looked { path: tiny, seen: Err(too_small) },
            ];
        });
        settle(&mut harness);
        harness.get_by_label_contains(word("“tiny.png” is too small", "“tiny.png”太小"));
        press(&mut harness, word("Take out “tiny”", "移除“tiny”"));
        assert_eq!(harness.state().state().paint.teach.photographs.len(), 2);
        harness.get_by_role_and_label(Role::RadioButton, word("Coarse", "粗")).click();
        harness.get_by_role_and_label(Role::RadioButton, word("Thorough", "精细")).click();
        settle(&mut harness);
        harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Enter);
        settle(&mut harness);
        let asked: Vec<_> = inputs.try_iter().collect();
        let [TeachInput::Begin(wish)] = asked.as_slice() else { panic!("{asked:?}") };
        assert_eq!(wish.photographs, [(wall, "砖墙".to_owned()), (moss, "moss".to_owned())]);
        assert_eq!((wish.detail, wish.steps), (256, 1_800));
        assert!(wish.path.ends_with("models/砖墙.safetensors"), "{:?}", wish.path);

        let teaching = Teaching {
            step: 640,
            steps: 1_800,
            distances: (1..72).map(|at| 60.0 / at as f32).collect(),
            seconds_left: Some(155.0),
            samples: vec![grains(40, 128), grains(10, 128)],
            number: 1,
        };
        port.look(|state| state.teaching = Some(teaching.clone()));
        settle(&mut harness);
        harness.get_all_by_label_contains(word("step 640 of 1,800", "第 640 步")).next().expect("how far it is");
        harness.snapshot(format!("teach_{name}"));
        // No more photographs meanwhile, and no second lesson.
        drop_on(&mut harness, "/home/late.png");
        harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Enter);
        settle(&mut harness);
        assert!(inputs.try_recv().is_err());
        press(&mut harness, word("Discard", "放弃"));
        assert_eq!(inputs.try_recv().expect("it ends"), TeachInput::Discard);
        press(&mut harness, word("Finish now", "现在结束"));
        assert_eq!(inputs.try_recv().expect("it ends"), TeachInput::Finish);
        results.extend_harness(&mut harness);
    }
}

#[test]
fn what_was_learnt_is_opened_unless_somebody_does_something_else_meanwhile() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (mut harness, fake, port, _inputs) = page(&EN_DARK, folder.path());
    let (paint, painted) = atelier::engine::PaintPort::scripted();
    fake.script(|script| script.paint = Some(paint));
    // What stands on the list already serves the test: it is found by its path.
    let eyes = PathBuf::from("/models/image/eyes.safetensors");
    let opened = |harness: &Harness<'_, App>| harness.state().state().preferences.opened_models.clone();
    // On the way: whatever happens, it is on the list at the next start.
    port.look(|state| {
        state.teaching = Some(Teaching::default());
        state.kept = Some(eyes.clone());
    });
    settle(&mut harness);
    assert_eq!(opened(&harness), std::slice::from_ref(&eyes));
    tab(&harness, "Write");
    settle(&mut harness);
    port.look(|state| (state.teaching, state.done) = (None, Some(eyes.clone())));
    settle(&mut harness);
    harness.get_by_label_contains("“eyes” has learnt its textures");
    assert!(painted.try_iter().all(|input| !matches!(input, PaintInput::Open { .. })));
    tab(&harness, "Paint");
    settle(&mut harness);
    port.look(|state| state.done = Some(eyes.clone()));
    settle(&mut harness);
    assert_eq!(opened(&harness), std::slice::from_ref(&eyes));
    let is_eyes = |input: &PaintInput| matches!(input, PaintInput::Open { path, .. } if *path == eyes);
    assert!(painted.try_iter().any(|input| is_eyes(&input)));
    harness.get_by_role_and_label(Role::TextInput, "What to draw");
    port.look(|state| state.error = Some(atelier::Error::new("The disk is full; make room.", "磁盘已满，请清理。")));
    settle(&mut harness);
    harness.get_by_label_contains("The disk is full");
}
