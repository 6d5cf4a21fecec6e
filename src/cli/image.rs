//! `atelier image`: draws pictures into PNG files.

use std::{fs, path::PathBuf, sync::atomic::AtomicBool, time::Instant};

use serde::Serialize;

use super::{Failure, Output, Result};
use crate::{
    Error, Lang, catalogue, files,
    formats::hash::sha256_of_bytes,
    generate::image::{ImageModel, ImageRequest, Picture, Style},
    kernels::pool::physical_cores,
    recipe::{ImageRecipe, ModelRef, Recipe, manifest},
};

/// More pictures than a folder should get at once.
const MOST_PICTURES: u64 = 100_000;
/// Pictures drawn before they are written.
const CHUNK: usize = 64;

/// Draw pictures with a generative network, into PNG files
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A bundled model's name, or the path of a weights file
    #[arg(long, value_name = "MODEL", default_value = catalogue::DEFAULT_IMAGE_MODEL)]
    model: String,
    /// The class, by name or number [default: each picture's seed chooses one]
    #[arg(long, value_name = "CLASS")]
    class: Option<String>,
    /// How many pictures
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=MOST_PICTURES))]
    count: u64,
    /// Seed of the first picture; the next ones count up [default: a new one]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// How far from the average picture, 0 to 2
    #[arg(long, value_name = "PSI", default_value_t = 1.0, allow_negative_numbers = true)]
    truncation: f32,
    /// Take the look of the picture of this seed, at the layers that --style-layers names
    #[arg(long, value_name = "S", requires = "style_layers")]
    style_seed: Option<u64>,
    /// The layers that take it, counted from 0 where the picture is smallest
    #[arg(long, value_name = "N,N", value_delimiter = ',', requires = "style_seed")]
    style_layers: Vec<u32>,
    /// How far they take it, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 1.0, allow_negative_numbers = true)]
    style_amount: f32,
    /// Width and height, of a model that draws any size
    #[arg(long, value_name = "WxH", value_parser = size)]
    size: Option<[u32; 2]>,
    /// The folder for the pictures; it is made if need be
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Also write manifest.json and manifest.csv, which say what each picture is
    #[arg(long)]
    manifest: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    model: &'a str,
    files: Vec<String>,
    seconds: f64,
    images_per_s: f64,
    seed: u64,
}

pub(super) fn run(args: &Args, out: &mut Output<'_>) -> Result {
    let found = catalogue::usable(&args.model)?;
    let mut model = ImageModel::open(&found.name, &found.path, physical_cores())?;
    let class = args.class.as_deref().map(|class| class_of(&model, class)).transpose()?;
    let seed = args.seed.unwrap_or_else(super::new_seed);
    let request = |index: u64| ImageRequest {
        class,
        truncation: args.truncation,
        size: args.size,
        style: args.style_seed.map(|seed| Style {
            of: Box::new(ImageRequest { class, truncation: args.truncation, ..ImageRequest::of_seed(seed) }),
            layers: args.style_layers.clone(),
            amount: args.style_amount,
        }),
        ..ImageRequest::of_seed(seed.wrapping_add(index))
    };
    request(0).check().map_err(Failure::Usage)?;
    fs::create_dir_all(&args.out).map_err(|why| Error::file(("create", "创建"), &args.out, &why))?;
    let model_ref = ModelRef { name: super::recipe_name(&found.name, &found.path), sha256: model.sha256()?.to_owned() };
    let (mut written, mut rows, mut seconds, mut next) = (Vec::new(), Vec::new(), 0.0, 0);
    while next < args.count {
        let requests: Vec<_> = (next..args.count.min(next + CHUNK as u64)).map(request).collect();
        let mut drawn: Vec<Option<Picture>> = vec![None; requests.len()];
        let begun = Instant::now();
        model.draw(&requests, &AtomicBool::new(false), &mut |index, picture| drawn[index] = Some(picture))?;
        seconds += begun.elapsed().as_secs_f64();
        next += requests.len() as u64;
        for (mut request, picture) in requests.into_iter().zip(drawn) {
            let Some(picture) = picture else { continue };
            // What the seed chose: whoever searches for the class or varies the picture finds it in the recipe.
            request.class = model.class_of(&request).map(|class| class as u32).or(request.class);
            let name = format!("{}-{}.png", file_name(&found.name), request.seeds[0].seed);
            let path = args.out.join(&name);
            let (width, height) = (picture.width, picture.height);
            let class_name = request.class.and_then(|class| model.info().classes.get(class as usize)).cloned();
            let work = ImageRecipe { model: model_ref.clone(), request, width, height, upscaled: None };
            let bytes = Recipe::of_image(&picture, work.clone()).to_png(&picture)?;
            files::write_whole(&path, &bytes)?;
            written.push(path.display().to_string());
            if args.manifest {
                rows.push(manifest::Row::new(name, sha256_of_bytes(&bytes), &work, class_name.as_ref()));
            }
        }
    }
    if args.manifest {
        files::write_whole(&args.out.join(manifest::CSV), &manifest::to_csv(&rows))?;
        files::write_whole(&args.out.join(manifest::JSON), &manifest::to_json(&rows)?)?;
    }
    let count = written.len();
    let images_per_s = if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
    if args.json {
        return out.json(&Report { model: &found.name, files: written, seconds, images_per_s, seed });
    }
    let folder = args.out.display();
    out.note(&match out.lang() {
        Lang::En => format!("{count} pictures in “{folder}”, {images_per_s:.1} images/s, seed {seed}"),
        Lang::Zh => format!("“{folder}”中有 {count} 张图片，{images_per_s:.1} 张/秒，种子 {seed}"),
    });
    Ok(())
}

/// A model's name without what a file name should not have.
fn file_name(name: &str) -> String {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    stem.chars().map(|c| if c.is_alphanumeric() || "-_".contains(c) { c } else { '-' }).collect()
}

/// A class by its number, or its name in either language.
fn class_of(model: &ImageModel, named: &str) -> Result<u32> {
    let info = model.info();
    let by_name = info.classes.iter().position(|(en, zh)| en.eq_ignore_ascii_case(named) || zh == named);
    let number = named.parse::<usize>().ok().filter(|number| *number < info.classes.len());
    if let Some(index) = by_name.or(number) {
        return Ok(index as u32);
    }
    let title = &info.title;
    Err(Failure::Usage(match info.classes.as_slice() {
        [] => Error::new(
            format!("“{title}” has no classes; leave --class out."),
            format!("“{title}”不分类别，请去掉 --class。"),
        ),
        classes => {
            let list = |name: fn(&(String, String)) -> &String| classes.iter().map(name).cloned().collect::<Vec<_>>();
            let (en, zh) = (list(|class| &class.0).join(", "), list(|class| &class.1).join("、"));
            Error::new(
                format!("“{title}” has no class “{named}”; it has {en}."),
                format!("“{title}”没有类别“{named}”；现有：{zh}。"),
            )
        }
    }))
}

fn size(text: &str) -> std::result::Result<[u32; 2], String> {
    let parsed = text.split_once(['x', '×', 'X']).and_then(|(w, h)| Some([w.parse().ok()?, h.parse().ok()?]));
    parsed.filter(|[w, h]| *w > 0 && *h > 0).ok_or_else(|| "a width and a height, such as 512x512".to_owned())
}
