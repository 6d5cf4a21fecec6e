//! The two containers of PyTorch's `torch.save`: a zip archive since version 1.6, one stream of pickles before.

use std::{collections::HashMap, io::Read as _, ops::Range};

use super::{
    Fault, damaged,
    pickle::{self, Pickle, Refusal, Value},
};

/// The values of a checkpoint and the bytes of its storages.
pub(super) struct Contents {
    pub pickle: Pickle,
    pub storages: Storages,
}

/// Where storages lie.
pub(super) enum Storages {
    /// Each an uncompressed member of the archive: its bytes, by the key that the pickle calls it.
    Archive(HashMap<String, Vec<u8>>),
    /// Parts of the stream: the count of numbers it says, and everything from the first byte on.
    Stream { by_key: HashMap<String, Range<usize>> },
}

pub(super) fn open(bytes: &[u8]) -> Result<Contents, Fault> {
    if bytes.starts_with(b"PK\x03\x04") { archive(bytes) } else { stream(bytes) }
}

fn read_pickle(bytes: &[u8], start: usize) -> Result<Pickle, Fault> {
    pickle::read(bytes, start).map_err(|why| match why {
        Refusal::Damaged => damaged(),
        Refusal::Global(name) => Fault(
            format!("it contains “{name}”, which is not weights, and nothing in it was run; save the state_dict alone and open that"),
            format!("其中含有“{name}”，它不是权重（没有执行任何内容）；请只保存 state_dict 再打开"),
        ),
    })
}

fn archive(bytes: &[u8]) -> Result<Contents, Fault> {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).map_err(|_| damaged())?;
    let mut pickled = None;
    let mut members = HashMap::new();
    let mut left = bytes.len() as u64;
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).map_err(|_| damaged())?;
        let name = member.name().map_err(|_| damaged())?.into_owned();
        // Everything lies in one folder, whose name is the file's first one.
        let Some((_, inner)) = name.split_once('/') else { continue };
        let wanted = inner == "data.pkl" || inner == "byteorder" || inner.starts_with("data/");
        if !wanted {
            continue;
        }
        // Stored as they are, members cannot be larger than the archive together either.
        left = left.checked_sub(member.size()).ok_or_else(damaged)?;
        let size = member.size();
        let mut content = Vec::with_capacity(size as usize);
        // One byte more, which sees the end and with it the checksum; a member that is longer than it says is none.
        member.by_ref().take(size + 1).read_to_end(&mut content).map_err(|_| damaged())?;
        if content.len() as u64 != size {
            return Err(damaged());
        }
        if inner == "data.pkl" {
            pickled = Some(content);
        } else if inner == "byteorder" {
            if content != b"little" {
                return Err(Fault(
                    "it was saved on a big-endian computer; save it again on an ordinary one".into(),
                    "它是在大端序计算机上保存的，请在普通计算机上重新保存".into(),
                ));
            }
        } else if let Some(key) = inner.strip_prefix("data/") {
            members.insert(key.to_owned(), content);
        }
    }
    let pickled = pickled.ok_or_else(|| {
        Fault("it is an archive, but not one of PyTorch's".into(), "它是压缩包，但不是 PyTorch 保存的".into())
    })?;
    Ok(Contents { pickle: read_pickle(&pickled, 0)?, storages: Storages::Archive(members) })
}

/// The number that old files begin with, as a pickled long.
const MAGIC: &[u8] = &[0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// Magic number, protocol, system, the checkpoint itself, keys of the storages: five pickles; then the storages in that
/// order, each after its count of numbers.
fn stream(bytes: &[u8]) -> Result<Contents, Fault> {
    let magic = bytes.get(..24).is_some_and(|start| start.windows(MAGIC.len()).any(|window| window == MAGIC));
    if !magic {
        return Err(Fault(
            "it is no file of PyTorch's torch.save; choose a .pth, .pt or .bin file".into(),
            "它不是 PyTorch 的 torch.save 文件，请选择 .pth、.pt 或 .bin 文件".into(),
        ));
    }
    let mut at = 0;
    for _ in 0..3 {
        at = read_pickle(bytes, at)?.end;
    }
    let pickle = read_pickle(bytes, at)?;
    let keys = read_pickle(bytes, pickle.end)?;
    let Some(Value::List(ids)) = keys.values.get(keys.root as usize) else { return Err(damaged()) };
    let sizes = storage_widths(&pickle);
    let mut by_key = HashMap::new();
    let mut at = keys.end;
    for id in ids {
        let Some(Value::Text(key)) = keys.values.get(*id as usize) else { return Err(damaged()) };
        let count = bytes.get(at..).and_then(|rest| rest.first_chunk()).ok_or_else(damaged)?;
        let count = usize::try_from(i64::from_le_bytes(*count)).map_err(|_| damaged())?;
        let length = sizes.get(key).and_then(|width| width.checked_mul(count)).ok_or_else(damaged)?;
        let start = at + 8;
        let end = start.checked_add(length).filter(|end| *end <= bytes.len()).ok_or_else(damaged)?;
        by_key.insert(key.clone(), start..end);
        at = end;
    }
    Ok(Contents { pickle, storages: Storages::Stream { by_key } })
}

/// Bytes of a number in each storage, by key.
fn storage_widths(pickle: &Pickle) -> HashMap<String, usize> {
    let persistent = pickle.values.iter().filter_map(|value| match value {
        Value::Persistent(id) => super::tensors::storage_of(pickle, *id),
        _ => None,
    });
    persistent.map(|storage| (storage.key.to_owned(), storage.kind.width())).collect()
}

impl Storages {
    /// The bytes of a storage; `file` is the whole file.
    pub fn get<'a>(&'a self, key: &str, file: &'a [u8]) -> Option<&'a [u8]> {
        match self {
            Self::Archive(members) => members.get(key).map(Vec::as_slice),
            Self::Stream { by_key } => file.get(by_key.get(key)?.clone()),
        }
    }
}
