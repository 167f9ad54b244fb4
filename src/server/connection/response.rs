//! A response on its way onto the socket: in one write when it is small, by `sendfile` when large.
//!
//! A listing is written and sent a piece at a time. A response that cannot be sent as its head promised is
//! an error, and its connection is closed.

use std::io;
use std::os::unix::fs::FileExt;

use super::send::{More, Outgoing};
use crate::http::{LAST_CHUNK, Persistence, Version, write_chunk};
use crate::server::handler::response::{Content, Response};
use crate::server::site::listing::pieces::Pieces;

/// Content up to this size is copied behind its head and sent with it, in one write: one segment on
/// its way instead of two, and two system calls less than `sendfile` needs.
const ONE_WRITE_BYTES: u64 = 32 * 1024;

/// Which part of a response is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// For `HEAD`: exactly the head that `GET` would get (RFC 9110 §9.3.2).
    Head,
    Whole,
}

/// Sends the response and says how many bytes of content went out. `out` is the connection's
/// buffer for outgoing bytes.
///
/// # Errors
/// The peer is gone or too slow, or the file is no longer as long as the head says: the connection
/// is of no more use.
pub(super) fn send(
    response: &Response,
    mut outgoing: Outgoing<'_>,
    out: &mut Vec<u8>,
    (version, part, persistence): (Version, Part, Persistence),
) -> io::Result<u64> {
    outgoing.pace.begin();
    out.clear();
    response.write_head(out, version, persistence);
    match &response.content {
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
