//! The chat templates of real models, against Jinja2.

mod common;

use atelier::{
    formats::{chat_template::ChatTemplate, gguf::GgufFile},
    generate::ChatMessage,
};
use serde_json::Value;

#[test]
fn conversations_are_written_as_jinja2_writes_them() {
    let golden = include_str!("fixtures/formats/chats.jsonl");
    let mut checked = 0;
    for line in golden.lines() {
        let case: Value = serde_json::from_str(line).expect("JSON");
        let name = case["model"].as_str().expect("model");
        let path = if name.starts_with("smollm2") { Some(common::bundled_model()) } else { common::cached_model(name) };
        let Some(path) = path else { continue };
        let file = GgufFile::open(&path).expect("opens");
        let template = ChatTemplate::from_gguf(file.metadata()).expect("valid").expect("present");
        let messages: Vec<ChatMessage> = serde_json::from_value(case["messages"].clone()).expect("messages");
        let text = template.render(&messages, case["prompt"].as_bool().expect("flag")).expect("renders");
        assert_eq!(text, case["text"].as_str().expect("text"), "{name}: {messages:?}");
        checked += 1;
    }
    assert!(checked >= golden.lines().count() / 2, "the bundled model at least");
}

#[test]
fn a_model_without_a_template_says_so() {
    let Some(path) = common::cached_model("gemma3-270m-q4_k_m.gguf") else { return };
    let file = GgufFile::open(&path).expect("opens");
    assert!(ChatTemplate::from_gguf(file.metadata()).expect("nothing to refuse").is_none());
}
