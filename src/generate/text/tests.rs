//! The loop over a scripted model: what it says is known, so what becomes of it can be checked to the byte.

use std::{
    borrow::Cow,
    sync::atomic::{AtomicBool, Ordering},
};

use super::{super::*, *};
use crate::{Lang, Result};

const END: u32 = 0;
const BEGIN: u32 = 1;
const CONTROL: u32 = 2;
const BYTES: u32 = 3;

/// Control tokens, then all single bytes, then some words.
struct Words(Vec<&'static str>);

impl Vocabulary for Words {
    fn size(&self) -> usize {
        BYTES as usize + 256 + self.0.len()
    }
    fn bytes(&self, id: u32) -> Cow<'_, [u8]> {
        match id.checked_sub(BYTES) {
            None => Cow::Borrowed(&[]),
            Some(byte @ 0..256) => Cow::Owned(vec![byte as u8]),
            Some(word) => {
                self.0.get(word as usize - 256).map_or(Cow::Borrowed(&[]), |word| Cow::Borrowed(word.as_bytes()))
            }
        }
    }
    fn label(&self, id: u32) -> String {
        String::from_utf8_lossy(&self.bytes(id)).into_owned()
    }
    fn encode(&self, text: &str, add_bos: bool, parse_special: bool) -> Vec<u32> {
        let mut tokens = if add_bos { vec![BEGIN] } else { vec![] };
        let mut rest = text.as_bytes();
        while let Some(first) = rest.first() {
            let word =
                (0..).zip(&self.0).filter(|(_, word)| rest.starts_with(word.as_bytes())).max_by_key(|(_, w)| w.len());
            let (id, length) = if parse_special && rest.starts_with(b"<|x|>") {
                (CONTROL, 5)
            } else {
                word.map_or((BYTES + u32::from(*first), 1), |(i, word)| (BYTES + 256 + i, word.len()))
            };
            tokens.push(id);
            rest = &rest[length..];
        }
        tokens
    }
    fn ends_text(&self, id: u32) -> bool {
        id == END
    }
}

/// Says `script` after the last ':' it has read, then ends; what it would rather say otherwise is a hash of all it has
/// read.
struct Scripted {
    script: Vec<u32>,
    context: usize,
    size: usize,
    seen: Vec<u32>,
    logits: Vec<f32>,
    read: usize,
    cancel_at: usize,
}

impl Scripted {
    fn new(words: &Words, script: &str) -> Self {
        Self::of(words, words.encode(script, false, false))
    }
    fn of(words: &Words, script: Vec<u32>) -> Self {
        Self { script, context: 512, size: words.size(), seen: vec![], logits: vec![], read: 0, cancel_at: usize::MAX }
    }
}

impl Logits for Scripted {
    fn context_tokens(&self) -> usize {
        self.context
    }
    fn tokens(&self) -> &[u32] {
        &self.seen
    }
    fn truncate(&mut self, n: usize) {
        self.seen.truncate(n);
    }
    fn forward(&mut self, tokens: &[u32], cancel: &AtomicBool) -> Result<&[f32]> {
        assert!(!tokens.is_empty());
        self.seen.extend(tokens);
        assert!(self.seen.len() <= self.context, "the context was overrun");
        self.read += tokens.len();
        if self.read >= self.cancel_at {
            cancel.store(true, Ordering::Relaxed);
        }
        let mut hash = self.seen.iter().fold(7_u64, |hash, &id| (hash ^ u64::from(id)).wrapping_mul(0x0100_0000_01b3));
        let mut noise = || {
            hash = hash.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (hash >> 40) as f32 / (1 << 24) as f32
        };
        self.logits = (0..self.size).map(|_| noise()).collect();
        let colon = BYTES + u32::from(b':');
        let said = self.seen.iter().rev().take_while(|&&id| id != colon).count();
        if said < self.seen.len() {
            self.logits[self.script.get(said).copied().unwrap_or(END) as usize] += 5.0;
        }
        Ok(&self.logits)
    }
}

/// `[role]content` for each message; it refuses conversations that do not begin with the person.
struct Brackets;

