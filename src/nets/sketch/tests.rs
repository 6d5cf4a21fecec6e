//! Parity with PyTorch: `tests/fixtures/sketch/make.py` makes what is compared here.

use std::{collections::HashMap, path::PathBuf};

use candle_core::{Device, Tensor};

use super::*;

/// How far from PyTorch's numbers ours may be.
const TOLERANCE: f32 = 1e-4;

fn fixture(name: &str) -> HashMap<String, Tensor> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sketch").join(name);
    candle_core::safetensors::load(path, &Device::Cpu).expect("fixture")
}

fn settings(pairs: &[(&str, &str)]) -> Settings {
    let mut settings = Settings::default();
    pairs.iter().for_each(|(key, value)| settings.set(key, value));
    settings
}

fn network(weights: HashMap<String, Tensor>, pairs: &[(&str, &str)]) -> Result<Sketch> {
    Sketch::from_state(&State::new(weights)?, &mut settings(pairs))
}

fn numbers(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().and_then(|flat| flat.to_vec1()).expect("numbers")
}

fn assert_same(ours: &Tensor, theirs: &Tensor) {
    assert_eq!(ours.dims(), theirs.dims());
    let (ours, theirs) = (numbers(ours), numbers(theirs));
    let worst = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < TOLERANCE, "differs by {worst}");
}

fn assert_parity(network: &Sketch, io: &str) {
    let io = fixture(io);
    assert_same(&network.forward(&io["input"]).expect("forward"), &io["output"]);
}

/// The formula of `make.py`: tensor number `n` of a perceptron.
fn by_formula(n: u64, shape: &[usize]) -> Tensor {
    let fan_in = if shape.len() > 1 { shape[1] } else { 16 };
    let entry = |k: u64| {
        let mut bits = (k * 2_654_435_761 + (n + 1) * 97) & 0xffff_ffff;
        bits ^= bits >> 15;
        bits = bits.wrapping_mul(2_246_822_519) & 0xffff_ffff;
        bits ^= bits >> 13;
        let unit = bits as f64 / 4_294_967_296.0 * 2.0 - 1.0;
        (unit * 1.7 / (fan_in as f64).sqrt()) as f32
    };
    let count = shape.iter().product::<usize>() as u64;
    Tensor::from_vec((0..count).map(entry).collect(), shape, &Device::Cpu).expect("tensor")
}

fn perceptron(sizes: [usize; 5]) -> HashMap<String, Tensor> {
    let mut tensors = HashMap::new();
    for layer in 0..4 {
        let (place, n) = (2 * layer, 2 * layer as u64);
        let weight = by_formula(n, &[sizes[layer + 1], sizes[layer]]);
        tensors.insert(format!("fc.{place}.weight"), weight);
        tensors.insert(format!("fc.{place}.bias"), by_formula(n + 1, &[sizes[layer + 1]]));
    }
    tensors
}

#[test]
fn the_transformer_gives_pytorchs_logits() {
    let network = network(fixture("transformer.safetensors"), &[("nhead", "3")]).expect("network");
    assert_parity(&network, "transformer_io.safetensors");
}

#[test]
fn positions_can_be_computed_when_they_are_not_saved() {
    let mut weights = fixture("transformer.safetensors");
    let saved = weights.remove("pos_encoder.pe").expect("saved positions");
    assert_same(&transformer::sinusoids(40, 12, &Device::Cpu).expect("positions"), &saved);
    let network = network(weights, &[("nhead", "3")]).expect("network");
    assert_parity(&network, "transformer_io.safetensors");
}

#[test]
fn a_step_of_the_transformer_sees_no_later_one() {
    let network = network(fixture("transformer.safetensors"), &[("nhead", "3")]).expect("network");
    let run = |ids: &[i64]| {
        let ids = Tensor::from_slice(ids, (ids.len(), 1), &Device::Cpu).expect("ids");
        network.forward(&ids).expect("forward")
    };
    let (long, short) = (run(&[1, 2, 3, 4, 5]), run(&[1, 2, 3]));
    assert_same(&long.narrow(0, 0, 3).expect("front"), &short);
    assert_ne!(numbers(&run(&[0, 2, 3]))[34..], numbers(&short)[34..], "but it sees earlier ones");
}

