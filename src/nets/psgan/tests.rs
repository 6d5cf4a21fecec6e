use candle_core::DType;

use super::*;
use crate::{kernels::testing::Numbers, nets::dcgan::ClassName};

fn config(classes: usize) -> PsganConfig {
    let class = |index: usize| ClassName { en: format!("{index}"), zh: format!("{index}") };
    PsganConfig {
        local: 4,
        periodic: 3,
        channels: 3,
        widths: vec![10, 8, 6],
        classes: (0..classes).map(class).collect(),
    }
}

fn tensors(config: &PsganConfig, seed: u64) -> HashMap<String, Tensor> {
    let mut numbers = Numbers::new(seed);
    let mut tensors = HashMap::new();
    for (name, shape, _) in config.generator_weights() {
        let values = numbers.vector(shape.iter().product());
        tensors.insert(name, Tensor::from_vec(values, shape, &Device::Cpu).expect("a tensor"));
    }
    for (layer, width) in config.widths.iter().enumerate() {
        let mean = numbers.vector(*width);
        let variance: Vec<f32> = numbers.vector(*width).iter().map(|value| value.abs() + 0.5).collect();
        for (part, values) in [("mean", mean), ("var", variance)] {
            let name = format!("main.{}.running_{part}", 3 * layer + 1);
            tensors.insert(name, Tensor::new(values, &Device::Cpu).expect("a tensor"));
        }
    }
    tensors
}

fn numbers(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().and_then(|t| t.to_vec1()).expect("numbers")
}

#[test]
fn a_texture_repeats_and_its_parts_are_those_of_the_whole() {
    let config = config(2);
    let weights = tensors(&config, 3);
    let found = PsganConfig::of_tensors(&weights, Some(r#"{"classes":[{"en":"0","zh":"0"},{"en":"1","zh":"1"}]}"#));
    assert_eq!(found.expect("a config"), config);
    let generator = Generator::new(&config, &weights).expect("a generator");
    let (whole, cell) = ([3, 5], config.cell());
    let noise = Numbers::new(8).vector(4 * 15);
    let given = Given { noise: &noise, turns: &[0.1, 0.7, 0.3], class: Some(1) };
    let all = generator.part(whole, [0, 0], whole, &given).expect("a texture");
    assert_eq!((all.dims(), cell), (&[1, 3, 40, 24][..], 8));
    let all = numbers(&all);
    let close = |a: f32, b: f32| (a - b).abs() < 1e-5;
    // A part that begins elsewhere and reaches over the edge is what lies there.
    for (from, size) in [([1, 2], [1, 1]), ([2, 4], [2, 3]), ([0, 0], [6, 1])] {
        let part = numbers(&generator.part(whole, from, size, &given).expect("a part"));
        let [wide, high] = size.map(|cells: usize| cells * cell);
        for (at, value) in part.iter().enumerate() {
            let (plane, y, x) = (at / (wide * high), at / wide % high, at % wide);
            let (y, x) = ((from[1] * cell + y) % 40, (from[0] * cell + x) % 24);
            assert!(close(*value, all[(plane * 40 + y) * 24 + x]), "{from:?} {at}");
        }
    }
    let other = generator.part(whole, [0, 0], whole, &Given { class: Some(0), ..given }).expect("a texture");
    assert!(numbers(&other).iter().zip(&all).any(|(a, b)| !close(*a, *b)));
}

#[test]
fn training_makes_squares_and_teaches_the_waves() {
    for classes in [0, 2] {
        let config = config(classes);
        let mut weights = tensors(&config, 5);
        let waves = candle_core::Var::from_tensor(&weights["waves"]).expect("a variable");
        weights.insert("waves".to_owned(), waves.as_tensor().clone());
        let generator = Generator::in_training(&config, &weights).expect("a generator");
        let (rows, inputs) = (3, config.numbers(16) + classes);
        assert_eq!(config.numbers(16), 4 * 25 + 3);
        let z = Tensor::from_vec(Numbers::new(6).vector(rows * inputs), (rows, inputs), &Device::Cpu).expect("numbers");
        let (made, statistics) = generator.run(&z, 16).expect("squares");
        assert_eq!((made.dims(), statistics.len()), (&[3, 3, 16, 16][..], 3));
        let gradients = made.sqr().and_then(|t| t.sum_all()?.backward()).expect("gradients");
        let gradient = gradients.get(waves.as_tensor()).expect("a gradient");
        assert!(numbers(gradient).iter().all(|value| value.is_finite() && *value != 0.0));
    }
}

#[test]
fn what_is_no_such_generator_is_refused() {
    let good = tensors(&config(0), 9);
    assert!(PsganConfig::fits(&good) && PsganConfig::of_tensors(&good, None).is_ok());
    for shape in [vec![2, 6], vec![1, 5], vec![1, 40], vec![6]] {
        let mut weights = good.clone();
        weights.insert("waves".to_owned(), Tensor::zeros(shape.clone(), DType::F32, &Device::Cpu).expect("zeros"));
        assert!(PsganConfig::of_tensors(&weights, None).is_err(), "{shape:?}");
    }
}
