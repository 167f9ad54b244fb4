//! Writes the heads of requests and responses into a buffer.

use std::io::Write as _;

use super::field_lines::{FieldLines, write_line};
use super::status::Status;

/// Appends one head to a buffer. Call [`HeadWriter::finish`] to complete it.
#[derive(Debug)]
#[must_use = "a head is not complete before it is finished"]
pub struct HeadWriter<'o> {
    out: &'o mut Vec<u8>,
}

impl<'o> HeadWriter<'o> {
    /// Begins a response (RFC 9112 §4). The version is HTTP/1.1 even for an HTTP/1.0 client, because it
    /// states what the server conforms to (RFC 9110 §6.2).
    pub fn response(out: &'o mut Vec<u8>, status: Status) -> Self {
        let mut head = Self { out };
        head.push(b"HTTP/1.1 ");
        head.push_number(u64::from(status.code()));
        head.push(b" ");
        head.push(status.reason().as_bytes());
        head.push(b"\r\n");
        head
    }

    /// Begins a request (RFC 9112 §3). `target` is percent-encoded, in origin-form, or in absolute-form
    /// for a proxy.
    pub fn request(out: &'o mut Vec<u8>, method: &str, target: &str) -> Self {
        let mut head = Self { out };
        head.push(method.as_bytes());
        head.push(b" ");
        head.push(target.as_bytes());
        head.push(b" HTTP/1.1\r\n");
        head
    }

    /// Adds a field, as [`FieldLines::push`] does.
    pub fn field(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        write_line(self.out, name, value.as_ref());
        self
    }

    /// Adds lines that are ready to be sent.
    pub fn lines(mut self, lines: &FieldLines) -> Self {
        self.push(lines.as_bytes());
        self
    }

    /// Adds a field with a decimal number as its value.
    pub fn number(mut self, name: &str, value: u64) -> Self {
        self.push(name.as_bytes());
        self.push(b": ");
        self.push_number(value);
        self.push(b"\r\n");
        self
    }

    /// Ends the head with an empty line.
    pub fn finish(mut self) {
        self.push(b"\r\n");
    }

    fn push(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    fn push_number(&mut self, value: u64) {
        write!(self.out, "{value}").expect("writing into memory does not fail");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_written_as_in_rfc_9112() {
        let (mut out, mut lines) = (Vec::new(), FieldLines::default());
        lines.push("Vary", "Accept");
        HeadWriter::response(&mut out, Status::NOT_FOUND)
            .field("Content-Type", "text/plain")
            .lines(&lines)
            .number("Content-Length", u64::MAX)
            .finish();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\n\
             Vary: Accept\r\nContent-Length: 18446744073709551615\r\n\r\n"
        );
        let mut out = Vec::new();
        HeadWriter::request(&mut out, "GET", "/a?b").field("Host", "localhost").finish();
        assert_eq!(out, b"GET /a?b HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
}
