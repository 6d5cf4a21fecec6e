//! The likeliest other tokens at a generated one, to branch from: shown when the pointer rests on it.

use std::ops::Range;

use egui::{
    Align2, Area, CornerRadius, Frame, Key, Margin, Modifiers, Order, Pos2, Rect, Sense, Stroke, Ui, Vec2, pos2, vec2,
};

use super::{
    super::text::{Key as Word, fill, t},
    super::theme,
    EditorEvent, EditorState, EditorStyle, Look, Place,
};
use crate::{
    Lang,
    document::{Document, TokenRef},
    generate::{Likely, TextToken},
};

/// How long the pointer rests before the alternatives open.
const REST_S: f64 = 0.15;
/// How long they stay when it has left.
const LEAVE_S: f64 = 0.3;
/// Moving less than this is resting.
const REST_POINTS: f32 = 3.0;
/// The most that are shown.
const MOST: usize = 10;
const WIDTH: f32 = 220.0;
const ROW: f32 = 26.0;
const INSET: f32 = 9.0;
const BAR: Vec2 = vec2(64.0, 4.0);

/// A text of which parts were generated token by token.
pub trait Tokens {
    /// The generated token that a byte belongs to.
    fn token_at(&self, byte: usize) -> Option<TokenRef>;
    /// A token with its probability and the likeliest others.
    fn token(&self, token: &TokenRef) -> Option<TextToken>;
}

impl Tokens for Document {
    fn token_at(&self, byte: usize) -> Option<TokenRef> {
        self.token_at(byte)
    }

    fn token(&self, token: &TokenRef) -> Option<TextToken> {
        self.token(token)
    }
}

/// What is shown, and what the pointer is about to ask for.
#[derive(Clone, Debug, Default)]
pub struct Alternatives {
    open: Option<Open>,
    /// The token under the pointer, where the pointer came to rest, and since when.
    resting: Option<(TokenRef, Pos2, f64)>,
    /// Since when the pointer has been away from both.
    away_since: Option<f64>,
    /// After a key, only a pointer that moves opens them again.
    hushed_at: Option<Pos2>,
    last_pointer: Pos2,
    popup: Option<Rect>,
}

#[derive(Clone, Debug)]
struct Open {
    token: TokenRef,
    chosen: usize,
    by_key: bool,
}

impl Alternatives {
    /// Whether they are shown.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Closes them.
    pub fn close(&mut self) {
        (self.open, self.resting, self.away_since, self.popup) = (None, None, None, None);
    }

    /// Typing closes them until the pointer moves.
    pub(super) fn hush(&mut self) {
        if self.open.as_ref().is_none_or(|open| !open.by_key) {
            self.close();
            self.hushed_at = Some(self.last_pointer);
        }
    }

    /// Opens for the token at `byte`; `false` when a person wrote there.
    pub(super) fn open_at(&mut self, document: &dyn Tokens, byte: usize) -> bool {
        let token = document.token_at(byte).filter(|token| has_choices(document, token));
        self.open = token.map(|token| Open { chosen: current_row(document, &token), token, by_key: false });
        (self.resting, self.away_since, self.popup) = (None, None, None);
        self.open.is_some()
    }

    /// Opens for the token at or before the caret.
    pub(super) fn open_by_key(&mut self, document: &Document, caret: usize) {
        if !self.open_at(document, caret) {
            self.open_at(document, document.text().floor_char_boundary(caret.saturating_sub(1)));
        }
        if let Some(open) = &mut self.open {
            open.by_key = true;
        }
    }

    /// The bytes of the token whose alternatives are shown.
    pub(super) fn token(&self, document: &dyn Tokens) -> Option<Range<usize>> {
        let open = self.open.as_ref()?;
        document.token_at(open.token.range.start).filter(|now| is_same(now, &open.token)).map(|now| now.range)
    }

    /// The pointer is on the text, over `byte` if there are letters.
    pub(super) fn hover(&mut self, ui: &Ui, document: &dyn Tokens, byte: Option<usize>, at: Pos2) {
        let now = ui.input(|input| input.time);
        self.last_pointer = at;
        if self.hushed_at.is_some_and(|hushed| hushed.distance(at) < REST_POINTS) {
            return;
        }
        self.hushed_at = None;
        let token = byte.and_then(|byte| document.token_at(byte));
        self.leave_if_away(ui, token.as_ref(), at, now);
        let Some(token) = token.filter(|token| has_choices(document, token)) else {
            self.resting = None;
            return;
        };
        if self.open.as_ref().is_some_and(|open| is_same(&open.token, &token)) {
            return;
        }
        match &self.resting {
            Some((resting, place, since)) if is_same(resting, &token) && place.distance(at) < REST_POINTS => {
                if now - since >= REST_S {
                    self.open_at(document, token.range.start);
                } else {
                    repaint_in(ui, REST_S - (now - since));
                }
            }
            _ => {
                self.resting = Some((token, at, now));
                repaint_in(ui, REST_S);
            }
        }
    }

