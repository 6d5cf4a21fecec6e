//! GGUF, the format of quantised language models: versions 2 and 3, mapped into memory, header fully checked.
//!
//! Follows the specification in ggml's `docs/gguf.md`.

mod dequant;
mod header;
mod metadata;
mod types;
mod write;

use std::{
    collections::HashMap,
    fmt,
    fs::{self, File},
    ops::Deref,
    path::Path,
    sync::Arc,
};

use memmap2::{Mmap, MmapMut};

use self::header::{Fault, TensorInfo};
pub use self::{
    dequant::dequantize,
    metadata::Metadata,
    types::GgmlType,
    write::{GgufWriter, quantize_q8_0},
};
use crate::{Error, Result};

/// An open GGUF file. The weights stay in the file and are paged in by the system as they are touched.
#[derive(Debug)]
pub struct GgufFile {
    metadata: Metadata,
    tensors: Vec<TensorInfo>,
    by_name: HashMap<String, usize>,
    size_bytes: u64,
}

/// A tensor in a file.
#[derive(Clone, Debug)]
pub struct TensorView<'a> {
    /// Its name, such as `blk.0.attn_q.weight`.
    pub name: &'a str,
    /// How its values are stored.
    pub dtype: GgmlType,
    /// Row-major, outermost first: `[rows, columns]`. A row is contiguous and made of whole blocks.
    pub shape: Vec<usize>,
    /// The stored bytes; they start at a multiple of the file's alignment, 32 unless it says otherwise.
    pub data: &'a [u8],
}

/// The content of a file.
pub(super) enum Bytes {
    File(Mmap),
    Memory(Mmap),
    Empty,
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::File(map) | Self::Memory(map) => map,
            Self::Empty => &[],
        }
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

impl GgufFile {
    /// Opens a file and checks its header; the weights are not read yet.
    ///
    /// The file must not be changed while it is open: the system may then end the program, as with any mapped file.
    ///
    /// # Errors
    /// When it cannot be opened, is no GGUF file, is cut short or damaged.
    pub fn open(path: &Path) -> Result<Self> {
        let doing = ("open", "打开");
        let failed = |why: std::io::Error| Error::file(doing, path, &why);
        // Asked before opening, which waits forever on a pipe.
        let kind = fs::metadata(path).map_err(failed)?.file_type();
        if kind.is_dir() {
            return Err(failed(std::io::ErrorKind::IsADirectory.into()));
        }
        if !kind.is_file() {
            let name = path.display();
            return Err(Error::new(
                format!("Could not open “{name}”: it is not an ordinary file; choose a .gguf file."),
                format!("无法打开“{name}”：它不是普通文件，请选择 .gguf 文件。"),
            ));
        }
        let file = File::open(path).map_err(failed)?;
        let meta = file.metadata().map_err(failed)?;
        let bytes = if meta.len() == 0 { Bytes::Empty } else { Bytes::File(map_file(&file).map_err(failed)?) };
        Self::from_parts(bytes, &path.display().to_string())
    }

