//! WAV files as streams: one that grows while it is recorded and is whole after every second, and what the head of one
//! tells without its samples.

use std::{
    fs::File,
    io::{BufWriter, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
};

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

use super::{riff::chunk, wav};
use crate::{Error, Result};

/// The longest list of texts that is read.
const MOST_LIST_BYTES: u64 = 64 << 20;
/// Chunks that are looked at.
const MOST_CHUNKS: usize = 1_000;
/// Samples that fit into a file: 4 GB of 32-bit floats, and room for texts.
const MOST_SAMPLES: u64 = (u32::MAX as u64 - (1 << 20)) / 4;

/// A mono WAV of 32-bit floats that is being recorded.
pub struct Growing {
    writer: WavWriter<BufWriter<File>>,
    path: std::path::PathBuf,
    flushed_at: u64,
    len: u64,
    sample_rate_hz: u32,
}

impl Growing {
    /// Begins a file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(path: &Path, sample_rate_hz: u32) -> Result<Self> {
        let spec = WavSpec {
            channels: 1,
            sample_rate: sample_rate_hz,
            bits_per_sample: 32,
            sample_format: SampleFormat::Float,
        };
        let writer = WavWriter::create(path, spec).map_err(|why| failed(path, why))?;
        let mut growing = Self { writer, path: path.to_owned(), flushed_at: 0, len: 0, sample_rate_hz };
        growing.flush()?;
        Ok(growing)
    }

    /// Appends samples; what is on the disk is a whole file again after every second of them.
    ///
    /// # Errors
    /// When the disk is full, or the file has 4 GB.
    pub fn push(&mut self, samples: &[f32]) -> Result<()> {
        if self.len + samples.len() as u64 > MOST_SAMPLES {
            return Err(Error::new(
                "The recording has reached 4 GB, the most a WAV file can hold; it was kept. Record on in another take.",
                "录音已达到 WAV 文件的 4 GB 上限并已保存；请在新的录音中继续。",
            ));
        }
        let written = samples.iter().try_for_each(|sample| self.writer.write_sample(*sample));
        written.map_err(|why| failed(&self.path, why))?;
        self.len += samples.len() as u64;
        if self.len - self.flushed_at >= u64::from(self.sample_rate_hz) {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.flushed_at = self.len;
        self.writer.flush().map_err(|why| failed(&self.path, why))
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When it cannot be written; what was flushed stays.
    pub fn end(self) -> Result<()> {
        self.writer.finalize().map_err(|why| failed(&self.path, why))
    }
}

/// Appends a recipe to a WAV that has none, as its comment.
///
/// # Errors
/// When it cannot be written.
pub fn append_recipe(path: &Path, recipe: &str) -> Result<()> {
    let mut list = Vec::new();
    chunk(&mut list, b"LIST", &wav::info(recipe));
    let appended = || -> std::io::Result<()> {
        let mut file = File::options().read(true).write(true).open(path)?;
        let len = file.seek(SeekFrom::End(0))?;
        file.write_all(&list)?;
        // Last, so that what a reader sees is whole before and after.
        let size = u32::try_from(len + list.len() as u64 - 8).unwrap_or(u32::MAX);
        file.seek(SeekFrom::Start(4))?;
        file.write_all(&size.to_le_bytes())?;
        file.sync_all()
    };
    appended().map_err(|why| Error::file(("save", "保存"), path, &why))
}

fn failed(path: &Path, why: hound::Error) -> Error {
    match why {
        hound::Error::IoError(why) => Error::file(("record into", "录入"), path, &why),
        why => Error::new(
            format!("Could not record into “{}”: {why}.", path.display()),
            format!("无法录入“{}”：{why}。", path.display()),
        ),
    }
}

/// What the head of a WAV tells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Head {
    /// Frames a second.
    pub sample_rate_hz: u32,
    /// Samples a frame.
    pub channels: u16,
    /// Frames in all.
    pub frames: u64,
    /// The comment, where the studio keeps its recipe.
    pub comment: Option<String>,
}

/// Looks at a file's chunks, not at its samples.
///
/// # Errors
/// When it cannot be read or is no WAV.
pub fn head(path: &Path) -> Result<Head> {
    let read = || -> std::io::Result<Option<Head>> {
        let mut file = File::open(path)?;
        let len = file.metadata()?.len();
        let mut begin = [0; 12];
        file.read_exact(&mut begin)?;
        if !wav::is_wav(&begin) {
            return Ok(None);
        }
        let (mut head, mut frame_bytes, mut at, mut samples_at) = (Head::default(), 0_u64, 12_u64, None);
        for _ in 0..MOST_CHUNKS {
            let mut chunk = [0; 8];
            if at + 8 > len || file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(&mut chunk)).is_err() {
                break;
            }
            let [a, b, c, d, e, f, g, h] = chunk;
            let size = u64::from(u32::from_le_bytes([e, f, g, h]));
            let there = size.min(len - at - 8);
            match &[a, b, c, d] {
                b"fmt " if size >= 16 => {
                    let mut format = [0; 16];
                    file.read_exact(&mut format)?;
                    head.channels = u16::from_le_bytes([format[2], format[3]]);
                    head.sample_rate_hz = u32::from_le_bytes([format[4], format[5], format[6], format[7]]);
                    frame_bytes = u64::from(u16::from_le_bytes([format[12], format[13]]));
                }
                // The first one, which is read.
                b"data" if frame_bytes > 0 && samples_at.is_none() => {
                    samples_at = Some(at);
                    head.frames = there / frame_bytes;
                }
                b"LIST" if there == size && size <= MOST_LIST_BYTES && head.comment.is_none() => {
                    // As a file of its own, which the reader of texts takes.
                    let mut list = begin.to_vec();
                    list.extend_from_slice(&chunk);
                    (&mut file).take(size).read_to_end(&mut list)?;
                    head.comment = wav::comment(&list);
                }
                _ => {}
            }
            at += 8 + size + size % 2;
        }
        Ok((head.channels > 0 && head.sample_rate_hz > 0).then_some(head))
    };
    let none = || {
        let name = path.display();
        Error::new(format!("“{name}” is no WAV file; choose another one."), format!("“{name}”不是 WAV 文件，请另选。"))
    };
    read().map_err(|why| Error::file(("open", "打开"), path, &why))?.ok_or_else(none)
}

