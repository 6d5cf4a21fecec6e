//! The window, driven by role and label, with a scripted engine: each page, both languages, both themes.

#![allow(clippy::expect_used, clippy::panic, reason = "a test says why it cannot fail, and fails otherwise")]

mod chat;
mod fake;
mod large;
mod library;
mod notebook;
mod paint;
mod sound;
mod teach;
mod variations;

use atelier::{
    Lang,
    app::{App, Places, Setup},
    document::Document,
    engine::Outcome,
    generate::{ContextReport, Prompt, StopReason},
    ui::{
        preferences::{LanguageChoice, Preferences},
        theme::ThemeChoice,
    },
};
use egui::accesskit::Role;
use egui_kittest::{
    Harness, SnapshotOptions, SnapshotResults,
    kittest::{NodeT as _, Queryable as _},
};
use fake::Fake;

const NOW_MS: u64 = 1_795_000_000_000;

thread_local! {
    /// The clock of the test that runs on this thread.
    static CLOCK_MS: std::cell::Cell<u64> = const { std::cell::Cell::new(NOW_MS) };
}

fn now() -> u64 {
    CLOCK_MS.get()
}

/// Time goes on, and the window sees it.
fn wait(harness: &mut Harness<'_, App>, ms: u64) {
    CLOCK_MS.set(CLOCK_MS.get() + ms);
    settle(harness);
}

struct Look {
    lang: LanguageChoice,
    theme: ThemeChoice,
    size: [f32; 2],
}

const EN_DARK: Look = Look { lang: LanguageChoice::English, theme: ThemeChoice::Dark, size: [1280.0, 800.0] };
const ZH_LIGHT: Look = Look { lang: LanguageChoice::Chinese, theme: ThemeChoice::Light, size: [1280.0, 800.0] };

/// The window with settings as `look` says; what it keeps goes into `folder`.
fn window(look: &Look, fake: &Fake, folder: &std::path::Path) -> Harness<'static, App> {
    let settings = folder.join("settings.json");
    let preferences = Preferences { language: look.lang, theme: look.theme, ..Preferences::default() };
    let json = serde_json::to_vec(&preferences).expect("JSON");
    atelier::files::write_whole(&settings, &json).expect("settings in place");
    let setup = Setup {
        link: Box::new(fake.clone()),
        places: Places {
            settings: Some(settings),
            library: Some("/library".into()),
            carried: Some(folder.join("carried")),
        },
        system_lang: Lang::En,
        clock: now,
        memory: || Some(412_000_000),
        system_fonts: false,
    };
    let mut harness = Harness::builder()
        .with_size(look.size)
        .with_options(SnapshotOptions::new().threshold(1.0).max_failed_pixels(40))
        .with_accessibility_check(true)
        .build_eframe(|cc| App::new(&cc.egui_ctx, setup));
    harness.run_steps(6);
    harness
}

fn library() -> Vec<Vec<u8>> {
    let day = 86_400_000;
    [
        ("# The lighthouse\n\nOn the last night of October the keeper climbed the stairs with a lamp in one hand and a letter in the other. The sea had been quiet for a week, and quiet, he had learnt, was the sea holding its breath.\n\n", NOW_MS - 20_000),
        ("# Product launch\n\nThree weeks before the launch nobody knew what to call it.", NOW_MS - 2 * day),
        ("# 春日短诗\n\n春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。", NOW_MS - day),
    ]
    .iter()
    .map(|(text, at)| Document::from_text(text, *at).to_bytes())
    .collect()
}

fn tab(harness: &Harness<'_, App>, name: &str) {
    harness.get_by_role_and_label(Role::Tab, name).click();
}

/// Presses a button and lets the window answer.
fn press(harness: &mut Harness<'_, App>, name: &str) {
    harness.get_by_role_and_label(Role::Button, name).click();
    harness.run_steps(4);
}

/// Lets the window take what the engine said.
fn settle(harness: &mut Harness<'_, App>) {
    harness.run_steps(4);
}

const WORDS: [&str; 9] = ["He", " set", " the", " lamp", " on", " the", " sill", " and", " read"];

/// The window with the library, after a generation has begun and written some words.
fn writing(look: &Look, fake: &Fake, folder: &std::path::Path) -> Harness<'static, App> {
    fake.script(|script| script.library = library());
    let mut harness = window(look, fake, folder);
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Enter);
    settle(&mut harness);
    let report = ContextReport { context_tokens: 8192, prompt_tokens: 640, ..ContextReport::default() };
    fake.read_context(report);
    fake.write(&WORDS);
    settle(&mut harness);
    harness
}

#[test]
fn every_page_in_both_languages_and_themes() {
    let mut results = SnapshotResults::new();
    for (name, look, [models, settings]) in
        [("en_dark", EN_DARK, ["Models", "Settings"]), ("zh_light", ZH_LIGHT, ["模型", "设置"])]
    {
        let folder = tempfile::tempdir().expect("temporary folder");
        let fake = Fake::default();
        let mut harness = window(&look, &fake, folder.path());
        harness.snapshot(format!("write_empty_{name}"));
        results.extend_harness(&mut harness);

        fake.script(|script| script.library = library());
        let mut harness = window(&look, &fake, folder.path());
        tab(&harness, models);
        settle(&mut harness);
        harness.snapshot(format!("models_{name}"));
        tab(&harness, settings);
        settle(&mut harness);
        harness.snapshot(format!("settings_{name}"));
        results.extend_harness(&mut harness);
    }
}

