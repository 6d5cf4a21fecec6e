use candle_core::{DType, Device};

use super::*;
use crate::{
    kernels::testing::Numbers,
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
