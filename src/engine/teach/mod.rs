//! The teacher: teaches a generator of textures from photographs, and saves it as it goes.
//!
//! As with painting, the window puts [`TeachInput`]s into a channel, and what the worker does stands in a [`TeachState`],
//! which the window looks at once a frame.

#[cfg(test)]
mod tests;
mod worker;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{Waker, lock};
use crate::{Error, generate::image::Picture};

pub(super) use worker::Worker;

/// Inputs that may wait.
const INPUTS: usize = 256;

/// What the teacher is told.
#[derive(Clone, Debug, PartialEq)]
pub enum TeachInput {
    /// Look at a photograph: whether it can be learnt from, and a small picture of it.
    Look(PathBuf),
    /// Teach these.
    Begin(Box<ToTeach>),
    /// End as it is now; what was learnt is saved.
    Finish,
    /// End, and keep nothing.
    Discard,
}

/// Textures that are to be taught.
#[derive(Clone, Debug, PartialEq)]
pub struct ToTeach {
    /// The photographs and what each is called.
    pub photographs: Vec<(PathBuf, String)>,
    /// The shorter side that larger photographs are made, in pixels: the smaller, the larger the structure that is learnt.
    pub detail: usize,
    pub steps: u64,
    /// The file that the model is saved as.
    pub path: PathBuf,
}

/// How teaching goes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Teaching {
    /// Steps taken, of how many; none were taken while photographs are read.
    pub step: u64,
    pub steps: u64,
    /// The distance from the photographs after every so many steps.
    pub distances: Vec<f32>,
    pub seconds_left: Option<f32>,
    /// What it draws now, with a number that grows.
    pub samples: Vec<Picture>,
    pub number: u64,
}

/// What came of looking at a photograph.
#[derive(Clone, Debug)]
pub struct Looked {
    pub path: PathBuf,
    pub seen: Result<Picture, Error>,
}

/// What the teacher shows.
#[derive(Clone, Debug, Default)]
pub struct TeachState {
    /// `None` when nothing is taught.
    pub teaching: Option<Teaching>,
    /// Photographs that were looked at since the window took them.
    pub looked: Vec<Looked>,
    /// The model was saved on the way, so that nothing is lost if the program ends; for the window to take.
    pub kept: Option<PathBuf>,
    /// The model is done; for the window to take.
    pub done: Option<PathBuf>,
    /// What went wrong last, for the window to take.
    pub error: Option<Error>,
}

/// The window's side.
#[derive(Clone)]
pub struct TeachPort {
    inputs: Sender<TeachInput>,
    state: Arc<Mutex<TeachState>>,
}

impl TeachPort {
    /// A port whose inputs a test takes, and whose state it sets.
    pub fn scripted() -> (Self, Receiver<TeachInput>) {
        let (sender, inputs) = bounded(INPUTS);
        (Self { inputs: sender, state: Arc::default() }, inputs)
    }

    /// Tells the worker something; never waits. `false` when it was not taken: too much waits already.
    pub fn tell(&self, input: TeachInput) -> bool {
        self.inputs.try_send(input).is_ok()
    }

    /// Looks at what the worker does.
    pub fn look<R>(&self, at: impl FnOnce(&mut TeachState) -> R) -> R {
        at(&mut lock(&self.state))
    }
}

/// The worker's side.
pub(super) struct Parts {
    pub inputs: Receiver<TeachInput>,
    pub state: Arc<Mutex<TeachState>>,
    pub waker: Waker,
}

/// Both sides.
pub(super) fn connect(waker: Waker) -> (TeachPort, Parts) {
    let (sender, inputs) = bounded(INPUTS);
    let state = Arc::new(Mutex::new(TeachState::default()));
    (TeachPort { inputs: sender, state: state.clone() }, Parts { inputs, state, waker })
}