/// The samples of a WAV that [`wav::read`] reads, its channels mixed, without holding the file in memory.
///
/// # Errors
/// When it cannot be read, is of a rarer kind, or has more than `most` frames.
pub fn mono(path: &Path, most: u64) -> Result<Vec<f32>> {
    let failed = |why: hound::Error| match why {
        hound::Error::IoError(why) => Error::file(("read", "读取"), path, &why),
        why => Error::new(
            format!("“{}” is no WAV that can be read: {why}; save it as a plain PCM WAV.", path.display()),
            format!("无法读取 WAV“{}”：{why}；请另存为普通 PCM WAV。", path.display()),
        ),
    };
    let len = std::fs::metadata(path).map_err(|why| Error::file(("open", "打开"), path, &why))?.len();
    let mut reader = WavReader::open(path).map_err(failed)?;
    let WavSpec { channels, bits_per_sample, sample_format, .. } = reader.spec();
    // No more than the file can hold, whatever it says.
    let frame_bytes = u64::from(channels.max(1)) * u64::from(bits_per_sample.div_ceil(8).max(1));
    let frames = u64::from(reader.duration()).min(len / frame_bytes);
    if frames > most {
        return Err(failed(hound::Error::TooWide));
    }
    let samples = match sample_format {
        SampleFormat::Float => mixed(reader.samples::<f32>(), channels, frames as usize),
        SampleFormat::Int => {
            let scale = 2.0_f64.powi(i32::from(bits_per_sample) - 1).recip();
            let samples = reader.samples::<i32>().map(|sample| Ok((f64::from(sample?) * scale) as f32));
            mixed(samples, channels, frames as usize)
        }
    };
    samples.map_err(failed)
}

