use std::{f64::consts::TAU, fs, sync::atomic::AtomicBool};

use super::*;
use crate::audio::pitch::hz_of_key;
use crate::{
    formats::{audio::Container, wav::Depth},
    generate::audio::AudioModel,
    random::Rng,
    train::{
        TrainRecipe,
        wavenet::{Report, Start, Trainer, run},
    },
};

const RECIPE: &str = r#"
kind = "wavenet"
name = "tiny"
seed = 3
[data]
kind = "recordings"
lowest_key = 48
keys = 37
held_out = 4
[network]
sample_rate_hz = 8000
layers = 4
cycle = 2
channels = 8
skip = 16
condition_hidden = 6
condition = 5
harmonics = 2
frame_samples = 40
pre_emphasis = 0.8
onset_decays_s = [0.01, 0.1]
release_decays_s = [0.02]
[training]
steps = 60
learning_rate = 0.005
fall_from = 50
average = 0.9
crops = { count = 2, samples = 240, warm_up = 20 }
onset_crops = { count = 2, samples = 200, warm_up = 0 }
onset_every = 4
checkpoint_every = 30
"#;

fn recipe() -> WaveNetRecipe {
    let TrainRecipe::Wavenet(recipe) = TrainRecipe::parse(RECIPE).expect("a recipe") else { panic!("a WaveNet") };
    recipe
}

/// Notes one after the other at a rate, each a key (or none: noise), seconds, and a loudness, as mono samples.
fn played(rate: u32, notes: &[(Option<f32>, f64, f32)]) -> Vec<f32> {
    let (mut samples, mut rng) = (Vec::new(), Rng::at(5, 6));
    for (key, seconds, loudness) in notes {
        let count = (seconds * f64::from(rate)) as usize;
        samples.extend((0..count).map(|t| {
            let turns = key.map(|key| f64::from(hz_of_key(key)) * t as f64 / f64::from(rate));
            let wave =
                turns.map_or(rng.normal() * 0.3, |turns| (TAU * turns).sin() * 0.6 + (2.0 * TAU * turns).sin() * 0.3);
            let fall = 1.0 - t as f64 / count as f64 * 0.6;
            (wave * fall) as f32 * loudness
        }));
    }
    samples
}

/// A folder with two classes, in several rates, kinds and channels, and with files that are of no use.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("temporary folder");
    let put = |name: &str, samples: &[f32], shape: (u32, u16)| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        let kind = Container::of(&path).expect("a kind");
        let bytes = kind.encode(samples, shape, Depth::Int16, None).expect("encoded");
        crate::files::write_whole(&path, &bytes).expect("written");
    };
    let silence = (None, 0.2, 0.0);
    for (index, key) in [57.0_f32, 60.0, 64.0, 67.0].into_iter().enumerate() {
        let rate = [8_000, 16_000, 22_050, 44_100][index];
        let note = played(rate, &[silence, (Some(key), 0.6, 0.1 + 0.2 * index as f32), silence]);
        put(&format!("笛 flute/tone {index}.flac"), &note, (rate, 1));
        let name = crate::generate::audio::key_name(key as u8);
        let stereo: Vec<f32> = note.iter().flat_map(|sample| [*sample, 0.5 * sample]).collect();
        put(&format!("bell/bell_{name}.wav"), &stereo, (rate, 2));
    }
    put("bell/melody.wav", &played(8_000, &[(Some(60.0), 0.4, 0.4), (Some(67.0), 0.4, 0.4)]), (8_000, 1));
    put("bell/beat.wav", &played(8_000, &[(None, 0.05, 0.5)]), (8_000, 1));
    put("bell/silent.wav", &[0.0; 4_000], (8_000, 1));
    put("bell/much too high_C8.wav", &played(8_000, &[(Some(72.0), 0.4, 0.4)]), (8_000, 1));
    crate::files::write_whole(&dir.path().join("bell/damaged.mp3"), b"not sound").expect("written");
    dir
}