#[test]
fn words_stream_into_the_document_and_can_be_stopped_and_chosen_among() {
    let mut results = SnapshotResults::new();
    for (name, look, stop, again) in
        [("en_dark", EN_DARK, "Stop", "Regenerate"), ("zh_light", ZH_LIGHT, "停止", "重新生成")]
    {
        let folder = tempfile::tempdir().expect("temporary folder");
        let fake = Fake::default();
        let mut harness = writing(&look, &fake, folder.path());
        let text = WORDS.concat();
        assert!(harness.state().state().library.document().text().ends_with(&text));
        assert!(fake.raw_prompt().contains("The lighthouse"), "{}", fake.raw_prompt());
        harness.snapshot(format!("writing_{name}"));

        press(&mut harness, stop);
        assert_eq!(fake.script(|script| script.cancelled.len()), 1);
        fake.end(&text, Outcome::Cancelled);
        settle(&mut harness);
        assert!(!harness.state().state().is_writing());

        press(&mut harness, again);
        fake.write(&["The", " wind", " had", " found", " the", " gap", " beneath", " the", " door"]);
        fake.end("The wind had found the gap beneath the door", Outcome::Finished);
        settle(&mut harness);
        let document = harness.state().state().library.document();
        assert!(document.text().ends_with("beneath the door"), "{}", document.text());
        assert_eq!(document.variants().len(), 2);
        harness.snapshot(format!("variants_{name}"));
        results.extend_harness(&mut harness);
    }
}

#[test]
fn a_conversation() {
    let mut results = SnapshotResults::new();
    for (name, look, chat, send) in [("en_dark", EN_DARK, "Chat", "Send"), ("zh_light", ZH_LIGHT, "对话", "发送")] {
        let folder = tempfile::tempdir().expect("temporary folder");
        let fake = Fake::default();
        let mut harness = window(&look, &fake, folder.path());
        harness.get_by_role_and_label(Role::RadioButton, chat).click();
        settle(&mut harness);
        harness.snapshot(format!("chat_empty_{name}"));
        let message = look.lang.resolve(Lang::En).pick("Message", "消息");
        harness.get_by_label(message).click();
        settle(&mut harness);
        harness.get_by_label(message).type_text("What is the tide?");
        settle(&mut harness);
        press(&mut harness, send);
        fake.write(&["The", " tide", " is", " the", " slow", " rise", " and", " fall", " of", " the", " sea."]);
        fake.end("The tide is the slow rise and fall of the sea.", Outcome::Finished);
        settle(&mut harness);
        let state = harness.state().state();
        let path = state.library.chat().path();
        assert_eq!(path.len(), 2);
        assert_eq!(state.library.chat().text(path[1]), Some("The tide is the slow rise and fall of the sea."));
        harness.snapshot(format!("chat_{name}"));
        results.extend_harness(&mut harness);
    }
}

#[test]
fn what_lies_over_the_window() {
    let mut results = SnapshotResults::new();
    for (name, look) in [("en_dark", EN_DARK), ("zh_light", ZH_LIGHT)] {
        let folder = tempfile::tempdir().expect("temporary folder");
        let fake = Fake::default();
        let mut harness = writing(&look, &fake, folder.path());
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let why = atelier::Error::file(("save", "保存"), std::path::Path::new("/home/me/The lighthouse.md"), &full);
        fake.end("", Outcome::Failed(why));
        settle(&mut harness);
        harness.snapshot(format!("toast_{name}"));
        harness.key_press(egui::Key::F1);
        settle(&mut harness);
        harness.snapshot(format!("shortcuts_{name}"));
        results.extend_harness(&mut harness);
    }
}

#[test]
fn a_narrow_window_still_has_everything() {
    let mut results = SnapshotResults::new();
    for (name, look) in [("en_dark", EN_DARK), ("zh_light", ZH_LIGHT)] {
        let folder = tempfile::tempdir().expect("temporary folder");
        let fake = Fake::default();
        let narrow = Look { size: [900.0, 600.0], ..look };
        let mut harness = writing(&narrow, &fake, folder.path());
        harness.snapshot(format!("narrow_{name}"));
        results.extend_harness(&mut harness);
    }
}

#[test]
fn what_is_typed_is_kept_about_a_second_later() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let fake = Fake::default();
    let mut harness = window(&EN_DARK, &fake, folder.path());
    harness.event(egui::Event::Text("你好, sea".to_owned()));
    settle(&mut harness);
    assert_eq!(harness.state().state().library.document().text(), "你好, sea");
    assert!(fake.script(|script| script.written.is_empty()));
    wait(&mut harness, 1500);
    let (path, bytes) = fake.script(|script| script.written[0].clone());
    assert!(path.starts_with("/library"), "{path:?}");
    assert_eq!(Document::from_bytes(&bytes).expect("a document").text(), "你好, sea");

    fake.script(|script| script.disk_full = true);
    harness.event(egui::Event::Text("!".to_owned()));
    settle(&mut harness);
    wait(&mut harness, 1500);
    let told = harness.get_by_role(Role::Alert);
    assert!(told.accesskit_node().label().unwrap_or_default().contains("disk is full"));
}

