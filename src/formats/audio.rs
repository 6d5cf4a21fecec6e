//! Sound files of anybody: WAV, FLAC, Ogg Vorbis and MP3, as the crate `symphonia` decodes them; and which kind of file a
//! sound is saved as.

use std::{
    fs::File,
    io::{Cursor, ErrorKind},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use symphonia::core::{
    codecs::{CodecParameters, audio::AudioDecoder, audio::AudioDecoderOptions},
    common::Limit,
    errors::Error as Refusal,
    formats::{FormatOptions, FormatReader, Track, TrackType, probe::Hint},
    io::{MediaSource, MediaSourceStream},
    meta::MetadataOptions,
};

use super::{
    flac,
    wav::{self, Depth},
};
use crate::{Error, Result};

/// Samples that a sound may have, of all channels together: 1 GiB of them.
pub const MOST_SAMPLES: usize = 1 << 28;
/// Seconds that it may last.
pub const MOST_S: u64 = 2 * 3_600;
/// How the names of sound files end that are read.
pub const ENDINGS: [&str; 6] = ["wav", "wave", "flac", "ogg", "oga", "mp3"];
/// Channels that it may have.
const MOST_CHANNELS: usize = 64;
/// Bytes of a text or picture inside a file; what is longer is passed over.
const MOST_TAG_BYTES: usize = 1 << 24;

/// A sound as a file holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Sound {
    /// Frames a second.
    pub sample_rate_hz: u32,
    /// Samples a frame.
    pub channels: u16,
    /// Bits of a sample as it is stored; 32 where they are floats or compressed with losses.
    pub bits: u16,
    /// Frames one after the other, each sample in -1..1 unless stored as floats beyond.
    pub samples: Vec<f32>,
    /// The text in which the studio keeps its recipe: the comment of a WAV, a field of a FLAC; `None` in other files.
    pub comment: Option<String>,
}

impl Sound {
    /// The mean of the channels.
    pub fn mono(&self) -> Vec<f32> {
        let channels = usize::from(self.channels.max(1));
        self.samples.chunks(channels).map(|frame| frame.iter().sum::<f32>() / channels as f32).collect()
    }
}

/// The kinds of file that a sound is saved as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// WAV.
    Wav,
    /// FLAC, which has integers of at most 24 bits.
    Flac,
}

impl Container {
    /// By the ending of the name; a WAV when it has none that belongs to sound.
    ///
    /// # Errors
    /// When it is that of a kind that is only read.
    pub fn of(path: &Path) -> Result<Self> {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        match ending.as_str() {
            "flac" => Ok(Self::Flac),
            "mp3" | "ogg" | "oga" | "opus" | "m4a" | "aac" | "wma" | "aif" | "aiff" | "caf" => Err(Error::new(
                format!("Sound is saved as WAV or FLAC, not as .{ending}; choose a name that ends in .wav or .flac."),
                format!("声音只能保存为 WAV 或 FLAC，不能保存为 .{ending}；请使用以 .wav 或 .flac 结尾的文件名。"),
            )),
            _ => Ok(Self::Wav),
        }
    }

    /// How samples are stored in such a file that are asked for in `depth`.
    pub fn depth(self, depth: Depth) -> Depth {
        match (self, depth) {
            (Self::Flac, Depth::Float32) => Depth::Int24,
            _ => depth,
        }
    }

    /// A file of frames of `channels` samples. With a recipe it carries that and is labelled as generated; `id` names it
    /// there.
    ///
    /// # Errors
    /// When such a file cannot hold it.
    pub fn encode(
        self,
        samples: &[f32],
        (sample_rate_hz, channels): (u32, u16),
        depth: Depth,
        recipe: Option<(&str, &str)>,
    ) -> Result<Vec<u8>> {
        match self {
            Self::Wav => wav::encode(samples, (sample_rate_hz, channels), depth, recipe),
            Self::Flac => flac::encode(samples, (sample_rate_hz, channels), depth, recipe),
        }
    }
}

/// Why a sound is refused.
enum Fault {
    /// The second half of a sentence, in English.
    Unreadable(String),
    TooLong,
    System(std::io::Error),
}

