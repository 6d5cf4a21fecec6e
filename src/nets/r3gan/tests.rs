use std::collections::HashMap;

use candle_core::{DType, Device, Var};

use super::{config::Weights, *};
use crate::{
    kernels::testing::{Numbers, assert_close},
    nets::{dcgan::ClassName, network::Network, sketch::Settings},
};

fn load(name: &str) -> Tensors {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/r3gan").join(name);
    candle_core::safetensors::load(path, &Device::Cpu).expect("tensors")
}

/// The largest difference, of the range of what is wanted.
fn far(got: &Tensor, wanted: &Tensor) -> f32 {
    let number = |t: TensorResult<Tensor>| t.and_then(|t| t.to_scalar::<f32>()).expect("a number");
    let range = number(wanted.max_all()) - number(wanted.min_all());
    number((got - wanted).and_then(|t| t.abs()?.max_all())) / range
}

/// `tests/fixtures/r3gan/make.py` makes what is compared.
#[test]
fn the_generator_agrees_with_pytorch() {
    let (weights, io) = (load("small.safetensors"), load("small_io.safetensors"));
    let config = R3ganConfig::of_tensors(&weights, None).expect("a config");
    assert_eq!((config.latent, config.embedding, config.classes.len(), config.side()), (6, 4, 3, 16));
    assert_eq!((config.widths.as_slice(), config.blocks, config.expansion, config.group), (&[12, 8, 8][..], 2, 2, 4));
    let names = |weights: Vec<(String, Vec<usize>, Option<f64>)>| -> std::collections::BTreeMap<_, _> {
        weights.into_iter().map(|(name, shape, _)| (name, shape)).collect()
    };
    let stored = weights.iter().map(|(name, tensor)| (name.clone(), tensor.dims().to_vec(), None)).collect();
    assert_eq!(names(config.generator_weights()), names(stored));
    let network = Network::from_state(weights, &mut Settings::default()).expect("a network");
    let drawn = network.forward(&io["input"], Some(&io["class"])).expect("pictures");
    assert_eq!(drawn.dims(), [5, 3, 16, 16]);
    assert!(far(&drawn, &io["output"]) < 1e-5, "{}", far(&drawn, &io["output"]));
    for (wrong, class) in [((5, 7), false), ((5, 5), true), ((4, 6), true)] {
        let input = Tensor::zeros(wrong, DType::F32, &Device::Cpu).expect("zeros");
        assert!(network.forward(&input, class.then_some(&io["class"])).is_err());
    }
}

#[test]
fn the_critic_is_the_generator_backwards_and_judges_by_class() {
    let class = |en: &str| ClassName { en: en.to_owned(), zh: "类".to_owned() };
    let config = R3ganConfig {
        latent: 5,
        channels: 1,
        widths: vec![12, 8, 8],
        blocks: 1,
        expansion: 2,
        group: 4,
        embedding: 5,
        classes: vec![class("a"), class("b")],
    };
    let mut numbers = Numbers::new(4);
    let weights = config.critic_weights().into_iter().map(|(name, shape, _)| {
        let tensor = Tensor::from_vec(numbers.vector(shape.iter().product()), shape, &Device::Cpu).expect("a tensor");
        (name, tensor)
    });
    let mut weights: Tensors = weights.collect();
    let critic = Critic::new(&config, &weights).expect("a critic");
    let pictures = Tensor::from_vec(Numbers::new(5).vector(2 * 256), (2, 1, 16, 16), &Device::Cpu).expect("pictures");
    let scores = |rows: [[f32; 2]; 2]| -> Vec<f32> {
        let classes = Tensor::new(&rows, &Device::Cpu).expect("classes");
        let scores = critic.forward(&pictures, Some(&classes)).expect("scores");
        assert_eq!(scores.dims(), [2, 1]);
        scores.flatten_all().and_then(|t| t.to_vec1()).expect("numbers")
    };
    let (first, second) = (scores([[1.0, 0.0], [1.0, 0.0]]), scores([[0.0, 1.0], [1.0, 0.0]]));
    assert!(first[0] != second[0] && first[1] == second[1]);
    weights.remove("MainLayers.1.Layers.0.NonLinearity2.Bias").expect("a bias");
    assert!(Critic::new(&config, &weights).err().expect("refused").to_string().contains("NonLinearity2"));
}

