//! `atelier bench conv`: training steps (forward, backward, AdamW) and inference on fixed shapes, the ones that
//! `benches/peers` also runs elsewhere.

use std::time::Instant;

use candle_core::{Device, Tensor, Var};

use super::{Output, Result};
use crate::{
    Error,
    kernels::{
        buffer::KeepMemory,
        conv::{ConvOptions, ConvWeight, GatedLayer, Weight as _, conv2d, gated_stack, upsample_conv2d},
        elementwise::{Activation, mean_square},
        optim::{Adam, AdamSettings},
    },
};

/// Measure training steps and inference of convolutional networks
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Also measure inference, and a DCGAN
    #[arg(long)]
    all: bool,
    /// Runs to take the median of
    #[arg(long, value_name = "N", default_value_t = 7)]
    runs: usize,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

const BATCH: usize = 32;
const BASE: usize = 48;
const CHANNELS: usize = 32;
const SLOPE: Activation = Activation::LeakyRelu(0.2);

pub(super) fn run(args: &Args, out: &mut Output<'_>) -> Result {
    let measured = measure(args)
        .map_err(|why| Error::new(format!("The measurement failed: {why}."), format!("测量失败：{why}。")))?;
    if args.json {
        return out.json(&serde_json::Value::Object(measured));
    }
    for (name, value) in &measured {
        out.line(&format!("{name:24} {:9.2}", value.as_f64().unwrap_or_default()))?;
    }
    Ok(())
}

fn measure(args: &Args) -> candle_core::Result<serde_json::Map<String, serde_json::Value>> {
    let _kept = KeepMemory::begin();
    let mut measured = serde_json::Map::new();
    let mut numbers = Numbers(1);
    let networks: [(&str, Network); 3] = [
        ("critic", critic(&mut numbers)?),
        ("generator", generator(&mut numbers)?),
        ("wavenet", wavenet(&mut numbers)?),
    ];
    for (name, network) in networks {
        let settings = AdamSettings { learning_rate: 1e-4, ..AdamSettings::default() };
        let mut adam = Adam::new(network.variables.clone(), settings)?;
        let variables = &network.variables;
        let step = || {
            let weights: Vec<_> = variables.iter().map(|var| var.as_tensor().clone().into()).collect();
            adam.step(&mean_square(&(network.forward)(&weights)?)?.backward()?)
        };
        measured.insert(format!("{name}_step_ms"), median_ms(args.runs, step)?.into());
        if args.all {
            let weights: Vec<_> =
                variables.iter().map(|var| ConvWeight::fixed(var)).collect::<candle_core::Result<_>>()?;
            let time = median_ms(args.runs, || (network.forward)(&weights))?;
            measured.insert(format!("{name}_inference_ms"), time.into());
        }
    }
    if args.all {
        let (step_ms, inference_ms) = super::bench_dcgan::measure(&mut numbers, args.runs)?;
        measured.insert("dcgan_step_ms".to_owned(), step_ms.into());
        measured.insert("dcgan_inference_ms".to_owned(), inference_ms.into());
    }
    Ok(measured)
}

