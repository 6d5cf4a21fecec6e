//! Lowest and highest samples of ever larger blocks, so that any part of a long take is drawn at once.

/// Samples of the smallest blocks.
const BASE: usize = 256;
/// What is as long as so many of them is looked at in whole blocks.
const COARSE: usize = 4;
/// Blocks that make one of the next size.
const GROUP: usize = 4;
/// Samples that are looked at in one call, so that a frame stays short.
const MOST: usize = 1 << 22;

/// The blocks of a take that may still grow.
#[derive(Debug, Default)]
pub(super) struct Pyramid {
    /// Blocks of `BASE`, of `BASE · GROUP`, … samples: the lowest and the highest of each.
    levels: Vec<Vec<[f32; 2]>>,
}

impl Pyramid {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.levels.clear();
    }

    /// Looks at samples that have come, up to a few million; `true` when all whole blocks are known.
    pub fn extend(&mut self, samples: &[f32]) -> bool {
        let first = self.done();
        let whole = samples.len() / BASE * BASE;
        let last = whole.min(first + MOST);
        for block in samples[first.min(last)..last].chunks_exact(BASE) {
            self.push(0, extremes(block));
        }
        last == whole
    }

    /// Samples that blocks know.
    fn done(&self) -> usize {
        self.levels.first().map_or(0, |blocks| blocks.len() * BASE)
    }

    fn push(&mut self, level: usize, block: [f32; 2]) {
        if self.levels.len() == level {
            self.levels.push(Vec::new());
        }
        let blocks = &mut self.levels[level];
        blocks.push(block);
        if blocks.len().is_multiple_of(GROUP) {
            let group = &blocks[blocks.len() - GROUP..];
            let joined = group.iter().copied().fold(NOTHING, join);
            self.push(level + 1, joined);
        }
    }

    /// The lowest and the highest of `samples[from..to]`; `None` where nothing is known yet.
    pub fn between(&self, samples: &[f32], from: usize, to: usize) -> Option<[f32; 2]> {
        let (to, done) = (to.min(samples.len()), self.done());
        // Only the last few samples are in no block when all is known.
        let known = if samples.len().saturating_sub(done) < BASE { samples.len() } else { done };
        // Whole blocks will do for many, so that samples themselves are not read again and again.
        let coarse = to.saturating_sub(from) >= COARSE * BASE;
        let (mut at, to) =
            if coarse { (from / BASE * BASE, to.next_multiple_of(BASE).min(known)) } else { (from, to.min(known)) };
        if at >= to {
            return None;
        }
        let mut found = NOTHING;
        while at < to {
            let (mut size, mut level) = (BASE, None);
            for (index, blocks) in self.levels.iter().enumerate() {
                if !at.is_multiple_of(size) || at + size > to || at / size >= blocks.len() {
                    break;
                }
                level = Some((index, size));
                size *= GROUP;
            }
            match level {
                Some((level, size)) => {
                    found = join(found, self.levels[level][at / size]);
                    at += size;
                }
                None => {
                    let next = (at / BASE * BASE + BASE).min(to);
                    found = join(found, extremes(&samples[at..next]));
                    at = next;
                }
            }
        }
        Some(found)
    }
}

const NOTHING: [f32; 2] = [f32::INFINITY, f32::NEG_INFINITY];

fn join(one: [f32; 2], other: [f32; 2]) -> [f32; 2] {
    [one[0].min(other[0]), one[1].max(other[1])]
}

fn extremes(samples: &[f32]) -> [f32; 2] {
    samples.iter().fold(NOTHING, |found, sample| join(found, [*sample, *sample]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(len: usize) -> Vec<f32> {
        let mut seed = 7_u32;
        let mut next = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..len).map(|_| next()).collect()
    }

    /// What is looked at of a part.
    fn looked(from: usize, to: usize, len: usize) -> std::ops::Range<usize> {
        if to - from < COARSE * BASE {
            return from..to;
        }
        from / BASE * BASE..to.next_multiple_of(BASE).min(len)
    }

    #[test]
    fn any_part_is_what_a_plain_search_finds() {
        let samples = noise(70_001);
        let mut pyramid = Pyramid::default();
        // In pieces, as it grows.
        for len in [1, 255, 256, 1_000, 5_000, 70_001] {
            assert!(pyramid.extend(&samples[..len]));
            for (from, to) in [(0, len), (1, len), (len / 3, len / 2), (len / 3, len / 3 + 1), (len - 1, len)] {
                let part = &samples[looked(from.min(len), to.min(len), len)];
                let want = (!part.is_empty()).then(|| extremes(part));
                assert_eq!(pyramid.between(&samples[..len], from, to), want, "{from}..{to} of {len}");
            }
        }
        for from in (0..70_000).step_by(977) {
            for length in [1, 64, 256, 1_024, 40_000] {
                let to = (from + length).min(70_001);
                let part = &samples[looked(from, to, 70_001)];
                assert_eq!(pyramid.between(&samples, from, to), Some(extremes(part)));
            }
        }
    }

    #[test]
    fn a_long_take_is_looked_at_in_pieces() {
        let samples = vec![0.5; MOST * 2 + 300];
        let mut pyramid = Pyramid::default();
        assert!(!pyramid.extend(&samples));
        assert_eq!(pyramid.between(&samples, 0, MOST), Some([0.5, 0.5]));
        assert_eq!(pyramid.between(&samples, MOST + 1, MOST * 2), None);
        assert!(!pyramid.extend(&samples));
        assert!(pyramid.extend(&samples));
        assert_eq!(pyramid.between(&samples, MOST * 2, samples.len()), Some([0.5, 0.5]));
        pyramid.clear();
        assert_eq!(pyramid.between(&samples, 0, 10), None);
    }
}
