//! An image model from its file, and the pictures it draws.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use candle_core::{DType, Device, Tensor};

use super::{
    directions::principal,
    latent::latent,
    request::{ImageRequest, Picture},
    style::restyled,
    texture,
};
use crate::{
    Error, Result,
    formats::{card::Card, hash::sha256_of_file, safetensors, weights},
    kernels::with_threads,
    nets::{
        dcgan::{self, DcganConfig, METADATA},
        psgan::{self, PsganConfig},
        r3gan::{self, R3ganConfig},
        sketch::{self, Settings, Sketch, State},
    },
    random::Rng,
};

/// The most pictures drawn in one pass.
const MOST_AT_ONCE: usize = 32;
/// The place of the random number that chooses a class, apart from those of the latent vector.
const CLASS_PLACE: u64 = u64::MAX;
/// A pass shorter than this is followed by a longer one: pictures come steadily, and cancelling is quick.
const PASS: Duration = Duration::from_millis(80);

/// What an image model is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageModelInfo {
    /// Bundled name or file name.
    pub name: String,
    /// The name as people write it; the same as `name` when its card gives none.
    pub title: String,
    /// Where its file lies.
    pub path: PathBuf,
    /// The kind of network, such as `mlp` or `dcgan`.
    pub family: String,
    /// Numbers in its latent vector.
    pub latent: usize,
    /// The classes' names in English and Chinese; empty when it has no classes.
    pub classes: Vec<(String, String)>,
    /// Width of its pictures in pixels; of a model of any size, the usual one.
    pub width: u32,
    /// Height of its pictures in pixels.
    pub height: u32,
    /// Whether a request may ask for another size.
    pub any_size: bool,
    /// The sizes in pixels at which its layers draw, one after the other: those that can [take a look](super::Style).
    pub layers: Vec<u32>,
    /// How many principal directions it has.
    pub directions: usize,
    /// How many weights it has.
    pub parameters: u64,
}

/// A network that draws.
enum Network {
    Mlp(sketch::Generator),
    Dcgan(dcgan::Generator),
    Psgan(psgan::Generator),
    R3gan(r3gan::Generator),
}

/// An image model, ready to draw.
pub struct ImageModel {
    info: ImageModelInfo,
    network: Network,
    channels: usize,
    directions: Vec<Vec<f32>>,
    threads: usize,
    sha256: OnceLock<String>,
}

