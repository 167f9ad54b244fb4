//! The notes beside a part, with which it can be resumed, and the rules for resuming it.
//!
//! The notes have the URL, the validator of the version that was fetched, the complete length, and the
//! missing pieces if several connections fetched them. A part is resumed with `Range` and `If-Range`, so
//! that a server with another version sends all of it, and the response is checked against the notes. A
//! part without notes, or of another URL, is never resumed. A part is never taken for complete because of
//! its notes: the server is always asked.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;

use serde::{Deserialize, Serialize};
use url::Url;

use super::part_paths::{PartPaths, TemporaryFile};
use super::validator::Validator;
use crate::client::error::FetchError;
use crate::http::{ContentRange, Fields};

/// The longest notes that are read, in bytes: many times the longest URL and all the pieces of a file.
const MAX_NOTES_BYTES: u64 = 1 << 20;

/// The notes beside a partial file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Notes {
    pub(crate) url: Box<str>,
    pub(crate) validator: Validator,
    /// The complete length, if the server sent it.
    pub(crate) length: Option<u64>,
    /// The missing pieces, as first and last byte; `None` if the part is one piece from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) missing: Option<Vec<(u64, u64)>>,
}

impl Notes {
    /// Notes on the content of a response, if a part of it could be resumed.
    pub(crate) fn on(url: &Url, fields: &Fields<'_>, length: Option<u64>) -> Option<Self> {
        let validator = Validator::of(fields)?;
        Some(Self { url: url.as_str().into(), validator, length, missing: None })
    }

    /// True if a part of this length can have these notes. If no piece is missing, the last byte is made
    /// so, in order that the server is asked.
    fn fit(&mut self, bytes: u64) -> bool {
        let Some(missing) = &mut self.missing else {
            return bytes > 0 && self.length.is_none_or(|length| bytes <= length);
        };
        if missing.is_empty() && bytes > 0 {
            missing.push((bytes - 1, bytes - 1));
        }
        missing.sort_unstable();
        let are_ranges = missing.iter().all(|(first, last)| first <= last && *last < bytes);
        let are_apart = missing.windows(2).all(|pair| pair[0].1 < pair[1].0);
        // A part that is fetched in pieces has its full length from the beginning.
        bytes > 0 && self.length == Some(bytes) && are_ranges && are_apart
    }

    /// The range after the first `have` bytes.
    pub(crate) fn remaining(&self, have: u64) -> RangeRequest<'_> {
        RangeRequest { first: have, last: None, validator: &self.validator }
    }

    /// What a `206` contains of the range from `first` to `last`, or to the end; `None` if it contains
    /// anything else, or another version. A server may send less than was requested (RFC 9110 §15.3.7).
    pub(crate) fn accepted_range(
        &self,
        fields: &Fields<'_>,
        first: u64,
        last: Option<u64>,
    ) -> Option<AcceptedRange> {
        let value = fields.only("Content-Range").and_then(ContentRange::parse)?;
        let ContentRange::Satisfied { range, complete_length } = value else { return None };
        let total = self.length.or(complete_length)?;
        let fits = range.first == first
            && complete_length.is_none_or(|complete| complete == total)
            && range.last < last.map_or(total, |last| last + 1)
            && !self.validator.contradicts(fields);
        fits.then(|| AcceptedRange { bytes: range.length(), total })
    }

    /// True if a `416` says that the complete length is `have` bytes.
    pub(crate) fn are_complete(&self, fields: &Fields<'_>, have: u64) -> bool {
        let value = fields.only("Content-Range").and_then(ContentRange::parse);
        value == Some(ContentRange::Unsatisfied { complete_length: have })
            && self.length.is_none_or(|length| length == have)
            && !self.validator.contradicts(fields)
    }
}

/// The file of the notes: the notes, and the identity of their part.
#[derive(Debug, Serialize, Deserialize)]
struct NotesFile<N> {
    #[serde(flatten)]
    notes: N,
    part: PartIdentity,
}

/// Identifies the part of the notes by its inode number, or else by its length when they were written: a
/// copy has another inode number, and on some file systems (FAT, those in user space) so does every file
/// after the next mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct PartIdentity {
    inode: u64,
    bytes: u64,
}

impl PartIdentity {
    fn of(part: &File) -> io::Result<Self> {
        let metadata = part.metadata()?;
        Ok(Self { inode: metadata.ino(), bytes: metadata.len() })
    }

