//! `atelier forward`: one raw pass through a network, tensors in and out. It shows that weights run here as they do
//! where they come from.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{Output, Result};
use crate::{
    Error, catalogue,
    formats::{card::Card, safetensors, weights},
    nets::{network::Network, sketch::Settings},
};

/// Run one forward pass in evaluation mode: tensor "input" to tensor "output"
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A bundled model's name, or weights as PyTorch's state_dict() names them (.safetensors, .pth, .bin)
    #[arg(long, value_name = "MODEL")]
    model: String,
    /// File with the tensor "input" and, of networks with classes, their numbers as the tensor "class"
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
    let path = match Path::new(&args.model) {
        path if path.exists() => path.to_owned(),
        _ => catalogue::find(&args.model)?.path,
    };
    let tensors = weights::load(&path)?;
    weights::check_finite(&tensors)?;
    let mut network = Network::from_state(tensors.into_iter().collect(), &mut settings)?;
    network = match (network, Card::beside(&path)) {
        (Network::Upscale(net), Some(card)) if card.reduce == 2 => Network::Upscale(net.halved()?),
        (network, _) => network,
    };
    settings.all_taken()?;

    let given = safetensors::load(&args.input)?;
    let input = given.get("input").ok_or_else(|| {
        let name = args.input.display();
        Error::new(
            format!("“{name}” has no tensor “input”; save the network's input under that name."),
            format!("“{name}”中没有张量“input”，请以此名称保存网络的输入。"),
        )
    })?;
    let output = network.forward(input, given.get("class"))?;
    safetensors::save(&args.out, &BTreeMap::from([("output".to_owned(), output)]))?;
    Ok(())
}
