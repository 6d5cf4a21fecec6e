//! Weights in the order in which they are multiplied, and inputs in the form of the weights.

use super::int8::{Int8, shorten};
use crate::kernels::vector::{LANES, Vector};

/// Outputs that lie side by side for every input: two vectors.
pub(super) const STRIP: usize = 2 * LANES;
/// With so few outputs there are too few sums to keep both multipliers busy, so each is made of two.
const FEW: usize = 32;

/// What weights are stored as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floats.
    Full,
    /// 16-bit floats with the exponent of 32-bit ones: half as much to read, and all but free to widen. Weights that are
    /// stored as such in a file lose nothing.
    Bfloat16,
    /// Eight bits and a scale for each output, multiplied with inputs of sixteen bits: a quarter to read and twice as many
    /// products at a time.
    Int8,
}

/// What inputs are multiplied as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Floats of 32 bits.
    Float,
    /// Whole numbers of 16 bits, times a scale.
    Short,
}

impl Precision {
    pub(super) fn form(self) -> Form {
        if self == Self::Int8 { Form::Short } else { Form::Float }
    }
}

impl Form {
    /// Words of 32 bits that so many numbers take.
    pub(super) fn words(self, numbers: usize) -> usize {
        match self {
            Self::Float => numbers,
            Self::Short => numbers.next_multiple_of(LANES) / 2,
        }
    }

    /// Writes numbers as they are multiplied, and returns what they are times.
    ///
    /// # Panics
    /// If `to` has fewer words than they take.
    #[inline(always)]
    pub(super) fn write<V: Vector>(self, x: &[f32], to: &mut [u32]) -> f32 {
        assert!(to.len() >= self.words(x.len()), "room for all numbers");
        match self {
            Self::Float => {
                let (whole, rest) = x.as_chunks::<LANES>();
                for (from, to) in whole.iter().zip(to.as_chunks_mut::<LANES>().0) {
                    // SAFETY: eight floats each.
                    unsafe { V::load(from.as_ptr()).store(to.as_mut_ptr().cast()) };
                }
                for (from, to) in rest.iter().zip(&mut to[whole.len() * LANES..]) {
                    *to = from.to_bits();
                }
                1.0
            }
            // SAFETY: there is room for whole vectors of 16-bit numbers.
            Self::Short => unsafe { shorten::<V>(x, to.as_mut_ptr().cast()) },
        }
    }

    /// Numbers as they are multiplied: where they are, or in `room`.
    #[inline(always)]
    pub(super) fn input<V: Vector>(self, x: &[f32], room: &mut [u32]) -> Input {
        match self {
            Self::Float => Input::floats(x),
            Self::Short => {
                let scale = self.write::<V>(x, room);
                Input { numbers: room.as_ptr(), scale }
            }
        }
    }
}

/// Inputs of a product, in the form of its weights.
#[derive(Clone, Copy)]
pub(super) struct Input {
    pub(super) numbers: *const u32,
    /// What whole numbers are times.
    pub(super) scale: f32,
}

impl Input {
    pub(super) fn floats(x: &[f32]) -> Self {
        Self { numbers: x.as_ptr().cast(), scale: 1.0 }
    }
}

/// Eight numbers on an address that one load takes them from.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(32))]
struct Lanes<T>([T; LANES]);

/// Numbers as they are stored, for a strip's weights of one input.
pub(super) trait Weights: Copy {
    /// How many lie one after the other.
    const COUNT: usize;

    /// # Safety
    /// `COUNT` of them must be readable at `from`.
    unsafe fn load<V: Vector>(from: *const Self) -> [V; 2];
}

impl Weights for Lanes<f32> {
    const COUNT: usize = 2;

    #[inline(always)]
    unsafe fn load<V: Vector>(from: *const Self) -> [V; 2] {
        // SAFETY: the caller's promise.
        unsafe { [V::load(from.cast()), V::load(from.add(1).cast())] }
    }
}

impl Weights for Lanes<u32> {
    const COUNT: usize = 1;

    #[inline(always)]
    unsafe fn load<V: Vector>(from: *const Self) -> [V; 2] {
        // SAFETY: the caller's promise.
        unsafe { V::load_bfloat16_pairs(from.cast()) }
    }
}