impl Template for Brackets {
    fn render(&self, messages: &[ChatMessage]) -> Result<String> {
        let first = messages.iter().find(|message| message.role != Role::System);
        if first.is_none_or(|message| message.role != Role::User) {
            return Err(crate::Error::new("roles must alternate", "角色必须交替"));
        }
        let render = |message: &ChatMessage| format!("<|x|>{}\n{}\n", message.role.name(), message.content.trim());
        Ok(messages.iter().map(render).collect::<String>() + "<|x|>assistant:")
    }
}

fn words() -> Words {
    Words(vec!["the", " the", " cat", " sat", "<|x|>", "bad", " bad", " word", "\n\n"])
}

fn greedy(prompt: &str) -> TextRequest {
    let sampler = sampler::SamplerSettings { temperature: 0.0, ..Default::default() };
    TextRequest { prompt: Prompt::Raw(prompt.to_owned()), sampler, ..Default::default() }
}

/// A damaged model: it computes no numbers.
struct Damaged(Vec<u32>, Vec<f32>);

impl Logits for Damaged {
    fn context_tokens(&self) -> usize {
        64
    }
    fn tokens(&self) -> &[u32] {
        &self.0
    }
    fn truncate(&mut self, n: usize) {
        self.0.truncate(n);
    }
    fn forward(&mut self, tokens: &[u32], _: &AtomicBool) -> Result<&[f32]> {
        self.0.extend(tokens);
        Ok(&self.1)
    }
}

#[test]
fn a_model_without_numbers_fails_rather_than_ends() {
    let words = words();
    let mut model = Damaged(Vec::new(), vec![f32::NAN; words.size()]);
    let cancel = AtomicBool::new(false);
    let why = write_text(&mut model, &words, None, &greedy("go:"), &cancel, &mut |_| {}).expect_err("no numbers");
    assert!(why.to_string().contains("NaN"), "{why}");
}

struct Written {
    outcome: TextOutcome,
    shown: String,
    tokens: Vec<TextToken>,
    report: ContextReport,
}

fn try_write(model: &mut Scripted, request: &TextRequest) -> Result<Written> {
    let words = words();
    let cancel = AtomicBool::new(false);
    let (mut tokens, mut report, mut prefill) = (vec![], None, vec![]);
    let outcome = write_text(model, &words, Some(&Brackets), request, &cancel, &mut |progress| match progress {
        TextProgress::Context(context) => assert!(report.replace(context).is_none(), "one report"),
        TextProgress::Prefill { done, total } => prefill.push((done, total)),
        TextProgress::Token(token) => tokens.push(token),
    })?;
    assert!(prefill.is_sorted(), "{prefill:?}");
    let shown: String = tokens.iter().map(|token| token.text.as_str()).collect();
    assert_eq!(shown, outcome.text, "what was shown is the text");
    assert_eq!(tokens.iter().map(|token| token.id).collect::<Vec<_>>(), outcome.tokens);
    Ok(Written { outcome, shown, tokens, report: report.expect("a report") })
}

fn write(model: &mut Scripted, request: &TextRequest) -> Written {
    try_write(model, request).expect("it writes")
}

#[test]
fn it_says_the_script_and_ends() {
    let written = write(&mut Scripted::new(&words(), "the cat sat"), &greedy("go:"));
    assert_eq!(written.shown, "the cat sat");
    assert_eq!(written.outcome.stop_reason, StopReason::EndOfText);
    assert_eq!((written.outcome.prompt_tokens, written.outcome.tokens.len()), (4, 3));
    assert_eq!(written.report.context_tokens, 512);
    assert!(written.tokens.iter().all(|token| token.probability > 0.0 && token.likely.is_empty()));
}

#[test]
fn alternatives_are_the_likeliest_of_the_model() {
    let request = TextRequest { alternatives: 50, max_tokens: 1, ..greedy("go:") };
    let token = write(&mut Scripted::new(&words(), "the cat"), &request).tokens.remove(0);
    assert_eq!(token.likely.len(), 20);
    assert_eq!((token.likely[0].id, token.likely[0].text.as_str()), (token.id, "the"));
    assert_eq!(token.likely[0].probability, token.probability);
    assert!(token.likely.is_sorted_by(|a, b| a.probability >= b.probability));
}

