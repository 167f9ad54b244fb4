//! Builds the entries of a directory from a reading, sharing unchanged blocks with the reading before.
//!
//! A block that did not change is shared with the previous reading, and its names if only sizes or times
//! changed: slow readers of a directory that changes do not cost a copy of it each. The name of an entry
//! decides whether a block ends after it, so an entry that is added or removed changes only its block.

use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;

use super::block::{Block, Record};
use super::entries::{Entries, compare, reserve};
use super::entry::Entry;

/// A block ends after one name in this many, on average.
const BLOCK_ENTRIES: u64 = 128;

const MAX_BLOCK_ENTRIES: usize = 512;

/// Entries in the order of reading.
#[derive(Debug, Default)]
pub(super) struct UnsortedEntries {
    /// All names, concatenated.
    names: Vec<u8>,
    records: Vec<UnsortedRecord>,
}

#[derive(Debug)]
struct UnsortedRecord {
    name_start: usize,
    record: Record,
}

impl UnsortedEntries {
    pub(super) fn push(&mut self, entry: Entry<'_>) {
        reserve(&mut self.names, entry.name.len());
        reserve(&mut self.records, 1);
        let name_start = self.names.len();
        self.names.extend_from_slice(entry.name);
        self.records.push(UnsortedRecord { name_start, record: Record::new(entry) });
    }

    /// Sorts the entries. Shares unchanged blocks with `previous`, and returns it if nothing has changed.
    pub(super) fn into_entries(mut self, previous: Option<&Arc<Entries>>) -> Arc<Entries> {
        let names = &self.names;
        let name = |UnsortedRecord { name_start, record }: &UnsortedRecord| {
            &names[*name_start..][..record.name_bytes()]
        };
        self.records
            .sort_unstable_by(|a, b| compare((a.record.kind, name(a)), (b.record.kind, name(b))));
        let mut builder = EntriesBuilder { previous, ..EntriesBuilder::default() };
        for unsorted in &self.records {
            builder.push(unsorted.record, name(unsorted));
        }
        builder.finish()
    }
}

/// Builds entries block by block.
#[derive(Default)]
struct EntriesBuilder<'p> {
    previous: Option<&'p Arc<Entries>>,
    /// The names and records of the current block.
    names: Vec<u8>,
    records: Vec<Record>,
    entries: Entries,
    shared_blocks: usize,
}

