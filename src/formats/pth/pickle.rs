//! An interpreter for pickles that only builds values: Python's protocols 0 to 5, without what could run code.
//!
//! Follows CPython's `Lib/pickletools.py`. Names of Python objects are looked up in a list of those that mean data to
//! PyTorch; any other ends the reading, and is named. Values live in one list and refer to each other by number, so that
//! no nesting, however deep or circular, costs a stack; every value costs at least a byte of the file.

use std::collections::HashMap;

/// The number of a value.
pub(super) type Id = u32;

/// What a pickle can hold.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    None,
    Bool(bool),
    Int(i64),
    Text(String),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    /// A persistent id: how PyTorch points at a storage.
    Persistent(Id),
    /// A tensor: storage, offset, shape, strides, all still to be checked.
    Tensor([Id; 4]),
    /// Something that holds no weights: a number, bytes, a device.
    Other,
}

/// The Python names that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    /// Makes a tensor from a storage.
    RebuildTensor,
    /// Makes a parameter from a tensor.
    RebuildParameter,
    /// Makes a dictionary.
    Dict,
    /// Makes a tuple from a list of sizes.
    Size,
    /// A storage of this type.
    Storage(StorageType),
    /// Makes something that holds no weights.
    Inert,
}

/// What a storage's numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StorageType {
    F32,
    F64,
    F16,
    BF16,
    U8,
    I8,
    I16,
    I32,
    I64,
    Bool,
}

impl Global {
    fn named(module: &str, name: &str) -> Option<Self> {
        Some(match (module, name) {
            ("torch._utils", "_rebuild_tensor_v2" | "_rebuild_tensor") => Self::RebuildTensor,
            ("torch._utils", "_rebuild_parameter") => Self::RebuildParameter,
            ("collections", "OrderedDict") => Self::Dict,
            ("torch", "Size") => Self::Size,
            ("torch" | "torch.cuda", storage) if storage.ends_with("Storage") => Self::Storage(match storage {
                "FloatStorage" => StorageType::F32,
                "DoubleStorage" => StorageType::F64,
                "HalfStorage" => StorageType::F16,
                "BFloat16Storage" => StorageType::BF16,
                "ByteStorage" => StorageType::U8,
                "CharStorage" => StorageType::I8,
                "ShortStorage" => StorageType::I16,
                "IntStorage" => StorageType::I32,
                "LongStorage" => StorageType::I64,
                "BoolStorage" => StorageType::Bool,
                _ => return None,
            }),
            (
                "torch",
                "device" | "float32" | "float16" | "bfloat16" | "float64" | "int64" | "int32" | "uint8" | "bool",
            )
            | ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar")
            | ("numpy", "dtype" | "float64" | "float32" | "int64")
            | ("_codecs", "encode")
            | ("__builtin__" | "builtins", "set" | "frozenset" | "complex" | "bytearray")
            | ("collections", "defaultdict" | "Counter")
            | ("argparse", "Namespace")
            | ("datetime", "datetime" | "timedelta" | "date") => Self::Inert,
            _ => return None,
        })
    }
}

/// Why a pickle is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It names something that is code, or unknown.
    Global(String),
    /// It is no pickle, or is cut short.
    Damaged,
}

/// A finished pickle.
pub(super) struct Pickle {
    pub values: Vec<Value>,
    pub root: Id,
    /// Where the next byte after it is.
    pub end: usize,
}

