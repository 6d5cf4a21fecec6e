//! The layers between what a network begins with and what it ends with, in training: passes that keep what gradients need,
//! and the gradients, written out instead of recorded.
//!
//! Every layer is linear but for leaky ReLUs, whose slopes do not change under small changes of what goes in. A small change
//! `t` of the input therefore goes through as the input itself does, without biases and with the slopes that the input
//! chose: [`Chain::change`]. That is all a penalty on the gradient to the input needs (R1, R2): the derivative of
//! `½ |∇ₓ D|²` by the weights is that of `t · ∇ₓ D` at `t = ∇ₓ D`, and `t · ∇ₓ D` is what the change `t` does to the score.

use std::collections::HashMap;

use candle_core::{Result as TensorResult, Var};

use super::{ACTIVATION, R3ganConfig};
use crate::kernels::{
    Exec,
    conv::{self, ConvShape, Finish, Gradient},
    elementwise::activation::mix,
    resample::{DOWN, Resample, UP},
};

/// The numbers of all weights, in the order of [`R3ganConfig::generator_weights`] or [`R3ganConfig::critic_weights`].
pub type Numbers = Vec<Vec<f32>>;

/// The numbers of variables.
///
/// # Errors
/// When they are no 32-bit floats.
pub fn numbers(variables: &[Var]) -> TensorResult<Numbers> {
    variables.iter().map(|variable| variable.flatten_all()?.to_vec1()).collect()
}

/// As many zeros.
pub fn zeros(weights: &Numbers) -> Numbers {
    weights.iter().map(|values| vec![0.0; values.len()]).collect()
}

/// Where the weights of a network stand among its numbers.
pub(super) struct Places(HashMap<String, usize>);

impl Places {
    pub(super) fn new(weights: &super::config::Weights) -> Self {
        Self(weights.iter().enumerate().map(|(place, (name, ..))| (name.clone(), place)).collect())
    }

    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.0.get(name).copied()
    }

    /// Of a weight that every such network has.
    pub(super) fn of(&self, name: &str) -> usize {
        self.find(name).unwrap_or_else(|| unreachable!("“{name}” is a weight of every such network"))
    }
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// 1 × 1 to other channels.
    Pointwise { weight: usize, after: usize },
    /// 1 × 1 to more channels, a bias, 3 × 3 in groups, a bias, and 1 × 1 back, beside what goes in.
    Block { widen: usize, biases: [usize; 2], grouped: usize, narrow: usize, wide: usize, groups: usize },
    /// Twice as wide and high, or half.
    Resample(Resample),
}

/// A layer, and what it takes.
#[derive(Clone, Copy, Debug)]
struct Layer {
    kind: Kind,
    channels: usize,
    side: usize,
}

/// What a layer took and, of a block, what its two hidden convolutions gave: or changes of these, or what is between both.
type Kept = Vec<Vec<f32>>;

/// What went through a chain.
pub(super) struct Passed {
    kept: Vec<Kept>,
    /// What came out, (images, channels, side, side).
    pub out: Vec<f32>,
}

/// The gradients to what layers gave, and those inside of blocks.
pub(super) struct Adjoints(Vec<Vec<Vec<f32>>>);

/// Layers one after the other.
pub(super) struct Chain {
    layers: Vec<Layer>,
    channels: usize,
    side: usize,
}

impl Chain {
    /// From what `side` × `side` pixels of `channels` begin with.
    pub(super) fn new(channels: usize, side: usize) -> Self {
        Self { layers: Vec::new(), channels, side }
    }

    fn push(&mut self, kind: Kind) {
        self.layers.push(Layer { kind, channels: self.channels, side: self.side });
        match kind {
            Kind::Pointwise { after, .. } => self.channels = after,
            Kind::Resample(resample) => self.side = resample.size(self.side),
            Kind::Block { .. } => {}
        }
    }

    pub(super) fn pointwise(&mut self, weight: usize, after: usize) {
        self.push(Kind::Pointwise { weight, after });
    }

    pub(super) fn block(&mut self, config: &R3ganConfig, places: &Places, name: &str) {
        let of = |part: &str| places.of(&format!("{name}.{part}"));
        self.push(Kind::Block {
            widen: of("LinearLayer1.Layer.weight"),
            biases: [of("NonLinearity1.Bias"), of("NonLinearity2.Bias")],
            grouped: of("LinearLayer2.Layer.weight"),
            narrow: of("LinearLayer3.Layer.weight"),
            wide: self.channels * config.expansion,
            groups: config.groups(self.channels),
        });
    }

