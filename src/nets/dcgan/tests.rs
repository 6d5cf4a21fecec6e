use candle_core::{DType, Device};

use super::*;
use crate::kernels::testing::Numbers;

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
