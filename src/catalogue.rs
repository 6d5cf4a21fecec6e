//! The models that come with the studio or were opened before: finding them and saying what they are.
//!
//! A bundled model is a folder `models/<kind>/<name>/` with a `model.toml` that names its file, licence and source.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use crate::{
    Error, Result,
    formats::{card::Card, gguf::GgufFile, safetensors, tokenizer::Tokenizer, weights},
    generate::{
        DEFAULT_CONTEXT,
        audio::AudioModel,
        image::{ImageModel, ImageModelInfo, Upscaler},
    },
    nets::{
        dcgan::{METADATA, classes_of},
        decoder::{Config, Decoder},
    },
};

/// A model as the Models page and `atelier models` show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// The name used on the command line, or the file name of an opened one.
    pub name: String,
    /// The name as people write it; empty when no card gives one.
    pub title: String,
    /// The same in Chinese; empty when it is called so there too.
    pub title_zh: String,
    /// `text`, `image`, `upscale` or `audio`.
    pub kind: &'static str,
    /// What people may call it or what it makes, in either language.
    pub words: Vec<String>,
    /// The names of its classes in English and Chinese, of a model that draws.
    pub classes: Vec<(String, String)>,
    /// Architecture, such as `llama`.
    pub family: String,
    /// What the weights are stored as, such as `Q4_1`.
    pub quantisation: String,
    /// Number of weights.
    pub parameters: u64,
    /// SPDX identifier; empty when the file declares none.
    pub licence: String,
    /// The licence in full, of a model that came with the studio.
    pub licence_text: String,
    /// Size of the file.
    pub size_bytes: u64,
    /// Memory needed to run it with the default context.
    pub memory_bytes: u64,
    /// Where it came from.
    pub source: String,
    /// Where it lies.
    pub path: PathBuf,
    /// Whether it came with the studio.
    pub bundled: bool,
    /// Why it cannot be run, in both languages, if it cannot.
    pub unusable: Option<crate::Error>,
}

/// The model that writes when nobody has chosen one.
pub const DEFAULT_TEXT_MODEL: &str = "smollm2-135m-instruct";

/// The model that plays when nobody has chosen one.
pub const DEFAULT_AUDIO_MODEL: &str = "notes";

/// The bundled model that draws when no other is chosen.
pub const DEFAULT_IMAGE_MODEL: &str = "tianshu";

/// The bundled model that enlarges pictures when no other is chosen.
pub const DEFAULT_UPSCALER: &str = "realesrgan-x4plus";

/// The bundled models by name, then those of `opened` that are not among them, in that order.
pub fn list(opened: &[PathBuf]) -> Vec<Model> {
    let mut models = bundled();
    for path in opened {
        if !models.iter().any(|model| same_file(&model.path, path)) {
            models.push(describe(path));
        }
    }
    models
}

/// The models that came with the studio, by name.
pub fn bundled() -> Vec<Model> {
    let mut found: BTreeMap<String, Model> = BTreeMap::new();
    for root in roots() {
        for card in cards(&root) {
            if let Some(model) = read_card(&card) {
                // The first place that has a name wins.
                found.entry(model.name.clone()).or_insert(model);
            }
        }
    }
    found.into_values().collect()
}

/// The model of this bundled name, or in the file at this path. It may be [unusable](Model::unusable).
///
/// # Errors
/// When there is neither; the error lists the names.
pub fn find(name_or_path: &str) -> Result<Model> {
    let bundled = bundled();
    if let Some(model) = bundled.iter().find(|model| model.name.eq_ignore_ascii_case(name_or_path)) {
        return Ok(model.clone());
    }
    let path = Path::new(name_or_path);
    if path.is_file() {
        return Ok(describe(path));
    }
    if path.is_dir() {
        return Err(Error::new(
            format!("“{name_or_path}” is a folder; give the path of a .gguf file in it."),
            format!("“{name_or_path}”是一个文件夹，请给出其中 .gguf 文件的路径。"),
        ));
    }
    let names: Vec<&str> = bundled.iter().map(|model| model.name.as_str()).collect();
    let (en, zh) = match names.as_slice() {
        [] => ("none came with this copy".to_owned(), "当前没有自带模型".to_owned()),
        names => (format!("there is {}", names.join(", ")), format!("现有 {}", names.join("、"))),
    };
    Err(Error::new(
        format!("There is no model or file “{name_or_path}”; {en}, and the path of a .gguf file works too."),
        format!("没有名为“{name_or_path}”的模型或文件；{zh}，也可以给出 .gguf 文件的路径。"),
    ))
}

