//! Steps and checkpoints of a GAN.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use candle_core::{DType, Device, Result as TensorResult, Tensor, Var};

use super::{Networks, Pictures, augment::augmented, recipe::GanRecipe};
use crate::train::learner::{Learner, State, failed, with_statistics};
use crate::{
    Error, Result,
    formats::safetensors,
    kernels::{autograd::first_order, optim::Ema},
    nets::r3gan::{self, CriticPasses, GeneratorPasses, R3ganConfig},
    random::Rng,
};

/// The learning rates at the end, of those at the beginning.
const LAST_SHARE: f64 = 0.1;
/// How sure the critic should be of real pictures.
const REAL: f64 = 0.9;

/// Pairs of pictures that are judged at a time.
const PAIRS: usize = 16;

/// Pictures as the critic sees them, and the way back.
struct Seen {
    /// What they were before they were augmented; none when they were not.
    before: Option<(Var, Tensor)>,
    pictures: Vec<f32>,
    /// Where the random numbers stood that they were augmented by.
    rng: Rng,
}

/// Both networks in training.
pub struct GanTrainer {
    recipe: GanRecipe,
    networks: Networks,
    pictures: Pictures,
    generator: Learner,
    critic: Learner,
    averages: Ema,
    step: u64,
}

/// What a step cost both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Losses {
    pub generator: f64,
    pub critic: f64,
}

impl GanTrainer {
    /// Networks that have learnt nothing yet.
    ///
    /// # Errors
    /// When the recipe makes no sense, or memory cannot be had.
    pub fn new(recipe: GanRecipe, pictures: Pictures) -> Result<Self> {
        recipe.check()?;
        let networks = Networks::new(&recipe, pictures.channels, pictures.classes.clone());
        let [of_generator, of_critic] = networks.weights();
        let mut rng = Rng::at(recipe.seed, u64::MAX);
        let mut build = || -> TensorResult<_> {
            let plan = &recipe.training;
            let generator = Learner::new(of_generator.clone(), (plan.learning_rate, plan.betas), &mut rng)?;
            let critic = Learner::new(of_critic.clone(), (plan.critic_learning_rate, plan.betas), &mut rng)?;
            let averages = Ema::new(generator.variables.clone())?;
            Ok((generator, critic, averages))
        };
        let (generator, critic, averages) = build().map_err(|why| failed(&why))?;
        Ok(Self { recipe, networks, pictures, generator, critic, averages, step: 0 })
    }

    /// The networks.
    pub fn networks(&self) -> &Networks {
        &self.networks
    }

    /// What decides every random number.
    pub(super) fn seed(&self) -> u64 {
        self.recipe.seed
    }

