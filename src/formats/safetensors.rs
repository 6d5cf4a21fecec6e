//! Safetensors files: named tensors behind a checked header (github.com/huggingface/safetensors).

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::Path,
};

use candle_core::{Device, Tensor};

use crate::{Error, Result, files};

/// All tensors of a file, as they are stored.
///
/// # Errors
/// When it cannot be read or is no whole safetensors file.
pub fn load(path: &Path) -> Result<HashMap<String, Tensor>> {
    Ok(load_all(path)?.0)
}

/// All tensors of a file, and its metadata: what whoever wrote it says about them.
///
/// # Errors
/// When it cannot be read or is no whole safetensors file.
pub fn load_all(path: &Path) -> Result<(HashMap<String, Tensor>, BTreeMap<String, String>)> {
    let bytes = fs::read(path).map_err(|why| Error::file(("open", "打开"), path, &why))?;
    read(&bytes).map_err(|why| damaged(path, &why))
}

/// All tensors of a file's bytes, and its metadata; the error is the reason alone.
///
/// # Errors
/// When they are no whole safetensors file.
#[allow(clippy::type_complexity, reason = "two maps")]
pub fn read(bytes: &[u8]) -> Result<(HashMap<String, Tensor>, BTreeMap<String, String>), String> {
    let tensors = candle_core::safetensors::load_buffer(bytes, &Device::Cpu).map_err(|why| first_line(&why))?;
    let header = safetensors::SafeTensors::read_metadata(bytes).ok();
    let metadata = header.and_then(|(_, header)| header.metadata().clone()).unwrap_or_default();
    Ok((tensors, metadata.into_iter().collect()))
}

fn damaged(path: &Path, why: &str) -> Error {
    let name = path.display();
    Error::new(
        format!("“{name}” is no whole safetensors file ({why}); download or save it again."),
        format!("“{name}”不是完整的 safetensors 文件（{why}），请重新下载或保存。"),
    )
}

/// Writes tensors to a file, in the order of their names, whole or not at all.
///
/// # Errors
/// When the folder cannot be written or the disk is full.
pub fn save(path: &Path, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
    save_all(path, tensors, &BTreeMap::new())
}

/// As [`save`], with metadata about the tensors.
///
/// # Errors
/// When the folder cannot be written or the disk is full.
pub fn save_all(path: &Path, tensors: &BTreeMap<String, Tensor>, metadata: &BTreeMap<String, String>) -> Result<()> {
    let metadata = (!metadata.is_empty()).then(|| metadata.clone().into_iter().collect());
    let bytes = safetensors::serialize(tensors, metadata).map_err(|why| {
        Error::new(
            format!("Could not save “{}”: {why}; the tensors cannot be stored.", path.display()),
            format!("无法保存“{}”：{why}；张量无法存储。", path.display()),
        )
    })?;
    files::write_whole(path, &bytes)
}

/// What the head of a file says, without reading its tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Numbers in all tensors.
    pub parameters: u64,
    /// The kind of numbers that most tensors' numbers are, such as `F16`.
    pub stored_as: String,
    /// What whoever wrote the file says about the tensors.
    pub metadata: BTreeMap<String, String>,
}

/// The largest head that is read: the format's own limit.
const MOST_HEAD_BYTES: u64 = 100_000_000;

/// Reads the head of a file.
///
/// # Errors
/// When it cannot be read or is no whole safetensors file.
pub fn head(path: &Path) -> Result<Head> {
    use std::io::Read as _;
    let cannot = |why: std::io::Error| Error::file(("open", "打开"), path, &why);
    let file = fs::File::open(path).map_err(cannot)?;
    let size = file.metadata().map_err(cannot)?.len();
    let mut bytes = Vec::new();
    (&file).take(8).read_to_end(&mut bytes).map_err(cannot)?;
    let length = <[u8; 8]>::try_from(bytes.as_slice()).map_or(u64::MAX, u64::from_le_bytes);
    (&file).take(length.min(MOST_HEAD_BYTES).min(size)).read_to_end(&mut bytes).map_err(cannot)?;
    // Whether tensors overlap or leave gaps is checked where the deserialised head is made.
    let head = serde_json::from_slice::<safetensors::tensor::Metadata>(bytes.get(8..).unwrap_or_default());
    let read = head.map_err(|why| why.to_string()).and_then(|head| {
        let (mut numbers, mut end) = (BTreeMap::<String, u64>::new(), 0);
        for tensor in head.tensors().values() {
            let count = tensor.shape.iter().try_fold(1_u64, |all, side| all.checked_mul(*side as u64));
            let sum = numbers.entry(tensor.dtype.to_string()).or_default();
            *sum = count.and_then(|count| sum.checked_add(count)).ok_or("a tensor is too large")?;
            end = end.max(tensor.data_offsets.1 as u64);
        }
        if size - bytes.len() as u64 != end {
            return Err("it is cut short, or something follows its tensors".to_owned());
        }
        let most = numbers.iter().max_by_key(|(_, numbers)| **numbers);
        Ok(Head {
            parameters: numbers.values().sum(),
            stored_as: most.map(|(kind, _)| kind.clone()).unwrap_or_default(),
            metadata: head.metadata().clone().unwrap_or_default().into_iter().collect(),
        })
    });
    read.map_err(|why| damaged(path, &why))
}

/// With RUST_BACKTRACE set the lines after the first are a backtrace.
fn first_line(why: &candle_core::Error) -> String {
    why.to_string().lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_come_back_as_they_were() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("a.safetensors");
        let tensor = Tensor::new(&[[1_i64, 2], [3, 4]], &Device::Cpu).expect("tensor");
        let transposed = tensor.t().expect("transposed");
        save(&path, &BTreeMap::from([("t".to_owned(), transposed)])).expect("save");
        let loaded = load(&path).expect("load");
        assert_eq!(loaded["t"].to_vec2::<i64>().expect("values"), [[1, 3], [2, 4]]);
    }

    #[test]
    fn metadata_comes_back() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("a.safetensors");
        let tensors = BTreeMap::from([("t".to_owned(), Tensor::new(&[1.5_f32], &Device::Cpu).expect("tensor"))]);
        let metadata = BTreeMap::from([("about".to_owned(), "“quoted” 你好".to_owned())]);
        save_all(&path, &tensors, &metadata).expect("save");
        assert_eq!(load_all(&path).expect("load").1, metadata);
        save(&path, &tensors).expect("save");
        assert!(load_all(&path).expect("load").1.is_empty());
    }

    #[test]
    fn damaged_files_are_refused_with_a_sentence() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("a.safetensors");
        let tensor = Tensor::zeros((3, 5), candle_core::DType::F32, &Device::Cpu).expect("tensor");
        save(&path, &BTreeMap::from([("t".to_owned(), tensor)])).expect("save");
        let good = fs::read(&path).expect("read");
        for cut in 0..good.len() {
            files::write_whole(&path, &good[..cut]).expect("write");
            let error = load(&path).expect_err("cut short").to_string();
            assert!(error.contains("save it again") && error.lines().count() == 1, "{error}");
        }
        for at in 0..good.len().min(100) {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            files::write_whole(&path, &bad).expect("write");
            let _ = load(&path); // May be another valid file; must not panic.
        }
        assert!(load(dir.path()).expect_err("a folder").to_string().starts_with("Could not open"));
    }
}
