//! AdamW and the exponential moving average of weights, each in a single pass over its numbers.
#![allow(unsafe_code)]

use std::sync::{Mutex, PoisonError};

use candle_core::{CpuStorage, InplaceOp2, Layout, Result, Tensor, Var, backprop::GradStore, bail};

use super::{
    Exec,
    autograd::{plain, with_numbers},
    exec::{Shared, vectorised},
    vector::{LANES, Vector},
};

/// Numbers that one thread handles at a time at least.
const GRAIN: usize = 16 << 10;

/// The constants of AdamW (Loshchilov and Hutter 2019); without weight decay it is Adam (Kingma and Ba 2015).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamSettings {
    pub learning_rate: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    /// The share of each weight, times the learning rate, that a step takes away.
    pub weight_decay: f64,
}

impl Default for AdamSettings {
    fn default() -> Self {
        Self { learning_rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 }
    }
}

/// The running means of one variable's gradient and of its square.
#[derive(Clone, Debug, Default)]
struct Moments {
    first: Vec<f32>,
    second: Vec<f32>,
}

/// AdamW over some variables.
pub struct Adam {
    pub settings: AdamSettings,
    variables: Vec<Var>,
    moments: Vec<Mutex<Moments>>,
    steps: u64,
}

impl Adam {
    /// # Errors
    /// If a variable is not contiguous `f32` on the CPU.
    pub fn new(variables: Vec<Var>, settings: AdamSettings) -> Result<Self> {
        super::autograd::check("Adam", &variables.iter().map(Var::as_tensor).collect::<Vec<_>>())?;
        let moments = variables
            .iter()
            .map(|v| Mutex::new(Moments { first: vec![0.0; v.elem_count()], second: vec![0.0; v.elem_count()] }))
            .collect();
        Ok(Self { settings, variables, moments, steps: 0 })
    }

    pub fn variables(&self) -> &[Var] {
        &self.variables
    }

    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Moves every variable that has a gradient.
    ///
    /// # Errors
    /// If a gradient does not fit its variable.
    pub fn step(&mut self, gradients: &GradStore) -> Result<()> {
        self.step_by(|variable| Ok(gradients.get(variable).cloned()))
    }

    /// Moves every variable by its gradient, which are in the order of the variables.
    ///
    /// # Errors
    /// If a gradient does not fit its variable.
    pub fn step_with(&mut self, gradients: Vec<Vec<f32>>) -> Result<()> {
        if gradients.len() != self.variables.len() {
            bail!("{} gradients for {} variables", gradients.len(), self.variables.len());
        }
        let mut gradients = gradients.into_iter();
        self.step_by(|variable| gradients.next().map(|values| plain(values, variable.shape())).transpose())
    }

    fn step_by(&mut self, mut gradient: impl FnMut(&Var) -> Result<Option<Tensor>>) -> Result<()> {
        self.steps += 1;
        let s = self.settings;
        let correction = |beta: f64| 1.0 - beta.powf(self.steps as f64);
        let update = Update {
            keep: (1.0 - s.learning_rate * s.weight_decay) as f32,
            beta1: s.beta1 as f32,
            beta2: s.beta2 as f32,
            rate: (s.learning_rate / correction(s.beta1)) as f32,
            scale: (1.0 / correction(s.beta2).sqrt()) as f32,
            epsilon: s.epsilon as f32,
        };
        for (variable, moments) in self.variables.iter().zip(&self.moments) {
            if let Some(gradient) = gradient(variable)? {
                if gradient.shape() != variable.shape() {
                    bail!("a gradient of shape {:?} for a variable of {:?}", gradient.shape(), variable.shape());
                }
                variable.inplace_op2(&gradient.contiguous()?, &Step { update, moments })?;
            }
        }
        Ok(())
    }

    /// What a checkpoint needs besides the settings: the number of steps, and first and second moments of every
    /// variable in order.
    ///
    /// # Errors
    /// If memory for the tensors cannot be had.
    pub fn state(&self) -> Result<(u64, Vec<(Tensor, Tensor)>)> {
        let moments = self.variables.iter().zip(&self.moments).map(|(variable, moments)| {
            let moments = moments.lock().unwrap_or_else(PoisonError::into_inner).clone();
            Ok((plain(moments.first, variable.shape())?, plain(moments.second, variable.shape())?))
        });
        Ok((self.steps, moments.collect::<Result<_>>()?))
    }

