//! Generations that stream into a document, at their place in its history.

use std::ops::Range;

use crate::{
    generate::{TextOutcome, TextToken},
    recipe::TextGeneration,
};

use super::{
    Document, GenerationId, Selection,
    branch::{BranchPlan, Place},
    history::{Kind, NodeId, Op},
    provenance::{Origin, Run, Runs, Snippet},
};

/// A generation that still streams.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stream {
    generation: GenerationId,
    node: NodeId,
    /// The place to be shown again if it writes nothing.
    back: NodeId,
    /// The step that made room for it.
    room: Option<NodeId>,
}

impl Document {
    /// Begins a generation that takes the place of `range` (empty: writes there). The caret goes to its end, and
    /// follows it while it stays there.
    pub fn begin_generation(&mut self, range: Range<usize>, generation: TextGeneration, now_ms: u64) -> GenerationId {
        let range = self.buffer.whole_chars(range);
        let op = Op { start: range.start, removed: self.snippet(range), inserted: Snippet::default() };
        let id = self.generations.begin(generation, None);
        let back = self.history.current;
        self.add_generation(id, op, [back, back], now_ms);
        id
    }

    /// Begins a generation at `at`, between words that make room for it and go again if it writes nothing.
    pub fn begin_generation_between(
        &mut self,
        at: usize,
        (before, after): (&str, &str),
        generation: TextGeneration,
        now_ms: u64,
    ) -> GenerationId {
        if before.is_empty() && after.is_empty() {
            return self.begin_generation(at..at, generation, now_ms);
        }
        let back = self.history.current;
        // A step of its own: what was typed just before must not go with it.
        self.seal();
        self.edit(at..at, &format!("{before}{after}"), now_ms);
        let at = self.selection.range().end.saturating_sub(after.len());
        let op = Op { start: at, removed: Snippet::default(), inserted: Snippet::default() };
        let id = self.generations.begin(generation, None);
        let room = self.history.current;
        self.add_generation(id, op, [back, room], now_ms);
        id
    }

    /// Begins a generation that [`Document::branch`] or [`Document::regenerate`] planned. What both ways have in
    /// common is there at once. `generation` is the plan's request, or one with other settings.
    pub fn begin_planned(&mut self, plan: &BranchPlan, generation: TextGeneration, now_ms: u64) -> GenerationId {
        let id = self.generations.begin(generation, Some((plan.source, plan.known)));
        let back = self.history.current;
        let op = match &plan.place {
            Place::Beside { parent, start, removed } => {
                self.leave_variant();
                self.select_node(*parent);
                let known = self.generations.get(id).map(|known| known.text.clone()).unwrap_or_default();
                let inserted = Snippet::new(&known, Origin::Generated { generation: id, offset: 0 });
                // It fits unless the plan is old.
                let fits = self.text().get(*start..start + removed.text.len()) == Some(removed.text.as_str());
                let place = if fits { *start..start + removed.text.len() } else { self.len()..self.len() };
                Op { start: place.start, removed: self.snippet(place), inserted }
            }
            Place::Here { range } => {
                let range = self.buffer.whole_chars(range.clone());
                Op { start: range.start, removed: self.snippet(range), inserted: Snippet::default() }
            }
        };
        self.add_generation(id, op, [back, back], now_ms);
        id
    }

    /// Adds the node of a generation that began when `back` was shown; `room` is the step made for it, or `back`.
    fn add_generation(&mut self, id: GenerationId, op: Op, [back, room]: [NodeId; 2], now_ms: u64) {
        let before = self.selection;
        self.splice(op.removed_range(), &op.inserted);
        self.selection = Selection::caret(op.inserted_range().end);
        let current = self.history.current;
        let node = self.history.add(current, Kind::Generation(id), vec![op], [before, self.selection], now_ms);
        self.history.current = node;
        let room = Some(room).filter(|room| *room != back);
        self.streams.push(Stream { generation: id, node, back, room });
        self.modified_s = now_ms / 1000;
        self.retint();
        self.touch();
    }

    /// Takes tokens of a generation as they stream. They go to its place: into the shown text, further on if the
    /// person typed before it, or unseen into its own branch when another one is shown.
    pub fn append_tokens(&mut self, id: GenerationId, tokens: &[TextToken]) {
        let Some(Stream { node, .. }) = self.stream(id) else { return };
        let offset = self.generations.get(id).map_or(0, |generation| generation.text.len());
        let text = self.generations.append(id, tokens);
        if text.is_empty() {
            self.touch();
            return;
        }
        let origin = Origin::Generated { generation: id, offset };
        self.grow(node, &Snippet { runs: Runs::one(text.len(), origin), text });
    }

