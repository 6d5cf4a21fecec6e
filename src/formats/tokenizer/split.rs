//! Pre-tokenisers: cutting a text into words that merges never cross.
//!
//! The patterns are those that llama.cpp uses for each name in `tokenizer.ggml.pre`. A splitter applies its stages one
//! after another, each within the pieces that the one before left; what no pattern matches is a piece too. The
//! `\s+(?!\S)` in most of them (all but the last of several spaces, so that the last goes with the next word) is done by
//! hand: without lookahead a pattern runs in linear time on any text.

use std::ops::Range;

use regex_automata::{Input, PatternID, meta::Regex};

use super::damaged;
use crate::{Error, Result};

/// The pre-tokeniser of a vocabulary.
#[derive(Debug)]
pub(super) struct Splitter {
    stages: Vec<Stage>,
}

#[derive(Debug)]
struct Stage {
    /// Tried in this order at each place; the first that matches wins.
    alternatives: Regex,
    /// The alternative that leaves its last character to the next piece.
    spaces: Option<PatternID>,
}

/// What a name in `tokenizer.ggml.pre` stands for.
pub(super) struct PreTokenizer {
    pub splitter: Splitter,
    /// A word that is a token as a whole is taken as it is.
    pub whole_words: bool,
    /// Whether texts begin with the token for it when the file does not say.
    pub add_bos: bool,
}

/// Stands for `\s+(?!\S)|\s+`.
const SPACES: &str = r"\s+";
const SUFFIXES: &str = "'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]";
const WORD: &str = r"[^\r\n\p{L}\p{N}]?\p{L}+";
const SYMBOLS: &str = r" ?[^\s\p{L}\p{N}]+[\r\n]*";
const SYMBOLS_AND_SLASHES: &str = r" ?[^\s\p{L}\p{N}]+[\r\n/]*";
const LINE_ENDS: &str = r"\s*[\r\n]+";

const GPT2: &[&str] = &["'s|'t|'re|'ve|'m|'ll|'d", r" ?\p{L}+", r" ?\p{N}+", r" ?[^\s\p{L}\p{N}]+", SPACES];
const DIGIT: &[&str] = &[r"\p{N}"];
const THREE_DIGITS: &[&str] = &[r"\p{N}{1,3}"];

impl PreTokenizer {
    /// The one called `name`.
    ///
    /// # Errors
    /// When there is none of that name: guessing one would make the model write worse without a word of warning.
    pub fn named(name: &str) -> Result<Self> {
        let llama3: &[&str] = &[SUFFIXES, WORD, r"\p{N}{1,3}", SYMBOLS, LINE_ENDS, SPACES];
        let qwen2: &[&str] = &[SUFFIXES, WORD, r"\p{N}", SYMBOLS, LINE_ENDS, SPACES];
        let mut whole_words = false;
        let mut add_bos = false;
        let stages: &[&[&str]] = match name {
            "" | "default" => &[&[r"[\p{P}$+<=>^~|]+"], GPT2, &[r"\p{N}+"], &["[0-9][0-9][0-9]"]],
            "gpt-2" | "phi-2" | "jina-es" | "jina-de" | "jina-v2-es" | "jina-v2-de" | "gigachat" | "a.x-4.0"
            | "mellum" | "modern-bert" | "mpt" | "olmo" | "jais" | "trillion" | "granite-docling" | "exaone4" => {
                &[GPT2]
            }
            "smollm" | "starcoder" | "refact" | "command-r" | "codeshell" | "exaone" | "minerva-7b" | "mellum2" => {
                &[DIGIT, GPT2]
            }
            "llama3" | "llama-v3" | "llama-bpe" | "falcon3" | "falcon-h1" | "pixtral" | "midm-2.0" | "lfm2" => {
                (whole_words, add_bos) = (true, true);
                &[llama3]
            }
            "dbrx" | "smaug-bpe" | "glm4" | "chatglm-bpe" => &[llama3],
            "qwen2" | "deepseek-r1-qwen" | "kormo" | "f2llmv2" | "stablelm2" | "hunyuan" | "solar-open" | "megrez"
            | "grok-2" => &[qwen2],
            "qwen35" => &[&[
                SUFFIXES,
                r"[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+",
                r"\p{N}",
                r" ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*",
                LINE_ENDS,
                SPACES,
            ]],
            "minicpm5" => {
                whole_words = true;
                &[THREE_DIGITS, &[SUFFIXES, WORD, r"\p{N}+", SYMBOLS, LINE_ENDS, SPACES]]
            }
            "seed-coder" => &[&[SUFFIXES, WORD, r"\p{N}", r" ?[^\s\p{L}\p{N}\r\n]+", LINE_ENDS, SPACES]],
            "bailingmoe" | "bailingmoe2" | "llada-moe" => {
                &[&["'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])", WORD, r"\p{N}", SYMBOLS, r"\s*[\r\n]", SPACES]]
            }
            "falcon" => &[&[r"[\p{P}$+<=>^~|`]+"], GPT2, &["[0-9][0-9][0-9]"]],
            "deepseek-v3" | "hunyuan-dense" | "joyai-llm" | "hy_v4" => &[
                THREE_DIGITS,
                &["[一-龥぀-ゟ゠-ヿ]+"],
                &[
                    r##"[!"#$%\&'()*+,\-./:;<=>?@\[\\\]^_`{|}\~][A-Za-z]+"##,
                    r"[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+",
                    r" ?[\p{P}\p{S}]+[\r\n]*",
                    LINE_ENDS,
                    SPACES,
                ],
            ],
            "deepseek-coder" => &[&[r"[\r\n]"], &[r"\s?\p{L}+"], &[r"\s?\p{P}+"], &["[一-龥ࠀ-一가-퟿]+"], DIGIT],
            "tekken" => {
                (whole_words, add_bos) = (true, true);
                &[&[
                    r"[^\r\n\p{L}\p{N}]?[\p{L}--[a-z]]*[\p{L}--[A-Z]]+",
                    r"[^\r\n\p{L}\p{N}]?[\p{L}--[a-z]]+[\p{L}--[A-Z]]*",
                    r"\p{N}",
                    SYMBOLS_AND_SLASHES,
                    LINE_ENDS,
                    SPACES,
                ]]
            }
            "gpt-4o" | "llama4" | "kanana2" => &[&[
                r"[^\r\n\p{L}\p{N}]?[\p{L}--[a-z]]*[\p{L}--[A-Z]]+(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?",
                r"[^\r\n\p{L}\p{N}]?[\p{L}--[a-z]]+[\p{L}--[A-Z]]*(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?",
                r"\p{N}{1,3}",
                SYMBOLS_AND_SLASHES,
                LINE_ENDS,
                SPACES,
            ]],
            unknown => {
                return Err(Error::new(
                    format!(
                        "This model cuts text into words in a way that is not known here (“{unknown}”); choose another model."
                    ),
                    format!("该模型的分词方式“{unknown}”尚不支持，请换用其他模型。"),
                ));
            }
        };
        let stages = stages.iter().map(|alternatives| Stage::new(alternatives)).collect::<Result<_>>()?;
        Ok(Self { splitter: Splitter { stages }, whole_words, add_bos })
    }
}

