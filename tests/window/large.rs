//! The chosen picture as large as the Paint page, and its settings for the next ones.

use std::path::PathBuf;

use atelier::{
    engine::{GalleryInput, MarkChange, PaintInput},
    generate::image::ImageRequest,
};
use egui::accesskit::Role;
use egui_kittest::{
    SnapshotResults,
    kittest::{NodeT as _, Queryable as _},
};

use super::{
    EN_DARK, ZH_LIGHT,
    paint::{Played, arrival, gallery},
    press, settle,
};

#[test]
fn a_picture_is_looked_at_as_large_as_the_page() {
    let mut results = SnapshotResults::new();
    for (name, look, zh) in [("en_dark", EN_DARK, false), ("zh_light", ZH_LIGHT, true)] {
        let word = |en: &'static str, chinese: &'static str| if zh { chinese } else { en };
        let folder = tempfile::tempdir().expect("temporary folder");
        let (mut harness, _fake, played) = gallery(&look, folder.path());
        let (gallery_button, seed) = (word("Gallery", "图库"), |seed: u64| match zh {
            true => format!("图片，种子 {seed}"),
            false => format!("Picture, seed {seed}"),
        });
        let chosen = |harness: &egui_kittest::Harness<'_, atelier::app::App>| {
            harness.state().state().paint.chosen().map(|chosen| chosen.seed)
        };
        harness.get_by_role_and_label(Role::Image, &seed(2)).click();
        settle(&mut harness);
        harness.key_press(egui::Key::Enter);
        settle(&mut harness);
        harness.get_by_role_and_label(Role::Button, gallery_button);
        harness.get_by_label_contains(word("3 of 5", "3 / 5"));
        harness.snapshot(format!("paint_large_{name}"));
        // The ones beside it, as they are shown.
        harness.key_press(egui::Key::ArrowRight);
        settle(&mut harness);
        assert_eq!(chosen(&harness), Some(3));
        press(&mut harness, word("The picture before  (←)", "上一张（←）"));
        harness.key_press(egui::Key::ArrowLeft);
        settle(&mut harness);
        assert_eq!(chosen(&harness), Some(1));
        // Keys of the gallery do here what they do there.
        harness.key_press(egui::Key::S);
        harness.key_press(egui::Key::Num4);
        settle(&mut harness);
        let path = PathBuf::from("/old/8.png");
        let marked = |change| GalleryInput::Mark { paths: vec![path.clone()], change };
        assert_eq!(played.wishes(), [marked(MarkChange::Star(true)), marked(MarkChange::Rate(4))]);
        // Closer and back.
        let percent = |harness: &egui_kittest::Harness<'_, atelier::app::App>| {
            closeness(harness).split(' ').next().and_then(|number| number.parse::<u32>().ok()).expect("a number")
        };
        let fit = percent(&harness);
        harness.event(egui::Event::Text("+".to_owned()));
        settle(&mut harness);
        assert!(percent(&harness) > fit * 14 / 10, "{} after {fit}", percent(&harness));
        harness.get_by_role_and_label(Role::RadioButton, "100 %").click();
        settle(&mut harness);
        assert_eq!(percent(&harness), 100);
        harness.get_by_role_and_label(Role::RadioButton, word("Fit", "适合")).click();
        settle(&mut harness);
        assert_eq!(percent(&harness), fit);
        harness.key_press(egui::Key::Escape);
        settle(&mut harness);
        assert!(harness.query_by_role_and_label(Role::Button, gallery_button).is_none());
        assert_eq!(chosen(&harness), Some(1));
        // Enter of a field is the field's.
        let search = if zh { "搜索图片" } else { "Search pictures" };
        harness.get_by_role_and_label(Role::TextInput, search).focus();
        harness.run_steps(2);
        harness.key_press(egui::Key::Enter);
        settle(&mut harness);
        assert!(harness.query_by_role_and_label(Role::Button, gallery_button).is_none());
        // A click on the picture in the panel opens it too; variations are seen in the gallery.
        harness.get_by_role_and_label(Role::Image, &seed(4)).click();
        settle(&mut harness);
        harness.get_by_role_and_label(Role::Image, word("Seed 4 · 64 × 64", "种子 4 · 64 × 64")).click();
        settle(&mut harness);
        harness.get_by_role_and_label(Role::Button, gallery_button);
        played.inputs.try_iter().for_each(drop);
        harness.key_press(egui::Key::N);
        settle(&mut harness);
        assert!(harness.query_by_role_and_label(Role::Button, gallery_button).is_none());
        let drawn = played.inputs.try_iter().find_map(|input| match input {
            PaintInput::Draw { requests, .. } => Some(requests),
            _ => None,
        });
        assert_eq!(drawn.expect("variations").len(), 12);
        results.extend_harness(&mut harness);
    }
}

