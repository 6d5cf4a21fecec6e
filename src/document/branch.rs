//! Other ways a generation could have gone: at a token, as a whole, and those that were taken already.

use std::{collections::HashSet, ops::Range};

use crate::{
    generate::{TextRequest, TextToken},
    recipe::ModelRef,
};

use super::{
    Document, GenerationId, Origin, TokenRef,
    history::{Kind, NodeId},
    provenance::Snippet,
};

/// A generation to begin, made from an earlier one.
#[derive(Clone, Debug, PartialEq)]
pub struct BranchPlan {
    /// The model of the earlier one; its token ids mean nothing to another.
    pub model: ModelRef,
    /// What to ask. The forced tokens are those before the branch and the chosen one.
    pub request: TextRequest,
    pub(super) source: GenerationId,
    /// How many tokens both have in common.
    pub(super) known: usize,
    pub(super) place: Place,
}

/// Where a planned generation goes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Place {
    /// Beside the earlier one: nothing was written since, or only by models.
    Beside { parent: NodeId, start: usize, removed: Snippet },
    /// Into the text as it is: what a person wrote since stays.
    Here { range: Range<usize> },
}

/// One of the generations made at the same place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// For [`Document::select_variant`].
    pub node: NodeId,
    /// The generation.
    pub generation: GenerationId,
    /// How its text begins, on one line.
    pub preview: String,
    /// Whether it is in the shown text.
    pub is_current: bool,
    /// Whether it is still being written.
    pub is_streaming: bool,
}

/// Characters of a variant's preview.
const PREVIEW_CHARS: usize = 120;
/// Ways back from [`Document::select_elsewhere`] that are remembered.
const MOST_JUMPS: usize = 64;

impl Document {
    /// The generated token that a byte of the shown text belongs to.
    pub fn token_at(&self, byte: usize) -> Option<TokenRef> {
        let (place, origin) = self.runs.at(byte)?;
        let Origin::Generated { generation: id, offset } = origin else { return None };
        let generation = self.generations.get(id)?;
        let index = generation.token_index(offset + byte - place.start)?;
        let bytes = generation.token_range(index)?;
        let to_text = |at: usize| (place.start + at.saturating_sub(offset)).min(place.end);
        Some(TokenRef { generation: id, index, range: to_text(bytes.start)..to_text(bytes.end) })
    }

    /// A token with its probability and the likeliest others.
    pub fn token(&self, token: &TokenRef) -> Option<TextToken> {
        self.generations.token(token.generation, token.index)
    }

    /// Plans to write on from `token` with the token `choice` in its place. Works while the generation still streams.
    pub fn branch(&self, token: &TokenRef, choice: u32) -> Option<BranchPlan> {
        let generation = self.generations.get(token.generation)?;
        let first = generation.token_range(token.index)?.start;
        let mut request = generation.made.request.clone();
        request.forced = generation.token_ids(token.index);
        request.forced.push(choice);
        let place = self.beside(token.generation).or_else(|| self.rest_of(token.generation, first))?;
        let known = token.index;
        Some(BranchPlan { model: generation.made.model.clone(), request, source: token.generation, known, place })
    }

    /// Plans to write the latest generation once more; the caller gives the request another seed.
    pub fn regenerate(&self) -> Option<BranchPlan> {
        let (_, id) = self.history.generation_above(self.history.current)?;
        let generation = self.generations.get(id)?;
        let known = generation.made.request.forced.len().min(generation.tokens.len());
        let first = generation.token_range(known).map_or(generation.text.len(), |range| range.start);
        let place = self.beside(id).or_else(|| self.rest_of(id, first))?;
        let (model, request) = (generation.made.model.clone(), generation.made.request.clone());
        Some(BranchPlan { model, request, source: id, known, place })
    }

    /// The place of a generation in the history, if no person wrote since.
    fn beside(&self, id: GenerationId) -> Option<Place> {
        let own = Kind::Generation(id);
        let mut path = self.history.path_up(self.history.current).filter_map(|id| self.history.get(id));
        let node = path.find(|node| node.kind == own || !matches!(node.kind, Kind::Generation(_)))?;
        let op = node.ops.last().filter(|_| node.kind == own)?;
        // One that was itself put into a person's text began in the middle of its own: keep to the text then.
        let begins_whole = op
            .inserted
            .runs
            .as_slice()
            .first()
            .is_none_or(|run| matches!(run.origin, Origin::Generated { offset: 0, .. }));
        let place = Place::Beside { parent: node.parent?, start: op.start, removed: op.removed.clone() };
        begins_whole.then_some(place)
    }

    /// What the text still shows of a generation from byte `first` of its text on.
    fn rest_of(&self, id: GenerationId, first: usize) -> Option<Place> {
        let mut rest: Option<Range<usize>> = None;
        for (place, origin) in self.origins(&(0..self.len())) {
            let Origin::Generated { generation, offset } = origin else { continue };
            if generation == id && offset + place.len() > first {
                let start = place.start + first.saturating_sub(offset);
                rest = Some(rest.map_or(start, |rest| rest.start)..place.end);
            }
        }
        rest.map(|range| Place::Here { range })
    }

