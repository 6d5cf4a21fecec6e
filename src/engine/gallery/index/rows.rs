//! What is read from the index and written into it.

use std::{
    collections::HashMap,
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    super::entry::{Entry, Kind, Mark},
    Answer, Index,
};
use crate::recipe::ModelRef;

/// By which a changed file is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub modified_ns: i64,
    pub size_bytes: i64,
}

impl Stamp {
    pub fn of(meta: &std::fs::Metadata) -> Self {
        let since = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH).duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            modified_ns: i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
            size_bytes: i64::try_from(meta.len()).unwrap_or(i64::MAX),
        }
    }

    pub fn modified_ms(self) -> u64 {
        (self.modified_ns / 1_000_000).max(0) as u64
    }
}

/// What a file was found to be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    pub name: String,
    pub stamp: Stamp,
    /// `None` when it is no picture of the studio's.
    pub entry: Option<Arc<Entry>>,
    /// As it is kept; empty of one that was read from the index.
    pub thumbnail: Vec<u8>,
}

/// Kinds by their numbers.
type Kinds = HashMap<i64, Arc<Kind>>;

impl Index {
    /// Everything in it, without thumbnails.
    pub fn all(&self, folder: &Path) -> Answer<Vec<Found>> {
        let kinds = self.kinds()?;
        let mut rows = self.db.prepare(
            "SELECT name, modified_ns, size_bytes, kind, made_ms, seed, seeds, width, height, enlarged, origin,
                    starred, rating, tags FROM pictures",
        )?;
        let found = rows.query_map([], |row| {
            let name: String = row.get(0)?;
            let stamp = Stamp { modified_ns: row.get(1)?, size_bytes: row.get(2)? };
            let kind = row.get::<_, Option<i64>>(3)?.and_then(|kind| kinds.get(&kind).cloned());
            let Some(kind) = kind else { return Ok(Found { name, stamp, entry: None, thumbnail: Vec::new() }) };
            let tags: String = row.get(13)?;
            let mark = Mark {
                starred: row.get(11)?,
                rating: row.get(12)?,
                tags: tags.split('\n').filter(|tag| !tag.is_empty()).map(str::to_owned).collect(),
            };
            let entry = Entry {
                path: Some(folder.join(&name)),
                kind,
                made_ms: row.get::<_, i64>(4)? as u64,
                seed: row.get::<_, i64>(5)? as u64,
                seeds: row.get(6)?,
                size: [row.get(7)?, row.get(8)?],
                is_enlarged: row.get(9)?,
                origin: row.get::<_, i64>(10)? as u64,
                mark: Mark::default(),
                folded: String::new(),
            };
            Ok(Found { name, stamp, entry: Some(Arc::new(entry.marked(mark.tidied()))), thumbnail: Vec::new() })
        })?;
        found.collect()
    }

    fn kinds(&self) -> Answer<Kinds> {
        let mut rows =
            self.db.prepare("SELECT id, model, sha256, class, title, words, class_en, class_zh FROM kinds")?;
        let kinds = rows.query_map([], |row| {
            let names: (Option<String>, Option<String>) = (row.get(6)?, row.get(7)?);
            let words: String = row.get(5)?;
            let kind = Kind {
                model: ModelRef { name: row.get(1)?, sha256: row.get(2)? },
                title: row.get(4)?,
                words: words.split('\n').filter(|word| !word.is_empty()).map(str::to_owned).collect(),
                class: u32::try_from(row.get::<_, i64>(3)?).ok(),
                class_name: names.0.zip(names.1),
            };
            Ok((row.get(0)?, Arc::new(kind)))
        })?;
        kinds.collect()
    }

