//! Takes: kept, listed, shown, compared, edited, run through amplifiers, thrown away and brought back.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{App, Purpose, told};
use crate::{
    audio::Clip,
    engine::{CaptureInfo, FileFilter, Job, SavedSound, SoundActivity, SoundInput, TakeMark, UiCommand},
    formats::wav::Depth,
    generate::audio::Step,
    recipe::{RecordingRecipe, SoundRecipe},
    ui::{
        Key,
        sound::{Other, take_path, takes::History},
        state::{Page, TakeAction},
        text,
        toasts::{Kind, Offer},
    },
};

/// The folder of takes in the library, and of those thrown away in it.
const FOLDER: &str = "sounds";
const BIN: &str = "bin";

impl App {
    /// Reads the list of takes, and opens the capture used last, when the page is shown first.
    pub(super) fn follow_takes(&mut self) {
        if self.state.page != Page::Sound || std::mem::replace(&mut self.takes_asked, true) {
            return;
        }
        if let Some(folder) = self.library_folder() {
            let folder = folder.join(FOLDER);
            self.send(Purpose::ReadTakes, |job| UiCommand::ReadTakes { job, folder });
        }
        if let Some(path) = self.state.preferences.sound.amp.capture.clone() {
            self.send(Purpose::OpenCapture { quiet: true }, |job| UiCommand::OpenCapture { job, path });
        }
    }

    pub(super) fn take_action(&mut self, action: TakeAction) {
        match action {
            TakeAction::Show(id) => self.show_take(id),
            TakeAction::Compare(id) => self.compare_take(id),
            TakeAction::Change(step) => self.change_take(&step),
            TakeAction::Star(id, starred) => self.mark_take(id, |mark| mark.starred = starred),
            TakeAction::Rename(id, name) => {
                let title = Some(name).filter(|name| !name.is_empty());
                self.mark_take(id, |mark| mark.title = title);
            }
            TakeAction::Bin(id) => self.bin_take(id),
            TakeAction::Record => {
                let to = self.new_take_path();
                self.tell_sound(SoundInput::Record { to });
            }
            TakeAction::OpenCapture => {
                let filter = FileFilter::Capture;
                self.ask_for_file(Purpose::PickCapture, |job| UiCommand::PickFile { job, filter });
            }
        }
    }

    /// Where the next take is kept; no two have one name.
    pub(super) fn new_take_path(&self) -> Option<PathBuf> {
        let folder = self.library_folder()?;
        let is_free = |path: &PathBuf| self.state.sound.takes.list.iter().all(|take| take.path.as_ref() != Some(path));
        (self.state.now_ms..).map(|ms| take_path(&folder, ms)).find(is_free)
    }

    /// Lists a take that is new, and shows it.
    pub(super) fn add_take(&mut self, path: Option<PathBuf>, clip: Arc<Clip>, recipe: SoundRecipe) -> u64 {
        let view = &mut self.state.sound;
        let id = view.takes.add(path, self.state.now_ms, clip.clone(), recipe.clone());
        view.show(Some(id), clip, Some(recipe));
        id
    }

    /// Writes a take into the library.
    pub(super) fn write_take(&mut self, id: u64, clip: Arc<Clip>, recipe: SoundRecipe) {
        let Some(path) = self.state.sound.takes.get(id).and_then(|take| take.path.clone()) else { return };
        // As 32-bit floats: an edit of what is read again must begin with the very same samples.
        let sound = Box::new(SavedSound { clip, depth: Depth::Float32, recipe });
        self.send(Purpose::KeepTake { id }, |job| UiCommand::SaveSound { job, path, sound });
    }

    /// A take is on the disk: it is read from there when it is shown again.
    pub(super) fn take_is_kept(&mut self, path: &Path) {
        let waits = |purpose: &&Purpose| matches!(purpose, Purpose::KeepTake { .. });
        let others = self.jobs.values().filter(waits).count();
        for take in &mut self.state.sound.takes.list {
            if take.path.as_deref() == Some(path) && others <= 1 {
                take.clip = None;
            }
        }
    }

    /// A recording has ended and its file with it; the recipe follows.
    pub(super) fn seal_recording(&mut self, path: PathBuf) {
        let view = &mut self.state.sound;
        let (samples, sample_rate_hz) = (std::mem::take(&mut view.shown.growing), view.shown.sample_rate_hz);
        let clip = Arc::new(Clip { samples, sample_rate_hz });
        view.show(None, clip.clone(), None);
        self.send(Purpose::SealTake, |job| UiCommand::SealTake { job, path, clip });
    }

