//! Field lines as bytes that are ready to be sent.

use super::syntax::{is_field_value, is_field_value_byte};

/// Complete field lines (RFC 9112 §5), each with its CRLF. A head takes them as they are, so lines that
/// many heads have in common are written once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldLines {
    bytes: Vec<u8>,
}

impl FieldLines {
    /// No lines, with room for so many bytes.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes) }
    }

    /// Adds a line. `name` must be a token. Control bytes in the value are replaced by spaces, so that a
    /// value cannot end the line and inject another field (RFC 9110 §5.5).
    pub fn push(&mut self, name: &str, value: impl AsRef<[u8]>) {
        write_line(&mut self.bytes, name, value.as_ref());
    }

    /// Adds the lines of `other`.
    pub fn append(&mut self, other: &Self) {
        self.bytes.extend_from_slice(&other.bytes);
    }

    /// The lines as they are sent.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Appends one field line to `out`; see [`FieldLines::push`].
pub(super) fn write_line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    if is_field_value(value) {
        out.extend_from_slice(value);
    } else {
        let safe = |byte: &u8| if is_field_value_byte(*byte) { *byte } else { b' ' };
        out.extend(value.iter().map(safe));
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_written_as_in_rfc_9112_and_joined() {
        let mut lines = FieldLines::default();
        lines.push("Content-Type", "text/plain");
        let mut more = FieldLines::default();
        more.push("ETag", b"\"a\"");
        lines.append(&more);
        assert_eq!(lines.as_bytes(), b"Content-Type: text/plain\r\nETag: \"a\"\r\n");
    }

    #[test]
    fn no_value_can_begin_another_field() {
        let mut lines = FieldLines::default();
        lines.push("Location", "/a\r\nX: y\0");
        assert_eq!(lines.as_bytes(), b"Location: /a  X: y \r\n");
    }
}
