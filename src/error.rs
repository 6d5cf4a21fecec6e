//! The one error type: a sentence for the user, in both languages.

use std::{fmt, path::Path};

use crate::Lang;

/// The result of anything that can fail in front of a user.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What failed, why, and what to do about it: one clear sentence in each language.
///
/// There are no error codes: nothing in the studio branches on why something failed,
/// a person reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    en: String,
    zh: String,
}

impl Error {
    /// An error with its sentence in English and in Chinese.
    pub fn new(en: impl Into<String>, zh: impl Into<String>) -> Self {
        Self { en: en.into(), zh: zh.into() }
    }

    /// A file operation that the system refused. `doing` is a phrase such as `("open", "打开")`.
    pub fn file(doing: (&str, &str), path: &Path, why: &std::io::Error) -> Self {
        use std::io::ErrorKind as Kind;
        let name = path.display();
        let (en, zh) = match why.kind() {
            Kind::NotFound => {
                ("there is no such file; check the name".to_owned(), "找不到该文件，请检查名称".to_owned())
            }
            Kind::PermissionDenied | Kind::ReadOnlyFilesystem => (
                "this account may not do that there; choose another folder or change its permissions".to_owned(),
                "没有权限，请换一个文件夹或修改权限".to_owned(),
            ),
            Kind::StorageFull | Kind::QuotaExceeded => {
                ("the disk is full; free some space and try again".to_owned(), "磁盘已满，请腾出空间后重试".to_owned())
            }
            Kind::IsADirectory => ("it is a folder; choose a file".to_owned(), "这是一个文件夹，请选择文件".to_owned()),
            _ => (why.to_string(), why.to_string()),
        };
        Self::new(format!("Could not {} “{name}”: {en}.", doing.0), format!("无法{}“{name}”：{zh}。", doing.1))
    }

    /// The sentence in `lang`.
    pub fn text(&self, lang: Lang) -> &str {
        lang.pick(&self.en, &self.zh)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.en)
    }
}

impl std::error::Error for Error {}
