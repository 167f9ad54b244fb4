//! Writes an archive a piece at a time. The content of a long file is left to the connection, which sends it
//! without copying it.

use std::fs::Metadata;
use std::os::unix::fs::FileExt as _;

use super::contents::Archive;
use super::error::ArchiveError;
use super::header::{END_OF_ARCHIVE, padding_after, write_header};
use super::members::{Member, Members};
use crate::server::site::file::FileContent;

/// Least size of a piece, except of one before a long file and the last.
const PIECE_BYTES: usize = 32 * 1024;

/// The content of a file up to this size is a part of a piece.
const COPIED_BYTES: u64 = 32 * 1024;

/// Writes an archive.
#[derive(Debug)]
pub(crate) struct ArchiveWriter<'a> {
    archive: &'a Archive,
    members: Members<'a>,
    state: State,
}

/// The part that is written next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Beginning,
    /// The members, after so many bytes that fill the last block of a long file.
    Members {
        padding: usize,
    },
    Complete,
}

/// A file whose content follows what has been written.
#[derive(Debug)]
pub(crate) struct LongFile {
    /// Beneath the root.
    pub(crate) path: Vec<u8>,
    pub(crate) content: FileContent,
    /// As in its header: a file that has grown since ends there.
    pub(crate) length: u64,
}

impl<'a> ArchiveWriter<'a> {
    #[must_use]
    pub(crate) fn new(archive: &'a Archive) -> Self {
        Self { archive, members: Members::new(archive), state: State::Beginning }
    }

    /// Whether the whole archive has been written.
    #[must_use]
    pub(crate) fn is_complete(&self) -> bool {
        self.state == State::Complete
    }

    /// Appends the next piece. If it returns a file, its content follows the piece.
    ///
    /// # Errors
    /// A file or a directory cannot be read; the archive cannot be continued.
    pub(crate) fn write_next(
        &mut self,
        out: &mut Vec<u8>,
    ) -> Result<Option<LongFile>, ArchiveError> {
        let end = out.len() + PIECE_BYTES;
        match self.state {
            State::Beginning => self.write_member_header(out, &self.archive.metadata),
            State::Members { padding } => out.resize(out.len() + padding, 0),
            State::Complete => return Ok(None),
        }
        self.state = State::Members { padding: 0 };
        while out.len() < end {
            let Some(Member { file, metadata }) = self.members.next()? else {
                out.extend_from_slice(&END_OF_ARCHIVE);
                self.state = State::Complete;
                return Ok(None);
            };
            self.write_member_header(out, &metadata);
            let length = if metadata.is_dir() { 0 } else { metadata.len() };
            let padding = padding_after(length);
            if length > COPIED_BYTES {
                self.state = State::Members { padding };
                let (path, content) = (self.members.path().to_vec(), FileContent::Opened(file));
                return Ok(Some(LongFile { path, content, length }));
            }
            let begin = out.len();
            out.resize(begin + usize::try_from(length).expect("it is at most COPIED_BYTES"), 0);
            file.read_exact_at(&mut out[begin..], 0)
                .map_err(|error| ArchiveError::content(self.members.path(), &error))?;
            out.resize(out.len() + padding, 0);
        }
        Ok(None)
    }

    fn write_member_header(&self, out: &mut Vec<u8>, metadata: &Metadata) {
        write_header(out, &self.archive.path_within(self.members.path()), metadata);
    }
}
