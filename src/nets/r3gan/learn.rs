//! Both networks in training: what they make of numbers, and the gradients to their weights.

use super::{
    R3ganConfig,
    chain::{Adjoints, Chain, Numbers, Passed, Places},
};

/// Pixels of what the generator begins with and the critic ends with.
const AREA: usize = 16;

/// (rows, inner) · (columns, inner)ᵀ.
fn product(a: &[f32], b: &[f32], inner: usize) -> Vec<f32> {
    let rows = a.chunks_exact(inner);
    rows.flat_map(|a| b.chunks_exact(inner).map(|b| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>())).collect()
}

/// (rows, inner) · (inner, columns).
fn product_across(a: &[f32], b: &[f32], (inner, columns): (usize, usize)) -> Vec<f32> {
    let mut out = vec![0.0; a.len() / inner * columns];
    for (a, out) in a.chunks_exact(inner).zip(out.chunks_exact_mut(columns)) {
        for (a, b) in a.iter().zip(b.chunks_exact(columns)) {
            out.iter_mut().zip(b).for_each(|(out, b)| *out += a * b);
        }
    }
    out
}

/// Adds (rows, m)ᵀ · (rows, n) to `sum` (m, n).
fn add_outer(sum: &mut [f32], a: &[f32], b: &[f32], (m, n): (usize, usize)) {
    for (a, b) in a.chunks_exact(m).zip(b.chunks_exact(n)) {
        for (a, sum) in a.iter().zip(sum.chunks_exact_mut(n)) {
            sum.iter_mut().zip(b).for_each(|(sum, b)| *sum += a * b);
        }
    }
}

/// The generator.
pub struct GeneratorPasses {
    chain: Chain,
    basis: usize,
    linear: usize,
    embedding: Option<usize>,
    width: usize,
    latent: usize,
    classes: usize,
    numbers: usize,
}

/// Pictures, and what their gradients need.
pub struct Made {
    images: usize,
    /// (images, inputs), classes embedded.
    inputs: Vec<f32>,
    /// (images, classes), one-hot.
    classes: Vec<f32>,
    /// What the basis was multiplied by, (images, width).
    scales: Vec<f32>,
    passed: Passed,
}

impl Made {
    /// (images, channels, side, side).
    pub fn pictures(&self) -> &[f32] {
        &self.passed.out
    }
}

impl GeneratorPasses {
    pub fn new(config: &R3ganConfig) -> Self {
        let places = Places::new(&config.generator_weights());
        let width = config.widths.first().copied().unwrap_or_default();
        let mut chain = Chain::new(width, 4);
        for (stage, width) in config.widths.iter().enumerate() {
            if let Some(weight) = places.find(&format!("{}.LinearLayer.Layer.weight", config.block(stage, 0))) {
                chain.pointwise(weight, *width);
            }
            if stage > 0 {
                chain.up();
            }
            for block in 0..config.blocks {
                chain.block(config, &places, &config.block(stage, block + 1));
            }
        }
        chain.pointwise(places.of("AggregationLayer.Layer.weight"), config.channels);
        let begin = config.block(0, 0);
        Self {
            chain,
            basis: places.of(&format!("{begin}.Basis")),
            linear: places.of(&format!("{begin}.LinearLayer.weight")),
            embedding: places.find("EmbeddingLayer.weight"),
            width,
            latent: config.latent,
            classes: config.classes.len(),
            numbers: config.inputs(),
        }
    }

    /// Of inputs (images, latent and classes).
    pub fn make(&self, weights: &Numbers, z: &[f32]) -> Made {
        let images = z.len() / (self.latent + self.classes);
        let rows = || z.chunks_exact(self.latent + self.classes);
        let classes: Vec<f32> = rows().flat_map(|row| &row[self.latent..]).copied().collect();
        let inputs = match self.embedding {
            Some(place) => {
                let embedded = product(&classes, &weights[place], self.classes);
                let each = embedded.chunks_exact(self.numbers - self.latent);
                rows().zip(each).flat_map(|(row, class)| row[..self.latent].iter().chain(class)).copied().collect()
            }
            None => z.to_vec(),
        };
        let scales = product(&inputs, &weights[self.linear], self.numbers);
        let basis = weights[self.basis].chunks_exact(AREA).cycle();
        let x = scales.iter().zip(basis).flat_map(|(scale, basis)| basis.iter().map(move |basis| scale * basis));
        let passed = self.chain.forward(weights, images, x.collect());
        Made { images, inputs, classes, scales, passed }
    }

