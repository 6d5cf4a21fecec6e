//! `atelier bench wavenet`: sound made per second of work, on one core, by networks of random weights.

use std::time::Instant;

use super::{Output, Result};
use crate::{
    Error,
    generate::audio::USUAL_NOISE,
    kernels::{
        Level,
        wavenet::{
            BLOCK, Choice, Entry, Last, LayerWeights, NetWeights, Network, Precision, Sizes, Voice, draw_calmed,
        },
    },
    nets::wavenet::mu_law,
};

/// Measure how much faster than real time WaveNets generate at 16 kHz, on one core
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Seconds of sound to make each time
    #[arg(long, value_name = "S", default_value_t = 1.0)]
    seconds: f64,
    /// Runs to take the median of
    #[arg(long, value_name = "N", default_value_t = 5)]
    runs: usize,
    /// Bits of each weight: 32 and 16 are floats
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = parse_bits)]
    bits: u8,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

fn parse_bits(text: &str) -> std::result::Result<u8, String> {
    text.parse().ok().filter(|bits| [8, 16, 32].contains(bits)).ok_or_else(|| "8, 16 or 32".to_owned())
}

const RATE_HZ: f64 = 16_000.0;
const FRAME: usize = 80;
/// Layers, residual channels, skip channels, and voices at once.
const NETWORKS: [(usize, usize, usize, usize); 4] =
    [(20, 32, 128, 1), (20, 64, 128, 1), (40, 64, 256, 1), (20, 32, 128, 4)];

pub(super) fn run(args: &Args, out: &mut Output<'_>) -> Result {
    let precision = match args.bits {
        8 => Precision::Int8,
        16 => Precision::Bfloat16,
        _ => Precision::Full,
    };
    let mut measured = serde_json::Map::new();
    for (layers, channels, skip, voices) in NETWORKS {
        let network = network(layers, channels, skip, precision)
            .map_err(|why| Error::new(format!("The measurement failed: {why}."), format!("测量失败：{why}。")))?;
        let mut factors: Vec<f64> = (0..args.runs.max(1)).map(|_| factor(&network, voices, args.seconds)).collect();
        factors.sort_by(f64::total_cmp);
        let voiced = if voices == 1 { String::new() } else { format!(" ×{voices}") };
        measured.insert(format!("{layers}/{channels}/{skip}{voiced}"), factors[factors.len() / 2].into());
    }
    if args.json {
        return out.json(&serde_json::Value::Object(measured));
    }
    for (name, value) in &measured {
        out.line(&format!("{name:16} {:6.2} × real time", value.as_f64().unwrap_or_default()))?;
    }
    Ok(())
}

/// Seconds of sound of each voice per second of work.
fn factor(network: &Network, count: usize, seconds: f64) -> f64 {
    let mut voices: Vec<Voice> = (0..count).map(|_| network.voice()).collect();
    let mut last = vec![Last::Class(network.sizes().outputs / 2); count];
    let (slow, fast) = (vec![0.3; network.sizes().slow_condition], vec![0.5; BLOCK * network.sizes().fast_condition]);
    let samples = ((seconds * RATE_HZ) as usize).next_multiple_of(BLOCK).max(BLOCK);
    // As takes are drawn.
    let choice = Choice { noise: USUAL_NOISE, ..Choice::default() };
    let values: Vec<f32> = (0..mu_law::CLASSES).map(mu_law::decode).collect();
    let (mut random, begun) = (1_u32, Instant::now());
    for time in 0..samples {
        if time % BLOCK == 0 {
            for voice in &mut voices {
                if time % FRAME == 0 {
                    network.set_frame(voice, &slow);
                }
                network.begin_block(voice, &fast);
            }
        }
        let mut some: Vec<&mut Voice> = voices.iter_mut().collect();
        network.step(&mut some, &last);
        for (voice, last) in voices.iter_mut().zip(&mut last) {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let uniform = f64::from(random) / f64::from(u32::MAX);
            let value = draw_calmed(Level::current(), voice.outputs(), &values, choice, uniform);
            *last = Last::Class(mu_law::encode(value));
        }
    }
    samples as f64 / RATE_HZ / begun.elapsed().as_secs_f64()
}

/// A network of small random weights, with dilations 1 to 512 over and over.
fn network(layers: usize, channels: usize, skip: usize, precision: Precision) -> candle_core::Result<Network> {
    let mut state = 1_u32;
    let mut random = |len: usize| -> Vec<f32> {
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 8) as f32 / (1 << 24) as f32 - 0.5) * 0.2
        };
        (0..len).map(|_| next()).collect()
    };
    let sizes = Sizes {
        channels,
        skip,
        entry: Entry::Classes,
        outputs: 256,
        slow_condition: 24,
        fast_condition: 8,
        dilations: (0..layers).map(|layer| 1 << (layer % 10)).collect(),
    };
    let condition = sizes.slow_condition + sizes.fast_condition;
    let layers = (0..layers).map(|_| LayerWeights {
        old_tap: random(2 * channels * channels),
        new_tap: random(2 * channels * channels),
        tap_bias: random(2 * channels),
        condition: random(2 * channels * condition),
        mix: random(channels * channels),
        mix_bias: random(channels),
        skip: random(skip * channels),
        skip_bias: random(skip),
    });
    let layers = layers.collect();
    let weights = NetWeights {
        layers,
        entry: random(256 * channels),
        head0: random(skip * skip),
        head0_bias: random(skip),
        head1: random(256 * skip),
        head1_bias: random(256),
    };
    Network::new(sizes, &weights, precision, Level::current())
}
