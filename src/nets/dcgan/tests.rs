use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Device, Tensor};

use super::*;
use crate::kernels::{autograd::first_order, testing::Numbers};

fn config() -> DcganConfig {
    let class = |en: &str| ClassName { en: en.to_owned(), zh: "类".to_owned() };
    DcganConfig { latent: 5, channels: 3, widths: vec![7, 6], classes: vec![class("a"), class("b")] }
}

fn random(weights: Vec<(String, Vec<usize>, Option<f64>)>, numbers: &mut Numbers) -> Tensors {
    let tensor = |shape: &[usize], numbers: &mut Numbers| {
        Tensor::from_vec(numbers.vector(shape.iter().product()), shape, &Device::Cpu).expect("a tensor")
    };
    weights.into_iter().map(|(name, shape, _)| (name, tensor(&shape, numbers))).collect()
}

#[test]
fn evaluation_is_training_with_the_statistics_of_its_batch() {
    let (config, mut numbers) = (config(), Numbers::new(2));
    let mut tensors = random(config.generator_weights(), &mut numbers);
    let z = Tensor::from_vec(numbers.vector(6 * 7), (6, 7), &Device::Cpu).expect("latents");
    let training = Generator::in_training(&config, &tensors).expect("a generator");
    let (want, statistics) = training.run(&z).expect("pictures");
    assert_eq!((want.dims(), config.side()), (&[6, 3, 16, 16][..], 16));
    for (layer, statistics) in statistics.into_iter().enumerate() {
        let put = |values: Vec<f32>| Tensor::new(values, &Device::Cpu).expect("a tensor");
        tensors.insert(format!("main.{}.running_mean", 3 * layer + 1), put(statistics.mean));
        tensors.insert(format!("main.{}.running_var", 3 * layer + 1), put(statistics.variance));
    }
    let found = DcganConfig::of_tensors(&tensors, Some(&config.metadata())).expect("a config");
    assert_eq!(found, config);
    let got = Generator::new(&found, &tensors).expect("a generator").forward(&z).expect("pictures");
    let far = (got - want).and_then(|t| t.abs()?.max_all()?.to_dtype(DType::F64)?.to_scalar::<f64>());
    assert!(far.expect("a number") < 1e-5);
    let plain = DcganConfig::of_tensors(&tensors, None).expect("a config");
    assert_eq!((plain.latent, plain.classes.len()), (7, 0));
}

#[test]
fn modules_may_be_called_and_numbered_otherwise() {
    let (config, mut numbers) = (config(), Numbers::new(6));
    let mut good = random(config.generator_weights(), &mut numbers);
    for (layer, width) in config.widths.iter().enumerate() {
        let mut values = numbers.vector(2 * width);
        values.iter_mut().for_each(|value| *value = value.abs() + 0.5);
        let tensor = |values: &[f32]| Tensor::new(values, &Device::Cpu).expect("a tensor");
        good.insert(format!("main.{}.running_mean", 3 * layer + 1), tensor(&values[..*width]));
        good.insert(format!("main.{}.running_var", 3 * layer + 1), tensor(&values[*width..]));
    }
    let z = Tensor::from_vec(numbers.vector(2 * 7), (2, 7), &Device::Cpu).expect("latents");
    let draw = |tensors: &Tensors| -> Vec<f32> {
        let pictures = Generator::new(&config, tensors).expect("a generator").forward(&z).expect("pictures");
        pictures.flatten_all().and_then(|t| t.to_vec1()).expect("numbers")
    };
    let names = [
        ["net.0.0", "net.0.1", "net.4.0", "net.4.1", "net.10.0"],
        ["conv1", "bn1", "conv2", "bn2", "conv3"],
        ["main.0", "main.1", "main.4", "main.5", "main.7"],
    ];
    for names in names {
        let renamed = |(name, tensor): (&String, &Tensor)| {
            let (_, rest) = name.split_once('.').expect("main");
            let (number, part) = rest.split_once('.').expect("a part");
            let number: usize = number.parse().expect("a number");
            (format!("{}.{part}", names[number - number / 3]), tensor.clone())
        };
        let mut other: Tensors = good.iter().map(renamed).collect();
        other.insert(format!("{}.num_batches_tracked", names[1]), Tensor::new(9_i64, &Device::Cpu).expect("a number"));
        let canonical = DcganConfig::canonical(other.clone());
        assert_eq!(draw(&canonical), draw(&good));
        // A bias of a convolution before its norm only moves the mean.
        let mean = good["main.1.running_mean"].clone();
        other.insert(format!("{}.bias", names[0]), mean);
        other.insert(format!("{}.running_mean", names[1]), (&good["main.1.running_mean"] * 2.0).expect("twice"));
        let off = draw(&DcganConfig::canonical(other))
            .iter()
            .zip(draw(&good))
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max);
        assert!(off < 1e-5, "{off}");
    }
    // What is no such generator comes back as it is.
    let critic = random(config.discriminator_weights(), &mut numbers);
    let names = |tensors: &Tensors| tensors.keys().cloned().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(names(&DcganConfig::canonical(critic.clone())), names(&critic));
}

