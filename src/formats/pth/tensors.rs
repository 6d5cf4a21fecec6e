//! From pickled values to tensors: storages found, views copied out, names joined.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};

use super::{
    Fault,
    container::Contents,
    pickle::{Global, Id, Pickle, StorageType, Value},
};

/// A reference to a storage.
pub(super) struct Storage<'a> {
    pub kind: StorageType,
    pub key: &'a str,
    /// Numbers to skip, where it is a view of a larger one.
    pub offset: usize,
}

impl StorageType {
    /// Bytes of a number.
    pub fn width(self) -> usize {
        match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::F16 | Self::BF16 | Self::I16 => 2,
            Self::F32 | Self::I32 => 4,
            Self::F64 | Self::I64 => 8,
        }
    }

    fn dtype(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::F64 => DType::F64,
            Self::F16 => DType::F16,
            Self::BF16 => DType::BF16,
            Self::U8 | Self::Bool => DType::U8,
            Self::I8 | Self::I16 => DType::I16,
            Self::I32 => DType::I32,
            Self::I64 => DType::I64,
        }
    }
}

fn value(pickle: &Pickle, id: Id) -> &Value {
    pickle.values.get(id as usize).unwrap_or(&Value::None)
}

fn size(pickle: &Pickle, id: Id) -> Option<usize> {
    match value(pickle, id) {
        Value::Int(size) => usize::try_from(*size).ok(),
        _ => None,
    }
}

fn sizes(pickle: &Pickle, id: Id) -> Option<Vec<usize>> {
    match value(pickle, id) {
        Value::Tuple(ids) | Value::List(ids) => ids.iter().map(|id| size(pickle, *id)).collect(),
        _ => None,
    }
}

/// The storage that a persistent id `("storage", type, key, location, count[, view])` names.
pub(super) fn storage_of(pickle: &Pickle, id: Id) -> Option<Storage<'_>> {
    let Value::Tuple(parts) = value(pickle, id) else { return None };
    let [tag, kind, key, _, _, view @ ..] = parts.as_slice() else { return None };
    let (Value::Text(tag), Value::Global(Global::Storage(kind)), Value::Text(key)) =
        (value(pickle, *tag), value(pickle, *kind), value(pickle, *key))
    else {
        return None;
    };
    let offset = match view.first().map(|view| value(pickle, *view)) {
        Some(Value::Tuple(view)) => size(pickle, *view.get(1)?)?,
        _ => 0,
    };
    (tag == "storage").then_some(Storage { kind: *kind, key, offset })
}

/// Entries under which training programs keep the weights that matter, best first: averaged ones before raw ones, and of
/// two networks the one that generates.
const WRAPPERS: &[&str] = &[
    "params_ema",
    "g_ema",
    "netG_state_dict",
    "generator_state_dict",
    "G_state_dict",
    "netG",
    "state_dict",
    "model_state_dict",
    "params",
    "model",
    "net",
    "generator",
    "weights",
];

/// How deep dictionaries may lie in each other.
const MAX_DEPTH: usize = 32;

/// All tensors of a checkpoint by name.
pub(super) fn collect(contents: &Contents, file: &[u8]) -> Result<BTreeMap<String, Tensor>, Fault> {
    let pickle = &contents.pickle;
    let mut names = Names { pickle, visits: 4 * pickle.values.len(), found: Vec::new() };
    names.walk(unwrapped(pickle, pickle.root), "", 0);
    let found = names.found;
    if found.is_empty() {
        return Err(Fault(
            "there are no tensors in it; save a state_dict and open that".into(),
            "其中没有张量，请保存 state_dict 再打开".into(),
        ));
    }
    // Networks trained on several processors have this before every name.
    let prefix = "module.";
    let all_have_it = found.iter().all(|(name, _)| name.starts_with(prefix));
    // Views of one storage may repeat it; a file of a few bytes must still not become gigabytes.
    let mut budget = 8 * file.len() + (16 << 20);
    let mut tensors = BTreeMap::new();
    for (name, parts) in found {
        let tensor = tensor(contents, file, &parts, &mut budget).ok_or_else(|| {
            Fault(
                format!("its tensor “{name}” makes no sense; fetch it again"),
                format!("其中的张量“{name}”不合理，请重新获取"),
            )
        })?;
        let name = if all_have_it { name[prefix.len()..].to_owned() } else { name };
        tensors.insert(name, tensor);
    }
    Ok(tensors)
}

