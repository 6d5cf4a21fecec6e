//! A thread pool for many tiny parallel regions: a region costs a few hundred nanoseconds and allocates
//! nothing. Workers spin for about a millisecond after the last region, then park, so an idle studio
//! uses no processor time.
//!
//! A region is a number of tasks; the calling thread and the workers take them one by one. The caller
//! never waits for a worker that has not begun: one that the system has put to sleep costs nothing but
//! its share of the work. Which thread runs a task is not fixed, so a task must compute the same values
//! wherever it runs.
#![allow(unsafe_code)]

use std::{
    any::Any,
    cell::{Cell, UnsafeCell},
    hint::spin_loop,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle, Thread},
    time::{Duration, Instant},
};

use super::priority::give_way;

/// How long a worker looks for the next region before it parks.
const SPIN: Duration = Duration::from_millis(1);
/// The same for workers that go before other threads: little is done between the pieces of what is due soon, and others
/// want the core meanwhile.
const URGENT_SPIN: Duration = Duration::from_micros(60);
/// Spins between two looks at the clock.
const SPINS_PER_LOOK: u32 = 256;
/// Spins of the caller at the end of a region before it offers its core to others.
const SPINS_BEFORE_YIELD: u32 = 20_000;

/// `state`: the region's number from bit 32 up, whether it is open, and how many workers are inside.
const OPEN: u64 = 1 << 31;
const INSIDE: u64 = OPEN - 1;
const NUMBER: u32 = 32;

thread_local! {
    /// Set while this thread runs a task: a region begun inside a task runs on the spot.
    static IN_TASK: Cell<bool> = const { Cell::new(false) };
}

/// Keeps what different threads write on different cache lines.
#[repr(align(128))]
struct Apart<T>(T);

/// The closure of the current region, its type erased.
#[derive(Clone, Copy)]
struct Job {
    call: unsafe fn(*const (), usize),
    data: *const (),
    tasks: usize,
}

unsafe fn call_nothing(_: *const (), _: usize) {}

unsafe fn call_task<F: Fn(usize) + Sync>(data: *const (), task: usize) {
    // SAFETY: `Pool::run` made `data` from a `&F` that outlives the region.
    let body = unsafe { &*data.cast::<F>() };
    body(task);
}

struct Shared {
    state: Apart<AtomicU64>,
    next: Apart<AtomicUsize>,
    /// Written by the caller while the region is closed and empty, read by workers inside it.
    job: Apart<UnsafeCell<Job>>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    stop: AtomicBool,
    parked: Vec<AtomicBool>,
    spin: Duration,
}

// SAFETY: `job` is the only part that is not `Sync` by itself. `Pool::run` writes it while the region is
// closed with nobody inside, and a worker reads it only after it entered an open region; the acquire and
// release operations on `state` order the two. `data` in it points to a `Sync` closure.
unsafe impl Sync for Shared {}
// SAFETY: as above; nothing in it belongs to one thread.
unsafe impl Send for Shared {}

/// Threads that run parallel regions. Dropping it joins them.
pub struct Pool {
    shared: Arc<Shared>,
    /// One region at a time; a second caller waits its turn.
    region: Mutex<()>,
    workers: Vec<JoinHandle<()>>,
    handles: Vec<Thread>,
}

impl Pool {
    /// A pool in which `threads` threads work: the caller and `threads - 1` workers. Workers that the
    /// system refuses to start are done without.
    pub fn new(threads: usize) -> Self {
        Self::with(threads, "kernel", SPIN, || {})
    }

    /// A pool for what is due soon, as many threads as [`Self::global`]. `begin` is called by every worker first, to have
    /// the system let it go before others: whoever waits for a region waits for the slowest of its threads.
    pub fn urgent(begin: impl Fn() + Clone + Send + 'static) -> Self {
        Self::with(physical_cores(), "urgent", URGENT_SPIN, begin)
    }

