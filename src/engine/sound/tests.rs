//! The worker on a device whose clock the test moves.

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use super::*;
use crate::{
    audio::{Clip, Format, MockMidi, MockSound},
    generate::audio::{Drawing, parse_notes, tests::tiny},
};

const RATE: u32 = 16_000;

struct Bench {
    sound: MockSound,
    midi: MockMidi,
    port: Option<SoundPort>,
    thread: Option<std::thread::JoinHandle<()>>,
    path: PathBuf,
    /// Whether the device's clock moves while the test waits.
    plays: bool,
    /// Whether it asks only for what is there, so that nothing starves however slow the computer is.
    waits: bool,
    played: Vec<f32>,
    _dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = tiny(dir.path());
        let sound = MockSound::new(Format { sample_rate_hz: RATE, channels: 1 });
        let midi = MockMidi::new();
        let (port, parts) = connect(
            Arc::new(sound.clone()),
            Arc::new(midi.clone()),
            Box::new(AudioModel::open),
            Arc::new(|| {}),
            Arc::default(),
        );
        let run = move || Worker::new(parts).run();
        let thread = std::thread::Builder::new().name("sound".into()).spawn(run).expect("a thread");
        port.tell(SoundInput::Open { name: "tiny".to_owned(), path: path.clone() });
        Self {
            sound,
            midi,
            port: Some(port),
            thread: Some(thread),
            path,
            plays: true,
            waits: false,
            played: Vec::new(),
            _dir: dir,
        }
    }

    fn tell(&self, input: SoundInput) {
        self.port.as_ref().expect("open").tell(input);
    }

    fn state(&self) -> SoundState {
        self.port.as_ref().expect("open").look(|state| state.clone())
    }

    /// Lets the device play until `done`.
    fn until(&mut self, what: &str, done: impl Fn(&SoundState) -> bool) -> SoundState {
        let begun = Instant::now();
        loop {
            let state = self.state();
            if done(&state) {
                return state;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "waited in vain for {what}: {state:?}");
            std::thread::sleep(Duration::from_millis(1));
            if self.plays {
                let frames = if self.waits { self.sound.waiting().min(32) } else { 32 };
                self.played.extend(self.sound.advance(frames));
            }
        }
    }

    fn request(&self, text: &str) -> AudioRequest {
        let (notes, _) = parse_notes(text, 0, 80, RATE).expect("notes");
        let drawing = Drawing { temperature: 0.9, noise: 1.0, seed: 4 };
        AudioRequest { weights: crate::generate::audio::Quantisation::Int8, ..AudioRequest::new(notes, drawing) }
    }

    /// What the request gives without any device.
    fn offline(&self, request: &AudioRequest) -> Vec<f32> {
        let model = AudioModel::open("tiny", &self.path).expect("opens");
        model.play(request, &AtomicBool::new(false)).expect("plays").expect("to the end")
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.port = None;
        let ended = self.thread.take().map(std::thread::JoinHandle::join);
        assert!(std::thread::panicking() || ended.is_none_or(|ended| ended.is_ok()));
    }
}

fn play(clip: &Arc<Clip>, from: usize) -> SoundInput {
    let first = clip.clone();
    SoundInput::Play(Box::new(Playback { first, second: None, hears_second: false, from, range: None }))
}

/// Whether the device played just this; the loudest samples it bends.
fn as_heard(played: &[f32], samples: &[f32]) -> bool {
    played.iter().zip(samples).all(|(played, sample)| played == sample || (sample.abs() > 0.8 && played.abs() > 0.8))
}

