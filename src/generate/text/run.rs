//! The generation loop, over any model and vocabulary.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use super::{
    super::{
        ContextReport, Likely, Logits, Prompt, StopReason, TextOutcome, TextRequest, TextToken, Vocabulary,
        sampler::{Sampler, probabilities},
    },
    held::{Found, Held},
    prompt::{Reader, TRANSCRIPT_STOP, Template},
};
use crate::{Error, Result};

/// What happens while a text is written, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum TextProgress {
    /// What of the prompt is sent; once.
    Context(ContextReport),
    /// How many tokens of the prompt have been read.
    Prefill {
        /// Tokens read.
        done: usize,
        /// Tokens to read.
        total: usize,
    },
    /// A token that stays. Their texts joined are the outcome's text.
    Token(TextToken),
}

/// Prompt tokens that are read between two looks at the cancel flag.
const CHUNK_TOKENS: usize = 128;
/// Other ways tried at one place, and at all places together, before everything counts as banned.
const MOST_TRIES_AT_A_PLACE: usize = 100;
const MOST_TRIES: usize = 4000;
/// The most alternatives reported.
const MOST_ALTERNATIVES: usize = 20;

/// Writes what `request` asks for.
///
/// The outcome depends on the model, the request and its seed alone, not on what `logits` remembers from before, how
/// many threads it has, or where the reading of the prompt is divided.
///
/// When the context is full the text ends there, with [`StopReason::ContextFull`]: sending the outcome's text as part of
/// a new prompt goes on, with the oldest part visibly left out.
///
/// # Errors
/// When the prompt cannot fit, a setting makes no sense, or the model cannot compute.
pub fn write_text(
    logits: &mut dyn Logits,
    vocabulary: &dyn Vocabulary,
    template: Option<&dyn Template>,
    request: &TextRequest,
    cancel: &AtomicBool,
    on: &mut dyn FnMut(TextProgress),
) -> Result<TextOutcome> {
    check_tokens(request, vocabulary)?;
    let context_tokens = logits.context_tokens();
    let reader = Reader { vocabulary, template };
    let ready = reader.ready(&request.prompt, room_for_prompt(request, context_tokens)?)?;
    let mut stop = request.stop.clone();
    if template.is_none() && matches!(request.prompt, Prompt::Chat(_)) {
        stop.push(TRANSCRIPT_STOP.to_owned());
    }
    let mut sampler = Sampler::new(&request.sampler, request.seed, vocabulary)?;
    sampler.accept_prompt(&ready.tokens);
    let sent = TextRequest { prompt: ready.sent, context_tokens, ..request.clone() };
    let mut run = Run {
        logits,
        vocabulary,
        request,
        cancel,
        sampler,
        held: Held::new(&stop, &request.banned)?,
        prompt_tokens: ready.tokens.len(),
        never: Vec::new(),
        tried: HashMap::new(),
        tries: 0,
    };
    let mut tokens = ready.tokens;
    tokens.extend(&request.forced);
    let begun = Instant::now();
    let reused = run.reuse(&tokens);
    on(TextProgress::Context(ContextReport {
        context_tokens,
        reused_tokens: reused.min(run.prompt_tokens),
        ..ready.report
    }));
    let first = run.prefill(&tokens[reused..], on)?;
    let prefill_s = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    let (stop_reason, end) = match first {
        Some(first) => run.decode(first, on)?,
        None => {
            run.push_forced();
            (StopReason::Cancelled, None)
        }
    };
    let prompt_tokens = run.prompt_tokens;
    let mut written = |token| on(TextProgress::Token(token));
    let (text, tokens_written) = match stop_reason {
        StopReason::Cancelled => run.held.finish_early(&mut written),
        _ => run.held.finish(end, &mut written),
    };
    Ok(TextOutcome {
        text,
        tokens: tokens_written,
        prompt_tokens,
        sent,
        stop_reason,
        prefill_s,
        prefill_tokens: tokens.len() - reused,
        decode_s: begun.elapsed().as_secs_f64(),
    })
}

