//! Finished takes being played.

use std::time::Instant;

use super::{Mode, PIECE, Result, Worker};
use crate::{
    audio::{Player, Reel, USUAL_FRAMES},
    engine::sound::{Playback, SoundActivity},
};

/// What waits in the queue, in seconds: as little as keeps it full, so that a switch is heard at once.
const PLAY_S: f32 = 0.12;
/// What must wait before the first sound, and the most after starvations.
pub(super) const CUSHION_S: (f32, f32) = (0.03, 0.1);

impl Worker {
    pub(super) fn play(&mut self, playback: Playback) {
        let asked = Instant::now();
        let Playback { first, second, hears_second, from, range } = playback;
        let mut before = match std::mem::replace(&mut self.mode, Mode::Idle) {
            Mode::Playing { reel, .. } if reel.sample_rate_hz() == first.sample_rate_hz => Some(reel),
            other => {
                self.mode = other;
                self.stop();
                None
            }
        };
        if let Some(mut reel) = before.take_if(|reel| reel.compare(&first, second.as_ref(), hears_second)) {
            reel.set_loop(range);
            self.mode = Mode::Playing { reel, ended: false };
            return;
        }
        self.ready_player(first.sample_rate_hz, USUAL_FRAMES, CUSHION_S);
        self.ask(asked);
        if self.player.is_none() {
            // Without a device there is nothing to hear; the sentence is shown.
            self.mode = Mode::Idle;
            return self.idle();
        }
        let longest = first.samples.len().max(second.as_ref().map_or(0, |second| second.samples.len()));
        let from = if from < longest { from } else { 0 };
        let mut reel = Reel::new(first, second, from, hears_second);
        reel.set_loop(range);
        if let Some(before) = &mut before {
            let waiting_s = self.player.as_ref().map_or(0.0, Player::waiting_s);
            reel.follow(before, (f64::from(waiting_s) * f64::from(reel.sample_rate_hz())) as u64);
        }
        self.show(|state| (state.activity, state.position) = (SoundActivity::Playing, from));
        self.mode = Mode::Playing { reel, ended: false };
        self.wake();
    }

    pub(super) fn seek(&mut self, to: usize) {
        if let Mode::Playing { reel, ended } = &mut self.mode {
            reel.jump(to);
            *ended = false;
        }
    }

    pub(super) fn play_on(&mut self, waiting_s: f32) -> Result<()> {
        let Mode::Playing { reel, ended } = &mut self.mode else { return Ok(()) };
        let rate = f64::from(reel.sample_rate_hz());
        if reel.has_ended() && *ended {
            if waiting_s > 0.0 && self.player.is_some() {
                self.rest();
            } else {
                let end = reel.heard(0);
                self.mode = Mode::Idle;
                self.show(|state| state.position = end);
                self.idle();
                return Ok(());
            }
        } else if reel.has_ended() {
            *ended = true;
            self.end_player();
        } else if waiting_s < PLAY_S {
            let mut piece = Vec::with_capacity(PIECE);
            reel.give(PIECE, &mut piece);
            if let Some(player) = &mut self.player {
                player.write(&piece, &self.never)?;
            }
        } else {
            self.rest();
        }
        let waiting_s = self.player.as_ref().map_or(0.0, Player::waiting_s);
        if let Mode::Playing { reel, .. } = &mut self.mode {
            let position = reel.heard((f64::from(waiting_s) * rate) as u64);
            self.heard(position);
        }
        Ok(())
    }
}