/// As [`find`], but only a model that can be run.
///
/// # Errors
/// When there is none, or why it cannot be run.
pub fn usable(name_or_path: &str) -> Result<Model> {
    let found = find(name_or_path)?;
    match found.unusable {
        Some(why) => Err(why),
        None => Ok(found),
    }
}

/// Whether the file at `path` is a model that came with the studio.
pub fn is_bundled(path: &Path) -> bool {
    bundled().iter().any(|model| same_file(&model.path, path))
}

/// What the model in a file is, and whether it can be run.
pub fn describe(path: &Path) -> Model {
    let mut model = unknown(path);
    let kind = weights::kind(path).ok().flatten();
    if matches!(kind, Some(weights::Kind::Safetensors | weights::Kind::PyTorch)) {
        describe_tensors(path, &mut model);
        return model;
    }
    let file = match GgufFile::open(path) {
        Ok(file) => file,
        Err(why) => {
            model.unusable = Some(why);
            return model;
        }
    };
    model.family = file.architecture().to_owned();
    model.quantisation = file.quantisation().to_owned();
    model.parameters = file.parameters();
    model.licence = file.licence().to_owned();
    model.source = source(&file);
    match memory(&file) {
        Ok(bytes) => model.memory_bytes = bytes,
        Err(why) => model.unusable = Some(why),
    }
    model
}

/// A file of which nothing is known yet.
fn unknown(path: &Path) -> Model {
    let size_bytes = fs::metadata(path).map_or(0, |meta| meta.len());
    let name = path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
    Model {
        name,
        title: String::new(),
        title_zh: String::new(),
        kind: "text",
        words: Vec::new(),
        classes: Vec::new(),
        family: String::new(),
        quantisation: String::new(),
        parameters: 0,
        licence: String::new(),
        licence_text: String::new(),
        size_bytes,
        memory_bytes: 0,
        source: String::new(),
        path: path.to_owned(),
        bundled: false,
        unusable: None,
    }
}

/// Tells what the model in a file of tensors is.
fn describe_tensors(path: &Path, model: &mut Model) {
    if let Ok(audio) = AudioModel::open(&model.name, path) {
        tell_audio(&audio, model);
    } else if let Ok(upscaler) = Upscaler::open(&model.name, path, 1) {
        tell_upscaler(&upscaler, model);
    } else {
        // Of weights that neither sound nor enlarge, the reason that counts is why they draw nothing either.
        match ImageModel::open(&model.name, path, 1) {
            Ok(image) => tell_image(image.info(), model),
            Err(why) => model.unusable = Some(why),
        }
    }
}

/// What tensors are stored as, by the bytes that each takes.
fn stored_as(parameters: u64, size_bytes: u64, short: &str) -> String {
    let is_short = 4 * parameters > size_bytes + size_bytes / 2;
    if is_short { short } else { "F32" }.to_owned()
}

/// Memory that a model of this kind takes.
fn needed_bytes(kind: &str, parameters: u64, size_bytes: u64) -> u64 {
    match kind {
        // The weights as they are computed with, and a tile's layers.
        "upscale" => 8 * parameters + Upscaler::TILE_BYTES,
        // The weights, those that generate, and what a few voices remember.
        "audio" => 3 * size_bytes,
        // The weights as they are computed with, and layers of some pictures at once.
        _ => 8 * parameters + (64 << 20),
    }
}

/// What a bundled file of tensors is, from its head and its card: nothing is loaded.
fn describe_bundled(path: &Path, kind: &'static str, card: &Card) -> Model {
    let mut model = unknown(path);
    model.kind = kind;
    model.family.clone_from(&card.family);
    match safetensors::head(path) {
        Ok(head) => {
            (model.parameters, model.quantisation) = (head.parameters, head.stored_as);
            model.memory_bytes = needed_bytes(kind, model.parameters, model.size_bytes);
            let classes = classes_of(head.metadata.get(METADATA).map(String::as_str)).unwrap_or_default();
            let named = card.classes.iter().map(|class| (class.en.clone(), class.zh.clone()));
            model.classes = classes.into_iter().map(|class| (class.en, class.zh)).collect();
            if model.classes.is_empty() {
                model.classes = named.collect();
            }
        }
        Err(why) => model.unusable = Some(why),
    }
    model
}

