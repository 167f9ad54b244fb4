//! Incomplete files: content is collected in memory up to a bound, then written to a part, which is renamed when
//! it is complete.
//!
//! The final name never has an incomplete file, and an older file is replaced atomically. A part that is
//! abandoned is kept with its notes if it can be resumed, and removed otherwise. The notes are written
//! before the first byte of content reaches the disk, so a part can be resumed after a crash. A file that is
//! complete in memory needs neither (`whole_file`).

use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::mem;
use std::path::PathBuf;
use std::time::SystemTime;

use super::candidate::Candidate;
use super::directory::TargetPath;
use super::hasher::Hasher;
use super::locked_file::LockedFile;
use super::part_notes::Notes;
use super::part_paths::{PartPaths, TemporaryFile};
use super::{hasher, part_notes, whole_file};
use crate::client::error::FetchError;
use crate::client::plan::checksum::{Checksum, ExpectedChecksum};
use crate::client::plan::job::Job;
use crate::client::redact::redacted_path;
use crate::client::settings::{Durability, PartialFile, SaveSettings};

/// The content that is collected before a part is made, and then the size of the write buffer, so that small
/// chunks do not cost a system call each. Larger pieces are written without being copied.
const WRITE_BUFFER_BYTES: usize = 16 * 1024;

/// The most content that is collected if nothing follows it. Copying it costs less than a part.
const MAX_COLLECTED_BYTES: usize = 64 * 1024;

/// A file whose content is about to be received from its beginning.
#[derive(Debug)]
pub(crate) struct NewFile {
    /// Where its part goes.
    pub(crate) target: TargetPath,
    /// For resuming the part.
    pub(crate) notes: Option<Notes>,
    pub(crate) hasher: Hasher,
    pub(crate) saving: SaveSettings,
    /// There may be an older part or notes, which a new part replaces.
    pub(crate) has_leftovers: bool,
}

/// Writes a file that is not complete yet.
#[derive(Debug)]
pub(crate) struct PartWriter {
    stage: Stage,
    bytes: u64,
    /// For resuming the part.
    notes: Option<Notes>,
    /// `None` for a resumed or split part, whose content is hashed from the file.
    hasher: Option<Hasher>,
    saving: SaveSettings,
    is_done: bool,
}

/// Where the content is.
#[derive(Debug)]
enum Stage {
    Collected { target: TargetPath, content: Vec<u8>, has_leftovers: bool },
    Part(Part),
}

#[derive(Debug)]
struct Part {
    paths: PartPaths,
    file: BufWriter<LockedFile>,
    has_notes: bool,
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

/// What an earlier attempt or run left of a file.
#[derive(Debug)]
pub(crate) enum Earlier {
    Nothing,
    /// A part or notes that cannot be used.
    Leftovers,
    /// A part that can be resumed.
    Part(FoundPart),
}

/// A part that an earlier attempt or run left, and its notes.
#[derive(Debug)]
pub(crate) struct FoundPart {
    pub(crate) part: LockedPart,
    pub(crate) bytes: u64,
    pub(crate) notes: Notes,
}

/// Looks for the part of this job's file. Notes without a part are removed, so that a later part does not
/// get them.
pub(crate) fn find_earlier(target: &TargetPath, job: &Job) -> Result<Earlier, FetchError> {
    let paths = PartPaths::choose(target)?;
    if paths.are_free() {
        return Ok(Earlier::Nothing);
    }
    Ok(find_resumable(paths, job).map_or(Earlier::Leftovers, Earlier::Part))
}

fn find_resumable(paths: PartPaths, job: &Job) -> Option<FoundPart> {
    let notes_file = paths.open(TemporaryFile::Notes).ok()?;
    let file = match paths.open_locked() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            paths.remove_notes();
            return None;
        }
        opened => opened.ok()?,
    };
    let (notes, bytes) = part_notes::read(notes_file, &file, &job.url)?;
    Some(FoundPart { part: LockedPart { paths, file }, bytes, notes })
}