    /// What is learnt from.
    pub(super) fn pictures(&self) -> &Pictures {
        &self.pictures
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// The share of the learning rates at the next step, when `steps` are taken in all.
    fn rate(&self, steps: u64) -> f64 {
        let from = self.recipe.training.fall_from;
        let falling = steps.saturating_sub(from).max(1) as f64;
        let fallen = (self.step.saturating_sub(from) as f64 / falling).min(1.0);
        1.0 - fallen * (1.0 - LAST_SHARE)
    }

    /// Takes one of `steps` steps of both networks.
    ///
    /// # Errors
    /// When a loss is no longer a number.
    pub fn step(&mut self, steps: u64) -> Result<Losses> {
        let rate = self.rate(steps);
        self.generator.adam.settings.learning_rate = rate * self.recipe.training.learning_rate;
        self.critic.adam.settings.learning_rate = rate * self.recipe.training.critic_learning_rate;
        let [first, last] = self.recipe.training.noise;
        let noise = first + (last - first) * (self.step as f64 / steps.max(1) as f64).min(1.0);
        let losses = self.learn(noise).map_err(|why| failed(&why))?;
        if losses.generator.is_finite() && losses.critic.is_finite() {
            return Ok(losses);
        }
        Err(Error::new(
            format!("Training diverged at step {}; lower the learning rates and resume.", self.step),
            format!("训练在第 {} 步发散；请降低学习率后继续。", self.step),
        ))
    }

    fn learn(&mut self, noise: f64) -> TensorResult<Losses> {
        let batch = self.recipe.training.batch;
        // Each step has random numbers of its own: training that is taken up again goes on as it would have gone.
        let mut rng = Rng::at(self.recipe.seed, self.step);
        let (real, labels) = self.real(batch, &mut rng)?;
        let (z, wanted) = self.latents(batch, &mut rng)?;
        let losses = match &self.networks {
            Networks::R3gan(config) => {
                let config = config.clone();
                self.learn_in_pairs(&config, (real, labels), z, &mut rng, PAIRS)?
            }
            _ => self.learn_apart((real, labels), &z, wanted.as_ref(), noise, &mut rng)?,
        };
        if losses.critic.is_finite() && losses.generator.is_finite() {
            let early = (self.step as f64 + 1.0) / (self.step as f64 + 10.0);
            self.averages.update(self.recipe.training.average.min(early))?;
            self.step += 1;
        }
        Ok(losses)
    }

    /// What the critic sees of pictures.
    fn seen(&self, pictures: &Tensor, noise: f64, rng: &mut Rng) -> TensorResult<Tensor> {
        let pictures = noisy(pictures, noise, rng)?;
        if self.recipe.training.augment { augmented(&pictures, rng) } else { Ok(pictures) }
    }

    /// The loss of the first GANs, not saturating (Goodfellow et al., 2014), with one-sided label smoothing (Salimans et
    /// al., 2016).
    fn learn_apart(
        &mut self,
        (real, labels): (Tensor, Option<Tensor>),
        z: &Tensor,
        wanted: Option<&Tensor>,
        noise: f64,
        rng: &mut Rng,
    ) -> TensorResult<Losses> {
        let (made, _) = self.networks.make(&self.generator.tensors(false), z)?;
        let (real, made) = (self.seen(&real, noise, rng)?, self.seen(&made, noise, rng)?);

        let critic = self.critic.tensors(false);
        let of_real = self.networks.judge(&critic, &real, labels.as_ref())?;
        let of_made = self.networks.judge(&critic, &made.detach(), wanted)?;
        let sure = surprise(&of_real, true)?;
        let unsure = surprise(&of_real, false)?;
        let real_loss = ((sure * REAL)? + (unsure * (1.0 - REAL))?)?;
        let critic_loss = (real_loss + surprise(&of_made, false)?)?;
        let critic = f64::from(critic_loss.to_scalar::<f32>()?);
        if critic.is_finite() {
            self.critic.adam.step(&first_order(|| critic_loss.backward())?)?;
        }

        let fooled = surprise(&self.networks.judge(&self.critic.tensors(true), &made, wanted)?, true)?;
        let generator = f64::from(fooled.to_scalar::<f32>()?);
        if critic.is_finite() && generator.is_finite() {
            self.generator.adam.step(&first_order(|| fooled.backward())?)?;
        }
        Ok(Losses { generator, critic })
    }

    /// The relativistic pairing loss with the penalties R1 and R2 (Huang et al., 2024): each generated picture is judged
    /// beside a real one of its class. Nothing in these networks looks across a batch, so it is learnt from in parts of
    /// `most` pairs, whose gradients are added up: what the critic's gradients need of each is bounded.
    fn learn_in_pairs(
        &mut self,
        config: &R3ganConfig,
        (real, labels): (Tensor, Option<Tensor>),
        z: Tensor,
        rng: &mut Rng,
        most: usize,
    ) -> TensorResult<Losses> {
        let plan = self.recipe.training.clone();
        let penalised = plan.gamma > 0.0 && self.step.is_multiple_of(plan.penalty_every);
        // Pairs are of one class.
        let z = match &labels {
            Some(labels) => Tensor::cat(&[&z.narrow(1, 0, self.networks.latent())?, labels], 1)?,
            None => z,
        };
        let batch = z.dim(0)?;
        let (generator, critic) = (GeneratorPasses::new(config), CriticPasses::new(config));
        let of_generator = r3gan::numbers(&self.generator.variables)?;
        let numbers = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
        // Where a part begins, how many pairs it has, the generated pictures, and the classes of real and generated ones.
        let mut parts = Vec::new();
        for first in (0..batch).step_by(most.max(1)) {
            let count = most.max(1).min(batch - first);
            let made = generator.make(&of_generator, &numbers(&z.narrow(0, first, count)?)?);
            let classes = labels.as_ref().map(|labels| numbers(&labels.narrow(0, first, count)?)).transpose()?;
            parts.push((first, count, made, classes.unwrap_or_default().repeat(2)));
        }
        let mut losses = Losses { generator: 0.0, critic: 0.0 };
        let weights = r3gan::numbers(&self.critic.variables)?;
        let mut sums = r3gan::zeros(&weights);
        for (first, count, made, classes) in &parts {
            let both = self.both(&real.narrow(0, *first, *count)?, made.pictures(), rng)?;
            let judged = critic.judge(&weights, 2 * count, joined(&both, |seen| &seen.pictures), classes);
            let (loss, scales) = paired(&judged.scores, batch);
            losses.critic += loss;
            if penalised {
                let ones = vec![1.0; 2 * count];
                let slopes = critic.slopes(&weights, &judged, &ones, true);
                let share = (plan.gamma * plan.penalty_every as f64 / batch as f64) as f32;
                // The gradient to the pictures, and what a step along it changes in what the critic sees.
                let halves = slopes.to_pictures.split_at(slopes.to_pictures.len() / 2);
                let changes = [(&both[0], halves.0), (&both[1], halves.1)].map(|(seen, slope)| seen.penalised(slope));
                let [of_real, of_made] = changes;
                let change = [of_real?, of_made?].concat();
                critic.learn_with_change(&weights, &judged, &slopes, &scales, (change, share), &mut sums);
            } else {
                let slopes = critic.slopes(&weights, &judged, &scales, false);
                critic.learn(&weights, &judged, &slopes, &scales, &mut sums);
            }
        }
        if losses.critic.is_finite() {
            self.critic.adam.step_with(sums)?;
        }
        let weights = r3gan::numbers(&self.critic.variables)?;
        let mut sums = r3gan::zeros(&of_generator);
        for (first, count, made, classes) in &parts {
            let both = self.both(&real.narrow(0, *first, *count)?, made.pictures(), rng)?;
            let [seen_real, seen_made] = both;
            let classes = &classes[..classes.len() / 2];
            let of_real = critic.judge(&weights, *count, seen_real.pictures, classes).scores;
            let judged = critic.judge(&weights, *count, seen_made.pictures.clone(), classes);
            // The generator's aim is the critic's with both exchanged.
            let (loss, scales) = paired(&[&judged.scores[..], &of_real].concat(), batch);
            losses.generator += loss;
            let slopes = critic.slopes(&weights, &judged, &scales[..*count], true);
            let to_made = seen_made.gradient(&slopes.to_pictures)?;
            generator.learn(&of_generator, made, to_made, &mut sums);
        }
        if losses.critic.is_finite() && losses.generator.is_finite() {
            self.generator.adam.step_with(sums)?;
        }
        Ok(losses)
    }

    /// Real and generated pictures as the critic sees them.
    fn both(&self, real: &Tensor, made: &[f32], rng: &mut Rng) -> TensorResult<[Seen; 2]> {
        let made = Tensor::from_slice(made, real.shape(), &Device::Cpu)?;
        Ok([Seen::new(real, self.recipe.training.augment, rng)?, Seen::new(&made, self.recipe.training.augment, rng)?])
    }

    /// Real pictures, and their classes one-hot.
    fn real(&self, batch: usize, rng: &mut Rng) -> TensorResult<(Tensor, Option<Tensor>)> {
        let side = self.pictures.side;
        let mut numbers = Vec::with_capacity(batch * self.pictures.size());
        let labels: Vec<u16> = (0..batch).map(|_| self.pictures.choose(rng, &mut numbers)).collect();
        let pictures = Tensor::from_vec(numbers, (batch, self.pictures.channels, side, side), &Device::Cpu)?;
        Ok((pictures, self.one_hot(&labels)?))
    }

    /// Inputs of the generator (N, inputs), and their classes one-hot.
    fn latents(&self, batch: usize, rng: &mut Rng) -> TensorResult<(Tensor, Option<Tensor>)> {
        let count = self.networks.classes().len();
        let labels: Vec<u16> = (0..batch).map(|_| if count > 0 { rng.below(count) as u16 } else { 0 }).collect();
        let numbers: Vec<f32> = (0..batch * self.networks.latent()).map(|_| rng.normal() as f32).collect();
        let z = Tensor::from_vec(numbers, (batch, self.networks.latent()), &Device::Cpu)?;
        let classes = self.one_hot(&labels)?;
        let inputs = match &classes {
            Some(classes) => Tensor::cat(&[&z, classes], 1)?,
            None => z,
        };
        Ok((inputs, classes))
    }

    fn one_hot(&self, labels: &[u16]) -> TensorResult<Option<Tensor>> {
        let count = self.networks.classes().len();
        if count == 0 {
            return Ok(None);
        }
        let numbers: Vec<f32> = labels
            .iter()
            .flat_map(|label| (0..count).map(move |class| f32::from(u8::from(class == usize::from(*label)))))
            .collect();
        Tensor::from_vec(numbers, (labels.len(), count), &Device::Cpu).map(Some)
    }

    /// The tensors of the averaged generator, with the norms' statistics.
    ///
    /// # Errors
    /// When memory cannot be had.
    pub fn model(&self) -> Result<HashMap<String, Tensor>> {
        let build = || -> TensorResult<HashMap<String, Tensor>> {
            let tensors = self.generator.named(self.averages.averages()?);
            with_statistics(tensors, |tensors, place| {
                let (z, _) = self.latents(self.recipe.training.batch, &mut Rng::at(self.recipe.seed, place))?;
                Ok(self.networks.make(tensors, &z)?.1)
            })
        };
        build().map_err(|why| failed(&why))
    }

    /// Saves the averaged generator as a model, its matrices and convolutions in bfloat16.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn export(&self, path: &Path) -> Result<()> {
        let short = |(name, tensor): (String, Tensor)| {
            let tensor = if tensor.dims().len() > 1 { tensor.to_dtype(DType::BF16)? } else { tensor };
            Ok((name, tensor))
        };
        let tensors: TensorResult<BTreeMap<_, _>> = self.model()?.into_iter().map(short).collect();
        safetensors::save_all(path, &tensors.map_err(|why| failed(&why))?, &self.networks.metadata())
    }

