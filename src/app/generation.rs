//! Writing: from what is shown to a request, and the answer's place in the document or the conversation.

use super::{App, Purpose, told};
use crate::{
    document::{GenerationId, MessageId, TokenRef},
    engine::{JobKind, UiCommand},
    generate::{Prompt, TextRequest},
    recipe::{ModelRef, TextGeneration},
    ui::{Key, toasts::Kind},
};

/// How many likeliest tokens are kept with each token.
pub(super) const ALTERNATIVES: usize = 10;

impl App {
    /// Writes on at the caret, or sends the message.
    pub(super) fn generate(&mut self) {
        if self.state.is_writing() {
            return;
        }
        if let Some(why) = self.state.why_not_generate() {
            self.state.toasts.add(Kind::Note, told(why, &[]), None);
            return;
        }
        if !self.state.model.is_ready() {
            self.state.write.waits_for_model = true;
            return;
        }
        if self.state.preferences.chatting {
            self.send_message();
        } else {
            let document = self.state.library.document();
            let at = document.selection().range().end;
            let prompt = Prompt::Raw(document.text()[..at].to_owned());
            let request = self.request(prompt);
            self.write_into_document(at..at, ("", ""), request);
        }
    }

    /// A request with the settings as they are, and a new seed unless it is to be kept.
    pub(super) fn request(&mut self, prompt: Prompt) -> TextRequest {
        if !self.state.preferences.writing.keep_seed {
            self.new_seed();
        }
        let preferences = &self.state.preferences;
        let writing = &preferences.writing;
        TextRequest {
            prompt,
            sampler: writing.sampler.clone(),
            seed: writing.seed,
            max_tokens: writing.length,
            stop: writing.stop.clone(),
            banned: writing.banned.clone(),
            ignore_eos: writing.ignore_eos,
            context_tokens: preferences.context_tokens,
            alternatives: ALTERNATIVES,
            ..TextRequest::default()
        }
    }

    /// Whether a model is ready; says so when it is not.
    pub(super) fn says_ready(&mut self) -> bool {
        let model = &self.state.model;
        let why = if model.opening.is_some() { Key::ModelNotReady } else { Key::FirstOpenModel };
        let is_ready = model.is_ready();
        if !is_ready {
            self.state.toasts.add(Kind::Note, told(why, &[]), None);
        }
        is_ready
    }

    /// Another seed, short enough to be read out.
    pub(super) fn new_seed(&mut self) {
        let seed = &mut self.state.preferences.writing.seed;
        // SplitMix64 over the time and the old seed.
        let mut mixed = self.state.now_ms ^ seed.rotate_left(32);
        mixed = mixed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let fresh = (mixed ^ (mixed >> 31)) % 100_000;
        *seed = if fresh == *seed { fresh + 1 } else { fresh };
    }

    /// The model in use, for what it writes.
    fn model_ref(&self) -> Option<ModelRef> {
        let open = self.state.model.open.as_ref()?;
        let bundled = self.state.models.iter().flatten().any(|model| model.bundled && model.path == open.path);
        let name = if bundled { open.name.clone() } else { open.path.display().to_string() };
        Some(ModelRef { name, sha256: open.sha256.clone() })
    }

    /// Writes into the shown document, in the place of `range`, or there between the words `around` it.
    pub(super) fn write_into_document(
        &mut self,
        range: std::ops::Range<usize>,
        around: (&str, &str),
        request: TextRequest,
    ) {
        let Some(model) = self.model_ref() else { return };
        let now_ms = self.state.now_ms;
        let made = TextGeneration { model, request: request.clone() };
        let document = self.state.library.document_mut();
        let generation = match around {
            ("", "") => document.begin_generation(range, made, now_ms),
            around => document.begin_generation_between(range.end, around, made, now_ms),
        };
        let owner = document.id().to_owned();
        self.send_request(&owner, false, generation, request);
    }

