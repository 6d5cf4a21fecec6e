//! Laying out one block: its glyphs, and the way between bytes and places on the page.

use std::{collections::HashMap, hash::BuildHasher as _, sync::Arc};

use egui::{
    Color32, FontId, Galley, Pos2, Rect, Stroke, Ui, Vec2,
    text::{CCursor, LayoutJob, TextFormat, TextWrapping},
    vec2,
};

use super::super::{fonts, theme};
use crate::document::heading_level;

/// Text that an input method has not committed yet, shown at the caret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Preedit {
    /// Where, in bytes of the document.
    pub at: usize,
    pub text: String,
    /// The part that the input method is working on, in bytes of `text`.
    pub active: Option<std::ops::Range<usize>>,
}

/// How a block looks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Look {
    pub width: f32,
    pub font: FontId,
    pub line_height: f32,
    pub color: Color32,
    pub muted: Color32,
}

/// A block that was laid out. Places are relative to its left top.
#[derive(Clone)]
pub(super) struct Layout {
    /// The text, without a heading's marks.
    pub galley: Arc<Galley>,
    /// A heading's marks, to hang left of the column.
    pub marks: Option<Arc<Galley>>,
    /// Bytes of a heading's marks and the space after them.
    prefix: usize,
    /// Bytes of the block, and the text as laid out (with what an input method adds).
    len: usize,
    shown: Arc<str>,
    /// Place of the input method's text in the block, and its length.
    preedit: Option<(usize, usize)>,
    /// Space above the text.
    pub pad_top: f32,
    pub height: f32,
}

/// A little space between marks and heading.
const MARKS_GAP: f32 = 6.0;

impl Layout {
    /// The places of `bytes` (relative to the block) as rectangles, one a row. `to_edge` shows a selected line end.
    pub fn rects(&self, bytes: std::ops::Range<usize>, selects_end: bool) -> Vec<Rect> {
        let from = self.char_of(bytes.start);
        let to = self.char_of(bytes.end);
        let mut rects = Vec::new();
        let mut first = 0;
        for row in &self.galley.rows {
            let count = row.char_count_excluding_newline().0;
            let (start, end) = (from.max(first), to.min(first + count));
            if start < end || (start == end && selects_end && to >= first + count && from <= first + count) {
                let x = |at: usize| row.pos.x + row.x_offset((at - first).into());
                let top = self.pad_top + row.min_y();
                let extra = if selects_end && end == first + count && to == end { 6.0 } else { 0.0 };
                let min = Pos2::new(x(start), top);
                rects.push(Rect::from_min_max(min, Pos2::new(x(end) + extra, top + row.height())));
            }
            first += row.char_count_including_newline().0;
        }
        rects
    }

    /// The caret's place before `byte`, as a line without width.
    pub fn caret(&self, byte: usize) -> Rect {
        if byte < self.prefix
            && let Some(marks) = &self.marks
        {
            let x = marks.pos_from_cursor(CCursor::new(byte)).min.x - marks.size().x - MARKS_GAP;
            let row = self.galley.rows.first().map_or(self.height, |row| row.height());
            return Rect::from_min_size(Pos2::new(x, self.pad_top), vec2(0.0, row));
        }
        let at = CCursor { index: self.char_of(byte).into(), prefer_next_row: true };
        self.galley.pos_from_cursor(at).translate(vec2(0.0, self.pad_top))
    }

    /// The byte of the block nearest to a place.
    pub fn byte_at(&self, place: Vec2) -> usize {
        let cursor = self.galley.cursor_from_pos(place - vec2(0.0, self.pad_top));
        self.byte_of(cursor.index.0)
    }

    /// Whether `place` is on glyphs rather than beside them.
    pub fn is_on_text(&self, place: Vec2) -> bool {
        let y = place.y - self.pad_top;
        self.galley.rows.iter().any(|row| {
            let rect = row.rect();
            (rect.min.y..rect.max.y).contains(&y)
                && (rect.min.x - 1.0..=row.pos.x + row.x_offset(row.char_count_excluding_newline())).contains(&place.x)
        })
    }

