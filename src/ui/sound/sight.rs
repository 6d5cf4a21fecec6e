//! Which part of a take is in sight: zooming and moving, as plain numbers.

use std::ops::Range;

use egui::Rect;

/// The closest look: so many samples to a point.
const CLOSEST: f64 = 1.0 / 16.0;

/// What the user wants to see.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sight {
    /// The first sample in sight and samples a point; `None` shows all.
    part: Option<(f64, f64)>,
}

/// Where samples lie on the screen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// The sample at the left edge.
    pub first: f64,
    /// Samples a point.
    pub per_point: f64,
    /// The left edge.
    pub left: f32,
    /// Points from edge to edge.
    pub width: f32,
}

impl Scale {
    /// Where a sample lies; may be beyond the edges.
    pub fn x(&self, sample: f64) -> f32 {
        self.left + ((sample - self.first) / self.per_point) as f32
    }

    /// The sample at a place, not before the first one.
    pub fn sample(&self, x: f32) -> f64 {
        (self.first + f64::from(x - self.left) * self.per_point).max(0.0)
    }

    /// The samples between the edges.
    pub fn in_sight(&self) -> Range<f64> {
        self.first..self.first + f64::from(self.width) * self.per_point
    }
}

impl Sight {
    /// All of it.
    pub fn show_all(&mut self) {
        self.part = None;
    }

    /// Whether all of it is in sight, however long it grows.
    pub fn shows_all(&self) -> bool {
        self.part.is_none()
    }

    /// How `len` samples lie in `rect`.
    pub fn scale(&self, len: usize, rect: Rect) -> Scale {
        let all = all(len, rect.width());
        let (first, per_point) = self.part.unwrap_or((0.0, all));
        let per_point = per_point.min(all);
        let last = (len as f64 - f64::from(rect.width()) * per_point).max(0.0);
        Scale { first: first.clamp(0.0, last), per_point, left: rect.left(), width: rect.width() }
    }

    /// Comes `factor` times as close, while what is at `x` stays there.
    pub fn zoom(&mut self, factor: f64, x: f32, len: usize, rect: Rect) {
        let (before, all) = (self.scale(len, rect), all(len, rect.width()));
        let per_point = (before.per_point / factor.max(1e-6)).max(CLOSEST);
        if per_point >= all {
            return self.show_all();
        }
        let held = before.sample(x);
        self.set(held - f64::from(x - rect.left()) * per_point, per_point, len, rect);
    }

    /// Moves by so many points.
    pub fn pan(&mut self, points: f32, len: usize, rect: Rect) {
        let Scale { first, per_point, .. } = self.scale(len, rect);
        if self.part.is_some() {
            self.set(first + f64::from(points) * per_point, per_point, len, rect);
        }
    }

    /// Moves so that `sample` is at the left edge.
    pub fn move_to(&mut self, sample: f64, len: usize, rect: Rect) {
        let Scale { per_point, .. } = self.scale(len, rect);
        if self.part.is_some() {
            self.set(sample, per_point, len, rect);
        }
    }

    /// Shows a range from edge to edge.
    pub fn fit(&mut self, range: &Range<usize>, len: usize, rect: Rect) {
        let per_point = (range.len() as f64 / f64::from(rect.width().max(1.0))).max(CLOSEST);
        if per_point >= all(len, rect.width()) {
            return self.show_all();
        }
        self.set(range.start as f64, per_point, len, rect);
    }

    fn set(&mut self, first: f64, per_point: f64, len: usize, rect: Rect) {
        let last = (len as f64 - f64::from(rect.width()) * per_point).max(0.0);
        self.part = Some((first.clamp(0.0, last), per_point));
    }
}

fn all(len: usize, width: f32) -> f64 {
    (len as f64).max(1.0) / f64::from(width.max(1.0))
}

/// About `wanted` seconds as a step that people count in.
pub fn round_step_s(wanted: f64) -> f64 {
    const STEPS: [f64; 21] = [
        0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0,
        60.0, 120.0, 300.0,
    ];
    STEPS.into_iter().find(|step| *step >= wanted).unwrap_or_else(|| (wanted / 600.0).ceil() * 600.0)
}

#[cfg(test)]
mod tests {
    use egui::{pos2, vec2};

    use super::*;

    const LEN: usize = 28_800_000;

    fn rect() -> Rect {
        Rect::from_min_size(pos2(100.0, 0.0), vec2(800.0, 100.0))
    }

    #[test]
    fn what_is_under_the_pointer_stays_there() {
        let mut sight = Sight::default();
        assert_eq!(sight.scale(LEN, rect()).per_point, 36_000.0);
        for x in [150.0, 500.0, 890.0] {
            for _ in 0..20 {
                let before = sight.scale(LEN, rect()).sample(x);
                sight.zoom(1.7, x, LEN, rect());
                let after = sight.scale(LEN, rect());
                assert!((after.sample(x) - before).abs() <= after.per_point * 1e-3 + 1e-3, "{x}");
            }
            assert!(!sight.shows_all());
            for _ in 0..40 {
                sight.zoom(0.5, x, LEN, rect());
            }
            assert!(sight.shows_all());
        }
        for _ in 0..100 {
            sight.zoom(2.0, 900.0, LEN, rect());
        }
        let closest = sight.scale(LEN, rect());
        assert_eq!(closest.per_point, CLOSEST);
        assert!(closest.in_sight().end <= LEN as f64 + 1e-3);
    }

    #[test]
    fn moving_stops_at_the_ends() {
        let mut sight = Sight::default();
        sight.pan(50.0, LEN, rect());
        assert!(sight.shows_all());
        sight.fit(&(1_000..9_000), LEN, rect());
        let scale = sight.scale(LEN, rect());
        assert_eq!((scale.first, scale.per_point), (1_000.0, 10.0));
        assert_eq!((scale.x(1_000.0), scale.x(9_000.0)), (100.0, 900.0));
        sight.pan(-1e9, LEN, rect());
        assert_eq!(sight.scale(LEN, rect()).first, 0.0);
        sight.move_to(f64::from(u32::MAX), LEN, rect());
        assert_eq!(sight.scale(LEN, rect()).in_sight().end, LEN as f64);
        // A shorter take in the same sight.
        assert_eq!(sight.scale(100, rect()).in_sight(), 0.0..100.0);
    }

    #[test]
    fn steps_are_round() {
        assert_eq!([0.003, 0.7, 11.0, 250.0, 900.0].map(round_step_s), [0.005, 1.0, 15.0, 300.0, 1_200.0]);
    }
}