    /// Goes on from a state taken with [`Self::state`].
    ///
    /// # Errors
    /// If the state is of other variables; the optimiser is then unchanged.
    pub fn restore(&mut self, steps: u64, moments: &[(Tensor, Tensor)]) -> Result<()> {
        let fits = |(variable, (first, second)): (&Var, &(Tensor, Tensor))| {
            variable.shape() == first.shape() && variable.shape() == second.shape()
        };
        if moments.len() != self.variables.len() || !self.variables.iter().zip(moments).all(fits) {
            bail!("the optimiser's saved state belongs to another network");
        }
        let read = |tensor: &Tensor| with_numbers(tensor, |values| Ok(values.to_vec()));
        let restored: Vec<_> = moments
            .iter()
            .map(|(first, second)| Ok(Mutex::new(Moments { first: read(first)?, second: read(second)? })))
            .collect::<Result<_>>()?;
        (self.moments, self.steps) = (restored, steps);
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Update {
    keep: f32,
    beta1: f32,
    beta2: f32,
    rate: f32,
    scale: f32,
    epsilon: f32,
}

struct Step<'a> {
    update: Update,
    moments: &'a Mutex<Moments>,
}

impl InplaceOp2 for Step<'_> {
    fn name(&self) -> &'static str {
        "adam-step"
    }

    fn cpu_fwd(&self, weight: &mut CpuStorage, lw: &Layout, g: &CpuStorage, lg: &Layout) -> Result<()> {
        let g = super::autograd::numbers(g, lg)?;
        let (CpuStorage::F32(weight), Some((start, end))) = (weight, lw.contiguous_offsets()) else {
            bail!("Adam needs contiguous 32-bit variables");
        };
        let mut moments = self.moments.lock().unwrap_or_else(PoisonError::into_inner);
        let Moments { first, second } = &mut *moments;
        let weight = &mut weight[start..end];
        let (len, exec, update) = (weight.len(), Exec::current(), self.update);
        if g.len() != len || first.len() != len || second.len() != len {
            bail!("a gradient of {} numbers for a variable of {len}", g.len());
        }
        let (weight, first, second) = (Shared::new(weight), Shared::new(first), Shared::new(second));
        exec.pool.run_ranges(len, GRAIN, |start, end| {
            let count = end - start;
            // SAFETY: ranges do not overlap; the four slices have one length.
            unsafe {
                let parts = (weight.part(start, count), first.part(start, count), second.part(start, count));
                adam(exec.level, &update, &g[start..end], parts.0, parts.1, parts.2);
            }
        });
        Ok(())
    }
}

vectorised! {
    /// # Safety
    /// The four slices must have one length.
    unsafe fn adam = adam_body(u: &Update, g: &[f32], weight: &mut [f32], first: &mut [f32], second: &mut [f32])
}

#[inline(always)]
unsafe fn adam_body<V: Vector>(u: &Update, g: &[f32], weight: &mut [f32], first: &mut [f32], second: &mut [f32]) {
    for at in (0..g.len()).step_by(LANES) {
        let end = (at + LANES).min(g.len());
        if end - at == LANES {
            // SAFETY: eight numbers from `at` are inside all four slices.
            unsafe {
                let read = |from: *const f32| V::load(from.add(at));
                let (w, m, v) =
                    adam_lanes(u, read(g.as_ptr()), read(weight.as_ptr()), read(first.as_ptr()), read(second.as_ptr()));
                w.store(weight.as_mut_ptr().add(at));
                m.store(first.as_mut_ptr().add(at));
                v.store(second.as_mut_ptr().add(at));
            }
        } else {
            let read = |from: &[f32]| V::load_part(&from[at..end], 0.0);
            let (w, m, v) = adam_lanes(u, read(g), read(weight), read(first), read(second));
            w.store_part(&mut weight[at..end]);
            m.store_part(&mut first[at..end]);
            v.store_part(&mut second[at..end]);
        }
    }
}

#[inline(always)]
fn adam_lanes<V: Vector>(u: &Update, g: V, w: V, m: V, v: V) -> (V, V, V) {
    let s = V::splat;
    let m = m.mul_add(s(u.beta1), g.mul(s(1.0 - u.beta1)));
    let v = v.mul_add(s(u.beta2), g.mul(g).mul(s(1.0 - u.beta2)));
    let step = m.mul(s(u.rate)).div(v.sqrt().mul_add(s(u.scale), s(u.epsilon)));
    (w.mul(s(u.keep)).sub(step), m, v)
}

/// A moving average of some variables: `average ← decay · average + (1 − decay) · variable` at every update.
pub struct Ema {
    variables: Vec<Var>,
    averages: Vec<Vec<f32>>,
}

impl Ema {
    /// Starts at the variables' present values.
    ///
    /// # Errors
    /// If a variable is not `f32` on the CPU.
    pub fn new(variables: Vec<Var>) -> Result<Self> {
        let averages =
            variables.iter().map(|v| with_numbers(v, |values| Ok(values.to_vec()))).collect::<Result<_>>()?;
        Ok(Self { variables, averages })
    }

