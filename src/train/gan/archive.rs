//! Pictures of an archive: a zip file, or a tar file, packed with gzip or not. Nothing is unpacked to the disk.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{BufReader, Read, Seek as _},
    path::{Component, Path, PathBuf},
};

use flate2::read::MultiGzDecoder;

use super::{
    Pictures,
    data::{MOST_FILE_BYTES, is_picture, planes_of},
};
use crate::{Error, Result, nets::dcgan::ClassName};

/// Entries of an archive that are looked at.
const MOST_ENTRIES: usize = 10_000_000;

/// The pictures of an archive. Where several folders hold some, each is a class, and pictures outside of them are left
/// out.
pub(super) fn read(
    path: &Path,
    side: usize,
    channels: usize,
    mirror: bool,
    progress: &mut dyn FnMut(f64) -> bool,
) -> Result<Option<Pictures>> {
    let (mut folders, mut count) = (BTreeSet::new(), 0_usize);
    let listed = each(path, &mut |name, _| {
        folders.insert(folder_of(name));
        count += 1;
        Ok(count <= MOST_ENTRIES)
    });
    listed.map_err(|why| damaged(path, &why))?;
    let classes: Vec<PathBuf> = match folders.len() {
        0 | 1 => Vec::new(),
        _ => folders.into_iter().filter(|folder| folder.components().next().is_some()).collect(),
    };
    let named = |folder: &PathBuf| {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        ClassName { en: name.clone(), zh: name }
    };
    let names = classes.iter().take(usize::from(u16::MAX)).map(named).collect();
    let mut all = Pictures { side, channels, classes: names, mirror, ..Pictures::default() };
    let (mut done, mut failed, mut stopped) = (0_usize, None, false);
    let read = each(path, &mut |name, entry| {
        let class = classes.binary_search(&folder_of(name)).ok().filter(|class| *class < all.classes.len());
        if let Some(class) = class.or(classes.is_empty().then_some(0)) {
            let mut bytes = Vec::new();
            entry.take(MOST_FILE_BYTES + 1).read_to_end(&mut bytes)?;
            let planes = match bytes.len() as u64 {
                0..=MOST_FILE_BYTES => planes_of(bytes, side, channels),
                _ => Err("too large".to_owned()),
            };
            match planes.map(|planes| all.push(&planes, class as u16)) {
                Ok(pushed) => failed = pushed.err(),
                Err(why) => all.skipped.push((name.to_owned(), why)),
            }
        }
        done += 1;
        stopped = !progress(done as f64 / count as f64);
        Ok(failed.is_none() && !stopped)
    });
    read.map_err(|why| damaged(path, &why))?;
    match failed {
        Some(why) => Err(why),
        None => Ok((!stopped).then_some(all)),
    }
}

/// Where a picture lies in its archive.
fn folder_of(name: &Path) -> PathBuf {
    let plain = name.components().filter(|part| matches!(part, Component::Normal(_)));
    plain.collect::<PathBuf>().parent().map(Path::to_owned).unwrap_or_default()
}

/// Whether an entry is one of pictures, and not what a file system keeps beside them.
fn counts(name: &Path) -> bool {
    let hidden = |part: &str| part.starts_with('.') && part.len() > 1 || part == "__MACOSX";
    is_picture(name) && !name.iter().any(|part| hidden(&part.to_string_lossy()))
}

/// What is done with each picture, by its name; `false` ends it.
type Each<'a> = &'a mut dyn FnMut(&Path, &mut dyn Read) -> std::io::Result<bool>;

/// Goes through the pictures of an archive: of a zip file in the order of their names, of a tar file in its own.
fn each(path: &Path, on: Each<'_>) -> std::io::Result<()> {
    let mut file = BufReader::new(File::open(path)?);
    let mut start = [0; 4];
    let known = file.read_exact(&mut start).is_ok();
    file.rewind()?;
    match start {
        [b'P', b'K', ..] if known => each_of_zip(file, on),
        [0x1F, 0x8B, ..] if known => each_of_tar(MultiGzDecoder::new(file), on),
        _ => each_of_tar(file, on),
    }
}

fn each_of_zip(file: BufReader<File>, on: Each<'_>) -> std::io::Result<()> {
    let mut archive = zip::ZipArchive::new(file)?;
    let mut names: Vec<String> = archive.file_names().flatten().map(std::borrow::Cow::into_owned).collect();
    names.sort_unstable();
    for name in names.iter().filter(|name| counts(Path::new(name))) {
        let mut entry = archive.by_name(name)?;
        if !on(Path::new(name), &mut entry)? {
            break;
        }
    }
    Ok(())
}

fn each_of_tar(file: impl Read, on: Each<'_>) -> std::io::Result<()> {
    for entry in tar::Archive::new(file).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.into_owned();
        if entry.header().entry_type().is_file() && counts(&name) && !on(&name, &mut entry)? {
            break;
        }
    }
    Ok(())
}

fn damaged(path: &Path, why: &std::io::Error) -> Error {
    let name = path.display();
    Error::new(
        format!("“{name}” is no folder, and no whole zip or tar archive ({why}); choose another."),
        format!("“{name}”既不是文件夹，也不是完整的 zip 或 tar 压缩包（{why}），请另选。"),
    )
}
