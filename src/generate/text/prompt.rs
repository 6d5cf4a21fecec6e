//! From a request's prompt to the tokens that are sent: rendered, encoded, and cut to what the context holds.

use super::{
    super::{ChatMessage, ContextReport, Prompt, Role, Vocabulary},
    fit::tail_start,
};
use crate::{Error, Result};

/// A model's way to write a conversation, up to the point where the assistant is to answer.
pub trait Template {
    /// The conversation as text, with the names of control tokens.
    ///
    /// # Errors
    /// When the template refuses the conversation.
    fn render(&self, messages: &[ChatMessage]) -> Result<String>;
}

/// What a prompt is made with.
pub(super) struct Reader<'a> {
    pub(super) vocabulary: &'a dyn Vocabulary,
    pub(super) template: Option<&'a dyn Template>,
}

/// A prompt, ready to be read by the model.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) tokens: Vec<u32>,
    /// The prompt that gives exactly these tokens.
    pub(super) sent: Prompt,
    /// Its counts; those of the cache are not filled in yet.
    pub(super) report: ContextReport,
}

/// Where an answer ends when the model has no template of its own: where it begins to speak for the person.
pub(super) const TRANSCRIPT_STOP: &str = "\nUser:";

impl Reader<'_> {
    /// The tokens of `prompt`, at most `room` of them; what does not fit is left out at the front.
    ///
    /// # Errors
    /// When not even the end of it fits, or the template refuses the conversation.
    pub(super) fn ready(&self, prompt: &Prompt, room: usize) -> Result<Ready> {
        match prompt {
            Prompt::Raw(text) => self.ready_raw(text, room),
            Prompt::Chat(messages) => self.ready_chat(messages, room),
        }
    }

    fn ready_raw(&self, text: &str, room: usize) -> Result<Ready> {
        let count = |text: &str| self.raw_tokens(text).len();
        let start = tail_start(text, room, grid_bytes(room), &count, &|text, room| self.fitting_bytes(text, room));
        let tokens = self.raw_tokens(&text[start..]);
        if tokens.len() > room {
            return Err(no_room(tokens.len(), room));
        }
        let report = ContextReport { prompt_tokens: tokens.len(), left_out: start, ..Default::default() };
        Ok(Ready { tokens, sent: Prompt::Raw(text[start..].to_owned()), report })
    }

    /// A text to be continued. Nothing is nothing to go on from, so then it is the beginning of a text, or a line's.
    fn raw_tokens(&self, text: &str) -> Vec<u32> {
        let tokens = self.vocabulary.encode(text, true, false);
        if tokens.is_empty() { self.vocabulary.encode("\n", true, false) } else { tokens }
    }

    /// Whole messages are left out, the oldest first and never the system's; when one alone is too long, its beginning.
    fn ready_chat(&self, messages: &[ChatMessage], room: usize) -> Result<Ready> {
        let mut messages = messages.to_vec();
        let mut tokens = self.chat_tokens(&messages)?;
        let mut left_out = 0;
        if tokens.len() > room {
            left_out = self.drop_oldest(&mut messages, tokens.len(), room);
            tokens = self.chat_tokens(&messages)?;
        }
        while tokens.len() > room && messages.len() > instructions(&messages) + 1 {
            left_out += drop_turn(&mut messages);
            tokens = self.chat_tokens(&messages)?;
        }
        if tokens.len() > room {
            tokens = self.cut_last(&mut messages, tokens.len(), room)?;
            left_out += 1;
        }
        let people = messages.iter().filter(|message| message.role != Role::System);
        let prompt_tokens = people.map(|message| self.count(&message.content)).sum::<usize>().min(tokens.len());
        let instruction_tokens = tokens.len() - prompt_tokens;
        let report = ContextReport { prompt_tokens, instruction_tokens, left_out, ..Default::default() };
        Ok(Ready { tokens, sent: Prompt::Chat(messages), report })
    }

    /// Leaves out messages of a conversation of `tokens` until about `room` are left, a few at a time so that the
    /// beginning seldom changes, and goes on to the next word of the person. Returns how many.
    fn drop_oldest(&self, messages: &mut Vec<ChatMessage>, tokens: usize, room: usize) -> usize {
        const AT_A_TIME: usize = 4;
        let first = instructions(messages);
        let counts: Vec<usize> = messages.iter().map(|message| self.count(&message.content)).collect();
        // What the template writes around each.
        let around = tokens.saturating_sub(counts.iter().sum()) / messages.len().max(1);
        let mut most = messages.len().saturating_sub(first + 1);
        let mut left = tokens;
        let enough = counts.iter().skip(first).take(most).position(|count| {
            left = left.saturating_sub(count + around);
            left <= room
        });
        let needed = enough.map_or(most, |last| last + 1);
        // Leaving out a few more is worth it only in a long conversation.
        most = most.min(needed.next_multiple_of(AT_A_TIME));
        let mut dropped = if most < messages.len().saturating_sub(first + 1) / 2 { most } else { needed };
        while dropped > 0 && first + dropped + 1 < messages.len() && messages[first + dropped].role != Role::User {
            dropped += 1;
        }
        messages.drain(first..first + dropped);
        dropped
    }

    /// Cuts the front of the last message, which is all there is beside the instructions.
    fn cut_last(&self, messages: &mut [ChatMessage], tokens: usize, room: usize) -> Result<Vec<u32>> {
        let whole = messages.last().map(|message| message.content.clone()).unwrap_or_default();
        let around = tokens.saturating_sub(self.count(&whole));
        let mut room_for_text = room.saturating_sub(around);
        loop {
            if room_for_text == 0 {
                return Err(no_room(around + 1, room));
            }
            let count = |text: &str| self.count(text);
            let fitting = |text: &str, room| self.fitting_bytes(text, room);
            let start = tail_start(&whole, room_for_text, grid_bytes(room), &count, &fitting);
            if let Some(last) = messages.last_mut() {
                last.content = whole[start..].to_owned();
            }
            let tokens = self.chat_tokens(messages)?;
            if tokens.len() <= room {
                return Ok(tokens);
            }
            room_for_text = room_for_text.saturating_sub(tokens.len() - room);
        }
    }

    fn chat_tokens(&self, messages: &[ChatMessage]) -> Result<Vec<u32>> {
        let Some(template) = self.template else {
            return Ok(self.raw_tokens(&transcript(messages)));
        };
        let mut tokens = match self.around_contents(template, messages) {
            Some(tokens) => tokens,
            None => self.vocabulary.encode(&template.render(messages)?, false, true),
        };
        // Most templates write the beginning of a text themselves.
        let begin = self.vocabulary.encode("", true, false);
        if !tokens.starts_with(&begin) {
            tokens.splice(0..0, begin);
        }
        Ok(tokens)
    }

    /// When a message holds the name of a control token, which would let it speak as the system: renders the template
    /// around placeholders and puts the messages in as plain text. `None` when there is no such name, or when the
    /// template looks into the messages so that placeholders do not come out whole.
    fn around_contents(&self, template: &dyn Template, messages: &[ChatMessage]) -> Option<Vec<u32>> {
        let plain = |text: &str| self.vocabulary.encode(text, false, false);
        let harmless =
            |message: &ChatMessage| plain(&message.content) == self.vocabulary.encode(&message.content, false, true);
        if messages.iter().all(harmless) {
            return None;
        }
        // Private use: no text has these by accident, and no template changes them.
        let placeholder = |i: usize| format!("\u{f8fe}{i}\u{f8ff}");
        let stand_ins: Vec<ChatMessage> = messages
            .iter()
            .enumerate()
            .map(|(i, message)| ChatMessage { role: message.role, content: placeholder(i) })
            .collect();
        let rendered = template.render(&stand_ins).ok()?;
        let (mut tokens, mut rest) = (Vec::new(), rendered.as_str());
        for (i, message) in messages.iter().enumerate() {
            let (before, after) = rest.split_once(&placeholder(i))?;
            tokens.extend(self.vocabulary.encode(before, false, true));
            tokens.extend(plain(message.content.trim()));
            rest = after;
        }
        if rest.contains('\u{f8fe}') {
            return None;
        }
        tokens.extend(self.vocabulary.encode(rest, false, true));
        Some(tokens)
    }

    fn count(&self, text: &str) -> usize {
        self.vocabulary.encode(text, false, false).len()
    }

    /// How many bytes at the end of `text` the last `room` tokens stand for.
    fn fitting_bytes(&self, text: &str, room: usize) -> usize {
        let tokens = self.vocabulary.encode(text, false, false);
        let first = tokens.len().saturating_sub(room);
        tokens[first..].iter().map(|&id| self.vocabulary.bytes(id).len()).sum()
    }
}

