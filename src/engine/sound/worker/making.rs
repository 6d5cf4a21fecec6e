//! Sound being made: notes that are struck live, and takes from requests.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::{
    super::take::{Live, Making},
    FRAME, LIVE_CUSHION_S, Mode, PIECE, Result, TAKE_CUSHION_S, TAKE_S, Worker,
};
use crate::{
    audio::{Clip, USUAL_FRAMES},
    engine::{lock, sound::SoundActivity},
    generate::audio::{AudioRequest, Drawing, Note},
    nets::wavenet::Tone,
};

/// Blocks made at a time.
const LIVE_BLOCKS: usize = 8;
const TAKE_BLOCKS: usize = 32;
/// For how long the last note is held of a take that is gone on from, in seconds.
const HOLD_S: u64 = 4;
/// A model is heard at once when it is faster than this many times real time; a slower one begins later.
const COMFORTABLE: f64 = 1.1;

impl Worker {
    pub(super) fn strike(&mut self, key: u8, tone: Tone, drawing: Drawing) -> Result<()> {
        let asked = Instant::now();
        if matches!(self.mode, Mode::Recording(_) | Mode::Amp(_)) {
            // A key that is touched must not end a recording.
            return Ok(());
        }
        let model = self.model()?;
        let instrument = tone.instrument as u16;
        let note = Note { start: 0, length: 1, key, velocity: tone.velocity, instrument };
        let request = AudioRequest::new(vec![note], drawing);
        model.check(&request)?;
        let fresh = Live::new(model, drawing);
        if !matches!(self.mode, Mode::Live(_)) {
            let live = fresh;
            self.stop();
            let rate = self.rate() as u32;
            self.ready_player(rate, USUAL_FRAMES, LIVE_CUSHION_S);
            self.ask(asked);
            self.begin(SoundActivity::Live, None, rate);
            self.mode = Mode::Live(live);
        }
        if let Mode::Live(live) = &mut self.mode {
            live.turn(drawing);
            live.strike(key, tone);
        }
        Ok(())
    }

    /// What keys sound like from now on; what is being played is drawn like that too.
    pub(super) fn voice(&mut self, instrument: u16, drawing: Drawing) {
        self.controller.voice = (instrument, drawing);
        if let Mode::Live(live) = &mut self.mode
            && AudioRequest::new(Vec::new(), drawing).check().is_ok()
        {
            live.turn(drawing);
        }
    }

    pub(super) fn make(&mut self, request: AudioRequest) -> Result<()> {
        let asked = Instant::now();
        let model = self.model()?;
        let rate = u64::from(model.info().sample_rate_hz);
        let expected = request.samples.unwrap_or(request.notes_end() + rate);
        let making = Making::new(model.perform(&request)?, expected);
        self.stop();
        self.ready_player(rate as u32, USUAL_FRAMES, TAKE_CUSHION_S);
        self.ask(asked);
        self.begin(SoundActivity::Making, Some(request), rate as u32);
        self.mode = Mode::Making { making, heard: 0 };
        Ok(())
    }

    /// What makes a take that goes on from another one before sample `to`.
    pub(super) fn going_on(
        &mut self,
        clip: &Clip,
        to: usize,
        tone: (u16, u8),
        drawing: Drawing,
    ) -> Result<AudioRequest> {
        let model = self.model()?;
        let hold = HOLD_S * u64::from(model.info().sample_rate_hz);
        let samples = &clip.samples[..to.min(clip.samples.len())];
        model.continued((samples, clip.sample_rate_hz), tone, hold, drawing)
    }

