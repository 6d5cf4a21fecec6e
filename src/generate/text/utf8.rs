//! Bytes that arrive in pieces, as text.

/// Turns a stream of bytes into text; the bytes of a character that is not complete yet wait for the rest of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Utf8Stream {
    waiting: Vec<u8>,
}

impl Utf8Stream {
    /// Appends to `text` what `bytes` complete. Bytes that can no longer become a character are replaced by U+FFFD.
    pub(super) fn push(&mut self, bytes: &[u8], text: &mut String) {
        self.waiting.extend_from_slice(bytes);
        let mut rest = self.waiting.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(good) => {
                    text.push_str(good);
                    rest = &[];
                    break;
                }
                Err(why) => {
                    let (good, bad) = rest.split_at(why.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(good));
                    rest = bad;
                    let Some(length) = why.error_len() else { break };
                    text.push(char::REPLACEMENT_CHARACTER);
                    rest = &rest[length..];
                }
            }
        }
        let done = self.waiting.len() - rest.len();
        self.waiting.drain(..done);
    }

    /// Whether a character is incomplete.
    pub(super) fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_give_what_the_whole_gives() {
        let samples: [&[u8]; 6] = [
            "héllo 你好 🙂!".as_bytes(),
            b"a\xffb\xc3(\xe4\xbd",
            b"\xf0\x9f\x99\x82\xf0\x9f",
            b"\xe4\xe4\xbd\xa0",
            b"\x80\x80\xf8\x88\x80",
            b"",
        ];
        for bytes in samples {
            for size in 1..=bytes.len().max(1) {
                let (mut stream, mut text) = (Utf8Stream::default(), String::new());
                bytes.chunks(size).for_each(|piece| stream.push(piece, &mut text));
                let whole = String::from_utf8_lossy(bytes);
                let want = if stream.waits() { whole.strip_suffix('\u{fffd}').unwrap_or(&whole) } else { &*whole };
                assert_eq!(text, want, "{bytes:?} by {size}");
            }
        }
    }

    #[test]
    fn an_incomplete_character_waits() {
        let (mut stream, mut text) = (Utf8Stream::default(), String::new());
        stream.push(&"你".as_bytes()[..2], &mut text);
        assert!(text.is_empty() && stream.waits());
        stream.push(&"你".as_bytes()[2..], &mut text);
        assert!(text == "你" && !stream.waits());
    }
}
