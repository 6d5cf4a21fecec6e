//! The window's logic without drawing it, over a link that answers nothing by itself.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use egui::Context;

use super::*;
use crate::{
    Result,
    document::{Chat, Document},
    engine::{Event, Guard, Outcome, Progress, TextModelInfo},
    generate::{Likely, Prompt, StopReason, TextOutcome, TextRequest, TextToken},
    ui::state::{Action, TaskAction},
};

const NOW_MS: u64 = 1_795_000_000_000;

thread_local! {
    /// The clock of the test that runs on this thread.
    static CLOCK_MS: std::cell::Cell<u64> = const { std::cell::Cell::new(NOW_MS) };
}

/// What test and window share.
#[derive(Default)]
struct Script {
    commands: Vec<UiCommand>,
    events: VecDeque<Event>,
    /// The engine takes no more.
    full: bool,
}

#[derive(Clone, Default)]
struct Link(Arc<Mutex<Script>>);

impl Link {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().expect("nobody panicked")
    }
}

impl EngineLink for Link {
    fn send(&mut self, command: UiCommand) -> Result<()> {
        let mut script = self.script();
        if script.full {
            return Err(Error::new("Too much is waiting.", "等待的任务太多。"));
        }
        script.commands.push(command);
        Ok(())
    }

    fn cancel(&mut self, _job: Job) {}

    fn events(&mut self) -> Vec<Event> {
        self.script().events.drain(..).collect()
    }

    fn progress(&self) -> Option<Progress> {
        None
    }
}

/// The window, its context and the other end of its link.
struct Window {
    ctx: Context,
    app: App,
    link: Link,
}

impl Window {
    /// A window that has just opened; nothing was answered yet.
    fn new() -> Self {
        CLOCK_MS.set(NOW_MS);
        let (ctx, link) = (Context::default(), Link::default());
        let setup = Setup {
            link: Box::new(link.clone()),
            places: Places { settings: None, library: Some("/library".into()), carried: None },
            system_lang: Lang::En,
            clock: || CLOCK_MS.get(),
            memory: || None,
            system_fonts: false,
        };
        let app = App::new(&ctx, setup);
        Self { ctx, app, link }
    }

    /// A window with an empty library and a model.
    fn ready() -> Self {
        let mut window = Self::new();
        window.read_library(Vec::new());
        window.open_model("/models/a.gguf");
        window
    }

    /// The engine says these; the window takes them.
    fn say(&mut self, events: impl IntoIterator<Item = Event>) {
        self.link.script().events.extend(events);
        self.app.advance(&self.ctx);
    }

    fn wait(&mut self, ms: u64) {
        CLOCK_MS.set(CLOCK_MS.get() + ms);
        self.app.advance(&self.ctx);
    }

    /// Ends the newest job of this kind, after what it says.
    fn end(&mut self, is: impl Fn(&UiCommand) -> bool, say: impl FnOnce(Job) -> Vec<Event>, outcome: Outcome) {
        let job = self.sent(is).expect("it was sent").job();
        let mut events = say(job);
        events.push(Event::Ended { job, outcome });
        self.say(events);
    }

    /// Takes the newest command of this kind out of those that were sent.
    fn sent(&self, is: impl Fn(&UiCommand) -> bool) -> Option<UiCommand> {
        let mut script = self.link.script();
        let at = script.commands.iter().rposition(is)?;
        Some(script.commands.remove(at))
    }

    fn read_library(&mut self, items: Vec<Vec<u8>>) {
        let is = |command: &UiCommand| matches!(command, UiCommand::ReadLibrary { .. });
        let documents = items.into_iter().map(|bytes| ("/library/a.json".into(), bytes)).collect();
        let say = |job| vec![Event::LibraryRead { job, documents, damaged: Vec::new() }];
        self.end(is, say, Outcome::Finished);
    }

    fn open_model(&mut self, path: &str) {
        self.app.open_model(path.into());
        let is = |command: &UiCommand| matches!(command, UiCommand::OpenTextModel { .. });
        let say = |job| vec![Event::TextModelOpened { job, info: Box::new(info(Path::new(path))) }];
        self.end(is, say, Outcome::Finished);
    }

