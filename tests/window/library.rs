//! The gallery of many pictures: searched, marked, chosen among, exported.

use std::path::PathBuf;

use atelier::{
    app::App,
    engine::{ExportKind, GalleryInput, MarkChange, Painted},
    generate::image::ImageRequest,
};
use egui::{Key, Modifiers, accesskit::Role};
use egui_kittest::{
    Harness,
    kittest::{NodeT as _, Queryable as _},
};

use super::{
    EN_DARK, Look, ZH_LIGHT,
    fake::Fake,
    paint::{Played, arrival, gallery, open},
    press, settle, tab, window,
};

fn path(seed: u64) -> PathBuf {
    format!("/old/{}.png", 9 - seed).into()
}

fn click(harness: &mut Harness<'_, App>, seed: u64, modifiers: Modifiers) {
    let name = format!("Picture, seed {seed}");
    harness.get_by_role_and_label(Role::Image, &name).click_modifiers(modifiers);
    settle(harness);
}

/// Types into a field.
fn enter(harness: &mut Harness<'_, App>, name: &str, text: &str) {
    harness.get_by_role_and_label(Role::TextInput, name).focus();
    harness.run_steps(2);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    harness.key_press(Key::Delete);
    harness.get_by_role_and_label(Role::TextInput, name).type_text(text);
    settle(harness);
}

/// The seeds of the pictures in sight.
fn in_sight(harness: &Harness<'_, App>) -> Vec<u64> {
    let found =
        (0..50).filter(|seed| harness.query_by_role_and_label(Role::Image, &format!("Picture, seed {seed}")).is_some());
    found.collect()
}

#[test]
fn pictures_are_searched_filtered_and_ordered() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (mut harness, _fake, played) = gallery(&EN_DARK, folder.path());
    played.gallery.look(|state| {
        let serif = |seed| ImageRequest { class: Some(1), ..ImageRequest::of_seed(seed) };
        state.arrived = (20..23).map(|seed| arrival(serif(seed), &format!("/old/serif-{seed}.png"), true)).collect();
    });
    settle(&mut harness);
    assert_eq!(in_sight(&harness), [0, 1, 2, 3, 4, 20, 21, 22]);
    for (text, want) in [
        ("serif", vec![20, 21, 22]),
        ("宋体", vec![20, 21, 22]),
        ("tianshu", vec![0, 1, 2, 3, 4, 20, 21, 22]),
        ("serif 21", vec![21]),
        ("8.png", vec![1]),
        ("zebra", vec![]),
    ] {
        enter(&mut harness, "Search pictures", text);
        assert_eq!(in_sight(&harness), want, "{text}");
    }
    harness.get_by_label("0 of 8");
    press(&mut harness, "Show all");
    assert_eq!(in_sight(&harness).len(), 8);
    // A tag is found as soon as it is there.
    click(&mut harness, 2, Modifiers::NONE);
    enter(&mut harness, "Add a tag", "best of all");
    harness.key_press(Key::Enter);
    settle(&mut harness);
    assert_eq!(
        played.wishes(),
        [GalleryInput::Mark { paths: vec![path(2)], change: MarkChange::AddTag("best-of-all".to_owned()) }]
    );
    enter(&mut harness, "Search pictures", "#best");
    assert_eq!(in_sight(&harness), [2]);
    enter(&mut harness, "Search pictures", "");
    // Rated at least three, by the menu.
    click(&mut harness, 4, Modifiers::NONE);
    harness.get_by_role_and_label(Role::RadioButton, "Rate 4 of 5").click();
    settle(&mut harness);
    assert_eq!(played.wishes(), [GalleryInput::Mark { paths: vec![path(4)], change: MarkChange::Rate(4) }]);
    harness.get_by_role_and_label(Role::ComboBox, "Order and filter").click();
    settle(&mut harness);
    harness.get_by_role_and_label(Role::RadioButton, "3+").click();
    settle(&mut harness);
    harness.get_by_role_and_label(Role::MenuItem, "Best rated").click();
    settle(&mut harness);
    assert_eq!(in_sight(&harness), [4]);
    harness.get_by_label("1 of 8");
    harness.get_by_role_and_label(Role::RadioButton, "Any").click();
    settle(&mut harness);
    let first = harness.get_by_role_and_label(Role::Image, "Picture, seed 4").rect();
    let second = harness.get_by_role_and_label(Role::Image, "Picture, seed 22").rect();
    assert!(first.left() < second.left() && first.top() <= second.top());
}

