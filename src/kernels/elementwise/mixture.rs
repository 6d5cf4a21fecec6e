//! The loss of a network whose output is a discretised mixture of logistic distributions (Salimans et al. 2017,
//! PixelCNN++; for sound van den Oord et al. 2018, Parallel WaveNet).

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor, bail};

use crate::kernels::{
    Exec,
    autograd::{builds_graphs, numbers, plain, with_numbers},
    exec::Shared,
};

/// A sample of sixteen bits lies between −1 and 1 in steps of one over this.
pub const STEPS: f32 = 32_767.0;
/// Scales are not below e to this: half a step is e^−11.1.
pub const LEAST_LOG_SCALE: f32 = -12.0;
/// The most distributions in a mixture.
pub const MOST_MIXTURES: usize = 64;

/// Moments in time that one task handles.
const STRETCH: usize = 256;
/// Half a step.
const HALF: f64 = 0.5 / STEPS as f64;

/// The mean negative log-likelihood in nats of `targets` (batch, time), samples of sixteen bits between −1 and 1, under
/// mixtures of logistics whose parameters are `outputs` (batch, 3 · mixtures, time): logits of the weights, means, and
/// logarithms of the scales. What lies beyond −1 and 1 counts to the outermost samples.
///
/// # Errors
/// If the shapes do not fit together.
pub fn mixture_loss(outputs: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let (batch, parameters, time) = outputs.dims3()?;
    if targets.dims() != [batch, time] || targets.dtype() != DType::F32 {
        let (shape, dtype) = (targets.shape(), targets.dtype());
        bail!("targets of shape {shape:?} and type {dtype:?} for outputs of {:?}", outputs.shape());
    }
    if parameters == 0 || !parameters.is_multiple_of(3) || parameters > 3 * MOST_MIXTURES || batch * time == 0 {
        bail!("{:?} are no mixtures of logistics", outputs.shape());
    }
    let targets: Vec<f32> = targets.flatten_all()?.to_vec1()?;
    outputs.contiguous()?.apply_op1(MixtureLoss { targets })
}

struct MixtureLoss {
    targets: Vec<f32>,
}

impl MixtureLoss {
    /// The sum of the losses; with `out` the gradient of it times a factor, too.
    fn total(&self, outputs: &[f32], [batch, parameters, time]: [usize; 3], out: Option<(&mut [f32], f64)>) -> f64 {
        let parts = time.div_ceil(STRETCH);
        let mut losses = vec![0.0_f64; batch * parts];
        let slots = Shared::new(&mut losses);
        let out = out.map(|(out, factor)| (Shared::new(out), factor));
        Exec::current().pool.run(batch * parts, |task| {
            let (item, start) = (task / parts, task % parts * STRETCH);
            let outputs = &outputs[item * parameters * time..(item + 1) * parameters * time];
            let mut sum = 0.0;
            let mut moment = Moment::default();
            for at in start..time.min(start + STRETCH) {
                let mixtures = parameters / 3;
                for (index, parameter) in moment.parameters.iter_mut().take(parameters).enumerate() {
                    *parameter = f64::from(outputs[index * time + at]);
                }
                sum += moment.loss(mixtures, self.targets[item * time + at]);
                let Some((out, factor)) = &out else { continue };
                moment.differentiate(mixtures);
                for (index, gradient) in moment.gradients.iter().take(parameters).enumerate() {
                    // SAFETY: tasks have stretches of time of their own.
                    #[allow(unsafe_code)]
                    unsafe {
                        out.part((item * parameters + index) * time + at, 1)[0] = (gradient * factor) as f32;
                    }
                }
            }
            // SAFETY: tasks have slots of their own.
            #[allow(unsafe_code)]
            unsafe {
                slots.part(task, 1)[0] = sum;
            }
        });
        losses.iter().sum()
    }
}

