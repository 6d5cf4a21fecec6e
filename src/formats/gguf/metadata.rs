//! The key-value pairs of a GGUF file. Arrays stay where they are in the file and are read when asked for.

use std::{borrow::Cow, collections::HashMap, ops::Range, sync::Arc};

use super::Bytes;

/// The metadata of a GGUF file.
#[derive(Clone, Debug)]
pub struct Metadata {
    pub(super) bytes: Arc<Bytes>,
    pub(super) entries: HashMap<String, Value>,
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
    Text(String),
    /// Checked: `range` holds exactly `count` items of type `item`, and texts are UTF-8.
    Array {
        item: ItemType,
        count: usize,
        range: Range<usize>,
    },
}

/// The types of values, with their codes in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ItemType {
    U8 = 0,
    I8 = 1,
    U16 = 2,
    I16 = 3,
    U32 = 4,
    I32 = 5,
    F32 = 6,
    Bool = 7,
    Text = 8,
    Array = 9,
    U64 = 10,
    I64 = 11,
    F64 = 12,
}

impl ItemType {
    pub(super) fn from_code(code: u32) -> Option<Self> {
        use ItemType::*;
        [U8, I8, U16, I16, U32, I32, F32, Bool, Text, Array, U64, I64, F64].into_iter().find(|t| *t as u32 == code)
    }

    /// Bytes of an item; `None` for texts and arrays, which vary.
    pub(super) fn width(self) -> Option<usize> {
        use ItemType::*;
        match self {
            U8 | I8 | Bool => Some(1),
            U16 | I16 => Some(2),
            U32 | I32 | F32 => Some(4),
            U64 | I64 | F64 => Some(8),
            Text | Array => None,
        }
    }

    /// A scalar from exactly [`Self::width`] little-endian bytes.
    pub(super) fn scalar(self, bytes: &[u8]) -> Option<Value> {
        use ItemType::*;
        let mut wide = [0; 8];
        wide.get_mut(..bytes.len())?.copy_from_slice(bytes);
        let unsigned = u64::from_le_bytes(wide);
        // Shifting the value to the top and back extends its sign.
        let unused_bits = 64 - 8 * bytes.len() as u32;
        let signed = unsigned.checked_shl(unused_bits).unwrap_or(0).cast_signed() >> unused_bits.min(63);
        Some(match self {
            U8 | U16 | U32 | U64 => Value::Unsigned(unsigned),
            I8 | I16 | I32 | I64 => Value::Signed(signed),
            F32 => Value::Float(f64::from(f32::from_bits(unsigned as u32))),
            F64 => Value::Float(f64::from_bits(unsigned)),
            Bool => Value::Bool(unsigned != 0),
            Text | Array => return None,
        })
    }
}

impl Metadata {
    /// A count or size, whatever integer type it was stored as; `None` when it is absent, negative or too large.
    pub fn get_u32(&self, key: &str) -> Option<u32> {
        match self.entries.get(key)? {
            Value::Unsigned(value) => u32::try_from(*value).ok(),
            Value::Signed(value) => u32::try_from(*value).ok(),
            _ => None,
        }
    }

    /// A number, stored as floating point or integer.
    pub fn get_f32(&self, key: &str) -> Option<f32> {
        match self.entries.get(key)? {
            Value::Float(value) => Some(*value as f32),
            Value::Unsigned(value) => Some(*value as f32),
            Value::Signed(value) => Some(*value as f32),
            _ => None,
        }
    }

    /// A truth value.
    pub fn get_bool(&self, key: &str) -> Option<bool> {
        match self.entries.get(key)? {
            Value::Bool(value) => Some(*value),
            Value::Unsigned(value @ 0..=1) => Some(*value == 1),
            _ => None,
        }
    }

    /// A text.
    pub fn get_str(&self, key: &str) -> Option<&str> {
        match self.entries.get(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// An array of texts.
    pub fn str_array(&self, key: &str) -> Option<impl ExactSizeIterator<Item = &str>> {
        let Value::Array { item: ItemType::Text, count, range } = self.entries.get(key)? else { return None };
        let mut rest = self.bytes.get(range.clone())?;
        // The reader has walked the same lengths and checked them, so no text is ever cut short here.
        Some((0..*count).map(move |_| {
            let (length, tail) = rest.split_first_chunk().map_or((0, rest), |(n, tail)| (u64::from_le_bytes(*n), tail));
            let (text, tail) = tail.split_at(usize::try_from(length).unwrap_or(usize::MAX).min(tail.len()));
            rest = tail;
            std::str::from_utf8(text).unwrap_or_default()
        }))
    }

    /// An array of numbers, integers included.
    pub fn f32_array(&self, key: &str) -> Option<impl ExactSizeIterator<Item = f32>> {
        let (item, values) = self.scalars(key)?;
        if item == ItemType::Bool {
            return None;
        }
        Some(values.map(|value| match value {
            Value::Float(value) => value as f32,
            Value::Unsigned(value) => value as f32,
            Value::Signed(value) => value as f32,
            _ => 0.0,
        }))
    }

    /// An array of integers; ones that do not fit become the nearest that does.
    pub fn i32_array(&self, key: &str) -> Option<impl ExactSizeIterator<Item = i32>> {
        let (item, values) = self.scalars(key)?;
        if matches!(item, ItemType::F32 | ItemType::F64 | ItemType::Bool) {
            return None;
        }
        Some(values.map(|value| match value {
            Value::Unsigned(value) => i32::try_from(value).unwrap_or(i32::MAX),
            Value::Signed(value) => value.clamp(i32::MIN.into(), i32::MAX.into()) as i32,
            _ => 0,
        }))
    }

    /// Whether there is such a key, of whatever type.
    pub fn contains(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Every key with a short rendering of its value: texts cut at 60 characters, arrays as their length. Sorted.
    pub fn summary(&self) -> Vec<(&str, Cow<'_, str>)> {
        let mut rows: Vec<_> = self.entries.iter().map(|(key, value)| (key.as_str(), value.summary())).collect();
        rows.sort_unstable();
        rows
    }

    fn scalars(&self, key: &str) -> Option<(ItemType, impl ExactSizeIterator<Item = Value>)> {
        let Value::Array { item, range, .. } = self.entries.get(key)? else { return None };
        let bytes = self.bytes.get(range.clone())?;
        let item = *item;
        // The width divides the length, so nothing is left over.
        Some((item, bytes.chunks_exact(item.width()?).map(move |b| item.scalar(b).unwrap_or(Value::Unsigned(0)))))
    }
}

impl Value {
    fn summary(&self) -> Cow<'_, str> {
        match self {
            Self::Unsigned(value) => value.to_string().into(),
            Self::Signed(value) => value.to_string().into(),
            Self::Float(value) => value.to_string().into(),
            Self::Bool(value) => value.to_string().into(),
            Self::Text(text) => match text.char_indices().nth(60) {
                Some((end, _)) => format!("{}…", &text[..end]).into(),
                None => text.into(),
            },
            Self::Array { count, .. } => format!("[{count}]").into(),
        }
    }
}
