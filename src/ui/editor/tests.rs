//! The editor driven as a person drives it.

use egui::{Event, ImeEvent, Key, Modifiers, PointerButton, Pos2, Theme, Vec2, accesskit::Role, pos2, vec2};
use egui_kittest::{
    Harness,
    kittest::{NodeT as _, Queryable as _},
};

use super::*;
use crate::{
    document::GenerationId,
    generate::{Likely, Prompt, TextRequest, TextToken},
    recipe::{ModelRef, TextGeneration},
    ui::fonts,
};

struct App {
    document: Document,
    state: EditorState,
    events: Vec<EditorEvent>,
    now_ms: u64,
    theme: Theme,
    is_set_up: bool,
    /// A byte whose place a test wants to know, and that place.
    wanted: usize,
    found: Pos2,
}

const STORY: &str = "# The lighthouse\n\nOn the last night of October the keeper climbed the stairs with a lamp in one hand and a letter in the other. The sea had been quiet for a week, and quiet, he had learnt, was the sea holding its breath.\n\n";
const WORDS: &[&str] =
    &["He", " set", " the", " lamp", " on", " the", " sill", ".", " 来信", "说", ":", " come", " home"];

fn app(text: &str) -> App {
    let state = EditorState::default();
    App {
        document: Document::from_text(text, 0),
        state,
        events: Vec::new(),
        now_ms: 0,
        theme: Theme::Dark,
        is_set_up: false,
        wanted: 0,
        found: Pos2::ZERO,
    }
}

fn harness(app: App, size: Vec2) -> Harness<'static, App> {
    let mut harness =
        Harness::builder().with_size(size).with_pixels_per_point(1.0).with_step_dt(1.0 / 60.0).build_ui_state(
            |ui, app: &mut App| {
                if !std::mem::replace(&mut app.is_set_up, true) {
                    fonts::install(ui.ctx());
                    theme::install(ui.ctx());
                    ui.ctx().set_theme(app.theme);
                    app.state.focus();
                    return;
                }
                let style = EditorStyle::new(Lang::En, "Write something", app.now_ms);
                let rect = editor_ui(ui, &mut app.state, &mut app.document, &style, &mut app.events).rect;
                let place = super::place_of(egui::Id::NULL, rect, &style, ui);
                let look = look_of(ui, &style, place.width);
                let wanted = app.wanted.min(app.document.len());
                app.found = app.state.caret_rect(ui, &app.document, &look, &place, wanted).center();
            },
            app,
        );
    harness.run_steps(4);
    harness
}

fn generate(document: &mut Document, at: usize, words: &[&str]) -> GenerationId {
    let model = ModelRef { name: "small".to_owned(), sha256: String::new() };
    let request = TextRequest { prompt: Prompt::Raw(STORY.to_owned()), ..TextRequest::default() };
    let id = document.begin_generation(at..at, TextGeneration { model, request }, 0);
    stream(document, id, words);
    id
}

fn stream(document: &mut Document, id: GenerationId, words: &[&str]) {
    for (n, word) in (0..).zip(words) {
        let likely = [(0, *word, 0.41), (1, " return", 0.22), (2, " the", 0.09), (3, " we", 0.06), (4, " leave", 0.04)];
        let likely =
            likely.map(|(by, text, probability)| Likely { id: n * 10 + by, text: text.to_owned(), probability });
        let token = TextToken { id: n * 10, text: (*word).to_owned(), probability: 0.41, likely: likely.to_vec() };
        document.append_tokens(id, &[token]);
    }
}

fn key(harness: &mut Harness<'_, App>, modifiers: Modifiers, key: Key) {
    harness.key_press_modifiers(modifiers, key);
    harness.run_steps(2);
}

fn typed(harness: &mut Harness<'_, App>, text: &str) {
    for letter in text.chars() {
        harness.state_mut().now_ms += 100;
        harness.event(Event::Text(letter.to_string()));
        harness.run_steps(1);
    }
}

/// The middle of the text at a byte, on the screen.
fn place_of(harness: &mut Harness<'_, App>, byte: usize) -> Pos2 {
    harness.state_mut().wanted = byte;
    harness.run_steps(1);
    harness.state().found
}

fn click(harness: &mut Harness<'_, App>, at: Pos2, modifiers: Modifiers) {
    press(harness, at, modifiers);
    release(harness, at, modifiers);
}

fn press(harness: &mut Harness<'_, App>, at: Pos2, modifiers: Modifiers) {
    harness.event(Event::PointerMoved(at));
    harness.run_steps(1);
    harness.event_modifiers(
        Event::PointerButton { pos: at, button: PointerButton::Primary, pressed: true, modifiers },
        modifiers,
    );
    harness.run_steps(1);
}