impl ImageModel {
    /// Opens the weights at `path`, to run on `threads` threads.
    ///
    /// # Errors
    /// When the file cannot be read, or its weights are of no network that draws pictures.
    pub fn open(name: &str, path: &Path, threads: usize) -> Result<Self> {
        let mut metadata = None;
        let tensors = if weights::kind(path)? == Some(weights::Kind::Safetensors) {
            let (tensors, mut told) = safetensors::load_all(path)?;
            metadata = told.remove(METADATA);
            tensors.into_iter().collect()
        } else {
            weights::load(path)?
        };
        weights::check_finite(&tensors)?;
        let parameters = tensors.values().map(|tensor| tensor.elem_count() as u64).sum();
        let card = Card::beside(path);
        let title = card.as_ref().map(|card| card.title.clone()).filter(|title| !title.is_empty());
        // A card names the classes of weights that do not say theirs.
        let metadata = metadata.or_else(|| {
            let classes = &card.as_ref().filter(|card| !card.classes.is_empty())?.classes;
            serde_json::to_string(&serde_json::json!({ "classes": classes })).ok()
        });
        let mut info = ImageModelInfo {
            name: name.to_owned(),
            title: title.unwrap_or_else(|| name.to_owned()),
            path: path.to_owned(),
            family: "mlp".to_owned(),
            latent: 0,
            classes: Vec::new(),
            width: 0,
            height: 0,
            any_size: false,
            layers: Vec::new(),
            directions: 0,
            parameters,
        };
        let floats = tensors.into_iter().map(|(name, tensor)| Ok((name, tensor.to_dtype(DType::F32)?)));
        let tensors = floats.collect::<candle_core::Result<HashMap<_, _>>>().map_err(|why| failed(&why))?;
        let tensors = DcganConfig::canonical(tensors);
        let (network, channels, directions) = if PsganConfig::fits(&tensors) {
            let config = PsganConfig::of_tensors(&tensors, metadata.as_deref())?;
            let network = psgan::Generator::new(&config, &tensors)?;
            (info.family, info.latent, info.any_size) = ("psgan".to_owned(), config.local, true);
            (info.width, info.height) = (texture::USUAL, texture::USUAL);
            info.classes = config.classes.iter().map(|class| (class.en.clone(), class.zh.clone())).collect();
            (Network::Psgan(network), config.channels, Vec::new())
        } else if R3ganConfig::fits(&tensors) {
            let config = R3ganConfig::of_tensors(&tensors, metadata.as_deref())?;
            let network = r3gan::Generator::new(&config, &tensors)?;
            let side = config.side() as u32;
            (info.family, info.latent, info.width, info.height) = ("r3gan".to_owned(), config.latent, side, side);
            info.classes = config.classes.iter().map(|class| (class.en.clone(), class.zh.clone())).collect();
            info.layers = (0..config.widths.len()).map(|stage| 4 << stage).collect();
            let rows = r3gan_rows(&tensors, config.latent).map_err(|why| failed(&why))?;
            (Network::R3gan(network), config.channels, rows)
        } else if DcganConfig::fits(&tensors) {
            let config = DcganConfig::of_tensors(&tensors, metadata.as_deref())?;
            let network = dcgan::Generator::new(&config, &tensors)?;
            let side = config.side() as u32;
            (info.family, info.latent, info.width, info.height) = ("dcgan".to_owned(), config.latent, side, side);
            info.classes = config.classes.iter().map(|class| (class.en.clone(), class.zh.clone())).collect();
            info.layers = (0..config.widths.len()).map(|layer| 4 << layer).collect();
            // The first layer's weights, a row for each latent number; those of classes come after.
            let rows = dcgan_rows(&tensors, config.latent).map_err(|why| failed(&why))?;
            (Network::Dcgan(network), config.channels, rows)
        } else {
            let turned = mlp_rows(&tensors).map_err(|why| failed(&why))?;
            let network = Sketch::from_state(&State::new(tensors)?, &mut Settings::default())?;
            let Sketch::Generator(generator) = network else { return Err(draws_nothing()) };
            let (side, channels) = square(generator.output_dim())?;
            let classes = dcgan::classes_of(metadata.as_deref())?;
            if classes.len() >= generator.input_dim() {
                return Err(draws_nothing());
            }
            (info.latent, info.width, info.height) = (generator.input_dim() - classes.len(), side, side);
            info.classes = classes.into_iter().map(|class| (class.en, class.zh)).collect();
            let turned = turned.into_iter().take(info.latent * generator.hidden_dim()).collect::<Vec<_>>();
            (Network::Mlp(generator), channels, turned)
        };
        let directions = principal(&directions, info.latent);
        info.directions = directions.len();
        Ok(Self { info, network, channels, directions, threads, sha256: OnceLock::new() })
    }

    /// What it is.
    pub fn info(&self) -> &ImageModelInfo {
        &self.info
    }

    /// The SHA-256 of its file in lower-case hex; read from the file the first time.
    ///
    /// # Errors
    /// When the file can no longer be read.
    pub fn sha256(&self) -> Result<&str> {
        if let Some(known) = self.sha256.get() {
            return Ok(known);
        }
        let hash = sha256_of_file(&self.info.path, |_| true)?.unwrap_or_default();
        Ok(self.sha256.get_or_init(|| hash))
    }

    /// Draws `requests` and tells `on` each picture, with its place among the requests, as soon as it is there. Each is
    /// the same whatever is drawn beside it and on however many threads. `false` when `cancel` was set before the end.
    ///
    /// # Errors
    /// When a request makes no sense for this model.
    pub fn draw(
        &mut self,
        requests: &[ImageRequest],
        cancel: &AtomicBool,
        on: &mut dyn FnMut(usize, Picture),
    ) -> Result<bool> {
        requests.iter().try_for_each(|request| self.check(request))?;
        let (mut done, mut at_once) = (0, 1);
        while done < requests.len() {
            if cancel.load(Ordering::Relaxed) {
                return Ok(false);
            }
            let begun = Instant::now();
            let end = requests.len().min(done + at_once);
            let Some(drawn) = with_threads(self.threads, || self.pass(&requests[done..end], cancel))? else {
                return Ok(false);
            };
            for (index, picture) in (done..end).zip(drawn) {
                on(index, picture);
            }
            if begun.elapsed() < PASS {
                at_once = MOST_AT_ONCE.min(at_once * 2);
            } else {
                at_once = (at_once / 2).max(1);
            }
            done = end;
        }
        Ok(true)
    }

