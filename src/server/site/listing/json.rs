//! A listing for programs.

use serde::Serialize;

use super::{Entry, EntryKind, Listing};
use crate::http::encode_segment;

/// ```json
/// {"path": "/docs/", "entries": [
///   {"name": "a.txt", "href": "a.txt", "type": "file", "size": 14, "modified": "2026-11-25T13:17:05Z"}
/// ]}
/// ```
#[derive(Serialize)]
struct JsonListing<'l> {
    /// Percent-encoded.
    path: String,
    entries: Vec<JsonEntry<'l>>,
}

#[derive(Serialize)]
struct JsonEntry<'l> {
    /// For people: what is not UTF-8 is replaced.
    name: std::borrow::Cow<'l, str>,
    /// The exact name: relative to the directory and percent-encoded.
    href: String,
    #[serde(rename = "type")]
    kind: &'static str,
    /// In bytes; files alone have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    /// UTC, in whole seconds (RFC 3339).
    modified: String,
}

impl<'l> JsonEntry<'l> {
    fn new(entry: &'l Entry) -> Self {
        let (kind, size) = match entry.kind {
            EntryKind::Directory => ("directory", None),
            EntryKind::File { length } => ("file", Some(length)),
        };
        Self {
            name: String::from_utf8_lossy(&entry.name),
            href: entry.reference(),
            kind,
            size,
            modified: entry.modified.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        }
    }
}

pub(super) fn write(listing: &Listing) -> String {
    let mut path = String::from("/");
    for segment in &listing.segments {
        path.push_str(&encode_segment(segment));
        path.push('/');
    }
    let listing =
        JsonListing { path, entries: listing.entries.iter().map(JsonEntry::new).collect() };
    let mut json = serde_json::to_string(&listing).expect("strings and numbers are always JSON");
    json.push('\n');
    json
}
