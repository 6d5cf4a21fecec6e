//! Where everything that pages and keys ask for is done.

use std::path::{Path, PathBuf};

use egui::{Context, ViewportCommand};

use super::{App, Purpose, is_for_window, told};
use crate::{
    engine::{FileFilter, GalleryInput, Guard, Job, SoundInput, UiCommand},
    ui::{
        Command, Key,
        paint::View,
        preferences::Preferences,
        state::{Action, Page, TeachAction},
        toasts::{Kind, Offer},
        write,
    },
};

impl App {
    /// The keys of the window. Undo and redo belong to a field while one is typed into.
    pub(super) fn take_keys(&mut self, ctx: &Context) {
        write::close_hidden(&mut self.state);
        let modal = self.state.sheet_open;
        let in_editor = write::editor_has_focus(&self.state, ctx);
        let typing = ctx.memory(|memory| memory.focused()).is_some() && !in_editor;
        let menu = egui::Popup::is_any_open(ctx);
        // Escape closes the words over the text first, if it reaches them.
        let words = &self.state.write;
        let popup = menu || (in_editor && words.notebook.editor.shows_alternatives()) || words.chat.words.is_open();
        let busy = match self.state.page {
            Page::Paint => self.state.paint.is_busy(),
            Page::Sound => self.state.sound.is_busy(),
            _ => false,
        };
        let idle = self.shown_jobs.is_empty() && !busy;
        let escaped = ctx.input(|input| input.key_pressed(egui::Key::Escape));
        if idle && escaped && !modal && !popup {
            self.escape();
        }
        let wanted = |command: Command| match command {
            // Escape with nothing to stop belongs to what has the keyboard.
            Command::Stop => !idle && !modal && !popup,
            Command::Generate => !modal && !menu,
            _ if modal => matches!(command, Command::Shortcuts | Command::Quit),
            command => is_for_window(command) || !typing,
        };
        let state = &self.state;
        let wanted = |command: Command| state.applies(command) && wanted(command);
        for command in Command::pressed(ctx, wanted) {
            self.run_command(ctx, command);
        }
        let question = ctx.memory(|memory| memory.focused()).is_none()
            && ctx.input(|input| {
                input.events.iter().any(|event| matches!(event, egui::Event::Text(text) if text == "?" || text == "？"))
            });
        if question {
            self.state.sheet_open = true;
        }
    }

    /// Does what a page asked for.
    pub(super) fn execute(&mut self, ctx: &Context, action: Action) {
        match action {
            Action::Do(command) => self.run_command(ctx, command),
            Action::Show(id) => self.show(&id),
            Action::Delete(id) => self.delete(&id),
            Action::UseModel(path) => self.open_model(path),
            Action::ForgetModel(path) => {
                self.state.preferences.opened_models.retain(|opened| *opened != path);
                if let Some(models) = &mut self.state.models {
                    models.retain(|model| model.bundled || model.path != path);
                }
            }
            Action::Branch(token, choice) => self.branch(&token, choice),
            Action::BranchReply(token, choice) => self.branch_reply(&token, choice),
            Action::TryExample(text) => self.try_example(&text),
            Action::Task(task) => self.run_task(&task),
            Action::EditTasks => self.edit_tasks(),
            Action::ReadTasks => self.read_tasks(),
            Action::SendMessage => self.send_message(),
            Action::EditMessage(id, text) => self.edit_message(id, &text),
            Action::AnswerAgain(id) => self.answer_again(id),
            Action::Cancel => self.stop(),
            Action::NewSeed => self.new_seed(),
            Action::Sound(input) => self.tell_sound(input),
            Action::Take(action) => self.take_action(action),
            Action::Paint(input) => self.tell_painter(input),
            Action::Draw(requests) => self.draw_pictures(requests),
            Action::Enlarge(upscaler, edited) => self.enlarge_picture(upscaler, edited),
            Action::UseSettings => self.use_settings(),
            Action::SaveFilm(kind) => self.save_film(kind),
            Action::Teach(action) => self.teach(action),
            Action::Gallery(input) => self.tell_gallery(input),
            Action::Mark(paths, change) => self.mark_pictures(paths, change),
            Action::Bin(paths) => self.bin_pictures(paths),
            Action::ShowBin(in_bin) => self.show_bin(in_bin),
            Action::Unbin(paths) => self.leave_bin(paths, GalleryInput::Unbin),
            Action::Destroy(paths) => self.leave_bin(paths, GalleryInput::Destroy),
            Action::Export(kind, paths) => self.export_pictures(kind, paths),
            Action::Carry(paths) => self.carry_pictures(paths),
        }
    }

