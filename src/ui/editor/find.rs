//! Finding in the document: the bar, the matches, and replacing them.

use std::ops::Range;

use egui::{Align, Area, Frame, Key, Layout, Margin, Modifiers, Order, Stroke, TextEdit, Ui, pos2, vec2};

use super::{
    super::{
        icons::Icon,
        text::{Key as Word, count, fill, t},
        theme,
    },
    EditorState, EditorStyle, Place,
};
use crate::{
    Lang,
    document::{Document, Selection},
};

/// More matches than this are not told apart.
const MOST: usize = 100_000;
const WIDTH: f32 = 380.0;

/// The state of finding.
#[derive(Clone, Debug, Default)]
pub(super) struct Find {
    pub is_open: bool,
    query: String,
    replacement: String,
    /// In order.
    matches: Vec<Range<usize>>,
    /// What the matches were found for: query, document, revision.
    searched: Option<(String, String, u64)>,
    current: Option<usize>,
    wants_focus: bool,
}

impl Find {
    /// Opens the bar; a short selection becomes what is looked for.
    pub fn open(&mut self, document: &Document) {
        let selected = &document.text()[document.selection().range()];
        if !selected.is_empty() && selected.len() <= 200 && !selected.contains('\n') {
            selected.clone_into(&mut self.query);
        }
        self.is_open = true;
        self.wants_focus = true;
        self.searched = None;
    }

    pub fn close(&mut self) {
        self.is_open = false;
        self.matches.clear();
        self.searched = None;
        self.current = None;
    }

    /// Finds anew when the query or the text has changed.
    pub fn sync(&mut self, document: &Document) {
        if !self.is_open {
            return;
        }
        let is_fresh = self.searched.as_ref().is_some_and(|(query, id, revision)| {
            *query == self.query && id == document.id() && *revision == document.revision()
        });
        if is_fresh {
            return;
        }
        self.matches = matches(document.text(), &self.query);
        let selection = document.selection().range();
        self.current = self.matches.iter().position(|range| *range == selection);
        self.searched = Some((self.query.clone(), document.id().to_owned(), document.revision()));
    }

    /// Selects the next match, or the one before; around the ends.
    pub fn step(&mut self, document: &mut Document, forward: bool) {
        self.sync(document);
        if self.matches.is_empty() {
            return;
        }
        let selection = document.selection().range();
        let last = self.matches.len() - 1;
        let index = if forward {
            let at = if self.current.is_some() { selection.end.max(selection.start + 1) } else { selection.start };
            self.matches.iter().position(|range| range.start >= at).unwrap_or(0)
        } else {
            self.matches.iter().rposition(|range| range.end <= selection.start).unwrap_or(last)
        };
        self.current = Some(index);
        let range = &self.matches[index];
        document.set_selection(Selection { anchor: range.start, head: range.end });
    }

    fn replace(&mut self, document: &mut Document, now_ms: u64) {
        let selection = document.selection().range();
        if self.matches.contains(&selection) {
            document.seal();
            document.edit(selection, &self.replacement, now_ms);
            document.seal();
        }
        self.current = None;
        self.step(document, true);
    }

    fn replace_all(&mut self, document: &mut Document, now_ms: u64) {
        self.sync(document);
        let edits: Vec<_> = self.matches.iter().map(|range| (range.clone(), self.replacement.as_str())).collect();
        document.edit_many(&edits, now_ms);
        self.current = None;
    }

    /// The matches that overlap `range`, and whether each is the current one.
    pub fn in_view(&self, range: &Range<usize>) -> impl Iterator<Item = (Range<usize>, bool)> {
        let first = self.matches.partition_point(|found| found.end <= range.start);
        let last = self.matches.partition_point(|found| found.start < range.end);
        let current = self.current;
        self.matches[first..last.max(first)]
            .iter()
            .enumerate()
            .map(move |(n, found)| (found.clone(), current == Some(first + n)))
    }
}

/// Where `query` stands in `text`. Letters match in both cases unless the query has a capital.
fn matches(text: &str, query: &str) -> Vec<Range<usize>> {
    if query.is_empty() {
        return Vec::new();
    }
    let is_exact = query.chars().any(char::is_uppercase) || !query.chars().any(char::is_lowercase);
    if is_exact {
        return text.match_indices(query).take(MOST).map(|(at, found)| at..at + found.len()).collect();
    }
    if query.is_ascii() { matches_ascii(text, query.as_bytes()) } else { matches_folded(text, query) }
}

