//! The maps of a scheme applied in two dimensions, eight channels at a time.
#![allow(unsafe_code)]
#![allow(clippy::needless_range_loop, reason = "indices over registers unroll to one instruction each")]

pub(super) use super::schemes::MOST;
use super::schemes::{Doubled, Scheme, Stride2, Stride4, Three2, Three4, Values};
use crate::kernels::{
    exec::vectorised,
    vector::{LANES, Vector},
};

/// Which scheme serves a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// 4 × 4 taps, stride 2, 2 × 2 outputs a tile.
    Stride2,
    /// 4 × 4 taps, stride 2, 4 × 4 outputs a tile.
    Stride4,
    /// 3 × 3 taps on an input whose every pixel is first repeated 2 × 2.
    Doubled,
    /// 3 × 3 taps, 2 × 2 outputs a tile.
    Three2,
    /// 3 × 3 taps, 4 × 4 outputs a tile.
    Three4,
}

macro_rules! with_scheme {
    ($kind:expr, $scheme:ident => $body:expr) => {
        match $kind {
            Kind::Stride2 => {
                type $scheme = Stride2;
                $body
            }
            Kind::Stride4 => {
                type $scheme = Stride4;
                $body
            }
            Kind::Doubled => {
                type $scheme = Doubled;
                $body
            }
            Kind::Three2 => {
                type $scheme = Three2;
                $body
            }
            Kind::Three4 => {
                type $scheme = Three4;
                $body
            }
        }
    };
}

/// One of the linear maps of a scheme. A type rather than a function value: those are not inlined into code compiled
/// for other instructions.
trait Map {
    fn map<V: Vector>(values: Values<V>) -> Values<V>;
}

macro_rules! maps {
    ($($name:ident = $function:ident;)*) => {$(
        struct $name<S>(std::marker::PhantomData<S>);

        impl<S: Scheme> Map for $name<S> {
            #[inline(always)]
            fn map<V: Vector>(values: Values<V>) -> Values<V> {
                S::$function(values)
            }
        }
    )*};
}

maps! {
    Input = input;
    InputAdjoint = input_adjoint;
    Output = output;
    OutputAdjoint = output_adjoint;
}

/// The constants of a scheme.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub inputs: usize,
    pub step: usize,
    pub outputs: usize,
    pub taps: usize,
    pub products: usize,
    pub phases: usize,
}

impl Kind {
    pub(crate) fn sizes(self) -> Sizes {
        with_scheme!(self, S => Sizes {
            inputs: S::INPUTS,
            step: S::STEP,
            outputs: S::OUTPUTS,
            taps: S::TAPS,
            products: S::PRODUCTS,
            phases: S::PHASES,
        })
    }
}

/// Where the pixels of one row of tiles lie (channels-last) and where their products lie: product `p` of tile `t` of
/// phase `f` starts at `products + p × plane + t × tile + f × channels`.
#[derive(Clone, Copy)]
pub(crate) struct TileRow {
    pub pixels: *mut f32,
    /// Floats from one row of pixels to the next.
    pub row: usize,
    /// Floats from one pixel to the next.
    pub pixel: usize,
    pub products: *mut f32,
    pub plane: usize,
    pub tile: usize,
    /// Tiles in the row.
    pub count: usize,
    /// Channels to map, a multiple of eight.
    pub channels: usize,
    /// Floats from one phase to the next.
    pub phase: usize,
}

vectorised! {
    /// Pixels to products of the input side.
    /// # Safety
    /// Everything that the row names must be inside its buffers.
    pub(crate) unsafe fn input = input_body(kind: Kind, row: &TileRow)
}
vectorised! {
    /// Adds products of the input side to pixels: the adjoint of [`input`].
    /// # Safety
    /// As for [`input`].
    pub(crate) unsafe fn input_adjoint = input_adjoint_body(kind: Kind, row: &TileRow)
}
vectorised! {
    /// Products of the output side to pixels.
    /// # Safety
    /// As for [`input`].
    pub(crate) unsafe fn output = output_body(kind: Kind, row: &TileRow)
}
vectorised! {
    /// Pixels to products of the output side: the adjoint of [`output`].
    /// # Safety
    /// As for [`input`].
    pub(crate) unsafe fn output_adjoint = output_adjoint_body(kind: Kind, row: &TileRow)
}

