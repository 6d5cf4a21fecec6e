//! Tokenisers read from GGUF metadata: byte-level BPE and SentencePiece with scores, exactly as llama.cpp reads them.

mod bpe;
mod special;
mod split;
mod spm;
mod vocab;

use std::borrow::Cow;

use self::{
    bpe::Bpe,
    special::{Fragment, Specials},
    split::PreTokenizer,
    spm::Spm,
    vocab::{Kind, Vocab},
};
use super::gguf::Metadata;
use crate::{Error, Result};

/// Turns text into the tokens of a model and back.
#[derive(Debug)]
pub struct Tokenizer {
    vocab: Vocab,
    model: Model,
    specials: Specials,
    /// The bytes that every token stands for, end to end.
    bytes: Vec<u8>,
    /// Where each token's bytes end.
    byte_ends: Vec<u32>,
    bos: Option<u32>,
    eos: Option<u32>,
    add_bos: bool,
    /// Sorted.
    end_of_generation: Vec<u32>,
}

#[derive(Debug)]
enum Model {
    Bpe(Box<Bpe>),
    Spm(Box<Spm>),
}

/// What [`Tokenizer::encode`] does besides turning text into tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EncodeOptions {
    /// Begin with the token for that, if the model's file asks for it.
    pub add_bos: bool,
    /// Read texts such as `<|im_start|>` as the control tokens they are written like. Only for trusted text: a
    /// rendered template, not what a person typed.
    pub parse_special: bool,
}

impl Tokenizer {
    /// The tokeniser of the model with this metadata.
    ///
    /// # Errors
    /// When there is no vocabulary, it is inconsistent, or it is of a kind that is not supported.
    pub fn from_gguf(meta: &Metadata) -> Result<Self> {
        let is_spm = is_spm(meta)?;
        let mut vocab = Vocab::from_gguf(meta)?;
        let count = vocab.len();
        let token = |key: &str, default: Option<u32>| {
            let is_token = |id: &u32| (*id as usize) < count;
            meta.get_u32(&format!("tokenizer.ggml.{key}_token_id")).filter(is_token).or(default.filter(is_token))
        };
        let spm_default = |id| is_spm.then_some(id);
        let (bos, eos) = (token("bos", spm_default(1)), token("eos", spm_default(2)));
        let unknown = token("unknown", spm_default(0));
        let ends = [eos, token("eot", None), token("eom", None), token("fim_pad", None), token("fim_rep", None)];
        let end_of_generation = mark_by_text(&mut vocab, ends.into_iter().chain([token("fim_sep", None)]).flatten());

        let (model, add_bos) = if is_spm {
            let space_prefix = meta.get_bool("tokenizer.ggml.add_space_prefix").unwrap_or(true);
            (Model::Spm(Box::new(Spm::new(&vocab, unknown, space_prefix))), true)
        } else {
            let name = meta.get_str("tokenizer.ggml.pre").unwrap_or_default();
            let PreTokenizer { splitter, whole_words, add_bos } = PreTokenizer::named(name)?;
            (Model::Bpe(Box::new(Bpe::from_gguf(meta, &vocab, splitter, whole_words)?)), add_bos)
        };
        let add_bos = meta.get_bool("tokenizer.ggml.add_bos_token").unwrap_or(add_bos);
        let specials = Specials::new(&vocab)?;
        let (bytes, byte_ends) = all_bytes(&vocab, is_spm)?;
        Ok(Self { vocab, model, specials, bytes, byte_ends, bos, eos, add_bos, end_of_generation })
    }

    /// Whether the vocabulary of a model is of a kind that can be used, without reading it.
    ///
    /// # Errors
    /// When it is not: which kind it is.
    pub fn check(meta: &Metadata) -> Result<()> {
        if !is_spm(meta)? {
            PreTokenizer::named(meta.get_str("tokenizer.ggml.pre").unwrap_or_default())?;
        }
        Ok(())
    }

    /// The tokens of `text`.
    pub fn encode(&self, text: &str, options: EncodeOptions) -> Vec<u32> {
        let mut out = Vec::with_capacity(text.len() / 3 + 2);
        if options.add_bos && self.add_bos {
            out.extend(self.bos);
        }
        let mut after_special = true;
        for fragment in self.specials.partition(&self.vocab, text, options.parse_special) {
            match fragment {
                Fragment::Token(id) => {
                    out.push(id);
                    after_special = true;
                }
                Fragment::Text(range) => {
                    match &self.model {
                        Model::Bpe(bpe) => bpe.encode(&self.vocab, &text[range], &mut out),
                        Model::Spm(spm) => spm.encode(&self.vocab, &text[range], after_special, &mut out),
                    }
                    after_special = false;
                }
            }
        }
        out
    }

