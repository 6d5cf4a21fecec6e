//! From one sample rate to another, a piece at a time and always with the same result.

use rubato::{Fft, FixedSync, Resampler, WindowFunction, audioadapter_buffers::direct::SequentialSlice};

use crate::{Error, Result};

/// Converts mono sound. What comes out does not depend on how the input is cut into pieces.
pub struct Converter {
    /// `None` when both rates are the same.
    resampler: Option<Fft<f32>>,
    /// Input that does not fill a chunk yet.
    waiting: Vec<f32>,
    /// What one chunk becomes.
    chunk_out: Vec<f32>,
    /// Frames at the start that come from before the first sample.
    delay_left: usize,
    ratio: f64,
    samples_in: u64,
    samples_out: u64,
}

impl Converter {
    /// From `from_hz` to `to_hz`, both in 1,000..=768,000 Hz.
    ///
    /// # Errors
    /// When a rate is outside of that.
    pub fn new(from_hz: u32, to_hz: u32) -> Result<Self> {
        let fits = |rate: u32| (1_000..=768_000).contains(&rate);
        if !fits(from_hz) || !fits(to_hz) {
            return Err(Error::new(
                format!(
                    "Sound cannot be converted from {from_hz} Hz to {to_hz} Hz; rates from 1,000 to 768,000 Hz can."
                ),
                format!("无法将声音从 {from_hz} Hz 转换为 {to_hz} Hz；支持 1,000 至 768,000 Hz。"),
            ));
        }
        let resampler = match from_hz == to_hz {
            true => None,
            false => {
                let made = Fft::new_custom(
                    from_hz as usize,
                    to_hz as usize,
                    chunk(from_hz, to_hz),
                    1,
                    1,
                    WindowFunction::BlackmanHarris2,
                    FixedSync::Input,
                );
                Some(made.map_err(|why| refused(&why))?)
            }
        };
        let (delay_left, room) =
            resampler.as_ref().map_or((0, 0), |made| (made.output_delay(), made.output_frames_max()));
        Ok(Self {
            resampler,
            waiting: Vec::new(),
            chunk_out: vec![0.0; room],
            delay_left,
            ratio: f64::from(to_hz) / f64::from(from_hz),
            samples_in: 0,
            samples_out: 0,
        })
    }

    /// All of a sound.
    ///
    /// # Errors
    /// As [`Self::new`], or when the conversion fails.
    pub fn convert(samples: &[f32], from_hz: u32, to_hz: u32) -> Result<Vec<f32>> {
        let (mut converter, mut out) = (Self::new(from_hz, to_hz)?, Vec::new());
        converter.push(samples, &mut out)?;
        converter.finish(&mut out)?;
        Ok(out)
    }

    /// Takes `samples` and appends to `out` what is ready.
    ///
    /// # Errors
    /// When the conversion fails.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) -> Result<()> {
        self.samples_in += samples.len() as u64;
        if self.resampler.is_none() {
            out.extend_from_slice(samples);
            return Ok(());
        }
        self.waiting.extend_from_slice(samples);
        self.run(out)
    }

    /// Appends what is left after the last sample: `round(samples · ratio)` frames come out in all.
    ///
    /// # Errors
    /// When the conversion fails.
    pub fn finish(&mut self, out: &mut Vec<f32>) -> Result<()> {
        let Some(resampler) = &self.resampler else { return Ok(()) };
        let chunk = resampler.input_frames_next();
        let due = (self.samples_in as f64 * self.ratio).round() as u64;
        while self.samples_out < due {
            let before = out.len();
            self.waiting.resize(self.waiting.len().max(1).next_multiple_of(chunk), 0.0);
            self.run(out)?;
            let over = self.samples_out.saturating_sub(due) as usize;
            out.truncate(out.len().saturating_sub(over).max(before));
        }
        Ok(())
    }

    fn run(&mut self, out: &mut Vec<f32>) -> Result<()> {
        let Some(resampler) = &mut self.resampler else { return Ok(()) };
        let mut start = 0;
        while self.waiting.len() - start >= resampler.input_frames_next() {
            let frames = resampler.input_frames_next();
            let room = self.chunk_out.len();
            let input = SequentialSlice::new(&self.waiting[start..start + frames], 1, frames);
            let output = SequentialSlice::new_mut(&mut self.chunk_out, 1, room);
            let (input, mut output) = (input.map_err(|why| refused(&why))?, output.map_err(|why| refused(&why))?);
            let (taken, made) =
                resampler.process_into_buffer(&input, &mut output, None).map_err(|why| refused(&why))?;
            start += taken;
            let skipped = self.delay_left.min(made);
            self.delay_left -= skipped;
            out.extend_from_slice(&self.chunk_out[skipped..made]);
            self.samples_out += (made - skipped) as u64;
        }
        self.waiting.drain(..start);
        Ok(())
    }
}

/// Frames that are converted at a time: about 16 ms, short enough to be heard at once, long enough for a clean cut-off.
/// Blocks of both rates must fit, twice: the delay of an odd block is half a frame more than the converter says.
fn chunk(from_hz: u32, to_hz: u32) -> usize {
    let (mut a, mut b) = (from_hz, to_hz);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    let block = 2 * (from_hz / a.max(1)) as usize;
    (from_hz as usize / 62).max(64).next_multiple_of(block)
}

fn refused(why: &dyn std::fmt::Display) -> Error {
    Error::new(
        format!("The sample rate could not be converted: {why}; try a device or file with another rate."),
        format!("无法转换采样率：{why}；请换用其他采样率的设备或文件。"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f64, rate: u32, len: usize) -> Vec<f32> {
        (0..len).map(|n| (std::f64::consts::TAU * hz * n as f64 / f64::from(rate)).sin() as f32 * 0.5).collect()
    }

    fn convert(sound: &[f32], from: u32, to: u32, piece: usize) -> Vec<f32> {
        let mut converter = Converter::new(from, to).expect("rates");
        let mut out = Vec::new();
        sound.chunks(piece).for_each(|piece| converter.push(piece, &mut out).expect("convert"));
        converter.finish(&mut out).expect("finish");
        out
    }

    #[test]
    fn a_tone_stays_a_tone_in_time() {
        for (from, to) in [(16_000, 48_000), (16_000, 44_100), (48_000, 16_000), (24_000, 96_000), (44_100, 48_000)] {
            let sound = tone(1_000.0, from, from as usize);
            let out = convert(&sound, from, to, 777);
            assert_eq!(out.len(), to as usize, "{from} to {to}");
            let want = tone(1_000.0, to, to as usize);
            let inner = to as usize / 10..to as usize * 9 / 10;
            let (mut error, mut energy) = (0.0, 0.0);
            for (got, want) in out[inner.clone()].iter().zip(&want[inner]) {
                error += f64::from(got - want).powi(2);
                energy += f64::from(*want).powi(2);
            }
            let decibels = 10.0 * (energy / error).log10();
            assert!(decibels > 80.0, "{from} to {to}: {decibels:.1} dB");
        }
    }

    #[test]
    fn the_pieces_do_not_matter() {
        let sound = tone(440.0, 16_000, 5_001);
        let whole = convert(&sound, 16_000, 44_100, 5_001);
        for piece in [1, 63, 64, 1_000] {
            assert_eq!(convert(&sound, 16_000, 44_100, piece), whole, "{piece}");
        }
        assert_eq!(convert(&sound, 16_000, 16_000, 100), sound);
        assert_eq!(convert(&[], 16_000, 48_000, 1), [0.0; 0]);
        assert!(Converter::new(0, 48_000).is_err());
    }
}
