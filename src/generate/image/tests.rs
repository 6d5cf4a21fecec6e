use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::atomic::AtomicBool,
};

use candle_core::{DType, Device, Tensor};

use super::*;
use crate::{
    formats::safetensors,
    kernels::testing::Numbers,
    nets::dcgan::{ClassName, DcganConfig, METADATA},
};

/// A DCGAN of random weights in a file.
pub(crate) fn dcgan(folder: &Path) -> std::path::PathBuf {
    let class = |en: &str, zh: &str| ClassName { en: en.to_owned(), zh: zh.to_owned() };
    let classes = vec![class("Sans", "黑体"), class("Serif", "宋体"), class("Brush", "楷体")];
    let config = DcganConfig { latent: 6, channels: 1, widths: vec![9, 8, 5], classes };
    let mut numbers = Numbers::new(7);
    let mut tensors: HashMap<String, Tensor> = HashMap::new();
    let mut put = |name: String, shape: &[usize], positive: bool| {
        let mut values = numbers.vector(shape.iter().product());
        if positive {
            values.iter_mut().for_each(|value| *value = value.abs() + 0.5);
        }
        tensors.insert(name, Tensor::from_vec(values, shape, &Device::Cpu).expect("a tensor"));
    };
    for (name, shape, _) in config.generator_weights() {
        if let Some(norm) = name.strip_suffix(".bias") {
            put(format!("{norm}.running_mean"), &shape, false);
            put(format!("{norm}.running_var"), &shape, true);
        }
        put(name, &shape, false);
    }
    let path = folder.join("random 网络.safetensors");
    let short = |(name, tensor): (String, Tensor)| (name, tensor.to_dtype(DType::BF16).expect("short"));
    let tensors: BTreeMap<_, _> = tensors.into_iter().map(short).collect();
    safetensors::save_all(&path, &tensors, &BTreeMap::from([(METADATA.to_owned(), config.metadata())])).expect("saved");
    path
}

fn draw(model: &mut ImageModel, requests: &[ImageRequest]) -> Vec<Picture> {
    let mut drawn = vec![None; requests.len()];
    let go = AtomicBool::new(false);
    assert!(model.draw(requests, &go, &mut |index, picture| drawn[index] = Some(picture)).expect("draws"));
    drawn.into_iter().map(|picture| picture.expect("a picture")).collect()
}

#[test]
fn pictures_do_not_depend_on_what_is_drawn_beside_them_nor_on_threads() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dcgan(dir.path());
    let mut model = ImageModel::open("random", &path, 2).expect("opens");
    let info = model.info().clone();
    assert_eq!((info.family.as_str(), info.latent, info.width, info.height), ("dcgan", 6, 32, 32));
    assert_eq!((info.classes[1].1.as_str(), info.directions), ("宋体", 6));
    let mut requests: Vec<_> = (0..13).map(ImageRequest::of_seed).collect();
    requests[3].class = Some(2);
    requests[4].truncation = 0.3;
    requests[5].directions = vec![Direction { index: 0, amount: 2.0 }];
    let all = draw(&mut model, &requests);
    let mut single = ImageModel::open("random", &path, 1).expect("opens");
    for (request, picture) in requests.iter().zip(&all) {
        assert_eq!(draw(&mut single, std::slice::from_ref(request))[0], *picture);
    }
    // Each is another, and grey.
    assert!((1..all.len()).all(|index| all[index] != all[0]));
    assert!(all[0].rgb.chunks_exact(3).all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]));
}

