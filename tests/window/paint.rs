//! The Paint page, with a painter that the test plays.

use std::{path::PathBuf, sync::Arc};

use atelier::{
    app::App,
    engine::{
        Arrival, Entry, FilmKind, GalleryInput, GalleryPort, Kind, MarkChange, ModelNames, PaintInput, PaintPort,
        Painted,
    },
    generate::image::{ImageModelInfo, ImageRequest, Picture, SeedWeight},
    recipe::{self, Enlarged, ImageRecipe, ModelRef, Work},
    ui::preferences::LanguageChoice,
};
use crossbeam_channel::Receiver;
use egui::accesskit::Role;
use egui_kittest::{Harness, SnapshotResults, kittest::Queryable as _};

use super::{
    Dropped, EN_DARK, Look, ZH_LIGHT,
    fake::{Fake, drawing, drawing_eyes},
    press, settle, tab, window,
};

/// Rings whose width and place the seed decides.
pub fn picture(seed: u64) -> Picture {
    let (width, at) = (2.0 + (seed % 5) as f32, 20.0 + (seed * 7 % 24) as f32);
    let shade = |x: f32, y: f32| ((((x - at).hypot(y - 32.0) / width).sin() + 1.0) * 127.0) as u8;
    let rgb = (0..64 * 64).flat_map(|i| [shade((i % 64) as f32, (i / 64) as f32); 3]).collect();
    Picture { width: 64, height: 64, rgb }
}

fn names() -> Vec<ModelNames> {
    let of = |model: atelier::catalogue::Model| ModelNames {
        name: model.name,
        title: model.title,
        words: model.words,
        classes: model.classes,
    };
    [drawing_eyes(), drawing()].map(of).to_vec()
}

/// A picture as the gallery tells of it; of a new one with the pixels.
pub fn arrival(request: ImageRequest, path: &str, is_new: bool) -> Arrival {
    let model = ModelRef { name: "tianshu".to_owned(), sha256: "ab".repeat(32) };
    arrival_of(ImageRecipe { model, request, width: 64, height: 64, upscaled: None }, path, is_new, None)
}

fn arrival_of(recipe: ImageRecipe, path: &str, is_new: bool, other: Option<Picture>) -> Arrival {
    let kind = Arc::new(Kind::new(recipe.model.clone(), recipe.request.class, &names()));
    let path = Some(PathBuf::from(path));
    let entry = Arc::new(Entry::new(path.clone(), kind, &recipe, 0));
    let picture = other.unwrap_or_else(|| picture(recipe.request.seeds[0].seed));
    let thumbnail = is_new.then(|| picture.clone());
    Arrival { entry, drawn: is_new.then(|| Arc::new(Painted { path, recipe, picture })), thumbnail }
}

/// A painter and a gallery that a test plays.
pub struct Played {
    pub port: PaintPort,
    pub inputs: Receiver<PaintInput>,
    pub gallery: GalleryPort,
    pub told: Receiver<GalleryInput>,
}

impl Played {
    pub fn new(fake: &Fake) -> Self {
        let (port, inputs) = PaintPort::scripted();
        let (gallery, told) = GalleryPort::scripted();
        fake.script(|script| (script.paint, script.gallery) = (Some(port.clone()), Some(gallery.clone())));
        Self { port, inputs, gallery, told }
    }

    /// What the gallery was told, but for thumbnails and pictures that were asked for.
    pub fn wishes(&self) -> Vec<GalleryInput> {
        let is_wish = |input: &GalleryInput| !matches!(input, GalleryInput::Thumbnails(_) | GalleryInput::Fetch(_));
        self.told.try_iter().filter(is_wish).collect()
    }
}