/// One sample and the mixture it is judged by.
struct Moment {
    /// Logits, means, logarithms of scales.
    parameters: [f64; 3 * MOST_MIXTURES],
    /// The logarithm of each distribution's probability of the sample, and its slopes to mean and log scale.
    logs: [f64; MOST_MIXTURES],
    slopes: [[f64; 2]; MOST_MIXTURES],
    /// The logarithms of the sums of the weights, without and with those probabilities.
    totals: [f64; 2],
    gradients: [f64; 3 * MOST_MIXTURES],
}

impl Default for Moment {
    fn default() -> Self {
        Self {
            parameters: [0.0; 3 * MOST_MIXTURES],
            logs: [0.0; MOST_MIXTURES],
            slopes: [[0.0; 2]; MOST_MIXTURES],
            totals: [0.0; 2],
            gradients: [0.0; 3 * MOST_MIXTURES],
        }
    }
}

impl Moment {
    /// The negative logarithm of the sample's probability.
    fn loss(&mut self, mixtures: usize, target: f32) -> f64 {
        let level = (target * STEPS).round().clamp(-STEPS, STEPS);
        let target = f64::from(level) / f64::from(STEPS);
        for k in 0..mixtures {
            let (mean, log_scale) = (self.parameters[mixtures + k], self.parameters[2 * mixtures + k]);
            let low = f64::from(LEAST_LOG_SCALE);
            let inverse = (-log_scale.max(low)).exp();
            let (upper, lower) = (inverse * (target - mean + HALF), inverse * (target - mean - HALF));
            // Slopes to `upper`, `lower` and their distance; σ(x) is 1 / (1 + e^−x).
            let (log, d_upper, d_lower, d_distance) = if level >= STEPS {
                (-softplus(lower), 0.0, -sigmoid(lower), 0.0)
            } else if level <= -STEPS {
                (-softplus(-upper), sigmoid(-upper), 0.0, 0.0)
            } else {
                // σ(u) − σ(l) = σ(u) · (1 − σ(l)) · (1 − e^(l − u)), which loses nothing far from the mean.
                let distance = 2.0 * HALF * inverse;
                let log = -softplus(-upper) - softplus(lower) + (-(-distance).exp_m1()).ln();
                (log, sigmoid(-upper), -sigmoid(lower), 1.0 / distance.exp_m1() * distance)
            };
            self.logs[k] = log;
            let slope = -(d_upper * upper + d_lower * lower) - d_distance;
            self.slopes[k] = [-inverse * (d_upper + d_lower), if log_scale >= low { slope } else { 0.0 }];
        }
        let weights = &self.parameters[..mixtures];
        self.totals = [
            log_sum(weights.iter().copied()),
            log_sum(weights.iter().zip(&self.logs).map(|(weight, log)| weight + log)),
        ];
        self.totals[0] - self.totals[1]
    }

    /// The gradient of the loss that was computed last.
    fn differentiate(&mut self, mixtures: usize) {
        for k in 0..mixtures {
            let weight = self.parameters[k];
            let prior = (weight - self.totals[0]).exp();
            let share = (weight + self.logs[k] - self.totals[1]).exp();
            self.gradients[k] = prior - share;
            self.gradients[mixtures + k] = -share * self.slopes[k][0];
            self.gradients[2 * mixtures + k] = -share * self.slopes[k][1];
        }
    }
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn log_sum(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let most = values.clone().fold(f64::NEG_INFINITY, f64::max);
    most + values.map(|value| (value - most).exp()).sum::<f64>().ln()
}

impl CustomOp1 for MixtureLoss {
    fn name(&self) -> &'static str {
        "mixture-loss"
    }

    fn cpu_fwd(&self, outputs: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (batch, parameters, time) = layout.shape().dims3()?;
        let total = self.total(numbers(outputs, layout)?, [batch, parameters, time], None);
        Ok((CpuStorage::F32(vec![(total / (batch * time) as f64) as f32]), Shape::from(())))
    }

