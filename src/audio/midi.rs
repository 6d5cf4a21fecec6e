//! Keyboards and other controllers that speak MIDI: what they say, behind a trait, so that it is tested without one.

mod local;
mod mock;

use std::collections::BTreeSet;

pub use local::LocalMidi;
pub use mock::MockMidi;

use super::DeviceInfo;
use crate::Result;

/// What a controller says, as far as it is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MidiMessage {
    /// A key is struck, 1..=127 hard.
    Strike { key: u8, velocity: u8 },
    /// A key is released.
    Release { key: u8 },
    /// The sustain pedal is down, or up.
    Sustain(bool),
    /// Everything is to be silent.
    Silence,
}

impl MidiMessage {
    /// A message of MIDI 1.0, on whichever channel; `None` for any other, and for nonsense.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let [status, first, second] = *bytes else { return None };
        if first > 127 || second > 127 {
            return None;
        }
        match (status & 0xF0, first) {
            (0x90, key) if second > 0 => Some(Self::Strike { key, velocity: second }),
            (0x80 | 0x90, key) => Some(Self::Release { key }),
            (0xB0, 64) => Some(Self::Sustain(second >= 64)),
            (0xB0, 120 | 123) => Some(Self::Silence),
            _ => None,
        }
    }
}

/// Hears what comes from a controller; runs on a thread of the system's, and must not wait.
pub type Hear = Box<dyn FnMut(MidiMessage) + Send>;

/// A controller that is heard, until it is dropped.
pub trait MidiStream {}

/// The controllers of a computer, or one that tests play.
pub trait Midi: Send + Sync {
    /// The controllers there are; none at all is no error.
    ///
    /// # Errors
    /// When the system does not say.
    fn ports(&self) -> Result<Vec<DeviceInfo>>;

    /// Listens to the controller with this id.
    ///
    /// # Errors
    /// When it is not there, or another program has it.
    fn listen(&self, port: &str, hear: Hear) -> Result<Box<dyn MidiStream>>;
}

/// The sustain pedal: keys that are released while it is down sound on until it is up.
#[derive(Debug, Default)]
pub struct Pedal {
    down: bool,
    held: BTreeSet<u8>,
    sustained: BTreeSet<u8>,
}

impl Pedal {
    /// The keys that a message releases.
    pub fn released(&mut self, message: MidiMessage) -> Vec<u8> {
        match message {
            MidiMessage::Strike { key, .. } => {
                self.held.insert(key);
                self.sustained.remove(&key);
                Vec::new()
            }
            MidiMessage::Release { key } => {
                self.held.remove(&key);
                if self.down {
                    self.sustained.insert(key);
                    return Vec::new();
                }
                vec![key]
            }
            MidiMessage::Sustain(down) => {
                self.down = down;
                if down { Vec::new() } else { std::mem::take(&mut self.sustained).into_iter().collect() }
            }
            MidiMessage::Silence => {
                let mut all = std::mem::take(&mut self.sustained);
                all.append(&mut self.held);
                all.into_iter().collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_understood_and_nonsense_is_not() {
        let parse = |bytes: &[u8]| MidiMessage::parse(bytes);
        assert_eq!(parse(&[0x93, 60, 100]), Some(MidiMessage::Strike { key: 60, velocity: 100 }));
        assert_eq!(parse(&[0x90, 60, 0]), Some(MidiMessage::Release { key: 60 }));
        assert_eq!(parse(&[0x8F, 61, 64]), Some(MidiMessage::Release { key: 61 }));
        assert_eq!(parse(&[0xB0, 64, 127]), Some(MidiMessage::Sustain(true)));
        assert_eq!(parse(&[0xB0, 64, 10]), Some(MidiMessage::Sustain(false)));
        assert_eq!(parse(&[0xB2, 123, 0]), Some(MidiMessage::Silence));
        for other in [&[0xF8_u8][..], &[0xE0, 1, 2], &[0x90, 60], &[0x90, 200, 5], &[], &[0xB0, 1, 2]] {
            assert_eq!(parse(other), None, "{other:?}");
        }
    }

    #[test]
    fn the_pedal_holds_keys_until_it_is_up() {
        let mut pedal = Pedal::default();
        let strike = |key| MidiMessage::Strike { key, velocity: 90 };
        let release = |key| MidiMessage::Release { key };
        assert!(pedal.released(strike(60)).is_empty());
        assert_eq!(pedal.released(release(60)), [60]);
        pedal.released(MidiMessage::Sustain(true));
        for key in [60, 64, 67] {
            pedal.released(strike(key));
            assert!(pedal.released(release(key)).is_empty());
        }
        // Struck again and still held: the pedal does not release it.
        pedal.released(strike(64));
        assert_eq!(pedal.released(MidiMessage::Sustain(false)), [60, 67]);
        assert_eq!(pedal.released(MidiMessage::Silence), [64]);
    }
}
