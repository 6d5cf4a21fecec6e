//! The history of a document as a tree of edits: stepping back and taking another way loses nothing.

use std::ops::Range;

use super::{GenerationId, Selection, provenance::Snippet};

/// A place in a document's history: the text after one edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(super) u32);

/// One replacement. Its place is in the text that all earlier ones gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Op {
    pub start: usize,
    pub removed: Snippet,
    pub inserted: Snippet,
}

impl Op {
    pub fn removed_range(&self) -> Range<usize> {
        self.start..self.start + self.removed.text.len()
    }

    pub fn inserted_range(&self) -> Range<usize> {
        self.start..self.start + self.inserted.text.len()
    }

    fn bytes(&self) -> usize {
        self.removed.text.len() + self.inserted.text.len()
    }

    /// Makes room for `more`, which has just appeared at `at` in the text that this replaces: it moves on, or takes
    /// `more` into what it removed. Gives the place of `more` after this replacement, if it is still there.
    pub fn make_room(&mut self, at: usize, more: &Snippet) -> Option<usize> {
        let removed = self.removed_range();
        if at <= removed.start {
            self.start += more.text.len();
            Some(at)
        } else if at >= removed.end {
            Some(at - removed.len() + self.inserted.text.len())
        } else {
            let inside = at - removed.start;
            self.removed.replace(inside..inside, more);
            None
        }
    }

    /// Takes `next`, made right after this, into this if they touch.
    pub fn absorb(&mut self, next: &Self) -> bool {
        let (mine, theirs) = (self.inserted_range(), next.removed_range());
        if theirs.end < mine.start || theirs.start > mine.end {
            return false;
        }
        // What `next` removed outside of what this inserted had been there before.
        if theirs.start < mine.start {
            let ahead = next.removed.slice(0..mine.start - theirs.start);
            self.removed.replace(0..0, &ahead);
        }
        if theirs.end > mine.end {
            let behind = next.removed.slice(mine.end - theirs.start..theirs.len());
            self.removed.push(&behind);
        }
        let from = theirs.start.max(mine.start) - mine.start;
        let to = theirs.end.min(mine.end) - mine.start;
        self.inserted.replace(from..to, &next.inserted);
        self.start = self.start.min(next.start);
        true
    }
}

/// What an edit was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The text as it was opened.
    Root,
    /// A person's edit.
    Typing,
    /// A model's.
    Generation(GenerationId),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub parent: Option<NodeId>,
    pub children: Vec<NodeId>,
    /// The child that redo takes.
    pub last: Option<NodeId>,
    /// Where in this branch the document stood when it was left for another variant; may have been forgotten since.
    pub resume: Option<NodeId>,
    pub kind: Kind,
    pub ops: Vec<Op>,
    pub before: Selection,
    pub after: Selection,
    pub time_ms: u64,
    /// Nothing more may be typed into it.
    pub sealed: bool,
}

/// Budgets for a person's own edits: beyond them the oldest are forgotten. What models wrote always stays.
pub(super) const MAX_TYPING_NODES: usize = 10_000;
pub(super) const MAX_TYPING_BYTES: usize = 8 << 20;

/// The tree. Ids stay good until [`History::prune`] removes their nodes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct History {
    /// Boxed, so that the places of forgotten nodes take little.
    nodes: Vec<Option<Box<Node>>>,
    pub root: NodeId,
    pub current: NodeId,
    typing_nodes: usize,
    typing_bytes: usize,
}

impl History {
    pub fn new(time_ms: u64) -> Self {
        let root = Node {
            parent: None,
            children: Vec::new(),
            last: None,
            resume: None,
            kind: Kind::Root,
            ops: Vec::new(),
            before: Selection::default(),
            after: Selection::default(),
            time_ms,
            sealed: true,
        };
        Self {
            nodes: vec![Some(Box::new(root))],
            root: NodeId(0),
            current: NodeId(0),
            typing_nodes: 0,
            typing_bytes: 0,
        }
    }

