//! The library's files: a document or a chat with all of its history, as versioned JSON.
//!
//! Generated text is kept once, with its generation; everything else refers to it by bytes. A prompt is kept as what
//! it adds to the prompt and text of the generation before it. So a file grows with what was written, not with how
//! often.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Error, Result,
    generate::{Prompt, StopReason, TextRequest},
    recipe::{ModelRef, TextGeneration},
};

use super::{
    Chat, Document, GenerationId, MessageId, Origin, Selection,
    buffer::Buffer,
    chat::{Message, Said},
    generations::{Generation, Generations, Token, common_prefix},
    history::{History, Kind, Node, NodeId, Op},
    provenance::{Run, Snippet},
};

/// The format's version.
const FORMAT: u32 = 1;
/// Most bytes of text that a file may unfold to: far more than people write, and a bound for damaged files.
const MAX_UNFOLDED: usize = 512 << 20;
/// Prompts that share fewer bytes than this are kept whole.
const MIN_SHARED: usize = 64;

/// What a file of the library holds.
#[derive(Clone, Debug)]
pub enum LibraryItem {
    /// A document.
    Document(Box<Document>),
    /// A chat.
    Chat(Box<Chat>),
}

/// What a file says first: by it the rest is read.
#[derive(Serialize, Deserialize)]
struct Head {
    format: u32,
    kind: FileKind,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FileKind {
    Document,
    Chat,
}

#[derive(Serialize, Deserialize)]
struct FileDocument {
    format: u32,
    kind: FileKind,
    id: String,
    created_s: u64,
    modified_s: u64,
    selection: (usize, usize),
    text: Vec<FilePiece>,
    current: u32,
    tinted: Vec<u32>,
    nodes: Vec<FileNode>,
    generations: FileGenerations,
}

#[derive(Serialize, Deserialize)]
struct FileChat {
    format: u32,
    kind: FileKind,
    id: String,
    created_s: u64,
    modified_s: u64,
    system: String,
    first: usize,
    messages: Vec<FileMessage>,
    generations: FileGenerations,
}

#[derive(Serialize, Deserialize)]
struct FileMessage {
    parent: Option<u32>,
    shown: usize,
    said: FileSaid,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FileSaid {
    User(String),
    Model(u32),
}

/// Written text, or a generation with the first byte and the end.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum FilePiece {
    Written(String),
    Generated(u32, usize, usize),
}

#[derive(Serialize, Deserialize)]
struct FileNode {
    parent: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resume: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    generation: Option<u32>,
    ops: Vec<(usize, Vec<FilePiece>, Vec<FilePiece>)>,
    carets: [usize; 4],
    time_ms: u64,
    sealed: bool,
}

#[derive(Serialize, Deserialize)]
struct FileGenerations {
    models: Vec<ModelRef>,
    words: Vec<BTreeMap<u32, Box<str>>>,
    list: Vec<FileGeneration>,
}

/// Id, end of its text, probability, the likeliest with theirs.
type FileToken = (u32, usize, f32, Vec<(u32, f32)>);

#[derive(Serialize, Deserialize)]
struct FileGeneration {
    model: usize,
    request: TextRequest,
    /// Of a plain prompt: bytes shared with the generation before, and the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prompt: Option<(usize, String)>,
    text: String,
    settled: usize,
    stop_reason: Option<StopReason>,
    tokens: Vec<FileToken>,
}

impl Document {
    /// The library file: everything, also what is not shown.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Ids of nodes are their places in the file.
        let ids: Vec<NodeId> = self.history.ids().collect();
        let places: BTreeMap<NodeId, u32> = ids.iter().copied().zip(0..).collect();
        let place = |id: NodeId| places.get(&id).copied();
        let pieces = |snippet: &Snippet| to_pieces(snippet, &self.generations);
        let to_file = |node: &Node| FileNode {
            parent: node.parent.and_then(place),
            last: node.last.and_then(place),
            resume: node.resume.and_then(place),
            generation: match node.kind {
                Kind::Generation(id) => Some(id.0),
                _ => None,
            },
            ops: node.ops.iter().map(|op| (op.start, pieces(&op.removed), pieces(&op.inserted))).collect(),
            carets: [node.before.anchor, node.before.head, node.after.anchor, node.after.head],
            time_ms: node.time_ms,
            sealed: node.sealed,
        };
        let document = FileDocument {
            format: FORMAT,
            kind: FileKind::Document,
            id: self.id.clone(),
            created_s: self.created_s,
            modified_s: self.modified_s,
            selection: (self.selection.anchor, self.selection.head),
            text: pieces(&self.snippet(0..self.len())),
            current: place(self.history.current).unwrap_or_default(),
            tinted: self.tinted.iter().map(|id| id.0).collect(),
            nodes: ids.iter().filter_map(|id| self.history.get(*id)).map(to_file).collect(),
            generations: self.generations.to_file(),
        };
        to_json(&document)
    }

