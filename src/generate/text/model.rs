//! A text model from its file, and the writer that keeps what it has read between requests.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock, atomic::AtomicBool},
};

use super::{
    super::{ChatMessage, DEFAULT_CONTEXT, Logits, TextOutcome, TextRequest, Vocabulary},
    prompt::Template,
    run::{TextProgress, write_text},
};
use crate::{
    Result,
    formats::{
        chat_template::ChatTemplate,
        gguf::GgufFile,
        hash::sha256_of_file,
        tokenizer::{EncodeOptions, Tokenizer},
    },
    nets::decoder::{Decoder, Session},
};

/// A text model, ready to write.
pub struct TextModel {
    /// Bundled name or file name.
    pub name: String,
    /// Where its file lies.
    pub path: PathBuf,
    /// The network.
    pub decoder: Arc<Decoder>,
    /// Its vocabulary.
    pub tokenizer: Arc<Tokenizer>,
    /// How it writes conversations; `None` when its file does not say.
    pub template: Option<ChatTemplate>,
    sha256: OnceLock<String>,
}

impl TextModel {
    /// Opens the GGUF file at `path` for `threads` threads. `progress` is told the bytes done and the bytes in all.
    ///
    /// # Errors
    /// When the file cannot be read or run, there is not enough memory, or `cancel` was set.
    pub fn open(
        name: &str,
        path: &Path,
        threads: usize,
        progress: &mut dyn FnMut(u64, u64),
        cancel: &AtomicBool,
    ) -> Result<Self> {
        let file = GgufFile::open(path)?;
        let tokenizer = Tokenizer::from_gguf(file.metadata())?;
        let template = ChatTemplate::from_gguf(file.metadata())?;
        let decoder = Decoder::load(&file, threads, progress, cancel)?;
        Ok(Self {
            name: name.to_owned(),
            path: path.to_owned(),
            decoder: Arc::new(decoder),
            tokenizer: Arc::new(tokenizer),
            template,
            sha256: OnceLock::new(),
        })
    }

    /// The SHA-256 of its file in lower-case hex; read from the file the first time.
    ///
    /// # Errors
    /// When the file can no longer be read.
    pub fn sha256(&self) -> Result<&str> {
        if let Some(known) = self.sha256.get() {
            return Ok(known);
        }
        let hash = sha256_of_file(&self.path, |_| true)?.unwrap_or_default();
        Ok(self.sha256.get_or_init(|| hash))
    }

    /// The context that a request for `wanted` tokens gets: 0 asks for the usual one, and none is longer than the model
    /// was made for.
    pub fn context_tokens(&self, wanted: usize) -> usize {
        let most = self.decoder.config().context_tokens;
        if wanted == 0 { most.min(DEFAULT_CONTEXT) } else { most.min(wanted) }
    }
}

/// Writes with a model, and remembers what it has read so that the next request need not read it again.
pub struct TextWriter {
    model: Arc<TextModel>,
    session: Option<Session>,
}

impl TextWriter {
    /// A writer that has read nothing yet.
    pub fn new(model: Arc<TextModel>) -> Self {
        Self { model, session: None }
    }

    /// Its model.
    pub fn model(&self) -> &Arc<TextModel> {
        &self.model
    }

    /// Answers `request` and tells `on` each step. Ends within one token, or one block of the prompt, once `cancel` is
    /// set. See [`write_text`].
    ///
    /// # Errors
    /// When the prompt cannot fit, a setting makes no sense, or memory runs out.
    pub fn write(
        &mut self,
        request: &TextRequest,
        cancel: &AtomicBool,
        on: &mut dyn FnMut(TextProgress),
    ) -> Result<TextOutcome> {
        let context_tokens = self.model.context_tokens(request.context_tokens);
        if self.session.as_ref().is_some_and(|session| session.context_tokens() != context_tokens) {
            self.session = None;
        }
        let session = match &mut self.session {
            Some(session) => session,
            empty => empty.insert(self.model.decoder.session(context_tokens)?),
        };
        let template = self.model.template.as_ref().map(|template| template as &dyn Template);
        write_text(session, &*self.model.tokenizer, template, request, cancel, on)
    }
}

impl Logits for Session {
    fn context_tokens(&self) -> usize {
        self.context_tokens()
    }
    fn tokens(&self) -> &[u32] {
        self.tokens()
    }
    fn truncate(&mut self, n: usize) {
        self.truncate(n);
    }
    fn forward(&mut self, tokens: &[u32], cancel: &AtomicBool) -> Result<&[f32]> {
        self.forward(tokens, cancel)
    }
}

impl Vocabulary for Tokenizer {
    fn size(&self) -> usize {
        self.vocab_size()
    }
    fn bytes(&self, id: u32) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.token_bytes(id))
    }
    fn label(&self, id: u32) -> String {
        self.token_label(id).into_owned()
    }
    fn encode(&self, text: &str, add_bos: bool, parse_special: bool) -> Vec<u32> {
        self.encode(text, EncodeOptions { add_bos, parse_special })
    }
    fn ends_text(&self, id: u32) -> bool {
        self.is_end_of_generation(id)
    }
}

impl Template for ChatTemplate {
    fn render(&self, messages: &[ChatMessage]) -> Result<String> {
        self.render(messages, true)
    }
}
