//! The takes worker: lists the takes that are kept, opens sound files, edits takes and runs them through amplifiers. None
//! of it holds up what is being played, nor the saving of files.

use std::{
    collections::BTreeMap,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, UNIX_EPOCH},
};

use crossbeam_channel::Receiver;
use serde::{Deserialize, Serialize};

use super::{
    Event, JobKind, Outcome, UiCommand,
    jobs::{Jobs, Ticket},
    outbox::Outbox,
};
use crate::{
    Error, Result,
    audio::{Clip, Converter},
    crash, files,
    formats::{audio, flac, wav_stream},
    generate::{amp::Amp, audio::MOST_SAMPLES},
    recipe::{Origin, Recipe, RecordingRecipe, SoundRecipe, Source, own_recipe, sha256_of_samples, sound_recipe},
};

/// Where names and stars are kept, beside the takes.
pub const MARKS: &str = "takes.json";
/// The largest file that is opened: two hours of 32 bits at 48 kHz, in stereo.
const MOST_BYTES: u64 = 3 << 30;
/// The file that windows lock while they change those.
const LOCK: &str = ".takes.lock";
const MOST_MARKS_BYTES: u64 = 16 << 20;
/// Takes that are listed.
const MOST_TAKES: usize = 10_000;
/// Between two reports of how far something is.
const REPORT: Duration = Duration::from_millis(50);

/// What the user has said about a take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TakeMark {
    /// Its name, if it was given one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Whether it is marked.
    pub starred: bool,
}

/// A take that is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct TakeFile {
    /// Where.
    pub path: PathBuf,
    /// How long it is.
    pub seconds: f64,
    /// When it was kept, in milliseconds since 1970.
    pub kept_ms: u64,
    /// How it came to be.
    pub kind: TakeKind,
    /// Whether something was done to it since.
    pub changed: bool,
    /// What the user has said about it.
    pub mark: TakeMark,
}

/// How a take came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakeKind {
    /// A model made it.
    Made,
    /// It was recorded.
    Recorded,
    /// It was opened from a file.
    Opened,
}

impl TakeKind {
    /// Of what a recipe tells.
    pub fn of(recipe: &SoundRecipe) -> Self {
        match recipe {
            SoundRecipe::Made(_) => Self::Made,
            SoundRecipe::Recorded(RecordingRecipe { source: Source { origin: Origin::Input, .. }, .. }) => {
                Self::Recorded
            }
            SoundRecipe::Recorded(_) => Self::Opened,
        }
    }
}

/// A capture of an amplifier, for the window.
#[derive(Clone, Debug, PartialEq)]
pub struct CaptureInfo {
    /// Its file.
    pub path: PathBuf,
    /// What it calls itself, or the name of its file.
    pub name: String,
    /// SHA-256 of its file.
    pub sha256: String,
    /// Whether it tells its loudness, which normalising needs.
    pub has_loudness: bool,
}

pub(super) struct Worker {
    outbox: Outbox,
    jobs: Arc<Jobs>,
}

impl Worker {
    pub(super) fn new(outbox: Outbox, jobs: Arc<Jobs>) -> Self {
        Self { outbox, jobs }
    }

    /// Works until `queue` is closed and empty.
    pub(super) fn run(self, queue: &Receiver<Ticket>) {
        for Ticket { job, command, cancel } in queue {
            let outcome = if cancel.load(Ordering::Relaxed) {
                Outcome::Cancelled
            } else {
                self.outbox.send(Event::Started { job, kind: JobKind::Takes });
                match catch_unwind(AssertUnwindSafe(|| self.work(command, &cancel))) {
                    Ok(Ok(Some(event))) => {
                        self.outbox.send(event);
                        Outcome::Finished
                    }
                    Ok(Ok(None)) if cancel.load(Ordering::Relaxed) => Outcome::Cancelled,
                    Ok(Ok(None)) => Outcome::Finished,
                    Ok(Err(error)) => Outcome::Failed(error),
                    Err(payload) => Outcome::Failed(crash::caught(("the work on a take", "处理录音"), payload)),
                }
            };
            self.jobs.leave(job);
            self.outbox.ended(job, outcome);
        }
    }

