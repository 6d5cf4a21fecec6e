//! Tasks: one click on a text or a brief, with prompts that people can edit (`assets/tasks.toml` and their own copy).

use serde::Deserialize;

use super::{
    ChatMessage, Prompt, Role, TextRequest,
    sampler::{Preset, SamplerSettings},
};
use crate::{Error, Lang, Result};

/// The tasks, with the styles and languages that they offer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tasks {
    /// The tasks, in the order in which they are shown.
    #[serde(rename = "task")]
    pub tasks: Vec<Task>,
    /// Styles for tasks that need one.
    #[serde(rename = "style", default)]
    pub styles: Vec<Choice>,
    /// Languages for tasks that need one.
    #[serde(rename = "language", default)]
    pub languages: Vec<Choice>,
}

/// Something the model can be asked to do with a text.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Its name for programs.
    pub id: String,
    /// Its name for people.
    pub label: Words,
    /// What it does.
    pub tooltip: Words,
    /// What must not be empty.
    #[serde(default)]
    pub needs: Vec<Need>,
    /// Whether it is put as a question; otherwise the model goes on from the text.
    #[serde(default = "yes")]
    pub chat: bool,
    /// At most this many new tokens.
    pub max_tokens: usize,
    /// How tokens are chosen.
    pub preset: Preset,
    /// Where the answer goes, if not to the usual place.
    #[serde(default)]
    answer: Option<Place>,
    /// What is asked about English material.
    en: Wording,
    /// What is asked about Chinese material.
    zh: Wording,
}

/// Where a task's answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In the place of the text it was done with.
    Instead,
    /// As a heading before that text.
    Before,
    /// As a paragraph of its own after it.
    After,
    /// Straight on.
    On,
}

/// A text in both languages.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    en: String,
    zh: String,
}

impl Words {
    /// The text in `lang`.
    pub fn text(&self, lang: Lang) -> &str {
        lang.pick(&self.en, &self.zh)
    }
}

/// A style or a language.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// Its name for programs.
    pub id: String,
    /// Its name for people.
    pub label: Words,
    /// What the model is told.
    pub words: Words,
}

/// What a task cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// The selection.
    Text,
    /// What the person typed.
    Brief,
    /// A style.
    Style,
    /// A language.
    Language,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wording {
    #[serde(default)]
    system: String,
    user: String,
}

/// What a task is done with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Material<'a> {
    /// The selection.
    pub text: &'a str,
    /// What the person typed.
    pub brief: &'a str,
    /// One of [`Tasks::styles`], or the person's own words.
    pub style: Option<Picked<'a>>,
    /// One of [`Tasks::languages`], or the person's own words.
    pub language: Option<Picked<'a>>,
}

/// A style or language that was picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picked<'a> {
    /// One of those offered.
    Offered(&'a Choice),
    /// The person's own words.
    Own(&'a str),
}

const BUNDLED: &str = include_str!("../../assets/tasks.toml");

impl Tasks {
    /// The tasks that come with the studio.
    ///
    /// # Errors
    /// Never, which the tests show; the file is read like a person's own.
    pub fn bundled() -> Result<Self> {
        Self::parse(BUNDLED, "tasks.toml")
    }

    /// The text of the bundled tasks file, for a person to copy and change.
    pub fn bundled_text() -> &'static str {
        BUNDLED
    }

    /// Reads a tasks file; `name` is what messages call it.
    ///
    /// # Errors
    /// When it is not well-formed, something is missing, or a template has a word in braces that is not known.
    pub fn parse(text: &str, name: &str) -> Result<Self> {
        let tasks: Self = toml::from_str(text).map_err(|why| {
            let line = why.span().map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1));
            wrong(name, &format!("line {line}: {}", why.message()), &format!("第 {line} 行：{}", why.message()))
        })?;
        if tasks.tasks.is_empty() {
            return Err(wrong(name, "it has no task", "其中没有任务"));
        }
        for task in &tasks.tasks {
            task.check(name)?;
        }
        Ok(tasks)
    }

    /// The task with this id.
    pub fn find(&self, id: &str) -> Option<&Task> {
        self.tasks.iter().find(|task| task.id == id)
    }
}

impl Task {
    /// Where the answer goes.
    pub fn place(&self) -> Place {
        self.answer.unwrap_or(if self.chat { Place::After } else { Place::On })
    }

