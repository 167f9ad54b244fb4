//! Incomplete files: content is written to a part, which is renamed when it is complete.
//!
//! The final name never has an incomplete file, and an older file is replaced atomically. A part that is
//! abandoned is kept with its notes if it can be resumed, and removed otherwise. The notes are written
//! before the first byte of content reaches the disk, so a part can be resumed after a crash. A file smaller
//! than the write buffer gets no notes.

use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use super::hasher::Hasher;
use super::locked_file::LockedFile;
use super::part_notes::Notes;
use super::part_paths::{Candidate, PartPaths, TemporaryFile};
use super::{hasher, part_notes};
use crate::client::error::FetchError;
use crate::client::plan::checksum::{Checksum, ExpectedChecksum};
use crate::client::plan::job::Job;
use crate::client::redact::redacted_path;
use crate::client::settings::{Durability, PartialFile, SaveSettings};

/// The size of the write buffer, so that small chunks do not cost a system call each. Larger pieces are
/// written without being copied.
const WRITE_BUFFER_BYTES: usize = 16 * 1024;

/// Writes a part.
#[derive(Debug)]
pub(crate) struct PartWriter {
    paths: PartPaths,
    file: BufWriter<LockedFile>,
    bytes: u64,
    /// For resuming the part.
    notes: Option<Notes>,
    has_written_notes: bool,
    /// `None` for a resumed or split part, whose content is hashed from the file.
    hasher: Option<Hasher>,
    saving: SaveSettings,
    is_done: bool,
}

/// A part that is locked and open for writing.
#[derive(Clone, Debug)]
pub(crate) struct LockedPart {
    pub(crate) paths: PartPaths,
    pub(crate) file: LockedFile,
}

/// A file that has its final name.
#[derive(Debug)]
pub(crate) struct Completed {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) checksums: Box<[Checksum]>,
}

/// How a file is completed.
pub(crate) struct Completion<'c> {
    pub(crate) modified: Option<SystemTime>,
    pub(crate) expected: Option<&'c ExpectedChecksum>,
    /// The path to rename it to; called again if that is taken.
    pub(crate) next_candidate: &'c mut dyn FnMut() -> Result<Candidate, FetchError>,
}

/// A part that an earlier attempt or run left, and its notes.
#[derive(Debug)]
pub(crate) struct FoundPart {
    pub(crate) file: LockedFile,
    pub(crate) bytes: u64,
    pub(crate) notes: Notes,
}

/// The part of this job's file, if there is one that can be resumed. Notes without a part are removed, so
/// that a later part does not get them.
pub(crate) fn find_resumable(paths: &PartPaths, job: &Job) -> Option<FoundPart> {
    let notes_file = paths.open(TemporaryFile::Notes).ok()?;
    let file = match paths.open_locked() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            paths.remove_notes();
            return None;
        }
        opened => opened.ok()?,
    };
    let (notes, bytes) = part_notes::read(notes_file, &file, &job.url)?;
    Some(FoundPart { file, bytes, notes })
}

impl PartWriter {
    /// Creates a part. `notes` are for resuming it.
    pub(crate) fn create(
        paths: PartPaths,
        notes: Option<Notes>,
        saving: SaveSettings,
        hasher: Hasher,
    ) -> Result<Self, FetchError> {
        let file = paths.create_part()?;
        Ok(Self {
            paths,
            file: BufWriter::with_capacity(WRITE_BUFFER_BYTES, file),
            bytes: 0,
            notes,
            has_written_notes: false,
            hasher: Some(hasher),
            saving,
            is_done: false,
        })
    }

    pub(crate) fn resume(
        paths: PartPaths,
        part: FoundPart,
        saving: SaveSettings,
    ) -> Result<Self, FetchError> {
        let end = (&*part.file).seek(SeekFrom::End(0));
        let bytes = end.map_err(|error| paths.failure(TemporaryFile::Part, error))?;
        Ok(Self {
            paths,
            file: BufWriter::with_capacity(WRITE_BUFFER_BYTES, part.file),
            bytes,
            notes: Some(part.notes),
            has_written_notes: true,
            hasher: None,
            saving,
            is_done: false,
        })
    }