#[derive(Debug)]
enum Values {
    Full(Vec<Lanes<f32>>),
    /// In every number a weight of the first vector in the high half, one of the second in the low half.
    Bfloat16(Vec<Lanes<u32>>),
    Int8(Int8),
}

/// A matrix (outputs, inputs), cut into strips of [`STRIP`] outputs (the last filled up with zeros), each of them input
/// after input.
#[derive(Debug)]
pub(super) struct Packed {
    outputs: usize,
    inputs: usize,
    values: Values,
}

impl Packed {
    /// Packs `rows`, `inputs` long each; the outputs are a multiple of 8.
    pub(super) fn new(rows: &[f32], inputs: usize, precision: Precision) -> Self {
        let outputs = rows.len().checked_div(inputs).unwrap_or(0);
        let at = |output: usize, input: usize| if output < outputs { rows[output * inputs + input] } else { 0.0 };
        let places = (0..outputs).step_by(STRIP).flat_map(|first| (0..inputs).map(move |input| (first, input)));
        let vector = |first: usize, input: usize| std::array::from_fn(|lane| at(first + lane, input));
        let values = match precision {
            Precision::Full => Values::Full(
                places
                    .flat_map(|(first, input)| [Lanes(vector(first, input)), Lanes(vector(first + LANES, input))])
                    .collect(),
            ),
            Precision::Bfloat16 => {
                let bits = |value: f32| u32::from(half::bf16::from_f32(value).to_bits());
                let pairs = places.map(|(first, input)| {
                    let (high, low) = (vector(first, input), vector(first + LANES, input));
                    Lanes(std::array::from_fn(|lane| bits(high[lane]) << 16 | bits(low[lane])))
                });
                Values::Bfloat16(pairs.collect())
            }
            Precision::Int8 => Values::Int8(Int8::new(rows, outputs, inputs)),
        };
        Self { outputs, inputs, values }
    }

    pub(super) fn bytes(&self) -> usize {
        match &self.values {
            Values::Full(values) => size_of_val(values.as_slice()),
            Values::Bfloat16(values) => size_of_val(values.as_slice()),
            Values::Int8(values) => values.bytes(),
        }
    }

    /// `accᵥ ← accᵥ + W · xᵥ` for every voice `v`; inputs are added in the same order for any number of voices.
    ///
    /// # Safety
    /// Every `x` must hold as many numbers as there are inputs, in the form of the precision, every `acc` as many floats
    /// as there are outputs, and no `acc` may overlap with anything else.
    #[inline(always)]
    pub(super) unsafe fn multiply<V: Vector, const VOICES: usize>(&self, x: [Input; VOICES], acc: [*mut f32; VOICES]) {
        let floats = std::array::from_fn(|v| x[v].numbers.cast());
        // SAFETY: the caller's promise, passed on.
        unsafe {
            match &self.values {
                Values::Full(values) => strips(Shape::<V>::new(self), values, floats, acc),
                Values::Bfloat16(values) => strips(Shape::<V>::new(self), values, floats, acc),
                Values::Int8(values) => values.multiply::<V, VOICES>(x, acc),
            }
        }
    }
}

struct Shape<V> {
    outputs: usize,
    inputs: usize,
    vector: std::marker::PhantomData<V>,
}

impl<V> Shape<V> {
    #[inline(always)]
    fn new(packed: &Packed) -> Self {
        Self { outputs: packed.outputs, inputs: packed.inputs, vector: std::marker::PhantomData }
    }
}

