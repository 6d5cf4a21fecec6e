//! The notebook and what is around it, by role and label.

use super::*;

#[test]
fn keys_do_nothing_to_what_is_not_shown() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let fake = Fake::default();
    let mut harness = window(&EN_DARK, &fake, folder.path());
    harness.event(egui::Event::Text("a line".to_owned()));
    settle(&mut harness);
    let command = egui::Modifiers::COMMAND;
    let text = |harness: &Harness<'_, App>| harness.state().state().library.document().text().to_owned();
    let nobody = |harness: &mut Harness<'_, App>| {
        let focused = harness.ctx.memory(|memory| memory.focused());
        harness.ctx.memory_mut(|memory| focused.into_iter().for_each(|id| memory.surrender_focus(id)));
    };
    for place in ["Chat", "Settings", "Models"] {
        match place {
            "Chat" => harness.get_by_role_and_label(Role::RadioButton, place).click(),
            page => tab(&harness, page),
        }
        settle(&mut harness);
        for (modifiers, key) in [
            (command, egui::Key::Z),
            (command, egui::Key::R),
            (command | egui::Modifiers::SHIFT, egui::Key::P),
            (egui::Modifiers::ALT, egui::Key::PageDown),
        ] {
            nobody(&mut harness);
            harness.key_press_modifiers(modifiers, key);
            settle(&mut harness);
        }
        assert_eq!(text(&harness), "a line", "{place}");
        assert!(!harness.state().state().write.notebook.preview, "{place}");
        assert!(harness.query_by_role(Role::Alert).is_none(), "{place}: nothing was begun");
    }
    tab(&harness, "Write");
    settle(&mut harness);
    harness.get_by_role_and_label(Role::RadioButton, "Notebook").click();
    settle(&mut harness);
    nobody(&mut harness);
    harness.key_press_modifiers(command, egui::Key::Z);
    settle(&mut harness);
    assert_eq!(text(&harness), "");
}

/// Rests the pointer on the last word of the document, until the other words open.
fn rest_on_last_word(harness: &mut Harness<'_, App>) {
    let caret = harness.output().platform_output.ime.expect("the caret is shown").cursor_rect;
    harness.hover_at(caret.center() - egui::vec2(10.0, 0.0));
    for _ in 0..40 {
        harness.step();
    }
    assert!(harness.state().state().write.notebook.editor.shows_alternatives());
}

#[test]
fn other_words_over_the_text_keep_no_key_from_the_window() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let fake = Fake::default();
    let mut harness = writing(&EN_DARK, &fake, folder.path());
    rest_on_last_word(&mut harness);
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Num4);
    settle(&mut harness);
    assert!(!harness.state().state().write.notebook.editor.shows_alternatives(), "they go with their text");
    harness.key_press(egui::Key::Escape);
    settle(&mut harness);
    assert_eq!(fake.script(|script| script.cancelled.len()), 1, "Escape stops");
    fake.end(&WORDS.concat(), Outcome::Cancelled);
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Num1);
    settle(&mut harness);
    rest_on_last_word(&mut harness);
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Enter);
    settle(&mut harness);
    assert_eq!(fake.script(|script| script.asked.len()), 2, "the model writes on");
}

#[test]
fn what_was_generated_and_taken_back_can_be_found_again() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let fake = Fake::default();
    let mut harness = writing(&EN_DARK, &fake, folder.path());
    fake.end(&WORDS.concat(), Outcome::Finished);
    settle(&mut harness);
    let before = harness.state().state().library.document().text().to_owned();
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Z);
    settle(&mut harness);
    harness.event(egui::Event::Text("Something else".to_owned()));
    settle(&mut harness);
    harness.get_by_role_and_label(Role::DisclosureTriangle, "Earlier versions · 1").click();
    settle(&mut harness);
    let name = format!("Earlier version 1: {}", WORDS.concat());
    harness.get_by_role_and_label(Role::RadioButton, &name).click();
    settle(&mut harness);
    assert_eq!(harness.state().state().library.document().text(), before);
    press(&mut harness, "Undo");
    assert!(harness.state().state().library.document().text().contains("Something else"));
}