    /// Saves all that the next step depends on.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let state = || -> TensorResult<BTreeMap<String, Tensor>> {
            let mut state = BTreeMap::new();
            self.generator.save("g", &mut state)?;
            self.critic.save("d", &mut state)?;
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
        let state = safetensors::load(path)?;
        let state = State::new(&state, path);
        let step = state.step()?;
        let [generator, critic] = [(&self.generator, "g"), (&self.critic, "d")].map(|(learner, prefix)| {
            Ok::<_, Error>((state.all(learner, &format!("{prefix}."))?, state.moments(learner, prefix)?))
        });
        let (generator, critic) = (generator?, critic?);
        let averages = state.all(&self.generator, "ema.")?;
        let mut put = || -> TensorResult<()> {
            self.generator.restore(step, &generator.0, &generator.1)?;
            self.critic.restore(step, &critic.0, &critic.1)?;
            self.averages.restore(&averages)
        };
        put().map_err(|why| failed(&why))?;
        self.step = step;
        Ok(())
    }
}

impl Seen {
    fn new(pictures: &Tensor, augment: bool, rng: &mut Rng) -> TensorResult<Self> {
        let numbers = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
        let at = rng.clone();
        if !augment {
            return Ok(Self { before: None, pictures: numbers(pictures)?, rng: at });
        }
        let before = Var::from_tensor(&pictures.detach())?;
        let after = augmented(&before, rng)?;
        Ok(Self { pictures: numbers(&after)?, before: Some((before, after)), rng: at })
    }