pub fn open(port: &PaintPort) {
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
        layers: vec![4, 8, 16, 32],
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
        let played = Played::new(&fake);
        let Played { port, inputs, gallery, .. } = &played;
        let mut harness = window(&look, &fake, folder.path());
        tab(&harness, word("Paint", "绘画"));
        settle(&mut harness);
        let opened = inputs.try_recv().expect("a model is opened");
        assert!(matches!(opened, PaintInput::Open { name, .. } if name == "tianshu"));
        assert_eq!(played.wishes(), [GalleryInput::Read { folder: "/library/pictures".into(), names: names() }]);
        open(port);
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
        gallery.look(|state| {
            let drawn = requests.iter().enumerate().map(|(i, request)| arrival(request.clone(), &file(i), true));
            state.arrived = drawn.take(23).collect();
        });
        port.look(|state| {
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
        let starred = GalleryInput::Mark { paths: vec![file(8).into()], change: MarkChange::Star(true) };
        assert_eq!(played.wishes(), [starred]);

        fake.script(|script| script.pick = Some("/home/图 nine.png".into()));
        press(&mut harness, word("Save as…", "另存为…"));
        settle(&mut harness);
        let written =
            fake.script(|script| script.written.iter().find(|(path, _)| path.ends_with("图 nine.png")).cloned());
        let (path, bytes) = written.expect("it is saved");
        let contents = recipe::contents(&bytes, &path).expect("a picture");
        let Work::Image(work) = contents.recipe.expect("a recipe").expect("a good one").work else { panic!("another") };
        assert_eq!((work.request.seeds[0].seed, contents.file.rgb), (9, picture(9).rgb));

        press(&mut harness, word("Delete", "删除"));
        assert_eq!(played.wishes(), [GalleryInput::Bin(vec![file(8).into()])]);
        assert_eq!(harness.state().state().paint.shelf.len(), 22);
        press(&mut harness, word("Bring back", "恢复"));
        assert_eq!(played.wishes(), [GalleryInput::Restore(vec![file(8).into()])]);
        results.extend_harness(&mut harness);
    }
}

#[test]
fn what_fails_is_said_and_an_older_gallery_stays() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let fake = Fake::default();
    let Played { port, inputs, gallery, told } = Played::new(&fake);
    let mut harness = window(&EN_DARK, &fake, folder.path());
    tab(&harness, "Paint");
    settle(&mut harness);
    open(&port);
    gallery.look(|state| {
        let kept = (0..5).map(|seed| arrival(ImageRequest::of_seed(seed), &format!("/old/{}.png", 9 - seed), false));
        state.arrived = kept.collect();
    });
    port.look(|state| {
        state.error = Some(atelier::Error::new("The disk is full; make room.", "磁盘已满，请清理。"));
    });
    settle(&mut harness);
    harness.get_by_label_contains("The disk is full");
    assert_eq!(harness.state().state().paint.shelf.len(), 5);
    // Nothing is chosen yet: saving asks for a picture first.
    drop((inputs, told));
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::S);
    settle(&mut harness);
    harness.get_by_label_contains("Choose a picture first");
}

/// The page with five pictures of the open model, the first of them chosen.
pub fn gallery(look: &Look, folder: &std::path::Path) -> (Harness<'static, App>, Fake, Played) {
    let fake = Fake::default();
    let played = Played::new(&fake);
    let mut harness = window(look, &fake, folder);
    let page = if matches!(look.lang, LanguageChoice::Chinese) { "绘画" } else { "Paint" };
    tab(&harness, page);
    settle(&mut harness);
    open(&played.port);
    played.gallery.look(|state| {
        let kept = (0..5).map(|seed| arrival(ImageRequest::of_seed(seed), &format!("/old/{}.png", 9 - seed), true));
        state.arrived = kept.collect();
    });
    settle(&mut harness);
    played.inputs.try_iter().for_each(drop);
    played.told.try_iter().for_each(drop);
    (harness, fake, played)
}