#[test]
fn a_take_is_heard_as_it_is_made_and_kept_as_it_was_heard() {
    let mut bench = Bench::new();
    let request = bench.request("C4:0.05 E4+G4:0.05");
    let samples = bench.offline(&request);
    // However slow the computer is, the device finds all that it asks for.
    bench.plays = false;
    bench.tell(SoundInput::Make(Box::new(request)));
    bench.until("the take", |state| state.samples.len() == samples.len());
    bench.plays = true;
    let state = bench.until("the end", |state| state.activity == SoundActivity::Idle && state.take == 1);
    assert_eq!(state.samples, samples);
    assert_eq!((state.underruns, state.position, state.error), (0, samples.len(), None));
    // The device fades out at the end; before that it plays the take, without a gap.
    let middle = &samples[100..samples.len() - 100];
    assert!(bench.played.windows(middle.len()).any(|part| as_heard(part, middle)));
    assert!(state.first_sound_ms.is_some() && state.real_time_factor.is_some());
    // And again from its middle.
    bench.played.clear();
    let clip = Arc::new(Clip { samples: samples.clone().into(), sample_rate_hz: RATE });
    bench.tell(play(&clip, samples.len() / 2));
    bench.until("playing", |state| state.activity == SoundActivity::Playing);
    bench.until("the end", |state| state.activity == SoundActivity::Idle);
    assert!(bench.played.windows(50).any(|part| as_heard(part, &samples[samples.len() / 2 + 100..][..50])));
}

#[test]
fn what_was_played_live_can_be_made_again() {
    let mut bench = Bench::new();
    let strike = |key| SoundInput::Strike {
        key,
        velocity: 90,
        instrument: 1,
        drawing: Drawing { temperature: 0.7, noise: 0.2, seed: 9 },
    };
    bench.tell(strike(60));
    bench.tell(strike(64));
    bench.until("some sound", |state| state.samples.len() > 2_000);
    bench.tell(SoundInput::Release { key: 60 });
    bench.tell(strike(67));
    bench.tell(strike(64));
    bench.until("more sound", |state| state.samples.len() > 4_000);
    bench.tell(SoundInput::Release { key: 64 });
    bench.tell(SoundInput::Release { key: 67 });
    let state = bench.until("a rest", |state| state.take == 1 && state.activity == SoundActivity::Idle);
    let request = state.request.expect("a request");
    assert_eq!(request.notes.iter().map(|note| note.key).collect::<Vec<_>>(), [60, 64, 67, 64]);
    assert_eq!((request.temperature, request.noise, request.seed), (0.7, 0.2, 9));
    assert_eq!(bench.offline(&request), state.samples);
}

#[test]
fn other_settings_are_heard_while_a_key_is_held_and_made_again() {
    let mut bench = Bench::new();
    let drawing = |temperature, noise| Drawing { temperature, noise, seed: 9 };
    bench.tell(SoundInput::Strike { key: 60, velocity: 90, instrument: 0, drawing: drawing(1.0, 1.0) });
    bench.until("some sound", |state| state.samples.len() > 2_000);
    bench.tell(SoundInput::Voice { instrument: 0, drawing: drawing(0.5, 0.1) });
    bench.tell(SoundInput::Voice { instrument: 0, drawing: drawing(0.5, 0.1) });
    bench.until("more sound", |state| state.samples.len() > 5_000);
    bench.tell(SoundInput::Strike { key: 64, velocity: 90, instrument: 0, drawing: drawing(0.8, 0.4) });
    bench.until("more sound", |state| state.samples.len() > 8_000);
    bench.tell(SoundInput::Stop);
    let state = bench.until("rest", |state| state.activity == SoundActivity::Idle);
    let request = state.request.expect("a request");
    let turns: Vec<_> = request.turns.iter().map(|turn| (turn.temperature, turn.noise)).collect();
    assert_eq!(turns, [(0.5, 0.1), (0.8, 0.4)]);
    assert_eq!((request.temperature, request.noise), (1.0, 1.0));
    assert_eq!(bench.offline(&request), state.samples);
    // What follows the first turn is another sound than without it.
    let plain = bench.offline(&AudioRequest { turns: Vec::new(), ..request.clone() });
    let at = request.turns[0].start as usize;
    assert_eq!(plain[..at], state.samples[..at]);
    assert_ne!(plain[at..], state.samples[at..]);
}

#[test]
fn stopping_keeps_what_was_made() {
    let mut bench = Bench::new();
    bench.tell(SoundInput::Make(Box::new(bench.request("C4:60"))));
    bench.until("some sound", |state| state.samples.len() > 3_000);
    bench.tell(SoundInput::Stop);
    let state = bench.until("silence", |state| state.activity == SoundActivity::Idle);
    let request = state.request.expect("a request");
    assert_eq!(bench.offline(&request), state.samples);
}

