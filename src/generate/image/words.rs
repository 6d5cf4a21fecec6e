//! A line of words, in English or Chinese, as settings of the next pictures: "four blue eyes, seed 12", "十二个宋体汉字，大胆".
//!
//! The rules are few, and [`understand`] tells what it made of each part. Reading from the left, the longest known phrase
//! wins; what is no phrase, no number and no filler is told to be unknown.
//!
//! - A model's name, its title or one of the words on its card, singular or plural, means the model.
//! - A class's name means that class: of the model that is named, or else of the open one, or else of the first that has it.
//! - A number, in digits or words, means how many; after "seed" or 种子 it means the seed.
//! - The name that the user gave one of the open model's directions means a step along it: 3, after "more" and its kin 6,
//!   after "less", "no" and theirs −3.
//! - "typical" and its kin mean a truncation of 0.7, "wild" and its kin one of 1.3.

use std::ops::Range;

use crate::generate::lexicon::{Found, Lexicon, NO_NUMBERS};

/// The most pictures that words ask for.
const MOST_COUNT: u64 = 96;
/// Truncations that words stand for.
const TYPICAL: f32 = 0.7;
const WILD: f32 = 1.3;
/// Steps along a direction that its name stands for, by itself, after "more" and after "less".
const STEP: f32 = 3.0;
const STEP_MORE: f32 = 6.0;
const STEP_LESS: f32 = -3.0;

/// A model that words may mean.
#[derive(Clone, Debug, Default)]
pub struct Named {
    /// Its name, its title, and what else it may be called.
    pub names: Vec<String>,
    /// The names of its classes, in English and Chinese.
    pub classes: Vec<(String, String)>,
    /// What the user calls its directions; empty strings where they have no name.
    pub directions: Vec<String>,
}

/// What a part of the line means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Meaning {
    /// The model of this place in the list.
    Model(usize),
    /// A class of the model of this place.
    Class(usize, u32),
    /// So many pictures.
    Count(usize),
    /// The seed of the first.
    Seed(u64),
    /// How far from the average picture.
    Truncation(f32),
    /// A step along this direction of the open model.
    Direction(usize, f32),
    /// Nothing that is known.
    Unknown,
}

/// A part of the line with its meaning.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Where it stands, in bytes.
    pub at: Range<usize>,
    pub meaning: Meaning,
}

/// What a phrase may mean before the whole line is known.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Phrase {
    Model(usize),
    Class(usize, u32),
    Truncation(f32),
    Direction(usize, usize),
    /// What follows is a step of this length.
    Step(f32),
    Seed,
    Filler,
}

const TYPICAL_WORDS: &[&str] = &["typical", "clean", "safe", "calm", "plain", "典型", "工整", "稳妥", "规整"];
const WILD_WORDS: &[&str] = &["wild", "strange", "weird", "painterly", "大胆", "狂野", "奇特", "油画感"];
const MORE_WORDS: &[&str] = &["more", "very", "much", "更", "更多", "很", "非常"];
const LESS_WORDS: &[&str] = &["less", "fewer", "no", "not", "without", "不", "少", "更少", "没有", "无"];
const SEED_WORDS: &[&str] = &["seed", "种子"];
const FILLERS: &[&str] = &[
    "a", "an", "the", "of", "and", "in", "with", "for", "me", "please", "some", "few", "draw", "paint", "make", "show",
    "generate", "create", "picture", "image", "from", "style", "look", "looking", "new", "that", "are", "is", "的",
    "张", "只", "个", "幅", "枚", "件", "条", "双", "头", "人", "画", "绘制", "请", "给我", "来", "一些", "几", "图",
    "图片", "图像", "风格", "感", "新", "和", "与", "用", "字", "色", "号", "为",
];
/// What the parts of `line` mean, of `models`, of which the one at `open` is in use.
pub fn understand(line: &str, models: &[Named], open: Option<usize>) -> Vec<Part> {
    settle(phrases(models).scan(line), open)
}