/// # Safety
/// As [`Packed::multiply`].
#[inline(always)]
unsafe fn strips<V: Vector, W: Weights, const VOICES: usize>(
    Shape { outputs, inputs, .. }: Shape<V>,
    values: &[W],
    x: [*const f32; VOICES],
    acc: [*mut f32; VOICES],
) {
    let size = inputs * W::COUNT;
    assert!(values.len() == outputs.div_ceil(STRIP) * size, "as many weights as were packed");
    let whole = outputs / STRIP;
    let mut strip = 0;
    while strip < whole {
        // SAFETY: as many strips as a tile takes are left, in the weights and in `acc`.
        unsafe {
            let (from, to) = (values.as_ptr().add(strip * size), acc.map(|acc| acc.add(strip * STRIP)));
            // Eight registers of sums keep both multipliers busy.
            strip += match (VOICES, whole - strip) {
                _ if outputs <= FEW => {
                    few::<V, W, VOICES>(from, inputs, x, to);
                    1
                }
                (1, 4..) => tile::<V, W, VOICES, 4, 2>(from, inputs, x, to),
                (1..=2, 2..) => tile::<V, W, VOICES, 2, 2>(from, inputs, x, to),
                _ => tile::<V, W, VOICES, 1, 2>(from, inputs, x, to),
            };
        }
    }
    if whole * STRIP < outputs {
        // SAFETY: half a strip is left.
        unsafe {
            let (from, to) = (values.as_ptr().add(whole * size), acc.map(|acc| acc.add(whole * STRIP)));
            tile::<V, W, VOICES, 1, 1>(from, inputs, x, to);
        }
    }
}

/// Returns the strips it has taken.
///
/// # Safety
/// As [`Packed::multiply`], for `STRIPS` strips of which the first `VECTORS` vectors are used.
#[inline(always)]
unsafe fn tile<V: Vector, W: Weights, const VOICES: usize, const STRIPS: usize, const VECTORS: usize>(
    from: *const W,
    inputs: usize,
    x: [*const f32; VOICES],
    acc: [*mut f32; VOICES],
) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        let place = |s: usize, i: usize| s * STRIP + i * LANES;
        let mut sums: [[[V; VECTORS]; STRIPS]; VOICES] =
            std::array::from_fn(|v| std::array::from_fn(|s| std::array::from_fn(|i| V::load(acc[v].add(place(s, i))))));
        for input in 0..inputs {
            let x: [V; VOICES] = std::array::from_fn(|v| V::splat(*x[v].add(input)));
            for s in 0..STRIPS {
                let w: [V; 2] = W::load(from.add((s * inputs + input) * W::COUNT));
                for (sums, x) in sums.iter_mut().zip(x) {
                    for (sum, w) in sums[s].iter_mut().zip(w) {
                        *sum = w.mul_add(x, *sum);
                    }
                }
            }
        }
        for (sums, acc) in sums.into_iter().zip(acc) {
            for (s, sums) in sums.into_iter().enumerate() {
                for (i, sum) in sums.into_iter().enumerate() {
                    sum.store(acc.add(place(s, i)));
                }
            }
        }
    }
    STRIPS
}

/// One strip of a matrix with few outputs, a voice at a time: even and odd inputs are summed up apart.
///
/// # Safety
/// As [`Packed::multiply`], for a strip.
#[inline(always)]
unsafe fn few<V: Vector, W: Weights, const VOICES: usize>(
    from: *const W,
    inputs: usize,
    x: [*const f32; VOICES],
    acc: [*mut f32; VOICES],
) {
    for (x, acc) in x.into_iter().zip(acc) {
        // SAFETY: the caller's promise.
        unsafe {
            let mut even = [V::load(acc), V::load(acc.add(LANES))];
            let mut odd = [V::zero(); 2];
            let mut input = 0;
            while input + 2 <= inputs {
                let (xe, xo) = (V::splat(*x.add(input)), V::splat(*x.add(input + 1)));
                let (we, wo): ([V; 2], [V; 2]) =
                    (W::load(from.add(input * W::COUNT)), W::load(from.add((input + 1) * W::COUNT)));
                even = [we[0].mul_add(xe, even[0]), we[1].mul_add(xe, even[1])];
                odd = [wo[0].mul_add(xo, odd[0]), wo[1].mul_add(xo, odd[1])];
                input += 2;
            }
            if input < inputs {
                let (x, w): (V, [V; 2]) = (V::splat(*x.add(input)), W::load(from.add(input * W::COUNT)));
                even = [w[0].mul_add(x, even[0]), w[1].mul_add(x, even[1])];
            }
            even[0].add(odd[0]).store(acc);
            even[1].add(odd[1]).store(acc.add(LANES));
        }
    }
}
