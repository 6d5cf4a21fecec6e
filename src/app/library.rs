//! The documents that are kept without being asked to: each one a file of the library folder.

use std::{collections::HashMap, path::PathBuf, time::Duration};

use egui::Context;

use super::{App, Purpose, SAVE_AFTER_MS, told};
use crate::{
    Error, Lang,
    document::{Chat, Document, LibraryItem, Selection},
    engine::{GalleryInput, UiCommand},
    ui::{
        Key, text,
        toasts::{Kind, Offer},
    },
};

/// A frame may spend this long on reading documents.
const READING_MS: u128 = 8;

/// What is known about the files of the library.
#[derive(Debug, Default)]
pub(super) struct Keeping {
    /// The revision that was written last, by document.
    written: HashMap<String, u64>,
    /// Since when a document differs from its file.
    since_ms: HashMap<String, u64>,
    /// How long making a document's bytes took; long ones are saved less often.
    cost_ms: HashMap<String, u64>,
    /// Files that were read and not yet looked into.
    unread: Vec<(PathBuf, Vec<u8>)>,
    /// Documents that were deleted and can come back.
    deleted: Vec<LibraryItem>,
}

fn id_of(item: &LibraryItem) -> &str {
    match item {
        LibraryItem::Document(document) => document.id(),
        LibraryItem::Chat(chat) => chat.id(),
    }
}

impl App {
    fn path_of(&self, id: &str) -> Option<PathBuf> {
        self.library_folder().map(|folder| folder.join(format!("{id}.json")))
    }

    /// Takes the files of the library; they are looked into over the next frames.
    pub(super) fn library_read(&mut self, documents: Vec<(PathBuf, Vec<u8>)>, damaged: &[PathBuf]) {
        for path in damaged {
            let name = path.display();
            self.state.toasts.error(Error::new(
                format!(
                    "“{name}” in the library could not be read; the file stays where it is. Check it and start again."
                ),
                format!("无法读取文稿库中的“{name}”，文件保留在原处，请检查后重新启动。"),
            ));
        }
        self.keeping.unread = documents;
        self.keeping.unread.reverse();
    }

    /// Looks into some of the files that were read.
    fn look_into_files(&mut self, ctx: &Context) {
        if self.keeping.unread.is_empty() {
            return;
        }
        let begun = std::time::Instant::now();
        while let Some((path, bytes)) = self.keeping.unread.pop() {
            match LibraryItem::from_bytes(&bytes) {
                Ok(item) => {
                    self.keeping.written.insert(id_of(&item).to_owned(), revision_of(&item));
                    self.add_item(item, false);
                }
                Err(why) => {
                    let (name, en, zh) = (path.display(), why.text(Lang::En), why.text(Lang::Zh));
                    self.state.toasts.error(Error::new(format!("“{name}”: {en}"), format!("“{name}”：{zh}")));
                }
            }
            if begun.elapsed().as_millis() > READING_MS {
                break;
            }
        }
        if self.keeping.unread.is_empty() {
            self.drop_fresh();
        }
        ctx.request_repaint();
    }

    /// The empty document and conversation of a fresh window give way to those that were read, and to the ones shown
    /// last. Where the user has written or opened something meanwhile, that stays and stays shown.
    fn drop_fresh(&mut self) {
        let (written, files) = (&self.keeping.written, &self.state.preferences.files);
        let is_new = |id: &str| !written.contains_key(id) && !files.contains_key(id);
        let library = &mut self.state.library;
        let mut shows_last = Vec::new();
        let fresh = library.documents.iter().position(|it| it.is_blank() && is_new(it.id()));
        if let Some(at) = fresh.filter(|_| library.documents.len() > 1) {
            library.documents.remove(at);
            if library.document == at {
                shows_last.extend(self.state.preferences.document.clone());
            }
            library.document -= usize::from(library.document > at);
            library.document = library.document.min(library.documents.len() - 1);
        }
        let fresh = library.chats.iter().position(|it| it.is_blank() && is_new(it.id()));
        // What is typed below a conversation is meant for that one.
        if let Some(at) = fresh.filter(|_| library.chats.len() > 1 && self.state.write.message.is_empty()) {
            library.chats.remove(at);
            if library.chat == at {
                shows_last.extend(self.state.preferences.chat.clone());
            }
            library.chat -= usize::from(library.chat > at);
            library.chat = library.chat.min(library.chats.len() - 1);
        }
        for id in shows_last {
            self.show(&id);
        }
    }

    fn add_item(&mut self, mut item: LibraryItem, first: bool) {
        if let LibraryItem::Document(document) = &mut item
            && document.selection() == Selection::default()
        {
            // The model goes on from the caret: at the end of a text, not before its first word.
            document.set_selection(Selection::caret(document.len()));
        }
        let library = &mut self.state.library;
        match item {
            LibraryItem::Document(document) if first => {
                library.documents.insert(0, *document);
                library.document = 0;
            }
            LibraryItem::Document(document) => library.documents.push(*document),
            LibraryItem::Chat(chat) if first => {
                library.chats.insert(0, *chat);
                library.chat = 0;
            }
            LibraryItem::Chat(chat) => library.chats.push(*chat),
        }
    }

