//! The sampling chain, in llama.cpp's order and with its defaults: one token from the logits of a whole vocabulary.
//!
//! Logit bias · repeat, frequency and presence penalties · DRY · top-nσ · top-k · typical · top-p · min-p · XTC ·
//! temperature · draw. With mirostat 2: logit bias · temperature · mirostat. Each filter is a function on
//! [`Candidates`] in a file of its own, which defines it. Ties are broken by the lower id.

mod candidates;
mod draw;
mod dry;
mod entropy;
mod likely;
mod logit_bias;
mod math;
mod min_p;
mod mirostat;
mod penalties;
mod presets;
mod settings;
mod temperature;
mod top_k;
mod top_n_sigma;
mod top_p;
mod typical;
mod xtc;

#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod tests;

pub use candidates::{Candidate, Candidates};
pub use draw::draw;
pub use dry::{Dry, dry};
pub use likely::{LikelyId, probabilities};
pub use logit_bias::logit_bias;
pub use min_p::min_p;
pub use mirostat::mirostat_2;
pub use penalties::penalties;
pub use presets::Preset;
pub use settings::SamplerSettings;
pub use temperature::{dynamic_temperature, temperature};
pub use top_k::top_k;
pub use top_n_sigma::top_n_sigma;
pub use top_p::top_p;
pub use typical::typical;
pub use xtc::xtc;

use super::Vocabulary;
use crate::{Result, random::Rng};

/// Chooses the tokens of one text.
pub struct Sampler<'v> {
    settings: SamplerSettings,
    seed: u64,
    vocabulary: &'v dyn Vocabulary,
    /// Everything read and written so far.
    seen: Vec<u32>,
    /// For each of `seen`: how many tokens up to it make up the text before the last DRY breaker's end.
    breaks: Vec<usize>,
    /// Mirostat's µ before each of `seen` was chosen, now, and after the token that was sampled last.
    past_mu: Vec<f64>,
    mu: f64,
    next_mu: f64,
    /// How many of `seen` are the prompt.
    prompt_tokens: usize,
    list: Candidates,
}

impl<'v> Sampler<'v> {
    /// A sampler that has seen nothing yet.
    ///
    /// # Errors
    /// When a setting is not a number (see [`SamplerSettings::checked`]).
    pub fn new(settings: &SamplerSettings, seed: u64, vocabulary: &'v dyn Vocabulary) -> Result<Self> {
        let settings = settings.checked()?;
        let mu = 2.0 * f64::from(settings.mirostat_tau);
        Ok(Self {
            settings,
            seed,
            vocabulary,
            seen: Vec::new(),
            breaks: Vec::new(),
            past_mu: Vec::new(),
            mu,
            next_mu: mu,
            prompt_tokens: 0,
            list: Candidates::default(),
        })
    }

    /// Tells it the prompt, before the first token.
    pub fn accept_prompt(&mut self, tokens: &[u32]) {
        for &token in tokens {
            self.accept(token);
        }
        self.prompt_tokens = self.seen.len();
    }

    /// Tells it that `token` was taken.
    pub fn accept(&mut self, token: u32) {
        self.seen.push(token);
        self.past_mu.push(self.mu);
        self.mu = self.next_mu;
        if self.uses_dry() {
            let before = self.breaks.last().copied().unwrap_or(0);
            let broken = if self.breaker_ends_in_last_token() { self.seen.len() } else { before };
            self.breaks.push(broken);
        }
    }

    /// Goes back to when `n` tokens of the answer had been taken.
    pub fn step_back_to(&mut self, n: usize) {
        let n = self.prompt_tokens + n;
        if n < self.seen.len() {
            self.mu = self.past_mu[n];
            self.next_mu = self.mu;
            self.seen.truncate(n);
            self.past_mu.truncate(n);
            self.breaks.truncate(n);
        }
    }

    /// The next token, or `None` when every token is forbidden. What it takes depends on the settings, the seed, the
    /// tokens accepted so far and the logits alone.
    ///
    /// Ids in `forbidden` are never taken.
    pub fn sample(&mut self, logits: &[f32], forbidden: &[u32]) -> Option<u32> {
        let place = (self.seen.len() - self.prompt_tokens) as u64;
        let mut rng = Rng::at(self.seed, place);
        let mut list = std::mem::take(&mut self.list);
        list.fill(logits);
        let chosen = self.choose(&mut list, forbidden, &mut rng);
        self.list = list;
        chosen.map(|chosen| chosen.id)
    }

