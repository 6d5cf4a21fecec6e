//! `Recipe`: everything needed to make a saved output again, byte for byte.
//!
//! A saved text `NAME.md` has its recipe beside it as `NAME.md.atelier.json`; a PNG and a WAV have it inside.

mod audio;
mod image;
pub mod manifest;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Error, Result, files, formats::hash::sha256_of_bytes, generate::TextRequest};

pub use audio::{
    AudioRecipe, Origin, Recording, RecordingRecipe, SoundRecipe, Source, own_recipe, recording, sha256_of_samples,
    sound_recipe,
};
pub use image::{Contents, Enlarged, ImageRecipe, contents, plain_png};

/// The version of the format that this program writes.
pub const FORMAT: u32 = 1;
/// A recipe holds the prompts of its generations, so it may be several times as long as the text.
const MOST_BYTES: u64 = 256 << 20;

/// What a saved output was made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// The version of this format; 1.
    pub format: u32,
    /// The version of Atelier that made the output.
    pub atelier: String,
    /// The SHA-256 of the output, in lower-case hex: what a render must give again. Of a text its bytes; of a picture
    /// its pixels, three bytes each (red, green, blue), row after row; of a sound its samples as 32-bit floats, before
    /// they are rounded to whatever file they are kept in.
    pub sha256: String,
    /// The output's kind and all that made it.
    #[serde(flatten)]
    pub work: Work,
}

/// The kinds of output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Work {
    /// A text, of written and generated pieces.
    Text(TextRecipe),
    /// A picture from an image model, enlarged or not.
    Image(ImageRecipe),
    /// A sound from an audio model.
    Audio(AudioRecipe),
    /// A sound that was recorded or opened.
    Recording(RecordingRecipe),
}

/// A text in order, and the generations its pieces were taken from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TextRecipe {
    /// The generations that pieces refer to by index.
    pub generations: Vec<TextGeneration>,
    /// The text, piece after piece.
    pub pieces: Vec<Piece>,
}

/// One run of a text model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TextGeneration {
    /// The model that ran.
    pub model: ModelRef,
    /// What it was asked, exactly as it was sent.
    pub request: TextRequest,
}

/// A model by name and content.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ModelRef {
    /// A bundled name, or the path it was opened from.
    pub name: String,
    /// The SHA-256 of the file, in lower-case hex.
    pub sha256: String,
}

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Piece {
    /// Typed, pasted or opened by a person.
    Written(String),
    /// Bytes `start..end` of what generation `generation` produced.
    Generated {
        /// Index into [`TextRecipe::generations`].
        generation: usize,
        /// First byte of the generated text.
        start: usize,
        /// One past the last byte.
        end: usize,
    },
}

impl Recipe {
    /// The recipe of `text`, which `work` made.
    pub fn of_text(text: &str, work: TextRecipe) -> Self {
        Self {
            format: FORMAT,
            atelier: env!("CARGO_PKG_VERSION").to_owned(),
            sha256: sha256_of_bytes(text.as_bytes()),
            work: Work::Text(work),
        }
    }

    /// Where the recipe of the output at `path` lies.
    pub fn beside(path: &Path) -> PathBuf {
        let mut name = path.as_os_str().to_owned();
        name.push(".atelier.json");
        name.into()
    }