    /// Moves the averages by a share of `1 − decay` towards the variables.
    ///
    /// # Errors
    /// If a variable has changed its type or its size.
    pub fn update(&mut self, decay: f64) -> Result<()> {
        let exec = Exec::current();
        let share = (1.0 - decay) as f32;
        for (variable, average) in self.variables.iter().zip(&mut self.averages) {
            with_numbers(variable, |values| {
                if values.len() != average.len() {
                    bail!("a variable has changed its size");
                }
                let average = Shared::new(average);
                exec.pool.run_ranges(values.len(), GRAIN, |start, end| {
                    // SAFETY: ranges do not overlap.
                    let average = unsafe { average.part(start, end - start) };
                    for (average, value) in average.iter_mut().zip(&values[start..end]) {
                        *average += share * (value - *average);
                    }
                });
                Ok(())
            })?;
        }
        Ok(())
    }

    /// The averages, in the order of the variables.
    ///
    /// # Errors
    /// If memory for the tensors cannot be had.
    pub fn averages(&self) -> Result<Vec<Tensor>> {
        self.variables.iter().zip(&self.averages).map(|(v, values)| plain(values.clone(), v.shape())).collect()
    }

    /// Puts saved averages in place.
    ///
    /// # Errors
    /// If they are of other variables.
    pub fn restore(&mut self, averages: &[Tensor]) -> Result<()> {
        let fits = self.variables.iter().zip(averages).all(|(v, average)| v.shape() == average.shape());
        if averages.len() != self.variables.len() || !fits {
            bail!("the saved averages belong to another network");
        }
        self.averages =
            averages.iter().map(|t| with_numbers(t, |values| Ok(values.to_vec()))).collect::<Result<_>>()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::kernels::{
        Level,
        testing::{Numbers, assert_close},
    };

    #[test]
    fn steps_agree_with_the_formula_in_f64_at_every_level() {
        let mut numbers = Numbers::new(1);
        for len in [1, 7, 8, 33, 1000] {
            let start = numbers.vector(len);
            for level in Level::present() {
                let (mut w, mut m, mut v) = (start.clone(), vec![0.0; len], vec![0.0; len]);
                let mut exact: Vec<[f64; 3]> = start.iter().map(|w| [f64::from(*w), 0.0, 0.0]).collect();
                for step in 1..=5 {
                    let g = numbers.vector(len);
                    let (rate, scale) = (1e-2 / (1.0 - 0.9_f64.powi(step)), 1.0 / (1.0 - 0.99_f64.powi(step)).sqrt());
                    let update = Update {
                        keep: 0.999,
                        beta1: 0.9,
                        beta2: 0.99,
                        rate: rate as f32,
                        scale: scale as f32,
                        epsilon: 1e-8,
                    };
                    // SAFETY: the slices have one length.
                    unsafe { adam(level, &update, &g, &mut w, &mut m, &mut v) };
                    for ([w, m, v], g) in exact.iter_mut().zip(g.iter().map(|g| f64::from(*g))) {
                        *m = 0.9 * *m + 0.1 * g;
                        *v = 0.99 * *v + 0.01 * g * g;
                        *w = 0.999 * *w - rate * *m / (v.sqrt() * scale + 1e-8);
                    }
                }
                assert_close(&w, &exact.iter().map(|e| e[0]).collect::<Vec<_>>(), 1e-5, "weights");
                assert_close(&m, &exact.iter().map(|e| e[1]).collect::<Vec<_>>(), 1e-5, "first moments");
            }
        }
    }

    #[test]
    fn training_goes_on_from_a_saved_state_as_if_never_stopped() -> Result<()> {
        let start = Tensor::from_vec(Numbers::new(2).vector(10), 10, &Device::Cpu)?;
        let loss = |v: &Var| v.as_tensor().powf(4.0)?.sum_all();
        let variable = Var::from_tensor(&start)?;
        let mut adam = Adam::new(vec![variable.clone()], AdamSettings::default())?;
        let (mut ema, mut halfway) = (Ema::new(vec![variable.clone()])?, None);
        for step in 0..6 {
            if step == 3 {
                halfway = Some((variable.as_tensor().copy()?, adam.state()?, ema.averages()?));
            }
            adam.step(&loss(&variable)?.backward()?)?;
            ema.update(0.9)?;
        }
        let (weights, (steps, moments), averages) = halfway.expect("step 3 was passed");
        let again = Var::from_tensor(&weights)?;
        let mut resumed = Adam::new(vec![again.clone()], AdamSettings::default())?;
        let mut resumed_ema = Ema::new(vec![again.clone()])?;
        resumed.restore(steps, &moments)?;
        resumed_ema.restore(&averages)?;
        for _ in 0..3 {
            resumed.step(&loss(&again)?.backward()?)?;
            resumed_ema.update(0.9)?;
        }
        assert_eq!(again.to_vec1::<f32>()?, variable.to_vec1::<f32>()?);
        assert_eq!(resumed_ema.averages()?[0].to_vec1::<f32>()?, ema.averages()?[0].to_vec1::<f32>()?);
        assert!(loss(&variable)?.to_scalar::<f32>()? < start.powf(4.0)?.sum_all()?.to_scalar::<f32>()?);
        assert!(resumed.restore(1, &[]).is_err());
        Ok(())
    }
}