    /// Adds the gradients to the weights to `sums`, from those to the pictures.
    pub fn learn(&self, weights: &Numbers, made: &Made, g: Vec<f32>, sums: &mut Numbers) {
        let (adjoints, g) = self.chain.backward(weights, made.images, &made.passed, g, true);
        self.chain.gradients(made.images, (&made.passed, &made.passed), &adjoints, None, sums);
        // Of each channel of each picture.
        let planes = || g.chunks_exact(AREA).zip(&made.scales).enumerate();
        for (index, (g, scale)) in planes() {
            let basis = &mut sums[self.basis][index % self.width * AREA..][..AREA];
            basis.iter_mut().zip(g).for_each(|(sum, g)| *sum += g * scale);
        }
        let basis = weights[self.basis].chunks_exact(AREA).cycle();
        let to_scales: Vec<f32> =
            g.chunks_exact(AREA).zip(basis).map(|(g, basis)| g.iter().zip(basis).map(|(g, b)| g * b).sum()).collect();
        add_outer(&mut sums[self.linear], &to_scales, &made.inputs, (self.width, self.numbers));
        if let Some(place) = self.embedding {
            let to_inputs = product_across(&to_scales, &weights[self.linear], (self.width, self.numbers));
            let to_classes: Vec<f32> =
                to_inputs.chunks_exact(self.numbers).flat_map(|row| &row[self.latent..]).copied().collect();
            let embedding = self.numbers - self.latent;
            add_outer(&mut sums[place], &to_classes, &made.classes, (embedding, self.classes));
        }
    }
}

/// The critic.
pub struct CriticPasses {
    chain: Chain,
    basis: usize,
    linear: usize,
    embedding: Option<usize>,
    width: usize,
    outputs: usize,
    classes: usize,
}

/// Scores, and what their gradients need.
pub struct Judged {
    images: usize,
    pub scores: Vec<f32>,
    /// (images, classes), one-hot; empty without classes.
    classes: Vec<f32>,
    passed: Passed,
}

/// The gradient of every score to its picture, and to all between.
pub struct Slopes {
    adjoints: Adjoints,
    /// (images, channels, side, side).
    pub to_pictures: Vec<f32>,
}

impl CriticPasses {
    pub fn new(config: &R3ganConfig) -> Self {
        let places = Places::new(&config.critic_weights());
        let widths: Vec<usize> = config.widths.iter().rev().copied().collect();
        let mut chain = Chain::new(config.channels, config.side());
        chain.pointwise(places.of("ExtractionLayer.Layer.weight"), widths.first().copied().unwrap_or_default());
        for stage in 0..widths.len() {
            for block in 0..config.blocks {
                chain.block(config, &places, &config.block(stage, block));
            }
            if let Some(after) = widths.get(stage + 1) {
                chain.down();
                let change = format!("{}.LinearLayer.Layer.weight", config.block(stage, config.blocks));
                if let Some(weight) = places.find(&change) {
                    chain.pointwise(weight, *after);
                }
            }
        }
        let end = config.block(widths.len().saturating_sub(1), config.blocks);
        Self {
            chain,
            basis: places.of(&format!("{end}.Basis.weight")),
            linear: places.of(&format!("{end}.LinearLayer.weight")),
            embedding: places.find("EmbeddingLayer.weight"),
            width: widths.last().copied().unwrap_or_default(),
            outputs: config.outputs(),
            classes: config.classes.len(),
        }
    }

    /// Pictures (images, channels, side, side) with their classes, one-hot.
    pub fn judge(&self, weights: &Numbers, images: usize, pictures: Vec<f32>, classes: &[f32]) -> Judged {
        let passed = self.chain.forward(weights, images, pictures);
        let outputs = product(&self.seen(weights, &passed.out), &weights[self.linear], self.width);
        let factors = self.factors(weights, images, classes);
        let rows = outputs.chunks_exact(self.outputs).zip(factors.chunks_exact(self.outputs));
        let scores = rows.map(|(row, factors)| row.iter().zip(factors).map(|(a, b)| a * b).sum()).collect();
        Judged { images, scores, classes: classes.to_vec(), passed }
    }

