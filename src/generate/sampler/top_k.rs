//! Top-k (Fan et al., 2018).

use super::Candidates;

/// Keeps the `k` likeliest tokens; 0 is off.
pub fn top_k(list: &mut Candidates, k: u32) {
    if k > 0 {
        list.keep_likeliest(k as usize);
    }
}