    /// Whether two bytes stand on one row.
    pub fn row_of(&self, byte: usize) -> usize {
        let cursor = CCursor { index: self.char_of(byte).into(), prefer_next_row: true };
        self.galley.layout_from_cursor(cursor).row
    }

    pub fn row_count(&self) -> usize {
        self.galley.rows.len()
    }

    /// The first and last byte of a row.
    pub fn row_bytes(&self, row: usize) -> std::ops::Range<usize> {
        let chars = |rows: &[egui::epaint::text::PlacedRow]| -> usize {
            rows.iter().map(|row| row.char_count_including_newline().0).sum()
        };
        let rows = &self.galley.rows;
        let start = chars(&rows[..row.min(rows.len())]);
        let count = rows.get(row).map_or(0, |row| row.char_count_excluding_newline().0);
        let is_last = row + 1 >= rows.len();
        // The caret at the very end of a wrapped row would be drawn on the next one.
        let end = if is_last { start + count } else { (start + count).saturating_sub(1).max(start) };
        let first = if row == 0 { self.prefix.min(self.byte_of(start)) } else { self.byte_of(start) };
        first..self.byte_of(end)
    }

    pub fn row_center(&self, row: usize) -> f32 {
        self.galley.rows.get(row).map_or(0.0, |row| self.pad_top + (row.min_y() + row.max_y()) / 2.0)
    }

    fn char_of(&self, byte: usize) -> usize {
        let byte = byte.clamp(self.prefix, self.len.max(self.prefix));
        let mut at = byte - self.prefix;
        if let Some((start, len)) = self.preedit
            && at > start
        {
            at += len;
        }
        self.shown[..self.shown.floor_char_boundary(at)].chars().count()
    }

    fn byte_of(&self, index: usize) -> usize {
        let mut at = self.shown.char_indices().nth(index).map_or(self.shown.len(), |(at, _)| at);
        if let Some((start, len)) = self.preedit
            && at > start
        {
            at = (at - len.min(at - start)).max(start);
        }
        (at + self.prefix).min(self.len)
    }

    /// The caret inside the input method's text.
    pub fn preedit_caret(&self, by: usize) -> Option<Rect> {
        let (start, len) = self.preedit?;
        let end = self.shown.floor_char_boundary(start + by.min(len));
        let index = self.shown[..end].chars().count();
        Some(self.galley.pos_from_cursor(CCursor::new(index)).translate(vec2(0.0, self.pad_top)))
    }

    pub fn marks_offset(&self) -> f32 {
        self.marks.as_ref().map_or(0.0, |marks| -marks.size().x - MARKS_GAP)
    }
}

/// What is laid out: the text, whether it begins its paragraph, whether it stands between two others, and what an
/// input method adds to it.
pub(super) struct Source<'a> {
    pub text: &'a str,
    pub begins_line: bool,
    pub is_gap: bool,
    pub is_first: bool,
    /// Place relative to the block.
    pub preedit: Option<(usize, &'a Preedit)>,
}

/// Layouts by content. Those not asked for during a frame are dropped after it.
#[derive(Clone, Default)]
pub(super) struct Cache {
    layouts: HashMap<u64, (Layout, u64)>,
    look: Option<Look>,
    pixels_per_point: f32,
    frame: u64,
    hasher: std::hash::RandomState,
    /// How many blocks were laid out anew, for measurements.
    pub misses: u64,
}

impl Cache {
    /// Begins a frame; forgets everything when the look is another.
    pub fn begin(&mut self, look: &Look, pixels_per_point: f32) {
        if self.look.as_ref() != Some(look) || self.pixels_per_point != pixels_per_point {
            self.layouts.clear();
            self.look = Some(look.clone());
            self.pixels_per_point = pixels_per_point;
        }
        self.frame += 1;
        let frame = self.frame;
        self.layouts.retain(|_, (_, used)| *used + 2 >= frame);
    }