    fn with(threads: usize, name: &str, spin: Duration, begin: impl Fn() + Clone + Send + 'static) -> Self {
        let count = threads.clamp(1, 256) - 1;
        let shared = Arc::new(Shared {
            state: Apart(AtomicU64::new(0)),
            next: Apart(AtomicUsize::new(0)),
            job: Apart(UnsafeCell::new(Job { call: call_nothing, data: std::ptr::null(), tasks: 0 })),
            panic: Mutex::new(None),
            stop: AtomicBool::new(false),
            parked: (0..count).map(|_| AtomicBool::new(false)).collect(),
            spin,
        });
        let workers: Vec<_> = (0..count)
            .map_while(|index| {
                let (shared, begin) = (Arc::clone(&shared), begin.clone());
                let work = move || {
                    begin();
                    work(&shared, index);
                };
                thread::Builder::new().name(format!("{name}-{}", index + 1)).spawn(work).ok()
            })
            .collect();
        let handles = workers.iter().map(|worker| worker.thread().clone()).collect();
        Self { shared, region: Mutex::new(()), workers, handles }
    }

    /// The pool of the process, with a thread for each physical core; started on first use.
    pub fn global() -> &'static Self {
        static GLOBAL: OnceLock<Pool> = OnceLock::new();
        GLOBAL.get_or_init(|| Self::new(physical_cores()))
    }

    /// How many threads work in a region, the caller counted.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Runs `body(0)` … `body(tasks - 1)`, each once, on the threads of the pool, and returns when all are
    /// done. Inside a task it runs them one after another on the same thread.
    ///
    /// # Panics
    /// Passes on the first panic of a task, after the region has ended.
    pub fn run<F: Fn(usize) + Sync>(&self, tasks: usize, body: F) {
        give_way();
        if tasks <= 1 || self.workers.is_empty() || IN_TASK.get() {
            (0..tasks).for_each(body);
            return;
        }
        self.open(self.region.lock().unwrap_or_else(PoisonError::into_inner), tasks, &body);
    }

    /// As [`Self::run`], but while another region runs, all tasks run on the calling thread: for whoever must not wait.
    ///
    /// # Panics
    /// As [`Self::run`].
    pub fn run_unless_busy<F: Fn(usize) + Sync>(&self, tasks: usize, body: F) {
        let free = tasks > 1 && !self.workers.is_empty() && !IN_TASK.get();
        let turn = match self.region.try_lock() {
            Ok(turn) => Some(turn),
            Err(TryLockError::Poisoned(turn)) => Some(turn.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        };
        match turn.filter(|_| free) {
            Some(turn) => self.open(turn, tasks, &body),
            None => (0..tasks).for_each(body),
        }
    }

    /// Runs a region whose turn it is.
    fn open<F: Fn(usize) + Sync>(&self, turn: MutexGuard<'_, ()>, tasks: usize, body: &F) {
        let shared = &*self.shared;
        let job = Job { call: call_task::<F>, data: std::ptr::from_ref(body).cast(), tasks };
        // SAFETY: this thread holds `region` and the last region ended with nobody inside.
        unsafe { *shared.job.0.get() = job };
        shared.next.0.store(0, Ordering::Relaxed);
        let number = (shared.state.0.load(Ordering::Relaxed) >> NUMBER).wrapping_add(1);
        // Sequentially consistent against `parked`: a worker either sees the region or is seen parked.
        shared.state.0.store((number << NUMBER) | OPEN, Ordering::SeqCst);
        for (parked, handle) in shared.parked.iter().zip(&self.handles) {
            if parked.load(Ordering::SeqCst) {
                handle.unpark();
            }
        }
        take_tasks(shared, &job);
        shared.state.0.fetch_and(!OPEN, Ordering::AcqRel);
        let mut spins = 0_u32;
        while shared.state.0.load(Ordering::Acquire) & INSIDE != 0 {
            spins += 1;
            if spins < SPINS_BEFORE_YIELD { spin_loop() } else { thread::yield_now() }
        }
        let panic = shared.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(turn);
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }

    /// Splits `0..items` into consecutive ranges of at least `grain` items and runs `body(start, end)` on
    /// each: few enough to keep the overhead low, enough that a thread held up elsewhere does not delay
    /// the others.
    pub fn run_ranges<F: Fn(usize, usize) + Sync>(&self, items: usize, grain: usize, body: F) {
        if items == 0 {
            return;
        }
        let most = if self.threads() == 1 { 1 } else { self.threads() * 4 };
        let tasks = (items / grain.max(1)).clamp(1, most);
        self.run(tasks, |task| body(items * task / tasks, items * (task + 1) / tasks));
    }

    /// Runs `body(index, row)` on every row of `width` elements of `data`, in ranges of at least `grain` rows.
    ///
    /// # Panics
    /// When `data` is not whole rows.
    pub fn run_rows<T: Send>(&self, data: &mut [T], width: usize, grain: usize, body: impl Fn(usize, &mut [T]) + Sync) {
        assert!(width > 0 && data.len().is_multiple_of(width));
        let base = Base(data.as_mut_ptr());
        self.run_ranges(data.len() / width, grain, |start, end| {
            for index in start..end {
                // SAFETY: the row lies in `data`, and each index belongs to one range.
                body(index, unsafe { base.row(index, width) });
            }
        });
    }
}

