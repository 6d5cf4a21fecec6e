//! Markdown as blocks to lay out: what each is, its text with its styles, and where its links lead.

use std::ops::Range;

use egui::{FontFamily, FontId, Stroke, TextFormat, text::LayoutJob};
use pulldown_cmark::{Alignment, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use crate::ui::{
    fonts,
    theme::{self, Palette},
};

/// What a block is, for what is painted around its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Quote,
    Code,
    Rule,
    Item,
    Table,
}

/// Links: the bytes of the text, and where they lead.
pub(super) type Links = Vec<(Range<usize>, String)>;

/// Text with styles, and the links in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Styled {
    pub job: LayoutJob,
    pub links: Links,
    /// Bytes of the text that are code.
    pub codes: Vec<Range<usize>>,
    /// Bytes of the text that stand in the Markdown as they are, and where there.
    pub sources: Vec<(Range<usize>, usize)>,
}

/// A paragraph, an item, a row of a table, some lines of code.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub kind: Kind,
    /// Points from the left.
    pub indent: f32,
    /// How many quotes it is in.
    pub quotes: u32,
    /// Space above.
    pub above: f32,
    /// One, or the cells of a table's row.
    pub cells: Vec<Styled>,
    /// For a table: its number, to share the widths of columns, and how they are aligned.
    pub table: Option<(usize, Vec<Alignment>)>,
    /// Whether a block of the same code, text or quote goes on before and after.
    pub joins: (bool, bool),
}

/// Longer text and code is cut into several blocks, so that none is slow to lay out.
const LONGEST_BYTES: usize = 6 << 10;
const INDENT: f32 = 22.0;
const QUOTE_INDENT: f32 = 18.0;

/// Takes Markdown apart.
pub(super) fn blocks(text: &str, palette: &Palette) -> Vec<Block> {
    let mut maker = Maker {
        palette,
        at: None,
        blocks: Vec::new(),
        style: Style::default(),
        lists: Vec::new(),
        quotes: 0,
        in_code: false,
        tables: 0,
        alignments: Vec::new(),
        is_fresh_item: false,
    };
    let options = Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS | Options::ENABLE_TABLES;
    for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
        maker.at = match &event {
            Event::Text(said) | Event::Html(said) | Event::InlineHtml(said) | Event::Code(said) => {
                text.get(range.clone()).and_then(|source| source.find(&**said)).map(|within| range.start + within)
            }
            _ => None,
        };
        maker.take(event);
    }
    let is_shown =
        |block: &Block| block.kind == Kind::Rule || block.cells.iter().any(|cell| !cell.job.text.trim().is_empty());
    maker.blocks.retain(is_shown);
    if let Some(first) = maker.blocks.first_mut() {
        first.above = 0.0;
    }
    maker.blocks
}

/// Where in the inline styles the parser is.
#[derive(Default)]
struct Style {
    strong: u32,
    emphasis: u32,
    strike: u32,
    links: Vec<String>,
    heading: Option<HeadingLevel>,
}

impl Style {
    fn format(&self, palette: &Palette, is_code: bool, is_quote: bool) -> TextFormat {
        let (size, line) = match self.heading {
            Some(HeadingLevel::H1) => (28.0, 36.0),
            Some(HeadingLevel::H2) => (22.0, 30.0),
            Some(HeadingLevel::H3) => (18.0, 26.0),
            Some(_) => (16.0, 26.0),
            None => (theme::DOCUMENT_SIZE, theme::DOCUMENT_LINE_HEIGHT),
        };
        let family = match (is_code, self.heading.is_some() || self.strong > 0) {
            (true, _) => FontFamily::Monospace,
            (_, true) => fonts::semibold(),
            _ => FontFamily::Proportional,
        };
        let is_link = !self.links.is_empty();
        let color = match (is_link, is_quote) {
            (true, _) => palette.accent,
            (_, true) => palette.muted,
            _ => palette.text,
        };
        TextFormat {
            font_id: FontId::new(if is_code { size - 2.0 } else { size }, family),
            line_height: Some(line),
            color,
            italics: self.emphasis > 0,
            strikethrough: if self.strike > 0 { Stroke::new(1.0, color) } else { Stroke::NONE },
            ..TextFormat::default()
        }
    }
}

struct Maker<'a> {
    palette: &'a Palette,
    /// Where in the Markdown the text stands that is about to be written.
    at: Option<usize>,
    blocks: Vec<Block>,
    style: Style,
    /// The lists around; the number of the next item, where they count.
    lists: Vec<Option<u64>>,
    quotes: u32,
    in_code: bool,
    tables: usize,
    alignments: Vec<Alignment>,
    /// Only the mark of an item was written: its first paragraph goes beside it.
    is_fresh_item: bool,
}