#[test]
fn what_the_model_does_not_read_is_marked_in_the_text() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let fake = Fake::default();
    let mut harness = writing(&EN_DARK, &fake, folder.path());
    let mark = "The model reads from here";
    assert!(harness.query_by_label(mark).is_none());
    fake.read_context(ContextReport { context_tokens: 64, prompt_tokens: 40, left_out: 110, ..Default::default() });
    settle(&mut harness);
    harness.get_by_label(mark);
    harness.snapshot("left_out_en_dark");
}

#[test]
fn tasks_can_be_done_and_changed() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let fake = Fake::default();
    fake.script(|script| script.library = library());
    let mut harness = window(&EN_DARK, &fake, folder.path());
    press(&mut harness, "Summarise");
    let Prompt::Chat(asked) = fake.request().prompt else { panic!("a task is a question") };
    assert!(asked.iter().any(|message| message.content.contains("The lighthouse")));
    fake.end("Short.", Outcome::Finished);
    settle(&mut harness);

    press(&mut harness, "Your own tasks");
    harness.get_by_role_and_label(Role::MenuItem, "Edit tasks…").click();
    settle(&mut harness);
    let (path, bytes) = fake.script(|script| script.written.last().cloned()).expect("the file was put in place");
    assert_eq!(path, folder.path().join("tasks.toml"));
    harness.get_by_role(Role::Alert);
    let changed = String::from_utf8(bytes).expect("text").replace("\"Summarise\"", "\"In short\"");
    atelier::files::write_whole(&path, changed.as_bytes()).expect("changed");
    press(&mut harness, "Your own tasks");
    harness.get_by_role_and_label(Role::MenuItem, "Read tasks again").click();
    settle(&mut harness);
    harness.get_by_role_and_label(Role::Button, "In short");
}

#[test]
fn a_whole_document_is_written_anew_in_full_or_not_at_all() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let fake = Fake::default();
    let line = "The sea had been quiet for a week. ";
    let text = line.repeat(120);
    fake.script(|script| script.library = vec![Document::from_text(&text, NOW_MS).to_bytes()]);
    let mut harness = window(&EN_DARK, &fake, folder.path());
    press(&mut harness, "Polish");
    assert!(fake.request().max_tokens > text.len() / 4, "{}", fake.request().max_tokens);
    fake.end("", Outcome::Cancelled);
    settle(&mut harness);

    fake.script(|script| script.library = vec![Document::from_text(&line.repeat(1200), NOW_MS).to_bytes()]);
    let mut harness = window(&EN_DARK, &fake, folder.path());
    press(&mut harness, "Polish");
    assert!(harness.get_by_role(Role::Alert).accesskit_node().label().unwrap_or_default().contains("Select a part"));
    assert_eq!(fake.script(|script| script.asked.len()), 1);
}

#[test]
fn a_word_is_chosen_from_those_over_the_text() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let fake = Fake::default();
    let mut harness = writing(&EN_DARK, &fake, folder.path());
    fake.end(&WORDS.concat(), Outcome::Finished);
    settle(&mut harness);
    rest_on_last_word(&mut harness);
    harness.get_by_label("Branch with return, 22%").click();
    settle(&mut harness);
    let request = fake.request();
    assert_eq!(request.forced.len(), WORDS.len(), "those before it, and the other word");
    assert_eq!(request.forced[..8], WORDS.map(|word| fake::token(word).id)[..8]);
    fake.end("He set the lamp on the sill and return", Outcome::Finished);
    settle(&mut harness);
    assert_eq!(harness.state().state().library.document().variants().len(), 2);

    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::D);
    settle(&mut harness);
    let columns = harness
        .query_all_by_role(Role::RadioButton)
        .filter(|node| node.accesskit_node().label().unwrap_or_default().starts_with("Variant "));
    assert_eq!(columns.count(), 4, "the cards, and the columns side by side");
    press(&mut harness, "Compare");
    assert!(!harness.state().state().write.notebook.compare);
}