    /// The generation that was asked for last.
    fn asked(&self) -> (Job, TextRequest) {
        match self.sent(|command| matches!(command, UiCommand::GenerateText { .. })) {
            Some(UiCommand::GenerateText { job, request }) => (job, *request),
            _ => panic!("nothing was asked for"),
        }
    }

    /// The generation `asked` for ends, after these tokens.
    fn write(&mut self, (job, request): (Job, TextRequest), tokens: &[(u32, &str)], stop_reason: StopReason) {
        let text = tokens.iter().map(|(_, text)| *text).collect();
        let tokens: Vec<_> = tokens.iter().map(|(id, text)| token(*id, text)).collect();
        let outcome = TextOutcome {
            text,
            tokens: tokens.iter().map(|token| token.id).collect(),
            prompt_tokens: 1,
            sent: request,
            stop_reason,
            prefill_s: 0.0,
            prefill_tokens: 1,
            decode_s: 0.0,
        };
        let ended = if stop_reason == StopReason::Cancelled { Outcome::Cancelled } else { Outcome::Finished };
        self.say([
            Event::TextTokens { job, tokens },
            Event::TextDone { job, outcome: Box::new(outcome) },
            Event::Ended { job, outcome: ended },
        ]);
    }

    /// What toasts say, in English.
    fn told(&self) -> String {
        format!("{:?}", self.app.state.toasts)
    }

    fn document(&self) -> &Document {
        self.app.state.library.document()
    }

    fn type_text(&mut self, text: &str) {
        let now_ms = CLOCK_MS.get();
        let document = self.app.state.library.document_mut();
        let end = document.len();
        document.edit(end..end, text, now_ms);
    }

    /// Files of the library that were written, newest last.
    fn kept(&self) -> Vec<PathBuf> {
        let script = self.link.script();
        let files = script.commands.iter().filter_map(|command| match command {
            UiCommand::WriteFiles { files, .. } => Some(files.iter().map(|(path, _)| path.clone())),
            _ => None,
        });
        files.flatten().collect()
    }
}

fn info(path: &Path) -> TextModelInfo {
    TextModelInfo {
        name: path.file_name().expect("a file").to_string_lossy().into_owned(),
        path: path.to_owned(),
        family: "llama".to_owned(),
        quantisation: "Q4_1".to_owned(),
        size_bytes: 1,
        sha256: String::new(),
        context_tokens: 8192,
        chats: true,
        memory_bytes: 1,
    }
}

fn token(id: u32, text: &str) -> TextToken {
    let other = |by| Likely { id: id + by, text: format!("{text}{by}"), probability: 0.3 };
    TextToken { id, text: text.to_owned(), probability: 0.3, likely: vec![other(0), other(1)] }
}

fn document(text: &str, days_ago: u64) -> Document {
    Document::from_text(text, NOW_MS - days_ago * 86_400_000)
}

#[test]
fn a_new_document_is_an_empty_one() {
    let mut window = Window::new();
    window.read_library(vec![document("Old words", 2).to_bytes(), document("", 1).to_bytes()]);
    assert_eq!(window.document().text(), "Old words");
    window.app.new_document();
    assert_eq!(window.document().text(), "", "not one of the library's");
    assert_eq!(window.app.state.library.documents.len(), 2, "the empty one is used again");
    window.type_text("word");
    window.app.state.library.document_mut().undo();
    window.app.new_document();
    assert_eq!(window.app.state.library.documents.len(), 3, "what was taken back can still come again");
}

