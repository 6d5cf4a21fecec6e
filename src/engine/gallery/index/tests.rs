//! Where the index lies.
#![allow(clippy::disallowed_methods, reason = "tests put files in place")]

use super::*;

#[test]
fn an_index_is_made_once_and_the_lock_is_one() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (index, told) = Index::open(dir.path());
    let mut index = index.expect("an index");
    assert!(told.is_none() && index.path() == dir.path().join(INDEX));
    let mut other = Index::open(dir.path()).0.expect("a second one");
    other.db.busy_timeout(Duration::ZERO).expect("set");
    index
        .alone(|_| {
            assert!(other.alone(|_| Ok(())).is_err());
            Ok(())
        })
        .expect("alone");
    other.alone(|_| Ok(())).expect("now");
}

#[test]
fn what_is_no_fault_of_the_file_is_told_apart() {
    let dir = tempfile::tempdir().expect("temporary folder");
    fs::create_dir(dir.path().join("folder")).expect("a folder");
    let error = Index::opened(&dir.path().join("folder")).err().expect("a folder is no file");
    assert!(!is_damage(&error), "{error}");
    fs::write(dir.path().join("text"), "x".repeat(5000)).expect("written");
    let error = Index::opened(&dir.path().join("text")).err().expect("text is no index");
    assert!(is_damage(&error), "{error}");
}

#[test]
fn windows_that_make_an_index_at_once_share_it() {
    for round in 0..20 {
        let dir = tempfile::tempdir().expect("temporary folder");
        let ready = std::sync::Barrier::new(4);
        let told: Vec<_> = std::thread::scope(|scope| {
            let open = || {
                ready.wait();
                let (index, told) = Index::open(dir.path());
                (index.map(|index| index.path().to_owned()), told)
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
            threads.into_iter().map(|thread| thread.join().expect("an end")).collect()
        });
        for (path, told) in told {
            assert_eq!((path, told), (Some(dir.path().join(INDEX)), None), "round {round}");
        }
    }
}