#[test]
fn a_second_picture_is_mixed_in_whole_or_at_some_layers() {
    let mut results = SnapshotResults::new();
    for (name, look, zh) in [("en_dark", EN_DARK, false), ("zh_light", ZH_LIGHT, true)] {
        let word = |en: &'static str, chinese: &'static str| if zh { chinese } else { en };
        let folder = tempfile::tempdir().expect("temporary folder");
        let (mut harness, _fake, Played { port, inputs, .. }) = gallery(&look, folder.path());
        let picture_of =
            |seed: u64| if zh { format!("图片，种子 {seed}") } else { format!("Picture, seed {seed}") };
        harness.get_by_role_and_label(Role::Image, &picture_of(2)).click();
        settle(&mut harness);
        harness.get_by_role_and_label(Role::Image, &picture_of(4)).click_modifiers(egui::Modifiers::COMMAND);
        settle(&mut harness);
        let last = |inputs: &Receiver<PaintInput>| {
            let Some(PaintInput::Preview { number, request }) = inputs.try_iter().last() else { return None };
            port.look(|state| state.preview = Some((number, picture(13))));
            Some(*request)
        };
        let whole = last(&inputs).expect("a mixture");
        assert!(whole.style.is_none() && whole.seeds.len() == 2);
        let layer = |size: u32| match zh {
            true => format!("{size} × {size} 像素的层"),
            false => format!("Layer of {size} × {size} pixels"),
        };
        for size in [4, 8] {
            harness.get_by_role_and_label(Role::CheckBox, &layer(size)).click();
            settle(&mut harness);
        }
        let styled = last(&inputs).expect("a mixture at two layers");
        let style = styled.style.as_ref().expect("a look");
        assert_eq!((styled.seeds[0].seed, styled.seeds.len(), style.of.seeds[0].seed), (2, 1, 4));
        assert_eq!((style.layers.as_slice(), style.amount), (&[2, 3][..], 0.5));
        settle(&mut harness);
        harness.snapshot(format!("paint_layers_{name}"));
        press(&mut harness, word("Keep", "保留"));
        let kept = inputs.try_iter().find_map(|input| match input {
            PaintInput::Draw { requests, .. } => Some(requests),
            _ => None,
        });
        assert_eq!(kept, Some(vec![styled]));
        // The last one stays: a mixture is somewhere.
        for size in [16, 32] {
            harness.get_by_role_and_label(Role::CheckBox, &layer(size)).click();
            settle(&mut harness);
        }
        let one = last(&inputs).expect("a mixture at one layer");
        assert_eq!(one.style.expect("a look").layers, [3]);
        results.extend_harness(&mut harness);
    }
}

#[test]
fn words_choose_model_class_count_and_seed() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (mut harness, _fake, Played { inputs, .. }) = gallery(&EN_DARK, folder.path());
    let words = |harness: &mut Harness<'_, App>, text: &str| {
        let field = harness.get_by_role_and_label(Role::TextInput, "What to draw");
        field.focus();
        harness.run_steps(2);
        harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::A);
        harness.get_by_role_and_label(Role::TextInput, "What to draw").type_text(text);
        settle(harness);
    };
    words(&mut harness, "four serif tianshu, seed 12, wild zebras");
    for told in ["Count: 4", "Class: Serif", "Model: Tianshu", "Seed 12", "Truncation: 1.3", "Not understood: zebras"] {
        harness.get_by_label(told);
    }
    harness.key_press(egui::Key::Enter);
    settle(&mut harness);
    let Ok(PaintInput::Draw { requests, .. }) = inputs.try_recv() else { panic!("nothing was to be drawn") };
    assert_eq!(requests.len(), 4);
    assert_eq!((requests[0].seeds[0].seed, requests[0].class, requests[0].truncation), (12, Some(1), 1.3));
    // What another model draws opens that model first.
    words(&mut harness, "两只棕眼睛");
    harness.get_by_label("Class: Brown");
    harness.key_press(egui::Key::Enter);
    settle(&mut harness);
    let Ok(PaintInput::Open { name, .. }) = inputs.try_recv() else { panic!("nothing was opened") };
    let Ok(PaintInput::Draw { requests, .. }) = inputs.try_recv() else { panic!("nothing was to be drawn") };
    assert_eq!((name.as_str(), requests.len(), requests[0].class), ("eyes", 2, Some(1)));
}

