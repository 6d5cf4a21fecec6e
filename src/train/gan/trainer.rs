//! Steps and checkpoints of a GAN.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use candle_core::{DType, Device, Result as TensorResult, Tensor, Var, backprop::GradStore};

use super::{Networks, Pictures, augment::augmented, recipe::GanRecipe};
use crate::train::learner::{Learner, State, failed, with_statistics};
use crate::{
    Error, Result,
    formats::safetensors,
    kernels::{
        autograd::{differentiable_gradient, first_order},
        optim::Ema,
    },
    random::Rng,
};

/// The learning rates at the end, of those at the beginning.
const LAST_SHARE: f64 = 0.1;
/// How sure the critic should be of real pictures.
const REAL: f64 = 0.9;

/// Pairs of pictures that are judged at a time.
const PAIRS: usize = 16;

/// Real and generated pictures side by side.
struct Pairs {
    real: Tensor,
    made: Tensor,
    /// Their classes, one-hot.
    labels: Option<Tensor>,
    /// Of the whole batch.
    share: f64,
}

/// Gradients that are added up.
#[derive(Default)]
struct Sum(Option<GradStore>);

impl Sum {
    fn add(&mut self, learner: &Learner, more: GradStore) -> TensorResult<()> {
        let Some(sum) = &mut self.0 else {
            self.0 = Some(more);
            return Ok(());
        };
        for variable in &learner.variables {
            let both = match (sum.get(variable), more.get(variable)) {
                (Some(a), Some(b)) => (a + b)?,
                (None, Some(b)) => b.clone(),
                (_, None) => continue,
            };
            sum.insert(variable, both);
        }
        Ok(())
    }

    /// What has been added up; nothing afterwards.
    fn take(&mut self) -> TensorResult<GradStore> {
        self.0.take().ok_or_else(|| candle_core::Error::Msg("there is nothing to learn from".to_owned()))
    }
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
        let losses = match self.networks {
            Networks::R3gan(_) => self.learn_in_pairs((real, labels), z, &mut rng, PAIRS)?,
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
    /// `most` pictures, whose gradients are added up: what second derivatives remember is bounded.
    fn learn_in_pairs(
        &mut self,
        (real, labels): (Tensor, Option<Tensor>),
        z: Tensor,
        rng: &mut Rng,
        most: usize,
    ) -> TensorResult<Losses> {
        // Pairs are of one class.
        let z = match &labels {
            Some(labels) => Tensor::cat(&[&z.narrow(1, 0, self.networks.latent())?, labels], 1)?,
            None => z,
        };
        let batch = z.dim(0)?;
        let tensors = self.generator.tensors(false);
        let mut pairs = Vec::new();
        for first in (0..batch).step_by(most.max(1)) {
            let count = most.max(1).min(batch - first);
            let part = |tensor: &Tensor| tensor.narrow(0, first, count)?.contiguous();
            let labels = labels.as_ref().map(part).transpose()?;
            let (made, _) = self.networks.make(&tensors, &part(&z)?)?;
            pairs.push(Pairs { real: part(&real)?, made, labels, share: count as f64 / batch as f64 });
        }
        let mut losses = Losses { generator: 0.0, critic: 0.0 };
        let mut gradients = Sum::default();
        let tensors = self.critic.tensors(false);
        for pair in &pairs {
            let (loss, penalty) = self.critic_loss(&tensors, pair, rng)?;
            losses.critic += f64::from(loss.to_scalar::<f32>()?) * pair.share;
            let loss = match penalty {
                Some(penalty) => (loss + penalty)?,
                None => loss,
            };
            gradients.add(&self.critic, first_order(|| (loss * pair.share)?.backward())?)?;
        }
        if losses.critic.is_finite() {
            self.critic.adam.step(&gradients.take()?)?;
        }
        let critic_now = self.critic.tensors(true);
        for Pairs { real, made, labels, share } in &pairs {
            let of_real = self.networks.judge(&critic_now, &self.seen(real, 0.0, rng)?, labels.as_ref())?.detach();
            let of_made = self.networks.judge(&critic_now, &self.seen(made, 0.0, rng)?, labels.as_ref())?;
            let fooled = surprise(&(of_made - of_real)?, true)?;
            losses.generator += f64::from(fooled.to_scalar::<f32>()?) * share;
            gradients.add(&self.generator, first_order(|| (fooled * *share)?.backward())?)?;
        }
        if losses.critic.is_finite() && losses.generator.is_finite() {
            self.generator.adam.step(&gradients.take()?)?;
        }
        Ok(losses)
    }

    /// The critic's loss of some pairs, and its penalties where this step has them.
    fn critic_loss(
        &self,
        critic: &HashMap<String, Tensor>,
        pair: &Pairs,
        rng: &mut Rng,
    ) -> TensorResult<(Tensor, Option<Tensor>)> {
        let plan = &self.recipe.training;
        let penalised = plan.gamma > 0.0 && self.step.is_multiple_of(plan.penalty_every);
        let weight = plan.gamma / 2.0 * plan.penalty_every as f64;
        let judged = |pictures: &Tensor, rng: &mut Rng| -> TensorResult<(Tensor, Option<Tensor>)> {
            let pictures = Var::from_tensor(&pictures.detach())?;
            let scores = self.networks.judge(critic, &self.seen(&pictures, 0.0, rng)?, pair.labels.as_ref())?;
            let penalty = || -> TensorResult<Tensor> {
                let gradient = differentiable_gradient(&scores, &pictures)?;
                gradient.sqr()?.sum_all()? * (weight / pictures.dim(0)? as f64)
            };
            Ok((scores.clone(), penalised.then(penalty).transpose()?))
        };
        let (of_real, r1) = judged(&pair.real, rng)?;
        let (of_made, r2) = judged(&pair.made, rng)?;
        let penalties = r1.zip(r2).map(|(r1, r2)| r1 + r2).transpose()?;
        Ok((surprise(&(&of_real - &of_made)?, true)?, penalties))
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
    use crate::kernels::autograd::second_order_is_possible;

    #[test]
    fn a_batch_in_parts_teaches_what_the_whole_does() {
        let mut recipe: GanRecipe = toml::from_str(
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
        if !second_order_is_possible() {
            recipe.training.gamma = 0.0;
        }
        let learnt = |most: usize| {
            let mut rng = Rng::at(1, 0);
            let bytes = (0..12 * 3 * 16 * 16).map(|_| rng.below(256) as u8).collect();
            let pictures = Pictures { side: 16, channels: 3, bytes, labels: vec![0; 12], ..Pictures::default() };
            let mut trainer = GanTrainer::new(recipe.clone(), pictures).expect("a trainer");
            for _ in 0..2 {
                let real = trainer.real(7, &mut rng).expect("pictures");
                let (z, _) = trainer.latents(7, &mut rng).expect("numbers");
                trainer.learn_in_pairs(real, z, &mut rng, most).expect("a step");
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
