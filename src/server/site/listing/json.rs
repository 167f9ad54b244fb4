//! A listing as JSON, for programs.
//!
//! ```json
//! {"path": "/docs/", "entries": [
//!   {"name": "a.txt", "href": "a.txt", "type": "file", "size": 14, "modified": "2026-11-25T13:17:05Z"}
//! ]}
//! ```
//! `path` is percent-encoded. Unknown members of an entry are left out.

use std::borrow::Cow;

use serde::Serialize;

use super::contents::{Listing, ListingPart};
use super::entry::{Entry, EntryKind};
use crate::http::encode_segment;
use crate::printable::{JsonLayout, json};

#[derive(Serialize)]
struct JsonEntry<'e> {
    /// For display: bytes that are not UTF-8 are replaced.
    name: Cow<'e, str>,
    /// The exact name: a reference relative to the directory, percent-encoded.
    href: String,
    #[serde(rename = "type")]
    kind: &'static str,
    /// In bytes; for files only.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    /// UTC, in whole seconds (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<String>,
}

impl<'e> JsonEntry<'e> {
    fn new(entry: Entry<'e>) -> Self {
        Self {
            name: String::from_utf8_lossy(entry.name),
            href: entry.reference(),
            kind: match entry.kind {
                EntryKind::Directory => "directory",
                EntryKind::File => "file",
            },
            size: entry.length,
            modified: entry.modified.map(|time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        }
    }
}

pub(super) fn write(listing: &Listing, part: ListingPart<'_>, out: &mut String) {
    match part {
        ListingPart::Beginning => {
            let mut path = String::from("/");
            for segment in &listing.segments {
                path.push_str(&encode_segment(segment));
                path.push('/');
            }
            out.push_str("{\"path\":");
            push_value(&path, out);
            out.push_str(",\"entries\":[");
        }
        ListingPart::Entry { entry, position } => {
            if position > 0 {
                out.push(',');
            }
            push_value(&JsonEntry::new(entry), out);
        }
        ListingPart::End => out.push_str("]}\n"),
    }
}

fn push_value(value: &impl Serialize, out: &mut String) {
    out.push_str(&json(value, JsonLayout::Compact));
}
