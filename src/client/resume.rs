//! What a partial file needs to be continued: notes beside it, and the rules for what may continue it.
//!
//! `NAME.part.json` holds the URL, the validator of the version that the part is of, its complete length
//! and, where pieces were fetched side by side, which of them are there. A part is continued with `Range`
//! and `If-Range`, so that a server with another version answers with the whole; and what comes is held
//! against the notes. A part without notes, or of another URL, is never used.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use url::Url;

use crate::http::{ContentRange, EntityTag, Fields, Strength, date};

/// What the name of the notes ends with.
pub const NOTES_SUFFIX: &str = ".part.json";

/// What tells one version of a representation from every other (RFC 9110 §8.8), as it stands in
/// `If-Range`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Validator {
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

    pub(super) fn text(&self) -> &str {
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
pub(super) struct Notes {
    pub(super) url: Box<str>,
    pub(super) validator: Validator,
    /// The complete length, where the server said it.
    pub(super) length: Option<u64>,
    /// The pieces that are not there yet, as first and last byte; `None` where the part is one piece
    /// from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) missing: Option<Vec<(u64, u64)>>,
}

impl Notes {
    /// Notes on what an answer begins to bring, if it can be continued.
    pub(super) fn on(url: &Url, fields: &Fields<'_>, length: Option<u64>) -> Option<Self> {
        let validator = Validator::of(fields)?;
        Some(Self { url: url.as_str().into(), validator, length, missing: None })
    }

    /// Reads notes; `None` unless they are about this URL.
    pub(super) fn parse(text: &[u8], url: &Url) -> Option<Self> {
        serde_json::from_slice(text).ok().filter(|notes: &Self| &*notes.url == url.as_str())
    }

    pub(super) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and numbers are JSON")
    }

    /// The rest behind the first `have` bytes.
    pub(super) fn rest(&self, have: u64) -> Rest<'_> {
        Rest { first: have, last: None, validator: &self.validator }
    }

    /// What a 206 brings of the bytes from `first` on that were asked for, up to `last` or to the end, of the
    /// version that was asked for; `None` if it brings anything else. It may be less than what was asked for
    /// (RFC 9110 §15.3.7).
    pub(super) fn brought(
        &self,
        fields: &Fields<'_>,
        first: u64,
        last: Option<u64>,
    ) -> Option<Brought> {
        let value = fields.only("Content-Range").and_then(ContentRange::parse)?;
        let ContentRange::Satisfied { range, complete_length } = value else { return None };
        let total = self.length.or(complete_length)?;
        let fits = range.first == first
            && complete_length.is_none_or(|complete| complete == total)
            && range.last < last.map_or(total, |last| last + 1)
            && !self.validator.contradicts(fields);
        fits.then(|| Brought { bytes: range.length(), total })
    }

    /// Whether a 416 says that the `have` bytes that are there are all there are.
    pub(super) fn are_complete(&self, fields: &Fields<'_>, have: u64) -> bool {
        let value = fields.only("Content-Range").and_then(ContentRange::parse);
        value == Some(ContentRange::Unsatisfied { complete_length: have })
            && self.length.is_none_or(|length| length == have)
            && !self.validator.contradicts(fields)
    }
}

/// What an answer brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Brought {
    pub(super) bytes: u64,
    /// How long the whole representation is.
    pub(super) total: u64,
}

/// The part of a representation that is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest<'n> {
    pub(super) first: u64,
    /// The last byte of the piece; `None` for all that follows.
    pub(super) last: Option<u64>,
    pub(super) validator: &'n Validator,
}

/// When the representation was last modified, for the file's time.
pub(super) fn last_modified(fields: &Fields<'_>) -> Option<SystemTime> {
    fields.only("Last-Modified").and_then(date::parse)
}

#[cfg(test)]
mod tests {
    use super::*;
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
            let found = with_fields(lines, |fields| notes().brought(fields, 4, None).is_some());
            assert_eq!(found, accepted, "{lines:?}");
        }
        with_fields(&["Content-Range: bytes 4-5/10"], |fields| {
            assert_eq!(notes().brought(fields, 4, Some(5)), Some(Brought { bytes: 2, total: 10 }));
            assert_eq!(notes().brought(fields, 4, Some(6)), Some(Brought { bytes: 2, total: 10 }));
            assert_eq!(notes().brought(fields, 4, Some(4)), None);
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
    fn notes_are_read_as_they_were_written_and_for_their_url_alone() {
        let url = Url::parse("http://a/").unwrap();
        let notes = Notes { missing: Some(vec![(1, 2), (5, 9)]), ..notes() };
        assert_eq!(Notes::parse(&notes.to_json(), &url), Some(notes.clone()));
        let other = Url::parse("http://a/x").unwrap();
        assert_eq!(Notes::parse(&notes.to_json(), &other), None);
        assert_eq!(Notes::parse(&notes.to_json()[..20], &url), None);
        assert_eq!(Notes::parse(b"", &url), None);
    }
}
