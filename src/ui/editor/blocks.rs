//! The vertical order of a document: blocks (paragraphs, or parts of very long ones) with their heights. Only blocks
//! that were in view have been measured; the others are estimated, so that 2 MB cost no layout.

use std::ops::Range;

use crate::document::{Change, Document};

/// Longer paragraphs are laid out in parts of about this many bytes: laying out a part takes about a millisecond.
const LONGEST_BLOCK_BYTES: usize = 4 << 10;

/// A paragraph, or a part of a very long one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Block {
    /// Its first byte.
    pub start: usize,
    /// Bytes, the line end not included.
    pub len: usize,
    /// Whether it begins its paragraph.
    pub begins_line: bool,
    pub height: f32,
    pub is_measured: bool,
}

impl Block {
    pub fn range(&self) -> Range<usize> {
        self.start..self.start + self.len
    }
}

/// What estimates of heights are made from.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Metrics {
    pub width: f32,
    pub line_height: f32,
    pub font_size: f32,
    pub pixels_per_point: f32,
}

/// All blocks of a document.
#[derive(Clone, Debug, Default)]
pub(super) struct Blocks {
    list: Vec<Block>,
    /// `tops[i]` is where block `i` begins; one more for the end. `f64`, because a long document is taller than `f32`
    /// can place to the pixel.
    tops: Vec<f64>,
    metrics: Metrics,
    document: String,
    revision: u64,
    len: usize,
}

impl Blocks {
    /// Brings the blocks in step with the document; gives `true` when all heights are new.
    pub fn sync(&mut self, document: &Document, metrics: Metrics) -> bool {
        let is_same = self.document == document.id() && self.metrics == metrics && !self.list.is_empty();
        if is_same && self.revision == document.revision() {
            return false;
        }
        let changed = if is_same { document.changes_since(self.revision) } else { None };
        let hull = changed.map(|changes| hull(changes, document.len()));
        self.metrics = metrics;
        match hull {
            Some(None) => {}
            Some(Some((prefix, tail))) => self.replace(document, prefix, tail),
            None => {
                self.list.clear();
                self.cut(document.text(), 0..document.len(), true);
            }
        }
        if hull != Some(None) {
            self.place_from(0);
        }
        document.id().clone_into(&mut self.document);
        (self.revision, self.len) = (document.revision(), document.len());
        hull.is_none()
    }

    /// Cuts anew what differs; `prefix` bytes at the start and `tail` at the end are as before. Inside a very long
    /// paragraph the parts before and after the change stay as they are.
    fn replace(&mut self, document: &Document, prefix: usize, tail: usize) {
        let (new_len, old_len) = (document.len(), self.len);
        let first = self.list.partition_point(|block| block.start <= prefix).saturating_sub(1);
        let mut last =
            self.list.partition_point(|block| block.start <= old_len - tail).max(first + 1).min(self.list.len());
        let start = self.list[first].start;
        // Little that is left of a part joins the next one.
        if let (Some(next), Some(after)) = (self.list.get(last), self.list.get(last + 1))
            && !next.begins_line
            && (next.start + new_len - old_len).saturating_sub(start) < LONGEST_BLOCK_BYTES / 2
            && after.start <= old_len
        {
            last += 1;
        }
        let end = self.list.get(last).map_or(new_len, |kept| kept.start + new_len - old_len);
        let ends_whole = self.list.get(last).is_none_or(|kept| kept.begins_line);
        let begins_line = self.list[first].begins_line;
        let kept: Vec<Block> = self.list.drain(first..).skip(last - first).collect();
        let has_more = !kept.is_empty();
        // The line end before the first block that stays is no line of its own.
        let end = if ends_whole && has_more { end - 1 } else { end };
        self.cut(document.text(), start..end, begins_line);
        self.list.extend(kept.into_iter().map(|block| Block { start: block.start + new_len - old_len, ..block }));
    }

    /// Appends blocks for `range`, which may begin and end inside a paragraph.
    fn cut(&mut self, text: &str, range: Range<usize>, mut begins_line: bool) {
        let mut start = range.start;
        for line in text[range].split('\n') {
            let end = start + line.len();
            loop {
                let rest = &text[start..end];
                let len = if rest.len() <= LONGEST_BLOCK_BYTES * 3 / 2 { rest.len() } else { cut_at(rest) };
                // Nothing is left of a part inside a paragraph: no block.
                if len > 0 || begins_line {
                    let height = estimate(&rest[..len], &self.metrics);
                    self.list.push(Block { start, len, begins_line, height, is_measured: false });
                }
                start += len;
                begins_line = false;
                if start >= end {
                    break;
                }
            }
            start = end + 1;
            begins_line = true;
        }
    }

    fn place_from(&mut self, first: usize) {
        self.tops.truncate(first + 1);
        if self.tops.is_empty() {
            self.tops.push(0.0);
        }
        self.tops.reserve(self.list.len());
        let mut top = self.tops[self.tops.len() - 1];
        for block in &self.list[self.tops.len() - 1..] {
            top += f64::from(block.height);
            self.tops.push(top);
        }
    }