/// Every phrase that is known.
fn phrases(models: &[Named]) -> Lexicon<Phrase> {
    let mut phrases = Lexicon::new();
    for (index, model) in models.iter().enumerate() {
        model.names.iter().for_each(|name| phrases.put(name, Phrase::Model(index)));
        for (class, (en, zh)) in model.classes.iter().enumerate() {
            phrases.put(en, Phrase::Class(index, class as u32));
            // "bold serif" is "serif bold".
            if let Some((first, last)) = en.split_once(' ') {
                phrases.put(&format!("{last} {first}"), Phrase::Class(index, class as u32));
            }
            phrases.put(zh, Phrase::Class(index, class as u32));
        }
        for (direction, name) in model.directions.iter().enumerate() {
            phrases.put(name, Phrase::Direction(index, direction));
        }
    }
    phrases.put_all(TYPICAL_WORDS, Phrase::Truncation(TYPICAL));
    phrases.put_all(WILD_WORDS, Phrase::Truncation(WILD));
    phrases.put_all(MORE_WORDS, Phrase::Step(STEP_MORE));
    phrases.put_all(LESS_WORDS, Phrase::Step(STEP_LESS));
    phrases.put_all(SEED_WORDS, Phrase::Seed);
    phrases.put_all(FILLERS, Phrase::Filler);
    phrases.put_all(NO_NUMBERS, Phrase::Filler);
    phrases
}

/// Decides between what phrases may mean, now that the whole line is known.
fn settle(found: Vec<(Range<usize>, Found<Phrase>)>, open: Option<usize>) -> Vec<Part> {
    let class_of = |phrases: &[Phrase], wanted: Option<usize>| {
        phrases.iter().find_map(|phrase| match phrase {
            Phrase::Class(model, class) if wanted.is_none_or(|wanted| wanted == *model) => Some((*model, *class)),
            _ => None,
        })
    };
    let model_of = |found: &Found<Phrase>| match found {
        Found::Phrases(phrases) => {
            phrases.iter().find_map(|phrase| if let Phrase::Model(model) = phrase { Some(*model) } else { None })
        }
        _ => None,
    };
    let mut named = found.iter().find_map(|(_, found)| model_of(found));
    let mut parts: Vec<Part> = Vec::new();
    let mut after_seed = false;
    let mut step: Option<(Range<usize>, f32)> = None;
    for (at, found) in found {
        let meaning = match found {
            Found::Number(number) if after_seed => Meaning::Seed(number),
            Found::Number(number @ 1..=MOST_COUNT) => Meaning::Count(number as usize),
            Found::Number(_) | Found::Unknown => Meaning::Unknown,
            Found::Phrases(phrases) => {
                let class = match named {
                    Some(named) => class_of(&phrases, Some(named)),
                    None => class_of(&phrases, open).or_else(|| class_of(&phrases, None)),
                };
                let direction = phrases.iter().find_map(|phrase| match phrase {
                    Phrase::Direction(model, index) if Some(*model) == open => Some(*index),
                    _ => None,
                });
                let other = phrases.iter().find(|phrase| !matches!(phrase, Phrase::Class(..) | Phrase::Direction(..)));
                if let Some(Phrase::Step(length)) = other {
                    step = Some((at, *length));
                    continue;
                }
                match (class, other) {
                    // The user's own word before any other.
                    _ if direction.is_some() => {
                        let length = step.take().map_or(STEP, |(_, length)| length);
                        Meaning::Direction(direction.unwrap_or_default(), length)
                    }
                    (Some((model, class)), _) => {
                        // What follows is said of the same model.
                        named = Some(model);
                        Meaning::Class(model, class)
                    }
                    (None, Some(Phrase::Model(model))) => Meaning::Model(*model),
                    (None, Some(Phrase::Truncation(truncation))) => Meaning::Truncation(*truncation),
                    (None, Some(Phrase::Seed)) => {
                        after_seed = true;
                        continue;
                    }
                    (None, Some(Phrase::Filler)) => continue,
                    (None, _) => Meaning::Unknown,
                }
            }
        };
        after_seed = false;
        parts.extend(nothing(step.take()));
        match parts.last_mut() {
            // Unknown characters side by side are one part.
            Some(last)
                if last.meaning == Meaning::Unknown && meaning == Meaning::Unknown && last.at.end == at.start =>
            {
                last.at.end = at.end;
            }
            _ => parts.push(Part { at, meaning }),
        }
    }
    parts.extend(nothing(step));
    parts
}