    /// The one place where commands are executed.
    fn run_command(&mut self, ctx: &Context, command: Command) {
        if !self.state.applies(command) {
            return;
        }
        let state = &mut self.state;
        match command {
            Command::Generate if state.page == Page::Paint && state.paint.view == View::Teach => {
                self.teach(TeachAction::Begin);
            }
            Command::Generate if state.page == Page::Paint => self.draw_next(),
            Command::Generate if state.page == Page::Sound => self.make_sound(),
            Command::Generate => {
                state.write.notebook.editor.close_alternatives();
                self.generate();
            }
            Command::Stop if state.page == Page::Paint && state.paint.is_busy() => self.stop_painting(),
            Command::Stop if state.page == Page::Sound && state.sound.is_busy() => self.tell_sound(SoundInput::Stop),
            Command::Stop => self.stop(),
            Command::Regenerate => self.regenerate(),
            Command::NextVariant => write::step_variant(state, 1),
            Command::PreviousVariant => write::step_variant(state, -1),
            Command::Undo | Command::Redo if state.page == Page::Sound => self.step_take(command == Command::Redo),
            Command::Undo | Command::Redo => {
                let document = state.library.document_mut();
                let moved = if command == Command::Undo { document.undo() } else { document.redo() };
                if moved {
                    state.write.notebook.editor.reveal_caret();
                }
            }
            Command::NewDocument => {
                state.page = Page::Write;
                self.new_document();
                write::focus_work(&mut self.state);
            }
            Command::OpenFile if state.page == Page::Sound => {
                self.ask_for_file(Purpose::PickTake, |job| UiCommand::PickFile { job, filter: FileFilter::Sound });
            }
            Command::OpenFile => {
                self.ask_for_file(Purpose::PickText, |job| UiCommand::PickFile { job, filter: FileFilter::Text });
            }
            Command::OpenModel => {
                self.ask_for_file(Purpose::PickModel, |job| UiCommand::PickFile { job, filter: FileFilter::Model });
            }
            Command::SaveFile if state.page == Page::Paint => self.save_picture(),
            Command::SaveFile if state.page == Page::Sound => self.save_sound(),
            Command::SaveFile => self.save(false),
            Command::SaveFileAs => self.save(true),
            Command::Find => write::open_find(state),
            Command::Preview => state.write.notebook.preview = !state.write.notebook.preview,
            Command::Compare => write::toggle_compare(state),
            Command::Tasks => write::go_to_tasks(state),
            Command::NewSeed => self.new_seed(),
            Command::SwitchMode => {
                write::set_chatting(state, !state.preferences.chatting);
                write::focus_work(&mut self.state);
            }
            Command::ToggleDocuments if state.page == Page::Sound => {
                crate::ui::sound::toggle_takes(state, ctx.content_rect().width());
            }
            Command::ToggleDocuments => write::toggle_documents(state, ctx.content_rect().width()),
            Command::ToggleInspector => state.preferences.inspector_shown = !state.preferences.inspector_shown,
            Command::GoWrite => state.page = Page::Write,
            Command::GoPaint => state.page = Page::Paint,
            Command::GoSound => state.page = Page::Sound,
            Command::GoModels => state.page = Page::Models,
            Command::GoSettings => state.page = Page::Settings,
            Command::Shortcuts => state.sheet_open = !state.sheet_open,
            Command::ZoomIn => state.preferences.scale = next_scale(state.preferences.scale, 1),
            Command::ZoomOut => state.preferences.scale = next_scale(state.preferences.scale, -1),
            Command::ZoomReset => state.preferences.scale = 1.0,
            Command::Quit => ctx.send_viewport_cmd(ViewportCommand::Close),
        }
    }

    /// Escape with nothing to stop takes away what stands in the place of the work.
    fn escape(&mut self) {
        if self.state.page == Page::Paint {
            let view = &self.state.paint;
            if view.was_typed_into() {
                return;
            }
            if view.in_bin && view.large.is_none() && view.shelf.several.is_empty() {
                return self.show_bin(false);
            }
            return self.state.paint.step_back();
        }
        let write = &mut self.state.write;
        if write.editing.take().is_none() && std::mem::take(&mut write.notebook.compare) {
            write::focus_work(&mut self.state);
        }
    }

    /// Saves the shown document as a file, where it was saved before, or where the user says.
    fn save(&mut self, elsewhere: bool) {
        if self.state.preferences.chatting {
            return self.save_chat(elsewhere);
        }
        let id = self.state.library.document().id().to_owned();
        let preferences = &self.state.preferences;
        match preferences.files.get(&id).filter(|_| !elsewhere).cloned() {
            Some(path) => {
                let guard = preferences.saved.get(&id).map_or(Guard::Any, |sha256| Guard::Same(sha256.clone()));
                self.save_as(&id, path, guard);
            }
            None => self.ask_where_to_save(&id),
        }
    }

