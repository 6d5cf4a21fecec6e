//! The loop: takes inputs, makes a little sound, hands it to the device, and shows how far it is.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{TryLockError, atomic::AtomicBool},
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
    audio::{Player, Reel, Tape},
    crash,
    engine::lock,
    generate::audio::{AudioModel, AudioRequest},
    kernels::priority::Deadline,
    nets::wavenet::Tone,
};
use controller::Controller;
use input::{Recording, Through};
use keeper::Keeper;

mod controller;
mod device;
mod input;
mod keeper;
mod making;
mod playing;

/// What the queue to the device can hold, in seconds.
const QUEUE_S: f32 = 1.0;
/// What waits in it: little while somebody plays, more while a take is heard.
const LIVE_S: f32 = 0.06;
const TAKE_S: f32 = 0.5;
/// What must wait before the first sound, and the most after starvations, which is less than what waits.
const LIVE_CUSHION_S: (f32, f32) = (0.02, 0.05);
const TAKE_CUSHION_S: (f32, f32) = (0.08, 0.4);
/// Samples handed over at a time.
const PIECE: usize = 512;
/// Samples played live that are kept at a time.
const KEPT_PIECE: usize = 512;
/// Between two looks at a queue that is full enough.
const PAUSE: Duration = Duration::from_millis(2);
/// A device that nothing was played on for so long is closed; somebody at a controller may pause for longer.
const DEVICE_REST: Duration = Duration::from_secs(20);
const CONTROLLER_REST: Duration = Duration::from_secs(600);
/// The window is woken no more often than this, and less often where sound is made slowly.
const FRAME: Duration = Duration::from_millis(33);
/// How much one piece of sound tells of how fast it is made.
const SMOOTH: f32 = 0.1;

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
    /// Samples played live that the keeper does not have yet.
    unkept: Vec<f32>,
    keeper: Keeper,
    /// What is being recorded.
    tape: Tape,
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
        let keeper = Keeper::new(parts.state.clone());
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
            unkept: Vec::new(),
            keeper,
            tape: Tape::default(),
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
            SoundInput::Strike { key, velocity, instrument, drawing } => {
                let tone = Tone { instrument: instrument.into(), key, velocity };
                self.strike(key, tone, drawing)?;
            }
            SoundInput::Release { key } => {
                if let Mode::Live(live) = &mut self.mode {
                    live.release(key);
                }
            }
            SoundInput::Make(request) => self.make(*request)?,
            SoundInput::Continue { clip, to, instrument, velocity, drawing } => {
                match self.going_on(&clip, to, (instrument, velocity), drawing) {
                    Ok(request) => self.make(request)?,
                    // What sounds goes on: there may be no note to go on from.
                    Err(why) => {
                        self.show(|state| state.error = Some(why));
                        self.wake();
                    }
                }
            }
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
            SoundInput::Voice { instrument, drawing } => self.voice(instrument, drawing),
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

    /// A new take.
    fn begin(&mut self, activity: SoundActivity, request: Option<AudioRequest>, sample_rate_hz: u32) {
        self.gaps_before = self.underruns + self.player.as_ref().map_or(0, |player| player.controls().underruns());
        // What a model makes may become long.
        let samples = if activity == SoundActivity::Making { Tape::begin(sample_rate_hz) } else { Tape::default() };
        let take = self.show(|state| {
            state.activity = activity;
            state.take += 1;
            state.request = request;
            state.samples = samples;
            state.sample_rate_hz = sample_rate_hz;
            state.recorded = None;
            state.position = 0;
            (state.first_sound_ms, state.real_time_factor) = (None, None);
            state.take
        });
        match activity {
            SoundActivity::Live => self.keeper.begin(take, sample_rate_hz),
            SoundActivity::Recording => self.tape = Tape::begin(sample_rate_hz),
            _ => {}
        }
        self.wake();
    }

    /// Ends what sounds; what was made of it stays.
    fn stop(&mut self) {
        match std::mem::replace(&mut self.mode, Mode::Idle) {
            Mode::Idle => return,
            Mode::Live(live) => {
                self.keep_live(0);
                self.keeper.finish();
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

    /// A little of the work.
    fn step(&mut self) -> Result<()> {
        if !matches!(self.mode, Mode::Idle) {
            self.tend_player();
        }
        let waiting_s = self.player.as_ref().map_or(f32::MAX, Player::waiting_s);
        self.mind_deadline(waiting_s);
        match &mut self.mode {
            // An open device asks for silence a hundred times a second.
            Mode::Idle => self.drop_player(),
            Mode::Live(_) => self.live_on(waiting_s)?,
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
        }
        Ok(())
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
        let shown = self.show_unless_busy(|state| {
            state.position = position;
            state.underruns = underruns;
            if let Some(first) = first {
                state.first_sound_ms = Some(first.as_secs_f32() * 1e3);
            }
        });
        if shown.is_some() && first.is_some() {
            self.asked = None;
        }
        if self.woken.elapsed() >= self.parts.frames.gap(FRAME) {
            self.wake();
        }
    }

    fn show<R>(&self, change: impl FnOnce(&mut super::SoundState) -> R) -> R {
        change(&mut lock(&self.parts.state))
    }

    /// The same, unless somebody is looking: whoever looks may be made to wait by others, and what plays live must not be.
    fn show_unless_busy<R>(&self, change: impl FnOnce(&mut super::SoundState) -> R) -> Option<R> {
        match self.parts.state.try_lock() {
            Ok(mut state) => Some(change(&mut state)),
            Err(TryLockError::Poisoned(state)) => Some(change(&mut state.into_inner())),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Hands samples that were played live to the keeper, once there are more than so many.
    fn keep_live(&mut self, least: usize) {
        if self.unkept.len() > least {
            self.keeper.add(std::mem::take(&mut self.unkept));
        }
    }

    fn wake(&mut self) {
        self.woken = Instant::now();
        // A window that fails must not take the engine with it.
        let _ = catch_unwind(AssertUnwindSafe(|| (self.parts.waker)()));
    }
}
