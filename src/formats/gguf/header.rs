//! Reading and checking the header: every count, length and offset is compared with what the file can hold
//! before anything is allocated for it or read through it.

use std::{collections::HashMap, ops::Range};

use super::{
    GgmlType,
    metadata::{ItemType, Value},
};

/// Why a file is refused: the second half of a sentence, in English and Chinese.
pub(super) struct Fault(pub String, pub String);

type Parsed<T> = Result<T, Fault>;

/// Where a tensor lies.
#[derive(Clone, Debug)]
pub(super) struct TensorInfo {
    pub name: String,
    pub dtype: GgmlType,
    /// Outermost first, as rows × columns.
    pub shape: Vec<usize>,
    /// Bytes of the file.
    pub range: Range<usize>,
}

/// A checked header.
pub(super) struct Header {
    pub entries: HashMap<String, Value>,
    pub tensors: Vec<TensorInfo>,
}

/// A tensor's entry before its place has been checked.
struct Entry {
    name: String,
    dtype: GgmlType,
    shape: Vec<usize>,
    offset: u64,
    size: usize,
}

/// More dimensions than ggml has.
const MAX_DIMENSIONS: u32 = 4;
/// ggml's own limit on names is 64; some writers go over it.
const MAX_NAME_BYTES: usize = 1 << 10;
/// Entries that room is made for before they are read.
const START: usize = 1 << 10;
/// The least bytes of a tensor's entry: name length, dimension count, type, offset.
const MIN_TENSOR_BYTES: usize = 24;
/// The least bytes of a key-value pair: key length, type, one byte of value.
const MIN_ENTRY_BYTES: usize = 13;

/// Reads and checks a whole header.
pub(super) fn parse(bytes: &[u8]) -> Parsed<Header> {
    let mut reader = Reader { bytes, at: 0 };
    let (tensor_count, entry_count) = preamble(&mut reader)?;

    // Counts are bounded by the file's size, but an entry takes more memory than it takes bytes there: maps and lists
    // start small and grow with what is really read.
    let mut entries = HashMap::with_capacity(entry_count.min(START));
    for _ in 0..entry_count {
        let key = reader.key()?;
        let value = reader.value(&key)?;
        if entries.insert(key.clone(), value).is_some() {
            return Err(damaged(&format!("the key “{key}” is there twice"), &format!("键“{key}”重复出现")));
        }
    }
    let alignment = alignment(&entries)?;

    let mut found = Vec::with_capacity(tensor_count.min(START));
    for _ in 0..tensor_count {
        found.push(reader.tensor()?);
    }
    let start = (reader.at as u64).next_multiple_of(alignment);
    let tensors = place(found, start, alignment, bytes.len() as u64)?;
    Ok(Header { entries, tensors })
}

/// Magic, version and the two counts.
fn preamble(reader: &mut Reader<'_>) -> Parsed<(usize, usize)> {
    if reader.bytes.is_empty() {
        return Err(Fault("the file is empty; fetch it again".into(), "文件是空的，请重新获取".into()));
    }
    if reader.bytes.get(..4) != Some(b"GGUF") {
        return Err(Fault(
            "it is not a GGUF file; choose a file that ends in .gguf".into(),
            "它不是 GGUF 文件，请选择以 .gguf 结尾的文件".into(),
        ));
    }
    reader.at = 4;
    match reader.u32()? {
        2 | 3 => {}
        1 => {
            return Err(Fault(
                "it is in version 1 of the format, which is no longer used; convert it with a current tool".into(),
                "它采用已停用的第 1 版格式，请用新工具重新转换".into(),
            ));
        }
        version if matches!(version.swap_bytes(), 1..=99) => {
            return Err(Fault(
                "it was made for big-endian computers; get the ordinary little-endian file".into(),
                "它是大端序文件，请换用普通的小端序文件".into(),
            ));
        }
        version => {
            return Err(Fault(
                format!("it is in version {version} of the format; versions 2 and 3 can be read"),
                format!("它采用第 {version} 版格式，目前支持第 2 和第 3 版"),
            ));
        }
    }
    let tensor_count = reader.count(MIN_TENSOR_BYTES)?;
    let entry_count = reader.count(MIN_ENTRY_BYTES)?;
    Ok((tensor_count, entry_count))
}

