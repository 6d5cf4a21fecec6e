//! `model.toml`, the card beside a model's file: what the model is, where it came from, under which terms.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Error, Result, files};

/// The part of a card that the studio reads.
#[derive(Clone, Debug, Deserialize)]
pub struct Card {
    /// The name used on the command line.
    pub name: String,
    /// The name as people write it; empty when there is none.
    #[serde(default)]
    pub title: String,
    /// The same in Chinese; empty when it is called so there too.
    #[serde(default)]
    pub title_zh: String,
    /// `text`, `image`, `upscale` or `audio`.
    pub kind: String,
    /// The kind of network; empty when the card does not say.
    #[serde(default)]
    pub family: String,
    /// The model's file, beside the card.
    pub file: String,
    /// SPDX identifier.
    pub licence: String,
    /// Where the model came from.
    pub source: String,
    /// Of an upscaler: how many times smaller its output is made again; 1 or 2.
    #[serde(default = "one")]
    pub reduce: u32,
    /// What people may call the model or its pictures, in either language.
    #[serde(default)]
    pub words: Vec<String>,
    /// The names of the classes, of a model that has classes, in the order of their numbers.
    #[serde(default)]
    pub classes: Vec<Class>,
}

fn one() -> u32 {
    1
}

/// The name of a class in both languages.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Class {
    /// In English.
    pub en: String,
    /// In Chinese.
    pub zh: String,
}

impl Card {
    /// Reads the card at `path`.
    ///
    /// # Errors
    /// When it cannot be read or lacks something.
    pub fn read(path: &Path) -> Result<Self> {
        let text = files::read_text(path, 1 << 20)?;
        toml::from_str(&text).map_err(|why| {
            let (name, why) = (path.display(), why.message().to_owned());
            Error::new(
                format!("“{name}” cannot be read: {why}; install the studio again."),
                format!("无法读取“{name}”：{why}，请重新安装。"),
            )
        })
    }

    /// The card that lies beside the model at `path` and is about it, if there is one.
    pub fn beside(path: &Path) -> Option<Self> {
        let card = Self::read(&path.parent()?.join("model.toml")).ok()?;
        (path.file_name() == Path::new(&card.file).file_name()).then_some(card)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_belongs_to_the_file_it_names() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let text = "name='a'\nkind='image'\nfile='a.safetensors'\nlicence='MIT'\nsource='here'\n\
                    [[classes]]\nen='blue'\nzh='蓝色'\n";
        files::write_whole(&dir.path().join("model.toml"), text.as_bytes()).expect("write");
        let card = Card::beside(&dir.path().join("a.safetensors")).expect("its card");
        assert_eq!((card.title.as_str(), card.classes[0].zh.as_str()), ("", "蓝色"));
        assert!(Card::beside(&dir.path().join("b.safetensors")).is_none());
        assert!(Card::beside(Path::new("/")).is_none());
    }
}