    fn send_request(&mut self, owner: &str, chatting: bool, generation: GenerationId, request: TextRequest) {
        let purpose = Purpose::Write { owner: owner.to_owned(), chatting, generation };
        let request = Box::new(request);
        if self.send(purpose, |job| UiCommand::GenerateText { job, request }).is_none() {
            let library = &mut self.state.library;
            if chatting {
                library
                    .chats
                    .iter_mut()
                    .filter(|chat| chat.id() == owner)
                    .for_each(|chat| chat.abandon_generation(generation));
            } else {
                let documents = library.documents.iter_mut().filter(|document| document.id() == owner);
                documents.for_each(|document| document.abandon_generation(generation));
            }
        }
    }

    /// The last generated part once more, with another seed.
    pub(super) fn regenerate(&mut self) {
        if self.state.preferences.chatting {
            let chat = self.state.library.chat();
            let last =
                chat.path().into_iter().rev().find(|id| chat.view(*id).is_some_and(|view| view.generation.is_some()));
            if let Some(last) = last {
                self.answer_again(last);
            }
            return;
        }
        if self.state.is_writing() || !self.says_ready() {
            return;
        }
        let Some(plan) = self.state.library.document().regenerate() else {
            self.state.toasts.add(Kind::Note, told(Key::NothingToRegenerate, &[]), None);
            return;
        };
        // A branch begins with tokens of the model that wrote it.
        let is_branch = !plan.request.forced.is_empty();
        let model = if is_branch { self.model_for_branch(&plan.model) } else { self.model_ref() };
        let Some(model) = model else { return };
        if self.state.preferences.writing.keep_seed {
            // The same seed would give the same words: this one time it moves on.
            self.new_seed();
        }
        let request = TextRequest {
            context_tokens: self.state.preferences.context_tokens,
            stop: joined(&self.state.preferences.writing.stop, &plan.request.stop),
            ..self.planned_request(&plan.request)
        };
        let now_ms = self.state.now_ms;
        let made = TextGeneration { model, request: request.clone() };
        let document = self.state.library.document_mut();
        let generation = document.begin_planned(&plan, made, now_ms);
        let owner = document.id().to_owned();
        self.send_request(&owner, false, generation, request);
    }

    /// Writes on from a token with another in its place; what still streams is stopped for it.
    pub(super) fn branch(&mut self, token: &TokenRef, choice: u32) {
        let Some(plan) = self.state.library.document().branch(token, choice) else { return };
        let Some(model) = self.model_for_branch(&plan.model) else { return };
        let owner = self.state.library.document().id().to_owned();
        self.stop_writing_of(&owner);
        let request = self.planned_request(&plan.request);
        let now_ms = self.state.now_ms;
        let made = TextGeneration { model, request: request.clone() };
        let generation = self.state.library.document_mut().begin_planned(&plan, made, now_ms);
        self.send_request(&owner, false, generation, request);
    }

    /// The same in the conversation.
    pub(super) fn branch_reply(&mut self, token: &TokenRef, choice: u32) {
        let Some(plan) = self.state.library.chat().branch(token, choice) else { return };
        let Some(model) = self.model_for_branch(&plan.model) else { return };
        let owner = self.state.library.chat().id().to_owned();
        self.stop_writing_of(&owner);
        let request = self.planned_request(&plan.request);
        let now_ms = self.state.now_ms;
        let made = TextGeneration { model, request: request.clone() };
        let generation = self.state.library.chat_mut().begin_branch(&plan, made, now_ms);
        self.send_request(&owner, true, generation, request);
    }

    /// Token ids mean nothing to another model.
    fn model_for_branch(&mut self, wrote: &ModelRef) -> Option<ModelRef> {
        let model = self.model_ref();
        let same = model.as_ref().is_some_and(|model| model.name == wrote.name);
        if !same {
            let name = crate::ui::models::short_name(wrote.name.rsplit(['/', '\\']).next().unwrap_or_default());
            self.state.toasts.add(Kind::Note, told(Key::OtherModelWrote, &[&name]), None);
        }
        model.filter(|_| same)
    }

