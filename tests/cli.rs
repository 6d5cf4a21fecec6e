//! The binary as scripts see it: exit codes, what goes to which stream, and the shape of its JSON.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

/// Runs `atelier` in an English locale with a data folder of its own.
fn atelier(args: &[&str]) -> Output {
    command(args).output().expect("run atelier")
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_atelier"));
    command.args(args).env("LC_ALL", "en_GB.UTF-8").env("ATELIER_DATA", env!("CARGO_TARGET_TMPDIR"));
    command.stdin(Stdio::null());
    command
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn wrong_usage_is_one_sentence_and_exit_code_2() {
    for args in [
        &["frobnicate"][..],
        &["--verion"],
        &["--frob"],
        &["forward"],
        &["forward", "--model", "a", "--in", "b", "--out", "c", "--set", "nhead"],
    ] {
        let ran = atelier(args);
        assert_eq!(ran.status.code(), Some(2), "{args:?}");
        assert!(ran.stdout.is_empty(), "{args:?}");
        let said = text(&ran.stderr);
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.starts_with("atelier: ") && said.ends_with(".\n"), "{said}");
    }
}

#[test]
fn sentences_follow_the_locale() {
    let ran = command(&["frobnicate"]).env("LC_ALL", "zh_CN.UTF-8").output().expect("run atelier");
    assert_eq!(ran.status.code(), Some(2));
    assert!(text(&ran.stderr).contains("查看用法"), "{}", text(&ran.stderr));
}

#[test]
fn the_version_goes_to_stdout() {
    let ran = atelier(&["--version"]);
    assert_eq!(ran.status.code(), Some(0));
    assert_eq!(text(&ran.stdout), format!("atelier {}\n", env!("CARGO_PKG_VERSION")));
    assert!(ran.stderr.is_empty());
}

#[test]
#[cfg(unix)]
fn a_reader_that_leaves_is_met_with_silence() {
    let (reader, writer) = std::io::pipe().expect("pipe");
    drop(reader);
    let ran = command(&["--help"]).stdout(writer).stderr(Stdio::piped()).output().expect("run atelier");
    assert_eq!(ran.status.code(), Some(0));
    assert!(ran.stderr.is_empty(), "{}", text(&ran.stderr));
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error() {
    let full = std::fs::File::options().write(true).open("/dev/full").expect("open");
    let ran = command(&["--help"]).stdout(full).stderr(Stdio::piped()).output().expect("run atelier");
    assert_eq!(ran.status.code(), Some(1));
    assert!(text(&ran.stderr).contains("Could not print"), "{}", text(&ran.stderr));
}

#[test]
fn forward_gives_pytorchs_output() {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/sketch");
    let dir = tempfile::tempdir().expect("temporary folder");
    for (network, settings) in [("transformer", &["--set", "nhead=3"][..]), ("wavenet", &[])] {
        let (model, io) = (format!("{fixtures}/{network}.safetensors"), format!("{fixtures}/{network}_io.safetensors"));
        let out = dir.path().join(network);
        let args = ["forward", "--model", &model, "--in", &io, "--out", out.to_str().expect("UTF-8")];
        let ran = atelier(&[&args, settings].concat());
        assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
        assert!(ran.stdout.is_empty() && ran.stderr.is_empty());
        let (ours, theirs) = (output_of(&out), output_of(Path::new(&io)));
        assert_eq!(ours.len(), theirs.len());
        assert!(ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() < 1e-4), "{network}");
    }
}

fn output_of(path: &Path) -> Vec<f32> {
    let tensors = atelier::formats::safetensors::load(path).expect("tensors");
    tensors["output"].flatten_all().and_then(|flat| flat.to_vec1()).expect("numbers")
}

#[test]
fn what_cannot_be_done_is_one_sentence_and_exit_code_1() {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/sketch");
    let (weights, io) = (format!("{fixtures}/wavenet.safetensors"), format!("{fixtures}/wavenet_io.safetensors"));
    let out = concat!(env!("CARGO_TARGET_TMPDIR"), "/never.safetensors");
    for (model, input) in
        [("no such file", io.as_str()), (&weights, &weights), (&io, &io), (fixtures, &io), (&weights, "/dev/null")]
    {
        let ran = atelier(&["forward", "--model", model, "--in", input, "--out", out]);
        assert_eq!(ran.status.code(), Some(1), "{model} {input}");
        let said = text(&ran.stderr);
        assert!(said.starts_with("atelier: ") && said.lines().count() == 1, "{said}");
        assert!(ran.stdout.is_empty() && !Path::new(out).exists());
    }
}

#[test]
fn models_are_listed_for_people_and_for_scripts() {
    let ran = atelier(&["models", "--json"]);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    assert!(ran.stderr.is_empty() && text(&ran.stdout).lines().count() == 1);
    let models: serde_json::Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    let all = models.as_array().expect("a list");
    let model = all.iter().find(|model| model["name"] == "smollm2-135m-instruct").expect("bundled");
    let keys: Vec<_> = model.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["name", "kind", "family", "licence", "size_bytes", "source"]);
    for kind in ["text", "image", "audio", "upscale"] {
        assert!(all.iter().any(|model| model["kind"] == kind), "{kind}");
    }
    assert_eq!((model["kind"].as_str(), model["family"].as_str()), (Some("text"), Some("llama")));
    assert_eq!(model["size_bytes"], 98_362_432);
    let ran = atelier(&["models"]);
    assert_eq!(ran.status.code(), Some(0));
    let listed = text(&ran.stdout);
    assert!(listed.lines().any(|line| line.starts_with("smollm2-135m-instruct  text")), "{listed}");
}

#[test]
#[cfg(target_os = "linux")]
fn without_a_display_the_window_says_so() {
    let mut command = command(&[]);
    for variable in ["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET"] {
        command.env_remove(variable);
    }
    let ran = command.output().expect("run atelier");
    assert_eq!(ran.status.code(), Some(1));
    assert!(ran.stdout.is_empty());
    let said = text(&ran.stderr);
    assert!(said.contains("there is no display") && said.lines().count() == 1, "{said}");
}
