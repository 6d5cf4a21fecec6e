//! Steps and checkpoints of a generator of textures.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use candle_core::{DType, Device, Result as TensorResult, Tensor};

use super::{Photographs, judge::Judge, recipe::TextureRecipe};
use crate::{
    Error, Result,
    formats::safetensors,
    kernels::{autograd::first_order, normalise::Statistics, optim::Ema},
    nets::{
        dcgan::{DcganConfig, METADATA},
        psgan::{self, PsganConfig, REACH},
    },
    random::Rng,
    train::learner::{Learner, State, failed, with_statistics},
};

/// The learning rate at the end, of that at the beginning.
const LAST_SHARE: f64 = 0.05;
/// Steps over which the learning rate rises.
const RISE: f64 = 20.0;
/// Random numbers for what is shown on the way.
const SHOWN_PLACE: u64 = 5 << 40;
/// Adam's decays of the first and the second moment.
const BETAS: [f64; 2] = [0.5, 0.99];

/// A generator in training.
pub struct TextureTrainer {
    recipe: TextureRecipe,
    config: PsganConfig,
    judge: Judge,
    generator: Learner,
    averages: Ema,
    step: u64,
}

impl TextureTrainer {
    /// A generator that has learnt nothing yet.
    ///
    /// # Errors
    /// When the recipe makes no sense, or memory cannot be had.
    pub fn new(recipe: TextureRecipe, photographs: &Photographs) -> Result<Self> {
        recipe.check()?;
        let network = &recipe.network;
        // What shows one texture only has no classes.
        let classes = if photographs.classes.len() > 1 { photographs.classes.clone() } else { Vec::new() };
        let config = PsganConfig {
            local: network.local,
            periodic: network.periodic,
            channels: 3,
            widths: network.widths.clone(),
            classes,
        };
        let judge = Judge::new(photographs, recipe.training.side, recipe.seed)?;
        let mut rng = Rng::at(recipe.seed, u64::MAX);
        let mut build = || -> TensorResult<_> {
            let generator = Learner::new(config.generator_weights(), (recipe.training.learning_rate, BETAS), &mut rng)?;
            let averages = Ema::new(generator.variables.clone())?;
            Ok((generator, averages))
        };
        let (generator, averages) = build().map_err(|why| failed(&why))?;
        Ok(Self { recipe, config, judge, generator, averages, step: 0 })
    }

    /// The generator's sizes.
    pub fn config(&self) -> &PsganConfig {
        &self.config
    }

