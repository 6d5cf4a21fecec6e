//! The Paint page, with a painter that the test plays.

use std::path::PathBuf;

use atelier::{
    engine::{PaintInput, PaintPort, Painted},
    generate::image::{ImageModelInfo, ImageRequest, Picture},
    recipe::{self, ImageRecipe, ModelRef, Work},
};
use egui::accesskit::Role;
use egui_kittest::{SnapshotResults, kittest::Queryable as _};

use super::{EN_DARK, ZH_LIGHT, fake::Fake, press, settle, tab, window};

/// Rings whose width and place the seed decides.
fn picture(seed: u64) -> Picture {
    let (width, at) = (2.0 + (seed % 5) as f32, 20.0 + (seed * 7 % 24) as f32);
    let shade = |x: f32, y: f32| ((((x - at).hypot(y - 32.0) / width).sin() + 1.0) * 127.0) as u8;
    let rgb = (0..64 * 64).flat_map(|i| [shade((i % 64) as f32, (i / 64) as f32); 3]).collect();
    Picture { width: 64, height: 64, rgb }
}

fn painted(request: ImageRequest, path: &str, is_new: bool) -> Painted {
    let model = ModelRef { name: "tianshu".to_owned(), sha256: "ab".repeat(32) };
    let picture = picture(request.seeds[0].seed);
    let recipe = ImageRecipe { model, request, width: 64, height: 64, upscaled: None };
    Painted { path: Some(path.into()), recipe, picture, starred: false, is_new }
}

fn open(port: &PaintPort) {
    let class = |en: &str, zh: &str| (en.to_owned(), zh.to_owned());
    let info = ImageModelInfo {
        name: "tianshu".to_owned(),
        title: "Tianshu".to_owned(),
        path: "/models/image/tianshu.safetensors".into(),
        family: "dcgan".to_owned(),
        latent: 96,
        classes: vec![class("Sans", "黑体"), class("Serif", "宋体")],
        width: 64,
        height: 64,
        any_size: false,
        directions: 8,
        parameters: 1_600_000,
    };
    port.look(|state| {
        state.model = Some(info);
        state.model_sha256 = "ab".repeat(32);
    });
}

