//! Random edits, generations and walks in the history, against a naive model that keeps every text whole.

use std::collections::HashMap;

use crate::{
    generate::{Likely, Prompt, StopReason, TextOutcome, TextRequest, TextToken},
    recipe::{ModelRef, Piece, TextGeneration},
};

use super::*;

/// A small generator of random numbers (splitmix64): tests need no more.
pub(super) struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) >> 33).expect("31 bits") % end
    }
}

pub(super) fn made(prompt: &str) -> TextGeneration {
    TextGeneration {
        model: ModelRef { name: "small".to_owned(), sha256: "ab".repeat(32) },
        request: TextRequest { prompt: Prompt::Raw(prompt.to_owned()), ..TextRequest::default() },
    }
}

pub(super) fn token(id: u32, text: &str) -> TextToken {
    let likely = |by: u32| Likely { id: id + by, text: format!("{text}{by}"), probability: 0.5 / (by + 1) as f32 };
    TextToken { id, text: text.to_owned(), probability: 0.5, likely: (0..3).map(likely).collect() }
}

pub(super) fn outcome(document: &Document, id: GenerationId) -> TextOutcome {
    let generation = document.generation(id).expect("generation");
    TextOutcome {
        text: generation.text().to_owned(),
        tokens: generation.token_ids(usize::MAX),
        prompt_tokens: 1,
        sent: TextRequest { context_tokens: 4096, ..generation.made.request.clone() },
        stop_reason: StopReason::EndOfText,
        prefill_s: 0.0,
        prefill_tokens: 1,
        decode_s: 0.0,
    }
}

fn generate(document: &mut Document, range: Range<usize>, tokens: &[&str]) -> GenerationId {
    let id = document.begin_generation(range, made("p"), 0);
    for (n, text) in (0..).zip(tokens) {
        document.append_tokens(id, &[token(n * 10, text)]);
    }
    let outcome = outcome(document, id);
    document.finish_generation(id, &outcome);
    id
}

fn check(document: &Document) {
    let covered: usize = document.origins(&(0..document.len())).map(|(place, _)| place.len()).sum();
    assert_eq!(covered, document.len(), "runs partition the text");
    for (place, origin) in document.origins(&(0..document.len())) {
        let Origin::Generated { generation, offset } = origin else { continue };
        let text = &document.generation(generation).expect("known generation").text()[offset..offset + place.len()];
        assert_eq!(text, &document.text()[place], "a run is what its generation wrote");
    }
    assert_eq!(document.buffer, Buffer::new(document.text().to_owned()), "lines and counts");
    let selection = document.selection();
    assert!(document.text().is_char_boundary(selection.anchor) && document.text().is_char_boundary(selection.head));
    for node in document.history.ids() {
        for op in &document.history.get(node).expect("present").ops {
            assert_eq!(op.removed.runs.len(), op.removed.text.len());
            assert_eq!(op.inserted.runs.len(), op.inserted.text.len());
        }
    }
}

const BITS: [&str; 12] =
    ["a", "word ", " ", "\n", "灯塔", "。", "👍🏽", "é", "# H", "x\r\ny", "", "long longer longest words"];

fn random_range(random: &mut Random, len: usize) -> Range<usize> {
    let start = random.below(len + 1);
    start..(start + random.below(12)).min(len + 3)
}