    /// Closes some moments after the pointer has left the token, the popup, and the way between them.
    fn leave_if_away(&mut self, ui: &Ui, under: Option<&TokenRef>, at: Pos2, now: f64) {
        let Some(open) = &self.open else { return };
        let is_on_token = under.is_some_and(|under| is_same(under, &open.token));
        let is_near = self.popup.is_some_and(|popup| popup.expand(14.0).contains(at));
        if open.by_key || is_on_token || is_near {
            self.away_since = None;
            return;
        }
        let since = *self.away_since.get_or_insert(now);
        if now - since >= LEAVE_S {
            self.close();
        } else {
            repaint_in(ui, LEAVE_S - (now - since));
        }
    }
}

fn is_same(one: &TokenRef, other: &TokenRef) -> bool {
    (one.generation, one.index) == (other.generation, other.index)
}

fn repaint_in(ui: &Ui, seconds: f64) {
    ui.ctx().request_repaint_after(std::time::Duration::from_secs_f64(seconds.max(0.0) + 0.005));
}

fn has_choices(document: &dyn Tokens, token: &TokenRef) -> bool {
    document.token(token).is_some_and(|token| !token.likely.is_empty())
}

/// The rows: the likeliest, and the token itself if it is not among them.
fn rows(token: &TextToken) -> Vec<Likely> {
    let mut rows: Vec<Likely> = token.likely.iter().take(MOST).cloned().collect();
    if !rows.iter().any(|row| row.id == token.id) {
        rows.truncate(MOST - 1);
        rows.push(Likely { id: token.id, text: token.text.clone(), probability: token.probability });
    }
    rows
}

fn current_row(document: &dyn Tokens, token: &TokenRef) -> usize {
    let Some(token) = document.token(token) else { return 0 };
    rows(&token).iter().position(|row| row.id == token.id).unwrap_or(0)
}

/// Keys while the alternatives are open; `true` when they were meant for them.
pub(super) fn keys(ui: &Ui, state: &mut EditorState, document: &Document, out: &mut Vec<EditorEvent>) -> bool {
    let Some(open) = &mut state.alternatives.open else { return false };
    let pressed = |key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
    if pressed(Key::Escape) {
        state.alternatives.close();
        state.alternatives.hushed_at = Some(state.alternatives.last_pointer);
        return true;
    }
    if !open.by_key {
        return false;
    }
    let Some(token) = document.token(&open.token) else { return false };
    let rows = rows(&token);
    let (up, down, enter) = (pressed(Key::ArrowUp), pressed(Key::ArrowDown), pressed(Key::Enter));
    if down {
        open.chosen = (open.chosen + 1).min(rows.len().saturating_sub(1));
    } else if up {
        open.chosen = open.chosen.saturating_sub(1);
    } else if enter {
        let event = rows.get(open.chosen).map(|row| EditorEvent::Branch { token: open.token.clone(), choice: row.id });
        out.extend(event);
        state.alternatives.close();
    } else {
        // Any other key goes on with the text.
        let is_key = ui.input(|input| {
            input
                .events
                .iter()
                .any(|event| matches!(event, egui::Event::Text(_) | egui::Event::Key { pressed: true, .. }))
        });
        if is_key {
            state.alternatives.close();
        }
        return false;
    }
    true
}

/// Draws the alternatives under their token.
pub(super) fn popup_ui(
    ui: &Ui,
    state: &mut EditorState,
    document: &Document,
    style: &EditorStyle<'_>,
    look: &Look,
    place: &Place,
    out: &mut Vec<EditorEvent>,
) {
    let Some(open) = state.alternatives.open.clone() else { return };
    let shown = state.alternatives.token(document);
    let (Some(range), Some(_)) = (shown, document.token(&open.token)) else {
        state.alternatives.close();
        return;
    };
    let skipped = document.text()[range.clone()].len() - document.text()[range.clone()].trim_start().len();
    let caret = state.caret_rect(ui, document, look, place, range.start + skipped);
    if !place.rect.intersects(caret) {
        state.alternatives.close();
        return;
    }
    let asked = state.alternatives.show(ui, place.id, style.lang, document, caret, place.rect);
    if let Some((token, choice)) = asked {
        out.push(EditorEvent::Branch { token, choice });
        state.focus();
    }
}

impl Alternatives {
    /// Draws them under their token, whose first row is at `caret` in a text that takes `bounds`; the choice of a
    /// click, which closes them.
    pub(super) fn show(
        &mut self,
        ui: &Ui,
        id: egui::Id,
        lang: Lang,
        tokens: &dyn Tokens,
        caret: Rect,
        bounds: Rect,
    ) -> Option<(TokenRef, u32)> {
        let open = self.open.clone()?;
        let rows = rows(&tokens.token(&open.token)?);
        let height = rows.len() as f32 * ROW + 2.0 * 8.0 + 26.0;
        let screen = ui.ctx().content_rect().shrink(8.0);
        let below = caret.bottom() + 2.0;
        let y = if below + height > screen.bottom() { caret.top() - 2.0 - height } else { below };
        // The words of the list stand under the word that they could replace.
        let x = (caret.left() - INSET - 6.0).clamp(screen.left(), (screen.right() - WIDTH).max(screen.left()));
        let area = Area::new(id.with("alternatives")).order(Order::Foreground).fixed_pos(pos2(x, y)).constrain(true);
        let shown = area.show(ui.ctx(), |ui| list_ui(ui, lang, &rows, open.chosen));
        self.popup = Some(shown.response.rect.union(caret));
        let pointer = ui.input(|input| input.pointer.hover_pos());
        if pointer.is_some_and(|at| shown.response.rect.contains(at)) {
            self.away_since = None;
        } else if pointer.is_none_or(|at| !bounds.contains(at)) {
            let now = ui.input(|input| input.time);
            self.leave_if_away(ui, None, pointer.unwrap_or(Pos2::ZERO), now);
        }
        let choice = shown.inner?;
        self.close();
        Some((open.token, choice))
    }
}