    /// A tree from its nodes, each after its parent, the first without one.
    pub fn from_nodes(nodes: Vec<Node>, current: NodeId) -> Option<Self> {
        let mut history = Self { nodes: Vec::new(), root: NodeId(0), current, typing_nodes: 0, typing_bytes: 0 };
        for (index, node) in nodes.into_iter().enumerate() {
            let parent_is_before = node.parent.is_none_or(|parent| (parent.0 as usize) < index);
            if !parent_is_before || node.parent.is_none() != (index == 0) || (node.kind == Kind::Root) != (index == 0) {
                return None;
            }
            history.count(&node, true);
            history.nodes.push(Some(Box::new(node)));
        }
        history.get(current)?;
        for index in 1..history.nodes.len() {
            let id = NodeId(u32::try_from(index).ok()?);
            let parent = history.get(id)?.parent?;
            history.get_mut(parent)?.children.push(id);
        }
        let child_is_own = |id: NodeId, child: NodeId| history.get(child).is_some_and(|node| node.parent == Some(id));
        let good = history.ids().all(|id| {
            history.get(id).is_some_and(|node| {
                node.last.is_none_or(|last| child_is_own(id, last))
                    && node.resume.is_none_or(|resume| history.path_up(resume).any(|above| above == id))
            })
        });
        good.then_some(history)
    }

