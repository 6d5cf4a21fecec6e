//! The Sound page's side of the engine: what it does is copied into the view once a frame; takes are kept.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use egui::Context;

use super::{App, Purpose, told};
use crate::{
    audio::Clip,
    engine::{FileFilter, SavedSound, SoundActivity, SoundInput, SoundState, UiCommand},
    recipe::{AudioRecipe, ModelRef, Origin, RecordingRecipe, SoundRecipe, Source, sha256_of_samples},
    ui::{Key, sound, state::Page, toasts::Kind},
};

/// The worker hears no more often than this that somebody is at the page; it closes the device after longer.
const READY_AGAIN: Duration = Duration::from_secs(2);
/// A controller that was chosen may be pulled out and plugged in again; nothing says so.
const CONTROLLERS_AGAIN: Duration = Duration::from_secs(3);

impl App {
    /// Hands a page's wish to the sound worker.
    pub(super) fn tell_sound(&mut self, input: SoundInput) {
        if ends_making(&input) {
            self.state.sound.variations = None;
        }
        if let Some(port) = self.link.as_ref().and_then(|link| link.sound()) {
            port.tell(input);
        }
    }

    /// Opens the model when the page is shown first, and looks at what the worker has done since the last frame.
    pub(super) fn follow_sound(&mut self, ctx: &Context) {
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
        let is_here = self.state.page == Page::Sound;
        let was_here = std::mem::replace(&mut self.at_sound, is_here);
        if is_here && !was_here && self.state.sound.activity == SoundActivity::Idle {
            // A controller that was pulled out and plugged in meanwhile is listened to again.
            self.told_controller = None;
        }
        if is_here && (!was_here || ctx.input(|input| !input.events.is_empty())) {
            self.ready_sound();
        }
        let view = &self.state.sound;
        let (was, number) = (view.activity, view.take);
        let Some(port) = self.link.as_ref().and_then(|link| link.sound()) else { return };
        let grew = view.is_growing();
        // A take that another one has followed at once is kept too.
        if grew && port.look(|now| now.take) != number {
            self.keep_take();
        }
        let Some(port) = self.link.as_ref().and_then(|link| link.sound()) else { return };
        let view = &mut self.state.sound;
        let (error, recorded) = port.look(|now| {
            copy_facts(view, now, was);
            if view.take != now.take {
                view.take = now.take;
                view.show_growing(now.sample_rate_hz);
            }
            if view.is_growing() || (grew && view.shown.whole.is_none()) {
                view.shown.growing.follow(&now.samples);
                if view.request != now.request {
                    view.request.clone_from(&now.request);
                    view.shown.notes = now.request.as_ref().map(|request| request.notes.clone()).unwrap_or_default();
                }
            }
            (now.error.take(), now.recorded.clone())
        });
        if let Some(why) = error {
            // What is being made goes on without a device.
            if self.state.sound.activity == SoundActivity::Idle {
                self.state.sound.variations = None;
            }
            self.state.toasts.error(why);
        }
        if self.sound_opened {
            self.follow_controller();
        }
        if self.sound_opened && self.state.preferences.sound.controller.is_some() {
            self.look_for_controller(ctx);
        }
        let view = &self.state.sound;
        if view.shown.whole.is_none() && !view.is_growing() && !view.shown.growing.is_empty() {
            match recorded {
                Some(path) => self.seal_recording(path),
                None => {
                    self.keep_take();
                    self.make_variation();
                }
            }
        }
    }

    /// Makes the next of the takes that were asked for together, with the next seed.
    fn make_variation(&mut self) {
        let Some(mut variations) = self.state.sound.variations.take() else { return };
        variations.number += 1;
        // A controller may have been played meanwhile.
        let is_whole = self.state.sound.request.as_ref() == Some(&variations.request);
        if variations.number > variations.count || !is_whole {
            return;
        }
        variations.request.seed = variations.request.seed.wrapping_add(1);
        let request = Box::new(variations.request.clone());
        self.tell_sound(SoundInput::Make(request));
        self.state.sound.variations = Some(variations);
    }

