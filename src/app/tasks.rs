//! Tasks: from their file to chips, and from a chip to a request and the place of its answer.

use std::{ops::Range, path::Path};

use super::{App, generation::ALTERNATIVES};
use crate::{
    Error, Lang, files,
    generate::{
        Prompt,
        tasks::{Choice, Material, Need, Picked, Place, Task, Tasks},
    },
    ui::{
        Key,
        state::{Needs, TaskAction, TaskItem},
    },
};

/// More than any file of tasks has.
const LIMIT_BYTES: u64 = 1 << 20;

/// The tasks of `folder`, or those that come with the studio; and what is wrong with the file, if something is.
pub(super) fn load(folder: Option<&Path>) -> (Option<Tasks>, Option<Error>) {
    let path = folder.map(|folder| folder.join("tasks.toml")).filter(|path| path.exists());
    let own = path.map(|path| {
        let text = files::read_text(&path, LIMIT_BYTES)?;
        Tasks::parse(&text, &path.display().to_string())
    });
    match own {
        Some(Ok(tasks)) => (Some(tasks), None),
        Some(Err(why)) => (Tasks::bundled().ok(), Some(why)),
        None => match Tasks::bundled() {
            Ok(tasks) => (Some(tasks), None),
            Err(why) => (None, Some(why)),
        },
    }
}

/// The tasks as chips.
pub(super) fn items(tasks: &Tasks) -> Vec<TaskItem> {
    let choices = |list: &[Choice]| {
        let choice = |choice: &Choice| {
            let name = |lang| choice.label.text(lang).to_owned();
            (choice.id.clone(), name(Lang::En), name(Lang::Zh))
        };
        Needs::Choice(list.iter().map(choice).collect())
    };
    let item = |task: &Task| {
        let needs = if task.needs.contains(&Need::Brief) {
            Needs::Brief
        } else if task.needs.contains(&Need::Style) {
            choices(&tasks.styles)
        } else if task.needs.contains(&Need::Language) {
            choices(&tasks.languages)
        } else {
            Needs::Nothing
        };
        TaskItem {
            id: task.id.clone(),
            en: task.label.text(Lang::En).to_owned(),
            zh: task.label.text(Lang::Zh).to_owned(),
            tip_en: task.tooltip.text(Lang::En).to_owned(),
            tip_zh: task.tooltip.text(Lang::Zh).to_owned(),
            own_words: matches!(needs, Needs::Choice(_)),
            needs,
        }
    };
    tasks.tasks.iter().map(item).collect()
}

impl App {
    /// Does a task with the selection, or with the whole document where nothing is selected.
    pub(super) fn run_task(&mut self, action: &TaskAction) {
        if self.state.is_writing() || !self.says_ready() {
            return;
        }
        let Some(task) = self.tasks.as_ref().and_then(|tasks| tasks.find(&action.task)).cloned() else { return };
        let document = self.state.library.document();
        let selected = document.selection().range();
        let range = match (selected.is_empty(), task.place()) {
            (true, Place::On) => 0..selected.end,
            (true, _) => trimmed(document.text()),
            (false, _) => selected,
        };
        let text = document.text()[range.clone()].to_owned();
        let request = self.tasks.as_ref().map(|tasks| {
            let picked = |list: &'_ [Choice]| list.iter().position(|choice| choice.id == action.detail);
            let style =
                picked(&tasks.styles).map_or(Picked::Own(&action.detail), |at| Picked::Offered(&tasks.styles[at]));
            let language = picked(&tasks.languages)
                .map_or(Picked::Own(&action.detail), |at| Picked::Offered(&tasks.languages[at]));
            let material =
                Material { text: &text, brief: &action.detail, style: Some(style), language: Some(language) };
            task.request(&material, 0)
        });
        let mut request = match request {
            Some(Ok(request)) => request,
            Some(Err(why)) => return self.state.toasts.error(why),
            None => return,
        };
        if task.place() == Place::Instead && !self.fits_anew(&text, &mut request.max_tokens) {
            return self.state.toasts.error(super::told(Key::TooLongForTask, &[]));
        }
        let fresh = self.request(Prompt::Raw(String::new()));
        request.seed = fresh.seed;
        request.banned = fresh.banned;
        request.context_tokens = fresh.context_tokens;
        request.alternatives = ALTERNATIVES;
        let (place, around) = match task.place() {
            Place::Instead => (range, ("", "")),
            Place::Before => (range.start..range.start, ("# ", "\n\n")),
            Place::After if !self.state.library.document().text()[..range.end].trim().is_empty() => {
                (range.end..range.end, ("\n\n", ""))
            }
            Place::After | Place::On => (range.end..range.end, ("", "")),
        };
        self.write_into_document(place, around, request);
        self.state.write.notebook.editor.reveal_caret();
    }
}

/// The bytes of `text` without the white space around it.
fn trimmed(text: &str) -> Range<usize> {
    let start = text.len() - text.trim_start().len();
    start..start + text.trim().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bundled_task_becomes_a_chip() {
        let tasks = Tasks::bundled().expect("the bundled file is good");
        let items = items(&tasks);
        assert_eq!(items.len(), tasks.tasks.len());
        let restyle = items.iter().find(|item| item.id == "restyle").expect("it is there");
        assert!(restyle.own_words && matches!(&restyle.needs, Needs::Choice(styles) if styles.len() == 5));
        let article = items.iter().find(|item| item.id == "article").expect("it is there");
        assert_eq!(article.needs, Needs::Brief);
        let words: String =
            items.iter().flat_map(|item| [&item.en, &item.zh, &item.tip_en, &item.tip_zh]).cloned().collect();
        assert_eq!(crate::ui::fonts::missing(&words), "");
    }

    #[test]
    fn white_space_around_a_text_is_not_its_own() {
        assert_eq!(trimmed("\n a b \n"), 2..5);
        assert_eq!(trimmed(" \n"), 2..2);
        assert_eq!(trimmed(""), 0..0);
    }
}