/// The dictionary of weights: the value itself, or what it wraps.
fn unwrapped(pickle: &Pickle, root: Id) -> Id {
    let Value::Dict(pairs) = value(pickle, root) else { return root };
    if pairs.iter().any(|(_, item)| matches!(value(pickle, *item), Value::Tensor(_))) {
        return root;
    }
    let entry = |name: &&str| {
        let is_it = |(key, item): &&(Id, Id)| {
            matches!(value(pickle, *key), Value::Text(key) if key == *name)
                && matches!(value(pickle, *item), Value::Dict(pairs) if !pairs.is_empty())
        };
        pairs.iter().find(is_it).map(|(_, item)| *item)
    };
    WRAPPERS.iter().find_map(entry).unwrap_or(root)
}

/// Collects the tensors under a value, their names joined with dots.
struct Names<'a> {
    pickle: &'a Pickle,
    /// How many more values are looked at: dictionaries may contain each other over and over.
    visits: usize,
    found: Vec<(String, [Id; 4])>,
}

impl Names<'_> {
    fn walk(&mut self, id: Id, prefix: &str, depth: usize) {
        let Some(left) = self.visits.checked_sub(1).filter(|_| depth <= MAX_DEPTH) else { return };
        self.visits = left;
        let join = |name: &str| if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
        match value(self.pickle, id) {
            Value::Tensor(parts) => {
                let name = if prefix.is_empty() { "tensor" } else { prefix };
                self.found.push((name.to_owned(), *parts));
            }
            Value::Dict(pairs) => {
                for (key, item) in pairs {
                    match value(self.pickle, *key) {
                        Value::Text(key) => self.walk(*item, &join(key), depth + 1),
                        Value::Int(key) => self.walk(*item, &join(&key.to_string()), depth + 1),
                        _ => {}
                    }
                }
            }
            Value::List(items) | Value::Tuple(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.walk(*item, &join(&index.to_string()), depth + 1);
                }
            }
            _ => {}
        }
    }
}

/// One tensor, its view copied out of the storage; `None` when it reaches beyond it.
fn tensor(contents: &Contents, file: &[u8], parts: &[Id; 4], budget: &mut usize) -> Option<Tensor> {
    let pickle = &contents.pickle;
    let [storage, offset, shape, strides] = *parts;
    let Value::Persistent(id) = value(pickle, storage) else { return None };
    let storage = storage_of(pickle, *id)?;
    let bytes = contents.storages.get(storage.key, file)?;
    let offset = size(pickle, offset)?.checked_add(storage.offset)?;
    let (shape, strides) = (sizes(pickle, shape)?, sizes(pickle, strides)?);
    if shape.len() != strides.len() || shape.len() > 8 {
        return None;
    }
    let width = storage.kind.width();
    let count = shape.iter().try_fold(1_usize, |count, n| count.checked_mul(*n))?;
    *budget = budget.checked_sub(count.checked_mul(width)?)?;
    let data = view(bytes, width, offset, &shape, &strides, count)?;
    let data = if storage.kind == StorageType::I8 { widened(&data) } else { data };
    Tensor::from_raw_buffer(&data, storage.kind.dtype(), &shape, &Device::Cpu).ok()
}

/// The numbers of a strided view, in row-major order.
fn view(
    bytes: &[u8],
    width: usize,
    offset: usize,
    shape: &[usize],
    strides: &[usize],
    count: usize,
) -> Option<Vec<u8>> {
    if count == 0 {
        return Some(Vec::new());
    }
    let reach = shape
        .iter()
        .zip(strides)
        .try_fold(offset, |reach, (n, stride)| (n - 1).checked_mul(*stride).and_then(|far| far.checked_add(reach)))?;
    if reach.checked_add(1)?.checked_mul(width)? > bytes.len() {
        return None;
    }
    let mut dense = 1;
    let is_dense = shape.iter().zip(strides).rev().all(|(n, stride)| {
        let fits = *n == 1 || *stride == dense;
        dense *= n;
        fits
    });
    if is_dense {
        return bytes.get(offset * width..(offset + count) * width).map(<[u8]>::to_vec);
    }
    let mut out = Vec::with_capacity(count * width);
    let mut index = vec![0; shape.len()];
    for _ in 0..count {
        let at = offset + index.iter().zip(strides).map(|(i, stride)| i * stride).sum::<usize>();
        out.extend(bytes.get(at * width..(at + 1) * width)?);
        for (i, n) in index.iter_mut().zip(shape).rev() {
            *i += 1;
            if *i < *n {
                break;
            }
            *i = 0;
        }
    }
    Some(out)
}

/// Signed bytes as 16-bit numbers: there is no tensor of signed bytes.
fn widened(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| i16::from(byte.cast_signed()).to_le_bytes()).collect()
}