#[test]
fn the_wavenet_gives_pytorchs_signal() {
    let network = network(fixture("wavenet.safetensors"), &[]).expect("network");
    assert_parity(&network, "wavenet_io.safetensors");
}

#[test]
fn the_wavenet_is_causal_and_runs_signals_shorter_than_its_dilations() {
    let network = network(fixture("wavenet.safetensors"), &[]).expect("network");
    let input = &fixture("wavenet_io.safetensors")["input"];
    let whole = network.forward(input).expect("forward");
    for steps in [1, 2, 7, 33] {
        let part = network.forward(&input.narrow(2, 0, steps).expect("front")).expect("forward");
        assert_same(&part, &whole.narrow(2, 0, steps).expect("front"));
    }
}

#[test]
fn the_gan_gives_pytorchs_samples_and_verdicts() {
    let generator = network(perceptron([8, 256, 512, 1024, 30]), &[]).expect("network");
    assert!(matches!(generator, Sketch::Generator(_)));
    assert_parity(&generator, "generator_io.safetensors");
    let discriminator = network(perceptron([30, 1024, 512, 256, 1]), &[]).expect("network");
    assert!(matches!(discriminator, Sketch::Discriminator(_)));
    assert_parity(&discriminator, "discriminator_io.safetensors");
    // A generator of one number is none the less a generator.
    assert!(matches!(network(perceptron([8, 256, 512, 1024, 1]), &[]), Ok(Sketch::Generator(_))));
}

#[test]
fn weights_and_settings_that_make_no_sense_are_refused() {
    let refused = |weights: HashMap<String, Tensor>, pairs: &[(&str, &str)]| match network(weights, pairs) {
        Ok(_) => panic!("accepted"),
        Err(error) => error.to_string(),
    };
    let transformer = || fixture("transformer.safetensors");
    assert!(refused(HashMap::new(), &[]).contains("no network"));
    assert!(refused(transformer(), &[]).contains("--set nhead=2"));
    assert!(refused(transformer(), &[("nhead", "5")]).contains("do not divide"));
    assert!(refused(transformer(), &[("nhead", "0")]).contains("above 0"));
    for missing in ["decoder.bias", "transformer_encoder.layers.1.norm2.weight", "encoder.weight"] {
        let mut weights = transformer();
        weights.remove(missing).expect("was there");
        assert!(refused(weights, &[("nhead", "3")]).contains(missing.rsplit('.').next().expect("a part")));
    }
    let mut weights = fixture("wavenet.safetensors");
    weights.insert("layers.3.conv.weight".to_owned(), by_formula(0, &[5, 4, 2]));
    assert!(refused(weights, &[]).contains("shape"));
    let mut weights = perceptron([8, 256, 512, 1024, 30]);
    weights.insert("fc.2.weight".to_owned(), by_formula(0, &[512]));
    assert!(refused(weights, &[]).contains("2 dimensions"));
    let mut left = settings(&[("nhead", "3")]);
    Sketch::from_state(&State::new(fixture("wavenet.safetensors")).expect("state"), &mut left).expect("network");
    assert!(left.all_taken().is_err());
}

#[test]
fn inputs_that_make_no_sense_are_refused() {
    let transformer = network(fixture("transformer.safetensors"), &[("nhead", "3")]).expect("network");
    let wavenet = network(fixture("wavenet.safetensors"), &[]).expect("network");
    let generator = network(perceptron([8, 256, 512, 1024, 30]), &[]).expect("network");
    let ids = |values: &[i64], shape: (usize, usize)| Tensor::from_slice(values, shape, &Device::Cpu).expect("ids");
    let floats = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).expect("floats");
    for (network, input) in [
        (&transformer, ids(&[17], (1, 1))),
        (&transformer, ids(&[-1], (1, 1))),
        (&transformer, ids(&[0; 41], (41, 1))),
        (&transformer, ids(&[], (0, 1))),
        (&transformer, floats(&[2, 2])),
        (&wavenet, floats(&[1, 4, 9])),
        (&wavenet, floats(&[5, 9])),
        (&wavenet, floats(&[1, 5, 0])),
        (&generator, floats(&[3, 7])),
        (&generator, floats(&[8])),
        (&generator, floats(&[0, 8])),
    ] {
        let error = network.forward(&input).expect_err("refused").to_string();
        assert!(error.lines().count() == 1 && error.ends_with('.'), "{error}");
    }
}