#[test]
fn what_was_done_before_the_library_was_read_stays_shown() {
    let library = || vec![document("Old words", 1).to_bytes(), Chat::new(NOW_MS).to_bytes()];
    let mut window = Window::new();
    window.app.state.preferences.document = None;
    window.type_text("First keys");
    let last = document("Shown last", 2);
    window.app.state.preferences.document = Some(last.id().to_owned());
    window.read_library([library(), vec![last.to_bytes()]].concat());
    assert_eq!(window.document().text(), "First keys");
    assert_eq!(window.app.state.library.documents.len(), 3);

    let mut window = Window::new();
    window.app.open_text("/notes.md".into(), "From a file", String::new());
    window.read_library(library());
    assert_eq!(window.document().text(), "From a file");
    let texts: Vec<_> = window.app.state.library.documents.iter().map(Document::text).collect();
    assert_eq!(texts, ["From a file", "Old words"]);

    let mut window = Window::new();
    let last = document("Shown last", 2);
    window.app.state.preferences.document = Some(last.id().to_owned());
    window.read_library([library(), vec![last.to_bytes()]].concat());
    assert_eq!(window.document().text(), "Shown last", "nothing was done");
}

#[test]
fn documents_are_written_once_the_engine_takes_more() {
    let mut window = Window::ready();
    window.type_text("Not to be lost");
    window.link.script().full = true;
    window.wait(1);
    window.wait(1500);
    assert!(window.kept().is_empty());
    window.link.script().full = false;
    window.wait(1500);
    assert_eq!(window.kept().len(), 1);
    window.wait(60_000);
    assert_eq!(window.kept().len(), 1, "once is enough");
}

#[test]
fn a_branch_is_written_again_from_its_own_beginning() {
    let mut window = Window::ready();
    window.type_text("Say");
    window.app.generate();
    let asked = window.asked();
    window.write(asked, &[(10, " a"), (20, " b"), (30, " c")], StopReason::EndOfText);
    let at = window.document().token_at(6).expect("a token");
    window.app.branch(&at, 21);
    let (job, request) = window.asked();
    assert_eq!(request.forced, [10, 21]);
    window.write((job, request), &[(10, " a"), (21, " x"), (40, " y")], StopReason::EndOfText);
    assert_eq!(window.document().text(), "Say a x y");

    window.app.regenerate();
    let (job, request) = window.asked();
    assert_eq!(request.forced, [10, 21]);
    window.write((job, request), &[(10, " a"), (21, " x"), (50, " z")], StopReason::EndOfText);
    assert_eq!(window.document().text(), "Say a x z");
    assert!(window.document().token_at(8).is_some_and(|at| at.index == 2), "token by token");

    // With a person's words before it, the new end stays in the text.
    let document = window.app.state.library.document_mut();
    document.edit(0..3, "Sing", NOW_MS);
    window.app.regenerate();
    let (job, request) = window.asked();
    assert_eq!(request.forced, [10, 21]);
    window.write((job, request), &[(10, " a"), (21, " x"), (60, " w")], StopReason::EndOfText);
    assert_eq!(window.document().text(), "Sing a x w");

    window.open_model("/models/b.gguf");
    window.app.regenerate();
    assert!(window.sent(|command| matches!(command, UiCommand::GenerateText { .. })).is_none());
    assert!(window.told().contains("a wrote this"), "its tokens mean nothing to another model: {}", window.told());
}

#[test]
fn a_tasks_answer_is_written_again_as_the_task_says() {
    let mut window = Window::ready();
    window.type_text("Some text to be shortened.");
    window.app.run_task(&TaskAction { task: "summarise".to_owned(), detail: String::new() });
    let (job, request) = window.asked();
    assert_eq!(request.max_tokens, 200);
    assert_ne!(request.sampler, window.app.state.preferences.writing.sampler);
    window.write((job, request.clone()), &[(1, "Short"), (2, ".")], StopReason::EndOfText);
    window.app.regenerate();
    let (job, again) = window.asked();
    assert_eq!((again.max_tokens, &again.sampler), (200, &request.sampler));
    assert_ne!(again.seed, request.seed);
    window.write((job, again), &[(1, "Short"), (2, "!")], StopReason::EndOfText);
    let end = window.document().len() - 1;
    let at = window.document().token_at(end).expect("a token");
    window.app.branch(&at, 3);
    let (_, branch) = window.asked();
    assert_eq!((branch.max_tokens, branch.sampler), (200, request.sampler));
}

