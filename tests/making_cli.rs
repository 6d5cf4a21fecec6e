//! The binary as scripts see it, where it draws, plays and trains.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and puts files in place"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::atomic::AtomicBool,
};

use atelier::{
    audio::Clip,
    formats::wav::Depth,
    generate::{
        amp::Amp,
        audio::{AmpStep, AudioModel, Edit, Step},
    },
    recipe::{Origin, Recipe, RecordingRecipe, SoundRecipe, Source, recording},
};
use serde_json::Value;

fn atelier(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_atelier"));
    command.args(args).env("LC_ALL", "en_GB.UTF-8").env("ATELIER_DATA", env!("CARGO_TARGET_TMPDIR"));
    command.stdin(Stdio::null()).output().expect("run atelier")
}

/// The JSON that it prints; it must have gone well.
fn json(args: &[&str]) -> Value {
    let ran = atelier(args);
    assert!(ran.status.success(), "{args:?}: {}", String::from_utf8_lossy(&ran.stderr));
    let text = String::from_utf8(ran.stdout).expect("UTF-8");
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(&text).expect("JSON")
}

/// The one sentence that it fails with, and its exit code.
fn refused(args: &[&str]) -> (i32, String) {
    let ran = atelier(args);
    let said = String::from_utf8(ran.stderr).expect("UTF-8");
    let last = said.lines().last().unwrap_or_default().to_owned();
    assert!(last.starts_with("atelier: ") && ran.stdout.is_empty(), "{args:?}: {said}");
    (ran.status.code().expect("a code"), last)
}

fn root(path: &str) -> String {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path).display().to_string()
}

fn inside(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

#[test]
fn an_amplifier_plays_a_recording() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (model, input) = (root("tests/fixtures/nam/wavenet.nam"), root("tests/fixtures/nam/in.wav"));
    let out = inside(dir.path(), "响 loud.wav");
    let told = json(&["amp", "--model", &model, "--in", &input, "--out", &out, "--json"]);
    assert_eq!(told["seconds"], 0.25);
    assert!(told["real_time_factor"].as_f64().expect("a number") > 0.0);
    let hound = hound::WavReader::open(&out).expect("a WAV").spec();
    assert_eq!((hound.sample_rate, hound.channels, hound.bits_per_sample), (48_000, 1, 32));
    let kept = fs::read(&out).expect("a file");
    let again = inside(dir.path(), "again.wav");
    let told = json(&["amp", "--model", &model, "--in", &input, "--out", &again, "--json"]);
    assert!(told.is_object() && fs::read(&again).expect("a file") == kept);
    let recipe = root("README.md");
    let (code, said) = refused(&["amp", "--model", &recipe, "--in", &input, "--out", &out]);
    assert!(code == 1 && said.contains(".nam"), "{said}");
    let (code, said) = refused(&["amp", "--model", &model, "--in", &recipe, "--out", &out]);
    assert!(code == 1 && said.contains("WAV"), "{said}");
    let (code, said) = refused(&["amp", "--model", &model, "--in", &input, "--out", &out, "--size", "2"]);
    assert!(code == 2 && said.contains("between 0 and 1"), "{said}");
    // A failure leaves what was there.
    assert_eq!(fs::read(&out).expect("a file"), kept);
}

#[test]
fn the_bundled_sound_model_plays_notes_that_can_be_made_again() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let out = inside(dir.path(), "音.wav");
    let args =
        ["audio", "--instrument", "大提琴", "--notes", "C3:0.2 E3+G3:0.2", "--seed", "5", "--out", &out, "--json"];
    let told = json(&args);
    assert_eq!((told["model"].as_str(), told["sample_rate_hz"].as_u64()), (Some("notes"), Some(16_000)));
    let sound = hound::WavReader::open(&out).expect("a WAV");
    assert_eq!(u64::from(sound.len()), told["samples"].as_u64().expect("a number"));
    let loud = sound.into_samples::<i32>().map(|sample| f64::from(sample.expect("a sample")).powi(2)).sum::<f64>();
    assert!(loud.sqrt() > 1e6, "{loud}");
    let again = inside(dir.path(), "again.wav");
    let ran = atelier(&["render", &out, "--out", &again]);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(fs::read(&out).expect("a file"), fs::read(&again).expect("a file"));
    let (code, said) = refused(&["audio", "--instrument", "Kazoo", "--out", &out]);
    assert!(code == 2 && said.contains("Piano"), "{said}");
    let (code, said) = refused(&["audio", "--notes", "H9:1", "--out", &out]);
    assert!(code == 2 && said.contains("H9"), "{said}");
}

