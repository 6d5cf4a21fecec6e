//! The first blocks of EfficientNet-Lite0 (Tan and Le, 2019, without squeeze-and-excitation and with ReLU6): what they
//! see in a picture, with gradients to it, for judging pictures by. Norms are folded into the convolutions.
//!
//! Weights are named as the blocks are: `stem`, then `blocks.N.expand`, `.depth` and `.project`, each with `.weight`
//! (PyTorch's order) and `.bias`.

use std::collections::HashMap;

use candle_core::{Result as TensorResult, Tensor};

use crate::{
    Error, Result,
    kernels::{
        conv::{ConvOptions, ConvWeight, Weight as _, conv2d},
        elementwise::Activation,
    },
};

/// Stride of each block's middle convolution, and whether what comes in is added to what goes out.
const BLOCKS: [(usize, bool); 5] = [(1, false), (2, false), (1, true), (2, false), (1, true)];

/// The blocks.
pub struct Features {
    stem: Layer,
    blocks: Vec<Block>,
}

/// An inverted residual (Sandler et al., 2018), without its last convolution where nothing follows it.
struct Block {
    expand: Option<Layer>,
    depth: Layer,
    project: Option<Layer>,
    adds: bool,
}

struct Layer {
    weight: ConvWeight,
    bias: Tensor,
    options: ConvOptions,
}

impl Layer {
    fn new(tensors: &HashMap<String, Tensor>, name: &str, stride: usize, depthwise: bool) -> Result<Option<Self>> {
        let get =
            |part: &str| tensors.get(&format!("{name}.{part}")).and_then(|t| t.to_dtype(candle_core::DType::F32).ok());
        let Some((weight, bias)) = get("weight").zip(get("bias")) else { return Ok(None) };
        let &[out, inner, kernel, width] = weight.dims() else { return Err(foreign()) };
        if bias.dims() != [out] || kernel != width || (depthwise && inner != 1) {
            return Err(foreign());
        }
        let options = ConvOptions::new(stride, kernel / 2).with_groups(if depthwise { out } else { 1 });
        Ok(Some(Self { weight: ConvWeight::fixed(&weight).map_err(|_| foreign())?, bias, options }))
    }

    fn forward(&self, x: &Tensor, activation: Activation) -> TensorResult<Tensor> {
        conv2d(x, &self.weight, Some(&self.bias), &self.options, activation)
    }
}

impl Features {
    /// # Errors
    /// When a tensor is missing or has another shape.
    pub fn new(tensors: &HashMap<String, Tensor>) -> Result<Self> {
        let stem = Layer::new(tensors, "stem", 2, false)?.ok_or_else(foreign)?;
        let mut width = stem.bias.elem_count();
        let mut blocks = Vec::with_capacity(BLOCKS.len());
        for (at, (stride, adds)) in BLOCKS.into_iter().enumerate() {
            let layer =
                |name: &str, stride, depthwise| Layer::new(tensors, &format!("blocks.{at}.{name}"), stride, depthwise);
            let block = Block {
                expand: layer("expand", 1, false)?,
                depth: layer("depth", stride, true)?.ok_or_else(foreign)?,
                project: layer("project", 1, false)?,
                adds,
            };
            for (layer, depthwise) in
                [(block.expand.as_ref(), false), (Some(&block.depth), true), (block.project.as_ref(), false)]
            {
                let Some(layer) = layer else { continue };
                let inputs = if depthwise { layer.bias.elem_count() } else { layer.weight.tensor().dims()[1] };
                if inputs != width {
                    return Err(foreign());
                }
                width = layer.bias.elem_count();
            }
            if block.project.is_none() && at + 1 < BLOCKS.len() {
                return Err(foreign());
            }
            blocks.push(block);
        }
        Ok(Self { stem, blocks })
    }

