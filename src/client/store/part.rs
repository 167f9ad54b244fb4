//! Files on their way: content is written to a part, which gets its name when all of it is there.
//!
//! Under the final name there is the whole file or none, and an older file is replaced at one stroke. A
//! part that is given up is kept, with its notes, if it can be continued one day, and removed otherwise.
//! The notes are written before the first byte that would need them, so that a part that outlives its
//! process has them as well; a file that comes in one piece never has any.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use super::directory::TargetPath;
use super::hasher::Hasher;
use super::part_notes::Notes;
use super::part_paths::{OnConflict, PartPaths, TemporaryFile};
use super::{hasher, part_notes};
use crate::client::error::FetchError;
use crate::client::plan::checksum::{Checksum, ExpectedChecksum};
use crate::client::plan::job::Job;
use crate::client::redact::redacted_path;
use crate::client::settings::{Durability, PartialFile, SaveSettings};

/// Pieces up to this size are gathered before they are written, so that small chunks do not cost a
/// system call each; larger ones go to the file straight from the buffer they were read into.
const GATHER_BYTES: usize = 16 * 1024;

/// A file that is not complete.
#[derive(Debug)]
pub(crate) struct PartFile {
    place: PartPaths,
    file: BufWriter<File>,
    bytes: u64,
    notes: Option<Notes>,
    are_notes_written: bool,
    /// `None` where not all of the content has passed by.
    hasher: Option<Hasher>,
    saving: SaveSettings,
    is_done: bool,
}

/// A part that is open for writing.
#[derive(Debug)]
pub(crate) struct OpenPart {
    pub(crate) paths: PartPaths,
    pub(crate) file: File,
}

/// A file that has been given its name.
#[derive(Debug)]
pub(crate) struct Completed {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) checksums: Box<[Checksum]>,
}

/// What a complete file is to become.
pub(crate) struct Completion<'c> {
    pub(crate) modified: Option<SystemTime>,
    pub(crate) expected: Option<&'c ExpectedChecksum>,
    /// The place to move it to, or the next one where that is taken.
    pub(crate) next_place: &'c mut dyn FnMut() -> Result<(TargetPath, OnConflict), FetchError>,
}

/// A part that is there, and its notes.
#[derive(Debug)]
pub(crate) struct ResumablePart {
    pub(crate) file: File,
    pub(crate) bytes: u64,
    pub(crate) notes: Notes,
}

/// The part of this job's file that an earlier attempt or run left, if it can be continued.
/// Notes without a part are removed: they must not come to stand beside another one.
pub(crate) fn find_resumable(place: &PartPaths, job: &Job) -> Option<ResumablePart> {
    let file_of_notes = place.open(TemporaryFile::Notes).ok()?;
    let file = match place.claim() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            place.remove_notes();
            return None;
        }
        claimed => claimed.ok()?,
    };
    let (notes, bytes) = part_notes::read(file_of_notes, &file, &job.url)?;
    Some(ResumablePart { file, bytes, notes })
}

impl PartFile {
    /// Begins a file, without touching what may have its name now. `notes` are for continuing it.
    pub(crate) fn create(
        place: PartPaths,
        notes: Option<Notes>,
        saving: SaveSettings,
        hasher: Hasher,
    ) -> Result<Self, FetchError> {
        let file = place.begin()?;
        Ok(Self {
            place,
            file: BufWriter::with_capacity(GATHER_BYTES, file),
            bytes: 0,
            notes: notes.filter(|_| saving.partial == PartialFile::Continue),
            are_notes_written: false,
            hasher: Some(hasher),
            saving,
            is_done: false,
        })
    }

    /// Goes on where an earlier attempt or run left off.
    pub(crate) fn continued(
        place: PartPaths,
        mut found: ResumablePart,
        saving: SaveSettings,
    ) -> Result<Self, FetchError> {
        let end = found.file.seek(SeekFrom::End(0));
        let bytes = end.map_err(|error| place.failure(TemporaryFile::Part, error))?;
        Ok(Self {
            place,
            file: BufWriter::with_capacity(GATHER_BYTES, found.file),
            bytes,
            notes: Some(found.notes),
            are_notes_written: true,
            hasher: None,
            saving,
            is_done: false,
        })
    }

    /// A file whose content was written in place, and is all there.
    pub(crate) fn written(part: OpenPart, notes: Notes, bytes: u64, saving: SaveSettings) -> Self {
        let OpenPart { paths: place, file } = part;
        let file = BufWriter::with_capacity(0, file);
        let notes = Some(notes).filter(|_| saving.partial == PartialFile::Continue);
        let (hasher, are_notes_written, is_done) = (None, true, false);
        Self { place, file, bytes, notes, are_notes_written, hasher, saving, is_done }
    }

    /// How much of it is there.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What there is of it need not come again after a failure.
    pub(crate) fn can_be_continued(&self) -> bool {
        self.notes.is_some()
    }

    /// Adds a piece; `is_last` says that nothing follows it.
    pub(crate) fn write(&mut self, piece: &[u8], is_last: bool) -> Result<(), FetchError> {
        let reaches_disk = self.bytes + piece.len() as u64 >= GATHER_BYTES as u64;
        if reaches_disk && !is_last && !self.are_notes_written {
            self.note()?;
        }
        self.file
            .write_all(piece)
            .map_err(|error| self.place.failure(TemporaryFile::Part, error))?;
        self.bytes += piece.len() as u64;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(piece);
        }
        Ok(())
    }

    fn note(&mut self) -> Result<(), FetchError> {
        if let Some(notes) = &self.notes {
            part_notes::write(&self.place, notes, self.file.get_ref())?;
            self.are_notes_written = true;
        }
        Ok(())
    }

    /// Gives the file its name.
    pub(crate) fn complete(
        mut self,
        completion: &mut Completion<'_>,
    ) -> Result<Completed, FetchError> {
        let failed = |place: &PartPaths| {
            let place = place.clone();
            move |error| place.failure(TemporaryFile::Part, error)
        };
        self.file.flush().map_err(failed(&self.place))?;
        let checksums = self.verify(completion.expected)?;
        let file = self.file.get_mut();
        if let Some(modified) = completion.modified
            && let Err(error) = file.set_modified(modified)
        {
            let path = self.place.path_of(TemporaryFile::Part);
            log::debug!("{}: cannot set its time: {error}", redacted_path(&path));
        }
        if self.saving.durability == Durability::Disk {
            file.sync_all().map_err(failed(&self.place))?;
        }
        let target = loop {
            let (target, occupied) = (completion.next_place)()?;
            if self.place.move_to(&target, occupied)? {
                break target;
            }
        };
        self.is_done = true;
        if self.are_notes_written {
            self.place.remove_notes();
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
                .hash_file(self.file.get_mut())
                .map_err(|error| self.place.failure(TemporaryFile::Part, error))?,
        };
        if let Some(expected) = expected {
            // What is wrong as a whole is not worth continuing.
            hasher::verify(expected, &found).inspect_err(|_| self.notes = None)?;
        }
        Ok(found)
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        // On a full disk not all of it gets there, but what does is the beginning.
        let _ = self.file.flush();
        let is_there = self.file.get_ref().metadata().is_ok_and(|metadata| metadata.len() > 0);
        let is_worth_keeping = is_there
            && self.saving.partial == PartialFile::Continue
            && self.notes.is_some()
            // On a full disk there may be no room for newer ones.
            && (self.note().is_ok() || self.are_notes_written);
        if !is_worth_keeping {
            self.place.remove_all();
        }
    }
}

#[cfg(test)]
mod tests;
