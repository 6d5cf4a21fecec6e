use super::*;
use crate::{
    nets::wavenet::{Harmonics, Tone, WaveNetConfig},
    train::TrainRecipe,
};

const RECIPE: &str = r#"
kind = "wavenet"
name = "tiny"
seed = 3
[notes]
instruments = [{ program = 0, en = "Sine", zh = "正弦" }, { program = 1, en = "Square", zh = "方波" }]
lowest_key = 60
keys = 4
velocities = [60, 90]
holds_s = [0.1, 0.15]
length_s = 0.25
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

fn notes() -> Vec<Note> {
    notes_of(&recipe().config())
}

fn notes_of(config: &WaveNetConfig) -> Vec<Note> {
    let mut notes = Vec::new();
    for (instrument, key, velocity) in
        (0..2).flat_map(|i| (60..64).flat_map(move |key| [60, 90].map(|velocity| (i, key, velocity))))
    {
        let step = 440.0 * 2.0_f64.powf((f64::from(key) - 69.0) / 12.0) / 8_000.0;
        let wave = |t: usize| {
            let sine = (std::f64::consts::TAU * step * t as f64).sin();
            let wave = if instrument == 0 { sine } else { 0.5 * sine.signum() };
            (wave * f64::from(velocity) / 200.0 * (1.0 - t as f64 / 2_000.0)) as f32
        };
        let samples: Vec<f32> = (0..2_000).map(wave).collect();
        notes.push(Note::new(notes.len(), Tone { instrument, key, velocity }, 20, &samples, config));
    }
    notes
}

#[test]
fn it_learns_and_what_it_learnt_plays() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut reports = Vec::new();
    let mut report = |report: &Report| {
        reports.push(report.clone());
        Ok(())
    };
    let go = AtomicBool::new(false);
    run(&recipe(), notes(), (dir.path(), Start::Random), 60, &go, &mut report).expect("trains");
    let steps: Vec<_> = reports.iter().map(|report| report.step).collect();
    assert_eq!(steps, [30, 60]);
    let [first, last] = [0, 1].map(|i: usize| reports[i].held_out_bits.expect("measured"));
    assert!(last < first && last < 8.0, "{first} {last}");
    assert!(reports[1].unigram_bits > 3.0 && reports[1].unigram_bits < 8.0);
    let model = AudioModel::open("tiny", &dir.path().join("tiny.safetensors")).expect("opens");
    assert!(model.is_bfloat16() && model.info().instruments.len() == 2);
    let wav = std::fs::read(dir.path().join("samples/step-000060.wav")).expect("a sample");
    assert!(wav.len() > 8_000);
    // A folder with a checkpoint is not begun anew.
    let again = run(&recipe(), notes(), (dir.path(), Start::Random), 61, &go, &mut |_| Ok(()));
    assert!(again.expect_err("refused").to_string().contains("--resume"));
}

#[test]
fn a_network_of_mixtures_learns_and_plays_too() {
    let mut recipe = recipe();
    recipe.network.mixtures = 3;
    let notes: Vec<Note> = notes_of(&recipe.config());
    assert!(notes.iter().flat_map(|note| &note.levels).any(|level| *level < -2_000));
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut reports = Vec::new();
    let mut report = |report: &Report| {
        reports.push(report.clone());
        Ok(())
    };
    run(&recipe, notes.clone(), (dir.path(), Start::Random), 60, &AtomicBool::new(false), &mut report).expect("trains");
    let [first, last] = [0, 1].map(|i: usize| reports[i].held_out_bits.expect("measured"));
    assert!(last < first && last < 14.0, "{first} {last}");
    assert!(reports[1].unigram_bits > 8.0 && reports[1].unigram_bits <= 16.0);
    let path = dir.path().join("tiny.safetensors");
    let model = AudioModel::open("tiny", &path).expect("opens");
    let note = Played { start: 0, length: 800, key: 62, velocity: 90, instrument: 1 };
    let request = AudioRequest {
        samples: Some(1_600),
        ..AudioRequest::new(vec![note], Drawing { noise: 1.0, ..Drawing::default() })
    };
    let play = |request: &AudioRequest| model.play(request, &AtomicBool::new(false));
    let sound = play(&request).expect("plays").expect("to the end");
    assert!(sound.len() == 1_600 && sound.iter().any(|sample| sample.abs() > 1e-3), "silence");
    assert_eq!(play(&request).expect("plays").expect("to the end"), sound);
    assert!(play(&AudioRequest { top_k: 3, ..request }).expect_err("refused").to_string().contains("top-k"));
    // Taken up again it goes on as it would have gone.
    let mut whole = Trainer::new(recipe.clone(), notes.clone()).expect("a trainer");
    whole.step(60).expect("a step");
    let checkpoint = dir.path().join("half.safetensors");
    whole.save(&checkpoint).expect("saved");
    let mut resumed = Trainer::new(recipe, notes).expect("a trainer");
    resumed.resume(&checkpoint).expect("resumes");
    assert_eq!(whole.step(60).expect("a step"), resumed.step(60).expect("a step"));
}

