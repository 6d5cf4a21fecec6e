//! Logit bias: a number added to the logits of chosen tokens.

use super::Candidates;

/// Adds each bias to its token's logit; minus infinity forbids the token, ids outside the vocabulary are ignored.
pub fn logit_bias(list: &mut Candidates, biases: &[(u32, f32)]) {
    for &(id, bias) in biases {
        list.change(id, |logit| logit + bias);
    }
}