#[test]
fn an_edited_take_is_made_again_from_the_notes_or_the_recording() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (out, again) = (inside(dir.path(), "take.wav"), inside(dir.path(), "again.wav"));
    json(&["audio", "--notes", "C3:0.2", "--seed", "5", "--out", &out, "--json"]);
    let made = recording(&fs::read(&out).expect("a file"), Path::new(&out)).expect("a WAV");
    let played = SoundRecipe::of(made.recipe.expect("some").expect("a recipe").work).expect("a sound");
    let SoundRecipe::Made(work) = &played else { panic!("a model made it") };
    // As the window keeps it: what the model played, and what was done to it.
    let model = atelier::catalogue::usable(&work.model.name).expect("it is bundled");
    let model = AudioModel::open(&model.name, &model.path).expect("opens");
    let samples = model.play(&work.request, &AtomicBool::new(false)).expect("plays").expect("to the end");
    let capture = root("tests/fixtures/nam/wavenet.nam");
    let amp = AmpStep {
        sha256: Amp::open(Path::new(&capture), 1.0).expect("an amplifier").sha256().to_owned(),
        capture,
        input_gain_db: -6.0,
        output_gain_db: 3.0,
        normalise: true,
    };
    let steps = vec![
        Step::Edit(Edit::Trim { start: 100, end: 3_100 }),
        Step::Amp(amp),
        Step::Edit(Edit::FadeOut { start: 1_000, end: 3_000 }),
    ];
    let keep = |path: &str, clip: &Clip, recipe: SoundRecipe| {
        let recipe = Recipe::of_sound(&clip.samples, recipe);
        let bytes = recipe.to_wav(&clip.samples, clip.sample_rate_hz, Depth::Float32).expect("WAV");
        fs::write(path, bytes).expect("written");
    };
    let whole = Clip { samples: samples.into(), sample_rate_hz: work.sample_rate_hz };
    let edited = Step::apply_all(&steps, whole.clone(), &mut |_| true).expect("applies").expect("to the end");
    let take = inside(dir.path(), "take-1.wav");
    keep(&take, &edited, played.with_steps(steps.clone()));
    let renders = |take: &str| {
        let ran = atelier(&["render", take, "--out", &again]);
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        assert_eq!(fs::read(take).expect("a file"), fs::read(&again).expect("a file"));
    };
    renders(&take);
    // The same of a recording, which lies beside it.
    let sha256 = atelier::recipe::sha256_of_samples(&whole.samples);
    let source = Source { origin: Origin::Input, file: "take-2.wav".to_owned(), sha256 };
    let sample_rate_hz = whole.sample_rate_hz;
    let recorded = SoundRecipe::Recorded(RecordingRecipe { source, sample_rate_hz, steps: Vec::new() });
    let original = inside(dir.path(), "take-2.wav");
    keep(&original, &whole, recorded.clone());
    let take = inside(dir.path(), "take-3.wav");
    keep(&take, &edited, recorded.with_steps(steps));
    renders(&original);
    renders(&take);
    fs::remove_file(&original).expect("removed");
    let (code, said) = refused(&["render", &take, "--out", &again]);
    assert!(code == 1 && said.contains("take-2.wav"), "{said}");
}

