//! How unlike a photograph's texture pictures are, by the statistics of what a network trained on photographs sees
//! (Gatys et al., 2015; Ulyanov et al., 2016, for generators).

use candle_core::{Device, Result as TensorResult, Tensor};

use super::photographs::Photographs;
use crate::{
    Error, Result,
    formats::safetensors,
    kernels::{
        conv::{ConvOptions, ConvWeight, conv2d},
        elementwise::Activation,
        moments::moments,
        pooling::avg_pool2d,
    },
    nets::features::Features,
    random::Rng,
};

/// The first blocks of EfficientNet-Lite0.
static WEIGHTS: &[u8] = include_bytes!("../../../models/features/efficientnet-lite0/features.safetensors");
/// Sizes that pictures are looked at in, each half of the one before.
const SIZES: usize = 3;
/// The first of what the network sees that is of use in the smaller sizes.
const DEEPER: usize = 3;
/// Pixels of a patch each way.
const PATCH: usize = 3;
/// Weight of the means beside the mean products.
const OF_MEANS: f32 = 0.5;
/// The share of the mean products in what a layer's distance is measured by.
const STEADY: f64 = 1e-3;
/// Squares whose statistics are taken at a time.
const BATCH: usize = 8;

/// The statistics of photographs, and what compares pictures with them.
pub(super) struct Judge {
    features: Features,
    patches: ConvWeight,
    /// Of each layer: moments (classes, channels, channels + 1), and for each class one over the size of its covariance.
    targets: Vec<(Tensor, Tensor)>,
}

impl Judge {
    pub(super) fn new(photographs: &Photographs, side: usize, seed: u64) -> Result<Self> {
        let (tensors, _) = safetensors::read(WEIGHTS).map_err(|why| Error::new(why.clone(), why))?;
        let features = Features::new(&tensors)?;
        let build = move || -> TensorResult<Self> {
            let mut judge = Self { features, patches: patches()?, targets: Vec::new() };
            let mut layers: Vec<[Vec<Tensor>; 2]> = Vec::new();
            for (class, planes) in photographs.all.iter().enumerate() {
                let squares = planes.squares(side, &mut Rng::at(seed, u64::MAX - 1 - class as u64));
                let mut sums: Vec<Tensor> = Vec::new();
                for squares in squares.chunks(BATCH) {
                    let shape = (squares.len(), 3, side, side);
                    let seen = judge.seen(&Tensor::from_vec(squares.concat(), shape, &Device::Cpu)?)?;
                    let seen: Vec<Tensor> = seen.iter().map(|layer| layer.sum(0)).collect::<TensorResult<_>>()?;
                    sums = if sums.is_empty() {
                        seen
                    } else {
                        sums.iter().zip(&seen).map(|(a, b)| a + b).collect::<TensorResult<_>>()?
                    };
                }
                layers.resize_with(sums.len(), Default::default);
                for (layer, sum) in layers.iter_mut().zip(sums) {
                    let mean = (sum / squares.len() as f64)?;
                    layer[1].push(Tensor::new(1.0 / size_of(&mean)?, &Device::Cpu)?);
                    layer[0].push(mean);
                }
            }
            let stacked =
                |[moments, scales]: &[Vec<Tensor>; 2]| Ok((Tensor::stack(moments, 0)?, Tensor::stack(scales, 0)?));
            judge.targets = layers.iter().map(stacked).collect::<TensorResult<_>>()?;
            Ok(judge)
        };
        build().map_err(|why| crate::train::learner::failed(&why))
    }

    /// The mean distance of the photographs' own squares, which differ from the whole as well.
    pub(super) fn distance_of_real(&self, photographs: &Photographs, side: usize, seed: u64) -> Result<f64> {
        let measure = || -> TensorResult<f64> {
            let (mut sum, mut count) = (0.0, 0);
            for (class, planes) in photographs.all.iter().enumerate() {
                let squares = planes.squares(side, &mut Rng::at(seed, u64::MAX - 1 - class as u64));
                for squares in squares.chunks(BATCH) {
                    let shape = (squares.len(), 3, side, side);
                    let pictures = Tensor::from_vec(squares.concat(), shape, &Device::Cpu)?;
                    let distance = self.distance(&pictures, &vec![class as u32; squares.len()])?.to_scalar::<f32>()?;
                    (sum, count) = (sum + f64::from(distance) * squares.len() as f64, count + squares.len());
                }
            }
            Ok(sum / count.max(1) as f64)
        };
        measure().map_err(|why| crate::train::learner::failed(&why))
    }

    /// The moments of every layer of pictures (N, 3, H, W) of −1..1.
    fn seen(&self, pictures: &Tensor) -> TensorResult<Vec<Tensor>> {
        let (mut pictures, mut all) = (pictures.clone(), Vec::new());
        for size in 0..SIZES {
            if size > 0 {
                pictures = avg_pool2d(&pictures, 2, 2)?;
            }
            all.push(moments(&conv2d(&pictures, &self.patches, None, &ConvOptions::default(), Activation::None)?)?);
            let seen = self.features.forward(&pictures)?;
            for layer in &seen[if size == 0 { 0 } else { DEEPER }..] {
                all.push(moments(layer)?);
            }
        }
        Ok(all)
    }

    /// The distance of pictures of the given classes from the photographs: the sum over layers, the mean over pictures.
    pub(super) fn distance(&self, pictures: &Tensor, classes: &[u32]) -> TensorResult<Tensor> {
        let classes = Tensor::new(classes, &Device::Cpu)?;
        let mut total: Option<Tensor> = None;
        for (seen, (targets, scales)) in self.seen(pictures)?.iter().zip(&self.targets) {
            let channels = seen.dim(1)?;
            let mut weights = vec![1.0; channels + 1];
            weights[channels] = OF_MEANS.sqrt();
            let off = (seen - targets.index_select(&classes, 0)?)?
                .broadcast_mul(&Tensor::new(weights, &Device::Cpu)?)?
                .sqr()?
                .sum((1, 2))?;
            // The root keeps layers that are far off from drowning the others; it has no slope at nothing.
            let distance = ((off * scales.index_select(&classes, 0)?)? + 1e-8)?.sqrt()?.mean_all()?;
            total = Some(total.map_or(Ok(distance.clone()), |total| total + distance)?);
        }
        total.map_or_else(|| Tensor::new(0.0_f32, &Device::Cpu), Ok)
    }
}

/// The sum of squares of the covariance that moments (channels, channels + 1) tell of, and a share of that of the mean
/// products: a layer in which a photograph hardly varies must not drown the others.
fn size_of(moments: &Tensor) -> TensorResult<f32> {
    let rows = moments.to_vec2::<f32>()?;
    let channels = rows.len();
    let (mut size, mut whole) = (0.0_f64, 0.0_f64);
    for (row, column) in (0..channels).flat_map(|row| (0..channels).map(move |column| (row, column))) {
        let product = f64::from(rows[row][column]);
        let covariance = product - f64::from(rows[row][channels]) * f64::from(rows[column][channels]);
        (size, whole) = (size + covariance * covariance, whole + product * product);
    }
    Ok((size + STEADY * whole).max(1e-12) as f32)
}

/// The weight of a convolution whose outputs are the pixels of patches.
fn patches() -> TensorResult<ConvWeight> {
    let taps = 3 * PATCH * PATCH;
    let numbers: Vec<f32> = (0..taps * taps).map(|i| f32::from(u8::from(i / taps == i % taps))).collect();
    ConvWeight::fixed(&Tensor::from_vec(numbers, (taps, 3, PATCH, PATCH), &Device::Cpu)?)
}
