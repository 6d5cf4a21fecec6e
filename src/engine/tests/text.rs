//! Opening, writing, cancelling, panicking.

use std::sync::atomic::Ordering;

use super::*;
use crate::engine::{JobKind, Unit};

#[test]
fn a_text_streams_whole_and_in_order() {
    let mut window = Window::with_model("m");
    window.write(1, "go", 500);
    assert_eq!(window.outcome(1), Outcome::Finished);
    let words = window.words(1);
    assert_eq!(words.len(), 500);
    assert_eq!(words[..3], ["m", " 1", " 2"]);
    let outcome = window.seen.iter().find_map(|event| match event {
        Event::TextDone { job: 1, outcome } => Some(outcome),
        _ => None,
    });
    assert_eq!(outcome.expect("TextDone").text, words.concat());

    let places = [
        window.place(|event| matches!(event, Event::Started { job: 1, kind: JobKind::GenerateText })),
        window.place(|event| matches!(event, Event::TextContext { job: 1, .. })),
        window.place(|event| matches!(event, Event::TextTokens { job: 1, .. })),
        window.place(|event| matches!(event, Event::TextDone { job: 1, .. })),
        window.place(|event| matches!(event, Event::Ended { job: 1, .. })),
    ];
    assert!(places.is_sorted() && places[0].is_some(), "{places:?}");
}

#[test]
fn progress_is_there_while_a_job_runs_and_gone_after() {
    let mut window = Window::with_model("m");
    assert_eq!(window.engine.progress(), None);
    window.write(1, "forever", 1000);
    window.until(|event| matches!(event, Event::TextTokens { .. }));
    let progress = window.engine.progress().expect("a job runs");
    assert_eq!((progress.job, progress.unit, progress.total), (1, Unit::Tokens, 1000));
    window.engine.cancel(1);
    assert_eq!(window.outcome(1), Outcome::Cancelled);
    assert_eq!(window.engine.progress(), None);
}

#[test]
fn cancelling_stops_within_one_token_and_keeps_the_text() {
    let mut window = Window::with_model("m");
    window.write(1, "forever", 1);
    window.until(|event| matches!(event, Event::TextTokens { .. }));
    window.engine.cancel(1);
    assert_eq!(window.outcome(1), Outcome::Cancelled);
    assert!(window.traces.tokens_after_cancel.load(Ordering::Relaxed) <= 1);
    let done = window.place(|event| matches!(event, Event::TextDone { job: 1, .. }));
    assert!(done < window.place(|event| matches!(event, Event::Ended { job: 1, .. })) && done.is_some());
    window.write(2, "go", 3);
    assert_eq!(window.outcome(2), Outcome::Finished);
}

#[test]
fn jobs_run_in_the_order_they_came_and_a_cancelled_one_never_starts() {
    let mut window = Window::with_model("m");
    window.write(1, "forever", 1);
    for job in 2..=5 {
        window.write(job, "go", 3);
    }
    window.until(|event| matches!(event, Event::Started { job: 1, .. }));
    window.engine.cancel(3);
    window.engine.cancel(1);
    assert_eq!(window.outcome(5), Outcome::Finished);
    let started: Vec<_> = window
        .seen
        .iter()
        .filter_map(|event| match event {
            Event::Started { job, .. } => Some(*job),
            _ => None,
        })
        .collect();
    assert_eq!(started, [0, 1, 2, 4, 5]);
    assert_eq!(window.outcome(3), Outcome::Cancelled);
}

#[test]
fn everything_can_be_stopped_at_once() {
    let mut window = Window::with_model("m");
    for job in 1..=4 {
        window.write(job, "forever", 1);
    }
    window.engine.cancel_all();
    for job in 1..=4 {
        assert_eq!(window.outcome(job), Outcome::Cancelled);
    }
}

#[test]
fn a_panic_while_writing_is_a_failure_and_the_next_job_works() {
    let mut window = Window::with_model("m");
    window.write(1, "panic", 10);
    window.write(2, "go", 3);
    let sentence = failure(window.outcome(1));
    assert!(sentence.contains("stopped writing") && !sentence.contains("scripted"), "{sentence}");
    assert_eq!(window.words(1).len(), 3, "what was made before the panic is shown");
    assert_eq!(window.outcome(2), Outcome::Finished);
    assert_eq!(window.words(2).concat(), "m 1 2");
    assert_eq!(window.traces.opened.load(Ordering::Relaxed), 2, "the model was opened afresh");
    assert_eq!(window.traces.open_now.load(Ordering::Relaxed), 1);
}

#[test]
fn a_writer_that_panics_when_it_is_dropped_is_survived() {
    let mut window = Window::with_model("bomb");
    window.open(1, "m");
    assert_eq!(window.outcome(1), Outcome::Finished);
    window.write(2, "go", 1);
    assert_eq!(window.outcome(2), Outcome::Finished);
    assert_eq!(window.words(2), ["m"]);
}

#[test]
fn a_failure_while_writing_is_told_and_the_model_stays() {
    let mut window = Window::with_model("m");
    window.write(1, "fail", 10);
    assert_eq!(failure(window.outcome(1)), "The model gave up.");
    window.write(2, "go", 1);
    assert_eq!(window.outcome(2), Outcome::Finished);
    assert_eq!(window.traces.opened.load(Ordering::Relaxed), 1);
}

#[test]
fn a_model_that_cannot_be_opened_leaves_the_loaded_one_in_place() {
    let mut window = Window::with_model("good");
    window.open(1, "bad");
    assert_eq!(failure(window.outcome(1)), "The file is cut short.");
    window.open(2, "panic");
    assert!(failure(window.outcome(2)).contains("opening the model"));
    window.open(3, "slow");
    window.until(|event| matches!(event, Event::Started { job: 3, .. }));
    window.engine.cancel(3);
    assert_eq!(window.outcome(3), Outcome::Cancelled);
    window.write(4, "go", 1);
    assert_eq!(window.outcome(4), Outcome::Finished);
    assert_eq!(window.words(4), ["good"]);
    window.open(5, "better");
    assert_eq!(window.outcome(5), Outcome::Finished);
    assert_eq!(window.traces.open_now.load(Ordering::Relaxed), 1, "the old model is dropped");
}

#[test]
fn writing_without_a_model_says_so() {
    let mut window = Window::new();
    window.write(1, "go", 1);
    assert!(failure(window.outcome(1)).contains("open one on the Models page"));
}
