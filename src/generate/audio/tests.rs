use std::{collections::BTreeMap, path::PathBuf, sync::atomic::AtomicBool};

use super::*;
use crate::formats::safetensors;
use candle_core::{DType, Device, Tensor};

/// A small network of random weights, in a file.
pub(crate) fn tiny(dir: &std::path::Path) -> PathBuf {
    let (c, s, slow, hidden) = (8, 16, 5, 6);
    let config = serde_json::json!({
        "sample_rate_hz": 16_000, "dilations": [1, 2, 4, 8, 16, 32], "frame_samples": 80, "pre_emphasis": 0.85,
        "instruments": [{"en": "Flute", "zh": "长笛"}, {"en": "Cello", "zh": "大提琴"}],
        "lowest_key": 48, "keys": 25, "harmonics": 2, "onset_decays_s": [0.01, 0.2], "release_decays_s": [0.05],
    });
    let features = 2 + 25 + 3 + 2 + 1;
    let mut shapes: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut put = |name: &str, shape: &[usize]| {
        shapes.insert(name.to_owned(), shape.to_vec());
    };
    put("embedding.weight", &[256, c]);
    put("condition.0.weight", &[hidden, features]);
    put("condition.0.bias", &[hidden]);
    put("condition.2.weight", &[slow, hidden]);
    put("condition.2.bias", &[slow]);
    for layer in 0..6 {
        put(&format!("layers.{layer}.tap.weight"), &[2 * c, c, 2]);
        put(&format!("layers.{layer}.tap.bias"), &[2 * c]);
        put(&format!("layers.{layer}.condition.weight"), &[2 * c, slow + 4]);
        put(&format!("layers.{layer}.mix.weight"), &[c, c]);
        put(&format!("layers.{layer}.mix.bias"), &[c]);
        put(&format!("layers.{layer}.skip.weight"), &[s, c]);
        put(&format!("layers.{layer}.skip.bias"), &[s]);
    }
    put("head.0.weight", &[s, s, 1]);
    put("head.0.bias", &[s]);
    put("head.2.weight", &[256, s, 1]);
    put("head.2.bias", &[256]);
    let mut seed = 3_u32;
    let tensors = shapes.into_iter().map(|(name, shape)| {
        let values: Vec<f32> = (0..shape.iter().product())
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 8) as f32 / (1 << 24) as f32 - 0.5
            })
            .collect();
        let tensor = Tensor::from_vec(values, shape, &Device::Cpu).and_then(|t| t.to_dtype(DType::BF16));
        (name, tensor.expect("a tensor"))
    });
    let path = dir.join("tiny.safetensors");
    let metadata = BTreeMap::from([(crate::nets::wavenet::METADATA.to_owned(), config.to_string())]);
    safetensors::save_all(&path, &tensors.collect(), &metadata).expect("save");
    path
}

fn request(text: &str) -> AudioRequest {
    let (notes, _) = parse_notes(text, 1, 90, 16_000).expect("notes");
    let drawing = Drawing { temperature: 0.9, noise: 1.0, seed: 5 };
    AudioRequest { weights: Quantisation::Int8, ..AudioRequest::new(notes, drawing) }
}

fn play(model: &AudioModel, request: &AudioRequest) -> Vec<f32> {
    model.play(request, &AtomicBool::new(false)).expect("plays").expect("to the end")
}

#[test]
fn struck_live_or_written_down_the_samples_are_the_same() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let model = AudioModel::open("tiny", &tiny(dir.path())).expect("opens");
    let sounds = [1.0, 0.2].map(|noise| {
        live_is_as_written(&model, &AudioRequest { noise, ..request("C4:0.05 E4+G4+C5+C3:0.1 R:0.02 D4:0.03") })
    });
    assert_ne!(sounds[0], sounds[1]);
}

fn live_is_as_written(model: &AudioModel, request: &AudioRequest) -> Vec<f32> {
    let written = play(model, request);
    assert!(written.len() > 16_000 / 5 && written.iter().any(|sample| *sample != 0.0));
    assert_eq!(written, play(model, request), "the same again");
    let other = play(model, &AudioRequest { seed: 6, ..request.clone() });
    assert_ne!(written, other);
    // The same events by hand.
    let mut synth = model.synth(request);
    let (mut live, mut held, mut next) = (Vec::new(), Vec::new(), 0);
    while live.len() < written.len() {
        let end = synth.time() + 8;
        let (over, stay): (Vec<_>, Vec<_>) = held.into_iter().partition(|(until, _): &(u64, u64)| *until < end);
        over.iter().for_each(|(_, number)| synth.release(*number));
        held = stay;
        while let Some(note) = request.notes.get(next).filter(|note| note.start < end) {
            let tone = crate::nets::wavenet::Tone { instrument: 1, key: note.key, velocity: 90 };
            held.push((note.start + note.length, synth.strike(tone)));
            next += 1;
        }
        live.extend(synth.block());
    }
    assert_eq!(live, written);
    written
}

