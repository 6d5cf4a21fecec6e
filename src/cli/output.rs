//! The two streams of a subcommand: results on one, notes on the other.

use std::io::{ErrorKind, Write};

use serde::Serialize;

use super::{Failure, Result};
use crate::{Error, Lang};

/// Where a subcommand prints.
pub struct Output<'a> {
    results: &'a mut dyn Write,
    notes: &'a mut dyn Write,
    lang: Lang,
}

impl<'a> Output<'a> {
    /// Results go to `results`, notes and errors to `notes`, in `lang`.
    pub fn new(results: &'a mut dyn Write, notes: &'a mut dyn Write, lang: Lang) -> Self {
        Self { results, notes, lang }
    }

    /// The language of sentences.
    pub fn lang(&self) -> Lang {
        self.lang
    }

    /// Prints a value as JSON on a line of its own: the one thing printed with `--json`.
    ///
    /// # Errors
    /// When stdout is full or closed.
    pub fn json(&mut self, value: &impl Serialize) -> Result {
        let text = serde_json::to_string(value).map_err(|why| {
            Error::new(format!("Could not put the result into JSON: {why}."), format!("无法将结果写成 JSON：{why}。"))
        })?;
        self.line(&text)
    }

    /// Prints a line.
    ///
    /// # Errors
    /// When stdout is full or closed.
    pub fn line(&mut self, text: &str) -> Result {
        let written = self.results.write_all(text.as_bytes()).and_then(|()| self.results.write_all(b"\n"));
        written.map_err(|why| refused(&why))
    }

    /// Prints a piece of text at once, without ending the line: for text that streams.
    ///
    /// # Errors
    /// When stdout is full or closed.
    pub fn piece(&mut self, text: &str) -> Result {
        self.results.write_all(text.as_bytes()).map_err(|why| refused(&why))?;
        self.flush()
    }

    /// Makes sure that everything printed has left.
    ///
    /// # Errors
    /// When stdout is full or closed.
    pub fn flush(&mut self) -> Result {
        self.results.flush().map_err(|why| refused(&why))
    }

    /// Prints a line for the person on stderr. There is nowhere to tell that this failed.
    pub fn note(&mut self, text: &str) {
        let _ = writeln!(self.notes, "{text}");
    }
}

fn refused(why: &std::io::Error) -> Failure {
    if why.kind() == ErrorKind::BrokenPipe {
        return Failure::Unread;
    }
    Failure::Failed(Error::new(
        format!("Could not print the result: {why}; send the output somewhere else."),
        format!("无法输出结果：{why}；请换一个输出位置。"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Refusing(ErrorKind);

    impl Write for Refusing {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn a_reader_that_left_is_no_error_but_a_full_disk_is() {
        let mut notes = Vec::new();
        let (mut left, mut full) = (Refusing(ErrorKind::BrokenPipe), Refusing(ErrorKind::StorageFull));
        assert!(matches!(Output::new(&mut left, &mut notes, Lang::En).line("x"), Err(Failure::Unread)));
        assert!(matches!(Output::new(&mut full, &mut notes, Lang::En).piece("x"), Err(Failure::Failed(_))));
    }

    #[test]
    fn json_is_one_line() {
        let (mut results, mut notes) = (Vec::new(), Vec::new());
        let value = serde_json::json!({"text": "a\nb"});
        Output::new(&mut results, &mut notes, Lang::En).json(&value).expect("print");
        assert_eq!(results, b"{\"text\":\"a\\nb\"}\n");
        assert!(notes.is_empty());
    }
}