    /// The gradient to the pictures before they were augmented, from that to what is seen.
    fn gradient(&self, g: &[f32]) -> TensorResult<Vec<f32>> {
        let Some((before, after)) = &self.before else { return Ok(g.to_vec()) };
        let g = Tensor::from_slice(g, after.shape(), &Device::Cpu)?;
        match first_order(|| (after * g)?.sum_all()?.backward())?.remove(before) {
            Some(gradient) => gradient.flatten_all()?.to_vec1(),
            None => candle_core::bail!("what is seen does not depend on the pictures"),
        }
    }

    /// The same gradient, as the change of what is seen that a step along it makes: augmenting adds and multiplies.
    fn penalised(&self, g: &[f32]) -> TensorResult<Vec<f32>> {
        let gradient = self.gradient(g)?;
        let Some((before, _)) = &self.before else { return Ok(gradient) };
        // As large as a picture, so that the difference keeps its digits.
        let largest = gradient.iter().fold(f32::MIN_POSITIVE, |largest, x| largest.max(x.abs()));
        let along: Vec<f32> = gradient.iter().map(|x| x / largest).collect();
        let along = Tensor::from_vec(along, before.shape(), &Device::Cpu)?;
        let moved = augmented(&along, &mut self.rng.clone())? - augmented(&along.zeros_like()?, &mut self.rng.clone())?;
        (moved? * f64::from(largest))?.flatten_all()?.to_vec1()
    }
}