    /// The weighted sum of each channel's pixels, (images, width).
    fn seen(&self, weights: &Numbers, last: &[f32]) -> Vec<f32> {
        let basis = weights[self.basis].chunks_exact(AREA).cycle();
        last.chunks_exact(AREA).zip(basis).map(|(x, basis)| x.iter().zip(basis).map(|(x, b)| x * b).sum()).collect()
    }

    /// What the outputs are multiplied by, (images, outputs): the classes embedded, or 1.
    fn factors(&self, weights: &Numbers, images: usize, classes: &[f32]) -> Vec<f32> {
        match self.embedding {
            Some(place) => product(classes, &weights[place], self.classes),
            None => vec![1.0; images * self.outputs],
        }
    }

    /// The gradients of `Σ scale · score`.
    pub fn slopes(&self, weights: &Numbers, judged: &Judged, scales: &[f32], to_pictures: bool) -> Slopes {
        let factors = self.factors(weights, judged.images, &judged.classes);
        let to_seen = product_across(&factors, &weights[self.linear], (self.outputs, self.width));
        let each = to_seen.iter().enumerate().map(|(index, to)| to * scales[index / self.width]);
        let basis = weights[self.basis].chunks_exact(AREA).cycle();
        let g = each.zip(basis).flat_map(|(to, basis)| basis.iter().map(move |basis| to * basis)).collect();
        let (adjoints, to_pictures) = self.chain.backward(weights, judged.images, &judged.passed, g, to_pictures);
        Slopes { adjoints, to_pictures }
    }

    /// Adds the gradients of `Σ scale · score` to the weights to `sums`; `slopes` are of these scales.
    pub fn learn(&self, weights: &Numbers, judged: &Judged, slopes: &Slopes, scales: &[f32], sums: &mut Numbers) {
        let Judged { images, passed, .. } = judged;
        self.chain.gradients(*images, (passed, passed), &slopes.adjoints, None, sums);
        let per_image = passed.out.len() / images;
        let last: Vec<f32> = passed.out.iter().enumerate().map(|(at, x)| x * scales[at / per_image]).collect();
        self.learn_end(weights, judged, &last, sums);
    }

    /// Adds the gradients of `Σ (scale · score + share · what the change does to the score)` to the weights to `sums`: a
    /// change is of a picture, and `slopes` are of scales of 1.
    pub fn learn_with_change(
        &self,
        weights: &Numbers,
        judged: &Judged,
        slopes: &Slopes,
        scales: &[f32],
        (change, share): (Vec<f32>, f32),
        sums: &mut Numbers,
    ) {
        let Judged { images, passed, .. } = judged;
        let mut mixed = self.chain.change(weights, *images, passed, change);
        self.chain.mix(passed, &mut mixed, scales, share);
        self.chain.gradients(*images, (passed, &mixed), &slopes.adjoints, Some(scales), sums);
        self.learn_end(weights, judged, &mixed.out, sums);
    }

    /// The gradients behind the chain, of what came out of it, scales included.
    fn learn_end(&self, weights: &Numbers, judged: &Judged, last: &[f32], sums: &mut Numbers) {
        let factors = self.factors(weights, judged.images, &judged.classes);
        let to_seen = product_across(&factors, &weights[self.linear], (self.outputs, self.width));
        for (index, (last, to)) in last.chunks_exact(AREA).zip(&to_seen).enumerate() {
            let basis = &mut sums[self.basis][index % self.width * AREA..][..AREA];
            basis.iter_mut().zip(last).for_each(|(sum, last)| *sum += last * to);
        }
        let seen = self.seen(weights, last);
        add_outer(&mut sums[self.linear], &factors, &seen, (self.outputs, self.width));
        if let Some(place) = self.embedding {
            let outputs = product(&seen, &weights[self.linear], self.width);
            add_outer(&mut sums[place], &outputs, &judged.classes, (self.outputs, self.classes));
        }
    }
}
