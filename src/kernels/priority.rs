//! How threads share the cores.
#![allow(unsafe_code)]

/// How much a thread that computes stands back: one that must not wait gets nine tenths of a core that both want.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const NICE: i32 = 10;

/// Lets every other thread go before the calling one, and before those that it starts: for whatever computes while sound
/// is played and the window is drawn. Elsewhere than on Linux the system shares as it sees fit.
pub fn stand_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: the call takes three numbers; with 0 it is about the calling thread. Should it fail, all is as it was.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, NICE);
    }
}

/// Lets the calling thread, and those that it starts, go before every other, where the system allows it to this user: for
/// what must keep up with a clock. Where it does not, nothing changes, and the thread's number in the system is given, with
/// how far ahead it should go (negative), for whoever can ask elsewhere.
pub fn go_ahead() -> Option<(u64, i32)> {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: as above.
    unsafe {
        if libc::setpriority(libc::PRIO_PROCESS, 0, -NICE) != 0 {
            return u64::try_from(libc::gettid()).ok().map(|thread| (thread, -NICE));
        }
    }
    None
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_stands_back_alone_and_with_those_that_it_starts() {
        let nice = || {
            // SAFETY: as above.
            unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) }
        };
        let before = nice();
        let start =
            |run: fn() -> [i32; 2]| std::thread::Builder::new().spawn(run).expect("a thread").join().expect("ends");
        let inside = start(|| {
            stand_back();
            // SAFETY: as above.
            let nice = || unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
            [nice(), std::thread::Builder::new().spawn(nice).expect("a thread").join().expect("ends")]
        });
        assert_eq!(inside, [NICE.max(before); 2]);
        assert_eq!(nice(), before);
        // Not everybody may go ahead; whoever may not stays where they are.
        let ahead = start(|| {
            // SAFETY: as above.
            let nice = || unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
            let before = nice();
            let refused = go_ahead();
            assert_eq!(refused.is_some(), nice() != -NICE);
            [before, nice()]
        });
        assert!([ahead[0], -NICE].contains(&ahead[1]), "{ahead:?}");
        assert_eq!(nice(), before);
    }
}
