//! A response: its status, its fields and its content; writes the head, with the fields that every response
//! has.

use std::time::SystemTime;

use crate::http::negotiation::MediaType;
use crate::http::range::ByteRange;
use crate::http::{FieldLines, HeadWriter, Persistence, Status, Version};
use crate::server::clock::with_second;
use crate::server::site::archive::contents::Archive;
use crate::server::site::file::FileContent;
use crate::server::site::listing::contents::Listing;

/// The value of `Server` (RFC 9110 §10.2.4).
const SERVER: &str = concat!("http_server_conc/", env!("CARGO_PKG_VERSION"));

/// Room for the lines of a usual response, so that they need one allocation.
const LINES_BYTES: usize = 512;

/// A shorter response is taken by the kernel as a whole, even if the client reads nothing: the buffer for sending
/// begins with 16 KiB (tcp(7), `tcp_wmem`).
const SHORT_BYTES: usize = 4 * 1024;

/// The content of a response.
#[derive(Debug)]
pub(crate) enum ResponseContent {
    /// No content and no `Content-Length`: 204 and 304.
    None,
    Text(Vec<u8>),
    /// `length` bytes of a file from `offset` on.
    File {
        file: FileContent,
        offset: u64,
        length: u64,
    },
    /// Ranges of a file, each with the text before it (`multipart/byteranges`), and the text at the end.
    Parts {
        file: FileContent,
        parts: Vec<(String, ByteRange)>,
        closing: String,
        /// Of the whole content.
        length: u64,
    },
    /// A listing, written while it is sent: chunked, or in HTTP/1.0 until the connection is closed.
    Listing {
        listing: Listing,
        form: MediaType,
    },
    /// An archive, likewise.
    Archive(Box<Archive>),
}

impl ResponseContent {
    /// Whether its length is known only when it has been sent.
    fn is_written_while_sent(&self) -> bool {
        matches!(self, Self::Listing { .. } | Self::Archive(_))
    }
}

/// A response without the fields that depend on the connection.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: Status,
    lines: FieldLines,
    pub(crate) content: ResponseContent,
}

impl Response {
    pub(super) fn new(status: Status, content: ResponseContent) -> Self {
        Self { status, lines: FieldLines::with_capacity(LINES_BYTES), content }
    }

    /// A response with a page or text that the server generated.
    pub(super) fn text(status: Status, form: MediaType, text: String) -> Self {
        Self::generated(status, form, ResponseContent::Text(text.into_bytes()))
    }

    /// A response with generated content; browsers must not guess its type.
    pub(super) fn generated(status: Status, form: MediaType, content: ResponseContent) -> Self {
        Self::new(status, content)
            .field("Content-Type", form.content_type())
            .field("X-Content-Type-Options", "nosniff")
    }

    /// Adds a field; see [`FieldLines::push`].
    pub(crate) fn field(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.lines.push(name, value);
        self
    }

    /// Adds a field if there is a value.
    pub(super) fn optional_field(self, name: &str, value: Option<impl AsRef<[u8]>>) -> Self {
        match value {
            Some(value) => self.field(name, value),
            None => self,
        }
    }

    /// Adds fields that are ready to be sent.
    pub(crate) fn lines(mut self, lines: &FieldLines) -> Self {
        self.lines.append(lines);
        self
    }

    fn content_length(&self) -> Option<u64> {
        match &self.content {
            ResponseContent::None
            | ResponseContent::Listing { .. }
            | ResponseContent::Archive(_) => None,
            ResponseContent::Text(text) => Some(text.len() as u64),
            ResponseContent::File { length, .. } | ResponseContent::Parts { length, .. } => {
                Some(*length)
            }
        }
    }

    /// Whether it can be sent as the first of its connection without waiting for the client.
    pub(crate) fn is_short(&self) -> bool {
        let content = match &self.content {
            ResponseContent::None => 0,
            ResponseContent::Text(text) => text.len(),
            _ => return false,
        };
        self.lines.as_bytes().len() + content <= SHORT_BYTES
    }

    /// Whether a client of this version finds the end of the content without a close (RFC 9112 §6.3).
    pub(crate) fn is_delimited(&self, version: Version) -> bool {
        version == Version::Http11 || !self.content.is_written_while_sent()
    }

    /// The content if it is text, else nothing.
    pub(super) fn text_content(&self) -> &[u8] {
        if let ResponseContent::Text(text) = &self.content { text } else { &[] }
    }

    /// Appends the head. `Connection` is written where it differs from the version's default.
    pub(crate) fn write_head(&self, out: &mut Vec<u8>, version: Version, persistence: Persistence) {
        let mut head = HeadWriter::response(out, self.status);
        head = with_second(SystemTime::now(), |second, _| head.field("Date", second.imf_fixdate()))
            .field("Server", SERVER)
            .lines(&self.lines);
        if let Some(length) = self.content_length() {
            head = head.number("Content-Length", length);
        }
        if self.content.is_written_while_sent() && version == Version::Http11 {
            head = head.field("Transfer-Encoding", "chunked");
        }
        match (persistence, version) {
            (Persistence::Close, _) => head.field("Connection", "close"),
            (Persistence::Keep, Version::Http10) => head.field("Connection", "keep-alive"),
            (Persistence::Keep, Version::Http11) => head,
        }
        .finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_short_up_to_a_bound_for_its_fields_and_its_content() {
        // With `Location: ` and the end of the line.
        let with_location = |bytes: usize, content| {
            Response::new(Status::NO_CONTENT, content).field("Location", "x".repeat(bytes - 12))
        };
        let text = |bytes| ResponseContent::Text(vec![0; bytes]);
        for (bytes, content, is_short) in [
            (SHORT_BYTES, ResponseContent::None, true),
            (SHORT_BYTES + 1, ResponseContent::None, false),
            (100, text(SHORT_BYTES - 100), true),
            (100, text(SHORT_BYTES - 99), false),
        ] {
            let response = with_location(bytes, content);
            assert_eq!(response.is_short(), is_short, "{bytes} {response:?}");
        }
    }
}