    fn bwd(&self, outputs: &Tensor, _: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        if builds_graphs() {
            bail!("the loss of a mixture has no second derivative here");
        }
        let (batch, parameters, time) = outputs.dims3()?;
        let factor = f64::from(g.to_scalar::<f32>()?) / (batch * time) as f64;
        let mut out = vec![0.0; outputs.elem_count()];
        with_numbers(outputs, |outputs| {
            self.total(outputs, [batch, parameters, time], Some((&mut out, factor)));
            Ok(())
        })?;
        plain(out, outputs.shape()).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::kernels::{
        autograd::first_order,
        testing::{Numbers, check_gradients},
    };

    /// The probability as it is defined, without care for what is lost.
    fn plainly(parameters: &[f64], level: i32) -> f64 {
        let mixtures = parameters.len() / 3;
        let total: f64 = parameters[..mixtures].iter().map(|weight| weight.exp()).sum();
        let x = f64::from(level) / f64::from(STEPS);
        let of = |k: usize| {
            let (mean, scale) = (parameters[mixtures + k], parameters[2 * mixtures + k].exp());
            let upper = if level == 32_767 { 1.0 } else { sigmoid((x + HALF - mean) / scale) };
            let lower = if level == -32_767 { 0.0 } else { sigmoid((x - HALF - mean) / scale) };
            parameters[k].exp() / total * (upper - lower)
        };
        (0..mixtures).map(of).sum()
    }

    #[test]
    fn all_samples_together_are_certain() {
        let mut numbers = Numbers::new(3);
        for mixtures in [1, 4] {
            let parameters: Vec<f64> = (0..3 * mixtures)
                .map(|i| f64::from(numbers.number()) - if i < 2 * mixtures { 0.0 } else { 4.0 })
                .collect();
            let mut moment = Moment::default();
            moment.parameters[..3 * mixtures].copy_from_slice(&parameters);
            let mut sum = 0.0;
            for level in -32_767..=32_767 {
                let probability = (-moment.loss(mixtures, level as f32 / STEPS)).exp();
                if level % 997 == 0 {
                    let want = plainly(&parameters, level);
                    assert!((probability - want).abs() < 1e-9 * want + 1e-13, "{level}: {probability} {want}");
                }
                sum += probability;
            }
            assert!((sum - 1.0).abs() < 1e-6, "{sum}");
        }
        // Far from every mean a sample is improbable, but never impossible.
        let mut moment = Moment::default();
        (moment.parameters[1], moment.parameters[2]) = (-1.0, -11.0);
        let loss = moment.loss(1, 1.0);
        assert!(loss.is_finite() && loss > 1e4);
    }

    #[test]
    fn its_gradient_is_that_of_finite_differences() -> Result<()> {
        let mut numbers = Numbers::new(4);
        let (batch, mixtures, time) = (2, 3, 5);
        let outputs: Vec<f32> = (0..batch * 3 * mixtures * time)
            .map(|i| numbers.number() - if i / time % (3 * mixtures) < 2 * mixtures { 0.0 } else { 2.5 })
            .collect();
        let mut targets: Vec<f32> = numbers.vector(batch * time).iter().map(|x| (x * STEPS).round() / STEPS).collect();
        (targets[0], targets[7]) = (1.0, -1.0);
        let exact = |all: &[f64]| {
            let mut sum = 0.0;
            for item in 0..batch {
                for at in 0..time {
                    let parameters: Vec<f64> =
                        (0..3 * mixtures).map(|i| all[(item * 3 * mixtures + i) * time + at]).collect();
                    sum -= plainly(&parameters, (targets[item * time + at] * STEPS).round() as i32).ln();
                }
            }
            sum / (batch * time) as f64
        };
        let wanted = Tensor::from_vec(targets.clone(), (batch, time), &Device::Cpu)?;
        let shape = vec![batch, 3 * mixtures, time];
        first_order(|| {
            check_gradients(
                std::slice::from_ref(&outputs),
                std::slice::from_ref(&shape),
                &|inputs| mixture_loss(&inputs[0], &wanted),
                &exact,
                2e-4,
            )
        })?;
        let outputs = Tensor::from_vec(outputs, shape, &Device::Cpu)?;
        assert!(mixture_loss(&outputs, &wanted.narrow(1, 0, 4)?).is_err());
        assert!(mixture_loss(&outputs.narrow(1, 0, 8)?, &wanted).is_err());
        Ok(())
    }
}