/// An eighth of the room, at about four bytes a token.
fn grid_bytes(room: usize) -> usize {
    (room / 2).max(16)
}

/// How many messages at the front are instructions.
fn instructions(messages: &[ChatMessage]) -> usize {
    messages.iter().take_while(|message| message.role == Role::System).count()
}

/// Leaves out the oldest message and what follows it up to the next word of the person; never the last message.
/// Returns how many.
fn drop_turn(messages: &mut Vec<ChatMessage>) -> usize {
    let first = instructions(messages);
    let last = messages.len() - 1;
    let next = messages[first + 1..last].iter().position(|message| message.role == Role::User);
    let dropped = next.map_or(last - first, |turn| turn + 1);
    messages.drain(first..first + dropped);
    dropped
}

/// A conversation for a model without a template, as people have always written them down:
///
/// ```text
/// the instructions
///
/// User: what the person says
///
/// Assistant: what the model says
///
/// Assistant:
/// ```
pub(super) fn transcript(messages: &[ChatMessage]) -> String {
    let mut text = String::new();
    for message in messages {
        text.push_str(match message.role {
            Role::System => "",
            Role::User => "User: ",
            Role::Assistant => "Assistant: ",
        });
        text.push_str(message.content.trim());
        text.push_str("\n\n");
    }
    text + "Assistant:"
}

fn no_room(needed: usize, room: usize) -> Error {
    Error::new(
        format!(
            "The instructions alone need {needed} tokens but the context leaves room for {room}; shorten them, ask for fewer new tokens or choose a larger context."
        ),
        format!("仅指令就需要 {needed} 个词元，而上下文只剩 {room} 个，请缩短指令、减少生成长度或增大上下文。"),
    )
}