impl PartWriter {
    pub(crate) fn create(new: NewFile) -> Self {
        let NewFile { target, notes, hasher, saving, has_leftovers } = new;
        Self {
            stage: Stage::Collected { target, content: Vec::new(), has_leftovers },
            bytes: 0,
            notes,
            hasher: Some(hasher),
            saving,
            is_done: false,
        }
    }

    pub(crate) fn resume(found: FoundPart, saving: SaveSettings) -> Result<Self, FetchError> {
        let FoundPart { part: LockedPart { paths, file }, notes, .. } = found;
        let end = (&*file).seek(SeekFrom::End(0));
        let bytes = end.map_err(|error| paths.failure(TemporaryFile::Part, error))?;
        let file = BufWriter::with_capacity(WRITE_BUFFER_BYTES, file);
        let part = Part { paths, file, has_notes: true };
        Ok(Self::of_part(part, notes, bytes, saving))
    }

    /// A part already filled with `bytes` of content (a split file).
    pub(crate) fn from_split(
        LockedPart { paths, file }: LockedPart,
        notes: Notes,
        bytes: u64,
        saving: SaveSettings,
    ) -> Self {
        let part = Part { paths, file: BufWriter::with_capacity(0, file), has_notes: true };
        Self::of_part(part, notes, bytes, saving)
    }

    fn of_part(part: Part, notes: Notes, bytes: u64, saving: SaveSettings) -> Self {
        let (stage, notes) = (Stage::Part(part), Some(notes));
        Self { stage, bytes, notes, hasher: None, saving, is_done: false }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// True if the content so far need not be fetched again after a failure.
    pub(crate) fn is_resumable(&self) -> bool {
        self.notes.is_some() && self.saving.partial == PartialFile::Continue
    }

    /// Appends a piece; `is_last` is true if it is known that no other follows.
    pub(crate) fn write(&mut self, piece: &[u8], is_last: bool) -> Result<(), FetchError> {
        let total = self.bytes + piece.len() as u64;
        let bound = if is_last { MAX_COLLECTED_BYTES } else { WRITE_BUFFER_BYTES - 1 };
        match &mut self.stage {
            Stage::Collected { content, .. } if total <= bound as u64 => {
                content.extend_from_slice(piece);
            }
            _ => self.write_to_part(piece, is_last)?,
        }
        self.bytes = total;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(piece);
        }
        Ok(())
    }

    fn write_to_part(&mut self, piece: &[u8], is_last: bool) -> Result<(), FetchError> {
        self.make_part()?;
        if !is_last {
            self.write_notes()?;
        }
        let part = self.make_part()?;
        part.file.write_all(piece).map_err(|error| part.failure(error))
    }

    /// The part, which is made from the collected content if there is none yet. After a failure to write it
    /// there is a part with the beginning of the content.
    fn make_part(&mut self) -> Result<&mut Part, FetchError> {
        if let Stage::Collected { target, content, .. } = &mut self.stage {
            let paths = PartPaths::choose(target)?;
            let file = BufWriter::with_capacity(WRITE_BUFFER_BYTES, paths.create_part()?);
            let content = mem::take(content);
            self.stage = Stage::Part(Part { paths, file, has_notes: false });
            let part = self.part();
            part.file.write_all(&content).map_err(|error| part.failure(error))?;
        }
        Ok(self.part())
    }

    /// The part, which has been made.
    fn part(&mut self) -> &mut Part {
        let Stage::Part(part) = &mut self.stage else { unreachable!("it has been made") };
        part
    }

    /// Writes the notes of a part that has none, if it is to be kept after a failure.
    fn write_notes(&mut self) -> Result<(), FetchError> {
        let Self { stage: Stage::Part(part), notes: Some(notes), saving, .. } = self else {
            return Ok(());
        };
        if saving.partial == PartialFile::Continue && !part.has_notes {
            part_notes::write(&part.paths, notes, part.file.get_ref())?;
            part.has_notes = true;
        }
        Ok(())
    }

