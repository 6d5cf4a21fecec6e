//! The Sound page, with a synthesiser that the test plays.

use atelier::{
    audio::Clip,
    engine::{SoundActivity, SoundInput, SoundPort, TakeFile, TakeKind, TakeMark},
    generate::audio::{AudioModelInfo, AudioRequest, Note, Quantisation, Step},
    nets::wavenet::Instrument,
    recipe::{Origin, RecordingRecipe, SoundRecipe, Source},
    ui::preferences::SavedAs,
};
use crossbeam_channel::{Receiver, TryRecvError};
use egui::accesskit::Role;
use egui_kittest::{SnapshotResults, kittest::Queryable as _};

use super::{EN_DARK, ZH_LIGHT, fake::Fake, press, settle, tab, window};

pub fn open(port: &SoundPort) {
    let info = AudioModelInfo {
        name: "notes".to_owned(),
        title: "Notes".to_owned(),
        path: "/models/audio/notes.safetensors".into(),
        sample_rate_hz: 16_000,
        instruments: vec![Instrument::new("Piano", "钢琴"), Instrument::new("Cello", "大提琴")],
        lowest_key: 36,
        keys: 49,
        sizes: [20, 32, 128],
        parameters: 300_000,
    };
    port.look(|state| {
        state.model = Some(info);
        state.model_sha256 = "cd".repeat(32);
    });
}

/// What the page told next, but that somebody is there, which it says by the clock.
pub fn next(inputs: &Receiver<SoundInput>) -> Result<SoundInput, TryRecvError> {
    loop {
        match inputs.try_recv() {
            Ok(SoundInput::Ready) => {}
            told => return told,
        }
    }
}

/// Two notes that die away.
pub fn take() -> Vec<f32> {
    let tone =
        |t: f32, hz: f32| (-3.0 * t).exp() * ((hz * t * std::f32::consts::TAU).sin() + 0.3 * (hz * t * 12.566).sin());
    (0..24_000)
        .map(|i| i as f32 / 16_000.0)
        .map(|t| if t < 0.75 { 0.5 * tone(t, 440.0) } else { 0.5 * tone(t - 0.75, 660.0) })
        .collect()
}

#[test]
fn notes_are_played_by_the_page_and_by_keys_and_takes_are_kept() {
    let mut results = SnapshotResults::new();
    for (name, look, zh) in [("en_dark", EN_DARK, false), ("zh_light", ZH_LIGHT, true)] {
        let word = |en: &'static str, chinese: &'static str| if zh { chinese } else { en };
        let folder = tempfile::tempdir().expect("temporary folder");
        let fake = Fake::default();
        let (port, inputs) = SoundPort::scripted();
        fake.script(|script| script.sound = Some(port.clone()));
        let mut harness = window(&look, &fake, folder.path());
        tab(&harness, word("Sound", "声音"));
        settle(&mut harness);
        let told: Vec<_> = inputs.try_iter().collect();
        assert!(told.iter().any(|input| matches!(input, SoundInput::Open { name, .. } if name == "notes")), "{told:?}");
        // The device is open before the first key is struck.
        assert!(told.contains(&SoundInput::Ready), "{told:?}");
        open(&port);
        settle(&mut harness);
        harness.snapshot(format!("sound_empty_{name}"));

        press(&mut harness, word("Generate", "生成"));
        let Ok(SoundInput::Make(request)) = next(&inputs) else { panic!("nothing was to be made") };
        assert_eq!(request.notes.len(), 8);
        port.look(|state| {
            state.take = 1;
            state.sample_rate_hz = 16_000;
            state.activity = SoundActivity::Making;
            state.request = Some(*request);
            state.samples = take().into();
            state.position = 9_000;
            state.real_time_factor = Some(4.9);
            state.first_sound_ms = Some(72.0);
        });
        settle(&mut harness);
        harness.snapshot(format!("sound_{name}"));
        harness.key_press(egui::Key::Escape);
        settle(&mut harness);
        assert_eq!(next(&inputs).expect("it is stopped"), SoundInput::Stop);
        port.look(|state| state.activity = SoundActivity::Idle);
        settle(&mut harness);
        assert_eq!(kept(&fake).len(), 1);

        fake.script(|script| script.pick = Some("/home/音.wav".into()));
        press(&mut harness, word("Save", "保存"));
        harness.get_by_role_and_label(Role::MenuItem, word("WAV, 16 bits", "WAV，16 位")).click();
        settle(&mut harness);
        assert_eq!(harness.state().state().preferences.sound.saved_as, SavedAs::Wav16);
        let saved = fake.script(|script| script.written.iter().any(|(path, _)| path.ends_with("音.wav")));
        assert!(saved);

        // The computer's keyboard plays, and lets go.
        harness.key_down(egui::Key::A);
        settle(&mut harness);
        harness.key_up(egui::Key::A);
        settle(&mut harness);
        let played: Vec<_> = inputs.try_iter().collect();
        let struck = |input: &SoundInput| matches!(input, SoundInput::Strike { key: 60, instrument: 0, .. });
        assert!(played.iter().any(struck) && played.contains(&SoundInput::Release { key: 60 }), "{played:?}");

        // Nonsense is said to be nonsense, and cannot be played.
        let notes = harness.get_by_role_and_label(Role::MultilineTextInput, word("Notes", "音符"));
        notes.focus();
        settle(&mut harness);
        harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::A);
        harness.get_by_role_and_label(Role::MultilineTextInput, word("Notes", "音符")).type_text("H9:1");
        settle(&mut harness);
        harness.get_by_label_contains("H9");
        results.extend_harness(&mut harness);
    }
}