#[inline(always)]
unsafe fn input_body<V: Vector>(kind: Kind, row: &TileRow) {
    // SAFETY: the caller's promise.
    with_scheme!(kind, S => unsafe { to_products::<V, Input<S>>(row, S::INPUTS, S::STEP, S::PHASES, S::PRODUCTS) });
}

#[inline(always)]
unsafe fn output_adjoint_body<V: Vector>(kind: Kind, row: &TileRow) {
    // SAFETY: the caller's promise.
    with_scheme!(kind, S => unsafe {
        to_products::<V, OutputAdjoint<S>>(row, S::OUTPUTS, S::OUTPUTS, 1, S::PRODUCTS);
    });
}

#[inline(always)]
unsafe fn input_adjoint_body<V: Vector>(kind: Kind, row: &TileRow) {
    // SAFETY: the caller's promise.
    with_scheme!(kind, S => unsafe {
        to_pixels::<V, InputAdjoint<S>, true>(row, S::INPUTS, S::STEP, S::PHASES, S::PRODUCTS);
    });
}

#[inline(always)]
unsafe fn output_body<V: Vector>(kind: Kind, row: &TileRow) {
    // SAFETY: the caller's promise.
    with_scheme!(kind, S => unsafe {
        to_pixels::<V, Output<S>, false>(row, S::OUTPUTS, S::OUTPUTS, 1, S::PRODUCTS);
    });
}

/// Where product `(y, x)` of all phases goes, counted from the tile.
#[inline(always)]
fn place(row: &TileRow, phases: usize, products: usize, y: usize, x: usize) -> usize {
    let phase = y / products * phases + x / products;
    (y % products * products + x % products) * row.plane + phase * row.phase
}

