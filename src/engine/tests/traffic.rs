//! Full channels, slow and missing windows, counts and dialogs.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use super::*;
use crate::engine::FileFilter;

#[test]
fn a_window_that_does_not_look_loses_nothing() {
    let mut window = Window::with_model("m");
    // Far more events than the channel holds, and nobody drains it until the writer has long been held up.
    for job in 1..=60 {
        window.write(job, "go", 200);
    }
    while window.engine.events.as_ref().is_some_and(|events| !events.is_full()) {
        window.woken.recv_timeout(Duration::from_secs(60)).expect("an event");
    }
    for job in 1..=60 {
        assert_eq!(window.outcome(job), Outcome::Finished);
        assert_eq!(window.words(job).len(), 200);
    }
}

#[test]
fn dropping_works_while_everything_is_busy_and_the_channel_is_full() {
    let window = Window::with_model("m");
    for job in 1..=60 {
        window.write(job, if job == 60 { "forever" } else { "go" }, 100);
    }
    window.send(UiCommand::PickFile { job: 100, filter: FileFilter::Text });
    window.send(UiCommand::CountTokens { job: 101, slot: 0, text: "slow".to_owned() });
    while window.engine.events.as_ref().is_some_and(|events| !events.is_full()) {
        window.woken.recv_timeout(Duration::from_secs(60)).expect("an event");
    }
    let traces = window.traces.clone();
    drop(window);
    assert_eq!(traces.open_now.load(Ordering::Relaxed), 0, "the text worker has ended and dropped its model");
}

#[test]
fn dropping_works_while_a_model_opens() {
    let mut window = Window::new();
    window.open(1, "slow");
    window.until(|event| matches!(event, Event::Started { job: 1, .. }));
    drop(window);
}

#[test]
fn a_full_queue_refuses_with_a_sentence_and_recovers() {
    let mut window = Window::with_model("m");
    window.write(1, "forever", 1);
    let mut job = 2;
    let error = loop {
        match window.engine.send(writing(job, "go", 1)) {
            Ok(()) => job += 1,
            Err(error) => break error,
        }
        assert!(job < 1000, "the queue has no bound");
    };
    assert!(error.to_string().contains("Too much is waiting"), "{error}");
    // Other families are not held up.
    window.send(UiCommand::ListModels { job: 2000, opened: Vec::new() });
    assert_eq!(window.outcome(2000), Outcome::Finished);
    window.engine.cancel(1);
    assert_eq!(window.outcome(job - 1), Outcome::Finished);
    window.write(job, "go", 1);
    assert_eq!(window.outcome(job), Outcome::Finished);
}

#[test]
fn streaming_wakes_the_window_about_once_a_frame() {
    let traces = Arc::new(Traces::default());
    let (wakes, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let waker = {
        let wakes = wakes.clone();
        Arc::new(move || {
            wakes.fetch_add(1, Ordering::Relaxed);
        })
    };
    let engine = Engine::with_parts(waker, fake::parts(&traces)).expect("threads");
    let started = Instant::now();
    engine.send(UiCommand::OpenTextModel { job: 0, name: "m".to_owned(), path: "/nowhere".into() }).expect("room");
    engine.send(writing(1, "go", 50_000)).expect("room");
    let mut tokens = 0;
    while ended.load(Ordering::Relaxed) < 2 {
        for event in engine.events() {
            match event {
                Event::TextTokens { tokens: more, .. } => tokens += more.len(),
                Event::Ended { .. } => {
                    ended.fetch_add(1, Ordering::Relaxed);
                }
                _ => {}
            }
        }
        std::thread::yield_now();
    }
    assert_eq!(tokens, 50_000);
    let frames = started.elapsed().as_millis() as usize / 16;
    let wakes = wakes.load(Ordering::Relaxed);
    assert!(wakes <= frames + 20, "{wakes} wakes in {frames} frames");
}

#[test]
fn a_waker_that_panics_stops_nothing() {
    let traces = Arc::new(Traces::default());
    let engine = Engine::with_parts(Arc::new(|| panic!("scripted")), fake::parts(&traces)).expect("threads");
    engine.send(UiCommand::ListModels { job: 1, opened: Vec::new() }).expect("room");
    while !engine.events().any(|event| matches!(event, Event::Ended { job: 1, outcome: Outcome::Finished })) {
        std::thread::yield_now();
    }
}

#[test]
fn tokens_are_counted_while_text_is_written() {
    let mut window = Window::with_model("m");
    window.write(1, "forever", 1);
    window.send(UiCommand::CountTokens { job: 2, slot: 3, text: "one two three".to_owned() });
    assert_eq!(window.outcome(2), Outcome::Finished);
    assert!(window.place(|event| matches!(event, Event::TokensCounted { job: 2, slot: 3, tokens: 3 })).is_some());
    window.engine.cancel(1);
    assert_eq!(window.outcome(1), Outcome::Cancelled);
}

#[test]
fn a_newer_text_of_a_slot_replaces_the_one_that_waits() {
    let mut window = Window::with_model("m");
    // Nothing is counted before all are queued: the worker is held up by the full event channel.
    for job in 1..=60 {
        window.write(job, "go", 10);
    }
    while window.engine.events.as_ref().is_some_and(|events| !events.is_full()) {
        window.woken.recv_timeout(Duration::from_secs(60)).expect("an event");
    }
    let count = |job, slot| UiCommand::CountTokens { job, slot, text: "a b".to_owned() };
    window.send(count(100, 9));
    while window.traces.counted.load(Ordering::Relaxed) == 0 {
        std::thread::yield_now();
    }
    for job in 101..=150 {
        window.send(count(job, (job % 2) as u32));
    }
    for job in 100..=150 {
        let want = if job == 100 || job >= 149 { Outcome::Finished } else { Outcome::Cancelled };
        assert_eq!(window.outcome(job), want, "{job}");
    }
    assert_eq!(window.traces.counted.load(Ordering::Relaxed), 3);
}

#[test]
fn counting_without_a_model_gives_nothing_and_a_panic_in_it_is_survived() {
    let mut window = Window::new();
    let count = |job, text: &str| UiCommand::CountTokens { job, slot: 0, text: text.to_owned() };
    window.send(count(1, "a"));
    assert_eq!(window.outcome(1), Outcome::Cancelled);
    window.open(2, "m");
    assert_eq!(window.outcome(2), Outcome::Finished);
    window.send(count(3, "panic"));
    assert!(failure(window.outcome(3)).contains("counting"));
    window.send(count(4, "a"));
    assert_eq!(window.outcome(4), Outcome::Finished);
}

#[test]
fn dialogs_answer_can_be_cancelled_and_may_panic() {
    let mut window = Window::new();
    let filter = FileFilter::Text;
    window.send(UiCommand::PickFile { job: 1, filter });
    window.send(UiCommand::PickFile { job: 2, filter: FileFilter::Model });
    window.send(UiCommand::PickSave { job: 3, filter, suggested: "诗.md".to_owned() });
    window.engine.cancel(1);
    assert_eq!(window.outcome(1), Outcome::Cancelled);
    assert!(failure(window.outcome(2)).contains("file dialog"));
    assert_eq!(window.outcome(3), Outcome::Finished);
    let picked = window
        .place(|event| matches!(event, Event::Picked { job: 3, path: Some(path) } if path.to_str() == Some("诗.md")));
    assert!(picked.is_some());
}