#[test]
fn words_become_notes_that_are_played() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let fake = Fake::default();
    let (port, inputs) = SoundPort::scripted();
    fake.script(|script| script.sound = Some(port.clone()));
    let mut harness = window(&EN_DARK, &fake, folder.path());
    tab(&harness, "Sound");
    settle(&mut harness);
    open(&port);
    settle(&mut harness);
    inputs.try_iter().for_each(drop);
    harness.get_by_role_and_label(Role::TextInput, "What to play").focus();
    harness.run_steps(2);
    let line = "a sad cello in D minor, 4 bars, seed 3, glockenspiel";
    harness.get_by_role_and_label(Role::TextInput, "What to play").type_text(line);
    settle(&mut harness);
    for told in ["minor · 66 beats/min", "Cello", "D minor", "4 bars", "Seed 3", "Not understood: glockenspiel"] {
        harness.get_by_label(told);
    }
    harness.key_press(egui::Key::Enter);
    settle(&mut harness);
    let Ok(SoundInput::Make(request)) = next(&inputs) else { panic!("nothing was to be made") };
    let seconds = request.notes_end() as f64 / 16_000.0;
    assert!((seconds - 16.0 * 60.0 / 66.0).abs() < 0.1, "{seconds}");
    assert!(request.notes.len() > 8 && request.notes.iter().all(|note| note.instrument == 1));
    let notes = harness.state().state().sound.notes.clone();
    // The same seed gives the same piece again.
    harness.key_press(egui::Key::Enter);
    settle(&mut harness);
    assert_eq!(harness.state().state().sound.notes, notes);
    // What a person typed is not lost when notes are composed in its place.
    assert!(harness.query_by_label("Bring back my notes").is_none());
    harness.get_by_role_and_label(Role::MultilineTextInput, "Notes").focus();
    harness.run_steps(2);
    harness.get_by_role_and_label(Role::MultilineTextInput, "Notes").type_text(" C5:2");
    settle(&mut harness);
    let typed = harness.state().state().sound.notes.clone();
    assert!(typed.contains("C5:2") && typed != notes, "{typed}");
    harness.get_by_role_and_label(Role::TextInput, "What to play").focus();
    harness.run_steps(2);
    harness.key_press(egui::Key::Enter);
    settle(&mut harness);
    assert_eq!(harness.state().state().sound.notes, notes);
    harness.get_by_label("Bring back my notes").click();
    settle(&mut harness);
    assert_eq!(harness.state().state().sound.notes, typed);
    assert!(harness.query_by_label("Bring back my notes").is_none());
    // Nor what was made of composed notes.
    harness.get_by_role_and_label(Role::TextInput, "What to play").focus();
    harness.run_steps(2);
    harness.key_press(egui::Key::Enter);
    settle(&mut harness);
    harness.get_by_role_and_label(Role::MultilineTextInput, "Notes").focus();
    harness.run_steps(2);
    harness.get_by_role_and_label(Role::MultilineTextInput, "Notes").type_text(" D5:1");
    settle(&mut harness);
    harness.get_by_label("Bring back my notes").click();
    settle(&mut harness);
    assert_eq!(harness.state().state().sound.notes, typed);
    harness.get_by_label("Bring back my notes").click();
    settle(&mut harness);
    assert!(harness.state().state().sound.notes.contains("D5:1"));
}