    /// The mean distance of the photographs' own squares from the statistics of the whole photographs.
    ///
    /// # Errors
    /// When memory cannot be had.
    pub fn distance_of_real(&self, photographs: &Photographs) -> Result<f64> {
        self.judge.distance_of_real(photographs, self.side(), self.recipe.seed)
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// Width and height in pixels of what is drawn at every step.
    pub fn side(&self) -> usize {
        self.recipe.training.side
    }

    /// What the generator draws now, as it learns: one of each class, or several of one, `most` at most; pixels of red,
    /// green and blue. The same noise each time.
    ///
    /// # Errors
    /// When memory cannot be had.
    pub fn pictures(&self, most: usize) -> Result<Vec<Vec<u8>>> {
        let area = self.side() * self.side();
        let draw = || -> TensorResult<Vec<Vec<u8>>> {
            let mut rng = Rng::at(self.recipe.seed, SHOWN_PLACE);
            let drawn = self.drawn(&self.generator.tensors(true), &mut rng)?.0.flatten_all()?.to_vec1::<f32>()?;
            let byte = |value: f32| ((value + 1.0) * 127.5).round().clamp(0.0, 255.0) as u8;
            let pixels = |planes: &[f32]| (0..3 * area).map(|at| byte(planes[at % 3 * area + at / 3])).collect();
            Ok(drawn.chunks_exact(3 * area).take(most).map(pixels).collect())
        };
        draw().map_err(|why| failed(&why))
    }

    /// Pictures that a step draws.
    pub fn batch(&self) -> usize {
        self.recipe.training.each * self.config.classes.len().max(1)
    }

    /// The share of the learning rate at the next step, when `steps` are taken in all.
    fn rate(&self, steps: u64) -> f64 {
        let from = self.recipe.training.fall_from;
        let falling = steps.saturating_sub(from).max(1) as f64;
        let fallen = (self.step.saturating_sub(from) as f64 / falling).min(1.0);
        ((self.step as f64 + 1.0) / RISE).min(1.0) * (1.0 - fallen * (1.0 - LAST_SHARE))
    }

    /// Takes one of `steps` steps: the distance of what the generator drew from the photographs.
    ///
    /// # Errors
    /// When it is no longer a number.
    pub fn step(&mut self, steps: u64) -> Result<f64> {
        self.generator.adam.settings.learning_rate = self.rate(steps) * self.recipe.training.learning_rate;
        let distance = self.learn().map_err(|why| failed(&why))?;
        if distance.is_finite() {
            return Ok(distance);
        }
        Err(Error::new(
            format!("Training diverged at step {}; lower the learning rate and resume.", self.step),
            format!("训练在第 {} 步发散；请降低学习率后继续。", self.step),
        ))
    }

    fn learn(&mut self) -> TensorResult<f64> {
        // Each step has random numbers of its own: training that is taken up again goes on as it would have gone.
        let mut rng = Rng::at(self.recipe.seed, self.step);
        let (pictures, classes, _) = self.drawn(&self.generator.tensors(false), &mut rng)?;
        let loss = self.judge.distance(&pictures, &classes)?;
        let distance = f64::from(loss.to_scalar::<f32>()?);
        if distance.is_finite() {
            self.generator.adam.step(&first_order(|| loss.backward())?)?;
            let early = (self.step as f64 + 1.0) / (self.step as f64 + 10.0);
            self.averages.update(self.recipe.training.average.min(early))?;
            self.step += 1;
        }
        Ok(distance)
    }

    /// Pictures of every class, the classes, and the statistics of norms. What is cut out of what is drawn begins
    /// anywhere in a cell, so that nothing is learnt about where cells lie, and leaves out what its edges change.
    fn drawn(
        &self,
        tensors: &HashMap<String, Tensor>,
        rng: &mut Rng,
    ) -> TensorResult<(Tensor, Vec<u32>, Vec<Statistics>)> {
        let (side, cell, count) = (self.recipe.training.side, self.config.cell(), self.config.classes.len());
        let whole = side + 2 * REACH * cell;
        let classes: Vec<u32> = (0..self.batch()).map(|at| (at % count.max(1)) as u32).collect();
        let mut numbers = Vec::new();
        for class in &classes {
            numbers.extend((0..self.config.numbers(whole)).map(|_| rng.normal() as f32));
            numbers.extend((0..count).map(|at| f32::from(u8::from(at == *class as usize))));
        }
        let width = numbers.len() / classes.len();
        let z = Tensor::from_vec(numbers, (classes.len(), width), &Device::Cpu)?;
        let generator = psgan::Generator::in_training(&self.config, tensors)
            .map_err(|why| candle_core::Error::Msg(why.to_string()))?;
        let (pictures, statistics) = generator.run(&z, whole)?;
        let [top, left] = [0, 1].map(|_| (REACH - 1) * cell + rng.below(2 * cell + 1));
        Ok((pictures.narrow(2, top, side)?.narrow(3, left, side)?.contiguous()?, classes, statistics))
    }

    /// The tensors of the averaged generator, with the norms' statistics.
    ///
    /// # Errors
    /// When memory cannot be had.
    pub fn model(&self) -> Result<HashMap<String, Tensor>> {
        let build = || {
            let tensors = self.generator.named(self.averages.averages()?);
            with_statistics(tensors, |tensors, place| Ok(self.drawn(tensors, &mut Rng::at(self.recipe.seed, place))?.2))
        };
        build().map_err(|why| failed(&why))
    }

    /// Saves the averaged generator as a model, its convolutions in bfloat16.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn export(&self, path: &Path) -> Result<()> {
        let short = |(name, tensor): (String, Tensor)| {
            // Waves are counted over thousands of pixels.
            let coarse = tensor.dims().len() > 1 && name != "waves";
            Ok((name, if coarse { tensor.to_dtype(DType::BF16)? } else { tensor }))
        };
        let tensors: TensorResult<BTreeMap<_, _>> = self.model()?.into_iter().map(short).collect();
        let told = DcganConfig { classes: self.config.classes.clone(), ..DcganConfig::default() };
        let metadata = BTreeMap::from([(METADATA.to_owned(), told.metadata())]);
        safetensors::save_all(path, &tensors.map_err(|why| failed(&why))?, &metadata)
    }

    /// Saves all that the next step depends on.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let state = || -> TensorResult<BTreeMap<String, Tensor>> {
            let mut state = BTreeMap::new();
            self.generator.save("g", &mut state)?;
            for (name, average) in self.generator.names.iter().zip(self.averages.averages()?) {
                state.insert(format!("ema.{name}"), average);
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
        let tensors = safetensors::load(path)?;
        let state = State::new(&tensors, path);
        let step = state.step()?;
        let (values, moments) = (state.all(&self.generator, "g.")?, state.moments(&self.generator, "g")?);
        let averages = state.all(&self.generator, "ema.")?;
        let mut put = || -> TensorResult<()> {
            self.generator.restore(step, &values, &moments)?;
            self.averages.restore(&averages)
        };
        put().map_err(|why| failed(&why))?;
        self.step = step;
        Ok(())
    }
}
