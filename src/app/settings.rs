//! The settings file: read before the window opens, written when something changed.

use std::path::{Path, PathBuf};

use crate::{Error, Result, files, ui::preferences::Preferences};

/// More than any settings file has.
const LIMIT_BYTES: u64 = 4 << 20;

/// Where the settings are in `folder`.
pub fn path_in(folder: &Path) -> PathBuf {
    folder.join("settings.json")
}

/// The settings, and what is wrong with their file. A damaged file is kept aside, and the usual settings hold.
pub fn load(path: &Path) -> (Preferences, Option<Error>) {
    if !path.exists() {
        return (Preferences::default(), None);
    }
    match read(path) {
        Ok(preferences) => (preferences.made_sane(), None),
        Err(why) => {
            let aside = path.with_extension("damaged.json");
            let kept = std::fs::rename(path, &aside).is_ok();
            (Preferences::default(), Some(damaged(&why, kept.then_some(aside.as_path()))))
        }
    }
}

/// The settings, before there is a window to say in what is wrong with them.
pub fn peek(path: &Path) -> Preferences {
    read(path).map(Preferences::made_sane).unwrap_or_default()
}

fn read(path: &Path) -> Result<Preferences> {
    let text = files::read_text(path, LIMIT_BYTES)?;
    serde_json::from_str(&text).map_err(|why| Error::new(why.to_string(), why.to_string()))
}

fn damaged(why: &Error, aside: Option<&Path>) -> Error {
    let (en, zh) = match aside {
        Some(aside) => {
            (format!("the file was kept as “{}”", aside.display()), format!("原文件保留为“{}”", aside.display()))
        }
        None => ("the file could not be moved aside".to_owned(), "无法移开原文件".to_owned()),
    };
    Error::new(
        format!("The settings could not be read ({why}); {en}, and the usual settings hold now."),
        format!("无法读取设置（{}）；{zh}，现使用默认设置。", why.text(crate::Lang::Zh)),
    )
}

/// The settings as the file holds them.
pub fn to_bytes(preferences: &Preferences) -> Vec<u8> {
    // Plain data with string keys: there is nothing in it that JSON cannot say.
    serde_json::to_vec_pretty(preferences).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests put damaged files in place")]
mod tests {
    use super::*;
    use crate::ui::preferences::LanguageChoice;

    #[test]
    fn settings_come_back_as_they_were_written() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = path_in(folder.path());
        assert_eq!(load(&path), (Preferences::default(), None));
        let mut set = Preferences { language: LanguageChoice::Chinese, scale: 1.25, ..Preferences::default() };
        set.writing.sampler.logit_bias = vec![(7, f32::NEG_INFINITY), (9, 1.5)];
        files::write_whole(&path, &to_bytes(&set)).expect("written");
        assert_eq!(load(&path), (set, None));
    }

    #[test]
    fn a_damaged_file_is_kept_aside_and_named() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = path_in(folder.path());
        for bad in [&b"{\"scale\": "[..], b"[1]", b"\xff\xfe", b"{\"theme\":\"mauve\"}"] {
            std::fs::write(&path, bad).expect("put in place");
            let (preferences, why) = load(&path);
            assert_eq!(preferences, Preferences::default());
            assert!(why.expect("said").to_string().contains("settings.damaged.json"));
            assert_eq!(std::fs::read(folder.path().join("settings.damaged.json")).expect("kept"), bad);
            assert!(!path.exists());
        }
    }
}