#[test]
fn flac_holds_what_wav_does_and_other_kinds_of_sound_are_read() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (wav, flac) = (inside(dir.path(), "a.wav"), inside(dir.path(), "音 a.flac"));
    for out in [&wav, &flac] {
        json(&["audio", "--notes", "C4:0.3", "--seed", "9", "--out", out, "--json"]);
    }
    let [large, small] = [&wav, &flac].map(|file| fs::read(file).expect("a file"));
    assert!(small.starts_with(b"fLaC") && small.len() < large.len());
    let read = atelier::formats::audio::read(&small).expect("a FLAC");
    assert_eq!(read.samples, atelier::formats::audio::read(&large).expect("a WAV").samples);
    // Either is made again from either.
    for (from, to, want) in [(&flac, "b.flac", &small), (&flac, "b.wav", &large), (&wav, "c.flac", &small)] {
        let again = inside(dir.path(), to);
        let ran = atelier(&["render", from, "--out", &again]);
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        assert!(fs::read(&again).expect("a file") == *want, "{to}");
    }
    let model = root("tests/fixtures/nam/wavenet.nam");
    for name in ["tones.flac", "tones.mp3", "tones.ogg"] {
        let (input, out) = (root(&format!("tests/fixtures/audio/{name}")), inside(dir.path(), "loud.flac"));
        let told = json(&["amp", "--model", &model, "--in", &input, "--out", &out, "--output-gain", "-20", "--json"]);
        assert!((told["seconds"].as_f64().expect("a number") - 0.25).abs() < 0.15, "{name}: {told}");
        let sound = atelier::formats::audio::open(Path::new(&out)).expect("a FLAC");
        assert_eq!((sound.sample_rate_hz, sound.channels, sound.bits), (22_050, 2, 24));
        assert!(sound.samples.iter().any(|sample| sample.abs() > 0.01), "{name}");
    }
    let input = root("tests/fixtures/audio/tones.mp3");
    let (code, said) = refused(&["amp", "--model", &model, "--in", &input, "--out", &inside(dir.path(), "x.mp3")]);
    assert!(code == 2 && said.contains(".flac"), "{said}");
    let (code, said) = refused(&["audio", "--out", &inside(dir.path(), "x.ogg")]);
    assert!(code == 2 && said.contains(".flac"), "{said}");
    let (code, said) = refused(&["render", &root("tests/fixtures/audio/tones.flac"), "--out", &flac]);
    assert!(code == 1 && said.contains("no recipe"), "{said}");
}

#[test]
fn a_wavenet_learns_from_a_folder_of_recordings() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (recipe, data, out) = (inside(dir.path(), "tiny.toml"), dir.path().join("录音"), inside(dir.path(), "out"));
    let text = "kind = 'wavenet'\nname = 'tiny'\nseed = 1\n[data]\nkind = 'recordings'\nlowest_key = 48\nkeys = 25\nheld_out = 3\n\
                [network]\nsample_rate_hz = 8000\nlayers = 3\ncycle = 3\nchannels = 8\nskip = 8\ncondition_hidden = 4\ncondition = 4\n\
                harmonics = 1\nframe_samples = 40\npre_emphasis = 0.5\nonset_decays_s = [0.1]\nrelease_decays_s = [0.1]\n\
                [training]\nsteps = 4\nlearning_rate = 0.001\nfall_from = 3\naverage = 0.9\ncheckpoint_every = 2\nonset_every = 2\n\
                crops = { count = 2, samples = 200, warm_up = 0 }\nonset_crops = { count = 2, samples = 200, warm_up = 0 }\n";
    fs::write(&recipe, text).expect("written");
    fs::create_dir_all(data.join("tones")).expect("a folder");
    for name in ["tones.flac", "tones.mp3", "tones.ogg"] {
        fs::copy(root(&format!("tests/fixtures/audio/{name}")), data.join("tones").join(name)).expect("copied");
    }
    fs::write(data.join("tones/bad.wav"), "RIFF").expect("written");
    let data = data.display().to_string();
    let train = |more: &[&str]| {
        let mut args = vec!["train", "--recipe", &recipe, "--data", &data, "--out", &out, "--json"];
        args.extend_from_slice(more);
        let ran = atelier(&args);
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(ran.status.success() && said.contains("bad.wav") && said.contains("3 recordings"), "{said}");
        String::from_utf8(ran.stdout).expect("UTF-8")
    };
    assert_eq!(train(&["--steps", "2"]).lines().count(), 1);
    let rest = train(&["--resume"]);
    let last: Value = serde_json::from_str(rest.lines().last().expect("a line")).expect("JSON");
    assert_eq!(last["step"], 4);
    assert!(
        last["held_out_bits"].as_f64().expect("a number") < 8.5 && last["unigram_bits"].as_f64().is_some(),
        "{last}"
    );
    let model = inside(Path::new(&out), "tiny.safetensors");
    let sound = inside(dir.path(), "played.flac");
    json(&["audio", "--model", &model, "--instrument", "tones", "--notes", "C4:0.1", "--out", &sound, "--json"]);
    let (code, said) = refused(&["train", "--recipe", &recipe, "--data", &recipe, "--out", &out]);
    assert!(code == 1 && said.contains("tiny.toml"), "{said}");
}

