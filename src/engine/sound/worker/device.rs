//! The device that sound is played on, and how much of it is to wait there.

use std::time::Instant;

use super::{LIVE_S, Mode, QUEUE_S, Result, TAKE_CUSHION_S, Worker};
use crate::{
    Error,
    audio::{Player, USUAL_FRAMES},
};

/// What waits more while somebody plays after each gap of a take, up to so many: a change is heard within a tenth of a
/// second all the same.
const LIVE_MORE_S: f32 = 0.01;
const LIVE_GAPS: u64 = 3;
/// With less than this share of it, or so many seconds, other work stands aside until there is so much.
const LIVE_LATE: (f32, f32) = (0.7, 0.95);
const TAKE_LATE_S: (f32, f32) = (0.15, 0.3);

impl Worker {
    /// Opens the device while nothing sounds. A sound server may take most of a second until it asks for the first frame.
    pub(super) fn ready(&mut self) {
        if matches!(self.mode, Mode::Idle) && self.player.is_none() {
            // Nobody has asked to hear anything yet: one that cannot be opened is told then.
            let _ = self.open_player(self.rate() as u32, USUAL_FRAMES, TAKE_CUSHION_S);
        }
    }

    /// Opens the device for sound of this rate if it is not open; without one, sound is made all the same, and the error
    /// shown.
    pub(super) fn ready_player(&mut self, rate: u32, frames: u32, cushion_s: (f32, f32)) {
        if let Err(why) = self.open_player(rate, frames, cushion_s) {
            self.show(|state| state.error = Some(why));
        }
    }

    pub(super) fn open_player(&mut self, rate: u32, frames: u32, (first_s, most_s): (f32, f32)) -> Result<()> {
        if let Some(player) = self.player.take_if(|player| player.frames() != frames || !player.is_there()) {
            self.underruns += player.controls().underruns();
        }
        let player = match &mut self.player {
            Some(player) => {
                player.set_source_rate(rate)?;
                player
            }
            none => {
                let (sound, output) = (self.parts.sound.clone(), self.output.as_deref());
                none.insert(Player::open_with(sound, output, rate, (QUEUE_S, first_s), frames)?)
            }
        };
        player.controls().set_volume(self.volume);
        player.controls().set_cushion(first_s, most_s);
        Ok(())
    }

    /// Lets go of a device that is gone, and says so. What is made goes on without it, in its own time, until there is one
    /// again.
    pub(super) fn tend_player(&mut self) {
        if self.player.as_mut().is_some_and(Player::tend) {
            self.show(|state| {
                state.error = Some(Error::new(
                    "The sound device has gone; what is being made is kept. Plug it in again, or choose another one.",
                    "音频设备已断开，正在生成的内容会保留；请重新接入或另选设备。",
                ));
            });
            self.wake();
        }
    }

    /// From now on the first sound is waited for.
    pub(super) fn ask(&mut self, when: Instant) {
        self.asked = self.player.as_ref().map(|player| (when, player.controls().played_frames()));
    }

    pub(super) fn drop_player(&mut self) {
        if let Some(player) = self.player.take() {
            self.underruns += player.controls().underruns();
        }
    }

    pub(super) fn end_player(&mut self) {
        let ended = self.player.as_mut().map(|player| player.end(&self.never).map(drop));
        self.mind(ended);
    }

    /// A player that fails is closed, and the sentence shown.
    pub(super) fn mind(&mut self, done: Option<Result<()>>) {
        if let Some(Err(why)) = done {
            self.show(|state| state.error = Some(why));
            self.drop_player();
        }
    }

    /// How much is to wait while somebody plays.
    pub(super) fn live_s(&self) -> f32 {
        let gaps = self.player.as_ref().map_or(0, |player| player.controls().underruns() + self.underruns);
        LIVE_S + LIVE_MORE_S * gaps.saturating_sub(self.gaps_before).min(LIVE_GAPS) as f32
    }

    /// Has other work stand aside while less waits than is safe.
    pub(super) fn mind_deadline(&mut self, waiting_s: f32) {
        let bounds = match &self.mode {
            Mode::Live(live) if live.sounds() => {
                let wanted_s = self.live_s();
                Some((LIVE_LATE.0 * wanted_s, LIVE_LATE.1 * wanted_s))
            }
            Mode::Making { making, heard } if !making.done && *heard > 0 => Some(TAKE_LATE_S),
            _ => None,
        };
        let is_late = bounds
            .filter(|_| self.player.as_ref().is_some_and(Player::is_there))
            .is_some_and(|(late_s, enough_s)| waiting_s < if self.deadline.is_late() { enough_s } else { late_s });
        self.deadline.set_late(is_late);
    }
}