#[test]
fn random_editing_agrees_with_a_model_that_keeps_whole_texts() {
    for seed in 0..40 {
        let mut random = Random::new(seed);
        let mut document = Document::from_text("灯塔 on the\nhill 👍", 0);
        let mut now_ms = 0;
        let mut streams: Vec<GenerationId> = Vec::new();
        for step in 0..120_usize {
            now_ms += u64::try_from(random.below(700)).expect("small");
            match random.below(14) {
                0..=4 => {
                    let range = document.buffer.whole_chars(random_range(&mut random, document.len()));
                    let with = BITS[random.below(BITS.len())];
                    let mut naive = document.text().to_owned();
                    naive.replace_range(range.clone(), &with_plain_line_ends(with));
                    document.edit(range, with, now_ms);
                    assert_eq!(document.text(), naive, "seed {seed} step {step}");
                }
                5 => {
                    let (a, b) = (random_range(&mut random, document.len()), random_range(&mut random, document.len()));
                    let (a, b) = if a.start <= b.start { (a, b) } else { (b, a) };
                    document.edit_many(&[(a, "1"), (b, "二")], now_ms);
                }
                6 => _ = document.undo(),
                7 => _ = document.redo(),
                8 => {
                    let range = random_range(&mut random, document.len());
                    streams.push(document.begin_generation(range, made(&format!("prompt {step}")), now_ms));
                }
                9 | 10 if !streams.is_empty() => {
                    let id = streams[random.below(streams.len())];
                    let bit = with_plain_line_ends(BITS[random.below(BITS.len())]);
                    let len = document.generation(id).expect("stream").text().len();
                    document.append_tokens(id, &[token(u32::try_from(step).expect("small"), &bit)]);
                    assert_eq!(document.generation(id).expect("stream").text().len(), len + bit.len());
                }
                11 if !streams.is_empty() => {
                    let id = streams.swap_remove(random.below(streams.len()));
                    let outcome = outcome(&document, id);
                    document.finish_generation(id, &outcome);
                }
                12 => {
                    let variants = document.variants();
                    if !variants.is_empty() {
                        assert!(document.select_variant(variants[random.below(variants.len())].node));
                    }
                }
                _ => {
                    let byte = random.below(document.len() + 1);
                    if let Some(at) = document.token_at(byte) {
                        assert!(at.range.contains(&byte));
                        let plan = document.branch(&at, 7).expect("a shown token can be branched");
                        let known: String = (0..at.index)
                            .filter_map(|n| Some(document.generations.token(at.generation, n)?.text))
                            .collect();
                        let generation = TextGeneration { model: plan.model.clone(), request: plan.request.clone() };
                        let id = document.begin_planned(&plan, generation, now_ms);
                        assert_eq!(document.generation(id).expect("begun").text(), known);
                        for n in 0..at.index {
                            document.append_tokens(id, &[token(u32::try_from(n).expect("small"), "known already")]);
                        }
                        streams.push(id);
                    }
                }
            }
            check(&document);
            if step % 10 == 9 {
                let bytes = document.to_bytes();
                let mut copy = Document::from_bytes(&bytes).expect("own bytes");
                assert_eq!(copy.text(), document.text());
                assert_eq!(copy.to_bytes(), bytes, "seed {seed} step {step}");
                check(&copy);
                walk(&mut copy);
            }
        }
    }
}

/// Goes to every place of the history and back.
fn walk(document: &mut Document) {
    let (home, text) = (document.current_node(), document.text().to_owned());
    let ids: Vec<NodeId> = document.history.ids().collect();
    let generated: Vec<String> = document.generations().iter().map(|generation| generation.text().to_owned()).collect();
    let mut seen = vec![false; generated.len()];
    for id in ids {
        assert!(document.select_node(id), "every place can be reached");
        check(document);
        if let Some(Kind::Generation(generation)) = document.history.get(id).map(|node| node.kind) {
            seen[generation.0 as usize] = true;
        }
    }
    for (text, seen) in generated.iter().zip(seen) {
        assert!(seen || text.is_empty(), "nothing generated is lost");
    }
    assert!(document.select_node(home));
    assert_eq!(document.text(), text);
}

#[test]
fn stepping_through_a_tree_gives_every_text_again() {
    for seed in 0..40 {
        let mut random = Random::new(1000 + seed);
        let mut document = Document::from_text("begin", 0);
        let mut texts: HashMap<NodeId, String> = HashMap::from([(document.current_node(), document.text().to_owned())]);
        for step in 0..60_u64 {
            match random.below(5) {
                0 => _ = document.undo(),
                1 => {
                    let range = random_range(&mut random, document.len());
                    generate(&mut document, range, &["灯", "", "塔 x", "\n"]);
                }
                _ => {
                    let range = random_range(&mut random, document.len());
                    document.edit(range, BITS[random.below(BITS.len())], step * 5000);
                }
            }
            texts.insert(document.current_node(), document.text().to_owned());
        }
        for (node, text) in &texts {
            assert!(document.select_node(*node));
            assert_eq!(document.text(), text, "seed {seed}");
        }
    }
}

