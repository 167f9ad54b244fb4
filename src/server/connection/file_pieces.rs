//! Reading a range of a file a piece at a time.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// Size of a piece: four records of TLS.
const PIECE_BYTES: usize = 64 * 1024;

/// Reads a range of a file into a buffer, a piece at a time, and passes each to `send`.
///
/// # Errors
/// Those of `send`, or the file ends early ([`io::ErrorKind::UnexpectedEof`]).
pub(super) fn for_each_piece(
    file: &File,
    offset: u64,
    length: u64,
    mut send: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let (mut at, end) = (offset, offset + length);
    let mut buffer = vec![0; usize::try_from(length).unwrap_or(usize::MAX).min(PIECE_BYTES)];
    while at < end {
        let wanted = usize::try_from(end - at).unwrap_or(usize::MAX).min(buffer.len());
        file.read_exact_at(&mut buffer[..wanted], at)?;
        send(&buffer[..wanted])?;
        at += wanted as u64;
    }
    Ok(())
}
