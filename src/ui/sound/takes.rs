//! The takes that are kept, as a list: shown, compared, named, starred, thrown away.

use std::{path::PathBuf, sync::Arc};

use egui::{Align, Align2, Layout, Rect, ScrollArea, Sense, Ui, UiBuilder, WidgetInfo, accesskit::Role, pos2, vec2};

use super::ruler::clock;
use crate::{
    audio::Clip,
    engine::{TakeFile, TakeKind, TakeMark},
    recipe::SoundRecipe,
    ui::{
        Icon, Key,
        state::{Action, State, TakeAction},
        t,
        text::fill,
        theme, widgets,
        write::ago,
    },
};

const ROW: f32 = 52.0;
/// Changes of one take that can be taken back, at most, and the bytes that all of them may have.
const MOST_STATES: usize = 100;
const MOST_BYTES: usize = 1 << 30;

/// The takes, newest first.
#[derive(Debug, Default)]
pub struct Takes {
    /// Whether those on the disk are known.
    pub read: bool,
    pub list: Vec<Take>,
    /// Whether only starred ones are listed.
    pub only_starred: bool,
    /// The window is too narrow for the list; the user opened it all the same.
    pub over: bool,
    /// The one that is being given a name, and what is typed.
    pub naming: Option<(u64, String)>,
    next_id: u64,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct Take {
    /// Its number in this window.
    pub id: u64,
    /// Where it is kept; `None` where nothing is kept.
    pub path: Option<PathBuf>,
    pub seconds: f64,
    pub kept_ms: u64,
    pub kind: TakeKind,
    /// Whether something was done to it.
    pub changed: bool,
    pub mark: TakeMark,
    /// Its sound, while it is not on the disk yet.
    pub clip: Option<Arc<Clip>>,
    /// What makes it again, where it is known.
    pub recipe: Option<SoundRecipe>,
    /// What was done to it in this window.
    pub history: History,
}

/// What a take was, is, and was before it was taken back.
#[derive(Clone, Debug, Default)]
pub struct History {
    states: Vec<(Arc<Clip>, SoundRecipe)>,
    now: usize,
}

impl History {
    /// Of a take that was made from another one.
    pub fn new(before: (Arc<Clip>, SoundRecipe), now: (Arc<Clip>, SoundRecipe)) -> Self {
        Self { states: vec![before, now], now: 1 }
    }

    /// Whether it is known at all.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// Something was done; what was taken back before cannot be brought back any more.
    pub fn push(&mut self, clip: Arc<Clip>, recipe: SoundRecipe) {
        self.states.truncate(self.now + 1);
        self.states.push((clip, recipe));
        while self.states.len() > 2 && (self.states.len() > MOST_STATES || self.bytes() > MOST_BYTES) {
            self.states.remove(0);
        }
        self.now = self.states.len() - 1;
    }

    fn bytes(&self) -> usize {
        self.states.iter().map(|(clip, _)| clip.samples.len() * 4).sum()
    }

    /// The state before, or after.
    pub fn step(&mut self, forth: bool) -> Option<(Arc<Clip>, SoundRecipe)> {
        if !self.can(forth) {
            return None;
        }
        self.now = if forth { self.now + 1 } else { self.now - 1 };
        self.states.get(self.now).cloned()
    }

    /// Whether there is one.
    pub fn can(&self, forth: bool) -> bool {
        if forth { self.now + 1 < self.states.len() } else { self.now > 0 }
    }
}

impl Takes {
    /// Those of the folder, besides those that are here already.
    pub fn read(&mut self, files: Vec<TakeFile>) {
        self.read = true;
        for file in files {
            if self.list.iter().all(|take| take.path.as_ref() != Some(&file.path)) {
                let TakeFile { path, seconds, kept_ms, kind, changed, mark } = file;
                let id = self.new_id();
                let history = History::default();
                let (clip, recipe) = (None, None);
                let path = Some(path);
                self.list.push(Take { id, path, seconds, kept_ms, kind, changed, mark, clip, recipe, history });
            }
        }
        self.sort();
    }

    /// A new one; its number.
    pub fn add(&mut self, path: Option<PathBuf>, kept_ms: u64, clip: Arc<Clip>, recipe: SoundRecipe) -> u64 {
        let id = self.new_id();
        self.list.push(Take {
            id,
            path,
            seconds: clip.seconds(),
            kept_ms,
            kind: TakeKind::of(&recipe),
            changed: !recipe.steps().is_empty(),
            mark: TakeMark::default(),
            clip: Some(clip),
            recipe: Some(recipe),
            history: History::default(),
        });
        self.sort();
        id
    }

    /// Gives up what takes were before, besides this one, when that takes too much memory.
    pub fn forget_histories(&mut self, but: u64) {
        let bytes = self.list.iter().map(|take| take.history.bytes()).sum::<usize>();
        if bytes > MOST_BYTES {
            for take in self.list.iter_mut().filter(|take| take.id != but) {
                take.history = History::default();
            }
        }
    }

    /// One that was taken off the list.
    pub fn put_back(&mut self, take: Take) {
        self.list.push(take);
        self.sort();
    }

    fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn sort(&mut self) {
        self.list.sort_by(|a, b| b.kept_ms.cmp(&a.kept_ms).then(b.id.cmp(&a.id)));
    }

    /// By its number.
    pub fn get(&self, id: u64) -> Option<&Take> {
        self.list.iter().find(|take| take.id == id)
    }

    /// By its number, to be changed.
    pub fn get_mut(&mut self, id: u64) -> Option<&mut Take> {
        self.list.iter_mut().find(|take| take.id == id)
    }
}

/// What a take is called.
pub fn name(state: &State, take: &Take) -> String {
    if let Some(title) = &take.mark.title {
        return title.clone();
    }
    let kind = match take.kind {
        TakeKind::Made => Key::TakeMade,
        TakeKind::Recorded => Key::TakeRecorded,
        TakeKind::Opened => Key::TakeOpened,
    };
    let kind = state.t(kind);
    if take.changed { fill(state.lang, Key::TakeChanged, &[kind]) } else { kind.to_owned() }
}

/// The list: a head, then one row each.
pub(super) fn takes_ui(ui: &mut Ui, state: &mut State) {
    ui.spacing_mut().item_spacing.y = 0.0;
    ui.horizontal(|ui| {
        ui.set_height(theme::ROW_HEIGHT);
        ui.add_space(8.0);
        widgets::section(ui, state.t(Key::Takes));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let only = state.sound.takes.only_starred;
            let starred = widgets::icon_toggle(ui, Icon::Star, state.t(Key::OnlyStarredTakes), only);
            if starred.on_hover_text(state.t(Key::OnlyStarredTakes)).clicked() {
                state.sound.takes.only_starred = !only;
            }
        });
    });
    ui.add_space(4.0);
    let only = state.sound.takes.only_starred;
    let shown = state.sound.takes.list.iter().filter(|take| !only || take.mark.starred);
    let ids: Vec<u64> = shown.map(|take| take.id).collect();
    if ids.is_empty() {
        let key = if only { Key::NoStarredTakes } else { Key::NoTakes };
        egui::Frame::new().inner_margin(egui::Margin::symmetric(8, 4)).show(ui, |ui| widgets::note(ui, state.t(key)));
        return;
    }
    ScrollArea::vertical().auto_shrink(false).show_rows(ui, ROW, ids.len(), |ui, rows| {
        for id in &ids[rows] {
            row_ui(ui, state, *id);
        }
    });
}

fn row_ui(ui: &mut Ui, state: &mut State, id: u64) {
    let Some(take) = state.sound.takes.get(id) else { return };
    if state.sound.takes.naming.as_ref().is_some_and(|(naming, _)| *naming == id) {
        return naming_ui(ui, state, id);
    }
    let palette = theme::palette(ui);
    let title = name(state, take);
    let starred = take.mark.starred;
    let (now_s, then_s) = (state.now_ms / 1000, take.kept_ms / 1000);
    let small = format!("{} · {}", clock(take.seconds, 1), ago(state.lang, now_s, then_s));
    let shown = state.sound.shown.id == Some(id);
    let compared = state.sound.other.as_ref().is_some_and(|other| other.id == id);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::ListItem, true, shown, &title));
    let hovered = ui.rect_contains_pointer(rect);
    if shown || hovered {
        let fill = if shown { palette.raised } else { palette.panel };
        ui.painter().rect_filled(rect, theme::RADIUS, fill);
    }
    let buttons = hovered || response.has_focus();
    let mut room = rect.width() - 16.0 - if buttons { 58.0 } else { 0.0 };
    let mut left = rect.left() + 8.0;
    if compared {
        let at = pos2(left, rect.top() + 18.0);
        left = widgets::line(ui.painter(), at, Align2::LEFT_CENTER, "B", theme::row_medium(), palette.accent, 20.0)
            .right()
            + 6.0;
        room -= left - rect.left() - 8.0;
    }
    let at = pos2(left, rect.top() + 18.0);
    widgets::line(ui.painter(), at, Align2::LEFT_CENTER, &title, theme::row(), palette.text, room);
    let at = pos2(rect.left() + 8.0, rect.top() + 36.0);
    widgets::line(ui.painter(), at, Align2::LEFT_CENTER, &small, theme::small(), palette.muted, room);
    if starred && !buttons {
        let place = Rect::from_center_size(pos2(rect.right() - 16.0, rect.top() + 18.0), vec2(14.0, 14.0));
        Icon::Star.paint(ui.painter(), place, 14.0, palette.accent);
    }
    widgets::focus_ring(ui, &response, theme::RADIUS);
    let tip = state.t(Key::TakeTip);
    if response.double_clicked() {
        state.sound.takes.naming = Some((id, title.clone()));
    } else if response.clicked() {
        state.ask(Action::Take(TakeAction::Show(id)));
    }
    if buttons {
        row_buttons_ui(ui, state, rect, (id, &title, starred));
    }
    response.on_hover_text(tip).context_menu(|ui| menu_ui(ui, state, (id, &title, starred, compared)));
}