    /// Takes measured heights.
    pub fn measure(&mut self, heights: &[(usize, f32)]) {
        let mut first = usize::MAX;
        for (index, height) in heights {
            let Some(block) = self.list.get_mut(*index) else { continue };
            block.is_measured = true;
            if block.height != *height {
                block.height = *height;
                first = first.min(*index);
            }
        }
        if first != usize::MAX {
            self.place_from(first);
        }
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn get(&self, index: usize) -> Option<&Block> {
        self.list.get(index)
    }

    pub fn top(&self, index: usize) -> f64 {
        self.tops.get(index).copied().unwrap_or_default()
    }

    /// The height of all.
    pub fn height(&self) -> f64 {
        self.tops.last().copied().unwrap_or_default()
    }

    /// The block that `byte` lies in; at a border inside a long paragraph, the later one.
    pub fn at_byte(&self, byte: usize) -> usize {
        self.list.partition_point(|block| block.start <= byte).saturating_sub(1)
    }

    /// The block at a height.
    pub fn at_y(&self, y: f64) -> usize {
        let past = self.tops.partition_point(|top| *top <= y);
        past.saturating_sub(1).min(self.list.len().saturating_sub(1))
    }
}

/// The bytes at the start and at the end that no change touched; `None` when the text did not change.
fn hull(changes: impl Iterator<Item = Change>, len: usize) -> Option<(usize, usize)> {
    let changes: Vec<Change> = changes.filter(|change| change.removed + change.inserted > 0).collect();
    let (mut prefix, mut tail) = (usize::MAX, usize::MAX);
    let mut len_after = len;
    for change in changes.iter().rev() {
        prefix = prefix.min(change.start);
        tail = tail.min(len_after - (change.start + change.inserted));
        len_after = len_after + change.removed - change.inserted;
    }
    let shortest = len.min(len_after);
    (!changes.is_empty()).then(|| (prefix.min(shortest), tail.min(shortest - prefix.min(shortest))))
}

/// Where to cut a long paragraph: after a space or between Chinese characters.
fn cut_at(text: &str) -> usize {
    let mut end = LONGEST_BLOCK_BYTES;
    while !text.is_char_boundary(end) {
        end += 1;
    }
    let may_break = |(at, c): (usize, char)| (c == ' ' || u32::from(c) >= 0x2E80).then(|| at + c.len_utf8());
    text[..end].char_indices().rev().take(400).find_map(may_break).unwrap_or(end)
}

/// The height that `text` will have, about: Latin letters are half as wide as they are high, Chinese ones square.
fn estimate(text: &str, metrics: &Metrics) -> f32 {
    let is_cjk = text.as_bytes().iter().take(48).filter(|byte| **byte >= 0xE3).count() >= 4;
    let em_per_byte = if is_cjk { 0.335 } else { 0.485 };
    let rows = (text.len() as f32 * em_per_byte * metrics.font_size / metrics.width.max(1.0)).ceil().max(1.0);
    rows * metrics.line_height
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics() -> Metrics {
        Metrics { width: 600.0, line_height: 27.0, font_size: 16.0, pixels_per_point: 1.0 }
    }

    /// Blocks cover the text in order, begin where lines begin, and none is too long.
    fn check(blocks: &Blocks, document: &Document) {
        let mut lines = Vec::new();
        let mut at = 0;
        for block in &blocks.list {
            if block.begins_line {
                lines.push(block.start);
                at = if block.start == 0 { 0 } else { at + 1 };
            }
            assert_eq!(block.start, at, "nothing between blocks but line ends");
            assert!(block.len <= LONGEST_BLOCK_BYTES * 3 / 2);
            assert!(block.len > 0 || block.begins_line);
            at += block.len;
        }
        assert_eq!(at, document.len());
        assert_eq!(lines, document.line_starts());
        assert_eq!(blocks.tops.len(), blocks.len() + 1);
    }

    #[test]
    fn blocks_follow_every_edit() {
        let mut document = Document::from_text("one\n\ntwo\nthree", 0);
        let mut blocks = Blocks::default();
        blocks.sync(&document, metrics());
        let mut state = 1_usize;
        let mut random = |end: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % end
        };
        for step in 0..3000_u64 {
            for _ in 0..random(3) {
                let (start, with) = (random(document.len() + 1), ["x", "\n", "a\nb", "", "灯塔"][random(5)]);
                document.edit(start..start + random(8), with, step * 3000);
            }
            if step % 7 == 0 {
                document.undo();
            }
            if step % 500 == 400 {
                document.edit(500..9_000, "", step);
            }
            if step % 500 == 250 {
                let long = "word ".repeat(4000);
                document.edit(3..3, &long, step);
            }
            assert!(!blocks.sync(&document, metrics()));
            check(&blocks, &document);
        }
    }

    #[test]
    fn measuring_keeps_what_an_edit_elsewhere_did_not_touch() {
        let mut document = Document::from_text("a\nb\nc\nd", 0);
        let mut blocks = Blocks::default();
        blocks.sync(&document, metrics());
        blocks.measure(&[(0, 10.0), (3, 50.0)]);
        document.edit(2..3, "xx\nyy", 1);
        blocks.sync(&document, metrics());
        let heights: Vec<f32> = blocks.list.iter().map(|block| block.height).collect();
        assert_eq!(heights, [10.0, 27.0, 27.0, 27.0, 50.0]);
        assert_eq!(blocks.height(), 141.0);
        assert_eq!((blocks.at_y(9.9), blocks.at_y(10.0), blocks.at_y(1e9)), (0, 1, 4));
        assert_eq!((blocks.at_byte(1), blocks.at_byte(2), blocks.at_byte(99)), (0, 1, 4));
    }

    #[test]
    fn a_paragraph_of_2_mb_is_cut_at_spaces() {
        let document = Document::from_text(&"words of a line ".repeat(125_000), 0);
        let mut blocks = Blocks::default();
        blocks.sync(&document, metrics());
        assert!(blocks.list.iter().all(|block| block.len <= LONGEST_BLOCK_BYTES * 3 / 2));
        assert!(blocks.list[1..].iter().all(|block| document.text()[..block.start].ends_with(' ')));
        check(&blocks, &document);
    }
}