#[test]
fn several_pictures_are_chosen_and_marked_together() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (mut harness, _fake, played) = gallery(&EN_DARK, folder.path());
    click(&mut harness, 1, Modifiers::NONE);
    click(&mut harness, 3, Modifiers::SHIFT);
    harness.get_by_label("3 pictures chosen");
    // Keys reach the gallery while nothing is typed into.
    harness.key_press(Key::Num5);
    settle(&mut harness);
    let three = || vec![path(1), path(2), path(3)];
    assert_eq!(played.wishes(), [GalleryInput::Mark { paths: three(), change: MarkChange::Rate(5) }]);
    enter(&mut harness, "Add a tag", "夜");
    harness.key_press(Key::Enter);
    settle(&mut harness);
    press(&mut harness, "Star");
    let marked = played.wishes();
    assert_eq!(
        marked,
        [MarkChange::AddTag("夜".to_owned()), MarkChange::Star(true)]
            .map(|change| GalleryInput::Mark { paths: three(), change })
    );
    let shelf = &harness.state().state().paint.shelf;
    assert!(shelf.starred() == 3 && shelf.tags() == ["夜"]);
    // One more by the button, and one less; a tag of others is offered and one is taken off.
    press(&mut harness, "Choose several");
    assert!(harness.query_by_label_contains("pictures chosen").is_none());
    for seed in [0, 2, 4, 2] {
        click(&mut harness, seed, Modifiers::NONE);
    }
    harness.get_by_label("3 pictures chosen");
    harness.get_by_role_and_label(Role::TextInput, "Add a tag").focus();
    settle(&mut harness);
    press(&mut harness, "夜");
    let chosen = vec![path(0), path(1), path(4)];
    let tagged = GalleryInput::Mark { paths: chosen.clone(), change: MarkChange::AddTag("夜".to_owned()) };
    assert_eq!(played.wishes(), [tagged]);
    press(&mut harness, "Take the tag 夜 off");
    let taken = GalleryInput::Mark { paths: chosen.clone(), change: MarkChange::RemoveTag("夜".to_owned()) };
    assert_eq!(played.wishes(), [taken]);
    press(&mut harness, "Delete");
    assert_eq!(played.wishes(), [GalleryInput::Bin(chosen.clone())]);
    assert_eq!(in_sight(&harness), [2, 3]);
    assert!(harness.query_by_label_contains("pictures chosen").is_none());
    press(&mut harness, "Bring back");
    assert_eq!(played.wishes(), [GalleryInput::Restore(chosen)]);
    // All of them by the keyboard; Escape lets them go.
    harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    settle(&mut harness);
    harness.get_by_label("2 pictures chosen");
    harness.key_press(Key::Escape);
    settle(&mut harness);
    assert!(harness.query_by_label_contains("pictures chosen").is_none());
    // Ctrl+click mixes, as ever.
    click(&mut harness, 2, Modifiers::NONE);
    click(&mut harness, 3, Modifiers::COMMAND);
    harness.get_by_role_and_label(Role::Slider, "Mix");
}