    fn matches(self, part: Self) -> bool {
        self.inode == part.inode || self.bytes == part.bytes
    }
}

/// Writes the notes of a part, which replace older ones atomically.
pub(crate) fn write(paths: &PartPaths, notes: &Notes, part: &File) -> Result<(), FetchError> {
    let identity =
        PartIdentity::of(part).map_err(|error| paths.failure(TemporaryFile::Part, error))?;
    let text = serde_json::to_vec(&NotesFile { notes, part: identity })
        .expect("strings and numbers are JSON");
    let mut file = paths.create_new_notes()?;
    let written = file
        .write_all(&text)
        .map_err(|error| paths.failure(TemporaryFile::NewNotes, error))
        .and_then(|()| paths.replace_notes());
    if written.is_err() {
        paths.remove(TemporaryFile::NewNotes);
    }
    written
}

/// Reads the notes, and the length of the part. `None` if they are of another part or URL, or the part is
/// empty.
pub(super) fn read(notes: File, part: &File, url: &Url) -> Option<(Notes, u64)> {
    let mut text = Vec::new();
    notes.take(MAX_NOTES_BYTES + 1).read_to_end(&mut text).ok()?;
    if text.len() as u64 > MAX_NOTES_BYTES {
        return None;
    }
    let found = PartIdentity::of(part).ok()?;
    let NotesFile { mut notes, part } = serde_json::from_slice::<NotesFile<Notes>>(&text).ok()?;
    let is_of_part = part.matches(found) && &*notes.url == url.as_str();
    (is_of_part && notes.fit(found.bytes)).then_some((notes, found.bytes))
}

/// The range of a `206` that is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AcceptedRange {
    pub(crate) bytes: u64,
    /// The complete length of the representation.
    pub(crate) total: u64,
}

