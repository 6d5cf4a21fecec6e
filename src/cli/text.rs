//! `atelier text`: continues a prompt, or answers it.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use serde::Serialize;

use super::{Failure, Output, Result};
use crate::{
    Error, Lang, catalogue,
    generate::{
        ChatMessage, Prompt, Role, StopReason, TextModel, TextOutcome, TextProgress, TextRequest, TextWriter,
        sampler::SamplerSettings,
    },
    kernels,
    recipe::{ModelRef, Piece, Recipe, TextGeneration, TextRecipe},
};

/// A prompt on stdin may have this much.
const MOST_PROMPT_BYTES: u64 = 64 << 20;

/// Continue a prompt, or answer it with --chat.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A bundled model's name, or the path of a GGUF file
    #[arg(long, value_name = "MODEL", default_value = catalogue::DEFAULT_TEXT_MODEL)]
    model: String,
    /// The text to go on from; - reads it from stdin
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    prompt: String,
    /// Put the prompt as a question through the model's chat template
    #[arg(long)]
    chat: bool,
    /// Instructions for the conversation
    #[arg(long, value_name = "TEXT", requires = "chat", allow_hyphen_values = true)]
    system: Option<String>,
    /// At most this many new tokens [default: 400]
    #[arg(long, value_name = "N")]
    max_tokens: Option<usize>,
    /// Randomness; 0 always takes the likeliest token [default: 0.8]
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    temperature: Option<f32>,
    /// Keep the K likeliest tokens; 0 is off [default: 40]
    #[arg(long, value_name = "K")]
    top_k: Option<u32>,
    /// Keep the likeliest tokens up to this share of the probability; 1 is off [default: 0.95]
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    top_p: Option<f32>,
    /// Keep tokens at least this fraction as likely as the likeliest; 0 is off [default: 0.05]
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    min_p: Option<f32>,
    /// Make tokens that were just used less likely; 1 is off [default: 1]
    #[arg(long, value_name = "R", allow_negative_numbers = true)]
    repeat_penalty: Option<f32>,
    /// End before this text appears; may be given several times
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    stop: Vec<String>,
    /// Seed of the random choices: the same one gives the same text [default: a new one]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Threads to compute with [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Go on when the model would end
    #[arg(long)]
    ignore_eos: bool,
    /// Save the generated text to this file, with its recipe beside it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print one JSON object instead of the text
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report<'a> {
    model: &'a str,
    text: &'a str,
    tokens: &'a [u32],
    prompt_tokens: usize,
    generated_tokens: usize,
    load_s: f64,
    prefill_s: f64,
    prefill_tokens_per_s: f64,
    decode_s: f64,
    decode_tokens_per_s: f64,
    seed: u64,
    stop_reason: StopReason,
}

/// Runs the subcommand.
///
/// # Errors
/// When the arguments make no sense, or the model cannot be opened or run, or the output not be written.
pub fn run(args: &Args, out: &mut Output<'_>) -> Result {
    let request = args.request()?;
    let threads = args.threads.map_or_else(kernels::pool::physical_cores, usize::from);
    let begun = Instant::now();
    let model = open(&args.model, threads)?;
    let load_s = begun.elapsed().as_secs_f64();
    let outcome = write(&model, &request, !args.json, out)?;
    if let Some(path) = &args.out {
        save(path, &model, &outcome)?;
    }
    let per_second = |tokens: usize, seconds: f64| if seconds > 0.0 { tokens as f64 / seconds } else { 0.0 };
    // The first token comes out of the prompt.
    let decode_tokens_per_s = per_second(outcome.tokens.len().saturating_sub(1), outcome.decode_s);
    if !args.json {
        let (tokens, seed) = (outcome.tokens.len(), request.seed);
        let note = match out.lang() {
            Lang::En => format!("{tokens} tokens, {decode_tokens_per_s:.1} a second, seed {seed}"),
            Lang::Zh => format!("{tokens} 个词元，每秒 {decode_tokens_per_s:.1} 个，种子 {seed}"),
        };
        out.note(&note);
        return Ok(());
    }
    out.json(&Report {
        model: &model.name,
        text: &outcome.text,
        tokens: &outcome.tokens,
        prompt_tokens: outcome.prompt_tokens,
        generated_tokens: outcome.tokens.len(),
        load_s,
        prefill_s: outcome.prefill_s,
        prefill_tokens_per_s: per_second(outcome.prefill_tokens, outcome.prefill_s),
        decode_s: outcome.decode_s,
        decode_tokens_per_s,
        seed: request.seed,
        stop_reason: outcome.stop_reason,
    })
}