#[test]
fn without_a_device_takes_are_made_and_the_sentence_is_shown() {
    let mut bench = Bench::new();
    bench.sound.set_unplugged(true);
    let request = bench.request("C4:0.05");
    bench.tell(SoundInput::Make(Box::new(request.clone())));
    let state = bench.until("the end", |state| state.take == 1 && state.activity == SoundActivity::Idle);
    assert!(state.error.expect("said").to_string().contains("plugged in"));
    assert_eq!(state.samples, bench.offline(&request));
    // A note that the model has not is refused.
    bench.tell(SoundInput::Make(Box::new(bench.request("C1"))));
    let state =
        bench.until("the refusal", |state| state.error.as_ref().is_some_and(|why| why.to_string().contains("C3")));
    assert_eq!(state.take, 1);
}

#[test]
fn a_device_that_goes_takes_nothing_with_it_and_is_found_again() {
    let mut bench = Bench::new();
    let sound = bench.sound.clone();
    let gone = |state: &SoundState| state.error.as_ref().is_some_and(|why| why.to_string().contains("has gone"));
    let forget = |bench: &Bench| bench.port.as_ref().expect("open").look(|state| state.error = None);
    let strike = |key| SoundInput::Strike { key, velocity: 90, instrument: 0, drawing: Drawing::default() };
    // While somebody plays.
    bench.tell(strike(60));
    bench.until("a sound", |state| state.samples.len() > 500);
    sound.set_unplugged(true);
    let before = bench.until("the sentence", gone).samples.len();
    bench.until("more of it", |state| state.samples.len() > before + 3_000);
    forget(&bench);
    sound.set_unplugged(false);
    bench.until("the device", |_| sound.is_open());
    bench.played.clear();
    let before = bench.state().samples.len();
    bench.until("more of it", |state| state.samples.len() > before + 3_000);
    assert!(bench.played.iter().any(|sample| *sample != 0.0), "it is heard again");
    bench.tell(SoundInput::Release { key: 60 });
    bench.tell(SoundInput::Stop);
    let state = bench.until("rest", |state| state.activity == SoundActivity::Idle);
    let request = state.request.expect("a request");
    assert_eq!(state.samples, bench.offline(&request), "nothing of it is lost");
    // While a take is made, and while it is played: both come to their end without it.
    let request = bench.request("C4:0.3 D4:0.3");
    let want = bench.offline(&request);
    bench.tell(SoundInput::Make(Box::new(request)));
    bench.until("a sound", |state| state.activity == SoundActivity::Making && state.samples.len() > 500);
    sound.set_unplugged(true);
    bench.until("the sentence", gone);
    let state = bench.until("the end", |state| state.activity == SoundActivity::Idle);
    assert_eq!(state.samples, want);
    forget(&bench);
    sound.set_unplugged(false);
    bench.tell(play(&ramp(12_000), 0));
    bench.until("a position", |state| state.activity == SoundActivity::Playing && state.position > 500);
    sound.set_unplugged(true);
    bench.until("the sentence", gone);
    bench.until("the end", |state| state.activity == SoundActivity::Idle);
    // Somebody who asks for it then is told at once.
    forget(&bench);
    bench.tell(strike(62));
    bench.until("no device", |state| state.error.is_some());
}

#[test]
fn the_device_is_opened_ahead_and_one_that_is_not_there_is_told_when_it_matters() {
    let mut bench = Bench::new();
    let sound = bench.sound.clone();
    bench.tell(SoundInput::Ready);
    bench.until("the device", |state| sound.is_open() && state.model.is_some());
    // What is played on it does not wait for another one, though its rate is another.
    let clip = Arc::new(Clip { samples: vec![0.25; 4_000].into(), sample_rate_hz: 8_000 });
    bench.tell(play(&clip, 0));
    bench.until("the end", |state| state.activity == SoundActivity::Idle && state.position > 0);
    let heard = bench.played.iter().filter(|sample| (*sample - 0.25).abs() < 1e-3).count();
    assert!((7_500..=8_100).contains(&heard), "half a second at the device's rate: {heard}");
    bench.sound.set_unplugged(true);
    bench.tell(SoundInput::Output(None));
    bench.tell(SoundInput::Ready);
    bench.tell(SoundInput::ListMidi);
    let state = bench.until("its answer", |state| state.controllers.is_some());
    assert!(state.error.is_none() && !bench.sound.is_open());
}