    pub fn get(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.0 as usize)?.as_deref()
    }

    pub fn get_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(id.0 as usize)?.as_deref_mut()
    }

    pub fn ids(&self) -> impl Iterator<Item = NodeId> {
        let present = self.nodes.iter().enumerate().filter(|(_, node)| node.is_some());
        present.filter_map(|(index, _)| u32::try_from(index).ok().map(NodeId))
    }

    /// `id`, its parent, and so on up to the root.
    pub fn path_up(&self, id: NodeId) -> impl Iterator<Item = NodeId> {
        std::iter::successors(Some(id).filter(|id| self.get(*id).is_some()), |id| self.get(*id)?.parent)
    }

    /// Adds a child of `parent` and makes it the branch last used.
    pub fn add(
        &mut self,
        parent: NodeId,
        kind: Kind,
        ops: Vec<Op>,
        selections: [Selection; 2],
        time_ms: u64,
    ) -> NodeId {
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        let [before, after] = selections;
        let node = Node {
            parent: Some(parent),
            children: Vec::new(),
            last: None,
            resume: None,
            kind,
            ops,
            before,
            after,
            time_ms,
            sealed: false,
        };
        self.count(&node, true);
        self.nodes.push(Some(Box::new(node)));
        if let Some(parent) = self.get_mut(parent) {
            parent.children.push(id);
            parent.last = Some(id);
            parent.sealed = true;
        }
        id
    }

    /// The nearest node that both descend from.
    pub fn common_ancestor(&self, one: NodeId, other: NodeId) -> NodeId {
        let above: std::collections::HashSet<NodeId> = self.path_up(one).collect();
        self.path_up(other).find(|id| above.contains(id)).unwrap_or(self.root)
    }

    /// The nearest generation at or above `id`.
    pub fn generation_above(&self, id: NodeId) -> Option<(NodeId, GenerationId)> {
        self.path_up(id).find_map(|id| match self.get(id)?.kind {
            Kind::Generation(generation) => Some((id, generation)),
            _ => None,
        })
    }

    /// Changes a node's edits, keeping the budget's counts.
    pub fn edit_ops<T>(&mut self, id: NodeId, edit: impl FnOnce(&mut Node) -> T) -> Option<T> {
        let mut node = self.nodes.get_mut(id.0 as usize)?.take()?;
        self.count(&node, false);
        let result = edit(&mut node);
        self.count(&node, true);
        self.nodes[id.0 as usize] = Some(node);
        Some(result)
    }

    fn count(&mut self, node: &Node, add: bool) {
        if node.kind == Kind::Typing {
            let bytes: usize = node.ops.iter().map(Op::bytes).sum();
            let add_to = |total: usize, more: usize| if add { total + more } else { total.saturating_sub(more) };
            self.typing_nodes = add_to(self.typing_nodes, 1);
            self.typing_bytes = add_to(self.typing_bytes, bytes);
        }
    }

    fn remove(&mut self, id: NodeId) {
        let Some(node) = self.nodes.get_mut(id.0 as usize).and_then(Option::take) else { return };
        self.count(&node, false);
        if let Some(parent) = node.parent.and_then(|parent| self.get_mut(parent)) {
            parent.children.retain(|child| *child != id);
            if parent.last == Some(id) {
                parent.last = parent.children.last().copied();
            }
        }
    }

    /// Removes a leaf that is not the current place.
    pub fn remove_leaf(&mut self, id: NodeId) {
        if id != self.current && id != self.root && self.get(id).is_some_and(|node| node.children.is_empty()) {
            self.remove(id);
        }
    }

    /// Forgets a person's oldest edits when there are far too many: first ways not taken, then the first steps, then
    /// the borders between steps. Generations and the way to the current text always stay.
    pub fn prune(&mut self) {
        let over = |history: &Self, part: usize| {
            history.typing_nodes > MAX_TYPING_NODES / 4 * part || history.typing_bytes > MAX_TYPING_BYTES / 4 * part
        };
        if !over(self, 4) {
            return;
        }
        let is_typing = |history: &Self, id: NodeId| history.get(id).is_some_and(|node| node.kind == Kind::Typing);
        let ids: Vec<NodeId> = self.ids().collect();
        // Children come after their parents, so that going backwards takes whole branches.
        for id in ids.iter().rev() {
            if over(self, 3) && is_typing(self, *id) {
                self.remove_leaf(*id);
            }
        }
        while over(self, 3) && self.forget_first_step() {}
        for id in ids {
            if over(self, 3) && is_typing(self, id) {
                self.merge_into_child(id);
            }
        }
    }

    /// Makes the root's only child the root, if a person wrote it.
    fn forget_first_step(&mut self) -> bool {
        let Some(&[only]) = self.get(self.root).map(|root| root.children.as_slice()) else { return false };
        if self.current == self.root || self.get(only).is_none_or(|node| node.kind != Kind::Typing) {
            return false;
        }
        self.edit_ops(only, |node| {
            node.parent = None;
            node.ops.clear();
        });
        if let Some(node) = self.get_mut(only) {
            node.kind = Kind::Root;
            node.before = node.after;
        }
        self.typing_nodes = self.typing_nodes.saturating_sub(1);
        self.nodes[self.root.0 as usize] = None;
        self.root = only;
        true
    }

    /// Makes `id` and its only child, both a person's, one step.
    fn merge_into_child(&mut self, id: NodeId) {
        let Some(node) = self.get(id).filter(|_| id != self.current) else { return };
        let (&[child], Some(parent)) = (node.children.as_slice(), node.parent) else { return };
        if self.get(child).is_none_or(|child| child.kind != Kind::Typing) {
            return;
        }
        let Some(node) = self.nodes.get_mut(id.0 as usize).and_then(Option::take) else { return };
        self.count(&node, false);
        self.edit_ops(child, |child| {
            let mut ops = node.ops;
            for op in std::mem::take(&mut child.ops) {
                if !ops.last_mut().is_some_and(|last| last.absorb(&op)) {
                    ops.push(op);
                }
            }
            child.ops = ops;
            child.before = node.before;
            child.parent = Some(parent);
        });
        if let Some(parent) = self.get_mut(parent) {
            parent.children.iter_mut().filter(|entry| **entry == id).for_each(|entry| *entry = child);
            if parent.last == Some(id) {
                parent.last = Some(child);
            }
        }
    }
}