#[test]
fn what_is_no_such_generator_is_refused() {
    let good = load("small.safetensors");
    for name in ["MainLayers.0.Layers.0.LinearLayer.weight", "AggregationLayer.Layer.weight"] {
        let mut weights = good.clone();
        weights.remove(name).expect("a tensor");
        assert!(R3ganConfig::of_tensors(&weights, None).is_err(), "{name}");
    }
    let mut weights = good;
    let odd = Tensor::zeros((24, 5, 3, 3), DType::F32, &Device::Cpu).expect("zeros");
    weights.insert("MainLayers.0.Layers.1.LinearLayer2.Layer.weight".to_owned(), odd);
    let made = R3ganConfig::of_tensors(&weights, None).and_then(|config| Generator::new(&config, &weights));
    assert!(made.is_err());
}

/// A network of two blocks a stage, and weights for its generator and critic.
fn small_pair(widths: &[usize], group: usize, classes: bool) -> (R3ganConfig, [Vec<Vec<f32>>; 2]) {
    let class = |en: &str| ClassName { en: en.to_owned(), zh: "类".to_owned() };
    let config = R3ganConfig {
        latent: 5,
        channels: 3,
        widths: widths.to_vec(),
        blocks: 2,
        expansion: 2,
        group,
        embedding: if classes { 5 } else { 0 },
        classes: if classes { vec![class("a"), class("b")] } else { Vec::new() },
    };
    let mut numbers = Numbers::new(21);
    let weights = [config.generator_weights(), config.critic_weights()].map(|weights| {
        let of = |(_, shape, deviation): &(String, Vec<usize>, Option<f64>)| {
            // Biases and the last layers of blocks begin with nothing, which hides what is wrong with them.
            let deviation = deviation.filter(|deviation| *deviation > 0.0).unwrap_or(0.3) as f32;
            numbers.vector(shape.iter().product()).iter().map(|number| number * 1.7 * deviation).collect()
        };
        weights.iter().map(of).collect()
    });
    (config, weights)
}

fn tensors(weights: &Weights, numbers: &[Vec<f32>]) -> Tensors {
    let mut tensors = Tensors::new();
    for ((name, shape, _), numbers) in weights.iter().zip(numbers) {
        let variable = Var::from_vec(numbers.clone(), shape.clone(), &Device::Cpu).expect("a tensor");
        tensors.insert(name.clone(), variable.as_tensor().clone());
    }
    tensors
}

const CLASSES: [f32; 6] = [1.0, 0.0, 0.0, 1.0, 0.0, 1.0];

#[test]
fn gradients_that_are_written_out_are_those_of_the_networks() {
    // Groups of several channels; one group, whose convolutions are mapped; groups of one channel; without classes.
    for (widths, group, classes) in [([12, 8, 8], 4, true), ([16, 16, 8], 64, true), ([8, 8, 4], 1, false)] {
        agrees_with_recorded_gradients(&widths, group, classes);
    }
}