/// Where in a clip its samples were heard.
fn ramp(len: usize) -> Arc<Clip> {
    Arc::new(Clip { samples: (0..len).map(|n| n as f32 / 40_000.0).collect::<Vec<f32>>().into(), sample_rate_hz: RATE })
}

#[test]
fn takes_are_sought_in_looped_and_switched_without_a_gap() {
    let mut bench = Bench::new();
    bench.waits = true;
    let (first, second) = (ramp(30_000), Arc::new(Clip { samples: vec![-0.5; 30_000].into(), sample_rate_hz: RATE }));
    let playback = Playback { first, second: Some(second), hears_second: false, from: 100, range: Some(2_000..4_000) };
    bench.tell(SoundInput::Play(Box::new(playback)));
    bench.until("the second round", |state| state.underruns > 0 || state.position >= 3_900);
    let came_back = bench.until("a round", |state| (2_000..3_000).contains(&state.position));
    assert_eq!(came_back.activity, SoundActivity::Playing);
    bench.played.clear();
    bench.tell(SoundInput::Switch { second: true });
    // What waits in the queue is heard first, then the other take from the same place on, and nothing between them.
    let begun = Instant::now();
    while !bench.played.ends_with(&[-0.5; 32]) {
        assert!(begun.elapsed() < Duration::from_secs(60), "it was never heard");
        std::thread::sleep(Duration::from_millis(1));
        let frames = bench.sound.waiting().min(32);
        bench.played.extend(bench.sound.advance(frames));
    }
    assert!(bench.played.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 0.1), "a click");
    bench.tell(SoundInput::Switch { second: false });
    bench.tell(SoundInput::Loop(None));
    bench.tell(SoundInput::Seek { to: 29_000 });
    let state = bench.until("the end", |state| state.activity == SoundActivity::Idle && state.position == 30_000);
    assert_eq!((state.underruns, state.error), (0, None));
}

#[test]
fn takes_of_any_rate_are_heard_and_without_a_device_the_sentence_is_shown() {
    let mut bench = Bench::new();
    let clip = Arc::new(Clip { samples: vec![0.25; 24_000].into(), sample_rate_hz: 48_000 });
    bench.tell(play(&clip, 0));
    bench.until("playing", |state| state.activity == SoundActivity::Playing);
    bench.until("the end", |state| state.activity == SoundActivity::Idle);
    let heard = bench.played.iter().filter(|sample| (*sample - 0.25).abs() < 1e-3).count();
    assert!((7_500..=8_100).contains(&heard), "half a second at the device's rate: {heard}");
    bench.sound.set_unplugged(true);
    bench.tell(SoundInput::Output(None));
    bench.tell(play(&clip, 0));
    let state = bench.until("the sentence", |state| state.error.is_some());
    assert!(state.error.expect("said").to_string().contains("plugged in"));
    bench.until("rest", |state| state.activity == SoundActivity::Idle);
}