    fn check(&self, request: &ImageRequest) -> Result<()> {
        request.check()?;
        let count = self.info.classes.len();
        if request.class.is_some_and(|class| class as usize >= count) {
            let title = &self.info.title;
            return Err(match count {
                0 => Error::new(
                    format!("“{title}” has no classes; leave the class out."),
                    format!("“{title}”不分类别，请不要指定类别。"),
                ),
                _ => Error::new(
                    format!("“{title}” has the classes 0 to {}; choose one of them.", count - 1),
                    format!("“{title}”的类别为 0 到 {}，请从中选择。", count - 1),
                ),
            });
        }
        if let Some(style) = &request.style {
            self.check(&style.of)?;
            let layers = self.info.layers.len();
            if style.layers.iter().any(|layer| *layer as usize >= layers) {
                let title = &self.info.title;
                return Err(match layers {
                    0 => Error::new(
                        format!("“{title}” has no layers that could take the look of another picture; leave it out."),
                        format!("“{title}”没有可借用风格的层，请不要指定。"),
                    ),
                    _ => Error::new(
                        format!("“{title}” has the layers 0 to {}; choose among them.", layers - 1),
                        format!("“{title}”的层为 0 到 {}，请从中选择。", layers - 1),
                    ),
                });
            }
        }
        if let (true, Some(size)) = (self.info.any_size, request.size) {
            texture::check_size(size)?;
        }
        if !self.info.any_size && request.size.is_some_and(|size| size != [self.info.width, self.info.height]) {
            let ImageModelInfo { title, width, height, .. } = &self.info;
            return Err(Error::new(
                format!("“{title}” draws {width} × {height} pixels and no other size; leave the size out."),
                format!("“{title}”只能绘制 {width} × {height} 像素的图片，请不要指定尺寸。"),
            ));
        }
        Ok(())
    }

    /// The pictures of a few requests; `None` when `cancel` was set before the end.
    fn pass(&self, requests: &[ImageRequest], cancel: &AtomicBool) -> Result<Option<Vec<Picture>>> {
        match &self.network {
            Network::Psgan(generator) => {
                requests.iter().map(|it| texture::draw(generator, it, self.class_of(it), cancel)).collect()
            }
            Network::Mlp(generator) => {
                let requests: Vec<&ImageRequest> = requests.iter().collect();
                self.pass_rows(&requests, |z| generator.forward(z)).map(Some)
            }
            Network::Dcgan(_) | Network::R3gan(_) => self.pass_layers(requests).map(Some),
        }
    }

    /// The pictures of a few requests, some of which may take looks of others.
    fn pass_layers(&self, requests: &[ImageRequest]) -> Result<Vec<Picture>> {
        let (styled, plain): (Vec<_>, Vec<_>) = requests.iter().partition(|request| request.style.is_some());
        let forward = |z: &Tensor| match &self.network {
            Network::Dcgan(generator) => generator.forward(z),
            Network::R3gan(generator) => generator.forward(z),
            Network::Mlp(_) | Network::Psgan(_) => candle_core::bail!("a network without such layers"),
        };
        let mut plain = if plain.is_empty() { Vec::new() } else { self.pass_rows(&plain, forward)? }.into_iter();
        let looks = styled.iter().filter_map(|request| Some(&*request.style.as_ref()?.of));
        let pairs: Vec<&ImageRequest> = styled.iter().copied().chain(looks).collect();
        let hand = |layer: usize, x: Tensor| restyled(&x, layer, &styled);
        let forward = |z: &Tensor| match &self.network {
            Network::Dcgan(generator) => generator.forward_with(z, hand),
            Network::R3gan(generator) => generator.forward_with(z, hand),
            Network::Mlp(_) | Network::Psgan(_) => candle_core::bail!("a network without such layers"),
        };
        let mut drawn = if styled.is_empty() { Vec::new() } else { self.pass_rows(&pairs, forward)? }.into_iter();
        // In the order in which they were asked for.
        let one = |request: &ImageRequest| if request.style.is_some() { drawn.next() } else { plain.next() };
        Ok(requests.iter().filter_map(one).collect())
    }