/// Tells what a model that enlarges pictures is.
fn tell_upscaler(upscaler: &Upscaler, model: &mut Model) {
    let info = upscaler.info();
    model.kind = "upscale";
    model.family.clone_from(&info.family);
    model.quantisation = stored_as(info.parameters, model.size_bytes, "F16");
    model.parameters = info.parameters;
    model.memory_bytes = needed_bytes(model.kind, info.parameters, model.size_bytes);
}

/// Tells what a model that makes sound is.
fn tell_audio(audio: &AudioModel, model: &mut Model) {
    model.kind = "audio";
    model.family = "wavenet".to_owned();
    model.quantisation = if audio.is_bfloat16() { "BF16" } else { "F32" }.to_owned();
    model.parameters = audio.info().parameters;
    model.memory_bytes = needed_bytes(model.kind, model.parameters, model.size_bytes);
}

/// Tells what a model that draws is.
fn tell_image(image: &ImageModelInfo, model: &mut Model) {
    model.kind = "image";
    model.family.clone_from(&image.family);
    model.quantisation = stored_as(image.parameters, model.size_bytes, "BF16");
    model.parameters = image.parameters;
    model.memory_bytes = needed_bytes(model.kind, model.parameters, model.size_bytes);
    model.classes.clone_from(&image.classes);
}

/// The memory a model takes with the default context, if it can be run at all.
fn memory(file: &GgufFile) -> Result<u64> {
    let parts = file.metadata().get_u32("split.count").unwrap_or(1);
    if parts > 1 {
        return Err(Error::new(
            format!(
                "This is one of {parts} parts of a model; join them into one file (gguf-split --merge) and open that."
            ),
            format!("这是模型 {parts} 个分卷之一；请先合并为一个文件（gguf-split --merge）再打开。"),
        ));
    }
    let config = Config::read(file)?;
    Tokenizer::check(file.metadata())?;
    let weights = Decoder::needed_bytes(file)?;
    Ok(weights + config.cache_bytes(config.context_tokens.min(DEFAULT_CONTEXT)))
}

/// Where a file says it comes from.
fn source(file: &GgufFile) -> String {
    let keys = ["general.source.huggingface.repository", "general.source.url", "general.url", "general.repo_url"];
    let meta = file.metadata();
    let said = keys.into_iter().chain(["general.organization", "general.name"]).find_map(|key| meta.get_str(key));
    said.unwrap_or_default().to_owned()
}

/// Where bundled models may lie, in the order they are looked for: what `ATELIER_MODELS` names, around the program,
/// and the source tree it was built from.
fn roots() -> Vec<PathBuf> {
    let named = env::var_os("ATELIER_MODELS").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let program = env::current_exe().ok();
    let folder = program.as_deref().and_then(Path::parent);
    let around = folder.map(|folder| {
        [
            folder.join("models"),
            folder.join("../models"),
            folder.join("../share/atelier/models"),
            folder.join("../Resources/models"),
        ]
    });
    let source_tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    named.into_iter().chain(around.into_iter().flatten()).chain([source_tree]).collect()
}

/// The `model.toml` files under `root`, in the order of their names.
fn cards(root: &Path) -> Vec<PathBuf> {
    let folders = |path: &Path| -> Vec<PathBuf> {
        fs::read_dir(path)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.is_dir())
            .collect()
    };
    let mut cards: Vec<PathBuf> =
        folders(root).iter().flat_map(|kind| folders(kind)).map(|folder| folder.join("model.toml")).collect();
    cards.retain(|card| card.is_file());
    cards.sort();
    cards
}

