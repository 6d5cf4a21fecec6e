//! Fast algorithms for short one-dimensional convolutions (Winograd 1980; Lavin and Gray 2016), nested for two.
//!
//! A scheme computes a few neighbouring outputs as `output(weight(w) ⊙ input(x))` with fewer products than taps times
//! outputs. All its maps are linear, so their adjoints give the gradients with the same few products.
//!
//! Arrays hold up to six values; a scheme uses the first as its constants say.

use crate::kernels::vector::Vector;

/// Most values of any array of a scheme.
pub(super) const MOST: usize = 6;

pub(super) type Values<V> = [V; MOST];

pub(super) trait Scheme {
    /// Inputs read by a tile.
    const INPUTS: usize;
    /// Inputs from one tile to the next.
    const STEP: usize;
    const OUTPUTS: usize;
    const TAPS: usize;
    /// Products whose sum over the channels is kept apart.
    const PRODUCTS: usize;
    /// Residues of the input that are summed like channels: the stride.
    const PHASES: usize;

    /// `INPUTS` to `PHASES · PRODUCTS`.
    fn input<V: Vector>(x: Values<V>) -> Values<V>;
    fn input_adjoint<V: Vector>(v: Values<V>) -> Values<V>;
    /// `PRODUCTS` to `OUTPUTS`.
    fn output<V: Vector>(m: Values<V>) -> Values<V>;
    fn output_adjoint<V: Vector>(y: Values<V>) -> Values<V>;
    /// `TAPS` to `PHASES · PRODUCTS`.
    fn weight<V: Vector>(w: Values<V>) -> Values<V>;
    fn weight_adjoint<V: Vector>(u: Values<V>) -> Values<V>;
}

/// Four taps at stride 2: two outputs from three products for each of two phases.
pub(super) struct Stride2;

impl Scheme for Stride2 {
    const INPUTS: usize = 6;
    const STEP: usize = 4;
    const OUTPUTS: usize = 2;
    const TAPS: usize = 4;
    const PRODUCTS: usize = 3;
    const PHASES: usize = 2;

    #[inline(always)]
    fn input<V: Vector>([a, b, c, d, e, f]: Values<V>) -> Values<V> {
        [a.sub(c), c, c.sub(e), b.sub(d), d, d.sub(f)]
    }

    #[inline(always)]
    fn input_adjoint<V: Vector>([a, b, c, d, e, f]: Values<V>) -> Values<V> {
        let zero = V::zero();
        [a, d, b.add(c).sub(a), e.add(f).sub(d), zero.sub(c), zero.sub(f)]
    }

    #[inline(always)]
    fn output<V: Vector>([a, b, c, z, ..]: Values<V>) -> Values<V> {
        [a.add(b), b.sub(c), z, z, z, z]
    }

    #[inline(always)]
    fn output_adjoint<V: Vector>([a, b, z, ..]: Values<V>) -> Values<V> {
        [a, a.add(b), V::zero().sub(b), z, z, z]
    }

    #[inline(always)]
    fn weight<V: Vector>([a, b, c, d, ..]: Values<V>) -> Values<V> {
        [a, a.add(c), c, b, b.add(d), d]
    }

    #[inline(always)]
    fn weight_adjoint<V: Vector>([a, b, c, d, e, f]: Values<V>) -> Values<V> {
        let z = V::zero();
        [a.add(b), d.add(e), b.add(c), e.add(f), z, z]
    }
}

/// Three taps on an input whose every value is first repeated: two outputs from three products.
pub(super) struct Doubled;

impl Scheme for Doubled {
    const INPUTS: usize = 3;
    const STEP: usize = 1;
    const OUTPUTS: usize = 2;
    const TAPS: usize = 3;
    const PRODUCTS: usize = 3;
    const PHASES: usize = 1;

    #[inline(always)]
    fn input<V: Vector>([a, b, c, z, ..]: Values<V>) -> Values<V> {
        [a.sub(b), b, c.sub(b), z, z, z]
    }

    #[inline(always)]
    fn input_adjoint<V: Vector>([a, b, c, z, ..]: Values<V>) -> Values<V> {
        [a, b.sub(a).sub(c), c, z, z, z]
    }

    #[inline(always)]
    fn output<V: Vector>([a, b, c, z, ..]: Values<V>) -> Values<V> {
        [a.add(b), b.add(c), z, z, z, z]
    }

    #[inline(always)]
    fn output_adjoint<V: Vector>([a, b, z, ..]: Values<V>) -> Values<V> {
        [a, a.add(b), b, z, z, z]
    }

    #[inline(always)]
    fn weight<V: Vector>([a, b, c, z, ..]: Values<V>) -> Values<V> {
        [a, a.add(b).add(c), c, z, z, z]
    }

    #[inline(always)]
    fn weight_adjoint<V: Vector>([a, b, c, z, ..]: Values<V>) -> Values<V> {
        [a.add(b), b, b.add(c), z, z, z]
    }
}

/// Three taps: two outputs from four products.
pub(super) struct Three2;

impl Scheme for Three2 {
    const INPUTS: usize = 4;
    const STEP: usize = 2;
    const OUTPUTS: usize = 2;
    const TAPS: usize = 3;
    const PRODUCTS: usize = 4;
    const PHASES: usize = 1;

    #[inline(always)]
    fn input<V: Vector>([a, b, c, d, z, _]: Values<V>) -> Values<V> {
        [a.sub(c), b.add(c), c.sub(b), b.sub(d), z, z]
    }