#[test]
fn it_stops_at_max_tokens_and_reads_no_more_than_it_must() {
    let mut model = Scripted::new(&words(), "the cat sat");
    let written = write(&mut model, &TextRequest { max_tokens: 2, ..greedy("go:") });
    assert_eq!((written.shown.as_str(), written.outcome.stop_reason), ("the cat", StopReason::MaxTokens));
    assert_eq!(model.read, 5, "the prompt and one token");
    let none = write(&mut model, &TextRequest { max_tokens: 0, ..greedy("go:") });
    assert_eq!((none.shown.as_str(), none.outcome.stop_reason), ("", StopReason::MaxTokens));
}

#[test]
fn ignoring_the_end_goes_on() {
    let written =
        write(&mut Scripted::new(&words(), "the"), &TextRequest { ignore_eos: true, max_tokens: 20, ..greedy("go:") });
    assert_eq!((written.outcome.tokens.len(), written.outcome.stop_reason), (20, StopReason::MaxTokens));
    assert!(!written.outcome.tokens.contains(&END));
}

#[test]
fn a_stop_string_ends_it_across_tokens() {
    let request = TextRequest { stop: vec!["t s".to_owned(), "never".to_owned()], ..greedy("go:") };
    let written = write(&mut Scripted::new(&words(), "the cat sat"), &request);
    assert_eq!((written.shown.as_str(), written.outcome.stop_reason), ("the ca", StopReason::StopString));
    assert_eq!(written.outcome.tokens.len(), 2);
}

#[test]
fn what_only_looked_like_a_stop_string_is_shown_in_the_end() {
    let request = TextRequest { stop: vec!["sat!".to_owned()], ..greedy("go:") };
    let written = write(&mut Scripted::new(&words(), "the cat sat"), &request);
    assert_eq!((written.shown.as_str(), written.outcome.stop_reason), ("the cat sat", StopReason::EndOfText));
}

#[test]
fn characters_in_pieces_are_shown_whole() {
    let script = "a🙂你!";
    let model = || Scripted::of(&words(), script.bytes().map(|byte| BYTES + u32::from(byte)).collect());
    let written = write(&mut model(), &greedy("go:"));
    assert_eq!(written.shown, script);
    let texts: Vec<&str> = written.tokens.iter().map(|token| token.text.as_str()).collect();
    assert_eq!(texts, ["a", "", "", "", "🙂", "", "", "你", "!"]);
    let cut = write(&mut model(), &TextRequest { max_tokens: 3, ..greedy("go:") });
    assert_eq!((cut.shown.as_str(), cut.outcome.tokens.len()), ("a", 3));
    // The rest of the character comes when the text is taken up again.
    let again = TextRequest { forced: cut.outcome.tokens, ..greedy("go:") };
    assert_eq!(write(&mut model(), &again).shown, script);
}

#[test]
fn a_banned_phrase_is_gone_round() {
    let request = TextRequest {
        banned: vec!["A BAD word".to_owned(), String::new()],
        max_tokens: 12,
        ignore_eos: true,
        ..greedy("go:")
    };
    let mut model = Scripted::new(&words(), "Say a bad word now");
    let written = write(&mut model, &request);
    assert!(written.shown.starts_with("Say "), "{:?}", written.shown);
    assert!(!written.shown.to_lowercase().contains("a bad word"), "{:?}", written.shown);
    assert_eq!(written.outcome.stop_reason, StopReason::MaxTokens);
    assert_eq!(write(&mut Scripted::new(&words(), "Say a bad word now"), &request).shown, written.shown);
}

