//! The engine over the model that comes with the studio.

use std::{path::PathBuf, time::Instant};

use super::*;
use crate::{
    engine::Settings,
    generate::{ChatMessage, Role},
};

fn bundled() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models/text/smollm2-135m-instruct");
    folder.join("smollm2-135m-instruct-q4_1.gguf")
}

fn window() -> Window {
    let (wake, woken) = bounded(1);
    let waker = Arc::new(move || {
        let _ = wake.try_send(());
    });
    let engine = Engine::start(waker, Settings::default()).expect("threads");
    let window = Window { engine, woken, traces: Arc::default(), seen: Vec::new() };
    window.send(UiCommand::OpenTextModel { job: 0, name: "smollm2".to_owned(), path: bundled() });
    window
}

fn chat(question: &str, max_tokens: usize) -> Box<TextRequest> {
    let message = |role, content: &str| ChatMessage { role, content: content.to_owned() };
    let prompt = Prompt::Chat(vec![message(Role::User, question)]);
    Box::new(TextRequest { prompt, max_tokens, ..TextRequest::default() })
}

#[test]
fn the_bundled_model_opens_counts_hashes_and_writes() {
    let mut window = window();
    window.send(UiCommand::CountTokens { job: 100, slot: 0, text: String::new() });
    assert_eq!(window.outcome(0), Outcome::Finished);
    let info = window.seen.iter().find_map(|event| match event {
        Event::TextModelOpened { info, .. } => Some(info.clone()),
        _ => None,
    });
    let info = info.expect("TextModelOpened");
    assert_eq!((info.family.as_str(), info.quantisation.as_str(), info.context_tokens), ("llama", "Q4_1", 8192));
    assert!(info.chats && info.size_bytes == 98_362_432 && info.memory_bytes > info.size_bytes / 2);

    window.send(UiCommand::GenerateText { job: 1, request: chat("What is the capital of France?", 5) });
    window.send(UiCommand::CountTokens { job: 2, slot: 0, text: "Hello world".to_owned() });
    assert_eq!(window.outcome(2), Outcome::Finished);
    assert!(window.place(|event| matches!(event, Event::TokensCounted { job: 2, tokens: 2, .. })).is_some());
    assert_eq!(window.outcome(1), Outcome::Finished);
    let outcome = window.seen.iter().find_map(|event| match event {
        Event::TextDone { outcome, .. } => Some(outcome.clone()),
        _ => None,
    });
    let outcome = outcome.expect("TextDone");
    assert_eq!(outcome.text, window.words(1).concat());
    assert!(!outcome.text.is_empty());

    let hashed = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";
    let is_hash = |event: &Event| matches!(event, Event::TextModelHashed { sha256, .. } if sha256 == hashed);
    if window.place(is_hash).is_none() {
        window.until(is_hash);
    }
}

#[test]
fn a_file_that_is_no_model_leaves_the_loaded_one_in_place() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut window = window();
    let cut = dir.path().join("cut.gguf");
    let good = std::fs::read(bundled()).expect("model");
    crate::files::write_whole(&cut, &good[..good.len() / 2]).expect("write");
    for (job, path) in [(1, cut), (2, dir.path().to_owned()), (3, dir.path().join("none"))] {
        window.send(UiCommand::OpenTextModel { job, name: "bad".to_owned(), path });
        assert!(failure(window.outcome(job)).starts_with("Could not open"));
    }
    window.send(UiCommand::GenerateText { job: 4, request: chat("Hello", 1) });
    assert_eq!(window.outcome(4), Outcome::Finished);
}

#[test]
fn cancelling_works_while_the_prompt_is_read_and_while_words_come() {
    let mut window = window();
    assert_eq!(window.outcome(0), Outcome::Finished);
    let long = "The river ran past the mill and the old bridge. ".repeat(300);
    window.send(UiCommand::GenerateText { job: 1, request: chat(&long, 1000) });
    window.until(|event| matches!(event, Event::TextContext { job: 1, .. }));
    window.engine.cancel(1);
    assert_eq!(window.outcome(1), Outcome::Cancelled);
    assert!(window.words(1).is_empty());
    window.send(UiCommand::GenerateText { job: 2, request: chat("Tell me a long story.", 1000) });
    window.until(|event| matches!(event, Event::TextTokens { job: 2, .. }));
    window.engine.cancel(2);
    assert_eq!(window.outcome(2), Outcome::Cancelled);
}

/// Measures; run it alone, with optimisation: `cargo test --lib measure_ -- --ignored --nocapture --test-threads=1`.
#[test]
#[ignore = "takes minutes and prints measurements"]
#[cfg(target_os = "linux")]
fn measure_memory() {
    use super::endurance::status;
    let mut window = window();
    assert_eq!(window.outcome(0), Outcome::Finished);
    println!("opened: {} MiB, {} threads", status("VmRSS:") / 1024, status("Threads:"));
    for job in 1..=200 {
        let question =
            format!("Write a sentence about the number {job}. {}", "It is a number. ".repeat(job as usize % 8));
        window.send(UiCommand::GenerateText { job, request: chat(&question, 8) });
        assert_eq!(window.outcome(job), Outcome::Finished);
        window.seen.clear();
        if job % 20 == 0 {
            println!("after {job} generations: {} MiB, {} threads", status("VmRSS:") / 1024, status("Threads:"));
        }
    }
}

/// As [`measure_memory`].
#[test]
#[ignore = "takes minutes and prints measurements"]
fn measure_cancelling() {
    let mut window = window();
    assert_eq!(window.outcome(0), Outcome::Finished);
    let long = "The river ran past the mill and the old bridge. ".repeat(600);
    let story = "Tell me a long story.";
    for (name, first, question) in [("words come", 1000, story), ("the prompt is read", 2000, &long)] {
        let mut latencies = Vec::new();
        for job in first..first + 20 {
            window.send(UiCommand::GenerateText { job, request: chat(question, 1000) });
            window.until(|event| match event {
                Event::TextContext { job: of, .. } => first == 2000 && *of == job,
                Event::TextTokens { job: of, .. } => *of == job,
                _ => false,
            });
            std::thread::sleep(Duration::from_millis(40 + 13 * (job % 20)));
            let asked = Instant::now();
            window.engine.cancel(job);
            assert_eq!(window.outcome(job), Outcome::Cancelled);
            latencies.push(asked.elapsed());
            window.seen.clear();
        }
        latencies.sort();
        println!("cancelling while {name}: median {:?}, worst {:?}", latencies[10], latencies[19]);
    }
}