/// Both halves of a batch, one behind the other.
fn joined(both: &[Seen; 2], of: impl Fn(&Seen) -> &Vec<f32>) -> Vec<f32> {
    both.iter().flat_map(of).copied().collect()
}

/// `Σ −log σ(a − b) / batch` over pairs of a score of the first half and one of the second, and its gradients.
fn paired(scores: &[f32], batch: usize) -> (f64, Vec<f32>) {
    let (above, below) = scores.split_at(scores.len() / 2);
    let differences = above.iter().zip(below).map(|(a, b)| f64::from(a - b));
    // log (1 + e^−x) without overflow.
    let loss = differences.clone().map(|x| (-x).max(0.0) + (-x.abs()).exp().ln_1p()).sum::<f64>() / batch as f64;
    let slope: Vec<f32> = differences.map(|x| (-1.0 / (1.0 + x.exp()) / batch as f64) as f32).collect();
    (loss, slope.iter().copied().chain(slope.iter().map(|slope| -slope)).collect())
}

/// Pictures with normal noise of this deviation.
fn noisy(pictures: &Tensor, deviation: f64, rng: &mut Rng) -> TensorResult<Tensor> {
    if deviation == 0.0 {
        return Ok(pictures.clone());
    }
    let numbers: Vec<f32> = (0..pictures.elem_count()).map(|_| (rng.normal() * deviation) as f32).collect();
    pictures + Tensor::from_vec(numbers, pictures.shape(), &Device::Cpu)?
}

