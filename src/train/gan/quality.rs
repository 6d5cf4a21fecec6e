//! How like real pictures generated ones are: the kernel inception distance (Bińkowski et al., 2018) with histograms of
//! oriented gradients (Dalal and Triggs, 2005) and mean colours as features instead of a network's.
//!
//! Numbers compare pictures of one data set with one another; they are not those that other extractors give.

use candle_core::{Device, Result as TensorResult, Tensor};

use super::{GanTrainer, Networks};
use crate::random::Rng;

/// Pictures of each kind that are compared.
const COUNT: usize = 600;
/// Pictures drawn at a time.
const BATCH: usize = 50;
/// Cells along each side of a picture.
const CELLS: usize = 8;
/// Orientations told apart, of half a turn.
const BINS: usize = 9;
/// Random numbers for those, apart from those of steps.
const PLACE: u64 = 3 << 40;

/// Distances ×1000: of generated pictures from real ones, and of real ones from other real ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kid {
    pub generated: f64,
    pub real: f64,
}

impl GanTrainer {
    /// The distance of what the averaged generator draws now.
    ///
    /// # Errors
    /// When memory cannot be had.
    pub fn kid(&self) -> crate::Result<Kid> {
        let measure = || -> TensorResult<Kid> {
            let networks = self.networks();
            let (side, channels) = (networks.side(), networks.channels());
            let mut rng = Rng::at(self.seed(), PLACE);
            let mut real = || -> Vec<Vec<f32>> {
                let mut planes = Vec::new();
                let mut one = |_| {
                    planes.clear();
                    self.pictures().choose(&mut rng, &mut planes);
                    features(&planes, side, channels)
                };
                (0..COUNT).map(&mut one).collect()
            };
            let (first, second) = (real(), real());
            let generated = self.generated(networks, side, channels)?;
            Ok(Kid { generated: 1e3 * distance(&first, &generated), real: 1e3 * distance(&first, &second) })
        };
        measure().map_err(|why| crate::train::learner::failed(&why))
    }

    fn generated(&self, networks: &Networks, side: usize, channels: usize) -> TensorResult<Vec<Vec<f32>>> {
        let tensors = self.model().map_err(super::networks::wrapped)?;
        let classes = networks.classes().len();
        let mut all = Vec::with_capacity(COUNT);
        for batch in 0..COUNT / BATCH {
            let mut rng = Rng::at(self.seed(), PLACE + 1 + batch as u64);
            let mut z = Vec::with_capacity(BATCH * (networks.latent() + classes));
            for _ in 0..BATCH {
                z.extend((0..networks.latent()).map(|_| rng.normal() as f32));
                let class = if classes > 0 { rng.below(classes) } else { 0 };
                z.extend((0..classes).map(|index| f32::from(u8::from(index == class))));
            }
            let z = Tensor::from_vec(z, (BATCH, networks.latent() + classes), &Device::Cpu)?;
            let drawn = networks.draw(&tensors, &z)?.flatten_all()?.to_vec1::<f32>()?;
            all.extend(drawn.chunks_exact(side * side * channels).map(|planes| features(planes, side, channels)));
        }
        Ok(all)
    }
}

/// Features of a picture, planes of numbers in −1..1: for each cell the square roots of its histogram of oriented
/// gradients, and its mean in each channel.
fn features(planes: &[f32], side: usize, channels: usize) -> Vec<f32> {
    let area = side * side;
    let grey = |x: usize, y: usize| {
        (0..channels).map(|channel| planes[channel * area + y * side + x]).sum::<f32>() / channels as f32
    };
    let cell = |at: usize| (at * CELLS / side).min(CELLS - 1);
    let mut histograms = vec![0.0_f32; CELLS * CELLS * BINS];
    let mut means = vec![0.0_f32; CELLS * CELLS * channels];
    for y in 0..side {
        for x in 0..side {
            let dx = grey((x + 1).min(side - 1), y) - grey(x.saturating_sub(1), y);
            let dy = grey(x, (y + 1).min(side - 1)) - grey(x, y.saturating_sub(1));
            let turn = dy.atan2(dx).rem_euclid(std::f32::consts::PI) / std::f32::consts::PI;
            let place = cell(y) * CELLS + cell(x);
            histograms[place * BINS + ((turn * BINS as f32) as usize).min(BINS - 1)] += dx.hypot(dy);
            for channel in 0..channels {
                means[place * channels + channel] += planes[channel * area + y * side + x];
            }
        }
    }
    let pixels = area as f32 / (CELLS * CELLS) as f32;
    let shares = histograms.into_iter().map(|sum| (sum / pixels).sqrt());
    shares.chain(means.into_iter().map(|sum| sum / pixels)).collect()
}

/// The unbiased squared maximum mean discrepancy with the kernel `(x · y / d + 1)³`.
fn distance(a: &[Vec<f32>], b: &[Vec<f32>]) -> f64 {
    let kernel = |x: &[f32], y: &[f32]| {
        let dot: f32 = x.iter().zip(y).map(|(x, y)| x * y).sum();
        (f64::from(dot) / x.len() as f64 + 1.0).powi(3)
    };
    let within = |all: &[Vec<f32>]| {
        let mut sum = 0.0;
        for (index, one) in all.iter().enumerate() {
            sum += all[..index].iter().map(|other| kernel(one, other)).sum::<f64>();
        }
        2.0 * sum / (all.len() * (all.len() - 1)) as f64
    };
    let across: f64 = a.iter().map(|one| b.iter().map(|other| kernel(one, other)).sum::<f64>()).sum();
    within(a) + within(b) - 2.0 * across / (a.len() * b.len()) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripes(rng: &mut Rng, turned: bool) -> Vec<f32> {
        let (side, shift) = (16, rng.below(4));
        let bright = |at: usize| {
            let along = if turned { at / side } else { at % side };
            if (along + shift) % 4 < 2 { 0.8 } else { -0.8 }
        };
        (0..side * side).map(|at| bright(at) + 0.1 * rng.normal() as f32).collect()
    }

    #[test]
    fn pictures_of_a_kind_are_near_and_others_far() {
        let mut rng = Rng::at(1, 2);
        let mut all = |turned| (0..80).map(|_| features(&stripes(&mut rng, turned), 16, 1)).collect::<Vec<_>>();
        let (upright, more, lying) = (all(false), all(false), all(true));
        let (near, far) = (distance(&upright, &more), distance(&upright, &lying));
        assert!(near.abs() < 0.01 * far && far > 0.001, "{near} {far}");
        assert_eq!(features(&[0.5; 3 * 256], 16, 3).len(), CELLS * CELLS * (BINS + 3));
        assert!(features(&[0.5; 256], 16, 1)[..CELLS * CELLS * BINS].iter().all(|share| *share == 0.0));
    }
}
