//! A conversation: messages as a tree, so that a message can be edited or an answer made again without losing the
//! old way on.

use crate::{
    generate::{ChatMessage, Role, TextOutcome, TextRequest, TextToken},
    recipe::{ModelRef, TextGeneration},
};

use super::{Generation, GenerationId, TokenRef, generations::Generations, new_id, with_plain_line_ends};

/// A message of a chat. Messages are never removed, so it stays good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub u32);

/// Who said a message, and how.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said {
    User(String),
    Model(GenerationId),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Message {
    pub parent: Option<MessageId>,
    pub said: Said,
    /// Which of its answers (or edits of the next message) is shown.
    pub shown: usize,
    pub children: Vec<MessageId>,
}

/// A message as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageView<'a> {
    /// Which.
    pub id: MessageId,
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub text: &'a str,
    /// How it was generated, for the model's.
    pub generation: Option<GenerationId>,
    /// Its place among its alternatives, from 0.
    pub alternative: usize,
    /// How many alternatives there are, itself included.
    pub alternatives: usize,
}

/// A conversation with a model.
#[derive(Clone, Debug)]
pub struct Chat {
    pub(super) id: String,
    pub(super) created_s: u64,
    pub(super) modified_s: u64,
    pub(super) system: String,
    pub(super) messages: Vec<Message>,
    /// The alternatives of the first message, and which is shown.
    pub(super) first: (Vec<MessageId>, usize),
    pub(super) generations: Generations,
    pub(super) revision: u64,
}

impl Chat {
    /// A chat in which nothing was said.
    pub fn new(now_ms: u64) -> Self {
        Self {
            id: new_id(now_ms),
            created_s: now_ms / 1000,
            modified_s: now_ms / 1000,
            system: String::new(),
            messages: Vec::new(),
            first: (Vec::new(), 0),
            generations: Generations::default(),
            revision: 0,
        }
    }

    /// A name that no other document or chat has.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// When it was begun, in seconds since 1970.
    pub fn created_s(&self) -> u64 {
        self.created_s
    }

    /// When something was last said, in seconds since 1970.
    pub fn modified_s(&self) -> u64 {
        self.modified_s
    }

    /// Counts every change.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether nothing was ever said or set in it: another one is as good.
    pub fn is_blank(&self) -> bool {
        self.messages.is_empty() && self.system.is_empty()
    }

    /// The first line of the first message; empty before it.
    pub fn title(&self) -> String {
        let first = self.path().into_iter().next().and_then(|id| self.text(id));
        let line = first.and_then(|text| text.lines().map(str::trim).find(|line| !line.is_empty()));
        line.unwrap_or_default().chars().take(80).collect()
    }

    /// The instructions for the whole conversation.
    pub fn system(&self) -> &str {
        &self.system
    }

    /// Changes the instructions.
    pub fn set_system(&mut self, system: &str) {
        if self.system != system {
            system.clone_into(&mut self.system);
            self.revision += 1;
        }
    }

    /// The shown messages, from the first to the last.
    pub fn path(&self) -> Vec<MessageId> {
        let mut path = Vec::new();
        let mut next = self.first.0.get(self.first.1).copied();
        while let Some(id) = next {
            path.push(id);
            next = self.message(id).and_then(|message| message.children.get(message.shown).copied());
        }
        path
    }

