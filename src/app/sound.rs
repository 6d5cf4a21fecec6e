//! The Sound page's side of the engine: what it does is copied into the view once a frame; takes are kept.

use std::path::PathBuf;

use super::{App, Purpose, told};
use crate::{
    engine::{FileFilter, SavedSound, SoundActivity, SoundInput, UiCommand},
    formats::wav::Depth,
    recipe::{AudioRecipe, ModelRef},
    ui::{Key, sound, state::Page, toasts::Kind},
};

impl App {
    /// Hands a page's wish to the sound worker.
    pub(super) fn tell_sound(&mut self, input: SoundInput) {
        if let Some(port) = self.link.as_ref().and_then(|link| link.sound()) {
            port.tell(input);
        }
    }

    /// Opens the model when the page is shown first, and looks at what the worker has done since the last frame.
    pub(super) fn follow_sound(&mut self) {
        if self.link.as_ref().and_then(|link| link.sound()).is_none() {
            return;
        }
        if self.state.page == Page::Sound && !self.sound_opened {
            let models = self.state.models.iter().flatten();
            let Some(model) = models.clone().find(|model| model.kind == "audio" && model.unusable.is_none()) else {
                return;
            };
            let (name, path) = (model.name.clone(), model.path.clone());
            self.open_sound(name, path);
        }
        let Some(port) = self.link.as_ref().and_then(|link| link.sound()) else { return };
        let view = &self.state.sound;
        let before = (view.activity, view.take);
        // A take that another one has followed at once is kept too.
        let is_made = matches!(before.0, SoundActivity::Live | SoundActivity::Making) && !view.samples.is_empty();
        if is_made && port.look(|now| now.take) != before.1 {
            self.keep_take();
        }
        let Some(port) = self.link.as_ref().and_then(|link| link.sound()) else { return };
        let view = &mut self.state.sound;
        let error = port.look(|now| {
            if view.model.as_ref().map(|model| &model.path) != now.model.as_ref().map(|model| &model.path) {
                view.model.clone_from(&now.model);
                view.model_sha256.clone_from(&now.model_sha256);
            }
            if view.take != now.take {
                view.take = now.take;
                view.samples.clear();
                view.request = None;
                view.kept = None;
            }
            let known = view.samples.len().min(now.samples.len());
            view.samples.truncate(known);
            view.samples.extend_from_slice(&now.samples[known..]);
            if view.request != now.request {
                view.request.clone_from(&now.request);
            }
            view.activity = now.activity;
            view.position = now.position;
            view.underruns = now.underruns;
            view.first_sound_ms = now.first_sound_ms;
            view.real_time_factor = now.real_time_factor;
            if view.outputs != now.outputs {
                view.outputs.clone_from(&now.outputs);
            }
            now.error.take()
        });
        if let Some(why) = error {
            self.state.toasts.error(why);
        }
        let view = &self.state.sound;
        let made = matches!(before.0, SoundActivity::Live | SoundActivity::Making) && view.take == before.1;
        if made && view.activity == SoundActivity::Idle && !view.samples.is_empty() {
            self.keep_take();
        }
    }

    /// Opens a model that sounds, and the first time the device.
    pub(super) fn open_sound(&mut self, name: String, path: PathBuf) {
        self.tell_sound(SoundInput::Open { name, path });
        if !std::mem::replace(&mut self.sound_opened, true) {
            self.tell_sound(SoundInput::Volume(self.state.preferences.sound.gain()));
            self.tell_sound(SoundInput::Output(self.state.preferences.sound.output.clone()));
            self.tell_sound(SoundInput::ListOutputs);
        }
    }

    /// The take with what made it, as a file.
    fn take_as_file(&self) -> Option<SavedSound> {
        let view = &self.state.sound;
        let (model, request) = (view.model.as_ref()?, view.request.clone()?);
        let bundled = self.state.models.iter().flatten().any(|known| known.bundled && known.path == model.path);
        let name = if bundled { model.name.clone() } else { model.path.display().to_string() };
        let model = ModelRef { name, sha256: view.model_sha256.clone() };
        let recipe = AudioRecipe { model, request, sample_rate_hz: view.rate() };
        Some(SavedSound { samples: view.samples.clone(), depth: Depth::Int24, recipe })
    }

    /// Keeps the take in the library's folder, so that nothing that sounded is lost.
    fn keep_take(&mut self) {
        let (Some(sound), Some(folder)) = (self.take_as_file(), self.library_folder()) else { return };
        let path = folder.join("sounds").join(format!("take-{}.wav", self.state.now_ms));
        self.state.sound.kept = Some(path.clone());
        self.send(Purpose::KeepTake, |job| UiCommand::SaveSound { job, path, sound: Box::new(sound) });
    }

    /// Makes sound of the typed notes, or stops.
    pub(super) fn make_sound(&mut self) {
        if let Some(why) = sound::why_not(&self.state) {
            return self.state.toasts.add(Kind::Note, crate::Error::new(why.clone(), why), None);
        }
        if let Ok(request) = sound::request(&self.state) {
            self.tell_sound(SoundInput::Make(Box::new(request)));
        }
    }

    /// Asks where to save the take.
    pub(super) fn save_sound(&mut self) {
        if self.state.sound.samples.is_empty() || self.state.sound.is_busy() {
            return self.state.toasts.add(Kind::Note, told(Key::NothingToSave, &[]), None);
        }
        let Some(sound) = self.take_as_file() else { return };
        let suggested = format!("{}.wav", self.state.t(Key::Take));
        let purpose = Purpose::PickSound { sound: Box::new(sound) };
        self.ask_for_file(purpose, |job| UiCommand::PickSave { job, filter: FileFilter::Sound, suggested });
    }

    /// Saves the take that was shown when the dialog was opened.
    pub(super) fn sound_picked(&mut self, mut path: PathBuf, sound: Box<SavedSound>) {
        if path.extension().is_none() {
            path.set_extension("wav");
        }
        self.send(Purpose::SaveSound, |job| UiCommand::SaveSound { job, path, sound });
    }

    /// A sound is on the disk.
    pub(super) fn sound_saved(&mut self, job: crate::engine::Job, path: &std::path::Path) {
        if self.jobs.get(&job) == Some(&Purpose::SaveSound) {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            self.state.toasts.add(Kind::Done, told(Key::SoundSavedAs, &[&name]), None);
        }
    }
}
