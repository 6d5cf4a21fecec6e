//! The tokens of real models, against those of llama.cpp.
#![allow(clippy::expect_used, reason = "a test stops at what it did not expect")]

mod common;

use std::collections::HashMap;

use atelier::formats::{
    gguf::GgufFile,
    tokenizer::{EncodeOptions, Tokenizer},
};
use serde_json::Value;

const SMOLLM2: &str = "smollm2-135m-instruct-q4_1.gguf";
const GEMMA3: &str = "gemma3-270m-q4_k_m.gguf";
const QWEN2: &str = "qwen2.5-coder-0.5b-q4_k_m.gguf";

fn tokenizer(name: &str) -> Option<Tokenizer> {
    let path = if name == SMOLLM2 { common::bundled_model() } else { common::cached_model(name)? };
    let file = GgufFile::open(&path).expect("opens");
    Some(Tokenizer::from_gguf(file.metadata()).expect("has a tokenizer"))
}

#[test]
fn tokens_are_those_of_llama_cpp() {
    let golden = include_str!("fixtures/formats/tokens.jsonl");
    let mut tokenizers = HashMap::new();
    let mut checked = 0;
    for line in golden.lines() {
        let case: Value = serde_json::from_str(line).expect("JSON");
        let (name, text) = (case["model"].as_str().expect("model"), case["text"].as_str().expect("text"));
        let special = case["special"].as_bool().expect("flag");
        let want: Vec<u64> = case["tokens"].as_array().expect("tokens").iter().filter_map(Value::as_u64).collect();
        let Some(tokenizer) = tokenizers.entry(name.to_owned()).or_insert_with(|| tokenizer(name)) else { continue };
        let got = tokenizer.encode(text, EncodeOptions { add_bos: special, parse_special: special });
        let got: Vec<u64> = got.into_iter().map(u64::from).collect();
        assert_eq!(got, want, "{name}: {text:?}, special tokens {special}");
        checked += 1;
    }
    assert!(checked >= golden.lines().count() / 3, "the bundled model at least");
}

#[test]
fn text_comes_back_whole() {
    let text = "It's  12345 naïve 你好，世界！\r\n\tx+=1; 🙂👨‍👩‍👧 \u{85}\u{0} ﬁ";
    for name in [SMOLLM2, GEMMA3, QWEN2] {
        let Some(tokenizer) = tokenizer(name) else { continue };
        let tokens = tokenizer.encode(text, EncodeOptions::default());
        assert_eq!(tokenizer.decode(&tokens), text, "{name}");
    }
}

#[test]
fn the_ends_of_a_generation_are_known() {
    for (name, ends, bos, adds_bos) in [
        (SMOLLM2, &["<|endoftext|>", "<|im_end|>", "<reponame>"][..], "<|im_start|>", false),
        (GEMMA3, &["<eos>", "<end_of_turn>", "</s>"], "<bos>", true),
        (
            QWEN2,
            &["</s>", "<|endoftext|>", "<|im_end|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>"],
            "<|endoftext|>",
            false,
        ),
    ] {
        let Some(tokenizer) = tokenizer(name) else { continue };
        let labels: Vec<_> = tokenizer.end_of_generation().iter().map(|id| tokenizer.token_label(*id)).collect();
        assert_eq!(labels, ends, "{name}");
        for text in ends {
            let id = tokenizer.token_for_text(text).expect("in the vocabulary");
            assert!(tokenizer.is_end_of_generation(id) && tokenizer.is_control(id), "{name} {text}");
            assert!(tokenizer.token_bytes(id).is_empty(), "{name} {text}");
        }
        assert_eq!(tokenizer.bos().map(|id| tokenizer.token_label(id)).as_deref(), Some(bos), "{name}");
        assert_eq!(tokenizer.adds_bos(), adds_bos, "{name}");
        assert!(!tokenizer.is_end_of_generation(tokenizer.token_for_text("a").expect("a letter")));
    }
}

#[test]
fn a_part_of_a_character_is_labelled_by_its_bytes() {
    let tokenizer = tokenizer(SMOLLM2).expect("bundled");
    let tokens = tokenizer.encode("🤖", EncodeOptions::default());
    assert!(tokens.len() > 1);
    let labels: Vec<_> = tokens.iter().map(|id| tokenizer.token_label(*id).into_owned()).collect();
    assert!(labels.iter().any(|label| label.starts_with('<') && label.ends_with('>')), "{labels:?}");
    assert_eq!(tokenizer.token_label(u32::MAX), "");
    assert!(tokenizer.token_bytes(u32::MAX).is_empty());
}

#[test]
fn a_megabyte_without_a_break_is_tokenised() {
    let tokenizer = tokenizer(SMOLLM2).expect("bundled");
    for unit in ["a", " ", "\n", "中", "<|im_start|>"] {
        let text = unit.repeat((1 << 20) / unit.len());
        let tokens = tokenizer.encode(&text, EncodeOptions::default());
        assert_eq!(tokenizer.decode(&tokens), text);
    }
}
