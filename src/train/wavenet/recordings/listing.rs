//! Which recordings there are, and what their manifest or their names tell about them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Component, Path, PathBuf},
};

use serde::Deserialize;

use crate::{Error, Result, files, formats::audio::ENDINGS, generate::audio::key_of};

/// The largest manifest that is read.
const MOST_MANIFEST_BYTES: u64 = 64 << 20;
/// Folders within folders.
const DEEPEST: usize = 8;
/// Files that are read.
const MOST_FILES: usize = 1 << 20;

/// A recording.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub path: PathBuf,
    /// The name of its class, empty when there are none.
    pub class: String,
    pub notes: Vec<Given>,
}

/// A note that was told of.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Given {
    /// As MIDI numbers keys, with fractions.
    pub key: Option<f32>,
    /// From the start of the file; that is where it begins when nothing is told.
    pub onset_s: f64,
    /// To the next note, or to where the sound ends, when nothing is told.
    pub duration_s: Option<f64>,
}

/// Recordings, and files that are passed over with the reason.
type Listed = (Vec<Entry>, Vec<(PathBuf, String)>);

/// The recordings of a folder. A `manifest.csv` or `manifest.json` tells
/// which there are; without one, all are taken.
pub(super) fn list(folder: &Path, keys: std::ops::Range<u8>) -> Result<Listed> {
    for (name, parse) in [("manifest.csv", of_csv as fn(&str) -> _), ("manifest.json", of_json)] {
        let path = folder.join(name);
        if !path.is_file() {
            continue;
        }
        let text = files::read_text(&path, MOST_MANIFEST_BYTES)?;
        let rows = parse(&text).and_then(|rows: Vec<Row>| entries(folder, &rows));
        return rows.map(|entries| (entries, Vec::new())).map_err(|(why_en, why_zh)| {
            let name = path.display();
            Error::new(
                format!("“{name}” cannot be used: {why_en}; it should have a row “file,pitch,onset_s,duration_s,class” and then a note a line."),
                format!("无法使用“{name}”：{why_zh}；首行应为“file,pitch,onset_s,duration_s,class”，其后每行一个音。"),
            )
        });
    }
    of_folder(folder, keys)
}

/// All recordings of a folder; the folders in it are the classes.
fn of_folder(folder: &Path, keys: std::ops::Range<u8>) -> Result<Listed> {
    let mut found = Vec::new();
    walk(folder, DEEPEST, &mut found)?;
    found.sort();
    let class = |path: &Path| -> String {
        let inside = path.strip_prefix(folder).unwrap_or(path);
        let first = inside.parent().and_then(|parent| parent.components().next());
        first.map(|name| name.as_os_str().to_string_lossy().into_owned()).unwrap_or_default()
    };
    let has_classes = found.iter().any(|path| !class(path).is_empty());
    let (mut entries, mut passed) = (Vec::new(), Vec::new());
    for path in found {
        let class = class(&path);
        if has_classes && class.is_empty() {
            passed.push((path, "it lies beside the classes' folders, not in one".to_owned()));
            continue;
        }
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let key = key_in_name(&stem, &keys).map(f32::from);
        let notes = key.map(|key| Given { key: Some(key), ..Given::default() }).into_iter().collect();
        entries.push(Entry { path, class, notes });
    }
    Ok((entries, passed))
}

fn walk(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<()> {
    let listed = fs::read_dir(folder).map_err(|why| Error::file(("open", "打开"), folder, &why))?;
    for path in listed.flatten().map(|entry| entry.path()) {
        let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if hidden || found.len() >= MOST_FILES {
        } else if path.is_dir() {
            if depth > 0 {
                walk(&path, depth - 1, found)?;
            }
        } else {
            let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
            if ENDINGS.contains(&ending.as_str()) {
                found.push(path);
            }
        }
    }
    Ok(())
}

/// The key that a file's name tells: a note's name such as `violin_A4` or `Bb3 soft`, a velocity behind it or not
/// (`D#1v10`), or a number of MIDI's among `keys` at the end, as in `piano-60`.
fn key_in_name(stem: &str, keys: &std::ops::Range<u8>) -> Option<u8> {
    let words: Vec<&str> = stem.split(|c: char| !(c.is_alphanumeric() || matches!(c, '#' | '♯' | '♭'))).collect();
    let named = words.iter().rev().find_map(|word| {
        let word = word.split_once('v').filter(|(_, rest)| rest.parse::<u8>().is_ok()).map_or(*word, |(note, _)| note);
        // In lower case these are words and counts: a1, b2.
        word.starts_with(|c: char| c.is_ascii_uppercase()).then(|| key_of(word)).flatten()
    });
    let number = || {
        let last = words.last().filter(|_| words.len() > 1)?;
        let plain = last.len() >= 2 && !last.starts_with('0');
        last.parse().ok().filter(|key| plain && keys.contains(key))
    };
    named.or_else(number)
}

/// A row of a manifest.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
struct Row {
    file: String,
    #[serde(default)]
    pitch: Option<Scalar>,
    #[serde(default)]
    onset_s: Option<f64>,
    #[serde(default)]
    duration_s: Option<f64>,
    #[serde(default)]
    class: Option<String>,
}

/// A name or a number.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Scalar {
    Number(f64),
    Text(String),
}