#[test]
fn a_direction_gets_a_name_that_the_line_of_words_knows() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (mut harness, _fake, Played { inputs, .. }) = gallery(&EN_DARK, folder.path());
    harness.get_by_role_and_label(Role::Image, "Picture, seed 0").click();
    settle(&mut harness);
    for (given, key) in [("Glasses", egui::Key::Enter), ("Not this", egui::Key::Escape)] {
        press(&mut harness, "Name of direction 2");
        harness.get_by_role_and_label(Role::TextInput, "Name of direction 2").type_text(given);
        harness.run_steps(2);
        harness.key_press(key);
        settle(&mut harness);
        harness.get_by_role_and_label(Role::Slider, "Glasses");
    }
    harness.snapshot("paint_named_direction_en_dark");
    let names = &harness.state().state().preferences.painting.directions["ab".repeat(32).as_str()];
    assert_eq!(names, &["", "Glasses"]);
    let field = harness.get_by_role_and_label(Role::TextInput, "What to draw");
    field.focus();
    harness.run_steps(2);
    harness.get_by_role_and_label(Role::TextInput, "What to draw").type_text("three with more glasses");
    settle(&mut harness);
    harness.get_by_label("Direction: Glasses +6");
    inputs.try_iter().for_each(drop);
    harness.key_press(egui::Key::Enter);
    settle(&mut harness);
    let drawn = inputs.try_iter().find_map(|input| match input {
        PaintInput::Draw { requests, .. } => Some(requests),
        _ => None,
    });
    let requests = drawn.expect("they are drawn");
    let step = atelier::generate::image::Direction { index: 1, amount: 6.0 };
    assert!(requests.len() == 3 && requests.iter().all(|request| request.directions == [step]), "{requests:?}");
}

#[test]
fn a_picture_is_enlarged_and_compared_with_what_it_was() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (mut harness, _fake, Played { port, inputs, gallery, .. }) = gallery(&EN_DARK, folder.path());
    press(&mut harness, "Enlarge");
    harness.get_by_role_and_label(Role::MenuItem, "Real-ESRGAN ×4").click();
    settle(&mut harness);
    let Ok(PaintInput::Enlarge(wish)) = inputs.try_recv() else { panic!("nothing was to be enlarged") };
    assert_eq!((wish.upscaler.0.as_str(), wish.recipe.request.seeds[0].seed), ("realesrgan-x4plus", 0));
    assert_eq!(wish.picture, Some(picture(0)));
    port.look(|state| state.enlarging = Some(0.25));
    settle(&mut harness);
    harness.get_by_label_contains("Enlarging, 25 %");
    harness.get_by_role_and_label(Role::Button, "Stop").click();
    settle(&mut harness);
    assert_eq!(inputs.try_recv().expect("it is stopped"), PaintInput::Stop);
    // It comes, and is shown with what it was.
    let pixels = Picture { width: 256, height: 256, rgb: vec![90; 256 * 256 * 3] };
    let by = ModelRef { name: "realesrgan-x4plus".to_owned(), sha256: "cd".repeat(32) };
    let recipe = ImageRecipe {
        model: ModelRef { name: "tianshu".to_owned(), sha256: "ab".repeat(32) },
        request: ImageRequest::of_seed(0),
        width: 256,
        height: 256,
        upscaled: Some(Enlarged { model: by, scale: 4, tile: None }),
    };
    gallery.look(|state| {
        state.shown = Some("/library/large.png".into());
        state.arrived = vec![arrival_of(recipe, "/library/large.png", true, Some(pixels))];
    });
    port.look(|state| state.enlarging = None);
    settle(&mut harness);
    let shown = harness.get_by_role_and_label(Role::Image, "Seed 0 · 256 × 256").rect();
    harness.drag_at(shown.center());
    harness.hover_at(shown.center() + egui::vec2(40.0, 0.0));
    settle(&mut harness);
    harness.drop_at(shown.center() + egui::vec2(40.0, 0.0));
    settle(&mut harness);
    let divide = harness.state().state().paint.divide;
    assert!((0.55..0.8).contains(&divide), "{divide}");
    // Once is enough.
    press(&mut harness, "Enlarge");
    assert!(harness.query_by_label("Real-ESRGAN ×4").is_none() && inputs.try_recv().is_err());
}