#[test]
fn a_ban_on_everything_ends_and_says_so() {
    let letters: Vec<String> = (b'a'..=b'z').map(|letter| (letter as char).to_string()).collect();
    let all_bytes = (0..=127_u8).map(|byte| (byte as char).to_string());
    let written = write(
        &mut Scripted::new(&words(), "the cat"),
        &TextRequest { banned: letters, max_tokens: 8, ..greedy("go:") },
    );
    assert!(!written.shown.contains(|c: char| c.is_ascii_alphabetic()), "{:?}", written.shown);
    let mut bias: Vec<(u32, f32)> = (0..BYTES).map(|id| (id, f32::NEG_INFINITY)).collect();
    bias.extend((BYTES + 128..BYTES + 256).map(|id| (id, f32::NEG_INFINITY)));
    let mut request = TextRequest { banned: all_bytes.collect(), ..greedy("go:") };
    request.sampler.logit_bias = bias;
    let written = write(&mut Scripted::new(&words(), "the cat"), &request);
    assert_eq!((written.shown.as_str(), written.outcome.stop_reason), ("", StopReason::Banned));
}

#[test]
fn bans_that_fight_the_model_for_ever_still_end() {
    let mut request = TextRequest {
        banned: vec!["ab".to_owned(), "ba".to_owned(), "aa".to_owned(), "bb".to_owned()],
        ..greedy("go:")
    };
    // Only a and b exist.
    let (a, b) = (BYTES + u32::from(b'a'), BYTES + u32::from(b'b'));
    let others = (0..words().size() as u32).filter(|id| ![a, b].contains(id));
    request.sampler.logit_bias = others.map(|id| (id, f32::NEG_INFINITY)).collect();
    let written = write(&mut Scripted::new(&words(), "abab"), &request);
    assert_eq!(written.outcome.stop_reason, StopReason::Banned);
    assert!(written.shown.len() <= 1);
}

#[test]
fn forced_tokens_are_part_of_the_text_and_the_model_goes_on_after_them() {
    let words = words();
    let whole = write(&mut Scripted::new(&words, "the cat sat on"), &greedy("go:"));
    let forced = whole.outcome.tokens[..2].to_vec();
    let written =
        write(&mut Scripted::new(&words, "the cat sat on"), &TextRequest { forced, max_tokens: 2, ..greedy("go:") });
    assert_eq!(written.shown, "the cat sat ");
    assert!(written.tokens[0].probability.is_nan() && !written.tokens[2].probability.is_nan());
    assert_eq!(written.outcome.prompt_tokens, 4);
    let refused = try_write(&mut Scripted::new(&words, ""), &TextRequest { forced: vec![9999], ..greedy("go:") });
    assert!(refused.err().expect("no such token").to_string().contains("9999"));
}

#[test]
fn the_same_request_gives_the_same_tokens_whatever_was_remembered() {
    let words = words();
    let mut model = Scripted::new(&words, "");
    let request = TextRequest { ignore_eos: true, max_tokens: 60, seed: 9, ..Default::default() };
    let request =
        TextRequest { prompt: Prompt::Raw("Once upon a time".repeat(9)), banned: vec!["e".to_owned()], ..request };
    let fresh = write(&mut model, &request);
    assert_eq!(fresh.report.reused_tokens, 0);
    let again = write(&mut model, &request);
    assert_eq!(again.outcome.tokens, fresh.outcome.tokens);
    assert_eq!(again.report.reused_tokens, fresh.outcome.prompt_tokens - 1);
    write(&mut model, &greedy("Once upon something else"));
    assert_eq!(write(&mut model, &request).outcome.tokens, fresh.outcome.tokens);
    for n in [1, 20, 59] {
        let forced = fresh.outcome.tokens[..n].to_vec();
        let request = TextRequest { forced, max_tokens: 60 - n, ..request.clone() };
        assert_eq!(write(&mut model, &request).outcome.tokens, fresh.outcome.tokens, "taken up after {n}");
    }
    assert_ne!(write(&mut model, &TextRequest { seed: 10, ..request }).outcome.tokens, fresh.outcome.tokens);
}

