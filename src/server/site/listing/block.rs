//! Consecutive entries of a directory, stored compactly.

use std::sync::Arc;

use jiff::Timestamp;

use super::entry::{Entry, EntryKind};

const UNKNOWN_LENGTH: u64 = u64::MAX;
const UNKNOWN_TIME: i64 = i64::MIN;

/// An entry in 24 bytes, without its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// [`UNKNOWN_LENGTH`] if there is none.
    length: u64,
    /// Microseconds since 1970, or [`UNKNOWN_TIME`].
    modified: i64,
    name_bytes: u32,
    pub(super) kind: EntryKind,
}

impl Record {
    pub(super) fn new(entry: Entry<'_>) -> Self {
        Self {
            name_bytes: u32::try_from(entry.name.len()).expect("a file name is short"),
            length: entry.length.unwrap_or(UNKNOWN_LENGTH),
            modified: entry.modified.map_or(UNKNOWN_TIME, Timestamp::as_microsecond),
            kind: entry.kind,
        }
    }

    /// The length of the name in bytes.
    pub(super) fn name_bytes(&self) -> usize {
        self.name_bytes as usize
    }

    fn entry(self, name: &[u8]) -> Entry<'_> {
        Entry {
            name,
            kind: self.kind,
            length: (self.length != UNKNOWN_LENGTH).then_some(self.length),
            modified: Timestamp::from_microsecond(self.modified).ok(),
        }
    }
}

/// Consecutive entries.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// All names, concatenated.
    pub(super) names: Arc<[u8]>,
    pub(super) records: Box<[Record]>,
}

impl Block {
    pub(super) fn entry(&self, index: usize) -> Entry<'_> {
        let name_start: usize = self.records[..index].iter().map(Record::name_bytes).sum();
        let record = self.records[index];
        record.entry(&self.names[name_start..][..record.name_bytes()])
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let mut names = &*self.names;
        self.records.iter().map(move |record| {
            let (name, rest) = names.split_at(record.name_bytes());
            names = rest;
            record.entry(name)
        })
    }
}
