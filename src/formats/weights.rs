//! Named tensors from a file of any kind that the studio reads: safetensors, PyTorch checkpoints, GGUF. What a file is
//! shows its content, not its name.

use std::{collections::BTreeMap, fs::File, io::Read as _, path::Path};

use candle_core::{DType, Device, Tensor};

use super::{
    gguf::{GgufFile, dequantize},
    pth::Checkpoint,
    safetensors,
};
use crate::{Error, Result};

/// The kinds of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Hugging Face's format.
    Safetensors,
    /// `torch.save`, in its zip or its older form.
    PyTorch,
    /// llama.cpp's format.
    Gguf,
}

/// What the file at `path` is by its first bytes; `None` when they are of no kind that is known.
///
/// # Errors
/// When it cannot be read.
pub fn kind(path: &Path) -> Result<Option<Kind>> {
    let failed = |why: std::io::Error| Error::file(("open", "打开"), path, &why);
    let mut start = Vec::new();
    File::open(path).and_then(|file| file.take(16).read_to_end(&mut start)).map_err(failed)?;
    let pickled = start.starts_with(b"PK") || start.first() == Some(&0x80);
    Ok(match start.as_slice() {
        [b'G', b'G', b'U', b'F', ..] => Some(Kind::Gguf),
        // The length of the header, then the header itself.
        [_, _, _, _, _, 0, 0, 0, b'{', ..] => Some(Kind::Safetensors),
        _ if pickled => Some(Kind::PyTorch),
        _ => None,
    })
}

/// All tensors of a file; those of a GGUF as 32-bit floats, with the names and shapes they have there.
///
/// # Errors
/// When it cannot be read, is damaged, or holds anything that would have to be run.
pub fn load(path: &Path) -> Result<BTreeMap<String, Tensor>> {
    match kind(path)? {
        Some(Kind::Safetensors) => Ok(safetensors::load(path)?.into_iter().collect()),
        Some(Kind::PyTorch) => Ok(Checkpoint::load(path)?.tensors),
        Some(Kind::Gguf) => from_gguf(path),
        None => {
            let name = path.display();
            Err(Error::new(
                format!(
                    "“{name}” holds no weights that Atelier can read: it reads .safetensors, PyTorch's .pth and .bin, and .gguf."
                ),
                format!(
                    "“{name}”中没有 Atelier 能读取的权重：支持 .safetensors、PyTorch 的 .pth 和 .bin，以及 .gguf。"
                ),
            ))
        }
    }
}

/// Refuses weights that are no numbers.
///
/// # Errors
/// When a weight is infinite or none; the error names its tensor.
pub fn check_finite<'a>(tensors: impl IntoIterator<Item = (&'a String, &'a Tensor)>) -> Result<()> {
    for (name, tensor) in tensors {
        let values = tensor.to_dtype(DType::F32).and_then(|t| t.flatten_all()).and_then(|t| t.to_vec1::<f32>());
        if !values.is_ok_and(|values| values.iter().all(|weight| weight.is_finite())) {
            return Err(Error::new(
                format!(
                    "The weights “{name}” hold values that are no numbers; the training that made them failed, so take an earlier checkpoint."
                ),
                format!("权重“{name}”中含有非数值；训练可能已失败，请换用更早的检查点。"),
            ));
        }
    }
    Ok(())
}

fn from_gguf(path: &Path) -> Result<BTreeMap<String, Tensor>> {
    let file = GgufFile::open(path)?;
    let mut tensors = BTreeMap::new();
    for tensor in file.tensors() {
        // A block of a few bytes holds up to 256 numbers, and the file has those bytes: that bounds the memory.
        let mut values = vec![0.0_f32; tensor.shape.iter().product()];
        dequantize(tensor.dtype, tensor.data, &mut values)?;
        let built =
            Tensor::from_vec(values, tensor.shape.as_slice(), &Device::Cpu).and_then(|t| t.to_dtype(DType::F32));
        let built = built.map_err(|why| {
            Error::new(
                format!("The tensor “{}” cannot be stored: {why}.", tensor.name),
                format!("无法存储张量“{}”：{why}。", tensor.name),
            )
        })?;
        tensors.insert(tensor.name.to_owned(), built);
    }
    Ok(tensors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::gguf::GgufWriter;

    #[test]
    fn a_file_is_what_it_holds_whatever_its_name() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("weights.png");
        let mut gguf = GgufWriter::new();
        gguf.text("general.architecture", "x").tensor_f32("t", &[2], &[1.5, -2.0]);
        crate::files::write_whole(&path, &gguf.to_bytes()).expect("write");
        assert_eq!(load(&path).expect("GGUF")["t"].to_vec1::<f32>().expect("numbers"), [1.5, -2.0]);
        let tensors = load(&path).expect("GGUF");
        safetensors::save(&path, &tensors).expect("write");
        assert_eq!(kind(&path).expect("read"), Some(Kind::Safetensors));
        assert_eq!(load(&path).expect("safetensors")["t"].to_vec1::<f32>().expect("numbers"), [1.5, -2.0]);
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pth");
        for name in ["zip.pth", "legacy.pth"] {
            assert!(load(&fixtures.join(name)).expect(name).contains_key("half"));
        }
        for bytes in [&b""[..], b"hello, this is text"] {
            crate::files::write_whole(&path, bytes).expect("write");
            assert!(load(&path).expect_err("no weights").to_string().contains("no weights"));
        }
        assert!(load(dir.path()).is_err() && load(&dir.path().join("none")).is_err());
    }
}