fn loaded(folder: &Path, recipe: &WaveNetRecipe) -> Recordings {
    load(folder, recipe, &mut |_| true).expect("reads").expect("to the end")
}

fn note<'a>(read: &'a Recordings, entries: &[Entry], name: &str) -> &'a Note {
    let source = entries.iter().position(|entry| entry.path.ends_with(name)).expect(name);
    read.notes.iter().find(|note| note.source == source).expect(name)
}

#[test]
fn a_folder_becomes_notes_of_its_classes() {
    let dir = folder();
    let read = loaded(dir.path(), &recipe());
    let config = read.recipe.config();
    let names: Vec<&str> = config.instruments.iter().map(|names| names.en.as_str()).collect();
    assert_eq!(names, ["bell", "笛 flute"]);
    assert_eq!((read.told, read.heard, read.unpitched), (4, 5, 1));
    let mut why: Vec<&str> = read.skipped.iter().map(|(_, why)| why.as_str()).collect();
    why.sort_unstable();
    assert!(why.iter().any(|why| why.contains("no WAV")), "{why:?}");
    assert!(why.contains(&"it is silent") && why.iter().any(|why| why.contains("C8")), "{why:?}");
    let (entries, _) = listing::list(dir.path(), 48..85).expect("lists");
    for (index, key) in [57, 60, 64, 67].into_iter().enumerate() {
        let tracked = note(&read, &entries, &format!("tone {index}.flac"));
        let strikes: Vec<_> = tracked.strikes.iter().map(|s| (s.onset, s.tone.key, s.tone.instrument)).collect();
        assert_eq!(strikes, [(0, key, 1)], "{index}");
        // 0.6 s at 8 kHz are 120 frames of 40 samples; silence at the ends is gone.
        assert!(tracked.levels.len().abs_diff(4_800) <= 160, "{}", tracked.levels.len());
        assert!(tracked.strikes[0].released.abs_diff(120) <= 4);
        let name = format!("bell_{}.wav", crate::generate::audio::key_name(key));
        let told = note(&read, &entries, &name);
        assert_eq!((told.strikes.len(), told.strikes[0].tone.key, told.strikes[0].tone.instrument), (1, key, 0));
        // Equally loud, whatever they were: the classes differ by the phase and rounding alone.
        let power = |note: &Note| {
            note.levels.iter().map(|c| crate::nets::wavenet::mu_law::decode(*c as usize).powi(2)).sum::<f32>()
        };
        assert!((power(tracked) / power(told) - 1.0).abs() < 0.05);
    }
    let melody = note(&read, &entries, "melody.wav");
    let strikes: Vec<_> = melody.strikes.iter().map(|s| s.tone.key).collect();
    assert_eq!(strikes, [60, 67]);
    assert!(melody.strikes[1].onset.abs_diff(80) <= 3 && melody.phases[melody.strikes[1].onset].turns == 0.0);
    let beat = note(&read, &entries, "beat.wav");
    assert_eq!((beat.strikes[0].tone.key, beat.strikes.len()), (48, 1));
    assert!(beat.levels.len() >= 240);
}

