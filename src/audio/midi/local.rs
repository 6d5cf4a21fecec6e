//! The controllers of this computer, through midir.

use midir::{Ignore, MidiInput, MidiInputConnection};

use super::{Hear, Midi, MidiMessage, MidiStream};
use crate::{Error, Result, audio::DeviceInfo};

/// What the system calls this program.
const CLIENT: &str = "Atelier";

/// Controllers of this computer.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalMidi;

struct Listening(#[allow(dead_code, reason = "it listens until it is dropped")] MidiInputConnection<()>);

impl MidiStream for Listening {}

impl Midi for LocalMidi {
    fn ports(&self) -> Result<Vec<DeviceInfo>> {
        // A system without MIDI has no controllers, and that is all.
        let Ok(input) = MidiInput::new(CLIENT) else { return Ok(Vec::new()) };
        let info = |port: &midir::MidiInputPort| {
            let name = input.port_name(port).ok()?;
            // Programs that pass messages through are no controllers.
            let ours = name.contains(CLIENT) || name.contains("Midi Through");
            (!ours).then(|| DeviceInfo { id: port.id(), name, is_default: false })
        };
        Ok(input.ports().iter().filter_map(info).collect())
    }

    fn listen(&self, port: &str, mut hear: Hear) -> Result<Box<dyn MidiStream>> {
        let mut input = MidiInput::new(CLIENT).map_err(|why| unusable(&why))?;
        input.ignore(Ignore::All);
        let Some(found) = input.find_port_by_id(port) else {
            return Err(Error::new(
                "The MIDI device is not there any more; plug it in again, or choose another one.",
                "MIDI 设备已不存在；请重新接入或另选设备。",
            ));
        };
        let heard = move |_: u64, bytes: &[u8], (): &mut ()| {
            if let Some(message) = MidiMessage::parse(bytes) {
                hear(message);
            }
        };
        let listening = input.connect(&found, CLIENT, heard, ()).map_err(|why| unusable(&why))?;
        Ok(Box::new(Listening(listening)))
    }
}

fn unusable(why: &dyn std::fmt::Display) -> Error {
    Error::new(
        format!("The MIDI device cannot be used: {why}. Close other programs that use it, or choose another one."),
        format!("无法使用 MIDI 设备：{why}。请关闭占用它的其他程序，或另选设备。"),
    )
}