    /// What the model is asked. Its language is that of the text, or of the brief when there is no text.
    ///
    /// # Errors
    /// When something that the task needs is empty.
    pub fn request(&self, material: &Material<'_>, seed: u64) -> Result<TextRequest> {
        for need in &self.needs {
            let value = match need {
                Need::Text => material.text,
                Need::Brief => material.brief,
                Need::Style => material.style.as_ref().map_or("", |style| style.words(Lang::En)),
                Need::Language => material.language.as_ref().map_or("", |language| language.words(Lang::En)),
            };
            if value.trim().is_empty() {
                return Err(need.missing());
            }
        }
        let lang = language_of(if material.text.trim().is_empty() { material.brief } else { material.text });
        let wording = if lang == Lang::Zh { &self.zh } else { &self.en };
        let user = fill(&wording.user, material, lang);
        let prompt = if self.chat {
            let system = fill(&wording.system, material, lang);
            let system = Some(system).filter(|system| !system.is_empty());
            let system = system.map(|content| ChatMessage { role: Role::System, content });
            Prompt::Chat(system.into_iter().chain([ChatMessage { role: Role::User, content: user }]).collect())
        } else {
            Prompt::Raw(user)
        };
        let sampler: SamplerSettings = self.preset.settings();
        Ok(TextRequest { prompt, sampler, seed, max_tokens: self.max_tokens, ..Default::default() })
    }

    fn check(&self, name: &str) -> Result<()> {
        let id = &self.id;
        if id.trim().is_empty() || self.max_tokens == 0 {
            return Err(wrong(name, "a task has no id or no max_tokens", "有任务缺少 id 或 max_tokens"));
        }
        for template in [&self.en.system, &self.en.user, &self.zh.system, &self.zh.user] {
            if let Some(unknown) = placeholders(template).map(|(_, word)| word).find(|word| !KNOWN.contains(word)) {
                return Err(wrong(
                    name,
                    &format!(
                        "the task “{id}” has {{{unknown}}}; there are {{text}}, {{brief}}, {{style}} and {{language}}"
                    ),
                    &format!("任务“{id}”中有 {{{unknown}}}；可用的有 {{text}}、{{brief}}、{{style}} 和 {{language}}"),
                ));
            }
        }
        Ok(())
    }
}

impl Picked<'_> {
    fn words(&self, lang: Lang) -> &str {
        match self {
            Self::Offered(choice) => choice.words.text(lang),
            Self::Own(words) => words,
        }
    }
}

impl Need {
    fn missing(self) -> Error {
        let (en, zh) = match self {
            Self::Text => ("Select the text that this should be done with.", "请先选择要处理的文字。"),
            Self::Brief => ("Write in a few words what it should be about.", "请先用几个字写明主题。"),
            Self::Style => ("Choose a style first.", "请先选择风格。"),
            Self::Language => ("Choose a language first.", "请先选择语言。"),
        };
        Error::new(en, zh)
    }
}

const KNOWN: [&str; 4] = ["text", "brief", "style", "language"];

/// The words in braces in a template, each with the byte at which its brace stands. Other braces are plain text.
fn placeholders(template: &str) -> impl Iterator<Item = (usize, &str)> {
    template.match_indices('{').filter_map(|(at, _)| {
        let (word, _) = template[at + 1..].split_once('}')?;
        let is_word = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        is_word.then_some((at, word))
    })
}

/// The template with its words in braces filled in; what is filled in is not looked at again.
fn fill(template: &str, material: &Material<'_>, lang: Lang) -> String {
    let mut filled = String::new();
    let mut from = 0;
    for (at, word) in placeholders(template) {
        filled.push_str(&template[from..at]);
        from = at + word.len() + 2;
        filled.push_str(match word {
            "text" => material.text,
            "brief" => material.brief,
            "style" => material.style.as_ref().map_or("", |style| style.words(lang)),
            "language" => material.language.as_ref().map_or("", |language| language.words(lang)),
            _ => &template[at..from],
        });
    }
    filled + &template[from..]
}

/// Chinese if a fifth of its letters are Chinese: a character says more than a letter does.
fn language_of(text: &str) -> Lang {
    let (mut chinese, mut letters) = (0, 0);
    for c in text.chars().take(4000).filter(|c| c.is_alphabetic()) {
        letters += 1;
        chinese += usize::from(matches!(c, '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}'));
    }
    if chinese * 5 > letters { Lang::Zh } else { Lang::En }
}

