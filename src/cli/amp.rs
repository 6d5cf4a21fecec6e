//! `atelier amp`: a recording through a capture of an amplifier.

use std::{path::PathBuf, time::Instant};

use serde::Serialize;

use super::{Failure, Output, Result};
use crate::{
    Lang, files,
    formats::{
        audio::{self, Container},
        wav::Depth,
    },
    generate::amp::{Amp, AmpSettings},
};

/// Gains beyond are a slip of the finger, in dB.
const MOST_GAIN_DB: f64 = 120.0;

/// Play a recording through a NeuralAmpModeler capture, into a WAV or FLAC file
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The capture, a .nam file
    #[arg(long, value_name = "NAM")]
    model: PathBuf,
    /// The recording: WAV, FLAC, Ogg Vorbis or MP3, of any rate and any number of channels
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
    /// The result, with the same rate and channels: a WAV file of 32-bit floats, or a FLAC file of 24 bits by its ending
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Gain before the capture, in dB
    #[arg(long, value_name = "DB", default_value_t = 0.0, allow_negative_numbers = true, value_parser = decibels)]
    input_gain: f64,
    /// Gain after it, in dB
    #[arg(long, value_name = "DB", default_value_t = 0.0, allow_negative_numbers = true, value_parser = decibels)]
    output_gain: f64,
    /// The analogue level of full scale in the recording, in dBu, so that the capture hears what the gear did
    #[arg(long, value_name = "DBU", allow_negative_numbers = true, value_parser = decibels)]
    input_level: Option<f64>,
    /// Bring the output to −18 dB, whatever the capture's loudness
    #[arg(long)]
    normalize: bool,
    /// Of a capture with several sizes, from 0 (the lightest) to 1 (the best)
    #[arg(long, value_name = "S", default_value_t = 1.0, value_parser = size)]
    size: f64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    seconds: f64,
    real_time_factor: f64,
}

pub(super) fn run(args: &Args, out: &mut Output<'_>) -> Result {
    let kind = Container::of(&args.out).map_err(Failure::Usage)?;
    let mut amp = Amp::open(&args.model, args.size)?;
    let recording = audio::open(&args.input)?;
    let settings = AmpSettings {
        input_gain_db: args.input_gain,
        output_gain_db: args.output_gain,
        normalise: args.normalize,
        input_level_dbu: args.input_level,
    };
    let begun = Instant::now();
    let samples = amp.run(&recording, &settings, &mut |_| true)?.unwrap_or_default();
    let work_s = begun.elapsed().as_secs_f64();
    let shape = (recording.sample_rate_hz, recording.channels);
    files::write_whole(&args.out, &kind.encode(&samples, shape, Depth::Float32, None)?)?;
    let frames = samples.len() / usize::from(recording.channels);
    let seconds = frames as f64 / f64::from(recording.sample_rate_hz);
    let real_time_factor = if work_s > 0.0 { seconds / work_s } else { 0.0 };
    let peak = samples.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
    let peak_db = 20.0 * peak.max(1e-9).log10();
    if kind == Container::Flac && peak > 1.0 {
        out.note(&match out.lang() {
            Lang::En => format!(
                "FLAC holds nothing above 0 dB, so peaks of {peak_db:.1} dB were cut; lower --output-gain or save a WAV"
            ),
            Lang::Zh => format!(
                "FLAC 无法保存高于 0 dB 的信号，{peak_db:.1} dB 的峰值已被削平；请降低 --output-gain 或保存为 WAV"
            ),
        });
    }
    if args.json {
        return out.json(&Report { seconds, real_time_factor });
    }
    out.note(&match out.lang() {
        Lang::En => format!("{seconds:.2} s of sound, {real_time_factor:.1} × real time, peak {peak_db:.1} dB"),
        Lang::Zh => format!("{seconds:.2} 秒声音，{real_time_factor:.1} 倍实时，峰值 {peak_db:.1} dB"),
    });
    Ok(())
}

fn decibels(text: &str) -> std::result::Result<f64, String> {
    let most = MOST_GAIN_DB;
    text.parse().ok().filter(|db| (-most..=most).contains(db)).ok_or_else(|| format!("between -{most} and {most} dB"))
}

fn size(text: &str) -> std::result::Result<f64, String> {
    text.parse().ok().filter(|size| (0.0..=1.0).contains(size)).ok_or_else(|| "between 0 and 1".to_owned())
}