impl Args {
    fn request(&self) -> Result<TextRequest> {
        let defaults = TextRequest::default();
        let usual = SamplerSettings::default();
        let sampler = SamplerSettings {
            temperature: self.temperature.unwrap_or(usual.temperature),
            top_k: self.top_k.unwrap_or(usual.top_k),
            top_p: self.top_p.unwrap_or(usual.top_p),
            min_p: self.min_p.unwrap_or(usual.min_p),
            repeat_penalty: self.repeat_penalty.unwrap_or(usual.repeat_penalty),
            ..usual
        };
        sampler.in_range().map_err(Failure::Usage)?;
        let text = if self.prompt == "-" { read_stdin()? } else { self.prompt.clone() };
        let message = |role, content: &String| ChatMessage { role, content: content.clone() };
        let prompt = if self.chat {
            let system = self.system.iter().map(|system| message(Role::System, system));
            Prompt::Chat(system.chain([message(Role::User, &text)]).collect())
        } else {
            Prompt::Raw(text)
        };
        Ok(TextRequest {
            prompt,
            sampler,
            seed: self.seed.unwrap_or_else(super::new_seed),
            max_tokens: self.max_tokens.unwrap_or(defaults.max_tokens),
            stop: self.stop.clone(),
            ignore_eos: self.ignore_eos,
            ..defaults
        })
    }
}

fn read_stdin() -> Result<String> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().take(MOST_PROMPT_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|why| {
        Error::new(format!("Could not read the prompt from stdin: {why}."), format!("无法从标准输入读取提示：{why}。"))
    })?;
    if bytes.len() as u64 > MOST_PROMPT_BYTES {
        let most = MOST_PROMPT_BYTES >> 20;
        return Err(Error::new(
            format!("The prompt on stdin has more than {most} MB; send a shorter one."),
            format!("标准输入的提示超过 {most} MB，请缩短。"),
        )
        .into());
    }
    let text = String::from_utf8(bytes);
    Ok(text.map_err(|_| {
        Error::new(
            "The prompt on stdin is not UTF-8 text; convert it and try again.",
            "标准输入的提示不是 UTF-8 文本，请转换后重试。",
        )
    })?)
}

/// Opens a model by bundled name or path.
pub(super) fn open(name: &str, threads: usize) -> crate::Result<Arc<TextModel>> {
    let found = catalogue::find(name)?;
    if let Some(why) = found.unusable {
        return Err(why);
    }
    let model = TextModel::open(&found.name, &found.path, threads, &mut |_, _| {}, &AtomicBool::new(false))?;
    Ok(Arc::new(model))
}

/// Runs the request; with `stream` the text is printed as it comes, and ends with a line break.
fn write(model: &Arc<TextModel>, request: &TextRequest, stream: bool, out: &mut Output<'_>) -> Result<TextOutcome> {
    let cancel = AtomicBool::new(false);
    let (mut printed, mut left_out) = (Ok(()), 0);
    let outcome = TextWriter::new(model.clone()).write(request, &cancel, &mut |progress| match progress {
        TextProgress::Token(token) if stream && printed.is_ok() => {
            printed = out.piece(&token.text);
            if printed.is_err() {
                // Nobody reads any more, so there is no use in going on.
                cancel.store(true, Ordering::Relaxed);
            }
        }
        TextProgress::Context(report) => left_out = report.left_out,
        _ => {}
    })?;
    printed?;
    if stream && !outcome.text.ends_with('\n') {
        out.line("")?;
    }
    if left_out > 0 {
        let note = Error::new(
            "The beginning of the prompt did not fit into the context and was left out.",
            "提示的开头放不进上下文，已略去。",
        );
        out.note(note.text(out.lang()));
    }
    Ok(outcome)
}

/// Saves the generated text and, first, the recipe that makes it again.
fn save(path: &Path, model: &TextModel, outcome: &TextOutcome) -> Result {
    let name = super::recipe_name(&model.name, &model.path);
    let generation =
        TextGeneration { model: ModelRef { name, sha256: model.sha256()?.to_owned() }, request: outcome.sent.clone() };
    let piece = Piece::Generated { generation: 0, start: 0, end: outcome.text.len() };
    let recipe = Recipe::of_text(&outcome.text, TextRecipe { generations: vec![generation], pieces: vec![piece] });
    Ok(recipe.save(path, &outcome.text)?)
}
