//! What is known of a sound to draw it: the waveform's pyramid and the spectrogram's tiles.

use super::{pyramid::Pyramid, spectrogram::Spectrogram};

/// Of one sound at a time.
#[derive(Default)]
pub struct Picture {
    number: Option<u64>,
    pub(super) pyramid: Pyramid,
    pub(super) spectrogram: Spectrogram,
}

impl Picture {
    /// Begins anew with another sound.
    pub(super) fn of(&mut self, number: u64) -> &mut Self {
        if self.number != Some(number) {
            self.number = Some(number);
            self.pyramid.clear();
            self.spectrogram.clear();
        }
        self
    }
}