    /// Shows a document or a conversation.
    pub(super) fn show(&mut self, id: &str) {
        let library = &mut self.state.library;
        if let Some(at) = library.documents.iter().position(|document| document.id() == id) {
            library.document = at;
            self.state.preferences.document = Some(id.to_owned());
        } else if let Some(at) = library.chats.iter().position(|chat| chat.id() == id) {
            library.chat = at;
            self.state.preferences.chat = Some(id.to_owned());
        }
        self.forget_count();
        self.state.write.editing = None;
        crate::ui::write::focus_work(&mut self.state);
    }

    /// A new document, or a new conversation. An empty one that is there is used again.
    pub(super) fn new_document(&mut self) {
        let now_ms = self.state.now_ms;
        let library = &mut self.state.library;
        let id = if self.state.preferences.chatting {
            let empty = library.chats.iter().position(Chat::is_blank);
            let chat = empty.map_or_else(|| Chat::new(now_ms), |at| library.chats.remove(at));
            library.chats.insert(0, chat);
            library.chats[0].id().to_owned()
        } else {
            let files = &self.state.preferences.files;
            let empty = library.documents.iter().position(|it| it.is_blank() && !files.contains_key(it.id()));
            let document = empty.map_or_else(|| Document::new(now_ms), |at| library.documents.remove(at));
            library.documents.insert(0, document);
            library.documents[0].id().to_owned()
        };
        self.show(&id);
    }

    /// A text from a file becomes a document; the same file again shows the document it became.
    pub(super) fn open_text(&mut self, path: PathBuf, text: &str, sha256: String) {
        let preferences = &self.state.preferences;
        let known = preferences.files.iter().find(|(_, kept)| **kept == path).map(|(id, _)| id.clone());
        // A file that nobody else changed has nothing that its document has not, whatever was written there since.
        let unchanged = known.as_ref().is_some_and(|id| preferences.saved.get(id) == Some(&sha256));
        let library = &self.state.library;
        let is_same = |it: &Document| unchanged || it.text() == text;
        let same = known.filter(|id| library.documents.iter().any(|it| it.id() == id && is_same(it)));
        let id = same.unwrap_or_else(|| {
            let document = Document::from_text(text, self.state.now_ms);
            let id = document.id().to_owned();
            self.keeping.since_ms.insert(id.clone(), self.state.now_ms);
            self.add_item(LibraryItem::Document(Box::new(document)), true);
            id
        });
        self.state.preferences.belongs_to(id.clone(), path, sha256);
        self.state.preferences.chatting = false;
        self.state.page = crate::ui::state::Page::Write;
        self.show(&id);
    }

    /// Deletes a document or a conversation; a toast can bring it back.
    pub(super) fn delete(&mut self, id: &str) {
        self.stop_writing_of(id);
        let now_ms = self.state.now_ms;
        let library = &mut self.state.library;
        let (mut item, title) = if let Some(at) = library.documents.iter().position(|document| document.id() == id) {
            let document = library.documents.remove(at);
            if library.documents.is_empty() {
                library.documents.push(Document::new(now_ms));
            }
            library.document -= usize::from(library.document > at);
            library.document = library.document.min(library.documents.len() - 1);
            let title = document.title();
            (LibraryItem::Document(Box::new(document)), title)
        } else if let Some(at) = library.chats.iter().position(|chat| chat.id() == id) {
            let chat = library.chats.remove(at);
            if library.chats.is_empty() {
                library.chats.push(Chat::new(now_ms));
            }
            library.chat -= usize::from(library.chat > at);
            library.chat = library.chat.min(library.chats.len() - 1);
            let title = chat.title();
            (LibraryItem::Chat(Box::new(chat)), title)
        } else {
            return;
        };
        // What its jobs still have to say will not find it.
        match &mut item {
            LibraryItem::Document(document) => {
                document.streaming().collect::<Vec<_>>().into_iter().for_each(|it| document.abandon_generation(it));
            }
            LibraryItem::Chat(chat) => {
                chat.streaming().collect::<Vec<_>>().into_iter().for_each(|it| chat.abandon_generation(it));
            }
        }
        self.forget_count();
        self.keeping.since_ms.remove(id);
        if let Some(path) = self.path_of(id)
            && self.keeping.written.remove(id).is_some()
        {
            self.send(Purpose::RemoveDocument, |job| UiCommand::RemoveFiles { job, files: vec![path] });
        }
        let is_blank = match &item {
            LibraryItem::Document(document) => document.is_blank(),
            LibraryItem::Chat(chat) => chat.is_blank(),
        };
        if is_blank {
            return;
        }
        let untitled = text::t(self.state.lang, Key::Untitled);
        let title = if title.is_empty() { untitled } else { &title };
        let offer = Offer::Restore(id.to_owned());
        self.state.toasts.add(Kind::Note, told(Key::DocumentDeleted, &[title]), Some((Key::Restore, offer)));
        self.keeping.deleted.push(item);
    }

