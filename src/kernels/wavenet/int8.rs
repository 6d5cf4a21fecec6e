//! Products of whole numbers: weights of eight bits, inputs of sixteen, sums of thirty-two.
//!
//! `y = s · x̂ · Σ c · q` with the codes `c = round(w / s)`, where `s` is the largest weight of an output over 127, and
//! `q = round(x / x̂)`, where `x̂` is a power of two with which the largest input just fits, or 1 / 32,767 for what the gates
//! let through. Sums of up to 512 products are exact, so they are the same in any order and on every level; parts of so
//! many are added up as floats, one after the other.

use super::pack::{Input, STRIP};
use crate::kernels::vector::{LANES, Vector};

/// Inputs that are added up as whole numbers: 512 · 127 · 32,768 is the largest sum, and 32 bits hold it.
const PART: usize = 512;
/// The exponent of 1 in the bits of a float.
const BIAS: u32 = 127;
/// What numbers between −1 and 1 become whole numbers by.
pub(super) const UNIT: f32 = 32_767.0;

/// The weights of two inputs for a strip of outputs, output by output.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(32))]
struct Codes([i8; 2 * STRIP]);

/// A matrix: parts of the inputs, each cut into strips of the outputs (the last filled up with zeros), each of them a
/// pair of inputs after the other.
#[derive(Debug)]
pub(super) struct Int8 {
    outputs: usize,
    inputs: usize,
    codes: Vec<Codes>,
    /// What the codes of an output are times; as many as all strips have outputs.
    scales: Vec<f32>,
}

impl Int8 {
    /// Packs `rows`, `inputs` long each; the outputs are a multiple of 8.
    pub(super) fn new(rows: &[f32], outputs: usize, inputs: usize) -> Self {
        let strips = outputs.div_ceil(STRIP);
        let mut scales = vec![0.0; strips * STRIP];
        for (scale, row) in scales.iter_mut().zip(rows.chunks_exact(inputs.max(1))) {
            *scale = row.iter().fold(0.0_f32, |most, weight| most.max(weight.abs())) / 127.0;
        }
        let code = |output: usize, input: usize| {
            let fits = output < outputs && input < inputs && scales[output] > 0.0;
            if fits { (rows[output * inputs + input] / scales[output]).round_ties_even() as i8 } else { 0 }
        };
        let mut codes = Vec::with_capacity(strips * inputs.div_ceil(2));
        for first in (0..inputs).step_by(PART) {
            for strip in 0..strips {
                for input in (first..inputs.min(first + PART)).step_by(2) {
                    codes.push(Codes(std::array::from_fn(|i| code(strip * STRIP + i / 2, input + i % 2))));
                }
            }
        }
        Self { outputs, inputs, codes, scales }
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(self.codes.as_slice()) + size_of_val(self.scales.as_slice())
    }

    /// As [`super::pack::Packed::multiply`].
    ///
    /// # Safety
    /// As there.
    #[inline(always)]
    pub(super) unsafe fn multiply<V: Vector, const VOICES: usize>(&self, x: [Input; VOICES], acc: [*mut f32; VOICES]) {
        let (strips, whole) = (self.outputs.div_ceil(STRIP), self.outputs / STRIP);
        assert!(self.codes.len() == strips * self.inputs.div_ceil(2) && self.scales.len() == strips * STRIP);
        let scales: [f32; VOICES] = std::array::from_fn(|v| x[v].scale);
        let mut first = 0;
        while first < self.inputs {
            let pairs = PART.min(self.inputs - first).div_ceil(2);
            let mut strip = 0;
            while strip < strips {
                // SAFETY: as many strips as a tile takes are left, in the weights and in `acc`; inputs are followed by
                // others up to an even number.
                unsafe {
                    let from = self.codes.as_ptr().add(strips * first / 2 + strip * pairs);
                    let rows = self.scales.as_ptr().add(strip * STRIP);
                    let x = std::array::from_fn(|v| x[v].numbers.cast::<i16>().add(first));
                    let to = std::array::from_fn(|v| acc[v].add(strip * STRIP));
                    strip += match (VOICES, whole.saturating_sub(strip)) {
                        (_, 0) => tile::<V, VOICES, 1, 1>(from, rows, pairs, x, scales, to),
                        (1, 4..) => tile::<V, VOICES, 4, 2>(from, rows, pairs, x, scales, to),
                        (1..=2, 2..) => tile::<V, VOICES, 2, 2>(from, rows, pairs, x, scales, to),
                        _ => tile::<V, VOICES, 1, 2>(from, rows, pairs, x, scales, to),
                    };
                }
            }
            first += PART;
        }
    }
}