#[test]
fn the_bundled_picture_model_draws_what_can_be_made_again() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let folder = inside(dir.path(), "图 pictures");
    let told = json(&["image", "--count", "3", "--seed", "40", "--class", "宋体", "--out", &folder, "--json"]);
    let files: Vec<&str> =
        told["files"].as_array().expect("files").iter().map(|f| f.as_str().expect("a path")).collect();
    assert_eq!((told["model"].as_str(), told["seed"].as_u64(), files.len()), (Some("tianshu"), Some(40), 3));
    for file in &files {
        let again = inside(dir.path(), "again.png");
        let ran = atelier(&["render", file, "--out", &again]);
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        assert_eq!(fs::read(file).expect("a file"), fs::read(&again).expect("a file"));
    }
    assert_ne!(fs::read(files[0]).expect("a file"), fs::read(files[1]).expect("a file"));
    // Alone, and by number.
    let one = inside(dir.path(), "one");
    let told = json(&["image", "--seed", "41", "--class", "2", "--out", &one, "--json"]);
    let file = told["files"][0].as_str().expect("a path");
    assert_eq!(fs::read(file).expect("a file"), fs::read(files[1]).expect("a file"));
    let (code, said) = refused(&["image", "--class", "Comic", "--out", &folder]);
    assert!(code == 2 && said.contains("Serif"), "{said}");
    let (code, said) = refused(&["image", "--truncation", "9", "--out", &folder]);
    assert!(code == 2 && said.contains("0 to 2"), "{said}");
    let (code, said) = refused(&["image", "--size", "512x512", "--out", &folder]);
    assert!(code == 1 && said.contains("64 × 64"), "{said}");
    let (code, said) = refused(&["image", "--model", "notes", "--out", &folder]);
    assert!(code == 1 && !said.is_empty(), "{said}");
}