    /// Does what a toast offered.
    pub(super) fn take_offer(&mut self, offer: &Offer) {
        let id = match offer {
            Offer::Restore(id) => id,
            Offer::SaveAs(id) => return self.ask_where_to_save(id),
            Offer::Enlarge(path) => return self.ask_where_to_enlarge(path.clone()),
            Offer::Unbin(paths) => return self.tell_gallery(GalleryInput::Restore(paths.clone())),
            Offer::UnbinTake(path) => return self.restore_take(path),
        };
        if let Some(at) = self.keeping.deleted.iter().position(|item| id_of(item) == id) {
            let item = self.keeping.deleted.remove(at);
            self.keeping.since_ms.insert(id.clone(), 0);
            self.state.preferences.chatting = matches!(item, LibraryItem::Chat(_));
            self.add_item(item, true);
            self.show(id);
        }
    }

    /// Writes what has changed for about a second.
    pub(super) fn keep_documents(&mut self, ctx: &Context) {
        self.look_into_files(ctx);
        let now_ms = self.state.now_ms;
        let mut due = Vec::new();
        for (id, revision) in self.revisions() {
            if self.keeping.written.get(&id).copied().unwrap_or(0) == revision
                && !self.keeping.since_ms.contains_key(&id)
            {
                continue;
            }
            let since = *self.keeping.since_ms.entry(id.clone()).or_insert(now_ms);
            let wait = SAVE_AFTER_MS.max(40 * self.keeping.cost_ms.get(&id).copied().unwrap_or(0));
            let waited = now_ms.saturating_sub(since);
            if waited >= wait {
                due.push(id);
            } else {
                ctx.request_repaint_after(Duration::from_millis(wait - waited));
            }
        }
        for id in due {
            let Some((path, bytes)) = self.file_of(&id) else { continue };
            let purpose = Purpose::KeepDocument { id: id.clone() };
            if self.send(purpose, |job| UiCommand::WriteFiles { job, files: vec![(path, bytes)] }).is_none() {
                // The engine takes no more just now.
                self.keeping.written.remove(&id);
                self.keeping.since_ms.insert(id, now_ms);
            }
        }
    }

    fn revisions(&self) -> Vec<(String, u64)> {
        let library = &self.state.library;
        let documents = library.documents.iter().map(|it| (it.id().to_owned(), it.revision()));
        let chats = library.chats.iter().map(|it| (it.id().to_owned(), it.revision()));
        documents.chain(chats).collect()
    }

    /// A document's file as it should be now; it then counts as written.
    fn file_of(&mut self, id: &str) -> Option<(PathBuf, Vec<u8>)> {
        let path = self.path_of(id)?;
        let begun = std::time::Instant::now();
        let library = &self.state.library;
        let document = library.documents.iter().find(|it| it.id() == id).map(|it| (it.to_bytes(), it.revision()));
        let chat = || library.chats.iter().find(|it| it.id() == id).map(|it| (it.to_bytes(), it.revision()));
        let (bytes, revision) = document.or_else(chat)?;
        let cost_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.keeping.cost_ms.insert(id.to_owned(), cost_ms.min(1500));
        self.keeping.written.insert(id.to_owned(), revision);
        self.keeping.since_ms.remove(id);
        Some((path, bytes))
    }

    /// A file could not be written: the document is written again once it changes, and at the end.
    pub(super) fn not_kept(&mut self, id: &str) {
        self.keeping.written.remove(id);
        self.keeping.since_ms.insert(id.to_owned(), self.state.now_ms + 30_000);
    }

    /// Writes what has changed, here and now.
    pub(super) fn finish_documents(&mut self) {
        for document in &mut self.state.library.documents {
            for generation in document.streaming().collect::<Vec<_>>() {
                document.abandon_generation(generation);
            }
        }
        for (id, revision) in self.revisions() {
            let written = self.keeping.written.get(&id).copied().unwrap_or(0);
            if written == revision && !self.keeping.since_ms.contains_key(&id) {
                continue;
            }
            if let Some((path, bytes)) = self.file_of(&id) {
                // Nobody is left to read why it failed.
                let _ = super::write_making_folders(&path, &bytes);
            }
        }
    }
}

fn revision_of(item: &LibraryItem) -> u64 {
    match item {
        LibraryItem::Document(document) => document.revision(),
        LibraryItem::Chat(chat) => chat.revision(),
    }
}
