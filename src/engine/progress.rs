//! The latest progress, overwritten in place, and the speed over the last moments.

use std::{
    collections::VecDeque,
    sync::Mutex,
    time::{Duration, Instant},
};

use super::{Job, JobKind, Progress, Unit, lock};

/// The latest value; empty while no text job runs.
#[derive(Default)]
pub(super) struct ProgressCell {
    latest: Mutex<Option<Progress>>,
}

impl ProgressCell {
    pub(super) fn get(&self) -> Option<Progress> {
        *lock(&self.latest)
    }

    pub(super) fn clear(&self) {
        *lock(&self.latest) = None;
    }
}

/// Measures one job's way and puts it into the cell.
pub(super) struct Meter<'a> {
    cell: &'a ProgressCell,
    job: Job,
    kind: JobKind,
    unit: Unit,
    speed: Speed,
}

impl<'a> Meter<'a> {
    pub(super) fn new(cell: &'a ProgressCell, job: Job, kind: JobKind, unit: Unit) -> Self {
        let meter = Self { cell, job, kind, unit, speed: Speed::default() };
        meter.store(0, 0, 0.0);
        meter
    }

    /// `done` of `total` (0: unknown) units; speed starts afresh when the unit changes.
    pub(super) fn set(&mut self, unit: Unit, done: u64, total: u64) {
        if unit != self.unit {
            self.unit = unit;
            self.speed = Speed::default();
        }
        let per_second = self.speed.at(Instant::now(), done);
        self.store(done, total, per_second);
    }

    fn store(&self, done: u64, total: u64, per_second: f32) {
        let progress = Progress { job: self.job, kind: self.kind, done, total, unit: self.unit, per_second };
        *lock(&self.cell.latest) = Some(progress);
    }
}

impl Drop for Meter<'_> {
    fn drop(&mut self) {
        self.cell.clear();
    }
}

/// Units a second over the last two seconds.
#[derive(Default)]
struct Speed {
    /// When how many were done, oldest first, at most one a [`Self::STEP`].
    marks: VecDeque<(Instant, u64)>,
}

impl Speed {
    const SPAN: Duration = Duration::from_secs(2);
    const STEP: Duration = Duration::from_millis(50);

    fn at(&mut self, now: Instant, done: u64) -> f32 {
        if self.marks.back().is_none_or(|(at, _)| now.duration_since(*at) >= Self::STEP) {
            self.marks.push_back((now, done));
        }
        // Keep one mark older than the span, so that it is covered whole.
        while self.marks.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= Self::SPAN) {
            self.marks.pop_front();
        }
        let Some((since, from)) = self.marks.front() else { return 0.0 };
        let seconds = now.duration_since(*since).as_secs_f32();
        if seconds > 0.0 { done.saturating_sub(*from) as f32 / seconds } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_is_that_of_the_last_two_seconds() {
        let (start, mut speed) = (Instant::now(), Speed::default());
        let mut last = 0.0;
        for step in 0..100_u64 {
            // Ten a second at first, then a hundred.
            let done = if step <= 50 { step } else { 50 + (step - 50) * 10 };
            last = speed.at(start + Duration::from_millis(step * 100), done);
            assert!(speed.marks.len() < 50);
            if step == 50 {
                assert!((last - 10.0).abs() < 0.1, "{last}");
            }
        }
        assert!((last - 100.0).abs() < 1.0, "{last}");
    }

    #[test]
    fn no_speed_is_known_at_the_start() {
        let mut speed = Speed::default();
        assert_eq!(speed.at(Instant::now(), 5), 0.0);
    }

    #[test]
    fn progress_goes_when_the_job_does() {
        let cell = ProgressCell::default();
        let mut meter = Meter::new(&cell, 7, JobKind::GenerateText, Unit::PromptTokens);
        meter.set(Unit::Tokens, 3, 10);
        let seen = cell.get().expect("a value");
        assert_eq!((seen.job, seen.done, seen.total, seen.unit), (7, 3, 10, Unit::Tokens));
        drop(meter);
        assert_eq!(cell.get(), None);
    }
}
