//! Any network that Atelier runs, told from the names and shapes of its tensors: one raw pass, tensors in and out.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};

use super::{
    dcgan::{self, DcganConfig},
    psgan::PsganConfig,
    r3gan::{self, R3ganConfig},
    sketch::{Settings, Sketch, State},
    upscale::UpscaleNet,
};
use crate::{Error, Result};

/// A network with its weights, in evaluation mode.
pub enum Network {
    /// One of the first sketch's.
    Sketch(Sketch),
    /// (N, latent) and classes (N), to pictures (N, channels, side, side) in −1..1.
    Dcgan {
        generator: dcgan::Generator,
        /// Numbers that go in, classes and all.
        inputs: usize,
    },
    /// The same; what it makes may reach beyond −1..1.
    R3gan {
        generator: r3gan::Generator,
        /// Numbers of the latent vector.
        latent: usize,
        /// Numbers that go in, classes and all.
        inputs: usize,
    },
    /// (N, 3, H, W) in 0..1, to (N, 3, scale · H, scale · W).
    Upscale(UpscaleNet),
}

impl Network {
    /// The network whose state dict this is. `settings` gives what a state dict cannot tell: `nhead` of a transformer.
    ///
    /// # Errors
    /// When the names or shapes are those of no network that is known, or a setting is missing or senseless.
    pub fn from_state(tensors: HashMap<String, Tensor>, settings: &mut Settings) -> Result<Self> {
        if let Some(net) = UpscaleNet::from_state(tensors.clone())? {
            return Ok(Self::Upscale(net));
        }
        let floats = tensors.into_iter().map(|(name, tensor)| Ok((name, tensor.to_dtype(DType::F32)?)));
        let tensors = floats.collect::<candle_core::Result<HashMap<_, _>>>().map_err(|why| failed(&why))?;
        if R3ganConfig::fits(&tensors) {
            let config = R3ganConfig::of_tensors(&tensors, None)?;
            let (latent, inputs) = (config.latent, config.latent + config.classes.len());
            return Ok(Self::R3gan { generator: r3gan::Generator::new(&config, &tensors)?, latent, inputs });
        }
        let tensors = DcganConfig::canonical(tensors);
        if PsganConfig::fits(&tensors) {
            return Err(Error::new(
                "A texture's generator takes maps of noise, which this command does not; draw with “atelier image”.",
                "纹理生成器的输入是噪声图，本命令不支持；请用“atelier image”绘制。",
            ));
        }
        if DcganConfig::fits(&tensors) {
            let config = DcganConfig::of_tensors(&tensors, None)?;
            let generator = dcgan::Generator::new(&config, &tensors)?;
            return Ok(Self::Dcgan { generator, inputs: config.latent });
        }
        Sketch::from_state(&State::new(tensors)?, settings).map(Self::Sketch)
    }

    /// One pass. `classes` are the numbers of a class for each row of the input, of networks that have classes.
    ///
    /// # Errors
    /// When `input` or `classes` have other shapes or kinds of numbers than the network takes.
    pub fn forward(&self, input: &Tensor, classes: Option<&Tensor>) -> Result<Tensor> {
        match self {
            Self::Sketch(Sketch::Generator(net)) => rows(input, classes, net.input_dim(), &|x| net.forward(x)),
            Self::Sketch(Sketch::Discriminator(net)) => rows(input, classes, net.input_dim(), &|x| net.forward(x)),
            Self::Dcgan { generator, inputs } => rows(input, classes, *inputs, &|x| generator.forward(x)),
            Self::R3gan { latent, inputs, .. } if classes.is_some() && input.dims().get(1) != Some(latent) => {
                Err(shape(input, *inputs))
            }
            Self::R3gan { generator, inputs, .. } => rows(input, classes, *inputs, &|x| generator.forward(x)),
            Self::Sketch(net) => {
                without_classes(classes)?;
                net.forward(input)
            }
            Self::Upscale(net) => {
                without_classes(classes)?;
                let passed = net.forward(input, &mut |_| true)?;
                passed.ok_or_else(|| Error::new("The pass was stopped.", "运算已停止。"))
            }
        }
    }
}

/// A pass of rows of `inputs` numbers, of which the last are the class, one-hot, when classes are given.
fn rows(
    input: &Tensor,
    classes: Option<&Tensor>,
    inputs: usize,
    pass: &dyn Fn(&Tensor) -> candle_core::Result<Tensor>,
) -> Result<Tensor> {
    let &[count, given] = input.dims() else { return Err(shape(input, inputs)) };
    let rest = match classes {
        None if given == inputs => 0,
        Some(_) if given < inputs => inputs - given,
        _ => return Err(shape(input, inputs)),
    };
    let classes = classes.map(|classes| one_hot(classes, count, rest)).transpose()?;
    let run = || -> candle_core::Result<Tensor> {
        let mut x = input.to_dtype(DType::F32)?;
        if let Some(classes) = classes {
            x = Tensor::cat(&[&x, &Tensor::from_vec(classes, (count, rest), &Device::Cpu)?], 1)?;
        }
        pass(&x.contiguous()?)
    };
    run().map_err(|why| failed(&why))
}

/// A row for each class number, with 1 in its place.
fn one_hot(classes: &Tensor, rows: usize, count: usize) -> Result<Vec<f32>> {
    let numbers = classes.to_dtype(DType::I64).and_then(|t| t.flatten_all()?.to_vec1::<i64>());
    let numbers = numbers.map_err(|why| failed(&why))?;
    let fits = |number: &i64| usize::try_from(*number).is_ok_and(|number| number < count);
    if numbers.len() != rows || !numbers.iter().all(fits) {
        return Err(Error::new(
            format!("“class” must hold {rows} whole numbers from 0 to {}, one for each input.", count - 1),
            format!("“class”应为 {rows} 个 0 到 {} 的整数，每个输入一个。", count - 1),
        ));
    }
    let row = |number: i64| (0..count).map(move |class| f32::from(u8::from(class as i64 == number)));
    Ok(numbers.into_iter().flat_map(row).collect())
}

fn without_classes(classes: Option<&Tensor>) -> Result<()> {
    match classes {
        None => Ok(()),
        Some(_) => Err(Error::new(
            "This network knows no classes; leave the tensor “class” out.",
            "该网络不分类别，请去掉张量“class”。",
        )),
    }
}

fn shape(input: &Tensor, inputs: usize) -> Error {
    let dims = input.dims();
    Error::new(
        format!(
            "The input has the shape {dims:?}, but this network takes (N, {inputs}), or fewer numbers and a tensor “class” (N)."
        ),
        format!("输入的形状为 {dims:?}，而该网络需要 (N, {inputs})，或更少的数加上张量“class”(N)。"),
    )
}

/// What the tensor library said, as a sentence.
fn failed(why: &candle_core::Error) -> Error {
    let why = why.to_string();
    let why = why.lines().next().unwrap_or_default();
    Error::new(
        format!("The network cannot be run: {why}; check that the weights and the input fit together."),
        format!("无法运行网络：{why}；请检查权重与输入是否相符。"),
    )
}
