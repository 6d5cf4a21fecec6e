//! The loop: takes inputs, makes a little sound, hands it to the device, and shows how far it is.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::atomic::AtomicBool,
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{TryRecvError, after, never, select};

use super::{
    Parts, SoundActivity, SoundInput,
    take::{Live, Making},
};
use crate::{
    Error, Result,
    audio::{Player, Reel, USUAL_FRAMES},
    crash,
    engine::lock,
    generate::audio::{AudioModel, AudioRequest},
    kernels::priority::Deadline,
    nets::wavenet::Tone,
};
use controller::Controller;
use input::{Recording, Through};

mod controller;
mod input;
mod playing;

/// What the queue to the device can hold, in seconds.
const QUEUE_S: f32 = 1.0;
/// What waits in it: little while somebody plays, a little more after each gap of a take up to so many, so that a change
/// is heard within a tenth of a second all the same; and more while a take is heard.
const LIVE_S: f32 = 0.06;
const LIVE_MORE_S: f32 = 0.01;
const LIVE_GAPS: u64 = 3;
const TAKE_S: f32 = 0.5;
/// What must wait before the first sound, and the most after starvations, which is less than what waits.
const LIVE_CUSHION_S: (f32, f32) = (0.02, 0.05);
const TAKE_CUSHION_S: (f32, f32) = (0.08, 0.4);
/// With less than this share of it, or so many seconds, other work stands aside until there is so much.
const LIVE_LATE: (f32, f32) = (0.7, 0.95);
const TAKE_LATE_S: (f32, f32) = (0.15, 0.3);
/// Blocks made at a time.
const LIVE_BLOCKS: usize = 8;
const TAKE_BLOCKS: usize = 32;
/// Samples handed over at a time.
const PIECE: usize = 512;
/// Between two looks at a queue that is full enough.
const PAUSE: Duration = Duration::from_millis(2);
/// A device that nothing was played on for so long is closed; somebody at a controller may pause for longer.
const DEVICE_REST: Duration = Duration::from_secs(20);
const CONTROLLER_REST: Duration = Duration::from_secs(600);
/// The window is woken no more often than this, and less often where sound is made slowly.
const FRAME: Duration = Duration::from_millis(33);
/// How much one piece of sound tells of how fast it is made.
const SMOOTH: f32 = 0.1;
/// A model is heard at once when it is faster than this many times real time; a slower one begins later.
const COMFORTABLE: f64 = 1.1;

/// What sounds.
enum Mode {
    Idle,
    Live(Live),
    /// `heard` samples were handed to the device.
    Making {
        making: Making,
        heard: usize,
    },
    /// Finished takes; what is left of them is handed over.
    Playing {
        reel: Reel,
        ended: bool,
    },
    Recording(Recording),
    Amp(Box<Through>),
    /// All was handed over; the queue is running empty.
    Ending {
        activity: SoundActivity,
    },
}

impl Mode {
    /// What must wait before the first sound, and the most after starvations, in seconds.
    fn cushion_s(&self) -> (f32, f32) {
        match self {
            Self::Idle | Self::Making { .. } | Self::Ending { .. } | Self::Recording(_) => TAKE_CUSHION_S,
            Self::Live(_) => LIVE_CUSHION_S,
            Self::Playing { .. } => playing::CUSHION_S,
            Self::Amp(_) => input::CUSHION_S,
        }
    }
}

pub(in crate::engine) struct Worker {
    parts: Parts,
    wanted: Option<(String, PathBuf)>,
    model: Option<AudioModel>,
    player: Option<Player>,
    output: Option<String>,
    input: Option<String>,
    volume: f32,
    controller: Controller,
    mode: Mode,
    /// When the first sound was asked for, and what the device had played then.
    asked: Option<(Instant, u64)>,
    woken: Instant,
    /// How many times real time sound has been made at of late.
    pace: Option<f32>,
    /// Late while little waits of what is being made.
    deadline: Deadline,
    /// Gaps of players that are gone, and losses of recorders.
    underruns: u64,
    overruns: u64,
    /// Gaps before the take that sounds.
    gaps_before: u64,
    never: AtomicBool,
}