#[test]
fn typing_is_undone_by_words_and_brings_the_caret_back() {
    let mut document = Document::new(0);
    for (n, letter) in (0..).zip("two words".chars()) {
        let end = document.len();
        document.edit(end..end, &letter.to_string(), n * 100);
    }
    assert!(document.undo());
    assert_eq!((document.text(), document.selection()), ("two ", Selection::caret(4)));
    assert!(document.undo());
    assert_eq!(document.text(), "");
    assert!(!document.undo() && document.redo() && document.redo() && !document.redo());
    assert_eq!(document.text(), "two words");
    document.set_selection(Selection { anchor: 7, head: 1 });
    document.edit(1..7, "", 90_000);
    assert_eq!(document.selection(), Selection::caret(1));
    document.undo();
    assert_eq!(document.selection(), Selection { anchor: 7, head: 1 });
    // Pauses and places end a step too.
    document.edit(9..9, "a", 100_000);
    document.edit(10..10, "b", 102_000);
    document.undo();
    assert_eq!(document.text(), "two wordsa");
}

#[test]
fn a_stream_keeps_its_place_while_the_person_types_elsewhere() {
    let mut document = Document::from_text("Start end", 0);
    let id = document.begin_generation(6..6, made("Start "), 0);
    document.append_tokens(id, &[token(1, "one ")]);
    assert_eq!(document.text(), "Start one end");
    assert_eq!(document.selection(), Selection::caret(10), "the caret follows the stream");
    document.edit(0..0, "> ", 1);
    document.append_tokens(id, &[token(2, "two ")]);
    assert_eq!(document.text(), "> Start one two end");
    assert_eq!(document.selection(), Selection::caret(2), "a caret elsewhere stays");
    document.undo();
    assert_eq!(document.text(), "Start one two end");
    document.undo();
    assert_eq!(document.text(), "Start end");
    document.append_tokens(id, &[token(3, "three ")]);
    assert_eq!(document.text(), "Start end", "a stream in another branch does not disturb");
    document.redo();
    assert_eq!(document.text(), "Start one two three end");
    let outcome = outcome(&document, id);
    document.finish_generation(id, &outcome);
    document.append_tokens(id, &[token(4, "late ")]);
    assert_eq!(document.text(), "Start one two three end");
    assert_eq!(document.generation(id).expect("made").made.request.context_tokens, 4096, "the request is the one sent");
}

#[test]
fn tints_last_until_a_person_edits() {
    let mut document = Document::from_text("A ", 0);
    generate(&mut document, 2..2, &["灯塔", " b"]);
    let all = |document: &Document| document.tinted_ranges(&(0..document.len())).pop();
    assert_eq!(all(&document), Some(2..10));
    document.edit(0..1, "B", 1);
    assert_eq!(all(&document), None);
    document.undo();
    assert_eq!(all(&document), Some(2..10));
    assert!(document.token_at(1).is_none());
    assert_eq!(document.token_at(3).expect("token").range, 2..8);
}

#[test]
fn what_was_generated_before_another_way_was_taken_can_be_found_again() {
    let mut document = Document::new(0);
    document.edit(0..0, "A", 0);
    document.seal();
    let first = generate(&mut document, 1..1, &[" one"]);
    assert!(document.elsewhere().is_empty(), "the variants show it");
    assert!(document.undo());
    assert!(document.elsewhere().is_empty(), "they still do");
    assert!(document.undo());
    assert!(document.elsewhere().is_empty(), "redo reaches it");
    document.edit(0..0, "B", 9000);
    assert!(document.variants().is_empty());
    let lost = document.elsewhere();
    assert_eq!(lost.iter().map(|found| found.generation).collect::<Vec<_>>(), [first]);
    assert!(document.select_elsewhere(lost[0].node));
    assert_eq!(document.text(), "A one");
    check(&document);
    assert!(document.undo());
    assert_eq!(document.text(), "B", "undo comes back");
    assert!(document.undo() && document.text().is_empty());
    check(&document);
}