impl From<Refusal> for Fault {
    fn from(why: Refusal) -> Self {
        match why {
            Refusal::IoError(why) if why.kind() == ErrorKind::UnexpectedEof => cut_short(),
            Refusal::IoError(why) => Self::System(why),
            other => Self::Unreadable(other.to_string()),
        }
    }
}

fn cut_short() -> Fault {
    Fault::Unreadable("it is cut short".to_owned())
}

/// Reads the sound at `path`.
///
/// # Errors
/// When it cannot be read, is of no known kind, damaged or cut short, or longer than [`MOST_S`] or [`MOST_SAMPLES`].
pub fn open(path: &Path) -> Result<Sound> {
    let failed = |why: std::io::Error| Error::file(("open", "打开"), path, &why);
    let name = format!("“{}”", path.display());
    let meta = std::fs::metadata(path).map_err(failed)?;
    if !meta.is_file() {
        return Err(sentence(&name, &Fault::Unreadable("it is not an ordinary file".to_owned())));
    }
    let file = File::open(path).map_err(failed)?;
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    match decode(Box::new(file), ending.as_deref()) {
        Err(Fault::System(why)) => Err(failed(why)),
        other => other.map_err(|why| sentence(&name, &why)),
    }
}

/// Reads the sound of a file's bytes.
///
/// # Errors
/// As [`open`].
pub fn read(bytes: &[u8]) -> Result<Sound> {
    decode(Box::new(Cursor::new(bytes)), None).map_err(|why| sentence("This", &why))
}

/// What is wrong with the file `name`.
fn sentence(name: &str, why: &Fault) -> Error {
    let zh = if name.starts_with('“') { name } else { "该文件" };
    match why {
        Fault::Unreadable(why) => Error::new(
            format!(
                "{name} is no WAV, FLAC, Ogg Vorbis or MP3 that can be read ({why}); save it as a plain PCM WAV and try again."
            ),
            format!("{zh}不是可读取的 WAV、FLAC、Ogg Vorbis 或 MP3（{why}）；请另存为普通 PCM WAV 后重试。"),
        ),
        Fault::System(why) => Error::new(
            format!("{name} could not be read to its end: {why}; try again."),
            format!("{zh}未能完整读取：{why}；请重试。"),
        ),
        Fault::TooLong => {
            let (hours, mb) = (MOST_S / 3_600, (MOST_SAMPLES * 4) >> 20);
            Error::new(
                format!(
                    "{name} is longer than the {hours} hours or {mb} MB of samples that are read; cut it into parts."
                ),
                format!("{zh}超过可读取的上限（{hours} 小时或 {mb} MB 采样数据），请先分割。"),
            )
        }
    }
}

/// Decodes a file whose name has this ending.
fn decode<'a>(source: Box<dyn MediaSource + 'a>, ending: Option<&str>) -> Result<Sound, Fault> {
    // What strangers wrote goes through decoders that nobody here wrote: a mistake in one is a damaged file.
    catch_unwind(AssertUnwindSafe(|| decode_all(source, ending)))
        .unwrap_or_else(|_| Err(Fault::Unreadable("its decoder gave up".to_owned())))
}

