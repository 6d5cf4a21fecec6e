//! The recipe of a document: of which pieces the shown text consists.

use std::collections::BTreeMap;

use crate::recipe::{Piece, TextRecipe};

use super::{Document, GenerationId, Origin};

impl Document {
    /// The shown text as pieces, with the generations they were taken from. Parts that running a generation again
    /// would not give are told as written.
    pub fn recipe(&self) -> TextRecipe {
        let mut recipe = TextRecipe::default();
        let mut indices: BTreeMap<GenerationId, usize> = BTreeMap::new();
        for (place, origin) in self.origins(&(0..self.len())) {
            let generated = match origin {
                Origin::Written => None,
                Origin::Generated { generation, offset } => {
                    self.generations.get(generation).map(|made| (generation, made, offset))
                }
            };
            let Some((id, made, start)) = generated else {
                push_written(&mut recipe, &self.text()[place]);
                continue;
            };
            let settled = if made.is_streaming() { made.text.len() } else { made.settled };
            let end = (start + place.len()).min(settled).max(start);
            if end > start {
                let generation = *indices.entry(id).or_insert_with(|| {
                    recipe.generations.push(made.made.clone());
                    recipe.generations.len() - 1
                });
                recipe.pieces.push(Piece::Generated { generation, start, end });
            }
            push_written(&mut recipe, &self.text()[place.start + (end - start)..place.end]);
        }
        recipe
    }
}

fn push_written(recipe: &mut TextRecipe, text: &str) {
    match recipe.pieces.last_mut() {
        _ if text.is_empty() => {}
        Some(Piece::Written(last)) => last.push_str(text),
        _ => recipe.pieces.push(Piece::Written(text.to_owned())),
    }
}