    /// A document from its library file.
    ///
    /// # Errors
    /// When the bytes are no such file, are damaged, or come from a later version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        match LibraryItem::from_bytes(bytes)? {
            LibraryItem::Document(document) => Ok(*document),
            LibraryItem::Chat(_) => Err(damaged("it holds a chat, not a document", "其中是对话，不是文档")),
        }
    }

    fn from_file(file: FileDocument) -> Option<Self> {
        let mut budget = MAX_UNFOLDED;
        let generations = Generations::from_file(file.generations, &mut budget)?;
        let mut nodes = Vec::with_capacity(file.nodes.len());
        for (index, node) in file.nodes.into_iter().enumerate() {
            nodes.push(node_from_file(node, index, &generations, &mut budget)?);
        }
        let history = History::from_nodes(nodes, NodeId(file.current))?;
        let snippet = from_pieces(file.text, &generations, &mut budget)?;
        let known = |id: &u32| generations.get(GenerationId(*id)).is_some();
        let tinted = file.tinted.into_iter().filter(known).map(GenerationId).collect();
        let mut document = Self {
            id: file.id,
            created_s: file.created_s,
            modified_s: file.modified_s,
            buffer: Buffer::new(snippet.text),
            runs: snippet.runs,
            history,
            generations,
            selection: Selection::default(),
            tinted,
            revision: 0,
            changes: std::collections::VecDeque::new(),
            streams: Vec::new(),
            jumps: Vec::new(),
        };
        document.set_selection(Selection { anchor: file.selection.0, head: file.selection.1 });
        Some(document)
    }
}

impl Chat {
    /// The library file: everything, also alternatives that are not shown.
    pub fn to_bytes(&self) -> Vec<u8> {
        let to_file = |message: &Message| FileMessage {
            parent: message.parent.map(|id| id.0),
            shown: message.shown,
            said: match &message.said {
                Said::User(text) => FileSaid::User(text.clone()),
                Said::Model(id) => FileSaid::Model(id.0),
            },
        };
        let chat = FileChat {
            format: FORMAT,
            kind: FileKind::Chat,
            id: self.id.clone(),
            created_s: self.created_s,
            modified_s: self.modified_s,
            system: self.system.clone(),
            first: self.first.1,
            messages: self.messages.iter().map(to_file).collect(),
            generations: self.generations.to_file(),
        };
        to_json(&chat)
    }

    /// A chat from its library file.
    ///
    /// # Errors
    /// When the bytes are no such file, are damaged, or come from a later version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        match LibraryItem::from_bytes(bytes)? {
            LibraryItem::Chat(chat) => Ok(*chat),
            LibraryItem::Document(_) => Err(damaged("it holds a document, not a chat", "其中是文档，不是对话")),
        }
    }

    fn from_file(file: FileChat) -> Option<Self> {
        let mut chat = Self::new(0);
        chat.generations = Generations::from_file(file.generations, &mut { MAX_UNFOLDED })?;
        let mut shown = Vec::with_capacity(file.messages.len());
        for message in file.messages {
            if message.parent.is_some_and(|parent| parent as usize >= chat.messages.len()) {
                return None;
            }
            let said = match message.said {
                FileSaid::User(text) => Said::User(text),
                FileSaid::Model(id) => Said::Model(GenerationId(id)),
            };
            if let Said::Model(id) = said {
                chat.generations.get(id)?;
            }
            chat.add(message.parent.map(MessageId), said, 0);
            shown.push(message.shown);
        }
        for (message, shown) in chat.messages.iter_mut().zip(shown) {
            message.shown = shown.min(message.children.len().saturating_sub(1));
        }
        chat.first.1 = file.first.min(chat.first.0.len().saturating_sub(1));
        (chat.id, chat.created_s, chat.modified_s, chat.system) =
            (file.id, file.created_s, file.modified_s, file.system);
        chat.revision = 0;
        Some(chat)
    }
}

