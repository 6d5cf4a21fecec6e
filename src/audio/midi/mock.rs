//! A controller that tests play.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Hear, Midi, MidiMessage, MidiStream};
use crate::{Error, Result, audio::DeviceInfo};

/// One controller, or none.
#[derive(Clone, Default)]
pub struct MockMidi {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    is_there: bool,
    hear: Option<Hear>,
}

impl MockMidi {
    /// With a controller.
    pub fn new() -> Self {
        let mock = Self::default();
        mock.lock().is_there = true;
        mock
    }

    /// Says something; `false` when nobody listens.
    pub fn play(&self, message: &[u8]) -> bool {
        let mut state = self.lock();
        match (&mut state.hear, MidiMessage::parse(message)) {
            (Some(hear), Some(message)) => {
                hear(message);
                true
            }
            (hear, _) => hear.is_some(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Listening(MockMidi);

impl MidiStream for Listening {}

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.lock().hear = None;
    }
}

impl Midi for MockMidi {
    fn ports(&self) -> Result<Vec<DeviceInfo>> {
        let one = DeviceInfo { id: "keys".to_owned(), name: "Keys".to_owned(), is_default: true };
        Ok(if self.lock().is_there { vec![one] } else { Vec::new() })
    }

    fn listen(&self, port: &str, hear: Hear) -> Result<Box<dyn MidiStream>> {
        let mut state = self.lock();
        if !state.is_there || port != "keys" {
            return Err(Error::new("There is no such MIDI device.", "没有这个 MIDI 设备。"));
        }
        state.hear = Some(hear);
        Ok(Box::new(Listening(self.clone())))
    }
}