/// The page with a synthesiser that the test plays, and what it is told.
fn page(
    look: &super::Look,
    fake: &Fake,
    folder: &std::path::Path,
) -> (egui_kittest::Harness<'static, atelier::app::App>, SoundPort, crossbeam_channel::Receiver<SoundInput>) {
    let (port, inputs) = SoundPort::scripted();
    fake.script(|script| script.sound = Some(port.clone()));
    let mut harness = window(look, fake, folder);
    tab(&harness, look.lang.resolve(atelier::Lang::En).pick("Sound", "声音"));
    settle(&mut harness);
    open(&port);
    settle(&mut harness);
    inputs.try_iter().for_each(drop);
    (harness, port, inputs)
}

/// A take that was made is over.
fn made(harness: &mut egui_kittest::Harness<'_, atelier::app::App>, port: &SoundPort, number: u64, samples: Vec<f32>) {
    let notes = vec![
        Note { start: 0, length: 12_000, key: 69, velocity: 90, instrument: 0 },
        Note { start: 12_000, length: 12_000, key: 76, velocity: 90, instrument: 0 },
    ];
    port.look(|state| {
        (state.take, state.sample_rate_hz, state.activity) = (number, 16_000, SoundActivity::Making);
        let (samples, seed) = (Some(samples.len() as u64), 1);
        state.request = Some(AudioRequest {
            notes,
            samples,
            temperature: 0.6,
            top_k: 0,
            top_p: 1.0,
            noise: 1.0,
            seed,
            weights: Quantisation::Int8,
            turns: Vec::new(),
            prime: None,
        });
    });
    settle(harness);
    port.look(|state| state.samples = samples.into());
    settle(harness);
    port.look(|state| (state.activity, state.position) = (SoundActivity::Idle, state.samples.len()));
    settle(harness);
}

/// Lets the pointer's button go.
fn release(harness: &egui_kittest::Harness<'_, atelier::app::App>, pos: egui::Pos2) {
    let (button, modifiers) = (egui::PointerButton::Primary, egui::Modifiers::NONE);
    harness.event(egui::Event::PointerButton { pos, button, pressed: false, modifiers });
}

/// The files of takes that were written, by name, with their samples and recipes.
pub fn kept(fake: &Fake) -> std::collections::BTreeMap<String, (Vec<f32>, SoundRecipe)> {
    let written = fake.script(|script| script.written.clone());
    let takes = written.iter().filter(|(path, _)| path.extension().is_some_and(|ending| ending == "wav"));
    let read = |(path, bytes): &(std::path::PathBuf, Vec<u8>)| {
        let read = atelier::recipe::recording(bytes, path).expect("a WAV");
        let recipe = read.recipe.expect("a recipe").expect("a good one");
        assert_eq!(recipe.sha256, atelier::recipe::sha256_of_samples(&read.file.samples));
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        (name, (read.file.samples, SoundRecipe::of(recipe.work).expect("a sound")))
    };
    takes.map(read).collect()
}