impl Scalar {
    /// The key of `A4`, `69`, `69.5` or `440 Hz`; `None` when it is empty.
    fn key(&self) -> Result<Option<f32>, Why> {
        let text = match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.trim().to_owned(),
        };
        if text.is_empty() {
            return Ok(None);
        }
        let hz = text.to_lowercase().strip_suffix("hz").and_then(|hz| hz.trim().parse().ok());
        let key = hz
            .map(crate::audio::pitch::key_of_hz)
            .or_else(|| text.parse().ok())
            .or_else(|| key_of(&text).map(f32::from));
        let key = key.filter(|key: &f32| (0.0..128.0).contains(key));
        key.map(Some).ok_or_else(|| (format!("“{text}” is no pitch"), format!("“{text}”不是音高")))
    }
}

/// What is wrong, in English and Chinese.
type Why = (String, String);

fn entries(folder: &Path, rows: &[Row]) -> Result<Vec<Entry>, Why> {
    let mut by_path: BTreeMap<PathBuf, Entry> = BTreeMap::new();
    for row in rows {
        let inside = Path::new(&row.file);
        let stays = !row.file.is_empty()
            && inside.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !stays {
            return Err((
                format!("“{}” is no file of this folder", row.file),
                format!("“{}”不是该文件夹中的文件", row.file),
            ));
        }
        let times = [row.onset_s, row.duration_s].into_iter().flatten();
        if times.into_iter().any(|time| !(0.0..=1e6).contains(&time)) {
            return Err((format!("the times of “{}” are none", row.file), format!("“{}”的时间无效", row.file)));
        }
        let of_folder = inside.parent().and_then(|parent| parent.components().next());
        let of_folder = of_folder.map(|name| name.as_os_str().to_string_lossy().into_owned()).unwrap_or_default();
        let class = row.class.clone().map(|class| class.trim().to_owned()).filter(|class| !class.is_empty());
        let key = row.pitch.as_ref().map_or(Ok(None), Scalar::key)?;
        let path = folder.join(inside);
        let entry = by_path.entry(path.clone()).or_insert_with(|| Entry {
            path,
            class: class.unwrap_or(of_folder),
            notes: Vec::new(),
        });
        // A row that tells of no note leaves the file to the tracker.
        if key.is_some() || row.onset_s.is_some() || row.duration_s.is_some() {
            entry.notes.push(Given { key, onset_s: row.onset_s.unwrap_or(0.0), duration_s: row.duration_s });
        }
    }
    let mut entries: Vec<Entry> = by_path.into_values().collect();
    entries.iter_mut().for_each(|entry| entry.notes.sort_by(|a, b| a.onset_s.total_cmp(&b.onset_s)));
    Ok(entries)
}

fn of_json(text: &str) -> Result<Vec<Row>, Why> {
    serde_json::from_str(text)
        .map_err(|why| (format!("it is no list of notes ({why})"), format!("不是音符列表（{why}）")))
}

fn of_csv(text: &str) -> Result<Vec<Row>, Why> {
    let mut records = csv(text).into_iter();
    let head: Vec<String> = records.next().unwrap_or_default().iter().map(|name| name.trim().to_lowercase()).collect();
    let column = |name: &str| head.iter().position(|column| column == name);
    let file = column("file").ok_or_else(|| ("it has no column “file”".to_owned(), "没有“file”列".to_owned()))?;
    let (pitch, onset, duration, class) = (column("pitch"), column("onset_s"), column("duration_s"), column("class"));
    records
        .filter(|record| record.iter().any(|cell| !cell.trim().is_empty()))
        .map(|record| {
            let cell = |column: Option<usize>| {
                column.and_then(|column| record.get(column)).map(|cell| cell.trim()).filter(|cell| !cell.is_empty())
            };
            let number = |column: Option<usize>| -> Result<Option<f64>, Why> {
                let Some(cell) = cell(column) else { return Ok(None) };
                cell.parse().map(Some).map_err(|_| (format!("“{cell}” is no number"), format!("“{cell}”不是数字")))
            };
            Ok(Row {
                file: cell(Some(file)).unwrap_or_default().to_owned(),
                pitch: cell(pitch).map(|cell| Scalar::Text(cell.to_owned())),
                onset_s: number(onset)?,
                duration_s: number(duration)?,
                class: cell(class).map(str::to_owned),
            })
        })
        .collect()
}