/// Writes `x` as whole numbers, whole vectors of them (zeros after the last), and returns what they are times: a power of
/// two, so that the largest takes all bits but the sign or one less.
///
/// # Safety
/// As many numbers must be writable at `to`.
#[inline(always)]
pub(super) unsafe fn shorten<V: Vector>(x: &[f32], to: *mut i16) -> f32 {
    let (whole, rest) = x.as_chunks::<LANES>();
    let (mut most, none) = (V::zero(), V::zero());
    for part in whole {
        // SAFETY: eight floats.
        let part = unsafe { V::load(part.as_ptr()) };
        most = most.max(part.max(none.sub(part)));
    }
    if !rest.is_empty() {
        let part = V::load_part(rest, 0.0);
        most = most.max(part.max(none.sub(part)));
    }
    // The largest is below 2^(exponent − 126). What is too small to be told from nothing is nothing.
    let exponent = (most.largest().to_bits() >> 23).clamp(BIAS - 100, BIAS + 100);
    let factor = V::splat(f32::from_bits((2 * BIAS + 14 - exponent) << 23));
    for (index, part) in whole.iter().enumerate() {
        // SAFETY: eight floats; the caller's promise.
        unsafe { V::load(part.as_ptr()).mul(factor).store_short(to.add(index * LANES)) };
    }
    if !rest.is_empty() {
        // SAFETY: the caller's promise.
        unsafe { V::load_part(rest, 0.0).mul(factor).store_short(to.add(whole.len() * LANES)) };
    }
    f32::from_bits((exponent - 14) << 23)
}

/// Returns the strips it has taken.
///
/// # Safety
/// As [`Int8::multiply`], for `STRIPS` strips of which the first `VECTORS` vectors are used; `x` are pairs.
#[inline(always)]
unsafe fn tile<V: Vector, const VOICES: usize, const STRIPS: usize, const VECTORS: usize>(
    from: *const Codes,
    rows: *const f32,
    pairs: usize,
    x: [*const i16; VOICES],
    scales: [f32; VOICES],
    acc: [*mut f32; VOICES],
) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [[[V::no_wholes(); VECTORS]; STRIPS]; VOICES];
        for pair in 0..pairs {
            let x: [V::Pairs; VOICES] = std::array::from_fn(|v| V::splat_pair(x[v].add(2 * pair)));
            for s in 0..STRIPS {
                let codes = from.add(s * pairs + pair).cast::<i8>();
                let weights: [V::Pairs; VECTORS] = std::array::from_fn(|i| V::widen_pairs(codes.add(2 * LANES * i)));
                for (sums, x) in sums.iter_mut().zip(x) {
                    for (sum, weights) in sums[s].iter_mut().zip(weights) {
                        *sum = V::add_products(*sum, weights, x);
                    }
                }
            }
        }
        for ((sums, acc), scale) in sums.into_iter().zip(acc).zip(scales) {
            for (s, sums) in sums.into_iter().enumerate() {
                for (i, sum) in sums.into_iter().enumerate() {
                    let place = s * STRIP + i * LANES;
                    let scale = V::load(rows.add(place)).mul(V::splat(scale));
                    V::from_wholes(sum).mul_add(scale, V::load(acc.add(place))).store(acc.add(place));
                }
            }
        }
    }
    STRIPS
}

#[cfg(test)]
mod tests {
    use super::super::pack::{Form, Packed, Precision};
    use crate::kernels::{Level, exec::vectorised, testing::Numbers, vector::Vector};