fn wrong(name: &str, en: &str, zh: &str) -> Error {
    Error::new(
        format!("The tasks file “{name}” cannot be used ({en}); correct it or delete it to have the usual tasks back."),
        format!("任务文件“{name}”无法使用（{zh}），请改正，或删除它以恢复默认任务。"),
    )
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat(request: &TextRequest) -> Vec<&str> {
        match &request.prompt {
            Prompt::Chat(messages) => messages.iter().map(|message| message.content.as_str()).collect(),
            Prompt::Raw(text) => vec![text],
        }
    }

    #[test]
    fn the_bundled_tasks_are_all_there_and_work_in_both_languages() {
        let tasks = Tasks::bundled().expect("the bundled file is good");
        let ids: Vec<&str> = tasks.tasks.iter().map(|task| task.id.as_str()).collect();
        assert_eq!(ids, ["article", "continue", "summarise", "headline", "restyle", "polish", "translate"]);
        let styles: Vec<&str> = tasks.styles.iter().map(|style| style.id.as_str()).collect();
        assert_eq!(styles, ["plain", "formal", "warm", "vivid", "terse"]);
        for task in &tasks.tasks {
            for (text, lang) in [("It {brief} rains.", Lang::En), ("下雨了 {brief}。", Lang::Zh)] {
                let material = Material {
                    text,
                    brief: text,
                    style: Some(Picked::Own("STYLE")),
                    language: Some(Picked::Offered(&tasks.languages[1])),
                };
                let request = task.request(&material, 5).expect("nothing is missing");
                let asked = chat(&request).join("\n");
                assert!(asked.contains(text), "{asked}");
                assert_eq!(asked.contains("STYLE"), task.id == "restyle", "{asked}");
                assert_eq!(asked.contains(lang.pick("into Chinese", "简体中文")), task.id == "translate", "{asked}");
                assert!(request.max_tokens > 0 && request.seed == 5);
                assert!(!task.label.text(lang).is_empty() && !task.tooltip.text(lang).is_empty());
                assert_eq!(language_of(&asked), lang, "{asked}");
            }
        }
    }

    #[test]
    fn answers_go_where_the_file_says() {
        let tasks = Tasks::bundled().expect("the bundled file is good");
        let places: Vec<Place> = tasks.tasks.iter().map(Task::place).collect();
        let (after, instead) = (Place::After, Place::Instead);
        assert_eq!(places, [after, Place::On, after, Place::Before, instead, instead, instead]);
        let own = Tasks::bundled_text().replacen("max_tokens = 200", "max_tokens = 200\nanswer = \"instead\"", 1);
        let own = Tasks::parse(&own, "mine.toml").expect("a good file");
        assert_eq!(own.find("summarise").map(Task::place), Some(instead));
    }

    #[test]
    fn what_is_missing_is_said() {
        let tasks = Tasks::bundled().expect("the bundled file is good");
        let restyle = tasks.find("restyle").expect("it is there");
        let error = restyle.request(&Material { text: " \n", ..Default::default() }, 0).expect_err("no text");
        assert!(error.text(Lang::En).starts_with("Select the text"), "{error}");
        let error = restyle.request(&Material { text: "x", ..Default::default() }, 0).expect_err("no style");
        assert!(error.text(Lang::Zh).contains("风格"), "{error}");
        assert!(tasks.find("nothing").is_none());
    }

    #[test]
    fn a_file_with_mistakes_is_refused_in_one_sentence() {
        let good = Tasks::bundled_text();
        for (from, to, want) in [
            ("topic: {brief}", "topic: {breif}", "{breif}"),
            ("max_tokens = 700", "max_tokens = -1", "line 15"),
            ("max_tokens = 700", "max_tokens = 0", "no max_tokens"),
            ("preset = \"balanced\"", "preset = \"bold\"", "bold"),
            ("needs = [\"brief\"]", "need = [\"brief\"]", "need"),
            ("[[task]]", "[[task]", "line"),
        ] {
            let text = good.replacen(from, to, 1);
            assert_ne!(text, good, "{from}");
            let error = Tasks::parse(&text, "mine.toml").expect_err(to);
            assert!(error.text(Lang::En).contains(want), "{want}: {error}");
            assert!(error.text(Lang::En).starts_with("The tasks file “mine.toml”"), "{error}");
            assert!(!error.text(Lang::En).contains('\n'), "{error}");
        }
        assert!(Tasks::parse("task = []", "x").is_err());
    }

    #[test]
    fn other_braces_are_plain_text() {
        let material = Material { text: "T", ..Default::default() };
        assert_eq!(fill("{ {} {text} {a b} {Text} {", &material, Lang::En), "{ {} T {a b} {Text} {");
    }
}