    pub(super) fn up(&mut self) {
        self.push(Kind::Resample(UP));
    }

    pub(super) fn down(&mut self) {
        self.push(Kind::Resample(DOWN));
    }

    /// Through all layers.
    pub(super) fn forward(&self, weights: &Numbers, images: usize, mut x: Vec<f32>) -> Passed {
        let (exec, mut kept) = (Exec::current(), Vec::with_capacity(self.layers.len()));
        for layer in &self.layers {
            let (out, took) = match layer.kind {
                Kind::Pointwise { weight, after } => {
                    let shape = layer.pointwise(images, after);
                    (conv::forward(exec, &shape, &x, &weights[weight][..], Finish::default()), vec![x])
                }
                Kind::Block { widen, biases, grouped, narrow, wide, groups } => {
                    let [into, middle, back] = layer.block(images, wide, groups);
                    let finish = |index: usize| Finish::new(Some(&weights[biases[index]]), ACTIVATION);
                    let first = conv::forward(exec, &into, &x, &weights[widen][..], finish(0));
                    let second = conv::forward(exec, &middle, &first, &weights[grouped][..], finish(1));
                    let out = conv::forward_linear(exec, &back, plain(&second), &weights[narrow], Some(&x));
                    (out, vec![x, first, second])
                }
                Kind::Resample(resample) => (resample.run(exec, &x, [layer.side; 2]), Vec::new()),
            };
            kept.push(took);
            x = out;
        }
        Passed { kept, out: x }
    }

    /// What a small change `t` of what went in does to all that was kept and to what came out.
    pub(super) fn change(&self, weights: &Numbers, images: usize, passed: &Passed, mut t: Vec<f32>) -> Passed {
        let (exec, mut kept) = (Exec::current(), Vec::with_capacity(self.layers.len()));
        for (layer, took) in self.layers.iter().zip(&passed.kept) {
            let (out, changes) = match layer.kind {
                Kind::Pointwise { weight, after } => {
                    let shape = layer.pointwise(images, after);
                    (conv::forward(exec, &shape, &t, &weights[weight][..], Finish::default()), vec![t])
                }
                Kind::Block { widen, grouped, narrow, wide, groups, .. } => {
                    let [into, middle, back] = layer.block(images, wide, groups);
                    let first = conv::forward_linear(exec, &into, plain(&t), &weights[widen], None);
                    let second = conv::forward_linear(exec, &middle, sloped(&first, &took[1]), &weights[grouped], None);
                    let out = conv::forward_linear(exec, &back, sloped(&second, &took[2]), &weights[narrow], Some(&t));
                    (out, vec![t, first, second])
                }
                Kind::Resample(resample) => (resample.run(exec, &t, [layer.side; 2]), Vec::new()),
            };
            kept.push(changes);
            t = out;
        }
        Passed { kept, out: t }
    }

    /// The gradients to what every layer gave from that to what came out, and to what went in if it is wanted.
    pub(super) fn backward(
        &self,
        weights: &Numbers,
        images: usize,
        passed: &Passed,
        mut g: Vec<f32>,
        to_input: bool,
    ) -> (Adjoints, Vec<f32>) {
        let (exec, mut adjoints) = (Exec::current(), Vec::with_capacity(self.layers.len()));
        for (index, (layer, took)) in self.layers.iter().zip(&passed.kept).enumerate().rev() {
            let wanted = index > 0 || to_input;
            let (before, gave) = match layer.kind {
                Kind::Pointwise { weight, after } => {
                    let shape = layer.pointwise(images, after);
                    let to = |g: &[f32]| conv::backward_input_onto(exec, &shape, &weights[weight], plain(g), None);
                    (if wanted { to(&g) } else { Vec::new() }, vec![g])
                }
                Kind::Block { widen, grouped, narrow, wide, groups, .. } => {
                    let [into, middle, back] = layer.block(images, wide, groups);
                    let second = conv::backward_input_onto(exec, &back, &weights[narrow], plain(&g), None);
                    let gate = sloped(&second, &took[2]);
                    let first = conv::backward_input_onto(exec, &middle, &weights[grouped], gate, None);
                    let gate = sloped(&first, &took[1]);
                    let to = || conv::backward_input_onto(exec, &into, &weights[widen], gate, Some(&g));
                    (if wanted { to() } else { Vec::new() }, vec![g, first, second])
                }
                Kind::Resample(resample) => {
                    (resample.adjoint().run(exec, &g, [resample.size(layer.side); 2]), Vec::new())
                }
            };
            adjoints.push(gave);
            g = before;
        }
        adjoints.reverse();
        (Adjoints(adjoints), g)
    }

