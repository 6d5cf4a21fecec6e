//! What only shows in a process of its own: leaks, and being killed. The test runs itself again as that process.

use std::{
    fs,
    process::{Child, Command, Stdio},
};

use super::*;

/// The variable that tells a test to be the child, and what to work on.
const CHILD: &str = "ATELIER_TEST_CHILD";

/// Runs the test of this name again, alone, in a process of its own.
fn child(test: &str, value: &str) -> Child {
    let this = std::env::current_exe().expect("this program");
    let name = format!("engine::tests::endurance::{test}");
    let mut command = Command::new(this);
    command.args([&name, "--exact", "--test-threads=1"]).env(CHILD, value);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("start this program again")
}

#[test]
#[cfg(target_os = "linux")]
fn two_hundred_generations_leave_nothing_behind() {
    if std::env::var_os(CHILD).is_none() {
        let ran = child("two_hundred_generations_leave_nothing_behind", "1").wait_with_output().expect("child");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
        return;
    }
    // The pools live as long as the process.
    crate::kernels::pool::Pool::global();
    super::super::urgent_pool();
    let threads_before = status("Threads:");
    let mut window = Window::with_model("m");
    let mut generate = |jobs: std::ops::Range<Job>| {
        for job in jobs {
            window.write(job, if job % 10 == 0 { "panic" } else { "go" }, 1000);
            window.outcome(job);
            window.seen.clear();
        }
    };
    generate(1..50);
    let kib_before = status("VmRSS:");
    generate(50..250);
    let kib_after = status("VmRSS:");
    assert!(kib_after < kib_before + 2048, "grew from {kib_before} to {kib_after} KiB");
    assert!(super::super::lock(&window.engine.jobs.flags).is_empty(), "all jobs are forgotten");
    let traces = window.traces.clone();
    drop(window);
    assert_eq!(status("Threads:"), threads_before);
    assert_eq!(traces.open_now.load(std::sync::atomic::Ordering::Relaxed), 0);
}

/// A number from this process's status.
#[cfg(target_os = "linux")]
pub(super) fn status(field: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("field");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("number")
}

/// A killed program leaves the old document or the new one, never a part.
#[test]
#[cfg(unix)]
fn killed_while_it_saves() {
    let document = |letter: u8| vec![letter; 3_000_000];
    if let Some(path) = std::env::var_os(CHILD) {
        let mut window = Window::new();
        for job in 0.. {
            let files = vec![(std::path::PathBuf::from(&path), document(b'a' + (job % 26) as u8))];
            window.send(UiCommand::WriteFiles { job, files });
            window.outcome(job);
            window.seen.clear();
        }
    }
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("document.json");
    for round in 0..12_u64 {
        let mut child = child("killed_while_it_saves", path.to_str().expect("UTF-8"));
        while !path.exists() {
            std::thread::yield_now();
        }
        // Another moment of a save each round.
        std::thread::sleep(Duration::from_millis(20) + Duration::from_micros(round * 777));
        child.kill().expect("kill -9");
        child.wait().expect("wait");
        let bytes = fs::read(&path).expect("the document");
        assert!(bytes == document(bytes[0]), "round {round}: {} bytes", bytes.len());
    }
}
