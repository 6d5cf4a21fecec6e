//! Recordings to learn from: WAV, FLAC, Ogg Vorbis and MP3 files in the folders of their classes.
//!
//! Each is mixed to one channel, brought to the network's rate, freed of silence at its ends, and levelled: its loudest
//! thirtieth of a second has the same root mean square in every file, unless a peak would pass full scale. What the network
//! is told of it comes from a manifest, from the file's name, or from its pitch, as [`audio::pitch`] hears it.

mod listing;
mod strikes;

use std::path::{Path, PathBuf};

use listing::{Entry, Given};

use super::{ClassRecipe, Note, RecordingsRecipe, Strike, WaveNetRecipe};
use crate::{
    Error, Result,
    audio::{
        self,
        loudness::{levelling, rms},
        pitch::{Pitch, Yin, key_of_hz},
    },
    formats::audio::{self as files, Sound},
    nets::wavenet::{Instrument, Tone, WaveNetConfig},
};

/// Below this a file is silent: −70 dB.
const SILENT: f32 = 3e-4;
/// At the ends, what is softer than the loudest moment by this factor is silence: −50 dB.
const TRIMMED: f32 = 0.003;
/// How hard all notes are struck: after levelling, nothing tells.
const VELOCITY: u8 = 90;
/// Samples of all recordings together.
const MOST_SAMPLES: usize = 2 << 30;
/// Classes that a network can have.
const MOST_CLASSES: usize = 256;

/// What was read of a folder.
pub struct Recordings {
    /// The recipe, now with the names of the classes.
    pub recipe: WaveNetRecipe,
    pub notes: Vec<Note>,
    /// Files that were passed over, and why.
    pub skipped: Vec<(PathBuf, String)>,
    /// Files whose notes were told by a manifest or a name.
    pub told: usize,
    /// Files in which a pitch was heard, and in which none was.
    pub heard: usize,
    pub unpitched: usize,
    /// Seconds of all recordings.
    pub seconds: f64,
}

/// Reads the recordings of a folder; `progress` is told the share that is done, and stops the work by returning false.
///
/// # Errors
/// When there are none, or more than memory should hold. `Ok(None)` when it was stopped.
pub fn load(
    folder: &Path,
    recipe: &WaveNetRecipe,
    progress: &mut dyn FnMut(f64) -> bool,
) -> Result<Option<Recordings>> {
    let plan = recipe.recordings()?;
    let keys = plan.lowest_key..plan.lowest_key + plan.keys;
    let (mut entries, mut skipped) = listing::list(folder, keys)?;
    let names = classes(&mut entries, plan, &recipe.name)?;
    let mut recipe = recipe.clone();
    recipe.name_instruments(names.iter().map(|(_, names)| names.clone()).collect());
    let config = recipe.config();
    let range = [plan.lowest_key, plan.lowest_key + plan.keys - 1].map(f32::from);
    let yin = Yin::of_keys(config.sample_rate_hz, plan.lowest_key, plan.keys);
    let least = recipe.training.crops.samples.max(recipe.training.onset_crops.samples);
    let mut all =
        Recordings { recipe, notes: Vec::new(), skipped: Vec::new(), told: 0, heard: 0, unpitched: 0, seconds: 0.0 };
    let (mut samples, count) = (0, entries.len().max(1) as f64);
    for (index, entry) in entries.iter().enumerate() {
        let class = names.iter().position(|(name, _)| *name == entry.class);
        let read = match class {
            Some(class) => read(entry, class, &config, &yin, range),
            None => Err("its folder is none of the recipe's classes".to_owned()),
        };
        match read {
            Ok((mut sound, strikes, track)) => {
                all.seconds += sound.len() as f64 / f64::from(config.sample_rate_hz);
                match (entry.notes.is_empty(), track.iter().any(|pitch| pitch.hz.is_some())) {
                    (false, _) => all.told += 1,
                    (true, true) => all.heard += 1,
                    (true, false) => all.unpitched += 1,
                }
                let phases = strikes::phases(&track, &strikes, &config);
                // A short one ends in silence.
                sound.resize(sound.len().max(least), 0.0);
                samples += sound.len();
                if samples > MOST_SAMPLES {
                    return Err(too_many());
                }
                all.notes.push(Note::of_recording(index, strikes, phases, &sound, &config));
            }
            Err(why) => skipped.push((entry.path.clone(), why)),
        }
        if !progress((index + 1) as f64 / count) {
            return Ok(None);
        }
    }
    all.skipped = skipped;
    if all.notes.len() < 2 {
        let why = all.skipped.first().map(|(path, why)| format!(" ({}: {why})", path.display())).unwrap_or_default();
        let name = folder.display();
        return Err(Error::new(
            format!(
                "“{name}” holds fewer than two recordings that can be learnt from{why}; add WAV, FLAC, Ogg or MP3 files."
            ),
            format!("“{name}”中可供学习的录音不足两个{why}；请添加 WAV、FLAC、Ogg 或 MP3 文件。"),
        ));
    }
    Ok(Some(all))
}