fn release(harness: &mut Harness<'_, App>, at: Pos2, modifiers: Modifiers) {
    harness.event_modifiers(
        Event::PointerButton { pos: at, button: PointerButton::Primary, pressed: false, modifiers },
        modifiers,
    );
    harness.run_steps(1);
}

fn hover(harness: &mut Harness<'_, App>, at: Pos2) {
    harness.event(Event::PointerMoved(at));
    // Steps of a sixtieth of a second: longer than it takes to rest.
    harness.run_steps(15);
}

#[test]
fn typing_moving_and_deleting_work_by_keys() {
    let mut harness = harness(app(""), vec2(760.0, 500.0));
    typed(&mut harness, "one two 灯塔");
    assert_eq!(harness.state().document.text(), "one two 灯塔");
    assert!(harness.state().events.contains(&EditorEvent::Changed));
    key(&mut harness, Modifiers::COMMAND, Key::Backspace);
    assert_eq!(harness.state().document.text(), "one two 灯");
    key(&mut harness, Modifiers::COMMAND, Key::ArrowLeft);
    key(&mut harness, Modifiers::COMMAND, Key::ArrowLeft);
    typed(&mut harness, "x");
    assert_eq!(harness.state().document.text(), "one xtwo 灯");
    key(&mut harness, Modifiers::SHIFT, Key::Home);
    key(&mut harness, Modifiers::NONE, Key::Delete);
    assert_eq!(harness.state().document.text(), "two 灯");
    key(&mut harness, Modifiers::NONE, Key::End);
    key(&mut harness, Modifiers::NONE, Key::Enter);
    key(&mut harness, Modifiers::NONE, Key::Tab);
    typed(&mut harness, "end");
    assert_eq!(harness.state().document.text(), "two 灯\n\tend");
    key(&mut harness, Modifiers::NONE, Key::ArrowUp);
    key(&mut harness, Modifiers::SHIFT, Key::ArrowLeft);
    assert_eq!(harness.state().document.selection().range().len(), 3, "a Chinese character is one step");
    while harness.state().document.can_undo() {
        key(&mut harness, Modifiers::COMMAND, Key::Z);
    }
    assert_eq!(harness.state().document.text(), "");
    while harness.state().document.can_redo() {
        key(&mut harness, Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    }
    assert_eq!(harness.state().document.text(), "two 灯\n\tend");
}

#[test]
fn the_clipboard_takes_and_gives() {
    let mut harness = harness(app("copy me"), vec2(760.0, 300.0));
    key(&mut harness, Modifiers::COMMAND, Key::A);
    harness.event(Event::Cut);
    harness.run_steps(1);
    assert_eq!(harness.state().document.text(), "");
    let copied = harness
        .output()
        .platform_output
        .commands
        .iter()
        .any(|command| matches!(command, egui::OutputCommand::CopyText(text) if text == "copy me"));
    assert!(copied);
    harness.event(Event::Paste("a\r\nb".to_owned()));
    harness.run_steps(2);
    assert_eq!(harness.state().document.text(), "a\nb");
}

#[test]
fn input_methods_show_what_is_composed_and_commit_it() {
    let mut harness = harness(app("春"), vec2(760.0, 300.0));
    key(&mut harness, Modifiers::NONE, Key::End);
    let preedit =
        |text: &str| ImeEvent::Preedit { text: text.to_owned(), active_range_chars: Some(0..text.chars().count()) };
    harness.event(Event::Ime(preedit("ri duan")));
    harness.run_steps(1);
    assert_eq!(harness.state().document.text(), "春", "what is composed is not in the document yet");
    let before = harness.output().platform_output.ime.expect("the input method is told where").cursor_rect;
    harness.event(Event::Ime(preedit("ri duan shi")));
    harness.run_steps(1);
    let after = harness.output().platform_output.ime.expect("the input method is told where").cursor_rect;
    assert!(after.left() > before.left() + 10.0, "the caret goes with it: {before:?} {after:?}");
    harness.event(Event::Ime(ImeEvent::Commit("日短诗".to_owned())));
    harness.run_steps(2);
    assert_eq!(harness.state().document.text(), "春日短诗");
    harness.event(Event::Ime(preedit("x")));
    harness.run_steps(1);
    harness.event(Event::Ime(preedit("")));
    harness.run_steps(1);
    assert_eq!(harness.state().document.text(), "春日短诗");
}

#[test]
fn what_is_composed_moves_on_with_what_streams_in_before_it() {
    let mut harness = harness(app("海上生明月，天涯共此时"), vec2(700.0, 300.0));
    let id = generate(&mut harness.state_mut().document, 0, &[]);
    let end = harness.state().document.len();
    harness.state_mut().document.set_selection(Selection::caret(end));
    harness.run_steps(1);
    harness.event(Event::Ime(ImeEvent::Preedit { text: "ri".to_owned(), active_range_chars: None }));
    harness.run_steps(1);
    for words in [&["a"][..], &["b", "来信"], &["c"]] {
        stream(&mut harness.state_mut().document, id, words);
        harness.run_steps(1);
        let state = harness.state();
        assert_eq!(state.state.preedit.as_ref().map(|preedit| preedit.at), Some(state.document.len()));
    }
    harness.event(Event::Ime(ImeEvent::Commit("日".to_owned())));
    harness.run_steps(1);
    assert_eq!(harness.state().document.text(), "ab来信c海上生明月，天涯共此时日");
}

#[test]
fn the_pointer_places_the_caret_and_selects() {
    let mut harness = harness(app(STORY), vec2(760.0, 500.0));
    let night = STORY.find("night").expect("there");
    let at = place_of(&mut harness, night + 2);
    click(&mut harness, at, Modifiers::NONE);
    assert_eq!(harness.state().document.selection(), Selection::caret(night + 2));
    click(&mut harness, at, Modifiers::NONE);
    assert_eq!(&STORY[harness.state().document.selection().range()], "night");
    click(&mut harness, at, Modifiers::NONE);
    assert!(STORY[harness.state().document.selection().range()].starts_with("On the last"));
    let keeper = STORY.find("keeper").expect("there");
    let to = place_of(&mut harness, keeper);
    harness.run_steps(40);
    click(&mut harness, at, Modifiers::NONE);
    click(&mut harness, to, Modifiers::SHIFT);
    assert_eq!(harness.state().document.selection(), Selection { anchor: night + 2, head: keeper });
    harness.run_steps(40);
    press(&mut harness, to, Modifiers::NONE);
    harness.event(Event::PointerMoved(at));
    harness.run_steps(1);
    release(&mut harness, at, Modifiers::NONE);
    assert_eq!(harness.state().document.selection(), Selection { anchor: keeper, head: night + 2 });
}

#[test]
fn resting_on_a_token_offers_others_and_a_click_branches() {
    let mut app = app(STORY);
    let start = app.document.len();
    let id = generate(&mut app.document, start, WORDS);
    let mut harness = harness(app, vec2(760.0, 560.0));
    let byte = harness.state().document.text().find("come").expect("generated");
    let at = place_of(&mut harness, byte + 2);
    hover(&mut harness, at);
    assert!(harness.state().state.shows_alternatives());
    // Streaming goes on under it.
    stream(&mut harness.state_mut().document, id, &[" before", " the tide"]);
    harness.run_steps(1);
    harness.get_by_label("Branch with return, 22%").hover();
    harness.run_steps(40);
    assert!(harness.state().state.shows_alternatives(), "the pointer can travel into it");
    harness.get_by_label("Branch with return, 22%").click();
    harness.run_steps(2);
    let branch = harness.state().events.iter().find_map(|event| match event {
        EditorEvent::Branch { token, choice } => Some((token.index, *choice)),
        EditorEvent::Changed => None,
    });
    assert_eq!(branch, Some((11, 111)));
    assert!(!harness.state().state.shows_alternatives());
    hover(&mut harness, at + vec2(2.0, 0.0));
    assert!(harness.state().state.shows_alternatives());
    key(&mut harness, Modifiers::NONE, Key::Escape);
    assert!(!harness.state().state.shows_alternatives());
    hover(&mut harness, at + vec2(20.0, 0.0));
    hover(&mut harness, pos2(20.0, 20.0));
    harness.run_steps(30);
    assert!(!harness.state().state.shows_alternatives(), "it closes when the pointer leaves");
}

#[test]
fn a_token_can_be_branched_by_keys() {
    let mut app = app("");
    generate(&mut app.document, 0, WORDS);
    let mut harness = harness(app, vec2(760.0, 500.0));
    key(&mut harness, Modifiers::COMMAND, Key::End);
    key(&mut harness, Modifiers::ALT, Key::ArrowDown);
    assert!(harness.state().state.shows_alternatives());
    key(&mut harness, Modifiers::NONE, Key::ArrowDown);
    key(&mut harness, Modifiers::NONE, Key::ArrowDown);
    key(&mut harness, Modifiers::NONE, Key::ArrowUp);
    key(&mut harness, Modifiers::NONE, Key::Enter);
    let events = &harness.state().events;
    assert!(
        matches!(events.last(), Some(EditorEvent::Branch { token, choice: 121 }) if token.index == 12),
        "{events:?}"
    );
    assert_eq!(harness.state().document.text().matches('\n').count(), 0);
}

#[test]
fn finding_goes_through_the_matches() {
    let mut harness = harness(app(&STORY.repeat(3)), vec2(760.0, 500.0));
    key(&mut harness, Modifiers::COMMAND, Key::F);
    harness.run_steps(2);
    harness.get_by_label("Find in the document").type_text("quiet");
    harness.run_steps(3);
    assert!(harness.query_by_label("1 of 6").is_some());
    key(&mut harness, Modifiers::NONE, Key::Enter);
    harness.get_by_label("Next match").click();
    harness.run_steps(2);
    assert!(harness.query_by_label("3 of 6").is_some());
    key(&mut harness, Modifiers::SHIFT, Key::F3);
    harness.get_by_label("Previous match").click();
    harness.run_steps(2);
    let selection = harness.state().document.selection().range();
    assert_eq!(&harness.state().document.text()[selection], "quiet");
    harness.get_by_label("Replace with").focus();
    harness.get_by_label("Replace with").type_text("still");
    harness.run_steps(2);
    harness.get_by_label("Replace all").click();
    harness.run_steps(2);
    assert_eq!(harness.state().document.text().matches("still").count(), 6);
    assert!(harness.query_by_label("No matches").is_some());
    harness.get_by_label("Close find").click();
    harness.run_steps(2);
    typed(&mut harness, "!");
    assert!(harness.state().document.text().contains('!'), "the keyboard is back in the text");
}

#[test]
fn what_streams_is_followed_only_from_the_end() {
    let mut app = app(&STORY.repeat(12));
    let end = app.document.len();
    app.document.set_selection(Selection::caret(end));
    let id = generate(&mut app.document, end, WORDS);
    let mut harness = harness(app, vec2(760.0, 400.0));
    let at_end = harness.state().state.offset;
    for _ in 0..20 {
        stream(&mut harness.state_mut().document, id, &[" more words to fill a whole line of the column", "\n\n"]);
        harness.run_steps(1);
    }
    assert!(harness.state().state.offset > at_end + 300.0);
    harness.event(Event::PointerMoved(pos2(300.0, 200.0)));
    harness.event(Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: vec2(0.0, 900.0),
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Wheel,
        modifiers: Modifiers::NONE,
    });
    harness.run_steps(60);
    let away = harness.state().state.offset;
    stream(&mut harness.state_mut().document, id, &[" more words", "\n\n", "and more"]);
    harness.run_steps(2);
    assert_eq!(harness.state().state.offset, away, "a person who reads elsewhere is left there");
}