#[test]
fn pictures_are_carried_out_of_the_window() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (mut harness, fake, played) = gallery(&EN_DARK, folder.path());
    let carry = |harness: &mut Harness<'_, App>, seed: u64| {
        let at = harness.get_by_role_and_label(Role::Image, &format!("Picture, seed {seed}")).rect().center();
        harness.drag_at(at);
        harness.run_steps(2);
        harness.hover_at(at + egui::vec2(40.0, 20.0));
        harness.run_steps(2);
        harness.drop_at(at + egui::vec2(400.0, 20.0));
        settle(harness);
        fake.script(|script| std::mem::take(&mut script.carried))
    };
    assert_eq!(carry(&mut harness, 2), [path(2)], "one is carried as it is");
    assert!(played.wishes().is_empty());
    // One of several takes the others along, on a sheet that is made meanwhile.
    click(&mut harness, 1, Modifiers::NONE);
    click(&mut harness, 3, Modifiers::SHIFT);
    assert_eq!(carry(&mut harness, 4), [path(4)], "this is none of them");
    let carried = carry(&mut harness, 2);
    let wishes = played.wishes();
    let [GalleryInput::Export(sheet)] = wishes.as_slice() else { panic!("{wishes:?}") };
    assert_eq!((sheet.kind, sheet.pictures.len()), (ExportKind::Sheet, 3));
    assert_eq!(carried, std::slice::from_ref(&sheet.path));
    let kept = folder.path().join("carried");
    assert!(sheet.path.starts_with(&kept) && kept.is_dir());
    // Nothing is said of it when it is there.
    let saved = sheet.path.clone();
    played.gallery.look(|state| state.saved = Some(saved));
    settle(&mut harness);
    assert!(harness.query_by_label_contains("saved").is_none());
}

#[test]
fn what_is_shown_or_chosen_is_exported() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (mut harness, fake, played) = gallery(&EN_DARK, folder.path());
    let exported = |played: &Played| {
        let wishes = played.wishes();
        let [GalleryInput::Export(export)] = wishes.as_slice() else { panic!("{wishes:?}") };
        (**export).clone()
    };
    enter(&mut harness, "Search pictures", "9.png");
    fake.script(|script| script.pick = Some("/home/数据 set".into()));
    press(&mut harness, "Export");
    harness.get_by_role_and_label(Role::MenuItem, "Data set…").click();
    settle(&mut harness);
    let export = exported(&played);
    assert_eq!(
        (export.kind, export.pictures, export.path),
        (ExportKind::DataSet, vec![path(0)], "/home/数据 set".into())
    );
    enter(&mut harness, "Search pictures", "");
    click(&mut harness, 1, Modifiers::NONE);
    click(&mut harness, 4, Modifiers::SHIFT);
    fake.script(|script| script.pick = Some("/home/sheet.png".into()));
    press(&mut harness, "Grid sheet…");
    settle(&mut harness);
    let export = exported(&played);
    assert_eq!((export.kind, export.pictures.len(), export.path), (ExportKind::Sheet, 4, "/home/sheet.png".into()));
    // It shows how far it is, and can be stopped.
    played.gallery.look(|state| state.exporting = Some((1, 4)));
    settle(&mut harness);
    harness.get_by_label_contains("Exporting 1 of 4");
    press(&mut harness, "Stop");
    assert_eq!(played.wishes(), [GalleryInput::Stop]);
    let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
    let why = atelier::Error::file(("save", "保存"), std::path::Path::new("/home/sheet.png"), &full);
    played.gallery.look(|state| (state.exporting, state.error) = (None, Some(why)));
    settle(&mut harness);
    harness.get_by_label_contains("disk is full");
    played.gallery.look(|state| state.saved = Some("/home/sheet.png".into()));
    settle(&mut harness);
    harness.get_by_label_contains("Saved as sheet.png");
}

