//! Products with quantised matrices: one token (streaming weights) and a prompt of 256 tokens.

#![allow(clippy::expect_used, reason = "a benchmark that cannot set up should stop")]

use atelier::{
    formats::gguf::GgmlType,
    kernels::{
        Pool, arena,
        matrix::{Activations, Matrix, Product, multiply},
        pool::physical_cores,
    },
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const COLUMNS: usize = 2048;

fn matrix(pool: &Pool, dtype: GgmlType, rows: usize) -> Matrix {
    let stored = vec![0x29; dtype.bytes_for(rows * COLUMNS).expect("whole blocks")];
    let bytes = Matrix::packed_bytes(dtype, rows, COLUMNS).expect("a type with kernels");
    let block = arena::Builder::new(bytes).expect("memory").take(bytes).expect("room");
    Matrix::pack(pool, dtype, (rows, COLUMNS), &stored, block, |_| {})
}

fn products(criterion: &mut Criterion) {
    let pool = Pool::new(physical_cores());
    for (name, rows, tokens) in [("one token", 16384, 1), ("256 tokens", 1024, 256)] {
        let mut group = criterion.benchmark_group(name);
        group.sample_size(20);
        for dtype in [
            GgmlType::F32,
            GgmlType::F16,
            GgmlType::Q4_0,
            GgmlType::Q4_1,
            GgmlType::Q5_0,
            GgmlType::Q8_0,
            GgmlType::Q2_K,
            GgmlType::Q3_K,
            GgmlType::Q4_K,
            GgmlType::Q5_K,
            GgmlType::Q6_K,
        ] {
            let matrix = matrix(&pool, dtype, rows);
            let mut acts = Activations::default();
            acts.set(&pool, (tokens, COLUMNS), matrix.forms(), |token, row| {
                for (column, x) in row.iter_mut().enumerate() {
                    *x = ((column * 37 + token * 11) % 101) as f32 / 50.0 - 1.0;
                }
            });
            let mut out = vec![0.0; tokens * rows];
            group.throughput(if tokens == 1 {
                Throughput::Bytes(matrix.bytes() as u64)
            } else {
                Throughput::Elements((rows * COLUMNS * tokens) as u64)
            });
            group.bench_function(BenchmarkId::from_parameter(dtype.name()), |bencher| {
                bencher.iter(|| multiply(&pool, &acts, [Product::Store(&matrix, &mut out)]));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, products);
criterion_main!(benches);
