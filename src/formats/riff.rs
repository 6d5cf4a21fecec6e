//! Chunks of RIFF files (Microsoft and IBM, 1991), which WAV and WebP are.

/// Appends a chunk, filled up to an even length.
pub(super) fn chunk(to: &mut Vec<u8>, id: &[u8; 4], body: &[u8]) {
    to.extend_from_slice(id);
    to.extend_from_slice(&(body.len() as u32).to_le_bytes());
    to.extend_from_slice(body);
    if body.len() % 2 == 1 {
        to.push(0);
    }
}