/// Tokens of the context that the prompt may take: what the answer leaves, and at least half.
fn room_for_prompt(request: &TextRequest, context_tokens: usize) -> Result<usize> {
    let answer = request.forced.len().saturating_add(request.max_tokens).min(context_tokens / 2);
    let answer = answer.max(request.forced.len() + 1);
    if answer >= context_tokens {
        let (forced, context) = (request.forced.len(), context_tokens);
        return Err(Error::new(
            format!("The {forced} tokens to go on from do not fit into a context of {context}; choose a larger one."),
            format!("要接续的 {forced} 个词元放不进 {context} 的上下文，请增大上下文。"),
        ));
    }
    Ok(context_tokens - answer)
}

/// Refuses tokens that the model does not know: the request was made with another one.
fn check_tokens(request: &TextRequest, vocabulary: &dyn Vocabulary) -> Result<()> {
    match request.forced.iter().find(|id| **id as usize >= vocabulary.size()) {
        None => Ok(()),
        Some(id) => Err(Error::new(
            format!("This model has no token {id}; the text was begun with another model, so generate it anew."),
            format!("此模型没有词元 {id}，文本是用其他模型开始的，请重新生成。"),
        )),
    }
}

/// A text being written.
struct Run<'a> {
    logits: &'a mut dyn Logits,
    vocabulary: &'a dyn Vocabulary,
    request: &'a TextRequest,
    cancel: &'a AtomicBool,
    sampler: Sampler<'a>,
    held: Held,
    prompt_tokens: usize,
    /// Tokens that may come nowhere.
    never: Vec<u32>,
    /// Tokens that led to a banned phrase, by their place.
    tried: HashMap<usize, Vec<u32>>,
    tries: usize,
}