#[test]
fn a_take_is_zoomed_selected_edited_and_the_original_stays() {
    let mut results = SnapshotResults::new();
    for (name, look, zh) in [("en_dark", EN_DARK, false), ("zh_light", ZH_LIGHT, true)] {
        let word = |en: &'static str, chinese: &'static str| if zh { chinese } else { en };
        let folder = tempfile::tempdir().expect("temporary folder");
        let fake = Fake::default();
        let (mut harness, port, inputs) = page(&look, &fake, folder.path());
        made(&mut harness, &port, 1, take());
        let rect = harness.get_by_label(word("Waveform", "波形")).rect();
        let at = |share: f32| egui::pos2(rect.left() + share * rect.width(), rect.center().y);

        // A click moves the line, without playing; Space plays from there.
        harness.hover_at(at(0.5));
        settle(&mut harness);
        harness.drag_at(at(0.5));
        release(&harness, at(0.5));
        settle(&mut harness);
        let position = harness.state().state().sound.position;
        assert!((11_900..12_100).contains(&position), "{position}");
        assert!(next(&inputs).is_err());
        harness.key_press(egui::Key::Space);
        settle(&mut harness);
        let Ok(SoundInput::Play(playback)) = next(&inputs) else { panic!("it was to be played") };
        assert_eq!((playback.from, playback.range, playback.first.samples.len()), (position, None, 24_000));

        // A drag selects; L loops there.
        harness.drag_at(at(0.25));
        settle(&mut harness);
        harness.hover_at(at(0.6));
        settle(&mut harness);
        harness.hover_at(at(0.75));
        settle(&mut harness);
        release(&harness, at(0.75));
        settle(&mut harness);
        let selected = harness.state().state().sound.selection.clone().expect("a selection");
        assert!((5_900..6_100).contains(&selected.start) && (17_900..18_100).contains(&selected.end), "{selected:?}");
        harness.key_press(egui::Key::L);
        settle(&mut harness);
        assert_eq!(harness.state().state().sound.loop_range(), Some(selected.clone()));

        // The wheel comes closer and leaves what is under the pointer where it is.
        harness.hover_at(at(0.4));
        harness.event(egui::Event::MouseWheel {
            unit: egui::MouseWheelUnit::Point,
            delta: egui::vec2(0.0, 300.0),
            phase: egui::TouchPhase::Move,
            source: egui::MouseWheelSource::Wheel,
            modifiers: egui::Modifiers::NONE,
        });
        harness.run_steps(30);
        harness.snapshot(format!("sound_selected_{name}"));
        for key in [egui::Key::ArrowUp, egui::Key::ArrowDown, egui::Key::Num9, egui::Key::Num0, egui::Key::End] {
            harness.key_press(key);
            settle(&mut harness);
        }
        assert_eq!(harness.state().state().sound.position, 24_000);
        harness.key_press(egui::Key::Home);
        settle(&mut harness);

        // The network goes on where the selection ends: by the menu, and by its key.
        let told = || std::iter::from_fn(|| next(&inputs).ok()).collect::<Vec<_>>();
        drop(told());
        press(&mut harness, word("Edit", "编辑"));
        harness.snapshot(format!("sound_edit_menu_{name}"));
        harness.get_by_role_and_label(Role::MenuItem, word("Go on from here", "从这里续奏")).click();
        settle(&mut harness);
        harness.key_press(egui::Key::C);
        settle(&mut harness);
        let goes_on = |input: &SoundInput| match input {
            SoundInput::Continue { clip, to, .. } => (clip.samples.len(), *to) == (24_000, selected.end),
            _ => false,
        };
        assert_eq!(told().iter().filter(|input| goes_on(input)).count(), 2);

        press(&mut harness, word("Edit", "编辑"));
        harness.get_by_label(word("Fade in", "淡入")).click();
        settle(&mut harness);
        press(&mut harness, word("Edit", "编辑"));
        harness.get_by_label(word("Trim to selection", "裁剪到所选")).click();
        settle(&mut harness);
        let all = kept(&fake);
        assert_eq!(all.len(), 2, "{:?}", all.keys());
        let (original, edited) = (all.values().next().expect("two"), all.values().next_back().expect("two"));
        assert_eq!((&original.0, original.1.steps().len()), (&take(), 0));
        let steps = edited.1.steps();
        assert_eq!((steps.len(), edited.0.len()), (2, selected.len()));
        // Anybody can make it again from the recipe.
        let whole = Clip { samples: original.0.clone().into(), sample_rate_hz: 16_000 };
        let again = Step::apply_all(steps, whole, &mut |_| true).expect("applies").expect("to the end");
        assert_eq!(again.samples, edited.0);
        assert_eq!(harness.state().state().sound.shown.notes.len(), 2);

        // Taken back, and brought back.
        harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Z);
        settle(&mut harness);
        assert_eq!(harness.state().state().sound.samples().len(), 24_000);
        assert_eq!(kept(&fake).values().next_back().expect("two").1.steps().len(), 1);
        harness.key_press_modifiers(egui::Modifiers::COMMAND | egui::Modifiers::SHIFT, egui::Key::Z);
        settle(&mut harness);
        assert_eq!(harness.state().state().sound.samples().len(), selected.len());
        assert_eq!(harness.state().state().sound.takes.list.len(), 2);
        harness.snapshot(format!("sound_edited_{name}"));
        results.extend_harness(&mut harness);
    }
}

