//! A document: its text, where every byte of it came from, its whole history, and everything models wrote into it.
//!
//! Plain data. It reads no clock, no file and no window: times come in as arguments (milliseconds since 1970), bytes
//! go out through [`Document::to_bytes`].
//!
//! The history is a tree ([`history`]): a person's edits and models' generations are its nodes, the shown text is one
//! of them. A generation that streams grows its node wherever that is; when it lies on the way to the shown text, the
//! text grows too, and everything after the place moves on.

mod branch;
mod buffer;
mod chat;
mod file;
mod generations;
mod history;
mod provenance;
mod record;
mod stream;
#[cfg(test)]
mod tests;
mod typing;

use std::{collections::VecDeque, ops::Range};

pub use branch::{BranchPlan, Variant};
pub use buffer::{WordCount, is_cjk};
pub use chat::{Chat, MessageId, MessageView, ReplyBranch};
pub use file::LibraryItem;
pub use generations::{Generation, GenerationId, TokenRef};
pub use history::{Kind, NodeId};
pub use provenance::{Origin, Run};

use buffer::Buffer;
use generations::Generations;
use history::{History, Op};
use provenance::{Runs, Snippet};

/// What is selected, in bytes; an empty selection is the caret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Where it was begun.
    pub anchor: usize,
    /// Where the caret is.
    pub head: usize,
}

impl Selection {
    /// A caret.
    pub fn caret(at: usize) -> Self {
        Self { anchor: at, head: at }
    }

    /// The selected bytes, in order.
    pub fn range(self) -> Range<usize> {
        self.anchor.min(self.head)..self.anchor.max(self.head)
    }

    /// Whether nothing is selected.
    pub fn is_empty(self) -> bool {
        self.anchor == self.head
    }
}

/// One change of the shown text, for views that keep something per place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub start: usize,
    /// Bytes that went.
    pub removed: usize,
    /// Bytes that came.
    pub inserted: usize,
}

/// How many changes [`Document::changes_since`] can look back.
const CHANGES_KEPT: usize = 1024;

/// A document.
#[derive(Clone, Debug)]
pub struct Document {
    id: String,
    created_s: u64,
    modified_s: u64,
    buffer: Buffer,
    runs: Runs,
    history: History,
    generations: Generations,
    selection: Selection,
    /// Generations whose words are tinted: those since the last edit by a person.
    tinted: Vec<GenerationId>,
    revision: u64,
    changes: VecDeque<Change>,
    /// Generations that still stream.
    streams: Vec<stream::Stream>,
    /// From where to where the history was left for another way of it, so that undo comes back.
    jumps: Vec<(NodeId, NodeId)>,
}

impl Document {
    /// An empty document.
    pub fn new(now_ms: u64) -> Self {
        Self::from_text("", now_ms)
    }

    /// A document that a person wrote elsewhere. Line ends become `\n`.
    pub fn from_text(text: &str, now_ms: u64) -> Self {
        let text = with_plain_line_ends(text);
        Self {
            id: new_id(now_ms),
            created_s: now_ms / 1000,
            modified_s: now_ms / 1000,
            runs: Runs::one(text.len(), Origin::Written),
            buffer: Buffer::new(text),
            history: History::new(now_ms),
            generations: Generations::default(),
            selection: Selection::default(),
            tinted: Vec::new(),
            revision: 0,
            changes: VecDeque::new(),
            streams: Vec::new(),
            jumps: Vec::new(),
        }
    }

    /// A name that no other document has; later documents sort after earlier ones.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// When it was begun, in seconds since 1970.
    pub fn created_s(&self) -> u64 {
        self.created_s
    }

    /// When its text last changed, in seconds since 1970.
    pub fn modified_s(&self) -> u64 {
        self.modified_s
    }

    /// Counts every change of the text or of what is known about it: an equal revision means nothing to save.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The text.
    pub fn text(&self) -> &str {
        self.buffer.text()
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.text().len()
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.text().is_empty()
    }

    /// Whether nothing was ever written in it, not even something that was taken back: another one is as good.
    pub fn is_blank(&self) -> bool {
        self.is_empty() && !self.can_undo() && !self.can_redo() && self.generations.list.is_empty()
    }

    /// The byte offsets at which lines start; the first is 0.
    pub fn line_starts(&self) -> &[usize] {
        self.buffer.line_starts()
    }

    /// The line that a byte lies in.
    pub fn line_of(&self, byte: usize) -> usize {
        self.buffer.line_of(byte)
    }

    /// The bytes of a line, without its line end.
    pub fn line_range(&self, line: usize) -> Range<usize> {
        self.buffer.line_range(line)
    }

    /// Words of languages with spaces, characters of those without.
    pub fn word_count(&self) -> WordCount {
        self.buffer.count()
    }

    /// Characters in all, spaces and line ends too.
    pub fn char_count(&self) -> usize {
        self.buffer.chars()
    }

