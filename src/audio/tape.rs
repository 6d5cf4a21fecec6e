//! Sound that grows while it is made, and is read meanwhile.
//!
//! On Unix it lies in a file in the cache folder that has no name any more, mapped for reading: hours of it take no
//! memory that the system could not have back, a copy is another view of the same, and the file is gone with the last of
//! them. Where such a file cannot be had, and from the moment it cannot be written to, it is an ordinary vector.
#![allow(unsafe_code)]

use std::{
    fmt, mem,
    ops::Deref,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// The longest sound that has room in a file, in seconds.
const MOST_S: usize = 2 * 3_600;
/// Samples after which what was read is given back to the system.
const GIVEN_BACK: usize = 1 << 20;

/// Samples, to which others may be added at the end.
#[derive(Clone, Default)]
pub struct Tape(Kept);

#[derive(Clone)]
enum Kept {
    Memory(Vec<f32>),
    /// The first samples of a file.
    File(Arc<Spool>, usize),
}

impl Default for Kept {
    fn default() -> Self {
        Self::Memory(Vec::new())
    }
}

/// A file of samples that only grows.
struct Spool {
    #[cfg(unix)]
    file: std::fs::File,
    map: memmap2::Mmap,
    /// Samples that fit into the map.
    room: usize,
    /// Samples that somebody has written or is writing.
    taken: AtomicUsize,
    /// Samples when pages were given back last.
    given_back: AtomicUsize,
}

impl Tape {
    /// Room for hours at this rate: in a file if there can be one.
    pub fn begin(sample_rate_hz: u32) -> Self {
        let folder = crate::folders::cache();
        match folder.and_then(|folder| spool(&folder, MOST_S * sample_rate_hz as usize)) {
            Some(spool) => Self(Kept::File(Arc::new(spool), 0)),
            None => Self::default(),
        }
    }

    /// Adds samples at the end.
    pub fn extend_from_slice(&mut self, samples: &[f32]) {
        if samples.is_empty() {
            return;
        }
        if let Kept::File(spool, len) = &mut self.0 {
            if spool.push(*len, samples) {
                *len += samples.len();
                return;
            }
            self.0 = Kept::Memory(self.to_vec());
        }
        if let Kept::Memory(kept) = &mut self.0 {
            kept.extend_from_slice(samples);
        }
    }

    /// Moves samples to the end.
    pub fn append(&mut self, samples: &mut Vec<f32>) {
        self.extend_from_slice(samples);
        samples.clear();
    }

    /// Keeps only so many samples.
    pub fn truncate(&mut self, most: usize) {
        match &mut self.0 {
            Kept::Memory(kept) => kept.truncate(most),
            Kept::File(_, len) => *len = most.min(*len),
        }
    }

    /// Becomes the same as `other`, of which this is an earlier state: by looking at the same file, or by taking over
    /// what has been added.
    pub fn follow(&mut self, other: &Self) {
        match (&mut self.0, &other.0) {
            (Kept::Memory(kept), Kept::Memory(grown)) => {
                let known = kept.len().min(grown.len());
                kept.truncate(known);
                kept.extend_from_slice(&grown[known..]);
            }
            (_, Kept::File(spool, len)) => {
                spool.give_back(*len);
                self.0 = Kept::File(spool.clone(), *len);
            }
            _ => *self = other.clone(),
        }
    }

    /// As a vector.
    pub fn into_vec(mut self) -> Vec<f32> {
        match &mut self.0 {
            Kept::Memory(kept) => mem::take(kept),
            Kept::File(..) => self.to_vec(),
        }
    }

    /// Whether it lies in a file.
    #[cfg(all(test, unix))]
    fn is_in_file(&self) -> bool {
        matches!(self.0, Kept::File(..))
    }
}

impl Deref for Tape {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &self.0 {
            Kept::Memory(kept) => kept,
            Kept::File(spool, len) => spool.first(*len),
        }
    }
}

impl From<Vec<f32>> for Tape {
    fn from(samples: Vec<f32>) -> Self {
        Self(Kept::Memory(samples))
    }
}

impl fmt::Debug for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tape of {} samples", self.len())
    }
}

impl PartialEq for Tape {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl PartialEq<Vec<f32>> for Tape {
    fn eq(&self, other: &Vec<f32>) -> bool {
        **self == **other
    }
}

impl PartialEq<Tape> for Vec<f32> {
    fn eq(&self, other: &Tape) -> bool {
        **self == **other
    }
}

impl Spool {
    /// Writes samples after the first `len`; `false` when somebody else has, or they cannot be written.
    fn push(&self, len: usize, samples: &[f32]) -> bool {
        let end = len + samples.len();
        end <= self.room
            && self.taken.compare_exchange(len, end, Ordering::AcqRel, Ordering::Acquire).is_ok()
            && self.write(len, samples)
    }

