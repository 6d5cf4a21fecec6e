//! The worker on a device whose clock the test moves.

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use super::*;
use crate::{
    audio::{Format, MockSound},
    generate::audio::{parse_notes, tests::tiny},
};

const RATE: u32 = 16_000;

struct Bench {
    sound: MockSound,
    port: Option<SoundPort>,
    thread: Option<std::thread::JoinHandle<()>>,
    path: PathBuf,
    /// Whether the device's clock moves while the test waits.
    plays: bool,
    played: Vec<f32>,
    _dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = tiny(dir.path());
        let sound = MockSound::new(Format { sample_rate_hz: RATE, channels: 1 });
        let (port, parts) = connect(Arc::new(sound.clone()), Box::new(AudioModel::open), Arc::new(|| {}));
        let run = move || Worker::new(parts).run();
        let thread = std::thread::Builder::new().name("sound".into()).spawn(run).expect("a thread");
        port.tell(SoundInput::Open { name: "tiny".to_owned(), path: path.clone() });
        Self { sound, port: Some(port), thread: Some(thread), path, plays: true, played: Vec::new(), _dir: dir }
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
                self.played.extend(self.sound.advance(32));
            }
        }
    }

    fn request(&self, text: &str) -> AudioRequest {
        let (notes, _) = parse_notes(text, 0, 80, RATE).expect("notes");
        AudioRequest { notes, samples: None, temperature: 0.9, top_k: 0, top_p: 1.0, seed: 4 }
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
    bench.tell(SoundInput::Play { from: samples.len() / 2 });
    bench.until("playing", |state| state.activity == SoundActivity::Playing);
    bench.until("the end", |state| state.activity == SoundActivity::Idle);
    assert!(bench.played.windows(50).any(|part| as_heard(part, &samples[samples.len() / 2 + 100..][..50])));
}

#[test]
fn what_was_played_live_can_be_made_again() {
    let mut bench = Bench::new();
    let strike = |key| SoundInput::Strike { key, velocity: 90, instrument: 1, temperature: 0.7, seed: 9 };
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
    assert_eq!(bench.offline(&request), state.samples);
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
