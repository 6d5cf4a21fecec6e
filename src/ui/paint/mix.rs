//! Pictures between others: mixtures and variations, as requests.

use crate::generate::image::{Direction, ImageRequest, SeedWeight, Style};

/// `share` of `b`, and the rest of `a`: seeds on the way around the sphere, steps along directions on the straight way,
/// the nearer one's class.
pub(super) fn mixed(a: &ImageRequest, b: &ImageRequest, share: f32) -> ImageRequest {
    let turn = share * std::f32::consts::FRAC_PI_2;
    let length = |request: &ImageRequest| request.seeds.iter().map(|part| part.weight.powi(2)).sum::<f32>().sqrt();
    let part = |request: &ImageRequest, weight: f32| {
        let scale = weight / length(request);
        request
            .seeds
            .iter()
            .map(move |part| SeedWeight { seed: part.seed, weight: part.weight * scale })
            .collect::<Vec<_>>()
    };
    let mut seeds: Vec<SeedWeight> = Vec::new();
    for part in part(a, turn.cos()).into_iter().chain(part(b, turn.sin())) {
        match seeds.iter_mut().find(|known| known.seed == part.seed) {
            Some(known) => known.weight += part.weight,
            None => seeds.push(part),
        }
    }
    seeds.retain(|part| part.weight.abs() > 1e-6);
    let mut directions: Vec<Direction> = Vec::new();
    for (request, share) in [(a, 1.0 - share), (b, share)] {
        for step in &request.directions {
            match directions.iter_mut().find(|known| known.index == step.index) {
                Some(known) => known.amount += share * step.amount,
                None => directions.push(Direction { amount: share * step.amount, ..*step }),
            }
        }
    }
    directions.retain(|step| step.amount != 0.0);
    let nearer = if share <= 0.5 { a } else { b };
    let truncation = a.truncation + (b.truncation - a.truncation) * share;
    ImageRequest { seeds, truncation, directions, style: look(a, b, share), ..nearer.clone() }
}

/// The look of a mixture: one that both take in the same way goes from one amount to the other, one that only one of them
/// takes comes or goes, and of two different ones the first goes before the second comes.
fn look(a: &ImageRequest, b: &ImageRequest, share: f32) -> Option<Style> {
    let amounts =
        |style: &Style, amount: f32| Some(Style { amount, ..style.clone() }).filter(|style| style.amount > 0.0);
    match (&a.style, &b.style) {
        (Some(from), Some(to)) if from.of == to.of && from.layers == to.layers => {
            amounts(from, from.amount + (to.amount - from.amount) * share)
        }
        (Some(from), Some(_)) if share <= 0.5 => amounts(from, from.amount * (1.0 - 2.0 * share)),
        (Some(_), Some(to)) => amounts(to, to.amount * (2.0 * share - 1.0)),
        (Some(from), None) => amounts(from, from.amount * (1.0 - share)),
        (None, Some(to)) => amounts(to, to.amount * share),
        (None, None) => None,
    }
}

/// `a` with the look of `b` at some layers.
pub(super) fn styled(a: &ImageRequest, b: &ImageRequest, layers: Vec<u32>, amount: f32) -> ImageRequest {
    let of = Box::new(ImageRequest { style: None, ..b.clone() });
    ImageRequest { style: Some(Style { of, layers, amount }).filter(|_| amount > 0.0), ..a.clone() }
}

/// Pictures like `request`: `distance` of each is new.
pub(super) fn varied(request: &ImageRequest, distance: f32, seed: u64) -> ImageRequest {
    let (directions, style) = (request.directions.clone(), request.style.clone());
    let other = ImageRequest { class: request.class, truncation: request.truncation, ..ImageRequest::of_seed(seed) };
    ImageRequest { directions, style, ..mixed(request, &other, distance * 0.5) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_come_and_go_with_the_mixture() {
        let plain = ImageRequest::of_seed(1);
        let worn = |seed, amount| styled(&plain, &ImageRequest::of_seed(seed), vec![2, 3], amount);
        let amount = |a: &ImageRequest, b: &ImageRequest, share| mixed(a, b, share).style.map(|style| style.amount);
        assert_eq!(amount(&plain, &worn(5, 0.8), 0.0), None);
        assert_eq!(amount(&plain, &worn(5, 0.8), 0.5), Some(0.4));
        assert_eq!(amount(&worn(5, 0.8), &plain, 0.25), Some(0.6));
        assert_eq!(amount(&worn(5, 0.4), &worn(5, 0.8), 0.5), Some(0.6));
        let other = |share| mixed(&worn(5, 0.8), &worn(6, 0.8), share).style.map(|style| style.of.seeds[0].seed);
        assert_eq!([0.2, 0.5, 0.7].map(other), [Some(5), None, Some(6)]);
        // A look is that of the picture alone, not of what it wears.
        let twice = styled(&plain, &worn(5, 0.8), vec![0], 1.0);
        assert!(twice.check().is_ok() && twice.style.is_some_and(|style| style.of.style.is_none()));
        assert_eq!(styled(&plain, &worn(5, 0.8), vec![0], 0.0), plain);
    }

    #[test]
    fn mixtures_keep_their_length_and_end_at_their_pictures() {
        let [mut a, mut b] = [3, 9].map(ImageRequest::of_seed);
        a.directions = vec![Direction { index: 1, amount: 2.0 }];
        b.directions = vec![Direction { index: 1, amount: 4.0 }, Direction { index: 0, amount: -1.0 }];
        let length = |request: &ImageRequest| request.seeds.iter().map(|part| part.weight.powi(2)).sum::<f32>();
        for share in [0.0, 0.2, 0.5, 0.9, 1.0] {
            let mixed = mixed(&a, &b, share);
            assert!((length(&mixed) - 1.0).abs() < 1e-5, "{share}");
            assert!((mixed.directions[0].amount - 2.0 - 2.0 * share).abs() < 1e-5, "{share}");
        }
        assert_eq!(mixed(&a, &b, 0.0), a);
        assert_eq!(mixed(&a, &b, 1.0).seeds, b.seeds);
        assert_eq!(mixed(&a, &b, 0.5).seeds.len(), 2);
        // A mixture of mixtures is one of the same seeds.
        let again = mixed(&mixed(&a, &b, 0.3), &b, 0.5);
        assert_eq!(again.seeds.len(), 2);
        let near = varied(&a, 0.35, 77);
        assert!(near.seeds[0].seed == 3 && near.seeds[0].weight > 0.9 && near.seeds[1].weight > 0.1);
        assert_eq!(near.directions, a.directions);
    }
}
