//! The text models on this computer, behind the worker's traits.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{OpenText, TextBackend, TextModelInfo, TextWriting, TokenCounter};
use crate::{
    Result,
    formats::{
        gguf::GgufFile,
        tokenizer::{EncodeOptions, Tokenizer},
    },
    generate::{TextModel, TextOutcome, TextProgress, TextRequest, TextWriter},
};

/// A text is counted in pieces of about this size, so that counting a long one can be stopped.
const COUNT_PIECE_BYTES: usize = 64 << 10;

/// Opens GGUF files.
#[derive(Debug)]
pub struct LocalModels {
    /// Threads that a model computes with.
    pub threads: usize,
}

impl TextBackend for LocalModels {
    fn open(
        &mut self,
        name: &str,
        path: &Path,
        progress: &mut dyn FnMut(u64, u64),
        cancel: &AtomicBool,
    ) -> Result<OpenText> {
        let model = Arc::new(TextModel::open(name, path, self.threads, progress, cancel)?);
        // The header once more: cheap, and the model need not keep what only a list shows.
        let file = GgufFile::open(path)?;
        let config = model.decoder.config();
        let info = TextModelInfo {
            name: name.to_owned(),
            path: path.to_owned(),
            family: config.architecture.clone(),
            quantisation: file.quantisation().to_owned(),
            size_bytes: file.size_bytes(),
            sha256: String::new(),
            context_tokens: config.context_tokens,
            chats: model.template.is_some(),
            memory_bytes: model.decoder.memory_bytes() + config.cache_bytes(model.context_tokens(0)),
        };
        let counter = Arc::new(Counter(model.tokenizer.clone()));
        Ok(OpenText { info, writer: Box::new(TextWriter::new(model)), counter })
    }
}

impl TextWriting for TextWriter {
    fn write(
        &mut self,
        request: &TextRequest,
        cancel: &AtomicBool,
        on: &mut dyn FnMut(TextProgress),
    ) -> Result<TextOutcome> {
        self.write(request, cancel, on)
    }
}

struct Counter(Arc<Tokenizer>);

impl TokenCounter for Counter {
    fn count(&self, text: &str, cancel: &AtomicBool) -> Option<usize> {
        let mut tokens = 0;
        for piece in pieces(text, COUNT_PIECE_BYTES) {
            if cancel.load(Ordering::Relaxed) {
                return None;
            }
            tokens += self.0.encode(piece, EncodeOptions::default()).len();
        }
        Some(tokens)
    }
}

/// Cuts a text before line breaks into pieces of `size` bytes or a little more. A token hardly ever spans such a cut.
fn pieces(text: &str, size: usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let from = rest.ceil_char_boundary(size.min(rest.len()));
        // Without a line break near, anywhere between characters.
        let near = rest.ceil_char_boundary((from + size).min(rest.len()));
        let cut = rest[from..near].find('\n').map_or(if near == rest.len() { near } else { from }, |at| from + at);
        let (piece, after) = rest.split_at(cut);
        rest = after;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_cut_at_lines_and_lose_nothing() {
        let text = "第一行，很长的一行\nsecond line\n\nthird é line without an end".repeat(20);
        for size in [1, 2, 3, 10, 64, 1000, 100_000] {
            let cut: Vec<_> = pieces(&text, size).collect();
            assert_eq!(cut.concat(), text, "{size}");
            assert!(cut.iter().all(|piece| !piece.is_empty() && piece.len() <= 2 * size + 8), "{size}");
        }
        assert!(pieces(&text, 64).skip(1).filter(|piece| piece.starts_with('\n')).count() > 5);
        assert_eq!(pieces("", 10).count(), 0);
    }
}