    /// The recipe as it is written to a file.
    ///
    /// # Errors
    /// When it cannot be put into JSON.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        let written = serde_json::to_vec_pretty(self).map(|mut json| {
            json.push(b'\n');
            json
        });
        written.map_err(|why| {
            Error::new(format!("Could not put the recipe into JSON: {why}."), format!("无法将配方写成 JSON：{why}。"))
        })
    }

    /// Saves `text` at `path` and, before it, this recipe of it beside it: whatever happens in between, no new text
    /// has an old recipe.
    ///
    /// # Errors
    /// When one of the two cannot be written.
    pub fn save(&self, path: &Path, text: &str) -> Result<()> {
        files::write_whole(&Self::beside(path), &self.to_json()?)?;
        files::write_whole(path, text.as_bytes())
    }

    /// Reads the recipe of the output at `path`, from the file beside it.
    ///
    /// # Errors
    /// When there is none, it is damaged, or a newer version wrote it.
    pub fn of_file(path: &Path) -> Result<Self> {
        let path = Self::beside(path);
        let text = files::read_text(&path, MOST_BYTES)?;
        Self::parse(&text, &path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self> {
        let damaged = |why: &dyn std::fmt::Display| {
            let name = path.display();
            Error::new(
                format!("The recipe “{name}” is damaged ({why}); bring it back from a copy, or save the text anew."),
                format!("配方“{name}”已损坏（{why}），请从备份恢复或重新保存文本。"),
            )
        };
        let value: serde_json::Value = serde_json::from_str(text).map_err(|why| damaged(&why))?;
        if let Some(format) = value.get("format").and_then(serde_json::Value::as_u64)
            && format > u64::from(FORMAT)
        {
            let name = path.display();
            return Err(Error::new(
                format!(
                    "The recipe “{name}” was written by a newer version of Atelier; use that version or a later one."
                ),
                format!("配方“{name}”由更新版本的 Atelier 写成，请升级后再试。"),
            ));
        }
        let recipe: Self = serde_json::from_value(value).map_err(|why| damaged(&why))?;
        match &recipe.work {
            Work::Text(work) => work.check(),
            Work::Image(work) => work.check(),
            Work::Audio(work) => work.check(),
            Work::Recording(work) => work.check(),
        }
        .map_err(|why| damaged(&why))?;
        Ok(recipe)
    }
}

impl TextRecipe {
    /// Makes the text again; `write` runs a generation and returns what it wrote.
    ///
    /// # Errors
    /// When a generation fails, or writes less than a piece needs.
    pub fn render(&self, write: &mut dyn FnMut(&TextGeneration) -> Result<String>) -> Result<String> {
        let mut written = Vec::new();
        for (index, generation) in self.generations.iter().enumerate() {
            let used = self
                .pieces
                .iter()
                .any(|piece| matches!(piece, Piece::Generated { generation, .. } if *generation == index));
            written.push(if used { write(generation)? } else { String::new() });
        }
        let mut text = String::new();
        for piece in &self.pieces {
            text.push_str(match piece {
                Piece::Written(written) => written,
                Piece::Generated { generation, start, end } => {
                    written.get(*generation).and_then(|written| written.get(*start..*end)).ok_or_else(|| {
                        Error::new(
                            "The model wrote something else this time; it is another version of the program or of the model that made the text.",
                            "模型这次写出的内容不同，原文是由其他版本的程序或模型生成的。",
                        )
                    })?
                }
            });
        }
        Ok(text)
    }

    /// Tells the pieces of `text` whose model has no hash as written: nobody could say which file wrote them.
    #[must_use]
    pub fn without_unknown_models(mut self, text: &str) -> Self {
        let mut pieces: Vec<Piece> = Vec::with_capacity(self.pieces.len());
        let mut at = 0;
        for piece in self.pieces {
            let (len, known) = match &piece {
                Piece::Written(written) => (written.len(), false),
                Piece::Generated { generation, start, end } => {
                    let made = self.generations.get(*generation);
                    (end - start, made.is_some_and(|made| !made.model.sha256.is_empty()))
                }
            };
            let words = text.get(at..at + len).unwrap_or_default();
            at += len;
            match pieces.last_mut() {
                _ if known => pieces.push(piece),
                Some(Piece::Written(last)) => last.push_str(words),
                _ => pieces.push(Piece::Written(words.to_owned())),
            }
        }
        self.pieces = pieces;
        self
    }

    /// What makes no sense in it, if anything.
    fn check(&self) -> Result<(), &'static str> {
        let sound = |piece: &Piece| match piece {
            Piece::Written(_) => true,
            Piece::Generated { generation, start, end } => *generation < self.generations.len() && start <= end,
        };
        if self.pieces.iter().all(sound) { Ok(()) } else { Err("a piece refers to what is not there") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Lang, generate::Prompt};

    fn recipe() -> Recipe {
        let model = ModelRef { name: "small".to_owned(), sha256: "00".to_owned() };
        let request = TextRequest { prompt: Prompt::Raw("Once".to_owned()), seed: u64::MAX, ..Default::default() };
        let pieces = vec![
            Piece::Written("Once".to_owned()),
            Piece::Generated { generation: 0, start: 0, end: 5 },
            Piece::Written("你好".to_owned()),
            Piece::Generated { generation: 0, start: 5, end: 9 },
        ];
        let work = TextRecipe { generations: vec![TextGeneration { model, request }], pieces };
        Recipe::of_text("Once upon你好 a t", work)
    }

    #[test]
    fn a_recipe_survives_its_file_and_makes_the_text_again() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("诗.md");
        let recipe = recipe();
        files::write_whole(&Recipe::beside(&path), &recipe.to_json().expect("JSON")).expect("write");
        assert!(dir.path().join("诗.md.atelier.json").exists());
        let read = Recipe::of_file(&path).expect("read");
        assert_eq!(read, recipe);
        let Work::Text(work) = read.work else { panic!("a text") };
        let text = work.render(&mut |_| Ok(" upon a time".to_owned())).expect("render");
        assert_eq!(sha256_of_bytes(text.as_bytes()), recipe.sha256);
        let short = work.render(&mut |_| Ok(" up".to_owned())).expect_err("too short");
        assert!(short.text(Lang::En).contains("something else"), "{short}");
    }

    #[test]
    fn what_an_unknown_model_wrote_counts_as_written() {
        let text = "Once upon你好 a t";
        let Work::Text(work) = recipe().work else { panic!("a text") };
        assert_eq!(work.clone().without_unknown_models(text), work);
        let mut unknown = work;
        unknown.generations[0].model.sha256.clear();
        let written = unknown.without_unknown_models(text);
        assert_eq!(written.pieces, [Piece::Written(text.to_owned())]);
        assert_eq!(written.render(&mut |_| panic!("not needed")).expect("render"), text);
    }

    #[test]
    fn a_text_is_never_newer_than_its_recipe() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("a.md");
        recipe().save(&path, "old").expect("both are written");
        // A folder in the place of the recipe stands for whatever stops the saving there.
        std::fs::remove_file(Recipe::beside(&path)).expect("remove");
        std::fs::create_dir_all(Recipe::beside(&path).join("x")).expect("folder in the way");
        recipe().save(&path, "new").expect_err("the recipe cannot be written");
        assert_eq!(files::read_text(&path, 100).expect("read"), "old");
    }

    #[test]
    fn generations_that_no_piece_uses_are_not_run() {
        let Work::Text(mut work) = recipe().work else { panic!("a text") };
        work.pieces.retain(|piece| matches!(piece, Piece::Written(_)));
        assert_eq!(work.render(&mut |_| panic!("not needed")).expect("render"), "Once你好");
    }

    #[test]
    fn a_damaged_recipe_says_so() {
        let path = Path::new("a.md.atelier.json");
        let json = String::from_utf8(recipe().to_json().expect("JSON")).expect("UTF-8");
        for (from, to, want) in [
            ("\"format\": 1", "\"format\": 2", "newer version"),
            ("\"generation\": 0", "\"generation\": 7", "damaged"),
            ("\"end\": 5", "\"end\": -5", "damaged"),
            ("\"kind\": \"text\"", "\"kind\": \"tune\"", "damaged"),
            ("{", "", "damaged"),
        ] {
            let broken = json.replacen(from, to, 1);
            assert_ne!(broken, json);
            let error = Recipe::parse(&broken, path).expect_err(to);
            assert!(error.text(Lang::En).contains(want), "{error}");
        }
        for length in (0..json.len() - 2).filter(|length| json.is_char_boundary(*length)).step_by(7) {
            assert!(Recipe::parse(&json[..length], path).is_err());
        }
    }
}