    /// Makes more of a take, or hands some of it over when little waits.
    pub(super) fn make_some(&mut self, waiting_s: f32) -> Result<()> {
        let (rate, len) = (self.rate(), self.len());
        let Mode::Making { making, heard } = &mut self.mode else { return Ok(()) };
        let (done, heard) = (making.done, *heard);
        let made_s = len as f64 / rate;
        let factor = made_s / making.work_s.max(1e-9);
        // Begins so late that what is made stays ahead of what is heard.
        let slow = factor < COMFORTABLE && made_s < making.expected as f64 / rate * (1.0 - factor / COMFORTABLE);
        let may_play = done || (made_s > 0.02 && !slow);
        if may_play && heard < len && waiting_s < TAKE_S {
            let next = self.hand_over(heard, waiting_s)?;
            if let Mode::Making { heard, .. } = &mut self.mode {
                *heard = next;
            }
        } else if !done {
            let mut piece = Vec::new();
            let before_s = making.work_s;
            making.make(TAKE_BLOCKS, &mut piece);
            let work_s = making.work_s - before_s;
            if !piece.is_empty() {
                self.paced(piece.len() as f64 / rate, work_s);
            }
            self.show(|state| {
                if let Some(samples) = state.request.as_ref().and_then(|request| request.samples) {
                    piece.truncate((samples as usize).saturating_sub(state.samples.len()));
                }
                state.samples.extend_from_slice(&piece);
                state.real_time_factor = Some(factor as f32).filter(|_| made_s > 0.0);
            });
        } else if heard == len || self.player.is_none() {
            self.end_player();
            self.mode = Mode::Ending { activity: SoundActivity::Making };
        } else {
            self.rest();
        }
        self.told(heard);
        Ok(())
    }

    /// Hands a piece of the take from `heard` on to the device; returns where the next one begins.
    pub(super) fn hand_over(&mut self, heard: usize, waiting_s: f32) -> Result<usize> {
        let Some(player) = &mut self.player else { return Ok(self.len()) };
        if waiting_s >= TAKE_S {
            return Ok(heard);
        }
        let piece: Vec<f32> = {
            let state = lock(&self.parts.state);
            state.samples[heard.min(state.samples.len())..].iter().take(PIECE).copied().collect()
        };
        player.write(&piece, &self.never)?;
        Ok(heard + piece.len())
    }

    /// Makes a little more of what is played live.
    pub(super) fn live_on(&mut self, waiting_s: f32) -> Result<()> {
        if self.player.is_some() && waiting_s >= self.live_s() {
            self.rest();
            return Ok(());
        }
        let Mode::Live(live) = &mut self.mode else { return Ok(()) };
        let begun = Instant::now();
        let mut piece = Vec::with_capacity(LIVE_BLOCKS * 8);
        (0..LIVE_BLOCKS).for_each(|_| piece.extend_from_slice(&live.block()));
        let work_s = begun.elapsed().as_secs_f64();
        let (over, sounds, made) = (live.has_ended(), live.sounds(), live.samples());
        // For the piano roll, no more often than it is drawn.
        let request = (self.woken.elapsed() >= self.parts.frames.gap(FRAME)).then(|| live.request.clone());
        let rate = self.rate();
        match &mut self.player {
            Some(player) => drop(player.write(&piece, &self.never)?),
            // Without a device it goes on in the time that it would have taken.
            None => thread::sleep(Duration::from_secs_f64(piece.len() as f64 / rate)),
        }
        // Silence says nothing.
        if sounds {
            self.paced(piece.len() as f64 / rate, work_s);
        }
        let pace = self.pace;
        self.unkept.extend_from_slice(&piece);
        self.keep_live(super::KEPT_PIECE);
        self.show_unless_busy(|state| {
            state.real_time_factor = pace;
            state.request = request.or(state.request.take());
        });
        self.told(made);
        if over {
            let finished = match &self.mode {
                Mode::Live(live) => Some(live.finished(made)),
                _ => None,
            };
            self.keep_live(0);
            self.keeper.finish();
            self.show(|state| state.request = finished);
            self.end_player();
            self.mode = Mode::Ending { activity: SoundActivity::Live };
        }
        Ok(())
    }
}