fn matches_ascii(text: &str, query: &[u8]) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let (lower, upper) = (query[0].to_ascii_lowercase(), query[0].to_ascii_uppercase());
    let mut found = Vec::new();
    let mut at = 0;
    while at + query.len() <= bytes.len() && found.len() < MOST {
        let Some(next) = memchr::memchr2(lower, upper, &bytes[at..]) else { break };
        at += next;
        if bytes.get(at..at + query.len()).is_some_and(|here| here.eq_ignore_ascii_case(query)) {
            found.push(at..at + query.len());
            at += query.len();
        } else {
            at += 1;
        }
    }
    found
}

fn matches_folded(text: &str, query: &str) -> Vec<Range<usize>> {
    let folded: Vec<char> = query.chars().flat_map(char::to_lowercase).collect();
    let mut found: Vec<Range<usize>> = Vec::new();
    for (at, _) in text.char_indices() {
        if found.len() == MOST || found.last().is_some_and(|last| at < last.end) {
            continue;
        }
        let mut left = folded.iter();
        let mut end = at;
        let mut want = left.next();
        for c in text[at..].chars() {
            let fits = c.to_lowercase().all(|lower| {
                let same = want == Some(&lower);
                want = left.next();
                same
            });
            if !fits {
                break;
            }
            end += c.len_utf8();
            if want.is_none() {
                found.push(at..end);
                break;
            }
        }
    }
    found
}

/// Draws the bar, at the right above the text, and takes its keys.
pub(super) fn find_ui(
    ui: &Ui,
    state: &mut EditorState,
    document: &mut Document,
    style: &EditorStyle<'_>,
    place: &Place,
) {
    if !state.find.is_open {
        return;
    }
    let width = WIDTH.min(place.rect.width() - 24.0);
    let at = pos2(place.rect.right() - width - 16.0, place.rect.top() + 8.0);
    let area = Area::new(place.id.with("find")).order(Order::Middle).fixed_pos(at).constrain(false);
    area.show(ui.ctx(), |ui| {
        let palette = theme::palette(ui);
        let frame = Frame::new()
            .fill(palette.raised)
            .stroke(Stroke::new(1.0, palette.hairline))
            .corner_radius(theme::CARD_RADIUS)
            .shadow(ui.visuals().popup_shadow)
            .inner_margin(Margin::same(8));
        frame.show(ui, |ui| {
            ui.set_width(width - 16.0);
            ui.spacing_mut().item_spacing = vec2(6.0, 6.0);
            find_row(ui, state, document, style, place);
            if state.find.is_open {
                replace_row(ui, state, document, style);
            }
        });
    });
}

fn find_row(ui: &mut Ui, state: &mut EditorState, document: &mut Document, style: &EditorStyle<'_>, place: &Place) {
    let lang = style.lang;
    let mut steps = None;
    ui.horizontal(|ui| {
        let field = field_ui(ui, &mut state.find.query, t(lang, Word::FindWhat), 150.0);
        if std::mem::take(&mut state.find.wants_focus) {
            field.request_focus();
            select_all(ui, field.id, &state.find.query);
        }
        if field.has_focus() {
            ui.memory_mut(|memory| {
                let filter = egui::EventFilter { escape: true, ..egui::EventFilter::default() };
                memory.set_focus_lock_filter(field.id, filter);
            });
        }
        let before = state.find.current;
        state.find.sync(document);
        if field.changed() && before.is_none() {
            steps = Some(true);
        }
        if field.has_focus() || field.lost_focus() {
            let pressed = |modifiers, key| ui.input_mut(|input| input.consume_key(modifiers, key));
            if pressed(Modifiers::SHIFT, Key::Enter) {
                steps = Some(false);
                field.request_focus();
            } else if pressed(Modifiers::NONE, Key::Enter) {
                steps = Some(true);
                field.request_focus();
            } else if pressed(Modifiers::SHIFT, Key::F3) {
                steps = Some(false);
            } else if pressed(Modifiers::NONE, Key::F3) {
                steps = Some(true);
            } else if pressed(Modifiers::NONE, Key::Escape) {
                close(ui, state, place);
            }
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if icon_button(ui, Icon::Close, t(lang, Word::FindClose)) {
                close(ui, state, place);
            }
            if icon_button(ui, Icon::ChevronDown, t(lang, Word::FindNext)) {
                steps = Some(true);
            }
            if icon_button(ui, Icon::ChevronUp, t(lang, Word::FindPrevious)) {
                steps = Some(false);
            }
            ui.add(egui::Label::new(
                egui::RichText::new(told(&state.find, lang)).font(theme::small()).color(theme::palette(ui).muted),
            ));
        });
    });
    if let Some(forward) = steps {
        state.find.step(document, forward);
        state.reveal = true;
    }
}