fn decode_all<'a>(source: Box<dyn MediaSource + 'a>, ending: Option<&str>) -> Result<Sound, Fault> {
    let stream = MediaSourceStream::new(source, Default::default());
    let mut hint = Hint::new();
    if let Some(ending) = ending {
        hint.with_extension(ending);
    }
    let limit = Limit::Maximum(MOST_TAG_BYTES);
    let limits = MetadataOptions::default().limit_tag_bytes(limit).limit_visual_bytes(limit);
    let mut format = symphonia::default::get_probe().probe(&hint, stream, FormatOptions::default(), limits)?;
    let is_exact = matches!(format.format_info().short_name, "wave" | "flac");
    let mut decoding = Decoding::of(format.as_ref())?;
    let due = decoding.due;
    let mut sound = Sound {
        sample_rate_hz: decoding.sample_rate_hz,
        channels: decoding.channels,
        bits: decoding.bits,
        samples: Vec::new(),
        comment: None,
    };
    if due.is_some_and(|frames| frames > sound.most_frames()) {
        return Err(Fault::TooLong);
    }
    let (mut good_packets, mut damaged_packets) = (0_u64, 0_u64);
    loop {
        let packet = match format.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            // Another stream follows, as Ogg files may be chained.
            Err(Refusal::ResetRequired) => {
                decoding = Decoding::of(format.as_ref())?;
                if (decoding.sample_rate_hz, decoding.channels) != (sound.sample_rate_hz, sound.channels) {
                    return Err(Fault::Unreadable("its parts have different rates or channels".to_owned()));
                }
                continue;
            }
            // MP3 and Ogg files may end anywhere.
            Err(Refusal::IoError(why)) if why.kind() == ErrorKind::UnexpectedEof && !is_exact => break,
            Err(why) => return Err(why.into()),
        };
        if packet.track_id != decoding.track_id {
            continue;
        }
        match decoding.decoder.decode(&packet) {
            Ok(decoded) => {
                good_packets += 1;
                let before = sound.samples.len();
                if usize::from(sound.channels) != decoded.spec().channels().count()
                    || sound.sample_rate_hz != decoded.spec().rate()
                {
                    return Err(Fault::Unreadable("its rate or channels change".to_owned()));
                }
                sound.samples.resize(before + decoded.samples_interleaved(), 0.0);
                decoded.copy_to_slice_interleaved(&mut sound.samples[before..]);
            }
            Err(Refusal::DecodeError(_)) if !is_exact => damaged_packets += 1,
            Err(why) => return Err(why.into()),
        }
        if sound.frames() > sound.most_frames() {
            return Err(Fault::TooLong);
        }
    }
    if is_exact && due.is_some_and(|due| sound.frames() < due) {
        return Err(cut_short());
    }
    // A few damaged packets are a moment of silence less; where they are the most, it was no such file.
    if damaged_packets > good_packets {
        return Err(Fault::Unreadable("it is damaged".to_owned()));
    }
    Ok(sound)
}

impl Sound {
    fn frames(&self) -> u64 {
        (self.samples.len() / usize::from(self.channels.max(1))) as u64
    }

    fn most_frames(&self) -> u64 {
        (MOST_S * u64::from(self.sample_rate_hz)).min((MOST_SAMPLES / usize::from(self.channels.max(1))) as u64)
    }
}

/// A track and what decodes it.
struct Decoding {
    track_id: u32,
    decoder: Box<dyn AudioDecoder>,
    sample_rate_hz: u32,
    channels: u16,
    bits: u16,
    /// Frames that the file says it has.
    due: Option<u64>,
}