fn row_buttons_ui(ui: &mut Ui, state: &mut State, rect: Rect, (id, title, starred): (u64, &str, bool)) {
    let place = Rect::from_min_size(pos2(rect.right() - 62.0, rect.top() + 12.0), vec2(60.0, 28.0));
    let layout = Layout::left_to_right(Align::Center);
    let mut at_right = ui.new_child(UiBuilder::new().max_rect(place).layout(layout).id_salt(("take", id)));
    at_right.spacing_mut().item_spacing.x = 2.0;
    let star = state.t(if starred { Key::Unstar } else { Key::StarTake });
    let button = widgets::icon_toggle(&mut at_right, Icon::Star, &format!("{star}: {title}"), starred);
    if button.on_hover_text(star).clicked() {
        state.ask(Action::Take(TakeAction::Star(id, !starred)));
    }
    let delete = state.t(Key::Delete);
    let button = widgets::icon_button(&mut at_right, Icon::Delete, &format!("{delete}: {title}"));
    if button.on_hover_text(delete).clicked() {
        state.ask(Action::Take(TakeAction::Bin(id)));
    }
}

fn menu_ui(ui: &mut Ui, state: &mut State, (id, title, starred, compared): (u64, &str, bool, bool)) {
    ui.set_width(220.0);
    ui.spacing_mut().item_spacing.y = 0.0;
    let lang = state.lang;
    let row = |ui: &mut Ui, icon: Icon, key: Key| widgets::menu_row(ui, Some(icon), t(lang, key), "", false).clicked();
    let mut chosen = None;
    if row(ui, Icon::Compare, if compared { Key::CompareNoMore } else { Key::CompareWith }) {
        chosen = Some(TakeAction::Compare((!compared).then_some(id)));
    }
    if row(ui, Icon::Star, if starred { Key::Unstar } else { Key::StarTake }) {
        chosen = Some(TakeAction::Star(id, !starred));
    }
    if row(ui, Icon::Edit, Key::RenameTake) {
        state.sound.takes.naming = Some((id, title.to_owned()));
        ui.close();
    }
    if row(ui, Icon::Delete, Key::Delete) {
        chosen = Some(TakeAction::Bin(id));
    }
    if let Some(action) = chosen {
        state.ask(Action::Take(action));
        ui.close();
    }
}

/// A field in the place of the row.
fn naming_ui(ui: &mut Ui, state: &mut State, id: u64) {
    let label = state.t(Key::RenameTake);
    let field_id = egui::Id::unique(("take name", id));
    let Some((_, text)) = &mut state.sound.takes.naming else { return };
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::hover());
    let place = rect.shrink2(vec2(2.0, 10.0));
    let mut inside = ui.new_child(UiBuilder::new().max_rect(place).id_salt(("naming", id)));
    let begun = ui.ctx().memory(|memory| memory.focused()) != Some(field_id);
    let field = widgets::field(&mut inside, field_id, text, label, label);
    if field.lost_focus() {
        let text = text.trim().to_owned();
        state.sound.takes.naming = None;
        if !ui.input(|input| input.key_pressed(egui::Key::Escape)) {
            state.ask(Action::Take(TakeAction::Rename(id, text)));
        }
    } else if begun {
        field.request_focus();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{Origin, RecordingRecipe, Source};

    fn clip(len: usize) -> Arc<Clip> {
        Arc::new(Clip { samples: vec![0.0; len].into(), sample_rate_hz: 10 })
    }

    fn recipe() -> SoundRecipe {
        let source = Source { origin: Origin::Input, file: "a.wav".to_owned(), sha256: String::new() };
        SoundRecipe::Recorded(RecordingRecipe { source, sample_rate_hz: 10, steps: Vec::new() })
    }

    #[test]
    fn changes_are_taken_back_and_brought_back() {
        let mut history = History::new((clip(1), recipe()), (clip(2), recipe()));
        history.push(clip(3), recipe());
        let mut step = |forth| history.step(forth).map(|(clip, _)| clip.samples.len());
        assert_eq!([step(true), step(false), step(false), step(false)], [None, Some(2), Some(1), None]);
        assert_eq!(step(true), Some(2));
        history.push(clip(9), recipe());
        assert!(!history.can(true) && history.can(false));
        for len in 0..300 {
            history.push(clip(len), recipe());
        }
        assert_eq!(history.states.len(), MOST_STATES);
        assert_eq!(history.step(false).map(|(clip, _)| clip.samples.len()), Some(298));
    }

    #[test]
    fn the_newest_take_is_first_and_none_is_listed_twice() {
        let mut takes = Takes::default();
        let first = takes.add(Some("/a/take-5.wav".into()), 5, clip(20), recipe());
        let file = |ms: u64| TakeFile {
            path: format!("/a/take-{ms}.wav").into(),
            seconds: 1.0,
            kept_ms: ms,
            kind: TakeKind::Made,
            changed: false,
            mark: TakeMark::default(),
        };
        takes.read(vec![file(7), file(5), file(3)]);
        let times: Vec<u64> = takes.list.iter().map(|take| take.kept_ms).collect();
        assert_eq!(times, [7, 5, 3]);
        assert_eq!(takes.get(first).expect("there").seconds, 2.0);
    }
}
