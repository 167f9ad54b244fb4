//! What a part needs to be continued: notes beside it, and the rules for what may continue it.
//!
//! They hold the URL, the validator of the version that the part is of, its complete length, which pieces
//! are there where those were fetched side by side, and which file they are about. A part is continued
//! with `Range` and `If-Range`, so that a server with another version answers with the whole; and what
//! comes is held against the notes. A part without notes, or of another URL, is never used, and none is
//! taken for whole because its notes say so: the server is always asked.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use url::Url;

use super::part_paths::{PartPaths, TemporaryFile};
use crate::client::error::FetchError;
use crate::http::{ContentRange, EntityTag, Fields, Strength, date};

/// The most that is read of notes, in bytes: many times what the longest URL and all the pieces of a file take.
const MAX_NOTES_BYTES: u64 = 1 << 20;

/// What tells one version of a representation from every other (RFC 9110 §8.8), as it stands in
/// `If-Range`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Validator {
    /// A strong entity tag, quotes included.
    Tag(Box<str>),
    /// A date of modification that is strong as well.
    Date(Box<str>),
}

impl Validator {
    /// The strong validator of an answer: its tag, or else its date where that is old enough for
    /// nothing to have changed within its second (RFC 9110 §8.8.2.2).
    pub(super) fn of(fields: &Fields<'_>) -> Option<Self> {
        let text = |value: &[u8]| str::from_utf8(value).ok().map(Into::into);
        if let Some(value) = fields.only("ETag")
            && EntityTag::parse(value).is_some_and(|tag| tag.strength() == Strength::Strong)
        {
            return text(value).map(Self::Tag);
        }
        let value = fields.only("Last-Modified")?;
        let modified = date::parse(value)?;
        let sent = date::parse(fields.only("Date")?)?;
        let age = sent.duration_since(modified).ok()?;
        (age >= Duration::from_secs(1)).then(|| text(value).map(Self::Date)).flatten()
    }

    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Tag(text) | Self::Date(text) => text,
        }
    }

    /// The answer says that it is of another version. Without a word it is taken for the same, since
    /// `If-Range` has asked.
    fn contradicts(&self, fields: &Fields<'_>) -> bool {
        let (name, own) = match self {
            Self::Tag(tag) => ("ETag", tag),
            Self::Date(date) => ("Last-Modified", date),
        };
        fields.only(name).is_some_and(|value| value != own.as_bytes())
    }
}

/// The notes beside a partial file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Notes {
    pub(crate) url: Box<str>,
    pub(crate) validator: Validator,
    /// The complete length, where the server said it.
    pub(crate) length: Option<u64>,
    /// The pieces that are not there yet, as first and last byte; `None` where the part is one piece
    /// from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) missing: Option<Vec<(u64, u64)>>,
}

impl Notes {
    /// Notes on what an answer begins to bring, if it can be continued.
    pub(crate) fn on(url: &Url, fields: &Fields<'_>, length: Option<u64>) -> Option<Self> {
        let validator = Validator::of(fields)?;
        Some(Self { url: url.as_str().into(), validator, length, missing: None })
    }

    /// Whether they can be about a part that is so long. The last byte counts as missing where nothing else
    /// does, so that its server is asked for that.
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
        // Such a part has its full length from the beginning.
        bytes > 0 && self.length == Some(bytes) && are_ranges && are_apart
    }

    /// The rest behind the first `have` bytes.
    pub(crate) fn remaining(&self, have: u64) -> RangeRequest<'_> {
        RangeRequest { first: have, last: None, validator: &self.validator }
    }

    /// What a 206 brings of the bytes from `first` on that were asked for, up to `last` or to the end, of the
    /// version that was asked for; `None` if it brings anything else. It may be less than what was asked for
    /// (RFC 9110 §15.3.7).
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

    /// Whether a 416 says that the `have` bytes that are there are all there are.
    pub(crate) fn are_complete(&self, fields: &Fields<'_>, have: u64) -> bool {
        let value = fields.only("Content-Range").and_then(ContentRange::parse);
        value == Some(ContentRange::Unsatisfied { complete_length: have })
            && self.length.is_none_or(|length| length == have)
            && !self.validator.contradicts(fields)
    }
}

/// Notes as they are on the disk, with what ties them to their part.
#[derive(Debug, Serialize, Deserialize)]
struct Written<N> {
    #[serde(flatten)]
    notes: N,
    part: Identity,
}

/// Which file the notes are about. It is that one if it has the same inode number; or, since a file that
/// was copied has another one, and so has every file of some file systems when they are mounted anew (FAT,
/// those in user space), if it is still as long as when the notes were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    inode: u64,
    bytes: u64,
}

