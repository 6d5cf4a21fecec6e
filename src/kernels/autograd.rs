//! What the kernels' custom ops share: reading tensors, and whether gradients must be differentiable themselves.
//!
//! candle cuts the graph of a backward pass off unless `CANDLE_GRAD_DO_NOT_DETACH=1` stood in the environment before
//! the first backward pass of the thread; then second derivatives (R1 and WGAN-GP penalties) are exact. The ops here
//! follow the same switch. [`enable_second_order`] throws it, [`first_order`] spares the passes that do not need it.
#![allow(unsafe_code)]

use std::cell::Cell;

use candle_core::{CpuStorage, DType, Layout, Result, Shape, Storage, Tensor, bail};

const SWITCH: &str = "CANDLE_GRAD_DO_NOT_DETACH";

thread_local! {
    /// Read once a thread, as candle does.
    static SECOND_ORDER: bool = std::env::var(SWITCH).is_ok_and(|value| !value.is_empty() && value != "0");
    static FIRST_ORDER_ONLY: Cell<bool> = const { Cell::new(false) };
}

/// Makes second derivatives possible in every thread that has not run a backward pass yet.
///
/// # Safety
/// Call it before the program starts threads: changing the environment beside a thread that reads it is a data race.
pub unsafe fn enable_second_order() {
    // SAFETY: the caller promises that no other thread runs.
    unsafe { std::env::set_var(SWITCH, "1") };
}

/// Whether gradients computed in this thread can be differentiated again.
pub fn second_order_is_possible() -> bool {
    SECOND_ORDER.with(|on| *on)
}

/// Runs `work`, usually a `backward()`, without keeping the graphs of its gradients: the fast path even where second
/// derivatives are possible.
pub fn first_order<R>(work: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            FIRST_ORDER_ONLY.set(self.0);
        }
    }
    let _restore = Restore(FIRST_ORDER_ONLY.replace(true));
    work()
}

/// Whether the backward passes of the ops must build graphs.
pub(crate) fn builds_graphs() -> bool {
    second_order_is_possible() && !FIRST_ORDER_ONLY.get()
}

/// The gradient of `output` (its elements summed) to `input`, itself differentiable.
///
/// # Errors
/// If second derivatives are off in this thread, or `output` does not depend on `input`.
pub fn differentiable_gradient(output: &Tensor, input: &Tensor) -> Result<Tensor> {
    if !builds_graphs() {
        bail!("a gradient penalty needs second derivatives, which are off in this thread");
    }
    match output.sum_all()?.backward()?.remove(input) {
        Some(gradient) => Ok(gradient),
        None => bail!("the output does not depend on the input whose gradient was asked for"),
    }
}

/// The numbers of a contiguous `f32` tensor on the CPU.
pub(crate) fn numbers<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&values[start..end]),
        (CpuStorage::F32(_), None) => bail!("this operation needs contiguous tensors"),
        _ => bail!("this operation needs 32-bit floats"),
    }
}

/// Calls `work` with the numbers of a tensor, laid out in order.
pub(crate) fn with_numbers<R>(tensor: &Tensor, work: impl FnOnce(&[f32]) -> Result<R>) -> Result<R> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => work(numbers(storage, layout)?),
        _ => bail!("this operation runs on the CPU"),
    }
}

/// A tensor without history.
pub(crate) fn plain(values: Vec<f32>, shape: impl Into<Shape>) -> Result<Tensor> {
    Tensor::from_vec(values, shape.into(), &candle_core::Device::Cpu)
}

/// Refuses tensors that the kernels cannot read.
pub(crate) fn check(name: &str, tensors: &[&Tensor]) -> Result<()> {
    for tensor in tensors {
        if tensor.dtype() != DType::F32 || !tensor.device().is_cpu() {
            bail!("{name} needs 32-bit floats on the CPU, not {:?} on {:?}", tensor.dtype(), tensor.device());
        }
    }
    Ok(())
}