#[test]
fn training_makes_a_model_that_draws_and_goes_on_where_it_stopped() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let recipe = inside(dir.path(), "tiny.toml");
    let text = "kind = 'dcgan'\nname = 'tiny'\nseed = 1\n[data]\nkind = 'images'\nchannels = 3\n[network]\nlatent = 4\nwidths = [6]\n\
                [training]\nsteps = 4\nbatch = 4\nlearning_rate = 0.001\ncritic_learning_rate = 0.001\nbetas = [0.5, 0.9]\n\
                fall_from = 4\naverage = 0.9\ncheckpoint_every = 2\n";
    fs::write(&recipe, text).expect("written");
    let data = dir.path().join("data");
    fs::create_dir(&data).expect("a folder");
    for index in 0..4_u8 {
        let picture = image::RgbImage::from_fn(9, 8, |x, y| image::Rgb([x as u8 * 20, y as u8 * 30, index * 60]));
        picture.save(data.join(format!("{index}.png"))).expect("saved");
    }
    let (data, out) = (data.display().to_string(), inside(dir.path(), "模型"));
    let train = |more: &[&str]| {
        let mut args = vec!["train", "--recipe", &recipe, "--data", &data, "--out", &out];
        args.extend_from_slice(more);
        atelier(&args)
    };
    let ran = train(&["--json", "--steps", "2"]);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let ran = train(&["--json", "--resume"]);
    let lines: Vec<Value> = String::from_utf8(ran.stdout)
        .expect("UTF-8")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.iter().map(|line| line["step"].as_u64()).collect::<Vec<_>>(), [Some(4)]);
    let model = inside(Path::new(&out), "tiny.safetensors");
    let told = json(&["image", "--model", &model, "--count", "2", "--seed", "1", "--out", &out, "--json"]);
    assert_eq!(told["files"].as_array().expect("files").len(), 2);
    let ran = train(&[]);
    assert!(String::from_utf8_lossy(&ran.stderr).contains("--resume") && ran.status.code() == Some(1));
    let (code, said) = refused(&["train", "--recipe", &root("README.md"), "--data", &data, "--out", &out]);
    assert!(code == 1 && said.contains("recipe"), "{said}");
    let nothing = inside(dir.path(), "nothing");
    fs::create_dir(&nothing).expect("a folder");
    let (code, said) = refused(&["train", "--recipe", &recipe, "--data", &nothing, "--out", &nothing]);
    assert!(code == 1 && said.contains("fewer than two"), "{said}");
    let notes = root("models/audio/notes/recipe.toml");
    let (code, said) = refused(&["train", "--recipe", &notes, "--data", &notes, "--out", &nothing]);
    assert!(code == 1 && said.contains("recipe.toml"), "{said}");
}

#[test]
fn pictures_are_enlarged_and_what_enlarged_them_joins_their_recipe() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let folder = inside(dir.path(), "pictures");
    let told = json(&["image", "--seed", "7", "--out", &folder, "--json"]);
    let small = told["files"][0].as_str().expect("a path").to_owned();
    for (model, size) in [("realesr-video-x2", 128), ("realesr-video-x4", 256)] {
        let large = inside(dir.path(), "大 large.png");
        let told = json(&["upscale", "--model", model, "--in", &small, "--out", &large, "--json"]);
        assert_eq!((told["width"].as_u64(), told["height"].as_u64()), (Some(size), Some(size)));
        assert!(told["seconds"].as_f64().expect("a number") > 0.0);
        let again = inside(dir.path(), "again.png");
        let ran = atelier(&["render", &large, "--out", &again]);
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        assert_eq!(fs::read(&large).expect("a file"), fs::read(&again).expect("a file"));
        // Enlarging twice is possible; a recipe for that there is not.
        let larger = inside(dir.path(), "larger.png");
        json(&["upscale", "--model", "realesr-video-x2", "--in", &large, "--out", &larger, "--tile", "96", "--json"]);
        let (code, said) = refused(&["render", &larger, "--out", &again]);
        assert!(code == 1 && said.contains("recipe"), "{said}");
    }
    let out = inside(dir.path(), "out.png");
    let (code, said) = refused(&["upscale", "--model", "tianshu", "--in", &small, "--out", &out]);
    assert!(code == 2 && said.contains("realesrgan-x4plus"), "{said}");
    let (code, said) = refused(&["upscale", "--in", &root("README.md"), "--out", &out]);
    assert!(code == 1 && said.contains("PNG"), "{said}");
    let (code, said) = refused(&["upscale", "--in", &small, "--out", &out, "--tile", "0"]);
    assert!(code == 2 && said.contains("16"), "{said}");
    assert!(!Path::new(&out).exists());
}

#[test]
fn weights_are_converted_and_hostile_ones_refused() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let out = inside(dir.path(), "转 converted.safetensors");
    let ran = atelier(&["convert", &root("tests/fixtures/pth/zip.pth"), &out]);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let bytes = fs::read(&out).expect("a file");
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight")) as usize;
    let head: Value = serde_json::from_slice(&bytes[8..8 + length]).expect("a header");
    assert!(head.as_object().expect("tensors").len() > 2, "{head}");
    let again = inside(dir.path(), "again.safetensors");
    assert!(atelier(&["convert", &out, &again]).status.success());
    assert_eq!(fs::read(&again).expect("a file"), bytes);
    for (name, why) in [("evil.pth", "system"), ("evil-legacy.pth", "system")] {
        let (code, said) = refused(&["convert", &root(&format!("tests/fixtures/pth/{name}")), &again]);
        assert!(code == 1 && said.contains(why), "{said}");
    }
    let (code, said) = refused(&["convert", &root("README.md"), &again]);
    assert!(code == 1 && !said.is_empty(), "{said}");
    assert_eq!(fs::read(&again).expect("a file"), bytes);
}

