//! Steps, measurements and checkpoints.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use candle_core::{DType, Device, Result as TensorResult, Tensor, Var};

use super::{
    Note, WaveNetRecipe,
    batch::{Batch, Crop, draw},
    grow::grown,
};
use crate::{
    Error, Result,
    formats::{safetensors, weights::check_finite},
    kernels::{
        autograd::first_order,
        elementwise::{cross_entropy, mixture_loss},
        optim::{Adam, AdamSettings, Ema},
    },
    nets::wavenet::{METADATA, WaveNet, WaveNetConfig, config_of, mu_law},
    random::Rng,
};

/// Notes measured at a time.
const MEASURED: usize = 6;
/// Before this step the averages follow faster.
const YOUNG: u64 = 2_000;
const YOUNG_AVERAGE: f64 = 0.99;
/// The learning rate at the end, of that at the beginning.
const LAST_SHARE: f64 = 1.0 / 30.0;

/// A WaveNet in training.
pub struct Trainer {
    recipe: WaveNetRecipe,
    config: WaveNetConfig,
    /// Notes to learn from, then those kept aside.
    notes: [Vec<Note>; 2],
    names: Vec<String>,
    variables: Vec<Var>,
    adam: Adam,
    averages: Ema,
    step: u64,
}

impl Trainer {
    /// A network that has learnt nothing yet.
    ///
    /// # Errors
    /// When the notes are too few, or too short for the recipe's crops.
    pub fn new(recipe: WaveNetRecipe, notes: Vec<Note>) -> Result<Self> {
        recipe.check()?;
        let config = recipe.config();
        let longest = recipe.training.crops.samples.max(recipe.training.onset_crops.samples);
        if notes.len() < 2 || notes.iter().any(|note| note.levels.len() < longest) {
            return Err(too_few(longest));
        }
        let aside = |note: &Note| (note.source * 7_919 + 13).is_multiple_of(recipe.held_out());
        let (mut kept, mut learnt): (Vec<Note>, Vec<Note>) = notes.into_iter().partition(aside);
        // Few notes: what is measured is at least something.
        share(&mut learnt, &mut kept);
        share(&mut kept, &mut learnt);
        if learnt.is_empty() || kept.is_empty() {
            return Err(too_few(longest));
        }
        let made: Vec<(String, Vec<usize>, f64)> = shapes(&recipe, &config);
        let mut rng = Rng::at(recipe.seed, u64::MAX);
        let (mut names, mut variables) = (Vec::new(), Vec::new());
        for (name, shape, scale) in made {
            let mut numbers: Vec<f32> = (0..shape.iter().product()).map(|_| (rng.normal() * scale) as f32).collect();
            if name == "head.2.bias" && config.mixtures > 0 {
                first_mixtures(&mut numbers, config.mixtures);
            }
            let tensor = Tensor::from_vec(numbers, shape, &Device::Cpu);
            variables.push(tensor.and_then(|tensor| Var::from_tensor(&tensor)).map_err(|why| failed(&why))?);
            names.push(name);
        }
        let settings =
            AdamSettings { learning_rate: recipe.training.learning_rate, weight_decay: 0.0, ..AdamSettings::default() };
        let adam = Adam::new(variables.clone(), settings).map_err(|why| failed(&why))?;
        let averages = Ema::new(variables.clone()).map_err(|why| failed(&why))?;
        Ok(Self { recipe, config, notes: [learnt, kept], names, variables, adam, averages, step: 0 })
    }

