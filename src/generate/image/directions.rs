//! Principal directions of a generator, from its weights alone: those along which its first layer answers most
//! (Shen and Zhou, "Closed-Form Factorization of Latent Semantics in GANs", 2021).

/// Directions that are offered.
const COUNT: usize = 8;
/// Rounds of the iteration: enough that neighbouring directions no longer turn into each other visibly.
const ROUNDS: usize = 300;

/// Unit vectors, the strongest first: the leading eigenvectors of `A Aᵀ`, where row `i` of `A` (`latent` rows) holds the
/// weights by which latent number `i` enters the first layer. Each points to where its largest part is positive.
pub(super) fn principal(a: &[f32], latent: usize) -> Vec<Vec<f32>> {
    if latent == 0 || !a.len().is_multiple_of(latent) || a.iter().any(|weight| !weight.is_finite()) {
        return Vec::new();
    }
    let columns = a.len() / latent;
    let row = |i: usize| &a[i * columns..(i + 1) * columns];
    let dot = |i: usize, j: usize| row(i).iter().zip(row(j)).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let mut gram = vec![0.0_f64; latent * latent];
    for i in 0..latent {
        for j in 0..=i {
            let value = dot(i, j);
            gram[i * latent + j] = value;
            gram[j * latent + i] = value;
        }
    }
    leading(&gram, latent).into_iter().map(|vector| vector.iter().map(|part| *part as f32).collect()).collect()
}

/// The leading eigenvectors of a symmetric matrix with no negative eigenvalues, by orthogonal iteration.
fn leading(gram: &[f64], size: usize) -> Vec<Vec<f64>> {
    let count = COUNT.min(size);
    // The same start every time, with something of every direction in it.
    let begin = |k: usize| (0..size).map(|i| ((i * (2 * k + 3) + k + 1) as f64).sin()).collect::<Vec<f64>>();
    let mut vectors: Vec<Vec<f64>> = (0..count).map(begin).collect();
    for _ in 0..ROUNDS {
        for vector in &mut vectors {
            *vector = gram.chunks_exact(size).map(|row| product(row, vector)).collect();
        }
        if !orthonormalise(&mut vectors) {
            break;
        }
    }
    for vector in &mut vectors {
        let largest =
            vector.iter().copied().fold(0.0_f64, |most, part| if part.abs() > most.abs() { part } else { most });
        if largest < 0.0 {
            vector.iter_mut().for_each(|part| *part = -*part);
        }
    }
    vectors
}

fn product(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Gram and Schmidt's; a vector of which nothing is left ends the list. Whether any are left.
fn orthonormalise(vectors: &mut Vec<Vec<f64>>) -> bool {
    for k in 0..vectors.len() {
        let (before, rest) = vectors.split_at_mut(k);
        let vector = &mut rest[0];
        let whole = product(vector, vector);
        for _ in 0..2 {
            for other in before.iter() {
                let share = product(vector, other);
                vector.iter_mut().zip(other).for_each(|(part, other)| *part -= share * other);
            }
        }
        let square = product(vector, vector);
        if !square.is_finite() || square <= whole * 1e-20 {
            vectors.truncate(k);
            break;
        }
        let scale = 1.0 / square.sqrt();
        vector.iter_mut().for_each(|part| *part *= scale);
    }
    !vectors.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_directions_are_found_in_order() {
        // Three known axes with strengths 9, 4 and 1 in a space of twelve.
        let axis = |k: usize| -> Vec<f64> {
            let raw: Vec<f64> = (0..12).map(|i| ((i + 1) as f64 * (k as f64 + 0.7)).cos()).collect();
            raw
        };
        let mut axes = vec![axis(0), axis(1), axis(2)];
        assert!(orthonormalise(&mut axes));
        let strengths = [9.0, 4.0, 1.0];
        let mut a = vec![0.0_f32; 12 * 3];
        for i in 0..12 {
            for k in 0..3 {
                a[i * 3 + k] = (axes[k][i] * strengths[k]) as f32;
            }
        }
        let found = principal(&a, 12);
        assert_eq!(found.len(), 3, "only as many as the layer can see");
        for (found, axis) in found.iter().zip(&axes) {
            let agreement: f64 = found.iter().zip(axis).map(|(a, b)| f64::from(*a) * b).sum();
            assert!((agreement.abs() - 1.0).abs() < 1e-5, "{agreement}");
        }
        assert_eq!(principal(&a, 12), found);
        assert!(principal(&[f32::NAN; 12], 12).is_empty() && principal(&[], 0).is_empty());
    }
}
