//! CPU kernels, chosen at run time for the processor: the thread pool that runs them, quantised
//! matrices, attention and the small row operations of a transformer.
//!
//! Nothing here knows a network. The value of every output element depends only on its own inputs:
//! never on the number of threads, on how many tokens are processed together, or on which task of a
//! parallel region computed it. Exact prefix reuse and reproducible text rest on that.

pub mod arena;
pub mod attention;
pub mod autograd;
pub mod buffer;
pub mod conv;
pub mod elementwise;
pub mod exec;
pub mod gemm;
mod lanes;
pub mod level;
pub mod matrix;
pub mod moments;
pub mod normalise;
pub mod optim;
pub mod pool;
pub mod pooling;
pub mod priority;
pub mod resample;
pub mod rotary;
pub mod rows;
pub mod shift;
pub mod softmax;
pub mod stream;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod vector;
pub mod wavenet;

pub use exec::{Exec, with_pool, with_threads};
pub use level::Level;
pub use pool::Pool;