    /// Begins with the weights of a model instead of random ones: of the same network, or of one whose condition is smaller
    /// and has no other harmonics.
    ///
    /// # Errors
    /// When the file cannot be read, is a model of another shape, or a weight is no number; nothing has changed then.
    pub fn begin_from(&mut self, model: &Path) -> Result<()> {
        let (tensors, metadata) = safetensors::load_all(model)?;
        let foreign = || {
            let name = model.display();
            Error::new(
                format!(
                    "“{name}” has another shape than the recipe's network; make “network” and “instruments” alike \
                     (its condition may be smaller, with harmonics that are all among the recipe's)."
                ),
                format!(
                    "“{name}”的形状与配方中的网络不同；请让“network”和“instruments”与它一致\
                     （它的条件可以更小，但其谐波须全部在配方之中）。"
                ),
            )
        };
        check_finite(&tensors)?;
        // A checkpoint does not say; it must be of the recipe's.
        let had = match metadata.contains_key(METADATA) {
            true => config_of(&metadata)?.harmonics,
            false => self.config.harmonics.clone(),
        };
        let value = |(name, variable): (&String, &Var)| {
            let tensor = tensors.get(name).ok_or_else(foreign)?.to_dtype(DType::F32).map_err(|why| failed(&why))?;
            grown(name, &tensor, variable, &had, &self.config.harmonics).ok_or_else(foreign)
        };
        let values = self.names.iter().zip(&self.variables).map(value).collect::<Result<Vec<_>>>()?;
        let put = || -> TensorResult<Ema> {
            self.variables.iter().zip(&values).try_for_each(|(variable, value)| variable.set(value))?;
            Ema::new(self.variables.clone())
        };
        self.averages = put().map_err(|why| failed(&why))?;
        Ok(())
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// The learning rate of the next step, when `steps` are taken in all.
    pub fn learning_rate(&self, steps: u64) -> f64 {
        let plan = &self.recipe.training;
        let falling = steps.saturating_sub(plan.fall_from).max(1) as f64;
        let fallen = (self.step.saturating_sub(plan.fall_from) as f64 / falling).min(1.0);
        plan.learning_rate * (1.0 - fallen * (1.0 - LAST_SHARE))
    }

    /// Takes one of `steps` steps; returns its loss, in bits a sample.
    ///
    /// # Errors
    /// When the loss is no longer a number.
    pub fn step(&mut self, steps: u64) -> Result<f64> {
        self.adam.settings.learning_rate = self.learning_rate(steps);
        let loss = self.learn().map_err(|why| failed(&why))?;
        if !loss.is_finite() {
            return Err(Error::new(
                format!("Training diverged at step {}; lower the learning rate and resume.", self.step),
                format!("训练在第 {} 步发散；请降低学习率后继续。", self.step),
            ));
        }
        Ok(loss)
    }

    fn learn(&mut self) -> TensorResult<f64> {
        let plan = &self.recipe.training;
        let onset = self.step.is_multiple_of(plan.onset_every);
        let shape = if onset { plan.onset_crops } else { plan.crops };
        // Each step has random numbers of its own: training that is taken up again goes on as it would have gone.
        let mut rng = Rng::at(self.recipe.seed, self.step);
        let crops = draw(&self.notes[0], shape, onset, self.config.frame_samples, &mut rng);
        let net = self.net(self.variables.iter().map(|variable| variable.as_tensor().clone()).collect())?;
        let batch = Batch::new(&crops, shape.samples, (&self.config, net.condition()), Some(&mut rng))?;
        let loss = loss(&net, &batch, shape.samples, shape.warm_up)?;
        let bits = f64::from(loss.to_scalar::<f32>()?) / std::f64::consts::LN_2;
        if bits.is_finite() {
            self.adam.step(&first_order(|| loss.backward())?)?;
            let average = self.recipe.training.average;
            self.averages.update(if self.step < YOUNG { average.min(YOUNG_AVERAGE) } else { average })?;
            self.step += 1;
        }
        Ok(bits)
    }

    /// The parts that are measured of what was kept aside, at most `seconds` long, and their lengths.
    fn measured(&self, seconds: f64) -> Vec<(Crop<'_>, usize)> {
        let wanted = (seconds * f64::from(self.config.sample_rate_hz)) as usize;
        let parts = self.notes[1].iter().flat_map(|note| {
            let samples = note.levels.len().min(wanted);
            let starts = note.measured(samples, self.config.frame_samples);
            starts.into_iter().map(move |start| (Crop { note, start }, samples))
        });
        parts.collect()
    }

    /// Bits a sample of the averaged weights on the notes kept aside, the first `seconds` of each; on parts of recordings.
    ///
    /// # Errors
    /// When memory cannot be had.
    pub fn held_out(&self, seconds: f64) -> Result<f64> {
        let measured = || -> TensorResult<f64> {
            let net = self.net(self.averages.averages()?)?;
            let (mut sum, mut count) = (0.0, 0);
            for crops in self.measured(seconds).chunks(MEASURED) {
                let samples = crops.iter().map(|(_, samples)| *samples).min().unwrap_or(0);
                let crops: Vec<_> = crops.iter().map(|(crop, _)| *crop).collect();
                let batch = Batch::new(&crops, samples, (&self.config, net.condition()), None)?;
                let nats = f64::from(loss(&net, &batch, samples, 0)?.to_scalar::<f32>()?);
                sum += nats / std::f64::consts::LN_2 * crops.len() as f64;
                count += crops.len();
            }
            Ok(sum / count.max(1) as f64)
        };
        measured().map_err(|why| failed(&why))
    }

    /// Bits a sample of the notes kept aside when only how often each class, or each value, occurs is known; of recordings,
    /// of the parts that [`Self::held_out`] measures too.
    pub fn unigram_bits(&self, seconds: f64) -> f64 {
        let (offset, levels) = if self.config.mixtures == 0 { (0, mu_law::CLASSES) } else { (1 << 15, 1 << 16) };
        let count = |counts: &mut Vec<f64>, found: &[i16]| {
            // Classes are not negative, and values are moved up to be so.
            found.iter().for_each(|level| counts[(i32::from(*level) + offset) as usize] += 1.0);
        };
        let (mut learnt, mut kept) = (vec![1.0; levels], vec![1.0; levels]);
        self.notes[0].iter().for_each(|note| count(&mut learnt, &note.levels));
        for (Crop { note, start }, samples) in self.measured(seconds) {
            let part = if note.phases.is_empty() { &note.levels[..] } else { &note.levels[start..start + samples] };
            count(&mut kept, part);
        }
        let all: f64 = learnt.iter().sum();
        // The one that every level begins with is of what was learnt alone.
        let kept = kept.iter().map(|kept| kept - 1.0);
        let (mut bits, mut total) = (0.0, 0.0);
        for (kept, learnt) in kept.zip(&learnt) {
            (bits, total) = (bits - kept * (learnt / all).log2(), total + kept);
        }
        bits / total
    }

    /// Saves all that the next step depends on.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let state = || -> TensorResult<BTreeMap<String, Tensor>> {
            let (_, moments) = self.adam.state()?;
            let mut state = BTreeMap::new();
            for (((name, variable), average), (first, second)) in
                self.names.iter().zip(&self.variables).zip(self.averages.averages()?).zip(moments)
            {
                state.insert(name.clone(), variable.as_tensor().clone());
                state.insert(format!("ema.{name}"), average);
                state.insert(format!("m1.{name}"), first);
                state.insert(format!("m2.{name}"), second);
            }
            state.insert("step".to_owned(), Tensor::new(&[self.step as i64], &Device::Cpu)?);
            Ok(state)
        };
        safetensors::save(path, &state().map_err(|why| failed(&why))?)
    }

    /// Goes on from what was saved.
    ///
    /// # Errors
    /// When the file cannot be read or belongs to another network; nothing has changed then.
    pub fn resume(&mut self, path: &Path) -> Result<()> {
        let state = safetensors::load(path)?;
        let foreign = || {
            let name = path.display();
            Error::new(
                format!("“{name}” belongs to another recipe; resume with its own, or train into another folder."),
                format!("“{name}”属于另一个训练配方；请用原配方继续，或换一个文件夹训练。"),
            )
        };
        let get = |prefix: &str| -> Result<Vec<Tensor>> {
            let one = |(name, variable): (&String, &Var)| {
                let tensor = state.get(&format!("{prefix}{name}")).filter(|t| t.shape() == variable.shape());
                tensor.filter(|t| t.dtype() == DType::F32).cloned().ok_or_else(foreign)
            };
            self.names.iter().zip(&self.variables).map(one).collect()
        };
        let step = state.get("step").and_then(|step| step.to_vec1::<i64>().ok()).and_then(|step| step.first().copied());
        let step = step.and_then(|step| u64::try_from(step).ok()).ok_or_else(foreign)?;
        let (values, averages) = (get("")?, get("ema.")?);
        let moments: Vec<_> = get("m1.")?.into_iter().zip(get("m2.")?).collect();
        let mut put = || -> TensorResult<()> {
            self.adam.restore(step, &moments)?;
            self.averages.restore(&averages)?;
            self.variables.iter().zip(&values).try_for_each(|(variable, value)| variable.set(value))
        };
        put().map_err(|why| failed(&why))?;
        self.step = step;
        Ok(())
    }

    /// Saves the averaged weights as a model, in bfloat16; those of a network with mixtures as they are, since its outputs
    /// are values of sixteen bits and not scores.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn export(&self, path: &Path) -> Result<()> {
        let averages = || -> TensorResult<BTreeMap<String, Tensor>> {
            let averages = self.averages.averages()?;
            let kept = if self.config.mixtures == 0 { DType::BF16 } else { DType::F32 };
            let short = self.names.iter().zip(averages).map(|(name, t)| Ok((name.clone(), t.to_dtype(kept)?)));
            short.collect()
        };
        let config = serde_json::to_string(&self.config).map_err(|why| {
            Error::new(format!("The model cannot be saved: {why}."), format!("无法保存模型：{why}。"))
        })?;
        let metadata = BTreeMap::from([(METADATA.to_owned(), config)]);
        safetensors::save_all(path, &averages().map_err(|why| failed(&why))?, &metadata)
    }

    fn net(&self, tensors: Vec<Tensor>) -> TensorResult<WaveNet> {
        let tensors: HashMap<String, Tensor> = self.names.iter().cloned().zip(tensors).collect();
        WaveNet::new(self.config.clone(), &tensors).map_err(|why| candle_core::Error::Msg(why.to_string()))
    }
}

