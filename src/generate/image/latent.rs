//! From a request to numbers: normal variates of a seed, their mixture, the truncation, the steps along directions.

use super::request::ImageRequest;
use crate::random::Rng;

/// `len` standard normal numbers of stream `place` of `seed`, by the polar method (Marsaglia and Bray, 1964).
pub(super) fn normals(seed: u64, place: u64, len: usize) -> Vec<f32> {
    let mut rng = Rng::at(seed, place);
    let mut numbers = Vec::with_capacity(len + 1);
    while numbers.len() < len {
        let (x, y) = (2.0 * rng.uniform() - 1.0, 2.0 * rng.uniform() - 1.0);
        let square = x * x + y * y;
        if square < 1.0 && square > 0.0 {
            let scale = (-2.0 * square.ln() / square).sqrt();
            numbers.extend([(x * scale) as f32, (y * scale) as f32]);
        }
    }
    numbers.truncate(len);
    numbers
}

/// `Σ weight · N(seed) / √Σ weight²`, scaled by the truncation: the mixture is as far from the middle as each of its
/// parts, and a single seed of any positive weight is itself.
pub(super) fn mixed(request: &ImageRequest, place: u64, len: usize) -> Vec<f32> {
    let square: f64 = request.seeds.iter().map(|part| f64::from(part.weight).powi(2)).sum();
    let scale = f64::from(request.truncation) / square.sqrt();
    let mut sum = vec![0.0_f64; len];
    for part in &request.seeds {
        let weight = f64::from(part.weight) * scale;
        for (sum, number) in sum.iter_mut().zip(normals(part.seed, place, len)) {
            *sum += weight * f64::from(number);
        }
    }
    sum.into_iter().map(|number| number as f32).collect()
}

/// The latent vector of `request`, with its steps along `directions` (unit vectors).
pub(super) fn latent(request: &ImageRequest, len: usize, directions: &[Vec<f32>]) -> Vec<f32> {
    let mut z = mixed(request, 0, len);
    for step in &request.directions {
        if let Some(direction) = directions.get(step.index as usize) {
            for (z, part) in z.iter_mut().zip(direction) {
                *z += step.amount * part;
            }
        }
    }
    z
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::image::{Direction, SeedWeight};

    #[test]
    fn numbers_are_normal_and_their_own() {
        let numbers = normals(5, 0, 20_001);
        assert_eq!((numbers.len(), &numbers[..64]), (20_001, &normals(5, 0, 64)[..]));
        let count = numbers.len() as f64;
        let mean = numbers.iter().map(|n| f64::from(*n)).sum::<f64>() / count;
        let square = numbers.iter().map(|n| f64::from(*n).powi(2)).sum::<f64>() / count;
        let within_one = numbers.iter().filter(|n| n.abs() < 1.0).count() as f64 / count;
        assert!(mean.abs() < 0.03 && (square - 1.0).abs() < 0.04, "{mean} {square}");
        assert!((within_one - 0.6827).abs() < 0.015, "{within_one}");
        assert_ne!(normals(5, 0, 8), normals(6, 0, 8));
        assert_ne!(normals(5, 0, 8), normals(5, 1, 8));
    }

    #[test]
    fn a_mixture_is_as_long_as_its_parts() {
        let mut request = ImageRequest::of_seed(9);
        let alone = latent(&request, 4000, &[]);
        assert_eq!(alone, normals(9, 0, 4000));
        request.seeds = [1, 2, 3].map(|seed| SeedWeight { seed, weight: 0.3 }).to_vec();
        let square = latent(&request, 4000, &[]).iter().map(|n| n * n).sum::<f32>() / 4000.0;
        assert!((square - 1.0).abs() < 0.1, "{square}");
        request.truncation = 0.0;
        assert!(latent(&request, 10, &[]).iter().all(|n| *n == 0.0));
        request.directions = vec![Direction { index: 0, amount: 2.0 }, Direction { index: 7, amount: 9.0 }];
        assert_eq!(latent(&request, 2, &[vec![0.6, -0.8]]), [1.2, -1.6]);
    }
}
