//! What is known of a folder's pictures, in an SQLite file beside them: so that a large library is there at once.
//!
//! Everything in it is read from the pictures and their marks, and can be read again: a file that is damaged or another
//! program's is renamed, and a new one is made. Windows that share a library wait for each other's writes.

mod rows;
#[cfg(test)]
mod tests;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::{marks::free_name, name_of};
use crate::{Error, folders, formats::hash::sha256_of_bytes};

pub(super) use rows::{Found, Stamp, mark};

/// The file's name, beside the pictures.
pub(super) const INDEX: &str = "index.sqlite";
/// “Atel”: whose file it is.
const APPLICATION: i64 = 0x4174_656c;
/// The version of the tables below.
const VERSION: i64 = 1;
/// How long another window's write is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(20);

const TABLES: &str = "
    CREATE TABLE kinds (
        id INTEGER PRIMARY KEY,
        model TEXT NOT NULL, sha256 TEXT NOT NULL, class INTEGER NOT NULL, -- a class of −1 is none
        title TEXT NOT NULL, words TEXT NOT NULL, class_en TEXT, class_zh TEXT,
        UNIQUE (model, sha256, class)
    );
    CREATE TABLE pictures (
        name TEXT PRIMARY KEY,
        modified_ns INTEGER NOT NULL, size_bytes INTEGER NOT NULL,
        kind INTEGER REFERENCES kinds, -- none: the file is no picture of the studio's
        made_ms INTEGER NOT NULL, seed INTEGER NOT NULL, seeds INTEGER NOT NULL,
        width INTEGER NOT NULL, height INTEGER NOT NULL, enlarged INTEGER NOT NULL, origin INTEGER NOT NULL,
        starred INTEGER NOT NULL, rating INTEGER NOT NULL, tags TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE thumbnails (name TEXT PRIMARY KEY, jpeg BLOB NOT NULL);";

/// What a use of the index gives.
pub(super) type Answer<T> = Result<T, rusqlite::Error>;

/// The open index.
pub(super) struct Index {
    db: Connection,
    path: PathBuf,
}

impl Index {
    /// The index of the pictures in `folder`: beside them, or in the cache folder where they cannot be written to.
    /// With it, what has happened to one that was there and could not be used. `None` where nothing can be written:
    /// the pictures are read anew each time then.
    pub fn open(folder: &Path) -> (Option<Self>, Option<Error>) {
        let beside = folder.join(INDEX);
        let elsewhere = || {
            let name = sha256_of_bytes(folder.as_os_str().as_encoded_bytes());
            let cache = folders::cache()?;
            fs::create_dir_all(&cache).ok()?;
            Some(cache.join(format!("pictures-{}.sqlite", &name[..16])))
        };
        let (index, why) = Self::open_at(&beside);
        match index {
            Some(index) => (Some(index), why),
            None => elsewhere().map_or((None, None), |path| Self::open_at(&path)),
        }
    }

    fn open_at(path: &Path) -> (Option<Self>, Option<Error>) {
        let begun = Instant::now();
        let mut opened = Self::opened(path);
        // SQLite does not wait by itself while another window changes the journal.
        while opened.as_ref().is_err_and(|why| why.sqlite_error_code() == Some(ErrorCode::DatabaseBusy))
            && begun.elapsed() < PATIENCE
        {
            std::thread::sleep(PAUSE);
            opened = Self::opened(path);
        }
        match opened {
            Ok(index) => (Some(index), None),
            Err(why) if is_damage(&why) => match set_aside(path) {
                Ok(told) => (Self::opened(path).ok(), Some(told)),
                Err(why) => (None, Some(why)),
            },
            Err(_) => (None, None),
        }
    }

    fn opened(path: &Path) -> Answer<Self> {
        let mut db = Connection::open(path)?;
        db.busy_timeout(PATIENCE)?;
        // Another program's file is not even switched to another journal. In one transaction: another window that makes
        // the tables between two looks must not be taken for another program.
        let look = db.transaction()?;
        is_ours(&look)?;
        look.finish()?;
        // Where the file system cannot share memory, SQLite stays with its journal, which serves as well.
        let mode = db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0));
        // Another window may be using it just now, and has set the mode then.
        if let Err(why) = mode
            && why.sqlite_error_code() != Some(ErrorCode::DatabaseBusy)
        {
            return Err(why);
        }
        db.execute_batch("PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;")?;
        // The lock: another window may be making the tables just now. It also shows whether anything can be written.
        let make = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if !is_ours(&make)? {
            make.execute_batch(TABLES)?;
            make.execute_batch(&format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION};"))?;
        }
        make.commit()?;
        Ok(Self { db, path: path.to_owned() })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Does something that no other window does at the same time.
    pub fn alone<T>(&mut self, work: impl FnOnce(&Connection) -> Answer<T>) -> Answer<T> {
        let lock = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = work(&lock)?;
        lock.commit()?;
        Ok(done)
    }

    /// Gives a damaged file up: it is renamed, and the next that is opened is new.
    pub fn give_up(self) -> Result<Error, Error> {
        let path = self.path.clone();
        drop(self);
        set_aside(&path)
    }
}

/// Whether the tables are there; `false` when the file is empty.
fn is_ours(db: &Connection) -> Answer<bool> {
    let number = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0));
    let (application, version) = (number("PRAGMA application_id")?, number("PRAGMA user_version")?);
    match (application, version, number("SELECT count(*) FROM sqlite_schema")?) {
        (APPLICATION, VERSION, _) => Ok(true),
        (0, 0, 0) => Ok(false),
        // Another program's, or another version's.
        _ => Err(rusqlite::Error::InvalidQuery),
    }
}

/// Whether the file is at fault, and not the disk or another window.
pub(super) fn is_damage(why: &rusqlite::Error) -> bool {
    match why {
        rusqlite::Error::SqliteFailure(why, _) => {
            matches!(why.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown)
        }
        // What is in it is not what this program writes.
        rusqlite::Error::InvalidQuery
        | rusqlite::Error::SqlInputError { .. }
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::Utf8Error(..)
        | rusqlite::Error::QueryReturnedNoRows => true,
        _ => false,
    }
}

/// What failed, when it was not the file's own fault.
pub(super) fn told(path: &Path, why: &rusqlite::Error) -> Error {
    let name = path.display();
    Error::new(
        format!(
            "The gallery's index “{name}” cannot be used now ({why}); pictures are read from their files until the next start."
        ),
        format!("图库索引“{name}”暂时无法使用（{why}）；本次运行将直接读取图片文件。"),
    )
}

fn set_aside(path: &Path) -> Result<Error, Error> {
    let aside = free_name(path, "damaged");
    fs::rename(path, &aside).map_err(|why| Error::file(("set aside", "移开"), path, &why))?;
    for tail in ["-wal", "-shm", "-journal"] {
        let mut beside = path.as_os_str().to_owned();
        beside.push(tail);
        // What is left of it belongs to no file any more.
        let _ = fs::remove_file(PathBuf::from(beside));
    }
    let name = name_of(&aside).unwrap_or_default();
    Ok(Error::new(
        format!(
            "The gallery's index was damaged, another program's or another version's; it is now “{name}”, and a new one is made from the pictures."
        ),
        format!("图库索引已损坏，或属于其他程序或版本；原文件已改名为“{name}”，正在根据图片重建索引。"),
    ))
}