/// The median over `runs`, after two to warm up.
pub(super) fn median_ms<T>(runs: usize, mut work: impl FnMut() -> candle_core::Result<T>) -> candle_core::Result<f64> {
    work()?;
    work()?;
    let mut times = Vec::new();
    for _ in 0..runs.max(1) {
        let start = Instant::now();
        work()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

/// Small, fixed numbers; what is measured does not depend on them.
pub(super) struct Numbers(u32);

impl Numbers {
    pub(super) fn tensor(&mut self, dims: &[usize], scale: f32) -> candle_core::Result<Tensor> {
        let values = (0..dims.iter().product()).map(|_| {
            self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((self.0 >> 8) as f32 / (1 << 23) as f32 - 1.0) * scale
        });
        Tensor::from_vec(values.collect::<Vec<_>>(), dims, &Device::Cpu)
    }

    /// A weight of a layer with as many inputs as all but its first dimension hold.
    pub(super) fn weight(&mut self, dims: &[usize]) -> candle_core::Result<Var> {
        let inputs: usize = dims[1..].iter().product();
        Var::from_tensor(&self.tensor(dims, 1.0 / (inputs.max(1) as f32).sqrt())?)
    }
}

/// Takes weights, in the order of a network's variables, to its output.
type Forward = Box<dyn Fn(&[ConvWeight]) -> candle_core::Result<Tensor>>;

/// A network on its input, which `forward` takes through it with weights in the order of the variables.
struct Network {
    variables: Vec<Var>,
    forward: Forward,
}

/// A layer's weight and bias, which stand in turn.
fn pair(weights: &[ConvWeight], layer: usize) -> (&ConvWeight, &Tensor) {
    (&weights[2 * layer], weights[2 * layer + 1].tensor())
}

fn critic(numbers: &mut Numbers) -> candle_core::Result<Network> {
    let widths = [3, BASE, 2 * BASE, 4 * BASE, 8 * BASE];
    let mut variables = Vec::new();
    for pair in widths.windows(2) {
        variables.push(numbers.weight(&[pair[1], pair[0], 4, 4])?);
        variables.push(numbers.weight(&[pair[1]])?);
    }
    let images = numbers.tensor(&[BATCH, 3, 64, 64], 1.0)?;
    let forward = move |weights: &[ConvWeight]| {
        (0..4).try_fold(images.clone(), |x, layer| {
            let (w, b) = pair(weights, layer);
            conv2d(&x, w, Some(b), &ConvOptions::new(2, 1), SLOPE)
        })
    };
    Ok(Network { variables, forward: Box::new(forward) })
}

fn generator(numbers: &mut Numbers) -> candle_core::Result<Network> {
    let widths = [4 * BASE, 4 * BASE, 2 * BASE, BASE, 3];
    let mut variables = Vec::new();
    for pair in widths.windows(2) {
        variables.push(numbers.weight(&[pair[1], pair[0], 3, 3])?);
        variables.push(numbers.weight(&[pair[1]])?);
    }
    let noise = numbers.tensor(&[BATCH, 4 * BASE, 8, 8], 1.0)?;
    let forward = move |weights: &[ConvWeight]| {
        let (w, b) = pair(weights, 0);
        let first = conv2d(&noise, w, Some(b), &ConvOptions::new(1, 1), SLOPE)?;
        (1..4).try_fold(first, |x, layer| {
            let (w, b) = pair(weights, layer);
            upsample_conv2d(&x, w, Some(b), if layer == 3 { Activation::None } else { SLOPE })
        })
    };
    Ok(Network { variables, forward: Box::new(forward) })
}

fn wavenet(numbers: &mut Numbers) -> candle_core::Result<Network> {
    let mut variables = Vec::new();
    for _ in 0..10 {
        variables.push(numbers.weight(&[2 * CHANNELS, CHANNELS, 2])?);
        variables.push(numbers.weight(&[2 * CHANNELS])?);
        variables.push(numbers.weight(&[CHANNELS, CHANNELS, 1])?);
        variables.push(numbers.weight(&[CHANNELS])?);
    }
    let sound = numbers.tensor(&[4, CHANNELS, 8000], 1.0)?;
    let forward = move |weights: &[ConvWeight]| {
        let layer = |index: usize| {
            let part = |at: usize| weights[4 * index + at].tensor().clone();
            let (tap_weight, tap_bias, mix_weight, mix_bias) = (part(0), part(1), part(2), part(3));
            let (condition_weight, skip) = (None, None);
            GatedLayer { tap_weight, tap_bias, mix_weight, mix_bias, condition_weight, skip, dilation: 1 << index }
        };
        gated_stack(&sound, &(0..10).map(layer).collect::<Vec<_>>(), None)
    };
    Ok(Network { variables, forward: Box::new(forward) })
}