    /// What the stem and the middle of each block see in pictures (N, 3, H, W) of −1..1: (N, channels, h, w) each, at half
    /// their size, half, a quarter twice, and an eighth twice.
    ///
    /// # Errors
    /// When the pictures have another shape.
    pub fn forward(&self, pictures: &Tensor) -> TensorResult<Vec<Tensor>> {
        let mut x = self.stem.forward(pictures, Activation::Relu6)?;
        let mut seen = vec![x.clone()];
        for block in &self.blocks {
            let wide = match &block.expand {
                Some(expand) => expand.forward(&x, Activation::Relu6)?,
                None => x.clone(),
            };
            let wide = block.depth.forward(&wide, Activation::Relu6)?;
            seen.push(wide.clone());
            if let Some(project) = &block.project {
                let narrow = project.forward(&wide, Activation::None)?;
                x = if block.adds { (x + narrow)? } else { narrow };
            }
        }
        Ok(seen)
    }
}

fn foreign() -> Error {
    Error::new(
        "The weights that pictures are compared with are not whole; get the program again.",
        "用于比较图片的权重不完整，请重新获取本程序。",
    )
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Var};

    use super::*;
    use crate::{formats::safetensors, kernels::autograd::first_order};

    fn weights() -> HashMap<String, Tensor> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/models/features/efficientnet-lite0/features.safetensors");
        safetensors::load(path.as_ref()).expect("the weights")
    }

    #[test]
    fn what_is_seen_and_its_gradient_agree_with_pytorch() -> TensorResult<()> {
        let mut picture = Vec::new();
        for (c, y, x) in (0..3).flat_map(|c| (0..48).flat_map(move |y| (0..64).map(move |x| (c, y, x)))) {
            picture.push(((c * 7 + y * 13 + x * 5 + (y * x) % 11) % 32) as f32 / 16.0 - 1.0);
        }
        let picture = Var::from_vec(picture, (1, 3, 48, 64), &Device::Cpu)?;
        let seen = Features::new(&weights()).expect("features").forward(picture.as_tensor())?;
        // PyTorch 2.15: shape, mean and mean square of each.
        let expected = [
            ([1, 32, 24, 32], 1.964_371, 7.869_871),
            ([1, 32, 24, 32], 2.285_301, 11.083_649),
            ([1, 96, 12, 16], 0.875_707, 2.226_863),
            ([1, 144, 12, 16], 0.861_003, 2.566_755),
            ([1, 144, 6, 8], 1.163_255, 3.477_734),
            ([1, 240, 6, 8], 0.664_782, 1.761_783),
        ];
        assert_eq!(seen.len(), expected.len());
        let mut sum = Tensor::new(0.0_f32, &Device::Cpu)?;
        for (seen, (shape, mean, square)) in seen.iter().zip(expected) {
            assert_eq!(seen.dims(), shape);
            let close =
                |got: &Tensor, expected: f32| got.to_scalar::<f32>().map(|got| (got / expected - 1.0).abs() < 1e-4);
            assert!(close(&seen.mean_all()?, mean)? && close(&seen.sqr()?.mean_all()?, square)?, "{shape:?}");
            sum = (sum + seen.sqr()?.mean_all()?)?;
        }
        let gradient = first_order(|| sum.backward())?.remove(&picture).expect("a gradient");
        let size = gradient.abs()?.sum_all()?.to_scalar::<f32>()?;
        assert!((size / 33.238_28 - 1.0).abs() < 1e-4, "{size}");
        let gradient = gradient.squeeze(0)?.to_vec3::<f32>()?;
        assert!((gradient[1][20][31] - 0.010_708_185).abs() < 1e-6 && (gradient[0][0][0] + 0.002_104_824).abs() < 1e-6);
        Ok(())
    }

    #[test]
    fn weights_that_are_not_whole_are_refused() {
        let good = weights();
        for name in ["stem.bias", "blocks.2.depth.weight", "blocks.3.project.bias"] {
            let mut short = good.clone();
            short.remove(name);
            assert!(Features::new(&short).is_err(), "{name}");
            short.insert(name.to_owned(), Tensor::zeros((2, 1, 3, 3), DType::F32, &Device::Cpu).expect("zeros"));
            assert!(Features::new(&short).is_err(), "{name}");
        }
    }
}