#[test]
fn the_character_of_the_next_text_can_be_set_and_kept() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let fake = Fake::default();
    let mut harness = window(&EN_DARK, &fake, folder.path());
    harness.event(egui::Event::Text("Once".to_owned()));
    harness.get_by_role_and_label(Role::Slider, "Temperature").focus();
    settle(&mut harness);
    for _ in 0..2 {
        harness.key_press(egui::Key::ArrowRight);
    }
    settle(&mut harness);
    let temperature = |harness: &Harness<'_, App>| harness.state().state().preferences.writing.sampler.temperature;
    assert_eq!(temperature(&harness), 0.9);
    press(&mut harness, "Presets");
    harness.get_by_role_and_label(Role::TextInput, "Name of the preset").click();
    settle(&mut harness);
    harness.get_by_role_and_label(Role::TextInput, "Name of the preset").type_text("Warm");
    settle(&mut harness);
    press(&mut harness, "Keep these settings");
    harness.key_press(egui::Key::Escape);
    settle(&mut harness);
    harness.get_by_role_and_label(Role::RadioButton, "Precise").click();
    settle(&mut harness);
    assert!(temperature(&harness) < 0.9);
    press(&mut harness, "Presets");
    harness.get_by_role_and_label(Role::MenuItem, "Warm").click();
    settle(&mut harness);
    assert_eq!(temperature(&harness), 0.9);
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Enter);
    settle(&mut harness);
    assert_eq!(fake.request().sampler.temperature, 0.9);
}

#[test]
fn a_new_document_stands_beside_the_old_ones() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let fake = Fake::default();
    let mut harness = window(&EN_DARK, &fake, folder.path());
    harness.event(egui::Event::Text("The lighthouse".to_owned()));
    settle(&mut harness);
    press(&mut harness, "New document");
    harness.event(egui::Event::Text("Fresh".to_owned()));
    settle(&mut harness);
    assert_eq!(harness.query_all_by_role(Role::ListItem).count(), 2);
    assert_eq!(harness.state().state().library.document().text(), "Fresh");
    harness.get_by_role_and_label(Role::ListItem, "The lighthouse").click();
    settle(&mut harness);
    assert_eq!(harness.state().state().library.document().title(), "The lighthouse");
}

#[test]
fn a_dropped_file_that_nothing_opens_is_said_to_be_one() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let fake = Fake::default();
    let mut harness = window(&EN_DARK, &fake, folder.path());
    harness.input_mut().dropped_files.push(std::sync::Arc::new(Dropped("/home/me/song.sid".into())));
    settle(&mut harness);
    let told = harness.get_by_role(Role::Alert).accesskit_node().label().unwrap_or_default();
    assert!(told.contains("song.sid") && told.contains("neither a model"), "{told}");
}

#[test]
fn what_does_not_fit_a_narrow_window_is_in_the_menu() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let fake = Fake::default();
    for width in [800.0, 900.0] {
        let narrow = Look { size: [width, 600.0], ..EN_DARK };
        let mut harness = writing(&narrow, &fake, folder.path());
        fake.end(&WORDS.concat(), Outcome::Finished);
        settle(&mut harness);
        assert!(harness.state().state().preferences.inspector_shown);
        if harness.query_by_role_and_label(Role::Button, "Inspector").is_some() {
            press(&mut harness, "Inspector");
        } else {
            press(&mut harness, "More");
            harness.get_by_role_and_label(Role::MenuItem, "Inspector").click();
            settle(&mut harness);
        }
        assert!(!harness.state().state().preferences.inspector_shown, "{width}");
        fake.script(|script| script.pick = Some("/out/other.md".into()));
        press(&mut harness, "More");
        harness.get_by_role_and_label(Role::MenuItem, "Save as…").click();
        settle(&mut harness);
        assert!(fake.script(|script| script.written.iter().any(|(path, _)| path.ends_with("other.md"))));
    }
}

#[test]
fn the_write_page_in_the_other_themes() {
    let mut results = SnapshotResults::new();
    for (name, lang, theme) in [
        ("zh_dark", LanguageChoice::Chinese, ThemeChoice::Dark),
        ("en_light", LanguageChoice::English, ThemeChoice::Light),
    ] {
        let folder = tempfile::tempdir().expect("temporary folder");
        let fake = Fake::default();
        let mut harness = writing(&Look { lang, theme, size: [1280.0, 800.0] }, &fake, folder.path());
        harness.snapshot(format!("writing_{name}"));
        results.extend_harness(&mut harness);
    }
}