    pub(super) fn take_sealed(&mut self, path: PathBuf, recipe: SoundRecipe) {
        let view = &mut self.state.sound;
        let Some(clip) = view.shown.whole.clone().filter(|_| view.shown.id.is_none()) else {
            // Another take is shown by now; it is found in the folder.
            self.takes_asked = false;
            return;
        };
        let id = view.takes.add(Some(path), self.state.now_ms, clip.clone(), recipe.clone());
        if let Some(take) = view.takes.get_mut(id) {
            take.clip = None;
        }
        view.show(Some(id), clip, Some(recipe));
    }

    fn show_take(&mut self, id: u64) {
        if self.state.sound.shown.id == Some(id) || self.state.sound.is_growing() {
            return;
        }
        if self.state.sound.is_busy() {
            self.tell_sound(SoundInput::Stop);
        }
        self.state.sound.position = 0;
        let Some(take) = self.state.sound.takes.get(id) else { return };
        match (&take.clip, &take.recipe, &take.path) {
            (Some(clip), Some(recipe), _) => {
                let (clip, recipe) = (clip.clone(), recipe.clone());
                self.show_clip(id, clip, recipe);
            }
            (_, _, Some(path)) => {
                let path = path.clone();
                let ask = |job| UiCommand::OpenTake { job, path, rate_hz: None, foreign: false };
                self.send(Purpose::ShowTake { id }, ask);
            }
            _ => {}
        }
    }

    /// Shows another take from its beginning.
    fn show_clip(&mut self, id: u64, clip: Arc<Clip>, recipe: SoundRecipe) {
        let view = &mut self.state.sound;
        let compared = view.other.as_ref().map(|other| other.id).filter(|other| *other != id);
        (view.other, view.hears_other, view.position, view.selection) = (None, false, 0, None);
        view.show_all();
        view.show(Some(id), clip, Some(recipe));
        view.takes.forget_histories(id);
        // The one it is compared with may need another rate now.
        self.compare_take(compared);
    }

    fn compare_take(&mut self, id: Option<u64>) {
        let view = &mut self.state.sound;
        let Some(id) = id.filter(|_| view.shown.whole.is_some()) else {
            let changed = view.other.take().is_some();
            view.hears_other = false;
            if changed {
                self.play_on();
            }
            return;
        };
        let rate_hz = Some(view.rate());
        let Some(take) = view.takes.get(id) else { return };
        if let Some(clip) = take.clip.clone().filter(|clip| Some(clip.sample_rate_hz) == rate_hz) {
            return self.compare_with(id, clip);
        }
        let Some(path) = take.path.clone() else { return };
        let ask = |job| UiCommand::OpenTake { job, path, rate_hz, foreign: false };
        self.send(Purpose::CompareTake { id }, ask);
    }

    fn compare_with(&mut self, id: u64, clip: Arc<Clip>) {
        let view = &mut self.state.sound;
        if clip.sample_rate_hz == view.rate() && view.shown.whole.is_some() {
            let number = view.other.as_ref().map_or(0, |other| other.number) + 1;
            view.other = Some(Other { id, number, clip });
            self.play_on();
        }
    }

    /// What is shown is another sound now: if it sounds, it goes on with that.
    fn play_on(&mut self) {
        let view = &self.state.sound;
        if view.activity == SoundActivity::Playing
            && let Some(playback) = view.playback(view.position)
        {
            self.tell_sound(SoundInput::Play(Box::new(playback)));
        }
    }

    /// A sound file is read.
    pub(super) fn take_opened(&mut self, job: Job, path: &Path, clip: Arc<Clip>, recipe: SoundRecipe) {
        match self.jobs.get(&job).cloned() {
            Some(Purpose::ShowTake { id })
                if self.state.sound.takes.get(id).is_some() && !self.state.sound.is_growing() =>
            {
                self.show_clip(id, clip, recipe);
            }
            Some(Purpose::CompareTake { id }) if self.state.sound.takes.get(id).is_some() => {
                self.compare_with(id, clip);
            }
            Some(Purpose::ImportTake) => self.import_take(path, clip, recipe),
            _ => {}
        }
    }

