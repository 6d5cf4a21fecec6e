//! What the Sound page shows, and what is typed and held on it.

use std::{collections::BTreeSet, ops::Range, path::PathBuf, sync::Arc};

use super::{picture::Picture, sight::Sight, spectrum::Spectrum, takes::Takes};
use crate::{
    audio::{Clip, DeviceInfo, Tape},
    engine::{CaptureInfo, Playback, SoundActivity},
    generate::audio::{AudioModelInfo, AudioRequest, Note, Step},
    recipe::SoundRecipe,
};

/// The tune that the page opens with: the first bars of Bach's Minuet in G, by Petzold.
pub(super) const OPENING: &str = "D5:0.5 G4:0.25 A4:0.25 B4:0.25 C5:0.25 D5:0.5 G4:0.5 G4:0.5";

/// Takes of the same notes that are made one after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Variations {
    /// What is being made.
    pub request: AudioRequest,
    /// Which of them that is, from 1, and how many there will be.
    pub number: u8,
    pub count: u8,
}

/// What the page shows, and what is typed and held on it.
pub struct SoundView {
    /// The model in use, once it is open.
    pub model: Option<AudioModelInfo>,
    /// SHA-256 of its file.
    pub model_sha256: String,
    /// What sounds.
    pub activity: SoundActivity,
    /// The number of the take that was made or recorded last.
    pub take: u64,
    /// What that take is made from.
    pub request: Option<AudioRequest>,
    /// Takes that are being made one after the other.
    pub variations: Option<Variations>,
    /// Whether the spectrum is shown instead of the spectrogram.
    pub shows_spectrum: bool,
    pub(super) spectrum: Spectrum,
    /// The take shown.
    pub shown: Shown,
    /// Another one to compare it with.
    pub other: Option<Other>,
    /// Whether the other one is heard and shown.
    pub hears_other: bool,
    /// The sample that is heard, or where playing begins.
    pub position: usize,
    /// What is selected of the take.
    pub selection: Option<Range<usize>>,
    /// Whether playing goes round in the selection, or in all of it.
    pub loops: bool,
    /// Gaps heard so far.
    pub underruns: u64,
    /// How often sound from the input was lost.
    pub overruns: u64,
    /// From a key or click to the first sound, in milliseconds.
    pub first_sound_ms: Option<f32>,
    /// From the input through the amplifier to the output, in milliseconds.
    pub latency_ms: Option<f32>,
    /// How loud the input is.
    pub input_peak: f32,
    /// Seconds of sound made per second of work.
    pub real_time_factor: Option<f32>,
    /// The devices there are.
    pub outputs: Vec<DeviceInfo>,
    /// The inputs there are.
    pub inputs: Vec<DeviceInfo>,
    /// The MIDI controllers there are, once they were looked for.
    pub controllers: Option<Vec<DeviceInfo>>,
    /// The keys that a controller holds.
    pub played: Vec<u8>,
    /// The takes that are kept.
    pub takes: Takes,
    /// The capture that takes can be run through.
    pub capture: Option<CaptureInfo>,
    /// Something is being done to a take.
    pub changing: bool,
    /// The gain that the menu of edits offers, in dB.
    pub gain_db: f64,
    /// The line of words that notes are written for.
    pub words: String,
    /// Pieces that were written in this window.
    pub(super) written: u64,
    /// The notes as they were written last, and what a person had typed in their place.
    pub(super) composed: String,
    pub(super) typed: Option<String>,
    /// The notes as they are typed.
    pub notes: String,
    /// Keys that are held: by the pointer, on the computer's keyboard.
    pub(super) pointer_key: Option<u8>,
    pub(super) typed_keys: BTreeSet<u8>,
    pub(super) sight: Sight,
    /// Of the take shown, and of the other one.
    pub(super) pictures: [Picture; 2],
    /// Where the waveform was drawn.
    pub(super) wave_at: egui::Rect,
    /// Whether the line was in sight in the last frame.
    pub(super) line_in_sight: bool,
    /// Where a selection that is being dragged began.
    pub(super) dragged_from: Option<usize>,
}

impl Default for SoundView {
    fn default() -> Self {
        Self {
            model: None,
            model_sha256: String::new(),
            activity: SoundActivity::Idle,
            take: 0,
            request: None,
            variations: None,
            shows_spectrum: false,
            spectrum: Spectrum::default(),
            shown: Shown::default(),
            other: None,
            hears_other: false,
            position: 0,
            selection: None,
            loops: false,
            underruns: 0,
            overruns: 0,
            first_sound_ms: None,
            latency_ms: None,
            input_peak: 0.0,
            real_time_factor: None,
            outputs: Vec::new(),
            inputs: Vec::new(),
            controllers: None,
            played: Vec::new(),
            takes: Takes::default(),
            capture: None,
            changing: false,
            gain_db: -3.0,
            words: String::new(),
            written: 0,
            composed: OPENING.to_owned(),
            typed: None,
            notes: OPENING.to_owned(),
            pointer_key: None,
            typed_keys: BTreeSet::new(),
            sight: Sight::default(),
            pictures: Default::default(),
            wave_at: egui::Rect::ZERO,
            line_in_sight: true,
            dragged_from: None,
        }
    }
}