    /// A planned request with the settings as they are now, its prompt and its decided tokens kept.
    fn planned_request(&mut self, planned: &TextRequest) -> TextRequest {
        let fresh = self.request(planned.prompt.clone());
        // A question about a document is a task's: how it is answered is the task's to say, not the panel's.
        let is_task = matches!(planned.prompt, Prompt::Chat(_)) && !self.state.preferences.chatting;
        let of = if is_task { planned } else { &fresh };
        TextRequest {
            forced: planned.forced.clone(),
            stop: planned.stop.clone(),
            context_tokens: planned.context_tokens,
            sampler: of.sampler.clone(),
            max_tokens: of.max_tokens,
            ..fresh
        }
    }

    /// Sends what is typed below the conversation.
    pub(super) fn send_message(&mut self) {
        let text = self.state.write.message.trim().to_owned();
        if text.is_empty() || self.state.is_writing() {
            return;
        }
        if !self.state.model.is_ready() {
            self.state.write.waits_for_model = self.state.model.opening.is_some();
            return;
        }
        self.state.write.message.clear();
        let now_ms = self.state.now_ms;
        let said = self.state.library.chat_mut().say(&text, now_ms);
        self.answer(said);
    }

    /// Says a message of the user in other words and has it answered.
    pub(super) fn edit_message(&mut self, id: MessageId, text: &str) {
        if self.state.is_writing() || !self.says_ready() {
            return;
        }
        let now_ms = self.state.now_ms;
        if let Some(said) = self.state.library.chat_mut().edit(id, text, now_ms) {
            self.state.write.editing = None;
            self.answer(said);
        }
    }

    /// Another answer in the place of `reply`.
    pub(super) fn answer_again(&mut self, reply: MessageId) {
        if self.state.is_writing() || !self.says_ready() {
            return;
        }
        let path = self.state.library.chat().path();
        let Some(at) = path.iter().position(|id| *id == reply).filter(|at| *at > 0) else { return };
        if self.state.preferences.writing.keep_seed {
            self.new_seed();
        }
        self.answer(path[at - 1]);
    }

    /// Has the model answer a message of the user.
    fn answer(&mut self, said: MessageId) {
        let Some(model) = self.model_ref() else { return };
        let messages = self.state.library.chat().request_messages(said);
        let request = self.request(Prompt::Chat(messages));
        let now_ms = self.state.now_ms;
        let made = TextGeneration { model, request: request.clone() };
        let chat = self.state.library.chat_mut();
        let generation = chat.begin_reply(said, made, now_ms);
        let owner = chat.id().to_owned();
        self.send_request(&owner, true, generation, request);
    }

    /// Stops what is shown in the status bar.
    pub(super) fn stop(&mut self) {
        self.state.write.waits_for_model = false;
        let Some((job, ..)) = self.shown_job() else { return };
        self.cancel(job);
        // Escape took the keyboard from the text; who stops the model wants to type.
        crate::ui::write::focus_work(&mut self.state);
    }

    fn cancel(&mut self, job: crate::engine::Job) {
        if let Some(link) = &mut self.link {
            link.cancel(job);
        }
        for (shown, _, stopping) in &mut self.shown_jobs {
            *stopping |= *shown == job;
        }
    }

    /// Stops all that is being written into a document or a conversation.
    pub(super) fn stop_writing_of(&mut self, id: &str) {
        let own = |purpose: &Purpose| matches!(purpose, Purpose::Write { owner, .. } if owner == id);
        let jobs: Vec<_> = self.jobs.iter().filter(|(_, purpose)| own(purpose)).map(|(job, _)| *job).collect();
        for job in jobs {
            self.cancel(job);
            // A job that was told to stop no longer keeps the next one waiting in the window's eyes.
            self.shown_jobs.retain(|(shown, kind, _)| *shown != job || *kind != JobKind::GenerateText);
        }
    }

    /// Begins a document with an example and writes on.
    pub(super) fn try_example(&mut self, text: &str) {
        let now_ms = self.state.now_ms;
        let document = self.state.library.document_mut();
        let end = document.len();
        document.edit(0..end, text, now_ms);
        self.generate();
    }
}

/// `more` after `strings`, each once.
fn joined(strings: &[String], more: &[String]) -> Vec<String> {
    let fresh = more.iter().filter(|string| !strings.contains(string));
    strings.iter().chain(fresh).cloned().collect()
}
