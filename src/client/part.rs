//! Files on their way: content is written to `NAME.part`, which gets its name when all of it is there.
//!
//! Under the final name there is the whole file or none, and an older file is replaced at one stroke. A
//! part that is given up is kept, with its notes, if it can be continued one day, and removed otherwise.
//! The notes are written before the first byte that would need them, so that a part that outlives its
//! process has them as well; a file that comes in one piece never has any.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use super::checksum::{Checksum, Hasher};
use super::directory::Place;
use super::resume::{NOTES_SUFFIX, Notes};
use super::settings::{Digest, Durability, Partial, Saving};
use super::{FetchError, Job};

/// What the name of a file ends with that is not complete.
pub const PART_SUFFIX: &str = ".part";

/// While the notes are replaced, so that there are always whole ones.
const NEW_NOTES_SUFFIX: &str = ".part.json~";

/// Pieces up to this size are gathered before they are written, so that small chunks do not cost a
/// system call each; larger ones go to the file straight from the buffer they were read into.
const GATHER_BYTES: usize = 16 * 1024;

/// A file that is not complete.
#[derive(Debug)]
pub(super) struct PartFile {
    place: Place,
    file: BufWriter<File>,
    bytes: u64,
    notes: Option<Notes>,
    are_notes_written: bool,
    /// `None` where not all of the content has passed by.
    hasher: Option<Hasher>,
    saving: Saving,
    is_done: bool,
}

/// A file that has been given its name.
#[derive(Debug)]
pub(super) struct Completed {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) checksum: Option<Checksum>,
}

/// What a complete file is to become.
pub(super) struct Completion<'c> {
    pub(super) modified: Option<SystemTime>,
    pub(super) expected: Option<Checksum>,
    /// The place to move it to, or the next one where that is taken.
    pub(super) next_place: &'c mut dyn FnMut() -> Result<(Place, Occupied), FetchError>,
}

/// What a place that is taken means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occupied {
    Replace,
    TryNext,
}

/// A part that is there, and its notes.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) file: File,
    pub(super) bytes: u64,
    pub(super) notes: Notes,
}

/// The part of this job's file that an earlier attempt or run left, if it can be continued.
pub(super) fn find(place: &Place, job: &Job) -> Option<Found> {
    let mut text = Vec::new();
    io::Read::read_to_end(&mut place.open(NOTES_SUFFIX).ok()?, &mut text).ok()?;
    let notes = Notes::parse(&text, &job.url)?;
    let file = place.claim(PART_SUFFIX).ok()?;
    let bytes = file.metadata().ok()?.len();
    let fits = match &notes.missing {
        None => notes.length.is_none_or(|length| bytes <= length),
        // Such a part has its full length from the beginning.
        Some(missing) => {
            notes.length == Some(bytes)
                && missing.iter().all(|(first, last)| first <= last && *last < bytes)
        }
    };
    (bytes > 0 && fits).then_some(Found { file, bytes, notes })
}

/// Writes notes beside a part, in the place of older ones at one stroke.
pub(super) fn write_notes(place: &Place, notes: &Notes) -> Result<(), FetchError> {
    let mut file = place.create(NEW_NOTES_SUFFIX)?;
    let written = file
        .write_all(&notes.to_json())
        .map_err(|error| place.failure(NEW_NOTES_SUFFIX, error))
        .and_then(|()| place.replace(NEW_NOTES_SUFFIX, NOTES_SUFFIX));
    if written.is_err() {
        place.remove(NEW_NOTES_SUFFIX);
    }
    written
}

/// Removes a part, and what was noted of it.
pub(super) fn forget(place: &Place) {
    place.remove(PART_SUFFIX);
    forget_notes(place);
}

/// Removes the notes, and those that were about to replace them when a process ended.
fn forget_notes(place: &Place) {
    place.remove(NOTES_SUFFIX);
    place.remove(NEW_NOTES_SUFFIX);
}

impl PartFile {
    /// Begins a file, without touching what may have its name now. `notes` are for continuing it.
    pub(super) fn create(
        place: Place,
        notes: Option<Notes>,
        saving: Saving,
        needs_checksum: bool,
    ) -> Result<Self, FetchError> {
        let file = place.begin(PART_SUFFIX)?;
        // Notes about another version must not stand beside this one.
        forget_notes(&place);
        Ok(Self {
            place,
            file: BufWriter::with_capacity(GATHER_BYTES, file),
            bytes: 0,
            notes: notes.filter(|_| saving.partial == Partial::Continue),
            are_notes_written: false,
            hasher: needs_checksum.then(Hasher::default),
            saving,
            is_done: false,
        })
    }