#[test]
fn takes_are_compared_named_starred_thrown_away_and_brought_back() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let fake = Fake::default();
    let old = std::path::PathBuf::from("/library/sounds/take-1794000000000.wav");
    let recipe = SoundRecipe::Recorded(RecordingRecipe {
        source: Source { origin: Origin::Input, file: "take-1794000000000.wav".to_owned(), sha256: "00".to_owned() },
        sample_rate_hz: 48_000,
        steps: Vec::new(),
    });
    fake.script(|script| {
        script.takes = vec![TakeFile {
            path: old.clone(),
            seconds: 1.0,
            kept_ms: 1_794_000_000_000,
            kind: TakeKind::Recorded,
            changed: false,
            mark: TakeMark { title: Some("Old guitar".to_owned()), starred: false },
        }];
        script.sounds.insert(old.clone(), (Clip { samples: vec![0.2; 20_000].into(), sample_rate_hz: 48_000 }, recipe));
    });
    let (mut harness, port, inputs) = page(&EN_DARK, &fake, folder.path());
    made(&mut harness, &port, 1, take());
    assert_eq!(harness.query_all_by_role(Role::ListItem).count(), 2);

    // Of two takes the one or the other is heard, from the same place on.
    harness.get_by_role_and_label(Role::ListItem, "Old guitar").click_secondary();
    settle(&mut harness);
    harness.get_by_label("Compare with this (B)").click();
    settle(&mut harness);
    harness.key_press(egui::Key::Space);
    settle(&mut harness);
    let Ok(SoundInput::Play(playback)) = next(&inputs) else { panic!("it was to be played") };
    let second = playback.second.expect("the other one");
    assert_eq!((second.sample_rate_hz, playback.hears_second), (16_000, false));
    port.look(|state| (state.activity, state.position) = (SoundActivity::Playing, 4_000));
    harness.key_press(egui::Key::B);
    settle(&mut harness);
    assert_eq!(next(&inputs).expect("it is told"), SoundInput::Switch { second: true });
    assert!(harness.state().state().sound.hears_other);
    harness.get_by_role_and_label(Role::RadioButton, "A").click();
    settle(&mut harness);
    assert_eq!(next(&inputs).expect("it is told"), SoundInput::Switch { second: false });
    port.look(|state| state.activity = SoundActivity::Idle);
    settle(&mut harness);

    // Shown, starred and named.
    harness.get_by_role_and_label(Role::ListItem, "Old guitar").click();
    settle(&mut harness);
    assert_eq!(harness.state().state().sound.rate(), 48_000);
    harness.get_by_role_and_label(Role::ListItem, "Old guitar").hover();
    settle(&mut harness);
    harness.get_by_label("Give a star: Old guitar").click();
    settle(&mut harness);
    harness.get_by_role_and_label(Role::ListItem, "Old guitar").click_secondary();
    settle(&mut harness);
    harness.get_by_label("Name").click();
    settle(&mut harness);
    harness.get_by_role_and_label(Role::TextInput, "Name").type_text("!");
    settle(&mut harness);
    harness.key_press(egui::Key::Enter);
    settle(&mut harness);
    harness.get_by_role_and_label(Role::ListItem, "Old guitar!");
    let marks = fake.script(|script| script.marked.last().cloned()).expect("marks were kept");
    let said = atelier::engine::TakeMark { title: Some("Old guitar!".to_owned()), starred: true };
    assert_eq!(marks.into_iter().collect::<Vec<_>>(), [("take-1794000000000.wav".to_owned(), said)]);

    // Thrown away and brought back.
    harness.get_by_role_and_label(Role::ListItem, "Old guitar!").hover();
    settle(&mut harness);
    harness.get_by_label("Delete: Old guitar!").click();
    settle(&mut harness);
    assert_eq!(harness.state().state().sound.takes.list.len(), 1);
    let bin = std::path::PathBuf::from("/library/sounds/bin/take-1794000000000.wav");
    assert_eq!(fake.script(|script| script.moved.clone()), [(old.clone(), bin.clone())]);
    harness.get_by_role_and_label(Role::Button, "Bring back").click();
    settle(&mut harness);
    assert_eq!(fake.script(|script| script.moved.last().cloned()), Some((bin, old)));
    harness.get_by_role_and_label(Role::ListItem, "Old guitar!");
}

