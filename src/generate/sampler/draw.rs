//! The draw at the end of the chain.

use super::{Candidate, Candidates};

/// The token in whose share of the probability `uniform` (in [0, 1)) falls, shares laid out likeliest first.
pub fn draw(list: &mut Candidates, uniform: f64) -> Option<Candidate> {
    list.cut_likeliest(|sum| sum > uniform)
}