#[test]
fn a_map_is_dragged_through_and_a_film_goes_along_a_path() {
    let mut results = SnapshotResults::new();
    for (name, look, zh) in [("en_dark", EN_DARK, false), ("zh_light", ZH_LIGHT, true)] {
        let word = |en: &'static str, chinese: &'static str| if zh { chinese } else { en };
        let folder = tempfile::tempdir().expect("temporary folder");
        let (mut harness, fake, Played { port, inputs, .. }) = gallery(&look, folder.path());
        harness.get_by_role_and_label(Role::RadioButton, word("Seed map", "种子图")).click();
        settle(&mut harness);
        let asked: Vec<_> = inputs.try_iter().collect();
        let [PaintInput::Preview { .. }, PaintInput::Sketch { number, requests }] = asked.as_slice() else {
            panic!("{asked:?}")
        };
        assert_eq!(requests.len(), 49);
        // The chosen picture is the first corner.
        assert_eq!((requests[0].seeds[0].seed, requests[24].seeds.len()), (0, 4));
        port.look(|state| state.sketches = (0..49).map(|i| (*number, i, picture(i as u64))).collect());
        settle(&mut harness);
        let map = harness.get_by_role_and_label(Role::Canvas, word("Seed map", "种子图")).rect();
        let at = map.min + map.size() * egui::vec2(0.25, 0.7);
        harness.drag_at(at);
        harness.drop_at(at);
        settle(&mut harness);
        harness.key_press(egui::Key::ArrowRight);
        settle(&mut harness);
        let asked: Vec<_> = inputs.try_iter().collect();
        let Some(PaintInput::Preview { number, request }) = asked.last() else { panic!("{asked:?}") };
        let most = |a: &&SeedWeight, b: &&SeedWeight| a.weight.total_cmp(&b.weight);
        let nearest = request.seeds.iter().max_by(most).expect("seeds");
        assert_eq!(nearest.seed, requests[42].seeds[0].seed, "the corner at the bottom left");
        port.look(|state| state.preview = Some((*number, picture(30))));
        settle(&mut harness);
        harness.snapshot(format!("paint_map_{name}"));
        press(&mut harness, word("Keep", "保留"));
        let Ok(PaintInput::Draw { requests: kept, .. }) = inputs.try_recv() else { panic!("nothing was kept") };
        assert_eq!(kept, [(**request).clone()]);

        harness.get_by_role_and_label(Role::RadioButton, word("Path", "路径")).click();
        settle(&mut harness);
        harness.get_by_label_contains(word("The path has no pictures", "路径中还没有图片"));
        press(&mut harness, word("Four at random", "随机四张"));
        harness.get_by_role_and_label(Role::RadioButton, word("Gallery", "图库")).click();
        settle(&mut harness);
        press(&mut harness, word("Add to the path", "加入路径"));
        inputs.try_iter().for_each(drop);
        harness.get_by_role_and_label(Role::RadioButton, word("Path", "路径")).click();
        harness.run_steps(2);
        let asked: Vec<_> = inputs.try_iter().collect();
        let Some(PaintInput::Sketch { number, requests }) = asked.last() else { panic!("{asked:?}") };
        assert_eq!((requests.len(), requests[96].seeds[0].seed), (5 * 24, 0));
        port.look(|state| state.sketches = (0..120).map(|i| (*number, i, picture(i as u64 / 8))).collect());
        harness.run_steps(2);
        press(&mut harness, word("Pause", "暂停"));
        harness.get_by_role_and_label(Role::Image, word("Picture 2 of the path", "路径第 2 张")).click();
        settle(&mut harness);
        assert!((harness.state().state().paint.path.position - 24.0).abs() < 0.01);
        harness.snapshot(format!("paint_path_{name}"));
        press(&mut harness, word("Take picture 5 out", "移出第 5 张"));
        assert_eq!(harness.state().state().paint.path.stops.len(), 4);
        inputs.try_iter().for_each(drop);
        fake.script(|script| script.pick = Some("/home/图 film.gif".into()));
        press(&mut harness, word("Save film", "保存动画"));
        harness.get_by_role_and_label(Role::MenuItem, word("GIF, for anywhere", "GIF（通用）")).click();
        settle(&mut harness);
        let Ok(PaintInput::Film(film)) = inputs.try_recv() else { panic!("no film") };
        assert_eq!((film.requests.len(), film.rate, film.kind), (4 * 24, 25, FilmKind::Gif));
        assert_eq!(film.path, PathBuf::from("/home/图 film.gif"));
        port.look(|state| state.saved = Some("/home/图 film.gif".into()));
        settle(&mut harness);
        harness.get_by_label_contains("图 film.gif");
        // Another model's pictures are not this one's.
        port.look(|state| state.model_sha256 = "ee".repeat(32));
        settle(&mut harness);
        assert!(harness.state().state().paint.path.stops.is_empty());
        let asked: Vec<_> = inputs.try_iter().collect();
        assert!(harness.state().state().paint.sketch.number > *number, "{asked:?}");
        results.extend_harness(&mut harness);
    }
}