#[test]
fn a_manifest_and_the_recipes_classes_are_followed() {
    let dir = folder();
    let manifest = "file,pitch,onset_s,duration_s,class\nbell/melody.wav,C4,0,0.4,x\nbell/melody.wav,G4,0.4,0.3,x\n\
                    笛 flute/tone 0.flac,,,,y\n";
    crate::files::write_whole(&dir.path().join("manifest.csv"), manifest.as_bytes()).expect("written");
    let mut recipe = recipe();
    let crate::train::wavenet::DataRecipe::Recordings(plan) = &mut recipe.data else { panic!("recordings") };
    plan.classes = [("y", "Why", "歪"), ("x", "Ex", "艾")]
        .map(|(folder, en, zh)| ClassRecipe { folder: folder.into(), en: en.into(), zh: zh.into() })
        .into();
    let read = loaded(dir.path(), &recipe);
    assert_eq!(read.recipe.config().instruments[1].zh, "艾");
    let melody = &read.notes[0];
    let strikes: Vec<_> = melody.strikes.iter().map(|s| (s.onset, s.released, s.tone.key, s.tone.instrument)).collect();
    assert_eq!(strikes, [(0, 80, 60, 1), (80, 60, 67, 1)]);
    assert_eq!((read.notes.len(), read.told, read.heard, read.notes[1].strikes[0].tone.key), (2, 1, 1, 57));
    assert!(load(dir.path(), &recipe, &mut |_| false).expect("stops").is_none());
    let empty = tempfile::tempdir().expect("temporary folder");
    let why = load(empty.path(), &recipe, &mut |_| true).err().expect("refused").to_string();
    assert!(why.contains("fewer than two recordings"), "{why}");
}

#[test]
fn it_learns_from_recordings_and_resumes_to_the_same_steps() {
    let data = folder();
    let Recordings { recipe, notes, .. } = loaded(data.path(), &recipe());
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut reports: Vec<Report> = Vec::new();
    let go = AtomicBool::new(false);
    run(&recipe, notes.clone(), (dir.path(), Start::Random), 60, &go, &mut |report| {
        reports.push(report.clone());
        Ok(())
    })
    .expect("trains");
    let [first, last] = [0, 1].map(|i: usize| reports[i].held_out_bits.expect("measured"));
    assert!(last < first && last < 8.0 && reports[1].unigram_bits < 8.0, "{first} {last}");
    let model = AudioModel::open("tiny", &dir.path().join("tiny.safetensors")).expect("opens");
    assert_eq!(model.info().instruments[1].en, "笛 flute");
    // Taken up again from the disk, with the recordings read anew.
    let path = dir.path().join("c.safetensors");
    let mut whole = Trainer::new(recipe.clone(), notes).expect("a trainer");
    for _ in 0..5 {
        whole.step(60).expect("a step");
    }
    whole.save(&path).expect("saves");
    let losses: Vec<f64> = (0..4).map(|_| whole.step(60).expect("a step")).collect();
    let again = loaded(data.path(), &super::tests::recipe());
    assert_eq!(again.recipe, recipe);
    let mut other = Trainer::new(again.recipe, again.notes).expect("a trainer");
    other.resume(&path).expect("resumes");
    let rest: Vec<f64> = (0..4).map(|_| other.step(60).expect("a step")).collect();
    assert_eq!(rest, losses);
    assert_eq!(whole.held_out(1.0).expect("bits"), other.held_out(1.0).expect("bits"));
}

#[test]
fn files_are_kept_aside_whole_and_recipes_fit_their_data() {
    let data = folder();
    let read = loaded(data.path(), &recipe());
    let aside = |note: &&Note| (note.source * 7_919 + 13).is_multiple_of(4);
    let kept: std::collections::BTreeSet<_> = read.notes.iter().filter(aside).map(|note| note.source).collect();
    assert!(!kept.is_empty() && kept.len() < read.notes.len());
    let refused = |from: &str, to: &str, part: &str| {
        let text = RECIPE.replace(from, to);
        assert_ne!(text, RECIPE);
        let why = TrainRecipe::parse(&text).expect_err("refused").to_string();
        assert!(why.contains(part), "{why}");
    };
    refused("keys = 37", "keys = 100", "data.keys");
    refused("held_out = 4", "held_out = 1", "data.held_out");
    refused("kind = \"recordings\"", "kind = \"rumours\"", "rumours");
    refused("held_out = 4", "held_out = 4\npitch = 3", "pitch");
    refused("[network]", "[notes]\nx = 1\n[network]", "");
    let why = super::super::render(data.path(), &recipe(), &mut |_| true).expect_err("refused").to_string();
    assert!(why.contains("recordings"), "{why}");
}