impl Worker {
    pub fn new(parts: Parts) -> Self {
        Self {
            parts,
            wanted: None,
            model: None,
            player: None,
            output: None,
            input: None,
            volume: 1.0,
            controller: Controller::default(),
            mode: Mode::Idle,
            asked: None,
            woken: Instant::now(),
            pace: None,
            deadline: Deadline::default(),
            underruns: 0,
            overruns: 0,
            gaps_before: 0,
            never: AtomicBool::new(false),
        }
    }

    /// Works until the window's side has gone.
    pub fn run(mut self) {
        loop {
            let input = match self.next_input() {
                Ok(input) => Some(input),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => return,
            };
            let worked = catch_unwind(AssertUnwindSafe(|| match input {
                Some(input) => self.take(input),
                None => self.step(),
            }));
            match worked {
                Ok(Ok(())) => {}
                Ok(Err(error)) => self.fail(error),
                Err(payload) => {
                    (self.model, self.player) = (None, None);
                    self.fail(crash::caught(("making sound", "生成声音"), payload));
                }
            }
        }
    }

    /// What the window or a controller says next; waits for it while nothing sounds.
    fn next_input(&self) -> std::result::Result<SoundInput, TryRecvError> {
        let (inputs, played) = (&self.parts.inputs, &self.controller.heard);
        let gone = TryRecvError::Disconnected;
        if matches!(self.mode, Mode::Idle) {
            // Without a device there is nothing to let go.
            let rest = if self.controller.is_there() { CONTROLLER_REST } else { DEVICE_REST };
            let rest = if self.player.is_some() { after(rest) } else { never() };
            return select! {
                recv(inputs) -> input => input.map_err(|_| gone),
                recv(played) -> message => message.map(SoundInput::Played).map_err(|_| gone),
                recv(rest) -> _ => Err(TryRecvError::Empty),
            };
        }
        match played.try_recv() {
            Ok(message) => Ok(SoundInput::Played(message)),
            Err(_) => inputs.try_recv(),
        }
    }

    fn fail(&mut self, error: Error) {
        self.deadline.set_late(false);
        if let Mode::Recording(recording) = std::mem::replace(&mut self.mode, Mode::Idle) {
            self.end_recording(recording);
        }
        self.show(|state| {
            state.activity = SoundActivity::Idle;
            state.error = Some(error);
        });
        self.wake();
    }

    fn take(&mut self, input: SoundInput) -> Result<()> {
        match input {
            SoundInput::Open { name, path } => {
                self.stop();
                self.wanted = Some((name, path));
                self.model = None;
                self.model()?;
                self.wake();
            }
            SoundInput::Ready => self.ready(),
            SoundInput::Strike { key, velocity, instrument, temperature, seed } => {
                let tone = Tone { instrument: instrument.into(), key, velocity };
                self.strike(key, tone, temperature, seed)?;
            }
            SoundInput::Release { key } => {
                if let Mode::Live(live) = &mut self.mode {
                    live.release(key);
                }
            }
            SoundInput::Make(request) => self.make(*request)?,
            SoundInput::Play(playback) => self.play(*playback),
            SoundInput::Seek { to } => self.seek(to),
            SoundInput::Loop(range) => {
                if let Mode::Playing { reel, .. } = &mut self.mode {
                    reel.set_loop(range);
                }
            }
            SoundInput::Switch { second } => {
                if let Mode::Playing { reel, .. } = &mut self.mode {
                    reel.switch(second);
                }
            }
            SoundInput::Record { to } => self.record(to)?,
            SoundInput::Amp { capture, settings } => self.amp(&capture, &settings)?,
            SoundInput::AmpGains(settings) => {
                if let Mode::Amp(through) = &mut self.mode {
                    through.set(&settings)?;
                }
            }
            SoundInput::Stop => self.stop(),
            SoundInput::Volume(volume) => {
                self.volume = volume;
                if let Some(player) = &self.player {
                    player.controls().set_volume(volume);
                }
            }
            SoundInput::Output(output) => {
                self.output = output;
                let player = self.player.as_ref().map(|player| (player.source_rate_hz(), player.frames()));
                self.drop_player();
                if let Some((rate, frames)) = player.filter(|_| !matches!(self.mode, Mode::Idle | Mode::Recording(_))) {
                    self.ready_player(rate, frames, self.mode.cushion_s());
                }
            }
            SoundInput::Input(input) => self.input = input,
            SoundInput::Voice { instrument, temperature, seed } => {
                self.controller.voice = (instrument, temperature, seed);
            }
            SoundInput::Midi(port) => self.listen_to(port)?,
            SoundInput::Played(message) => self.played(message)?,
            SoundInput::ListMidi => {
                let controllers = self.parts.midi.ports().unwrap_or_default();
                self.show(|state| state.controllers = Some(controllers));
                self.wake();
            }
            SoundInput::ListInputs => {
                let inputs = self.parts.sound.inputs();
                self.show(|state| match inputs {
                    Ok(inputs) => state.inputs = inputs,
                    Err(why) => state.error = Some(why),
                });
                self.wake();
            }
            SoundInput::ListOutputs => {
                // What sounds goes on, whatever comes of it.
                let outputs = self.parts.sound.outputs();
                self.show(|state| match outputs {
                    Ok(outputs) => state.outputs = outputs,
                    Err(why) => state.error = Some(why),
                });
                self.wake();
            }
        }
        Ok(())
    }

