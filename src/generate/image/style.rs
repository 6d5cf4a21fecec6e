//! The look of one picture on the shape of another, layer by layer: at the chosen layers the mean and the deviation of
//! each channel of one go over to the other's (adaptive instance normalisation; Huang and Belongie, "Arbitrary Style
//! Transfer in Real-time with Adaptive Instance Normalization", 2017). These networks take their numbers at the first
//! layer alone, so there is no style to exchange at a later one, as in StyleGAN, other than that of what is drawn.

use candle_core::{Result, Tensor};

use super::request::ImageRequest;

/// A channel that varies less than this has no pattern that could be stretched.
const FLAT: f64 = 1e-6;

/// What the output of layer `layer` becomes: `x` (2N, channels, H, W) holds the pictures of `requests`, then those whose
/// look they take; the latter stay as they are.
///
/// # Errors
/// When `x` holds no such pairs.
pub(super) fn restyled(x: &Tensor, layer: usize, requests: &[&ImageRequest]) -> Result<Tensor> {
    let (n, channels, height, width) = x.dims4()?;
    let shares: Vec<f32> = requests.iter().map(|request| share(request, layer)).collect();
    if n != 2 * shares.len() {
        candle_core::bail!("{n} pictures are not {} pairs", shares.len());
    }
    if shares.iter().all(|share| *share == 0.0) {
        return Ok(x.clone());
    }
    let places = height * width;
    let mut values = x.flatten_all()?.to_vec1::<f32>()?;
    let (pictures, looks) = values.split_at_mut(shares.len() * channels * places);
    let planes = pictures.chunks_exact_mut(places).zip(looks.chunks_exact(places));
    for (index, (plane, look)) in planes.enumerate() {
        let share = f64::from(shares[index / channels]);
        if share != 0.0 {
            let ((mean, deviation), (to_mean, to_deviation)) = (statistics(plane), statistics(look));
            let mean_then = mean + share * (to_mean - mean);
            let stretch = if deviation < FLAT { 1.0 } else { 1.0 + share * (to_deviation / deviation - 1.0) };
            for value in plane {
                *value = (mean_then + stretch * (f64::from(*value) - mean)) as f32;
            }
        }
    }
    Tensor::from_vec(values, (n, channels, height, width), x.device())
}

/// How far a layer of a request's picture takes the other's look.
fn share(request: &ImageRequest, layer: usize) -> f32 {
    let style = request.style.as_ref().filter(|style| style.layers.iter().any(|chosen| *chosen as usize == layer));
    style.map_or(0.0, |style| style.amount)
}

/// The mean of a plane and its standard deviation.
fn statistics(plane: &[f32]) -> (f64, f64) {
    let count = plane.len() as f64;
    let mean = plane.iter().map(|value| f64::from(*value)).sum::<f64>() / count;
    let square = plane.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum::<f64>() / count;
    (mean, square.sqrt())
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::{generate::image::Style, kernels::testing::Numbers};

    fn styled(layers: &[u32], amount: f32) -> ImageRequest {
        let style = Style { of: Box::new(ImageRequest::of_seed(2)), layers: layers.to_vec(), amount };
        ImageRequest { style: Some(style), ..ImageRequest::of_seed(1) }
    }

    #[test]
    fn chosen_layers_take_the_statistics_of_the_other_picture() {
        let values = Numbers::new(3).vector(4 * 3 * 5 * 7);
        let x = Tensor::from_vec(values.clone(), (4, 3, 5, 7), &Device::Cpu).expect("a tensor");
        let (whole, half) = (styled(&[1, 2], 1.0), styled(&[2], 0.5));
        let run = |layer| {
            let y = restyled(&x, layer, &[&whole, &half]).expect("pairs");
            y.flatten_all().expect("flat").to_vec1::<f32>().expect("numbers")
        };
        assert_eq!(run(0), values, "not chosen");
        let (one, two) = (run(1), run(2));
        assert_eq!(one[105..], values[105..], "the second is not changed at layer 1, and no look ever is");
        assert_eq!(two[210..], values[210..]);
        let plane =
            |values: &[f32], picture: usize, channel: usize| statistics(&values[(picture * 3 + channel) * 35..][..35]);
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-5, "{a} {b}");
        for channel in 0..3 {
            let ((got, wanted), before) =
                ((plane(&two, 0, channel), plane(&values, 2, channel)), &values[channel * 35..]);
            close(got.0, wanted.0);
            close(got.1, wanted.1);
            // What is stretched keeps its pattern.
            let (own, stretched) = (plane(&values, 0, channel), &two[channel * 35..]);
            for at in 0..35 {
                let unit = |value: f32, (mean, deviation): (f64, f64)| (f64::from(value) - mean) / deviation;
                close(unit(before[at], own), unit(stretched[at], got));
            }
            let (half, [from, to]) = (plane(&two, 1, channel), [1, 3].map(|picture| plane(&values, picture, channel)));
            close(half.0, (from.0 + to.0) / 2.0);
            close(half.1, (from.1 + to.1) / 2.0);
        }
        assert!(restyled(&x, 1, &[&whole]).is_err(), "no pairs");
    }

    #[test]
    fn a_flat_plane_is_moved_and_stays_a_number() {
        let x = Tensor::from_vec(vec![2.0_f32, 2.0, 5.0, 7.0], (2, 1, 1, 2), &Device::Cpu).expect("a tensor");
        let y = restyled(&x, 0, &[&styled(&[0], 1.0)]).expect("a pair");
        assert_eq!(y.flatten_all().expect("flat").to_vec1::<f32>().expect("numbers"), [6.0, 6.0, 5.0, 7.0]);
    }
}