#[test]
fn regenerating_makes_variants_that_can_be_chosen() {
    let mut document = Document::from_text("Once ", 0);
    generate(&mut document, 5..5, &["upon", " a"]);
    let plan = document.regenerate().expect("something to write again");
    let request = TextRequest { seed: 2, ..plan.request.clone() };
    let id = document.begin_planned(&plan, TextGeneration { model: plan.model.clone(), request }, 0);
    assert_eq!(document.text(), "Once ");
    document.append_tokens(id, &[token(5, "more")]);
    let variants = document.variants();
    let shown: Vec<_> = variants.iter().map(|v| (v.preview.as_str(), v.is_current, v.is_streaming)).collect();
    assert_eq!(shown, [("upon a", false, false), ("more", true, true)]);
    document.edit(9..9, "!", 1);
    assert!(document.select_variant(variants[0].node));
    assert_eq!(document.text(), "Once upon a");
    document.append_tokens(id, &[token(6, " again")]);
    assert!(document.select_variant(variants[1].node));
    assert_eq!(document.text(), "Once more again!", "what was typed after a variant comes back with it");
    document.undo();
    document.undo();
    assert_eq!(document.text(), "Once ");
    assert_eq!(document.variants().len(), 2);
}

#[test]
fn a_branch_keeps_the_common_tokens_and_forces_the_choice() {
    let mut document = Document::from_text("Say ", 0);
    let id = document.begin_generation(4..4, made("Say "), 0);
    for (n, text) in [(10, "a"), (20, " b"), (30, " c")] {
        document.append_tokens(id, &[token(n, text)]);
    }
    // Still streaming.
    let at = document.token_at(6).expect("token");
    assert_eq!((at.index, at.range.clone()), (1, 5..7));
    assert_eq!(document.token(&at).expect("token").likely.len(), 3);
    let plan = document.branch(&at, 21).expect("plan");
    assert_eq!(plan.request.forced, [10, 21]);
    let generation = TextGeneration { model: plan.model.clone(), request: plan.request.clone() };
    let other = document.begin_planned(&plan, generation, 1);
    assert_eq!(document.text(), "Say a");
    let forced = |id, text: &str| TextToken { id, text: text.to_owned(), probability: f32::NAN, likely: Vec::new() };
    document.append_tokens(other, &[forced(10, "a"), forced(21, " x")]);
    document.append_tokens(other, &[token(40, " y")]);
    assert_eq!(document.text(), "Say a x y");
    let chosen = document.token(&document.token_at(5).expect("token")).expect("token");
    assert_eq!(
        (chosen.id, chosen.probability, chosen.likely.len()),
        (21, 0.25, 3),
        "what was known of the choice stays"
    );
    // In a text that a person changed since, the branch stays in the text.
    document.edit(0..3, "Sing", 2);
    let at = document.token_at(8).expect("token");
    let plan = document.branch(&at, 41).expect("plan");
    let generation = TextGeneration { model: plan.model.clone(), request: plan.request.clone() };
    let third = document.begin_planned(&plan, generation, 3);
    assert_eq!(document.text(), "Sing a x");
    document.append_tokens(third, &[forced(10, "a"), forced(21, " x"), forced(41, " z")]);
    assert_eq!(document.text(), "Sing a x z");
    check(&document);
}

