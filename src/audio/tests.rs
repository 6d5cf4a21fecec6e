//! The player on a device whose clock the test moves.

use std::sync::{Arc, atomic::AtomicBool};

use super::{Format, MockSound, Player};

const RATE: u32 = 16_000;

fn ramp(len: usize) -> Vec<f32> {
    (0..len).map(|n| (n % 997) as f32 / 2_000.0).collect()
}

fn open(sound: &MockSound, latency_s: f32, preroll_s: f32) -> Player {
    Player::open(Arc::new(sound.clone()), None, RATE, latency_s, preroll_s).expect("opens")
}

fn left(frames: &[f32], channels: usize) -> Vec<f32> {
    frames.chunks(channels).map(|frame| frame[0]).collect()
}

#[test]
fn what_is_written_is_played_on_every_channel() {
    let go = AtomicBool::new(false);
    for channels in [1, 2, 8] {
        let sound = MockSound::new(Format { sample_rate_hz: RATE, channels });
        let mut player = open(&sound, 1.0, 0.0);
        let samples = ramp(5_000);
        assert!(player.write(&samples, &go).expect("writes"));
        let played = sound.advance(5_000);
        assert!(played.chunks(channels).all(|frame| frame.iter().all(|sample| *sample == frame[0])));
        assert_eq!(left(&played, channels), samples);
        assert_eq!((player.controls().played_frames(), player.controls().underruns()), (5_000, 0));
    }
}

#[test]
fn starvation_fades_and_is_counted_once_and_the_end_is_none() {
    let go = AtomicBool::new(false);
    let sound = MockSound::new(Format { sample_rate_hz: RATE, channels: 1 });
    let mut player = open(&sound, 1.0, 0.0);
    player.write(&vec![0.5; 100], &go).expect("writes");
    let played = sound.advance(400);
    assert!(played[100..].windows(2).all(|pair| pair[1] < pair[0] && pair[0] - pair[1] < 0.06), "no click");
    assert!(played[399] < 1e-3);
    sound.advance(1_000);
    assert_eq!(player.controls().underruns(), 1);
    player.write(&vec![0.25; 500], &go).expect("writes");
    let again = sound.advance(500);
    assert!(again.windows(2).all(|pair| pair[1] >= pair[0] && pair[1] - pair[0] < 0.06), "no click");
    assert_eq!(again[200..], [0.25; 300]);
    player.controls().set_complete(true);
    sound.advance(1_000);
    assert_eq!(player.controls().underruns(), 1);
}

#[test]
fn more_waits_after_every_starvation_up_to_a_bound_and_less_after_an_end() {
    let go = AtomicBool::new(false);
    let sound = MockSound::new(Format { sample_rate_hz: RATE, channels: 1 });
    let mut player = open(&sound, 1.0, 0.0);
    player.controls().set_cushion(0.01, 0.05);
    // What must wait before anything is heard, found by handing over a millisecond at a time.
    let needed = |player: &mut Player, end: bool| {
        let mut waiting = 0;
        loop {
            player.write(&[0.5; 16], &go).expect("writes");
            waiting += 16;
            let before = player.controls().played_frames();
            sound.advance(1);
            if player.controls().played_frames() > before {
                break;
            }
        }
        player.controls().set_complete(end);
        sound.advance(5_000);
        waiting * 1_000 / RATE
    };
    let starved: Vec<u32> = (0..4).map(|_| needed(&mut player, false)).collect();
    assert_eq!(starved, [10, 20, 40, 50]);
    assert_eq!(player.controls().underruns(), 4);
    let ended: Vec<u32> = (0..6).map(|_| needed(&mut player, true)).collect();
    assert_eq!(ended, [50, 50, 40, 20, 10, 10]);
}