impl Run<'_> {
    /// Forgets what the model remembers beyond the common beginning; returns how many tokens need not be read again.
    /// The last one is always read again, for its logits.
    fn reuse(&mut self, tokens: &[u32]) -> usize {
        let common = self.logits.tokens().iter().zip(tokens).take_while(|(a, b)| a == b).count();
        let reused = common.min(tokens.len().saturating_sub(1));
        self.logits.truncate(reused);
        reused
    }

    /// Reads the prompt; the logits after it, or `None` when it was cancelled.
    fn prefill(&mut self, tokens: &[u32], on: &mut dyn FnMut(TextProgress)) -> Result<Option<Vec<f32>>> {
        let mut logits = None;
        let mut done = 0;
        for chunk in tokens.chunks(CHUNK_TOKENS) {
            on(TextProgress::Prefill { done, total: tokens.len() });
            logits = self.forward(chunk)?;
            if logits.is_none() {
                return Ok(None);
            }
            done += chunk.len();
        }
        on(TextProgress::Prefill { done, total: tokens.len() });
        Ok(logits)
    }

    /// The logits after `tokens`, or `None` when it was cancelled.
    fn forward(&mut self, tokens: &[u32]) -> Result<Option<Vec<f32>>> {
        if self.cancelled() {
            return Ok(None);
        }
        let read = self.logits.forward(tokens, self.cancel).map(<[f32]>::to_vec);
        match read {
            Ok(logits) => Ok(Some(logits)),
            Err(_) if self.cancelled() => Ok(None),
            Err(why) => Err(why),
        }
    }

    fn cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }

    /// Writes token after token; why it ended, and the byte at which the text is to be cut.
    fn decode(
        &mut self,
        mut logits: Vec<f32>,
        on: &mut dyn FnMut(TextProgress),
    ) -> Result<(StopReason, Option<usize>)> {
        let forced = self.request.forced.len();
        self.push_forced();
        self.never = self.forbidden_everywhere();
        loop {
            self.held.release(&mut |token| on(TextProgress::Token(token)));
            if self.cancelled() {
                return Ok((StopReason::Cancelled, None));
            }
            if self.held.len() - forced >= self.request.max_tokens {
                return Ok((StopReason::MaxTokens, None));
            }
            if self.prompt_tokens + self.held.len() >= self.logits.context_tokens() {
                return Ok((StopReason::ContextFull, None));
            }
            let forbidden = self.forbidden_here();
            let Some(id) = self.sampler.sample(&logits, &forbidden) else {
                if logits.iter().all(|logit| logit.is_nan()) {
                    return Err(no_numbers());
                }
                return Ok((StopReason::Banned, None));
            };
            if self.vocabulary.ends_text(id) {
                return Ok((StopReason::EndOfText, None));
            }
            self.push(id, &logits);
            match self.held.look() {
                Found::Nothing => {}
                Found::Stop(at) => return Ok((StopReason::StopString, Some(at))),
                Found::Banned(place) => match self.take_back(place.max(forced)) {
                    Some(before) => {
                        logits = before;
                        continue;
                    }
                    None => return Ok((StopReason::Banned, None)),
                },
            }
            if self.is_last() {
                continue;
            }
            match self.forward(&[id])? {
                Some(next) => logits = next,
                None => return Ok((StopReason::Cancelled, None)),
            }
        }
    }

    /// Whether what follows the newest token will not be asked for.
    fn is_last(&self) -> bool {
        self.held.len() - self.request.forced.len() >= self.request.max_tokens
            || self.prompt_tokens + self.held.len() >= self.logits.context_tokens()
    }

    fn push_forced(&mut self) {
        for &id in &self.request.forced {
            self.sampler.accept(id);
            let token = TextToken { id, text: String::new(), probability: f32::NAN, likely: Vec::new() };
            self.held.push(token, &self.vocabulary.bytes(id), Vec::new());
        }
        self.held.forced_until_here();
    }

    fn push(&mut self, id: u32, logits: &[f32]) {
        let alternatives = self.request.alternatives.min(MOST_ALTERNATIVES);
        let (probability, likely) = probabilities(logits, id, alternatives);
        let likely = likely.into_iter().map(|likely| Likely {
            id: likely.id,
            text: self.vocabulary.label(likely.id),
            probability: likely.probability,
        });
        let token = TextToken { id, text: String::new(), probability, likely: likely.collect() };
        let kept = if self.held.bans() { logits.to_vec() } else { Vec::new() };
        self.held.push(token, &self.vocabulary.bytes(id), kept);
        self.sampler.accept(id);
    }

    /// Goes back to before the token at `place`, which led to a banned phrase, and forbids it there. The logits it was
    /// chosen from, or `None` when too much has been tried.
    fn take_back(&mut self, place: usize) -> Option<Vec<f32>> {
        let (id, logits) = self.held.step_back_to(place)?;
        self.sampler.step_back_to(place);
        self.logits.truncate(self.prompt_tokens + place);
        // What was tried further on belonged to the way that is given up.
        self.tried.retain(|at, _| *at <= place);
        let tried = self.tried.entry(place).or_default();
        tried.push(id);
        self.tries += 1;
        (tried.len() <= MOST_TRIES_AT_A_PLACE && self.tries <= MOST_TRIES).then_some(logits)
    }

    fn forbidden_here(&self) -> Vec<u32> {
        let tried = self.tried.get(&self.held.len()).map_or(&[][..], Vec::as_slice);
        [tried, &self.never].concat()
    }

    /// The tokens that end the text, if it may not end, and those that hold a whole banned phrase, which saves trying
    /// them one by one.
    fn forbidden_everywhere(&self) -> Vec<u32> {
        let holds =
            |bytes: &[u8], phrase: &[u8]| bytes.windows(phrase.len()).any(|window| window.eq_ignore_ascii_case(phrase));
        let banned = self.held.banned();
        if banned.is_empty() && !self.request.ignore_eos {
            return Vec::new();
        }
        let all = 0..u32::try_from(self.vocabulary.size()).unwrap_or(u32::MAX);
        let forbidden = |id: &u32| {
            let bytes = self.vocabulary.bytes(*id);
            (self.request.ignore_eos && self.vocabulary.ends_text(*id))
                || banned.iter().any(|phrase| holds(&bytes, phrase.as_bytes()))
        };
        all.filter(forbidden).collect()
    }
}

/// The model computed nothing that a token could be chosen by.
fn no_numbers() -> Error {
    Error::new(
        "The model answered with no numbers (all are NaN), so no word could be chosen; its file is probably damaged. \
         Fetch it again or use another model.",
        "模型的输出全为 NaN，无法选词；模型文件可能已损坏，请重新下载或换一个模型。",
    )
}