/// The start of a slice whose rows go to different tasks.
struct Base<T>(*mut T);

// SAFETY: `run_rows` gives each row to one task only; `T: Send` lets a task have it.
unsafe impl<T: Send> Sync for Base<T> {}

impl<T> Base<T> {
    /// # Safety
    /// The row must lie in the slice and be borrowed once.
    #[expect(clippy::mut_from_ref, reason = "the caller promises that nobody else has this row")]
    unsafe fn row(&self, index: usize, width: usize) -> &mut [T] {
        // SAFETY: as the caller promises.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(index * width), width) }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for worker in self.workers.drain(..) {
            worker.thread().unpark();
            // A worker catches the panics of its tasks, so joining cannot report one.
            let _ = worker.join();
        }
    }
}

/// Takes tasks until none is left. A panic ends this thread's part and is kept for the caller.
fn take_tasks(shared: &Shared, job: &Job) {
    IN_TASK.set(true);
    let result = catch_unwind(AssertUnwindSafe(|| {
        loop {
            let task = shared.next.0.fetch_add(1, Ordering::Relaxed);
            if task >= job.tasks {
                break;
            }
            // SAFETY: the region is open or this thread is counted inside it, so the closure is alive.
            unsafe { (job.call)(job.data, task) };
        }
    }));
    IN_TASK.set(false);
    if let Err(panic) = result {
        // Nobody need begin the tasks that are left.
        shared.next.0.store(job.tasks, Ordering::Relaxed);
        shared.panic.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(panic);
    }
}

/// A worker's life: wait for a region, enter it, take tasks, leave.
fn work(shared: &Shared, index: usize) {
    let mut last = 0;
    while let Some(number) = next_region(shared, index, last) {
        last = number;
        // SAFETY: this worker is counted inside the region, so the caller does not touch `job`.
        let job = unsafe { *shared.job.0.get() };
        take_tasks(shared, &job);
        shared.state.0.fetch_sub(1, Ordering::Release);
    }
}

/// Enters the next open region after number `last` and returns its number; `None` when the pool is dropped.
fn next_region(shared: &Shared, index: usize, last: u64) -> Option<u64> {
    let mut idle_since: Option<Instant> = None;
    let mut spins = 0_u32;
    loop {
        let state = shared.state.0.load(Ordering::SeqCst);
        let number = state >> NUMBER;
        if state & OPEN != 0 && number != last {
            let entered =
                shared.state.0.compare_exchange_weak(state, state + 1, Ordering::Acquire, Ordering::Relaxed).is_ok();
            if entered {
                return Some(number);
            }
            continue;
        }
        if shared.stop.load(Ordering::SeqCst) {
            return None;
        }
        spin_loop();
        spins = spins.wrapping_add(1);
        if spins.is_multiple_of(SPINS_PER_LOOK) && idle_since.get_or_insert_with(Instant::now).elapsed() >= shared.spin
        {
            park(shared, index, state);
            idle_since = None;
        }
    }
}

