//! Scratch memory of the kernels: aligned to cache lines and kept by each thread between calls.

use std::{
    cell::RefCell,
    ops::{Deref, DerefMut},
    sync::{Mutex, PoisonError},
};

/// One cache line of floats.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// A vector of floats that starts on a cache line.
#[derive(Clone, Default)]
pub(crate) struct Aligned {
    lines: Vec<Line>,
    len: usize,
}

impl Aligned {
    pub(crate) fn zeroed(len: usize) -> Self {
        Self { lines: vec![Line([0.0; 16]); len.div_ceil(16)], len }
    }

    /// Makes room for `len` floats; what they hold is left over from earlier use.
    fn reserve(&mut self, len: usize) {
        if self.lines.len() * 16 < len {
            self.lines.resize(len.div_ceil(16), Line([0.0; 16]));
        }
        self.len = len;
    }
}

#[allow(unsafe_code)]
impl Deref for Aligned {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        // SAFETY: lines are arrays of floats without padding, and there are at least `len` floats in them.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

#[allow(unsafe_code)]
impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as for `deref`.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

thread_local! {
    static SCRATCH: RefCell<Vec<Aligned>> = const { RefCell::new(Vec::new()) };
}

/// Floats that a thread keeps for its next kernel; anything larger goes back to the system.
const KEPT: usize = 8 << 20;

/// Runs `work` with `len` floats of scratch memory, whose first contents are arbitrary.
pub(crate) fn scratch<R>(len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    let mut buffer = SCRATCH.with_borrow_mut(Vec::pop).unwrap_or_default();
    buffer.reserve(len);
    let result = work(&mut buffer);
    if len <= KEPT {
        SCRATCH.with_borrow_mut(|kept| kept.push(buffer));
    }
    result
}

/// Splits scratch memory into parts of the given lengths, each starting on a cache line.
pub(crate) fn split<const N: usize>(mut buffer: &mut [f32], lens: [usize; N]) -> [&mut [f32]; N] {
    lens.map(|len| {
        let (part, rest) = std::mem::take(&mut buffer).split_at_mut(len.next_multiple_of(16));
        buffer = rest;
        &mut part[..len]
    })
}

/// The scratch that [`split`] needs for these lengths.
pub(crate) fn total<const N: usize>(lens: [usize; N]) -> usize {
    lens.iter().map(|len| len.next_multiple_of(16)).sum()
}

/// Buffers given back by [`Kept`], for the next of the same use.
static RETURNED: Mutex<Vec<Aligned>> = Mutex::new(Vec::new());

/// A large buffer that lives from a forward to a backward pass. Its memory is used again by the next, which spares
/// the system the clearing of fresh pages at every step of a training.
pub(crate) struct Kept(Aligned);

impl Kept {
    /// A buffer of `len` floats whose first contents are arbitrary.
    pub(crate) fn new(len: usize) -> Self {
        let mut returned = RETURNED.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = returned.iter().position(|buffer| (len..=2 * len + 1024).contains(&(buffer.lines.len() * 16)));
        let mut buffer = fits.map(|at| returned.swap_remove(at)).unwrap_or_default();
        drop(returned);
        buffer.reserve(len);
        Self(buffer)
    }

    /// The same numbers in memory of their own, which goes back to the system.
    pub(crate) fn to_aligned(&self) -> Aligned {
        let mut copy = Aligned::zeroed(self.len());
        copy.copy_from_slice(self);
        copy
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        RETURNED.lock().unwrap_or_else(PoisonError::into_inner).push(std::mem::take(&mut self.0));
    }
}

impl Deref for Kept {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.0
    }
}

impl DerefMut for Kept {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.0
    }
}

/// While it lives, memory that is freed stays with the program: a training allocates the same tensors at every step,
/// and fresh pages from the system must be cleared each time. What is left goes back when it is dropped.
///
/// One at a time: a second one would end with the first.
#[derive(Debug)]
#[must_use = "memory is kept while this lives"]
pub struct KeepMemory(());

impl KeepMemory {
    /// Starts to keep freed memory.
    pub fn begin() -> Self {
        allocator::keep();
        Self(())
    }
}

impl Drop for KeepMemory {
    fn drop(&mut self) {
        RETURNED.lock().unwrap_or_else(PoisonError::into_inner).clear();
        allocator::release();
    }
}

/// glibc's allocator maps every large block anew and gives it back when it is freed, unless it is told not to.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code)]
mod allocator {
    /// glibc's own settings, to which `release` goes back.
    const USUAL: [(libc::c_int, libc::c_int); 3] =
        [(libc::M_MMAP_MAX, 65536), (libc::M_TRIM_THRESHOLD, 128 << 10), (libc::M_TOP_PAD, 128 << 10)];
    const KEEPING: [(libc::c_int, libc::c_int); 3] =
        [(libc::M_MMAP_MAX, 0), (libc::M_TRIM_THRESHOLD, libc::c_int::MAX), (libc::M_TOP_PAD, 64 << 20)];

    fn set(settings: [(libc::c_int, libc::c_int); 3]) {
        for (setting, value) in settings {
            // SAFETY: the settings are glibc's, the allocator takes its own lock, and any value is allowed for them; a
            // refusal leaves the setting as it was, which is slower and nothing else.
            unsafe { libc::mallopt(setting, value) };
        }
    }

    pub(super) fn keep() {
        set(KEEPING);
    }

    pub(super) fn release() {
        set(USUAL);
        // SAFETY: gives back free memory under the allocator's lock; what is in use is not touched.
        unsafe { libc::malloc_trim(0) };
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
mod allocator {
    pub(super) fn keep() {}
    pub(super) fn release() {}
}