#[test]
fn a_task_that_wrote_nothing_leaves_nothing() {
    for (task, during) in [("headline", "# \n\nSome text."), ("summarise", "Some text.\n\n"), ("polish", "")] {
        let mut window = Window::ready();
        window.type_text("Some text.");
        window.app.run_task(&TaskAction { task: task.to_owned(), detail: String::new() });
        assert_eq!(window.document().text(), during);
        let asked = window.asked();
        window.write(asked, &[], StopReason::Cancelled);
        assert_eq!(window.document().text(), "Some text.", "{task}");
        assert!(!window.document().can_redo());
    }
}

#[test]
fn a_text_that_was_deleted_while_it_grew_comes_back_at_rest() {
    let mut window = Window::ready();
    window.type_text("Say");
    window.app.generate();
    let (job, _) = window.asked();
    window.say([Event::TextTokens { job, tokens: vec![token(1, " a")] }]);
    let id = window.document().id().to_owned();
    window.app.delete(&id);
    window.say([Event::Ended { job, outcome: Outcome::Cancelled }]);
    window.app.take_offer(&crate::ui::toasts::Offer::Restore(id));
    assert_eq!((window.document().text(), window.document().streaming().count()), ("Say a", 0));
}

#[test]
fn a_message_is_kept_until_it_can_be_said() {
    let mut window = Window::new();
    window.read_library(Vec::new());
    window.app.state.preferences.chatting = true;
    let said = window.app.state.library.chat_mut().say("Hello", NOW_MS);
    let typed = Some((said, "Hello there".to_owned()));
    window.app.state.write.editing = typed.clone();
    window.app.edit_message(said, "Hello there");
    assert_eq!(window.app.state.write.editing, typed);
    assert!(window.told().contains("Open a model first"), "{}", window.told());
    window.open_model("/models/a.gguf");
    window.app.edit_message(said, "Hello there");
    assert_eq!(window.app.state.write.editing, None);
    let (_, request) = window.asked();
    assert!(matches!(&request.prompt, Prompt::Chat(messages) if messages[0].content == "Hello there"));
}

#[test]
fn the_model_that_was_asked_for_last_is_the_one_that_writes() {
    let mut window = Window::new();
    window.read_library(Vec::new());
    window.type_text("Say");
    window.app.open_model("/models/a.gguf".into());
    window.app.open_model("/models/b.gguf".into());
    window.app.generate();
    let is_open = |command: &UiCommand| matches!(command, UiCommand::OpenTextModel { .. });
    let (b, a) = (window.sent(is_open).expect("sent").job(), window.sent(is_open).expect("sent").job());
    let opened = |job, path| Event::TextModelOpened { job, info: Box::new(info(Path::new(path))) };
    window.say([opened(a, "/models/a.gguf"), Event::Ended { job: a, outcome: Outcome::Finished }]);
    assert!(!window.app.state.model.is_ready());
    assert!(window.sent(|command| matches!(command, UiCommand::GenerateText { .. })).is_none());
    window.say([opened(b, "/models/b.gguf"), Event::Ended { job: b, outcome: Outcome::Finished }]);
    assert!(window.app.state.model.is_ready());
    window.asked();

    // Where there is no model, nothing waits for one.
    let mut window = Window::new();
    window.read_library(Vec::new());
    window.type_text("Say");
    window.app.generate();
    assert!(window.app.state.write.waits_for_model);
    let is_list = |command: &UiCommand| matches!(command, UiCommand::ListModels { .. });
    window.end(is_list, |job| vec![Event::ModelsListed { job, models: Vec::new() }], Outcome::Finished);
    assert!(!window.app.state.write.waits_for_model);
    assert!(window.told().contains("Open a model first"), "{}", window.told());
}

/// The text that was sent to be saved last.
fn saving(window: &Window) -> (Job, PathBuf, Guard, crate::recipe::TextRecipe) {
    match window.sent(|command| matches!(command, UiCommand::SaveText { .. })) {
        Some(UiCommand::SaveText { job, path, guard, recipe, .. }) => (job, path, guard, *recipe),
        _ => panic!("nothing was saved"),
    }
}