    /// Opens a sound file of anybody's.
    pub(super) fn open_sound_file(&mut self, path: PathBuf) {
        self.state.page = Page::Sound;
        let ask = |job| UiCommand::OpenTake { job, path, rate_hz: None, foreign: true };
        self.send(Purpose::ImportTake, ask);
    }

    /// A sound file becomes a take of its own; the file stays as it is.
    fn import_take(&mut self, from: &Path, clip: Arc<Clip>, recipe: SoundRecipe) {
        if self.state.sound.is_busy() {
            self.tell_sound(SoundInput::Stop);
        }
        let path = self.new_take_path();
        let file = path.as_ref().and_then(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned());
        let recipe = match recipe {
            SoundRecipe::Recorded(mut recorded) => {
                // The take itself is what anything made of it will begin with.
                recorded.source.file = file.unwrap_or(recorded.source.file);
                SoundRecipe::Recorded(RecordingRecipe { steps: Vec::new(), ..recorded })
            }
            made => made,
        };
        let id = self.state.sound.takes.add(path, self.state.now_ms, clip.clone(), recipe.clone());
        self.show_clip(id, clip.clone(), recipe.clone());
        self.write_take(id, clip, recipe);
        let title = from.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        self.mark_take(id, |mark| mark.title = title);
    }

    /// Does something to the take shown; what comes of it is another take, unless this one came about like that.
    fn change_take(&mut self, step: &Step) {
        let view = &self.state.sound;
        let (Some(clip), Some(id)) = (view.shown.whole.clone(), view.shown.id) else { return };
        let step = Box::new(step.clone());
        let purpose = Purpose::ChangeTake { id, step: step.clone() };
        if self.send(purpose, |job| UiCommand::ChangeTake { job, clip, step }).is_some() {
            self.state.sound.changing = true;
        }
    }

    pub(super) fn take_changed(&mut self, job: Job, clip: Arc<Clip>) {
        let Some(Purpose::ChangeTake { id, step }) = self.jobs.get(&job).cloned() else { return };
        let view = &self.state.sound;
        let shown = (view.shown.whole.clone(), view.shown.recipe.clone());
        let (Some(before), Some(recipe)) = shown else { return };
        if view.shown.id != Some(id) {
            return;
        }
        let mut steps = recipe.steps().to_vec();
        steps.push((*step).clone());
        let changed = recipe.with_steps(steps);
        self.follow_edit(&step);
        let own = self.state.sound.takes.get_mut(id).filter(|take| !take.history.is_empty());
        match own {
            Some(take) => {
                take.history.push(clip.clone(), changed.clone());
                self.become_state(id, clip, changed);
            }
            None => {
                let title = self.state.sound.takes.get(id).and_then(|take| take.mark.title.clone());
                let path = self.new_take_path();
                let new = self.add_take(path, clip.clone(), changed.clone());
                if let Some(take) = self.state.sound.takes.get_mut(new) {
                    take.history = History::new((before, recipe), (clip.clone(), changed.clone()));
                }
                self.write_take(new, clip, changed);
                if let Some(title) = title {
                    let title = text::fill(self.state.lang, Key::TakeChanged, &[&title]);
                    self.mark_take(new, |mark| mark.title = Some(title));
                }
                self.play_on();
            }
        }
    }

    /// The line stays where it was heard; what was selected is selected no more where it moved.
    fn follow_edit(&mut self, step: &Step) {
        let view = &mut self.state.sound;
        if let Step::Edit(edit) = step {
            let moved = edit.moved(view.position as u64);
            let moves = edit.moved(u64::MAX / 2) != u64::MAX / 2;
            view.position = usize::try_from(moved).unwrap_or(0);
            if moves {
                view.selection = None;
                view.show_all();
            }
        }
    }

    /// A take is something else now, on the page and on the disk.
    fn become_state(&mut self, id: u64, clip: Arc<Clip>, recipe: SoundRecipe) {
        let view = &mut self.state.sound;
        if let Some(take) = view.takes.get_mut(id) {
            (take.seconds, take.changed) = (clip.seconds(), !recipe.steps().is_empty());
            (take.clip, take.recipe) = (Some(clip.clone()), Some(recipe.clone()));
        }
        view.show(Some(id), clip.clone(), Some(recipe.clone()));
        self.write_take(id, clip, recipe);
        self.play_on();
    }

