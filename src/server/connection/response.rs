//! Sending a response: in one write if it is small, with `sendfile` if it is large.
//!
//! Listings and archives are written and sent a piece at a time. A response that cannot be sent as its head declares is
//! an error, and its connection is closed.

use std::io;
use std::os::unix::fs::FileExt;

use super::archive::send_archive;
use super::send::{Sender, range_of};
use super::transport::Flush;
use crate::http::{LAST_CHUNK, Persistence, Version, write_chunk};
use crate::server::handler::response::{Response, ResponseContent};
use crate::server::site::archive::writer::ArchiveWriter;
use crate::server::site::file::FileContent;
use crate::server::site::listing::writer::ListingWriter;

/// Content up to this size is appended to its head and sent in one write: one segment instead of two,
/// and two system calls less than `sendfile` needs.
const ONE_WRITE_BYTES: u64 = 32 * 1024;

/// Content in memory up to this size is copied behind its head: cheaper than a call with two buffers.
const COPIED_BYTES: usize = 2 * 1024;

/// How a response is sent to the client that asked for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct SendOptions {
    /// The version of the request.
    pub(super) version: Version,
    pub(super) part: ResponsePart,
    pub(super) persistence: Persistence,
}

/// Which part of a response is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ResponsePart {
    /// For `HEAD`: exactly the head that `GET` would get (RFC 9110 §9.3.2).
    Head,
    Whole,
}

/// Sends the response; returns how many bytes of content were sent. `out` is the connection's buffer for
/// outgoing bytes.
///
/// # Errors
/// The peer disconnected or is too slow, or the file is no longer as long as the head says: the
/// connection must be closed.
pub(super) fn send(
    response: &Response,
    mut sender: Sender<'_, '_>,
    out: &mut Vec<u8>,
    options: SendOptions,
) -> io::Result<u64> {
    sender.rate.begin();
    out.clear();
    response.write_head(out, options.version, options.persistence);
    match &response.content {
        _ if options.part == ResponsePart::Head => sender.send_all(out, Flush::Now).map(|()| 0),
        ResponseContent::None => sender.send_all(out, Flush::Now).map(|()| 0),
        ResponseContent::Text(text) if text.len() as u64 <= ONE_WRITE_BYTES => {
            out.extend_from_slice(text);
            sender.send_all(out, Flush::Now).map(|()| text.len() as u64)
        }
        ResponseContent::Text(text) => {
            sender.send_all(out, Flush::Later)?;
            sender.send_all(text, Flush::Now).map(|()| text.len() as u64)
        }
        ResponseContent::File { file: FileContent::Loaded(bytes), offset, length } => {
            let range = range_of(bytes, *offset, *length);
            if range.len() <= COPIED_BYTES {
                out.extend_from_slice(range);
                sender.send_all(out, Flush::Now)
            } else {
                sender.send_both(out, range, Flush::Now)
            }
            .map(|()| *length)
        }
        ResponseContent::File { file: FileContent::Opened(file), offset, length }
            if *length <= ONE_WRITE_BYTES =>
        {
            let head = out.len();
            let length = usize::try_from(*length).expect("it is at most ONE_WRITE_BYTES");
            out.resize(head + length, 0);
            file.read_exact_at(&mut out[head..], *offset)?;
            sender.send_all(out, Flush::Now).map(|()| length as u64)
        }
        ResponseContent::File { file, offset, length } => {
            sender.send_all(out, Flush::Later)?;
            sender.send_content(file, *offset, *length, Flush::Now).map(|()| *length)
        }
        ResponseContent::Parts { file, parts, closing, length } => {
            for (text, range) in parts {
                out.extend_from_slice(text.as_bytes());
                sender.send_all(out, Flush::Later)?;
                out.clear();
                sender.send_content(file, range.first, range.length(), Flush::Later)?;
            }
            sender.send_all(closing.as_bytes(), Flush::Now).map(|()| *length)
        }
        ResponseContent::Archive(archive) => {
            send_archive(ArchiveWriter::new(archive), sender, out, options.version)
        }
        ResponseContent::Listing { listing, form } => {
            send_listing(ListingWriter::new(listing, *form), sender, out, options.version)
        }
    }
}

/// Sends the head, which is in `out`, and the listing, a piece at a time.
fn send_listing(
    mut writer: ListingWriter<'_>,
    mut sender: Sender<'_, '_>,
    out: &mut Vec<u8>,
    version: Version,
) -> io::Result<u64> {
    let (mut piece, mut sent) = (String::new(), 0);
    while !writer.is_complete() {
        piece.clear();
        writer.write_next(&mut piece);
        match version {
            Version::Http10 => out.extend_from_slice(piece.as_bytes()),
            Version::Http11 => {
                write_chunk(out, piece.as_bytes());
                if writer.is_complete() {
                    out.extend_from_slice(LAST_CHUNK);
                }
            }
        }
        sender.send_all(out, if writer.is_complete() { Flush::Now } else { Flush::Later })?;
        out.clear();
        sent += piece.len() as u64;
    }
    Ok(sent)
}