impl Identity {
    fn of(part: &File) -> std::io::Result<Self> {
        let metadata = part.metadata()?;
        Ok(Self { inode: metadata.ino(), bytes: metadata.len() })
    }

    fn is_of(self, part: Self) -> bool {
        self.inode == part.inode || self.bytes == part.bytes
    }
}

/// Writes notes about a part, in the place of older ones at one stroke.
pub(crate) fn write(place: &PartPaths, notes: &Notes, part: &File) -> Result<(), FetchError> {
    let identity = Identity::of(part).map_err(|error| place.failure(TemporaryFile::Part, error))?;
    let text = serde_json::to_vec(&Written { notes, part: identity })
        .expect("strings and numbers are JSON");
    let mut file = place.create_new_notes()?;
    let written = file
        .write_all(&text)
        .map_err(|error| place.failure(TemporaryFile::NewNotes, error))
        .and_then(|()| place.replace_notes());
    if written.is_err() {
        place.remove(TemporaryFile::NewNotes);
    }
    written
}

/// Reads notes, and says how long the part is; `None` unless they are about this part and this URL, and
/// something of it is there.
pub(super) fn read(notes: File, part: &File, url: &Url) -> Option<(Notes, u64)> {
    let mut text = Vec::new();
    notes.take(MAX_NOTES_BYTES + 1).read_to_end(&mut text).ok()?;
    if text.len() as u64 > MAX_NOTES_BYTES {
        return None;
    }
    let found = Identity::of(part).ok()?;
    let Written { mut notes, part } = serde_json::from_slice::<Written<Notes>>(&text).ok()?;
    let is_about_it = part.is_of(found) && &*notes.url == url.as_str();
    (is_about_it && notes.fit(found.bytes)).then_some((notes, found.bytes))
}

/// What an answer brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AcceptedRange {
    pub(crate) bytes: u64,
    /// How long the whole representation is.
    pub(crate) total: u64,
}

/// The part of a representation that is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RangeRequest<'n> {
    pub(crate) first: u64,
    /// The last byte of the piece; `None` for all that follows.
    pub(crate) last: Option<u64>,
    pub(crate) validator: &'n Validator,
}

/// When the representation was last modified, for the file's time.
pub(crate) fn last_modified(fields: &Fields<'_>) -> Option<SystemTime> {
    fields.only("Last-Modified").and_then(date::parse)
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, SeekFrom};

    use super::*;
    use crate::client::store::directory::OutputDirectory;
    use crate::http::test_fields::with_fields;

    const DATE: &str = "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT";

    fn notes() -> Notes {
        let validator = Validator::Tag("\"x\"".into());
        Notes { url: "http://a/".into(), validator, length: Some(10), missing: None }
    }

    #[test]
    fn a_validator_is_a_strong_tag_or_an_old_enough_date() {
        let soon = "Date: Sun, 06 Nov 1994 08:49:37 GMT";
        let later = "Date: Sun, 06 Nov 1994 08:49:38 GMT";
        for (lines, expected) in [
            (&["ETag: \"x\"", DATE, later][..], Some("\"x\"")),
            (&["ETag: W/\"x\"", DATE, later], Some("Sun, 06 Nov 1994 08:49:37 GMT")),
            (&["ETag: x", DATE, soon], None),
            (&["ETag: \"x\"", "ETag: \"y\""], None),
            (&[DATE], None),
            (&[later], None),
        ] {
            let found = with_fields(lines, Validator::of);
            assert_eq!(found.as_ref().map(Validator::text), expected, "{lines:?}");
        }
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
        let place = PartPaths::choose(&directory.target_path("x").unwrap()).unwrap();
        let mut part = place.begin().unwrap();
        part.write_all(b"0123456789").unwrap();
        let notes = Notes { missing: Some(vec![(1, 2), (5, 9)]), ..notes() };
        write(&place, &notes, &part).unwrap();
        let read_for = |part: &File, url: &str| {
            let url = Url::parse(url).unwrap();
            read(place.open(TemporaryFile::Notes).unwrap(), part, &url)
        };
        assert_eq!(read_for(&part, "http://a/"), Some((notes.clone(), 10)));
        assert_eq!(read_for(&part, "http://a/x"), None);
        // A file of another inode and length is another one; a copy is as good.
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
        let place = PartPaths::choose(&directory.target_path("x").unwrap()).unwrap();
        let mut part = place.begin().unwrap();
        part.write_all(b"01234").unwrap();
        write(&place, &notes(), &part).unwrap();
        let open = || place.open(TemporaryFile::Notes).unwrap();
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
