//! Takes: sound that is being made, live or from a request.

use std::{collections::HashMap, time::Instant};

use crate::{
    generate::audio::{AudioModel, AudioRequest, Drawing, Note, Performance, Synth, Turn},
    nets::wavenet::Tone,
};

/// A live take ends when nothing sounded for so long.
const REST_S: u64 = 2;

/// A take that a person plays.
pub(super) struct Live {
    synth: Synth,
    pub request: AudioRequest,
    /// Keys that are held: the note's number, which is its place in the request too.
    held: HashMap<u8, u64>,
    /// Keys struck and released since the last block.
    struck: Vec<(u8, Tone)>,
    released: Vec<u8>,
    /// When something sounded last.
    sounded: u64,
    rest: u64,
}

impl Live {
    pub fn new(model: &AudioModel, drawing: Drawing) -> Self {
        let request = AudioRequest::new(Vec::new(), drawing);
        let synth = model.synth(&request);
        let rest = REST_S * u64::from(model.info().sample_rate_hz);
        Self { synth, request, held: HashMap::new(), struck: Vec::new(), released: Vec::new(), sounded: 0, rest }
    }

    pub fn strike(&mut self, key: u8, tone: Tone) {
        // The same key twice within a block is once.
        if self.struck.iter().all(|(other, _)| *other != key) {
            self.struck.push((key, tone));
        }
    }

    pub fn release(&mut self, key: u8) {
        self.released.push(key);
    }

    /// Draws samples otherwise from the next block on; the seed stays that of the take.
    pub fn turn(&mut self, drawing: Drawing) {
        let start = self.synth.time();
        let turn = Turn { start, temperature: drawing.temperature, noise: drawing.noise };
        let last = self
            .request
            .turns
            .last()
            .map_or((self.request.temperature, self.request.noise), |turn| (turn.temperature, turn.noise));
        if last == (turn.temperature, turn.noise) {
            return;
        }
        // Of several before a block only the last is heard.
        self.request.turns.retain(|turn| turn.start < start);
        self.request.turns.push(turn);
        self.synth.set_choice(self.request.choice_from(&turn));
    }

    /// Makes a block: first what was released before it falls silent, then what was struck sounds. The same notes in a
    /// [`Performance`] give the same samples.
    pub fn block(&mut self) -> [f32; 8] {
        let now = self.synth.time();
        // A key that was struck and released since the last block is released in the next one.
        let struck = std::mem::take(&mut self.struck);
        let (later, at_once): (Vec<u8>, Vec<u8>) = std::mem::take(&mut self.released)
            .into_iter()
            .partition(|key| struck.iter().any(|(other, _)| other == key));
        self.released = later;
        let again = struck.iter().map(|(key, _)| *key).filter(|key| self.held.contains_key(key));
        for key in at_once.into_iter().chain(again.collect::<Vec<_>>()) {
            let Some(number) = self.held.remove(&key) else { continue };
            self.synth.release(number);
            if let Some(note) = self.request.notes.get_mut(number as usize) {
                note.length = now - note.start;
            }
        }
        for (key, tone) in struck {
            let number = self.synth.strike(tone);
            self.held.insert(key, number);
            let instrument = tone.instrument as u16;
            let note = Note { start: now, length: u64::MAX / 4, key: tone.key, velocity: tone.velocity, instrument };
            self.request.notes.push(note);
        }
        let block = self.synth.block();
        if self.synth.sounding() > 0 {
            self.sounded = self.synth.time();
        }
        block
    }

    /// Samples made so far.
    pub fn samples(&self) -> usize {
        self.synth.time() as usize
    }

    /// Whether a note sounds.
    pub fn sounds(&self) -> bool {
        self.synth.sounding() > 0
    }

    /// Whether nothing has sounded for a while.
    pub fn has_ended(&self) -> bool {
        self.held.is_empty() && self.struck.is_empty() && self.synth.time() - self.sounded > self.rest
    }

    /// The request that makes these `samples` again.
    pub fn finished(&self, samples: usize) -> AudioRequest {
        let mut request = self.request.clone();
        for note in &mut request.notes {
            note.length = note.length.min((samples as u64).saturating_sub(note.start));
        }
        request.samples = Some(samples as u64);
        request
    }
}

/// A take that is made from a request.
pub(super) struct Making {
    performance: Performance,
    /// Seconds of work so far.
    pub work_s: f64,
    pub done: bool,
    /// Samples it will have, about.
    pub expected: u64,
}

impl Making {
    pub fn new(performance: Performance, expected: u64) -> Self {
        Self { performance, work_s: 0.0, done: false, expected }
    }

    /// Makes up to `blocks` more.
    pub fn make(&mut self, blocks: usize, samples: &mut Vec<f32>) {
        let begun = Instant::now();
        for _ in 0..blocks {
            match self.performance.block() {
                Some(block) => samples.extend_from_slice(&block),
                None => {
                    self.done = true;
                    break;
                }
            }
        }
        self.work_s += begun.elapsed().as_secs_f64();
    }
}