#[test]
fn the_recipe_gives_the_text() {
    let mut document = Document::from_text("A ", 0);
    let id = generate(&mut document, 2..2, &["灯塔", " b", " c"]);
    document.edit(8..10, " B", 1);
    generate(&mut document, 0..0, &["unused"]);
    document.undo();
    let recipe = document.recipe();
    assert_eq!(recipe.generations.len(), 1);
    let text: String = recipe
        .pieces
        .iter()
        .map(|piece| match piece {
            Piece::Written(text) => text.clone(),
            Piece::Generated { start, end, .. } => {
                document.generation(id).expect("made").text()[*start..*end].to_owned()
            }
        })
        .collect();
    assert_eq!(text, document.text());
    assert_eq!(recipe.pieces.len(), 4);
}

#[test]
fn an_outcome_that_disagrees_with_the_stream_wins() {
    let mut document = Document::from_text("A ", 0);
    let id = document.begin_generation(2..2, made("A "), 0);
    document.append_tokens(id, &[token(1, "bc"), token(2, "def")]);
    let mut end = outcome(&document, id);
    end.text = "bcd灯".to_owned();
    document.finish_generation(id, &end);
    assert_eq!(document.text(), "A bcd灯");
    check(&document);
    assert_eq!(document.recipe().pieces.len(), 2);
}

#[test]
fn a_generation_that_wrote_nothing_leaves_no_step() {
    let mut document = Document::from_text("keep me", 0);
    let id = document.begin_generation(0..4, made(""), 0);
    assert_eq!(document.text(), " me");
    document.abandon_generation(id);
    assert_eq!(document.text(), "keep me");
    assert!(!document.can_undo() && !document.can_redo());
}

#[test]
fn a_regeneration_that_wrote_nothing_shows_what_was_there() {
    let mut document = Document::from_text("Once ", 0);
    generate(&mut document, 5..5, &["upon", " a"]);
    let plan = document.regenerate().expect("something to write again");
    let generation = TextGeneration { model: plan.model.clone(), request: plan.request.clone() };
    let id = document.begin_planned(&plan, generation, 0);
    assert_eq!(document.text(), "Once ");
    let outcome = outcome(&document, id);
    document.finish_generation(id, &outcome);
    assert_eq!(document.text(), "Once upon a");
    assert_eq!(document.variants().len(), 1);
}

#[test]
fn room_that_was_made_for_nothing_goes_again() {
    let mut document = Document::new(0);
    document.edit(0..0, "Words", 0);
    let id = document.begin_generation_between(0, ("# ", "\n\n"), made("p"), 1);
    assert_eq!((document.text(), document.selection()), ("# \n\nWords", Selection::caret(2)));
    document.abandon_generation(id);
    assert_eq!((document.text(), document.can_redo()), ("Words", false));
    document.edit(5..5, "!", 2);
    let id = document.begin_generation_between(6, ("\n\n", ""), made("p"), 3);
    document.append_tokens(id, &[token(1, "More")]);
    let outcome = outcome(&document, id);
    document.finish_generation(id, &outcome);
    assert_eq!(document.text(), "Words!\n\nMore");
    assert!(document.undo() && document.undo());
    assert_eq!(document.text(), "Words!");
    check(&document);
}

#[test]
fn history_is_bounded_without_losing_what_models_wrote() {
    let mut document = Document::new(0);
    let mut generated = Vec::new();
    for n in 0..(3 * history::MAX_TYPING_NODES as u64) {
        let at = if n % 2 == 0 { 0 } else { document.len() };
        document.edit(at..at, "x ", n * 5000);
        if n % 3000 == 100 {
            let end = document.len();
            generated.push(generate(&mut document, end..end, &["gen", " erated"]));
        }
        if n % 5000 == 0 {
            document.undo();
        }
    }
    assert!(document.history.ids().count() <= history::MAX_TYPING_NODES + 100);
    let text = document.text().to_owned();
    let copy = Document::from_bytes(&document.to_bytes()).expect("own bytes");
    assert_eq!(copy.text(), text);
    while document.undo() {}
    let kinds = document.history.ids().filter_map(|id| Some(document.history.get(id)?.kind));
    let kept = kinds.filter(|kind| matches!(kind, Kind::Generation(_))).count();
    assert_eq!(kept, generated.len());
    while document.redo() {}
    assert_eq!(document.text(), text);
}