/// `−log σ(x)`, or `−log (1 − σ(x))` of what is not real, the mean.
fn surprise(logits: &Tensor, real: bool) -> TensorResult<Tensor> {
    let x = if real { logits.neg()? } else { logits.clone() };
    // log (1 + eˣ) without overflow.
    (x.relu()? + (x.abs()?.neg()?.exp()? + 1.0)?.log()?)?.mean_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `Jᵀ g` by products with directions, and `J Jᵀ g` as what a step along it changes.
    #[test]
    fn the_way_back_through_augmenting_is_its_transpose() {
        let mut rng = Rng::at(2, 7);
        let mut numbers = |count: usize| (0..count).map(|_| rng.normal() as f32).collect::<Vec<f32>>();
        let (shape, count) = ((3, 3, 16, 16), 3 * 3 * 256);
        let pictures = Tensor::from_vec(numbers(count), shape, &Device::Cpu).expect("pictures");
        let (g, direction) = (numbers(count), numbers(count));
        let seen = |pictures: &Tensor| Seen::new(pictures, true, &mut Rng::at(5, 0)).expect("seen");
        let here = seen(&pictures);
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
        let moved = |along: &[f32]| -> Vec<f32> {
            let along = Tensor::from_slice(along, shape, &Device::Cpu).expect("a direction");
            let there = seen(&(&pictures + along).expect("moved"));
            there.pictures.iter().zip(&here.pictures).map(|(there, here)| there - here).collect()
        };
        let back = here.gradient(&g).expect("a gradient");
        let (told, found) = (dot(&back, &direction), dot(&g, &moved(&direction)));
        assert!((told - found).abs() < 1e-3 * (1.0 + told.abs()), "{told} {found}");
        let small: Vec<f32> = g.iter().map(|x| x * 1e-6).collect();
        let (told, along) = (here.penalised(&small).expect("a change"), moved(&back));
        let apart = told.iter().zip(&along).map(|(told, along)| (told * 1e6 - along).abs()).fold(0.0, f32::max);
        assert!(apart < 1e-3, "{apart}");
    }

    #[test]
    fn a_batch_in_parts_teaches_what_the_whole_does() {
        let recipe: GanRecipe = toml::from_str(
            r#"
            name = "pairs"
            seed = 3
            [data]
            kind = "images"
            channels = 3
            [network]
            latent = 6
            stages = [16, 8, 8]
            blocks = 1
            group = 4
            [training]
            steps = 10
            batch = 7
            learning_rate = 0.001
            critic_learning_rate = 0.001
            betas = [0.0, 0.99]
            gamma = 0.5
            penalty_every = 2
            fall_from = 9
            average = 0.9
            checkpoint_every = 1
            "#,
        )
        .expect("a recipe");
        let learnt = |most: usize| {
            let mut rng = Rng::at(1, 0);
            let bytes = (0..12 * 3 * 16 * 16).map(|_| rng.below(256) as u8).collect();
            let pictures = Pictures { side: 16, channels: 3, bytes, labels: vec![0; 12], ..Pictures::default() };
            let mut trainer = GanTrainer::new(recipe.clone(), pictures).expect("a trainer");
            for _ in 0..2 {
                let real = trainer.real(7, &mut rng).expect("pictures");
                let (z, _) = trainer.latents(7, &mut rng).expect("numbers");
                let Networks::R3gan(config) = trainer.networks.clone() else { unreachable!("the recipe's network") };
                trainer.learn_in_pairs(&config, real, z, &mut rng, most).expect("a step");
                trainer.step += 1;
            }
            let all = [&trainer.generator, &trainer.critic].map(|learner| {
                let numbers = |v: &Var| v.flatten_all().and_then(|v| v.to_vec1::<f32>()).expect("numbers");
                learner.variables.iter().flat_map(numbers).collect::<Vec<f32>>()
            });
            all.concat()
        };
        let whole = learnt(7);
        for most in [1, 3] {
            let parts = learnt(most);
            let apart = whole.iter().zip(&parts).fold(0.0_f32, |worst, (a, b)| worst.max((a - b).abs()));
            // Two steps of 0.001 each; a weight whose gradient is next to nothing may go the other way.
            let far = whole.iter().zip(&parts).filter(|(a, b)| (*a - *b).abs() > 1e-4).count();
            assert!(apart < 5e-3 && far * 200 < whole.len(), "{most}: {apart}, {far} of {}", whole.len());
        }
    }
}