    /// Asks where a document is to be saved.
    pub(super) fn ask_where_to_save(&mut self, id: &str) {
        let Some(document) = self.state.library.documents.iter().find(|document| document.id() == id) else { return };
        let suggested = file_name(&document.title());
        let purpose = Purpose::PickSave { document: id.to_owned() };
        self.ask_for_file(purpose, |job| UiCommand::PickSave { job, filter: FileFilter::Text, suggested });
    }

    /// Shows a dialog for files, unless one is open.
    pub(super) fn ask_for_file(&mut self, purpose: Purpose, command: impl FnOnce(Job) -> UiCommand) {
        let asks = |purpose: &Purpose| {
            matches!(
                purpose,
                Purpose::PickText
                    | Purpose::PickModel
                    | Purpose::PickTake
                    | Purpose::PickCapture
                    | Purpose::PickSave { .. }
                    | Purpose::PickSound { .. }
                    | Purpose::PickPicture { .. }
                    | Purpose::PickFilm { .. }
                    | Purpose::PickLarge { .. }
                    | Purpose::PickExport { .. }
                    | Purpose::PickPhotograph
            )
        };
        if !self.jobs.values().any(asks) {
            self.send(purpose, command);
        }
    }

    /// Saves the text, with its recipe beside it.
    pub(super) fn save_as(&mut self, id: &str, path: PathBuf, guard: Guard) {
        let Some(document) = self.state.library.documents.iter().find(|document| document.id() == id) else { return };
        let text = document.text().to_owned();
        let mut recipe = Box::new(document.recipe());
        for generation in recipe.generations.iter_mut().filter(|generation| generation.model.sha256.is_empty()) {
            // Those that are not known yet are computed where files are read.
            generation.model.sha256 = self.known_hash(&generation.model.name).unwrap_or_default();
        }
        let purpose = Purpose::SaveFile { document: id.to_owned() };
        self.send(purpose, |job| UiCommand::SaveText { job, path, text, recipe, guard });
    }

    /// The hash of a model, by the name that recipes give it: a bundled model's name, or the path of a file.
    fn known_hash(&self, name: &str) -> Option<String> {
        let bundled = self.state.models.iter().flatten().find(|model| model.bundled && model.name == name);
        let path = bundled.map_or(Path::new(name), |model| model.path.as_path());
        self.hashes.get(path).cloned()
    }

    /// A text is on the disk.
    pub(super) fn text_saved(&mut self, job: Job, path: PathBuf, sha256: String) {
        let Some(Purpose::SaveFile { document }) = self.jobs.get(&job).cloned() else { return };
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        self.state.toasts.withdraw(&Offer::SaveAs(document.clone()));
        self.state.toasts.add(Kind::Done, told(Key::SavedAs, &[&name]), None);
        self.state.preferences.belongs_to(document, path, sha256);
    }

    /// A text was not saved, for its file is another one by now.
    pub(super) fn text_not_saved(&mut self, job: Job, path: &Path) {
        let Some(Purpose::SaveFile { document }) = self.jobs.get(&job).cloned() else { return };
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let offer = Offer::SaveAs(document);
        self.state.toasts.add(Kind::Error, told(Key::FileChanged, &[&name]), Some((Key::SaveFileAs, offer)));
    }
}

/// A text's name from its title.
pub(super) fn file_name(title: &str) -> String {
    format!("{}.md", plain_name(title))
}

/// A name that every system takes: what no system allows in names goes.
pub(super) fn plain_name(title: &str) -> String {
    let kept: String = title.chars().filter(|c| !c.is_control() && !"/\\:*?\"<>|".contains(*c)).take(60).collect();
    let kept = kept.trim().trim_matches('.').trim();
    if kept.is_empty() { "atelier".to_owned() } else { kept.to_owned() }
}

fn next_scale(scale: f32, step: isize) -> f32 {
    let scales = Preferences::SCALES;
    let nearest = (0..scales.len()).min_by(|a, b| (scales[*a] - scale).abs().total_cmp(&(scales[*b] - scale).abs()));
    let at = nearest.unwrap_or(0) as isize + step;
    scales[at.clamp(0, scales.len() as isize - 1) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_become_names_that_every_system_takes() {
        assert_eq!(file_name("The lighthouse"), "The lighthouse.md");
        assert_eq!(file_name("春日短诗"), "春日短诗.md");
        assert_eq!(file_name(" a/b: c? "), "ab c.md");
        assert_eq!(file_name("..."), "atelier.md");
        assert_eq!(file_name(""), "atelier.md");
    }

    #[test]
    fn the_size_moves_in_steps_and_stops_at_the_ends() {
        assert_eq!(next_scale(1.0, 1), 1.1);
        assert_eq!(next_scale(2.0, 1), 2.0);
        assert_eq!(next_scale(0.8, -1), 0.8);
        assert_eq!(next_scale(1.07, -1), 1.0);
    }
}
