//! The side of the window that teaches textures: photographs go to the teacher, its model is opened when it is done.

use std::path::{Path, PathBuf};

use super::{App, Purpose, actions::plain_name, told};
use crate::{
    engine::{FileFilter, TeachInput, ToTeach, UiCommand},
    files,
    ui::{
        Key,
        paint::View,
        state::{Page, TeachAction},
        toasts::Kind,
    },
};

/// The folder of the library that taught models are kept in.
const FOLDER: &str = "models";

impl App {
    fn tell_teacher(&mut self, input: TeachInput) {
        if let Some(port) = self.link.as_ref().and_then(|link| link.teach()) {
            port.tell(input);
        }
    }

    /// Whether a picture that is dropped is to be learnt from.
    pub(super) fn shows_teaching(&self) -> bool {
        self.state.page == Page::Paint && self.state.paint.view == View::Teach
    }

    /// Takes what the teacher did since the last frame.
    pub(super) fn follow_teacher(&mut self) {
        let Some(port) = self.link.as_ref().and_then(|link| link.teach()) else { return };
        let view = &mut self.state.paint.teach;
        let (kept, done, error) = port.look(|now| {
            now.looked.drain(..).for_each(|looked| view.looked(looked));
            if view.teaching != now.teaching {
                view.teaching.clone_from(&now.teaching);
            }
            (now.kept.take(), now.done.take(), now.error.take())
        });
        if let Some(path) = kept {
            // Should the program end before it is done, the model is listed when it starts again.
            let opened = &mut self.state.preferences.opened_models;
            if !opened.contains(&path) {
                opened.insert(0, path);
            }
        }
        if let Some(path) = done {
            let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            self.state.toasts.add(Kind::Done, told(Key::TeachingDone, &[&name]), None);
            if self.shows_teaching() {
                self.state.paint.view = View::Gallery;
                self.open_weights(path);
            } else {
                // Whoever does something else is not taken from it.
                self.state.preferences.opened_models.retain(|opened| *opened != path);
                self.state.preferences.opened_models.insert(0, path);
                self.list_models();
            }
        }
        if let Some(why) = error {
            self.state.toasts.error(why);
        }
    }

    pub(super) fn teach(&mut self, action: TeachAction) {
        match action {
            TeachAction::Add => {
                let filter = FileFilter::Photograph;
                self.ask_for_file(Purpose::PickPhotograph, |job| UiCommand::PickFile { job, filter });
            }
            TeachAction::Begin => self.begin_teaching(),
            TeachAction::Finish => self.tell_teacher(TeachInput::Finish),
            TeachAction::Discard => {
                self.tell_teacher(TeachInput::Discard);
                self.state.paint.teach.path = None;
            }
        }
    }

    /// Puts a photograph to those that are to be taught.
    pub(super) fn add_photograph(&mut self, path: PathBuf) {
        let view = &mut self.state.paint.teach;
        if view.teaching.is_some() {
            return self.state.toasts.add(Kind::Note, told(Key::TeachBusy, &[]), None);
        }
        if view.photographs.len() >= crate::ui::paint::MOST_PHOTOGRAPHS {
            return self.state.toasts.add(Kind::Note, told(Key::PhotographsFull, &[]), None);
        }
        if view.add(path.clone()) {
            self.tell_teacher(TeachInput::Look(path));
        }
    }

    /// When the window has closed: what was being taught is on the list when it opens again.
    pub(super) fn list_taught(&mut self) {
        let opened = &mut self.state.preferences.opened_models;
        if let Some(path) = self.state.paint.teach.path.take().filter(|path| path.exists() && !opened.contains(path)) {
            opened.insert(0, path);
        }
    }

    fn begin_teaching(&mut self) {
        if !self.state.paint.teach.is_ready() {
            return;
        }
        let Some(folder) = self.library_folder() else {
            return self.state.toasts.error(told(Key::TeachNoPlace, &[]));
        };
        let view = &self.state.paint.teach;
        let path = free(&folder.join(FOLDER), &plain_name(&view.title()));
        let wish = ToTeach {
            photographs: view.called(),
            detail: view.structure.detail(),
            steps: view.steps(),
            path: path.clone(),
        };
        self.state.paint.teach.path = Some(path);
        self.tell_teacher(TeachInput::Begin(Box::new(wish)));
    }
}

/// A file of weights in a folder that is not there yet, and whose recipe is not either.
fn free(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(format!("{name}.safetensors"));
    files::free_path(&path, |path| !path.exists() && !path.with_extension("toml").exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_model_takes_the_place_of_another() {
        let dir = tempfile::tempdir().expect("temporary folder");
        assert_eq!(free(dir.path(), "砖"), dir.path().join("砖.safetensors"));
        for number in 1..4 {
            files::write_whole(&free(dir.path(), "砖"), b"x").expect("written");
            assert_eq!(free(dir.path(), "砖"), dir.path().join(format!("砖 {}.safetensors", number + 1)));
        }
    }
}
