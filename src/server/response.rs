//! A response, and its way onto the socket: in one write when it is small, by `sendfile` when large.
//!
//! A listing is written and sent a piece at a time. What to answer is decided in `answer`; here it is only
//! written, with the fields that every response has. A response that cannot be sent as its head promised
//! is an error, and its connection is closed.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::date::with_current_date;
use super::outgoing::{More, Outgoing};
use super::site::listing::contents::Listing;
use super::site::listing::pieces::Pieces;
use crate::http::negotiation::MediaType;
use crate::http::range::ByteRange;
use crate::http::{HeadWriter, LAST_CHUNK, Persistence, Status, Version, write_chunk};

/// The name that responses give for the program (RFC 9110 §10.2.4).
pub(super) const SERVER: &str = concat!("http_server_conc/", env!("CARGO_PKG_VERSION"));

/// Content up to this size is copied behind its head and sent with it, in one write: one segment on
/// its way instead of two, and two system calls less than `sendfile` needs.
const ONE_WRITE_BYTES: u64 = 32 * 1024;

/// What follows the head.
#[derive(Debug)]
pub(super) enum Content {
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
pub(super) struct Response {
    pub(super) status: Status,
    fields: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    pub(super) content: Content,
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

    pub(super) fn field(
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
    pub(super) fn is_delimited(&self, version: Version) -> bool {
        version == Version::Http11 || !matches!(self.content, Content::Listing { .. })
    }

    /// Appends the content where that is text.
    pub(super) fn write_text(&self, out: &mut Vec<u8>) {
        if let Content::Text(text) = &self.content {
            out.extend_from_slice(text);
        }
    }

    /// Appends the head. `Connection` is written where it says something that the version does not.
    pub(super) fn write_head(&self, out: &mut Vec<u8>, version: Version, persistence: Persistence) {
        let mut head = HeadWriter::response(out, self.status);
        head = with_current_date(|date| head.field("Date", date)).field("Server", SERVER);
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
            (Persistence::Close(_), _) => head.field("Connection", "close"),
            (Persistence::Keep, Version::Http10) => head.field("Connection", "keep-alive"),
            (Persistence::Keep, Version::Http11) => head,
        }
        .finish();
    }
}

/// Which part of a response is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// For `HEAD`: exactly the head that `GET` would get (RFC 9110 §9.3.2).
    Head,
    Whole,
}

impl Response {
    /// Sends the response and says how many bytes of content went out. `out` is the connection's
    /// buffer for outgoing bytes.
    ///
    /// # Errors
    /// The peer is gone or too slow, or the file is no longer as long as the head says: the connection
    /// is of no more use.
    pub(super) fn send(
        &self,
        mut outgoing: Outgoing<'_>,
        out: &mut Vec<u8>,
        (version, part, persistence): (Version, Part, Persistence),
    ) -> io::Result<u64> {
        outgoing.pace.begin();
        out.clear();
        self.write_head(out, version, persistence);
        match &self.content {
            _ if part == Part::Head => outgoing.send_all(out, More::No).map(|()| 0),
            Content::None => outgoing.send_all(out, More::No).map(|()| 0),
            Content::Text(text) if text.len() as u64 <= ONE_WRITE_BYTES => {
                out.extend_from_slice(text);
                outgoing.send_all(out, More::No).map(|()| text.len() as u64)
            }
            Content::Text(text) => {
                outgoing.send_all(out, More::Follows)?;
                outgoing.send_all(text, More::No).map(|()| text.len() as u64)
            }
            Content::File { file, offset, length } if *length <= ONE_WRITE_BYTES => {
                let head = out.len();
                let length = usize::try_from(*length).expect("it is at most ONE_WRITE_BYTES");
                out.resize(head + length, 0);
                file.read_exact_at(&mut out[head..], *offset)?;
                outgoing.send_all(out, More::No).map(|()| length as u64)
            }
            Content::File { file, offset, length } => {
                outgoing.send_all(out, More::Follows)?;
                outgoing.send_file(file, *offset, *length).map(|()| *length)
            }
            Content::Parts { file, parts, closing, length } => {
                for (text, range) in parts {
                    out.extend_from_slice(text.as_bytes());
                    outgoing.send_all(out, More::Follows)?;
                    out.clear();
                    outgoing.send_file(file, range.first, range.length())?;
                }
                outgoing.send_all(closing.as_bytes(), More::No).map(|()| *length)
            }
            Content::Listing { listing, form } => {
                send_pieces(Pieces::new(listing, *form), outgoing, out, version)
            }
        }
    }
}

/// Sends a listing behind its head, which is in `out`, a piece at a time.
fn send_pieces(
    mut pieces: Pieces<'_>,
    mut outgoing: Outgoing<'_>,
    out: &mut Vec<u8>,
    version: Version,
) -> io::Result<u64> {
    let (mut piece, mut sent) = (String::new(), 0);
    while !pieces.is_complete() {
        piece.clear();
        pieces.write_next(&mut piece);
        match version {
            Version::Http10 => out.extend_from_slice(piece.as_bytes()),
            Version::Http11 => {
                write_chunk(out, piece.as_bytes());
                if pieces.is_complete() {
                    out.extend_from_slice(LAST_CHUNK);
                }
            }
        }
        outgoing.send_all(out, if pieces.is_complete() { More::No } else { More::Follows })?;
        out.clear();
        sent += piece.len() as u64;
    }
    Ok(sent)
}
