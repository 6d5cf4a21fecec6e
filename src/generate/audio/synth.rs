//! The synthesiser: voices that play the network, shared out among the cores, several to a pass over its weights.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use super::{AudioRequest, Prime, Quantisation, model::AudioNet};
use crate::{
    kernels::{
        Exec,
        wavenet::{self, BLOCK, Choice, Last, MOST_VOICES, Voice},
    },
    nets::wavenet::{Tone, mu_law},
    random::Rng,
};

/// The most notes that sound at once; one more takes the place of the oldest, released ones first.
pub const MOST_SOUNDING: usize = 8;
/// What every voice is scaled by: four of average loudness fit into -1..1.
const GAIN: f32 = 0.5;
/// From this time after the release on a voice is faded out, and ends when the fade does.
const FADE_FROM_S: f32 = 0.9;
const FADE_S: f32 = 0.3;
/// A released voice ends early when it stays below this for a while.
const QUIET: f32 = 5e-4;
const QUIET_S: f32 = 0.1;
/// How long a voice fades whose place is taken.
const STOLEN_S: f32 = 0.005;
/// The noise of an onset falls to one in e so soon.
const STRIKE_S: f32 = 0.04;

/// Makes samples from notes that are struck and released while it runs. What it makes depends on those events, their
/// times and the seed alone.
pub struct Synth {
    net: Arc<AudioNet>,
    weights: Quantisation,
    choice: Choice,
    seed: u64,
    /// Samples made.
    time: u64,
    /// Notes struck.
    struck: u64,
    voices: Vec<Sounding>,
    pace: Pace,
}

/// Which is faster now: to share voices out among the cores, or to keep to one of them. Where other programs keep the
/// cores busy it takes longer to wait for a core than to do its part. The samples are the same either way.
struct Pace {
    blocks: u32,
    begun: Instant,
    /// Seconds per voice, alone and shared, over the last blocks.
    seconds: [f64; 2],
}

impl Pace {
    /// The way that seems slower is tried once in so many blocks.
    const TRIED_EVERY: u32 = 128;

    fn new() -> Self {
        Self { blocks: 0, begun: Instant::now(), seconds: [0.0; 2] }
    }

    /// Begins a block; whether it is shared.
    fn shares(&mut self) -> bool {
        self.begun = Instant::now();
        self.chosen()
    }

    fn chosen(&self) -> bool {
        let faster = self.seconds[1] < self.seconds[0];
        if self.blocks.is_multiple_of(Self::TRIED_EVERY) { !faster } else { faster }
    }

    /// Ends a block of so many voices.
    fn took(&mut self, voices: usize) {
        let now = self.begun.elapsed().as_secs_f64() / voices as f64;
        let way = &mut self.seconds[usize::from(self.chosen())];
        // A trial counts more than one block among many.
        let weight = if self.blocks.is_multiple_of(Self::TRIED_EVERY) { 0.5 } else { 0.1 };
        *way = if *way == 0.0 { now } else { *way + weight * (now - *way) };
        self.blocks = self.blocks.wrapping_add(1);
    }
}

/// A note that sounds.
struct Sounding {
    /// Its number among the notes struck.
    number: u64,
    tone: Tone,
    voice: Voice,
    random: Rng,
    last: Last,
    /// The last sample, which the next one is added to: pre-emphasis undone.
    value: f32,
    /// How far its samples stray.
    noise: f32,
    /// The first frame after the release.
    released: Option<usize>,
    /// Samples since it was last heard.
    quiet: usize,
    /// What it is scaled by, and how much less each sample.
    gain: f32,
    gain_step: f32,
    /// What it has played before, and of that so many samples; none of a note that begins.
    past: Option<Arc<Prime>>,
    played: usize,
    /// What it last made, scaled.
    block: [f32; BLOCK],
    fast: Vec<f32>,
}

impl Synth {
    pub(super) fn new(net: Arc<AudioNet>, request: &AudioRequest) -> Self {
        let AudioRequest { weights, seed, .. } = *request;
        let choice = request.choice();
        Self { net, weights, choice, seed, time: 0, struck: 0, voices: Vec::new(), pace: Pace::new() }
    }

    /// Samples made so far.
    pub fn time(&self) -> u64 {
        self.time
    }

    /// Notes that sound.
    pub fn sounding(&self) -> usize {
        self.voices.len()
    }

    /// How classes are drawn from now on.
    pub fn set_choice(&mut self, choice: Choice) {
        self.choice = choice;
    }

    /// Strikes a note from the next block on and returns its number.
    pub fn strike(&mut self, tone: Tone) -> u64 {
        self.go_on(tone, None)
    }