#[test]
fn a_dropped_sound_is_a_take_and_a_dropped_capture_the_amplifier() {
    let mut results = SnapshotResults::new();
    let folder = tempfile::tempdir().expect("temporary folder");
    let fake = Fake::default();
    let from = std::path::PathBuf::from("/home/me/riff.wav");
    let recipe = SoundRecipe::Recorded(RecordingRecipe {
        source: Source { origin: Origin::File, file: "riff.wav".to_owned(), sha256: "00".to_owned() },
        sample_rate_hz: 44_100,
        steps: Vec::new(),
    });
    let clip = Clip { samples: take().into(), sample_rate_hz: 44_100 };
    fake.script(|script| {
        for name in ["reel.flac", "waltz.OGG", "march.mp3"] {
            script.sounds.insert(from.with_file_name(name), (clip.clone(), recipe.clone()));
        }
        script.sounds.insert(from, (clip, recipe));
    });
    let (mut harness, _, inputs) = page(&EN_DARK, &fake, folder.path());
    let drop = |harness: &mut egui_kittest::Harness<'_, atelier::app::App>, path: &str| {
        harness.input_mut().dropped_files.push(std::sync::Arc::new(super::Dropped(path.into())));
        settle(harness);
        settle(harness);
    };
    drop(&mut harness, "/home/me/riff.wav");
    harness.get_by_role_and_label(Role::ListItem, "riff");
    let all = kept(&fake);
    let (name, (samples, recipe)) = all.first_key_value().expect("it was kept");
    let SoundRecipe::Recorded(recipe) = recipe else { panic!("no model made it") };
    assert_eq!((samples, &recipe.source.file), (&take(), name));

    drop(&mut harness, "/home/me/deluxe.nam");
    let shown = harness.state().state().sound.capture.clone().expect("a capture");
    assert_eq!(shown.name, "Deluxe");
    harness.run_steps(4);
    harness.get_by_label("Play live").click_accesskit();
    settle(&mut harness);
    let told: Vec<_> = inputs.try_iter().collect();
    let live = |input: &SoundInput| matches!(input, SoundInput::Amp { capture, .. } if capture.ends_with("deluxe.nam"));
    assert!(told.iter().any(live), "{told:?}");
    harness.snapshot("sound_amp_en_dark");
    results.extend_harness(&mut harness);
    // Any kind of sound that is read.
    for (path, name) in
        [("/home/me/reel.flac", "reel"), ("/home/me/waltz.OGG", "waltz"), ("/home/me/march.mp3", "march")]
    {
        drop(&mut harness, path);
        harness.get_by_role_and_label(Role::ListItem, name);
    }
}

#[test]
fn a_recording_grows_and_is_listed() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let fake = Fake::default();
    let (mut harness, port, inputs) = page(&EN_DARK, &fake, folder.path());
    press(&mut harness, "Record");
    let Ok(SoundInput::Record { to: Some(path) }) = next(&inputs) else { panic!("it was to be recorded") };
    assert!(path.starts_with("/library/sounds"), "{path:?}");
    port.look(|state| {
        (state.take, state.sample_rate_hz, state.activity) = (1, 48_000, SoundActivity::Recording);
        (state.samples, state.request, state.input_peak) = (take().into(), None, 0.5);
    });
    settle(&mut harness);
    harness.get_by_label("Input level -6 dB");
    harness.key_press(egui::Key::R);
    settle(&mut harness);
    assert_eq!(next(&inputs).expect("it is stopped"), SoundInput::Stop);
    port.look(|state| (state.activity, state.recorded) = (SoundActivity::Idle, Some(path.clone())));
    settle(&mut harness);
    harness.get_by_role_and_label(Role::ListItem, "Recorded");
    let state = harness.state().state();
    assert_eq!(state.sound.takes.list[0].path, Some(path));
    assert_eq!(state.sound.samples().len(), take().len());
    assert!(kept(&fake).is_empty(), "its own file holds it");
}
