//! How often background work has the window drawn.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// Sound that is made this many times as fast as it is heard leaves the computer time for every frame.
const EASY: f32 = 3.0;
/// A frame of a 30 Hz screen, which is drawn this many times as seldom at most.
const FRAME_MS: f32 = 33.0;
const MOST: f32 = 4.0;

/// Shared by the workers. Drawing the window can take more than a core where no graphics card does it, and sound cannot
/// wait: the worker that makes it says how fast it is, and the others show what is new as often as that allows.
#[derive(Debug, Default)]
pub(super) struct Frames {
    gap_ms: AtomicU32,
}

impl Frames {
    /// Sound is made at this many times real time, or none is.
    pub(super) fn set_pace(&self, pace: Option<f32>) {
        let gap_ms = pace.filter(|pace| *pace < EASY).map_or(0.0, |pace| FRAME_MS * (EASY / pace.max(0.01)).min(MOST));
        self.gap_ms.store(gap_ms as u32, Ordering::Relaxed);
    }

    /// The time from one frame to the next, `usual` or more.
    pub(super) fn gap(&self, usual: Duration) -> Duration {
        usual.max(Duration::from_millis(self.gap_ms.load(Ordering::Relaxed).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_as_seldom_as_sound_is_slow() {
        let (frames, usual) = (Frames::default(), Duration::from_millis(16));
        let gap = |pace| {
            frames.set_pace(pace);
            frames.gap(usual).as_millis()
        };
        assert_eq!([gap(None), gap(Some(5.0)), gap(Some(3.0))], [16; 3]);
        assert_eq!([gap(Some(1.5)), gap(Some(1.0)), gap(Some(0.0))], [66, 99, 132]);
        assert_eq!(gap(None), 16);
    }
}