    /// Opens a model that sounds, and the first time the device.
    pub(super) fn open_sound(&mut self, name: String, path: PathBuf) {
        self.tell_sound(SoundInput::Open { name, path });
        if !std::mem::replace(&mut self.sound_opened, true) {
            self.tell_sound(SoundInput::Volume(self.state.preferences.sound.gain()));
            self.tell_sound(SoundInput::Output(self.state.preferences.sound.output.clone()));
            self.tell_sound(SoundInput::ListOutputs);
            self.tell_sound(SoundInput::Input(self.state.preferences.sound.input.clone()));
            self.tell_sound(SoundInput::ListMidi);
        }
    }

    /// Somebody is at the page, and may want to hear something at once.
    fn ready_sound(&mut self) {
        let now = Instant::now();
        if self.sound_ready.is_none_or(|told| now - told >= READY_AGAIN) {
            self.sound_ready = Some(now);
            self.tell_sound(SoundInput::Ready);
        }
    }

    /// Tells what keys of a controller sound like, and listens to the one chosen once it is there.
    fn follow_controller(&mut self) {
        let sound = &self.state.preferences.sound;
        let voice = (sound.instrument, self.state.preferences.drawing());
        if self.told_voice != Some(voice) {
            self.told_voice = Some(voice);
            let (instrument, drawing) = voice;
            self.tell_sound(SoundInput::Voice { instrument, drawing });
        }
        let sound = &self.state.preferences.sound;
        let is_there = |id: &&String| self.state.sound.controllers.iter().flatten().any(|port| port.id == **id);
        let wanted = sound.controller.as_ref().filter(is_there).cloned();
        if self.told_controller != wanted {
            self.told_controller.clone_from(&wanted);
            self.tell_sound(SoundInput::Midi(wanted));
        }
    }

    /// Has the controllers listed again from time to time.
    fn look_for_controller(&mut self, ctx: &Context) {
        let now = Instant::now();
        if self.controllers_asked.is_none_or(|asked| now - asked >= CONTROLLERS_AGAIN) {
            self.controllers_asked = Some(now);
            self.tell_sound(SoundInput::ListMidi);
        }
        ctx.request_repaint_after(CONTROLLERS_AGAIN);
    }

    /// What made the take that has just grown; `None` when nobody knows.
    fn grown_recipe(&self) -> Option<SoundRecipe> {
        let view = &self.state.sound;
        let (model, request) = (view.model.as_ref()?, view.request.clone()?);
        let bundled = self.state.models.iter().flatten().any(|known| known.bundled && known.path == model.path);
        let name = if bundled { model.name.clone() } else { model.path.display().to_string() };
        let model = ModelRef { name, sha256: view.model_sha256.clone() };
        let sample_rate_hz = view.shown.sample_rate_hz;
        Some(SoundRecipe::Made(AudioRecipe { model, request, sample_rate_hz, steps: Vec::new() }))
    }

    /// The take has grown: it is kept in the library's folder, so that nothing that sounded is lost, and listed.
    fn keep_take(&mut self) {
        let made = self.grown_recipe();
        let view = &mut self.state.sound;
        let (samples, sample_rate_hz) = (std::mem::take(&mut view.shown.growing), view.shown.sample_rate_hz);
        if samples.is_empty() {
            return;
        }
        let clip = Arc::new(Clip { samples, sample_rate_hz });
        let path = self.new_take_path();
        let recipe = made.unwrap_or_else(|| recorded(path.as_deref(), &clip));
        let id = self.add_take(path, clip.clone(), recipe.clone());
        self.write_take(id, clip, recipe);
    }

    /// Makes sound of the typed notes, or stops.
    pub(super) fn make_sound(&mut self) {
        if let Some(why) = sound::why_not(&self.state) {
            return self.state.toasts.add(Kind::Note, crate::Error::new(why.clone(), why), None);
        }
        if let Ok(request) = sound::request(&self.state) {
            self.tell_sound(SoundInput::Make(Box::new(request.clone())));
            let count = self.state.preferences.sound.variations;
            self.state.sound.variations = (count > 1).then_some(sound::Variations { request, number: 1, count });
        }
    }

