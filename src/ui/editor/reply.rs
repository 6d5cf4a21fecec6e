//! A reply of a conversation: its Markdown laid out, and its words open to branching as those of the notebook are.

use std::ops::Range;

use egui::{
    CornerRadius, Galley, Id, Pos2, Rect, Sense, Stroke, Ui, WidgetInfo, accesskit::Role, pos2,
    text_selection::LabelSelectionState, vec2,
};

use super::{
    alternatives::{Alternatives, Tokens},
    markdown::Styled,
    preview::{Placed, PreviewView, follow_links, paint_around, paint_spans, place, span},
};
use crate::{
    Lang,
    document::{Chat, MessageId, TokenRef},
    generate::TextToken,
    ui::theme,
};

/// A laid-out reply, kept until its text, the width or the theme changes.
#[derive(Debug, Default)]
pub struct ReplyView {
    laid_out: PreviewView,
    text: String,
    revision: u64,
}

/// The tokens of a reply.
pub struct Reply<'a> {
    /// The conversation.
    pub chat: &'a Chat,
    /// The message.
    pub message: MessageId,
}

impl Tokens for Reply<'_> {
    fn token_at(&self, byte: usize) -> Option<TokenRef> {
        self.chat.token_at(self.message, byte)
    }

    fn token(&self, token: &TokenRef) -> Option<TextToken> {
        self.chat.token(token)
    }
}

/// Shows `text`, which is the reply's or what stands for it; `name` is what a screen reader says. The token to branch
/// at and the one to take instead, when a person chose one.
pub fn reply_ui(
    ui: &mut Ui,
    view: &mut ReplyView,
    words: &mut Alternatives,
    reply: &Reply<'_>,
    lang: Lang,
    (text, name): (&str, &str),
) -> Option<(TokenRef, u32)> {
    let palette = theme::palette(ui);
    let id = Id::unique(("reply", reply.chat.id(), reply.message.0));
    let width = ui.available_width().max(80.0).floor();
    if view.text != text {
        text.clone_into(&mut view.text);
        view.revision += 1;
    }
    let laid_out = &mut view.laid_out;
    laid_out.sync(text, reply.chat.id(), view.revision, ui.visuals().dark_mode, width, palette);
    let mut tops = vec![0.0];
    for index in 0..laid_out.blocks.len() {
        laid_out.measure_table(ui, index, width);
        let (around, _) = place(ui, &laid_out.blocks[index], &laid_out.columns, Pos2::ZERO, width);
        tops.push(tops[index] + around.bottom());
    }
    let (rect, response) = ui.allocate_exact_size(vec2(width, tops[laid_out.blocks.len()]), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Paragraph, true, name));

    let token = words.token(reply);
    let pointer = ui.input(|input| input.pointer.hover_pos()).filter(|_| ui.rect_contains_pointer(rect));
    let (mut caret, mut under) = (None, None);
    for (index, block) in laid_out.blocks.iter().enumerate() {
        let at = pos2(rect.left(), (rect.top() + tops[index]).round());
        if !ui.is_rect_visible(Rect::from_min_max(at, pos2(rect.right(), rect.top() + tops[index + 1]))) {
            continue;
        }
        let (around, placed) = place(ui, block, &laid_out.columns, at, width);
        paint_around(ui.painter(), block, around, palette);
        for (number, piece) in placed.into_iter().enumerate() {
            under = under.or_else(|| pointer.and_then(|pointer| source_at(&piece, pointer)));
            paint_spans(ui.painter(), &piece, palette);
            let marked = token.as_ref().map(|token| rects(&piece, token)).unwrap_or_default();
            for rect in &marked {
                ui.painter().rect_filled(hug(*rect), CornerRadius::same(3), palette.accent);
            }
            caret = caret.or(marked.first().copied());
            let (at, galley) = (piece.at, piece.galley.clone());
            let links = piece.styled.links.clone();
            let area = Rect::from_min_size(at, galley.size());
            let response = ui.interact(area, id.with((index, number)), Sense::click_and_drag());
            LabelSelectionState::label_text_selection(ui, &response, at, piece.galley, palette.text, Stroke::NONE);
            if !links.is_empty() {
                follow_links(ui, &response, &[(at, galley.clone(), links)]);
            }
            for rect in marked {
                let clipped = ui.painter().with_clip_rect(hug(rect).intersect(ui.clip_rect()));
                clipped.galley_with_override_text_color(at, galley.clone(), palette.on_accent);
            }
        }
    }
    if let Some(pointer) = pointer {
        words.hover(ui, reply, under, pointer);
    }
    match caret {
        Some(caret) => words.show(ui, id, lang, reply, caret, rect),
        None => {
            if token.is_some() {
                words.close();
            }
            None
        }
    }
}

/// Marks hug the letters rather than the tall line.
fn hug(rect: Rect) -> Rect {
    Rect::from_center_size(rect.center() + vec2(0.0, 1.0), vec2(rect.width() + 2.0, 22.0))
}

/// The byte of the Markdown under a place on the screen.
fn source_at(piece: &Placed<'_>, at: Pos2) -> Option<usize> {
    let within = at - piece.at;
    let on_row = piece.galley.rows.iter().any(|row| {
        let rect = row.rect();
        rect.y_range().contains(within.y) && (rect.left()..=rect.right()).contains(&within.x)
    });
    let byte = on_row.then(|| byte_at(&piece.galley, within))?;
    source_of(piece.styled, byte)
}

/// The byte of the letter at a place.
fn byte_at(galley: &Galley, within: egui::Vec2) -> usize {
    let index = galley.cursor_from_pos(within).index.0;
    let start = galley.pos_from_cursor(egui::text::CCursor::new(index)).min.x;
    // The border nearest to the place may be the one after the letter.
    let index = if within.x < start { index.saturating_sub(1) } else { index };
    galley.text().char_indices().nth(index).map_or(galley.text().len(), |(byte, _)| byte)
}

fn source_of(styled: &Styled, byte: usize) -> Option<usize> {
    let (range, at) = styled.sources.iter().find(|(range, _)| range.contains(&byte))?;
    Some(at + byte - range.start)
}

/// Where the letters of a part of the Markdown are on the screen, without the spaces around them.
fn rects(piece: &Placed<'_>, source: &Range<usize>) -> Vec<Rect> {
    let mut rects = Vec::new();
    for (range, at) in &piece.styled.sources {
        let start = source.start.max(*at);
        let end = source.end.min(at + range.len());
        if start >= end {
            continue;
        }
        let bytes = range.start + start - at..range.start + end - at;
        let text = piece.galley.text().get(bytes.clone()).unwrap_or_default();
        let trimmed =
            bytes.start + (text.len() - text.trim_start().len())..bytes.end - (text.len() - text.trim_end().len());
        let bytes = if trimmed.is_empty() { bytes } else { trimmed };
        rects.extend(span(&piece.galley, &bytes).into_iter().map(|rect| rect.translate(piece.at.to_vec2())));
    }
    rects
}
