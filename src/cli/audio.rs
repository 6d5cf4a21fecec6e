//! `atelier audio`: plays notes with a WaveNet into a file, and through the loudspeakers while it computes.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};

use serde::Serialize;

use super::{Failure, Output, Result};
use crate::{
    Error, Lang, audio, catalogue, files,
    formats::{self, audio::Container, wav::Depth},
    generate::audio::{
        AudioModel, AudioRequest, Drawing, MOST_SAMPLES, Note, Quantisation, USUAL_NOISE, USUAL_TEMPERATURE,
        parse_notes,
    },
    recipe::{AudioRecipe, ModelRef, Recipe},
};

/// What waits in the queue while it plays, and before the first sound, in seconds.
const LATENCY_S: f32 = 1.0;
const PREROLL_S: f32 = 0.1;
/// Samples handed to the device at a time.
const PIECE: usize = 256;

/// Play notes with a WaveNet, into a WAV or FLAC file
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A bundled model's name, or the path of a safetensors file
    #[arg(long, value_name = "MODEL", default_value = catalogue::DEFAULT_AUDIO_MODEL)]
    model: String,
    /// The instrument, by name or number [default: the first]
    #[arg(long, value_name = "NAME")]
    instrument: Option<String>,
    /// Notes and seconds: "C4:1.0 E4:0.5 R:0.25 C4+E4+G4:2@110" [default: one note for --seconds]
    #[arg(long, value_name = "NOTES")]
    notes: Option<String>,
    /// Go on where this recording ends (WAV, FLAC, Ogg or MP3): its last second comes first, then its last note is held for
    /// --seconds and dies away, or until --notes begin; with them --seconds counts from the recording's end
    #[arg(long, value_name = "FILE")]
    prime: Option<PathBuf>,
    /// How long the sound is [default: until the last note has died away]
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
    /// How hard notes are struck
    #[arg(long, value_name = "V", default_value_t = 90, value_parser = clap::value_parser!(u8).range(1..=127))]
    velocity: u8,
    /// Randomness; 0 always takes the likeliest sample
    #[arg(long, value_name = "T", default_value_t = USUAL_TEMPERATURE, allow_negative_numbers = true)]
    temperature: f32,
    /// Only so many of the likeliest classes of a sample; 0 takes all
    #[arg(long, value_name = "K", default_value_t = 0)]
    top_k: u32,
    /// Only the likeliest classes of a sample that together reach this probability; 1 takes all
    #[arg(long, value_name = "P", default_value_t = 1.0, allow_negative_numbers = true)]
    top_p: f32,
    /// How far samples stray, after the beginning of a note, from the mean of what the network expects: 1 as they are
    /// drawn, 0 not at all
    #[arg(long, value_name = "N", default_value_t = USUAL_NOISE, allow_negative_numbers = true)]
    noise: f32,
    /// Seed of the random choices: the same one gives the same sound [default: a new one]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Weights as the file stores them, where eight bits each would be used because they are faster
    #[arg(long)]
    stored_weights: bool,
    /// The WAV or FLAC file, by its ending, 24 bits, with its recipe inside
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Also play it, while it is computed
    #[arg(long)]
    play: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    model: &'a str,
    sample_rate_hz: u32,
    samples: usize,
    seconds: f64,
    real_time_factor: f64,
    first_sample_ms: f64,
    underruns: u64,
    seed: u64,
}

/// Without notes and seconds, a note this long.
const USUAL_S: f64 = 2.0;
/// What a recording ends with goes on for so long at least.
const SHORTEST_S: f64 = 0.05;