#[test]
fn a_deleted_document_can_come_back() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let fake = Fake::default();
    fake.script(|script| script.library = library());
    let mut harness = window(&EN_DARK, &fake, folder.path());
    harness.get_by_role_and_label(Role::ListItem, "Product launch").hover();
    settle(&mut harness);
    harness.get_by_label("Delete: Product launch").click();
    settle(&mut harness);
    assert_eq!(harness.state().state().library.documents.len(), 2);
    assert_eq!(fake.script(|script| script.removed.len()), 1);
    let undo = |node: &egui_kittest::Node<'_>| !node.accesskit_node().is_disabled();
    let undo = harness.get_all_by_role_and_label(Role::Button, "Undo").find(undo).expect("the toast offers it");
    undo.click();
    settle(&mut harness);
    wait(&mut harness, 1500);
    let library = &harness.state().state().library;
    assert_eq!(library.documents.len(), 3);
    assert_eq!(library.document().title(), "Product launch");
    let on_disk =
        |script: &mut fake::Script| script.written.iter().filter(|(path, _)| path.starts_with("/library")).count();
    assert_eq!(fake.script(on_disk), 1, "it is on the disk again");
}

#[test]
fn a_saved_text_has_its_recipe_beside_it() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let fake = Fake::default();
    let mut harness = writing(&EN_DARK, &fake, folder.path());
    fake.end(&WORDS.concat(), Outcome::Finished);
    settle(&mut harness);
    fake.script(|script| script.pick = Some("/out/The lighthouse.md".into()));
    press(&mut harness, "Save");
    settle(&mut harness);
    let written = fake.script(|script| script.written.clone());
    let of = |name: &str| written.iter().find(|(path, _)| path.ends_with(name)).map(|(_, bytes)| bytes.clone());
    let text = of("The lighthouse.md").expect("the text was saved");
    assert!(text.ends_with(WORDS.concat().as_bytes()));
    let recipe = of("The lighthouse.md.atelier.json").expect("its recipe was saved");
    let recipe: atelier::recipe::Recipe = serde_json::from_slice(&recipe).expect("a recipe");
    let atelier::recipe::Work::Text(work) = recipe.work else { panic!("the recipe is of a text") };
    assert_eq!(work.generations[0].model.sha256, "ab".repeat(32));
    assert_eq!(work.pieces.len(), 2);
}

#[derive(Debug)]
struct Dropped(std::path::PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &std::path::Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        Err("the engine reads files".to_owned())
    }
}

#[test]
fn a_dropped_file_opens_where_it_belongs_and_a_bad_model_leaves_the_good_one() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let fake = Fake::default();
    let mut harness = window(&EN_DARK, &fake, folder.path());
    let drop = |harness: &mut Harness<'_, App>, path: &str| {
        harness.input_mut().dropped_files.push(std::sync::Arc::new(Dropped(path.into())));
        settle(harness);
    };
    fake.script(|script| script.text = "# From a file".to_owned());
    drop(&mut harness, "/home/me/notes.md");
    assert_eq!(harness.state().state().library.document().text(), "# From a file");

    let why =
        atelier::Error::new("“x.gguf” ends in the middle of a tensor; fetch it again.", "“x.gguf”不完整，请重新下载。");
    fake.script(|script| script.refuse = Some(why));
    drop(&mut harness, "/home/me/x.gguf");
    harness.get_by_role_and_label(Role::Alert, "“x.gguf” ends in the middle of a tensor; fetch it again.");
    let open = harness.state().state().model.open.as_ref().expect("the good one is still open");
    assert_eq!(open.path, std::path::Path::new(fake::BUNDLED));

    fake.script(|script| script.refuse = None);
    drop(&mut harness, "/home/me/qwen2.5-0.5b-instruct-q4_k_m.gguf");
    let open = harness.state().state().model.open.as_ref().expect("the new one is open");
    assert_eq!(open.family, "qwen2");
    tab(&harness, "Models");
    settle(&mut harness);
    assert!(harness.query_all_by_role(Role::ListItem).count() >= 2, "both are listed");
}

#[test]
fn the_language_changes_at_once_and_settings_are_kept() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let fake = Fake::default();
    let mut harness = window(&EN_DARK, &fake, folder.path());
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Comma);
    settle(&mut harness);
    harness.get_by_role_and_label(Role::RadioButton, "简体中文").click();
    settle(&mut harness);
    harness.get_by_role_and_label(Role::Tab, "写作");
    wait(&mut harness, 1500);
    let settings = fake.script(|script| script.written.last().cloned()).expect("settings were written");
    let kept: Preferences = serde_json::from_slice(&settings.1).expect("settings");
    assert_eq!(kept.language, LanguageChoice::Chinese);
}
