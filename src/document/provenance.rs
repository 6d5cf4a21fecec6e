//! Where every byte of a text came from: runs that partition it, split and trimmed as the text changes.

use std::ops::Range;

use super::GenerationId;

/// Where bytes came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Typed, pasted or opened by a person.
    Written,
    /// Produced by a model: from byte `offset` of what `generation` wrote.
    Generated {
        /// Which generation.
        generation: GenerationId,
        /// The first byte's place in the generation's whole text.
        offset: usize,
    },
}

impl Origin {
    /// The origin of the byte `by` bytes further on.
    fn skip(self, by: usize) -> Self {
        match self {
            Self::Written => Self::Written,
            Self::Generated { generation, offset } => Self::Generated { generation, offset: offset + by },
        }
    }
}

/// Bytes in a row of one origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// How many bytes; never 0.
    pub len: usize,
    /// Where the first of them came from; the others follow it.
    pub origin: Origin,
}

/// Runs in order, without gaps; neighbours that belong together are one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    list: Vec<Run>,
}

impl Runs {
    /// One run.
    pub fn one(len: usize, origin: Origin) -> Self {
        let mut runs = Self::default();
        runs.push(Run { len, origin });
        runs
    }

    /// The runs.
    pub fn as_slice(&self) -> &[Run] {
        &self.list
    }

    /// Bytes covered.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.list.iter().map(|run| run.len).sum()
    }

    /// Appends a run, joined to the last one if it continues it.
    pub fn push(&mut self, run: Run) {
        if run.len == 0 {
            return;
        }
        match self.list.last_mut() {
            Some(last) if last.origin.skip(last.len) == run.origin => last.len += run.len,
            _ => self.list.push(run),
        }
    }

    /// The part of the runs that covers `range`.
    pub fn slice(&self, range: &Range<usize>) -> Self {
        let mut part = Self::default();
        for (place, run) in self.placed(range) {
            part.push(Run { len: place.len(), origin: run });
        }
        part
    }

    /// The runs that overlap `range`, cut to it, with their places.
    pub fn placed(&self, range: &Range<usize>) -> impl Iterator<Item = (Range<usize>, Origin)> {
        let range = range.clone();
        let mut at = 0;
        self.list.iter().filter_map(move |run| {
            let whole = at..at + run.len;
            at = whole.end;
            let cut = whole.start.max(range.start)..whole.end.min(range.end);
            (cut.start < cut.end).then(|| (cut.clone(), run.origin.skip(cut.start - whole.start)))
        })
    }

    /// The run that holds `byte`, with its place.
    pub fn at(&self, byte: usize) -> Option<(Range<usize>, Origin)> {
        let mut start = 0;
        for run in &self.list {
            if byte < start + run.len {
                return Some((start..start + run.len, run.origin));
            }
            start += run.len;
        }
        None
    }

    /// Puts `with` in the place of `range`.
    pub fn replace(&mut self, range: &Range<usize>, with: &Self) {
        let (first, head, start) = self.find(range.start);
        let (last, tail, _) = self.find(range.end);
        let mut fresh = Self::default();
        // The neighbour before joins in, so that it can merge with what follows.
        let (from, before) = match (head, first.checked_sub(1)) {
            (0, Some(previous)) => (previous, self.list.get(previous).copied()),
            (0, None) => (0, None),
            _ => (first, self.list.get(first).map(|run| Run { len: range.start - start, ..*run })),
        };
        before.into_iter().chain(with.list.iter().copied()).for_each(|run| fresh.push(run));
        let after = self.list.get(last).map(|run| Run { len: run.len - tail, origin: run.origin.skip(tail) });
        after.into_iter().for_each(|run| fresh.push(run));
        let last = (last + 1).min(self.list.len());
        self.list.splice(from..last, fresh.list);
    }

    /// Index of the run that `byte` lies in, bytes of it before `byte`, and where it starts.
    fn find(&self, byte: usize) -> (usize, usize, usize) {
        let mut start = 0;
        for (index, run) in self.list.iter().enumerate() {
            if byte < start + run.len {
                return (index, byte - start, start);
            }
            start += run.len;
        }
        (self.list.len(), 0, start)
    }
}

/// Text with its provenance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snippet {
    /// The text.
    pub text: String,
    /// Its runs; they cover it.
    pub runs: Runs,
}

impl Snippet {
    /// Text of one origin.
    pub fn new(text: &str, origin: Origin) -> Self {
        Self { text: text.to_owned(), runs: Runs::one(text.len(), origin) }
    }

    /// Text that a person wrote.
    pub fn written(text: &str) -> Self {
        Self::new(text, Origin::Written)
    }

    /// Puts `with` in the place of `range`.
    pub fn replace(&mut self, range: Range<usize>, with: &Self) {
        self.runs.replace(&range, &with.runs);
        self.text.replace_range(range, &with.text);
    }

    /// Appends.
    pub fn push(&mut self, more: &Self) {
        let end = self.text.len();
        self.replace(end..end, more);
    }

    /// A part of it.
    pub fn slice(&self, range: Range<usize>) -> Self {
        Self { runs: self.runs.slice(&range), text: self.text[range].to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacing_runs_equals_replacing_bytes() {
        // Every byte as its own origin is the naive model.
        let explode = |runs: &Runs| -> Vec<Origin> {
            runs.as_slice().iter().flat_map(|run| (0..run.len).map(|by| run.origin.skip(by))).collect()
        };
        let generated = |generation: u32, offset| Origin::Generated { generation: GenerationId(generation), offset };
        let mut random = super::super::tests::Random::new(7);
        let mut runs = Runs::one(20, Origin::Written);
        let mut naive = explode(&runs);
        for round in 0..2000_u32 {
            let mut with = Runs::default();
            for _ in 0..random.below(3) {
                let origin = if random.below(2) == 0 { Origin::Written } else { generated(round, random.below(9)) };
                with.push(Run { len: random.below(4), origin });
            }
            let start = random.below(naive.len() + 1);
            let end = start + random.below((naive.len() - start).min(6) + 1);
            assert_eq!(explode(&runs.slice(&(start..end))), naive[start..end]);
            runs.replace(&(start..end), &with);
            naive.splice(start..end, explode(&with));
            assert_eq!(explode(&runs), naive);
            assert_eq!(runs.len(), naive.len());
            let merged = runs.as_slice().windows(2).all(|pair| pair[0].origin.skip(pair[0].len) != pair[1].origin);
            assert!(merged && runs.as_slice().iter().all(|run| run.len > 0), "{runs:?}");
        }
    }
}
