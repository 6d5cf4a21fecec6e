//! Where a kernel runs: with which instructions, on which threads.

use std::{
    cell::Cell,
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use super::{Level, Pool, pool::physical_cores};

thread_local! {
    /// The pool that [`with_pool`] chose for this thread.
    static CHOSEN: Cell<Option<&'static Pool>> = const { Cell::new(None) };
}

/// Runs `work` with the kernels it calls on `threads` threads. Its results are the same with any number.
///
/// A pool is made for each number asked for and kept: idle ones use no processor time, and few numbers are ever asked for.
pub fn with_threads<R>(threads: usize, work: impl FnOnce() -> R) -> R {
    with_pool(pool_of(threads), work)
}

/// Runs `work` with the kernels it calls on this pool.
pub fn with_pool<R>(pool: &'static Pool, work: impl FnOnce() -> R) -> R {
    /// Puts back what was chosen before, whatever happens inside.
    struct Before(Option<&'static Pool>);
    impl Drop for Before {
        fn drop(&mut self) {
            CHOSEN.set(self.0);
        }
    }
    let _before = Before(CHOSEN.replace(Some(pool)));
    work()
}

fn pool_of(threads: usize) -> &'static Pool {
    static POOLS: Mutex<BTreeMap<usize, &'static Pool>> = Mutex::new(BTreeMap::new());
    let threads = threads.clamp(1, 256);
    if threads == physical_cores() {
        return Pool::global();
    }
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    pools.entry(threads).or_insert_with(|| Box::leak(Box::new(Pool::new(threads))))
}

/// The instructions and the threads of a kernel call. No result depends on the number of threads.
#[derive(Clone, Copy)]
pub struct Exec<'a> {
    pub level: Level,
    pub pool: &'a Pool,
}

impl Exec<'static> {
    /// The widest instructions, and the threads that [`with_threads`] chose or those of the process.
    pub fn current() -> Self {
        Self { level: Level::current(), pool: CHOSEN.get().unwrap_or_else(Pool::global) }
    }
}

/// Defines a function that enters the generic kernel `$body` with the vector type of `$exec.level`.
macro_rules! vectorised {
    ($(#[$meta:meta])* $vis:vis unsafe fn $name:ident = $body:ident($($arg:ident: $ty:ty),* $(,)?)) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        #[inline]
        $vis unsafe fn $name(level: $crate::kernels::Level, $($arg: $ty),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma,f16c")]
                #[allow(clippy::too_many_arguments)]
                unsafe fn avx2($($arg: $ty),*) {
                    // SAFETY: the caller's promise, passed on; the processor has the instructions.
                    unsafe { $body::<$crate::kernels::vector::Avx2>($($arg),*) }
                }
                if level >= $crate::kernels::Level::Avx2 {
                    // SAFETY: a `Level` in use is present; the rest is the caller's promise.
                    return unsafe { avx2($($arg),*) };
                }
            }
            let _ = level;
            // SAFETY: the caller's promise, passed on.
            unsafe { $body::<$crate::kernels::vector::Portable>($($arg),*) }
        }
    };
}
pub(crate) use vectorised;

/// As [`vectorised!`], for kernels generic over [`Wide`](crate::kernels::vector::Wide): with registers of sixteen lanes where
/// `$exec.level` has them.
macro_rules! widened {
    ($(#[$meta:meta])* $vis:vis unsafe fn $name:ident = $body:ident($($arg:ident: $ty:ty),* $(,)?)) => {
        $(#[$meta])*
        #[inline]
        $vis unsafe fn $name(level: $crate::kernels::Level, $($arg: $ty),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw,avx2,fma,f16c")]
                unsafe fn avx512($($arg: $ty),*) {
                    // SAFETY: the caller's promise, passed on; the processor has the instructions.
                    unsafe { $body::<$crate::kernels::vector::Avx512>($($arg),*) }
                }
                #[target_feature(enable = "avx2,fma,f16c")]
                unsafe fn avx2($($arg: $ty),*) {
                    // SAFETY: as above.
                    unsafe { $body::<$crate::kernels::vector::Avx2>($($arg),*) }
                }
                if level >= $crate::kernels::Level::Avx512 {
                    // SAFETY: a `Level` in use is present; the rest is the caller's promise.
                    return unsafe { avx512($($arg),*) };
                }
                if level >= $crate::kernels::Level::Avx2 {
                    // SAFETY: as above.
                    return unsafe { avx2($($arg),*) };
                }
            }
            let _ = level;
            // SAFETY: the caller's promise, passed on.
            unsafe { $body::<$crate::kernels::vector::Portable>($($arg),*) }
        }
    };
}
pub(crate) use widened;

/// A buffer that the tasks of a parallel region write to, each its own part.
#[derive(Clone, Copy)]
pub(crate) struct Shared<T>(*mut T, usize);

// SAFETY: only hands out parts through `part`, whose caller promises that they do not overlap.
#[allow(unsafe_code)]
unsafe impl<T: Send> Sync for Shared<T> {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl<T: Send> Send for Shared<T> {}

impl<T> Shared<T> {
    pub(crate) fn new(buffer: &mut [T]) -> Self {
        Self(buffer.as_mut_ptr(), buffer.len())
    }

    /// The memory that a vector has room for, of which nothing was written yet: only for [`Shared::pointer`].
    pub(crate) fn of_spare(buffer: &mut Vec<T>) -> Self {
        Self(buffer.as_mut_ptr(), buffer.capacity())
    }

    /// # Safety
    /// No two parts handed out at the same time may overlap, and the buffer must outlive them.
    #[allow(unsafe_code, clippy::mut_from_ref)]
    pub(crate) unsafe fn part(&self, start: usize, len: usize) -> &mut [T] {
        assert!(start.checked_add(len).is_some_and(|end| end <= self.1), "part of a shared buffer out of range");
        // SAFETY: inside the buffer; disjoint by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(start), len) }
    }

    /// The address of `start`, from which `len` elements are inside the buffer.
    pub(crate) fn pointer(&self, start: usize, len: usize) -> *mut T {
        assert!(start.checked_add(len).is_some_and(|end| end <= self.1), "part of a shared buffer out of range");
        self.0.wrapping_add(start)
    }
}
