//! Sending an archive: short files in pieces with their headers, long files with `sendfile`.

use std::io;
use std::time::Instant;

use super::send::Sender;
use super::transport::Flush;
use crate::http::{CHUNK_END, LAST_CHUNK, Version, write_chunk_size};
use crate::server::site::archive::error::ArchiveError;
use crate::server::site::archive::writer::ArchiveWriter;

/// Sends the head, which is in `out`, and the archive; returns the length of the archive.
///
/// # Errors
/// The peer disconnected or is too slow, or what is archived cannot be read ([`ArchiveError`]): then the
/// end of the content is missing.
pub(super) fn send_archive(
    mut writer: ArchiveWriter<'_>,
    mut sender: Sender<'_, '_>,
    out: &mut Vec<u8>,
    version: Version,
) -> io::Result<u64> {
    let (mut piece, mut sent) = (Vec::new(), 0);
    // The head arrives also if the first piece cannot be made.
    sender.send_all(out, Flush::Later)?;
    out.clear();
    while !writer.is_complete() {
        piece.clear();
        let begun = Instant::now();
        let file = writer.write_next(&mut piece).map_err(io::Error::other)?;
        sender.rate.leave_out(begun.elapsed());
        let length = piece.len() as u64 + file.as_ref().map_or(0, |file| file.length);
        if version == Version::Http11 {
            write_chunk_size(out, length);
        }
        sender.send_both(out, &piece, Flush::Later)?;
        out.clear();
        if let Some(file) = file {
            let result = sender.send_content(&file.content, 0, file.length, Flush::Later);
            result.map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => {
                    io::Error::other(ArchiveError::content(&file.path, &error))
                }
                _ => error,
            })?;
        }
        // Sent with the beginning of the next chunk.
        if version == Version::Http11 {
            out.extend_from_slice(CHUNK_END);
        }
        sent += length;
    }
    if version == Version::Http11 {
        out.extend_from_slice(LAST_CHUNK);
    }
    sender.send_all(out, Flush::Now).map(|()| sent)
}

/// Why an archive could not be continued, if that is the error.
pub(super) fn archive_error(error: &io::Error) -> Option<&ArchiveError> {
    error.get_ref()?.downcast_ref()
}