impl Maker<'_> {
    fn begin(&mut self, kind: Kind, above: f32) {
        let kind = if self.quotes > 0 && kind == Kind::Text { Kind::Quote } else { kind };
        let table = (kind == Kind::Table).then(|| (self.tables, self.alignments.clone()));
        let goes_on_quoting = kind == Kind::Quote && self.blocks.last().is_some_and(|last| last.quotes > 0);
        self.blocks.push(Block {
            kind,
            indent: INDENT * self.lists.len() as f32 + QUOTE_INDENT * self.quotes as f32,
            quotes: self.quotes,
            above,
            cells: if kind == Kind::Table { Vec::new() } else { vec![Styled::default()] },
            table,
            joins: (goes_on_quoting, false),
        });
        self.is_fresh_item = false;
    }

    fn write(&mut self, text: &str, is_code: bool) {
        let mut format = self.style.format(self.palette, is_code || self.in_code, self.quotes > 0);
        if self.in_code {
            format.line_height = Some(22.0);
        }
        if self.blocks.is_empty() {
            self.begin(Kind::Text, 14.0);
        }
        let mut rest = text;
        while !rest.is_empty() {
            let room = LONGEST_BYTES.saturating_sub(self.written());
            let (now, later) =
                if rest.len() <= room { (rest, "") } else { rest.split_at(cut(rest, room, self.in_code)) };
            if let Some(cell) = self.blocks.last_mut().and_then(|block| block.cells.last_mut()) {
                let start = cell.job.text.len();
                cell.job.append(now, 0.0, format.clone());
                if let Some(at) = self.at {
                    cell.sources.push((start..start + now.len(), at + text.len() - rest.len()));
                }
                if let Some(link) = self.style.links.last() {
                    cell.links.push((start..start + now.len(), link.clone()));
                }
                if is_code {
                    cell.codes.push(start..start + now.len());
                }
            }
            rest = later;
            if !rest.is_empty() && !self.go_on() {
                break;
            }
        }
        self.is_fresh_item = false;
    }

    fn written(&self) -> usize {
        self.blocks.last().and_then(|block| block.cells.last()).map_or(0, |cell| cell.job.text.len())
    }

    /// Begins another block that goes on where the last one is full; a cell of a table ends there.
    fn go_on(&mut self) -> bool {
        let Some(last) = self.blocks.last_mut().filter(|last| last.kind != Kind::Table) else { return false };
        last.joins.1 = true;
        if last.kind == Kind::Code
            && let Some(cell) = last.cells.last_mut()
        {
            drop_line_end(&mut cell.job);
        }
        let next = Block { above: 0.0, cells: vec![Styled::default()], joins: (true, false), ..last.clone() };
        self.blocks.push(next);
        true
    }

    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(&tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => self.write(&text, false),
            Event::Code(text) => self.write(&text, true),
            Event::SoftBreak => self.write(" ", false),
            Event::HardBreak => self.write("\n", false),
            Event::Rule => self.begin(Kind::Rule, 14.0),
            Event::TaskListMarker(is_done) => self.write(if is_done { "[×] " } else { "[ ] " }, true),
            _ => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::Paragraph if self.is_fresh_item => {}
            Tag::Paragraph | Tag::HtmlBlock => self.begin(Kind::Text, 14.0),
            Tag::Heading { level, .. } => {
                self.begin(Kind::Text, 26.0);
                self.style.heading = Some(*level);
            }
            Tag::BlockQuote(_) => self.quotes += 1,
            Tag::CodeBlock(_) => {
                self.begin(Kind::Code, 14.0);
                self.in_code = true;
            }
            Tag::List(first) => self.lists.push(*first),
            Tag::Item => self.item(),
            Tag::Table(alignments) => {
                self.tables += 1;
                self.alignments.clone_from(alignments);
            }
            Tag::TableHead => {
                self.begin(Kind::Table, 14.0);
                self.style.strong += 1;
            }
            Tag::TableRow => self.begin(Kind::Table, 0.0),
            Tag::TableCell => {
                if let Some(block) = self.blocks.last_mut() {
                    block.cells.push(Styled::default());
                }
            }
            Tag::Emphasis => self.style.emphasis += 1,
            Tag::Strong => self.style.strong += 1,
            Tag::Strikethrough => self.style.strike += 1,
            Tag::Link { dest_url, .. } => self.style.links.push(dest_url.to_string()),
            _ => {}
        }
    }

    fn item(&mut self) {
        let number = self.lists.last_mut().and_then(|list| {
            let number = *list;
            *list = number.map(|number| number.saturating_add(1));
            number
        });
        let is_first_of_all = self.lists.len() == 1 && self.blocks.last().is_none_or(|last| last.indent < INDENT);
        self.begin(Kind::Item, if is_first_of_all { 14.0 } else { 6.0 });
        let mark = number.map_or("•  ".to_owned(), |number| format!("{number}.  "));
        self.write(&mark, false);
        self.is_fresh_item = true;
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) => self.style.heading = None,
            TagEnd::BlockQuote(_) => self.quotes = self.quotes.saturating_sub(1),
            TagEnd::CodeBlock => {
                self.in_code = false;
                if let Some(cell) = self.blocks.last_mut().and_then(|block| block.cells.last_mut()) {
                    drop_line_end(&mut cell.job);
                }
            }
            TagEnd::List(_) => _ = self.lists.pop(),
            TagEnd::TableHead => self.style.strong = self.style.strong.saturating_sub(1),
            TagEnd::Emphasis => self.style.emphasis = self.style.emphasis.saturating_sub(1),
            TagEnd::Strong => self.style.strong = self.style.strong.saturating_sub(1),
            TagEnd::Strikethrough => self.style.strike = self.style.strike.saturating_sub(1),
            TagEnd::Link => _ = self.style.links.pop(),
            _ => {}
        }
    }
}