    fn choose(&mut self, list: &mut Candidates, forbidden: &[u32], rng: &mut Rng) -> Option<Candidate> {
        self.narrow(list, forbidden, rng);
        if self.settings.mirostat_2 {
            let (tau, eta) = (self.settings.mirostat_tau, self.settings.mirostat_eta);
            self.next_mu = self.mu;
            return mirostat_2(list, &mut self.next_mu, tau, eta, rng.uniform());
        }
        draw(list, rng.uniform())
    }

    /// The chain up to the draw.
    fn narrow(&self, list: &mut Candidates, forbidden: &[u32], rng: &mut Rng) {
        let s = &self.settings;
        logit_bias(list, &s.logit_bias);
        for &id in forbidden {
            list.change(id, |_| f32::NEG_INFINITY);
        }
        if !s.mirostat_2 {
            self.penalise(list);
        }
        if s.mirostat_2 {
            return temperature(list, s.temperature);
        }
        top_n_sigma(list, s.top_n_sigma);
        top_k(list, s.top_k);
        typical(list, s.typical_p);
        top_p(list, s.top_p);
        min_p(list, s.min_p);
        xtc(list, s.xtc_probability, s.xtc_threshold, || rng.uniform());
        dynamic_temperature(list, s.temperature, s.dynatemp_range, s.dynatemp_exponent);
    }

    fn penalise(&self, list: &mut Candidates) {
        let s = &self.settings;
        let recent = last(&self.seen, s.penalty_last_n);
        penalties(list, recent, s.repeat_penalty, s.frequency_penalty, s.presence_penalty);
        if self.uses_dry() {
            let recent = last(&self.seen, s.dry_penalty_last_n);
            let since_break = self.seen.len() - self.breaks.last().copied().unwrap_or(0);
            let strength =
                Dry { multiplier: s.dry_multiplier, base: s.dry_base, allowed_length: s.dry_allowed_length as usize };
            dry(list, recent, since_break.min(recent.len()), strength, |id| self.is_breaker(id));
        }
    }

    fn uses_dry(&self) -> bool {
        let s = &self.settings;
        s.dry_multiplier > 0.0 && s.dry_penalty_last_n != 0 && !s.mirostat_2
    }

    /// Whether the token's own text holds a sequence breaker.
    fn is_breaker(&self, id: u32) -> bool {
        let bytes = self.vocabulary.bytes(id);
        self.breakers().any(|breaker| contains(&bytes, breaker))
    }

    /// Whether a sequence breaker ends inside the last token, wherever it began.
    fn breaker_ends_in_last_token(&self) -> bool {
        let Some((&token, before)) = self.seen.split_last() else { return false };
        let bytes = self.vocabulary.bytes(token);
        let longest = self.breakers().map(<[u8]>::len).max().unwrap_or(0);
        let mut text: Vec<u8> = Vec::new();
        let mut wanted = longest.saturating_sub(1);
        let mut parts = Vec::new();
        for &id in before.iter().rev().take(longest) {
            if wanted == 0 {
                break;
            }
            let part = self.vocabulary.bytes(id);
            wanted = wanted.saturating_sub(part.len());
            parts.push(part);
        }
        parts.iter().rev().for_each(|part| text.extend_from_slice(part));
        let old = text.len();
        text.extend_from_slice(&bytes);
        self.breakers().any(|breaker| {
            // It must reach at least one byte into the token.
            let from = (old + 1).saturating_sub(breaker.len());
            contains(&text[from..], breaker)
        })
    }

    fn breakers(&self) -> impl Iterator<Item = &[u8]> {
        self.settings.dry_sequence_breakers.iter().map(String::as_bytes).filter(|breaker| !breaker.is_empty())
    }
}

/// The last `n` tokens; all of them for −1.
fn last(seen: &[u32], n: i32) -> &[u32] {
    let n = usize::try_from(n).unwrap_or(usize::MAX);
    &seen[seen.len().saturating_sub(n)..]
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