    /// Goes on where an earlier attempt or run left off.
    pub(super) fn continued(
        place: Place,
        mut found: Found,
        saving: Saving,
    ) -> Result<Self, FetchError> {
        let end = found.file.seek(SeekFrom::End(0));
        let bytes = end.map_err(|error| place.failure(PART_SUFFIX, error))?;
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
    pub(super) fn written(
        (place, file): (Place, File),
        notes: Notes,
        bytes: u64,
        saving: Saving,
    ) -> Self {
        let file = BufWriter::with_capacity(0, file);
        let notes = Some(notes).filter(|_| saving.partial == Partial::Continue);
        let (hasher, are_notes_written, is_done) = (None, true, false);
        Self { place, file, bytes, notes, are_notes_written, hasher, saving, is_done }
    }

    /// How much of it is there.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What there is of it need not come again after a failure.
    pub(super) fn can_be_continued(&self) -> bool {
        self.notes.is_some()
    }

    /// Adds a piece; `is_last` says that nothing follows it.
    pub(super) fn write(&mut self, piece: &[u8], is_last: bool) -> Result<(), FetchError> {
        let reaches_disk = self.bytes + piece.len() as u64 >= GATHER_BYTES as u64;
        if reaches_disk && !is_last && !self.are_notes_written {
            self.note()?;
        }
        self.file.write_all(piece).map_err(|error| self.place.failure(PART_SUFFIX, error))?;
        self.bytes += piece.len() as u64;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(piece);
        }
        Ok(())
    }

    fn note(&mut self) -> Result<(), FetchError> {
        if let Some(notes) = &self.notes {
            write_notes(&self.place, notes)?;
            self.are_notes_written = true;
        }
        Ok(())
    }

    /// Gives the file its name.
    pub(super) fn complete(
        mut self,
        completion: &mut Completion<'_>,
    ) -> Result<Completed, FetchError> {
        let failed = |place: &Place| {
            let place = place.clone();
            move |error| place.failure(PART_SUFFIX, error)
        };
        self.file.flush().map_err(failed(&self.place))?;
        let checksum = self.verify(completion.expected)?;
        let file = self.file.get_mut();
        if let Some(modified) = completion.modified
            && let Err(error) = file.set_modified(modified)
        {
            log::debug!("{}: cannot set its time: {error}", self.place.path().display());
        }
        if self.saving.durability == Durability::Disk {
            file.sync_all().map_err(failed(&self.place))?;
        }
        let target = loop {
            let (target, occupied) = (completion.next_place)()?;
            if self.place.move_to(PART_SUFFIX, &target, occupied == Occupied::TryNext)? {
                break target;
            }
        };
        self.is_done = true;
        if self.are_notes_written {
            forget_notes(&self.place);
        }
        if self.saving.durability == Durability::Disk {
            target.sync_directory().map_err(failed(&target))?;
        }
        Ok(Completed { path: target.path().to_owned(), bytes: self.bytes, checksum })
    }

