//! The document with its Markdown laid out. Only blocks in view are laid out, so that a long one does not stall.

use std::sync::Arc;

use egui::{
    Align2, CornerRadius, CursorIcon, Galley, OpenUrl, Painter, Pos2, Rect, Response, Sense, Stroke, Ui, Vec2,
    accesskit, pos2, text::LayoutJob, vec2,
};
use pulldown_cmark::Alignment;

use super::{
    markdown::{Block, Kind, Links, Styled, blocks},
    scroll,
};
use crate::ui::theme::{self, Palette};

/// The laid-out document, kept until the text, the width or the theme changes.
#[derive(Debug, Default)]
pub struct PreviewView {
    of: Option<(String, u64, bool)>,
    /// When the text was last taken apart.
    parsed_s: f64,
    width: f32,
    pub(super) blocks: Vec<Block>,
    heights: Vec<f32>,
    /// Where blocks begin; one more for the end.
    tops: Vec<f64>,
    offset: f64,
    /// Widths of the columns of each table seen.
    pub(super) columns: std::collections::HashMap<usize, Vec<f32>>,
}

/// A piece of text in its place.
pub(super) struct Placed<'a> {
    pub at: Pos2,
    pub galley: Arc<Galley>,
    pub styled: &'a Styled,
}

const CODE_PAD: Vec2 = vec2(14.0, 10.0);
const CELL_PAD: Vec2 = vec2(10.0, 3.0);
const BOTTOM_MARGIN: f32 = 48.0;
const RULE_HEIGHT: f32 = 17.0;
/// A text that changes is taken apart at most this often.
const PARSE_EVERY_S: f64 = 0.25;
/// What screen readers are told at most, in bytes.
const MOST_TOLD: usize = 16 << 10;

/// Shows `text`; `id` and `revision` say which version of which document it is, `top` is the space above it.
pub fn preview_ui(ui: &mut Ui, view: &mut PreviewView, text: &str, id: &str, revision: u64, top: f32) {
    let palette = theme::palette(ui);
    let rect = ui.available_rect_before_wrap();
    ui.advance_cursor_after_rect(rect);
    let widget = ui.scope_id().with("preview");
    let response = ui.interact(rect, widget, Sense::click());
    let width = (rect.width() - 2.0 * theme::WORK_MARGIN).clamp(80.0, theme::COLUMN_WIDTH).floor();
    let revision = view.due(ui, id, revision);
    view.sync(text, id, revision, ui.visuals().dark_mode, width, palette);
    let left = (rect.left() + (rect.width() - width) / 2.0).round();

    let max = (view.height() + f64::from(top + BOTTOM_MARGIN - rect.height())).max(0.0);
    view.offset -= f64::from(wheel_and_keys(ui, &response, rect.height()));
    view.offset = view.offset.clamp(0.0, max);
    view.measure_visible(ui, width, rect.height(), top);

    let painter = ui.painter_at(rect);
    let mut links = Vec::new();
    let mut index = view.at_y(view.offset - f64::from(top));
    while index < view.blocks.len() {
        let y = rect.top() + top + (view.tops[index] - view.offset) as f32;
        if y > rect.bottom() {
            break;
        }
        let at = pos2(left, y.round());
        let (around, placed) = place(ui, &view.blocks[index], &view.columns, at, width);
        paint_around(&painter, &view.blocks[index], around, palette);
        for piece in placed {
            if !piece.styled.links.is_empty() {
                links.push((piece.at, piece.galley.clone(), piece.styled.links.clone()));
            }
            paint_spans(&painter, &piece, palette);
            painter.galley(piece.at, piece.galley, palette.text);
        }
        index += 1;
    }
    follow_links(ui, &response, &links);
    scroll::offset_bar(ui, widget, rect, &mut view.offset, max);
    ui.ctx().accesskit_node_builder(widget, |node| {
        node.set_role(accesskit::Role::Document);
        node.set_value(&text[..text.floor_char_boundary(MOST_TOLD)]);
    });
}