    /// A part already filled with `bytes` of content (a split file).
    pub(crate) fn from_split(
        LockedPart { paths, file }: LockedPart,
        notes: Notes,
        bytes: u64,
        saving: SaveSettings,
    ) -> Self {
        Self {
            paths,
            file: BufWriter::with_capacity(0, file),
            bytes,
            notes: Some(notes),
            has_written_notes: true,
            hasher: None,
            saving,
            is_done: false,
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// True if the content so far need not be fetched again after a failure.
    pub(crate) fn is_resumable(&self) -> bool {
        self.notes_to_keep().is_some()
    }

    /// The notes; `None` if the part is to be removed after a failure.
    fn notes_to_keep(&self) -> Option<&Notes> {
        self.notes.as_ref().filter(|_| self.saving.partial == PartialFile::Continue)
    }

    /// Appends a piece; `is_last` is true if it is known that no other follows.
    pub(crate) fn write(&mut self, piece: &[u8], is_last: bool) -> Result<(), FetchError> {
        let reaches_disk = self.bytes + piece.len() as u64 >= WRITE_BUFFER_BYTES as u64;
        if reaches_disk && !is_last && !self.has_written_notes {
            self.write_notes()?;
        }
        self.file
            .write_all(piece)
            .map_err(|error| self.paths.failure(TemporaryFile::Part, error))?;
        self.bytes += piece.len() as u64;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(piece);
        }
        Ok(())
    }

    fn write_notes(&mut self) -> Result<(), FetchError> {
        if let Some(notes) = self.notes_to_keep() {
            part_notes::write(&self.paths, notes, self.file.get_ref())?;
            self.has_written_notes = true;
        }
        Ok(())
    }

    /// Verifies the content and renames the file.
    pub(crate) fn complete(
        mut self,
        completion: &mut Completion<'_>,
    ) -> Result<Completed, FetchError> {
        self.file.flush().map_err(|error| self.paths.failure(TemporaryFile::Part, error))?;
        let checksums = self.verify(completion.expected)?;
        let file = self.file.get_ref();
        if let Some(modified) = completion.modified
            && let Err(error) = file.set_modified(modified)
        {
            let path = self.paths.path_of(TemporaryFile::Part);
            log::debug!("{}: cannot set its time: {error}", redacted_path(&path));
        }
        if self.saving.durability == Durability::Disk {
            file.sync_all().map_err(|error| self.paths.failure(TemporaryFile::Part, error))?;
        }
        let target = loop {
            let candidate = (completion.next_candidate)()?;
            if self.paths.move_to(&candidate)? {
                break candidate.target;
            }
        };
        self.is_done = true;
        if self.has_written_notes {
            self.paths.remove_notes();
        }
        if self.saving.durability == Durability::Disk {
            target.sync_directory().map_err(|error| target.failure(error))?;
        }
        Ok(Completed { path: target.path().to_owned(), bytes: self.bytes, checksums })
    }

    fn verify(
        &mut self,
        expected: Option<&ExpectedChecksum>,
    ) -> Result<Box<[Checksum]>, FetchError> {
        let hasher = self.hasher.take();
        let found = match (hasher, Hasher::of(expected, self.saving.hashing)) {
            (Some(hasher), _) => hasher.finish(),
            (None, hasher) if hasher.is_idle() => Box::default(),
            (None, hasher) => hasher
                .hash_file(self.file.get_ref())
                .map_err(|error| self.paths.failure(TemporaryFile::Part, error))?,
        };
        if let Some(expected) = expected {
            // A part with wrong content must not be resumed.
            hasher::verify(expected, &found).inspect_err(|_| self.notes = None)?;
        }
        Ok(found)
    }
}

impl Drop for PartWriter {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        // On a full disk only the beginning may be written, which can be resumed all the same.
        let _ = self.file.flush();
        let has_content = self.file.get_ref().metadata().is_ok_and(|metadata| metadata.len() > 0);
        let is_resumable = has_content
            && self.is_resumable()
            // On a full disk there may be no room for newer notes, but the older ones still hold.
            && (self.write_notes().is_ok() || self.has_written_notes);
        if !is_resumable {
            self.paths.remove_all();
        }
    }
}

#[cfg(test)]
mod tests;
