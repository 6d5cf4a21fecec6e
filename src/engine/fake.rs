//! Scripted parts for the engine's tests: what they do is in the names and prompts they are given.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::{Dialogs, FileFilter, OpenText, Parts, Question, TextBackend, TextModelInfo, TextWriting, TokenCounter};
use crate::{
    Error, Result,
    generate::{ContextReport, Prompt, StopReason, TextOutcome, TextProgress, TextRequest, TextToken},
};

/// What the fakes have done, for tests to look at.
#[derive(Default)]
pub(super) struct Traces {
    pub(super) opened: AtomicUsize,
    pub(super) open_now: AtomicUsize,
    pub(super) tokens_after_cancel: AtomicUsize,
    pub(super) counted: AtomicUsize,
}

pub(super) fn parts(traces: &Arc<Traces>) -> Parts {
    let format = crate::audio::Format { sample_rate_hz: 48_000, channels: 2 };
    Parts {
        text: Box::new(Backend(traces.clone())),
        dialogs: Box::new(FakeDialogs),
        sound: Arc::new(crate::audio::MockSound::new(format)),
        midi: Arc::new(crate::audio::MockMidi::default()),
        audio: Box::new(crate::generate::audio::AudioModel::open),
        image: Box::new(|name, path| crate::generate::image::ImageModel::open(name, path, 1)),
        list_models: |_| Vec::new(),
    }
}

struct Backend(Arc<Traces>);

impl TextBackend for Backend {
    /// `bad` fails, `panic` panics, `slow` waits to be cancelled, anything else opens.
    fn open(
        &mut self,
        name: &str,
        path: &Path,
        progress: &mut dyn FnMut(u64, u64),
        cancel: &AtomicBool,
    ) -> Result<OpenText> {
        progress(1, 2);
        match name {
            "bad" => return Err(Error::new("The file is cut short.", "文件不完整。")),
            "panic" => panic!("scripted"),
            "slow" => {
                wait_for(cancel);
                return Err(Error::new("Stopped.", "已停止。"));
            }
            _ => {}
        }
        self.0.opened.fetch_add(1, Ordering::Relaxed);
        self.0.open_now.fetch_add(1, Ordering::Relaxed);
        Ok(OpenText {
            info: TextModelInfo {
                name: name.to_owned(),
                path: path.to_owned(),
                family: "fake".to_owned(),
                quantisation: "none".to_owned(),
                size_bytes: 2,
                sha256: String::new(),
                context_tokens: 8192,
                chats: false,
                memory_bytes: 2,
            },
            writer: Box::new(Writer { name: name.to_owned(), traces: self.0.clone() }),
            counter: Arc::new(Counter(self.0.clone())),
        })
    }
}

struct Writer {
    name: String,
    traces: Arc<Traces>,
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.traces.open_now.fetch_sub(1, Ordering::Relaxed);
        assert_ne!(self.name, "bomb", "scripted");
    }
}

impl TextWriting for Writer {
    /// Writes the model's name and numbered words. `fail` and `panic` do so after three tokens, `forever` writes until
    /// it is cancelled, as slowly as a model would.
    fn write(
        &mut self,
        request: &TextRequest,
        cancel: &AtomicBool,
        on: &mut dyn FnMut(TextProgress),
    ) -> Result<TextOutcome> {
        let Prompt::Raw(prompt) = &request.prompt else { return Err(Error::new("No chat.", "不能对话。")) };
        on(TextProgress::Context(ContextReport { context_tokens: 8192, ..ContextReport::default() }));
        on(TextProgress::Prefill { done: 1, total: 1 });
        let (mut tokens, mut text) = (Vec::new(), String::new());
        let mut stop_reason = StopReason::MaxTokens;
        let most = if prompt == "forever" { u32::MAX } else { request.max_tokens as u32 };
        for id in 0..most {
            if cancel.load(Ordering::Relaxed) {
                stop_reason = StopReason::Cancelled;
                break;
            }
            match prompt.as_str() {
                "fail" if id == 3 => return Err(Error::new("The model gave up.", "模型放弃了。")),
                "panic" if id == 3 => panic!("scripted"),
                "forever" => std::thread::sleep(Duration::from_millis(1)),
                _ => {}
            }
            if cancel.load(Ordering::Relaxed) {
                self.traces.tokens_after_cancel.fetch_add(1, Ordering::Relaxed);
            }
            let word = if id == 0 { self.name.clone() } else { format!(" {id}") };
            text.push_str(&word);
            tokens.push(id);
            on(TextProgress::Token(TextToken { id, text: word, probability: 0.5, likely: Vec::new() }));
        }
        Ok(TextOutcome {
            text,
            tokens,
            prompt_tokens: 1,
            sent: request.clone(),
            stop_reason,
            prefill_s: 0.0,
            prefill_tokens: 1,
            decode_s: 0.0,
        })
    }
}

struct Counter(Arc<Traces>);

impl TokenCounter for Counter {
    /// One a word; `panic` panics, `slow` waits to be cancelled.
    fn count(&self, text: &str, cancel: &AtomicBool) -> Option<usize> {
        self.0.counted.fetch_add(1, Ordering::Relaxed);
        match text {
            "panic" => panic!("scripted"),
            "slow" => {
                wait_for(cancel);
                None
            }
            _ => Some(text.split_whitespace().count()),
        }
    }
}

struct FakeDialogs;

impl Dialogs for FakeDialogs {
    /// Opening a text waits to be cancelled, opening a model panics, saving answers the suggested name.
    fn ask(&mut self, question: Question, cancel: &AtomicBool) -> Result<Option<PathBuf>> {
        match question {
            Question::Open(FileFilter::Model) => panic!("scripted"),
            Question::Open(_) => {
                wait_for(cancel);
                Ok(None)
            }
            Question::Save(_, name) => Ok(Some(name.into())),
        }
    }
}

fn wait_for(cancel: &AtomicBool) {
    while !cancel.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(1));
    }
}