    /// The answer to a command, if there is one; `None` also when it was cancelled.
    fn work(&self, command: UiCommand, cancel: &AtomicBool) -> Result<Option<Event>> {
        Ok(match command {
            UiCommand::ReadTakes { job, folder } => read(&folder, cancel)?.map(|takes| Event::TakesRead { job, takes }),
            UiCommand::OpenTake { job, path, rate_hz, foreign } => {
                let (clip, mut recipe) = open(&path)?;
                if foreign && matches!(recipe, SoundRecipe::Recorded(_)) {
                    recipe = recorded(&path, &clip, Origin::File);
                }
                let clip = match rate_hz {
                    Some(rate) => at_rate(&clip, rate)?,
                    None => clip,
                };
                Some(Event::TakeOpened { job, path, clip: Arc::new(clip), recipe: Box::new(recipe) })
            }
            UiCommand::ChangeTake { job, clip, step } => {
                let mut reported = Instant::now();
                let changed = step.apply(&clip, &mut |done| {
                    if reported.elapsed() >= REPORT {
                        reported = Instant::now();
                        self.outbox.send(Event::TakeProgress { job, done });
                    }
                    !cancel.load(Ordering::Relaxed)
                })?;
                changed.map(|clip| Event::TakeChanged { job, clip: Arc::new(clip) })
            }
            UiCommand::SealTake { job, path, clip } => {
                let recipe = recorded(&path, &clip, Origin::Input);
                let whole = Recipe::of_sound(&clip.samples, recipe.clone());
                let text = String::from_utf8(whole.to_json()?).unwrap_or_default();
                wav_stream::append_recipe(&path, text.trim_end())?;
                Some(Event::TakeSealed { job, path, recipe: Box::new(recipe) })
            }
            UiCommand::MarkTakes { folder, marks, .. } => {
                mark(&folder, marks)?;
                // There is nothing to tell.
                None
            }
            UiCommand::OpenCapture { job, path } => {
                let amp = Amp::open(&path, 1.0)?;
                let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
                let name = amp.metadata().name.clone().filter(|name| !name.trim().is_empty()).unwrap_or(stem);
                let (sha256, has_loudness) = (amp.sha256().to_owned(), amp.metadata().loudness.is_some());
                let capture = CaptureInfo { path, name, sha256, has_loudness };
                Some(Event::CaptureOpened { job, capture: Box::new(capture) })
            }
            // `Engine::send` hands over no other commands.
            _ => None,
        })
    }
}

/// The takes in a folder, newest first; `None` when it was cancelled.
fn read(folder: &Path, cancel: &AtomicBool) -> Result<Option<Vec<TakeFile>>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        // Nothing was kept yet.
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(Some(Vec::new())),
        Err(why) => return Err(Error::file(("open", "打开"), folder, &why)),
    };
    // Damaged marks are as good as none: the takes themselves are there.
    let marks = files::read_text(&folder.join(MARKS), MOST_MARKS_BYTES).ok();
    let mut marks: BTreeMap<String, TakeMark> =
        marks.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let wav = |path: &PathBuf| path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("wav"));
    let mut takes = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()).filter(wav) {
        if cancel.load(Ordering::Relaxed) {
            return Ok(None);
        }
        // Other files may lie there, and damaged ones; they stay where they are.
        let Ok(head) = wav_stream::head(&path) else { continue };
        let recipe = head.comment.and_then(|text| sound_recipe(&text, &path));
        let kept = fs::metadata(&path).and_then(|meta| meta.modified()).ok();
        let kept = kept.and_then(|kept| kept.duration_since(UNIX_EPOCH).ok());
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        takes.push(TakeFile {
            seconds: head.frames as f64 / f64::from(head.sample_rate_hz),
            kept_ms: named_ms(&name).or(kept.map(|kept| kept.as_millis() as u64)).unwrap_or(0),
            kind: recipe.as_ref().map_or(TakeKind::Recorded, TakeKind::of),
            changed: recipe.is_some_and(|recipe| !recipe.steps().is_empty()),
            mark: marks.remove(&name).unwrap_or_default(),
            path,
        });
    }
    takes.sort_by(|a, b| b.kept_ms.cmp(&a.kept_ms).then_with(|| b.path.cmp(&a.path)));
    takes.truncate(MOST_TAKES);
    Ok(Some(takes))
}