#[test]
fn what_is_recorded_is_kept_also_when_the_input_goes() {
    let mut bench = Bench::new();
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("sounds/take-1.wav");
    let sound = bench.sound.clone();
    let record = |bench: &mut Bench, path: &std::path::Path| {
        bench.tell(SoundInput::Record { to: Some(path.to_owned()) });
        bench.until("recording", |state| state.activity == SoundActivity::Recording);
        let samples = ramp(20_000).samples.clone();
        for piece in samples.chunks(160) {
            assert!(sound.record(piece));
        }
        let state = bench.until("all of it", |state| state.samples.len() == samples.len());
        assert!(state.input_peak > 0.0);
        samples
    };
    let samples = record(&mut bench, &path);
    // A key that is touched does not end it.
    bench.tell(SoundInput::Strike {
        key: 60,
        velocity: 90,
        instrument: 0,
        drawing: Drawing { temperature: 0.7, noise: 1.0, seed: 1 },
    });
    bench.tell(SoundInput::Stop);
    let state = bench.until("rest", |state| state.activity == SoundActivity::Idle);
    assert_eq!((state.recorded.as_ref(), state.overruns, state.sample_rate_hz), (Some(&path), 0, RATE));
    let read = |path: &std::path::Path| {
        let bytes = crate::files::read_bytes(path, 1 << 20).expect("a file");
        crate::formats::wav::read(&bytes).expect("a WAV").samples
    };
    assert_eq!(read(&path), samples);
    let other = dir.path().join("sounds/take-2.wav");
    record(&mut bench, &other);
    sound.set_unplugged(true);
    let state = bench.until("the sentence", |state| state.error.is_some());
    assert!(state.error.expect("said").to_string().contains("kept"));
    assert_eq!((read(&other), state.recorded), (samples.into_vec(), Some(other)));
    bench.tell(SoundInput::Record { to: None });
    bench.until("no input", |state| state.error.as_ref().is_some_and(|why| why.to_string().contains("plugged in")));
}

#[test]
fn what_comes_in_goes_out_through_the_amplifier() {
    let mut bench = Bench::new();
    bench.plays = false;
    let capture = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/nam/wavenet.nam");
    let settings = AmpSettings { input_gain_db: 3.0, output_gain_db: -6.0, ..AmpSettings::default() };
    let mut amp = crate::generate::amp::Amp::open(&capture, 1.0).expect("an amplifier");
    // Rises, so that no part is like another.
    let tone = |n: usize| (n as f32 * (0.02 + n as f32 * 4e-6)).sin() * 0.3;
    let samples: Vec<f32> = (0..12_000).map(tone).collect();
    let recording = crate::formats::audio::Sound {
        sample_rate_hz: RATE,
        channels: 1,
        bits: 32,
        samples: samples.clone(),
        comment: None,
    };
    let want = amp.run(&recording, &settings, &mut |_| true).expect("runs").expect("to the end");
    bench.tell(SoundInput::Amp { capture, settings });
    bench.until("the amplifier", |state| state.activity == SoundActivity::Amp);
    // What comes in before the output begins to play is no loss, and does not wait.
    for _ in 0..20 {
        bench.sound.record(&[0.0; 128]);
        std::thread::sleep(Duration::from_millis(1));
    }
    bench.until("what comes in to be read", |state| state.input_peak == 0.0 && state.latency_ms.is_some());
    assert!((1..=RATE as usize / 50).contains(&bench.sound.waiting()), "{}", bench.sound.waiting());
    assert_eq!(bench.until("the count", |_| true).overruns, 0);
    // Devices of one clock: what comes in is given out a block later.
    let mut heard = Vec::new();
    for piece in samples.chunks(64) {
        bench.sound.record(piece);
        std::thread::sleep(Duration::from_millis(2));
        heard.extend(bench.sound.advance(piece.len()));
    }
    // On a busy computer there may be gaps; what is between them is the amplifier's sound.
    let power = |samples: &[f32]| samples.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
    let likeness = |part: &[f32]| {
        let away = |heard: &[f32]| power(&heard.iter().zip(part).map(|(a, b)| a - b).collect::<Vec<_>>());
        let nearest = heard.windows(part.len()).map(away).fold(f64::MAX, f64::min);
        10.0 * (power(part) / nearest.max(1e-30)).log10()
    };
    let parts = want[2_000..].chunks_exact(100).step_by(4);
    let ratio = parts.map(likeness).fold(f64::MIN, f64::max);
    assert!(ratio > 60.0, "{ratio:.1} dB like the amplifier's");
    bench.tell(SoundInput::Stop);
    let state = bench.until("rest", |state| state.activity == SoundActivity::Idle);
    assert_eq!(state.error, None);
    bench.tell(SoundInput::Amp { capture: "nowhere.nam".into(), settings: AmpSettings::default() });
    bench.until("the refusal", |state| state.error.is_some());
}

