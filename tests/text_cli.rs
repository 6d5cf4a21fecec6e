//! `atelier text` and `atelier render` as scripts see them.
#![allow(clippy::expect_used, reason = "a test stops at what it did not expect")]

mod common;

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_atelier"));
    command.args(args).env("LC_ALL", "en_GB.UTF-8").env("ATELIER_DATA", env!("CARGO_TARGET_TMPDIR"));
    command.stdin(Stdio::null());
    command
}

fn atelier(args: &[&str]) -> Output {
    command(args).output().expect("run atelier")
}

fn bundled() -> String {
    common::bundled_model().display().to_string()
}

fn stderr(ran: &Output) -> &str {
    std::str::from_utf8(&ran.stderr).expect("UTF-8")
}

/// One sentence on stderr, nothing on stdout.
fn refused(ran: &Output, code: i32, says: &str) {
    assert_eq!(ran.status.code(), Some(code), "{}", stderr(ran));
    assert!(ran.stdout.is_empty());
    assert_eq!(stderr(ran).lines().count(), 1, "{}", stderr(ran));
    assert!(stderr(ran).contains(says), "{}", stderr(ran));
}

#[test]
fn json_has_all_of_its_fields_and_the_text_is_the_streamed_one() {
    let model = bundled();
    let args = ["text", "--model", &model, "--prompt", "Once upon a time", "--max-tokens", "12", "--seed", "7"];
    let ran = atelier(&[&args[..], &["--json"]].concat());
    assert!(ran.status.success(), "{}", stderr(&ran));
    assert_eq!(ran.stdout.iter().filter(|&&byte| byte == b'\n').count(), 1);
    let json: Value = serde_json::from_slice(&ran.stdout).expect("one JSON object");
    let keys: Vec<&String> = json.as_object().expect("an object").keys().collect();
    assert_eq!(
        keys,
        [
            "model",
            "text",
            "tokens",
            "prompt_tokens",
            "generated_tokens",
            "load_s",
            "prefill_s",
            "prefill_tokens_per_s",
            "decode_s",
            "decode_tokens_per_s",
            "seed",
            "stop_reason"
        ]
    );
    assert_eq!((&json["prompt_tokens"], &json["seed"]), (&4.into(), &7.into()));
    assert_eq!(json["tokens"].as_array().map(Vec::len), Some(12));
    assert_eq!(json["stop_reason"], "max_tokens");

    let streamed = atelier(&[&args[..], &["--threads", "1"]].concat());
    assert!(streamed.status.success());
    let text = json["text"].as_str().expect("text").to_owned() + "\n";
    assert_eq!(std::str::from_utf8(&streamed.stdout).expect("UTF-8").trim_end(), text.trim_end());
    assert!(stderr(&streamed).contains("seed 7"));
}

#[test]
fn a_saved_text_renders_to_the_same_bytes() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = |name: &str| dir.path().join(name).display().to_string();
    let (first, second) = (path("故事 1.md"), path("again.md"));
    let mut ran = command(&[
        "text",
        "--prompt",
        "-",
        "--chat",
        "--system",
        "You are brief.",
        "--max-tokens",
        "16",
        "--stop",
        "zzz",
        "--out",
        &first,
    ])
    .stdin(Stdio::piped())
    .stdout(Stdio::piped())
    .stderr(Stdio::piped())
    .spawn()
    .expect("run atelier");
    ran.stdin.take().expect("piped").write_all("Say something about rain, 谢谢.".as_bytes()).expect("it reads");
    let ran = ran.wait_with_output().expect("it ends");
    assert!(ran.status.success(), "{}", stderr(&ran));
    let saved = std::fs::read(&first).expect("saved");
    assert!(!saved.is_empty());

    let rendered = atelier(&["render", &first, "--out", &second]);
    assert!(rendered.status.success(), "{}", stderr(&rendered));
    assert_eq!(std::fs::read(&second).expect("rendered"), saved);
    assert!(Path::new(&(second.clone() + ".atelier.json")).exists());
    // What was rendered can be rendered.
    std::fs::remove_file(&first).expect("remove");
    assert!(atelier(&["render", &second, "--out", &first]).status.success());
    assert_eq!(std::fs::read(&first).expect("rendered"), saved);

    let recipe_path = first.clone() + ".atelier.json";
    let recipe = std::fs::read_to_string(&recipe_path).expect("recipe");
    let third = path("third.md");
    let with = |from: &str, to: &str, says: &str| {
        let changed = recipe.replacen(from, to, 1);
        assert_ne!(changed, recipe, "{from}");
        write(&recipe_path, changed.as_bytes());
        refused(&atelier(&["render", &first, "--out", &third]), 1, says);
        assert!(!Path::new(&third).exists(), "nothing is saved when it fails");
    };
    with("You are brief.", "You are a pirate.", "");
    with("\"smollm2-135m-instruct\"", "\"gone.gguf\"", "gone.gguf");
    let json: Value = serde_json::from_str(&recipe).expect("JSON");
    let sha256 = json["generations"][0]["model"]["sha256"].as_str().expect("a hash");
    with(sha256, &"0".repeat(64), "is not the one that wrote this text");
    let sha256 = json["sha256"].as_str().expect("a hash");
    with(sha256, &"0".repeat(64), "is not the one that was saved");
    with("\"pieces\"", "\"peaces\"", "damaged");
    with("\"format\": 1", "\"format\": 9", "newer version");
    write(&recipe_path, b"\xff");
    refused(&atelier(&["render", &first, "--out", &third]), 1, "UTF-8");
    std::fs::remove_file(&recipe_path).expect("remove");
    refused(&atelier(&["render", &first, "--out", &third]), 1, "atelier.json");
}

#[expect(clippy::disallowed_methods, reason = "a test damages a file on purpose")]
fn write(path: &str, bytes: &[u8]) {
    std::fs::write(path, bytes).expect("write");
}

#[test]
fn what_makes_no_sense_is_refused_in_one_sentence() {
    let model = bundled();
    for (args, says) in [
        (&["--prompt", "x", "--system", "y"][..], "--chat"),
        (&["--prompt", "x", "--max-tokens", "many"], "many"),
        (&["--prompt", "x", "--threads", "0"], "0"),
        (&["--prompt", "x", "--temperature", "nan"], "temperature"),
        (&["--prompt", "x", "--temperature", "-1"], "is -1; give it a number between 0 and 100"),
        (&["--prompt", "x", "--top-p", "5"], "top_p"),
        (&["--chat"], "--prompt"),
    ] {
        refused(&atelier(&[&["text", "--model", &model], args].concat()), 2, says);
    }
    refused(&atelier(&["text", "--model", "no-such-model", "--prompt", "x"]), 1, "no-such-model");
    refused(&atelier(&["text", "--model", env!("CARGO_MANIFEST_DIR"), "--prompt", "x"]), 1, "is a folder");
    refused(&atelier(&["text", "--model", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"), "--prompt", "x"]), 1, "");
    let long = "x".repeat(1001);
    refused(&atelier(&["text", "--model", &model, "--prompt", "x", "--stop", &long, "--json"]), 1, "stop strings");
}
