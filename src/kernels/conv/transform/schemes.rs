//! Fast algorithms for short one-dimensional convolutions (Winograd 1980; Lavin and Gray 2016), nested for two.
//!
//! A scheme computes a few neighbouring outputs as `output(weight(w) ⊙ input(x))` with fewer products than taps times
//! outputs. All its maps are linear, so their adjoints give the gradients with the same few products.
//!
//! Arrays hold up to ten values; a scheme uses the first as its constants say.

use crate::kernels::vector::Vector;

/// Most values of any array of a scheme.
pub(super) const MOST: usize = 10;

pub(super) type Values<V> = [V; MOST];

/// The values of a scheme, and nothing in the other places.
#[inline(always)]
fn wide<V: Vector, const N: usize>(values: [V; N]) -> Values<V> {
    let mut all = [V::zero(); MOST];
    all[..N].copy_from_slice(&values);
    all
}

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
    fn input<V: Vector>([a, b, c, d, e, f, ..]: Values<V>) -> Values<V> {
        wide([a.sub(c), c, c.sub(e), b.sub(d), d, d.sub(f)])
    }

    #[inline(always)]
    fn input_adjoint<V: Vector>([a, b, c, d, e, f, ..]: Values<V>) -> Values<V> {
        let zero = V::zero();
        wide([a, d, b.add(c).sub(a), e.add(f).sub(d), zero.sub(c), zero.sub(f)])
    }

    #[inline(always)]
    fn output<V: Vector>([a, b, c, ..]: Values<V>) -> Values<V> {
        wide([a.add(b), b.sub(c)])
    }

    #[inline(always)]
    fn output_adjoint<V: Vector>([a, b, ..]: Values<V>) -> Values<V> {
        wide([a, a.add(b), V::zero().sub(b)])
    }

    #[inline(always)]
    fn weight<V: Vector>([a, b, c, d, ..]: Values<V>) -> Values<V> {
        wide([a, a.add(c), c, b, b.add(d), d])
    }

    #[inline(always)]
    fn weight_adjoint<V: Vector>([a, b, c, d, e, f, ..]: Values<V>) -> Values<V> {
        wide([a.add(b), d.add(e), b.add(c), e.add(f)])
    }
}

/// Four taps at stride 2: four outputs from five products for each of two phases. Rounding errors are a few times those
/// of [`Stride2`].
pub(super) struct Stride4;

impl Stride4 {
    /// One phase: the polynomial of the inputs at 0, 1, -1, 2 and infinity.
    #[inline(always)]
    fn input_phase<V: Vector>([a, b, c, d, e]: [V; 5]) -> [V; 5] {
        let (two, three) = (V::splat(2.0), V::splat(3.0));
        let (bent, odd) = (b.mul(two), d.sub(b));
        [a.sub(c).mul_add(two, odd), d.sub(c).sub(bent), bent.add(d).sub(c.mul(three)), odd, e.sub(c).sub(odd.mul(two))]
    }

    #[inline(always)]
    fn input_adjoint_phase<V: Vector>([a, b, c, d, e]: [V; 5]) -> [V; 5] {
        let (two, three) = (V::splat(2.0), V::splat(3.0));
        let ends = e.sub(b).add(c);
        [
            a.mul(two),
            ends.mul(two).sub(a).sub(d),
            V::zero().sub(a.mul(two)).sub(b).sub(c.mul(three)).sub(e),
            a.add(b).add(c).add(d).sub(e.mul(two)),
            e,
        ]
    }

    #[inline(always)]
    fn weight_phase<V: Vector>(a: V, b: V) -> [V; 5] {
        let s = V::splat;
        let (half, sixth) = (s(0.5), s(1.0 / 6.0));
        [a.mul(half), a.add(b).mul(s(-0.5)), b.sub(a).mul(sixth), b.mul_add(s(2.0), a).mul(sixth), b]
    }

    #[inline(always)]
    fn weight_adjoint_phase<V: Vector>([a, b, c, d, e]: [V; 5]) -> [V; 2] {
        let s = V::splat;
        let sixth = s(1.0 / 6.0);
        [a.sub(b).mul_add(s(0.5), d.sub(c).mul(sixth)), d.mul_add(s(2.0), c).mul_add(sixth, e.sub(b.mul(s(0.5))))]
    }
}