pub(super) fn run(args: &Args, out: &mut Output<'_>) -> Result {
    let kind = Container::of(&args.out).map_err(Failure::Usage)?;
    let found = catalogue::usable(&args.model)?;
    let model = AudioModel::open(&found.name, &found.path)?;
    let request = args.request(&model)?;
    let rate = model.info().sample_rate_hz;
    let mut player = None;
    if args.play {
        let sound: Arc<dyn audio::Sound> = Arc::new(audio::LocalSound);
        player = Some(audio::Player::open(sound, None, rate, LATENCY_S, PREROLL_S)?);
    }
    let never = AtomicBool::new(false);
    let (begun, mut first_sample, mut waited) = (Instant::now(), None, 0.0);
    let mut performance = model.perform(&request)?;
    let (mut samples, mut handed) = (Vec::new(), 0);
    let wanted = request.samples.map_or(usize::MAX, |samples| usize::try_from(samples).unwrap_or(usize::MAX));
    while let Some(block) = performance.block() {
        first_sample.get_or_insert_with(|| begun.elapsed());
        samples.extend_from_slice(&block[..block.len().min(wanted - samples.len())]);
        if let Some(player) = player.as_mut().filter(|_| samples.len() - handed >= PIECE) {
            let waiting = Instant::now();
            player.write(&samples[handed..], &never)?;
            handed = samples.len();
            waited += waiting.elapsed().as_secs_f64();
        }
    }
    // Time spent waiting for the device is none of the model's.
    let work_s = begun.elapsed().as_secs_f64() - waited;
    let model_ref = ModelRef { name: super::recipe_name(&found.name, &found.path), sha256: model.sha256()?.to_owned() };
    let recipe = Recipe::of_audio(
        &samples,
        AudioRecipe { model: model_ref, request: request.clone(), sample_rate_hz: rate, steps: Vec::new() },
    );
    files::write_whole(&args.out, &recipe.to_sound(kind, &samples, rate, Depth::Int24)?)?;
    let mut underruns = 0;
    if let Some(player) = &mut player {
        player.write(&samples[handed..], &never)?;
        player.complete(&never)?;
        underruns = player.controls().underruns();
    }
    let seconds = samples.len() as f64 / f64::from(rate);
    let report = Report {
        model: &found.name,
        sample_rate_hz: rate,
        samples: samples.len(),
        seconds,
        real_time_factor: if work_s > 0.0 { seconds / work_s } else { 0.0 },
        first_sample_ms: first_sample.map_or(0.0, |first| first.as_secs_f64() * 1e3),
        underruns,
        seed: request.seed,
    };
    if args.json {
        return out.json(&report);
    }
    let Report { real_time_factor, seed, .. } = report;
    let note = match out.lang() {
        Lang::En => format!("{seconds:.2} s of sound, {real_time_factor:.1} × real time, seed {seed}"),
        Lang::Zh => format!("{seconds:.2} 秒声音，{real_time_factor:.1} 倍实时，种子 {seed}"),
    };
    out.note(&note);
    Ok(())
}

impl Args {
    fn request(&self, model: &AudioModel) -> Result<AudioRequest> {
        let info = model.info();
        let rate = info.sample_rate_hz;
        let longest_s = MOST_SAMPLES as f64 / f64::from(rate);
        if self.seconds.is_some_and(|seconds| !(seconds > 0.0 && seconds <= longest_s)) {
            return Err(Failure::Usage(Error::new(
                format!("--seconds must be more than 0 and at most {longest_s:.0}."),
                format!("--seconds 必须大于 0，且不超过 {longest_s:.0}。"),
            )));
        }
        let usage = |why: Error| Failure::Usage(why);
        let instrument = self.instrument.as_deref().map_or(Ok(0), |name| model.instrument(name)).map_err(usage)?;
        let middle = info.lowest_key + info.keys / 2;
        let notes = self.notes.clone().unwrap_or_else(|| {
            format!("{}:{}", crate::generate::audio::key_name(middle), self.seconds.unwrap_or(USUAL_S).min(600.0))
        });
        let (notes, end) = parse_notes(&notes, instrument, self.velocity, rate).map_err(usage)?;
        let asked = self.seconds.map(|seconds| (seconds * f64::from(rate)).round() as u64);
        let request = AudioRequest {
            // Rests alone have a length too.
            samples: asked.or(notes.is_empty().then_some(end)),
            notes,
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            noise: self.noise,
            seed: self.seed.unwrap_or_else(super::new_seed),
            weights: if self.stored_weights { Quantisation::Stored } else { Quantisation::faster() },
            turns: Vec::new(),
            prime: None,
        };
        let request = match &self.prime {
            Some(path) => self.going_on(model, path, instrument, request)?,
            None => request,
        };
        model.check(&request).map_err(usage)?;
        Ok(request)
    }

    /// The same behind the end of a recording, whose last note is held before.
    fn going_on(
        &self,
        model: &AudioModel,
        path: &Path,
        instrument: u16,
        request: AudioRequest,
    ) -> Result<AudioRequest> {
        let rate = model.info().sample_rate_hz;
        let sound = formats::audio::open(path)?;
        let seconds = |seconds: f64| (seconds * f64::from(rate)) as u64;
        let (hold, after) = match &self.notes {
            Some(_) => {
                // Until the first note begins, or for as long as rests last.
                let first = request.notes.first().map_or(request.samples.unwrap_or(0), |note| note.start);
                (first.max(seconds(SHORTEST_S)), request.notes)
            }
            None => (seconds(self.seconds.unwrap_or(USUAL_S)), Vec::new()),
        };
        let drawing = Drawing { temperature: request.temperature, noise: request.noise, seed: request.seed };
        let recording = (&sound.mono()[..], sound.sample_rate_hz);
        let primed = model.continued(recording, (instrument, self.velocity), hold, drawing)?;
        let given = primed.notes_end() - hold;
        let later = after.into_iter().map(|note| Note { start: note.start + given, ..note });
        let samples = request.samples.filter(|_| self.notes.is_some()).map(|samples| samples + given);
        let notes = primed.notes.into_iter().chain(later).collect();
        Ok(AudioRequest { notes, samples, prime: primed.prime, ..request })
    }
}
