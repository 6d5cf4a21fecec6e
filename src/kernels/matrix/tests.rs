//! Every type at every level against plain sums over the dequantised rows.

use super::*;
use crate::formats::gguf::dequantize;

/// Numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In −1 … 1.
    fn float(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }
}

const TYPES: [GgmlType; 13] = {
    use GgmlType::*;
    [F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K]
};

/// Where the half floats of a stored block are.
fn halves_of(dtype: GgmlType) -> &'static [usize] {
    use GgmlType::*;
    match dtype {
        Q4_0 | Q5_0 | Q8_0 => &[0],
        Q4_1 | Q5_1 | Q4_K | Q5_K => &[0, 2],
        Q2_K => &[80, 82],
        Q3_K => &[108],
        Q6_K => &[208],
        _ => &[],
    }
}

/// Stored rows of random bits, with scales of a sensible size.
fn random_rows(dtype: GgmlType, rows: usize, columns: usize, random: &mut Random) -> Vec<u8> {
    let block = dtype.type_bytes();
    let mut bytes: Vec<u8> = (0..rows * columns / dtype.block_size() * block).map(|_| random.next() as u8).collect();
    for (index, bytes) in bytes.chunks_exact_mut(block).enumerate() {
        if index < columns / dtype.block_size() {
            // The largest codes: no intermediate sum may overflow.
            bytes.fill(0xff);
        }
        match dtype {
            GgmlType::F32 => bytes.copy_from_slice(&random.float().to_le_bytes()),
            GgmlType::F16 => bytes.copy_from_slice(&half::f16::from_f32(random.float()).to_le_bytes()),
            GgmlType::BF16 => bytes.copy_from_slice(&half::bf16::from_f32(random.float()).to_le_bytes()),
            _ => {
                for at in halves_of(dtype) {
                    let half = half::f16::from_f32(random.float() * 0.02).to_le_bytes();
                    bytes[*at..at + 2].copy_from_slice(&half);
                }
            }
        }
    }
    bytes
}

fn packed(pool: &Pool, dtype: GgmlType, rows: usize, columns: usize, stored: &[u8]) -> Matrix {
    let bytes = Matrix::packed_bytes(dtype, rows, columns).expect("a shape of the type");
    let block = arena::Builder::new(bytes).expect("memory").take(bytes).expect("room");
    let mut seen = 0;
    let matrix = Matrix::pack(pool, dtype, (rows, columns), stored, block, |part| seen += part.len());
    assert_eq!(seen, stored.len());
    matrix
}

fn inputs(tokens: usize, columns: usize, random: &mut Random) -> Vec<f32> {
    let mut x: Vec<f32> = (0..tokens * columns).map(|_| random.float()).collect();
    // An outlier, a block of zeros, and values at the ends of the range.
    x[columns / 2] = 40.0;
    x[..16.min(columns)].fill(0.0);
    if columns >= 512 {
        x[columns - 256..columns].fill(-3.0);
    }
    x
}

fn set(pool: &Pool, acts: &mut Activations, x: &[f32], columns: usize, forms: Forms) {
    acts.set(pool, (x.len() / columns, columns), forms, |token, row| {
        row.copy_from_slice(&x[token * columns..(token + 1) * columns]);
    });
}

/// What the codes of the activations stand for, `[tokens, columns]`.
fn as_seen(acts: &Activations, forms: Forms) -> Vec<f32> {
    if forms.float {
        return acts.float.clone();
    }
    let (codes, block) = if forms.blocks { (&acts.blocks, 32) } else { (&acts.supers, 256) };
    let value = |index: usize| {
        let (token, column) = (index / acts.columns, index % acts.columns);
        let place = acts.place(token, column / block, acts.columns / block);
        f32::from(codes.q[place * block + column % block]) * codes.scale[place]
    };
    (0..acts.tokens * acts.columns).map(value).collect()
}

/// Calls `check` with a matrix of every type and shape and activations for it.
pub(super) fn for_each_type(check: &mut dyn FnMut(&Matrix, &Activations)) {
    let (pool, mut random) = (Pool::new(1), Random(7));
    for dtype in TYPES {
        for (rows, columns) in SHAPES {
            let columns = if dtype.block_size() < 256 { columns / 8 * 7 } else { columns };
            let matrix = packed(&pool, dtype, rows, columns, &random_rows(dtype, rows, columns, &mut random));
            for tokens in [1, 3, 9] {
                let mut acts = Activations::default();
                set(&pool, &mut acts, &inputs(tokens, columns, &mut random), columns, matrix.forms());
                check(&matrix, &acts);
            }
        }
    }
}

