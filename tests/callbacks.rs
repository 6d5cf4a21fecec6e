//! What runs in a sound device's callback takes no memory and gives none back: either may wait for another thread.
#![allow(clippy::expect_used, reason = "a test stops at what it did not expect")]

#[path = "common/counting.rs"]
mod counting;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use atelier::{
    Result,
    audio::{DeviceInfo, Drain, DrainMaker, Feed, FeedMaker, Format, Player, Recorder, Sound, Stream},
};
use counting::calls_of;

const FORMAT: Format = Format { sample_rate_hz: 48_000, channels: 2 };

/// A sound system that hands what the callbacks would have to the test.
#[derive(Default)]
struct Bare {
    feed: Mutex<Option<Feed>>,
    drain: Mutex<Option<Drain>>,
}

struct Silent;

impl Stream for Silent {
    fn is_lost(&self) -> bool {
        false
    }
}

impl Sound for Bare {
    fn outputs(&self) -> Result<Vec<DeviceInfo>> {
        Ok(Vec::new())
    }

    fn open(&self, _: Option<&str>, _: u32, feed: &mut FeedMaker<'_>) -> Result<Box<dyn Stream>> {
        *self.feed.lock().expect("a lock") = Some(feed(FORMAT));
        Ok(Box::new(Silent))
    }

    fn inputs(&self) -> Result<Vec<DeviceInfo>> {
        Ok(Vec::new())
    }

    fn listen(&self, _: Option<&str>, _: u32, drain: &mut DrainMaker<'_>) -> Result<Box<dyn Stream>> {
        *self.drain.lock().expect("a lock") = Some(drain(FORMAT));
        Ok(Box::new(Silent))
    }
}

#[test]
fn playing_takes_no_memory_whatever_happens() {
    assert!(calls_of(|| drop(std::hint::black_box(vec![0_u8; 3]))) >= 2, "the allocator counts");
    let (sound, go) = (Arc::new(Bare::default()), AtomicBool::new(false));
    let mut player = Player::open(sound.clone(), None, 16_000, 0.5, 0.02).expect("opens");
    let mut feed = sound.feed.lock().expect("a lock").take().expect("a feed");
    let mut out = vec![0.0; 2 * 512];
    let controls = player.controls().clone();
    let tone: Vec<f32> = (0..4_000).map(|n| (n as f32 * 0.1).sin() * 1.4).collect();
    let mut fill = |what: &str| {
        let calls = calls_of(|| (0..40).for_each(|_| feed.fill(&mut out)));
        assert_eq!(calls, 0, "{what}");
        out.iter().any(|sample| *sample != 0.0)
    };
    fill("before anything is played");
    assert!(player.write(&tone, &go).expect("writes"));
    fill("while it plays, and starves");
    assert!(controls.underruns() > 0 && controls.played_frames() > 0);
    for round in 0..3 {
        assert!(player.write(&tone, &go).expect("writes"));
        controls.set_volume(0.5 + round as f32);
        controls.set_paused(round == 1);
        fill("at another volume, paused or not");
        controls.set_paused(false);
        fill("going on");
    }
    assert!(player.write(&tone, &go).expect("writes"));
    player.discard().expect("discards");
    fill("while what waits fades out");
    assert!(player.write(&tone, &go).expect("writes") && player.end(&go).expect("ends"));
    fill("to the end");
    go.store(true, Ordering::Relaxed);
}

#[test]
fn recording_takes_no_memory_also_when_nobody_reads() {
    let sound = Bare::default();
    let mut recorder = Recorder::open(&sound, None, 512, 0.1).expect("opens");
    let mut drain = sound.drain.lock().expect("a lock").take().expect("a drain");
    let frames: Vec<f32> = (0..2 * 512).map(|n| (n as f32 * 0.05).sin()).collect();
    assert_eq!(calls_of(|| (0..4).for_each(|_| drain.take(&frames))), 0);
    let mut read = Vec::new();
    recorder.read(usize::MAX, &mut read);
    assert_eq!((read.len(), recorder.meter().overruns()), (4 * 512, 0));
    assert_eq!(calls_of(|| (0..40).for_each(|_| drain.take(&frames))), 0);
    assert_eq!(recorder.meter().overruns(), 1);
}