    #[cfg(unix)]
    fn write(&self, len: usize, samples: &[f32]) -> bool {
        use std::os::unix::fs::FileExt as _;
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_ne_bytes()).collect();
        self.file.write_all_at(&bytes, (len * size_of::<f32>()) as u64).is_ok()
    }

    #[cfg(not(unix))]
    fn write(&self, _: usize, _: &[f32]) -> bool {
        false
    }

    fn first(&self, len: usize) -> &[f32] {
        assert!(len <= self.taken.load(Ordering::Acquire).min(self.room), "samples that were written");
        // SAFETY: the map begins at a page, is `room` samples long, and the file as long as the map. Nobody but this
        // program has the file, and what lies before `len` was written once and is never written again.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().cast::<f32>(), len) }
    }

    /// Lets the system have pages back that were read, now and then; they come again from the file when they are read.
    fn give_back(&self, len: usize) {
        let before = self.given_back.load(Ordering::Relaxed);
        if len.saturating_sub(before) >= GIVEN_BACK {
            self.given_back.store(len, Ordering::Relaxed);
            #[cfg(target_os = "linux")]
            // SAFETY: the pages are the file's, which has all that was written: nothing is lost.
            let _ = unsafe { self.map.unchecked_advise(memmap2::UncheckedAdvice::DontNeed) };
        }
    }
}

/// A file for so many samples, which has lost its name already.
#[cfg(unix)]
fn spool(folder: &Path, room: usize) -> Option<Spool> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    std::fs::create_dir_all(folder).ok()?;
    let name = format!(".tape-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let path = folder.join(name);
    let file = std::fs::File::options().read(true).write(true).create_new(true).open(&path).ok()?;
    std::fs::remove_file(&path).ok()?;
    let bytes = room.checked_mul(size_of::<f32>())?;
    file.set_len(bytes as u64).ok()?;
    // SAFETY: nobody else can open the file, and it is never made shorter.
    let map = unsafe { memmap2::MmapOptions::new().len(bytes).map(&file) }.ok()?;
    Some(Spool { file, map, room, taken: AtomicUsize::new(0), given_back: AtomicUsize::new(0) })
}

#[cfg(not(unix))]
fn spool(_: &Path, _: usize) -> Option<Spool> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_read_by_whoever_follows() {
        for mut tape in [Tape::begin(8_000), Tape::default()] {
            let mut follower = Tape::default();
            let mut whole = Vec::new();
            for round in 0..200 {
                let piece: Vec<f32> = (0..round * 7 % 90).map(|i| (round * 100 + i) as f32).collect();
                tape.extend_from_slice(&piece);
                whole.extend_from_slice(&piece);
                if round % 3 == 0 {
                    follower.follow(&tape);
                    assert_eq!(follower, whole);
                }
            }
            let early = follower.clone();
            tape.append(&mut vec![1.0, 2.0]);
            assert_eq!((&early[..], &tape[whole.len()..]), (&whole[..early.len()], &[1.0, 2.0][..]));
            tape.truncate(5);
            assert_eq!(tape, whole[..5].to_vec());
            // What was cut off is not written over: others still look at it.
            follower.follow(&{
                let mut again = Tape::default();
                again.extend_from_slice(&whole);
                again
            });
            let before = follower[5];
            let mut other = tape.clone();
            other.extend_from_slice(&[-9.0]);
            assert_eq!((other[5], follower[5], other.len(), tape.len()), (-9.0, before, 6, 5));
            assert_eq!(tape.into_vec(), whole[..5]);
        }
    }

    #[test]
    #[cfg(unix)]
    fn it_lies_in_a_file_until_there_is_no_room() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let in_file = |room| Tape(Kept::File(Arc::new(spool(folder.path(), room).expect("a file")), 0));
        let mut tape = in_file(10);
        tape.extend_from_slice(&[0.5; 8]);
        let before = tape.clone();
        assert!(tape.is_in_file());
        tape.extend_from_slice(&[0.25; 3]);
        assert!(!tape.is_in_file() && before.is_in_file());
        assert_eq!((tape.len(), tape[8], before.len()), (11, 0.25, 8));
        // Pages that were given back come again.
        let mut long = in_file(4_000_000);
        let mut reader = Tape::default();
        for piece in 0..3_000 {
            long.extend_from_slice(&[piece as f32; 1_000]);
            reader.follow(&long);
        }
        assert!(reader.chunks(1_000).enumerate().all(|(piece, part)| part.iter().all(|x| *x == piece as f32)));
    }
}