fn replace_row(ui: &mut Ui, state: &mut EditorState, document: &mut Document, style: &EditorStyle<'_>) {
    let lang = style.lang;
    ui.horizontal(|ui| {
        let field = field_ui(ui, &mut state.find.replacement, t(lang, Word::ReplaceWith), 150.0);
        let pressed = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let is_possible = !state.find.matches.is_empty();
            if ui.add_enabled(is_possible, egui::Button::new(t(lang, Word::ReplaceAll))).clicked() {
                state.find.replace_all(document, style.now_ms);
            }
            let button = ui.add_enabled(is_possible, egui::Button::new(t(lang, Word::ReplaceOne)));
            if button.clicked() || (pressed && is_possible) {
                state.find.replace(document, style.now_ms);
                state.reveal = true;
                if pressed {
                    field.request_focus();
                }
            }
        });
    });
}

fn close(ui: &Ui, state: &mut EditorState, place: &Place) {
    state.find.close();
    ui.memory_mut(|memory| memory.request_focus(place.id));
}

/// Which of how many.
fn told(find: &Find, lang: Lang) -> String {
    match (find.query.is_empty(), find.matches.len(), find.current) {
        (true, ..) => String::new(),
        (_, 0, _) => t(lang, Word::FindNothing).to_owned(),
        (_, all, current) => {
            let current = current.map_or_else(|| "–".to_owned(), |current| count(current + 1));
            fill(lang, Word::FindCount, &[&current, &count(all)])
        }
    }
}

fn field_ui(ui: &mut Ui, text: &mut String, name: &str, width: f32) -> egui::Response {
    let field = TextEdit::singleline(text).hint_text(name).desired_width(width).font(theme::row());
    let response = ui.add(field);
    response.widget_info(|| {
        let mut info = egui::WidgetInfo::text_edit(true, text.as_str(), text.as_str(), name);
        info.label = Some(name.to_owned());
        info
    });
    response
}

/// What is typed next takes the place of the old query.
fn select_all(ui: &Ui, field: egui::Id, text: &str) {
    let mut state = egui::text_edit::TextEditState::load(ui.ctx(), field).unwrap_or_default();
    let all = egui::text::CCursorRange::select_all_str(text);
    state.cursor.set_char_range(Some(all));
    state.store(ui.ctx(), field);
}

fn icon_button(ui: &mut Ui, icon: Icon, name: &str) -> bool {
    let (rect, response) = ui.allocate_exact_size(vec2(26.0, 26.0), egui::Sense::click());
    let palette = theme::palette(ui);
    if response.hovered() || response.has_focus() {
        ui.painter().rect_filled(rect, egui::CornerRadius::same(6), palette.hairline);
    }
    let color = if response.hovered() { palette.text } else { palette.muted };
    icon.paint(ui.painter(), rect, 16.0, color);
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, name));
    response.on_hover_text(name).clicked()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, query: &str) -> Vec<String> {
        matches(text, query).into_iter().map(|range| text[range].to_owned()).collect()
    }

    #[test]
    fn letters_match_in_both_cases_unless_the_query_has_a_capital() {
        assert_eq!(found("The the THE other", "the"), ["The", "the", "THE", "the"]);
        assert_eq!(found("The the THE", "The"), ["The"]);
        assert_eq!(found("灯塔与灯", "灯"), ["灯", "灯"]);
        assert_eq!(found("Été été ÉTÉ", "été"), ["Été", "été", "ÉTÉ"]);
        assert_eq!(found("aaaa", "aa"), ["aa", "aa"]);
        assert!(found("a", "").is_empty() && found("", "a").is_empty() && found("ab", "abc").is_empty());
    }

    #[test]
    fn stepping_goes_around_and_replacing_is_one_step_of_undo() {
        let mut document = Document::from_text("one two one\ntwo one", 0);
        let mut find = Find { is_open: true, query: "one".to_owned(), replacement: "1".to_owned(), ..Find::default() };
        let mut step = |document: &mut Document, forward| {
            find.step(document, forward);
            document.selection().range().start
        };
        assert_eq!([step(&mut document, true), step(&mut document, true), step(&mut document, true)], [0, 8, 16]);
        assert_eq!([step(&mut document, true), step(&mut document, false)], [0, 16]);
        assert_eq!(told(&find, Lang::En), "3 of 3");
        find.replace_all(&mut document, 0);
        assert_eq!(document.text(), "1 two 1\ntwo 1");
        document.undo();
        assert_eq!(document.text(), "one two one\ntwo one");
        find.step(&mut document, true);
        find.replace(&mut document, 0);
        assert_eq!(document.text().matches('1').count(), 1);
    }
}