fn is_save_dialog(command: &UiCommand) -> bool {
    matches!(command, UiCommand::PickSave { .. })
}

#[test]
fn a_file_that_others_changed_is_not_overwritten() {
    let mut window = Window::ready();
    window.app.open_text("/notes.md".into(), "Old", "hash of old".to_owned());
    let first = window.document().id().to_owned();
    window.type_text(" and new");
    window.app.execute(&window.ctx, Action::Do(Command::SaveFile));
    let (job, path, guard, _) = saving(&window);
    assert_eq!((path.clone(), guard), ("/notes.md".into(), Guard::Same("hash of old".to_owned())));
    window.say([Event::TextNotSaved { job, path }, Event::Ended { job, outcome: Outcome::Finished }]);
    assert!(window.told().contains("“notes.md” on the disk is not the file"), "{}", window.told());
    window.app.take_offer(&crate::ui::toasts::Offer::SaveAs(first.clone()));
    let say = |job| vec![Event::Picked { job, path: Some("/mine.md".into()) }];
    window.end(is_save_dialog, say, Outcome::Finished);
    let (job, path, guard, _) = saving(&window);
    assert_eq!((path.clone(), guard), ("/mine.md".into(), Guard::Any));
    let saved = Event::TextSaved { job, path, sha256: "hash of mine".to_owned() };
    window.say([saved, Event::Ended { job, outcome: Outcome::Finished }]);
    window.app.execute(&window.ctx, Action::Do(Command::SaveFile));
    assert_eq!(saving(&window).2, Guard::Same("hash of mine".to_owned()));

    // The same file is the same document, whatever was written in it since; another text in it is another document.
    window.type_text(", unsaved");
    window.app.open_text("/mine.md".into(), "Old and new", "hash of mine".to_owned());
    assert_eq!(window.document().id(), first);
    let counts = |window: &mut Window| {
        window.app.count_tokens(&window.ctx);
        window.link.script().commands.iter().filter(|it| matches!(it, UiCommand::CountTokens { .. })).count()
    };
    let before = counts(&mut window);
    window.app.open_text("/mine.md".into(), "Old and new", "hash of mine".to_owned());
    assert_eq!(counts(&mut window), before + 1, "what is shown again is counted again");
    assert_eq!(counts(&mut window), before + 1);
    window.app.open_text("/mine.md".into(), "Changed", "hash of changed".to_owned());
    assert_ne!(window.document().id(), first);
    let files = &window.app.state.preferences.files;
    assert_eq!(files.values().filter(|path| path.ends_with("mine.md")).count(), 1, "one document a file");
    assert!(!files.contains_key(&first));
}

#[test]
fn one_dialog_is_shown_at_a_time() {
    let mut window = Window::ready();
    for command in [Command::OpenFile, Command::OpenFile, Command::SaveFile, Command::OpenModel] {
        window.app.execute(&window.ctx, Action::Do(command));
    }
    let is_open = |command: &UiCommand| matches!(command, UiCommand::PickFile { .. });
    window.end(is_open, |job| vec![Event::Picked { job, path: None }], Outcome::Finished);
    assert!(window.sent(is_open).is_none() && window.sent(is_save_dialog).is_none());
    window.app.execute(&window.ctx, Action::Do(Command::SaveFile));
    assert!(window.sent(is_save_dialog).is_some());
}

#[test]
fn a_hash_that_came_late_is_in_the_recipe() {
    let mut window = Window::ready();
    window.type_text("Say");
    window.app.generate();
    let asked = window.asked();
    window.write(asked, &[(1, " a")], StopReason::EndOfText);
    window.open_model("/models/b.gguf");
    window.say([Event::TextModelHashed { path: "/models/a.gguf".into(), sha256: "aa".to_owned() }]);
    let id = window.document().id().to_owned();
    window.app.save_as(&id, "/out.md".into(), Guard::Any);
    let (_, _, guard, recipe) = saving(&window);
    assert_eq!((recipe.generations[0].model.sha256.as_str(), guard), ("aa", Guard::Any));
}