    /// Keeps what files were found to be, in the place of what was known of them.
    pub fn put(&mut self, found: &[Found]) -> Answer<()> {
        self.alone(|db| {
            let mut picture = db.prepare(
                "INSERT OR REPLACE INTO pictures (name, modified_ns, size_bytes, kind, made_ms, seed, seeds, width,
                    height, enlarged, origin, starred, rating, tags)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            )?;
            let mut thumbnail = db.prepare("INSERT OR REPLACE INTO thumbnails (name, jpeg) VALUES (?1, ?2)")?;
            for one in found {
                let (name, stamp) = (&one.name, one.stamp);
                let Some(entry) = &one.entry else {
                    picture.execute(params![
                        name,
                        stamp.modified_ns,
                        stamp.size_bytes,
                        None::<i64>,
                        0,
                        0,
                        0,
                        0,
                        0,
                        false,
                        0,
                        false,
                        0,
                        ""
                    ])?;
                    continue;
                };
                let (kind, mark) = (kind_id(db, &entry.kind)?, &entry.mark);
                picture.execute(params![
                    name,
                    stamp.modified_ns,
                    stamp.size_bytes,
                    kind,
                    entry.made_ms as i64,
                    entry.seed as i64,
                    entry.seeds,
                    entry.size[0],
                    entry.size[1],
                    entry.is_enlarged,
                    entry.origin as i64,
                    mark.starred,
                    mark.rating,
                    mark.tags.join("\n")
                ])?;
                if !one.thumbnail.is_empty() {
                    thumbnail.execute(params![name, one.thumbnail])?;
                }
            }
            Ok(())
        })
    }

    /// Forgets files.
    pub fn remove<'a>(&mut self, names: impl Iterator<Item = &'a str>) -> Answer<()> {
        self.alone(|db| {
            let mut statements = [
                db.prepare("DELETE FROM pictures WHERE name = ?1")?,
                db.prepare("DELETE FROM thumbnails WHERE name = ?1")?,
            ];
            for name in names {
                for statement in &mut statements {
                    statement.execute([name])?;
                }
            }
            Ok(())
        })
    }

    /// A thumbnail as it was put.
    pub fn thumbnail(&self, name: &str) -> Answer<Option<Vec<u8>>> {
        let mut statement = self.db.prepare("SELECT jpeg FROM thumbnails WHERE name = ?1")?;
        statement.query_row([name], |row| row.get(0)).optional()
    }

    /// Keeps new names of kinds.
    pub fn rename<'a>(&mut self, kinds: impl Iterator<Item = &'a Kind>) -> Answer<()> {
        self.alone(|db| {
            for kind in kinds {
                let id = kind_id(db, kind)?;
                let (en, zh) = kind.class_name.clone().unzip();
                db.execute(
                    "UPDATE kinds SET title = ?2, words = ?3, class_en = ?4, class_zh = ?5 WHERE id = ?1",
                    params![id, kind.title, kind.words.join("\n"), en, zh],
                )?;
            }
            Ok(())
        })
    }
}

/// Keeps the marks of a picture.
pub(crate) fn mark(db: &Connection, name: &str, mark: &Mark) -> Answer<()> {
    db.execute(
        "UPDATE pictures SET starred = ?2, rating = ?3, tags = ?4 WHERE name = ?1",
        params![name, mark.starred, mark.rating, mark.tags.join("\n")],
    )?;
    Ok(())
}

/// The number of a kind, which is put in if it is new.
fn kind_id(db: &Connection, kind: &Kind) -> Answer<i64> {
    let class = kind.class.map_or(-1, i64::from);
    let (en, zh) = kind.class_name.clone().unzip();
    let known = "SELECT id FROM kinds WHERE model = ?1 AND sha256 = ?2 AND class = ?3";
    let known = db.query_row(known, params![kind.model.name, kind.model.sha256, class], |row| row.get(0)).optional()?;
    if let Some(id) = known {
        return Ok(id);
    }
    db.execute(
        "INSERT INTO kinds (model, sha256, class, title, words, class_en, class_zh) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![kind.model.name, kind.model.sha256, class, kind.title, kind.words.join("\n"), en, zh],
    )?;
    Ok(db.last_insert_rowid())
}
