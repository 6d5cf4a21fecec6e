//! The list of documents, or of conversations.

use egui::{Align, Align2, Layout, Rect, ScrollArea, Sense, Ui, UiBuilder, WidgetInfo, accesskit::Role, pos2, vec2};

use crate::{
    Lang,
    document::WordCount,
    ui::{
        Command, Icon, Key,
        state::{Action, State},
        t,
        text::{count, fill},
        theme, widgets,
    },
};

const ROW: f32 = 52.0;

/// The list: a head with the button for a new one, then one row each.
pub fn documents_ui(ui: &mut Ui, state: &mut State) {
    ui.spacing_mut().item_spacing.y = 0.0;
    let chatting = state.preferences.chatting;
    ui.horizontal(|ui| {
        ui.set_height(theme::ROW_HEIGHT);
        ui.add_space(8.0);
        widgets::section(ui, state.t(if chatting { Key::Chats } else { Key::ToggleDocuments }));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let name = if chatting { state.t(Key::NewChat) } else { Command::NewDocument.label(state.lang) };
            let new = widgets::icon_button(ui, Icon::Plus, name);
            let hint = format!("{name}  ({})", Command::NewDocument.keys(ui.ctx().os()));
            if new.on_hover_text(hint).clicked() {
                state.command(Command::NewDocument);
            }
        });
    });
    ui.add_space(4.0);
    let rows = rows(state);
    ScrollArea::vertical().auto_shrink(false).show_rows(ui, ROW, rows.len(), |ui, shown| {
        for row in &rows[shown] {
            row_ui(ui, state, row);
        }
    });
}

struct Row {
    id: String,
    title: String,
    small: String,
    shown: bool,
}

fn rows(state: &State) -> Vec<Row> {
    let lang = state.lang;
    let now_s = state.now_ms / 1000;
    let titled = |title: String, key: Key| if title.is_empty() { t(lang, key).to_owned() } else { title };
    if state.preferences.chatting {
        let chats = state.library.chats.iter().enumerate().map(|(i, chat)| Row {
            id: chat.id().to_owned(),
            title: titled(chat.title(), Key::NewChat),
            small: format!(
                "{} · {}",
                fill(lang, Key::Messages, &[&count(chat.path().len())]),
                ago(lang, now_s, chat.modified_s())
            ),
            shown: i == state.library.chat,
        });
        return chats.collect();
    }
    let documents = state.library.documents.iter().enumerate().map(|(i, document)| Row {
        id: document.id().to_owned(),
        title: titled(document.title(), Key::Untitled),
        small: format!("{} · {}", words(lang, document.word_count()), ago(lang, now_s, document.modified_s())),
        shown: i == state.library.document,
    });
    documents.collect()
}

fn row_ui(ui: &mut Ui, state: &mut State, row: &Row) {
    let palette = theme::palette(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::ListItem, true, row.shown, &row.title));
    let hovered = ui.rect_contains_pointer(rect);
    if row.shown || hovered {
        let fill = if row.shown { palette.raised } else { palette.panel };
        ui.painter().rect_filled(rect, theme::RADIUS, fill);
    }
    let room = rect.width() - 16.0 - if hovered { 26.0 } else { 0.0 };
    let at = pos2(rect.left() + 8.0, rect.top() + 18.0);
    widgets::line(ui.painter(), at, Align2::LEFT_CENTER, &row.title, theme::row(), palette.text, room);
    let at = pos2(rect.left() + 8.0, rect.top() + 36.0);
    widgets::line(ui.painter(), at, Align2::LEFT_CENTER, &row.small, theme::small(), palette.muted, room);
    widgets::focus_ring(ui, &response, theme::RADIUS);
    if response.clicked() {
        state.ask(Action::Show(row.id.clone()));
    }
    let delete = t(state.lang, Key::Delete);
    if hovered || response.has_focus() {
        let place = Rect::from_min_size(pos2(rect.right() - 32.0, rect.top() + 12.0), vec2(28.0, 28.0));
        let mut at_right = ui.new_child(UiBuilder::new().max_rect(place).id_salt(("delete", &row.id)));
        let name = format!("{delete}: {}", row.title);
        if widgets::icon_button(&mut at_right, Icon::Delete, &name).on_hover_text(delete).clicked() {
            state.ask(Action::Delete(row.id.clone()));
        }
    }
    response.context_menu(|ui| {
        ui.set_width(160.0);
        if widgets::menu_row(ui, Some(Icon::Delete), delete, "", false).clicked() {
            state.ask(Action::Delete(row.id.clone()));
            ui.close();
        }
    });
}

/// A count of words, of characters where a text has mostly those.
pub fn words(lang: Lang, number: WordCount) -> String {
    let key = match (number.cjk > number.words, number.total()) {
        (true, _) => Key::Characters,
        (false, 1) => Key::Word,
        _ => Key::Words,
    };
    fill(lang, key, &[&count(number.total())])
}

/// How long ago: `now`, `5 min ago`, `yesterday`.
pub fn ago(lang: Lang, now_s: u64, then_s: u64) -> String {
    let seconds = now_s.saturating_sub(then_s);
    let (key, number) = match seconds {
        0..60 => (Key::Now, 0),
        60..3600 => (Key::MinutesAgo, seconds / 60),
        3600..86_400 => (Key::HoursAgo, seconds / 3600),
        86_400..172_800 => (Key::Yesterday, 1),
        172_800..5_184_000 => (Key::DaysAgo, seconds / 86_400),
        _ => (Key::MonthsAgo, seconds / 2_592_000),
    };
    fill(lang, key, &[&number.to_string()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_counts_read_well() {
        let en = |seconds: u64| ago(Lang::En, 10_000_000, 10_000_000 - seconds);
        assert_eq!(
            [0, 59, 60, 7200, 90_000, 300_000, 6_000_000].map(en),
            ["now", "now", "1 min ago", "2 h ago", "yesterday", "3 days ago", "2 months ago"]
        );
        assert_eq!(ago(Lang::Zh, 10_000_000, 9_000_000), "11 天前");
        assert_eq!(ago(Lang::En, 5, 9), "now");
        assert_eq!(words(Lang::En, WordCount { words: 1204, cjk: 0 }), "1,204 words");
        assert_eq!(words(Lang::En, WordCount { words: 1, cjk: 0 }), "1 word");
        assert_eq!(words(Lang::Zh, WordCount { words: 2, cjk: 94 }), "96 字");
    }
}