    /// The first heading, else the first line with text, without its marks and at most 80 characters; empty if there is none.
    pub fn title(&self) -> String {
        // The title stands near the top, if there is one: no need to read 2 MB for it.
        let head = self.buffer.whole_chars(0..self.len().min(4096));
        let head = &self.text()[head];
        let lines = || head.lines().map(str::trim).filter(|line| !line.is_empty());
        let heading = lines().find(|line| heading_level(line) > 0);
        let line = heading.or_else(|| lines().next()).unwrap_or_default();
        line.trim_start_matches('#').trim().chars().take(80).collect()
    }

    /// The selection; changes move it along with the text it is in.
    pub fn selection(&self) -> Selection {
        self.selection
    }

    /// Selects, at whole characters inside the text.
    pub fn set_selection(&mut self, selection: Selection) {
        let at = |byte: usize| self.buffer.whole_chars(byte..byte).start;
        let selection = Selection { anchor: at(selection.anchor), head: at(selection.head) };
        if selection != self.selection {
            self.selection = selection;
        }
    }

    /// Where the bytes of `range` came from.
    pub fn origins(&self, range: &Range<usize>) -> impl Iterator<Item = (Range<usize>, Origin)> {
        self.runs.placed(range)
    }

    /// The parts of `range` that models wrote since the last edit by a person.
    pub fn tinted_ranges(&self, range: &Range<usize>) -> Vec<Range<usize>> {
        let mut tinted: Vec<Range<usize>> = Vec::new();
        if self.tinted.is_empty() {
            return tinted;
        }
        for (place, origin) in self.origins(range) {
            let Origin::Generated { generation, .. } = origin else { continue };
            if !self.tinted.contains(&generation) {
                continue;
            }
            match tinted.last_mut() {
                Some(last) if last.end == place.start => last.end = place.end,
                _ => tinted.push(place),
            }
        }
        tinted
    }

    /// The changes of the text since `revision`, oldest first; `None` if that is too long ago.
    pub fn changes_since(&self, revision: u64) -> Option<impl Iterator<Item = Change>> {
        let behind = usize::try_from(self.revision.checked_sub(revision)?).ok()?;
        (behind <= self.changes.len()).then(|| self.changes.range(self.changes.len() - behind..).copied())
    }

    /// A generation.
    pub fn generation(&self, id: GenerationId) -> Option<&Generation> {
        self.generations.get(id)
    }

    /// All generations, also those whose text is not shown now.
    pub fn generations(&self) -> &[Generation] {
        &self.generations.list
    }

    /// The place of the history that is shown.
    pub fn current_node(&self) -> NodeId {
        self.history.current
    }

    /// Counts a change of the text, or (empty) of something else.
    fn record_change(&mut self, change: Change) {
        self.revision += 1;
        if self.changes.len() == CHANGES_KEPT {
            self.changes.pop_front();
        }
        self.changes.push_back(change);
    }

    /// Counts a change that left the text as it is.
    fn touch(&mut self) {
        self.record_change(Change { start: 0, removed: 0, inserted: 0 });
    }

    /// Changes the shown text; all changes come through here.
    fn splice(&mut self, range: Range<usize>, with: &Snippet) {
        self.runs.replace(&range, &with.runs);
        self.buffer.replace(range.clone(), &with.text);
        self.record_change(Change { start: range.start, removed: range.len(), inserted: with.text.len() });
    }

    /// A part of the shown text with its provenance.
    fn snippet(&self, range: Range<usize>) -> Snippet {
        Snippet { runs: self.runs.slice(&range), text: self.text()[range].to_owned() }
    }

    /// Replaces `op.removed` by `op.inserted`, or the other way round; `false` when the text is not what `op` says.
    fn apply(&mut self, op: &Op, forward: bool) -> bool {
        let (from, to) = if forward { (&op.removed, &op.inserted) } else { (&op.inserted, &op.removed) };
        let range = op.start..op.start.saturating_add(from.text.len());
        if self.text().get(range.clone()) != Some(from.text.as_str()) {
            return false;
        }
        self.splice(range, to);
        true
    }
}

/// The level of a Markdown heading line, 1 to 6; 0 for any other line.
pub fn heading_level(line: &str) -> usize {
    let hashes = line.bytes().take_while(|byte| *byte == b'#').count();
    let is_heading = (1..=6).contains(&hashes) && line[hashes..].chars().next().is_none_or(char::is_whitespace);
    if is_heading { hashes } else { 0 }
}

/// `text` with every line end as `\n`.
fn with_plain_line_ends(text: &str) -> String {
    if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text.to_owned() }
}

/// Unique in this process by its count, among processes by their ids, among times by the time.
fn new_id(now_ms: u64) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{now_ms:012x}-{:06x}{count:06x}", std::process::id())
}