    /// The bytes that a token adds to the text: possibly part of a character; none for control tokens and ids that do
    /// not exist.
    pub fn token_bytes(&self, id: u32) -> &[u8] {
        let id = id as usize;
        let start = id.checked_sub(1).map_or(Some(0), |before| self.byte_ends.get(before).map(|end| *end as usize));
        let end = self.byte_ends.get(id).map(|end| *end as usize);
        start.zip(end).and_then(|(start, end)| self.bytes.get(start..end)).unwrap_or_default()
    }

    /// A token for people to read: its text, the name of a control token, or its bytes as `<E4 BD>` when they are no
    /// characters on their own.
    pub fn token_label(&self, id: u32) -> Cow<'_, str> {
        let bytes = self.token_bytes(id);
        if bytes.is_empty() {
            return Cow::Borrowed(self.vocab.text(id));
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => {
                let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
                Cow::Owned(format!("<{}>", hex.join(" ")))
            }
        }
    }

    /// The text of `tokens`, with U+FFFD where their bytes are no characters.
    pub fn decode(&self, tokens: &[u32]) -> String {
        let bytes: Vec<u8> = tokens.iter().flat_map(|id| self.token_bytes(*id)).copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The number of tokens.
    pub fn vocab_size(&self) -> usize {
        self.vocab.len()
    }

    /// The token that begins a text.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// Whether [`EncodeOptions::add_bos`] adds it: what the file says, or the custom of its kind of vocabulary.
    pub fn adds_bos(&self) -> bool {
        self.add_bos && self.bos.is_some()
    }

    /// The token that ends a text.
    pub fn eos(&self) -> Option<u32> {
        self.eos
    }

    /// Whether a model that writes this token has finished: the end of the text, of its turn, or of its message.
    pub fn is_end_of_generation(&self, id: u32) -> bool {
        self.end_of_generation.binary_search(&id).is_ok()
    }

    /// Those tokens, in order.
    pub fn end_of_generation(&self) -> &[u32] {
        &self.end_of_generation
    }

    /// Whether a token is a control token, which is no part of the text.
    pub fn is_control(&self, id: u32) -> bool {
        self.vocab.kind(id).is_any(Kind::SILENT)
    }

    /// The token that the vocabulary writes exactly as `text`, such as `<|im_end|>`.
    pub fn token_for_text(&self, text: &str) -> Option<u32> {
        self.vocab.find(text.as_bytes())
    }
}

/// Whether a vocabulary is SentencePiece by scores; otherwise it is byte-level BPE.
fn is_spm(meta: &Metadata) -> Result<bool> {
    let kind = meta.get_str("tokenizer.ggml.model").unwrap_or_default();
    match kind {
        "llama" => Ok(true),
        "gpt2" => Ok(false),
        _ => Err(Error::new(
            format!("This model's vocabulary is of the kind “{kind}”, which cannot be used; choose another model."),
            format!("该模型的词表类型“{kind}”尚不支持，请换用其他模型。"),
        )),
    }
}

/// Texts of tokens that end a generation.
const ENDS: &[&str] = &[
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<eos>",
    "<turn|>",
    "<|tool_response>",
    "<｜end▁of▁sentence｜>",
    "[e~[",
];
/// Texts of the tokens around code to fill in, of which the first kind found in a vocabulary counts.
const FILL_PREFIX: &[&str] = &[
    "<|fim_prefix|>",
    "<fim-prefix>",
    "<fim_prefix>",
    "<｜fim▁begin｜>",
    "<PRE>",
    "▁<PRE>",
    "<|code_prefix|>",
    "<|prefix|>",
];
const FILL_SUFFIX: &[&str] = &[
    "<|fim_suffix|>",
    "<fim-suffix>",
    "<fim_suffix>",
    "<｜fim▁hole｜>",
    "<SUF>",
    "▁<SUF>",
    "<|code_suffix|>",
    "<|suffix|>",
];
const FILL_MIDDLE: &[&str] = &[
    "<|fim_middle|>",
    "<fim-middle>",
    "<fim_middle>",
    "<｜fim▁end｜>",
    "<MID>",
    "▁<MID>",
    "<|code_middle|>",
    "<|middle|>",
];
/// These three also end a generation.
const FILL_PADDING: &[&str] = &["<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"];
const FILL_REPOSITORY: &[&str] = &["<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"];
const FILL_FILE: &[&str] = &["<|file_sep|>"];
/// Control tokens that are shown all the same.
const SHOWN: &[&str] = &["<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"];