    /// The pictures of a few requests, from a row of numbers for each.
    fn pass_rows(
        &self,
        requests: &[&ImageRequest],
        forward: impl Fn(&Tensor) -> candle_core::Result<Tensor>,
    ) -> Result<Vec<Picture>> {
        let (len, classes) = (self.info.latent, self.info.classes.len());
        let mut z = Vec::with_capacity(requests.len() * (len + classes));
        for request in requests {
            z.extend(latent(request, len, &self.directions));
            let class = self.class_of(request);
            z.extend((0..classes).map(|index| f32::from(u8::from(Some(index) == class))));
        }
        // (N, latent and classes)
        let z = Tensor::from_vec(z, (requests.len(), len + classes), &Device::Cpu).map_err(|why| failed(&why))?;
        let drawn = forward(&z);
        let values = drawn.and_then(|t| t.flatten_all()?.to_vec1::<f32>()).map_err(|why| failed(&why))?;
        let (width, height) = (self.info.width, self.info.height);
        let one = self.channels * (width * height) as usize;
        Ok(values.chunks_exact(one).map(|planes| picture(planes, self.channels, width, height)).collect())
    }
}

impl ImageModel {
    /// The class that a request is drawn in: its own, or one that its first seed chooses; `None` of a model without.
    pub fn class_of(&self, request: &ImageRequest) -> Option<usize> {
        let count = self.info.classes.len();
        let chosen = || Rng::at(request.seeds.first().map_or(0, |part| part.seed), CLASS_PLACE).below(count);
        (count > 0).then(|| request.class.map_or_else(chosen, |class| class as usize))
    }
}

/// The weights by which each latent number enters the first layer, a row for each.
fn dcgan_rows(tensors: &HashMap<String, Tensor>, latent: usize) -> candle_core::Result<Vec<f32>> {
    let Some(first) = tensors.get("main.0.weight") else { return Ok(Vec::new()) };
    first.narrow(0, 0, latent)?.flatten_all()?.to_vec1()
}

fn r3gan_rows(tensors: &HashMap<String, Tensor>, latent: usize) -> candle_core::Result<Vec<f32>> {
    let Some(first) = tensors.get("MainLayers.0.Layers.0.LinearLayer.weight") else { return Ok(Vec::new()) };
    first.t()?.narrow(0, 0, latent)?.contiguous()?.flatten_all()?.to_vec1()
}

fn mlp_rows(tensors: &HashMap<String, Tensor>) -> candle_core::Result<Vec<f32>> {
    let Some(first) = tensors.get("fc.0.weight") else { return Ok(Vec::new()) };
    first.t()?.flatten_all()?.to_vec1()
}

/// A number in −1..1 as a byte; what is not a number becomes 0.
pub(super) fn byte(value: f32) -> u8 {
    ((value + 1.0) * 127.5).round_ties_even().clamp(0.0, 255.0) as u8
}

/// A picture from planes of numbers in −1..1, a plane for each of one or three channels.
fn picture(planes: &[f32], channels: usize, width: u32, height: u32) -> Picture {
    let plane = (width * height) as usize;
    let channel = |k: usize| if channels == 1 { 0 } else { k * plane };
    let rgb = (0..plane).flat_map(|at| [0, 1, 2].map(|k| byte(planes[channel(k) + at]))).collect();
    Picture { width, height, rgb }
}

/// Width and channels of a square picture of `numbers` numbers: grey, or else colour.
fn square(numbers: usize) -> Result<(u32, usize)> {
    let side = |area: usize| u32::try_from(area.isqrt()).ok().filter(|side| (*side as usize).pow(2) == area);
    if let Some(side) = side(numbers) {
        return Ok((side, 1));
    }
    match side(numbers / 3).filter(|_| numbers.is_multiple_of(3)) {
        Some(side) => Ok((side, 3)),
        None => Err(Error::new(
            format!("This generator makes {numbers} numbers, which are no square picture in grey or colour."),
            format!("该生成器输出 {numbers} 个数，无法组成正方形的灰度或彩色图片。"),
        )),
    }
}

fn draws_nothing() -> Error {
    Error::new(
        "These weights are of a network that draws no pictures; choose a generator.",
        "这些权重所属的网络不能绘制图片，请选择生成器。",
    )
}

/// What the tensor library said, as a sentence.
pub(super) fn failed(why: &candle_core::Error) -> Error {
    let why = why.to_string();
    let why = why.lines().next().unwrap_or_default();
    Error::new(
        format!("The network cannot be run: {why}; check that the weights are whole."),
        format!("无法运行网络：{why}；请检查权重是否完整。"),
    )
}