impl LibraryItem {
    /// Whatever a library file holds.
    ///
    /// # Errors
    /// When the bytes are no such file, are damaged, or come from a later version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let head: Head = parse(bytes)?;
        if head.format != FORMAT {
            let format = head.format;
            return Err(Error::new(
                format!(
                    "This document was saved by another version of Atelier (format {format}, this one reads {FORMAT}); open it with that version."
                ),
                format!(
                    "此文档由其他版本的 Atelier 保存（格式 {format}，当前版本读取格式 {FORMAT}），请用相应版本打开。"
                ),
            ));
        }
        let item = match head.kind {
            FileKind::Document => Document::from_file(parse(bytes)?).map(|document| Self::Document(Box::new(document))),
            FileKind::Chat => Chat::from_file(parse(bytes)?).map(|chat| Self::Chat(Box::new(chat))),
        };
        item.ok_or_else(|| damaged("its parts do not fit together", "各部分互不相符"))
    }
}

impl Generations {
    fn to_file(&self) -> FileGenerations {
        let mut before: Option<&Generation> = None;
        let mut list = Vec::with_capacity(self.list.len());
        for generation in &self.list {
            let mut request = generation.made.request.clone();
            let prompt = generation.raw_prompt().map(|prompt| {
                let shared = before.map_or(0, |before| shared_bytes(prompt, before));
                let shared = if shared < MIN_SHARED { 0 } else { shared };
                (shared, prompt[shared..].to_owned())
            });
            if prompt.is_some() {
                request.prompt = Prompt::Raw(String::new());
            }
            let tokens =
                generation.tokens.iter().map(|token| (token.id, token.end, token.probability, token.likely.to_vec()));
            list.push(FileGeneration {
                model: generation.model,
                request,
                prompt,
                text: generation.text.clone(),
                settled: if generation.streaming { generation.text.len() } else { generation.settled },
                stop_reason: generation.stop_reason,
                tokens: tokens.collect(),
            });
            before = Some(generation);
        }
        FileGenerations { models: self.models.clone(), words: self.words.clone(), list }
    }

    fn from_file(file: FileGenerations, budget: &mut usize) -> Option<Self> {
        if file.models.len() != file.words.len() {
            return None;
        }
        let mut generations = Self { list: Vec::new(), models: file.models, words: file.words };
        for from in file.list {
            let mut request = from.request;
            if let Some((shared, rest)) = from.prompt {
                *budget = budget.checked_sub(shared)?;
                let prompt = match generations.list.last() {
                    Some(before) => shared_prompt(before, shared)? + &rest,
                    None if shared == 0 => rest,
                    None => return None,
                };
                request.prompt = Prompt::Raw(prompt);
            }
            let tokens = from.tokens.into_iter().map(|(id, end, probability, likely)| Token {
                id,
                end,
                probability,
                likely: likely.into(),
            });
            let generation = Generation {
                made: TextGeneration { model: generations.models.get(from.model)?.clone(), request },
                settled: from.settled.min(from.text.len()),
                tokens: tokens.collect(),
                text: from.text,
                model: from.model,
                known: 0,
                received: 0,
                chosen: None,
                streaming: false,
                stop_reason: from.stop_reason,
            };
            let mut last = 0;
            let ends_fit = generation.tokens.iter().all(|token| {
                let fits = token.end >= last && generation.text.is_char_boundary(token.end);
                last = token.end;
                fits
            });
            if !ends_fit || !generation.text.is_char_boundary(generation.settled) {
                return None;
            }
            generations.list.push(generation);
        }
        Some(generations)
    }
}