    #[inline(always)]
    fn input_adjoint<V: Vector>([a, b, c, d, z, _]: Values<V>) -> Values<V> {
        [a, b.sub(c).add(d), b.add(c).sub(a), V::zero().sub(d), z, z]
    }

    #[inline(always)]
    fn output<V: Vector>([a, b, c, d, z, _]: Values<V>) -> Values<V> {
        [a.add(b).add(c), b.sub(c).sub(d), z, z, z, z]
    }

    #[inline(always)]
    fn output_adjoint<V: Vector>([a, b, z, ..]: Values<V>) -> Values<V> {
        [a, a.add(b), a.sub(b), V::zero().sub(b), z, z]
    }

    #[inline(always)]
    fn weight<V: Vector>([a, b, c, z, ..]: Values<V>) -> Values<V> {
        let (half, ends) = (V::splat(0.5), a.add(c));
        [a, ends.add(b).mul(half), ends.sub(b).mul(half), c, z, z]
    }

    #[inline(always)]
    fn weight_adjoint<V: Vector>([a, b, c, d, z, _]: Values<V>) -> Values<V> {
        let half = V::splat(0.5);
        let (sum, difference) = (b.add(c).mul(half), b.sub(c).mul(half));
        [a.add(sum), difference, sum.add(d), z, z, z]
    }
}

/// Three taps: four outputs from six products. Rounding errors are a few times those of [`Three2`].
pub(super) struct Three4;

impl Scheme for Three4 {
    const INPUTS: usize = 6;
    const STEP: usize = 4;
    const OUTPUTS: usize = 4;
    const TAPS: usize = 3;
    const PRODUCTS: usize = 6;
    const PHASES: usize = 1;

    #[inline(always)]
    fn input<V: Vector>([a, b, c, d, e, f]: Values<V>) -> Values<V> {
        let (two, four, five) = (V::splat(2.0), V::splat(4.0), V::splat(5.0));
        let (even, odd) = (e.sub(c.mul(four)), d.sub(b.mul(four)));
        let (even2, odd2) = (e.sub(c), d.sub(b).mul(two));
        [
            a.mul_add(four, e.sub(c.mul(five))),
            even.add(odd),
            even.sub(odd),
            even2.add(odd2),
            even2.sub(odd2),
            b.mul_add(four, f.sub(d.mul(five))),
        ]
    }

    #[inline(always)]
    fn input_adjoint<V: Vector>([a, b, c, d, e, f]: Values<V>) -> Values<V> {
        let (two, four, five) = (V::splat(2.0), V::splat(4.0), V::splat(5.0));
        let (even, odd) = (b.add(c), b.sub(c));
        let (even2, odd2) = (d.add(e), d.sub(e).mul(two));
        [
            a.mul(four),
            f.sub(odd).mul(four).sub(odd2),
            V::zero().sub(a.mul(five)).sub(even.mul(four)).sub(even2),
            odd.add(odd2).sub(f.mul(five)),
            a.add(even).add(even2),
            f,
        ]
    }

    #[inline(always)]
    fn output<V: Vector>([a, b, c, d, e, f]: Values<V>) -> Values<V> {
        let (even, odd, even2, odd2) = (b.add(c), b.sub(c), d.add(e), d.sub(e));
        let (two, four, eight) = (V::splat(2.0), V::splat(4.0), V::splat(8.0));
        let z = V::zero();
        [
            a.add(even).add(even2),
            odd2.mul_add(two, odd),
            even2.mul_add(four, even),
            odd2.mul_add(eight, odd).add(f),
            z,
            z,
        ]
    }

    #[inline(always)]
    fn output_adjoint<V: Vector>([a, b, c, d, ..]: Values<V>) -> Values<V> {
        let (two, four, eight) = (V::splat(2.0), V::splat(4.0), V::splat(8.0));
        let (even, odd) = (a.add(c), b.add(d));
        let (even2, odd2) = (c.mul_add(four, a), d.mul_add(eight, b.mul(two)));
        [a, even.add(odd), even.sub(odd), even2.add(odd2), even2.sub(odd2), d]
    }

    #[inline(always)]
    fn weight<V: Vector>([a, b, c, ..]: Values<V>) -> Values<V> {
        let s = V::splat;
        let (ends, ends2, middle2) = (a.add(c), c.mul_add(s(4.0), a), b.mul(s(2.0)));
        let (sixth, part) = (s(-1.0 / 6.0), s(1.0 / 24.0));
        [
            a.mul(s(0.25)),
            ends.add(b).mul(sixth),
            ends.sub(b).mul(sixth),
            ends2.add(middle2).mul(part),
            ends2.sub(middle2).mul(part),
            c,
        ]
    }

    #[inline(always)]
    fn weight_adjoint<V: Vector>([a, b, c, d, e, f]: Values<V>) -> Values<V> {
        let s = V::splat;
        let (sixth, part) = (s(-1.0 / 6.0), s(1.0 / 24.0));
        let (even, odd) = (b.add(c).mul(sixth), b.sub(c).mul(sixth));
        let (even2, odd2) = (d.add(e).mul(part), d.sub(e).mul(part));
        let z = V::zero();
        [a.mul(s(0.25)).add(even).add(even2), odd2.mul_add(s(2.0), odd), even2.mul_add(s(4.0), even).add(f), z, z, z]
    }
}
