//! The Sound page, with a synthesiser that the test plays.

use atelier::{
    engine::{SoundActivity, SoundInput, SoundPort},
    generate::audio::AudioModelInfo,
    nets::wavenet::Instrument,
};
use egui::accesskit::Role;
use egui_kittest::{SnapshotResults, kittest::Queryable as _};

use super::{EN_DARK, ZH_LIGHT, fake::Fake, press, settle, tab, window};

fn open(port: &SoundPort) {
    let instrument = |en: &str, zh: &str| Instrument { en: en.to_owned(), zh: zh.to_owned() };
    let info = AudioModelInfo {
        name: "notes".to_owned(),
        title: "Notes".to_owned(),
        path: "/models/audio/notes.safetensors".into(),
        sample_rate_hz: 16_000,
        instruments: vec![instrument("Piano", "钢琴"), instrument("Cello", "大提琴")],
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

/// Two notes that die away.
fn take() -> Vec<f32> {
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
        open(&port);
        settle(&mut harness);
        harness.snapshot(format!("sound_empty_{name}"));

        press(&mut harness, word("Generate", "生成"));
        let Ok(SoundInput::Make(request)) = inputs.try_recv() else { panic!("nothing was to be made") };
        assert_eq!(request.notes.len(), 8);
        port.look(|state| {
            state.take = 1;
            state.activity = SoundActivity::Making;
            state.request = Some(*request);
            state.samples = take();
            state.position = 9_000;
            state.real_time_factor = Some(4.9);
            state.first_sound_ms = Some(72.0);
        });
        settle(&mut harness);
        harness.snapshot(format!("sound_{name}"));
        harness.key_press(egui::Key::Escape);
        settle(&mut harness);
        assert_eq!(inputs.try_recv().expect("it is stopped"), SoundInput::Stop);
        port.look(|state| state.activity = SoundActivity::Idle);
        settle(&mut harness);
        let kept =
            fake.script(|script| script.written.iter().filter(|(path, _)| path.starts_with("/library/sounds")).count());
        assert_eq!(kept, 1);

        fake.script(|script| script.pick = Some("/home/音".into()));
        press(&mut harness, word("Save WAV", "保存 WAV"));
        settle(&mut harness);
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
    let Ok(SoundInput::Make(request)) = inputs.try_recv() else { panic!("nothing was to be made") };
    let seconds = request.notes_end() as f64 / 16_000.0;
    assert!((seconds - 16.0 * 60.0 / 66.0).abs() < 0.1, "{seconds}");
    assert!(request.notes.len() > 8 && request.notes.iter().all(|note| note.instrument == 1));
    let notes = harness.state().state().sound.notes.clone();
    // The same seed gives the same piece again.
    harness.key_press(egui::Key::Enter);
    settle(&mut harness);
    assert_eq!(harness.state().state().sound.notes, notes);
}
