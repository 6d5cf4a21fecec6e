//! A person's edits, and going back and forth in the history.

use std::ops::Range;

use super::{
    Document, Selection,
    history::{Kind, NodeId, Op},
    provenance::Snippet,
    with_plain_line_ends,
};

/// Typing that pauses longer than this begins a new step of undo.
const PAUSE_MS: u64 = 1000;
/// Edits longer than this (pasted text) are a step of their own.
const TYPED_BYTES: usize = 24;

impl Document {
    /// A person replaces `range` by `text`. Letters typed in a row become one step of undo, word by word.
    /// The caret goes to the end of what was inserted.
    pub fn edit(&mut self, range: Range<usize>, text: &str, now_ms: u64) {
        self.edit_many(&[(range, text)], now_ms);
    }

    /// A person replaces several places, in order and apart from each other, as one step of undo.
    pub fn edit_many(&mut self, edits: &[(Range<usize>, &str)], now_ms: u64) {
        let before = self.selection;
        let mut ops: Vec<Op> = Vec::new();
        // Each place is given in the text before all of them; `done` is the end of the last one in it.
        let (mut shift, mut done) = (0_isize, 0_usize);
        for (range, text) in edits {
            let start = range.start.max(done).saturating_add_signed(shift);
            let end = range.end.max(done).saturating_add_signed(shift);
            let range = self.buffer.whole_chars(start..end);
            let op = Op {
                start: range.start,
                removed: self.snippet(range.clone()),
                inserted: Snippet::written(&with_plain_line_ends(text)),
            };
            if op.removed == op.inserted {
                continue;
            }
            self.splice(range.clone(), &op.inserted);
            done = range.end.saturating_add_signed(-shift);
            shift = shift.saturating_add_unsigned(op.inserted.text.len()).saturating_sub_unsigned(range.len());
            ops.push(op);
        }
        let Some(last) = ops.last() else { return };
        self.selection = Selection::caret(last.inserted_range().end);
        self.modified_s = now_ms / 1000;
        if !self.coalesce(&ops, now_ms) {
            let current = self.history.current;
            let node = self.history.add(current, Kind::Typing, ops, [before, self.selection], now_ms);
            self.history.current = node;
            self.history.prune();
        }
        self.tinted = self.streaming().collect();
    }

    /// Makes the edit part of the current step, if it goes on typing there.
    fn coalesce(&mut self, ops: &[Op], now_ms: u64) -> bool {
        let [op] = ops else { return false };
        let (current, after) = (self.history.current, self.selection);
        let Some(node) = self.history.get(current) else { return false };
        let (Kind::Typing, false, [last]) = (node.kind, node.sealed, node.ops.as_slice()) else { return false };
        let typed = op.removed.text.is_empty();
        let goes_on = if typed {
            last.inserted_range().end == op.start && !begins_word(&last.inserted.text, &op.inserted.text)
        } else {
            // Deleting goes on with deleting, backwards or forwards.
            let touches = op.removed_range().end == last.start || op.start == last.start;
            op.inserted.text.is_empty() && last.inserted.text.is_empty() && touches
        };
        let is_small = op.inserted.text.len().max(op.removed.text.len()) <= TYPED_BYTES;
        if !goes_on || !is_small || now_ms.saturating_sub(node.time_ms) > PAUSE_MS {
            return false;
        }
        let absorbed = self.history.edit_ops(current, |node| {
            node.time_ms = now_ms;
            node.after = after;
            node.ops.first_mut().is_some_and(|last| last.absorb(op))
        });
        absorbed.unwrap_or(false)
    }

    /// Ends the current step of typing: what is typed next can be undone on its own.
    pub fn seal(&mut self) {
        let current = self.history.current;
        if let Some(node) = self.history.get_mut(current) {
            node.sealed = true;
        }
    }

    /// Whether there is something to undo.
    pub fn can_undo(&self) -> bool {
        self.history.current != self.history.root
    }

    /// Whether there is something to redo.
    pub fn can_redo(&self) -> bool {
        self.history.get(self.history.current).is_some_and(|node| node.last.is_some())
    }

    /// Steps back; `false` at the beginning.
    pub fn undo(&mut self) -> bool {
        if self.jump_back() {
            return true;
        }
        let moved = self.step_up();
        self.settle(moved)
    }

    /// Steps forward along the branch last used; `false` at its end.
    pub fn redo(&mut self) -> bool {
        let next = self.history.get(self.history.current).and_then(|node| node.last);
        let moved = next.is_some_and(|next| self.step_down(next));
        self.settle(moved)
    }

    /// Goes to any place of the history.
    pub fn select_node(&mut self, target: NodeId) -> bool {
        if self.history.get(target).is_none() || target == self.history.current {
            return target == self.history.current;
        }
        let fork = self.history.common_ancestor(self.history.current, target);
        let mut down: Vec<NodeId> = self.history.path_up(target).take_while(|id| *id != fork).collect();
        let mut good = true;
        while good && self.history.current != fork {
            good = self.step_up();
        }
        while let (true, Some(next)) = (good, down.pop()) {
            good = self.step_down(next);
        }
        self.settle(true);
        good
    }

    fn step_up(&mut self) -> bool {
        let Some(node) = self.history.get(self.history.current).cloned() else { return false };
        let Some(parent) = node.parent else { return false };
        for (done, op) in node.ops.iter().rev().enumerate() {
            if !self.apply(op, false) {
                // Only a damaged library gets here: put back what was undone and stay.
                node.ops[node.ops.len() - done..].iter().for_each(|op| _ = self.apply(op, true));
                return false;
            }
        }
        let current = std::mem::replace(&mut self.history.current, parent);
        if let Some(parent) = self.history.get_mut(parent) {
            parent.last = Some(current);
        }
        self.selection = node.before;
        true
    }

    fn step_down(&mut self, child: NodeId) -> bool {
        let current = self.history.current;
        let Some(node) = self.history.get(child).filter(|node| node.parent == Some(current)).cloned() else {
            return false;
        };
        for (done, op) in node.ops.iter().enumerate() {
            if !self.apply(op, true) {
                node.ops[..done].iter().rev().for_each(|op| _ = self.apply(op, false));
                return false;
            }
        }
        if let Some(parent) = self.history.get_mut(current) {
            parent.last = Some(child);
        }
        self.history.current = child;
        self.selection = node.after;
        true
    }

    /// After moving in the history: the selection must fit, typing must not go on, and tints are those of the place.
    fn settle(&mut self, moved: bool) -> bool {
        if moved {
            self.seal();
            self.set_selection(self.selection);
            self.retint();
            self.touch();
        }
        moved
    }

    /// Tints the generations since the last edit by a person, and those that stream into the shown text.
    pub(super) fn retint(&mut self) {
        let mut tinted = Vec::new();
        for id in self.history.path_up(self.history.current) {
            match self.history.get(id).map(|node| node.kind) {
                Some(Kind::Generation(generation)) => tinted.push(generation),
                _ => break,
            }
        }
        tinted.extend(self.streaming());
        self.tinted = tinted;
    }
}

/// Whether typing `next` after `before` begins a new word: then what came before stays when it is undone.
fn begins_word(before: &str, next: &str) -> bool {
    let ends_word = before.chars().next_back().is_some_and(char::is_whitespace);
    let is_space = next.chars().next().is_some_and(char::is_whitespace);
    let ends_line = before.ends_with('\n') || next.contains('\n');
    ends_line || (ends_word && !is_space)
}