impl Scheme for Stride4 {
    const INPUTS: usize = 10;
    const STEP: usize = 8;
    const OUTPUTS: usize = 4;
    const TAPS: usize = 4;
    const PRODUCTS: usize = 5;
    const PHASES: usize = 2;

    #[inline(always)]
    fn input<V: Vector>([a, b, c, d, e, f, g, h, i, j]: Values<V>) -> Values<V> {
        let [k, l, m, n, o] = Self::input_phase([a, c, e, g, i]);
        let [p, q, r, s, t] = Self::input_phase([b, d, f, h, j]);
        wide([k, l, m, n, o, p, q, r, s, t])
    }

    #[inline(always)]
    fn input_adjoint<V: Vector>([a, b, c, d, e, f, g, h, i, j]: Values<V>) -> Values<V> {
        let [k, l, m, n, o] = Self::input_adjoint_phase([a, b, c, d, e]);
        let [p, q, r, s, t] = Self::input_adjoint_phase([f, g, h, i, j]);
        wide([k, p, l, q, m, r, n, s, o, t])
    }

    #[inline(always)]
    fn output<V: Vector>([a, b, c, d, e, ..]: Values<V>) -> Values<V> {
        let (even, odd) = (b.add(c), b.sub(c));
        let s = V::splat;
        wide([a.add(even).add(d), d.mul_add(s(2.0), odd), d.mul_add(s(4.0), even), d.mul_add(s(8.0), odd).add(e)])
    }

    #[inline(always)]
    fn output_adjoint<V: Vector>([a, b, c, d, ..]: Values<V>) -> Values<V> {
        let (even, odd) = (a.add(c), b.add(d));
        let s = V::splat;
        let at_two = d.mul_add(s(8.0), c.mul_add(s(4.0), b.mul_add(s(2.0), a)));
        wide([a, even.add(odd), even.sub(odd), at_two, d])
    }

    #[inline(always)]
    fn weight<V: Vector>([a, b, c, d, ..]: Values<V>) -> Values<V> {
        let [k, l, m, n, o] = Self::weight_phase(a, c);
        let [p, q, r, s, t] = Self::weight_phase(b, d);
        wide([k, l, m, n, o, p, q, r, s, t])
    }