/// The records of comma-separated values (RFC 4180).
fn csv(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => cell.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(std::mem::take(&mut cell)),
            '\n' if !quoted => {
                record.push(std::mem::take(&mut cell));
                records.push(std::mem::take(&mut record));
            }
            '\r' if !quoted => {}
            c => cell.push(c),
        }
    }
    if !cell.is_empty() || !record.is_empty() {
        record.push(cell);
        records.push(record);
    }
    records
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests put files in place")]
mod tests {
    use super::*;

    #[test]
    fn names_tell_keys() {
        let key = |name: &str| key_in_name(name, &(36..85));
        for (name, want) in [
            ("violin_A4", Some(69)),
            ("Bb3 soft", Some(58)),
            ("D#1v10", Some(27)),
            ("F♯2-loud", Some(42)),
            ("piano-60", Some(60)),
            ("小提琴_C4", Some(60)),
            ("take-2", None),
            ("kick_01", None),
            ("hat 007", None),
            ("60", None),
            ("x-99", None),
            ("drum_b2", None),
            ("Amen", None),
            ("", None),
        ] {
            assert_eq!(key(name), want, "{name}");
        }
    }

    #[test]
    fn folders_are_classes() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let put = |name: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, "x").expect("written");
        };
        for name in ["钟/C4.wav", "钟/deep/a.OGG", "drum/1.mp3", "drum/notes.txt", "drum/.hidden.wav"] {
            put(name);
        }
        let listed = |passed: usize| {
            let (entries, skipped) = list(dir.path(), 0..127).expect("lists");
            assert_eq!(skipped.len(), passed);
            entries.into_iter().map(|e| (e.class, e.notes.first().and_then(|n| n.key))).collect::<Vec<_>>()
        };
        let want = [("drum", None), ("钟", Some(60.0)), ("钟", None)].map(|(class, key)| (class.to_owned(), key));
        assert_eq!(listed(0), want);
        put("beside.wav");
        assert_eq!(listed(1), want);
        let plain = tempfile::tempdir().expect("temporary folder");
        fs::write(plain.path().join("G3.flac"), "x").expect("written");
        let (entries, _) = list(plain.path(), 0..127).expect("lists");
        assert_eq!((entries[0].class.as_str(), entries[0].notes[0].key), ("", Some(55.0)));
        assert!(list(&plain.path().join("none"), 0..127).is_err());
    }

    #[test]
    fn manifests_tell_notes_or_what_is_wrong() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let with = |name: &str, text: &str| {
            fs::write(dir.path().join(name), text).expect("written");
            let listed = list(dir.path(), 0..127);
            fs::remove_file(dir.path().join(name)).expect("removed");
            listed.map(|(entries, _)| entries).map_err(|why| why.to_string())
        };
        let csv = "\u{feff}file,class,pitch,onset_s,duration_s\r\n\"a, 1.wav\",voice,A4,0.5,1\n\"a, 1.wav\",voice,60,0,\nbell/b.flac,,440 Hz,,\n\nc.ogg,,,,\n";
        let entries = with("manifest.csv", csv).expect("reads");
        let note = |key, onset_s, duration_s| Given { key: Some(key), onset_s, duration_s };
        let of = |entry: &Entry| (entry.class.clone(), entry.notes.clone());
        assert_eq!(of(&entries[0]), ("voice".into(), vec![note(60.0, 0.0, None), note(69.0, 0.5, Some(1.0))]));
        assert_eq!(of(&entries[1]), ("bell".into(), vec![note(69.0, 0.0, None)]));
        assert_eq!(of(&entries[2]), (String::new(), Vec::new()));
        let json =
            r#"[{"file": "a.wav", "pitch": 61.5, "class": "x"}, {"file": "b.wav", "pitch": "C#4", "onset_s": 1}]"#;
        let entries = with("manifest.json", json).expect("reads");
        assert_eq!(of(&entries[0]), ("x".into(), vec![note(61.5, 0.0, None)]));
        assert_eq!(of(&entries[1]), (String::new(), vec![note(61.0, 1.0, None)]));
        for (name, text, want) in [
            ("manifest.csv", "name,pitch\na.wav,60\n", "“file”"),
            ("manifest.csv", "file,pitch\na.wav,H4\n", "“H4” is no pitch"),
            ("manifest.csv", "file,onset_s\na.wav,soon\n", "“soon” is no number"),
            ("manifest.csv", "file,onset_s\na.wav,-1\n", "times"),
            ("manifest.csv", "file\n../a.wav\n", "no file of this folder"),
            ("manifest.csv", "file\n/etc/a.wav\n", "no file of this folder"),
            ("manifest.json", "{}", "no list"),
        ] {
            let why = with(name, text).expect_err(want);
            assert!(why.contains(want) && why.contains(name) && why.ends_with('.'), "{why}");
        }
    }
}