/// Changes what is said about some takes in the file beside them, as it is now: other windows may have written it.
fn mark(folder: &Path, changes: BTreeMap<String, TakeMark>) -> Result<()> {
    fs::create_dir_all(folder).map_err(|why| Error::file(("create", "创建"), folder, &why))?;
    let lock = fs::File::options().create(true).append(true).open(folder.join(LOCK));
    // It is let go when it is closed. Where nothing can be locked, it is done all the same.
    let _locked = lock.ok().filter(|lock| lock.lock().is_ok());
    let path = folder.join(MARKS);
    let mut marks: BTreeMap<String, TakeMark> = BTreeMap::new();
    if path.exists() {
        match serde_json::from_slice(&files::read_bytes(&path, MOST_MARKS_BYTES)?) {
            Ok(known) => marks = known,
            Err(_) => set_aside(&path)?,
        }
    }
    for (name, mark) in changes {
        if mark == TakeMark::default() {
            marks.remove(&name);
        } else {
            marks.insert(name, mark);
        }
    }
    files::write_whole(&path, &serde_json::to_vec_pretty(&marks).unwrap_or_default())
}

/// Moves a file that cannot be read out of the way, so that nothing is written over it.
fn set_aside(path: &Path) -> Result<()> {
    let aside = files::free_path(&path.with_extension("damaged.json"), |path| !path.exists());
    fs::rename(path, &aside).map_err(|why| Error::file(("set aside", "移开"), path, &why))
}

/// When a take was kept, by its name `take-1795806308564.wav`.
fn named_ms(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("take-")?;
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

/// A sound file as a take: its channels mixed, and the recipe that makes it again. A file without one, or one that was
/// changed since, or rounded, is a recording of its own.
fn open(path: &Path) -> Result<(Clip, SoundRecipe)> {
    let (samples, sample_rate_hz, comment) = mono(path)?;
    let samples: Vec<f32> = samples.into_iter().map(|sample| if sample.is_finite() { sample } else { 0.0 }).collect();
    let clip = Clip { samples: samples.into(), sample_rate_hz };
    let own = comment.and_then(|comment| own_recipe(&comment, path)).and_then(Result::ok);
    let own = own.filter(|recipe| recipe.sha256 == sha256_of_samples(&clip.samples));
    let recipe = own.and_then(|recipe| SoundRecipe::of(recipe.work));
    let recipe = recipe.unwrap_or_else(|| recorded(path, &clip, Origin::File));
    Ok((clip, recipe))
}

/// Frames of a sound that is opened: four hours at 48 kHz, since somebody may have recorded for longer than pieces are made.
const MOST_FRAMES: u64 = 2 * MOST_SAMPLES;

/// The samples of a file, its channels mixed, their rate, and its comment. A WAV is read piece by piece, for it may be
/// long.
fn mono(path: &Path) -> Result<(Vec<f32>, u32, Option<String>)> {
    let check = |rate_hz: u32, frames: u64| {
        let is_sensible = (1_000..=768_000).contains(&rate_hz) && frames <= MOST_FRAMES;
        if is_sensible { Ok(()) } else { Err(too_long(path)) }
    };
    if let Ok(head) = wav_stream::head(path) {
        check(head.sample_rate_hz, head.frames)?;
        // What cannot be read like that may be a WAV of a rarer kind.
        if let Ok(samples) = wav_stream::mono(path, MOST_FRAMES) {
            return Ok((samples, head.sample_rate_hz, head.comment));
        }
    }
    let bytes = if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("flac")) {
        Some(files::read_bytes(path, MOST_BYTES)?).filter(|bytes| flac::is_flac(bytes))
    } else {
        None
    };
    let sound = match bytes {
        Some(bytes) => flac::read(&bytes)?,
        None => audio::open(path)?,
    };
    check(sound.sample_rate_hz, (sound.samples.len() / usize::from(sound.channels.max(1))) as u64)?;
    let (rate_hz, comment) = (sound.sample_rate_hz, sound.comment.clone());
    let samples = if sound.channels == 1 { sound.samples } else { sound.mono() };
    Ok((samples, rate_hz, comment))
}