fn alignment(entries: &HashMap<String, Value>) -> Parsed<u64> {
    match entries.get("general.alignment") {
        None => Ok(32),
        Some(Value::Unsigned(value @ 1..=0x10_0000)) if value.is_power_of_two() => Ok(*value),
        Some(_) => Err(damaged("its alignment is no power of two", "对齐值不是 2 的幂")),
    }
}

/// Gives every tensor its bytes: aligned, inside the file, and shared with no other.
fn place(found: Vec<Entry>, start: u64, alignment: u64, file_len: u64) -> Parsed<Vec<TensorInfo>> {
    let mut tensors = Vec::with_capacity(found.len());
    let mut needed = start;
    for entry in found {
        let Entry { name, dtype, shape, offset, size } = entry;
        if !offset.is_multiple_of(alignment) {
            return Err(damaged(&format!("the tensor “{name}” is not aligned"), &format!("张量“{name}”未对齐")));
        }
        let begin = start.checked_add(offset);
        let end = begin.and_then(|begin| begin.checked_add(size as u64));
        let (Some(begin), Some(end)) = (begin, end) else {
            return Err(damaged(
                &format!("the tensor “{name}” lies beyond any file"),
                &format!("张量“{name}”的位置超出范围"),
            ));
        };
        needed = needed.max(end);
        // Checked against the file's length below, once how much is missing is known.
        tensors.push(TensorInfo { name, dtype, shape, range: begin as usize..end as usize });
    }
    if needed > file_len {
        let (have, want) = (megabytes(file_len), megabytes(needed));
        return Err(Fault(
            format!("it is cut short: {have} MB of {want} MB are there; fetch it again"),
            format!("文件不完整：只有 {have} MB，应有 {want} MB，请重新获取"),
        ));
    }
    no_overlaps(&tensors)?;
    Ok(tensors)
}

fn no_overlaps(tensors: &[TensorInfo]) -> Parsed<()> {
    let mut by_place: Vec<&TensorInfo> = tensors.iter().collect();
    by_place.sort_unstable_by_key(|tensor| tensor.range.start);
    for pair in by_place.windows(2) {
        if let [left, right] = pair
            && left.range.end > right.range.start
        {
            let (left, right) = (&left.name, &right.name);
            return Err(damaged(
                &format!("the tensors “{left}” and “{right}” overlap"),
                &format!("张量“{left}”与“{right}”重叠"),
            ));
        }
    }
    Ok(())
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}

fn damaged(en: &str, zh: &str) -> Fault {
    Fault(format!("it is damaged ({en}); fetch it again"), format!("文件已损坏（{zh}），请重新获取"))
}

fn cut_short() -> Fault {
    Fault("it is cut short inside its header; fetch it again".into(), "文件在头部就中断了，请重新获取".into())
}

