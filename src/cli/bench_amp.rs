//! `atelier bench amp`: time that captures of amplifiers need, on one core.

use std::{path::PathBuf, time::Instant};

use super::{Output, Result};
use crate::{
    files,
    formats::nam::{Capture, MOST_BYTES},
    nets::nam::Nam,
};

/// Samples handed over at a time, as a sound card does.
const BUFFER: usize = 64;

/// Measure the time that .nam captures need for 64 samples, on one core
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Captures
    #[arg(value_name = "NAM", required = true)]
    models: Vec<PathBuf>,
    /// Seconds of sound at 48 kHz each time
    #[arg(long, value_name = "S", default_value_t = 2.0)]
    seconds: f64,
    /// Runs to take the median of
    #[arg(long, value_name = "N", default_value_t = 7)]
    runs: usize,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, out: &mut Output<'_>) -> Result {
    let mut measured = serde_json::Map::new();
    for path in &args.models {
        let mut nam = Nam::new(&Capture::parse(&files::read_bytes(path, MOST_BYTES)?)?, 1.0)?;
        let buffers = ((args.seconds * 48_000.0) as usize / BUFFER).max(1);
        let mut sound = vec![0.0; BUFFER];
        let mut times: Vec<f64> = (0..args.runs.max(1))
            .map(|_| {
                let (begun, mut random) = (Instant::now(), 1_u32);
                for _ in 0..buffers {
                    for sample in &mut sound {
                        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        *sample = (random >> 8) as f32 / (1 << 24) as f32 - 0.5;
                    }
                    nam.process(&mut sound);
                }
                begun.elapsed().as_secs_f64() / buffers as f64 * 1e6
            })
            .collect();
        times.sort_by(f64::total_cmp);
        measured.insert(path.display().to_string(), times[times.len() / 2].into());
    }
    if args.json {
        return out.json(&serde_json::Value::Object(measured));
    }
    for (name, value) in &measured {
        out.line(&format!("{name}: {:.1} µs for {BUFFER} samples", value.as_f64().unwrap_or_default()))?;
    }
    Ok(())
}