#[test]
fn pictures_are_drawn_chosen_steered_marked_saved_and_thrown_away() {
    let mut results = SnapshotResults::new();
    for (name, look, zh) in [("en_dark", EN_DARK, false), ("zh_light", ZH_LIGHT, true)] {
        let word = |en: &'static str, chinese: &'static str| if zh { chinese } else { en };
        let folder = tempfile::tempdir().expect("temporary folder");
        let fake = Fake::default();
        let (port, inputs) = PaintPort::scripted();
        fake.script(|script| script.paint = Some(port.clone()));
        let mut harness = window(&look, &fake, folder.path());
        tab(&harness, word("Paint", "绘画"));
        settle(&mut harness);
        let opened = inputs.try_recv().expect("a model is opened");
        assert!(matches!(opened, PaintInput::Open { name, .. } if name == "tianshu"));
        let read = inputs.try_recv().expect("the folder is read");
        assert_eq!(read, PaintInput::Read { folder: "/library/pictures".into() });
        open(&port);
        settle(&mut harness);
        harness.snapshot(format!("paint_empty_{name}"));

        harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Enter);
        settle(&mut harness);
        let Ok(PaintInput::Draw { requests, keep }) = inputs.try_recv() else { panic!("nothing was to be drawn") };
        assert_eq!(
            requests.iter().map(|request| request.seeds[0].seed).collect::<Vec<_>>(),
            (1..25).collect::<Vec<_>>()
        );
        let (to, stem) = keep.expect("pictures are kept");
        assert_eq!(to, PathBuf::from("/library/pictures"));
        let file = |index: usize| format!("/library/pictures/{stem}-{index:04}.png");
        port.look(|state| {
            let drawn = requests.iter().enumerate().map(|(i, request)| painted(request.clone(), &file(i), true));
            state.arrived = drawn.take(23).collect();
            state.drawing = Some((23, 24));
            state.per_second = Some(512.0);
        });
        settle(&mut harness);
        let stop = harness.get_by_role_and_label(Role::Button, word("Stop", "停止"));
        stop.click();
        settle(&mut harness);
        assert_eq!(inputs.try_recv().expect("it is stopped"), PaintInput::Stop);
        port.look(|state| state.drawing = None);
        settle(&mut harness);

        // The next sheet goes on with the next seed.
        assert_eq!(harness.state().state().preferences.painting.seed, 25);
        harness.get_by_role_and_label(Role::Image, word("Picture, seed 9", "图片，种子 9")).click();
        settle(&mut harness);
        let label = word("Direction 2", "方向 2");
        harness.get_by_role_and_label(Role::Slider, label).focus();
        settle(&mut harness);
        harness.key_press(egui::Key::ArrowRight);
        settle(&mut harness);
        let previews: Vec<_> = inputs.try_iter().collect();
        let Some(PaintInput::Preview { number, request }) = previews.last() else { panic!("{previews:?}") };
        assert!(request.seeds[0].seed == 9 && request.directions[0].index == 1 && request.directions[0].amount > 0.0);
        port.look(|state| state.preview = Some((*number, picture(13))));
        settle(&mut harness);
        harness.snapshot(format!("paint_{name}"));
        press(&mut harness, word("Keep", "保留"));
        let Ok(PaintInput::Draw { requests: kept, .. }) = inputs.try_recv() else { panic!("nothing was kept") };
        assert_eq!(kept, [(**request).clone()]);

        press(&mut harness, word("Near", "近似"));
        let Ok(PaintInput::Draw { requests: near, .. }) = inputs.try_recv() else { panic!("nothing was varied") };
        assert!(near.len() == 12 && near.iter().all(|request| request.seeds[0].seed == 9 && request.seeds.len() == 2));

        press(&mut harness, word("Star", "标星"));
        let starred = PaintInput::Star { path: file(8).into(), starred: true };
        assert_eq!(inputs.try_recv().expect("it is marked"), starred);

        fake.script(|script| script.pick = Some("/home/图 nine".into()));
        press(&mut harness, word("Save as PNG", "保存为 PNG"));
        settle(&mut harness);
        let written =
            fake.script(|script| script.written.iter().find(|(path, _)| path.ends_with("图 nine.png")).cloned());
        let (path, bytes) = written.expect("it is saved");
        let contents = recipe::contents(&bytes, &path).expect("a picture");
        let Work::Image(work) = contents.recipe.expect("a recipe").expect("a good one").work else { panic!("another") };
        assert_eq!((work.request.seeds[0].seed, contents.file.rgb), (9, picture(9).rgb));

        press(&mut harness, word("Delete", "删除"));
        assert_eq!(inputs.try_recv().expect("it goes to the bin"), PaintInput::Bin { path: file(8).into() });
        assert_eq!(harness.state().state().paint.pictures.len(), 22);
        press(&mut harness, word("Bring back", "恢复"));
        assert_eq!(inputs.try_recv().expect("it comes back"), PaintInput::Restore { path: file(8).into() });
        results.extend_harness(&mut harness);
    }
}

#[test]
fn what_fails_is_said_and_an_older_gallery_stays() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let fake = Fake::default();
    let (port, inputs) = PaintPort::scripted();
    fake.script(|script| script.paint = Some(port.clone()));
    let mut harness = window(&EN_DARK, &fake, folder.path());
    tab(&harness, "Paint");
    settle(&mut harness);
    open(&port);
    port.look(|state| {
        let kept = (0..5).map(|seed| painted(ImageRequest::of_seed(seed), &format!("/old/{}.png", 9 - seed), false));
        state.arrived = kept.collect();
        state.error = Some(atelier::Error::new("The disk is full; make room.", "磁盘已满，请清理。"));
    });
    settle(&mut harness);
    harness.get_by_label_contains("The disk is full");
    assert_eq!(harness.state().state().paint.pictures.len(), 5);
    // Nothing is chosen yet: saving asks for a picture first.
    drop(inputs);
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::S);
    settle(&mut harness);
    harness.get_by_label_contains("Choose a picture first");
}
