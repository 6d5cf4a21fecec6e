//! Writing with the bundled model: the same text whatever was read before and however many threads there are, and no
//! memory left behind.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test stops at what it did not expect, and tells what it saw"
)]

mod common;

use std::sync::{Arc, atomic::AtomicBool};

use atelier::generate::{
    ChatMessage, Prompt, Role, StopReason, TextModel, TextOutcome, TextProgress, TextRequest, TextWriter,
    sampler::{Preset, SamplerSettings},
};

fn model(threads: usize) -> Arc<TextModel> {
    let path = common::bundled_model();
    let model = TextModel::open("smollm2-135m-instruct", &path, threads, &mut |_, _| {}, &AtomicBool::new(false));
    Arc::new(model.expect("the bundled model opens"))
}

fn write(writer: &mut TextWriter, request: &TextRequest) -> TextOutcome {
    let mut shown = String::new();
    let outcome = writer.write(request, &AtomicBool::new(false), &mut |progress| {
        if let TextProgress::Token(token) = progress {
            shown.push_str(&token.text);
        }
    });
    let outcome = outcome.expect("it writes");
    assert_eq!(shown, outcome.text, "what was shown is the text");
    outcome
}

fn story(seed: u64) -> TextRequest {
    let text = "The ferry had been late for three days, and by the fourth morning nobody on the island spoke of it. ";
    let sampler = Preset::Wild.settings();
    TextRequest { prompt: Prompt::Raw(text.repeat(3)), sampler, seed, max_tokens: 24, ..Default::default() }
}

#[test]
fn what_was_read_before_and_the_number_of_threads_change_nothing() {
    let model = model(2);
    let fresh = write(&mut TextWriter::new(model.clone()), &story(1));
    assert_eq!(fresh.tokens.len(), 24);

    let mut used = TextWriter::new(model.clone());
    write(&mut used, &TextRequest { prompt: Prompt::Raw("Something else".to_owned()), ..story(9) });
    assert_eq!(write(&mut used, &story(1)).tokens, fresh.tokens, "after something else");
    let again = write(&mut used, &story(1));
    assert_eq!((again.tokens, again.prefill_tokens), (fresh.tokens.clone(), 1), "with all of the prompt remembered");
    // The prompt and half of the answer, part of them remembered and part read anew, in other portions.
    for half in [3, 11, 23] {
        let forced = fresh.tokens[..half].to_vec();
        let branch = TextRequest { forced, max_tokens: 24 - half, ..story(1) };
        assert_eq!(write(&mut used, &branch).tokens, fresh.tokens, "taken up after {half}");
        assert_eq!(write(&mut TextWriter::new(model.clone()), &branch).tokens, fresh.tokens, "taken up afresh");
    }
    assert_ne!(write(&mut used, &story(2)).tokens, fresh.tokens, "another seed");
    assert_eq!(write(&mut TextWriter::new(self::model(1)), &story(1)).tokens, fresh.tokens, "one thread");
}

#[test]
fn a_conversation_is_answered_and_ends_by_itself() {
    let content = "What is the capital of France? Answer in one short sentence.".to_owned();
    let request = TextRequest {
        prompt: Prompt::Chat(vec![ChatMessage { role: Role::User, content }]),
        sampler: SamplerSettings { temperature: 0.0, ..Default::default() },
        max_tokens: 60,
        ..Default::default()
    };
    let outcome = write(&mut TextWriter::new(model(2)), &request);
    assert!(outcome.text.contains("Paris"), "{:?}", outcome.text);
    assert_eq!(outcome.stop_reason, StopReason::EndOfText);
}

#[test]
fn chinese_comes_in_whole_characters() {
    let request = TextRequest {
        prompt: Prompt::Raw("春天来了，万物复苏。".to_owned()),
        sampler: SamplerSettings { temperature: 0.0, ..Default::default() },
        ignore_eos: true,
        max_tokens: 24,
        ..Default::default()
    };
    let outcome = write(&mut TextWriter::new(model(2)), &request);
    assert!(!outcome.text.contains('\u{fffd}'), "{:?}", outcome.text);
    assert!(outcome.text.chars().any(|c| ('\u{4e00}'..'\u{a000}').contains(&c)), "{:?}", outcome.text);
}

/// Set in the process that measures: other tests of this program would run beside it here.
#[cfg(target_os = "linux")]
const MEASURES: &str = "ATELIER_TEST_MEASURES_MEMORY";

#[test]
#[cfg(target_os = "linux")]
fn memory_stays_flat_over_two_hundred_generations() {
    if std::env::var_os(MEASURES).is_some() {
        return measure_memory();
    }
    let program = std::env::current_exe().expect("this program");
    let mut alone = std::process::Command::new(program);
    alone.args(["memory_stays_flat_over_two_hundred_generations", "--exact", "--nocapture"]).env(MEASURES, "1");
    let ran = alone.output().expect("it starts");
    let said = String::from_utf8_lossy(&ran.stdout);
    println!("{said}");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(said.contains("resident memory:"), "it measured");
}

#[cfg(target_os = "linux")]
fn measure_memory() {
    let resident_kb = || {
        let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line for it");
        line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).expect("a number")
    };
    let mut writer = TextWriter::new(model(2));
    let request = |i: u64| TextRequest {
        prompt: Prompt::Raw(format!("All of these begin with the same words, and then comes number {i}")),
        banned: vec!["the".to_owned()],
        stop: vec!["never to be seen".to_owned()],
        alternatives: 10,
        max_tokens: 3,
        seed: i,
        ..Default::default()
    };
    (0..20).for_each(|i| drop(write(&mut writer, &request(i))));
    let before = resident_kb();
    (20..220).for_each(|i| drop(write(&mut writer, &request(i))));
    let after = resident_kb();
    println!("resident memory: {before} kB after 20 generations, {after} kB after 220");
    assert!(after < before + 8_000, "{before} kB became {after} kB");
}