/// The mean of each frame.
fn mixed(samples: impl Iterator<Item = hound::Result<f32>>, channels: u16, frames: usize) -> hound::Result<Vec<f32>> {
    let mut out = Vec::with_capacity(frames);
    if channels == 1 {
        for sample in samples {
            out.push(sample?);
        }
        return Ok(out);
    }
    let mut frame = Vec::with_capacity(usize::from(channels));
    for sample in samples {
        frame.push(sample?);
        if frame.len() == usize::from(channels) {
            out.push(frame.iter().sum::<f32>() / f32::from(channels));
            frame.clear();
        }
    }
    Ok(out)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests put damaged files in place")]
mod tests {
    use super::*;
    use crate::formats::wav::Depth;

    #[test]
    fn channels_are_mixed_as_they_are_of_a_file_in_memory() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("sound.wav");
        let samples: Vec<f32> = (0..600).map(|n| (n as f32 * 0.7).sin() * 0.8).collect();
        for (channels, depth) in [(1, Depth::Float32), (2, Depth::Int16), (3, Depth::Int24), (6, Depth::Float32)] {
            let bytes = wav::encode(&samples, (8_000, channels), depth, None).expect("WAV");
            std::fs::write(&path, &bytes).expect("written");
            let frames = 600 / u64::from(channels);
            assert_eq!(mono(&path, frames).expect("reads"), wav::read(&bytes).expect("reads").mono(), "{channels}");
            assert!(mono(&path, frames - 1).is_err(), "too long");
            std::fs::write(&path, &bytes[..bytes.len() - 9]).expect("written");
            assert!(mono(&path, frames).is_err(), "cut short");
        }
    }

    #[test]
    fn a_recording_is_a_whole_file_after_every_second() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("take.wav");
        let mut growing = Growing::create(&path, 1_000).expect("begins");
        assert_eq!(wav::read(&std::fs::read(&path).expect("bytes")).expect("a WAV").samples, [0.0; 0]);
        let samples: Vec<f32> = (0..2_500).map(|n| n as f32 * 1e-3).collect();
        for piece in samples.chunks(300) {
            growing.push(piece).expect("grows");
        }
        // As a crash would leave it now.
        let left = wav::read(&std::fs::read(&path).expect("bytes")).expect("a WAV");
        assert!(left.samples.len() >= 2_000 && left.samples == samples[..left.samples.len()]);
        growing.end().expect("ends");
        append_recipe(&path, "{\"a\": 1}").expect("appended");
        let file = wav::read(&std::fs::read(&path).expect("bytes")).expect("a WAV");
        assert_eq!((file.samples, file.comment.as_deref()), (samples, Some("{\"a\": 1}")));
        let head = head(&path).expect("a head");
        let want = Head { sample_rate_hz: 1_000, channels: 1, frames: 2_500, comment: Some("{\"a\": 1}".to_owned()) };
        assert_eq!(head, want);
        assert!(Growing::create(&dir.path().join("none/take.wav"), 1_000).is_err());
    }

    #[test]
    fn heads_of_all_depths_and_damaged_files() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("a.wav");
        for depth in [Depth::Int16, Depth::Int24, Depth::Float32] {
            let bytes = wav::encode(&[0.5; 77], (44_100, 1), depth, Some(("recipe", "id"))).expect("WAV");
            std::fs::write(&path, &bytes).expect("written");
            let found = head(&path).expect("a head");
            assert_eq!((found.frames, found.sample_rate_hz, found.comment.as_deref()), (77, 44_100, Some("recipe")));
            for cut in 0..bytes.len() {
                std::fs::write(&path, &bytes[..cut]).expect("written");
                let _ = head(&path);
            }
        }
        std::fs::write(&path, b"RIFF\x04\0\0\0WAVE").expect("written");
        assert!(head(&path).expect_err("empty").to_string().contains("no WAV"));
        std::fs::write(&path, b"text").expect("written");
        assert!(head(&path).is_err());
    }
}