/// `tests/fixtures/eyes/make.py` makes what is compared.
#[test]
fn the_bundled_eyes_agree_with_pytorch() {
    let root = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let load = |path: &str| candle_core::safetensors::load(root.join(path), &Device::Cpu).expect("tensors");
    let weights = load("models/image/eyes/eyes.safetensors").into_iter();
    let weights = weights.map(|(name, tensor)| (name, tensor.to_dtype(DType::F32).expect("floats"))).collect();
    let weights = DcganConfig::canonical(weights);
    let config = DcganConfig::of_tensors(&weights, None).expect("a config");
    assert_eq!((config.latent, config.side(), config.channels), (108, 128, 3));
    let io = load("tests/fixtures/eyes/io.safetensors");
    let drawn = Generator::new(&config, &weights).expect("a generator").forward(&io["input"]).expect("pictures");
    let third = Tensor::new((0..128).step_by(3).collect::<Vec<u32>>(), &Device::Cpu).expect("places");
    let drawn = drawn.index_select(&third, 2).and_then(|t| t.index_select(&third, 3)).expect("every third");
    assert_eq!(drawn.dims(), io["output"].dims());
    let far = (drawn - &io["output"]).and_then(|t| t.abs()?.max_all()?.to_scalar::<f32>()).expect("a number");
    // Of a range of 2.
    assert!(far < 2e-4, "{far}");
}

#[test]
fn the_discriminator_judges_by_class() {
    let (config, mut numbers) = (config(), Numbers::new(3));
    let tensors = random(config.discriminator_weights(), &mut numbers);
    let discriminator = Discriminator::new(&config, &tensors).expect("a discriminator");
    let pictures = Tensor::from_vec(numbers.vector(2 * 3 * 256), (2, 3, 16, 16), &Device::Cpu).expect("pictures");
    let class = |rows: [[f32; 2]; 2]| Tensor::new(&rows, &Device::Cpu).expect("classes");
    let score = |classes: &Tensor| -> Vec<f32> {
        let scores = discriminator.forward(&pictures, Some(classes)).expect("scores");
        scores.flatten_all().and_then(|t| t.to_vec1()).expect("numbers")
    };
    let (first, second) = (score(&class([[1.0, 0.0], [1.0, 0.0]])), score(&class([[1.0, 0.0], [0.0, 1.0]])));
    assert_eq!(first[0], second[0]);
    assert!((first[1] - second[1]).abs() > 1e-4);
}

#[test]
fn other_weights_are_refused() {
    let (config, mut numbers) = (config(), Numbers::new(4));
    let good = random(config.generator_weights(), &mut numbers);
    assert!(DcganConfig::fits(&good));
    let refused = |name: &str, shape: &[usize]| {
        let mut bad = good.clone();
        bad.insert(name.to_owned(), Tensor::zeros(shape, DType::F32, &Device::Cpu).expect("zeros"));
        DcganConfig::of_tensors(&bad, None).is_err()
    };
    assert!(refused("main.0.weight", &[5, 9, 4, 4]) && refused("main.6.weight", &[6, 2, 4, 4]));
    assert!(refused("main.3.weight", &[7, 6, 3, 3]) && refused("main.3.weight", &[7]));
    assert!(DcganConfig::of_tensors(&good, Some("{\"classes\": 3}")).is_err());
    assert!(DcganConfig::of_tensors(&Tensors::new(), None).is_err());
    let no_statistics = Generator::new(&config, &good).err().expect("refused");
    assert!(no_statistics.to_string().contains("running_mean"));
}