#[test]
fn damaged_files_are_refused_with_a_sentence() {
    let mut document = Document::from_text("灯塔 x", 0);
    generate(&mut document, 7..7, &["a", "b 灯"]);
    document.edit(0..3, "y", 1);
    document.undo();
    let bytes = document.to_bytes();
    for cut in 0..bytes.len() {
        let error = Document::from_bytes(&bytes[..cut]).expect_err("cut short");
        assert!(error.to_string().contains("damaged"), "{error}");
    }
    let mut random = Random::new(3);
    for _ in 0..4000 {
        let mut bytes = bytes.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len());
            bytes[at] = b"0123456789-[]{},:\"ax"[random.below(20)];
        }
        // Whatever still reads must also work.
        if let Ok(mut document) = Document::from_bytes(&bytes) {
            while document.undo() {}
            while document.redo() {}
            let end = document.len();
            document.edit(0..end, "z", 9);
            let _ = (document.variants(), document.recipe(), document.regenerate(), document.to_bytes());
            for byte in 0..document.len() {
                let _ = document.token_at(byte).map(|at| document.branch(&at, 1));
            }
        }
    }
    let later = String::from_utf8(bytes).expect("JSON").replace("\"format\":1", "\"format\":9");
    assert!(Document::from_bytes(later.as_bytes()).expect_err("later").to_string().contains("version"));
    assert!(Document::from_bytes(b"").is_err() && Document::from_bytes(b"[[[[[[[[").is_err());
}

#[test]
fn titles_come_from_headings_or_first_lines() {
    for (text, title) in [
        ("", ""),
        ("  \n\n", ""),
        ("\nfirst line\nsecond", "first line"),
        ("intro\n## The lighthouse\n", "The lighthouse"),
        ("#tag\n", "tag"),
        ("# 春日短诗\n\n春", "春日短诗"),
    ] {
        assert_eq!(Document::from_text(text, 0).title(), title, "{text:?}");
    }
    let (one, two) = (Document::new(5), Document::new(6));
    assert!(one.id() < two.id());
}

#[test]
fn chats_keep_every_way_they_went() {
    let mut chat = Chat::new(9000);
    chat.set_system("Be brief.");
    let first = chat.say("Hello?", 9000);
    let reply = chat.begin_reply(first, made(""), 9000);
    chat.append_tokens(reply, &[token(1, "Hi"), token(2, " there")]);
    let second = chat.say("More", 9500);
    let edited = chat.edit(first, "你好？", 9900).expect("a message of the person");
    assert_eq!(chat.path(), [edited]);
    assert_eq!(chat.view(edited).map(|view| (view.alternative, view.alternatives)), Some((1, 2)));
    chat.select_alternative(edited, 0);
    assert_eq!(chat.path().len(), 3);
    let said: Vec<_> = chat.request_messages(second).into_iter().map(|message| message.content).collect();
    assert_eq!(said, ["Be brief.", "Hello?", "Hi there", "More"]);
    let shown = chat.path()[1];
    let at = chat.token_at(shown, 3).expect("token");
    let plan = chat.branch(&at, 3).expect("plan");
    assert_eq!(plan.request.forced, [1, 3]);
    let other = chat.begin_branch(&plan, made(""), 9950);
    assert_eq!(chat.generation(other).map(Generation::text), Some("Hi"));
    chat.abandon_generation(other);
    chat.abandon_generation(reply);
    let bytes = chat.to_bytes();
    let copy = Chat::from_bytes(&bytes).expect("own bytes");
    assert_eq!(copy.to_bytes(), bytes);
    assert_eq!(copy.path(), chat.path());
    assert_eq!((copy.title(), copy.modified_s()), ("Hello?".to_owned(), 9));
    assert!(Document::from_bytes(&bytes).is_err());
    assert!(matches!(LibraryItem::from_bytes(&bytes), Ok(LibraryItem::Chat(_))));
}