#[inline(always)]
unsafe fn to_products<V: Vector, M: Map>(row: &TileRow, size: usize, step: usize, phases: usize, products: usize) {
    for tile in 0..row.count {
        for channel in (0..row.channels).step_by(LANES) {
            // SAFETY: the caller's promise for every tile of the row.
            unsafe {
                let from = row.pixels.add(tile * step * row.pixel + channel);
                let to = row.products.add(tile * row.tile + channel);
                let mut columns = [[V::zero(); MOST]; MOST];
                for x in 0..size {
                    let mut values = [V::zero(); MOST];
                    for y in 0..size {
                        values[y] = V::load(from.add(y * row.row + x * row.pixel));
                    }
                    columns[x] = M::map(values);
                }
                for y in 0..phases * products {
                    let mut values = [V::zero(); MOST];
                    for x in 0..size {
                        values[x] = columns[x][y];
                    }
                    let values = M::map(values);
                    for x in 0..phases * products {
                        values[x].store(to.add(place(row, phases, products, y, x)));
                    }
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn to_pixels<V: Vector, M: Map, const ADD: bool>(
    row: &TileRow,
    size: usize,
    step: usize,
    phases: usize,
    products: usize,
) {
    for tile in 0..row.count {
        for channel in (0..row.channels).step_by(LANES) {
            // SAFETY: the caller's promise for every tile of the row.
            unsafe {
                let to = row.pixels.add(tile * step * row.pixel + channel);
                let from = row.products.add(tile * row.tile + channel);
                let mut columns = [[V::zero(); MOST]; MOST];
                for x in 0..phases * products {
                    let mut values = [V::zero(); MOST];
                    for y in 0..phases * products {
                        values[y] = V::load(from.add(place(row, phases, products, y, x)));
                    }
                    columns[x] = M::map(values);
                }
                for y in 0..size {
                    let mut values = [V::zero(); MOST];
                    for x in 0..phases * products {
                        values[x] = columns[x][y];
                    }
                    let values = M::map(values);
                    for x in 0..size {
                        let to = to.add(y * row.row + x * row.pixel);
                        if ADD { V::load(to).add(values[x]).store(to) } else { values[x].store(to) }
                    }
                }
            }
        }
    }
}

/// Weights on their way to or from a scheme: `lanes` filters, `lane` floats apart, of `taps × taps` neighbours.
pub(crate) struct Filters {
    pub values: *mut f32,
    pub lane: usize,
    /// At most eight.
    pub lanes: usize,
    /// Product `p` of phase `f` of the eight filters starts at `products + p × plane + f × phase`.
    pub products: *mut f32,
    pub plane: usize,
    pub phase: usize,
}

vectorised! {
    /// Filters to products; lanes beyond `lanes` become zero.
    /// # Safety
    /// Everything that `task` names must be inside its buffers.
    pub(crate) unsafe fn weight = weight_body(kind: Kind, task: &Filters)
}
vectorised! {
    /// Products to filters: the adjoint of [`weight`].
    /// # Safety
    /// As for [`weight`].
    pub(crate) unsafe fn weight_adjoint = weight_adjoint_body(kind: Kind, task: &Filters)
}

#[inline(always)]
unsafe fn weight_body<V: Vector>(kind: Kind, task: &Filters) {
    // SAFETY: the caller's promise.
    with_scheme!(kind, S => unsafe {
        let taps = S::TAPS * S::TAPS;
        let mut vectors = [V::zero(); 2 * LANES];
        let mut lines = [[0.0; 2 * LANES]; LANES];
        for lane in 0..task.lanes {
            std::ptr::copy_nonoverlapping(task.values.add(lane * task.lane), lines[lane].as_mut_ptr(), taps);
        }
        for half in 0..2 {
            let mut block = [V::zero(); LANES];
            for lane in 0..LANES {
                block[lane] = V::load(lines[lane].as_ptr().add(half * LANES));
            }
            let block = V::transpose(block);
            for i in 0..LANES {
                vectors[half * LANES + i] = block[i];
            }
        }
        let mut columns = [[V::zero(); MOST]; MOST];
        for x in 0..S::TAPS {
            let mut values = [V::zero(); MOST];
            for y in 0..S::TAPS {
                values[y] = vectors[y * S::TAPS + x];
            }
            columns[x] = S::weight(values);
        }
        for y in 0..S::PHASES * S::PRODUCTS {
            let mut values = [V::zero(); MOST];
            for x in 0..S::TAPS {
                values[x] = columns[x][y];
            }
            let values = S::weight(values);
            for x in 0..S::PHASES * S::PRODUCTS {
                let phase = y / S::PRODUCTS * S::PHASES + x / S::PRODUCTS;
                let product = y % S::PRODUCTS * S::PRODUCTS + x % S::PRODUCTS;
                values[x].store(task.products.add(product * task.plane + phase * task.phase));
            }
        }
    });
}

#[inline(always)]
unsafe fn weight_adjoint_body<V: Vector>(kind: Kind, task: &Filters) {
    // SAFETY: the caller's promise.
    with_scheme!(kind, S => unsafe {
        let taps = S::TAPS * S::TAPS;
        let mut columns = [[V::zero(); MOST]; MOST];
        for x in 0..S::PHASES * S::PRODUCTS {
            let mut values = [V::zero(); MOST];
            for y in 0..S::PHASES * S::PRODUCTS {
                let phase = y / S::PRODUCTS * S::PHASES + x / S::PRODUCTS;
                let product = y % S::PRODUCTS * S::PRODUCTS + x % S::PRODUCTS;
                values[y] = V::load(task.products.add(product * task.plane + phase * task.phase));
            }
            columns[x] = S::weight_adjoint(values);
        }
        let mut vectors = [V::zero(); 2 * LANES];
        for y in 0..S::TAPS {
            let mut values = [V::zero(); MOST];
            for x in 0..S::PHASES * S::PRODUCTS {
                values[x] = columns[x][y];
            }
            let values = S::weight_adjoint(values);
            for x in 0..S::TAPS {
                vectors[y * S::TAPS + x] = values[x];
            }
        }
        let mut lines = [[0.0; 2 * LANES]; LANES];
        for half in 0..2 {
            let mut block = [V::zero(); LANES];
            for i in 0..LANES {
                block[i] = vectors[half * LANES + i];
            }
            let block = V::transpose(block);
            for lane in 0..LANES {
                block[lane].store(lines[lane].as_mut_ptr().add(half * LANES));
            }
        }
        for lane in 0..task.lanes {
            std::ptr::copy_nonoverlapping(lines[lane].as_ptr(), task.values.add(lane * task.lane), taps);
        }
    });
}
