//! What is played of finished takes: from where, round a loop, and of two takes the one or the other, without a click.

use std::{collections::VecDeque, ops::Range, sync::Arc};

use super::Tape;

/// Mono sound, whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Clip {
    /// Its samples, each in -1..1 unless it is louder than a file of integers can hold.
    pub samples: Tape,
    /// Samples a second.
    pub sample_rate_hz: u32,
}

impl Clip {
    /// How long it is, in seconds.
    pub fn seconds(&self) -> f64 {
        self.samples.len() as f64 / f64::from(self.sample_rate_hz.max(1))
    }
}

/// How long the sound before a jump fades out, in seconds.
const FADE_S: f32 = 0.006;
/// Jumps that are remembered until they are heard.
const MOST_RUNS: usize = 4_096;

/// One or two clips of the same rate, and where in them it plays.
#[derive(Debug)]
pub struct Reel {
    sides: [Arc<Clip>; 2],
    second: bool,
    /// The next sample.
    at: usize,
    range: Option<Range<usize>>,
    /// What played before the last jump: its next sample, and how many more of them fade out.
    tail: Option<(Arc<Clip>, usize, usize)>,
    fade: usize,
    /// Samples given so far.
    given: u64,
    /// From which of the samples given on it plays from where, the oldest first.
    runs: VecDeque<(u64, usize)>,
}

impl Reel {
    /// Plays the first, or the second, from a sample on; the second one has the rate of the first.
    pub fn new(first: Arc<Clip>, second: Option<Arc<Clip>>, from: usize, hears_second: bool) -> Self {
        let fade = (first.sample_rate_hz as f32 * FADE_S).max(1.0) as usize;
        let other = second.unwrap_or_else(|| first.clone());
        let sides = [first, other];
        let runs = [(0, from)].into();
        Self { sides, second: hears_second, at: from, range: None, tail: None, fade, given: 0, runs }
    }

    /// Samples a second.
    pub fn sample_rate_hz(&self) -> u32 {
        self.sides[0].sample_rate_hz
    }

    /// Goes round in this range, or on to the end.
    pub fn set_loop(&mut self, range: Option<Range<usize>>) {
        self.range = range.filter(|range| !range.is_empty());
    }

    /// Plays the one or the other from here on.
    pub fn switch(&mut self, second: bool) {
        if self.second != second {
            self.fade_out();
            self.second = second;
        }
    }

    /// Plays with another second one, if it is with the same first one.
    pub fn compare(&mut self, first: &Arc<Clip>, second: Option<&Arc<Clip>>, hears_second: bool) -> bool {
        let same = Arc::ptr_eq(&self.sides[0], first);
        if same {
            self.fade_out();
            self.sides[1] = second.unwrap_or(first).clone();
            self.second = hears_second;
        }
        same
    }

    /// Takes over from another one, without a click and at the same time: what that one has given already is not heard
    /// yet.
    pub fn follow(&mut self, before: &mut Self, waiting: u64) {
        let ahead = before.at.saturating_sub(before.heard(waiting)).min(waiting as usize);
        self.jump(self.at + ahead);
        self.tail = Some((before.sides[usize::from(before.second)].clone(), before.at, self.fade));
    }

    fn fade_out(&mut self) {
        self.tail = Some((self.sides[usize::from(self.second)].clone(), self.at, self.fade));
    }

    /// Goes on elsewhere.
    pub fn jump(&mut self, to: usize) {
        self.fade_out();
        self.at = to;
        if self.runs.len() == MOST_RUNS {
            self.runs.pop_front();
        }
        self.runs.push_back((self.given, to));
    }

    /// Appends up to `count` samples; fewer at the end.
    pub fn give(&mut self, count: usize, out: &mut Vec<f32>) {
        for _ in 0..count {
            match self.next() {
                Some(sample) => out.push(sample),
                None => break,
            }
        }
    }

    fn next(&mut self) -> Option<f32> {
        let back = self.range.as_ref().filter(|range| self.at >= range.end.min(self.len())).map(|range| range.start);
        if let Some(start) = back.filter(|start| *start < self.len()) {
            self.jump(start);
        }
        if self.at >= self.len() {
            return None;
        }
        let mut sample = self.sample(self.second, self.at);
        if let Some((clip, at, left)) = self.tail.take() {
            let share = left as f32 / (self.fade + 1) as f32;
            sample += share * (clip.samples.get(at).copied().unwrap_or(0.0) - sample);
            self.tail = (left > 1).then_some((clip, at + 1, left - 1));
        }
        self.at += 1;
        self.given += 1;
        Some(sample)
    }

    fn sample(&self, second: bool, at: usize) -> f32 {
        self.sides[usize::from(second)].samples.get(at).copied().unwrap_or(0.0)
    }