    vectorised! {
        /// # Safety
        /// None beyond the level's: everything is checked.
        unsafe fn product = product_body(packed: &Packed, x: &[Vec<f32>], y: &mut [Vec<f32>])
    }

    /// `y ← y + W · x` for one vector or three.
    unsafe fn product_body<V: Vector>(packed: &Packed, x: &[Vec<f32>], y: &mut [Vec<f32>]) {
        let mut rooms: Vec<Vec<u32>> = x.iter().map(|x| vec![0; Form::Short.words(x.len())]).collect();
        let inputs: Vec<_> = x.iter().zip(&mut rooms).map(|(x, room)| Form::Short.input::<V>(x, room)).collect();
        let sums: Vec<*mut f32> = y.iter_mut().map(|y| y.as_mut_ptr()).collect();
        // SAFETY: as many numbers as the matrix has inputs and outputs.
        unsafe {
            match (&inputs[..], &sums[..]) {
                ([a], [sum]) => packed.multiply::<V, 1>([*a], [*sum]),
                ([a, b, c], [d, e, f]) => packed.multiply::<V, 3>([*a, *b, *c], [*d, *e, *f]),
                _ => {}
            }
        }
    }

    #[test]
    fn products_are_those_of_the_rounded_numbers_at_every_level() {
        let mut numbers = Numbers::new(11);
        for round in 0..60 {
            let (outputs, inputs) = (8 * numbers.between(1, 21), numbers.between(1, [40, 1_700][round % 2]));
            let rows = numbers.vector(outputs * inputs);
            let voices = [1, 3][round % 2];
            let x: Vec<Vec<f32>> = (0..voices)
                .map(|_| {
                    let size = 10.0_f32.powi(numbers.between(0, 8) as i32 - 4);
                    numbers.vector(inputs).into_iter().map(|x| x * size).collect()
                })
                .collect();
            let packed = Packed::new(&rows, inputs, Precision::Int8);
            let begun: Vec<Vec<f32>> = (0..voices).map(|_| numbers.vector(outputs)).collect();
            for level in Level::present() {
                let mut y = begun.clone();
                // SAFETY: the level is present.
                unsafe { product(level, &packed, &x, &mut y) };
                for ((y, begun), x) in y.iter().zip(&begun).zip(&x) {
                    let most = x.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
                    // The largest takes 14 bits or 15.
                    let unit = 2.0_f64.powi(f64::from(most).log2().floor() as i32 - 14);
                    for (output, row) in rows.chunks_exact(inputs).enumerate() {
                        let scale = row.iter().fold(0.0_f32, |most, w| most.max(w.abs())) / 127.0;
                        let code = |w: &f32| f64::from((w / scale).round_ties_even());
                        let whole = |x: &f32| (f64::from(*x) / unit).round_ties_even().clamp(-32_768.0, 32_767.0);
                        let sum: f64 = row.iter().zip(x).map(|(w, x)| code(w) * whole(x)).sum();
                        let want = f64::from(begun[output]) + sum * f64::from(scale) * unit;
                        // Parts are added up in floats.
                        let size: f64 = row.iter().zip(x).map(|(w, x)| f64::from(w * x).abs()).sum();
                        let close = 1e-6 * (size + f64::from(begun[output].abs()));
                        assert!((f64::from(y[output]) - want).abs() <= close, "{outputs} × {inputs}, {level:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_nothing_or_no_number_stays_harmless() {
        for x in [0.0, 1e-42, f32::MAX, f32::INFINITY, f32::NAN] {
            let packed = Packed::new(&[1.0; 8 * 3], 3, Precision::Int8);
            for level in Level::present() {
                let mut y = vec![vec![0.5; 8]];
                // SAFETY: the level is present.
                unsafe { product(level, &packed, &[vec![x, 0.0, 0.0]], &mut y) };
                if x.abs() < 1e-30 {
                    assert_eq!(y[0], [0.5; 8]);
                }
            }
        }
    }
}
