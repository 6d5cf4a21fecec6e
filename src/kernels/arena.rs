//! Memory for packed weights: one anonymous mapping for a whole model, in large pages where the system
//! grants them (streaming weights through 4 KB pages stops the prefetcher at each border), given back
//! to the system the moment the model is dropped.
#![allow(unsafe_code)]

use std::sync::Arc;

use memmap2::MmapMut;

use crate::{Error, Result};

/// Every block begins at a cache line.
const ALIGN: usize = 64;

/// The mapping; reached through the blocks cut from it.
struct Arena {
    base: *mut u8,
    /// Keeps the mapping alive.
    _map: MmapMut,
}

// SAFETY: `base` is only reached through `Block`s, whose ranges never overlap; each follows the borrow
// rules for its own range.
unsafe impl Send for Arena {}
// SAFETY: as above.
unsafe impl Sync for Arena {}

/// Cuts blocks from a new arena.
pub struct Builder {
    arena: Arc<Arena>,
    used: usize,
    size: usize,
}

/// A part of an arena that belongs to whoever holds this.
pub struct Block {
    arena: Arc<Arena>,
    start: usize,
    len: usize,
}

/// What a block of `bytes` takes of an arena, its alignment counted.
pub fn rounded(bytes: usize) -> usize {
    bytes.next_multiple_of(ALIGN)
}

impl Builder {
    /// An arena of `bytes` zero bytes, none of which uses memory before it is written.
    ///
    /// # Errors
    /// When the system refuses the address space.
    pub fn new(bytes: usize) -> Result<Self> {
        let size = rounded(bytes.max(1));
        let mut map = MmapMut::map_anon(size).map_err(|why| {
            let mb = size >> 20;
            Error::new(
                format!("There is not enough memory for the model ({mb} MB): {why}. Close other programs or choose a smaller model."),
                format!("内存不足，模型需要 {mb} MB：{why}。请关闭其他程序或换用更小的模型。"),
            )
        })?;
        // Large pages are a wish: without them everything still works.
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::HugePage);
        Ok(Self { arena: Arc::new(Arena { base: map.as_mut_ptr(), _map: map }), used: 0, size })
    }

    /// The next `len` bytes; `None` when the arena is used up.
    pub fn take(&mut self, len: usize) -> Option<Block> {
        let start = self.used;
        let end = start.checked_add(len.checked_next_multiple_of(ALIGN)?)?;
        if end > self.size {
            return None;
        }
        self.used = end;
        Some(Block { arena: Arc::clone(&self.arena), start, len })
    }
}

impl Block {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the builder cut this range from the mapping for this block alone; the mapping lives as
        // long as `arena`.
        unsafe { std::slice::from_raw_parts(self.arena.base.add(self.start), self.len) }
    }

    /// The bytes, to be written.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and `&mut self` is the only way to this range now.
        unsafe { std::slice::from_raw_parts_mut(self.arena.base.add(self.start), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_apart_aligned_and_bounded() {
        let mut builder = Builder::new(rounded(100) + rounded(1)).expect("a page");
        let mut first = builder.take(100).expect("fits");
        let mut second = builder.take(1).expect("fits");
        assert!(builder.take(1).is_none() && builder.take(usize::MAX).is_none());
        drop(builder);
        first.bytes_mut().fill(7);
        second.bytes_mut().fill(9);
        assert!(first.bytes().iter().all(|byte| *byte == 7));
        assert_eq!(second.bytes(), [9]);
        assert_eq!(second.bytes().as_ptr() as usize % ALIGN, 0);
    }
}