/// Sleeps until a region opens or the pool is dropped; returns at once if that happened since `seen`.
fn park(shared: &Shared, index: usize, seen: u64) {
    let Some(parked) = shared.parked.get(index) else { return };
    parked.store(true, Ordering::SeqCst);
    while shared.state.0.load(Ordering::SeqCst) == seen && !shared.stop.load(Ordering::SeqCst) {
        thread::park();
    }
    parked.store(false, Ordering::SeqCst);
}

/// The number of physical cores that this process may use. Two hardware threads of one core share the
/// multipliers and the memory path that these kernels saturate.
pub fn physical_cores() -> usize {
    let logical = thread::available_parallelism().map_or(1, usize::from);
    let cores = (0..1024)
        .map_while(|cpu| {
            let path = format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
            std::fs::read_to_string(path).ok()
        })
        .collect::<std::collections::HashSet<_>>()
        .len();
    if cores == 0 { logical } else { cores.min(logical) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    #[test]
    fn every_task_runs_exactly_once_in_many_regions() {
        for threads in [1, 2, 3, 5] {
            let pool = Pool::new(threads);
            assert_eq!(pool.threads(), threads);
            for region in 0..2000_usize {
                let tasks = region % 17;
                let counts: Vec<AtomicU32> = (0..tasks).map(|_| AtomicU32::new(0)).collect();
                pool.run(tasks, |task| {
                    counts[task].fetch_add(1, Ordering::Relaxed);
                });
                assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1), "region {region}");
            }
        }
    }

    #[test]
    fn who_must_not_wait_does_all_of_it_while_another_region_runs() {
        let pool = Pool::new(3);
        for busy in [false, true] {
            let turn = busy.then(|| pool.region.lock().expect("free"));
            let counts: Vec<AtomicU32> = (0..9).map(|_| AtomicU32::new(0)).collect();
            let (caller, elsewhere) = (thread::current().id(), AtomicU32::new(0));
            pool.run_unless_busy(9, |task| {
                elsewhere.fetch_add(u32::from(thread::current().id() != caller), Ordering::Relaxed);
                counts[task].fetch_add(1, Ordering::Relaxed);
            });
            assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1));
            assert!(!busy || elsewhere.load(Ordering::Relaxed) == 0);
            drop(turn);
        }
    }

    #[test]
    fn ranges_cover_everything_once_and_respect_the_grain() {
        let pool = Pool::new(3);
        for items in [0_usize, 1, 7, 64, 1000] {
            let counts: Vec<AtomicU32> = (0..items).map(|_| AtomicU32::new(0)).collect();
            pool.run_ranges(items, 8, |start, end| {
                assert!(end - start >= 8.min(items));
                for count in &counts[start..end] {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
            assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1));
        }
    }

    #[test]
    fn rows_go_to_tasks_once_each() {
        let pool = Pool::new(3);
        let mut data = vec![0_usize; 7 * 50];
        pool.run_rows(&mut data, 7, 1, |index, row| row.iter_mut().for_each(|x| *x += index + 1));
        assert!(data.iter().enumerate().all(|(at, x)| *x == at / 7 + 1));
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_still_works() {
        let pool = Pool::new(2);
        for _ in 0..50 {
            let caught = catch_unwind(AssertUnwindSafe(|| pool.run(8, |task| assert!(task != 3, "task three"))));
            assert!(caught.is_err());
            let sum = AtomicUsize::new(0);
            pool.run(8, |task| {
                sum.fetch_add(task, Ordering::Relaxed);
            });
            assert_eq!(sum.into_inner(), 28);
        }
    }

    #[test]
    fn workers_wake_after_they_parked() {
        let pool = Pool::new(2);
        for _ in 0..5 {
            thread::sleep(SPIN * 4);
            // Both tasks must be running at once for this to end: the worker did wake.
            let barrier = std::sync::Barrier::new(2);
            pool.run(2, |_| {
                barrier.wait();
            });
        }
    }

    #[test]
    fn a_region_inside_a_task_and_callers_side_by_side_both_finish() {
        let pool = Pool::new(2);
        let count = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        pool.run(4, |_| {
                            pool.run(3, |_| {
                                count.fetch_add(1, Ordering::Relaxed);
                            });
                        });
                    }
                });
            }
        });
        assert_eq!(count.into_inner(), 3 * 200 * 12);
    }
}