    /// The same from memory, for tests and fuzzing.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn from_bytes(bytes: impl AsRef<[u8]>) -> Result<Self> {
        let bytes = bytes.as_ref();
        let name = "GGUF";
        if bytes.is_empty() {
            return Self::from_parts(Bytes::Empty, name);
        }
        // An anonymous map starts at a page as a file's does, so that tensors are aligned alike.
        let map = MmapMut::map_anon(bytes.len()).and_then(|mut map| {
            map.copy_from_slice(bytes);
            map.make_read_only()
        });
        let map = map.map_err(|why| Error::file(("open", "打开"), Path::new(name), &why))?;
        Self::from_parts(Bytes::Memory(map), name)
    }

    fn from_parts(bytes: Bytes, name: &str) -> Result<Self> {
        let refused = |Fault(en, zh): Fault| {
            Error::new(format!("Could not open “{name}”: {en}."), format!("无法打开“{name}”：{zh}。"))
        };
        let header = header::parse(&bytes).map_err(refused)?;
        let mut by_name = HashMap::with_capacity(header.tensors.len());
        for (index, tensor) in header.tensors.iter().enumerate() {
            if by_name.insert(tensor.name.clone(), index).is_some() {
                let twice = &tensor.name;
                return Err(refused(Fault(
                    format!("it is damaged (the tensor “{twice}” is there twice); fetch it again"),
                    format!("文件已损坏（张量“{twice}”重复出现），请重新获取"),
                )));
            }
        }
        let size_bytes = bytes.len() as u64;
        let metadata = Metadata { bytes: Arc::new(bytes), entries: header.entries };
        Ok(Self { metadata, tensors: header.tensors, by_name, size_bytes })
    }

    /// The key-value pairs.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The tensor with this name.
    pub fn tensor(&self, name: &str) -> Option<TensorView<'_>> {
        self.view(self.tensors.get(*self.by_name.get(name)?)?)
    }

    /// All tensors, in the order of the file.
    pub fn tensors(&self) -> impl Iterator<Item = TensorView<'_>> {
        self.tensors.iter().filter_map(|info| self.view(info))
    }

    fn view<'a>(&'a self, info: &'a TensorInfo) -> Option<TensorView<'a>> {
        let data = self.metadata.bytes.get(info.range.clone())?;
        Some(TensorView { name: &info.name, dtype: info.dtype, shape: info.shape.clone(), data })
    }

    /// Lets the system take back the memory that holds `part` of a tensor's data, when it will not be read again soon.
    /// Reading it again works as before.
    pub fn release(&self, part: &[u8]) {
        #[cfg(unix)]
        if let Bytes::File(map) = &*self.metadata.bytes
            && let Some(start) = (part.as_ptr() as usize).checked_sub(map.as_ptr() as usize)
            && start + part.len() <= map.len()
        {
            release_pages(map, start, part.len());
        }
        #[cfg(not(unix))]
        let _ = part;
    }

    /// The size of the file.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The architecture, such as `llama`; empty when the file does not say.
    pub fn architecture(&self) -> &str {
        self.metadata.get_str("general.architecture").unwrap_or_default()
    }

    /// The number format that most bytes of weights use, such as `Q4_1`; empty when there are no weights.
    pub fn quantisation(&self) -> &'static str {
        let mut bytes: HashMap<GgmlType, usize> = HashMap::new();
        for info in &self.tensors {
            *bytes.entry(info.dtype).or_default() += info.range.len();
        }
        // The type itself breaks ties, so that the answer never varies.
        bytes.into_iter().max_by_key(|(dtype, bytes)| (*bytes, *dtype)).map_or("", |(dtype, _)| dtype.name())
    }

    /// The number of weights.
    pub fn parameters(&self) -> u64 {
        let values = |info: &TensorInfo| info.shape.iter().map(|n| *n as u64).product::<u64>();
        self.tensors.iter().fold(0, |sum, info| sum.saturating_add(values(info)))
    }

    /// The licence that the file declares; empty when it declares none.
    pub fn licence(&self) -> &str {
        self.metadata.get_str("general.license").unwrap_or_default()
    }
}

#[cfg(unix)]
#[expect(unsafe_code, reason = "memory may only be given up where its content can be had again")]
fn release_pages(map: &Mmap, start: usize, len: usize) {
    // SAFETY: the map is of a file, shared and never written: pages that are touched again come from the file as before.
    // That the system declines costs memory only.
    let _ = unsafe { map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, start, len) };
}

#[expect(unsafe_code, reason = "mapping a file has no safe form")]
fn map_file(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: the map is only ever read as bytes, for which any content is valid. Should another program cut the file
    // short meanwhile, the system ends this one at the next access (SIGBUS); it never reads freed memory.
    unsafe { Mmap::map(file) }
}

#[cfg(test)]
mod tests;