/// Points to scroll down, negated as wheels say it.
fn wheel_and_keys(ui: &Ui, response: &Response, page: f32) -> f32 {
    let wheel = if response.contains_pointer() { ui.input(|input| input.smooth_scroll_delta().y) } else { 0.0 };
    if ui.memory(|memory| memory.focused()).is_some_and(|id| id != response.id) {
        return wheel;
    }
    let by_key = ui.input(|input| {
        let held = |key| input.key_pressed(key);
        match () {
            () if held(egui::Key::PageDown) => -page * 0.9,
            () if held(egui::Key::PageUp) => page * 0.9,
            () if held(egui::Key::ArrowDown) => -54.0,
            () if held(egui::Key::ArrowUp) => 54.0,
            () if held(egui::Key::Home) => f32::MAX,
            () if held(egui::Key::End) => f32::MIN,
            () => 0.0,
        }
    });
    wheel + by_key
}

impl PreviewView {
    /// The revision to show: while a model writes, the whole text is taken apart only some times a second.
    fn due(&mut self, ui: &Ui, id: &str, revision: u64) -> u64 {
        let now_s = ui.input(|input| input.time);
        let wait_s = PARSE_EVERY_S - (now_s - self.parsed_s);
        match &self.of {
            Some((of, shown, _)) if of == id && *shown != revision && wait_s > 0.0 => {
                ui.ctx().request_repaint_after(std::time::Duration::from_secs_f64(wait_s));
                *shown
            }
            Some((of, shown, _)) if of == id && *shown == revision => revision,
            _ => {
                self.parsed_s = now_s;
                revision
            }
        }
    }

    pub(super) fn sync(&mut self, text: &str, id: &str, revision: u64, is_dark: bool, width: f32, palette: &Palette) {
        let of = (id.to_owned(), revision, is_dark);
        if self.of.as_ref() != Some(&of) {
            if self.of.as_ref().is_none_or(|(old, ..)| old != id) {
                self.offset = 0.0;
            }
            self.blocks = blocks(text, palette);
            self.of = Some(of);
            self.width = 0.0;
        }
        if self.width != width {
            self.width = width;
            self.columns.clear();
            self.heights = self.blocks.iter().map(|block| estimate(block, width)).collect();
            self.place_from(0);
        }
    }

    fn height(&self) -> f64 {
        self.tops.last().copied().unwrap_or_default()
    }

    fn at_y(&self, y: f64) -> usize {
        self.tops.partition_point(|top| *top <= y).saturating_sub(1)
    }

    fn place_from(&mut self, first: usize) {
        self.tops.truncate(first + 1);
        if self.tops.is_empty() {
            self.tops.push(0.0);
        }
        let mut top = self.tops[self.tops.len() - 1];
        for height in &self.heights[self.tops.len() - 1..] {
            top += f64::from(*height);
            self.tops.push(top);
        }
    }

    /// Lays out what is in view until its heights are known.
    fn measure_visible(&mut self, ui: &Ui, width: f32, view_height: f32, margin: f32) {
        // Each round measures more of the few blocks that a view holds.
        for _ in 0..8 {
            let top = self.offset - f64::from(margin);
            let first = self.at_y(top.max(0.0));
            let (mut index, mut y, mut lowest) = (first, self.tops.get(first).copied().unwrap_or_default(), usize::MAX);
            while index < self.blocks.len() && y < top + f64::from(view_height) {
                self.measure_table(ui, index, width);
                let (around, _) = place(ui, &self.blocks[index], &self.columns, Pos2::ZERO, width);
                let height = around.bottom();
                if (self.heights[index] - height).abs() > 0.01 {
                    if index == first && y < top {
                        // What is above the view grows upwards.
                        self.offset = (self.offset + f64::from(height - self.heights[index])).max(0.0);
                    }
                    self.heights[index] = height;
                    lowest = lowest.min(index);
                }
                y += f64::from(height);
                index += 1;
            }
            if lowest == usize::MAX {
                break;
            }
            self.place_from(lowest);
        }
    }

    /// Gives the columns of a table the widths that its first rows ask for.
    pub(super) fn measure_table(&mut self, ui: &Ui, index: usize, width: f32) {
        let Some((table, _)) = self.blocks[index].table else { return };
        if self.columns.contains_key(&table) {
            return;
        }
        let is_here = |block: &&Block| block.table.as_ref().is_some_and(|(other, _)| *other == table);
        let before = self.blocks[..index].iter().rev().take_while(is_here).count();
        let mut wanted: Vec<f32> = Vec::new();
        for row in self.blocks[index - before..].iter().take_while(is_here).take(200) {
            wanted.resize(wanted.len().max(row.cells.len()), 24.0);
            for (column, cell) in row.cells.iter().enumerate() {
                let natural = lay_out(ui, &cell.job, f32::INFINITY).size().x + 2.0 * CELL_PAD.x;
                wanted[column] = wanted[column].max(natural.min(width));
            }
        }
        let all: f32 = wanted.iter().sum();
        let room = width - self.blocks[index].indent;
        if all > room {
            wanted.iter_mut().for_each(|column| *column *= room / all);
        }
        self.columns.insert(table, wanted);
    }
}

