//! Convolutions, forward and with gradients, on shapes of real networks.
#![allow(clippy::expect_used, missing_docs)]

use std::hint::black_box;

use atelier::kernels::{
    conv::{ConvOptions, conv2d, upsample_conv2d},
    elementwise::{Activation, mean_square},
};
use candle_core::{Device, Tensor, Var};
use criterion::{Criterion, criterion_group, criterion_main};

fn tensor(dims: (usize, usize, usize, usize)) -> Tensor {
    let len = dims.0 * dims.1 * dims.2 * dims.3;
    let values = (0..len).map(|i| (i * 7919 % 1000) as f32 / 1000.0 - 0.5).collect::<Vec<_>>();
    Tensor::from_vec(values, dims, &Device::Cpu).expect("the sizes fit")
}

fn measure(c: &mut Criterion, name: &str, x: &Tensor, w: &Tensor, run: &dyn Fn(&Tensor, &Tensor) -> Tensor) {
    c.bench_function(&format!("{name}/forward"), |b| b.iter(|| black_box(run(x, w))));
    let vars = [x, w].map(|t| Var::from_tensor(t).expect("memory for a copy"));
    c.bench_function(&format!("{name}/both"), |b| {
        b.iter(|| {
            let loss = mean_square(&run(vars[0].as_tensor(), vars[1].as_tensor())).expect("numbers");
            black_box(loss.backward().expect("gradients"))
        });
    });
}

fn convolutions(c: &mut Criterion) {
    let leaky = Activation::LeakyRelu(0.2);
    for (channels, size) in [(48, 32), (96, 16), (192, 8)] {
        let (x, w) = (tensor((32, channels, size, size)), tensor((2 * channels, channels, 4, 4)));
        let name = format!("4x4 stride 2, {channels} channels, {size}x{size}");
        measure(c, &name, &x, &w, &|x, w| conv2d(x, w, None, &ConvOptions::new(2, 1), leaky).expect("shapes fit"));
    }
    for (channels, size) in [(192, 8), (96, 16)] {
        let (x, w) = (tensor((32, channels, size, size)), tensor((channels / 2, channels, 3, 3)));
        let name = format!("doubled 3x3, {channels} channels, {size}x{size}");
        measure(c, &name, &x, &w, &|x, w| upsample_conv2d(x, w, None, leaky).expect("shapes fit"));
        let name = format!("3x3, {channels} channels, {size}x{size}");
        measure(c, &name, &x, &w, &|x, w| conv2d(x, w, None, &ConvOptions::new(1, 1), leaky).expect("shapes fit"));
    }
}

criterion_group! { name = benches; config = Criterion::default().sample_size(10); targets = convolutions }
criterion_main!(benches);
