//! First and second moments of channels, which tell textures apart (the Gram matrices of Gatys et al., 2015, and means).

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::{
    Exec,
    autograd::{builds_graphs, check, numbers, plain, with_numbers},
    exec::Shared,
    gemm::matmul,
};

/// (N, channels, …) to (N, channels, channels + 1): over the places of each image the mean products of channels, then
/// their means.
///
/// Its gradient cannot be differentiated again.
///
/// # Errors
/// If there are no places, or the tensor is not `f32` on the CPU.
pub fn moments(x: &Tensor) -> Result<Tensor> {
    check("moments", &[x])?;
    if x.rank() < 2 || x.elem_count() == 0 {
        bail!("there are no moments of {:?}", x.shape());
    }
    x.flatten_from(2.min(x.rank() - 1))?.contiguous()?.apply_op1(Moments)
}

struct Moments;

/// (N, channels, places) of a shape.
fn sizes(shape: &Shape) -> (usize, usize, usize) {
    match shape.dims() {
        [n, channels] => (*n, *channels, 1),
        dims => (dims[0], dims[1], dims[2..].iter().product()),
    }
}

/// Calls `work` for each image, several at a time where there are as many as threads; otherwise each uses them all.
fn each_image(images: usize, work: impl Fn(usize) + Sync) {
    let pool = Exec::current().pool;
    if images < pool.threads() { (0..images).for_each(work) } else { pool.run(images, work) }
}

impl CustomOp1 for Moments {
    fn name(&self) -> &'static str {
        "moments"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (n, channels, places) = sizes(layout.shape());
        let (x, len) = (numbers(x, layout)?, channels * (channels + 1));
        let mut out = vec![0.0; n * len];
        let shared = Shared::new(&mut out);
        each_image(n, |image| {
            let x = &x[image * channels * places..(image + 1) * channels * places];
            let products = matmul(Exec::current(), x, x, (channels, places, channels), (false, true));
            // SAFETY: images do not overlap.
            #[allow(unsafe_code)]
            let out = unsafe { shared.part(image * len, len) };
            let rows = products.chunks_exact(channels).zip(x.chunks_exact(places));
            for ((products, x), out) in rows.zip(out.chunks_exact_mut(channels + 1)) {
                out.iter_mut().zip(products).for_each(|(out, product)| *out = product / places as f32);
                let sum: f64 = x.chunks(64).map(|x| f64::from(x.iter().sum::<f32>())).sum();
                out[channels] = (sum / places as f64) as f32;
            }
        });
        Ok((CpuStorage::F32(out), (n, channels, channels + 1).into()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        if builds_graphs() {
            bail!("the gradient of moments cannot be differentiated again");
        }
        let (_, channels, places) = sizes(x.shape());
        let mut out = vec![0.0; x.elem_count()];
        let shared = Shared::new(&mut out);
        with_numbers(x, |x| {
            with_numbers(g, |g| {
                each_image(x.len() / (channels * places), |image| {
                    let x = &x[image * channels * places..(image + 1) * channels * places];
                    let g = &g[image * channels * (channels + 1)..];
                    let at = |row: usize, column: usize| g[row * (channels + 1) + column] / places as f32;
                    let both = (0..channels * channels).map(|i| (i / channels, i % channels));
                    let weights: Vec<f32> = both.map(|(row, column)| at(row, column) + at(column, row)).collect();
                    let product = matmul(Exec::current(), &weights, x, (channels, channels, places), (false, false));
                    // SAFETY: images do not overlap.
                    #[allow(unsafe_code)]
                    let to = unsafe { shared.part(image * channels * places, channels * places) };
                    let rows = to.chunks_exact_mut(places).zip(product.chunks_exact(places));
                    for (channel, (to, from)) in rows.enumerate() {
                        let of_mean = at(channel, channels);
                        to.iter_mut().zip(from).for_each(|(to, from)| *to = from + of_mean);
                    }
                });
                Ok(())
            })
        })?;
        plain(out, x.shape()).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{Numbers, check_gradients};

    #[test]
    fn moments_and_their_gradient_agree_with_f64() -> Result<()> {
        for (n, channels, places) in [(1, 1, 1), (2, 3, 7), (1, 9, 20)] {
            let mut numbers = Numbers::new(5);
            let x = numbers.vector(n * channels * places);
            let weights = numbers.vector(n * channels * (channels + 1));
            let exact = |x: &[f64]| {
                let mut sum = 0.0;
                for (image, x) in x.chunks(channels * places).enumerate() {
                    for (row, column) in (0..channels).flat_map(|row| (0..=channels).map(move |column| (row, column))) {
                        let part = |channel: usize| &x[channel * places..(channel + 1) * places];
                        let moment: f64 = match column == channels {
                            true => part(row).iter().sum(),
                            false => part(row).iter().zip(part(column)).map(|(a, b)| a * b).sum(),
                        };
                        let at = (image * channels + row) * (channels + 1) + column;
                        sum += f64::from(weights[at]) * moment / places as f64;
                    }
                }
                sum
            };
            let shape = (n, channels, channels + 1);
            let loss = |x: &[Tensor]| (moments(&x[0])? * plain(weights.clone(), shape)?)?.sum_all();
            check_gradients(&[x], &[vec![n, channels, places]], &loss, &exact, 1e-5)?;
        }
        Ok(())
    }

    #[test]
    fn what_has_no_places_has_no_moments() {
        let none = Tensor::zeros((1, 3, 0), candle_core::DType::F32, &candle_core::Device::Cpu).expect("empty");
        assert!(moments(&none).is_err());
    }
}