#[test]
fn screen_readers_can_read_and_write() {
    let mut harness = harness(app("hello"), vec2(760.0, 300.0));
    let node = harness.get_by_label("Document text");
    assert_eq!(node.accesskit_node().role(), Role::MultilineTextInput);
    assert_eq!(node.value().as_deref(), Some("hello"));
    node.set_text_value_accesskit("changed");
    harness.run_steps(2);
    assert_eq!(harness.state().document.text(), "changed");
    let long = app(&STORY.repeat(4000));
    let harness = self::harness(long, vec2(760.0, 300.0));
    let value = harness.get_by_label("Document text").value().expect("a value");
    assert!(value.len() < 40_000, "a long document is told in part: {}", value.len());
}

#[test]
fn a_long_document_lays_out_only_what_is_in_view() {
    let mut harness = harness(app(&STORY.repeat(9500)), vec2(760.0, 500.0));
    assert!(harness.state().document.len() > 1 << 21);
    let laid_out = harness.state().state.layouts_made();
    assert!(laid_out < 60, "{laid_out}");
    key(&mut harness, Modifiers::COMMAND, Key::End);
    typed(&mut harness, "end");
    let middle = harness.state().document.len() / 2;
    harness.state_mut().document.set_selection(Selection::caret(middle));
    harness.run_steps(2);
    typed(&mut harness, "mid");
    assert!(harness.state().state.layouts_made() < 200, "{}", harness.state().state.layouts_made());
    assert!(harness.state().state.last.is_caret_visible);
}

fn looks_as_drawn(theme: Theme, name: &str) {
    let mut app = app(STORY);
    app.theme = theme;
    let start = app.document.len();
    generate(&mut app.document, start, WORDS);
    let mut harness = harness(app, vec2(700.0, 460.0));
    let byte = harness.state().document.text().find("come").expect("generated");
    let at = place_of(&mut harness, byte + 2);
    hover(&mut harness, at);
    harness.snapshot(name);
}

#[test]
fn it_looks_as_drawn_in_the_dark() {
    looks_as_drawn(Theme::Dark, "editor_dark");
}

#[test]
fn it_looks_as_drawn_in_the_light() {
    looks_as_drawn(Theme::Light, "editor_light");
}