/// The model that a `model.toml` describes; `None` when it is of a kind that this version does not know. A card that
/// cannot be read gives a model that says so, under the name of its folder.
fn read_card(path: &Path) -> Option<Model> {
    let folder = path.parent()?;
    match Card::read(path) {
        Ok(card) => {
            // Only a plain name: the file lies beside its card.
            let file = folder.join(Path::new(&card.file).file_name()?);
            let mut model = match card.kind.as_str() {
                "text" => describe(&file),
                "audio" => describe_bundled(&file, "audio", &card),
                "image" => describe_bundled(&file, "image", &card),
                "upscale" => describe_bundled(&file, "upscale", &card),
                _ => return None,
            };
            (model.name, model.words) = (card.name, card.words);
            (model.title, model.title_zh) = (card.title, card.title_zh);
            model.licence = card.licence;
            model.licence_text = crate::files::read_text(&folder.join("LICENSE"), 1 << 20).unwrap_or_default();
            model.source = card.source;
            model.bundled = true;
            Some(model)
        }
        Err(why) => {
            let mut model = describe(folder);
            model.bundled = true;
            model.unusable = Some(why);
            Some(model)
        }
    }
}

fn same_file(a: &Path, b: &Path) -> bool {
    a == b || fs::canonicalize(a).is_ok_and(|a| fs::canonicalize(b).is_ok_and(|b| a == b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Lang, formats::gguf::GgufWriter};

    #[test]
    fn the_default_model_is_bundled_and_runs() {
        let model = find(DEFAULT_TEXT_MODEL).expect("bundled");
        assert_eq!(model.unusable, None);
        assert_eq!((model.kind, model.family.as_str(), model.quantisation.as_str()), ("text", "llama", "Q4_1"));
        assert_eq!((model.licence.as_str(), model.size_bytes, model.bundled), ("Apache-2.0", 98_362_432, true));
        // As many as model.toml tells people.
        assert_eq!(model.parameters, 134_515_008);
        assert!((100_000_000..500_000_000).contains(&model.memory_bytes), "{}", model.memory_bytes);
        let by_path = find(&model.path.display().to_string()).expect("a file");
        assert_eq!((by_path.parameters, by_path.bundled), (model.parameters, false));
        assert_eq!(list(std::slice::from_ref(&model.path)).len(), bundled().len(), "not listed twice");
    }

    #[test]
    fn an_unknown_name_is_answered_with_those_there_are() {
        let why = find("gpt-9").expect_err("unknown");
        assert!(why.text(Lang::En).contains("gpt-9") && why.text(Lang::En).contains(DEFAULT_TEXT_MODEL), "{why}");
        assert!(why.text(Lang::Zh).contains(DEFAULT_TEXT_MODEL));
    }

    #[test]
    fn what_cannot_run_says_why() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let put = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            crate::files::write_whole(&path, bytes).expect("write");
            path
        };
        let why = |path: &Path| describe(path).unusable.expect("cannot run").to_string();
        let mut martian = GgufWriter::new();
        martian.text("general.architecture", "martian").tensor_f32("x", &[1], &[0.0]);
        let path = put("m.gguf", &martian.to_bytes());
        assert!(why(&path).contains("martian"));
        assert_eq!((describe(&path).family.as_str(), describe(&path).name.as_str()), ("martian", "m.gguf"));
        martian.u32("split.count", 3);
        assert!(why(&put("s.gguf", &martian.to_bytes())).contains("3 parts"));
        assert!(why(&put("e.gguf", b"")).contains("empty"));
        assert!(why(&put("t.gguf", b"hello there, this is text")).contains("not a GGUF"));
        assert!(why(dir.path()).contains("folder"));
        assert!(why(&dir.path().join("none.gguf")).contains("no such file"));
    }

    #[test]
    fn cards_are_found_and_broken_ones_said_to_be() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let folder = dir.path().join("text/one");
        fs::create_dir_all(&folder).expect("folder");
        let card = folder.join("model.toml");
        crate::files::write_whole(&card, b"name = 3").expect("write");
        assert_eq!(cards(dir.path()), std::slice::from_ref(&card));
        let model = read_card(&card).expect("listed");
        assert!(model.unusable.expect("broken").to_string().contains("cannot be read"));
        let text = "name = 'one'\nkind = 'text'\nfile = '../../elsewhere.gguf'\nlicence = 'MIT'\nsource = 'here'\n";
        crate::files::write_whole(&card, text.as_bytes()).expect("write");
        let model = read_card(&card).expect("listed");
        assert_eq!((model.name.as_str(), model.path), ("one", folder.join("elsewhere.gguf")));
        crate::files::write_whole(&card, text.replace("text", "smell").as_bytes()).expect("write");
        assert_eq!(read_card(&card), None);
    }
}