/// A range that is requested of one version of a representation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RangeRequest<'n> {
    pub(crate) first: u64,
    /// `None` for all that follows.
    pub(crate) last: Option<u64>,
    pub(crate) validator: &'n Validator,
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, SeekFrom};

    use super::*;
    use crate::client::store::directory::OutputDirectory;
    use crate::http::test_fields::with_fields;

    fn notes() -> Notes {
        let validator = Validator::Tag("\"x\"".into());
        Notes { url: "http://a/".into(), validator, length: Some(10), missing: None }
    }

    #[test]
    fn only_the_rest_that_was_asked_for_is_accepted() {
        for (lines, accepted) in [
            (&["Content-Range: bytes 4-9/10"][..], true),
            (&["Content-Range: bytes 4-9/*"], true),
            (&["Content-Range: bytes 4-9/10", "ETag: \"x\""], true),
            (&["Content-Range: bytes 4-9/10", "ETag: \"y\""], false),
            (&["Content-Range: bytes 4-9/10", "ETag: W/\"x\""], false),
            (&["Content-Range: bytes 3-9/10"], false),
            (&["Content-Range: bytes 5-9/10"], false),
            (&["Content-Range: bytes 4-8/10"], true),
            (&["Content-Range: bytes 4-10/*"], false),
            (&["Content-Range: bytes 4-9/11"], false),
            (&["Content-Range: bytes 4-10/11"], false),
            (&["Content-Range: bytes */10"], false),
            (&["Content-Range: bytes 4-9/10", "Content-Range: bytes 4-9/10"], false),
            (&["X: y"], false),
        ] {
            let found =
                with_fields(lines, |fields| notes().accepted_range(fields, 4, None).is_some());
            assert_eq!(found, accepted, "{lines:?}");
        }
        with_fields(&["Content-Range: bytes 4-5/10"], |fields| {
            assert_eq!(
                notes().accepted_range(fields, 4, Some(5)),
                Some(AcceptedRange { bytes: 2, total: 10 })
            );
            assert_eq!(
                notes().accepted_range(fields, 4, Some(6)),
                Some(AcceptedRange { bytes: 2, total: 10 })
            );
            assert_eq!(notes().accepted_range(fields, 4, Some(4)), None);
        });
    }

    #[test]
    fn an_unsatisfied_range_means_complete_only_with_the_same_length() {
        for (line, have, complete) in [
            ("Content-Range: bytes */10", 10, true),
            ("Content-Range: bytes */10", 9, false),
            ("Content-Range: bytes */9", 9, false),
            ("Content-Range: bytes 0-9/10", 10, false),
            ("X: y", 10, false),
        ] {
            let found = with_fields(&[line], |fields| notes().are_complete(fields, have));
            assert_eq!(found, complete, "{line} {have}");
        }
    }

    #[test]
    fn only_notes_that_can_be_true_fit() {
        let whole = |bytes| Notes { length: Some(bytes), missing: Some(vec![]), ..notes() };
        for (length, missing, bytes, fits) in [
            (Some(10), None, 10, true),
            (Some(10), None, 1, true),
            (None, None, 1, true),
            (None, None, 0, false),
            (Some(10), None, 11, false),
            (Some(10), Some(&[(0, 9)][..]), 10, true),
            (Some(10), Some(&[(5, 9), (1, 2)]), 10, true),
            (Some(10), Some(&[(1, 2), (3, 9)]), 10, true),
            (Some(10), Some(&[(1, 3), (3, 9)]), 10, false),
            (Some(10), Some(&[(0, 9), (0, 9)]), 10, false),
            (Some(10), Some(&[(4, 5), (0, 9)]), 10, false),
            (Some(10), Some(&[(2, 1)]), 10, false),
            (Some(10), Some(&[(1, 10)]), 10, false),
            (Some(10), Some(&[(0, u64::MAX)]), 10, false),
            (Some(u64::MAX), Some(&[(0, u64::MAX - 1)]), 10, false),
            (Some(10), Some(&[(0, 8)]), 9, false),
            (None, Some(&[(0, 9)]), 10, false),
            (Some(0), Some(&[]), 0, false),
        ] {
            let missing = missing.map(<[_]>::to_vec);
            let mut notes = Notes { length, missing, ..notes() };
            assert_eq!(notes.fit(bytes), fits, "{notes:?} {bytes}");
        }
        let mut whole = whole(10);
        assert!(whole.fit(10));
        assert_eq!(whole.missing, Some(vec![(9, 9)]), "its server is asked for the last byte");
    }

    #[test]
    fn notes_are_read_as_they_were_written_and_for_their_part_and_url_alone() {
        let root = tempfile::tempdir().unwrap();
        let directory = OutputDirectory::prepare(root.path()).unwrap();
        let paths = PartPaths::choose(&directory.target_path("x").unwrap()).unwrap();
        let mut part = paths.create_part().unwrap();
        part.write_all(b"0123456789").unwrap();
        let notes = Notes { missing: Some(vec![(1, 2), (5, 9)]), ..notes() };
        write(&paths, &notes, &part).unwrap();
        let read_for = |part: &File, url: &str| {
            let url = Url::parse(url).unwrap();
            read(paths.open(TemporaryFile::Notes).unwrap(), part, &url)
        };
        assert_eq!(read_for(&part, "http://a/"), Some((notes.clone(), 10)));
        assert_eq!(read_for(&part, "http://a/x"), None);
        // A copy has the same length; a file with another inode number and length is another part.
        let mut other = tempfile::tempfile().unwrap();
        other.write_all(b"0123456789").unwrap();
        assert_eq!(read_for(&other, "http://a/"), Some((notes, 10)));
        other.write_all(b"x").unwrap();
        assert_eq!(read_for(&other, "http://a/"), None);
    }

    #[test]
    fn notes_are_read_within_a_bound_and_only_whole() {
        let root = tempfile::tempdir().unwrap();
        let directory = OutputDirectory::prepare(root.path()).unwrap();
        let url = Url::parse("http://a/").unwrap();
        let paths = PartPaths::choose(&directory.target_path("x").unwrap()).unwrap();
        let mut part = paths.create_part().unwrap();
        part.write_all(b"01234").unwrap();
        write(&paths, &notes(), &part).unwrap();
        let open = || paths.open(TemporaryFile::Notes).unwrap();
        let length = open().metadata().unwrap().len();
        let mut padded = open();
        padded.seek(SeekFrom::End(0)).unwrap();
        padded.write_all(&vec![b' '; usize::try_from(MAX_NOTES_BYTES - length).unwrap()]).unwrap();
        assert!(read(open(), &part, &url).is_some());
        padded.write_all(b" ").unwrap();
        assert!(read(open(), &part, &url).is_none());
        for length in [6 << 30, length - 1, 0] {
            padded.set_len(length).unwrap();
            assert!(read(open(), &part, &url).is_none(), "{length}");
        }
    }
}
