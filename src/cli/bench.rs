//! `atelier bench`: how fast this computer runs the studio's work. Medians of several runs; nothing is judged.

use std::{
    collections::BTreeMap,
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{Output, Result};
use crate::{
    Error, catalogue,
    formats::gguf::GgmlType,
    generate::{TextModel, Vocabulary},
    kernels::{
        Level, Pool, arena, level,
        matrix::{Activations, Matrix, Product, multiply},
        pool::physical_cores,
    },
    nets::decoder::Session,
};

/// Measure how fast this computer runs the studio's work
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Reading and writing text with a model
    Text(Text),
    /// Products with quantised matrices, type by type
    Qlinear(Qlinear),
    Conv(super::bench_conv::Args),
    Wavenet(super::bench_wavenet::Args),
    Amp(super::bench_amp::Args),
    Library(super::bench_library::Args),
}

#[derive(Debug, clap::Args)]
struct Text {
    /// A bundled name or a GGUF file
    #[arg(long, value_name = "MODEL", default_value = catalogue::DEFAULT_TEXT_MODEL)]
    model: String,
    /// Threads that compute
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Tokens to read
    #[arg(long, value_name = "N", default_value_t = 512)]
    prompt: usize,
    /// Tokens to write
    #[arg(long, value_name = "N", default_value_t = 128)]
    tokens: usize,
    /// Runs to take the median of
    #[arg(long, value_name = "N", default_value_t = 3)]
    runs: usize,
    /// Instead of speeds, the logarithm of the probability of every token of this text
    #[arg(long, value_name = "FILE")]
    likelihood: Option<std::path::PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Qlinear {
    /// Threads that compute
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, out: &mut Output<'_>) -> Result {
    if let Some(note) = &level::choice().note {
        out.note(note);
    }
    match &args.what {
        What::Text(args) => text(args, out),
        What::Qlinear(args) => qlinear(args, out),
        What::Conv(args) => super::bench_conv::run(args, out),
        What::Wavenet(args) => super::bench_wavenet::run(args, out),
        What::Amp(args) => super::bench_amp::run(args, out),
        What::Library(args) => super::bench_library::run(args, out),
    }
}

#[derive(Serialize)]
struct TextReport {
    model: String,
    instructions: &'static str,
    threads: usize,
    prompt_tokens: usize,
    generated_tokens: usize,
    prefill_tokens_per_s: f64,
    decode_tokens_per_s: f64,
    /// From opening the file to the first token of a prompt of eight.
    first_token_s: f64,
    load_s: f64,
    /// The most memory that the process has held; none where the system does not say.
    peak_memory_mb: Option<u64>,
    cache_mb: u64,
}

fn text(args: &Text, out: &mut Output<'_>) -> Result {
    let found = catalogue::find(&args.model)?;
    let never = AtomicBool::new(false);
    let (prompt_tokens, runs) = (args.prompt.max(1), args.runs.max(1));
    let start = Instant::now();
    let threads = args.threads.unwrap_or_else(physical_cores);
    let model = TextModel::open(&found.name, &found.path, threads, &mut |_, _| {}, &never)?;
    let load_s = start.elapsed().as_secs_f64();
    if let Some(path) = &args.likelihood {
        return likelihood(&model, path, args.json, out);
    }
    let mut prompt = Vocabulary::encode(&*model.tokenizer, &"word ".repeat(prompt_tokens), true, false);
    prompt.truncate(prompt_tokens);
    let mut session = Session::new(model.decoder.clone(), prompt.len() + args.tokens + 8)?;
    session.forward(&prompt[..prompt.len().min(8)], &never)?;
    let first_token_s = start.elapsed().as_secs_f64();
    let (mut prefills, mut decodes) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        session.truncate(0);
        let start = Instant::now();
        let mut next = likeliest(session.forward(&prompt, &never)?);
        prefills.push(start.elapsed());
        let start = Instant::now();
        for _ in 0..args.tokens {
            next = likeliest(session.forward(&[next], &never)?);
        }
        decodes.push(start.elapsed());
    }
    let report = TextReport {
        model: found.name,
        instructions: Level::current().name(),
        threads: model.decoder.threads(),
        prompt_tokens: prompt.len(),
        generated_tokens: args.tokens,
        prefill_tokens_per_s: prompt.len() as f64 / median(&mut prefills),
        decode_tokens_per_s: args.tokens as f64 / median(&mut decodes),
        first_token_s,
        load_s,
        peak_memory_mb: peak_memory_mb(),
        cache_mb: session.memory_bytes() >> 20,
    };
    if args.json {
        return out.json(&report);
    }
    out.line(&format!("prefill   {:8.1} tokens/s", report.prefill_tokens_per_s))?;
    out.line(&format!("decode    {:8.1} tokens/s", report.decode_tokens_per_s))?;
    out.line(&format!("load      {:8.2} s", report.load_s))?;
    let peak = report.peak_memory_mb.map_or("?".to_owned(), |mb| mb.to_string());
    out.line(&format!("memory    {peak:>8} MB"))
}