    /// The model, opened if it is not yet.
    fn model(&mut self) -> Result<&AudioModel> {
        if self.model.is_none() {
            let Some((name, path)) = &self.wanted else {
                return Err(Error::new(
                    "No model that makes sound is open; choose one at the top right.",
                    "尚未打开声音模型，请在右上角选择。",
                ));
            };
            let model = (self.parts.open)(name, path)?;
            let (info, sha256) = (model.info().clone(), model.sha256()?.to_owned());
            self.show(|state| (state.model, state.model_sha256) = (Some(info), sha256));
            self.model = Some(model);
        }
        self.model.as_ref().ok_or_else(|| Error::new("The model could not be opened.", "无法打开模型。"))
    }

    /// Opens the device while nothing sounds. A sound server may take most of a second until it asks for the first frame.
    fn ready(&mut self) {
        if matches!(self.mode, Mode::Idle) && self.player.is_none() {
            // Nobody has asked to hear anything yet: one that cannot be opened is told then.
            let _ = self.open_player(self.rate() as u32, USUAL_FRAMES, TAKE_CUSHION_S);
        }
    }

    /// Opens the device for sound of this rate if it is not open; without one, sound is made all the same, and the error
    /// shown.
    fn ready_player(&mut self, rate: u32, frames: u32, cushion_s: (f32, f32)) {
        if let Err(why) = self.open_player(rate, frames, cushion_s) {
            self.show(|state| state.error = Some(why));
        }
    }

