//! How threads share the cores.
#![allow(unsafe_code)]

use std::{
    cell::Cell,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

/// How much a thread that computes stands back: one that must not wait gets nine tenths of a core that both want.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const NICE: i32 = 10;

/// The longest that one kernel call waits for those that are late, so that whatever waits still gets on.
const LONGEST_WAIT: Duration = Duration::from_millis(40);
/// Between two looks at whether they still are.
const LOOK: Duration = Duration::from_millis(1);

/// How many are late in this process.
static LATE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static STANDS_BACK: Cell<bool> = const { Cell::new(false) };
}

/// What must keep up with a clock says here whether it is about to be late. While it is, kernels that are called from
/// threads that [`stand_back`] wait before they begin: a share of the cores alone, however large, does not help when
/// everything they share is slower for it.
#[derive(Debug)]
pub struct Deadline {
    late: &'static AtomicUsize,
    is_late: bool,
}

impl Default for Deadline {
    fn default() -> Self {
        Self { late: &LATE, is_late: false }
    }
}

impl Deadline {
    /// Late or not.
    pub fn set_late(&mut self, is_late: bool) {
        if is_late != self.is_late {
            self.is_late = is_late;
            if is_late {
                self.late.fetch_add(1, Ordering::Relaxed)
            } else {
                self.late.fetch_sub(1, Ordering::Relaxed)
            };
        }
    }

    /// Whether it is late.
    pub fn is_late(&self) -> bool {
        self.is_late
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.set_late(false);
    }
}

/// On threads that stand back: waits while somebody is late, for some hundredths of a second at most.
pub(super) fn give_way() {
    if LATE.load(Ordering::Relaxed) == 0 || !STANDS_BACK.get() {
        return;
    }
    let begun = Instant::now();
    while LATE.load(Ordering::Relaxed) > 0 && begun.elapsed() < LONGEST_WAIT {
        thread::sleep(LOOK);
    }
}

/// Lets every other thread go before the calling one, and before those that it starts: for whatever computes while sound
/// is played and the window is drawn. Elsewhere than on Linux the system shares as it sees fit, but for [`Deadline`]s.
pub fn stand_back() {
    STANDS_BACK.set(true);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_wait_for_whoever_is_late_if_they_stand_back_and_get_on_all_the_same() {
        let pool = crate::kernels::Pool::new(2);
        let mut deadline = Deadline::default();
        let run = |pool: &crate::kernels::Pool, times: usize| {
            let begun = Instant::now();
            (0..times).for_each(|_| pool.run(2, |_| {}));
            begun.elapsed()
        };
        deadline.set_late(true);
        thread::scope(|scope| {
            scope.spawn(|| {
                stand_back();
                assert!(run(&pool, 2) >= 2 * LONGEST_WAIT, "waits, and ends");
            });
        });
    }

    #[test]
    fn lateness_is_counted_once_and_ends_with_whoever_was_late() {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = || COUNT.load(Ordering::Relaxed);
        let (mut one, mut other) =
            (Deadline { late: &COUNT, is_late: false }, Deadline { late: &COUNT, is_late: false });
        one.set_late(true);
        one.set_late(true);
        other.set_late(true);
        assert_eq!(count(), 2);
        one.set_late(false);
        one.set_late(false);
        assert_eq!((count(), one.is_late(), other.is_late()), (1, false, true));
        drop(other);
        assert_eq!(count(), 0);
    }

    #[cfg(all(target_os = "linux", target_env = "gnu"))]
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