impl Stage {
    fn new(alternatives: &[&str]) -> Result<Self> {
        let spaces = alternatives.iter().position(|pattern| *pattern == SPACES).map(PatternID::must);
        let alternatives =
            Regex::new_many(alternatives).map_err(|_| damaged("its word pattern is too large", "分词规则过大"))?;
        Ok(Self { alternatives, spaces })
    }

    /// Cuts `range` of `text` into pieces, in order and without gaps.
    fn split(&self, text: &str, range: Range<usize>, out: &mut Vec<Range<usize>>) {
        let mut cache = self.alternatives.create_cache();
        self.split_with(&mut cache, text, range, out);
    }

    fn split_with(
        &self,
        cache: &mut regex_automata::meta::Cache,
        text: &str,
        range: Range<usize>,
        out: &mut Vec<Range<usize>>,
    ) {
        // Searching a slice keeps patterns from looking beyond the piece.
        let piece = &text[range.clone()];
        let mut at = 0;
        while at < piece.len() {
            let found = self.alternatives.search_with(cache, &Input::new(piece).range(at..));
            let Some(found) = found.filter(|found| !found.is_empty()) else { break };
            let mut end = found.end();
            if Some(found.pattern()) == self.spaces
                && end < piece.len()
                && let Some((last, _)) = piece[found.range()].char_indices().next_back()
                && last > 0
            {
                end = found.start() + last;
            }
            if found.start() > at {
                out.push(range.start + at..range.start + found.start());
            }
            out.push(range.start + found.start()..range.start + end);
            at = end;
        }
        if at < piece.len() {
            out.push(range.start + at..range.end);
        }
    }
}

impl Splitter {
    /// The words of `text`, in order and without gaps.
    pub fn split(&self, text: &str) -> Vec<Range<usize>> {
        let mut pieces = Vec::new();
        if !text.is_empty() {
            pieces.push(0..text.len());
        }
        for stage in &self.stages {
            let mut finer = Vec::with_capacity(pieces.len());
            if let [whole] = pieces.as_slice() {
                stage.split(text, whole.clone(), &mut finer);
            } else {
                let mut cache = stage.alternatives.create_cache();
                for piece in pieces {
                    stage.split_with(&mut cache, text, piece, &mut finer);
                }
            }
            pieces = finer;
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words<'a>(name: &str, text: &'a str) -> Vec<&'a str> {
        let splitter = PreTokenizer::named(name).expect("known").splitter;
        splitter.split(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn the_last_space_goes_with_the_next_word() {
        assert_eq!(words("gpt-2", "a   b  "), ["a", "  ", " b", "  "]);
        assert_eq!(words("gpt-2", "a \n b"), ["a", " \n", " b"]);
        assert_eq!(words("gpt-2", "a\u{3000}\u{3000}b"), ["a", "\u{3000}", "\u{3000}", "b"]);
        assert_eq!(words("llama-bpe", "a \n\n  b"), ["a", " \n\n", " ", " b"]);
        assert_eq!(words("qwen2", "I'LL x\n"), ["I", "'LL", " x", "\n"]);
    }

    #[test]
    fn digits_are_grouped_as_the_name_says() {
        assert_eq!(words("smollm", "12 3"), ["1", "2", " ", "3"]);
        assert_eq!(words("llama-bpe", "12345"), ["123", "45"]);
        assert_eq!(words("qwen2", "12"), ["1", "2"]);
        assert_eq!(words("default", "a 1234567"), ["a", " ", "123", "456", "7"]);
    }

    #[test]
    fn every_known_name_keeps_the_whole_text() {
        let text = "It's  12345 naïve 你好，世界！\r\n\tx+=1;\u{85}🙂 'Ve\n\n";
        for name in [
            "default",
            "gpt-2",
            "smollm",
            "llama-bpe",
            "dbrx",
            "qwen2",
            "qwen35",
            "minicpm5",
            "seed-coder",
            "bailingmoe",
            "falcon",
            "deepseek-v3",
            "deepseek-coder",
            "tekken",
            "gpt-4o",
        ] {
            assert_eq!(words(name, text).concat(), text, "{name}");
            assert!(words(name, "").is_empty(), "{name}");
        }
        let why = PreTokenizer::named("martian").map(|_| ()).expect_err("unknown");
        assert!(why.to_string().contains("martian"));
    }
}