fn too_long(path: &Path) -> Error {
    let name = path.display();
    Error::new(
        format!(
            "“{name}” is longer than four hours at 48 kHz, or its rate is not between 1,000 and 768,000 Hz; split or convert it first."
        ),
        format!("“{name}”超过四小时（48 kHz），或采样率不在 1,000 至 768,000 Hz 之间；请先拆分或转换。"),
    )
}

/// The recipe of a recording that is in this file.
fn recorded(path: &Path, clip: &Clip, origin: Origin) -> SoundRecipe {
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let source = Source { origin, file, sha256: sha256_of_samples(&clip.samples) };
    SoundRecipe::Recorded(RecordingRecipe { source, sample_rate_hz: clip.sample_rate_hz, steps: Vec::new() })
}

/// The same sound at another rate.
fn at_rate(clip: &Clip, rate_hz: u32) -> Result<Clip> {
    let mut converter = Converter::new(clip.sample_rate_hz, rate_hz)?;
    let mut samples = Vec::with_capacity(clip.samples.len());
    converter.push(&clip.samples, &mut samples)?;
    converter.finish(&mut samples)?;
    Ok(Clip { samples: samples.into(), sample_rate_hz: rate_hz })
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests put files in place")]
mod tests {
    use super::*;
    use crate::formats::wav::{self, Depth};

    static GO: AtomicBool = AtomicBool::new(false);

    #[test]
    fn takes_are_listed_newest_first_with_what_was_said_about_them() {
        let dir = tempfile::tempdir().expect("temporary folder");
        assert_eq!(read(&dir.path().join("none"), &GO).expect("no folder"), Some(Vec::new()));
        for (name, count) in [("take-5.wav", 100), ("take-7.wav", 200), ("take-6-edited.WAV", 50)] {
            let bytes = wav::encode(&vec![0.1; count], (1_000, 1), Depth::Float32, None).expect("WAV");
            std::fs::write(dir.path().join(name), bytes).expect("written");
        }
        std::fs::write(dir.path().join("take-9.wav"), "no WAV").expect("written");
        std::fs::write(dir.path().join(MARKS), r#"{"take-5.wav":{"title":"Tune","starred":true}}"#).expect("written");
        let takes = read(dir.path(), &GO).expect("reads").expect("to the end");
        let told: Vec<_> = takes.iter().map(|take| (take.kept_ms, take.seconds, take.mark.starred)).collect();
        assert_eq!(told, [(7, 0.2, false), (6, 0.05, false), (5, 0.1, true)]);
        assert_eq!(takes[2].mark.title.as_deref(), Some("Tune"));
        assert_eq!(read(dir.path(), &AtomicBool::new(true)).expect("reads"), None);
    }

    #[test]
    fn any_wav_opens_and_what_was_rounded_is_a_recording() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("a.wav");
        let stereo =
            wav::encode(&[0.5, 0.0, -1.0, 0.5, f32::NAN, 0.0], (44_100, 2), Depth::Float32, None).expect("WAV");
        std::fs::write(&path, stereo).expect("written");
        let (clip, recipe) = open(&path).expect("opens");
        assert_eq!((&clip.samples[..], clip.sample_rate_hz), (&[0.25, -0.25, 0.0][..], 44_100));
        let SoundRecipe::Recorded(recipe) = recipe else { panic!("no model made it") };
        assert_eq!((recipe.source.origin, recipe.source.file.as_str()), (Origin::File, "a.wav"));
        assert_eq!(recipe.source.sha256, sha256_of_samples(&clip.samples));
        let half = at_rate(&clip, 22_050).expect("converts");
        assert_eq!((half.samples.len(), half.sample_rate_hz), (2, 22_050));

        // As it is kept it is known again; rounded it is another sound.
        let samples = [0.1_f32, 0.2, 0.3];
        let made = recorded(&path, &Clip { samples: samples.to_vec().into(), sample_rate_hz: 16_000 }, Origin::Input);
        let recipe = Recipe::of_sound(&samples, made.clone());
        std::fs::write(&path, recipe.to_wav(&samples, 16_000, Depth::Float32).expect("WAV")).expect("written");
        assert_eq!(open(&path).expect("opens").1, made);
        std::fs::write(&path, recipe.to_wav(&samples, 16_000, Depth::Int16).expect("WAV")).expect("written");
        assert_eq!(TakeKind::of(&open(&path).expect("opens").1), TakeKind::Opened);
        std::fs::write(&path, "text").expect("written");
        assert!(open(&path).is_err());
    }

    #[test]
    fn sounds_of_every_kind_that_is_offered_open() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/audio");
        let mut kinds = Vec::new();
        for file in std::fs::read_dir(folder).expect("fixtures").flatten().map(|file| file.path()) {
            let kind = file.extension().unwrap_or_default().to_string_lossy().into_owned();
            if audio::ENDINGS.contains(&kind.as_str()) {
                let (clip, recipe) = open(&file).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
                assert!(clip.samples.iter().any(|sample| sample.abs() > 0.01), "{}", file.display());
                assert_eq!(TakeKind::of(&recipe), TakeKind::Opened);
                kinds.push(kind);
            }
        }
        assert!(["flac", "ogg", "mp3"].iter().all(|kind| kinds.iter().any(|known| known == kind)), "{kinds:?}");
    }

    #[test]
    fn what_is_longer_than_four_hours_is_refused_unread() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("long.wav");
        let bytes_of_samples = u32::try_from(2 * (MOST_FRAMES + 1)).expect("fits into a file");
        let mut bytes = wav::encode(&[], (1_000, 1), Depth::Int16, None).expect("WAV");
        let at = bytes.len() - 4;
        bytes[at..].copy_from_slice(&bytes_of_samples.to_le_bytes());
        std::fs::write(&path, &bytes).expect("written");
        let file = std::fs::File::options().write(true).open(&path).expect("a file");
        file.set_len(bytes.len() as u64 + u64::from(bytes_of_samples)).expect("longer, and empty");
        assert!(open(&path).expect_err("refused").to_string().contains("four hours"));
    }

    #[test]
    fn what_is_said_about_some_takes_leaves_the_others_alone() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let folder = dir.path().join("sounds");
        let marked = |title: &str| TakeMark { title: Some(title.to_owned()), starred: true };
        let kept = |folder: &Path| std::fs::read_to_string(folder.join(MARKS)).expect("marks");
        mark(&folder, BTreeMap::from([("a.wav".to_owned(), marked("A")), ("b.wav".to_owned(), marked("B"))]))
            .expect("marked");
        mark(&folder, BTreeMap::from([("c.wav".to_owned(), marked("C")), ("b.wav".to_owned(), TakeMark::default())]))
            .expect("marked");
        let known: BTreeMap<String, TakeMark> = serde_json::from_str(&kept(&folder)).expect("JSON");
        assert_eq!(known.keys().collect::<Vec<_>>(), ["a.wav", "c.wav"]);
        // A damaged file is set aside, also one that is no text.
        std::fs::write(folder.join(MARKS), b"{\"a.wav\": \xFF").expect("written");
        mark(&folder, BTreeMap::from([("d.wav".to_owned(), marked("D"))])).expect("marked");
        assert!(kept(&folder).contains("d.wav") && !kept(&folder).contains("a.wav"));
        let aside = std::fs::read(folder.join("takes.damaged.json")).expect("set aside");
        assert_eq!(aside, b"{\"a.wav\": \xFF");
    }
}