    /// The same with a note that has sounded already: its past comes first, and then what the network makes of it.
    fn go_on(&mut self, tone: Tone, past: Option<Arc<Prime>>) -> u64 {
        let number = self.struck;
        self.struck += 1;
        let rate = self.rate();
        let staying = self.voices.iter().filter(|voice| voice.gain_step == 0.0).count();
        if staying >= MOST_SOUNDING {
            let oldest = self.voices.iter_mut().filter(|voice| voice.gain_step == 0.0).min_by_key(|voice| {
                // Released ones first, then the older ones.
                (voice.released.is_none(), voice.number)
            });
            if let Some(oldest) = oldest {
                oldest.gain_step = oldest.gain / (STOLEN_S * rate);
            }
        }
        self.voices.push(Sounding {
            number,
            tone,
            voice: self.net.generator(self.weights).voice(),
            random: Rng::at(self.seed, number),
            last: if self.net.config().mixtures == 0 { Last::Class(mu_law::SILENCE) } else { Last::Value(0.0) },
            value: past.as_ref().map_or(0.0, |past| past.before),
            noise: 1.0,
            released: None,
            quiet: 0,
            gain: past.as_ref().map_or(GAIN, |past| past.gain),
            gain_step: 0.0,
            past,
            played: 0,
            block: [0.0; BLOCK],
            fast: Vec::new(),
        });
        number
    }

    /// Releases the note of this number, from its next frame on.
    pub fn release(&mut self, number: u64) {
        let frame = self.net.config().frame_samples;
        if let Some(voice) = self.voices.iter_mut().find(|voice| voice.number == number) {
            voice.released.get_or_insert(voice.voice.time().div_ceil(frame));
        }
    }

    /// Releases every note.
    pub fn release_all(&mut self) {
        let frame = self.net.config().frame_samples;
        for voice in &mut self.voices {
            voice.released.get_or_insert(voice.voice.time().div_ceil(frame));
        }
    }

    /// Makes the next block.
    pub fn block(&mut self) -> [f32; BLOCK] {
        let net = self.net.clone();
        let (pool, count) = (Exec::current().pool, self.voices.len());
        if count > 1 && self.pace.shares() {
            let together = count.div_ceil(pool.threads()).clamp(1, MOST_VOICES);
            let parts: Vec<_> = self.voices.chunks_mut(together).map(Mutex::new).collect();
            pool.run_unless_busy(parts.len(), |part| {
                let mut voices = parts[part].lock().unwrap_or_else(PoisonError::into_inner);
                sound(&net, self.weights, &mut voices, self.choice);
            });
        } else {
            self.voices.chunks_mut(MOST_VOICES).for_each(|voices| sound(&net, self.weights, voices, self.choice));
        }
        if count > 1 {
            self.pace.took(count);
        }
        let mut out = [0.0; BLOCK];
        for voice in &self.voices {
            out.iter_mut().zip(voice.block).for_each(|(sum, value)| *sum += value);
        }
        let rate = self.rate();
        self.voices.retain_mut(|voice| voice.goes_on(rate, net.config().frame_samples));
        self.time += BLOCK as u64;
        out
    }

    fn rate(&self) -> f32 {
        self.net.config().sample_rate_hz as f32
    }
}

/// How far samples stray so many seconds after the onset: as they are drawn at first, since a note begins with the noise of
/// a blow, a bow or breath.
fn noise_at(noise: f32, age_s: f32) -> f32 {
    noise + (1.0 - noise) * (-age_s / STRIKE_S).exp()
}