    /// The generations made at the current place: the latest one and those beside it, oldest first; or, stepped
    /// back to before them, those that could come next. Empty when there is none.
    pub fn variants(&self) -> Vec<Variant> {
        let current = self.history.current;
        let generations_in = |parent: NodeId| -> Vec<(NodeId, GenerationId)> {
            let children = self.history.get(parent).map(|node| node.children.as_slice()).unwrap_or_default();
            let generation = |id: &NodeId| match self.history.get(*id)?.kind {
                Kind::Generation(generation) => Some((*id, generation)),
                _ => None,
            };
            children.iter().filter_map(generation).collect()
        };
        let mut found = generations_in(current);
        let mut shown = None;
        if found.is_empty() {
            shown = self.history.generation_above(current).map(|(node, _)| node);
            let parent = shown.and_then(|node| self.history.get(node)?.parent);
            found = parent.map(generations_in).unwrap_or_default();
        }
        let variant = |(node, id): (NodeId, GenerationId)| {
            let generation = self.generations.get(id)?;
            let (is_current, is_streaming) = (Some(node) == shown, generation.is_streaming());
            Some(Variant { node, generation: id, preview: preview(generation.text()), is_current, is_streaming })
        };
        found.into_iter().filter_map(variant).collect()
    }

    /// Generations that neither [`Document::variants`] nor redo reaches from here: those of ways left by going back
    /// and writing something else, newest first. Each is the first generation of its way; the next ones are found
    /// from there.
    pub fn elsewhere(&self) -> Vec<Variant> {
        let current = self.history.current;
        let path: HashSet<NodeId> = self.history.path_up(current).collect();
        let listed: HashSet<NodeId> = self.variants().into_iter().map(|variant| variant.node).collect();
        let ahead = |id: &NodeId| self.history.get(*id)?.last;
        let redone: HashSet<NodeId> = std::iter::successors(ahead(&current), ahead).collect();
        let mut waiting: Vec<NodeId> = path.iter().copied().collect();
        let mut found = Vec::new();
        while let Some(node) = waiting.pop().and_then(|id| self.history.get(id)) {
            for id in node.children.iter().copied().filter(|id| !path.contains(id) && !listed.contains(id)) {
                match self.history.get(id).map(|node| node.kind) {
                    Some(Kind::Generation(generation)) if !redone.contains(&id) => found.push((id, generation)),
                    Some(_) => waiting.push(id),
                    None => {}
                }
            }
        }
        found.sort_unstable_by(|one, other| other.cmp(one));
        let variant = |(node, id): (NodeId, GenerationId)| {
            let generation = self.generations.get(id)?;
            let is_streaming = generation.is_streaming();
            Some(Variant { node, generation: id, preview: preview(generation.text()), is_current: false, is_streaming })
        };
        found.into_iter().filter_map(variant).collect()
    }

    /// Shows the text as it stood in one of [`Document::elsewhere`]; undoing that comes back here.
    pub fn select_elsewhere(&mut self, node: NodeId) -> bool {
        let from = self.history.current;
        self.leave_variant();
        let resume = self.history.get(node).and_then(|node| node.resume).filter(|id| self.history.get(*id).is_some());
        let moved = self.select_node(resume.unwrap_or(node));
        if moved && self.history.current != from {
            self.jumps.push((from, self.history.current));
            if self.jumps.len() > MOST_JUMPS {
                self.jumps.remove(0);
            }
        }
        moved
    }

    /// Takes back a [`Document::select_elsewhere`] that nothing was done after.
    pub(super) fn jump_back(&mut self) -> bool {
        let current = self.history.current;
        self.jumps.pop_if(|(_, to)| *to == current).is_some_and(|(from, _)| self.select_node(from))
    }

    /// Shows another of the [`Document::variants`], with what was written after it when it was last shown.
    pub fn select_variant(&mut self, node: NodeId) -> bool {
        if self.history.path_up(self.history.current).any(|id| id == node) {
            return true;
        }
        self.leave_variant();
        let resume = self.history.get(node).and_then(|node| node.resume).filter(|id| self.history.get(*id).is_some());
        self.select_node(resume.unwrap_or(node))
    }

    /// Remembers where in the current variant the document stands.
    pub(super) fn leave_variant(&mut self) {
        let current = self.history.current;
        if let Some((node, _)) = self.history.generation_above(current)
            && let Some(node) = self.history.get_mut(node)
        {
            node.resume = Some(current);
        }
    }
}

fn preview(text: &str) -> String {
    let mut words = text.split_whitespace();
    let mut line = words.next().unwrap_or_default().to_owned();
    for word in words {
        if line.len() > PREVIEW_CHARS * 4 {
            break;
        }
        line.push(' ');
        line.push_str(word);
    }
    match line.char_indices().nth(PREVIEW_CHARS) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line,
    }
}