/// A cursor that never leaves the file.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Parsed<&'a [u8]> {
        let end = self.at.checked_add(count).ok_or_else(cut_short)?;
        let taken = self.bytes.get(self.at..end).ok_or_else(cut_short)?;
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Parsed<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| cut_short())
    }

    fn u32(&mut self) -> Parsed<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Parsed<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A count of things that take at least `min_bytes` each, and so cannot be more than fit in the rest of the file.
    fn count(&mut self, min_bytes: usize) -> Parsed<usize> {
        let count = self.u64()?;
        let most = (self.bytes.len() - self.at) / min_bytes.max(1);
        usize::try_from(count).ok().filter(|count| *count <= most).ok_or_else(cut_short)
    }

    fn text_bytes(&mut self) -> Parsed<&'a [u8]> {
        let length = self.count(1)?;
        self.take(length)
    }

    /// A key or the name of a tensor.
    fn key(&mut self) -> Parsed<String> {
        let bytes = self.text_bytes()?;
        match std::str::from_utf8(bytes) {
            Ok(name) if name.len() <= MAX_NAME_BYTES && !name.is_empty() => Ok(name.to_owned()),
            _ => Err(damaged("a name in its header is no text", "头部中有一个名称不是文本")),
        }
    }

    fn item_type(&mut self, key: &str) -> Parsed<ItemType> {
        let code = self.u32()?;
        ItemType::from_code(code).ok_or_else(|| {
            damaged(&format!("“{key}” has the unknown type {code}"), &format!("“{key}”的类型 {code} 未知"))
        })
    }

    fn value(&mut self, key: &str) -> Parsed<Value> {
        match self.item_type(key)? {
            // Descriptions in other encodings do not matter enough to refuse a model for them.
            ItemType::Text => Ok(Value::Text(String::from_utf8_lossy(self.text_bytes()?).into_owned())),
            ItemType::Array => self.array_value(key),
            scalar => {
                let bytes = self.take(scalar.width().unwrap_or(0))?;
                scalar.scalar(bytes).ok_or_else(cut_short)
            }
        }
    }

    fn array_value(&mut self, key: &str) -> Parsed<Value> {
        let item = self.item_type(key)?;
        if item == ItemType::Array {
            return Err(damaged(&format!("“{key}” is an array of arrays"), &format!("“{key}”是数组的数组")));
        }
        let count = self.count(item.width().unwrap_or(8))?;
        let start = self.at;
        match item.width() {
            Some(width) => {
                self.take(count * width)?;
            }
            None => {
                for _ in 0..count {
                    if std::str::from_utf8(self.text_bytes()?).is_err() {
                        return Err(damaged(
                            &format!("“{key}” holds something that is no UTF-8 text"),
                            &format!("“{key}”含有非 UTF-8 文本"),
                        ));
                    }
                }
            }
        }
        Ok(Value::Array { item, count, range: start..self.at })
    }

    fn tensor(&mut self) -> Parsed<Entry> {
        let name = self.key()?;
        let dimensions = self.u32()?;
        if dimensions > MAX_DIMENSIONS {
            return Err(damaged(
                &format!("the tensor “{name}” has {dimensions} dimensions"),
                &format!("张量“{name}”有 {dimensions} 个维度"),
            ));
        }
        let mut shape = Vec::with_capacity(MAX_DIMENSIONS as usize);
        for _ in 0..dimensions {
            shape.push(self.u64()?);
        }
        let code = self.u32()?;
        let offset = self.u64()?;
        let Some(dtype) = GgmlType::from_code(code) else {
            return Err(Fault(
                format!(
                    "the tensor “{name}” has the number format {code}, which is not known here; get another quantisation, such as Q4_K_M or Q8_0"
                ),
                format!("张量“{name}”采用未知的数值格式 {code}，请换用其他量化版本，例如 Q4_K_M 或 Q8_0"),
            ));
        };
        let sized = tensor_size(&shape, dtype);
        let Some((mut shape, size)) = sized else {
            return Err(damaged(
                &format!("the tensor “{name}” has the impossible shape {shape:?} for {dtype}"),
                &format!("张量“{name}”的形状 {shape:?} 与 {dtype} 不符"),
            ));
        };
        shape.reverse();
        Ok(Entry { name, dtype, shape, offset, size })
    }
}

/// The shape in this computer's sizes and the bytes it takes; `None` when it is empty, overflows, or its rows are no whole blocks.
fn tensor_size(dimensions: &[u64], dtype: GgmlType) -> Option<(Vec<usize>, usize)> {
    let shape: Vec<usize> = dimensions.iter().map(|n| usize::try_from(*n).ok()).collect::<Option<_>>()?;
    let columns = shape.first().copied().unwrap_or(1);
    let rows = shape.iter().skip(1).try_fold(1_usize, |rows, n| rows.checked_mul(*n))?;
    // Also keeps the number of values, not only their bytes, within what can be counted.
    let values = columns.checked_mul(rows)?;
    if values == 0 {
        return None;
    }
    let size = dtype.bytes_for(columns)?.checked_mul(rows)?;
    Some((shape, size))
}
