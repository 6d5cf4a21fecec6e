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

/// Gives the memory kept for the next training step back to the system: for the end of a training.
pub fn release() {
    RETURNED.lock().unwrap_or_else(PoisonError::into_inner).clear();
}
