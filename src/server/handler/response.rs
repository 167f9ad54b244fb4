//! A response: its status, its fields, and what follows its head.
//!
//! What to answer is decided in `answer`; here the head is written, with the fields that every response
//! has.

use std::borrow::Cow;
use std::fs::File;
use std::time::SystemTime;

use crate::http::negotiation::MediaType;
use crate::http::range::ByteRange;
use crate::http::{HeadWriter, Persistence, Status, Version};
use crate::server::clock::with_second;
use crate::server::site::listing::contents::Listing;

/// The name that responses give for the program (RFC 9110 §10.2.4).
const SERVER: &str = concat!("http_server_conc/", env!("CARGO_PKG_VERSION"));

/// What follows the head.
#[derive(Debug)]
pub(crate) enum Content {
    /// Nothing, and no `Content-Length` either: 304 and the like.
    None,
    Text(Vec<u8>),
    /// So many bytes of a file, from an offset.
    File {
        file: File,
        offset: u64,
        length: u64,
    },
    /// Several ranges of a file, each behind its own text, and a text at the end; `length` is that of
    /// it all.
    Parts {
        file: File,
        parts: Vec<(String, ByteRange)>,
        closing: String,
        length: u64,
    },
    /// A listing, written while it is sent: chunked, or in HTTP/1.0 until the connection closes.
    Listing {
        listing: Listing,
        form: MediaType,
    },
}

/// One response, complete but for the fields of the connection.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: Status,
    fields: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    pub(crate) content: Content,
}

impl Response {
    pub(super) fn new(status: Status, content: Content) -> Self {
        Self { status, fields: Vec::new(), content }
    }

    /// A page or a text that the server made itself.
    pub(super) fn typed(status: Status, form: MediaType, text: String) -> Self {
        Self::of_type(status, form, Content::Text(text.into_bytes()))
    }

    /// What the server made itself, and no browser is to take for another type.
    pub(super) fn of_type(status: Status, form: MediaType, content: Content) -> Self {
        Self::new(status, content)
            .field("Content-Type", form.content_type())
            .field("X-Content-Type-Options", "nosniff")
    }

    pub(crate) fn field(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    fn content_length(&self) -> Option<u64> {
        match &self.content {
            Content::None | Content::Listing { .. } => None,
            Content::Text(text) => Some(text.len() as u64),
            Content::File { length, .. } | Content::Parts { length, .. } => Some(*length),
        }
    }

    /// Whether the end of the content shows to a client of this version while the connection goes on
    /// (RFC 9112 §6.3).
    pub(crate) fn is_delimited(&self, version: Version) -> bool {
        version == Version::Http11 || !matches!(self.content, Content::Listing { .. })
    }

    /// The content where that is text.
    pub(super) fn text(&self) -> &[u8] {
        if let Content::Text(text) = &self.content { text } else { &[] }
    }

    /// Appends the head. `Connection` is written where it says something that the version does not.
    pub(crate) fn write_head(&self, out: &mut Vec<u8>, version: Version, persistence: Persistence) {
        let mut head = HeadWriter::response(out, self.status);
        head = with_second(SystemTime::now(), |second, _| head.field("Date", second.imf_fixdate()))
            .field("Server", SERVER);
        for (name, value) in &self.fields {
            head = head.field(name, value.as_bytes());
        }
        if let Some(length) = self.content_length() {
            head = head.number("Content-Length", length);
        }
        if matches!(self.content, Content::Listing { .. }) && version == Version::Http11 {
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