#[test]
fn a_model_can_be_taught_further() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("tiny.safetensors");
    let mut first = Trainer::new(recipe(), notes()).expect("a trainer");
    for _ in 0..20 {
        first.step(60).expect("a step");
    }
    first.export(&path).expect("exports");
    let bits = |trainer: &Trainer| trainer.held_out(1.0).expect("bits");
    let mut second = Trainer::new(WaveNetRecipe { seed: 4, ..recipe() }, notes()).expect("a trainer");
    let random = bits(&second);
    second.begin_from(&path).expect("begins");
    // As the model was, but for the rounding of its weights.
    let [taught, begun] = [&first, &second].map(bits);
    assert!((begun - taught).abs() < 0.02 && begun < random - 0.1, "{random} {taught} {begun}");
    assert_eq!(second.steps(), 0);
    let mut larger = recipe();
    larger.network.skip = 32;
    let mut larger = Trainer::new(larger, notes()).expect("a trainer");
    let random = bits(&larger);
    assert!(larger.begin_from(&path).expect_err("refused").to_string().contains("another shape"));
    assert_eq!(bits(&larger), random);
}

#[test]
fn training_that_is_taken_up_again_takes_the_same_steps() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("c.safetensors");
    let mut whole = Trainer::new(recipe(), notes()).expect("a trainer");
    let mut losses: Vec<f64> = (0..5).map(|_| whole.step(60).expect("a step")).collect();
    whole.save(&path).expect("saves");
    losses.extend((0..4).map(|_| whole.step(60).expect("a step")));
    let mut other = Trainer::new(WaveNetRecipe { seed: 3, ..recipe() }, notes()).expect("a trainer");
    other.resume(&path).expect("resumes");
    assert_eq!(other.steps(), 5);
    let rest: Vec<f64> = (0..4).map(|_| other.step(60).expect("a step")).collect();
    assert_eq!(rest, losses[5..]);
    let held_out = [whole.held_out(1.0).expect("bits"), other.held_out(1.0).expect("bits")];
    assert_eq!(held_out[0], held_out[1]);
    // Another network's checkpoint is refused and changes nothing.
    let mut larger = recipe();
    larger.network.channels = 16;
    let mut larger = Trainer::new(larger, notes()).expect("a trainer");
    assert!(larger.resume(&path).expect_err("refused").to_string().contains("another recipe"));
    assert_eq!(larger.steps(), 0);
}

#[test]
fn recipes_that_make_no_sense_are_refused() {
    let refused = |from: &str, to: &str, part: &str| {
        let text = RECIPE.replace(from, to);
        assert_ne!(text, RECIPE);
        let why = TrainRecipe::parse(&text).expect_err("refused").to_string();
        assert!(why.contains(part), "{why}");
    };
    refused("kind = \"wavenet\"", "kind = \"poem\"", "poem");
    refused("name = \"tiny\"", "name = \"../tiny\"", "name");
    refused("channels = 8", "channels = 12", "channels");
    refused("cycle = 2", "cycle = 64", "cycle");
    refused("samples = 240", "samples = 2400", "crops");
    refused("holds_s = [0.1, 0.15]", "holds_s = [0.5]", "holds_s");
    refused("average = 0.9", "average = 1.5", "average");
    refused("held_out = 4", "held_out = 4\nspeed = 3", "speed");
    refused("frame_samples = 40", "frame_samples = 41", "network");
    let few = Trainer::new(recipe(), notes()[..1].to_vec());
    assert!(few.err().expect("refused").to_string().contains("two notes"));
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("音.sf2");
    crate::files::write_whole(&path, b"RIFF....sfbk").expect("writes");
    assert!(render(&path, &recipe(), &mut |_| true).expect_err("refused").to_string().contains("音.sf2"));
}