#[test]
fn what_is_not_wanted_any_more_fades_out_and_what_follows_is_whole() {
    let go = AtomicBool::new(false);
    let sound = MockSound::new(Format { sample_rate_hz: RATE, channels: 1 });
    let mut player = open(&sound, 1.0, 0.0);
    player.write(&vec![0.5; 10_000], &go).expect("writes");
    assert_eq!(sound.advance(100), [0.5; 100]);
    player.discard().expect("discards");
    let next = ramp(300);
    player.write(&next, &go).expect("writes");
    player.end(&go).expect("ends");
    let fading: Vec<f32> = (0..10).flat_map(|_| sound.advance(100)).collect();
    let start = fading.windows(300).position(|part| part == next).expect("what follows is heard");
    assert!(start < 200, "at once");
    assert!(fading[..start].windows(2).all(|pair| pair[1] <= pair[0] && pair[0] - pair[1] < 0.06), "no click");
    assert_eq!((sound.waiting(), player.controls().underruns()), (0, 0));
}

#[test]
fn nothing_sounds_before_the_preroll_is_there() {
    let go = AtomicBool::new(false);
    let sound = MockSound::new(Format { sample_rate_hz: RATE, channels: 1 });
    let mut player = open(&sound, 2.0, 0.5);
    player.write(&vec![0.5; 7_000], &go).expect("writes");
    assert_eq!(sound.advance(100), [0.0; 100]);
    player.write(&vec![0.5; 1_000], &go).expect("writes");
    assert_eq!(sound.advance(100), [0.5; 100]);
    assert_eq!(player.controls().underruns(), 0);
}

#[test]
fn pausing_and_volume_fade() {
    let go = AtomicBool::new(false);
    let sound = MockSound::new(Format { sample_rate_hz: RATE, channels: 1 });
    let mut player = open(&sound, 1.0, 0.0);
    player.write(&vec![0.5; 10_000], &go).expect("writes");
    assert_eq!(sound.advance(100), [0.5; 100]);
    player.controls().set_volume(0.5);
    let quieter = sound.advance(200);
    assert!(quieter.windows(2).all(|pair| (pair[0] - pair[1]).abs() < 0.01));
    assert!((quieter[199] - 0.25).abs() < 1e-6);
    player.controls().set_paused(true);
    sound.advance(1_000);
    let before = player.controls().played_frames();
    assert!(sound.advance(500).iter().all(|sample| *sample < 1e-3));
    assert_eq!(player.controls().played_frames(), before, "frames wait while it is paused");
    player.controls().set_paused(false);
    assert!((sound.advance(500)[499] - 0.25).abs() < 1e-6);
    assert_eq!(player.controls().underruns(), 0);
}

#[test]
fn a_device_may_go_and_come_back() {
    let go = AtomicBool::new(false);
    let sound = MockSound::new(Format { sample_rate_hz: RATE, channels: 2 });
    let mut player = open(&sound, 1.0, 0.0);
    player.write(&ramp(100), &go).expect("writes");
    sound.set_unplugged(true);
    // The sound goes on without it, in its own time.
    for _ in 0..30 {
        assert!(player.write(&ramp(480), &go).expect("passes over"));
    }
    assert_eq!(player.format(), None);
    sound.set_unplugged(false);
    let start = std::time::Instant::now();
    while player.format().is_none() {
        assert!(start.elapsed().as_secs() < 20, "it is not found again");
        player.write(&ramp(480), &go).expect("passes over");
    }
    player.write(&[0.5; 480], &go).expect("writes");
    assert!(left(&sound.advance(1_000), 2).contains(&0.5));
}

#[test]
fn a_full_queue_waits_and_can_be_cancelled() {
    let sound = MockSound::new(Format { sample_rate_hz: RATE, channels: 1 });
    let mut player = open(&sound, 0.1, 0.0);
    let cancel = Arc::new(AtomicBool::new(false));
    let other = cancel.clone();
    let stop = move || {
        std::thread::sleep(std::time::Duration::from_millis(60));
        other.store(true, std::sync::atomic::Ordering::Relaxed);
    };
    let stopper = std::thread::Builder::new().name("stopper".into()).spawn(stop).expect("a thread");
    assert!(!player.write(&ramp(100_000), &cancel).expect("is cancelled"));
    stopper.join().expect("joins");
}

#[test]
fn without_a_device_it_says_so() {
    let sound = MockSound::new(Format { sample_rate_hz: RATE, channels: 1 });
    sound.set_unplugged(true);
    assert!(Player::open(Arc::new(sound), None, RATE, 0.1, 0.0).is_err());
}