#[test]
fn recipes_without_noise_are_of_samples_as_they_are_drawn() {
    let old: AudioRequest = serde_json::from_str(r#"{"notes":[],"temperature":0.6,"seed":1}"#).expect("a request");
    assert_eq!(old.noise, 1.0);
    assert!(!serde_json::to_string(&old).expect("JSON").contains("noise"));
    let new = AudioRequest::new(Vec::new(), Drawing { noise: 0.25, ..Drawing::default() });
    let text = serde_json::to_string(&new).expect("JSON");
    assert_eq!(serde_json::from_str::<AudioRequest>(&text).expect("a request"), new);
    assert!(AudioRequest { noise: 1.5, ..new.clone() }.check().is_err());
    assert!(AudioRequest { noise: f32::NAN, ..new }.check().is_err());
}

#[test]
fn a_note_sounds_the_same_alone_and_in_company() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let model = AudioModel::open("tiny", &tiny(dir.path())).expect("opens");
    let limited = |text: &str| AudioRequest { samples: Some(801), ..request(text) };
    let alone = play(&model, &limited("C4:0.1"));
    assert_eq!(alone.len(), 801);
    // A second note that is struck later leaves the first as it was until then.
    let mut both = limited("C4:0.1");
    both.notes.push(Note { start: 400, ..both.notes[0].clone() });
    let both = play(&model, &both);
    assert_eq!(both[..400], alone[..400]);
    assert_ne!(both[400..], alone[400..]);
}

#[test]
fn more_notes_than_can_sound_take_the_place_of_the_oldest() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let model = AudioModel::open("tiny", &tiny(dir.path())).expect("opens");
    let mut synth = model.synth(&request("C4"));
    for key in 0..12 {
        synth.strike(crate::nets::wavenet::Tone { instrument: 0, key: 50 + key, velocity: 100 });
    }
    (0..100).for_each(|_| assert!(synth.block().iter().all(|sample| sample.is_finite())));
    assert_eq!(synth.sounding(), MOST_SOUNDING);
    synth.release_all();
    let mut blocks = 0;
    while synth.sounding() > 0 && blocks < 16_000 {
        assert!(synth.block().iter().all(|sample| sample.is_finite()));
        blocks += 1;
    }
    // All end within the fade, whatever a network of random weights makes.
    assert!(blocks * 8 < 2 * 16_000, "{blocks}");
}

#[test]
fn what_makes_no_sense_is_said() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = tiny(dir.path());
    let model = AudioModel::open("tiny", &path).expect("opens");
    assert_eq!((model.instrument("CELLO").expect("there"), model.instrument("长笛").expect("there")), (1, 0));
    assert!(model.instrument("kazoo").expect_err("none").to_string().contains("Flute, Cello"));
    assert!(model.check(&request("B2")).expect_err("too low").to_string().contains("C3 to C5"));
    assert!(model.check(&AudioRequest { temperature: f32::NAN, ..request("C4") }).is_err());
    let mut unsorted = request("C4 D4");
    unsorted.notes.reverse();
    assert!(model.check(&unsorted).is_err());
    let mut far = request("C4");
    far.notes[0].instrument = 9;
    assert!(model.check(&far).is_err());
    let cancelled = model.play(&request("C4"), &AtomicBool::new(true)).expect("no error");
    assert_eq!(cancelled, None);
    let bytes = std::fs::read(&path).expect("read");
    for cut in (0..bytes.len()).step_by(97) {
        crate::files::write_whole(&path, &bytes[..cut]).expect("write");
        assert!(AudioModel::open("cut", &path).is_err());
    }
}

/// A voice that is given what it drew before as its past goes on as it went on then.
#[test]
fn a_note_goes_on_from_its_own_past_as_it_did_before() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let model = AudioModel::open("tiny", &tiny(dir.path())).expect("a model");
    // A4 turns 440 times a second, in every precision.
    let whole = AudioRequest { samples: Some(4_000), ..request("A4:1") };
    let sound = play(&model, &whole);
    let mut before = 0.0;
    let level = |sample: &f32| {
        let value = sample / 0.5;
        let emphasised = value - 0.85 * before;
        before = value;
        crate::nets::wavenet::mu_law::encode(emphasised) as i16
    };
    let levels: Vec<i16> = sound[..1_600].iter().map(level).collect();
    let prime = Prime { levels, before: 0.0, frame: 0, turns: 0.0, hz: 440.0, gain: 0.5 };
    let primed = AudioRequest { prime: Some(Box::new(prime.clone())), ..whole.clone() };
    let again = play(&model, &primed);
    let apart = sound.iter().zip(&again).position(|(a, b)| (a - b).abs() > 1e-5);
    assert_eq!(apart, None);
    // It travels in a recipe, and what does not fit is refused.
    let odd = Prime { turns: 0.123_456_79, hz: 439.999_97, before: -0.1, gain: 1.0 / 3.0, ..prime.clone() };
    let odd = AudioRequest { prime: Some(Box::new(odd)), ..whole.clone() };
    for request in [&primed, &odd] {
        let json = serde_json::to_string(request).expect("JSON");
        assert_eq!(&serde_json::from_str::<AudioRequest>(&json).expect("reads"), request);
    }
    assert!(!serde_json::to_string(&whole).expect("JSON").contains("prime"));
    let bad = |change: fn(&mut Prime)| {
        let mut prime = prime.clone();
        change(&mut prime);
        model.check(&AudioRequest { prime: Some(Box::new(prime)), ..whole.clone() }).is_err()
    };
    assert!(bad(|prime| prime.levels[3] = 256) && bad(|prime| prime.levels[3] = -1));
    assert!(bad(|prime| prime.levels.clear()) && bad(|prime| prime.levels = vec![128; 16_001]));
    assert!(bad(|prime| prime.turns = f32::NAN) && bad(|prime| prime.hz = f32::INFINITY));
    assert!(bad(|prime| prime.gain = 1e-43) && bad(|prime| prime.frame = u32::MAX));
    assert!(model.check(&AudioRequest { prime: Some(Box::new(prime)), ..request("R:0.1 A4:1") }).is_err());
}