/// Gives one file's notes of `from` to `to` when that has none.
fn share(from: &mut Vec<Note>, to: &mut Vec<Note>) {
    if to.is_empty()
        && let Some(source) = from.last().map(|note| note.source)
    {
        to.extend(from.extract_if(.., |note| note.source == source));
    }
}

fn too_few(longest: usize) -> Error {
    Error::new(
        format!("Training needs at least two notes or files of {longest} samples; add some, or shorten the crops."),
        format!("训练至少需要两个 {longest} 个采样长的音符或文件；请增加数据或缩短片段。"),
    )
}

/// The loss in nats a sample, of all samples but the first `skip`.
fn loss(net: &WaveNet, batch: &Batch, samples: usize, skip: usize) -> TensorResult<Tensor> {
    let n = batch.before.dim(0)?;
    let slow = net.slow_condition(&batch.features)?;
    let (rows, width) = slow.dims2()?;
    let (frames, frame) = (rows / n, net.config().frame_samples);
    let slow = slow.reshape((n, frames, 1, width))?.broadcast_as((n, frames, frame, width))?;
    let slow = slow.reshape((n, frames * frame, width))?.transpose(1, 2)?.narrow(2, 0, samples)?.contiguous()?;
    let condition = Tensor::cat(&[&slow, &batch.fast], 1)?.contiguous()?;
    let outputs = net.forward(&batch.before, &condition)?;
    let rest = samples - skip;
    let (outputs, now) = (outputs.narrow(2, skip, rest)?, batch.now.narrow(1, skip, rest)?.contiguous()?);
    if net.config().mixtures == 0 { cross_entropy(&outputs, &now) } else { mixture_loss(&outputs, &now) }
}