fn agrees_with_recorded_gradients(widths: &[usize], group: usize, classes: bool) {
    let (config, [of_generator, of_critic]) = small_pair(widths, group, classes);
    let one_hot = if classes { &CLASSES[..] } else { &[] };
    let z: Vec<f32> = Numbers::new(5)
        .vector(15)
        .chunks(5)
        .enumerate()
        .flat_map(|(at, z)| [z, if classes { &CLASSES[2 * at..2 * at + 2] } else { &[] }].concat())
        .collect();
    let slope = Numbers::new(6).vector(3 * 3 * 256);
    let compare = |weights: &[(String, Vec<usize>, Option<f64>)],
                   tensors: &Tensors,
                   loss: Tensor,
                   sums: &[Vec<f32>]| {
        let gradients = loss.backward().expect("gradients");
        for ((name, ..), sum) in weights.iter().zip(sums) {
            let wanted: Vec<f32> =
                gradients.get(&tensors[name]).expect(name).flatten_all().and_then(|t| t.to_vec1()).expect("numbers");
            let wanted: Vec<f64> = wanted.into_iter().map(f64::from).collect();
            assert_close(sum, &wanted, 1e-4, name);
        }
    };

    let passes = GeneratorPasses::new(&config);
    let made = passes.make(&of_generator, &z);
    let mut sums = zeros(&of_generator);
    passes.learn(&of_generator, &made, slope.clone(), &mut sums);
    let by_name = tensors(&config.generator_weights(), &of_generator);
    let input = Tensor::from_vec(z, (3, if classes { 7 } else { 5 }), &Device::Cpu).expect("a tensor");
    let pictures = Generator::new(&config, &by_name).expect("a generator").forward(&input).expect("pictures");
    let wanted: Vec<f32> = pictures.flatten_all().and_then(|t| t.to_vec1()).expect("numbers");
    assert_close(made.pictures(), &wanted.iter().map(|x| f64::from(*x)).collect::<Vec<_>>(), 1e-5, "pictures");
    let slope = Tensor::from_vec(slope, pictures.shape(), &Device::Cpu).expect("a tensor");
    let loss = (pictures * slope).and_then(|t| t.sum_all()).expect("a loss");
    compare(&config.generator_weights(), &by_name, loss, &sums);

    let passes = CriticPasses::new(&config);
    let pictures = Numbers::new(8).vector(3 * 3 * 256);
    let scales = [0.7, -0.3, 1.1];
    let judged = passes.judge(&of_critic, 3, pictures.clone(), one_hot);
    let slopes = passes.slopes(&of_critic, &judged, &scales, true);
    let mut sums = zeros(&of_critic);
    passes.learn(&of_critic, &judged, &slopes, &scales, &mut sums);
    let by_name = tensors(&config.critic_weights(), &of_critic);
    let pictures = Var::from_vec(pictures, (3, 3, 16, 16), &Device::Cpu).expect("a tensor");
    let one_hot = Tensor::from_slice(&CLASSES, (3, 2), &Device::Cpu).expect("a tensor");
    let scores = Critic::new(&config, &by_name)
        .expect("a critic")
        .forward(&pictures, classes.then_some(&one_hot))
        .expect("scores");
    let scales = Tensor::new(&scales, &Device::Cpu).and_then(|t| t.reshape((3, 1))).expect("a tensor");
    let loss = (scores * scales).and_then(|t| t.sum_all()).expect("a loss");
    let to_pictures = loss.backward().expect("gradients").remove(&pictures).expect("a gradient");
    let wanted: Vec<f32> = to_pictures.flatten_all().and_then(|t| t.to_vec1()).expect("numbers");
    assert_close(&slopes.to_pictures, &wanted.iter().map(|x| f64::from(*x)).collect::<Vec<_>>(), 1e-4, "to pictures");
    compare(&config.critic_weights(), &by_name, loss, &sums);
}

/// The critic's score of one picture in `f64`, as plain loops. (`side`² pixels a plane.)
fn score64(config: &R3ganConfig, weights: &HashMap<String, Vec<f64>>, picture: &[f64], class: &[f32]) -> f64 {
    let conv = |x: &[f64], side: usize, w: &[f64], after: usize, taps: usize, groups: usize| -> Vec<f64> {
        let (area, before) = (side * side, x.len() / (side * side));
        let (inner, outer) = (before / groups, after / groups);
        let mut y = vec![0.0; after * area];
        for (out, at) in (0..after).flat_map(|out| (0..area).map(move |at| (out, at))) {
            for (k, tap) in (0..inner).flat_map(|k| (0..taps * taps).map(move |tap| (k, tap))) {
                let row = (at / side + tap / taps).wrapping_sub(taps / 2);
                let column = (at % side + tap % taps).wrapping_sub(taps / 2);
                if row < side && column < side {
                    let from = (out / outer * inner + k) * area + row * side + column;
                    y[out * area + at] += w[(out * inner + k) * taps * taps + tap] * x[from];
                }
            }
        }
        y
    };
    let active = |mut x: Vec<f64>, bias: &[f64]| {
        let area = x.len() / bias.len();
        x.iter_mut().enumerate().for_each(|(at, x)| {
            *x += bias[at / area];
            *x *= if *x > 0.0 { 1.0 } else { 0.2 };
        });
        x
    };
    let widths: Vec<usize> = config.widths.iter().rev().copied().collect();
    let (mut side, mut x) = (config.side(), picture.to_vec());
    x = conv(&x, side, &weights["ExtractionLayer.Layer.weight"], widths[0], 1, 1);
    for (stage, width) in widths.iter().enumerate() {
        for block in 0..config.blocks {
            let of = |part: &str| &weights[&format!("{}.{part}", config.block(stage, block))][..];
            let (wide, groups) = (width * config.expansion, config.groups(*width));
            let y = active(conv(&x, side, of("LinearLayer1.Layer.weight"), wide, 1, 1), of("NonLinearity1.Bias"));
            let y = active(conv(&y, side, of("LinearLayer2.Layer.weight"), wide, 3, groups), of("NonLinearity2.Bias"));
            let y = conv(&y, side, of("LinearLayer3.Layer.weight"), *width, 1, 1);
            x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
        }
        if let Some(after) = widths.get(stage + 1) {
            let half = side / 2;
            let mut small = vec![0.0; width * half * half];
            for (at, small) in small.iter_mut().enumerate() {
                let (plane, at) = (at / (half * half), at % (half * half));
                for (i, j) in (0..3).flat_map(|i| (0..3).map(move |j| (i, j))) {
                    let (y, x_) = ((2 * (at / half) + i).wrapping_sub(1), (2 * (at % half) + j).wrapping_sub(1));
                    if y < side && x_ < side {
                        let weight = [1.0, 2.0, 1.0][i] * [1.0, 2.0, 1.0][j] / 16.0;
                        *small += weight * x[plane * side * side + y * side + x_];
                    }
                }
            }
            (side, x) = (half, small);
            if let Some(change) =
                weights.get(&format!("{}.LinearLayer.Layer.weight", config.block(stage, config.blocks)))
            {
                x = conv(&x, side, change, *after, 1, 1);
            }
        }
    }
    let of = |part: &str| &weights[&format!("{}.{part}.weight", config.block(widths.len() - 1, config.blocks))][..];
    let seen: Vec<f64> = x
        .chunks(16)
        .zip(of("Basis").chunks(16))
        .map(|(x, basis)| x.iter().zip(basis).map(|(x, basis)| x * basis).sum())
        .collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let embedding = weights["EmbeddingLayer.weight"].chunks(class.len());
    let factors = embedding.map(|row| row.iter().zip(class).map(|(row, class)| row * f64::from(*class)).sum::<f64>());
    factors.zip(of("LinearLayer").chunks(seen.len())).map(|(factor, row)| factor * dot(row, &seen)).sum()
}