impl EntriesBuilder<'_> {
    /// Adds the next entry in order.
    fn push(&mut self, record: Record, name: &[u8]) {
        self.names.extend_from_slice(name);
        self.records.push(record);
        let mut hasher = DefaultHasher::new();
        hasher.write(name);
        if hasher.finish().is_multiple_of(BLOCK_ENTRIES) || self.records.len() == MAX_BLOCK_ENTRIES
        {
            self.end_block();
        }
    }

    fn end_block(&mut self) {
        let first = self.records[0];
        let first_name = &self.names[..first.name_bytes()];
        let before = self.previous.and_then(|entries| entries.block_from(first.kind, first_name));
        let before = before.filter(|block| *block.names == *self.names);
        let block = match before {
            Some(block) if *block.records == *self.records => {
                self.shared_blocks += 1;
                Arc::clone(block)
            }
            _ => Arc::new(Block {
                names: before
                    .map_or_else(|| self.names.as_slice().into(), |block| block.names.clone()),
                records: self.records.as_slice().into(),
            }),
        };
        self.names.clear();
        self.records.clear();
        self.entries.push(block);
    }

    fn finish(mut self) -> Arc<Entries> {
        if !self.records.is_empty() {
            self.end_block();
        }
        match self.previous {
            Some(previous)
                if self.shared_blocks == self.entries.blocks.len()
                    && previous.len() == self.entries.len() =>
            {
                Arc::clone(previous)
            }
            _ => Arc::new(self.entries),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::server::site::listing::entries::Totals;
    use crate::server::site::listing::entry::EntryKind;
    use crate::server::site::listing::order::Order;

    fn file(name: &str) -> Entry<'_> {
        Entry {
            name: name.as_bytes(),
            kind: EntryKind::File,
            length: Some(7),
            modified: Some(Timestamp::UNIX_EPOCH),
        }
    }

    fn numbered(
        numbers: impl Iterator<Item = usize>,
        previous: Option<&Arc<Entries>>,
    ) -> Arc<Entries> {
        let mut unsorted = UnsortedEntries::default();
        for number in numbers {
            unsorted.push(file(&format!("file {number}")));
        }
        unsorted.into_entries(previous)
    }

    fn blocks_not_in(entries: &Entries, other: &Entries) -> usize {
        let is_there =
            |block: &Arc<Block>| other.blocks.iter().any(|there| Arc::ptr_eq(block, there));
        entries.blocks.iter().filter(|block| !is_there(block)).count()
    }

    #[test]
    fn unchanged_blocks_are_shared_with_the_previous_reading() {
        let first = numbered((0..20_000).rev(), None);
        assert!(first.blocks.len() > 50, "{}", first.blocks.len());
        let again = numbered(0..20_000, Some(&first));
        assert!(Arc::ptr_eq(&again, &first), "nothing changed");
        for (what, changed) in [
            ("one added at the end", numbered(0..20_001, Some(&first))),
            ("one removed at the beginning", numbered(1..20_000, Some(&first))),
            (
                "one removed in the middle",
                numbered((0..20_000).filter(|n| *n != 10_000), Some(&first)),
            ),
            ("the second half removed", numbered(0..10_000, Some(&first))),
        ] {
            assert!(!Arc::ptr_eq(&changed, &first), "{what}");
            let fresh = blocks_not_in(&changed, &first);
            assert!(fresh <= 3, "{what}: {fresh}");
        }
        assert_eq!(numbered(0..0, Some(&first)).len(), 0);
    }

    #[test]
    fn names_are_shared_if_only_sizes_and_times_changed() {
        let entries_of = |length, previous| {
            let mut unsorted = UnsortedEntries::default();
            for number in 0..1000 {
                let name = format!("file {number}");
                unsorted.push(Entry { length: Some(length), ..file(&name) });
            }
            unsorted.into_entries(previous)
        };
        let first = entries_of(1, None);
        let second = entries_of(2, Some(&first));
        assert_eq!(first.blocks.len(), second.blocks.len());
        for (before, after) in first.blocks.iter().zip(&second.blocks) {
            assert!(!Arc::ptr_eq(before, after) && Arc::ptr_eq(&before.names, &after.names));
            assert_eq!(after.entry(0).length, Some(2));
        }
    }

    #[test]
    fn directories_come_first_in_every_order() {
        let entry = |name, kind, length, second| Entry {
            name,
            kind,
            length,
            modified: Timestamp::from_second(second).ok(),
        };
        let mut unsorted = UnsortedEntries::default();
        for entry in [
            entry(&b"b"[..], EntryKind::Directory, None, 1),
            entry(b"a", EntryKind::Directory, None, 5),
            entry(b"f2", EntryKind::File, Some(7), 2),
            entry(b"f10", EntryKind::File, Some(1), -3),
            entry(b"e", EntryKind::File, Some(7), 2),
            entry(b"unknown", EntryKind::File, None, i64::MAX),
        ] {
            unsorted.push(entry);
        }
        let entries = unsorted.into_entries(None);
        for (query, expected) in [
            ("", "a b e f2 f10 unknown"),
            ("order=desc", "b a unknown f10 f2 e"),
            ("sort=size", "a b unknown f10 e f2"),
            ("sort=size&order=desc", "a b e f2 f10 unknown"),
            ("sort=date", "b a unknown f10 e f2"),
            ("sort=date&order=desc", "a b e f2 f10 unknown"),
        ] {
            let order = Order::from_query(query.as_bytes());
            let names: Vec<_> = (0..entries.len())
                .map(|at| String::from_utf8_lossy(entries.in_order(order, at).name))
                .collect();
            assert_eq!(names.join(" "), expected, "{query}");
        }
    }

    #[test]
    fn entries_come_back_as_they_went_in() {
        let entries = [
            Entry { kind: EntryKind::Directory, length: None, ..file("d") },
            Entry { modified: None, ..file("a") },
            Entry { length: None, ..file("b") },
            Entry { length: Some(u64::MAX - 1), ..file("\u{fffd}") },
        ];
        let mut unsorted = UnsortedEntries::default();
        for entry in entries.iter().rev() {
            unsorted.push(*entry);
        }
        let read = unsorted.into_entries(None);
        let order = Order::default();
        let listed: Vec<_> = (0..read.len()).map(|at| read.in_order(order, at)).collect();
        assert_eq!(listed, entries);
        let totals = Totals { directories: 1, files: 3, bytes: u64::MAX };
        assert_eq!(read.totals(), totals);
    }
}