/// The classes, in the recipe's order or that of their names; what has none is of one that is called like the model.
fn classes(entries: &mut [Entry], plan: &RecordingsRecipe, model: &str) -> Result<Vec<(String, Instrument)>> {
    entries.iter_mut().filter(|entry| entry.class.is_empty()).for_each(|entry| entry.class = model.to_owned());
    let mut names: Vec<&str> = entries.iter().map(|entry| entry.class.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let named: Vec<(String, Instrument)> = if plan.classes.is_empty() {
        let both = |name: &&str| ((*name).to_owned(), Instrument::new(*name, *name));
        names.iter().map(both).collect()
    } else {
        let given = |class: &ClassRecipe| (class.folder.clone(), Instrument::new(&class.en, &class.zh));
        plan.classes.iter().map(given).collect()
    };
    if named.len() > MOST_CLASSES {
        let count = named.len();
        return Err(Error::new(
            format!(
                "There are {count} classes, more than the {MOST_CLASSES} a network can have; put them into fewer folders."
            ),
            format!("共有 {count} 个类别，超过上限 {MOST_CLASSES}；请合并文件夹。"),
        ));
    }
    Ok(named)
}

fn too_many() -> Error {
    Error::new(
        "These are more recordings than memory should hold; use fewer, or a lower sample rate.",
        "录音过多，内存放不下；请减少录音或降低采样率。",
    )
}

/// Samples, notes and the pitch of every frame.
type Heard = (Vec<f32>, Vec<Strike>, Vec<Pitch>);

/// A recording ready to learn from; the error says why it is none.
fn read(
    entry: &Entry,
    instrument: usize,
    config: &WaveNetConfig,
    yin: &Yin,
    range: [f32; 2],
) -> std::result::Result<Heard, String> {
    let sound = files::open(&entry.path).map_err(|why| why.to_string())?;
    let mut samples = resampled(&sound, config.sample_rate_hz).map_err(|why| why.to_string())?;
    let (from, to) = trimmed(&samples, config.sample_rate_hz).ok_or("it is silent")?;
    samples.truncate(to);
    samples.drain(..from);
    let gain = levelling(&samples, config.sample_rate_hz);
    samples.iter_mut().for_each(|sample| *sample *= gain);
    let track = yin.track(&samples, config.frame_samples);
    let out_of_range = |note: &&Given| note.key.is_some_and(|key| !(range[0] - 0.5..range[1] + 0.5).contains(&key));
    if let Some(note) = entry.notes.iter().find(out_of_range) {
        let key = crate::generate::audio::key_name(note.key.unwrap_or_default().round() as u8);
        return Err(format!("its note {key} is outside of the recipe's keys"));
    }
    let strikes = if entry.notes.is_empty() {
        strikes::heard(&track, instrument, VELOCITY, config)
    } else {
        told(&entry.notes, from, &track, instrument, config)
    };
    if strikes.is_empty() {
        return Err("no note is heard in it".to_owned());
    }
    Ok((samples, strikes, track))
}

/// One channel at the network's rate; what is not a number is silence.
fn resampled(sound: &Sound, rate: u32) -> Result<Vec<f32>> {
    let mut mono = sound.mono();
    mono.iter_mut().filter(|sample| !sample.is_finite()).for_each(|sample| *sample = 0.0);
    audio::Converter::convert(&mono, sound.sample_rate_hz, rate)
}

/// Where sound begins and ends, by hundredths of a second; `None` when there is none.
fn trimmed(samples: &[f32], rate: u32) -> Option<(usize, usize)> {
    let window = (rate / 100).max(1) as usize;
    let levels: Vec<f32> = samples.chunks(window).map(rms).collect();
    let loudest = levels.iter().copied().fold(0.0, f32::max);
    if loudest < SILENT {
        return None;
    }
    let sounds = |level: &f32| *level > loudest * TRIMMED;
    let from = levels.iter().position(sounds)?;
    let to = levels.iter().rposition(sounds)? + 1;
    Some((from * window, (to * window).min(samples.len())))
}

/// The notes that were told of, of a sound whose first `from` samples are gone. A pitch that was not told is heard.
fn told(notes: &[Given], from: usize, track: &[Pitch], instrument: usize, config: &WaveNetConfig) -> Vec<Strike> {
    let frame = |seconds: f64| {
        let sample = (seconds * f64::from(config.sample_rate_hz)).round() as usize;
        sample.saturating_sub(from) / config.frame_samples
    };
    let loudest = track.iter().map(|pitch| pitch.level).fold(0.0, f32::max);
    let sounds_to = strikes::sounding(track, loudest * 0.01, 1).last().map_or(track.len(), |(_, to)| *to);
    let mut strikes: Vec<Strike> = Vec::new();
    for (index, note) in notes.iter().enumerate() {
        let onset = frame(note.onset_s);
        if onset >= track.len() || strikes.last().is_some_and(|last| last.onset >= onset) {
            continue;
        }
        let next = notes.get(index + 1).map_or(sounds_to, |next| frame(next.onset_s));
        let end = note.duration_s.map_or(next, |duration| frame(note.onset_s + duration)).clamp(onset, track.len());
        let heard = || {
            let mut keys: Vec<f32> = track[onset..end].iter().filter_map(|pitch| pitch.hz).map(key_of_hz).collect();
            keys.sort_by(f32::total_cmp);
            keys.get(keys.len() / 2).copied()
        };
        let (lowest, highest) = (f32::from(config.lowest_key), f32::from(config.lowest_key + config.keys - 1));
        let key = note.key.or_else(heard).unwrap_or(lowest).round().clamp(lowest, highest) as u8;
        strikes.push(Strike { onset, released: end - onset, tone: Tone { instrument, key, velocity: VELOCITY } });
    }
    strikes
}

#[cfg(test)]
mod tests;