#[test]
fn a_picture_takes_the_look_of_another_at_some_layers() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dcgan(dir.path());
    let mut model = ImageModel::open("random", &path, 2).expect("opens");
    assert_eq!(model.info().layers, [4, 8, 16]);
    let (plain, of) = (ImageRequest::of_seed(1), ImageRequest { class: Some(2), ..ImageRequest::of_seed(2) });
    let worn = |layers: &[u32], amount| {
        let style = Style { of: Box::new(of.clone()), layers: layers.to_vec(), amount };
        ImageRequest { style: Some(style), ..plain.clone() }
    };
    let requests = [worn(&[2], 1.0), plain.clone(), worn(&[], 1.0), worn(&[2], 0.0), worn(&[1, 2], 0.5), of.clone()];
    let all = draw(&mut model, &requests);
    for (request, picture) in requests.iter().zip(&all) {
        assert_eq!(draw(&mut model, std::slice::from_ref(request))[0], *picture, "alone as beside others");
    }
    assert!(all[2] == all[1] && all[3] == all[1], "no layer and no amount are no look");
    assert!(all[0] != all[1] && all[4] != all[1] && all[0] != all[4]);
    // At the last layer, where the look is colour, brightness goes over to the other's.
    let bright = |picture: &Picture| picture.rgb.iter().map(|value| f64::from(*value)).sum::<f64>();
    let far = |picture| (bright(picture) - bright(&all[5])).abs();
    assert!(far(&all[0]) < far(&all[1]), "{} {}", far(&all[0]), far(&all[1]));
    let mut refused = |request: &ImageRequest, part: &str| {
        let why = model.draw(std::slice::from_ref(request), &AtomicBool::new(false), &mut |_, _| {}).expect_err(part);
        assert!(why.to_string().contains(part), "{why}");
    };
    refused(&worn(&[3], 1.0), "0 to 2");
    refused(&worn(&[1], 1.5), "from 0 to 1");
    let mut nested = worn(&[1], 1.0);
    *nested.style.as_mut().expect("a style").of = worn(&[1], 1.0);
    refused(&nested, "takes none itself");
    let mut classless = worn(&[1], 1.0);
    classless.style.as_mut().expect("a style").of.class = Some(9);
    refused(&classless, "classes");
}

#[test]
fn a_class_is_drawn_or_chosen_by_the_seed() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut model = ImageModel::open("random", &dcgan(dir.path()), 2).expect("opens");
    let chosen: Vec<usize> =
        (0..60).map(|seed| model.class_of(&ImageRequest::of_seed(seed)).expect("a class")).collect();
    assert!((0..3).all(|class| chosen.iter().filter(|chosen| **chosen == class).count() > 8), "{chosen:?}");
    let of = |class: Option<u32>| ImageRequest { class, ..ImageRequest::of_seed(4) };
    let pictures = draw(&mut model, &[of(None), of(Some(chosen[4] as u32)), of(Some((chosen[4] as u32 + 1) % 3))]);
    assert!(pictures[0] == pictures[1] && pictures[0] != pictures[2]);
    let why = model.draw(&[of(Some(3))], &AtomicBool::new(false), &mut |_, _| {}).expect_err("refused");
    assert!(why.to_string().contains("0 to 2"), "{why}");
    let sized = ImageRequest { size: Some([64, 64]), ..ImageRequest::of_seed(1) };
    let why = model.draw(&[sized], &AtomicBool::new(false), &mut |_, _| {}).expect_err("refused");
    assert!(why.to_string().contains("32 × 32"), "{why}");
}

#[test]
fn weights_that_draw_nothing_are_refused() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("other.safetensors");
    let tensor = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).expect("zeros");
    let refused = |tensors: &[(&str, &[usize])]| {
        let tensors = tensors.iter().map(|(name, shape)| ((*name).to_owned(), tensor(shape))).collect();
        safetensors::save(&path, &tensors).expect("saved");
        ImageModel::open("other", &path, 1).err().expect("refused").to_string()
    };
    refused(&[("a", &[2, 2])]);
    assert!(refused(&[("main.0.weight", &[5, 4, 4, 4]), ("main.3.weight", &[3, 1, 4, 4])]).contains("DCGAN"));
    assert!(refused(&[("main.0.weight", &[5, 4, 4, 4]), ("main.3.weight", &[4, 1, 4, 4])]).contains("main.1.weight"));
}