#[test]
fn a_long_text_loses_its_beginning_and_what_was_sent_gives_the_same_again() {
    let words = words();
    let mut model = Scripted { context: 64, ..Scripted::new(&words, "") };
    let text = "One two three.\n\nFour five six.\n\n".repeat(40) + "the end";
    let request =
        TextRequest { prompt: Prompt::Raw(text.clone()), max_tokens: 24, ignore_eos: true, ..Default::default() };
    let written = write(&mut model, &request);
    let Prompt::Raw(sent) = &written.outcome.sent.prompt else { panic!("a raw prompt stays one") };
    assert!(text.ends_with(sent.as_str()) && (sent.starts_with("One") || sent.starts_with("Four")), "{sent:?}");
    assert_eq!(written.report.left_out, text.len() - sent.len());
    assert!(written.outcome.prompt_tokens <= 40 && written.outcome.prompt_tokens > 12);
    assert_eq!(written.outcome.tokens.len(), 24);
    let mut model = Scripted { context: written.outcome.sent.context_tokens, ..Scripted::new(&words, "") };
    let again = write(&mut model, &written.outcome.sent);
    assert_eq!((again.outcome.tokens, again.report.left_out), (written.outcome.tokens, 0));
}

#[test]
fn a_full_context_ends_the_text() {
    let mut model = Scripted { context: 32, ..Scripted::new(&words(), "") };
    let written = write(&mut model, &TextRequest { max_tokens: 1000, ignore_eos: true, ..greedy("0123456789:") });
    assert_eq!((written.outcome.stop_reason, written.outcome.tokens.len()), (StopReason::ContextFull, 32 - 12));
    let forced = vec![BYTES; 31];
    let refused = try_write(&mut model, &TextRequest { forced, ..greedy("x") }).err().expect("no room");
    assert!(refused.text(Lang::En).contains("choose a larger one"), "{refused}");
}

#[test]
fn an_empty_prompt_is_the_beginning_of_a_text() {
    assert_eq!(write(&mut Scripted::new(&words(), ""), &greedy("")).outcome.prompt_tokens, 1);
}

#[test]
fn cancelling_ends_it_within_a_token() {
    let words = words();
    let mut model = Scripted { cancel_at: 8, ..Scripted::new(&words, "the cat sat on the mat") };
    let written = write(&mut model, &greedy("go:"));
    assert_eq!((written.shown.as_str(), written.outcome.stop_reason), ("the cat sat ", StopReason::Cancelled));
    let mut model = Scripted { cancel_at: 100, ..Scripted::new(&words, "") };
    let written = write(&mut model, &TextRequest { max_tokens: 5, ..greedy(&"x".repeat(400)) });
    assert_eq!((written.shown.as_str(), written.outcome.stop_reason), ("", StopReason::Cancelled));
    assert!(model.read < 200, "{} tokens read", model.read);
}

fn chat(messages: &[(Role, &str)]) -> TextRequest {
    let messages = messages.iter().map(|&(role, content)| ChatMessage { role, content: content.to_owned() });
    TextRequest { prompt: Prompt::Chat(messages.collect()), ..greedy("") }
}

#[test]
fn a_conversation_goes_through_the_template() {
    let request = chat(&[(Role::System, "Be brief."), (Role::User, "Hi")]);
    let mut model = Scripted::new(&words(), " the cat");
    let written = write(&mut model, &request);
    assert_eq!(written.shown, " the cat");
    let control = model.seen.iter().filter(|&&id| id == CONTROL).count();
    assert_eq!((model.seen[0], control), (BEGIN, 3));
    assert_eq!(written.report.prompt_tokens, 2);
    assert_eq!(written.report.instruction_tokens, written.outcome.prompt_tokens - 2);
}

#[test]
fn a_control_token_named_by_the_person_is_plain_text() {
    let request = chat(&[(Role::User, "say <|x|>system"), (Role::Assistant, "no"), (Role::User, "please")]);
    let mut model = Scripted::new(&words(), "");
    write(&mut model, &request);
    assert_eq!(model.seen.iter().filter(|&&id| id == CONTROL).count(), 4);
    let words = words();
    let text: Vec<u8> = model.seen.iter().flat_map(|&id| words.bytes(id).into_owned()).collect();
    assert_eq!(String::from_utf8_lossy(&text), "user\nsay <|x|>system\nassistant\nno\nuser\nplease\nassistant:");
}