#[test]
fn a_recording_is_gone_on_from_with_its_last_note() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let model = AudioModel::open("tiny", &tiny(dir.path())).expect("a model");
    // E4 for a while, then C5 with overtones, softly.
    let wave = |hz: f64, t: usize| {
        let turns = hz * t as f64 / 16_000.0;
        [(1.0, 0.03), (2.0, 0.02), (3.0, 0.01)]
            .iter()
            .map(|(harmonic, amplitude)| amplitude * (std::f64::consts::TAU * turns * harmonic).sin())
            .sum::<f64>() as f32
    };
    let recording: Vec<f32> =
        (0..24_040).map(|t| if t < 14_000 { wave(329.63, t) } else { wave(523.25, t - 14_000) }).collect();
    let drawing = Drawing { seed: 3, ..Drawing::default() };
    let request = model.continued((&recording, 16_000), (1, 90), 8_000, drawing).expect("goes on");
    let (prime, note) = (request.prime.clone().expect("a past"), request.notes[0].clone());
    assert_eq!((note.key, note.start, note.instrument, prime.frame), (72, 0, 1, 0));
    // Its note alone, to within a hundredth of a second.
    assert!(prime.levels.len().abs_diff(10_040) < 500, "{}", prime.levels.len());
    assert_eq!(note.length, prime.levels.len() as u64 + 8_000);
    assert!((prime.hz - 523.25).abs() < 1.5, "{}", prime.hz);
    // What is heard first is the recording, as loud as it was.
    let sound = play(&model, &request);
    let lead = prime.levels.len() - 480;
    let (mut off, mut power) = (0.0, 0.0);
    for (got, want) in sound[..lead].iter().zip(&recording[recording.len() - prime.levels.len()..]) {
        (off, power) = (off + (got - want).powi(2), power + want.powi(2));
    }
    assert!(10.0 * (off / power).log10() < -20.0, "{off} of {power}");
    assert_eq!(play(&model, &request), sound);
    // Another seed has the same past and another future.
    let other = play(&model, &AudioRequest { seed: 4, noise: 1.0, ..request });
    assert!(other[..lead] == sound[..lead] && other[lead..lead + 1_600] != sound[lead..lead + 1_600]);
    let why = |samples: &[f32]| {
        model.continued((samples, 16_000), (0, 90), 1, drawing).err().map(|why| why.to_string()).expect("refused")
    };
    let mut random = crate::random::Rng::at(8, 0);
    let noise: Vec<f32> = (0..16_000).map(|_| 0.1 * random.normal() as f32).collect();
    for samples in [&[][..], &[0.0; 9_000], &[f32::NAN; 9_000], &noise, &recording[..50]] {
        assert!(why(samples).contains("No note is heard"), "{}", why(samples));
    }
    // C2 and E6 are none of its keys.
    for (hz, key) in [(65.41, "C2"), (1_318.5, "E6")] {
        let why = why(&(0..16_000).map(|t| wave(hz, t)).collect::<Vec<_>>());
        assert!(why.contains("plays from") && why.contains(key), "{why}");
    }
    // What is nearly gone is nothing to go on from; a note that has died away a little is, as loud as it is.
    let dying = |seconds: f32| -> Vec<f32> {
        (0..32_000).map(|t| wave(440.0, t) * (-(t as f32) / 16_000.0 / seconds).exp()).collect()
    };
    assert!(why(&dying(0.25)).contains("No note is heard"));
    let request = model.continued((&dying(0.8), 16_000), (0, 90), 1, drawing).expect("goes on");
    let prime = request.prime.expect("a past");
    // Two seconds after its onset, of which one is given.
    assert!((prime.levels.len(), prime.frame) == (16_000, 200), "{} {}", prime.levels.len(), prime.frame);
    // Very loud samples are no reason to refuse.
    let loud: Vec<f32> = dying(0.8).iter().map(|x| x * 2e5).collect();
    assert!(model.continued((&loud, 16_000), (0, 90), 1, drawing).is_ok());
}