/// The list itself; the id of a row that was clicked.
fn list_ui(ui: &mut Ui, lang: Lang, rows: &[Likely], chosen: usize) -> Option<u32> {
    let palette = theme::palette(ui);
    let frame = Frame::new()
        .fill(palette.raised)
        .stroke(Stroke::new(1.0, palette.hairline))
        .corner_radius(theme::CARD_RADIUS)
        .shadow(ui.visuals().popup_shadow)
        .inner_margin(Margin::symmetric(INSET as i8, 8));
    let mut choice = None;
    frame.show(ui, |ui| {
        ui.set_width(WIDTH - 2.0 * INSET);
        ui.spacing_mut().item_spacing = Vec2::ZERO;
        for (index, row) in rows.iter().enumerate() {
            if row_ui(ui, lang, row, index == chosen) {
                choice = Some(row.id);
            }
        }
        let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 26.0), Sense::hover());
        let at = rect.left_center() + vec2(6.0, 2.0);
        ui.painter().text(at, Align2::LEFT_CENTER, t(lang, Word::BranchHint), theme::small(), palette.muted);
    });
    choice
}

fn row_ui(ui: &mut Ui, lang: Lang, row: &Likely, is_chosen: bool) -> bool {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::click());
    let palette = theme::palette(ui);
    let percent = percent(row.probability);
    let name = shown_text(&row.text);
    if is_chosen || response.hovered() {
        let color = if is_chosen { palette.generated_strong } else { palette.hairline };
        ui.painter().rect_filled(rect, CornerRadius::same(6), color);
    }
    let bar = Rect::from_min_size(pos2(rect.right() - 48.0 - BAR.x, rect.center().y - BAR.y / 2.0), BAR);
    let word = ui.painter().with_clip_rect(Rect::from_min_max(rect.min, pos2(bar.left() - 8.0, rect.bottom())));
    word.text(rect.left_center() + vec2(6.0, 0.0), Align2::LEFT_CENTER, &name, theme::number(), palette.text);
    ui.painter().rect_filled(bar, CornerRadius::same(2), palette.track);
    // Twice as long as they are likely: few tokens are likelier than half, and those are not compared with others.
    let length = (row.probability * 2.0).clamp(0.0, 1.0) * BAR.x;
    let length = if row.probability > 0.0 { length.max(3.0) } else { 0.0 };
    ui.painter().rect_filled(Rect::from_min_size(bar.min, vec2(length, BAR.y)), CornerRadius::same(2), palette.accent);
    ui.painter().text(
        rect.right_center() - vec2(6.0, 0.0),
        Align2::RIGHT_CENTER,
        &percent,
        theme::number(),
        palette.muted,
    );
    let label = fill(lang, Word::BranchChoice, &[&name, &percent]);
    response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Button, true, is_chosen, &label));
    // Biases name tokens by their numbers, and this is where they can be read.
    response.on_hover_text(fill(lang, Word::TokenNumber, &[&row.id.to_string()])).clicked()
}

/// A token's text with its spaces made visible where they are all there is.
fn shown_text(text: &str) -> String {
    let trimmed = text.trim();
    if !trimmed.is_empty() {
        return trimmed.chars().take(24).collect();
    }
    text.chars()
        .map(|c| match c {
            '\n' => "\\n",
            '\t' => "\\t",
            _ => "·",
        })
        .take(8)
        .collect()
}

fn percent(probability: f32) -> String {
    match probability {
        p if p < 0.0 => "—".to_owned(),
        p if p < 0.01 => "<1%".to_owned(),
        p => format!("{:.0}%", p * 100.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_and_spaces_read_well() {
        assert_eq!([-1.0, 0.0, 0.004, 0.012, 0.41, 1.0].map(percent), ["—", "<1%", "<1%", "1%", "41%", "100%"]);
        assert_eq!([" come", "\n\n", "  ", "\t", ""].map(shown_text), ["come", "\\n\\n", "··", "\\t", ""]);
    }

    #[test]
    fn the_token_itself_is_always_among_the_rows() {
        let likely = |id| Likely { id, text: id.to_string(), probability: 0.1 };
        let token =
            TextToken { id: 99, text: "x".to_owned(), probability: 0.001, likely: (0..20).map(likely).collect() };
        let rows = rows(&token);
        assert_eq!(rows.len(), MOST);
        assert_eq!(rows[MOST - 1].id, 99);
    }
}
