//! Layer norm (Ba et al. 2016) and RMS norm (Zhang and Sennrich 2019) over the last dimension.
#![allow(unsafe_code)]

use candle_core::{CpuStorage, CustomOp2, CustomOp3, D, Layout, Result, Shape, Tensor, bail};

use crate::kernels::{
    Exec,
    autograd::{builds_graphs, check, numbers, plain, with_numbers},
    exec::{Shared, vectorised},
    vector::{LANES, Vector},
};

/// `(x − mean) / √(variance + ε) · weight + bias` over the last dimension: `x` (…, size), `weight` and `bias` (size).
///
/// # Errors
/// If the shapes do not fit together or a tensor is not `f32` on the CPU.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, epsilon: f64) -> Result<Tensor> {
    let size = size_of(x, &[weight, bias])?;
    if builds_graphs() {
        let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        return composed(&centred, weight, epsilon)?.broadcast_add(bias);
    }
    let op = RowNorm { size, centre: true, epsilon: epsilon as f32 };
    x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, op)
}

/// `x / √(mean x² + ε) · weight` over the last dimension: `x` (…, size), `weight` (size).
///
/// # Errors
/// As [`layer_norm`].
pub fn rms_norm(x: &Tensor, weight: &Tensor, epsilon: f64) -> Result<Tensor> {
    let size = size_of(x, &[weight])?;
    if builds_graphs() {
        return composed(x, weight, epsilon);
    }
    let op = RowNorm { size, centre: false, epsilon: epsilon as f32 };
    x.contiguous()?.apply_op2(&weight.contiguous()?, op)
}

fn size_of(x: &Tensor, weights: &[&Tensor]) -> Result<usize> {
    check("a norm", &[x])?;
    check("a norm", weights)?;
    let size = x.dim(D::Minus1)?;
    match weights.iter().find(|weight| weight.dims() != [size]) {
        _ if size == 0 => bail!("a norm of no numbers"),
        Some(weight) => bail!("a norm of rows of {size} has the weight {:?}", weight.dims()),
        None => Ok(size),
    }
}

/// Of plain operations, so that it can be differentiated any number of times.
fn composed(centred: &Tensor, weight: &Tensor, epsilon: f64) -> Result<Tensor> {
    let length = (centred.sqr()?.mean_keepdim(D::Minus1)? + epsilon)?.sqrt()?;
    centred.broadcast_div(&length)?.broadcast_mul(weight)
}

struct RowNorm {
    size: usize,
    /// Whether the mean is taken off: layer norm.
    centre: bool,
    epsilon: f32,
}

/// Rows of one task; fixed, so that the sums over rows do not depend on the threads.
const PART: usize = 64;

/// Mean (0 where it stays) and inverse deviation of a row.
#[derive(Clone, Copy, Default)]
struct Place {
    mean: f32,
    inverse: f32,
}

vectorised! {
    /// Σ (a − shift) · (b − shift), in double precision from stretch to stretch.
    ///
    /// # Safety
    /// The slices must have one length.
    unsafe fn product = product_body(a: &[f32], b: &[f32], shift: f32, sum: &mut f32)
}

#[inline(always)]
unsafe fn product_body<V: Vector>(a: &[f32], b: &[f32], shift: f32, sum: &mut f32) {
    let (mut sums, off) = ([V::zero(); 2], V::splat(shift));
    let whole = a.len() / LANES * LANES;
    for (turn, at) in (0..whole).step_by(LANES).enumerate() {
        // SAFETY: eight numbers from `at` are inside both.
        let (a, b) = unsafe { (V::load(a.as_ptr().add(at)).sub(off), V::load(b.as_ptr().add(at)).sub(off)) };
        sums[turn % 2] = a.mul_add(b, sums[turn % 2]);
    }
    let rest = a[whole..].iter().zip(&b[whole..]).map(|(a, b)| (a - shift) * (b - shift));
    *sum = sums[0].add(sums[1]).sum() + rest.sum::<f32>();
}

vectorised! {
    /// `out = (x − mean) · inverse · weight + bias`
    ///
    /// # Safety
    /// The slices must have one length.
    unsafe fn normed = normed_body(x: &[f32], place: Place, weight: &[f32], bias: Option<&[f32]>, out: &mut [f32])
}

#[inline(always)]
unsafe fn normed_body<V: Vector>(x: &[f32], place: Place, weight: &[f32], bias: Option<&[f32]>, out: &mut [f32]) {
    for at in (0..x.len()).step_by(LANES) {
        let end = (at + LANES).min(x.len());
        let read = |from: &[f32]| V::load_part(&from[at..end], 0.0);
        let y = read(x).sub(V::splat(place.mean)).mul(V::splat(place.inverse)).mul(read(weight));
        let y = match bias {
            Some(bias) => y.add(read(bias)),
            None => y,
        };
        y.store_part(&mut out[at..end]);
    }
}

