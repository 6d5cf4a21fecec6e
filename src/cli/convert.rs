//! `atelier convert`: weights of any kind that is read, as safetensors.

use std::path::PathBuf;

use super::{Output, Result};
use crate::{
    Lang,
    formats::{safetensors, weights},
};

/// Write weights from a PyTorch checkpoint, GGUF or safetensors file as safetensors; nothing in the file is run
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file to read: .pth, .pt, .bin, .tar, .gguf or .safetensors
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// The file to write
    #[arg(value_name = "OUT.safetensors")]
    out: PathBuf,
}

pub(super) fn run(args: &Args, out: &mut Output<'_>) -> Result {
    let (tensors, metadata) = if weights::kind(&args.input)? == Some(weights::Kind::Safetensors) {
        // What the file says about its tensors belongs to them.
        safetensors::load_all(&args.input)?
    } else {
        (weights::load(&args.input)?.into_iter().collect(), std::collections::BTreeMap::new())
    };
    let tensors = tensors.into_iter().collect();
    safetensors::save_all(&args.out, &tensors, &metadata)?;
    let count = tensors.len();
    let numbers: usize = tensors.values().map(candle_core::Tensor::elem_count).sum();
    let name = args.out.display();
    out.note(&match out.lang() {
        Lang::En => format!("{count} tensors, {numbers} numbers, in “{name}”"),
        Lang::Zh => format!("“{name}”：{count} 个张量，共 {numbers} 个数"),
    });
    Ok(())
}
