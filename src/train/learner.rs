//! What both trainers of generators share: variables with their optimiser, checkpoints, and the statistics of norms.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use candle_core::{DType, Device, Result as TensorResult, Tensor, Var};

use crate::{
    Error, Result,
    kernels::{
        normalise::Statistics,
        optim::{Adam, AdamSettings},
    },
    random::Rng,
};

/// Batches that the norms' statistics are taken of when a model is saved.
const STATISTICS_BATCHES: u64 = 12;
/// Random numbers for those, apart from those of steps.
const STATISTICS_PLACE: u64 = 1 << 40;

/// Named variables, and what optimises them.
pub(super) struct Learner {
    pub names: Vec<String>,
    pub variables: Vec<Var>,
    pub adam: Adam,
}

impl Learner {
    pub(super) fn new(
        weights: Vec<(String, Vec<usize>, Option<f64>)>,
        (rate, [beta1, beta2]): (f64, [f64; 2]),
        rng: &mut Rng,
    ) -> TensorResult<Self> {
        let (mut names, mut variables) = (Vec::new(), Vec::new());
        for (name, shape, deviation) in weights {
            let number = |rng: &mut Rng| deviation.map_or(1.0, |deviation| (rng.normal() * deviation) as f32);
            let numbers: Vec<f32> = (0..shape.iter().product()).map(|_| number(rng)).collect();
            variables.push(Var::from_tensor(&Tensor::from_vec(numbers, shape, &Device::Cpu)?)?);
            names.push(name);
        }
        let settings = AdamSettings { learning_rate: rate, beta1, beta2, weight_decay: 0.0, ..AdamSettings::default() };
        let adam = Adam::new(variables.clone(), settings)?;
        Ok(Self { names, variables, adam })
    }

    /// The variables by name; `frozen` when only what runs before them learns.
    pub(super) fn tensors(&self, frozen: bool) -> HashMap<String, Tensor> {
        let read = |v: &Var| if frozen { v.as_detached_tensor() } else { v.as_tensor().clone() };
        self.named(self.variables.iter().map(read))
    }

    pub(super) fn named(&self, tensors: impl IntoIterator<Item = Tensor>) -> HashMap<String, Tensor> {
        self.names.iter().cloned().zip(tensors).collect()
    }

    pub(super) fn save(&self, prefix: &str, into: &mut BTreeMap<String, Tensor>) -> TensorResult<()> {
        let (_, moments) = self.adam.state()?;
        for ((name, variable), (first, second)) in self.names.iter().zip(&self.variables).zip(moments) {
            into.insert(format!("{prefix}.{name}"), variable.as_tensor().clone());
            into.insert(format!("{prefix}.m1.{name}"), first);
            into.insert(format!("{prefix}.m2.{name}"), second);
        }
        Ok(())
    }

    pub(super) fn restore(&mut self, step: u64, values: &[Tensor], moments: &[(Tensor, Tensor)]) -> TensorResult<()> {
        self.adam.restore(step, moments)?;
        self.variables.iter().zip(values).try_for_each(|(variable, value)| variable.set(value))
    }
}

/// A generator's tensors and the mean statistics of its norms over some batches, whose random numbers begin at the place
/// that `make` is told.
pub(super) fn with_statistics(
    mut tensors: HashMap<String, Tensor>,
    make: impl Fn(&HashMap<String, Tensor>, u64) -> TensorResult<Vec<Statistics>>,
) -> TensorResult<HashMap<String, Tensor>> {
    let mut sums: Vec<[Vec<f64>; 2]> = Vec::new();
    for place in 0..STATISTICS_BATCHES {
        let of_batch = make(&tensors, STATISTICS_PLACE + place)?;
        if of_batch.is_empty() {
            break;
        }
        for (layer, statistics) in of_batch.into_iter().enumerate() {
            if sums.len() <= layer {
                let zeros = vec![0.0; statistics.mean.len()];
                sums.push([zeros.clone(), zeros]);
            }
            for (sums, values) in sums[layer].iter_mut().zip([statistics.mean, statistics.variance]) {
                sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += f64::from(value));
            }
        }
    }
    for (layer, sums) in sums.into_iter().enumerate() {
        for (part, sums) in ["mean", "var"].into_iter().zip(sums) {
            let mean: Vec<f32> = sums.iter().map(|sum| (sum / STATISTICS_BATCHES as f64) as f32).collect();
            tensors.insert(format!("main.{}.running_{part}", 3 * layer + 1), Tensor::new(mean, &Device::Cpu)?);
        }
    }
    Ok(tensors)
}

/// What a checkpoint holds.
pub(super) struct State<'a> {
    tensors: &'a HashMap<String, Tensor>,
    path: &'a Path,
}

impl<'a> State<'a> {
    pub(super) fn new(tensors: &'a HashMap<String, Tensor>, path: &'a Path) -> Self {
        Self { tensors, path }
    }

    fn foreign(&self) -> Error {
        let name = self.path.display();
        Error::new(
            format!("“{name}” belongs to another recipe; resume with its own, or train into another folder."),
            format!("“{name}”属于另一个训练配方；请用原配方继续，或换一个文件夹训练。"),
        )
    }

    /// Steps taken.
    pub(super) fn step(&self) -> Result<u64> {
        let step = self.tensors.get("step").and_then(|step| step.to_vec1::<i64>().ok());
        step.and_then(|step| u64::try_from(*step.first()?).ok()).ok_or_else(|| self.foreign())
    }

    /// A tensor for each variable.
    pub(super) fn all(&self, learner: &Learner, prefix: &str) -> Result<Vec<Tensor>> {
        let get = |(name, like): (&String, &Var)| {
            let tensor = self.tensors.get(&format!("{prefix}{name}"));
            let tensor = tensor.filter(|t| t.shape() == like.shape() && t.dtype() == DType::F32);
            tensor.cloned().ok_or_else(|| self.foreign())
        };
        learner.names.iter().zip(&learner.variables).map(get).collect()
    }

    /// The optimiser's moments for each variable.
    pub(super) fn moments(&self, learner: &Learner, prefix: &str) -> Result<Vec<(Tensor, Tensor)>> {
        let [first, second] = ["m1", "m2"].map(|part| self.all(learner, &format!("{prefix}.{part}.")));
        Ok(first?.into_iter().zip(second?).collect())
    }
}

/// What the tensor library said, as a sentence.
pub(super) fn failed(why: &candle_core::Error) -> Error {
    let why = why.to_string();
    let why = why.lines().next().unwrap_or_default();
    Error::new(
        format!("Training stopped: {why}; resume from the last checkpoint."),
        format!("训练中止：{why}；请从上一个检查点继续。"),
    )
}
