//! Which version of a representation a response has (RFC 9110 §8.8).

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::http::{EntityTag, Fields, Strength, date};

/// The strong validator of one version of a representation (RFC 9110 §8.8), as it is sent in `If-Range`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Validator {
    /// A strong entity tag, quotes included.
    Tag(Box<str>),
    /// A modification date that is strong.
    Date(Box<str>),
}

impl Validator {
    /// The strong validator of a response: its tag, or else its modification date, if that is at least a
    /// second before `Date` (RFC 9110 §8.8.2.2).
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

    /// True if the response has another validator. A response without one is taken for the same version,
    /// since `If-Range` has asked for it.
    pub(super) fn contradicts(&self, fields: &Fields<'_>) -> bool {
        let (name, own) = match self {
            Self::Tag(tag) => ("ETag", tag),
            Self::Date(date) => ("Last-Modified", date),
        };
        fields.only(name).is_some_and(|value| value != own.as_bytes())
    }
}

/// When the representation was last modified.
pub(crate) fn last_modified(fields: &Fields<'_>) -> Option<SystemTime> {
    fields.only("Last-Modified").and_then(date::parse)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::test_fields::with_fields;

    const DATE: &str = "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT";

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
}