/// How much of `prompt` is the prompt of `before` and then its text.
fn shared_bytes(prompt: &str, before: &Generation) -> usize {
    let Some(base) = before.raw_prompt() else { return 0 };
    let shared = common_prefix(prompt, base);
    if shared < base.len() { shared } else { shared + common_prefix(&prompt[shared..], &before.text) }
}

fn shared_prompt(before: &Generation, shared: usize) -> Option<String> {
    if shared == 0 {
        return Some(String::new());
    }
    let base = before.raw_prompt()?;
    match shared.checked_sub(base.len()) {
        None => base.get(..shared).map(str::to_owned),
        Some(more) => before.text.get(..more).map(|text| format!("{base}{text}")),
    }
}

fn node_from_file(node: FileNode, index: usize, generations: &Generations, budget: &mut usize) -> Option<Node> {
    let kind = match node.generation {
        _ if index == 0 => Kind::Root,
        Some(id) => Kind::Generation(generations.get(GenerationId(id)).map(|_| GenerationId(id))?),
        None => Kind::Typing,
    };
    let mut ops = Vec::with_capacity(node.ops.len());
    for (start, removed, inserted) in node.ops {
        let (removed, inserted) =
            (from_pieces(removed, generations, budget)?, from_pieces(inserted, generations, budget)?);
        // Nothing can be larger than this; sums of places must not overflow.
        if start > MAX_UNFOLDED {
            return None;
        }
        ops.push(Op { start, removed, inserted });
    }
    let [before_anchor, before_head, after_anchor, after_head] = node.carets;
    Some(Node {
        parent: node.parent.map(NodeId),
        children: Vec::new(),
        last: node.last.map(NodeId),
        resume: node.resume.map(NodeId),
        kind,
        ops,
        before: Selection { anchor: before_anchor, head: before_head },
        after: Selection { anchor: after_anchor, head: after_head },
        time_ms: node.time_ms,
        sealed: node.sealed,
    })
}

fn to_pieces(snippet: &Snippet, generations: &Generations) -> Vec<FilePiece> {
    let mut pieces: Vec<FilePiece> = Vec::new();
    for (place, origin) in snippet.runs.placed(&(0..snippet.text.len())) {
        let text = &snippet.text[place.clone()];
        if let Origin::Generated { generation, offset } = origin {
            let end = offset + place.len();
            if generations.get(generation).and_then(|made| made.text.get(offset..end)) == Some(text) {
                pieces.push(FilePiece::Generated(generation.0, offset, end));
                continue;
            }
        }
        pieces.push(FilePiece::Written(text.to_owned()));
    }
    pieces
}

fn from_pieces(pieces: Vec<FilePiece>, generations: &Generations, budget: &mut usize) -> Option<Snippet> {
    let mut snippet = Snippet::default();
    for piece in pieces {
        let (text, origin) = match &piece {
            FilePiece::Written(text) => (text.as_str(), Origin::Written),
            FilePiece::Generated(id, start, end) => {
                let generation = GenerationId(*id);
                let text = generations.get(generation)?.text.get(*start..*end)?;
                (text, Origin::Generated { generation, offset: *start })
            }
        };
        *budget = budget.checked_sub(text.len())?;
        snippet.text.push_str(text);
        snippet.runs.push(Run { len: text.len(), origin });
    }
    Some(snippet)
}

fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|why| damaged(&why.to_string(), &why.to_string()))
}

fn to_json(file: &impl Serialize) -> Vec<u8> {
    // Maps have plain keys and everything is plain data: there is nothing in it that JSON cannot hold.
    serde_json::to_vec(file).unwrap_or_default()
}

fn damaged(why: &str, why_zh: &str) -> Error {
    Error::new(
        format!("This document could not be read: the file is damaged ({why}); restore it from a backup."),
        format!("无法读取此文档：文件已损坏（{why_zh}），请从备份恢复。"),
    )
}