/// The line that says how close the picture is.
fn closeness(harness: &egui_kittest::Harness<'_, atelier::app::App>) -> String {
    let found = harness.get_all_by_role(Role::Status).filter_map(|node| node.accesskit_node().label());
    found.into_iter().find(|label| label.contains(" % · ")).expect("how close it is")
}

#[test]
fn the_bin_is_looked_into_and_emptied() {
    let mut results = SnapshotResults::new();
    for (name, look, zh) in [("en_dark", EN_DARK, false), ("zh_light", ZH_LIGHT, true)] {
        let word = |en: &'static str, chinese: &'static str| if zh { chinese } else { en };
        let folder = tempfile::tempdir().expect("temporary folder");
        let (mut harness, _fake, played) = gallery(&look, folder.path());
        press(&mut harness, word("Bin", "回收站"));
        let reads = |inputs: &[GalleryInput], wanted: &str| {
            inputs
                .iter()
                .any(|input| matches!(input, GalleryInput::Read { folder, .. } if folder == &PathBuf::from(wanted)))
        };
        assert!(reads(&played.wishes(), "/library/pictures/bin"));
        harness.get_by_label(word("The bin is empty", "回收站是空的"));
        let path = |seed: u64| PathBuf::from(format!("/library/pictures/bin/{}.png", 9 - seed));
        played.gallery.look(|state| {
            let binned = |seed| arrival(ImageRequest::of_seed(seed), &path(seed).display().to_string(), true);
            state.arrived = (0..4).map(binned).collect();
            // This one was on its way when the bin was asked for.
            state.arrived.push(arrival(ImageRequest::of_seed(9), "/library/pictures/0.png", true));
        });
        settle(&mut harness);
        let shown = |harness: &egui_kittest::Harness<'_, atelier::app::App>| harness.state().state().paint.shelf.len();
        assert_eq!(shown(&harness), 4);
        let picture = if zh { "图片，种子 2" } else { "Picture, seed 2" };
        harness.get_by_role_and_label(Role::Image, picture).click();
        settle(&mut harness);
        harness.snapshot(format!("paint_bin_{name}"));
        // No key removes it, and one brings it back.
        harness.key_press(egui::Key::Delete);
        settle(&mut harness);
        assert_eq!(played.wishes(), []);
        if zh {
            harness.key_press(egui::Key::U);
            settle(&mut harness);
        } else {
            press(&mut harness, "Bring back");
        }
        assert_eq!(played.wishes(), [GalleryInput::Unbin(vec![path(2)])]);
        harness.get_by_role_and_label(Role::Image, &picture.replace('2', "1")).click();
        settle(&mut harness);
        press(&mut harness, word("Remove for good", "彻底删除"));
        assert_eq!(played.wishes(), [GalleryInput::Destroy(vec![path(1)])]);
        // All of it takes two clicks.
        press(&mut harness, word("Empty the bin", "清空回收站"));
        assert_eq!(played.wishes(), []);
        let all = word("Remove 2 pictures for good", "彻底删除 2 张图片");
        harness.get_by_role_and_label(Role::MenuItem, all).click();
        settle(&mut harness);
        assert_eq!(played.wishes(), [GalleryInput::Destroy(vec![path(0), path(3)])]);
        assert_eq!(shown(&harness), 0);
        harness.key_press(egui::Key::Escape);
        settle(&mut harness);
        assert!(reads(&played.wishes(), "/library/pictures"));
        results.extend_harness(&mut harness);
    }
}

#[test]
fn what_is_drawn_next_is_set_as_a_picture_has_it() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (mut harness, _fake, played) = gallery(&EN_DARK, folder.path());
    let Played { inputs, gallery, .. } = &played;
    let request = ImageRequest { class: Some(1), truncation: 0.7, ..ImageRequest::of_seed(4_711) };
    // One that is dropped on the window.
    let outside = "/library/pictures/9-from-outside-00.png";
    gallery.look(|state| {
        state.arrived = vec![arrival(request.clone(), outside, true)];
        (state.shown, state.imported) = (Some(outside.into()), Some(outside.into()));
    });
    settle(&mut harness);
    harness.get_by_label_contains("Generate draws it first");
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Enter);
    settle(&mut harness);
    let draw = |inputs: &crossbeam_channel::Receiver<PaintInput>| {
        inputs.try_iter().find_map(|input| match input {
            PaintInput::Draw { requests, .. } => Some(requests),
            _ => None,
        })
    };
    assert_eq!(draw(inputs).expect("a sheet")[0], request);
    // And one of the gallery, with the button.
    harness.get_by_role_and_label(Role::Image, "Picture, seed 3").click();
    settle(&mut harness);
    press(&mut harness, "Use its settings");
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Enter);
    settle(&mut harness);
    assert_eq!(draw(inputs).expect("a sheet")[0], ImageRequest::of_seed(3));
}