/// Marks the tokens that are known by their text as control tokens, and collects those that end a generation.
///
/// Files often miss some of them or give them the wrong type, so llama.cpp goes by the text, and so does this.
fn mark_by_text(vocab: &mut Vocab, named_in_file: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut ends: Vec<u32> = named_in_file.collect();
    for texts in [FILL_PREFIX, FILL_SUFFIX, FILL_MIDDLE, FILL_PADDING, FILL_REPOSITORY, FILL_FILE] {
        let Some(id) = texts.iter().find_map(|text| vocab.find(text.as_bytes())) else { continue };
        vocab.add_kind(id, Kind::CONTROL);
        if matches!(texts, FILL_PADDING | FILL_REPOSITORY | FILL_FILE) {
            ends.push(id);
        }
    }
    for text in ENDS {
        let Some(id) = vocab.find(text.as_bytes()) else { continue };
        vocab.add_kind(id, Kind::CONTROL);
        ends.push(id);
    }
    for text in SHOWN {
        let Some(id) = vocab.find(text.as_bytes()) else { continue };
        vocab.set_kind(id, Kind::USER_DEFINED);
    }
    // Two families of models end messages, not answers, with tokens that end answers elsewhere.
    let find = |text: &str| vocab.find(text.as_bytes()).filter(|id| ends.contains(id));
    let calls = find("<|call|>").or(find("<|calls|>")).is_some();
    let message_end = find("<|end|>").filter(|_| calls && (find("<|return|>").or(find("<|flush|>"))).is_some());
    let old_end = find("</s>").filter(|_| find("<|tool_response>").is_some());
    if let Some(id) = message_end {
        vocab.set_kind(id, Kind::USER_DEFINED);
    }
    if let Some(id) = old_end {
        vocab.set_kind(id, Kind::NORMAL);
    }
    ends.retain(|id| Some(*id) != message_end && Some(*id) != old_end);
    ends.sort_unstable();
    ends.dedup();
    ends
}

/// The bytes of all tokens, end to end, and where each token's end.
fn all_bytes(vocab: &Vocab, is_spm: bool) -> Result<(Vec<u8>, Vec<u32>)> {
    let mut bytes = Vec::new();
    let mut ends = Vec::with_capacity(vocab.len());
    for id in 0..vocab.len() as u32 {
        let (text, kind) = (vocab.text(id), vocab.kind(id));
        if kind.is_any(Kind::SILENT) {
        } else if kind.is_any(Kind::USER_DEFINED) {
            bytes.extend(text.as_bytes());
        } else if kind.is_any(Kind::BYTE) {
            bytes.extend(text.get(3..5).and_then(|hex| u8::from_str_radix(hex, 16).ok()));
        } else if kind.is_any(Kind::NORMAL) && is_spm {
            for (i, part) in text.split('▁').enumerate() {
                if i > 0 {
                    bytes.push(b' ');
                }
                bytes.extend(part.as_bytes());
            }
        } else if kind.is_any(Kind::NORMAL) {
            // Characters that stand for no byte do not come from this encoding: keep them as they are.
            for c in text.chars() {
                match bpe::byte_of_char(c) {
                    Some(byte) => bytes.push(byte),
                    None => bytes.extend(c.encode_utf8(&mut [0; 4]).as_bytes()),
                }
            }
        }
        ends.push(u32::try_from(bytes.len()).map_err(|_| damaged("its vocabulary is too long", "词表过长"))?);
    }
    Ok((bytes, ends))
}

/// The error for a vocabulary that cannot be right.
fn damaged(en: &str, zh: &str) -> Error {
    Error::new(
        format!("This model's tokenizer cannot be read: {en}; fetch the file again or choose another."),
        format!("无法读取该模型的分词器：{zh}，请重新获取文件或换一个模型。"),
    )
}
