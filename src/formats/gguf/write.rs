//! Writing GGUF version 3.

use std::io::{self, Write};

use super::{GgmlType, metadata::ItemType};

/// Collects the pairs and tensors of a file, then writes it.
///
/// ```
/// use atelier::formats::gguf::{GgmlType, GgufFile, GgufWriter};
/// let mut writer = GgufWriter::new();
/// writer.text("general.architecture", "llama").u32("llama.block_count", 1);
/// writer.tensor_f32("output_norm.weight", &[4], &[1.0, 2.0, 3.0, 4.0]);
/// let file = GgufFile::from_bytes(writer.to_bytes())?;
/// assert_eq!(file.architecture(), "llama");
/// assert_eq!(file.tensor("output_norm.weight").map(|t| t.dtype), Some(GgmlType::F32));
/// # Ok::<(), atelier::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct GgufWriter {
    entry_count: u64,
    entries: Vec<u8>,
    tensors: Vec<Tensor>,
}

#[derive(Clone, Debug)]
struct Tensor {
    name: String,
    dtype: GgmlType,
    /// Outermost first.
    shape: Vec<usize>,
    data: Vec<u8>,
}

const ALIGNMENT: usize = 32;

impl GgufWriter {
    /// An empty file.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a count or size.
    pub fn u32(&mut self, key: &str, value: u32) -> &mut Self {
        self.entry(key, ItemType::U32).entries.extend(value.to_le_bytes());
        self
    }

    /// Adds a number.
    pub fn f32(&mut self, key: &str, value: f32) -> &mut Self {
        self.entry(key, ItemType::F32).entries.extend(value.to_le_bytes());
        self
    }

    /// Adds a truth value.
    pub fn bool(&mut self, key: &str, value: bool) -> &mut Self {
        self.entry(key, ItemType::Bool).entries.push(value.into());
        self
    }

    /// Adds a text.
    pub fn text(&mut self, key: &str, value: &str) -> &mut Self {
        put_text(&mut self.entry(key, ItemType::Text).entries, value);
        self
    }

    /// Adds an array of texts.
    pub fn texts<S: AsRef<str>>(&mut self, key: &str, values: &[S]) -> &mut Self {
        self.array(key, ItemType::Text, values.len());
        for value in values {
            put_text(&mut self.entries, value.as_ref());
        }
        self
    }

    /// Adds an array of integers.
    pub fn i32s(&mut self, key: &str, values: &[i32]) -> &mut Self {
        self.array(key, ItemType::I32, values.len());
        self.entries.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        self
    }

    /// Adds an array of numbers.
    pub fn f32s(&mut self, key: &str, values: &[f32]) -> &mut Self {
        self.array(key, ItemType::F32, values.len());
        self.entries.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        self
    }

    /// Adds a tensor of `shape`, outermost first, in any format; `data` is what the format stores for it.
    ///
    /// # Panics
    /// When `data` is not the size that the shape and format give.
    pub fn tensor(&mut self, name: &str, dtype: GgmlType, shape: &[usize], data: Vec<u8>) -> &mut Self {
        assert_eq!(dtype.bytes_for(shape.iter().product()), Some(data.len()), "the data of {name} fits its shape");
        self.tensors.push(Tensor { name: name.to_owned(), dtype, shape: shape.to_vec(), data });
        self
    }

    /// Adds a tensor in F32.
    ///
    /// # Panics
    /// When `values` are not as many as the shape has.
    pub fn tensor_f32(&mut self, name: &str, shape: &[usize], values: &[f32]) -> &mut Self {
        let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tensor(name, GgmlType::F32, shape, data)
    }

    /// The file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        // Writing to memory cannot fail.
        let _ = self.write_to(&mut out);
        out
    }

    /// Writes the file.
    ///
    /// # Errors
    /// When `out` refuses.
    pub fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        let mut header = b"GGUF".to_vec();
        header.extend(3_u32.to_le_bytes());
        header.extend((self.tensors.len() as u64).to_le_bytes());
        header.extend(self.entry_count.to_le_bytes());
        header.extend(&self.entries);
        let mut offset = 0;
        for tensor in &self.tensors {
            put_text(&mut header, &tensor.name);
            header.extend((tensor.shape.len() as u32).to_le_bytes());
            header.extend(tensor.shape.iter().rev().flat_map(|n| (*n as u64).to_le_bytes()));
            header.extend(tensor.dtype.code().to_le_bytes());
            header.extend((offset as u64).to_le_bytes());
            offset += tensor.data.len().next_multiple_of(ALIGNMENT);
        }
        write_padded(out, &header)?;
        self.tensors.iter().try_for_each(|tensor| write_padded(out, &tensor.data))
    }

    fn entry(&mut self, key: &str, kind: ItemType) -> &mut Self {
        self.entry_count += 1;
        put_text(&mut self.entries, key);
        self.entries.extend((kind as u32).to_le_bytes());
        self
    }

    fn array(&mut self, key: &str, item: ItemType, count: usize) {
        self.entry(key, ItemType::Array).entries.extend((item as u32).to_le_bytes());
        self.entries.extend((count as u64).to_le_bytes());
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn write_padded(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    out.write_all(bytes)?;
    out.write_all(&[0; ALIGNMENT][..bytes.len().next_multiple_of(ALIGNMENT) - bytes.len()])
}

/// `values` as Q8_0: blocks of 32 with a half-float scale, each value rounded to the nearest of 255 steps.
///
/// # Panics
/// When there are no whole blocks of 32.
pub fn quantize_q8_0(values: &[f32]) -> Vec<u8> {
    assert!(values.len().is_multiple_of(32), "Q8_0 stores blocks of 32 values");
    let mut out = Vec::with_capacity(values.len() / 32 * 34);
    for block in values.chunks_exact(32) {
        let largest = block.iter().fold(0_f32, |most, value| most.max(value.abs()));
        let scale = largest / 127.0;
        let inverse = if scale == 0.0 { 0.0 } else { scale.recip() };
        out.extend(half::f16::from_f32(scale).to_le_bytes());
        out.extend(block.iter().map(|value| ((value * inverse).round() as i8).cast_unsigned()));
    }
    out
}