#[test]
fn every_bundled_picture_model_draws_by_class_in_both_languages() {
    let dir = tempfile::tempdir().expect("temporary folder");
    for (model, en, zh, side) in [("garments", "Trousers", "裤子", 28), ("eyes", "Green", "绿", 128)] {
        let draw = |class: &str| {
            let out = inside(dir.path(), class);
            let told = json(&["image", "--model", model, "--class", class, "--seed", "3", "--out", &out, "--json"]);
            fs::read(told["files"][0].as_str().expect("a path")).expect("a file")
        };
        let picture = draw(en);
        assert!(picture == draw(zh), "{model}");
        let read = image::load_from_memory(&picture).expect("a PNG").into_rgb8();
        assert_eq!(read.dimensions(), (side, side));
        let bytes = read.as_raw();
        assert!(bytes.iter().any(|byte| *byte > 180) && bytes.iter().any(|byte| *byte < 80), "{model}");
    }
}

#[test]
fn penalties_need_second_derivatives_and_training_goes_on_with_them() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let data = dir.path().join("data");
    fs::create_dir(&data).expect("a folder");
    for index in 0..6_u32 {
        let picture = image::RgbImage::from_fn(16, 16, |x, y| {
            image::Rgb([if (x + index) / 4 % 2 == 0 { 220 } else { 40 }, (y * 12) as u8, 90])
        });
        picture.save(data.join(format!("{index}.png"))).expect("saved");
    }
    let recipe = "kind = 'gan'\nname = 'pairs'\nseed = 2\n[data]\nkind = 'images'\nchannels = 3\n\
        [network]\nlatent = 6\nstages = [16, 8, 8]\nblocks = 1\ngroup = 4\n\
        [training]\nsteps = 4\nbatch = 4\nlearning_rate = 1e-3\ncritic_learning_rate = 1e-3\nbetas = [0.0, 0.99]\n\
        gamma = 2.0\npenalty_every = 2\naugment = true\nfall_from = 4\naverage = 0.9\ncheckpoint_every = 2\n";
    let path = inside(dir.path(), "recipe.toml");
    fs::write(&path, recipe).expect("a recipe");
    let (data, out) = (inside(dir.path(), "data"), inside(dir.path(), "out"));
    let train = |more: &[&str]| {
        let ran = atelier(&[&["train", "--recipe", &path, "--data", &data, "--out", &out, "--json"], more].concat());
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        let text = String::from_utf8(ran.stdout).expect("UTF-8");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect::<Vec<Value>>()
    };
    let reports = train(&["--steps", "2"]);
    assert_eq!(reports.last().expect("a report")["step"], 2);
    let reports = train(&["--resume"]);
    assert_eq!(reports.last().expect("a report")["step"], 4);
    let model = inside(dir.path(), "out/pairs.safetensors");
    let told = json(&["image", "--model", &model, "--count", "2", "--out", &inside(dir.path(), "drawn"), "--json"]);
    assert_eq!(told["files"].as_array().expect("files").len(), 2);
}

/// What a network made, as `atelier forward` wrote it.
fn forward(model: &str, input: &str) -> candle_core::Tensor {
    let dir = tempfile::tempdir().expect("temporary folder");
    let out = inside(dir.path(), "out.safetensors");
    let ran = atelier(&["forward", "--model", model, "--in", input, "--out", &out]);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    atelier::formats::safetensors::load(Path::new(&out)).expect("tensors")["output"].clone()
}