/// Reads the pickle that starts at `start`.
pub(super) fn read(bytes: &[u8], start: usize) -> Result<Pickle, Refusal> {
    let mut machine =
        Machine { bytes, at: start, values: Vec::new(), stack: Vec::new(), marks: Vec::new(), memo: HashMap::new() };
    loop {
        let op = machine.byte()?;
        if op == b'.' {
            let root = machine.pop()?;
            return Ok(Pickle { values: machine.values, root, end: machine.at });
        }
        machine.step(op)?;
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    values: Vec<Value>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
}

type Step<T = ()> = Result<T, Refusal>;

impl<'a> Machine<'a> {
    fn take(&mut self, count: u64) -> Step<&'a [u8]> {
        let end = usize::try_from(count).ok().and_then(|count| self.at.checked_add(count)).ok_or(Refusal::Damaged)?;
        let taken = self.bytes.get(self.at..end).ok_or(Refusal::Damaged)?;
        self.at = end;
        Ok(taken)
    }

    fn byte(&mut self) -> Step<u8> {
        Ok(self.take(1)?[0])
    }

    /// An unsigned little-endian number of so many bytes.
    fn number(&mut self, width: u64) -> Step<u64> {
        Ok(self.take(width)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn line(&mut self) -> Step<&'a str> {
        let rest = &self.bytes[self.at..];
        let length = memchr::memchr(b'\n', rest).ok_or(Refusal::Damaged)?;
        let line = std::str::from_utf8(self.take(length as u64)?).map_err(|_| Refusal::Damaged)?;
        self.at += 1;
        Ok(line.trim_end_matches('\r'))
    }

    fn push(&mut self, value: Value) -> Step {
        let id = Id::try_from(self.values.len()).map_err(|_| Refusal::Damaged)?;
        self.values.push(value);
        self.stack.push(id);
        Ok(())
    }

    fn push_text(&mut self, bytes: &[u8]) -> Step {
        // Old pickles hold Latin text as plain bytes.
        let text =
            std::str::from_utf8(bytes).map_or_else(|_| bytes.iter().map(|b| char::from(*b)).collect(), str::to_owned);
        self.push(Value::Text(text))
    }

    fn pop(&mut self) -> Step<Id> {
        self.stack.pop().filter(|_| self.stack.len() >= self.marks.last().copied().unwrap_or(0)).ok_or(Refusal::Damaged)
    }

    /// What was pushed since the last mark.
    fn since_mark(&mut self) -> Step<Vec<Id>> {
        let mark = self.marks.pop().filter(|mark| *mark <= self.stack.len()).ok_or(Refusal::Damaged)?;
        Ok(self.stack.split_off(mark))
    }

    fn top(&mut self) -> Step<&mut Value> {
        let id = *self.stack.last().ok_or(Refusal::Damaged)?;
        self.values.get_mut(id as usize).ok_or(Refusal::Damaged)
    }

    fn value(&self, id: Id) -> &Value {
        self.values.get(id as usize).unwrap_or(&Value::None)
    }

    fn remember(&mut self, key: u64) -> Step {
        let id = *self.stack.last().ok_or(Refusal::Damaged)?;
        self.memo.insert(key, id);
        Ok(())
    }

    fn recall(&mut self, key: u64) -> Step {
        self.stack.push(*self.memo.get(&key).ok_or(Refusal::Damaged)?);
        Ok(())
    }

    fn step(&mut self, op: u8) -> Step {
        match op {
            0x80 => self.number(1).and_then(|protocol| if protocol <= 5 { Ok(()) } else { Err(Refusal::Damaged) }),
            0x95 => self.number(8).map(|_| ()),
            b'(' => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'0' => self.pop().map(|_| ()),
            b'1' => self.since_mark().map(|_| ()),
            b'2' => {
                let top = *self.stack.last().ok_or(Refusal::Damaged)?;
                self.stack.push(top);
                Ok(())
            }
            b'p' => self.line()?.parse().map_err(|_| Refusal::Damaged).and_then(|key| self.remember(key)),
            b'q' => self.number(1).and_then(|key| self.remember(key)),
            b'r' => self.number(4).and_then(|key| self.remember(key)),
            0x94 => self.remember(self.memo.len() as u64),
            b'g' => self.line()?.parse().map_err(|_| Refusal::Damaged).and_then(|key| self.recall(key)),
            b'h' => self.number(1).and_then(|key| self.recall(key)),
            b'j' => self.number(4).and_then(|key| self.recall(key)),
            b'c' | 0x93 | b'R' | b'b' | 0x81 | 0x92 | b'P' | b'Q' => self.object(op),
            b']' | b'a' | b'e' | b'l' | b')' | b't' | 0x85..=0x87 | b'}' | b'd' | b's' | b'u' | 0x8f..=0x91 => {
                self.container(op)
            }
            _ => self.scalar(op),
        }
    }

    /// Numbers, texts and bytes.
    fn scalar(&mut self, op: u8) -> Step {
        match op {
            b'N' => self.push(Value::None),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            b'I' | b'L' => {
                let value = match self.line()? {
                    "00" => Value::Bool(false),
                    "01" => Value::Bool(true),
                    number => number.trim_end_matches('L').parse().map_or(Value::Other, Value::Int),
                };
                self.push(value)
            }
            b'J' => {
                let number = self.number(4)? as u32;
                self.push(Value::Int(number.cast_signed().into()))
            }
            b'K' => self.number(1).and_then(|n| self.push(Value::Int(n as i64))),
            b'M' => self.number(2).and_then(|n| self.push(Value::Int(n as i64))),
            0x8a | 0x8b => {
                let width = self.number(if op == 0x8a { 1 } else { 4 })?;
                let bytes = self.take(width)?;
                let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
                let mut wide = [if negative { 0xff } else { 0 }; 8];
                let value = match wide.get_mut(..bytes.len()) {
                    Some(low) => {
                        low.copy_from_slice(bytes);
                        Value::Int(i64::from_le_bytes(wide))
                    }
                    None => Value::Other,
                };
                self.push(value)
            }
            b'F' => self.line().and_then(|_| self.push(Value::Other)),
            b'G' => self.take(8).and_then(|_| self.push(Value::Other)),
            b'S' => {
                let quoted = self.line()?;
                self.push_text(quoted.trim_matches(['\'', '"']).as_bytes())
            }
            b'V' => self.line().and_then(|text| self.push_text(text.as_bytes())),
            b'U' | 0x8c => self.number(1).and_then(|n| self.take(n)).and_then(|text| self.push_text(text)),
            b'T' | b'X' => self.number(4).and_then(|n| self.take(n)).and_then(|text| self.push_text(text)),
            0x8d => self.number(8).and_then(|n| self.take(n)).and_then(|text| self.push_text(text)),
            b'C' => self.number(1).and_then(|n| self.take(n)).and_then(|_| self.push(Value::Other)),
            b'B' => self.number(4).and_then(|n| self.take(n)).and_then(|_| self.push(Value::Other)),
            0x8e | 0x96 => self.number(8).and_then(|n| self.take(n)).and_then(|_| self.push(Value::Other)),
            _ => Err(Refusal::Damaged),
        }
    }

    /// Lists, tuples, dictionaries and sets.
    fn container(&mut self, op: u8) -> Step {
        match op {
            b']' => self.push(Value::List(Vec::new())),
            b')' => self.push(Value::Tuple(Vec::new())),
            b'}' => self.push(Value::Dict(Vec::new())),
            0x8f => self.push(Value::Other),
            b'a' => {
                let item = self.pop()?;
                self.extend(vec![item])
            }
            b'e' | 0x90 => {
                let items = self.since_mark()?;
                self.extend(items)
            }
            b'l' => self.since_mark().and_then(|items| self.push(Value::List(items))),
            b't' => self.since_mark().and_then(|items| self.push(Value::Tuple(items))),
            0x91 => self.since_mark().and_then(|_| self.push(Value::Other)),
            0x85..=0x87 => {
                let mut items = vec![0; usize::from(op - 0x84)];
                for item in items.iter_mut().rev() {
                    *item = self.pop()?;
                }
                self.push(Value::Tuple(items))
            }
            b'd' => {
                let items = self.since_mark()?;
                self.push(Value::Dict(Vec::new()))?;
                self.set(&items)
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set(&[key, value])
            }
            _ => {
                let items = self.since_mark()?;
                self.set(&items)
            }
        }
    }

    fn extend(&mut self, items: Vec<Id>) -> Step {
        match self.top()? {
            Value::List(list) => list.extend(items),
            Value::Other => {}
            _ => return Err(Refusal::Damaged),
        }
        Ok(())
    }

    fn set(&mut self, items: &[Id]) -> Step {
        if !items.len().is_multiple_of(2) {
            return Err(Refusal::Damaged);
        }
        match self.top()? {
            Value::Dict(pairs) => pairs.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1]))),
            Value::Other => {}
            _ => return Err(Refusal::Damaged),
        }
        Ok(())
    }

    /// Python's objects: names, calls and states.
    fn object(&mut self, op: u8) -> Step {
        match op {
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.global(module, name)
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(module), Value::Text(name)) = (self.value(module).clone(), self.value(name).clone())
                else {
                    return Err(Refusal::Damaged);
                };
                self.global(&module, &name)
            }
            b'R' | 0x81 => {
                let (arguments, callable) = (self.pop()?, self.pop()?);
                self.call(callable, arguments)
            }
            0x92 => {
                let (_, arguments, callable) = (self.pop()?, self.pop()?, self.pop()?);
                self.call(callable, arguments)
            }
            // The state of an object: attributes such as `_metadata`, which hold no weights.
            b'b' => self.pop().map(|_| ()),
            b'Q' => {
                let id = self.pop()?;
                self.push(Value::Persistent(id))
            }
            // A persistent id as a line of text is no storage of PyTorch's.
            _ => self.line().and_then(|_| self.push(Value::Other)),
        }
    }

    fn global(&mut self, module: &str, name: &str) -> Step {
        match Global::named(module, name) {
            Some(global) => self.push(Value::Global(global)),
            None => Err(Refusal::Global(format!("{module}.{name}"))),
        }
    }

    fn call(&mut self, callable: Id, arguments: Id) -> Step {
        let (Value::Global(global), Value::Tuple(arguments)) = (self.value(callable), self.value(arguments)) else {
            return Err(Refusal::Damaged);
        };
        let result = match (global, arguments.as_slice()) {
            (Global::RebuildTensor, [storage, offset, shape, strides, ..]) => {
                Value::Tensor([*storage, *offset, *shape, *strides])
            }
            (Global::RebuildParameter, [tensor, ..]) => self.value(*tensor).clone(),
            (Global::Dict, []) => Value::Dict(Vec::new()),
            (Global::Dict, [pairs, ..]) => self.pairs(*pairs)?,
            (Global::Size, [sizes]) => match self.value(*sizes) {
                Value::List(sizes) | Value::Tuple(sizes) => Value::Tuple(sizes.clone()),
                _ => return Err(Refusal::Damaged),
            },
            (Global::Inert, _) => Value::Other,
            _ => return Err(Refusal::Damaged),
        };
        self.push(result)
    }

    /// A dictionary from a list of pairs, as Python 2 wrote ordered ones.
    fn pairs(&self, list: Id) -> Step<Value> {
        let (Value::List(items) | Value::Tuple(items)) = self.value(list) else { return Err(Refusal::Damaged) };
        let pair = |id: &Id| match self.value(*id) {
            Value::List(pair) | Value::Tuple(pair) if pair.len() == 2 => Ok((pair[0], pair[1])),
            _ => Err(Refusal::Damaged),
        };
        Ok(Value::Dict(items.iter().map(pair).collect::<Step<_>>()?))
    }
}