/// Letters are half as wide as they are high, about; Chinese ones take three bytes.
fn estimate(block: &Block, width: f32) -> f32 {
    let bytes = block.cells.iter().map(|cell| cell.job.text.len()).max().unwrap_or(0);
    let lines = if block.kind == Kind::Code {
        block.cells.iter().map(|cell| cell.job.text.matches('\n').count() + 1).sum::<usize>() as f32
    } else {
        (bytes as f32 * 7.7 / (width - block.indent).max(80.0)).ceil().max(1.0)
    };
    block.above + lines * theme::DOCUMENT_LINE_HEIGHT
}

fn lay_out(ui: &Ui, job: &LayoutJob, width: f32) -> Arc<Galley> {
    let mut job = job.clone();
    job.wrap.max_width = width;
    ui.ctx().fonts_mut(|fonts| fonts.layout_job(job))
}

/// What a block takes (from the top of the space above it), and where its texts are.
pub(super) fn place<'a>(
    ui: &Ui,
    block: &'a Block,
    columns: &std::collections::HashMap<usize, Vec<f32>>,
    at: Pos2,
    width: f32,
) -> (Rect, Vec<Placed<'a>>) {
    let corner = at + vec2(block.indent, block.above);
    let room = (width - block.indent).max(40.0);
    let mut placed = Vec::new();
    let height = match &block.table {
        _ if block.kind == Kind::Rule => RULE_HEIGHT,
        Some((table, alignments)) => {
            let widths = columns.get(table).map(Vec::as_slice).unwrap_or_default();
            row_of_cells(ui, block, widths, alignments, corner, &mut placed)
        }
        None => {
            let pad = code_pad(block);
            let cell = block.cells.first();
            let galley = cell.map(|cell| {
                lay_out(ui, &cell.job, room - 2.0 * CODE_PAD.x * f32::from(u8::from(block.kind == Kind::Code)))
            });
            let height = galley.as_ref().map_or(0.0, |galley| galley.size().y);
            if let (Some(galley), Some(cell)) = (galley, cell) {
                placed.push(Placed { at: corner + pad.min, galley, styled: cell });
            }
            height + pad.min.y + pad.max
        }
    };
    (Rect::from_min_max(corner, pos2(at.x + width, corner.y + height)), placed)
}

/// Padding at the left top and below.
struct Pad {
    min: Vec2,
    max: f32,
}

fn code_pad(block: &Block) -> Pad {
    let of = |joins: bool| if joins { 0.0 } else { CODE_PAD.y };
    match block.kind {
        Kind::Code => Pad { min: vec2(CODE_PAD.x, of(block.joins.0)), max: of(block.joins.1) },
        _ => Pad { min: Vec2::ZERO, max: 0.0 },
    }
}

fn row_of_cells<'a>(
    ui: &Ui,
    block: &'a Block,
    widths: &[f32],
    alignments: &[Alignment],
    corner: Pos2,
    placed: &mut Vec<Placed<'a>>,
) -> f32 {
    let mut x = corner.x;
    let mut height: f32 = 0.0;
    for (column, cell) in block.cells.iter().enumerate() {
        let room = widths.get(column).copied().unwrap_or(80.0);
        let inner = (room - 2.0 * CELL_PAD.x).max(16.0);
        let galley = lay_out(ui, &cell.job, inner + 0.5);
        let spare = (inner - galley.size().x).max(0.0);
        let shift = match alignments.get(column) {
            Some(Alignment::Right) => spare,
            Some(Alignment::Center) => spare / 2.0,
            _ => 0.0,
        };
        height = height.max(galley.size().y + 2.0 * CELL_PAD.y);
        placed.push(Placed { at: pos2(x + CELL_PAD.x + shift, corner.y + CELL_PAD.y), galley, styled: cell });
        x += room;
    }
    height
}

