//! A state dict: tensors by the names PyTorch gives them.

use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Tensor};

use crate::{Error, Result};

/// Named weights, all as 32-bit floats.
pub struct State {
    tensors: HashMap<String, Tensor>,
}

impl State {
    /// Takes the tensors of a file; whatever floats they are stored as.
    ///
    /// # Errors
    /// When one cannot be converted.
    pub fn new(tensors: HashMap<String, Tensor>) -> Result<Self> {
        let converted: candle_core::Result<HashMap<_, _>> =
            tensors.into_iter().map(|(name, tensor)| Ok((name, tensor.to_dtype(DType::F32)?))).collect();
        Ok(Self { tensors: converted.map_err(|why| super::failed("read the weights", "读取权重", &why))? })
    }

    pub(super) fn tensors(&self) -> &HashMap<String, Tensor> {
        &self.tensors
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The dimensions of a tensor that must be there, as many as asked for.
    pub(super) fn shape<const N: usize>(&self, name: &str) -> Result<[usize; N]> {
        let Some(tensor) = self.tensors.get(name) else {
            return Err(Error::new(
                format!("The weights have no “{name}”; they may be cut short, or of another network."),
                format!("权重中没有“{name}”；文件可能不完整，或属于其他网络。"),
            ));
        };
        tensor.dims().try_into().map_err(|_| {
            let dims = tensor.dims();
            Error::new(
                format!(
                    "“{name}” has the shape {dims:?} where {N} dimensions belong; the weights are of another network."
                ),
                format!("“{name}”的形状为 {dims:?}，应为 {N} 维；权重属于其他网络。"),
            )
        })
    }

    /// How many layers there are: the first number for which `{prefix}{number}{suffix}` is missing.
    pub(super) fn count(&self, prefix: &str, suffix: &str) -> usize {
        (0..).take_while(|number| self.has(&format!("{prefix}{number}{suffix}"))).count()
    }
}

/// What a state dict cannot tell, as `KEY=VALUE`.
#[derive(Debug, Default)]
pub struct Settings {
    values: BTreeMap<String, String>,
}

impl Settings {
    /// Takes a setting; the last of a name counts.
    pub fn set(&mut self, key: &str, value: &str) {
        self.values.insert(key.to_owned(), value.to_owned());
    }

    /// Takes a number out.
    pub(super) fn take_number(&mut self, key: &str) -> Result<Option<usize>> {
        let Some(value) = self.values.remove(key) else { return Ok(None) };
        let number = value.parse().ok().filter(|number| *number > 0).map(Some);
        number.ok_or_else(|| {
            Error::new(
                format!("“{key}={value}” is no whole number above 0; write for instance {key}=3."),
                format!("“{key}={value}”不是大于 0 的整数，例如可写 {key}=3。"),
            )
        })
    }

    /// Complains of a setting that the network did not take.
    ///
    /// # Errors
    /// When one is left.
    pub fn all_taken(&self) -> Result<()> {
        match self.values.keys().next() {
            None => Ok(()),
            Some(key) => Err(Error::new(
                format!("This network has no setting “{key}”; leave it out."),
                format!("该网络没有“{key}”这一设置，请去掉。"),
            )),
        }
    }
}
