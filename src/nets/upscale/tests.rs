//! Parity with PyTorch: `tests/fixtures/upscale/make.py` makes what is compared here.

use std::path::PathBuf;

use candle_core::Device;

use super::*;

fn fixture(name: &str) -> Weights {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/upscale").join(name);
    candle_core::safetensors::load(path, &Device::Cpu).expect("fixture")
}

fn network(name: &str) -> UpscaleNet {
    UpscaleNet::from_state(fixture(name)).expect("whole").expect("an upscaler")
}

fn numbers(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().and_then(|flat| flat.to_vec1()).expect("numbers")
}

fn assert_same(ours: &Tensor, theirs: &Tensor) {
    assert_eq!(ours.dims(), theirs.dims());
    let (ours, theirs) = (numbers(ours), numbers(theirs));
    let worst = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let range = theirs.iter().copied().fold(f32::MIN, f32::max) - theirs.iter().copied().fold(f32::MAX, f32::min);
    assert!(worst <= 1e-4 * range, "differs by {worst} in a range of {range}");
}

fn all(net: &UpscaleNet, x: &Tensor) -> Tensor {
    net.forward(x, &mut |_| true).expect("forward").expect("not stopped")
}

#[test]
fn networks_agree_with_pytorch() {
    for (name, scale) in [("rrdb_x4", 4), ("rrdb_x2", 2), ("rrdb_x1", 1), ("srvgg_x2", 2), ("srvgg_x4", 4)] {
        let net = network(&format!("{name}.safetensors"));
        assert_eq!((net.scale(), name.starts_with(net.family())), (scale, true), "{name}");
        let io = fixture(&format!("{name}_io.safetensors"));
        assert_same(&all(&net, &io["input"]), &io["output"]);
    }
    let io = fixture("srvgg_x4_io.safetensors");
    let net = network("srvgg_x4.safetensors").halved().expect("even");
    assert_eq!(net.scale(), 2);
    assert_same(&all(&net, &io["input"]), &io["halved"]);
    assert!(network("rrdb_x1.safetensors").halved().is_err());
}

#[test]
fn a_pass_can_be_stopped_at_every_step() {
    for name in ["rrdb_x4", "srvgg_x2"] {
        let net = network(&format!("{name}.safetensors"));
        let io = fixture(&format!("{name}_io.safetensors"));
        let mut told = Vec::new();
        net.forward(&io["input"], &mut |part| {
            told.push(part);
            true
        })
        .expect("forward");
        assert!(told.len() > 2 && told.is_sorted() && told.iter().all(|part| (0.0..1.0).contains(part)), "{told:?}");
        for stop in 0..told.len() {
            let mut calls = 0;
            let stopped = net.forward(&io["input"], &mut |_| {
                calls += 1;
                calls <= stop
            });
            assert!(stopped.expect("forward").is_none(), "{name} at {stop}");
        }
    }
}

#[test]
fn weights_that_do_not_fit_are_refused() {
    let why = |name: &str, change: &dyn Fn(&mut Weights)| {
        let mut weights = fixture(name);
        change(&mut weights);
        UpscaleNet::from_state(weights).map(|net| net.is_some()).map_err(|why| why.to_string())
    };
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).expect("zeros");
    let (rrdb, srvgg) = ("rrdb_x4.safetensors", "srvgg_x2.safetensors");
    for name in fixture(rrdb).keys().filter(|name| *name != "conv_first.weight") {
        let missing = why(rrdb, &|weights| drop(weights.remove(name)));
        // Without its last block the network is a smaller one.
        assert!(missing.is_err() || name.starts_with("body.1.rdb1.conv1"), "{name}");
    }
    let wrong = |weights: &mut Weights| drop(weights.insert("conv_hr.weight".to_owned(), zeros(&[5, 5, 3, 3])));
    assert!(why(rrdb, &wrong).expect_err("shapes").contains("conv_hr"));
    let wrong = |weights: &mut Weights| drop(weights.insert("body.1.weight".to_owned(), zeros(&[3])));
    assert!(why(srvgg, &wrong).expect_err("slopes").contains("body.1.weight"));
    let other = |weights: &mut Weights| weights.retain(|name, _| name.ends_with("bias"));
    assert_eq!(why(srvgg, &other), Ok(false), "no upscaler");
    let net = network(srvgg);
    for shape in [&[1_usize, 3, 4][..], &[1, 4, 4, 4], &[1, 3, 0, 4]] {
        assert!(net.forward(&zeros(shape), &mut |_| true).is_err(), "{shape:?}");
    }
}