/// "No" of something that is no direction is not understood; "more" of it means nothing.
fn nothing(step: Option<(Range<usize>, f32)>) -> Option<Part> {
    step.filter(|(_, length)| *length < 0.0).map(|(at, _)| Part { at, meaning: Meaning::Unknown })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn models() -> Vec<Named> {
        let named = |names: &[&str], classes: &[(&str, &str)]| Named {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            classes: classes.iter().map(|(en, zh)| ((*en).to_owned(), (*zh).to_owned())).collect(),
            directions: Vec::new(),
        };
        vec![
            named(
                &["tianshu", "character", "汉字", "天书"],
                &[("Sans", "黑体"), ("Sans bold", "粗黑"), ("Serif", "宋体")],
            ),
            named(&["eyes", "eye", "眼睛"], &[("Blue", "蓝"), ("Black and white", "黑白"), ("Brown", "棕")]),
            named(&["bears"], &[("Brown", "棕熊")]),
        ]
    }

    fn read(line: &str, open: Option<usize>) -> Vec<(&str, Meaning)> {
        understand(line, &models(), open).into_iter().map(|part| (&line[part.at], part.meaning)).collect()
    }

    #[test]
    fn lines_are_understood_in_both_languages() {
        use Meaning::{Class, Count, Model, Seed, Truncation};
        assert_eq!(
            read("Four blue eyes, painterly", None),
            [("Four", Count(4)), ("blue", Class(1, 0)), ("eyes", Model(1)), ("painterly", Truncation(WILD))]
        );
        assert_eq!(
            read("四只蓝眼睛，油画感", None),
            [("四", Count(4)), ("蓝", Class(1, 0)), ("眼睛", Model(1)), ("油画感", Truncation(WILD))]
        );
        assert_eq!(
            read("二十四个宋体汉字，种子12", Some(1)),
            [("二十四", Count(24)), ("宋体", Class(0, 2)), ("汉字", Model(0)), ("12", Seed(12))]
        );
        assert_eq!(
            read("draw a dozen sans bold characters", None),
            [("dozen", Count(12)), ("sans bold", Class(0, 1)), ("characters", Model(0))]
        );
        // The longest wins, a class of the open model before another's.
        assert_eq!(read("black and white", Some(0)), [("black and white", Class(1, 1))]);
        assert_eq!(
            [read("brown", Some(2)), read("brown", Some(0))],
            [[("brown", Class(2, 0))], [("brown", Class(1, 2))]]
        );
        assert_eq!(read("brown bears", Some(1)), [("brown", Class(2, 0)), ("bears", Model(2))]);
        assert_eq!(read("seed 900000, 十二张", None), [("900000", Seed(900_000)), ("十二", Count(12))]);
    }

    #[test]
    fn directions_of_the_open_model_have_the_names_that_the_user_gave() {
        use Meaning::{Class, Count, Direction, Model, Unknown};
        let mut models = models();
        models[1].directions = vec![String::new(), "Glasses".to_owned(), "眼镜".to_owned(), "blue".to_owned()];
        let read = |line: &'static str, open| -> Vec<_> {
            understand(line, &models, open).into_iter().map(|part| (&line[part.at], part.meaning)).collect()
        };
        assert_eq!(
            read("four eyes with glasses", Some(1)),
            [("four", Count(4)), ("eyes", Model(1)), ("glasses", Direction(1, STEP))]
        );
        assert_eq!(read("more glasses", Some(1)), [("glasses", Direction(1, STEP_MORE))]);
        assert_eq!(read("三只没有眼镜的", Some(1)), [("三", Count(3)), ("眼镜", Direction(2, STEP_LESS))]);
        // The user's own word before the card's, and only while the model is open.
        assert_eq!(read("less blue", Some(1)), [("blue", Direction(3, STEP_LESS))]);
        assert_eq!(read("blue", Some(0)), [("blue", Class(1, 0))]);
        assert_eq!(read("glasses", Some(0)), [("glasses", Unknown)]);
        assert_eq!(read("no eyes, more eyes", Some(1)), [("no", Unknown), ("eyes", Model(1)), ("eyes", Model(1))]);
        assert_eq!(read("without", Some(1)), [("without", Unknown)]);
    }

    #[test]
    fn what_is_not_known_is_told() {
        use Meaning::{Count, Unknown};
        assert_eq!(read("3 zebras", None), [("3", Count(3)), ("zebras", Unknown)]);
        assert_eq!(read("紫斑马 500", None), [("紫斑马", Unknown), ("500", Unknown)]);
        assert_eq!(read("bold sans, 大胆一点", Some(0))[0], ("bold sans", Meaning::Class(0, 1)));
        // One model's class beside another's is none.
        assert_eq!(read("blue serif", Some(1)), [("blue", Meaning::Class(1, 0)), ("serif", Unknown)]);
        // A class of another model than the one that is named is none.
        assert_eq!(read("blue bears", None)[0], ("blue", Unknown));
        assert!(read("", None).is_empty() && read(" ,. ，。!", None).is_empty());
        assert_eq!(read("seed", None), []);
        // Parts of words are not words.
        assert_eq!(read("eyesight", None), [("eyesight", Unknown)]);
        for odd in ["١٢ eyes", "é\u{301}yes", "99999999999999999999999", "seed 99999999999999999999", "\u{0}a"] {
            drop(understand(odd, &models(), None));
        }
        assert!(understand("anything", &[], None).len() == 1);
    }
}
