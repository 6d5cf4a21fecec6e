//! A MIDI controller that plays the network.

use std::collections::BTreeSet;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{Mode, Result, Worker};
use crate::{
    audio::{MidiMessage, MidiStream, Pedal},
    generate::audio::Drawing,
    nets::wavenet::Tone,
};

/// Messages that may wait; more are forgotten, as nobody plays so fast.
const MESSAGES: usize = 512;

pub(super) struct Controller {
    /// What it says comes here, from a thread of the system's.
    pub heard: Receiver<MidiMessage>,
    said: Sender<MidiMessage>,
    stream: Option<Box<dyn MidiStream>>,
    pedal: Pedal,
    /// The keys it holds.
    held: BTreeSet<u8>,
    /// The instrument that it plays, and how samples are drawn.
    pub voice: (u16, Drawing),
}

impl Default for Controller {
    fn default() -> Self {
        let (said, heard) = bounded(MESSAGES);
        let (pedal, held) = (Pedal::default(), BTreeSet::new());
        Self { heard, said, stream: None, pedal, held, voice: (0, Drawing::default()) }
    }
}

impl Controller {
    /// Whether one is listened to.
    pub fn is_there(&self) -> bool {
        self.stream.is_some()
    }
}

impl Worker {
    pub(super) fn listen_to(&mut self, port: Option<String>) -> Result<()> {
        self.played(MidiMessage::Silence)?;
        self.controller.stream = None;
        if let Some(port) = port {
            let said = self.controller.said.clone();
            let hear = Box::new(move |message| {
                // Never waits: this runs on a thread of the system's.
                let _ = said.try_send(message);
            });
            self.controller.stream = Some(self.parts.midi.listen(&port, hear)?);
        }
        Ok(())
    }

    pub(super) fn played(&mut self, message: MidiMessage) -> Result<()> {
        let released = self.controller.pedal.released(message);
        for key in &released {
            self.controller.held.remove(key);
            if let Mode::Live(live) = &mut self.mode {
                live.release(*key);
            }
        }
        if let MidiMessage::Strike { key, velocity } = message {
            let (instrument, drawing) = self.controller.voice;
            let info = self.model()?.info();
            let has_key = (info.lowest_key..info.lowest_key + info.keys).contains(&key);
            // A keyboard may have more keys than the network; those are silent.
            if has_key {
                self.controller.held.insert(key);
                self.strike(key, Tone { instrument: instrument.into(), key, velocity }, drawing)?;
            }
        }
        let played: Vec<u8> = self.controller.held.iter().copied().collect();
        self.show(|state| state.played = played);
        self.wake();
        Ok(())
    }
}