    pub fn get(&mut self, ui: &Ui, source: &Source<'_>, look: &Look) -> Layout {
        let flags = (source.begins_line, source.is_gap, source.is_first);
        let preedit = source.preedit.map(|(at, preedit)| (at, &preedit.text, &preedit.active));
        let key = self.hasher.hash_one((source.text, flags, preedit));
        let frame = self.frame;
        if let Some((layout, used)) = self.layouts.get_mut(&key) {
            *used = frame;
            return layout.clone();
        }
        self.misses += 1;
        let layout = lay_out(ui, source, look);
        self.layouts.insert(key, (layout.clone(), frame));
        layout
    }
}

/// Size, line height, space above and below, for a heading's level.
fn heading_size(level: usize, look: &Look) -> (f32, f32, f32, f32) {
    let scale = look.font.size / 16.0;
    match level {
        1 => (24.0 * scale, 34.0 * scale, 12.0, 4.0),
        2 => (20.0 * scale, 30.0 * scale, 10.0, 2.0),
        _ => (17.0 * scale, 28.0 * scale, 6.0, 0.0),
    }
}

/// A blank line between two paragraphs takes half a line.
const GAP_HEIGHT: f32 = 14.0;

fn lay_out(ui: &Ui, source: &Source<'_>, look: &Look) -> Layout {
    let level = if source.begins_line { heading_level(source.text) } else { 0 };
    let prefix = if level == 0 { 0 } else { (level + 1).min(source.text.len()) };
    let mut format = TextFormat {
        font_id: look.font.clone(),
        line_height: Some(look.line_height),
        color: look.color,
        ..TextFormat::default()
    };
    let (mut pad_top, mut pad_bottom) = (0.0, 0.0);
    if level > 0 {
        let (size, line_height, above, below) = heading_size(level, look);
        format.font_id = FontId::new(size, fonts::semibold());
        format.line_height = Some(line_height);
        (pad_top, pad_bottom) = (if source.is_first { 0.0 } else { above }, below);
    }
    let text = &source.text[prefix..];
    let mut job = LayoutJob { wrap: TextWrapping::wrap_at_width(look.width), ..LayoutJob::default() };
    job.break_on_newline = false;
    let at = |at: usize| text.floor_char_boundary(at.saturating_sub(prefix));
    let preedit = source.preedit.map(|(place, preedit)| (at(place), preedit));
    if let Some((at, preedit)) = preedit {
        job.append(&text[..at], 0.0, format.clone());
        append_preedit(&mut job, preedit, &format, look);
        job.append(&text[at..], 0.0, format.clone());
    } else {
        job.append(text, 0.0, format.clone());
    }
    let shown: Arc<str> = job.text.as_str().into();
    let galley = ui.ctx().fonts_mut(|fonts| fonts.layout_job(job));
    let marks = (level > 0).then(|| {
        let format = TextFormat {
            font_id: FontId::new(theme::DOCUMENT_SIZE * 0.875, egui::FontFamily::Proportional),
            color: look.muted,
            ..format
        };
        let job = LayoutJob::single_section("#".repeat(level), format);
        ui.ctx().fonts_mut(|fonts| fonts.layout_job(job))
    });
    let is_gap = source.is_gap && shown.is_empty();
    let rows = galley.rows.iter().map(|row| row.max_y()).fold(0.0, f32::max).max(if level > 0 {
        0.0
    } else {
        look.line_height
    });
    let height = if is_gap { GAP_HEIGHT } else { pad_top + rows + pad_bottom };
    if is_gap {
        // The caret keeps its height and hangs over a little on both sides.
        pad_top = (GAP_HEIGHT - look.line_height) / 2.0;
    }
    Layout {
        galley,
        marks,
        prefix,
        len: source.text.len(),
        shown,
        preedit: preedit.map(|(at, preedit)| (at, preedit.text.len())),
        pad_top,
        height,
    }
}

fn append_preedit(job: &mut LayoutJob, preedit: &Preedit, format: &TextFormat, look: &Look) {
    let line = |width| TextFormat { underline: Stroke::new(width, look.color), ..format.clone() };
    match &preedit.active {
        Some(active) => {
            job.append(&preedit.text[..active.start], 0.0, line(1.0));
            job.append(&preedit.text[active.clone()], 0.0, line(2.0));
            job.append(&preedit.text[active.end..], 0.0, line(1.0));
        }
        None => job.append(&preedit.text, 0.0, line(1.0)),
    }
}
