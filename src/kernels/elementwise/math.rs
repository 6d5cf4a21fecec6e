//! Exponential, logistic and hyperbolic tangent on eight lanes.
//!
//! Largest errors over all finite inputs, held by the tests against `f64`: `exp` 2 units in the last place of the
//! result, `sigmoid` 3e-7 and `tanh` 4e-7 relative.

use crate::kernels::vector::Vector;

/// `eˣ`; 0 and ∞ beyond the range of `f32` are replaced by the smallest and largest normal result.
#[inline(always)]
pub(crate) fn exp<V: Vector>(x: V) -> V {
    let s = V::splat;
    // In this order a NaN stays one.
    let x = s(-87.33).max(s(88.02).min(x));
    let n = x.mul(s(std::f32::consts::LOG2_E)).round();
    // ln 2 in two parts, the first exact in few bits, keeps the remainder exact.
    let r = n.mul_add(s(-0.693_359_4), x);
    let r = n.mul_add(s(2.121_944_4e-4), r);
    // Taylor series with the last terms adjusted for |r| ≤ ½ ln 2 (Cephes).
    let p = s(1.987_569_2e-4).mul_add(r, s(1.398_199_9e-3));
    let p = p.mul_add(r, s(8.333_452e-3));
    let p = p.mul_add(r, s(4.166_579_6e-2));
    let p = p.mul_add(r, s(1.666_666_5e-1));
    let p = p.mul_add(r, s(0.5));
    let p = p.mul_add(r.mul(r), r.add(s(1.0)));
    p.mul(n.power_of_two())
}

/// `1 / (1 + e⁻ˣ)`.
#[inline(always)]
pub(crate) fn sigmoid<V: Vector>(x: V) -> V {
    let one = V::splat(1.0);
    one.div(one.add(exp(V::zero().sub(x))))
}

/// Hyperbolic tangent: an odd polynomial over an even one, fitted for |x| ≤ 7.9 and constant beyond.
#[inline(always)]
pub(crate) fn tanh<V: Vector>(x: V) -> V {
    let (over, under) = tanh_parts(x);
    over.div(under)
}

/// `tanh(a) · sigmoid(b)` for a few vectors at once, with one division each, which would else be waited for.
#[inline(always)]
pub(crate) fn gated<V: Vector, const N: usize>(a: [V; N], mut b: [V; N]) -> [V; N] {
    // Plain loops: what `map` takes as a closure is not compiled for the instructions in use.
    let one = V::splat(1.0);
    for b in &mut b {
        *b = one.add(exp(V::zero().sub(*b)));
    }
    for (a, b) in a.into_iter().zip(&mut b) {
        let (over, under) = tanh_parts(a);
        *b = over.div(under.mul(*b));
    }
    b
}

/// What divided gives the hyperbolic tangent; the divisor is at most 1.
#[inline(always)]
fn tanh_parts<V: Vector>(x: V) -> (V, V) {
    let s = V::splat;
    let x = s(-7.905_311).max(s(7.905_311).min(x));
    let q = x.mul(x);
    let p = s(-2.760_768_5e-16).mul_add(q, s(2.000_188e-13));
    let p = p.mul_add(q, s(-8.604_672e-11));
    let p = p.mul_add(q, s(5.122_297e-8));
    let p = p.mul_add(q, s(1.485_722_4e-5));
    let p = p.mul_add(q, s(6.372_619_4e-4));
    let p = p.mul_add(q, s(4.893_524_5e-3));
    let d = s(1.198_258_4e-6).mul_add(q, s(1.185_347_1e-4));
    let d = d.mul_add(q, s(2.268_434_6e-3));
    let d = d.mul_add(q, s(4.893_525e-3));
    (x.mul(p), d)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::vector::Portable;

    fn worst(f: impl Fn(Portable) -> Portable, exact: impl Fn(f64) -> f64, low: f32, high: f32) -> f64 {
        let count = 400_000;
        (0..=count).fold(0.0, |worst: f64, i| {
            let x = low + (high - low) * i as f32 / count as f32;
            let expected = exact(f64::from(x));
            let error = (f64::from(f(Portable::splat(x)).to_array()[3]) - expected) / expected.abs().max(1e-37);
            worst.max(error.abs())
        })
    }

    #[test]
    fn errors_stay_below_what_is_documented() {
        let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
        assert!(worst(exp, f64::exp, -87.3, 88.0) < 2.0 * f64::from(f32::EPSILON));
        assert!(worst(sigmoid, logistic, -80.0, 80.0) < 3e-7);
        assert!(worst(tanh, f64::tanh, 1e-6, 20.0) < 4e-7);
        assert!(worst(tanh, f64::tanh, -20.0, -1e-6) < 4e-7);
        for b in [-80.0, -3.0, 0.0, 0.7, 9.0, 80.0] {
            let gate = |x: Portable| gated([x, x], [Portable::splat(b), Portable::splat(b)])[1];
            let exact = |x: f64| x.tanh() * logistic(f64::from(b));
            assert!(worst(gate, exact, 1e-6, 20.0) < 8e-7, "{b}");
        }
    }

    #[test]
    fn extremes_do_not_overflow() {
        for x in [f32::MAX, f32::MIN, f32::INFINITY, f32::NEG_INFINITY] {
            let up = x > 0.0;
            assert!(exp(Portable::splat(x)).to_array()[0].is_finite());
            assert!((sigmoid(Portable::splat(x)).to_array()[0] - if up { 1.0 } else { 0.0 }).abs() < 1e-6);
            assert!((tanh(Portable::splat(x)).to_array()[0] - if up { 1.0 } else { -1.0 }).abs() < 1e-6);
            let [gate] = gated([Portable::splat(x)], [Portable::splat(x)]);
            assert!((gate.to_array()[0] - if up { 1.0 } else { 0.0 }).abs() < 1e-6);
        }
    }
}