    /// Samples of the longer one.
    fn len(&self) -> usize {
        self.sides[0].samples.len().max(self.sides[1].samples.len())
    }

    /// Whether nothing is left to play.
    pub fn has_ended(&self) -> bool {
        self.at >= self.len() && self.range.as_ref().is_none_or(|range| range.start >= self.len())
    }

    /// The sample that is heard while `waiting` of those given are not heard yet.
    pub fn heard(&mut self, waiting: u64) -> usize {
        let heard = self.given.saturating_sub(waiting);
        while self.runs.get(1).is_some_and(|(begun, _)| *begun <= heard) {
            self.runs.pop_front();
        }
        let (begun, from) = self.runs.front().copied().unwrap_or((0, 0));
        (from + heard.saturating_sub(begun) as usize).min(self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clip(samples: impl IntoIterator<Item = f32>) -> Arc<Clip> {
        Arc::new(Clip { samples: samples.into_iter().collect::<Vec<f32>>().into(), sample_rate_hz: 1_000 })
    }

    fn ramp(len: usize) -> Arc<Clip> {
        clip((0..len).map(|n| n as f32))
    }

    fn give(reel: &mut Reel, count: usize) -> Vec<f32> {
        let mut out = Vec::new();
        reel.give(count, &mut out);
        out
    }

    #[test]
    fn it_plays_to_the_end_and_tells_where_it_is_heard() {
        let mut reel = Reel::new(ramp(100), None, 40, false);
        assert_eq!(give(&mut reel, 20), (40..60).map(|n| n as f32).collect::<Vec<_>>());
        assert_eq!([reel.heard(20), reel.heard(5), reel.heard(0)], [40, 55, 60]);
        assert_eq!(give(&mut reel, 100).len(), 40);
        assert!(reel.has_ended() && give(&mut reel, 1).is_empty());
        assert_eq!(reel.heard(0), 100);
    }

    #[test]
    fn a_loop_goes_round_without_a_jump_in_level() {
        let mut reel = Reel::new(ramp(100), None, 10, false);
        reel.set_loop(Some(10..30));
        let out = give(&mut reel, 60);
        assert_eq!(out.len(), 60);
        assert_eq!((&out[..20], out[39]), (&(10..30).map(|n| n as f32).collect::<Vec<_>>()[..], 29.0));
        // Fades from 30, 31, … to 10, 11, …
        assert!(out[20] > 26.0 && out[20] < 30.0 && out[26] == 16.0, "{:?}", &out[20..27]);
        assert!(out.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 5.0));
        assert_eq!([reel.heard(60), reel.heard(41), reel.heard(40), reel.heard(15)], [10, 29, 10, 15]);
        reel.set_loop(None);
        assert_eq!(give(&mut reel, 1_000).len(), 70);
    }

    #[test]
    fn switching_keeps_the_place_and_fades() {
        let (quiet, loud) = (clip([0.0; 50]), clip([1.0; 80]));
        let mut reel = Reel::new(quiet, Some(loud), 0, false);
        assert_eq!(give(&mut reel, 10), [0.0; 10]);
        reel.switch(true);
        let out = give(&mut reel, 20);
        assert!(out[0] > 0.0 && out[0] < 0.3 && out[..7].windows(2).all(|pair| pair[0] < pair[1]), "{out:?}");
        assert_eq!((&out[6..], reel.heard(0)), (&[1.0; 14][..], 30));
        // The longer one goes on where the shorter one has ended.
        reel.switch(false);
        assert_eq!(give(&mut reel, 100).len(), 50);
        let one = clip([0.5; 200]);
        let mut reel = Reel::new(one.clone(), None, 0, false);
        give(&mut reel, 50);
        assert!(reel.compare(&one, Some(&clip([0.25; 200])), true) && !reel.compare(&ramp(3), None, false));
        let out = give(&mut reel, 50);
        assert!(out.windows(2).all(|pair| pair[0] >= pair[1]) && out[0] < 0.5 && out[20..] == [0.25; 30]);
        // An edited one takes over while 20 samples are not heard yet.
        let mut next = Reel::new(clip([-0.25; 200]), None, 80, false);
        next.follow(&mut reel, 20);
        let out = give(&mut next, 50);
        assert!(out[0] > 0.0 && out.windows(2).all(|pair| pair[0] >= pair[1]), "{out:?}");
        assert_eq!((next.heard(50), next.heard(0)), (100, 150));
        let mut reel = Reel::new(ramp(10), None, 0, false);
        reel.jump(5_000);
        assert!(give(&mut reel, 5).is_empty() && reel.has_ended());
        reel.set_loop(Some(2..1_000));
        assert!(!reel.has_ended());
        assert_eq!(give(&mut reel, 100).len(), 100);
    }
}