    /// A message as it is shown.
    pub fn view(&self, id: MessageId) -> Option<MessageView<'_>> {
        let message = self.message(id)?;
        let (siblings, _) = self.siblings(message.parent);
        let generation = match message.said {
            Said::User(_) => None,
            Said::Model(generation) => Some(generation),
        };
        Some(MessageView {
            id,
            role: if generation.is_some() { Role::Assistant } else { Role::User },
            text: self.text(id)?,
            generation,
            alternative: siblings.iter().position(|sibling| *sibling == id)?,
            alternatives: siblings.len(),
        })
    }

    /// What a message says.
    pub fn text(&self, id: MessageId) -> Option<&str> {
        match &self.message(id)?.said {
            Said::User(text) => Some(text),
            Said::Model(generation) => self.generations.get(*generation).map(Generation::text),
        }
    }

    /// How a message was generated.
    pub fn generation(&self, id: GenerationId) -> Option<&Generation> {
        self.generations.get(id)
    }

    /// What the model reads before it answers `last` (a message of the person): instructions and messages up to it.
    pub fn request_messages(&self, last: MessageId) -> Vec<ChatMessage> {
        let mut messages = Vec::new();
        let mut next = Some(last);
        while let Some(id) = next {
            let Some(message) = self.message(id) else { break };
            let role = if matches!(message.said, Said::User(_)) { Role::User } else { Role::Assistant };
            messages.push(ChatMessage { role, content: self.text(id).unwrap_or_default().to_owned() });
            next = message.parent;
        }
        if !self.system.trim().is_empty() {
            messages.push(ChatMessage { role: Role::System, content: self.system.clone() });
        }
        messages.reverse();
        messages
    }

    /// The person says something after the last shown message.
    pub fn say(&mut self, text: &str, now_ms: u64) -> MessageId {
        let parent = self.path().last().copied();
        self.add(parent, Said::User(with_plain_line_ends(text)), now_ms)
    }

    /// Says a message of the person in other words. The old one keeps its answers and stays as an alternative.
    pub fn edit(&mut self, id: MessageId, text: &str, now_ms: u64) -> Option<MessageId> {
        let message = self.message(id).filter(|message| matches!(message.said, Said::User(_)))?;
        let parent = message.parent;
        Some(self.add(parent, Said::User(with_plain_line_ends(text)), now_ms))
    }

    /// Begins an answer to `to`; further ones are alternatives of the first.
    pub fn begin_reply(&mut self, to: MessageId, generation: TextGeneration, now_ms: u64) -> GenerationId {
        let generation = self.generations.begin(generation, None);
        self.add(Some(to), Said::Model(generation), now_ms);
        generation
    }

    /// Begins the answer that [`Chat::branch`] planned, as an alternative.
    pub fn begin_branch(&mut self, plan: &ReplyBranch, generation: TextGeneration, now_ms: u64) -> GenerationId {
        let generation = self.generations.begin(generation, Some((plan.source, plan.known)));
        self.add(Some(plan.to), Said::Model(generation), now_ms);
        generation
    }

    /// Takes tokens as they stream.
    pub fn append_tokens(&mut self, id: GenerationId, tokens: &[TextToken]) {
        self.generations.append(id, tokens);
        self.revision += 1;
    }

    /// Ends an answer; its request becomes the one that was really sent.
    pub fn finish_generation(&mut self, id: GenerationId, outcome: &TextOutcome) {
        if let Some((dropped, added)) = self.generations.finish(id, outcome)
            && let Some(generation) = self.generations.get_mut(id)
        {
            let keep = generation.text.len() - dropped;
            generation.set_tail(keep, &added);
        }
        self.revision += 1;
    }

    /// Ends an answer that failed; what was said of it stays.
    pub fn abandon_generation(&mut self, id: GenerationId) {
        self.generations.abandon(id);
        self.revision += 1;
    }

    /// Answers that still stream.
    pub fn streaming(&self) -> impl Iterator<Item = GenerationId> {
        let ids = (0..).map(GenerationId).zip(&self.generations.list);
        ids.filter(|(_, generation)| generation.is_streaming()).map(|(id, _)| id)
    }

    /// The generated token at a byte of a message.
    pub fn token_at(&self, id: MessageId, byte: usize) -> Option<TokenRef> {
        let Said::Model(generation) = self.message(id)?.said else { return None };
        let made = self.generations.get(generation)?;
        let index = made.token_index(byte)?;
        Some(TokenRef { generation, index, range: made.token_range(index)? })
    }

    /// The token with this index of an answer.
    pub fn token_of(&self, generation: GenerationId, index: usize) -> Option<TokenRef> {
        let range = self.generations.get(generation)?.token_range(index)?;
        Some(TokenRef { generation, index, range })
    }

    /// A token with its probability and the likeliest others.
    pub fn token(&self, token: &TokenRef) -> Option<TextToken> {
        self.generations.token(token.generation, token.index)
    }

    /// Plans an answer that goes on from `token` with `choice` in its place.
    pub fn branch(&self, token: &TokenRef, choice: u32) -> Option<ReplyBranch> {
        let is_reply = |message: &&Message| message.said == Said::Model(token.generation);
        let to = self.messages.iter().find(is_reply)?.parent?;
        let made = self.generations.get(token.generation)?;
        made.token_range(token.index)?;
        let mut request = made.made.request.clone();
        request.forced = made.token_ids(token.index);
        request.forced.push(choice);
        let model = made.made.model.clone();
        Some(ReplyBranch { to, model, request, source: token.generation, known: token.index })
    }

    /// Shows another alternative of a message, with all that came after it.
    pub fn select_alternative(&mut self, id: MessageId, alternative: usize) {
        let Some(parent) = self.message(id).map(|message| message.parent) else { return };
        let (siblings, _) = self.siblings(parent);
        if alternative < siblings.len() {
            self.show(parent, alternative);
            self.revision += 1;
        }
    }

    pub(super) fn message(&self, id: MessageId) -> Option<&Message> {
        self.messages.get(usize::try_from(id.0).ok()?)
    }

    fn siblings(&self, parent: Option<MessageId>) -> (&[MessageId], usize) {
        match parent {
            None => (&self.first.0, self.first.1),
            Some(parent) => self.message(parent).map_or((&[], 0), |message| (&message.children, message.shown)),
        }
    }

    fn show(&mut self, parent: Option<MessageId>, alternative: usize) {
        match parent.and_then(|parent| usize::try_from(parent.0).ok()) {
            None => self.first.1 = alternative,
            Some(parent) => {
                if let Some(message) = self.messages.get_mut(parent) {
                    message.shown = alternative;
                }
            }
        }
    }

    pub(super) fn add(&mut self, parent: Option<MessageId>, said: Said, now_ms: u64) -> MessageId {
        let id = MessageId(u32::try_from(self.messages.len()).unwrap_or(u32::MAX));
        self.messages.push(Message { parent, said, shown: 0, children: Vec::new() });
        let siblings = match parent.and_then(|parent| self.messages.get_mut(parent.0 as usize)) {
            None => &mut self.first.0,
            Some(parent) => &mut parent.children,
        };
        siblings.push(id);
        let last = siblings.len() - 1;
        self.show(parent, last);
        self.modified_s = now_ms / 1000;
        self.revision += 1;
        id
    }
}

/// An answer to begin, made from an earlier one.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplyBranch {
    /// The message that it answers.
    pub to: MessageId,
    /// The model of the earlier one.
    pub model: ModelRef,
    /// What to ask.
    pub request: TextRequest,
    pub(super) source: GenerationId,
    pub(super) known: usize,
}