/// The bits of every number that `products` gives.
///
/// # Safety
/// The processor must have the instructions of `products`.
pub(super) unsafe fn sums_of(matrix: &Matrix, acts: &Activations, products: Products) -> Vec<u32> {
    let mut out = vec![[0.0; ROWS]; matrix.groups() * acts.tokens];
    // SAFETY: as the caller promises.
    unsafe {
        products(matrix.dtype, matrix.shape, matrix.bytes_of(0..matrix.groups()), acts, &mut out, &mut Vec::new());
    }
    out.as_flattened().iter().map(|number| number.to_bits()).collect()
}

fn product(pool: &Pool, matrix: &Matrix, x: &[f32]) -> Vec<f32> {
    let mut acts = Activations::default();
    set(pool, &mut acts, x, matrix.columns(), matrix.forms());
    let mut out = vec![f32::NAN; acts.tokens() * matrix.rows()];
    multiply(pool, &acts, [Product::Store(matrix, &mut out)]);
    out
}

const SHAPES: [(usize, usize); 6] = [(1, 256), (7, 512), (24, 256), (61, 768), (130, 1280), (8, 2304)];

#[test]
fn packed_rows_are_exactly_the_stored_ones() {
    let (pool, mut random) = (Pool::new(2), Random(1));
    for dtype in TYPES {
        for (rows, columns) in SHAPES {
            let columns = if dtype.block_size() < 256 { columns / 8 * 7 } else { columns };
            let stored = random_rows(dtype, rows, columns, &mut random);
            let matrix = packed(&pool, dtype, rows, columns, &stored);
            let mut expected = vec![0.0; rows * columns];
            dequantize(dtype, &stored, &mut expected).expect("sizes fit");
            let mut row = vec![0.0; columns];
            for (index, expected) in expected.chunks_exact(columns).enumerate() {
                matrix.read_row(index, &mut row);
                assert!(row == expected, "{dtype} {rows}×{columns} row {index}");
            }
        }
    }
}

