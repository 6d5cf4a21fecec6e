//! Tasks of the user's own: the file they are in, and how long what they write anew may be.

use std::path::Path;

use super::{App, Purpose, tasks, told};
use crate::{
    engine::UiCommand,
    generate::{DEFAULT_CONTEXT, tasks::Tasks},
    ui::{Key, toasts::Kind},
};

/// Tokens that a task's own words and the chat template take, at most.
const WORDING_TOKENS: usize = 300;

impl App {
    /// Puts the tasks' file where it can be edited, unless it is there, and says where that is.
    pub(super) fn edit_tasks(&mut self) {
        let Some(path) = self.state.tasks_path.clone() else { return };
        if path.exists() {
            return self.tasks_are_at(&path);
        }
        let files = vec![(path.clone(), Tasks::bundled_text().as_bytes().to_vec())];
        self.send(Purpose::CopyTasks { path }, |job| UiCommand::WriteFiles { job, files });
    }

    /// Says where the tasks' file is.
    pub(super) fn tasks_are_at(&mut self, path: &Path) {
        self.state.toasts.add(Kind::Note, told(Key::TasksAreAt, &[&path.display().to_string()]), None);
    }

    /// Reads the tasks' file again.
    pub(super) fn read_tasks(&mut self) {
        let (read, wrong) = tasks::load(self.state.tasks_path.as_deref().and_then(Path::parent));
        if let Some(why) = wrong {
            // What was read before still holds.
            return self.state.toasts.error(why);
        }
        self.state.tasks = read.as_ref().map(tasks::items).unwrap_or_default();
        let count = self.state.tasks.len().to_string();
        self.tasks = read;
        self.state.toasts.add(Kind::Done, told(Key::TasksRead, &[&count]), None);
    }

    /// Whether the model can read `text` and write it anew in one go. `max_tokens` grows to what that may take: a text
    /// must not be replaced by the beginning of its new version.
    pub(super) fn fits_anew(&self, text: &str, max_tokens: &mut usize) -> bool {
        let library = &self.state.library;
        let whole = library.document().len().max(1);
        let tokens = match library.tokens {
            Some(tokens) => (tokens * text.len()).div_ceil(whole),
            None => most_tokens(text),
        };
        let anew = tokens + tokens / 2 + 64;
        let most = self.state.model.open.as_ref().map_or(DEFAULT_CONTEXT, |open| open.context_tokens);
        let wanted = self.state.preferences.context_tokens;
        let context = most.min(if wanted == 0 { DEFAULT_CONTEXT } else { wanted });
        *max_tokens = anew.max(*max_tokens);
        tokens + anew + WORDING_TOKENS <= context
    }
}

/// About the most tokens that a text has: words of three letters, characters of two tokens.
fn most_tokens(text: &str) -> usize {
    let ascii = text.bytes().filter(u8::is_ascii).count();
    ascii.div_ceil(3) + ((text.len() - ascii) * 2).div_ceil(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_not_guessed_too_low() {
        assert_eq!(most_tokens("a word"), 2);
        assert_eq!(most_tokens("春眠不觉晓"), 10);
        assert_eq!(most_tokens(""), 0);
    }
}