/// For every weight tensor: the length of its gradient, and how fast the loss grows along it by differences.
fn slopes(
    weights: &[(String, Vec<usize>, Option<f64>)],
    numbers: &mut Numbers,
    loss: &dyn Fn(&Tensors) -> candle_core::Result<Tensor>,
) -> Vec<(String, f64, f64)> {
    let mut values: BTreeMap<&String, (Vec<f32>, &Vec<usize>)> = BTreeMap::new();
    for (name, shape, deviation) in weights {
        let fan = shape.iter().skip(1).product::<usize>().max(1) as f64;
        let base = if deviation.is_none() { 1.0 } else { 0.0 };
        let numbers = numbers.vector(shape.iter().product());
        let scaled = numbers.into_iter().map(|value| (base + f64::from(value) / fan.sqrt()) as f32).collect();
        values.insert(name, (scaled, shape));
    }
    let tensor =
        |values: &[f32], shape: &[usize]| Tensor::from_vec(values.to_vec(), shape, &Device::Cpu).expect("a tensor");
    let variables: HashMap<String, candle_core::Var> = values
        .iter()
        .map(|(name, (values, shape))| {
            ((*name).clone(), candle_core::Var::from_tensor(&tensor(values, shape)).expect("a variable"))
        })
        .collect();
    let tensors = variables.iter().map(|(name, v)| (name.clone(), v.as_tensor().clone())).collect();
    let gradients = loss(&tensors).and_then(|loss| first_order(|| loss.backward())).expect("gradients");
    let mut slopes = Vec::new();
    for (name, _, _) in weights {
        let gradient = gradients.get(variables[name].as_tensor()).expect("a gradient");
        let gradient: Vec<f32> = gradient.flatten_all().and_then(|t| t.to_vec1()).expect("numbers");
        let length = gradient.iter().map(|part| f64::from(*part).powi(2)).sum::<f64>().sqrt();
        let value = |step: f64| -> f64 {
            let mut moved: Tensors = variables.iter().map(|(name, v)| (name.clone(), v.as_detached_tensor())).collect();
            let (values, shape) = &values[name];
            let along = |(value, part): (&f32, &f32)| (f64::from(*value) + step * f64::from(*part) / length) as f32;
            moved.insert(name.clone(), tensor(&values.iter().zip(&gradient).map(along).collect::<Vec<_>>(), shape));
            let loss = loss(&moved).and_then(|loss| loss.to_dtype(DType::F64)?.to_scalar::<f64>());
            loss.expect("a loss")
        };
        slopes.push((name.clone(), length, (value(1e-3) - value(-1e-3)) / 2e-3));
    }
    slopes
}

#[test]
fn gradients_of_both_networks_are_those_of_differences() {
    let mut numbers = Numbers::new(8);
    for widths in [vec![7, 6], vec![9, 8, 5], vec![40, 24, 16, 12]] {
        let config = DcganConfig { widths, ..config() };
        let side = config.side();
        let z = Tensor::from_vec(numbers.vector(8 * 7), (8, 7), &Device::Cpu).expect("latents");
        let mask = numbers.vector(8 * 3 * side * side);
        let mask = Tensor::from_vec(mask, (8, 3, side, side), &Device::Cpu).expect("a mask");
        let wrap = |why: crate::Error| candle_core::Error::Msg(why.to_string());
        let generator = |tensors: &Tensors| {
            let pictures = Generator::in_training(&config, tensors).map_err(wrap)?.run(&z)?.0;
            (pictures * &mask)?.sum_all()
        };
        let classes = Tensor::new(&[[1.0_f32, 0.0]; 8], &Device::Cpu).expect("classes");
        let signs = Tensor::new(&[1.0_f32, -2.0, 0.5, 1.5, -0.7, 2.0, 0.3, 1.0], &Device::Cpu).expect("numbers");
        let critic = |tensors: &Tensors| {
            let scores = Discriminator::new(&config, tensors).map_err(wrap)?.forward(&mask, Some(&classes))?;
            (scores.flatten_all()? * &signs)?.sum_all()
        };
        let both = slopes(&config.generator_weights(), &mut numbers, &generator);
        for (name, ours, differences) in
            both.into_iter().chain(slopes(&config.discriminator_weights(), &mut numbers, &critic))
        {
            assert!((ours - differences).abs() < 0.03 * ours, "{side} {name}: {ours} {differences}");
        }
    }
}