/// The objective of a penalised step, `Σ scale · score + share / 2 · |∇ score|²`, in `f64`, with the gradient to the picture by
/// differences too, which are exact where no leaky ReLU turns: it changes with every weight as the gradients say.
#[test]
fn the_gradient_of_a_penalty_agrees_with_finite_differences() {
    let (full, _) = small_pair(&[8], 4, true);
    let config = R3ganConfig { channels: 1, widths: vec![6, 4], blocks: 1, expansion: 2, group: 4, ..full };
    let mut numbers = Numbers::new(31);
    let weights: Vec<Vec<f32>> = config
        .critic_weights()
        .iter()
        .map(|(_, shape, _)| numbers.vector(shape.iter().product()).into_iter().map(|x| 0.8 * x).collect())
        .collect();
    let (pictures, scales, share) = (numbers.vector(2 * 64), [0.7_f32, -0.3], 0.4_f32);
    let passes = CriticPasses::new(&config);
    let judged = passes.judge(&weights, 2, pictures.clone(), &CLASSES[..4]);
    let slopes = passes.slopes(&weights, &judged, &[1.0; 2], true);
    let mut sums = zeros(&weights);
    let change = (slopes.to_pictures.clone(), share);
    passes.learn_with_change(&weights, &judged, &slopes, &scales, change, &mut sums);

    let names: Vec<String> = config.critic_weights().into_iter().map(|(name, ..)| name).collect();
    let wide: HashMap<String, Vec<f64>> = (names.iter().cloned())
        .zip(weights.iter().map(|values| values.iter().map(|x| f64::from(*x)).collect()))
        .collect();
    let objective = |weights: &HashMap<String, Vec<f64>>| -> f64 {
        let each = pictures.chunks(64).zip(CLASSES.chunks(2)).zip(scales).map(|((picture, class), scale)| {
            let mut picture: Vec<f64> = picture.iter().map(|x| f64::from(*x)).collect();
            let mut square = 0.0;
            for at in 0..picture.len() {
                let before = picture[at];
                let mut moved = |to: f64| {
                    picture[at] = to;
                    score64(&config, weights, &picture, class)
                };
                square += ((moved(before + 1e-6) - moved(before - 1e-6)) / 2e-6).powi(2);
                picture[at] = before;
            }
            f64::from(scale) * score64(&config, weights, &picture, class) + f64::from(share) / 2.0 * square
        });
        each.sum()
    };
    for (place, name) in names.iter().enumerate() {
        // All numbers of a weight at once, each its own way.
        let direction = numbers.vector(weights[place].len());
        let told: f64 = sums[place].iter().zip(&direction).map(|(g, d)| f64::from(g * d)).sum();
        let moved = |by: f64| {
            let mut moved = wide.clone();
            let values = moved.get_mut(name).expect("a weight");
            values.iter_mut().zip(&direction).for_each(|(weight, d)| *weight += by * f64::from(*d));
            objective(&moved)
        };
        let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
        assert!((slope - told).abs() < 1e-3 * (1.0 + told.abs()), "{name}: {told}, by differences {slope}");
    }
}