/// Makes a block of a few voices.
fn sound(net: &AudioNet, weights: Quantisation, voices: &mut [Sounding], choice: Choice) {
    let (generator, condition, config) = (net.generator(weights), net.net.condition(), net.config());
    for voice in voices.iter_mut() {
        let time = voice.voice.time();
        if time.is_multiple_of(config.frame_samples) {
            // Frames of its past are counted from its own onset.
            let before = voice.past.as_ref().map_or(0, |past| past.frame as usize);
            let released = voice.released.map(|frame| frame + before);
            let slow = condition.slow(voice.tone, time / config.frame_samples + before, released);
            generator.set_frame(&mut voice.voice, &slow);
        }
        let rate = config.sample_rate_hz;
        voice.fast.clear();
        match &voice.past {
            None => {
                voice.noise = noise_at(choice.noise, time as f32 / rate as f32);
                (time..time + BLOCK).for_each(|at| condition.fast(voice.tone, at, &mut voice.fast));
            }
            Some(past) => {
                let age = time + past.frame as usize * config.frame_samples;
                voice.noise = noise_at(choice.noise, age as f32 / rate as f32);
                for at in time..time + BLOCK {
                    let turned = f64::from(past.hz) * at as f64 / f64::from(rate);
                    condition.fast_at(f64::from(past.turns) + turned, past.hz, &mut voice.fast);
                }
            }
        }
        generator.begin_block(&mut voice.voice, &voice.fast);
    }
    for at in 0..BLOCK {
        let mut last = [Last::Value(0.0); MOST_VOICES];
        last.iter_mut().zip(voices.iter()).for_each(|(last, voice)| *last = voice.last);
        let count = voices.len();
        match voices {
            [a] => generator.step(&mut [&mut a.voice], &last[..count]),
            [a, b] => generator.step(&mut [&mut a.voice, &mut b.voice], &last[..count]),
            [a, b, c] => generator.step(&mut [&mut a.voice, &mut b.voice, &mut c.voice], &last[..count]),
            [a, b, c, d] => {
                generator.step(&mut [&mut a.voice, &mut b.voice, &mut c.voice, &mut d.voice], &last[..count]);
            }
            _ => {}
        }
        for voice in voices.iter_mut() {
            let uniform = voice.random.uniform();
            let choice = Choice { noise: voice.noise, ..choice };
            let drawn = if config.mixtures == 0 {
                wavenet::draw_calmed(net.level, voice.voice.outputs(), &net.values, choice, uniform)
            } else {
                let uniforms = [uniform, voice.random.uniform()];
                wavenet::draw_mixture(voice.voice.outputs(), config.mixtures, choice, uniforms)
            };
            let drawn = voice.past.as_ref().map_or(drawn, |past| {
                let value = past.blended(voice.played, drawn, &net.values, config);
                voice.played += 1;
                value
            });
            voice.last = match config.mixtures {
                // The network sees the class that is nearest.
                0 => Last::Class(mu_law::encode(drawn)),
                _ => Last::Value(drawn),
            };
            voice.value = drawn + config.pre_emphasis * voice.value;
            voice.quiet = if voice.value.abs() < QUIET { voice.quiet + 1 } else { 0 };
            voice.block[at] = voice.value * voice.gain;
            voice.gain = (voice.gain - voice.gain_step).max(0.0);
        }
    }
}

impl Sounding {
    /// Whether it sounds on after a block; begins its last fade when it is time.
    fn goes_on(&mut self, rate: f32, frame_samples: usize) -> bool {
        if self.gain <= 0.0 {
            return false;
        }
        let Some(released) = self.released else { return true };
        let age = self.voice.time().saturating_sub(released * frame_samples) as f32 / rate;
        if age >= FADE_FROM_S && self.gain_step == 0.0 {
            self.gain_step = self.gain / (FADE_S * rate);
        }
        (self.quiet as f32) < QUIET_S * rate
    }
}

/// Plays a request from its beginning to its end.
pub struct Performance {
    synth: Synth,
    request: AudioRequest,
    /// Notes struck so far, and turns taken.
    next: usize,
    turned: usize,
    /// Notes held: when each is released, and its number.
    held: Vec<(u64, u64)>,
}

impl Performance {
    pub(super) fn new(synth: Synth, request: AudioRequest) -> Self {
        Self { synth, request, next: 0, turned: 0, held: Vec::new() }
    }

    /// The next block, or `None` after the end. An event takes effect in the block that its time lies in.
    pub fn block(&mut self) -> Option<[f32; BLOCK]> {
        if self.has_ended() {
            return None;
        }
        let end = self.synth.time() + BLOCK as u64;
        let synth = &mut self.synth;
        while let Some(turn) = self.request.turns.get(self.turned).filter(|turn| turn.start < end) {
            synth.set_choice(self.request.choice_from(turn));
            self.turned += 1;
        }
        self.held.retain(|&(until, number)| {
            let stays = until >= end;
            if !stays {
                synth.release(number);
            }
            stays
        });
        while let Some(note) = self.request.notes.get(self.next).filter(|note| note.start < end) {
            let tone = Tone { instrument: note.instrument.into(), key: note.key, velocity: note.velocity };
            let until = note.start.saturating_add(note.length.max(1));
            // The first one may go on from a recording.
            let past = if self.next == 0 { self.request.prime.clone().map(Arc::from) } else { None };
            self.held.push((until, synth.go_on(tone, past)));
            self.next += 1;
        }
        Some(synth.block())
    }

    fn has_ended(&self) -> bool {
        match self.request.samples {
            Some(samples) => self.synth.time() >= samples,
            None => self.next == self.request.notes.len() && self.held.is_empty() && self.synth.sounding() == 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_begins_as_it_is_drawn_and_calms_down() {
        assert_eq!([0.0, 0.3, 5.0].map(|age_s| noise_at(1.0, age_s)), [1.0; 3]);
        assert!((noise_at(0.2, 0.0) - 1.0).abs() < 1e-6 && (noise_at(0.2, 0.5) - 0.2).abs() < 1e-3);
        assert!(noise_at(0.0, 0.02) > 0.5 && noise_at(0.0, 0.1) < 0.1);
    }
}