#[test]
fn forward_answers_for_generators_with_classes_and_for_upscalers() {
    let number = |t: candle_core::Result<candle_core::Tensor>| t.and_then(|t| t.to_scalar::<f32>()).expect("a number");
    let far = |got: &candle_core::Tensor, wanted: &candle_core::Tensor| {
        assert_eq!(got.dims(), wanted.dims());
        let range = number(wanted.max_all()) - number(wanted.min_all());
        number((got - wanted).and_then(|t| t.abs()?.max_all())) / range
    };
    for name in ["upscale/rrdb_x4", "upscale/srvgg_x2"] {
        let io = root(&format!("tests/fixtures/{name}_io.safetensors"));
        let got = forward(&root(&format!("tests/fixtures/{name}.safetensors")), &io);
        let io = atelier::formats::safetensors::load(Path::new(&io)).expect("tensors");
        assert!(far(&got, &io["output"]) < 1e-4, "{name}");
    }
    let io = root("tests/fixtures/r3gan/small_io.safetensors");
    let got = forward(&root("tests/fixtures/r3gan/small.safetensors"), &io);
    assert!(far(&got, &atelier::formats::safetensors::load(Path::new(&io)).expect("tensors")["output"]) < 1e-4);
    // The eyes: as rows of numbers with the class among them, and with the class apart; every third pixel was kept.
    let io =
        atelier::formats::safetensors::load(Path::new(&root("tests/fixtures/eyes/io.safetensors"))).expect("tensors");
    let third = candle_core::Tensor::arange_step(0_u32, 128, 3, &candle_core::Device::Cpu).expect("places");
    let thin =
        |t: candle_core::Tensor| t.index_select(&third, 2).and_then(|t| t.index_select(&third, 3)).expect("pixels");
    let (dir, input) = (tempfile::tempdir().expect("temporary folder"), io["input"].clone());
    let apart = inside(dir.path(), "apart.safetensors");
    let latent = input.narrow(1, 0, 100).and_then(|t| t.contiguous()).expect("latents");
    let class = candle_core::Tensor::new(&[1_i64, 5, 7], &candle_core::Device::Cpu).expect("classes");
    let given = [("input".to_owned(), latent), ("class".to_owned(), class)];
    atelier::formats::safetensors::save(Path::new(&apart), &given.into()).expect("saved");
    for input in [root("tests/fixtures/eyes/io.safetensors"), apart] {
        assert!(far(&thin(forward("eyes", &input)), &io["output"]) < 1e-4, "{input}");
    }
    let io = root("tests/fixtures/upscale/srvgg_x2_io.safetensors");
    let (code, said) = refused(&["forward", "--model", "eyes", "--in", &io, "--out", "/dev/null"]);
    assert!(code == 1 && said.contains("shape"), "{said}");
}

#[test]
fn a_manifest_says_what_each_picture_is() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let out = inside(dir.path(), "集 set");
    json(&["image", "--model", "garments", "--count", "3", "--seed", "7", "--out", &out, "--manifest", "--json"]);
    let text = fs::read_to_string(Path::new(&out).join("manifest.json")).expect("a manifest");
    let manifest: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((manifest["count"].as_u64(), manifest["ai_generated"].as_bool()), (Some(3), Some(true)));
    for (row, seed) in manifest["pictures"].as_array().expect("rows").iter().zip(7..) {
        let file = Path::new(&out).join(row["file"].as_str().expect("a name"));
        assert!(file.is_file() && row["seed"].as_u64() == Some(seed) && row["class_name"].is_string(), "{row}");
        assert_eq!((row["width"].as_u64(), row["sha256"].as_str().map(str::len)), (Some(28), Some(64)));
    }
    let table = fs::read_to_string(Path::new(&out).join("manifest.csv")).expect("a table");
    assert_eq!(table.lines().count(), 4);
    // Without the option nothing of it is written.
    let plain = inside(dir.path(), "plain");
    json(&["image", "--model", "garments", "--seed", "7", "--out", &plain, "--json"]);
    assert_eq!(fs::read_dir(&plain).expect("a folder").count(), 1);
}