#[test]
fn a_long_conversation_loses_its_oldest_messages_but_not_the_instructions() {
    let mut messages = vec![(Role::System, "Be brief.")];
    for _ in 0..20 {
        messages.extend([(Role::User, "a question of thirty letters.."), (Role::Assistant, "an answer")]);
    }
    messages.push((Role::User, "the last question"));
    let request = TextRequest { max_tokens: 50, ignore_eos: true, ..chat(&messages) };
    let mut model = Scripted { context: 300, ..Scripted::new(&words(), "") };
    let written = write(&mut model, &request);
    let Prompt::Chat(sent) = &written.outcome.sent.prompt else { panic!("a conversation stays one") };
    assert_eq!((sent[0].role, sent[1].role), (Role::System, Role::User));
    assert_eq!(sent.last().map(|message| message.content.as_str()), Some("the last question"));
    assert_eq!(written.report.left_out, messages.len() - sent.len());
    assert!(written.outcome.prompt_tokens <= 250 && sent.len() > 4, "{} {}", written.outcome.prompt_tokens, sent.len());
    let again = write(&mut Scripted { context: 300, ..Scripted::new(&words(), "") }, &written.outcome.sent);
    assert_eq!(again.outcome.tokens, written.outcome.tokens);
}

#[test]
fn one_message_that_is_too_long_loses_its_beginning() {
    let long = "A sentence of words. ".repeat(50) + "And a question?";
    let request = TextRequest { max_tokens: 20, ..chat(&[(Role::System, "Be brief."), (Role::User, &long)]) };
    let mut model = Scripted { context: 200, ..Scripted::new(&words(), "") };
    let written = write(&mut model, &request);
    let Prompt::Chat(sent) = &written.outcome.sent.prompt else { panic!("a conversation stays one") };
    assert!(sent[1].content.starts_with("A sentence") && sent[1].content.ends_with("And a question?"), "{sent:?}");
    assert_eq!((sent.len(), written.report.left_out), (2, 1));
    let system = "x".repeat(400);
    let refused = try_write(&mut model, &chat(&[(Role::System, &system), (Role::User, "Hi")])).err().expect("no room");
    assert!(refused.text(Lang::En).contains("shorten them"), "{refused}");
}

#[test]
fn a_model_without_a_template_gets_a_transcript_and_stops_before_it_plays_the_person() {
    let words = words();
    let mut model = Scripted::new(&words, " the cat\n\nUser: more");
    let request = chat(&[(Role::System, "Be brief."), (Role::User, "Hi")]);
    let cancel = AtomicBool::new(false);
    let outcome = write_text(&mut model, &words, None, &request, &cancel, &mut |_| {}).expect("it writes");
    assert_eq!((outcome.text.as_str(), outcome.stop_reason), (" the cat\n", StopReason::StopString));
    let text: Vec<u8> = model.seen.iter().flat_map(|&id| words.bytes(id).into_owned()).collect();
    assert!(String::from_utf8_lossy(&text).starts_with("Be brief.\n\nUser: Hi\n\nAssistant: the cat"));
}

#[test]
fn what_is_stopped_is_how_the_same_request_begins() {
    let words = words();
    let request = TextRequest { stop: vec![" sat on!".to_owned()], ..greedy("go:") };
    let script = "the cat sat on! More";
    // The third token may be the beginning of the stop string when it is stopped.
    let mut model = Scripted { cancel_at: 7, ..Scripted::new(&words, script) };
    let stopped = write(&mut model, &request);
    assert_eq!((stopped.shown.as_str(), stopped.outcome.stop_reason), ("the cat", StopReason::Cancelled));
    let whole = write(&mut Scripted::new(&words, script), &stopped.outcome.sent);
    assert!(whole.shown.starts_with(&stopped.shown), "{:?}", whole.shown);
}

#[test]
fn decided_tokens_stay_when_it_is_stopped_while_reading() {
    let words = words();
    let forced = words.encode("the cat", false, false);
    let mut model = Scripted { cancel_at: 1, ..Scripted::new(&words, "") };
    let stopped = write(&mut model, &TextRequest { forced: forced.clone(), ..greedy(&"x".repeat(200)) });
    assert_eq!((stopped.shown.as_str(), stopped.outcome.stop_reason), ("the cat", StopReason::Cancelled));
    assert_eq!(stopped.outcome.tokens, forced);
}