    /// Appends `more` to what `node` inserted.
    fn grow(&mut self, node: NodeId, more: &Snippet) {
        let at = self.history.edit_ops(node, |node| {
            let op = node.ops.last_mut()?;
            let at = op.inserted_range().end;
            op.inserted.push(more);
            push_on(&mut node.after, at, more.text.len(), true);
            Some(at)
        });
        let Some(Some(at)) = at else { return };
        // Everything that was done after it moves on.
        let mut reached = Vec::from([(node, at)]);
        let mut shown = None;
        while let Some((id, at)) = reached.pop() {
            if id == self.history.current {
                shown = Some(at);
            }
            let children = self.history.get(id).map(|node| node.children.clone()).unwrap_or_default();
            for child in children {
                let after = self.history.edit_ops(child, |node| {
                    push_on(&mut node.before, at, more.text.len(), false);
                    let after = node.ops.iter_mut().try_fold(at, |at, op| op.make_room(at, more));
                    if let Some(after) = after {
                        push_on(&mut node.after, after, more.text.len(), false);
                    }
                    after
                });
                if let Some(Some(after)) = after {
                    reached.push((child, after));
                }
            }
        }
        if let Some(at) = shown {
            self.splice(at..at, more);
            let follows = self.history.current == node && self.selection.is_empty();
            push_on(&mut self.selection, at, more.text.len(), follows);
        } else {
            self.touch();
        }
    }

    /// Ends a generation with its outcome; its request becomes the one that was really sent.
    pub fn finish_generation(&mut self, id: GenerationId, outcome: &TextOutcome) {
        let Some((dropped, added)) = self.generations.finish(id, outcome) else { return };
        let stream = self.stream(id);
        self.end_stream(id);
        if let Some(stream) = stream.filter(|_| dropped > 0 || !added.is_empty()) {
            self.set_tail(id, stream.node, dropped, &added);
        }
        self.forget_if_empty(stream);
    }

    /// Ends a generation that failed. What it had written stays.
    pub fn abandon_generation(&mut self, id: GenerationId) {
        let stream = self.stream(id);
        self.generations.abandon(id);
        self.end_stream(id);
        self.forget_if_empty(stream);
    }

    fn stream(&self, id: GenerationId) -> Option<Stream> {
        self.streams.iter().find(|stream| stream.generation == id).copied()
    }

    fn end_stream(&mut self, id: GenerationId) {
        self.streams.retain(|stream| stream.generation != id);
        self.touch();
    }

    /// Makes the end of a generation what the outcome says. When something was built on it, the stream's text stays.
    fn set_tail(&mut self, id: GenerationId, node: NodeId, dropped: usize, added: &str) {
        let is_leaf = self.history.get(node).is_some_and(|node| node.children.is_empty());
        let Some(generation) = self.generations.get_mut(id).filter(|_| is_leaf) else { return };
        let keep = generation.text.len() - dropped;
        generation.set_tail(keep, added);
        let Some(end) = self.history.get(node).and_then(|node| Some(node.ops.last()?.inserted_range().end)) else {
            return;
        };
        let Some(inserted) = self.history.get(node).and_then(|node| Some(node.ops.last()?.inserted.text.len())) else {
            return;
        };
        let dropped = dropped.min(inserted);
        let tail = Snippet::new(added, Origin::Generated { generation: id, offset: keep });
        self.history.edit_ops(node, |node| {
            if let Some(op) = node.ops.last_mut() {
                let len = op.inserted.text.len();
                op.inserted.replace(len - dropped..len, &tail);
            }
            node.after = Selection::caret(end - dropped + added.len());
        });
        if self.history.current == node {
            self.splice(end - dropped..end, &tail);
            self.set_selection(self.selection);
        }
    }

    /// A generation that wrote nothing leaves no step behind, and what was shown before it is shown again.
    fn forget_if_empty(&mut self, stream: Option<Stream>) {
        let Some(Stream { node: id, back, room, .. }) = stream else { return };
        let Some(node) = self.history.get(id) else { return };
        if !node.children.is_empty() || node.ops.iter().any(|op| !op.inserted.text.is_empty()) {
            return;
        }
        if self.history.current == id && !self.select_node(back) {
            self.undo();
        }
        if self.history.current != id {
            self.history.remove_leaf(id);
        }
        let Some(room) = room.filter(|room| self.history.get(*room).is_some_and(|node| node.children.is_empty()))
        else {
            return;
        };
        if self.history.current == room {
            self.undo();
        }
        self.history.remove_leaf(room);
    }

    /// Generations that still stream.
    pub fn streaming(&self) -> impl Iterator<Item = GenerationId> {
        self.streams.iter().map(|stream| stream.generation)
    }

    /// From the first to the last byte that a generation has in the shown text.
    pub fn generation_range(&self, id: GenerationId) -> Option<Range<usize>> {
        let mut at = 0;
        let mut found: Option<Range<usize>> = None;
        for Run { len, origin } in self.runs.as_slice() {
            if matches!(origin, Origin::Generated { generation, .. } if *generation == id) {
                found = Some(found.map_or(at, |found| found.start)..at + len);
            }
            at += len;
        }
        found
    }
}

/// Moves a selection for `len` bytes that came at `at`; what stands right there goes along only if it `follows`.
fn push_on(selection: &mut Selection, at: usize, len: usize, follows: bool) {
    for byte in [&mut selection.anchor, &mut selection.head] {
        if *byte > at || (*byte == at && follows) {
            *byte += len;
        }
    }
}