#[derive(Serialize)]
struct Likelihood {
    tokens: Vec<u32>,
    /// ln p of each token but the first, given those before it.
    logarithms: Vec<f64>,
    /// e to the mean of what they lack.
    perplexity: f64,
}

/// How likely a model finds a text; `benches/peers/perplexity.py` asks llama.cpp the same.
fn likelihood(model: &TextModel, path: &std::path::Path, json: bool, out: &mut Output<'_>) -> Result {
    let text = std::fs::read_to_string(path).map_err(|why| {
        let path = path.display();
        Error::new(format!("Could not read {path}: {why}."), format!("无法读取 {path}：{why}。"))
    })?;
    let tokens = Vocabulary::encode(&*model.tokenizer, &text, true, false);
    let mut logarithms = Vec::new();
    let mut session = Session::new(model.decoder.clone(), tokens.len().max(1))?;
    session.forward_all(&tokens, &AtomicBool::new(false), &mut |index, logits| {
        let Some(next) = tokens.get(index + 1) else { return };
        let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = logits.iter().map(|logit| f64::from(logit - top).exp()).sum();
        logarithms.push(f64::from(logits[*next as usize] - top) - sum.ln());
    })?;
    let perplexity = (-logarithms.iter().sum::<f64>() / logarithms.len().max(1) as f64).exp();
    if json {
        return out.json(&Likelihood { tokens, logarithms, perplexity });
    }
    out.line(&format!("perplexity {perplexity:.3} over {} tokens", logarithms.len()))
}

fn likeliest(logits: &[f32]) -> u32 {
    let best = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    best.map_or(0, |(id, _)| id as u32)
}

/// In seconds.
fn median(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, Duration::as_secs_f64).max(1e-9)
}

fn peak_memory_mb() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? >> 10)
}

/// One shape of one type.
#[derive(Serialize)]
struct Speed {
    /// Weights streamed for a single token.
    vector_gb_per_s: f64,
    /// Multiply–adds with 256 tokens.
    matrix_gmac_per_s: f64,
}

/// Rows of a matrix that does not fit the caches for a single token, and columns that every type allows.
const VECTOR_ROWS: usize = 32768;
const MATRIX_ROWS: usize = 1536;
const COLUMNS: usize = 2048;
const TOKENS: usize = 256;

fn qlinear(args: &Qlinear, out: &mut Output<'_>) -> Result {
    use GgmlType::{BF16, F16, F32, Q2_K, Q3_K, Q4_0, Q4_1, Q4_K, Q5_0, Q5_1, Q5_K, Q6_K, Q8_0};
    let pool = Pool::new(args.threads.unwrap_or_else(physical_cores));
    let mut report = BTreeMap::new();
    for dtype in [F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K] {
        let vector = matrix(&pool, dtype, VECTOR_ROWS)?;
        let vector_s = time(&pool, &vector, 1);
        let bytes = vector.bytes() as f64;
        drop(vector);
        let matrix_s = time(&pool, &matrix(&pool, dtype, MATRIX_ROWS)?, TOKENS);
        let macs = (MATRIX_ROWS * COLUMNS * TOKENS) as f64;
        let speed = Speed { vector_gb_per_s: bytes / vector_s / 1e9, matrix_gmac_per_s: macs / matrix_s / 1e9 };
        if !args.json {
            let (gb, gmac) = (speed.vector_gb_per_s, speed.matrix_gmac_per_s);
            out.line(&format!("{:5} one token {gb:6.1} GB/s   {TOKENS} tokens {gmac:7.1} GMAC/s", dtype.name()))?;
        }
        report.insert(dtype.name(), speed);
    }
    if args.json { out.json(&report) } else { Ok(()) }
}

/// A matrix of arbitrary codes with scales of a usual size.
fn matrix(pool: &Pool, dtype: GgmlType, rows: usize) -> Result<Matrix> {
    let refused = || Error::new("This type has no kernels.", "没有支持此类型的内核。");
    let stored = vec![0x29; dtype.bytes_for(rows * COLUMNS).ok_or_else(refused)?];
    let bytes = Matrix::packed_bytes(dtype, rows, COLUMNS).ok_or_else(refused)?;
    let block = arena::Builder::new(bytes)?.take(bytes).ok_or_else(refused)?;
    Ok(Matrix::pack(pool, dtype, (rows, COLUMNS), &stored, block, |_| {}))
}

/// Seconds of a product with `tokens` tokens: the median of seven after one to warm up.
fn time(pool: &Pool, matrix: &Matrix, tokens: usize) -> f64 {
    let mut acts = Activations::default();
    acts.set(pool, (tokens, COLUMNS), matrix.forms(), |token, row| {
        for (column, x) in row.iter_mut().enumerate() {
            *x = ((column * 37 + token * 11) % 101) as f32 / 50.0 - 1.0;
        }
    });
    let mut results = vec![0.0; tokens * matrix.rows()];
    let mut times = Vec::new();
    for _ in 0..8 {
        let start = Instant::now();
        multiply(pool, &acts, [Product::Store(matrix, &mut results)]);
        times.push(start.elapsed());
    }
    median(&mut times[1..])
}