    /// Verifies the content and gives the file its name.
    pub(crate) fn complete(
        mut self,
        completion: &mut Completion<'_>,
    ) -> Result<Completed, FetchError> {
        let checksums = self.verify(completion.expected)?;
        let durability = self.saving.durability;
        let target = match &self.stage {
            // To be durable, content and name take two syncs, beside which the part costs nothing.
            Stage::Collected { content, has_leftovers: false, .. }
                if durability == Durability::System =>
            {
                save_collected(content, completion)?
            }
            _ => {
                let target = self.make_part()?.move_to_final_name(durability, completion)?;
                // Whatever happens from here on, there is no part any more.
                self.is_done = true;
                self.part().clean_up(durability, &target)?;
                target
            }
        };
        self.is_done = true;
        Ok(Completed { path: target.into_path(), bytes: self.bytes, checksums })
    }

    fn verify(
        &mut self,
        expected: Option<&ExpectedChecksum>,
    ) -> Result<Box<[Checksum]>, FetchError> {
        let hasher = self.hasher.take();
        let found = match (hasher, Hasher::of(expected, self.saving.hashing)) {
            (Some(hasher), _) => hasher.finish(),
            (None, hasher) if hasher.is_idle() => Box::default(),
            (None, hasher) => self.make_part()?.hash(hasher)?,
        };
        if let Some(expected) = expected {
            // A part with wrong content must not be resumed.
            hasher::verify(expected, &found).inspect_err(|_| self.notes = None)?;
        }
        Ok(found)
    }

    /// Keeps an abandoned part. False if that is not possible.
    fn keep(&mut self) -> bool {
        let is_empty =
            matches!(&self.stage, Stage::Collected { content, .. } if content.is_empty());
        if is_empty || !self.is_resumable() {
            return false;
        }
        // On a full disk only the beginning may be written, which can be resumed all the same.
        let _ = self.make_part();
        let Stage::Part(part) = &mut self.stage else { return false };
        let _ = part.file.flush();
        let has_content = part.file.get_ref().metadata().is_ok_and(|metadata| metadata.len() > 0);
        let had_notes = part.has_notes;
        // On a full disk there may be no room for newer notes, but the older ones still hold.
        has_content && (self.write_notes().is_ok() || had_notes)
    }
}

/// Saves a file whose content has been collected.
fn save_collected(
    content: &[u8],
    completion: &mut Completion<'_>,
) -> Result<TargetPath, FetchError> {
    loop {
        let candidate = (completion.next_candidate)()?;
        if whole_file::save(content, completion.modified, &candidate)? {
            return Ok(candidate.target);
        }
    }
}

impl Part {
    /// Gives a part with all its content its final name.
    fn move_to_final_name(
        &mut self,
        durability: Durability,
        completion: &mut Completion<'_>,
    ) -> Result<TargetPath, FetchError> {
        self.file.flush().map_err(|error| self.failure(error))?;
        let file = self.file.get_ref();
        if let Some(modified) = completion.modified
            && let Err(error) = file.set_modified(modified)
        {
            let path = self.paths.path_of(TemporaryFile::Part);
            log::debug!("{}: cannot set its time: {error}", redacted_path(&path));
        }
        if durability == Durability::Disk {
            file.sync_all().map_err(|error| self.failure(error))?;
        }
        loop {
            let candidate = (completion.next_candidate)()?;
            if self.paths.move_to(&candidate)? {
                return Ok(candidate.target);
            }
        }
    }

    /// Removes the notes of a part that has its final name, and makes that name durable.
    fn clean_up(&self, durability: Durability, target: &TargetPath) -> Result<(), FetchError> {
        if self.has_notes {
            self.paths.remove_notes();
        }
        match durability {
            Durability::Disk => target.sync_directory().map_err(|error| target.failure(error)),
            Durability::System => Ok(()),
        }
    }

    fn hash(&mut self, hasher: Hasher) -> Result<Box<[Checksum]>, FetchError> {
        let flushed = self.file.flush();
        flushed
            .and_then(|()| hasher.hash_file(self.file.get_ref()))
            .map_err(|error| self.failure(error))
    }

    fn failure(&self, error: io::Error) -> FetchError {
        self.paths.failure(TemporaryFile::Part, error)
    }
}

impl Drop for PartWriter {
    fn drop(&mut self) {
        if self.is_done || self.keep() {
            return;
        }
        if let Stage::Part(part) = &self.stage {
            part.paths.remove_all();
        }
    }
}

#[cfg(test)]
mod tests;