#[test]
fn dropped_pictures_are_opened_or_offered_to_be_enlarged() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (mut harness, fake, played) = gallery(&EN_DARK, folder.path());
    let Played { inputs, gallery, .. } = &played;
    tab(&harness, "Write");
    settle(&mut harness);
    let photo = PathBuf::from("/home/照片 photo.jpg");
    harness.input_mut().dropped_files.push(std::sync::Arc::new(Dropped(photo.clone())));
    settle(&mut harness);
    let wishes = played.wishes();
    let [GalleryInput::Import { path, keep }] = wishes.as_slice() else { panic!("{wishes:?}") };
    assert!(*path == photo && keep.is_some());
    let what = atelier::Error::new("It holds no recipe.", "其中没有配方。");
    gallery.look(|state| state.foreign.push((photo.clone(), what)));
    settle(&mut harness);
    harness.get_by_label_contains("It holds no recipe");
    fake.script(|script| script.pick = Some("/home/large.png".into()));
    harness.get_all_by_role_and_label(Role::Button, "Enlarge").last().expect("an offer").click();
    settle(&mut harness);
    let Ok(PaintInput::EnlargeFile { upscaler, from, to }) = inputs.try_recv() else { panic!("nothing to enlarge") };
    assert_eq!((upscaler.0.as_str(), from, to), ("realesrgan-x4plus", photo, PathBuf::from("/home/large.png")));
}

#[test]
fn weights_that_are_opened_are_used_on_their_page() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (mut harness, fake, Played { inputs, .. }) = gallery(&EN_DARK, folder.path());
    tab(&harness, "Models");
    settle(&mut harness);
    // What stands on the list already serves the test: it is found by its path.
    let eyes = PathBuf::from("/models/image/eyes.safetensors");
    fake.script(|script| script.pick = Some(eyes.clone()));
    press(&mut harness, "Open a model…");
    settle(&mut harness);
    assert_eq!(inputs.try_recv().expect("it is opened"), PaintInput::Open { name: "eyes".to_owned(), path: eyes });
    harness.get_by_role_and_label(Role::TextInput, "What to draw");
}