    /// Makes of changes `scale · kept + share · change`: what the gradients to the weights are taken of when the objective is
    /// the sum over the images of `scale · score` and `share` times what the change does to the score.
    pub(super) fn mix(&self, passed: &Passed, changes: &mut Passed, scales: &[f32], share: f32) {
        let exec = Exec::current();
        for (took, changes) in passed.kept.iter().zip(&mut changes.kept) {
            for (index, (took, change)) in took.iter().zip(changes).enumerate() {
                mix(exec, (index > 0).then_some(ACTIVATION), (took, scales), (change, share));
            }
        }
        mix(exec, None, (&passed.out, scales), (&mut changes.out, share));
    }

    /// Adds the gradients to the weights to `sums`: those of `used`, which is what passed or a mixture. Each image's share in
    /// the biases is multiplied by its scale.
    pub(super) fn gradients(
        &self,
        images: usize,
        (passed, used): (&Passed, &Passed),
        adjoints: &Adjoints,
        scales: Option<&[f32]>,
        sums: &mut Numbers,
    ) {
        let exec = Exec::current();
        let mut add = |place: usize, more: Vec<f32>| {
            sums[place].iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        };
        for (index, layer) in self.layers.iter().enumerate() {
            let (took, used, gave) = (&passed.kept[index], &used.kept[index], &adjoints.0[index]);
            match layer.kind {
                Kind::Pointwise { weight, after } => {
                    let shape = layer.pointwise(images, after);
                    add(weight, conv::backward_weight(exec, &shape, &used[0], plain(&gave[0])));
                }
                Kind::Block { widen, biases, grouped, narrow, wide, groups } => {
                    let [into, middle, back] = layer.block(images, wide, groups);
                    let (first, second) = (sloped(&gave[1], &took[1]), sloped(&gave[2], &took[2]));
                    let plane = layer.side * layer.side;
                    add(narrow, conv::backward_weight(exec, &back, &used[2], plain(&gave[0])));
                    add(grouped, conv::backward_weight(exec, &middle, &used[1], second));
                    add(biases[1], conv::backward_bias(exec, wide, plane, second, scales));
                    add(widen, conv::backward_weight(exec, &into, &used[0], first));
                    add(biases[0], conv::backward_bias(exec, wide, plane, first, scales));
                }
                Kind::Resample(_) => {}
            }
        }
    }
}

impl Layer {
    fn shape(&self, images: usize, [before, after]: [usize; 2], taps: usize, groups: usize) -> ConvShape {
        ConvShape {
            batch: images,
            groups,
            in_channels: before / groups,
            out_channels: after / groups,
            input: [self.side; 2],
            output: [self.side; 2],
            kernel: [taps; 2],
            stride: [1; 2],
            padding: [taps / 2; 2],
            dilation: [1; 2],
            doubled: false,
        }
    }

    fn pointwise(&self, images: usize, after: usize) -> ConvShape {
        self.shape(images, [self.channels, after], 1, 1)
    }

    /// The three convolutions of a block.
    fn block(&self, images: usize, wide: usize, groups: usize) -> [ConvShape; 3] {
        [
            self.shape(images, [self.channels, wide], 1, 1),
            self.shape(images, [wide; 2], 3, groups),
            self.shape(images, [wide, self.channels], 1, 1),
        ]
    }
}

fn plain(values: &[f32]) -> Gradient<'_> {
    Gradient { values, gate: None }
}

/// Through the slopes that these results chose.
fn sloped<'a>(values: &'a [f32], results: &'a [f32]) -> Gradient<'a> {
    Gradient { values, gate: Some((results, ACTIVATION)) }
}