    /// Asks where to save the take.
    pub(super) fn save_sound(&mut self) {
        let shown = &self.state.sound.shown;
        let (Some(clip), Some(recipe)) = (shown.whole.clone(), shown.recipe.clone()) else {
            return self.state.toasts.add(Kind::Note, told(Key::NothingToSave, &[]), None);
        };
        let take = shown.id.and_then(|id| self.state.sound.takes.get(id));
        let name =
            take.map_or_else(|| self.state.t(Key::Take).to_owned(), |take| sound::takes::name(&self.state, take));
        let kind = self.state.preferences.sound.saved_as;
        let suggested = super::actions::file_name(&name).replace(".md", kind.ending());
        let sound = Box::new(SavedSound { clip, depth: kind.depth(), recipe });
        let purpose = Purpose::PickSound { sound };
        self.ask_for_file(purpose, |job| UiCommand::PickSave { job, filter: FileFilter::SavedSound, suggested });
    }

    /// Saves the take that was shown when the dialog was opened.
    pub(super) fn sound_picked(&mut self, path: PathBuf, sound: Box<SavedSound>) {
        self.send(Purpose::SaveSound, |job| UiCommand::SaveSound { job, path, sound });
    }

    /// A sound is on the disk.
    pub(super) fn sound_saved(&mut self, job: crate::engine::Job, path: &std::path::Path) {
        match self.jobs.get(&job) {
            Some(Purpose::SaveSound) => {
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                self.state.toasts.add(Kind::Done, told(Key::SoundSavedAs, &[&name]), None);
            }
            Some(Purpose::KeepTake { .. }) => self.take_is_kept(path),
            _ => {}
        }
    }
}

/// Whether something else sounds from now on than what was being made.
fn ends_making(input: &SoundInput) -> bool {
    matches!(
        input,
        SoundInput::Open { .. }
            | SoundInput::Strike { .. }
            | SoundInput::Make(_)
            | SoundInput::Continue { .. }
            | SoundInput::Play(_)
            | SoundInput::Record { .. }
            | SoundInput::Amp { .. }
            | SoundInput::Stop
    )
}

/// The recipe of a recording whose own file could not be written.
fn recorded(path: Option<&Path>, clip: &Clip) -> SoundRecipe {
    let file = path.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let source = Source { origin: Origin::Input, file, sha256: sha256_of_samples(&clip.samples) };
    SoundRecipe::Recorded(RecordingRecipe { source, sample_rate_hz: clip.sample_rate_hz, steps: Vec::new() })
}

/// What the worker tells besides the take itself.
fn copy_facts(view: &mut sound::SoundView, now: &SoundState, was: SoundActivity) {
    if view.model.as_ref().map(|model| &model.path) != now.model.as_ref().map(|model| &model.path) {
        view.model.clone_from(&now.model);
        view.model_sha256.clone_from(&now.model_sha256);
    }
    view.activity = now.activity;
    // Where playing begins next time is the page's own while nothing sounds.
    if now.activity != SoundActivity::Idle || was != SoundActivity::Idle {
        view.position = now.position;
    }
    (view.underruns, view.overruns) = (now.underruns, now.overruns);
    (view.input_peak, view.latency_ms) = (now.input_peak, now.latency_ms);
    view.first_sound_ms = now.first_sound_ms;
    view.real_time_factor = now.real_time_factor;
    if view.outputs != now.outputs {
        view.outputs.clone_from(&now.outputs);
    }
    if view.controllers != now.controllers {
        view.controllers.clone_from(&now.controllers);
    }
    if view.played != now.played {
        view.played.clone_from(&now.played);
    }
    if view.inputs != now.inputs {
        view.inputs.clone_from(&now.inputs);
    }
}
