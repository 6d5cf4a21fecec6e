//! Where the studio keeps its own files on this computer.

use std::path::PathBuf;

/// The folder for settings, the library and logs; it may not exist yet. `ATELIER_DATA` names another one.
///
/// `None` when this account has no home folder: nothing is kept then.
pub fn data() -> Option<PathBuf> {
    match std::env::var_os("ATELIER_DATA") {
        Some(folder) if !folder.is_empty() => Some(folder.into()),
        _ => directories::ProjectDirs::from("", "", "atelier").map(|dirs| dirs.data_dir().to_owned()),
    }
}

/// The folder for the settings; it may not exist yet. `ATELIER_CONFIG` names another one.
///
/// `None` when this account has no home folder: nothing is kept then.
pub fn config() -> Option<PathBuf> {
    match std::env::var_os("ATELIER_CONFIG") {
        Some(folder) if !folder.is_empty() => Some(folder.into()),
        _ => directories::ProjectDirs::from("", "", "atelier").map(|dirs| dirs.config_dir().to_owned()),
    }
}

/// The folder for what can be made again; it may not exist yet. `ATELIER_CACHE` names another one.
///
/// `None` when this account has no home folder: nothing is kept then.
pub fn cache() -> Option<PathBuf> {
    match std::env::var_os("ATELIER_CACHE") {
        Some(folder) if !folder.is_empty() => Some(folder.into()),
        _ => directories::ProjectDirs::from("", "", "atelier").map(|dirs| dirs.cache_dir().to_owned()),
    }
}