/// The take shown.
#[derive(Debug, Default)]
pub struct Shown {
    /// Another number is another sound.
    pub number: u64,
    /// Which of the kept takes it is; `None` while it grows.
    pub id: Option<u64>,
    /// Its samples, of one that grows.
    pub growing: Tape,
    /// Of one that is whole.
    pub whole: Option<Arc<Clip>>,
    /// Samples a second.
    pub sample_rate_hz: u32,
    /// What makes it again, once it is whole.
    pub recipe: Option<SoundRecipe>,
    /// Its notes, where they are known.
    pub notes: Vec<Note>,
}

impl Shown {
    /// Its samples so far.
    pub fn samples(&self) -> &[f32] {
        self.whole.as_ref().map_or(&self.growing, |clip| &clip.samples)
    }
}

/// A take to compare the one shown with, at the same rate.
#[derive(Debug)]
pub struct Other {
    /// Which of the kept takes it is.
    pub id: u64,
    /// Another number is another sound.
    pub number: u64,
    /// Its sound.
    pub clip: Arc<Clip>,
}

impl SoundView {
    /// Puts what a person typed where notes were composed in its place; if those were changed since, they can be brought
    /// back in turn.
    pub(super) fn bring_notes_back(&mut self) {
        if let Some(typed) = self.typed.take() {
            let composed = std::mem::replace(&mut self.notes, typed);
            self.typed = self.is_typed(&composed).then_some(composed);
        }
    }

    /// Whether notes are a person's own.
    pub(super) fn is_typed(&self, notes: &str) -> bool {
        notes != self.composed && !notes.trim().is_empty()
    }

    /// Samples a second, of what the model makes.
    pub fn model_rate(&self) -> u32 {
        self.model.as_ref().map_or(16_000, |model| model.sample_rate_hz)
    }

    /// Samples a second, of the take shown.
    pub fn rate(&self) -> u32 {
        self.shown.sample_rate_hz.max(1)
    }

    /// Whether anything sounds, is made or recorded.
    pub fn is_busy(&self) -> bool {
        self.activity != SoundActivity::Idle
    }

    /// Whether a take is growing.
    pub fn is_growing(&self) -> bool {
        matches!(self.activity, SoundActivity::Live | SoundActivity::Making | SoundActivity::Recording)
    }

    /// The samples that are shown: of the take, or of the one it is compared with.
    pub fn samples(&self) -> &[f32] {
        match &self.other {
            Some(other) if self.hears_other => &other.clip.samples,
            _ => self.shown.samples(),
        }
    }

    /// How long the longer one of what can be heard is, in samples.
    pub fn len(&self) -> usize {
        self.shown.samples().len().max(self.other.as_ref().map_or(0, |other| other.clip.samples.len()))
    }

    /// Whether there is nothing to hear or see.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shows another sound as a whole.
    pub fn show(&mut self, id: Option<u64>, clip: Arc<Clip>, recipe: Option<SoundRecipe>) {
        let notes = recipe.as_ref().map(notes_of).unwrap_or_default();
        self.shown = Shown {
            number: self.shown.number + 1,
            id,
            growing: Tape::default(),
            sample_rate_hz: clip.sample_rate_hz,
            whole: Some(clip),
            recipe,
            notes,
        };
        let len = self.len();
        self.position = self.position.min(len);
        self.selection = self.selection.take().filter(|selection| selection.end <= self.shown.samples().len());
    }

    /// Shows a take that is growing from nothing.
    pub fn show_growing(&mut self, sample_rate_hz: u32) {
        let number = self.shown.number + 1;
        self.shown = Shown { number, sample_rate_hz, ..Shown::default() };
        (self.other, self.hears_other) = (None, false);
        (self.position, self.selection) = (0, None);
        self.sight.show_all();
    }

    /// Brings all of what is shown into sight.
    pub fn show_all(&mut self) {
        self.sight.show_all();
    }

    /// Comes so many times as close to the line.
    pub(super) fn zoom(&mut self, factor: f64) {
        let (len, at) = (self.len(), self.wave_at);
        let x = self.sight.scale(len, at).x(self.position as f64).clamp(at.left(), at.right());
        self.sight.zoom(factor, x, len, at);
    }

    /// Brings what is selected into sight from edge to edge.
    pub(super) fn show_selection(&mut self) {
        if let Some(selection) = &self.selection {
            self.sight.fit(selection, self.len(), self.wave_at);
        }
    }

    /// What is to be played, from a sample on.
    pub fn playback(&self, from: usize) -> Option<Playback> {
        let first = self.shown.whole.clone()?;
        let second = self.other.as_ref().map(|other| other.clip.clone());
        Some(Playback { first, second, hears_second: self.hears_other, from, range: self.loop_range() })
    }

    /// Where playing goes round.
    pub fn loop_range(&self) -> Option<Range<usize>> {
        self.loops.then(|| self.selection.clone().unwrap_or(0..self.len()))
    }
}

/// The notes of a take, where they are after what was done to it.
fn notes_of(recipe: &SoundRecipe) -> Vec<Note> {
    let SoundRecipe::Made(made) = recipe else { return Vec::new() };
    made.steps.iter().fold(made.request.notes.clone(), |notes, step| match step {
        Step::Edit(edit) => edit.notes(&notes),
        Step::Amp(_) => notes,
    })
}

/// Where a recording of this time is kept.
pub fn take_path(folder: &std::path::Path, now_ms: u64) -> PathBuf {
    folder.join("sounds").join(format!("take-{now_ms}.wav"))
}