#[test]
fn a_controller_plays_with_its_velocity_and_its_pedal() {
    let mut bench = Bench::new();
    bench.tell(SoundInput::ListMidi);
    let state = bench.until("the controllers", |state| state.controllers.is_some());
    assert_eq!(state.controllers.expect("listed").iter().map(|port| port.id.as_str()).collect::<Vec<_>>(), ["keys"]);
    assert!(!bench.midi.play(&[0x90, 60, 100]), "nobody listens yet");
    bench.tell(SoundInput::Voice { instrument: 1, drawing: Drawing { temperature: 0.7, noise: 1.0, seed: 9 } });
    bench.tell(SoundInput::Midi(Some("keys".to_owned())));
    let midi = bench.midi.clone();
    bench.until("somebody who listens", |_| midi.play(&[0xFE, 0, 0]));
    midi.play(&[0xB0, 64, 127]);
    midi.play(&[0x90, 60, 101]);
    midi.play(&[0x90, 3, 101]);
    bench.until("a key", |state| state.played == [60] && state.samples.len() > 500);
    midi.play(&[0x80, 60, 0]);
    midi.play(&[0x90, 64, 40]);
    // The pedal holds the first key.
    bench.until("two keys", |state| state.played == [60, 64] && state.samples.len() > 3_000);
    midi.play(&[0xB0, 64, 0]);
    midi.play(&[0x80, 64, 0]);
    let state = bench.until("a rest", |state| state.take == 1 && state.activity == SoundActivity::Idle);
    let request = state.request.expect("a request");
    let notes: Vec<_> = request.notes.iter().map(|note| (note.key, note.velocity, note.instrument)).collect();
    assert_eq!((notes, state.played), (vec![(60, 101, 1), (64, 40, 1)], Vec::new()));
    assert!(request.notes[0].length > 2_000, "{:?}", request.notes);
    assert_eq!(bench.offline(&request), state.samples);
    bench.tell(SoundInput::Midi(Some("nowhere".to_owned())));
    bench.until("the sentence", |state| state.error.is_some());
    assert!(!midi.play(&[0x90, 60, 100]), "nobody listens any more");
}

#[test]
fn a_take_is_gone_on_from() {
    let mut bench = Bench::new();
    let wave = |t: usize| (std::f64::consts::TAU * 440.0 * t as f64 / 48_000.0).sin() as f32 * 0.1;
    let clip = Arc::new(Clip { samples: (0..60_000).map(wave).collect::<Vec<_>>().into(), sample_rate_hz: 48_000 });
    let drawing = Drawing { seed: 9, ..Drawing::default() };
    let go_on =
        |clip: &Arc<Clip>, to| SoundInput::Continue { clip: clip.clone(), to, instrument: 1, velocity: 80, drawing };
    bench.tell(go_on(&clip, 24_000));
    bench.until("a beginning", |state| state.take == 1 && state.samples.len() > 12_000);
    bench.tell(SoundInput::Stop);
    let state = bench.until("the end", |state| state.activity == SoundActivity::Idle);
    let request = state.request.expect("a request");
    let prime = request.prime.as_ref().expect("a past");
    // Half a second of A4 at the model's rate.
    assert_eq!((request.notes[0].key, request.seed), (69, 9));
    assert!(prime.levels.len().abs_diff(8_000) < 200, "{}", prime.levels.len());
    assert_eq!(bench.offline(&request), state.samples);
    // Silence is no note, and what is there stays.
    let silent = Arc::new(Clip { samples: vec![0.0; 48_000].into(), sample_rate_hz: 48_000 });
    let hears = |state: &SoundState| state.activity == SoundActivity::Playing;
    bench.tell(play(&clip, 0));
    bench.until("playing", hears);
    bench.tell(go_on(&silent, usize::MAX));
    let said = |state: &SoundState| state.error.as_ref().is_some_and(|why| why.to_string().contains("No note"));
    let state = bench.until("the sentence", said);
    // And what was heard goes on.
    assert!(state.take == 1 && hears(&state), "{:?}", state.activity);
}