pub(super) fn paint_around(painter: &Painter, block: &Block, around: Rect, palette: &Palette) {
    let line = Stroke::new(1.0, palette.hairline);
    match block.kind {
        Kind::Code => {
            let of = |joins: bool| if joins { 0 } else { theme::RADIUS };
            let (above, below) = (of(block.joins.0), of(block.joins.1));
            painter.rect_filled(around, CornerRadius { nw: above, ne: above, sw: below, se: below }, palette.panel);
        }
        Kind::Rule => _ = painter.hline(around.x_range(), around.center().y, line),
        Kind::Table => _ = painter.hline(around.x_range(), around.bottom(), line),
        Kind::Text | Kind::Quote | Kind::Item => {}
    }
    for quote in 0..block.quotes {
        let x = around.left() - 14.0 - 18.0 * quote as f32;
        let top = if block.joins.0 { around.top() - block.above } else { around.top() };
        painter.vline(x, top..=around.bottom(), Stroke::new(2.0, palette.hairline_strong));
    }
}

/// Paints what is behind code and under links, close to the letters rather than to the tall line.
pub(super) fn paint_spans(painter: &Painter, piece: &Placed<'_>, palette: &Palette) {
    for range in &piece.styled.codes {
        for rect in span(&piece.galley, range) {
            let rect = rect.translate(piece.at.to_vec2());
            let rect = Rect::from_center_size(rect.center() + vec2(0.0, 1.0), vec2(rect.width() + 6.0, 21.0));
            painter.rect_filled(rect, CornerRadius::same(4), palette.panel);
        }
    }
    for (range, _) in &piece.styled.links {
        for rect in span(&piece.galley, range) {
            let rect = rect.translate(piece.at.to_vec2());
            let y = (rect.center().y + 9.0).round() + 0.5;
            painter.hline(rect.x_range(), y, Stroke::new(1.0, palette.accent_line()));
        }
    }
}

/// The rectangles of some bytes of a text, one a row.
pub(super) fn span(galley: &Galley, bytes: &std::ops::Range<usize>) -> Vec<Rect> {
    let chars = |byte: usize| galley.text().get(..byte).map_or(0, |before| before.chars().count());
    let (from, to) = (chars(bytes.start), chars(bytes.end));
    let mut rects = Vec::new();
    let mut first = 0;
    for row in &galley.rows {
        let count = row.char_count_excluding_newline().0;
        let (start, end) = (from.max(first), to.min(first + count));
        if start < end {
            let x = |at: usize| row.pos.x + row.x_offset((at - first).into());
            rects.push(Rect::from_min_max(pos2(x(start), row.min_y()), pos2(x(end), row.max_y())));
        }
        first += row.char_count_including_newline().0;
    }
    rects
}

/// Opens the link under a click, shows where the one under the pointer leads.
pub(super) fn follow_links(ui: &Ui, response: &Response, texts: &[(Pos2, Arc<Galley>, Links)]) {
    let Some(at) = response.hover_pos() else { return };
    for (corner, galley, links) in texts {
        if !galley.rect.translate(corner.to_vec2()).contains(at) {
            continue;
        }
        let index = galley.cursor_from_pos(at - *corner).index.0;
        let byte = galley.text().char_indices().nth(index).map_or(galley.text().len(), |(byte, _)| byte);
        let Some((_, url)) = links.iter().find(|(range, _)| range.contains(&byte)) else { continue };
        // Documents come from anywhere: only addresses that a browser or a mail program opens.
        let is_safe = ["https://", "http://", "mailto:"].iter().any(|scheme| url.starts_with(scheme));
        if !is_safe {
            continue;
        }
        ui.set_cursor_icon(CursorIcon::PointingHand);
        let palette = theme::palette(ui);
        let shown = ui.painter().layout_no_wrap(url.chars().take(100).collect(), theme::small(), palette.muted);
        let foot = Rect::from_min_size(
            pos2(response.rect.left() + 8.0, response.rect.bottom() - 30.0),
            shown.size() + vec2(16.0, 8.0),
        );
        ui.painter().rect(
            foot,
            theme::RADIUS,
            palette.raised,
            Stroke::new(1.0, palette.hairline),
            egui::StrokeKind::Inside,
        );
        ui.painter().galley(Align2::CENTER_CENTER.align_size_within_rect(shown.size(), foot).min, shown, palette.muted);
        if response.clicked() {
            ui.ctx().open_url(OpenUrl::new_tab(url));
        }
        return;
    }
}