/// Mixtures that nothing is known of yet: means side by side, each about as wide as their distance.
fn first_mixtures(bias: &mut [f32], mixtures: usize) {
    let width = 1.0 / mixtures as f32;
    for k in 0..mixtures {
        bias[mixtures + k] = (k as f32 + 0.5) * width - 0.5;
        bias[2 * mixtures + k] = (0.5 * width).ln();
    }
}

/// Every weight's name and shape, and the standard deviation that it begins with.
fn shapes(recipe: &WaveNetRecipe, config: &WaveNetConfig) -> Vec<(String, Vec<usize>, f64)> {
    let network = &recipe.network;
    let (c, s, hidden, slow) = (network.channels, network.skip, network.condition_hidden, network.condition);
    let (channels, skip) = (c as f64, s as f64);
    let mut made = if config.mixtures == 0 {
        vec![("embedding.weight".to_owned(), vec![mu_law::CLASSES, c], 0.3)]
    } else {
        // Samples are seldom far from silence.
        vec![("input.weight".to_owned(), vec![c], 1.0), ("input.bias".to_owned(), vec![c], 0.3)]
    };
    made.extend([
        ("condition.0.weight".to_owned(), vec![hidden, config.features()], (1.0_f64 / 6.0).sqrt()),
        ("condition.0.bias".to_owned(), vec![hidden], 0.0),
        ("condition.2.weight".to_owned(), vec![slow, hidden], 1.6 / (hidden as f64).sqrt()),
        ("condition.2.bias".to_owned(), vec![slow], 0.0),
    ]);
    for layer in 0..network.layers {
        let mut add = |part: &str, shape: Vec<usize>, scale: f64| {
            made.push((format!("layers.{layer}.{part}"), shape, scale));
        };
        add("tap.weight", vec![2 * c, c, 2], 1.0 / (2.0 * channels).sqrt());
        add("tap.bias", vec![2 * c], 0.0);
        add("condition.weight", vec![2 * c, slow + config.fast()], 0.15);
        add("mix.weight", vec![c, c], 0.7 / channels.sqrt());
        add("mix.bias", vec![c], 0.0);
        add("skip.weight", vec![s, c], 1.0 / (4.0 * channels).sqrt());
        add("skip.bias", vec![s], 0.0);
    }
    made.extend([
        ("head.0.weight".to_owned(), vec![s, s, 1], (2.0 / skip).sqrt()),
        ("head.0.bias".to_owned(), vec![s], 0.0),
        ("head.2.weight".to_owned(), vec![config.outputs(), s, 1], 0.5 / skip.sqrt()),
        ("head.2.bias".to_owned(), vec![config.outputs()], 0.0),
    ]);
    made
}

/// What the tensor library said, as a sentence.
fn failed(why: &candle_core::Error) -> Error {
    let why = why.to_string();
    let why = why.lines().next().unwrap_or_default();
    Error::new(
        format!("Training stopped: {why}; resume from the last checkpoint."),
        format!("训练中止：{why}；请从上一个检查点继续。"),
    )
}