    /// Takes the last change back, or brings it back.
    pub(super) fn step_take(&mut self, forth: bool) {
        let view = &mut self.state.sound;
        let Some(id) = view.shown.id.filter(|_| !view.changing && !view.is_growing()) else { return };
        let state = view.takes.get_mut(id).and_then(|take| take.history.step(forth));
        if let Some((clip, recipe)) = state {
            if clip.samples.len() != self.state.sound.shown.samples().len() {
                self.state.sound.selection = None;
                self.state.sound.show_all();
            }
            self.become_state(id, clip, recipe);
        }
    }

    /// Changes a take's name or star, also beside the takes on the disk.
    fn mark_take(&mut self, id: u64, change: impl FnOnce(&mut TakeMark)) {
        let folder = self.library_folder();
        let Some(take) = self.state.sound.takes.get_mut(id) else { return };
        change(&mut take.mark);
        let name = take.path.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        let (Some(folder), Some(name)) = (folder, name) else { return };
        let (folder, marks) = (folder.join(FOLDER), BTreeMap::from([(name, take.mark.clone())]));
        self.send(Purpose::KeepMarks, |job| UiCommand::MarkTakes { job, folder, marks });
    }

    /// Takes a take off the list; its file goes to the bin, and can be brought back.
    fn bin_take(&mut self, id: u64) {
        let view = &mut self.state.sound;
        if view.shown.id == Some(id) && view.is_busy() {
            self.tell_sound(SoundInput::Stop);
        }
        let view = &mut self.state.sound;
        let Some(at) = view.takes.list.iter().position(|take| take.id == id) else { return };
        let mut take = view.takes.list.remove(at);
        if view.shown.id == Some(id) {
            (take.clip, take.recipe) = (view.shown.whole.clone(), view.shown.recipe.clone());
        }
        let next = view.takes.list.get(at).or(view.takes.list.last()).map(|take| take.id);
        if view.other.as_ref().is_some_and(|other| other.id == id) {
            self.compare_take(None);
        }
        if self.state.sound.shown.id == Some(id) {
            match next {
                Some(next) => self.show_take(next),
                None => self.state.sound.show_growing(16_000),
            }
        }
        if let Some(path) = take.path.clone() {
            let to = in_bin(&path);
            self.send(Purpose::MoveTake, |job| UiCommand::MoveFiles { job, moves: vec![(path.clone(), to)] });
            let offer = Offer::UnbinTake(path);
            self.state.toasts.add(Kind::Done, told(Key::TakeBinned, &[]), Some((Key::BackFromBin, offer)));
            self.binned_takes.push(take);
        }
    }

    /// Brings a take back from the bin.
    pub(super) fn restore_take(&mut self, path: &Path) {
        let Some(at) = self.binned_takes.iter().position(|take| take.path.as_deref() == Some(path)) else { return };
        let take = self.binned_takes.remove(at);
        let (shown, moves) = (take.clip.is_some().then_some(take.id), vec![(in_bin(path), path.to_owned())]);
        self.state.sound.takes.put_back(take);
        self.send(Purpose::MoveTake, |job| UiCommand::MoveFiles { job, moves });
        // Another one is shown when it is asked for: its file is on its way.
        if let Some(id) = shown {
            self.show_take(id);
        }
    }

    /// Uses the capture in this file.
    pub(super) fn open_capture(&mut self, path: PathBuf) {
        self.state.page = Page::Sound;
        self.send(Purpose::OpenCapture { quiet: false }, |job| UiCommand::OpenCapture { job, path });
    }

    pub(super) fn capture_opened(&mut self, job: Job, capture: CaptureInfo) {
        if let Some(Purpose::OpenCapture { quiet: false }) = self.jobs.get(&job) {
            self.state.toasts.add(Kind::Done, told(Key::CaptureReady, &[&capture.name]), None);
        }
        self.state.preferences.sound.amp.capture = Some(capture.path.clone());
        self.state.sound.capture = Some(capture);
    }

    /// The takes of the folder are known.
    pub(super) fn takes_read(&mut self, takes: Vec<crate::engine::TakeFile>) {
        self.state.sound.takes.read(takes);
    }
}

/// Where a thrown-away take lies.
fn in_bin(path: &Path) -> PathBuf {
    let folder = path.parent().unwrap_or(Path::new("")).join(BIN);
    folder.join(path.file_name().unwrap_or_default())
}