    fn verify(&mut self, expected: Option<Checksum>) -> Result<Option<Checksum>, FetchError> {
        if expected.is_none() && self.saving.digest == Digest::Needed {
            return Ok(None);
        }
        let found = match self.hasher.take() {
            Some(hasher) => hasher.finish(),
            None => Checksum::of_file(self.file.get_mut())
                .map_err(|error| self.place.failure(PART_SUFFIX, error))?,
        };
        match expected {
            Some(expected) if expected != found => {
                // What is wrong as a whole is not worth continuing.
                self.notes = None;
                let (expected, found) = (expected.to_string(), found.to_string());
                Err(FetchError::Checksum { expected: expected.into(), found: found.into() })
            }
            _ => Ok(Some(found)),
        }
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
            && self.saving.partial == Partial::Continue
            && self.notes.is_some()
            && (self.are_notes_written || self.note().is_ok());
        if !is_worth_keeping {
            forget(&self.place);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use url::Url;

    use super::super::resume::Validator;
    use super::super::{OutputDirectory, directory::DirectoryError};
    use super::*;

    fn names_in(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn place(root: &Path) -> Result<Place, DirectoryError> {
        Ok(OutputDirectory::prepare(root)?.place("a").unwrap())
    }

    fn job() -> Job {
        let url = Url::parse("http://host/a").unwrap();
        Job { url, credentials: None, file_name: "a".into(), is_name_chosen: false, checksum: None }
    }

    fn notes(length: u64) -> Notes {
        let validator = Validator::Tag("\"x\"".into());
        Notes { url: "http://host/a".into(), validator, length: Some(length), missing: None }
    }

    fn complete(part: PartFile, target: &Place) -> Result<Completed, FetchError> {
        part.complete(&mut Completion {
            modified: None,
            expected: None,
            next_place: &mut || Ok((target.clone(), Occupied::Replace)),
        })
    }

    #[test]
    fn a_file_has_its_name_only_when_it_is_complete() {
        let root = tempfile::tempdir().unwrap();
        let place = place(root.path()).unwrap();
        fs::write(root.path().join("a"), "an older and longer file").unwrap();
        let large = vec![b'x'; 2 * GATHER_BYTES];
        let mut part = PartFile::create(place.clone(), None, Saving::default(), false).unwrap();
        for piece in [&b"one"[..], b"", &large, b"two"] {
            part.write(piece, false).unwrap();
        }
        assert_eq!(names_in(root.path()), ["a", "a.part"]);
        let completed = complete(part, &place).unwrap();
        let content = [b"one", &large[..], b"two"].concat();
        assert_eq!(completed.bytes, content.len() as u64);
        assert_eq!(names_in(root.path()), ["a"]);
        assert!(fs::read(completed.path).unwrap() == content);
    }

    #[test]
    fn a_part_without_notes_is_removed_and_one_with_them_is_continued() {
        let root = tempfile::tempdir().unwrap();
        let place = place(root.path()).unwrap();
        let saving = Saving::default();
        fs::write(root.path().join("a"), "older").unwrap();
        for (notes, saving) in
            [(None, saving), (Some(notes(3)), Saving { partial: Partial::Discard, ..saving })]
        {
            let mut part = PartFile::create(place.clone(), notes, saving, false).unwrap();
            part.write(b"new", false).unwrap();
            drop(part);
            assert_eq!(names_in(root.path()), ["a"]);
        }
        let mut part = PartFile::create(place.clone(), Some(notes(5)), saving, false).unwrap();
        part.write(b"He", false).unwrap();
        assert_eq!(names_in(root.path()), ["a", "a.part"], "nothing is on the disk yet");
        drop(part);
        assert_eq!(names_in(root.path()), ["a", "a.part", "a.part.json"]);
        assert_eq!(fs::read(root.path().join("a")).unwrap(), b"older");

        let found = find(&place, &job()).unwrap();
        assert_eq!((found.bytes, found.notes.clone()), (2, notes(5)));
        let mut part = PartFile::continued(place.clone(), found, saving).unwrap();
        part.write(b"llo", true).unwrap();
        complete(part, &place).unwrap();
        assert_eq!(fs::read(root.path().join("a")).unwrap(), b"Hello");
        assert_eq!(names_in(root.path()), ["a"]);
    }

    #[test]
    fn notes_are_there_before_what_they_are_about() {
        let root = tempfile::tempdir().unwrap();
        let place = place(root.path()).unwrap();
        let large = vec![b'x'; GATHER_BYTES];
        let mut part =
            PartFile::create(place.clone(), Some(notes(1 << 20)), Saving::default(), false)
                .unwrap();
        part.write(&large, false).unwrap();
        assert_eq!(names_in(root.path()), ["a.part", "a.part.json"]);
        assert!(find(&place, &job()).is_none(), "it is being written");
        // As it is where a process ends without a word.
        part.file.get_ref().unlock().unwrap();
        assert_eq!(find(&place, &job()).unwrap().bytes, large.len() as u64);
        // Of another URL, nothing is found.
        let other = Job { url: Url::parse("http://host/b").unwrap(), ..job() };
        assert!(find(&place, &other).is_none());
        drop(part);
        let mut small =
            PartFile::create(place.clone(), Some(notes(1)), Saving::default(), false).unwrap();
        small.write(&large, true).unwrap();
        assert_eq!(names_in(root.path()), ["a.part"], "a file in one piece needs none");
    }

    #[test]
    fn notes_that_cannot_be_written_leave_nothing() {
        let root = tempfile::tempdir().unwrap();
        let place = place(root.path()).unwrap();
        let mut part =
            PartFile::create(place.clone(), Some(notes(1 << 20)), Saving::default(), false)
                .unwrap();
        fs::create_dir(root.path().join("a.part.json")).unwrap();
        let error = part.write(&vec![b'x'; GATHER_BYTES], false).unwrap_err();
        assert!(matches!(error, FetchError::File { .. }), "{error}");
        drop(part);
        assert_eq!(names_in(root.path()), ["a.part.json"]);
    }

    #[test]
    fn notes_that_another_process_did_not_finish_go_with_the_others() {
        let root = tempfile::tempdir().unwrap();
        let place = place(root.path()).unwrap();
        fs::write(root.path().join("a.part.json~"), "{").unwrap();
        let part = PartFile::create(place.clone(), None, Saving::default(), false).unwrap();
        complete(part, &place).unwrap();
        assert_eq!(names_in(root.path()), ["a"]);
    }

    #[test]
    fn a_wrong_checksum_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let place = place(root.path()).unwrap();
        let mut part =
            PartFile::create(place.clone(), Some(notes(3)), Saving::default(), true).unwrap();
        part.write(b"abc", true).unwrap();
        let error = part
            .complete(&mut Completion {
                modified: None,
                expected: Some(Hasher::default().finish()),
                next_place: &mut || Ok((place.clone(), Occupied::Replace)),
            })
            .unwrap_err();
        assert!(matches!(error, FetchError::Checksum { .. }), "{error}");
        assert_eq!(names_in(root.path()), [""; 0]);
    }

    #[test]
    fn a_directory_in_the_place_of_a_file_is_said() {
        let root = tempfile::tempdir().unwrap();
        let place = place(root.path()).unwrap();
        fs::create_dir(root.path().join("a")).unwrap();
        let part = PartFile::create(place.clone(), None, Saving::default(), false).unwrap();
        let Err(FetchError::File { path, .. }) = complete(part, &place) else { panic!() };
        assert_eq!(path, root.path().join("a"));
        assert_eq!(names_in(root.path()), ["a"]);
    }
}