#[cfg(test)]
mod tests {
    use egui::{OutputCommand, Theme, accesskit::Role};
    use egui_kittest::{Harness, kittest::Queryable as _};

    use super::*;
    use crate::ui::fonts;

    const TEXT: &str = "# The lighthouse\n\nA keeper, *a lamp* and **a letter**; see [the chart](https://example.org/chart).\n\n\
        > 海上生明月\n>\n> 天涯共此时\n\n1. Climb\n   - slowly\n2. Light `the lamp`\n\n| Night | Oil |\n|:--|--:|\n| first | 12 |\n| last | 3 |\n\n\
        ```\nfn light() {}\n```\n\n---\n\nEnd.\n";

    type App = (PreviewView, String, bool);

    fn harness(text: String, theme: Theme) -> Harness<'static, App> {
        let show = move |ui: &mut Ui, (view, text, is_set_up): &mut App| {
            if !std::mem::replace(is_set_up, true) {
                fonts::install(ui.ctx());
                theme::install(ui.ctx());
                ui.ctx().set_theme(theme);
                return;
            }
            preview_ui(ui, view, text, "id", 1, 24.0);
        };
        let state = (PreviewView::default(), text, false);
        let builder = Harness::builder().with_size(vec2(560.0, 620.0)).with_pixels_per_point(1.0);
        let mut harness = builder.build_ui_state(show, state);
        harness.run_steps(3);
        harness
    }

    #[test]
    fn it_looks_as_meant() {
        harness(TEXT.to_owned(), Theme::Dark).snapshot("preview_dark");
    }

    #[test]
    fn links_open_in_the_browser_and_scripts_do_not() {
        for (url, opens) in [("https://example.org/chart", true), ("file:///etc/passwd", false)] {
            let mut harness = harness(format!("[chart]({url})\n"), Theme::Light);
            let corner = harness.get_by_role(Role::Document).rect().left_top();
            let at = corner + vec2(theme::WORK_MARGIN + 15.0, 38.0);
            harness.hover_at(at);
            harness.run_steps(1);
            for pressed in [true, false] {
                let button = egui::PointerButton::Primary;
                let modifiers = egui::Modifiers::NONE;
                harness.event(egui::Event::PointerButton { pos: at, button, pressed, modifiers });
            }
            let mut opened = false;
            for _ in 0..3 {
                harness.step();
                let commands = &harness.output().platform_output.commands;
                opened |=
                    commands.iter().any(|command| matches!(command, OutputCommand::OpenUrl(open) if open.url == url));
            }
            assert_eq!(opened, opens, "{url}");
        }
    }

    #[test]
    fn a_long_document_can_be_scrolled_to_its_end() {
        let mut harness = harness(TEXT.repeat(8000), Theme::Dark);
        assert!(harness.state().1.len() > 2_000_000);
        harness.key_press(egui::Key::End);
        harness.run_steps(3);
        let view = &harness.state().0;
        let seen = view.at_y(view.offset + 500.0);
        assert!(seen + 20 > view.blocks.len(), "{seen} of {}", view.blocks.len());
        harness.key_press(egui::Key::PageUp);
        harness.run_steps(3);
        let view = &harness.state().0;
        assert!(view.at_y(view.offset) + 60 > view.blocks.len(), "a page up is a page");
    }

    #[test]
    fn a_text_that_streams_is_taken_apart_some_times_a_second() {
        let ctx = egui::Context::default();
        let mut view = PreviewView { of: Some(("id".to_owned(), 1, true)), ..PreviewView::default() };
        let mut shown = Vec::new();
        for frame in 0..32_u32 {
            let time = Some(10.0 + f64::from(frame) / 16.0);
            let revision = 2 + u64::from(frame);
            let mut output = ctx.run_ui(egui::RawInput { time, ..Default::default() }, |ui| {
                let due = view.due(ui, "id", revision);
                view.of = Some(("id".to_owned(), due, true));
                shown.push(due);
            });
            output.textures_delta.clear();
        }
        shown.dedup();
        assert!((6..=10).contains(&shown.len()), "{shown:?}");
    }
}