    fn open_player(&mut self, rate: u32, frames: u32, (first_s, most_s): (f32, f32)) -> Result<()> {
        if let Some(player) = self.player.take_if(|player| player.frames() != frames) {
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

    /// From now on the first sound is waited for.
    fn ask(&mut self, when: Instant) {
        self.asked = self.player.as_ref().map(|player| (when, player.controls().played_frames()));
    }

    fn drop_player(&mut self) {
        if let Some(player) = self.player.take() {
            self.underruns += player.controls().underruns();
        }
    }

    fn strike(&mut self, key: u8, tone: Tone, temperature: f32, seed: u64) -> Result<()> {
        let asked = Instant::now();
        if matches!(self.mode, Mode::Recording(_) | Mode::Amp(_)) {
            // A key that is touched must not end a recording.
            return Ok(());
        }
        let model = self.model()?;
        let request = AudioRequest {
            notes: vec![crate::generate::audio::Note {
                start: 0,
                length: 1,
                key,
                velocity: tone.velocity,
                instrument: tone.instrument as u16,
            }],
            samples: None,
            temperature,
            top_k: 0,
            top_p: 1.0,
            seed,
        };
        model.check(&request)?;
        let fresh = Live::new(model, temperature, seed);
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
            live.strike(key, tone);
        }
        Ok(())
    }

    fn make(&mut self, request: AudioRequest) -> Result<()> {
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

    /// A new take.
    fn begin(&mut self, activity: SoundActivity, request: Option<AudioRequest>, sample_rate_hz: u32) {
        self.gaps_before = self.underruns + self.player.as_ref().map_or(0, |player| player.controls().underruns());
        self.show(|state| {
            state.activity = activity;
            state.take += 1;
            state.request = request;
            state.samples = Vec::new();
            state.sample_rate_hz = sample_rate_hz;
            state.recorded = None;
            state.position = 0;
            (state.first_sound_ms, state.real_time_factor) = (None, None);
        });
        self.wake();
    }

    /// Ends what sounds; what was made of it stays.
    fn stop(&mut self) {
        match std::mem::replace(&mut self.mode, Mode::Idle) {
            Mode::Idle => return,
            Mode::Live(live) => {
                self.show(|state| state.request = Some(live.finished(state.samples.len())));
            }
            Mode::Making { making, .. } if !making.done => {
                self.show(|state| {
                    let made = state.samples.len() as u64;
                    if let Some(request) = &mut state.request {
                        request.samples = Some(made);
                    }
                });
            }
            Mode::Recording(recording) => {
                self.end_recording(recording);
                return self.idle();
            }
            Mode::Amp(through) => {
                self.overruns += through.overruns();
                self.show(|state| state.latency_ms = None);
            }
            _ => {}
        }
        let cleared = self.player.as_mut().map(Player::discard);
        self.mind(cleared);
        self.idle();
    }

    /// A piece of sound of `made_s` seconds took `work_s` to make.
    fn paced(&mut self, made_s: f64, work_s: f64) {
        let pace = (made_s / work_s.max(1e-9)) as f32;
        let before = self.pace.unwrap_or(pace);
        self.pace = Some(before + SMOOTH * (pace - before));
        self.parts.frames.set_pace(self.pace);
    }

    /// No more sound is made.
    fn unpaced(&mut self) {
        self.pace = None;
        self.parts.frames.set_pace(None);
    }

    fn idle(&mut self) {
        self.deadline.set_late(false);
        self.unpaced();
        self.show(|state| {
            (state.activity, state.input_peak) = (SoundActivity::Idle, 0.0);
        });
        self.wake();
    }

    fn end_player(&mut self) {
        let ended = self.player.as_mut().map(|player| player.end(&self.never).map(drop));
        self.mind(ended);
    }

    /// A player that fails is closed, and the sentence shown.
    fn mind(&mut self, done: Option<Result<()>>) {
        if let Some(Err(why)) = done {
            self.show(|state| state.error = Some(why));
            self.drop_player();
        }
    }

    /// A little of the work.
    fn step(&mut self) -> Result<()> {
        let waiting_s = self.player.as_ref().map_or(f32::MAX, Player::waiting_s);
        self.mind_deadline(waiting_s);
        let live_s = self.live_s();
        match &mut self.mode {
            // An open device asks for silence a hundred times a second.
            Mode::Idle => self.drop_player(),
            Mode::Live(live) if self.player.is_none() || waiting_s < live_s => {
                let begun = Instant::now();
                let mut piece = Vec::with_capacity(LIVE_BLOCKS * 8);
                (0..LIVE_BLOCKS).for_each(|_| piece.extend_from_slice(&live.block()));
                let work_s = begun.elapsed().as_secs_f64();
                let (over, sounds) = (live.has_ended(), live.sounds());
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
                let len = self.show(|state| {
                    state.samples.extend_from_slice(&piece);
                    state.real_time_factor = pace;
                    state.request = request.or(state.request.take());
                    state.samples.len()
                });
                self.told(len);
                if over {
                    let finished = match &self.mode {
                        Mode::Live(live) => Some(live.finished(len)),
                        _ => None,
                    };
                    self.show(|state| state.request = finished);
                    self.end_player();
                    self.mode = Mode::Ending { activity: SoundActivity::Live };
                }
            }
            Mode::Making { .. } => self.make_some(waiting_s)?,
            Mode::Playing { .. } => self.play_on(waiting_s)?,
            Mode::Recording(_) => self.record_on()?,
            Mode::Amp(_) => self.amp_on()?,
            Mode::Ending { activity } => {
                let (activity, len) = (*activity, self.len());
                if self.player.is_none() || waiting_s <= 0.0 {
                    self.mode = Mode::Idle;
                    self.unpaced();
                    self.show(|state| (state.activity, state.position) = (SoundActivity::Idle, len));
                    self.wake();
                } else {
                    self.show(|state| state.activity = activity);
                    self.told(len);
                    self.rest();
                }
            }
            Mode::Live(_) => self.rest(),
        }
        Ok(())
    }

    /// Makes more of a take, or hands some of it over when little waits.
    fn make_some(&mut self, waiting_s: f32) -> Result<()> {
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
                state.samples.extend_from_slice(&piece);
                if let Some(samples) = state.request.as_ref().and_then(|request| request.samples) {
                    state.samples.truncate(samples as usize);
                }
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
    fn hand_over(&mut self, heard: usize, waiting_s: f32) -> Result<usize> {
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

    /// How much is to wait while somebody plays.
    fn live_s(&self) -> f32 {
        let gaps = self.player.as_ref().map_or(0, |player| player.controls().underruns() + self.underruns);
        LIVE_S + LIVE_MORE_S * gaps.saturating_sub(self.gaps_before).min(LIVE_GAPS) as f32
    }

    /// Has other work stand aside while less waits than is safe.
    fn mind_deadline(&mut self, waiting_s: f32) {
        let bounds = match &self.mode {
            Mode::Live(live) if live.sounds() => {
                let wanted_s = self.live_s();
                Some((LIVE_LATE.0 * wanted_s, LIVE_LATE.1 * wanted_s))
            }
            Mode::Making { making, heard } if !making.done && *heard > 0 => Some(TAKE_LATE_S),
            _ => None,
        };
        let is_late = bounds
            .filter(|_| self.player.is_some())
            .is_some_and(|(late_s, enough_s)| waiting_s < if self.deadline.is_late() { enough_s } else { late_s });
        self.deadline.set_late(is_late);
    }

    fn rest(&self) {
        // An input that comes meanwhile is taken right after.
        thread::sleep(PAUSE);
    }

    fn len(&self) -> usize {
        lock(&self.parts.state).samples.len()
    }

    fn rate(&self) -> f64 {
        self.model.as_ref().map_or(16_000.0, |model| f64::from(model.info().sample_rate_hz))
    }

    /// Shows how far it is, `handed` samples having been given to the device.
    fn told(&mut self, handed: usize) {
        let waiting_s = self.player.as_ref().map_or(0.0, Player::waiting_s);
        let waiting = (f64::from(waiting_s) * self.rate()) as usize;
        self.heard(handed.saturating_sub(waiting));
    }

    /// Shows that this sample is heard.
    fn heard(&mut self, position: usize) {
        let (mut played, mut underruns) = (0, self.underruns);
        if let Some(player) = &self.player {
            played = player.controls().played_frames();
            underruns += player.controls().underruns();
        }
        let first = self.asked.filter(|(_, before)| played > *before).map(|(asked, _)| asked.elapsed());
        if first.is_some() {
            self.asked = None;
        }
        self.show(|state| {
            state.position = position;
            state.underruns = underruns;
            if let Some(first) = first {
                state.first_sound_ms = Some(first.as_secs_f32() * 1e3);
            }
        });
        if self.woken.elapsed() >= self.parts.frames.gap(FRAME) {
            self.wake();
        }
    }

    fn show<R>(&self, change: impl FnOnce(&mut super::SoundState) -> R) -> R {
        change(&mut lock(&self.parts.state))
    }

    fn wake(&mut self) {
        self.woken = Instant::now();
        // A window that fails must not take the engine with it.
        let _ = catch_unwind(AssertUnwindSafe(|| (self.parts.waker)()));
    }
}