#[test]
fn of_a_large_library_only_what_is_in_sight_is_asked_for() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let fake = Fake::default();
    let played = Played::new(&fake);
    let mut harness = window(&EN_DARK, &fake, folder.path());
    tab(&harness, "Paint");
    settle(&mut harness);
    open(&played.port);
    let name = |seed: u64| format!("/old/{:013}-0000.png", 1_000_000 + seed);
    played.gallery.look(|state| {
        let kept = (0..25_000).map(|seed| arrival(ImageRequest::of_seed(seed), &name(seed), false));
        state.arrived = kept.collect();
        state.reading = Some((100, 25_000));
    });
    settle(&mut harness);
    harness.get_by_label_contains("Reading pictures, 100 of 25,000");
    let asked: Vec<GalleryInput> = played.told.try_iter().collect();
    let [GalleryInput::Read { .. }, GalleryInput::Thumbnails(first)] = asked.as_slice() else { panic!("{asked:?}") };
    assert!((20..120).contains(&first.len()) && first[0] == name(24_999), "{}", first.len());
    // They come, and are not asked for again.
    played.gallery.look(|state| {
        let small = |path: &PathBuf| (path.clone(), Some(super::paint::picture(1)));
        state.thumbnails = first.iter().map(small).collect();
        state.reading = None;
    });
    settle(&mut harness);
    assert!(played.told.try_iter().next().is_none());
    // A picture that is chosen is fetched; until it comes nothing can be made of it.
    harness.get_by_role_and_label(Role::Image, "Picture, seed 24998").click();
    settle(&mut harness);
    let fetched: Vec<_> = played.told.try_iter().collect();
    assert_eq!(fetched, [GalleryInput::Fetch(name(24_998).into())]);
    assert!(harness.query_by_role_and_label(Role::Slider, "Direction 1").is_some());
    let is_disabled =
        |harness: &Harness<'_, App>| harness.get_by_role_and_label(Role::Button, "Near").accesskit_node().is_disabled();
    assert!(is_disabled(&harness));
    let recipe = arrival(ImageRequest::of_seed(24_998), &name(24_998), true).drawn.expect("a picture").recipe.clone();
    let painted = Painted { path: Some(name(24_998).into()), recipe, picture: super::paint::picture(24_998) };
    played.gallery.look(|state| state.fetched.push(std::sync::Arc::new(painted)));
    settle(&mut harness);
    assert!(!is_disabled(&harness) && played.told.try_iter().next().is_none());
    // Far down, others are asked for.
    let at = harness.get_by_role_and_label(Role::Image, "Picture, seed 24990").rect().center();
    harness.hover_at(at);
    harness.event(egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: egui::vec2(0.0, -90_000.0),
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Unknown,
        modifiers: Modifiers::NONE,
    });
    harness.run_steps(30);
    let asked: Vec<GalleryInput> = played.told.try_iter().collect();
    let Some(GalleryInput::Thumbnails(last)) = asked.last() else { panic!("{asked:?}") };
    assert!(!first.contains(&last[0]) && last.len() < 120);
}

#[test]
fn the_bar_has_room_in_both_languages() {
    for look in [EN_DARK, ZH_LIGHT] {
        let zh = matches!(look.lang, atelier::ui::preferences::LanguageChoice::Chinese);
        let word = |en: &'static str, chinese: &'static str| if zh { chinese } else { en };
        for width in [900.0, 1100.0, 1600.0] {
            let folder = tempfile::tempdir().expect("temporary folder");
            let (mut harness, ..) = gallery(&Look { size: [width, 700.0], ..look }, folder.path());
            settle(&mut harness);
            let of = |role, name: &str| harness.get_by_role_and_label(role, name).rect();
            let search = of(Role::TextInput, word("Search pictures", "搜索图片"));
            let all = of(Role::RadioButton, word("All  5", "全部  5"));
            let order = of(Role::ComboBox, word("Order and filter", "排序与筛选"));
            let several = of(Role::Button, word("Choose several", "选择多张"));
            let export = of(Role::Button, word("Export", "导出"));
            assert!(search.width() >= 110.0, "{width}: {search:?}");
            let lefts = [search, all, order, several, export].map(|rect| rect.left());
            assert!(lefts.is_sorted(), "{width}: {lefts:?}");
            assert!(export.right() <= width - 312.0, "{width}: {export:?}");
        }
    }
}