/// Takes the last line end away: the block ends there anyway.
fn drop_line_end(job: &mut LayoutJob) {
    let kept = job.text.trim_end_matches('\n').len();
    job.text.truncate(kept);
    for section in &mut job.sections {
        section.byte_range.end = section.byte_range.end.min(kept.into());
        section.byte_range.start = section.byte_range.start.min(kept.into());
    }
}

/// Where to cut text of which about `room` bytes fit: after a line of code, a space, or a character.
fn cut(text: &str, room: usize, in_code: bool) -> usize {
    let end = text.floor_char_boundary(room);
    let mark = if in_code { '\n' } else { ' ' };
    let border = text[..end].rfind(mark).map(|at| at + 1);
    border.unwrap_or(end).max(text.chars().next().map_or(1, char::len_utf8))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Vec<(Kind, String)> {
        let palette = theme::palette_of(egui::Theme::Dark);
        let text_of = |block: Block| {
            let cells: Vec<String> = block.cells.into_iter().map(|cell| cell.job.text).collect();
            (block.kind, cells.join("|"))
        };
        blocks(text, palette).into_iter().map(text_of).collect()
    }

    #[test]
    fn markdown_becomes_blocks() {
        let text = "# Title\n\nOne *two*\nthree.\n\n> said\n\n- a\n- b\n\n1. x\n\n---\n\n```\ncode\n```\n\n| a | b |\n|--|--|\n| 1 | 2 |\n";
        let want = [
            (Kind::Text, "Title"),
            (Kind::Text, "One two three."),
            (Kind::Quote, "said"),
            (Kind::Item, "•  a"),
            (Kind::Item, "•  b"),
            (Kind::Item, "1.  x"),
            (Kind::Rule, ""),
            (Kind::Code, "code"),
            (Kind::Table, "a|b"),
            (Kind::Table, "1|2"),
        ];
        assert_eq!(shape(text), want.map(|(kind, text)| (kind, text.to_owned())));
    }

    #[test]
    fn links_know_where_they_lead() {
        let palette = theme::palette_of(egui::Theme::Dark);
        let block = blocks("see [the *page*](https://example.org/a) now", palette).remove(0);
        let cell = &block.cells[0];
        let parts: Vec<(&str, &str)> =
            cell.links.iter().map(|(range, url)| (&cell.job.text[range.clone()], url.as_str())).collect();
        assert_eq!(parts, [("the ", "https://example.org/a"), ("page", "https://example.org/a")]);
    }

    #[test]
    fn long_parts_are_cut_without_losing_anything() {
        let palette = theme::palette_of(egui::Theme::Dark);
        let prose = "词 word ".repeat(8000);
        let code = "line of code\n".repeat(4000);
        for (text, want) in [(prose.clone(), prose.trim_end().to_owned()), (format!("```\n{code}```\n"), code)] {
            let blocks = blocks(&text, palette);
            assert!(blocks.len() > 5 && blocks.iter().all(|block| block.cells[0].job.text.len() <= LONGEST_BYTES));
            let line_end = if blocks[0].kind == Kind::Code { "\n" } else { "" };
            let all: String = blocks.iter().map(|block| block.cells[0].job.text.clone() + line_end).collect();
            assert_eq!(all, want);
            assert!(blocks[0].joins == (false, true) && blocks[1].joins == (true, true));
        }
    }

    #[test]
    fn odd_markdown_does_no_harm() {
        for text in [
            "",
            "****",
            "> ",
            "- \n\n  para",
            "| a | b |\n|--|--|\n| 1 | 2 | 3 |",
            "```\n",
            "[x](",
            "1) é\n   - 你好",
            "|a|\n|-|\n| \\| |",
        ] {
            shape(text);
        }
    }

    #[test]
    fn letters_know_where_they_stand_in_the_markdown() {
        let text = "# 灯塔 *lamp*\n\n- a `b c` d\n\n```\nx\ny\n```\n";
        let mut seen = String::new();
        for block in blocks(text, theme::palette_of(egui::Theme::Dark)) {
            for cell in block.cells {
                for (range, at) in cell.sources {
                    // The last line end of code is dropped.
                    let shown = cell.job.text.get(range.start..range.end.min(cell.job.text.len())).expect("inside");
                    assert_eq!(text.get(at..at + shown.len()), Some(shown));
                    seen.push_str(shown);
                }
            }
        }
        assert_eq!(seen, "灯塔 lampa b c dx\ny");
    }
}
