//! PyTorch checkpoints (`.pth`, `.pt`, `.bin`): tensors are read, nothing in the file is run.

mod container;
mod pickle;
mod tensors;

use std::{collections::BTreeMap, fs, path::Path};

use candle_core::Tensor;

use crate::{Error, Result};

/// The tensors of a checkpoint by the names that PyTorch gives them.
#[derive(Debug)]
pub struct Checkpoint {
    /// Contiguous, as they were stored; booleans as U8 and signed bytes as I16.
    pub tensors: BTreeMap<String, Tensor>,
}

/// Why a file is refused: the second half of a sentence, in English and Chinese.
struct Fault(String, String);

impl Fault {
    fn of(self, en: &str, zh: &str) -> Error {
        Error::new(format!("Could not open {en}: {}.", self.0), format!("无法打开{zh}：{}。", self.1))
    }
}

fn damaged() -> Fault {
    Fault("it is damaged or cut short; fetch it again".into(), "文件已损坏或不完整，请重新获取".into())
}

impl Checkpoint {
    /// Reads a file of `torch.save`, in its zip or its older form.
    ///
    /// The weights are looked for where training programs keep them (`state_dict`, `params_ema`, `netG_state_dict` and the
    /// like), and `module.` before every name is taken away.
    ///
    /// # Errors
    /// When it cannot be read, is no such file, is damaged, holds no tensors, or names anything that is not data.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).map_err(|why| Error::file(("open", "打开"), path, &why))?;
        let name = format!("“{}”", path.display());
        Self::from_bytes(&bytes).map_err(|why| why.of(&name, &name))
    }

    /// Reads the bytes of such a file.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn read(bytes: &[u8]) -> Result<Self> {
        Self::from_bytes(bytes).map_err(|why| why.of("the checkpoint", "此文件"))
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        let contents = container::open(bytes)?;
        Ok(Self { tensors: tensors::collect(&contents, bytes)? })
    }
}

#[cfg(test)]
mod tests;
