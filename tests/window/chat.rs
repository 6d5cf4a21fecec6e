//! Conversations, by role and label.

use super::*;

#[test]
fn it_says_why_a_text_ended_and_a_cut_answer_goes_on() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let fake = Fake::default();
    let mut harness = writing(&EN_DARK, &fake, folder.path());
    fake.end_because(&WORDS.concat(), Outcome::Finished, StopReason::MaxTokens);
    settle(&mut harness);
    harness.get_by_label("length limit reached");
    harness.event(egui::Event::Text(".".to_owned()));
    settle(&mut harness);
    assert!(harness.query_by_label("length limit reached").is_none(), "something else was written since");

    let mut harness = asked_in_chat(&fake, folder.path());
    fake.end_because(ANSWER, Outcome::Finished, StopReason::MaxTokens);
    settle(&mut harness);
    assert_eq!(harness.query_all_by_label("length limit reached").count(), 2, "at the answer and in the bar");
    press(&mut harness, "Continue");
    let tokens = ANSWER_WORDS.map(|word| fake::token(word).id);
    assert_eq!(fake.request().forced, tokens);
    let chat = harness.state().state().library.chat();
    let view = chat.view(chat.path()[1]).expect("the answer");
    assert_eq!((view.alternative, view.alternatives), (1, 2));
    let before = ANSWER_WORDS.len() - 1;
    assert!(view.text.starts_with(&ANSWER_WORDS[..before].concat()), "{}", view.text);
}

const ANSWER_WORDS: [&str; 5] = ["The", " tide", " is", " the", " sea."];
const ANSWER: &str = "The tide is the sea.";

/// A conversation whose first answer is being written.
fn asked_in_chat(fake: &Fake, folder: &std::path::Path) -> Harness<'static, App> {
    let mut harness = window(&EN_DARK, fake, folder);
    harness.get_by_role_and_label(Role::RadioButton, "Chat").click();
    settle(&mut harness);
    harness.get_by_label("Message").click();
    settle(&mut harness);
    harness.get_by_label("Message").type_text("What is the tide?");
    settle(&mut harness);
    press(&mut harness, "Send");
    fake.write(&ANSWER_WORDS);
    settle(&mut harness);
    harness
}

#[test]
fn the_words_of_an_answer_branch_and_the_conversation_is_saved() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let fake = Fake::default();
    let mut harness = asked_in_chat(&fake, folder.path());
    fake.end(ANSWER, Outcome::Finished);
    settle(&mut harness);
    let answer = format!("SmolLM2 135M Instruct: {ANSWER}");
    let corner = harness.get_by_role_and_label(Role::Paragraph, &answer).rect().left_top();
    harness.hover_at(corner + egui::vec2(45.0, 14.0));
    for _ in 0..30 {
        harness.step();
    }
    harness.snapshot("chat_words_en_dark");
    harness.get_by_label("Branch with return, 22%").click();
    settle(&mut harness);
    assert_eq!(fake.request().forced.len(), 2, "one token before it, and the other word");
    let chat = harness.state().state().library.chat();
    let view = chat.view(chat.path()[1]).expect("the answer");
    assert_eq!((view.alternative, view.alternatives), (1, 2));
    fake.end("The return", Outcome::Finished);
    settle(&mut harness);

    fake.script(|script| script.pick = Some("/out/tide.md".into()));
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::S);
    settle(&mut harness);
    let written = fake.script(|script| script.written.clone());
    let (_, bytes) = written.iter().find(|(path, _)| path.ends_with("tide.md")).expect("it was saved");
    let text = String::from_utf8_lossy(bytes);
    assert!(text.starts_with("**You**\n\nWhat is the tide?\n\n**SmolLM2 135M Instruct**\n\n"), "{text}");
}

#[test]
fn a_message_can_be_said_in_other_words_and_an_answer_made_again() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let fake = Fake::default();
    let mut harness = asked_in_chat(&fake, folder.path());
    fake.end(ANSWER, Outcome::Finished);
    settle(&mut harness);
    press(&mut harness, "Answer again");
    fake.end("", Outcome::Cancelled);
    settle(&mut harness);
    let alternatives = |harness: &Harness<'_, App>, at: usize| {
        let chat = harness.state().state().library.chat();
        chat.view(chat.path()[at]).map(|view| (view.alternative, view.alternatives))
    };
    assert_eq!(alternatives(&harness, 1), Some((1, 2)));
    press(&mut harness, "Previous variant");
    assert_eq!(alternatives(&harness, 1), Some((0, 2)));

    harness.get_by_role_and_label(Role::Paragraph, "You: What is the tide?").hover();
    settle(&mut harness);
    press(&mut harness, "Edit message");
    harness.get_by_role_and_label(Role::MultilineTextInput, "Edit message").type_text(" Briefly.");
    settle(&mut harness);
    press(&mut harness, "Send again");
    let Prompt::Chat(asked) = fake.request().prompt else { panic!("a conversation") };
    assert_eq!(asked.last().map(|message| message.content.as_str()), Some("What is the tide? Briefly."));
    assert_eq!(alternatives(&harness, 0), Some((1, 2)), "the old message stays");
}
