//! Conversations as files: the shown messages as Markdown.

use std::path::PathBuf;

use super::{App, Purpose, actions::file_name, told};
use crate::{
    Lang,
    document::Chat,
    engine::{FileFilter, UiCommand},
    ui::{Key, models::short_name_of, t, toasts::Kind},
};

impl App {
    /// Saves the shown conversation where it was saved before, or where the user says.
    pub(super) fn save_chat(&mut self, elsewhere: bool) {
        let chat = self.state.library.chat();
        let id = chat.id().to_owned();
        if let Some(path) = self.state.preferences.files.get(&id).filter(|_| !elsewhere).cloned() {
            return self.save_chat_as(&id, path);
        }
        let suggested = file_name(&chat.title());
        let purpose = Purpose::PickChat { chat: id };
        self.send(purpose, |job| UiCommand::PickSave { job, filter: FileFilter::Text, suggested });
    }

    /// Writes a conversation.
    pub(super) fn save_chat_as(&mut self, id: &str, path: PathBuf) {
        let Some(chat) = self.state.library.chats.iter().find(|chat| chat.id() == id) else { return };
        let files = vec![(path.clone(), conversation(chat, self.state.lang).into_bytes())];
        let purpose = Purpose::SaveChat { chat: id.to_owned(), path };
        self.send(purpose, |job| UiCommand::WriteFiles { job, files });
    }

    /// A conversation is on the disk.
    pub(super) fn chat_saved(&mut self, id: &str, path: PathBuf) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        self.state.toasts.add(Kind::Done, told(Key::ChatSavedAs, &[&name]), None);
        self.state.preferences.files.insert(id.to_owned(), path);
    }
}

/// The shown messages as Markdown, each under the name of who speaks.
fn conversation(chat: &Chat, lang: Lang) -> String {
    let mut text = String::new();
    if !chat.system().trim().is_empty() {
        let quoted = chat.system().trim().replace('\n', "\n> ");
        text.push_str(&format!("> {}: {quoted}\n\n", t(lang, Key::SystemPrompt)));
    }
    for view in chat.path().into_iter().filter_map(|id| chat.view(id)) {
        let model = view.generation.and_then(|id| chat.generation(id)).map(|made| short_name_of(&made.made.model.name));
        let who = model.unwrap_or_else(|| t(lang, Key::You).to_owned());
        text.push_str(&format!("**{who}**\n\n{}\n\n", view.text.trim()));
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_becomes_markdown() {
        let mut chat = Chat::new(0);
        chat.set_system("Be brief.\nBe kind.");
        chat.say(" What is the tide?\n", 0);
        assert_eq!(
            conversation(&chat, Lang::En),
            "> Instructions: Be brief.\n> Be kind.\n\n**You**\n\nWhat is the tide?\n"
        );
    }
}