impl Decoding {
    fn of(format: &dyn FormatReader) -> Result<Self, Fault> {
        let none = || Fault::Unreadable("there is no sound in it".to_owned());
        let track: &Track = format.default_track(TrackType::Audio).ok_or_else(none)?;
        let Some(CodecParameters::Audio(parameters)) = &track.codec_params else { return Err(none()) };
        let channels = parameters.channels.as_ref().map_or(0, |channels| channels.count());
        let sample_rate_hz = parameters.sample_rate.unwrap_or(0);
        if !(1..=MOST_CHANNELS).contains(&channels) || sample_rate_hz == 0 {
            return Err(Fault::Unreadable(format!("it has {channels} channels at {sample_rate_hz} Hz")));
        }
        let decoder =
            symphonia::default::get_codecs().make_audio_decoder(parameters, &AudioDecoderOptions::default())?;
        let is_float = parameters.sample_format.is_some_and(|format| {
            use symphonia::core::audio::sample::SampleFormat;
            matches!(format, SampleFormat::F32 | SampleFormat::F64)
        });
        let bits = parameters.bits_per_sample.filter(|bits| !is_float && *bits < 32).unwrap_or(32);
        Ok(Self {
            track_id: track.id,
            decoder,
            sample_rate_hz,
            channels: channels as u16,
            bits: bits as u16,
            due: track.num_frames,
        })
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests put files in place")]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::Lang;

    fn fixture(name: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/audio").join(name)
    }

    /// How much of a channel's energy lies at a frequency.
    fn share(sound: &Sound, channel: usize, hz: f64) -> f64 {
        let (mut re, mut im, mut energy) = (0.0, 0.0, 0.0);
        for (t, frame) in sound.samples.chunks(usize::from(sound.channels)).enumerate() {
            let (sin, cos) = (std::f64::consts::TAU * hz * t as f64 / f64::from(sound.sample_rate_hz)).sin_cos();
            let sample = f64::from(frame[channel]);
            (re, im, energy) = (re + sample * cos, im + sample * sin, energy + sample * sample);
        }
        2.0 * (re * re + im * im) / energy / sound.frames() as f64
    }

    #[test]
    fn every_kind_is_read_with_its_channels_in_their_places() {
        let dir = tempfile::tempdir().expect("temporary folder");
        for (name, tolerance) in [("tones.flac", 0), ("tones.ogg", 64), ("tones.mp3", 2_400)] {
            // The ending may be missing or wrong, the name in any script.
            let bytes = std::fs::read(fixture(name)).expect("a fixture");
            let renamed = dir.path().join("声音 é.wav");
            std::fs::write(&renamed, &bytes).expect("written");
            let sound = open(&fixture(name)).expect(name);
            assert_eq!(sound, open(&renamed).expect(name));
            assert_eq!(sound, read(&bytes).expect(name));
            assert_eq!((sound.sample_rate_hz, sound.channels), (22_050, 2), "{name}");
            assert!(sound.frames().abs_diff(22_050 / 4) <= tolerance, "{name}: {}", sound.frames());
            let [left, right, crossed] = [share(&sound, 0, 440.0), share(&sound, 1, 660.0), share(&sound, 0, 660.0)];
            assert!(left > 0.98 && right > 0.98 && crossed < 0.02, "{name}: {left} {right} {crossed}");
        }
    }

    #[test]
    fn a_wav_is_read_as_the_studio_itself_reads_it() {
        let samples: Vec<f32> = (0..600).map(|i| (i as f32 * 0.37).sin() * 0.9).collect();
        for depth in [Depth::Int16, Depth::Int24, Depth::Float32] {
            for channels in [1, 2, 3] {
                let bytes = wav::encode(&samples, (8_000, channels), depth, Some(("recipe", "id"))).expect("WAV");
                let other = Sound { comment: None, ..wav::read(&bytes).expect("read") };
                assert_eq!(read(&bytes).expect("read"), other, "{depth:?} {channels}");
                assert!(read(&bytes[..700]).expect_err("cut").to_string().contains("cut short"));
            }
        }
        let silent = wav::encode(&[], (8_000, 1), Depth::Int16, None).expect("WAV");
        assert!(read(&silent).expect("read").samples.is_empty());
    }

    #[test]
    fn what_is_no_sound_or_too_long_is_told_in_a_sentence() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let says = |name: &str, bytes: &[u8], want: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).expect("written");
            let why = open(&path).expect_err(want);
            let (en, zh) = (why.text(Lang::En), why.text(Lang::Zh));
            assert!(en.contains(want) && en.contains(name) && zh.contains(name), "{en}");
            assert!(en.ends_with('.') && zh.ends_with('。') && en.lines().count() == 1, "{en}");
        };
        says("空.wav", b"", "no WAV");
        says("text.mp3", "Words, not sound. ".repeat(400).as_bytes(), "no WAV");
        says("noise.ogg", &(0..9_000_u32).map(|i| (i * i / 7) as u8).collect::<Vec<_>>(), "no WAV");
        let why = open(&dir.path().join("none.wav")).expect_err("missing").to_string();
        assert!(why.contains("no such file"), "{why}");
        assert!(open(dir.path()).expect_err("a folder").to_string().contains("not an ordinary file"));
        // Two hours and a second of silence at 1 kHz: 14 MB.
        let long = wav::encode(&vec![0.0; 7_201 * 1_000], (1_000, 1), Depth::Int16, None).expect("WAV");
        says("long.wav", &long, "cut it into parts");
        // A FLAC that could not be read again is not written.
        assert!(flac::encode(&vec![0.0; 7_201 * 1_000], (1_000, 1), Depth::Int16, None).is_err());
    }

    #[test]
    fn names_tell_what_is_saved() {
        let of = |name: &str| Container::of(Path::new(name)).map_err(|why| why.to_string());
        assert_eq!(
            [of("a.flac"), of("声音.FLAC"), of("a.wav"), of("a")].map(|kind| kind.expect("saved")),
            [Container::Flac, Container::Flac, Container::Wav, Container::Wav]
        );
        assert!(of("a.Mp3").expect_err("refused").contains(".mp3"));
        assert_eq!(Container::Flac.depth(Depth::Float32), Depth::Int24);
    }
}