#[test]
fn products_equal_plain_sums_at_every_level() {
    let (pool, mut random) = (Pool::new(2), Random(2));
    for dtype in TYPES {
        for (rows, columns) in SHAPES {
            let columns = if dtype.block_size() < 256 { columns / 8 * 7 } else { columns };
            let stored = random_rows(dtype, rows, columns, &mut random);
            let mut weights = vec![0.0; rows * columns];
            dequantize(dtype, &stored, &mut weights).expect("sizes fit");
            for tokens in [1, 2, 5, 9] {
                let x = inputs(tokens, columns, &mut random);
                for level in Level::present() {
                    let matrix = packed(&pool, dtype, rows, columns, &stored).at_level(level);
                    let mut acts = Activations::default();
                    set(&pool, &mut acts, &x, columns, matrix.forms());
                    let seen = as_seen(&acts, matrix.forms());
                    let out = product(&pool, &matrix, &x);
                    for token in 0..tokens {
                        for row in 0..rows {
                            let pairs = || {
                                let w = &weights[row * columns..(row + 1) * columns];
                                w.iter().zip(&seen[token * columns..(token + 1) * columns])
                            };
                            let expected: f64 = pairs().map(|(w, x)| f64::from(*w) * f64::from(*x)).sum();
                            let size: f64 = pairs().map(|(w, x)| (f64::from(*w) * f64::from(*x)).abs()).sum();
                            // Sums of the minima are kept as half floats, as llama.cpp keeps them.
                            let most = if matches!(dtype, GgmlType::Q4_1 | GgmlType::Q5_1) { 3e-3 } else { 1e-5 };
                            let error = (f64::from(out[token * rows + row]) - expected).abs();
                            assert!(
                                error <= most * size + 1e-6,
                                "{dtype} {level:?} {rows}×{columns}: {error} of {size}"
                            );
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn quantised_activations_are_close_to_the_real_ones() {
    let mut random = Random(3);
    let x = inputs(3, 1024, &mut random);
    let mut acts = Activations::default();
    set(&Pool::new(2), &mut acts, &x, 1024, Forms { float: false, blocks: true, supers: true });
    for (forms, block) in
        [(Forms { blocks: true, ..Forms::default() }, 32), (Forms { supers: true, ..Forms::default() }, 256)]
    {
        for (x, seen) in x.chunks_exact(block).zip(as_seen(&acts, forms).chunks_exact(block)) {
            let most = x.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
            for (x, seen) in x.iter().zip(seen) {
                assert!((x - seen).abs() <= most / 127.0 * 0.57 + 1e-7, "{x} {seen} of {most}");
            }
        }
    }
}

/// A result depends on its row and its token alone: not on how many tokens come with it, not on threads.
#[test]
fn one_token_or_many_and_any_threads_give_the_same_bits() {
    let mut random = Random(4);
    let pools: Vec<Pool> = [1, 2, 3].into_iter().map(Pool::new).collect();
    for dtype in TYPES {
        let (rows, columns, tokens) = (203, 768, 11);
        let stored = random_rows(dtype, rows, columns, &mut random);
        let x = inputs(tokens, columns, &mut random);
        for level in Level::present() {
            let matrix = packed(&pools[0], dtype, rows, columns, &stored).at_level(level);
            let one_by_one: Vec<f32> = x.chunks_exact(columns).flat_map(|x| product(&pools[0], &matrix, x)).collect();
            for pool in &pools {
                let together = product(pool, &matrix, &x);
                assert!(same_bits(&together, &one_by_one), "{dtype} {level:?} {} threads", pool.threads());
            }
        }
    }
}

fn same_bits(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}

#[test]
fn several_products_in_one_region_add_store_and_gate() {
    let (pool, mut random) = (Pool::new(2), Random(5));
    let (columns, tokens) = (256, 6);
    let mut make = |dtype, rows| {
        let stored = random_rows(dtype, rows, columns, &mut random);
        packed(&pool, dtype, rows, columns, &stored)
    };
    let (a, b) = (make(GgmlType::Q4_1, 50), make(GgmlType::Q6_K, 33));
    let (c, d) = (make(GgmlType::F16, 20), make(GgmlType::Q4_K, 20));
    let x = inputs(tokens, columns, &mut Random(6));
    let mut acts = Activations::default();
    set(&pool, &mut acts, &x, columns, a.forms().and(b.forms()).and(c.forms()).and(d.forms()));
    let (mut stored, mut added, mut gated) = (vec![0.0; tokens * 50], vec![0.5; tokens * 33], vec![0.0; tokens * 20]);
    let halve: Gate = |_, values| values.iter_mut().for_each(|value| *value *= 0.5);
    multiply(
        &pool,
        &acts,
        [Product::Store(&a, &mut stored), Product::Add(&b, &mut added), Product::Gate(&c, &d, halve, &mut gated)],
    );
    assert!(same_bits(&stored, &product(&pool, &a, &x)));
    let expected: Vec<f32> = product(&pool, &b, &x).into_iter().map(|value| 0.5 + value).collect();
    assert!(same_bits(&added, &expected));
    let (first, second) = (product(&pool, &c, &x), product(&pool, &d, &x));
    let expected: Vec<f32> = first.into_iter().zip(second).map(|(a, b)| a * 0.5 * b).collect();
    assert!(same_bits(&gated, &expected));
}

#[test]
fn shapes_that_a_type_does_not_allow_are_refused() {
    assert_eq!(Matrix::packed_bytes(GgmlType::Q4_K, 8, 640), None);
    assert_eq!(Matrix::packed_bytes(GgmlType::Q8_0, 8, 33), None);
    assert_eq!(Matrix::packed_bytes(GgmlType::Q8_0, 0, 32), None);
    assert_eq!(Matrix::packed_bytes(GgmlType::IQ4_XS, 8, 256), None);
    assert_eq!(Matrix::packed_bytes(GgmlType::F32, usize::MAX, usize::MAX), None);
    // What a type takes in the file is what it takes in memory, up to the padding.
    assert_eq!(Matrix::packed_bytes(GgmlType::Q4_1, 8, 576), Some(8 * 576 / 32 * 20));
}