#[test]
fn a_network_with_a_larger_condition_begins_as_a_smaller_one_left_off() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("small.safetensors");
    let small = recipe();
    let mut taught = Trainer::new(small.clone(), notes()).expect("a trainer");
    (0..5).for_each(|_| assert!(taught.step(60).expect("a step").is_finite()));
    taught.export(&path).expect("saves");
    let mut large = small.clone();
    (large.network.condition_hidden, large.network.condition) = (11, 9);
    large.network.harmonics = Harmonics::Of(vec![1, 2, 5]);
    let begun = |recipe: &WaveNetRecipe| {
        let mut trainer = Trainer::new(recipe.clone(), notes()).expect("a trainer");
        trainer.begin_from(&path).map(|()| trainer)
    };
    let bits = |recipe: &WaveNetRecipe| begun(recipe).expect("begins").held_out(0.25).expect("measured");
    let (same, grown) = (bits(&small), bits(&large));
    assert!((same - grown).abs() < 1e-4, "{same} {grown}");
    let random = Trainer::new(large.clone(), notes()).expect("a trainer").held_out(0.25).expect("measured");
    assert!((same - random).abs() > 0.01, "{same} {random}");
    // It learns with what is new in it.
    let mut trainer = begun(&large).expect("begins");
    (0..20).for_each(|_| assert!(trainer.step(60).expect("a step").is_finite()));
    let dropped = |change: fn(&mut NetworkRecipe)| {
        let mut other = large.clone();
        change(&mut other.network);
        begun(&other).err().expect("refused").to_string()
    };
    for change in [
        (|network| network.harmonics = Harmonics::Of(vec![1, 3, 5])) as fn(&mut NetworkRecipe),
        |network| network.condition = 4,
        |network| network.channels = 16,
        |network| network.onset_decays_s.push(1.0),
    ] {
        let told = dropped(change);
        assert!(told.contains("another shape"), "{told}");
    }
}

#[test]
fn harmonics_are_so_many_or_a_list_and_only_sound_ones_are_taken() {
    let with = |harmonics: &str| {
        let text = RECIPE.replace("harmonics = 2", &format!("harmonics = {harmonics}"));
        TrainRecipe::parse(&text).map(|recipe| {
            let TrainRecipe::Wavenet(recipe) = recipe else { panic!("a WaveNet") };
            recipe.config()
        })
    };
    assert_eq!(with("2").expect("a recipe").harmonics, Harmonics::First(2));
    let config = with("[1, 4, 16]").expect("a recipe");
    assert_eq!((config.harmonics.count(), config.fast()), (3, 6));
    let text = serde_json::to_string(&config).expect("JSON");
    assert_eq!(serde_json::from_str::<WaveNetConfig>(&text).expect("a configuration"), config);
    let organ = RECIPE.replace("zh = \"方波\" }", "zh = \"方波\", octave = -1 }");
    let octaves = |text: &str| match TrainRecipe::parse(text) {
        Ok(TrainRecipe::Wavenet(recipe)) => Some(recipe.config().instruments.iter().map(|it| it.octave).collect()),
        _ => None,
    };
    assert_eq!(octaves(&organ), Some(vec![0, -1]));
    assert_eq!(octaves(&organ.replace("-1", "5")), None::<Vec<i8>>);
    for wrong in ["33", "[0, 1]", "[2, 2]", "[3, 2]", "[1, 600]", "\"two\"", "-1"] {
        assert!(with(wrong).is_err(), "{wrong}");
    }
}
