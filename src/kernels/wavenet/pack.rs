//! Weights in the order in which they are multiplied.

use crate::kernels::vector::Vector;

/// Outputs that lie side by side for every input.
const WIDTH: usize = 64;

/// What weights are stored as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floats.
    Full,
    /// 16-bit floats, half as much to read. Weights that are stored as such in a file lose nothing.
    Half,
}

/// A number as it is stored.
pub(super) trait Weight: Copy {
    /// # Safety
    /// Eight weights must be readable at `from`.
    unsafe fn load<V: Vector>(from: *const Self) -> V;
}

impl Weight for f32 {
    #[inline(always)]
    unsafe fn load<V: Vector>(from: *const Self) -> V {
        // SAFETY: the caller's promise.
        unsafe { V::load(from) }
    }
}

impl Weight for u16 {
    #[inline(always)]
    unsafe fn load<V: Vector>(from: *const Self) -> V {
        // SAFETY: the caller's promise.
        unsafe { V::load_half(from) }
    }
}

#[derive(Debug)]
enum Values {
    Full(Vec<f32>),
    Half(Vec<u16>),
}

/// A matrix (outputs, inputs), cut into strips of [`WIDTH`] outputs (the last as wide as what is left), each of them
/// input after input.
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
        let mut packed = Vec::with_capacity(rows.len());
        for first in (0..outputs).step_by(WIDTH) {
            for input in 0..inputs {
                let strip = first..outputs.min(first + WIDTH);
                packed.extend(strip.map(|output| rows[output * inputs + input]));
            }
        }
        let values = match precision {
            Precision::Full => Values::Full(packed),
            Precision::Half => {
                Values::Half(packed.into_iter().map(|value| half::f16::from_f32(value).to_bits()).collect())
            }
        };
        Self { outputs, inputs, values }
    }

    pub(super) fn bytes(&self) -> usize {
        match &self.values {
            Values::Full(values) => values.len() * 4,
            Values::Half(values) => values.len() * 2,
        }
    }

    /// `accᵥ ← accᵥ + W · xᵥ` for every voice `v`; inputs are added in their order.
    ///
    /// # Safety
    /// Every `x` must hold as many floats as there are inputs, every `acc` as many as there are outputs, and no `acc`
    /// may overlap with anything else.
    #[inline(always)]
    pub(super) unsafe fn multiply<V: Vector, const VOICES: usize>(
        &self,
        x: [*const f32; VOICES],
        acc: [*mut f32; VOICES],
    ) {
        // SAFETY: the caller's promise, passed on.
        unsafe {
            match &self.values {
                Values::Full(values) => strips::<V, f32, VOICES>(values, self.outputs, self.inputs, x, acc),
                Values::Half(values) => strips::<V, u16, VOICES>(values, self.outputs, self.inputs, x, acc),
            }
        }
    }
}

/// # Safety
/// As [`Packed::multiply`].
#[inline(always)]
unsafe fn strips<V: Vector, W: Weight, const VOICES: usize>(
    values: &[W],
    outputs: usize,
    inputs: usize,
    x: [*const f32; VOICES],
    acc: [*mut f32; VOICES],
) {
    let mut first = 0;
    while first < outputs {
        let width = WIDTH.min(outputs - first);
        let strip = values[first * inputs..(first + width) * inputs].as_ptr();
        let mut at = 0;
        while at < width {
            let left = (width - at) / 8;
            // SAFETY: `at` and as many vectors as the tile takes are inside the strip and inside `acc`.
            unsafe {
                let (from, to) = (strip.add(at), acc.map(|acc| acc.add(first + at)));
                // Eight registers of sums keep both multipliers busy.
                at += 8 * match (VOICES, left) {
                    (1, 8..) => tile::<V, W, VOICES, 8>(from, width, inputs, x, to),
                    (1..=2, 4..) => tile::<V, W, VOICES, 4>(from, width, inputs, x, to),
                    (_, 2..) => tile::<V, W, VOICES, 2>(from, width, inputs, x, to),
                    _ => tile::<V, W, VOICES, 1>(from, width, inputs, x, to),
                };
            }
        }
        first += width;
    }
}

/// Returns the vectors it has taken.
///
/// # Safety
/// As [`Packed::multiply`], for `VECTORS` vectors of outputs.
#[inline(always)]
unsafe fn tile<V: Vector, W: Weight, const VOICES: usize, const VECTORS: usize>(
    mut from: *const W,
    width: usize,
    inputs: usize,
    x: [*const f32; VOICES],
    acc: [*mut f32; VOICES],
) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums: [[V; VECTORS]; VOICES] =
            std::array::from_fn(|v| std::array::from_fn(|i| V::load(acc[v].add(8 * i))));
        for input in 0..inputs {
            let x: [V; VOICES] = std::array::from_fn(|v| V::splat(*x[v].add(input)));
            for i in 0..VECTORS {
                let w: V = W::load(from.add(8 * i));
                for (sums, x) in sums.iter_mut().zip(x) {
                    sums[i] = w.mul_add(x, sums[i]);
                }
            }
            from = from.wrapping_add(width);
        }
        for (sums, acc) in sums.into_iter().zip(acc) {
            for (i, sum) in sums.into_iter().enumerate() {
                sum.store(acc.add(8 * i));
            }
        }
    }
    VECTORS
}
