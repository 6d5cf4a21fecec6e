//! `atelier forward`: one raw pass through a network, tensors in and out. It shows that weights run here as they do
//! where they come from.

use std::{collections::BTreeMap, path::PathBuf};

use super::{Output, Result};
use crate::{
    Error,
    formats::safetensors,
    nets::sketch::{Settings, Sketch, State},
};

/// Run one forward pass in evaluation mode: tensor "input" to tensor "output"
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Weights as PyTorch's state_dict() names them (.safetensors)
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// File with the tensor "input"
    #[arg(long = "in", value_name = "FILE.safetensors")]
    input: PathBuf,
    /// File to write the tensor "output" to
    #[arg(long, value_name = "FILE.safetensors")]
    out: PathBuf,
    /// What the weights cannot tell, such as nhead=3
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,
}

fn setting(text: &str) -> std::result::Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("a setting is written KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

pub(super) fn run(args: &Args, _out: &mut Output<'_>) -> Result {
    let mut settings = Settings::default();
    for (key, value) in &args.settings {
        settings.set(key, value);
    }
    let weights = State::new(safetensors::load(&args.model)?)?;
    let network = Sketch::from_state(&weights, &mut settings)?;
    settings.all_taken()?;

    let given = safetensors::load(&args.input)?;
    if given.contains_key("class") {
        let (en, zh) =
            ("This network knows no classes; leave the tensor “class” out.", "该网络不分类别，请去掉张量“class”。");
        return Err(Error::new(en, zh).into());
    }
    let input = given.get("input").ok_or_else(|| {
        let name = args.input.display();
        Error::new(
            format!("“{name}” has no tensor “input”; save the network's input under that name."),
            format!("“{name}”中没有张量“input”，请以此名称保存网络的输入。"),
        )
    })?;
    let output = network.forward(input)?;
    safetensors::save(&args.out, &BTreeMap::from([("output".to_owned(), output)]))?;
    Ok(())
}