    #[inline(always)]
    fn weight_adjoint<V: Vector>([a, b, c, d, e, f, g, h, i, j]: Values<V>) -> Values<V> {
        let [k, m] = Self::weight_adjoint_phase([a, b, c, d, e]);
        let [l, n] = Self::weight_adjoint_phase([f, g, h, i, j]);
        wide([k, l, m, n])
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
    fn input<V: Vector>([a, b, c, ..]: Values<V>) -> Values<V> {
        wide([a.sub(b), b, c.sub(b)])
    }

    #[inline(always)]
    fn input_adjoint<V: Vector>([a, b, c, ..]: Values<V>) -> Values<V> {
        wide([a, b.sub(a).sub(c), c])
    }

    #[inline(always)]
    fn output<V: Vector>([a, b, c, ..]: Values<V>) -> Values<V> {
        wide([a.add(b), b.add(c)])
    }

    #[inline(always)]
    fn output_adjoint<V: Vector>([a, b, ..]: Values<V>) -> Values<V> {
        wide([a, a.add(b), b])
    }

    #[inline(always)]
    fn weight<V: Vector>([a, b, c, ..]: Values<V>) -> Values<V> {
        wide([a, a.add(b).add(c), c])
    }

    #[inline(always)]
    fn weight_adjoint<V: Vector>([a, b, c, ..]: Values<V>) -> Values<V> {
        wide([a.add(b), b, b.add(c)])
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
    fn input<V: Vector>([a, b, c, d, ..]: Values<V>) -> Values<V> {
        wide([a.sub(c), b.add(c), c.sub(b), b.sub(d)])
    }

    #[inline(always)]
    fn input_adjoint<V: Vector>([a, b, c, d, ..]: Values<V>) -> Values<V> {
        wide([a, b.sub(c).add(d), b.add(c).sub(a), V::zero().sub(d)])
    }

    #[inline(always)]
    fn output<V: Vector>([a, b, c, d, ..]: Values<V>) -> Values<V> {
        wide([a.add(b).add(c), b.sub(c).sub(d)])
    }

    #[inline(always)]
    fn output_adjoint<V: Vector>([a, b, ..]: Values<V>) -> Values<V> {
        wide([a, a.add(b), a.sub(b), V::zero().sub(b)])
    }

    #[inline(always)]
    fn weight<V: Vector>([a, b, c, ..]: Values<V>) -> Values<V> {
        let (half, ends) = (V::splat(0.5), a.add(c));
        wide([a, ends.add(b).mul(half), ends.sub(b).mul(half), c])
    }

    #[inline(always)]
    fn weight_adjoint<V: Vector>([a, b, c, d, ..]: Values<V>) -> Values<V> {
        let half = V::splat(0.5);
        let (sum, difference) = (b.add(c).mul(half), b.sub(c).mul(half));
        wide([a.add(sum), difference, sum.add(d)])
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
    fn input<V: Vector>([a, b, c, d, e, f, ..]: Values<V>) -> Values<V> {
        let (two, four, five) = (V::splat(2.0), V::splat(4.0), V::splat(5.0));
        let (even, odd) = (e.sub(c.mul(four)), d.sub(b.mul(four)));
        let (even2, odd2) = (e.sub(c), d.sub(b).mul(two));
        wide([
            a.mul_add(four, e.sub(c.mul(five))),
            even.add(odd),
            even.sub(odd),
            even2.add(odd2),
            even2.sub(odd2),
            b.mul_add(four, f.sub(d.mul(five))),
        ])
    }

    #[inline(always)]
    fn input_adjoint<V: Vector>([a, b, c, d, e, f, ..]: Values<V>) -> Values<V> {
        let (two, four, five) = (V::splat(2.0), V::splat(4.0), V::splat(5.0));
        let (even, odd) = (b.add(c), b.sub(c));
        let (even2, odd2) = (d.add(e), d.sub(e).mul(two));
        wide([
            a.mul(four),
            f.sub(odd).mul(four).sub(odd2),
            V::zero().sub(a.mul(five)).sub(even.mul(four)).sub(even2),
            odd.add(odd2).sub(f.mul(five)),
            a.add(even).add(even2),
            f,
        ])
    }

    #[inline(always)]
    fn output<V: Vector>([a, b, c, d, e, f, ..]: Values<V>) -> Values<V> {
        let (even, odd, even2, odd2) = (b.add(c), b.sub(c), d.add(e), d.sub(e));
        let (two, four, eight) = (V::splat(2.0), V::splat(4.0), V::splat(8.0));
        wide([
            a.add(even).add(even2),
            odd2.mul_add(two, odd),
            even2.mul_add(four, even),
            odd2.mul_add(eight, odd).add(f),
        ])
    }

    #[inline(always)]
    fn output_adjoint<V: Vector>([a, b, c, d, ..]: Values<V>) -> Values<V> {
        let (two, four, eight) = (V::splat(2.0), V::splat(4.0), V::splat(8.0));
        let (even, odd) = (a.add(c), b.add(d));
        let (even2, odd2) = (c.mul_add(four, a), d.mul_add(eight, b.mul(two)));
        wide([a, even.add(odd), even.sub(odd), even2.add(odd2), even2.sub(odd2), d])
    }

    #[inline(always)]
    fn weight<V: Vector>([a, b, c, ..]: Values<V>) -> Values<V> {
        let s = V::splat;
        let (ends, ends2, middle2) = (a.add(c), c.mul_add(s(4.0), a), b.mul(s(2.0)));
        let (sixth, part) = (s(-1.0 / 6.0), s(1.0 / 24.0));
        wide([
            a.mul(s(0.25)),
            ends.add(b).mul(sixth),
            ends.sub(b).mul(sixth),
            ends2.add(middle2).mul(part),
            ends2.sub(middle2).mul(part),
            c,
        ])
    }

    #[inline(always)]
    fn weight_adjoint<V: Vector>([a, b, c, d, e, f, ..]: Values<V>) -> Values<V> {
        let s = V::splat;
        let (sixth, part) = (s(-1.0 / 6.0), s(1.0 / 24.0));
        let (even, odd) = (b.add(c).mul(sixth), b.sub(c).mul(sixth));
        let (even2, odd2) = (d.add(e).mul(part), d.sub(e).mul(part));
        wide([a.mul(s(0.25)).add(even).add(even2), odd2.mul_add(s(2.0), odd), even2.mul_add(s(4.0), even).add(f)])
    }
}