/// What a row's backward pass reads.
#[derive(Clone, Copy)]
struct Row<'a> {
    x: &'a [f32],
    g: &'a [f32],
    weight: &'a [f32],
    place: Place,
    centre: bool,
}

vectorised! {
    /// The gradient of a row to `dx`, and its share of those to the weight and bias added to `dw` and `db`.
    ///
    /// # Safety
    /// The slices must have one length.
    unsafe fn back = back_body(row: Row<'_>, dx: &mut [f32], dw: &mut [f32], db: &mut [f32])
}

#[inline(always)]
unsafe fn back_body<V: Vector>(row: Row<'_>, dx: &mut [f32], dw: &mut [f32], db: &mut [f32]) {
    let len = row.x.len();
    let unit = |at: usize, end: usize| {
        V::load_part(&row.x[at..end], row.place.mean).sub(V::splat(row.place.mean)).mul(V::splat(row.place.inverse))
    };
    let (mut level, mut slope) = (V::zero(), V::zero());
    for at in (0..len).step_by(LANES) {
        let end = (at + LANES).min(len);
        let (g, x) = (V::load_part(&row.g[at..end], 0.0), unit(at, end));
        let pulled = g.mul(V::load_part(&row.weight[at..end], 0.0));
        level = level.add(pulled);
        slope = pulled.mul_add(x, slope);
        g.mul_add(x, V::load_part(&dw[at..end], 0.0)).store_part(&mut dw[at..end]);
        g.add(V::load_part(&db[at..end], 0.0)).store_part(&mut db[at..end]);
    }
    let level = V::splat(if row.centre { level.sum() / len as f32 } else { 0.0 });
    let slope = V::splat(-slope.sum() / len as f32);
    for at in (0..len).step_by(LANES) {
        let end = (at + LANES).min(len);
        let pulled = V::load_part(&row.g[at..end], 0.0).mul(V::load_part(&row.weight[at..end], 0.0));
        let rest = unit(at, end).mul_add(slope, pulled.sub(level));
        rest.mul(V::splat(row.place.inverse)).store_part(&mut dx[at..end]);
    }
}

impl RowNorm {
    fn place(&self, exec: Exec<'_>, x: &[f32]) -> Place {
        let count = x.len() as f32;
        let mean = if self.centre { x.iter().map(|x| f64::from(*x)).sum::<f64>() / f64::from(count) } else { 0.0 };
        let (mean, mut squares) = (mean as f32, 0.0);
        // SAFETY: a slice has the length of itself.
        unsafe { product(exec.level, x, x, mean, &mut squares) };
        Place { mean, inverse: 1.0 / (squares / count + self.epsilon).sqrt() }
    }

    fn forward(&self, exec: Exec<'_>, x: &[f32], weight: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
        let mut out = vec![0.0; x.len()];
        exec.pool.run_rows(&mut out, self.size, 8, |row, out| {
            let x = &x[row * self.size..(row + 1) * self.size];
            let place = self.place(exec, x);
            // SAFETY: all are one row.
            unsafe { normed(exec.level, x, place, weight, bias, out) };
        });
        out
    }

    /// The gradients to the input, the weight and the bias.
    fn backward(&self, exec: Exec<'_>, x: &[f32], weight: &[f32], g: &[f32]) -> [Vec<f32>; 3] {
        let (size, rows) = (self.size, x.len() / self.size);
        let parts = rows.div_ceil(PART);
        let (mut dx, mut sums) = (vec![0.0; x.len()], vec![0.0; parts * 2 * size]);
        let (to_x, to_sums) = (Shared::new(&mut dx), Shared::new(&mut sums));
        exec.pool.run(parts, |part| {
            // SAFETY: each part has sums and rows of its own.
            let (dw, db) = unsafe { to_sums.part(part * 2 * size, 2 * size) }.split_at_mut(size);
            for row in part * PART..((part + 1) * PART).min(rows) {
                let span = row * size..(row + 1) * size;
                let (x, g) = (&x[span.clone()], &g[span]);
                let row_of = Row { x, g, weight, place: self.place(exec, x), centre: self.centre };
                // SAFETY: as above; all are one row.
                unsafe { back(exec.level, row_of, to_x.part(row * size, size), dw, db) };
            }
        });
        let (mut dw, mut db) = (vec![0.0; size], vec![0.0; size]);
        for part in sums.chunks_exact(2 * size) {
            for (index, (dw, db)) in dw.iter_mut().zip(&mut db).enumerate() {
                *dw += part[index];
                *db += part[size + index];
            }
        }
        [dx, dw, db]
    }

    fn gradients(&self, x: &Tensor, weight: &Tensor, g: &Tensor) -> Result<[Tensor; 3]> {
        let [dx, dw, db] = with_numbers(x, |x| {
            with_numbers(weight, |w| with_numbers(g, |g| Ok(self.backward(Exec::current(), x, w, g))))
        })?;
        Ok([plain(dx, x.shape())?, plain(dw, weight.shape())?, plain(db, weight.shape())?])
    }
}

impl CustomOp2 for RowNorm {
    fn name(&self) -> &'static str {
        "rms-norm"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout, w: &CpuStorage, lw: &Layout) -> Result<(CpuStorage, Shape)> {
        let out = self.forward(Exec::current(), numbers(x, lx)?, numbers(w, lw)?, None);
        Ok((CpuStorage::F32(out), lx.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, w: &Tensor, _: &Tensor, g: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [dx, dw, _] = self.gradients(x, w, g)?;
        Ok((Some(dx), Some(dw)))
    }
}

impl CustomOp3 for RowNorm {
    fn name(&self) -> &'static str {
        "layer-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
        b: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let out = self.forward(Exec::current(), numbers(x, lx)?, numbers(w, lw)?, Some(numbers(b, lb)?));
        Ok((CpuStorage::F32(out), lx.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _: &Tensor,
        _: &Tensor,
        g: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [dx, dw, db] = self.gradients(x, w, g)?;
        Ok((Some(dx), Some(dw), Some(db)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{
        Level, Pool,
        testing::{Numbers, assert_close, check_gradients},
    };

    const EPSILON: f64 = 1e-3;

    /// `x`, the weight and, with `centre`, the bias in one slice.
    fn reference(all: &[f64], rows: usize, size: usize, centre: bool) -> Vec<f64> {
        let (x, rest) = all.split_at(rows * size);
        let row_of = |row: &[f64]| {
            let mean = if centre { row.iter().sum::<f64>() / size as f64 } else { 0.0 };
            let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / size as f64;
            let unit = move |x: f64| (x - mean) / (variance + EPSILON).sqrt();
            row.iter().map(move |x| unit(*x)).collect::<Vec<_>>()
        };
        let bias = |i: usize| if centre { rest[size + i] } else { 0.0 };
        x.chunks(size).flat_map(row_of).enumerate().map(|(i, x)| x * rest[i % size] + bias(i % size)).collect()
    }

    #[test]
    fn gradients_agree_with_finite_differences() -> Result<()> {
        for (rows, size) in [(1, 2), (3, 8), (70, 5), (2, 19)] {
            let mut numbers = Numbers::new(11);
            let inputs = [numbers.vector(rows * size), numbers.vector(size), numbers.vector(size)];
            let shapes = [vec![rows, size], vec![size], vec![size]];
            let loss = |y: Tensor| (y.sqr()? + y.powf(3.0)?)?.sum_all();
            let exact = |y: Vec<f64>| y.into_iter().map(|y| y * y + y * y * y).sum::<f64>();
            let layer = |t: &[Tensor]| loss(layer_norm(&t[0], &t[1], &t[2], EPSILON)?);
            check_gradients(&inputs, &shapes, &layer, &|all| exact(reference(all, rows, size, true)), 1e-4)?;
            let rms = |t: &[Tensor]| loss(rms_norm(&t[0], &t[1], EPSILON)?);
            check_gradients(&inputs[..2], &shapes[..2], &rms, &|all| exact(reference(all, rows, size, false)), 1e-4)?;
        }
        Ok(())
    }

    #[test]
    fn every_level_and_number_of_threads_agrees_with_f64() {
        let mut numbers = Numbers::new(3);
        for (rows, size) in [(1, 1), (130, 33), (5, 576)] {
            let (x, w, b) = (numbers.vector(rows * size), numbers.vector(size), numbers.vector(size));
            let all: Vec<f64> = x.iter().chain(&w).chain(&b).map(|x| f64::from(*x)).collect();
            for (level, centre) in Level::present().flat_map(|level| [(level, false), (level, true)]) {
                let norm = RowNorm { size, centre, epsilon: EPSILON as f32 };
                let mut first = None;
                for threads in 1..=3 {
                    let pool = Pool::new(threads);
                    let exec = Exec { level, pool: &pool };
                    let got = (norm.forward(exec, &x, &w, centre.then_some(&b)), norm.backward(exec, &x, &w, &x));
                    assert_close(&got.0, &reference(&all, rows, size, centre), 1e-5, "norm");
                    assert_eq!(first.get_or_insert_with(|| got.clone()), &got);
                }
            }
        }
    }
}
